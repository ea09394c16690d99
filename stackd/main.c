/*
 * main.c: the life of stackd. daemon_main() (common/daemon) walks through the
 * stages; here is what each of them means for a TCP/IP stack.
 */
#include "api/selftest.h"
#include "commands.h"
#include "daemon/log.h"
#include "daemon/report.h"
#include "deck/deck.h"
#include "ev/ev.h"
#include "stackd.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- deck
 * ------------------------------------------------------------------------- */

static int read_deck_file(const char *path, struct stackd_deck *ret)
{
	struct deck_report report;
	int r;

	deck_report_init(&report);
	r = stackd_deck_read(path, ret, &report);
	r = report_log(&report, path, r);
	deck_report_fini(&report);
	return r;
}

static int read_deck(void *arg, const struct daemon_options *o)
{
	struct stackd *sd = arg;
	int r = read_deck_file(o->deck_path, &sd->deck);

	if (r == 0)
		log_open("stackd", sd->deck.id);
	return r;
}

static void print_deck(void *arg, FILE *out)
{
	const struct stackd *sd = arg;

	stackd_deck_print(&sd->deck, out);
}

/* ---- open: with privileges
 * ---------------------------------------------------------- */

static void run_path(const struct stackd *sd, const char *file, char *buf,
		     size_t len)
{
	snprintf(buf, len, "%s/%s%s%s", daemon_options(sd->daemon)->run_dir,
		 sd->deck.id, file[0] ? "/" : "", file);
}

/* Refuses before anything is made when a stack with this ID lives. */
static int refuse_duplicate(const struct stackd *sd)
{
	struct ipc_peer peer = {.pid = 0};
	char path[108];
	int fd;

	run_path(sd, "console", path, sizeof path);
	fd = ipc_connect(path);
	if (fd < 0)
		return 0;
	(void)!ipc_peer_get(fd, &peer);
	close(fd);
	log_msg(MSG_CPLT007E, sd->deck.id, (unsigned)peer.pid);
	return -EADDRINUSE;
}

static int make_run_dirs(const struct stackd *sd)
{
	const char *run = daemon_options(sd->daemon)->run_dir;
	char path[108], what[160];
	int r = daemon_make_dir(sd->daemon, run, 0755);

	run_path(sd, "", path, sizeof path);
	if (r == 0)
		r = daemon_make_dir(sd->daemon, path, 0755);
	if (r < 0) {
		snprintf(what, sizeof what, "run directory %s", path);
		log_msg(MSG_CPLT001E, what, strerror(-r));
	}
	return r;
}

static void tell_couple(void *arg, bool up)
{
	const struct stackd *sd = arg;
	const char *id = sd->deck.id, *other = sd->deck.couple;

	if (up)
		log_msg(MSG_CPLT016I, other, id, other);
	else
		log_msg(MSG_CPLT060W, other, other, id);
}

static void tell_refused(void *arg, const struct api_refusal *r)
{
	const char *program = r->program[0] ? r->program : "unknown";

	(void)arg;
	if (r->port)
		log_msg(MSG_CPLT341W, (unsigned)r->uid, (unsigned)r->pid,
			program, r->port, r->rule);
	else
		log_msg(MSG_CPLT340W, (unsigned)r->uid, (unsigned)r->pid,
			program, r->rule);
}

static int stackd_open(void *arg, struct daemon *d)
{
	struct stackd *sd = arg;
	int r;

	sd->daemon = d;
	log_msg(MSG_BSTT003I, "2026 the Couplet authors, BSD-2-Clause");
	r = refuse_duplicate(sd);
	if (r == 0)
		r = make_run_dirs(sd);
	if (r == 0)
		r = setup_open_ports(sd);
	return r;
}

/* ---- what the loop reports
 * ------------------------------------------------------------- */

static const char *iface_device(const struct stackd *sd, uint32_t ifindex)
{
	for (uint32_t i = 0; i < sd->n_ports; i++)
		if (sd->ifindex[i] == ifindex)
			return osa_name(sd->ports[i]);
	return "?";
}

static void log_event(const struct stackd *sd, const struct ip_event *ev)
{
	char addr[ADDR_TEXT_MAX], mac[18];

	if (ev->kind != IP_EV_DUPLICATE)
		return;
	ip_format(&ev->local, addr);
	snprintf(mac, sizeof mac, "%02x:%02x:%02x:%02x:%02x:%02x", ev->mac[0],
		 ev->mac[1], ev->mac[2], ev->mac[3], ev->mac[4], ev->mac[5]);
	log_msg(MSG_CPLT200E, addr, mac, iface_device(sd, ev->ifindex));
}

/* The kernel's word for a descriptor whose interface was deleted says little
 * to an operator. */
static const char *death_cause(int error)
{
	return error == EBADFD || error == ENODEV
		       ? "its host interface was removed"
		       : strerror(error);
}

static void check_ports(struct stackd *sd)
{
	struct osa_port *p;
	int error;

	while ((error = loop_dead_port(sd->loop, &p)) != 0)
		log_msg(MSG_CPLT102E, osa_name(p), death_cause(error));
}

/* What the fast path leaves for the operator's side. */
static void after_loop(struct stackd *sd)
{
	struct ip_event ev;

	while (stack_event(sd->stack, &ev)) {
		log_event(sd, &ev);
		ping_event(sd, &ev, mono_now());
	}
	if (!list_empty(&sd->probes))
		probe_check(sd, mono_now());
	check_ports(sd);
}

static bool on_wait(void *arg)
{
	struct stackd *sd = arg;
	bool base = loop_wait(sd->loop);

	after_loop(sd);
	return base;
}

static void on_kick(void *arg)
{
	struct stackd *sd = arg;

	loop_run(sd->loop);
	after_loop(sd);
}

void stackd_kick(struct stackd *sd)
{
	ev_timer_set(sd->kick, DUR_NS(0));
}

/* INTERVAL: what systemctl status shows is brought up to date. */
static void on_interval(void *arg)
{
	struct stackd *sd = arg;
	struct stack_counters c;

	stack_counters(sd->stack, &c);
	daemon_status(sd->daemon, "ID %s: %u sockets, %u listeners",
		      sd->deck.id, c.socks, c.listeners);
	ev_timer_set(sd->interval, DUR_S(sd->deck.interval_s));
}

static size_t resident_bytes(void)
{
	unsigned long total, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f)
		return 0;
	if (fscanf(f, "%lu %lu", &total, &resident) != 2)
		resident = 0;
	fclose(f);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

struct display stackd_display(const struct stackd *sd)
{
	return (struct display){
		.stack = sd->stack,
		.deck = &sd->deck,
		.ports = sd->ports,
		.n_ports = sd->n_ports,
		.api = sd->api,
		.loop = sd->loop,
		.now = mono_now(),
		.started = sd->started,
		.version = COUPLET_VERSION,
		.pid = getpid(),
		.rss_bytes = resident_bytes(),
	};
}

/* ---- start: without privileges
 * ----------------------------------------------------------- */

static int fail(const char *what, int r)
{
	log_msg(MSG_CPLT001E, what, strerror(-r));
	return r;
}

static int start_loop(struct stackd *sd)
{
	struct ev_loop *ev = daemon_loop(sd->daemon);
	int r = loop_new(sd->stack, &sd->loop);

	for (uint32_t i = 0; i < sd->n_ports && r == 0; i++)
		r = loop_add_port(sd->loop, sd->ports[i], sd->ifindex[i]);
	if (r == 0)
		r = loop_watch_base(sd->loop, ev_loop_fd(ev));
	if (r == 0)
		ev_loop_set_wait(ev, on_wait, sd);
	if (r == 0)
		r = ev_timer_new(ev, on_kick, sd, &sd->kick);
	if (r == 0)
		r = ev_timer_new(ev, on_interval, sd, &sd->interval);
	return r < 0 ? fail("event loop", r) : 0;
}

/* Programs would see wrong results on a kernel that fails one of these. */
static int check_kernel(void)
{
	size_t n;
	const struct api_probe *p = api_probes(&n);
	char err[160], text[256];
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		int one = p[i].run(err, sizeof err);

		if (one == 0)
			continue;
		snprintf(text, sizeof text, "%s: %s", p[i].claim, err);
		log_msg(MSG_CPLT310E, text);
		r = one;
	}
	return r;
}

static int start_api(struct stackd *sd)
{
	struct api_ops ops = loop_api_ops(sd->loop);
	char err[256] = "";
	int r;

	ops.couple = tell_couple;
	ops.refused = tell_refused;
	ops.news_arg = sd;
	r = api_new(sd->stack, &sd->deck, daemon_options(sd->daemon)->run_dir,
		    &ops, &sd->api, err, sizeof err);
	if (r < 0) {
		log_msg(MSG_CPLT001E, "sockets of programs",
			err[0] ? err : strerror(-r));
		return r;
	}
	loop_set_api(sd->loop, sd->api);
	return 0;
}

static int start_console(struct stackd *sd)
{
	char path[108];
	struct console_config c = {.path = path,
				   .table = stackd_commands,
				   .n_table = stackd_n_commands,
				   .uid = daemon_uid(sd->daemon),
				   .gid = daemon_gid(sd->daemon)};
	pid_t pid;
	int r;

	run_path(sd, "console", path, sizeof path);
	r = console_new(daemon_loop(sd->daemon), &c, &operator_console, sd,
			&sd->console, &pid);
	if (r == -EADDRINUSE)
		log_msg(MSG_CPLT007E, sd->deck.id, (unsigned)pid);
	else if (r < 0)
		fail(path, r);
	else
		log_msg(MSG_CPLT053I, path);
	return r;
}

static void print_metrics(void *arg, table_write_fn *write, void *write_arg)
{
	struct display d = stackd_display(arg);

	d.write = write;
	d.arg = write_arg;
	(void)!display_metrics(&d);
}

static int start_metrics(struct stackd *sd)
{
	int r;

	if (!sd->deck.metrics[0])
		return 0;
	r = metrics_new(daemon_loop(sd->daemon), sd->deck.metrics,
			print_metrics, sd, &sd->metrics);
	return r < 0 ? fail(sd->deck.metrics, r) : 0;
}

static int stackd_start(void *arg, struct daemon *d)
{
	struct stackd *sd = arg;
	int r;

	(void)d;
	sd->started = mono_now();
	r = setup_make_stack(sd);
	if (r == 0)
		r = start_loop(sd);
	if (r == 0)
		r = check_kernel();
	if (r == 0)
		r = start_api(sd);
	if (r == 0)
		r = start_console(sd);
	if (r == 0)
		r = start_metrics(sd);
	if (r < 0)
		return r;
	log_msg(MSG_BSTT042I, "TCP/IP");
	log_msg(MSG_CPLT002I, "stackd", sd->deck.id);
	on_interval(sd);
	stackd_kick(sd);
	return 0;
}

/* ---- reload, stop
 * ----------------------------------------------------------------------------
 */

static int stackd_reload(void *arg, struct daemon *d)
{
	struct stackd *sd = arg;
	struct stackd_deck next;
	int r = read_deck_file(daemon_options(d)->deck_path, &next);

	if (r == 0)
		r = setup_reload(sd, &next);
	stackd_deck_free(&next);
	stackd_kick(sd);
	return r;
}

static void stackd_stop(void *arg, struct daemon *d)
{
	struct stackd *sd = arg;
	char path[108];

	(void)d;
	ping_stop_all(sd);
	probe_stop_all(sd);
	trace_end(sd, "the stack ends");
	metrics_free(sd->metrics);
	console_free(sd->console);
	if (sd->api) {
		loop_set_api(sd->loop, NULL);
		api_free(sd->api);
	}
	/* the resets that ended the connections go out before the ports */
	if (sd->loop)
		loop_run(sd->loop);
	ev_timer_free(sd->kick);
	ev_timer_free(sd->interval);
	loop_free(sd->loop);
	setup_close_ports(sd);
	stack_free(sd->stack);
	if (!sd->daemon)
		return;
	run_path(sd, "", path, sizeof path);
	rmdir(path); /* empty unless another stack has moved in */
}

static void stackd_fini(void *arg)
{
	struct stackd *sd = arg;

	stackd_deck_free(&sd->deck);
	memset(&sd->random, 0, sizeof sd->random);
}

/* ---- main
 * ----------------------------------------------------------------------------------------
 */

/* Calls beyond those that every daemon makes (common/daemon/sandbox.c), room
 * by room. */
static const char *const api_names[] = {
	"inotify_init1",
	"inotify_add_watch",
	"inotify_rm_watch",
	"splice",
	"mkdir",
	"mkdirat",
	"chown",
	"fchown",
	"fchownat",
	"flock",
	"rename",
	"renameat",
	"renameat2",
	"symlink",
	"symlinkat",
	"link",
	"linkat",
};
static const struct sandbox_calls api_calls = {"api", api_names,
					       ARRAY_SIZE(api_names)};
/* TUN and TAP are read, written and asked by calls of the base list; taking
 * back routes at the end is netlink over sendmsg and recvmsg. */
static const struct sandbox_calls *const all_calls[] = {&api_calls};

static const struct daemon_spec spec = {
	.name = "stackd",
	.what = "a TCP/IP stack for programs of this machine",
	.version = COUPLET_VERSION,
	.deck_default = "/etc/couplet/stackd.deck",
	.calls = all_calls,
	.n_calls = ARRAY_SIZE(all_calls),
	.read_deck = read_deck,
	.print_deck = print_deck,
	.open = stackd_open,
	.start = stackd_start,
	.reload = stackd_reload,
	.stop = stackd_stop,
	.fini = stackd_fini,
};

int main(int argc, char **argv)
{
	struct stackd *sd = calloc(1, sizeof *sd);
	int status;

	if (!sd)
		return 1;
	list_init(&sd->pings);
	list_init(&sd->probes);
	status = daemon_main(&spec, sd, argc, argv);
	free(sd);
	return status;
}
