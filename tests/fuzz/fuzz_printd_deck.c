/*
 * fuzz_printd_deck: any bytes as a deck of printd. What is accepted must
 * print, and what was printed must be accepted again, mean the same and print
 * the same. Links printd_deck.
 */
#include "../../printd/deck.h"
#include "deck/deck.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *print(const struct printd_deck *d, size_t *len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, len);

	if (!f)
		abort();
	printd_deck_print(d, f);
	fclose(f);
	return text;
}

static void again(const struct printd_deck *d)
{
	struct deck_report report;
	struct printd_deck second;
	size_t len, second_len;
	char *text = print(d, &len), *second_text;

	deck_report_init(&report);
	if (printd_deck_parse("again", text, len, &second, &report) < 0)
		abort();
	if (printd_deck_differs(d, &second))
		abort();
	second_text = print(&second, &second_len);
	if (len != second_len || memcmp(text, second_text, len) != 0)
		abort();
	free(text);
	free(second_text);
	printd_deck_free(&second);
	deck_report_fini(&report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct deck_report report;
	struct printd_deck d;
	int r;

	deck_report_init(&report);
	r = printd_deck_parse("fuzz", (const char *)data, size, &d, &report);
	if (r == 0)
		again(&d);
	else if (report.n_errors == 0)
		abort(); /* refused without a word */
	printd_deck_free(&d);
	deck_report_fini(&report);
	return 0;
}
