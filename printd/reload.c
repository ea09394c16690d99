/*
 * reload.c: a deck in force. The first one and each that is read later take
 * the same way: prepare() makes everything that can fail and leaves alone what
 * is in force; commit() then cannot fail. So a deck with a mistake, a name
 * that nobody knows or a file that cannot be read leaves the old deck in force
 * as a whole.
 *
 * A port that somebody else has is no mistake of a deck: it is tried again
 * every few seconds, at a reload as at the start.
 */
#include "daemon/log.h"
#include "daemon/report.h"
#include "deck/deck.h"
#include "printd.h"
#include "session/dial.h"
#include "tlsdeck/tlsdeck.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct plan {
	struct printd *pd;
	const struct printd_deck *next;
	struct lus_plan lus;
	struct ip_port lpds[DECK_OPENS_MAX];
	struct printers_place opens[DECK_OPENS_MAX];
	struct tls_policy **client_tls; /* of ACQUIRE; in its order */
	struct acquire **acquires;      /* in the order of the deck */
	uint32_t n_acquires;
	struct metrics *metrics; /* at a new path */
};

/* Each time: an operator who tries again wants to know why it is refused. */
static int fail(const char *what, int r)
{
	log_every(MSG_CPLT001E, what,
		  r == -EADDRNOTAVAIL ? "no such host name" : strerror(-r));
	return r;
}

/* ---- passwords
 * ------------------------------------------------------------------- */

static int read_secret(struct printd_lu *lu)
{
	FILE *f = fopen(lu->secret, "re");
	char *end;
	int r = 0;

	if (!f || !fgets(lu->password, sizeof lu->password, f))
		r = f ? -ENODATA : -errno;
	if (f)
		fclose(f);
	end = strpbrk(lu->password, "\r\n");
	if (end)
		*end = '\0';
	return r;
}

int reload_secrets(const struct printd *pd, struct printd_deck *next)
{
	for (uint32_t i = 0; i < next->n_lus; i++) {
		struct printd_lu *lu = &next->lus[i];
		const struct printd_lu *old;
		int r;

		if (!lu->secret[0])
			continue;
		r = read_secret(lu);
		if (r == 0)
			continue;
		/* the first deck was read as root */
		old = &pd->deck == next ? NULL
					: printd_deck_lu(&pd->deck, lu->name);
		if (r != -EACCES || !old || strcmp(old->secret, lu->secret))
			return fail(lu->secret, r);
		memcpy(lu->password, old->password, sizeof lu->password);
	}
	return 0;
}

/* ---- what can fail
 * --------------------------------------------------------------- */

static int resolve(const struct plan *p, const struct deck_open *from,
		   struct ip_port *to)
{
	int r = dial_resolve(p->next->id, from->host, from->port, to);

	return r < 0 ? fail(from->host, r) : 0;
}

static int plan_opens(struct plan *p)
{
	int r = 0;

	for (uint32_t i = 0; i < p->next->n_opens && r == 0; i++) {
		const struct deck_open *o = &p->next->opens[i];
		char name[sizeof(o->host) + 16];

		p->opens[i].tls = o->tls;
		r = resolve(p, o, &p->opens[i].at);
		if (r < 0 || o->tls == DECK_TLS_NONE)
			continue;
		snprintf(name, sizeof name, "OPEN %s %u", o->host, o->port);
		r = secure_policy(p->pd, &p->next->tls[o->settings], TLS_SERVER,
				  name, &p->opens[i].policy);
	}
	return r;
}

static int plan_lpds(struct plan *p)
{
	int r = 0;

	for (uint32_t i = 0; i < p->next->n_lpds && r == 0; i++)
		r = resolve(p, &p->next->lpds[i], &p->lpds[i]);
	return r;
}

static bool has_acquire(struct acquire *const *list, uint32_t n,
			const struct acquire *a)
{
	for (uint32_t i = 0; i < n; i++)
		if (list[i] == a)
			return true;
	return false;
}

/* The one that runs already, each once. */
static struct acquire *find_acquire(const struct plan *p,
				    const struct deck_acquire *q)
{
	for (uint32_t i = 0; i < p->pd->n_acquires; i++) {
		struct acquire *a = p->pd->acquires[i];

		if (printd_deck_same_acquire(acquire_cfg(a), q) &&
		    !has_acquire(p->acquires, p->n_acquires, a))
			return a;
	}
	return NULL;
}

static int plan_acquire(struct plan *p, uint32_t i)
{
	const struct deck_acquire *q = &p->next->acquires[i];
	struct acquire *a = find_acquire(p, q);
	char name[sizeof(q->host) + sizeof(q->lu) + 32];
	int r = a ? 0 : acquire_new(p->pd, q, &a);

	if (r < 0)
		return fail(q->host, r);
	p->acquires[p->n_acquires++] = a;
	if (q->tls == DECK_TLS_NONE)
		return 0;
	snprintf(name, sizeof name, "ACQUIRE %s %s %u", q->lu, q->host,
		 q->port);
	return secure_policy(p->pd, &p->next->tls[q->settings], TLS_CLIENT,
			     name, &p->client_tls[i]);
}

static int plan_acquires(struct plan *p)
{
	uint32_t n = MAX(p->next->n_acquires, 1u);
	int r = 0;

	p->acquires = calloc(n, sizeof(*p->acquires));
	p->client_tls = calloc(n, sizeof(*p->client_tls));
	if (!p->acquires || !p->client_tls)
		return fail("ACQUIRE", -ENOMEM);
	for (uint32_t i = 0; i < p->next->n_acquires && r == 0; i++)
		r = plan_acquire(p, i);
	return r;
}

static void on_scrape(void *arg, table_write_fn *write, void *write_arg)
{
	const struct display d = {.pd = arg, .write = write, .arg = write_arg};

	(void)!display_metrics(&d);
}

/* Is METRICS another place than the one that is served? */
static bool metrics_move(const struct plan *p)
{
	return !p->pd->metrics ||
	       strcmp(p->pd->deck.metrics, p->next->metrics) != 0;
}

static int plan_metrics(struct plan *p)
{
	int r;

	if (!p->next->metrics[0] || !metrics_move(p))
		return 0;
	r = metrics_new(p->pd->env.loop, p->next->metrics, on_scrape, p->pd,
			&p->metrics);
	return r < 0 ? fail(p->next->metrics, r) : 0;
}

/* Who needs a policy has a reference of his own. */
static void drop_policies(struct plan *p)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(p->opens); i++)
		tls_policy_unref(p->opens[i].policy);
	for (uint32_t i = 0; p->client_tls && i < p->n_acquires; i++)
		tls_policy_unref(p->client_tls[i]);
	free(p->client_tls);
}

/* 0 or negative errno, logged; drop() in any case but after commit(). */
static int prepare(struct printd *pd, const struct printd_deck *next,
		   struct plan *p)
{
	int r;

	*p = (struct plan){.pd = pd, .next = next};
	r = plan_opens(p);
	if (r == 0)
		r = plan_lpds(p);
	if (r == 0)
		r = plan_acquires(p);
	if (r == 0)
		r = plan_metrics(p);
	if (r == 0)
		r = lus_plan_make(pd, next, &p->lus);
	return r;
}

static void drop(struct plan *p)
{
	lus_plan_drop(&p->lus);
	metrics_free(p->metrics);
	for (uint32_t i = 0; i < p->n_acquires; i++)
		if (!has_acquire(p->pd->acquires, p->pd->n_acquires,
				 p->acquires[i]))
			acquire_free(p->acquires[i]);
	free(p->acquires);
	drop_policies(p);
}

/* ---- what cannot
 * ----------------------------------------------------------------- */

static void commit_acquires(struct plan *p)
{
	struct printd *pd = p->pd;

	/* a host may have the same name for the next one */
	for (uint32_t i = 0; i < pd->n_acquires; i++)
		if (!has_acquire(p->acquires, p->n_acquires, pd->acquires[i]))
			acquire_free(pd->acquires[i]);
	free(pd->acquires);
	pd->acquires = p->acquires;
	pd->n_acquires = p->n_acquires;
	for (uint32_t i = 0; i < pd->n_acquires; i++)
		acquire_start(pd->acquires[i], p->client_tls[i]);
}

static void commit_listeners(struct plan *p)
{
	struct printd *pd = p->pd;
	int r;

	printers_limit(pd->printers, p->next->max_clients,
		       DUR_NS(p->next->defaults.keepalive_ns));
	r = printers_listen(pd->printers, p->opens, p->next->n_opens);
	if (r == 0)
		r = lpdsrv_listen(pd->lpd, p->lpds, p->next->n_lpds);
	if (r < 0) /* the places before this deck stay */
		(void)fail("listening", r);
}

/* The plan's deck takes the place of pd->deck, which is moved to *old, unless
 * it stands there already (old NULL). */
static void commit(struct plan *p, struct printd_deck *old,
		   struct lus_change *ret)
{
	struct printd *pd = p->pd;

	if (metrics_move(p)) {
		metrics_free(pd->metrics);
		pd->metrics = p->metrics;
	}
	commit_listeners(p);
	if (old) {
		*old = pd->deck;
		pd->deck = *p->next;
	}
	lus_commit(pd, &p->lus, ret);
	secure_forget(pd);
	commit_acquires(p);
	drop_policies(p);
}

int reload_first(struct printd *pd)
{
	struct lus_change change;
	struct plan p;
	int r = prepare(pd, &pd->deck, &p);

	if (r < 0)
		drop(&p);
	else
		commit(&p, NULL, &change);
	return r;
}

/* ---- again
 * ----------------------------------------------------------------------- */

/* What was decided when printd started. */
static int refuse_change(const struct printd *pd,
			 const struct printd_deck *next)
{
	const char *what = strcmp(pd->deck.id, next->id)         ? "ID"
			   : strcmp(pd->deck.spool, next->spool) ? "SPOOL"
								 : NULL;

	if (!what)
		return 0;
	log_every(MSG_CPLT001E, what, "stays the same as long as printd runs");
	return -EINVAL;
}

int reload_read(const char *path, struct printd_deck *ret)
{
	struct deck_report report;
	int r;

	deck_report_init(&report);
	r = report_log(&report, path, printd_deck_read(path, ret, &report));
	deck_report_fini(&report);
	return r;
}

static int read_next(struct printd *pd, struct printd_deck *next)
{
	int r = reload_read(daemon_options(pd->daemon)->deck_path, next);

	if (r == 0)
		r = refuse_change(pd, next);
	if (r == 0)
		r = reload_secrets(pd, next);
	return r;
}

int printd_reload(struct printd *pd)
{
	/* too large for a stack: the next one, and in the end the old one */
	struct printd_deck *decks = calloc(2, sizeof(*decks));
	struct lus_change c = {.fresh = 0};
	struct plan p;
	int r;

	if (!decks)
		return fail("deck", -ENOMEM);
	r = read_next(pd, &decks[0]);
	if (r == 0) {
		r = prepare(pd, &decks[0], &p);
		if (r < 0)
			drop(&p);
		else
			commit(&p, &decks[1], &c);
	}
	if (r == 0)
		log_every(MSG_CPLT707I, c.fresh, c.changed, c.gone, c.same);
	else
		log_every(MSG_CPLT708E);
	printd_deck_free(&decks[r == 0]);
	free(decks);
	return r;
}
