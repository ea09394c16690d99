/* ICMPv6 in (RFC 4443). */
#include "ip/ip_int.h"
#include "wire/checksum.h"
#include "wire/icmp.h"
#include "wire/ipv6.h"

#include <errno.h>
#include <string.h>

static const struct {
	int error;
	bool hard;
} unreach[] = {
	{ENETUNREACH, false},  /* no route */
	{EACCES, true},        /* administratively prohibited */
	{EHOSTUNREACH, false}, /* beyond scope of source */
	{EHOSTUNREACH, false}, /* address */
	{ECONNREFUSED, true},  /* port */
	{EACCES, true},        /* source failed policy */
	{EACCES, true},        /* reject route */
};

/* [RFC4443 2.4 a] [RFC4443 3.2, 3.3, 3.4] */
static void error_event(uint8_t type, uint8_t code, struct ip_event *ev)
{
	ev->kind = IP_EV_UNREACH;
	switch (type) {
	case ICMP6_UNREACH:
		ev->error = EHOSTUNREACH;
		if (code < ARRAY_SIZE(unreach)) {
			ev->error = unreach[code].error;
			ev->hard = unreach[code].hard;
		}
		return;
	case ICMP6_TOO_BIG:
		ev->kind = IP_EV_PMTU;
		ev->error = EMSGSIZE;
		return;
	case ICMP6_PARAM_PROBLEM:
		ev->error = EPROTO;
		ev->hard = true;
		return;
	default:
		ev->error = EHOSTUNREACH;
		return;
	}
}

/* [RFC4443 2.4 d] [RFC4443 5.2] */
static bool error_input(struct ip_stack *ips, const struct ip_in *in,
			const uint8_t *msg, size_t len)
{
	struct ip_event ev = {
		.reporter = in->src,
		.icmp_type = msg[0],
		.icmp_code = msg[1],
		.ifindex = in->ifc->index,
	};

	if (!ip_quote_parse(msg + ICMP_HDR_LEN, len - ICMP_HDR_LEN, &ev) ||
	    ev.local.family != IP_V6 || !ip_addr_is_local(ips, &ev.local))
		return false;
	error_event(msg[0], msg[1], &ev);
	if (ev.kind == IP_EV_PMTU) {
		ev.mtu = (uint32_t)msg[4] << 24 | (uint32_t)msg[5] << 16 |
			 (uint32_t)msg[6] << 8 | msg[7];
		/* [RFC8201 4] [RFC8021] less than every link has: a lie */
		if (ev.mtu < IPV6_MTU_MIN)
			return false;
	}
	ip_event_push(ips, &ev);
	return true;
}

/* [RFC4443 4.2] [RFC8200 7, 8.4] */
static void echo_input(struct ip_stack *ips, const struct ip_in *in,
		       uint8_t *msg, size_t len, mono_t now)
{
	const struct ip_addr *src = in->multicast ? NULL : &in->dst;
	uint8_t hdr[ICMP_HDR_LEN] = {ICMP6_ECHO_REPLY};
	struct iovec data = {
		.iov_base = msg + ICMP_HDR_LEN,
		.iov_len = len - ICMP_HDR_LEN,
	};
	struct ip_path path;
	uint32_t ifindex = ip_is_link_local(&in->src) ? in->ifc->index : 0;

	if (ip_is_any(&in->src))
		return;
	if (ip_path(ips, &in->src, src, ifindex, &path) < 0) {
		ips->drops[IP_DROP_NO_ROUTE]++;
		return;
	}
	memcpy(hdr + 4, msg + 4, 4);
	(void)!ip_own_icmp(ips, &path, 0, in->tos, hdr, &data, now);
}

/* [RFC4443 2.3] */
static bool csum_ok(const struct ip_in *in)
{
	struct pkt *p = in->p;
	uint64_t sum;

	if (p->csum == PKT_CSUM_OK)
		return true;
	sum = csum_pseudo(&in->src, &in->dst, IP_PROTO_ICMPV6, p->len);
	return csum_finish(csum_add(sum, pkt_data(p), p->len)) == 0;
}

/* Messages that concern the link; these take the packet. */
static bool link_input(struct ip_stack *ips, struct ip_in *in, uint8_t type,
		       mono_t now)
{
	switch (type) {
	case ICMP6_MLD_QUERY:
	case ICMP6_MLD_REPORT:
		ip_mld_input(ips, in, now);
		return true;
	case ICMP6_RS:
	case ICMP6_RA:
	case ICMP6_NS:
	case ICMP6_NA:
	case ICMP6_REDIRECT:
		ip_nd_input(ips, in, now);
		return true;
	default:
		return false;
	}
}

void ip_icmp6_input(struct ip_stack *ips, struct ip_in *in, mono_t now)
{
	struct pkt *p = in->p;
	uint8_t *msg = pkt_data(p);
	bool good = true;

	ips->count.icmp_in++;
	if (p->len < ICMP_HDR_LEN) {
		ip_drop(ips, p, IP_DROP_SHORT);
		return;
	}
	if (!csum_ok(in)) {
		ip_drop(ips, p, IP_DROP_BAD_CSUM);
		return;
	}
	if (link_input(ips, in, msg[0], now))
		return;
	switch (msg[0]) {
	case ICMP6_ECHO:
		echo_input(ips, in, msg, p->len, now);
		break;
	case ICMP6_ECHO_REPLY:
		ip_ping_reply(ips, in, msg, p->len, now);
		break;
	case ICMP6_UNREACH:
	case ICMP6_TOO_BIG:
	case ICMP6_TIME_EXCEEDED:
	case ICMP6_PARAM_PROBLEM:
		good = error_input(ips, in, msg, p->len);
		break;
	default: /* [RFC4443 2.4 b] */
		break;
	}
	if (good)
		pkt_free(ips->env.pool, p);
	else
		ip_drop(ips, p, IP_DROP_ICMP_INVALID);
}
