/* Our own addresses: the table, their states and lifetimes. */
#include "ip/ip_int.h"
#include "wire/ipv6.h"

#include <errno.h>
#include <stdlib.h>

static uint32_t addr_slot(const struct ip_addr *a)
{
	size_t n = ip_addr_len(a);
	uint32_t v;

	if (!n)
		return 0;
	v = a->b[n - 1] ^ (uint32_t)a->b[n - 2] << 3 ^
	    (uint32_t)a->b[n - 3] << 5;
	return (v ^ v >> 6) & 63;
}

struct ip_ifaddr *ip_ifaddr_find(const struct ip_stack *ips,
				 const struct ip_addr *a)
{
	struct ip_ifaddr *ia = ips->addr_hash[addr_slot(a)];

	while (ia && !ip_eq(&ia->addr, a))
		ia = ia->hash_next;
	return ia;
}

/* [RFC1122 3.3.4.2] The weak model: an address is ours on every interface. */
bool ip_addr_is_local(const struct ip_stack *ips, const struct ip_addr *addr)
{
	const struct ip_ifaddr *ia = ip_ifaddr_find(ips, addr);

	if (ia)
		return ip_ifaddr_usable(ia);
	/* [RFC1122 3.2.1.3 g] all of 127/8 is this host */
	return addr->family == IP_V4 && ip_is_loopback(addr);
}

void ip_ifaddr_set_state(struct ip_ifaddr *ia, enum ip_addr_state state)
{
	if (ia->state == state)
		return;
	ia->state = (uint8_t)state;
	ip_path_changed(ia->ifc->ips);
	ip_event_addr(ia, IP_EV_ADDR, NULL);
}

void ip_ifaddr_life_arm(struct ip_ifaddr *ia, mono_t now)
{
	mono_t at = ia->valid_until;

	if (mono_lt(now, ia->preferred_until))
		at = mono_min(at, ia->preferred_until);
	ip_timer_arm(ia->ifc->ips, &ia->life_timer,
		     mono_max(at, mono_add(now, DUR_NS(1))));
}

/* [RFC4862 5.5.4] preferred, then deprecated, then gone */
void ip_ifaddr_life_expire(struct ip_ifaddr *ia, mono_t now)
{
	if (mono_leq(ia->valid_until, now)) {
		ip_ifaddr_free(ia, now);
		return;
	}
	if (mono_leq(ia->preferred_until, now) &&
	    ia->state == IP_ADDR_PREFERRED) {
		ip_ifaddr_set_state(ia, IP_ADDR_DEPRECATED);
		if (ia->temporary)
			ip_temp_next(ia, now);
	}
	ip_ifaddr_life_arm(ia, now);
}

/* Host parts that no host may have. */
static bool is_assignable(const struct ip_addr *a, unsigned plen)
{
	struct ip_prefix net = ip_prefix_make(a, plen);

	if (a->family != IP_V4 && a->family != IP_V6)
		return false;
	if (plen > ip_addr_len(a) * 8 || ip_is_any(a) || ip_is_multicast(a) ||
	    ip_is_broadcast(a) || ip_is_v4_mapped(a))
		return false;
	if (a->family == IP_V6 || plen >= 31)
		return true;
	for (unsigned i = plen; i < 32; i++)
		if (!(a->b[i / 8] & (0x80 >> (i % 8))))
			return !ip_eq(&net.addr, a);
	return false; /* subnet broadcast */
}

static struct ip_route connected_route(const struct ip_ifaddr *ia)
{
	return (struct ip_route){
		.dst = ip_prefix_make(&ia->addr, ia->plen),
		.ifindex = ia->ifc->index,
		.until = MONO_NEVER,
	};
}

static int ifaddr_setup(struct ip_ifaddr *ia)
{
	struct ip_stack *ips = ia->ifc->ips;
	struct ip_route r = connected_route(ia);
	int e = ip_timer_init(ips, &ia->dad_timer, IP_T_ADDR_DAD);

	if (e < 0)
		return e;
	e = ip_timer_init(ips, &ia->life_timer, IP_T_ADDR_LIFE);
	if (e < 0 || !ia->connected)
		return e;
	return ip_route_insert(ips, &r, IP_ROUTE_CONNECTED);
}

int ip_ifaddr_new(struct ip_iface *ifc, const struct ip_addr *a, unsigned plen,
		  const struct ip_ifaddr_spec *spec, mono_t now)
{
	struct ip_stack *ips = ifc->ips;
	struct ip_ifaddr *ia;
	int r;

	if (ip_ifaddr_find(ips, a))
		return -EEXIST;
	if (ips->n_addr == IP_ADDR_MAX ||
	    (spec->from_ra && ips->n_addr_ra == IP_ADDR_RA_MAX))
		return -ENOSPC;
	ia = ip_alloc(ips, sizeof(*ia));
	if (!ia)
		return -ENOMEM;
	ia->ifc = ifc;
	ia->addr = *a;
	ia->plen = (uint8_t)plen;
	ia->state = IP_ADDR_TENTATIVE;
	ia->from_ra = spec->from_ra;
	ia->autoconf = spec->autoconf;
	ia->connected = spec->connected;
	ia->temporary = spec->temporary;
	ia->dad_counter = spec->dad_counter;
	ia->preferred_until = spec->preferred_until;
	ia->valid_until = spec->valid_until;
	r = ifaddr_setup(ia);
	if (r < 0) {
		ip_timer_fini(ips, &ia->dad_timer);
		ip_timer_fini(ips, &ia->life_timer);
		ip_release(ips, ia, sizeof(*ia));
		return r;
	}
	ia->hash_next = ips->addr_hash[addr_slot(a)];
	ips->addr_hash[addr_slot(a)] = ia;
	ips->addr[ips->n_addr++] = ia;
	ips->n_addr_ra += ia->from_ra;
	ip_path_changed(ips);
	ip_ifaddr_life_arm(ia, now);
	ip_event_addr(ia, IP_EV_ADDR, NULL);
	ip_dad_start(ia, now);
	return 0;
}

int ip_addr_add(struct ip_stack *ips, uint32_t ifindex,
		const struct ip_addr *addr, unsigned plen, mono_t now)
{
	struct ip_ifaddr_spec spec = {
		.connected = true,
		.preferred_until = MONO_NEVER,
		.valid_until = MONO_NEVER,
	};
	struct ip_iface *ifc = ip_iface_get(ips, ifindex);

	if (!ifc)
		return -ENODEV;
	if (!is_assignable(addr, plen) ||
	    !(addr->family == IP_V4 ? ifc->cfg.v4 : ifc->cfg.v6))
		return -EINVAL;
	return ip_ifaddr_new(ifc, addr, plen, &spec, now);
}

static void unlink_ifaddr(struct ip_stack *ips, struct ip_ifaddr *ia)
{
	struct ip_ifaddr **at = &ips->addr_hash[addr_slot(&ia->addr)];
	uint32_t i = 0;

	while (*at != ia)
		at = &(*at)->hash_next;
	*at = ia->hash_next;
	while (ips->addr[i] != ia)
		i++;
	ips->n_addr--;
	for (; i < ips->n_addr; i++)
		ips->addr[i] = ips->addr[i + 1];
	ips->n_addr_ra -= ia->from_ra;
}

void ip_ifaddr_free(struct ip_ifaddr *ia, mono_t now)
{
	struct ip_stack *ips = ia->ifc->ips;
	struct ip_route r = connected_route(ia);

	unlink_ifaddr(ips, ia);
	if (ia->connected)
		(void)!ip_route_remove(ips, &r, IP_ROUTE_CONNECTED);
	if (ia->addr.family == IP_V6 && ia->ifc->cfg.kind == IP_LINK_L2) {
		struct ip_addr g = ipv6_solicited_node(&ia->addr);

		ip_group_leave_own(ia->ifc, &g, now);
	}
	ip_timer_fini(ips, &ia->dad_timer);
	ip_timer_fini(ips, &ia->life_timer);
	ip_path_changed(ips);
	ip_event_addr(ia, IP_EV_ADDR, NULL);
	ip_release(ips, ia, sizeof(*ia));
}

int ip_addr_del(struct ip_stack *ips, uint32_t ifindex,
		const struct ip_addr *addr, mono_t now)
{
	struct ip_ifaddr *ia = ip_ifaddr_find(ips, addr);

	if (!ip_iface_get(ips, ifindex))
		return -ENODEV;
	if (!ia || ia->ifc->index != ifindex)
		return -EADDRNOTAVAIL;
	ip_ifaddr_free(ia, now);
	return 0;
}

static bool is_subnet_broadcast(const struct ip_ifaddr *ia,
				const struct ip_addr *a)
{
	unsigned host;

	if (ia->addr.family != IP_V4 || ia->plen >= 31 ||
	    ip_common_bits(&ia->addr, a) < ia->plen)
		return false;
	for (host = ia->plen; host < 32; host++)
		if (!(a->b[host / 8] & (0x80 >> (host % 8))))
			return false;
	return true;
}

bool ip_is_local_broadcast(const struct ip_stack *ips,
			   const struct ip_iface *ifc, const struct ip_addr *a)
{
	if (a->family != IP_V4)
		return false;
	if (ip_is_broadcast(a))
		return true;
	/* Only an address that ends in a set bit can be one. */
	if (!(a->b[3] & 1))
		return false;
	for (uint32_t i = 0; i < ips->n_addr; i++)
		if ((!ifc || ips->addr[i]->ifc == ifc) &&
		    is_subnet_broadcast(ips->addr[i], a))
			return true;
	return false;
}

struct ip_ifaddr *ip_ifaddr_link_local(const struct ip_iface *ifc)
{
	const struct ip_stack *ips = ifc->ips;

	for (uint32_t i = 0; i < ips->n_addr; i++) {
		struct ip_ifaddr *ia = ips->addr[i];

		if (ia->ifc == ifc && ia->addr.family == IP_V6 &&
		    ip_is_link_local(&ia->addr) && ip_ifaddr_usable(ia))
			return ia;
	}
	return NULL;
}

struct ip_ifaddr *ip_ifaddr_first(const struct ip_iface *ifc,
				  enum ip_family family)
{
	const struct ip_stack *ips = ifc->ips;

	for (uint32_t i = 0; i < ips->n_addr; i++) {
		struct ip_ifaddr *ia = ips->addr[i];

		if (ia->ifc == ifc && ia->addr.family == family &&
		    ip_ifaddr_usable(ia))
			return ia;
	}
	return NULL;
}

bool ip_iter_addr(const struct ip_stack *ips, uint32_t *it,
		  struct ip_addr_info *ret)
{
	const struct ip_ifaddr *ia;

	if (*it >= ips->n_addr)
		return false;
	ia = ips->addr[(*it)++];
	*ret = (struct ip_addr_info){
		.ifindex = ia->ifc->index,
		.addr = ia->addr,
		.plen = ia->plen,
		.state = ia->state,
		.from_ra = ia->from_ra,
		.temporary = ia->temporary,
		.preferred_until = ia->preferred_until,
		.valid_until = ia->valid_until,
	};
	return true;
}
