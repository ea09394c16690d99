#include "deck.h"

#include "deck/deck.h"
#include "upgrade/upgrade.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAME_BUFFER 16384 /* what getpwnam_r() may need for one entry */
#define TIMEOUT_MAX_S 600

struct builder {
	struct tlsd_deck *d;
	const struct deck *source;
	struct deck_report *report;
	const struct deck_command *cmd;
	struct tls_settings tls;
	uint32_t timeout_s;
	uint32_t id_line, metrics_line;
	bool any;
	int error; /* -ENOMEM: give up */
};

/* ---- ID, TIMEOUT, METRICS ------------------------------------------------ */

static bool is_stack_id(const char *text)
{
	return strlen(text) == 2 && strspn(text, "0123456789") == 2;
}

static void cmd_id(struct builder *b, struct deck_args *a)
{
	const char *text = deck_args_text(a, "number", "two digits");

	if (b->id_line) {
		deck_args_note(a, DECK_ERROR,
			       "ID was given in line %u: expected only one",
			       b->id_line);
		return;
	}
	if (b->any)
		deck_args_note(a, DECK_ERROR,
			       "ID: expected before all other commands");
	b->id_line = b->cmd->line;
	if (text && !is_stack_id(text))
		deck_args_expected(a, "number", "two digits");
	else if (text)
		memcpy(b->d->id, text, 3);
	deck_args_end(a);
}

static void cmd_timeout(struct builder *b, struct deck_args *a)
{
	deck_args_u32(a, "seconds", 1, TIMEOUT_MAX_S, &b->timeout_s);
	deck_args_end(a);
}

static void cmd_metrics(struct builder *b, struct deck_args *a)
{
	if (b->metrics_line)
		deck_args_note(
			a, DECK_ERROR,
			"METRICS was given in line %u: expected only one",
			b->metrics_line);
	b->metrics_line = b->cmd->line;
	deck_args_path(a, "path", sizeof(b->d->metrics) - 1, b->d->metrics);
	deck_args_end(a);
}

/* ---- what SETPARM says too: SUBTASK, SSL$DBG, SSL$ICA, IPTRACE ------------
 */

static void cmd_subtask(struct builder *b, struct deck_args *a)
{
	deck_args_u32(a, "threads", 1, TLSD_SUBTASKS_MAX, &b->d->subtasks);
	deck_args_end(a);
}

static void yes_no(struct deck_args *a, bool *ret)
{
	static const char *const answers[] = {"NO", "YES"};
	unsigned i;

	if (deck_args_word(a, "answer", answers, 2, &i))
		*ret = i == 1;
	deck_args_end(a);
}

static void cmd_ssl_dbg(struct builder *b, struct deck_args *a)
{
	yes_no(a, &b->d->ssl_dbg);
}

static void cmd_ssl_ica(struct builder *b, struct deck_args *a)
{
	yes_no(a, &b->d->ssl_ica);
}

static void cmd_iptrace(struct builder *b, struct deck_args *a)
{
	yes_no(a, &b->d->iptrace);
}

static void cmd_log(struct builder *b, struct deck_args *a)
{
	tlsdeck_log_read(a, &b->d->log);
}

/* ---- ATTLS: the target --------------------------------------------------- */

static bool is_host_name(const char *text)
{
	size_t n = strlen(text);

	return n > 0 && n < TLSD_HOST_MAX && text[0] != '.' && text[0] != '-' &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == n &&
	       strspn(text, "0123456789.") != n;
}

/* "lo-hi"; false: it is no range. */
static bool parse_range(const char *text, struct tlsd_rule *r)
{
	char lo[ADDR_TEXT_MAX];
	const char *dash = strchr(text, '-');

	if (!dash || (size_t)(dash - text) >= sizeof(lo))
		return false;
	memcpy(lo, text, (size_t)(dash - text));
	lo[dash - text] = '\0';
	return ip_parse(lo, &r->lo) == 0 && ip_parse(dash + 1, &r->hi) == 0;
}

static void check_range(struct deck_args *a, struct tlsd_rule *r)
{
	struct ip_prefix p[TLSD_PREFIXES_MAX];

	if (r->lo.family != r->hi.family ||
	    memcmp(r->lo.b, r->hi.b, sizeof(r->lo.b)) > 0)
		deck_args_expected(a, "target",
				   "addresses of one family, the lower first");
	else if (tlsd_range_prefixes(&r->lo, &r->hi, p, TLSD_PREFIXES_MAX) < 0)
		deck_args_expected(a, "target",
				   "a range of at most %d prefixes",
				   TLSD_PREFIXES_MAX);
	r->target = TLSD_RANGE;
}

static bool read_target(struct deck_args *a, struct tlsd_rule *r)
{
	const char *expected = "an address, addr/n, addr-addr, a host name "
			       "or ANY";
	const char *text = deck_args_peek(a);
	struct ip_prefix p;

	if (text && strcasecmp(text, "ANY") != 0 && strcmp(text, "*") != 0 &&
	    !parse_range(text, r) && !is_host_name(text)) {
		if (!deck_args_prefix(a, "target", IP_NONE, &p))
			return false;
		p = ip_prefix_make(&p.addr, p.len);
		r->target = TLSD_PREFIX;
		r->lo = p.addr;
		r->plen = p.len;
		return true;
	}
	text = deck_args_text(a, "target", expected);
	if (!text)
		return false;
	if (strcasecmp(text, "ANY") == 0 || strcmp(text, "*") == 0) {
		r->target = TLSD_ANY;
	} else if (parse_range(text, r)) {
		check_range(a, r);
	} else {
		r->target = TLSD_HOST;
		snprintf(r->host, sizeof(r->host), "%s", text);
	}
	return true;
}

/* ---- ATTLS: words behind ------------------------------------------------- */

static bool look_up(const char *name, uint32_t *ret)
{
	struct passwd pw, *got = NULL;
	char buf[NAME_BUFFER];

	if (name[strspn(name, "0123456789")] == '\0' && strlen(name) < 10) {
		*ret = (uint32_t)strtoul(name, NULL, 10);
		return true;
	}
	if (getpwnam_r(name, &pw, buf, sizeof(buf), &got) != 0 || !got)
		return false;
	*ret = pw.pw_uid;
	return true;
}

static void word_user(struct deck_args *a, struct tlsd_rule *r)
{
	const char *expected = "a user name or number of this host";
	const char *text = deck_args_text(a, "user", expected);

	if (text && !look_up(text, &r->uid))
		deck_args_expected(a, "user", "%s", expected);
	r->user_given = true;
}

static void word_program(struct deck_args *a, struct tlsd_rule *r)
{
	const char *expected = "the path of a program, or its short name";
	const char *text = deck_args_text(a, "program", expected);

	if (text && strlen(text) > TLSD_PROGRAM_MAX)
		deck_args_expected(a, "program", "%s", expected);
	else if (text)
		snprintf(r->program, sizeof(r->program), "%s", text);
}

static void word_name(struct deck_args *a, struct tlsd_rule *r)
{
	const char *expected = "the server's name, or * for any";
	const char *text = deck_args_text(a, "name", expected);

	if (!text)
		return;
	if (r->inbound)
		deck_args_note(a, DECK_ERROR,
			       "NAME: expected on a rule with TO only");
	if (strcmp(text, "*") != 0 && !is_host_name(text))
		deck_args_expected(a, "name", "%s", expected);
	else
		snprintf(r->name, sizeof(r->name), "%s", text);
}

static void word_family(struct deck_args *a, struct tlsd_rule *r)
{
	static const char *const words[] = {"V4", "V6"};
	unsigned i;

	if (deck_args_word(a, "family", words, 2, &i))
		r->family = i ? IP_V6 : IP_V4;
}

static void word_at(struct deck_args *a, struct tlsd_rule *r)
{
	if (deck_args_addr(a, "address", IP_NONE, &r->at) && !r->inbound)
		deck_args_note(a, DECK_ERROR,
			       "AT: expected on a rule without TO only");
}

static void word_closed(struct deck_args *a, struct tlsd_rule *r)
{
	if (!r->inbound || r->port_lo == r->as_port)
		deck_args_note(a, DECK_ERROR,
			       "CLOSED: expected on a rule without TO whose "
			       "ports differ");
	r->closed = true;
}

/* Checked at the end, when all words are known. */
static void word_controlled(struct deck_args *a, struct tlsd_rule *r)
{
	(void)a;
	r->controlled = true;
}

static void word_timeout(struct deck_args *a, struct tlsd_rule *r)
{
	deck_args_u32(a, "seconds", 1, TIMEOUT_MAX_S, &r->timeout_s);
}

static void word_starttls(struct deck_args *a, struct tlsd_rule *r)
{
	const char *expected = "SMTP, IMAP, POP3, LDAP, POSTGRES or TELNET";
	const char *text = deck_args_text(a, "protocol", expected);
	int p = text ? upgrade_parse(text) : 0;

	if (text && p < 0)
		deck_args_expected(a, "protocol", "%s", expected);
	r->starttls = (int8_t)p;
	r->optional = deck_args_is(a, "OPTIONAL");
}

static const struct word {
	const char *word;
	void (*read)(struct deck_args *a, struct tlsd_rule *r);
} words[] = {
	{"USER", word_user},
	{"PROGRAM", word_program},
	{"NAME", word_name},
	{"FAMILY", word_family},
	{"AT", word_at},
	{"CLOSED", word_closed},
	{"TIMEOUT", word_timeout},
	{"STARTTLS", word_starttls},
	{"CONTROLLED", word_controlled},
};

static const struct word *find_word(const char *text)
{
	for (size_t i = 0; text && i < ARRAY_SIZE(words); i++) {
		if (strcasecmp(text, words[i].word) == 0)
			return &words[i];
	}
	return NULL;
}

static void read_keyfiles(struct deck_args *a, struct tlsd_rule *r)
{
	char member[TLSDECK_MEMBER_MAX + 1];
	size_t used = 0;
	int n = 0;

	while (deck_args_more(a) && !find_word(deck_args_peek(a))) {
		if (deck_args_default(a))
			continue;
		if (!deck_args_name(a, "key file", "._-@#$", TLSDECK_MEMBER_MAX,
				    member))
			continue;
		if (n++ == TLSD_KEYFILES_MAX) {
			deck_args_expected(a, "key file",
					   "at most %d key files",
					   TLSD_KEYFILES_MAX);
			return;
		}
		used += (size_t)snprintf(r->keyfiles + used,
					 sizeof(r->keyfiles) - used, "%s%s",
					 used ? " " : "", member);
	}
}

static void read_words(struct deck_args *a, struct tlsd_rule *r)
{
	while (deck_args_more(a)) {
		const struct word *w = find_word(deck_args_peek(a));

		if (!w) {
			(void)deck_args_text(a, "word", "a word");
			deck_args_expected(a, "word",
					   "USER, PROGRAM, NAME, FAMILY, AT, "
					   "CLOSED, STARTTLS, CONTROLLED or "
					   "TIMEOUT");
			return;
		}
		(void)deck_args_is(a, w->word);
		w->read(a, r);
	}
}

/* ---- ATTLS --------------------------------------------------------------- */

static bool expect_word(struct deck_args *a, const char *word)
{
	const char *const one[] = {word};
	unsigned i;

	return deck_args_word(a, "word", one, 1, &i);
}

static bool read_as(struct deck_args *a, struct tlsd_rule *r)
{
	if (!expect_word(a, "AS") ||
	    !deck_args_u16(a, "secure port", 1, 65535, &r->as_port) ||
	    !expect_word(a, "SSL"))
		return false;
	if (r->as_port + (r->port_hi - r->port_lo) > 65535) {
		deck_args_note(
			a, DECK_ERROR,
			"ATTLS %u-%u AS %u: the last port would be above "
			"65535",
			r->port_lo, r->port_hi, r->as_port);
		return false;
	}
	read_keyfiles(a, r);
	return true;
}

static void push_rule(struct builder *b, struct deck_args *a,
		      const struct tlsd_rule *r)
{
	struct tlsd_deck *d = b->d;

	if (d->n_rules == TLSD_RULES_MAX) {
		deck_args_note(a, DECK_ERROR, "more than %d ATTLS",
			       TLSD_RULES_MAX);
		return;
	}
	if ((d->n_rules & (d->n_rules + 1)) == 0 || !d->rules) {
		struct tlsd_rule *p =
			realloc(d->rules, (size_t)(d->n_rules * 2 + 2) *
						  sizeof(*d->rules));

		if (!p) {
			b->error = -ENOMEM;
			return;
		}
		d->rules = p;
	}
	d->rules[d->n_rules++] = *r;
}

/* OPTION says the role, TO shows it: one must not contradict the other. */
static void check_option(const struct builder *b, struct deck_args *a,
			 const struct tlsd_rule *r)
{
	if (b->tls.option == TLSDECK_SERVER && !r->inbound)
		deck_args_note(a, DECK_ERROR,
			       "ATTLS ... TO after OPTION SERVER: expected "
			       "OPTION CLIENT before it");
	if (b->tls.option == TLSDECK_CLIENT && r->inbound)
		deck_args_note(a, DECK_ERROR,
			       "ATTLS without TO after OPTION CLIENT: expected "
			       "OPTION SERVER before it, or TO and an address");
}

/* One alone says when TLS begins. */
static void check_controlled(const struct builder *b, struct deck_args *a,
			     const struct tlsd_rule *r)
{
	if (!r->controlled)
		return;
	if (r->clear || r->starttls != TLSD_NO_STARTTLS || b->tls.ftp)
		deck_args_note(a, DECK_ERROR,
			       "CONTROLLED: expected on a rule without CLEAR, "
			       "STARTTLS and OPTION FTP");
}

static void cmd_attls(struct builder *b, struct deck_args *a)
{
	struct tlsd_rule r = {.inbound = true,
			      .timeout_s = b->timeout_s,
			      .starttls = TLSD_NO_STARTTLS};

	if (!deck_args_range(a, "clear port", 1, 65535, &r.port_lo, &r.port_hi))
		return;
	if (deck_args_is(a, "TO")) {
		r.inbound = false;
		if (!read_target(a, &r))
			return;
		r.clear = deck_args_is(a, "CLEAR");
	}
	r.as_port = r.port_lo;
	if (!r.clear && !read_as(a, &r))
		return;
	check_option(b, a, &r);
	read_words(a, &r);
	check_controlled(b, a, &r);
	r.tls = b->tls;
	r.line = b->cmd->line;
	if (deck_args_end(a))
		push_rule(b, a, &r);
}

/* ---- the table ----------------------------------------------------------- */

static const struct {
	const char *keyword;
	void (*read)(struct builder *b, struct deck_args *a);
} commands[] = {
	{"ID", cmd_id},           {"ATTLS", cmd_attls},
	{"TIMEOUT", cmd_timeout}, {"METRICS", cmd_metrics},
	{"SUBTASK", cmd_subtask}, {"SSL$DBG", cmd_ssl_dbg},
	{"SSL$ICA", cmd_ssl_ica}, {"IPTRACE", cmd_iptrace},
	{"LOG", cmd_log},
};

static const struct {
	const char *keyword, *daemon;
} elsewhere[] = {
	{"PROXY", "proxyd"},   {"DEVICE", "stackd"},   {"LINK", "stackd"},
	{"ROUTE", "stackd"},   {"ATTACH", "stackd"},   {"APPLID", "printd"},
	{"PRINTER", "printd"}, {"TERMINAL", "printd"},
};

static void unknown(struct deck_args *a)
{
	const char *word = a->cmd->keyword;

	for (size_t i = 0; i < ARRAY_SIZE(elsewhere); i++) {
		if (strcmp(word, elsewhere[i].keyword) == 0) {
			deck_args_note(a, DECK_ERROR,
				       "%s is a command of %s, not of tlsd",
				       word, elsewhere[i].daemon);
			return;
		}
	}
	deck_args_note(a, DECK_ERROR, "'%.64s' is no command of tlsd", word);
}

static void read_command(struct builder *b)
{
	struct deck_args a;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(b->cmd->keyword, commands[i].keyword) == 0) {
			a = deck_args_of(b->cmd, b->report);
			commands[i].read(b, &a);
			b->any = true;
			return;
		}
	}
	a = deck_args_of(b->cmd, b->report);
	if (!tlsdeck_command(&b->tls, &a))
		unknown(&a);
	b->any = true;
}

/* ---- what the JCL says --------------------------------------------------- */

static bool is_yes(const char *v)
{
	return strcasecmp(v, "YES") == 0 || strcasecmp(v, "ON") == 0 ||
	       strcmp(v, "1") == 0;
}

static bool is_no(const char *v)
{
	return strcasecmp(v, "NO") == 0 || strcasecmp(v, "OFF") == 0 ||
	       strcmp(v, "0") == 0;
}

static void read_yes(struct builder *b, const struct deck_setparm *s, bool *ret)
{
	if (is_yes(s->value))
		*ret = true;
	else if (is_no(s->value))
		*ret = false;
	else
		deck_note(b->report, DECK_ERROR, s->file, s->line, s->column,
			  "SETPARM %s='%s': expected 'YES' or 'NO'", s->name,
			  s->value);
}

/* Eight switches of Y and N, one for each kind of line; here one Y is enough
 * for all of them. */
static void read_iptrace(struct builder *b, const struct deck_setparm *s)
{
	size_t n = strlen(s->value);

	if (n == 8 && strspn(s->value, "YNyn") == n) {
		b->d->iptrace = strpbrk(s->value, "Yy") != NULL;
		deck_note(b->report, DECK_INFO, s->file, s->line, s->column,
			  "SETPARM IPTRACE='%s' is taken to mean %s", s->value,
			  b->d->iptrace ? "debug lines in the log"
					: "no debug lines");
		return;
	}
	if (is_yes(s->value) || is_no(s->value))
		b->d->iptrace = is_yes(s->value);
	else
		deck_note(b->report, DECK_ERROR, s->file, s->line, s->column,
			  "SETPARM IPTRACE='%s': expected eight of Y and N",
			  s->value);
}

static void read_subtask(struct builder *b, const struct deck_setparm *s)
{
	char *end;
	unsigned long n = strtoul(s->value, &end, 10);

	if (*end || !s->value[0] || n < 1 || n > TLSD_SUBTASKS_MAX)
		deck_note(b->report, DECK_ERROR, s->file, s->line, s->column,
			  "SETPARM SUBTASK='%s': expected a number from 1 to "
			  "%d",
			  s->value, TLSD_SUBTASKS_MAX);
	else
		b->d->subtasks = (uint32_t)n;
}

static void read_setparm(struct builder *b, const struct deck_setparm *s)
{
	if (strcmp(s->name, "SUBTASK") == 0) {
		read_subtask(b, s);
	} else if (strcmp(s->name, "SSL$DBG") == 0) {
		read_yes(b, s, &b->d->ssl_dbg);
	} else if (strcmp(s->name, "IPTRACE") == 0) {
		read_iptrace(b, s);
	} else if (strcmp(s->name, "SSL$ICA") == 0) {
		read_yes(b, s, &b->d->ssl_ica);
		deck_note(b->report, DECK_INFO, s->file, s->line, s->column,
			  "SETPARM SSL$ICA: the processor's own "
			  "instructions are used in any case");
	} else {
		deck_note(b->report, DECK_INFO, s->file, s->line, s->column,
			  "SETPARM %s has no effect on tlsd", s->name);
	}
}

/* The ID of a deck without the command. */
static void read_sysparm(struct builder *b, const struct deck_settings *s)
{
	char *id = b->d->id;

	if (!id[0] && is_stack_id(s->sysparm))
		memcpy(id, s->sysparm, 3);
	else if (!id[0])
		deck_note(b->report, DECK_ERROR, s->sysparm_file,
			  s->sysparm_line, 1,
			  "OPTION SYSPARM='%s': expected two digits",
			  s->sysparm);
	else if (strcmp(s->sysparm, id) != 0)
		deck_note(b->report, DECK_WARNING, s->sysparm_file,
			  s->sysparm_line, 1,
			  "OPTION SYSPARM='%s' is not the ID %s", s->sysparm,
			  id);
}

static void read_settings(struct builder *b)
{
	const struct deck_settings *s = deck_settings(b->source);

	memcpy(b->d->job, s->job, sizeof(b->d->job));
	if (s->sysparm_line)
		read_sysparm(b, s);
	for (uint32_t i = 0; i < s->n_setparm; i++)
		read_setparm(b, &s->setparm[i]);
	/* the first switch of UPSI is the trace, too */
	if (s->upsi_line && s->upsi[0] == '1')
		b->d->iptrace = true;
	else if (s->upsi_line)
		deck_note(b->report, DECK_INFO, s->upsi_file, s->upsi_line, 1,
			  "UPSI %s: only its first switch, the trace, has an "
			  "effect on tlsd",
			  s->upsi);
	if (s->user_line)
		deck_note(b->report, DECK_INFO, s->user_file, s->user_line, 1,
			  "// ID USER=%s: tlsd runs as the user that its unit "
			  "names",
			  s->user);
}

/* ---- the whole deck ------------------------------------------------------ */

static void check(struct builder *b)
{
	const char *file;
	uint32_t line;

	deck_end(b->source, &file, &line);
	if (!b->d->id[0] && !deck_settings(b->source)->sysparm_line)
		deck_note(b->report, DECK_ERROR, file, line, 1,
			  "no ID: expected ID and the two digits of a stack");
	if (!b->d->n_rules)
		deck_note(b->report, DECK_ERROR, file, line, 1,
			  "no ATTLS: expected at least one");
}

static const char *const programs[] = {"BSTTATLS", NULL};
static const char *const members[] = {TLSD_DECK_MEMBERS, NULL};
static int build(const struct deck *source, void *value,
		 struct deck_report *report)
{
	struct builder b = {.d = value,
			    .source = source,
			    .report = report,
			    .timeout_s = TLSD_TIMEOUT_DEFAULT_S};
	uint32_t it = 0;

	tlsdeck_init(&b.tls);
	while (!b.error && (b.cmd = deck_next(source, &it)))
		read_command(&b);
	read_settings(&b);
	check(&b);
	return b.error;
}

static void free_value(void *value)
{
	tlsd_deck_free(value);
}

static const struct deck_kind kind = {
	.options = {.include_dirs = members, .programs = programs},
	.build = build,
	.free = free_value,
};

int tlsd_deck_read(const char *path, struct tlsd_deck *ret,
		   struct deck_report *report)
{
	*ret = (struct tlsd_deck){0};
	return deck_build(&kind, path, NULL, 0, ret, report);
}

int tlsd_deck_parse(const char *name, const char *text, size_t len,
		    struct tlsd_deck *ret, struct deck_report *report)
{
	*ret = (struct tlsd_deck){0};
	return deck_build(&kind, name, text, len, ret, report);
}

void tlsd_deck_free(struct tlsd_deck *d)
{
	free(d->rules);
	*d = (struct tlsd_deck){0};
}
