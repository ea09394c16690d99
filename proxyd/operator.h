/*
 * operator.h: the operator's side of proxyd: console and metrics.
 */
#ifndef COUPLET_PROXYD_OPERATOR_H
#define COUPLET_PROXYD_OPERATOR_H

#include "console/metrics.h"
#include "proxyd.h"

/* Before anything else is made: the run directory. 0; -EADDRINUSE: a proxyd
 * of this name lives; or negative errno. Errors are logged. */
int operator_open(const struct proxyd *pd) MUST_USE;
/* Opens the console and, if the deck says so, the METRICS socket. 0 or
 * negative errno, logged. */
int operator_start(struct proxyd *pd) MUST_USE;
void operator_stop(struct proxyd *pd); /* undoes it */

#endif
