/*
 * tls_term.c: the smallest TLS terminator on common/tls, on kernel sockets:
 * what the room allows, for comparison with nginx, HAProxy, hitch, stunnel.
 *
 *    tls_term RING KEYFILE LISTEN_ADDR PORT BACKEND_ADDR PORT
 *
 * One thread, one epoll set, one shared buffer; an idle connection owns its
 * session and nothing else. Prints "ready PID_OF_KEY_PROCESS".
 */
#include "keys/keys.h"
#include "tls/tls.h"
#include "tool.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/uio.h>

enum { BUF = 65536, EVENTS = 256 };

struct side {
	struct conn *conn;
	int fd;
	unsigned want; /* what epoll watches */
};

/* Bytes that the other side did not take. */
struct rest {
	uint8_t *p;
	size_t at, len;
};

struct conn {
	struct tls_session *tls;
	struct side wire, clear;
	struct rest up, down; /* to clear, to wire */
	bool ready;           /* handshake is over */
	bool up_end, down_end;
};

struct term {
	int ep;
	struct tls_policy *policy;
	struct tool_addr backend;
	struct conn *dead[EVENTS]; /* freed after the turn */
	unsigned n_dead;
	uint8_t buf[BUF];
};

/* ---- wire --------------------------------------------------------------- */

static ssize_t wire_pull(void *arg, void *buf, size_t len)
{
	const struct side *s = arg;
	ssize_t n = recv(s->fd, buf, len, 0);

	return n < 0 ? -errno : n;
}

static ssize_t wire_push(void *arg, const struct iovec *iov, int n)
{
	const struct side *s = arg;
	struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)iov,
			   .msg_iovlen = (size_t)n};
	ssize_t r = sendmsg(s->fd, &m, MSG_NOSIGNAL);

	return r < 0 ? -errno : r;
}

static const struct tls_io wire_io = {wire_pull, wire_push};

/* ---- life of a connection ------------------------------------------------ */

static void watch(struct term *t, struct side *s, unsigned want)
{
	struct epoll_event e = {.events = want, .data.ptr = s};

	if (s->fd < 0 || s->want == want)
		return;
	(void)epoll_ctl(t->ep, EPOLL_CTL_MOD, s->fd, &e);
	s->want = want;
}

static bool add(struct term *t, struct side *s, unsigned want)
{
	struct epoll_event e = {.events = want, .data.ptr = s};

	s->want = want;
	return epoll_ctl(t->ep, EPOLL_CTL_ADD, s->fd, &e) == 0;
}

static void end(struct term *t, struct conn *c)
{
	if (c->wire.fd >= 0)
		close(c->wire.fd);
	if (c->clear.fd >= 0)
		close(c->clear.fd);
	c->wire.fd = c->clear.fd = -1;
	if (!c->tls)
		return;
	tls_session_free(c->tls);
	c->tls = NULL;
	t->dead[t->n_dead++] = c;
}

static void bury(struct term *t)
{
	while (t->n_dead) {
		struct conn *c = t->dead[--t->n_dead];

		free(c->up.p);
		free(c->down.p);
		free(c);
	}
}

static bool keep(struct rest *r, const uint8_t *p, size_t len)
{
	r->p = malloc(len);
	if (!r->p)
		return false;
	memcpy(r->p, p, len);
	r->at = 0;
	r->len = len;
	return true;
}

static void drop(struct rest *r)
{
	free(r->p);
	*r = (struct rest){NULL, 0, 0};
}

/* ---- up: wire to clear --------------------------------------------------- */

/* Writes to the program; what it does not take is kept. */
static bool to_clear(struct conn *c, const uint8_t *p, size_t len)
{
	ssize_t n = send(c->clear.fd, p, len, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN)
		return false;
	n = n < 0 ? 0 : n;
	return (size_t)n == len || keep(&c->up, p + n, len - (size_t)n);
}

static bool flush_up(struct conn *c)
{
	struct rest *r = &c->up;
	ssize_t n;

	if (!r->p)
		return true;
	n = send(c->clear.fd, r->p + r->at, r->len - r->at, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN;
	r->at += (size_t)n;
	if (r->at == r->len)
		drop(r);
	return true;
}

static bool pump_up(struct term *t, struct conn *c)
{
	size_t have = 0;
	ssize_t n = 0;

	if (!flush_up(c))
		return false;
	if (c->up.p || c->up_end)
		return true;
	while (have + TLS_RECORD_MAX <= BUF) {
		n = tls_session_read(c->tls, t->buf + have, BUF - have);
		if (n <= 0)
			break;
		have += (size_t)n;
	}
	if (have && !to_clear(c, t->buf, have))
		return false;
	if (n == 0) {
		c->up_end = true;
		(void)shutdown(c->clear.fd, SHUT_WR);
	}
	return n >= 0 || n == -EAGAIN;
}

/* ---- down: clear to wire --------------------------------------------------
 */

/* Bytes taken, or -1. */
static ssize_t to_wire(struct conn *c, const uint8_t *p, size_t len)
{
	size_t at = 0;

	while (at < len) {
		ssize_t n = tls_session_write(c->tls, p + at, len - at);

		if (n == -EAGAIN)
			break;
		if (n < 0)
			return -1;
		at += (size_t)n;
	}
	return (ssize_t)at;
}

static bool flush_down(struct conn *c)
{
	struct rest *r = &c->down;
	int f = tls_session_flush(c->tls);
	ssize_t n;

	if (f < 0 || !r->p)
		return f == 0 || f == -EAGAIN;
	n = to_wire(c, r->p + r->at, r->len - r->at);
	if (n < 0)
		return false;
	r->at += (size_t)n;
	if (r->at == r->len)
		drop(r);
	return true;
}

static bool pump_down(struct term *t, struct conn *c)
{
	ssize_t n, sent;

	if (!flush_down(c))
		return false;
	while (!c->down.p && !c->down_end &&
	       !(tls_session_wants(c->tls) & TLS_WANTS_OUT)) {
		n = recv(c->clear.fd, t->buf, BUF, 0);
		if (n < 0)
			return errno == EAGAIN;
		if (n == 0) {
			c->down_end = true;
			n = tls_session_close(c->tls);
			return n == 0 || n == -EAGAIN;
		}
		sent = to_wire(c, t->buf, (size_t)n);
		if (sent < 0 || (sent < n && !keep(&c->down, t->buf + sent,
						   (size_t)(n - sent))))
			return false;
		if (n < BUF)
			break;
	}
	return true;
}

/* ---- events ----------------------------------------------------------------
 */

static int dial(const struct term *t)
{
	int fd = socket(t->backend.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK,
			0),
	    one = 1;

	if (fd < 0)
		return -1;
	tool_cubic(fd);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(fd, &t->backend.sa, t->backend.len) == 0 ||
	    errno == EINPROGRESS)
		return fd;
	close(fd);
	return -1;
}

static bool shake(struct term *t, struct conn *c)
{
	int r = tls_session_handshake(c->tls);

	if (r == -EAGAIN) {
		watch(t, &c->wire,
		      tls_session_wants(c->tls) & TLS_WANTS_OUT ? EPOLLOUT
								: EPOLLIN);
		return true;
	}
	if (r < 0)
		return false;
	c->ready = true;
	c->clear.fd = dial(t);
	return c->clear.fd >= 0 && add(t, &c->clear, EPOLLIN);
}

static void turn(struct term *t, struct conn *c)
{
	bool ok = c->ready || shake(t, c);

	if (ok && !c->ready)
		return;
	ok = ok && pump_up(t, c) && pump_down(t, c);
	if (!ok || (c->up_end && c->down_end && !c->up.p && !c->down.p &&
		    !(tls_session_wants(c->tls) & TLS_WANTS_OUT))) {
		end(t, c);
		return;
	}
	watch(t, &c->wire,
	      (c->up.p || c->up_end ? 0u : (unsigned)EPOLLIN) |
		      (tls_session_wants(c->tls) & TLS_WANTS_OUT
			       ? (unsigned)EPOLLOUT
			       : 0u));
	watch(t, &c->clear,
	      (c->down.p || c->down_end ? 0u : (unsigned)EPOLLIN) |
		      (c->up.p ? (unsigned)EPOLLOUT : 0u));
}

static void welcome(struct term *t, int l)
{
	for (;;) {
		int fd = accept4(l, NULL, NULL, SOCK_NONBLOCK), one = 1;
		struct conn *c;

		if (fd < 0)
			return;
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
				 sizeof one);
		c = calloc(1, sizeof *c);
		if (!c)
			tool_die("memory");
		c->wire = (struct side){c, fd, 0};
		c->clear = (struct side){c, -1, 0};
		if (tls_session_new(t->policy, NULL, &wire_io, &c->wire,
				    &c->tls) < 0 ||
		    !add(t, &c->wire, EPOLLIN))
			tool_die("session");
	}
}

static void loop(struct term *t, int l)
{
	struct side listener = {.fd = l};
	struct epoll_event e[EVENTS];

	if (!add(t, &listener, EPOLLIN))
		tool_die("epoll");
	for (;;) {
		int n = epoll_wait(t->ep, e, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			struct side *s = e[i].data.ptr;

			if (s == &listener)
				welcome(t, l);
			else if (s->conn->tls)
				turn(t, s->conn);
		}
		bury(t);
	}
}

/* ---- set-up
 * ------------------------------------------------------------------ */

static struct tls_policy *policy(struct keys *keys, const char *ring,
				 const char *name)
{
	struct keys_source src = {.ring = ring,
				  .name = name,
				  .need = KEYS_NEED_KEY | KEYS_NEED_CERT};
	struct tls_policy_spec spec = {.name = "term", .role = TLS_SERVER};
	struct keys_pair *pair;
	struct tls_ident *ident;
	struct tls_policy *p;
	char why[TLS_WHY_MAX];

	errno = 0;
	if (keys_load(keys, &src, &pair, why) < 0 ||
	    tls_ident_new(pair, &ident, why) < 0)
		tool_die("%s", why);
	spec.idents = &ident;
	spec.n_idents = 1;
	if (tls_tickets_new(NULL, &spec.tickets) < 0 ||
	    tls_policy_new(&spec, &p, why) < 0)
		tool_die("%s", why);
	return p;
}

int main(int argc, char **argv)
{
	struct keys_options o = {
		.uid = getuid(), .gid = getgid(), .channels = 1};
	static struct term t;
	struct tool_addr a;
	struct keys *keys;
	int l;

	if (argc != 7) {
		fprintf(stderr, "tls_term RING KEYFILE LISTEN_ADDR PORT "
				"BACKEND_ADDR PORT\n");
		return 2;
	}
	tool_all_fds();
	if (keys_start(&o, &keys) < 0)
		tool_die("key process");
	t.policy = policy(keys, argv[1], argv[2]);
	a = tool_addr(argv[3], argv[4]);
	t.backend = tool_addr(argv[5], argv[6]);
	l = tool_listen(&a);
	(void)fcntl(l, F_SETFL, O_NONBLOCK);
	t.ep = epoll_create1(0);
	printf("ready %d\n", (int)keys_pid(keys));
	fflush(stdout);
	loop(&t, l);
}
