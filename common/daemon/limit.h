/*
 * limit.h: which log lines are worth writing. Pure: the caller brings `now`.
 *
 * Two laws. The same event (id and key) is written once and then held for
 * LIMIT_WINDOW_S seconds, however often it comes; after that one line says
 * how often it came. And one id writes at most LIMIT_BURST different lines
 * in a window, so that somebody who varies the key fills no disk either.
 * A table of LIMIT_SLOTS events is kept; the one seen longest ago goes.
 */
#ifndef COUPLET_DAEMON_LIMIT_H
#define COUPLET_DAEMON_LIMIT_H

#include "base/base.h"
#include "base/mono.h"

#define LIMIT_SLOTS 64
#define LIMIT_IDS 512 /* ids with a budget; larger ones share */
#define LIMIT_WINDOW_S 10
#define LIMIT_BURST 50
#define LIMIT_TEXT_MAX 160 /* of the first line, kept for the repeat line */

struct limit_slot {
	bool used;
	unsigned id;
	uint64_t key;
	mono_t since, last;
	uint64_t held; /* lines held back since `since` */
	char text[LIMIT_TEXT_MAX];
};

struct limit {
	struct limit_slot slots[LIMIT_SLOTS];
	struct {
		mono_t since;
		uint32_t lines, held;
	} ids[LIMIT_IDS];
};

struct limit_repeat { /* what was held back */
	unsigned id;
	uint64_t count;
	dur_t lasted; /* since the line that was written */
	bool varied;  /* the budget of the id was used up; text is empty */
	char text[LIMIT_TEXT_MAX];
};

/* All zero is a valid empty table too. */
void limit_init(struct limit *l);
/* May this line be written now? False: it was counted. */
bool limit_pass(struct limit *l, unsigned id, uint64_t key, const char *text,
		mono_t now);
/* Next held-back event whose window is over (or any, when `all`); false when
 * there is none. */
bool limit_due(struct limit *l, bool all, struct limit_repeat *ret, mono_t now);
/* When limit_due() will have something; MONO_NEVER = nothing is held. */
mono_t limit_deadline(const struct limit *l);

#endif
