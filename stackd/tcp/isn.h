/*
 * isn.h: numbers that a stranger must not guess: initial sequence numbers
 * (RFC 6528), timestamp offsets (RFC 7323 5.4), the keyed hash of a tuple.
 * Pure.
 */
#ifndef COUPLET_TCP_ISN_H
#define COUPLET_TCP_ISN_H

#include "tcp/tcp.h"

#define TCP_TS_TICK_NS 1000000u /* our timestamp clock: 1 ms */

enum { TCP_HASH_ISN = 1, TCP_HASH_TS, TCP_HASH_COOKIE, TCP_HASH_SYNQ };

/* `purpose` separates the uses of one key. */
uint64_t tcp_tuple_hash(const struct hash_key *key, const struct tcp_tuple *t,
			uint32_t purpose);
/* Offset of our timestamps on this tuple: the same in each incarnation, so
 * that PAWS and RFC 6191 work across them. */
uint32_t tcp_ts_offset(const struct hash_key *key, const struct tcp_tuple *t);
/* TSval now. */
uint32_t tcp_ts_now(uint32_t offset, mono_t now);

#endif
