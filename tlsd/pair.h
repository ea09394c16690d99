/*
 * pair.h: a connection that a rule covers, for pair.c and talk.c only.
 */
#ifndef COUPLET_TLSD_PAIR_H
#define COUPLET_TLSD_PAIR_H

#include "relay/handshake.h"
#include "tlsd.h"

struct control;
struct talk;

enum pair_state {
	CONNECT,   /* stackd opens the connection */
	HANDSHAKE, /* TLS, perhaps in the middle of a conversation */
	INTRODUCE, /* stackd connects to the program's listener */
	PLANT,     /* the program accepts, or its connect() returns */
	OPEN,      /* the relay has it */
	DYING,     /* only the program's accept() is waited for */
	TALK,      /* a conversation is followed: talk.c */
	LINGER,    /* refused: the peer is to see our alert */
};

enum { PROGRAM, WIRE }; /* ends of the relay */

struct pair {
	struct relay relay;
	struct relay_corpse corpse;
	struct list node, hash;
	struct relay_step step;   /* of the handshake */
	struct relay_timer timer; /* of the handshake, or of a conversation */
	struct relay_timer retry; /* of INTRODUCE */
	struct tlsd *td;
	struct rule *rule;
	struct tls_session *session; /* until the wire's end has it */
	struct talk *talk;           /* NULL: bytes are only passed */
	struct control *control;     /* the program says when; NULL: nobody */
	uint64_t id, serial;
	enum pair_state state;
	bool inbound;
	bool dead;
	bool following; /* TLS begins in the middle of a conversation */
	bool opening;   /* the program's end is there */
	bool ready;     /* the program's connect() or accept() is done */
	bool tls;       /* the handshake is done */
	bool gone;      /* stackd has forgotten it */
	bool polite;    /* ends with a FIN: an alert is on its way */
	int error;      /* what the program is told, when dead */
	uint32_t pid, uid;
	uint16_t as_port;
	struct ip_port local, remote; /* as the program sees them */
	struct ip_port peer;          /* as the wire has it */
	mono_t since, began;          /* the pair; the handshake */
};

/* Ends a pair that has not been open: `error` (positive errno) is what the
 * program's connect() fails with. */
void pair_give_up(struct pair *p, int error);
/* The same, and it is a handshake that failed: `why` goes to the log. */
void pair_fail(struct pair *p, const char *why, int error);
/* Both ends are open: closes them, `reset` or in order, and forgets p. */
void pair_close(struct pair *p, bool reset);
/* TLS begins on the wire; talk_secured() follows, or the pair ends. */
void pair_begin_tls(struct pair *p);
/* A fresh session over `io`, with the pair's step as its argument. 0 or
 * negative errno. */
int pair_new_session(struct pair *p, const struct tls_io *io) MUST_USE;
/* The program's end may have become ready. */
void pair_open(struct pair *p);
/* NULL: stackd's serial is none of ours, or its pair is dead. */
struct pair *pair_find(struct tlsd *td, uint64_t serial);
/* From here on bytes are only passed, what was read before in front. */
void pair_relay(struct pair *p);

/* ---- talk.c -------------------------------------------------------------- */

/* Does the rule want its conversation followed? Makes p->talk then. 0 or
 * -ENOMEM. */
int talk_new(struct pair *p) MUST_USE;
void talk_free(struct pair *p); /* and the rules it made; NULL talk is fine */
/* TLS only later, by the conversation or by the program? */
bool talk_begins_clear(const struct pair *p);
/* Both ends are open. */
void talk_begin(struct pair *p);
/* TLS is on the wire now. */
void talk_secured(struct pair *p);

/* ---- control.c ----------------------------------------------------------- */

/* Does the rule leave it to the program? Makes p->control then. 0 or
 * -ENOMEM. */
int control_new(struct pair *p) MUST_USE;
void control_free(struct pair *p); /* NULL control is fine */
/* Both ends are open. */
void control_begin(struct pair *p);
/* The handshake is done: false if it is refused all the same, and p ended. */
bool control_shaken(struct pair *p) MUST_USE;
/* The wire's end has the session. */
void control_secured(struct pair *p);
/* It ends: `why` (NULL: as `error` says) is what the program is told. Control
 * may be NULL. */
void control_failed(struct pair *p, const char *why, int error);
/* The program has closed its end, and nothing of it is left to be sent. */
bool control_deserted(const struct pair *p);
/* Static. */
const char *control_state(const struct pair *p);

#endif
