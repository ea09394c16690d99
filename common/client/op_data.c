/*
 * op_data.c: data calls that are not native. For TCP that is little: the
 * address is dropped, flags that AF_UNIX understands otherwise are answered
 * here, and errors of unconnected sockets are Linux's for TCP.
 */
#include "client/op.h"
#include "client/sys.h"

#include <errno.h>
#include <string.h>

static bool unconnected(uint64_t t)
{
	return tag_state(t) < TAG_CONNECTING;
}

static ssize_t stream_send(int fd, uint64_t t, const struct msghdr *m,
			   int flags)
{
	struct msghdr plain = {.msg_iov = m->msg_iov,
			       .msg_iovlen = m->msg_iovlen};
	ssize_t n;

	if (flags & MSG_FASTOPEN)
		return -EOPNOTSUPP;
	if (unconnected(t))
		return -EPIPE;
	/* a descriptor in a TCP stream has no meaning */
	for (struct cmsghdr *h = m->msg_controllen ? CMSG_FIRSTHDR(m) : NULL; h;
	     h = CMSG_NXTHDR((struct msghdr *)(uintptr_t)m, h)) {
		if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS)
			return -EINVAL;
	}
	/* urgent data goes in line (RFC 6093 5: new programs should not
	 * use it) */
	n = sys_sendmsg(fd, &plain, flags & ~(MSG_OOB | MSG_ZEROCOPY));
	return n < 0 ? -errno : n;
}

/* MSG_TRUNC on TCP throws data away without copying it. */
static ssize_t discard(int fd, size_t len, int flags)
{
	char b[65536];
	size_t done = 0;

	while (done < len) {
		ssize_t n = sys_recv(fd, b, MIN(len - done, sizeof(b)),
				     (flags & ~MSG_TRUNC) |
					     (done ? MSG_DONTWAIT : 0));

		if (n < 0 && !done)
			return -errno;
		if (n <= 0)
			break;
		done += (size_t)n;
		if (flags & MSG_PEEK)
			break;
	}
	return (ssize_t)done;
}

static ssize_t stream_recv(int fd, uint64_t t, struct msghdr *m, int flags)
{
	struct msghdr plain = {.msg_iov = m->msg_iov,
			       .msg_iovlen = m->msg_iovlen};
	ssize_t n;

	if (flags & MSG_ERRQUEUE)
		return -EAGAIN;
	if (unconnected(t))
		return -ENOTCONN;
	if (flags & MSG_OOB)
		return -EINVAL;
	if (flags & MSG_TRUNC)
		n = discard(fd, m->msg_iovlen ? m->msg_iov[0].iov_len : 0,
			    flags);
	else
		n = sys_recvmsg(fd, &plain, flags);
	if (n == -1 && !(flags & MSG_TRUNC))
		n = -errno;
	m->msg_namelen = 0;
	m->msg_controllen = 0;
	m->msg_flags = plain.msg_flags & ~MSG_CTRUNC;
	return n;
}

ssize_t op_send(int fd, uint64_t t, const struct msghdr *m, int flags)
{
	return t & TAG_DGRAM ? dgram_send(fd, t, m, flags)
			     : stream_send(fd, t, m, flags);
}

ssize_t op_recv(int fd, uint64_t t, struct msghdr *m, int flags)
{
	return t & TAG_DGRAM ? dgram_recv(fd, t, m, flags)
			     : stream_recv(fd, t, m, flags);
}
