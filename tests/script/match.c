/*
 * A packet of the stack against the fields a script names. Every checksum
 * is verified whether the script says so or not, payload of TCP byte by
 * byte.
 */
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A field of the packet, if it has it. */
struct value {
	bool there;
	int64_t n, n2;
	struct ip_addr addr;
	const uint8_t *bytes;
};

struct seen {
	struct value v[F__COUNT];
	enum body body;
	unsigned n_sack;
	int64_t sack[4][2];
	const uint8_t *payload;
	size_t payload_len;
	const char *bad; /* what is wrong with it in itself */
};

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) << 16 | get16(p + 2);
}

static void set(struct seen *s, enum field f, int64_t n)
{
	s->v[f].there = true;
	s->v[f].n = n;
}

static void set_addr(struct seen *s, enum field f, const uint8_t *p, bool v6)
{
	s->v[f].there = true;
	s->v[f].addr = ip_from_bytes(v6 ? IP_V6 : IP_V4, p);
}

static void set_bytes(struct seen *s, enum field f, const uint8_t *p)
{
	s->v[f].there = true;
	s->v[f].bytes = p;
}

static uint32_t sum16(uint32_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		sum += get16(p + i);
	if (n & 1)
		sum += (uint32_t)p[n - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* ---- bodies
 * -------------------------------------------------------------------- */

static void read_options(struct seen *s, const uint8_t *p, size_t len)
{
	size_t i = 0;

	while (i < len && p[i] != 0) {
		size_t n = p[i] == 1 ? 1 : i + 1 < len ? p[i + 1] : 0;

		if (n < 1 || i + n > len || (p[i] != 1 && n < 2)) {
			s->bad = "broken TCP options";
			return;
		}
		if (p[i] == 2)
			set(s, F_MSS, get16(p + i + 2));
		else if (p[i] == 3)
			set(s, F_WS, p[i + 2]);
		else if (p[i] == 4)
			set(s, F_SACKOK, 1);
		else if (p[i] == 8) {
			set(s, F_TS, get32(p + i + 2));
			s->v[F_TS].n2 = get32(p + i + 6);
		} else if (p[i] == 5) {
			set(s, F_SACK, 1);
			for (size_t k = 2; k + 8 <= n && s->n_sack < 4;
			     k += 8) {
				s->sack[s->n_sack][0] = get32(p + i + k);
				s->sack[s->n_sack++][1] = get32(p + i + k + 4);
			}
		}
		i += n;
	}
}

static void read_tcp(struct seen *s, const uint8_t *p, size_t len)
{
	size_t hdr;

	s->body = BODY_TCP;
	hdr = len >= 20 ? (size_t)(p[12] >> 4) * 4 : 0;
	if (len < 20 || hdr < 20 || hdr > len) {
		s->bad = "short TCP header";
		return;
	}
	set(s, F_SPORT, get16(p));
	set(s, F_DPORT, get16(p + 2));
	set(s, F_SEQ, get32(p + 4));
	set(s, F_ACK, get32(p + 8));
	set(s, F_RSVD, p[12] & 15);
	set(s, F_FLAGS, p[13]);
	set(s, F_WIN, get16(p + 14));
	set(s, F_URG, get16(p + 18));
	set(s, F_LEN, (int64_t)(len - hdr));
	s->payload = p + hdr;
	s->payload_len = len - hdr;
	read_options(s, p + 20, hdr - 20);
}

static void read_nd_options(struct seen *s, const uint8_t *p, size_t len)
{
	while (len >= 8 && p[1] && p[1] * 8u <= len) {
		if (p[0] == 1)
			set_bytes(s, F_SLLA, p + 2);
		else if (p[0] == 2)
			set_bytes(s, F_TLLA, p + 2);
		else if (p[0] == 14)
			set_bytes(s, F_NONCE, p + 2);
		len -= p[1] * 8u;
		p += p[1] * 8u;
	}
	if (len)
		s->bad = "broken ND options";
}

static void read_nd(struct seen *s, const uint8_t *p, size_t len)
{
	static const uint8_t fixed[] = {8, 16, 24, 24, 40};
	size_t n = fixed[p[0] - 133];

	if (len < n) {
		s->bad = "short ND message";
		return;
	}
	if (p[0] == 135 || p[0] == 136)
		set_addr(s, F_TARGET, p + 8, true);
	if (p[4] & 0x80)
		set(s, F_ROUTER, 1);
	if (p[4] & 0x40)
		set(s, F_SOL, 1);
	if (p[4] & 0x20)
		set(s, F_OVERRIDE, 1);
	read_nd_options(s, p + n, len - n);
}

static void read_icmp(struct seen *s, enum body body, const uint8_t *p,
		      size_t len)
{
	s->body = body;
	if (len < 8) {
		s->bad = "short ICMP message";
		return;
	}
	set(s, F_TYPE, p[0]);
	set(s, F_CODE, p[1]);
	set(s, F_REST, get32(p + 4));
	set(s, F_EID, get16(p + 4));
	set(s, F_ESEQ, get16(p + 6));
	set(s, F_MTU, get32(p + 4));
	set(s, F_PTR, body == BODY_ICMP4 ? p[4] : get32(p + 4));
	set(s, F_LEN, (int64_t)len - 8);
	s->payload = p + 8;
	s->payload_len = len - 8;
	if (body == BODY_ICMP6 && p[0] >= 133 && p[0] <= 137)
		read_nd(s, p, len);
	else if (body == BODY_ICMP6 && p[0] == 143 && len >= 28)
		set_addr(s, F_GROUP, p + 12, true);
	else if (body == BODY_ICMP6 && p[0] >= 131 && p[0] <= 132 && len >= 24)
		set_addr(s, F_GROUP, p + 8, true);
}

static void read_arp(struct seen *s, const uint8_t *p, size_t len)
{
	s->body = BODY_ARP;
	if (len < 28) {
		s->bad = "short ARP packet";
		return;
	}
	set(s, F_OP, get16(p + 6));
	set_bytes(s, F_SHA, p + 8);
	set_addr(s, F_SPA, p + 14, false);
	set_bytes(s, F_THA, p + 18);
	set_addr(s, F_TPA, p + 24, false);
}

static void read_igmp(struct seen *s, const uint8_t *p, size_t len)
{
	s->body = BODY_IGMP;
	if (len < 8) {
		s->bad = "short IGMP message";
		return;
	}
	set(s, F_TYPE, p[0]);
	if (p[0] == 0x22 && len >= 16)
		set_addr(s, F_GROUP, p + 12, false);
	else
		set_addr(s, F_GROUP, p + 4, false);
}

/* Checksum over pseudo-header and body. */
static bool sum_ok(const struct seen *s, uint8_t proto, const uint8_t *p,
		   size_t len)
{
	const struct ip_addr *a = &s->v[F_SRC].addr, *b = &s->v[F_DST].addr;
	size_t n = a->family == IP_V6 ? 16 : 4;
	uint32_t sum = 0;

	if (proto != 1 && proto != 2) {
		sum = sum16(sum, a->b, n);
		sum = sum16(sum, b->b, n);
		sum += proto + (uint32_t)len;
	}
	return sum16(sum, p, len) == 0xffff;
}

static void read_body(struct seen *s, uint8_t proto, const uint8_t *p,
		      size_t len)
{
	bool fragment = s->v[F_MF].there || s->v[F_OFF].n || s->v[F_FRAG].there;

	set(s, F_PROTO, proto);
	if (s->v[F_OFF].n) {
		s->body = BODY_RAW;
		set(s, F_LEN, (int64_t)len);
		return;
	}
	switch (proto) {
	case 6:
		read_tcp(s, p, len);
		break;
	case 17:
		s->body = BODY_UDP;
		if (len < 8)
			break;
		set(s, F_SPORT, get16(p));
		set(s, F_DPORT, get16(p + 2));
		set(s, F_ULEN, get16(p + 4));
		set(s, F_LEN, (int64_t)len - 8);
		s->payload = p + 8;
		s->payload_len = len - 8;
		break;
	case 1:
		read_icmp(s, BODY_ICMP4, p, len);
		break;
	case 58:
		read_icmp(s, BODY_ICMP6, p, len);
		break;
	case 2:
		read_igmp(s, p, len);
		break;
	default:
		s->body = BODY_RAW;
		return;
	}
	if (!fragment && !sum_ok(s, proto, p, len) && !s->bad)
		s->bad = "wrong checksum of the transport";
}

/* ---- IP
 * ---------------------------------------------------------------------------
 */

static void read_ip4(struct seen *s, const uint8_t *p, size_t len)
{
	size_t hl = (size_t)(p[0] & 15) * 4, total = get16(p + 2);

	if (len < 20 || hl < 20 || total > len || hl > total) {
		s->bad = "broken IPv4 header";
		return;
	}
	if (sum16(0, p, hl) != 0xffff)
		s->bad = "wrong checksum of the IPv4 header";
	set(s, F_VERSION, 4);
	set(s, F_IHL, p[0] & 15);
	set(s, F_TOS, p[1]);
	set(s, F_TOTLEN, (int64_t)total);
	set(s, F_ID, get16(p + 4));
	set(s, F_OFF, (get16(p + 6) & 0x1fff) * 8);
	if (p[6] & 0x40)
		set(s, F_DF, 1);
	if (p[6] & 0x20)
		set(s, F_MF, 1);
	set(s, F_TTL, p[8]);
	set_addr(s, F_SRC, p + 12, false);
	set_addr(s, F_DST, p + 16, false);
	if (hl > 20)
		set_bytes(s, F_IPOPT, p + 20);
	read_body(s, p[9], p + hl, total - hl);
}

static void read_ip6(struct seen *s, const uint8_t *p, size_t len)
{
	size_t at = 40, end = 40 + get16(p + 4);
	uint8_t nh = p[6];

	if (len < 40 || end > len) {
		s->bad = "broken IPv6 header";
		return;
	}
	set(s, F_VERSION, 6);
	set(s, F_TOS, get16(p) >> 4 & 0xff);
	if (get32(p) & 0xfffff) /* 0 is none */
		set(s, F_FLOW, get32(p) & 0xfffff);
	set(s, F_PLEN, get16(p + 4));
	set(s, F_TTL, p[7]);
	set_addr(s, F_SRC, p + 8, true);
	set_addr(s, F_DST, p + 24, true);
	while ((nh == 0 || nh == 43 || nh == 60 || nh == 44) && at + 8 <= end) {
		size_t step = nh == 44 ? 8 : (p[at + 1] + 1u) * 8;

		if (nh == 44) {
			set(s, F_FRAG, get16(p + at + 2) & 0xfff8);
			s->v[F_FRAG].n2 = p[at + 3] & 1;
			set(s, F_OFF, get16(p + at + 2) & 0xfff8);
			if (p[at + 3] & 1)
				set(s, F_MF, 1);
			set(s, F_ID, get32(p + at + 4));
		} else {
			set(s, F_EXT, nh);
		}
		nh = p[at];
		at += step;
	}
	read_body(s, nh, p + at, end - at);
}

int script_ip_offset(const struct script *s, const uint8_t *p, size_t len)
{
	size_t at = s->l2 ? 14 : 0;

	if (s->l2 && len >= 18 && get16(p + 12) == 0x8100)
		at = 18;
	if (len <= at || (s->l2 && get16(p + at - 2) != 0x0800 &&
			  get16(p + at - 2) != 0x86dd))
		return -1;
	return (int)at;
}

static void read_frame(struct script *s, struct seen *r, const uint8_t *p,
		       size_t len)
{
	size_t at = 0;

	*r = (struct seen){0};
	if (s->l2) {
		if (len < 14) {
			r->bad = "short frame";
			return;
		}
		set_bytes(r, F_DMAC, p);
		set_bytes(r, F_SMAC, p + 6);
		at = 14;
		if (get16(p + 12) == 0x8100) {
			set(r, F_VLAN, get16(p + 14) & 0xfff);
			at = 18;
		}
		set(r, F_ETYPE, get16(p + at - 2));
		if (r->v[F_ETYPE].n == 0x0806) {
			read_arp(r, p + at, len - at);
			return;
		}
	}
	if (len - at < 20)
		r->bad = "short packet";
	else if (p[at] >> 4 == 4)
		read_ip4(r, p + at, len - at);
	else if (p[at] >> 4 == 6)
		read_ip6(r, p + at, len - at);
	else
		r->bad = "neither IPv4 nor IPv6";
}

/* ---- comparing
 * ---------------------------------------------------------------------- */

static bool bind_var(struct script *s, const char *name,
		     const struct ip_addr *a)
{
	for (unsigned i = 0; i < VARS_MAX; i++)
		if (!s->var[i].name[0] || strcmp(s->var[i].name, name) == 0) {
			snprintf(s->var[i].name, sizeof(s->var[i].name), "%s",
				 name);
			s->var[i].addr = *a;
			return true;
		}
	return script_fail(s, "too many variables");
}

static bool match_addr(struct script *s, const struct item *it,
		       const struct value *v)
{
	char a[ADDR_TEXT_MAX], b[ADDR_TEXT_MAX];

	if (it->var[0])
		return bind_var(s, it->var, &v->addr);
	if (ip_eq(&it->addr, &v->addr) != it->other)
		return true;
	return script_fail(s, "an address is %s, not %s",
			   ip_format(&v->addr, a), ip_format(&it->addr, b));
}

static const char *const names[F__COUNT] = {
	[F_VLAN] = "vlan",     [F_TTL] = "ttl",
	[F_TOS] = "tos",       [F_ID] = "id",
	[F_DF] = "df",         [F_MF] = "mf",
	[F_OFF] = "off",       [F_TOTLEN] = "totlen",
	[F_PROTO] = "proto",   [F_FLOW] = "flow",
	[F_PLEN] = "plen",     [F_SPORT] = "sport",
	[F_DPORT] = "dport",   [F_LEN] = "len",
	[F_ULEN] = "ulen",     [F_FLAGS] = "flags",
	[F_SEQ] = "seq",       [F_ACK] = "ack",
	[F_WIN] = "win",       [F_URG] = "urg",
	[F_MSS] = "mss",       [F_WS] = "ws",
	[F_SACKOK] = "sackok", [F_TS] = "ts",
	[F_SACK] = "sack",     [F_TYPE] = "type",
	[F_CODE] = "code",     [F_REST] = "rest",
	[F_MTU] = "mtu",       [F_PTR] = "ptr",
	[F_OP] = "op",         [F_ROUTER] = "router",
	[F_SOL] = "sol",       [F_OVERRIDE] = "over",
	[F_SLLA] = "slla",     [F_TLLA] = "tlla",
	[F_NONCE] = "nonce",   [F_IPOPT] = "ipopt",
	[F_FRAG] = "frag",     [F_EXT] = "extension header",
};

static const char *name_of(enum field f)
{
	return names[f] ? names[f] : "a field";
}

static bool match_pair(struct script *s, const struct item *it, int64_t a,
		       int64_t b)
{
	if ((it->n != -1 && it->n != a) || (it->n2 != -1 && it->n2 != b))
		return script_fail(s, "%s is %lld:%lld, not %lld:%lld",
				   name_of(it->field), (long long)a,
				   (long long)b, (long long)it->n,
				   (long long)it->n2);
	return true;
}

static bool match_quote(struct script *s, const struct seen *r)
{
	/* routers and hosts may change TTL and checksum; here nobody does */
	if (r->payload_len < 28 || r->payload_len > s->last_in_len ||
	    memcmp(r->payload, s->last_in, r->payload_len) != 0)
		return script_fail(s, "the quote is not the packet sent last");
	return true;
}

static bool match_item(struct script *s, const struct item *it,
		       const struct seen *r, unsigned *sack)
{
	const struct value *v = &r->v[it->field];
	bool there = it->field == F_QUOTE || v->there;

	if (it->absent)
		return !v->there ||
		       script_fail(s, "%s is there", name_of(it->field));
	if (!there)
		return script_fail(s, "%s is not there", name_of(it->field));
	if (it->any)
		return true;
	switch (it->field) {
	case F_SRC:
	case F_DST:
	case F_TARGET:
	case F_DEST:
	case F_SPA:
	case F_TPA:
	case F_GROUP:
		return match_addr(s, it, v);
	case F_SMAC:
	case F_DMAC:
	case F_SHA:
	case F_THA:
	case F_SLLA:
	case F_TLLA:
	case F_NONCE:
		return memcmp(v->bytes, it->bytes, 6) == 0 ||
		       script_fail(s, "another MAC address in %s",
				   name_of(it->field));
	case F_TS:
		return match_pair(s, it, v->n, v->n2);
	case F_SACK:
		if (*sack >= r->n_sack)
			return script_fail(s, "only %u SACK blocks", r->n_sack);
		++*sack;
		return match_pair(s, it, r->sack[*sack - 1][0],
				  r->sack[*sack - 1][1]);
	case F_QUOTE:
		return match_quote(s, r);
	case F_FRAG:
	case F_DF:
	case F_MF:
	case F_SACKOK:
	case F_ROUTER:
	case F_SOL:
	case F_OVERRIDE:
	case F_EXT:
	case F_IPOPT:
		return true;
	default:
		return v->n == it->n ||
		       script_fail(s, "%s is %lld, not %lld",
				   name_of(it->field), (long long)v->n,
				   (long long)it->n);
	}
}

/* What the stack's TCP numbers mean to the script: distances. */
static void make_relative(struct script *s, struct seen *r)
{
	struct flow *f = script_flow(s, (uint16_t)r->v[F_DPORT].n);
	int64_t flags = r->v[F_FLAGS].n;

	if (flags & 2 && !f->iss_known) {
		f->iss = (uint32_t)r->v[F_SEQ].n;
		f->iss_known = true;
		f->our_port = (uint16_t)r->v[F_SPORT].n;
	}
	if (r->v[F_TS].there)
		f->ts_val = (uint32_t)r->v[F_TS].n;
	r->v[F_SEQ].n = (int32_t)((uint32_t)r->v[F_SEQ].n - f->iss);
	r->v[F_ACK].n = (int32_t)((uint32_t)r->v[F_ACK].n - f->isn);
	for (unsigned i = 0; i < r->n_sack; i++)
		for (int k = 0; k < 2; k++)
			r->sack[i][k] =
				(int32_t)((uint32_t)r->sack[i][k] - f->isn);
}

static bool check_payload(struct script *s, const struct seen *r)
{
	int64_t seq = r->v[F_SEQ].n + (r->v[F_FLAGS].n & 2 ? 1 : 0);

	if (r->v[F_FLAGS].n & 4 || seq < 1)
		return true;
	for (size_t i = 0; i < r->payload_len; i++)
		if (r->payload[i] != script_byte(1, (uint64_t)(seq - 1) + i))
			return script_fail(s, "payload byte %zu is wrong", i);
	return true;
}

void script_remember(struct script *s, const uint8_t *p, size_t len)
{
	int at = script_ip_offset(s, p, len);

	if (at < 0)
		return;
	s->last_out_len = MIN(len - (size_t)at, (size_t)QUOTE_MAX);
	memcpy(s->last_out, p + at, s->last_out_len);
}

bool script_match(struct script *s, const struct packet_line *l,
		  const uint8_t *p, size_t len)
{
	struct seen r;
	unsigned sack = 0;

	read_frame(s, &r, p, len);
	if (r.bad)
		return script_fail(s, "%s", r.bad);
	if (r.body != l->body && l->body != BODY_NONE)
		return script_fail(s, "another protocol");
	if (r.body == BODY_TCP) {
		if (r.v[F_RSVD].n)
			return script_fail(s, "reserved bits are set");
		make_relative(s, &r);
		if (!check_payload(s, &r))
			return false;
		if (!script_item(l, F_LEN) && r.payload_len)
			return script_fail(s, "%zu bytes of text",
					   r.payload_len);
	}
	for (unsigned i = 0; i < l->n; i++)
		if (!match_item(s, &l->item[i], &r, &sack))
			return false;
	if (sack && sack != r.n_sack)
		return script_fail(s, "%u SACK blocks", r.n_sack);
	script_remember(s, p, len);
	return true;
}

/* ---- for messages
 * ---------------------------------------------------------------------- */

static void describe_tcp(struct seen *r, char *buf, size_t cap)
{
	static const char letters[] = "FSRPAUEC";
	char flags[10] = "";
	size_t n = 0;

	for (int i = 0; i < 8; i++)
		if (r->v[F_FLAGS].n & 1 << i)
			flags[n++] = letters[i];
	flags[n] = 0;
	n = (size_t)snprintf(buf, cap, "%s %lld+%lld ack %lld win %lld",
			     n ? flags : ".", (long long)r->v[F_SEQ].n,
			     (long long)r->v[F_LEN].n, (long long)r->v[F_ACK].n,
			     (long long)r->v[F_WIN].n);
	if (r->v[F_MSS].there)
		n += (size_t)snprintf(buf + n, cap - n, " mss %lld",
				      (long long)r->v[F_MSS].n);
	if (r->v[F_TS].there)
		n += (size_t)snprintf(buf + n, cap - n, " ts %lld:%lld",
				      (long long)r->v[F_TS].n,
				      (long long)r->v[F_TS].n2);
	for (unsigned i = 0; i < r->n_sack; i++)
		n += (size_t)snprintf(buf + n, cap - n, " sack %lld:%lld",
				      (long long)r->sack[i][0],
				      (long long)r->sack[i][1]);
}

const char *script_describe(struct script *s, const uint8_t *p, size_t len,
			    char *buf, size_t cap)
{
	static const char *const body[] = {"nothing", "tcp", "udp",  "icmp",
					   "icmp6",   "arp", "igmp", "raw"};
	char a[ADDR_TEXT_MAX], b[ADDR_TEXT_MAX];
	struct seen r;

	read_frame(s, &r, p, len);
	if (r.bad) {
		snprintf(buf, cap, "%zu bytes, %s", len, r.bad);
		return buf;
	}
	if (r.body == BODY_TCP) {
		make_relative(s, &r);
		describe_tcp(&r, buf, cap);
		return buf;
	}
	snprintf(buf, cap, "%s type %lld code %lld rest %lld %s > %s len %lld",
		 body[r.body],
		 (long long)(r.body == BODY_ARP ? r.v[F_OP].n : r.v[F_TYPE].n),
		 (long long)r.v[F_CODE].n, (long long)r.v[F_REST].n,
		 ip_format(&r.v[r.body == BODY_ARP ? F_SPA : F_SRC].addr, a),
		 ip_format(&r.v[r.body == BODY_ARP ? F_TPA : F_DST].addr, b),
		 (long long)r.v[F_LEN].n);
	return buf;
}
