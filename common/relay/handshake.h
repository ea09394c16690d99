/*
 * handshake.h: TLS handshakes on worker threads, so that signatures and key
 * exchanges do not hold up the loop that moves everybody's bytes.
 *
 * MODEL. A handshake is made in steps. A step is one call of
 * tls_session_handshake() on a worker; it ends when the handshake is done, has
 * failed, or waits for the wire. While a worker has a step (`busy`) nothing
 * else may touch its session or close its descriptor.
 *
 * struct relay_step is that alone, for an owner with a life cycle of its own
 * (tlsd's pairs). struct relay_handshake is the whole of it for a relay_end:
 * the queue has a limit, and an owner may give up at any moment: what a worker
 * still has is then closed here, when it comes back.
 *
 * Everything but a step runs on the thread of the loop.
 */
#ifndef COUPLET_RELAY_HANDSHAKE_H
#define COUPLET_RELAY_HANDSHAKE_H

#include "pool/pool.h"
#include "relay/relay.h"
#include "tls/tls.h"

#include <stdatomic.h>

/* ---- a step
 * ---------------------------------------------------------------- */

struct relay_step {
	struct pool_job job;
	struct tls_session *session; /* the owner's; made with relay_step_io */
	int fd;                      /* the wire, borrowed */
	bool busy;                   /* a worker has it */
	bool again;                  /* submitted once more meanwhile */
	atomic_bool cancelled;       /* a worker need not begin: -ECANCELED */
	int result;                  /* of tls_session_handshake() */
	void (*back)(struct relay_step *st); /* on the loop; busy no longer */
};

/* The wire of a step's session; arg: the struct relay_step. */
extern const struct tls_io relay_step_io;

/* An empty step in the owner's storage: no session yet. */
void relay_step_init(struct relay_step *st, int fd,
		     void (*back)(struct relay_step *st));
/* Has the step made, or, while it is busy, notes in `again` that one more is
 * wanted: whoever gets it back with -EAGAIN submits it then. */
void relay_step_submit(struct relay_step *st, struct pool *p);

/* ---- handshakes of ends
 * ---------------------------------------------------- */

struct relay_handshake;
struct relay_handshakes;

/* It is over. 0: the end's io is relay_tls. Otherwise a negative errno, of
 * which tls_session_error(e->tls) knows more. */
typedef void relay_handshake_fn(void *arg, int result);

/* `threads` (1..64) workers, at most `waiting_max` handshakes that wait for
 * their first turn. Threads begin here: before the filter of system calls. 0 or
 * negative errno. */
int relay_handshakes_new(struct relay_set *s, unsigned threads,
			 unsigned waiting_max,
			 struct relay_handshakes **ret) MUST_USE;
/* Another limit, from now on. */
void relay_handshakes_limit(struct relay_handshakes *all, unsigned waiting_max);
/* Ends the workers, after the steps that they are in; closes what owners have
 * given up. Owners drop what they still have, no result comes any more. NULL
 * is fine. */
void relay_handshakes_stop(struct relay_handshakes *all);
/* After relay_handshakes_stop(), when every handshake was dropped. NULL is
 * fine. */
void relay_handshakes_free(struct relay_handshakes *all);
/* Steps that wait for a worker; 0 when stopped. */
unsigned relay_handshakes_waiting(struct relay_handshakes *all);

/*
 * A session under `p`, `peer` as for tls_session_new() or, with `terse`,
 * tls_session_new_terse(), for the end `e`, whose watch is added. Nothing runs
 * before relay_handshake_go(). *ret is valid until `done` is called or it is
 * dropped. 0 or negative errno.
 */
int relay_handshake_new(struct relay_handshakes *all, struct relay_end *e,
			struct tls_policy *p, const char *peer, bool terse,
			relay_handshake_fn *done, void *arg,
			struct relay_handshake **ret) MUST_USE;
/* A step, now or after the one that runs: to begin, and whenever the end's
 * watch is called. 0; -EBUSY: too many wait for their first turn, the owner
 * gives up. Never calls back. */
int relay_handshake_go(struct relay_handshake *h) MUST_USE;
/*
 * The owner gives up; `done` is not called. The session goes back to e->tls,
 * after an alert (`alert`, RFC8446 6.2 number, 0 = none); if a worker has it,
 * the end loses its descriptor instead, and both are closed when it is back: in
 * order behind the alert, or by a reset without one.
 */
void relay_handshake_drop(struct relay_handshake *h, uint8_t alert);
/* Closes a descriptor behind an alert: what came is read and thrown away, so
 * that closing does not turn the alert into a reset. The end's session is
 * freed. */
void relay_hang_up(struct relay_set *s, struct relay_end *e);

#endif
