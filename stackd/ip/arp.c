/* ARP: what comes in and how ours goes out (RFC 826, RFC 1122 2.3.2). */
#include "wire/arp.h"

#include "ip/ip_int.h"

#include <string.h>

void ip_arp_send(struct ip_iface *ifc, uint16_t op, const uint8_t *dst_mac,
		 const struct ip_addr *spa, const uint8_t *tha,
		 const struct ip_addr *tpa)
{
	struct ip_stack *ips = ifc->ips;
	struct pkt *p = pkt_new(ips->env.pool, PKT_SMALL);
	struct arp_packet a = {.op = op, .spa = *spa, .tpa = *tpa};

	if (!p) {
		ips->drops[IP_DROP_NO_BUFFER]++;
		return;
	}
	memcpy(a.sha, ifc->cfg.mac, ETHER_MAC_LEN);
	memcpy(a.tha, tha, ETHER_MAC_LEN);
	p->len =
		(uint32_t)ip_l2_emit(ifc, dst_mac, ETHER_TYPE_ARP, pkt_data(p));
	arp_emit(&a, pkt_data(p) + p->len);
	p->len += ARP_LEN;
	p->ifindex = ifc->index;
	ips->count.arp_out++;
	ip_own_push(ips, p);
}

/* [RFC826] merge first; make an entry only for those who ask for us */
static void learn(struct ip_iface *ifc, const struct arp_packet *a, bool for_us,
		  mono_t now)
{
	struct ip_neigh *n;

	/* An address of ours is nobody's neighbour; 0.0.0.0 is a probe. */
	if (ip_is_any(&a->spa) || ip_ifaddr_find(ifc->ips, &a->spa))
		return;
	n = ip_neigh_find(ifc, &a->spa);
	/* A reply proves reachability only if we asked. */
	if (n && a->op == ARP_REPLY && for_us &&
	    (n->state == IP_NUD_INCOMPLETE || n->state == IP_NUD_PROBE ||
	     n->state == IP_NUD_DELAY)) {
		ip_neigh_confirm(n, a->sha, now);
		return;
	}
	(void)ip_neigh_learn(ifc, &a->spa, a->sha,
			     for_us && a->op == ARP_REQUEST, now);
}

static void input(struct ip_iface *ifc, const struct arp_packet *a, mono_t now)
{
	const struct ip_ifaddr *ia;
	bool for_us;

	ip_acd_input(ifc, a, now);
	ia = ip_ifaddr_find(ifc->ips, &a->tpa);
	for_us = ia && ia->ifc == ifc && ip_ifaddr_usable(ia);
	if (memcmp(a->sha, ifc->cfg.mac, ETHER_MAC_LEN) == 0)
		return; /* our own, looped back */
	learn(ifc, a, for_us, now);
	/* who claims to be us was told above, if at all [RFC5227 2.4] */
	if (for_us && a->op == ARP_REQUEST &&
	    !ip_ifaddr_find(ifc->ips, &a->spa))
		ip_arp_send(ifc, ARP_REPLY, a->sha, &a->tpa, a->sha, &a->spa);
}

void ip_arp_input(struct ip_iface *ifc, struct pkt *p, mono_t now)
{
	struct ip_stack *ips = ifc->ips;
	struct arp_packet a;

	ips->count.arp_in++;
	if (arp_parse(pkt_data(p), p->len, &a) < 0) {
		ip_drop(ips, p, IP_DROP_ARP_INVALID);
		return;
	}
	input(ifc, &a, now);
	pkt_free(ips->env.pool, p);
}
