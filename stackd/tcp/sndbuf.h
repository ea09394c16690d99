/*
 * sndbuf.h: the send buffer: a queue of pool packets that the program's
 * bytes are read into in place and that segments borrow by iovec. Holds
 * [base, end) of the sequence space, bytes only: SYN and FIN are not here.
 */
#ifndef COUPLET_TCP_SNDBUF_H
#define COUPLET_TCP_SNDBUF_H

#include "pkt/pkt.h"
#include "wire/tcp_header.h"

enum tcp_sndbuf_hint { TCP_SNDBUF_NEW, TCP_SNDBUF_AGAIN, TCP_SNDBUF__HINTS };

struct tcp_sndbuf {
	struct pkt *head, *tail; /* pkt->seq: number of its first byte */
	struct pkt *spare;       /* reserved, nothing committed into it yet */
	struct pkt *hint[TCP_SNDBUF__HINTS]; /* where the last look-up ended */
	tcp_seq_t base, end;
	uint32_t limit; /* bytes of stream */
};

void tcp_sndbuf_init(struct tcp_sndbuf *b, tcp_seq_t base, uint32_t limit);
/* Frees everything; base moves to end. */
void tcp_sndbuf_clear(struct tcp_sndbuf *b, struct pkt_pool *pool);

static inline uint32_t tcp_sndbuf_len(const struct tcp_sndbuf *b)
{
	return (uint32_t)seq_diff(b->end, b->base);
}

/* Bytes a reserve would offer: 0 until a useful part of the buffer is free,
 * so that the program is woken for more than a few bytes. */
uint32_t tcp_sndbuf_room(const struct tcp_sndbuf *b);
/* Space to fill, at most `max` bytes in *n pieces; *n becomes the pieces
 * used. Less than asked for when the pool is exhausted. */
size_t tcp_sndbuf_reserve(struct tcp_sndbuf *b, struct pkt_pool *pool,
			  size_t max, struct iovec *iov, int *n);
/* The first `used` bytes of the last reserve were filled; the rest goes
 * back. */
void tcp_sndbuf_commit(struct tcp_sndbuf *b, struct pkt_pool *pool,
		       size_t used);
/* Bytes below `una` (base..end) were acknowledged. */
void tcp_sndbuf_ack(struct tcp_sndbuf *b, struct pkt_pool *pool, tcp_seq_t una);
/* Pieces of [seq, +len), inside base..end, at most *n of them; returns the
 * bytes they cover. */
uint32_t tcp_sndbuf_iov(struct tcp_sndbuf *b, enum tcp_sndbuf_hint h,
			tcp_seq_t seq, uint32_t len, struct iovec *iov, int *n);
/* Bytes of buffers. */
size_t tcp_sndbuf_memory(const struct tcp_sndbuf *b);
void tcp_sndbuf_check(const struct tcp_sndbuf *b);

#endif
