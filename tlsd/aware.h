/*
 * aware.h: the states of a connection whose program says when TLS begins and
 * ends (client/attls.h; rules with CONTROLLED). Pure: requests and events in,
 * what to do out.
 *
 *	CLEAR --START--> DRAIN: what the program wrote before goes out
 *	      --border-> HANDSHAKE --secured--> SECURE
 *	SECURE --STOP--> LAST: what the program wrote before goes out
 *	       --border-> BYE: our close_notify goes, the peer's is awaited
 *	       --both---> CLEAR
 *	any --failed--> FAILED, the end
 *
 * The border is a number of bytes: those of the program that were queued when
 * it asked. aware_may_send() says how many of its bytes may be taken now, so
 * none behind the border is taken before the state has changed; and
 * aware_may_hear() whether what the wire brings is the program's.
 */
#ifndef COUPLET_TLSD_AWARE_H
#define COUPLET_TLSD_AWARE_H

#include "base/base.h"
#include "client/attls.h"

enum aware_state {
	AWARE_CLEAR,
	AWARE_DRAIN,
	AWARE_HANDSHAKE,
	AWARE_SECURE,
	AWARE_LAST,
	AWARE_BYE,
	AWARE_FAILED,
};

enum aware_wish {
	AWARE_NOTHING,
	AWARE_BEGIN, /* the handshake; then aware_secured() */
	AWARE_CLOSE, /* say close_notify; then aware_said() */
	AWARE_STRIP, /* take the session away; then aware_clear() */
};

struct aware {
	enum aware_state state;
	uint64_t left;  /* bytes of the program on this side of the border */
	bool at_border; /* they are all on the wire */
	bool said;      /* our close_notify is out */
	bool heard;     /* the peer's has come */
};

/*
 * A request of the program (START or STOP), with `queued` bytes of it not yet
 * taken. -EINPROGRESS: it is under way. Or, with nothing changed: -EALREADY,
 * -EBADFD, -ENOTCONN (FAILED), -EINVAL (another request).
 */
int aware_request(struct aware *m, enum attls_request what,
		  uint64_t queued) MUST_USE;
/* How many bytes of the program may be taken, at most `want`. 0: none now. */
size_t aware_may_send(const struct aware *m, size_t want);
/* `n` were taken, n <= aware_may_send(). */
void aware_sent(struct aware *m, size_t n);
/* All that was taken is on the wire, and aware_may_send() says 0. */
void aware_drained(struct aware *m);
/* May what the wire brings be given to the program? */
bool aware_may_hear(const struct aware *m);
/* The peer has said close_notify. */
void aware_heard(struct aware *m);

enum aware_wish aware_wish(const struct aware *m);
void aware_begun(struct aware *m); /* the handshake runs */
void aware_secured(struct aware *m);
void aware_said(struct aware *m);
void aware_clear(struct aware *m);
void aware_failed(struct aware *m);

/* What the program is told. */
enum attls_state aware_shown(const struct aware *m);
/* For displays, static. */
const char *aware_name(const struct aware *m);

#endif
