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
	mono_t sent_at; /* of the latest transmission [RFC8985 5.1] */
	uint8_t flags;
};

struct tcp_rtx {
	struct tcp_rtx_range *v;
	uint16_t first, n, cap;     /* live: v[first .. first+n) */
	uint16_t scanned_ms;        /* for lost retransmissions, low bits */
	uint32_t sacked, lost, rtx; /* bytes with each flag */
	tcp_seq_t fack;             /* right edge of the highest SACKED range */
	tcp_seq_t lost_to;   /* all below it are SACKED, LOST or repeated */
	tcp_seq_t next_lost; /* no range that waits lies below */
	struct tcp_rtx_range small[TCP_RTX_INLINE];
};

/* What an acknowledgement did. Zero it before use, but for fack. */
struct tcp_rtx_acked {
	tcp_seq_t fack;     /* in: the scoreboard's before this one */
	uint32_t delivered; /* bytes that were neither acked nor SACKED */
	uint32_t sacked;    /* of these, by SACK */
	mono_t sent_at;     /* oldest never retransmitted one among them */
	bool have_sample;   /* sent_at is valid */
	bool reordered;     /* one of these came after later ones (RFC 8985) */
	/* of the latest sent: when, 0 none, and where it ends */
	mono_t newest_at, resent_at; /* first transmissions, repeated ones */
	tcp_seq_t newest_end, resent_end;
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
/* What RFC 8985 6.2 step 5 needs to know. */
struct tcp_rtx_rack {
	mono_t xmit_at; /* latest sent of all that was delivered */
	tcp_seq_t end;  /* and where it ends */
	dur_t wait;     /* round trip and reordering window */
	dur_t scan_gap; /* large scoreboards are searched for lost
			 * retransmissions this often */
};
/* Marks LOST what was sent before `k` and longer than k->wait ago; a
 * retransmission of which this is true is no longer on its way. Returns the
 * bytes that became due for (another) retransmission; *ret_next is when the
 * next of them will be, MONO_NEVER if none. */
uint32_t tcp_rtx_rack(struct tcp_rtx *r, const struct tcp_rtx_rack *k,
		      mono_t now, mono_t *ret_next);
/* Marks the first `len` bytes, if not SACKED or LOST; bytes newly marked. */
uint32_t tcp_rtx_mark_head(struct tcp_rtx *r, uint32_t len);
/* Everything not SACKED is LOST and nothing of it is on its way. When the
 * head is SACKED the peer has reneged and all SACKs are forgotten
 * (RFC 2018 8). */
void tcp_rtx_mark_all(struct tcp_rtx *r);
/* The same for the head and for what was sent (last) at `until` or before. */
void tcp_rtx_mark_sent_until(struct tcp_rtx *r, mono_t until);
/* Is the first range at least `len` bytes? */
bool tcp_rtx_head_is(const struct tcp_rtx *r, uint32_t len);
/* When the first range was sent last, MONO_NEVER if there is none. */
mono_t tcp_rtx_head_sent_at(const struct tcp_rtx *r);
/* First range that is LOST and not RTX; false when none. */
bool tcp_rtx_next(const struct tcp_rtx *r, tcp_seq_t *ret_start,
		  uint32_t *ret_len);
/* The last `len` bytes or less: what a loss probe repeats. */
void tcp_rtx_tail(const struct tcp_rtx *r, uint32_t len, tcp_seq_t *ret_start,
		  uint32_t *ret_len);
/* Takes the LOST mark from all that waits for its retransmission: it was
 * not lost after all. */
void tcp_rtx_unmark(struct tcp_rtx *r);
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
