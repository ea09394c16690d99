/*
 * rtx.h: what was sent and is not acknowledged, as a sorted array of
 * adjoining ranges, and the SACK scoreboard on it (RFC 2018, RFC 6675).
 * Knows sequence numbers and times, no buffers, no congestion control.
 *
 * Ranges are not segments: bytes sent at the same instant share a range, and
 * a SACK block or a retransmission that covers part of one splits it. The
 * array is inline while it has TCP_RTX_INLINE ranges, then on the heap, and
 * never has more than TCP_RTX_MAX: beyond that new data joins the last range
 * and blocks that would need a split are not recorded, which costs precision
 * and nothing else.
 *
 * Law: first.start == snd_una, ranges adjoin, the last ends at snd_nxt. LOST
 * and SACKED exclude each other, RTX implies LOST.
 */
#ifndef COUPLET_TCP_RTX_H
#define COUPLET_TCP_RTX_H

#include "base/mono.h"
#include "wire/tcp_header.h"

#define TCP_RTX_INLINE 1
#define TCP_RTX_MAX 16384

enum {
	TCP_RTX_SACKED = 1, /* the peer has it, out of order */
	TCP_RTX_LOST = 2,   /* thought to have left the network */
	TCP_RTX_RTX = 4,    /* lost, and a retransmission is on its way */
	TCP_RTX_EVER = 8,   /* was retransmitted once: no RTT (Karn) */
};

struct tcp_rtx_range {
	tcp_seq_t start;
	uint32_t len;
	mono_t sent_at; /* of the latest transmission */
	uint8_t flags;
};

struct tcp_rtx {
	struct tcp_rtx_range *v;
	uint16_t first, n, cap;     /* live: v[first .. first+n) */
	uint32_t sacked, lost, rtx; /* bytes with each flag */
	tcp_seq_t fack;             /* right edge of the highest SACKED range */
	tcp_seq_t lost_to;   /* all un-SACKED below it are LOST already */
	tcp_seq_t next_lost; /* no range that waits lies below */
	struct tcp_rtx_range small[TCP_RTX_INLINE];
};

/* What an acknowledgement did. Zero it before use. */
struct tcp_rtx_acked {
	uint32_t delivered; /* bytes that were neither acked nor SACKED */
	uint32_t sacked;    /* of these, by SACK */
	mono_t sent_at;     /* oldest never retransmitted one among them */
	bool have_sample;   /* sent_at is valid */
	mono_t resent_at;   /* latest retransmission among them, 0 none */
};

/* `self` must not move afterwards. */
void tcp_rtx_init(struct tcp_rtx *r, tcp_seq_t una);
void tcp_rtx_fini(struct tcp_rtx *r);
/* New data [end of queue, +len) left at `now`. Never fails. */
void tcp_rtx_push(struct tcp_rtx *r, tcp_seq_t start, uint32_t len, mono_t now);
/* Everything below `una` has arrived. */
void tcp_rtx_ack(struct tcp_rtx *r, tcp_seq_t una, struct tcp_rtx_acked *acc);
/* A SACK block, already inside snd_una..snd_nxt. */
void tcp_rtx_sack(struct tcp_rtx *r, tcp_seq_t left, tcp_seq_t right,
		  struct tcp_rtx_acked *acc);
/* Marks LOST what IsLost() of RFC 6675 4 says; bytes newly marked. */
uint32_t tcp_rtx_mark_lost(struct tcp_rtx *r, uint32_t mss);
/* Marks the first `len` bytes, if not SACKED or LOST; bytes newly marked. */
uint32_t tcp_rtx_mark_head(struct tcp_rtx *r, uint32_t len);
/* Everything not SACKED is LOST and nothing of it is on its way. When the
 * head is SACKED the peer has reneged and all SACKs are forgotten
 * (RFC 2018 8). */
void tcp_rtx_mark_all(struct tcp_rtx *r);
/* First range that is LOST and not RTX; false when none. */
bool tcp_rtx_next(const struct tcp_rtx *r, tcp_seq_t *ret_start,
		  uint32_t *ret_len);
/* First range below fack that is neither SACKED nor RTX (RFC 6675 4,
 * NextSeg rule 3). */
bool tcp_rtx_next_hole(const struct tcp_rtx *r, tcp_seq_t *ret_start,
		       uint32_t *ret_len);
/* [start, +len), inside one range, was sent again. */
void tcp_rtx_resent(struct tcp_rtx *r, tcp_seq_t start, uint32_t len,
		    mono_t now);
/* Bytes in ranges, that is snd_nxt - snd_una. */
uint32_t tcp_rtx_bytes(const struct tcp_rtx *r);
/* Pipe of RFC 6675 2. */
static inline uint32_t tcp_rtx_pipe(const struct tcp_rtx *r, uint32_t out)
{
	return out - r->sacked - r->lost + r->rtx;
}
/* Heap bytes. */
size_t tcp_rtx_memory(const struct tcp_rtx *r);
/* INVARIANTs over the whole array. */
void tcp_rtx_check(const struct tcp_rtx *r, tcp_seq_t una, tcp_seq_t nxt);

#endif
