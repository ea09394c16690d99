/*
 * daemon.h: the one start-up order of all daemons. daemon_main() walks
 * through the stages below and calls the daemon's own functions at the marked
 * places:
 *
 *   log to stderr -> arguments -> read_deck() (all errors; -n ends here,
 *   -nv after print_deck()) -> open() with the privileges we were given ->
 *   drop them -> start() as nobody special -> system call filter -> "ready"
 *   to systemd -> loop: watchdog, SIGTERM (perhaps after drain()) and SIGINT
 *   end it, SIGHUP calls reload() -> stop()
 *
 * A stage that fails ends the start: stop() undoes what open() and start()
 * had done, and the exit status is 1. Usage errors exit with 2.
 */
#ifndef COUPLET_DAEMON_H
#define COUPLET_DAEMON_H

#include "base/base.h"
#include "base/mono.h"
#include "daemon/sandbox.h"

#include <stdio.h>

struct ev_loop;
struct daemon;

#define DAEMON_RUN_DIR "/run/couplet"
#define DAEMON_USER "couplet"

struct daemon_options {
	const char *deck_path; /* -f */
	const char *run_dir;   /* --run, default DAEMON_RUN_DIR */
	const char *user;      /* --user, default DAEMON_USER */
	bool check;            /* -n */
	bool print;            /* -v */
	bool debug;            /* -d */
};

struct daemon_spec {
	const char *name;                         /* "stackd" */
	const char *what;                         /* one line for --help */
	const char *version;                      /* "0.1.0" */
	const char *deck_default;                 /* /etc/couplet/stackd.deck */
	const struct sandbox_calls *const *calls; /* besides sandbox_base */
	size_t n_calls;

	/* Each returns 0, or negative errno after it has said why. */
	int (*read_deck)(void *arg, const struct daemon_options *o);
	void (*print_deck)(void *arg, FILE *out);
	int (*open)(void *arg, struct daemon *d);
	int (*start)(void *arg, struct daemon *d);
	/* Reads the deck again; an error leaves everything as it was. */
	int (*reload)(void *arg, struct daemon *d);
	/* The first SIGTERM: begins to end in peace; daemon_end() follows. How
	 * long that may take at most; 0: there is nothing to wait for, it ends
	 * now. A second SIGTERM, or SIGINT, ends it at once. NULL: the first
	 * one does. */
	dur_t (*drain)(void *arg, struct daemon *d);
	/* Undoes start() and open(), as far as they came. */
	void (*stop)(void *arg, struct daemon *d);
	/* Frees what read_deck() made. */
	void (*fini)(void *arg);
};

/* The whole life of the daemon; the exit status for main(). */
int daemon_main(const struct daemon_spec *spec, void *arg, int argc,
		char **argv);

/* ---- for the functions above ----------------------------------------------
 */

/* The loop; valid from open() to stop(). */
struct ev_loop *daemon_loop(const struct daemon *d);
/* The command line; valid as long as `d`. */
const struct daemon_options *daemon_options(const struct daemon *d);
/* Whom we become after open(): for files that are to be his. */
uid_t daemon_uid(const struct daemon *d);
gid_t daemon_gid(const struct daemon *d);
/* Leaves the loop after this callback; `why` (copied) goes to the log. */
void daemon_end(struct daemon *d, int exit_status, const char *why);
/* What `systemctl status` shows. */
void daemon_status(struct daemon *d, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Makes the directory `path` (one level), owned by the daemon's user, unless
 * it exists. 0 or negative errno. For open(). */
int daemon_make_dir(const struct daemon *d, const char *path,
		    mode_t mode) MUST_USE;

/* For open(): keep the capability `cap` (CAP_ number) for the whole run; at
 * most 8, none otherwise. */
void daemon_keep_cap(struct daemon *d, int cap);

/* Descriptors that systemd or another parent passed (LISTEN_FDS), 3...; their
 * number. Kept open across the start. */
int daemon_inherited_fds(void);

#endif
