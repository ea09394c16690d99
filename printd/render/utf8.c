/* utf8.c: UTF-8 and the width of characters, for codepage.h. */
#include "render/codepage.h"

/*
 * The second byte of a sequence is bounded by the first so that overlong
 * forms, surrogates and what lies beyond U+10FFFF never come to be;
 * min_class holds the first byte until the second is there.
 */
static bool second_ok(uint8_t first, uint8_t b)
{
	switch (first) {
	case 0xe0:
		return b >= 0xa0 && b <= 0xbf;
	case 0xed:
		return b >= 0x80 && b <= 0x9f;
	case 0xf0:
		return b >= 0x90 && b <= 0xbf;
	case 0xf4:
		return b >= 0x80 && b <= 0x8f;
	default:
		return b >= 0x80 && b <= 0xbf;
	}
}

static int feed_first(struct utf8 *u, uint8_t b, uint32_t *ret)
{
	u->min_class = b;
	if (b < 0x80) {
		*ret = b;
		return 1;
	}
	if (b >= 0xc2 && b <= 0xdf) {
		u->want = 1;
		u->ucs = b & 0x1fu;
	} else if (b >= 0xe0 && b <= 0xef) {
		u->want = 2;
		u->ucs = b & 0x0fu;
	} else if (b >= 0xf0 && b <= 0xf4) {
		u->want = 3;
		u->ucs = b & 0x07u;
	} else {
		*ret = CODEPAGE_REPLACEMENT;
		return 1;
	}
	return 0;
}

int utf8_feed(struct utf8 *u, uint8_t byte, uint32_t *ret)
{
	if (u->want == 0)
		return feed_first(u, byte, ret);
	if (!second_ok(u->min_class, byte)) {
		u->want = 0;
		*ret = CODEPAGE_REPLACEMENT;
		return -1;
	}
	u->min_class = 0;
	u->ucs = u->ucs << 6 | (byte & 0x3fu);
	if (--u->want > 0)
		return 0;
	*ret = u->ucs;
	return 1;
}

bool utf8_end(struct utf8 *u)
{
	bool cut = u->want > 0;

	u->want = 0;
	return cut;
}

size_t utf8_emit(uint32_t ucs, uint8_t out[4])
{
	if (ucs > 0x10ffff || (ucs >= 0xd800 && ucs <= 0xdfff))
		ucs = CODEPAGE_REPLACEMENT;
	if (ucs < 0x80) {
		out[0] = (uint8_t)ucs;
		return 1;
	}
	if (ucs < 0x800) {
		out[0] = (uint8_t)(0xc0 | ucs >> 6);
		out[1] = (uint8_t)(0x80 | (ucs & 0x3f));
		return 2;
	}
	if (ucs < 0x10000) {
		out[0] = (uint8_t)(0xe0 | ucs >> 12);
		out[1] = (uint8_t)(0x80 | (ucs >> 6 & 0x3f));
		out[2] = (uint8_t)(0x80 | (ucs & 0x3f));
		return 3;
	}
	out[0] = (uint8_t)(0xf0 | ucs >> 18);
	out[1] = (uint8_t)(0x80 | (ucs >> 12 & 0x3f));
	out[2] = (uint8_t)(0x80 | (ucs >> 6 & 0x3f));
	out[3] = (uint8_t)(0x80 | (ucs & 0x3f));
	return 4;
}

/* East Asian wide and fullwidth, in blocks; the C library's wcwidth()
 * depends on the locale, which a daemon does not set. */
static const struct {
	uint32_t from, to;
} wide[] = {
	{0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0x33ff},
	{0x3400, 0x4dbf},   {0x4e00, 0x9fff},   {0xa000, 0xa4cf},
	{0xa960, 0xa97f},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},
	{0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},
	{0x1f300, 0x1faff}, {0x20000, 0x3fffd},
};

unsigned codepage_columns(uint32_t ucs)
{
	if (ucs < 0x300)
		return 1;
	if (ucs <= 0x36f || (ucs >= 0x200b && ucs <= 0x200f) || ucs == 0xfeff)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(wide); i++)
		if (ucs >= wide[i].from && ucs <= wide[i].to)
			return 2;
	return 1;
}
