/*
 * SYN cookies (RFC 4987 3.6): when the table of half-open connections is
 * full, the handshake is kept in the numbers that the peer sends back. ISS =
 * 5 bits of time, 3 bits of MSS, 24 bits of keyed hash over both, the tuple,
 * the peer's number and the options. Window scale, SACK and ECN travel in
 * the low bits of our timestamp, if the peer uses timestamps; else they are
 * given up.
 */
#include "tcp/conn.h"
#include "tcp/isn.h"

#define TICK_NS (64ull * 1000000000ull) /* one count of the time bits */
#define TIME_BITS 5
#define AGE_MAX 2 /* counts that a cookie stays good */
#define MAC_MASK 0xffffffu

/* Common sizes; the peer's is rounded down to one of these. */
static const uint16_t mss_table[8] = {88,   536,  1220, 1360,
				      1440, 1460, 8940, 65475};

/* Bits of the timestamp. */
#define TS_WSCALE_MASK 0x0fu /* 15: none */
#define TS_SACK 0x10u
#define TS_ECN 0x20u
#define TS_BITS 0x3fu
#define TS_NO_WSCALE 0x0fu

static unsigned mss_index(uint16_t mss)
{
	unsigned i = ARRAY_SIZE(mss_table) - 1;

	while (i && mss_table[i] > mss)
		i--;
	return i;
}

static uint32_t mac(const struct hash_key *key, const struct tcp_tuple *t,
		    tcp_seq_t irs, uint64_t count, unsigned mss, uint32_t opts)
{
	uint64_t parts[4] = {tcp_tuple_hash(key, t, TCP_HASH_COOKIE), irs.v,
			     count, mss | (uint64_t)opts << 8};

	return (uint32_t)hash_bytes(key, parts, sizeof(parts)) & MAC_MASK;
}

static uint32_t ts_bits(const struct tcp_request *req)
{
	uint32_t bits = req->wscale_ok ? req->snd_wscale : TS_NO_WSCALE;

	return bits | (req->sack_ok ? TS_SACK : 0) | (req->ecn_ok ? TS_ECN : 0);
}

void tcp_cookie_make(const struct tcp_env *env, struct tcp_request *req,
		     uint32_t *ts_val, mono_t now)
{
	uint64_t count = now.ns / TICK_NS;
	unsigned mss = mss_index(req->peer_mss);
	uint32_t opts = TS_NO_WSCALE;

	if (req->ts_ok) {
		opts = ts_bits(req);
		*ts_val = (*ts_val & ~TS_BITS) | opts;
	} else {
		req->wscale_ok = req->sack_ok = req->ecn_ok = false;
	}
	req->iss = TCP_SEQ(
		(uint32_t)(count % (1u << TIME_BITS)) << 27 | mss << 24 |
		mac(&env->key, &req->tuple, req->irs, count, mss, opts));
}

/* The count a cookie was made at, or -1 when it is too old. */
static int64_t made_at(uint32_t cookie, mono_t now)
{
	uint64_t count = now.ns / TICK_NS;
	uint32_t bits = cookie >> 27;

	for (uint64_t age = 0; age <= AGE_MAX && age <= count; age++)
		if ((count - age) % (1u << TIME_BITS) == bits)
			return (int64_t)(count - age);
	return -1;
}

bool tcp_cookie_check(const struct tcp_env *env, const struct tcp_tuple *t,
		      const struct tcp_seg *in, struct tcp_request *ret,
		      mono_t now)
{
	const struct tcp_tune *tune = &env->tune;
	tcp_seq_t iss = TCP_SEQ(in->h.ack.v - 1);
	tcp_seq_t irs = TCP_SEQ(in->h.seq.v - 1);
	unsigned mss = iss.v >> 24 & 7;
	bool ts = tune->timestamps && in->h.opt.has_ts;
	uint32_t opts = ts ? in->h.opt.ts_ecr & TS_BITS : TS_NO_WSCALE;
	int64_t count = made_at(iss.v, now);

	if (count < 0 || mac(&env->key, t, irs, (uint64_t)count, mss, opts) !=
				 (iss.v & MAC_MASK))
		return false;
	*ret = (struct tcp_request){
		.tuple = *t,
		.iss = iss,
		.irs = irs,
		.peer_mss = mss_table[mss],
		.ts_ok = ts,
		.ts_recent = in->h.opt.ts_val,
		.wscale_ok = (opts & TS_WSCALE_MASK) != TS_NO_WSCALE,
		.snd_wscale = opts & TS_WSCALE_MASK,
		.rcv_wscale = tcp_opt_wscale_for(tune->rcvbuf_max),
		.sack_ok = opts & TS_SACK,
		.ecn_ok = opts & TS_ECN,
		.from_cookie = true,
		.created = now,
		.synack_sent = MONO_NEVER,
		.ts_offset = tcp_ts_offset(&env->key, t),
	};
	return true;
}
