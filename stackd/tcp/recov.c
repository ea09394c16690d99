/*
 * Loss: when data counts as lost, how the sender recovers. With SACK
 * RFC 6675; without, RFC 6582 in the same terms: each duplicate ACK stands
 * for one segment that has left the network (reno_sacked), and a partial
 * ACK shows that the segment behind it is lost. Time-outs by RFC 5681 3.1.
 */
#include "tcp/conn.h"

uint32_t tcp_recov_in_flight(const struct tcp_conn *c)
{
	uint32_t pipe = tcp_rtx_pipe(&c->rtx, tcp_conn_outstanding(c));

	return pipe - MIN(pipe, c->reno_sacked);
}

static void leave(struct tcp_conn *c)
{
	uint32_t flight = tcp_recov_in_flight(c);

	/* [RFC6582 3.2 step 3] no burst after the last hole */
	if (c->recovery == TCP_R_FAST && !c->sack_ok)
		c->cc.cwnd =
			MIN(c->cc.ssthresh, MAX(flight, c->cc.mss) + c->cc.mss);
	c->recovery = TCP_R_OPEN;
	c->dupacks = 0;
	c->reno_sacked = 0;
	c->force_rtx = false;
}

static void enter(struct tcp_conn *c)
{
	c->recover = c->snd_nxt;
	c->recovery = TCP_R_FAST;
	c->force_rtx = true;
	tcp_cc_congestion(&c->cc, tcp_conn_outstanding(c));
	if (!c->rtx.lost)
		tcp_rtx_mark_head(&c->rtx, c->mss);
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
	if (tcp_rtx_mark_head(&c->rtx, c->mss))
		c->force_rtx = true;
}

static void while_recovering(struct tcp_conn *c,
			     const struct tcp_recov_event *ev)
{
	if (seq_leq(c->recover, c->snd_una)) {
		leave(c);
		return;
	}
	if (c->sack_ok)
		tcp_rtx_mark_lost(&c->rtx, c->mss);
	else if (ev->acked && c->recovery == TCP_R_FAST)
		partial_ack(c, ev->acked);
	else if (ev->dup && c->recovery == TCP_R_FAST)
		c->reno_sacked += c->mss;
}

/* May a new recovery begin? Not for losses of the window that the last one
 * was about. */
static bool beyond_last(const struct tcp_conn *c)
{
	/* [RFC6582 3.2 step 2] [RFC6675 5 step 2] */
	return c->sack_ok ? seq_leq(c->recover, c->snd_una)
			  : seq_lt(c->recover, c->snd_una);
}

static void while_open(struct tcp_conn *c, const struct tcp_recov_event *ev)
{
	bool lost;

	if (ev->acked) {
		c->dupacks = 0;
		c->reno_sacked = 0;
	}
	if (ev->dup && c->dupacks < UINT8_MAX) {
		c->dupacks++;
		/* [RFC3042 2] limited transmit: the pipe empties by what
		 * arrived, so new data may follow; with SACK the scoreboard
		 * counts */
		if (!c->sack_ok)
			c->reno_sacked += c->mss;
	}
	lost = c->dupacks >= TCP_DUP_THRESH;
	if (c->sack_ok && c->rtx.sacked) {
		tcp_rtx_mark_lost(&c->rtx, c->mss);
		lost = lost || c->rtx.lost > c->rtx.rtx;
	}
	if (lost && beyond_last(c))
		enter(c);
}

void tcp_recov_ack(struct tcp_conn *c, const struct tcp_recov_event *ev,
		   mono_t now)
{
	(void)now;
	if (c->recovery != TCP_R_OPEN)
		while_recovering(c, ev);
	if (c->recovery == TCP_R_OPEN)
		while_open(c, ev);
}

void tcp_recov_timeout(struct tcp_conn *c)
{
	/* [RFC5681 3.1] ssthresh falls once for one segment lost many times;
	 * [RFC6582 3.2 step 6] recover guards against needless fast
	 * retransmits afterwards */
	bool repeated = c->retries > 1;

	tcp_cc_timeout(&c->cc, tcp_conn_outstanding(c), repeated);
	tcp_rtx_mark_all(&c->rtx);
	c->recovery = TCP_R_LOSS;
	c->recover = c->snd_nxt;
	c->dupacks = 0;
	c->reno_sacked = 0;
	c->force_rtx = true;
}

void tcp_recov_ece(struct tcp_conn *c)
{
	/* [RFC3168 6.1.2] once per window, and not on top of a loss */
	if (seq_lt(c->snd_una, c->cwr_end) || c->recovery != TCP_R_OPEN)
		return;
	tcp_cc_congestion(&c->cc, tcp_conn_outstanding(c));
	c->cwr_end = c->snd_nxt;
	c->want_cwr = true;
}

void tcp_recov_resegment(struct tcp_conn *c)
{
	/* [RFC1191 6.4] [RFC8201 5.4] no sign of congestion: cwnd stays */
	tcp_rtx_mark_all(&c->rtx);
	c->recovery = TCP_R_LOSS;
	c->recover = c->snd_nxt;
	c->reno_sacked = 0;
	c->force_rtx = true;
}
