/*
 * pdf.h: sink that makes a PDF of pages with libharu: fixed pitch, as many
 * columns and lines as asked for, scaled to the paper; overstrike, bold and
 * underline kept; transparent bytes left out and counted.
 *
 * The document is kept in memory until the end (libharu), about 4 KB a page;
 * PDF_PAGES_MAX bounds it. Output does not depend on the clock.
 */
#ifndef COUPLET_RENDER_PDF_H
#define COUPLET_RENDER_PDF_H

#include "render/page.h"

#define PDF_PAGES_MAX 20000u

enum pdf_paper { PDF_A4 = 0, PDF_LETTER, PDF_A3, PDF_LEGAL, PDF_FANFOLD };

struct pdf_conf {
	enum pdf_paper paper; /* FANFOLD: 14 7/8 x 11 inch, green bars */
	bool landscape;
	uint8_t columns;       /* 0 = 132 */
	uint8_t lines;         /* per page; 0 = 66 */
	const char *title;     /* NULL = none; UTF-8 */
	const char *font_file; /* TrueType, fixed pitch, for characters beyond
				  Latin; NULL = Courier */
};

struct pdf_sink;

/* 0, -ENOMEM, -EINVAL (conf), or -ENOENT (the font file). conf may go. */
int pdf_sink_new(const struct pdf_conf *conf, const struct render_writer *w,
		 struct pdf_sink **ret) MUST_USE;
void pdf_sink_free(struct pdf_sink *p); /* NULL is fine */

/* What an interpreter is given. end() writes the document; -EFBIG beyond
 * PDF_PAGES_MAX. */
struct render_sink pdf_sink_of(struct pdf_sink *p);

/* Counts: pages, characters, substituted, transparent. */
const struct render_stats *pdf_sink_stats(const struct pdf_sink *p);

#endif
