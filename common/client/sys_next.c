/* sys_next.c: sys.h for the preload library. */
#include "client/sys.h"
#include "client/trap.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Two threads may both look: they find the same. */
static void *find(_Atomic(void *) *at, const char *name)
{
	static const char msg[] =
		"libcouplet-preload: libc lacks a socket function\n";
	void *p = atomic_load_explicit(at, memory_order_acquire);
	int e = errno;

	if (p)
		return p;
	p = dlsym(RTLD_NEXT, name);
	errno = e;
	if (!p) {
		(void)!write(STDERR_FILENO, msg, sizeof(msg) - 1);
		abort();
	}
	atomic_store_explicit(at, p, memory_order_release);
	return p;
}

#define SYS_NEXT(ret, name, params, args) \
	static ret next_##name params \
	{ \
		static _Atomic(void *) at; \
		union { \
			void *p; \
			ret(*f) params; \
		} u = {.p = find(&at, #name)}; \
		return u.f args; \
	}
#define SYS_NEXT_ONLY(ret, name, params, args) \
	SYS_NEXT(ret, name, params, args) \
	ret sys_##name params \
	{ \
		return next_##name args; \
	}
SYS_PLAIN(SYS_NEXT_ONLY)
SYS_WINDOW(SYS_NEXT)

/* ---- past the filter of stackrun (trap.h)
 * ---------------------------------------------------------------------- */

/* The kernel ignores the registers that a call does not use. */
#define PASS(nr, a, b, c, d, e) \
	syscall(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), \
		TRAP_PASS)

int sys_bind(int fd, const struct sockaddr *sa, socklen_t len)
{
	return (int)PASS(SYS_bind, fd, sa, len, 0, 0);
}

/* connect() and accept() may wait, and are where a thread may be cancelled. */
int sys_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	int old, r;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
	r = (int)PASS(SYS_connect, fd, sa, len, 0, 0);
	pthread_setcanceltype(old, NULL);
	return r;
}

int sys_listen(int fd, int backlog)
{
	return (int)PASS(SYS_listen, fd, backlog, 0, 0, 0);
}

int sys_accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags)
{
	int old, r;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
	r = (int)PASS(SYS_accept4, fd, sa, len, flags, 0);
	pthread_setcanceltype(old, NULL);
	return r;
}

int sys_getsockname(int fd, struct sockaddr *sa, socklen_t *len)
{
	return (int)PASS(SYS_getsockname, fd, sa, len, 0, 0);
}

int sys_getpeername(int fd, struct sockaddr *sa, socklen_t *len)
{
	return (int)PASS(SYS_getpeername, fd, sa, len, 0, 0);
}

int sys_getsockopt(int fd, int level, int name, void *val, socklen_t *len)
{
	return (int)PASS(SYS_getsockopt, fd, level, name, val, len);
}

int sys_setsockopt(int fd, int level, int name, const void *val, socklen_t len)
{
	return (int)PASS(SYS_setsockopt, fd, level, name, val, len);
}

int sys_shutdown(int fd, int how)
{
	return (int)PASS(SYS_shutdown, fd, how, 0, 0, 0);
}

/* Data calls are stopped on a few numbers only. */
ssize_t sys_sendmsg(int fd, const struct msghdr *m, int flags)
{
	return trap_in_window(fd) || flags & (MSG_OOB | MSG_FASTOPEN)
		       ? PASS(SYS_sendmsg, fd, m, flags, 0, 0)
		       : next_sendmsg(fd, m, flags);
}

ssize_t sys_recvmsg(int fd, struct msghdr *m, int flags)
{
	return trap_in_window(fd) ||
			       flags & (MSG_OOB | MSG_ERRQUEUE | MSG_TRUNC)
		       ? PASS(SYS_recvmsg, fd, m, flags, 0, 0)
		       : next_recvmsg(fd, m, flags);
}

ssize_t sys_send(int fd, const void *b, size_t n, int flags)
{
	struct iovec io = {(void *)(uintptr_t)b, n};
	struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};

	return trap_in_window(fd) ? sys_sendmsg(fd, &m, flags)
				  : next_send(fd, b, n, flags);
}

ssize_t sys_recv(int fd, void *b, size_t n, int flags)
{
	struct iovec io = {b, n};
	struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};

	return trap_in_window(fd) ? sys_recvmsg(fd, &m, flags)
				  : next_recv(fd, b, n, flags);
}
