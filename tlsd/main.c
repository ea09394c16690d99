/*
 * main.c: the life of tlsd. daemon_main() (common/daemon) walks through the
 * stages; here is what each of them means for a daemon that holds keys: the
 * key process is forked first, while there is one thread and before
 * privileges go; workers are made before the system call filter.
 */
#include "commands.h"
#include "console/metrics.h"
#include "console/server.h"
#include "daemon/log.h"
#include "daemon/report.h"
#include "deck/deck.h"
#include "display.h"
#include "ev/ev.h"
#include "keys/keys.h"
#include "ocsp/fetch.h"
#include "tlsd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INTERVAL_S 120
#define CACHE_SESSIONS 1024

/* ---- deck ---------------------------------------------------------------- */

static int read_deck_file(const char *path, struct tlsd_deck *ret)
{
	struct deck_report report;
	int r;

	deck_report_init(&report);
	r = report_log(&report, path, tlsd_deck_read(path, ret, &report));
	deck_report_fini(&report);
	return r;
}

static int read_deck(void *arg, const struct daemon_options *o)
{
	struct tlsd *td = arg;
	int r = read_deck_file(o->deck_path, &td->deck);

	if (r == 0)
		log_open("tlsd", td->deck.id);
	if (r == 0 && td->deck.iptrace)
		log_set_debug(true);
	return r;
}

static void print_deck(void *arg, FILE *out)
{
	const struct tlsd *td = arg;

	tlsd_deck_print(&td->deck, out);
}

/* ---- open: with privileges ----------------------------------------------- */

static int fail(const char *what, int r)
{
	log_msg(MSG_CPLT001E, what, strerror(-r));
	return r;
}

static int start_keys(struct tlsd *td)
{
	struct keys_options o = {
		.uid = daemon_uid(td->daemon),
		.gid = daemon_gid(td->daemon),
		.channels = MIN(pool_threads(td->deck.subtasks) + 1,
				KEYS_CHANNELS_MAX),
		.keep_read = true,
		.debuggable = daemon_options(td->daemon)->debug,
	};
	int r = keys_start(&o, &td->keys);

	return r < 0 ? fail("key process", r) : 0;
}

static void run_path(const struct tlsd *td, const char *file, char *buf,
		     size_t len)
{
	snprintf(buf, len, "%s/tlsd-%s%s%s",
		 daemon_options(td->daemon)->run_dir, td->deck.id,
		 file[0] ? "/" : "", file);
}

static int make_run_dirs(const struct tlsd *td)
{
	const char *run = daemon_options(td->daemon)->run_dir;
	char path[108];
	int r = daemon_make_dir(td->daemon, run, 0755);

	run_path(td, "", path, sizeof(path));
	if (r == 0)
		r = daemon_make_dir(td->daemon, path, 0755);
	return r < 0 ? fail(path, r) : 0;
}

static int tlsd_open(void *arg, struct daemon *d)
{
	struct tlsd *td = arg;
	int r;

	td->daemon = d;
	/* where libcouplet looks for the stack */
	(void)setenv("COUPLET_RUN", daemon_options(d)->run_dir, 1);
	log_msg(MSG_BSTT700I, COUPLET_VERSION);
	r = start_keys(td);
	if (r == 0)
		r = make_run_dirs(td);
	return r;
}

/* ---- start: without privileges ------------------------------------------- */

static void on_keys_end(struct relay_watch *w, mono_t now)
{
	struct tlsd *td = container_of(w, struct tlsd, keys_watch);

	(void)now;
	if (!(w->ready & (RELAY_IN | RELAY_ERR)))
		return;
	log_msg(MSG_CPLT508E);
	(void)relay_watch_take(td->set, w);
	daemon_end(td->daemon, 1, "the key process has ended");
}

static void on_interval(void *arg)
{
	struct tlsd *td = arg;

	daemon_status(td->daemon, "ID %s: %u rules, %u connections%s",
		      td->deck.id, td->rules.n, td->n_pairs,
		      td->ready ? "" : ", the stack is not there");
	ev_timer_set(td->interval, DUR_S(INTERVAL_S));
}

static int start_loop(struct tlsd *td)
{
	struct ev_loop *ev = daemon_loop(td->daemon);
	int r = relay_set_new(ev, &td->set);

	if (r < 0)
		return fail("event loop", r);
	door_init(td);
	pair_init_io(td);
	control_init_io(td);
	relay_watch_init(&td->keys_watch, on_keys_end);
	r = relay_watch_add(td->set, &td->keys_watch, keys_fd(td->keys));
	if (r == 0)
		r = ev_timer_new(ev, on_interval, td, &td->interval);
	if (r == 0)
		r = pool_new(ev, pool_threads(td->deck.subtasks), &td->pool);
	return r < 0 ? fail("event loop", r) : 0;
}

static int start_tls(struct tlsd *td)
{
	int r = tls_tickets_new(NULL, &td->tickets);

	if (r == 0)
		r = tls_cache_new(CACHE_SESSIONS, &td->cache);
	if (r == 0)
		r = ocsp_fetch_new(td->deck.id, &td->ocsp);
	if (r < 0)
		return fail("TLS", r);
	return rules_make(td, &td->deck, &td->rules);
}

static int start_console(struct tlsd *td)
{
	char path[108];
	struct console_config c = {.path = path,
				   .table = tlsd_commands,
				   .n_table = tlsd_n_commands,
				   .uid = daemon_uid(td->daemon),
				   .gid = daemon_gid(td->daemon)};
	pid_t pid;
	int r;

	run_path(td, "console", path, sizeof(path));
	r = console_new(daemon_loop(td->daemon), &c, &operator_console, td,
			&td->console, &pid);
	if (r == -EADDRINUSE)
		log_msg(MSG_CPLT007E, td->deck.id, (unsigned)pid);
	else if (r < 0)
		fail(path, r);
	else
		log_msg(MSG_CPLT053I, path);
	return r;
}

static void print_metrics(void *arg, table_write_fn *write, void *write_arg)
{
	const struct display d = {.td = arg, .write = write, .arg = write_arg};

	(void)!display_metrics(&d);
}

static int tlsd_start(void *arg, struct daemon *d)
{
	struct tlsd *td = arg;
	int r;

	td->started = mono_now();
	r = start_console(td);
	if (r == 0)
		r = start_loop(td);
	if (r == 0)
		r = start_tls(td);
	if (r < 0)
		return r;
	r = resolver_start(td);
	if (r == 0 && td->deck.metrics[0])
		r = metrics_new(daemon_loop(d), td->deck.metrics, print_metrics,
				td, &td->metrics);
	if (r < 0)
		return fail(td->deck.metrics, r);
	log_msg(MSG_CPLT002I, "tlsd", td->deck.id);
	door_open(td);
	on_interval(td);
	return 0;
}

/* ---- reload, stop -------------------------------------------------------- */

/* What runs keeps the rules it began with. */
int tlsd_reload(struct tlsd *td)
{
	struct tlsd_deck next;
	struct rules rules;
	int r = read_deck_file(daemon_options(td->daemon)->deck_path, &next);

	if (r < 0)
		return r;
	if (strcmp(next.id, td->deck.id) != 0) {
		log_msg(MSG_CPLT001E, "ID", "cannot change while tlsd runs");
		r = -EINVAL;
	}
	if (r == 0)
		r = rules_make(td, &next, &rules);
	if (r < 0) {
		tlsd_deck_free(&next);
		return r;
	}
	rules_inherit(&rules, &td->rules);
	rules_free(&td->before);
	td->before = td->rules;
	tlsd_deck_free(&td->deck);
	tls_cache_flush(td->cache);
	td->rules = rules;
	td->deck = next;
	r = resolver_start(td);
	if (r < 0)
		return fail("names of hosts", r);
	if (td->door >= 0 && rules_register(td) < 0)
		log_msg(MSG_CPLT503E, td->deck.id, "its queue is full");
	return 0;
}

static int reload(void *arg, struct daemon *d)
{
	(void)d;
	return tlsd_reload(arg);
}

static void tlsd_stop(void *arg, struct daemon *d)
{
	struct tlsd *td = arg;
	struct pool *pool = td->pool;
	char path[108];

	(void)d;
	td->pool = NULL;
	pool_free(pool);
	metrics_free(td->metrics);
	if (td->set) {
		resolver_stop(td);
		pairs_end(td);
		door_close(td);
		(void)relay_watch_take(td->set, &td->keys_watch);
	}
	console_free(td->console);
	ev_timer_free(td->interval);
	rules_free(&td->rules);
	rules_free(&td->before);
	tls_tickets_unref(td->tickets);
	tls_cache_unref(td->cache);
	ocsp_fetch_free(td->ocsp);
	relay_set_free(td->set);
	keys_stop(td->keys);
	if (!td->daemon)
		return;
	run_path(td, "", path, sizeof(path));
	rmdir(path);
}

static void tlsd_fini(void *arg)
{
	struct tlsd *td = arg;

	tlsd_deck_free(&td->deck);
}

/* ---- main ---------------------------------------------------------------- */

static const struct daemon_spec spec = {
	.name = "tlsd",
	.what = "TLS for programs that know nothing of it",
	.version = COUPLET_VERSION,
	.deck_default = "/etc/couplet/tlsd.deck",
	.read_deck = read_deck,
	.print_deck = print_deck,
	.open = tlsd_open,
	.start = tlsd_start,
	.reload = reload,
	.stop = tlsd_stop,
	.fini = tlsd_fini,
};

int main(int argc, char **argv)
{
	struct tlsd *td = calloc(1, sizeof(*td));
	int status;

	if (!td)
		return 1;
	td->door = -1;
	list_init(&td->pairs);
	list_init(&td->data);
	for (size_t i = 0; i < TLSD_HASH; i++)
		list_init(&td->by_serial[i]);
	status = daemon_main(&spec, td, argc, argv);
	free(td);
	return status;
}
