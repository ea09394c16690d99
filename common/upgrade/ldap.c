/*
 * ldap.c: StartTLS of LDAP [RFC4511 4.14]. Messages are BER [RFC4511 5.1]; of
 * a message only its number, its kind and, for an extended one, its name or
 * result are looked at.
 */
#include "base/cursor.h"
#include "upgrade/machine.h"

#include <string.h>

enum {
	OP_BIND = 0x60,
	OP_UNBIND = 0x42,
	OP_SEARCH = 0x63,
	OP_ABANDON = 0x50,
	OP_DELETE = 0x4a,
	OP_DELETED = 0x6b,
	OP_EXTENDED = 0x77,
	OP_EXTENDED_RESPONSE = 0x78,
	RESULT_SUCCESS = 0,
	RESULT_CONFIDENTIALITY_REQUIRED = 13,
	MESSAGE_MAX = UPGRADE_BUF_MAX - 16,
};

static const char starttls_oid[] = "1.3.6.1.4.1.1466.20037";

struct message {
	const uint8_t *id;
	uint8_t id_len; /* 1..4 */
	uint8_t op;
	struct rcur content;
	size_t size; /* of all of it */
};

/* A BER length of at most four bytes. */
static size_t ber_length(struct rcur *c)
{
	uint8_t first = rcur_8(c);
	size_t n = 0;

	if (first < 0x80)
		return first;
	if (first == 0x80 || first > 0x84) {
		c->bad = true;
		return 0;
	}
	for (int i = first - 0x80; i > 0; i--)
		n = n << 8 | rcur_8(c);
	return n;
}

/* 1: a message; 0: not all of it is there; -1: this is no LDAP. */
static int parse(const struct lane *l, struct message *m)
{
	struct rcur c = rcur_of(l->buf, l->len), in;
	size_t n;

	if (l->len && l->buf[0] != 0x30)
		return -1;
	(void)rcur_8(&c);
	n = ber_length(&c);
	if (!rcur_ok(&c)) /* the length alone is at most 5 bytes */
		return l->len >= 6 ? -1 : 0;
	if (n > MESSAGE_MAX)
		return -1;
	m->size = l->len - rcur_left(&c) + n;
	if (rcur_left(&c) < n)
		return 0;
	in = rcur_of(rcur_bytes(&c, n), n);
	if (rcur_8(&in) != 0x02)
		return -1;
	m->id_len = rcur_8(&in);
	m->id = rcur_bytes(&in, m->id_len);
	m->op = rcur_8(&in);
	n = ber_length(&in);
	if (!rcur_ok(&in) || m->id_len == 0 || m->id_len > 4 ||
	    rcur_left(&in) < n)
		return -1;
	m->content = rcur_of(rcur_bytes(&in, n), n);
	return 1;
}

/* ---- server -------------------------------------------------------------- */

/* A response with the number of `m`. */
static void respond(struct upgrade *u, const struct message *m, uint8_t op,
		    uint8_t result, const char *text)
{
	uint8_t buf[128];
	struct wcur w = wcur_of(buf, sizeof buf);
	size_t n = strlen(text);

	wcur_8(&w, 0x30);
	wcur_8(&w, (uint8_t)(2 + m->id_len + 2 + 3 + 2 + 2 + n));
	wcur_8(&w, 0x02);
	wcur_8(&w, m->id_len);
	wcur_copy(&w, m->id, m->id_len);
	wcur_8(&w, op);
	wcur_8(&w, (uint8_t)(3 + 2 + 2 + n));
	wcur_8(&w, 0x0a);
	wcur_8(&w, 1);
	wcur_8(&w, result);
	wcur_16(&w, 0x0400); /* matchedDN, empty */
	wcur_8(&w, 0x04);
	wcur_8(&w, (uint8_t)n);
	wcur_copy(&w, text, n);
	machine_put(u, UPGRADE_WIRE, buf, wcur_len(&w));
}

static bool is_starttls(struct message *m)
{
	size_t n;
	const uint8_t *oid;

	if (m->op != OP_EXTENDED || rcur_8(&m->content) != 0x80)
		return false;
	n = ber_length(&m->content);
	oid = rcur_bytes(&m->content, n);
	return oid && n == strlen(starttls_oid) &&
	       memcmp(oid, starttls_oid, n) == 0;
}

/* The response to each request is the number behind it, with two
 * exceptions. */
static uint8_t response_to(uint8_t op)
{
	if (op == OP_SEARCH)
		return OP_SEARCH + 2; /* SearchResultDone */
	return op == OP_DELETE ? OP_DELETED : (uint8_t)(op + 1);
}

static bool refuse_request(struct upgrade *u, const struct message *m)
{
	if (!u->required) { /* the program answers this and all others */
		machine_over(u, UPGRADE_STAY_CLEAR);
		return false;
	}
	if (++u->noise > UPGRADE_NOISE_MAX)
		machine_fail(u, "%d requests without StartTLS",
			     UPGRADE_NOISE_MAX);
	else if (m->op != OP_ABANDON)
		respond(u, m, response_to(m->op),
			RESULT_CONFIDENTIALITY_REQUIRED, "StartTLS first");
	return true;
}

static bool serve(struct upgrade *u)
{
	struct message m;
	int r = parse(&u->in[UPGRADE_WIRE], &m);

	if (r < 0)
		machine_fail(u, "what the client says is not LDAP");
	if (r <= 0)
		return false;
	if (m.op == OP_UNBIND) {
		machine_over(u, UPGRADE_CLOSE);
		return false;
	}
	if (!is_starttls(&m)) {
		if (!refuse_request(u, &m))
			return false;
	} else {
		respond(u, &m, OP_EXTENDED_RESPONSE, RESULT_SUCCESS, "");
		machine_take(u, UPGRADE_WIRE, m.size);
		machine_tls(u);
		return false;
	}
	machine_take(u, UPGRADE_WIRE, m.size);
	return true;
}

/* ---- client -------------------------------------------------------------- */

static void start(struct upgrade *u)
{
	static const uint8_t head[] = {0x30, 0x1d, 0x02, 0x01, 0x01,
				       0x77, 0x18, 0x80, 0x16};

	if (u->role == UPGRADE_SERVER)
		return;
	machine_put(u, UPGRADE_WIRE, head, sizeof head);
	machine_put(u, UPGRADE_WIRE, starttls_oid, strlen(starttls_oid));
}

static bool ask(struct upgrade *u)
{
	struct message m;
	int r = parse(&u->in[UPGRADE_WIRE], &m);

	if (r < 0)
		machine_fail(u, "what the server says is not LDAP");
	if (r <= 0)
		return false;
	if (m.op != OP_EXTENDED_RESPONSE || m.id_len != 1 || m.id[0] != 1 ||
	    rcur_8(&m.content) != 0x0a || rcur_8(&m.content) != 1) {
		machine_fail(u, "the server does not answer StartTLS");
		return false;
	}
	r = rcur_8(&m.content);
	machine_take(u, UPGRADE_WIRE, m.size);
	if (rcur_ok(&m.content) && r == RESULT_SUCCESS)
		machine_tls(u);
	else
		machine_no_tls(u, "the server refuses StartTLS");
	return false;
}

static upgrade_step *const steps[] = {
	[UPGRADE_SERVER] = serve,
	[UPGRADE_CLIENT] = ask,
};

const struct protocol protocol_ldap = {
	.name = "LDAP",
	.first = {UPGRADE_SERVER, UPGRADE_CLIENT},
	.steps = steps,
	.start = start,
};
