/*
 * State x segment: RFC 9293 3.10.7, in the order of its steps. The other
 * mechanisms answer questions; every change of state caused by a segment is
 * decided here.
 */
#include "tcp/conn.h"

#include <errno.h>

static void drop(struct tcp_conn *c, enum tcp_drop why)
{
	c->env->stats.drops[why]++;
}

void tcp_conn_reply_reset(struct tcp_conn *c, const struct tcp_seg *in)
{
	struct tcp_out o;

	if (!tcp_reset_for(in, &o))
		return;
	c->want_reply = true;
	c->reply_has_ack = o.h.flags & TCP_ACK;
	c->reply_num = c->reply_has_ack ? o.h.ack.v : o.h.seq.v;
}

/* ---- [RFC9293 3.10.7.3] SYN-SENT ------------------------------------ */

static bool syn_sent_ack_ok(const struct tcp_conn *c, const struct tcp_seg *in)
{
	return seq_lt(c->iss, in->h.ack) && seq_leq(in->h.ack, c->snd_nxt);
}

static void take_peer_syn(struct tcp_conn *c, const struct tcp_seg *in)
{
	c->irs = in->h.seq;
	c->rcv_nxt = c->rcv_acked = seq_add(in->h.seq, 1);
	c->rcv_adv =
		seq_add(c->rcv_nxt, MIN(c->rcv_limit, TCP_WND_UNSCALED_MAX));
	tcp_opt_agree(c, in);
	tcp_ack_set_window(c, in);
	c->snd_wnd = c->max_snd_wnd = in->h.wnd; /* unscaled in a SYN */
}

static void syn_sent_established(struct tcp_conn *c, struct tcp_seg *in,
				 mono_t now)
{
	c->snd_una = in->h.ack;
	/* [RFC3168 6.1.1] a SYN-ACK with ECE and without CWR agrees */
	c->ecn_ok = c->env->tune.ecn == TCP_ECN_ON &&
		    (in->h.flags & (TCP_ECE | TCP_CWR)) == TCP_ECE;
	if (!c->syn_again) /* [RFC6298 3] Karn */
		tcp_ack_sample(c, mono_sub(now, c->last_sent));
	tcp_conn_establish(c);
	c->want_ack = true;
	in->h.seq = c->rcv_nxt;
	tcp_in_text(c, in, now);
}

static void syn_sent_input(struct tcp_conn *c, struct tcp_seg *in, mono_t now)
{
	uint8_t f = in->h.flags;
	bool ack_ok = (f & TCP_ACK) && syn_sent_ack_ok(c, in);

	if ((f & TCP_ACK) && !ack_ok) { /* first: the ACK bit */
		drop(c, TCP_DROP_ACK_RANGE);
		tcp_conn_reply_reset(c, in);
		return;
	}
	if (f & TCP_RST) { /* second */
		if (ack_ok) {
			c->env->stats.resets_in++;
			tcp_conn_fail(c, ECONNREFUSED, false);
		} else {
			drop(c, TCP_DROP_RST_SEQ);
		}
		return;
	}
	if (!(f & TCP_SYN)) { /* fifth */
		drop(c, TCP_DROP_NO_CONN);
		return;
	}
	take_peer_syn(c, in); /* fourth */
	if (ack_ok) {
		syn_sent_established(c, in, now);
		return;
	}
	/* [RFC9293 3.5 MUST-10] simultaneous open */
	tcp_conn_set_state(c, TCP_S_SYN_RECEIVED);
	c->ecn_ok = false;
	c->want_syn = true;
	c->retries = 0;
}

/* ---- [RFC9293 3.10.7.4] other states -------------------------------- */

/* [RFC9293 3.6 MUST-12] [RFC9293 3.5 MUST-11] [RFC9293 3.5.3 SHLD-2] */
static void rst_arrived(struct tcp_conn *c, const struct tcp_seg *in,
			mono_t now)
{
	int error = ECONNRESET;

	/* [RFC5961 3.2] only the exact number resets */
	if (!seq_eq(in->h.seq, c->rcv_nxt)) {
		drop(c, TCP_DROP_RST_SEQ);
		tcp_in_challenge(c, now);
		return;
	}
	c->env->stats.resets_in++;
	switch ((enum tcp_state)c->state) {
	case TCP_S_SYN_RECEIVED:
		error = ECONNREFUSED;
		break;
	case TCP_S_CLOSING:
	case TCP_S_LAST_ACK:
	case TCP_S_TIME_WAIT:
		/* both sides had said all, unless ours is still on its way */
		error = tcp_sndbuf_len(&c->snd) ? ECONNRESET : 0;
		break;
	case TCP_S_CLOSE_WAIT:
		error = EPIPE; /* the peer's half had ended well */
		break;
	case TCP_S_CLOSED:
	case TCP_S_SYN_SENT:
	case TCP_S_ESTABLISHED:
	case TCP_S_FIN_WAIT_1:
	case TCP_S_FIN_WAIT_2:
	case TCP_S__COUNT:
		break;
	}
	tcp_conn_fail(c, error, false);
}

/* Fifth step, SYN-RECEIVED (only after a simultaneous open: passive ones are
 * requests of a listener until the ACK has come). */
static bool syn_received_ack(struct tcp_conn *c, const struct tcp_seg *in,
			     mono_t now)
{
	if (!seq_lt(c->snd_una, in->h.ack) || !seq_leq(in->h.ack, c->snd_nxt)) {
		drop(c, TCP_DROP_ACK_RANGE);
		tcp_conn_reply_reset(c, in);
		return false;
	}
	c->snd_una = in->h.ack;
	if (!c->syn_again)
		tcp_ack_sample(c, mono_sub(now, c->last_sent));
	tcp_ack_set_window(c, in);
	tcp_conn_establish(c);
	return true;
}

/* Our FIN is acknowledged. False: the connection is over. */
static bool our_fin_acked(struct tcp_conn *c)
{
	switch ((enum tcp_state)c->state) {
	case TCP_S_FIN_WAIT_1:
		tcp_conn_set_state(c, TCP_S_FIN_WAIT_2);
		break;
	case TCP_S_CLOSING:
		tcp_conn_set_state(c, TCP_S_TIME_WAIT);
		break;
	case TCP_S_LAST_ACK:
		tcp_conn_set_state(c, TCP_S_CLOSED);
		break;
	case TCP_S_CLOSED:
	case TCP_S_SYN_SENT:
	case TCP_S_SYN_RECEIVED:
	case TCP_S_ESTABLISHED:
	case TCP_S_FIN_WAIT_2:
	case TCP_S_CLOSE_WAIT:
	case TCP_S_TIME_WAIT:
	case TCP_S__COUNT:
		break;
	}
	return c->state != TCP_S_CLOSED;
}

/* Eighth step: the peer's FIN, everything before it has arrived. */
static void peer_fin(struct tcp_conn *c)
{
	c->rcv_nxt = seq_add(c->rcv_fin, 1);
	c->want_ack = true;
	switch ((enum tcp_state)c->state) {
	case TCP_S_ESTABLISHED:
		tcp_conn_set_state(c, TCP_S_CLOSE_WAIT);
		break;
	case TCP_S_FIN_WAIT_1:
		tcp_conn_set_state(c, TCP_S_CLOSING);
		break;
	case TCP_S_FIN_WAIT_2:
		tcp_conn_set_state(c, TCP_S_TIME_WAIT);
		break;
	case TCP_S_CLOSED:
	case TCP_S_SYN_SENT:
	case TCP_S_SYN_RECEIVED:
	case TCP_S_CLOSE_WAIT:
	case TCP_S_CLOSING:
	case TCP_S_LAST_ACK:
	case TCP_S_TIME_WAIT:
	case TCP_S__COUNT:
		break;
	}
}

/* [RFC9293 3.6.1 SHLD-3] Text for a program that has gone: RST, so that the
 * peer knows that it is lost. True: it was so. */
static bool text_after_close(struct tcp_conn *c, const struct tcp_seg *in)
{
	if (!c->orphan || !tcp_conn_may_receive(c) || !in->len ||
	    !seq_lt(c->rcv_nxt, seq_add(in->h.seq, in->len)))
		return false;
	drop(c, TCP_DROP_AFTER_CLOSE);
	tcp_conn_fail(c, 0, true);
	return true;
}

/* Steps one to four: is the segment ours at all? [RFC5961 8, 9] */
static bool admit(struct tcp_conn *c, struct tcp_seg *in, mono_t now)
{
	if (!tcp_in_paws(c, in, now) || !tcp_in_acceptable(c, in, now))
		return false;
	if (in->h.flags & TCP_RST) {
		rst_arrived(c, in, now);
		return false;
	}
	if (in->h.flags & TCP_SYN) {
		/* [RFC5961 4.2] whatever its number */
		drop(c, TCP_DROP_SYN_IN_CONN);
		tcp_in_challenge(c, now);
		return false;
	}
	if (!(in->h.flags & TCP_ACK)) {
		drop(c, TCP_DROP_NO_ACK);
		return false;
	}
	return true;
}

static void retransmitted_fin(struct tcp_conn *c, const struct tcp_seg *in)
{
	/* [RFC9293 3.10.7.4] TIME-WAIT: acknowledge, restart 2 MSL */
	if (c->state == TCP_S_TIME_WAIT && (in->h.flags & TCP_FIN) &&
	    seq_eq(seq_add(in->h.seq, in->len), c->rcv_fin))
		tcp_conn_set_state(c, TCP_S_TIME_WAIT);
}

/* [RFC9293 3.5 figure 7] When SYNs crossed, the peer's SYN-ACK repeats a SYN
 * that was taken already: what is left of it is an ACK. */
static void crossed_synack(struct tcp_conn *c, struct tcp_seg *in)
{
	if (c->state != TCP_S_SYN_RECEIVED || !seq_eq(in->h.seq, c->irs) ||
	    (in->h.flags & (TCP_SYN | TCP_ACK | TCP_RST)) !=
		    (TCP_SYN | TCP_ACK))
		return;
	in->h.flags &= (uint8_t)~TCP_SYN;
	in->h.seq = c->rcv_nxt;
	c->want_ack = true;
}

static void synchronized_input(struct tcp_conn *c, struct tcp_seg *in,
			       mono_t now)
{
	crossed_synack(c, in);
	if (!admit(c, in, now)) {
		retransmitted_fin(c, in);
		return;
	}
	if (c->state == TCP_S_SYN_RECEIVED && !syn_received_ack(c, in, now))
		return;
	c->last_rcvd = now;
	c->keep_sent = 0;
	tcp_in_update_ts(c, in, now);
	if (!tcp_ack_input(c, in, now))
		return;
	if (tcp_conn_fin_acked(c) && !our_fin_acked(c))
		return;
	if (text_after_close(c, in))
		return;
	/* Sixth [RFC9293 3.8.5 MUST-30, MUST-31, MUST-62]: urgent data is
	 * data; the pointer changes nothing, the
	 * program reads all in line (RFC 6093 6). */
	if (tcp_conn_may_receive(c))
		tcp_in_text(c, in, now);
	if (tcp_in_fin_due(c) && tcp_conn_may_receive(c))
		peer_fin(c);
}

void tcp_conn_input(struct tcp_conn *c, struct tcp_seg *in, mono_t now)
{
	c->now = now;
	c->segs_in += in->segs;
	c->env->stats.segs_in += in->segs;
	switch ((enum tcp_state)c->state) {
	case TCP_S_CLOSED: /* [RFC9293 3.10.7.1] */
		drop(c, TCP_DROP_NO_CONN);
		tcp_conn_reply_reset(c, in);
		break;
	case TCP_S_SYN_SENT:
		syn_sent_input(c, in, now);
		if (tcp_in_fin_due(c) && tcp_conn_may_receive(c))
			peer_fin(c);
		break;
	case TCP_S_SYN_RECEIVED:
	case TCP_S_ESTABLISHED:
	case TCP_S_FIN_WAIT_1:
	case TCP_S_FIN_WAIT_2:
	case TCP_S_CLOSE_WAIT:
	case TCP_S_CLOSING:
	case TCP_S_LAST_ACK:
	case TCP_S_TIME_WAIT:
		synchronized_input(c, in, now);
		break;
	case TCP_S__COUNT:
		break;
	}
	pkt_free(c->env->pool, in->pkt);
	in->pkt = NULL;
}
