/*
 * passed.c: records that come with a descriptor.
 */
#include "api/impl.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

ssize_t passed_recv(int fd, void *buf, size_t len, int flags,
		    struct passed *ret)
{
	union {
		char b[CMSG_SPACE(sizeof(int) * 2)];
		struct cmsghdr align;
	} u;
	struct iovec io = {buf, len};
	struct msghdr m = {.msg_iov = &io,
			   .msg_iovlen = 1,
			   .msg_control = u.b,
			   .msg_controllen = sizeof(u.b)};
	ssize_t n = recvmsg(fd, &m, flags | MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	int got[2] = {-1, -1};

	*ret = (struct passed){.fd = -1};
	if (n < 0)
		return -errno;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		memcpy(got, CMSG_DATA(h),
		       MIN(h->cmsg_len - CMSG_LEN(0), sizeof(got)));
	}
	ret->fd = got[0];
	ret->broken = m.msg_flags & MSG_CTRUNC || got[1] >= 0;
	if (got[1] >= 0)
		close(got[1]);
	return n;
}

ssize_t passed_send(int fd, const struct iovec *iov, int n, int with)
{
	union {
		char b[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u = {.b = {0}};
	struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)iov,
			   .msg_iovlen = (size_t)n};
	struct cmsghdr *h;

	if (with >= 0) {
		m.msg_control = u.b;
		m.msg_controllen = sizeof(u.b);
		h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof(with));
		memcpy(CMSG_DATA(h), &with, sizeof(with));
	}
	return sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

uint64_t passed_cookie(int fd)
{
	uint64_t c = 0;
	socklen_t l = sizeof(c);

	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &c, &l) < 0 ? 0 : c;
}

bool passed_is(int fd, int type)
{
	int domain = 0, t = 0;
	socklen_t l = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &l) == 0 &&
	       domain == AF_UNIX &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &t, &l) == 0 && t == type;
}
