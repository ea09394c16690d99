/*
 * deck_test.h: decks in memory. Files are name-text pairs; loading any other
 * name is -ENOENT.
 */
#ifndef COUPLET_TEST_DECK_TEST_H
#define COUPLET_TEST_DECK_TEST_H

#include "deck/deck.h"

struct test_file {
	const char *name, *text;
};

/* A deck with its report; reads as `name` with members from `files`
 * (NULL-terminated by name; may be NULL). */
struct test_deck {
	struct deck *deck;
	struct deck_report report;
	struct deck_options options;
};

/* Reads; asserts that reading itself worked. */
void test_deck_read(struct test_deck *t, const char *text,
		    const struct test_file *files);
/* Frees what test_deck_read() made. */
void test_deck_done(struct test_deck *t);
/* Asserts the notes, one "line:column: severity: text\n" each, with "name:"
 * in front where it is not the deck itself. */
void test_deck_notes(const struct test_deck *t, const char *expected);
/* All records of the commands, each with "\n". */
void test_deck_commands(const struct test_deck *t, const char *expected);

#endif
