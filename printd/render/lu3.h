/*
 * lu3.h: the 3270 data stream as LU type 3 printers take it: encoder from
 * UTF-8 text, and interpreter to pages. Pure and streaming.
 *
 * Encoder. Unformatted records: Write, WCC with start-print, text with NL,
 * CR and FF, EM at the end of each record, so that each is a print-out of
 * its own and whole lines. No line is longer than the width: the encoder
 * breaks it. Formatted records for copies of a screen.
 *
 * Interpreter. A print buffer as in the device: orders SBA SF SFE SA MF RA
 * EUA GE IC PT, WCC with line formats 40 64 80 or unformatted, NL CR FF EM;
 * Write, Erase/Write, Erase/Write Alternate, Erase All Unprotected, Write
 * Structured Field (Query is told to the caller).
 */
#ifndef COUPLET_RENDER_LU3_H
#define COUPLET_RENDER_LU3_H

#include "render/codepage.h"
#include "render/page.h"

enum lu3_command {
	LU3_W = 0xf1,
	LU3_EW = 0xf5,
	LU3_EWA = 0x7e,
	LU3_EAU = 0x6f,
	LU3_WSF = 0xf3,
	LU3_RB = 0xf2,
	LU3_RM = 0xf6,
	LU3_RMA = 0x6e,
};

/* Write control character. */
enum lu3_wcc {
	LU3_WCC_RESET = 0x40,
	LU3_WCC_FORMAT = 0x30, /* 00 unformatted 10 40 20 64 30 80 columns */
	LU3_WCC_START = 0x08,
	LU3_WCC_ALARM = 0x04,
	LU3_WCC_RESTORE = 0x02,
	LU3_WCC_RESET_MDT = 0x01,
};

enum lu3_order {
	LU3_PT = 0x05,
	LU3_GE = 0x08,
	LU3_SBA = 0x11,
	LU3_EUA = 0x12,
	LU3_IC = 0x13,
	LU3_SF = 0x1d,
	LU3_SA = 0x28,
	LU3_SFE = 0x29,
	LU3_MF = 0x2c,
	LU3_RA = 0x3c,
	/* format controls in the buffer */
	LU3_NUL = 0x00,
	LU3_FF = 0x0c,
	LU3_CR = 0x0d,
	LU3_NL = 0x15,
	LU3_EM = 0x19,
	LU3_DUP = 0x1c,
	LU3_FM = 0x1e,
	LU3_SUB = 0x3f,
};

#define LU3_BUFFER_DEFAULT 1920u /* cells: 24 x 80 */
#define LU3_BUFFER_MAX 16384u    /* 14-bit addresses */
#define LU3_RECORD_MIN 300u      /* of the encoder: one line and more */

/* Encoder; lu3_encoder_init() fills it. */
struct lu3_encoder {
	const struct codepage *page;
	uint16_t record_max; /* cells and so bytes of one record's text */
	uint8_t width;       /* columns before a line is broken */
	uint8_t substitute;
	uint16_t column;
	uint8_t blanks; /* of a tab */
	bool cr;        /* CR seen, what follows decides */
	bool so;        /* between SO and SI */
	bool whole;     /* `line` is complete */
	uint32_t held;  /* a character that goes into the next line */
	uint16_t line_len;
	uint8_t line[1024]; /* of the line being built */
	struct utf8 utf8;
	struct render_stats stats;
};

/* width 1..255 or 0 for 132; record_max LU3_RECORD_MIN..LU3_BUFFER_MAX or 0
 * for LU3_BUFFER_DEFAULT; substitute as in scs.h. */
void lu3_encoder_init(struct lu3_encoder *e, const struct codepage *page,
		      unsigned width, unsigned record_max, uint8_t substitute);

/*
 * Encodes UTF-8 into one record (command, WCC, text, EM) in out[cap], cap >=
 * record_max + 3. *ret_used is how much of `in` is done. Returns the bytes
 * of a complete record, or 0 when more input is needed to fill one. `last`
 * says that nothing follows `in`: call until 0 is returned with all used.
 * `*fill` is the encoder's place in `out` between calls: 0 at first, then
 * kept by the caller together with `out`.
 */
size_t lu3_encode(struct lu3_encoder *e, const void *in, size_t len, bool last,
		  size_t *ret_used, uint8_t *out, size_t cap, size_t *fill);

/* The record that opens a job for some clients: Write, WCC without start. */
size_t lu3_encode_empty(uint8_t out[2]);

/*
 * A screen as one formatted record: rows * cols characters of Unicode in
 * `cells` (0 = null), cols 40, 64 or 80. Returns bytes, -EINVAL for other
 * sizes, -ENOSPC when cap < 3 + rows * (cols + 3).
 */
ssize_t lu3_encode_screen(const struct codepage *page, const uint32_t *cells,
			  unsigned rows, unsigned cols, uint8_t *out,
			  size_t cap) MUST_USE;

/* How the interpreter sees doubtful things. */
enum lu3_profile {
	LU3_PROFILE_IBM = 0,
	LU3_PROFILE_PR3287, /* as pr3287 4.1 prints it */
};

struct lu3_conf {
	const struct codepage *page;
	enum lu3_profile profile;
	uint16_t buffer;  /* cells, 0 = LU3_BUFFER_DEFAULT */
	uint8_t width;    /* of unformatted lines, 0 = 132 */
	bool blank_lines; /* formatted: all-null rows too */
	bool nul_blank;   /* unformatted: NUL is a blank, not nothing */
};

/* What the printer would answer. */
enum lu3_verdict {
	LU3_OK = 0,
	LU3_REJECT,    /* 1003: no such command, or a read */
	LU3_OPERATION, /* 1005: bad address or order */
	LU3_QUERY,     /* OK, and a Read Partition Query wants its reply */
};

struct lu3_printer; /* the interpreter */

/* NULL: no memory, or a buffer beyond LU3_BUFFER_MAX. */
struct lu3_printer *lu3_printer_new(const struct lu3_conf *conf,
				    const struct render_sink *sink);
void lu3_printer_free(struct lu3_printer *p); /* NULL is fine */

/* A slice of a record. 0, or the sink's error. After `last` the verdict of
 * the record is in *ret. */
int lu3_print(struct lu3_printer *p, const void *data, size_t len, bool first,
	      bool last, enum lu3_verdict *ret) MUST_USE;

/* End of job (PRINT-EOJ): prints what is in the buffer, calls the sink's
 * end. */
int lu3_print_end(struct lu3_printer *p) MUST_USE;

/* Counts of the job since the previous end. */
const struct render_stats *lu3_printer_stats(const struct lu3_printer *p);

/* The inbound record (AID 88, query replies) that answers LU3_QUERY for this
 * printer. Returns bytes; -ENOSPC. */
ssize_t lu3_query_reply(const struct lu3_printer *p, uint8_t *out,
			size_t cap) MUST_USE;

#endif
