/*
 * resume.c: what a server seals tickets with, and what a client remembers.
 */
#include "tls/room.h"

#include "base/hash.h"
#include "base/list.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>

/* ---- tickets
 * ------------------------------------------------------------------------ */

int tls_tickets_new(const uint8_t *key, struct tls_tickets **ret)
{
	struct tls_tickets *t = calloc(1, sizeof *t);

	if (!t)
		return -ENOMEM;
	atomic_init(&t->refs, 1);
	if (gnutls_session_ticket_key_generate(&t->key) < 0 ||
	    t->key.size != TLS_TICKET_KEY_LEN) {
		gnutls_free(t->key.data);
		free(t);
		return -ENOMEM;
	}
	if (key)
		memcpy(t->key.data, key, TLS_TICKET_KEY_LEN);
	*ret = t;
	return 0;
}

struct tls_tickets *tls_tickets_ref(struct tls_tickets *t)
{
	atomic_fetch_add(&t->refs, 1);
	return t;
}

void tls_tickets_unref(struct tls_tickets *t)
{
	if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
		return;
	explicit_bzero(t->key.data, t->key.size);
	gnutls_free(t->key.data);
	free(t);
}

/* ---- cache --------------------------------------------------------------- */

enum { BUCKETS = 256 };

struct entry {
	struct list bucket, age; /* first members: cast-free container_of */
	gnutls_datum_t data;
	uint64_t hash;
	size_t rule_len;
	char key[]; /* rule, 0, peer, 0 */
};

struct tls_cache {
	atomic_uint refs;
	pthread_mutex_t lock;
	struct hash_key secret;
	unsigned n, max;
	struct list age; /* the oldest first */
	struct list bucket[BUCKETS];
};

static void entry_wipe(struct entry *e)
{
	if (e->data.data)
		explicit_bzero(e->data.data, e->data.size);
	gnutls_free(e->data.data);
	free(e);
}

static void entry_free(struct tls_cache *c, struct entry *e)
{
	list_remove(&e->bucket);
	list_remove(&e->age);
	c->n--;
	entry_wipe(e);
}

static void lists_init(struct tls_cache *c)
{
	list_init(&c->age);
	for (size_t i = 0; i < BUCKETS; i++)
		list_init(&c->bucket[i]);
	c->n = 0;
}

int tls_cache_new(unsigned max, struct tls_cache **ret)
{
	struct tls_cache *c;

	if (max == 0 || max > TLS_CACHE_MAX)
		return -EINVAL;
	c = calloc(1, sizeof *c);
	if (!c)
		return -ENOMEM;
	if (gnutls_rnd(GNUTLS_RND_NONCE, &c->secret, sizeof c->secret) < 0) {
		free(c);
		return -EIO;
	}
	atomic_init(&c->refs, 1);
	(void)pthread_mutex_init(&c->lock, NULL);
	c->max = max;
	lists_init(c);
	*ret = c;
	return 0;
}

void tls_cache_flush(struct tls_cache *c)
{
	pthread_mutex_lock(&c->lock);
	LIST_FOREACH_SAFE (it, &c->age) {
		entry_wipe(container_of(it, struct entry, age));
	}
	lists_init(c);
	pthread_mutex_unlock(&c->lock);
}

struct tls_cache *tls_cache_ref(struct tls_cache *c)
{
	atomic_fetch_add(&c->refs, 1);
	return c;
}

void tls_cache_unref(struct tls_cache *c)
{
	if (!c || atomic_fetch_sub(&c->refs, 1) != 1)
		return;
	tls_cache_flush(c);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static uint64_t hash_of(const struct tls_cache *c, const char *rule,
			const char *peer)
{
	uint64_t both[2] = {hash_bytes(&c->secret, rule, strlen(rule)),
			    hash_bytes(&c->secret, peer, strlen(peer))};

	return hash_bytes(&c->secret, both, sizeof both);
}

static struct entry *find(struct tls_cache *c, const char *rule,
			  const char *peer, uint64_t hash)
{
	LIST_FOREACH (it, &c->bucket[hash % BUCKETS]) {
		struct entry *e = container_of(it, struct entry, bucket);

		if (e->hash == hash && strcmp(e->key, rule) == 0 &&
		    strcmp(e->key + e->rule_len + 1, peer) == 0)
			return e;
	}
	return NULL;
}

bool cache_take(struct tls_cache *c, const char *rule, const char *peer,
		gnutls_datum_t *ret)
{
	uint64_t hash = hash_of(c, rule, peer);
	struct entry *e;

	pthread_mutex_lock(&c->lock);
	e = find(c, rule, peer, hash);
	if (e) {
		/* used once, so that nobody can tie two connections together
		 * by the ticket [RFC8446 C.4]; the server sends another */
		*ret = e->data;
		e->data = (gnutls_datum_t){NULL, 0};
		entry_free(c, e);
	}
	pthread_mutex_unlock(&c->lock);
	return e != NULL;
}

void cache_drop(struct tls_cache *c, const char *rule, const char *peer)
{
	gnutls_datum_t data;

	if (!cache_take(c, rule, peer, &data))
		return;
	explicit_bzero(data.data, data.size);
	gnutls_free(data.data);
}

static struct entry *entry_new(const char *rule, const char *peer,
			       uint64_t hash, gnutls_datum_t *data)
{
	size_t n = strlen(rule), m = strlen(peer);
	struct entry *e = malloc(sizeof *e + n + m + 2);

	if (!e)
		return NULL;
	memcpy(e->key, rule, n + 1);
	memcpy(e->key + n + 1, peer, m + 1);
	e->rule_len = n;
	e->hash = hash;
	e->data = *data;
	return e;
}

void cache_put(struct tls_cache *c, const char *rule, const char *peer,
	       gnutls_datum_t *data)
{
	uint64_t hash = hash_of(c, rule, peer);
	struct entry *e = entry_new(rule, peer, hash, data), *old;

	if (!e) {
		gnutls_free(data->data);
		return;
	}
	pthread_mutex_lock(&c->lock);
	old = find(c, rule, peer, hash);
	if (old)
		entry_free(c, old);
	else if (c->n == c->max)
		entry_free(c, container_of(c->age.next, struct entry, age));
	list_push_tail(&c->bucket[hash % BUCKETS], &e->bucket);
	list_push_tail(&c->age, &e->age);
	c->n++;
	pthread_mutex_unlock(&c->lock);
}
