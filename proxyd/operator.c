/* operator.c: runs the commands of the console. */
#include "operator.h"
#include "commands.h"
#include "console/operands.h"
#include "console/server.h"
#include "daemon/log.h"
#include "display.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define FLOWS_PER_TURN 256
#define DRAIN_LOOK DUR_MS(100) /* how often: is the last one gone? */

static void write_console(void *arg, const char *text, size_t len)
{
	console_write(arg, text, len);
}

static struct display display_for(const struct proxyd *pd,
				  struct console_cmd *cmd)
{
	return (struct display){.pd = pd,
				.now = mono_now(),
				.json = console_json(cmd),
				.write = write_console,
				.arg = cmd};
}

/* No word may be left; false: it was told, and the command is over. */
static bool no_more(struct operands *o)
{
	if (operands_ok(o, "no more words"))
		return true;
	console_done(o->cmd, CONSOLE_USAGE);
	return false;
}

/* ---- QUERY
 * ---------------------------------------------------------------------- */

static void show_counters(struct proxyd *pd, struct console_cmd *cmd, int n)
{
	struct operands o = operands_of(cmd, n);
	struct display d = display_for(pd, cmd);
	bool all = operands_is(&o, "ALL");

	if (!operands_ok(&o, "ALL"))
		console_done(cmd, CONSOLE_USAGE);
	else
		console_result(cmd, display_counters(&d, all));
}

static void print_deck(void *arg, FILE *out)
{
	const struct proxyd *pd = arg;

	proxyd_deck_print(&pd->deck, out);
}

struct flow_task {
	struct proxyd *pd;
	struct flow_display *fd;
};

static void flow_task_free(struct flow_task *t)
{
	flow_display_free(t->fd);
	free(t);
}

static bool flows_more(void *task, struct console_cmd *cmd)
{
	struct flow_task *t = task;
	struct display d = display_for(t->pd, cmd);
	int r;

	if (flow_display_more(t->fd, &d, FLOWS_PER_TURN, &r))
		return true;
	flow_task_free(t);
	console_result(cmd, r);
	return false;
}

static void flows_cancel(void *task, bool gone)
{
	/* asked to end: what is left is short */
	if (gone)
		flow_task_free(task);
}

static const struct console_task flows_task = {flows_more, flows_cancel};

static const char *read_state(struct operands *o)
{
	for (int s = FLOW_HEAD; s <= FLOW_RELAY; s++) {
		const char *name = flow_state_name((enum flow_state)s);

		if (operands_is(o, name))
			return name;
	}
	operands_expected(o, "head, client-tls, resolve, connect, server-tls "
			     "or relay");
	return NULL;
}

static void show_flows(struct proxyd *pd, struct console_cmd *cmd, int n)
{
	struct operands o = operands_of(cmd, n);
	struct display d = display_for(pd, cmd);
	struct flow_filter f = {.port = 0};
	struct flow_task *t;

	while (operands_more(&o)) {
		if (operands_is(&o, "PORT"))
			f.port = (uint32_t)operands_number(&o, "a port", 1,
							   65535);
		else if (operands_is(&o, "ADDRESS"))
			operands_prefix(&o, "an address or network", &f.addr);
		else if (operands_is(&o, "STATE"))
			f.state = read_state(&o);
		else
			break;
	}
	if (!operands_ok(&o, "PORT, ADDRESS or STATE")) {
		console_done(cmd, CONSOLE_USAGE);
		return;
	}
	t = calloc(1, sizeof *t);
	if (t) {
		t->pd = pd;
		t->fd = flow_display_new(&d, &f);
	}
	if (t && t->fd) {
		console_set_task(cmd, &flows_task, t);
		return;
	}
	free(t);
	console_result(cmd, -ENOMEM);
}

/* ---- PORT, TARGET, RESET
 * -------------------------------------------------------- */

static void port_command(struct proxyd *pd, struct console_cmd *cmd, int n)
{
	struct operands o = operands_of(cmd, n);
	uint32_t port = (uint32_t)operands_number(&o, "a port", 1, 65535);
	bool suspend = operands_is(&o, "SUSPEND"), found = false;
	int r = 0;

	if (!suspend && !operands_is(&o, "RESUME"))
		operands_expected(&o, "SUSPEND or RESUME");
	if (!no_more(&o))
		return;
	LIST_FOREACH (it, &pd->proxies) {
		struct proxy *px = container_of(it, struct proxy, node);

		if (px->conf.client.port != port || px->conf.udp)
			continue;
		found = true;
		r = proxy_suspend(px, suspend);
		if (r < 0)
			break;
		log_msg(MSG_CPLT600I, px->label,
			suspend ? "suspended" : "resumed");
		console_printf(cmd, "%s %s\n", px->label,
			       suspend ? "suspended" : "resumed");
	}
	if (!found) {
		console_error(cmd, "no PROXY TCP listens on port %u", port);
		r = -ENOENT;
	} else if (r < 0) {
		console_error(cmd, "%s", strerror(-r));
	}
	console_done(cmd, r < 0 ? CONSOLE_FAILED : CONSOLE_OK);
}

struct target_change {
	const char *host;
	uint32_t port; /* 0 = any */
	bool off;
	unsigned n;
};

static void change_targets(struct target_group *g, struct target_change *c)
{
	for (uint32_t i = 0; i < g->n; i++) {
		struct target *t = &g->list[i];

		if (strcasecmp(t->host, c->host) != 0 ||
		    (c->port && t->port != c->port))
			continue;
		if (c->off)
			t->health = TARGET_OFF;
		else if (t->health == TARGET_OFF)
			t->health = TARGET_UP;
		c->n++;
	}
}

static void target_command(struct proxyd *pd, struct console_cmd *cmd, int n)
{
	struct operands o = operands_of(cmd, n);
	struct target_change c = {.host = operands_word(&o, "a host")};

	c.off = operands_is(&o, "OFF");
	if (!c.off && !operands_is(&o, "ON"))
		operands_expected(&o, "OFF or ON");
	if (operands_more(&o))
		c.port = (uint32_t)operands_number(&o, "a port", 1, 65535);
	if (!no_more(&o))
		return;
	LIST_FOREACH (it, &pd->proxies) {
		struct proxy *px = container_of(it, struct proxy, node);

		change_targets(&px->group, &c);
		for (uint32_t i = 0; i < px->n_snis; i++)
			change_targets(&px->sni_groups[i], &c);
	}
	if (c.n)
		console_printf(cmd, "%s is %s in %u places\n", c.host,
			       c.off ? "off" : "on", c.n);
	else
		console_error(cmd, "no PROXY has the target %s", c.host);
	console_done(cmd, c.n ? CONSOLE_OK : CONSOLE_FAILED);
}

static void reset_command(struct proxyd *pd, struct console_cmd *cmd, int n)
{
	struct operands o = operands_of(cmd, n);
	struct flow *f;
	uint64_t id;

	if (!operands_is(&o, "FLOW"))
		operands_expected(&o, "FLOW and an id of QUERY FLOWS");
	id = operands_number(&o, "an id of QUERY FLOWS", 1, UINT64_MAX);
	if (!no_more(&o))
		return;
	f = flow_find(pd, id);
	if (f) {
		flow_fail(f, FLOW_END_OPERATOR, "RESET");
		console_printf(cmd, "flow %llu reset\n",
			       (unsigned long long)id);
	} else {
		console_error(cmd, "no connection has the id %llu",
			      (unsigned long long)id);
	}
	console_done(cmd, f ? CONSOLE_OK : CONSOLE_FAILED);
}

/* ---- DRAIN
 * ---------------------------------------------------------------------- */

bool proxyd_drained(const struct proxyd *pd)
{
	/* a transfer may outlive its control connection */
	return !pd->n_flows && list_empty(&pd->ftp_data);
}

static void on_drain(struct relay_timer *t, mono_t now)
{
	struct proxyd *pd = container_of(t, struct proxyd, drain_timer);

	if (proxyd_drained(pd))
		daemon_end(pd->daemon, 0, "drained");
	else if (mono_leq(pd->drain_until, now))
		daemon_end(pd->daemon, 0, "the time to drain is over");
	else
		relay_timer_set(pd->set, t, mono_add(now, DRAIN_LOOK));
}

void proxyd_drain(struct proxyd *pd, dur_t most)
{
	mono_t now = relay_now(pd->set), until = mono_add(now, most);
	char text[DECK_UNIT_TEXT_MAX];

	if (pd->draining) {
		pd->drain_until = mono_min(pd->drain_until, until);
		return;
	}
	pd->draining = true;
	proxy_close_all(pd);
	log_msg(MSG_CPLT604I, pd->n_flows, deck_format_dur(most.ns, text));
	pd->drain_until = until;
	relay_timer_init(&pd->drain_timer, on_drain);
	relay_timer_set(pd->set, &pd->drain_timer, mono_add(now, DRAIN_LOOK));
}

static void drain_command(struct proxyd *pd, struct console_cmd *cmd)
{
	console_printf(cmd, "%u connections are left\n", pd->n_flows);
	console_done(cmd, CONSOLE_OK);
	proxyd_drain(pd, pd->deck.drain);
}

/* ---- the table
 * ------------------------------------------------------------------ */

static void shutdown_command(struct proxyd *pd, struct console_cmd *cmd)
{
	console_printf(cmd, "proxyd %s ends\n", pd->deck.name);
	console_done(cmd, CONSOLE_OK);
	daemon_end(pd->daemon, 0, "SHUTDOWN");
}

typedef int display_fn(const struct display *d);

static display_fn *const displays[CMD__COUNT] = {
	[CMD_QUERY_PROXIES] = display_proxies,
	[CMD_QUERY_TARGETS] = display_targets,
	[CMD_QUERY_UDP] = display_udp,
	[CMD_QUERY_ID] = display_id,
	[CMD_METRICS] = display_metrics,
};

static void on_command(void *arg, struct console_cmd *cmd,
		       const struct command *c, int n)
{
	struct proxyd *pd = arg;
	struct operands o = operands_of(cmd, n);
	struct display d = display_for(pd, cmd);

	if (displays[c->id]) {
		if (no_more(&o))
			console_result(cmd, displays[c->id](&d));
		return;
	}
	switch (c->id) {
	case CMD_QUERY_FLOWS:
		show_flows(pd, cmd, n);
		break;
	case CMD_QUERY_COUNTERS:
		show_counters(pd, cmd, n);
		break;
	case CMD_QUERY_DECK:
		console_print(cmd, print_deck, pd);
		break;
	case CMD_PORT:
		port_command(pd, cmd, n);
		break;
	case CMD_TARGET:
		target_command(pd, cmd, n);
		break;
	case CMD_RESET:
		reset_command(pd, cmd, n);
		break;
	case CMD_DRAIN:
		drain_command(pd, cmd);
		break;
	case CMD_SHUTDOWN:
		shutdown_command(pd, cmd);
		break;
	default:
		console_help(cmd);
		break;
	}
}

static bool may_show(void *arg, const struct ipc_peer *peer, int fd)
{
	const struct proxyd *pd = arg;

	for (uint32_t i = 0; i < pd->deck.n_allow_uid; i++) {
		if (pd->deck.allow_uid[i] == peer->uid)
			return true;
	}
	for (uint32_t i = 0; i < pd->deck.n_allow_gid; i++) {
		if (ipc_peer_in_group(fd, pd->deck.allow_gid[i]))
			return true;
	}
	return false;
}

static void on_event(void *arg, enum console_event e,
		     const struct ipc_peer *peer, const char *line)
{
	(void)arg;
	switch (e) {
	case CONSOLE_EV_CHANGE:
		log_msg(MSG_CPLT050I, "proxyctl", peer->uid, line);
		break;
	case CONSOLE_EV_REFUSED:
		log_msg(MSG_CPLT051W, peer->uid, line);
		break;
	case CONSOLE_EV_SLOW:
		log_msg(MSG_CPLT052W, (unsigned)peer->pid);
		break;
	}
}

static const struct console_ops operator_console = {on_command, may_show,
						    on_event};

/* ---- start
 * ---------------------------------------------------------------------- */

/* "" names the directory itself. */
static void run_path(const struct proxyd *pd, const char *file, char *buf,
		     size_t len)
{
	snprintf(buf, len, "%s/proxyd-%s%s%s",
		 daemon_options(pd->daemon)->run_dir, pd->deck.name,
		 file[0] ? "/" : "", file);
}

static int fail(const char *what, int r)
{
	log_msg(MSG_CPLT001E, what, strerror(-r));
	return r;
}

static int refuse_duplicate(const struct proxyd *pd)
{
	struct ipc_peer peer = {.pid = 0};
	char path[108];
	int fd;

	run_path(pd, "console", path, sizeof path);
	fd = ipc_connect(path);
	if (fd < 0)
		return 0;
	(void)!ipc_peer_get(fd, &peer);
	close(fd);
	log_msg(MSG_CPLT007E, pd->deck.name, (unsigned)peer.pid);
	return -EADDRINUSE;
}

int operator_open(const struct proxyd *pd)
{
	const char *run = daemon_options(pd->daemon)->run_dir;
	char path[108];
	int r = refuse_duplicate(pd);

	if (r < 0)
		return r;
	r = daemon_make_dir(pd->daemon, run, 0755);
	if (r < 0)
		return fail(run, r);
	run_path(pd, "", path, sizeof path);
	r = daemon_make_dir(pd->daemon, path, 0755);
	return r < 0 ? fail(path, r) : 0;
}

static void print_metrics(void *arg, table_write_fn *write, void *write_arg)
{
	struct display d = {
		.pd = arg, .now = mono_now(), .write = write, .arg = write_arg};

	(void)!display_metrics(&d);
}

int operator_start(struct proxyd *pd)
{
	struct ev_loop *l = daemon_loop(pd->daemon);
	char path[108];
	struct console_config c = {.path = path,
				   .table = proxyd_commands,
				   .n_table = proxyd_n_commands,
				   .uid = daemon_uid(pd->daemon),
				   .gid = daemon_gid(pd->daemon)};
	pid_t pid;
	int r;

	run_path(pd, "console", path, sizeof path);
	r = console_new(l, &c, &operator_console, pd, &pd->console, &pid);
	if (r < 0)
		return fail(path, r);
	log_msg(MSG_CPLT053I, path);
	if (!pd->deck.metrics[0])
		return 0;
	r = metrics_new(l, pd->deck.metrics, print_metrics, pd, &pd->metrics);
	return r < 0 ? fail(pd->deck.metrics, r) : 0;
}

void operator_stop(struct proxyd *pd)
{
	char path[108];

	metrics_free(pd->metrics);
	console_free(pd->console);
	if (!pd->daemon)
		return;
	run_path(pd, "", path, sizeof path);
	rmdir(path);
}
