/*
 * plain.h: interpreter of UTF-8 text to pages, the sibling of scs.h and
 * lu3.h for jobs that arrive as text: LF, CRLF, CR overstrike, FF, HT every
 * 8, BS overstrike; optionally the first column is ASA carriage control
 * (blank 0 - + 1..9). Pure and streaming.
 */
#ifndef COUPLET_RENDER_PLAIN_H
#define COUPLET_RENDER_PLAIN_H

#include "render/codepage.h"
#include "render/page.h"

struct plain_conf {
	uint8_t width;               /* 0 = RENDER_COLUMNS_MAX */
	uint8_t lines;               /* per page; 0 = only FF ends a page */
	bool asa;                    /* column 1 is carriage control */
	const struct codepage *page; /* of the input; NULL = UTF-8 */
};

struct plain_printer; /* the interpreter */

/* NULL: no memory. */
struct plain_printer *plain_printer_new(const struct plain_conf *conf,
					const struct render_sink *sink);
void plain_printer_free(struct plain_printer *p); /* NULL is fine */

/* Text in. 0, or the sink's error. */
int plain_print(struct plain_printer *p, const void *data, size_t len) MUST_USE;

/* End of job, as scs_print_end(). */
int plain_print_end(struct plain_printer *p) MUST_USE;

/* Counts of the job since the previous end. */
const struct render_stats *plain_printer_stats(const struct plain_printer *p);

#endif
