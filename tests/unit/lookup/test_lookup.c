/* test_lookup: names are looked up on other threads, and answers come when
 * the owner collects them. Names here need no name server. */
#include "unit.h"

#include "lookup/lookup.h"

#include <errno.h>
#include <poll.h>

#define MANY 200

static struct lookup *lookup;

struct asker {
	struct lookup_query *q;
	int answers;
	uint32_t n;
	bool error;
	struct ip_addr first;
	enum { KEEP, FREE, AGAIN } then;
};

static void on_answer(void *arg, const struct lookup_answer *a)
{
	struct asker *x = arg;

	x->answers++;
	x->n = a->n;
	x->error = a->error;
	assert_true(a->error ? a->n == 0 : a->n > 0);
	if (a->n)
		x->first = a->addrs[0];
	if (x->then == FREE) {
		lookup_query_free(x->q);
		x->q = NULL;
	} else if (x->then == AGAIN && x->answers < 3) {
		lookup_ask(x->q);
	}
}

static void collect_until(const struct asker *x, int answers)
{
	struct pollfd p = {.fd = lookup_fd(lookup), .events = POLLIN};

	while (x->answers < answers) {
		assert_int_equal(poll(&p, 1, 60000), 1);
		lookup_collect(lookup);
	}
}

static void ask(struct asker *x, const char *host, enum ip_family family)
{
	assert_int_equal(lookup_query_new(lookup, "*", host, family, on_answer,
					  x, &x->q),
			 0);
	lookup_ask(x->q);
}

static void test_answers(void **state)
{
	struct asker v4 = {0}, v6 = {0}, wrong = {0}, none = {0}, name = {0};
	struct ip_addr loopback;

	(void)state;
	assert_int_equal(lookup_new(2, &lookup), 0);
	ask(&v4, "127.0.0.1", IP_NONE);
	ask(&v6, "::1", IP_V6);
	ask(&wrong, "127.0.0.1", IP_V6);
	ask(&none, "no name of a host", IP_NONE);
	ask(&name, "localhost", IP_V4);
	collect_until(&v4, 1);
	collect_until(&v6, 1);
	collect_until(&wrong, 1);
	collect_until(&none, 1);
	collect_until(&name, 1);
	assert_int_equal(ip_parse("127.0.0.1", &loopback), 0);
	assert_int_equal(v4.n, 1);
	assert_true(ip_eq(&v4.first, &loopback));
	assert_true(ip_eq(&name.first, &loopback));
	assert_int_equal(v6.first.family, IP_V6);
	assert_true(wrong.error && none.error);
	lookup_query_free(v4.q);
	lookup_query_free(v6.q);
	lookup_query_free(wrong.q);
	lookup_query_free(none.q);
	lookup_query_free(name.q);
	lookup_free(lookup);
}

static void test_asked_again_and_freed_inside(void **state)
{
	struct asker again = {.then = AGAIN}, once = {.then = FREE};

	(void)state;
	assert_int_equal(lookup_new(1, &lookup), 0);
	ask(&again, "127.0.0.1", IP_NONE);
	lookup_ask(again.q); /* it is under way: one answer */
	ask(&once, "127.0.0.1", IP_NONE);
	collect_until(&again, 3);
	collect_until(&once, 1);
	assert_null(once.q);
	lookup_query_free(again.q);
	lookup_free(lookup);
}

/* In every state: waiting, inside a thread, answered and not collected. */
static void test_freed_at_any_time(void **state)
{
	static struct asker many[MANY];
	struct asker last = {0};

	(void)state;
	assert_int_equal(lookup_new(3, &lookup), 0);
	for (int i = 0; i < MANY; i++)
		ask(&many[i], "127.0.0.1", IP_NONE);
	for (int i = 0; i < MANY; i++)
		lookup_query_free(many[i].q);
	ask(&last, "127.0.0.1", IP_NONE);
	collect_until(&last, 1);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(many[i].answers, 0);
	lookup_query_free(last.q);
	/* and the whole of it, with questions open */
	for (int i = 0; i < MANY; i++)
		ask(&many[i], "localhost", IP_NONE);
	for (int i = 0; i < MANY; i++)
		lookup_query_free(many[i].q);
	lookup_free(lookup);
}

static void test_names_too_long(void **state)
{
	char host[LOOKUP_HOST_MAX + 2];
	struct asker x = {0};

	(void)state;
	memset(host, 'a', sizeof host - 1);
	host[sizeof host - 1] = '\0';
	assert_int_equal(lookup_new(1, &lookup), 0);
	assert_int_equal(lookup_query_new(lookup, "*", host, IP_NONE, on_answer,
					  &x, &x.q),
			 -ENAMETOOLONG);
	lookup_query_free(NULL);
	lookup_free(lookup);
	lookup_free(NULL);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_answers),
	cmocka_unit_test(test_asked_again_and_freed_inside),
	cmocka_unit_test(test_freed_at_any_time),
	cmocka_unit_test(test_names_too_long),
};

UNIT_MAIN(tests)
