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

struct tls_policy;
struct wire;

#define WIRE_IN_MAX 16384 /* bytes given to input() at once */
/* Plaintext of one TLS record that we send. A peer that reads 4096 bytes when
 * its socket wakes it, as pr3287 4.1 does, leaves nothing of a record behind
 * in its library, where no socket would wake it again. */
#define WIRE_TLS_RECORD 4096
#define WIRE_TEXT_MAX 256 /* of a sentence, with its 0 byte */

struct wire_ops {
	/* Bytes came; returns how many were used. Fewer than all: reading
	 * stops until wire_resume(), and the rest is given again then. */
	size_t (*input)(void *arg, const void *data, size_t len);
	/* The queue is empty and wire_want() was called: write a portion. */
	void (*room)(void *arg);
	/* The peer closed in order (error 0; only when wire_half() is not set,
	 * it is the last call), or the connection broke (positive errno). */
	void (*closed)(void *arg, int error);
	/* TLS is in force. NULL where wire_start_tls() is never called. */
	void (*secured)(void *arg);
};

/* Takes `fd` (connected, non-blocking) when 0 is returned. */
int wire_new(struct ev_loop *l, int fd, const struct wire_ops *ops, void *arg,
	     struct wire **ret) MUST_USE;
void wire_free(struct wire *w);
int wire_fd(const struct wire *w);

/*
 * TLS from here on. What was written before still goes out in clear; input
 * that an input() callback leaves over is TLS's. The handshake follows as
 * policy `p` (referenced) says, `peer` as for tls_session_new(); then
 * secured(), or closed(). Meanwhile nothing may be written. Time is the
 * owner's to limit. 0 or negative errno.
 */
int wire_start_tls(struct wire *w, struct tls_policy *p,
		   const char *peer) MUST_USE;
/* Between wire_start_tls() and secured(). */
bool wire_shaking(const struct wire *w);
/* "TLS 1.3 TLS_AES_256_GCM_SHA384", or "" in clear, into buf[WIRE_TEXT_MAX];
 * returned. */
const char *wire_tls_text(struct wire *w, char *buf);
/* What the `error` of closed() means, in words; borrowed. */
const char *wire_why(const struct wire *w, int error);

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
