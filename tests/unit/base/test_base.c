/* Hash, time, cursors, lists. */
#include "base/base.h"
#include "base/cursor.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/mono.h"
#include "unit.h"

/*
 * SipHash-2-4 with key 00..0f over the inputs "", 00, 00 01, ... up to 63
 * bytes: the test vector that came with the algorithm. The first and the
 * last, those around a word's end, and the example of the paper's
 * appendix (15 bytes) are compared one by one.
 */
static void siphash_vectors(void **state UNUSED)
{
	static const struct {
		size_t len;
		uint64_t want;
	} c[] = {
		{0, 0x726fdb47dd0e0e31u},  {1, 0x74f839c593dc67fdu},
		{7, 0xab0200f58b01d137u},  {8, 0x93f5f5799a932462u},
		{15, 0xa129ca6149be45e5u}, {16, 0x3f2acc7f57c29bdbu},
		{63, 0x958a324ceb064572u},
	};
	/* little-endian words of 00..0f */
	struct hash_key key = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
	uint8_t in[64];

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)i;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++)
		assert_true(hash_bytes(&key, in, c[i].len) == c[i].want);
	key.k0++;
	assert_false(hash_bytes(&key, in, 15) == 0xa129ca6149be45e5u);
}

static void points_and_lengths_of_time(void **state UNUSED)
{
	mono_t t = {1000};

	assert_int_equal(mono_add(t, DUR_US(2)).ns, 3000);
	assert_int_equal(mono_add(t, DUR_NS(-400)).ns, 600);
	assert_int_equal(mono_add(t, DUR_S(-1)).ns, 0); /* never wraps */
	assert_true(mono_is_never(mono_add(MONO_NEVER, DUR_S(-5))));
	assert_false(
		mono_is_never(mono_add((mono_t){UINT64_MAX - 10}, DUR_S(1))));
	assert_true(mono_lt(mono_add((mono_t){UINT64_MAX - 10}, DUR_S(1)),
			    MONO_NEVER));
	assert_true(mono_lt(t, MONO_NEVER));
	assert_true(mono_leq(t, t));
	assert_false(mono_lt(t, t));
	assert_int_equal(mono_sub((mono_t){5}, (mono_t){9}).ns, -4);
	assert_int_equal(mono_min(t, (mono_t){5}).ns, 5);
	assert_int_equal(mono_max(t, (mono_t){5}).ns, 1000);
	assert_int_equal(dur_ms(DUR_S(2)), 2000);
	assert_int_equal(dur_us(DUR_MS(3)), 3000);
	assert_int_equal(dur_mul(dur_add(DUR_MS(1), DUR_MS(2)), 4).ns,
			 12000000);
	assert_int_equal(dur_min(DUR_NS(-1), DUR_NS(1)).ns, -1);
	assert_int_equal(dur_max(DUR_NS(-1), DUR_NS(1)).ns, 1);
	assert_true(dur_lt(DUR_NS(-1), DUR_NS(0)));
}

static void the_clock_moves_on(void **state UNUSED)
{
	mono_t a = mono_now(), b = mono_now();

	assert_true(mono_leq(a, b));
	assert_true(a.ns > 0);
}

static void readers_never_pass_the_end(void **state UNUSED)
{
	static const uint8_t b[] = {1, 2, 3, 4, 5, 6, 7, 8};
	struct rcur c = rcur_of(b, sizeof(b));
	uint8_t out[4];

	assert_int_equal(rcur_8(&c), 1);
	assert_int_equal(rcur_16(&c), 0x0203);
	assert_int_equal(rcur_32(&c), 0x04050607);
	assert_int_equal(rcur_left(&c), 1);
	assert_true(rcur_ok(&c));
	assert_int_equal(rcur_16(&c), 0); /* one byte is left: too few */
	assert_false(rcur_ok(&c));
	assert_int_equal(rcur_left(&c), 0);
	assert_int_equal(rcur_8(&c), 0); /* bad stays bad */
	memset(out, 9, sizeof(out));
	rcur_copy(&c, out, 4);
	assert_int_equal(out[0] | out[3], 0);
	c = rcur_of(b, 0);
	assert_null(rcur_bytes(&c, 1));
	c = rcur_of(b, 8);
	assert_ptr_equal(rcur_bytes(&c, 8), b);
	assert_true(rcur_ok(&c));
	/* what there was too little of reads as nothing */
	c = rcur_of(rcur_bytes(&c, 3), 3);
	assert_false(rcur_ok(&c));
	c = rcur_of(NULL, 0);
	assert_non_null(rcur_bytes(&c, 0));
	assert_true(rcur_ok(&c));
	assert_int_equal(rcur_8(&c), 0);
	assert_false(rcur_ok(&c));
}

static void writers_never_pass_the_end(void **state UNUSED)
{
	uint8_t b[8] = {0};
	struct wcur c = wcur_of(b, 7);

	wcur_8(&c, 1);
	wcur_16(&c, 0x0203);
	wcur_32(&c, 0x04050607);
	assert_true(wcur_ok(&c));
	assert_int_equal(wcur_len(&c), 7);
	assert_memory_equal(b, "\1\2\3\4\5\6\7", 7);
	wcur_8(&c, 99);
	assert_false(wcur_ok(&c));
	assert_int_equal(wcur_len(&c), 7);
	assert_int_equal(b[7], 0);
	c = wcur_of(b, 3);
	wcur_copy(&c, "abcd", 4);
	assert_false(wcur_ok(&c));
	assert_int_equal(b[0], 1);
}

struct item {
	int v;
	struct list node;
};

static void lists(void **state UNUSED)
{
	struct item it[4] = {{.v = 0}, {.v = 1}, {.v = 2}, {.v = 3}};
	struct list head;
	int want = 0;

	list_init(&head);
	assert_true(list_empty(&head));
	assert_null(list_pop_head(&head));
	for (int i = 1; i < 4; i++)
		list_push_tail(&head, &it[i].node);
	list_push_head(&head, &it[0].node);
	LIST_FOREACH (l, &head) {
		assert_int_equal(container_of(l, struct item, node)->v, want);
		want++;
	}
	assert_int_equal(want, 4);
	list_remove(&it[2].node);
	list_remove(&it[2].node); /* harmless */
	want = 0;
	LIST_FOREACH_SAFE (l, &head) {
		want += container_of(l, struct item, node)->v;
		list_remove(l);
	}
	assert_int_equal(want, 0 + 1 + 3);
	assert_true(list_empty(&head));
	list_push_tail(&head, &it[2].node);
	assert_ptr_equal(list_pop_head(&head), &it[2].node);
	assert_true(list_empty(&head));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(siphash_vectors),
	cmocka_unit_test(points_and_lengths_of_time),
	cmocka_unit_test(the_clock_moves_on),
	cmocka_unit_test(readers_never_pass_the_end),
	cmocka_unit_test(writers_never_pass_the_end),
	cmocka_unit_test(lists),
};

UNIT_MAIN(tests)
