/*
 * codepage.h: EBCDIC code pages (and the 8-bit pages of printers) as tables
 * between bytes and Unicode, built once from the C library's iconv. At run
 * time iconv is never called.
 *
 * Rules. Only graphic codes go through a table: 40..FE of an EBCDIC page,
 * 20..7E and 80..FF of another. Controls belong to the data stream (scs.h,
 * lu3.h), which gives them their meaning. A character that a page does not
 * have is never spelled with several others: it becomes one substitute, so
 * that columns stay, and it is counted.
 *
 * Double-byte pages (IBM-930 933 935 937 939 1364 1371 1388 1390 1399) carry
 * a single-byte table and one of 16-bit codes 4040..FEFE; SO and SI are the
 * data stream's.
 *
 * A codepage is immutable and shared; it holds about 7 KB, or 250 KB with
 * double bytes. Only codepage_new() allocates.
 */
#ifndef COUPLET_RENDER_CODEPAGE_H
#define COUPLET_RENDER_CODEPAGE_H

#include "base/base.h"

#define CODEPAGE_NAME_MAX 31u
#define CODEPAGE_ALIASES_MAX 64u
#define CODEPAGE_NONE 0xffffffffu /* this code has no character */
#define CODEPAGE_REPLACEMENT 0xfffdu

struct codepage;

/* Site names for pages: the deck's SBCS commands (SBCS DN_03 IBM-1141). */
struct codepage_aliases {
	unsigned n;
	struct {
		char name[CODEPAGE_NAME_MAX + 1];
		char page[CODEPAGE_NAME_MAX + 1];
	} alias[CODEPAGE_ALIASES_MAX];
};

/* Adds or replaces an alias, names in any case. -EINVAL when a name is
 * empty or too long or an alias names itself, -ENOSPC at the limit. */
int codepage_alias_add(struct codepage_aliases *a, const char *name,
		       const char *page) MUST_USE;

/*
 * The page called `name`: an alias (`a` may be NULL), or any way to write
 * it: 037, CP037, IBM037, IBM-37, IBM-1141, CP850, ISO8859-1, UTF-8 (for
 * output: every character, see codepage_utf8()). -ENOENT when there is no
 * such page, -ENOTSUP when it is neither 8-bit nor one of the double-byte
 * pages, -ENOMEM.
 */
int codepage_new(const char *name, const struct codepage_aliases *a,
		 struct codepage **ret) MUST_USE;

/* Frees it; NULL is fine. */
void codepage_free(struct codepage *c);

/* How it is called: "IBM-1141", "CP850", "UTF-8". */
const char *codepage_name(const struct codepage *c);

/* Is it EBCDIC? Does it have double bytes? Is it UTF-8? */
bool codepage_ebcdic(const struct codepage *c);
bool codepage_dbcs(const struct codepage *c); /* double bytes */
bool codepage_utf8(const struct codepage *c); /* UTF-8 */

/* Unicode of a graphic byte, or CODEPAGE_NONE. */
uint32_t codepage_decode(const struct codepage *c, uint8_t byte);

/* Unicode of a double-byte code, or CODEPAGE_NONE. */
uint32_t codepage_decode_dbcs(const struct codepage *c, uint16_t code);

/* Unicode of a code of the graphic escape set (code page 310): line drawing,
 * else CODEPAGE_NONE. */
uint32_t codepage_graphic_escape(uint8_t byte);

/* Single byte of a character, or -1. */
int codepage_encode(const struct codepage *c, uint32_t ucs);

/* Double-byte code of a character, or -1. */
int32_t codepage_encode_dbcs(const struct codepage *c, uint32_t ucs);

/* Columns a character takes on paper: 0, 1 or 2. */
unsigned codepage_columns(uint32_t ucs);

/* The names offered, for displays and error texts: i = 0.. until NULL. */
const char *codepage_list(unsigned i);

/* A UTF-8 reader that keeps a cut sequence between calls. Zero it. */
struct utf8 {
	uint32_t ucs;
	uint8_t want; /* bytes still to come */
	uint8_t min_class;
};

/* One byte in. 1: *ret is a character (CODEPAGE_REPLACEMENT for bad input);
 * 0: more is needed; -1: *ret is CODEPAGE_REPLACEMENT and this byte is to be
 * given once more. */
int utf8_feed(struct utf8 *u, uint8_t byte, uint32_t *ret);

/* The end: was a sequence cut? Forgets it. */
bool utf8_end(struct utf8 *u);

/* Writes 1..4 bytes; returns how many. Surrogates become U+FFFD. */
size_t utf8_emit(uint32_t ucs, uint8_t out[4]);

#endif
