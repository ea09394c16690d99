/*
 * sys.h: the libc functions below ours. libcouplet calls them directly;
 * the preload library, which carries the same names itself, finds the next
 * definition (dlsym RTLD_NEXT), lazily and without a lock, so that a call
 * from a constructor, a signal handler or a vfork child works.
 */
#ifndef COUPLET_CLIENT_SYS_H
#define COUPLET_CLIENT_SYS_H

#include <poll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

/* Calls that the filter of stackrun (trap.h) stops, ... */
#define SYS_CONTROL(X) \
	X(int, bind, (int fd, const struct sockaddr *sa, socklen_t len), \
	  (fd, sa, len)) \
	X(int, connect, (int fd, const struct sockaddr *sa, socklen_t len), \
	  (fd, sa, len)) \
	X(int, listen, (int fd, int backlog), (fd, backlog)) \
	X(int, accept4, \
	  (int fd, struct sockaddr *sa, socklen_t *len, int flags), \
	  (fd, sa, len, flags)) \
	X(int, getsockname, (int fd, struct sockaddr *sa, socklen_t *len), \
	  (fd, sa, len)) \
	X(int, getpeername, (int fd, struct sockaddr *sa, socklen_t *len), \
	  (fd, sa, len)) \
	X(int, getsockopt, \
	  (int fd, int level, int name, void *val, socklen_t *len), \
	  (fd, level, name, val, len)) \
	X(int, setsockopt, \
	  (int fd, int level, int name, const void *val, socklen_t len), \
	  (fd, level, name, val, len)) \
	X(int, shutdown, (int fd, int how), (fd, how))

/* ... stops on some descriptors, ... */
#define SYS_WINDOW(X) \
	X(ssize_t, send, (int fd, const void *b, size_t n, int flags), \
	  (fd, b, n, flags)) \
	X(ssize_t, recv, (int fd, void *b, size_t n, int flags), \
	  (fd, b, n, flags)) \
	X(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags), \
	  (fd, m, flags)) \
	X(ssize_t, recvmsg, (int fd, struct msghdr *m, int flags), \
	  (fd, m, flags))

/* ... and others. */
#define SYS_PLAIN(X) \
	X(int, socket, (int domain, int type, int protocol), \
	  (domain, type, protocol)) \
	X(int, socketpair, (int domain, int type, int protocol, int fds[2]), \
	  (domain, type, protocol, fds)) \
	X(ssize_t, sendto, \
	  (int fd, const void *b, size_t n, int flags, \
	   const struct sockaddr *sa, socklen_t len), \
	  (fd, b, n, flags, sa, len)) \
	X(ssize_t, recvfrom, \
	  (int fd, void *b, size_t n, int flags, struct sockaddr *sa, \
	   socklen_t *len), \
	  (fd, b, n, flags, sa, len)) \
	X(int, sendmmsg, (int fd, struct mmsghdr *v, unsigned n, int flags), \
	  (fd, v, n, flags)) \
	X(int, recvmmsg, \
	  (int fd, struct mmsghdr *v, unsigned n, int flags, \
	   struct timespec *t), \
	  (fd, v, n, flags, t)) \
	X(ssize_t, read, (int fd, void *b, size_t n), (fd, b, n)) \
	X(ssize_t, readv, (int fd, const struct iovec *v, int n), (fd, v, n)) \
	X(ssize_t, write, (int fd, const void *b, size_t n), (fd, b, n)) \
	X(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n)) \
	X(int, ioctl, (int fd, unsigned long rq, void *arg), (fd, rq, arg))

#define SYS_LIST(X) SYS_CONTROL(X) SYS_WINDOW(X) SYS_PLAIN(X)

#define SYS_DECLARE(ret, name, params, args) ret sys_##name params;
SYS_LIST(SYS_DECLARE)
#undef SYS_DECLARE

#endif
