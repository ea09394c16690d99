/*
 * metrics.h: the METRICS socket of a deck: an AF_UNIX stream socket on which
 * Prometheus exporters, or anybody who may reach the path, read the counters
 * of a daemon as text.
 */
#ifndef COUPLET_CONSOLE_METRICS_H
#define COUPLET_CONSOLE_METRICS_H

#include "console/table.h"

struct ev_loop;
struct metrics;

/* Writes all counters in the Prometheus text format 0.0.4. */
typedef void metrics_fn(void *arg, table_write_fn *write, void *write_arg);

/* Listens at `path`; a dead socket there is replaced, one that answers is
 * left alone: -EADDRINUSE. 0 or negative errno. */
int metrics_new(struct ev_loop *l, const char *path, metrics_fn *print,
		void *arg, struct metrics **ret) MUST_USE;
/* Cuts clients off, removes the socket; NULL is fine. */
void metrics_free(struct metrics *m);

#endif
