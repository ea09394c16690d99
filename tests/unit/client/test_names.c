/*
 * test_names: the order of addresses (RFC 6724) and the cache of answers.
 */
#include "unit.h"

#include "client/names_cache.h"
#include "client/names_order.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct names_dest dest(const char *to, const char *src)
{
	struct names_dest d = {.to = {.port = 0}};

	assert_int_equal(ip_parse(to, &d.to.addr), 0);
	if (src)
		assert_int_equal(ip_parse(src, &d.src), 0);
	return d;
}

/* `better` comes first, wherever it stood. */
static void first_is(struct names_dest better, struct names_dest worse)
{
	struct names_dest a[2] = {better, worse}, b[2] = {worse, better};

	names_order(a, 2);
	names_order(b, 2);
	assert_true(ip_eq(&a[0].to.addr, &better.to.addr));
	assert_true(ip_eq(&b[0].to.addr, &better.to.addr));
}

static void order_reachable_first(void **state)
{
	(void)state; /* [RFC6724 6 rule 1] */
	first_is(dest("192.0.2.1", "192.0.2.64"), dest("2001:db8::1", NULL));
}

static void order_scope_of_the_source(void **state)
{
	(void)state; /* [RFC6724 6 rule 2] */
	first_is(dest("192.0.2.1", "192.0.2.64"),
		 dest("2001:db8::1", "fe80::1"));
}

static void order_label_of_the_source(void **state)
{
	(void)state; /* [RFC6724 6 rule 5] */
	first_is(dest("192.0.2.1", "192.0.2.64"),
		 dest("2001:db8::1", "2002:c000:204::1"));
}

static void order_ipv6_before_ipv4(void **state)
{
	(void)state; /* [RFC6724 6 rule 6] */
	first_is(dest("2001:db8::1", "2001:db8::64"),
		 dest("192.0.2.1", "192.0.2.64"));
	first_is(dest("192.0.2.1", "192.0.2.64"), dest("fd00::1", "fd00::64"));
}

static void order_smaller_scope(void **state)
{
	(void)state; /* [RFC6724 6 rule 8] */
	first_is(dest("fe80::2", "fe80::1"),
		 dest("2001:db8::1", "2001:db8::64"));
}

static void order_longest_prefix(void **state)
{
	(void)state; /* [RFC6724 6 rule 9] */
	first_is(dest("2001:db8:1::1", "2001:db8:1::64"),
		 dest("2001:db8:9::1", "2001:db8:1::64"));
}

static void order_ipv4_stays(void **state)
{
	struct names_dest d[2] = {dest("198.51.100.1", "192.0.2.64"),
				  dest("192.0.2.1", "192.0.2.64")};

	(void)state; /* [RFC6724 6 rule 10] */
	names_order(d, 2);
	assert_int_equal(d[0].to.addr.b[0], 198);
}

static void candidates(const char *search, const char *name, const char *want)
{
	struct proto_config cf = {0};
	char full[256], all[1024] = "";
	size_t used = 0;

	snprintf(cf.search, sizeof(cf.search), "%s", search);
	for (unsigned i = 0; names_candidate(&cf, name, i, full, sizeof(full));
	     i++) {
		used += (size_t)snprintf(all + used, sizeof(all) - used, "%s ",
					 full);
	}
	assert_string_equal(all, want);
}

static void search_list(void **state)
{
	(void)state;
	candidates("", "host", "host ");
	candidates("", "host.test", "host.test ");
	candidates("a.test b.test", "host", "host.a.test host.b.test host ");
	candidates("a.test", "host.sub", "host.sub host.sub.a.test ");
	candidates("a.test", "host.", "host. ");
}

static struct names_list list_of(const char *addr)
{
	struct names_list l = {.n = 1};

	assert_int_equal(ip_parse(addr, &l.a[0].addr), 0);
	snprintf(l.canon, sizeof(l.canon), "canonical.test");
	return l;
}

static void cache_for_as_long_as_said(void **state)
{
	struct names_list l = list_of("192.0.2.9"), got = {.n = 0};

	(void)state;
	names_cache_put("host.test", 0, 7, 1000, 30, &l);
	assert_true(names_cache_get("HOST.test", 0, 7, 1029, &got));
	assert_int_equal(got.n, 1);
	assert_string_equal(got.canon, "canonical.test");
	assert_true(ip_eq(&got.a[0].addr, &l.a[0].addr));
	assert_false(names_cache_get("host.test", 0, 7, 1030, &got));
}

static void cache_knows_what_was_asked(void **state)
{
	struct names_list l = list_of("192.0.2.9"), got = {.n = 0};

	(void)state;
	names_cache_put("a.test", 2, 7, 1000, 30, &l);
	assert_false(names_cache_get("a.test", 10, 7, 1000, &got));
	assert_false(names_cache_get("a.test", 2, 8, 1000, &got));
	assert_false(names_cache_get("b.test", 2, 7, 1000, &got));
	assert_true(names_cache_get("a.test", 2, 7, 1000, &got));
}

static void cache_has_limits(void **state)
{
	struct names_list l = list_of("192.0.2.9"), got = {.n = 0};
	char name[NAMES_CACHE_NAME_MAX + 1];

	(void)state;
	names_cache_put("zero.test", 0, 7, 1000, 0, &l);
	assert_false(names_cache_get("zero.test", 0, 7, 1000, &got));
	/* no server's word counts for more than five minutes */
	names_cache_put("long.test", 0, 7, 1000, 86400, &l);
	assert_true(names_cache_get("long.test", 0, 7, 1299, &got));
	assert_false(names_cache_get("long.test", 0, 7, 1300, &got));
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	names_cache_put(name, 0, 7, 1000, 30, &l);
	assert_false(names_cache_get(name, 0, 7, 1000, &got));
	l.n = NAMES_CACHE_ADDRS_MAX + 1;
	names_cache_put("many.test", 0, 7, 1000, 30, &l);
	assert_false(names_cache_get("many.test", 0, 7, 1000, &got));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(order_reachable_first),
	cmocka_unit_test(order_scope_of_the_source),
	cmocka_unit_test(order_label_of_the_source),
	cmocka_unit_test(order_ipv6_before_ipv4),
	cmocka_unit_test(order_smaller_scope),
	cmocka_unit_test(order_longest_prefix),
	cmocka_unit_test(order_ipv4_stays),
	cmocka_unit_test(search_list),
	cmocka_unit_test(cache_for_as_long_as_said),
	cmocka_unit_test(cache_knows_what_was_asked),
	cmocka_unit_test(cache_has_limits),
};

UNIT_MAIN(tests)
