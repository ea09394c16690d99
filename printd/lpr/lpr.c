/* lpr.c: the sender of lpr.h. */
#include "lpr/lpr.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ACK_S 600

static bool queue_ok(const char *q)
{
	if (!*q)
		return false;
	for (; *q; q++)
		if ((unsigned char)*q <= ' ' || (unsigned char)*q == 0x7f)
			return false;
	return true;
}

/* Text of a control file line: what would end it becomes '_'. */
static void clean(char *s)
{
	for (; *s; s++)
		if (iscntrl((unsigned char)*s))
			*s = '_';
}

static const char *check(const struct lpr_job *j)
{
	if (!queue_ok(j->queue))
		return "queue";
	if (!queue_ok(j->host))
		return "host";
	/* [RFC1179] no rule, but servers take a leading digit for a job
	 * number */
	if (!queue_ok(j->user) || isdigit((unsigned char)j->user[0]))
		return "user";
	if (j->number > 999)
		return "number";
	if (!j->format || !strchr("cdfglnoprtv", j->format))
		return "format";
	if (j->copies == 0 || j->copies > LPR_COPIES_MAX)
		return "copies";
	return NULL;
}

static void put(struct lpr *l, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void put(struct lpr *l, const char *fmt, ...)
{
	size_t room = sizeof(l->out) - l->out_len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf((char *)l->out + l->out_len, room, fmt, ap);
	va_end(ap);
	INVARIANT(n >= 0 && (size_t)n < room); /* fields have lengths */
	l->out_len = (uint16_t)(l->out_len + n);
}

static void put_zero(struct lpr *l)
{
	l->out[l->out_len++] = 0;
}

static void begin_out(struct lpr *l, enum lpr_state state)
{
	l->state = state;
	l->asked = false;
	l->out_len = l->out_done = 0;
}

/* The control file [RFC1179 7]. Copies are the print line repeated. */
static void put_control(struct lpr *l)
{
	const struct lpr_job *j = &l->job;

	put(l, "H%s\nP%s\n", j->host, j->user);
	if (j->job[0])
		put(l, "J%s\n", j->job);
	if (j->jobclass[0])
		put(l, "C%s\n", j->jobclass);
	if (j->banner)
		put(l, "L%s\n", j->user);
	if (j->title[0])
		put(l, "T%s\n", j->title);
	for (unsigned i = 0; i < j->copies; i++)
		put(l, "%cdfA%03u%.*s\n", j->format, j->number,
		    (int)LPR_HOST_MAX, j->host);
	put(l, "UdfA%03u%s\n", j->number, j->host);
	if (j->name[0])
		put(l, "N%s\n", j->name);
}

static void begin_control_head(struct lpr *l)
{
	unsigned len;

	begin_out(l, LPR_CONTROL_HEAD);
	put_control(l); /* for its length */
	len = l->out_len;
	l->out_len = 0;
	put(l, "\002%u cfA%03u%s\n", len, l->job.number, l->job.host);
}

static void begin_data_head(struct lpr *l)
{
	begin_out(l, LPR_DATA_HEAD);
	put(l, "\003%llu dfA%03u%s\n", (unsigned long long)l->job.size,
	    l->job.number, l->job.host);
}

/* What comes after a positive answer. */
static void next(struct lpr *l)
{
	switch (l->state) {
	case LPR_QUEUE:
		if (l->job.data_first)
			begin_data_head(l);
		else
			begin_control_head(l);
		break;
	case LPR_CONTROL_HEAD:
		begin_out(l, LPR_CONTROL_BODY);
		put_control(l);
		put_zero(l);
		break;
	case LPR_CONTROL_BODY:
		if (l->job.data_first)
			begin_out(l, LPR_DONE);
		else
			begin_data_head(l);
		break;
	case LPR_DATA_HEAD:
		begin_out(l, LPR_DATA_BODY);
		if (l->job.size == 0)
			put_zero(l);
		break;
	case LPR_DATA_BODY:
		if (l->job.data_first)
			begin_control_head(l);
		else
			begin_out(l, LPR_DONE);
		break;
	case LPR_DONE:
	case LPR_FAILED:
		break;
	}
}

static void fail(struct lpr *l, enum lpr_failure f)
{
	l->state = LPR_FAILED;
	l->failure = f;
}

int lpr_init(struct lpr *l, const struct lpr_job *job, const char **ret_what,
	     mono_t now)
{
	const char *what = check(job);

	if (what) {
		*ret_what = what;
		return -EINVAL;
	}
	memset(l, 0, sizeof(*l));
	l->job = *job;
	if (l->job.ack.ns <= 0)
		l->job.ack = DUR_S(ACK_S);
	clean(l->job.job);
	clean(l->job.jobclass);
	clean(l->job.title);
	clean(l->job.name);
	l->since = now;
	put(l, "\002%s\n", l->job.queue);
	return 0;
}

size_t lpr_output(struct lpr *l, void *buf, size_t cap, mono_t now)
{
	size_t n = MIN(cap, (size_t)(l->out_len - l->out_done));

	if (n == 0 || l->state >= LPR_DONE)
		return 0;
	memcpy(buf, l->out + l->out_done, n);
	l->out_done = (uint16_t)(l->out_done + n);
	l->since = now;
	/* the data file goes the caller's way; only its 00 is ours */
	if (l->out_done == l->out_len) {
		l->asked = true;
		l->whole = l->state == (l->job.data_first ? LPR_CONTROL_BODY
							  : LPR_DATA_BODY);
	}
	return n;
}

uint64_t lpr_data_left(const struct lpr *l)
{
	return l->state == LPR_DATA_BODY ? l->job.size - l->sent : 0;
}

void lpr_sent(struct lpr *l, uint64_t n, mono_t now)
{
	INVARIANT(n <= lpr_data_left(l));
	l->sent += n;
	l->since = now;
	if (n > 0 && lpr_data_left(l) == 0)
		put_zero(l);
}

static void refused(struct lpr *l)
{
	if (l->state == LPR_QUEUE)
		fail(l, LPR_NAK_QUEUE);
	else if (l->state == LPR_CONTROL_HEAD || l->state == LPR_CONTROL_BODY)
		fail(l, LPR_NAK_CONTROL);
	else
		fail(l, LPR_NAK_DATA);
}

/* What a daemon says after its refusal, for the operator. */
static void keep_text(struct lpr *l, uint8_t c)
{
	if (l->nak_len >= LPR_NAK_MAX)
		return;
	if (c == '\n' || c == '\r' || c == '\t')
		c = ' ';
	if (c >= ' ' && c != 0x7f)
		l->text[l->nak_len++] = (char)c;
	l->text[l->nak_len] = '\0';
}

static void answer(struct lpr *l, uint8_t c, mono_t now)
{
	if (l->state == LPR_FAILED) {
		keep_text(l, c);
		return;
	}
	if (l->state == LPR_DONE || (c == '\n' && !l->asked))
		return; /* some put a LF behind the 00 */
	l->since = now;
	if (c == 0 && l->asked) {
		next(l);
		return;
	}
	if (c == 0) { /* an answer to nothing */
		fail(l, LPR_NONSENSE);
		return;
	}
	l->nak = c;
	l->whole = false; /* refused: it says that it has not got it */
	refused(l);
	if (c >= ' ') /* words without a code before them */
		keep_text(l, c);
}

void lpr_input(struct lpr *l, const void *data, size_t len, mono_t now)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		answer(l, p[i], now);
}

void lpr_eof(struct lpr *l)
{
	if (l->state < LPR_DONE)
		fail(l, LPR_CLOSED);
}

mono_t lpr_deadline(const struct lpr *l)
{
	return l->state < LPR_DONE && !lpr_data_left(l)
		       ? mono_add(l->since, l->job.ack)
		       : MONO_NEVER;
}

void lpr_expire(struct lpr *l, mono_t now)
{
	if (mono_leq(lpr_deadline(l), now))
		fail(l, LPR_TIMEOUT);
}

const char *lpr_failure_text(enum lpr_failure f)
{
	switch (f) {
	case LPR_OK:
		return "no error";
	case LPR_NAK_QUEUE:
		return "the daemon refuses the queue";
	case LPR_NAK_CONTROL:
		return "the daemon refuses the control file";
	case LPR_NAK_DATA:
		return "the daemon refuses the data file";
	case LPR_CLOSED:
		return "the daemon closed the connection too early";
	case LPR_TIMEOUT:
		return "the daemon does not answer";
	case LPR_NONSENSE:
		return "the daemon answers what was not asked";
	}
	return "?";
}

/* A daemon prints when it has both files and has said so, or not even then.
 * Only when the last file went out whole can it have taken the job. */
bool lpr_safe_to_repeat(const struct lpr *l)
{
	return l->state != LPR_DONE && !l->whole;
}
