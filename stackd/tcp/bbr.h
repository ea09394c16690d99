/*
 * bbr.h: BBR, congestion control from a model of the path (the IETF's
 * draft-ietf-ccwg-bbr, version 3). Two rooms in one header:
 *
 * rate.c measures: what was delivered between the sending of a mark and its
 * acknowledgement, over the longer of the times that sending and arriving
 * took (draft-ietf-ccwg-bbr 4.1; no ACK that comes in a burst can make the
 * path look faster than we sent). Marks lie at ends of frames, at most
 * TCP_RATE_MARKS of them and no closer than a part of the round trip: no
 * state per segment.
 *
 * bbr.c decides: the pacing rate and the window follow the largest bandwidth
 * and the shortest round trip seen lately, and what the path took without
 * loss. Pure: knows samples, no connection.
 *
 * A connection on BBR has one struct tcp_bbr on the heap; others pay nothing.
 */
#ifndef COUPLET_TCP_BBR_H
#define COUPLET_TCP_BBR_H

#include "tcp/cc.h"

#define TCP_RATE_MARKS 64u
#define TCP_BBR_INFINITE UINT32_MAX

struct tcp_rate_mark {
	tcp_seq_t end;      /* of what was sent */
	uint32_t in_flight; /* with it, bytes */
	mono_t sent_at, first_at, delivered_at;
	uint64_t delivered, lost; /* totals then, bytes */
	bool app_limited;
};

struct tcp_rate {
	uint64_t delivered, lost;   /* bytes, totals */
	mono_t delivered_at;        /* latest delivery */
	mono_t first_at;            /* of the flight being measured: sent */
	uint64_t app_limited_until; /* in delivered bytes, 0: not */
	uint32_t head, n;           /* marks in the ring */
	struct tcp_rate_mark mark[TCP_RATE_MARKS];
};

/* What an ACK tells. */
struct tcp_rate_sample {
	uint32_t acked;     /* bytes newly delivered */
	uint32_t lost;      /* bytes found lost by it */
	uint32_t rtt_us;    /* 0: no sample */
	uint32_t in_flight; /* afterwards */
	bool cwnd_limited;  /* cwnd stopped the sender lately */
	/* of the latest mark that arrived, if `marked` */
	bool marked, app_limited;
	uint64_t prior_delivered;
	uint64_t bytes_per_s;   /* 0: too short to say */
	uint32_t tx_in_flight;  /* when it was sent, with it */
	uint32_t lost_since_tx; /* bytes */
};

enum tcp_bbr_state {
	TCP_BBR_STARTUP,
	TCP_BBR_DRAIN,
	TCP_BBR_DOWN, /* these four are ProbeBW */
	TCP_BBR_CRUISE,
	TCP_BBR_REFILL,
	TCP_BBR_UP,
	TCP_BBR_PROBE_RTT,
};

/* Which of our probes the ACKs that come now speak of. */
enum tcp_bbr_acks {
	TCP_BBR_ACKS_INIT,
	TCP_BBR_ACKS_REFILLING,
	TCP_BBR_ACKS_STARTING,
	TCP_BBR_ACKS_FEEDBACK,
	TCP_BBR_ACKS_STOPPING,
};

struct tcp_bbr {
	struct tcp_rate rate;
	uint64_t rng;
	uint32_t lost; /* bytes, that no ACK was told of */
	uint8_t state; /* enum tcp_bbr_state */
	uint8_t acks;  /* enum tcp_bbr_acks */
	bool round_start, loss_round_start;
	bool full_bw_now, full_bw_reached;
	bool loss_in_round, probe_samples;
	bool idle_restart, probe_rtt_round_done;
	uint8_t full_bw_count;
	uint8_t loss_events;   /* in this round */
	uint8_t up_rounds;     /* of inflight_hi's growth */
	uint8_t extra_rounds;  /* age of extra_acked[0] */
	uint32_t initial_cwnd; /* bytes */
	uint32_t rounds;       /* since the last probe for bandwidth */
	uint64_t next_round, next_loss_round; /* in delivered bytes */
	/* the model, bytes and bytes a second */
	uint64_t max_bw[2]; /* of this probing cycle and the last */
	uint64_t bw_latest, bw_lo, full_bw;
	uint32_t inflight_latest, inflight_lo, inflight_hi;
	uint32_t min_rtt_us, probe_rtt_min_us; /* UINT32_MAX: none */
	mono_t min_rtt_at, probe_rtt_min_at;
	/* what ACKs bring at once, beyond the rate [5.5.9] */
	mono_t extra_from;
	uint64_t extra_delivered;
	uint32_t extra_acked[2];
	/* probing */
	mono_t cycle_at, probe_wait_until, probe_rtt_done;
	uint32_t up_acked, up_count;
	uint32_t prior_cwnd;
	uint64_t pacing; /* bytes a second, never 0 */
};

/* cc->bbr of a new one: `srtt_us` 0 if unknown; `seed` for the times
 * between probes. cwnd is the initial window. */
void tcp_bbr_init(struct tcp_bbr *b, const struct tcp_cc *cc, uint32_t srtt_us,
		  uint64_t seed, mono_t now);
/* An ACK: new pacing rate, new cc->cwnd. */
void tcp_bbr_update(struct tcp_bbr *b, struct tcp_cc *cc,
		    const struct tcp_rate_sample *rs, mono_t now);
/* Congestion without a loss: an ECN mark. */
void tcp_bbr_marked(struct tcp_bbr *b);
/* A time-out begins; later, all of it was repaired. */
void tcp_bbr_timeout(struct tcp_bbr *b, uint32_t cwnd);
void tcp_bbr_repaired(struct tcp_bbr *b, struct tcp_cc *cc);
/* Data is sent again after nothing was in flight. */
void tcp_bbr_restart(struct tcp_bbr *b, struct tcp_cc *cc, mono_t now);

/* ---- rate.c --------------------------------------------------------- */

void tcp_rate_init(struct tcp_rate *r, mono_t now);
/* Data up to `end` left; `in_flight` with it, `len` of it new. `gap`:
 * marks lie no closer. True: nothing was in flight before. */
bool tcp_rate_sent(struct tcp_rate *r, tcp_seq_t end, uint32_t len,
		   uint32_t in_flight, dur_t gap, mono_t now);
/* The program has no more, and `in_flight` is less than cwnd. */
void tcp_rate_app_limited(struct tcp_rate *r, uint32_t in_flight);
/* rs->acked and rs->lost are set; all up to `upto` of what was sent once has
 * arrived, or later parts of it. Fills the rest but rtt_us and in_flight. */
void tcp_rate_ack(struct tcp_rate *r, struct tcp_rate_sample *rs,
		  tcp_seq_t upto, uint32_t min_rtt_us, mono_t now);

#endif
