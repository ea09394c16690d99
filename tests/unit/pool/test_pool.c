/* test_pool: jobs run on workers and come back to the loop. */
#include "unit.h"

#include "ev/ev.h"
#include "pool/pool.h"

#include <pthread.h>
#include <stdatomic.h>

#define JOBS 500

static struct ev_loop *loop;
static struct pool *pool;
static pthread_t loop_thread;
static int done;
static atomic_int wrong_thread;

struct job {
	struct pool_job j;
	int runs;
	int again;
};

static void run(struct pool_job *j)
{
	struct job *x = container_of(j, struct job, j);

	x->runs++;
	wrong_thread += pthread_equal(pthread_self(), loop_thread) != 0;
}

static void finished(struct pool_job *j)
{
	struct job *x = container_of(j, struct job, j);

	wrong_thread += pthread_equal(pthread_self(), loop_thread) == 0;
	if (x->again-- > 0) {
		pool_submit(pool, j);
		return;
	}
	if (++done == JOBS)
		ev_loop_stop(loop);
}

static void test_jobs_come_back(void **state)
{
	static struct job jobs[JOBS];

	(void)state;
	loop_thread = pthread_self();
	assert_int_equal(ev_loop_new(&loop), 0);
	assert_int_equal(pool_new(loop, 4, &pool), 0);
	for (int i = 0; i < JOBS; i++) {
		jobs[i].j = (struct pool_job){.run = run, .done = finished};
		jobs[i].again = i % 3;
		list_init(&jobs[i].j.node);
		pool_submit(pool, &jobs[i].j);
	}
	assert_int_equal(ev_loop_run(loop), 0);
	for (int i = 0; i < JOBS; i++)
		assert_int_equal(jobs[i].runs, 1 + i % 3);
	assert_int_equal(wrong_thread, 0);
	assert_int_equal(pool_waiting(pool), 0);
	pool_free(pool);
	ev_loop_free(loop);
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void blocked(struct pool_job *j)
{
	(void)j;
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
}

static void never(struct pool_job *j)
{
	(void)j;
	wrong_thread++;
}

/* The end does not wait for jobs that nobody has begun. */
static void test_free_forgets_waiting_jobs(void **state)
{
	static struct pool_job first, second;

	(void)state;
	wrong_thread = 0;
	assert_int_equal(ev_loop_new(&loop), 0);
	assert_int_equal(pool_new(loop, 1, &pool), 0);
	first = (struct pool_job){.run = blocked, .done = never};
	second = (struct pool_job){.run = never, .done = never};
	list_init(&first.node);
	list_init(&second.node);
	pthread_mutex_lock(&gate);
	pool_submit(pool, &first);
	while (pool_waiting(pool))
		continue;
	pool_submit(pool, &second);
	assert_int_equal(pool_waiting(pool), 1);
	pthread_mutex_unlock(&gate);
	pool_free(pool);
	ev_loop_free(loop);
	/* the second may have been begun before the stop was seen */
	assert_true(wrong_thread <= 1);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_jobs_come_back),
	cmocka_unit_test(test_free_forgets_waiting_jobs),
};

UNIT_MAIN(tests)
