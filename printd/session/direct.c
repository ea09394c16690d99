/*
 * direct.c: DIRECT: a job as bytes to a printer's port. What the bytes prove
 * and when to give up is pjl/raw.h; here are the socket and the source.
 *
 * Progress is what the peer acknowledged, not what the kernel buffered: a
 * printer without paper takes nothing, and the job is not "sent" because a
 * socket buffer was large.
 */
#include "pjl/raw.h"
#include "session/dial.h"
#include "session/session.h"
#include "session/wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POLL DUR_MS(100) /* looks at what the peer has acknowledged */

struct direct {
	struct session s;
	struct dial_target to;
	struct dial *dial;
	struct wire *wire;
	struct ev_timer *timer;
	struct source *source; /* NULL = no job */
	struct raw_conf conf;
	struct raw raw;
	bool all_read; /* the source is dry; our side is shut */
	bool told_sent;
	uint64_t written, acked;
	char state[96];
};

static struct direct *of(struct session *s)
{
	return container_of(s, struct direct, s);
}

static void drop(struct direct *d)
{
	dial_cancel(d->dial);
	d->dial = NULL;
	wire_free(d->wire);
	d->wire = NULL;
	source_free(d->source);
	d->source = NULL;
	ev_timer_stop(d->timer);
}

static void done(struct direct *d, const struct session_result *r)
{
	struct session_owner o = d->s.owner;

	snprintf(d->state, sizeof d->state, "%.90s",
		 r->outcome == SESSION_PRINTED ? "idle" : r->reason);
	drop(d);
	o.done(o.arg, r);
}

static void finished(struct direct *d, const struct raw_event *ev)
{
	struct session_result r = {.outcome = SESSION_PRINTED};

	if (ev->proof == RAW_PROOF_SENT && !d->s.lu->opt.weak_proof)
		session_result_make(
			&r, SESSION_HOLD, true,
			"all bytes were taken, but the printer did not close "
			"the connection: printed or not?");
	r.pages = d->raw.pages ? d->raw.pages
			       : (uint32_t)source_stats(d->source).pages;
	done(d, &r);
}

static void failed(struct direct *d, const struct raw_event *ev, int error)
{
	struct session_result r;
	bool maybe = raw_maybe_printed(&d->raw);

	if (ev->failure == RAW_CANCELLED)
		session_result_make(&r, SESSION_HOLD, true,
				    "cancelled at the printer");
	else if (error && (ev->failure == RAW_ERROR || error == DIAL_NO_NAME))
		session_result_make(&r, SESSION_RETRY, maybe, "%s",
				    session_connect_text(error));
	else if (d->raw.condition > PJL_READY)
		session_result_make(&r, SESSION_RETRY, maybe, "%s (%s)",
				    raw_failure_text(ev->failure),
				    pjl_condition_name(d->raw.condition));
	else
		session_result_make(&r, SESSION_RETRY, maybe, "%s",
				    raw_failure_text(ev->failure));
	done(d, &r);
}

/* False: the job is over. */
static bool on_event(struct direct *d, const struct raw_event *ev, int error)
{
	const struct session_owner *o = &d->s.owner;

	switch (ev->kind) {
	case RAW_EV_NONE:
	case RAW_EV_PAGE:
		break;
	case RAW_EV_STALLED:
		o->news(o->arg, SESSION_STALLED,
			ev->condition > PJL_READY
				? pjl_condition_name(ev->condition)
				: "takes no bytes");
		break;
	case RAW_EV_MOVING:
		o->news(o->arg, SESSION_MOVING, "takes bytes again");
		break;
	case RAW_EV_STATUS:
		o->news(o->arg, SESSION_STATUS,
			pjl_condition_name(d->raw.condition));
		break;
	case RAW_EV_DONE:
		finished(d, ev);
		return false;
	case RAW_EV_FAILED:
		failed(d, ev, error);
		return false;
	}
	return true;
}

/* ---- timers
 * -------------------------------------------------------------------- */

static void arm(struct direct *d)
{
	mono_t now = mono_now(), at = raw_deadline(&d->raw);

	if (d->wire && d->acked < d->written)
		at = mono_min(at, mono_add(now, POLL));
	if (mono_is_never(at))
		ev_timer_stop(d->timer);
	else
		ev_timer_set(d->timer, mono_sub(at, now));
}

/* What the peer has acknowledged since the last look. */
static bool progress(struct direct *d)
{
	size_t out = dial_unacked(wire_fd(d->wire)) + wire_queued(d->wire);
	uint64_t acked = d->written > out ? d->written - out : 0;
	struct raw_event ev = {.kind = RAW_EV_NONE};
	uint64_t n;

	if (acked <= d->acked)
		return true;
	n = acked - d->acked;
	d->acked = acked;
	raw_progress(&d->raw, n, &ev, mono_now());
	return on_event(d, &ev, 0);
}

/* All is with the printer: wait for its close. */
static void maybe_drain(struct direct *d)
{
	if (!d->all_read || d->acked < d->written || d->raw.state != RAW_SEND)
		return;
	raw_shut(&d->raw, mono_now());
	if (!d->told_sent) {
		d->told_sent = true;
		snprintf(d->state, sizeof d->state, "waiting for its close");
		d->s.owner.sent(d->s.owner.arg);
	}
}

static void on_timer(void *arg)
{
	struct direct *d = arg;
	struct raw_event ev = {.kind = RAW_EV_NONE};

	if (d->wire) {
		if (!progress(d))
			return;
		maybe_drain(d);
	}
	raw_expire(&d->raw, mono_now(), &ev);
	if (on_event(d, &ev, d->dial ? dial_late(d->dial) : 0))
		arm(d);
}

/* ---- socket
 * -------------------------------------------------------------------- */

static void spool_trouble(struct direct *d, int r)
{
	struct session_result res;

	session_result_make(&res, r == -EBADMSG ? SESSION_HOLD : SESSION_RETRY,
			    d->written > 0, "reading the job: %s",
			    r == -EBADMSG ? "its file is damaged"
					  : strerror(-r));
	done(d, &res);
}

static void on_room(void *arg)
{
	struct direct *d = arg;
	uint8_t buf[SESSION_CHUNK];
	ssize_t n;

	if (d->all_read)
		return;
	if (!progress(d))
		return;
	n = source_read(d->source, buf, sizeof buf);
	if (n == 0) {
		n = (ssize_t)raw_end(&d->raw, buf);
		d->all_read = true;
	}
	if (n < 0) {
		spool_trouble(d, (int)n);
		return;
	}
	d->written += (uint64_t)n;
	if (n && wire_write(d->wire, buf, (size_t)n) < 0)
		return; /* closed() follows */
	if (d->all_read) {
		if (!d->conf.pjl)
			wire_shut(d->wire);
		if (progress(d)) {
			maybe_drain(d);
			arm(d);
		}
	} else {
		wire_want(d->wire);
		arm(d);
	}
}

static size_t on_input(void *arg, const void *data, size_t len)
{
	struct direct *d = arg;
	const uint8_t *p = data;
	size_t left = len;

	for (;;) {
		struct raw_event ev = {.kind = RAW_EV_NONE};
		size_t n = raw_input(&d->raw, p, left, &ev, mono_now());

		p += n;
		left -= n;
		if (!on_event(d, &ev, 0))
			return len;
		if (!left && ev.kind == RAW_EV_NONE)
			break;
	}
	/* here too: a printer that talks all the time moves the next look of
	 * arm() away for ever */
	if (progress(d)) {
		maybe_drain(d);
		arm(d);
	}
	return len;
}

static void on_closed(void *arg, int error)
{
	struct direct *d = arg;
	struct raw_event ev = {.kind = RAW_EV_NONE};

	/* its last acknowledgement may have come with its close */
	if (!error) {
		if (!progress(d))
			return;
		maybe_drain(d);
	}
	raw_closed(&d->raw, error, &ev);
	if (on_event(d, &ev, error))
		arm(d);
}

static const struct wire_ops wire_ops = {
	.input = on_input, .room = on_room, .closed = on_closed};

static bool start(struct direct *d, int fd)
{
	struct session_result res;
	uint8_t head[PJL_BRACKET_MAX];
	size_t n;
	int r = wire_new(d->s.env->loop, fd, &wire_ops, d, &d->wire);

	if (r < 0)
		close(fd);
	else
		r = d->s.owner.begins(d->s.owner.arg);
	if (r < 0) {
		session_result_make(&res, SESSION_RETRY, false, "%s",
				    strerror(-r));
		done(d, &res);
		return false;
	}
	n = raw_start(&d->raw, head);
	d->written = n;
	if (n && wire_write(d->wire, head, n) < 0)
		return true;
	snprintf(d->state, sizeof d->state, "sending");
	wire_want(d->wire);
	return true;
}

static void on_dial(void *arg, int fd, int error)
{
	struct direct *d = arg;
	struct raw_event ev = {.kind = RAW_EV_NONE};

	d->dial = NULL;
	raw_connected(&d->raw, error, &ev, mono_now());
	if (!on_event(d, &ev, error) || error)
		return;
	if (start(d, fd))
		arm(d);
}

/* ---- the session
 * ------------------------------------------------------------------- */

static int direct_send(struct session *s, const struct session_job *job)
{
	struct direct *d = of(s);
	char name[PJL_NAME_MAX + 1];
	int r;

	d->source = job->source;
	d->all_read = d->told_sent = false;
	d->written = d->acked = 0;
	snprintf(name, sizeof name, "%u %.60s", job->id, job->title);
	raw_init(&d->raw, &d->conf, name, mono_now());
	r = dial_start(s->env, &d->to, false, on_dial, d, &d->dial);
	if (r < 0) {
		drop(d);
		return r;
	}
	snprintf(d->state, sizeof d->state, "connecting");
	arm(d);
	return 0;
}

static void direct_stop(struct session *s)
{
	drop(of(s));
}

static void direct_free(struct session *s)
{
	struct direct *d = of(s);

	ev_timer_free(d->timer);
	free(d);
}

static bool direct_ready(struct session *s)
{
	(void)s;
	return true;
}

static enum source_target direct_target(struct session *s)
{
	return s->lu->opt.format == LU_FORMAT_PDF ? SOURCE_PDF : SOURCE_BYTES;
}

static void direct_describe(struct session *s, char *buf, size_t len)
{
	const struct direct *d = of(s);
	char text[DIAL_TEXT_MAX];

	snprintf(buf, len, "%s %s", dial_target_text(&d->to, text), d->state);
}

static const struct session_ops ops = {
	.send = direct_send,
	.stop = direct_stop,
	.free = direct_free,
	.ready = direct_ready,
	.target = direct_target,
	.describe = direct_describe,
};

int session_direct_new(struct session **ret, const struct session_env *env,
		       const struct printd_lu *lu)
{
	const struct lu_opt *o = &lu->opt;
	struct direct *d = calloc(1, sizeof *d);
	int r;

	if (!d)
		return -ENOMEM;
	d->s.ops = &ops;
	d->conf = (struct raw_conf){.pjl = o->pjl,
				    .connect = DUR_NS(o->connect_ns),
				    .stall = DUR_NS(o->stall_ns),
				    .give_up = DUR_NS(o->giveup_ns),
				    .drain = DUR_NS(o->drain_ns)};
	snprintf(d->conf.language, sizeof d->conf.language, "%s", o->language);
	snprintf(d->state, sizeof d->state, "idle");
	dial_target_set(&d->to, lu->host, lu->port);
	r = ev_timer_new(env->loop, on_timer, d, &d->timer);
	if (r < 0) {
		free(d);
		return r;
	}
	*ret = &d->s;
	return 0;
}
