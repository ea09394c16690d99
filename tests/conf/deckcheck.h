/*
 * deckcheck.h: what deckcheck.c has to know about the deck of one daemon.
 */
#ifndef COUPLET_TEST_DECKCHECK_H
#define COUPLET_TEST_DECKCHECK_H

#include "deck/deck.h"

struct deckcheck {
	size_t size; /* of the deck's struct */
	int (*read)(const char *path, void *ret, struct deck_report *report);
	int (*parse)(const char *name, const char *text, size_t len, void *ret,
		     struct deck_report *report);
	void (*print)(const void *deck, FILE *out);
	void (*free)(void *deck);
	/* name of the first value that differs, or NULL */
	const char *(*differs)(const void *a, const void *b);
};

extern const struct deckcheck deckcheck;

#endif
