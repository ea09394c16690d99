#include "keys/server.h"

#include "keys/compute.h"
#include "keys/proto.h"
#include "keys/source.h"
#include "keys/store.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { THREAD_STACK = 256 << 10 };

struct server {
	struct store *store;
	int control;
};

struct worker {
	struct server *server;
	int fd;
};

/* ---- sign, decrypt, drop
 * ------------------------------------------------------ */

static int32_t compute(struct server *s, const struct proto_request *q,
		       uint8_t *out)
{
	EVP_PKEY *key = store_get(s->store, q->id);
	int32_t r;

	if (!key)
		return -ENOKEY;
	if (q->op == PROTO_SIGN) {
		r = compute_sign(key, q->algorithm, q->hashed, q->data, q->len,
				 out);
	} else {
		r = compute_decrypt(key, q->data, q->len, out, q->want);
		if (r == 0)
			r = q->want;
	}
	EVP_PKEY_free(key);
	return r;
}

/* One request of `n` bytes. Bytes of the answer. */
static size_t answer(struct server *s, const struct proto_request *q, size_t n,
		     struct proto_answer *a)
{
	if (n < PROTO_REQUEST_HEAD || q->len != n - PROTO_REQUEST_HEAD) {
		a->result = -EBADMSG;
	} else if (q->op == PROTO_SIGN || q->op == PROTO_DECRYPT) {
		a->result = compute(s, q, a->data);
	} else if (q->op == PROTO_DROP) {
		store_drop(s->store, q->id);
		a->result = 0;
	} else {
		a->result = -EOPNOTSUPP;
	}
	return PROTO_ANSWER_HEAD + (a->result > 0 ? (size_t)a->result : 0);
}

static ssize_t receive(int fd, void *buf, size_t cap)
{
	ssize_t n;

	do
		n = recv(fd, buf, cap, 0);
	while (n < 0 && errno == EINTR);
	return n;
}

static bool reply(int fd, const void *buf, size_t len)
{
	ssize_t n;

	do
		n = send(fd, buf, len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)len;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct proto_request q;
	struct proto_answer a;
	ssize_t n;

	while ((n = receive(w->fd, &q, sizeof q)) > 0) {
		size_t len = answer(w->server, &q, (size_t)n, &a);

		if (!reply(w->fd, &a, len))
			break;
		OPENSSL_cleanse(&a, len); /* may be a premaster secret */
	}
	close(w->fd);
	return NULL;
}

/* ---- load
 * ---------------------------------------------------------------------- */

struct blob {
	uint8_t *p;
	size_t len, cap;
};

/* Room for `n` more bytes, or NULL. */
static uint8_t *blob_more(struct blob *b, size_t n)
{
	if (n > PROTO_BLOB_MAX - b->len)
		return NULL;
	if (b->len + n > b->cap) {
		size_t cap = MAX(b->len + n, 2 * b->cap);
		uint8_t *p = realloc(b->p, cap);

		if (!p)
			return NULL;
		b->p = p;
		b->cap = cap;
	}
	b->len += n;
	return b->p + b->len - n;
}

static bool blob_bytes(struct blob *b, const void *data, uint32_t len)
{
	uint8_t *p = blob_more(b, sizeof len + len);

	if (!p)
		return false;
	memcpy(p, &len, sizeof len);
	memcpy(p + sizeof len, data, len);
	return true;
}

static bool blob_cert(struct blob *b, const X509 *x)
{
	uint8_t *der = NULL;
	int len = i2d_X509(x, &der);
	bool ok = len > 0 && blob_bytes(b, der, (uint32_t)len);

	OPENSSL_free(der);
	return ok;
}

static bool blob_crl(struct blob *b, const X509_CRL *x)
{
	uint8_t *der = NULL;
	int len = i2d_X509_CRL(x, &der);
	bool ok = len > 0 && blob_bytes(b, der, (uint32_t)len);

	OPENSSL_free(der);
	return ok;
}

static bool pack(const struct keyfile *k, const char *path,
		 struct proto_loaded *ret, struct blob *b)
{
	for (size_t i = 0; i < k->n_chain; i++)
		if (!blob_cert(b, k->chain[i]))
			return false;
	ret->n_chain = (uint32_t)k->n_chain;
	for (int i = 0; i < sk_X509_num(k->certs); i++) {
		if (!keyfile_is_ca(sk_X509_value(k->certs, i)))
			continue;
		if (!blob_cert(b, sk_X509_value(k->certs, i)))
			return false;
		ret->n_cas++;
	}
	for (int i = 0; i < sk_X509_CRL_num(k->crls); i++)
		if (!blob_crl(b, sk_X509_CRL_value(k->crls, i)))
			return false;
	ret->n_crls = (uint32_t)sk_X509_CRL_num(k->crls);
	return blob_bytes(b, k->notes, (uint32_t)strlen(k->notes)) &&
	       blob_bytes(b, path, (uint32_t)strlen(path));
}

static int store_key(struct server *s, const struct keyfile *k,
		     struct proto_loaded *ret)
{
	if (!k->key)
		return 0;
	ret->type = keyfile_type(k->key);
	ret->bits = (uint32_t)EVP_PKEY_get_bits(k->key);
	ret->id = store_put(s->store, k->key);
	if (ret->id)
		return 0;
	(void)snprintf(ret->why, sizeof ret->why,
		       "more than %d private keys in use", KEYS_PAIRS_MAX);
	return -ENFILE;
}

static int load(struct server *s, const struct keys_source *src,
		struct proto_loaded *ret, struct blob *b)
{
	struct keys_source_file f;
	struct keyfile k;
	int r = keys_source_parse(src, (int64_t)time(NULL), &f, &k, ret->why);

	if (r == 0 && !pack(&k, f.path, ret, b)) {
		(void)snprintf(ret->why, sizeof ret->why,
			       "key file %.200s: out of memory", f.name);
		r = -ENOMEM;
	}
	if (r == 0)
		r = store_key(s, &k, ret);
	keyfile_fini(&k);
	keys_source_fini(&f);
	return r;
}

static bool is_text(const char *s)
{
	return memchr(s, '\0', KEYS_PATH_MAX) != NULL;
}

static bool serve_load(struct server *s, const struct proto_load *q)
{
	struct keys_source src = {
		.ring = q->ring[0] ? q->ring : NULL,
		.name = q->name,
		.pass_file = q->pass_file[0] ? q->pass_file : NULL,
		.need = q->need,
	};
	struct proto_loaded a = {.result = -EBADMSG};
	struct blob b = {.len = 0};
	bool ok;

	if (is_text(q->ring) && is_text(q->name) && is_text(q->pass_file))
		a.result = load(s, &src, &a, &b);
	a.blob = a.result == 0 ? (uint32_t)b.len : 0;
	ok = reply(s->control, &a, sizeof a);
	for (size_t at = 0; ok && at < a.blob;) {
		size_t n = MIN(a.blob - at, (size_t)PROTO_PART_MAX);

		ok = reply(s->control, b.p + at, n);
		at += n;
	}
	free(b.p);
	return ok;
}

static void serve_control(struct server *s)
{
	static union {
		struct proto_request request;
		struct proto_load load;
	} q; /* large; one thread has the control socket */
	struct proto_answer a;
	ssize_t n;
	bool ok = true;

	while (ok && (n = receive(s->control, &q, sizeof q)) > 0) {
		if (n == sizeof q.load && q.load.op == PROTO_LOAD)
			ok = serve_load(s, &q.load);
		else
			ok = reply(s->control, &a,
				   answer(s, &q.request, (size_t)n, &a));
	}
}

/* ---- life
 * ------------------------------------------------------------------------ */

static int compare_ints(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Keeps stderr and what is ours; what the daemon has open is not for us. */
static int close_others(int control, const int *channels, unsigned n, int life)
{
	int keep[KEYS_CHANNELS_MAX + 2], null, from = 3;
	unsigned n_keep = 0;

	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return -errno;
	if (dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		return -errno;
	keep[n_keep++] = control;
	keep[n_keep++] = life;
	for (unsigned i = 0; i < n; i++)
		keep[n_keep++] = channels[i];
	qsort(keep, n_keep, sizeof keep[0], compare_ints);
	for (unsigned i = 0; i < n_keep; i++) {
		if (keep[i] > from)
			(void)close_range((unsigned)from, (unsigned)keep[i] - 1,
					  0);
		from = MAX(from, keep[i] + 1);
	}
	(void)close_range((unsigned)from, ~0u, 0);
	return 0;
}

/* The daemon decides when we end: signals for its process group or its
 * control group do not. */
static void set_signals(void)
{
	static const int ignored[] = {SIGINT,  SIGTERM, SIGHUP, SIGPIPE,
				      SIGUSR1, SIGUSR2, SIGQUIT};
	sigset_t none;

	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		(void)signal(ignored[i], SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* What libcrypto would load later, when it may not any more. */
static void warm_up(void)
{
	uint8_t byte;

	(void)OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG |
					  OPENSSL_INIT_LOAD_CRYPTO_STRINGS,
				  NULL);
	(void)OSSL_PROVIDER_load(NULL, "default");
	/* PKCS#12 of old tools is sealed with RC2 */
	(void)OSSL_PROVIDER_load(NULL, "legacy");
	ERR_clear_error();
	(void)EVP_Digest("", 0, (uint8_t[EVP_MAX_MD_SIZE]){0}, NULL,
			 EVP_sha256(), NULL);
	(void)!getentropy(&byte, 1);
}

static int start_workers(struct server *s, struct worker *w,
			 const int *channels, unsigned n)
{
	pthread_attr_t attr;
	pthread_t thread;
	int r = pthread_attr_init(&attr);

	if (r == 0)
		r = pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (r == 0)
		r = pthread_attr_setstacksize(&attr, THREAD_STACK);
	for (unsigned i = 0; i < n && r == 0; i++) {
		w[i] = (struct worker){.server = s, .fd = channels[i]};
		r = pthread_create(&thread, &attr, work, &w[i]);
	}
	return -r;
}

_Noreturn void server_run(int control, const int *channels, int life,
			  const struct keys_options *o)
{
	struct worker workers[KEYS_CHANNELS_MAX];
	struct server s = {.store = store_new(), .control = control};
	int32_t r = s.store ? 0 : -ENOMEM;

	(void)prctl(PR_SET_NAME, "couplet-keys", 0, 0, 0);
	set_signals();
	if (r == 0)
		r = close_others(control, channels, o->channels, life);
	warm_up();
	if (r == 0)
		r = lock_before(o);
	if (r == 0)
		r = start_workers(&s, workers, channels, o->channels);
	if (r == 0)
		r = lock_calls();
	if (r == -EOPNOTSUPP && o->debuggable)
		r = 0;
	if (reply(control, &r, sizeof r) && r == 0)
		serve_control(&s);
	/* no exit handlers: they are the daemon's */
	_exit(0);
}
