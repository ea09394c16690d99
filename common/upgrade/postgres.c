/*
 * postgres.c: SSLRequest of PostgreSQL (documentation, "Message Flow", "SSL
 * Session Encryption"). A connection begins with a message of length and
 * code, both 32 bits; SSLRequest and GSSENCRequest are answered by one byte.
 *
 * A server offers SCRAM with channel binding to whoever has TLS, and libpq
 * takes that for an attack on a program that has none of its own. So in the
 * client role the offer is followed, and loses those mechanisms; the program
 * then says truly that it cannot bind ("SASL Authentication").
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
	/* messages of a server: type, length, and what an authentication
	 * request asks for */
	HEAD_LEN = 5,
	AUTH_HEAD_LEN = 9,
	AUTH_SASL = 10,
};

enum state { S_REQUEST, C_ANSWER, C_PROGRAM, C_AUTHENTICATION };

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
		u->state = C_AUTHENTICATION;
		return true;
	}
	machine_take(u, UPGRADE_CLEAR, REQUEST_LEN);
	machine_say(u, UPGRADE_CLEAR, "N");
	if (++u->noise > ASKS_MAX)
		machine_fail(u, "the program asks for encryption for ever");
	return true;
}

/* What the program says on meanwhile, as far as there is room. */
static void pass_program(struct upgrade *u)
{
	struct lane *in = &u->in[UPGRADE_CLEAR];
	size_t n = MIN(in->len, UPGRADE_BUF_MAX - u->out[UPGRADE_WIRE].len);

	machine_put(u, UPGRADE_WIRE, in->buf, n);
	machine_take(u, UPGRADE_CLEAR, n);
}

static bool binds_channel(const char *name, size_t len)
{
	return len >= 5 && memcmp(name + len - 5, "-PLUS", 5) == 0;
}

/* The mechanisms of an offer, each with its zero byte, without some. */
static void offer_without_binding(struct upgrade *u, struct rcur list)
{
	uint8_t buf[UPGRADE_BUF_MAX];
	struct wcur head = wcur_of(buf, AUTH_HEAD_LEN);
	struct wcur w =
		wcur_of(buf + AUTH_HEAD_LEN, sizeof buf - AUTH_HEAD_LEN);

	while (rcur_left(&list)) {
		const char *name = (const char *)list.p;
		size_t n = strnlen(name, rcur_left(&list));

		(void)rcur_bytes(&list, MIN(n + 1, rcur_left(&list)));
		if (n && !binds_channel(name, n)) {
			wcur_copy(&w, name, n);
			wcur_8(&w, 0);
		}
	}
	wcur_8(&w, 0);
	wcur_8(&head, 'R');
	wcur_32(&head, (uint32_t)(AUTH_HEAD_LEN - 1 + wcur_len(&w)));
	wcur_32(&head, AUTH_SASL);
	machine_put(u, UPGRADE_CLEAR, buf, AUTH_HEAD_LEN + wcur_len(&w));
}

/* A notice, or the version that is spoken, comes before the request. */
static bool comes_before(uint8_t type)
{
	return type == 'N' || type == 'v';
}

static bool watch_offer(struct upgrade *u)
{
	struct lane *in = &u->in[UPGRADE_WIRE];
	struct rcur c = rcur_of(in->buf, in->len);
	uint8_t type = rcur_8(&c);
	uint32_t length = rcur_32(&c);
	bool sasl;

	pass_program(u);
	if (!rcur_ok(&c) || (type == 'R' && in->len < AUTH_HEAD_LEN))
		return false;
	sasl = type == 'R' && length > AUTH_HEAD_LEN - 1 &&
	       rcur_32(&c) == AUTH_SASL;
	if ((!sasl && !comes_before(type)) || length < HEAD_LEN - 1 ||
	    length >= UPGRADE_BUF_MAX) {
		machine_over(u, UPGRADE_SECURE);
		return false;
	}
	if (in->len < 1 + length)
		return false;
	if (sasl)
		offer_without_binding(u, rcur_of(in->buf + AUTH_HEAD_LEN,
						 1 + length - AUTH_HEAD_LEN));
	else
		machine_put(u, UPGRADE_CLEAR, in->buf, 1 + length);
	machine_take(u, UPGRADE_WIRE, 1 + length);
	if (sasl)
		machine_over(u, UPGRADE_SECURE);
	else if (++u->lines > UPGRADE_LINES_MAX)
		machine_fail(u, "the server's notices have no end");
	return true;
}

static upgrade_step *const steps[] = {
	[S_REQUEST] = serve,
	[C_ANSWER] = ask,
	[C_PROGRAM] = answer_program,
	[C_AUTHENTICATION] = watch_offer,
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
