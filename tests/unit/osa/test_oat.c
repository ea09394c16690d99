/* The address table: SETIP, duplicates, networks of the registered. */
#include "osa/oat.h"
#include "unit.h"

#include <errno.h>

static struct ip_prefix prefix(const char *text, uint8_t len)
{
	struct ip_prefix p = {.len = len};

	assert_int_equal(ip_parse(text, &p.addr), 0);
	return p;
}

static int add(struct oat *t, const char *text, uint8_t len)
{
	struct ip_prefix p = prefix(text, len);

	return oat_add(t, &p);
}

static struct ip_addr addr(const char *text)
{
	return prefix(text, 0).addr;
}

static void test_add_and_delete(void **state)
{
	struct oat t = {0};
	struct ip_addr a = addr("10.0.0.1"), b = addr("fd00::1");

	(void)state;
	assert_null(oat_find(&t, &a));
	assert_int_equal(add(&t, "10.0.0.1", 24), 0);
	assert_int_equal(add(&t, "fd00::1", 64), 0);
	assert_int_equal(add(&t, "10.0.0.1", 16), -EEXIST);
	assert_int_equal(oat_find(&t, &a)->pub.addr.len, 24);
	assert_int_equal(oat_del(&t, &a), 0);
	assert_int_equal(oat_del(&t, &a), -ENOENT);
	assert_null(oat_find(&t, &a));
	assert_non_null(oat_find(&t, &b));
	assert_int_equal(t.n, 1);
	oat_clear(&t);
}

static void test_only_unicast(void **state)
{
	struct oat t = {0};

	(void)state;
	assert_int_equal(add(&t, "0.0.0.0", 0), -EINVAL);
	assert_int_equal(add(&t, "::", 0), -EINVAL);
	assert_int_equal(add(&t, "224.0.0.1", 24), -EINVAL);
	assert_int_equal(add(&t, "255.255.255.255", 32), -EINVAL);
	assert_int_equal(add(&t, "10.0.0.1", 33), -EINVAL);
	assert_int_equal(t.n, 0);
}

static void test_limit(void **state)
{
	struct oat t = {0};

	(void)state;
	for (uint32_t i = 0; i <= OSA_ADDRS_MAX; i++) {
		struct ip_prefix p = {
			.addr = ip_v4(10, 0, (uint8_t)(i >> 8), (uint8_t)i),
			.len = 32};

		p.addr.b[1] = 1;
		assert_int_equal(oat_add(&t, &p),
				 i < OSA_ADDRS_MAX ? 0 : -ENOSPC);
	}
	oat_clear(&t);
}

static bool on_link(const struct oat *t, const char *text)
{
	struct ip_addr a = addr(text);

	return oat_on_link(t, &a);
}

static bool broadcast(const struct oat *t, const char *text)
{
	struct ip_addr a = addr(text);

	return oat_is_broadcast(t, &a);
}

static void test_networks(void **state)
{
	struct oat t = {0};

	(void)state;
	assert_int_equal(add(&t, "10.0.0.1", 23), 0);
	assert_int_equal(add(&t, "192.0.2.1", 32), 0);
	assert_int_equal(add(&t, "198.51.100.0", 31), 0);
	assert_int_equal(add(&t, "2001:db8::1", 64), 0);
	assert_true(on_link(&t, "10.0.1.200"));
	assert_false(on_link(&t, "10.0.2.1"));
	assert_true(on_link(&t, "2001:db8::ffff"));
	assert_true(on_link(&t, "fe80::9"));
	assert_true(on_link(&t, "169.254.1.1"));
	assert_false(on_link(&t, "192.0.2.2"));
	assert_true(broadcast(&t, "10.0.1.255"));
	assert_true(broadcast(&t, "255.255.255.255"));
	assert_false(broadcast(&t, "10.0.0.255"));
	assert_false(broadcast(&t, "192.0.2.1"));
	assert_false(broadcast(&t, "198.51.100.1"));
	assert_false(broadcast(&t, "2001:db8::ffff:ffff:ffff:ffff"));
	oat_clear(&t);
}

static void test_source(void **state)
{
	struct oat t = {0};
	struct ip_addr a = addr("10.1.0.9"), b = addr("172.16.0.1");
	struct ip_addr c = addr("fd00::9"), first = addr("10.0.0.1");
	struct ip_addr second = addr("10.1.0.1"), got;

	(void)state;
	assert_int_equal(add(&t, "10.0.0.1", 24), 0);
	assert_int_equal(add(&t, "10.1.0.1", 24), 0);
	got = oat_source(&t, &a);
	assert_true(ip_eq(&got, &second));
	got = oat_source(&t, &b);
	assert_true(ip_eq(&got, &first));
	assert_int_equal(oat_source(&t, &c).family, IP_NONE);
	oat_clear(&t);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_add_and_delete),
	cmocka_unit_test(test_only_unicast),
	cmocka_unit_test(test_limit),
	cmocka_unit_test(test_networks),
	cmocka_unit_test(test_source),
};

UNIT_MAIN(tests)
