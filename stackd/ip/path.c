/* From a destination to interface, next hop, source and MTU. */
#include "ip/ip_int.h"

#include <errno.h>

uint64_t ip_path_gen(const struct ip_stack *ips)
{
	return ips->gen;
}

static bool carries(const struct ip_iface *ifc, enum ip_family family)
{
	return ifc->up && (family == IP_V4 ? ifc->cfg.v4 : ifc->cfg.v6);
}

/* Destination is this host: out on the loopback, whatever the route. */
static int path_loopback(struct ip_stack *ips, const struct ip_addr *src,
			 struct ip_path *ret)
{
	const struct ip_iface *ifc = ips->iface[IP_LOOPBACK];

	if (src)
		ret->src = *src;
	else if (ip_is_loopback(&ret->dst))
		ret->src = ip_loopback(ret->dst.family);
	else
		ret->src = ret->dst;
	ret->next_hop = ret->dst;
	ret->ifindex = IP_LOOPBACK;
	ret->mtu = ip_iface_mtu(ifc, ret->dst.family);
	ret->gso_max = ifc->cfg.gso_max;
	ret->loopback = true;
	return 0;
}

/* Interfaces that could carry a destination without a route. -EINVAL when
 * `alone` and there are several. */
static int pick_iface(const struct ip_stack *ips, enum ip_family family,
		      bool alone, const struct ip_iface **ret)
{
	const struct ip_iface *found = NULL;

	for (uint32_t i = IP_LOOPBACK + 1; i <= ips->n_iface; i++) {
		if (!carries(ips->iface[i], family))
			continue;
		if (found && alone)
			return -EINVAL;
		if (!found)
			found = ips->iface[i];
	}
	*ret = found;
	return found ? 0 : -ENETUNREACH;
}

/* Groups, broadcasts and link-local destinations know no gateway: the
 * interface is asked for, told by the source, by a route, or the only one. */
static int link_iface(const struct ip_stack *ips, const struct ip_addr *dst,
		      const struct ip_addr *src, uint32_t ifindex,
		      const struct ip_iface **ret)
{
	bool group = ip_is_multicast(dst);
	const struct ip_ifaddr *ia = src ? ip_ifaddr_find(ips, src) : NULL;
	const struct ip_route *r;

	if (ifindex) {
		*ret = ip_iface_get(ips, ifindex);
		return *ret ? 0 : -ENETUNREACH;
	}
	if (ia && (group || ip_is_link_local(src) || ip_is_broadcast(dst))) {
		*ret = ia->ifc;
		return 0;
	}
	r = group || dst->family == IP_V4 ? ip_route_find(ips, dst, 0) : NULL;
	if (r) {
		*ret = ips->iface[r->ifindex];
		return 0;
	}
	return pick_iface(ips, dst->family, !group && dst->family == IP_V6,
			  ret);
}

static bool without_gateway(const struct ip_path *path)
{
	return path->broadcast || ip_is_multicast(&path->dst) ||
	       (path->dst.family == IP_V6 && ip_is_link_local(&path->dst));
}

/* Interface and next hop. [RFC1122 3.3.1.1, 3.3.1.2] [RFC4861 5.2] */
static int path_way(struct ip_stack *ips, const struct ip_addr *src,
		    uint32_t ifindex, struct ip_path *ret,
		    const struct ip_iface **ret_ifc)
{
	const struct ip_route *r;

	ret->next_hop = ret->dst;
	if (without_gateway(ret))
		return link_iface(ips, &ret->dst, src, ifindex, ret_ifc);
	r = ip_route_find(ips, &ret->dst, ifindex);
	if (!r)
		return -ENETUNREACH;
	if (r->gateway.family != IP_NONE)
		ret->next_hop = r->gateway;
	*ret_ifc = ips->iface[r->ifindex];
	return 0;
}

static int path_link(struct ip_stack *ips, const struct ip_addr *src,
		     uint32_t ifindex, struct ip_path *ret)
{
	const struct ip_iface *ifc = NULL;
	const struct ip_ifaddr *ia;
	const struct ip_pmtu *pm;
	int r = path_way(ips, src, ifindex, ret, &ifc);

	if (r < 0)
		return r;
	if (!carries(ifc, ret->dst.family))
		return -ENETUNREACH;
	if (src) {
		if (ip_is_loopback(src) && ifc->index != IP_LOOPBACK)
			return -EADDRNOTAVAIL; /* [RFC1122 3.2.1.3 g] */
		ret->src = *src;
	} else {
		ia = ip_srcsel(ips, &ret->dst, &ret->next_hop, ifc);
		if (!ia)
			return -EADDRNOTAVAIL;
		ret->src = ia->addr;
	}
	ret->ifindex = ifc->index;
	ret->loopback = ifc->index == IP_LOOPBACK;
	ret->mtu = ip_iface_mtu(ifc, ret->dst.family);
	ret->gso_max = ifc->cfg.gso_max;
	pm = ip_pmtu_get(ips, &ret->dst);
	if (pm) {
		ret->mtu = MIN(ret->mtu, pm->mtu);
		ret->mtu_locked = pm->locked;
	}
	return 0;
}

int ip_path(struct ip_stack *ips, const struct ip_addr *dst,
	    const struct ip_addr *src, uint32_t ifindex, struct ip_path *ret)
{
	struct ip_path path = {.dst = *dst, .gen = ips->gen};
	int r;

	if (src && (src->family == IP_NONE || ip_is_any(src)))
		src = NULL;
	if (dst->family == IP_NONE)
		return -ENETUNREACH;
	if (src && (src->family != dst->family || !ip_addr_is_local(ips, src)))
		return -EADDRNOTAVAIL;
	if (ip_is_any(dst))
		path.dst = ip_loopback(dst->family);
	if (ip_addr_is_local(ips, &path.dst)) {
		r = path_loopback(ips, src, &path);
	} else {
		path.broadcast = ip_is_local_broadcast(ips, NULL, &path.dst);
		r = path_link(ips, src, ifindex, &path);
	}
	if (r == 0)
		*ret = path;
	return r;
}

void ip_path_direct(const struct ip_iface *ifc, const struct ip_addr *src,
		    const struct ip_addr *dst, struct ip_path *ret)
{
	*ret = (struct ip_path){
		.src = *src,
		.dst = *dst,
		.next_hop = *dst,
		.ifindex = ifc->index,
		.mtu = ip_iface_mtu(ifc, dst->family),
		.gen = ifc->ips->gen,
	};
}

void ip_path_confirm(struct ip_stack *ips, const struct ip_path *path,
		     mono_t now)
{
	struct ip_iface *ifc = ip_iface_get(ips, path->ifindex);
	struct ip_neigh *n;

	if (!ifc || ifc->cfg.kind != IP_LINK_L2)
		return;
	n = ip_neigh_find(ifc, &path->next_hop);
	if (n)
		ip_neigh_confirm(n, NULL, now);
}
