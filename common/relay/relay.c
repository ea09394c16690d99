/*
 * relay.c: the two directions of a relay.
 *
 * A direction is in one of these places: nothing under way; bytes in `held`
 * (the other end did not take all of them); bytes in a pipe (the same, for
 * splice); the other end's FIN to be sent. Reading goes on only in the first,
 * so a slow reader costs one chunk or one pipe.
 *
 * Small messages are read and written through one scratch buffer that all
 * relays share; a direction that filled it twice in a row changes to splice,
 * which moves references instead of bytes, and back when a read was short.
 */
#include "relay/set.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define SPLICE_AFTER 2
#define SPLICE_MAX (1u << 20)
#define SPLICE_SMALL 4096 /* less than that is cheaper to copy */

enum step {
	STEP_MORE,    /* bytes moved: try again */
	STEP_DRY,     /* nothing to read */
	STEP_BLOCKED, /* the other end is full */
	STEP_OVER,    /* this direction has ended */
	STEP_BROKEN,  /* the relay is to end: broken.* */
};

struct broken {
	enum relay_cause cause;
	int side, error;
	bool deaf; /* seen by writing: `side` may have said something */
};

static enum step breaks(struct broken *b, enum relay_cause cause, int side,
			int error)
{
	*b = (struct broken){cause, side, error, false};
	return STEP_BROKEN;
}

/* ---- the end of a relay
 * ---------------------------------------------------- */

static void drop_dir(struct relay *r, int i)
{
	struct relay_dir *d = &r->dir[i];

	free(d->held);
	d->held = NULL;
	d->len = 0;
	if (d->pipe)
		relay_pipe_put(r->set, d->pipe, d->piped > 0);
	d->pipe = 0;
	d->piped = 0;
}

void relay_close_end(struct relay *r, int side, bool reset)
{
	struct relay_end *e = &r->end[side];

	drop_dir(r, side);
	if (e->watch.fd < 0)
		return;
	/* also of a session that is still shaking hands */
	if (e->tls && e->io == &relay_clear)
		relay_tls.close(e, reset);
	else
		e->io->close(e, reset);
	relay_watch_close(r->set, &e->watch);
}

void relay_abandon(struct relay *r, bool reset)
{
	relay_timer_set(r->set, &r->idle, MONO_NEVER);
	relay_close_end(r, 0, reset);
	relay_close_end(r, 1, reset);
}

static void over(struct relay *r, const struct broken *b)
{
	relay_abandon(r, b->cause != RELAY_CAUSE_FIN);
	r->done(r, b->cause, b->side, b->error);
}

void relay_kill(struct relay *r)
{
	over(r, &(struct broken){RELAY_CAUSE_KILLED, 0, -ECONNABORTED, false});
}

/* ---- delivery
 * ------------------------------------------------------------- */

static bool gone(ssize_t n)
{
	return n == -EPIPE || n == -ECONNRESET || n == -ECONNABORTED;
}

/* What came of a send or splice of `n` (or negative errno) towards end
 * `to`. */
static enum step sent(struct relay *r, int to, ssize_t n, struct broken *b)
{
	struct relay_end *e = &r->end[to];

	if (n > 0)
		return STEP_MORE;
	if (n == -EAGAIN || n == 0) {
		e->watch.ready &= (uint8_t)~RELAY_OUT;
		return STEP_BLOCKED;
	}
	(void)breaks(b, RELAY_CAUSE_RESET, to, gone(n) ? -ECONNRESET : (int)n);
	b->deaf = true;
	return STEP_BROKEN;
}

static enum step push_held(struct relay *r, int i, struct broken *b)
{
	struct relay_dir *d = &r->dir[i];
	struct relay_end *to = &r->end[!i];
	enum step st = STEP_MORE;

	while (d->len && st == STEP_MORE) {
		ssize_t n = to->io->send(to, d->held + d->at, d->len);

		st = sent(r, !i, n, b);
		if (st != STEP_MORE)
			return st;
		d->at += (uint32_t)n;
		d->len -= (uint32_t)n;
	}
	free(d->held);
	d->held = NULL;
	return st;
}

static enum step push_pipe(struct relay *r, int i, struct broken *b)
{
	struct relay_dir *d = &r->dir[i];
	struct relay_pipe *p = relay_pipe_at(r->set, d->pipe);

	while (d->piped) {
		ssize_t n = splice(p->rd, NULL, r->end[!i].watch.fd, NULL,
				   d->piped, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		enum step st;

		if (n < 0 && errno == EINTR)
			continue;
		st = sent(r, !i, n < 0 ? -errno : n, b);
		if (st != STEP_MORE)
			return st;
		d->piped -= (uint32_t)n;
	}
	relay_pipe_put(r->set, d->pipe, false);
	d->pipe = 0;
	return STEP_MORE;
}

/* Keeps what the other end did not take. */
static enum step hold(struct relay *r, int i, const char *bytes, size_t len,
		      struct broken *b)
{
	struct relay_dir *d = &r->dir[i];

	d->held = malloc(len);
	if (!d->held)
		return breaks(b, RELAY_CAUSE_RESET, i, -ENOMEM);
	memcpy(d->held, bytes, len);
	d->at = 0;
	d->len = (uint32_t)len;
	return STEP_BLOCKED;
}

static enum step deliver(struct relay *r, int i, const char *bytes, size_t len,
			 struct broken *b)
{
	struct relay_end *to = &r->end[!i];
	size_t done = 0;

	while (done < len) {
		ssize_t n = to->io->send(to, bytes + done, len - done);
		enum step st = sent(r, !i, n, b);

		if (st == STEP_BLOCKED)
			return hold(r, i, bytes + done, len - done, b);
		if (st != STEP_MORE)
			return st;
		done += (size_t)n;
	}
	return STEP_MORE;
}

/* ---- reading
 * -------------------------------------------------------------- */

/* What came of a read of `n` (or negative errno) from end `i`. */
static enum step got(struct relay *r, int i, ssize_t n, struct broken *b)
{
	struct relay_end *e = &r->end[i];

	if (n > 0) {
		r->dir[i].bytes += (uint64_t)n;
		r->active = r->set->now;
		return STEP_MORE;
	}
	if (n == 0) {
		e->eof = true;
		return STEP_MORE;
	}
	if (n == -EAGAIN) {
		e->watch.ready &= (uint8_t)~RELAY_IN;
		r->dir[i].full = 0;
		return STEP_DRY;
	}
	return breaks(b, RELAY_CAUSE_RESET, i, (int)n);
}

static enum step filtered(struct relay *r, int i, size_t len, struct broken *b)
{
	struct relay_set *s = r->set;
	ssize_t n = r->filter(r->arg, i, s->scratch, len, s->filtered,
			      sizeof s->filtered);

	if (n < 0)
		return breaks(b, RELAY_CAUSE_FILTER, i, (int)n);
	return deliver(r, i, s->filtered, (size_t)n, b);
}

static enum step copy_step(struct relay *r, int i, struct broken *b)
{
	struct relay_end *e = &r->end[i];
	char *buf = r->set->scratch;
	ssize_t n = e->io->recv(e, buf, RELAY_CHUNK);
	enum step st = got(r, i, n, b);

	if (n <= 0 || st != STEP_MORE)
		return st;
	/* the edge of what comes later is still ahead of us */
	if (n < RELAY_CHUNK && e->io->raw && !(e->watch.ready & RELAY_FIN))
		e->watch.ready &= (uint8_t)~RELAY_IN;
	r->dir[i].full = n == RELAY_CHUNK ? r->dir[i].full + 1 : 0;
	return r->filter ? filtered(r, i, (size_t)n, b)
			 : deliver(r, i, buf, (size_t)n, b);
}

static enum step splice_step(struct relay *r, int i, struct broken *b)
{
	struct relay_dir *d = &r->dir[i];
	enum step st;
	ssize_t n;

	d->pipe = relay_pipe_get(r->set);
	if (!d->pipe) {
		d->full = 0; /* for a while by copying */
		return copy_step(r, i, b);
	}
	do
		n = splice(r->end[i].watch.fd, NULL,
			   relay_pipe_at(r->set, d->pipe)->wr, NULL, SPLICE_MAX,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	while (n < 0 && errno == EINTR);
	st = got(r, i, n < 0 ? -errno : n, b);
	if (n <= 0) {
		relay_pipe_put(r->set, d->pipe, false);
		d->pipe = 0;
		return st;
	}
	d->piped = (uint32_t)n;
	if (n < SPLICE_SMALL)
		d->full = 0;
	return push_pipe(r, i, b);
}

static enum step finish(struct relay *r, int i, struct broken *b)
{
	struct relay_end *to = &r->end[!i];
	int n;

	if (to->finished)
		return STEP_OVER;
	/* the last of the four: closing says it as well */
	n = to->io->raw && to->eof && r->end[i].finished ? 0
							 : to->io->finish(to);
	if (n == -EAGAIN) {
		to->watch.ready &= (uint8_t)~RELAY_OUT;
		return STEP_BLOCKED;
	}
	/* it is reset, or closed already: reading from it tells which */
	if (n < 0 && n != -ENOTCONN && n != -EPIPE)
		return breaks(b, RELAY_CAUSE_RESET, !i, n);
	to->finished = true;
	return STEP_OVER;
}

/* What an end holds of what it took (a TLS record) goes out first. */
static enum step flush(struct relay *r, int to, struct broken *b)
{
	struct relay_end *e = &r->end[to];
	int n = -EAGAIN;

	if (e->watch.ready & RELAY_OUT)
		n = e->io->flush(e);
	return n == 0 ? STEP_MORE : sent(r, to, n, b);
}

static enum step step(struct relay *r, int i, struct broken *b)
{
	struct relay_end *from = &r->end[i], *to = &r->end[!i];
	struct relay_dir *d = &r->dir[i];

	if (to->want_out) {
		enum step st = flush(r, !i, b);

		if (st != STEP_MORE)
			return st;
	}

	if ((d->len || d->pipe || from->eof) &&
	    !(to->watch.ready & RELAY_OUT) && !to->finished)
		return STEP_BLOCKED;
	if (d->len)
		return push_held(r, i, b);
	if (d->pipe)
		return push_pipe(r, i, b);
	if (from->eof)
		return finish(r, i, b);
	if (r->paused || !(from->watch.ready & RELAY_IN))
		return STEP_DRY;
	if (d->full >= SPLICE_AFTER && from->io->raw && to->io->raw &&
	    !r->filter)
		return splice_step(r, i, b);
	return copy_step(r, i, b);
}

/* Moves what can be moved from end `i`. */
static enum step pump(struct relay *r, int i, struct broken *b)
{
	enum step st = STEP_MORE;
	int n = 0;

	while (st == STEP_MORE && n++ < RELAY_ROUND_MAX)
		st = step(r, i, b);
	if (st == STEP_MORE)
		relay_watch_again(r->set, &r->end[i].watch);
	return st;
}

static bool ended(const struct relay *r)
{
	return r->end[0].finished && r->end[1].finished;
}

/* ---- events
 * --------------------------------------------------------------- */

/*
 * An end that takes no more may still have said something before: a server
 * that refuses a request it has not read to its end. That goes out first.
 */
static void last_words(struct relay *r, const struct broken *b)
{
	struct broken ignored;

	if (b->deaf)
		(void)pump(r, b->side, &ignored);
}

/* A reset is seen by reading; that of an end nobody reads from just now (its
 * FIN came, or the other side is full) has to be asked for. */
static bool broke(struct relay *r, struct broken *b)
{
	for (int i = 0; i < 2; i++) {
		struct relay_end *e = &r->end[i];
		int error = 0;
		socklen_t len = sizeof error;

		if (!(e->watch.ready & RELAY_ERR) || e->watch.listed)
			continue;
		e->watch.ready &= (uint8_t)~RELAY_ERR;
		if (getsockopt(e->watch.fd, SOL_SOCKET, SO_ERROR, &error,
			       &len) == 0 &&
		    error) {
			(void)breaks(b, RELAY_CAUSE_RESET, i, -error);
			return true;
		}
	}
	return false;
}

static void turn(struct relay *r)
{
	struct broken b;

	for (int i = 0; i < 2; i++) {
		if (pump(r, i, &b) == STEP_BROKEN) {
			last_words(r, &b);
			over(r, &b);
			return;
		}
	}
	if (ended(r))
		over(r, &(struct broken){RELAY_CAUSE_FIN, 0, 0, false});
	else if (broke(r, &b))
		over(r, &b);
}

static void on_end0(struct relay_watch *w, mono_t now)
{
	(void)now;
	turn(container_of(w, struct relay, end[0].watch));
}

static void on_end1(struct relay_watch *w, mono_t now)
{
	(void)now;
	turn(container_of(w, struct relay, end[1].watch));
}

static void on_idle(struct relay_timer *t, mono_t now)
{
	struct relay *r = container_of(t, struct relay, idle);
	mono_t at = mono_add(r->active, r->idle_after);

	if (mono_lt(now, at))
		relay_timer_set(r->set, t, at);
	else
		over(r,
		     &(struct broken){RELAY_CAUSE_IDLE, 0, -ETIMEDOUT, false});
}

/* ---- the face
 * ------------------------------------------------------------- */

void relay_init(struct relay *r, struct relay_set *s)
{
	*r = (struct relay){
		.set = s, .end = {{.io = &relay_clear}, {.io = &relay_clear}}};
	relay_watch_init(&r->end[0].watch, on_end0);
	relay_watch_init(&r->end[1].watch, on_end1);
	relay_timer_init(&r->idle, on_idle);
}

void relay_start(struct relay *r)
{
	r->end[0].watch.fn = on_end0;
	r->end[1].watch.fn = on_end1;
	r->paused = false;
	r->active = r->set->now;
	if (r->idle_after.ns)
		relay_timer_set(r->set, &r->idle,
				mono_add(r->active, r->idle_after));
	relay_watch_again(r->set, &r->end[0].watch);
}

int relay_inject(struct relay *r, int side, const void *bytes, size_t len)
{
	struct relay_dir *d = &r->dir[side];
	char *p;

	if (d->len + len > RELAY_CHUNK)
		return -EMSGSIZE;
	if (!len)
		return 0;
	p = malloc(d->len + len);
	if (!p)
		return -ENOMEM;
	if (d->len)
		memcpy(p, d->held + d->at, d->len);
	memcpy(p + d->len, bytes, len);
	free(d->held);
	d->held = p;
	d->at = 0;
	d->len += (uint32_t)len;
	return 0;
}

size_t relay_held(const struct relay *r, int side)
{
	return r->dir[side].len;
}

size_t relay_take_held(struct relay *r, int side, void *buf)
{
	struct relay_dir *d = &r->dir[side];
	size_t n = d->len;

	if (n)
		memcpy(buf, d->held + d->at, n);
	free(d->held);
	d->held = NULL;
	d->len = 0;
	return n;
}

void relay_pause(struct relay *r)
{
	r->paused = true;
}

bool relay_drained(const struct relay *r, int side)
{
	return !r->dir[side].len && !r->dir[side].piped;
}
