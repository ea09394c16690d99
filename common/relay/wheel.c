#include "relay/wheel.h"

#define TICK_NS (WHEEL_TICK_MS * UINT64_C(1000000))

static uint64_t tick_of(mono_t t)
{
	return t.ns / TICK_NS;
}

void wheel_init(struct wheel *w, mono_t now)
{
	w->tick = tick_of(now);
	for (size_t i = 0; i < ARRAY_SIZE(w->used); i++)
		w->used[i] = 0;
	for (size_t i = 0; i < WHEEL_SLOTS; i++)
		list_init(&w->slots[i]);
}

void wheel_timer_init(struct wheel_timer *t)
{
	list_init(&t->node);
	t->at = MONO_NEVER;
}

/* The slot comes one tick after the deadline's, so that it is never early. */
static void place(struct wheel *w, struct wheel_timer *t)
{
	uint64_t due = tick_of(t->at) + 1;
	uint64_t first = w->tick + 1, last = w->tick + WHEEL_SLOTS - 1;
	uint64_t slot = CLAMP(due, first, last) % WHEEL_SLOTS;

	list_push_tail(&w->slots[slot], &t->node);
	w->used[slot / 64] |= UINT64_C(1) << slot % 64;
}

void wheel_set(struct wheel *w, struct wheel_timer *t, mono_t at)
{
	bool earlier = mono_lt(at, t->at);

	if (mono_is_never(at)) {
		wheel_stop(t);
		return;
	}
	t->at = at;
	if (!earlier && !list_empty(&t->node))
		return;
	list_remove(&t->node);
	place(w, t);
}

void wheel_stop(struct wheel_timer *t)
{
	list_remove(&t->node);
	t->at = MONO_NEVER;
}

/* A timer of the slot `w->tick` that is due, or NULL with the slot empty. */
static struct wheel_timer *take(struct wheel *w, mono_t now)
{
	uint64_t slot = w->tick % WHEEL_SLOTS;
	struct list *n;

	while ((n = list_pop_head(&w->slots[slot]))) {
		struct wheel_timer *t =
			container_of(n, struct wheel_timer, node);

		if (mono_leq(t->at, now)) {
			t->at = MONO_NEVER;
			return t;
		}
		place(w, t); /* never into this slot */
	}
	w->used[slot / 64] &= ~(UINT64_C(1) << slot % 64);
	return NULL;
}

/* Ticks from w->tick to the next slot in use, 1..; 0 = none. */
static uint64_t distance(const struct wheel *w)
{
	for (uint64_t d = 1; d < WHEEL_SLOTS;) {
		uint64_t slot = (w->tick + d) % WHEEL_SLOTS;
		uint64_t word = w->used[slot / 64] >> slot % 64;

		if (word) {
			d += (uint64_t)__builtin_ctzll(word);
			return d < WHEEL_SLOTS ? d : 0;
		}
		d += 64 - slot % 64;
	}
	return 0;
}

struct wheel_timer *wheel_expired(struct wheel *w, mono_t now)
{
	uint64_t end = tick_of(now);

	for (;;) {
		struct wheel_timer *t = take(w, now);
		uint64_t d;

		if (t)
			return t;
		if (w->tick >= end)
			return NULL;
		d = distance(w);
		w->tick = d ? MIN(w->tick + d, end) : end;
	}
}

mono_t wheel_deadline(const struct wheel *w)
{
	uint64_t d = distance(w);

	return d ? (mono_t){(w->tick + d) * TICK_NS} : MONO_NEVER;
}
