#include "deck.h"

#include "deck/words.h"
#include "deck_parts.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define INTERVAL_DEFAULT_S 120
#define INTERVAL_MAX_S 86400

/* ---- small commands
 * ------------------------------------------------------------- */

/* Two digits, as z/VSE writes the ID of a stack. */
static void read_id(struct deck_args *a, char *ret)
{
	const char *expected = "two digits";
	const char *text = deck_args_text(a, "number", expected);

	if (!text)
		return;
	if (strlen(text) != 2 || strspn(text, "0123456789") != 2)
		deck_args_expected(a, "number", "%s", expected);
	else
		memcpy(ret, text, 3);
	deck_args_end(a);
}

static void cmd_id(struct stackd_deck_builder *b, struct deck_args *a)
{
	read_id(a, b->d->id);
}

static void cmd_couple(struct stackd_deck_builder *b, struct deck_args *a)
{
	read_id(a, b->d->couple);
	if (b->d->couple[0] && strcmp(b->d->couple, b->d->id) == 0)
		deck_args_note(a, DECK_ERROR,
			       "COUPLE %s: expected the ID of another stack",
			       b->d->couple);
}

static void cmd_interval(struct stackd_deck_builder *b, struct deck_args *a)
{
	deck_args_u32(a, "seconds", 1, INTERVAL_MAX_S, &b->d->interval_s);
	deck_args_end(a);
}

static void cmd_attach(struct stackd_deck_builder *b, struct deck_args *a)
{
	static const char *const words[] = {"TCP/IP"};
	unsigned i;

	deck_args_word(a, "component", words, 1, &i);
	deck_args_end(a);
	b->d->attached = true;
	b->attach_line = b->cmd->line;
}

/* COMPANY CPUID LICENSE and IPV6/VSE ENABLE of a licence member. */
static void cmd_licence(struct stackd_deck_builder *b, struct deck_args *a)
{
	if (b->d->n_licence++ == 0)
		deck_args_note(a, DECK_INFO,
			       "licence records are accepted and not needed");
}

/* ---- the table
 * --------------------------------------------------------------------- */

enum { ONCE = 1, LICENCE = 2 };

static const struct command {
	const char *keyword;
	stackd_deck_fn read;
	int flags;
} commands[] = {
	{"ID", cmd_id, ONCE},
	{"COUPLE", cmd_couple, ONCE},
	{"COUPLED", cmd_couple, ONCE},
	{"INTERVAL", cmd_interval, ONCE},
	{"ATTACH", cmd_attach, ONCE},
	{"DEVICE", stackd_deck_cmd_device, 0},
	{"ADAPTER", stackd_deck_cmd_adapter, 0},
	{"LINK", stackd_deck_cmd_link, 0},
	{"ROUTE", stackd_deck_cmd_route, 0},
	{"DNS", stackd_deck_cmd_dns, 0},
	{"HOST", stackd_deck_cmd_host, 0},
	{"SEARCH", stackd_deck_cmd_search, 0},
	{"IN", stackd_deck_cmd_rule, 0},
	{"OUT", stackd_deck_cmd_rule, 0},
	{"TCP", stackd_deck_cmd_tcp, 0},
	{"IP", stackd_deck_cmd_ip, 0},
	{"PORTS", stackd_deck_cmd_ports, ONCE},
	{"LIMIT", stackd_deck_cmd_limit, 0},
	{"ALLOW", stackd_deck_cmd_allow, 0},
	{"POLICY", stackd_deck_cmd_policy, 0},
	{"RESERVE", stackd_deck_cmd_reserve, ONCE},
	{"METRICS", stackd_deck_cmd_metrics, ONCE},
	{"TLS", stackd_deck_cmd_tls, 0},
	{"COMPANY", cmd_licence, LICENCE},
	{"CPUID", cmd_licence, LICENCE},
	{"LICENSE", cmd_licence, LICENCE},
	{"IPV6/VSE", cmd_licence, LICENCE},
};

static void unknown(struct deck_args *a)
{
	const char *words[ARRAY_SIZE(commands)];

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		words[i] = commands[i].keyword;
	deck_unknown(a, "stackd", words, ARRAY_SIZE(words));
}

static const struct command *find(const char *keyword)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(keyword, commands[i].keyword) == 0)
			return &commands[i];
	}
	return NULL;
}

/* Rules about the order of commands; false: do not read this one. */
static bool in_order(struct stackd_deck_builder *b, struct deck_args *a,
		     const struct command *c)
{
	size_t i = (size_t)(c - commands);

	if (c->flags & LICENCE)
		return true;
	if (b->attach_line) {
		deck_args_note(a, DECK_ERROR,
			       "%s after ATTACH in line %u: expected nothing "
			       "after ATTACH",
			       c->keyword, b->attach_line);
		return false;
	}
	if (c->read == cmd_couple)
		i = (size_t)(find("COUPLE") - commands); /* alias */
	if ((c->flags & ONCE) && b->seen[i]) {
		deck_args_note(a, DECK_ERROR,
			       "%s was given in line %u: expected only one",
			       c->keyword, b->seen[i]);
		return false;
	}
	if (!b->seen[i])
		b->seen[i] = b->cmd->line;
	if (c->read == cmd_id && b->any) {
		deck_args_note(a, DECK_ERROR,
			       "ID: expected before all other commands");
	}
	b->id_seen = b->id_seen || c->read == cmd_id;
	b->any = true;
	return true;
}

static void read_command(struct stackd_deck_builder *b)
{
	const struct command *c = find(b->cmd->keyword);
	struct deck_args a;

	if (!c) {
		a = (struct deck_args){.cmd = b->cmd, .report = b->report};
		unknown(&a);
		return;
	}
	a = deck_args_of(b->cmd, b->report);
	if (in_order(b, &a, c))
		c->read(b, &a);
}

/* ---- the whole deck
 * ----------------------------------------------------------------- */

static void init(struct stackd_deck *d)
{
	struct stack_config cfg;

	stack_config_default(&cfg);
	*d = (struct stackd_deck){
		.interval_s = INTERVAL_DEFAULT_S,
		.ip = cfg.ip,
		.tcp = cfg.tcp,
		.pool_limit_bytes = cfg.pool_limit_bytes,
		.sock_max = cfg.sock_max,
		.timewait_max = cfg.timewait_max,
		.port_lo = cfg.port_lo,
		.port_hi = cfg.port_hi,
		.priv_port_max = STACKD_DECK_RESERVE,
		.divert_wait_s = STACKD_DECK_TLS_WAIT,
	};
}

/* What the JCL said that concerns stackd, and that the rest does not. */
static void read_settings(struct stackd_deck_builder *b)
{
	const struct deck_settings *s = deck_settings(b->source);

	memcpy(b->d->job, s->job, sizeof(b->d->job));
	if (s->sysparm_line && strcmp(s->sysparm, b->d->id) != 0)
		deck_note(b->report, DECK_WARNING, s->sysparm_file,
			  s->sysparm_line, 1,
			  "OPTION SYSPARM='%s' is not this stack's ID %s",
			  s->sysparm, b->d->id);
	for (uint32_t i = 0; i < s->n_setparm; i++)
		deck_note(b->report, DECK_INFO, s->setparm[i].file,
			  s->setparm[i].line, s->setparm[i].column,
			  "SETPARM %s has no effect on stackd",
			  s->setparm[i].name);
	if (s->upsi_line)
		deck_note(b->report, DECK_INFO, s->upsi_file, s->upsi_line, 1,
			  "UPSI has no effect on stackd");
	if (s->user_line)
		deck_note(b->report, DECK_INFO, s->user_file, s->user_line, 1,
			  "// ID USER=%s: stackd runs as the user that its "
			  "unit names",
			  s->user);
}

static int build(const struct deck *source, void *value,
		 struct deck_report *report)
{
	struct stackd_deck *ret = value;
	struct stackd_deck_builder b = {
		.d = ret,
		.source = source,
		.report = report,
	};
	uint32_t it = 0;

	static_assert(ARRAY_SIZE(commands) <= STACKD_DECK_COMMANDS,
		      "one line number a command");
	init(ret);
	while (!b.error && (b.cmd = deck_next(source, &it)))
		read_command(&b);
	if (!b.error) {
		stackd_deck_defaults(&b);
		read_settings(&b);
		if (deck_count(source) || !report->n_errors)
			stackd_deck_check(&b);
	}
	free(b.route_cmd);
	return b.error;
}

static const char *const programs[] = {"BSTTINET", "BSTT6NET", NULL};
static const char *const members[] = {STACKD_DECK_MEMBERS, NULL};
static void free_value(void *value)
{
	stackd_deck_free(value);
}

static const struct deck_kind kind = {
	.options = {.include_dirs = members, .programs = programs},
	.build = build,
	.free = free_value,
};

int stackd_deck_read(const char *path, struct stackd_deck *ret,
		     struct deck_report *report)
{
	*ret = (struct stackd_deck){0};
	return deck_build(&kind, path, NULL, 0, ret, report);
}

int stackd_deck_parse(const char *name, const char *text, size_t len,
		      struct stackd_deck *ret, struct deck_report *report)
{
	*ret = (struct stackd_deck){0};
	return deck_build(&kind, name, text, len, ret, report);
}

void stackd_deck_free(struct stackd_deck *d)
{
	free(d->routes);
	free(d->rules);
	free(d->hosts);
	*d = (struct stackd_deck){0};
}
