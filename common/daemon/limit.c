#include "daemon/limit.h"

#include <stdio.h>
#include <string.h>

#define WINDOW DUR_S(LIMIT_WINDOW_S)

void limit_init(struct limit *l)
{
	memset(l, 0, sizeof *l);
}

static bool over(mono_t since, mono_t now)
{
	return mono_leq(mono_add(since, WINDOW), now);
}

static struct limit_slot *find(struct limit *l, unsigned id, uint64_t key)
{
	for (size_t i = 0; i < LIMIT_SLOTS; i++) {
		struct limit_slot *s = &l->slots[i];

		if (s->used && s->id == id && s->key == key)
			return s;
	}
	return NULL;
}

/* A free slot, or the one seen longest ago among those that hold nothing
 * back; else the oldest of all: its count is then lost, the table is full of
 * noisy events and their budgets tell. */
static struct limit_slot *victim(struct limit *l)
{
	struct limit_slot *best = &l->slots[0];

	for (size_t i = 0; i < LIMIT_SLOTS; i++) {
		struct limit_slot *s = &l->slots[i];

		if (!s->used)
			return s;
		if ((s->held == 0) != (best->held == 0)) {
			if (s->held == 0)
				best = s;
		} else if (mono_lt(s->last, best->last)) {
			best = s;
		}
	}
	return best;
}

static bool budget(struct limit *l, unsigned id, mono_t now)
{
	size_t i = MIN(id, LIMIT_IDS - 1u);

	if (over(l->ids[i].since, now) && !l->ids[i].held) {
		l->ids[i].since = now;
		l->ids[i].lines = 0;
	}
	if (l->ids[i].lines >= LIMIT_BURST) {
		l->ids[i].held++;
		return false;
	}
	l->ids[i].lines++;
	return true;
}

bool limit_pass(struct limit *l, unsigned id, uint64_t key, const char *text,
		mono_t now)
{
	struct limit_slot *s = find(l, id, key);

	if (s && (s->held || !over(s->since, now))) {
		s->held++;
		s->last = now;
		return false;
	}
	if (!budget(l, id, now))
		return false;
	if (!s)
		s = victim(l);
	*s = (struct limit_slot){
		.used = true, .id = id, .key = key, .since = now, .last = now};
	snprintf(s->text, sizeof s->text, "%s", text);
	return true;
}

bool limit_due(struct limit *l, bool all, struct limit_repeat *ret, mono_t now)
{
	for (size_t i = 0; i < LIMIT_SLOTS; i++) {
		struct limit_slot *s = &l->slots[i];

		if (!s->used || !s->held || !(all || over(s->since, now)))
			continue;
		*ret = (struct limit_repeat){
			.id = s->id,
			.count = s->held,
			.lasted = mono_sub(now, s->since),
		};
		memcpy(ret->text, s->text, sizeof ret->text);
		s->held = 0;
		s->since = now;
		return true;
	}
	for (unsigned i = 0; i < LIMIT_IDS; i++) {
		if (!l->ids[i].held || !(all || over(l->ids[i].since, now)))
			continue;
		*ret = (struct limit_repeat){
			.id = i,
			.count = l->ids[i].held,
			.lasted = mono_sub(now, l->ids[i].since),
			.varied = true,
		};
		l->ids[i].held = 0;
		l->ids[i].lines = 0;
		l->ids[i].since = now;
		return true;
	}
	return false;
}

mono_t limit_deadline(const struct limit *l)
{
	mono_t at = MONO_NEVER;

	for (size_t i = 0; i < LIMIT_SLOTS; i++)
		if (l->slots[i].used && l->slots[i].held)
			at = mono_min(at, mono_add(l->slots[i].since, WINDOW));
	for (size_t i = 0; i < LIMIT_IDS; i++)
		if (l->ids[i].held)
			at = mono_min(at, mono_add(l->ids[i].since, WINDOW));
	return at;
}
