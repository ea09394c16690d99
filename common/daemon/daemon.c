#include "daemon/daemon.h"

#include "daemon/args.h"
#include "daemon/log.h"
#include "daemon/privs.h"
#include "ev/ev.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define STATUS_MAX 200
#define KEEP_CAPS_MAX 8
#define STOP_S 15 /* that stop() may take behind drain() */

struct daemon {
	const struct daemon_spec *spec;
	void *arg;
	struct daemon_options opt;
	struct privs_user user;
	struct ev_loop *loop;
	struct ev_signal *sigs[3];
	struct ev_timer *watchdog, *log_timer;
	dur_t watchdog_interval;
	int keep_caps[KEEP_CAPS_MAX], n_keep_caps;
	bool draining;
	int exit_status;
	char why[96];
	char status[STATUS_MAX];
};

struct ev_loop *daemon_loop(const struct daemon *d)
{
	return d->loop;
}

const struct daemon_options *daemon_options(const struct daemon *d)
{
	return &d->opt;
}

uid_t daemon_uid(const struct daemon *d)
{
	return d->user.uid;
}

gid_t daemon_gid(const struct daemon *d)
{
	return d->user.gid;
}

void daemon_end(struct daemon *d, int exit_status, const char *why)
{
	d->exit_status = exit_status;
	snprintf(d->why, sizeof d->why, "%s", why);
	ev_loop_stop(d->loop);
}

void daemon_status(struct daemon *d, const char *fmt, ...)
{
	char text[STATUS_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (strcmp(text, d->status) == 0)
		return;
	memcpy(d->status, text, sizeof text);
	(void)sd_notifyf(0, "STATUS=%s", text);
}

int daemon_make_dir(const struct daemon *d, const char *path, mode_t mode)
{
	struct stat st;

	if (mkdir(path, mode) < 0) {
		if (errno != EEXIST)
			return -errno;
		return stat(path, &st) < 0   ? -errno
		       : S_ISDIR(st.st_mode) ? 0
					     : -ENOTDIR;
	}
	/* mkdir obeys the umask */
	if (chmod(path, mode) < 0)
		return -errno;
	if (geteuid() == 0 && chown(path, d->user.uid, d->user.gid) < 0)
		return -errno;
	return 0;
}

void daemon_keep_cap(struct daemon *d, int cap)
{
	INVARIANT(d->n_keep_caps < KEEP_CAPS_MAX);
	d->keep_caps[d->n_keep_caps++] = cap;
}

int daemon_inherited_fds(void)
{
	int n = sd_listen_fds(0);

	return n < 0 ? 0 : n;
}

/* ---- stages -----------------------------------------------------------------
 */

static void announce(const struct daemon *d)
{
	struct utsname u;

	log_msg(MSG_BSTT000I, d->spec->name, d->spec->version,
		(unsigned)getpid());
	if (uname(&u) == 0)
		log_msg(MSG_BSTT019I, u.release,
			(unsigned)(8 * sizeof(void *)));
}

static int check_only(struct daemon *d)
{
	if (d->opt.print)
		d->spec->print_deck(d->arg, stdout);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		log_msg(MSG_CPLT001E, "writing the deck", strerror(errno));
		return 1;
	}
	if (!d->opt.print)
		log_msg(MSG_CPLT014I, d->opt.deck_path);
	return 0;
}

static int find_user(struct daemon *d)
{
	int r = privs_find_user(d->opt.user, &d->user);

	if (r < 0) {
		log_msg(MSG_CPLT004E, "neither the user of --user nor nobody "
				      "exists");
		return r;
	}
	if (d->user.fallback)
		log_msg(MSG_CPLT008W, d->opt.user, d->user.name);
	return 0;
}

static int give_up_privileges(struct daemon *d)
{
	const char *step;
	char text[128];
	bool debuggable = d->opt.debug;
	int r;

#if defined(__SANITIZE_ADDRESS__)
	debuggable = true; /* the leak check reads its own process */
#endif
	r = privs_drop(&d->user, d->keep_caps, d->n_keep_caps, debuggable,
		       &step);
	if (r < 0) {
		snprintf(text, sizeof text, "%s: %s", step, strerror(-r));
		log_msg(MSG_CPLT004E, text);
	}
	return r;
}

static int enter_sandbox(struct daemon *d)
{
	int r = sandbox_enter(d->spec->calls, d->spec->n_calls, d->opt.debug);
	char text[128];

	if (r < 0) {
		snprintf(text, sizeof text, "system call filter: %s",
			 strerror(-r));
		log_msg(MSG_CPLT004E, text);
	}
	return r;
}

static void on_watchdog(void *arg)
{
	struct daemon *d = arg;

	/* From the loop itself: a loop that hangs is not alive. */
	(void)sd_notify(0, "WATCHDOG=1");
	ev_timer_set(d->watchdog, d->watchdog_interval);
}

static void on_log_timer(void *arg)
{
	struct daemon *d = arg;

	log_flush(false);
	ev_timer_set(d->log_timer, DUR_S(1));
}

/* True: the end comes by itself. systemd gives it the time that it may need,
 * whatever TimeoutStopSec says. */
static bool drain(struct daemon *d)
{
	dur_t most;

	if (!d->spec->drain || d->draining)
		return false;
	d->draining = true;
	most = d->spec->drain(d->arg, d);
	if (most.ns <= 0)
		return false;
	(void)sd_notifyf(0, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%lld",
			 (long long)((most.ns + DUR_S(STOP_S).ns) / 1000));
	return true;
}

static void on_signal(void *arg, int signo)
{
	struct daemon *d = arg;

	if (signo == SIGTERM && drain(d))
		return;
	if (signo != SIGHUP) {
		daemon_end(d, 0, signo == SIGTERM ? "SIGTERM" : "SIGINT");
		return;
	}
	if (!d->spec->reload)
		return;
	(void)sd_notify(0, "RELOADING=1");
	if (d->spec->reload(d->arg, d) == 0)
		log_msg(MSG_CPLT009I, d->opt.deck_path);
	(void)sd_notify(0, "READY=1");
}

static int make_loop(struct daemon *d)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
	uint64_t usec = 0;
	int r = ev_loop_new(&d->loop);

	/* a program that goes while we write to it is an event, no reason to
	 * die; the same for a file at its size limit */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	for (size_t i = 0; i < ARRAY_SIZE(signals) && r == 0; i++)
		r = ev_signal_new(d->loop, signals[i], on_signal, d,
				  &d->sigs[i]);
	if (r == 0)
		r = ev_timer_new(d->loop, on_log_timer, d, &d->log_timer);
	if (r == 0)
		r = ev_timer_new(d->loop, on_watchdog, d, &d->watchdog);
	if (r < 0) {
		log_msg(MSG_CPLT001E, "event loop", strerror(-r));
		return r;
	}
	ev_timer_set(d->log_timer, DUR_S(1));
	if (sd_watchdog_enabled(0, &usec) > 0 && usec >= 2) {
		d->watchdog_interval = DUR_US(usec / 2);
		ev_timer_set(d->watchdog, d->watchdog_interval);
	}
	return 0;
}

static void free_loop(struct daemon *d)
{
	for (size_t i = 0; i < ARRAY_SIZE(d->sigs); i++)
		ev_signal_free(d->sigs[i]);
	ev_timer_free(d->log_timer);
	ev_timer_free(d->watchdog);
	ev_loop_free(d->loop);
}

/* From here on the deck is good. The exit status. */
static int run(struct daemon *d)
{
	const struct daemon_spec *spec = d->spec;
	int r;

	announce(d);
	privs_raise_files();
	r = find_user(d);
	if (r == 0)
		r = make_loop(d);
	if (r == 0)
		r = spec->open(d->arg, d);
	if (r == 0)
		r = give_up_privileges(d);
	if (r == 0)
		r = spec->start(d->arg, d);
	if (r == 0)
		r = enter_sandbox(d);
	if (r == 0) {
		(void)sd_notify(0, "READY=1");
		r = ev_loop_run(d->loop);
		(void)sd_notify(0, "STOPPING=1");
		log_msg(MSG_CPLT003I, spec->name,
			r < 0 ? "event loop failed" : d->why);
	}
	spec->stop(d->arg, d);
	free_loop(d);
	log_msg(MSG_BSTT001I, spec->name);
	return r < 0 ? 1 : d->exit_status;
}

int daemon_main(const struct daemon_spec *spec, void *arg, int argc,
		char **argv)
{
	struct daemon d = {.spec = spec, .arg = arg};
	int status;

	log_open(spec->name, "");
	switch (args_parse(spec, argc, argv, &d.opt, stdout, stderr)) {
	case ARGS_EXIT_OK:
		return 0;
	case ARGS_EXIT_USAGE:
		return 2;
	case ARGS_RUN:
		break;
	}
	log_set_debug(d.opt.debug);
	umask(022);
	if (spec->read_deck(arg, &d.opt) < 0)
		status = 1;
	else if (d.opt.check)
		status = check_only(&d);
	else
		status = run(&d);
	spec->fini(arg);
	log_flush(true);
	return status;
}
