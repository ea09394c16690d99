/*
 * deck_equal.h: do two stackd decks say the same? For tests.
 */
#ifndef COUPLET_TEST_DECK_EQUAL_H
#define COUPLET_TEST_DECK_EQUAL_H

#include "deck.h"

/* Name of the first value that differs, or NULL. Line numbers and licence
 * records do not count. */
const char *deck_differs(const struct stackd_deck *a,
			 const struct stackd_deck *b);

#endif
