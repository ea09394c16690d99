#include "tcp/isn.h"

#include <string.h>

uint64_t tcp_tuple_hash(const struct hash_key *key, const struct tcp_tuple *t,
			uint32_t purpose)
{
	/* No padding, so every byte that is hashed has a value. */
	struct {
		uint8_t local[16], remote[16];
		uint8_t local_family, remote_family;
		uint16_t local_port, remote_port;
		uint16_t purpose;
		uint32_t scope;
	} in = {
		.local_family = t->local.family,
		.remote_family = t->remote.family,
		.local_port = t->local_port,
		.remote_port = t->remote_port,
		.purpose = (uint16_t)purpose,
		.scope = t->scope,
	};

	_Static_assert(sizeof(in) == 44, "no padding");
	memcpy(in.local, t->local.b, sizeof(in.local));
	memcpy(in.remote, t->remote.b, sizeof(in.remote));
	return hash_bytes(key, &in, sizeof(in));
}

/* [RFC9293 3.4.1 MUST-9, SHLD-1] */
tcp_seq_t tcp_isn(const struct hash_key *key, const struct tcp_tuple *t,
		  mono_t now)
{
	/* [RFC6528 3] ISN = M + F(tuple, secret); M ticks every 4 us
	 * [RFC9293 3.4.1 MUST-8] */
	return TCP_SEQ(now.ns / 4000 + tcp_tuple_hash(key, t, TCP_HASH_ISN));
}

/* [RFC7323 7.1] */
uint32_t tcp_ts_offset(const struct hash_key *key, const struct tcp_tuple *t)
{
	return (uint32_t)tcp_tuple_hash(key, t, TCP_HASH_TS);
}

/* [RFC7323 5.4] */
uint32_t tcp_ts_now(uint32_t offset, mono_t now)
{
	return (uint32_t)(now.ns / TCP_TS_TICK_NS) + offset;
}
