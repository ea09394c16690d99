/*
 * curlnames.c: three of libc's names for the whole of printd, because libcurl
 * 7.88 uses them on a stack's sockets although it was told what it needs:
 * connect() on a socket that is connected already, and getpeername() and
 * getsockname() for the addresses of data connections. A stack's socket is
 * answered by libcouplet, every other one by the system itself.
 *
 * libcouplet asks below through the same names: `inside` tells the two apart.
 * printd has one thread.
 */
#include "client/couplet.h"

#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool inside;

static bool is_ours(int fd)
{
	bool ours;

	if (inside)
		return false;
	inside = true;
	ours = couplet_is_ours(fd, NULL);
	inside = false;
	return ours;
}

int connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	if (addr->sa_family != AF_UNIX && is_ours(fd))
		return 0; /* on its way since it was made */
	return (int)syscall(SYS_connect, fd, addr, len);
}

int getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
	int r;

	if (!is_ours(fd))
		return (int)syscall(SYS_getpeername, fd, addr, len);
	inside = true;
	r = couplet_getpeername(fd, addr, len);
	inside = false;
	return r;
}

int getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
	int r;

	if (!is_ours(fd))
		return (int)syscall(SYS_getsockname, fd, addr, len);
	inside = true;
	r = couplet_getsockname(fd, addr, len);
	inside = false;
	return r;
}
