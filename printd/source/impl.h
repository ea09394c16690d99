/* impl.h: what the files of this room share. Not for others.
 *
 *   source.c  reading the job step by step, what comes out, records
 *   path.c    the way from one form to another: interpreters and encoders
 */
#ifndef COUPLET_PRINTD_SOURCE_IMPL_H
#define COUPLET_PRINTD_SOURCE_IMPL_H

#include "render/lu3.h"
#include "render/pdf.h"
#include "render/plain.h"
#include "render/scs.h"
#include "render/text.h"
#include "source/source.h"

#define IN_MAX 16384
#define LU3_RECORD (LU3_BUFFER_DEFAULT + 3u)

enum path {
	PATH_AS_IS, /* bytes, or frames as records */
	PATH_TRN,   /* raw bytes into SCS */
	PATH_PAGES, /* interpreted; sink by target */
	PATH_TEXT,  /* UTF-8 straight into an encoder */
};

struct source {
	struct spool *spool;
	struct spool_job *job;
	struct source_conf conf;
	enum path path;
	int fd;
	uint64_t at;       /* in the job's bytes */
	uint32_t copy;     /* of conf.copies, from 0 */
	bool begun, ended; /* this copy; all copies */
	int error;
	/* frames of SCS and LU3 jobs */
	uint8_t head[SPOOL_FRAME_HEAD];
	uint8_t head_len;
	uint32_t frame_left;
	bool frame_first;
	/* output: bytes, or records each behind its length */
	uint8_t *out;
	size_t out_len, out_pos, out_cap;
	size_t record_at; /* of the record that is being made */
	bool record_open; /* it is not complete */
	uint8_t last;     /* byte of an as-is job */
	/* pages */
	struct scs_printer *scs;
	struct lu3_printer *lu3;
	struct plain_printer *plain;
	struct codepage *text_page; /* of a text job, NULL = UTF-8 */
	struct render_sink down;    /* behind the page filter */
	uint32_t page;
	struct text_conf text_conf;
	struct text_sink text;
	struct pdf_sink *pdf;
	/* encoders */
	struct scs_encoder scs_enc;
	struct scs_format scs_format;
	struct lu3_encoder lu3_enc;
	size_t lu3_fill;
	uint8_t lu3_record[LU3_RECORD + 16];
	struct render_stats stats; /* of finished copies and as-is bytes */
	uint8_t in[IN_MAX];
};

/* Bytes at the end of the output. 0 or -ENOMEM. */
int source_put(struct source *s, const void *data, size_t len) MUST_USE;
/* A whole record at the end of the output. 0 or -ENOMEM. */
int source_put_record(struct source *s, const void *data, size_t len) MUST_USE;

/* Which path; makes what it needs. 0, -ENOTSUP, or negative errno. */
int path_open(struct source *s) MUST_USE;
void path_close(struct source *s);
/* A copy begins: set-up, separator. */
int path_begin(struct source *s) MUST_USE;
/* Bytes of the job; for framed jobs slices of a frame. */
int path_feed(struct source *s, const uint8_t *data, size_t len, bool first,
	      bool last) MUST_USE;
/* A copy ends. */
int path_end(struct source *s) MUST_USE;

#endif
