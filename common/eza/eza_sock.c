/*
 * eza_sock.c: calls on sockets. Each takes its arguments in the order of the
 * interface; NAME is a socket address: FAMILY halfword, PORT halfword, then
 * the address (IPv4: fullword and 8 reserved bytes; IPv6: flow fullword, 16
 * bytes, scope fullword).
 */
#include "eza/eza.h"

#include "client/couplet.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#define IOV_MAX_EZA 120
#define OPT_LEN_MAX 256
#define O_NONBLOCK_EZA 4 /* FNDELAY */

/* Result of a libc-shaped call. */
static long result(long r)
{
	return r < 0 ? -errno : r;
}

int eza_name_get(const void *name, struct sockaddr_storage *ret,
		 socklen_t *ret_len)
{
	const unsigned char *b = name;
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

	memset(ret, 0, sizeof(*ret));
	if (eza_get16(b) == EZA_AF_INET) {
		memcpy(&in.sin_port, b + 2, 2);
		memcpy(&in.sin_addr, b + 4, 4);
		memcpy(ret, &in, sizeof(in));
		*ret_len = sizeof(in);
		return 0;
	}
	if (eza_get16(b) != EZA_AF_INET6)
		return -EAFNOSUPPORT;
	memcpy(&in6.sin6_port, b + 2, 2);
	memcpy(&in6.sin6_flowinfo, b + 4, 4);
	memcpy(&in6.sin6_addr, b + 8, 16);
	in6.sin6_scope_id = (uint32_t)eza_get32(b + 24);
	memcpy(ret, &in6, sizeof(in6));
	*ret_len = sizeof(in6);
	return 0;
}

void eza_name_put(const struct sockaddr_storage *ss, void *name)
{
	unsigned char *b = name;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (ss->ss_family == AF_INET6) {
		memcpy(&in6, ss, sizeof(in6));
		eza_put16(b, EZA_AF_INET6);
		memcpy(b + 2, &in6.sin6_port, 2);
		memcpy(b + 4, &in6.sin6_flowinfo, 4);
		memcpy(b + 8, &in6.sin6_addr, 16);
		eza_put32(b + 24, (int)in6.sin6_scope_id);
		return;
	}
	memcpy(&in, ss, sizeof(in));
	memset(b, 0, EZA_NAME);
	eza_put16(b, EZA_AF_INET);
	memcpy(b + 2, &in.sin_port, 2);
	memcpy(b + 4, &in.sin_addr, 4);
}

/* AF, SOCTYPE, PROTO: fullwords; types are Linux's numbers. */
long eza_socket(const struct eza_call *c)
{
	int af = eza_get32(c->a[0]);

	if (af != EZA_AF_INET && af != EZA_AF_INET6)
		return -EAFNOSUPPORT;
	return eza_add(couplet_socket(
		eza_stack(), af == EZA_AF_INET ? AF_INET : AF_INET6,
		(eza_get32(c->a[1]) & 0xf) | SOCK_CLOEXEC, eza_get32(c->a[2])));
}

static long with_name(const struct eza_call *c,
		      int (*op)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_storage ss;
	socklen_t len;
	int fd = eza_fd(c->a[0]);
	int r = fd < 0 ? fd : eza_name_get(c->a[1], &ss, &len);

	return r < 0 ? r : result(op(fd, (struct sockaddr *)&ss, len));
}

long eza_bind(const struct eza_call *c)
{
	return with_name(c, couplet_bind);
}

long eza_connect(const struct eza_call *c)
{
	return with_name(c, couplet_connect);
}

long eza_listen(const struct eza_call *c)
{
	int fd = eza_fd(c->a[0]);

	return fd < 0 ? fd : result(couplet_listen(fd, eza_get32(c->a[1])));
}

/* Waits where CANCEL finds the thread. Another process may be first to take
 * the connection that ends the wait; accept() then waits beyond its reach. */
static long wait_to_accept(const void *s, int fd)
{
	int listens = 0;
	socklen_t len = sizeof(listens);
	long r = 0;

	/* what does not listen is told so by accept() */
	if (couplet_getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) ==
		    0 &&
	    listens)
		r = eza_wait_for(eza_get16(s), fd);
	return r == -EAGAIN ? 0 : r;
}

long eza_accept(const struct eza_call *c)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int fd = eza_fd(c->a[0]), got;
	long r = fd < 0 ? fd : wait_to_accept(c->a[0], fd);

	if (r < 0)
		return r;
	got = couplet_accept4(fd, (struct sockaddr *)&ss, &len, SOCK_CLOEXEC);
	if (got < 0)
		return -errno;
	eza_name_put(&ss, c->a[1]);
	return eza_add(got);
}

long eza_close(const struct eza_call *c)
{
	return eza_remove(eza_get16(c->a[0]));
}

static long tell_name(const struct eza_call *c,
		      int (*op)(int, struct sockaddr *, socklen_t *))
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int fd = eza_fd(c->a[0]);

	if (fd < 0)
		return fd;
	if (op(fd, (struct sockaddr *)&ss, &len) < 0)
		return -errno;
	eza_name_put(&ss, c->a[1]);
	return 0;
}

long eza_getsockname(const struct eza_call *c)
{
	return tell_name(c, couplet_getsockname);
}

long eza_getpeername(const struct eza_call *c)
{
	return tell_name(c, couplet_getpeername);
}

long eza_shutdown(const struct eza_call *c)
{
	int fd = eza_fd(c->a[0]);

	return fd < 0 ? fd : result(couplet_shutdown(fd, eza_get32(c->a[1])));
}

/* ---- data
 * ------------------------------------------------------------------------ */

/* MSG_OOB 1, MSG_PEEK 2, MSG_DONTROUTE 4 are Linux's numbers too. */
static int flags_of(const void *flags)
{
	return eza_get32(flags) & (MSG_OOB | MSG_PEEK | MSG_DONTROUTE);
}

/* recvmsg(), during which CANCEL finds the thread. What is there already is
 * taken with one system call. Urgent data never waits. */
static long take(const void *s, int fd, struct msghdr *m, int flags)
{
	socklen_t room = m->msg_namelen;
	long r = 0;

	while (r == 0) {
		ssize_t n = couplet_recvmsg(
			fd, m, flags & MSG_OOB ? flags : flags | MSG_DONTWAIT);

		if (n >= 0 || errno != EAGAIN || flags & MSG_OOB)
			return result(n);
		m->msg_namelen = room;
		r = eza_wait_for(eza_get16(s), fd);
	}
	return r;
}

static size_t bytes_of(const void *n)
{
	return (size_t)MAX(eza_get32(n), 0);
}

long eza_read(const struct eza_call *c)
{
	struct iovec io = {c->a[2], bytes_of(c->a[1])};
	struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};
	int fd = eza_fd(c->a[0]);

	return fd < 0 ? fd : take(c->a[0], fd, &m, 0);
}

long eza_write(const struct eza_call *c)
{
	int fd = eza_fd(c->a[0]);

	return fd < 0 ? fd
		      : result(couplet_send(fd, c->a[2], bytes_of(c->a[1]),
					    MSG_NOSIGNAL));
}

long eza_recv(const struct eza_call *c)
{
	struct iovec io = {c->a[3], bytes_of(c->a[2])};
	struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};
	int fd = eza_fd(c->a[0]);

	return fd < 0 ? fd : take(c->a[0], fd, &m, flags_of(c->a[1]));
}

long eza_send(const struct eza_call *c)
{
	int fd = eza_fd(c->a[0]);

	return fd < 0 ? fd
		      : result(couplet_send(fd, c->a[3], bytes_of(c->a[2]),
					    flags_of(c->a[1]) | MSG_NOSIGNAL));
}

long eza_sendto(const struct eza_call *c)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int fd = eza_fd(c->a[0]);
	int r = fd < 0 ? fd : eza_name_get(c->a[4], &ss, &len);

	return r < 0 ? r
		     : result(couplet_sendto(fd, c->a[3], bytes_of(c->a[2]),
					     flags_of(c->a[1]) | MSG_NOSIGNAL,
					     (struct sockaddr *)&ss, len));
}

long eza_recvfrom(const struct eza_call *c)
{
	struct sockaddr_storage ss;
	struct iovec io = {c->a[3], bytes_of(c->a[2])};
	struct msghdr m = {.msg_name = &ss,
			   .msg_namelen = sizeof(ss),
			   .msg_iov = &io,
			   .msg_iovlen = 1};
	int fd = eza_fd(c->a[0]);
	long n;

	if (fd < 0)
		return fd;
	memset(&ss, 0, sizeof(ss));
	n = take(c->a[0], fd, &m, flags_of(c->a[1]));
	if (n >= 0 && m.msg_namelen)
		eza_name_put(&ss, c->a[4]);
	return n;
}

/* IOV: for each part a pointer (USAGE POINTER), a reserved fullword and the
 * length, 16 bytes. */
static long vector(const struct eza_call *c, struct iovec *iov)
{
	const unsigned char *p = c->a[1];
	int n = eza_get32(c->a[2]);

	if (n < 1 || n > IOV_MAX_EZA)
		return -EINVAL;
	for (int i = 0; i < n; i++, p += 16) {
		memcpy(&iov[i].iov_base, p, sizeof(void *));
		iov[i].iov_len = bytes_of(p + 12);
	}
	return n;
}

/* MSG: addresses of NAME and of IOV, then NAME-LEN and IOVCNT as fullwords, 24
 * bytes. There are no access rights in it: GIVESOCKET passes sockets. */
struct eza_msg {
	void *name, *iov;
	unsigned char name_len[4], iovcnt[4];
};

_Static_assert(sizeof(struct eza_msg) == 24, "layout");

static long message(const struct eza_call *c, struct eza_msg *m,
		    struct iovec *iov)
{
	struct eza_call v = {{NULL}};

	memcpy(m, c->a[1], sizeof(*m));
	v.a[1] = m->iov;
	v.a[2] = m->iovcnt;
	return m->iov ? vector(&v, iov) : -EINVAL;
}

/* S, MSG, FLAGS. */
long eza_sendmsg(const struct eza_call *c)
{
	struct iovec iov[IOV_MAX_EZA];
	struct sockaddr_storage ss;
	struct eza_msg msg;
	struct msghdr m = {.msg_iov = iov};
	int fd = eza_fd(c->a[0]), r = 0;
	long n = fd < 0 ? fd : message(c, &msg, iov);

	if (n < 0)
		return n;
	m.msg_iovlen = (size_t)n;
	if (msg.name) {
		r = eza_name_get(msg.name, &ss, &m.msg_namelen);
		m.msg_name = &ss;
	}
	return r < 0 ? r
		     : result(couplet_sendmsg(
			       fd, &m, flags_of(c->a[2]) | MSG_NOSIGNAL));
}

long eza_recvmsg(const struct eza_call *c)
{
	struct iovec iov[IOV_MAX_EZA];
	struct sockaddr_storage ss;
	struct eza_msg msg;
	struct msghdr m = {
		.msg_name = &ss, .msg_namelen = sizeof(ss), .msg_iov = iov};
	int fd = eza_fd(c->a[0]);
	long n = fd < 0 ? fd : message(c, &msg, iov);

	if (n < 0)
		return n;
	m.msg_iovlen = (size_t)n;
	memset(&ss, 0, sizeof(ss));
	n = take(c->a[0], fd, &m, flags_of(c->a[2]));
	if (n >= 0 && msg.name && m.msg_namelen)
		eza_name_put(&ss, msg.name);
	return n;
}

long eza_readv(const struct eza_call *c)
{
	struct iovec iov[IOV_MAX_EZA];
	long n = vector(c, iov);
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = (size_t)MAX(n, 0)};
	int fd = eza_fd(c->a[0]);

	if (fd < 0 || n < 0)
		return MIN(fd, (int)n);
	return take(c->a[0], fd, &m, 0);
}

long eza_writev(const struct eza_call *c)
{
	struct iovec iov[IOV_MAX_EZA];
	long n = vector(c, iov);
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = (size_t)MAX(n, 0)};
	int fd = eza_fd(c->a[0]);

	if (fd < 0 || n < 0)
		return MIN(fd, (int)n);
	return result(couplet_sendmsg(fd, &m, MSG_NOSIGNAL));
}

/* ---- options
 * --------------------------------------------------------------------- */

/* OPTNAME of the interface, whose numbers are those of the first sockets. */
static const struct {
	int eza, level, name;
} options[] = {
	{0x0004, SOL_SOCKET, SO_REUSEADDR},
	{0x0008, SOL_SOCKET, SO_KEEPALIVE},
	{0x0020, SOL_SOCKET, SO_BROADCAST},
	{0x0080, SOL_SOCKET, SO_LINGER},
	{0x0100, SOL_SOCKET, SO_OOBINLINE},
	{0x1001, SOL_SOCKET, SO_SNDBUF},
	{0x1002, SOL_SOCKET, SO_RCVBUF},
	{0x1007, SOL_SOCKET, SO_ERROR},
	{0x1008, SOL_SOCKET, SO_TYPE},
	{(int)0x80000001, IPPROTO_TCP, TCP_NODELAY},
};

static int option_of(const void *name)
{
	int want = eza_get32(name);

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		if (options[i].eza == want)
			return (int)i;
	}
	return -ENOPROTOOPT;
}

/* Values are fullwords, SO_LINGER has two of them. */
long eza_setsockopt(const struct eza_call *c)
{
	int fd = eza_fd(c->a[0]), o = option_of(c->a[1]);
	size_t len = bytes_of(c->a[3]);
	int v[2];

	if (fd < 0 || o < 0)
		return MIN(fd, o);
	if (len < (options[o].name == SO_LINGER ? sizeof(v) : sizeof(v[0])))
		return -EINVAL;
	v[0] = eza_get32(c->a[2]);
	v[1] = len >= sizeof(v) ? eza_get32((char *)c->a[2] + 4) : 0;
	return result(couplet_setsockopt(
		fd, options[o].level, options[o].name, v,
		options[o].name == SO_LINGER ? sizeof(v) : sizeof(v[0])));
}

long eza_getsockopt(const struct eza_call *c)
{
	int fd = eza_fd(c->a[0]), o = option_of(c->a[1]);
	size_t cap = bytes_of(c->a[3]);
	int v[2] = {0, 0};
	socklen_t len = sizeof(v);

	if (fd < 0 || o < 0)
		return MIN(fd, o);
	if (couplet_getsockopt(fd, options[o].level, options[o].name, v, &len) <
	    0)
		return -errno;
	if (cap < len)
		return -EINVAL;
	if (options[o].name == SO_ERROR && options[o].level == SOL_SOCKET)
		v[0] = v[0] ? eza_errno(v[0]) : 0;
	for (size_t i = 0; i < len / sizeof(v[0]); i++)
		eza_put32((char *)c->a[2] + i * 4, v[i]);
	eza_put32(c->a[3], (int)len);
	return 0;
}

/* COMMAND 3 (F_GETFL), 4 (F_SETFL); REQARG 4 is FNDELAY. */
long eza_fcntl(const struct eza_call *c)
{
	int fd = eza_fd(c->a[0]), fl;

	if (fd < 0)
		return fd;
	fl = fcntl(fd, F_GETFL);
	if (eza_get32(c->a[1]) == F_GETFL)
		return fl & O_NONBLOCK ? O_NONBLOCK_EZA : 0;
	if (eza_get32(c->a[1]) != F_SETFL)
		return -EINVAL;
	fl = eza_get32(c->a[2]) & O_NONBLOCK_EZA ? fl | O_NONBLOCK
						 : fl & ~O_NONBLOCK;
	return result(fcntl(fd, F_SETFL, fl));
}

#define EZA_FIONBIO ((int)0x8004a77e)
#define EZA_FIONREAD ((int)0x4004a77f)

/* COMMAND, REQARG, RETARG. */
long eza_ioctl(const struct eza_call *c)
{
	int fd = eza_fd(c->a[0]), v;

	if (fd < 0)
		return fd;
	v = eza_get32(c->a[2]);
	switch (eza_get32(c->a[1])) {
	case EZA_FIONBIO:
		return result(ioctl(fd, FIONBIO, &v));
	case EZA_FIONREAD:
		if (couplet_ioctl(fd, FIONREAD, &v) < 0)
			return -errno;
		eza_put32(c->a[3], v);
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}
