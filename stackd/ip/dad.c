/*
 * Is an address ours alone? The common part of both families, and IPv6's
 * duplicate address detection (RFC 4862 5.4, RFC 7527).
 */
#include "ip/ip_int.h"
#include "wire/ipv6.h"
#include "wire/ndp.h"

#include <string.h>

#define DEFEND_S 10 /* [RFC5227 1.1] DEFEND_INTERVAL */

void ip_dad_done(struct ip_ifaddr *ia, mono_t now)
{
	ia->phase = IP_DAD_NONE;
	ip_timer_stop(ia->ifc->ips, &ia->dad_timer);
	ip_ifaddr_set_state(ia, mono_leq(ia->preferred_until, now)
					? IP_ADDR_DEPRECATED
					: IP_ADDR_PREFERRED);
}

void ip_dad_start(struct ip_ifaddr *ia, mono_t now)
{
	struct ip_iface *ifc = ia->ifc;

	ia->sent = 0;
	ia->phase = IP_DAD_NONE;
	ip_timer_stop(ifc->ips, &ia->dad_timer);
	if (ifc->cfg.kind != IP_LINK_L2) {
		ip_dad_done(ia, now);
		return;
	}
	ip_ifaddr_set_state(ia, IP_ADDR_TENTATIVE);
	if (!ifc->up)
		return;
	if (ia->addr.family == IP_V4)
		ip_acd_start(ia, now);
	else
		ip_dad6_start(ia, now);
}

void ip_dad_expire(struct ip_ifaddr *ia, mono_t now)
{
	if (!ia->ifc->up)
		return; /* begins again when the link comes up */
	if (ia->addr.family == IP_V4)
		ip_acd_expire(ia, now);
	else
		ip_dad6_expire(ia, now);
}

void ip_dad_conflict(struct ip_ifaddr *ia, const uint8_t *mac, mono_t now)
{
	struct ip_stack *ips = ia->ifc->ips;

	ips->count.dad_conflicts++;
	ia->phase = IP_DAD_NONE;
	ip_timer_stop(ips, &ia->dad_timer);
	ip_event_addr(ia, IP_EV_DUPLICATE, mac);
	ip_ifaddr_set_state(ia, IP_ADDR_DUPLICATE);
	if (ia->autoconf)
		ip_slaac_retry(ia, now);
}

/* [RFC4862 5.4.5] */
bool ip_dad_complain(struct ip_ifaddr *ia, const uint8_t *mac, mono_t now)
{
	mono_t again = mono_add(ia->defended, DUR_S(DEFEND_S));

	if (ia->defended.ns && mono_lt(now, again))
		return false;
	ia->defended = mono_max(now, (mono_t){1});
	ia->ifc->ips->count.dad_conflicts++;
	ip_event_addr(ia, IP_EV_DUPLICATE, mac);
	return true;
}

/* [RFC4862 5.1] */
static void send_probe(struct ip_ifaddr *ia, mono_t now)
{
	struct ip_stack *ips = ia->ifc->ips;
	struct ip_addr from_nobody = ip_any(IP_V6);
	uint64_t r = ips->env.rand64(ips->env.rand_arg);

	/* [RFC7527 4.1] a nonce tells our own message, looped back, from
	 * another's */
	memcpy(ia->nonce, &r, sizeof(ia->nonce));
	ip_nd_solicit(ia->ifc, &from_nobody, &ia->addr, false, ia->nonce, now);
}

void ip_dad6_start(struct ip_ifaddr *ia, mono_t now)
{
	struct ip_iface *ifc = ia->ifc;
	struct ip_addr g = ipv6_solicited_node(&ia->addr);

	/* [RFC4862 5.4.2] listen before asking */
	if (!ia->joined)
		ia->joined = ip_group_join_own(ifc, &g, now) == 0;
	if (!ifc->ips->tune.dad_transmits) {
		ip_dad_done(ia, now);
		return;
	}
	ia->phase = IP_DAD_PROBING;
	/* [RFC4862 5.4.2] hosts that start together, or hear one router
	 * together, do not ask together */
	if (ia->from_ra || !ifc->sent_any) {
		ifc->sent_any = true;
		ip_timer_arm(ifc->ips, &ia->dad_timer,
			     ip_soon(ifc->ips, now, 0, 1000));
		return;
	}
	ip_dad6_expire(ia, now);
}

void ip_dad6_expire(struct ip_ifaddr *ia, mono_t now)
{
	struct ip_stack *ips = ia->ifc->ips;

	if (ia->sent >= MIN(ips->tune.dad_transmits, 255u)) {
		ip_dad_done(ia, now);
		return;
	}
	send_probe(ia, now);
	ia->sent++;
	ip_timer_arm(ips, &ia->dad_timer,
		     mono_add(now, DUR_MS(ia->ifc->retrans_ms)));
}
