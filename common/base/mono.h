/*
 * mono.h: points in time and lengths of time, in nanoseconds.
 *
 * A mono_t is a point on CLOCK_MONOTONIC (or on a test's virtual clock); a
 * dur_t is a length. They are one-field structs so that mixing them up does
 * not compile. MONO_NEVER is later than every other point. Nothing here
 * reads a clock except mono_now(), which only I/O rooms may call.
 */
#ifndef COUPLET_MONO_H
#define COUPLET_MONO_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
	uint64_t ns;
} mono_t;

typedef struct {
	int64_t ns;
} dur_t;

#define MONO_NEVER ((mono_t){UINT64_MAX})
#define DUR_NS(x) ((dur_t){(int64_t)(x)})
#define DUR_US(x) ((dur_t){(int64_t)(x)*1000})
#define DUR_MS(x) ((dur_t){(int64_t)(x)*1000000})
#define DUR_S(x) ((dur_t){(int64_t)(x)*1000000000})

static inline bool mono_is_never(mono_t t)
{
	return t.ns == UINT64_MAX;
}

static inline bool mono_lt(mono_t a, mono_t b)
{
	return a.ns < b.ns;
}

static inline bool mono_leq(mono_t a, mono_t b)
{
	return a.ns <= b.ns;
}

static inline mono_t mono_min(mono_t a, mono_t b)
{
	return a.ns < b.ns ? a : b;
}

static inline mono_t mono_max(mono_t a, mono_t b)
{
	return a.ns > b.ns ? a : b;
}

/* t + d; MONO_NEVER stays MONO_NEVER; sums never wrap. */
static inline mono_t mono_add(mono_t t, dur_t d)
{
	if (t.ns == UINT64_MAX)
		return t;
	if (d.ns < 0)
		return (mono_t){
			t.ns < (uint64_t)-d.ns ? 0 : t.ns - (uint64_t)-d.ns};
	if (t.ns > UINT64_MAX - 1 - (uint64_t)d.ns)
		return (mono_t){UINT64_MAX - 1};
	return (mono_t){t.ns + (uint64_t)d.ns};
}

/* a - b as a length; both must be finite. */
static inline dur_t mono_sub(mono_t a, mono_t b)
{
	return (dur_t){(int64_t)(a.ns - b.ns)};
}

static inline int64_t dur_ms(dur_t d)
{
	return d.ns / 1000000;
}

static inline int64_t dur_us(dur_t d)
{
	return d.ns / 1000;
}

static inline dur_t dur_add(dur_t a, dur_t b)
{
	return (dur_t){a.ns + b.ns};
}

static inline dur_t dur_mul(dur_t a, int64_t k)
{
	return (dur_t){a.ns * k};
}

static inline dur_t dur_min(dur_t a, dur_t b)
{
	return a.ns < b.ns ? a : b;
}

static inline dur_t dur_max(dur_t a, dur_t b)
{
	return a.ns > b.ns ? a : b;
}

static inline bool dur_lt(dur_t a, dur_t b)
{
	return a.ns < b.ns;
}

/* CLOCK_MONOTONIC now. I/O rooms only. */
mono_t mono_now(void);

#endif
