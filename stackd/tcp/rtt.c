#include "tcp/rtt.h"

#define CLOCK_GRANULARITY DUR_MS(1) /* G of RFC 6298: what timers keep */
#define MIN_KEPT_S 300              /* the smallest is forgotten then */
#define SAMPLE_MAX DUR_S(600)       /* a longer one is nonsense */

/* [RFC7323 4.1] */
void tcp_rtt_init(struct tcp_rtt *r, dur_t rto_initial)
{
	*r = (struct tcp_rtt){.rto_ns = rto_initial.ns, .min_us = UINT32_MAX};
}

/* [RFC9293 3.8.1 MUST-18] */
void tcp_rtt_sample(struct tcp_rtt *r, dur_t sample, uint32_t per_window,
		    dur_t rto_min, dur_t rto_max)
{
	int64_t s = CLAMP(sample.ns, 1, SAMPLE_MAX.ns), err, rto;
	int64_t n = MAX(per_window, 1u);

	if (!r->srtt_ns) { /* [RFC6298 2.2] */
		r->srtt_ns = s;
		r->rttvar_ns = s / 2;
	} else { /* [RFC6298 2.3] [RFC7323 G] */
		err = s - r->srtt_ns;
		r->rttvar_ns +=
			((err < 0 ? -err : err) - r->rttvar_ns) / (4 * n);
		r->srtt_ns += err / (8 * n);
		r->srtt_ns = MAX(r->srtt_ns, 1);
	}
	rto = r->srtt_ns + MAX(CLOCK_GRANULARITY.ns, 4 * r->rttvar_ns);
	r->rto_ns = CLAMP(rto, rto_min.ns, rto_max.ns);
	r->backoff = 0;
}

void tcp_rtt_smallest(struct tcp_rtt *r, dur_t sample, mono_t now)
{
	uint32_t us = (uint32_t)(CLAMP(sample.ns, 1000, SAMPLE_MAX.ns) / 1000);
	uint16_t now_s = (uint16_t)(now.ns / 1000000000);

	if (us > r->min_us && (uint16_t)(now_s - r->min_since_s) <= MIN_KEPT_S)
		return;
	r->min_us = us;
	r->min_since_s = now_s;
}

dur_t tcp_rtt_rto(const struct tcp_rtt *r, dur_t rto_max)
{
	int64_t rto = r->rto_ns;

	for (uint8_t i = 0; i < r->backoff && rto < rto_max.ns; i++)
		rto *= 2;
	return DUR_NS(MIN(rto, rto_max.ns));
}

void tcp_rtt_back_off(struct tcp_rtt *r)
{
	if (r->backoff < TCP_RTT_BACKOFF_MAX)
		r->backoff++;
}

void tcp_rtt_after_syn_loss(struct tcp_rtt *r)
{
	r->rto_ns = MAX(r->rto_ns, DUR_S(3).ns);
	r->backoff = 0;
}
