/* deckcheck_stackd.c: the deck of stackd, for deckcheck. */
#include "deck.h"
#include "deck_equal.h"
#include "deckcheck.h"

static int read_it(const char *path, void *ret, struct deck_report *report)
{
	return stackd_deck_read(path, ret, report);
}

static int parse_it(const char *name, const char *text, size_t len, void *ret,
		    struct deck_report *report)
{
	return stackd_deck_parse(name, text, len, ret, report);
}

static void print_it(const void *deck, FILE *out)
{
	stackd_deck_print(deck, out);
}

static void free_it(void *deck)
{
	stackd_deck_free(deck);
}

static const char *differs_it(const void *a, const void *b)
{
	return deck_differs(a, b);
}

const struct deckcheck deckcheck = {sizeof(struct stackd_deck),
				    read_it,
				    parse_it,
				    print_it,
				    free_it,
				    differs_it};
