/*
 * A packet's way in: link layer here, then input4.c or input6.c, then back
 * to ip_deliver() for firewall, checksum and the transports.
 */
#include "ip/ip_int.h"
#include "wire/checksum.h"
#include "wire/icmp.h"

#include <string.h>

#define TCP_HDR_MIN 20
#define UDP_HDR 8

/* Ethernet: for us, on our VLAN? Returns the type, -1 after a drop. */
static int input_l2(struct ip_stack *ips, struct ip_in *in)
{
	struct ip_iface *ifc = in->ifc;
	struct pkt *p = in->p;
	struct ether_header h;
	int len = ether_parse(pkt_data(p), p->len, &h);

	if (len < 0) {
		ip_drop(ips, p, IP_DROP_SHORT);
		return -1;
	}
	if (h.vlan != ifc->cfg.vlan || ether_is_group(h.src) ||
	    (!ether_is_group(h.dst) &&
	     memcmp(h.dst, ifc->cfg.mac, ETHER_MAC_LEN) != 0)) {
		ip_drop(ips, p, IP_DROP_L2);
		return -1;
	}
	p->l2_multicast = ether_is_group(h.dst);
	memcpy(in->l2_src, h.src, ETHER_MAC_LEN);
	pkt_pull(p, (uint32_t)len);
	return h.type;
}

/* Bare IP packets say themselves what they are. [RFC1122 3.2.1.1] [RFC8200 3]
 */
static int input_l3(struct ip_stack *ips, struct ip_in *in)
{
	struct pkt *p = in->p;

	if (p->len < 1) {
		ip_drop(ips, p, IP_DROP_SHORT);
		return -1;
	}
	switch (pkt_data(p)[0] >> 4) {
	case 4:
		return ETHER_TYPE_IPV4;
	case 6:
		return ETHER_TYPE_IPV6;
	default:
		ip_drop(ips, p, IP_DROP_BAD_HEADER);
		return -1;
	}
}

bool ip_input(struct ip_stack *ips, struct pkt *p, struct ip_rx *ret,
	      mono_t now)
{
	struct ip_in in = {.ifc = ip_iface_get(ips, p->ifindex), .p = p};
	int type;

	ips->count.rx_packets++;
	if (!in.ifc || !in.ifc->up)
		return ip_drop(ips, p, IP_DROP_IFACE_DOWN);
	in.ifc->rx_packets++;
	in.ifc->rx_bytes += p->len;
	in.loopback = in.ifc->cfg.kind == IP_LINK_LOOPBACK;
	if (!p->gso_segs)
		p->gso_segs = 1;
	type = in.ifc->cfg.kind == IP_LINK_L2 ? input_l2(ips, &in)
					      : input_l3(ips, &in);
	in.l3_off = p->off;
	switch (type) {
	case -1:
		return false;
	case ETHER_TYPE_IPV4:
		return in.ifc->cfg.v4 ? ip_input4(ips, &in, ret, now)
				      : ip_drop(ips, p, IP_DROP_NOT_OURS);
	case ETHER_TYPE_IPV6:
		return in.ifc->cfg.v6 ? ip_input6(ips, &in, ret, now)
				      : ip_drop(ips, p, IP_DROP_NOT_OURS);
	case ETHER_TYPE_ARP:
		if (in.ifc->cfg.v4) {
			ip_arp_input(in.ifc, p, now);
			return false;
		}
		return ip_drop(ips, p, IP_DROP_NOT_OURS);
	default:
		return ip_drop(ips, p, IP_DROP_L2);
	}
}

static bool csum_ok(const struct ip_in *in)
{
	struct pkt *p = in->p;
	uint64_t sum;

	if (p->csum == PKT_CSUM_OK)
		return true;
	sum = csum_pseudo(&in->src, &in->dst, in->proto, p->len);
	return csum_finish(csum_add(sum, pkt_data(p), p->len)) == 0;
}

/* [RFC768] length field and checksum; what is behind the datagram goes.
 * [RFC1122 4.1.3.4] */
static enum ip_drop check_udp(const struct ip_in *in)
{
	struct pkt *p = in->p;
	const uint8_t *h = pkt_data(p);
	uint32_t len;

	if (p->len < UDP_HDR)
		return IP_DROP_SHORT;
	len = (uint32_t)(h[4] << 8 | h[5]);
	if (len < UDP_HDR || len > p->len)
		return IP_DROP_SHORT;
	pkt_trim(p, p->len - len);
	if (h[6] == 0 && h[7] == 0) {
		/* [RFC8200 8.1] no checksum is no datagram */
		return in->src.family == IP_V6 ? IP_DROP_BAD_CSUM
					       : IP_DROP_NONE;
	}
	return csum_ok(in) ? IP_DROP_NONE : IP_DROP_BAD_CSUM;
}

/* [RFC9293 3.1 MUST-3] */
static enum ip_drop check_tcp(const struct ip_in *in)
{
	if (in->p->len < TCP_HDR_MIN)
		return IP_DROP_SHORT;
	return csum_ok(in) ? IP_DROP_NONE : IP_DROP_BAD_CSUM;
}

/* [RFC1122 4.1.3.6] */
static bool to_transport(struct ip_stack *ips, const struct ip_in *in,
			 struct ip_rx *ret)
{
	struct pkt *p = in->p;
	enum ip_drop why =
		in->proto == IP_PROTO_UDP ? check_udp(in) : check_tcp(in);

	/* [RFC4291 2.5.2] only neighbour discovery speaks from nowhere */
	if (why == IP_DROP_NONE && ip_is_any(&in->src))
		why = IP_DROP_MARTIAN;
	if (why != IP_DROP_NONE)
		return ip_drop(ips, p, why);
	p->ecn = in->tos & 3;
	*ret = (struct ip_rx){
		.pkt = p,
		.src = in->src,
		.dst = in->dst,
		.ifindex = in->ifc->index,
		.proto = in->proto,
		.ttl = in->ttl,
		.tos = in->tos,
		.ecn = in->tos & 3,
		.multicast = in->multicast,
		.l3_len = (uint16_t)(p->off - in->l3_off),
	};
	ips->count.rx_delivered++;
	return true;
}

static bool filtered(struct ip_stack *ips, const struct ip_in *in)
{
	struct ip_flow f = {
		.proto = in->proto,
		.local = &in->dst,
		.remote = &in->src,
		.l4 = pkt_data(in->p),
		.l4_len = in->p->len,
	};

	return ips->n_rule && !in->loopback && !ip_filter_pass(ips, &f);
}

/* [RFC1122 3.2.2.1] protocol unreachable; [RFC8200 4] next header unknown */
static bool no_proto(struct ip_stack *ips, const struct ip_in *in, mono_t now)
{
	if (in->src.family == IP_V4)
		ip_icmp_error(ips, in, ICMP4_UNREACH, ICMP4_UNREACH_PROTO, 0,
			      now);
	else
		ip_icmp_error(ips, in, ICMP6_PARAM_PROBLEM,
			      ICMP6_PARAM_NEXT_HEADER, in->nh_off - in->l3_off,
			      now);
	return ip_drop(ips, in->p, IP_DROP_NO_PROTO);
}

bool ip_deliver(struct ip_stack *ips, struct ip_in *in, struct ip_rx *ret,
		mono_t now)
{
	bool v4 = in->src.family == IP_V4;

	if (filtered(ips, in))
		return ip_drop(ips, in->p, IP_DROP_FILTER);
	switch (in->proto) {
	case IP_PROTO_TCP:
	case IP_PROTO_UDP:
		return to_transport(ips, in, ret);
	case IP_PROTO_ICMP:
		if (!v4)
			break;
		ip_icmp4_input(ips, in, now);
		return false;
	case IP_PROTO_ICMPV6:
		if (v4)
			break;
		ip_icmp6_input(ips, in, now);
		return false;
	case IP_PROTO_IGMP:
		if (!v4)
			break;
		ip_igmp_input(ips, in, now);
		return false;
	default:
		break;
	}
	return no_proto(ips, in, now);
}
