/*
 * postgres.c: SSLRequest of PostgreSQL (documentation, "Message Flow", "SSL
 * Session Encryption"). A connection begins with a message of length and
 * code, both 32 bits; SSLRequest and GSSENCRequest are answered by one byte.
 */
#include "base/cursor.h"
#include "upgrade/machine.h"

#include <string.h>

enum {
	CODE_CANCEL = 80877102,
	CODE_SSL = 80877103,
	CODE_GSSENC = 80877104,
	REQUEST_LEN = 8,
	/* of the program's requests for encryption, one of each kind */
	ASKS_MAX = 2,
};

enum state { S_REQUEST, C_ANSWER, C_PROGRAM };

static const uint8_t ssl_request[REQUEST_LEN] = {0,    0,    0,    8,
						 0x04, 0xd2, 0x16, 0x2f};

/* Has the first message of `l` begun, and what is it? 0: not yet. */
static uint32_t code_of(const struct lane *l, uint32_t *length)
{
	struct rcur c = rcur_of(l->buf, l->len);
	uint32_t code;

	*length = rcur_32(&c);
	code = rcur_32(&c);
	return rcur_ok(&c) ? code : 0;
}

/* ---- server -------------------------------------------------------------- */

static void say_error(struct upgrade *u)
{
	static const char body[] = "SFATAL\0VFATAL\0C28000\0"
				   "Mthis server takes SSL connections only\0";
	uint8_t buf[128];
	struct wcur w = wcur_of(buf, sizeof buf);

	wcur_8(&w, 'E');
	wcur_32(&w, 4 + sizeof body);
	wcur_copy(&w, body, sizeof body); /* its own end is the last field */
	machine_put(u, UPGRADE_WIRE, buf, wcur_len(&w));
}

static bool serve(struct upgrade *u)
{
	uint32_t length, code = code_of(&u->in[UPGRADE_WIRE], &length);

	if (u->in[UPGRADE_WIRE].len < REQUEST_LEN)
		return false;
	if (code == CODE_SSL && length == REQUEST_LEN) {
		machine_take(u, UPGRADE_WIRE, REQUEST_LEN);
		machine_say(u, UPGRADE_WIRE, "S");
		machine_tls(u);
		return false;
	}
	if (code == CODE_GSSENC && length == REQUEST_LEN) {
		machine_take(u, UPGRADE_WIRE, REQUEST_LEN);
		machine_say(u, UPGRADE_WIRE, "N");
		if (++u->noise > ASKS_MAX)
			machine_fail(u, "too many requests for GSS encryption");
		return true;
	}
	if (!u->required) {
		machine_over(u, UPGRADE_STAY_CLEAR);
		return false;
	}
	if (code != CODE_CANCEL) /* a cancel is never answered */
		say_error(u);
	machine_over(u, UPGRADE_CLOSE);
	return false;
}

/* ---- client -------------------------------------------------------------- */

static void start(struct upgrade *u)
{
	if (u->role == UPGRADE_CLIENT)
		machine_put(u, UPGRADE_WIRE, ssl_request, sizeof ssl_request);
}

/* The server's one byte. */
static bool ask(struct upgrade *u)
{
	uint8_t byte;

	if (u->in[UPGRADE_WIRE].len == 0)
		return false;
	byte = u->in[UPGRADE_WIRE].buf[0];
	if (byte == 'S') {
		machine_take(u, UPGRADE_WIRE, 1);
		machine_tls(u);
	} else if (byte == 'N') {
		machine_take(u, UPGRADE_WIRE, 1);
		machine_no_tls(u, "the server refuses SSL");
	} else {
		machine_fail(u, "the server does not answer SSLRequest");
	}
	return false;
}

/* The program may ask for encryption as well; towards us it needs none. */
static bool answer_program(struct upgrade *u)
{
	uint32_t length, code = code_of(&u->in[UPGRADE_CLEAR], &length);

	if (u->in[UPGRADE_CLEAR].len < REQUEST_LEN)
		return false;
	if ((code != CODE_SSL && code != CODE_GSSENC) ||
	    length != REQUEST_LEN) {
		machine_over(u, UPGRADE_SECURE);
		return false;
	}
	machine_take(u, UPGRADE_CLEAR, REQUEST_LEN);
	machine_say(u, UPGRADE_CLEAR, "N");
	if (++u->noise > ASKS_MAX)
		machine_fail(u, "the program asks for encryption for ever");
	return true;
}

static upgrade_step *const steps[] = {
	[S_REQUEST] = serve,
	[C_ANSWER] = ask,
	[C_PROGRAM] = answer_program,
};

static void secured(struct upgrade *u)
{
	if (u->role == UPGRADE_SERVER)
		machine_over(u, UPGRADE_SECURE);
	else
		u->state = C_PROGRAM;
}

const struct protocol protocol_postgres = {
	.name = "POSTGRES",
	.first = {[UPGRADE_SERVER] = S_REQUEST, [UPGRADE_CLIENT] = C_ANSWER},
	.steps = steps,
	.start = start,
	.secured = secured,
};
