/* Clocks of a connection: times become state here and nowhere else. */
#include "tcp/conn.h"

#include <errno.h>

mono_t tcp_timer_first(const struct tcp_conn *c)
{
	mono_t t = c->timers[0];

	for (int i = 1; i < TCP_T__COUNT; i++)
		t = mono_min(t, c->timers[i]);
	return t;
}

void tcp_timer_all_off(struct tcp_conn *c)
{
	for (int i = 0; i < TCP_T__COUNT; i++)
		c->timers[i] = MONO_NEVER;
}

static dur_t rto(const struct tcp_conn *c)
{
	return tcp_rtt_rto(&c->rtt, c->env->tune.rto_max);
}

static void arm(struct tcp_conn *c, enum tcp_rexmt_for what, mono_t at)
{
	c->rexmt_for = (uint8_t)what;
	tcp_timer_set(c, TCP_T_REXMT, at);
}

void tcp_timer_arm_rexmt(struct tcp_conn *c, mono_t now)
{
	dur_t pto, left = rto(c);

	if (tcp_tlp_timeout(c, &pto)) /* [RFC8985 7.2] not after the RTO */
		arm(c, TCP_FOR_PROBE, mono_add(now, dur_min(pto, left)));
	else
		arm(c, TCP_FOR_RTO, mono_add(now, left));
}

void tcp_timer_after_ack(struct tcp_conn *c, bool advanced, mono_t reo_at,
			 mono_t now)
{
	if (!tcp_conn_outstanding(c)) { /* [RFC6298 5.2] */
		tcp_timer_off(c, TCP_T_REXMT);
	} else if (!mono_is_never(reo_at)) { /* [RFC8985 8] */
		arm(c, TCP_FOR_REO, mono_max(reo_at, mono_add(now, DUR_NS(1))));
	} else if (advanced) {
		/* [RFC6298 5.3]; the back-off ends with the next sample */
		tcp_timer_arm_rexmt(c, now);
	} else if (c->rexmt_for == TCP_FOR_REO ||
		   !tcp_timer_on(c, TCP_T_REXMT)) {
		/* the RTO as if it had run all the time */
		mono_t at = mono_add(tcp_rtx_head_sent_at(&c->rtx), rto(c));

		arm(c, TCP_FOR_RTO, mono_max(at, mono_add(now, DUR_MS(1))));
	}
}

static dur_t keep_idle(const struct tcp_conn *c)
{
	return c->keep_idle_s ? DUR_S(c->keep_idle_s) : c->env->tune.keep_idle;
}

static dur_t keep_intvl(const struct tcp_conn *c)
{
	return c->keep_intvl_s ? DUR_S(c->keep_intvl_s)
			       : c->env->tune.keep_intvl;
}

void tcp_timer_arm_keep(struct tcp_conn *c, mono_t now)
{
	bool alive = (1u << c->state) &
		     (1u << TCP_S_ESTABLISHED | 1u << TCP_S_CLOSE_WAIT |
		      1u << TCP_S_FIN_WAIT_1 | 1u << TCP_S_FIN_WAIT_2);

	c->keep_sent = 0;
	if (!c->keepalive || !alive) {
		tcp_timer_off(c, TCP_T_KEEP);
		return;
	}
	tcp_timer_set(c, TCP_T_KEEP,
		      mono_max(mono_add(c->last_rcvd, keep_idle(c)),
			       mono_add(now, DUR_MS(1))));
}

void tcp_timer_arm_user(struct tcp_conn *c, bool restart, mono_t now)
{
	bool waits = c->state == TCP_S_SYN_SENT || tcp_conn_outstanding(c) ||
		     (c->state != TCP_S_CLOSED && tcp_conn_unsent(c));

	if (!c->user_timeout_ms || !waits)
		tcp_timer_off(c, TCP_T_USER);
	else if (restart || !tcp_timer_on(c, TCP_T_USER))
		tcp_timer_set(c, TCP_T_USER,
			      mono_add(now, DUR_MS(c->user_timeout_ms)));
}

/* [RFC9293 3.8.3] Nobody answers: the latest hint of the network, or
 * ETIMEDOUT. */
static void give_up(struct tcp_conn *c)
{
	tcp_conn_fail(c, c->error_soft ? c->error_soft : ETIMEDOUT, false);
}

static uint32_t retry_limit(const struct tcp_conn *c)
{
	const struct tcp_tune *t = &c->env->tune;

	if (c->state == TCP_S_SYN_SENT)
		return c->syn_retries ? c->syn_retries : t->syn_retries;
	if (c->state == TCP_S_SYN_RECEIVED)
		return t->synack_retries;
	return c->orphan ? t->orphan_retries : t->retries2;
}

/* Counts one more expiry without an answer; false: that was the last. */
static bool retry(struct tcp_conn *c)
{
	if (c->retries < UINT8_MAX)
		c->retries++;
	if (c->retries <= retry_limit(c) && c->retries < UINT8_MAX)
		return true;
	give_up(c);
	return false;
}

static void rexmt_expired(struct tcp_conn *c, mono_t now)
{
	enum tcp_rexmt_for what = (enum tcp_rexmt_for)c->rexmt_for;

	c->rexmt_for = TCP_FOR_RTO;
	if (what == TCP_FOR_REO) {
		tcp_recov_reo_expired(c, now);
		return;
	}
	if (what == TCP_FOR_PROBE) {
		c->want_tlp = c->rtx.n > 0;
		return;
	}
	if (!retry(c))
		return;
	c->env->stats.rto_timeouts++;
	tcp_rtt_back_off(&c->rtt); /* [RFC6298 5.5] */
	if (c->state == TCP_S_SYN_SENT || c->state == TCP_S_SYN_RECEIVED) {
		c->want_syn = c->syn_again = true;
		return;
	}
	tcp_plpmtud_timeout(c, now);
	tcp_recov_timeout(c, now);
}

/* [RFC9293 3.8.6.1 MUST-36] [RFC9293 3.8.6 MUST-35] */
static void persist_expired(struct tcp_conn *c)
{
	if (!retry(c))
		return;
	tcp_rtt_back_off(&c->rtt); /* [RFC9293 3.8.6.1 SHLD-30] */
	c->env->stats.zero_window_probes++;
	if (c->snd_wnd)
		c->sws_override = true;
	else
		c->want_probe = true;
}

/* [RFC1122 4.2.3.6] [RFC9293 3.8.4 MUST-29, SHLD-12, MAY-5] */
static void keep_expired(struct tcp_conn *c, mono_t now)
{
	mono_t due = mono_add(c->last_rcvd, keep_idle(c));
	uint32_t count =
		c->keep_count ? c->keep_count : c->env->tune.keep_count;

	if (tcp_conn_outstanding(c) || tcp_conn_unsent(c) ||
	    mono_lt(now, due)) {
		/* [RFC9293 3.8.4 MUST-26] only idle connections are probed;
		 * with data on its way REXMT and PERSIST do the same */
		c->keep_sent = 0;
		tcp_timer_set(c, TCP_T_KEEP,
			      mono_lt(now, due) ? due
						: mono_add(now, keep_idle(c)));
		return;
	}
	if (c->keep_sent >= count) {
		tcp_conn_fail(c, c->error_soft ? c->error_soft : ETIMEDOUT,
			      true);
		return;
	}
	c->keep_sent++;
	c->want_probe = true;
	c->env->stats.keep_probes++;
	tcp_timer_set(c, TCP_T_KEEP, mono_add(now, keep_intvl(c)));
}

static void expired(struct tcp_conn *c, enum tcp_timer t, mono_t now)
{
	switch (t) {
	case TCP_T_REXMT:
		rexmt_expired(c, now);
		break;
	case TCP_T_PERSIST:
		persist_expired(c);
		break;
	case TCP_T_DELACK:
		c->want_ack = true;
		break;
	case TCP_T_KEEP:
		keep_expired(c, now);
		break;
	case TCP_T_CORK:
		c->push = true;
		break;
	case TCP_T_2MSL:
		tcp_conn_set_state(c, TCP_S_CLOSED);
		break;
	case TCP_T_PACE: /* data may go again */
		break;
	case TCP_T_USER:
		/* [RFC9293 3.8.3] [RFC5482 2] */
		give_up(c);
		break;
	case TCP_T__COUNT:
		break;
	}
}

void tcp_conn_expire(struct tcp_conn *c, mono_t now)
{
	c->now = now;
	for (int i = 0; i < TCP_T__COUNT; i++) {
		if (mono_lt(now, c->timers[i]))
			continue;
		if (i == TCP_T_PACE)
			tcp_pace_expired(c, c->timers[i], now);
		c->timers[i] = MONO_NEVER;
		expired(c, (enum tcp_timer)i, now);
	}
}

mono_t tcp_conn_deadline(const struct tcp_conn *c)
{
	if (tcp_out_want(c).kind != TCP_WANT_NOTHING)
		return c->now;
	return tcp_timer_first(c);
}

static bool partial_held(const struct tcp_conn *c)
{
	return (c->cork || c->more) && !c->push && tcp_conn_unsent(c) &&
	       tcp_conn_may_send(c);
}

/* [RFC9293 3.8.6.1 SHLD-29] */
void tcp_timer_settle(struct tcp_conn *c, mono_t now)
{
	bool blocked = !tcp_conn_outstanding(c) && tcp_out_window_blocked(c);

	if (!blocked)
		tcp_timer_off(c, TCP_T_PERSIST);
	else if (!tcp_timer_on(c, TCP_T_PERSIST))
		tcp_timer_set(c, TCP_T_PERSIST, mono_add(now, rto(c)));
	if (!partial_held(c))
		tcp_timer_off(c, TCP_T_CORK);
	else if (!tcp_timer_on(c, TCP_T_CORK))
		tcp_timer_set(c, TCP_T_CORK, mono_add(now, TCP_CORK_HOLD));
}
