/* lu3_encode.c: the encoder of lu3.h. */
#include "render/lu3.h"

#include "render/controls.h"
#include "render/scs.h" /* SO, SI: the same in both streams */

#include <errno.h>
#include <string.h>

#define WIDTH_DEFAULT 132u
#define HEAD 2u      /* command and WCC */
#define LINE_ROOM 8u /* what one character and the end of a line need */

void lu3_encoder_init(struct lu3_encoder *e, const struct codepage *page,
		      unsigned width, unsigned record_max, uint8_t substitute)
{
	memset(e, 0, sizeof(*e));
	e->page = page;
	e->width =
		(uint8_t)(width && width <= RENDER_COLUMNS_MAX ? width
							       : WIDTH_DEFAULT);
	e->record_max =
		(uint16_t)(record_max ? CLAMP(record_max, LU3_RECORD_MIN,
					      LU3_BUFFER_MAX)
				      : LU3_BUFFER_DEFAULT);
	e->substitute = substitute ? substitute : EBCDIC_QUESTION;
}

static void put(struct lu3_encoder *e, uint8_t b)
{
	e->line[e->line_len++] = b;
}

static void shift(struct lu3_encoder *e, bool so)
{
	if (e->so == so)
		return;
	e->so = so;
	put(e, so ? SCS_SO : SCS_SI);
	e->column++; /* on 3270 devices they take a cell */
}

static void end_line(struct lu3_encoder *e, uint8_t control)
{
	shift(e, false);
	put(e, control);
	e->column = 0;
	e->whole = true;
}

/* Columns that a character will take; 0: it is not in the page. */
static unsigned columns_of(const struct lu3_encoder *e, uint32_t ucs)
{
	if (codepage_encode(e->page, ucs) >= 0)
		return e->so ? 2 : 1; /* with SI before it */
	if (codepage_encode_dbcs(e->page, ucs) >= 0)
		return e->so ? 3 : 4; /* SO, two cells, and SI after it */
	return 1;
}

static void put_graphic(struct lu3_encoder *e, uint32_t ucs)
{
	int b = codepage_encode(e->page, ucs);
	int32_t w = b < 0 ? codepage_encode_dbcs(e->page, ucs) : -1;

	e->stats.characters++;
	if (w >= 0) {
		shift(e, true);
		put(e, (uint8_t)(w >> 8));
		put(e, (uint8_t)w);
		e->column = (uint16_t)(e->column + 2);
		return;
	}
	shift(e, false);
	if (b < 0 && ucs == 0xa0)
		b = SCS_SP;
	if (b < 0) {
		e->stats.substituted++;
		b = e->substitute;
	}
	put(e, (uint8_t)b);
	e->column++;
}

/* Must the line be broken before this character? */
static bool full(const struct lu3_encoder *e, uint32_t ucs)
{
	size_t room = MIN(sizeof(e->line), e->record_max);

	return e->column + columns_of(e, ucs) > e->width ||
	       e->line_len + LINE_ROOM > room;
}

/* One character. False: the line became whole before it; give it again. */
static bool take(struct lu3_encoder *e, uint32_t ucs)
{
	if (e->cr && ucs != U_LF && ucs != U_NEL && ucs != U_FF) {
		e->cr = false;
		shift(e, false);
		put(e, LU3_CR);
		e->column = 0;
	}
	switch (ucs) {
	case U_CR:
		e->cr = true;
		return true;
	case U_LF:
	case U_NEL:
		e->stats.lines++;
		end_line(e, LU3_NL);
		break;
	case U_FF:
		e->stats.pages++;
		end_line(e, LU3_FF);
		break;
	case U_HT:
		e->blanks = (uint8_t)(TAB_EVERY - e->column % TAB_EVERY);
		break;
	default:
		if (is_control(ucs)) {
			e->stats.unknown++; /* BS too: not in this stream */
			break;
		}
		if (full(e, ucs)) {
			end_line(e, LU3_NL);
			return false;
		}
		put_graphic(e, ucs);
	}
	e->cr = false;
	return true;
}

static size_t close_record(size_t *fill, uint8_t *out)
{
	size_t n = *fill;

	out[n++] = LU3_EM;
	*fill = 0;
	return n;
}

/* Puts the whole line into the record; bytes of the record when the line
 * does not fit any more. */
static size_t place_line(struct lu3_encoder *e, uint8_t *out, size_t *fill)
{
	if (*fill == 0) {
		out[0] = LU3_W;
		out[1] = 0x80 | LU3_WCC_RESET | LU3_WCC_START;
		*fill = HEAD;
	}
	/* EM takes a cell of the buffer as well */
	if (*fill - HEAD + e->line_len + 1u > e->record_max)
		return close_record(fill, out);
	memcpy(out + *fill, e->line, e->line_len);
	*fill += e->line_len;
	e->line_len = 0;
	e->whole = false;
	return 0;
}

/* Blanks of a tab and then input until a line is whole. */
static size_t build_line(struct lu3_encoder *e, const uint8_t *p, size_t len)
{
	size_t used = 0;

	while (!e->whole) {
		uint32_t ucs;
		int r;

		if (e->blanks > 0) {
			if (take(e, ' '))
				e->blanks--;
			continue;
		}
		if (used == len)
			break;
		r = utf8_feed(&e->utf8, p[used], &ucs);
		if (r >= 0)
			used++;
		if (!r)
			continue;
		if (!take(e, ucs))
			e->held = ucs;
	}
	return used;
}

/* The end of all input: whatever is open becomes a line. */
static void finish_line(struct lu3_encoder *e)
{
	if (utf8_end(&e->utf8) && !take(e, CODEPAGE_REPLACEMENT)) {
		e->held = CODEPAGE_REPLACEMENT;
		return;
	}
	e->cr = false;
	if (e->line_len > 0)
		end_line(e, LU3_NL);
}

size_t lu3_encode(struct lu3_encoder *e, const void *in, size_t len, bool last,
		  size_t *ret_used, uint8_t *out, size_t cap, size_t *fill)
{
	const uint8_t *p = in;
	size_t used = 0, n;

	INVARIANT(cap >= e->record_max + HEAD + 1u);
	for (;;) {
		if (e->whole) {
			n = place_line(e, out, fill);
			if (n > 0)
				break;
		}
		if (e->held) { /* it did not fit into the line before */
			uint32_t ucs = e->held;

			e->held = 0;
			take(e, ucs);
		}
		used += build_line(e, p + used, len - used);
		if (e->whole)
			continue;
		if (last)
			finish_line(e);
		if (!e->whole) {
			n = last && *fill > HEAD ? close_record(fill, out) : 0;
			break;
		}
	}
	*ret_used = used;
	return n;
}

size_t lu3_encode_empty(uint8_t out[2])
{
	out[0] = LU3_W;
	out[1] = 0x80 | LU3_WCC_RESET | LU3_WCC_RESET_MDT | LU3_WCC_RESTORE;
	return 2;
}

/* ---- screens ---------------------------------------------------------------
 */

/* The six-bit codes of buffer addresses and control characters. */
static uint8_t six(unsigned v)
{
	static const uint8_t codes[64] = {
		0x40, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9,
		0x4a, 0x4b, 0x4c, 0x4d, 0x4e, 0x4f, 0x50, 0xd1, 0xd2, 0xd3,
		0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0x5a, 0x5b, 0x5c, 0x5d,
		0x5e, 0x5f, 0x60, 0x61, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7,
		0xe8, 0xe9, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f, 0xf0, 0xf1,
		0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0x7a, 0x7b,
		0x7c, 0x7d, 0x7e, 0x7f,
	};

	return codes[v & 63];
}

static size_t put_address(uint8_t *out, unsigned at, unsigned cells)
{
	out[0] = LU3_SBA;
	if (cells <= 4096) {
		out[1] = six(at >> 6);
		out[2] = six(at);
	} else { /* 14 bits */
		out[1] = (uint8_t)(at >> 8);
		out[2] = (uint8_t)at;
	}
	return 3;
}

static uint8_t cell_code(const struct codepage *page, uint32_t ucs)
{
	int b = ucs ? codepage_encode(page, ucs) : LU3_NUL;

	return b < 0 ? EBCDIC_QUESTION : (uint8_t)b;
}

ssize_t lu3_encode_screen(const struct codepage *page, const uint32_t *cells,
			  unsigned rows, unsigned cols, uint8_t *out,
			  size_t cap)
{
	uint8_t format = cols == 40   ? 0x10
			 : cols == 64 ? 0x20
			 : cols == 80 ? 0x30
				      : 0;
	size_t n = 0;

	if (!format || rows == 0 || rows * cols > LU3_BUFFER_MAX)
		return -EINVAL;
	if (cap < 3 + (size_t)rows * (cols + 3))
		return -ENOSPC;
	out[n++] = LU3_EW;
	out[n++] = six(LU3_WCC_START | format);
	for (unsigned r = 0; r < rows; r++) {
		unsigned used = cols;

		while (used > 0 && !cells[r * cols + used - 1])
			used--;
		if (used == 0)
			continue;
		n += put_address(out + n, r * cols, rows * cols);
		for (unsigned c = 0; c < used; c++)
			out[n++] = cell_code(page, cells[r * cols + c]);
	}
	return (ssize_t)n;
}
