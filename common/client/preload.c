/*
 * preload.c: the libc functions that stackrun's programs find first. What
 * belongs to a socket of ours goes to couplet_...(), everything else to the
 * next library. AF_INET and AF_INET6 sockets are always ours: nothing here
 * opens one on the host.
 */
#include "client/couplet.h"
#include "client/ctl.h"
#include "client/id.h"
#include "client/op.h"
#include "client/sys.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* Without a usable COUPLET_ID no socket can be made, and none leaks. */
static int stack_id(void)
{
	int n = id_parse(NULL);

	return n < 0 ? -ENETDOWN : n;
}

__attribute__((constructor)) static void start(void)
{
	int e = errno;

	id_keep();
	ctl_keep_run();
	dgram_scan();
	errno = e;
}

/* ---- sockets
 * ------------------------------------------------------------------- */

EXPORT int socket(int domain, int type, int protocol)
{
	int id, r;

	if (domain == AF_UNIX || domain == AF_NETLINK || domain == AF_ALG)
		return sys_socket(domain, type, protocol);
	if (domain != AF_INET && domain != AF_INET6) {
		/* AF_VSOCK, for one, is bound to no network namespace */
		errno = domain == AF_PACKET ? EPERM : EAFNOSUPPORT;
		return -1;
	}
	id = stack_id();
	r = id < 0 ? id : op_socket((unsigned)id, domain, type, protocol);
	if (r >= 0)
		return r;
	errno = -r;
	return -1;
}

EXPORT int socketpair(int domain, int type, int protocol, int fds[2])
{
	if (domain == AF_INET || domain == AF_INET6) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return sys_socketpair(domain, type, protocol, fds);
}

EXPORT int bind(int fd, const struct sockaddr *sa, socklen_t len)
{
	return couplet_bind(fd, sa, len);
}

EXPORT int connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	return couplet_connect(fd, sa, len);
}

EXPORT int listen(int fd, int backlog)
{
	return couplet_listen(fd, backlog);
}

EXPORT int accept(int fd, struct sockaddr *sa, socklen_t *len)
{
	return couplet_accept4(fd, sa, len, 0);
}

EXPORT int accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags)
{
	return couplet_accept4(fd, sa, len, flags);
}

EXPORT int shutdown(int fd, int how)
{
	return couplet_shutdown(fd, how);
}

EXPORT int getsockname(int fd, struct sockaddr *sa, socklen_t *len)
{
	return couplet_getsockname(fd, sa, len);
}

EXPORT int getpeername(int fd, struct sockaddr *sa, socklen_t *len)
{
	return couplet_getpeername(fd, sa, len);
}

EXPORT int getsockopt(int fd, int level, int name, void *val, socklen_t *len)
{
	return couplet_getsockopt(fd, level, name, val, len);
}

EXPORT int setsockopt(int fd, int level, int name, const void *val,
		      socklen_t len)
{
	return couplet_setsockopt(fd, level, name, val, len);
}

EXPORT int ioctl(int fd, unsigned long rq, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, rq);
	arg = va_arg(ap, void *);
	va_end(ap);
	/* terminals and files: not even a look at the tag */
	switch (rq) {
	case SIOCOUTQ:
	case SIOCATMARK:
	case FIONREAD:
		return couplet_ioctl(fd, rq, arg);
	default:
		return (rq & 0xff00) == 0x8900 ? couplet_ioctl(fd, rq, arg)
					       : sys_ioctl(fd, rq, arg);
	}
}

/* ---- data
 * ------------------------------------------------------------------------ */

EXPORT ssize_t send(int fd, const void *b, size_t n, int flags)
{
	return couplet_send(fd, b, n, flags);
}

EXPORT ssize_t recv(int fd, void *b, size_t n, int flags)
{
	return couplet_recv(fd, b, n, flags);
}

EXPORT ssize_t sendto(int fd, const void *b, size_t n, int flags,
		      const struct sockaddr *sa, socklen_t len)
{
	return sa ? couplet_sendto(fd, b, n, flags, sa, len)
		  : couplet_send(fd, b, n, flags);
}

EXPORT ssize_t recvfrom(int fd, void *b, size_t n, int flags,
			struct sockaddr *sa, socklen_t *len)
{
	return sa ? couplet_recvfrom(fd, b, n, flags, sa, len)
		  : couplet_recv(fd, b, n, flags);
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	return couplet_sendmsg(fd, m, flags);
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	return couplet_recvmsg(fd, m, flags);
}

EXPORT int sendmmsg(int fd, struct mmsghdr *v, unsigned int n, int flags)
{
	return couplet_sendmmsg(fd, v, n, flags);
}

EXPORT int recvmmsg(int fd, struct mmsghdr *v, unsigned int n, int flags,
		    struct timespec *t)
{
	return couplet_recvmmsg(fd, v, n, flags, t);
}

/* read() and write() on a UDP socket without a peer carry an address too; in
 * a process that has no UDP socket they are libc's at the cost of one
 * look at a flag. */
static bool headed(int fd)
{
	uint64_t t;

	return atomic_load_explicit(&dgram_seen, memory_order_relaxed) &&
	       tag_get(fd, &t) && t & TAG_DGRAM;
}

EXPORT ssize_t read(int fd, void *b, size_t n)
{
	return headed(fd) ? couplet_recv(fd, b, n, 0) : sys_read(fd, b, n);
}

EXPORT ssize_t readv(int fd, const struct iovec *v, int n)
{
	struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)v,
			   .msg_iovlen = (size_t)n};

	return headed(fd) && n >= 0 ? couplet_recvmsg(fd, &m, 0)
				    : sys_readv(fd, v, n);
}

EXPORT ssize_t write(int fd, const void *b, size_t n)
{
	return headed(fd) ? couplet_send(fd, b, n, 0) : sys_write(fd, b, n);
}

EXPORT ssize_t writev(int fd, const struct iovec *v, int n)
{
	struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)v,
			   .msg_iovlen = (size_t)n};

	return headed(fd) && n >= 0 ? couplet_sendmsg(fd, &m, 0)
				    : sys_writev(fd, v, n);
}

/* ---- what gcc -D_FORTIFY_SOURCE calls
 * ------------------------------------------------ */

EXPORT ssize_t __recv_chk(int fd, void *b, size_t n, size_t cap, int flags);
EXPORT ssize_t __recvfrom_chk(int fd, void *b, size_t n, size_t cap, int flags,
			      struct sockaddr *sa, socklen_t *len);
EXPORT ssize_t __read_chk(int fd, void *b, size_t n, size_t cap);

static void check(size_t n, size_t cap)
{
	if (n > cap)
		abort();
}

EXPORT ssize_t __recv_chk(int fd, void *b, size_t n, size_t cap, int flags)
{
	check(n, cap);
	return recv(fd, b, n, flags);
}

EXPORT ssize_t __recvfrom_chk(int fd, void *b, size_t n, size_t cap, int flags,
			      struct sockaddr *sa, socklen_t *len)
{
	check(n, cap);
	return recvfrom(fd, b, n, flags, sa, len);
}

EXPORT ssize_t __read_chk(int fd, void *b, size_t n, size_t cap)
{
	check(n, cap);
	return read(fd, b, n);
}
