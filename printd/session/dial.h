/*
 * dial.h: an outgoing connection that is being made, on a stack or on the
 * host's network, and listening sockets of the same kind.
 */
#ifndef COUPLET_PRINTD_SESSION_DIAL_H
#define COUPLET_PRINTD_SESSION_DIAL_H

#include "addr/addr.h"
#include "ev/ev.h"

struct dial;

/* `error` 0: `fd` (the callee's now) is connected and non-blocking; else a
 * positive errno and fd -1. Called once, from the loop; the dial is gone. */
typedef void dial_fn(void *arg, int fd, int error);

/* Address of `host` (literal, or a name of the stack's or host's tables) and
 * `port`. May wait for a name server: call at the start only. 0 or
 * -EADDRNOTAVAIL. */
int dial_resolve(const char *id, const char *host, uint16_t port,
		 struct ip_port *ret) MUST_USE;
/* Begins to connect. `reserved`: from a port below 1024 (721..731 first
 * [RFC1179 3.1]). 0 or negative errno; the caller frees with dial_cancel()
 * before dial_fn was called. */
int dial_start(struct ev_loop *loop, const char *id, const struct ip_port *to,
	       bool reserved, dial_fn *fn, void *arg,
	       struct dial **ret) MUST_USE;
/* Forgets it without a call; NULL is fine. */
void dial_cancel(struct dial *d);

/* A listening descriptor, non-blocking, or negative errno. */
int dial_listen(const char *id, const struct ip_port *at, int backlog) MUST_USE;
/* Next connection of it, non-blocking; or negative errno. */
int dial_accept(int fd, struct ip_port *ret_peer) MUST_USE;
/* Bytes written that the peer has not acknowledged; 0 when it cannot be
 * told. */
size_t dial_unacked(int fd);

#endif
