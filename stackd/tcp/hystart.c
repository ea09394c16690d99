/*
 * HyStart++ (RFC 9406): the first slow start ends when round trips grow, and
 * not only when the queue has overflowed. A round that is longer than the one
 * before it is checked at a quarter of the pace for a few rounds
 * (conservative slow start), since one round may be long by chance.
 */
#include "tcp/cc.h"

/* [RFC9406 4.3] */
#define MIN_THRESH_US 4000u
#define MAX_THRESH_US 16000u
#define THRESH_DIVISOR 8u
#define SAMPLES 8u
#define CSS_GROWTH_DIVISOR 4u
#define CSS_ROUNDS 5u

void tcp_hystart_begin(struct tcp_cc *cc)
{
	cc->phase = TCP_CC_SLOW;
	cc->hystart.last_min_us = cc->hystart.min_us = UINT32_MAX;
	cc->hystart.samples = cc->hystart.css_rounds = 0;
	cc->hystart.running = false;
}

void tcp_hystart_end(struct tcp_cc *cc)
{
	if (cc->phase == TCP_CC_LATER)
		return;
	cc->phase = TCP_CC_LATER;
	cc->ops->start(cc);
}

/* [RFC9406 4.2] a round ends when what it began with is acknowledged */
static void next_round(struct tcp_cc *cc, tcp_seq_t snd_nxt)
{
	cc->hystart.round_end = snd_nxt;
	cc->hystart.running = true;
	cc->hystart.last_min_us = cc->hystart.min_us;
	cc->hystart.min_us = UINT32_MAX;
	cc->hystart.samples = 0;
	if (cc->phase != TCP_CC_CONSERVATIVE ||
	    ++cc->hystart.css_rounds < CSS_ROUNDS)
		return;
	cc->ssthresh = cc->cwnd;
	tcp_hystart_end(cc);
}

static void judge(struct tcp_cc *cc)
{
	uint32_t last = cc->hystart.last_min_us, now = cc->hystart.min_us;

	if (cc->hystart.samples < SAMPLES)
		return;
	if (cc->phase == TCP_CC_CONSERVATIVE) {
		if (now < cc->hystart.base_us) /* it was chance */
			cc->phase = TCP_CC_SLOW;
	} else if (last != UINT32_MAX &&
		   now >= last + CLAMP(last / THRESH_DIVISOR, MIN_THRESH_US,
				       MAX_THRESH_US)) {
		cc->phase = TCP_CC_CONSERVATIVE;
		cc->hystart.base_us = now;
		cc->hystart.css_rounds = 0;
	}
}

uint32_t tcp_hystart_ack(struct tcp_cc *cc, uint32_t acked, uint32_t rtt_us,
			 tcp_seq_t snd_una, tcp_seq_t snd_nxt)
{
	if (cc->phase == TCP_CC_LATER)
		return acked;
	if (!cc->hystart.running || seq_leq(cc->hystart.round_end, snd_una))
		next_round(cc, snd_nxt);
	if (cc->phase == TCP_CC_LATER)
		return acked;
	if (rtt_us) {
		cc->hystart.min_us = MIN(cc->hystart.min_us, rtt_us);
		cc->hystart.samples += cc->hystart.samples < UINT8_MAX;
		judge(cc);
	}
	return cc->phase == TCP_CC_CONSERVATIVE ? acked / CSS_GROWTH_DIVISOR
						: acked;
}
