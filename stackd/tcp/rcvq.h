/*
 * rcvq.h: received bytes in order, still in the packets they came in, until
 * the program takes them. Small payloads do not keep large buffers once
 * they wait: they are copied into the tail packet when it has room, and
 * tcp_rcvq_settle() shrinks what is left over.
 */
#ifndef COUPLET_TCP_RCVQ_H
#define COUPLET_TCP_RCVQ_H

#include "pkt/pkt.h"

struct tcp_rcvq {
	struct pkt *head, *tail;
	uint32_t bytes;     /* waiting */
	uint32_t mem : 31;  /* of buffers: at most 2 * bytes + a constant */
	uint32_t fresh : 1; /* something may be worth shrinking */
};

void tcp_rcvq_clear(struct tcp_rcvq *q, struct pkt_pool *pool);
/* Takes `p`, its live bytes (at least one) are the next of the stream. */
void tcp_rcvq_push(struct tcp_rcvq *q, struct pkt_pool *pool, struct pkt *p);
size_t tcp_rcvq_peek(const struct tcp_rcvq *q, struct iovec *iov, int *n);
/* The first `used` bytes (at most `bytes`) were delivered. */
void tcp_rcvq_consume(struct tcp_rcvq *q, struct pkt_pool *pool, size_t used);
/* What is still here will wait: give back unused memory. */
void tcp_rcvq_settle(struct tcp_rcvq *q, struct pkt_pool *pool);
void tcp_rcvq_check(const struct tcp_rcvq *q);

#endif
