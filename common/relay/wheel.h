/*
 * wheel.h: many deadlines that rarely come true: idle and connect time-outs
 * of thousands of connections. Setting, moving and stopping one costs a few
 * stores; a deadline is met up to one tick late, never early.
 *
 * A wheel of WHEEL_SLOTS ticks of WHEEL_TICK_MS; what lies further away waits
 * in the last slot that it can reach and is looked at again then. A deadline
 * that is moved later stays where it is and is moved when its slot comes, so
 * "something happened, wait again" is one store.
 *
 * Pure: `now` comes in.
 */
#ifndef COUPLET_RELAY_WHEEL_H
#define COUPLET_RELAY_WHEEL_H

#include "base/base.h"
#include "base/list.h"
#include "base/mono.h"

#define WHEEL_TICK_MS 50
#define WHEEL_SLOTS 1024

struct wheel_timer {
	struct list node; /* of a slot; on none when it is off */
	mono_t at;        /* MONO_NEVER: off */
};

struct wheel {
	uint64_t tick;                   /* slots up to here were looked at */
	uint64_t used[WHEEL_SLOTS / 64]; /* slots that may hold something */
	struct list slots[WHEEL_SLOTS];
};

/* Empty, with `now` as its beginning. */
void wheel_init(struct wheel *w, mono_t now);
/* Before the first use of a timer. */
void wheel_timer_init(struct wheel_timer *t);
/* (Re)sets the deadline; MONO_NEVER stops it. */
void wheel_set(struct wheel *w, struct wheel_timer *t, mono_t at);
void wheel_stop(struct wheel_timer *t);
/* Takes out one timer whose deadline has come, off now, or NULL. Call until
 * NULL. */
struct wheel_timer *wheel_expired(struct wheel *w, mono_t now);
/* When wheel_expired() should be asked again; never later than the first
 * deadline plus one tick. MONO_NEVER: no timer is set. */
mono_t wheel_deadline(const struct wheel *w);

#endif
