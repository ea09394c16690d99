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
	/* All timers share one timerfd and stand in a heap, the next one first:
	 * a daemon with ten thousand sessions has three times as many. The
	 * base's own timers are known to its waiting only, which
	 * ev_loop_set_wait() replaces. */
	int timer_fd;
	struct event *timer_ev;
	struct ev_timer **heap; /* room for all timers that exist */
	size_t n_heap, n_timers, cap_heap;
	mono_t armed; /* what the timerfd waits for */
};

struct ev_io {
	struct ev_loop *l;
	struct event *ev;      /* NULL while nothing is watched */
	struct ev_timer *rest; /* NULL until it is wanted */
	ev_io_fn *fn;
	void *arg;
	int fd;
	unsigned events, after; /* after: when the rest is over */
};

struct ev_timer {
	struct ev_loop *l;
	ev_timer_fn *fn;
	void *arg;
	mono_t at;
	size_t pos; /* in the heap, from 1; 0 = off */
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

static void timers_fired(evutil_socket_t fd, short what, void *arg);

static int make_timers(struct ev_loop *l)
{
	l->armed = MONO_NEVER;
	l->timer_fd =
		timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (l->timer_fd < 0)
		return -errno;
	l->timer_ev = event_new(l->base, l->timer_fd, EV_READ | EV_PERSIST,
				timers_fired, l);
	return !l->timer_ev || event_add(l->timer_ev, NULL) < 0 ? -ENOMEM : 0;
}

int ev_loop_new(struct ev_loop **ret)
{
	struct ev_loop *l = calloc(1, sizeof *l);
	int guess = eventfd(0, EFD_CLOEXEC), r;

	if (guess >= 0)
		close(guess);
	if (!l)
		return -ENOMEM;
	l->timer_fd = -1;
	l->base = event_base_new();
	if (!l->base) {
		free(l);
		return -ENOMEM;
	}
	l->fd = backend_fd(guess);
	r = make_timers(l);
	if (r < 0) {
		ev_loop_free(l);
		return r;
	}
	*ret = l;
	return 0;
}

void ev_loop_free(struct ev_loop *l)
{
	if (!l)
		return;
	if (l->timer_ev)
		event_free(l->timer_ev);
	if (l->timer_fd >= 0)
		close(l->timer_fd);
	event_base_free(l->base);
	free(l->heap);
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

	if (io->rest)
		ev_timer_stop(io->rest);
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
	io->ev = event_new(io->l->base, io->fd, what, io_fired, io);
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
	io->l = l;
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

static void rested(void *arg)
{
	struct ev_io *io = arg;

	if (ev_io_set(io, io->after) < 0)
		ev_timer_set(io->rest, DUR_S(1)); /* no memory: later */
}

int ev_io_rest(struct ev_io *io, dur_t d)
{
	int r = io->rest ? 0 : ev_timer_new(io->l, rested, io, &io->rest);

	if (r < 0)
		return r;
	io->after = io->events ? io->events : io->after;
	r = ev_io_set(io, 0);
	ev_timer_set(io->rest, d);
	return r;
}

void ev_io_free(struct ev_io *io)
{
	if (!io)
		return;
	ev_timer_free(io->rest);
	if (io->ev)
		event_free(io->ev);
	free(io);
}

/* ---- timers: a binary heap
 * --------------------------------------------------- */

static void place(struct ev_loop *l, size_t pos, struct ev_timer *t)
{
	l->heap[pos - 1] = t;
	t->pos = pos;
}

static void sift_up(struct ev_loop *l, struct ev_timer *t, size_t pos)
{
	while (pos > 1 && mono_lt(t->at, l->heap[pos / 2 - 1]->at)) {
		place(l, pos, l->heap[pos / 2 - 1]);
		pos /= 2;
	}
	place(l, pos, t);
}

static void sift_down(struct ev_loop *l, struct ev_timer *t, size_t pos)
{
	while (2 * pos <= l->n_heap) {
		size_t child = 2 * pos;

		if (child < l->n_heap &&
		    mono_lt(l->heap[child]->at, l->heap[child - 1]->at))
			child++;
		if (mono_leq(t->at, l->heap[child - 1]->at))
			break;
		place(l, pos, l->heap[child - 1]);
		pos = child;
	}
	place(l, pos, t);
}

static void take_out(struct ev_timer *t)
{
	struct ev_loop *l = t->l;
	size_t pos = t->pos;
	struct ev_timer *last;

	if (!pos)
		return;
	t->pos = 0;
	last = l->heap[--l->n_heap];
	if (last == t)
		return;
	if (pos > 1 && mono_lt(last->at, l->heap[pos / 2 - 1]->at))
		sift_up(l, last, pos);
	else
		sift_down(l, last, pos);
}

/* The timerfd for the next timer. One that waits for less than that is left
 * alone: it fires once for nothing, which costs no more than setting it. */
static void arm(struct ev_loop *l)
{
	struct itimerspec its = {0};
	mono_t at;

	if (!l->n_heap)
		return;
	at = l->heap[0]->at;
	if (mono_leq(l->armed, at))
		return;
	l->armed = at;
	its.it_value.tv_sec = (time_t)(at.ns / 1000000000);
	its.it_value.tv_nsec = (long)(at.ns % 1000000000);
	if (!at.ns)
		its.it_value.tv_nsec = 1;
	INVARIANT(timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &its, NULL) ==
		  0);
}

static void timers_fired(evutil_socket_t fd, short what, void *arg)
{
	struct ev_loop *l = arg;
	mono_t now = mono_now();
	uint64_t times;

	(void)what;
	if (read(fd, &times, sizeof times) != sizeof times)
		return;
	l->armed = MONO_NEVER;
	/* what a callback sets lies behind `now`: the next turn's */
	while (l->n_heap && mono_leq(l->heap[0]->at, now)) {
		struct ev_timer *t = l->heap[0];

		take_out(t);
		t->fn(t->arg);
		if (l->stop)
			break;
	}
	arm(l);
}

int ev_timer_new(struct ev_loop *l, ev_timer_fn *fn, void *arg,
		 struct ev_timer **ret)
{
	struct ev_timer *t = calloc(1, sizeof *t);

	if (t && l->n_timers == l->cap_heap) {
		size_t cap = l->cap_heap ? l->cap_heap * 2 : 16;
		struct ev_timer **p = realloc(l->heap, cap * sizeof(*p));

		if (p) {
			l->heap = p;
			l->cap_heap = cap;
		}
	}
	if (!t || l->n_timers == l->cap_heap) {
		free(t);
		return -ENOMEM;
	}
	l->n_timers++;
	t->l = l;
	t->fn = fn;
	t->arg = arg;
	*ret = t;
	return 0;
}

void ev_timer_set(struct ev_timer *t, dur_t d)
{
	take_out(t);
	/* later than the turn that runs now, also when the clock stood still */
	t->at = mono_add(mono_now(), DUR_NS(d.ns > 0 ? d.ns : 1));
	sift_up(t->l, t, ++t->l->n_heap);
	arm(t->l);
}

void ev_timer_stop(struct ev_timer *t)
{
	take_out(t);
}

void ev_timer_free(struct ev_timer *t)
{
	if (!t)
		return;
	take_out(t);
	t->l->n_timers--;
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
