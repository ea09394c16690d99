/* lpd.c: the machine of lpd.h. */
#include "lpr/lpd.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_S 300
#define NAK_NOW 1u   /* perhaps later */
#define NAK_NEVER 2u /* not this request */

/* What the bytes are. */
enum state {
	S_COMMAND = 0, /* a daemon command line */
	S_SUB,         /* a subcommand line */
	S_CONTROL,     /* bytes of the control file */
	S_CONTROL_END, /* its 00 */
	S_DATA,        /* bytes of a data file */
	S_DATA_END,    /* its 00 */
	S_DONE,        /* one command was carried out; wait for the close */
	S_CLOSED,      /* LPD_EV_CLOSE is due or told */
};

struct lpd {
	struct lpd_conf conf;
	enum state state;
	enum lpd_event_kind ask; /* an answer is due to this, or NONE */
	enum lpd_error error;
	bool told, job_due;
	bool have_control, until_close;
	mono_t heard;
	unsigned jobs;
	unsigned file; /* being received */
	uint64_t left; /* of the file; taken so far when until_close */
	uint64_t have; /* bit per data file that is there */
	size_t line_len, control_len, control_size;
	size_t out_len;
	uint8_t out[LPD_ANSWERS_MAX];
	char line[LPD_LINE_MAX + 1];
	char queue[LPR_QUEUE_MAX + 1];
	char agent[LPR_USER_MAX + 1];
	char control[LPD_CONTROL_MAX];
	struct lpd_job job;
};

struct lpd *lpd_new(const struct lpd_conf *conf, mono_t now)
{
	struct lpd *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->conf = *conf;
	if (d->conf.idle.ns <= 0)
		d->conf.idle = DUR_S(IDLE_S);
	d->heard = now;
	return d;
}

void lpd_free(struct lpd *d)
{
	free(d);
}

static void reply(struct lpd *d, uint8_t code)
{
	if (d->out_len < sizeof(d->out))
		d->out[d->out_len++] = code;
}

static void close_with(struct lpd *d, enum lpd_error e)
{
	if (d->state == S_CLOSED)
		return;
	d->state = S_CLOSED;
	d->error = e;
	d->ask = LPD_EV_NONE;
	d->job_due = false;
}

static void refuse(struct lpd *d, uint8_t code, enum lpd_error e)
{
	reply(d, code);
	close_with(d, e);
}

static void ask(struct lpd *d, enum lpd_event_kind kind, struct lpd_event *ev)
{
	d->ask = kind;
	ev->kind = kind;
	ev->queue = d->queue;
	ev->file = d->file;
}

/* ---- jobs ------------------------------------------------------------------
 */

static void job_clear(struct lpd *d)
{
	d->have_control = false;
	d->have = 0;
	d->control_len = 0;
	d->job_due = false;
}

static bool job_complete(const struct lpd *d)
{
	if (!d->have_control)
		return false;
	for (unsigned i = 0; i < d->job.prints; i++)
		if (!(d->have >> d->job.print[i].file & 1))
			return false;
	return true;
}

/* A file is there. The last one is acknowledged with the whole job. */
static void file_there(struct lpd *d)
{
	d->state = S_SUB;
	d->line_len = 0;
	if (job_complete(d))
		d->job_due = true;
	else
		reply(d, 0);
}

static bool tell_job(struct lpd *d, struct lpd_event *ev)
{
	if (!d->job_due)
		return false;
	d->job_due = false;
	ask(d, LPD_EV_JOB, ev);
	ev->job = &d->job;
	return true;
}

static void job_taken(struct lpd *d)
{
	reply(d, 0);
	job_clear(d);
	if (++d->jobs >= LPD_JOBS_MAX)
		d->state = S_DONE;
}

/* ---- commands --------------------------------------------------------------
 */

/* The next word of a line: up to a blank. Moves *p behind it. */
static size_t word(char **p, char **ret)
{
	char *w = *p;
	size_t n;

	while (*w == ' ' || *w == '\t')
		w++;
	n = strcspn(w, " \t");
	*ret = w;
	*p = w + n;
	return n;
}

/* A queue or an agent: printable, no blank. */
static bool take_word(char **p, char *to, size_t cap)
{
	char *w;
	size_t n = word(p, &w);

	if (n == 0 || n >= cap)
		return false;
	for (size_t i = 0; i < n; i++)
		if (iscntrl((unsigned char)w[i]))
			return false;
	memcpy(to, w, n);
	to[n] = '\0';
	return true;
}

static char *skip_blanks(char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

/* [RFC1179 5] */
static bool do_command(struct lpd *d, struct lpd_event *ev)
{
	char *p = d->line + 1;
	char code = d->line[0];

	if (code < 1 || code > 5) {
		refuse(d, NAK_NEVER, LPD_E_COMMAND);
		return false;
	}
	if (!take_word(&p, d->queue, sizeof(d->queue)) ||
	    (code == 5 && !take_word(&p, d->agent, sizeof(d->agent)))) {
		refuse(d, NAK_NEVER, LPD_E_NAME);
		return false;
	}
	ev->queue = d->queue;
	ev->agent = d->agent;
	ev->list = skip_blanks(p);
	if (code == 2) {
		d->state = S_SUB;
		ask(d, LPD_EV_QUEUE, ev);
		return true;
	}
	d->state = S_DONE;
	ev->kind = code == 1 ? LPD_EV_PRINT : LPD_EV_STATUS;
	ev->long_form = code == 4;
	if (code == 1)
		reply(d, 0);
	if (code == 5) {
		d->ask = LPD_EV_REMOVE;
		ev->kind = LPD_EV_REMOVE;
	}
	return true;
}

/* "count SP xfAnnnhost" [RFC1179 6.2, 6.3]. */
static enum lpd_error parse_file(struct lpd *d, char kind, uint64_t *ret_size)
{
	char *p = d->line + 1, *name;
	uint64_t size = 0;
	size_t n;

	p = skip_blanks(p);
	if (!isdigit((unsigned char)*p))
		return LPD_E_SIZE;
	for (; isdigit((unsigned char)*p); p++) {
		if (size > (UINT64_MAX - 9) / 10)
			return LPD_E_SIZE;
		size = size * 10 + (uint64_t)(*p - '0');
	}
	n = word(&p, &name);
	if (n < 6 || name[0] != kind || name[1] != 'f' ||
	    lpd_file_number(name[2]) < 0 || !isdigit((unsigned char)name[3]) ||
	    !isdigit((unsigned char)name[4]) ||
	    !isdigit((unsigned char)name[5]))
		return LPD_E_NAME;
	d->file = (unsigned)lpd_file_number(name[2]);
	d->job.number = (unsigned)(name[3] - '0') * 100 +
			(unsigned)(name[4] - '0') * 10 +
			(unsigned)(name[5] - '0');
	*ret_size = size;
	return LPD_OK;
}

static void begin_control(struct lpd *d)
{
	uint64_t size = 0;
	enum lpd_error e = parse_file(d, 'c', &size);

	if (!e && (size == 0 || size > LPD_CONTROL_MAX))
		e = LPD_E_SIZE;
	if (!e && d->have_control)
		e = LPD_E_FILES;
	if (e) {
		refuse(d, NAK_NEVER, e);
		return;
	}
	d->control_size = (size_t)size;
	d->control_len = 0;
	d->state = S_CONTROL;
	reply(d, 0);
}

static bool begin_data(struct lpd *d, struct lpd_event *ev)
{
	uint64_t size = 0;
	enum lpd_error e = parse_file(d, 'd', &size);

	d->until_close = size == 0 || size > d->conf.size_max;
	if (!e && d->until_close && !d->conf.until_close && size > 0)
		e = LPD_E_SIZE;
	if (!e && d->have >> d->file & 1)
		e = LPD_E_FILES;
	if (e) {
		refuse(d, e == LPD_E_SIZE ? NAK_NOW : NAK_NEVER, e);
		return false;
	}
	if (!d->conf.until_close)
		d->until_close = false; /* 0 is an empty file then */
	d->left = d->until_close ? d->conf.size_max : size;
	d->state = d->left ? S_DATA : S_DATA_END;
	ask(d, LPD_EV_FILE, ev);
	ev->size = d->until_close ? LPD_SIZE_UNKNOWN : size;
	return true;
}

static bool do_subcommand(struct lpd *d, struct lpd_event *ev)
{
	switch (d->line[0]) {
	case 1:
		job_clear(d);
		reply(d, 0);
		ev->kind = LPD_EV_ABORT;
		return true;
	case 2:
		begin_control(d);
		return false;
	case 3:
		return begin_data(d, ev);
	default:
		refuse(d, NAK_NEVER, LPD_E_COMMAND);
		return false;
	}
}

static bool line_byte(struct lpd *d, uint8_t b, struct lpd_event *ev)
{
	bool sub = d->state == S_SUB;

	if (b != '\n') {
		if (d->line_len >= LPD_LINE_MAX || b == 0) {
			refuse(d, NAK_NEVER, LPD_E_LINE);
			return false;
		}
		d->line[d->line_len++] = (char)b;
		return false;
	}
	d->line[d->line_len] = '\0';
	d->line_len = 0;
	return sub ? do_subcommand(d, ev) : do_command(d, ev);
}

/* ---- files -----------------------------------------------------------------
 */

static void control_over(struct lpd *d)
{
	unsigned line, number = d->job.number;

	if (lpd_control_parse(d->control, d->control_size, &d->job, &line)) {
		refuse(d, NAK_NEVER, LPD_E_CONTROL);
		return;
	}
	d->job.number = number;
	d->have_control = true;
	file_there(d);
}

static size_t control_bytes(struct lpd *d, const uint8_t *p, size_t len)
{
	size_t n = MIN(len, d->control_size - d->control_len);

	memcpy(d->control + d->control_len, p, n);
	d->control_len += n;
	if (d->control_len == d->control_size)
		d->state = S_CONTROL_END;
	return n;
}

static size_t data_bytes(struct lpd *d, const uint8_t *p, size_t len,
			 struct lpd_event *ev)
{
	size_t n = (size_t)MIN((uint64_t)len, d->left);

	if (n == 0) { /* until_close, and more than size_max came */
		refuse(d, NAK_NOW, LPD_E_SIZE);
		return 0;
	}
	d->left -= n;
	if (d->left == 0 && !d->until_close)
		d->state = S_DATA_END;
	ev->kind = LPD_EV_DATA;
	ev->file = d->file;
	ev->data = p;
	ev->len = n;
	return n;
}

/* The byte behind a file: 00 when the client says that it is whole. */
static bool end_byte(struct lpd *d, uint8_t b, struct lpd_event *ev)
{
	if (b != 0) {
		refuse(d, NAK_NEVER, LPD_E_CUT);
		return false;
	}
	if (d->state == S_CONTROL_END) {
		control_over(d);
		return tell_job(d, ev);
	}
	ask(d, LPD_EV_FILE_END, ev);
	return true;
}

static bool tell_close(struct lpd *d, struct lpd_event *ev)
{
	if (d->state != S_CLOSED || d->told)
		return false;
	d->told = true;
	ev->kind = LPD_EV_CLOSE;
	ev->error = d->error;
	return true;
}

/* Takes some of the bytes; true when there is an event. */
static bool step(struct lpd *d, const uint8_t *p, size_t len, size_t *used,
		 struct lpd_event *ev)
{
	switch (d->state) {
	case S_COMMAND:
	case S_SUB:
		*used += 1;
		return line_byte(d, *p, ev);
	case S_CONTROL:
		*used += control_bytes(d, p, len);
		return false;
	case S_DATA:
		*used += data_bytes(d, p, len, ev);
		return ev->kind != LPD_EV_NONE;
	case S_CONTROL_END:
	case S_DATA_END:
		*used += 1;
		return end_byte(d, *p, ev);
	case S_DONE:
	case S_CLOSED:
		*used += len;
		break;
	}
	return false;
}

size_t lpd_input(struct lpd *d, const void *data, size_t len,
		 struct lpd_event *ret_ev, mono_t now)
{
	const uint8_t *p = data;
	size_t used = 0;

	*ret_ev = (struct lpd_event){.kind = LPD_EV_NONE};
	if (len > 0)
		d->heard = now;
	if (d->ask != LPD_EV_NONE || tell_job(d, ret_ev))
		return 0;
	while (used < len && d->state != S_CLOSED)
		if (step(d, p + used, len - used, &used, ret_ev))
			return used;
	if (d->state == S_CLOSED)
		used = len;
	tell_close(d, ret_ev);
	return used;
}

void lpd_eof(struct lpd *d, struct lpd_event *ret_ev)
{
	*ret_ev = (struct lpd_event){.kind = LPD_EV_NONE};
	if (d->ask != LPD_EV_NONE || tell_job(d, ret_ev) ||
	    tell_close(d, ret_ev))
		return;
	switch (d->state) {
	case S_DATA:
		if (d->until_close) {
			ask(d, LPD_EV_FILE_END, ret_ev);
			return;
		}
		close_with(d, LPD_E_CUT);
		break;
	case S_DATA_END: /* whole, but for its 00 */
		ask(d, LPD_EV_FILE_END, ret_ev);
		return;
	case S_CONTROL_END:
		control_over(d);
		if (tell_job(d, ret_ev))
			return;
		close_with(d, LPD_E_INCOMPLETE);
		break;
	case S_CONTROL:
		close_with(d, LPD_E_CUT);
		break;
	case S_SUB:
		close_with(d, d->have || d->have_control ? LPD_E_INCOMPLETE
			      : d->line_len              ? LPD_E_LINE
							 : LPD_OK);
		break;
	case S_COMMAND:
		close_with(d, d->line_len ? LPD_E_LINE : LPD_OK);
		break;
	case S_DONE:
	case S_CLOSED:
		close_with(d, LPD_OK);
		break;
	}
	tell_close(d, ret_ev);
}

void lpd_answer(struct lpd *d, uint8_t code, mono_t now)
{
	enum lpd_event_kind asked = d->ask;

	d->ask = LPD_EV_NONE;
	d->heard = now;
	if (asked == LPD_EV_NONE)
		return;
	if (code != 0) {
		refuse(d, code, LPD_E_REFUSED);
		return;
	}
	switch (asked) {
	case LPD_EV_FILE_END:
		d->have |= 1ull << d->file;
		file_there(d);
		break;
	case LPD_EV_JOB:
		job_taken(d);
		break;
	case LPD_EV_QUEUE:
	case LPD_EV_FILE:
	case LPD_EV_REMOVE:
		reply(d, 0);
		break;
	case LPD_EV_NONE:
	case LPD_EV_DATA:
	case LPD_EV_ABORT:
	case LPD_EV_PRINT:
	case LPD_EV_STATUS:
	case LPD_EV_CLOSE:
		break;
	}
}

bool lpd_asks(const struct lpd *d)
{
	return d->ask != LPD_EV_NONE;
}

size_t lpd_output(struct lpd *d, void *buf, size_t cap)
{
	size_t n = MIN(cap, d->out_len);

	memcpy(buf, d->out, n);
	d->out_len -= n;
	memmove(d->out, d->out + n, d->out_len);
	return n;
}

void lpd_close(struct lpd *d)
{
	close_with(d, LPD_OK);
}

mono_t lpd_deadline(const struct lpd *d)
{
	if (d->state == S_CLOSED)
		return d->told ? MONO_NEVER : d->heard;
	return d->ask != LPD_EV_NONE ? MONO_NEVER
				     : mono_add(d->heard, d->conf.idle);
}

void lpd_expire(struct lpd *d, mono_t now, struct lpd_event *ret_ev)
{
	*ret_ev = (struct lpd_event){.kind = LPD_EV_NONE};
	if (mono_lt(now, lpd_deadline(d)) || d->ask != LPD_EV_NONE)
		return;
	close_with(d, LPD_E_IDLE);
	tell_close(d, ret_ev);
}

const char *lpd_error_text(enum lpd_error e)
{
	switch (e) {
	case LPD_OK:
		return "no error";
	case LPD_E_COMMAND:
		return "not a command of RFC 1179";
	case LPD_E_LINE:
		return "command line too long, or without its end";
	case LPD_E_NAME:
		return "queue or file name not as RFC 1179 has it";
	case LPD_E_SIZE:
		return "file too large";
	case LPD_E_CONTROL:
		return "control file without a valid print line";
	case LPD_E_FILES:
		return "a file was sent twice";
	case LPD_E_CUT:
		return "the client stopped inside a file";
	case LPD_E_INCOMPLETE:
		return "the client closed before all files were there";
	case LPD_E_IDLE:
		return "the client sent nothing for too long";
	case LPD_E_REFUSED:
		return "refused";
	}
	return "?";
}
