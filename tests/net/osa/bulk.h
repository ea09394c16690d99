/*
 * bulk.h: 8 MiB between the kernel's TCP and a minimal one on a port, every
 * byte compared. The kernel's end is a child in the same namespace.
 */
#ifndef COUPLET_TEST_BULK_H
#define COUPLET_TEST_BULK_H

#include "minitcp.h"

/* The kernel sends to address `host` behind the port; frames larger than the
 * MSS must come, or must not, as `gso` says. `eth`: the port is layer 2. */
void bulk_in(struct osa_port *p, struct pkt_pool *pool, const char *host,
	     bool eth, bool gso);
/* The port's side sends frames of 64 KiB. */
void bulk_out(struct osa_port *p, struct pkt_pool *pool, const char *host,
	      bool eth);

#endif
