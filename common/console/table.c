#include "console/table.h"

#include <errno.h>
#include <json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { KIND_STR, KIND_NUM, KIND_BOOL, KIND_NULL };

struct cell {
	uint64_t num;
	uint32_t text; /* offset into the texts */
	uint32_t kind;
};

struct table {
	const struct table_col *cols;
	size_t n_cols;
	bool json, lost;
	bool comma; /* JSON: a row was printed before */
	struct cell *cells;
	size_t n_cells, cap_cells;
	char *texts;
	size_t n_texts, cap_texts;
	unsigned width[]; /* of each column so far */
};

struct table *table_new(const struct table_col *cols, size_t n, bool json)
{
	struct table *t = calloc(1, sizeof *t + n * sizeof t->width[0]);

	if (!t)
		return NULL;
	t->cols = cols;
	t->n_cols = n;
	t->json = json;
	for (size_t i = 0; i < n; i++) {
		size_t head = cols[i].head ? strlen(cols[i].head) : 0;

		t->width[i] = MAX(cols[i].min, (unsigned)head);
	}
	return t;
}

void table_free(struct table *t)
{
	if (!t)
		return;
	free(t->cells);
	free(t->texts);
	free(t);
}

/* Room for `more` elements behind `n`. */
static void *grow(void *p, size_t n, size_t more, size_t *cap, size_t size)
{
	size_t want = *cap ? *cap : 64;
	void *q;

	if (n + more <= *cap)
		return p;
	while (want < n + more)
		want *= 2;
	q = realloc(p, want * size);
	if (q)
		*cap = want;
	return q;
}

static void add_cell(struct table *t, enum kind kind, uint64_t num,
		     const char *text)
{
	size_t len = strlen(text) + 1, col = t->n_cells % t->n_cols;
	struct cell *cells =
		grow(t->cells, t->n_cells, 1, &t->cap_cells, sizeof *cells);
	char *texts;

	if (cells)
		t->cells = cells;
	texts = grow(t->texts, t->n_texts, len, &t->cap_texts, 1);
	if (texts)
		t->texts = texts;
	if (!cells || !texts || t->n_texts + len > UINT32_MAX) {
		t->lost = true;
		return;
	}
	memcpy(t->texts + t->n_texts, text, len);
	t->cells[t->n_cells++] =
		(struct cell){num, (uint32_t)t->n_texts, (uint32_t)kind};
	t->n_texts += len;
	t->width[col] = MAX(t->width[col], (unsigned)(len - 1));
}

void table_str(struct table *t, const char *s)
{
	add_cell(t, KIND_STR, 0, s);
}

void table_u64(struct table *t, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof text, "%llu", (unsigned long long)v);
	add_cell(t, KIND_NUM, v, text);
}

void table_bool(struct table *t, bool v)
{
	add_cell(t, KIND_BOOL, v, v ? "yes" : "no");
}

void table_none(struct table *t)
{
	add_cell(t, KIND_NULL, 0, "-");
}

void table_num(struct table *t, uint64_t v, const char *fmt, ...)
{
	char text[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	add_cell(t, KIND_NUM, v, text);
}

void table_fmt(struct table *t, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	add_cell(t, KIND_STR, 0, text);
}

size_t table_rows(const struct table *t)
{
	return t->n_cells / t->n_cols;
}

/* ---- printing
 * ------------------------------------------------------------------ */

static void pad(unsigned n, table_write_fn *fn, void *arg)
{
	static const char blanks[] = "                                ";

	while (n) {
		unsigned k = MIN(n, (unsigned)sizeof blanks - 1);

		fn(arg, blanks, k);
		n -= k;
	}
}

/* One cell of a line; `lead` blanks are owed from the cells before, so that
 * no line ends in blanks. */
static unsigned put_cell(const struct table *t, size_t col, const char *text,
			 unsigned lead, table_write_fn *fn, void *arg)
{
	unsigned len = (unsigned)strlen(text), w = t->width[col];
	unsigned fill = w > len ? w - len : 0;

	if (t->cols[col].align == TABLE_RIGHT) {
		pad(lead + fill, fn, arg);
		fill = 0;
	} else {
		pad(lead, fn, arg);
	}
	fn(arg, text, len);
	return fill + 2;
}

static void put_heading(const struct table *t, table_write_fn *fn, void *arg)
{
	unsigned lead = 0;

	for (size_t i = 0; i < t->n_cols; i++)
		if (t->cols[i].head)
			lead = put_cell(t, i, t->cols[i].head, lead, fn, arg);
	fn(arg, "\n", 1);
}

static void put_row(const struct table *t, size_t row, table_write_fn *fn,
		    void *arg)
{
	const struct cell *c = t->cells + row * t->n_cols;
	unsigned lead = 0;

	for (size_t i = 0; i < t->n_cols; i++)
		if (t->cols[i].head)
			lead = put_cell(t, i, t->texts + c[i].text, lead, fn,
					arg);
	fn(arg, "\n", 1);
}

static struct json_object *cell_value(const struct table *t,
				      const struct cell *c)
{
	switch ((enum kind)c->kind) {
	case KIND_STR:
		return json_object_new_string(t->texts + c->text);
	case KIND_NUM:
		return json_object_new_uint64(c->num);
	case KIND_BOOL:
		return json_object_new_boolean(c->num != 0);
	case KIND_NULL:
		break;
	}
	return NULL;
}

static int put_json_row(const struct table *t, size_t row, table_write_fn *fn,
			void *arg)
{
	const struct cell *c = t->cells + row * t->n_cols;
	struct json_object *o = json_object_new_object();
	const char *text;
	size_t len;

	if (!o)
		return -ENOMEM;
	for (size_t i = 0; i < t->n_cols; i++)
		json_object_object_add(o, t->cols[i].key, cell_value(t, &c[i]));
	text = json_object_to_json_string_length(
		o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE,
		&len);
	if (text)
		fn(arg, text, len);
	json_object_put(o);
	return text ? 0 : -ENOMEM;
}

static int finish(struct table *t)
{
	bool lost = t->lost;

	t->n_cells = t->n_texts = 0;
	t->lost = false;
	return lost ? -ENOMEM : 0;
}

int table_print(struct table *t, bool first, bool last, table_write_fn *fn,
		void *arg)
{
	size_t rows = table_rows(t);
	int r;

	if (first && t->json)
		fn(arg, "[", 1);
	else if (first)
		put_heading(t, fn, arg);
	for (size_t i = 0; i < rows; i++) {
		if (!t->json) {
			put_row(t, i, fn, arg);
			continue;
		}
		fn(arg, t->comma ? ",\n" : "\n", t->comma ? 2 : 1);
		t->comma = true;
		if (put_json_row(t, i, fn, arg) < 0)
			t->lost = true;
	}
	r = finish(t);
	if (last && t->json)
		fn(arg, "\n]\n", 3);
	return r;
}

int table_print_record(struct table *t, table_write_fn *fn, void *arg)
{
	unsigned width = 0;
	int r;

	INVARIANT(t->lost || t->n_cells == t->n_cols);
	if (t->json && !t->lost) {
		if (put_json_row(t, 0, fn, arg) < 0)
			t->lost = true;
		fn(arg, "\n", 1);
		return finish(t);
	}
	for (size_t i = 0; i < t->n_cols; i++)
		if (t->cols[i].head)
			width = MAX(width, (unsigned)strlen(t->cols[i].head));
	for (size_t i = 0; i < t->n_cells; i++) {
		const char *head = t->cols[i].head,
			   *text = t->texts + t->cells[i].text;

		if (!head)
			continue;
		fn(arg, head, strlen(head));
		pad(width - (unsigned)strlen(head) + 2, fn, arg);
		fn(arg, text, strlen(text));
		fn(arg, "\n", 1);
	}
	r = finish(t);
	return r;
}
