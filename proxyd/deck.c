#include "deck.h"

#include "deck/words.h"
#include "deck_parts.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define INTERVAL_MAX_S 86400

/* ---- small commands
 * ------------------------------------------------------------ */

static void cmd_id(struct proxyd_deck_builder *b, struct deck_args *a)
{
	const char *expected = "two digits, or * for the kernel's sockets";
	const char *text = deck_args_text(a, "number", expected);

	if (!text)
		return;
	if (strcmp(text, PROXYD_ID_HOST) != 0 &&
	    (strlen(text) != 2 || strspn(text, "0123456789") != 2))
		deck_args_expected(a, "number", "%s", expected);
	else
		memcpy(b->d->id, text, strlen(text) + 1);
	deck_args_end(a);
}

static void cmd_name(struct proxyd_deck_builder *b, struct deck_args *a)
{
	(void)deck_args_name(a, "name", "_", PROXYD_NAME_MAX, b->d->name);
	deck_args_end(a);
}

static void cmd_interval(struct proxyd_deck_builder *b, struct deck_args *a)
{
	deck_args_u32(a, "seconds", 1, INTERVAL_MAX_S, &b->d->interval_s);
	deck_args_end(a);
}

/* COMPANY CPUID LICENSE and IPV6/VSE ENABLE of a licence member. */
static void cmd_licence(struct proxyd_deck_builder *b, struct deck_args *a)
{
	(void)b;
	deck_args_note(a, DECK_INFO,
		       "licence records are accepted and not needed");
}

/* ---- the table
 * ----------------------------------------------------------------- */

enum { ONCE = 1 };

static const struct command {
	const char *keyword;
	proxyd_deck_fn *read;
	int flags;
} commands[] = {
	{"ID", cmd_id, ONCE},
	{"NAME", cmd_name, ONCE},
	{"INTERVAL", cmd_interval, ONCE},
	{"PROXY", proxyd_deck_cmd_proxy, 0},
	{"SNI", proxyd_deck_cmd_sni, 0},
	{"BALANCE", proxyd_deck_cmd_balance, 0},
	{"HEALTH", proxyd_deck_cmd_health, 0},
	{"TIMEOUT", proxyd_deck_cmd_timeout, 0},
	{"LIMIT", proxyd_deck_cmd_limit, 0},
	{"PROXYHEADER", proxyd_deck_cmd_header, 0},
	{"ALLOW", proxyd_deck_cmd_access, 0},
	{"DENY", proxyd_deck_cmd_access, 0},
	{"HOST", proxyd_deck_cmd_host, 0},
	{"FTPPORTS", proxyd_deck_cmd_ftpports, ONCE},
	{"DRAIN", proxyd_deck_cmd_drain, ONCE},
	{"LOG", proxyd_deck_cmd_log, ONCE},
	{"METRICS", proxyd_deck_cmd_metrics, ONCE},
	{"SUBTASK", proxyd_deck_cmd_subtask, ONCE},
	{"COMPANY", cmd_licence, 0},
	{"CPUID", cmd_licence, 0},
	{"LICENSE", cmd_licence, 0},
	{"IPV6/VSE", cmd_licence, 0},
};

/* Those of common/tlsdeck, for the search of misspelt ones. */
static const char *const tls_words[] = {
	"KEYRING", "KEYFILE", "SECTYPE",      "OPTION",  "HANDSHAKE_SERVER",
	"CA_AUTH", "CIPHERS", "CA_AUTH_TYPE", "GROUPS",  "HANDSHAKE_CLIENT",
	"LEGACY",  "CAFILE",  "CRLFILE",      "TICKETS", "ALPN",
};

static void unknown(struct deck_args *a)
{
	const char *words[ARRAY_SIZE(commands) + ARRAY_SIZE(tls_words)];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		words[n++] = commands[i].keyword;
	for (size_t i = 0; i < ARRAY_SIZE(tls_words); i++)
		words[n++] = tls_words[i];
	deck_unknown(a, "proxyd", words, n);
}

static const struct command *find(const char *keyword)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(keyword, commands[i].keyword) == 0)
			return &commands[i];
	}
	return NULL;
}

static bool in_order(struct proxyd_deck_builder *b, struct deck_args *a,
		     const struct command *c)
{
	size_t i = (size_t)(c - commands);

	if ((c->flags & ONCE) && b->seen[i]) {
		deck_args_note(a, DECK_ERROR,
			       "%s was given in line %u: expected only one",
			       c->keyword, b->seen[i]);
		return false;
	}
	if (!b->seen[i])
		b->seen[i] = b->cmd->line;
	b->id_seen = b->id_seen || c->read == cmd_id;
	return true;
}

static void read_command(struct proxyd_deck_builder *b)
{
	const struct command *c = find(b->cmd->keyword);
	struct deck_args a = deck_args_of(b->cmd, b->report);

	if (c) {
		if (in_order(b, &a, c))
			c->read(b, &a);
	} else if (!tlsdeck_command(&b->set.tls, &a)) {
		unknown(&a);
	}
}

/* ---- the whole deck
 * ------------------------------------------------------------ */

void *proxyd_deck_grow(struct proxyd_deck_builder *b, struct deck_args *a,
		       void *list, uint32_t *n, size_t size, uint32_t max,
		       const char *what)
{
	void **at = list;
	char *p;

	if (*n == max) {
		deck_args_note(a, DECK_ERROR, "more than %u %s", max, what);
		return NULL;
	}
	if ((*n & (*n - 1)) == 0) { /* grows at powers of two */
		p = realloc(*at, size * (*n ? *n * 2 : 1));
		if (!p) {
			b->error = -ENOMEM;
			return NULL;
		}
		*at = p;
	}
	p = (char *)*at + size * (*n)++;
	memset(p, 0, size);
	return p;
}

static void init(struct proxyd_deck *d)
{
	*d = (struct proxyd_deck){
		.interval_s = PROXYD_INTERVAL_S,
		.conn_max = PROXYD_CONN_MAX,
		.flow_max = PROXYD_FLOW_MAX,
		.handshake_max = PROXYD_HANDSHAKE_MAX,
		.drain = PROXYD_DRAIN,
		.stop = PROXYD_STOP,
	};
}

static void read_settings(struct proxyd_deck_builder *b)
{
	const struct deck_settings *s = deck_settings(b->source);

	memcpy(b->d->job, s->job, sizeof b->d->job);
	if (s->sysparm_line && strcmp(s->sysparm, b->d->id) != 0)
		deck_note(b->report, DECK_WARNING, s->sysparm_file,
			  s->sysparm_line, 1,
			  "OPTION SYSPARM='%s' is not the ID %s", s->sysparm,
			  b->d->id);
	for (uint32_t i = 0; i < s->n_setparm; i++)
		deck_note(b->report, DECK_INFO, s->setparm[i].file,
			  s->setparm[i].line, s->setparm[i].column,
			  "SETPARM %s has no effect on proxyd",
			  s->setparm[i].name);
	if (s->upsi_line)
		deck_note(b->report, DECK_INFO, s->upsi_file, s->upsi_line, 1,
			  "UPSI has no effect on proxyd");
	if (s->user_line)
		deck_note(b->report, DECK_INFO, s->user_file, s->user_line, 1,
			  "// ID USER=%s: proxyd runs as the user that its "
			  "unit names",
			  s->user);
}

/* What only the whole deck can show. */
static void check(struct proxyd_deck_builder *b)
{
	struct proxyd_deck *d = b->d;
	const char *file;
	uint32_t line;

	deck_end(b->source, &file, &line);
	if (!b->id_seen)
		deck_note(b->report, DECK_ERROR, file, line, 1,
			  "ID is missing: expected ID nn, or ID * for the "
			  "kernel's sockets");
	if (!d->n_proxies)
		deck_note(b->report, DECK_ERROR, file, line, 1,
			  "PROXY is missing: expected at least one");
	if (!d->name[0])
		memcpy(d->name, d->id[0] == '*' ? "host" : d->id,
		       d->id[0] == '*' ? sizeof "host" : sizeof d->id);
}

static int build(const struct deck *source, void *value,
		 struct deck_report *report)
{
	struct proxyd_deck *ret = value;
	struct proxyd_deck_builder b = {
		.d = ret,
		.source = source,
		.report = report,
	};
	uint32_t it = 0;

	static_assert(ARRAY_SIZE(commands) <= PROXYD_DECK_COMMANDS,
		      "one line number a command");
	init(ret);
	proxyd_deck_defaults(&b.set);
	while (!b.error && (b.cmd = deck_next(source, &it)))
		read_command(&b);
	if (!b.error) {
		read_settings(&b);
		if (deck_count(source) || !report->n_errors)
			check(&b);
	}
	return b.error;
}

static const char *const programs[] = {"BSTTPRXY", NULL};
static const char *const members[] = {TLSDECK_RING_DIR, NULL};
static void free_value(void *value)
{
	proxyd_deck_free(value);
}

static const struct deck_kind kind = {
	.options = {.include_dirs = members, .programs = programs},
	.build = build,
	.free = free_value,
};

int proxyd_deck_read(const char *path, struct proxyd_deck *ret,
		     struct deck_report *report)
{
	*ret = (struct proxyd_deck){0};
	return deck_build(&kind, path, NULL, 0, ret, report);
}

int proxyd_deck_parse(const char *name, const char *text, size_t len,
		      struct proxyd_deck *ret, struct deck_report *report)
{
	*ret = (struct proxyd_deck){0};
	return deck_build(&kind, name, text, len, ret, report);
}

void proxyd_deck_free(struct proxyd_deck *d)
{
	for (uint32_t i = 0; i < d->n_proxies; i++)
		free(d->proxies[i].targets.list);
	for (uint32_t i = 0; i < d->n_snis; i++)
		free(d->snis[i].targets.list);
	free(d->proxies);
	free(d->snis);
	free(d->hosts);
	*d = (struct proxyd_deck){0};
}

const struct ip_addr *proxyd_deck_host(const struct proxyd_deck *d,
				       const char *name, enum ip_family family)
{
	for (uint32_t i = 0; i < d->n_hosts; i++) {
		if (strcasecmp(d->hosts[i].name, name) == 0 &&
		    d->hosts[i].addr.family == family)
			return &d->hosts[i].addr;
	}
	return NULL;
}
