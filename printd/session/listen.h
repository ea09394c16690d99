/*
 * listen.h: the places where a server of ours listens, as a set that a deck
 * read again may change. A place that stays is not closed for a moment, one
 * that cannot be opened (the stack is not there, the port is taken) is tried
 * again every few seconds.
 */
#ifndef COUPLET_PRINTD_SESSION_LISTEN_H
#define COUPLET_PRINTD_SESSION_LISTEN_H

#include "addr/addr.h"
#include "ev/ev.h"

struct listeners;

struct listeners_ops {
	/* A connection came in at `at`; `fd` is the callee's. */
	void (*accepted)(void *arg, const struct ip_port *at, int fd,
			 const struct ip_port *peer);
	/* `why` NULL: listens now. Else it does not; told once. */
	void (*listening)(void *arg, const struct ip_port *at, const char *why);
	/* Descriptors or memory are short: who waits keeps waiting. */
	void (*full)(void *arg, const struct ip_port *at, const char *why);
};

/* An empty set on the stack `id` (borrowed), or "*". 0 or -ENOMEM. */
int listeners_new(struct ev_loop *loop, const char *id, int backlog,
		  const struct listeners_ops *ops, void *arg,
		  struct listeners **ret) MUST_USE;
/* Closes all; NULL is fine. */
void listeners_free(struct listeners *s);
/* From now on these `n` places, each once. Others are closed before new ones
 * are opened, so that one may take the port of another; connections that were
 * accepted live on. 0; -ENOMEM: nothing was changed. */
int listeners_set(struct listeners *s, const struct ip_port *at,
		  uint32_t n) MUST_USE;

#endif
