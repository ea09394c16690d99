/*
 * BBR version 3 (draft-ietf-ccwg-bbr-02; the numbers in brackets are its
 * sections). Startup finds the bandwidth, Drain empties the queue that it
 * made, then ProbeBW asks every few seconds for more (REFILL, UP) and gives
 * way in between (DOWN, CRUISE); ProbeRTT lets the queue run empty so that
 * the round trip can be seen. Losses above two per cent of a flight bound
 * what is asked for (inflight_hi), any loss bounds what is used until the
 * next probe (bw_lo, inflight_lo).
 */
#include "tcp/bbr.h"

#define US_PER_S 1000000u
#define STARTUP_GAIN 277u /* per cent of the bandwidth [2.4] */
#define DRAIN_GAIN 50u
#define DOWN_GAIN 90u
#define UP_GAIN 125u
#define CWND_GAIN 200u /* per cent of the bandwidth-delay product */
#define CWND_GAIN_UP 225u
#define CWND_GAIN_PROBE_RTT 50u
#define PACE_MARGIN 99u    /* per cent: so that queues shrink [5.6.2] */
#define MIN_CWND_SEGS 4u   /* [2.7] */
#define LOSS_THRESH_PCT 2u /* [2.6] */
#define BETA_PCT 70u       /* what a loss leaves */
#define HEADROOM_PCT 15u   /* left to others in CRUISE */
#define FULL_BW_PCT 125u   /* growth that says: there is more [5.3.1.2] */
#define FULL_BW_ROUNDS 3u
#define FULL_LOSS_EVENTS 6u /* [5.3.1.3] */
#define EXTRA_ROUNDS 5u     /* each of two windows */
#define MIN_RTT_WINDOW DUR_S(10)
#define PROBE_RTT_GAP DUR_S(5)
#define PROBE_RTT_TIME DUR_MS(200)
#define PROBE_WAIT_MS 2000u /* and up to a second more, by chance */
#define RENO_ROUNDS_MAX 63u /* [5.3.3.5.3] */
#define UP_ROUNDS_MAX 30u
#define QUANTA 3u /* of data under way inside the hosts */
#define QUANTUM_MAX 65536u
#define QUANTUM_PER_S 1000u /* a millisecond's worth */

/* ---- sizes ---------------------------------------------------------- */

static uint64_t max_bw(const struct tcp_bbr *b)
{
	return MAX(b->max_bw[0], b->max_bw[1]);
}

static uint64_t bw(const struct tcp_bbr *b)
{
	return MIN(max_bw(b), b->bw_lo);
}

static uint32_t cap(uint64_t bytes)
{
	return (uint32_t)MIN(bytes, (uint64_t)TCP_CWND_MAX);
}

static uint32_t per_cent(uint32_t bytes, uint32_t pct)
{
	return cap((uint64_t)bytes * pct / 100);
}

static uint32_t min_cwnd(const struct tcp_cc *cc)
{
	return MIN_CWND_SEGS * cc->mss;
}

static uint32_t quantum(const struct tcp_bbr *b, const struct tcp_cc *cc)
{
	uint64_t n = b->pacing / QUANTUM_PER_S;

	return (uint32_t)MAX(MIN(n, (uint64_t)QUANTUM_MAX),
			     (uint64_t)2 * cc->mss);
}

/* [5.6.4.2] */
static uint32_t bdp(const struct tcp_bbr *b, uint64_t rate, uint32_t pct)
{
	if (b->min_rtt_us == UINT32_MAX || !rate)
		return per_cent(b->initial_cwnd, pct);
	rate = MIN(rate, (uint64_t)TCP_CWND_MAX * 64);
	return cap(rate * b->min_rtt_us / US_PER_S * pct / 100);
}

static uint32_t inflight(const struct tcp_bbr *b, const struct tcp_cc *cc,
			 uint64_t rate, uint32_t pct)
{
	uint32_t n = bdp(b, rate, pct);

	n = MAX(n, QUANTA * quantum(b, cc));
	n = MAX(n, min_cwnd(cc));
	return cap((uint64_t)n + (b->state == TCP_BBR_UP ? 2 * cc->mss : 0));
}

static uint32_t target(const struct tcp_bbr *b, const struct tcp_cc *cc)
{
	return MIN(bdp(b, bw(b), 100), cc->cwnd);
}

/* [5.3.3.5.2] */
static uint32_t with_headroom(const struct tcp_bbr *b, const struct tcp_cc *cc)
{
	uint32_t room;

	if (b->inflight_hi == TCP_BBR_INFINITE)
		return TCP_BBR_INFINITE;
	room = MAX(cc->mss, per_cent(b->inflight_hi, HEADROOM_PCT));
	return MAX(b->inflight_hi - MIN(room, b->inflight_hi), min_cwnd(cc));
}

static uint32_t draw(struct tcp_bbr *b, uint32_t n)
{
	b->rng ^= b->rng << 13;
	b->rng ^= b->rng >> 7;
	b->rng ^= b->rng << 17;
	return (uint32_t)(b->rng % n);
}

static bool probing_bw(const struct tcp_bbr *b)
{
	return b->state >= TCP_BBR_DOWN && b->state <= TCP_BBR_UP;
}

static uint32_t pacing_gain(const struct tcp_bbr *b)
{
	static const uint32_t gain[] = {
		[TCP_BBR_STARTUP] = STARTUP_GAIN, [TCP_BBR_DRAIN] = DRAIN_GAIN,
		[TCP_BBR_DOWN] = DOWN_GAIN,       [TCP_BBR_CRUISE] = 100,
		[TCP_BBR_REFILL] = 100,           [TCP_BBR_UP] = UP_GAIN,
		[TCP_BBR_PROBE_RTT] = 100,
	};

	return gain[b->state];
}

static uint32_t cwnd_gain(const struct tcp_bbr *b)
{
	if (b->state == TCP_BBR_UP)
		return CWND_GAIN_UP;
	return b->state == TCP_BBR_PROBE_RTT ? CWND_GAIN_PROBE_RTT : CWND_GAIN;
}

/* ---- states --------------------------------------------------------- */

static void start_round(struct tcp_bbr *b)
{
	b->next_round = b->rate.delivered;
}

static void reset_lower_bounds(struct tcp_bbr *b)
{
	b->bw_lo = UINT64_MAX;
	b->inflight_lo = TCP_BBR_INFINITE;
}

static void reset_full_bw(struct tcp_bbr *b, uint64_t rate)
{
	b->full_bw = rate;
	b->full_bw_count = 0;
	b->full_bw_now = false;
}

static void go_down(struct tcp_bbr *b, mono_t now)
{
	b->loss_in_round = false;
	b->bw_latest = 0;
	b->inflight_latest = 0;
	b->up_count = TCP_BBR_INFINITE;
	/* [5.3.3.5.3] not in step with others */
	b->rounds = draw(b, 2);
	b->probe_wait_until =
		mono_add(now, DUR_MS(PROBE_WAIT_MS + draw(b, 1000)));
	b->cycle_at = now;
	b->acks = TCP_BBR_ACKS_STOPPING;
	b->state = TCP_BBR_DOWN;
	start_round(b);
}

static void refill(struct tcp_bbr *b)
{
	reset_lower_bounds(b);
	b->up_rounds = 0;
	b->up_acked = 0;
	b->acks = TCP_BBR_ACKS_REFILLING;
	b->state = TCP_BBR_REFILL;
	start_round(b);
}

/* [5.3.3.6] the steps of inflight_hi double each round */
static void raise_slope(struct tcp_bbr *b, const struct tcp_cc *cc)
{
	uint32_t growth = cap((uint64_t)cc->mss << b->up_rounds);

	if (b->up_rounds < UP_ROUNDS_MAX)
		b->up_rounds++;
	b->up_count = cap((uint64_t)cc->cwnd * cc->mss / growth);
	b->up_count = MAX(b->up_count, 1u);
}

static void go_up(struct tcp_bbr *b, const struct tcp_cc *cc, uint64_t rate,
		  mono_t now)
{
	b->acks = TCP_BBR_ACKS_STARTING;
	b->state = TCP_BBR_UP;
	b->cycle_at = now;
	start_round(b);
	reset_full_bw(b, rate);
	raise_slope(b, cc);
}

/* ---- the model ------------------------------------------------------ */

/* [5.5.7.3] too much was lost of the flight that the sample speaks of */
static bool too_high(const struct tcp_rate_sample *rs)
{
	return (uint64_t)rs->lost_since_tx * 100 >
	       (uint64_t)rs->tx_in_flight * LOSS_THRESH_PCT;
}

/* [5.3.3.6] */
static void handle_too_high(struct tcp_bbr *b, const struct tcp_cc *cc,
			    const struct tcp_rate_sample *rs, mono_t now)
{
	b->probe_samples = false;
	if (!rs->app_limited)
		b->inflight_hi = MAX(rs->tx_in_flight,
				     per_cent(target(b, cc), BETA_PCT));
	if (b->state == TCP_BBR_UP)
		go_down(b, now);
}

static bool check_too_high(struct tcp_bbr *b, const struct tcp_cc *cc,
			   const struct tcp_rate_sample *rs, mono_t now)
{
	if (!too_high(rs))
		return false;
	if (b->probe_samples)
		handle_too_high(b, cc, rs, now);
	return true;
}

static void grow_upwards(struct tcp_bbr *b, const struct tcp_cc *cc,
			 const struct tcp_rate_sample *rs)
{
	uint32_t steps;

	if (!rs->cwnd_limited || cc->cwnd < b->inflight_hi)
		return;
	b->up_acked += rs->acked;
	if (b->up_acked >= b->up_count) {
		steps = b->up_acked / b->up_count;
		b->up_acked -= steps * b->up_count;
		b->inflight_hi =
			cap(b->inflight_hi + (uint64_t)steps * cc->mss);
	}
	if (b->round_start)
		raise_slope(b, cc);
}

/* [5.3.3.6] */
static void adapt_upper_bounds(struct tcp_bbr *b, const struct tcp_cc *cc,
			       const struct tcp_rate_sample *rs, mono_t now)
{
	if (b->acks == TCP_BBR_ACKS_STARTING && b->round_start)
		b->acks = TCP_BBR_ACKS_FEEDBACK;
	if (b->acks == TCP_BBR_ACKS_STOPPING && b->round_start) {
		b->probe_samples = false;
		b->acks = TCP_BBR_ACKS_INIT;
		if (probing_bw(b) && !rs->app_limited) {
			b->max_bw[1] = b->max_bw[0];
			b->max_bw[0] = 0;
		}
	}
	if (check_too_high(b, cc, rs, now) ||
	    b->inflight_hi == TCP_BBR_INFINITE)
		return;
	b->inflight_hi = MAX(b->inflight_hi, rs->tx_in_flight);
	if (b->state == TCP_BBR_UP)
		grow_upwards(b, cc, rs);
}

/* [5.5.10.3] once per round with a loss, but not while it asks for more */
static void adapt_lower_bounds(struct tcp_bbr *b, const struct tcp_cc *cc)
{
	uint64_t lo = MIN(b->bw_lo, max_bw(b));
	uint32_t in = MIN(b->inflight_lo, cc->cwnd);

	if (!b->loss_in_round || b->state == TCP_BBR_STARTUP ||
	    b->state == TCP_BBR_REFILL || b->state == TCP_BBR_UP)
		return;
	b->bw_lo = MAX(b->bw_latest, lo * BETA_PCT / 100);
	b->inflight_lo = MAX(b->inflight_latest, per_cent(in, BETA_PCT));
}

static void update_rounds(struct tcp_bbr *b, const struct tcp_rate_sample *rs)
{
	b->round_start = rs->marked && rs->prior_delivered >= b->next_round;
	if (b->round_start) {
		start_round(b);
		b->rounds++;
		b->idle_restart = false;
	}
	b->loss_round_start =
		rs->marked && rs->prior_delivered >= b->next_loss_round;
	if (b->loss_round_start)
		b->next_loss_round = b->rate.delivered;
}

static uint32_t delivered_since(const struct tcp_bbr *b,
				const struct tcp_rate_sample *rs)
{
	return cap(b->rate.delivered - rs->prior_delivered);
}

/* [5.5.10] */
static void update_signals(struct tcp_bbr *b, const struct tcp_cc *cc,
			   const struct tcp_rate_sample *rs)
{
	if (rs->marked) {
		b->bw_latest = MAX(b->bw_latest, rs->bytes_per_s);
		b->inflight_latest =
			MAX(b->inflight_latest, delivered_since(b, rs));
		if (rs->bytes_per_s >= bw(b) || !rs->app_limited)
			b->max_bw[0] = MAX(b->max_bw[0], rs->bytes_per_s);
	}
	if (rs->lost) {
		b->loss_in_round = true;
		if (b->loss_events < UINT8_MAX)
			b->loss_events++;
	}
	if (b->loss_round_start)
		adapt_lower_bounds(b, cc);
}

/* What the next loss round begins with. */
static void advance_signals(struct tcp_bbr *b, const struct tcp_rate_sample *rs)
{
	if (!b->loss_round_start)
		return;
	b->loss_in_round = false;
	b->loss_events = 0;
	b->bw_latest = rs->bytes_per_s;
	b->inflight_latest = delivered_since(b, rs);
}

/* [5.5.9] ACKs that come in bunches are no sign of a full path */
static void update_extra(struct tcp_bbr *b, const struct tcp_cc *cc,
			 const struct tcp_rate_sample *rs, mono_t now)
{
	uint64_t due = (uint64_t)dur_us(mono_sub(now, b->extra_from));
	uint64_t rate = MIN(bw(b), (uint64_t)TCP_CWND_MAX * 64);

	due = rate * MIN(due, (uint64_t)US_PER_S) / US_PER_S;
	if (b->extra_delivered <= due) {
		b->extra_delivered = 0;
		b->extra_from = now;
		due = 0;
	}
	b->extra_delivered += rs->acked;
	if (b->round_start && ++b->extra_rounds >= EXTRA_ROUNDS) {
		b->extra_rounds = 0;
		b->extra_acked[1] = b->extra_acked[0];
		b->extra_acked[0] = 0;
	}
	due = b->extra_delivered - MIN(due, b->extra_delivered);
	due = MIN(due, (uint64_t)cc->cwnd);
	b->extra_acked[0] = MAX(b->extra_acked[0], (uint32_t)due);
}

/* ---- Startup, Drain -------------------------------------------------- */

/* [5.3.1.2] three rounds that brought no more */
static void check_full_bw(struct tcp_bbr *b, const struct tcp_rate_sample *rs)
{
	if (b->full_bw_now || !rs->marked || rs->app_limited)
		return;
	if (rs->bytes_per_s * 100 >= b->full_bw * FULL_BW_PCT &&
	    rs->bytes_per_s) {
		reset_full_bw(b, rs->bytes_per_s);
		return;
	}
	if (!b->round_start)
		return;
	b->full_bw_now = ++b->full_bw_count >= FULL_BW_ROUNDS;
	b->full_bw_reached |= b->full_bw_now;
}

static void check_startup(struct tcp_bbr *b, const struct tcp_cc *cc,
			  const struct tcp_rate_sample *rs, mono_t now)
{
	if (b->state == TCP_BBR_STARTUP && b->loss_round_start &&
	    b->loss_events >= FULL_LOSS_EVENTS && too_high(rs)) {
		/* [5.3.1.3] */
		b->full_bw_reached = true;
		b->inflight_hi =
			MAX(bdp(b, max_bw(b), 100), b->inflight_latest);
	}
	if (b->state == TCP_BBR_STARTUP && b->full_bw_reached) {
		b->state = TCP_BBR_DRAIN;
		start_round(b);
	}
	if (b->state == TCP_BBR_DRAIN &&
	    rs->in_flight <= inflight(b, cc, max_bw(b), 100)) {
		go_down(b, now);
		/* [5.3.2] nothing was asked for in it: no cycle ends */
		b->acks = TCP_BBR_ACKS_INIT;
	}
}

/* ---- ProbeBW --------------------------------------------------------- */

/* [5.3.3.5.3] after a while; or after as many rounds as Reno would take to
 * get this far, so that Reno is not outrun on short paths */
static bool time_to_probe(struct tcp_bbr *b, const struct tcp_cc *cc,
			  mono_t now)
{
	uint32_t reno = MIN(target(b, cc) / cc->mss, RENO_ROUNDS_MAX);

	if (mono_lt(now, b->probe_wait_until) && b->rounds < reno)
		return false;
	refill(b);
	return true;
}

/* [5.3.3.5.1] */
static bool time_to_cruise(const struct tcp_bbr *b, const struct tcp_cc *cc,
			   const struct tcp_rate_sample *rs)
{
	return rs->in_flight <= with_headroom(b, cc) &&
	       rs->in_flight <= inflight(b, cc, max_bw(b), 100);
}

/* [5.3.3.5.4] */
static bool time_to_go_down(struct tcp_bbr *b, const struct tcp_cc *cc,
			    const struct tcp_rate_sample *rs)
{
	if (rs->cwnd_limited && cc->cwnd >= b->inflight_hi) {
		/* our own bound is what holds it: wait until that has grown */
		reset_full_bw(b, rs->bytes_per_s);
		return false;
	}
	return b->full_bw_now;
}

static void probe_bw(struct tcp_bbr *b, const struct tcp_cc *cc,
		     const struct tcp_rate_sample *rs, mono_t now)
{
	if (!b->full_bw_reached)
		return;
	adapt_upper_bounds(b, cc, rs, now);
	switch ((enum tcp_bbr_state)b->state) {
	case TCP_BBR_DOWN:
		if (!time_to_probe(b, cc, now) && time_to_cruise(b, cc, rs))
			b->state = TCP_BBR_CRUISE;
		break;
	case TCP_BBR_CRUISE:
		(void)time_to_probe(b, cc, now);
		break;
	case TCP_BBR_REFILL:
		if (b->round_start) {
			b->probe_samples = true;
			go_up(b, cc, rs->bytes_per_s, now);
		}
		break;
	case TCP_BBR_UP:
		if (time_to_go_down(b, cc, rs))
			go_down(b, now);
		break;
	case TCP_BBR_STARTUP:
	case TCP_BBR_DRAIN:
	case TCP_BBR_PROBE_RTT:
		break;
	}
}

/* ---- ProbeRTT -------------------------------------------------------- */

static uint32_t probe_rtt_cwnd(const struct tcp_bbr *b, const struct tcp_cc *cc)
{
	return MAX(bdp(b, bw(b), CWND_GAIN_PROBE_RTT), min_cwnd(cc));
}

/* [5.3.4.3] True: it is time to look at the empty path. */
static bool update_min_rtt(struct tcp_bbr *b, const struct tcp_rate_sample *rs,
			   mono_t now)
{
	bool due = mono_lt(mono_add(b->probe_rtt_min_at, PROBE_RTT_GAP), now);

	if (rs->rtt_us && (rs->rtt_us < b->probe_rtt_min_us || due)) {
		b->probe_rtt_min_us = rs->rtt_us;
		b->probe_rtt_min_at = now;
	}
	if (b->probe_rtt_min_us < b->min_rtt_us ||
	    mono_lt(mono_add(b->min_rtt_at, MIN_RTT_WINDOW), now)) {
		b->min_rtt_us = b->probe_rtt_min_us;
		b->min_rtt_at = b->probe_rtt_min_at;
	}
	return due;
}

static void leave_probe_rtt(struct tcp_bbr *b, struct tcp_cc *cc, mono_t now)
{
	b->probe_rtt_min_at = now;
	cc->cwnd = MAX(cc->cwnd, b->prior_cwnd);
	reset_lower_bounds(b);
	if (b->full_bw_reached) {
		go_down(b, now);
		b->state = TCP_BBR_CRUISE;
	} else {
		b->state = TCP_BBR_STARTUP;
	}
}

static void in_probe_rtt(struct tcp_bbr *b, struct tcp_cc *cc,
			 const struct tcp_rate_sample *rs, mono_t now)
{
	/* so low a rate says nothing about the path */
	tcp_rate_app_limited(&b->rate, rs->in_flight);
	if (mono_is_never(b->probe_rtt_done)) {
		if (rs->in_flight > probe_rtt_cwnd(b, cc))
			return;
		b->probe_rtt_done = mono_add(now, PROBE_RTT_TIME);
		b->probe_rtt_round_done = false;
		start_round(b);
		return;
	}
	b->probe_rtt_round_done |= b->round_start;
	if (b->probe_rtt_round_done && mono_lt(b->probe_rtt_done, now))
		leave_probe_rtt(b, cc, now);
}

static void probe_rtt(struct tcp_bbr *b, struct tcp_cc *cc,
		      const struct tcp_rate_sample *rs, mono_t now)
{
	bool due = update_min_rtt(b, rs, now);

	if (due && b->state != TCP_BBR_PROBE_RTT && !b->idle_restart) {
		b->prior_cwnd = cc->cwnd;
		b->state = TCP_BBR_PROBE_RTT;
		b->probe_rtt_done = MONO_NEVER;
		b->acks = TCP_BBR_ACKS_STOPPING;
		start_round(b);
	}
	if (b->state == TCP_BBR_PROBE_RTT)
		in_probe_rtt(b, cc, rs, now);
}

/* ---- what comes of it ------------------------------------------------ */

static void set_pacing(struct tcp_bbr *b, uint32_t gain)
{
	uint64_t rate =
		MIN(bw(b), (uint64_t)1 << 44) * gain / 100 * PACE_MARGIN / 100;

	if (rate && (b->full_bw_reached || rate > b->pacing))
		b->pacing = rate;
}

/* [5.6.4.7] */
static uint32_t bound(const struct tcp_bbr *b, const struct tcp_cc *cc)
{
	uint32_t n = TCP_CWND_MAX;

	if (b->state == TCP_BBR_CRUISE || b->state == TCP_BBR_PROBE_RTT)
		n = MIN(n, with_headroom(b, cc));
	else if (probing_bw(b))
		n = MIN(n, b->inflight_hi);
	return MAX(MIN(n, b->inflight_lo), min_cwnd(cc));
}

/* [5.6.4.6] */
static void set_cwnd(struct tcp_bbr *b, struct tcp_cc *cc,
		     const struct tcp_rate_sample *rs)
{
	uint64_t max = inflight(b, cc, bw(b), cwnd_gain(b));
	uint64_t cwnd = (uint64_t)cc->cwnd + rs->acked;

	if (b->full_bw_reached) {
		max += MAX(b->extra_acked[0], b->extra_acked[1]);
		cwnd = MIN(cwnd, max);
	} else if (cc->cwnd >= max && b->rate.delivered > b->initial_cwnd) {
		cwnd = cc->cwnd;
	}
	cwnd = MAX(cwnd, (uint64_t)min_cwnd(cc));
	if (b->state == TCP_BBR_PROBE_RTT)
		cwnd = MIN(cwnd, (uint64_t)probe_rtt_cwnd(b, cc));
	cc->cwnd = MIN(cap(cwnd), bound(b, cc));
}

void tcp_bbr_update(struct tcp_bbr *b, struct tcp_cc *cc,
		    const struct tcp_rate_sample *rs, mono_t now)
{
	update_rounds(b, rs);
	update_signals(b, cc, rs);
	update_extra(b, cc, rs, now);
	check_full_bw(b, rs);
	check_startup(b, cc, rs, now);
	probe_bw(b, cc, rs, now);
	probe_rtt(b, cc, rs, now);
	advance_signals(b, rs);
	set_pacing(b, pacing_gain(b));
	set_cwnd(b, cc, rs);
}

void tcp_bbr_init(struct tcp_bbr *b, const struct tcp_cc *cc, uint32_t srtt_us,
		  uint64_t seed, mono_t now)
{
	*b = (struct tcp_bbr){
		.rng = seed | 1,
		.initial_cwnd = cc->cwnd,
		.bw_lo = UINT64_MAX,
		.inflight_lo = TCP_BBR_INFINITE,
		.inflight_hi = TCP_BBR_INFINITE,
		.min_rtt_us = srtt_us ? srtt_us : UINT32_MAX,
		.probe_rtt_min_us = srtt_us ? srtt_us : UINT32_MAX,
		.min_rtt_at = now,
		.probe_rtt_min_at = now,
		.extra_from = now,
		.cycle_at = now,
		.probe_wait_until = now,
		.probe_rtt_done = MONO_NEVER,
		.up_count = TCP_BBR_INFINITE,
	};
	tcp_rate_init(&b->rate, now);
	/* [5.6.2] no sample yet: the initial window in a millisecond */
	b->pacing = (uint64_t)cc->cwnd * US_PER_S / MAX(srtt_us, 1000u) *
		    STARTUP_GAIN / 100;
}

void tcp_bbr_marked(struct tcp_bbr *b)
{
	b->loss_in_round = true;
}

void tcp_bbr_timeout(struct tcp_bbr *b, uint32_t cwnd)
{
	b->prior_cwnd = MAX(b->prior_cwnd, cwnd);
	b->loss_in_round = true;
}

void tcp_bbr_repaired(struct tcp_bbr *b, struct tcp_cc *cc)
{
	cc->cwnd = MIN(MAX(cc->cwnd, b->prior_cwnd), bound(b, cc));
	b->prior_cwnd = 0;
}

/* [5.4.1] what is known is paced out at once, with no burst */
void tcp_bbr_restart(struct tcp_bbr *b, struct tcp_cc *cc, mono_t now)
{
	if (!b->rate.app_limited_until)
		return;
	b->idle_restart = true;
	b->extra_from = now;
	b->extra_delivered = 0;
	if (probing_bw(b))
		set_pacing(b, 100);
	else if (b->state == TCP_BBR_PROBE_RTT &&
		 mono_lt(b->probe_rtt_done, now))
		leave_probe_rtt(b, cc, now);
}

/* ---- as a controller -------------------------------------------------- */

static void start(struct tcp_cc *cc)
{
	cc->bbr.model = NULL;
	cc->phase = TCP_CC_LATER;
}

static void avoid(struct tcp_cc *cc, uint32_t acked, dur_t srtt, mono_t now)
{
	(void)cc;
	(void)acked;
	(void)srtt;
	(void)now;
}

/* A loss changes the model, and no window by itself. */
static uint32_t reduce(struct tcp_cc *cc, uint32_t in_flight)
{
	(void)in_flight;
	return MAX(cc->cwnd, cc->mss);
}

static void idle(struct tcp_cc *cc, dur_t gone)
{
	(void)cc;
	(void)gone;
}

const struct tcp_cc_ops tcp_cc_bbr = {
	.kind = TCP_CC_BBR,
	.name = "bbr",
	.start = start,
	.avoid = avoid,
	.reduce = reduce,
	.idle = idle,
};
