/*
 * Neighbours of both families: one cache per interface, one state machine
 * (RFC 4861 7.3; ARP runs the same with its own messages). An entry that
 * failed stays for a second, so that a sender in a hurry gets an error
 * instead of a new search each time.
 */
#include "ip/ip_int.h"
#include "wire/arp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DELAY_S 5    /* [RFC4861 10] DELAY_FIRST_PROBE_TIME */
#define MAX_PROBES 3 /* MAX_MULTICAST_SOLICIT, MAX_UNICAST_SOLICIT */
#define FAILED_S 1
#define HASH_MAX 4096

int ip_neighs_setup(struct ip_iface *ifc)
{
	struct ip_neighs *t = &ifc->neighs;
	uint32_t size = 16;

	while (size < ifc->ips->tune.neigh_max && size < HASH_MAX)
		size *= 2;
	t->hash = ip_alloc(ifc->ips, size * sizeof(struct ip_neigh *));
	t->hash_mask = size - 1;
	return t->hash ? 0 : -ENOMEM;
}

static struct ip_neigh **slot_of(const struct ip_iface *ifc,
				 const struct ip_addr *a)
{
	uint64_t h = hash_bytes(&ifc->ips->env.key, a, sizeof(*a));

	return &ifc->neighs.hash[h & ifc->neighs.hash_mask];
}

static void drop_held(struct ip_neigh *n, enum ip_drop why)
{
	struct ip_stack *ips = n->ifc->ips;

	while (n->held_head) {
		struct pkt *p = n->held_head;

		n->held_head = p->next;
		ip_drop(ips, p, why);
	}
	n->held_tail = NULL;
	n->held_datagrams = 0;
}

static void neigh_free(struct ip_neigh *n, enum ip_drop why)
{
	struct ip_iface *ifc = n->ifc;
	struct ip_neigh **at = slot_of(ifc, &n->addr);

	while (*at != n)
		at = &(*at)->next;
	*at = n->next;
	drop_held(n, why);
	list_remove(&n->lru);
	if (ifc->neighs.last == n)
		ifc->neighs.last = NULL;
	ifc->neighs.count--;
	ip_timer_fini(ifc->ips, &n->timer);
	ip_release(ifc->ips, n, sizeof(*n));
}

void ip_neighs_flush(struct ip_iface *ifc)
{
	LIST_FOREACH_SAFE (it, &ifc->neighs.lru) {
		struct ip_neigh *n = container_of(it, struct ip_neigh, lru);

		if (n->state != IP_NUD_PERMANENT)
			neigh_free(n, IP_DROP_IFACE_DOWN);
	}
}

void ip_neighs_free(struct ip_iface *ifc)
{
	struct ip_neighs *t = &ifc->neighs;

	if (!t->hash)
		return;
	while (!list_empty(&t->lru))
		neigh_free(container_of(t->lru.next, struct ip_neigh, lru),
			   IP_DROP_IFACE_DOWN);
	ip_release(ifc->ips, t->hash,
		   (t->hash_mask + 1) * sizeof(struct ip_neigh *));
	t->hash = NULL;
}

struct ip_neigh *ip_neigh_find(struct ip_iface *ifc, const struct ip_addr *a)
{
	struct ip_neigh *n = ifc->neighs.last;

	if (n && ip_eq(&n->addr, a))
		return n;
	for (n = *slot_of(ifc, a); n; n = n->next)
		if (ip_eq(&n->addr, a))
			break;
	if (n)
		ifc->neighs.last = n;
	return n;
}

/* The entry longest unused that may go; false = all are permanent.
 * [RFC4861 5.3] */
static bool evict(struct ip_iface *ifc)
{
	for (struct list *it = ifc->neighs.lru.prev; it != &ifc->neighs.lru;
	     it = it->prev) {
		struct ip_neigh *n = container_of(it, struct ip_neigh, lru);

		if (n->state == IP_NUD_PERMANENT)
			continue;
		neigh_free(n, IP_DROP_NEIGH_QUEUE);
		return true;
	}
	return false;
}

static struct ip_neigh *neigh_new(struct ip_iface *ifc, const struct ip_addr *a,
				  mono_t now)
{
	struct ip_stack *ips = ifc->ips;
	struct ip_neigh *n, **slot;

	if (ifc->neighs.count >= ips->tune.neigh_max && !evict(ifc))
		return NULL;
	n = ip_alloc(ips, sizeof(*n));
	if (!n)
		return NULL;
	if (ip_timer_init(ips, &n->timer, IP_T_NEIGH) < 0) {
		ip_release(ips, n, sizeof(*n));
		return NULL;
	}
	n->ifc = ifc;
	n->addr = *a;
	n->since = now;
	slot = slot_of(ifc, a);
	n->next = *slot;
	*slot = n;
	list_push_head(&ifc->neighs.lru, &n->lru);
	ifc->neighs.count++;
	return n;
}

static void set_state(struct ip_neigh *n, enum ip_nud state, mono_t now)
{
	struct ip_iface *ifc = n->ifc;
	mono_t at = MONO_NEVER;

	n->state = (uint8_t)state;
	n->since = now;
	switch (state) {
	case IP_NUD_INCOMPLETE:
	case IP_NUD_PROBE:
		at = mono_add(now, DUR_MS(ifc->retrans_ms));
		break;
	case IP_NUD_REACHABLE:
		at = mono_add(now, DUR_MS(ifc->reachable_ms));
		break;
	case IP_NUD_DELAY:
		at = mono_add(now, DUR_S(DELAY_S));
		break;
	case IP_NUD_FAILED:
		at = mono_add(now, DUR_S(FAILED_S));
		break;
	case IP_NUD_STALE:
	case IP_NUD_PERMANENT:
	case IP_NUD__COUNT:
		break;
	}
	ip_timer_arm(ifc->ips, &n->timer, at);
}

/* The address is known: what waited goes out. */
static void send_held(struct ip_neigh *n)
{
	struct ip_stack *ips = n->ifc->ips;

	while (n->held_head) {
		struct pkt *p = n->held_head;

		n->held_head = p->next;
		memcpy(pkt_data(p), n->mac, ETHER_MAC_LEN);
		ip_own_push(ips, p);
	}
	n->held_tail = NULL;
	n->held_datagrams = 0;
}

static void touch(struct ip_neigh *n)
{
	struct list *head = &n->ifc->neighs.lru;

	if (head->next == &n->lru)
		return;
	list_remove(&n->lru);
	list_push_head(head, &n->lru);
}

enum ip_resolved ip_neigh_resolve(struct ip_iface *ifc,
				  const struct ip_addr *next_hop,
				  const struct ip_addr *src, mono_t now,
				  uint8_t ret_mac[6], struct ip_neigh **ret)
{
	struct ip_neigh *n = ip_neigh_find(ifc, next_hop);

	if (!n) {
		n = neigh_new(ifc, next_hop, now);
		if (!n)
			return IP_RES_FAILED;
		n->probe_src = *src;
		n->probes = 1;
		set_state(n, IP_NUD_INCOMPLETE, now);
		ip_neigh_solicit(n, false, now);
	}
	touch(n);
	if (n->state == IP_NUD_FAILED)
		return IP_RES_FAILED;
	if (n->state == IP_NUD_INCOMPLETE) {
		*ret = n;
		return IP_RES_WAIT;
	}
	/* [RFC4861 7.3.3] using a stale address starts to doubt it */
	if (n->state == IP_NUD_STALE) {
		n->probe_src = *src;
		set_state(n, IP_NUD_DELAY, now);
	}
	memcpy(ret_mac, n->mac, ETHER_MAC_LEN);
	return IP_RES_READY;
}

/* Fragments of one datagram wait and go together; mark tells where one
 * begins while it waits (see own.c for its other bits). */
#define MARK_FIRST 0x40u

static void drop_oldest(struct ip_neigh *n)
{
	struct ip_stack *ips = n->ifc->ips;

	do {
		struct pkt *p = n->held_head;

		n->held_head = p->next;
		ip_drop(ips, p, IP_DROP_NEIGH_QUEUE);
	} while (n->held_head && !(n->held_head->mark & MARK_FIRST));
	if (!n->held_head)
		n->held_tail = NULL;
	n->held_datagrams--;
}

void ip_neigh_hold(struct ip_neigh *n, struct pkt *p, bool first_fragment)
{
	struct ip_stack *ips = n->ifc->ips;

	/* [RFC4861 7.2.2] [RFC1122 2.3.2.2] the latest are kept */
	if (first_fragment) {
		if (!ips->tune.neigh_queue_pkts) {
			ip_drop(ips, p, IP_DROP_NEIGH_QUEUE);
			return;
		}
		while (n->held_datagrams >= ips->tune.neigh_queue_pkts)
			drop_oldest(n);
		n->held_datagrams++;
		p->mark |= MARK_FIRST;
	} else if (!n->held_head) {
		ip_drop(ips, p, IP_DROP_NEIGH_QUEUE);
		return;
	}
	p->next = NULL;
	if (n->held_tail)
		n->held_tail->next = p;
	else
		n->held_head = p;
	n->held_tail = p;
}

void ip_neigh_suspect(struct ip_neigh *n, const uint8_t *mac, mono_t now)
{
	memcpy(n->mac, mac, ETHER_MAC_LEN);
	set_state(n, IP_NUD_STALE, now);
	send_held(n);
}

struct ip_neigh *ip_neigh_learn(struct ip_iface *ifc, const struct ip_addr *a,
				const uint8_t *mac, bool create, mono_t now)
{
	struct ip_neigh *n = ip_neigh_find(ifc, a);
	bool fresh = !n;

	if (!n && create)
		n = neigh_new(ifc, a, now);
	if (!n || n->state == IP_NUD_PERMANENT)
		return n;
	if (fresh || n->state == IP_NUD_INCOMPLETE ||
	    n->state == IP_NUD_FAILED ||
	    memcmp(n->mac, mac, ETHER_MAC_LEN) != 0)
		ip_neigh_suspect(n, mac, now);
	return n;
}

void ip_neigh_confirm(struct ip_neigh *n, const uint8_t *mac, mono_t now)
{
	bool known = n->state != IP_NUD_INCOMPLETE && n->state != IP_NUD_FAILED;

	if (n->state == IP_NUD_PERMANENT || (!mac && !known))
		return;
	if (mac)
		memcpy(n->mac, mac, ETHER_MAC_LEN);
	n->confirmed = now;
	/* The timer of REACHABLE looks at `confirmed` when it runs out, so
	 * that a busy neighbour costs nothing here. */
	if (n->state == IP_NUD_REACHABLE)
		return;
	set_state(n, IP_NUD_REACHABLE, now);
	ip_route_gateway_dead(n->ifc->ips, n->ifc->index, &n->addr, false, now);
	send_held(n);
}

/* One event for each datagram that waited in vain. */
static void report_held(struct ip_neigh *n)
{
	struct ip_iface *ifc = n->ifc;

	for (struct pkt *p = n->held_head; p; p = p->next) {
		struct ip_event ev = {
			.kind = IP_EV_NEIGH_FAILED,
			.reporter = n->addr,
			.error = EHOSTUNREACH,
			.ifindex = ifc->index,
		};

		if ((p->mark & MARK_FIRST) &&
		    ip_quote_parse(pkt_data(p) + ifc->l2_len,
				   p->len - ifc->l2_len, &ev))
			ip_event_push(ifc->ips, &ev);
	}
}

/* [RFC1122 3.3.1.4] [RFC9293 3.8.3 SHLD-10] */
static void fail(struct ip_neigh *n, mono_t now)
{
	report_held(n);
	drop_held(n, IP_DROP_NEIGH_FAILED);
	set_state(n, IP_NUD_FAILED, now);
	ip_route_gateway_dead(n->ifc->ips, n->ifc->index, &n->addr, true, now);
}

/* [RFC1122 2.3.2.1] */
static void probe(struct ip_neigh *n, enum ip_nud state, mono_t now)
{
	if (n->probes >= MAX_PROBES) {
		fail(n, now);
		return;
	}
	n->probes++;
	set_state(n, state, now);
	ip_neigh_solicit(n, state == IP_NUD_PROBE, now);
}

void ip_neigh_expire(struct ip_neigh *n, mono_t now)
{
	mono_t until;

	switch ((enum ip_nud)n->state) {
	case IP_NUD_INCOMPLETE:
	case IP_NUD_PROBE:
		probe(n, n->state, now);
		return;
	case IP_NUD_REACHABLE:
		until = mono_add(n->confirmed, DUR_MS(n->ifc->reachable_ms));
		if (mono_lt(now, until))
			ip_timer_arm(n->ifc->ips, &n->timer, until);
		else
			set_state(n, IP_NUD_STALE, now);
		return;
	case IP_NUD_DELAY:
		n->probes = 0;
		probe(n, IP_NUD_PROBE, now);
		return;
	case IP_NUD_FAILED:
		neigh_free(n, IP_DROP_NEIGH_FAILED);
		return;
	case IP_NUD_STALE:
	case IP_NUD_PERMANENT:
	case IP_NUD__COUNT:
		return;
	}
}

/* [RFC4861 7.2.2] the source that asked, if it is this link's; else the
 * best of this link */
static const struct ip_addr *probe_source(const struct ip_neigh *n)
{
	struct ip_stack *ips = n->ifc->ips;
	const struct ip_ifaddr *ia = ip_ifaddr_find(ips, &n->probe_src);

	if (!ia || ia->ifc != n->ifc || !ip_ifaddr_usable(ia))
		ia = ip_srcsel(ips, &n->addr, &n->addr, n->ifc);
	return ia ? &ia->addr : NULL;
}

void ip_neigh_solicit(struct ip_neigh *n, bool unicast, mono_t now)
{
	static const uint8_t all[ETHER_MAC_LEN] = {0xff, 0xff, 0xff,
						   0xff, 0xff, 0xff};
	static const uint8_t nobody[ETHER_MAC_LEN];
	const struct ip_addr *src = probe_source(n);

	if (!src)
		return;
	if (n->addr.family == IP_V4)
		ip_arp_send(n->ifc, ARP_REQUEST, unicast ? n->mac : all, src,
			    nobody, &n->addr);
	else
		ip_nd_solicit(n->ifc, src, &n->addr, unicast, NULL, now);
}

int ip_neigh_set(struct ip_stack *ips, uint32_t ifindex,
		 const struct ip_addr *addr, const uint8_t mac[6], mono_t now)
{
	struct ip_iface *ifc = ip_iface_get(ips, ifindex);
	struct ip_neigh *n;

	if (!ifc || ifc->cfg.kind != IP_LINK_L2)
		return -ENODEV;
	if (addr->family == IP_NONE || ip_is_any(addr) ||
	    ip_is_multicast(addr) || ether_is_group(mac))
		return -EINVAL;
	n = ip_neigh_find(ifc, addr);
	if (!n)
		n = neigh_new(ifc, addr, now);
	if (!n)
		return -ENOSPC;
	memcpy(n->mac, mac, ETHER_MAC_LEN);
	set_state(n, IP_NUD_PERMANENT, now);
	send_held(n);
	return 0;
}

int ip_neigh_del(struct ip_stack *ips, uint32_t ifindex,
		 const struct ip_addr *addr)
{
	struct ip_iface *ifc = ip_iface_get(ips, ifindex);
	struct ip_neigh *n = NULL;

	if (ifc && ifc->cfg.kind == IP_LINK_L2)
		n = ip_neigh_find(ifc, addr);
	if (!n)
		return -ENOENT;
	neigh_free(n, IP_DROP_NEIGH_QUEUE);
	return 0;
}

static void neigh_info(const struct ip_neigh *n, struct ip_neigh_info *ret)
{
	static const char *const name[] = {
		[IP_NUD_INCOMPLETE] = "INCOMPLETE",
		[IP_NUD_REACHABLE] = "REACHABLE",
		[IP_NUD_STALE] = "STALE",
		[IP_NUD_DELAY] = "DELAY",
		[IP_NUD_PROBE] = "PROBE",
		[IP_NUD_FAILED] = "FAILED",
		[IP_NUD_PERMANENT] = "PERMANENT",
	};

	_Static_assert(ARRAY_SIZE(name) == IP_NUD__COUNT, "a name each");
	*ret = (struct ip_neigh_info){
		.ifindex = n->ifc->index,
		.addr = n->addr,
		.state = name[n->state],
		.router = n->router,
		.since = n->since,
	};
	memcpy(ret->mac, n->mac, ETHER_MAC_LEN);
}

/* The iterator counts entries over all interfaces. */
bool ip_iter_neigh(const struct ip_stack *ips, uint32_t *it,
		   struct ip_neigh_info *ret)
{
	uint32_t skip = *it;

	for (uint32_t i = 1; i <= ips->n_iface; i++) {
		const struct ip_iface *ifc = ips->iface[i];

		if (skip >= ifc->neighs.count) {
			skip -= ifc->neighs.count;
			continue;
		}
		LIST_FOREACH (l, &ifc->neighs.lru) {
			if (skip--)
				continue;
			neigh_info(container_of(l, struct ip_neigh, lru), ret);
			++*it;
			return true;
		}
	}
	return false;
}
