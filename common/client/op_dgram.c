/*
 * op_dgram.c: UDP. A socket attaches itself to stackd at its first use; from
 * then on one message is one datagram, behind a struct proto_dgram as long as
 * the socket has no peer. With a peer, data calls are native.
 */
#include "client/op.h"
#include "client/sys.h"

#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IOV_ON_STACK 16
#define IOV_LIMIT 1024
#define DATAGRAM_MAX 65507
#define DATAGRAM6_MAX 65527
#define MARK_WAIT_MS 200
/* the largest datagram with its header */
#define DGRAM_ROOM (sizeof(struct proto_dgram) + 65536)

_Atomic bool dgram_seen;

void dgram_scan(void)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;
	uint64_t t;

	/* without /proc: look at every data call */
	if (!d)
		atomic_store(&dgram_seen, true);
	while (d && (e = readdir(d))) {
		if (tag_get((int)strtol(e->d_name, NULL, 10), &t) &&
		    t & TAG_DGRAM)
			atomic_store(&dgram_seen, true);
	}
	if (d)
		closedir(d);
}

/* ---- attach
 * ------------------------------------------------------------------------ */

int dgram_attach(int fd, uint64_t *t)
{
	struct proto_hello h = {.magic = PROTO_MAGIC, .dgram = 1};
	struct iovec io = {&h, sizeof(h)};
	struct sockaddr_un u;
	int r;

	if (*t & TAG_KNOWN)
		return 0;
	r = ctl_door(tag_id(*t), "dgram", &u);
	if (r < 0)
		return r;
	while ((r = sys_connect(fd, (struct sockaddr *)&u, sizeof(u))) < 0 &&
	       errno == EINTR)
		continue;
	if (r < 0 && errno == EISCONN) { /* another thread was faster */
		*t |= TAG_KNOWN;
		return 0;
	}
	if (r < 0)
		return errno == EACCES || errno == EAGAIN ? -errno : -ENETDOWN;
	h.v6 = *t & TAG_V6 ? 1 : 0;
	h.for_pid = op_other ? (uint32_t)op_other->pid : 0;
	op_collect(fd, *t, &h.opts);
	if (ctl_send_fd(fd, &io, 1, fd, MSG_NOSIGNAL) < 0)
		return -ENETDOWN;
	*t |= TAG_KNOWN;
	tag_put(fd, *t);
	return 0;
}

/* ---- connect
 * ------------------------------------------------------------------------- */

/* A queued datagram goes back to stackd, which queues it again without its
 * header: Linux keeps what waits when a socket is connected. */
static void give_back(int fd, uint8_t *b, ssize_t n)
{
	struct proto_dgram h;

	if (n < (ssize_t)sizeof(h))
		return;
	memcpy(&h, b, sizeof(h));
	if (h.type != PROTO_D_DATA)
		return;
	h.type = PROTO_D_BACK;
	memcpy(b, &h, sizeof(h));
	(void)!sys_send(fd, b, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* What was queued before the change ends with a mark. With headers it goes
 * back, without it is dropped, as datagrams may be. */
static void drain_to_mark(int fd, bool headers)
{
	uint8_t *b = malloc(DGRAM_ROOM);
	ssize_t n;

	while (b) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		struct proto_dgram h;

		n = sys_recv(fd, b, DGRAM_ROOM, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			/* another thread may have read the mark */
			if (poll(&p, 1, MARK_WAIT_MS) <= 0)
				break;
			continue;
		}
		if (n <= 0)
			break;
		h.type = 0;
		if (n == (ssize_t)sizeof(h))
			memcpy(&h, b, sizeof(h));
		if (h.type == PROTO_D_MARK)
			break;
		if (headers)
			give_back(fd, b, n);
	}
	free(b);
}

static void answer_mark(int fd)
{
	struct proto_dgram h = {.type = PROTO_D_MARK};

	(void)!sys_send(fd, &h, sizeof(h), MSG_NOSIGNAL);
}

int dgram_do_connect(int fd, uint64_t t, const struct ip_port *to)
{
	struct proto_req rq = {.op = PROTO_UDP_CONNECT};
	struct proto_rep rep;
	bool was = tag_state(t) == TAG_CONNECTED;
	int r;

	if (!to && !was)
		return 0;
	if (to)
		proto_addr_put(to, &rq.addr);
	r = op_ctl(fd, &t, &rq, &rep, NULL, 0);
	if (r < 0)
		return r;
	if (was != !!to) {
		drain_to_mark(fd, to != NULL);
		if (to)
			answer_mark(fd);
	}
	tag_put(fd, tag_with(t, to ? TAG_CONNECTED : TAG_BOUND));
	return 0;
}

/* ---- vectors
 * -------------------------------------------------------------------------- */

struct vec {
	struct iovec small[IOV_ON_STACK + 1], *v;
	size_t n, bytes;
};

/* `head` in front of the program's vector. 0, -EMSGSIZE, -ENOMEM. */
static int vec_make(struct vec *x, void *head, size_t len,
		    const struct msghdr *m)
{
	if (m->msg_iovlen > IOV_LIMIT)
		return -EMSGSIZE;
	x->v = x->small;
	if (m->msg_iovlen > IOV_ON_STACK) {
		x->v = calloc(m->msg_iovlen + 1, sizeof(*x->v));
		if (!x->v)
			return -ENOMEM;
	}
	x->v[0] = (struct iovec){head, len};
	x->bytes = 0;
	for (size_t i = 0; i < m->msg_iovlen; i++) {
		x->v[i + 1] = m->msg_iov[i];
		x->bytes += m->msg_iov[i].iov_len;
	}
	x->n = (size_t)m->msg_iovlen + 1;
	return 0;
}

static void vec_free(struct vec *x)
{
	if (x->v != x->small)
		free(x->v);
}

/* ---- send
 * -------------------------------------------------------------------------------
 */

static void source4(const struct cmsghdr *c, struct proto_dgram *h)
{
	struct in_pktinfo pi;
	struct ip_port p = {0};

	memcpy(&pi, CMSG_DATA(c), sizeof(pi));
	p.addr = ip_from_bytes(IP_V4, (const uint8_t *)&pi.ipi_spec_dst);
	h->ifindex = (uint32_t)pi.ipi_ifindex;
	if (!ip_is_any(&p.addr))
		proto_addr_put(&p, &h->local);
}

static void source6(const struct cmsghdr *c, struct proto_dgram *h)
{
	struct in6_pktinfo pi;
	struct ip_port p = {0};

	memcpy(&pi, CMSG_DATA(c), sizeof(pi));
	p.addr = ip_from_bytes(IP_V6, pi.ipi6_addr.s6_addr);
	h->ifindex = pi.ipi6_ifindex;
	if (ip_is_v4_mapped(&p.addr))
		p.addr = ip_mapped_to_v4(&p.addr);
	if (!ip_is_any(&p.addr))
		proto_addr_put(&p, &h->local);
}

/* One int, -1 = as the socket has it. */
static int one_int(const struct cmsghdr *c, int lo, int16_t *ret)
{
	int v;

	if (c->cmsg_len != CMSG_LEN(sizeof(v)))
		return -EINVAL;
	memcpy(&v, CMSG_DATA(c), sizeof(v));
	if (v != -1 && (v < lo || v > 255))
		return -EINVAL;
	*ret = (int16_t)v;
	return 0;
}

static int tos4(const struct cmsghdr *c, int16_t *ret)
{
	if (c->cmsg_len == CMSG_LEN(1)) {
		*ret = *CMSG_DATA(c);
		return 0;
	}
	return one_int(c, 0, ret);
}

/* What goes with this datagram only, with Linux's checks. */
static int one_cmsg(uint64_t t, const struct cmsghdr *c, struct proto_dgram *h)
{
	if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
		if (c->cmsg_len != CMSG_LEN(sizeof(struct in_pktinfo)))
			return -EINVAL;
		source4(c, h);
	} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) {
		return one_int(c, 1, &h->ttl);
	} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
		return tos4(c, &h->tos);
	} else if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_SEGMENT) {
		if (c->cmsg_len != CMSG_LEN(sizeof(h->gso_size)))
			return -EINVAL;
		memcpy(&h->gso_size, CMSG_DATA(c), sizeof(h->gso_size));
	} else if (c->cmsg_level != IPPROTO_IPV6 || !(t & TAG_V6)) {
		return c->cmsg_level == SOL_SOCKET ? 0 : -EINVAL;
	} else if (c->cmsg_type == IPV6_PKTINFO) {
		if (c->cmsg_len < CMSG_LEN(sizeof(struct in6_pktinfo)))
			return -EINVAL;
		source6(c, h);
	} else if (c->cmsg_type == IPV6_HOPLIMIT) {
		return one_int(c, 0, &h->ttl);
	} else if (c->cmsg_type == IPV6_TCLASS) {
		return one_int(c, 0, &h->tos);
	}
	return 0;
}

static int read_cmsgs(uint64_t t, const struct msghdr *m, struct proto_dgram *h)
{
	struct msghdr *mm = (struct msghdr *)(uintptr_t)m;
	int r = 0;

	for (struct cmsghdr *c = m->msg_controllen ? CMSG_FIRSTHDR(mm) : NULL;
	     c && r == 0; c = CMSG_NXTHDR(mm, c))
		r = c->cmsg_len < sizeof(*c) ? -EINVAL : one_cmsg(t, c, h);
	return r;
}

static bool is_broadcast(const struct ip_port *to)
{
	struct ip_addr a = ip_is_v4_mapped(&to->addr)
				   ? ip_mapped_to_v4(&to->addr)
				   : to->addr;

	return ip_is_broadcast(&a);
}

static int send_errno(int e)
{
	/* the other end is stackd's */
	return e == EPIPE || e == ECONNRESET || e == ENOTCONN ? -ENETDOWN : -e;
}

static int check_dest(int fd, uint64_t t, const struct msghdr *m,
		      struct ip_port *to)
{
	int r, on = 0;
	socklen_t l = sizeof(on);

	if (!m->msg_name)
		return -EDESTADDRREQ;
	r = op_dest(t, m->msg_name, m->msg_namelen, to);
	if (r < 0)
		return r;
	if (!to->port)
		return -EINVAL;
	if (is_broadcast(to) &&
	    (sys_getsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, &l) < 0 || !on))
		return -EACCES;
	return 0;
}

static ssize_t send_native(int fd, uint64_t t, const struct msghdr *m,
			   int flags)
{
	struct msghdr plain = {.msg_iov = m->msg_iov,
			       .msg_iovlen = m->msg_iovlen};
	size_t bytes = 0;
	ssize_t n;

	/* Linux would send it elsewhere; here the socket has one peer */
	if (m->msg_name && m->msg_namelen) {
		struct sockaddr_storage ss, to = {0};
		socklen_t l = sizeof(ss);

		memcpy(&to, m->msg_name, MIN(m->msg_namelen, sizeof(to)));
		if (op_getpeername(fd, t, (struct sockaddr *)&ss, &l) < 0 ||
		    memcmp(&ss, &to, t & TAG_V6 ? 8 + 16 : 8) != 0)
			return -EISCONN;
	}
	for (size_t i = 0; i < m->msg_iovlen; i++)
		bytes += m->msg_iov[i].iov_len;
	if (bytes > (t & TAG_V6 ? DATAGRAM6_MAX : DATAGRAM_MAX))
		return -EMSGSIZE;
	n = sys_sendmsg(fd, &plain, flags | MSG_NOSIGNAL);
	return n < 0 ? send_errno(errno) : n;
}

ssize_t dgram_send(int fd, uint64_t t, const struct msghdr *m, int flags)
{
	struct proto_dgram h = {.type = PROTO_D_DATA, .ttl = -1, .tos = -1};
	struct ip_port to;
	struct vec x;
	ssize_t n;
	int r;

	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	flags &= MSG_DONTWAIT | MSG_NOSIGNAL;
	r = dgram_attach(fd, &t);
	if (r < 0)
		return r;
	if (tag_state(t) == TAG_CONNECTED)
		return send_native(fd, t, m, flags);
	r = check_dest(fd, t, m, &to);
	if (r == 0)
		r = read_cmsgs(t, m, &h);
	if (r == 0)
		r = vec_make(&x, &h, sizeof(h), m);
	if (r < 0)
		return r;
	proto_addr_put(&to, &h.remote);
	if (x.bytes > (t & TAG_V6 ? DATAGRAM6_MAX : DATAGRAM_MAX)) {
		n = -EMSGSIZE;
	} else {
		struct msghdr mm = {.msg_iov = x.v, .msg_iovlen = x.n};

		n = sys_sendmsg(fd, &mm, flags | MSG_NOSIGNAL);
		n = n < 0 ? send_errno(errno) : MAX(n - (ssize_t)sizeof(h), 0);
	}
	vec_free(&x);
	return n;
}

/* ---- receive
 * ------------------------------------------------------------------------------
 */

static void add_cmsg(struct msghdr *m, size_t *used, int level, int type,
		     const void *data, size_t len)
{
	struct cmsghdr *c;

	if (!m->msg_control || *used + CMSG_SPACE(len) > m->msg_controllen) {
		m->msg_flags |= MSG_CTRUNC;
		return;
	}
	c = (struct cmsghdr *)(void *)((char *)m->msg_control + *used);
	memset(c, 0, CMSG_SPACE(len));
	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
	*used += CMSG_SPACE(len);
}

static void add_pktinfo(uint64_t t, const struct proto_dgram *h,
			struct msghdr *m, size_t *used)
{
	struct ip_port local;

	if (proto_addr_get(&h->local, &local) < 0)
		return;
	if (t & TAG_PKTINFO) {
		struct ip_addr a = ip_is_v4_mapped(&local.addr)
					   ? ip_mapped_to_v4(&local.addr)
					   : local.addr;
		struct in_pktinfo pi = {.ipi_ifindex = (int)h->ifindex};

		if (a.family == IP_V4) {
			memcpy(&pi.ipi_addr, a.b, 4);
			memcpy(&pi.ipi_spec_dst, a.b, 4);
			add_cmsg(m, used, IPPROTO_IP, IP_PKTINFO, &pi,
				 sizeof(pi));
		}
	}
	if (t & TAG_PKTINFO6 && local.addr.family == IP_V6) {
		struct in6_pktinfo pi = {.ipi6_ifindex = h->ifindex};

		memcpy(&pi.ipi6_addr, local.addr.b, 16);
		add_cmsg(m, used, IPPROTO_IPV6, IPV6_PKTINFO, &pi, sizeof(pi));
	}
}

static void add_all(uint64_t t, const struct proto_dgram *h, struct msghdr *m,
		    size_t cap)
{
	/* the kernel's own (SO_TIMESTAMP) come first */
	size_t used = m->msg_controllen;
	int ttl = h->ttl, tos = h->tos;
	uint8_t tos8 = (uint8_t)h->tos;

	m->msg_controllen = cap;
	if (t & (TAG_PKTINFO | TAG_PKTINFO6))
		add_pktinfo(t, h, m, &used);
	if (t & TAG_RECVTTL)
		add_cmsg(m, &used, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
	if (t & TAG_RECVTOS)
		add_cmsg(m, &used, IPPROTO_IP, IP_TOS, &tos8, sizeof(tos8));
	if (t & TAG_RECVHOPS)
		add_cmsg(m, &used, IPPROTO_IPV6, IPV6_HOPLIMIT, &ttl,
			 sizeof(ttl));
	if (t & TAG_RECVTCLASS)
		add_cmsg(m, &used, IPPROTO_IPV6, IPV6_TCLASS, &tos,
			 sizeof(tos));
	m->msg_controllen = used;
}

static void name_out(uint64_t t, const struct ip_port *p, struct msghdr *m)
{
	socklen_t l = m->msg_namelen;

	if (!m->msg_name)
		return;
	op_put_addr(p, t & TAG_V6, m->msg_name, &l);
	m->msg_namelen = l;
}

static ssize_t recv_connected(int fd, uint64_t t, struct msghdr *m, int flags)
{
	struct msghdr plain = *m;
	ssize_t n;

	plain.msg_name = NULL;
	plain.msg_namelen = 0;
	n = sys_recvmsg(fd, &plain, flags);
	if (n < 0)
		return -errno;
	if (n == 0) {
		/* a zero-length datagram, or word of an ICMP error */
		int e = op_error(fd, t);

		if (e)
			return -e;
	}
	m->msg_controllen = plain.msg_controllen;
	m->msg_flags = plain.msg_flags;
	if (m->msg_name) {
		socklen_t l = m->msg_namelen;

		if (op_getpeername(fd, t, m->msg_name, &l) < 0)
			l = 0;
		m->msg_namelen = l;
	}
	return n;
}

static ssize_t recv_headed(int fd, uint64_t t, struct msghdr *m, int flags)
{
	struct proto_dgram h;
	struct ip_port from = {0};
	struct msghdr mm;
	struct vec x;
	ssize_t n;
	int r = vec_make(&x, &h, sizeof(h), m);

	if (r < 0)
		return r;
	do {
		mm = (struct msghdr){.msg_iov = x.v,
				     .msg_iovlen = x.n,
				     .msg_control = m->msg_control,
				     .msg_controllen = m->msg_controllen};
		memset(&h, 0, sizeof(h));
		n = sys_recvmsg(fd, &mm, flags);
		/* a mark that belongs to a connect() of another thread, or no
		 * datagram of ours: look for the next one */
	} while (n > 0 && (n < (ssize_t)sizeof(h) || h.type != PROTO_D_DATA) &&
		 !(flags & MSG_PEEK));
	vec_free(&x);
	if (n < 0)
		return -errno;
	if (n < (ssize_t)sizeof(h)) /* shut down, or the stack has gone */
		return tag_get(fd, &t) && t & TAG_SHUT ? 0 : -ENETDOWN;
	r = proto_addr_get(&h.remote, &from);
	if (r == 0)
		name_out(t, &from, m);
	add_all(t, &h, &mm, m->msg_controllen);
	m->msg_controllen = mm.msg_controllen;
	m->msg_flags = mm.msg_flags;
	return n - (ssize_t)sizeof(h);
}

ssize_t dgram_recv(int fd, uint64_t t, struct msghdr *m, int flags)
{
	int r = dgram_attach(fd, &t);

	if (r < 0)
		return r;
	if (flags & MSG_ERRQUEUE)
		return -EAGAIN;
	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	return tag_state(t) == TAG_CONNECTED ? recv_connected(fd, t, m, flags)
					     : recv_headed(fd, t, m, flags);
}
