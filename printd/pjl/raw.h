/*
 * raw.h: one job to a printer on port 9100, as a pure machine. The wire has
 * no acknowledgement, so the machine gathers what proof there is and tells
 * apart why a printer does not take the job: no route, refused, accepted
 * but stalled, off line (known through PJL only), broken in mid-job.
 *
 * States: CONNECT -> SEND -> DRAIN -> DONE, FAILED from each. In SEND the
 * caller writes bytes and reports progress; in DRAIN it has shut down its
 * side and waits for the printer to close, which is the best proof a plain
 * printer gives. With PJL the END of our job is the proof.
 */
#ifndef COUPLET_PJL_RAW_H
#define COUPLET_PJL_RAW_H

#include "base/base.h"
#include "base/mono.h"
#include "pjl/pjl.h"

struct raw_conf {
	bool pjl;          /* bracket the job and read status */
	char language[16]; /* of ENTER LANGUAGE; "" = none */
	dur_t connect;     /* 0 = 30 s */
	dur_t stall;       /* no byte taken for so long; 0 = 60 s. It is told
			      once, RAW_EV_STALLED, the job goes on */
	dur_t give_up;     /* no byte taken for so long; 0 = 4 h */
	dur_t drain; /* wait for the printer's close or PJL END; 0 = 300 s */
};

enum raw_state { RAW_CONNECT = 0, RAW_SEND, RAW_DRAIN, RAW_DONE, RAW_FAILED };

/* What was proved, weakest first. */
enum raw_proof {
	RAW_PROOF_NONE = 0,
	RAW_PROOF_SENT,   /* all bytes acknowledged by TCP; drain ran out */
	RAW_PROOF_CLOSED, /* and the printer closed in order */
	RAW_PROOF_PJL,    /* and reported the end of this very job */
};

enum raw_failure {
	RAW_OK = 0,
	RAW_NO_ROUTE,  /* connect timed out or unreachable */
	RAW_REFUSED,   /* nobody listens, or the printer is busy */
	RAW_STALLED,   /* accepted, but took no byte for give_up */
	RAW_BROKEN,    /* reset or closed in mid-job */
	RAW_CANCELLED, /* PJL: cancelled at the panel */
	RAW_ERROR,     /* another errno */
};

enum raw_event_kind {
	RAW_EV_NONE = 0,
	RAW_EV_STALLED, /* no progress: `condition` if PJL told one */
	RAW_EV_MOVING,  /* progress after that */
	RAW_EV_STATUS,  /* PJL: the condition changed */
	RAW_EV_PAGE,    /* PJL: `pages` are out */
	RAW_EV_DONE,    /* `proof` */
	RAW_EV_FAILED,  /* `failure` */
};

struct raw_event {
	enum raw_event_kind kind;
	enum raw_failure failure;
	enum raw_proof proof;
	enum pjl_condition condition;
	uint32_t pages;
};

struct raw {
	struct raw_conf conf;
	enum raw_state state;
	enum raw_failure failure;
	enum raw_proof proof;
	enum pjl_condition condition;
	bool stalled, ended;
	uint32_t pages;
	uint64_t sent;
	mono_t since; /* of connect, progress, or drain */
	char name[PJL_NAME_MAX + 1];
	struct pjl pjl;
};

/* A connect is under way. `name` identifies the job to PJL. */
void raw_init(struct raw *r, const struct raw_conf *conf, const char *name,
	      mono_t now);

/* Connected (err 0), or connect failed with positive errno `err`. */
void raw_connected(struct raw *r, int err, struct raw_event *ret_ev,
		   mono_t now);

/* What to send before and after the data, PJL_BRACKET_MAX; 0 without PJL. */
size_t raw_start(const struct raw *r, uint8_t *out);
size_t raw_end(const struct raw *r, uint8_t *out); /* after the data */

/* The printer took `n` more bytes (they left for the peer; with
 * TCP_INFO/SIOCOUTQ: were acknowledged). */
void raw_progress(struct raw *r, uint64_t n, struct raw_event *ret_ev,
		  mono_t now);

/* All is sent and our side is shut down. */
void raw_shut(struct raw *r, mono_t now);

/* Bytes of the printer; returns how many were used; call until
 * RAW_EV_NONE with all used. Without PJL they are skipped. */
size_t raw_input(struct raw *r, const void *data, size_t len,
		 struct raw_event *ret_ev, mono_t now);

/* The printer closed (err 0), or the connection broke (positive errno). */
void raw_closed(struct raw *r, int err, struct raw_event *ret_ev);

/* When raw_expire() wants to be called. */
mono_t raw_deadline(const struct raw *r);

/* Time has come. */
void raw_expire(struct raw *r, mono_t now, struct raw_event *ret_ev);

/* May some of it have been printed? */
bool raw_maybe_printed(const struct raw *r);

/* In words for an operator. */
const char *raw_failure_text(enum raw_failure f);

#endif
