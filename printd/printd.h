/*
 * printd.h: the daemon as one value, and how its files share the work:
 *
 *   main.c       start, end; the wall clock
 *   reload.c     a deck in force: the first one, and each that follows it
 *   secure.c     TLS: the key process, policies
 *   lus.c        LUs: their queues, what they send, retry, hold
 *   lus_deck.c   LUs that come, change and go with the deck
 *   jobs.c       what an operator does to a job or LU
 *   intake.c     the one way in for jobs: limits, acceptance
 *   applsrv.c    programs of this machine (appl/: protocol and C library)
 *   lpdsrv.c     LPD clients
 *   acquire.c    printer LUs taken from other hosts
 *   operator.c   console commands (commands.c is their table)
 *   display.c    what QUERY shows
 *   alert.c      the ALERT command
 *
 * Direction words: a job comes in from a *source* of ours (program, LPD
 * client, host) and goes out to a *printer*, whatever that is.
 */
#ifndef COUPLET_PRINTD_H
#define COUPLET_PRINTD_H

#include "console/metrics.h"
#include "console/server.h"
#include "daemon/daemon.h"
#include "deck.h"
#include "ev/ev.h"
#include "session/printers.h"
#include "session/session.h"
#include "spool/spool.h"
#include "tls/tls.h"

struct applsrv;
struct secure;
struct lpdsrv;
struct acquire;
struct codepage;

/* STOPPED is an operator's; a LU in WAITING tries again at a time. */
enum lu_state { LU_IDLE, LU_SENDING, LU_WAITING };

struct lu_counts {
	uint64_t printed, pages, bytes;
	uint64_t failed, held, repeated;
};

struct lu_pages {
	struct codepage *stream, *out; /* out NULL = UTF-8 */
};

/*
 * A LU is found by its name and lives until a deck without it is in force and
 * the job in hand is over. A deck with another definition of it takes force
 * at once when nothing is sent, else when the job in hand is over: until then
 * `kept` is a copy of the old definition.
 */
struct lu {
	struct printd *pd;
	const struct printd_lu *cfg; /* in force: `def`, or `kept` */
	const struct printd_lu *def; /* the deck's; NULL while leaving */
	struct printd_lu *kept;
	struct list node;        /* of printd.leaving */
	bool leaving;            /* the deck does not have it */
	bool listed;             /* the deck being read has it */
	struct session *session; /* NULL: could not be made, `reason` */
	struct list queue;       /* jobs that are not DONE, in order */
	uint32_t n_queued, n_held;
	uint64_t queued_bytes;
	struct spool_job *job; /* being sent */
	struct source *source; /* of it; the session's, for page numbers */
	enum lu_state state;
	bool stopped, stalled, alerted;
	struct lu *redirect; /* jobs go there instead */
	struct ev_timer *timer;
	mono_t again;              /* WAITING until */
	struct lu_pages pages;     /* of cfg */
	struct lu_pages def_pages; /* of def */
	struct lu_counts counts;
	char reason[SPOOL_REASON_MAX + 1]; /* why it does not print */
};

#define PRINTD_PAGES_MAX 64 /* code pages of all LUs together */

struct shared_page {
	char name[DECK_PAGE_MAX + 1];
	struct codepage *page;
	bool used; /* by a LU, as of the last look */
};

struct printd {
	struct daemon *daemon; /* from open() to stop() */
	struct printd_deck deck;
	char instance[8]; /* ID, or "host" for "*" */
	char spool_path[DECK_PATH_LEN + 1];
	struct spool_dir *dir;
	struct spool *spool;
	struct session_env env;
	char ipp_program[300], stackrun[300]; /* of env */
	struct lu **lus;                      /* in the order of deck.lus */
	uint32_t n_lus;
	struct list leaving; /* LUs that end their last job */
	struct shared_page pages[PRINTD_PAGES_MAX];
	uint32_t n_pages;
	uint32_t generic_hint; /* first PRINTER that may be free */
	struct printers *printers;
	struct secure *secure; /* NULL: no TLS in the deck at the start */
	struct console *console;
	struct applsrv *appl;
	struct lpdsrv *lpd;
	struct acquire **acquires;
	uint32_t n_acquires;
	struct metrics *metrics;
	unsigned n_alerts; /* that run now */
	struct ev_timer *housekeeping;
	struct ev_io *lookup_io;
	mono_t started;
	struct list watches; /* who waits for a job's end */
	uint32_t n_drafts;
	uint64_t draft_bytes;
	struct lu_counts counts;
	uint64_t accepted, refused;
};

/* ---- main.c -----------------------------------------------------------------
 */

/* Seconds of the wall clock. */
uint64_t printd_wall_s(void);
/* Path of `file` in our run directory into `buf`. */
void printd_run_path(const struct printd *pd, const char *file, char *buf,
		     size_t len);

/* ---- reload.c ---------------------------------------------------------------
 */

/* Reads and checks a deck. 0 or negative errno; what is wrong is logged. */
int reload_read(const char *path, struct printd_deck *ret) MUST_USE;
/* Reads FTP passwords that stand in files into `next`; what can no longer be
 * read keeps the password that the deck in force has for it. 0 or negative
 * errno, logged. */
int reload_secrets(const struct printd *pd, struct printd_deck *next) MUST_USE;
/* Puts the deck that pd->deck holds in force for the first time. 0 or negative
 * errno, logged. */
int reload_first(struct printd *pd) MUST_USE;
/* Reads the deck again. 0; or negative errno, logged: then nothing has
 * changed. */
int printd_reload(struct printd *pd) MUST_USE;

/* ---- secure.c ---------------------------------------------------------------
 */

/* Starts the key process if the deck has TLS; with privileges, before the
 * loop. 0 or negative errno, logged. */
int secure_open(struct printd *pd) MUST_USE;
/* Watches it. 0 or negative errno. */
int secure_start(struct printd *pd) MUST_USE;
void secure_stop(struct printd *pd);
/* Hosts that were believed under the deck before are looked at again. */
void secure_forget(struct printd *pd);
/* One policy; `name` stands in messages. 0 or negative errno, logged. */
int secure_policy(const struct printd *pd, const struct tls_settings *s,
		  enum tls_role role, const char *name,
		  struct tls_policy **ret) MUST_USE;

/* ---- lus_deck.c -------------------------------------------------------------
 */

/* The LUs of a deck that is to come, each with what it has to become. */
struct lus_plan {
	struct lu **lus;
	struct lu_pages *pages;
	uint32_t n;
};

struct lus_change {
	uint32_t fresh, changed, gone, same;
	uint32_t held; /* jobs whose LU has gone */
};

/* Makes ready what `next` needs and changes nothing that is in force. 0 or
 * negative errno, logged; lus_plan_drop() in any case but after commit. */
int lus_plan_make(struct printd *pd, const struct printd_deck *next,
		  struct lus_plan *ret) MUST_USE;
void lus_plan_drop(struct lus_plan *p);
/* pd->deck is the plan's deck now: the LUs follow. Jobs whose LU is there
 * again go into its queue. The deck before must live until this returns. */
void lus_commit(struct printd *pd, struct lus_plan *p, struct lus_change *ret);
/* The definition that the deck wants takes force, or the LU goes, if nothing
 * is sent. False: the LU is gone. */
bool lus_settle(struct lu *lu);
void lus_stop(struct printd *pd);

/* ---- lus.c ------------------------------------------------------------------
 */

/* Of the deck in force, by name, either case, or NULL. */
struct lu *lus_find(struct printd *pd, const char *name);
/* The same of those that end their last job. */
struct lu *lus_find_leaving(struct printd *pd, const char *name);
/* What a LU hears from its session. */
struct session_owner lus_owner(struct lu *lu);
/* Its timer: a retry, or something to do in a turn of its own. */
void lus_on_timer(void *arg);
/* Out of its queue; it is not being sent. */
void lus_take_out(struct lu *lu, struct spool_job *j);
/* The job's state as people see it: one that is READY and has no LU is held
 * as long as that is so, which is not a matter of the disk. */
struct spool_status job_status(const struct spool_job *j);
/* Where jobs for `lu` go now: itself, or what it is redirected to. */
struct lu *lus_target(struct lu *lu);
/* A job is READY or HELD in the spool: into its LU's queue. */
void lus_queue(struct printd *pd, struct spool_job *j);
/* Out of its queue, and no longer sent if it was; its state stays. */
void lus_unqueue(struct lu *lu, struct spool_job *j);
/* Sends the next job if there is one and the LU can. */
void lus_kick(struct lu *lu);
/* Ends what is being sent: the job is READY again and marked as the printer's
 * state demands. `why` goes to the LU's reason. */
void lus_interrupt(struct lu *lu, const char *why);
/* Sets and syncs a job's state; logs when that fails. 0 or negative errno. */
int lus_update(struct printd *pd, struct spool_job *j,
	       const struct spool_status *st);
/* The printer session of a request, for session/printers.h. */
struct session *lus_find_printer(void *arg, const struct tn3270e_device *d,
				 struct tn3270e_facts *facts);
/* "IDLE", "SENDING", "WAITING", "STOPPED", "STALLED", "NOCLIENT", "BROKEN",
 * "LEAVING". */
const char *lu_state_name(const struct lu *lu);
/* Removes DONE jobs whose time is over. */
void lus_expire(struct printd *pd);

/* Somebody waits for the end of a job: told once, then forgotten. */
struct job_watch {
	struct list node; /* initialised by job_watch_add() */
	uint32_t id;
	/* `st` NULL: the job was cancelled */
	void (*fn)(struct job_watch *w, const struct spool_status *st);
};

/* Waits; the caller removes it with list_remove(&w->node). */
void job_watch_add(struct printd *pd, struct job_watch *w, uint32_t id);
/* Tells those who wait for it. */
void job_watch_tell(struct printd *pd, uint32_t id,
		    const struct spool_status *st);

/* ---- jobs.c -----------------------------------------------------------------
 */

/* All of them return 0, or negative errno with a sentence in `err`. */
int job_hold(struct printd *pd, struct spool_job *j, char *err, size_t len);
int job_release(struct printd *pd, struct spool_job *j, char *err, size_t len);
int job_cancel(struct printd *pd, struct spool_job *j, char *err, size_t len);
/* Back into the queue, at its front or by its number. */
int job_requeue(struct printd *pd, struct spool_job *j, bool front, char *err,
		size_t len);
int job_move(struct printd *pd, struct spool_job *j, const char *lu, char *err,
	     size_t len);
/* A DONE job once more, from `page` (0 = all), to `lu` (NULL = where it was).
 */
int job_reprint(struct printd *pd, struct spool_job *j, uint32_t page,
		const char *lu, char *err, size_t len);
/* A job that is sent, held or ready: again, from `page`. */
int job_restart(struct printd *pd, struct spool_job *j, uint32_t page,
		char *err, size_t len);
/* The same, `pages` before where it is. */
int job_back(struct printd *pd, struct spool_job *j, uint32_t pages, char *err,
	     size_t len);
int lu_start(struct lu *lu);
int lu_stop(struct lu *lu);
/* KILL: an orderly end of the session; REACT: at once. The LU opens again. */
void lu_kill(struct lu *lu, bool hard);
/* `to` NULL: no longer. */
int lu_redirect(struct lu *lu, struct lu *to, char *err, size_t len);

/* ---- intake.c ---------------------------------------------------------------
 */

struct intake;

/* Begins a job for a LU; `meta` as for spool_begin(), its lu decides. 0 or
 * negative errno with a sentence in `err`. */
int intake_begin(struct printd *pd, const struct spool_meta *meta,
		 struct intake **ret, char *err, size_t len) MUST_USE;
/* Bytes, or (SCS, LU3) one record. As intake_begin(). */
int intake_write(struct intake *in, const void *data, size_t n, char *err,
		 size_t len) MUST_USE;
struct spool_meta *intake_meta(struct intake *in); /* may change it */
/* Accepts: on disk when 0 is returned, *ret_id its number. The intake is gone
 * in either case. */
int intake_commit(struct intake *in, bool hold, uint32_t *ret_id, char *err,
		  size_t len) MUST_USE;
/* Forgets it; NULL is fine. */
void intake_drop(struct intake *in);

/* ---- inputs -----------------------------------------------------------------
 */

/* Serves programs at RUN/printd-ID/appl. */
int applsrv_new(struct printd *pd, struct applsrv **ret) MUST_USE;
void applsrv_free(struct applsrv *a);
/* For LPD clients; listens nowhere yet. 0 or -ENOMEM. */
int lpdsrv_new(struct printd *pd, struct lpdsrv **ret) MUST_USE;
void lpdsrv_free(struct lpdsrv *l);
/* Listens at these places and nowhere else. 0 or -ENOMEM. */
int lpdsrv_listen(struct lpdsrv *s, const struct ip_port *at,
		  uint32_t n) MUST_USE;
/* To take a printer LU from a host; `cfg` is copied. 0 or negative errno. */
int acquire_new(struct printd *pd, const struct deck_acquire *cfg,
		struct acquire **ret) MUST_USE;
/* Connects, unless that was done. From the next connection on under this
 * policy of TLS (referenced; NULL without TLS). */
void acquire_start(struct acquire *a, struct tls_policy *policy);
void acquire_free(struct acquire *a);
/* Its state in words, for displays. */
void acquire_describe(const struct acquire *a, char *buf, size_t len);
const struct deck_acquire *acquire_cfg(const struct acquire *a);

/* ---- operator.c, display.c, alert.c ------------------------------
 */

extern const struct console_ops operator_console;

typedef void display_write_fn(void *arg, const char *text, size_t len);

struct display {
	struct printd *pd;
	bool json;
	display_write_fn *write;
	void *arg;
};

/* Each prints all of it: 0 or -ENOMEM. `name` NULL = all LUs. */
int display_lus(const struct display *d, const char *name);
int display_jobs(const struct display *d, const char *lu, const char *state);
int display_job(const struct display *d, const struct spool_job *j);
int display_acquires(const struct display *d);
int display_id(const struct display *d);
int display_metrics(const struct display *d);

/* Runs the ALERT command, if there is one, with the event's words as
 * arguments: kind, LU, job number, text. */
void alert_send(struct printd *pd, const char *kind, const char *lu,
		uint32_t job, const char *text);

#endif
