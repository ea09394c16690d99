/*
 * l3port.h: a layer 3 port on an Ethernet medium. The stack above sees IP
 * packets only; the adapter adds and strips Ethernet headers (with the
 * port's VLAN tag), answers ARP and neighbour discovery for the registered
 * addresses, and resolves neighbours itself.
 *
 * There is no timer here: a neighbour is asked again when the stack sends
 * again. One frame waits for each unresolved neighbour, others are dropped.
 */
#ifndef COUPLET_OSA_L3PORT_H
#define COUPLET_OSA_L3PORT_H

#include "osa/port.h"

/* 0 or -ENOMEM. */
int l3port_new(struct osa_port *p, const struct deck_device *dev,
	       struct l3port **ret) MUST_USE;
void l3port_free(struct l3port *l); /* NULL is fine */

/* A frame came in, live bytes of `k` begin with the Ethernet header. True:
 * an IP packet for the stack, header stripped. False: handled or not ours. */
bool l3port_input(struct l3port *l, struct pkt *k);
/* Sends an IP packet; results as osa_write(). 0 also when it waits. */
int l3port_output(struct l3port *l, const struct frame *f);
/* Tells the neighbours that `addr` is here, and asks whether it is elsewhere
 * too. */
void l3port_announce(struct l3port *l, const struct ip_addr *addr);
/* Replaces the routes; 0 or -ENOMEM. */
int l3port_set_routes(struct l3port *l, const struct osa_route *r,
		      uint32_t n) MUST_USE;

#endif
