/* deckcheck_printd.c: the deck of printd, for deckcheck. */
#include "deck.h"
#include "deckcheck.h"

static int read_it(const char *path, void *ret, struct deck_report *report)
{
	return printd_deck_read(path, ret, report);
}

static int parse_it(const char *name, const char *text, size_t len, void *ret,
		    struct deck_report *report)
{
	return printd_deck_parse(name, text, len, ret, report);
}

static void print_it(const void *deck, FILE *out)
{
	printd_deck_print(deck, out);
}

static void free_it(void *deck)
{
	printd_deck_free(deck);
}

static const char *differs_it(const void *a, const void *b)
{
	return printd_deck_differs(a, b);
}

const struct deckcheck deckcheck = {sizeof(struct printd_deck),
				    read_it,
				    parse_it,
				    print_it,
				    free_it,
				    differs_it};
