/*
 * Fields to bytes. Independent of the stack's own wire/ on purpose: a header
 * that both sides get wrong in the same way would be found by nobody.
 */
#include "script.h"

#include <stdlib.h>
#include <string.h>

struct out {
	uint8_t *p;
	size_t len;
};

static void put8(struct out *o, uint64_t v)
{
	if (o->len < PACKET_MAX)
		o->p[o->len++] = (uint8_t)v;
}

static void put16(struct out *o, uint64_t v)
{
	put8(o, v >> 8);
	put8(o, v);
}

static void put32(struct out *o, uint64_t v)
{
	put16(o, v >> 16);
	put16(o, v);
}

static void put(struct out *o, const uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put8(o, b[i]);
}

static void set16(uint8_t *p, uint64_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint32_t sum16(uint32_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	if (n & 1)
		sum += (uint32_t)p[n - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static int64_t num(const struct packet_line *l, enum field f, int64_t dflt)
{
	const struct item *it = script_item(l, f);

	return it ? it->n : dflt;
}

static struct ip_addr addr(const struct packet_line *l, enum field f,
			   const struct ip_addr *dflt)
{
	const struct item *it = script_item(l, f);

	return it ? it->addr : *dflt;
}

static void put_mac(struct out *o, const struct packet_line *l, enum field f,
		    const uint8_t dflt[6])
{
	const struct item *it = script_item(l, f);

	put(o, it ? it->bytes : dflt, 6);
}

static const uint8_t mac_us[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t mac_peer[6] = {2, 0, 0, 0, 0, 2};

/* ---- TCP and UDP ------------------------------------------------------------
 */

static void put_options(struct script *s, struct out *o,
			const struct packet_line *l, struct flow *f)
{
	const struct item *first_sack = NULL;
	unsigned n_sack = 0;

	for (unsigned i = 0; i < l->n; i++) {
		const struct item *it = &l->item[i];

		switch (it->field) {
		case F_MSS:
			put16(o, 0x0204);
			put16(o, (uint64_t)it->n);
			break;
		case F_WS:
			put16(o, 0x0103);
			put8(o, 3);
			put8(o, (uint64_t)it->n);
			break;
		case F_SACKOK:
			put32(o, 0x01010402);
			break;
		case F_TS:
			put32(o, 0x0101080a);
			put32(o, (uint64_t)it->n);
			put32(o, it->n2 == -2 ? f->ts_val : (uint64_t)it->n2);
			break;
		case F_OPT:
			put(o, it->bytes, it->len);
			break;
		case F_SACK:
			if (!first_sack)
				first_sack = it;
			n_sack++;
			break;
		default:
			break;
		}
	}
	if (first_sack) {
		put16(o, 0x0101);
		put8(o, 5);
		put8(o, 2 + 8 * n_sack);
		for (unsigned i = 0; i < l->n; i++)
			if (l->item[i].field == F_SACK) {
				put32(o, f->iss + (uint64_t)l->item[i].n);
				put32(o, f->iss + (uint64_t)l->item[i].n2);
			}
	}
	while (o->len & 3)
		put8(o, 0);
	(void)s;
}

static void put_payload(struct out *o, int64_t seq, int64_t len)
{
	for (int64_t i = 0; i < len; i++)
		put8(o, script_byte(0, (uint64_t)(seq - 1 + i)));
}

static void put_tcp(struct script *s, struct out *o,
		    const struct packet_line *l)
{
	uint16_t port = (uint16_t)num(l, F_SPORT, s->peer_port);
	struct flow *f = script_flow(s, port);
	struct out t = {o->p + o->len, 0};
	int64_t seq = num(l, F_SEQ, 0), flags = num(l, F_FLAGS, 0);
	bool syn = flags & 2;
	size_t hdr;

	put16(&t, port);
	put16(&t, (uint64_t)num(l, F_DPORT, f->our_port));
	put32(&t, f->isn + (uint64_t)seq);
	put32(&t,
	      script_item(l, F_ACK) ? f->iss + (uint64_t)num(l, F_ACK, 0) : 0);
	put16(&t, 0);
	put16(&t, (uint64_t)num(l, F_WIN, 65535));
	put16(&t, 0);
	put16(&t, (uint64_t)num(l, F_URG, 0));
	put_options(s, &t, l, f);
	hdr = t.len;
	set16(t.p + 12, (uint64_t)(num(l, F_DOFF, (int64_t)hdr / 4) << 12 |
				   num(l, F_RSVD, 0) << 8 | flags));
	/* a SYN's data begins behind the SYN */
	put_payload(&t, seq + syn, num(l, F_LEN, 0));
	o->len += t.len;
}

static void put_udp(struct script *s, struct out *o,
		    const struct packet_line *l)
{
	int64_t len = num(l, F_LEN, 0);

	put16(o, (uint64_t)num(l, F_SPORT, s->peer_port));
	put16(o, (uint64_t)num(l, F_DPORT, s->our_port));
	put16(o, (uint64_t)num(l, F_ULEN, len + 8));
	put16(o, 0);
	put_payload(o, 1, len);
}

/* ---- ICMP
 * -------------------------------------------------------------------- */

/* A copy of the last packet from the stack, as a router would quote it. */
static void put_quote(struct script *s, struct out *o,
		      const struct packet_line *l)
{
	uint8_t *q = o->p + o->len;
	bool v6 = s->last_out_len && s->last_out[0] >> 4 == 6;
	size_t hl = v6 ? 40 : (size_t)(s->last_out[0] & 15) * 4;
	int64_t len = num(l, F_QLEN, v6 ? 1232 : (int64_t)hl + 8);
	const struct item *it;

	if (!s->last_out_len)
		return;
	put(o, s->last_out, MIN((size_t)len, s->last_out_len));
	if ((it = script_item(l, F_QSEQ))) {
		uint16_t port = (uint16_t)(q[hl + 2] << 8 | q[hl + 3]);
		uint32_t v = script_flow(s, port)->iss + (uint32_t)it->n;

		set16(q + hl + 4, v >> 16);
		set16(q + hl + 6, v);
	}
	if ((it = script_item(l, F_QPORT)))
		set16(q + hl, (uint64_t)it->n);
	if ((it = script_item(l, F_QDST)))
		memcpy(q + (v6 ? 24 : 16), it->addr.b, v6 ? 16 : 4);
	if ((it = script_item(l, F_QSRC)))
		memcpy(q + (v6 ? 8 : 12), it->addr.b, v6 ? 16 : 4);
}

static void put_prefix(struct out *o, const char *text)
{
	char copy[128], *part[5] = {NULL}, *save = NULL;
	unsigned n = 0, flags = 0;
	struct ip_addr a;

	strncpy(copy, text, sizeof(copy) - 1);
	copy[sizeof(copy) - 1] = 0;
	for (char *w = strtok_r(copy, "/,", &save); w && n < 5;
	     w = strtok_r(NULL, "/,", &save))
		part[n++] = w;
	if (n < 5 || ip_parse(part[0], &a) < 0)
		return;
	flags |= strchr(part[2], 'l') ? 0x80u : 0;
	flags |= strchr(part[2], 'a') ? 0x40u : 0;
	put16(o, 0x0304);
	put8(o, strtoul(part[1], NULL, 0));
	put8(o, flags);
	put32(o, strtoul(part[3], NULL, 0));
	put32(o, strtoul(part[4], NULL, 0));
	put32(o, 0);
	put(o, a.b, 16);
}

static void put_rdnss(struct out *o, const char *text)
{
	char copy[128], *comma;
	struct ip_addr a;

	strncpy(copy, text, sizeof(copy) - 1);
	copy[sizeof(copy) - 1] = 0;
	comma = strchr(copy, ',');
	if (!comma)
		return;
	*comma = 0;
	if (ip_parse(copy, &a) < 0)
		return;
	put16(o, 25 << 8 | 3);
	put16(o, 0);
	put32(o, strtoul(comma + 1, NULL, 0));
	put(o, a.b, 16);
}

static void put_dnssl(struct out *o, const char *text)
{
	size_t at = o->len, name_len = strcspn(text, ",");

	put16(o, 31 << 8);
	put16(o, 0);
	put32(o, strtoul(text + name_len + 1, NULL, 0));
	for (size_t i = 0; i < name_len;) {
		size_t n = strcspn(text + i, ".,");

		put8(o, n);
		put(o, (const uint8_t *)text + i, n);
		i += n + 1;
	}
	put8(o, 0);
	while ((o->len - at) % 8)
		put8(o, 0);
	o->p[at + 1] = (uint8_t)((o->len - at) / 8);
}

static void put_nd_options(struct out *o, const struct packet_line *l)
{
	for (unsigned i = 0; i < l->n; i++) {
		const struct item *it = &l->item[i];

		switch (it->field) {
		case F_SLLA:
		case F_TLLA:
			put16(o, it->field == F_SLLA ? 0x0101 : 0x0201);
			put(o, it->bytes, 6);
			break;
		case F_MTU:
			put32(o, 0x05010000);
			put32(o, (uint64_t)it->n);
			break;
		case F_NONCE:
			put16(o, 0x0e01);
			put(o, it->bytes, 6);
			break;
		case F_PREFIX:
			put_prefix(o, (const char *)it->bytes);
			break;
		case F_RDNSS:
			put_rdnss(o, (const char *)it->bytes);
			break;
		case F_DNSSL:
			put_dnssl(o, (const char *)it->bytes);
			break;
		case F_NDOPT:
			put(o, it->bytes, it->len);
			break;
		default:
			break;
		}
	}
}

static void put_nd(struct script *s, struct out *o, const struct packet_line *l,
		   int64_t type)
{
	struct ip_addr target = addr(l, F_TARGET, &s->us6);
	uint64_t flags = (uint64_t)(script_item(l, F_ROUTER) ? 8 : 0) |
			 (uint64_t)(script_item(l, F_SOL) ? 4 : 0) |
			 (uint64_t)(script_item(l, F_OVERRIDE) ? 2 : 0);

	if (type == 134) {
		put8(o, (uint64_t)num(l, F_HOP, 64));
		put8(o, (uint64_t)num(l, F_RAFLAGS, 0));
		put16(o, (uint64_t)num(l, F_LIFE, 1800));
		put32(o, (uint64_t)num(l, F_REACH, 0));
		put32(o, (uint64_t)num(l, F_RETRANS, 0));
	} else {
		put32(o, flags << 28);
		if (type != 133)
			put(o, target.b, 16);
		if (type == 137)
			put(o, addr(l, F_DEST, &s->peer6).b, 16);
	}
	put_nd_options(o, l);
}

static void put_icmp(struct script *s, struct out *o,
		     const struct packet_line *l)
{
	int64_t type = num(l, F_TYPE, 0);
	int64_t rest =
		num(l, F_REST, num(l, F_EID, 0) << 16 | num(l, F_ESEQ, 0));

	put8(o, (uint64_t)type);
	put8(o, (uint64_t)num(l, F_CODE, 0));
	put16(o, 0);
	if (l->body == BODY_ICMP6 && type >= 133 && type <= 137) {
		put_nd(s, o, l, type);
		return;
	}
	if (script_item(l, F_TARGET)) /* IPv4 redirect: the new gateway */
		put(o, script_item(l, F_TARGET)->addr.b, 4);
	else if (l->body == BODY_ICMP4 && script_item(l, F_PTR))
		put32(o, (uint64_t)num(l, F_PTR, 0) << 24);
	else
		put32(o, (uint64_t)num(l, F_MTU, num(l, F_PTR, rest)));
	if (l->body == BODY_ICMP6 && type >= 130 && type <= 132)
		put(o, addr(l, F_GROUP, &(struct ip_addr){IP_V6, {0}}).b, 16);
	if (script_item(l, F_QUOTE))
		put_quote(s, o, l);
	put_payload(o, 1, num(l, F_LEN, 0));
}

/* ---- ARP, IGMP -------------------------------------------------------------
 */

static void put_arp(struct script *s, struct out *o,
		    const struct packet_line *l)
{
	static const uint8_t none[6];

	put32(o, 0x00010800);
	put16(o, 0x0604);
	put16(o, (uint64_t)num(l, F_OP, 1));
	put_mac(o, l, F_SHA, mac_peer);
	put(o, addr(l, F_SPA, &s->peer).b, 4);
	put_mac(o, l, F_THA, none);
	put(o, addr(l, F_TPA, &s->us).b, 4);
}

static void put_igmp(struct out *o, const struct packet_line *l)
{
	put8(o, (uint64_t)num(l, F_TYPE, 0x11));
	put8(o, (uint64_t)num(l, F_CODE, 100));
	put16(o, 0);
	put(o, addr(l, F_GROUP, &(struct ip_addr){IP_V4, {0}}).b, 4);
	put_payload(o, 1, num(l, F_LEN, 0));
}

static void put_body(struct script *s, struct out *o,
		     const struct packet_line *l)
{
	const struct item *raw = script_item(l, F_RAW);

	switch (l->body) {
	case BODY_TCP:
		put_tcp(s, o, l);
		break;
	case BODY_UDP:
		put_udp(s, o, l);
		break;
	case BODY_ICMP4:
	case BODY_ICMP6:
		put_icmp(s, o, l);
		break;
	case BODY_IGMP:
		put_igmp(o, l);
		break;
	case BODY_ARP:
		put_arp(s, o, l);
		break;
	case BODY_RAW:
	case BODY_NONE:
		if (raw)
			put(o, raw->bytes, raw->len);
		put_payload(o, 1, num(l, F_LEN, 0));
		break;
	}
}

static const struct {
	uint8_t proto4, proto6;
	int csum_at; /* -1 none */
} body_facts[] = {
	[BODY_NONE] = {253, 59, -1}, [BODY_TCP] = {6, 6, 16},
	[BODY_UDP] = {17, 17, 6},    [BODY_ICMP4] = {1, 1, 2},
	[BODY_ICMP6] = {58, 58, 2},  [BODY_ARP] = {0, 0, -1},
	[BODY_IGMP] = {2, 2, 2},     [BODY_RAW] = {253, 253, -1},
};

static bool is_v6(struct script *s, const struct packet_line *l)
{
	const struct item *src = script_item(l, F_SRC),
			  *dst = script_item(l, F_DST);

	if (l->body == BODY_ICMP6)
		return true;
	if (l->body == BODY_ICMP4 || l->body == BODY_IGMP)
		return false;
	if (dst)
		return dst->addr.family == IP_V6;
	return src ? src->addr.family == IP_V6 : s->v6;
}

/* The checksum of the body at `at` over pseudo-header and all of it. */
static void finish_sum(const struct packet_line *l, uint8_t *at, size_t len,
		       const struct ip_addr *src, const struct ip_addr *dst,
		       uint8_t proto)
{
	int off = body_facts[l->body].csum_at;
	const struct item *it = script_item(l, F_SUM);
	size_t n = src->family == IP_V6 ? 16 : 4;
	uint32_t sum = 0;
	uint16_t v;

	if (off < 0 || (size_t)off + 2 > len)
		return;
	if (l->body != BODY_ICMP4 && l->body != BODY_IGMP) {
		sum = sum16(sum, src->b, n);
		sum = sum16(sum, dst->b, n);
		sum += proto + (uint32_t)len;
	}
	v = (uint16_t)~sum16(sum, at, len);
	if (l->body == BODY_UDP && v == 0)
		v = 0xffff;
	if (it)
		v = it->n ? (uint16_t)(v ^ 0x5555) : 0;
	set16(at + off, v);
}

/* ---- IP
 * ---------------------------------------------------------------------- */

static void put_ip4(struct script *s, struct out *o,
		    const struct packet_line *l)
{
	struct ip_addr src = addr(l, F_SRC, &s->peer);
	struct ip_addr dst = addr(l, F_DST, &s->us);
	const struct item *opts = script_item(l, F_IPOPT);
	uint8_t *ip = o->p + o->len;
	size_t at = o->len, hl;
	uint16_t frag = (uint16_t)((script_item(l, F_DF) ? 0x4000 : 0) |
				   (script_item(l, F_MF) ? 0x2000 : 0) |
				   num(l, F_OFF, 0) / 8);
	uint8_t proto = (uint8_t)num(l, F_PROTO, body_facts[l->body].proto4);
	struct packet_line whole = *l;

	put8(o, 0);
	put8(o, (uint64_t)num(l, F_TOS, 0));
	put16(o, 0);
	put16(o, (uint64_t)num(l, F_ID, 0));
	put16(o, frag);
	put8(o, (uint64_t)num(l, F_TTL, l->body == BODY_IGMP ? 1 : 64));
	put8(o, proto);
	put16(o, 0);
	put(o, src.b, 4);
	put(o, dst.b, 4);
	if (opts)
		put(o, opts->bytes, opts->len);
	while ((o->len - at) & 3)
		put8(o, 0);
	hl = o->len - at;
	put_body(s, o, &whole);
	finish_sum(l, ip + hl, o->len - at - hl, &src, &dst, proto);
	ip[0] = (uint8_t)(num(l, F_VERSION, 4) << 4 |
			  num(l, F_IHL, (int64_t)hl / 4));
	set16(ip + 2, (uint64_t)num(l, F_TOTLEN, (int64_t)(o->len - at)));
	set16(ip + 10, (uint16_t)~sum16(0, ip, hl));
	if (script_item(l, F_IPSUM))
		ip[10] ^= 0x55;
}

/* "off:more:id"; returns the offset */
static unsigned put_frag(struct out *o, const char *text, uint8_t next)
{
	unsigned long off = strtoul(text, NULL, 0), more = 0, id = 1;
	const char *p = strchr(text, ':');

	if (p) {
		more = strtoul(p + 1, NULL, 0);
		p = strchr(p + 1, ':');
	}
	if (p)
		id = strtoul(p + 1, NULL, 0);
	put8(o, next);
	put8(o, 0);
	put16(o, (off & ~7ul) | more);
	put32(o, id);
	return (unsigned)off;
}

static void put_ip6(struct script *s, struct out *o,
		    const struct packet_line *l)
{
	struct ip_addr src = addr(l, F_SRC, &s->peer6);
	struct ip_addr dst = addr(l, F_DST, &s->us6);
	uint8_t *ip = o->p + o->len, *nh = ip + 6;
	size_t at = o->len, body;
	uint8_t proto = (uint8_t)num(l, F_PROTO, body_facts[l->body].proto6);
	bool nd = l->body == BODY_ICMP6 && num(l, F_TYPE, 0) >= 133 &&
		  num(l, F_TYPE, 0) <= 137;

	put32(o, (uint64_t)(num(l, F_VERSION, 6) << 28 |
			    num(l, F_TOS, 0) << 20 | num(l, F_FLOW, 0)));
	put16(o, 0);
	put8(o, proto);
	put8(o, (uint64_t)num(l, F_TTL, nd ? 255 : 64));
	put(o, src.b, 16);
	put(o, dst.b, 16);
	for (unsigned i = 0; i < l->n; i++) {
		const struct item *it = &l->item[i];

		if (it->field == F_EXT) {
			*nh = (uint8_t)it->n;
			nh = o->p + o->len;
			put8(o, proto);
			put8(o, (it->len + 2u + 7) / 8 - 1);
			put(o, it->bytes, it->len);
			while ((o->len - at) & 7)
				put8(o, 0);
		} else if (it->field == F_FRAG) {
			*nh = 44;
			nh = o->p + o->len;
			put_frag(o, (const char *)it->bytes, proto);
		}
	}
	body = o->len;
	put_body(s, o, l);
	finish_sum(l, o->p + body, o->len - body, &src, &dst, proto);
	set16(ip + 4, (uint64_t)num(l, F_PLEN, (int64_t)(o->len - at - 40)));
}

/* Only a slice of the datagram goes: "len" counts from "off" on. The whole
 * is built first, so that its checksum is right. */
static void slice(struct out *o, size_t hdr, size_t off, size_t n)
{
	if (o->len < hdr + off)
		return;
	n = MIN(n, o->len - hdr - off);
	memmove(o->p + hdr, o->p + hdr + off, n);
	o->len = hdr + n;
}

/* "trunc N" keeps N bytes behind the IP headers of a fragment, from its
 * offset on; of other packets the first N bytes in all. */
static void cut(struct out *o, const struct packet_line *l, size_t ip)
{
	const struct item *t = script_item(l, F_TRUNC),
			  *frag = script_item(l, F_FRAG);
	int64_t off = num(l, F_OFF, 0);

	if (frag) {
		size_t hdr = ip + 40;
		uint8_t nh = o->p[ip + 6];

		while (nh != 44) {
			nh = o->p[hdr];
			hdr += (o->p[hdr + 1] + 1u) * 8;
		}
		hdr += 8;
		if (t)
			slice(o, hdr,
			      strtoul((const char *)frag->bytes, NULL, 0) &
				      ~7ul,
			      (size_t)t->n);
		set16(o->p + ip + 4,
		      (uint64_t)num(l, F_PLEN, (int64_t)(o->len - ip - 40)));
	} else if (t && (script_item(l, F_MF) || off)) {
		size_t hl = (size_t)(o->p[ip] & 15) * 4;

		slice(o, ip + hl, (size_t)off, (size_t)t->n);
		set16(o->p + ip + 2, o->len - ip);
		set16(o->p + ip + 10, 0);
		set16(o->p + ip + 10, (uint16_t)~sum16(0, o->p + ip, hl));
	} else if (t) {
		o->len = MIN(o->len, ip + (size_t)t->n);
	}
}

static void put_ether(struct out *o, const struct packet_line *l, bool v6)
{
	const struct item *vlan = script_item(l, F_VLAN);
	static const uint8_t all[6] = {255, 255, 255, 255, 255, 255};
	const uint8_t *to = mac_us;
	uint8_t group[6] = {0x33, 0x33};
	const struct item *dst = script_item(l, F_DST);

	if (l->body == BODY_ARP && num(l, F_OP, 1) == 1)
		to = all;
	if (dst && dst->addr.family == IP_V6 && dst->addr.b[0] == 0xff) {
		memcpy(group + 2, dst->addr.b + 12, 4);
		to = group;
	}
	put_mac(o, l, F_DMAC, to);
	put_mac(o, l, F_SMAC, mac_peer);
	if (vlan) {
		put16(o, 0x8100);
		put16(o, (uint64_t)vlan->n);
	}
	put16(o, (uint64_t)num(l, F_ETYPE,
			       l->body == BODY_ARP ? 0x0806
			       : v6                ? 0x86dd
						   : 0x0800));
}

size_t script_build(struct script *s, const struct packet_line *l)
{
	struct out o = {s->buf, 0};
	bool v6 = is_v6(s, l);
	const struct item *it = script_item(l, F_FRAME);
	size_t ip;

	if (it) {
		put(&o, it->bytes, it->len);
		return o.len;
	}
	if (s->l2)
		put_ether(&o, l, v6);
	ip = o.len;
	if (l->body == BODY_ARP)
		put_arp(s, &o, l);
	else if (v6)
		put_ip6(s, &o, l);
	else
		put_ip4(s, &o, l);
	cut(&o, l, ip);
	for (unsigned i = 0; i < l->n; i++)
		if (l->item[i].field == F_SPOIL &&
		    ip + (size_t)l->item[i].n < o.len)
			o.p[ip + (size_t)l->item[i].n] = (uint8_t)l->item[i].n2;
	for (int64_t n = num(l, F_PAD, 0); n > 0; n--)
		put8(&o, 0);
	s->last_in_len = MIN(o.len - ip, (size_t)QUOTE_MAX);
	memcpy(s->last_in, o.p + ip, s->last_in_len);
	return o.len;
}
