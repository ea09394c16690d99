/* Delivery rate from marks: draft-ietf-ccwg-bbr 4.1. */
#include "tcp/bbr.h"

#define US_PER_S 1000000u

void tcp_rate_init(struct tcp_rate *r, mono_t now)
{
	r->delivered = r->lost = r->app_limited_until = 0;
	r->delivered_at = r->first_at = now;
	r->head = r->n = 0;
}

static struct tcp_rate_mark *mark_at(struct tcp_rate *r, uint32_t i)
{
	return &r->mark[(r->head + i) % TCP_RATE_MARKS];
}

bool tcp_rate_sent(struct tcp_rate *r, tcp_seq_t end, uint32_t len,
		   uint32_t in_flight, dur_t gap, mono_t now)
{
	bool first = in_flight <= len;

	if (first) {
		r->first_at = r->delivered_at = now;
		r->n = 0;
	}
	if (r->n == TCP_RATE_MARKS ||
	    (r->n &&
	     mono_lt(now, mono_add(mark_at(r, r->n - 1)->sent_at, gap))))
		return first;
	*mark_at(r, r->n++) = (struct tcp_rate_mark){
		.end = end,
		.in_flight = in_flight,
		.sent_at = now,
		.first_at = r->first_at,
		.delivered_at = r->delivered_at,
		.delivered = r->delivered,
		.lost = r->lost,
		.app_limited = r->app_limited_until > 0,
	};
	return first;
}

void tcp_rate_app_limited(struct tcp_rate *r, uint32_t in_flight)
{
	r->app_limited_until = MAX(r->delivered + in_flight, 1);
}

/* What the mark's flight says of the path's bandwidth. */
static uint64_t rate_of(const struct tcp_rate *r, const struct tcp_rate_mark *m,
			uint32_t min_rtt_us, mono_t now)
{
	int64_t send_us = dur_us(mono_sub(m->sent_at, m->first_at));
	int64_t ack_us = dur_us(mono_sub(now, m->delivered_at));
	int64_t us = MAX(send_us, ack_us);

	/* shorter than any round trip: the clock, or ACKs held together */
	if (us <= 0 || (min_rtt_us != UINT32_MAX && us < (int64_t)min_rtt_us))
		return 0;
	return (r->delivered - m->delivered) * US_PER_S / (uint64_t)us;
}

void tcp_rate_ack(struct tcp_rate *r, struct tcp_rate_sample *rs,
		  tcp_seq_t upto, uint32_t min_rtt_us, mono_t now)
{
	struct tcp_rate_mark m = {0};

	r->delivered += rs->acked;
	r->lost += rs->lost;
	if (rs->acked)
		r->delivered_at = now;
	if (r->app_limited_until && r->delivered > r->app_limited_until)
		r->app_limited_until = 0;
	while (r->n && seq_leq(mark_at(r, 0)->end, upto)) {
		m = *mark_at(r, 0);
		r->head = (r->head + 1) % TCP_RATE_MARKS;
		r->n--;
		rs->marked = true;
	}
	if (!rs->marked) {
		/* a loss is judged by the oldest flight that is out */
		rs->tx_in_flight = r->n ? mark_at(r, 0)->in_flight : 0;
		rs->lost_since_tx =
			r->n ? (uint32_t)(r->lost - mark_at(r, 0)->lost) : 0;
		return;
	}
	r->first_at = m.sent_at;
	rs->app_limited = m.app_limited;
	rs->prior_delivered = m.delivered;
	rs->bytes_per_s = rate_of(r, &m, min_rtt_us, now);
	rs->tx_in_flight = m.in_flight;
	rs->lost_since_tx = (uint32_t)(r->lost - m.lost);
}
