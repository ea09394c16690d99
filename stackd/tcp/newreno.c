/* NewReno's congestion avoidance: RFC 5681 3.1, 3.2. */
#include "tcp/cc.h"

static void start(struct tcp_cc *cc)
{
	cc->reno.acked = 0;
}

static void avoid(struct tcp_cc *cc, uint32_t acked, dur_t srtt, mono_t now)
{
	(void)srtt;
	(void)now;
	/* [RFC5681 3.1] one segment per window of acknowledged bytes */
	cc->reno.acked += acked;
	while (cc->reno.acked >= cc->cwnd) {
		cc->reno.acked -= cc->cwnd;
		cc->cwnd += cc->mss;
	}
}

static uint32_t reduce(struct tcp_cc *cc, uint32_t in_flight)
{
	cc->reno.acked = 0;
	/* [RFC5681 3.1 eq 4] */
	return MAX(in_flight / 2, 2 * cc->mss);
}

static void idle(struct tcp_cc *cc, dur_t gone)
{
	(void)gone;
	cc->reno.acked = 0;
}

const struct tcp_cc_ops tcp_cc_newreno = {
	.kind = TCP_CC_NEWRENO,
	.name = "reno",
	.start = start,
	.avoid = avoid,
	.reduce = reduce,
	.idle = idle,
};
