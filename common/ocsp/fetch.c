#include "ocsp/fetch.h"

#include "base/mono.h"
#include "client/couplet.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/http.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define STACK_ID_MAX 16

struct silent {
	char url[OCSP_FETCH_URL_MAX];
	mono_t until;
};

struct ocsp_fetch {
	char id[STACK_ID_MAX];
	BIO_METHOD *method;
	pthread_mutex_t lock;
	struct silent silent[OCSP_FETCH_SILENT_MAX]; /* under lock */
};

/* One question. */
struct wire {
	int fd;
	mono_t deadline;
	size_t left; /* bytes that may still come */
	int error;   /* negative errno of what went wrong first */
};

/* ---- the wire, as libcrypto's HTTP sees it
 * -------------------------------------------------------------------------- */

/* 0 when `fd` is ready for `events`, else negative errno. */
static int await(const struct wire *w, short events)
{
	struct pollfd p = {.fd = w->fd, .events = events};
	int r;

	do {
		dur_t left = mono_sub(w->deadline, mono_now());

		if (left.ns <= 0)
			return -ETIMEDOUT;
		r = poll(&p, 1, (int)(left.ns / 1000000) + 1);
	} while (r == 0 || (r < 0 && errno == EINTR));
	return r < 0 ? -errno : 0;
}

static int note(struct wire *w, int error)
{
	if (!w->error)
		w->error = error;
	return -1;
}

static int wire_read(BIO *b, char *buf, int len)
{
	struct wire *w = BIO_get_data(b);
	ssize_t n = -1;
	int r = 0;

	BIO_clear_retry_flags(b);
	if (len <= 0)
		return 0;
	if (!w->left)
		return note(w, -EBADMSG);
	do {
		/* also while bytes keep coming: time is up when it is up */
		r = await(w, POLLIN);
		if (r == 0)
			n = couplet_recv(w->fd, buf, MIN((size_t)len, w->left),
					 0);
	} while (r == 0 && n < 0 && (errno == EAGAIN || errno == EINTR));
	if (r < 0 || n < 0)
		return note(w, r < 0 ? r : -errno);
	w->left -= (size_t)n;
	return (int)n;
}

static int wire_write(BIO *b, const char *buf, int len)
{
	struct wire *w = BIO_get_data(b);
	ssize_t n = -1;
	int r = 0;

	BIO_clear_retry_flags(b);
	do {
		r = await(w, POLLOUT);
		if (r == 0)
			n = couplet_send(w->fd, buf, (size_t)len, MSG_NOSIGNAL);
	} while (r == 0 && n < 0 && (errno == EAGAIN || errno == EINTR));
	if (r < 0 || n < 0)
		return note(w, r < 0 ? r : -errno);
	return (int)n;
}

static long wire_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	(void)b;
	(void)num;
	(void)ptr;
	return cmd == BIO_CTRL_FLUSH;
}

static BIO_METHOD *wire_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
				     "wire");

	if (m && BIO_meth_set_read(m, wire_read) &&
	    BIO_meth_set_write(m, wire_write) &&
	    BIO_meth_set_ctrl(m, wire_ctrl))
		return m;
	BIO_meth_free(m);
	return NULL;
}

/* ---- life ---------------------------------------------------------------- */

int ocsp_fetch_new(const char *id, struct ocsp_fetch **ret)
{
	struct ocsp_fetch *f = calloc(1, sizeof *f);

	if (!f)
		return -ENOMEM;
	f->method = wire_method();
	if (!f->method) {
		free(f);
		return -ENOMEM;
	}
	(void)snprintf(f->id, sizeof f->id, "%s", id);
	(void)pthread_mutex_init(&f->lock, NULL);
	*ret = f;
	return 0;
}

void ocsp_fetch_free(struct ocsp_fetch *f)
{
	if (!f)
		return;
	BIO_meth_free(f->method);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

/* ---- who is slow --------------------------------------------------------- */

static bool is_silent(struct ocsp_fetch *f, const char *url)
{
	mono_t now = mono_now();
	bool found = false;

	pthread_mutex_lock(&f->lock);
	for (size_t i = 0; i < OCSP_FETCH_SILENT_MAX && !found; i++)
		found = mono_lt(now, f->silent[i].until) &&
			strcmp(f->silent[i].url, url) == 0;
	pthread_mutex_unlock(&f->lock);
	return found;
}

/* In the place of the one that has been known as slow the longest. */
static void set_silent(struct ocsp_fetch *f, const char *url)
{
	struct silent *s = &f->silent[0];

	pthread_mutex_lock(&f->lock);
	for (size_t i = 1; i < OCSP_FETCH_SILENT_MAX; i++) {
		if (mono_lt(f->silent[i].until, s->until))
			s = &f->silent[i];
	}
	(void)snprintf(s->url, sizeof s->url, "%s", url);
	s->until = mono_add(mono_now(), DUR_S(OCSP_FETCH_SILENT_S));
	pthread_mutex_unlock(&f->lock);
}

/* ---- the URL ------------------------------------------------------------- */

struct place {
	char *host, *port, *path;
};

static void place_free(struct place *p)
{
	OPENSSL_free(p->host);
	OPENSSL_free(p->port);
	OPENSSL_free(p->path);
}

/* [2001:db8::1] without its brackets [RFC3986 3.2.2]. */
static void strip_brackets(char *host)
{
	size_t len = strlen(host);

	if (len < 2 || host[0] != '[' || host[len - 1] != ']')
		return;
	memmove(host, host + 1, len - 2);
	host[len - 2] = '\0';
}

static bool printable(const char *url)
{
	for (; *url; url++) {
		if (*url <= ' ' || *url > '~')
			return false;
	}
	return true;
}

static int place_of(const char *url, struct place *ret)
{
	char *user = NULL;
	int tls = 0, ok;

	*ret = (struct place){0};
	if (strlen(url) >= OCSP_FETCH_URL_MAX || !printable(url) ||
	    strncasecmp(url, "http://", 7) != 0)
		return -EINVAL;
	/* without the scheme, of which libcrypto knows small letters only */
	ok = OSSL_HTTP_parse_url(url + 7, &tls, &user, &ret->host, &ret->port,
				 NULL, &ret->path, NULL, NULL);
	ok = ok && !tls && !(user && *user) && *ret->host;
	OPENSSL_free(user);
	ERR_clear_error();
	if (!ok) {
		place_free(ret);
		return -EINVAL;
	}
	return 0;
}

bool ocsp_fetch_url_ok(const char *url)
{
	struct place p;

	if (place_of(url, &p) < 0)
		return false;
	place_free(&p);
	return true;
}

/* ---- connect ------------------------------------------------------------- */

static int finish_connect(const struct wire *w)
{
	socklen_t len = sizeof(int);
	int e = 0, r = await(w, POLLOUT);

	if (r < 0)
		return r;
	if (couplet_getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &e, &len) < 0)
		return -errno;
	return -e;
}

static int try_address(struct ocsp_fetch *f, const struct addrinfo *ai,
		       struct wire *w)
{
	int r = 0;

	w->fd = couplet_socket(f->id, ai->ai_family,
			       SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (w->fd < 0)
		return -errno;
	if (couplet_connect(w->fd, ai->ai_addr, ai->ai_addrlen) < 0)
		r = errno == EINPROGRESS ? finish_connect(w) : -errno;
	if (r < 0) {
		close(w->fd);
		w->fd = -1;
	}
	return r;
}

static int dial(struct ocsp_fetch *f, const struct place *p, struct wire *w)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *res = NULL;
	char *host = strdup(p->host);
	int r = -EHOSTUNREACH;

	if (!host)
		return -ENOMEM;
	strip_brackets(host);
	if (couplet_getaddrinfo(f->id, host, p->port, &hints, &res) == 0) {
		w->deadline = mono_add(mono_now(), DUR_S(OCSP_FETCH_S));
		for (const struct addrinfo *ai = res; ai && r < 0;
		     ai = ai->ai_next)
			r = try_address(f, ai, w);
		couplet_freeaddrinfo(f->id, res);
	}
	free(host);
	return r;
}

/* ---- ask ----------------------------------------------------------------- */

static BIO *wire_bio(struct ocsp_fetch *f, struct wire *w)
{
	BIO *b = BIO_new(f->method);

	if (b) {
		BIO_set_data(b, w);
		BIO_set_init(b, 1);
	}
	return b;
}

static ssize_t take(BIO *answer, void *resp, size_t cap)
{
	int n = answer ? BIO_read(answer, resp, (int)cap) : -1;

	/* what is left over did not fit */
	return n > 0 && BIO_pending(answer) == 0 ? n : -EBADMSG;
}

static ssize_t talk(struct ocsp_fetch *f, const struct place *p, struct wire *w,
		    const void *req, size_t len, void *resp, size_t cap)
{
	BIO *in = wire_bio(f, w), *out = wire_bio(f, w);
	BIO *body = BIO_new_mem_buf(req, (int)len);
	OSSL_HTTP_REQ_CTX *http = NULL;
	ssize_t n = -ENOMEM;

	/* with both BIOs given nothing is connected and nothing redirected */
	if (in && out && body)
		http = OSSL_HTTP_open(p->host, p->port, NULL, NULL, 0, out, in,
				      NULL, NULL, 0, 0);
	if (http && OSSL_HTTP_set1_request(
			    http, p->path, NULL, "application/ocsp-request",
			    body, "application/ocsp-response", 1, cap, 0, 0)) {
		BIO *answer = OSSL_HTTP_exchange(http, NULL);

		n = take(answer, resp, cap);
		BIO_free(answer);
	}
	if (n < 0 && w->error)
		n = w->error;
	(void)OSSL_HTTP_close(http, 1);
	BIO_free(body);
	BIO_free(out);
	BIO_free(in);
	ERR_clear_error();
	return n;
}

ssize_t ocsp_fetch(void *arg, const char *url, const void *req, size_t len,
		   void *resp, size_t cap)
{
	struct wire w = {.fd = -1, .left = OCSP_FETCH_BYTES};
	struct ocsp_fetch *f = arg;
	struct place p;
	ssize_t n;

	n = place_of(url, &p);
	if (n < 0)
		return n;
	n = is_silent(f, url) ? -ETIMEDOUT : dial(f, &p, &w);
	if (n == 0) {
		n = talk(f, &p, &w, req, len, resp, MIN(cap, INT32_MAX));
		close(w.fd);
	}
	if (n == -ETIMEDOUT && !is_silent(f, url))
		set_silent(f, url);
	place_free(&p);
	return n;
}
