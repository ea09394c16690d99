/* Neighbours of a layer 3 port: ageing, questions, frames that wait. */
#include "osa/l3neigh.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static struct l3neigh_table table;
static const uint8_t mac[6] = {2, 0, 0, 0, 0, 9};

static int begin(void **state)
{
	(void)state;
	memset(&table, 0, sizeof(table));
	return 0;
}

static mono_t at(int64_t ms)
{
	return mono_add((mono_t){1000000000}, DUR_MS(ms));
}

static struct ip_addr addr(uint32_t i)
{
	return ip_v4(10, 0, (uint8_t)(i >> 8), (uint8_t)i);
}

static struct frame frame(uint8_t mark)
{
	static uint8_t text[] = "payload";
	struct frame f = {.hdr_len = 34, .hdr = {mark}};

	f.payload_len = 7;
	f.n_iov = 2;
	f.iov[0] = (struct iovec){text, 3};
	f.iov[1] = (struct iovec){text + 3, 4};
	return f;
}

static void test_asked_until_known(void **state)
{
	struct ip_addr a = addr(1);
	struct l3neigh *n = l3neigh_get(&table, &a, at(0));

	(void)state;
	assert_int_equal(l3neigh_use(n, at(0)), L3NEIGH_WAIT_ASK);
	assert_int_equal(l3neigh_use(n, at(499)), L3NEIGH_WAIT);
	assert_int_equal(l3neigh_use(n, at(500)), L3NEIGH_WAIT_ASK);
	assert_null(l3neigh_learn(&table, n, mac, at(600)));
	assert_int_equal(l3neigh_use(n, at(600)), L3NEIGH_SEND);
	assert_memory_equal(n->mac, mac, 6);
	assert_ptr_equal(l3neigh_find(&table, &a), n);
}

/* Asked again after 30 s, given up after 40. */
static void test_ageing(void **state)
{
	struct ip_addr a = addr(1);
	struct l3neigh *n = l3neigh_get(&table, &a, at(0));

	(void)state;
	(void)l3neigh_learn(&table, n, mac, at(0));
	assert_int_equal(l3neigh_use(n, at(29999)), L3NEIGH_SEND);
	assert_int_equal(l3neigh_use(n, at(30000)), L3NEIGH_SEND_ASK);
	assert_int_equal(l3neigh_use(n, at(30100)), L3NEIGH_SEND);
	assert_int_equal(l3neigh_use(n, at(31000)), L3NEIGH_SEND_ASK);
	(void)l3neigh_learn(&table, n, mac, at(31001));
	assert_int_equal(l3neigh_use(n, at(60000)), L3NEIGH_SEND);
	assert_int_equal(l3neigh_use(n, at(71001)), L3NEIGH_WAIT_ASK);
	assert_false(n->known);
}

static void test_one_frame_waits(void **state)
{
	struct ip_addr a = addr(1);
	struct l3neigh *n = l3neigh_get(&table, &a, at(0));
	struct frame f = frame(1), g = frame(2);
	struct l3held *h;
	uint8_t bytes[64];

	(void)state;
	assert_true(l3neigh_hold(&table, n, &f));
	assert_true(l3neigh_hold(&table, n, &g));
	assert_int_equal(table.n_held, 1);
	assert_int_equal(table.lost, 1);
	h = l3neigh_learn(&table, n, mac, at(1));
	assert_non_null(h);
	assert_int_equal(table.n_held, 0);
	assert_int_equal(h->f.hdr[0], 2);
	assert_int_equal(frame_copy(&h->f, bytes, sizeof(bytes)), 41);
	assert_memory_equal(bytes + 34, "payload", 7);
	assert_null(l3neigh_learn(&table, n, mac, at(2)));
	free(h);
}

static void test_limits(void **state)
{
	struct frame f = frame(1);
	struct ip_addr a = addr(0), b = addr(1);

	(void)state;
	for (uint32_t i = 0; i < L3NEIGH_MAX; i++) {
		struct ip_addr x = addr(i);
		struct l3neigh *n = l3neigh_get(&table, &x, at(i));

		assert_int_equal(l3neigh_hold(&table, n, &f),
				 i < L3NEIGH_HELD_MAX);
	}
	/* 0 was used lately, so 1 makes room, with what waited there */
	(void)l3neigh_use(l3neigh_find(&table, &a), at(5000));
	a = addr(1000);
	assert_non_null(l3neigh_get(&table, &a, at(6000)));
	assert_int_equal(table.n, L3NEIGH_MAX);
	assert_int_equal(table.n_held, L3NEIGH_HELD_MAX - 1);
	assert_null(l3neigh_find(&table, &b));
	b = addr(0);
	assert_non_null(l3neigh_find(&table, &b));
	l3neigh_clear(&table);
	assert_int_equal(table.n_held, 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(test_asked_until_known, begin),
	cmocka_unit_test_setup(test_ageing, begin),
	cmocka_unit_test_setup(test_one_frame_waits, begin),
	cmocka_unit_test_setup(test_limits, begin),
};

UNIT_MAIN(tests)
