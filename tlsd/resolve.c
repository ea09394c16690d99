/*
 * resolve.c: addresses of the hosts that rules name, asked of the stack as any
 * program on it would, by a worker. Rules are registered when the first
 * answers are there, and again when an answer differs: stackd knows addresses
 * only.
 */
#include "client/couplet.h"
#include "daemon/log.h"
#include "tlsd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_S 60

struct question {
	uint32_t rule; /* id */
	uint8_t family;
	char host[TLSD_HOST_MAX];
	struct ip_addr addrs[RULE_ADDRS_MAX];
	uint32_t n;
	int error; /* EAI_ */
};

struct resolver {
	struct pool_job job;
	struct relay_timer timer;
	struct tlsd *td;
	bool busy, dead;
	uint32_t n;
	struct question *q;
};

/* ---- on a worker --------------------------------------------------------- */

static void add(struct question *q, const struct addrinfo *ai)
{
	struct ip_port p;

	if (ip_port_from_sockaddr(ai->ai_addr, ai->ai_addrlen, &p) < 0)
		return;
	for (uint32_t i = 0; i < q->n; i++) {
		if (ip_eq(&q->addrs[i], &p.addr))
			return;
	}
	if (q->n < RULE_ADDRS_MAX)
		q->addrs[q->n++] = p.addr;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct ip_addr));
}

static void ask(const struct resolver *r, struct question *q)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *res = NULL;

	hints.ai_family = q->family == IP_V4   ? AF_INET
			  : q->family == IP_V6 ? AF_INET6
					       : AF_UNSPEC;
	q->error = couplet_getaddrinfo(r->td->deck.id, q->host, NULL, &hints,
				       &res);
	if (q->error)
		return;
	for (const struct addrinfo *ai = res; ai; ai = ai->ai_next)
		add(q, ai);
	couplet_freeaddrinfo(r->td->deck.id, res);
	/* servers turn their answers round; order means nothing here */
	qsort(q->addrs, q->n, sizeof(q->addrs[0]), compare);
}

static void ask_all(struct pool_job *j)
{
	struct resolver *r = container_of(j, struct resolver, job);

	for (uint32_t i = 0; i < r->n; i++)
		ask(r, &r->q[i]);
}

/* ---- on the loop --------------------------------------------------------- */

static bool take(struct tlsd *td, const struct question *q)
{
	struct rule *rule = rules_find(td, q->rule);
	bool same;

	if (!rule)
		return false;
	if (q->error || !q->n) {
		/* what was known stays: better an old address than clear */
		log_msg(MSG_CPLT513W, rule->number, q->host,
			q->error ? gai_strerror(q->error) : "no address");
		return false;
	}
	same = rule->n_addrs == q->n &&
	       memcmp(rule->addrs, q->addrs, q->n * sizeof(q->addrs[0])) == 0;
	rule->n_addrs = q->n;
	memcpy(rule->addrs, q->addrs, sizeof(rule->addrs));
	return !same;
}

static void free_resolver(struct resolver *r)
{
	free(r->q);
	free(r);
}

static void answered(struct pool_job *j)
{
	struct resolver *r = container_of(j, struct resolver, job);
	struct tlsd *td = r->td;
	bool changed = false;

	r->busy = false;
	if (r->dead) {
		free_resolver(r);
		return;
	}
	for (uint32_t i = 0; i < r->n; i++)
		changed = take(td, &r->q[i]) || changed;
	if (changed || !td->resolved) {
		td->resolved = true;
		if (td->door >= 0)
			(void)!rules_register(td);
	}
	relay_timer_set(td->set, &r->timer,
			mono_add(relay_now(td->set), DUR_S(AGAIN_S)));
}

static void submit(struct resolver *r)
{
	for (uint32_t i = 0; i < r->n; i++) {
		r->q[i].n = 0;
		memset(r->q[i].addrs, 0, sizeof(r->q[i].addrs));
	}
	r->busy = true;
	pool_submit(r->td->pool, &r->job);
}

static void on_timer(struct relay_timer *t, mono_t now)
{
	(void)now;
	submit(container_of(t, struct resolver, timer));
}

static uint32_t count(const struct rules *rules)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < rules->n; i++)
		n += rules->at[i]->d.target == TLSD_HOST;
	return n;
}

/* Do all hosts have addresses already? */
static bool known(const struct rules *rules)
{
	for (uint32_t i = 0; i < rules->n; i++) {
		if (rules->at[i]->d.target == TLSD_HOST &&
		    !rules->at[i]->n_addrs)
			return false;
	}
	return true;
}

int resolver_start(struct tlsd *td)
{
	uint32_t n = count(&td->rules);
	struct resolver *r;

	resolver_stop(td);
	td->resolved = known(&td->rules);
	if (!n)
		return 0;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->q = calloc(n, sizeof(*r->q));
	if (!r->q) {
		free(r);
		return -ENOMEM;
	}
	r->td = td;
	r->job = (struct pool_job){.run = ask_all, .done = answered};
	list_init(&r->job.node);
	relay_timer_init(&r->timer, on_timer);
	for (uint32_t i = 0; i < td->rules.n; i++) {
		const struct rule *rule = td->rules.at[i];

		if (rule->d.target != TLSD_HOST)
			continue;
		r->q[r->n].rule = rule->id;
		r->q[r->n].family = rule->d.family;
		memcpy(r->q[r->n++].host, rule->d.host, TLSD_HOST_MAX);
	}
	td->resolver = r;
	submit(r);
	return 0;
}

void resolver_stop(struct tlsd *td)
{
	struct resolver *r = td->resolver;

	if (!r)
		return;
	td->resolver = NULL;
	relay_timer_set(td->set, &r->timer, MONO_NEVER);
	/* a worker has it: it is freed when it comes back; at the end of the
	 * daemon no worker is left */
	if (r->busy && td->pool)
		r->dead = true;
	else
		free_resolver(r);
}
