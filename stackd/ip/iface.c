/* Interfaces: made once, then up or down. */
#include "ip/ip_int.h"
#include "wire/ipv6.h"

#include <errno.h>
#include <stdlib.h>

/* [RFC4861 10] what holds until a router says otherwise */
#define REACHABLE_MS 30000
#define RETRANS_MS 1000
#define MTU_MIN 68 /* RFC 791 3.1: every module forwards 68 octets whole */

/* [RFC4861 6.3.2] [RFC8200 5] */
static void iface_defaults(struct ip_iface *ifc)
{
	struct ip_stack *ips = ifc->ips;

	ifc->mtu6 = ifc->cfg.mtu;
	ifc->hop_limit = ips->tune.ttl;
	ifc->base_reachable_ms = REACHABLE_MS;
	ifc->reachable_ms = (uint32_t)ip_random(ips, REACHABLE_MS / 2,
						REACHABLE_MS * 3 / 2);
	ifc->retrans_ms = RETRANS_MS;
}

static int iface_setup(struct ip_iface *ifc)
{
	static const uint8_t family[2] = {IP_V4, IP_V6};
	int r;

	list_init(&ifc->groups);
	list_init(&ifc->neighs.lru);
	iface_defaults(ifc);
	r = ip_timer_init(ifc->ips, &ifc->rs_timer, IP_T_RS);
	for (int i = 0; i < 2 && r == 0; i++) {
		ifc->querier[i].ifc = ifc;
		ifc->querier[i].family = family[i];
		r = ip_timer_init(ifc->ips, &ifc->querier[i].timer,
				  IP_T_QUERIER);
	}
	ip_groups_down(ifc);
	if (r == 0 && ifc->cfg.kind == IP_LINK_L2)
		r = ip_neighs_setup(ifc);
	return r;
}

static void iface_start(struct ip_iface *ifc, mono_t now)
{
	ip_groups_up(ifc, now);
	if (ifc->cfg.kind != IP_LINK_L2 || !ifc->cfg.v6)
		return;
	ip_slaac_link_local(ifc, now);
	ip_router_start(ifc, now);
}

int ip_iface_add(struct ip_stack *ips, const struct ip_iface_config *cfg,
		 mono_t now)
{
	struct ip_iface *ifc;
	int r;

	if (cfg->mtu < MTU_MIN || cfg->mtu > 65535 ||
	    (cfg->v6 && cfg->mtu < IPV6_MTU_MIN))
		return -EINVAL;
	if (ips->n_iface == IP_IFACE_MAX)
		return -ENOSPC;
	ifc = ip_alloc(ips, sizeof(*ifc));
	if (!ifc)
		return -ENOMEM;
	ifc->ips = ips;
	ifc->cfg = *cfg;
	ifc->cfg.name[sizeof(ifc->cfg.name) - 1] = 0;
	ifc->cfg.vlan &= 0xfff;
	if (cfg->kind == IP_LINK_L2)
		ifc->l2_len = ifc->cfg.vlan ? ETHER_TAGGED_LEN : ETHER_HDR_LEN;
	ifc->index = ips->n_iface + 1;
	r = iface_setup(ifc);
	if (r < 0) {
		ip_neighs_free(ifc);
		ip_timer_fini(ips, &ifc->rs_timer);
		ip_timer_fini(ips, &ifc->querier[0].timer);
		ip_timer_fini(ips, &ifc->querier[1].timer);
		ip_release(ips, ifc, sizeof(*ifc));
		return r;
	}
	ifc->up = true;
	ips->iface[ifc->index] = ifc;
	ips->n_iface++;
	ip_path_changed(ips);
	iface_start(ifc, now);
	return (int)ifc->index;
}

/* Addresses from advertisements belong to the link that is gone. */
static void forget_learned(struct ip_iface *ifc, mono_t now)
{
	struct ip_stack *ips = ifc->ips;

	for (uint32_t i = ips->n_addr; i-- > 0;) {
		struct ip_ifaddr *ia = ips->addr[i];

		if (ia->ifc == ifc && (ia->from_ra || ia->autoconf))
			ip_ifaddr_free(ia, now);
	}
	ip_route_flush(ips, ifc->index, IP_ROUTE_RA, NULL);
	ip_route_flush(ips, ifc->index, IP_ROUTE_REDIRECT, NULL);
}

static void restart_addresses(struct ip_iface *ifc, mono_t now)
{
	struct ip_stack *ips = ifc->ips;

	for (uint32_t i = 0; i < ips->n_addr; i++)
		if (ips->addr[i]->ifc == ifc)
			ip_dad_start(ips->addr[i], now);
}

void ip_iface_set_up(struct ip_stack *ips, uint32_t ifindex, bool up,
		     mono_t now)
{
	struct ip_iface *ifc = ip_iface_get(ips, ifindex);

	if (!ifc || ifc->up == up || ifindex == IP_LOOPBACK)
		return;
	ifc->up = up;
	ip_path_changed(ips);
	if (up) {
		/* [RFC4862 5.4] [RFC5227 2.1] a link that comes back may
		 * be another link: everything is probed again */
		restart_addresses(ifc, now);
		iface_start(ifc, now);
		return;
	}
	ip_router_stop(ifc);
	forget_learned(ifc, now);
	ip_neighs_flush(ifc);
	ip_groups_down(ifc);
	iface_defaults(ifc);
	ifc->sent_any = false;
}

static void iface_info(const struct ip_iface *ifc, struct ip_iface_info *ret)
{
	*ret = (struct ip_iface_info){
		.config = ifc->cfg,
		.ifindex = ifc->index,
		.up = ifc->up,
		.rx_packets = ifc->rx_packets,
		.rx_bytes = ifc->rx_bytes,
		.tx_packets = ifc->tx_packets,
		.tx_bytes = ifc->tx_bytes,
	};
}

int ip_iface_info(const struct ip_stack *ips, uint32_t ifindex,
		  struct ip_iface_info *ret)
{
	const struct ip_iface *ifc = ip_iface_get(ips, ifindex);

	if (!ifc)
		return -ENODEV;
	iface_info(ifc, ret);
	return 0;
}

bool ip_iter_iface(const struct ip_stack *ips, uint32_t *it,
		   struct ip_iface_info *ret)
{
	if (*it >= ips->n_iface)
		return false;
	iface_info(ips->iface[++*it], ret);
	return true;
}

uint32_t ip_iface_mtu(const struct ip_iface *ifc, enum ip_family family)
{
	return family == IP_V6 ? ifc->mtu6 : ifc->cfg.mtu;
}
