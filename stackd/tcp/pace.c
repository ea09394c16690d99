/*
 * Pacing: a window is spread over the round trip instead of leaving as one
 * burst that only a deep queue survives. What is sent takes its time at a
 * little more than cwnd per round trip (twice in slow start), in frames of
 * about a millisecond; until then TCP_T_PACE is on and data waits.
 *
 * Not on short paths, where a millisecond is more than a round trip and large
 * frames are what counts, and not for the first segments of a flight, which
 * any path takes: short answers are not delayed.
 */
#include "tcp/conn.h"

#define PACE_MIN_RTT_US 2000u      /* shorter paths are not paced */
#define PACE_FRAME_NS 1000000      /* one frame's worth of time */
#define PACE_CREDIT_MAX_NS 2000000 /* a timer that was late is made up for */
/* BBR's rate is its law, and a burst would be taken for the path's */
#define PACE_FREE_SEGS_BBR 4u
#define NS_PER_S 1000000000u
/* per cent of cwnd per round trip, as Linux */
#define PACE_GAIN_SLOW_START 200u
#define PACE_GAIN 120u

static bool paced(const struct tcp_conn *c)
{
	uint32_t free = tcp_bbr_of(c) ? PACE_FREE_SEGS_BBR : TCP_PACE_FREE_SEGS;

	return c->rtt.srtt_ns && c->rtt.min_us >= PACE_MIN_RTT_US &&
	       tcp_recov_in_flight(c) >= free * c->mss;
}

/* Bytes a second, not 0. */
static uint64_t rate(const struct tcp_conn *c)
{
	uint32_t gain = c->cc.cwnd < c->cc.ssthresh / 2 ? PACE_GAIN_SLOW_START
							: PACE_GAIN;
	uint64_t n;

	if (tcp_bbr_of(c))
		return tcp_bbr_pacing(c);
	n = (uint64_t)c->cc.cwnd * gain / 100;
	return MAX(n * NS_PER_S / (uint64_t)c->rtt.srtt_ns, (uint64_t)1);
}

uint32_t tcp_pace_frame(const struct tcp_conn *c, uint32_t max)
{
	uint64_t n;

	if (!paced(c))
		return max;
	n = rate(c) / (NS_PER_S / PACE_FRAME_NS);
	n -= n % c->mss;
	return (uint32_t)CLAMP(n, (uint64_t)MIN(2u * c->mss, max), max);
}

void tcp_pace_sent(struct tcp_conn *c, uint32_t len)
{
	int64_t ns;

	if (!paced(c)) {
		c->pace_credit_ns = 0;
		return;
	}
	ns = (int64_t)((uint64_t)len * NS_PER_S / rate(c));
	ns -= c->pace_credit_ns;
	c->pace_credit_ns = 0;
	if (ns > 0)
		tcp_timer_set(c, TCP_T_PACE, mono_add(c->now, DUR_NS(ns)));
	else
		c->pace_credit_ns = (uint32_t)-ns;
}

void tcp_pace_expired(struct tcp_conn *c, mono_t due, mono_t now)
{
	c->pace_credit_ns =
		(uint32_t)MIN(mono_sub(now, due).ns, PACE_CREDIT_MAX_NS);
}
