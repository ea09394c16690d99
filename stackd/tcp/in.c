/*
 * Arriving segments: are they acceptable (RFC 9293 3.10.7.4 first step,
 * RFC 7323 5, RFC 5961), what of their text is new, when is an ACK owed.
 */
#include "tcp/conn.h"

static void drop(struct tcp_conn *c, enum tcp_drop why)
{
	c->env->stats.drops[why]++;
}

bool tcp_env_challenge_ok(struct tcp_env *env, mono_t now)
{
	/* [RFC5961 7] per stack and second. The limit moves by up to a half
	 * at random, so that it cannot be counted out from outside. */
	if (mono_leq(mono_add(env->challenge_window, DUR_S(1)), now) ||
	    !env->challenge_window.ns) {
		uint32_t max = env->tune.challenge_acks_per_s;

		env->challenge_window = now;
		env->challenge_count =
			max / 2 +
			(uint32_t)(env->rand64(env->rand_arg) % (max / 2 + 1)) +
			(max & 1);
	}
	if (!env->challenge_count)
		return false;
	env->challenge_count--;
	env->stats.challenge_acks++;
	return true;
}

void tcp_in_challenge(struct tcp_conn *c, mono_t now)
{
	if (tcp_env_challenge_ok(c->env, now))
		c->want_ack = true;
}

/* An answer to a segment that cannot be used. Empty ones are answered once
 * in a while only: two ends that disagree must not keep a loop going. */
static void answer_unusable(struct tcp_conn *c, const struct tcp_seg *in,
			    mono_t now)
{
	bool empty = !in->len && !(in->h.flags & (TCP_SYN | TCP_FIN));

	if (in->h.flags & TCP_RST)
		return;
	if (empty && c->oow_ack_at.ns &&
	    mono_lt(now, mono_add(c->oow_ack_at, TCP_OOW_ACK_GAP)))
		return;
	c->oow_ack_at = now;
	c->want_ack = true;
}

/* [RFC7323 5.2, 5.8] */
bool tcp_in_paws(struct tcp_conn *c, const struct tcp_seg *in, mono_t now)
{
	const struct tcp_options *o = &in->h.opt;

	/* Segments without the option pass, as with Linux: some peers and
	 * middleboxes leave it out now and then. */
	if (!c->ts_ok || !o->has_ts || !c->ts_recent_ok)
		return true;
	/* [RFC7323 5.3 R1] RST is never tested */
	if (in->h.flags & TCP_RST || (int32_t)(o->ts_val - c->ts_recent) >= 0)
		return true;
	/* [RFC7323 5.5] too old to mean anything */
	if (mono_leq(mono_add(c->ts_recent_at, TCP_TS_VALID), now))
		return true;
	drop(c, TCP_DROP_PAWS);
	answer_unusable(c, in, now);
	return false;
}

void tcp_in_update_ts(struct tcp_conn *c, const struct tcp_seg *in, mono_t now)
{
	const struct tcp_options *o = &in->h.opt;

	/* [RFC7323 4.3] only what covers the last ACK we sent */
	if (!c->ts_ok || !o->has_ts || !seq_leq(in->h.seq, c->rcv_acked))
		return;
	c->ts_recent = o->ts_val;
	c->ts_recent_at = now;
	c->ts_recent_ok = true;
}

static uint32_t seg_len(const struct tcp_seg *in)
{
	if (in->h.flags & TCP_RST)
		return 0;
	return in->len + !!(in->h.flags & TCP_SYN) + !!(in->h.flags & TCP_FIN);
}

/* [RFC9293 3.10.7.4 table 6] */
static bool in_window(const struct tcp_conn *c, tcp_seq_t seq, uint32_t len)
{
	uint32_t wnd = tcp_win_rcv_wnd(c);
	tcp_seq_t last = seq_add(seq, len ? len - 1 : 0);
	tcp_seq_t edge = seq_add(c->rcv_nxt, wnd);

	if (!wnd)
		return !len && seq_eq(seq, c->rcv_nxt);
	return seq_in(seq, c->rcv_nxt, edge) ||
	       (len && seq_in(last, c->rcv_nxt, edge));
}

static void note_dsack(struct tcp_conn *c, tcp_seq_t left, tcp_seq_t right)
{
	/* [RFC2883 4] */
	if (!c->sack_ok || !seq_lt(left, right))
		return;
	c->dsack = true;
	c->dsack_block = (struct tcp_sack_block){left, right};
}

/* [RFC9293 3.4 MUST-66] */
bool tcp_in_acceptable(struct tcp_conn *c, struct tcp_seg *in, mono_t now)
{
	uint32_t len = seg_len(in);
	tcp_seq_t end = seq_add(in->h.seq, in->len);

	if (in_window(c, in->h.seq, len))
		return true;
	if (!tcp_win_rcv_wnd(c) && seq_eq(in->h.seq, c->rcv_nxt) &&
	    !(in->h.flags & TCP_SYN)) {
		/* [RFC9293 3.10.7.4] closed window: no text, but the ACK of a
		 * segment that begins right is still news [MUST-66] */
		drop(c, TCP_DROP_WINDOW);
		in->len = 0;
		in->h.flags &= (uint8_t)~TCP_FIN;
		c->want_ack = true;
		return true;
	}
	drop(c, TCP_DROP_WINDOW);
	if (in->len && seq_leq(end, c->rcv_nxt) &&
	    seq_diff(c->rcv_nxt, in->h.seq) <= (int32_t)TCP_CWND_MAX) {
		c->env->stats.dup_in++;
		note_dsack(c, in->h.seq, end);
	}
	answer_unusable(c, in, now);
	return false;
}

/* ---- text ----------------------------------------------------------- */

/* Removes what arrived before and what lies beyond the window or a FIN. */
static void clip(struct tcp_conn *c, struct tcp_seg *in)
{
	tcp_seq_t edge = seq_add(c->rcv_nxt, tcp_win_rcv_wnd(c));
	int32_t old = seq_diff(c->rcv_nxt, in->h.seq), over;

	if (c->fin_seen) /* nothing comes after a FIN */
		edge = seq_min(edge, c->rcv_fin);
	if (old > 0 && in->len) {
		uint32_t n = MIN((uint32_t)old, in->len);

		note_dsack(c, in->h.seq, seq_add(in->h.seq, n));
		pkt_pull(in->pkt, n);
		in->h.seq = seq_add(in->h.seq, n);
		in->len -= n;
		c->want_ack = true;
	}
	over = seq_diff(seq_add(in->h.seq, in->len), edge);
	if (over > 0 && in->len) {
		uint32_t n = MIN((uint32_t)over, in->len);

		pkt_trim(in->pkt, n);
		in->len -= n;
		in->h.flags &= (uint8_t)~TCP_FIN;
		c->want_ack = true;
	}
}

static void note_fin(struct tcp_conn *c, const struct tcp_seg *in)
{
	tcp_seq_t at = seq_add(in->h.seq, in->len);

	if (!(in->h.flags & TCP_FIN) || c->fin_seen || seq_lt(at, c->rcv_nxt))
		return;
	/* a FIN in the middle of what was received is a lie */
	if (c->ooo && seq_lt(at, tcp_ooo_end(c->ooo)))
		return;
	c->fin_seen = true;
	c->rcv_fin = at;
	/* [RFC5681 4.2] a gap is reported at once */
	c->want_ack = true;
}

bool tcp_in_fin_due(const struct tcp_conn *c)
{
	return c->fin_seen && seq_eq(c->rcv_fin, c->rcv_nxt);
}

static void deliver(struct tcp_conn *c, struct pkt *p, uint32_t len)
{
	c->rcv_nxt = seq_add(c->rcv_nxt, len);
	c->bytes_received += len;
	c->env->stats.bytes_in += len;
	tcp_rcvq_push(&c->rcv, c->env->pool, p);
}

/* [RFC9293 3.10.7.4 MUST-59] */
static void fill_from_ooo(struct tcp_conn *c)
{
	struct pkt *p;

	if (!c->ooo)
		return;
	while ((p = tcp_ooo_take(c->ooo, c->env->pool, c->rcv_nxt)))
		deliver(c, p, p->len);
	if (tcp_ooo_empty(c->ooo)) {
		tcp_ooo_free(c->ooo, c->env->pool);
		c->ooo = NULL;
	}
	c->want_ack = true; /* [RFC5681 4.2] the hole shrank */
}

/* [RFC9293 3.10.7.4 SHLD-31] [RFC9293 3.10.7.4 MAY-13] */
static void hold(struct tcp_conn *c, struct tcp_seg *in)
{
	struct tcp_sack_block dup;
	enum tcp_ooo_verdict v = TCP_OOO_REFUSED;

	c->want_ack = true; /* [RFC5681 4.2] duplicate ACK at once */
	c->ooo_in += in->segs;
	c->env->stats.ooo_in += in->segs;
	if (!c->ooo)
		c->ooo = tcp_ooo_new();
	if (!c->ooo) {
		drop(c, TCP_DROP_NO_BUFFER);
		return;
	}
	v = tcp_ooo_insert(c->ooo, c->env->pool, in->pkt, in->h.seq,
			   2 * c->rcv_limit + PKT_LARGE_CAP, &dup);
	in->pkt = NULL;
	note_dsack(c, dup.left, dup.right);
	if (v == TCP_OOO_REFUSED)
		drop(c, TCP_DROP_OOO_LIMIT);
	if (v == TCP_OOO_DUPLICATE)
		c->env->stats.dup_in++;
	if (tcp_ooo_empty(c->ooo)) {
		tcp_ooo_free(c->ooo, c->env->pool);
		c->ooo = NULL;
	}
}

/* [RFC9293 3.8.6.3 SHLD-18, SHLD-19, MUST-40] [RFC5681 4.2] at least every
 * second full segment at once, everything else within the delay.
 * [RFC9293 3.10.7.4 MUST-58] */
static void owe_ack(struct tcp_conn *c, const struct tcp_seg *in, mono_t now)
{
	uint32_t owed = (uint32_t)seq_diff(c->rcv_nxt, c->rcv_acked);
	uint32_t wire =
		in->segs > 1 ? (in->len + in->segs - 1) / in->segs : in->len;
	bool full = wire >= c->rcv_mss;

	if (full)
		c->rcv_mss = (uint16_t)MIN(wire, UINT16_MAX);
	if (owed >= 2u * c->rcv_mss || in->segs > 1 || c->quickack)
		c->want_ack = true;
	if (full && c->quick) {
		c->quick--;
		c->want_ack = true;
	}
	if (!c->want_ack && !tcp_timer_on(c, TCP_T_DELACK))
		tcp_timer_set(c, TCP_T_DELACK,
			      mono_add(now, c->env->tune.delack));
}

static void note_ecn(struct tcp_conn *c, const struct tcp_seg *in)
{
	if (!c->ecn_ok)
		return;
	/* [RFC3168 6.1.3] */
	if (in->h.flags & TCP_CWR)
		c->ece = false;
	if (in->ecn == 3) {
		c->env->stats.ecn_ce_in++;
		c->ece = true;
		c->want_ack = true;
	}
}

void tcp_in_text(struct tcp_conn *c, struct tcp_seg *in, mono_t now)
{
	note_ecn(c, in);
	clip(c, in);
	note_fin(c, in);
	if (!in->len)
		return;
	c->data_segs_in += in->segs;
	tcp_win_sample(c, in, now);
	if (!seq_eq(in->h.seq, c->rcv_nxt)) {
		hold(c, in);
		return;
	}
	deliver(c, in->pkt, in->len);
	in->pkt = NULL;
	fill_from_ooo(c);
	owe_ack(c, in, now);
}
