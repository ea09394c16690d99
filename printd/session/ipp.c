/*
 * ipp.c: IPP: the job goes through a pipe into the program couplet-ipp, which
 * speaks IPP with CUPS's library and tells in lines what becomes of it (see
 * printd/main_ipp.c). A program of its own because that library waits: for a
 * printer that is slow, it alone does. On a stack it runs under stackrun.
 *
 * The document goes in portions, each behind its length in four bytes, and
 * ends with a length of 0: if we die in the middle, the end of the pipe must
 * not look like the end of the document.
 *
 *	SENT          the document is out
 *	STATE text    what the printer says
 *	PAGES n       printed so far
 *	REASON text   why it will not be
 *
 * Exit status as CUPS's backends have it: 0 printed, 3 hold, else try again.
 */
#include "base/cursor.h"
#include "helper/helper.h"
#include "session/session.h"
#include "session/stall.h"
#include "session/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_LEN 256
#define FRAME_HEAD 4
#define EXIT_HOLD 3

struct ipp {
	struct session s;
	struct source *source; /* NULL = no job */
	int run;               /* of the helper, 0 = none */
	int in;                /* our end of its standard input, -1 = closed */
	int out;               /* our end of its output */
	struct ev_io *in_io, *out_io;
	struct ev_timer *timer;
	struct stall stall; /* of the document */
	uint8_t buf[FRAME_HEAD + SESSION_CHUNK];
	size_t pos, len;
	bool all_read; /* the last portion is in buf */
	bool begun, sent, exited, out_ended;
	int status;
	uint32_t pages;
	char line[LINE_MAX_LEN];
	size_t line_len;
	char reason[SESSION_TEXT_MAX];
	char state[96];
};

static struct ipp *of(struct session *s)
{
	return container_of(s, struct ipp, s);
}

static void close_in(struct ipp *p)
{
	ev_io_free(p->in_io);
	p->in_io = NULL;
	if (p->in >= 0)
		close(p->in);
	p->in = -1;
}

static void drop(struct ipp *p)
{
	if (p->run && !p->exited)
		helper_kill(p->s.env->helper, p->run);
	p->run = 0;
	close_in(p);
	ev_io_free(p->out_io);
	p->out_io = NULL;
	if (p->out >= 0)
		close(p->out);
	p->out = -1;
	source_free(p->source);
	p->source = NULL;
	stall_end(&p->stall);
	ev_timer_stop(p->timer);
}

static void finish(struct ipp *p)
{
	struct session_owner o = p->s.owner;
	struct session_result r = {.outcome = SESSION_PRINTED};

	if (p->status == 0)
		r.pages = p->pages ? p->pages
				   : (uint32_t)source_stats(p->source).pages;
	else if (p->reason[0])
		session_result_make(&r,
				    p->status == EXIT_HOLD ? SESSION_HOLD
							   : SESSION_RETRY,
				    p->begun && p->sent, "%s", p->reason);
	else
		session_result_make(&r, SESSION_RETRY, p->begun,
				    "couplet-ipp ended with %d", p->status);
	snprintf(p->state, sizeof p->state, "%.90s",
		 p->status ? r.reason : "idle");
	drop(p);
	o.done(o.arg, &r);
}

/* Its last words are read before its exit counts. */
static void maybe_finish(struct ipp *p)
{
	if (p->exited && p->out_ended)
		finish(p);
}

static void on_exit_status(void *arg, int status)
{
	struct ipp *p = arg;

	p->exited = true;
	p->status = status;
	close_in(p);
	maybe_finish(p);
}

/* ---- does the printer take the document
 * ------------------------------------------------ */

static void arm(struct ipp *p)
{
	mono_t at = stall_deadline(&p->stall);

	if (mono_is_never(at))
		ev_timer_stop(p->timer);
	else
		ev_timer_set(p->timer, mono_sub(at, mono_now()));
}

static void moved(struct ipp *p)
{
	if (stall_moved(&p->stall, mono_now()))
		p->s.owner.news(p->s.owner.arg, SESSION_MOVING,
				"takes bytes again");
}

/* ---- what it says
 * ---------------------------------------------------------------------- */

static void on_line(struct ipp *p, char *line)
{
	if (strcmp(line, "SENT") == 0) {
		if (!p->sent)
			p->s.owner.sent(p->s.owner.arg);
		p->sent = true;
		moved(p);
		stall_end(&p->stall);
	} else if (strncmp(line, "STATE ", 6) == 0) {
		if (strcmp(p->state, line + 6) != 0)
			p->s.owner.news(p->s.owner.arg, SESSION_STATUS,
					line + 6);
		snprintf(p->state, sizeof p->state, "%.90s", line + 6);
	} else if (strncmp(line, "PAGES ", 6) == 0) {
		p->pages = (uint32_t)strtoul(line + 6, NULL, 10);
	} else if (strncmp(line, "REASON ", 7) == 0) {
		snprintf(p->reason, sizeof p->reason, "%.150s", line + 7);
	} else if (!p->reason[0]) {
		/* a program that cannot even start says so in its own words */
		snprintf(p->reason, sizeof p->reason, "%.150s", line);
	}
}

static void on_out(void *arg, int fd, unsigned events)
{
	struct ipp *p = arg;
	char buf[1024];
	ssize_t n = read(fd, buf, sizeof buf);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		p->out_ended = true;
		ev_io_free(p->out_io);
		p->out_io = NULL;
		maybe_finish(p);
		return;
	}
	for (ssize_t i = 0; i < n; i++) {
		if (buf[i] == '\n') {
			p->line[p->line_len] = '\0';
			p->line_len = 0;
			on_line(p, p->line);
		} else if (p->line_len + 1 < sizeof p->line) {
			p->line[p->line_len++] = buf[i];
		}
	}
}

/* ---- what it reads
 * ----------------------------------------------------------------------- */

/* Ends the program for a reason of ours. */
static void give_up(struct ipp *p, int status, const char *reason)
{
	snprintf(p->reason, sizeof p->reason, "%s", reason);
	helper_kill(p->s.env->helper, p->run);
	p->exited = p->out_ended = true;
	p->status = status;
	finish(p);
}

static void on_timer(void *arg)
{
	struct ipp *p = arg;

	switch (stall_expire(&p->stall, mono_now())) {
	case STALL_NOTHING:
		break;
	case STALL_STALLED:
		p->s.owner.news(p->s.owner.arg, SESSION_STALLED,
				"takes no bytes");
		break;
	case STALL_GIVE_UP:
		give_up(p, 1, "the printer takes no data");
		return;
	}
	arm(p);
}

/* The next portion with its length into buf. False: it is over. */
static bool fill(struct ipp *p)
{
	struct wcur w = wcur_of(p->buf, FRAME_HEAD);
	char text[SESSION_TEXT_MAX];
	ssize_t n = source_read(p->source, p->buf + FRAME_HEAD, SESSION_CHUNK);

	if (n < 0) {
		snprintf(text, sizeof text, "reading the job: %s",
			 strerror((int)-n));
		give_up(p, n == -EBADMSG ? EXIT_HOLD : 1, text);
		return false;
	}
	wcur_32(&w, (uint32_t)n);
	p->all_read = n == 0;
	p->pos = 0;
	p->len = FRAME_HEAD + (size_t)n;
	return true;
}

static void on_in(void *arg, int fd, unsigned events)
{
	struct ipp *p = arg;
	ssize_t n;

	(void)events;
	if (!p->begun && p->s.owner.begins(p->s.owner.arg) < 0) {
		give_up(p, 1, "the spool failed");
		return;
	}
	p->begun = true;
	if (p->pos == p->len && p->all_read) {
		close_in(p);
		return;
	}
	if (p->pos == p->len && !fill(p))
		return;
	n = write(fd, p->buf + p->pos, p->len - p->pos);
	if (n > 0) {
		p->pos += (size_t)n;
		moved(p);
	} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
		close_in(p); /* it has gone: its exit tells why */
	}
}

/* ---- the session
 * ------------------------------------------------------------------------- */

/* Both pipes; 0 or negative errno. Its ends in theirs[2]. */
static int make_pipes(struct ipp *p, int theirs[2])
{
	int in[2], out[2], r;

	if (pipe2(in, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(out, O_CLOEXEC) < 0) {
		r = -errno;
		close(in[0]);
		close(in[1]);
		return r;
	}
	p->in = in[1];
	p->out = out[0];
	theirs[0] = in[0];
	theirs[1] = out[1];
	(void)fcntl(p->in, F_SETFL, O_NONBLOCK);
	(void)fcntl(p->out, F_SETFL, O_NONBLOCK);
	return 0;
}

static int run(struct ipp *p, const struct session_job *job,
	       const int theirs[2])
{
	const struct session_env *env = p->s.env;
	const struct lu_opt *o = &p->s.lu->opt;
	const char *argv[12];
	char copies[16], number[16], connect_ms[24];
	size_t n = 0;
	const char *form = job->pdf || o->format == LU_FORMAT_PDF
				   ? "application/pdf"
			   : job->text ? "text/plain"
				       : "application/octet-stream";

	snprintf(copies, sizeof copies, "%u", job->copies);
	snprintf(number, sizeof number, "%u", job->id);
	snprintf(connect_ms, sizeof connect_ms, "%lld",
		 (long long)MIN(o->connect_ns / 1000000, INT32_MAX));
	if (strcmp(env->id, "*") != 0) {
		argv[n++] = env->stackrun;
		argv[n++] = "-i";
		argv[n++] = env->id;
	}
	argv[n++] = env->ipp_program;
	argv[n++] = p->s.lu->target;
	argv[n++] = number;
	argv[n++] = job->user[0] ? job->user : "printd";
	argv[n++] = job->title[0] ? job->title : p->s.lu->name;
	argv[n++] = copies;
	argv[n++] = form;
	argv[n++] = connect_ms;
	return helper_run(env->helper, argv, n, theirs[0], theirs[1],
			  on_exit_status, p);
}

static int ipp_send(struct session *s, const struct session_job *job)
{
	struct ipp *p = of(s);
	int theirs[2] = {-1, -1}, r;

	p->source = job->source;
	p->begun = p->sent = p->exited = p->out_ended = false;
	p->all_read = false;
	p->pos = p->len = p->line_len = 0;
	p->pages = 0;
	p->reason[0] = '\0';
	r = make_pipes(p, theirs);
	if (r < 0) {
		drop(p);
		return r;
	}
	r = run(p, job, theirs);
	close(theirs[0]);
	close(theirs[1]);
	if (r > 0) {
		p->run = r;
		r = ev_io_new(s->env->loop, p->in, EV_IO_OUT, on_in, p,
			      &p->in_io);
	}
	if (r == 0)
		r = ev_io_new(s->env->loop, p->out, EV_IO_IN, on_out, p,
			      &p->out_io);
	if (r < 0) {
		drop(p);
		return r;
	}
	snprintf(p->state, sizeof p->state, "sending");
	stall_begin(&p->stall, DUR_NS(s->lu->opt.stall_ns),
		    DUR_NS(s->lu->opt.giveup_ns), mono_now());
	arm(p);
	return 0;
}

static void ipp_stop(struct session *s)
{
	drop(of(s));
}

static void ipp_free(struct session *s)
{
	struct ipp *p = of(s);

	ev_timer_free(p->timer);
	free(p);
}

static bool ipp_ready(struct session *s)
{
	(void)s;
	return true;
}

static enum source_target ipp_target(struct session *s)
{
	return s->lu->opt.format == LU_FORMAT_PDF ? SOURCE_PDF : SOURCE_BYTES;
}

static void ipp_describe(struct session *s, char *buf, size_t len)
{
	snprintf(buf, len, "%s %s", s->lu->target, of(s)->state);
}

static const struct session_ops ops = {
	.send = ipp_send,
	.stop = ipp_stop,
	.free = ipp_free,
	.ready = ipp_ready,
	.target = ipp_target,
	.describe = ipp_describe,
	.copies_max = UINT32_MAX,
};

int session_ipp_new(struct session **ret, const struct session_env *env,
		    const struct printd_lu *lu)
{
	struct ipp *p = calloc(1, sizeof *p);
	int r;

	(void)lu;
	if (!p)
		return -ENOMEM;
	r = ev_timer_new(env->loop, on_timer, p, &p->timer);
	if (r < 0) {
		free(p);
		return r;
	}
	p->s.ops = &ops;
	p->in = p->out = -1;
	snprintf(p->state, sizeof p->state, "idle");
	*ret = &p->s;
	return 0;
}
