/*
 * telnet.c: START_TLS of TELNET (option 46, draft-altman-telnet-starttls): the
 * server says DO START_TLS, the client WILL, then both say SB START_TLS
 * FOLLOWS and begin TLS. What they say on other options meanwhile is kept for
 * the program (server: none of it is, the program has not spoken yet).
 */
#include "upgrade/machine.h"

#include <string.h>

enum {
	IAC = 255,
	DONT = 254,
	DO = 253,
	WONT = 252,
	WILL = 251,
	SB = 250,
	SE = 240,
	START_TLS = 46,
	FOLLOWS = 1,
};

enum state {
	S_ASKED,   /* DO is out */
	S_FOLLOWS, /* WILL came, our FOLLOWS is out */
	C_WAIT,    /* for the server's DO */
	C_FOLLOWS, /* WILL and FOLLOWS are out */
};

static const uint8_t do_tls[] = {IAC, DO, START_TLS};
static const uint8_t will_tls[] = {IAC, WILL, START_TLS};
static const uint8_t follows[] = {IAC, SB, START_TLS, FOLLOWS, IAC, SE};

static void start(struct upgrade *u)
{
	if (u->role == UPGRADE_SERVER)
		machine_put(u, UPGRADE_WIRE, do_tls, sizeof do_tls);
}

/* Length of the command at the front of `l`: 1 for a byte of data; 0: not all
 * of it is there [RFC854, RFC855]. */
static size_t command_length(const struct lane *l)
{
	if (l->len == 0)
		return 0;
	if (l->buf[0] != IAC)
		return 1;
	if (l->len < 2)
		return 0;
	if (l->buf[1] >= WILL && l->buf[1] <= DONT)
		return l->len < 3 ? 0 : 3;
	if (l->buf[1] != SB)
		return 2;
	for (size_t i = 2; i + 1 < l->len; i++) {
		if (l->buf[i] != IAC)
			continue;
		if (l->buf[i + 1] == SE)
			return i + 2;
		i++; /* IAC IAC is one byte of data */
	}
	return 0;
}

static bool is(const struct lane *l, size_t n, const uint8_t *what, size_t len)
{
	return n == len && memcmp(l->buf, what, len) == 0;
}

/* The peer speaks of something else than START_TLS. */
static bool other(struct upgrade *u, size_t n)
{
	const struct lane *l = &u->in[UPGRADE_WIRE];
	bool negotiation = l->buf[0] == IAC;

	if (!negotiation && u->required) {
		machine_fail(u, "the peer sends data instead of START_TLS");
		return false;
	}
	if (!negotiation) {
		machine_over(u, UPGRADE_STAY_CLEAR);
		return false;
	}
	/* said in clear, so after TLS it has to be said again: options that
	 * were agreed before are void (draft 4.1) */
	if (u->required) {
		if (++u->noise > 4 * UPGRADE_NOISE_MAX)
			machine_fail(u, "the peer does not come to START_TLS");
		machine_take(u, UPGRADE_WIRE, n);
		return true;
	}
	machine_over(u, UPGRADE_STAY_CLEAR);
	return false;
}

static bool serve(struct upgrade *u, size_t n)
{
	static const uint8_t wont_tls[] = {IAC, WONT, START_TLS};
	const struct lane *l = &u->in[UPGRADE_WIRE];

	if (u->state == S_ASKED && is(l, n, will_tls, sizeof will_tls)) {
		machine_take(u, UPGRADE_WIRE, n);
		machine_put(u, UPGRADE_WIRE, follows, sizeof follows);
		u->state = S_FOLLOWS;
		return true;
	}
	if (u->state == S_ASKED && is(l, n, wont_tls, sizeof wont_tls)) {
		machine_take(u, UPGRADE_WIRE, n);
		machine_no_tls(u, "the client refuses START_TLS");
		return false;
	}
	if (u->state == S_FOLLOWS && is(l, n, follows, sizeof follows)) {
		machine_take(u, UPGRADE_WIRE, n);
		machine_tls(u);
		return false;
	}
	if (u->state == S_FOLLOWS) {
		machine_fail(u, "the client agreed to START_TLS and does not "
				"follow");
		return false;
	}
	return other(u, n);
}

static bool ask(struct upgrade *u, size_t n)
{
	const struct lane *l = &u->in[UPGRADE_WIRE];

	if (u->state == C_WAIT && is(l, n, do_tls, sizeof do_tls)) {
		machine_take(u, UPGRADE_WIRE, n);
		machine_put(u, UPGRADE_WIRE, will_tls, sizeof will_tls);
		machine_put(u, UPGRADE_WIRE, follows, sizeof follows);
		u->state = C_FOLLOWS;
		return true;
	}
	if (u->state == C_FOLLOWS && is(l, n, follows, sizeof follows)) {
		machine_take(u, UPGRADE_WIRE, n);
		machine_tls(u);
		return false;
	}
	if (u->state == C_FOLLOWS) {
		machine_fail(u, "the server asked for START_TLS and does not "
				"follow");
		return false;
	}
	return other(u, n);
}

static bool step(struct upgrade *u)
{
	const struct lane *l = &u->in[UPGRADE_WIRE];
	size_t n = command_length(l);

	if (n == 0) {
		if (l->len == sizeof l->buf)
			machine_fail(u, "a subnegotiation has no end");
		return false;
	}
	return u->role == UPGRADE_SERVER ? serve(u, n) : ask(u, n);
}

/* A client that has said FOLLOWS and hears ours begins TLS at once, while its
 * own FOLLOWS may still be on the way to us: not a byte more is read. */
static size_t want(const struct upgrade *u)
{
	size_t len = u->in[UPGRADE_WIRE].len;

	if (u->state != S_FOLLOWS)
		return UPGRADE_BUF_MAX;
	return len < sizeof follows ? sizeof follows - len : 1;
}

static upgrade_step *const steps[] = {
	[S_ASKED] = step,
	[S_FOLLOWS] = step,
	[C_WAIT] = step,
	[C_FOLLOWS] = step,
};

const struct protocol protocol_telnet = {
	.name = "TELNET",
	.first = {[UPGRADE_SERVER] = S_ASKED, [UPGRADE_CLIENT] = C_WAIT},
	.steps = steps,
	.want = want,
	.start = start,
};
