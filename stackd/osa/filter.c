#include "osa/filter.h"

#include "base/cursor.h"
#include "wire/arp.h"
#include "wire/ipv6.h"

#define EXT_HEADERS_MAX 8
#define PROTO_TCP 6
#define PROTO_UDP 17

/* What a filter can ask about. */
struct facts {
	struct ip_addr src, dst; /* family NONE: not known */
	uint8_t proto;           /* 0: not known */
	bool ports;
	uint16_t src_port, dst_port;
};

static void read_l4(struct facts *x, const uint8_t *p, size_t len)
{
	struct rcur c = rcur_of(p, len);

	if (x->proto != PROTO_TCP && x->proto != PROTO_UDP)
		return;
	x->src_port = rcur_16(&c);
	x->dst_port = rcur_16(&c);
	x->ports = rcur_ok(&c);
}

static void read_v4(struct facts *x, const uint8_t *p, size_t len)
{
	size_t hdr_len = (p[0] & 15) * 4u;

	if (len < 20 || hdr_len < 20 || hdr_len > len)
		return;
	x->src = ip_from_bytes(IP_V4, p + 12);
	x->dst = ip_from_bytes(IP_V4, p + 16);
	x->proto = p[9];
	if ((p[6] & 0x1f) == 0 && p[7] == 0) /* first fragment */
		read_l4(x, p + hdr_len, len - hdr_len);
}

static bool is_ext(uint8_t nh)
{
	return nh == IPV6_NH_HOPOPTS || nh == IPV6_NH_ROUTING ||
	       nh == IPV6_NH_DSTOPTS;
}

static void read_v6(struct facts *x, const uint8_t *p, size_t len)
{
	size_t at = IPV6_HDR_LEN;
	bool first = true;
	uint8_t nh;

	if (len < IPV6_HDR_LEN)
		return;
	x->src = ip_from_bytes(IP_V6, p + 8);
	x->dst = ip_from_bytes(IP_V6, p + 24);
	nh = p[6];
	for (int i = 0; i < EXT_HEADERS_MAX; i++) {
		struct ipv6_frag frag;
		int n = IPV6_FRAG_LEN;

		if (nh == IPV6_NH_FRAGMENT) {
			if (ipv6_frag_parse(p + at, len - at, &frag) < 0)
				return;
			first = first && frag.off == 0;
		} else if (is_ext(nh)) {
			n = ipv6_ext_len(p + at, len - at);
		} else {
			break;
		}
		if (n < 0)
			return;
		nh = p[at];
		at += (size_t)n;
		if (!first)
			break;
	}
	x->proto = nh;
	if (first)
		read_l4(x, p + at, len - at);
}

static void read_arp(struct facts *x, const uint8_t *p, size_t len)
{
	struct arp_packet a;

	if (arp_parse(p, len, &a) < 0)
		return;
	x->src = a.spa;
	x->dst = a.tpa;
}

static void read_facts(struct facts *x, const uint8_t *p, size_t len, bool eth)
{
	struct ether_header h;
	int n;

	*x = (struct facts){0};
	if (eth) {
		n = ether_parse(p, len, &h);
		if (n < 0)
			return;
		p += n;
		len -= (size_t)n;
		if (h.type == ETHER_TYPE_ARP)
			read_arp(x, p, len);
		if (h.type != ETHER_TYPE_IPV4 && h.type != ETHER_TYPE_IPV6)
			return;
	}
	if (len > 0 && p[0] >> 4 == 4)
		read_v4(x, p, len);
	else if (len > 0 && p[0] >> 4 == 6)
		read_v6(x, p, len);
}

bool filter_match(const struct osa_trace_filter *f, const uint8_t *head,
		  size_t len, bool eth)
{
	struct facts x;

	if (!f->proto && f->host.addr.family == IP_NONE && !f->port)
		return true;
	read_facts(&x, head, len, eth);
	if (f->proto && f->proto != x.proto)
		return false;
	if (f->host.addr.family != IP_NONE &&
	    !ip_prefix_has(&f->host, &x.src) &&
	    !ip_prefix_has(&f->host, &x.dst))
		return false;
	if (f->port &&
	    !(x.ports && (x.src_port == f->port || x.dst_port == f->port)))
		return false;
	return true;
}
