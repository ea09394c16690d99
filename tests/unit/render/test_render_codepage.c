/* Code pages: names, tables, what they lack. */
#include "render/codepage.h"

#include "unit.h"

#include <errno.h>
#include <string.h>

static struct codepage *page(const char *name)
{
	struct codepage *c = NULL;
	int r = codepage_new(name, NULL, &c);

	if (r)
		print_error("%s: %d\n", name, r);
	assert_int_equal(r, 0);
	return c;
}

/* Every page offered can be made, and what it decodes it encodes back. */
static void every_page_there_and_back(void **state UNUSED)
{
	const char *name;

	for (unsigned i = 0; (name = codepage_list(i)); i++) {
		struct codepage *c = page(name);
		unsigned n = 0, same = 0;

		assert_string_equal(codepage_name(c), name);
		for (unsigned b = 0; b < 256; b++) {
			uint32_t u = codepage_decode(c, (uint8_t)b);

			if (u == CODEPAGE_NONE)
				continue;
			n++;
			assert_false(u < 0x20 || (u >= 0x7f && u < 0xa0));
			assert_true(codepage_encode(c, u) >= 0);
			same += codepage_encode(c, u) == (int)b;
		}
		if (!codepage_utf8(c)) {
			assert_in_range(n, 89, 224);
			/* two bytes for one character are rare */
			assert_in_range(n - same, 0, 4);
		}
		codepage_free(c);
	}
}

/* [print3270 3] where the national characters are. */
static void places_of_characters(void **state UNUSED)
{
	static const struct {
		const char *page;
		uint8_t byte;
		uint32_t ucs;
	} t[] = {
		{"IBM-037", 0x4a, 0xa2},      {"IBM-037", 0xba, '['},
		{"IBM-1047", 0xad, '['},      {"IBM-1047", 0xbd, ']'},
		{"IBM-273", 0x4a, 0xc4},      {"IBM-273", 0x9f, 0xa4},
		{"IBM-1141", 0x9f, 0x20ac},   {"IBM-1141", 0xd0, 0xfc},
		{"IBM-1140", 0x9f, 0x20ac},   {"IBM-500", 0x4a, '['},
		{"IBM-924", 0x9f, 0x20ac},    {"IBM-924", 0xad, '['},
		{"IBM-875", 0x41, 0x391},     {"CP850", 0x81, 0xfc},
		{"ISO8859-15", 0xa4, 0x20ac},
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct codepage *c = page(t[i].page);

		assert_int_equal(codepage_decode(c, t[i].byte), t[i].ucs);
		assert_int_equal(codepage_encode(c, t[i].ucs), t[i].byte);
		codepage_free(c);
	}
}

/* Controls never go through a table: EBCDIC 00..3F and FF. */
static void controls_have_no_character(void **state UNUSED)
{
	struct codepage *c = page("1047");

	for (unsigned b = 0; b < 0x40; b++)
		assert_int_equal(codepage_decode(c, (uint8_t)b), CODEPAGE_NONE);
	assert_int_equal(codepage_decode(c, 0xff), CODEPAGE_NONE);
	assert_int_equal(codepage_encode(c, '\n'), -1);
	assert_int_equal(codepage_encode(c, 0x85), -1);
	assert_int_equal(codepage_encode(c, 0x20ac), -1);
	assert_int_equal(codepage_encode(c, 0x1f600), -1);
	codepage_free(c);
}

static void ways_to_write_a_name(void **state UNUSED)
{
	static const char *const names[] = {
		"37", "037", "CP037", "cp37", "IBM037", "ibm-037", "IBM-37"};
	struct codepage *c;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		c = page(names[i]);
		assert_string_equal(codepage_name(c), "IBM-037");
		assert_true(codepage_ebcdic(c));
		codepage_free(c);
	}
	assert_int_equal(codepage_new("no-such-page", NULL, &c), -ENOENT);
	assert_int_equal(codepage_new("", NULL, &c), -ENOENT);
	assert_int_equal(codepage_new("IBM-037//TRANSLIT", NULL, &c), -ENOENT);
	assert_int_equal(codepage_new("IBM-99999", NULL, &c), -ENOENT);
	assert_int_equal(codepage_new("SHIFT_JIS", NULL, &c), -ENOTSUP);
	assert_int_equal(codepage_new("GB18030", NULL, &c), -ENOTSUP);
}

/* SBCS DN_03 IBM-1141: site names. */
static void aliases(void **state UNUSED)
{
	struct codepage_aliases a = {0};
	struct codepage *c;
	char name[8];

	assert_int_equal(codepage_alias_add(&a, "DN_03", "IBM-1141"), 0);
	assert_int_equal(codepage_new("dn_03", &a, &c), 0);
	assert_string_equal(codepage_name(c), "IBM-1141");
	codepage_free(c);
	assert_int_equal(codepage_alias_add(&a, "dn_03", "IBM-037"), 0);
	assert_int_equal(a.n, 1); /* replaced */
	assert_int_equal(codepage_new("DN_03", &a, &c), 0);
	assert_string_equal(codepage_name(c), "IBM-037");
	codepage_free(c);
	assert_int_equal(codepage_new("DN_03", NULL, &c), -ENOENT);
	assert_int_equal(codepage_alias_add(&a, "X", "x"), -EINVAL);
	assert_int_equal(codepage_alias_add(&a, "", "037"), -EINVAL);
	assert_int_equal(codepage_alias_add(&a, "a b", "037"), -EINVAL);
	for (unsigned i = 1; i < CODEPAGE_ALIASES_MAX; i++) {
		snprintf(name, sizeof(name), "N%u", i);
		assert_int_equal(codepage_alias_add(&a, name, "037"), 0);
	}
	assert_int_equal(codepage_alias_add(&a, "ONEMORE", "037"), -ENOSPC);
}

static void double_bytes(void **state UNUSED)
{
	struct codepage *c = page("IBM-939");
	unsigned n = 0;

	assert_true(codepage_dbcs(c));
	assert_int_equal(codepage_decode_dbcs(c, 0x4040), 0x3000);
	for (unsigned v = 0x4040; v <= 0xfefe; v++) {
		uint32_t u = codepage_decode_dbcs(c, (uint16_t)v);

		if (u == CODEPAGE_NONE)
			continue;
		n++;
		assert_true(codepage_encode_dbcs(c, u) >= 0x4040);
	}
	assert_true(n > 8000);
	/* "Japan", in kanji */
	assert_true(codepage_encode_dbcs(c, 0x65e5) > 0);
	assert_true(codepage_encode_dbcs(c, 0x672c) > 0);
	assert_int_equal(codepage_encode(c, 0x65e5), -1);
	assert_int_equal(codepage_decode_dbcs(c, 0x3f40), CODEPAGE_NONE);
	assert_int_equal(codepage_decode_dbcs(c, 0x40ff), CODEPAGE_NONE);
	codepage_free(c);
	c = page("037");
	assert_false(codepage_dbcs(c));
	assert_int_equal(codepage_decode_dbcs(c, 0x4040), CODEPAGE_NONE);
	assert_int_equal(codepage_encode_dbcs(c, 0x3000), -1);
	codepage_free(c);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(every_page_there_and_back),
	cmocka_unit_test(places_of_characters),
	cmocka_unit_test(controls_have_no_character),
	cmocka_unit_test(ways_to_write_a_name),
	cmocka_unit_test(aliases),
	cmocka_unit_test(double_bytes),
};

UNIT_MAIN(tests)
