/* UTF-8: every character there and back, bad input replaced. */
#include "render/codepage.h"

#include "unit.h"

#include <string.h>

static void there_and_back(void **state UNUSED)
{
	for (uint32_t u = 0; u <= 0x10ffff; u += u < 0x3000 ? 1 : 37) {
		struct utf8 r = {0};
		uint8_t b[4];
		uint32_t got = 0;
		size_t n = utf8_emit(u, b);

		if (u >= 0xd800 && u <= 0xdfff)
			continue;
		for (size_t i = 0; i < n; i++)
			assert_int_equal(utf8_feed(&r, b[i], &got), i + 1 == n);
		assert_int_equal(got, u);
		assert_false(utf8_end(&r));
	}
}

/* Decodes text; bad sequences as U+FFFD, each byte used. */
static size_t decode(const char *in, uint32_t *out)
{
	struct utf8 r = {0};
	size_t n = 0;

	while (*in) {
		int k = utf8_feed(&r, (uint8_t)*in, &out[n]);

		n += k != 0;
		in += k >= 0;
	}
	if (utf8_end(&r))
		out[n++] = CODEPAGE_REPLACEMENT;
	return n;
}

static void bad_input(void **state UNUSED)
{
	static const struct {
		const char *in;
		size_t n; /* characters that come out */
	} t[] = {
		{"a\x80z", 3},       {"a\xc3z", 3},
		{"\xc0\xaf", 2},     {"\xe0\x80\xaf", 3},
		{"\xed\xa0\x80", 3}, {"\xf4\x90\x80\x80", 4},
		{"\xff", 1},         {"\xe2\x82", 1},
		{"\xe2\x82z", 2},    {"\xf0\x9f\x98\x80", 1},
	};
	uint32_t out[16];

	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		assert_int_equal(decode(t[i].in, out), t[i].n);
	assert_int_equal(decode("\xe2\x82z", out), 2);
	assert_int_equal(out[0], CODEPAGE_REPLACEMENT);
	assert_int_equal(out[1], 'z');
}

static void columns(void **state UNUSED)
{
	assert_int_equal(codepage_columns('a'), 1);
	assert_int_equal(codepage_columns(0xfc), 1);
	assert_int_equal(codepage_columns(0x301), 0);
	assert_int_equal(codepage_columns(0x65e5), 2);
	assert_int_equal(codepage_columns(0xff21), 2);
	assert_int_equal(codepage_columns(0xff71), 1);
	assert_int_equal(codepage_columns(0x20ac), 1);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(there_and_back),
	cmocka_unit_test(bad_input),
	cmocka_unit_test(columns),
};

UNIT_MAIN(tests)
