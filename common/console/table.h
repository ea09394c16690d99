/*
 * table.h: a display as rows of named columns, printed as aligned text or as
 * JSON (an array of objects). Filling and printing do no I/O: text goes to a
 * callback.
 *
 * Cells are given left to right; after the last column the next row begins.
 * A cell may look different in the two forms: text shows "1.5ms", JSON the
 * number of microseconds.
 */
#ifndef COUPLET_CONSOLE_TABLE_H
#define COUPLET_CONSOLE_TABLE_H

#include "base/base.h"

enum table_align { TABLE_LEFT, TABLE_RIGHT };

struct table_col {
	const char *key;  /* in JSON */
	const char *head; /* in text; NULL = not shown in text */
	enum table_align align;
	unsigned min; /* least width in text */
};

struct table;

typedef void table_write_fn(void *arg, const char *text, size_t len);

/* `cols[0..n)` are borrowed. NULL: no memory. */
struct table *table_new(const struct table_col *cols, size_t n, bool json);
void table_free(struct table *t);

/* A text; copied. */
void table_str(struct table *t, const char *s);
/* A number, the same in both forms. */
void table_u64(struct table *t, uint64_t v);
void table_bool(struct table *t, bool v); /* text: yes, no */
void table_none(struct table *t);         /* text: -, JSON: null */
/* Number in JSON, `fmt` in text. */
void table_num(struct table *t, uint64_t v, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
void table_fmt(struct table *t, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Rows filled and not yet printed. */
size_t table_rows(const struct table *t);

/*
 * Prints all rows and forgets them. A long display is printed in parts, so
 * that it needs no more memory than one part: `first` prints the headings
 * or the opening bracket, `last` the closing one. Text columns are as wide as
 * their widest cell so far. -ENOMEM: cells were lost.
 */
int table_print(struct table *t, bool first, bool last, table_write_fn *fn,
		void *arg) MUST_USE;

/*
 * A display that is one set of named values instead: "Heading  value" lines,
 * or one JSON object. The same cells, one row of a table.
 */
int table_print_record(struct table *t, table_write_fn *fn, void *arg) MUST_USE;

#endif
