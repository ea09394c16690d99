#include "tcp/isn.h"

#include "base/cursor.h"

#define TUPLE_BYTES (2 * 17 + 4 + 4)

uint64_t tcp_tuple_hash(const struct hash_key *key, const struct tcp_tuple *t,
			uint32_t purpose)
{
	uint8_t buf[TUPLE_BYTES + 4];
	struct wcur cur = wcur_of(buf, sizeof(buf));

	wcur_8(&cur, t->local.family);
	wcur_copy(&cur, t->local.b, sizeof(t->local.b));
	wcur_8(&cur, t->remote.family);
	wcur_copy(&cur, t->remote.b, sizeof(t->remote.b));
	wcur_16(&cur, t->local_port);
	wcur_16(&cur, t->remote_port);
	wcur_32(&cur, t->scope);
	wcur_32(&cur, purpose);
	INVARIANT(wcur_ok(&cur));
	return hash_bytes(key, buf, sizeof(buf));
}

tcp_seq_t tcp_isn(const struct hash_key *key, const struct tcp_tuple *t,
		  mono_t now)
{
	/* [RFC6528 3] ISN = M + F(tuple, secret); M ticks every 4 us
	 * [RFC9293 3.4.1 MUST-8] */
	return TCP_SEQ(now.ns / 4000 + tcp_tuple_hash(key, t, TCP_HASH_ISN));
}

uint32_t tcp_ts_offset(const struct hash_key *key, const struct tcp_tuple *t)
{
	return (uint32_t)tcp_tuple_hash(key, t, TCP_HASH_TS);
}

uint32_t tcp_ts_now(uint32_t offset, mono_t now)
{
	return (uint32_t)(now.ns / TCP_TS_TICK_NS) + offset;
}
