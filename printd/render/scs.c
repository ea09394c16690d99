/*
 * scs.c: the interpreter of scs.h.
 *
 * A control with operands is gathered in `ctl` until it is whole, however
 * the input is cut; TRN is not gathered but passed on. Positions count from
 * 1 as in the data stream.
 */
#include "render/scs.h"
#include "render/line.h"

#include <stdlib.h>
#include <string.h>

#define MPP_DEFAULT 132u
#define MPL_NONE 0u
#define PR3287_MPP_MAX 132u
#define PR3287_MPL_MAX 108u

enum { FMT_SHF = 0xc1, FMT_SVF = 0xc2 };
enum { PP_AHPP = 0xc0, PP_AVPP = 0xc4, PP_RHPP = 0xc8, PP_RVPP = 0x4c };
enum { SA_RESET = 0x00, SA_HIGHLIGHT = 0x41, SA_CHARSET = 0x43 };

struct scs_printer {
	struct scs_conf conf;
	struct scs_format f; /* in force, no zeros but tabs */
	struct paper paper;
	unsigned col; /* 1..mpp + 1: beyond the line, not wrapped yet */
	bool inhibited, so, apl;
	bool fed; /* the page was ended by itself, nothing printed since */
	uint8_t sa_dbcs; /* SA 43 F8 */
	uint8_t attr;
	uint8_t verdict;
	uint16_t trn;   /* bytes of TRN to come */
	bool trn_count; /* its count comes next */
	uint8_t half;   /* first byte of a double-byte code */
	bool has_half;
	uint16_t ctl_len, ctl_want;
	uint8_t ctl[260];
};

static bool pr3287(const struct scs_printer *p)
{
	return p->conf.profile == SCS_PROFILE_PR3287;
}

static void blame(struct scs_printer *p, enum scs_verdict v)
{
	p->paper.stats.unknown++;
	if (v > p->verdict)
		p->verdict = (uint8_t)v;
}

/* Puts defaults where a format leaves zeros. */
static void format_fill(struct scs_printer *p)
{
	struct scs_format *f = &p->f;

	if (f->mpp == 0 || (pr3287(p) && f->mpp > PR3287_MPP_MAX))
		f->mpp = MPP_DEFAULT;
	if (f->lm == 0 || f->lm > f->mpp)
		f->lm = 1;
	if (f->rm < f->lm || f->rm > f->mpp || pr3287(p))
		f->rm = f->mpp;
	if (f->mpl == 1 || (pr3287(p) && f->mpl > PR3287_MPL_MAX))
		f->mpl = MPL_NONE;
	if (f->tm == 0 || (f->mpl && f->tm > f->mpl))
		f->tm = 1;
	if (f->bm < f->tm || f->bm > f->mpl)
		f->bm = f->mpl;
}

void scs_printer_reset(struct scs_printer *p)
{
	p->f = p->conf.format;
	format_fill(p);
	p->col = p->f.lm;
	p->inhibited = p->so = p->apl = p->has_half = p->trn_count = false;
	p->fed = false;
	p->sa_dbcs = p->attr = 0;
	p->trn = 0;
	p->ctl_len = p->ctl_want = 0;
}

struct scs_printer *scs_printer_new(const struct scs_conf *conf,
				    const struct render_sink *sink)
{
	struct scs_printer *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->conf = *conf;
	paper_init(&p->paper, sink);
	scs_printer_reset(p);
	return p;
}

void scs_printer_free(struct scs_printer *p)
{
	free(p);
}

enum scs_verdict scs_printer_verdict(struct scs_printer *p)
{
	enum scs_verdict v = (enum scs_verdict)p->verdict;

	p->verdict = SCS_OK;
	return v;
}

const struct render_stats *scs_printer_stats(const struct scs_printer *p)
{
	return &p->paper.stats;
}

/* ---- moving ---------------------------------------------------------------
 */

/* Down to the top margin, when the page has just begun. */
static void to_top(struct scs_printer *p)
{
	while (p->paper.line < p->f.tm)
		paper_down(&p->paper);
}

/* pr3287 has no page depth by default, and then no form feed; with one, it
 * makes it of empty lines. */
static void pr3287_feed(struct scs_printer *p)
{
	if (p->f.mpl == MPL_NONE) {
		if (p->paper.ink)
			paper_down(&p->paper);
		return;
	}
	while (p->paper.line <= p->f.mpl)
		paper_down(&p->paper);
	paper_top(&p->paper);
}

static void next_page(struct scs_printer *p)
{
	if (pr3287(p))
		pr3287_feed(p);
	else
		paper_feed(&p->paper);
	to_top(p);
}

static void form_feed(struct scs_printer *p)
{
	if (!p->fed)
		next_page(p);
	p->fed = false;
	p->col = p->f.lm;
}

/*
 * The last line of a page ends with the form feed, not with a line feed and
 * then one: printers whose page is as long would eject an empty page. For
 * the same reason a form feed right behind an automatic one means nothing.
 * pr3287 skips to the next page when text comes, not before.
 */
static void line_feed(struct scs_printer *p)
{
	if (!p->f.mpl || p->paper.line < (pr3287(p) ? p->f.mpl : p->f.bm)) {
		paper_down(&p->paper);
	} else if (pr3287(p)) {
		paper_down(&p->paper);
		paper_top(&p->paper);
	} else {
		next_page(p);
		p->fed = true;
	}
}

static void new_line(struct scs_printer *p)
{
	line_feed(p);
	p->col = p->f.lm;
}

/* Vertically to a line; one that is passed lies on the next page. */
static void to_line(struct scs_printer *p, unsigned line)
{
	if (line < p->paper.line || (p->f.mpl && line > p->f.mpl)) {
		next_page(p);
		if (p->f.mpl && line > p->f.mpl)
			return;
	}
	while (p->paper.line < line)
		paper_down(&p->paper);
}

static void put(struct scs_printer *p, uint32_t ucs, unsigned columns)
{
	if (p->col + columns - 1 > p->f.rm)
		new_line(p);
	if (pr3287(p) && p->f.mpl && p->paper.line > p->f.bm)
		next_page(p);
	p->fed = false;
	if (p->inhibited && !pr3287(p)) {
		ucs = ' ';
		columns = 1;
	}
	paper_put(&p->paper, p->col - 1, ucs, p->attr, columns);
	p->col += columns;
}

static void tab(struct scs_printer *p)
{
	for (unsigned i = 0; i < p->f.htabs; i++)
		if (p->f.htab[i] > p->col && p->f.htab[i] <= p->f.mpp) {
			p->col = p->f.htab[i];
			return;
		}
	put(p, ' ', 1);
}

static void vertical_tab(struct scs_printer *p)
{
	unsigned n = p->f.vtabs;

	if (pr3287(p) && n > 0)
		n--; /* it forgets the last one */
	for (unsigned i = 0; i < n; i++)
		if (p->f.vtab[i] > p->paper.line &&
		    (!p->f.mpl || p->f.vtab[i] <= p->f.bm)) {
			to_line(p, p->f.vtab[i]);
			return;
		}
	line_feed(p);
}

/* ---- graphics -------------------------------------------------------------
 */

static void put_single(struct scs_printer *p, uint8_t b)
{
	uint32_t u = codepage_decode(p->conf.page, b);

	if (u == CODEPAGE_NONE) {
		p->paper.stats.substituted++;
		u = pr3287(p) ? ' ' : CODEPAGE_REPLACEMENT;
	} else if (u == 0xad && !pr3287(p)) {
		u = '-'; /* a syllable hyphen that is printed is a hyphen */
	}
	put(p, u, 1);
}

static void put_double(struct scs_printer *p, uint8_t b)
{
	uint32_t u;

	if (!p->has_half) {
		p->half = b;
		p->has_half = true;
		return;
	}
	p->has_half = false;
	u = codepage_decode_dbcs(p->conf.page, (uint16_t)(p->half << 8 | b));
	if (u == CODEPAGE_NONE) {
		p->paper.stats.substituted++;
		u = CODEPAGE_REPLACEMENT;
	}
	put(p, u, 2);
}

static void put_escape(struct scs_printer *p, uint8_t b)
{
	uint32_t u = pr3287(p) ? ' ' : codepage_graphic_escape(b);

	if (u == CODEPAGE_NONE) {
		p->paper.stats.substituted++;
		u = CODEPAGE_REPLACEMENT;
	}
	put(p, u, 1);
}

static void graphic(struct scs_printer *p, uint8_t b)
{
	if ((p->so || p->sa_dbcs) && codepage_dbcs(p->conf.page) && !pr3287(p))
		put_double(p, b);
	else if (p->apl && !pr3287(p))
		put_escape(p, b);
	else
		put_single(p, b);
}

/* ---- controls with operands -----------------------------------------------
 */

/* Operands o[0..n) of SHF: MPP LM RM tabs; those not there are defaults.
 * Neither format moves the print position: the margins act from the next NL,
 * CR or FF on. */
static void set_horizontal(struct scs_printer *p, const uint8_t *o, unsigned n)
{
	struct scs_format *f = &p->f;

	f->mpp = n > 0 ? o[0] : 0;
	f->lm = n > 1 ? o[1] : 0;
	f->rm = n > 2 ? o[2] : 0;
	f->htabs = (uint8_t)(n > 3 ? MIN(n - 3, ARRAY_SIZE(f->htab)) : 0);
	memcpy(f->htab, o + 3, f->htabs);
	format_fill(p);
}

/* SVF: MPL TM BM tabs. */
static void set_vertical(struct scs_printer *p, const uint8_t *o, unsigned n)
{
	struct scs_format *f = &p->f;
	bool counted = f->mpl != MPL_NONE;

	f->mpl = n > 0 ? o[0] : 0;
	f->tm = n > 1 ? o[1] : 0;
	f->bm = n > 2 ? o[2] : 0;
	f->vtabs = (uint8_t)(n > 3 ? MIN(n - 3, ARRAY_SIZE(f->vtab)) : 0);
	memcpy(f->vtab, o + 3, f->vtabs);
	format_fill(p);
	if (pr3287(p) && !counted) /* it counts lines only on a page */
		p->paper.line = 1;
}

/* 2B type count operands; the count counts itself. */
static void do_format(struct scs_printer *p)
{
	unsigned n = p->ctl[2];

	if (n == 0)
		blame(p, SCS_OPERAND);
	else if (p->ctl[1] == FMT_SHF)
		set_horizontal(p, p->ctl + 3, n - 1);
	else if (p->ctl[1] == FMT_SVF)
		set_vertical(p, p->ctl + 3, n - 1);
	/* others (line density, page size, underscore): no meaning here */
}

static void do_position(struct scs_printer *p)
{
	unsigned v = p->ctl[2];

	switch (p->ctl[1]) {
	case PP_AHPP:
		if (v >= 1 && v <= p->f.mpp)
			p->col = v;
		else
			blame(p, SCS_OPERAND);
		break;
	case PP_RHPP:
		if (p->col + v <= p->f.mpp)
			p->col += v;
		else
			blame(p, SCS_OPERAND);
		break;
	case PP_AVPP:
		if (v >= 1 && (!p->f.mpl || v <= p->f.mpl))
			to_line(p, v);
		else
			blame(p, SCS_OPERAND);
		break;
	case PP_RVPP:
		for (unsigned i = 0; i < v; i++)
			line_feed(p);
		break;
	default:
		blame(p, SCS_OPERAND);
	}
}

static void do_attribute(struct scs_printer *p)
{
	switch (p->ctl[1]) {
	case SA_RESET:
		p->attr = RENDER_NORMAL;
		p->apl = false;
		p->sa_dbcs = 0;
		break;
	case SA_HIGHLIGHT:
		p->attr = paper_highlight(p->ctl[2]);
		break;
	case SA_CHARSET:
		p->apl = p->ctl[2] == 0xf1;
		p->sa_dbcs = p->ctl[2] == 0xf8;
		p->has_half = false;
		break;
	default: /* colour and others: one ribbon */
		break;
	}
}

/* VCS: 81..89 are channels 1..9, 7A..7C 10..12. */
static void do_channel(struct scs_printer *p)
{
	uint8_t c = p->ctl[1];
	unsigned n = c >= 0x81 && c <= 0x89   ? c - 0x80u
		     : c >= 0x7a && c <= 0x7c ? c - 0x70u
					      : 0;

	if (n == 0) {
		blame(p, SCS_OPERAND);
		line_feed(p);
	} else if (p->conf.channel[n - 1]) {
		if (p->conf.channel[n - 1] <= p->paper.line)
			paper_feed(&p->paper);
		to_line(p, p->conf.channel[n - 1]);
	} else if (n == 1) {
		form_feed(p);
	} else {
		line_feed(p);
	}
}

static void do_control(struct scs_printer *p)
{
	switch (p->ctl[0]) {
	case SCS_FMT:
		do_format(p);
		break;
	case SCS_SA:
		if (!pr3287(p))
			do_attribute(p);
		break;
	case SCS_PP:
		do_position(p);
		break;
	case SCS_VCS:
		do_channel(p);
		break;
	case SCS_GE:
		put_escape(p, p->ctl[1]);
		break;
	default:
		break;
	}
}

/* Starts to gather a control of `want` bytes in all. */
static void gather(struct scs_printer *p, uint8_t code, unsigned want)
{
	p->ctl[0] = code;
	p->ctl_len = 1;
	p->ctl_want = (uint16_t)want;
}

static void gather_byte(struct scs_printer *p, uint8_t b)
{
	p->ctl[p->ctl_len++] = b;
	if (p->ctl[0] == SCS_FMT && p->ctl_len == 3 && b > 1)
		p->ctl_want = (uint16_t)(2 + b);
	if (p->ctl_len < p->ctl_want)
		return;
	p->ctl_want = 0;
	do_control(p);
}

/* ---- controls without ------------------------------------------------------
 */

/* What pr3287 4.1 does not know is a blank. */
static bool pr3287_blank(uint8_t b)
{
	switch (b) {
	case SCS_NUL:
	case SCS_BEL:
	case SCS_RNL:
	case SCS_RFF:
	case SCS_PP:
	case SCS_SO:
	case SCS_SI:
		return true;
	case SCS_HT:
	case SCS_VCS:
	case SCS_GE:
	case SCS_VT:
	case SCS_FF:
	case SCS_CR:
	case SCS_ENP:
	case SCS_NL:
	case SCS_BS:
	case SCS_IRS:
	case SCS_INP:
	case SCS_LF:
	case SCS_SA:
	case SCS_FMT:
	case SCS_TRN:
		return false;
	default:
		return true;
	}
}

static void shift(struct scs_printer *p, bool so)
{
	p->so = so;
	if (p->has_half) { /* half a character is none */
		p->has_half = false;
		p->paper.stats.substituted++;
	}
}

static void odd_control(struct scs_printer *p, uint8_t b)
{
	switch (b) {
	case SCS_NUL:
		if (p->conf.nul_blank)
			put(p, ' ', 1);
		break;
	case SCS_SO:
		shift(p, true);
		break;
	case SCS_SI:
		shift(p, false);
		break;
	case SCS_BEL:
		break;
	case SCS_SUB:
		p->paper.stats.substituted++;
		put(p, CODEPAGE_REPLACEMENT, 1);
		break;
	default:
		blame(p, SCS_FUNCTION);
	}
}

static void control(struct scs_printer *p, uint8_t b)
{
	if (pr3287(p) && pr3287_blank(b)) {
		put(p, ' ', 1);
		return;
	}
	switch (b) {
	case SCS_NL:
	case SCS_RNL:
	case SCS_IRS:
		new_line(p);
		break;
	case SCS_LF:
		line_feed(p);
		if (p->conf.lf_newline)
			p->col = p->f.lm;
		break;
	case SCS_CR:
		p->col = p->f.lm;
		break;
	case SCS_FF:
	case SCS_RFF:
		form_feed(p);
		break;
	case SCS_BS:
		if (p->col > 1)
			p->col--;
		break;
	case SCS_HT:
		tab(p);
		break;
	case SCS_VT:
		vertical_tab(p);
		break;
	case SCS_ENP:
	case SCS_INP:
		p->inhibited = b == SCS_INP;
		break;
	case SCS_FMT:
	case SCS_SA:
	case SCS_PP:
		gather(p, b, 3);
		break;
	case SCS_VCS:
		if (pr3287(p))
			line_feed(p); /* and its operand is printed */
		else
			gather(p, b, 2);
		break;
	case SCS_GE:
		gather(p, b, 2);
		break;
	case SCS_TRN:
		p->trn_count = true;
		break;
	default:
		odd_control(p, b);
	}
}

static size_t transparent(struct scs_printer *p, const uint8_t *d, size_t len)
{
	size_t n = MIN(p->trn, len);

	if (p->col > 1) /* the head is there, with or without ink */
		paper_head(&p->paper, p->col - 1);
	paper_raw(&p->paper, d, n);
	p->trn = (uint16_t)(p->trn - n);
	return n;
}

int scs_print(struct scs_printer *p, const void *data, size_t len)
{
	const uint8_t *d = data;

	paper_begin(&p->paper);
	for (size_t i = 0; i < len && !p->paper.err;) {
		uint8_t b = d[i];

		if (p->trn > 0) {
			i += transparent(p, d + i, len - i);
			continue;
		}
		i++;
		if (p->trn_count) {
			p->trn_count = false;
			p->trn = b;
		} else if (p->ctl_want > 0) {
			gather_byte(p, b);
		} else if (b >= SCS_SP) {
			graphic(p, b);
		} else {
			control(p, b);
		}
	}
	return p->paper.err;
}

int scs_print_end(struct scs_printer *p)
{
	paper_begin(&p->paper);
	if (p->ctl_want || p->trn || p->trn_count || p->has_half)
		blame(p, SCS_OPERAND); /* cut by the end of the job */
	p->ctl_want = p->trn = 0;
	p->trn_count = p->has_half = p->so = p->inhibited = p->apl = false;
	p->sa_dbcs = p->attr = 0;
	p->fed = false;
	p->col = p->f.lm;
	return paper_end(&p->paper);
}
