/* test_target.c: who gets the next connection. */
#include "target/target.h"
#include "unit.h"

#include <string.h>

static struct target list[4];
static struct target_group g;

static void begin(uint32_t n, bool least)
{
	memset(list, 0, sizeof list);
	g = (struct target_group){.list = list, .n = n, .least = least};
}

/* Index of the next target for a connection that tried none; -1. */
static int next(void)
{
	target_set tried = 0;
	struct target *t = target_pick(&g, &tried);

	return t ? (int)(t - list) : -1;
}

static void round_robin_takes_turns(void **state)
{
	(void)state;
	begin(3, false);
	for (int i = 0; i < 9; i++)
		assert_int_equal(next(), i % 3);
}

static void those_that_are_down_are_left_out(void **state)
{
	(void)state;
	begin(3, false);
	list[1].health = TARGET_DOWN;
	assert_int_equal(next(), 0);
	assert_int_equal(next(), 2);
	assert_int_equal(next(), 0);
}

static void without_any_up_those_down_are_tried(void **state)
{
	(void)state;
	begin(2, false);
	list[0].health = TARGET_DOWN;
	list[1].health = TARGET_DOWN;
	assert_int_equal(next(), 0);
	assert_int_equal(next(), 1);
	list[0].health = TARGET_OFF;
	list[1].health = TARGET_OFF;
	assert_int_equal(next(), -1);
}

static void each_is_tried_once(void **state)
{
	target_set tried = 0;

	(void)state;
	begin(3, false);
	list[0].health = TARGET_DOWN;
	assert_ptr_equal(target_pick(&g, &tried), &list[1]);
	assert_ptr_equal(target_pick(&g, &tried), &list[2]);
	assert_ptr_equal(target_pick(&g, &tried), &list[0]);
	assert_null(target_pick(&g, &tried));
}

static void least_connections(void **state)
{
	(void)state;
	begin(3, true);
	list[0].conns = 5;
	list[1].conns = 3;
	list[2].conns = 4;
	assert_int_equal(next(), 1);
	list[1].conns = 9;
	assert_int_equal(next(), 2);
	/* of equals each in turn */
	list[0].conns = list[1].conns = list[2].conns = 1;
	assert_int_equal(next(), 0);
	assert_int_equal(next(), 1);
	assert_int_equal(next(), 2);
}

static void health_needs_a_streak(void **state)
{
	struct target t = {.health = TARGET_UP};

	(void)state;
	assert_false(target_checked(&t, false, 2, 3));
	assert_false(target_checked(&t, false, 2, 3));
	assert_false(target_checked(&t, true, 2, 3)); /* broken off */
	assert_false(target_checked(&t, false, 2, 3));
	assert_false(target_checked(&t, false, 2, 3));
	assert_true(target_checked(&t, false, 2, 3));
	assert_int_equal(t.health, TARGET_DOWN);
	assert_false(target_checked(&t, true, 2, 3));
	assert_true(target_checked(&t, true, 2, 3));
	assert_int_equal(t.health, TARGET_UP);
	t.health = TARGET_OFF;
	assert_false(target_checked(&t, true, 1, 1));
	assert_int_equal(t.health, TARGET_OFF);
}

/* [RFC8305 4] */
static void addresses_are_interleaved(void **state)
{
	struct ip_addr in[6] = {ip_v4(1, 0, 0, 1), ip_v4(1, 0, 0, 2),
				ip_v4(1, 0, 0, 3), ip_loopback(IP_V6)};
	struct target t = {.n_addrs = 0};

	(void)state;
	target_set_addrs(&t, in, 4, (mono_t){5});
	assert_int_equal(t.n_addrs, 4);
	assert_int_equal(t.addrs[0].family, IP_V6);
	assert_true(ip_eq(&t.addrs[1], &in[0]));
	assert_true(ip_eq(&t.addrs[2], &in[1]));
	assert_true(ip_eq(&t.addrs[3], &in[2]));
}

static void more_addresses_than_fit_are_left_out(void **state)
{
	struct ip_addr in[40];
	struct target t = {.n_addrs = 0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(in); i++)
		in[i] = i % 2 ? ip_v4(1, 2, 3, (uint8_t)i) : ip_loopback(IP_V6);
	target_set_addrs(&t, in, ARRAY_SIZE(in), (mono_t){5});
	assert_int_equal(t.n_addrs, TARGET_ADDRS_MAX);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(round_robin_takes_turns),
	cmocka_unit_test(those_that_are_down_are_left_out),
	cmocka_unit_test(without_any_up_those_down_are_tried),
	cmocka_unit_test(each_is_tried_once),
	cmocka_unit_test(least_connections),
	cmocka_unit_test(health_needs_a_streak),
	cmocka_unit_test(addresses_are_interleaved),
	cmocka_unit_test(more_addresses_than_fit_are_left_out),
};

UNIT_MAIN(tests)
