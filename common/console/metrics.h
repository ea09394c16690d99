/*
 * metrics.h: the METRICS socket of a deck: an AF_UNIX stream socket that
 * anybody may read, for Prometheus exporters.
 */
#ifndef COUPLET_CONSOLE_METRICS_H
#define COUPLET_CONSOLE_METRICS_H

#include "base/base.h"

struct ev_loop;
struct metrics;

/* Gives the whole text to `write`, at once. */
typedef void metrics_write_fn(void *write_arg, const char *text, size_t len);
typedef void metrics_fn(void *arg, metrics_write_fn *write, void *write_arg);

/* Serves what `fn` writes at `path`. A dead socket there is replaced. 0;
 * -EADDRINUSE: somebody serves there; or negative errno. */
int metrics_new(struct ev_loop *l, const char *path, metrics_fn *fn, void *arg,
		struct metrics **ret) MUST_USE;
/* Removes the socket; NULL is fine. */
void metrics_free(struct metrics *m);

#endif
