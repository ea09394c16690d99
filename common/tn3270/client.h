/*
 * client.h: the other end: a TN3270E client, printer or display, that takes
 * an LU from a host, as a pure machine. It walks a list of LU names after
 * each REJECT, falls back to plain TN3270, answers records, and lets the
 * caller decide when a record counts as done. session.h says in which order
 * doors are called.
 *
 * States: WAIT (the server speaks first) -> DEVICE -> FUNCTIONS -> READY, or
 * WAIT -> PLAIN -> READY; TLS in between when the server asks for START_TLS.
 */
#ifndef COUPLET_TN3270_CLIENT_H
#define COUPLET_TN3270_CLIENT_H

#include "tn3270/session.h"

#define TN3270_CLIENT_NAMES_MAX 16u

/* Shared by sessions; the caller keeps it alive. */
struct tn3270_client_conf {
	enum tn3270_tls tls; /* REQUIRE: close when the server talks of
				devices before START_TLS */
	bool no_tn3270e;     /* refuse TN3270E */
	bool no_plain;       /* refuse plain TN3270 */
	char type[TN3270E_DEVICE_MAX + 1]; /* "IBM-3287-1", ... */
	enum tn3270e_how how;              /* GENERIC needs no name */
	unsigned names;                    /* LU names to try, in order */
	char name[TN3270_CLIENT_NAMES_MAX][TN3270E_NAME_MAX + 1];
	unsigned functions; /* asked for */
	unsigned need;      /* without these: TN3270_END_FUNCTIONS */
	size_t record_max;  /* bytes of one record from the host */
	struct tn3270_times times;
};

enum tn3270_client_state {
	TN3270_CLIENT_WAIT = 0,  /* the server has not chosen a protocol */
	TN3270_CLIENT_HANDSHAKE, /* START_TLS was told; waits for _secured */
	TN3270_CLIENT_DEVICE,    /* TN3270E agreed, device negotiation */
	TN3270_CLIENT_FUNCTIONS, /* device accepted */
	TN3270_CLIENT_PLAIN,     /* TERMINAL-TYPE agreed */
	TN3270_CLIENT_READY,
	TN3270_CLIENT_ENDED,
	TN3270_CLIENT_STATES,
};

/* Caller's storage; read `state`, `device`, `functions`, `bound`. */
struct tn3270_client {
	const struct tn3270_client_conf *conf;
	enum tn3270_client_state state;
	struct tn3270e_device device; /* what the server granted */
	unsigned functions, asked;
	bool plain, bound, secured, mark_out;
	enum tn3270_end end; /* of state ENDED */
	bool end_told;
	bool owes;         /* a record waits for tn3270_client_respond() */
	uint16_t seq;      /* of the next record we send */
	uint16_t owed_seq; /* of the record not answered */
	uint8_t owed;      /* its RESPONSE-FLAG */
	uint8_t tries;     /* names asked for so far */
	uint8_t rounds;
	uint64_t ignored;
	mono_t now, started, heard, marked; /* now: of the last call */
	struct tn3270_reader reader;
};

/* Defaults: IBM-3287-1, generic, printer functions, both protocols. */
void tn3270_client_conf_init(struct tn3270_client_conf *c);

/* Connected; now the server speaks. */
void tn3270_client_init(struct tn3270_client *c,
			const struct tn3270_client_conf *conf, mono_t now);

/* Bytes of the server; see tn3270_server_input(). While a record is not
 * answered (`owes`) nothing is used: back pressure to the host. */
size_t tn3270_client_input(struct tn3270_client *c, const void *data,
			   size_t len, struct tn3270_event *ret_ev, mono_t now);

/* See telnet_output(). */
size_t tn3270_client_output(struct tn3270_client *c, void *buf, size_t cap);

/* When expire wants to be called. */
mono_t tn3270_client_deadline(const struct tn3270_client *c);

/* Sends the keepalive, or returns CLOSE in *ret_ev. */
void tn3270_client_expire(struct tn3270_client *c, mono_t now,
			  struct tn3270_event *ret_ev);

/* The TLS handshake is done: negotiation starts afresh inside it. */
void tn3270_client_secured(struct tn3270_client *c, mono_t now);

/*
 * The record whose slice was `last` (or the EOJ, BIND or UNBIND) is dealt
 * with. Queues the response if the record asked for one; without `owes`
 * nothing happens. A job that must not be lost is answered after it is on
 * disk.
 */
void tn3270_client_respond(struct tn3270_client *c, enum tn3270e_answer a);

/* The error condition told by an earlier INTERVENTION or DISCONNECTED is
 * over [RFC2355 10.4.1]. */
void tn3270_client_cleared(struct tn3270_client *c);

/* Begins a record of our own, as tn3270_server_record(): 3270-DATA,
 * SSCP-LU-DATA, NVT-DATA. -ENOTCONN, -EPROTO, -ENOTSUP. */
int tn3270_client_record(struct tn3270_client *c, enum tn3270e_type type,
			 uint8_t *head, size_t *ret_len) MUST_USE;

/* "WAIT", "READY", ... for displays. */
const char *tn3270_client_state_name(enum tn3270_client_state s);

#endif
