/*
 * lpr.c: LPR: a job to a line printer daemon. The protocol is lpr/lpr.h. It
 * wants the exact size first, so a job that is rendered is rendered twice:
 * once to count, a slice each turn of the loop, and once to send.
 */
#include "lpr/lpr.h"
#include "session/dial.h"
#include "session/session.h"
#include "session/wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MEASURE_SLICE (256u << 10) /* bytes of input counted in one turn */

enum lpr_step { STEP_IDLE, STEP_MEASURE, STEP_CONNECT, STEP_TALK };

struct lpr_session {
	struct session s;
	struct ip_port to;
	enum lpr_step step;
	struct dial *dial;
	struct wire *wire;
	struct ev_timer *timer;
	struct source *source;
	struct lpr_job job;
	struct lpr lpr;
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
	struct session_result r = {
		.outcome = SESSION_PRINTED,
		.pages = (uint32_t)source_stats(l->source).pages};

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
	mono_t at = lpr_deadline(&l->lpr);

	if (mono_is_never(at))
		ev_timer_stop(l->timer);
	else
		ev_timer_set(l->timer, mono_sub(at, mono_now()));
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
	if (left) {
		n = source_read(l->source, buf,
				(size_t)MIN(left, (uint64_t)sizeof buf));
		if (n <= 0) {
			trouble(l, n < 0 ? (int)n : -EBADMSG, l->lpr.sent > 0,
				"reading the job");
			return false;
		}
		if (wire_write(l->wire, buf, (size_t)n) < 0)
			return true;
		lpr_sent(&l->lpr, (uint64_t)n, now);
		wire_want(l->wire);
		if (!lpr_data_left(&l->lpr))
			l->s.owner.sent(l->s.owner.arg);
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
	if (r == 0)
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
	int r = dial_start(l->s.env->loop, l->s.env->id, &l->to, reserved,
			   on_dial, l, &l->dial);

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
				    session_connect_text(ETIMEDOUT));
		done(l, &r);
		break;
	case STEP_TALK:
		lpr_expire(&l->lpr, mono_now());
		(void)advance(l);
		break;
	}
}

/* ---- the session
 * ------------------------------------------------------------------- */

static void fill_job(struct lpr_session *l, const struct session_job *job)
{
	const struct lu_opt *o = &l->s.lu->opt;
	struct lpr_job *j = &l->job;

	*j = (struct lpr_job){
		.number = job->id % 1000,
		.format = o->lpformat[0],
		.copies = CLAMP(job->copies, 1u, LPR_COPIES_MAX),
		.banner = o->banner,
		.data_first = o->order == LU_ORDER_DATA,
		.ack = DUR_NS(o->drain_ns),
	};
	snprintf(j->queue, sizeof j->queue, "%s", l->s.lu->queue);
	snprintf(j->host, sizeof j->host, "%s", l->hostname);
	snprintf(j->user, sizeof j->user, "%.31s",
		 job->user[0] ? job->user : "printd");
	snprintf(j->job, sizeof j->job, "%.99s", job->title);
	snprintf(j->name, sizeof j->name, "%.131s", job->title);
}

static int lpr_send(struct session *s, const struct session_job *job)
{
	struct lpr_session *l = of(s);

	l->source = job->source;
	l->size = 0;
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
	char text[PORT_TEXT_MAX];

	snprintf(buf, len, "%s %s %s", ip_port_format(&l->to, text),
		 s->lu->queue, l->state);
}

static const struct session_ops ops = {
	.send = lpr_send,
	.stop = lpr_stop,
	.free = lpr_free,
	.ready = lpr_ready,
	.target = lpr_target,
	.describe = lpr_describe,
	.copies = true,
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
	r = dial_resolve(env->id, lu->host, lu->port, &l->to);
	if (r == 0)
		r = ev_timer_new(env->loop, on_timer, l, &l->timer);
	if (r < 0) {
		free(l);
		return r;
	}
	*ret = &l->s;
	return 0;
}
