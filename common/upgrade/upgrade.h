/*
 * upgrade.h: TLS that begins in the middle of a connection: STARTTLS of SMTP
 * [RFC3207], IMAP [RFC9051 6.2.1], POP3 [RFC2595 4], LDAP [RFC4511 4.14],
 * PostgreSQL, and TELNET START_TLS (option 46, draft-altman-telnet-starttls).
 * Pure: bytes in, bytes out, a verdict.
 *
 * The machine sits between a program that knows nothing of TLS (the clear
 * side) and its peer (the wire side).
 *
 *	role server  The program is the server. The machine offers the upgrade
 *	             to the client, takes the command and answers it; the
 *	             program never hears of it.
 *	role client  The program is the client. The machine asks the server for
 *	             the upgrade and only then lets the program speak.
 *
 * Life: upgrade_new(); bytes that arrive go to upgrade_input(), bytes to send
 * come from upgrade_output(), both sides, until upgrade_verdict() says
 * something else than UPGRADE_WAIT:
 *
 *	UPGRADE_TLS_NOW     when the wire side's output is dry, begin the TLS
 *	                    handshake on the wire; then upgrade_secured()
 *	UPGRADE_SECURE      over: drain both outputs (wire: through TLS), then
 *	                    relay without the machine
 *	UPGRADE_STAY_CLEAR  the same without TLS; never if `required`
 *	UPGRADE_CLOSE       drain both outputs and close
 *	UPGRADE_FAILED      drain the wire's output and cut both; upgrade_why()
 *
 * Bytes that the peer sent in clear behind the command that starts TLS are an
 * attack (RFC3207 5, CVE-2011-0411, CVE-2021-23214) and end in FAILED; the
 * caller in turn reads from the wire only while the verdict is UPGRADE_WAIT.
 *
 * Time is the caller's: a peer that does not go on is cut by the handshake
 * time-out.
 */
#ifndef COUPLET_UPGRADE_H
#define COUPLET_UPGRADE_H

#include "base/base.h"

enum {
	UPGRADE_BUF_MAX = 8192,  /* bytes held each way and side */
	UPGRADE_LINE_MAX = 2048, /* one command or line of a reply */
	UPGRADE_LINES_MAX = 64,  /* lines of one reply of a server */
	UPGRADE_NOISE_MAX = 16,  /* commands refused before TLS */
	UPGRADE_NAME_MAX = 256,
};

enum upgrade_proto {
	UPGRADE_SMTP,
	UPGRADE_IMAP,
	UPGRADE_POP3,
	UPGRADE_LDAP,
	UPGRADE_POSTGRES,
	UPGRADE_TELNET,
};

enum upgrade_role { UPGRADE_SERVER, UPGRADE_CLIENT };
enum upgrade_side { UPGRADE_CLEAR, UPGRADE_WIRE };

enum upgrade_verdict {
	UPGRADE_WAIT,
	UPGRADE_TLS_NOW,
	UPGRADE_SECURE,
	UPGRADE_STAY_CLEAR,
	UPGRADE_CLOSE,
	UPGRADE_FAILED,
};

struct upgrade_spec {
	enum upgrade_proto proto;
	enum upgrade_role role;
	bool required;    /* without TLS nothing gets through */
	const char *name; /* our host name, for EHLO and replies; NULL:
			   * "localhost" */
};

struct upgrade;

/* 0 or -ENOMEM. The caller frees. */
int upgrade_new(const struct upgrade_spec *s, struct upgrade **ret) MUST_USE;
void upgrade_free(struct upgrade *u);

/* Bytes from a side. Returns how many were taken: fewer than `len` when the
 * buffer is full or the verdict is no longer UPGRADE_WAIT; the rest is the
 * caller's to keep (and, at UPGRADE_TLS_NOW, a reason to cut: only bytes of
 * the handshake may come then). */
size_t upgrade_input(struct upgrade *u, enum upgrade_side from,
		     const void *bytes, size_t len) MUST_USE;
/* How many bytes of a side to read at most before they are given to
 * upgrade_input(): a peer may begin its handshake before our side has read
 * the last word in clear, and what belongs to the handshake has to stay on the
 * wire. At least 1. */
size_t upgrade_want(const struct upgrade *u, enum upgrade_side from);
/* Takes at most `cap` bytes for a side; 0 = dry. */
size_t upgrade_output(struct upgrade *u, enum upgrade_side to, void *buf,
		      size_t cap) MUST_USE;
/* What to do. */
enum upgrade_verdict upgrade_verdict(const struct upgrade *u);
/* The TLS handshake, begun at UPGRADE_TLS_NOW, has succeeded. */
void upgrade_secured(struct upgrade *u);
/* A sentence on UPGRADE_FAILED, for a log; "" otherwise. Borrowed. */
const char *upgrade_why(const struct upgrade *u);

/* SMTP, IMAP, POP3, LDAP, POSTGRES (or PGSQL), TELNET in any case to a
 * protocol, or -EINVAL; and back. */
int upgrade_parse(const char *text) MUST_USE;
const char *upgrade_name(enum upgrade_proto p); /* static */

#endif
