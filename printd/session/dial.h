/*
 * dial.h: an outgoing connection that is being made, on a stack or on the
 * host's network, and listening sockets of the same kind.
 */
#ifndef COUPLET_PRINTD_SESSION_DIAL_H
#define COUPLET_PRINTD_SESSION_DIAL_H

#include "addr/addr.h"
#include "base/mono.h"
#include "deck.h"
#include "ev/ev.h"

struct dial;
struct session_env;

#define DIAL_NAME_GOOD DUR_S(60) /* then a name is looked up again */
#define DIAL_NAME_LATE DUR_S(1)  /* then what was known has to do */
#define DIAL_ADDRS_MAX 4         /* of a name that are tried in turn */
#define DIAL_NO_NAME ENONET      /* `error`: no address of the name */

/* Whom to call: an address, or a name that is looked up when it is needed, on
 * a thread of struct lookup. What was last known serves while the name server
 * does not. */
struct dial_target {
	char host[LU_HOST_MAX + 1];
	uint16_t port;
	uint8_t n, at; /* addresses known, and the one that is in use */
	bool named;
	mono_t good_until;
	struct ip_addr addrs[DIAL_ADDRS_MAX];
};

#define DIAL_TEXT_MAX (LU_HOST_MAX + 8)

void dial_target_set(struct dial_target *t, const char *host, uint16_t port);
/* The address in use, or the name as long as there is none; and the port. */
const char *dial_target_text(const struct dial_target *t,
			     char buf[DIAL_TEXT_MAX]);
/* Nobody answered there: the name is looked up again, and another of its
 * addresses has its turn. */
void dial_target_failed(struct dial_target *t);

/* `error` 0: `fd` (the callee's now) is connected and non-blocking; else a
 * positive errno and fd -1. Called once, from the loop; the dial is gone. */
typedef void dial_fn(void *arg, int fd, int error);

/* Address of `host` (literal, or a name of the stack's or host's tables) and
 * `port`, for one of our own listeners. Waits for a name server, so only while
 * a deck comes into force. 0 or -EADDRNOTAVAIL. */
int dial_resolve(const char *id, const char *host, uint16_t port,
		 struct ip_port *ret) MUST_USE;
/* Begins to connect. `to` stays where it is until the call. `reserved`: from a
 * port below 1024 (721..731 first [RFC1179 3.1]). 0 or negative errno; the
 * caller frees with dial_cancel() before dial_fn was called. */
int dial_start(const struct session_env *env, struct dial_target *to,
	       bool reserved, dial_fn *fn, void *arg,
	       struct dial **ret) MUST_USE;
/* The same without a connection, for who makes it himself: `to` has an address
 * when dial_fn is called with fd -1 and error 0. */
int dial_find(const struct session_env *env, struct dial_target *to,
	      dial_fn *fn, void *arg, struct dial **ret) MUST_USE;
/* What to say of one that takes too long: ETIMEDOUT, or DIAL_NO_NAME. */
int dial_late(const struct dial *d);
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
