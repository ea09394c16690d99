/*
 * op_socket.c: making, naming, listening, accepting.
 */
#include "client/op.h"
#include "client/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

const struct op_other *op_other;

/* ---- addresses
 * --------------------------------------------------------------- */

void op_put_addr(const struct ip_port *p, bool v6, struct sockaddr *sa,
		 socklen_t *len)
{
	struct ip_port q = *p;
	struct sockaddr_storage ss;
	socklen_t n;

	if (!sa || !len)
		return;
	if (q.addr.family == IP_NONE)
		q.addr = ip_any(v6 ? IP_V6 : IP_V4);
	if (v6 && q.addr.family == IP_V4)
		q.addr = ip_v4_to_mapped(&q.addr);
	n = ip_port_to_sockaddr(&q, &ss);
	memcpy(sa, &ss, MIN(n, *len));
	*len = n;
}

/* sizeof(struct sockaddr_in6) of RFC 2133, which Linux still takes */
#define SIN6_OLD 24

int op_dest(uint64_t t, const struct sockaddr *sa, socklen_t len,
	    struct ip_port *ret)
{
	struct sockaddr_in6 a6;
	sa_family_t f;

	if (!sa || len < sizeof(f))
		return -EINVAL;
	memcpy(&f, sa, sizeof(f));
	if (!(t & TAG_V6)) {
		if (len < sizeof(struct sockaddr_in))
			return -EINVAL;
		if (f != AF_INET && !(f == AF_UNSPEC && t & TAG_DGRAM))
			return -EAFNOSUPPORT;
		memcpy(&a6, sa, sizeof(struct sockaddr_in));
		a6.sin6_family = AF_INET;
		return ip_port_from_sockaddr((struct sockaddr *)&a6,
					     sizeof(struct sockaddr_in), ret);
	}
	if (f == AF_INET && t & TAG_DGRAM && !(t & TAG_V6ONLY)) {
		int r = ip_port_from_sockaddr(sa, len, ret);

		if (r == 0)
			ret->addr = ip_v4_to_mapped(&ret->addr);
		return r;
	}
	if (len < SIN6_OLD)
		return -EINVAL;
	if (f != AF_INET6)
		return -EAFNOSUPPORT;
	memset(&a6, 0, sizeof(a6));
	memcpy(&a6, sa, MIN(len, sizeof(a6)));
	return ip_port_from_sockaddr((struct sockaddr *)&a6, sizeof(a6), ret);
}

/* In a couple, what an IPv6 socket says to an IPv4 address is the other
 * stack's affair from its first word on. */
void op_route(int fd, uint64_t *t, const struct ip_port *to)
{
	unsigned id;

	if (!(*t & TAG_V6) || *t & TAG_V6ONLY || *t & TAG_KNOWN ||
	    !ip_is_v4_mapped(&to->addr))
		return;
	id = ctl_couple(tag_id(*t));
	if (id == tag_id(*t))
		return;
	*t = tag_with_id(*t, id);
	tag_put(fd, *t);
}

bool op_nonblocking(int fd)
{
	return fcntl(fd, F_GETFL) & O_NONBLOCK;
}

/* ---- socket
 * ---------------------------------------------------------------------- */

int op_socket(unsigned id, int domain, int type, int protocol)
{
	int flags = type & ~0xf, kind = type & 0xf, fd;
	bool dgram = kind == SOCK_DGRAM;

	if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
		return -EINVAL;
	if (kind == SOCK_RAW)
		return -EPERM;
	if (kind != SOCK_STREAM && !dgram)
		return -ESOCKTNOSUPPORT;
	if (protocol < 0 || protocol > 262)
		return -EINVAL;
	/* ping sockets are for groups that nobody is in by default */
	if (dgram && (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6))
		return -EACCES;
	if (protocol && protocol != (dgram ? IPPROTO_UDP : IPPROTO_TCP))
		return -EPROTONOSUPPORT;
	fd = sys_socket(AF_UNIX, (dgram ? SOCK_SEQPACKET : SOCK_STREAM) | flags,
			0);
	if (fd < 0)
		return -errno;
	if (domain == AF_INET)
		id = ctl_couple(id);
	tag_put(fd, tag_make(id, domain == AF_INET6, dgram));
	if (dgram)
		atomic_store(&dgram_seen, true);
	return fd;
}

/* ---- bind, listen
 * ------------------------------------------------------------------- */

static int bind_addr(uint64_t t, const struct sockaddr *sa, socklen_t len,
		     struct ip_port *ret)
{
	struct sockaddr_in any;
	sa_family_t f;

	if (!sa)
		return -EFAULT;
	if (len < sizeof(f))
		return -EINVAL;
	memcpy(&f, sa, sizeof(f));
	/* Linux: AF_UNSPEC with the unspecified address passes as AF_INET */
	if (!(t & TAG_V6) && f == AF_UNSPEC && len >= sizeof(any)) {
		memcpy(&any, sa, sizeof(any));
		if (any.sin_addr.s_addr != INADDR_ANY)
			return -EAFNOSUPPORT;
		any.sin_family = AF_INET;
		return ip_port_from_sockaddr((struct sockaddr *)&any,
					     sizeof(any), ret);
	}
	return op_dest(t & ~TAG_DGRAM, sa, len, ret);
}

int op_bind(int fd, uint64_t t, const struct sockaddr *sa, socklen_t len)
{
	struct proto_req rq = {.op = PROTO_BIND};
	struct proto_rep rep;
	struct ip_port at;
	int r = bind_addr(t, sa, len, &at);

	if (r < 0)
		return r;
	if (tag_state(t) != TAG_FRESH)
		return -EINVAL;
	op_route(fd, &t, &at);
	proto_addr_put(&at, &rq.addr);
	r = op_ctl(fd, &t, &rq, &rep, NULL, 0);
	if (r == 0)
		tag_put(fd, tag_with(t, TAG_BOUND));
	return r;
}

int op_listen(int fd, uint64_t t, int backlog)
{
	struct proto_req rq = {.op = PROTO_LISTEN, .value = backlog};
	struct proto_rep rep;
	int r;

	if (t & TAG_DGRAM)
		return -EOPNOTSUPP;
	if (tag_state(t) != TAG_FRESH && tag_state(t) != TAG_BOUND &&
	    tag_state(t) != TAG_LISTEN)
		return -EINVAL;
	/* stackd binds and listens on this very socket */
	r = op_ctl(fd, &t, &rq, &rep, NULL, 0);
	if (r == 0)
		tag_put(fd, tag_with(t, TAG_LISTEN));
	return r;
}

/* ---- accept
 * ------------------------------------------------------------------------- */

/* The first byte tells stackd that somebody has taken the connection, and
 * makes every abrupt end of stackd's side a reset. */
static bool plant(int fd, uint64_t t)
{
	int v = OP_SNDBUF;

	if (sys_send(fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1)
		return false;
	tag_put(fd, tag_with(t, TAG_ACCEPTED) | TAG_KNOWN);
	(void)!sys_setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &v, sizeof(v));
	return true;
}

/* The other stack of a couple may have brought the connection. */
static uint64_t accepted_tag(uint64_t t, const struct ip_port *peer)
{
	bool v4 = peer->addr.family == IP_V4 || ip_is_v4_mapped(&peer->addr);

	return t & TAG_V6 && v4 ? tag_with_id(t, ctl_couple(tag_id(t))) : t;
}

static bool peer_of(const struct sockaddr_storage *ss, socklen_t l,
		    struct ip_port *ret_local, struct ip_port *ret_remote)
{
	const size_t off = sizeof(sa_family_t);

	return ss->ss_family == AF_UNIX && l > off &&
	       proto_name_parse((const char *)ss + off, l - off, NULL,
				ret_local, ret_remote) == 0;
}

int op_accept(int fd, uint64_t t, struct sockaddr *sa, socklen_t *len,
	      int flags)
{
	if (t & TAG_DGRAM)
		return -EOPNOTSUPP;
	for (;;) {
		struct sockaddr_storage ss;
		struct ip_port peer = {0};
		socklen_t l = sizeof(ss);
		int c = sys_accept4(fd, (struct sockaddr *)&ss, &l, flags);

		if (c < 0)
			return -errno;
		/* A stack that has died since has left nothing to read. */
		if (!peer_of(&ss, l, NULL, &peer) ||
		    !plant(c, accepted_tag(t, &peer))) {
			close(c);
			continue;
		}
		op_put_addr(&peer, t & TAG_V6, sa, len);
		return c;
	}
}

/* ---- shutdown
 * ------------------------------------------------------------------------ */

int op_shutdown(int fd, uint64_t t, int how)
{
	struct proto_req rq = {.op = PROTO_UNLISTEN};
	struct proto_rep rep;

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	if (tag_state(t) == TAG_LISTEN) {
		if (how == SHUT_WR)
			return 0;
		(void)!op_ctl(fd, &t, &rq, &rep, NULL, 0);
	} else if (tag_state(t) == TAG_FRESH || tag_state(t) == TAG_BOUND) {
		return -ENOTCONN;
	}
	if (t & TAG_DGRAM && how != SHUT_WR)
		tag_put(fd, t | TAG_SHUT);
	return sys_shutdown(fd, how) < 0 ? -errno : 0;
}

/* ---- names
 * -----------------------------------------------------------------------------
 */

static bool accepted_names(int fd, struct ip_port *local,
			   struct ip_port *remote)
{
	struct sockaddr_storage ss;
	socklen_t l = sizeof(ss);

	return sys_getpeername(fd, (struct sockaddr *)&ss, &l) == 0 &&
	       peer_of(&ss, l, local, remote);
}

int op_getsockname(int fd, uint64_t t, struct sockaddr *sa, socklen_t *len)
{
	struct proto_req rq = {.op = PROTO_GETNAME};
	struct proto_rep rep;
	struct ip_port p = {0};

	if (!sa || !len)
		return -EFAULT;
	if ((int)*len < 0)
		return -EINVAL;
	if (tag_state(t) == TAG_ACCEPTED) {
		(void)accepted_names(fd, &p, NULL);
	} else if (t & TAG_KNOWN) {
		if (op_ctl(fd, &t, &rq, &rep, NULL, 0) == 0)
			(void)!proto_addr_get(&rep.local, &p);
	}
	op_put_addr(&p, t & TAG_V6, sa, len);
	return 0;
}

int op_getpeername(int fd, uint64_t t, struct sockaddr *sa, socklen_t *len)
{
	struct proto_req rq = {.op = PROTO_GETNAME};
	struct proto_rep rep;
	struct ip_port p = {0};
	int r;

	if (!sa || !len)
		return -EFAULT;
	if ((int)*len < 0)
		return -EINVAL;
	if (tag_state(t) == TAG_ACCEPTED) {
		if (!accepted_names(fd, NULL, &p))
			return -ENOTCONN;
	} else if (!(t & TAG_KNOWN)) {
		return -ENOTCONN;
	} else {
		r = op_ctl(fd, &t, &rq, &rep, NULL, 0);
		if (r < 0 || !rep.value || !rep.remote.family)
			return -ENOTCONN;
		(void)!proto_addr_get(&rep.remote, &p);
	}
	op_put_addr(&p, t & TAG_V6, sa, len);
	return 0;
}

/* ---- ioctl
 * -------------------------------------------------------------------------------
 */

static int put_queue(int fd, uint64_t t, unsigned long rq, int *arg)
{
	struct proto_req q = {.op = PROTO_QUEUES};
	struct proto_rep rep = {0};
	int r;

	if (t & TAG_DGRAM || tag_state(t) < TAG_CONNECTING) {
		*arg = 0;
		return t & TAG_DGRAM || tag_state(t) != TAG_LISTEN ? 0
								   : -EINVAL;
	}
	r = op_ctl(fd, &t, &q, &rep, NULL, 0);
	if (r == -ENOTCONN)
		r = 0;
	*arg = (int)(rq == SIOCOUTQNSD ? rep.value3 : rep.value);
	return r;
}

int op_ioctl(int fd, uint64_t t, unsigned long rq, void *arg)
{
	int r;

	switch (rq) {
	case SIOCOUTQ: /* = TIOCOUTQ */
	case SIOCOUTQNSD:
		return arg ? put_queue(fd, t, rq, arg) : -EFAULT;
	case SIOCATMARK:
		if (!arg)
			return -EFAULT;
		*(int *)arg = 0;
		return 0;
	case FIONREAD:
		if (tag_state(t) == TAG_LISTEN)
			return -EINVAL;
		r = sys_ioctl(fd, rq, arg);
		if (r < 0) {
			/* AF_UNIX knows no queue before a connection */
			if (errno != EINVAL || !arg)
				return -errno;
			*(int *)arg = 0;
			return 0;
		}
		if (t & TAG_DGRAM && tag_state(t) != TAG_CONNECTED) {
			int n = *(int *)arg - (int)sizeof(struct proto_dgram);

			*(int *)arg = MAX(n, 0);
		}
		return r;
	default:
		break;
	}
	r = if_ioctl(tag_id(t), rq, arg);
	if (r != -ENOTTY)
		return r;
	r = sys_ioctl(fd, rq, arg);
	return r < 0 ? -errno : r;
}
