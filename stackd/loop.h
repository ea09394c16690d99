/*
 * loop.h: the fast path of stackd. One epoll set holds the devices, the
 * programs' sockets, one timerfd and the descriptor of the daemon's event
 * base, so console, signals and watchdog share the thread and the fast path
 * waits with a single system call.
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
int loop_add_port(struct loop *l, struct osa_port *p,
		  uint32_t ifindex) MUST_USE;
struct api_ops loop_api_ops(struct loop *l);
void loop_set_api(struct loop *l, struct api *a);

/* The event base whose descriptor loop_wait() watches too. 0 or negative
 * errno. */
int loop_watch_base(struct loop *l, int base_fd) MUST_USE;
/* Waits until something is ready and does it: devices, programs, timers, until
 * news and frames are dry. True when the event base has something to do. */
bool loop_wait(struct loop *l);
/* Settles after socket or layer 3 calls made from outside (console). */
void loop_run(struct loop *l);
/* A device died: its error, once; 0 = none. */
int loop_dead_port(struct loop *l, struct osa_port **ret);

struct loop_stats {
	uint64_t rounds, waits, events, packets_in, frames_out, timer_fires;
};
void loop_get_stats(const struct loop *l, struct loop_stats *ret);

#endif
