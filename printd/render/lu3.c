/*
 * lu3.c: the 3270 data stream of lu3.h: commands, orders, structured fields.
 *
 * Records come in slices cut anywhere; an order's operands gather in `ctl`.
 * What is wrong ends the record: its verdict stays, the rest is skipped.
 */
#include "render/lu3.h"

#include "render/lu3_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH_DEFAULT 132u
#define FIELD_HEAD 5u /* length, id, and two bytes that tell a query */

/* Types of extended attributes in SA, SFE and MF. */
enum { XA_ALL = 0x00, XA_HIGHLIGHT = 0x41, XA_CHARSET = 0x43, XA_FIELD = 0xc0 };

/* Structured fields. */
enum {
	SF_READ_PARTITION = 0x01,
	SF_ERASE_RESET = 0x03,
	SF_REPLY_MODE = 0x09,
	SF_3270_DS = 0x40
};

#define ATTR_PROTECTED 0x20u
#define ATTR_DISPLAY 0x0cu /* 0C: not displayed */

struct lu3_printer *lu3_printer_new(const struct lu3_conf *conf,
				    const struct render_sink *sink)
{
	unsigned size = conf->buffer ? conf->buffer : LU3_BUFFER_DEFAULT;
	struct lu3_printer *p = NULL;

	if (size <= LU3_BUFFER_MAX)
		p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->cell = calloc(size, sizeof(*p->cell));
	if (!p->cell) {
		free(p);
		return NULL;
	}
	p->conf = *conf;
	p->size = size;
	p->width = conf->width ? conf->width : WIDTH_DEFAULT;
	paper_init(&p->paper, sink);
	return p;
}

void lu3_printer_free(struct lu3_printer *p)
{
	if (p)
		free(p->cell);
	free(p);
}

const struct render_stats *lu3_printer_stats(const struct lu3_printer *p)
{
	return &p->paper.stats;
}

static bool pr3287(const struct lu3_printer *p)
{
	return p->conf.profile == LU3_PROFILE_PR3287;
}

/* The record is wrong here; what follows in it means nothing. */
static void fail(struct lu3_printer *p, enum lu3_verdict v)
{
	p->verdict = (uint8_t)v;
	p->paper.stats.unknown++;
	p->in_field = false;
	p->state = LU3_S_SKIP;
}

/* ---- cells -----------------------------------------------------------------
 */

static void write_cell(struct lu3_printer *p, struct lu3_cell c)
{
	/* A text longer than the buffer would cover its own beginning. */
	if (p->at >= p->size) {
		if (!lu3_format_width(p->wcc)) {
			lu3_buffer_print(p);
			lu3_buffer_clear(p);
		}
		p->at = 0;
	}
	p->cell[p->at++] = c;
	p->top = MAX(p->top, p->at);
	p->unprinted = true;
}

static void write_char(struct lu3_printer *p, uint8_t code, bool escape)
{
	write_cell(p,
		   (struct lu3_cell){.code = code,
				     .kind = escape || (p->apl && code >= 0x40)
						     ? CELL_GE
						     : CELL_CHAR,
				     .attr = p->attr});
}

static void write_field(struct lu3_printer *p, uint8_t attribute, uint8_t attr)
{
	write_cell(p, (struct lu3_cell){.kind = CELL_FIELD,
					.field = attribute,
					.attr = attr});
}

/* A buffer address, 12 bits in two codes or 14 bits. False: beyond. */
static bool address(struct lu3_printer *p, const uint8_t *b, unsigned *ret)
{
	unsigned at = b[0] & 0xc0 ? (b[0] & 0x3fu) << 6 | (b[1] & 0x3fu)
				  : (unsigned)b[0] << 8 | b[1];

	if (at >= p->size) {
		fail(p, LU3_OPERATION);
		return false;
	}
	*ret = at;
	return true;
}

/* ---- orders ----------------------------------------------------------------
 */

static void do_repeat(struct lu3_printer *p)
{
	bool escape = p->ctl[3] == LU3_GE;
	unsigned to, n;

	if (!address(p, p->ctl + 1, &to))
		return;
	if (p->at >= p->size)
		p->at = 0;
	/* to the address itself means once around */
	n = to > p->at ? to - p->at : p->size - p->at + to;
	while (n-- > 0)
		write_char(p, escape ? p->ctl[4] : p->ctl[3], escape);
	p->at = to;
}

/* The attribute that holds at `at`: that of the field it lies in. */
static const struct lu3_cell *field_at(const struct lu3_printer *p, unsigned at)
{
	for (unsigned i = 0; i < p->size; i++) {
		unsigned k = (at + p->size - i) % p->size;

		if (p->cell[k].kind == CELL_FIELD)
			return &p->cell[k];
	}
	return NULL;
}

/* Erases what is not protected up to an address. pr3287 ignores it. */
static void do_erase(struct lu3_printer *p)
{
	const struct lu3_cell *f;
	bool protect;
	unsigned to, n;

	if (!address(p, p->ctl + 1, &to) || pr3287(p))
		return;
	if (p->at >= p->size)
		p->at = 0;
	f = field_at(p, p->at);
	protect = f && f->field & ATTR_PROTECTED;
	n = to > p->at ? to - p->at : p->size - p->at + to;
	for (unsigned i = 0; i < n; i++) {
		struct lu3_cell *c = &p->cell[(p->at + i) % p->size];

		if (c->kind == CELL_FIELD)
			protect = c->field & ATTR_PROTECTED;
		else if (!protect)
			memset(c, 0, sizeof(*c));
	}
	p->at = to;
	p->unprinted = true;
}

/* Pairs of SFE and MF: count, then type and value. */
static void do_pairs(struct lu3_printer *p, struct lu3_cell *c)
{
	for (unsigned i = 0; i < p->ctl[1]; i++) {
		uint8_t type = p->ctl[2 + 2 * i], v = p->ctl[3 + 2 * i];

		if (type == XA_FIELD)
			c->field = v;
		else if (type == XA_HIGHLIGHT)
			c->attr = paper_highlight(v);
	}
}

static void do_extended(struct lu3_printer *p)
{
	struct lu3_cell c = {.kind = CELL_FIELD};

	do_pairs(p, &c);
	write_field(p, c.field, c.attr);
}

static void do_modify(struct lu3_printer *p)
{
	if (p->at < p->size && p->cell[p->at].kind == CELL_FIELD) {
		do_pairs(p, &p->cell[p->at]);
		p->at++;
		p->unprinted = true;
	} else {
		fail(p, LU3_OPERATION); /* no field begins here */
	}
}

static void do_attribute(struct lu3_printer *p)
{
	if (p->ctl[1] == XA_ALL) {
		p->attr = RENDER_NORMAL;
		p->apl = false;
	} else if (p->ctl[1] == XA_HIGHLIGHT) {
		p->attr = paper_highlight(p->ctl[2]);
	} else if (p->ctl[1] == XA_CHARSET) {
		p->apl = p->ctl[2] == 0xf1;
	}
}

/* To the first cell of the next unprotected field; none: to 0. */
static void do_tab(struct lu3_printer *p)
{
	for (unsigned i = p->at; i < p->size; i++)
		if (p->cell[i].kind == CELL_FIELD &&
		    !(p->cell[i].field & ATTR_PROTECTED)) {
			p->at = (i + 1) % p->size;
			return;
		}
	p->at = 0;
}

/* SBA. Unformatted text that jumps forward over cells nobody wrote wants
 * the blanks that it skips [measured with pr3287]. */
static void do_address(struct lu3_printer *p)
{
	unsigned to;

	if (!address(p, p->ctl + 1, &to))
		return;
	if (!lu3_format_width(p->wcc))
		for (unsigned i = p->top; i < to; i++)
			p->cell[i].code = 0x40;
	p->at = to;
}

static void do_order(struct lu3_printer *p)
{
	p->state = LU3_S_DATA;
	switch (p->ctl[0]) {
	case LU3_SBA:
		do_address(p);
		break;
	case LU3_SF:
		write_field(p, p->ctl[1], RENDER_NORMAL);
		break;
	case LU3_SFE:
		do_extended(p);
		break;
	case LU3_MF:
		do_modify(p);
		break;
	case LU3_SA:
		do_attribute(p);
		break;
	case LU3_RA:
		do_repeat(p);
		break;
	case LU3_EUA:
		do_erase(p);
		break;
	case LU3_GE:
		write_char(p, p->ctl[1], true);
		break;
	default:
		break;
	}
}

static void gather(struct lu3_printer *p, uint8_t order, unsigned want)
{
	p->state = LU3_S_ORDER;
	p->ctl[0] = order;
	p->ctl_len = 1;
	p->ctl_want = (uint16_t)want;
}

static void order_byte(struct lu3_printer *p, uint8_t b)
{
	p->ctl[p->ctl_len++] = b;
	if (p->ctl_len == 2 && (p->ctl[0] == LU3_SFE || p->ctl[0] == LU3_MF))
		p->ctl_want = (uint16_t)(2 + 2 * b);
	if (p->ctl_len == 4 && p->ctl[0] == LU3_RA && b == LU3_GE)
		p->ctl_want = 5;
	if (p->ctl_len >= p->ctl_want)
		do_order(p);
}

static void data_byte(struct lu3_printer *p, uint8_t b)
{
	switch (b) {
	case LU3_SBA:
	case LU3_EUA:
	case LU3_SA:
		gather(p, b, 3);
		break;
	case LU3_SF:
	case LU3_SFE:
	case LU3_MF:
	case LU3_GE:
		gather(p, b, 2);
		break;
	case LU3_RA:
		gather(p, b, 4);
		break;
	case LU3_PT:
		do_tab(p);
		break;
	case LU3_IC:
		break; /* a printer has no cursor */
	default:
		write_char(p, b, false);
	}
}

/* ---- commands --------------------------------------------------------------
 */

/* What was written but never printed is printed before it is erased. */
static void keep_unprinted(struct lu3_printer *p)
{
	if (p->unprinted)
		lu3_buffer_print(p);
}

static void begin_write(struct lu3_printer *p, bool erase)
{
	if (erase) {
		keep_unprinted(p);
		lu3_buffer_clear(p);
		p->at = 0;
	} else if (p->printed && !p->unprinted) {
		/* Unformatted print-outs stand for themselves: the rest of
		 * the one before must not come again. */
		if (!lu3_format_width(p->wcc))
			lu3_buffer_clear(p);
		p->at = 0;
	}
	p->printed = false;
	p->attr = RENDER_NORMAL;
	p->apl = false;
	p->state = LU3_S_WCC;
}

static void erase_unprotected(struct lu3_printer *p)
{
	bool protect = false;

	keep_unprinted(p);
	for (unsigned i = 0; i < p->size; i++) {
		if (p->cell[i].kind == CELL_FIELD)
			protect = p->cell[i].field & ATTR_PROTECTED;
		else if (!protect)
			memset(&p->cell[i], 0, sizeof(p->cell[i]));
	}
	p->unprinted = false;
	p->at = 0;
	p->state = LU3_S_SKIP;
}

/* Remote forms, and the local ones that some hosts send [print3270 2.2]. */
static void command_byte(struct lu3_printer *p, uint8_t b)
{
	switch (b) {
	case LU3_W:
	case 0x01:
		begin_write(p, false);
		break;
	case LU3_EW:
	case 0x05:
	case LU3_EWA:
	case 0x0d:
		begin_write(p, true);
		break;
	case LU3_EAU:
	case 0x0f:
		erase_unprotected(p);
		break;
	case LU3_WSF:
	case 0x11:
		if (p->in_field) {
			fail(p, LU3_OPERATION);
			break;
		}
		p->state = LU3_S_FIELD;
		p->ctl_len = 0;
		break;
	default: /* reads too: a printer has nothing to say */
		fail(p, LU3_REJECT);
	}
}

/* ---- structured fields -----------------------------------------------------
 */

static void field_over(struct lu3_printer *p)
{
	if (p->state == LU3_S_ORDER) { /* cut inside an order */
		fail(p, LU3_OPERATION);
		return;
	}
	p->in_field = false;
	p->state = LU3_S_FIELD;
	p->ctl_len = 0;
}

/* The head of a field is there: length, id, and up to two bytes. */
static void do_field(struct lu3_printer *p, unsigned len)
{
	p->in_field = true;
	p->field_left = len ? len - p->ctl_len : UINT32_MAX;
	switch (p->ctl[2]) {
	case SF_3270_DS: /* partition, command, as if it came by itself */
		p->state = LU3_S_COMMAND;
		command_byte(p, p->ctl[4]);
		break;
	case SF_READ_PARTITION:
		if (p->ctl[4] == 0x02 || p->ctl[4] == 0x03)
			p->verdict = LU3_QUERY;
		else
			p->verdict = LU3_REJECT;
		p->state = LU3_S_SKIP;
		break;
	case SF_ERASE_RESET:
		keep_unprinted(p);
		lu3_buffer_clear(p);
		p->at = 0;
		p->state = LU3_S_SKIP;
		break;
	case SF_REPLY_MODE:
		p->state = LU3_S_SKIP;
		break;
	default:
		fail(p, LU3_OPERATION);
	}
}

static void field_byte(struct lu3_printer *p, uint8_t b)
{
	unsigned len, want;

	p->ctl[p->ctl_len++] = b;
	if (p->ctl_len < 3)
		return;
	len = (unsigned)p->ctl[0] << 8 | p->ctl[1];
	if (len > 0 && len < 3) {
		fail(p, LU3_OPERATION);
		return;
	}
	want = len ? MIN(len, FIELD_HEAD) : FIELD_HEAD;
	if (p->ctl_len < want)
		return;
	memset(p->ctl + p->ctl_len, 0,
	       FIELD_HEAD - MIN(p->ctl_len, FIELD_HEAD));
	do_field(p, len);
	if (p->in_field && p->field_left == 0)
		field_over(p);
}

/* ---- the stream ------------------------------------------------------------
 */

static void byte(struct lu3_printer *p, uint8_t b)
{
	bool counted = p->in_field;

	switch (p->state) {
	case LU3_S_COMMAND:
		command_byte(p, b);
		break;
	case LU3_S_WCC:
		p->wcc = b;
		p->state = LU3_S_DATA;
		break;
	case LU3_S_DATA:
		data_byte(p, b);
		break;
	case LU3_S_ORDER:
		order_byte(p, b);
		break;
	case LU3_S_FIELD:
		field_byte(p, b);
		break;
	case LU3_S_SKIP:
		break;
	}
	if (counted && p->in_field && p->field_left != UINT32_MAX &&
	    --p->field_left == 0)
		field_over(p);
}

static void record_over(struct lu3_printer *p)
{
	if (p->state == LU3_S_ORDER) /* cut inside an order */
		fail(p, LU3_OPERATION);
	if (p->verdict == LU3_OK && p->wcc & LU3_WCC_START && p->unprinted &&
	    !(pr3287(p) && lu3_format_width(p->wcc)))
		lu3_buffer_print(p);
}

int lu3_print(struct lu3_printer *p, const void *data, size_t len, bool first,
	      bool last, enum lu3_verdict *ret)
{
	const uint8_t *d = data;

	paper_begin(&p->paper);
	if (first) {
		p->state = LU3_S_COMMAND;
		p->in_field = false;
		p->verdict = LU3_OK;
	}
	for (size_t i = 0; i < len && !p->paper.err; i++)
		byte(p, d[i]);
	if (last) {
		record_over(p);
		p->in_field = false;
		p->state = LU3_S_SKIP;
	}
	*ret = (enum lu3_verdict)p->verdict;
	return p->paper.err;
}

int lu3_print_end(struct lu3_printer *p)
{
	paper_begin(&p->paper);
	keep_unprinted(p);
	lu3_buffer_clear(p);
	p->at = 0;
	p->printed = false;
	return paper_end(&p->paper);
}

/* ---- query replies ---------------------------------------------------------
 */

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* Summary, Usable Area, Implied Partition: what a host wants to know of a
 * printer before it formats for it. */
ssize_t lu3_query_reply(const struct lu3_printer *p, uint8_t *out, size_t cap)
{
	static const uint8_t fixed[] = {
		0x88,                                     /* AID */
		0,    7,    0x81, 0x80, 0x80, 0x81, 0xa6, /* Summary */
		0,    23,   0x81, 0x81, 0x01, 0x00,       /* Usable Area */
		0,    80,   0,    24,   0x01,             /* cells, mm */
		0x00, 0x0a, 0x02, 0xe5, 0x00, 0x02, 0x00, 0x6f, 0x09, 0x0c, 0,
		0,                                  /* cell, buffer */
		0,    17,   0x81, 0xa6, 0x00, 0x00, /* Implied Part. */
		0x0b, 0x01, 0x00, 0,    80,   0,    24,   0,    80,   0,    24,
	};
	const size_t area = 8, partition = 31;

	if (cap < sizeof(fixed))
		return -ENOSPC;
	memcpy(out, fixed, sizeof(fixed));
	put16(out + area + 8, p->size / 80);
	put16(out + area + 21, p->size);
	put16(out + partition + 15, p->size / 80);
	return (ssize_t)sizeof(fixed);
}
