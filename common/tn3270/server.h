/*
 * server.h: one client of a TN3270E server, printer or display, as a pure
 * machine: START_TLS, TN3270E [RFC2355], and plain TN3270 with the LU behind
 * the terminal type [RFC1646] [RFC1576]. The table of LUs is the caller's:
 * the machine asks with TN3270_EV_DEVICE (tn3270e_decide() knows the right
 * reason to reject), and taking over the LU of a dead holder is the caller's
 * as well. session.h says in which order doors are called.
 *
 * States: TLS -> OFFER -> DEVICE <-> ASKED -> FUNCTIONS -> READY; or
 *         OFFER -> TTYPE <-> ASKED -> BINARY -> READY without TN3270E; and
 *         from each to ENDED after TN3270_EV_CLOSE, where nothing happens.
 *
 * Memory: the struct, about 2.2 KB; nothing else.
 */
#ifndef COUPLET_TN3270_SERVER_H
#define COUPLET_TN3270_SERVER_H

#include "tn3270/session.h"

/* Shared by all sessions of a listener; the caller keeps it alive. */
struct tn3270_server_conf {
	enum tn3270_tls tls;
	bool no_tn3270e;   /* do not offer TN3270E */
	bool no_plain;     /* no fall-back to plain TN3270 */
	bool printers;     /* kinds of device to take at all; others are */
	bool displays;     /* rejected with INV-DEVICE-TYPE */
	size_t record_max; /* bytes of one record from the client */
	struct tn3270_times times;
};

enum tn3270_server_state {
	TN3270_SERVER_TLS = 0,   /* DO START_TLS is out */
	TN3270_SERVER_HANDSHAKE, /* START_TLS was told; waits for _secured */
	TN3270_SERVER_OFFER,     /* DO TN3270E is out */
	TN3270_SERVER_DEVICE,    /* SEND DEVICE-TYPE or a REJECT is out */
	TN3270_SERVER_TTYPE,     /* plain: TERMINAL-TYPE SEND is out */
	TN3270_SERVER_ASKED,     /* the caller decides */
	TN3270_SERVER_FUNCTIONS, /* DEVICE-TYPE IS is out */
	TN3270_SERVER_BINARY,    /* plain: EOR and BINARY are out */
	TN3270_SERVER_READY,
	TN3270_SERVER_ENDED,
	TN3270_SERVER_STATES,
};

/* Caller's storage; read `state`, `device`, `functions`, `bound`, the rest
 * is the machine's. */
struct tn3270_server {
	const struct tn3270_server_conf *conf;
	enum tn3270_server_state state;
	struct tn3270e_device device; /* type and, from accept on, LU name */
	unsigned functions;           /* agreed; 0 in plain TN3270 */
	unsigned offer, need, asked;  /* from accept; last proposed */
	bool plain;                   /* plain TN3270 */
	bool bound;                   /* BIND is in force */
	bool awaiting;                /* a record is not answered yet */
	bool late_told, secured, mark_out, attn, sysreq;
	enum tn3270_end end; /* of state ENDED */
	bool end_told;
	uint16_t seq;          /* of the next data record */
	uint16_t awaiting_seq; /* of the one not answered */
	uint8_t rejects, rounds;
	uint64_t ignored; /* records of the client that mean nothing here */
	mono_t now, started, heard, marked, sent; /* now: of the last call */
	mono_t probe; /* END_DEAD then, unless bytes came; or never */
	struct tn3270_reader reader;
	char ttype[TELNET_TTYPE_MAX + 1]; /* plain: the previous one */
};

/* Defaults: both protocols, printers, no TLS, times of session.h. */
void tn3270_server_conf_init(struct tn3270_server_conf *c);

/* A client connected. The first words are in output at once. */
void tn3270_server_init(struct tn3270_server *s,
			const struct tn3270_server_conf *conf, mono_t now);

/* Bytes of the client. Returns how many were used; *ret_ev is filled. Call
 * until the event is TN3270_EV_NONE and all is used. In state ASKED and
 * HANDSHAKE nothing is used: keep the rest until the caller has decided. */
size_t tn3270_server_input(struct tn3270_server *s, const void *data,
			   size_t len, struct tn3270_event *ret_ev, mono_t now);

/* See telnet_output(). */
size_t tn3270_server_output(struct tn3270_server *s, void *buf, size_t cap);

/* When expire wants to be called. */
mono_t tn3270_server_deadline(const struct tn3270_server *s);

/* Sends the keepalive, or returns LATE or CLOSE in *ret_ev. */
void tn3270_server_expire(struct tn3270_server *s, mono_t now,
			  struct tn3270_event *ret_ev);

/*
 * Asks a client of state READY for life now: TIMING-MARK is in output, and
 * without any byte of the client within `reply` it is TN3270_END_DEAD. While
 * it has a record to answer its silence proves nothing: false, and nothing is
 * sent. `probe` is MONO_NEVER again once the client has spoken.
 */
bool tn3270_server_probe(struct tn3270_server *s, dur_t reply,
			 mono_t now) MUST_USE;

/* The TLS handshake is done: negotiation starts afresh inside it. */
void tn3270_server_secured(struct tn3270_server *s, mono_t now);

/*
 * State ASKED: the client gets LU `name` (1..8 characters). `offer` is the
 * set of functions we do on it, `need` those without which the session is
 * ended (TN3270_END_FUNCTIONS); a printer always needs SCS or 3270 data
 * [RFC2355 10.1]. Both are ignored in plain TN3270. -EINVAL in another state
 * or for a bad name.
 */
int tn3270_server_accept(struct tn3270_server *s, const char *name,
			 unsigned offer, unsigned need) MUST_USE;

/* State ASKED: no. In plain TN3270 the client is asked for its next
 * terminal type; when that repeats itself there is none, and the next input
 * or expire returns TN3270_EV_CLOSE. -EINVAL in another state. */
int tn3270_server_reject(struct tn3270_server *s,
			 enum tn3270e_reason why) MUST_USE;

/*
 * Begins a record: writes the header, IAC doubled, to head[TN3270_HEAD_MAX]
 * and its length to *ret_len (0 in plain TN3270, or 1 before SCS). The
 * caller sends head, the body through telnet_escape() or
 * telnet_escape_iov(), then IAC EOR (tn3270_tail).
 *
 * `respond` is lowered to NO_RESPONSE when RESPONSES was not agreed; plain
 * TN3270 always answers. While a record awaits its answer the next is
 * -EBUSY. BIND_IMAGE and UNBIND change `bound`; a PRINT-EOJ with
 * ALWAYS_RESPONSE is answered by the clients that can after the paper is
 * out. In plain TN3270 PRINT-EOJ becomes IAC AO in output, *ret_len is 0 and
 * nothing else is to be sent; BIND and UNBIND likewise send nothing:
 * *ret_skip is true then.
 *
 * Errors: -ENOTCONN not READY; -EPROTO data without BIND although
 * BIND-IMAGE was agreed; -ENOTSUP a type that the client did not agree to;
 * -EBUSY see above.
 */
int tn3270_server_record(struct tn3270_server *s, enum tn3270e_type type,
			 enum tn3270e_respond respond, uint8_t *head,
			 size_t *ret_len, bool *ret_skip, mono_t now) MUST_USE;

/* All of that into one buffer of TN3270_WIRE_MAX(len): returns the bytes to
 * send (0 when there is nothing), or the errors above, or -ENOBUFS. */
ssize_t tn3270_server_write(struct tn3270_server *s, enum tn3270e_type type,
			    enum tn3270e_respond respond, const void *data,
			    size_t len, void *out, size_t cap,
			    mono_t now) MUST_USE;

/* Gives up waiting for the answer that is outstanding (a time-out of the
 * caller's); one that comes later is not `expected`. */
void tn3270_server_forget(struct tn3270_server *s);

/* IAC EOR, the end of each record. */
extern const uint8_t tn3270_tail[TN3270_TAIL_BYTES];

/* "FUNCTIONS", "READY", ... for displays. */
const char *tn3270_server_state_name(enum tn3270_server_state s);

#endif
