/*
 * The receive window: how much is promised, when the peer hears of it, and
 * how large the buffer grows.
 *
 * The promised right edge, rcv_adv, never moves left [RFC9293 3.8.6
 * SHLD-14]. With a window scale, an edge that stays put while rcv_nxt moves
 * cannot always be written down exactly. It is rounded up, which moves it a
 * little to the right with each ACK. How much in all, since the edge last
 * moved for a reason, is wnd_slack, and bounded by an eighth of the buffer:
 * a peer that sends single bytes into a full buffer does not get more. Only
 * then is the edge rounded down and may seem to move left by less than one
 * unit, which RFC 7323 2.4 expects senders to live with.
 */
#include "tcp/conn.h"
#include "tcp/isn.h"

#define SLACK_PART 8 /* of the buffer, for rounding */

/* What could be promised at most: a buffer that is larger than the window
 * field can say is no reason to promise it again and again. */
static uint32_t limit(const struct tcp_conn *c)
{
	uint32_t max = TCP_WND_UNSCALED_MAX << c->rcv_wscale;

	if (c->rcv_clamp)
		max = MIN(max, c->rcv_clamp);
	return MIN(c->rcv_limit, max);
}

static uint32_t space(const struct tcp_conn *c)
{
	uint32_t max = limit(c);

	return max > c->rcv.bytes ? max - c->rcv.bytes : 0;
}

/* Bytes from rcv_nxt to the edge we would like. */
static uint32_t wanted(const struct tcp_conn *c)
{
	uint32_t cur = tcp_win_rcv_wnd(c), room = space(c);

	if (room <= cur)
		return cur;
	/* [RFC9293 3.8.6.2.2 MUST-39] silly window: move the edge by a full
	 * segment or half the buffer, or not at all */
	if (room - cur < MIN(limit(c) / 2, (uint32_t)c->rcv_mss))
		return cur;
	return room;
}

/* [RFC7323 2.4] [RFC9293 3.8.6.1 MAY-8] */
static uint32_t keep_edge(struct tcp_conn *c, uint32_t cur)
{
	uint32_t unit = 1u << c->rcv_wscale;
	uint32_t up = (cur + unit - 1) & ~(unit - 1);

	if (c->wnd_slack + (up - cur) > limit(c) / SLACK_PART)
		return cur >> c->rcv_wscale;
	c->wnd_slack += up - cur;
	return up >> c->rcv_wscale;
}

uint16_t tcp_win_select(struct tcp_conn *c)
{
	uint32_t cur = tcp_win_rcv_wnd(c), want = wanted(c), field;

	field = want >> c->rcv_wscale;
	if (want > cur && field << c->rcv_wscale >= cur)
		c->wnd_slack = 0;
	else
		field = keep_edge(c, cur);
	field = MIN(field, TCP_WND_UNSCALED_MAX);
	c->rcv_adv = seq_max(c->rcv_adv,
			     seq_add(c->rcv_nxt, field << c->rcv_wscale));
	return (uint16_t)field;
}

bool tcp_win_update_due(const struct tcp_conn *c)
{
	uint32_t cur = tcp_win_rcv_wnd(c), room = space(c);

	/* A window that is still large will be opened by the next ACK. */
	if (room <= cur || cur > limit(c) / 2 || room < 2 * cur)
		return false;
	return room - cur >= MIN(limit(c) / 2, 2u * c->rcv_mss);
}

/* The buffer follows what the program consumes per round trip: twice that,
 * so that a sender in slow start never waits for us. */
static void tune(struct tcp_conn *c)
{
	uint64_t want = 2ull * c->tune_copied + 16u * c->rcv_mss;

	want = MIN(want, (uint64_t)c->env->tune.rcvbuf_max);
	if (!c->rcvbuf_locked && want > c->rcv_limit)
		c->rcv_limit = (uint32_t)want;
}

void tcp_win_consumed(struct tcp_conn *c, uint32_t n, mono_t now)
{
	int64_t rtt_us = c->rcv_rtt_us ? c->rcv_rtt_us : c->rtt.srtt_ns / 1000;

	c->tune_copied = (uint32_t)MIN((uint64_t)c->tune_copied + n,
				       (uint64_t)UINT32_MAX);
	if (dur_us(mono_sub(now, c->tune_at)) < MAX(rtt_us, 1000))
		return;
	tune(c);
	c->tune_at = now;
	c->tune_copied = 0;
}

void tcp_win_sample(struct tcp_conn *c, const struct tcp_seg *in, mono_t now)
{
	uint32_t us;

	if (!c->ts_ok || !in->h.opt.has_ts || !in->h.opt.ts_ecr)
		return;
	us = tcp_ts_now(c->ts_offset, now) - in->h.opt.ts_ecr;
	if (us > 60000) /* older than a minute: not a round trip */
		return;
	us = MAX(us, 1u) * 1000;
	if (!c->rcv_rtt_us || us < c->rcv_rtt_us)
		c->rcv_rtt_us = us;
	else
		c->rcv_rtt_us += (us - c->rcv_rtt_us) / 8;
}
