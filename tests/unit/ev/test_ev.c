#include "unit.h"

#include "ev/ev.h"

#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct world {
	struct ev_loop *loop;
	struct ev_io *io;
	struct ev_timer *t1, *t2;
	struct ev_signal *sig;
	int fds[2];
	char log[64];
};

static void note(struct world *w, char c)
{
	size_t n = strlen(w->log);

	assert_true(n + 1 < sizeof w->log);
	w->log[n] = c;
}

static int setup(void **state)
{
	static struct world w;

	memset(&w, 0, sizeof w);
	assert_int_equal(ev_loop_new(&w.loop), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, w.fds), 0);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	ev_io_free(w->io);
	ev_timer_free(w->t1);
	ev_timer_free(w->t2);
	ev_signal_free(w->sig);
	ev_loop_free(w->loop);
	close(w->fds[0]);
	close(w->fds[1]);
	return 0;
}

static void on_io(void *arg, int fd, unsigned events)
{
	struct world *w = arg;
	char c;

	assert_int_equal(fd, w->fds[0]);
	if (events & EV_IO_IN) {
		note(w, 'r');
		assert_int_equal(read(fd, &c, 1), 1);
	}
	if (events & EV_IO_OUT)
		note(w, 'w');
}

static void io_reports_only_what_is_watched(void **state)
{
	struct world *w = *state;

	assert_int_equal(
		ev_io_new(w->loop, w->fds[0], EV_IO_IN, on_io, w, &w->io), 0);
	ev_loop_turn(w->loop);
	assert_string_equal(w->log, "");
	assert_int_equal(write(w->fds[1], "ab", 2), 2);
	ev_loop_turn(w->loop);
	ev_loop_turn(w->loop);
	assert_string_equal(w->log, "rr");
	assert_int_equal(ev_io_set(w->io, EV_IO_OUT), 0);
	assert_int_equal(write(w->fds[1], "c", 1), 1);
	ev_loop_turn(w->loop);
	assert_string_equal(w->log, "rrw");
	assert_int_equal(ev_io_set(w->io, 0), 0);
	ev_loop_turn(w->loop);
	assert_string_equal(w->log, "rrw");
}

static void wake(void *arg)
{
	const struct world *w = arg;

	ev_loop_stop(w->loop);
}

static void io_rests_and_comes_back(void **state)
{
	struct world *w = *state;

	assert_int_equal(
		ev_io_new(w->loop, w->fds[0], EV_IO_IN, on_io, w, &w->io), 0);
	assert_int_equal(write(w->fds[1], "ab", 2), 2);
	assert_int_equal(ev_io_rest(w->io, DUR_MS(20)), 0);
	/* a second rest does not forget what was watched */
	assert_int_equal(ev_io_rest(w->io, DUR_MS(20)), 0);
	ev_loop_turn(w->loop);
	assert_string_equal(w->log, "");
	assert_int_equal(ev_timer_new(w->loop, wake, w, &w->t1), 0);
	for (int i = 0; i < 100 && strcmp(w->log, "rr") != 0; i++) {
		ev_timer_set(w->t1, DUR_MS(10));
		assert_int_equal(ev_loop_run(w->loop), 0);
	}
	assert_string_equal(w->log, "rr");
	/* ev_io_set() ends it */
	assert_int_equal(ev_io_rest(w->io, DUR_S(60)), 0);
	assert_int_equal(ev_io_set(w->io, EV_IO_OUT), 0);
	ev_loop_turn(w->loop);
	assert_string_equal(w->log, "rrw");
}

static void free_yourself(void *arg, int fd, unsigned events)
{
	struct world *w = arg;

	(void)fd;
	(void)events;
	note(w, 'f');
	ev_io_free(w->io);
	w->io = NULL;
}

static void io_may_be_freed_in_its_callback(void **state)
{
	struct world *w = *state;

	assert_int_equal(ev_io_new(w->loop, w->fds[0], EV_IO_OUT, free_yourself,
				   w, &w->io),
			 0);
	ev_loop_turn(w->loop);
	ev_loop_turn(w->loop);
	assert_string_equal(w->log, "f");
}

static void on_t1(void *arg)
{
	note(arg, '1');
}

static void on_t2(void *arg)
{
	struct world *w = arg;

	note(w, '2');
	ev_loop_stop(w->loop);
}

static void timers_fire_in_order_and_once(void **state)
{
	struct world *w = *state;

	assert_int_equal(ev_timer_new(w->loop, on_t1, w, &w->t1), 0);
	assert_int_equal(ev_timer_new(w->loop, on_t2, w, &w->t2), 0);
	ev_timer_set(w->t2, DUR_MS(4));
	ev_timer_set(w->t1, DUR_MS(2));
	assert_int_equal(ev_loop_run(w->loop), 0);
	assert_string_equal(w->log, "12");
	ev_loop_turn(w->loop);
	assert_string_equal(w->log, "12");
}

static void timer_never_fires_early(void **state)
{
	struct world *w = *state;
	mono_t start = mono_now();

	assert_int_equal(ev_timer_new(w->loop, on_t2, w, &w->t2), 0);
	ev_timer_set(w->t2, DUR_US(3500));
	assert_int_equal(ev_loop_run(w->loop), 0);
	assert_true(mono_sub(mono_now(), start).ns >= 3500000);
}

static void stopped_timer_stays_silent(void **state)
{
	struct world *w = *state;

	assert_int_equal(ev_timer_new(w->loop, on_t1, w, &w->t1), 0);
	assert_int_equal(ev_timer_new(w->loop, on_t2, w, &w->t2), 0);
	ev_timer_set(w->t1, DUR_MS(1));
	ev_timer_set(w->t2, DUR_MS(3));
	ev_timer_stop(w->t1);
	assert_int_equal(ev_loop_run(w->loop), 0);
	assert_string_equal(w->log, "2");
}

static void on_signal(void *arg, int signo)
{
	struct world *w = arg;

	assert_int_equal(signo, SIGUSR1);
	note(w, 's');
	ev_loop_stop(w->loop);
}

static void signal_comes_on_the_loop(void **state)
{
	struct world *w = *state;

	assert_int_equal(ev_signal_new(w->loop, SIGUSR1, on_signal, w, &w->sig),
			 0);
	assert_int_equal(raise(SIGUSR1), 0);
	assert_string_equal(w->log, "");
	assert_int_equal(ev_loop_run(w->loop), 0);
	assert_string_equal(w->log, "s");
}

/* Is the loop's own descriptor readable? */
static bool busy(const struct world *w)
{
	struct epoll_event ev = {.events = EPOLLIN};
	int outer = epoll_create1(0), n;

	assert_int_equal(
		epoll_ctl(outer, EPOLL_CTL_ADD, ev_loop_fd(w->loop), &ev), 0);
	n = epoll_wait(outer, &ev, 1, 0);
	close(outer);
	return n == 1;
}

static void descriptor_tells_that_work_is_there(void **state)
{
	struct world *w = *state;

	assert_int_equal(
		ev_io_new(w->loop, w->fds[0], EV_IO_IN, on_io, w, &w->io), 0);
	assert_int_equal(ev_timer_new(w->loop, on_t1, w, &w->t1), 0);
	assert_int_equal(ev_signal_new(w->loop, SIGUSR1, on_signal, w, &w->sig),
			 0);
	assert_false(busy(w));
	assert_int_equal(write(w->fds[1], "a", 1), 1);
	assert_true(busy(w));
	ev_loop_turn(w->loop);
	assert_false(busy(w));
	ev_timer_set(w->t1, DUR_NS(0));
	assert_true(busy(w));
	ev_loop_turn(w->loop);
	assert_false(busy(w));
	assert_int_equal(raise(SIGUSR1), 0);
	assert_true(busy(w));
	ev_loop_turn(w->loop);
	assert_false(busy(w));
	assert_string_equal(w->log, "r1s");
}

static void set_itself_again(void *arg)
{
	struct world *w = arg;

	note(w, '1');
	ev_timer_set(w->t1, DUR_NS(0));
}

static void timer_of_now_waits_for_the_next_turn(void **state)
{
	struct world *w = *state;

	assert_int_equal(ev_timer_new(w->loop, set_itself_again, w, &w->t1), 0);
	ev_timer_set(w->t1, DUR_NS(0));
	ev_loop_turn(w->loop);
	assert_string_equal(w->log, "1");
	assert_true(busy(w));
	ev_loop_turn(w->loop);
	assert_string_equal(w->log, "11");
}

static void free_the_other(void *arg)
{
	struct world *w = arg;

	note(w, '1');
	ev_timer_free(w->t2);
	w->t2 = NULL;
}

static void due_timer_may_be_freed_by_another(void **state)
{
	struct world *w = *state;

	assert_int_equal(ev_timer_new(w->loop, free_the_other, w, &w->t1), 0);
	assert_int_equal(ev_timer_new(w->loop, on_t2, w, &w->t2), 0);
	ev_timer_set(w->t1, DUR_NS(0));
	ev_timer_set(w->t2, DUR_NS(0));
	ev_loop_turn(w->loop);
	ev_loop_turn(w->loop);
	assert_string_equal(w->log, "1");
}

struct two {
	struct ev_io *io[2];
	unsigned calls;
};

static void free_both(void *arg, int fd, unsigned events)
{
	struct two *t = arg;

	(void)fd;
	(void)events;
	t->calls++;
	for (int i = 0; i < 2; i++) {
		ev_io_free(t->io[i]);
		t->io[i] = NULL;
	}
}

static void freed_in_a_turn_hears_no_more(void **state)
{
	struct world *w = *state;
	struct two t = {.calls = 0};

	for (int i = 0; i < 2; i++)
		assert_int_equal(ev_io_new(w->loop, w->fds[i], EV_IO_OUT,
					   free_both, &t, &t.io[i]),
				 0);
	ev_loop_turn(w->loop);
	ev_loop_turn(w->loop);
	assert_int_equal(t.calls, 1);
}

static bool outer_wait(void *arg)
{
	struct world *w = arg;

	note(w, 'w');
	if (strlen(w->log) == 3)
		ev_timer_set(w->t2, DUR_NS(0));
	return strlen(w->log) >= 3;
}

static void waiting_can_be_somebody_elses(void **state)
{
	struct world *w = *state;

	assert_int_equal(ev_timer_new(w->loop, on_t2, w, &w->t2), 0);
	ev_loop_set_wait(w->loop, outer_wait, w);
	assert_int_equal(ev_loop_run(w->loop), 0);
	assert_string_equal(w->log, "www2");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(io_reports_only_what_is_watched, setup,
					teardown),
	cmocka_unit_test_setup_teardown(io_rests_and_comes_back, setup,
					teardown),
	cmocka_unit_test_setup_teardown(io_may_be_freed_in_its_callback, setup,
					teardown),
	cmocka_unit_test_setup_teardown(timers_fire_in_order_and_once, setup,
					teardown),
	cmocka_unit_test_setup_teardown(timer_never_fires_early, setup,
					teardown),
	cmocka_unit_test_setup_teardown(stopped_timer_stays_silent, setup,
					teardown),
	cmocka_unit_test_setup_teardown(signal_comes_on_the_loop, setup,
					teardown),
	cmocka_unit_test_setup_teardown(descriptor_tells_that_work_is_there,
					setup, teardown),
	cmocka_unit_test_setup_teardown(timer_of_now_waits_for_the_next_turn,
					setup, teardown),
	cmocka_unit_test_setup_teardown(due_timer_may_be_freed_by_another,
					setup, teardown),
	cmocka_unit_test_setup_teardown(freed_in_a_turn_hears_no_more, setup,
					teardown),
	cmocka_unit_test_setup_teardown(waiting_can_be_somebody_elses, setup,
					teardown),
};

UNIT_MAIN(tests)
