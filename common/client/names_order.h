/*
 * names_order.h: the order of a name's addresses, RFC 6724 6, as far as a
 * stack's own addresses tell: each destination comes with the source that the
 * stack would use. Pure.
 */
#ifndef COUPLET_CLIENT_NAMES_ORDER_H
#define COUPLET_CLIENT_NAMES_ORDER_H

#include "addr/addr.h"

struct names_dest {
	struct ip_port to;
	struct ip_addr src; /* family IP_NONE: it cannot be reached */
};

/* Sorts `d`, best first; what the rules do not tell apart stays in order. */
void names_order(struct names_dest *d, size_t n);

#endif
