/*
 * deck_proxy.c: PROXY and SNI.
 *
 * The operand x of each side is "*", a local address (to listen on, to connect
 * from), a key file of that side when it is SSL, or KEYFILE@ADDRESS.
 */
#include "deck_parts.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char *const family_words[] = {"V4", "V6", "ANY"};
static const uint8_t families[] = {IP_V4, IP_V6, IP_NONE};

static bool is_name(const char *text, size_t max)
{
	size_t len = strlen(text);

	if (!len || len > max)
		return false;
	for (const char *p = text; *p; p++) {
		if (!isalnum((unsigned char)*p) && !strchr("._-@#$", *p))
			return false;
	}
	return true;
}

/* ---- one side
 * -------------------------------------------------------------------- */

static bool read_local(struct proxyd_side *s, struct deck_args *a,
		       const char *text)
{
	struct ip_addr addr;

	if (ip_parse(text, &addr) < 0 || addr.family != s->family) {
		deck_args_expected(a, "x",
				   s->family == IP_NONE
					   ? "no local address, as the family "
					     "is ANY"
					   : "*, a local %s address%s, as this "
					     "side is %s",
				   s->family == IP_V4 ? "IPv4" : "IPv6",
				   s->ssl ? " or a key file" : "",
				   s->ssl ? "SSL" : "TXT");
		return false;
	}
	s->local = addr;
	return true;
}

static void read_x(struct proxyd_side *s, struct deck_args *a)
{
	const char *text, *at;
	struct ip_addr addr;
	size_t len;

	if (deck_args_default(a))
		return;
	text = deck_args_text(a, "x", "*, a local address or a key file");
	if (!text)
		return;
	at = strrchr(text, '@');
	if (at && ip_parse(at + 1, &addr) < 0)
		at = NULL; /* an at sign is a letter of key files */
	len = at ? (size_t)(at - text) : strlen(text);
	if (at && !read_local(s, a, at + 1))
		return;
	if (!at && (!s->ssl || ip_parse(text, &addr) == 0)) {
		read_local(s, a, text);
		return;
	}
	if (!s->ssl || len > TLSDECK_MEMBER_MAX || !is_name(text, len + 64)) {
		deck_args_expected(a, "x", "%s",
				   s->ssl ? "*, a local address or a key file"
					  : "no key file, as this side is TXT");
		return;
	}
	memcpy(s->keyfile, text, len);
}

/* `any`: both families will do. */
static bool read_side(struct proxyd_side *s, struct deck_args *a, bool any)
{
	static const char *const modes[] = {"TXT", "SSL"};
	unsigned family, mode;

	if (!deck_args_word(a, "family", family_words, any ? 3 : 2, &family) ||
	    !deck_args_u16(a, "port", 1, 65535, &s->port) ||
	    !deck_args_word(a, "mode", modes, 2, &mode))
		return false;
	s->family = families[family];
	s->ssl = mode == 1;
	read_x(s, a);
	return a->errors == 0;
}

/* ---- targets
 * --------------------------------------------------------------------- */

static bool port_number(const char *text, uint16_t *ret)
{
	char *end;
	unsigned long v;

	if (*text < '0' || *text > '9')
		return false;
	v = strtoul(text, &end, 10);
	if (*end || v < 1 || v > 65535)
		return false;
	*ret = (uint16_t)v;
	return true;
}

/* host, host:port, [address]:port; an address with colons and no brackets
 * has no port. */
static bool split_target(const char *text, struct proxyd_target *t)
{
	const char *end = NULL, *port = NULL;
	struct ip_addr addr;
	size_t len;

	if (text[0] == '[') {
		text++;
		end = strchr(text, ']');
		if (!end || (end[1] && end[1] != ':'))
			return false;
		port = end[1] ? end + 2 : NULL;
	} else if (ip_parse(text, &addr) < 0 && (end = strchr(text, ':'))) {
		port = end + 1;
	}
	len = end ? (size_t)(end - text) : strlen(text);
	if (len > PROXYD_HOST_MAX || (port && !port_number(port, &t->port)))
		return false;
	memcpy(t->host, text, len);
	t->host[len] = '\0';
	return ip_parse(t->host, &addr) == 0 ||
	       is_name(t->host, PROXYD_HOST_MAX);
}

static bool read_target(struct proxyd_deck_builder *b, struct deck_args *a,
			const struct proxyd_side *side,
			struct proxyd_targets *list)
{
	const char *expected = "a name or address, perhaps with :port";
	const char *text = deck_args_text(a, "host", expected);
	struct proxyd_target t = {.port = 0}, *p;
	struct ip_addr addr;

	if (!text)
		return false;
	if (!split_target(text, &t)) {
		deck_args_expected(a, "host", "%s", expected);
		return false;
	}
	if (ip_parse(t.host, &addr) == 0 && side->family != IP_NONE &&
	    addr.family != side->family) {
		deck_args_expected(a, "host",
				   "an %s address, as the side is %s",
				   side->family == IP_V4 ? "IPv4" : "IPv6",
				   family_words[side->family == IP_V6]);
		return false;
	}
	p = proxyd_deck_grow(b, a, &list->list, &list->n, sizeof *p,
			     PROXYD_TARGETS_MAX, "targets");
	if (!p)
		return false;
	*p = t;
	return true;
}

static void read_targets(struct proxyd_deck_builder *b, struct deck_args *a,
			 const struct proxyd_side *side,
			 struct proxyd_targets *list)
{
	do {
		if (!read_target(b, a, side, list) && b->error)
			return;
	} while (deck_args_more(a));
}

/* ---- PROXY
 * ----------------------------------------------------------------------- */

static bool same_listener(const struct proxyd_proxy *p,
			  const struct proxyd_proxy *q)
{
	return p->udp == q->udp && p->client.family == q->client.family &&
	       p->client.port == q->client.port &&
	       (p->client.local.family == IP_NONE ||
		q->client.local.family == IP_NONE ||
		ip_eq(&p->client.local, &q->client.local));
}

static void check_proxy(struct proxyd_deck_builder *b, struct deck_args *a,
			const struct proxyd_proxy *p)
{
	const struct tls_settings *t = &p->set.tls;

	for (uint32_t i = 0; i < b->d->n_proxies; i++) {
		if (same_listener(&b->d->proxies[i], p))
			deck_args_note(a, DECK_ERROR,
				       "port %u is listened on by the PROXY "
				       "in line %u",
				       p->client.port, b->d->proxies[i].line);
	}
	if (p->udp && (p->client.ssl || p->server.ssl))
		deck_args_note(a, DECK_ERROR,
			       "PROXY UDP: expected TXT on both sides");
	if (p->client.ssl && !p->client.keyfile[0] && !t->keyfile[0])
		deck_args_note(a, DECK_ERROR,
			       "the SSL side that listens has no key file: "
			       "expected KEYFILE before PROXY, or a key file "
			       "as x");
	if (p->server.ssl && t->handshake_client == 3)
		deck_args_note(a, DECK_WARNING,
			       "the servers' certificates are not checked: "
			       "HANDSHAKE_CLIENT 0 would do it");
	if (p->udp && (p->set.header_in || p->set.header_out))
		deck_args_note(a, DECK_INFO,
			       "PROXYHEADER has no effect on PROXY UDP");
	if (p->udp && t->ftp)
		deck_args_note(a, DECK_ERROR,
			       "OPTION FTP: expected PROXY TCP behind it");
}

void proxyd_deck_cmd_proxy(struct proxyd_deck_builder *b, struct deck_args *a)
{
	static const char *const protocols[] = {"TCP", "UDP"};
	static const char *const to[] = {"TO"};
	struct proxyd_proxy p = {.line = b->cmd->line, .set = b->set}, *q;
	unsigned protocol, i;

	if (!deck_args_word(a, "protocol", protocols, 2, &protocol) ||
	    !read_side(&p.client, a, false) ||
	    !deck_args_word(a, "TO", to, 1, &i) ||
	    !read_side(&p.server, a, true))
		return;
	p.udp = protocol == 1;
	read_targets(b, a, &p.server, &p.targets);
	check_proxy(b, a, &p);
	if (!deck_args_end(a) || b->error)
		goto refused;
	q = proxyd_deck_grow(b, a, &b->d->proxies, &b->d->n_proxies, sizeof *q,
			     PROXYD_PROXIES_MAX, "PROXY commands");
	if (!q)
		goto refused;
	*q = p;
	return;
refused:
	free(p.targets.list);
}

/* ---- SNI
 * ------------------------------------------------------------------------- */

static bool read_pattern(struct deck_args *a, char *ret)
{
	const char *expected = "a name, or *. and the end of names";
	const char *text = deck_args_text(a, "pattern", expected);
	const char *name;

	if (!text)
		return false;
	name = strncmp(text, "*.", 2) == 0 ? text + 2 : text;
	if (strlen(text) > PROXYD_HOST_MAX || !is_name(name, PROXYD_HOST_MAX)) {
		deck_args_expected(a, "pattern", "%s", expected);
		return false;
	}
	for (size_t i = 0; i <= strlen(text); i++)
		ret[i] = (char)tolower((unsigned char)text[i]);
	return true;
}

void proxyd_deck_cmd_sni(struct proxyd_deck_builder *b, struct deck_args *a)
{
	struct proxyd_sni s = {.proxy = b->d->n_proxies - 1}, *p;
	const struct proxyd_proxy *px;

	if (!b->d->n_proxies) {
		deck_args_note(a, DECK_ERROR,
			       "SNI: expected behind the PROXY it belongs to");
		return;
	}
	px = &b->d->proxies[s.proxy];
	if (px->udp || px->client.ssl || px->server.ssl) {
		deck_args_note(a, DECK_ERROR,
			       "SNI: expected behind a PROXY TCP with TXT on "
			       "both sides, where TLS passes through");
		return;
	}
	if (!read_pattern(a, s.pattern))
		return;
	read_targets(b, a, &px->server, &s.targets);
	p = a->errors || b->error
		    ? NULL
		    : proxyd_deck_grow(b, a, &b->d->snis, &b->d->n_snis,
				       sizeof *p, PROXYD_SNIS_MAX,
				       "SNI commands");
	if (p)
		*p = s;
	else
		free(s.targets.list);
}
