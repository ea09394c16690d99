/*
 * RACK (RFC 8985 6): data is lost when something sent later has arrived and
 * a reordering window has passed since. Works on times, so it finds lost
 * retransmissions and lost tails as it finds all else. The window is a
 * quarter of the shortest round trip once reordering was seen, and grows by
 * as much for each round in which a D-SACK says that we were too quick.
 *
 * Without SACK there is no RACK: recov.c counts duplicate ACKs.
 */
#include "tcp/conn.h"
#include "tcp/isn.h"

/* [RFC8985 5.3] */
#define REO_PERSIST 16   /* [RFC8985 6.2 step 4] recoveries */
#define REO_MULT_MAX 255 /* SRTT ends growth long before */
#define SCAN_PART 16     /* of a round trip between searches */

/* [RFC8985 6.2 step 2] A repeated segment's ACK may be for the first
 * transmission: then it says nothing about the path now. */
static bool ambiguous(const struct tcp_conn *c,
		      const struct tcp_recov_event *ev, mono_t sent_at,
		      mono_t now)
{
	const struct tcp_options *o = &ev->seg->h.opt;
	uint32_t sent_ts = tcp_ts_now(c->ts_offset, sent_at);

	if (c->ts_ok && o->has_ts && o->ts_ecr &&
	    (int32_t)(o->ts_ecr - sent_ts) < 0)
		return true;
	return dur_us(mono_sub(now, sent_at)) < (int64_t)c->rtt.min_us;
}

static void delivered(struct tcp_rack *k, mono_t sent_at, tcp_seq_t end,
		      mono_t now)
{
	if (mono_lt(sent_at, k->xmit_at) ||
	    (sent_at.ns == k->xmit_at.ns && seq_leq(end, k->end)))
		return;
	k->xmit_at = sent_at;
	k->end = end;
	k->rtt_us = (uint32_t)MIN(dur_us(mono_sub(now, sent_at)), UINT32_MAX);
}

/* [RFC8985 6.2 step 4] once per round trip */
static void widen(struct tcp_conn *c, const struct tcp_recov_event *ev)
{
	struct tcp_rack *k = &c->rack;

	if (c->dsack_seen && seq_leq(k->dsack_round, c->snd_una))
		c->dsack_seen = false;
	if (!ev->dsack || c->dsack_seen || tcp_tlp_is_dsack(c, ev))
		return;
	c->dsack_seen = true;
	k->dsack_round = c->snd_nxt;
	if (c->reo_mult < REO_MULT_MAX)
		c->reo_mult++;
	c->reo_persist = REO_PERSIST;
}

void tcp_rack_recovered(struct tcp_conn *c)
{
	/* [RFC8985 6.2 step 4] */
	if (c->reo_persist && !--c->reo_persist)
		c->reo_mult = 0;
}

/* [RFC8985 5.2] [RFC8985 6.2 step 1] */
void tcp_rack_ack(struct tcp_conn *c, const struct tcp_recov_event *ev,
		  mono_t now)
{
	const struct tcp_rtx_acked *a = ev->acc;

	/* [RFC8985 6.2 step 2] */
	if (a->newest_at.ns)
		delivered(&c->rack, a->newest_at, a->newest_end, now);
	if (a->resent_at.ns && !ambiguous(c, ev, a->resent_at, now))
		delivered(&c->rack, a->resent_at, a->resent_end, now);
	if (a->reordered) /* [RFC8985 6.2 step 3] */
		c->reordering = true;
	widen(c, ev);
}

/* [RFC8985 6.2 step 4 RACK_update_reo_wnd] */
static dur_t reo_wnd(const struct tcp_conn *c)
{
	int64_t us;

	if (!c->reordering &&
	    (c->recovery != TCP_R_OPEN || c->dupacks >= TCP_DUP_THRESH ||
	     c->rtx.sacked > (TCP_DUP_THRESH - 1u) * c->mss))
		return DUR_NS(0);
	us = (int64_t)c->rtt.min_us * (c->reo_mult + 1) / 4;
	return dur_min(DUR_US(us), DUR_NS(c->rtt.srtt_ns));
}

/* [RFC8985 5.3] */
static dur_t lost_after(const struct tcp_conn *c)
{
	return dur_add(DUR_US(c->rack.rtt_us), reo_wnd(c));
}

/* [RFC8985 6.2 step 5] */
uint32_t tcp_rack_detect(struct tcp_conn *c, mono_t now, mono_t *ret_next)
{
	struct tcp_rtx_rack k = {.xmit_at = c->rack.xmit_at,
				 .end = c->rack.end,
				 .wait = lost_after(c),
				 .scan_gap =
					 DUR_US(c->rack.rtt_us / SCAN_PART)};

	*ret_next = MONO_NEVER;
	if (!c->rack.xmit_at.ns || !c->rtx.n)
		return 0;
	return tcp_rtx_rack(&c->rtx, &k, now,
			    ret_next); /* [RFC8985 6.2 step 5] */
}

mono_t tcp_rack_lost_if_sent(const struct tcp_conn *c, mono_t now)
{
	dur_t wait = lost_after(c);

	/* [RFC8985 6.3] what is younger than a round trip may still come */
	if (!c->sack_ok || !c->rack.xmit_at.ns ||
	    mono_leq(now, (mono_t){(uint64_t)wait.ns}))
		return MONO_NEVER;
	return (mono_t){now.ns - (uint64_t)wait.ns};
}
