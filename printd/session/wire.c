#include "session/wire.h"

#include "tls/tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READS_A_TURN 4 /* of TLS: the kernel's queue is not the only one */

enum wire_phase { WIRE_CLEAR, WIRE_SHAKING, WIRE_SECURE };

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
	enum wire_phase phase;
	struct tls_session *tls; /* not WIRE_CLEAR */
	uint8_t *raw;            /* came before TLS began, and is TLS's */
	size_t raw_pos, raw_len;
	char why[WIRE_TEXT_MAX]; /* what TLS says of `error` */
	int error;               /* told by closed() in a moment */
	bool *gone;              /* set when freed inside a callback */
};

static bool tls_holds(const struct wire *w)
{
	return w->tls && (tls_session_wants(w->tls) & TLS_WANTS_OUT);
}

static void update(struct wire *w)
{
	unsigned events = 0;

	if (!w->paused && !w->ended)
		events |= EV_IO_IN;
	if (w->out_len || tls_holds(w) || w->want || (w->shut && !w->shut_sent))
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

/* The session is dead; it knows why. */
static void fail_tls(struct wire *w, int error)
{
	struct tls_error e;

	tls_session_error(w->tls, &e);
	if (e.kind != TLS_ERR_NONE && !w->why[0])
		snprintf(w->why, sizeof w->why, "TLS: %s", e.text);
	fail(w, error);
}

/* ---- TLS
 * ------------------------------------------------------------------------- */

static ssize_t pull(void *arg, void *buf, size_t len)
{
	struct wire *w = arg;
	ssize_t n;

	if (w->raw_pos < w->raw_len) {
		len = MIN(len, w->raw_len - w->raw_pos);
		memcpy(buf, w->raw + w->raw_pos, len);
		w->raw_pos += len;
		return (ssize_t)len;
	}
	n = recv(w->fd, buf, len, MSG_DONTWAIT);
	return n < 0 ? -errno : n;
}

static ssize_t push(void *arg, const struct iovec *iov, int n)
{
	const struct wire *w = arg;
	const struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)iov,
				 .msg_iovlen = (size_t)n};
	ssize_t r = sendmsg(w->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);

	return r < 0 ? -errno : r;
}

static const struct tls_io tls_io = {pull, push};

int wire_start_tls(struct wire *w, struct tls_policy *p, const char *peer)
{
	int r = tls_session_new(p, peer, &tls_io, w, &w->tls);

	if (r < 0)
		return r;
	w->phase = WIRE_SHAKING;
	/* not from here: the caller may be inside input() */
	ev_timer_set(w->soon, DUR_NS(0));
	return 0;
}

bool wire_shaking(const struct wire *w)
{
	return w->phase == WIRE_SHAKING;
}

const char *wire_tls_text(struct wire *w, char *buf)
{
	struct tls_info i;

	buf[0] = '\0';
	if (w->phase != WIRE_SECURE)
		return buf;
	tls_session_info(w->tls, &i);
	snprintf(buf, WIRE_TEXT_MAX, "%s %s", tls_version_name(i.version),
		 i.suite_name);
	return buf;
}

const char *wire_why(const struct wire *w, int error)
{
	return w->why[0] ? w->why : strerror(error);
}

/* As much as goes now: bytes, or negative errno. */
static ssize_t put_tls(struct wire *w, const uint8_t *p, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = tls_session_write(w->tls, p + done,
					      MIN(len - done, WIRE_TLS_RECORD));

		if (n == -EAGAIN)
			break;
		if (n < 0) {
			fail_tls(w, (int)-n);
			return n;
		}
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static ssize_t put(struct wire *w, const uint8_t *p, size_t len)
{
	ssize_t n;

	if (w->phase == WIRE_SECURE)
		return put_tls(w, p, len);
	do
		n = send(w->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	if (errno == EAGAIN)
		return 0;
	n = -errno;
	fail(w, errno);
	return n;
}

/* ---- events
 * ---------------------------------------------------------------------- */

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
		ssize_t n = put(w, w->out + w->out_pos, w->out_len);

		if (n <= 0)
			return;
		w->out_pos += (size_t)n;
		w->out_len -= (size_t)n;
	}
	/* an idle session holds no buffer */
	free(w->out);
	w->out = NULL;
	w->out_pos = w->out_cap = 0;
	if (w->shut && !w->shut_sent && !tls_holds(w)) {
		w->shut_sent = true;
		if (w->phase == WIRE_SECURE)
			(void)!tls_session_close(w->tls);
		if (shutdown(w->fd, SHUT_WR) < 0 && errno != ENOTCONN)
			fail(w, errno);
	}
}

static bool on_out(struct wire *w)
{
	bool gone = false;
	bool held = tls_holds(w);
	int r = held ? tls_session_flush(w->tls) : 0;

	if (r < 0 && r != -EAGAIN)
		fail_tls(w, -r);
	else if (r == 0)
		flush(w);
	if (held && r == 0) /* what stopped reading may be over */
		ev_timer_set(w->soon, DUR_NS(0));
	if (w->out_len || tls_holds(w) || !w->want || w->error) {
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

/* Input that was not used: TLS's if that has just begun. */
static int keep(struct wire *w, const uint8_t *data, size_t len)
{
	uint8_t *p = malloc(len);

	if (!p)
		return -ENOMEM;
	memcpy(p, data, len);
	if (w->phase == WIRE_SHAKING) {
		w->raw = p;
		w->raw_len = len;
		return 0;
	}
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

/* Bytes for the owner, 0 at the end, negative errno. */
static ssize_t take(struct wire *w, uint8_t *buf, size_t len)
{
	ssize_t n;

	if (w->phase == WIRE_SECURE)
		return tls_session_read(w->tls, buf, len);
	n = recv(w->fd, buf, len, MSG_DONTWAIT);
	return n < 0 ? -errno : n;
}

enum read { READ_GONE, READ_DRY, READ_MORE };

/* GONE: so is the wire. MORE: the session may have bytes for which the socket
 * wakes nobody. */
static enum read read_once(struct wire *w)
{
	uint8_t buf[WIRE_IN_MAX];
	ssize_t n = take(w, buf, sizeof buf);

	if (n == -EAGAIN || n == -EINTR)
		return READ_DRY;
	if (n < 0 && w->phase == WIRE_SECURE)
		fail_tls(w, (int)-n);
	else if (n < 0)
		fail(w, (int)-n);
	if (n < 0)
		return READ_DRY;
	if (n == 0)
		return tell_closed(w, 0) ? READ_DRY : READ_GONE;
	if (!give(w, buf, (size_t)n))
		return READ_GONE;
	return w->phase == WIRE_SECURE && !w->paused ? READ_MORE : READ_DRY;
}

static bool on_in(struct wire *w)
{
	enum read r = READ_MORE;

	for (int i = 0; i < READS_A_TURN && r == READ_MORE; i++)
		r = read_once(w);
	if (r == READ_GONE)
		return false;
	if (r == READ_MORE)
		ev_timer_set(w->soon, DUR_NS(0));
	update(w);
	return true;
}

/* The handshake goes on. False: the wire is gone. */
static bool shake(struct wire *w)
{
	bool gone = false;
	int r;

	flush(w); /* what was said in clear */
	r = w->out_len || w->error ? -EAGAIN : tls_session_handshake(w->tls);
	if (r < 0) {
		if (r != -EAGAIN)
			fail_tls(w, -r);
		update(w);
		return true;
	}
	w->phase = WIRE_SECURE;
	w->gone = &gone;
	w->ops->secured(w->arg);
	if (gone)
		return false;
	w->gone = NULL;
	/* bytes may be there already, and the socket silent */
	return w->error || w->paused ? true : on_in(w);
}

static void on_io(void *arg, int fd, unsigned events)
{
	struct wire *w = arg;

	(void)fd;
	if (w->phase == WIRE_SHAKING) {
		if (!w->error)
			(void)shake(w);
		return;
	}
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
	if (w->phase == WIRE_SHAKING) {
		(void)shake(w);
		return;
	}
	if (w->paused)
		return;
	w->left = NULL;
	w->left_len = 0;
	if (data && !give(w, data, len))
		w = NULL;
	free(data);
	if (w && w->phase == WIRE_SECURE && !w->paused && !w->ended)
		(void)on_in(w);
	else if (w)
		update(w);
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
	tls_session_free(w->tls);
	free(w->out);
	free(w->left);
	free(w->raw);
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
	if (w->phase == WIRE_SHAKING)
		return -EBUSY;
	if (!w->out_len) {
		ssize_t n = put(w, p, len);

		if (n < 0)
			return (int)n;
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
	return w->out_len + tls_holds(w);
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
