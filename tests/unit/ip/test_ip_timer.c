/* The heap of timers against a plain list. */
#include "ip/ip_int.h"
#include "world.h"

#define N 200

static struct world w;
static struct ip_timer t[N];

/* The earliest of all, by looking at each. */
static uint64_t earliest(void)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < N; i++)
		best = MIN(best, t[i].at.ns);
	return best;
}

static void agrees_with_a_plain_list(void **state UNUSED)
{
	uint32_t before;

	world_init(&w, NULL);
	before = w.ips->timers.registered;
	for (int i = 0; i < N; i++)
		assert_int_equal(ip_timer_init(w.ips, &t[i], IP_T_PMTU), 0);
	for (int round = 0; round < 20000; round++) {
		int i = (int)ip_random(w.ips, 0, N - 1);

		if (ip_random(w.ips, 0, 3) == 0)
			ip_timer_stop(w.ips, &t[i]);
		else
			ip_timer_arm(w.ips, &t[i],
				     (mono_t){ip_random(w.ips, 1, 1000)});
		assert_true(ip_deadline(w.ips).ns == earliest());
	}
	/* they come out in order, each once */
	for (uint64_t last = 0, want = earliest(); want != UINT64_MAX;
	     want = earliest()) {
		struct ip_timer *due;

		assert_null(ip_timer_due(w.ips, (mono_t){want - 1}));
		due = ip_timer_due(w.ips, (mono_t){want});
		assert_non_null(due);
		assert_true(mono_is_never(due->at));
		assert_true(want >= last);
		last = want;
	}
	assert_true(mono_is_never(ip_deadline(w.ips)));
	for (int i = 0; i < N; i++)
		ip_timer_fini(w.ips, &t[i]);
	ip_timer_fini(w.ips, &(struct ip_timer){0}); /* never initialised */
	assert_int_equal(w.ips->timers.registered, before);
	world_fini(&w);
}

static void never_means_off(void **state UNUSED)
{
	world_init(&w, NULL);
	assert_int_equal(ip_timer_init(w.ips, &t[0], IP_T_PMTU), 0);
	ip_timer_arm(w.ips, &t[0], (mono_t){5});
	ip_timer_arm(w.ips, &t[0], MONO_NEVER);
	assert_true(mono_is_never(ip_deadline(w.ips)));
	ip_timer_stop(w.ips, &t[0]);
	ip_timer_fini(w.ips, &t[0]);
	world_fini(&w);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(agrees_with_a_plain_list),
	cmocka_unit_test(never_means_off),
};

UNIT_MAIN(tests)
