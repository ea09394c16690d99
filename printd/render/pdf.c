/*
 * pdf.c: the sink of pdf.h, with libharu.
 *
 * libharu keeps the first error in the document and makes every later call
 * fail, so the results of drawing calls are not looked at one by one: the
 * document is asked at the end of each line.
 */
#include "render/pdf.h"

#include "render/codepage.h"

#include <errno.h>
#include <hpdf.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_DEFAULT 132u
#define LINES_DEFAULT 66u
#define MARGIN 28.0f       /* points: 1 cm */
#define COURIER_WIDTH 0.6f /* of its size */
#define BAR_LINES 3u       /* green bars */
#define READ_BYTES 16384u

struct pdf_sink {
	struct render_writer writer;
	struct render_stats stats;
	struct codepage *latin; /* of the built-in font; NULL with a file */
	HPDF_Doc doc;
	HPDF_Font font, bold;
	HPDF_Page page; /* NULL: the next line begins one */
	enum pdf_paper paper;
	bool landscape;
	unsigned columns, lines;
	unsigned line; /* on this page, from 0 */
	float width, height, column, spacing, size;
};

static const struct {
	float width, height; /* points, upright */
} papers[] = {
	[PDF_A4] = {595.276f, 841.89f},  [PDF_LETTER] = {612, 792},
	[PDF_A3] = {841.89f, 1190.551f}, [PDF_LEGAL] = {612, 1008},
	[PDF_FANFOLD] = {1071, 792},
};

/* Character and line pitch that fit the paper. */
static void layout(struct pdf_sink *p)
{
	float w = papers[p->paper].width, h = papers[p->paper].height;

	p->width = p->landscape ? h : w;
	p->height = p->landscape ? w : h;
	p->spacing = (p->height - 2 * MARGIN) / (float)p->lines;
	p->column = (p->width - 2 * MARGIN) / (float)p->columns;
	p->size = MIN(p->column / COURIER_WIDTH, p->spacing);
	p->column = p->size * COURIER_WIDTH;
}

static int load_file(struct pdf_sink *p, const char *file)
{
	const char *name;

	HPDF_UseUTFEncodings(p->doc);
	name = HPDF_LoadTTFontFromFile(p->doc, file, HPDF_TRUE);
	if (!name)
		return -ENOENT;
	p->font = p->bold = HPDF_GetFont(p->doc, name, "UTF-8");
	return p->font ? 0 : -ENOENT;
}

static int load_fonts(struct pdf_sink *p, const char *file)
{
	int r;

	if (file)
		return load_file(p, file);
	r = codepage_new("CP1252", NULL, &p->latin);
	if (r)
		return r;
	p->font = HPDF_GetFont(p->doc, "Courier", "WinAnsiEncoding");
	p->bold = HPDF_GetFont(p->doc, "Courier-Bold", "WinAnsiEncoding");
	return p->font && p->bold ? 0 : -ENOMEM;
}

/* libharu's string type is 8 bits; what is not ASCII is left out. */
static void set_title(struct pdf_sink *p, const char *title)
{
	char text[128];
	size_t n = 0;

	for (; *title && n < sizeof(text) - 1; title++)
		if (*title >= ' ' && *title <= '~')
			text[n++] = *title;
	text[n] = '\0';
	HPDF_SetInfoAttr(p->doc, HPDF_INFO_TITLE, text);
}

static int conf_check(const struct pdf_conf *c)
{
	return (unsigned)c->paper < ARRAY_SIZE(papers) ? 0 : -EINVAL;
}

int pdf_sink_new(const struct pdf_conf *conf, const struct render_writer *w,
		 struct pdf_sink **ret)
{
	struct pdf_sink *p;
	int r = conf_check(conf);

	if (r)
		return r;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->writer = *w;
	p->paper = conf->paper;
	p->landscape = conf->landscape;
	p->columns = conf->columns ? conf->columns : COLUMNS_DEFAULT;
	p->lines = conf->lines ? conf->lines : LINES_DEFAULT;
	layout(p);
	p->doc = HPDF_New(NULL, NULL);
	r = p->doc ? load_fonts(p, conf->font_file) : -ENOMEM;
	if (r) {
		pdf_sink_free(p);
		return r;
	}
	HPDF_SetCompressionMode(p->doc, HPDF_COMP_TEXT);
	HPDF_SetInfoAttr(p->doc, HPDF_INFO_CREATOR, "Couplet printd");
	if (conf->title)
		set_title(p, conf->title);
	*ret = p;
	return 0;
}

void pdf_sink_free(struct pdf_sink *p)
{
	if (!p)
		return;
	if (p->doc)
		HPDF_Free(p->doc);
	codepage_free(p->latin);
	free(p);
}

const struct render_stats *pdf_sink_stats(const struct pdf_sink *p)
{
	return &p->stats;
}

static int doc_error(struct pdf_sink *p)
{
	HPDF_STATUS e = HPDF_GetError(p->doc);

	if (e == HPDF_OK)
		return 0;
	return e == HPDF_FAILD_TO_ALLOC_MEM ? -ENOMEM : -EIO;
}

/* ---- pages -----------------------------------------------------------------
 */

static void draw_bars(struct pdf_sink *p)
{
	HPDF_Page_SetRGBFill(p->page, 0.90f, 0.97f, 0.90f);
	for (unsigned i = 0; i < p->lines; i += 2 * BAR_LINES) {
		float h = p->spacing * (float)MIN(BAR_LINES, p->lines - i);
		float y = p->height - MARGIN - p->spacing * (float)i - h;

		HPDF_Page_Rectangle(p->page, MARGIN, y, p->width - 2 * MARGIN,
				    h);
		HPDF_Page_Fill(p->page);
	}
	HPDF_Page_SetGrayFill(p->page, 0);
}

static int page_begin(struct pdf_sink *p)
{
	if (p->page)
		return 0;
	if (p->stats.pages >= PDF_PAGES_MAX)
		return -EFBIG;
	p->page = HPDF_AddPage(p->doc);
	if (!p->page)
		return doc_error(p);
	p->stats.pages++;
	p->line = 0;
	HPDF_Page_SetWidth(p->page, p->width);
	HPDF_Page_SetHeight(p->page, p->height);
	if (p->paper == PDF_FANFOLD)
		draw_bars(p);
	return doc_error(p);
}

/* ---- lines -----------------------------------------------------------------
 */

/* One character behind `text`; what the font lacks becomes '?'. */
static size_t add_char(struct pdf_sink *p, uint32_t ucs, char *text)
{
	int b;

	p->stats.characters++;
	if (!p->latin)
		return utf8_emit(ucs, (uint8_t *)text);
	b = codepage_encode(p->latin, ucs);
	if (b < 0)
		p->stats.substituted++;
	*text = (char)(b < 0 ? '?' : b);
	return 1;
}

static void underline(struct pdf_sink *p, float x, float y, unsigned cells)
{
	HPDF_Page_SetLineWidth(p->page, p->size / 16);
	HPDF_Page_MoveTo(p->page, x, y - p->size / 8);
	HPDF_Page_LineTo(p->page, x + p->column * (float)cells,
			 y - p->size / 8);
	HPDF_Page_Stroke(p->page);
}

static void reverse(struct pdf_sink *p, float x, float y, unsigned cells)
{
	HPDF_Page_SetGrayFill(p->page, 0);
	HPDF_Page_Rectangle(p->page, x, y - p->size / 4,
			    p->column * (float)cells, p->size * 1.1f);
	HPDF_Page_Fill(p->page);
	HPDF_Page_SetGrayFill(p->page, 1);
}

/* Cells [from, to) of a layer, of one attribute and without a gap. */
static void draw_run(struct pdf_sink *p, const struct render_layer *y,
		     unsigned from, unsigned to)
{
	char text[4 * RENDER_COLUMNS_MAX + 1];
	uint8_t attr = y->attr[from];
	float x = MARGIN + p->column * (float)from;
	float base = p->height - MARGIN - p->spacing * (float)p->line -
		     p->size * 0.8f;
	size_t n = 0;

	for (unsigned i = from; i < to; i++)
		if (y->ucs[i] != RENDER_SECOND)
			n += add_char(p, y->ucs[i], text + n);
	text[n] = '\0';
	if (attr & RENDER_REVERSE)
		reverse(p, x, base, to - from);
	HPDF_Page_BeginText(p->page);
	HPDF_Page_SetFontAndSize(
		p->page, attr & RENDER_BOLD ? p->bold : p->font, p->size);
	HPDF_Page_TextOut(p->page, x, base, text);
	HPDF_Page_EndText(p->page);
	if (attr & RENDER_REVERSE)
		HPDF_Page_SetGrayFill(p->page, 0);
	if (attr & RENDER_UNDERLINE)
		underline(p, x, base, to - from);
}

static bool gap(const struct render_layer *y, unsigned i)
{
	return y->ucs[i] == 0 || (y->ucs[i] == ' ' && !y->attr[i]);
}

/* Runs end at two blanks in a row, at a change of attribute, and at a wide
 * character, whose width the font may see differently. */
static void draw_layer(struct pdf_sink *p, const struct render_layer *y)
{
	unsigned i = 0;

	while (i < y->used) {
		unsigned to = i + 1;

		if (gap(y, i)) {
			i++;
			continue;
		}
		while (to < y->used && y->attr[to] == y->attr[i] &&
		       y->ucs[to] &&
		       !(gap(y, to) && (to + 1 >= y->used || gap(y, to + 1))) &&
		       (y->ucs[to] == RENDER_SECOND ||
			y->ucs[to - 1] != RENDER_SECOND))
			to++;
		draw_run(p, y, i, to);
		i = to;
	}
}

static int draw_line(struct pdf_sink *p, const struct render_line *l)
{
	int r = page_begin(p);

	for (unsigned i = 0; i < l->layers && !r; i++)
		draw_layer(p, &l->layer[i]);
	return r ? r : doc_error(p);
}

static int pdf_line(void *sink, const struct render_line *l)
{
	struct pdf_sink *p = sink;
	int r = draw_line(p, l);

	p->stats.lines++;
	if (++p->line >= p->lines)
		p->page = NULL; /* the paper's end */
	return r;
}

static int pdf_same(void *sink, const struct render_line *l)
{
	return draw_line(sink, l);
}

/* A form feed at the very end of a full page has that page's end already. */
static int pdf_feed(void *sink, unsigned lines)
{
	struct pdf_sink *p = sink;
	int r = 0;

	if (!p->page && lines == 0)
		r = page_begin(p);
	p->page = NULL;
	return r;
}

static int pdf_raw(void *sink, const uint8_t *data, size_t len)
{
	struct pdf_sink *p = sink;

	(void)data;
	p->stats.transparent += len;
	return 0;
}

static int save(struct pdf_sink *p)
{
	HPDF_BYTE buf[READ_BYTES];
	int r = 0;

	if (HPDF_SaveToStream(p->doc) != HPDF_OK)
		return doc_error(p);
	HPDF_ResetStream(p->doc);
	while (!r) {
		HPDF_UINT32 n = sizeof(buf);

		HPDF_ReadFromStream(p->doc, buf, &n);
		if (n == 0)
			break;
		r = p->writer.write(p->writer.arg, buf, n);
	}
	return r;
}

static int pdf_end(void *sink)
{
	struct pdf_sink *p = sink;

	if (p->stats.pages == 0)
		return 0; /* nothing was printed */
	return save(p);
}

struct render_sink pdf_sink_of(struct pdf_sink *p)
{
	return (struct render_sink){pdf_line, pdf_same, pdf_feed,
				    pdf_raw,  pdf_end,  p};
}
