/*
 * The route table: one array, sorted by family, prefix length (longest
 * first), prefix and metric. A look-up walks the lengths that occur and
 * searches each by halving.
 */
#include "ip/ip_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A gateway that failed is asked again after this. */
#define DEAD_S 30

static int cmp_prefix(const struct ip_prefix *a, const struct ip_prefix *b)
{
	if (a->addr.family != b->addr.family)
		return a->addr.family < b->addr.family ? -1 : 1;
	if (a->len != b->len)
		return a->len > b->len ? -1 : 1;
	return memcmp(a->addr.b, b->addr.b, sizeof(a->addr.b));
}

/* First entry that is not before (`dst`, `metric`) in [lo, n). */
static uint32_t lower_bound(const struct ip_stack *ips, uint32_t lo,
			    const struct ip_prefix *dst, uint32_t metric)
{
	uint32_t hi = ips->n_route;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		const struct ip_route *r = &ips->route[mid].r;
		int c = cmp_prefix(&r->dst, dst);

		if (c < 0 || (c == 0 && r->metric < metric))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool same_way(const struct ip_route *a, const struct ip_route *b)
{
	return a->ifindex == b->ifindex && ip_eq(&a->gateway, &b->gateway);
}

/* The entry with the same prefix, way and origin; any metric when `metric`
 * is not to count. */
static struct ip_route_entry *find_entry(struct ip_stack *ips,
					 const struct ip_route *r,
					 enum ip_route_origin origin)
{
	uint32_t i = lower_bound(ips, 0, &r->dst, 0);

	for (; i < ips->n_route && !cmp_prefix(&ips->route[i].r.dst, &r->dst);
	     i++)
		if (ips->route[i].origin == origin &&
		    same_way(&ips->route[i].r, r))
			return &ips->route[i];
	return NULL;
}

/* [RFC4861 6.3.5] */
static void arm_timer(struct ip_stack *ips)
{
	mono_t at = MONO_NEVER;

	for (uint32_t i = 0; i < ips->n_route; i++) {
		at = mono_min(at, ips->route[i].r.until);
		if (ips->route[i].dead_until.ns)
			at = mono_min(at, ips->route[i].dead_until);
	}
	ip_timer_arm(ips, &ips->route_timer, at);
}

static void push_event(struct ip_stack *ips, const struct ip_route *r)
{
	struct ip_event ev = {
		.kind = IP_EV_ROUTE,
		.remote = r->dst.addr,
		.reporter = r->gateway,
		.ifindex = r->ifindex,
	};

	ip_event_push(ips, &ev);
}

static void remove_at(struct ip_stack *ips, uint32_t i)
{
	push_event(ips, &ips->route[i].r);
	ips->n_route_by[ips->route[i].origin]--;
	ips->n_route--;
	memmove(&ips->route[i], &ips->route[i + 1],
		(ips->n_route - i) * sizeof(ips->route[0]));
	ip_path_changed(ips);
}

static int make_room(struct ip_stack *ips, enum ip_route_origin origin)
{
	static const uint32_t limit[] = {
		[IP_ROUTE_STATIC] = IP_ROUTE_MAX,
		[IP_ROUTE_CONNECTED] = IP_ADDR_MAX,
		[IP_ROUTE_RA] = IP_ROUTE_RA_MAX,
		[IP_ROUTE_REDIRECT] = IP_ROUTE_REDIR_MAX,
	};
	struct ip_route_entry *grown;
	uint32_t cap;

	if (ips->n_route_by[origin] >= limit[origin])
		return -ENOSPC;
	if (ips->n_route < ips->cap_route)
		return 0;
	cap = MAX(16u, ips->cap_route * 2);
	grown = realloc(ips->route, cap * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	ips->memory += (cap - ips->cap_route) * sizeof(*grown);
	ips->route = grown;
	ips->cap_route = cap;
	return 0;
}

/* The same route again: its end (and, from RA, its metric) may move. */
static int renew(struct ip_stack *ips, struct ip_route_entry *e,
		 const struct ip_route *r)
{
	uint32_t i = (uint32_t)(e - ips->route);

	if (e->origin == IP_ROUTE_CONNECTED) {
		e->refs++;
		return 0;
	}
	if (e->origin == IP_ROUTE_STATIC)
		return -EEXIST;
	if (e->r.metric == r->metric) {
		e->r.until = r->until;
		arm_timer(ips);
		return 0;
	}
	remove_at(ips, i);
	return 1;
}

int ip_route_insert(struct ip_stack *ips, const struct ip_route *r,
		    enum ip_route_origin origin)
{
	struct ip_route_entry *e = find_entry(ips, r, origin);
	uint32_t i;
	int err;

	if (e) {
		err = renew(ips, e, r);
		if (err <= 0)
			return err;
	}
	err = make_room(ips, origin);
	if (err < 0)
		return err;
	/* Behind its equals: the route set first wins. */
	i = lower_bound(ips, 0, &r->dst, r->metric);
	while (i < ips->n_route && ips->route[i].r.metric == r->metric &&
	       !cmp_prefix(&ips->route[i].r.dst, &r->dst))
		i++;
	memmove(&ips->route[i + 1], &ips->route[i],
		(ips->n_route - i) * sizeof(ips->route[0]));
	ips->route[i] = (struct ip_route_entry){
		.r = *r,
		.origin = (uint8_t)origin,
		.refs = 1,
	};
	ips->n_route++;
	ips->n_route_by[origin]++;
	arm_timer(ips);
	ip_path_changed(ips);
	push_event(ips, r);
	return 0;
}

int ip_route_remove(struct ip_stack *ips, const struct ip_route *r,
		    enum ip_route_origin origin)
{
	struct ip_route_entry *e = find_entry(ips, r, origin);

	if (!e)
		return -ESRCH;
	if (--e->refs)
		return 0;
	remove_at(ips, (uint32_t)(e - ips->route));
	arm_timer(ips);
	return 0;
}

/* A route in canonical form, or -EINVAL, -ENODEV, -ENETUNREACH. */
static int check_route(struct ip_stack *ips, const struct ip_route *r,
		       struct ip_route *ret)
{
	const struct ip_iface *ifc = ip_iface_get(ips, r->ifindex);
	const struct ip_route *via;

	*ret = *r;
	ret->from_ra = false;
	if (r->until.ns == 0)
		ret->until = MONO_NEVER;
	if (r->dst.addr.family == IP_NONE ||
	    r->dst.len > ip_addr_len(&r->dst.addr) * 8)
		return -EINVAL;
	ret->dst = ip_prefix_make(&r->dst.addr, r->dst.len);
	if (r->gateway.family == IP_NONE) {
		ret->gateway = (struct ip_addr){0};
		return ifc ? 0 : -ENODEV;
	}
	if (r->gateway.family != r->dst.addr.family || ip_is_any(&r->gateway) ||
	    ip_is_multicast(&r->gateway) || ip_ifaddr_find(ips, &r->gateway))
		return -EINVAL;
	if (ifc)
		return 0;
	if (r->ifindex)
		return -ENODEV;
	/* No interface named: the one whose prefix has the gateway. */
	via = ip_route_find(ips, &r->gateway, 0);
	if (!via || via->gateway.family != IP_NONE)
		return -ENETUNREACH;
	ret->ifindex = via->ifindex;
	return 0;
}

/* [RFC1122 3.3.1.6] */
int ip_route_add(struct ip_stack *ips, const struct ip_route *r)
{
	struct ip_route c;
	int err = check_route(ips, r, &c);

	return err < 0 ? err : ip_route_insert(ips, &c, IP_ROUTE_STATIC);
}

int ip_route_del(struct ip_stack *ips, const struct ip_route *r)
{
	struct ip_route c;
	int err = check_route(ips, r, &c);

	return err < 0 ? err : ip_route_remove(ips, &c, IP_ROUTE_STATIC);
}

/* Best of the entries from `i` that have prefix `p`: lowest metric on an
 * interface that is up; a silent gateway only if there is no other
 * [RFC1122 3.3.1.5] [RFC4861 6.3.6]. */
static const struct ip_route *best_of(const struct ip_stack *ips, uint32_t i,
				      const struct ip_prefix *p,
				      uint32_t ifindex)
{
	const struct ip_route *silent = NULL;

	for (; i < ips->n_route && !cmp_prefix(&ips->route[i].r.dst, p); i++) {
		const struct ip_route_entry *e = &ips->route[i];

		if (ifindex && e->r.ifindex != ifindex)
			continue;
		if (!ips->iface[e->r.ifindex]->up)
			continue;
		if (!e->dead_until.ns)
			return &e->r;
		if (!silent)
			silent = &e->r;
	}
	return silent;
}

const struct ip_route *ip_route_find(const struct ip_stack *ips,
				     const struct ip_addr *dst,
				     uint32_t ifindex)
{
	struct ip_prefix p = {.addr = {.family = dst->family}, .len = 255};
	uint32_t i = lower_bound(ips, 0, &p, 0);

	while (i < ips->n_route &&
	       ips->route[i].r.dst.addr.family == dst->family) {
		uint8_t len = ips->route[i].r.dst.len;
		const struct ip_route *r;

		p = ip_prefix_make(dst, len);
		r = best_of(ips, lower_bound(ips, i, &p, 0), &p, ifindex);
		if (r)
			return r;
		if (len == 0)
			break;
		/* on to the next shorter length */
		p = (struct ip_prefix){
			.addr = {.family = dst->family},
			.len = len - 1,
		};
		i = lower_bound(ips, i, &p, 0);
	}
	return NULL;
}

void ip_route_flush(struct ip_stack *ips, uint32_t ifindex,
		    enum ip_route_origin origin, const struct ip_addr *gateway)
{
	for (uint32_t i = ips->n_route; i-- > 0;) {
		const struct ip_route_entry *e = &ips->route[i];

		if (e->origin == origin && e->r.ifindex == ifindex &&
		    (!gateway || ip_eq(gateway, &e->r.gateway)))
			remove_at(ips, i);
	}
	arm_timer(ips);
}

void ip_route_redirect(struct ip_stack *ips, const struct ip_route *r)
{
	for (uint32_t i = ips->n_route; i-- > 0;)
		if (ips->route[i].origin == IP_ROUTE_REDIRECT &&
		    !cmp_prefix(&ips->route[i].r.dst, &r->dst))
			remove_at(ips, i);
	/* No room: we go on through the old gateway, which still works. */
	(void)!ip_route_insert(ips, r, IP_ROUTE_REDIRECT);
}

void ip_route_expire(struct ip_stack *ips, mono_t now)
{
	for (uint32_t i = ips->n_route; i-- > 0;) {
		struct ip_route_entry *e = &ips->route[i];

		if (mono_leq(e->r.until, now)) {
			remove_at(ips, i);
		} else if (e->dead_until.ns && mono_leq(e->dead_until, now)) {
			e->dead_until.ns = 0;
			ip_path_changed(ips);
		}
	}
	arm_timer(ips);
}

void ip_route_gateway_dead(struct ip_stack *ips, uint32_t ifindex,
			   const struct ip_addr *gateway, bool dead, mono_t now)
{
	bool any = false;

	for (uint32_t i = 0; i < ips->n_route; i++) {
		struct ip_route_entry *e = &ips->route[i];

		if (e->r.ifindex != ifindex || !ip_eq(&e->r.gateway, gateway))
			continue;
		if (!dead && !e->dead_until.ns)
			continue;
		e->dead_until =
			dead ? mono_add(now, DUR_S(DEAD_S)) : (mono_t){0};
		any = true;
	}
	if (!any)
		return;
	/* [RFC4861 7.3.3] next-hop determination again */
	ip_path_changed(ips);
	arm_timer(ips);
}

bool ip_iter_route(const struct ip_stack *ips, uint32_t *it,
		   struct ip_route *ret)
{
	if (*it >= ips->n_route)
		return false;
	*ret = ips->route[*it].r;
	ret->from_ra = ips->route[*it].origin == IP_ROUTE_RA;
	++*it;
	return true;
}
