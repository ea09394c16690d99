/*
 * What to send next. tcp_out_want() is the one predicate: output emits what
 * it names, deadline asks it whether anything is due. It looks at state
 * only; tcp_conn_expire() turns times into state.
 */
#include "tcp/conn.h"
#include "tcp/isn.h"

#define ECN_ECT0 2

static struct tcp_want want(enum tcp_want_kind k, tcp_seq_t seq, uint32_t len)
{
	return (struct tcp_want){k, seq, len};
}

static bool pacing(const struct tcp_conn *c)
{
	return c->env->tune.pacing || tcp_bbr_of(c);
}

/* Largest payload of one frame: whole segments. */
static uint32_t frame_max(const struct tcp_conn *c)
{
	uint32_t n = c->path.gso_max / c->mss;

	n = MAX(n, 1u) * c->mss;
	return pacing(c) ? tcp_pace_frame(c, n) : n;
}

/* ---- again ---------------------------------------------------------- */

static struct tcp_want want_rexmt(const struct tcp_conn *c)
{
	uint32_t flight = tcp_recov_in_flight(c), len = 0, room;
	tcp_seq_t seq = c->snd_una;

	if (c->frto == TCP_FRTO_NEW ||
	    (tcp_timer_on(c, TCP_T_PACE) && !c->force_rtx) ||
	    !tcp_rtx_next(&c->rtx, &seq, &len))
		return want(TCP_WANT_NOTHING, seq, 0);
	/* [RFC6675 5 C] at least one segment of room; the first one of a
	 * recovery goes in any case [RFC6675 5 step 4.3] */
	room = c->cc.cwnd > flight ? c->cc.cwnd - flight : 0;
	if (c->force_rtx)
		room = MAX(room, (uint32_t)c->mss);
	if (room < MIN(len, (uint32_t)c->mss))
		return want(TCP_WANT_NOTHING, seq, 0);
	/* Beyond a window that shrank only the first segment is repeated, as
	 * a probe [RFC9293 3.8.6 SHLD-16, SHLD-17, MAY-7] */
	if (!seq_eq(seq, c->snd_una))
		room = MIN(room, tcp_out_usable(c, seq));
	len = MIN(len, MIN(room, frame_max(c)));
	if (len > c->mss)
		len -= len % c->mss;
	return want(len ? TCP_WANT_REXMT : TCP_WANT_NOTHING, seq, len);
}

/* ---- new ------------------------------------------------------------ */

/* Nagle in Minshall's form: a partial segment waits while an earlier one is
 * unacknowledged [RFC9293 3.7.4 SHLD-7]; cork and MSG_MORE hold it anyway.
 * [RFC9293 3.9.1.2 MUST-60, MAY-16] */
static bool hold_partial(const struct tcp_conn *c)
{
	if (c->fin_queued || c->push)
		return false;
	if (c->cork || c->more)
		return true;
	return !c->nodelay && seq_lt(c->snd_una, c->snd_sml) &&
	       seq_leq(c->snd_sml, c->snd_nxt);
}

/* Sender's silly window avoidance [RFC9293 3.8.6.2.1 MUST-38]: `len` is less
 * than one segment and less than what waits. */
static bool worth_sending(const struct tcp_conn *c, uint32_t len)
{
	return len && (2 * len >= c->max_snd_wnd || c->sws_override);
}

static uint32_t cwnd_room(const struct tcp_conn *c)
{
	uint32_t flight = tcp_recov_in_flight(c);

	if (!flight)
		return MAX(c->cc.cwnd, (uint32_t)c->mss);
	return c->cc.cwnd > flight ? c->cc.cwnd - flight : 0;
}

/* Of `data` waiting bytes, how many go now, `wnd` being usable.
 * [RFC9293 3.9.1.2 SHLD-28] */
static uint32_t new_bytes(const struct tcp_conn *c, uint32_t data, uint32_t wnd)
{
	uint32_t room = cwnd_room(c);
	uint32_t len = MIN(MIN(data, wnd), MIN(room, frame_max(c)));

	if (len == data) {
		uint32_t tail = len % c->mss;

		return tail && hold_partial(c) ? len - tail : len;
	}
	if (len >= c->mss)
		return len - len % c->mss;
	/* cwnd will open with the next ACK: no reason to send a piece */
	if (room < MIN(wnd, (uint32_t)c->mss))
		return 0;
	return worth_sending(c, len) ? len : 0;
}

static uint32_t frto_room(const struct tcp_conn *c)
{
	uint32_t sent = (uint32_t)seq_diff(c->snd_nxt, c->recover);

	return 2u * c->mss > sent ? 2u * c->mss - sent : 0;
}

static struct tcp_want want_new(const struct tcp_conn *c)
{
	uint32_t unsent = tcp_conn_unsent(c),
		 wnd = tcp_out_usable(c, c->snd_nxt);
	uint32_t data = unsent - (c->fin_queued ? 1 : 0), len;

	/* lost data goes first, even if cwnd makes it wait; but for F-RTO's
	 * test, two segments [RFC5682 3.1 step 2b] */
	if (c->frto == TCP_FRTO_NEW)
		wnd = MIN(wnd, frto_room(c));
	else if (c->rtx.lost > c->rtx.rtx)
		unsent = 0;
	if (!unsent || seq_lt(c->snd.end, c->snd_nxt) ||
	    tcp_timer_on(c, TCP_T_PACE))
		return want(TCP_WANT_NOTHING, c->snd_nxt, 0);
	if (UNLIKELY(c->plpmtud != NULL) && data) {
		len = tcp_plpmtud_want(c, data, MIN(wnd, cwnd_room(c)));
		if (len)
			return want(TCP_WANT_NEW, c->snd_nxt, len);
	}
	len = data ? new_bytes(c, data, wnd) : 0;
	if (c->fin_queued && len == data && wnd > len)
		len++;
	return want(len ? TCP_WANT_NEW : TCP_WANT_NOTHING, c->snd_nxt, len);
}

bool tcp_out_window_blocked(const struct tcp_conn *c)
{
	uint32_t unsent, wnd;

	if (!tcp_conn_may_send(c) || tcp_conn_fin_acked(c))
		return false;
	unsent = tcp_conn_unsent(c);
	wnd = tcp_out_usable(c, c->snd_nxt);
	return unsent > wnd && wnd < c->mss;
}

struct tcp_want tcp_out_want(const struct tcp_conn *c)
{
	struct tcp_want w;

	if (c->want_reply)
		return want(TCP_WANT_REPLY, c->snd_nxt, 0);
	if (c->want_rst)
		return want(TCP_WANT_RST, c->snd_nxt, 0);
	if (c->want_syn)
		return want(TCP_WANT_SYN, c->iss, 1);
	if (c->state == TCP_S_CLOSED || c->state == TCP_S_SYN_SENT)
		return want(TCP_WANT_NOTHING, c->snd_nxt, 0);
	/* Data segments carry no SACK blocks: a hole is reported alone. */
	if (c->want_ack && (c->ooo || c->dsack))
		return want(TCP_WANT_ACK, c->snd_nxt, 0);
	if (tcp_conn_may_send(c)) {
		if (c->want_tlp)
			return tcp_tlp_want(c);
		w = want_rexmt(c);
		if (w.kind == TCP_WANT_NOTHING)
			w = want_new(c);
		if (w.kind != TCP_WANT_NOTHING)
			return w;
	}
	if (c->want_probe)
		return want(TCP_WANT_PROBE, TCP_SEQ(c->snd_una.v - 1), 0);
	return want(c->want_ack ? TCP_WANT_ACK : TCP_WANT_NOTHING, c->snd_nxt,
		    0);
}

/* ---- building ------------------------------------------------------- */

static void begin(struct tcp_conn *c, struct tcp_out *o, uint8_t flags,
		  tcp_seq_t seq)
{
	o->h = (struct tcp_header){
		.src_port = c->tuple.local_port,
		.dst_port = c->tuple.remote_port,
		.seq = seq,
		.flags = flags,
	};
	o->len = 0;
	o->gso_size = 0;
	o->ecn = 0;
	o->n_iov = 0;
	c->segs_out++;
	c->env->stats.segs_out++;
}

static void put_timestamp(const struct tcp_conn *c, struct tcp_out *o)
{
	/* [RFC7323 3.2] in every segment once agreed */
	if (!c->ts_ok)
		return;
	o->h.opt.has_ts = true;
	o->h.opt.ts_val = tcp_ts_now(c->ts_offset, c->now);
	o->h.opt.ts_ecr = c->ts_recent;
}

/* ACK, window, timestamp: what every segment of an established connection
 * carries. Pays all ACKs owed. */
static void put_ack(struct tcp_conn *c, struct tcp_out *o)
{
	o->h.flags |= TCP_ACK | (c->ece ? TCP_ECE : 0);
	o->h.ack = c->rcv_nxt;
	o->h.wnd = tcp_win_select(c);
	put_timestamp(c, o);
	c->rcv_acked = c->rcv_nxt;
	c->want_ack = false;
	tcp_timer_off(c, TCP_T_DELACK);
}

static void put_sacks(struct tcp_conn *c, struct tcp_out *o)
{
	struct tcp_options *opt = &o->h.opt;
	uint8_t max = opt->has_ts ? TCP_SACK_MAX - 1 : TCP_SACK_MAX;

	if (!c->sack_ok)
		c->dsack = false;
	if (c->dsack) { /* [RFC2883 4] once, and first */
		opt->sack[opt->n_sack++] = c->dsack_block;
		c->dsack = false;
	}
	for (uint8_t i = 0;
	     c->sack_ok && c->ooo && i < c->ooo->n_recent && opt->n_sack < max;
	     i++)
		opt->sack[opt->n_sack++] = c->ooo->recent[i];
}

static void build_ack(struct tcp_conn *c, struct tcp_out *o, tcp_seq_t seq)
{
	begin(c, o, 0, seq);
	put_ack(c, o);
	put_sacks(c, o);
}

static void build_syn(struct tcp_conn *c, struct tcp_out *o)
{
	bool answer = c->state == TCP_S_SYN_RECEIVED;

	begin(c, o, TCP_SYN | (answer ? TCP_ACK : 0), c->iss);
	tcp_opt_syn(c, answer, &o->h.opt);
	o->h.wnd = (uint16_t)MIN(c->rcv_limit, TCP_WND_UNSCALED_MAX);
	if (answer)
		o->h.ack = c->rcv_nxt;
	else if (c->env->tune.ecn == TCP_ECN_ON && !c->syn_again)
		/* [RFC3168 6.1.1.1] not again: the path may drop it */
		o->h.flags |= TCP_ECE | TCP_CWR;
	if (c->syn_again) {
		c->total_retrans++;
		c->env->stats.retrans_segs++;
	}
	c->want_syn = c->want_ack = false;
	c->snd_nxt = seq_add(c->iss, 1);
	c->last_sent = c->now;
	tcp_timer_arm_rexmt(c, c->now);
}

static void build_rst(struct tcp_conn *c, struct tcp_out *o)
{
	begin(c, o, TCP_RST | TCP_ACK, c->snd_nxt);
	o->h.ack = c->rcv_nxt;
	put_timestamp(c, o);
	c->want_rst = false;
	c->env->stats.resets_out++;
}

static void build_reply(struct tcp_conn *c, struct tcp_out *o)
{
	begin(c, o, TCP_RST, TCP_SEQ(0));
	if (c->reply_has_ack) {
		o->h.flags |= TCP_ACK;
		o->h.ack = TCP_SEQ(c->reply_num);
	} else {
		o->h.seq = TCP_SEQ(c->reply_num);
	}
	c->want_reply = false;
	c->env->stats.resets_out++;
}

/* Attaches the payload of [seq, +len) and FIN if it lies in it. Returns the
 * sequence numbers covered: fewer when it takes more pieces than a frame
 * may have. */
static uint32_t put_payload(struct tcp_conn *c, struct tcp_out *o,
			    enum tcp_sndbuf_hint h, tcp_seq_t seq, uint32_t len)
{
	uint32_t data = MIN(len, (uint32_t)MAX(seq_diff(c->snd.end, seq), 0));
	uint32_t got;

	o->n_iov = ARRAY_SIZE(o->iov);
	got = data ? tcp_sndbuf_iov(&c->snd, h, seq, data, o->iov, &o->n_iov)
		   : 0;
	if (!data)
		o->n_iov = 0;
	if (got < data && got > c->mss) {
		uint32_t cut = got % c->mss;

		got = tcp_sndbuf_iov(&c->snd, h, seq, got - cut, o->iov,
				     &o->n_iov);
	}
	o->len = got;
	o->gso_size = got > c->mss ? c->mss : 0;
	if (got && seq_eq(seq_add(seq, got), c->snd.end))
		o->h.flags |= TCP_PSH; /* [RFC9293 3.9.1.2 MUST-61, SHLD-27] */
	if (got < len && got == data) {
		o->h.flags |= TCP_FIN;
		return got + 1;
	}
	return got;
}

/* `fresh`: the timer starts anew [RFC8985 7.2] [RFC6298 5.1]. */
static void count_data(struct tcp_conn *c, const struct tcp_out *o, bool fresh)
{
	uint32_t segs = o->len > c->mss ? (o->len + c->mss - 1) / c->mss : 1;

	c->segs_out += segs - 1;
	c->data_segs_out += segs;
	c->env->stats.segs_out += segs - 1;
	c->last_sent = c->now;
	if (pacing(c))
		tcp_pace_sent(c, o->len);
	if (fresh || !tcp_timer_on(c, TCP_T_REXMT))
		tcp_timer_arm_rexmt(c, c->now);
}

/*
 * PSH on the last of several segments that leave in one go because the window
 * opened: nothing follows until the next ACK, so the receiver gains nothing by
 * waiting. Linux ends its frames so, and as a receiver answers PSH with an ACK
 * at once. Where it does not, every second ACK falls into the middle of a burst
 * of ours, the next burst comes one packet time behind another sender's, and of
 * a queue that both fill we lose the packet. A segment alone has none, or each
 * would be acknowledged by itself. [RFC9293 3.9.1.2] leaves it to us: PSH marks
 * no record.
 */
static void end_of_burst(struct tcp_conn *c, struct tcp_out *o)
{
	if ((c->burst || o->gso_size) &&
	    MIN(cwnd_room(c), tcp_out_usable(c, c->snd_nxt)) < c->mss)
		o->h.flags |= TCP_PSH;
	c->burst = true;
}

static void build_new(struct tcp_conn *c, struct tcp_out *o,
		      const struct tcp_want *w)
{
	uint32_t len, probe = 0;
	mono_t sent = c->last_sent;

	begin(c, o, 0, w->seq);
	put_ack(c, o);
	if (UNLIKELY(c->plpmtud != NULL))
		probe = tcp_plpmtud_want(c, UINT32_MAX, w->len);
	len = put_payload(c, o, TCP_SNDBUF_NEW, w->seq, w->len);
	if (probe && len == probe) { /* one segment, larger than the MSS */
		o->gso_size = 0;
		tcp_plpmtud_sent(c, w->seq, len);
	}
	if (c->ecn_ok && o->len) { /* [RFC3168 6.1.1, 6.1.2] */
		o->ecn = ECN_ECT0;
		if (c->want_cwr)
			o->h.flags |= TCP_CWR;
		c->want_cwr = false;
	}
	tcp_rtx_push(&c->rtx, w->seq, len, c->now);
	c->snd_nxt = seq_add(w->seq, len);
	end_of_burst(c, o);
	if (o->len % c->mss)
		c->snd_sml = c->snd_nxt;
	c->push = c->sws_override = c->want_probe = false;
	c->env->stats.bytes_out += o->len;
	if (c->recovery == TCP_R_FAST)
		tcp_prr_sent(c, len);
	if (UNLIKELY(tcp_bbr_of(c) != NULL))
		tcp_bbr_sent(c, len);
	/* of what leaves in one instant the first two frames move the probe:
	 * one segment waits longer than several */
	count_data(c, o,
		   c->rexmt_for == TCP_FOR_PROBE &&
			   (mono_lt(sent, c->now) ||
			    tcp_conn_outstanding(c) <= len + c->mss));
	if (c->want_tlp)
		tcp_tlp_sent(c, false);
	tcp_timer_off(c, TCP_T_PERSIST);
	tcp_timer_off(c, TCP_T_CORK);
}

static void build_rexmt(struct tcp_conn *c, struct tcp_out *o,
			const struct tcp_want *w)
{
	uint32_t len, segs;

	begin(c, o, 0, w->seq);
	put_ack(c, o);
	len = put_payload(c, o, TCP_SNDBUF_AGAIN, w->seq, w->len);
	tcp_rtx_resent(&c->rtx, w->seq, len, c->now);
	segs = o->len > c->mss ? (o->len + c->mss - 1) / c->mss : 1;
	c->total_retrans += segs;
	c->env->stats.retrans_segs += segs;
	c->bytes_retrans += o->len;
	c->force_rtx = false;
	tcp_recov_resent(c, len);
	count_data(c, o,
		   seq_eq(w->seq, c->snd_una) && c->rexmt_for != TCP_FOR_REO);
	if (c->want_tlp)
		tcp_tlp_sent(c, true);
}

/* Nothing more to send at this instant. */
static void dry(struct tcp_conn *c)
{
	uint32_t unsent = tcp_conn_may_send(c) ? tcp_conn_unsent(c) : 0;

	c->burst = false;
	if (unsent && cwnd_room(c) < MIN(unsent, (uint32_t)c->mss)) {
		c->cwnd_limited = true;
		c->limited_end = c->snd_nxt;
	}
	if (tcp_conn_outstanding(c))
		tcp_cwv_sent(c, c->now);
	if (UNLIKELY(tcp_bbr_of(c) != NULL))
		tcp_bbr_dry(c);
	if (c->snd.spare) /* reserved and not committed */
		tcp_sndbuf_commit(&c->snd, c->env->pool, 0);
	tcp_rcvq_settle(&c->rcv, c->env->pool);
	tcp_timer_settle(c, c->now);
}

bool tcp_conn_output(struct tcp_conn *c, struct tcp_out *ret, mono_t now)
{
	struct tcp_want w;

	c->now = now;
	if (mono_leq(tcp_timer_first(c), now))
		tcp_conn_expire(c, now);
	w = tcp_out_want(c);
	switch (w.kind) {
	case TCP_WANT_NOTHING:
		dry(c);
		return false;
	case TCP_WANT_REPLY:
		build_reply(c, ret);
		break;
	case TCP_WANT_RST:
		build_rst(c, ret);
		break;
	case TCP_WANT_SYN:
		build_syn(c, ret);
		break;
	case TCP_WANT_REXMT:
		build_rexmt(c, ret, &w);
		break;
	case TCP_WANT_NEW:
		build_new(c, ret, &w);
		break;
	case TCP_WANT_PROBE:
		build_ack(c, ret, w.seq);
		c->want_probe = false;
		break;
	case TCP_WANT_ACK:
		build_ack(c, ret, c->snd_nxt);
		break;
	}
	return true;
}
