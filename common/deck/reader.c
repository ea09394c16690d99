#include "deck/reader.h"

#include "base/ebcdic.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define CARD_SEQUENCE 72 /* columns before the sequence number */

void deck_reader_note(struct deck_reader *r, enum deck_severity severity,
		      uint32_t column, const char *fmt, ...)
{
	char text[DECK_NOTE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	deck_note(r->report, severity, r->file, r->line, column, "%s", text);
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

/* ---- commands
 * ------------------------------------------------------------------- */

/* One allocation: this, the operands, the record, the words cut out of it. */
struct command_memory {
	size_t bytes;
	struct deck_command cmd;
	struct deck_operand operands[];
};

static int append(struct deck *d, struct deck_command *cmd)
{
	struct deck_command **grown;
	uint32_t cap;

	if (d->n_commands == d->cap_commands) {
		cap = d->cap_commands ? d->cap_commands * 2 : 64;
		grown = realloc(d->commands, cap * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		d->commands = grown;
		d->cap_commands = cap;
	}
	d->commands[d->n_commands++] = cmd;
	return 0;
}

/* Cuts `words` at its blanks; returns their number, at most `max`. */
static uint32_t cut(char *words, struct deck_operand *ret, uint32_t max)
{
	uint32_t n = 0;
	char *p = words;

	while (*p) {
		while (blank(*p))
			*p++ = '\0';
		if (!*p)
			break;
		if (n < max) {
			ret[n].text = p;
			ret[n].column = (uint32_t)(p - words) + 1;
		}
		n++;
		while (*p && !blank(*p))
			p++;
	}
	return n;
}

static void free_command(struct deck_command *cmd)
{
	struct command_memory *m =
		container_of(cmd, struct command_memory, cmd);

	explicit_bzero(m, m->bytes); /* operands may be passwords */
	free(m);
}

static void command(struct deck_reader *r, const char *record)
{
	struct deck_operand words[DECK_OPERANDS_MAX + 1];
	size_t len = strlen(record) + 1, bytes;
	struct command_memory *m;
	uint32_t all, n;
	char *text;

	bytes = sizeof(*m) + DECK_OPERANDS_MAX * sizeof(words[0]) + 2 * len;
	m = calloc(1, bytes);
	if (!m) {
		r->error = -ENOMEM;
		return;
	}
	m->bytes = bytes;
	text = (char *)(m->operands + DECK_OPERANDS_MAX);
	memcpy(text, record, len);
	memcpy(text + len, record, len);
	all = cut(text + len, words, ARRAY_SIZE(words));
	n = MIN(all, ARRAY_SIZE(words));
	for (char *p = text + len + words[0].column - 1; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	m->cmd = (struct deck_command){
		.keyword = words[0].text,
		.column = words[0].column,
		.n_operands = n - 1,
		.too_many = all > n,
		.operands = m->operands,
		.record = text,
		.file = r->file,
		.line = r->line,
	};
	memcpy(m->operands, words + 1, (n - 1) * sizeof(words[0]));
	if (append(r->deck, &m->cmd) < 0) {
		r->error = -ENOMEM;
		free_command(&m->cmd);
	}
}

/* ---- records, by the part of the deck they stand in
 * ------------------------------ */

static bool starts(const char *record, const char *with)
{
	return strncmp(record, with, strlen(with)) == 0;
}

/* "* text": the star stands alone or before a blank or more text; in column
 * 1 it always is a comment. */
static bool is_comment(const char *record)
{
	return record[0] == '*';
}

/* Comments that were indented by mistake, and labels. */
static bool is_void(struct deck_reader *r, const char *record)
{
	const char *p = record;

	if (starts(record, "/."))
		return true;
	while (blank(*p))
		p++;
	if (p == record || *p != '*' || (p[1] && !blank(p[1])))
		return false;
	deck_reader_note(r, DECK_WARNING, (uint32_t)(p - record) + 1,
			 "a comment begins in column 1; taken as a comment");
	return true;
}

static void in_bare(struct deck_reader *r, const char *record)
{
	if (starts(record, "/*") || starts(record, "/&")) {
		r->part = PART_DONE;
	} else if (starts(record, "//")) {
		if (!r->jcl_in_commands)
			deck_reader_note(r, DECK_ERROR, 1,
					 "JCL after commands: expected a deck "
					 "of commands only, or a job with the "
					 "commands after // EXEC");
		r->jcl_in_commands = true;
	} else if (!is_void(r, record)) {
		command(r, record);
	}
}

static void in_jcl(struct deck_reader *r, const char *record)
{
	if (starts(record, "//")) {
		deck_jcl_statement(r, record);
	} else if (starts(record, "/&")) {
		deck_jcl_end_of_job(r);
	} else if (starts(record, "/*") || starts(record, "/+") ||
		   r->jcl_continues || is_void(r, record)) {
		/* a card that was commented out, the end of a LIBR CATALOG,
		 * the rest of a statement whose beginning was noted */
		return;
	} else {
		deck_reader_note(r, DECK_ERROR, 1,
				 "neither JCL nor data of a step: expected //, "
				 "or a // EXEC before this record");
	}
}

static void in_skip(struct deck_reader *r, const char *record)
{
	if (starts(record, "/*")) {
		r->part = PART_JCL;
	} else if (starts(record, "//") || starts(record, "/&")) {
		r->part = PART_JCL;
		in_jcl(r, record);
	}
}

static void in_data(struct deck_reader *r, const char *record)
{
	if (starts(record, "/*")) {
		r->part = PART_DONE;
	} else if (starts(record, "/&")) {
		deck_reader_note(r, DECK_WARNING, 1,
				 "end of job before the /* that ends the data "
				 "of // EXEC");
		r->part = PART_DONE;
	} else if (starts(record, "//")) {
		if (!r->jcl_in_commands)
			deck_reader_note(r, DECK_ERROR, 1,
					 "JCL inside the data of // EXEC in "
					 "line %u: is a /* missing?",
					 r->deck->settings.program_line);
		r->jcl_in_commands = true;
	} else if (!is_void(r, record)) {
		command(r, record);
	}
}

static void in_done(struct deck_reader *r, const char *record)
{
	if (starts(record, "//") && r->deck->settings.program[0]) {
		deck_jcl_statement(r, record);
		return;
	}
	if (record[0] == '/' || r->after_end || r->deck->settings.program[0])
		return;
	deck_reader_note(r, DECK_WARNING, 1,
			 "records after the end of the data (/*) are not "
			 "read");
	r->after_end = true;
}

static void in_start(struct deck_reader *r, const char *record)
{
	if (starts(record, "//") || starts(record, "/&")) {
		r->part = PART_JCL;
		in_jcl(r, record);
	} else if (starts(record, "/*") || starts(record, "/+")) {
		return; /* before any command nothing can end */
	} else if (!is_void(r, record)) {
		r->part = PART_BARE;
		in_bare(r, record);
	}
}

static void read_record(struct deck_reader *r, const char *record)
{
	static void (*const parts[])(struct deck_reader *, const char *) = {
		[PART_START] = in_start, [PART_BARE] = in_bare,
		[PART_JCL] = in_jcl,     [PART_SKIP] = in_skip,
		[PART_DATA] = in_data,   [PART_DONE] = in_done,
	};

	if (starts(record, "* $$") && (!record[4] || blank(record[4]))) {
		deck_power_statement(r, record);
		return;
	}
	r->power_op[0] = '\0';
	if (!is_comment(record))
		parts[r->part](r, record);
}

/* ---- text into records
 * -------------------------------------------------------------- */

/* Eight digits in columns 73-80 of a card image, after a blank, are its
 * sequence number. Elsewhere records may be longer than a card. */
static size_t without_sequence(struct deck_reader *r, const char *text,
			       size_t len)
{
	if (len != CARD_BYTES || text[CARD_SEQUENCE - 1] != ' ' ||
	    memchr(text, '\t', len))
		return len;
	for (size_t i = CARD_SEQUENCE; i < len; i++) {
		if (!isdigit((unsigned char)text[i]))
			return len;
	}
	if (!r->sequence_noted)
		deck_reader_note(r, DECK_INFO, CARD_SEQUENCE + 1,
				 "sequence numbers in columns 73-80 are not "
				 "read");
	r->sequence_noted = true;
	return CARD_SEQUENCE;
}

static bool bytes_ok(struct deck_reader *r, const char *text, size_t len)
{
	if (len > DECK_RECORD_MAX) {
		deck_reader_note(r, DECK_ERROR, DECK_RECORD_MAX + 1,
				 "record of %zu bytes: expected at most %d",
				 len, DECK_RECORD_MAX);
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f) {
			deck_reader_note(r, DECK_ERROR, (uint32_t)i + 1,
					 "byte 0x%02x is no text", c);
			return false;
		}
	}
	return true;
}

static void read_line(struct deck_reader *r, const char *text, size_t len)
{
	char record[DECK_RECORD_MAX + 1];

	if (len && text[len - 1] == '\r')
		len--;
	if (len == 1 && text[0] == 0x1a) /* end of file of old editors */
		return;
	if (!bytes_ok(r, text, len))
		return;
	len = without_sequence(r, text, len);
	while (len && blank(text[len - 1]))
		len--;
	if (!len)
		return;
	memcpy(record, text, len);
	record[len] = '\0';
	read_record(r, record);
	explicit_bzero(record, len);
}

static void read_lines(struct deck_reader *r, const char *text, size_t len)
{
	const char *p = text, *end = text + len, *nl;

	if (len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		p += 3; /* byte order mark */
	while (p < end && !r->error && !r->too_many) {
		nl = memchr(p, '\n', (size_t)(end - p));
		r->line++;
		if (++r->records > DECK_RECORDS_MAX) {
			deck_reader_note(r, DECK_ERROR, 1,
					 "more than %d records in the deck",
					 DECK_RECORDS_MAX);
			r->too_many = true;
			break;
		}
		read_line(r, p, (size_t)((nl ? nl : end) - p));
		p = nl ? nl + 1 : end;
	}
}

/* A file that came from z/VSE as it was. */
static void read_host_text(struct deck_reader *r, const char *text, size_t len,
			   enum deck_text kind)
{
	static const char *const forms[] = {
		[DECK_TEXT_CARDS] = "card images of 80 bytes",
		[DECK_TEXT_EBCDIC] = "EBCDIC, read as IBM-1047",
		[DECK_TEXT_EBCDIC_CARDS] =
			"card images of 80 bytes in EBCDIC, read as IBM-1047",
	};
	size_t n;
	char *lines = deck_text_lines(text, len, kind, &n);

	if (!lines) {
		r->error = -ENOMEM;
		return;
	}
	deck_note(r->report, DECK_INFO, r->file, 1, 1, "%s", forms[kind]);
	read_lines(r, lines, n);
	deck_wipe(lines, n);
}

void deck_reader_text(struct deck_reader *r, const char *name, const char *text,
		      size_t len)
{
	enum deck_text kind = deck_text_kind(text, len);

	r->file = name;
	r->line = 0;
	if (kind == DECK_TEXT_LINES)
		read_lines(r, text, len);
	else
		read_host_text(r, text, len, kind);
}

/* ---- the whole deck
 * ------------------------------------------------------------------- */

/* A job of which nothing was read, or not to its end. */
static void check_end(struct deck_reader *r)
{
	char text[200];

	switch (r->part) {
	case PART_DATA:
		deck_reader_note(r, DECK_WARNING, 1,
				 "end of file before the /* that ends the "
				 "data of // EXEC");
		break;
	case PART_JCL:
	case PART_SKIP:
		deck_reader_note(
			r, DECK_ERROR, 1, "the job has no step // EXEC %s",
			r->opt->programs ? deck_word_list(r->opt->programs,
							  text, sizeof(text))
					 : "BSTTxxxx");
		break;
	case PART_START:
	case PART_BARE:
	case PART_DONE:
		break;
	}
}

static bool csi_keyword(const char *keyword)
{
	static const char *const words[] = {"DEFINE", "SET", "MODIFY",
					    "DELETE"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(keyword, words[i]) == 0)
			return true;
	}
	return false;
}

/* The other stack of z/VSE writes DEFINE LINK,ID=..,TYPE=..: one note says
 * more than an error for each of its records. */
static void check_csi(struct deck_reader *r)
{
	struct deck *d = r->deck;

	for (uint32_t i = 0; i < d->n_commands; i++) {
		const struct deck_command *c = d->commands[i];

		if (!csi_keyword(c->keyword) || !strchr(c->record, ',') ||
		    !strchr(c->record, '='))
			continue;
		deck_note(r->report, DECK_ERROR, c->file, c->line, c->column,
			  "this is a deck of TCP/IP for VSE (CSI): expected "
			  "IPv6/VSE commands such as DEVICE, LINK, ROUTE");
		for (uint32_t k = 0; k < d->n_commands; k++)
			free_command(d->commands[k]);
		d->n_commands = 0;
		return;
	}
}

int deck_read_text(const char *name, const char *text, size_t len,
		   const struct deck_options *opt, struct deck_report *report,
		   struct deck **ret)
{
	static const struct deck_options none;
	struct deck_reader r = {
		.opt = opt ? opt : &none,
		.report = report,
		.top = name,
	};

	r.deck = calloc(1, sizeof(*r.deck));
	if (!r.deck)
		return -ENOMEM;
	r.stack[0] = deck_intern(r.deck, name);
	if (!r.stack[0]) {
		deck_free(r.deck);
		return -ENOMEM;
	}
	deck_reader_text(&r, r.stack[0], text, len);
	if (r.error) {
		deck_free(r.deck);
		return r.error;
	}
	r.line = MAX(r.line, 1u);
	check_end(&r);
	check_csi(&r);
	r.deck->end_file = r.file;
	r.deck->end_line = r.line;
	*ret = r.deck;
	return 0;
}

int deck_read(const char *path, const struct deck_options *opt,
	      struct deck_report *report, struct deck **ret)
{
	char *text = NULL;
	size_t len = 0;
	int r;

	r = (opt && opt->load ? opt->load : deck_load_file)(
		opt ? opt->load_arg : NULL, path, &text, &len);
	if (r == -EFBIG)
		deck_note(report, DECK_ERROR, path, 0, 0,
			  "the deck is too large: expected at most %u MiB",
			  DECK_FILE_BYTES_MAX >> 20);
	else if (r < 0)
		deck_note(report, DECK_ERROR, path, 0, 0,
			  "the deck cannot be read: %s", strerror(-r));
	if (r < 0)
		return r;
	r = deck_read_text(path, text, len, opt, report, ret);
	deck_wipe(text, len);
	return r;
}

void deck_free(struct deck *d)
{
	struct deck_file *f;

	if (!d)
		return;
	for (uint32_t i = 0; i < d->n_commands; i++)
		free_command(d->commands[i]);
	free(d->commands);
	while ((f = d->files)) {
		d->files = f->next;
		free(f);
	}
	free(d);
}

const struct deck_settings *deck_settings(const struct deck *d)
{
	return &d->settings;
}

const struct deck_command *deck_next(const struct deck *d, uint32_t *it)
{
	return *it < d->n_commands ? d->commands[(*it)++] : NULL;
}

uint32_t deck_count(const struct deck *d)
{
	return d->n_commands;
}

void deck_end(const struct deck *d, const char **ret_file, uint32_t *ret_line)
{
	*ret_file = d->end_file;
	*ret_line = d->end_line;
}

const char *deck_command_rest(const struct deck_command *cmd, uint32_t i)
{
	if (i >= cmd->n_operands)
		return "";
	return cmd->record + cmd->operands[i].column - 1;
}
