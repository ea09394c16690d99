#include "ev/ev.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

struct ev_loop {
	struct event_base *base;
};

struct ev_io {
	struct event_base *base;
	struct event *ev; /* NULL while nothing is watched */
	ev_io_fn *fn;
	void *arg;
	int fd;
	unsigned events;
};

struct ev_timer {
	struct event *ev;
	ev_timer_fn *fn;
	void *arg;
};

struct ev_signal {
	struct event *ev;
	ev_signal_fn *fn;
	void *arg;
};

int ev_loop_new(struct ev_loop **ret)
{
	struct ev_loop *l = calloc(1, sizeof *l);

	if (!l)
		return -ENOMEM;
	l->base = event_base_new();
	if (!l->base) {
		free(l);
		return -ENOMEM;
	}
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

int ev_loop_run(struct ev_loop *l)
{
	/* Without NO_EXIT_ON_EMPTY the base would end by itself when the last
	 * object goes, which is never what a daemon means. */
	int r = event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY);

	return r < 0 ? -EIO : 0;
}

void ev_loop_stop(struct ev_loop *l)
{
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

	(void)fd;
	(void)what;
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
	t->ev = event_new(l->base, -1, 0, timer_fired, t);
	if (!t->ev) {
		free(t);
		return -ENOMEM;
	}
	*ret = t;
	return 0;
}

void ev_timer_set(struct ev_timer *t, dur_t d)
{
	struct timeval tv = {0, 0};

	if (d.ns > 0) {
		/* rounded up, so that a timer never fires early */
		int64_t us = (d.ns + 999) / 1000;

		tv.tv_sec = (time_t)(us / 1000000);
		tv.tv_usec = (suseconds_t)(us % 1000000);
	}
	/* A pending timer's place was reserved when it was first added, and
	 * the heap grows by doubling: failure means that memory is gone. */
	INVARIANT(event_add(t->ev, &tv) == 0);
}

void ev_timer_stop(struct ev_timer *t)
{
	event_del(t->ev);
}

void ev_timer_free(struct ev_timer *t)
{
	if (!t)
		return;
	event_free(t->ev);
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
