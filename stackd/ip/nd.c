/* Neighbour discovery as a host does it (RFC 4861, RFC 6980, RFC 7527). */
#include "ip/ip_int.h"
#include "wire/icmp.h"
#include "wire/ipv6.h"
#include "wire/ndp.h"

#include <string.h>

#define HOP_LIMIT 255

static const struct ip_addr all_nodes = {IP_V6, {0xff, 0x02, [15] = 1}};

void ip_nd_send(struct ip_iface *ifc, const struct ip_addr *src,
		const struct ip_addr *dst, const struct ndp_message *m,
		mono_t now)
{
	struct ip_path path;
	struct ip_tx tx = {
		.path = &path,
		.proto = IP_PROTO_ICMPV6,
		.ttl = HOP_LIMIT,
		.csum_offset = 2,
	};

	ip_path_direct(ifc, src, dst, &path);
	tx.l4_hdr_len = (uint16_t)ndp_emit(m, tx.l4_hdr);
	ifc->ips->count.nd_out++;
	ifc->sent_any = true;
	(void)!ip_own_send(ifc->ips, &tx, now);
}

void ip_nd_solicit(struct ip_iface *ifc, const struct ip_addr *src,
		   const struct ip_addr *target, bool unicast,
		   const uint8_t *nonce, mono_t now)
{
	struct ip_addr dst = unicast ? *target : ipv6_solicited_node(target);
	struct ndp_message m = {.type = ICMP6_NS, .target = *target};

	/* [RFC4861 4.3] no link-layer address when we have no address */
	if (!ip_is_any(src)) {
		m.opt.has_slla = true;
		memcpy(m.opt.slla, ifc->cfg.mac, ETHER_MAC_LEN);
	}
	if (nonce) {
		m.opt.has_nonce = true;
		memcpy(m.opt.nonce, nonce, NDP_NONCE_LEN);
	}
	ip_nd_send(ifc, src, &dst, &m, now);
}

/* [RFC4861 7.2.6] */
void ip_nd_advertise(struct ip_iface *ifc, const struct ip_addr *src,
		     const struct ip_addr *dst, bool solicited, mono_t now)
{
	struct ndp_message m = {
		.type = ICMP6_NA,
		.target = *src,
		.solicited = solicited,
		.override = true,
		.opt.has_tlla = true,
	};

	memcpy(m.opt.tlla, ifc->cfg.mac, ETHER_MAC_LEN);
	ip_nd_send(ifc, src, dst, &m, now);
}

/* [RFC4862 5.4.3] somebody asks for an address we are still probing */
static void ns_tentative(struct ip_ifaddr *ia, const struct ip_in *in,
			 const struct ndp_message *m, mono_t now)
{
	if (!ip_is_any(&in->src) || ia->state != IP_ADDR_TENTATIVE)
		return;
	if (m->opt.has_nonce && ia->sent &&
	    memcmp(m->opt.nonce, ia->nonce, NDP_NONCE_LEN) == 0)
		return; /* [RFC7527 4.2] our own voice */
	ip_dad_conflict(ia, in->l2_src, now);
}

static bool ns_valid(const struct ip_in *in, const struct ndp_message *m)
{
	struct ip_addr g = ipv6_solicited_node(&m->target);

	/* [RFC4861 7.1.1] */
	if (ip_is_any(&in->src))
		return ip_eq(&in->dst, &g) && !m->opt.has_slla;
	return true;
}

/* [RFC4861 7.2.3] */
static bool ns_input(struct ip_stack *ips, const struct ip_in *in,
		     const struct ndp_message *m, mono_t now)
{
	struct ip_ifaddr *ia = ip_ifaddr_find(ips, &m->target);

	if (!ns_valid(in, m))
		return false;
	if (!ia || ia->ifc != in->ifc)
		return true;
	if (!ip_ifaddr_usable(ia)) {
		ns_tentative(ia, in, m, now);
		return true;
	}
	if (ip_is_any(&in->src)) {
		/* [RFC4861 7.2.4] everybody hears that it is taken */
		ip_nd_advertise(in->ifc, &m->target, &all_nodes, false, now);
		return true;
	}
	if (m->opt.has_slla)
		(void)ip_neigh_learn(in->ifc, &in->src, m->opt.slla, true, now);
	ip_nd_advertise(in->ifc, &m->target, &in->src, true, now);
	return true;
}

/* [RFC4861 7.2.5] a router that says it is none is one no longer */
static void set_router(struct ip_neigh *n, bool router)
{
	if (n->router && !router)
		ip_route_flush(n->ifc->ips, n->ifc->index, IP_ROUTE_RA,
			       &n->addr);
	n->router = router;
}

static void na_incomplete(struct ip_neigh *n, const struct ndp_message *m,
			  mono_t now)
{
	if (!m->opt.has_tlla)
		return;
	n->router = m->router;
	if (m->solicited)
		ip_neigh_confirm(n, m->opt.tlla, now);
	else
		ip_neigh_suspect(n, m->opt.tlla, now);
}

static void na_known(struct ip_neigh *n, const struct ndp_message *m,
		     mono_t now)
{
	bool differs = m->opt.has_tlla &&
		       memcmp(n->mac, m->opt.tlla, ETHER_MAC_LEN) != 0;

	if (!m->override && differs) {
		if (n->state == IP_NUD_REACHABLE)
			ip_neigh_suspect(n, n->mac, now);
		return;
	}
	if (m->solicited)
		ip_neigh_confirm(n, differs ? m->opt.tlla : NULL, now);
	else if (differs)
		ip_neigh_suspect(n, m->opt.tlla, now);
	set_router(n, m->router);
}

static bool na_input(struct ip_stack *ips, const struct ip_in *in,
		     const struct ndp_message *m, mono_t now)
{
	struct ip_ifaddr *ia = ip_ifaddr_find(ips, &m->target);
	struct ip_neigh *n;

	/* [RFC4861 7.1.2] */
	if (in->multicast && m->solicited)
		return false;
	if (ia && ia->ifc == in->ifc) {
		/* [RFC4862 5.4.4] */
		if (ia->state == IP_ADDR_TENTATIVE)
			ip_dad_conflict(ia, in->l2_src, now);
		else if (ip_ifaddr_usable(ia) &&
			 memcmp(in->l2_src, in->ifc->cfg.mac, ETHER_MAC_LEN) !=
				 0)
			(void)ip_dad_complain(ia, in->l2_src, now);
		return true;
	}
	n = ip_neigh_find(in->ifc, &m->target);
	if (!n || n->state == IP_NUD_PERMANENT)
		return true;
	if (n->state == IP_NUD_INCOMPLETE || n->state == IP_NUD_FAILED)
		na_incomplete(n, m, now);
	else
		na_known(n, m, now);
	return true;
}

/* [RFC4861 7.1] [RFC6980 5] what every ND message has in common [RFC4861 11.2]
 * [RFC4862 5.4.1] */
static bool common_valid(const struct ip_in *in)
{
	return in->ifc->cfg.kind == IP_LINK_L2 && in->ttl == HOP_LIMIT &&
	       !in->fragmented && in->p->buf[in->p->off + 1] == 0;
}

void ip_nd_input(struct ip_stack *ips, struct ip_in *in, mono_t now)
{
	struct pkt *p = in->p;
	struct ndp_message m;
	bool good = true;

	ips->count.nd_in++;
	if (!common_valid(in) || ndp_parse(pkt_data(p), p->len, &m) < 0) {
		ip_drop(ips, p, IP_DROP_ND_INVALID);
		return;
	}
	switch (m.type) {
	case ICMP6_NS:
		good = ns_input(ips, in, &m, now);
		break;
	case ICMP6_NA:
		good = na_input(ips, in, &m, now);
		break;
	case ICMP6_RA:
	case ICMP6_REDIRECT:
		good = ip_router_input(ips, in, &m, now);
		break;
	default: /* [RFC4861 6.2.6] solicitations are for routers */
		break;
	}
	if (good)
		pkt_free(ips->env.pool, p);
	else
		ip_drop(ips, p, IP_DROP_ND_INVALID);
}
