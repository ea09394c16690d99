/* Text jobs: line ends, overstrike, tabs, width, pages, ASA control. */
#include "render/plain.h"

#include "paper.h"

static struct paper_out out;
static struct text_sink sink;
static struct text_conf text;
static struct plain_conf conf;
static struct plain_printer *p;

static int setup(void **state UNUSED)
{
	text = (struct text_conf){0};
	conf = (struct plain_conf){0};
	return 0;
}

static void prints(const char *in, const char *want)
{
	size_t len = strlen(in);

	for (size_t chunk = 1; chunk <= MAX(len, 1u); chunk++) {
		struct render_sink s = paper_sink(&out, &sink, &text);

		p = plain_printer_new(&conf, &s);
		for (size_t i = 0; i < len; i += chunk)
			assert_int_equal(
				plain_print(p, in + i, MIN(chunk, len - i)), 0);
		assert_int_equal(plain_print_end(p), 0);
		assert_string_equal(out.text, want);
		plain_printer_free(p);
	}
}

static void text_is_itself(void **state UNUSED)
{
	prints("", "");
	prints("one\ntwo\n\nfour", "one\ntwo\n\nfour\n");
	prints("one\r\ntwo\r\n", "one\ntwo\n");
	prints("one\ftwo\n\fthree\n", "one\ftwo\n\fthree\n");
	prints("a\tb\n", "a       b\n");
	prints("gr\xc3\xbc\xc3\x9f\n", "gr\xc3\xbc\xc3\x9f\n");
	prints("a\x01z\n", "az\n");
	prints("\xff\n", "\xef\xbf\xbd\n");
}

static void overstrike(void **state UNUSED)
{
	text.overstrike = TEXT_BY_BS;
	prints("a\b_b\b_\n", "a\b_b\b_\n");
	prints("ab\r__\n", "a\b_b\b_\n");
	text.overstrike = TEXT_FLATTEN;
	prints("ab\r__\n", "ab\n");
}

static void width_and_pages(void **state UNUSED)
{
	conf.width = 4;
	prints("abcdef\n", "abcd\nef\n");
	prints("abcd\nef\n", "abcd\nef\n");
	prints("abc\xe6\x97\xa5\n", "abc\n\xe6\x97\xa5\n");
	conf.lines = 2;
	prints("a\nb\nc\n", "a\nb\n\fc\n");
	conf.width = 0;
	conf.lines = 0;
	prints("e\xcc\x81\n", "e\n"); /* a combining mark has no cell */
}

/* blank one line, 0 two, - three, + none, 1 a page. */
static void asa(void **state UNUSED)
{
	conf.asa = true;
	prints(" a\n b\n", "a\nb\n");
	prints("1a\n b\n", "a\nb\n");
	prints(" a\n0b\n-c\n", "a\n\nb\n\n\nc\n");
	prints(" a\n1b\n", "a\fb\n");
	prints(" a\n\n b\n", "a\n\nb\n");
	prints(" a\r\n\r\n b\r\n", "a\n\nb\n");
	text.overstrike = TEXT_BY_CR;
	prints(" a\n+_\n b\n", "a\r_\nb\n");
	prints(" a", "a\n");
}

static void other_pages(void **state UNUSED)
{
	struct codepage *c = NULL;

	assert_int_equal(codepage_new("CP850", NULL, &c), 0);
	conf.page = c;
	prints("gr\x81\xe1\n", "gr\xc3\xbc\xc3\x9f\n");
	text.page = c;
	prints("gr\x81\xe1\n", "gr\x81\xe1\n");
	codepage_free(c);
}

static void counts(void **state UNUSED)
{
	struct render_sink s = paper_sink(&out, &sink, &text);
	const struct render_stats *st;

	p = plain_printer_new(&conf, &s);
	assert_int_equal(plain_print(p, "ab\n\fc\xff\n\x01", 8), 0);
	assert_int_equal(plain_print_end(p), 0);
	st = plain_printer_stats(p);
	assert_int_equal(st->pages, 2);
	assert_int_equal(st->lines, 2);
	assert_int_equal(st->characters, 4);
	assert_int_equal(st->substituted, 1);
	assert_int_equal(st->unknown, 1);
	plain_printer_free(p);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(text_is_itself, setup),
	cmocka_unit_test_setup(overstrike, setup),
	cmocka_unit_test_setup(width_and_pages, setup),
	cmocka_unit_test_setup(asa, setup),
	cmocka_unit_test_setup(other_pages, setup),
	cmocka_unit_test_setup(counts, setup),
};

UNIT_MAIN(tests)
