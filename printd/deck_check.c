/* deck_check.c: what can only be seen when the whole deck is known. */
#include "deck_parts.h"
#include "render/codepage.h"
#include "render/text.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static void lu_note(const struct printd_builder *b, const struct printd_lu *lu,
		    enum deck_severity severity, const char *text,
		    const char *value)
{
	deck_note(b->report, severity, lu->file, lu->line, 1, "LU %s: %s%s%s",
		  lu->name, text, value ? ": " : "", value ? value : "");
}

/* 0 or what codepage_new() says. */
static int try_page(const struct printd_deck *d, const char *name,
		    bool *ret_ebcdic)
{
	struct codepage *p;
	int r = codepage_new(printd_deck_page(d, name), NULL, &p);

	if (r < 0)
		return r;
	*ret_ebcdic = codepage_ebcdic(p);
	codepage_free(p);
	return 0;
}

/* The page tried last: most LUs have the same one. */
struct tried {
	char name[DECK_PAGE_MAX + 1];
	int result;
	bool ebcdic;
};

static void check_page(const struct printd_builder *b,
		       const struct printd_lu *lu, const char *name,
		       bool want_ebcdic, struct tried *t)
{
	if (!name[0])
		return;
	if (strcmp(t->name, name) != 0) {
		snprintf(t->name, sizeof t->name, "%s", name);
		t->result = try_page(b->d, name, &t->ebcdic);
	}
	if (t->result < 0)
		lu_note(b, lu, DECK_ERROR,
			"expected a code page such as IBM-037, IBM-1141 or a "
			"name of SBCS",
			name);
	else if (want_ebcdic && !t->ebcdic)
		lu_note(b, lu, DECK_ERROR,
			"CODEPAGE: expected an EBCDIC code page", name);
}

static void check_string(const struct printd_builder *b,
			 const struct printd_lu *lu, const char *text)
{
	uint8_t out[TEXT_STRING_MAX];
	size_t at = 0;

	if (text_string_parse(text, out, sizeof out, &at) < 0)
		lu_note(b, lu, DECK_ERROR,
			"SETUP and TEARDOWN: expected text with \\e \\n \\r "
			"\\f \\t \\xHH \\\\, or X'hexadecimal'",
			text);
}

static bool pattern_ok(const char *p)
{
	bool number = false;

	if (strchr(p, '/') || p[0] == '.')
		return false;
	for (; *p; p++) {
		if (*p != '%')
			continue;
		p++;
		if (!*p || !strchr("ljtu%", *p))
			return false;
		number = number || *p == 'j';
	}
	return number;
}

static bool is_terminal(const struct printd_deck *d, const char *name)
{
	for (uint32_t i = 0; i < d->n_terminals; i++)
		if (strcmp(d->terminals[i], name) == 0)
			return true;
	return false;
}

static void check_partners(const struct printd_builder *b,
			   const struct printd_lu *lu)
{
	const struct lu_opt *o = &lu->opt;

	if (o->backup[0] && (!printd_deck_lu(b->d, o->backup) ||
			     strcmp(o->backup, lu->name) == 0))
		lu_note(b, lu, DECK_ERROR, "BACKUP: expected another LU",
			o->backup);
	if (o->terminal[0] && !is_terminal(b->d, o->terminal))
		lu_note(b, lu, DECK_ERROR,
			"TERMINAL: expected the name of a TERMINAL command",
			o->terminal);
}

static void check_lu(const struct printd_builder *b, struct printd_lu *lu,
		     struct tried tried[2])
{
	const struct lu_opt *o = &lu->opt;

	check_page(b, lu, o->codepage, true, &tried[0]);
	if (lu->kind != LU_PRINTER)
		check_page(b, lu, o->outpage, false, &tried[1]);
	if (o->setup[0])
		check_string(b, lu, o->setup);
	if (o->teardown[0])
		check_string(b, lu, o->teardown);
	if (!pattern_ok(o->name))
		lu_note(b, lu, DECK_ERROR,
			"NAME: expected a file name with %j (job number) and "
			"perhaps %l (LU), %t (title), %u (user), %%",
			o->name);
	if (strlen(o->lpformat) != 1 || !strchr("cdfglnoprtv", *o->lpformat))
		lu_note(b, lu, DECK_ERROR,
			"LPFORMAT: expected one of c d f g l n o p r t v",
			o->lpformat);
	check_partners(b, lu);
}

/* A note about the deck as a whole stands at its end. */
static void deck_wide(const struct printd_builder *b,
		      enum deck_severity severity, const char *text)
{
	const char *file;
	uint32_t line;

	deck_end(b->source, &file, &line);
	deck_note(b->report, severity, file, line, 1, "%s", text);
}

/* The command that names the table, not one that says what a name means. */
static void sbcs_note(const struct printd_builder *b,
		      enum deck_severity severity, const char *text)
{
	const struct deck_command *c;
	uint32_t it = 0;

	while ((c = deck_next(b->source, &it))) {
		if (strcmp(c->keyword, "SBCS") == 0 && c->n_operands == 1) {
			deck_note(b->report, severity, c->file, c->line,
				  c->operands[0].column, "%s", text);
			return;
		}
	}
}

static void check_sbcs(const struct printd_builder *b)
{
	bool ebcdic = false;
	char text[160];

	if (!b->d->sbcs[0])
		return;
	if (try_page(b->d, b->d->sbcs, &ebcdic) == 0 && ebcdic) {
		const char *page = printd_deck_page(b->d, b->d->sbcs);

		snprintf(text, sizeof text, "SBCS %s is taken to mean %s",
			 b->d->sbcs, page);
		if (strcmp(page, b->d->sbcs) != 0 && !b->d->n_aliases)
			sbcs_note(b, DECK_INFO, text);
		return;
	}
	snprintf(text, sizeof text,
		 "SBCS %s: expected an EBCDIC code page, or SBCS %s page "
		 "beside it to say which one that is",
		 b->d->sbcs, b->d->sbcs);
	sbcs_note(b, DECK_ERROR, text);
}

void printd_deck_check(struct printd_builder *b)
{
	struct printd_deck *d = b->d;
	struct tried tried[2] = {{.result = 0}, {.result = 0}};
	bool printers = false;

	if (!d->id[0])
		deck_wide(b, DECK_ERROR,
			  "ID is missing: expected ID nn, or ID *");
	check_sbcs(b);
	for (uint32_t i = 0; i < d->n_lus; i++) {
		check_lu(b, &d->lus[i], tried);
		printers |= d->lus[i].kind == LU_PRINTER;
	}
	if (!d->n_lus)
		deck_wide(b, DECK_ERROR,
			  "no LU: expected PRINTER, DIRECT, LPR, FTP, FTPP, "
			  "IPP, FILE or PDF");
	if (printers && !d->n_opens)
		deck_wide(b, DECK_ERROR,
			  "PRINTER without OPEN: expected OPEN host port for "
			  "its clients");
	for (uint32_t i = 0; i < d->n_acquires; i++) {
		char text[96];

		if (printd_deck_lu(d, d->acquires[i].lu))
			continue;
		snprintf(text, sizeof text,
			 "ACQUIRE %s: expected a LU of this deck",
			 d->acquires[i].lu);
		deck_wide(b, DECK_ERROR, text);
	}
	if (!d->attached)
		deck_wide(b, DECK_WARNING,
			  "no ATTACH TN3270E at the end: served all the same");
}
