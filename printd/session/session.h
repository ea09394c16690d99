/*
 * session.h: one printer session, whatever is at its other end. A session
 * takes one job at a time and tells how it went; it knows no queue, no retry,
 * no spool state: that is its owner's (lu.h). Each kind is a file: direct,
 * lpr, ftp, ipp, file, printer.
 *
 * Life of a job:
 *
 *	send() -> ... -> owner.begins()   before the first byte that may print
 *	          ... -> owner.sent()     all bytes are out, proof is awaited
 *	          ... -> owner.done()     printed, try again, or hold; once
 *
 * stop() ends a job without done(). No callback comes during send(), stop()
 * or free(). owner.done() is the last thing a session does with the job: the
 * owner may call send() again or free the session inside it.
 *
 * A session never blocks: whatever its printer does, other sessions go on.
 */
#ifndef COUPLET_PRINTD_SESSION_H
#define COUPLET_PRINTD_SESSION_H

#include "base/base.h"
#include "base/mono.h"
#include "deck.h"
#include "ev/ev.h"
#include "source/source.h"

#include <sys/socket.h>

struct ftp_pool;
struct helper;
struct lookup;
struct session;

#define SESSION_CHUNK 65536 /* bytes written in one turn of the loop */
#define SESSION_TEXT_MAX SPOOL_REASON_MAX

enum session_outcome {
	SESSION_PRINTED,
	SESSION_RETRY, /* a later try may work */
	SESSION_HOLD,  /* no try will work until somebody does something */
};

struct session_result {
	enum session_outcome outcome;
	bool maybe;     /* not PRINTED: some of it may be on paper */
	uint32_t pages; /* 0 = unknown */
	char reason[SESSION_TEXT_MAX + 1];
};

enum session_news {
	SESSION_STALLED, /* the printer takes nothing */
	SESSION_MOVING,  /* it does again */
	SESSION_STATUS,  /* it says something; text */
	SESSION_CAME,    /* PRINTER: a client has the LU; send() works now */
	SESSION_LEFT,    /* PRINTER: it is gone */
};

struct session_owner {
	/* 0, or negative errno: do not send (the spool failed); done() with
	 * SESSION_RETRY follows. */
	int (*begins)(void *arg);
	void (*sent)(void *arg);
	void (*done)(void *arg, const struct session_result *r);
	void (*news)(void *arg, enum session_news n, const char *text);
	void *arg;
};

/* What all sessions of a daemon share. */
struct session_env {
	struct ev_loop *loop;
	const char *id;        /* of the stack, or "*" */
	struct helper *helper; /* runs programs; for IPP */
	struct ftp_pool *ftp;  /* for FTP, FTPP */
	struct lookup *lookup; /* host names */
	const char *run_dir;
	const char *ipp_program, *stackrun; /* paths, for IPP */
};

/* A job for send(). Texts are borrowed during send() only. */
struct session_job {
	uint32_t id;
	const char *title, *user, *host;
	uint32_t copies;
	bool pdf;              /* its bytes are a PDF document */
	bool text;             /* they are text, whatever the job was */
	struct source *source; /* taken, also when send() fails */
};

struct session_ops {
	/* 0, or negative errno: nothing was begun, *ret_why may be set. */
	int (*send)(struct session *s, const struct session_job *job);
	void (*stop)(struct session *s);
	/* After stop(): lets the other end go; `hard` without a last word.
	 * NULL: nothing stays connected between jobs. */
	void (*hangup)(struct session *s, bool hard);
	void (*free)(struct session *s);
	/* Between jobs: `lu` has changed, in other things than kind, data
	 * stream and other end. NULL: a new session has to be made. */
	void (*renew)(struct session *s);
	/* Can send() be called? */
	bool (*ready)(struct session *s);
	/* What the source must make: SOURCE_BYTES, ... */
	enum source_target (*target)(struct session *s);
	/* The other end and its state, for displays. */
	void (*describe)(struct session *s, char *buf, size_t len);
	uint32_t copies_max; /* it multiplies up to so many itself, 0 = none */
};

struct session { /* first member of each kind's own */
	const struct session_ops *ops;
	const struct session_env *env;
	const struct printd_lu *lu;
	struct session_owner owner;
};

/* Makes the session of a LU; `env` and `lu` live longer, or the owner puts
 * another `lu` with the same values in place. 0 or negative errno. */
int session_new(const struct session_env *env, const struct printd_lu *lu,
		const struct session_owner *owner,
		struct session **ret) MUST_USE;
/* Stops and frees; NULL is fine. */
void session_free(struct session *s);

/* ---- for the kinds ----------------------------------------------------------
 */

/* Fills a result; `fmt` makes the reason. */
void session_result_make(struct session_result *r, enum session_outcome o,
			 bool maybe, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* "no route", "refused", or the system's word: three states of a printer that
 * does not answer. */
const char *session_connect_text(int error);

/* The constructors. */
int session_direct_new(struct session **ret, const struct session_env *env,
		       const struct printd_lu *lu) MUST_USE;
int session_lpr_new(struct session **ret, const struct session_env *env,
		    const struct printd_lu *lu) MUST_USE;
int session_file_new(struct session **ret, const struct session_env *env,
		     const struct printd_lu *lu) MUST_USE;
int session_ftp_new(struct session **ret, const struct session_env *env,
		    const struct printd_lu *lu) MUST_USE;
int session_ipp_new(struct session **ret, const struct session_env *env,
		    const struct printd_lu *lu) MUST_USE;
int session_printer_new(struct session **ret, const struct session_env *env,
			const struct printd_lu *lu) MUST_USE;

/* File name of a job by the LU's NAME pattern, `suffix` behind it. Bytes that
 * could be more than a name become `_`. */
void session_file_name(const struct printd_lu *lu,
		       const struct session_job *job, const char *suffix,
		       char *buf, size_t len);

#endif
