/* text.c: the sink of text.h. */
#include "render/text.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* A line is written in pieces of this size. */
#define PIECE 2048u

struct piece {
	struct text_sink *t;
	int err;
	size_t len;
	uint8_t buf[PIECE];
};

void text_sink_init(struct text_sink *t, const struct text_conf *conf,
		    const struct render_writer *w)
{
	memset(t, 0, sizeof(*t));
	t->conf = conf;
	t->writer = *w;
	t->at_top = true;
}

static int text_write(struct text_sink *t, const void *data, size_t len)
{
	return len ? t->writer.write(t->writer.arg, data, len) : 0;
}

static int begin(struct text_sink *t)
{
	if (t->begun)
		return 0;
	t->begun = true;
	memset(&t->stats, 0, sizeof(t->stats));
	return text_write(t, t->conf->setup, t->conf->setup_len);
}

static void piece_flush(struct piece *p)
{
	if (!p->err && p->len)
		p->err = text_write(p->t, p->buf, p->len);
	p->len = 0;
}

static void piece_put(struct piece *p, const void *data, size_t len)
{
	if (len > PIECE - p->len)
		piece_flush(p);
	memcpy(p->buf + p->len, data, len);
	p->len += len;
}

static void piece_byte(struct piece *p, uint8_t b)
{
	piece_put(p, &b, 1);
}

/* One character in the printer's page. */
static void put_char(struct piece *p, uint32_t ucs)
{
	const struct codepage *page = p->t->conf->page;
	uint32_t sub = p->t->conf->substitute ? p->t->conf->substitute : '?';
	uint8_t b[4];
	int code;

	if (!page || codepage_utf8(page)) {
		piece_put(p, b, utf8_emit(ucs, b));
		return;
	}
	code = codepage_encode(page, ucs);
	if (code < 0 && ucs == 0xa0)
		code = codepage_encode(page, ' ');
	if (code < 0) {
		p->t->stats.substituted++;
		code = codepage_encode(page, sub);
	}
	piece_byte(p, code < 0 ? '?' : (uint8_t)code);
}

/* The cells up to the last that shows something. */
static unsigned width_of(const struct text_sink *t,
			 const struct render_layer *y)
{
	unsigned n = y->used;

	while (n > 0 && !t->conf->keep_trailing &&
	       (y->ucs[n - 1] == ' ' || y->ucs[n - 1] == 0))
		n--;
	return n;
}

/* Cell `i` for a printer that cannot overstrike. */
static uint32_t flat(const struct text_sink *t, const struct render_line *l,
		     unsigned i)
{
	uint32_t found = 0;

	for (unsigned k = 0; k < l->layers; k++) {
		uint32_t u = l->layer[k].ucs[i];

		if (u == 0 || (u == ' ' && found))
			continue;
		if (t->conf->overstrike == TEXT_FLATTEN && u == '_' && found &&
		    found != ' ')
			continue;
		found = u;
	}
	return found;
}

static void put_flat(struct piece *p, const struct render_line *l)
{
	unsigned n = 0;

	for (unsigned k = 0; k < l->layers; k++)
		n = MAX(n, width_of(p->t, &l->layer[k]));
	for (unsigned i = p->t->column; i < n; i++) {
		uint32_t u = flat(p->t, l, i);

		if (u != RENDER_SECOND)
			put_char(p, u ? u : ' ');
	}
	p->t->column = (uint16_t)MAX(n, p->t->column);
}

/* Each layer printed over the one before. */
static void put_by_cr(struct piece *p, const struct render_line *l)
{
	for (unsigned k = 0; k < l->layers; k++) {
		const struct render_layer *y = &l->layer[k];
		unsigned n = width_of(p->t, y);

		if (k > 0 && n > 0) {
			piece_byte(p, '\r');
			p->t->column = 0;
		}
		for (unsigned i = p->t->column; i < n; i++)
			if (y->ucs[i] != RENDER_SECOND)
				put_char(p, y->ucs[i] ? y->ucs[i] : ' ');
		p->t->column = (uint16_t)MAX(n, p->t->column);
	}
}

static void put_by_bs(struct piece *p, const struct render_line *l)
{
	unsigned n = 0;

	for (unsigned k = 0; k < l->layers; k++)
		n = MAX(n, width_of(p->t, &l->layer[k]));
	for (unsigned i = p->t->column; i < n; i++) {
		bool printed = false;

		if (l->layer[0].ucs[i] == RENDER_SECOND)
			continue;
		for (unsigned k = 0; k < l->layers; k++) {
			uint32_t u = l->layer[k].ucs[i];

			if (u == 0 || u == RENDER_SECOND || (u == ' ' && k > 0))
				continue;
			if (printed)
				piece_byte(p, '\b');
			put_char(p, u);
			printed = true;
		}
		if (!printed)
			put_char(p, ' ');
	}
	p->t->column = (uint16_t)MAX(n, p->t->column);
}

/* Does the line print where the head has been before? */
static bool goes_back(const struct text_sink *t, const struct render_line *l)
{
	for (unsigned k = 0; k < l->layers; k++)
		for (unsigned i = 0; i < MIN(t->column, l->layer[k].used); i++)
			if (l->layer[k].ucs[i] && l->layer[k].ucs[i] != ' ')
				return true;
	return false;
}

static void put_line(struct piece *p, const struct render_line *l)
{
	p->t->at_top = false;
	if (goes_back(p->t, l)) {
		piece_byte(p, '\r');
		p->t->column = 0;
	}
	switch (p->t->conf->overstrike) {
	case TEXT_FLATTEN:
	case TEXT_LAST:
		put_flat(p, l);
		break;
	case TEXT_BY_CR:
		put_by_cr(p, l);
		break;
	case TEXT_BY_BS:
		put_by_bs(p, l);
		break;
	}
}

/* Up to where the head is: blanks at the end of a line were left out, but
 * transparent bytes follow them. */
static void put_blanks(struct piece *p)
{
	for (; p->t->column < p->t->head; p->t->column++)
		put_char(p, ' ');
}

static void put_newline(struct piece *p)
{
	if (p->t->conf->crlf)
		piece_byte(p, '\r');
	piece_byte(p, '\n');
	p->t->column = p->t->head = 0;
}

static int text_line(void *sink, const struct render_line *l)
{
	struct piece p = {.t = sink, .err = begin(sink)};

	put_line(&p, l);
	put_newline(&p);
	piece_flush(&p);
	return p.err;
}

static int text_same(void *sink, const struct render_line *l)
{
	struct piece p = {.t = sink, .err = begin(sink)};

	put_line(&p, l);
	for (unsigned k = 0; k < l->layers; k++)
		p.t->head = MAX(p.t->head, l->layer[k].used);
	piece_flush(&p);
	return p.err;
}

static int text_feed(void *sink, unsigned lines)
{
	struct piece p = {.t = sink, .err = begin(sink)};
	const struct text_conf *c = p.t->conf;

	if (c->feed_lines && c->page_lines) {
		for (unsigned i = lines % c->page_lines;
		     i < c->page_lines && (i > 0 || lines == 0); i++)
			put_newline(&p);
	} else if (!c->no_feed) {
		piece_byte(&p, '\f');
	}
	p.t->column = p.t->head = 0;
	p.t->at_top = true;
	piece_flush(&p);
	return p.err;
}

static int text_raw(void *sink, const uint8_t *data, size_t len)
{
	struct piece p = {.t = sink, .err = begin(sink)};
	struct text_sink *t = p.t;

	t->stats.transparent += len;
	if (p.err || t->conf->reject_raw)
		return p.err;
	t->at_top = false;
	put_blanks(&p);
	piece_flush(&p);
	return p.err ? p.err : text_write(t, data, len);
}

static int text_end(void *sink)
{
	struct text_sink *t = sink;
	int r = 0;

	if (!t->begun) /* nothing was printed: an empty job prints nothing */
		return 0;
	if (t->conf->feed_after && !t->at_top)
		r = text_feed(t, 0);
	if (!r)
		r = text_write(t, t->conf->teardown, t->conf->teardown_len);
	t->begun = false;
	t->at_top = true;
	t->column = t->head = 0;
	return r;
}

struct render_sink text_sink_of(struct text_sink *t)
{
	return (struct render_sink){text_line, text_same, text_feed,
				    text_raw,  text_end,  t};
}

/* ---- strings of decks ---------------------------------------------------- */

static int hex_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte behind a backslash at in[*at]; moves *at past it. */
static int escape_of(const char *in, size_t *at)
{
	static const char letters[] = "efnrtab0\\";
	static const uint8_t bytes[] = {0x1b, 0x0c, 0x0a, 0x0d, 0x09,
					0x07, 0x08, 0x00, '\\'};
	const char *l;

	if (in[*at] == 'x' && hex_of(in[*at + 1]) >= 0 &&
	    hex_of(in[*at + 2]) >= 0) {
		*at += 3;
		return hex_of(in[*at - 2]) << 4 | hex_of(in[*at - 1]);
	}
	l = in[*at] ? strchr(letters, in[*at]) : NULL;
	if (!l)
		return -EINVAL;
	(*at)++;
	return bytes[l - letters];
}

static ssize_t parse_hex(const char *in, uint8_t *out, size_t cap,
			 size_t *ret_at)
{
	size_t n = 0, i = 2;

	while (in[i] != '\'') {
		if (hex_of(in[i]) < 0 || hex_of(in[i + 1]) < 0) {
			*ret_at = i;
			return -EINVAL;
		}
		if (n == cap)
			return -ENOSPC;
		out[n++] = (uint8_t)(hex_of(in[i]) << 4 | hex_of(in[i + 1]));
		i += 2;
	}
	if (in[i + 1]) {
		*ret_at = i + 1;
		return -EINVAL;
	}
	return (ssize_t)n;
}

ssize_t text_string_parse(const char *in, uint8_t *out, size_t cap,
			  size_t *ret_at)
{
	size_t n = 0, i = 0;

	if ((in[0] == 'X' || in[0] == 'x') && in[1] == '\'')
		return parse_hex(in, out, cap, ret_at);
	while (in[i]) {
		size_t at = i + 1;
		int b = (uint8_t)in[i];

		if (in[i] == '\\')
			b = escape_of(in, &at);
		if (b < 0) {
			*ret_at = i;
			return -EINVAL;
		}
		if (n == cap)
			return -ENOSPC;
		out[n++] = (uint8_t)b;
		i = at;
	}
	return (ssize_t)n;
}
