/*
 * couplet.c: the libc-shaped functions over op.h. The preload library has
 * them inside, under these names, too.
 */
#include "client/couplet.h"

#include "client/id.h"
#include "client/names.h"
#include "client/op.h"
#include "client/sys.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

static long out(long r)
{
	if (r >= 0)
		return r;
	errno = (int)-r;
	return -1;
}

int couplet_socket(const char *id, int domain, int type, int protocol)
{
	int n = id_parse(id);

	if (n == -EINVAL)
		return (int)out(n);
	if (n == ID_HOST)
		return sys_socket(domain, type, protocol);
	if (domain != AF_INET && domain != AF_INET6)
		return (int)out(-EAFNOSUPPORT);
	return (int)out(op_socket((unsigned)n, domain, type, protocol));
}

int couplet_bind(int fd, const struct sockaddr *sa, socklen_t len)
{
	uint64_t t;

	return tag_get(fd, &t) ? (int)out(op_bind(fd, t, sa, len))
			       : sys_bind(fd, sa, len);
}

int couplet_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	uint64_t t;

	return tag_get(fd, &t) ? (int)out(op_connect(fd, t, sa, len))
			       : sys_connect(fd, sa, len);
}

int couplet_listen(int fd, int backlog)
{
	uint64_t t;

	return tag_get(fd, &t) ? (int)out(op_listen(fd, t, backlog))
			       : sys_listen(fd, backlog);
}

int couplet_accept(int fd, struct sockaddr *sa, socklen_t *len)
{
	return couplet_accept4(fd, sa, len, 0);
}

int couplet_accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags)
{
	uint64_t t;

	return tag_get(fd, &t) ? (int)out(op_accept(fd, t, sa, len, flags))
			       : sys_accept4(fd, sa, len, flags);
}

int couplet_shutdown(int fd, int how)
{
	uint64_t t;

	return tag_get(fd, &t) ? (int)out(op_shutdown(fd, t, how))
			       : sys_shutdown(fd, how);
}

int couplet_getsockname(int fd, struct sockaddr *sa, socklen_t *len)
{
	uint64_t t;

	return tag_get(fd, &t) ? (int)out(op_getsockname(fd, t, sa, len))
			       : sys_getsockname(fd, sa, len);
}

int couplet_getpeername(int fd, struct sockaddr *sa, socklen_t *len)
{
	uint64_t t;

	return tag_get(fd, &t) ? (int)out(op_getpeername(fd, t, sa, len))
			       : sys_getpeername(fd, sa, len);
}

int couplet_getsockopt(int fd, int level, int name, void *val, socklen_t *len)
{
	uint64_t t;

	return tag_get(fd, &t)
		       ? (int)out(op_getsockopt(fd, t, level, name, val, len))
		       : sys_getsockopt(fd, level, name, val, len);
}

int couplet_setsockopt(int fd, int level, int name, const void *val,
		       socklen_t len)
{
	uint64_t t;

	return tag_get(fd, &t)
		       ? (int)out(op_setsockopt(fd, t, level, name, val, len))
		       : sys_setsockopt(fd, level, name, val, len);
}

int couplet_ioctl(int fd, unsigned long rq, void *arg)
{
	uint64_t t;

	return tag_get(fd, &t) ? (int)out(op_ioctl(fd, t, rq, arg))
			       : sys_ioctl(fd, rq, arg);
}

/* ---- data
 * ------------------------------------------------------------------------ */

/* Flags that AF_UNIX takes for something else than TCP does. */
#define SEND_FLAGS (MSG_OOB | MSG_FASTOPEN)
#define RECV_FLAGS (MSG_OOB | MSG_ERRQUEUE | MSG_TRUNC)

static bool seen(void)
{
	return atomic_load_explicit(&dgram_seen, memory_order_relaxed);
}

/* AF_UNIX names the error of an unconnected socket otherwise. */
static bool strange(ssize_t n)
{
	return n < 0 && (errno == EINVAL || errno == ENOTCONN);
}

ssize_t couplet_send(int fd, const void *buf, size_t len, int flags)
{
	if (!(flags & SEND_FLAGS) && !seen()) {
		ssize_t n = sys_send(fd, buf, len, flags);

		if (!strange(n))
			return n;
	}
	return couplet_sendto(fd, buf, len, flags, NULL, 0);
}

ssize_t couplet_recv(int fd, void *buf, size_t len, int flags)
{
	if (!(flags & RECV_FLAGS) && !seen()) {
		ssize_t n = sys_recv(fd, buf, len, flags);

		if (!strange(n))
			return n;
	}
	return couplet_recvfrom(fd, buf, len, flags, NULL, NULL);
}

ssize_t couplet_sendto(int fd, const void *buf, size_t len, int flags,
		       const struct sockaddr *sa, socklen_t sa_len)
{
	struct iovec io = {(void *)(uintptr_t)buf, len};
	struct msghdr m = {.msg_name = (void *)(uintptr_t)sa,
			   .msg_namelen = sa ? sa_len : 0,
			   .msg_iov = &io,
			   .msg_iovlen = 1};
	uint64_t t;

	return tag_get(fd, &t) ? out(op_send(fd, t, &m, flags))
			       : sys_sendto(fd, buf, len, flags, sa, sa_len);
}

ssize_t couplet_recvfrom(int fd, void *buf, size_t len, int flags,
			 struct sockaddr *sa, socklen_t *sa_len)
{
	struct iovec io = {buf, len};
	struct msghdr m = {.msg_name = sa,
			   .msg_namelen = sa && sa_len ? *sa_len : 0,
			   .msg_iov = &io,
			   .msg_iovlen = 1};
	uint64_t t;
	ssize_t n;

	if (!tag_get(fd, &t))
		return sys_recvfrom(fd, buf, len, flags, sa, sa_len);
	n = op_recv(fd, t, &m, flags);
	if (n >= 0 && sa && sa_len)
		*sa_len = m.msg_namelen;
	return out(n);
}

ssize_t couplet_sendmsg(int fd, const struct msghdr *m, int flags)
{
	uint64_t t;

	if (!m->msg_name && !m->msg_controllen && !(flags & SEND_FLAGS) &&
	    !seen()) {
		ssize_t n = sys_sendmsg(fd, m, flags);

		if (!strange(n))
			return n;
	}
	return tag_get(fd, &t) ? out(op_send(fd, t, m, flags))
			       : sys_sendmsg(fd, m, flags);
}

/* A descriptor that arrives may be a UDP socket of ours. */
static void look_at_passed(const struct msghdr *m)
{
	struct msghdr *mm = (struct msghdr *)(uintptr_t)m;

	for (struct cmsghdr *h = m->msg_controllen ? CMSG_FIRSTHDR(mm) : NULL;
	     h; h = CMSG_NXTHDR(mm, h)) {
		if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS)
			dgram_scan();
	}
}

ssize_t couplet_recvmsg(int fd, struct msghdr *m, int flags)
{
	uint64_t t;
	ssize_t n;

	if (!m->msg_name && !m->msg_controllen && !(flags & RECV_FLAGS) &&
	    !seen()) {
		n = sys_recvmsg(fd, m, flags);
		if (!strange(n))
			return n;
	}
	if (tag_get(fd, &t))
		return out(op_recv(fd, t, m, flags));
	n = sys_recvmsg(fd, m, flags);
	if (n >= 0 && m->msg_controllen && !seen())
		look_at_passed(m);
	return n;
}

int couplet_sendmmsg(int fd, struct mmsghdr *vec, unsigned int n, int flags)
{
	uint64_t t;

	if (!tag_get(fd, &t))
		return sys_sendmmsg(fd, vec, n, flags);
	for (unsigned int i = 0; i < n; i++) {
		ssize_t r = op_send(fd, t, &vec[i].msg_hdr, flags);

		if (r < 0)
			return i ? (int)i : (int)out(r);
		vec[i].msg_len = (unsigned int)r;
	}
	return (int)n;
}

static bool late(const struct timespec *end)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > end->tv_sec ||
	       (now.tv_sec == end->tv_sec && now.tv_nsec >= end->tv_nsec);
}

int couplet_recvmmsg(int fd, struct mmsghdr *vec, unsigned int n, int flags,
		     struct timespec *timeout)
{
	struct timespec end = {0};
	uint64_t t;

	if (!tag_get(fd, &t))
		return sys_recvmmsg(fd, vec, n, flags, timeout);
	if (timeout) {
		clock_gettime(CLOCK_MONOTONIC, &end);
		end.tv_sec += timeout->tv_sec;
		end.tv_nsec += timeout->tv_nsec;
		end.tv_sec += end.tv_nsec / 1000000000;
		end.tv_nsec %= 1000000000;
	}
	for (unsigned int i = 0; i < n; i++) {
		ssize_t r = op_recv(fd, t, &vec[i].msg_hdr,
				    flags & ~MSG_WAITFORONE);

		if (r < 0)
			return i ? (int)i : (int)out(r);
		vec[i].msg_len = (unsigned int)r;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		/* as Linux: looked at after each datagram only */
		if (timeout && late(&end))
			return (int)i + 1;
	}
	return (int)n;
}

/* ---- about stacks
 * ------------------------------------------------------------------ */

int couplet_running(const char *id)
{
	struct proto_req rq = {.op = PROTO_CONFIG, .flags = PROTO_F_NOSOCK};
	struct proto_config cf;
	struct proto_rep rep;
	int n = id_parse(id), r;

	if (n < 0)
		return (int)out(-EINVAL) + 1;
	r = ctl_call((unsigned)n, -1, &rq, &rep, &cf, sizeof(cf));
	if (r == 0)
		return 1;
	errno = -r;
	return 0;
}

int couplet_is_ours(int fd, char *id)
{
	uint64_t t;

	if (!tag_get(fd, &t))
		return 0;
	if (id) {
		id[0] = (char)('0' + tag_id(t) / 10 % 10);
		id[1] = (char)('0' + tag_id(t) % 10);
		id[2] = '\0';
	}
	return 1;
}

/* ---- names
 * ---------------------------------------------------------------------------
 */

int couplet_getaddrinfo(const char *id, const char *node, const char *service,
			const struct addrinfo *hints, struct addrinfo **res)
{
	int n = id_parse(id);

	if (n == -EINVAL)
		return EAI_NONAME;
	return n == ID_HOST ? getaddrinfo(node, service, hints, res)
			    : names_getaddrinfo((unsigned)n, node, service,
						hints, res);
}

void couplet_freeaddrinfo(const char *id, struct addrinfo *res)
{
	if (id_parse(id) == ID_HOST)
		freeaddrinfo(res);
	else
		names_freeaddrinfo(res);
}

int couplet_getnameinfo(const char *id, const struct sockaddr *sa,
			socklen_t len, char *host, socklen_t host_len,
			char *serv, socklen_t serv_len, int flags)
{
	int n = id_parse(id);

	if (n == -EINVAL)
		return EAI_NONAME;
	return n == ID_HOST
		       ? getnameinfo(sa, len, host, host_len, serv, serv_len,
				     flags)
		       : names_getnameinfo((unsigned)n, sa, len, host, host_len,
					   serv, serv_len, flags);
}

int couplet_getifaddrs(const char *id, struct ifaddrs **res)
{
	int n = id_parse(id);

	if (n == -EINVAL)
		return (int)out(n);
	return n == ID_HOST ? getifaddrs(res)
			    : (int)out(names_getifaddrs((unsigned)n, res));
}

void couplet_freeifaddrs(const char *id, struct ifaddrs *res)
{
	if (id_parse(id) == ID_HOST)
		freeifaddrs(res);
	else
		names_freeifaddrs(res);
}
