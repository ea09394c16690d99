/*
 * hostnl.h: the few rtnetlink operations that host set-up is made of, over
 * libnl, with negative errno instead of libnl's codes.
 */
#ifndef COUPLET_OSA_HOSTNL_H
#define COUPLET_OSA_HOSTNL_H

#include "addr/addr.h"

struct hostnl; /* one rtnetlink socket */

struct hostnl_link {
	int ifindex, master; /* master 0 = none */
	uint32_t mtu, txqueuelen;
	bool up, is_bridge;
	uint8_t mac[6];
};

/* Connects to rtnetlink. 0 or negative errno. */
int hostnl_open(struct hostnl **ret) MUST_USE;
void hostnl_close(struct hostnl *nl); /* NULL is fine */

/* -ENODEV: no interface of that name. */
int hostnl_link_get(struct hostnl *nl, const char *name,
		    struct hostnl_link *ret) MUST_USE;
/* Sets MTU and queue length of l->ifindex. */
int hostnl_link_set(struct hostnl *nl, const struct hostnl_link *l) MUST_USE;
int hostnl_link_set_up(struct hostnl *nl, int ifindex, bool up) MUST_USE;
/* Joins a bridge; 0 leaves it. */
int hostnl_link_set_master(struct hostnl *nl, int ifindex, int master) MUST_USE;
/* Port isolation (IFLA_BRPORT_ISOLATED): no frames to other isolated ports. */
int hostnl_bridge_set_isolated(struct hostnl *nl, int ifindex,
			       bool isolated) MUST_USE;

/* Whether a TUN or TAP puts 4 bytes of packet information in front of each
 * packet: TUNGETIFF cannot tell. -ENODEV, -ENODATA (the kernel does not say).
 */
int hostnl_tun_pi(struct hostnl *nl, const char *name, bool *ret) MUST_USE;

/* Host address, with the connected route of its length; -EEXIST. IPv6
 * without DAD: the far end is our own stack, whose addresses were compared. */
int hostnl_addr_add(struct hostnl *nl, int ifindex,
		    const struct ip_prefix *a) MUST_USE;
int hostnl_addr_del(struct hostnl *nl, int ifindex,
		    const struct ip_prefix *a) MUST_USE;
/* The kernel takes packets for the host address `a`: its local route stands.
 * For IPv6 that comes some time after hostnl_addr_add() and up. */
bool hostnl_addr_ready(struct hostnl *nl, const struct ip_addr *a);
/* The interface that has the address, 0 when none. */
int hostnl_addr_owner(struct hostnl *nl, const struct ip_addr *a,
		      int *ret_ifindex) MUST_USE;

/* On-link route in the main table; -EEXIST when there is one. */
int hostnl_route_add(struct hostnl *nl, int ifindex,
		     const struct ip_prefix *dst) MUST_USE;
int hostnl_route_del(struct hostnl *nl, int ifindex,
		     const struct ip_prefix *dst) MUST_USE;

#endif
