/* IPv4 address conflict detection (RFC 5227). */
#include "ip/ip_int.h"
#include "wire/arp.h"

#include <string.h>

#define PROBE_WAIT_MS 1000
#define PROBE_MIN_MS 1000
#define PROBE_MAX_MS 2000
#define ANNOUNCE_WAIT_S 2
#define ANNOUNCE_NUM 2
#define ANNOUNCE_INTERVAL_S 2

static const uint8_t everybody[ETHER_MAC_LEN] = {0xff, 0xff, 0xff,
						 0xff, 0xff, 0xff};
static const uint8_t nobody[ETHER_MAC_LEN];

static void announce(const struct ip_ifaddr *ia)
{
	ip_arp_send(ia->ifc, ARP_REQUEST, everybody, &ia->addr, nobody,
		    &ia->addr);
}

static void send_probe(const struct ip_ifaddr *ia)
{
	struct ip_addr from_nobody = ip_any(IP_V4);

	ip_arp_send(ia->ifc, ARP_REQUEST, everybody, &from_nobody, nobody,
		    &ia->addr);
}

/* [RFC5227 2.3] the address is ours: say so, twice */
static void claim(struct ip_ifaddr *ia, mono_t now)
{
	ip_dad_done(ia, now);
	ia->phase = IP_DAD_ANNOUNCE;
	ia->sent = 1;
	announce(ia);
	ip_timer_arm(ia->ifc->ips, &ia->dad_timer,
		     mono_add(now, DUR_S(ANNOUNCE_INTERVAL_S)));
}

void ip_acd_start(struct ip_ifaddr *ia, mono_t now)
{
	struct ip_stack *ips = ia->ifc->ips;

	if (!ips->tune.arp_probes) {
		claim(ia, now);
		return;
	}
	ia->phase = IP_DAD_PROBING;
	ip_timer_arm(ips, &ia->dad_timer, ip_soon(ips, now, 0, PROBE_WAIT_MS));
}

/* [RFC5227 2.1.1] probes at random distances, then a last wait */
static void probe(struct ip_ifaddr *ia, mono_t now)
{
	struct ip_stack *ips = ia->ifc->ips;
	mono_t next = ip_soon(ips, now, PROBE_MIN_MS, PROBE_MAX_MS);

	if (ia->sent == MIN(ips->tune.arp_probes, 255u)) {
		claim(ia, now);
		return;
	}
	send_probe(ia);
	ia->sent++;
	if (ia->sent == MIN(ips->tune.arp_probes, 255u))
		next = mono_add(now, DUR_S(ANNOUNCE_WAIT_S));
	ip_timer_arm(ips, &ia->dad_timer, next);
}

void ip_acd_expire(struct ip_ifaddr *ia, mono_t now)
{
	if (ia->phase == IP_DAD_PROBING) {
		probe(ia, now);
		return;
	}
	announce(ia);
	if (++ia->sent >= ANNOUNCE_NUM) {
		ia->phase = IP_DAD_NONE;
		return;
	}
	ip_timer_arm(ia->ifc->ips, &ia->dad_timer,
		     mono_add(now, DUR_S(ANNOUNCE_INTERVAL_S)));
}

static bool is_probe_for(const struct arp_packet *a, const struct ip_ifaddr *ia)
{
	return a->op == ARP_REQUEST && ip_is_any(&a->spa) &&
	       ip_eq(&a->tpa, &ia->addr);
}

void ip_acd_input(struct ip_iface *ifc, const struct arp_packet *a, mono_t now)
{
	struct ip_ifaddr *ia;

	if (memcmp(a->sha, ifc->cfg.mac, ETHER_MAC_LEN) == 0)
		return;
	ia = ip_ifaddr_find(ifc->ips, ip_is_any(&a->spa) ? &a->tpa : &a->spa);
	if (!ia || ia->ifc != ifc)
		return;
	if (ia->state == IP_ADDR_TENTATIVE) {
		/* [RFC5227 2.1.1] it is used, or probed for at the same
		 * time */
		if (ip_eq(&a->spa, &ia->addr) || is_probe_for(a, ia))
			ip_dad_conflict(ia, a->sha, now);
		return;
	}
	/* [RFC5227 2.4 c] A configured address is defended, at most every
	 * ten seconds, and never given up: servers stay where they are. */
	if (ip_ifaddr_usable(ia) && ip_eq(&a->spa, &ia->addr) &&
	    ip_dad_complain(ia, a->sha, now))
		announce(ia);
}
