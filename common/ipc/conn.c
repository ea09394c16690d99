/*
 * conn.c: one connection on the event loop. The queue holds what the kernel
 * would not take; the owner is told when it has drained to half, so that a
 * long answer is made piece by piece and a silent reader costs its queue and
 * no more. A callback may free the connection: `depth` counts the callbacks
 * that run, and the memory goes when the last one has returned.
 */
#include "ev/ev.h"
#include "ipc/ipc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Messages taken from one peer before others get their turn. */
#define BATCH 16

struct item_head {
	uint16_t type, flags;
	int32_t value;
	uint32_t len;
};

struct item {
	struct item *next;
	struct item_head head;
	char body[];
};

struct ipc_conn {
	struct ev_io *io;
	const struct ipc_conn_ops *ops;
	void *arg;
	int fd;
	unsigned depth;
	bool dead;     /* freed by its owner, memory kept for a callback */
	bool finished; /* closed() was or will be called */
	int error;
	size_t queued, queue_max;
	struct item *head, **tail;
};

static void watch(struct ipc_conn *c)
{
	unsigned want = c->finished ? 0u : (unsigned)EV_IO_IN;

	/* A connection that failed is reported from the loop, as writable. */
	if (c->head || c->error)
		want |= EV_IO_OUT;
	if (ev_io_set(c->io, want) < 0)
		c->error = -ENOMEM;
}

static void drop_queue(struct ipc_conn *c)
{
	while (c->head) {
		struct item *it = c->head;

		c->head = it->next;
		free(it);
	}
	c->tail = &c->head;
	c->queued = 0;
}

static void enter(struct ipc_conn *c)
{
	c->depth++;
}

/* False when the connection is gone. */
static bool leave(struct ipc_conn *c)
{
	if (--c->depth == 0 && c->dead) {
		free(c);
		return false;
	}
	return !c->dead;
}

static void finish(struct ipc_conn *c, int error)
{
	if (c->finished)
		return;
	c->finished = true;
	c->error = 0;
	drop_queue(c);
	watch(c);
	c->ops->closed(c->arg, error);
}

static void flush(struct ipc_conn *c)
{
	bool was_over = c->queued >= c->queue_max / 2;

	while (c->head) {
		struct item *it = c->head;
		int r = ipc_send(c->fd, it->head.type, it->head.flags,
				 it->head.value, it->body, it->head.len, NULL,
				 0);

		if (r == -EAGAIN)
			break;
		if (r < 0) {
			finish(c, r);
			return;
		}
		c->head = it->next;
		if (!c->head)
			c->tail = &c->head;
		c->queued -= it->head.len + sizeof *it;
		free(it);
	}
	watch(c);
	if ((was_over || !c->head) && c->queued < c->queue_max / 2)
		c->ops->room(c->arg);
}

static void receive(struct ipc_conn *c)
{
	/* static would be shared by two loops; the stack has room for it */
	struct ipc_msg m;

	for (int i = 0; i < BATCH && !c->dead && !c->finished; i++) {
		int r = ipc_recv(c->fd, &m);

		if (r == -EAGAIN)
			return;
		if (r <= 0) {
			finish(c, r);
			return;
		}
		c->ops->message(c->arg, &m);
		ipc_msg_close(&m);
	}
}

static void on_io(void *arg, int fd, unsigned events)
{
	struct ipc_conn *c = arg;

	(void)fd;
	enter(c);
	if (c->error)
		finish(c, c->error);
	if ((events & EV_IO_OUT) && !c->dead && !c->finished)
		flush(c);
	if ((events & EV_IO_IN) && !c->dead && !c->finished)
		receive(c);
	leave(c);
}

int ipc_conn_new(struct ev_loop *l, int fd, size_t queue_max,
		 const struct ipc_conn_ops *ops, void *arg,
		 struct ipc_conn **ret)
{
	struct ipc_conn *c = calloc(1, sizeof *c);
	int r;

	if (!c)
		return -ENOMEM;
	c->fd = fd;
	c->ops = ops;
	c->arg = arg;
	c->queue_max = queue_max;
	c->tail = &c->head;
	r = ev_io_new(l, fd, EV_IO_IN, on_io, c, &c->io);
	if (r < 0) {
		free(c);
		return r;
	}
	*ret = c;
	return 0;
}

void ipc_conn_free(struct ipc_conn *c)
{
	if (!c || c->dead)
		return;
	ev_io_free(c->io);
	close(c->fd);
	drop_queue(c);
	c->dead = true;
	if (!c->depth)
		free(c);
}

int ipc_conn_fd(const struct ipc_conn *c)
{
	return c->fd;
}

static int enqueue(struct ipc_conn *c, struct item_head head, const void *body)
{
	struct item *it;

	if (c->queued + head.len + sizeof *it > c->queue_max)
		return -ENOBUFS;
	it = malloc(sizeof *it + head.len);
	if (!it)
		return -ENOMEM;
	it->next = NULL;
	it->head = head;
	if (head.len)
		memcpy(it->body, body, head.len);
	*c->tail = it;
	c->tail = &it->next;
	c->queued += head.len + sizeof *it;
	watch(c);
	return 0;
}

int ipc_conn_send(struct ipc_conn *c, uint16_t type, uint16_t flags,
		  int32_t value, const void *body, size_t len)
{
	struct item_head head = {.type = type, .flags = flags, .value = value};
	int r;

	if (c->finished || c->error)
		return -EPIPE;
	if (len > IPC_BODY_MAX)
		return -EMSGSIZE;
	head.len = (uint32_t)len;
	if (c->head)
		return enqueue(c, head, body);
	r = ipc_send(c->fd, type, flags, value, body, len, NULL, 0);
	if (r == -EAGAIN)
		return enqueue(c, head, body);
	if (r < 0) {
		/* reported from the loop, never inside this call */
		c->error = r;
		watch(c);
		return -EPIPE;
	}
	return 0;
}

size_t ipc_conn_queued(const struct ipc_conn *c)
{
	return c->queued;
}
