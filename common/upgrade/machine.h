/*
 * machine.h: what the protocols of this room share. Each is a table of
 * functions over one struct; none keeps memory of its own.
 */
#ifndef COUPLET_UPGRADE_MACHINE_H
#define COUPLET_UPGRADE_MACHINE_H

#include "upgrade/upgrade.h"

struct lane {
	size_t len;
	uint8_t buf[UPGRADE_BUF_MAX];
};

struct upgrade {
	const struct protocol *protocol;
	enum upgrade_role role;
	bool required;
	enum upgrade_verdict verdict;
	unsigned state; /* of the protocol */
	unsigned noise; /* commands refused so far */
	unsigned lines; /* of the reply that comes in */
	bool offered;   /* client: the server has offered TLS */
	char name[UPGRADE_NAME_MAX];
	char why[160];
	struct lane in[2], out[2]; /* by enum upgrade_side */
	/* text protocols: the server's greeting (client), or the client's
	 * greeting command (server), kept for later */
	size_t kept;
	char keep[UPGRADE_LINE_MAX + 1];
};

typedef bool upgrade_step(struct upgrade *u);

struct protocol {
	const char *name;
	unsigned first[2]; /* state at the start, by enum upgrade_role */
	/* By state: goes on with what lies in in[]; true while it made
	 * progress. */
	upgrade_step *const *steps;
	/* upgrade_want() of the wire; NULL: as much as there is. */
	size_t (*want)(const struct upgrade *u);
	/* What is said before anything is heard; NULL: nothing. */
	void (*start)(struct upgrade *u);
	/* TLS is there: say what the clear side has to hear; NULL: nothing.
	 * Leaves verdict UPGRADE_WAIT when a step is still needed. */
	void (*secured)(struct upgrade *u);
};

extern const struct protocol protocol_smtp, protocol_imap, protocol_pop3,
	protocol_ldap, protocol_postgres, protocol_telnet;

/* Ends with UPGRADE_FAILED. */
void machine_fail(struct upgrade *u, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Bytes for a side; no room means FAILED. */
void machine_put(struct upgrade *u, enum upgrade_side to, const void *bytes,
		 size_t len);
void machine_say(struct upgrade *u, enum upgrade_side to, const char *text);
/* Takes `n` bytes off the front of what came in. */
void machine_take(struct upgrade *u, enum upgrade_side from, size_t n);
/* TLS_NOW, unless bytes of the wire lie behind the command. */
void machine_tls(struct upgrade *u);
/* Over: what came in goes out at the other side. */
void machine_over(struct upgrade *u, enum upgrade_verdict v);
/* secured() of the text protocols: the client program has not heard the
 * server's greeting yet; SECURE. */
void machine_greet(struct upgrade *u);
/* No TLS with this peer: FAILED, or STAY_CLEAR if that is allowed. */
void machine_no_tls(struct upgrade *u, const char *why);

/*
 * A complete line of a side without its CRLF into line[0..UPGRADE_LINE_MAX]:
 * true and taken; false: not yet (or failed: too long, a zero byte).
 */
bool machine_line(struct upgrade *u, enum upgrade_side from, char *line);

#endif
