/*
 * session.h: what the server and the client of TN3270E share: the events
 * they return, why a session ends, and how a record goes to the wire.
 *
 * Doors of both machines (X is tn3270_server or tn3270_client):
 *
 *   X_input()     bytes of the peer in; one event at a time out
 *   X_output()    negotiation, answers, keepalives: small, wait here
 *   X_deadline()  when X_expire() wants to be called; MONO_NEVER if never
 *   X_expire()    time has come; may return an event too
 *   X_record()    frames one record of the caller's own data
 *
 * Order of calls: input until TN3270_EV_NONE, or expire; then output until
 * it returns 0; then arm the timer with deadline. Records and output go to
 * the same stream; send what output has before the next record. Once output
 * is dry, the deadline lies in the future.
 *
 * A record of the peer is never gathered: its data comes in slices, borrowed
 * from the input, the first marked `first`, the final one `last` (it can be
 * empty). So a record of any size needs no memory here; conf.record_max
 * bounds it nevertheless.
 */
#ifndef COUPLET_TN3270_SESSION_H
#define COUPLET_TN3270_SESSION_H

#include "base/mono.h"
#include "tn3270/telnet.h"
#include "tn3270/tn3270e.h"

enum tn3270_event_kind {
	TN3270_EV_NONE = 0,
	/* Send what output has, do the TLS handshake on the stream, then call
	 * X_secured(). Input behind this event is TLS's. */
	TN3270_EV_START_TLS,
	/* server: the client asks for `device`. Answer with
	 * tn3270_server_accept() or _reject(), now or later. */
	TN3270_EV_DEVICE,
	/* client: the server rejected a name (`reason`); the next one of the
	 * list is asked for if there is one, else TN3270_EV_CLOSE follows. */
	TN3270_EV_REJECTED,
	/* Negotiation is over: `functions`, `device` in force. */
	TN3270_EV_READY,
	/* `header`, `data`, `len`, `first`, `last`: 3270-DATA, SCS-DATA,
	 * SSCP-LU-DATA or NVT-DATA. In plain TN3270 the header is made up. */
	TN3270_EV_DATA,
	/* server: a record was answered: `seq`, `answer`; `expected` when it
	 * is the one waited for. */
	TN3270_EV_RESPONSE,
	/* server: the printer's error condition is cleared. */
	TN3270_EV_CLEARED,
	/* server: no answer within conf.response. Once per record. */
	TN3270_EV_LATE,
	TN3270_EV_ATTN,   /* server: IP or BREAK */
	TN3270_EV_SYSREQ, /* server: AO */
	TN3270_EV_BIND,   /* client: `data`, `len`: the BIND RU */
	TN3270_EV_UNBIND, /* client: `reason` of the UNBIND */
	TN3270_EV_EOJ, /* client: end of print job; answer as `header` asks */
	/* `end` says why; send what output has, close. */
	TN3270_EV_CLOSE,
};

/* Why a machine wants the connection closed. */
enum tn3270_end {
	TN3270_END_NONE = 0,
	TN3270_END_TELNET,    /* see telnet_error */
	TN3270_END_REFUSED,   /* the peer wants neither TN3270E nor TN3270 */
	TN3270_END_TLS,       /* TLS is required and the peer refuses it */
	TN3270_END_ORDER,     /* a subnegotiation out of order or malformed */
	TN3270_END_DEVICES,   /* no device left to ask for, too many rejects */
	TN3270_END_FUNCTIONS, /* no agreement on functions */
	TN3270_END_RECORD,    /* a record longer than conf.record_max */
	TN3270_END_HEADER,    /* a record too short, or of a type not agreed */
	TN3270_END_TIME,      /* negotiation took longer than conf.negotiate */
	TN3270_END_DEAD,      /* keepalive: the peer is gone */
	TN3270_END_ANSWERS,   /* our answers are not taken */
	TN3270_ENDS,
};

struct tn3270_event {
	enum tn3270_event_kind kind;
	enum tn3270_end end;
	struct tn3270e_header header;
	enum tn3270e_answer answer;
	uint16_t seq;
	bool first, last, expected;
	uint8_t reason;     /* enum tn3270e_reason or of UNBIND */
	unsigned functions; /* set of TN3270E_F(x) */
	const struct tn3270e_device *device; /* the machine's */
	const uint8_t *data;                 /* borrowed until the next call */
	size_t len;
};

/* What opens a record on the wire: header, IAC doubled. */
#define TN3270_HEAD_MAX (2u * TN3270E_HEADER_BYTES)
/* What ends it: IAC EOR. */
#define TN3270_TAIL_BYTES 2u
/* Bytes that a record of `len` bytes can take on the wire. */
#define TN3270_WIRE_MAX(len) (TN3270_HEAD_MAX + 2u * (len) + TN3270_TAIL_BYTES)

/* Limits that have no better place. */
#define TN3270_REJECTS_MAX 64u      /* devices that one client may ask for */
#define TN3270_ROUNDS_MAX 8u        /* FUNCTIONS to and fro */
#define TN3270_RECORD_MAX 16777216u /* default of record_max, bytes */
#define TN3270_NEGOTIATE_S 60       /* default of negotiate, seconds */

/* START_TLS [draft-altman-telnet-starttls]. */
enum tn3270_tls {
	TN3270_TLS_OFF = 0, /* refuse the option (TLS from byte one is the
			       caller's and not seen here) */
	TN3270_TLS_OFFER,   /* use it if the peer wants */
	TN3270_TLS_REQUIRE, /* or close */
};

/* Times of a session; 0 = off. */
struct tn3270_times {
	dur_t negotiate;       /* until READY */
	dur_t keepalive;       /* silence before DO TIMING-MARK is sent */
	dur_t keepalive_reply; /* silence after it before TN3270_END_DEAD;
				  0 = never, then it only keeps NATs open */
	dur_t response;        /* before TN3270_EV_LATE */
};

/*
 * The reader of records both machines stand on; fields are theirs. `body`
 * keeps the short records (RESPONSE, BIND, UNBIND, status of a printer).
 */
struct tn3270_reader {
	struct telnet telnet;
	struct tn3270e_header header;
	uint8_t head[TN3270E_HEADER_BYTES];
	uint8_t head_len;
	bool first;
	uint16_t body_len; /* > TN3270E_BIND_MAX: longer than kept */
	uint8_t body[TN3270E_BIND_MAX];
	size_t len; /* of this record so far, header not counted */
};

/* In words for an operator: "the keepalive was not answered", ... */
const char *tn3270_end_text(enum tn3270_end e);

#endif
