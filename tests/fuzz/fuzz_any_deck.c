/*
 * fuzz_any_deck: any bytes as a deck of the daemon whose struct deckcheck is
 * linked (tests/conf). What is accepted must print, and what was printed must
 * be accepted again and say the same; what is refused must be refused with a
 * word.
 */
#include "conf/deckcheck.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void *read_deck(const char *bytes, size_t len)
{
	struct deck_report report;
	void *d = calloc(1, deckcheck.size);
	int r;

	if (!d)
		abort();
	deck_report_init(&report);
	r = deckcheck.parse("fuzz", bytes, len, d, &report);
	if (r < 0 && report.n_errors == 0)
		abort();
	deck_report_fini(&report);
	if (r == 0)
		return d;
	deckcheck.free(d);
	free(d);
	return NULL;
}

static void again(const void *first)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	void *second;

	if (!f)
		abort();
	deckcheck.print(first, f);
	fclose(f);
	second = read_deck(text, len);
	if (!second || deckcheck.differs(first, second))
		abort();
	deckcheck.free(second);
	free(second);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *d = read_deck((const char *)data, size);

	if (!d)
		return 0;
	again(d);
	deckcheck.free(d);
	free(d);
	return 0;
}
