/* IPv6 in: header, whose it is, the chain of extension headers (RFC 8200). */
#include "ip/ip_int.h"
#include "wire/icmp.h"
#include "wire/ipv6.h"

#include <errno.h>

/* Extension headers a packet may have before it is taken for an attack
 * [RFC8504 5.3]. */
#define CHAIN_MAX 8

static bool src_ok(const struct ip_stack *ips, const struct ip_in *in)
{
	const struct ip_ifaddr *ia;

	if (ip_is_multicast(&in->src))
		return false;
	if (in->loopback)
		return true;
	if (ip_is_loopback(&in->src) || ip_is_v4_mapped(&in->src))
		return false;
	ia = ip_ifaddr_find(ips, &in->src);
	return !ia || !ip_ifaddr_usable(ia);
}

static bool group_ours(const struct ip_stack *ips, const struct ip_in *in)
{
	unsigned scope = in->dst.b[1] & 0x0f;

	/* [RFC4291 2.7] reserved scope; interface-local stays inside */
	if (scope == 0 || (scope == 1 && !in->loopback))
		return false;
	return ip_group_member(ips, in->loopback ? NULL : in->ifc, &in->dst);
}

/* Is the destination this host? Sets in->multicast. An address that is
 * still tentative is not [RFC4862 5.4]. */
static enum ip_drop check_dst(struct ip_stack *ips, struct ip_in *in)
{
	const struct ip_ifaddr *ia;

	if (ip_is_multicast(&in->dst)) {
		in->multicast = true;
		return group_ours(ips, in) ? IP_DROP_NONE : IP_DROP_NOT_OURS;
	}
	if (!in->loopback && ip_is_loopback(&in->dst))
		return IP_DROP_MARTIAN;
	ia = ip_ifaddr_find(ips, &in->dst);
	if (!ia || !ip_ifaddr_usable(ia))
		return IP_DROP_NOT_OURS;
	/* [RFC4007 9] a link-local address means something on its link */
	if (!in->loopback && ip_is_link_local(&in->dst) && ia->ifc != in->ifc)
		return IP_DROP_NOT_OURS;
	return IP_DROP_NONE;
}

/* Parameter problem with a pointer to buf[at], and the drop. */
static enum ip_drop problem(struct ip_stack *ips, const struct ip_in *in,
			    uint8_t code, uint32_t at, enum ip_drop why,
			    mono_t now)
{
	ip_icmp_error(ips, in, ICMP6_PARAM_PROBLEM, code, at - in->l3_off, now);
	return why;
}

/* [RFC8200 4.3, 4.6] */
static enum ip_drop options(struct ip_stack *ips, struct ip_in *in,
			    uint32_t len, mono_t now)
{
	size_t rel = 0;
	enum ipv6_options r = ipv6_options_check(pkt_data(in->p), len, &rel);
	uint32_t at = in->p->off + (uint32_t)rel;

	switch (r) {
	case IPV6_OPTIONS_OK:
		return IP_DROP_NONE;
	case IPV6_OPTIONS_PROBLEM_UNICAST:
		if (in->multicast)
			return IP_DROP_OPTION;
		return problem(ips, in, ICMP6_PARAM_OPTION, at, IP_DROP_OPTION,
			       now);
	case IPV6_OPTIONS_PROBLEM:
		return problem(ips, in, ICMP6_PARAM_OPTION, at, IP_DROP_OPTION,
			       now);
	case IPV6_OPTIONS_BAD:
		return problem(ips, in, ICMP6_PARAM_HEADER, at,
			       IP_DROP_BAD_HEADER, now);
	case IPV6_OPTIONS_DISCARD:
	case IPV6_OPTIONS_TOO_MANY:
		break;
	}
	return IP_DROP_OPTION;
}

/* Hop-by-hop, destination options, routing: same shape. */
static enum ip_drop extension(struct ip_stack *ips, struct ip_in *in,
			      mono_t now)
{
	struct pkt *p = in->p;
	int len = ipv6_ext_len(pkt_data(p), p->len);
	enum ip_drop why = IP_DROP_NONE;

	if (len < 0)
		return IP_DROP_SHORT;
	/* [RFC8200 4.4] [RFC5095 3] segments left to us mean a router */
	if (in->proto == IPV6_NH_ROUTING) {
		if (pkt_data(p)[3] != 0)
			why = problem(ips, in, ICMP6_PARAM_HEADER, p->off + 2,
				      IP_DROP_OPTION, now);
	} else {
		why = options(ips, in, (uint32_t)len, now);
		in->router_alert |=
			in->proto == IPV6_NH_HOPOPTS &&
			ipv6_has_router_alert(pkt_data(p), (size_t)len);
	}
	if (why != IP_DROP_NONE)
		return why;
	in->nh_off = p->off;
	in->proto = pkt_data(p)[0];
	pkt_pull(p, (uint32_t)len);
	return IP_DROP_NONE;
}

/* Bytes of upper-layer header that a first fragment must have. */
static uint32_t upper_min(uint8_t proto)
{
	switch (proto) {
	case IP_PROTO_TCP:
		return 20;
	case IP_PROTO_UDP:
	case IP_PROTO_ICMPV6:
		return 8;
	default:
		return 0;
	}
}

/* [RFC7112 5] the first fragment has the whole chain of headers */
static bool chain_complete(uint8_t nh, const uint8_t *data, uint32_t len)
{
	for (int n = 0; n < CHAIN_MAX; n++) {
		int ext;

		if (nh != IPV6_NH_HOPOPTS && nh != IPV6_NH_ROUTING &&
		    nh != IPV6_NH_DSTOPTS)
			return len >= upper_min(nh);
		ext = ipv6_ext_len(data, len);
		if (ext < 0)
			return false;
		nh = data[0];
		data += ext;
		len -= (uint32_t)ext;
	}
	return false;
}

static enum ip_drop check_fragment(struct ip_stack *ips, const struct ip_in *in,
				   const struct ipv6_frag *fh, mono_t now)
{
	struct pkt *p = in->p;
	uint32_t len = p->len - IPV6_FRAG_LEN;

	/* [RFC8200 4.5] eights, and no more than 65535 in all */
	if (fh->more && len % 8)
		return problem(ips, in, ICMP6_PARAM_HEADER, in->l3_off + 4,
			       IP_DROP_FRAG_BAD, now);
	if (fh->off + len + (p->off - in->l3_off) > 65535 + IPV6_HDR_LEN)
		return problem(ips, in, ICMP6_PARAM_HEADER, p->off + 2,
			       IP_DROP_FRAG_BAD, now);
	if (fh->off == 0 &&
	    !chain_complete(fh->next_header, pkt_data(p) + IPV6_FRAG_LEN, len))
		return problem(ips, in, ICMP6_PARAM_FIRST_FRAG, in->l3_off,
			       IP_DROP_FRAG_BAD, now);
	return len == 0 ? IP_DROP_FRAG_BAD : IP_DROP_NONE;
}

/*
 * A fragment header. IP_DROP_NONE: go on with in->p (which may be a new
 * packet); in->p NULL: it was kept.
 */
static enum ip_drop fragment(struct ip_stack *ips, struct ip_in *in, mono_t now)
{
	struct pkt *p = in->p;
	struct ipv6_frag fh;
	struct ip_fragment f;
	enum ip_drop why;

	if (ipv6_frag_parse(pkt_data(p), p->len, &fh) < 0)
		return IP_DROP_SHORT;
	in->fragmented = true;
	/* [RFC6946 4] atomic fragments have nothing to do with others */
	if (fh.off == 0 && !fh.more) {
		in->nh_off = p->off;
		in->proto = fh.next_header;
		pkt_pull(p, IPV6_FRAG_LEN);
		return IP_DROP_NONE;
	}
	ips->count.fragments_in++;
	why = check_fragment(ips, in, &fh, now);
	if (why != IP_DROP_NONE)
		return why;
	f = (struct ip_fragment){
		.id = fh.id,
		.off = fh.off,
		.more = fh.more,
		.proto = fh.next_header,
	};
	pkt_pull(p, IPV6_FRAG_LEN);
	if (!ip_reasm_input(ips, in, &f, now))
		in->p = NULL;
	return IP_DROP_NONE;
}

static bool walk(struct ip_stack *ips, struct ip_in *in, struct ip_rx *ret,
		 mono_t now)
{
	enum ip_drop why = IP_DROP_NONE;

	for (int n = 0; n < CHAIN_MAX; n++) {
		switch (in->proto) {
		case IPV6_NH_HOPOPTS:
			/* [RFC8200 4.1] only right behind the IPv6 header */
			if (n > 0)
				why = problem(ips, in, ICMP6_PARAM_NEXT_HEADER,
					      in->nh_off, IP_DROP_BAD_HEADER,
					      now);
			else
				why = extension(ips, in, now);
			break;
		case IPV6_NH_ROUTING:
		case IPV6_NH_DSTOPTS:
			why = extension(ips, in, now);
			break;
		case IPV6_NH_FRAGMENT:
			why = fragment(ips, in, now);
			if (!in->p)
				return false;
			break;
		case IPV6_NH_NONE: /* [RFC8200 4.7] nothing follows */
			return ip_drop(ips, in->p, IP_DROP_NO_PROTO);
		default:
			return ip_deliver(ips, in, ret, now);
		}
		if (why != IP_DROP_NONE)
			return ip_drop(ips, in->p, why);
	}
	return ip_drop(ips, in->p, IP_DROP_BAD_HEADER);
}

bool ip_input6(struct ip_stack *ips, struct ip_in *in, struct ip_rx *ret,
	       mono_t now)
{
	struct pkt *p = in->p;
	struct ipv6_header h;
	int len = ipv6_parse(pkt_data(p), p->len, &h);
	enum ip_drop why;

	if (len < 0)
		return ip_drop(ips, p,
			       len == -EMSGSIZE ? IP_DROP_SHORT
						: IP_DROP_BAD_HEADER);
	pkt_trim(p, p->len - (IPV6_HDR_LEN + h.payload_len));
	in->src = h.src;
	in->dst = h.dst;
	in->ttl = h.hop_limit;
	in->tos = h.tos;
	in->proto = h.next_header;
	in->nh_off = in->l3_off + 6;
	if (!src_ok(ips, in))
		return ip_drop(ips, p, IP_DROP_MARTIAN);
	why = check_dst(ips, in);
	if (why == IP_DROP_NONE && p->l2_multicast && !in->multicast)
		why = IP_DROP_L2;
	if (why != IP_DROP_NONE)
		return ip_drop(ips, p, why);
	pkt_pull(p, IPV6_HDR_LEN);
	return walk(ips, in, ret, now);
}
