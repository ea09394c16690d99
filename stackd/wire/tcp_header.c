#include "wire/tcp_header.h"

#include "base/cursor.h"

#include <errno.h>

enum { /* option kinds */
       OPT_END = 0,
       OPT_NOP = 1,
       OPT_MSS = 2,
       OPT_WSCALE = 3,
       OPT_SACK_OK = 4,
       OPT_SACK = 5,
       OPT_TS = 8,
};

#define OPT_SPACE (TCP_HDR_MAX - TCP_HDR_MIN)
#define LEN_MSS 4
#define LEN_WSCALE 3
#define LEN_SACK_OK 2
#define LEN_TS 10
#define LEN_SACK_BLOCK 8

static void parse_sack(struct rcur *o, size_t len, struct tcp_options *ret)
{
	size_t n = len / LEN_SACK_BLOCK;

	if (len % LEN_SACK_BLOCK || n > TCP_SACK_MAX)
		return;
	ret->n_sack = (uint8_t)n;
	for (size_t i = 0; i < n; i++) {
		ret->sack[i].left = TCP_SEQ(rcur_32(o));
		ret->sack[i].right = TCP_SEQ(rcur_32(o));
	}
}

/* One option's body; a body of the wrong size for its kind is ignored. */
static void parse_option(uint8_t kind, struct rcur o, struct tcp_options *ret)
{
	size_t len = rcur_left(&o);

	if (kind == OPT_MSS && len == LEN_MSS - 2) {
		ret->has_mss = true;
		ret->mss = rcur_16(&o);
	} else if (kind == OPT_WSCALE && len == LEN_WSCALE - 2) {
		ret->has_wscale = true;
		ret->wscale = rcur_8(&o);
	} else if (kind == OPT_SACK_OK && len == LEN_SACK_OK - 2) {
		ret->sack_permitted = true;
	} else if (kind == OPT_SACK) {
		parse_sack(&o, len, ret);
	} else if (kind == OPT_TS && len == LEN_TS - 2) {
		ret->has_ts = true;
		ret->ts_val = rcur_32(&o);
		ret->ts_ecr = rcur_32(&o);
	}
}

/* [RFC9293 3.1 MUST-4] [RFC9293 3.2 MUST-64] */
static void parse_options(struct rcur *cur, struct tcp_options *ret)
{
	while (rcur_left(cur)) {
		uint8_t kind = rcur_8(cur), len;
		const uint8_t *body;

		if (kind == OPT_END)
			return;
		if (kind == OPT_NOP)
			continue;
		len = rcur_8(cur);
		/* [RFC9293 3.1 MUST-7] illegal length: no guess where the
		 * next option starts */
		if (!rcur_ok(cur) || len < 2)
			return;
		body = rcur_bytes(cur, len - 2u);
		if (!body)
			return;
		/* [RFC9293 3.1 MUST-6] unknown kinds are passed over */
		parse_option(kind, rcur_of(body, len - 2u), ret);
	}
}

/* [RFC9293 3.1 MUST-1, MUST-5] */
int tcp_header_parse(const void *data, size_t len, struct tcp_header *ret)
{
	struct rcur cur = rcur_of(data, len), opts;
	struct tcp_header h = {0};
	const uint8_t *body;
	size_t hlen;

	h.src_port = rcur_16(&cur);
	h.dst_port = rcur_16(&cur);
	h.seq = TCP_SEQ(rcur_32(&cur));
	h.ack = TCP_SEQ(rcur_32(&cur));
	hlen = (size_t)(rcur_8(&cur) >> 4) * 4;
	h.flags = rcur_8(&cur);
	h.wnd = rcur_16(&cur);
	rcur_16(&cur); /* checksum: verified before */
	h.urg = rcur_16(&cur);
	if (!rcur_ok(&cur) || hlen < TCP_HDR_MIN || hlen > len)
		return -EINVAL;
	body = rcur_bytes(&cur, hlen - TCP_HDR_MIN);
	if (!body)
		return -EINVAL;
	opts = rcur_of(body, hlen - TCP_HDR_MIN);
	parse_options(&opts, &h.opt);
	*ret = h;
	return (int)hlen;
}

/* Bytes of all options but SACK; each group is padded to four. */
static size_t fixed_len(const struct tcp_options *o)
{
	size_t n = 0;

	if (o->has_mss)
		n += LEN_MSS;
	if (o->has_ts)
		n += LEN_TS + 2; /* SACK-permitted fits into the padding */
	else if (o->sack_permitted)
		n += LEN_SACK_OK + 2;
	if (o->has_wscale)
		n += LEN_WSCALE + 1;
	return n;
}

/* How many SACK blocks fit beside the others. */
static size_t sack_fits(const struct tcp_options *o)
{
	size_t left = OPT_SPACE - fixed_len(o);
	size_t fits = left < 4 ? 0 : (left - 4) / LEN_SACK_BLOCK;

	return MIN(fits, MIN((size_t)o->n_sack, (size_t)TCP_SACK_MAX));
}

size_t tcp_header_len(const struct tcp_header *h)
{
	size_t n = sack_fits(&h->opt);

	return TCP_HDR_MIN + fixed_len(&h->opt) +
	       (n ? 4 + n * LEN_SACK_BLOCK : 0);
}

static void emit_pair(struct wcur *cur, uint8_t a, uint8_t b)
{
	wcur_8(cur, a);
	wcur_8(cur, b);
}

/* [RFC9293 3.1 MUST-68, MUST-69] */
static void emit_options(struct wcur *cur, const struct tcp_options *o)
{
	size_t n = sack_fits(o);

	if (o->has_mss) {
		emit_pair(cur, OPT_MSS, LEN_MSS);
		wcur_16(cur, o->mss);
	}
	if (o->sack_permitted)
		emit_pair(cur, OPT_SACK_OK, LEN_SACK_OK);
	if (o->has_ts != o->sack_permitted)
		emit_pair(cur, OPT_NOP, OPT_NOP);
	if (o->has_ts) {
		emit_pair(cur, OPT_TS, LEN_TS);
		wcur_32(cur, o->ts_val);
		wcur_32(cur, o->ts_ecr);
	}
	if (o->has_wscale) {
		emit_pair(cur, OPT_NOP, OPT_WSCALE);
		emit_pair(cur, LEN_WSCALE, o->wscale);
	}
	if (!n)
		return;
	emit_pair(cur, OPT_NOP, OPT_NOP);
	emit_pair(cur, OPT_SACK, (uint8_t)(2 + n * LEN_SACK_BLOCK));
	for (size_t i = 0; i < n; i++) {
		wcur_32(cur, o->sack[i].left.v);
		wcur_32(cur, o->sack[i].right.v);
	}
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, (uint16_t)(v >> 16));
	put16(p + 2, (uint16_t)v);
}

size_t tcp_header_emit(const struct tcp_header *h, uint8_t buf[TCP_HDR_MAX])
{
	size_t len = tcp_header_len(h);
	struct wcur opts = wcur_of(buf + TCP_HDR_MIN, OPT_SPACE);

	put16(buf, h->src_port);
	put16(buf + 2, h->dst_port);
	put32(buf + 4, h->seq.v);
	put32(buf + 8, h->ack.v);
	buf[12] = (uint8_t)(len / 4 << 4);
	buf[13] = h->flags;
	put16(buf + 14, h->wnd);
	put16(buf + 16, 0);
	put16(buf + 18, h->urg);
	emit_options(&opts, &h->opt);
	INVARIANT(wcur_ok(&opts) && TCP_HDR_MIN + wcur_len(&opts) == len);
	return len;
}
