#include "deck_parts.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* ---- reading
 * ------------------------------------------------------------------- */

static void read_route(const struct stackd_deck *d, struct deck_args *a,
		       struct stackd_change *c)
{
	c->kind = STACKD_CHANGE_ROUTE;
	(void)stackd_deck_parse_route(d, a, &c->route);
}

static void read_host(const struct stackd_deck *d, struct deck_args *a,
		      struct stackd_change *c)
{
	(void)d;
	c->kind = STACKD_CHANGE_HOST;
	(void)stackd_deck_parse_host(a, false, &c->host);
}

static void read_dns(const struct stackd_deck *d, struct deck_args *a,
		     struct stackd_change *c)
{
	(void)d;
	c->kind = STACKD_CHANGE_DNS;
	(void)stackd_deck_parse_dns(a, &c->dns);
}

static void read_rule(const struct stackd_deck *d, struct deck_args *a,
		      struct stackd_change *c)
{
	(void)d;
	c->kind = STACKD_CHANGE_RULE;
	(void)stackd_deck_parse_rule(a, &c->rule);
}

static void read_tcp(const struct stackd_deck *d, struct deck_args *a,
		     struct stackd_change *c)
{
	c->kind = STACKD_CHANGE_TCP;
	c->tcp = d->tcp;
	if (stackd_deck_parse_tcp(a, &c->tcp))
		stackd_deck_check_tcp(a, &c->tcp);
}

static void read_ip(const struct stackd_deck *d, struct deck_args *a,
		    struct stackd_change *c)
{
	c->kind = STACKD_CHANGE_IP;
	c->ip = d->ip;
	(void)stackd_deck_parse_ip(a, &c->ip);
}

static void read_delete(const struct stackd_deck *d, struct deck_args *a,
			struct stackd_change *c)
{
	static const char *const words[] = {"ROUTE", "HOST", "DNS", "RULES"};
	unsigned i;

	if (!deck_args_word(a, "object", words, ARRAY_SIZE(words), &i))
		return;
	switch (i) {
	case 0:
		c->kind = STACKD_CHANGE_ROUTE_DEL;
		(void)stackd_deck_parse_route(d, a, &c->route);
		break;
	case 1:
		c->kind = STACKD_CHANGE_HOST_DEL;
		(void)stackd_deck_parse_host(a, true, &c->host);
		break;
	case 2:
		c->kind = STACKD_CHANGE_DNS_DEL;
		(void)stackd_deck_parse_dns(a, &c->dns);
		break;
	default:
		c->kind = STACKD_CHANGE_RULES_CLEAR;
		deck_args_end(a);
		break;
	}
}

static const struct {
	const char *keyword;
	void (*read)(const struct stackd_deck *d, struct deck_args *a,
		     struct stackd_change *c);
} commands[] = {
	{"IN", read_rule},   {"OUT", read_rule},      {"ROUTE", read_route},
	{"HOST", read_host}, {"DNS", read_dns},       {"TCP", read_tcp},
	{"IP", read_ip},     {"DELETE", read_delete},
};

bool stackd_deck_is_command(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcasecmp(word, commands[i].keyword) == 0)
			return true;
	}
	return false;
}

static void read_one(const struct deck_command *cmd,
		     const struct stackd_deck *d, struct stackd_change *ret,
		     struct deck_report *report)
{
	struct deck_args a = deck_args_of(cmd, report);

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(cmd->keyword, commands[i].keyword) == 0) {
			commands[i].read(d, &a, ret);
			return;
		}
	}
	deck_args_note(&a, DECK_ERROR,
		       "'%.64s' cannot be changed while the stack runs",
		       cmd->keyword);
}

/* Nobody reads files of this host through the console. */
static int no_member(void *arg, const char *path, char **ret_text,
		     size_t *ret_len)
{
	(void)arg;
	(void)path;
	(void)ret_text;
	(void)ret_len;
	return -ENOENT;
}

int stackd_deck_command(const char *line, const struct stackd_deck *d,
			struct stackd_change *ret, struct deck_report *report)
{
	static const struct deck_options options = {.load = no_member};
	uint32_t errors = report->n_errors, it = 0;
	struct stackd_change c = {0};
	struct deck *source;
	int r;

	r = deck_read_text("console", line, strlen(line), &options, report,
			   &source);
	if (r < 0)
		return r;
	if (deck_count(source) == 1)
		read_one(deck_next(source, &it), d, &c, report);
	else
		deck_note(report, DECK_ERROR, "console", 1, 1,
			  "expected one command");
	deck_free(source);
	if (report->n_errors > errors)
		return -EINVAL;
	*ret = c;
	return 0;
}

/* ---- keeping the deck in force up to date
 * ---------------------------------------- */

static int delete_route(struct stackd_deck *d, const struct deck_route *r)
{
	for (uint32_t i = 0; i < d->n_routes; i++) {
		if (!stackd_deck_same_route(&d->routes[i], r))
			continue;
		memmove(&d->routes[i], &d->routes[i + 1],
			(d->n_routes - i - 1) * sizeof(*r));
		d->n_routes--;
		return 0;
	}
	return -ENOENT;
}

static int delete_host(struct stackd_deck *d, const struct deck_host *h)
{
	uint32_t kept = 0, all = d->n_hosts;

	for (uint32_t i = 0; i < all; i++) {
		const struct deck_host *o = &d->hosts[i];
		bool gone = h->addr.family == IP_NONE
				    ? strcasecmp(o->name, h->name) == 0
				    : stackd_deck_same_host(o, h);

		if (!gone)
			d->hosts[kept++] = *o;
	}
	d->n_hosts = kept;
	return kept < all ? 0 : -ENOENT;
}

static int delete_dns(struct stackd_deck *d, const struct deck_dns *s)
{
	for (uint32_t i = 0; i < d->n_dns; i++) {
		if (!ip_eq(&d->dns[i].addr, &s->addr))
			continue;
		memmove(&d->dns[i], &d->dns[i + 1],
			(d->n_dns - i - 1) * sizeof(*s));
		d->n_dns--;
		return 0;
	}
	return -ENOENT;
}

int stackd_deck_apply(struct stackd_deck *d, const struct stackd_change *c)
{
	switch (c->kind) {
	case STACKD_CHANGE_RULE:
		return stackd_deck_add_rule(d, &c->rule);
	case STACKD_CHANGE_RULES_CLEAR:
		d->n_rules = 0;
		return 0;
	case STACKD_CHANGE_ROUTE:
		return stackd_deck_add_route(d, &c->route);
	case STACKD_CHANGE_ROUTE_DEL:
		return delete_route(d, &c->route);
	case STACKD_CHANGE_HOST:
		return stackd_deck_add_host(d, &c->host);
	case STACKD_CHANGE_HOST_DEL:
		return delete_host(d, &c->host);
	case STACKD_CHANGE_DNS:
		return stackd_deck_add_dns(d, &c->dns);
	case STACKD_CHANGE_DNS_DEL:
		return delete_dns(d, &c->dns);
	case STACKD_CHANGE_IP:
		d->ip = c->ip;
		return 0;
	case STACKD_CHANGE_TCP:
		d->tcp = c->tcp;
		return 0;
	}
	return -ENOENT;
}
