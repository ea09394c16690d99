/* What takes no bytes: told once, then given up. */
#include "session/stall.h"
#include "unit.h"

static mono_t at(int seconds)
{
	return mono_add((mono_t){1}, DUR_S(seconds));
}

static void test_told_once_then_given_up(void **state UNUSED)
{
	struct stall s;

	stall_begin(&s, DUR_S(60), DUR_S(100), at(0));
	assert_int_equal(stall_deadline(&s).ns, at(60).ns);
	assert_int_equal(stall_expire(&s, at(59)), STALL_NOTHING);
	assert_int_equal(stall_expire(&s, at(60)), STALL_STALLED);
	assert_int_equal(stall_deadline(&s).ns, at(100).ns);
	assert_int_equal(stall_expire(&s, at(99)), STALL_NOTHING);
	assert_int_equal(stall_expire(&s, at(100)), STALL_GIVE_UP);
	assert_true(mono_is_never(stall_deadline(&s)));
	assert_int_equal(stall_expire(&s, at(999)), STALL_NOTHING);
}

static void test_bytes_begin_the_time_again(void **state UNUSED)
{
	struct stall s;

	stall_begin(&s, DUR_S(60), DUR_S(100), at(0));
	assert_false(stall_moved(&s, at(50)));
	assert_int_equal(stall_expire(&s, at(109)), STALL_NOTHING);
	assert_int_equal(stall_expire(&s, at(110)), STALL_STALLED);
	assert_true(stall_moved(&s, at(120)));
	assert_false(stall_moved(&s, at(121)));
	assert_int_equal(stall_deadline(&s).ns, at(181).ns);
}

static void test_nothing_is_due_after_the_last_byte(void **state UNUSED)
{
	struct stall s;

	stall_begin(&s, DUR_S(60), DUR_S(100), at(0));
	assert_int_equal(stall_expire(&s, at(60)), STALL_STALLED);
	stall_end(&s);
	assert_true(mono_is_never(stall_deadline(&s)));
	assert_int_equal(stall_expire(&s, at(500)), STALL_NOTHING);
	assert_false(stall_moved(&s, at(500)));
}

static void test_give_up_may_come_first(void **state UNUSED)
{
	struct stall s;

	stall_begin(&s, DUR_S(60), DUR_S(5), at(0));
	assert_int_equal(stall_deadline(&s).ns, at(5).ns);
	assert_int_equal(stall_expire(&s, at(5)), STALL_GIVE_UP);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_told_once_then_given_up),
	cmocka_unit_test(test_bytes_begin_the_time_again),
	cmocka_unit_test(test_nothing_is_due_after_the_last_byte),
	cmocka_unit_test(test_give_up_may_come_first),
};

UNIT_MAIN(tests)
