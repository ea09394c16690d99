#include "session/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct wire {
	int fd;
	struct ev_io *io;
	struct ev_timer *soon; /* input that was left over */
	const struct wire_ops *ops;
	void *arg;
	uint8_t *out; /* queue; NULL while nothing waits */
	size_t out_pos, out_len, out_cap;
	uint8_t *left; /* input not used yet */
	size_t left_len;
	bool want, shut, shut_sent, paused, ended;
	int error;  /* told by closed() in a moment */
	bool *gone; /* set when freed inside a callback */
};

static void update(struct wire *w)
{
	unsigned events = 0;

	if (!w->paused && !w->ended)
		events |= EV_IO_IN;
	if (w->out_len || w->want || (w->shut && !w->shut_sent))
		events |= EV_IO_OUT;
	(void)!ev_io_set(w->io, w->error ? 0 : events);
	if (w->error)
		ev_timer_set(w->soon, DUR_NS(0));
}

static void fail(struct wire *w, int error)
{
	if (!w->error)
		w->error = error;
	update(w);
}

/* False: the wire is gone. */
static bool tell_closed(struct wire *w, int error)
{
	bool gone = false;

	w->gone = &gone;
	w->ended = true;
	w->ops->closed(w->arg, error);
	if (!gone)
		w->gone = NULL;
	return !gone;
}

/* As much of the queue as the kernel takes. */
static void flush(struct wire *w)
{
	while (w->out_len) {
		ssize_t n = send(w->fd, w->out + w->out_pos, w->out_len,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			fail(w, errno);
			return;
		}
		w->out_pos += (size_t)n;
		w->out_len -= (size_t)n;
	}
	/* an idle session holds no buffer */
	free(w->out);
	w->out = NULL;
	w->out_pos = w->out_cap = 0;
	if (w->shut && !w->shut_sent) {
		w->shut_sent = true;
		if (shutdown(w->fd, SHUT_WR) < 0 && errno != ENOTCONN)
			fail(w, errno);
	}
}

static bool on_out(struct wire *w)
{
	bool gone = false;

	flush(w);
	if (w->out_len || !w->want || w->error) {
		update(w);
		return true;
	}
	w->want = false;
	w->gone = &gone;
	w->ops->room(w->arg);
	if (gone)
		return false;
	w->gone = NULL;
	update(w);
	return true;
}

static int keep(struct wire *w, const uint8_t *data, size_t len)
{
	uint8_t *p = malloc(len);

	if (!p)
		return -ENOMEM;
	memcpy(p, data, len);
	free(w->left);
	w->left = p;
	w->left_len = len;
	w->paused = true;
	return 0;
}

/* False: the wire is gone. */
static bool give(struct wire *w, const uint8_t *data, size_t len)
{
	bool gone = false;
	size_t n;

	w->gone = &gone;
	n = w->ops->input(w->arg, data, len);
	if (gone)
		return false;
	w->gone = NULL;
	if (n < len && keep(w, data + n, len - n) < 0)
		fail(w, ENOMEM);
	return true;
}

static bool on_in(struct wire *w)
{
	uint8_t buf[WIRE_IN_MAX];
	ssize_t n = recv(w->fd, buf, sizeof buf, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n < 0) {
		fail(w, errno);
		return true;
	}
	if (n == 0)
		return tell_closed(w, 0) && (update(w), true);
	if (!give(w, buf, (size_t)n))
		return false;
	update(w);
	return true;
}

static void on_io(void *arg, int fd, unsigned events)
{
	struct wire *w = arg;

	(void)fd;
	if ((events & EV_IO_IN) && !w->paused && !w->ended && !on_in(w))
		return;
	if ((events & EV_IO_OUT) && !w->error)
		(void)on_out(w);
}

static void on_soon(void *arg)
{
	struct wire *w = arg;
	uint8_t *data = w->left;
	size_t len = w->left_len;

	if (w->error) {
		(void)tell_closed(w, w->error);
		return;
	}
	if (w->paused || !data)
		return;
	w->left = NULL;
	w->left_len = 0;
	if (give(w, data, len))
		update(w);
	free(data);
}

int wire_new(struct ev_loop *l, int fd, const struct wire_ops *ops, void *arg,
	     struct wire **ret)
{
	struct wire *w = calloc(1, sizeof *w);
	int r;

	if (!w)
		return -ENOMEM;
	w->fd = fd;
	w->ops = ops;
	w->arg = arg;
	r = ev_timer_new(l, on_soon, w, &w->soon);
	if (r == 0)
		r = ev_io_new(l, fd, EV_IO_IN, on_io, w, &w->io);
	if (r < 0) {
		w->fd = -1;
		wire_free(w);
		return r;
	}
	*ret = w;
	return 0;
}

void wire_free(struct wire *w)
{
	if (!w)
		return;
	if (w->gone)
		*w->gone = true;
	ev_io_free(w->io);
	ev_timer_free(w->soon);
	if (w->fd >= 0)
		close(w->fd);
	free(w->out);
	free(w->left);
	free(w);
}

int wire_fd(const struct wire *w)
{
	return w->fd;
}

int wire_write(struct wire *w, const void *buf, size_t len)
{
	const uint8_t *p = buf;

	if (w->error)
		return -w->error;
	if (!w->out_len) {
		ssize_t n = send(w->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			fail(w, errno);
			return -w->error;
		}
		n = MAX(n, 0);
		p += n;
		len -= (size_t)n;
	}
	if (len && w->out_pos + w->out_len + len > w->out_cap) {
		size_t cap = w->out_len + len;
		uint8_t *q = malloc(cap);

		if (!q)
			return -ENOMEM;
		if (w->out_len)
			memcpy(q, w->out + w->out_pos, w->out_len);
		free(w->out);
		w->out = q;
		w->out_pos = 0;
		w->out_cap = cap;
	}
	if (len)
		memcpy(w->out + w->out_pos + w->out_len, p, len);
	w->out_len += len;
	update(w);
	return 0;
}

size_t wire_queued(const struct wire *w)
{
	return w->out_len;
}

void wire_want(struct wire *w)
{
	w->want = true;
	update(w);
}

void wire_shut(struct wire *w)
{
	w->shut = true;
	update(w);
}

void wire_resume(struct wire *w)
{
	w->paused = false;
	if (w->left)
		ev_timer_set(w->soon, DUR_NS(0));
	update(w);
}
