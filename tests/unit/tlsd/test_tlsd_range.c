/* test_tlsd_range: a range of addresses as prefixes. */
#include "unit.h"

#include "deck.h"

#include <errno.h>
#include <string.h>

static int prefixes(const char *lo, const char *hi, struct ip_prefix *ret,
		    int max)
{
	struct ip_addr a, b;

	assert_int_equal(ip_parse(lo, &a), 0);
	assert_int_equal(ip_parse(hi, &b), 0);
	return tlsd_range_prefixes(&a, &b, ret, max);
}

static void expect(const char *lo, const char *hi, const char *want)
{
	struct ip_prefix p[TLSD_PREFIXES_MAX];
	char text[4096] = "", one[ADDR_TEXT_MAX];
	int n = prefixes(lo, hi, p, TLSD_PREFIXES_MAX);

	assert_true(n > 0);
	for (int i = 0; i < n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "%s%s/%u", i ? " " : "", ip_format(&p[i].addr, one),
			 p[i].len);
	assert_string_equal(text, want);
}

static void test_known_ranges(void **state)
{
	(void)state;
	expect("192.0.2.7", "192.0.2.7", "192.0.2.7/32");
	expect("192.0.2.0", "192.0.2.255", "192.0.2.0/24");
	expect("192.0.2.3", "192.0.2.9",
	       "192.0.2.3/32 192.0.2.4/30 192.0.2.8/31");
	expect("0.0.0.0", "255.255.255.255", "0.0.0.0/0");
	expect("255.255.255.254", "255.255.255.255", "255.255.255.254/31");
	expect("2001:db8::", "2001:db8::ffff", "2001:db8::/112");
	expect("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0");
}

/* Every address of a range is in exactly one prefix, its neighbours in none. */
static void test_small_ranges_exactly(void **state)
{
	struct ip_prefix p[64];

	(void)state;
	for (unsigned lo = 0; lo < 40; lo++) {
		for (unsigned hi = lo; hi < 40; hi++) {
			struct ip_addr a = ip_v4(10, 0, 0, (uint8_t)lo);
			struct ip_addr b = ip_v4(10, 0, 0, (uint8_t)hi);
			int n = tlsd_range_prefixes(&a, &b, p, 64);

			for (unsigned x = 0; x < 42; x++) {
				struct ip_addr y = ip_v4(10, 0, 0, (uint8_t)x);
				unsigned in = 0;

				for (int i = 0; i < n; i++)
					in += ip_prefix_has(&p[i], &y);
				assert_int_equal(in, x >= lo && x <= hi);
			}
		}
	}
}

static void test_too_many(void **state)
{
	struct ip_prefix p[4];

	(void)state;
	assert_int_equal(prefixes("10.0.0.1", "10.255.255.254", p, 4), -E2BIG);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_known_ranges),
	cmocka_unit_test(test_small_ranges_exactly),
	cmocka_unit_test(test_too_many),
};

UNIT_MAIN(tests)
