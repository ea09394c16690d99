/*
 * resolve.h: addresses of targets that are named. A literal and a HOST of the
 * deck are known at once; other names are asked for on a thread of their own,
 * because the resolver blocks, over the stack that the deck names or by the
 * host's own resolver.
 *
 * A name is asked for when its PROXY begins and every RESOLVE_EVERY from then
 * on; an answer without addresses leaves the old ones in place. A connection
 * that finds no address yet waits for the answer.
 */
#ifndef COUPLET_PROXYD_RESOLVE_H
#define COUPLET_PROXYD_RESOLVE_H

#include "proxyd.h"

#define RESOLVE_EVERY DUR_S(30)
#define RESOLVE_RETRY DUR_S(3) /* after a failure */

/* Starts the thread. 0 or negative errno. */
int resolve_start(struct proxyd *pd) MUST_USE;
/* Answers still under way are thrown away. */
void resolve_stop(struct proxyd *pd);
/* The targets of `px` get their addresses now (literals, HOST) or later. 0 or
 * -ENOMEM. */
int resolve_targets(struct proxy *px) MUST_USE;
/* No answer for a target of `px` comes any more. */
void resolve_drop(struct proxy *px);
/* `f->target` has no address yet: flow_resolved() follows. */
void resolve_wait(struct flow *f);
void resolve_forget(struct flow *f); /* `f` waits no longer */

/* flow.c: the target's name was answered, or not: look at its addresses. */
void flow_resolved(struct flow *f, const char *error);

#endif
