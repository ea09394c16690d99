/* plain.c: the interpreter of plain.h. */
#include "render/plain.h"

#include "render/controls.h"
#include "render/line.h"

#include <stdlib.h>

struct plain_printer {
	struct plain_conf conf;
	struct paper paper;
	struct utf8 utf8;
	unsigned width, col; /* from 0 */
	bool asa;            /* the next character is carriage control */
	bool pending;        /* ASA: a line waits for the control of the next */
};

struct plain_printer *plain_printer_new(const struct plain_conf *conf,
					const struct render_sink *sink)
{
	struct plain_printer *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->conf = *conf;
	p->width = conf->width ? conf->width : RENDER_COLUMNS_MAX;
	p->asa = conf->asa;
	paper_init(&p->paper, sink);
	return p;
}

void plain_printer_free(struct plain_printer *p)
{
	free(p);
}

const struct render_stats *plain_printer_stats(const struct plain_printer *p)
{
	return &p->paper.stats;
}

static void down(struct plain_printer *p)
{
	paper_down(&p->paper);
	if (p->conf.lines && p->paper.line > p->conf.lines)
		paper_feed(&p->paper);
}

/* With ASA the line before is only over when the control of the next one
 * says how far: '+' prints over it. */
static void line_end(struct plain_printer *p)
{
	p->col = 0;
	if (p->conf.asa) {
		p->asa = true;
		p->pending = true;
	} else {
		down(p);
	}
}

static void carriage_control(struct plain_printer *p, uint32_t c)
{
	unsigned lines = c == '-' ? 3 : c == '0' ? 2 : c == '+' ? 0 : 1;

	p->asa = false;
	if (c >= '1' && c <= '9') { /* channels; all but 1 are a page too */
		if (p->pending || p->paper.page_used)
			paper_feed(&p->paper);
	} else {
		if (!p->pending && lines > 0)
			lines--; /* at the first line already */
		for (unsigned i = 0; i < lines; i++)
			down(p);
	}
	p->pending = false;
}

static void put(struct plain_printer *p, uint32_t ucs)
{
	unsigned columns = codepage_columns(ucs);

	if (columns == 0) {
		p->paper.stats.unknown++; /* a combining mark has no cell */
		return;
	}
	if (p->col + columns > p->width) {
		down(p);
		p->col = 0;
	}
	paper_put(&p->paper, p->col, ucs, RENDER_NORMAL, columns);
	p->col += columns;
}

static void tab(struct plain_printer *p)
{
	unsigned stop = (p->col / TAB_EVERY + 1) * TAB_EVERY;

	while (p->col < stop && p->col < p->width)
		put(p, ' ');
}

static void take(struct plain_printer *p, uint32_t ucs)
{
	if (p->asa && ucs != U_LF && ucs != U_CR && ucs != U_NEL) {
		carriage_control(p, ucs);
		return;
	}
	switch (ucs) {
	case U_LF:
	case U_NEL:
		if (p->asa) /* an empty record */
			carriage_control(p, ' ');
		line_end(p);
		break;
	case U_CR:
		p->col = 0;
		break;
	case U_FF:
		p->col = 0;
		p->pending = false;
		paper_feed(&p->paper);
		break;
	case U_BS:
		if (p->col > 0)
			p->col--;
		break;
	case U_HT:
		tab(p);
		break;
	default:
		if (is_control(ucs))
			p->paper.stats.unknown++;
		else
			put(p, ucs);
	}
}

/* A page of 8-bit characters: its controls are ASCII's. */
static void take_byte(struct plain_printer *p, uint8_t b)
{
	uint32_t u = b < 0x20 ? b : codepage_decode(p->conf.page, b);

	if (u == CODEPAGE_NONE) {
		p->paper.stats.substituted++;
		u = CODEPAGE_REPLACEMENT;
	}
	take(p, u);
}

int plain_print(struct plain_printer *p, const void *data, size_t len)
{
	const uint8_t *d = data;
	bool utf8 = !p->conf.page || codepage_utf8(p->conf.page);

	paper_begin(&p->paper);
	for (size_t i = 0; i < len && !p->paper.err;) {
		uint32_t ucs;
		int r;

		if (!utf8) {
			take_byte(p, d[i++]);
			continue;
		}
		r = utf8_feed(&p->utf8, d[i], &ucs);
		if (r >= 0)
			i++;
		if (r && ucs == CODEPAGE_REPLACEMENT)
			p->paper.stats.substituted++;
		if (r)
			take(p, ucs);
	}
	return p->paper.err;
}

int plain_print_end(struct plain_printer *p)
{
	paper_begin(&p->paper);
	if (utf8_end(&p->utf8)) {
		p->paper.stats.substituted++;
		take(p, CODEPAGE_REPLACEMENT);
	}
	if (p->pending)
		down(p);
	p->pending = false;
	p->asa = p->conf.asa;
	p->col = 0;
	return paper_end(&p->paper);
}
