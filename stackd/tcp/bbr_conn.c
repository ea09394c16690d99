/* BBR's place in a connection: facts go in, cwnd and a pacing rate come out. */
#include "tcp/bbr.h"
#include "tcp/conn.h"

#include <stdlib.h>

#define MARK_PART 32 /* marks lie no closer than this part of a round trip */

void tcp_bbr_begin(struct tcp_conn *c)
{
	struct tcp_bbr *b;

	if (tcp_cc_kind(&c->cc) != TCP_CC_BBR || c->cc.bbr.model)
		return;
	b = malloc(sizeof(*b));
	if (!b) { /* a controller that needs no memory */
		tcp_cc_set_kind(&c->cc, TCP_CC_CUBIC);
		return;
	}
	tcp_bbr_init(b, &c->cc, (uint32_t)(c->rtt.srtt_ns / 1000),
		     c->env->rand64(c->env->rand_arg), c->now);
	c->cc.bbr.model = b;
}

void tcp_bbr_end(struct tcp_conn *c)
{
	struct tcp_bbr *b = tcp_bbr_of(c);

	if (!b)
		return;
	free(b);
	c->cc.bbr.model = NULL;
}

size_t tcp_bbr_memory(const struct tcp_conn *c)
{
	return tcp_bbr_of(c) ? sizeof(struct tcp_bbr) : 0;
}

uint64_t tcp_bbr_pacing(const struct tcp_conn *c)
{
	return c->cc.bbr.model->pacing;
}

void tcp_bbr_sent(struct tcp_conn *c, uint32_t len)
{
	struct tcp_bbr *b = c->cc.bbr.model;
	dur_t gap = DUR_NS(c->rtt.srtt_ns / MARK_PART);

	if (tcp_rate_sent(&b->rate, c->snd_nxt, len, tcp_recov_in_flight(c),
			  gap, c->now))
		tcp_bbr_restart(b, &c->cc, c->now);
}

void tcp_bbr_dry(struct tcp_conn *c)
{
	uint32_t flight = tcp_recov_in_flight(c);

	if (!tcp_conn_unsent(c) && flight < c->cc.cwnd &&
	    c->rtx.lost <= c->rtx.rtx)
		tcp_rate_app_limited(&c->cc.bbr.model->rate, flight);
}

void tcp_bbr_lost(struct tcp_conn *c, uint32_t len)
{
	c->cc.bbr.model->lost += len;
}

void tcp_bbr_ack(struct tcp_conn *c, const struct tcp_rtx_acked *acc,
		 mono_t now)
{
	struct tcp_bbr *b = c->cc.bbr.model;
	struct tcp_rate_sample rs = {
		.acked = acc->delivered,
		.lost = b->lost,
		.cwnd_limited = c->cwnd_limited,
	};
	tcp_seq_t upto = c->snd_una;

	b->lost = 0;
	if (acc->newest_at.ns)
		upto = seq_max(upto, acc->newest_end);
	if (acc->have_sample && !acc->resent_at.ns)
		rs.rtt_us = (uint32_t)CLAMP(dur_us(mono_sub(now, acc->sent_at)),
					    1, UINT32_MAX - 1);
	tcp_rate_ack(&b->rate, &rs, upto, b->min_rtt_us, now);
	rs.in_flight = tcp_recov_in_flight(c);
	tcp_bbr_update(b, &c->cc, &rs, now);
}
