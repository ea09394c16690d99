/*
 * reader.h: records of a Telnet stream for server.c and client.c: header
 * apart, long records as slices, short ones gathered in `body`. Internal to
 * the room.
 */
#ifndef COUPLET_TN3270_READER_H
#define COUPLET_TN3270_READER_H

#include "tn3270/session.h"

/* How the records of a session look. */
enum reader_mode {
	READER_TN3270E = 0, /* a header opens each */
	READER_DATA,        /* plain: data; 00 in front of SCS [RFC1646 3.2] */
	READER_STATUS,      /* plain: short status records */
};

/* What became of a Telnet event. */
enum reader_result {
	READER_MORE = 0, /* nothing yet */
	READER_SLICE,    /* the event is filled: TN3270_EV_DATA */
	READER_SHORT,    /* a short record is in header, body, body_len */
	READER_BAD,      /* the event's `end` says why */
};

/* Begins a connection, or a new one inside TLS. */
void reader_init(struct tn3270_reader *r);

/* TELNET_EV_DATA. `max` bounds the record, bytes. */
enum reader_result reader_data(struct tn3270_reader *r, enum reader_mode mode,
			       size_t max, const struct telnet_event *te,
			       struct tn3270_event *ev);

/* TELNET_EV_EOR. */
enum reader_result reader_eor(struct tn3270_reader *r, enum reader_mode mode,
			      struct tn3270_event *ev);

/* Has a record begun that is not ended? */
bool reader_inside(const struct tn3270_reader *r);

/* The answer in a RESPONSE message [RFC2355 10.4.1]. */
enum tn3270e_answer reader_answer(const struct tn3270_reader *r);

/* Header of an outgoing record, IAC doubled; returns its length. */
size_t reader_head(const struct tn3270e_header *h, uint8_t *out);

/* BINARY, EOR and SUPPRESS-GO-AHEAD are agreed to on both sides: implied by
 * TN3270E, wanted by plain TN3270, asked for by clients in any order. */
void reader_allow(struct tn3270_reader *r);

/* Plain TN3270 may begin: EOR and BINARY are on, both ways [RFC1576 3]. */
bool reader_plain_on(const struct tn3270_reader *r);

/* Is the set enough: all of `need`, and for a printer SCS or 3270 data
 * [RFC2355 10.1]? */
bool reader_enough(enum tn3270e_kind kind, unsigned set, unsigned need);

/* Queues FUNCTIONS `verb` with the list of `set`. */
void reader_send_functions(struct tn3270_reader *r, uint8_t verb, unsigned set);

#endif
