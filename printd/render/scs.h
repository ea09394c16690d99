/*
 * scs.h: the SNA character string, data stream of LU type 1 printers: an
 * encoder from UTF-8 text, and an interpreter to pages. Pure and streaming;
 * input may be cut anywhere, also inside a control.
 *
 * Encoder. Writes only what every client prints right (print3270 facts, and
 * measured against pr3287): NL CR FF BS SHF SVF TRN and graphic characters,
 * plus SO/SI where the page has double bytes. Input is UTF-8:
 *   LF NL CRLF   NL            FF  FF          CR (alone)  CR: overstrike
 *   HT           blanks up to the next tab stop (every 8, or the tabs given)
 *   BS           BS            other controls: dropped and counted unknown
 * A character that the page lacks becomes the substitute, and is counted.
 *
 * Interpreter. All controls of the family, with two profiles: as IBM's
 * printers do, or as pr3287 4.1 does, faults included, to compare.
 */
#ifndef COUPLET_RENDER_SCS_H
#define COUPLET_RENDER_SCS_H

#include "render/codepage.h"
#include "render/page.h"

/* Codes. */
enum scs_code {
	SCS_NUL = 0x00,
	SCS_HT = 0x05,
	SCS_RNL = 0x06,
	SCS_GE = 0x08,
	SCS_VCS = 0x04,
	SCS_VT = 0x0b,
	SCS_FF = 0x0c,
	SCS_CR = 0x0d,
	SCS_SO = 0x0e,
	SCS_SI = 0x0f,
	SCS_ENP = 0x14,
	SCS_NL = 0x15,
	SCS_BS = 0x16,
	SCS_IRS = 0x1e,
	SCS_INP = 0x24,
	SCS_LF = 0x25,
	SCS_SA = 0x28,
	SCS_FMT = 0x2b,
	SCS_BEL = 0x2f,
	SCS_PP = 0x34,
	SCS_TRN = 0x35,
	SCS_RFF = 0x3a,
	SCS_SUB = 0x3f,
	SCS_SP = 0x40,
	SCS_RSP = 0x41,
	SCS_SHY = 0xca,
	SCS_NSP = 0xe1,
};

/* Page format of an LU: what SHF and SVF say. 0 = leave it to the default.
 * Numbers count from 1. */
struct scs_format {
	uint8_t mpp;                /* columns per line, default 132 */
	uint8_t lm, rm;             /* left and right margin */
	uint8_t mpl;                /* lines per page, default none */
	uint8_t tm, bm;             /* top margin, bottom margin */
	uint8_t htabs, vtabs;       /* how many tab stops */
	uint8_t htab[32], vtab[32]; /* ascending */
};

/* -EINVAL with *ret_what naming the field, when a format contradicts itself
 * (margins out of order or beyond the page, tabs not ascending). */
int scs_format_check(const struct scs_format *f,
		     const char **ret_what) MUST_USE;

#define SCS_FORMAT_MAX 512u /* bytes of SHF, SVF and the way to the margins */
#define SCS_CHAR_MAX \
	8u               /* bytes that one input byte can become, tabs \
			    aside */
#define SCS_TRN_MAX 255u /* bytes of one TRN */

/* Encoder; zero-initialised by scs_encoder_init(). */
struct scs_encoder {
	const struct codepage *page;
	struct scs_format format;
	uint8_t substitute; /* EBCDIC byte */
	uint16_t column;    /* from 0 */
	uint8_t blanks;     /* of a tab, still to write */
	bool cr;            /* CR seen, what follows decides */
	bool so;            /* between SO and SI */
	struct utf8 utf8;
	struct render_stats stats;
};

/* `format` and `page` must stay; format may be NULL. `substitute` 0 means
 * 6F ('?' in every page we know). */
void scs_encoder_init(struct scs_encoder *e, const struct codepage *page,
		      const struct scs_format *format, uint8_t substitute);

/* The job's start: SHF and SVF for the format, if there is one. `out` holds
 * SCS_FORMAT_MAX. Returns bytes, 0 when nothing need be said. */
size_t scs_encode_start(struct scs_encoder *e, uint8_t *out);

/* Encodes UTF-8 `in` into `out` until one of them is used up. Returns bytes
 * written; *ret_used is how much of `in` is done. cap >= SCS_CHAR_MAX. */
size_t scs_encode(struct scs_encoder *e, const void *in, size_t len,
		  size_t *ret_used, uint8_t *out, size_t cap);

/* The job's end: closes what is open (cut UTF-8, SO, a CR, a line without
 * NL). `out` holds SCS_CHAR_MAX. */
size_t scs_encode_end(struct scs_encoder *e, uint8_t *out);

/* Raw printer bytes as TRN controls. Returns bytes written; *ret_used is
 * how much of `raw` they carry. cap >= 3. */
size_t scs_encode_raw(const void *raw, size_t len, size_t *ret_used,
		      uint8_t *out, size_t cap);

/* How the interpreter sees doubtful things. */
enum scs_profile {
	SCS_PROFILE_IBM = 0, /* as the data stream says */
	SCS_PROFILE_PR3287,  /* as pr3287 4.1 prints it */
};

struct scs_conf {
	const struct codepage *page;
	struct scs_format format; /* before the first SHF, SVF */
	enum scs_profile profile;
	bool nul_blank;      /* NUL prints a blank (IBM profile) */
	bool lf_newline;     /* LF also returns to the left margin */
	uint8_t channel[12]; /* VCS: line of channel 1..12; 0 = next line,
				channel 1 is the top of the page */
};

/* What the printer would answer. */
enum scs_verdict {
	SCS_OK = 0,
	SCS_FUNCTION, /* 1003: a control not supported */
	SCS_OPERAND,  /* 1005: an operand out of range */
};

struct scs_printer; /* the interpreter */

/* NULL: no memory. `conf` is copied, its page must stay. */
struct scs_printer *scs_printer_new(const struct scs_conf *conf,
				    const struct render_sink *sink);
void scs_printer_free(struct scs_printer *p); /* NULL is fine */

/* Data in. 0, or the sink's error. */
int scs_print(struct scs_printer *p, const void *data, size_t len) MUST_USE;

/* The worst thing seen since the last call, and forgets it. */
enum scs_verdict scs_printer_verdict(struct scs_printer *p);

/* End of job: prints what is pending, calls the sink's end, and is ready
 * for the next job. SHF and SVF stay in force [until UNBIND]. */
int scs_print_end(struct scs_printer *p) MUST_USE;

/* UNBIND: formats go back to conf. */
void scs_printer_reset(struct scs_printer *p);

/* Counts of the job since the previous end. */
const struct render_stats *scs_printer_stats(const struct scs_printer *p);

#endif
