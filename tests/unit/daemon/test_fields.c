#include "unit.h"

#include "daemon/fields.h"

#include <string.h>

static struct fields f;

static void make(const char *pattern, const char *names, ...)
{
	va_list ap;

	va_start(ap, names);
	fields_make(&f, pattern, names, ap);
	va_end(ap);
}

static void every_kind_of_argument(void **state)
{
	(void)state;
	make("%s: %u of %d at %x (%lu, %lld, %zu) %c", "a, b, c, d, e, f, g, h",
	     "text", 42u, -7, 255u, 1234567890123ul, -5ll, (size_t)9, 'z');
	assert_int_equal(f.n, 8);
	assert_string_equal(f.text[0], "COUPLET_A=text");
	assert_string_equal(f.text[1], "COUPLET_B=42");
	assert_string_equal(f.text[2], "COUPLET_C=-7");
	assert_string_equal(f.text[3], "COUPLET_D=ff");
	assert_string_equal(f.text[4], "COUPLET_E=1234567890123");
	assert_string_equal(f.text[5], "COUPLET_F=-5");
	assert_string_equal(f.text[6], "COUPLET_G=9");
	assert_string_equal(f.text[7], "COUPLET_H=z");
}

static void widths_and_precisions(void **state)
{
	(void)state;
	make("%-5s|%04u|%.*s|%*d|%.2s", "a, b, c, d, e", "x", 7u, 2, "abcdef",
	     4, 1, "xyz");
	assert_int_equal(f.n, 5);
	assert_string_equal(f.text[0], "COUPLET_A=x    ");
	assert_string_equal(f.text[1], "COUPLET_B=0007");
	assert_string_equal(f.text[2], "COUPLET_C=ab");
	assert_string_equal(f.text[3], "COUPLET_D=   1");
	assert_string_equal(f.text[4], "COUPLET_E=xy");
}

static void names_become_field_names(void **state)
{
	(void)state;
	make("%s %s", "host name, peer-mac", "h", "m");
	assert_string_equal(f.text[0], "COUPLET_HOST_NAME=h");
	assert_string_equal(f.text[1], "COUPLET_PEER_MAC=m");
}

static void percent_and_nothing(void **state)
{
	(void)state;
	make("100%% sure", "");
	assert_int_equal(f.n, 0);
	make("%% %u", "n", 3u);
	assert_int_equal(f.n, 1);
	assert_string_equal(f.text[0], "COUPLET_N=3");
}

static void stops_at_what_it_does_not_know(void **state)
{
	(void)state;
	make("%s %p %s", "a, b, c", "x", (void *)0, "y");
	assert_int_equal(f.n, 1);
	make("%s %", "a", "x");
	assert_int_equal(f.n, 1);
}

static void long_values_are_cut(void **state)
{
	char big[1000];

	(void)state;
	memset(big, 'b', sizeof big);
	big[sizeof big - 1] = '\0';
	make("%s", "a", big);
	assert_int_equal(strlen(f.text[0]), FIELD_TEXT_MAX - 1);
}

static void too_many_are_dropped(void **state)
{
	(void)state;
	make("%d%d%d%d%d%d%d%d%d%d%d%d%d%d",
	     "a, b, c, d, e, f, g, h, i, j, k, l, m, n", 1, 2, 3, 4, 5, 6, 7, 8,
	     9, 10, 11, 12, 13, 14);
	assert_int_equal(f.n, FIELDS_MAX);
	assert_string_equal(f.text[11], "COUPLET_L=12");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(every_kind_of_argument),
	cmocka_unit_test(widths_and_precisions),
	cmocka_unit_test(names_become_field_names),
	cmocka_unit_test(percent_and_nothing),
	cmocka_unit_test(stops_at_what_it_does_not_know),
	cmocka_unit_test(long_values_are_cut),
	cmocka_unit_test(too_many_are_dropped),
};

UNIT_MAIN(tests)
