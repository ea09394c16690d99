/*
 * CUBIC (RFC 9438) in bytes and milliseconds, integers only so that every
 * machine computes the same. C = 0.4, beta = 0.7.
 */
#include "tcp/cc.h"

#define BETA_NUM 7u
#define BETA_DEN 10u
/* [RFC9438 4.3] alpha = 3 * (1 - beta) / (1 + beta) = 9 / 17 */
#define ALPHA_NUM 9u
#define ALPHA_DEN 17u
#define T_MAX_MS (1 << 17) /* further from the plateau the cube is capped */

static void start(struct tcp_cc *cc)
{
	cc->cubic.epoch = MONO_NEVER;
	cc->cubic.w_max = cc->cubic.cwnd_prior = 0;
	cc->cubic.k_ms = 0;
	cc->cubic.w_est = cc->cubic.est_acked = cc->cubic.target_acked = 0;
}

/* Largest x with x^3 <= v. */
static uint32_t cube_root(uint64_t v)
{
	uint64_t x = 0;

	for (uint64_t bit = 1u << 21; bit; bit >>= 1) {
		uint64_t y = x | bit;

		if (y * y * y <= v)
			x = y;
	}
	return (uint32_t)x;
}

/* [RFC9438 4.2] K = cbrt((W_max - cwnd_epoch) / C), here in ms. */
static uint32_t k_of(const struct tcp_cc *cc, uint32_t cwnd)
{
	uint64_t gap;

	if (cc->cubic.w_max <= cwnd)
		return 0;
	gap = cc->cubic.w_max - cwnd;
	return cube_root(gap * 2500000000u / cc->mss);
}

/* [RFC9438 4.2 fig 1] W_cubic(t) = C * (t - K)^3 + W_max */
static uint32_t w_cubic(const struct tcp_cc *cc, int64_t t_ms)
{
	int64_t d = CLAMP(t_ms - (int64_t)cc->cubic.k_ms, -T_MAX_MS, T_MAX_MS);
	int64_t w = d * d * d / 2500 * (int64_t)cc->mss / 1000000;

	w += cc->cubic.w_max;
	return (uint32_t)CLAMP(w, (int64_t)cc->mss, (int64_t)TCP_CWND_MAX);
}

static void begin_epoch(struct tcp_cc *cc, mono_t now)
{
	cc->cubic.epoch = now;
	if (cc->cubic.w_max < cc->cwnd) {
		/* [RFC9438 4.8] slow start ended without a loss */
		cc->cubic.w_max = cc->cwnd;
		cc->cubic.k_ms = 0;
	} else {
		cc->cubic.k_ms = k_of(cc, cc->cwnd);
	}
	cc->cubic.w_est = cc->cwnd;
	cc->cubic.est_acked = cc->cubic.target_acked = 0;
}

/* [RFC9438 4.3] the window Reno would have by now */
static void grow_estimate(struct tcp_cc *cc, uint32_t acked)
{
	uint64_t step = (uint64_t)acked * cc->mss;

	if (cc->cubic.w_est < cc->cubic.cwnd_prior)
		step = step * ALPHA_NUM / ALPHA_DEN;
	step += cc->cubic.est_acked;
	cc->cubic.est_acked = (uint32_t)(step % cc->cwnd);
	cc->cubic.w_est = (uint32_t)MIN(cc->cubic.w_est + step / cc->cwnd,
					(uint64_t)TCP_CWND_MAX);
}

static void avoid(struct tcp_cc *cc, uint32_t acked, dur_t srtt, mono_t now)
{
	uint32_t target;
	uint64_t step;
	int64_t t;

	if (mono_is_never(cc->cubic.epoch))
		begin_epoch(cc, now);
	t = dur_ms(mono_sub(now, cc->cubic.epoch));
	grow_estimate(cc, acked);
	if (w_cubic(cc, t) < cc->cubic.w_est) {
		cc->cwnd = MAX(cc->cwnd, cc->cubic.w_est);
		return;
	}
	/* [RFC9438 4.2] target within cwnd .. 1.5 cwnd, one round trip on */
	target = w_cubic(cc, t + dur_ms(srtt));
	target = CLAMP(target, cc->cwnd, cc->cwnd + cc->cwnd / 2);
	/* [RFC9438 4.4, 4.5] */
	step = (uint64_t)(target - cc->cwnd) * acked + cc->cubic.target_acked;
	cc->cubic.target_acked = (uint32_t)(step % cc->cwnd);
	cc->cwnd +=
		(uint32_t)MIN(step / cc->cwnd, (uint64_t)(target - cc->cwnd));
}

static uint32_t reduce(struct tcp_cc *cc, uint32_t in_flight)
{
	uint32_t w = cc->cwnd;

	(void)in_flight; /* [RFC9438 4.6] cwnd: it grows only when in use */
	cc->cubic.cwnd_prior = w;
	/* [RFC9438 4.7] fast convergence */
	if (w < cc->cubic.w_max)
		cc->cubic.w_max =
			(uint32_t)((uint64_t)w * (BETA_DEN + BETA_NUM) /
				   (2 * BETA_DEN));
	else
		cc->cubic.w_max = w;
	cc->cubic.epoch = MONO_NEVER;
	w = (uint32_t)((uint64_t)w * BETA_NUM / BETA_DEN);
	return MAX(w, 2 * cc->mss);
}

static void idle(struct tcp_cc *cc, dur_t gone)
{
	/* [RFC9438 5.8] silence is no time in which the window could have
	 * been probed */
	cc->cubic.epoch = mono_add(cc->cubic.epoch, gone);
}

const struct tcp_cc_ops tcp_cc_cubic = {
	.kind = TCP_CC_CUBIC,
	.name = "cubic",
	.start = start,
	.avoid = avoid,
	.reduce = reduce,
	.idle = idle,
};
