/*
 * trace.h: how rx.c and tx.c give what they see to a packet trace. The
 * public part is in osa.h.
 */
#ifndef COUPLET_OSA_TRACE_H
#define COUPLET_OSA_TRACE_H

#include "osa/port.h"

/* A message read from or written to the medium of `p`, which has a trace. */
void trace_pkt(struct osa_port *p, struct pkt *k);
void trace_frame(struct osa_port *p, const struct frame *f);
/* The port closes. */
void trace_forget(struct osa_port *p);

#endif
