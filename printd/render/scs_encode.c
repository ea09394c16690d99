/* scs_encode.c: the encoder of scs.h, and the check of formats. */
#include "render/scs.h"

#include "render/controls.h"

#include <errno.h>
#include <string.h>

#define MPP_DEFAULT 132u

static bool ascending(const uint8_t *tab, unsigned n, unsigned max)
{
	for (unsigned i = 0; i < n; i++)
		if (tab[i] == 0 || tab[i] > max || (i && tab[i] <= tab[i - 1]))
			return false;
	return true;
}

int scs_format_check(const struct scs_format *f, const char **ret_what)
{
	unsigned mpp = f->mpp ? f->mpp : MPP_DEFAULT;
	unsigned rm = f->rm ? f->rm : mpp;
	unsigned mpl = f->mpl ? f->mpl : RENDER_LINES_MAX;
	unsigned bm = f->bm ? f->bm : mpl;
	const char *what = NULL;

	if (rm > mpp)
		what = "right margin beyond the line";
	else if (f->lm > rm)
		what = "left margin beyond the right one";
	else if (bm > mpl)
		what = "bottom margin beyond the page";
	else if (f->tm > bm)
		what = "top margin below the bottom one";
	else if (f->htabs > ARRAY_SIZE(f->htab) ||
		 !ascending(f->htab, f->htabs, mpp))
		what = "horizontal tab stops not ascending within the line";
	else if (f->vtabs > ARRAY_SIZE(f->vtab) ||
		 !ascending(f->vtab, f->vtabs, mpl))
		what = "vertical tab stops not ascending within the page";
	if (what)
		*ret_what = what;
	return what ? -EINVAL : 0;
}

void scs_encoder_init(struct scs_encoder *e, const struct codepage *page,
		      const struct scs_format *format, uint8_t substitute)
{
	memset(e, 0, sizeof(*e));
	e->page = page;
	if (format)
		e->format = *format;
	e->substitute = substitute ? substitute : EBCDIC_QUESTION;
}

/* 2B type count, three numbers, tab stops; count counts itself. Numbers at
 * the end that say nothing are left out. */
static size_t emit_format(uint8_t *out, uint8_t type, const uint8_t three[3],
			  const uint8_t *tab, unsigned tabs)
{
	size_t n = 3;

	if (!three[0] && !three[1] && !three[2] && !tabs)
		return 0;
	for (unsigned i = 0; i < 3; i++)
		if (tabs || three[0] || three[1] || three[2])
			out[n++] = three[i];
	while (!tabs && n > 3 && out[n - 1] == 0)
		n--;
	memcpy(out + n, tab, tabs);
	n += tabs;
	out[0] = SCS_FMT;
	out[1] = type;
	out[2] = (uint8_t)(n - 2);
	return n;
}

size_t scs_encode_start(struct scs_encoder *e, uint8_t *out)
{
	const struct scs_format *f = &e->format;
	uint8_t h[3] = {f->mpp, f->lm, f->rm};
	/* pr3287 4.1 takes a top margin wrong that has no bottom margin */
	uint8_t v[3] = {f->mpl, f->tm, f->bm || !f->tm ? f->bm : f->mpl};
	size_t n = emit_format(out, 0xc1, h, f->htab, f->htabs);

	n += emit_format(out + n, 0xc2, v, f->vtab, f->vtabs);
	/* formats do not move the print position; margins hold from here on */
	for (unsigned i = 1; i < f->tm; i++)
		out[n++] = SCS_NL;
	if (f->lm > 1 && f->tm < 2)
		out[n++] = SCS_CR;
	return n;
}

/* ---- text ---------------------------------------------------------------- */

static size_t put_shift(struct scs_encoder *e, bool so, uint8_t *out)
{
	if (e->so == so)
		return 0;
	e->so = so;
	out[0] = so ? SCS_SO : SCS_SI;
	return 1;
}

static size_t put_code(struct scs_encoder *e, uint8_t code, uint8_t *out)
{
	size_t n = put_shift(e, false, out);

	out[n++] = code;
	return n;
}

static size_t put_graphic(struct scs_encoder *e, uint32_t ucs, uint8_t *out)
{
	int b = codepage_encode(e->page, ucs);
	int32_t w;
	size_t n;

	e->column++;
	e->stats.characters++;
	if (b >= 0)
		return put_code(e, (uint8_t)b, out);
	w = codepage_encode_dbcs(e->page, ucs);
	if (w >= 0) {
		n = put_shift(e, true, out);
		out[n++] = (uint8_t)(w >> 8);
		out[n++] = (uint8_t)w;
		e->column++;
		return n;
	}
	if (ucs == 0xa0) /* a page without NBSP has a blank */
		return put_code(e, SCS_SP, out);
	e->stats.substituted++;
	return put_code(e, e->substitute, out);
}

static uint8_t tab_blanks(const struct scs_encoder *e)
{
	const struct scs_format *f = &e->format;
	unsigned col = e->column + 1u; /* tab stops count from 1 */

	if (!f->htabs)
		return (uint8_t)(TAB_EVERY - e->column % TAB_EVERY);
	for (unsigned i = 0; i < f->htabs; i++)
		if (f->htab[i] > col)
			return (uint8_t)(f->htab[i] - col);
	return 1;
}

/* One character of the text. CR waits for what follows: CRLF is one NL. */
static size_t put_char(struct scs_encoder *e, uint32_t ucs, uint8_t *out)
{
	size_t n = 0;

	if (e->cr && ucs != U_LF && ucs != U_NEL && ucs != U_FF) {
		n = put_code(e, SCS_CR, out);
		e->column = 0;
	}
	e->cr = ucs == U_CR;
	switch (ucs) {
	case U_CR:
		break;
	case U_LF:
	case U_NEL:
		e->column = 0;
		e->stats.lines++;
		n += put_code(e, SCS_NL, out + n);
		break;
	case U_FF:
		e->column = 0;
		e->stats.pages++;
		n += put_code(e, SCS_FF, out + n);
		break;
	case U_BS:
		if (e->column > 0)
			e->column--;
		n += put_code(e, SCS_BS, out + n);
		break;
	case U_HT:
		e->blanks = tab_blanks(e);
		break;
	default:
		if (is_control(ucs))
			e->stats.unknown++;
		else
			n += put_graphic(e, ucs, out + n);
	}
	return n;
}

static size_t put_blanks(struct scs_encoder *e, uint8_t *out, size_t cap)
{
	size_t n = 0;

	while (e->blanks > 0 && cap - n >= 2) {
		e->blanks--;
		n += put_graphic(e, ' ', out + n);
	}
	return n;
}

size_t scs_encode(struct scs_encoder *e, const void *in, size_t len,
		  size_t *ret_used, uint8_t *out, size_t cap)
{
	const uint8_t *p = in;
	size_t used = 0, n = 0;

	while (cap - n >= SCS_CHAR_MAX) {
		uint32_t ucs;
		int r;

		n += put_blanks(e, out + n, cap - n);
		if (e->blanks > 0 || cap - n < SCS_CHAR_MAX || used == len)
			break;
		r = utf8_feed(&e->utf8, p[used], &ucs);
		if (r >= 0)
			used++;
		if (r)
			n += put_char(e, ucs, out + n);
	}
	*ret_used = used;
	return n;
}

size_t scs_encode_end(struct scs_encoder *e, uint8_t *out)
{
	size_t n = 0;

	if (utf8_end(&e->utf8))
		n = put_char(e, CODEPAGE_REPLACEMENT, out);
	n += put_shift(e, false, out + n);
	if (e->column > 0) /* a CR at the end says no more than that */
		out[n++] = SCS_NL;
	e->column = 0;
	e->cr = false;
	return n;
}

size_t scs_encode_raw(const void *raw, size_t len, size_t *ret_used,
		      uint8_t *out, size_t cap)
{
	const uint8_t *p = raw;
	size_t used = 0, n = 0;

	while (used < len && cap - n >= 3) {
		size_t k = MIN(MIN(len - used, SCS_TRN_MAX), cap - n - 2);

		out[n++] = SCS_TRN;
		out[n++] = (uint8_t)k;
		memcpy(out + n, p + used, k);
		n += k;
		used += k;
	}
	*ret_used = used;
	return n;
}
