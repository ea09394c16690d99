/*
 * line.h: the line being built, for the interpreters of this room, and the
 * way it takes to a sink. Internal to the room.
 */
#ifndef COUPLET_RENDER_LINE_H
#define COUPLET_RENDER_LINE_H

#include "render/page.h"

/* The paper under an interpreter. Lines count from 1. */
struct paper {
	struct render_sink sink;
	struct render_stats stats;
	int err;        /* the sink's, sticky */
	unsigned line;  /* where the head is */
	bool page_used; /* something is on this page */
	bool ink;       /* more than blanks was printed on the line */
	bool dirty;     /* the current line has something to print */
	bool done;      /* the job is over; its stats are still there */
	struct render_line l;
};

/* enum render_attr of a highlighting value: F2 reverse, F4 underscore, F8
 * intensified; others, blink among them, are normal. */
uint8_t paper_highlight(uint8_t value);

/* At the top of the first page. */
void paper_init(struct paper *p, const struct render_sink *sink);

/* Data comes: the stats of a job that is over are forgotten. */
void paper_begin(struct paper *p);

/* Prints a character at column `col` (from 0), `columns` 1 or 2 wide. What
 * is there already stays: the next layer takes it. A blank never covers. */
void paper_put(struct paper *p, unsigned col, uint32_t ucs, uint8_t attr,
	       unsigned columns);

/* The head stands behind `col` cells, though the last ones may be empty. */
void paper_head(struct paper *p, unsigned col);

/* Forgets what the line has. */
void paper_drop(struct paper *p);

/* The line is over, the paper moves down one. */
void paper_down(struct paper *p);

/* Prints what the line has so far; the paper stays. */
void paper_flush(struct paper *p);

/* Form feed; what the line has is printed first. */
void paper_feed(struct paper *p);

/* The next page begins: its lines were all printed. */
void paper_top(struct paper *p);

/* Transparent bytes, after what the line has so far. */
void paper_raw(struct paper *p, const uint8_t *data, size_t len);

/* The job is over: what is pending is printed as a line, unless it is blank.
 * Returns err, and begins afresh. */
int paper_end(struct paper *p);

#endif
