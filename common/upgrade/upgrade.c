#include "upgrade/machine.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct protocol *const protocols[] = {
	[UPGRADE_SMTP] = &protocol_smtp,
	[UPGRADE_IMAP] = &protocol_imap,
	[UPGRADE_POP3] = &protocol_pop3,
	[UPGRADE_LDAP] = &protocol_ldap,
	[UPGRADE_POSTGRES] = &protocol_postgres,
	[UPGRADE_TELNET] = &protocol_telnet,
};

int upgrade_parse(const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (strcasecmp(text, protocols[i]->name) == 0)
			return (int)i;
	return strcasecmp(text, "PGSQL") == 0 ? UPGRADE_POSTGRES : -EINVAL;
}

const char *upgrade_name(enum upgrade_proto p)
{
	return protocols[p]->name;
}

int upgrade_new(const struct upgrade_spec *s, struct upgrade **ret)
{
	struct upgrade *u = calloc(1, sizeof *u);

	if (!u)
		return -ENOMEM;
	u->protocol = protocols[s->proto];
	u->role = s->role;
	u->required = s->required;
	(void)snprintf(u->name, sizeof u->name, "%s",
		       s->name && s->name[0] ? s->name : "localhost");
	u->state = u->protocol->first[s->role];
	if (u->protocol->start)
		u->protocol->start(u);
	*ret = u;
	return 0;
}

void upgrade_free(struct upgrade *u)
{
	free(u);
}

/* ---- tools of the protocols
 * ---------------------------------------------------------------- */

void machine_fail(struct upgrade *u, const char *fmt, ...)
{
	va_list ap;

	if (u->verdict == UPGRADE_FAILED)
		return;
	u->verdict = UPGRADE_FAILED;
	va_start(ap, fmt);
	(void)vsnprintf(u->why, sizeof u->why, fmt, ap);
	va_end(ap);
	for (char *p = u->why; *p; p++) /* the peer's words may be in it */
		if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
			*p = '?';
}

void machine_put(struct upgrade *u, enum upgrade_side to, const void *bytes,
		 size_t len)
{
	struct lane *l = &u->out[to];

	if (len > sizeof l->buf - l->len) {
		machine_fail(u, "the peer does not read our answers");
		return;
	}
	memcpy(l->buf + l->len, bytes, len);
	l->len += len;
}

void machine_say(struct upgrade *u, enum upgrade_side to, const char *text)
{
	machine_put(u, to, text, strlen(text));
}

static void lane_take(struct lane *l, size_t n)
{
	l->len -= n;
	memmove(l->buf, l->buf + n, l->len);
}

void machine_take(struct upgrade *u, enum upgrade_side from, size_t n)
{
	lane_take(&u->in[from], n);
}

void machine_tls(struct upgrade *u)
{
	if (u->in[UPGRADE_WIRE].len)
		machine_fail(u,
			     "%zu clear bytes of the peer lie behind the "
			     "command that starts TLS",
			     u->in[UPGRADE_WIRE].len);
	else if (u->verdict == UPGRADE_WAIT)
		u->verdict = UPGRADE_TLS_NOW;
}

static void pass_on(struct upgrade *u, enum upgrade_side from)
{
	enum upgrade_side to =
		from == UPGRADE_WIRE ? UPGRADE_CLEAR : UPGRADE_WIRE;

	machine_put(u, to, u->in[from].buf, u->in[from].len);
	u->in[from].len = 0;
}

void machine_over(struct upgrade *u, enum upgrade_verdict v)
{
	if (u->verdict == UPGRADE_FAILED)
		return;
	if (v != UPGRADE_CLOSE) {
		pass_on(u, UPGRADE_CLEAR);
		pass_on(u, UPGRADE_WIRE);
	}
	if (u->verdict != UPGRADE_FAILED)
		u->verdict = v;
}

void machine_greet(struct upgrade *u)
{
	if (u->role == UPGRADE_CLIENT)
		machine_put(u, UPGRADE_CLEAR, u->keep, u->kept);
	machine_over(u, UPGRADE_SECURE);
}

void machine_no_tls(struct upgrade *u, const char *why)
{
	if (u->required)
		machine_fail(u, "%s", why);
	else
		machine_over(u, UPGRADE_STAY_CLEAR);
}

bool machine_line(struct upgrade *u, enum upgrade_side from, char *line)
{
	struct lane *l = &u->in[from];
	const uint8_t *end = memchr(l->buf, '\n', l->len);
	size_t n = end ? (size_t)(end - l->buf) : l->len;

	if (n > UPGRADE_LINE_MAX) {
		machine_fail(u, "a line of more than %d bytes before TLS",
			     UPGRADE_LINE_MAX);
		return false;
	}
	if (!end)
		return false;
	if (memchr(l->buf, '\0', n)) {
		machine_fail(u, "a zero byte in a line before TLS");
		return false;
	}
	memcpy(line, l->buf, n);
	if (n && line[n - 1] == '\r')
		line[n - 1] = '\0';
	line[n] = '\0';
	lane_take(l, (size_t)(end - l->buf) + 1);
	return true;
}

/* ---- doors --------------------------------------------------------------- */

static void run(struct upgrade *u)
{
	while (u->verdict == UPGRADE_WAIT && u->protocol->steps[u->state](u))
		;
}

size_t upgrade_input(struct upgrade *u, enum upgrade_side from,
		     const void *bytes, size_t len)
{
	struct lane *l = &u->in[from];
	size_t n;

	if (u->verdict != UPGRADE_WAIT)
		return 0;
	n = MIN(len, sizeof l->buf - l->len);
	if (n == 0)
		return 0;
	memcpy(l->buf + l->len, bytes, n);
	l->len += n;
	run(u);
	return n;
}

size_t upgrade_want(const struct upgrade *u, enum upgrade_side from)
{
	if (from == UPGRADE_WIRE && u->protocol->want)
		return u->protocol->want(u);
	return UPGRADE_BUF_MAX;
}

size_t upgrade_output(struct upgrade *u, enum upgrade_side to, void *buf,
		      size_t cap)
{
	struct lane *l = &u->out[to];
	size_t n = MIN(cap, l->len);

	if (n == 0)
		return 0;
	memcpy(buf, l->buf, n);
	lane_take(l, n);
	run(u); /* what waited for room */
	return n;
}

enum upgrade_verdict upgrade_verdict(const struct upgrade *u)
{
	return u->verdict;
}

void upgrade_secured(struct upgrade *u)
{
	if (u->verdict != UPGRADE_TLS_NOW)
		return;
	u->verdict = UPGRADE_WAIT;
	if (u->protocol->secured)
		u->protocol->secured(u);
	else
		machine_over(u, UPGRADE_SECURE);
	run(u);
}

const char *upgrade_why(const struct upgrade *u)
{
	return u->why;
}
