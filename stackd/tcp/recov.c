/*
 * Loss: what the sender does about it. With SACK RACK says what is lost
 * (rack.c) and PRR how much is sent meanwhile (prr.c). Without, RFC 6582 in
 * the same terms: each duplicate ACK stands for one segment that has left
 * the network (reno_sacked), and a partial ACK shows that the segment behind
 * it is lost. Time-outs by RFC 5681 3.1 and RFC 5682.
 */
#include "tcp/bbr.h"
#include "tcp/conn.h"

uint32_t tcp_recov_in_flight(const struct tcp_conn *c)
{
	uint32_t pipe = tcp_rtx_pipe(&c->rtx, tcp_conn_outstanding(c));

	return pipe - MIN(pipe, c->reno_sacked);
}

static void leave(struct tcp_conn *c)
{
	uint32_t flight = tcp_recov_in_flight(c);

	if (UNLIKELY(tcp_bbr_of(c) != NULL)) {
		if (c->recovery == TCP_R_LOSS)
			tcp_bbr_repaired(tcp_bbr_of(c), &c->cc);
	} else if (c->recovery == TCP_R_FAST) {
		c->cc.cwnd = c->cc.ssthresh; /* [RFC6937 3.1] */
		/* [RFC6582 3.2 step 3] no burst after the last hole */
		if (!c->sack_ok)
			c->cc.cwnd = MIN(c->cc.cwnd,
					 MAX(flight, c->cc.mss) + c->cc.mss);
	}
	c->recovery = TCP_R_OPEN;
	c->frto = TCP_FRTO_OFF;
	c->dupacks = 0;
	c->reno_sacked = 0;
	c->force_rtx = false;
	tcp_rack_recovered(c);
	tcp_undo_left(c);
}

/* [RFC3168 6.1.2] cwnd was reduced, for whatever reason: the peer may stop
 * echoing, and what it echoes of this window needs no second answer */
static void reduced(struct tcp_conn *c)
{
	if (!c->ecn_ok)
		return;
	c->want_cwr = true;
	c->cwr_end = c->snd_nxt;
}

/* True: it was not known to be. */
static bool head_lost(struct tcp_conn *c)
{
	uint32_t n = tcp_rtx_mark_head(&c->rtx, c->mss);

	if (n && tcp_bbr_of(c))
		tcp_bbr_lost(c, n);
	return n > 0;
}

/* [RFC8985 9.3] the answer is the same, however the loss was found */
static void enter(struct tcp_conn *c)
{
	tcp_undo_begin(c);
	tcp_prr_begin(c);
	c->recover = c->snd_nxt;
	c->recovery = TCP_R_FAST;
	c->force_rtx = true;
	tcp_cc_congestion(&c->cc, tcp_conn_outstanding(c));
	reduced(c);
	if (!c->rtx.lost)
		head_lost(c);
	c->env->stats.fast_recoveries++;
	if (c->sack_ok)
		c->env->stats.sack_recoveries++;
}

static void partial_ack(struct tcp_conn *c, uint32_t acked)
{
	/* [RFC6582 3.2] the window deflates by what was acknowledged, less
	 * one segment: the one whose retransmission filled the hole */
	c->reno_sacked -=
		MIN(c->reno_sacked, acked > c->mss ? acked - c->mss : 0);
	if (head_lost(c))
		c->force_rtx = true;
}

/* [RFC5682 3.1] After a time-out new data goes out once the head is
 * acknowledged: were the rest lost, its ACK would be a duplicate. */
static void frto_ack(struct tcp_conn *c, const struct tcp_recov_event *ev)
{
	bool can = tcp_conn_unsent(c) && tcp_out_usable(c, c->snd_nxt);

	if (c->frto == TCP_FRTO_HEAD && ev->acked &&
	    seq_eq(c->recover, c->snd_nxt) && can)
		c->frto = TCP_FRTO_NEW;
	else if (ev->acked || ev->dup)
		c->frto = TCP_FRTO_OFF;
}

static void while_recovering(struct tcp_conn *c,
			     const struct tcp_recov_event *ev, uint32_t lost)
{
	if (seq_leq(c->recover, c->snd_una)) {
		leave(c);
		return;
	}
	if (c->recovery == TCP_R_LOSS) {
		frto_ack(c, ev);
		return;
	}
	if (!c->sack_ok && ev->acked)
		partial_ack(c, ev->acked);
	else if (!c->sack_ok && ev->dup)
		c->reno_sacked += c->mss;
	tcp_prr_ack(c, ev, lost > 0);
}

/* May a new recovery begin? Not for losses of the window that the last one
 * was about. */
static bool beyond_last(const struct tcp_conn *c)
{
	/* [RFC6582 3.2 step 2] [RFC6675 5 step 2] */
	return c->sack_ok ? seq_leq(c->recover, c->snd_una)
			  : seq_lt(c->recover, c->snd_una);
}

static void count_duplicates(struct tcp_conn *c,
			     const struct tcp_recov_event *ev)
{
	if (ev->acked) {
		c->dupacks = 0;
		c->reno_sacked = 0;
	}
	if (!ev->dup || c->dupacks == UINT8_MAX)
		return;
	c->dupacks++;
	/* [RFC3042 2] limited transmit: the pipe empties by what arrived, so
	 * new data may follow; with SACK the scoreboard counts */
	if (!c->sack_ok)
		c->reno_sacked += c->mss;
}

static bool is_lost(const struct tcp_conn *c)
{
	return c->sack_ok ? c->rtx.lost > c->rtx.rtx
			  : c->dupacks >= TCP_DUP_THRESH;
}

/* Returns when RACK wants to look again. */
static mono_t look(struct tcp_conn *c, const struct tcp_recov_event *ev,
		   mono_t now)
{
	mono_t again = MONO_NEVER;
	uint32_t lost = 0;

	if (c->recovery == TCP_R_OPEN)
		count_duplicates(c, ev);
	if (c->sack_ok)
		lost = tcp_rack_detect(c, now, &again);
	if (lost && UNLIKELY(tcp_bbr_of(c) != NULL))
		tcp_bbr_lost(c, lost);
	if (c->recovery != TCP_R_OPEN)
		while_recovering(c, ev, lost);
	/* [RFC8985 9.3] RACK says what is lost; the answer to it is as ever */
	if (c->recovery == TCP_R_OPEN && is_lost(c) && beyond_last(c) &&
	    !tcp_plpmtud_lost(c, now)) {
		enter(c);
		tcp_prr_ack(c, ev, true);
	}
	return again;
}

void tcp_recov_ack(struct tcp_conn *c, const struct tcp_recov_event *ev,
		   mono_t now)
{
	mono_t again;

	if (c->sack_ok) { /* [RFC8985 4] */
		tcp_rack_ack(c, ev, now);
		tcp_tlp_ack(c, ev);
	}
	(void)tcp_undo_ack(c, ev);
	again = look(c, ev, now);
	tcp_timer_after_ack(c, ev->acked || ev->acc->sacked, again, now);
	if (!tcp_conn_outstanding(c) && !tcp_conn_unsent(c))
		tcp_undo_forget(c);
}

void tcp_recov_reo_expired(struct tcp_conn *c, mono_t now)
{
	struct tcp_rtx_acked acc = {.fack = c->rtx.fack};
	struct tcp_recov_event ev = {.acc = &acc};
	mono_t again = look(c, &ev, now);

	tcp_timer_after_ack(c, false, again, now);
}

void tcp_recov_resent(struct tcp_conn *c, uint32_t len)
{
	tcp_undo_resent(c, len);
	tcp_prr_sent(c, len);
}

void tcp_recov_probe_mended(struct tcp_conn *c)
{
	/* [RFC8985 7.4.2] a loss is a loss */
	if (c->recovery != TCP_R_OPEN)
		return;
	tcp_cc_congestion(&c->cc, tcp_conn_outstanding(c));
	reduced(c);
}

void tcp_recov_timeout(struct tcp_conn *c, mono_t now)
{
	/* [RFC5681 3.1] ssthresh falls once for one segment lost many times;
	 * [RFC6582 3.2 step 6] recover guards against needless fast
	 * retransmits afterwards */
	bool repeated = c->retries > 1;
	uint32_t lost = c->rtx.lost;

	tcp_undo_begin(c);
	if (c->repair) {
		c->repair->timeout_at = now;
		c->repair->left = false;
	}
	if (tcp_bbr_of(c) && c->recovery != TCP_R_LOSS)
		tcp_bbr_timeout(tcp_bbr_of(c), c->cc.cwnd);
	tcp_cc_timeout(&c->cc, tcp_conn_outstanding(c), repeated);
	reduced(c);
	tcp_rtx_mark_sent_until(&c->rtx, tcp_rack_lost_if_sent(c, now));
	if (tcp_bbr_of(c) && c->rtx.lost > lost)
		tcp_bbr_lost(c, c->rtx.lost - lost);
	/* [RFC5682 3] not when the time-out comes again */
	c->frto = repeated ? TCP_FRTO_OFF : TCP_FRTO_HEAD;
	c->recovery = TCP_R_LOSS;
	c->recover = c->snd_nxt;
	c->dupacks = 0;
	c->reno_sacked = 0;
	c->force_rtx = true;
	c->want_tlp = c->probed = false;
}

void tcp_recov_ece(struct tcp_conn *c)
{
	/* [RFC3168 6.1.2] once per window, and not on top of a loss */
	if (seq_lt(c->snd_una, c->cwr_end) || c->recovery != TCP_R_OPEN)
		return;
	if (tcp_bbr_of(c))
		tcp_bbr_marked(tcp_bbr_of(c));
	tcp_cc_congestion(&c->cc, tcp_conn_outstanding(c));
	reduced(c);
}

void tcp_recov_resegment(struct tcp_conn *c)
{
	/* [RFC1191 6.4] [RFC8201 5.4] no sign of congestion: cwnd stays */
	tcp_rtx_mark_all(&c->rtx);
	c->recovery = TCP_R_LOSS;
	c->frto = TCP_FRTO_OFF;
	c->recover = c->snd_nxt;
	c->reno_sacked = 0;
	c->force_rtx = true;
	c->want_tlp = c->probed = false;
	tcp_undo_forget(c);
}
