/*
 * ev.c: one epoll set, one timerfd, one signalfd.
 *
 * The set can sit inside another one (stackd's fast path waits with a single
 * system call for packets and for this loop), so everything that makes the
 * loop busy has to show as a readable descriptor: timers too, even those
 * that are due at once.
 *
 * Whoever is freed inside a callback may still be named by events of the same
 * turn. Such an object is dead at once and its memory goes after the turn.
 */
#include "ev/ev.h"

#include "base/list.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define EVENTS_PER_TURN 64

struct ev_loop {
	int epfd, timerfd, sigfd; /* sigfd -1 until a signal is wanted */
	bool stopped;
	unsigned depth;     /* turns that run; freed memory waits for 0 */
	sigset_t signals;   /* blocked here, read from sigfd */
	mono_t armed;       /* what timerfd is set to */
	struct list timers; /* by time, earliest first */
	struct list sigs, graves;
	ev_wait_fn *wait; /* NULL: we wait ourselves */
	void *wait_arg;
};

struct ev_io {
	struct list grave;
	struct ev_loop *loop;
	ev_io_fn *fn; /* NULL once freed */
	void *arg;
	int fd;
	unsigned events;
};

struct ev_timer {
	struct list node; /* of loop.timers while set */
	struct ev_loop *loop;
	ev_timer_fn *fn;
	void *arg;
	mono_t at;
};

struct ev_signal {
	struct list node;
	struct ev_loop *loop;
	ev_signal_fn *fn;
	void *arg;
	int signo;
};

/* ---- loop ------------------------------------------------------------------
 */

static int watch(struct ev_loop *l, int fd, void *ptr)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = ptr};

	return epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

int ev_loop_new(struct ev_loop **ret)
{
	struct ev_loop *l = calloc(1, sizeof *l);
	int r;

	if (!l)
		return -ENOMEM;
	list_init(&l->timers);
	list_init(&l->sigs);
	list_init(&l->graves);
	sigemptyset(&l->signals);
	l->sigfd = l->timerfd = -1;
	l->armed = MONO_NEVER;
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epfd >= 0)
		l->timerfd = timerfd_create(CLOCK_MONOTONIC,
					    TFD_CLOEXEC | TFD_NONBLOCK);
	r = l->timerfd < 0 ? -errno : watch(l, l->timerfd, &l->timerfd);
	if (r < 0) {
		ev_loop_free(l);
		return r;
	}
	*ret = l;
	return 0;
}

static void bury(struct ev_loop *l)
{
	struct list *n;

	while ((n = list_pop_head(&l->graves)))
		free(container_of(n, struct ev_io, grave));
}

void ev_loop_free(struct ev_loop *l)
{
	if (!l)
		return;
	bury(l);
	if (l->sigfd >= 0) {
		close(l->sigfd);
		sigprocmask(SIG_UNBLOCK, &l->signals, NULL);
	}
	if (l->timerfd >= 0)
		close(l->timerfd);
	if (l->epfd >= 0)
		close(l->epfd);
	free(l);
}

int ev_loop_fd(const struct ev_loop *l)
{
	return l->epfd;
}

void ev_loop_stop(struct ev_loop *l)
{
	l->stopped = true;
}

void ev_loop_set_wait(struct ev_loop *l, ev_wait_fn *wait, void *arg)
{
	l->wait = wait;
	l->wait_arg = arg;
}

/* ---- timers
 * ------------------------------------------------------------------- */

/* The timerfd fires at the earliest timer. One that was taken back leaves it
 * as it is: it fires once for nothing. */
static void arm(struct ev_loop *l)
{
	const struct ev_timer *t;
	struct itimerspec its = {.it_interval = {0, 0}};

	if (list_empty(&l->timers))
		return;
	t = container_of(l->timers.next, struct ev_timer, node);
	if (mono_leq(l->armed, t->at))
		return;
	its.it_value.tv_sec = (time_t)(t->at.ns / 1000000000u);
	its.it_value.tv_nsec = (long)(t->at.ns % 1000000000u);
	timerfd_settime(l->timerfd, TFD_TIMER_ABSTIME, &its, NULL);
	l->armed = t->at;
}

static void run_timers(struct ev_loop *l)
{
	mono_t now = mono_now();
	struct list due;
	struct list *n;
	uint64_t count;

	(void)!read(l->timerfd, &count, sizeof count);
	l->armed = MONO_NEVER;
	/* taken off first: one that sets itself again waits for its turn */
	list_init(&due);
	while (!list_empty(&l->timers)) {
		struct ev_timer *t =
			container_of(l->timers.next, struct ev_timer, node);

		if (!mono_leq(t->at, now))
			break;
		list_remove(&t->node);
		list_push_tail(&due, &t->node);
	}
	while ((n = list_pop_head(&due))) {
		struct ev_timer *t = container_of(n, struct ev_timer, node);

		t->fn(t->arg);
	}
	arm(l);
}

int ev_timer_new(struct ev_loop *l, ev_timer_fn *fn, void *arg,
		 struct ev_timer **ret)
{
	struct ev_timer *t = calloc(1, sizeof *t);

	if (!t)
		return -ENOMEM;
	list_init(&t->node);
	t->loop = l;
	t->fn = fn;
	t->arg = arg;
	*ret = t;
	return 0;
}

void ev_timer_set(struct ev_timer *t, dur_t d)
{
	struct list *at;

	list_remove(&t->node);
	t->at = mono_add(mono_now(), dur_max(d, DUR_NS(0)));
	/* most timers are the latest: look from the end */
	for (at = t->loop->timers.prev; at != &t->loop->timers; at = at->prev)
		if (mono_leq(container_of(at, struct ev_timer, node)->at,
			     t->at))
			break;
	list_push_head(at, &t->node);
	arm(t->loop);
}

void ev_timer_stop(struct ev_timer *t)
{
	list_remove(&t->node);
}

void ev_timer_free(struct ev_timer *t)
{
	if (!t)
		return;
	list_remove(&t->node);
	free(t);
}

/* ---- descriptors
 * --------------------------------------------------------------- */

int ev_io_set(struct ev_io *io, unsigned events)
{
	struct epoll_event ev = {.data.ptr = io};
	int op = !io->events ? EPOLL_CTL_ADD
		 : !events   ? EPOLL_CTL_DEL
			     : EPOLL_CTL_MOD;

	if (events == io->events)
		return 0;
	if (events & EV_IO_IN)
		ev.events |= EPOLLIN;
	if (events & EV_IO_OUT)
		ev.events |= EPOLLOUT;
	if (epoll_ctl(io->loop->epfd, op, io->fd, &ev) < 0)
		return -errno;
	io->events = events;
	return 0;
}

int ev_io_new(struct ev_loop *l, int fd, unsigned events, ev_io_fn *fn,
	      void *arg, struct ev_io **ret)
{
	struct ev_io *io = calloc(1, sizeof *io);
	int r;

	if (!io)
		return -ENOMEM;
	list_init(&io->grave);
	io->loop = l;
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
	(void)!ev_io_set(io, 0);
	io->fn = NULL;
	if (io->loop->depth)
		list_push_tail(&io->loop->graves, &io->grave);
	else
		free(io);
}

static void io_ready(struct ev_io *io, uint32_t what)
{
	unsigned events = 0;

	if (!io->fn)
		return;
	if (what & EPOLLIN)
		events |= EV_IO_IN;
	if (what & EPOLLOUT)
		events |= EV_IO_OUT;
	/* an error shows itself to whatever the owner tries next */
	if (what & (EPOLLERR | EPOLLHUP))
		events |= io->events;
	/* an earlier callback of this turn may have stopped watching */
	events &= io->events;
	if (events)
		io->fn(io->arg, io->fd, events);
}

/* ---- signals
 * ------------------------------------------------------------------- */

static void read_signals(struct ev_loop *l)
{
	struct signalfd_siginfo si;

	while (l->sigfd >= 0 &&
	       read(l->sigfd, &si, sizeof si) == (ssize_t)sizeof si) {
		LIST_FOREACH_SAFE (it, &l->sigs) {
			struct ev_signal *s =
				container_of(it, struct ev_signal, node);

			if (s->signo == (int)si.ssi_signo)
				s->fn(s->arg, s->signo);
		}
	}
}

int ev_signal_new(struct ev_loop *l, int signo, ev_signal_fn *fn, void *arg,
		  struct ev_signal **ret)
{
	struct ev_signal *s = calloc(1, sizeof *s);
	bool first = l->sigfd < 0;
	int fd;

	if (!s)
		return -ENOMEM;
	sigaddset(&l->signals, signo);
	sigprocmask(SIG_BLOCK, &l->signals, NULL);
	fd = signalfd(l->sigfd, &l->signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0 || (first && watch(l, fd, &l->sigfd) < 0)) {
		int r = -errno;

		if (fd >= 0)
			close(fd);
		free(s);
		return r;
	}
	l->sigfd = fd;
	s->loop = l;
	s->fn = fn;
	s->arg = arg;
	s->signo = signo;
	list_push_tail(&l->sigs, &s->node);
	*ret = s;
	return 0;
}

void ev_signal_free(struct ev_signal *s)
{
	if (!s)
		return;
	list_remove(&s->node);
	free(s);
}

/* ---- turns
 * ----------------------------------------------------------------------- */

static int turn(struct ev_loop *l, int timeout_ms)
{
	struct epoll_event ev[EVENTS_PER_TURN];
	int n = epoll_wait(l->epfd, ev, EVENTS_PER_TURN, timeout_ms);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	l->depth++;
	for (int i = 0; i < n; i++) {
		if (ev[i].data.ptr == &l->timerfd)
			run_timers(l);
		else if (ev[i].data.ptr == &l->sigfd)
			read_signals(l);
		else
			io_ready(ev[i].data.ptr, ev[i].events);
	}
	if (--l->depth == 0)
		bury(l);
	return 0;
}

int ev_loop_run(struct ev_loop *l)
{
	int r = 0;

	while (!l->stopped && r == 0) {
		if (!l->wait)
			r = turn(l, -1);
		else if (l->wait(l->wait_arg))
			r = turn(l, 0);
	}
	/* a loop that was stopped can run again */
	l->stopped = false;
	return r;
}

void ev_loop_turn(struct ev_loop *l)
{
	(void)!turn(l, 0);
}
