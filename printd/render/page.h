/*
 * page.h: what an interpreter (scs.h, lu3.h, plain.h) has understood, as a
 * stream of lines and pages, and the sinks that make paper of it (text.h,
 * pdf.h).
 *
 * Model. A printer moves down only, so a line is complete as soon as the
 * position leaves it. An interpreter hands each line to a sink once, then
 * says how the paper moved. Overstrike is kept: a line has layers, each
 * printed over the one before, as a chain printer would. Nothing but the
 * current line is held.
 *
 * A sink writes its bytes through the writer that the caller gave it.
 * Errors of the writer are sticky in the interpreter and come back from
 * every later call.
 */
#ifndef COUPLET_RENDER_PAGE_H
#define COUPLET_RENDER_PAGE_H

#include "base/base.h"

#define RENDER_COLUMNS_MAX 255u /* MPP [SCS SHF] is one byte */
#define RENDER_LAYERS_MAX 8u    /* overstrikes kept per line */
#define RENDER_LINES_MAX 255u   /* MPL [SCS SVF] is one byte */

/* Highlighting of a cell [SCS SA 41]. */
enum render_attr {
	RENDER_NORMAL = 0,
	RENDER_BOLD = 1,
	RENDER_UNDERLINE = 2,
	RENDER_REVERSE = 4,
};

/* ucs of the second cell of a double-width character. */
#define RENDER_SECOND 0xffffffffu

/* One layer. Columns count from 0; ucs 0 is a cell that nothing printed
 * into. */
struct render_layer {
	uint32_t ucs[RENDER_COLUMNS_MAX];
	uint8_t attr[RENDER_COLUMNS_MAX];
	uint16_t used; /* columns up to the last cell printed into */
};

struct render_line {
	unsigned layers; /* 0: an empty line */
	struct render_layer layer[RENDER_LAYERS_MAX];
};

/* What happened to the stream so far; all counts. */
struct render_stats {
	uint64_t pages;       /* with at least one line or a form feed */
	uint64_t lines;       /* printed, empty ones too */
	uint64_t characters;  /* graphic characters */
	uint64_t substituted; /* not in a code page, replaced */
	uint64_t unknown;     /* controls or orders not understood */
	uint64_t cut;         /* beyond the right margin, or layers lost */
	uint64_t transparent; /* bytes passed raw [SCS TRN] */
};

/*
 * A sink. Each function returns 0 or negative errno.
 *   line   the finished line `l` (borrowed), then the paper moves down one
 *   same   like line, but the paper does not move (text before a TRN)
 *   feed   form feed: the page is over. `lines` have been printed on it
 *   raw    bytes for the printer, not to be looked at
 *   end    the job is over; nothing comes after it
 */
struct render_sink {
	int (*line)(void *sink, const struct render_line *l);
	int (*same)(void *sink, const struct render_line *l);
	int (*feed)(void *sink, unsigned lines);
	int (*raw)(void *sink, const uint8_t *data, size_t len);
	int (*end)(void *sink);
	void *sink;
};

/* Where a sink's bytes go: 0, or negative errno to stop. */
struct render_writer {
	int (*write)(void *arg, const void *data, size_t len);
	void *arg;
};

#endif
