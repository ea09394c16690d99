#include "unit.h"

#include "daemon/limit.h"

#include <string.h>

#define W DUR_S(LIMIT_WINDOW_S)

static struct limit l;
static mono_t now;

static int setup(void **state)
{
	(void)state;
	limit_init(&l);
	now = mono_add((mono_t){0}, DUR_S(1000));
	return 0;
}

static void pass_time(dur_t d)
{
	now = mono_add(now, d);
}

static void repeats_are_counted_then_told(void **state)
{
	struct limit_repeat rep;

	(void)state;
	assert_true(limit_pass(&l, 5, 1, "text", now));
	for (int i = 0; i < 1000; i++)
		assert_false(limit_pass(&l, 5, 1, "text", now));
	assert_false(limit_due(&l, false, &rep, now));
	assert_int_equal(limit_deadline(&l).ns, mono_add(now, W).ns);
	pass_time(W);
	assert_true(limit_due(&l, false, &rep, now));
	assert_int_equal(rep.id, 5);
	assert_int_equal(rep.count, 1000);
	assert_int_equal(rep.lasted.ns, W.ns);
	assert_false(rep.varied);
	assert_string_equal(rep.text, "text");
	assert_false(limit_due(&l, false, &rep, now));
	assert_true(mono_is_never(limit_deadline(&l)));
}

static void repeat_line_opens_a_new_window(void **state)
{
	struct limit_repeat rep;

	(void)state;
	assert_true(limit_pass(&l, 5, 1, "t", now));
	assert_false(limit_pass(&l, 5, 1, "t", now));
	pass_time(W);
	assert_true(limit_due(&l, false, &rep, now));
	/* it was just told: wait again */
	assert_false(limit_pass(&l, 5, 1, "t", now));
	pass_time(W);
	assert_true(limit_due(&l, false, &rep, now));
	assert_int_equal(rep.count, 1);
	pass_time(W);
	assert_true(limit_pass(&l, 5, 1, "t", now));
}

static void different_events_do_not_disturb(void **state)
{
	(void)state;
	assert_true(limit_pass(&l, 5, 1, "a", now));
	assert_true(limit_pass(&l, 5, 2, "b", now));
	assert_true(limit_pass(&l, 6, 1, "c", now));
	assert_false(limit_pass(&l, 5, 1, "a", now));
}

static void quiet_event_passes_after_a_window(void **state)
{
	(void)state;
	assert_true(limit_pass(&l, 5, 1, "a", now));
	pass_time(DUR_NS(W.ns - 1));
	assert_false(limit_pass(&l, 5, 1, "a", now));
	limit_init(&l);
	assert_true(limit_pass(&l, 5, 1, "a", now));
	pass_time(W);
	assert_true(limit_pass(&l, 5, 1, "a", now));
}

static void varied_keys_meet_the_budget(void **state)
{
	struct limit_repeat rep;
	unsigned passed = 0;

	(void)state;
	for (uint64_t key = 0; key < 100000; key++)
		passed += limit_pass(&l, 9, key, "x", now);
	assert_int_equal(passed, LIMIT_BURST);
	assert_true(limit_pass(&l, 10, 1, "other id", now));
	pass_time(W);
	assert_true(limit_due(&l, false, &rep, now));
	assert_true(rep.varied);
	assert_int_equal(rep.id, 9);
	assert_int_equal(rep.count, 100000 - LIMIT_BURST);
	assert_true(limit_pass(&l, 9, 7777777, "x", now));
}

static void full_table_forgets_the_quiet_first(void **state)
{
	struct limit_repeat rep;

	(void)state;
	assert_true(limit_pass(&l, 1, 1, "noisy", now));
	assert_false(limit_pass(&l, 1, 1, "noisy", now));
	for (unsigned i = 0; i < LIMIT_SLOTS; i++) {
		pass_time(DUR_MS(1));
		assert_true(limit_pass(&l, 100 + i, 0, "quiet", now));
	}
	/* the noisy one is the oldest, and still there */
	assert_false(limit_pass(&l, 1, 1, "noisy", now));
	assert_true(limit_due(&l, true, &rep, now));
	assert_string_equal(rep.text, "noisy");
	assert_int_equal(rep.count, 2);
}

static void the_end_tells_everything(void **state)
{
	struct limit_repeat rep;
	int n = 0;

	(void)state;
	for (unsigned id = 1; id <= 3; id++) {
		assert_true(limit_pass(&l, id, 0, "t", now));
		assert_false(limit_pass(&l, id, 0, "t", now));
	}
	while (limit_due(&l, true, &rep, now))
		n++;
	assert_int_equal(n, 3);
}

static void ids_beyond_the_table_share_a_budget(void **state)
{
	(void)state;
	for (unsigned i = 0; i < LIMIT_BURST; i++)
		assert_true(limit_pass(&l, LIMIT_IDS + i, i, "t", now));
	assert_false(limit_pass(&l, LIMIT_IDS + 4711, 0, "t", now));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(repeats_are_counted_then_told, setup),
	cmocka_unit_test_setup(repeat_line_opens_a_new_window, setup),
	cmocka_unit_test_setup(different_events_do_not_disturb, setup),
	cmocka_unit_test_setup(quiet_event_passes_after_a_window, setup),
	cmocka_unit_test_setup(varied_keys_meet_the_budget, setup),
	cmocka_unit_test_setup(full_table_forgets_the_quiet_first, setup),
	cmocka_unit_test_setup(the_end_tells_everything, setup),
	cmocka_unit_test_setup(ids_beyond_the_table_share_a_budget, setup),
};

UNIT_MAIN(tests)
