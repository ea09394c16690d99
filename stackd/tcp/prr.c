/*
 * Proportional rate reduction (RFC 6937): during fast recovery as much is
 * sent as arrives, in the proportion of the new window to the old, so that
 * the pipe neither bursts nor falls silent. Below the new window the part
 * that is missing comes back at slow start's pace while the ACKs bring good
 * news only.
 */
#include "tcp/conn.h"

void tcp_prr_begin(struct tcp_conn *c)
{
	struct tcp_repair *r = c->repair;

	if (!r)
		return;
	r->flight = MAX(tcp_conn_outstanding(c), (uint32_t)c->mss);
	r->delivered = r->out = 0;
}

/* [RFC6937 3.1] bytes that may go on this ACK */
static uint32_t allowance(const struct tcp_conn *c, uint32_t pipe,
			  uint32_t delivered, bool good)
{
	const struct tcp_repair *r = c->repair;
	uint32_t ssthresh = c->cc.ssthresh, n;

	if (pipe > ssthresh) {
		uint64_t due =
			((uint64_t)r->delivered * ssthresh + r->flight - 1) /
			r->flight;

		return due > r->out ? (uint32_t)(due - r->out) : 0;
	}
	n = r->delivered > r->out ? r->delivered - r->out : 0;
	if (good) /* slow start's part of PRR-SSRB; else packet conservation */
		n = MAX(n, delivered) + c->mss;
	return MIN(n, ssthresh - pipe);
}

void tcp_prr_ack(struct tcp_conn *c, const struct tcp_recov_event *ev,
		 bool lost)
{
	uint32_t pipe = tcp_recov_in_flight(c), n;

	if (tcp_bbr_of(c)) /* a loss is no sign of its window */
		return;
	if (!c->repair || !c->sack_ok) {
		c->cc.cwnd = MIN(c->cc.cwnd, c->cc.ssthresh);
		return;
	}
	c->repair->delivered += ev->acc->delivered;
	n = allowance(c, pipe, ev->acc->delivered, ev->acked && !lost);
	if (!c->repair->out) /* the first repetition goes in any case */
		n = MAX(n, (uint32_t)c->mss);
	c->cc.cwnd = MAX(pipe + n, (uint32_t)c->mss);
}
