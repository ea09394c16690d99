#include "session/listen.h"

#include "base/list.h"
#include "session/dial.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RELISTEN DUR_S(5)
#define ACCEPTS_A_TURN 64

struct listener {
	struct list node;
	struct listeners *set;
	struct ip_port at;
	int fd; /* -1 = not now */
	struct ev_io *io;
	struct ev_timer *timer; /* tries again */
	bool told, stays;
};

struct listeners {
	struct ev_loop *loop;
	const char *id;
	int backlog;
	const struct listeners_ops *ops;
	void *arg;
	struct list all;
};

static struct listener *listener_at(struct list *it)
{
	return container_of(it, struct listener, node);
}

/* ---- one place
 * ------------------------------------------------------------------- */

static void listener_close(struct listener *l)
{
	ev_io_free(l->io);
	l->io = NULL;
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

static void failed(struct listener *l, int error)
{
	if (!l->told)
		l->set->ops->listening(l->set->arg, &l->at, strerror(error));
	l->told = true;
	listener_close(l);
	ev_timer_set(l->timer, RELISTEN);
}

/* False: no more for now. */
static bool accept_one(struct listener *l)
{
	struct listeners *s = l->set;
	struct ip_port peer;
	int conn = dial_accept(l->fd, &peer);

	if (conn >= 0) {
		s->ops->accepted(s->arg, &l->at, conn, &peer);
		return true;
	}
	if (conn == -EAGAIN || conn == -EINTR || conn == -ECONNABORTED)
		return false;
	if (conn != -EMFILE && conn != -ENFILE && conn != -ENOMEM) {
		failed(l, -conn); /* the stack is gone */
		return false;
	}
	s->ops->full(s->arg, &l->at, strerror(-conn));
	(void)!ev_io_set(l->io, 0);
	ev_timer_set(l->timer, RELISTEN);
	return false;
}

static void on_connect(void *arg, int fd, unsigned events)
{
	(void)fd;
	(void)events;
	for (int i = 0; i < ACCEPTS_A_TURN && accept_one(arg); i++)
		;
}

static void listen_now(void *arg)
{
	struct listener *l = arg;
	struct listeners *s = l->set;
	int r;

	if (l->fd >= 0) {
		(void)!ev_io_set(l->io, EV_IO_IN);
		return;
	}
	r = dial_listen(s->id, &l->at, s->backlog);
	if (r >= 0) {
		l->fd = r;
		r = ev_io_new(s->loop, l->fd, EV_IO_IN, on_connect, l, &l->io);
	}
	if (r < 0) {
		failed(l, -r);
		return;
	}
	l->told = false;
	s->ops->listening(s->arg, &l->at, NULL);
}

static void listener_free(struct listener *l)
{
	list_remove(&l->node);
	listener_close(l);
	ev_timer_free(l->timer);
	free(l);
}

/* In no list yet, and closed. */
static struct listener *listener_new(struct listeners *s,
				     const struct ip_port *at)
{
	struct listener *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	l->set = s;
	l->at = *at;
	l->fd = -1;
	list_init(&l->node);
	if (ev_timer_new(s->loop, listen_now, l, &l->timer) < 0) {
		free(l);
		return NULL;
	}
	return l;
}

/* ---- the set
 * --------------------------------------------------------------------- */

static struct listener *find(struct list *list, const struct ip_port *at)
{
	LIST_FOREACH (it, list) {
		struct listener *l = listener_at(it);

		if (l->at.port == at->port && ip_eq(&l->at.addr, &at->addr))
			return l;
	}
	return NULL;
}

static void free_all(struct list *list)
{
	LIST_FOREACH_SAFE (it, list)
		listener_free(listener_at(it));
}

int listeners_set(struct listeners *s, const struct ip_port *at, uint32_t n)
{
	struct list fresh;

	list_init(&fresh);
	LIST_FOREACH (it, &s->all)
		listener_at(it)->stays = false;
	for (uint32_t i = 0; i < n; i++) {
		struct listener *l = find(&s->all, &at[i]);

		if (!l)
			l = find(&fresh, &at[i]);
		if (!l) {
			l = listener_new(s, &at[i]);
			if (!l) {
				free_all(&fresh);
				return -ENOMEM;
			}
			list_push_tail(&fresh, &l->node);
		}
		l->stays = true;
	}
	LIST_FOREACH_SAFE (it, &s->all)
		if (!listener_at(it)->stays)
			listener_free(listener_at(it));
	LIST_FOREACH_SAFE (it, &fresh) {
		list_remove(it);
		list_push_tail(&s->all, it);
		listen_now(listener_at(it));
	}
	return 0;
}

int listeners_new(struct ev_loop *loop, const char *id, int backlog,
		  const struct listeners_ops *ops, void *arg,
		  struct listeners **ret)
{
	struct listeners *s = calloc(1, sizeof *s);

	if (!s)
		return -ENOMEM;
	*s = (struct listeners){.loop = loop,
				.id = id,
				.backlog = backlog,
				.ops = ops,
				.arg = arg};
	list_init(&s->all);
	*ret = s;
	return 0;
}

void listeners_free(struct listeners *s)
{
	if (!s)
		return;
	free_all(&s->all);
	free(s);
}
