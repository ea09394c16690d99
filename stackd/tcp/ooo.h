/*
 * ooo.h: reassembly: data that arrived beyond rcv_nxt, as sorted separate
 * ranges, each a chain of packets, and the SACK blocks to report on it
 * (RFC 2018 4, RFC 2883). Made when the first segment arrives out of order,
 * freed when the last hole is filled. Memory and number of ranges bounded.
 */
#ifndef COUPLET_TCP_OOO_H
#define COUPLET_TCP_OOO_H

#include "pkt/pkt.h"
#include "wire/tcp_header.h"

#define TCP_OOO_RANGES_MAX 1024

struct tcp_ooo_range {
	tcp_seq_t left, right;
	struct pkt *first, *last; /* pkt->seq: number of its first byte */
};

struct tcp_ooo {
	struct tcp_ooo_range *v; /* sorted, apart from each other */
	uint32_t n, cap;
	uint32_t mem; /* bytes of buffers */
	uint8_t n_recent;
	struct tcp_sack_block recent[TCP_SACK_MAX]; /* latest first */
};

struct tcp_ooo *tcp_ooo_new(void); /* NULL: no memory */
void tcp_ooo_free(struct tcp_ooo *o, struct pkt_pool *pool); /* NULL is fine */

enum tcp_ooo_verdict {
	TCP_OOO_HELD,      /* pkt taken */
	TCP_OOO_DUPLICATE, /* nothing new in it; pkt freed */
	TCP_OOO_REFUSED,   /* limit reached; pkt freed */
};

/* Takes `p`, whose live bytes begin at number `seq`, beyond rcv_nxt.
 * *ret_dup: what was here before (left == right when nothing), for D-SACK.
 * The buffers held never pass `mem_max` bytes. */
enum tcp_ooo_verdict tcp_ooo_insert(struct tcp_ooo *o, struct pkt_pool *pool,
				    struct pkt *p, tcp_seq_t seq,
				    uint32_t mem_max,
				    struct tcp_sack_block *ret_dup);
/* rcv_nxt has reached `nxt`: next packet that begins there or before, cut to
 * what is new; NULL when there is a hole. Caller owns it. Call until NULL. */
struct pkt *tcp_ooo_take(struct tcp_ooo *o, struct pkt_pool *pool,
			 tcp_seq_t nxt);
bool tcp_ooo_empty(const struct tcp_ooo *o);
/* One past the highest byte held; `o` is not empty. */
tcp_seq_t tcp_ooo_end(const struct tcp_ooo *o);
void tcp_ooo_check(const struct tcp_ooo *o, tcp_seq_t nxt);

#endif
