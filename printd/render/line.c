/* line.c: see line.h. */
#include "render/line.h"

#include <string.h>

static void keep(struct paper *p, int r)
{
	if (r < 0 && !p->err)
		p->err = r;
}

uint8_t paper_highlight(uint8_t value)
{
	switch (value) {
	case 0xf2:
		return RENDER_REVERSE;
	case 0xf4:
		return RENDER_UNDERLINE;
	case 0xf8:
		return RENDER_BOLD;
	default:
		return RENDER_NORMAL;
	}
}

static void line_clear(struct render_line *l)
{
	for (unsigned i = 0; i < l->layers; i++) {
		memset(l->layer[i].ucs, 0,
		       l->layer[i].used * sizeof(l->layer[i].ucs[0]));
		memset(l->layer[i].attr, 0, l->layer[i].used);
		l->layer[i].used = 0;
	}
	l->layers = 0;
}

void paper_init(struct paper *p, const struct render_sink *sink)
{
	memset(p, 0, sizeof(*p));
	p->sink = *sink;
	p->line = 1;
}

/* The first layer that has nothing in these cells; NULL: too many. */
static struct render_layer *free_layer(struct render_line *l, unsigned col,
				       unsigned columns)
{
	for (unsigned i = 0; i < RENDER_LAYERS_MAX; i++) {
		struct render_layer *y = &l->layer[i];

		if (i >= l->layers)
			l->layers = i + 1;
		if ((!y->ucs[col] || y->ucs[col] == ' ') &&
		    (columns < 2 || !y->ucs[col + 1] || y->ucs[col + 1] == ' '))
			return y;
	}
	return NULL;
}

static bool covered(const struct render_line *l, unsigned col)
{
	return l->layers > 0 && l->layer[0].ucs[col];
}

void paper_begin(struct paper *p)
{
	if (!p->done)
		return;
	p->done = false;
	memset(&p->stats, 0, sizeof(p->stats));
}

void paper_put(struct paper *p, unsigned col, uint32_t ucs, uint8_t attr,
	       unsigned columns)
{
	struct render_layer *y;

	p->stats.characters++;
	if (col + columns > RENDER_COLUMNS_MAX) {
		p->stats.cut++;
		return;
	}
	p->dirty = true;
	p->ink = p->ink || ucs != ' ';
	if (ucs == ' ' && covered(&p->l, col))
		return;
	y = free_layer(&p->l, col, columns);
	if (!y) {
		p->stats.cut++;
		return;
	}
	y->ucs[col] = ucs;
	y->attr[col] = attr;
	if (columns > 1) {
		y->ucs[col + 1] = RENDER_SECOND;
		y->attr[col + 1] = attr;
	}
	y->used = (uint16_t)MAX(y->used, col + columns);
}

static void line_over(struct paper *p)
{
	line_clear(&p->l);
	p->dirty = false;
}

void paper_head(struct paper *p, unsigned col)
{
	struct render_layer *y = &p->l.layer[0];

	p->l.layers = MAX(p->l.layers, 1u);
	y->used = (uint16_t)MAX(y->used, MIN(col, RENDER_COLUMNS_MAX));
	p->dirty = true;
}

void paper_drop(struct paper *p)
{
	line_over(p);
	p->ink = false;
}

void paper_down(struct paper *p)
{
	if (!p->err)
		keep(p, p->sink.line(p->sink.sink, &p->l));
	p->stats.lines++;
	p->page_used = true;
	p->line++;
	paper_drop(p);
}

void paper_flush(struct paper *p)
{
	if (!p->dirty)
		return;
	if (!p->err)
		keep(p, p->sink.same(p->sink.sink, &p->l));
	p->page_used = true;
	line_over(p);
}

/* The text before it gets no line end: on the last line of a page that would
 * be a page more. */
void paper_feed(struct paper *p)
{
	if (p->ink)
		p->stats.lines++;
	paper_flush(p);
	p->ink = false;
	if (!p->err)
		keep(p, p->sink.feed(p->sink.sink, p->line - 1));
	paper_top(p);
}

void paper_top(struct paper *p)
{
	p->stats.pages++;
	p->page_used = false;
	p->line = 1;
}

void paper_raw(struct paper *p, const uint8_t *data, size_t len)
{
	paper_flush(p);
	if (!p->err)
		keep(p, p->sink.raw(p->sink.sink, data, len));
	p->page_used = true;
	p->stats.transparent += len;
}

int paper_end(struct paper *p)
{
	int r;

	if (p->ink)
		paper_down(p);
	paper_drop(p);
	if (p->page_used)
		p->stats.pages++;
	if (!p->err)
		keep(p, p->sink.end(p->sink.sink));
	r = p->err;
	p->err = 0;
	p->line = 1;
	p->page_used = false;
	p->done = true;
	return r;
}
