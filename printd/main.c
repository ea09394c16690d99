/*
 * main.c: the life of printd. daemon_main() (common/daemon) walks through the
 * stages; here is what each of them means for printing. The wall clock is
 * read here.
 */
#include "commands.h"
#include "daemon/log.h"
#include "helper/helper.h"
#include "lookup/lookup.h"
#include "printd.h"
#include "session/ftp.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOOKUP_THREADS 4
#define SPOOL_DIR "/var/spool/couplet"
#define HOUSEKEEPING DUR_S(5)

uint64_t printd_wall_s(void)
{
	return (uint64_t)time(NULL);
}

void printd_run_path(const struct printd *pd, const char *file, char *buf,
		     size_t len)
{
	snprintf(buf, len, "%s/printd-%s%s%s",
		 daemon_options(pd->daemon)->run_dir, pd->instance,
		 file[0] ? "/" : "", file);
}

static int fail(const char *what, int r)
{
	log_msg(MSG_CPLT001E, what, strerror(-r));
	return r;
}

/* ---- deck
 * ------------------------------------------------------------------------- */

static int read_deck(void *arg, const struct daemon_options *o)
{
	struct printd *pd = arg;
	int r = reload_read(o->deck_path, &pd->deck);

	if (r < 0)
		return r;
	snprintf(pd->instance, sizeof pd->instance, "%s",
		 strcmp(pd->deck.id, "*") == 0 ? "host" : pd->deck.id);
	if (pd->deck.spool[0])
		memcpy(pd->spool_path, pd->deck.spool, sizeof pd->deck.spool);
	else
		snprintf(pd->spool_path, sizeof pd->spool_path, SPOOL_DIR "/%s",
			 pd->instance);
	log_open("printd", pd->instance);
	return 0;
}

static void print_deck(void *arg, FILE *out)
{
	const struct printd *pd = arg;

	printd_deck_print(&pd->deck, out);
}

/* ---- open: with privileges
 * ---------------------------------------------------------- */

static int refuse_duplicate(const struct printd *pd)
{
	struct ipc_peer peer = {.pid = 0};
	char path[108];
	int fd;

	printd_run_path(pd, "console", path, sizeof path);
	fd = ipc_connect(path);
	if (fd < 0)
		return 0;
	(void)!ipc_peer_get(fd, &peer);
	close(fd);
	log_msg(MSG_CPLT007E, pd->instance, (unsigned)peer.pid);
	return -EADDRINUSE;
}

static int make_spool_dir(const struct printd *pd)
{
	int r = 0;

	if (!pd->deck.spool[0])
		r = daemon_make_dir(pd->daemon, SPOOL_DIR, 0755);
	if (r == 0)
		r = daemon_make_dir(pd->daemon, pd->spool_path, 0700);
	return r < 0 ? fail(pd->spool_path, r) : 0;
}

static int make_dirs(const struct printd *pd)
{
	char path[108];
	int r = daemon_make_dir(pd->daemon, daemon_options(pd->daemon)->run_dir,
				0755);

	printd_run_path(pd, "", path, sizeof path);
	if (r == 0)
		r = daemon_make_dir(pd->daemon, path, 0755);
	if (r < 0)
		return fail(path, r);
	return make_spool_dir(pd);
}

/* The programs of our own that sessions run: beside us when we run from the
 * folder that they were built in, else where they are installed. */
static void find_programs(struct printd *pd)
{
	char self[256];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	char *slash;

	self[MAX(n, 0)] = '\0';
	slash = strrchr(self, '/');
	if (slash)
		*slash = '\0';
	snprintf(pd->ipp_program, sizeof pd->ipp_program, "%s/couplet-ipp",
		 self);
	snprintf(pd->stackrun, sizeof pd->stackrun,
		 "%s/../common/client/stackrun", self);
	if (access(pd->ipp_program, X_OK) < 0)
		snprintf(pd->ipp_program, sizeof pd->ipp_program,
			 COUPLET_LIBEXEC_DIR "/couplet-ipp");
	if (access(pd->stackrun, X_OK) < 0)
		snprintf(pd->stackrun, sizeof pd->stackrun,
			 COUPLET_BIN_DIR "/stackrun");
	pd->env.ipp_program = pd->ipp_program;
	pd->env.stackrun = pd->stackrun;
}

static int printd_open(void *arg, struct daemon *d)
{
	struct printd *pd = arg;
	const struct daemon_options *o = daemon_options(d);
	int r;

	pd->daemon = d;
	log_msg(MSG_BSTT003I, "2026 the Couplet authors, BSD-2-Clause");
	r = refuse_duplicate(pd);
	if (r < 0)
		return r;
	/* before there is anything that a child should not have */
	r = helper_new(o->user, o->run_dir, &pd->env.helper);
	if (r < 0)
		return fail("helper process", r);
	r = secure_open(pd);
	if (r < 0)
		return r;
	find_programs(pd);
	r = make_dirs(pd);
	/* FTP passwords that stand in files: while that is allowed */
	if (r == 0)
		r = reload_secrets(pd, &pd->deck);
	/* a deck read again may name new ports, LPR has source ports */
	if (strcmp(pd->deck.id, "*") == 0)
		daemon_keep_cap(d, CAP_NET_BIND_SERVICE);
	if (r == 0)
		setenv("COUPLET_RUN", o->run_dir, 1);
	return r;
}

/* ---- start: without privileges
 * ----------------------------------------------------------- */

static int start_spool(struct printd *pd)
{
	struct spool_recovery found;
	int r = spool_dir_open(pd->spool_path, &pd->dir);

	if (r == 0)
		r = spool_open(spool_dir_io(pd->dir), printd_wall_s(),
			       &pd->spool, &found);
	if (r < 0) {
		log_msg(MSG_CPLT701E, pd->spool_path,
			r == -EWOULDBLOCK ? "another printd uses it"
					  : strerror(-r));
		return r;
	}
	log_msg(MSG_CPLT700I, pd->spool_path, found.jobs, found.repeated,
		found.dropped);
	if (found.bad)
		log_msg(MSG_CPLT704A, pd->spool_path, found.bad,
			found.bad_name);
	return 0;
}

static void on_printers(void *arg, enum printers_event e, const char *lu,
			const char *peer, const char *text)
{
	(void)arg;
	switch (e) {
	case PRINTERS_REFUSED:
		log_msg(MSG_BSTT075E, lu[0] ? lu : "(any)");
		log_msg(MSG_CPLT725W, peer, lu[0] ? lu : "(any)", text);
		break;
	case PRINTERS_CAME:
		log_msg(MSG_CPLT720I, lu, peer, text);
		break;
	case PRINTERS_LEFT:
		log_msg(MSG_CPLT721I, lu, peer, text);
		break;
	case PRINTERS_STRANGE:
		log_msg(MSG_CPLT722W, peer, text);
		break;
	case PRINTERS_FULL:
		log_msg(MSG_CPLT723W, peer, text);
		break;
	case PRINTERS_LISTEN:
		if (text)
			log_msg(MSG_CPLT724W, peer, text);
		else
			log_msg(MSG_CPLT726I, peer);
		break;
	}
}

static int start_printers(struct printd *pd)
{
	const struct printers_config cfg = {
		.loop = pd->env.loop,
		.id = pd->deck.id,
		.clients_max = pd->deck.max_clients,
		.keepalive = DUR_NS(pd->deck.defaults.keepalive_ns)};
	const struct printers_owner owner = {lus_find_printer, on_printers, pd};

	return printers_new(&cfg, &owner, &pd->printers);
}

static int start_console(struct printd *pd)
{
	char path[108];
	struct console_config c = {.path = path,
				   .table = printd_commands,
				   .n_table = printd_n_commands,
				   .uid = daemon_uid(pd->daemon),
				   .gid = daemon_gid(pd->daemon)};
	pid_t pid;
	int r;

	printd_run_path(pd, "console", path, sizeof path);
	r = console_new(pd->env.loop, &c, &operator_console, pd, &pd->console,
			&pid);
	if (r < 0)
		return fail(path, r);
	log_msg(MSG_CPLT053I, path);
	return 0;
}

static void on_housekeeping(void *arg)
{
	struct printd *pd = arg;

	lus_expire(pd);
	daemon_status(pd->daemon, "ID %s: %u jobs, %u clients", pd->deck.id,
		      spool_count(pd->spool), printers_count(pd->printers));
	ev_timer_set(pd->housekeeping, HOUSEKEEPING);
}

static int start_inputs(struct printd *pd)
{
	int r = applsrv_new(pd, &pd->appl);

	if (r < 0)
		return fail("socket of programs", r);
	log_msg(MSG_BSTT671I, "APPL");
	r = lpdsrv_new(pd, &pd->lpd);
	return r < 0 ? fail("LPD", r) : 0;
}

/* We may start no program, so no new helper either: without it IPP sessions
 * and ALERT would fail for ever and nobody would know. Whoever supervises us
 * starts us again, and no job is lost. */
static void on_helper_gone(void *arg)
{
	struct printd *pd = arg;

	log_msg(MSG_CPLT001E, "helper process", "it was ended");
	daemon_end(pd->daemon, 1, "the helper process is gone");
}

static void on_answers(void *arg, int fd, unsigned events)
{
	(void)fd;
	(void)events;
	lookup_collect(arg);
}

/* Host names of printers: several threads, since each may wait for a name
 * server that does not answer. */
static int start_lookup(struct printd *pd)
{
	int r = lookup_new(LOOKUP_THREADS, &pd->env.lookup);

	return r < 0 ? r
		     : ev_io_new(pd->env.loop, lookup_fd(pd->env.lookup),
				 EV_IO_IN, on_answers, pd->env.lookup,
				 &pd->lookup_io);
}

static int printd_start(void *arg, struct daemon *d)
{
	struct printd *pd = arg;
	int r;

	pd->started = mono_now();
	pd->env.loop = daemon_loop(d);
	pd->env.id = pd->deck.id;
	pd->env.run_dir = daemon_options(d)->run_dir;
	r = helper_attach(pd->env.helper, pd->env.loop, on_helper_gone, pd);
	if (r == 0)
		r = ftp_pool_new(&pd->env, &pd->env.ftp);
	if (r == 0)
		r = start_lookup(pd);
	if (r < 0)
		return fail("helpers", r);
	r = secure_start(pd);
	if (r < 0)
		return fail("TLS", r);
	r = start_spool(pd);
	if (r == 0)
		r = start_printers(pd);
	if (r == 0)
		r = start_inputs(pd);
	if (r == 0)
		r = reload_first(pd);
	if (r == 0)
		r = start_console(pd);
	if (r == 0)
		r = ev_timer_new(pd->env.loop, on_housekeeping, pd,
				 &pd->housekeeping);
	if (r < 0)
		return r;
	on_housekeeping(pd);
	log_msg(MSG_BSTT042I, "TN3270E");
	log_msg(MSG_CPLT002I, "printd", pd->instance);
	return 0;
}

/* ---- reload, stop
 * ------------------------------------------------------------------------- */

static int reload(void *arg, struct daemon *d)
{
	(void)d;
	return printd_reload(arg);
}

static void printd_stop(void *arg, struct daemon *d)
{
	struct printd *pd = arg;
	char path[108];

	(void)d;
	metrics_free(pd->metrics);
	console_free(pd->console);
	applsrv_free(pd->appl);
	lpdsrv_free(pd->lpd);
	for (uint32_t i = 0; i < pd->n_acquires; i++)
		acquire_free(pd->acquires[i]);
	free(pd->acquires);
	lus_stop(pd);
	printers_free(pd->printers);
	ftp_pool_free(pd->env.ftp);
	ev_io_free(pd->lookup_io);
	lookup_free(pd->env.lookup);
	ev_timer_free(pd->housekeeping);
	spool_close(pd->spool);
	spool_dir_close(pd->dir);
	secure_stop(pd);
	helper_free(pd->env.helper);
	if (!pd->daemon)
		return;
	printd_run_path(pd, "", path, sizeof path);
	rmdir(path);
}

static void printd_fini(void *arg)
{
	struct printd *pd = arg;

	printd_deck_free(&pd->deck);
}

/* ---- main
 * ----------------------------------------------------------------------------------------
 */

/* Calls beyond those that every daemon makes (common/daemon/sandbox.c), room
 * by room. */
static const char *const spool_names[] = {"flock", "rename", "renameat",
					  "renameat2", "statfs"};
static const struct sandbox_calls spool_calls = {"spool", spool_names,
						 ARRAY_SIZE(spool_names)};
/* the key process is waited for at the end */
static const char *const keys_names[] = {"wait4", "waitid", "kill"};
static const struct sandbox_calls keys_calls = {"keys", keys_names,
						ARRAY_SIZE(keys_names)};
static const struct sandbox_calls *const all_calls[] = {&spool_calls,
							&keys_calls};

static const struct daemon_spec spec = {
	.name = "printd",
	.what = "printer logical units: TN3270E, LPR, port 9100, FTP, IPP",
	.version = COUPLET_VERSION,
	.deck_default = "/etc/couplet/printd.deck",
	.calls = all_calls,
	.n_calls = ARRAY_SIZE(all_calls),
	.read_deck = read_deck,
	.print_deck = print_deck,
	.open = printd_open,
	.start = printd_start,
	.reload = reload,
	.stop = printd_stop,
	.fini = printd_fini,
};

int main(int argc, char **argv)
{
	struct printd *pd = calloc(1, sizeof *pd);
	int status;

	if (!pd)
		return 1;
	list_init(&pd->watches);
	list_init(&pd->leaving);
	status = daemon_main(&spec, pd, argc, argv);
	free(pd);
	return status;
}
