/*
 * lpr.c: LPR: a job to a line printer daemon. The protocol is lpr/lpr.h. It
 * wants the exact size first, so a job that is rendered is rendered twice:
 * once to count, a slice each turn of the loop, and once to send.
 */
#include "lpr/lpr.h"
#include "session/dial.h"
#include "session/session.h"
#include "session/stall.h"
#include "session/wire.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MEASURE_SLICE (256u << 10) /* bytes of input counted in one turn */

enum lpr_step { STEP_IDLE, STEP_MEASURE, STEP_CONNECT, STEP_TALK };

struct lpr_session {
	struct session s;
	struct dial_target to;
	enum lpr_step step;
	struct dial *dial;
	struct wire *wire;
	struct ev_timer *timer;
	struct source *source;
	struct lpr_job job;
	struct lpr lpr;
	struct stall stall; /* of the data file */
	uint64_t size;
	char hostname[LPR_HOST_MAX + 1];
	char state[96];
};

static struct lpr_session *of(struct session *s)
{
	return container_of(s, struct lpr_session, s);
}

static void drop(struct lpr_session *l)
{
	dial_cancel(l->dial);
	l->dial = NULL;
	wire_free(l->wire);
	l->wire = NULL;
	source_free(l->source);
	l->source = NULL;
	ev_timer_stop(l->timer);
	l->step = STEP_IDLE;
}

static void done(struct lpr_session *l, const struct session_result *r)
{
	struct session_owner o = l->s.owner;

	snprintf(l->state, sizeof l->state, "%.90s",
		 r->outcome == SESSION_PRINTED ? "idle" : r->reason);
	drop(l);
	o.done(o.arg, r);
}

static void trouble(struct lpr_session *l, int r, bool maybe, const char *what)
{
	struct session_result res;

	session_result_make(&res, r == -EBADMSG ? SESSION_HOLD : SESSION_RETRY,
			    maybe, "%s: %s", what,
			    r == -EBADMSG ? "the job's file is damaged"
					  : strerror(-r));
	done(l, &res);
}

static void printed(struct lpr_session *l)
{
	struct session_result r = {.outcome = SESSION_PRINTED};
	uint8_t end;

	/* all of its bytes were read, but not its end, which knows the pages */
	if (source_read(l->source, &end, sizeof end) == 0)
		r.pages = (uint32_t)source_stats(l->source).pages;
	done(l, &r);
}

/* A refusal that says "never" would be said again. */
static void failed(struct lpr_session *l)
{
	struct session_result r;
	const char *why = lpr_failure_text(l->lpr.failure);

	if (l->lpr.text[0])
		session_result_make(&r, SESSION_RETRY,
				    !lpr_safe_to_repeat(&l->lpr), "%s: %s", why,
				    l->lpr.text);
	else
		session_result_make(&r, SESSION_RETRY,
				    !lpr_safe_to_repeat(&l->lpr), "%s", why);
	done(l, &r);
}

static void arm(struct lpr_session *l)
{
	mono_t at = mono_min(lpr_deadline(&l->lpr), stall_deadline(&l->stall));

	if (mono_is_never(at))
		ev_timer_stop(l->timer);
	else
		ev_timer_set(l->timer, mono_sub(at, mono_now()));
}

/* A portion of the file is with the daemon, or none of it yet. */
static void watch(struct lpr_session *l, uint64_t n)
{
	const struct lu_opt *o = &l->s.lu->opt;
	const struct session_owner *w = &l->s.owner;
	mono_t now = mono_now();

	if (!n)
		stall_begin(&l->stall, DUR_NS(o->stall_ns),
			    DUR_NS(o->giveup_ns), now);
	else if (stall_moved(&l->stall, now))
		w->news(w->arg, SESSION_MOVING, "takes bytes again");
}

/* The time of the file, and of the daemon's answers. */
static void look(struct lpr_session *l)
{
	const struct session_owner *w = &l->s.owner;
	mono_t now = mono_now();
	struct session_result r;

	switch (stall_expire(&l->stall, now)) {
	case STALL_NOTHING:
		break;
	case STALL_STALLED:
		w->news(w->arg, SESSION_STALLED, "takes no bytes");
		break;
	case STALL_GIVE_UP:
		session_result_make(&r, SESSION_RETRY,
				    !lpr_safe_to_repeat(&l->lpr),
				    "the daemon takes no data");
		done(l, &r);
		return;
	}
	lpr_expire(&l->lpr, now);
	if (l->lpr.state == LPR_FAILED)
		failed(l);
	else
		arm(l);
}

/* Our bytes, a portion of the file, or the end. False: the job is over. */
static bool advance(struct lpr_session *l)
{
	uint8_t buf[SESSION_CHUNK];
	mono_t now = mono_now();
	uint64_t left;
	ssize_t n;

	if (l->lpr.state == LPR_DONE) {
		printed(l);
		return false;
	}
	if (l->lpr.state == LPR_FAILED) {
		failed(l);
		return false;
	}
	while ((n = (ssize_t)lpr_output(&l->lpr, buf, sizeof buf, now)) > 0)
		if (wire_write(l->wire, buf, (size_t)n) < 0)
			return true;
	left = lpr_data_left(&l->lpr);
	/* one portion at a time, whatever the daemon sends meanwhile */
	if (left && !wire_queued(l->wire)) {
		n = source_read(l->source, buf,
				(size_t)MIN(left, (uint64_t)sizeof buf));
		if (n <= 0) {
			trouble(l, n < 0 ? (int)n : -EBADMSG, l->lpr.sent > 0,
				"reading the job");
			return false;
		}
		watch(l, l->lpr.sent);
		if (wire_write(l->wire, buf, (size_t)n) < 0)
			return true;
		lpr_sent(&l->lpr, (uint64_t)n, now);
		wire_want(l->wire);
		if (!lpr_data_left(&l->lpr)) {
			stall_end(&l->stall);
			l->s.owner.sent(l->s.owner.arg);
		}
	}
	arm(l);
	return true;
}

static void on_room(void *arg)
{
	(void)advance(arg);
}

static size_t on_input(void *arg, const void *data, size_t len)
{
	struct lpr_session *l = arg;

	lpr_input(&l->lpr, data, len, mono_now());
	(void)advance(l);
	return len;
}

static void on_closed(void *arg, int error)
{
	struct lpr_session *l = arg;

	if (error && l->lpr.state != LPR_DONE && !l->lpr.text[0])
		snprintf(l->lpr.text, sizeof l->lpr.text, "%s",
			 strerror(error));
	lpr_eof(&l->lpr);
	(void)advance(l);
}

static const struct wire_ops wire_ops = {
	.input = on_input, .room = on_room, .closed = on_closed};

static void on_dial(void *arg, int fd, int error)
{
	struct lpr_session *l = arg;
	struct session_result res;
	const char *what;
	int r;

	l->dial = NULL;
	if (error) {
		session_result_make(&res, SESSION_RETRY, false, "%s",
				    session_connect_text(error));
		done(l, &res);
		return;
	}
	r = wire_new(l->s.env->loop, fd, &wire_ops, l, &l->wire);
	if (r < 0)
		close(fd);
	else
		r = lpr_init(&l->lpr, &l->job, &what, mono_now());
	if (r == 0)
		r = l->s.owner.begins(l->s.owner.arg);
	if (r < 0) {
		trouble(l, r, false, "beginning");
		return;
	}
	l->step = STEP_TALK;
	snprintf(l->state, sizeof l->state, "sending");
	wire_want(l->wire);
	arm(l);
}

static void dial(struct lpr_session *l)
{
	bool reserved = l->s.lu->opt.source == LU_SOURCE_RESERVED;
	int r = dial_start(l->s.env, &l->to, reserved, on_dial, l, &l->dial);

	if (r < 0) {
		trouble(l, r, false, "connecting");
		return;
	}
	l->step = STEP_CONNECT;
	snprintf(l->state, sizeof l->state, "connecting");
	ev_timer_set(l->timer, DUR_NS(l->s.lu->opt.connect_ns));
}

static void measure(struct lpr_session *l)
{
	int r = source_measure(l->source, MEASURE_SLICE, &l->size);

	if (r == -EAGAIN) {
		ev_timer_set(l->timer, DUR_NS(0));
		return;
	}
	if (r < 0) {
		trouble(l, r, false, "reading the job");
		return;
	}
	l->job.size = l->size;
	dial(l);
}

static void on_timer(void *arg)
{
	struct lpr_session *l = arg;
	struct session_result r;

	switch (l->step) {
	case STEP_IDLE:
		break;
	case STEP_MEASURE:
		measure(l);
		break;
	case STEP_CONNECT:
		session_result_make(&r, SESSION_RETRY, false, "%s",
				    session_connect_text(dial_late(l->dial)));
		done(l, &r);
		break;
	case STEP_TALK:
		look(l);
		break;
	}
}

/* ---- the session
 * ------------------------------------------------------------------- */

/* A user's name as a control file can have it [RFC1179 7.8]: no blank, and no
 * digit in front, which servers take for a job number. */
static void user_name(const char *user, char *buf, size_t len)
{
	snprintf(buf, len, "%s%s", isdigit((unsigned char)user[0]) ? "_" : "",
		 user[0] ? user : "printd");
	for (char *c = buf; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			*c = '_';
}

static void fill_job(struct lpr_session *l, const struct session_job *job)
{
	const struct lu_opt *o = &l->s.lu->opt;
	struct lpr_job *j = &l->job;

	*j = (struct lpr_job){
		.number = job->id % 1000,
		.format = o->lpformat[0],
		.copies = job->copies,
		.banner = o->banner,
		.data_first = o->order == LU_ORDER_DATA,
		.ack = DUR_NS(o->drain_ns),
	};
	snprintf(j->queue, sizeof j->queue, "%s", l->s.lu->queue);
	snprintf(j->host, sizeof j->host, "%s", l->hostname);
	user_name(job->user, j->user, sizeof j->user);
	snprintf(j->job, sizeof j->job, "%.99s", job->title);
	snprintf(j->name, sizeof j->name, "%.131s", job->title);
}

static int lpr_send(struct session *s, const struct session_job *job)
{
	struct lpr_session *l = of(s);

	l->source = job->source;
	l->size = 0;
	stall_end(&l->stall);
	fill_job(l, job);
	l->step = STEP_MEASURE;
	snprintf(l->state, sizeof l->state, "preparing");
	ev_timer_set(l->timer, DUR_NS(0));
	return 0;
}

static void lpr_stop(struct session *s)
{
	drop(of(s));
}

static void lpr_free(struct session *s)
{
	struct lpr_session *l = of(s);

	ev_timer_free(l->timer);
	free(l);
}

static bool lpr_ready(struct session *s)
{
	(void)s;
	return true;
}

static enum source_target lpr_target(struct session *s)
{
	return s->lu->opt.format == LU_FORMAT_PDF ? SOURCE_PDF : SOURCE_BYTES;
}

static void lpr_describe(struct session *s, char *buf, size_t len)
{
	const struct lpr_session *l = of(s);
	char text[DIAL_TEXT_MAX];

	snprintf(buf, len, "%s %s %s", dial_target_text(&l->to, text),
		 s->lu->queue, l->state);
}

static const struct session_ops ops = {
	.send = lpr_send,
	.stop = lpr_stop,
	.free = lpr_free,
	.ready = lpr_ready,
	.target = lpr_target,
	.describe = lpr_describe,
	.copies_max = LPR_COPIES_MAX,
};

int session_lpr_new(struct session **ret, const struct session_env *env,
		    const struct printd_lu *lu)
{
	struct lpr_session *l = calloc(1, sizeof *l);
	char name[256] = "";
	int r;

	if (!l)
		return -ENOMEM;
	l->s.ops = &ops;
	snprintf(l->state, sizeof l->state, "idle");
	(void)gethostname(name, sizeof name - 1);
	snprintf(l->hostname, sizeof l->hostname, "%.31s",
		 name[0] ? name : "couplet");
	dial_target_set(&l->to, lu->host, lu->port);
	r = ev_timer_new(env->loop, on_timer, l, &l->timer);
	if (r < 0) {
		free(l);
		return r;
	}
	*ret = &l->s;
	return 0;
}
