#include "deck/reader.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What the last record of a cut may hold. */
#define VALUE_BYTES (DECK_VALUE_MAX + 1)

static const char *skip_blanks(const char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

/* ---- operand fields: NAME=VALUE,NAME='VALUE',WORD up to the first blank
 * ------ */

struct field {
	char name[DECK_JOB_MAX + 1]; /* upper case; cut if longer */
	char value[VALUE_BYTES];     /* without quotes; "" if none */
	bool has_value;
	bool too_long;
	uint32_t column; /* of the name */
};

static void put(char *buf, size_t cap, size_t *used, char c, bool *too_long)
{
	if (*used + 1 < cap) {
		buf[(*used)++] = c;
		buf[*used] = '\0';
	} else {
		*too_long = true;
	}
}

/* A quoted value; p is behind the first quote. Two quotes are one. */
static const char *quoted(const char *p, struct field *f, size_t *used)
{
	for (; *p; p++) {
		if (*p == '\'' && *++p != '\'')
			break;
		put(f->value, sizeof(f->value), used, *p, &f->too_long);
	}
	return p;
}

/*
 * Next field of the operand list at *p, which moves behind it. False at its
 * end: a blank outside of quotes and brackets, so that what follows is a
 * remark.
 */
static bool next_field(const char **p, const char *record, struct field *f)
{
	const char *s = *p;
	size_t n_name = 0, n_value = 0;
	unsigned depth = 0;

	memset(f, 0, sizeof(*f));
	f->column = (uint32_t)(s - record) + 1;
	if (!*s || isblank((unsigned char)*s))
		return false;
	while (*s && *s != ',' && *s != '=' && !isblank((unsigned char)*s))
		put(f->name, sizeof(f->name), &n_name,
		    (char)toupper((unsigned char)*s++), &f->too_long);
	if (*s == '=') {
		f->has_value = true;
		s++;
	}
	while (f->has_value && *s &&
	       (depth || (*s != ',' && !isblank((unsigned char)*s)))) {
		if (*s == '\'') {
			s = quoted(s + 1, f, &n_value);
			continue;
		}
		depth += *s == '(';
		depth -= *s == ')' && depth;
		put(f->value, sizeof(f->value), &n_value, *s++, &f->too_long);
	}
	if (*s == ',')
		s++;
	*p = s;
	return true;
}

/* ---- statements of job control
 * ------------------------------------------------ */

static void set_text(struct deck_reader *r, char *buf, size_t cap,
		     const struct field *f, const char *what)
{
	size_t len = strlen(f->value);

	if (f->too_long || len >= cap) {
		deck_reader_note(r, DECK_ERROR, f->column,
				 "%s: expected at most %zu characters", what,
				 cap - 1);
		return;
	}
	memcpy(buf, f->value, len + 1);
}

/* Names are printed again, and used as names of other things. */
static void set_name(struct deck_reader *r, char *buf, const char *name,
		     uint32_t column, const char *what)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c > 127 || (!isalnum(c) && !strchr("@#$-_.", c)))
			len = 0;
	}
	if (len >= 1 && len <= DECK_JOB_MAX)
		memcpy(buf, name, len + 1);
	else
		deck_reader_note(r, DECK_WARNING, column,
				 "%s: expected 1 to %d letters, digits or "
				 "@#$-_.; not used",
				 what, DECK_JOB_MAX);
}

static void option(struct deck_reader *r, const char *record, const char *p)
{
	struct deck_settings *s = &r->deck->settings;
	struct field f;

	while (next_field(&p, record, &f)) {
		if (strcmp(f.name, "SYSPARM") != 0)
			continue; /* LOG, PARTDUMP ... concern z/VSE */
		set_text(r, s->sysparm, sizeof(s->sysparm), &f,
			 "OPTION SYSPARM");
		s->sysparm_file = r->file;
		s->sysparm_line = r->line;
	}
}

static struct deck_setparm *setparm_slot(struct deck_settings *s,
					 const char *name)
{
	for (uint32_t i = 0; i < s->n_setparm; i++) {
		if (strcmp(s->setparm[i].name, name) == 0)
			return &s->setparm[i];
	}
	if (s->n_setparm == DECK_SETPARMS_MAX)
		return NULL;
	return &s->setparm[s->n_setparm++];
}

static void setparm(struct deck_reader *r, const char *record, const char *p)
{
	struct deck_setparm *slot;
	struct field f;

	while (next_field(&p, record, &f)) {
		if (!f.name[0] || !f.has_value) {
			deck_reader_note(r, DECK_ERROR, f.column,
					 "SETPARM '%s': expected name=value",
					 f.name);
			continue;
		}
		slot = setparm_slot(&r->deck->settings, f.name);
		if (!slot) {
			deck_reader_note(r, DECK_ERROR, f.column,
					 "more than %d SETPARM names",
					 DECK_SETPARMS_MAX);
			return;
		}
		memcpy(slot->name, f.name, sizeof(slot->name));
		slot->file = r->file;
		slot->line = r->line;
		slot->column = f.column;
		set_text(r, slot->value, sizeof(slot->value), &f, "SETPARM");
	}
}

static void upsi(struct deck_reader *r, const char *record, const char *p)
{
	struct deck_settings *s = &r->deck->settings;
	size_t len = strcspn(p, " \t");

	if (len < 1 || len > 8 || strspn(p, "01Xx") < len) {
		deck_reader_note(r, DECK_ERROR, (uint32_t)(p - record) + 1,
				 "UPSI '%.*s': expected 1 to 8 of 0, 1 and X",
				 (int)MIN(len, 40), p);
		return;
	}
	memset(s->upsi, 'X', 8);
	for (size_t i = 0; i < len; i++)
		s->upsi[i] = (char)toupper((unsigned char)p[i]);
	s->upsi_file = r->file;
	s->upsi_line = r->line;
}

/* Nothing of this record may show up anywhere: it has a password in it. */
static void id(struct deck_reader *r, const char *record, const char *p)
{
	struct deck_settings *s = &r->deck->settings;
	struct field f;

	while (next_field(&p, record, &f)) {
		if (strcmp(f.name, "USER") == 0) {
			set_name(r, s->user, f.value, f.column, "ID USER");
			s->user_file = r->file;
			s->user_line = s->user[0] ? r->line : 0;
		}
		explicit_bzero(&f, sizeof(f));
	}
	explicit_bzero(&f, sizeof(f));
}

static bool wanted(const struct deck_options *opt, const char *program)
{
	if (!opt->programs)
		return true;
	for (const char *const *p = opt->programs; *p; p++) {
		if (strcmp(*p, program) == 0)
			return true;
	}
	return false;
}

const char *deck_word_list(const char *const *words, char *buf, size_t cap)
{
	buf[0] = '\0';
	for (size_t i = 0; words[i]; i++) {
		size_t used = strlen(buf);

		snprintf(buf + used, cap - used, "%s%s",
			 !i             ? ""
			 : words[i + 1] ? ", "
					: " or ",
			 words[i]);
	}
	return buf;
}

static void our_step(struct deck_reader *r, const char *record, const char *p,
		     const struct field *program)
{
	struct deck_settings *s = &r->deck->settings;
	char text[200];
	struct field f;

	if (!wanted(r->opt, program->name)) {
		deck_reader_note(
			r, DECK_ERROR, program->column,
			"// EXEC %s: expected a step of %s", program->name,
			deck_word_list(r->opt->programs, text, sizeof(text)));
		/* said once; its data would only cause more errors */
		memcpy(s->program, program->name, sizeof(s->program));
		r->part = PART_DONE;
		return;
	}
	memcpy(s->program, program->name, sizeof(s->program));
	s->program_file = r->file;
	s->program_line = r->line;
	while (next_field(&p, record, &f)) {
		if (strcmp(f.name, "PARM") == 0)
			set_text(r, s->parm, sizeof(s->parm), &f, "EXEC PARM");
	}
	r->part = PART_DATA;
}

static void exec(struct deck_reader *r, const char *record, const char *p)
{
	struct field f;
	bool ours;

	if (!next_field(&p, record, &f)) {
		deck_reader_note(r, DECK_ERROR, (uint32_t)(p - record) + 1,
				 "// EXEC: expected a program");
		return;
	}
	if (strcmp(f.name, "PROC") == 0 && r->part != PART_DONE) {
		deck_reader_note(r, DECK_WARNING, f.column,
				 "// EXEC PROC: procedures are not read");
		r->part = PART_SKIP;
		return;
	}
	if (strcmp(f.name, "PGM") == 0 && f.has_value)
		snprintf(f.name, sizeof(f.name), "%.*s", DECK_JOB_MAX, f.value);
	ours = strncasecmp(f.name, "BSTT", 4) == 0 &&
	       strcasecmp(f.name, "BSTTWAIT") != 0;
	for (char *c = f.name; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	if (r->part != PART_DONE) {
		if (ours)
			our_step(r, record, p, &f);
		else
			r->part = PART_SKIP;
	} else if (ours && !r->second_step) {
		r->second_step = true;
		deck_reader_note(r, DECK_WARNING, f.column,
				 "only the first step is read: %s of line %u",
				 r->deck->settings.program,
				 r->deck->settings.program_line);
	}
}

static void job(struct deck_reader *r, const char *record, const char *p)
{
	struct deck_settings *s = &r->deck->settings;
	struct field f;

	if (next_field(&p, record, &f) && !r->power_job)
		set_name(r, s->job, f.name, f.column, "JOB");
}

static void conditional(struct deck_reader *r, const char *record,
			const char *p)
{
	(void)p;
	deck_reader_note(r, DECK_WARNING,
			 (uint32_t)(skip_blanks(record + 2) - record) + 1,
			 "conditional JCL is not obeyed");
}

static void procedure(struct deck_reader *r, const char *record, const char *p)
{
	(void)p;
	deck_reader_note(r, DECK_WARNING,
			 (uint32_t)(skip_blanks(record + 2) - record) + 1,
			 "procedures are not read");
}

/* Statements about z/VSE itself; they need no word. */
static bool of_the_host(const char *op)
{
	static const char *const words[] = {
		"ASSGN",  "CLOSE",  "DATE",    "DLBL",    "EXTENT",  "KEKL",
		"LFCB",   "LIBDEF", "LIBDROP", "LIBLIST", "LIBSERV", "LISTIO",
		"LOG",    "MTC",    "NOLOG",   "NPGR",    "PAUSE",   "PWR",
		"QUERY",  "RESET",  "RSTRT",   "SETPFIX", "SETPRT",  "STDOPT",
		"SYSDEF", "TLBL",   "UNBATCH", "VDISK",   "VTAPE",   "ZONE",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(op, words[i]) == 0)
			return true;
	}
	return false;
}

static const struct statement {
	const char *op;
	void (*read)(struct deck_reader *r, const char *record,
		     const char *operands);
} statements[] = {
	{"EXEC", exec},       {"JOB", job},        {"OPTION", option},
	{"SETPARM", setparm}, {"UPSI", upsi},      {"ID", id},
	{"ON", conditional},  {"IF", conditional}, {"GOTO", conditional},
	{"PROC", procedure},
};

/* A comma at the end of the operands: the statement goes on in the next
 * record, which is passed over. */
static bool ends_in_comma(const char *p)
{
	size_t len = strlen(p);

	return len && p[len - 1] == ',';
}

void deck_jcl_statement(struct deck_reader *r, const char *record)
{
	const char *p = skip_blanks(record + 2), *operands;
	size_t len = strcspn(p, " \t"), n = 0;
	char op[DECK_JOB_MAX + 1] = "";
	bool too_long = false, done = r->part == PART_DONE;

	operands = skip_blanks(p + len);
	for (size_t i = 0; i < len; i++)
		put(op, sizeof(op), &n, (char)toupper((unsigned char)p[i]),
		    &too_long);
	if (done && strcmp(op, "EXEC") != 0)
		return; /* JCL after our step */
	r->jcl_continues = ends_in_comma(operands);
	if (r->jcl_continues && strcmp(op, "JOB") != 0)
		deck_reader_note(r, DECK_WARNING, (uint32_t)strlen(record),
				 "the JCL record that this one is continued "
				 "in is not read");
	for (size_t i = 0; i < ARRAY_SIZE(statements); i++) {
		if (strcmp(op, statements[i].op) == 0) {
			statements[i].read(r, record, operands);
			return;
		}
	}
	if (!of_the_host(op))
		deck_reader_note(r, DECK_INFO, (uint32_t)(p - record) + 1,
				 "JCL statement %s has no meaning here", op);
}

/* POWER's job name lives on; what // statements set belongs to their job. */
void deck_jcl_end_of_job(struct deck_reader *r)
{
	struct deck_settings *s = &r->deck->settings, kept = {0};

	if (r->power_job)
		memcpy(kept.job, s->job, sizeof(kept.job));
	memcpy(kept.lst_class, s->lst_class, sizeof(kept.lst_class));
	*s = kept;
}

/* ---- statements of VSE/POWER
 * ----------------------------------------------------- */

struct sli {
	char member[VALUE_BYTES], lib[VALUE_BYTES];
	uint32_t column;
};

static void power_field(struct deck_reader *r, const struct field *f,
			struct sli *sli)
{
	struct deck_settings *s = &r->deck->settings;
	bool job = strcmp(r->power_op, "JOB") == 0;
	bool lst = strcmp(r->power_op, "LST") == 0;
	bool is_sli = strcmp(r->power_op, "SLI") == 0;

	if (job && strcmp(f->name, "JNM") == 0) {
		set_name(r, s->job, f->value, f->column, "JOB JNM");
		r->power_job = true;
	} else if (lst && strcmp(f->name, "CLASS") == 0) {
		snprintf(s->lst_class, sizeof(s->lst_class), "%c", f->value[0]);
	} else if (is_sli && (strcmp(f->name, "ICCF") == 0 ||
			      strcmp(f->name, "MEM") == 0)) {
		memcpy(sli->member, f->value, sizeof(sli->member));
		sli->column = f->column;
	} else if (is_sli &&
		   (strcmp(f->name, "LIB") == 0 || strcmp(f->name, "S") == 0)) {
		memcpy(sli->lib, f->value, sizeof(sli->lib));
	}
}

/* ICCF=(member,password) and MEM=... as written by others. */
static void strip_brackets(char *member)
{
	size_t len;

	if (member[0] != '(')
		return;
	len = strcspn(member + 1, ",)");
	memmove(member, member + 1, len);
	member[len] = '\0';
}

static void run_sli(struct deck_reader *r, const char *record, struct sli *sli)
{
	strip_brackets(sli->member);
	strip_brackets(sli->lib);
	if (!sli->member[0]) {
		deck_reader_note(r, DECK_ERROR, (uint32_t)strlen(record) + 1,
				 "SLI: expected ICCF=member,LIB=number or "
				 "MEM=name.type,S=lib.sublib");
		return;
	}
	deck_include(r, sli->column, sli->member, sli->lib);
}

static bool power_known(const char *op)
{
	static const char *const words[] = {"JOB",  "LST", "PUN",    "CTL",
					    "EOJ",  "END", "SLI",    "FLS",
					    "DATA", "RDR", "SEGMENT"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(op, words[i]) == 0)
			return true;
	}
	return false;
}

/* The operation, or the one of the record before if that ended in a comma;
 * returns where its operands begin. */
static const char *power_op(struct deck_reader *r, const char *record)
{
	const char *p = skip_blanks(record + 4);
	size_t len = strcspn(p, " \t");

	if (r->power_op[0] && memchr(p, '=', len))
		return p;
	snprintf(r->power_op, sizeof(r->power_op), "%.*s", (int)len, p);
	for (char *c = r->power_op; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	if (!power_known(r->power_op))
		deck_reader_note(r, DECK_INFO, (uint32_t)(p - record) + 1,
				 "POWER statement %s has no meaning here",
				 r->power_op);
	return skip_blanks(p + len);
}

void deck_power_statement(struct deck_reader *r, const char *record)
{
	const char *p = power_op(r, record);
	bool goes_on = ends_in_comma(p);
	struct sli sli = {0};
	struct field f;

	if (r->part == PART_DONE)
		return; /* output of the job, or another job */
	if (r->part == PART_SKIP && strcmp(r->power_op, "SLI") == 0)
		return; /* data of a program that is not ours */
	while (next_field(&p, record, &f))
		power_field(r, &f, &sli);
	if (strcmp(r->power_op, "SLI") == 0)
		run_sli(r, record, &sli);
	else if (strcmp(r->power_op, "EOJ") == 0 && r->part == PART_DATA)
		deck_reader_note(r, DECK_WARNING, 1,
				 "end of job before the /* that ends the data "
				 "of // EXEC");
	if (strcmp(r->power_op, "EOJ") == 0 &&
	    (r->part == PART_DATA || r->part == PART_BARE))
		r->part = PART_DONE;
	if (!goes_on)
		r->power_op[0] = '\0';
}
