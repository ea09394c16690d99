/* test_wheel.c: deadlines on virtual time. */
#include "relay/wheel.h"
#include "unit.h"

#define MS UINT64_C(1000000)
#define TIMERS 500

static struct wheel wheel;

static mono_t at_ms(uint64_t ms)
{
	return (mono_t){ms * MS};
}

static void start(uint64_t ms)
{
	wheel_init(&wheel, at_ms(ms));
}

/* Runs from `from` to `to`, always to the wheel's own deadline; when `t` came
 * up, in ms, or 0. */
static uint64_t fires(const struct wheel_timer *t, uint64_t from, uint64_t to)
{
	uint64_t now = from;

	while (now < to) {
		mono_t next = wheel_deadline(&wheel);
		struct wheel_timer *x;

		if (mono_is_never(next))
			return 0;
		assert_true(next.ns > now * MS); /* law: no spinning */
		now = (next.ns + MS - 1) / MS;
		while ((x = wheel_expired(&wheel, at_ms(now)))) {
			if (x == t)
				return now;
		}
	}
	return 0;
}

static void never_early_and_at_most_a_tick_late(void **state)
{
	struct wheel_timer t;
	uint64_t fired;

	(void)state;
	for (uint64_t d = 1; d < 400000; d = d * 5 / 3 + 1) {
		start(123456);
		wheel_timer_init(&t);
		wheel_set(&wheel, &t, at_ms(123456 + d));
		fired = fires(&t, 123456, 123456 + d + 1000);
		assert_in_range(fired, 123456 + d,
				123456 + d + 2 * WHEEL_TICK_MS);
		assert_true(mono_is_never(wheel_deadline(&wheel)));
	}
}

static void later_again_costs_no_move_and_holds(void **state)
{
	struct wheel_timer t;

	(void)state;
	start(1000);
	wheel_timer_init(&t);
	wheel_set(&wheel, &t, at_ms(2000));
	wheel_set(&wheel, &t, at_ms(9000));
	assert_in_range(fires(&t, 1000, 20000), 9000, 9100);
}

static void earlier_moves_it(void **state)
{
	struct wheel_timer t;

	(void)state;
	start(1000);
	wheel_timer_init(&t);
	wheel_set(&wheel, &t, at_ms(60000));
	wheel_set(&wheel, &t, at_ms(1500));
	assert_in_range(fires(&t, 1000, 90000), 1500, 1600);
}

static void stopped_never_fires(void **state)
{
	struct wheel_timer t, other;

	(void)state;
	start(1000);
	wheel_timer_init(&t);
	wheel_timer_init(&other);
	wheel_set(&wheel, &t, at_ms(1500));
	wheel_set(&wheel, &other, at_ms(1500));
	wheel_stop(&t);
	wheel_stop(&t); /* harmless */
	assert_in_range(fires(&other, 1000, 5000), 1500, 1600);
	assert_null(wheel_expired(&wheel, at_ms(90000)));
	wheel_set(&wheel, &t, at_ms(91000));
	wheel_set(&wheel, &t, MONO_NEVER);
	assert_int_equal(fires(&t, 90000, 95000), 0);
}

static void many_of_all_lengths_each_once(void **state)
{
	static struct wheel_timer t[TIMERS];
	unsigned fired = 0;

	(void)state;
	start(7);
	for (uint64_t i = 0; i < TIMERS; i++) {
		wheel_timer_init(&t[i]);
		wheel_set(&wheel, &t[i], at_ms(7 + i * i));
	}
	for (uint64_t now = 7; now < 7 + (uint64_t)TIMERS * TIMERS;
	     now += 1234) {
		struct wheel_timer *x;

		while ((x = wheel_expired(&wheel, at_ms(now)))) {
			uint64_t i = (uint64_t)(x - t);

			assert_true(7 + i * i <= now);
			fired++;
		}
	}
	assert_int_equal(fired, TIMERS);
}

static void a_long_sleep_brings_all(void **state)
{
	struct wheel_timer a, b;

	(void)state;
	start(0);
	wheel_timer_init(&a);
	wheel_timer_init(&b);
	wheel_set(&wheel, &a, at_ms(100));
	wheel_set(&wheel, &b, at_ms(3600 * 1000));
	assert_non_null(wheel_expired(&wheel, at_ms(86400 * 1000)));
	assert_non_null(wheel_expired(&wheel, at_ms(86400 * 1000)));
	assert_null(wheel_expired(&wheel, at_ms(86400 * 1000)));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(never_early_and_at_most_a_tick_late),
	cmocka_unit_test(later_again_costs_no_move_and_holds),
	cmocka_unit_test(earlier_moves_it),
	cmocka_unit_test(stopped_never_fires),
	cmocka_unit_test(many_of_all_lengths_each_once),
	cmocka_unit_test(a_long_sleep_brings_all),
};

UNIT_MAIN(tests)
