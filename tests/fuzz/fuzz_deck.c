/*
 * fuzz_deck: any bytes as a deck of stackd, and each line of them as a
 * command at the console. What is accepted must print, and what was printed
 * must be accepted again and print the same. Links stackd_deck.
 */
#include "deck.h"
#include "deck/deck.h"

#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *print(const struct stackd_deck *d, size_t *len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, len);

	if (!f)
		abort();
	stackd_deck_print(d, f);
	fclose(f);
	return text;
}

static void again(const struct stackd_deck *d)
{
	struct deck_report report;
	struct stackd_deck second;
	size_t len, second_len;
	char *text = print(d, &len), *second_text;

	deck_report_init(&report);
	if (stackd_deck_parse("again", text, len, &second, &report) < 0)
		abort();
	second_text = print(&second, &second_len);
	if (len != second_len || memcmp(text, second_text, len) != 0)
		abort();
	free(text);
	free(second_text);
	stackd_deck_free(&second);
	deck_report_fini(&report);
}

/* The first lines only: the deck above was read whole. */
static void console(struct stackd_deck *d, const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size, *nl;

	for (int i = 0; i < 16 && data < end; i++) {
		struct stackd_change change;
		struct deck_report report;
		char line[LINE_MAX_BYTES];
		size_t len;

		nl = memchr(data, '\n', (size_t)(end - data));
		len = (size_t)((nl ? nl : end) - data);
		snprintf(line, sizeof(line), "%.*s",
			 (int)MIN(len, sizeof(line) - 1), (const char *)data);
		deck_report_init(&report);
		if (stackd_deck_command(line, d, &change, &report) == 0)
			(void)!stackd_deck_apply(d, &change);
		deck_report_fini(&report);
		data = nl ? nl + 1 : end;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct deck_report report;
	struct stackd_deck d;
	FILE *null;
	int r;

	deck_report_init(&report);
	r = stackd_deck_parse("fuzz", (const char *)data, size, &d, &report);
	if (r == 0)
		again(&d);
	else if (report.n_errors == 0)
		abort(); /* refused without a word */
	null = fopen("/dev/null", "w");
	if (null) {
		deck_report_print(&report, null);
		fclose(null);
	}
	if (r == 0) {
		console(&d, data, size);
		again(&d);
	}
	stackd_deck_free(&d);
	deck_report_fini(&report);
	return 0;
}
