/*
 * source.h: a spooled job as the bytes or records that a printer wants. It
 * joins the spool (where the job's bytes are) with the data streams of
 * render/: text, SCS, LU3, PDF and raw jobs on one side; printer bytes, PDF,
 * SCS records and LU3 records on the other. It pulls: nothing is rendered
 * before somebody asks for it, and no more of a job is in memory than one
 * step makes (a PDF being made is the exception, see render/pdf.h).
 *
 * Which way a job goes:
 *
 *	             to BYTES          to PDF      to SCS          to LU3
 *	text UTF-8   as it is, or (*)  pages       encoded         encoded
 *	text other   pages             pages       pages, encoded  pages, enc.
 *	SCS          pages             pages       as it is        pages, enc.
 *	LU3          pages             pages       pages, encoded  as it is
 *	PDF, raw     as it is          PDF only    raw: TRN        no
 *
 * (*) "as it is" when nothing has to change: same code page and line ends.
 * "pages" means interpreted to lines and pages and printed again; so does
 * every job that restarts at a page other than the first.
 */
#ifndef COUPLET_PRINTD_SOURCE_H
#define COUPLET_PRINTD_SOURCE_H

#include "render/codepage.h"
#include "render/page.h"
#include "spool/spool.h"

#define SOURCE_STRING_MAX 512     /* set-up and tear-down bytes */
#define SOURCE_SCS_RECORD 1920u   /* largest record made; see printer.c why */
#define SOURCE_OUT_MAX (8u << 20) /* what one step may make; a PDF may more */

enum source_target { SOURCE_BYTES, SOURCE_PDF, SOURCE_SCS, SOURCE_LU3 };

struct source_conf {
	enum source_target target;
	const struct codepage *stream_page; /* EBCDIC, of SCS and LU3 */
	const struct codepage *out_page;    /* of BYTES; NULL = UTF-8 */
	uint8_t columns, lines;             /* lines 0: only FF ends a page */
	bool crlf, feed_after, landscape;
	unsigned paper;      /* enum pdf_paper */
	uint32_t copies;     /* 1: the receiver multiplies */
	uint32_t first_page; /* 0, 1 = all */
	uint16_t setup_len, teardown_len;
	uint8_t setup[SOURCE_STRING_MAX], teardown[SOURCE_STRING_MAX];
	const char *separator; /* UTF-8 lines of a page before the job, or
				* NULL; borrowed */
};

struct source;

/* Opens the job. 0; -ENOTSUP: such a job cannot go there; -EBADMSG: its bytes
 * are damaged; or negative errno. Pages, spool and separator outlive it. */
int source_new(struct spool *s, struct spool_job *j,
	       const struct source_conf *conf, struct source **ret) MUST_USE;
void source_free(struct source *s);

/* BYTES, PDF: up to `cap` bytes; their number, 0 = the end; or negative
 * errno. */
ssize_t source_read(struct source *s, void *buf, size_t cap) MUST_USE;
/* Puts the last `n` bytes that source_read() gave back; at most those. */
void source_unread(struct source *s, size_t n);
/* SCS, LU3: the next record, borrowed until the next call. 1, 0 = the end,
 * or negative errno. */
int source_record(struct source *s, const uint8_t **ret,
		  size_t *ret_len) MUST_USE;
/* Pages and substituted characters so far, as far as they are known: what
 * passes as it is has its form feeds counted. */
struct render_stats source_stats(const struct source *s);
/* Exact number of bytes that source_read() would give, by a walk through the
 * job. `budget` bytes of input at most are read in one call: -EAGAIN = call
 * again. Afterwards the source stands at its beginning. */
int source_measure(struct source *s, size_t budget,
		   uint64_t *ret_bytes) MUST_USE;

#endif
