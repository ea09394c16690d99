/*
 * printers.h: the server for PRINTER sessions: listeners, and the TN3270E or
 * TN3270 clients that connected to them. The protocol is tn3270/server.h; who
 * gets which LU is the owner's word; the jobs are printer.c's.
 */
#ifndef COUPLET_PRINTD_SESSION_PRINTERS_H
#define COUPLET_PRINTD_SESSION_PRINTERS_H

#include "addr/addr.h"
#include "session/session.h"
#include "tn3270/tn3270e.h"

struct printers;

enum printers_event {
	PRINTERS_REFUSED, /* a client asked for a LU that it cannot have */
	PRINTERS_CAME,    /* a client has the LU */
	PRINTERS_LEFT,    /* it is gone; text says why */
	PRINTERS_STRANGE, /* what came is no TN3270, or no TLS; text says what
			   */
	PRINTERS_FULL,    /* LIMIT CLIENTS */
	PRINTERS_LISTEN,  /* listening; or not, text says why */
};

struct printers_owner {
	/* Fills `facts` about the request and returns the session that it
	 * means, or NULL. */
	struct session *(*find)(void *arg, const struct tn3270e_device *d,
				struct tn3270e_facts *facts);
	/* For the log; `lu` "" when there is none. */
	void (*event)(void *arg, enum printers_event e, const char *lu,
		      const char *peer, const char *text);
	void *arg;
};

struct printers_config {
	struct ev_loop *loop;
	const char *id; /* of the stack, or "*" */
	uint32_t clients_max;
	dur_t keepalive; /* silence before a client is asked for life */
};

/* `cfg` is copied, its id borrowed. 0 or negative errno. */
int printers_new(const struct printers_config *cfg,
		 const struct printers_owner *owner,
		 struct printers **ret) MUST_USE;
/* Closes all clients; their sessions must be gone or are told. */
void printers_free(struct printers *p);
struct printers_place {
	struct ip_port at;
	enum deck_tls tls;
	struct tls_policy *policy; /* of a server; NULL without TLS */
};

#define PRINTERS_PLACES_MAX DECK_OPENS_MAX

/* Listens at these `n` places and nowhere else (listeners_set()); policies
 * are referenced. Clients that are there keep what they have. 0 or -ENOMEM. */
int printers_listen(struct printers *p, const struct printers_place *places,
		    uint32_t n) MUST_USE;
/* For clients that come from now on. */
void printers_limit(struct printers *p, uint32_t clients_max, dur_t keepalive);
/* Has a client the LU of this PRINTER session, or is it about to? */
bool printers_taken(struct session *s);
/* Clients connected now. */
uint32_t printers_count(const struct printers *p);

#endif
