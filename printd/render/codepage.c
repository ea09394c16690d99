/*
 * codepage.c: tables from iconv. iconv is asked once per code when a page is
 * made, byte by byte, so nothing of its own policy (transliteration, state,
 * controls) reaches the print.
 */
#include "render/codepage.h"

#include <ctype.h>
#include <errno.h>
#include <iconv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DBCS_LOW 0x40u
#define DBCS_SIDE 191u /* 40..FE */

struct codepage {
	char name[CODEPAGE_NAME_MAX + 1];
	bool ebcdic, dbcs, utf8;
	uint16_t to_ucs[256];   /* 0 = none */
	uint8_t *from_ucs[256]; /* by high byte: 256 bytes each, 0 = none */
	uint16_t *wide;         /* DBCS_SIDE * DBCS_SIDE, 0 = none */
	uint16_t *from_wide[256];
};

/* What we offer; others that iconv knows and that are 8-bit work as well. */
static const char *const list[] = {
	"IBM-037",   "IBM-273",   "IBM-275",   "IBM-277",    "IBM-278",
	"IBM-280",   "IBM-284",   "IBM-285",   "IBM-297",    "IBM-420",
	"IBM-424",   "IBM-500",   "IBM-803",   "IBM-870",    "IBM-871",
	"IBM-875",   "IBM-880",   "IBM-905",   "IBM-924",    "IBM-1025",
	"IBM-1026",  "IBM-1047",  "IBM-1112",  "IBM-1122",   "IBM-1123",
	"IBM-1140",  "IBM-1141",  "IBM-1142",  "IBM-1143",   "IBM-1144",
	"IBM-1145",  "IBM-1146",  "IBM-1147",  "IBM-1148",   "IBM-1149",
	"IBM-1153",  "IBM-1154",  "IBM-1155",  "IBM-1156",   "IBM-1157",
	"IBM-1158",  "IBM-1160",  "IBM-1164",  "IBM-1166",   "IBM-930",
	"IBM-933",   "IBM-935",   "IBM-937",   "IBM-939",    "IBM-1364",
	"IBM-1371",  "IBM-1388",  "IBM-1390",  "IBM-1399",   "CP437",
	"CP850",     "CP852",     "CP858",     "CP1250",     "CP1251",
	"CP1252",    "CP1253",    "CP1254",    "ISO8859-1",  "ISO8859-2",
	"ISO8859-5", "ISO8859-7", "ISO8859-9", "ISO8859-15", "UTF-8",
};

static const unsigned dbcs_pages[] = {930,  933,  935,  937,  939,
				      1364, 1371, 1388, 1390, 1399};

/*
 * IBM-924 is not in the C library: it is IBM-1047 with the eight characters
 * of ISO 8859-15 in the places of those that ISO 8859-1 has there.
 */
static const struct {
	uint16_t latin1, latin9;
} latin9[] = {
	{0xa4, 0x20ac}, {0xa6, 0x160}, {0xa8, 0x161}, {0xb4, 0x17d},
	{0xb8, 0x17e},  {0xbc, 0x152}, {0xbd, 0x153}, {0xbe, 0x178},
};

const char *codepage_list(unsigned i)
{
	return i < ARRAY_SIZE(list) ? list[i] : NULL;
}

/* ---- names -------------------------------------------------------------- */

static bool name_ok(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > CODEPAGE_NAME_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)name[i]) &&
		    !strchr("-_.:@#$", name[i]))
			return false;
	return true;
}

int codepage_alias_add(struct codepage_aliases *a, const char *name,
		       const char *page)
{
	unsigned i = 0;

	if (!name_ok(name) || !name_ok(page) || !strcasecmp(name, page))
		return -EINVAL;
	while (i < a->n && strcasecmp(a->alias[i].name, name))
		i++;
	if (i == CODEPAGE_ALIASES_MAX)
		return -ENOSPC;
	if (i == a->n)
		a->n++;
	snprintf(a->alias[i].name, sizeof(a->alias[i].name), "%s", name);
	snprintf(a->alias[i].page, sizeof(a->alias[i].page), "%s", page);
	return 0;
}

/* An alias stands for a page, not for another alias: no loops. */
static const char *resolve(const struct codepage_aliases *a, const char *name)
{
	for (unsigned i = 0; a && i < a->n; i++)
		if (!strcasecmp(a->alias[i].name, name))
			return a->alias[i].page;
	return name;
}

/* The number in 037, CP037, CP-1141, IBM037, IBM-37; 0 for other names. */
static unsigned number_of(const char *name)
{
	char *end;
	unsigned long v;

	if (!strncasecmp(name, "IBM", 3))
		name += 3;
	else if (!strncasecmp(name, "CP", 2))
		name += 2;
	if (*name == '-')
		name++;
	if (!isdigit((unsigned char)*name))
		return 0;
	v = strtoul(name, &end, 10);
	return *end || v > 99999 ? 0 : (unsigned)v;
}

static bool is_dbcs(unsigned number)
{
	for (size_t i = 0; i < ARRAY_SIZE(dbcs_pages); i++)
		if (dbcs_pages[i] == number)
			return true;
	return false;
}

static iconv_t open_page(const char *name, unsigned number)
{
	static const char *const formats[] = {"IBM%03u", "IBM-%u", "CP%u"};
	char text[32];

	if (number == 0)
		return iconv_open("UCS-4LE", name);
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		iconv_t ic;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(text, sizeof(text), formats[i], number);
#pragma GCC diagnostic pop
		ic = iconv_open("UCS-4LE", text);
		if (ic != (iconv_t)-1)
			return ic;
	}
	return (iconv_t)-1;
}

/* ---- tables ------------------------------------------------------------- */

/* The one BMP character that `in` stands for; 0 if there is none, -EINVAL
 * when `in` is only the beginning of something. */
static int32_t ask(iconv_t ic, const uint8_t *in, size_t len)
{
	char buf[8], out[16], *ip = buf, *op = out;
	size_t il = len, ol = sizeof(out);
	uint32_t u;

	memcpy(buf, in, len);
	iconv(ic, NULL, NULL, NULL, NULL);
	if (iconv(ic, &ip, &il, &op, &ol) == (size_t)-1)
		return errno == EINVAL ? -EINVAL : 0;
	iconv(ic, NULL, NULL, &op, &ol);
	if (sizeof(out) - ol != 4)
		return 0;
	u = (uint32_t)(uint8_t)out[0] | (uint32_t)(uint8_t)out[1] << 8 |
	    (uint32_t)(uint8_t)out[2] << 16 | (uint32_t)(uint8_t)out[3] << 24;
	if (u < 0x20 || (u >= 0x7f && u < 0xa0) || u > 0xffff ||
	    (u >= 0xd800 && u < 0xe000))
		return 0; /* a control, or not one that a table holds */
	return (int32_t)u;
}

static int reverse_add(struct codepage *c, uint16_t ucs, uint8_t byte)
{
	uint8_t **block = &c->from_ucs[ucs >> 8];

	if (!*block && !(*block = calloc(256, 1)))
		return -ENOMEM;
	if (!(*block)[ucs & 255])
		(*block)[ucs & 255] = byte;
	return 0;
}

static bool graphic(const struct codepage *c, unsigned b)
{
	return c->ebcdic ? b >= 0x40 && b <= 0xfe
			 : (b >= 0x20 && b <= 0x7e) || b >= 0x80;
}

static int fill_single(struct codepage *c, iconv_t ic)
{
	int32_t u;
	int r = 0;

	for (unsigned b = 0x20; b < 256 && !r; b++) {
		uint8_t in = (uint8_t)b;

		u = ask(ic, &in, 1);
		if (u == -EINVAL)
			return -ENOTSUP; /* a page of several bytes */
		if (u <= 0 || !graphic(c, b))
			continue;
		c->to_ucs[b] = (uint16_t)u;
		r = reverse_add(c, (uint16_t)u, in);
	}
	return r;
}

static int wide_add(struct codepage *c, uint16_t code, uint16_t ucs)
{
	uint16_t **block = &c->from_wide[ucs >> 8];

	if (!*block && !(*block = calloc(256, sizeof(uint16_t))))
		return -ENOMEM;
	if (!(*block)[ucs & 255])
		(*block)[ucs & 255] = code;
	return 0;
}

static int fill_wide(struct codepage *c, iconv_t ic)
{
	int r = 0;

	c->wide = calloc((size_t)DBCS_SIDE * DBCS_SIDE, sizeof(uint16_t));
	if (!c->wide)
		return -ENOMEM;
	for (unsigned i = 0; i < DBCS_SIDE * DBCS_SIDE && !r; i++) {
		unsigned hi = DBCS_LOW + i / DBCS_SIDE;
		unsigned lo = DBCS_LOW + i % DBCS_SIDE;
		uint8_t in[4] = {0x0e, (uint8_t)hi, (uint8_t)lo, 0x0f};
		int32_t u = ask(ic, in, sizeof(in));

		if (u <= 0)
			continue;
		c->wide[i] = (uint16_t)u;
		r = wide_add(c, (uint16_t)(hi << 8 | lo), (uint16_t)u);
	}
	return r;
}

/* Exchanges the characters of Latin-9 into IBM-1047. */
static int make_924(struct codepage *c)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(latin9) && !r; i++) {
		uint16_t old = latin9[i].latin1;
		uint8_t byte = c->from_ucs[0][old];

		c->from_ucs[0][old] = 0;
		c->to_ucs[byte] = latin9[i].latin9;
		r = reverse_add(c, latin9[i].latin9, byte);
	}
	return r;
}

static int fill(struct codepage *c, const char *name, unsigned number)
{
	static const uint8_t letter_a = 0xc1, blank = 0x40;
	iconv_t ic = open_page(name, number == 924 ? 1047 : number);
	int r;

	if (ic == (iconv_t)-1)
		return -ENOENT;
	c->ebcdic = ask(ic, &letter_a, 1) == 'A' && ask(ic, &blank, 1) == ' ';
	c->dbcs = c->ebcdic && is_dbcs(number);
	r = fill_single(c, ic);
	if (!r && c->dbcs)
		r = fill_wide(c, ic);
	iconv_close(ic);
	if (!r && number == 924)
		r = make_924(c);
	return r;
}

int codepage_new(const char *name, const struct codepage_aliases *a,
		 struct codepage **ret)
{
	const char *page = resolve(a, name);
	unsigned number = number_of(page);
	struct codepage *c;
	int r = 0;

	if (!name_ok(page))
		return -ENOENT;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->utf8 = !strcasecmp(page, "UTF-8") || !strcasecmp(page, "UTF8");
	if (!c->utf8)
		r = fill(c, page, number);
	if (r) {
		codepage_free(c);
		return r;
	}
	if (c->utf8)
		snprintf(c->name, sizeof(c->name), "UTF-8");
	else if (number)
		snprintf(c->name, sizeof(c->name),
			 c->ebcdic ? "IBM-%03u" : "CP%u", number);
	else
		snprintf(c->name, sizeof(c->name), "%s", page);
	*ret = c;
	return 0;
}

void codepage_free(struct codepage *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < 256; i++) {
		free(c->from_ucs[i]);
		free(c->from_wide[i]);
	}
	free(c->wide);
	free(c);
}

/* ---- use ---------------------------------------------------------------- */

const char *codepage_name(const struct codepage *c)
{
	return c->name;
}

bool codepage_ebcdic(const struct codepage *c)
{
	return c->ebcdic;
}

bool codepage_dbcs(const struct codepage *c)
{
	return c->dbcs;
}

bool codepage_utf8(const struct codepage *c)
{
	return c->utf8;
}

uint32_t codepage_decode(const struct codepage *c, uint8_t byte)
{
	return c->to_ucs[byte] ? c->to_ucs[byte] : CODEPAGE_NONE;
}

uint32_t codepage_decode_dbcs(const struct codepage *c, uint16_t code)
{
	unsigned hi = code >> 8, lo = code & 255;
	uint16_t u = 0;

	if (c->wide && hi >= DBCS_LOW && hi <= 0xfe && lo >= DBCS_LOW &&
	    lo <= 0xfe)
		u = c->wide[(hi - DBCS_LOW) * DBCS_SIDE + (lo - DBCS_LOW)];
	return u ? u : CODEPAGE_NONE;
}

int codepage_encode(const struct codepage *c, uint32_t ucs)
{
	const uint8_t *block;

	if (c->utf8)
		return ucs >= 0x20 && ucs < 0x7f ? (int)ucs : -1;
	if (ucs > 0xffff)
		return -1;
	block = c->from_ucs[ucs >> 8];
	return block && block[ucs & 255] ? block[ucs & 255] : -1;
}

int32_t codepage_encode_dbcs(const struct codepage *c, uint32_t ucs)
{
	const uint16_t *block = ucs > 0xffff ? NULL : c->from_wide[ucs >> 8];

	return block && block[ucs & 255] ? block[ucs & 255] : -1;
}

/* Line drawing; the rest of APL has no place on a line printer. */
uint32_t codepage_graphic_escape(uint8_t byte)
{
	static const struct {
		uint8_t code;
		uint16_t ucs;
	} set[] = {
		{0x85, 0x2502}, {0xa2, 0x2500}, {0xc4, 0x2514}, {0xc5, 0x250c},
		{0xc6, 0x251c}, {0xc7, 0x2534}, {0xd3, 0x253c}, {0xd4, 0x2518},
		{0xd5, 0x2510}, {0xd6, 0x2524}, {0xd7, 0x252c}, {0x40, ' '},
	};

	for (size_t i = 0; i < ARRAY_SIZE(set); i++)
		if (set[i].code == byte)
			return set[i].ucs;
	return CODEPAGE_NONE;
}
