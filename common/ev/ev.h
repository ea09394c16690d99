/*
 * ev.h: the daemon's event base: descriptors, timers and signals. A thin
 * layer over libevent, so that no other room includes its headers and the
 * rules of life are said once:
 *
 * Every object belongs to whoever made it and is freed by him, also inside
 * its own callback; the loop is freed last. Callbacks run on the thread of
 * ev_loop_run(), never inside another call of this room.
 */
#ifndef COUPLET_EV_H
#define COUPLET_EV_H

#include "base/base.h"
#include "base/mono.h"

struct ev_loop;
struct ev_io;
struct ev_timer;
struct ev_signal;

enum {
	EV_IO_IN = 1,  /* readable, or end of file, or an error */
	EV_IO_OUT = 2, /* writable, or an error */
};

typedef void ev_io_fn(void *arg, int fd, unsigned events);
typedef void ev_timer_fn(void *arg);
typedef void ev_signal_fn(void *arg, int signo);

/* 0 or negative errno. The caller frees with ev_loop_free() (NULL is fine). */
int ev_loop_new(struct ev_loop **ret) MUST_USE;
void ev_loop_free(struct ev_loop *l);

/* Runs callbacks until ev_loop_stop(). 0, or negative errno. */
int ev_loop_run(struct ev_loop *l) MUST_USE;
/* Makes ev_loop_run() return after the callback that runs now. */
void ev_loop_stop(struct ev_loop *l);
/*
 * For a daemon whose fast path has an epoll set of its own: that set watches
 * ev_loop_fd() (level triggered) beside its own descriptors, and `wait` takes
 * the place of this loop's waiting. It blocks until something is ready, does
 * its own work, and returns true when ev_loop_fd() was ready. So the fast path
 * costs one system call per turn instead of one in each of two nested sets.
 */
typedef bool ev_wait_fn(void *arg);
void ev_loop_set_wait(struct ev_loop *l, ev_wait_fn *wait, void *arg);
/* Readable when ev_loop_turn() has something to do; -ENOTSUP when libevent
 * does not run on epoll. */
int ev_loop_fd(const struct ev_loop *l) MUST_USE;

/* Runs what is ready, without waiting. */
void ev_loop_turn(struct ev_loop *l);

/* Watches `fd` (borrowed, stays open longer than the object), level
 * triggered, for `events`. 0, or -ENOMEM (also for what epoll refuses, as a
 * regular file). */
int ev_io_new(struct ev_loop *l, int fd, unsigned events, ev_io_fn *fn,
	      void *arg, struct ev_io **ret) MUST_USE;
/* Changes what is watched; 0 = nothing for now. 0 or negative errno. */
int ev_io_set(struct ev_io *io, unsigned events) MUST_USE;
/* Watches nothing for `d`, then what it does now: for a listener that cannot
 * accept (no descriptor left) and would be called again at once. ev_io_set()
 * ends the rest. 0, or -ENOMEM and no rest. */
int ev_io_rest(struct ev_io *io, dur_t d);
#define EV_ACCEPT_REST DUR_S(1) /* how long such a listener rests */
void ev_io_free(struct ev_io *io);

/* A timer, off at first. 0 or -ENOMEM. */
int ev_timer_new(struct ev_loop *l, ev_timer_fn *fn, void *arg,
		 struct ev_timer **ret) MUST_USE;
/* Fires once after `d` (0 and less: at the next turn). Replaces what was
 * set. */
void ev_timer_set(struct ev_timer *t, dur_t d);
void ev_timer_stop(struct ev_timer *t);
void ev_timer_free(struct ev_timer *t);

/* Calls `fn` on the loop when `signo` arrives. 0 or negative errno. */
int ev_signal_new(struct ev_loop *l, int signo, ev_signal_fn *fn, void *arg,
		  struct ev_signal **ret) MUST_USE;
void ev_signal_free(struct ev_signal *s);

#endif
