/*
 * stall.h: does the other end take bytes? Told once when none went for STALL
 * of the deck, and given up after GIVEUP. For the kinds that send a document
 * through something else (LPR's machine, libcurl, couplet-ipp); DIRECT has the
 * same inside pjl/raw.h. Pure.
 */
#ifndef COUPLET_PRINTD_SESSION_STALL_H
#define COUPLET_PRINTD_SESSION_STALL_H

#include "base/base.h"
#include "base/mono.h"

struct stall {
	dur_t stall, give_up;
	mono_t since; /* the last byte went */
	bool watching, told;
};

enum stall_news {
	STALL_NOTHING,
	STALL_STALLED, /* tell it, and wait on */
	STALL_GIVE_UP, /* the watch is over */
};

/* The first byte is due. Both times are above 0. */
void stall_begin(struct stall *s, dur_t stall, dur_t give_up, mono_t now);
/* Bytes went. True: it was told as stalled, and moves again. */
bool stall_moved(struct stall *s, mono_t now);
/* No more bytes are to go: nothing is due any more. */
void stall_end(struct stall *s);
/* When stall_expire() wants to be called; MONO_NEVER when it is over. */
mono_t stall_deadline(const struct stall *s);
enum stall_news stall_expire(struct stall *s, mono_t now);

#endif
