#include "deck.h"

#include "deck/words.h"
#include "deck_parts.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MEMBERS "/etc/couplet/members"
#define CLIENTS_DEFAULT 20000
#define JOBS_DEFAULT 100000
#define DRAFTS_DEFAULT 256

/* ---- operands that many commands have
 * ------------------------------------------- */

bool printd_read_name(struct deck_args *a, const char *what, char *buf)
{
	if (!deck_args_name(a, what, "@#$", LU_NAME_MAX, buf))
		return false;
	for (char *p = buf; *p; p++)
		if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - 'a' + 'A');
	return true;
}

bool printd_read_host(struct deck_args *a, char *buf)
{
	static const char expected[] = "an address or a host name";
	const char *text = deck_args_text(a, "host", expected);

	if (!text)
		return false;
	if (strlen(text) > LU_HOST_MAX ||
	    text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRST"
			      "UVWXYZ0123456789.-_:%")]) {
		deck_args_expected(a, "host", "%s", expected);
		return false;
	}
	snprintf(buf, LU_HOST_MAX + 1, "%s", text);
	return true;
}

bool printd_read_port(struct deck_args *a, uint16_t otherwise, uint16_t *ret)
{
	if (otherwise && deck_args_default(a)) {
		*ret = otherwise;
		return true;
	}
	return deck_args_u16(a, "port", 1, 65535, ret);
}

/* ---- small commands
 * ------------------------------------------------------------- */

static void cmd_id(struct printd_builder *b, struct deck_args *a)
{
	const char *expected = "two digits, or * for the host's own network";
	const char *text = deck_args_text(a, "number", expected);

	if (text && strcmp(text, "*") != 0 &&
	    (strlen(text) != 2 || strspn(text, "0123456789") != 2))
		deck_args_expected(a, "number", "%s", expected);
	else if (text)
		snprintf(b->d->id, sizeof b->d->id, "%s", text);
	deck_args_end(a);
}

/* ---- TLS of a connection
 * -------------------------------------------------------- */

/* The settings in force, once for all commands in a row that have them. */
static void keep_settings(struct printd_builder *b, uint32_t *ret)
{
	struct printd_deck *d = b->d;
	struct tls_settings *p;

	if (!d->n_tls || !printd_tls_same(&d->tls[d->n_tls - 1], &b->tls)) {
		p = realloc(d->tls, (d->n_tls + 1) * sizeof(*p));
		if (!p) {
			b->error = -ENOMEM;
			return;
		}
		d->tls = p;
		d->tls[d->n_tls++] = b->tls;
	}
	*ret = d->n_tls - 1;
}

/* [TLS | STARTTLS [REQUIRED]] */
static bool read_tls(struct printd_builder *b, struct deck_args *a,
		     enum deck_tls *how, uint32_t *settings)
{
	static const char *const words[] = {"TLS", "STARTTLS"};
	static const char *const more[] = {"REQUIRED"};
	unsigned i;

	if (!deck_args_more(a))
		return true;
	if (!deck_args_word(a, "how", words, ARRAY_SIZE(words), &i))
		return false;
	*how = i ? DECK_TLS_OFFER : DECK_TLS_FIRST;
	if (i && deck_args_more(a)) {
		if (!deck_args_word(a, "word", more, 1, &i))
			return false;
		*how = DECK_TLS_REQUIRE;
	}
	keep_settings(b, settings);
	return true;
}

static void add_listener(struct deck_args *a, const struct deck_open *o,
			 struct deck_open *list, uint32_t *n)
{
	if (*n == DECK_OPENS_MAX)
		deck_args_note(a, DECK_ERROR, "%s: expected at most %d",
			       a->cmd->keyword, DECK_OPENS_MAX);
	else
		list[(*n)++] = *o;
}

static void cmd_open(struct printd_builder *b, struct deck_args *a)
{
	struct deck_open o;
	bool ok;

	memset(&o, 0, sizeof o);
	ok = printd_read_host(a, o.host);
	ok &= printd_read_port(a, 0, &o.port);
	ok &= read_tls(b, a, &o.tls, &o.settings);
	if (o.tls && !b->tls.keyfile[0])
		deck_args_note(a, DECK_ERROR,
			       "OPEN with TLS: expected KEYFILE before it");
	if (deck_args_end(a) && ok)
		add_listener(a, &o, b->d->opens, &b->d->n_opens);
}

static void cmd_lpd(struct printd_builder *b, struct deck_args *a)
{
	struct deck_open o;
	bool ok;

	memset(&o, 0, sizeof o);
	ok = printd_read_host(a, o.host);
	ok &= printd_read_port(a, 515, &o.port);
	if (deck_args_end(a) && ok)
		add_listener(a, &o, b->d->lpds, &b->d->n_lpds);
}

static bool page_name(struct deck_args *a, const char *what, char *buf)
{
	return deck_args_name(a, what, "_-.", DECK_PAGE_MAX, buf);
}

/* SBCS name [page]: with a page, a name for it; alone, the page to use. */
static void cmd_sbcs(struct printd_builder *b, struct deck_args *a)
{
	struct printd_deck *d = b->d;
	struct deck_alias al;
	bool ok = page_name(a, "table", al.name);

	if (deck_args_more(a)) {
		ok &= page_name(a, "code page", al.page);
		if (!deck_args_end(a) || !ok)
			return;
		if (d->n_aliases == DECK_ALIASES_MAX)
			deck_args_note(a, DECK_ERROR,
				       "SBCS: expected at most %d names",
				       DECK_ALIASES_MAX);
		else
			d->aliases[d->n_aliases++] = al;
		return;
	}
	if (ok && d->sbcs[0])
		deck_args_note(a, DECK_ERROR,
			       "SBCS: expected one table, and SBCS name page "
			       "for each further name");
	if (ok)
		memcpy(d->sbcs, al.name, sizeof d->sbcs);
}

static void free_text(const struct deck_args *a, uint32_t operand, char *buf,
		      size_t cap)
{
	size_t n;

	snprintf(buf, cap, "%s", deck_command_rest(a->cmd, operand));
	/* where it was cut off may be a blank, which a deck cannot end with */
	for (n = strlen(buf); n && strchr(" \t", buf[n - 1]); n--)
		buf[n - 1] = '\0';
}

static void cmd_applid(struct printd_builder *b, struct deck_args *a)
{
	struct deck_appl ap;

	memset(&ap, 0, sizeof ap);
	if (!printd_read_name(a, "application", ap.name))
		return;
	free_text(a, 1, ap.text, sizeof ap.text);
	if (b->d->n_appls == DECK_APPLS_MAX)
		deck_args_note(a, DECK_ERROR, "APPLID: expected at most %d",
			       DECK_APPLS_MAX);
	else
		b->d->appls[b->d->n_appls++] = ap;
}

static void cmd_title(struct printd_builder *b, struct deck_args *a)
{
	free_text(a, 0, b->d->title, sizeof b->d->title);
}

static void cmd_terminal(struct printd_builder *b, struct deck_args *a)
{
	static const char *const words[] = {"GENERIC"};
	char name[LU_NAME_MAX + 1] = "";
	struct printd_deck *d = b->d;
	unsigned i;
	bool ok = printd_read_name(a, "name", name);

	if (deck_args_more(a))
		ok &= deck_args_word(a, "kind", words, 1, &i);
	if (!deck_args_end(a) || !ok)
		return;
	if (d->n_terminals == DECK_TERMINALS_MAX) {
		deck_args_note(a, DECK_ERROR, "TERMINAL: expected at most %d",
			       DECK_TERMINALS_MAX);
		return;
	}
	if (!d->terminals)
		d->terminals =
			calloc(DECK_TERMINALS_MAX, sizeof(*d->terminals));
	if (!d->terminals) {
		b->error = -ENOMEM;
		return;
	}
	if (!d->n_terminals)
		deck_args_note(a, DECK_INFO,
			       "TERMINAL sessions are not served yet; the "
			       "name is kept as partner of printers");
	memcpy(d->terminals[d->n_terminals++], name, sizeof name);
}

static void cmd_acquire(struct printd_builder *b, struct deck_args *a)
{
	struct deck_acquire q;
	bool ok;

	memset(&q, 0, sizeof q);
	ok = printd_read_name(a, "LU", q.lu);
	ok &= printd_read_host(a, q.host);
	ok &= printd_read_port(a, 23, &q.port);
	if (deck_args_more(a) && !deck_args_default(a))
		ok &= printd_read_name(a, "name at the host", q.name);
	ok &= read_tls(b, a, &q.tls, &q.settings);
	if (q.tls && b->tls.handshake_client == 3)
		deck_args_note(a, DECK_WARNING,
			       "the host's certificate is not checked: "
			       "HANDSHAKE_CLIENT 0 before ACQUIRE would do "
			       "it");
	if (!deck_args_end(a) || !ok)
		return;
	if (b->d->n_acquires == DECK_ACQUIRES_MAX)
		deck_args_note(a, DECK_ERROR, "ACQUIRE: expected at most %d",
			       DECK_ACQUIRES_MAX);
	else
		b->d->acquires[b->d->n_acquires++] = q;
}

static void cmd_spool(struct printd_builder *b, struct deck_args *a)
{
	deck_args_path(a, "directory", DECK_PATH_LEN, b->d->spool);
	deck_args_end(a);
}

static void cmd_metrics(struct printd_builder *b, struct deck_args *a)
{
	deck_args_path(a, "socket", sizeof b->d->metrics - 1, b->d->metrics);
	deck_args_end(a);
}

static void cmd_alert(struct printd_builder *b, struct deck_args *a)
{
	deck_args_path(a, "command", DECK_PATH_LEN, b->d->alert);
	deck_args_end(a);
}

static void cmd_submit(struct printd_builder *b, struct deck_args *a)
{
	static const char *const words[] = {"ALL", "GROUP"};
	unsigned i;

	if (deck_args_word(a, "who", words, 2, &i))
		b->d->submit_group = i == 1;
	deck_args_end(a);
}

static void cmd_limit(struct printd_builder *b, struct deck_args *a)
{
	static const char *const words[] = {"CLIENTS", "JOBS", "BYTES",
					    "RECEIVING"};
	struct printd_deck *d = b->d;
	unsigned i;

	if (!deck_args_word(a, "word", words, ARRAY_SIZE(words), &i))
		return;
	if (i == 0)
		deck_args_u32(a, "number", 1, 1000000, &d->max_clients);
	else if (i == 1)
		deck_args_u32(a, "number", 1, 10000000, &d->max_jobs);
	else if (i == 2)
		deck_args_size(a, "size", 4096, UINT64_MAX / 2, &d->max_bytes);
	else
		deck_args_u32(a, "number", 1, 10000, &d->max_drafts);
	deck_args_end(a);
}

static void cmd_attach(struct printd_builder *b, struct deck_args *a)
{
	static const char *const words[] = {"TN3270E"};
	unsigned i;

	deck_args_word(a, "component", words, 1, &i);
	deck_args_end(a);
	b->d->attached = true;
	b->attach_line = b->cmd->line;
}

/* ---- the table
 * --------------------------------------------------------------------- */

static const struct command {
	const char *keyword;
	printd_read_fn *read;
	bool once;
} commands[] = {
	{"ID", cmd_id, true},
	{"OPEN", cmd_open, false},
	{"SBCS", cmd_sbcs, false},
	{"APPLID", cmd_applid, false},
	{"TITLE", cmd_title, true},
	{"TERMINAL", cmd_terminal, false},
	{"PRINTER", printd_deck_cmd_printer, false},
	{"DIRECT", printd_deck_cmd_direct, false},
	{"LPR", printd_deck_cmd_lpr, false},
	{"FTP", printd_deck_cmd_ftp, false},
	{"FTPP", printd_deck_cmd_ftp, false},
	{"IPP", printd_deck_cmd_ipp, false},
	{"FILE", printd_deck_cmd_file, false},
	{"PDF", printd_deck_cmd_file, false},
	{"LU", printd_deck_cmd_lu, false},
	{"LPD", cmd_lpd, false},
	{"ACQUIRE", cmd_acquire, false},
	{"SPOOL", cmd_spool, true},
	{"METRICS", cmd_metrics, true},
	{"ALERT", cmd_alert, true},
	{"SUBMIT", cmd_submit, true},
	{"LIMIT", cmd_limit, false},
	{"ATTACH", cmd_attach, true},
};

static_assert(ARRAY_SIZE(commands) <= 64, "one line number a command");

static void unknown(struct deck_args *a)
{
	const char *words[ARRAY_SIZE(commands) + TLSDECK_COMMANDS_MAX];
	size_t n = 0;

	while (n < ARRAY_SIZE(commands)) {
		words[n] = commands[n].keyword;
		n++;
	}
	n += tlsdeck_keywords(words + n);
	deck_unknown(a, "printd", words, n);
}

static void read_command(struct printd_builder *b)
{
	const struct command *c = NULL;
	struct deck_args a;
	uint32_t *seen;

	for (size_t i = 0; i < ARRAY_SIZE(commands) && !c; i++)
		if (strcmp(b->cmd->keyword, commands[i].keyword) == 0)
			c = &commands[i];
	a = (struct deck_args){.cmd = b->cmd, .report = b->report};
	if (b->attach_line) {
		deck_args_note(&a, DECK_ERROR,
			       "%s after ATTACH in line %u: expected nothing "
			       "after ATTACH",
			       b->cmd->keyword, b->attach_line);
		return;
	}
	if (!c) {
		a = deck_args_of(b->cmd, b->report);
		if (!tlsdeck_command(&b->tls, &a))
			unknown(&a);
		return;
	}
	seen = &b->seen[c - commands];
	if (c->once && *seen) {
		deck_args_note(&a, DECK_ERROR,
			       "%s was given in line %u: expected only one",
			       c->keyword, *seen);
		return;
	}
	*seen = b->cmd->line;
	/* free text may look as if it went on */
	if (c->read != cmd_title && c->read != cmd_applid)
		a = deck_args_of(b->cmd, b->report);
	c->read(b, &a);
}

/* ---- the whole deck
 * ----------------------------------------------------------------- */

/* What the JCL said that concerns printd, and that the rest does not. */
static void read_settings(struct printd_builder *b)
{
	const struct deck_settings *s = deck_settings(b->source);

	memcpy(b->d->job, s->job, sizeof b->d->job);
	if (s->sysparm_line && strcmp(s->sysparm, b->d->id) != 0)
		deck_note(b->report, DECK_WARNING, s->sysparm_file,
			  s->sysparm_line, 1,
			  "OPTION SYSPARM='%s' is not ID %s; ID decides",
			  s->sysparm, b->d->id);
	for (uint32_t i = 0; i < s->n_setparm; i++)
		deck_note(b->report, DECK_INFO, s->setparm[i].file,
			  s->setparm[i].line, s->setparm[i].column,
			  "SETPARM %s has no effect on printd",
			  s->setparm[i].name);
}

static int build(const struct deck *source, void *value,
		 struct deck_report *report)
{
	struct printd_deck *ret = value;
	struct printd_builder b = {
		.d = ret, .source = source, .report = report};
	uint32_t it = 0;

	*ret = (struct printd_deck){.max_clients = CLIENTS_DEFAULT,
				    .max_jobs = JOBS_DEFAULT,
				    .max_drafts = DRAFTS_DEFAULT};
	printd_opt_init(&ret->defaults);
	tlsdeck_init(&b.tls);
	while (!b.error && (b.cmd = deck_next(source, &it)))
		read_command(&b);
	if (!b.error) {
		read_settings(&b);
		if (deck_count(source) || !report->n_errors)
			printd_deck_check(&b);
	}
	/* they point into the source */
	for (uint32_t i = 0; i < ret->n_lus; i++)
		ret->lus[i].file = NULL;
	return b.error;
}

static const char *const programs[] = {"BSTTVNET", NULL};
static const char *const members[] = {MEMBERS, NULL};
static void free_value(void *value)
{
	printd_deck_free(value);
}

static const struct deck_kind kind = {
	.options = {.include_dirs = members, .programs = programs},
	.build = build,
	.free = free_value,
};

int printd_deck_read(const char *path, struct printd_deck *ret,
		     struct deck_report *report)
{
	*ret = (struct printd_deck){.n_lus = 0};
	return deck_build(&kind, path, NULL, 0, ret, report);
}

int printd_deck_parse(const char *name, const char *text, size_t len,
		      struct printd_deck *ret, struct deck_report *report)
{
	*ret = (struct printd_deck){.n_lus = 0};
	return deck_build(&kind, name, text, len, ret, report);
}

void printd_deck_free(struct printd_deck *d)
{
	for (uint32_t i = 0; i < d->n_lus; i++)
		explicit_bzero(d->lus[i].password, sizeof d->lus[i].password);
	free(d->lus);
	free(d->index);
	free(d->terminals);
	free(d->tls);
	*d = (struct printd_deck){.n_lus = 0};
}

/* Tables of IPv6/VSE whose content is not public, and what they are taken to
 * mean unless the deck says otherwise. */
static const struct {
	const char *name, *page;
} known_tables[] = {
	{"DN_03", "IBM-277"}, /* by its name Danish and Norwegian */
};

const char *printd_deck_page(const struct printd_deck *d, const char *name)
{
	for (uint32_t i = 0; i < d->n_aliases; i++)
		if (strcasecmp(d->aliases[i].name, name) == 0)
			return d->aliases[i].page;
	for (size_t i = 0; i < ARRAY_SIZE(known_tables); i++)
		if (strcasecmp(known_tables[i].name, name) == 0)
			return known_tables[i].page;
	return name;
}
