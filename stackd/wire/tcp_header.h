/*
 * tcp_header.h: TCP segments as values (RFC 9293 3.1, RFC 7323, RFC 2018).
 * Parsing is total: malformed input is refused here, so the state machine
 * sees only meaningful values. Pure, no state.
 */
#ifndef COUPLET_TCP_HEADER_H
#define COUPLET_TCP_HEADER_H

#include "base/base.h"

/* A sequence number; compare with the functions only (RFC 9293 3.4). */
typedef struct {
	uint32_t v;
} tcp_seq_t;

#define TCP_SEQ(x) ((tcp_seq_t){(uint32_t)(x)})

static inline tcp_seq_t seq_add(tcp_seq_t a, uint32_t n)
{
	return TCP_SEQ(a.v + n);
}

/* a - b modulo 2^32, as a signed distance. */
static inline int32_t seq_diff(tcp_seq_t a, tcp_seq_t b)
{
	return (int32_t)(a.v - b.v);
}

static inline bool seq_eq(tcp_seq_t a, tcp_seq_t b)
{
	return a.v == b.v;
}

static inline bool seq_lt(tcp_seq_t a, tcp_seq_t b)
{
	return seq_diff(a, b) < 0;
}

static inline bool seq_leq(tcp_seq_t a, tcp_seq_t b)
{
	return seq_diff(a, b) <= 0;
}

static inline tcp_seq_t seq_max(tcp_seq_t a, tcp_seq_t b)
{
	return seq_lt(a, b) ? b : a;
}

static inline tcp_seq_t seq_min(tcp_seq_t a, tcp_seq_t b)
{
	return seq_lt(a, b) ? a : b;
}

/* lo <= x < hi */
static inline bool seq_in(tcp_seq_t x, tcp_seq_t lo, tcp_seq_t hi)
{
	return seq_leq(lo, x) && seq_lt(x, hi);
}

enum {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_URG = 0x20,
	TCP_ECE = 0x40,
	TCP_CWR = 0x80,
};

#define TCP_HDR_MIN 20
#define TCP_HDR_MAX 60
#define TCP_SACK_MAX 4

struct tcp_sack_block {
	tcp_seq_t left, right; /* [left, right) */
};

struct tcp_options {
	bool has_mss, has_wscale, sack_permitted, has_ts;
	uint16_t mss;
	uint8_t wscale; /* as received, may exceed 14 */
	uint8_t n_sack; /* 0..TCP_SACK_MAX */
	uint32_t ts_val, ts_ecr;
	struct tcp_sack_block sack[TCP_SACK_MAX];
};

struct tcp_header {
	uint16_t src_port, dst_port;
	tcp_seq_t seq, ack;
	uint8_t flags;
	uint16_t wnd; /* raw, unscaled */
	uint16_t urg;
	struct tcp_options opt;
};

/* Parses `len` bytes that start with a TCP header. Returns the header's
 * length, or -EINVAL (too short, data offset below 5 or beyond `len`).
 * Unknown and broken options are skipped as RFC 9293 MUST-6, MUST-7 say;
 * an option of illegal length ends the option list. */
int tcp_header_parse(const void *data, size_t len,
		     struct tcp_header *ret) MUST_USE;
/* Writes header and options (padded), checksum zero. At most TCP_HDR_MAX
 * bytes; SACK blocks that do not fit are left out. Returns the length. */
size_t tcp_header_emit(const struct tcp_header *h, uint8_t buf[TCP_HDR_MAX]);
/* Length tcp_header_emit() would write. */
size_t tcp_header_len(const struct tcp_header *h);

#endif
