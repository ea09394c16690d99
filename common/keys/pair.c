/*
 * pair.c: keys_pair, what came back from a key file.
 */
#include "keys/client.h"
#include "keys/proto.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct keys_pair {
	atomic_uint refs;
	struct keys *keys;
	uint32_t id; /* of the private key; 0: none */
	enum keys_type type;
	unsigned bits;
	size_t n_chain, n_cas, n_crls;
	struct keys_der *der; /* chain, CAs, CRLs, borrowed from blob */
	uint8_t *blob;
	char *notes, *path;
};

/* The next piece of the blob, or false. */
static bool take(const uint8_t **p, const uint8_t *end, struct keys_der *ret)
{
	uint32_t len;

	if ((size_t)(end - *p) < sizeof len)
		return false;
	memcpy(&len, *p, sizeof len);
	*p += sizeof len;
	if ((size_t)(end - *p) < len)
		return false;
	*ret = (struct keys_der){*p, len};
	*p += len;
	return true;
}

static bool take_text(const uint8_t **p, const uint8_t *end, char **ret)
{
	struct keys_der d;

	if (!take(p, end, &d))
		return false;
	*ret = strndup((const char *)d.p, d.len);
	return *ret != NULL;
}

static bool unpack(struct keys_pair *pair, const struct proto_loaded *a)
{
	size_t n = (size_t)a->n_chain + a->n_cas + a->n_crls;
	const uint8_t *p = pair->blob, *end = pair->blob + a->blob;

	pair->der = calloc(n + 1, sizeof *pair->der);
	if (!pair->der)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!take(&p, end, &pair->der[i]))
			return false;
	pair->n_chain = a->n_chain;
	pair->n_cas = a->n_cas;
	pair->n_crls = a->n_crls;
	return take_text(&p, end, &pair->notes) &&
	       take_text(&p, end, &pair->path);
}

static bool put_path(char *dst, const char *src)
{
	int n = snprintf(dst, KEYS_PATH_MAX, "%s", src ? src : "");

	return n >= 0 && n < KEYS_PATH_MAX;
}

static int say(char *why, const char *name, int r)
{
	(void)snprintf(why, KEYS_WHY_MAX, "key file %.200s: %s", name,
		       r == -EPIPE ? "the key process is gone" : strerror(-r));
	return r;
}

int keys_load(struct keys *k, const struct keys_source *s,
	      struct keys_pair **ret, char *why)
{
	struct proto_load q = {.op = PROTO_LOAD, .need = (uint16_t)s->need};
	struct proto_loaded a = {.why = ""};
	struct keys_pair *pair;
	uint8_t *blob;
	int r;

	if (!put_path(q.ring, s->ring) || !put_path(q.name, s->name) ||
	    !put_path(q.pass_file, s->pass_file))
		return say(why, s->name, -ENAMETOOLONG);
	r = client_load(k, &q, &a, &blob);
	if (r < 0) {
		if (!a.why[0])
			return say(why, s->name, r);
		(void)snprintf(why, KEYS_WHY_MAX, "%.*s", KEYS_WHY_MAX - 1,
			       a.why);
		return r;
	}
	pair = calloc(1, sizeof *pair);
	if (!pair) {
		free(blob);
		client_drop(k, a.id);
		return say(why, s->name, -ENOMEM);
	}
	atomic_init(&pair->refs, 1);
	pair->keys = k;
	pair->id = a.id;
	pair->type = a.type;
	pair->bits = a.bits;
	pair->blob = blob;
	if (!unpack(pair, &a)) {
		keys_pair_unref(pair);
		return say(why, s->name, -ENOMEM);
	}
	*ret = pair;
	return 0;
}

struct keys_pair *keys_pair_ref(struct keys_pair *p)
{
	atomic_fetch_add(&p->refs, 1);
	return p;
}

void keys_pair_unref(struct keys_pair *p)
{
	if (!p || atomic_fetch_sub(&p->refs, 1) != 1)
		return;
	client_drop(p->keys, p->id);
	free(p->blob);
	free(p->der);
	free(p->notes);
	free(p->path);
	free(p);
}

const struct keys_der *keys_pair_chain(const struct keys_pair *p, size_t *n)
{
	*n = p->n_chain;
	return p->der;
}

const struct keys_der *keys_pair_cas(const struct keys_pair *p, size_t *n)
{
	*n = p->n_cas;
	return p->der + p->n_chain;
}

const struct keys_der *keys_pair_crls(const struct keys_pair *p, size_t *n)
{
	*n = p->n_crls;
	return p->der + p->n_chain + p->n_cas;
}

const char *keys_pair_notes(const struct keys_pair *p)
{
	return p->notes;
}

const char *keys_pair_path(const struct keys_pair *p)
{
	return p->path;
}

enum keys_type keys_pair_type(const struct keys_pair *p)
{
	return p->type;
}

unsigned keys_pair_bits(const struct keys_pair *p)
{
	return p->bits;
}

int keys_sign(struct keys_pair *p, enum keys_algorithm a, bool hashed,
	      const void *data, size_t len, uint8_t *sig)
{
	if (!p->id)
		return -ENOKEY;
	return client_sign(p->keys, p->id, a, hashed, data, len, sig);
}

int keys_decrypt(struct keys_pair *p, const void *data, size_t len,
		 uint8_t *plain, size_t n)
{
	if (!p->id)
		return -ENOKEY;
	return client_decrypt(p->keys, p->id, data, len, plain, n);
}
