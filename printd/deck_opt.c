/* deck_opt.c: LU name WORD value...: everything about a LU that IPv6/VSE
 * cannot say, as one table that is read, printed and compared alike. */
#include "deck_parts.h"

#include <stddef.h>
#include <string.h>

#define K(k) (1u << (k))
#define ANY ((1u << LU_KINDS) - 1)
#define STREAM (K(LU_DIRECT) | K(LU_LPR) | K(LU_FTP) | K(LU_FTPP))
#define NET (STREAM | K(LU_IPP))
#define FILES (K(LU_FILE) | K(LU_PDF))
#define BYTES (NET | FILES) /* what gets printer bytes, not a data stream */

#define HOUR (3600 * INT64_C(1000000000))
#define SECOND INT64_C(1000000000)

enum opt_type { T_BOOL, T_U32, T_SIZE, T_DUR, T_WORD, T_PAGE, T_TEXT, T_LU };

static const char *const formats[] = {"TEXT", "PDF", NULL};
static const char *const eols[] = {"LF", "CRLF", NULL};
static const char *const orders[] = {"CONTROL", "DATA", NULL};
static const char *const sources[] = {"ANY", "RESERVED", NULL};
static const char *const confirms[] = {"EOJ", "DATA", NULL};
static const char *const papers[] = {"A4",    "LETTER",  "A3",
				     "LEGAL", "FANFOLD", NULL};

#define AT(field) \
	offsetof(struct lu_opt, field), sizeof(((struct lu_opt *)0)->field)

static const struct opt {
	const char *word;
	enum opt_type type;
	unsigned kinds; /* that it has an effect on */
	size_t at, size;
	int64_t lo, hi;
	const char *const *words;
} opts[] = {
	{"CODEPAGE", T_PAGE, ANY, AT(codepage), 0, 0, NULL},
	{"OUTPAGE", T_PAGE, BYTES, AT(outpage), 0, 0, NULL},
	{"COLUMNS", T_U32, ANY, AT(columns), 1, 255, NULL},
	{"LINES", T_U32, ANY, AT(lines), 0, 255, NULL},
	{"EOL", T_WORD, BYTES, AT(eol), 0, 0, eols},
	{"FORMAT", T_WORD, BYTES, AT(format), 0, 0, formats},
	{"PAPER", T_WORD, BYTES, AT(paper), 0, 0, papers},
	{"LANDSCAPE", T_BOOL, BYTES, AT(landscape), 0, 0, NULL},
	{"FEED", T_BOOL, BYTES, AT(feed), 0, 0, NULL},
	{"SETUP", T_TEXT, BYTES, AT(setup), 0, 0, NULL},
	{"TEARDOWN", T_TEXT, BYTES, AT(teardown), 0, 0, NULL},
	{"SEPARATOR", T_BOOL, ANY, AT(separator), 0, 0, NULL},
	{"PJL", T_BOOL, K(LU_DIRECT), AT(pjl), 0, 0, NULL},
	{"WEAKPROOF", T_BOOL, K(LU_DIRECT), AT(weak_proof), 0, 0, NULL},
	{"LANGUAGE", T_TEXT, K(LU_DIRECT), AT(language), 0, 0, NULL},
	{"NAME", T_TEXT, FILES | K(LU_FTP) | K(LU_FTPP), AT(name), 0, 0, NULL},
	{"RETRY", T_DUR, ANY, AT(retry_ns), SECOND / 10, 24 * HOUR, NULL},
	{"ATTEMPTS", T_U32, ANY, AT(attempts), 0, 32767, NULL},
	{"CONNECT", T_DUR, NET, AT(connect_ns), SECOND / 10, HOUR, NULL},
	{"STALL", T_DUR, NET, AT(stall_ns), SECOND / 10, 24 * HOUR, NULL},
	{"GIVEUP", T_DUR, NET, AT(giveup_ns), SECOND / 10, 999 * HOUR, NULL},
	{"DRAIN", T_DUR, NET, AT(drain_ns), SECOND / 10, 24 * HOUR, NULL},
	{"RETAIN", T_DUR, ANY, AT(retain_ns), 0, 9999 * HOUR, NULL},
	{"HOLD", T_BOOL, ANY, AT(hold), 0, 0, NULL},
	{"MAXJOBS", T_U32, ANY, AT(max_jobs), 0, 1000000, NULL},
	{"MAXBYTES", T_SIZE, ANY, AT(max_bytes), 0, INT64_MAX, NULL},
	{"MAXJOB", T_SIZE, ANY, AT(max_job_bytes), 0, INT64_MAX, NULL},
	{"ORDER", T_WORD, K(LU_LPR), AT(order), 0, 0, orders},
	{"SOURCEPORT", T_WORD, K(LU_LPR), AT(source), 0, 0, sources},
	{"BANNER", T_BOOL, K(LU_LPR), AT(banner), 0, 0, NULL},
	{"LPFORMAT", T_TEXT, K(LU_LPR), AT(lpformat), 0, 0, NULL},
	{"CONFIRM", T_WORD, K(LU_PRINTER), AT(confirm), 0, 0, confirms},
	{"GENERIC", T_BOOL, K(LU_PRINTER), AT(generic), 0, 0, NULL},
	{"TERMINAL", T_LU, K(LU_PRINTER), AT(terminal), 0, 0, NULL},
	{"KEEPALIVE", T_DUR, K(LU_PRINTER), AT(keepalive_ns), 0, 24 * HOUR,
	 NULL},
	{"RESPONSE", T_DUR, K(LU_PRINTER), AT(response_ns), SECOND / 10,
	 999 * HOUR, NULL},
	{"BACKUP", T_LU, ANY, AT(backup), 0, 0, NULL},
};

void printd_opt_init(struct lu_opt *o)
{
	*o = (struct lu_opt){
		.outpage = "UTF-8",
		.columns = 132,
		.name = "%l-%j",
		.language = "PCL",
		.lpformat = "l",
		.generic = true,
		.retry_ns = 30 * SECOND,
		.connect_ns = 30 * SECOND,
		.stall_ns = 60 * SECOND,
		.giveup_ns = 4 * HOUR,
		.drain_ns = 300 * SECOND,
		.keepalive_ns = 60 * SECOND,
		.response_ns = 600 * SECOND,
		.max_bytes = UINT64_C(4) << 30,
		.max_job_bytes = UINT64_C(1) << 30,
		.max_jobs = 10000,
	};
}

/* ---- values of unknown type by their place
 * ------------------------------------------ */

static void *place(struct lu_opt *o, const struct opt *t)
{
	return (char *)o + t->at;
}

static const void *place_const(const struct lu_opt *o, const struct opt *t)
{
	return (const char *)o + t->at;
}

static unsigned count(const char *const *words)
{
	unsigned n = 0;

	while (words[n])
		n++;
	return n;
}

/* ---- reading
 * ----------------------------------------------------------------------- */

static void read_text(struct deck_args *a, const struct opt *t, char *ret)
{
	const char *text = deck_args_text(a, t->word, "a text without blanks");

	if (!text)
		return;
	if (strlen(text) >= t->size)
		deck_args_expected(a, t->word, "at most %zu bytes",
				   t->size - 1);
	else
		snprintf(ret, t->size, "%s", strcmp(text, "*") ? text : "");
}

static void read_value(struct deck_args *a, const struct opt *t,
		       struct lu_opt *o)
{
	void *p = place(o, t);

	switch (t->type) {
	case T_BOOL:
		deck_args_on_off(a, t->word, p);
		break;
	case T_U32:
		deck_args_u32(a, t->word, (uint32_t)t->lo, (uint32_t)t->hi, p);
		break;
	case T_SIZE:
		deck_args_size(a, t->word, (uint64_t)t->lo, (uint64_t)t->hi, p);
		break;
	case T_DUR:
		deck_args_dur(a, t->word, t->lo, t->hi, p);
		break;
	case T_WORD:
		deck_args_word(a, t->word, t->words, count(t->words), p);
		break;
	case T_PAGE:
		deck_args_name(a, t->word, "_-.", DECK_PAGE_MAX, p);
		break;
	case T_TEXT:
		read_text(a, t, p);
		break;
	case T_LU:
		printd_read_name(a, t->word, p);
		break;
	}
}

static void note_kind(struct deck_args *a, const struct opt *t,
		      const struct printd_lu *lu)
{
	if (lu && !(t->kinds & K(lu->kind)))
		deck_args_note(a, DECK_WARNING,
			       "LU %s %s has no effect on a %s", lu->name,
			       t->word, lu_kind_name(lu->kind));
}

void printd_deck_cmd_lu(struct printd_builder *b, struct deck_args *a)
{
	const char *words[ARRAY_SIZE(opts)];
	struct printd_lu *lu = NULL;
	char name[LU_NAME_MAX + 1];
	unsigned i;

	if (!deck_args_default(a)) {
		if (!printd_read_name(a, "name", name))
			return;
		lu = printd_deck_find(b->d, name);
		if (!lu) {
			deck_args_expected(a, "name",
					   "a LU that was defined before, or "
					   "* for all after this");
			return;
		}
	}
	for (size_t k = 0; k < ARRAY_SIZE(opts); k++)
		words[k] = opts[k].word;
	do {
		if (!deck_args_word(a, "word", words, ARRAY_SIZE(opts), &i))
			return;
		note_kind(a, &opts[i], lu);
		read_value(a, &opts[i], lu ? &lu->opt : &b->d->defaults);
	} while (deck_args_more(a));
}

/* ---- printing, comparing
 * ------------------------------------------------------------ */

static bool same(const struct opt *t, const struct lu_opt *a,
		 const struct lu_opt *b)
{
	const void *x = place_const(a, t), *y = place_const(b, t);

	if (t->type == T_PAGE || t->type == T_TEXT || t->type == T_LU)
		return strcmp(x, y) == 0;
	return memcmp(x, y, t->size) == 0;
}

static void print_value(const struct opt *t, const struct lu_opt *o, FILE *out)
{
	const void *p = place_const(o, t);
	char buf[DECK_UNIT_TEXT_MAX];

	switch (t->type) {
	case T_BOOL:
		fputs(*(const bool *)p ? "ON" : "OFF", out);
		break;
	case T_U32:
		fprintf(out, "%u", *(const uint32_t *)p);
		break;
	case T_SIZE:
		fputs(deck_format_size(*(const uint64_t *)p, buf), out);
		break;
	case T_DUR:
		fputs(deck_format_dur(*(const int64_t *)p, buf), out);
		break;
	case T_WORD:
		fputs(t->words[*(const unsigned *)p], out);
		break;
	case T_PAGE:
	case T_TEXT:
	case T_LU:
		fputs(*(const char *)p ? (const char *)p : "*", out);
		break;
	}
}

void printd_opt_print(const char *name, const struct lu_opt *o,
		      const struct lu_opt *from, FILE *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(opts); i++) {
		if (same(&opts[i], o, from))
			continue;
		fprintf(out, "LU %s %s ", name, opts[i].word);
		print_value(&opts[i], o, out);
		fputc('\n', out);
	}
}

const char *printd_opt_differs(const struct lu_opt *a, const struct lu_opt *b)
{
	for (size_t i = 0; i < ARRAY_SIZE(opts); i++)
		if (!same(&opts[i], a, b))
			return opts[i].word;
	return NULL;
}
