/*
 * Tail loss probes (RFC 8985 7): when the last segments of a flight are lost
 * no later one tells of it. After two round trips of silence one segment is
 * sent, new if there is one, else the last again; its ACK shows RACK what is
 * missing, without a time-out.
 */
#include "tcp/conn.h"

#define PTO_INITIAL DUR_S(1)       /* [RFC8985 7.2] no sample yet */
#define PTO_SLACK DUR_MS(2)        /* for the peer's and our own timers */
#define PTO_MAX_DELACK DUR_MS(200) /* [RFC8985 7.2] TLP.max_ack_delay */

/* [RFC8985 4, 7.1] */
bool tcp_tlp_timeout(const struct tcp_conn *c, dur_t *ret)
{
	dur_t extra = PTO_SLACK;

	/* [RFC8985 7.2] not while losses are being dealt with, not while the
	 * scoreboard says more than a probe would, not twice; nor into a
	 * window that was taken back */
	if (!c->sack_ok || c->recovery != TCP_R_OPEN || c->rtx.sacked ||
	    c->probed || c->want_tlp || !c->established ||
	    tcp_conn_outstanding(c) > c->snd_wnd)
		return false;
	if (!c->rtt.srtt_ns) {
		*ret = PTO_INITIAL;
		return true;
	}
	/* a single segment may meet a delayed ACK */
	if (tcp_conn_outstanding(c) <= c->mss)
		extra = PTO_MAX_DELACK;
	*ret = dur_add(DUR_NS(2 * c->rtt.srtt_ns), extra);
	return true;
}

struct tcp_want tcp_tlp_want(const struct tcp_conn *c)
{
	uint32_t wnd = tcp_out_usable(c, c->snd_nxt);
	uint32_t unsent = tcp_conn_unsent(c);
	struct tcp_want w = {TCP_WANT_NEW, c->snd_nxt,
			     MIN(unsent, (uint32_t)c->mss)};

	/* [RFC8985 7.3] new data whatever cwnd says, but within the peer's
	 * window; else the end of what is out */
	if (w.len && w.len <= wnd)
		return w;
	w.kind = TCP_WANT_REXMT;
	tcp_rtx_tail(&c->rtx, c->mss, &w.seq, &w.len);
	return w;
}

void tcp_tlp_sent(struct tcp_conn *c, bool again)
{
	c->want_tlp = false;
	c->probed = true;
	c->probe_again = again;
	c->rack.probe_end = c->snd_nxt;
	c->env->stats.loss_probes++;
	/* [RFC8985 7.3] then the RTO */
	tcp_timer_arm_rexmt(c, c->now);
}

bool tcp_tlp_is_dsack(const struct tcp_conn *c,
		      const struct tcp_recov_event *ev)
{
	return ev->dsack && c->probed && c->probe_again &&
	       seq_eq(ev->seg->h.opt.sack[0].right, c->rack.probe_end);
}

/* [RFC8985 7.4.1] */
void tcp_tlp_ack(struct tcp_conn *c, const struct tcp_recov_event *ev)
{
	struct tcp_rack *k = &c->rack;

	if (ev->acked || ev->acc->sacked) /* it was only slow */
		c->want_tlp = false;
	if (!c->probed || seq_lt(ev->seg->h.ack, k->probe_end))
		return;
	/* [RFC8985 7.4.1] [RFC8985 7.4.2] */
	if (!c->probe_again || tcp_tlp_is_dsack(c, ev)) {
		c->probed = false; /* nothing was lost */
	} else if (seq_lt(k->probe_end, ev->seg->h.ack)) {
		c->probed = false; /* the probe mended it silently */
		tcp_recov_probe_mended(c);
	} else if (ev->dup || (!ev->acked && !ev->acc->sacked)) {
		c->probed = false; /* both copies arrived */
	}
}
