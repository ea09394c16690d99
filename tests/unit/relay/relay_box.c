#include "relay_box.h"

#include "ev/ev.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TICK DUR_MS(2)
#define TICKS_MAX 10000

static void tcp_pair(int ret[2])
{
	struct sockaddr_in sa = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof sa;
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(l, (struct sockaddr *)&sa, sizeof sa), 0);
	assert_int_equal(listen(l, 1), 0);
	assert_int_equal(getsockname(l, (struct sockaddr *)&sa, &len), 0);
	ret[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(ret[0], (struct sockaddr *)&sa, sizeof sa), 0);
	ret[1] = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	assert_true(ret[1] >= 0);
	close(l);
}

void relay_box_pair(bool unix_ends, int ret[2])
{
	if (unix_ends)
		assert_int_equal(
			socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret),
			0);
	else
		tcp_pair(ret);
	for (int i = 0; i < 2; i++)
		assert_int_equal(fcntl(ret[i], F_SETFL, O_NONBLOCK), 0);
}

static void on_done(struct relay *r, enum relay_cause cause, int side,
		    int error)
{
	struct relay_box *b = r->arg;

	b->done = true;
	b->cause = cause;
	b->side = side;
	b->error = error;
}

static void on_tick(void *arg)
{
	struct relay_box *b = arg;

	for (int i = 0; i < 2; i++) {
		const struct relay_dir *d = &b->relay.dir[i];

		b->held_most = MAX(b->held_most, d->len);
		b->held_most = MAX(b->held_most, d->piped);
	}
	ev_loop_stop(b->loop);
}

void relay_box_open(struct relay_box *b, bool unix_ends)
{
	*b = (struct relay_box){.done = false};
	assert_int_equal(ev_loop_new(&b->loop), 0);
	assert_int_equal(ev_timer_new(b->loop, on_tick, b, &b->tick), 0);
	assert_int_equal(relay_set_new(b->loop, &b->set), 0);
	relay_init(&b->relay, b->set);
	b->relay.done = on_done;
	b->relay.arg = b;
	for (int i = 0; i < 2; i++) {
		int fd[2];

		relay_box_pair(unix_ends, fd);
		b->far[i] = fd[0];
		b->relay.end[i].io = &relay_clear;
		assert_int_equal(
			relay_watch_add(b->set, &b->relay.end[i].watch, fd[1]),
			0);
	}
	relay_start(&b->relay);
}

void relay_box_close(struct relay_box *b)
{
	if (!b->done)
		relay_abandon(&b->relay, false);
	for (int i = 0; i < 2; i++) {
		if (b->far[i] >= 0)
			close(b->far[i]);
	}
	relay_set_free(b->set);
	ev_timer_free(b->tick);
	ev_loop_free(b->loop);
}

bool relay_box_until(struct relay_box *b, bool (*fn)(struct relay_box *b))
{
	bool yes = fn(b);

	for (int i = 0; i < TICKS_MAX && !yes; i++) {
		ev_timer_set(b->tick, TICK);
		assert_int_equal(ev_loop_run(b->loop), 0);
		yes = fn(b);
	}
	return yes;
}

bool relay_box_is_done(struct relay_box *b)
{
	return b->done;
}

static bool one_turn_less(struct relay_box *b)
{
	return b->turns_left-- == 0;
}

void relay_box_settle(struct relay_box *b)
{
	b->turns_left = 20;
	relay_box_until(b, one_turn_less);
}
