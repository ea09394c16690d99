/*
 * text.h: the text of a key file in whatever form a mainframe, a workstation
 * or a transfer between them left it, as lines that end with LF. Pure.
 */
#ifndef COUPLET_KEYS_TEXT_H
#define COUPLET_KEYS_TEXT_H

#include "base/base.h"

struct text_found {
	bool ebcdic; /* was IBM-1047 or IBM-037 */
	bool cards;  /* was 80-byte records without line ends */
};

/* Does it hold the beginning of a PEM block in EBCDIC? */
bool text_is_ebcdic(const void *bytes, size_t len);

/*
 * Converts: EBCDIC to ASCII; CRLF, CR, NL and 80-byte records to LF; no blank
 * at the end of a line, no byte order mark. `work` has room for `len` bytes,
 * `out` for 2 * len + 1. Returns the bytes at `out`.
 */
size_t text_normalize(const void *bytes, size_t len, char *work, char *out,
		      struct text_found *ret);

#endif
