/* server.c: what the server replies, and what we ask it ourselves. */
#include "follow.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

/* ---- before the client may speak
 * --------------------------------------------------- */

static void ask(struct ftp *f, const char *command, enum ftp_pending p)
{
	ftp_say(f, FTP_SERVER, "%s", command);
	ftp_push(f, p);
}

static void give_up(struct ftp *f, const char *why)
{
	ftp_say(f, FTP_CLIENT, "421 %s", why);
	ftp_end(f, why);
}

/* The server has greeted. */
static void prepare(struct ftp *f)
{
	switch (f->cfg.tls[FTP_SERVER]) {
	case FTP_TLS_NONE:
		f->prepared = true;
		break;
	case FTP_TLS_IMPLICIT:
		ask(f, "PBSZ 0", FTP_P_PBSZ);
		break;
	case FTP_TLS_EXPLICIT:
		ask(f, "AUTH TLS", FTP_P_AUTH);
		break;
	}
}

void ftp_tls_done(struct ftp *f)
{
	enum ftp_side side = f->wish.side;
	bool start = f->wish.kind == FTP_WISH_TLS_START;

	f->waiting = false;
	f->secure[side] = start;
	if (side == FTP_SERVER)
		ask(f, "PBSZ 0", FTP_P_PBSZ);
}

static void answered_prot(struct ftp *f, char digit)
{
	/* a server with implicit TLS that knows no PROT protects data anyhow */
	if (digit != '2' && f->cfg.tls[FTP_SERVER] == FTP_TLS_EXPLICIT) {
		give_up(f, "The server does not protect data connections.");
		return;
	}
	f->prot[FTP_SERVER] = true;
	f->prepared = true;
}

/* The last line of a reply to a command of ours. */
static void answered_ours(struct ftp *f, enum ftp_pending p, char digit)
{
	switch (p) {
	case FTP_P_AUTH:
		if (digit == '2')
			ftp_want(f,
				 &(struct ftp_wish){.kind = FTP_WISH_TLS_START,
						    .side = FTP_SERVER});
		else
			give_up(f, "The server refuses TLS.");
		break;
	case FTP_P_PBSZ: /* needed before PROT, its own outcome is not */
		ask(f, "PROT P", FTP_P_PROT);
		break;
	case FTP_P_PROT:
		answered_prot(f, digit);
		break;
	case FTP_P_PASS:
	case FTP_P_GREETING:
	case FTP_P_PASSIVE:
	case FTP_P_PORT:
	case FTP_P_FEAT:
	case FTP_P_AUTH_PASSED:
		break;
	}
}

/* ---- data connections
 * ----------------------------------------------------------- */

static void passive_is_there(struct ftp *f, const char *text)
{
	struct ip_port at = {.port = 0};
	int r = -EINVAL;

	if (strncmp(text, "227", 3) == 0)
		r = ftp_parse_227(text + 3, &at);
	else if (strncmp(text, "229", 3) == 0)
		r = ftp_parse_229(text + 3, &at.port);
	if (r < 0) {
		ftp_say(f, FTP_CLIENT, "425 The server's reply has no port.");
		return;
	}
	at.addr = f->cfg.peer[FTP_SERVER]; /* [RFC2577 3] */
	ftp_want(f, &(struct ftp_wish){.kind = FTP_WISH_LISTEN,
				       .side = FTP_CLIENT,
				       .to = at});
}

static void tell_client(struct ftp *f, const struct ip_port *at)
{
	const uint8_t *b = at->addr.b;

	if (f->extended)
		ftp_say(f, FTP_CLIENT,
			"229 Entering Extended Passive Mode (|||%u|)",
			at->port);
	else
		ftp_say(f, FTP_CLIENT,
			"227 Entering Passive Mode (%u,%u,%u,%u,%u,%u)", b[0],
			b[1], b[2], b[3], at->port >> 8, at->port & 255);
}

static void tell_server(struct ftp *f, const struct ip_port *at)
{
	const uint8_t *b = at->addr.b;
	char text[ADDR_TEXT_MAX];

	if (at->addr.family == IP_V6)
		ftp_say(f, FTP_SERVER, "EPRT |2|%s|%u|",
			ip_format(&at->addr, text), at->port);
	else
		ftp_say(f, FTP_SERVER, "PORT %u,%u,%u,%u,%u,%u", b[0], b[1],
			b[2], b[3], at->port >> 8, at->port & 255);
	ftp_push(f, FTP_P_PORT);
}

void ftp_listening(struct ftp *f, const struct ip_port *at)
{
	f->waiting = false;
	if (!at)
		ftp_say(f, FTP_CLIENT, "425 No port for a data connection.");
	else if (f->wish.side == FTP_CLIENT)
		tell_client(f, at);
	else
		tell_server(f, at);
}

/* ---- FEAT [RFC2389], [RFC4217 6]
 * ---------------------------------------------------- */

/* What the server says about TLS is not what the client gets from us. */
static bool about_tls(const char *text)
{
	static const char *const words[] = {"AUTH", "PBSZ", "PROT", "CCC"};

	while (*text == ' ')
		text++;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strncasecmp(text, words[i], strlen(words[i])) == 0)
			return true;
	}
	return false;
}

static void feat_line(struct ftp *f, const char *text, bool last)
{
	if (last && text[0] == '2' && f->multiline &&
	    f->cfg.tls[FTP_CLIENT] != FTP_TLS_NONE) {
		ftp_say(f, FTP_CLIENT, " AUTH TLS");
		ftp_say(f, FTP_CLIENT, " PBSZ");
		ftp_say(f, FTP_CLIENT, " PROT");
	}
	if (last || !about_tls(text))
		ftp_pass(f, FTP_SERVER);
}

/* ---- replies
 * -------------------------------------------------------------------- */

static bool has_code(const char *text)
{
	return isdigit((unsigned char)text[0]) &&
	       isdigit((unsigned char)text[1]) &&
	       isdigit((unsigned char)text[2]);
}

/* [RFC959 4.2] "ddd-" begins several lines, "ddd " with the same code ends
 * them. */
static bool is_last(struct ftp *f, const char *text)
{
	if (f->multiline)
		return strncmp(text, f->code, 3) == 0 && text[3] != '-';
	if (!has_code(text) || text[3] != '-')
		return true;
	memcpy(f->code, text, 3);
	return false;
}

static bool is_ours(enum ftp_pending p)
{
	return p == FTP_P_AUTH || p == FTP_P_PBSZ || p == FTP_P_PROT;
}

static void blind(struct ftp *f)
{
	/* half a command that came too early is the first of those bytes */
	ftp_pass(f, FTP_CLIENT);
	f->in[FTP_CLIENT].len = 0;
	f->blind = true;
	ftp_want(f, &(struct ftp_wish){.kind = FTP_WISH_BLIND});
}

/* The last line of a reply: 1xx leave the command under way. */
static void reply_is_there(struct ftp *f, const char *text)
{
	enum ftp_pending p = ftp_front(f);
	bool swallow = is_ours(p) || (p == FTP_P_PASSIVE && text[0] == '2');

	if (text[0] == '1' && p != FTP_P_GREETING) {
		ftp_pass(f, FTP_SERVER);
		return;
	}
	if (p == FTP_P_FEAT)
		feat_line(f, text, true);
	else if (!swallow)
		ftp_pass(f, FTP_SERVER);
	if (p == FTP_P_GREETING && text[0] == '1')
		return; /* "120 ready in n minutes" */
	ftp_pop(f);
	if (p == FTP_P_GREETING && text[0] == '2')
		prepare(f);
	else if (p == FTP_P_PASSIVE && text[0] == '2')
		passive_is_there(f, text);
	else if (p == FTP_P_AUTH_PASSED && text[0] == '2')
		blind(f);
	else if (is_ours(p))
		answered_ours(f, p, text[0]);
}

void ftp_server_line(struct ftp *f, const char *text)
{
	enum ftp_pending p = ftp_front(f);
	bool last;

	if (!f->multiline && !has_code(text)) {
		ftp_end(f, "the server's reply has no code");
		return;
	}
	last = is_last(f, text);
	if (last)
		reply_is_there(f, text);
	else if (p == FTP_P_FEAT)
		feat_line(f, text, false);
	else if (!is_ours(p) && p != FTP_P_PASSIVE)
		ftp_pass(f, FTP_SERVER);
	f->multiline = !last;
}
