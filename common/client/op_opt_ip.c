/*
 * op_opt_ip.c: options of the levels IPPROTO_IP and IPPROTO_IPV6.
 */
#include "client/op.h"
#include "client/opt.h"
#include "client/sys.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

/* ---- values
 * -------------------------------------------------------------------- */

/* Linux takes an int or a single byte for most of these. */
static int int_or_byte(const void *val, socklen_t len, int *ret)
{
	uint8_t b;

	if (len >= sizeof(int))
		return opt_int(val, len, ret);
	if (len < 1)
		return -EINVAL;
	if (!val)
		return -EFAULT;
	memcpy(&b, val, 1);
	*ret = b;
	return 0;
}

static int put_int_or_byte(int v, void *val, socklen_t *len)
{
	uint8_t b = (uint8_t)v;

	if (*len > 0 && *len < sizeof(int) && v >= 0 && v <= 255)
		return opt_put(&b, 1, val, len);
	return opt_put_int(v, val, len);
}

static int set_flag(int fd, uint64_t t, uint64_t bit, const void *val,
		    socklen_t len)
{
	int v, r = int_or_byte(val, len, &v);

	if (r == 0)
		opt_note(fd, &t, bit, v != 0);
	return r;
}

/* Errors of the network, soft ones too: the stack must know (RFC 1122
 * 4.1.3.3). */
static int set_recverr(int fd, uint64_t t, uint64_t bit, const void *val,
		       socklen_t len)
{
	int v, r = int_or_byte(val, len, &v);

	if (r < 0)
		return r;
	opt_note(fd, &t, bit, v != 0);
	return t & TAG_DGRAM ? op_ctl_set(fd, &t, OPT_RECVERR, v != 0, true)
			     : 0;
}

static int set_ranged(int fd, uint64_t t, int name, const void *val,
		      socklen_t len, int lo, int hi)
{
	int v, r = int_or_byte(val, len, &v);

	if (r < 0)
		return r;
	if (v < lo || v > hi)
		return -EINVAL;
	return op_ctl_set(fd, &t, name, v, false);
}

static int get_remote(int fd, uint64_t t, int name, int dflt, void *val,
		      socklen_t *len)
{
	int64_t v = dflt;

	if (t & TAG_KNOWN)
		(void)!op_ctl_get(fd, &t, name, &v);
	return put_int_or_byte((int)v, val, len);
}

static int set_tos(int fd, uint64_t t, const void *val, socklen_t len)
{
	int v, r = int_or_byte(val, len, &v);

	if (r < 0)
		return r;
	v &= t & TAG_DGRAM ? 0xff : 0xfc; /* the ECN bits are TCP's */
	t = tag_set_field(t, TAG_TOS_SHIFT, 8, (unsigned)v);
	tag_put(fd, t);
	return t & TAG_KNOWN ? op_ctl_set(fd, &t, OPT_TOS, v, false) : 0;
}

static int get_mtu(int fd, uint64_t t, void *val, socklen_t *len)
{
	struct proto_req rq = {.op = PROTO_MTU};
	struct proto_rep rep;
	int r = t & TAG_KNOWN ? op_ctl(fd, &t, &rq, &rep, NULL, 0) : -ENOTCONN;

	return r < 0 ? r : opt_put_int((int)rep.value, val, len);
}

static int accepted(const void *val, socklen_t len)
{
	int v;

	return int_or_byte(val, len, &v);
}

/* ---- groups
 * ---------------------------------------------------------------------- */

static int group(int fd, uint64_t t, bool join, const struct ip_addr *g,
		 uint32_t ifindex)
{
	struct proto_req rq = {.op = join ? PROTO_JOIN : PROTO_LEAVE,
			       .ifindex = ifindex};
	struct ip_port p = {.addr = *g};
	struct proto_rep rep;

	if (!(t & TAG_DGRAM))
		return -EPROTO;
	proto_addr_put(&p, &rq.addr);
	return op_ctl(fd, &t, &rq, &rep, NULL, 0);
}

/* The interface that owns an address, for the old calls. 0 = none. */
static uint32_t if_of(uint64_t t, const struct in_addr *a)
{
	struct proto_req rq = {.op = PROTO_IFS, .flags = PROTO_F_NOSOCK};
	struct proto_rep rep = {0};
	struct proto_if ifs[64];

	if (a->s_addr == INADDR_ANY ||
	    ctl_call(tag_id(t), -1, &rq, &rep, ifs, sizeof(ifs)) < 0)
		return 0;
	for (size_t i = 0; i < rep.data_len / sizeof(ifs[0]); i++) {
		if (ifs[i].addr.family == IP_V4 &&
		    !memcmp(ifs[i].addr.b, &a->s_addr, 4))
			return ifs[i].ifindex;
	}
	return 0;
}

static int membership(int fd, uint64_t t, bool join, const void *val,
		      socklen_t len)
{
	struct ip_mreqn m = {0};
	struct ip_addr g;

	if (len < sizeof(struct ip_mreq))
		return -EINVAL;
	memcpy(&m, val, MIN(len, sizeof(m)));
	if (len < sizeof(m))
		m.imr_ifindex = 0;
	g = ip_from_bytes(IP_V4, (const uint8_t *)&m.imr_multiaddr);
	if (!m.imr_ifindex && m.imr_address.s_addr != INADDR_ANY) {
		m.imr_ifindex = (int)if_of(t, &m.imr_address);
		if (!m.imr_ifindex)
			return -ENODEV;
	}
	return group(fd, t, join, &g, (uint32_t)m.imr_ifindex);
}

static int group_req(int fd, uint64_t t, bool join, const void *val,
		     socklen_t len)
{
	struct group_req g;
	struct ip_port p;

	if (len < sizeof(g))
		return -EINVAL;
	memcpy(&g, val, sizeof(g));
	if (ip_port_from_sockaddr((struct sockaddr *)&g.gr_group,
				  sizeof(g.gr_group), &p) < 0)
		return -EADDRNOTAVAIL;
	return group(fd, t, join, &p.addr, g.gr_interface);
}

static int mreq6(int fd, uint64_t t, bool join, const void *val, socklen_t len)
{
	struct ipv6_mreq m;
	struct ip_addr g;

	if (len < sizeof(m))
		return -EINVAL;
	memcpy(&m, val, sizeof(m));
	g = ip_from_bytes(IP_V6, m.ipv6mr_multiaddr.s6_addr);
	return group(fd, t, join, &g, m.ipv6mr_interface);
}

static int mcast_if(int fd, uint64_t t, const void *val, socklen_t len)
{
	struct ip_mreqn m = {0};
	uint32_t ifindex;

	if (len >= sizeof(m)) {
		memcpy(&m, val, sizeof(m));
	} else if (len >= sizeof(struct ip_mreq)) {
		memcpy(&m, val, sizeof(struct ip_mreq));
	} else if (len >= sizeof(struct in_addr)) {
		memcpy(&m.imr_address, val, sizeof(m.imr_address));
	} else {
		return -EINVAL;
	}
	ifindex = (uint32_t)m.imr_ifindex;
	if (!ifindex && m.imr_address.s_addr != INADDR_ANY) {
		ifindex = if_of(t, &m.imr_address);
		if (!ifindex)
			return -EADDRNOTAVAIL;
	}
	return op_ctl_set(fd, &t, OPT_MCAST_IF, ifindex, true);
}

/* ---- IPPROTO_IP
 * ------------------------------------------------------------------------ */

static int set_ip_more(int fd, uint64_t t, int name, const void *val,
		       socklen_t len)
{
	switch (name) {
	case IP_MULTICAST_TTL:
		if (!(t & TAG_DGRAM))
			return -EINVAL;
		return set_ranged(fd, t, OPT_MCAST_TTL, val, len, -1, 255);
	case IP_MULTICAST_LOOP:
		return set_ranged(fd, t, OPT_MCAST_LOOP, val, len, 0, 255);
	case IP_MULTICAST_IF:
		return t & TAG_DGRAM ? mcast_if(fd, t, val, len) : -EINVAL;
	case IP_ADD_MEMBERSHIP:
	case IP_DROP_MEMBERSHIP:
		return membership(fd, t, name == IP_ADD_MEMBERSHIP, val, len);
	case MCAST_JOIN_GROUP:
	case MCAST_LEAVE_GROUP:
		return group_req(fd, t, name == MCAST_JOIN_GROUP, val, len);
	case IP_ADD_SOURCE_MEMBERSHIP:
	case IP_DROP_SOURCE_MEMBERSHIP:
	case IP_BLOCK_SOURCE:
	case IP_UNBLOCK_SOURCE:
	case MCAST_JOIN_SOURCE_GROUP:
	case MCAST_LEAVE_SOURCE_GROUP:
	case MCAST_BLOCK_SOURCE:
	case MCAST_UNBLOCK_SOURCE:
		return -EOPNOTSUPP;
	case IP_TRANSPARENT:
		return -EPERM;
	case IP_RECVOPTS:
	case IP_RETOPTS:
	case IP_BIND_ADDRESS_NO_PORT:
	case IP_MULTICAST_ALL:
	case IP_MINTTL:
	case IP_ROUTER_ALERT:
	case IP_RECVORIGDSTADDR:
		return accepted(val, len);
	case IP_OPTIONS:
		return len == 0 ? 0 : -EINVAL;
	default:
		return -ENOPROTOOPT;
	}
}

int opt_set_ip(int fd, uint64_t t, int name, const void *val, socklen_t len)
{
	switch (name) {
	case IP_TOS:
		return set_tos(fd, t, val, len);
	case IP_TTL: {
		int v, r = int_or_byte(val, len, &v);

		if (r < 0)
			return r;
		if (v != -1 && (v < 1 || v > 255))
			return -EINVAL;
		return op_ctl_set(fd, &t, OPT_TTL, v, false);
	}
	case IP_MTU_DISCOVER:
		return set_ranged(fd, t, OPT_MTU_DISCOVER, val, len, 0, 5);
	case IP_FREEBIND:
		return set_ranged(fd, t, OPT_FREEBIND, val, len, 0, INT32_MAX);
	case IP_RECVERR:
		return set_recverr(fd, t, TAG_RECVERR, val, len);
	case IP_PKTINFO:
		return set_flag(fd, t, TAG_PKTINFO, val, len);
	case IP_RECVTTL:
		return set_flag(fd, t, TAG_RECVTTL, val, len);
	case IP_RECVTOS:
		return set_flag(fd, t, TAG_RECVTOS, val, len);
	default:
		return set_ip_more(fd, t, name, val, len);
	}
}

int opt_get_ip(int fd, uint64_t t, int name, void *val, socklen_t *len)
{
	int64_t v = -1;

	switch (name) {
	case IP_TOS:
		return put_int_or_byte((int)tag_field(t, TAG_TOS_SHIFT, 8), val,
				       len);
	case IP_TTL:
		if (t & TAG_KNOWN)
			(void)!op_ctl_get(fd, &t, OPT_TTL, &v);
		return put_int_or_byte(v < 0 ? 64 : (int)v, val, len);
	case IP_MTU_DISCOVER:
		return get_remote(fd, t, OPT_MTU_DISCOVER, 1, val, len);
	case IP_MTU:
		return get_mtu(fd, t, val, len);
	case IP_FREEBIND:
		return get_remote(fd, t, OPT_FREEBIND, 0, val, len);
	case IP_RECVERR:
		return put_int_or_byte(!!(t & TAG_RECVERR), val, len);
	case IP_PKTINFO:
		return put_int_or_byte(!!(t & TAG_PKTINFO), val, len);
	case IP_RECVTTL:
		return put_int_or_byte(!!(t & TAG_RECVTTL), val, len);
	case IP_RECVTOS:
		return put_int_or_byte(!!(t & TAG_RECVTOS), val, len);
	case IP_MULTICAST_TTL:
		return get_remote(fd, t, OPT_MCAST_TTL, 1, val, len);
	case IP_MULTICAST_LOOP:
		return get_remote(fd, t, OPT_MCAST_LOOP, 1, val, len);
	case IP_OPTIONS:
		*len = 0;
		return 0;
	case IP_TRANSPARENT:
	case IP_RECVOPTS:
	case IP_RETOPTS:
	case IP_BIND_ADDRESS_NO_PORT:
	case IP_MINTTL:
		return put_int_or_byte(0, val, len);
	case IP_MULTICAST_ALL:
		return put_int_or_byte(1, val, len);
	default:
		return -ENOPROTOOPT;
	}
}

/* ---- IPPROTO_IPV6
 * -------------------------------------------------------------------------- */

static int set_v6only(int fd, uint64_t t, const void *val, socklen_t len)
{
	int v, r = opt_int(val, len, &v);

	if (r < 0)
		return r;
	if (tag_state(t) != TAG_FRESH)
		return -EINVAL;
	opt_note(fd, &t, TAG_V6ONLY, v != 0);
	return t & TAG_KNOWN ? op_ctl_set(fd, &t, OPT_V6ONLY, v != 0, true) : 0;
}

static int set_tclass(int fd, uint64_t t, const void *val, socklen_t len)
{
	int v, r = opt_int(val, len, &v);

	if (r < 0)
		return r;
	if (v < -1 || v > 255)
		return -EINVAL;
	v = MAX(v, 0);
	return set_tos(fd, t, &v, sizeof(v));
}

static int set_ipv6_more(int fd, uint64_t t, int name, const void *val,
			 socklen_t len)
{
	switch (name) {
	case IPV6_MULTICAST_HOPS:
		if (!(t & TAG_DGRAM))
			return -ENOPROTOOPT;
		return set_ranged(fd, t, OPT_MCAST_TTL, val, len, -1, 255);
	case IPV6_MULTICAST_LOOP:
		return set_ranged(fd, t, OPT_MCAST_LOOP, val, len, 0, 1);
	case IPV6_MULTICAST_IF:
		if (!(t & TAG_DGRAM))
			return -ENOPROTOOPT;
		return set_ranged(fd, t, OPT_MCAST_IF, val, len, 0, INT32_MAX);
	case IPV6_JOIN_GROUP:
	case IPV6_LEAVE_GROUP:
		return mreq6(fd, t, name == IPV6_JOIN_GROUP, val, len);
	case MCAST_JOIN_GROUP:
	case MCAST_LEAVE_GROUP:
		return group_req(fd, t, name == MCAST_JOIN_GROUP, val, len);
	case IPV6_FREEBIND:
		return set_ranged(fd, t, OPT_FREEBIND, val, len, 0, INT32_MAX);
	case IPV6_TRANSPARENT:
		return -EPERM;
	case IPV6_DONTFRAG:
	case IPV6_AUTOFLOWLABEL:
	case IPV6_ADDR_PREFERENCES:
	case IPV6_MINHOPCOUNT:
	case IPV6_MULTICAST_ALL:
	case IPV6_RECVPATHMTU:
	case IPV6_RECVORIGDSTADDR:
		return accepted(val, len);
	default:
		return -ENOPROTOOPT;
	}
}

int opt_set_ipv6(int fd, uint64_t t, int name, const void *val, socklen_t len)
{
	switch (name) {
	case IPV6_V6ONLY:
		return set_v6only(fd, t, val, len);
	case IPV6_TCLASS:
		return set_tclass(fd, t, val, len);
	case IPV6_UNICAST_HOPS: {
		int v, r = opt_int(val, len, &v);

		if (r < 0)
			return r;
		if (v < -1 || v > 255)
			return -EINVAL;
		/* 0 cannot be sent; Linux takes it and sends nothing */
		return op_ctl_set(fd, &t, OPT_TTL, v == 0 ? 1 : v, false);
	}
	case IPV6_MTU_DISCOVER:
		return set_ranged(fd, t, OPT_MTU_DISCOVER, val, len, 0, 5);
	case IPV6_RECVERR:
		return set_recverr(fd, t, TAG_ALL_ERRORS, val, len);
	case IPV6_RECVPKTINFO:
		return set_flag(fd, t, TAG_PKTINFO6, val, len);
	case IPV6_RECVHOPLIMIT:
		return set_flag(fd, t, TAG_RECVHOPS, val, len);
	case IPV6_RECVTCLASS:
		return set_flag(fd, t, TAG_RECVTCLASS, val, len);
	default:
		return set_ipv6_more(fd, t, name, val, len);
	}
}

int opt_get_ipv6(int fd, uint64_t t, int name, void *val, socklen_t *len)
{
	int64_t v = -1;

	switch (name) {
	case IPV6_V6ONLY:
		return opt_put_int(!!(t & TAG_V6ONLY), val, len);
	case IPV6_TCLASS:
		return opt_put_int((int)tag_field(t, TAG_TOS_SHIFT, 8), val,
				   len);
	case IPV6_UNICAST_HOPS:
		if (t & TAG_KNOWN)
			(void)!op_ctl_get(fd, &t, OPT_TTL, &v);
		return opt_put_int(v < 0 ? 64 : (int)v, val, len);
	case IPV6_MTU_DISCOVER:
		return get_remote(fd, t, OPT_MTU_DISCOVER, 1, val, len);
	case IPV6_MTU:
		return get_mtu(fd, t, val, len);
	case IPV6_RECVERR:
		return opt_put_int(!!(t & TAG_ALL_ERRORS), val, len);
	case IPV6_RECVPKTINFO:
		return opt_put_int(!!(t & TAG_PKTINFO6), val, len);
	case IPV6_RECVHOPLIMIT:
		return opt_put_int(!!(t & TAG_RECVHOPS), val, len);
	case IPV6_RECVTCLASS:
		return opt_put_int(!!(t & TAG_RECVTCLASS), val, len);
	case IPV6_MULTICAST_HOPS:
		return get_remote(fd, t, OPT_MCAST_TTL, 1, val, len);
	case IPV6_MULTICAST_LOOP:
		return get_remote(fd, t, OPT_MCAST_LOOP, 1, val, len);
	case IPV6_MULTICAST_IF:
		return get_remote(fd, t, OPT_MCAST_IF, 0, val, len);
	case IPV6_FREEBIND:
		return get_remote(fd, t, OPT_FREEBIND, 0, val, len);
	case IPV6_TRANSPARENT:
	case IPV6_DONTFRAG:
	case IPV6_AUTOFLOWLABEL:
	case IPV6_ADDR_PREFERENCES:
		return opt_put_int(0, val, len);
	default:
		return -ENOPROTOOPT;
	}
}
