/* What both ICMPs share: when an error may be sent, and how fast. */
#include "wire/icmp.h"

#include "ip/ip_int.h"
#include "wire/ipv6.h"

#include <string.h>

#define BURST 50
/* [RFC1812 4.3.2.3] [RFC4443 2.4 c] as much of the sufferer as fits these */
#define ERROR_MAX_V4 576
#define ERROR_MAX_V6 IPV6_MTU_MIN

/*
 * [RFC1812 4.3.2.8] [RFC4443 2.4 f] A token bucket. Its size wavers by a few
 * tokens each time it is full: a fixed size would let a stranger count, and
 * so learn which of our ports are open.
 */
static bool take_token(struct ip_stack *ips, mono_t now)
{
	struct ip_bucket *b = &ips->icmp_bucket;
	uint64_t ns = now.ns - b->filled.ns, rate = ips->tune.icmp_errors_per_s;
	uint64_t full = 1000 * BURST, gain;

	if (!rate)
		return false;
	/* a minute fills any bucket, and the product stays small */
	gain = MIN(ns, 60000000000u) * rate / 1000000;
	if (gain) {
		b->milli += gain;
		b->filled = now;
	}
	if (b->milli >= full)
		b->milli = full - 1000 * ip_random(ips, 0, 3);
	if (b->milli < 1000) {
		ips->drops[IP_DROP_RATE_LIMIT]++;
		return false;
	}
	b->milli -= 1000;
	return true;
}

static bool is_error_type(uint8_t family, uint8_t type)
{
	if (family == IP_V6)
		return type < 128 || type == ICMP6_REDIRECT;
	return type == ICMP4_UNREACH || type == ICMP4_SOURCE_QUENCH ||
	       type == ICMP4_REDIRECT || type == ICMP4_TIME_EXCEEDED ||
	       type == ICMP4_PARAM_PROBLEM;
}

/* Is the packet an ICMP error itself, behind whatever extension headers? An
 * unfinished chain counts as one: better silent than in a loop. */
static bool is_error(const struct ip_in *in)
{
	struct pkt *p = in->p;
	const uint8_t *at = pkt_data(p);
	uint32_t len = p->len;
	uint8_t proto = in->proto;

	while (in->src.family == IP_V6 &&
	       (proto == IPV6_NH_HOPOPTS || proto == IPV6_NH_ROUTING ||
		proto == IPV6_NH_DSTOPTS || proto == IPV6_NH_FRAGMENT)) {
		int ext = proto == IPV6_NH_FRAGMENT ? IPV6_FRAG_LEN
						    : ipv6_ext_len(at, len);

		if (ext < 0 || (uint32_t)ext > len)
			return true;
		proto = at[0];
		at += ext;
		len -= (uint32_t)ext;
	}
	if (proto !=
	    (in->src.family == IP_V4 ? IP_PROTO_ICMP : IP_PROTO_ICMPV6))
		return false;
	return len == 0 || is_error_type(in->src.family, at[0]);
}

/* [RFC1122 3.2.2] [RFC4443 2.4 e] what must never be answered by an error.
 * Non-first fragments never get here: reassembly stands before. */
static bool may_answer(const struct ip_stack *ips, const struct ip_in *in,
		       uint8_t type, uint8_t code)
{
	bool to_group_ok = in->src.family == IP_V6 &&
			   type == ICMP6_PARAM_PROBLEM &&
			   code == ICMP6_PARAM_OPTION;

	if ((in->multicast || in->p->l2_multicast) && !to_group_ok)
		return false;
	if (ip_is_any(&in->src) || ip_is_multicast(&in->src) ||
	    ip_is_local_broadcast(ips, NULL, &in->src))
		return false;
	return !is_error(in);
}

/* [RFC4443 2.2] */
static bool error_path(struct ip_stack *ips, const struct ip_in *in,
		       struct ip_path *ret)
{
	const struct ip_addr *src = in->multicast ? NULL : &in->dst;
	uint32_t ifindex = 0;

	if (in->src.family == IP_V6 && ip_is_link_local(&in->src))
		ifindex = in->ifc->index;
	return ip_path(ips, &in->src, src, ifindex, ret) == 0;
}

/* [RFC1122 3.3.8] [RFC4443 2.1] */
void ip_icmp_error(struct ip_stack *ips, const struct ip_in *in, uint8_t type,
		   uint8_t code, uint32_t arg, mono_t now)
{
	bool v4 = in->src.family == IP_V4;
	uint32_t max = v4 ? ERROR_MAX_V4 - 28 : ERROR_MAX_V6 - 48;
	uint32_t len = in->p->off + in->p->len - in->l3_off;
	uint8_t hdr[ICMP_HDR_LEN] = {
		type,
		code,
		0,
		0,
		(uint8_t)(arg >> 24),
		(uint8_t)(arg >> 16),
		(uint8_t)(arg >> 8),
		(uint8_t)arg,
	};
	struct iovec quote = {
		.iov_base = in->p->buf + in->l3_off,
		.iov_len = MIN(len, max),
	};
	struct ip_path path;

	if (!may_answer(ips, in, type, code) || !take_token(ips, now))
		return;
	if (!error_path(ips, in, &path)) {
		ips->drops[IP_DROP_NO_ROUTE]++;
		return;
	}
	/* [RFC1812 4.3.2.5] precedence internet control */
	(void)!ip_own_icmp(ips, &path, 0, v4 ? 0xc0 : 0, hdr, &quote, now);
}

/* [RFC1122 4.1.3.1] [RFC4443 3.1] */
void ip_unreachable_port(struct ip_stack *ips, const struct ip_rx *rx,
			 mono_t now)
{
	struct ip_in in = {
		.ifc = ip_iface_get(ips, rx->ifindex),
		.p = rx->pkt,
		.src = rx->src,
		.dst = rx->dst,
		.proto = rx->proto,
		.multicast = rx->multicast,
		.l3_off = rx->pkt->off - rx->l3_len,
	};

	if (!in.ifc)
		return;
	if (rx->src.family == IP_V4)
		ip_icmp_error(ips, &in, ICMP4_UNREACH, ICMP4_UNREACH_PORT, 0,
			      now);
	else
		ip_icmp_error(ips, &in, ICMP6_UNREACH, ICMP6_UNREACH_PORT, 0,
			      now);
}
