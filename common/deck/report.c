#include "deck/deck.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void deck_report_init(struct deck_report *r)
{
	*r = (struct deck_report){0};
}

void deck_report_fini(struct deck_report *r)
{
	for (uint32_t i = 0; i < r->n_notes; i++)
		free((void *)(uintptr_t)r->notes[i].file);
	free(r->notes);
	deck_report_init(r);
}

static void count(struct deck_report *r, enum deck_severity severity)
{
	switch (severity) {
	case DECK_INFO:
		r->n_infos++;
		break;
	case DECK_WARNING:
		r->n_warnings++;
		break;
	case DECK_ERROR:
		r->n_errors++;
		break;
	}
}

/* Operands come from anybody's file; a note stays one printable line. */
static void make_printable(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
	}
}

/* Room for one more note, or NULL. */
static struct deck_note *new_note(struct deck_report *r)
{
	if (r->n_notes == DECK_NOTES_MAX)
		return NULL;
	if (!r->notes)
		r->notes = calloc(DECK_NOTES_MAX, sizeof(*r->notes));
	return r->notes ? &r->notes[r->n_notes] : NULL;
}

void deck_note(struct deck_report *r, enum deck_severity severity,
	       const char *file, uint32_t line, uint32_t column,
	       const char *fmt, ...)
{
	struct deck_note *n = new_note(r);
	char text[DECK_NOTE_MAX];
	size_t file_len = strlen(file) + 1, text_len;
	va_list ap;
	char *p;

	count(r, severity);
	if (!n)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	make_printable(text);
	text_len = strlen(text) + 1;
	p = malloc(file_len + text_len);
	if (!p)
		return;
	memcpy(p, file, file_len);
	memcpy(p + file_len, text, text_len);
	*n = (struct deck_note){severity, p, line, column, p + file_len};
	r->n_notes++;
}

/* Files in the order in which they were first complained about. */
static uint32_t rank(const struct deck_report *r, const char *file,
		     const char *first)
{
	uint32_t i = 0;

	if (strcmp(file, first) == 0)
		return 0;
	while (strcmp(r->notes[i].file, file) != 0)
		i++;
	return i + 1;
}

static bool before(const struct deck_note *a, uint32_t rank_a,
		   const struct deck_note *b, uint32_t rank_b)
{
	if (rank_a != rank_b)
		return rank_a < rank_b;
	if (a->line != b->line)
		return a->line < b->line;
	return a->column < b->column;
}

void deck_report_sort(struct deck_report *r, const char *first)
{
	uint32_t ranks[DECK_NOTES_MAX];

	for (uint32_t i = 0; i < r->n_notes; i++)
		ranks[i] = rank(r, r->notes[i].file, first);
	/* insertion sort: few notes, nearly sorted, and it is stable */
	for (uint32_t i = 1; i < r->n_notes; i++) {
		struct deck_note n = r->notes[i];
		uint32_t n_rank = ranks[i], k = i;

		for (; k && before(&n, n_rank, &r->notes[k - 1], ranks[k - 1]);
		     k--) {
			r->notes[k] = r->notes[k - 1];
			ranks[k] = ranks[k - 1];
		}
		r->notes[k] = n;
		ranks[k] = n_rank;
	}
}

const char *deck_severity_name(enum deck_severity s)
{
	switch (s) {
	case DECK_ERROR:
		return "error";
	case DECK_WARNING:
		return "warning";
	case DECK_INFO:
		break;
	}
	return "note";
}

void deck_report_print(const struct deck_report *r, FILE *out)
{
	uint32_t all = r->n_errors + r->n_warnings + r->n_infos;

	for (uint32_t i = 0; i < r->n_notes; i++) {
		const struct deck_note *n = &r->notes[i];

		if (n->line)
			fprintf(out, "%s:%u:%u: %s: %s\n", n->file, n->line,
				n->column, deck_severity_name(n->severity),
				n->text);
		else
			fprintf(out, "%s: %s: %s\n", n->file,
				deck_severity_name(n->severity), n->text);
	}
	if (all > r->n_notes)
		fprintf(out,
			"%u more not shown (%u errors, %u warnings "
			"in all)\n",
			all - r->n_notes, r->n_errors, r->n_warnings);
}
