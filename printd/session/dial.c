#include "session/dial.h"

#include "client/couplet.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define RESERVED_FIRST 721 /* [RFC1179 3.1] */
#define RESERVED_LAST 731
#define RESERVED_LOW 512 /* then any of these, as others do */
#define RESERVED_HIGH 1023

struct dial {
	int fd;
	struct ev_io *io;
	struct ev_timer *soon; /* connected or failed at once */
	int error;
	dial_fn *fn;
	void *arg;
};

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

void dial_cancel(struct dial *d)
{
	if (!d)
		return;
	ev_io_free(d->io);
	ev_timer_free(d->soon);
	if (d->fd >= 0)
		close(d->fd);
	free(d);
}

static void finish(struct dial *d, int error)
{
	dial_fn *fn = d->fn;
	void *arg = d->arg;
	int fd = error ? -1 : d->fd;
	const int one = 1;

	if (!error) {
		/* LPR is short questions and answers: none waits for another */
		(void)couplet_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
					 sizeof one);
		d->fd = -1;
	}
	dial_cancel(d);
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

static void on_soon(void *arg)
{
	struct dial *d = arg;

	finish(d, d->error);
}

static int begin(struct ev_loop *loop, struct dial *d, const struct ip_port *to)
{
	struct sockaddr_storage sa;
	socklen_t len = ip_port_to_sockaddr(to, &sa);

	if (couplet_connect(d->fd, (const struct sockaddr *)&sa, len) < 0) {
		if (errno == EINPROGRESS)
			return ev_io_new(loop, d->fd, EV_IO_OUT, on_io, d,
					 &d->io);
		d->error = errno;
	}
	ev_timer_set(d->soon, DUR_NS(0));
	return 0;
}

int dial_start(struct ev_loop *loop, const char *id, const struct ip_port *to,
	       bool reserved, dial_fn *fn, void *arg, struct dial **ret)
{
	struct dial *d = calloc(1, sizeof *d);
	int r;

	if (!d)
		return -ENOMEM;
	d->fn = fn;
	d->arg = arg;
	d->fd = r = make_socket(id, to);
	if (r >= 0)
		r = ev_timer_new(loop, on_soon, d, &d->soon);
	if (r == 0 && reserved)
		r = bind_reserved(d->fd, to);
	if (r == 0)
		r = begin(loop, d, to);
	if (r < 0) {
		dial_cancel(d);
		return r;
	}
	*ret = d;
	return 0;
}

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
