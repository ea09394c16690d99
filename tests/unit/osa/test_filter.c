/* Trace filters over packets of all kinds. */
#include "osa/filter.h"
#include "unit.h"

#include <string.h>

/* 10.0.0.1:1000 > 10.0.0.2:80 TCP, first 4 bytes of it */
static const uint8_t v4[] = {0x45, 0, 0, 40, 0,  0, 0, 0, 64, 6,    0, 0,
			     10,   0, 0, 1,  10, 0, 0, 2, 3,  0xe8, 0, 80};

/* 2001:db8::1 > 2001:db8::2, hop-by-hop, fragment, UDP 53 > 5353 */
static const uint8_t v6[] = {
	0x60, 0, 0, 0,  0, 24, 0, 64, 0x20, 0x01, 0x0d, 0xb8, 0,    0,    0,
	0,    0, 0, 0,  0, 0,  0, 0,  1,    0x20, 0x01, 0x0d, 0xb8, 0,    0,
	0,    0, 0, 0,  0, 0,  0, 0,  0,    2,    44,   0,    1,    4,    0,
	0,    0, 0, 17, 0, 0,  1, 0,  0,    0,    1,    0,    53,   0x14, 0xe9,
};

static const uint8_t arp[] = {
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0,  1, 8, 6,
	0,    1,    8,    0,    6,    4,    0, 1, 2, 0, 0,  0, 0, 1,
	10,   0,    0,    1,    0,    0,    0, 0, 0, 0, 10, 0, 0, 2,
};

static struct osa_trace_filter host(const char *text, uint8_t len)
{
	struct osa_trace_filter f = {.host.len = len};

	assert_int_equal(ip_parse(text, &f.host.addr), 0);
	return f;
}

static bool m4(struct osa_trace_filter f)
{
	return filter_match(&f, v4, sizeof(v4), false);
}

static bool m6(struct osa_trace_filter f)
{
	return filter_match(&f, v6, sizeof(v6), false);
}

static void test_empty_matches_all(void **state)
{
	struct osa_trace_filter f = {0};

	(void)state;
	assert_true(filter_match(&f, v4, 0, false));
	assert_true(filter_match(&f, arp, 3, true));
	assert_true(m4(f));
}

static void test_v4(void **state)
{
	(void)state;
	assert_true(m4((struct osa_trace_filter){.proto = 6}));
	assert_false(m4((struct osa_trace_filter){.proto = 17}));
	assert_true(m4((struct osa_trace_filter){.port = 80}));
	assert_true(m4((struct osa_trace_filter){.port = 1000}));
	assert_false(m4((struct osa_trace_filter){.port = 81}));
	assert_true(m4(host("10.0.0.1", 32)));
	assert_true(m4(host("10.0.0.2", 32)));
	assert_true(m4(host("10.0.0.0", 24)));
	assert_false(m4(host("10.0.0.3", 32)));
	assert_false(m4(host("2001:db8::1", 128)));
}

static void test_all_parts_must_match(void **state)
{
	struct osa_trace_filter f = host("10.0.0.1", 32);

	(void)state;
	f.port = 80;
	f.proto = 6;
	assert_true(m4(f));
	f.proto = 17;
	assert_false(m4(f));
	f.proto = 6;
	f.port = 22;
	assert_false(m4(f));
}

static void test_v6_behind_extension_headers(void **state)
{
	(void)state;
	assert_true(m6((struct osa_trace_filter){.proto = 17}));
	assert_true(m6((struct osa_trace_filter){.port = 5353}));
	assert_true(m6(host("2001:db8::2", 128)));
	assert_false(m6(host("2001:db8::3", 128)));
	assert_false(m6((struct osa_trace_filter){.proto = 6}));
}

/* Later fragments have an owner but no ports. */
static void test_fragments(void **state)
{
	struct osa_trace_filter port = {.port = 80}, proto = {.proto = 6};
	struct osa_trace_filter port6 = {.port = 53}, proto6 = {.proto = 17};
	uint8_t f4[sizeof(v4)], f6[sizeof(v6)];

	(void)state;
	memcpy(f4, v4, sizeof(v4));
	f4[7] = 1;
	assert_false(filter_match(&port, f4, sizeof(f4), false));
	assert_true(filter_match(&proto, f4, sizeof(f4), false));
	memcpy(f6, v6, sizeof(v6));
	f6[51] = 8;
	assert_false(filter_match(&port6, f6, sizeof(f6), false));
	assert_true(filter_match(&proto6, f6, sizeof(f6), false));
}

static void test_ethernet(void **state)
{
	uint8_t tagged[18 + sizeof(v4)] = {[12] = 0x81, [15] = 7, [16] = 8};
	struct osa_trace_filter f = host("10.0.0.2", 32);

	(void)state;
	memcpy(tagged + 18, v4, sizeof(v4));
	assert_true(filter_match(&f, arp, sizeof(arp), true));
	assert_true(filter_match(&f, tagged, sizeof(tagged), true));
	f.proto = 6;
	assert_false(filter_match(&f, arp, sizeof(arp), true));
	assert_true(filter_match(&f, tagged, sizeof(tagged), true));
	f.port = 80;
	assert_true(filter_match(&f, tagged, sizeof(tagged), true));
}

/* Cut anywhere, nothing is read beyond the end (ASan) and what is missing
 * does not match. */
static void test_cut_short(void **state)
{
	struct osa_trace_filter f = {.port = 80};
	uint8_t *copy;

	(void)state;
	for (size_t n = 0; n < sizeof(v4); n++) {
		copy = test_malloc(n + 1);
		memcpy(copy, v4, n);
		assert_false(filter_match(&f, copy, n, false));
		assert_false(filter_match(&f, copy, n, true));
		test_free(copy);
	}
	f.port = 5353;
	for (size_t n = 0; n < sizeof(v6); n++) {
		copy = test_malloc(n + 1);
		memcpy(copy, v6, n);
		assert_false(filter_match(&f, copy, n, false));
		test_free(copy);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_empty_matches_all),
	cmocka_unit_test(test_v4),
	cmocka_unit_test(test_all_parts_must_match),
	cmocka_unit_test(test_v6_behind_extension_headers),
	cmocka_unit_test(test_fragments),
	cmocka_unit_test(test_ethernet),
	cmocka_unit_test(test_cut_short),
};

UNIT_MAIN(tests)
