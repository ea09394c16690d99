#include "session/dial.h"

#include "client/couplet.h"
#include "lookup/lookup.h"
#include "session/session.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define RESERVED_FIRST 721 /* [RFC1179 3.1] */
#define RESERVED_LAST 731
#define RESERVED_LOW 512 /* then any of these, as others do */
#define RESERVED_HIGH 1023

struct dial {
	const struct session_env *env;
	struct dial_target *to;
	bool connects, reserved;
	struct lookup_query *query; /* NULL: the address is known */
	int fd;
	struct ev_io *io;
	/* connected or failed at once; or the name server is late */
	struct ev_timer *soon;
	int error;
	dial_fn *fn;
	void *arg;
};

/* ---- targets
 * ------------------------------------------------------------------------- */

void dial_target_set(struct dial_target *t, const char *host, uint16_t port)
{
	*t = (struct dial_target){.port = port};
	snprintf(t->host, sizeof t->host, "%s", host);
	t->named = ip_parse(host, &t->addrs[0]) < 0;
	t->n = t->named ? 0 : 1;
}

static struct ip_port address(const struct dial_target *t)
{
	return (struct ip_port){.addr = t->addrs[t->at], .port = t->port};
}

const char *dial_target_text(const struct dial_target *t,
			     char buf[DIAL_TEXT_MAX])
{
	struct ip_port p = address(t);
	char text[PORT_TEXT_MAX];

	if (t->n)
		snprintf(buf, DIAL_TEXT_MAX, "%s", ip_port_format(&p, text));
	else
		snprintf(buf, DIAL_TEXT_MAX, "%s:%u", t->host, t->port);
	return buf;
}

void dial_target_failed(struct dial_target *t)
{
	if (t->n)
		t->at = (uint8_t)((t->at + 1) % t->n);
	t->good_until = (mono_t){0};
}

int dial_resolve(const char *id, const char *host, uint16_t port,
		 struct ip_port *ret)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *ai;
	int r;

	*ret = (struct ip_port){.port = port};
	if (ip_parse(host, &ret->addr) == 0)
		return 0;
	if (couplet_getaddrinfo(id, host, NULL, &hints, &ai) != 0)
		return -EADDRNOTAVAIL;
	r = ip_port_from_sockaddr(ai->ai_addr, ai->ai_addrlen, ret);
	couplet_freeaddrinfo(id, ai);
	ret->port = port;
	return r < 0 ? -EADDRNOTAVAIL : 0;
}

static int make_socket(const char *id, const struct ip_port *p)
{
	int fd =
		couplet_socket(id, p->addr.family == IP_V6 ? AF_INET6 : AF_INET,
			       SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

static int bind_port(int fd, const struct ip_port *to, uint16_t port)
{
	const struct ip_port any = {
		.addr = ip_any((enum ip_family)to->addr.family), .port = port};
	struct sockaddr_storage sa;
	socklen_t len = ip_port_to_sockaddr(&any, &sa);
	const int one = 1;

	(void)couplet_setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one,
				 sizeof one);
	return couplet_bind(fd, (const struct sockaddr *)&sa, len) < 0 ? -errno
								       : 0;
}

static int bind_reserved(int fd, const struct ip_port *to)
{
	int r = -EADDRINUSE;

	for (uint16_t p = RESERVED_FIRST; p <= RESERVED_LAST && r; p++)
		r = bind_port(fd, to, p);
	for (uint16_t p = RESERVED_HIGH; p >= RESERVED_LOW && r == -EADDRINUSE;
	     p--)
		r = bind_port(fd, to, p);
	return r;
}

/* ---- a dial
 * -------------------------------------------------------------------------- */

static void dial_free(struct dial *d)
{
	lookup_query_free(d->query);
	ev_io_free(d->io);
	ev_timer_free(d->soon);
	if (d->fd >= 0)
		close(d->fd);
	free(d);
}

void dial_cancel(struct dial *d)
{
	if (!d)
		return;
	if (d->fd >= 0)
		dial_target_failed(d->to); /* it took too long */
	dial_free(d);
}

int dial_late(const struct dial *d)
{
	return d->query ? DIAL_NO_NAME : ETIMEDOUT;
}

static void finish(struct dial *d, int error)
{
	dial_fn *fn = d->fn;
	void *arg = d->arg;
	int fd = error ? -1 : d->fd;
	const int one = 1;

	if (error && d->connects)
		dial_target_failed(d->to);
	if (fd >= 0) {
		/* LPR is short questions and answers: none waits for another */
		(void)couplet_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
					 sizeof one);
		d->fd = -1;
	}
	dial_free(d);
	fn(arg, fd, error);
}

static void on_io(void *arg, int fd, unsigned events)
{
	struct dial *d = arg;
	int error = 0;
	socklen_t len = sizeof error;

	(void)events;
	if (couplet_getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	finish(d, error);
}

/* With an address: 0, or negative errno. */
static int begin(struct dial *d)
{
	struct ip_port to = address(d->to);
	struct sockaddr_storage sa;
	socklen_t len = ip_port_to_sockaddr(&to, &sa);
	int r;

	d->error = 0;
	if (!d->connects) {
		ev_timer_set(d->soon, DUR_NS(0));
		return 0;
	}
	d->fd = r = make_socket(d->env->id, &to);
	if (r >= 0 && d->reserved)
		r = bind_reserved(d->fd, &to);
	if (r < 0)
		return r;
	if (couplet_connect(d->fd, (const struct sockaddr *)&sa, len) < 0) {
		if (errno == EINPROGRESS)
			return ev_io_new(d->env->loop, d->fd, EV_IO_OUT, on_io,
					 d, &d->io);
		d->error = errno;
	}
	ev_timer_set(d->soon, DUR_NS(0));
	return 0;
}

/* The name was answered, or is no longer waited for. */
static void go_on(struct dial *d)
{
	int r = d->to->n ? begin(d) : -DIAL_NO_NAME;

	if (r < 0)
		finish(d, -r);
}

static void on_soon(void *arg)
{
	struct dial *d = arg;

	if (!d->query) {
		finish(d, d->error);
		return;
	}
	lookup_query_free(d->query);
	d->query = NULL;
	go_on(d);
}

static void on_answer(void *arg, const struct lookup_answer *a)
{
	struct dial *d = arg;
	struct dial_target *t = d->to;

	lookup_query_free(d->query);
	d->query = NULL;
	ev_timer_stop(d->soon);
	if (!a->error) {
		/* the one in use stays so as long as the name has it */
		struct ip_addr used = t->addrs[t->at];

		t->n = (uint8_t)MIN(a->n, DIAL_ADDRS_MAX);
		memcpy(t->addrs, a->addrs, t->n * sizeof t->addrs[0]);
		t->at = 0;
		for (uint8_t i = 0; i < t->n; i++)
			t->at = ip_eq(&t->addrs[i], &used) ? i : t->at;
		t->good_until = mono_add(mono_now(), DIAL_NAME_GOOD);
	}
	go_on(d);
}

static bool is_known(const struct dial_target *t)
{
	return t->n && (!t->named || mono_lt(mono_now(), t->good_until));
}

static int start(const struct session_env *env, struct dial *d,
		 struct dial **ret)
{
	int r = ev_timer_new(env->loop, on_soon, d, &d->soon);

	if (r == 0 && is_known(d->to))
		r = begin(d);
	else if (r == 0)
		r = lookup_query_new(env->lookup, env->id, d->to->host, IP_NONE,
				     on_answer, d, &d->query);
	if (r < 0) {
		dial_free(d);
		return r;
	}
	if (d->query)
		lookup_ask(d->query);
	if (d->query && d->to->n)
		ev_timer_set(d->soon, DIAL_NAME_LATE);
	*ret = d;
	return 0;
}

static struct dial *dial_new(const struct session_env *env,
			     struct dial_target *to, dial_fn *fn, void *arg)
{
	struct dial *d = calloc(1, sizeof *d);

	if (d)
		*d = (struct dial){
			.env = env, .to = to, .fd = -1, .fn = fn, .arg = arg};
	return d;
}

int dial_start(const struct session_env *env, struct dial_target *to,
	       bool reserved, dial_fn *fn, void *arg, struct dial **ret)
{
	struct dial *d = dial_new(env, to, fn, arg);

	if (!d)
		return -ENOMEM;
	d->connects = true;
	d->reserved = reserved;
	return start(env, d, ret);
}

int dial_find(const struct session_env *env, struct dial_target *to,
	      dial_fn *fn, void *arg, struct dial **ret)
{
	struct dial *d = dial_new(env, to, fn, arg);

	return d ? start(env, d, ret) : -ENOMEM;
}

/* ---- listening
 * ----------------------------------------------------------------------- */

int dial_listen(const char *id, const struct ip_port *at, int backlog)
{
	struct sockaddr_storage sa;
	socklen_t len = ip_port_to_sockaddr(at, &sa);
	const int one = 1;
	int fd = make_socket(id, at), r;

	if (fd < 0)
		return fd;
	(void)couplet_setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one,
				 sizeof one);
	if (at->addr.family == IP_V6)
		(void)couplet_setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one,
					 sizeof one);
	if (couplet_bind(fd, (const struct sockaddr *)&sa, len) < 0 ||
	    couplet_listen(fd, backlog) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

int dial_accept(int fd, struct ip_port *ret_peer)
{
	struct sockaddr_storage sa = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof sa;
	const int one = 1;
	int conn = couplet_accept4(fd, (struct sockaddr *)&sa, &len,
				   SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (conn < 0)
		return -errno;
	*ret_peer = (struct ip_port){.port = 0};
	(void)!ip_port_from_sockaddr((struct sockaddr *)&sa, len, ret_peer);
	(void)couplet_setsockopt(conn, IPPROTO_TCP, TCP_NODELAY, &one,
				 sizeof one);
	(void)couplet_setsockopt(conn, SOL_SOCKET, SO_KEEPALIVE, &one,
				 sizeof one);
	return conn;
}

size_t dial_unacked(int fd)
{
	int n = 0;

	return couplet_ioctl(fd, SIOCOUTQ, &n) < 0 || n < 0 ? 0 : (size_t)n;
}
