/*
 * loop.h: the fast path of stackd. One private epoll set holds the devices,
 * the programs' sockets and one timerfd; its descriptor sits in the libevent
 * base of the daemon like any other, so console, signals and watchdog share
 * the thread and the fast path pays nothing for them.
 */
#ifndef COUPLET_LOOP_H
#define COUPLET_LOOP_H

#include "api/api.h"
#include "core/stack.h"
#include "osa/osa.h"

struct loop;

/* Neither stack nor ports are taken over. 0 or negative errno. */
int loop_new(struct stack *s, struct loop **ret) MUST_USE;
void loop_free(struct loop *l);
int loop_add_port(struct loop *l, struct osa_port *p, uint32_t ifindex) MUST_USE;
struct api_ops loop_api_ops(struct loop *l);
void loop_set_api(struct loop *l, struct api *a);

/* Readable when something is to be done: give it to the event base. */
int loop_fd(const struct loop *l);
/* Does what is ready: devices, programs, timers, until dry or for at most a
 * few milliseconds. `now` is read inside. Call it also after any socket or
 * layer 3 call made from outside (console). */
void loop_run(struct loop *l);
/* A device died: its error, once; 0 = none. */
int loop_dead_port(struct loop *l, struct osa_port **ret);

struct loop_stats {
	uint64_t rounds, waits, events, packets_in, frames_out, timer_fires;
};
void loop_get_stats(const struct loop *l, struct loop_stats *ret);

#endif
