/*
 * Acknowledgements: RFC 9293 3.10.7.4 fifth step, SACK blocks into the
 * scoreboard, window updates, round-trip samples, growth of cwnd and of the
 * send buffer. What loss means is decided in recov.c.
 */
#include "tcp/conn.h"
#include "tcp/isn.h"

/* The send buffer may always grow to this, which fits a processor's cache. */
#define SNDBUF_EASY (1u << 20)

void tcp_ack_sample(struct tcp_conn *c, dur_t sample)
{
	uint32_t per_window = 1;

	/* [RFC7323 G] ExpectedSamples = FlightSize / (SMSS * 2) */
	if (c->mss)
		per_window = tcp_conn_outstanding(c) / (2u * c->mss);
	tcp_rtt_smallest(&c->rtt, sample, c->now);
	tcp_rtt_sample(&c->rtt, sample, per_window, c->env->tune.rto_min,
		       c->env->tune.rto_max);
}

void tcp_ack_set_window(struct tcp_conn *c, const struct tcp_seg *in)
{
	c->snd_wnd = (uint32_t)in->h.wnd << c->snd_wscale;
	c->max_snd_wnd = MAX(c->max_snd_wnd, c->snd_wnd);
	c->snd_wl1 = in->h.seq;
	c->snd_wl2 = in->h.ack;
}

/*
 * True: the window changed. [RFC9293 3.10.7.4 fifth] takes it from newer
 * segments only. What acknowledges more is newer, wherever its text lies (a
 * retransmission): an offset from the old SND.UNA must not be counted from
 * the new one, beyond what the peer ever promised.
 * [RFC9293 3.8.6 MUST-34]
 */
static bool update_window(struct tcp_conn *c, const struct tcp_seg *in,
			  bool advanced)
{
	uint32_t old = c->snd_wnd;

	if (seq_lt(in->h.ack, c->snd_una)) /* only SND.UNA =< SEG.ACK */
		return false;
	if (!advanced && !seq_lt(c->snd_wl1, in->h.seq) &&
	    !(seq_eq(c->snd_wl1, in->h.seq) && seq_leq(c->snd_wl2, in->h.ack)))
		return false;
	tcp_ack_set_window(c, in);
	if (c->snd_wnd != old && c->snd_wnd && !tcp_conn_outstanding(c)) {
		/* the wait for a window is over */
		c->rtt.backoff = 0;
		tcp_timer_off(c, TCP_T_PERSIST);
	}
	return c->snd_wnd != old;
}

/* [RFC2883 4] the first block reports a duplicate when it lies below the
 * ACK or inside the second. */
static bool is_dsack(const struct tcp_conn *c, const struct tcp_seg *in)
{
	const struct tcp_sack_block *b = in->h.opt.sack;

	if (!c->sack_ok || !in->h.opt.n_sack)
		return false;
	if (seq_leq(b[0].right, in->h.ack))
		return true;
	return in->h.opt.n_sack > 1 && seq_leq(b[1].left, b[0].left) &&
	       seq_leq(b[0].right, b[1].right);
}

/* True: the first block was a D-SACK. */
static bool take_sacks(struct tcp_conn *c, const struct tcp_seg *in,
		       struct tcp_rtx_acked *acc)
{
	bool dsack = is_dsack(c, in);

	if (!c->sack_ok)
		return false;
	if (dsack) {
		c->dsack_in++;
		c->env->stats.dsack_in++;
	}
	for (uint8_t i = dsack; i < in->h.opt.n_sack; i++) {
		struct tcp_sack_block b = in->h.opt.sack[i];

		b.left = seq_max(b.left, c->snd_una);
		/* [RFC2018 8] nonsense is passed over */
		if (seq_lt(b.left, b.right) && seq_leq(b.right, c->snd_nxt))
			tcp_rtx_sack(&c->rtx, b.left, b.right, acc);
	}
	return dsack;
}

/* [RFC6298 3] [RFC7323 4] */
static void take_sample(struct tcp_conn *c, const struct tcp_seg *in,
			const struct tcp_rtx_acked *acc, mono_t now)
{
	uint32_t ms;

	/* What was sent once but acknowledged together with a repetition may
	 * have waited for it at the receiver. */
	if (acc->have_sample && !acc->resent_at.ns) {
		tcp_ack_sample(c, mono_sub(now, acc->sent_at));
		return;
	}
	if (!acc->resent_at.ns || !c->ts_ok || !in->h.opt.has_ts ||
	    !in->h.opt.ts_ecr)
		return;
	/* An echo older than the retransmission answers the first
	 * transmission, or a duplicate of it [RFC7323 5.3: R2 before R3]:
	 * then its age is our time-out and no round trip. */
	ms = tcp_ts_now(c->ts_offset, now) - in->h.opt.ts_ecr;
	if (ms <= (uint32_t)dur_ms(mono_sub(now, acc->resent_at)) + 1)
		tcp_ack_sample(c, DUR_MS(MAX(ms, 1u)));
}

/* SND.UNA moves to SEG.ACK. */
static void advance(struct tcp_conn *c, const struct tcp_seg *in,
		    struct tcp_rtx_acked *acc, mono_t now)
{
	uint32_t held = tcp_sndbuf_len(&c->snd);

	tcp_rtx_ack(&c->rtx, in->h.ack, acc);
	tcp_sndbuf_ack(&c->snd, c->env->pool, seq_min(in->h.ack, c->snd.end));
	c->bytes_acked += held - tcp_sndbuf_len(&c->snd);
	c->snd_una = in->h.ack;
	c->retries = 0;
	c->error_soft = 0;
	if (c->cwnd_limited && seq_lt(c->limited_end, c->snd_una))
		c->cwnd_limited = false;
	take_sample(c, in, acc, now);
	tcp_timer_arm_user(c, true, now);
}

/* [RFC9293 3.10.7.4 MAY-12] */
static bool ack_in_range(const struct tcp_conn *c, const struct tcp_seg *in)
{
	/* [RFC5961 5.2] */
	return seq_leq(in->h.ack, c->snd_nxt) &&
	       seq_diff(c->snd_una, in->h.ack) <= (int64_t)c->max_snd_wnd;
}

/* The send buffer follows cwnd: twice that, so that there is always more to
 * send when the ACKs come. When round trips have become several times as
 * long as the shortest, what is in flight stands in a queue somewhere, and a
 * larger buffer would only make it longer. */
static void grow_sndbuf(struct tcp_conn *c)
{
	uint64_t srtt_us = MAX(c->rtt.srtt_ns / 1000, 1);
	uint64_t useful = 4ull * c->cc.cwnd * c->rtt.min_us / srtt_us;
	uint32_t want = 2 * c->cc.cwnd;

	if (c->sndbuf_locked || c->snd.limit >= want)
		return;
	useful = MAX(useful, (uint64_t)SNDBUF_EASY);
	want = (uint32_t)MIN(want, useful);
	want = MIN(want, c->env->tune.sndbuf_max);
	c->snd.limit = MAX(c->snd.limit, want);
}

static void grow(struct tcp_conn *c, uint32_t flight,
		 const struct tcp_rtx_acked *acc, mono_t now)
{
	bool limited = c->cwnd_limited ||
		       (c->cc.cwnd < c->cc.ssthresh && c->cc.cwnd / 2 < flight);
	uint32_t rtt_us = 0, n;

	if (acc->have_sample && !acc->resent_at.ns)
		rtt_us = (uint32_t)CLAMP(dur_us(mono_sub(now, acc->sent_at)), 1,
					 UINT32_MAX);
	n = tcp_hystart_ack(&c->cc, acc->delivered, rtt_us, c->snd_una,
			    c->snd_nxt);
	if (limited && c->recovery != TCP_R_FAST)
		tcp_cc_acked(&c->cc, n, DUR_NS(c->rtt.srtt_ns), now);
	grow_sndbuf(c);
}

bool tcp_ack_input(struct tcp_conn *c, const struct tcp_seg *in, mono_t now)
{
	uint32_t flight = tcp_conn_outstanding(c);
	struct tcp_rtx_acked acc = {.fack = c->rtx.fack};
	struct tcp_recov_event ev = {.seg = in, .acc = &acc};
	bool win_changed;

	if (!ack_in_range(c, in)) {
		c->env->stats.drops[TCP_DROP_ACK_RANGE]++;
		tcp_in_challenge(c, now);
		return false;
	}
	if (seq_lt(c->snd_una, in->h.ack)) {
		ev.acked = (uint32_t)seq_diff(in->h.ack, c->snd_una);
		advance(c, in, &acc, now);
	}
	ev.dsack = take_sacks(c, in, &acc);
	win_changed = update_window(c, in, ev.acked > 0);
	if (!c->snd_wnd || tcp_timer_on(c, TCP_T_PERSIST))
		c->retries = 0; /* [RFC9293 3.8.6.1 MUST-37] it lives */
	/* [RFC5681 2] [RFC6675 2] */
	ev.dup = !ev.acked && flight && seq_eq(in->h.ack, c->snd_una) &&
		 (c->sack_ok ? acc.sacked > 0
			     : !in->len && !win_changed &&
				       !(in->h.flags & TCP_FIN));
	if (c->ecn_ok && (in->h.flags & TCP_ECE))
		tcp_recov_ece(c);
	if (flight) /* else it carried data for us, and that is all */
		tcp_recov_ack(c, &ev, now);
	if (UNLIKELY(c->plpmtud != NULL))
		tcp_plpmtud_ack(c, now);
	if (UNLIKELY(tcp_bbr_of(c) != NULL) && flight) {
		tcp_bbr_ack(c, &acc, now);
		grow_sndbuf(c);
	} else if (acc.delivered) {
		grow(c, flight, &acc, now);
	}
	return true;
}
