/*
 * spool.h: print jobs on disk. A job that was accepted (spool_commit()
 * returned 0) is there after kill -9 and after a power loss at any moment,
 * whole, once, and in a state that never claims less printing than there may
 * have been.
 *
 * Model. One file a job, NNNNNNNN.job:
 *
 *	0     identity record, written once at commit   512 bytes
 *	512   state record A                            512 bytes
 *	1024  state record B                            512 bytes
 *	4096  the job's bytes
 *
 * All records have a fixed width and a CRC-32. A job is received into
 * NNNNNNNN.tmp, synced, renamed, and the directory synced: that is the
 * acceptance. A change of state goes to the older of the two state records
 * and is synced before spool_update() returns, so a write that is torn leaves
 * the state before it. Recovery removes *.tmp (nobody was told of them), and
 * puts what it cannot believe aside as *.bad, never away.
 *
 * The room knows nothing of printers. Times are seconds of the wall clock and
 * come in as arguments. All file work goes through struct spool_io, so that
 * tests can cut the power at each step. Not thread-safe.
 */
#ifndef COUPLET_PRINTD_SPOOL_H
#define COUPLET_PRINTD_SPOOL_H

#include "base/base.h"
#include "base/list.h"

#define SPOOL_LU_MAX 16       /* bytes of a LU name; VTAM allows 8 */
#define SPOOL_USER_MAX 32     /* of the submitter's name */
#define SPOOL_HOST_MAX 64     /* of the host a job came from */
#define SPOOL_TITLE_MAX 128   /* of a job's title */
#define SPOOL_PAGE_MAX 24     /* of a code page name */
#define SPOOL_REASON_MAX 160  /* of a reason for holding */
#define SPOOL_ID_MAX 99999999 /* job numbers 1..this, then again from 1 */
#define SPOOL_DATA_AT 4096    /* offset of a job's bytes in its file */

/*
 * READY    may be sent          -> ACTIVE, HELD
 * ACTIVE   being sent           -> SENT, DONE, READY, HELD
 * SENT     all bytes are out, the proof is awaited -> DONE, READY, HELD
 * DONE     printed, kept for reprint               -> READY, removed
 * HELD     waits for an operator, reason says why  -> READY, removed
 * A job found ACTIVE or SENT at recovery becomes READY with `repeat` set.
 */
enum spool_state {
	SPOOL_READY,
	SPOOL_ACTIVE,
	SPOOL_SENT,
	SPOOL_DONE,
	SPOOL_HELD,
	SPOOL_STATES
};

/* What a job's bytes are. */
enum spool_form {
	SPOOL_TEXT, /* text in meta.codepage, lines end in LF, pages in FF */
	SPOOL_SCS,  /* SNA character string, in frames (spool_frame_*) */
	SPOOL_LU3,  /* 3270 data stream, one frame a record */
	SPOOL_PDF,
	SPOOL_RAW, /* printer language, passed through */
	SPOOL_FORMS
};

/* Written once. Texts are zero-terminated. */
struct spool_meta {
	uint32_t id; /* given by spool_begin() */
	enum spool_form form;
	uint64_t created_s;
	uint64_t bytes;  /* given by spool_commit() */
	uint32_t crc;    /* of the bytes; given by spool_commit() */
	uint32_t copies; /* 1..9999 */
	char lu[SPOOL_LU_MAX + 1];
	char user[SPOOL_USER_MAX + 1];
	char host[SPOOL_HOST_MAX + 1]; /* "" = this machine */
	char title[SPOOL_TITLE_MAX + 1];
	char codepage[SPOOL_PAGE_MAX + 1]; /* "" = the LU's, for TEXT UTF-8 */
};

/* Changes with spool_update(). */
struct spool_status {
	enum spool_state state;
	bool repeat;         /* some of it may have been printed before */
	bool front;          /* goes before jobs that are not in front */
	uint32_t attempts;   /* transmissions begun since it became READY by an
			      * operator or by submission */
	uint32_t prints;     /* times that it was printed to the end */
	uint32_t pages;      /* pages printed last time, 0 unknown */
	uint32_t first_page; /* restart here, 0 and 1 = the beginning */
	uint64_t changed_s;
	char lu[SPOOL_LU_MAX + 1]; /* where it is queued now */
	char reason[SPOOL_REASON_MAX + 1];
};

struct spool_job {
	struct list all;   /* spool's own, in the order of acceptance */
	struct list queue; /* the owner's; initialised, else untouched */
	struct spool_meta meta;
	struct spool_status status;
	uint64_t seq;  /* of the state record in force */
	bool unproven; /* read at recovery, bytes not yet compared with the
			* CRC: see spool_verify() */
	void *user;    /* the owner's */
};

/* ---- file work, replaceable -------------------------------------------------
 */

/* Every function returns negative errno on failure. Names are those of one
 * directory. */
struct spool_io {
	void *arg;
	/* flags: O_RDONLY, O_RDWR, O_CREAT|O_EXCL; a descriptor */
	int (*open)(void *arg, const char *name, int flags);
	void (*close)(void *arg, int fd);
	ssize_t (*pread)(void *arg, int fd, void *buf, size_t len, uint64_t at);
	ssize_t (*pwrite)(void *arg, int fd, const void *buf, size_t len,
			  uint64_t at);
	int64_t (*size)(void *arg, int fd);
	int (*sync)(void *arg, int fd); /* bytes and size reach the disk */
	int (*rename)(void *arg, const char *from, const char *to);
	int (*unlink)(void *arg, const char *name);
	int (*sync_dir)(void *arg); /* names reach the disk */
	int (*list)(void *arg, int (*each)(void *each_arg, const char *name),
		    void *each_arg);
};

struct spool_dir;

/* The real one: opens the directory `path` and locks it against another
 * printd. 0; -EWOULDBLOCK: somebody has it; or negative errno. */
int spool_dir_open(const char *path, struct spool_dir **ret) MUST_USE;
void spool_dir_close(struct spool_dir *d);
/* Its functions; borrowed. */
const struct spool_io *spool_dir_io(const struct spool_dir *d);
/* Bytes free for us on its file system; 0 when it cannot be told. */
uint64_t spool_dir_free_bytes(const struct spool_dir *d);

/* ---- the spool --------------------------------------------------------------
 */

struct spool;
struct spool_draft;

struct spool_recovery {    /* what spool_open() found */
	uint32_t jobs;     /* good ones */
	uint32_t repeated; /* of these: may print a second time */
	uint32_t dropped;  /* half received, never accepted */
	uint32_t bad;      /* put aside */
	char bad_name[32]; /* one of them */
};

/* Reads the directory behind `io` (borrowed, lives longer). 0 or negative
 * errno. The caller frees with spool_close(). */
int spool_open(const struct spool_io *io, uint64_t now_s, struct spool **ret,
	       struct spool_recovery *ret_found) MUST_USE;
/* Frees everything; jobs stay on disk. No draft may be open. */
void spool_close(struct spool *s);

/* All jobs, in the order of acceptance: first with `after` NULL; NULL at the
 * end. */
struct spool_job *spool_next(const struct spool *s,
			     const struct spool_job *after);
/* By number, or NULL. */
struct spool_job *spool_find(const struct spool *s, uint32_t id);
/* Number of jobs, and of the bytes of all of them. */
uint32_t spool_count(const struct spool *s);
uint64_t spool_bytes(const struct spool *s);

/* ---- receiving --------------------------------------------------------------
 */

/* Begins a job; `meta` (copied) without id, bytes, crc. The draft lives until
 * spool_commit() or spool_drop(). 0 or negative errno. */
int spool_begin(struct spool *s, const struct spool_meta *meta,
		struct spool_draft **ret) MUST_USE;
/* Appends bytes. 0 or negative errno (-ENOSPC, -EIO...); after an error only
 * spool_drop() is allowed. */
int spool_write(struct spool_draft *d, const void *buf, size_t len) MUST_USE;
uint64_t spool_draft_bytes(const struct spool_draft *d);
uint32_t spool_draft_id(const struct spool_draft *d);
/* Changes what spool_begin() was told, as long as the job is a draft: title,
 * user, copies may come last (an LPD control file). */
struct spool_meta *spool_draft_meta(struct spool_draft *d);
/*
 * Accepts the job with the state `first` (READY or HELD). When it returns 0
 * the job is on disk and *ret is the spool's. On failure nothing was
 * accepted. The draft is gone in either case.
 */
int spool_commit(struct spool_draft *d, const struct spool_status *first,
		 struct spool_job **ret) MUST_USE;
/* Forgets the job. NULL is fine. */
void spool_drop(struct spool_draft *d);

/* ---- frames: records of SCS and LU3 jobs ------------------------------------
 */

#define SPOOL_FRAME_HEAD 4     /* bytes: length, big-endian */
#define SPOOL_FRAME_MAX 65536u /* bytes of a record */

/* Appends one record, of 0..SPOOL_FRAME_MAX bytes. 0, -EMSGSIZE, or as
 * spool_write(). */
int spool_write_frame(struct spool_draft *d, const void *buf,
		      size_t len) MUST_USE;

/* ---- afterwards -------------------------------------------------------------
 */

/* New state, on disk when 0 is returned; else the job is as it was. */
int spool_update(struct spool *s, struct spool_job *j,
		 const struct spool_status *next) MUST_USE;
/* Removes a job from disk and memory; `j` is gone when 0 is returned. The
 * caller has taken it off his own list. */
int spool_remove(struct spool *s, struct spool_job *j) MUST_USE;

/* Descriptor on the job's file, for spool_read(); or negative errno. */
int spool_read_open(struct spool *s, const struct spool_job *j) MUST_USE;
/* Bytes from `at` (0 = the first of the job): their number, 0 at the end, or
 * negative errno. */
ssize_t spool_read(struct spool *s, const struct spool_job *j, int fd,
		   void *buf, size_t len, uint64_t at) MUST_USE;
void spool_read_close(struct spool *s, int fd);
/* Compares all bytes with the CRC: 0, -EBADMSG (the job is damaged), or
 * negative errno. Clears `unproven`. */
int spool_verify(struct spool *s, struct spool_job *j, int fd) MUST_USE;

/* "READY"... and "TEXT"... */
const char *spool_state_name(enum spool_state st);
const char *spool_form_name(enum spool_form f);
/* The form of that name, either case; false: none. */
bool spool_form_find(const char *name, enum spool_form *ret);

#endif
