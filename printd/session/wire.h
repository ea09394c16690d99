/*
 * wire.h: a connected socket on the loop with a bounded output queue. The
 * owner writes when there is room, one portion a turn of the loop, so that
 * sessions take turns.
 *
 * wire_free() is allowed inside every callback; it closes the descriptor.
 */
#ifndef COUPLET_PRINTD_SESSION_WIRE_H
#define COUPLET_PRINTD_SESSION_WIRE_H

#include "ev/ev.h"

struct wire;

#define WIRE_IN_MAX 16384 /* bytes given to input() at once */

struct wire_ops {
	/* Bytes came; returns how many were used. Fewer than all: reading
	 * stops until wire_resume(), and the rest is given again then. */
	size_t (*input)(void *arg, const void *data, size_t len);
	/* The queue is empty and wire_want() was called: write a portion. */
	void (*room)(void *arg);
	/* The peer closed in order (error 0; only when wire_half() is not set,
	 * it is the last call), or the connection broke (positive errno). */
	void (*closed)(void *arg, int error);
};

/* Takes `fd` (connected, non-blocking) when 0 is returned. */
int wire_new(struct ev_loop *l, int fd, const struct wire_ops *ops, void *arg,
	     struct wire **ret) MUST_USE;
void wire_free(struct wire *w);
int wire_fd(const struct wire *w);

/* Sends or queues. 0; -ENOMEM; or the error the connection broke with, when
 * closed() follows in a moment. */
int wire_write(struct wire *w, const void *buf, size_t len) MUST_USE;
/* Bytes that the kernel has not taken. */
size_t wire_queued(const struct wire *w);
/* Call room() once, when nothing is queued. */
void wire_want(struct wire *w);
/* Our side is done: the peer sees the end after what is queued. */
void wire_shut(struct wire *w);
/* After an input() that did not use everything. */
void wire_resume(struct wire *w);

#endif
