/*
 * lpdsrv.c: LPD clients (RFC 1179): the queue's name is the name of a LU. The
 * protocol is lpr/lpd.h. Data files are received into drafts of the spool;
 * the last acknowledgement goes out when the job is on disk.
 *
 * A job of several data files becomes several jobs here, as each print line
 * is a print-out of its own. `o` and unknown formats are raw; so is text that
 * begins as PDF, PCL, PJL or PostScript do.
 */
#include "daemon/log.h"
#include "lpr/lpd.h"
#include "printd.h"
#include "session/listen.h"
#include "session/wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLIENTS_MAX 500
#define BACKLOG 64
#define REFUSE_RETRY 1 /* [RFC1179]: a later try may work */
#define REFUSE_NEVER 2
#define SNIFF 16

struct lpdsrv {
	struct printd *pd;
	struct lpd_conf conf;
	struct listeners *listeners;
	struct list clients;
	unsigned n_clients;
};

struct lpd_client {
	struct list node;
	struct lpdsrv *srv;
	struct wire *wire;
	struct ev_timer *timer;
	struct lpd *lpd;
	struct ip_port peer;
	char lu[LU_NAME_MAX + 1];
	struct intake *files[LPD_FILES_MAX];
	uint8_t head[LPD_FILES_MAX][SNIFF];
	uint8_t head_len[LPD_FILES_MAX];
	bool closing, dead;
};

static void client_free(struct lpd_client *c)
{
	for (unsigned i = 0; i < LPD_FILES_MAX; i++)
		intake_drop(c->files[i]);
	list_remove(&c->node);
	c->srv->n_clients--;
	wire_free(c->wire);
	ev_timer_free(c->timer);
	lpd_free(c->lpd);
	free(c);
}

static void complain(const struct lpd_client *c, const char *text)
{
	char addr[PORT_TEXT_MAX];

	log_msg(MSG_CPLT730W, ip_port_format(&c->peer, addr), text);
}

static void answer(struct lpd_client *c, int code)
{
	lpd_answer(c->lpd, (uint8_t)code, mono_now());
}

/* ---- a job comes
 * ------------------------------------------------------------------- */

static void on_queue(struct lpd_client *c, const char *queue)
{
	const struct lu *lu = strlen(queue) <= LU_NAME_MAX
				      ? lus_find(c->srv->pd, queue)
				      : NULL;
	char text[96];

	if (!lu) {
		snprintf(text, sizeof text, "queue %.40s is no LU", queue);
		complain(c, text);
		answer(c, REFUSE_NEVER);
		return;
	}
	snprintf(c->lu, sizeof c->lu, "%s", lu->cfg->name);
	answer(c, 0);
}

static void drop_files(struct lpd_client *c)
{
	for (unsigned i = 0; i < LPD_FILES_MAX; i++) {
		intake_drop(c->files[i]);
		c->files[i] = NULL;
		c->head_len[i] = 0;
	}
}

static void on_file(struct lpd_client *c, unsigned file)
{
	struct spool_meta m = {.form = SPOOL_TEXT, .copies = 1};
	char err[256] = "";
	int r;

	snprintf(m.lu, sizeof m.lu, "%s", c->lu);
	ip_format(&c->peer.addr, m.host);
	intake_drop(c->files[file]);
	c->files[file] = NULL;
	r = intake_begin(c->srv->pd, &m, &c->files[file], err, sizeof err);
	if (r < 0)
		complain(c, err);
	answer(c, r == -ENOENT ? REFUSE_NEVER : r < 0 ? REFUSE_RETRY : 0);
}

static void on_data(struct lpd_client *c, unsigned file, const uint8_t *data,
		    size_t len)
{
	char err[256] = "";
	size_t n = MIN(len, (size_t)(SNIFF - c->head_len[file]));

	if (!c->files[file])
		return;
	memcpy(c->head[file] + c->head_len[file], data, n);
	c->head_len[file] = (uint8_t)(c->head_len[file] + n);
	if (intake_write(c->files[file], data, len, err, sizeof err) == 0)
		return;
	complain(c, err);
	intake_drop(c->files[file]);
	c->files[file] = NULL; /* refused at its end */
}

static enum spool_form form_of(const struct lpd_client *c,
			       const struct lpd_print *p)
{
	const uint8_t *h = c->head[p->file];
	size_t n = c->head_len[p->file];

	if (n >= 5 && memcmp(h, "%PDF-", 5) == 0)
		return SPOOL_PDF;
	if (p->format == 'o' || (n >= 2 && memcmp(h, "%!", 2) == 0) ||
	    (n >= 1 && h[0] == 0x1b))
		return SPOOL_RAW;
	return strchr("flpr", p->format) ? SPOOL_TEXT : SPOOL_RAW;
}

/* 0 or a byte to refuse with. */
static int accept_print(struct lpd_client *c, const struct lpd_job *job,
			const struct lpd_print *p)
{
	struct intake *in = c->files[p->file];
	struct spool_meta *m;
	char err[256] = "";
	uint32_t id;

	if (!in)
		return REFUSE_RETRY;
	c->files[p->file] = NULL;
	m = intake_meta(in);
	m->form = form_of(c, p);
	m->copies = MAX(p->copies, (uint16_t)1);
	snprintf(m->user, sizeof m->user, "%.32s", job->user);
	snprintf(m->host, sizeof m->host, "%.64s", job->host);
	snprintf(m->title, sizeof m->title, "%.128s",
		 job->job[0] ? job->job : p->name);
	if (intake_commit(in, false, &id, err, sizeof err) == 0)
		return 0;
	complain(c, err);
	return REFUSE_RETRY;
}

static void on_job(struct lpd_client *c, const struct lpd_job *job)
{
	int bad = 0;

	for (unsigned i = 0; i < job->prints && !bad; i++) {
		/* the same file in another format: it is printed once */
		if (c->files[job->print[i].file] || i == 0)
			bad = accept_print(c, job, &job->print[i]);
	}
	drop_files(c);
	answer(c, bad);
}

/* ---- questions
 * ----------------------------------------------------------------------- */

static void on_status(struct lpd_client *c, const char *queue, bool long_form)
{
	const struct lu *lu = lus_find(c->srv->pd, queue);
	char text[512];
	int n;

	if (!lu) {
		n = snprintf(text, sizeof text, "%.40s: no such LU\n", queue);
		(void)!wire_write(c->wire, text, (size_t)n);
		return;
	}
	n = snprintf(text, sizeof text, "%s: %s, %u jobs%s%s\n", lu->cfg->name,
		     lu_state_name(lu), lu->n_queued, lu->reason[0] ? ": " : "",
		     lu->reason);
	(void)!wire_write(c->wire, text, (size_t)n);
	LIST_FOREACH (it, &lu->queue) {
		const struct spool_job *j =
			container_of(it, struct spool_job, queue);

		n = snprintf(text, sizeof text, "%-8u %-7s %-16s %s%s%s\n",
			     j->meta.id, spool_state_name(j->status.state),
			     j->meta.user, j->meta.title,
			     long_form && j->status.reason[0] ? ": " : "",
			     long_form ? j->status.reason : "");
		(void)!wire_write(c->wire, text, (size_t)n);
		if (wire_queued(c->wire) > (1u << 20))
			break;
	}
}

/* ---- events
 * ----------------------------------------------------------------------- */

static void flush(struct lpd_client *c)
{
	uint8_t buf[64];
	size_t n;
	mono_t at;

	while ((n = lpd_output(c->lpd, buf, sizeof buf)) > 0)
		if (wire_write(c->wire, buf, n) < 0)
			return;
	at = lpd_deadline(c->lpd);
	if (mono_is_never(at))
		ev_timer_stop(c->timer);
	else
		ev_timer_set(c->timer, mono_sub(at, mono_now()));
}

static void on_event(struct lpd_client *c, const struct lpd_event *ev)
{
	switch (ev->kind) {
	case LPD_EV_NONE:
	case LPD_EV_PRINT:
		break;
	case LPD_EV_QUEUE:
		on_queue(c, ev->queue);
		break;
	case LPD_EV_FILE:
		on_file(c, ev->file);
		break;
	case LPD_EV_DATA:
		on_data(c, ev->file, ev->data, ev->len);
		break;
	case LPD_EV_FILE_END:
		answer(c, c->files[ev->file] ? 0 : REFUSE_RETRY);
		break;
	case LPD_EV_JOB:
		on_job(c, ev->job);
		break;
	case LPD_EV_ABORT:
		drop_files(c);
		break;
	case LPD_EV_STATUS:
		on_status(c, ev->queue, ev->long_form);
		lpd_close(c->lpd);
		break;
	case LPD_EV_REMOVE:
		/* whose job it is cannot be known: printctl CANCEL */
		answer(c, REFUSE_NEVER);
		break;
	case LPD_EV_CLOSE:
		if (ev->error != LPD_OK && ev->error != LPD_E_REFUSED)
			complain(c, lpd_error_text(ev->error));
		c->closing = true;
		break;
	}
}

/* What is queued goes out, then the connection ends. */
static void close_softly(struct lpd_client *c)
{
	flush(c);
	wire_shut(c->wire);
	if (!wire_queued(c->wire))
		c->dead = true;
	else
		ev_timer_set(c->timer, DUR_S(10));
}

static size_t on_input(void *arg, const void *data, size_t len)
{
	struct lpd_client *c = arg;
	const uint8_t *p = data;
	size_t left = len;

	while (!c->closing) {
		struct lpd_event ev = {.kind = LPD_EV_NONE};
		size_t n = lpd_input(c->lpd, p, left, &ev, mono_now());

		p += n;
		left -= n;
		on_event(c, &ev);
		if (ev.kind == LPD_EV_NONE && !left)
			break;
	}
	if (c->closing)
		close_softly(c);
	else
		flush(c);
	if (c->dead)
		client_free(c);
	return len;
}

static void on_room(void *arg)
{
	(void)arg;
}

static void on_closed(void *arg, int error)
{
	struct lpd_client *c = arg;

	while (!error && !c->closing) {
		struct lpd_event ev = {.kind = LPD_EV_NONE};

		lpd_eof(c->lpd, &ev);
		on_event(c, &ev);
		if (ev.kind == LPD_EV_NONE)
			break;
	}
	if (!error && !c->dead) {
		close_softly(c);
		if (!c->dead)
			return;
	}
	client_free(c);
}

static const struct wire_ops wire_ops = {
	.input = on_input, .room = on_room, .closed = on_closed};

static void on_timer(void *arg)
{
	struct lpd_client *c = arg;
	struct lpd_event ev = {.kind = LPD_EV_NONE};

	if (!c->closing) {
		lpd_expire(c->lpd, mono_now(), &ev);
		on_event(c, &ev);
		if (!c->closing) {
			flush(c);
			return;
		}
	}
	client_free(c);
}

static int client_new(struct lpdsrv *s, int fd, const struct ip_port *peer)
{
	struct lpd_client *c = calloc(1, sizeof *c);
	int r;

	if (!c)
		return -ENOMEM;
	c->srv = s;
	c->peer = *peer;
	list_push_tail(&s->clients, &c->node);
	s->n_clients++;
	c->lpd = lpd_new(&s->conf, mono_now());
	r = c->lpd ? ev_timer_new(s->pd->env.loop, on_timer, c, &c->timer)
		   : -ENOMEM;
	if (r == 0)
		r = wire_new(s->pd->env.loop, fd, &wire_ops, c, &c->wire);
	if (r < 0) {
		client_free(c);
		return r;
	}
	flush(c);
	return 0;
}

/* ---- listeners
 * --------------------------------------------------------------------- */

static void on_accepted(void *arg, const struct ip_port *at, int fd,
			const struct ip_port *peer)
{
	struct lpdsrv *s = arg;

	(void)at;
	if (s->n_clients >= CLIENTS_MAX || client_new(s, fd, peer) < 0)
		close(fd);
}

static void on_listening(void *arg, const struct ip_port *at, const char *why)
{
	char addr[PORT_TEXT_MAX];

	(void)arg;
	ip_port_format(at, addr);
	if (why)
		log_msg(MSG_CPLT724W, addr, why);
	else
		log_msg(MSG_CPLT726I, addr);
}

static void on_full(void *arg, const struct ip_port *at, const char *why)
{
	char addr[PORT_TEXT_MAX];

	(void)arg;
	log_msg(MSG_CPLT723W, ip_port_format(at, addr), why);
}

static const struct listeners_ops listeners_ops = {on_accepted, on_listening,
						   on_full};

int lpdsrv_listen(struct lpdsrv *s, const struct ip_port *at, uint32_t n)
{
	return listeners_set(s->listeners, at, n);
}

int lpdsrv_new(struct printd *pd, struct lpdsrv **ret)
{
	struct lpdsrv *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return -ENOMEM;
	s->pd = pd;
	s->conf = (struct lpd_conf){.size_max = UINT64_C(1) << 40,
				    .until_close = true};
	list_init(&s->clients);
	r = listeners_new(pd->env.loop, pd->deck.id, BACKLOG, &listeners_ops, s,
			  &s->listeners);
	if (r < 0) {
		free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void lpdsrv_free(struct lpdsrv *s)
{
	if (!s)
		return;
	LIST_FOREACH_SAFE (it, &s->clients)
		client_free(container_of(it, struct lpd_client, node));
	listeners_free(s->listeners);
	free(s);
}
