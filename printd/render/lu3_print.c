/*
 * lu3_print.c: prints the buffer of an LU3 printer: unformatted, where NL,
 * CR, FF and EM act, or as a screen of 40, 64 or 80 columns.
 */
#include "render/lu3_impl.h"

#include <string.h>

#define BLANK 0x40u

unsigned lu3_format_width(uint8_t wcc)
{
	static const uint8_t widths[] = {0, 40, 64, 80};

	return widths[(wcc & LU3_WCC_FORMAT) >> 4];
}

void lu3_buffer_clear(struct lu3_printer *p)
{
	memset(p->cell, 0, p->top * sizeof(*p->cell));
	p->top = 0;
	p->unprinted = false;
}

static bool pr3287(const struct lu3_printer *p)
{
	return p->conf.profile == LU3_PROFILE_PR3287;
}

static bool hidden(uint8_t field)
{
	return (field & 0x0c) == 0x0c;
}

/* Codes below 40 that print as something [3270 data stream]. */
static uint32_t control_char(uint8_t code)
{
	switch (code) {
	case LU3_DUP:
		return '*';
	case LU3_FM:
		return ';';
	default:
		return ' ';
	}
}

static uint32_t char_of(struct lu3_printer *p, const struct lu3_cell *c)
{
	uint32_t u;

	if (c->code < BLANK)
		return control_char(c->code);
	u = c->kind == CELL_GE ? codepage_graphic_escape(c->code)
			       : codepage_decode(p->conf.page, c->code);
	if (u != CODEPAGE_NONE)
		return u;
	p->paper.stats.substituted++;
	return pr3287(p) ? ' ' : CODEPAGE_REPLACEMENT;
}

/* ---- unformatted ------------------------------------------------------------
 */

struct run {
	unsigned col, uncounted;
	bool so, hide, half;
	uint8_t first; /* of a double-byte code */
};

static void put(struct lu3_printer *p, struct run *r, uint32_t ucs,
		uint8_t attr, unsigned columns)
{
	if (r->col + columns > p->width) {
		paper_down(&p->paper);
		r->col = 0;
		/* pr3287 4.1 does not count the character that wrapped */
		r->uncounted = pr3287(p) ? columns : 0;
		if (r->uncounted) {
			paper_put(&p->paper, 0, ucs, attr, columns);
			return;
		}
	}
	paper_put(&p->paper, r->col + r->uncounted, ucs, attr, columns);
	r->col += columns;
}

static void line_start(struct run *r)
{
	r->col = r->uncounted = 0;
}

static void put_wide(struct lu3_printer *p, struct run *r,
		     const struct lu3_cell *c)
{
	uint32_t u;

	r->half = !r->half;
	if (r->half) {
		r->first = c->code;
		return;
	}
	u = codepage_decode_dbcs(p->conf.page,
				 (uint16_t)(r->first << 8 | c->code));
	if (u == CODEPAGE_NONE) {
		p->paper.stats.substituted++;
		u = CODEPAGE_REPLACEMENT;
	}
	put(p, r, u, c->attr, 2);
}

/* SO and SI, which take a cell themselves. */
static bool shifts(struct lu3_printer *p, struct run *r,
		   const struct lu3_cell *c)
{
	if (!codepage_dbcs(p->conf.page) || pr3287(p) ||
	    (c->code != 0x0e && c->code != 0x0f))
		return false;
	r->so = c->code == 0x0e;
	r->half = false;
	put(p, r, ' ', c->attr, 1);
	return true;
}

/* One cell. False: EM, the print-out ends here. */
static bool unformatted_cell(struct lu3_printer *p, struct run *r,
			     const struct lu3_cell *c)
{
	if (c->kind == CELL_FIELD) {
		r->hide = hidden(c->field) && !pr3287(p);
		put(p, r, ' ', RENDER_NORMAL, 1);
		return true;
	}
	if (c->kind == CELL_CHAR) {
		switch (c->code) {
		case LU3_NUL: /* a blank for pr3287 4.1 */
			if (p->conf.nul_blank || pr3287(p))
				put(p, r, ' ', RENDER_NORMAL, 1);
			return true;
		case LU3_EM:
			return false;
		case LU3_NL:
			paper_down(&p->paper);
			line_start(r);
			return true;
		case LU3_CR:
			line_start(r);
			return true;
		case LU3_FF:
			paper_feed(&p->paper);
			line_start(r);
			return true;
		default:
			break;
		}
		if (shifts(p, r, c))
			return true;
	}
	if (r->hide)
		put(p, r, ' ', RENDER_NORMAL, 1);
	else if (r->so && c->code >= BLANK)
		put_wide(p, r, c);
	else
		put(p, r, char_of(p, c), c->attr, 1);
	return true;
}

static void print_unformatted(struct lu3_printer *p)
{
	struct run r = {0};

	for (unsigned i = 0; i < p->top; i++)
		if (!unformatted_cell(p, &r, &p->cell[i]))
			break;
	/* pr3287 4.1 loses a line that CR has left when EM comes */
	if (pr3287(p) && r.col == 0)
		paper_drop(&p->paper);
	if (p->paper.dirty)
		paper_down(&p->paper);
}

/* ---- formatted
 * --------------------------------------------------------------- */

static bool row_null(const struct lu3_cell *c, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (c[i].kind != CELL_CHAR || c[i].code != LU3_NUL)
			return false;
	return true;
}

static uint32_t formatted_char(struct lu3_printer *p, const struct lu3_cell *c,
			       bool hide)
{
	uint32_t u = ' ';

	if (c->kind != CELL_FIELD && !hide)
		u = char_of(p, c);
	/* pr3287 4.1 loses what is not ASCII, in this mode alone */
	return pr3287(p) && u > 0x7e ? ' ' : u;
}

/* One row, without the blanks at its end. A form feed in it acts; what
 * follows keeps its column, while pr3287 begins anew. */
static void print_row(struct lu3_printer *p, const struct lu3_cell *row,
		      unsigned width, bool *hide)
{
	unsigned base = 0, blanks = 0;

	for (unsigned i = 0; i < width; i++) {
		bool feed = row[i].kind == CELL_CHAR && row[i].code == LU3_FF;
		uint32_t u;

		if (row[i].kind == CELL_FIELD)
			*hide = hidden(row[i].field);
		u = formatted_char(p, &row[i], *hide);
		if (feed) {
			for (; pr3287(p) && blanks > 0; blanks--)
				paper_put(&p->paper, i - base - blanks, ' ', 0,
					  1);
			paper_feed(&p->paper);
			base = pr3287(p) ? i : 0;
		}
		if (u == ' ') {
			blanks++;
			continue;
		}
		for (; blanks > 0; blanks--)
			if (i - blanks >= base)
				paper_put(&p->paper, i - base - blanks, ' ', 0,
					  1);
		paper_put(&p->paper, i - base, u, row[i].attr, 1);
	}
	paper_down(&p->paper);
}

static void print_formatted(struct lu3_printer *p, unsigned width)
{
	bool hide = false;

	for (unsigned at = 0; at + width <= p->size; at += width) {
		const struct lu3_cell *row = p->cell + at;

		if (row_null(row, width)) {
			if (p->conf.blank_lines)
				paper_down(&p->paper);
			continue;
		}
		print_row(p, row, width, &hide);
	}
}

void lu3_buffer_print(struct lu3_printer *p)
{
	unsigned width = lu3_format_width(p->wcc);

	if (width)
		print_formatted(p, width);
	else
		print_unformatted(p);
	p->unprinted = false;
	p->printed = true;
}
