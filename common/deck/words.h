/*
 * words.h: what to say about a command that a daemon does not have: that it
 * is another daemon's, or what it was probably meant to be. Pure.
 */
#ifndef COUPLET_DECK_WORDS_H
#define COUPLET_DECK_WORDS_H

#include "deck/args.h"

/* A note of an error about the keyword of `a`; `program` is the daemon that
 * reads the deck and words[0..n) are its own commands. */
void deck_unknown(struct deck_args *a, const char *program,
		  const char *const *words, size_t n);

#endif
