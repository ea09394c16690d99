/* set.c: the epoll set: watches, timers, what was closed in this turn. */
#include "relay/set.h"

#include "ev/ev.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_PER_WAIT 256
#define AGAIN_ROUNDS 4 /* of relays with more to do, before waiting anew */

/* ---- timers
 * ---------------------------------------------------------------- */

void relay_timer_init(struct relay_timer *t, relay_timer_fn *fn)
{
	wheel_timer_init(&t->w);
	t->fn = fn;
}

void relay_timer_set(struct relay_set *s, struct relay_timer *t, mono_t at)
{
	wheel_set(&s->wheel, &t->w, at);
}

static void run_timers(struct relay_set *s)
{
	struct wheel_timer *w;

	while ((w = wheel_expired(&s->wheel, s->now))) {
		struct relay_timer *t = container_of(w, struct relay_timer, w);

		t->fn(t, s->now);
	}
}

/* ---- watches
 * --------------------------------------------------------------- */

void relay_watch_init(struct relay_watch *w, relay_watch_fn *fn)
{
	*w = (struct relay_watch){.fn = fn, .fd = -1};
	list_init(&w->again);
}

int relay_watch_add(struct relay_set *s, struct relay_watch *w, int fd)
{
	struct epoll_event ev = {
		.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | (uint32_t)EPOLLET,
		.data.ptr = w,
	};

	if (epoll_ctl(s->epfd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return -errno;
	w->fd = fd;
	w->ready = 0;
	w->sole = false;
	return 0;
}

void relay_watch_sole(struct relay_watch *w)
{
	w->sole = true;
}

void relay_watch_again(struct relay_set *s, struct relay_watch *w)
{
	if (w->listed)
		return;
	w->listed = true;
	list_push_tail(&s->again, &w->again);
}

static void forget(struct relay_watch *w)
{
	list_remove(&w->again);
	w->listed = false;
	w->fd = -1;
	w->ready = 0;
}

void relay_watch_close(struct relay_set *s, struct relay_watch *w)
{
	/* closing takes it out of the set only if no other process has a
	 * copy: whoever passed it to us may close his a moment later */
	if (w->fd >= 0) {
		if (!w->sole)
			epoll_ctl(s->epfd, EPOLL_CTL_DEL, w->fd, NULL);
		close(w->fd);
	}
	forget(w);
}

int relay_watch_take(struct relay_set *s, struct relay_watch *w)
{
	int fd = w->fd;

	if (fd >= 0)
		epoll_ctl(s->epfd, EPOLL_CTL_DEL, fd, NULL);
	forget(w);
	return fd;
}

static void on_event(struct relay_set *s, const struct epoll_event *ev)
{
	struct relay_watch *w = ev->data.ptr;
	uint8_t ready = 0;

	if (!w) {
		s->base_ready = true;
		return;
	}
	if (w->fd < 0)
		return; /* closed earlier in this turn */
	if (ev->events & EPOLLIN)
		ready |= RELAY_IN;
	if (ev->events & EPOLLOUT)
		ready |= RELAY_OUT;
	if (ev->events & EPOLLRDHUP)
		ready |= RELAY_IN | RELAY_FIN;
	if (ev->events & (EPOLLERR | EPOLLHUP))
		ready |= RELAY_IN | RELAY_OUT | RELAY_FIN | RELAY_ERR;
	w->ready |= ready;
	w->fn(w, s->now);
}

static void run_again(struct relay_set *s)
{
	struct list batch, *n;

	for (int i = 0; i < AGAIN_ROUNDS && !list_empty(&s->again); i++) {
		/* those that come on the list meanwhile wait for the next
		 * round */
		list_init(&batch);
		list_push_tail(&s->again, &batch);
		list_remove(&s->again);
		while ((n = list_pop_head(&batch))) {
			struct relay_watch *w =
				container_of(n, struct relay_watch, again);

			w->listed = false;
			w->fn(w, s->now);
		}
	}
}

/* ---- the turn
 * -------------------------------------------------------------- */

void relay_bury(struct relay_set *s, struct relay_corpse *c, void *memory)
{
	c->memory = memory;
	c->next = s->corpses;
	s->corpses = c;
}

static void free_corpses(struct relay_set *s)
{
	while (s->corpses) {
		struct relay_corpse *c = s->corpses;

		s->corpses = c->next;
		free(c->memory);
	}
}

static int wait_ms(const struct relay_set *s)
{
	mono_t at = wheel_deadline(&s->wheel), now;
	int64_t ms;

	if (!list_empty(&s->again))
		return 0;
	if (mono_is_never(at))
		return -1;
	now = mono_now();
	if (mono_leq(at, now))
		return 0;
	ms = dur_ms(mono_sub(at, now)) + 1;
	return (int)MIN(ms, 3600 * 1000);
}

static bool on_wait(void *arg)
{
	struct relay_set *s = arg;
	struct epoll_event ev[EVENTS_PER_WAIT];
	int n = epoll_wait(s->epfd, ev, EVENTS_PER_WAIT, wait_ms(s));

	s->base_ready = false;
	s->now = mono_now();
	for (int i = 0; i < n; i++)
		on_event(s, &ev[i]);
	run_again(s);
	run_timers(s);
	free_corpses(s);
	return s->base_ready;
}

mono_t relay_now(const struct relay_set *s)
{
	return s->now;
}

char *relay_scratch(struct relay_set *s)
{
	return s->scratch;
}

int relay_set_new(struct ev_loop *l, struct relay_set **ret)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
	struct relay_set *s;
	int base = ev_loop_fd(l), r;

	if (base < 0)
		return base;
	s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	s->loop = l;
	s->now = mono_now();
	wheel_init(&s->wheel, s->now);
	list_init(&s->again);
	relay_pipes_init(s);
	s->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (s->epfd < 0 || epoll_ctl(s->epfd, EPOLL_CTL_ADD, base, &ev) < 0) {
		r = -errno;
		if (s->epfd >= 0)
			close(s->epfd);
		free(s);
		return r;
	}
	ev_loop_set_wait(l, on_wait, s);
	*ret = s;
	return 0;
}

void relay_set_free(struct relay_set *s)
{
	if (!s)
		return;
	ev_loop_set_wait(s->loop, NULL, NULL);
	free_corpses(s);
	relay_pipes_fini(s);
	close(s->epfd);
	free(s);
}
