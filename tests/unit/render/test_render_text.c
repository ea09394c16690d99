/* The text sink: line ends, feeds, strings of the printer, code pages; and
 * the strings of decks. */
#include "render/plain.h"
#include "render/text.h"

#include "paper.h"

static struct paper_out out;
static struct text_sink sink;
static struct text_conf text;

static int setup(void **state UNUSED)
{
	text = (struct text_conf){0};
	return 0;
}

static void prints(const char *in, const char *want)
{
	struct render_sink s = paper_sink(&out, &sink, &text);
	struct plain_conf conf = {0};
	struct plain_printer *p = plain_printer_new(&conf, &s);

	assert_int_equal(plain_print(p, in, strlen(in)), 0);
	assert_int_equal(plain_print_end(p), 0);
	assert_string_equal(out.text, want);
	plain_printer_free(p);
}

static void line_ends_and_feeds(void **state UNUSED)
{
	text.crlf = true;
	prints("a\nb\f", "a\r\nb\f");
	text.crlf = false;
	text.feed_after = true;
	prints("a\n", "a\n\f");
	prints("a\n\f", "a\n\f");
	prints("", "");
	text.feed_after = false;
	text.feed_lines = true;
	text.page_lines = 4;
	prints("a\n\fb\n", "a\n\n\n\nb\n");
	prints("a\fb\n", "a\n\n\n\nb\n");
	prints("a\na\na\na\n\fb\n", "a\na\na\na\nb\n");
	prints("\fb\n", "\n\n\n\nb\n");
	text.feed_lines = false;
	text.no_feed = true;
	prints("a\n\fb\n", "a\nb\n");
}

static void trailing_blanks(void **state UNUSED)
{
	prints("a  \n  \n", "a\n\n");
	text.keep_trailing = true;
	prints("a  \n  \n", "a  \n  \n");
}

/* Around each job that prints something, and only there. */
static void strings_of_the_printer(void **state UNUSED)
{
	memcpy(text.setup, "<S>", 3);
	memcpy(text.teardown, "<E>", 3);
	text.setup_len = text.teardown_len = 3;
	prints("a\n", "<S>a\n<E>");
	prints("", "");
	text.feed_after = true;
	prints("a\n", "<S>a\n\f<E>");
}

static void code_pages(void **state UNUSED)
{
	struct codepage *c = NULL;

	assert_int_equal(codepage_new("CP850", NULL, &c), 0);
	text.page = c;
	prints("\xc3\xbc\xe2\x82\xac\n", "\x81?\n");
	assert_int_equal(sink.stats.substituted, 1);
	text.substitute = '#';
	prints("\xe2\x82\xac\n", "#\n");
	codepage_free(c);
	/* a page without NBSP: a blank */
	assert_int_equal(codepage_new("CP437", NULL, &c), 0);
	text.page = c;
	prints("a\xc2\xa0"
	       "b\n",
	       "a\xff"
	       "b\n");
	codepage_free(c);
}

static void parses(const char *in, const void *want, size_t len)
{
	uint8_t buf[16];
	size_t at = 0;

	assert_int_equal(text_string_parse(in, buf, sizeof(buf), &at), len);
	assert_memory_equal(buf, want, len);
}

static void refuses(const char *in, size_t where)
{
	uint8_t buf[16];
	size_t at = 999;

	assert_int_equal(text_string_parse(in, buf, sizeof(buf), &at), -EINVAL);
	assert_int_equal(at, where);
}

static void strings_of_decks(void **state UNUSED)
{
	uint8_t buf[4];
	size_t at;

	parses("\\eE", "\033E", 2);
	parses("\\e&l1O\\f\\r\\n\\t\\\\", "\033&l1O\f\r\n\t\\", 10);
	parses("\\x1b\\xFF\\0", "\x1b\xff\0", 3);
	parses("X'1B26aF'", "\x1b&\xaf", 3);
	parses("X''", "", 0);
	parses("", "", 0);
	refuses("ab\\q", 2);
	refuses("ab\\", 2);
	refuses("\\x1", 0);
	refuses("X'1B2", 4);
	refuses("X'1B2'", 4);
	refuses("X'1Bzz'", 4);
	refuses("X'1B'z", 5);
	assert_int_equal(text_string_parse("abcde", buf, 4, &at), -ENOSPC);
	assert_int_equal(text_string_parse("X'0102030405'", buf, 4, &at),
			 -ENOSPC);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(line_ends_and_feeds, setup),
	cmocka_unit_test_setup(trailing_blanks, setup),
	cmocka_unit_test_setup(strings_of_the_printer, setup),
	cmocka_unit_test_setup(code_pages, setup),
	cmocka_unit_test_setup(strings_of_decks, setup),
};

UNIT_MAIN(tests)
