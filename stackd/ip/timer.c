/*
 * A binary heap of pointers to timers that live inside their objects. Its
 * array has room for every timer that was initialised, so arming is a few
 * moves and cannot fail.
 */
#include "ip/ip_int.h"

#include <errno.h>
#include <stdlib.h>

static void put(struct ip_timers *h, uint32_t i, struct ip_timer *t)
{
	h->heap[i] = t;
	t->pos = i + 1;
}

static void sift_up(struct ip_timers *h, uint32_t i, struct ip_timer *t)
{
	while (i > 0 && mono_lt(t->at, h->heap[(i - 1) / 2]->at)) {
		put(h, i, h->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put(h, i, t);
}

static void sift_down(struct ip_timers *h, uint32_t i, struct ip_timer *t)
{
	for (;;) {
		uint32_t kid = 2 * i + 1;

		if (kid >= h->n)
			break;
		if (kid + 1 < h->n &&
		    mono_lt(h->heap[kid + 1]->at, h->heap[kid]->at))
			kid++;
		if (!mono_lt(h->heap[kid]->at, t->at))
			break;
		put(h, i, h->heap[kid]);
		i = kid;
	}
	put(h, i, t);
}

int ip_timer_init(struct ip_stack *ips, struct ip_timer *t,
		  enum ip_timer_kind kind)
{
	struct ip_timers *h = &ips->timers;

	if (h->registered == h->cap) {
		uint32_t cap = MAX(64u, h->cap * 2);
		struct ip_timer **heap =
			realloc(h->heap, cap * sizeof(struct ip_timer *));

		if (!heap)
			return -ENOMEM;
		ips->memory += (cap - h->cap) * sizeof(struct ip_timer *);
		h->heap = heap;
		h->cap = cap;
	}
	h->registered++;
	*t = (struct ip_timer){.at = MONO_NEVER, .kind = (uint8_t)kind};
	return 0;
}

void ip_timer_fini(struct ip_stack *ips, struct ip_timer *t)
{
	if (t->at.ns == 0) /* never initialised */
		return;
	ip_timer_stop(ips, t);
	t->at.ns = 0;
	ips->timers.registered--;
}

void ip_timer_stop(struct ip_stack *ips, struct ip_timer *t)
{
	struct ip_timers *h = &ips->timers;
	struct ip_timer *last;
	uint32_t i;

	if (!t->pos)
		return;
	i = t->pos - 1;
	t->pos = 0;
	t->at = MONO_NEVER;
	last = h->heap[--h->n];
	if (last == t)
		return;
	if (i > 0 && mono_lt(last->at, h->heap[(i - 1) / 2]->at))
		sift_up(h, i, last);
	else
		sift_down(h, i, last);
}

void ip_timer_arm(struct ip_stack *ips, struct ip_timer *t, mono_t at)
{
	struct ip_timers *h = &ips->timers;

	ip_timer_stop(ips, t);
	if (mono_is_never(at))
		return;
	t->at = at;
	sift_up(h, h->n++, t);
}

struct ip_timer *ip_timer_due(struct ip_stack *ips, mono_t now)
{
	struct ip_timer *t;

	if (!ips->timers.n || mono_lt(now, ips->timers.heap[0]->at))
		return NULL;
	t = ips->timers.heap[0];
	ip_timer_stop(ips, t);
	return t;
}

void ip_timers_free(struct ip_stack *ips)
{
	free(ips->timers.heap);
	ips->timers = (struct ip_timers){0};
}

mono_t ip_deadline(const struct ip_stack *ips)
{
	return ips->timers.n ? ips->timers.heap[0]->at : MONO_NEVER;
}

static void expire_stack(struct ip_stack *ips, struct ip_timer *t, mono_t now)
{
	if (t == &ips->route_timer)
		ip_route_expire(ips, now);
	else
		ip_pmtu_expire(ips, now);
}

static void expire(struct ip_stack *ips, struct ip_timer *t, mono_t now)
{
	switch ((enum ip_timer_kind)t->kind) {
	case IP_T_NEIGH:
		ip_neigh_expire(container_of(t, struct ip_neigh, timer), now);
		return;
	case IP_T_REASM:
		ip_reasm_expire(ips, container_of(t, struct ip_reasm, timer),
				now);
		return;
	case IP_T_ADDR_DAD:
		ip_dad_expire(container_of(t, struct ip_ifaddr, dad_timer),
			      now);
		return;
	case IP_T_ADDR_LIFE:
		ip_ifaddr_life_expire(
			container_of(t, struct ip_ifaddr, life_timer), now);
		return;
	case IP_T_ROUTE:
	case IP_T_PMTU:
		expire_stack(ips, t, now);
		return;
	case IP_T_GROUP:
		ip_group_expire(container_of(t, struct ip_group, timer), now);
		return;
	case IP_T_QUERIER:
		ip_querier_expire(container_of(t, struct ip_querier, timer),
				  now);
		return;
	case IP_T_RS:
		ip_router_expire(container_of(t, struct ip_iface, rs_timer),
				 now);
		return;
	}
}

void ip_expire(struct ip_stack *ips, mono_t now)
{
	struct ip_timer *t;

	while ((t = ip_timer_due(ips, now)))
		expire(ips, t, now);
}
