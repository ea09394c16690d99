#include "ev/ev.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct ev_loop {
	struct event_base *base;
	int fd; /* epoll set of the base, or -ENOTSUP */
	ev_wait_fn *wait;
	void *wait_arg;
	bool stop;
};

struct ev_io {
	struct event_base *base;
	struct event *ev; /* NULL while nothing is watched */
	ev_io_fn *fn;
	void *arg;
	int fd;
	unsigned events;
};

/* A timerfd each: the base's own timers are known to its waiting only, which
 * ev_loop_set_wait() replaces. */
struct ev_timer {
	struct event *ev;
	int fd;
	ev_timer_fn *fn;
	void *arg;
};

struct ev_signal {
	struct event *ev;
	ev_signal_fn *fn;
	void *arg;
};

/*
 * libevent does not tell the descriptor of its epoll set. The base makes that
 * one first and descriptors are given out lowest first, so it is the number
 * that is free just before; taking an eventfd in proves that it is an epoll
 * set and not something else.
 */
static int backend_fd(int guess)
{
	struct epoll_event e = {.events = 0};
	int probe = eventfd(0, EFD_CLOEXEC), r;

	if (probe < 0)
		return -ENOTSUP;
	r = epoll_ctl(guess, EPOLL_CTL_ADD, probe, &e);
	close(probe); /* takes it out again */
	return r < 0 ? -ENOTSUP : guess;
}

int ev_loop_new(struct ev_loop **ret)
{
	struct ev_loop *l = calloc(1, sizeof *l);
	int guess = eventfd(0, EFD_CLOEXEC);

	if (guess >= 0)
		close(guess);
	if (!l)
		return -ENOMEM;
	l->base = event_base_new();
	if (!l->base) {
		free(l);
		return -ENOMEM;
	}
	l->fd = backend_fd(guess);
	*ret = l;
	return 0;
}

void ev_loop_free(struct ev_loop *l)
{
	if (!l)
		return;
	event_base_free(l->base);
	free(l);
}

int ev_loop_fd(const struct ev_loop *l)
{
	return l->fd;
}

void ev_loop_set_wait(struct ev_loop *l, ev_wait_fn *wait, void *arg)
{
	l->wait = wait;
	l->wait_arg = arg;
}

int ev_loop_run(struct ev_loop *l)
{
	int r = 0;

	l->stop = false;
	/* Without NO_EXIT_ON_EMPTY the base would end by itself when the last
	 * object goes, which is never what a daemon means. */
	if (!l->wait)
		r = event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY);
	while (l->wait && !l->stop && r >= 0)
		if (l->wait(l->wait_arg))
			r = event_base_loop(l->base,
					    EVLOOP_NONBLOCK |
						    EVLOOP_NO_EXIT_ON_EMPTY);
	return r < 0 ? -EIO : 0;
}

void ev_loop_stop(struct ev_loop *l)
{
	l->stop = true;
	event_base_loopbreak(l->base);
}

void ev_loop_turn(struct ev_loop *l)
{
	event_base_loop(l->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

static void io_fired(evutil_socket_t fd, short what, void *arg)
{
	struct ev_io *io = arg;
	unsigned events = 0;

	if (what & EV_READ)
		events |= EV_IO_IN;
	if (what & EV_WRITE)
		events |= EV_IO_OUT;
	io->fn(io->arg, fd, events);
}

int ev_io_set(struct ev_io *io, unsigned events)
{
	short what = EV_PERSIST;

	if (io->ev && io->events == events)
		return 0;
	if (io->ev)
		event_free(io->ev);
	io->ev = NULL;
	io->events = events;
	if (!events)
		return 0;
	if (events & EV_IO_IN)
		what |= EV_READ;
	if (events & EV_IO_OUT)
		what |= EV_WRITE;
	io->ev = event_new(io->base, io->fd, what, io_fired, io);
	if (!io->ev)
		return -ENOMEM;
	if (event_add(io->ev, NULL) < 0) {
		event_free(io->ev);
		io->ev = NULL;
		return -ENOMEM;
	}
	return 0;
}

int ev_io_new(struct ev_loop *l, int fd, unsigned events, ev_io_fn *fn,
	      void *arg, struct ev_io **ret)
{
	struct ev_io *io = calloc(1, sizeof *io);
	int r;

	if (!io)
		return -ENOMEM;
	io->base = l->base;
	io->fd = fd;
	io->fn = fn;
	io->arg = arg;
	r = ev_io_set(io, events);
	if (r < 0) {
		free(io);
		return r;
	}
	*ret = io;
	return 0;
}

void ev_io_free(struct ev_io *io)
{
	if (!io)
		return;
	if (io->ev)
		event_free(io->ev);
	free(io);
}

static void timer_fired(evutil_socket_t fd, short what, void *arg)
{
	struct ev_timer *t = arg;
	uint64_t times;

	(void)what;
	/* nothing to read: stopped or set anew since it fired */
	if (read(fd, &times, sizeof times) == sizeof times)
		t->fn(t->arg);
}

int ev_timer_new(struct ev_loop *l, ev_timer_fn *fn, void *arg,
		 struct ev_timer **ret)
{
	struct ev_timer *t = calloc(1, sizeof *t);

	if (!t)
		return -ENOMEM;
	t->fn = fn;
	t->arg = arg;
	t->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (t->fd >= 0)
		t->ev = event_new(l->base, t->fd, EV_READ | EV_PERSIST,
				  timer_fired, t);
	if (!t->ev || event_add(t->ev, NULL) < 0) {
		ev_timer_free(t);
		return -ENOMEM;
	}
	*ret = t;
	return 0;
}

void ev_timer_set(struct ev_timer *t, dur_t d)
{
	struct itimerspec its = {0};

	its.it_value.tv_sec = (time_t)(d.ns > 0 ? d.ns / 1000000000 : 0);
	its.it_value.tv_nsec = (long)(d.ns > 0 ? d.ns % 1000000000 : 1);
	INVARIANT(timerfd_settime(t->fd, 0, &its, NULL) == 0);
}

void ev_timer_stop(struct ev_timer *t)
{
	struct itimerspec its = {0};

	INVARIANT(timerfd_settime(t->fd, 0, &its, NULL) == 0);
}

void ev_timer_free(struct ev_timer *t)
{
	if (!t)
		return;
	if (t->ev)
		event_free(t->ev);
	if (t->fd >= 0)
		close(t->fd);
	free(t);
}

static void signal_fired(evutil_socket_t signo, short what, void *arg)
{
	struct ev_signal *s = arg;

	(void)what;
	s->fn(s->arg, signo);
}

int ev_signal_new(struct ev_loop *l, int signo, ev_signal_fn *fn, void *arg,
		  struct ev_signal **ret)
{
	struct ev_signal *s = calloc(1, sizeof *s);

	if (!s)
		return -ENOMEM;
	s->fn = fn;
	s->arg = arg;
	s->ev = event_new(l->base, signo, EV_SIGNAL | EV_PERSIST, signal_fired,
			  s);
	if (!s->ev || event_add(s->ev, NULL) < 0) {
		if (s->ev)
			event_free(s->ev);
		free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

void ev_signal_free(struct ev_signal *s)
{
	if (!s)
		return;
	event_free(s->ev);
	free(s);
}
