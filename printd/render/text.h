/*
 * text.h: sink that makes text and printer bytes of pages: characters in the
 * printer's code page, line ends, form feeds, overstrike, and the strings
 * that a printer wants before and after a job (PCL, PJL, ESC/P).
 */
#ifndef COUPLET_RENDER_TEXT_H
#define COUPLET_RENDER_TEXT_H

#include "render/codepage.h"
#include "render/page.h"

enum text_overstrike {
	TEXT_FLATTEN = 0, /* one character per cell: the last that is not an
			     underscore */
	TEXT_LAST,        /* one character per cell: the last (pr3287) */
	TEXT_BY_CR,       /* each layer, CR between them */
	TEXT_BY_BS,       /* character, BS, character */
};

#define TEXT_STRING_MAX 512u /* bytes of a set-up or tear-down string */

struct text_conf {
	const struct codepage *page; /* of the output; NULL = UTF-8 */
	uint32_t substitute;         /* for what page lacks; 0 = '?' */
	enum text_overstrike overstrike;
	bool crlf;          /* line end CR LF, else LF */
	bool keep_trailing; /* blanks at line ends */
	bool feed_lines;    /* a form feed is LFs up to page_lines... */
	uint8_t page_lines; /* ... counted from the top, 0 = none */
	bool feed_after;    /* end a job with a form feed if not at top */
	bool no_feed;       /* leave form feeds out */
	bool reject_raw;    /* drop transparent bytes */
	uint16_t setup_len, teardown_len;
	uint8_t setup[TEXT_STRING_MAX];    /* before the first byte */
	uint8_t teardown[TEXT_STRING_MAX]; /* after the last */
};

/* Caller's storage. */
struct text_sink {
	const struct text_conf *conf;
	struct render_writer writer;
	struct render_stats stats; /* substituted is this sink's own */
	bool begun, at_top;
	uint16_t column; /* printed on this line, before transparent bytes */
	uint16_t head;   /* where the print head is, blanks before it too */
};

/* conf and writer's argument must stay. */
void text_sink_init(struct text_sink *t, const struct text_conf *conf,
		    const struct render_writer *w);

/* What an interpreter is given. */
struct render_sink text_sink_of(struct text_sink *t);

/*
 * A string as decks write it: characters, with \e ESC, \f FF, \n LF, \r CR,
 * \t HT, \\, \xHH; or X'1B26..' in hexadecimal. Returns the bytes in out, or
 * -EINVAL (*ret_at is the offset of the mistake) or -ENOSPC.
 */
ssize_t text_string_parse(const char *in, uint8_t *out, size_t cap,
			  size_t *ret_at) MUST_USE;

#endif
