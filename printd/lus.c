/*
 * lus.c: LUs and their queues. A LU sends one job at a time; the state on
 * disk goes before the deed:
 *
 *	READY --begins()--> ACTIVE --sent()--> SENT --PRINTED--> DONE, or gone
 *	  ^                    |                 |
 *	  +---- RETRY, marked if some of it may be on paper ----+--> HELD
 *
 * A retry waits RETRY of the deck; after ATTEMPTS of them the job goes to the
 * BACKUP LU, or is held with the reason of the last one, and the next job has
 * its turn. How LUs come, change and go with the deck is lus_deck.c.
 */
#include "daemon/log.h"
#include "printd.h"
#include "render/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Printed jobs of a LU that the deck does not have, which cannot say how long
 * they are to be kept. */
#define ABSENT_RETAIN_S 86400

/* ---- names, states
 * ---------------------------------------------------------------- */

struct lu *lus_find(struct printd *pd, const char *name)
{
	const struct printd_lu *cfg = printd_deck_lu(&pd->deck, name);

	return cfg ? pd->lus[cfg - pd->deck.lus] : NULL;
}

struct lu *lus_find_leaving(struct printd *pd, const char *name)
{
	LIST_FOREACH (it, &pd->leaving) {
		struct lu *lu = container_of(it, struct lu, node);

		if (strcasecmp(lu->cfg->name, name) == 0)
			return lu;
	}
	return NULL;
}

struct lu *lus_target(struct lu *lu)
{
	return lu->redirect ? lu->redirect : lu;
}

const char *lu_state_name(const struct lu *lu)
{
	if (lu->leaving)
		return "LEAVING";
	if (!lu->session)
		return "BROKEN";
	if (lu->stopped)
		return "STOPPED";
	if (lu->stalled)
		return "STALLED";
	if (lu->state == LU_SENDING)
		return "SENDING";
	if (!lu->session->ops->ready(lu->session))
		return "NOCLIENT";
	return lu->state == LU_WAITING ? "WAITING" : "IDLE";
}

struct spool_status job_status(const struct spool_job *j)
{
	struct spool_status st = j->status;

	if (st.state == SPOOL_READY && !j->user) {
		st.state = SPOOL_HELD;
		snprintf(st.reason, sizeof st.reason,
			 "LU %s is not in the deck", st.lu);
	}
	return st;
}

int lus_update(struct printd *pd, struct spool_job *j,
	       const struct spool_status *st)
{
	int r = spool_update(pd->spool, j, st);

	if (r < 0)
		log_msg(MSG_CPLT705E, j->meta.id, st->lu, strerror(-r));
	return r;
}

/* ---- who waits for a job
 * ---------------------------------------------------------- */

void job_watch_add(struct printd *pd, struct job_watch *w, uint32_t id)
{
	w->id = id;
	list_push_tail(&pd->watches, &w->node);
}

void job_watch_tell(struct printd *pd, uint32_t id,
		    const struct spool_status *st)
{
	LIST_FOREACH_SAFE (it, &pd->watches) {
		struct job_watch *w = container_of(it, struct job_watch, node);

		if (w->id != id)
			continue;
		list_remove(&w->node);
		w->fn(w, st);
	}
}

/* ---- queues
 * ----------------------------------------------------------------------- */

static struct spool_job *job_at(struct list *it)
{
	return container_of(it, struct spool_job, queue);
}

static bool goes_before(const struct spool_job *a, const struct spool_job *b)
{
	if (a->status.front != b->status.front)
		return a->status.front;
	return a->meta.id < b->meta.id;
}

void lus_queue(struct printd *pd, struct spool_job *j)
{
	struct lu *lu = lus_find(pd, j->status.lu);
	struct list *at;

	if (!lu || j->status.state == SPOOL_DONE)
		return;
	for (at = lu->queue.prev; at != &lu->queue; at = at->prev)
		if (!goes_before(j, job_at(at)))
			break;
	list_push_head(at, &j->queue);
	lu->n_queued++;
	lu->n_held += j->status.state == SPOOL_HELD;
	lu->queued_bytes += j->meta.bytes;
	j->user = lu;
	lus_kick(lu);
}

void lus_take_out(struct lu *lu, struct spool_job *j)
{
	if (j->user != lu)
		return;
	list_remove(&j->queue);
	lu->n_queued--;
	lu->n_held -= j->status.state == SPOOL_HELD;
	lu->queued_bytes -= j->meta.bytes;
	j->user = NULL;
}

/* Nothing is sent any more. Not the place to change or free the LU: its
 * session may be on its way out of a callback. */
static void job_over(struct lu *lu)
{
	lu->job = NULL;
	lu->source = NULL;
	lu->stalled = false;
	lu->state = LU_IDLE;
	if (lu->leaving || lu->kept)
		ev_timer_set(lu->timer, DUR_NS(0));
}

void lus_unqueue(struct lu *lu, struct spool_job *j)
{
	if (lu->job == j) {
		lu->session->ops->stop(lu->session);
		job_over(lu);
	}
	lus_take_out(lu, j);
}

/* ---- what the source must make
 * ------------------------------------------------------- */

static uint16_t parse_string(const char *text, uint8_t *out)
{
	size_t at;
	ssize_t n =
		text[0] ? text_string_parse(text, out, SOURCE_STRING_MAX, &at)
			: 0;

	return n < 0 ? 0 : (uint16_t)n; /* the deck was checked */
}

/* The page in front of a job. */
static const char *separator(const struct lu *lu, const struct spool_job *j,
			     char *buf, size_t len)
{
	if (!lu->cfg->opt.separator)
		return NULL;
	snprintf(buf, len,
		 "\n\n\n     LU      %s\n     JOB     %u\n     TITLE   %s\n"
		 "     USER    %s\n     HOST    %s\n%s",
		 lu->cfg->name, j->meta.id, j->meta.title, j->meta.user,
		 j->meta.host[0] ? j->meta.host : "-",
		 j->status.repeat
			 ? "\n     *** MAY HAVE BEEN PRINTED BEFORE ***\n"
			 : "");
	return buf;
}

static void source_conf_of(struct lu *lu, const struct spool_job *j,
			   struct source_conf *c)
{
	const struct lu_opt *o = &lu->cfg->opt;

	*c = (struct source_conf){
		.target = lu->session->ops->target(lu->session),
		.stream_page = lu->pages.stream,
		.out_page = lu->pages.out,
		.columns = (uint8_t)o->columns,
		.lines = (uint8_t)o->lines,
		.crlf = o->eol == LU_EOL_CRLF,
		.feed_after = o->feed,
		.landscape = o->landscape,
		.paper = o->paper,
		.copies = j->meta.copies,
		.first_page = j->status.first_page,
	};
	c->setup_len = parse_string(o->setup, c->setup);
	c->teardown_len = parse_string(o->teardown, c->teardown);
}

/* ---- one job on its way
 * ------------------------------------------------------------- */

static void hold(struct lu *lu, struct spool_job *j, bool maybe,
		 const char *reason)
{
	struct spool_status st = j->status;

	if (st.state != SPOOL_HELD && j->user == lu)
		lu->n_held++;
	st.state = SPOOL_HELD;
	st.repeat |= maybe;
	st.changed_s = printd_wall_s();
	snprintf(st.reason, sizeof st.reason, "%s", reason);
	if (lus_update(lu->pd, j, &st) < 0)
		j->status = st; /* for this run at least */
	lu->counts.held++;
	lu->pd->counts.held++;
	log_msg(MSG_CPLT711A, j->meta.id, lu->cfg->name, reason);
	alert_send(lu->pd, "HELD", lu->cfg->name, j->meta.id, reason);
	job_watch_tell(lu->pd, j->meta.id, &st);
}

static struct spool_job *next_job(struct lu *lu)
{
	LIST_FOREACH (it, &lu->queue)
		if (job_at(it)->status.state == SPOOL_READY)
			return job_at(it);
	return NULL;
}

static const char *source_error(int r, char *buf, size_t len)
{
	if (r == -ENOTSUP)
		return "this kind of job cannot go to this LU";
	if (r == -EBADMSG)
		return "the job's file is damaged";
	snprintf(buf, len, "opening the job: %s", strerror(-r));
	return buf;
}

/* SCS and LU3 are text for all but TN3270 printers. */
static bool is_text(enum spool_form form)
{
	return form == SPOOL_TEXT || form == SPOOL_SCS || form == SPOOL_LU3;
}

/* False: the job was held, or must wait. */
static bool start(struct lu *lu, struct spool_job *j)
{
	char page[512], text[96];
	struct source_conf conf;
	struct session_job job = {.id = j->meta.id,
				  .title = j->meta.title,
				  .user = j->meta.user,
				  .host = j->meta.host,
				  .copies = 1,
				  .pdf = j->meta.form == SPOOL_PDF,
				  .text = is_text(j->meta.form)};
	int r;

	source_conf_of(lu, j, &conf);
	/* the other end multiplies, or the source does */
	if (conf.copies <= lu->session->ops->copies_max) {
		job.copies = conf.copies;
		conf.copies = 1;
	}
	conf.separator = separator(lu, j, page, sizeof page);
	r = source_new(lu->pd->spool, j, &conf, &job.source);
	if (r < 0) {
		hold(lu, j, false, source_error(r, text, sizeof text));
		return false;
	}
	lu->job = j;
	lu->source = job.source;
	lu->state = LU_SENDING;
	r = lu->session->ops->send(lu->session, &job);
	if (r == 0)
		return true;
	lu->job = NULL;
	lu->source = NULL;
	lu->state = LU_WAITING;
	snprintf(lu->reason, sizeof lu->reason, "%s", strerror(-r));
	ev_timer_set(lu->timer, DUR_NS(lu->cfg->opt.retry_ns));
	return false;
}

void lus_kick(struct lu *lu)
{
	struct spool_job *j;

	if (lu->leaving || lu->kept)
		return; /* first what the deck wants: lus_settle() */
	while (lu->session && !lu->stopped && lu->state == LU_IDLE &&
	       lu->session->ops->ready(lu->session) && (j = next_job(lu))) {
		if (start(lu, j))
			return;
	}
}

void lus_on_timer(void *arg)
{
	struct lu *lu = arg;

	if (lu->state == LU_WAITING)
		lu->state = LU_IDLE;
	if (lus_settle(lu))
		lus_kick(lu);
}

/* ---- what sessions tell
 * ---------------------------------------------------------------- */

static int on_begins(void *arg)
{
	struct lu *lu = arg;
	struct spool_status st = lu->job->status;

	st.state = SPOOL_ACTIVE;
	st.changed_s = printd_wall_s();
	return lus_update(lu->pd, lu->job, &st);
}

static void on_sent(void *arg)
{
	struct lu *lu = arg;
	struct spool_status st = lu->job->status;

	/* not synced for its own sake: ACTIVE says the same after a crash */
	st.state = SPOOL_SENT;
	lu->job->status = st;
}

static void finished(struct lu *lu, struct spool_job *j, uint32_t pages)
{
	struct spool_status st = j->status;
	struct printd *pd = lu->pd;
	uint32_t id = j->meta.id;

	st.state = SPOOL_DONE;
	st.prints++;
	st.pages = pages;
	st.attempts = st.first_page = 0;
	st.changed_s = printd_wall_s();
	st.reason[0] = '\0';
	lu->counts.printed++;
	lu->counts.pages += pages;
	lu->counts.bytes += j->meta.bytes;
	lu->counts.repeated += st.repeat;
	pd->counts.printed++;
	pd->counts.pages += pages;
	pd->counts.bytes += j->meta.bytes;
	pd->counts.repeated += st.repeat;
	/* each of them: a job that may come twice must not do so in silence */
	log_every(MSG_CPLT710I, id, lu->cfg->name, pages,
		  st.repeat ? ", MAY HAVE BEEN PRINTED BEFORE" : "");
	lus_take_out(lu, j);
	if (lu->cfg->opt.retain_ns) {
		if (lus_update(pd, j, &st) < 0)
			j->status = st;
	} else if (spool_remove(pd->spool, j) < 0) {
		log_msg(MSG_CPLT705E, id, lu->cfg->name,
			"its file cannot be removed");
		/* lus_expire() tries again */
		if (spool_find(pd->spool, id))
			j->status = st;
	}
	job_watch_tell(pd, id, &st);
}

static bool to_backup(struct lu *lu, struct spool_job *j,
		      const struct spool_status *failed)
{
	struct spool_status st = *failed;
	struct lu *other = lu->cfg->opt.backup[0]
				   ? lus_find(lu->pd, lu->cfg->opt.backup)
				   : NULL;

	if (!other || other->stopped || !other->session)
		return false;
	snprintf(st.lu, sizeof st.lu, "%s", other->cfg->name);
	st.attempts = 0;
	if (lus_update(lu->pd, j, &st) < 0)
		return false;
	log_msg(MSG_CPLT713W, j->meta.id, lu->cfg->name, other->cfg->name,
		st.reason);
	alert_send(lu->pd, "MOVED", other->cfg->name, j->meta.id, st.reason);
	lus_take_out(lu, j);
	lus_queue(lu->pd, j);
	return true;
}

/* A READY status after a failure; true: the limit of attempts is reached. */
static bool count_failure(struct lu *lu, struct spool_job *j,
			  const struct session_result *r,
			  struct spool_status *st)
{
	uint32_t limit = lu->cfg->opt.attempts;

	*st = j->status;
	st->state = SPOOL_READY;
	st->repeat |= r->maybe;
	st->attempts++;
	st->changed_s = printd_wall_s();
	snprintf(st->reason, sizeof st->reason, "%s", r->reason);
	snprintf(lu->reason, sizeof lu->reason, "%s", r->reason);
	lu->counts.failed++;
	lu->pd->counts.failed++;
	return limit && st->attempts >= limit;
}

static void again(struct lu *lu, struct spool_job *j,
		  const struct session_result *r)
{
	struct spool_status st;
	bool enough = count_failure(lu, j, r, &st);

	if (!lu->alerted) {
		log_msg(MSG_CPLT712W, j->meta.id, lu->cfg->name, r->reason);
		alert_send(lu->pd, "TROUBLE", lu->cfg->name, j->meta.id,
			   r->reason);
		lu->alerted = true;
	}
	if (enough && to_backup(lu, j, &st))
		return;
	if (enough) {
		j->status.attempts = st.attempts;
		hold(lu, j, r->maybe, r->reason);
		return;
	}
	if (lus_update(lu->pd, j, &st) < 0)
		j->status = st;
	if (lu->leaving || lu->kept)
		return; /* another printer's turn, or another definition's */
	lu->state = LU_WAITING;
	lu->again = mono_add(mono_now(), DUR_NS(lu->cfg->opt.retry_ns));
	ev_timer_set(lu->timer, DUR_NS(lu->cfg->opt.retry_ns));
}

static void on_done(void *arg, const struct session_result *r)
{
	struct lu *lu = arg;
	struct spool_job *j = lu->job;

	job_over(lu);
	switch (r->outcome) {
	case SESSION_PRINTED:
		lu->alerted = false;
		lu->reason[0] = '\0';
		finished(lu, j, r->pages);
		break;
	case SESSION_RETRY:
		again(lu, j, r);
		break;
	case SESSION_HOLD:
		snprintf(lu->reason, sizeof lu->reason, "%s", r->reason);
		hold(lu, j, r->maybe, r->reason);
		break;
	}
	/* not from here: the session is still on its way out */
	if (lu->state == LU_IDLE)
		ev_timer_set(lu->timer, DUR_NS(0));
}

static void on_news(void *arg, enum session_news n, const char *text)
{
	struct lu *lu = arg;
	uint32_t id = lu->job ? lu->job->meta.id : 0;

	switch (n) {
	case SESSION_STALLED:
		lu->stalled = true;
		snprintf(lu->reason, sizeof lu->reason, "%s", text);
		log_msg(MSG_CPLT714A, lu->cfg->name, text);
		alert_send(lu->pd, "STALLED", lu->cfg->name, id, text);
		break;
	case SESSION_MOVING:
		lu->stalled = false;
		lu->reason[0] = '\0';
		log_msg(MSG_CPLT715I, lu->cfg->name, text);
		break;
	case SESSION_STATUS:
		log_msg(MSG_CPLT715I, lu->cfg->name, text);
		break;
	case SESSION_CAME:
		lu->alerted = false;
		/* a new client need not wait for the old one's retry */
		if (lu->state == LU_WAITING)
			lu->state = LU_IDLE;
		ev_timer_set(lu->timer, DUR_NS(0));
		break;
	case SESSION_LEFT:
		break;
	}
}

void lus_interrupt(struct lu *lu, const char *why)
{
	struct spool_job *j = lu->job;
	struct spool_status st;

	snprintf(lu->reason, sizeof lu->reason, "%s", why);
	ev_timer_stop(lu->timer);
	if (lu->state == LU_WAITING)
		lu->state = LU_IDLE;
	if (!j)
		return;
	lu->session->ops->stop(lu->session);
	job_over(lu);
	if (j->status.state == SPOOL_READY)
		return; /* nothing had left */
	st = j->status;
	st.state = SPOOL_READY;
	st.repeat = true;
	st.changed_s = printd_wall_s();
	snprintf(st.reason, sizeof st.reason, "%s", why);
	if (lus_update(lu->pd, j, &st) < 0)
		j->status = st;
}

struct session_owner lus_owner(struct lu *lu)
{
	return (struct session_owner){on_begins, on_sent, on_done, on_news, lu};
}

/* ---- clients that ask for a printer
 * ---------------------------------------------------- */

static bool free_generic(const struct lu *lu)
{
	return lu->cfg->kind == LU_PRINTER && lu->cfg->opt.generic &&
	       !lu->cfg->opt.terminal[0] && lu->session && !lu->stopped &&
	       !printers_taken(lu->session);
}

/* Begins behind the one found last, so that a thousand clients at once cost
 * one walk. */
static struct lu *find_generic(struct printd *pd)
{
	for (uint32_t n = 0; n < pd->n_lus; n++) {
		uint32_t i = (pd->generic_hint + n) % pd->n_lus;

		if (free_generic(pd->lus[i])) {
			pd->generic_hint = i;
			return pd->lus[i];
		}
	}
	return NULL;
}

static struct lu *find_partner(struct printd *pd, const char *terminal)
{
	for (uint32_t i = 0; i < pd->n_lus; i++)
		if (strcmp(pd->lus[i]->cfg->opt.terminal, terminal) == 0)
			return pd->lus[i];
	return NULL;
}

static bool is_terminal(const struct printd *pd, const char *name)
{
	for (uint32_t i = 0; i < pd->deck.n_terminals; i++)
		if (strcmp(pd->deck.terminals[i], name) == 0)
			return true;
	return false;
}

static void named_facts(struct printd *pd, const char *name, struct lu *lu,
			struct tn3270e_facts *f)
{
	f->known = lu || is_terminal(pd, name);
	f->is_display = !lu && f->known;
	f->is_printer = lu && lu->cfg->kind == LU_PRINTER;
	f->partner_only = f->is_printer && lu->cfg->opt.terminal[0] &&
			  !lu->cfg->opt.generic;
	f->in_use = f->is_printer && (lu->stopped || !lu->session ||
				      printers_taken(lu->session));
}

struct session *lus_find_printer(void *arg, const struct tn3270e_device *d,
				 struct tn3270e_facts *f)
{
	struct printd *pd = arg;
	struct lu *lu = NULL;

	f->any_named = f->any_generic = f->any_partner = true;
	switch (d->how) {
	case TN3270E_GENERIC:
		lu = find_generic(pd);
		f->known = f->is_printer = true;
		f->in_use = !lu;
		break;
	case TN3270E_BY_NAME:
		lu = lus_find(pd, d->name);
		named_facts(pd, d->name, lu, f);
		break;
	case TN3270E_BY_ASSOCIATION:
		lu = find_partner(pd, d->name);
		f->known = f->is_display = is_terminal(pd, d->name);
		f->connected = f->known; /* not served here: believed */
		f->has_partner = lu != NULL;
		f->partner_in_use = lu && (lu->stopped || !lu->session ||
					   printers_taken(lu->session));
		break;
	}
	return lu && lu->cfg->kind == LU_PRINTER ? lu->session : NULL;
}

/* ---- retention
 * ---------------------------------------------------------------------- */

void lus_expire(struct printd *pd)
{
	struct spool_job *j = spool_next(pd->spool, NULL), *next;
	uint64_t now = printd_wall_s();

	for (; j; j = next) {
		const struct lu *lu = lus_find(pd, j->status.lu);
		int64_t keep = lu ? lu->cfg->opt.retain_ns / 1000000000
				  : ABSENT_RETAIN_S;

		next = spool_next(pd->spool, j);
		if (j->status.state == SPOOL_DONE &&
		    now >= j->status.changed_s + (uint64_t)keep)
			(void)!spool_remove(pd->spool, j);
	}
}
