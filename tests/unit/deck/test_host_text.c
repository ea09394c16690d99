/* Decks as a binary transfer from z/VSE leaves them. */
#include "deck_test.h"
#include "unit.h"

#include "base/ebcdic.h"

#include <stdlib.h>
#include <string.h>

static const char deck[] = "* $$ JOB JNM=STACK44\n"
			   "// JOB STACK44\n"
			   "// EXEC BSTTINET,SIZE=BSTTINET\n"
			   "* umlauts: \xe4\xf6\xfc\n"
			   "ID 44\n"
			   "\n"
			   "TITLE \xc4 (a@b) 'c' #$:;/,.\n"
			   "/*\n"
			   "/&\n";
static const char commands[] = "ID 44\n"
			       "TITLE \xc3\x84 (a@b) 'c' #$:;/,.\n";

/* ISO 8859-1 to IBM-1047; a new line becomes `nl`. */
static char to_ebcdic(char c, char nl)
{
	if (c == '\n')
		return nl;
	for (unsigned i = 0; i < 256; i++) {
		if (ebcdic_to_latin1[i] == (uint8_t)c)
			return (char)i;
	}
	fail_msg("byte %#x has no EBCDIC", (uint8_t)c);
	return 0;
}

/* The deck in EBCDIC; with `nl` 0 as cards. Returns its bytes. */
static size_t make(char *out, bool ebcdic, char nl)
{
	size_t n = 0, column = 0;

	for (const char *p = deck; *p; p++) {
		if (*p != '\n' || nl) {
			out[n++] = ebcdic ? to_ebcdic(*p, nl) : *p;
			column++;
			continue;
		}
		while (column++ < CARD_BYTES)
			out[n++] = ebcdic ? 0x40 : ' ';
		column = 0;
	}
	return n;
}

static void read_as(const char *text, size_t len, const char *note)
{
	struct test_deck t = {0};
	char notes[200];

	deck_report_init(&t.report);
	assert_int_equal(
		deck_read_text("dir/d", text, len, NULL, &t.report, &t.deck),
		0);
	snprintf(notes, sizeof notes, "1:1: note: %s\n", note);
	test_deck_notes(&t, notes);
	test_deck_commands(&t, commands);
	assert_string_equal(deck_settings(t.deck)->job, "STACK44");
	test_deck_done(&t);
}

static void test_ebcdic_lines(void **state)
{
	static const char nls[] = {0x15, 0x25};
	char text[sizeof deck];

	(void)state;
	for (size_t i = 0; i < sizeof nls; i++)
		read_as(text, make(text, true, nls[i]),
			"EBCDIC, read as IBM-1047");
}

static void test_ebcdic_cards(void **state)
{
	char text[20 * CARD_BYTES];

	(void)state;
	read_as(text, make(text, true, 0),
		"card images of 80 bytes in EBCDIC, read as IBM-1047");
}

/* Places in notes are those of the cards. */
static void test_cards_have_lines(void **state)
{
	char text[3 * CARD_BYTES];
	struct test_deck t = {0};

	(void)state;
	memset(text, ' ', sizeof text);
	memcpy(text, "ID 44", 5);
	memcpy(text + CARD_BYTES, "// JOB", 6);
	memcpy(text + 2 * CARD_BYTES, "ATTACH", 6);
	deck_report_init(&t.report);
	assert_int_equal(deck_read_text("dir/d", text, sizeof text, NULL,
					&t.report, &t.deck),
			 0);
	test_deck_notes(&t,
			"1:1: note: card images of 80 bytes\n"
			"2:1: error: JCL after commands: expected a deck of "
			"commands only, or a job with the commands after // "
			"EXEC\n");
	test_deck_commands(&t, "ID 44\nATTACH\n");
	test_deck_done(&t);
}

/* One record without a line end, and text of a language with few ASCII
 * letters, are what they look like. */
static void test_not_ebcdic(void **state)
{
	static const char greek[] = "* \xce\xb1\xce\xb2\xce\xb3\xce\xb4\xce\xb5"
				    "\xce\xb1\xce\xb2\xce\xb3\xce\xb4\xce\xb5";
	struct test_deck t = {0};
	char text[CARD_BYTES + 1];

	(void)state;
	test_deck_read(&t, greek, NULL);
	test_deck_notes(&t, "");
	test_deck_commands(&t, "");
	test_deck_done(&t);
	memset(text, ' ', CARD_BYTES);
	text[CARD_BYTES] = '\0';
	memcpy(text, "ID 44", 5);
	test_deck_read(&t, text, NULL);
	test_deck_notes(&t, "");
	test_deck_commands(&t, "ID 44\n");
	test_deck_done(&t);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_ebcdic_lines),
	cmocka_unit_test(test_ebcdic_cards),
	cmocka_unit_test(test_cards_have_lines),
	cmocka_unit_test(test_not_ebcdic),
};

UNIT_MAIN(tests)
