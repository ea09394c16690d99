#include "deck/args.h"
#include "deck_test.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

/* One command "CMD operand..."; the report collects. */
struct one {
	struct test_deck t;
	struct deck_args a;
};

static struct deck_args begin(struct one *o, const char *record)
{
	uint32_t it = 0;

	memset(o, 0, sizeof(*o));
	test_deck_read(&o->t, record, NULL);
	o->a = deck_args_of(deck_next(o->t.deck, &it), &o->t.report);
	return o->a;
}

/* Asserts the notes and frees. */
static void end(struct one *o, const char *notes)
{
	test_deck_notes(&o->t, notes);
	test_deck_done(&o->t);
}

static void test_u32(void **state)
{
	struct one o;
	uint32_t v = 7;

	(void)state;
	begin(&o, "CMD 1 65535 0 65536 -1 1x 99999999999999999999 007");
	assert_true(deck_args_u32(&o.a, "n", 1, 65535, &v));
	assert_int_equal(v, 1);
	assert_true(deck_args_u32(&o.a, "n", 1, 65535, &v));
	assert_int_equal(v, 65535);
	for (int i = 0; i < 5; i++)
		assert_false(deck_args_u32(&o.a, "n", 1, 65535, &v));
	assert_int_equal(v, 65535); /* untouched by errors */
	assert_true(deck_args_u32(&o.a, "n", 1, 65535, &v));
	assert_int_equal(v, 7);
	assert_false(deck_args_end(&o.a));
	end(&o, "1:13: error: CMD n '0': expected a number 1..65535\n"
		"1:15: error: CMD n '65536': expected a number 1..65535\n"
		"1:21: error: CMD n '-1': expected a number 1..65535\n"
		"1:24: error: CMD n '1x': expected a number 1..65535\n"
		"1:27: error: CMD n '99999999999999999999': expected a number "
		"1..65535\n");
}

static void test_u32_whole_range(void **state)
{
	struct one o;
	uint32_t v;

	(void)state;
	begin(&o, "CMD 4294967295 4294967296");
	assert_true(deck_args_u32(&o.a, "n", 0, UINT32_MAX, &v));
	assert_true(v == UINT32_MAX);
	assert_false(deck_args_u32(&o.a, "n", 0, UINT32_MAX, &v));
	end(&o, "1:16: error: CMD n '4294967296': expected a number "
		"0..4294967295\n");
}

static void test_missing_is_said_once(void **state)
{
	struct one o;
	struct ip_addr addr;
	uint32_t v;

	(void)state;
	begin(&o, "CMD 1  ");
	assert_true(deck_args_u32(&o.a, "first", 0, 9, &v));
	assert_false(deck_args_u32(&o.a, "second", 0, 9, &v));
	assert_false(deck_args_addr(&o.a, "third", IP_NONE, &addr));
	assert_false(deck_args_end(&o.a));
	end(&o, "1:6: error: CMD: second is missing: expected a number "
		"0..9\n");
}

static void test_end(void **state)
{
	struct one o;

	(void)state;
	begin(&o, "CMD one two three");
	assert_true(deck_args_is(&o.a, "ONE"));
	assert_false(deck_args_is(&o.a, "ONE"));
	assert_true(deck_args_more(&o.a));
	assert_string_equal(deck_args_peek(&o.a), "two");
	assert_false(deck_args_end(&o.a));
	assert_null(deck_args_peek(&o.a));
	end(&o, "1:9: error: CMD: 'two': expected the end of the record\n");
	begin(&o, "CMD");
	assert_true(deck_args_end(&o.a));
	end(&o, "");
}

static void test_continuation(void **state)
{
	struct one o;

	(void)state;
	begin(&o, "CMD one -");
	end(&o, "1:9: warning: '-' does not continue a record: a command is "
		"one record\n");
	begin(&o, "CMD one, two,");
	end(&o, "1:13: warning: ',' does not continue a record: a command is "
		"one record\n");
}

static void test_secret(void **state)
{
	struct one o;
	uint32_t v;

	(void)state;
	begin(&o, "PASS hunter2 hunter3");
	o.a.secret = true;
	assert_false(deck_args_u32(&o.a, "password", 0, 9, &v));
	assert_false(deck_args_end(&o.a));
	end(&o, "1:6: error: PASS password '...': expected a number 0..9\n"
		"1:14: error: PASS: '...': expected the end of the record\n");
}

static void test_range(void **state)
{
	struct one o;
	uint16_t lo, hi;

	(void)state;
	begin(&o, "CMD 0 21 1-65535 7-7 9-8 1- -1 1-2-3 70000");
	assert_true(deck_args_range(&o.a, "port", 0, 65535, &lo, &hi));
	assert_true(lo == 0 && hi == 0);
	assert_true(deck_args_range(&o.a, "port", 0, 65535, &lo, &hi));
	assert_true(lo == 21 && hi == 21);
	assert_true(deck_args_range(&o.a, "port", 0, 65535, &lo, &hi));
	assert_true(lo == 1 && hi == 65535);
	assert_true(deck_args_range(&o.a, "port", 0, 65535, &lo, &hi));
	for (int i = 0; i < 5; i++)
		assert_false(deck_args_range(&o.a, "port", 0, 65535, &lo, &hi));
	assert_true(lo == 7 && hi == 7);
	assert_int_equal(o.t.report.n_errors, 5);
	test_deck_done(&o.t);
}

static void test_word(void **state)
{
	static const char *const words[] = {"RED", "GREEN", "BLUE"};
	struct one o;
	unsigned i;
	bool on;

	(void)state;
	begin(&o, "CMD green GREY on Off yes");
	assert_true(deck_args_word(&o.a, "colour", words, 3, &i));
	assert_int_equal(i, 1);
	assert_false(deck_args_word(&o.a, "colour", words, 3, &i));
	assert_true(deck_args_on_off(&o.a, "switch", &on));
	assert_true(on);
	assert_true(deck_args_on_off(&o.a, "switch", &on));
	assert_false(on);
	assert_false(deck_args_on_off(&o.a, "switch", &on));
	end(&o, "1:11: error: CMD colour 'GREY': expected RED, GREEN or "
		"BLUE\n"
		"1:23: error: CMD switch 'yes': expected OFF or ON\n");
}

static void test_dur(void **state)
{
	struct one o;
	int64_t ns;

	(void)state;
	begin(&o, "CMD 200MS 1s 50us 0 2000MS 1 1.5S 1MIN "
		  "99999999999999999S");
	assert_true(deck_args_dur(&o.a, "t", 0, 2000000000, &ns));
	assert_int_equal(ns, 200000000);
	assert_true(deck_args_dur(&o.a, "t", 0, 2000000000, &ns));
	assert_int_equal(ns, 1000000000);
	assert_true(deck_args_dur(&o.a, "t", 0, 2000000000, &ns));
	assert_int_equal(ns, 50000);
	assert_true(deck_args_dur(&o.a, "t", 0, 2000000000, &ns));
	assert_int_equal(ns, 0);
	assert_true(deck_args_dur(&o.a, "t", 0, 2000000000, &ns));
	for (int i = 0; i < 4; i++)
		assert_false(deck_args_dur(&o.a, "t", 0, 2000000000, &ns));
	assert_int_equal(ns, 2000000000);
	assert_string_equal(o.t.report.notes[0].text,
			    "CMD t '1': expected a time with unit (S, MS, "
			    "US), 0..2S");
	test_deck_done(&o.t);
}

static void test_size(void **state)
{
	struct one o;
	uint64_t v;

	(void)state;
	begin(&o, "CMD 65536 64k 1G 0 1 2T 17179869184G 18446744073709551615");
	assert_true(deck_args_size(&o.a, "s", 4096, 1u << 30, &v));
	assert_int_equal(v, 65536);
	assert_true(deck_args_size(&o.a, "s", 4096, 1u << 30, &v));
	assert_int_equal(v, 65536);
	assert_true(deck_args_size(&o.a, "s", 4096, 1u << 30, &v));
	assert_int_equal(v, 1u << 30);
	for (int i = 0; i < 5; i++)
		assert_false(deck_args_size(&o.a, "s", 4096, 1u << 30, &v));
	assert_string_equal(o.t.report.notes[0].text,
			    "CMD s '0': expected bytes, or with unit K, M or "
			    "G, 4K..1G");
	test_deck_done(&o.t);
}

/* What is formatted is read back as the same value. */
static void test_units_round_trip(void **state)
{
	static const int64_t values[] = {0,          1,          999,
					 1000,       1500,       200000000,
					 1000000000, 1000001000, 3600000000000};
	char text[64], unit[DECK_UNIT_TEXT_MAX];
	struct one o;
	uint64_t size;
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		snprintf(text, sizeof(text), "CMD %s",
			 deck_format_dur(values[i], unit));
		begin(&o, text);
		assert_true(deck_args_dur(&o.a, "t", 0, INT64_MAX, &ns));
		assert_int_equal(ns, values[i]);
		end(&o, "");
		snprintf(text, sizeof(text), "CMD %s",
			 deck_format_size((uint64_t)values[i], unit));
		begin(&o, text);
		assert_true(deck_args_size(&o.a, "s", 0, UINT64_MAX, &size));
		assert_int_equal(size, values[i]);
		end(&o, "");
	}
	assert_string_equal(deck_format_dur(1500000000, unit), "1500MS");
	assert_string_equal(deck_format_size(3u << 20, unit), "3M");
	assert_string_equal(deck_format_size((1u << 20) + 1, unit), "1048577");
}

static void test_names_and_paths(void **state)
{
	struct one o;
	char name[9], path[108];

	(void)state;
	begin(&o, "CMD OSA0 a-b_c toolongname sl/ash k\xc3\xa4se /run/x.sock "
		  "rel/x /");
	assert_true(deck_args_name(&o.a, "name", "", 8, name));
	assert_string_equal(name, "OSA0");
	assert_true(deck_args_name(&o.a, "name", "-_", 8, name));
	for (int i = 0; i < 3; i++)
		assert_false(deck_args_name(&o.a, "name", "-_", 8, name));
	assert_string_equal(name, "a-b_c");
	assert_true(deck_args_path(&o.a, "path", 107, path));
	assert_string_equal(path, "/run/x.sock");
	assert_false(deck_args_path(&o.a, "path", 107, path));
	assert_true(deck_args_path(&o.a, "path", 1, path));
	test_deck_done(&o.t);
}

static void test_path_length(void **state)
{
	char record[256] = "CMD /", path[108];
	struct one o;

	(void)state;
	memset(record + 5, 'p', 106); /* 107 bytes with the slash */
	begin(&o, record);
	assert_true(deck_args_path(&o.a, "path", 107, path));
	assert_int_equal(strlen(path), 107);
	end(&o, "");
	record[111] = 'p';
	begin(&o, record);
	assert_false(deck_args_path(&o.a, "path", 107, path));
	test_deck_done(&o.t);
}

static void test_cuu(void **state)
{
	struct one o;
	char cuu[5];

	(void)state;
	begin(&o, "CMD d10 FfFf D1 D1000 XYZ");
	assert_true(deck_args_cuu(&o.a, "cuu", cuu));
	assert_string_equal(cuu, "D10");
	assert_true(deck_args_cuu(&o.a, "cuu", cuu));
	assert_string_equal(cuu, "FFFF");
	for (int i = 0; i < 3; i++)
		assert_false(deck_args_cuu(&o.a, "cuu", cuu));
	test_deck_done(&o.t);
}

static void test_mac(void **state)
{
	static const uint8_t want[6] = {0x02, 0x00, 0x5e, 0x00, 0x53, 0xab};
	struct one o;
	uint8_t mac[6];

	(void)state;
	begin(&o, "CMD 02005E0053ab 02:00:5e:00:53:AB 02-00-5E-00-53-AB "
		  "000000000000 01005E000001 02005E0053 02005E0053ABCD "
		  "02:00:5e:00:53:A 02005E0053AG");
	for (int i = 0; i < 3; i++) {
		memset(mac, 0, 6);
		assert_true(deck_args_mac(&o.a, "mac", mac));
		assert_memory_equal(mac, want, 6);
	}
	for (int i = 0; i < 6; i++)
		assert_false(deck_args_mac(&o.a, "mac", mac));
	assert_memory_equal(mac, want, 6);
	test_deck_done(&o.t);
}

static void test_addr(void **state)
{
	char text[ADDR_TEXT_MAX];
	struct ip_addr addr;
	struct one o;

	(void)state;
	begin(&o, "CMD 192.0.2.1 2001:DB8::1 ::0 192.0.2 192.0.2.256 fe80::%1 "
		  "192.0.2.1 ::1");
	assert_true(deck_args_addr(&o.a, "a", IP_NONE, &addr));
	assert_true(deck_args_addr(&o.a, "a", IP_NONE, &addr));
	assert_string_equal(ip_format(&addr, text), "2001:db8::1");
	assert_true(deck_args_addr(&o.a, "a", IP_V6, &addr));
	assert_true(ip_is_any(&addr));
	for (int i = 0; i < 3; i++)
		assert_false(deck_args_addr(&o.a, "a", IP_NONE, &addr));
	assert_false(deck_args_addr(&o.a, "a", IP_V6, &addr));
	assert_false(deck_args_addr(&o.a, "a", IP_V4, &addr));
	assert_string_equal(o.t.report.notes[4].text,
			    "CMD a '::1': expected an IPv4 address");
	test_deck_done(&o.t);
}

static void test_mask(void **state)
{
	static const uint8_t want[] = {24, 0, 32, 17, 25};
	struct one o;
	uint8_t len;

	(void)state;
	begin(&o, "CMD 255.255.255.0 0.0.0.0 255.255.255.255 /17 "
		  "255.255.255.128 255.0.255.0 /33 ::0 / 24 /x");
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		assert_true(deck_args_mask(&o.a, "m", IP_V4, 0, &len));
		assert_int_equal(len, want[i]);
	}
	for (int i = 0; i < 6; i++)
		assert_false(deck_args_mask(&o.a, "m", IP_V4, 0, &len));
	test_deck_done(&o.t);
	begin(&o, "CMD /64 ::0 ffff:ffff:: /128 /129 255.255.0.0 ::ffff /0");
	assert_true(deck_args_mask(&o.a, "m", IP_V6, 0, &len));
	assert_int_equal(len, 64);
	assert_true(deck_args_mask(&o.a, "m", IP_V6, 0, &len));
	assert_int_equal(len, 0);
	assert_true(deck_args_mask(&o.a, "m", IP_V6, 0, &len));
	assert_int_equal(len, 32);
	assert_true(deck_args_mask(&o.a, "m", IP_V6, 0, &len));
	assert_int_equal(len, 128);
	for (int i = 0; i < 3; i++)
		assert_false(deck_args_mask(&o.a, "m", IP_V6, 0, &len));
	assert_false(deck_args_mask(&o.a, "m", IP_V6, 1, &len));
	test_deck_done(&o.t);
}

static void test_prefix(void **state)
{
	struct ip_prefix p;
	struct one o;

	(void)state;
	begin(&o, "CMD 192.0.2.5/24 192.0.2.5 2001:db8::1/64 ::1 ::0/0 "
		  "192.0.2.5/ 192.0.2.5/33 /24 2001:db8::/129 x/24");
	assert_true(deck_args_prefix(&o.a, "p", IP_NONE, &p));
	assert_int_equal(p.len, 24);
	assert_int_equal(p.addr.b[3], 5); /* host bits stay */
	assert_true(deck_args_prefix(&o.a, "p", IP_V4, &p));
	assert_int_equal(p.len, 32);
	assert_true(deck_args_prefix(&o.a, "p", IP_V6, &p));
	assert_int_equal(p.len, 64);
	assert_true(deck_args_prefix(&o.a, "p", IP_NONE, &p));
	assert_int_equal(p.len, 128);
	assert_true(deck_args_prefix(&o.a, "p", IP_NONE, &p));
	assert_int_equal(p.len, 0);
	for (int i = 0; i < 5; i++)
		assert_false(deck_args_prefix(&o.a, "p", IP_NONE, &p));
	test_deck_done(&o.t);
}

static void test_too_many_operands(void **state)
{
	char record[512] = "CMD";
	struct one o;

	(void)state;
	for (int i = 0; i <= DECK_OPERANDS_MAX; i++)
		strncat(record, " w", sizeof(record) - strlen(record) - 1);
	begin(&o, record);
	assert_int_equal(o.a.errors, 1);
	end(&o, "1:1: error: CMD: expected at most 64 operands\n");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_u32),
	cmocka_unit_test(test_u32_whole_range),
	cmocka_unit_test(test_missing_is_said_once),
	cmocka_unit_test(test_end),
	cmocka_unit_test(test_continuation),
	cmocka_unit_test(test_secret),
	cmocka_unit_test(test_range),
	cmocka_unit_test(test_word),
	cmocka_unit_test(test_dur),
	cmocka_unit_test(test_size),
	cmocka_unit_test(test_units_round_trip),
	cmocka_unit_test(test_names_and_paths),
	cmocka_unit_test(test_path_length),
	cmocka_unit_test(test_cuu),
	cmocka_unit_test(test_mac),
	cmocka_unit_test(test_addr),
	cmocka_unit_test(test_mask),
	cmocka_unit_test(test_prefix),
	cmocka_unit_test(test_too_many_operands),
};

UNIT_MAIN(tests)
