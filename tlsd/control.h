/*
 * control.h: programs that say themselves when TLS begins and ends
 * (client/attls.h): rules with CONTROLLED. aware.h has the states; here are
 * the bytes.
 */
#ifndef COUPLET_TLSD_CONTROL_H
#define COUPLET_TLSD_CONTROL_H

#include "aware.h"
#include "pair.h"

struct control {
	struct aware m;
	struct pair *p;
	struct relay_watch soon;     /* no descriptor: work that cannot be done
				      * inside the relay */
	struct relay_timer patience; /* of a START or STOP, or for one */
	bool tired;                  /* it is over: an end of file */
	char *back;                  /* what the program had not read, */
	size_t back_at, back_len;    /* before what the wire brings */
	uint64_t border_in, border_out;
	int error; /* FAILED */
	char why[sizeof(((struct attls_info *)0)->reason)];
};

/* Fills what is particular to such a connection into `ret`. */
void control_about(const struct pair *p, struct attls_info *ret);

#endif
