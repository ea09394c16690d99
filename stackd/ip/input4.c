/* IPv4 in: header, options, whose it is, fragments (RFC 791, RFC 1122 3.2). */
#include "ip/ip_int.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"

#include <errno.h>

static enum ip_drop header_drop(int err)
{
	switch (err) {
	case -EMSGSIZE:
		return IP_DROP_SHORT;
	case -EBADMSG:
		return IP_DROP_BAD_CSUM;
	default:
		return IP_DROP_BAD_HEADER;
	}
}

/* [RFC1122 3.2.1.3] sources that nobody may have */
static bool src_ok(const struct ip_stack *ips, const struct ip_in *in)
{
	const struct ip_ifaddr *ia;

	if (ip_is_multicast(&in->src) ||
	    ip_is_local_broadcast(ips, NULL, &in->src))
		return false;
	if (in->loopback)
		return true;
	if (in->src.b[0] == 0) /* "this network": IGMP queries only */
		return in->proto == IP_PROTO_IGMP && ip_is_any(&in->src);
	if (ip_is_loopback(&in->src))
		return false;
	ia = ip_ifaddr_find(ips, &in->src);
	return !ia || !ip_ifaddr_usable(ia);
}

/* Is the destination this host? Sets in->multicast. */
static enum ip_drop check_dst(struct ip_stack *ips, struct ip_in *in)
{
	if (!in->loopback && ip_is_loopback(&in->dst))
		return IP_DROP_MARTIAN;
	if (ip_addr_is_local(ips, &in->dst)) {
		/* [RFC1122 3.3.6] a broadcast frame never has a unicast
		 * datagram in it for a good reason */
		return in->p->l2_multicast ? IP_DROP_L2 : IP_DROP_NONE;
	}
	in->multicast = true;
	if (ip_is_multicast(&in->dst))
		return ip_group_member(ips, in->loopback ? NULL : in->ifc,
				       &in->dst)
			       ? IP_DROP_NONE
			       : IP_DROP_NOT_OURS;
	return ip_is_local_broadcast(ips, in->loopback ? NULL : in->ifc,
				     &in->dst)
		       ? IP_DROP_NONE
		       : IP_DROP_NOT_OURS;
}

/* [RFC1122 3.2.1.8] Options: source routes are refused without a word,
 * the rest means nothing to a host. */
static enum ip_drop check_options(struct ip_stack *ips, const struct ip_in *in,
				  uint8_t hdr_len, mono_t now)
{
	size_t at = 0;

	switch (ipv4_options_check(pkt_data(in->p) + IPV4_HDR_MIN,
				   hdr_len - IPV4_HDR_MIN, &at)) {
	case IPV4_OPTIONS_SOURCE_ROUTE:
		return IP_DROP_OPTION;
	case IPV4_OPTIONS_BAD:
		/* [RFC1122 3.2.2.5] pointer in the first octet */
		ip_icmp_error(ips, in, ICMP4_PARAM_PROBLEM, 0,
			      (uint32_t)(IPV4_HDR_MIN + at) << 24, now);
		return IP_DROP_BAD_HEADER;
	case IPV4_OPTIONS_OK:
		break;
	}
	return IP_DROP_NONE;
}

/* [RFC1122 3.2.1.4] */
static bool fragment(struct ip_stack *ips, struct ip_in *in,
		     const struct ipv4_header *h, struct ip_rx *ret, mono_t now)
{
	struct ip_fragment f = {
		.id = h->id,
		.off = h->frag_off,
		.more = h->mf,
		.proto = h->proto,
	};

	ips->count.fragments_in++;
	/* [RFC791 3.2] the offset counts in eights; the whole fits 65535 */
	if ((h->mf && in->p->len % 8) || in->p->len == 0 ||
	    f.off + in->p->len + h->hdr_len > 65535)
		return ip_drop(ips, in->p, IP_DROP_FRAG_BAD);
	if (!ip_reasm_input(ips, in, &f, now))
		return false;
	return ip_deliver(ips, in, ret, now);
}

bool ip_input4(struct ip_stack *ips, struct ip_in *in, struct ip_rx *ret,
	       mono_t now)
{
	struct pkt *p = in->p;
	struct ipv4_header h;
	int len = ipv4_parse(pkt_data(p), p->len, &h);
	enum ip_drop why;

	if (len < 0)
		return ip_drop(ips, p, header_drop(len));
	pkt_trim(p, p->len - h.total_len);
	in->src = h.src;
	in->dst = h.dst;
	in->ttl = h.ttl;
	in->tos = h.tos;
	in->proto = h.proto;
	if (!src_ok(ips, in))
		return ip_drop(ips, p, IP_DROP_MARTIAN);
	why = check_dst(ips, in);
	if (why == IP_DROP_NONE && len > IPV4_HDR_MIN)
		why = check_options(ips, in, h.hdr_len, now);
	if (why != IP_DROP_NONE)
		return ip_drop(ips, p, why);
	pkt_pull(p, (uint32_t)len);
	if (UNLIKELY(h.mf || h.frag_off))
		return fragment(ips, in, &h, ret, now);
	return ip_deliver(ips, in, ret, now);
}
