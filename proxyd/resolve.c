#include "resolve.h"

#include "daemon/log.h"
#include "lookup/lookup.h"

#include <errno.h>
#include <stdlib.h>

/* One, so that names of a dead server ask it once at a time. */
#define THREADS 1

/* One name: asked again and again as long as its PROXY lives. */
struct query {
	struct list node;    /* of the resolver's list of all */
	struct list waiting; /* flows */
	struct relay_timer timer;
	struct lookup_query *name;
	struct proxyd *pd;
	struct proxy *px;
	struct target *target;
};

struct resolver {
	struct list all;
	struct lookup *lookup;
	struct relay_watch watch;
};

static void on_ask_again(struct relay_timer *t, mono_t now)
{
	(void)now;
	lookup_ask(container_of(t, struct query, timer)->name);
}

static void wake_flows(struct query *q, const char *error)
{
	struct list batch, *n;

	/* those that come meanwhile wait for the next answer */
	list_init(&batch);
	while ((n = list_pop_head(&q->waiting)))
		list_push_tail(&batch, n);
	while ((n = list_pop_head(&batch)))
		flow_resolved(container_of(n, struct flow, waiting), error);
}

static void on_answer(void *arg, const struct lookup_answer *a)
{
	struct query *q = arg;
	mono_t now = relay_now(q->pd->set);

	if (a->error)
		log_msg(MSG_CPLT612W, q->px->label, q->target->host, a->error);
	else
		target_set_addrs(q->target, a->addrs, a->n, now);
	relay_timer_set(
		q->pd->set, &q->timer,
		mono_add(now, a->error ? RESOLVE_RETRY : RESOLVE_EVERY));
	wake_flows(q, a->error);
}

static void on_wake(struct relay_watch *w, mono_t now)
{
	(void)now;
	lookup_collect(container_of(w, struct resolver, watch)->lookup);
}

static struct query *query_of(const struct resolver *r, const struct target *t)
{
	LIST_FOREACH (it, &r->all) {
		struct query *q = container_of(it, struct query, node);

		if (q->target == t)
			return q;
	}
	return NULL;
}

void resolve_wait(struct flow *f)
{
	struct query *q = query_of(f->px->pd->resolver, f->target);

	if (!q) { /* a HOST or literal of another family */
		flow_resolved(f, "no address of this family");
		return;
	}
	list_push_tail(&q->waiting, &f->waiting);
	lookup_ask(q->name);
}

void resolve_forget(struct flow *f)
{
	list_remove(&f->waiting);
}

/* ---- targets
 * -------------------------------------------------------------------- */

/* From the text itself or the deck's HOST table. */
static bool known_at_once(struct proxy *px, struct target *t)
{
	const struct proxyd_deck *d = &px->pd->deck;
	uint8_t family = px->conf.server.family;
	struct ip_addr found[2];
	const struct ip_addr *host;
	size_t n = 0;

	t->literal = ip_parse(t->host, &found[0]) == 0;
	if (t->literal)
		n = 1;
	for (int i = 0; i < 2 && !t->literal; i++) {
		enum ip_family fam = i ? IP_V4 : IP_V6;

		host = family == IP_NONE || family == fam
			       ? proxyd_deck_host(d, t->host, fam)
			       : NULL;
		if (host)
			found[n++] = *host;
	}
	if (n)
		target_set_addrs(t, found, n, relay_now(px->pd->set));
	return n > 0;
}

static int query_new(struct proxy *px, struct target *t)
{
	struct resolver *res = px->pd->resolver;
	struct query *q = calloc(1, sizeof *q);
	int r;

	if (!q)
		return -ENOMEM;
	r = lookup_query_new(res->lookup, px->pd->deck.id, t->host,
			     (enum ip_family)px->conf.server.family, on_answer,
			     q, &q->name);
	if (r < 0) {
		free(q);
		return r;
	}
	list_init(&q->waiting);
	relay_timer_init(&q->timer, on_ask_again);
	q->pd = px->pd;
	q->px = px;
	q->target = t;
	list_push_tail(&res->all, &q->node);
	lookup_ask(q->name);
	return 0;
}

static int resolve_group(struct proxy *px, struct target_group *g)
{
	int r = 0;

	for (uint32_t i = 0; i < g->n && r == 0; i++) {
		if (!known_at_once(px, &g->list[i]))
			r = query_new(px, &g->list[i]);
	}
	return r;
}

int resolve_targets(struct proxy *px)
{
	int r = resolve_group(px, &px->group);

	for (uint32_t i = 0; i < px->n_snis && r == 0; i++)
		r = resolve_group(px, &px->sni_groups[i]);
	return r;
}

static void query_drop(struct query *q)
{
	relay_timer_set(q->pd->set, &q->timer, MONO_NEVER);
	list_remove(&q->node);
	lookup_query_free(q->name);
	free(q);
}

void resolve_drop(struct proxy *px)
{
	LIST_FOREACH_SAFE (it, &px->pd->resolver->all) {
		struct query *q = container_of(it, struct query, node);

		if (q->px == px)
			query_drop(q);
	}
}

/* ---- start, stop
 * ---------------------------------------------------------------- */

int resolve_start(struct proxyd *pd)
{
	struct resolver *r = calloc(1, sizeof *r);
	int e;

	if (!r)
		return -ENOMEM;
	list_init(&r->all);
	relay_watch_init(&r->watch, on_wake);
	pd->resolver = r;
	e = lookup_new(THREADS, &r->lookup);
	return e < 0 ? e
		     : relay_watch_add(pd->set, &r->watch,
				       lookup_fd(r->lookup));
}

void resolve_stop(struct proxyd *pd)
{
	struct resolver *r = pd->resolver;

	if (!r)
		return;
	pd->resolver = NULL;
	(void)relay_watch_take(pd->set, &r->watch);
	lookup_free(r->lookup);
	free(r);
}
