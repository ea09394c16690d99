#include "osa/l3msg.h"

#include "wire/arp.h"
#include "wire/checksum.h"
#include "wire/icmp.h"
#include "wire/ipv6.h"
#include "wire/ndp.h"

#include <string.h>

#define PROTO_ICMPV6 58
#define ND_HOP_LIMIT 255

static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};

static void parse_arp(const uint8_t *data, size_t len, struct l3msg *ret)
{
	struct arp_packet a;

	ret->kind = L3MSG_BROKEN;
	if (arp_parse(data, len, &a) < 0)
		return;
	ret->has_mac = true;
	memcpy(ret->mac, a.sha, 6);
	/* An announcement asks for its own address: it tells. */
	if (a.op == ARP_REQUEST && !ip_eq(&a.spa, &a.tpa)) {
		ret->kind = L3MSG_ASK;
		ret->target = a.tpa;
		if (!ip_is_any(&a.spa))
			ret->sender = a.spa;
	} else if (!ip_is_any(&a.spa)) {
		ret->kind = L3MSG_TELL;
		ret->target = a.spa;
	}
}

/* RFC 4861 7.1: hop limit, code, checksum, addresses. */
static bool nd_valid(const struct ipv6_header *h, const uint8_t *l4, size_t len,
		     bool csum_ok)
{
	uint64_t sum =
		csum_pseudo(&h->src, &h->dst, PROTO_ICMPV6, (uint32_t)len);

	if (h->hop_limit != ND_HOP_LIMIT || l4[1] != 0)
		return false;
	return csum_ok || csum_finish(csum_add(sum, l4, len)) == 0;
}

static void read_solicitation(const struct ipv6_header *h,
			      const struct ndp_message *m, struct l3msg *ret)
{
	bool probe = ip_is_any(&h->src);

	if (probe && m->opt.has_slla)
		return;
	ret->kind = L3MSG_ASK;
	ret->target = m->target;
	if (!probe)
		ret->sender = h->src;
	ret->has_mac = m->opt.has_slla;
	memcpy(ret->mac, m->opt.slla, 6);
}

static void parse_v6(const uint8_t *data, size_t len, bool csum_ok,
		     struct l3msg *ret)
{
	struct ipv6_header h;
	struct ndp_message m;
	const uint8_t *l4 = data + IPV6_HDR_LEN;

	if (ipv6_parse(data, len, &h) < 0 || h.next_header != PROTO_ICMPV6 ||
	    h.payload_len < ICMP_HDR_LEN ||
	    (l4[0] != ICMP6_NS && l4[0] != ICMP6_NA))
		return;
	ret->kind = L3MSG_BROKEN;
	if (!nd_valid(&h, l4, h.payload_len, csum_ok) ||
	    ndp_parse(l4, h.payload_len, &m) < 0)
		return;
	if (m.type == ICMP6_NS) {
		read_solicitation(&h, &m, ret);
		return;
	}
	ret->kind = L3MSG_TELL;
	ret->target = m.target;
	ret->has_mac = m.opt.has_tlla;
	memcpy(ret->mac, m.opt.tlla, 6);
}

void l3msg_parse(uint16_t type, const uint8_t *data, size_t len, bool csum_ok,
		 struct l3msg *ret)
{
	*ret = (struct l3msg){.kind = L3MSG_NONE};
	if (type == ETHER_TYPE_ARP)
		parse_arp(data, len, ret);
	else if (type == ETHER_TYPE_IPV6)
		parse_v6(data, len, csum_ok, ret);
}

static void begin(const struct l3msg_link *l, const uint8_t *to, uint16_t type,
		  struct frame *ret)
{
	struct ether_header e = {.vlan = l->vlan, .type = type};

	memset(ret, 0, offsetof(struct frame, iov));
	memcpy(e.dst, to, 6);
	memcpy(e.src, l->mac, 6);
	ret->l2_len = ret->hdr_len = (uint16_t)ether_emit(&e, ret->hdr);
}

static void put_arp(const struct l3msg_link *l, const uint8_t *to,
		    const struct arp_packet *a, struct frame *ret)
{
	begin(l, to, ETHER_TYPE_ARP, ret);
	arp_emit(a, ret->hdr + ret->hdr_len);
	ret->hdr_len += ARP_LEN;
}

static void put_nd(const struct l3msg_link *l, const uint8_t *to,
		   const struct ip_addr *src, const struct ip_addr *dst,
		   const struct ndp_message *m, struct frame *ret)
{
	uint8_t *ip, *l4;
	struct ipv6_header h = {
		.next_header = PROTO_ICMPV6,
		.hop_limit = ND_HOP_LIMIT,
		.src = *src,
		.dst = *dst,
	};
	uint16_t sum;

	begin(l, to, ETHER_TYPE_IPV6, ret);
	ip = ret->hdr + ret->hdr_len;
	l4 = ip + IPV6_HDR_LEN;
	h.payload_len = (uint16_t)ndp_emit(m, l4);
	ipv6_emit(&h, ip);
	sum = csum_finish(
		csum_add(csum_pseudo(src, dst, PROTO_ICMPV6, h.payload_len), l4,
			 h.payload_len));
	l4[2] = (uint8_t)(sum >> 8);
	l4[3] = (uint8_t)sum;
	ret->hdr_len += (uint16_t)(IPV6_HDR_LEN + h.payload_len);
}

static void ask_v4(const struct l3msg_link *l, const struct ip_addr *src,
		   const struct ip_addr *target, const uint8_t *to,
		   struct frame *ret)
{
	struct arp_packet a = {.op = ARP_REQUEST, .tpa = *target};

	a.spa = src->family == IP_V4 ? *src : ip_any(IP_V4);
	memcpy(a.sha, l->mac, 6);
	put_arp(l, to ? to : everybody, &a, ret);
}

void l3msg_ask(const struct l3msg_link *l, const struct ip_addr *src,
	       const struct ip_addr *target, const uint8_t *to,
	       struct frame *ret)
{
	struct ndp_message m = {.type = ICMP6_NS, .target = *target};
	struct ip_addr group, from = *src;
	uint8_t mac[6];

	if (target->family == IP_V4) {
		ask_v4(l, src, target, to, ret);
		return;
	}
	group = ipv6_solicited_node(target);
	ether_group_mac(&group, mac);
	m.opt.has_slla = from.family == IP_V6;
	if (!m.opt.has_slla)
		from = ip_any(IP_V6);
	memcpy(m.opt.slla, l->mac, 6);
	put_nd(l, to ? to : mac, &from, to ? target : &group, &m, ret);
}

static void tell_v4(const struct l3msg_link *l, const struct ip_addr *addr,
		    const struct ip_addr *dst, const uint8_t *to,
		    struct frame *ret)
{
	/* RFC 5227 2.3: an announcement is a request for one's own. */
	struct arp_packet a = {.op = dst ? ARP_REPLY : ARP_REQUEST,
			       .spa = *addr,
			       .tpa = dst ? *dst : *addr};

	memcpy(a.sha, l->mac, 6);
	if (dst)
		memcpy(a.tha, to, 6);
	put_arp(l, to ? to : everybody, &a, ret);
}

void l3msg_tell(const struct l3msg_link *l, const struct ip_addr *addr,
		const struct ip_addr *dst, const uint8_t *to, struct frame *ret)
{
	struct ndp_message m = {
		.type = ICMP6_NA,
		.target = *addr,
		.solicited = dst != NULL,
		.override = true,
	};
	struct ip_addr group = ip_from_bytes(IP_V6, all_nodes);
	uint8_t mac[6];

	if (addr->family == IP_V4) {
		tell_v4(l, addr, dst, to, ret);
		return;
	}
	ether_group_mac(&group, mac);
	m.opt.has_tlla = true;
	memcpy(m.opt.tlla, l->mac, 6);
	put_nd(l, to ? to : mac, addr, dst ? dst : &group, &m, ret);
}
