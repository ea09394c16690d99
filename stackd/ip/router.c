/* Routers: soliciting, advertisements, redirects (RFC 4861 6.3, 8.3). */
#include "ip/ip_int.h"
#include "wire/icmp.h"
#include "wire/ipv6.h"
#include "wire/ndp.h"

#include <string.h>

/* [RFC4861 10] */
#define RS_MAX 3
#define RS_INTERVAL_S 4
#define RS_DELAY_MS 1000
#define REACHABLE_MAX_MS 3600000
/* Retransmission times that make sense; others are taken for these. */
#define RETRANS_MIN_MS 100
#define RETRANS_MAX_MS 60000

#define METRIC_ROUTER 1024 /* of medium preference (RFC 4191 2.1) */
#define METRIC_STEP 256
#define METRIC_ON_LINK 256
#define REDIRECT_S 600

static const struct ip_addr all_routers = {IP_V6, {0xff, 0x02, [15] = 2}};

void ip_router_start(struct ip_iface *ifc, mono_t now)
{
	ifc->rs_sent = 0;
	if (ifc->ips->tune.accept_ra)
		ip_timer_arm(ifc->ips, &ifc->rs_timer,
			     ip_soon(ifc->ips, now, 0, RS_DELAY_MS));
}

void ip_router_stop(struct ip_iface *ifc)
{
	ip_timer_stop(ifc->ips, &ifc->rs_timer);
}

/* The link-local address will soon be there: worth waiting for. */
static bool address_comes(const struct ip_iface *ifc)
{
	const struct ip_stack *ips = ifc->ips;

	for (uint32_t i = 0; i < ips->n_addr; i++)
		if (ips->addr[i]->ifc == ifc && ips->addr[i]->autoconf &&
		    ips->addr[i]->state == IP_ADDR_TENTATIVE)
			return true;
	return false;
}

/* [RFC4861 6.3.7] [RFC4861 4.1] */
void ip_router_expire(struct ip_iface *ifc, mono_t now)
{
	const struct ip_ifaddr *ia = ip_ifaddr_link_local(ifc);
	struct ip_addr src = ia ? ia->addr : ip_any(IP_V6);
	struct ndp_message m = {.type = ICMP6_RS};

	if (!ia && address_comes(ifc)) {
		ip_timer_arm(ifc->ips, &ifc->rs_timer,
			     mono_add(now, DUR_MS(500)));
		return;
	}
	if (ia) {
		m.opt.has_slla = true;
		memcpy(m.opt.slla, ifc->cfg.mac, ETHER_MAC_LEN);
	}
	ip_nd_send(ifc, &src, &all_routers, &m, now);
	if (++ifc->rs_sent < RS_MAX)
		ip_timer_arm(ifc->ips, &ifc->rs_timer,
			     mono_add(now, DUR_S(RS_INTERVAL_S)));
}

/* Seconds of an advertisement as a point in time. */
static mono_t until(uint32_t s, mono_t now)
{
	return s == NDP_INFINITE ? MONO_NEVER : mono_add(now, DUR_S(s));
}

/* [RFC4861 6.3.4] what concerns the interface itself */
static void ra_parameters(struct ip_iface *ifc, const struct ndp_message *m)
{
	struct ip_stack *ips = ifc->ips;

	/* [RFC4861 6.3.4] a hop limit of 1 would cut us off */
	if (m->hop_limit && m->hop_limit >= ips->tune.ra_hop_min)
		ifc->hop_limit = m->hop_limit;
	if (m->retrans_ms)
		ifc->retrans_ms =
			CLAMP(m->retrans_ms, RETRANS_MIN_MS, RETRANS_MAX_MS);
	if (m->reachable_ms && m->reachable_ms <= REACHABLE_MAX_MS &&
	    m->reachable_ms != ifc->base_reachable_ms) {
		ifc->base_reachable_ms = m->reachable_ms;
		ifc->reachable_ms =
			(uint32_t)ip_random(ips, m->reachable_ms / 2,
					    (uint64_t)m->reachable_ms * 3 / 2);
		ifc->reachable_ms = MAX(ifc->reachable_ms, 1u);
	}
	if (m->opt.has_mtu && m->opt.mtu >= IPV6_MTU_MIN &&
	    m->opt.mtu <= ifc->cfg.mtu && m->opt.mtu != ifc->mtu6) {
		ifc->mtu6 = m->opt.mtu;
		ip_path_changed(ips);
	}
}

static void ra_router(struct ip_iface *ifc, const struct ip_addr *router,
		      const struct ndp_message *m, mono_t now)
{
	struct ip_route r = {
		.dst.addr.family = IP_V6,
		.gateway = *router,
		.ifindex = ifc->index,
		.metric =
			(uint32_t)(METRIC_ROUTER - m->preference * METRIC_STEP),
		.until = until(m->router_life_s, now),
	};

	if (m->router_life_s == 0) {
		ip_route_flush(ifc->ips, ifc->index, IP_ROUTE_RA, router);
		return;
	}
	/* Full table: the routers known so far serve. */
	(void)!ip_route_insert(ifc->ips, &r, IP_ROUTE_RA);
}

static void ra_prefix(struct ip_iface *ifc, const struct ndp_prefix *p,
		      mono_t now)
{
	struct ip_route r = {
		.dst = ip_prefix_make(&p->addr, p->len),
		.ifindex = ifc->index,
		.metric = METRIC_ON_LINK,
		.until = until(p->valid_s, now),
	};

	if (ip_is_link_local(&p->addr) || ip_is_multicast(&p->addr))
		return;
	if (!ifc->ips->tune.ra_routes)
		; /* on link is what the deck says */
	else if (p->on_link && p->valid_s == 0)
		(void)!ip_route_remove(ifc->ips, &r, IP_ROUTE_RA);
	else if (p->on_link)
		(void)!ip_route_insert(ifc->ips, &r, IP_ROUTE_RA);
	if (p->autonomous && ifc->ips->tune.ra_addrs)
		ip_slaac_prefix(ifc, p, now);
}

/* [RFC4862 5.5.1] */
static bool ra_input(struct ip_stack *ips, const struct ip_in *in,
		     const struct ndp_message *m, mono_t now)
{
	struct ip_iface *ifc = in->ifc;
	struct ip_neigh *n;

	if (!ip_is_link_local(&in->src)) /* [RFC4861 6.1.2] */
		return false;
	if (!ips->tune.accept_ra)
		return true;
	ra_parameters(ifc, m);
	if (ips->tune.ra_routes)
		ra_router(ifc, &in->src, m, now);
	ip_rdns_learn(ifc, &m->opt, now);
	for (int i = 0; i < m->opt.n_prefix; i++)
		ra_prefix(ifc, &m->opt.prefix[i], now);
	n = m->opt.has_slla
		    ? ip_neigh_learn(ifc, &in->src, m->opt.slla, true, now)
		    : ip_neigh_find(ifc, &in->src);
	if (n)
		n->router = true;
	/* [RFC4861 6.3.7] a router was found: no more questions */
	if (m->router_life_s)
		ip_timer_stop(ips, &ifc->rs_timer);
	return true;
}

/* [RFC4861 8.1] */
static bool redirect_valid(struct ip_stack *ips, const struct ip_in *in,
			   const struct ndp_message *m)
{
	const struct ip_route *r;

	if (!ip_is_link_local(&in->src) ||
	    (!ip_is_link_local(&m->target) && !ip_eq(&m->target, &m->dest)))
		return false;
	r = ip_route_find(ips, &m->dest, in->ifc->index);
	return r && ip_eq(&r->gateway, &in->src) &&
	       !ip_ifaddr_find(ips, &m->target);
}

/* [RFC4861 4.5, 8.3] */
static bool redirect_input(struct ip_stack *ips, const struct ip_in *in,
			   const struct ndp_message *m, mono_t now)
{
	struct ip_route r = {
		.dst = ip_prefix_make(&m->dest, 128),
		.ifindex = in->ifc->index,
		.until = mono_add(now, DUR_S(REDIRECT_S)),
	};

	if (!ips->tune.redirects)
		return true;
	if (!redirect_valid(ips, in, m))
		return false;
	if (!ip_eq(&m->target, &m->dest))
		r.gateway = m->target;
	ip_route_redirect(ips, &r);
	if (m->opt.has_tlla)
		(void)ip_neigh_learn(in->ifc, &m->target, m->opt.tlla, true,
				     now);
	return true;
}

bool ip_router_input(struct ip_stack *ips, const struct ip_in *in,
		     const struct ndp_message *m, mono_t now)
{
	return m->type == ICMP6_RA ? ra_input(ips, in, m, now)
				   : redirect_input(ips, in, m, now);
}
