/*
 * Congestion window validation: a window that was not used says nothing about
 * the path now. A sender that was silent loses half of it for each RTO of
 * silence, down to the restart window (RFC 2861 3.1, RFC 5681 4.1); one whose
 * program writes less than the window allows comes half way down to what it
 * used, once per RTO (RFC 2861 3.2). ssthresh remembers: it does not fall
 * below three quarters of what the window was. As Linux does; RFC 7661 would
 * keep the window for five minutes and needs the acknowledged rate for it.
 */
#include "tcp/conn.h"

static uint32_t restart_window(const struct tcp_conn *c)
{
	return tcp_cc_initial_window(c->mss, c->env->tune.initial_cwnd_segs);
}

static dur_t rto(const struct tcp_conn *c)
{
	return tcp_rtt_rto(&c->rtt, c->env->tune.rto_max);
}

void tcp_cwv_idle(struct tcp_conn *c, mono_t now)
{
	dur_t idle = mono_sub(now, c->last_sent), step = rto(c);

	if (dur_lt(step, idle) && !tcp_bbr_of(c))
		tcp_cc_restart(&c->cc, restart_window(c), idle, step);
}

void tcp_cwv_sent(struct tcp_conn *c, mono_t now)
{
	uint32_t used = tcp_recov_in_flight(c),
		 now_ms = (uint32_t)(now.ns / 1000000);

	if (c->cwnd_limited || c->recovery != TCP_R_OPEN) {
		c->cwnd_used = 0;
		c->cwnd_used_ms = now_ms;
		return;
	}
	c->cwnd_used = MAX(c->cwnd_used, used);
	if (now_ms - c->cwnd_used_ms < dur_ms(rto(c)))
		return;
	/* the peer's window or ours to send may be what limits: only what
	 * the program did not write counts */
	if (!tcp_conn_unsent(c) && !tcp_bbr_of(c))
		tcp_cc_unused(&c->cc, MAX(c->cwnd_used, restart_window(c)));
	c->cwnd_used = 0;
	c->cwnd_used_ms = now_ms;
}
