#include "resolve.h"

#include "client/couplet.h"
#include "daemon/log.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ANSWER_MAX 32 /* addresses of a name that are looked at */

/* One name: asked again and again as long as its PROXY lives. */
struct query {
	struct list node;    /* of the loop's list of all */
	struct list work;    /* of shared.todo or shared.done */
	struct list waiting; /* flows */
	struct relay_timer timer;
	struct proxyd *pd;
	struct proxy *px; /* NULL: dropped while the thread had it */
	struct target *target;
	char id[3];
	char host[PROXYD_HOST_MAX + 1];
	int domain;
	bool asked; /* the thread has it, or is to get it */
	/* the answer */
	int error; /* of getaddrinfo(), 0 = none */
	uint32_t n;
	struct ip_addr addrs[ANSWER_MAX];
};

/* What loop and thread share. The thread is left alone at the end, since it
 * may be inside the resolver for long: whoever goes last frees. */
struct shared {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct list todo, done;
	int wake; /* eventfd: done has something */
	bool stop;
	unsigned refs;
};

struct resolver {
	struct list all;
	struct shared *sh;
	struct relay_watch watch;
	struct relay_timer begin; /* the first turn of the loop */
	struct proxyd *pd;
};

/* ---- the thread
 * ----------------------------------------------------------------- */

static void take_answer(struct query *q, const struct addrinfo *ai)
{
	struct ip_port p;

	for (q->n = 0; ai && q->n < ANSWER_MAX; ai = ai->ai_next) {
		if (ip_port_from_sockaddr(ai->ai_addr, ai->ai_addrlen, &p) == 0)
			q->addrs[q->n++] = p.addr;
	}
}

static void ask(struct query *q)
{
	const struct addrinfo hints = {.ai_family = q->domain,
				       .ai_socktype = SOCK_STREAM};
	struct addrinfo *ai = NULL;

	q->error = couplet_getaddrinfo(q->id, q->host, NULL, &hints, &ai);
	take_answer(q, q->error ? NULL : ai);
	if (!q->error)
		couplet_freeaddrinfo(q->id, ai);
}

/* Not by list_pop_head(): clang's analyser takes the neighbours of what it
 * takes out for freed ones. */
static void free_queries(struct list *l)
{
	LIST_FOREACH_SAFE (n, l)
		free(container_of(n, struct query, work));
	list_init(l);
}

/* With the lock held; frees at the last reference. */
static void shared_leave(struct shared *sh)
{
	bool last = --sh->refs == 0;

	pthread_mutex_unlock(&sh->lock);
	if (!last)
		return;
	free_queries(&sh->todo);
	free_queries(&sh->done);
	close(sh->wake);
	pthread_cond_destroy(&sh->more);
	pthread_mutex_destroy(&sh->lock);
	free(sh);
}

static void *thread_main(void *arg)
{
	struct shared *sh = arg;
	const uint64_t one = 1;

	pthread_mutex_lock(&sh->lock);
	while (!sh->stop) {
		struct list *n = list_pop_head(&sh->todo);
		struct query *q;

		if (!n) {
			pthread_cond_wait(&sh->more, &sh->lock);
			continue;
		}
		q = container_of(n, struct query, work);
		pthread_mutex_unlock(&sh->lock);
		ask(q);
		pthread_mutex_lock(&sh->lock);
		list_push_tail(&sh->done, &q->work);
		(void)!write(sh->wake, &one, sizeof one);
	}
	shared_leave(sh);
	return NULL;
}

/* ---- the loop's side
 * ------------------------------------------------------------ */

static void give(struct query *q)
{
	struct shared *sh = q->pd->resolver->sh;

	if (q->asked)
		return;
	q->asked = true;
	pthread_mutex_lock(&sh->lock);
	list_push_tail(&sh->todo, &q->work);
	pthread_cond_signal(&sh->more);
	pthread_mutex_unlock(&sh->lock);
}

static void on_ask_again(struct relay_timer *t, mono_t now)
{
	(void)now;
	give(container_of(t, struct query, timer));
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

static void answered(struct query *q, mono_t now)
{
	const char *error =
		q->error ? gai_strerror(q->error) : "no address of this family";

	q->asked = false;
	if (!q->px) {
		free(q);
		return;
	}
	if (q->n)
		target_set_addrs(q->target, q->addrs, q->n, now);
	else
		log_msg(MSG_CPLT612W, q->px->label, q->host, error);
	relay_timer_set(q->pd->set, &q->timer,
			mono_add(now, q->n ? RESOLVE_EVERY : RESOLVE_RETRY));
	wake_flows(q, error);
}

static void on_wake(struct relay_watch *w, mono_t now)
{
	struct resolver *r = container_of(w, struct resolver, watch);
	struct shared *sh = r->sh;
	struct list *n;
	uint64_t times;

	(void)!read(w->fd, &times, sizeof times);
	pthread_mutex_lock(&sh->lock);
	while ((n = list_pop_head(&sh->done))) {
		pthread_mutex_unlock(&sh->lock);
		answered(container_of(n, struct query, work), now);
		pthread_mutex_lock(&sh->lock);
	}
	pthread_mutex_unlock(&sh->lock);
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
	give(q);
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
	struct query *q = calloc(1, sizeof *q);
	uint8_t family = px->conf.server.family;

	if (!q)
		return -ENOMEM;
	list_init(&q->work);
	list_init(&q->waiting);
	relay_timer_init(&q->timer, on_ask_again);
	q->pd = px->pd;
	q->px = px;
	q->target = t;
	q->domain = family == IP_V4   ? AF_INET
		    : family == IP_V6 ? AF_INET6
				      : AF_UNSPEC;
	memcpy(q->id, px->pd->deck.id, sizeof q->id);
	snprintf(q->host, sizeof q->host, "%s", t->host);
	list_push_tail(&px->pd->resolver->all, &q->node);
	give(q);
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
	struct shared *sh = q->pd->resolver->sh;
	bool mine;

	relay_timer_set(q->pd->set, &q->timer, MONO_NEVER);
	list_remove(&q->node);
	q->px = NULL;
	pthread_mutex_lock(&sh->lock);
	/* on a list, or inside the thread? */
	mine = !q->asked || !list_empty(&q->work);
	if (mine)
		list_remove(&q->work);
	pthread_mutex_unlock(&sh->lock);
	if (mine)
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

static struct shared *shared_new(void)
{
	struct shared *sh = calloc(1, sizeof *sh);

	if (!sh)
		return NULL;
	pthread_mutex_init(&sh->lock, NULL);
	pthread_cond_init(&sh->more, NULL);
	list_init(&sh->todo);
	list_init(&sh->done);
	sh->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	sh->refs = 1;
	return sh;
}

static int start_thread(struct shared *sh)
{
	pthread_attr_t attr;
	pthread_t id;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sh->refs++;
	r = pthread_create(&id, &attr, thread_main, sh);
	if (r)
		sh->refs--;
	pthread_attr_destroy(&attr);
	return -r;
}

/* The filter of system calls is in force by now, and holds for the thread
 * too. */
static void on_begin(struct relay_timer *t, mono_t now)
{
	struct resolver *r = container_of(t, struct resolver, begin);
	int e = start_thread(r->sh);

	(void)now;
	if (e < 0)
		log_msg(MSG_CPLT001E, "resolver", strerror(-e));
}

int resolve_start(struct proxyd *pd)
{
	struct resolver *r = calloc(1, sizeof *r);
	int e;

	if (!r)
		return -ENOMEM;
	list_init(&r->all);
	relay_watch_init(&r->watch, on_wake);
	r->pd = pd;
	pd->resolver = r;
	r->sh = shared_new();
	if (!r->sh || r->sh->wake < 0)
		return -ENOMEM;
	e = relay_watch_add(pd->set, &r->watch, r->sh->wake);
	relay_timer_init(&r->begin, on_begin);
	relay_timer_set(pd->set, &r->begin, relay_now(pd->set));
	return e;
}

void resolve_stop(struct proxyd *pd)
{
	struct resolver *r = pd->resolver;

	if (!r)
		return;
	pd->resolver = NULL;
	if (r->sh) {
		if (r->begin.fn)
			relay_timer_set(pd->set, &r->begin, MONO_NEVER);
		(void)relay_watch_take(pd->set, &r->watch);
		pthread_mutex_lock(&r->sh->lock);
		r->sh->stop = true;
		pthread_cond_signal(&r->sh->more);
		shared_leave(r->sh);
	}
	free(r);
}
