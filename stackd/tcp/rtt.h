/*
 * rtt.h: round-trip time and retransmission time-out (RFC 6298, with the
 * gains of RFC 7323 appendix G for many samples per window). Pure.
 */
#ifndef COUPLET_TCP_RTT_H
#define COUPLET_TCP_RTT_H

#include "base/base.h"
#include "base/mono.h"

#define TCP_RTT_BACKOFF_MAX \
	31 /* doublings; rto_max ends growth long before \
	    */

struct tcp_rtt {
	int64_t srtt_ns, rttvar_ns; /* 0 until the first sample */
	int64_t rto_ns;             /* without back-off */
	uint32_t min_us;            /* smallest sample, UINT32_MAX none */
	uint16_t min_since_s;       /* low bits of when that was */
	uint8_t backoff;            /* doublings in force */
};

void tcp_rtt_init(struct tcp_rtt *r, dur_t rto_initial);
/* `sample` > 0 from data that was not retransmitted; `per_window`: samples
 * expected per round trip, at least 1. Ends the back-off. */
void tcp_rtt_sample(struct tcp_rtt *r, dur_t sample, uint32_t per_window,
		    dur_t rto_min, dur_t rto_max);
/* [RFC8985 6.2 step 1] The same sample, for the smallest one: min_us is that
 * of the last five minutes or so, for a path may become longer. */
void tcp_rtt_smallest(struct tcp_rtt *r, dur_t sample, mono_t now);
/* The time-out now, with back-off. */
dur_t tcp_rtt_rto(const struct tcp_rtt *r, dur_t rto_max);
/* [RFC6298 5.5] after an expiry. */
void tcp_rtt_back_off(struct tcp_rtt *r);
/* [RFC6298 5.7] The SYN was retransmitted and gave no sample. */
void tcp_rtt_after_syn_loss(struct tcp_rtt *r);

#endif
