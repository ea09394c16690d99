/*
 * lpd.h: the daemon's side of RFC 1179, one connection, as a pure machine:
 * receives jobs in either order, asks the caller about queues and space,
 * and tells the caller what came. Hostile input is the expected case: every
 * name, count and line has a limit, nothing in a name becomes a path.
 *
 * A job may have several data files (dfA.. dfB..) and arrives in any order;
 * it is complete when its control file and each data file that it prints are
 * there. The caller stores data files under the number that the event gives
 * (0..LPD_FILES_MAX - 1) and learns with LPD_EV_JOB what to print.
 *
 * Windows sends a size far too big when it does not count, and 0 means
 * "until close": both end with the client's close, see `until_close`.
 */
#ifndef COUPLET_LPR_LPD_H
#define COUPLET_LPR_LPD_H

#include "base/base.h"
#include "base/mono.h"
#include "lpr/lpr.h"

#define LPD_LINE_MAX 512u     /* of a command */
#define LPD_CONTROL_MAX 8192u /* bytes of a control file */
#define LPD_FILES_MAX 52u     /* data files of one job: A..Z a..z */
#define LPD_PRINTS_MAX 64u    /* print lines of a control file */
#define LPD_ANSWERS_MAX 16u   /* bytes of ours not taken */
#define LPD_JOBS_MAX 100u     /* jobs over one connection */
#define LPD_SIZE_UNKNOWN UINT64_MAX

struct lpd_conf {
	uint64_t size_max; /* of one data file, bytes; larger is refused,
			      unless until_close and then cut off */
	bool until_close;  /* take 0, and sizes beyond size_max, as "until the
			      client closes" */
	dur_t idle;        /* between bytes; 0 = 300 s */
};

enum lpd_event_kind {
	LPD_EV_NONE = 0,
	LPD_EV_QUEUE,    /* 02: `queue`; lpd_answer() */
	LPD_EV_FILE,     /* 03: data file `file` of `size`; lpd_answer() */
	LPD_EV_DATA,     /* `data`, `len` of `file` */
	LPD_EV_FILE_END, /* `file` is whole; lpd_answer() once it is safe */
	/* Control and data are there: `job`. lpd_answer() once it is on disk:
	 * that is the client's last ACK. The next job begins afresh. */
	LPD_EV_JOB,
	LPD_EV_ABORT,  /* drop what came of this job */
	LPD_EV_PRINT,  /* 01: `queue` */
	LPD_EV_STATUS, /* 03, 04: `queue`, `list`, `long_form`; then
			  lpd_close() after writing the text */
	LPD_EV_REMOVE, /* 05: `queue`, `agent`, `list`; lpd_answer() */
	/* Send output, close: `error` says why. What came of a job that
	 * LPD_EV_JOB did not tell of is to be dropped. */
	LPD_EV_CLOSE,
};

enum lpd_error {
	LPD_OK = 0,       /* the client is done */
	LPD_E_COMMAND,    /* not a command */
	LPD_E_LINE,       /* longer than LPD_LINE_MAX, or no LF */
	LPD_E_NAME,       /* file name not cf/df letter number host */
	LPD_E_SIZE,       /* beyond a limit */
	LPD_E_CONTROL,    /* control file: no print line, not a file, ... */
	LPD_E_FILES,      /* too many files, or one twice */
	LPD_E_CUT,        /* closed inside a file */
	LPD_E_INCOMPLETE, /* closed with files missing */
	LPD_E_IDLE,       /* nothing came for conf.idle */
	LPD_E_REFUSED,    /* the caller said no */
};

/* One print line of the control file. */
struct lpd_print {
	char format;                 /* f l o p r ... */
	uint8_t file;                /* number of the data file */
	uint16_t copies;             /* equal lines in a row */
	char name[LPR_NAME_MAX + 1]; /* N for it, or "" */
};

/* The control file, understood. */
struct lpd_job {
	char host[LPR_HOST_MAX + 1];
	char user[LPR_USER_MAX + 1];
	char job[LPR_JOB_MAX + 1];
	char jobclass[LPR_CLASS_MAX + 1];
	char title[LPR_TITLE_MAX + 1];
	char mail[LPR_USER_MAX + 1];
	bool banner;
	unsigned number;        /* 0..999 */
	unsigned indent, width; /* 0 = not given */
	unsigned prints;
	struct lpd_print print[LPD_PRINTS_MAX];
};

struct lpd_event {
	enum lpd_event_kind kind;
	enum lpd_error error;
	const char *queue, *agent, *list; /* the machine's, NUL-ended */
	bool long_form;
	unsigned file;
	uint64_t size; /* LPD_SIZE_UNKNOWN: until close */
	const uint8_t *data;
	size_t len;
	const struct lpd_job *job;
};

struct lpd; /* one connection, about 30 KB */

struct lpd *lpd_new(const struct lpd_conf *conf, mono_t now); /* NULL: no
								 memory */
void lpd_free(struct lpd *d);                                 /* NULL is fine */

/* Bytes of the client; returns how many were used. Call until the event is
 * LPD_EV_NONE and all is used. While an answer is due nothing is used. */
size_t lpd_input(struct lpd *d, const void *data, size_t len,
		 struct lpd_event *ret_ev, mono_t now);

/* The client closed its side: ends a file of unknown size, or the job.
 * Call until it gives LPD_EV_CLOSE, answering what it asks. */
void lpd_eof(struct lpd *d, struct lpd_event *ret_ev);

/* Answers the last QUEUE, FILE, FILE_END, JOB or REMOVE: 0 = yes, else the
 * byte to refuse with (01 a later try may work, 02 never). A refusal ends the
 * connection: the next input or eof gives LPD_EV_CLOSE. */
void lpd_answer(struct lpd *d, uint8_t code, mono_t now);

/* Is an answer due? */
bool lpd_asks(const struct lpd *d);

/* The bytes that acknowledge. */
size_t lpd_output(struct lpd *d, void *buf, size_t cap);

/* After LPD_EV_STATUS: the text is written, close. */
void lpd_close(struct lpd *d);

/* When lpd_expire() wants to be called. Never while an answer is due. */
mono_t lpd_deadline(const struct lpd *d);

/* Time has come: LPD_EV_CLOSE with LPD_E_IDLE. */
void lpd_expire(struct lpd *d, mono_t now, struct lpd_event *ret_ev);

/* Reads a control file by itself (also used by lpd_input). 0 or -EBADMSG
 * with *ret_line (from 1) of the mistake. H and P, which the RFC demands, may
 * be missing: `host` and `user` are "" then. Text that is too long is cut. */
int lpd_control_parse(const char *text, size_t len, struct lpd_job *ret,
		      unsigned *ret_line) MUST_USE;

/* The number of the data file with letter A..Z a..z; -1 for others. */
int lpd_file_number(char letter);

/* In words for an operator. */
const char *lpd_error_text(enum lpd_error e);

#endif
