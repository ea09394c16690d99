/*
 * fuzz_proxyd_deck: any bytes as a deck of proxyd. What is accepted must
 * print, and what was printed must be accepted again and print the same; what
 * is refused must be refused with a word.
 */
#include "deck.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *print(const struct proxyd_deck *d, size_t *len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, len);

	if (!f)
		abort();
	proxyd_deck_print(d, f);
	fclose(f);
	return text;
}

/* Reads the deck; its canonical form, or NULL when it is refused. */
static char *round_trip(const char *bytes, size_t len, size_t *ret_len)
{
	struct deck_report report;
	struct proxyd_deck d;
	char *text = NULL;

	deck_report_init(&report);
	if (proxyd_deck_parse("fuzz", bytes, len, &d, &report) == 0)
		text = print(&d, ret_len);
	else if (report.n_errors == 0)
		abort();
	proxyd_deck_free(&d);
	deck_report_fini(&report);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n, m;
	char *first = round_trip((const char *)data, size, &n), *second;

	if (!first)
		return 0;
	second = round_trip(first, n, &m);
	if (!second || n != m || memcmp(first, second, n) != 0)
		abort();
	free(first);
	free(second);
	return 0;
}
