/*
 * couplet-print.h: printing through printd, for programs; see
 * libcouplet-print(3).
 *
 *	struct couplet_print *p;
 *	struct couplet_print_job job = {.form = COUPLET_PRINT_TEXT,
 *					.title = "invoice"};
 *
 *	if (couplet_print_open(NULL, "PRT1", &p) == 0 &&
 *	    couplet_print_begin(p, &job) == 0 &&
 *	    couplet_print_data(p, text, strlen(text), COUPLET_PRINT_ONLY) == 0)
 *		number = couplet_print_end(p);
 *
 * Functions return 0 or more, or a negative errno; couplet_print_error() has
 * the sentence to it. A handle is for one thread at a time. Calls wait for
 * printd, which answers after its disk has; nothing waits for a printer but
 * couplet_print_wait().
 */
#ifndef COUPLET_PRINT_H
#define COUPLET_PRINT_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum couplet_print_form {
	COUPLET_PRINT_TEXT, /* UTF-8, or what `codepage` says */
	COUPLET_PRINT_SCS,  /* SNA character string, LU type 1 */
	COUPLET_PRINT_LU3,  /* 3270 data stream: command, WCC, orders */
	COUPLET_PRINT_PDF,
	COUPLET_PRINT_RAW, /* printer language */
};

/* Strings may be NULL. */
struct couplet_print_job {
	enum couplet_print_form form;
	const char *title;    /* at most 128 bytes */
	const char *user;     /* root only: on whose behalf */
	const char *host;     /* root only: where it came from */
	const char *codepage; /* of text; NULL = UTF-8 */
	unsigned copies;      /* 0 and 1: one */
	int hold;             /* not zero: wait for an operator */
};

/* Flags of couplet_print_data(). */
#define COUPLET_PRINT_FIRST 1   /* first of a chain */
#define COUPLET_PRINT_LAST 2    /* last of a chain */
#define COUPLET_PRINT_RESPOND 4 /* wait until it is taken */
#define COUPLET_PRINT_ONLY (COUPLET_PRINT_FIRST | COUPLET_PRINT_LAST)

/* States for couplet_print_wait(). */
#define COUPLET_PRINT_DONE 0 /* printed */
#define COUPLET_PRINT_HELD 1 /* waits for an operator */
#define COUPLET_PRINT_GONE 2 /* cancelled */

struct couplet_print;

/* Opens `lu` at the printd `id`: its two digits or "host"; NULL: what
 * COUPLET_PRINT_ID or COUPLET_ID say, else the only one that runs. The caller
 * closes *ret, which is set on failure too (for couplet_print_error()) unless
 * memory is out. -ENOENT no such LU or no printd, -EACCES not for you. */
int couplet_print_open(const char *id, const char *lu,
		       struct couplet_print **ret);
/* Forgets a job that was not ended. NULL is fine. */
void couplet_print_close(struct couplet_print *p);
/* Begins a job. -EBUSY: there is one. */
int couplet_print_begin(struct couplet_print *p,
			const struct couplet_print_job *job);
/* Data of the job. For SCS and LU3 the bytes from FIRST to LAST, over any
 * number of calls, are one record of at most 64 KiB; for other forms flags
 * but RESPOND mean nothing. */
int couplet_print_data(struct couplet_print *p, const void *data, size_t len,
		       int flags);
/* Ends the job. Its number (1...) once it is on disk, or negative errno: then
 * nothing was accepted. */
long couplet_print_end(struct couplet_print *p);
/* Forgets the job begun. */
int couplet_print_abort(struct couplet_print *p);
/* Waits until a job is printed, held or gone: COUPLET_PRINT_DONE... */
int couplet_print_wait(struct couplet_print *p, long job);
/* What went wrong last, or what the last answer said; never NULL, valid until
 * the next call. */
const char *couplet_print_error(const struct couplet_print *p);

#ifdef __cplusplus
}
#endif

#endif
