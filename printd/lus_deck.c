/*
 * lus_deck.c: LUs as the deck wants them. The first deck and each that is read
 * later take the same way: a plan, which may fail and then has changed
 * nothing; and its commit, which cannot fail. What the commit does is not on
 * disk but follows from the deck and the spool, so that there is no moment at
 * which an end of printd would leave half of it behind.
 *
 * A LU whose definition is the same goes on, whatever it does. One that is new
 * gets its jobs of the spool. One that changed takes its new definition when
 * nothing is sent; a job in hand of which nothing has left begins again, one
 * that may be on paper is ended first. One that is gone ends such a job and
 * then goes; its other jobs are held (job_status()) until a deck has it again.
 */
#include "daemon/log.h"
#include "printd.h"
#include "render/codepage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_DEFAULT "IBM-037"

/* ---- code pages
 * ------------------------------------------------------------------ */

static const char *stream_page_name(const struct printd_deck *d,
				    const struct printd_lu *cfg)
{
	const char *name = cfg->opt.codepage[0] ? cfg->opt.codepage
			   : d->sbcs[0]         ? d->sbcs
						: PAGE_DEFAULT;

	return printd_deck_page(d, name);
}

/* One table for all LUs that have the same page. */
static int share_page(struct printd *pd, const char *name,
		      struct codepage **ret)
{
	struct shared_page *p = pd->pages;
	int r;

	for (uint32_t i = 0; i < pd->n_pages; i++, p++) {
		if (strcmp(p->name, name) == 0) {
			*ret = p->page;
			return 0;
		}
	}
	if (pd->n_pages == PRINTD_PAGES_MAX)
		return -ENOSPC;
	r = codepage_new(name, NULL, &p->page);
	if (r < 0)
		return r;
	snprintf(p->name, sizeof p->name, "%s", name);
	pd->n_pages++;
	*ret = p->page;
	return 0;
}

static int find_pages(struct printd *pd, const struct printd_deck *d,
		      const struct printd_lu *cfg, struct lu_pages *ret)
{
	const char *out = printd_deck_page(d, cfg->opt.outpage);
	int r = share_page(pd, stream_page_name(d, cfg), &ret->stream);

	ret->out = NULL;
	if (r == 0 && cfg->kind != LU_PRINTER && strcmp(out, "UTF-8") != 0)
		r = share_page(pd, out, &ret->out);
	return r;
}

static void mark_page(struct printd *pd, const struct codepage *page)
{
	for (uint32_t i = 0; page && i < pd->n_pages; i++)
		if (pd->pages[i].page == page)
			pd->pages[i].used = true;
}

static void mark_pages(struct printd *pd, const struct lu *lu)
{
	mark_page(pd, lu->pages.stream);
	mark_page(pd, lu->pages.out);
	mark_page(pd, lu->def_pages.stream);
	mark_page(pd, lu->def_pages.out);
}

/* Frees pages that no LU has. */
static void sweep_pages(struct printd *pd)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < pd->n_pages; i++)
		pd->pages[i].used = false;
	for (uint32_t i = 0; i < pd->n_lus; i++)
		mark_pages(pd, pd->lus[i]);
	LIST_FOREACH (it, &pd->leaving)
		mark_pages(pd, container_of(it, struct lu, node));
	for (uint32_t i = 0; i < pd->n_pages; i++) {
		if (pd->pages[i].used)
			pd->pages[n++] = pd->pages[i];
		else
			codepage_free(pd->pages[i].page);
	}
	pd->n_pages = n;
}

/* ---- one LU
 * ---------------------------------------------------------------------- */

static int lu_new(struct printd *pd, struct lu **ret)
{
	struct lu *lu = calloc(1, sizeof *lu);

	if (!lu)
		return -ENOMEM;
	lu->pd = pd;
	list_init(&lu->queue);
	list_init(&lu->node);
	if (ev_timer_new(pd->env.loop, lus_on_timer, lu, &lu->timer) < 0) {
		free(lu);
		return -ENOMEM;
	}
	*ret = lu;
	return 0;
}

static void forget_kept(struct lu *lu)
{
	if (lu->kept)
		explicit_bzero(lu->kept, sizeof(*lu->kept));
	free(lu->kept);
	lu->kept = NULL;
}

static void lu_free(struct lu *lu)
{
	LIST_FOREACH_SAFE (it, &lu->queue)
		lus_take_out(lu, container_of(it, struct spool_job, queue));
	session_free(lu->session);
	ev_timer_free(lu->timer);
	list_remove(&lu->node);
	forget_kept(lu);
	free(lu);
}

static void lu_break(struct lu *lu, const char *what, int r)
{
	snprintf(lu->reason, sizeof lu->reason, "%.80s: %s", what,
		 strerror(-r));
	log_msg(MSG_CPLT706E, lu->cfg->name, lu->reason);
}

/* May a session made for `a` serve `b`? A client of PRINTER is told the kind
 * of its data stream when it comes; the rest can be had while it stays. */
static bool session_fits(const struct lu *lu, const struct printd_lu *b)
{
	const struct printd_lu *a = lu->cfg;

	return lu->session && lu->session->ops->renew && a && a != b &&
	       a->kind == b->kind && a->opt.scs == b->opt.scs;
}

/* What the deck wants takes force; nothing is sent. */
static void renew(struct lu *lu)
{
	const struct session_owner owner = lus_owner(lu);
	const struct printd_lu *def = lu->def;
	bool fits = session_fits(lu, def);
	int r;

	lu->cfg = def;
	lu->pages = lu->def_pages;
	forget_kept(lu);
	lu->alerted = false;
	lu->reason[0] = '\0';
	lu->state = LU_IDLE;
	ev_timer_set(lu->timer, DUR_NS(0));
	if (fits) {
		lu->session->lu = def;
		lu->session->ops->renew(lu->session);
		return;
	}
	session_free(lu->session);
	lu->session = NULL;
	r = session_new(&lu->pd->env, def, &owner, &lu->session);
	if (r < 0)
		lu_break(lu, def->host[0] ? def->host : "session", r);
}

bool lus_settle(struct lu *lu)
{
	if (lu->job)
		return true;
	if (lu->leaving) {
		log_msg(MSG_CPLT709I, lu->cfg->name);
		lu_free(lu);
		return false;
	}
	if (lu->kept)
		renew(lu);
	return true;
}

/* A job in hand goes back into the queue if nothing of it has left. */
static void drop_unbegun(struct lu *lu)
{
	if (lu->job && lu->job->status.state == SPOOL_READY)
		lus_interrupt(lu, "");
}

/* The definition in force outlives its deck. Without memory for that the job
 * in hand begins again, marked. */
static void keep_definition(struct lu *lu)
{
	if (lu->kept)
		return;
	lu->kept = malloc(sizeof(*lu->kept));
	if (!lu->kept) {
		lus_interrupt(lu, strerror(ENOMEM));
		return;
	}
	*lu->kept = *lu->cfg;
	lu->cfg = lu->kept;
	lu->session->lu = lu->kept;
}

static bool same_definition(const struct lu *lu)
{
	return !printd_lu_differs(lu->cfg, lu->def) &&
	       strcmp(lu->cfg->password, lu->def->password) == 0 &&
	       lu->pages.stream == lu->def_pages.stream &&
	       lu->pages.out == lu->def_pages.out;
}

/* The deck has it, `def`: true if that is another definition than before. A
 * name that could not be looked up is tried again. */
static bool redefine(struct lu *lu)
{
	bool same = same_definition(lu);

	if (same && lu->session) {
		lu->cfg = lu->session->lu = lu->def;
		forget_kept(lu);
		return false;
	}
	drop_unbegun(lu);
	if (lu->job)
		keep_definition(lu);
	if (!lu->job)
		renew(lu);
	return !same;
}

/* ---- a plan
 * ---------------------------------------------------------------------- */

static int plan_lu(struct printd *pd, const struct printd_deck *next,
		   struct lus_plan *p, uint32_t i)
{
	const struct printd_lu *def = &next->lus[i];
	int r = find_pages(pd, next, def, &p->pages[i]);

	if (r < 0)
		return r;
	/* with the first deck there is nothing to find */
	p->lus[i] = pd->lus ? lus_find(pd, def->name) : NULL;
	if (!p->lus[i])
		p->lus[i] = lus_find_leaving(pd, def->name);
	return p->lus[i] ? 0 : lu_new(pd, &p->lus[i]);
}

int lus_plan_make(struct printd *pd, const struct printd_deck *next,
		  struct lus_plan *ret)
{
	int r = 0;

	ret->lus = calloc(next->n_lus, sizeof(*ret->lus));
	ret->pages = calloc(next->n_lus, sizeof(*ret->pages));
	if (!ret->lus || !ret->pages)
		r = -ENOMEM;
	for (uint32_t i = 0; i < next->n_lus && r == 0; i++) {
		r = plan_lu(pd, next, ret, i);
		ret->n = i + 1;
	}
	if (r < 0)
		log_every(MSG_CPLT001E, "LUs",
			  r == -ENOSPC ? "more code pages than printd takes"
				       : strerror(-r));
	return r;
}

void lus_plan_drop(struct lus_plan *p)
{
	for (uint32_t i = 0; i < p->n; i++)
		if (p->lus[i] && !p->lus[i]->cfg)
			lu_free(p->lus[i]);
	free(p->lus);
	free(p->pages);
	*p = (struct lus_plan){.n = 0};
}

/* ---- its commit
 * ------------------------------------------------------------------ */

/* Its jobs wait for a deck that has it again; one in hand that may be on paper
 * ends first. */
static void leave(struct printd *pd, struct lu *lu)
{
	lu->def = NULL;
	lu->def_pages = (struct lu_pages){.stream = NULL};
	lu->redirect = NULL;
	drop_unbegun(lu);
	if (lu->job)
		keep_definition(lu);
	if (!lu->job) {
		lu_free(lu);
		return;
	}
	LIST_FOREACH_SAFE (it, &lu->queue) {
		struct spool_job *j = container_of(it, struct spool_job, queue);

		if (j != lu->job)
			lus_take_out(lu, j);
	}
	list_remove(&lu->node);
	list_push_tail(&pd->leaving, &lu->node);
}

static void take_definition(struct lu *lu, const struct printd_lu *def,
			    const struct lu_pages *pages, struct lus_change *c)
{
	bool fresh = !lu->cfg;

	lu->def = def;
	lu->def_pages = *pages;
	lu->leaving = false;
	list_remove(&lu->node);
	if (fresh) {
		c->fresh++;
		renew(lu);
	} else if (redefine(lu)) {
		c->changed++;
	} else {
		c->same++;
	}
}

/* Jobs without a LU: into the queue of one that is there now, or told. */
static void adopt(struct printd *pd, struct lus_change *c)
{
	const struct spool_job *first = NULL;
	struct spool_job *j = NULL;
	char text[SPOOL_REASON_MAX + 1] = "";

	while ((j = spool_next(pd->spool, j))) {
		struct spool_status st;

		if (j->user || j->status.state == SPOOL_DONE)
			continue;
		lus_queue(pd, j);
		if (j->user || j->status.state == SPOOL_HELD)
			continue;
		first = first ? first : j;
		c->held++;
		st = job_status(j);
		job_watch_tell(pd, j->meta.id, &st);
	}
	if (!first)
		return;
	snprintf(text, sizeof text, "LU %s is not in the deck",
		 first->status.lu);
	log_msg(MSG_CPLT716A, c->held, first->meta.id, text);
	alert_send(pd, "HELD", first->status.lu, first->meta.id, text);
}

/* Those that the plan does not have. */
static void mark_leaving(struct lu **old, uint32_t n, const struct lus_plan *p)
{
	for (uint32_t i = 0; i < n; i++)
		old[i]->listed = false;
	for (uint32_t i = 0; i < p->n; i++)
		p->lus[i]->listed = true;
	for (uint32_t i = 0; i < n; i++)
		old[i]->leaving = !old[i]->listed;
	for (uint32_t i = 0; i < p->n; i++) {
		struct lu *lu = p->lus[i];

		if (!lu->redirect || !lu->redirect->leaving)
			continue;
		lu->redirect = NULL;
		log_msg(MSG_CPLT715I, lu->cfg->name,
			"its redirection has ended with the other LU");
	}
}

void lus_commit(struct printd *pd, struct lus_plan *p, struct lus_change *ret)
{
	struct lu **old = pd->lus;
	uint32_t n_old = pd->n_lus;

	*ret = (struct lus_change){.fresh = 0};
	mark_leaving(old, n_old, p);
	pd->lus = p->lus;
	pd->n_lus = p->n;
	pd->generic_hint = 0;
	for (uint32_t i = 0; i < n_old; i++) {
		if (!old[i]->leaving)
			continue;
		leave(pd, old[i]);
		ret->gone++;
	}
	for (uint32_t i = 0; i < p->n; i++)
		take_definition(p->lus[i], &pd->deck.lus[i], &p->pages[i], ret);
	adopt(pd, ret);
	sweep_pages(pd);
	free(old);
	free(p->pages);
	*p = (struct lus_plan){.n = 0};
}

/* ---- the end
 * --------------------------------------------------------------------- */

static void end(struct lu *lu)
{
	lus_interrupt(lu, "printd ended");
	lu_free(lu);
}

void lus_stop(struct printd *pd)
{
	for (uint32_t i = 0; i < pd->n_lus; i++)
		end(pd->lus[i]);
	LIST_FOREACH_SAFE (it, &pd->leaving)
		end(container_of(it, struct lu, node));
	for (uint32_t i = 0; i < pd->n_pages; i++)
		codepage_free(pd->pages[i].page);
	pd->n_pages = 0;
	free(pd->lus);
	pd->lus = NULL;
	pd->n_lus = 0;
}
