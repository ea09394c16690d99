/*
 * lpr.h: sends one job to a line printer daemon [RFC1179], as a pure
 * machine. The data file is the caller's: the machine says when its bytes
 * may go, and never holds them. The size sent is the true size; "0" and
 * other conventions are not used. Which source port the connection has
 * (721..731, below 1024, any) is the caller's.
 *
 * Order of calls: lpr_output() until it returns 0, and while
 * lpr_data_left() is not 0 the caller sends up to so many bytes of the file
 * and reports them with lpr_sent(); bytes of the daemon go to lpr_input(). Ends
 * with LPR_DONE or LPR_FAILED in `state`.
 *
 * The last acknowledgement means "accepted into the queue", not "printed".
 */
#ifndef COUPLET_LPR_LPR_H
#define COUPLET_LPR_LPR_H

#include "base/base.h"
#include "base/mono.h"

#define LPR_QUEUE_MAX 127u /* bytes of a queue name */
#define LPR_HOST_MAX 31u   /* H [RFC1179 7.2] */
#define LPR_USER_MAX 31u   /* P [RFC1179 7.8] */
#define LPR_JOB_MAX 99u    /* J [RFC1179 7.4] */
#define LPR_CLASS_MAX 31u  /* C */
#define LPR_TITLE_MAX 79u  /* T */
#define LPR_NAME_MAX 131u  /* N */
#define LPR_COPIES_MAX 99u
#define LPR_NAK_MAX 255u      /* bytes kept of a daemon's words */
#define LPR_CONTROL_MAX 5120u /* bytes of our control file */

/* What to send; text fields longer than the limit are cut, control
 * characters in them become '_'. */
struct lpr_job {
	char queue[LPR_QUEUE_MAX + 1]; /* no blank, HT, VT, FF, LF */
	char host[LPR_HOST_MAX + 1];
	char user[LPR_USER_MAX + 1];
	char job[LPR_JOB_MAX + 1]; /* "" = no J line */
	char jobclass[LPR_CLASS_MAX + 1];
	char title[LPR_TITLE_MAX + 1];
	char name[LPR_NAME_MAX + 1]; /* of the source file */
	unsigned number;             /* 0..999 */
	char format;     /* f l o p r t d n c g v: print line's letter */
	unsigned copies; /* 1..LPR_COPIES_MAX */
	bool banner;     /* L line */
	bool data_first; /* data file before control file */
	uint64_t size;   /* bytes of the data file, exactly */
	dur_t ack;       /* wait for an acknowledgement; 0 = 600 s */
};

enum lpr_state {
	LPR_QUEUE = 0,    /* 02 queue is out */
	LPR_CONTROL_HEAD, /* 02 count cfA... */
	LPR_CONTROL_BODY,
	LPR_DATA_HEAD, /* 03 count dfA... */
	LPR_DATA_BODY, /* the caller's bytes, then 00, then the answer */
	LPR_DONE,
	LPR_FAILED,
};

/* Why it failed. */
enum lpr_failure {
	LPR_OK = 0,
	LPR_NAK_QUEUE,   /* no such queue, not allowed, queueing disabled */
	LPR_NAK_CONTROL, /* the control file was not taken */
	LPR_NAK_DATA,    /* the data file was not taken, e.g. no space */
	LPR_CLOSED,      /* the daemon closed before the last answer */
	LPR_TIMEOUT,     /* no answer */
	LPR_NONSENSE,    /* words where an answer was due */
};

struct lpr {
	struct lpr_job job;
	enum lpr_state state;
	enum lpr_failure failure;
	bool asked;  /* what `state` says is out; an answer is due */
	bool whole;  /* both files are out, the last answer is not there */
	uint8_t nak; /* first byte of a refusal */
	uint16_t nak_len;
	uint16_t out_len, out_done;
	uint64_t sent;              /* bytes of the data file */
	mono_t since;               /* waiting for an answer, or for progress */
	char text[LPR_NAK_MAX + 1]; /* what the daemon said, printable */
	uint8_t out[LPR_CONTROL_MAX];
};

/* -EINVAL with *ret_what naming the field. `job` is copied. */
int lpr_init(struct lpr *l, const struct lpr_job *job, const char **ret_what,
	     mono_t now) MUST_USE;

/* Our next bytes into `buf`; 0 when there are none now. */
size_t lpr_output(struct lpr *l, void *buf, size_t cap, mono_t now);

/* May bytes of the data file go now, and how many are left? 0 = no. */
uint64_t lpr_data_left(const struct lpr *l);

/* `n` bytes of the data file are on their way, n <= lpr_data_left(). */
void lpr_sent(struct lpr *l, uint64_t n, mono_t now);

/* Bytes of the daemon. All are used. */
void lpr_input(struct lpr *l, const void *data, size_t len, mono_t now);

/* The daemon closed, or the connection broke. */
void lpr_eof(struct lpr *l);

/* When lpr_expire() wants to be called; MONO_NEVER when done, and while bytes
 * of the data file are to go: the caller sees whether they are taken. */
mono_t lpr_deadline(const struct lpr *l);

/* Time has come: fails with LPR_TIMEOUT. */
void lpr_expire(struct lpr *l, mono_t now);

/* In words for an operator. */
const char *lpr_failure_text(enum lpr_failure f);

/* Is it worth another try? A NAK for the queue is as well: a queue may be
 * disabled for a while. True when nothing can have been printed. */
bool lpr_safe_to_repeat(const struct lpr *l);

#endif
