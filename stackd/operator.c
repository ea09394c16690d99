/*
 * operator.c: the console commands that answer at once. Displays are made by
 * display*.c; what changes the deck in force goes through deck.c, then to the
 * engine, then into the deck.
 */
#include "commands.h"
#include "daemon/log.h"
#include "deck/deck.h"
#include "stackd.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SOCKETS_PER_TURN 50 /* less than a millisecond */

static void write_console(void *arg, const char *text, size_t len)
{
	console_write(arg, text, len);
}

static struct display display_for(struct stackd *sd, struct console_cmd *cmd)
{
	struct display d = stackd_display(sd);

	d.json = console_json(cmd);
	d.write = write_console;
	d.arg = cmd;
	return d;
}

void operands_host(struct operands *o, const struct stackd_deck *deck,
		   const char *what, struct ip_addr *ret)
{
	const char *w = operands_word(o, what);

	if (!w || ip_parse(w, ret) == 0)
		return;
	for (uint32_t i = 0; i < deck->n_hosts; i++) {
		if (strcasecmp(deck->hosts[i].name, w) == 0) {
			*ret = deck->hosts[i].addr;
			return;
		}
	}
	o->bad = true;
	console_error(
		o->cmd,
		"%s: unknown host: no address, not in the HOST table, not "
		"known to a name server",
		w);
}

/* ---- QUERY
 * ---------------------------------------------------------------------- */

typedef int display_fn(const struct display *d);

static void show(struct stackd *sd, struct console_cmd *cmd, int n,
		 display_fn *fn)
{
	struct operands o = operands_of(cmd, n);
	struct display d = display_for(sd, cmd);

	if (!operands_ok(&o, "no more words"))
		console_done(cmd, CONSOLE_USAGE);
	else
		console_result(cmd, fn(&d));
}

static void show_counters(struct stackd *sd, struct console_cmd *cmd, int n)
{
	struct operands o = operands_of(cmd, n);
	struct display d = display_for(sd, cmd);
	bool all = operands_is(&o, "ALL");

	if (!operands_ok(&o, "ALL"))
		console_done(cmd, CONSOLE_USAGE);
	else
		console_result(cmd, display_counters(&d, all));
}

static void print_deck(void *arg, FILE *out)
{
	const struct stackd *sd = arg;

	stackd_deck_print(&sd->deck, out);
}

/* ---- QUERY SOCKETS
 * ------------------------------------------------------------------ */

static bool sockets_more(void *task, struct console_cmd *cmd)
{
	int r;

	if (sockets_display_more(task, SOCKETS_PER_TURN, write_console, cmd,
				 &r) &&
	    r == 0)
		return true;
	sockets_display_free(task);
	console_result(cmd, r);
	return false;
}

static void sockets_cancel(void *task, bool gone)
{
	/* asked to end: the next turn finds nothing to wait for, and what is
	 * left is short */
	if (gone)
		sockets_display_free(task);
}

static const struct console_task sockets_task = {sockets_more, sockets_cancel};

static const char *const states[] = {
	"ESTAB",    "LISTEN",     "UNCONN",     "SYN-SENT",
	"SYN-RECV", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT",
	"CLOSED",   "CLOSE-WAIT", "CLOSING",    "LAST-ACK",
};

static void read_state(struct operands *o, struct sockets_filter *f)
{
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		if (operands_is(o, states[i])) {
			snprintf(f->state, sizeof f->state, "%s", states[i]);
			return;
		}
	}
	if (operands_is(o, "ESTABLISHED"))
		snprintf(f->state, sizeof f->state, "ESTAB");
	else
		operands_expected(o, "a state such as ESTAB, LISTEN, SYN-SENT, "
				     "FIN-WAIT-1, CLOSE-WAIT, TIME-WAIT, "
				     "UNCONN");
}

static bool read_filter(struct operands *o, struct sockets_filter *f)
{
	while (operands_more(o)) {
		if (operands_is(o, "TCP"))
			f->tcp = true;
		else if (operands_is(o, "UDP"))
			f->udp = true;
		else if (operands_is(o, "V4"))
			f->family = IP_V4;
		else if (operands_is(o, "V6"))
			f->family = IP_V6;
		else if (operands_is(o, "STATE"))
			read_state(o, f);
		else if (operands_is(o, "PORT"))
			f->port = (uint32_t)operands_number(o, "a port", 1,
							    65535);
		else if (operands_is(o, "ADDRESS") || operands_is(o, "ADDR"))
			operands_prefix(o, "an address or address/length",
					&f->addr);
		else if (operands_is(o, "PID"))
			f->pid = (pid_t)operands_number(o, "a process", 1,
							INT32_MAX);
		else if (operands_is(o, "UID")) {
			f->uid = (uid_t)operands_number(o, "a user number", 0,
							UINT32_MAX);
			f->uid_given = true;
		} else if (operands_is(o, "SOCKET"))
			f->id = operands_number(o, "an id of QUERY SOCKETS", 1,
						UINT64_MAX);
		else
			break;
	}
	return operands_ok(o, "TCP, UDP, V4, V6, STATE, PORT, ADDRESS, PID, "
			      "UID or SOCKET");
}

static void show_sockets(struct stackd *sd, struct console_cmd *cmd, int n)
{
	struct operands o = operands_of(cmd, n);
	struct display d = display_for(sd, cmd);
	struct sockets_filter f = {.tcp = false};
	struct sockets_display *picture;

	if (!read_filter(&o, &f)) {
		console_done(cmd, CONSOLE_USAGE);
		return;
	}
	picture = sockets_display_new(&d, &f);
	if (picture)
		console_set_task(cmd, &sockets_task, picture);
	else
		console_result(cmd, -ENOMEM);
}

/* ---- PORT, RESET
 * ------------------------------------------------------------------------ */

static void port_command(struct stackd *sd, struct console_cmd *cmd, int n)
{
	struct operands o = operands_of(cmd, n);
	uint16_t port = (uint16_t)operands_number(&o, "a port", 1, 65535);
	bool suspend = operands_is(&o, "SUSPEND");

	if (!suspend && !operands_is(&o, "RESUME"))
		operands_expected(&o, "SUSPEND or RESUME");
	if (!operands_ok(&o, "no more words")) {
		console_done(cmd, CONSOLE_USAGE);
		return;
	}
	stack_port_suspend(sd->stack, port, suspend);
	log_msg(MSG_CPLT303I, port, suspend ? "suspended" : "resumed");
	console_printf(cmd, "port %u %s\n", port,
		       suspend ? "suspended" : "resumed");
	console_done(cmd, CONSOLE_OK);
}

static void tls_release(struct stackd *sd, struct console_cmd *cmd, int n)
{
	struct operands o = operands_of(cmd, n);
	int r;

	if (!operands_ok(&o, "no more words")) {
		console_done(cmd, CONSOLE_USAGE);
		return;
	}
	r = api_divert_release(sd->api, mono_now());
	stackd_kick(sd);
	if (r == -EBUSY)
		console_error(cmd, "tlsd is there: end it first, or change its "
				   "deck");
	else
		console_printf(cmd, "nothing is taken over\n");
	console_done(cmd, r < 0 ? CONSOLE_FAILED : CONSOLE_OK);
}

static struct sock *find_socket(struct stackd *sd, uint64_t id)
{
	struct sock_info s;
	uint64_t it = 0;

	while (stack_iter_sock(sd->stack, &it, &s))
		if (s.sk && s.id == id)
			return s.sk;
	return NULL;
}

static void reset_command(struct stackd *sd, struct console_cmd *cmd, int n)
{
	struct operands o = operands_of(cmd, n);
	struct sock *sk;
	uint64_t id;

	if (!operands_is(&o, "SOCKET"))
		operands_expected(&o, "SOCKET and an id of QUERY SOCKETS");
	id = operands_number(&o, "an id of QUERY SOCKETS", 1, UINT64_MAX);
	if (!operands_ok(&o, "no more words")) {
		console_done(cmd, CONSOLE_USAGE);
		return;
	}
	sk = find_socket(sd, id);
	if (!sk || !sock_tcp(sk)) {
		console_error(cmd, "no TCP connection has the id %llu",
			      (unsigned long long)id);
		console_done(cmd, CONSOLE_FAILED);
		return;
	}
	stack_sock_reset(sd->stack, sk, mono_now());
	stackd_kick(sd);
	console_printf(cmd, "socket %llu reset\n", (unsigned long long)id);
	console_done(cmd, CONSOLE_OK);
}

/* ---- commands of the deck
 * ----------------------------------------------------------------- */

static int tell_engine(struct stackd *sd, const struct stackd_change *c)
{
	switch (c->kind) {
	case STACKD_CHANGE_RULE:
		return ip_rule_add(stack_ip(sd->stack), &c->rule);
	case STACKD_CHANGE_RULES_CLEAR:
		ip_rule_clear(stack_ip(sd->stack));
		return 0;
	case STACKD_CHANGE_ROUTE:
		return setup_route(sd, &c->route, true);
	case STACKD_CHANGE_ROUTE_DEL:
		return setup_route(sd, &c->route, false);
	case STACKD_CHANGE_TCP:
		stack_tcp_env(sd->stack)->tune = c->tcp;
		return 0;
	case STACKD_CHANGE_IP:
		ip_stack_set_tune(stack_ip(sd->stack), &c->ip);
		return 0;
	case STACKD_CHANGE_HOST:
	case STACKD_CHANGE_HOST_DEL:
	case STACKD_CHANGE_DNS:
	case STACKD_CHANGE_DNS_DEL:
		return 0; /* the api looks into the deck */
	}
	return -EINVAL;
}

static const char *change_error(int r)
{
	switch (r) {
	case -EEXIST:
		return "is there already";
	case -ENOENT:
	case -ESRCH:
		return "is not there";
	case -ENOSPC:
		return "there are too many";
	default:
		return strerror(-r);
	}
}

/* The command line again, one blank between words. */
static void join(const struct words *w, char *buf, size_t len)
{
	size_t used = 0;

	buf[0] = '\0';
	for (int i = 0; i < w->n && used + 1 < len; i++) {
		snprintf(buf + used, len - used, "%s%s", i ? " " : "", w->w[i]);
		used = strlen(buf);
	}
}

static void deck_command(struct stackd *sd, struct console_cmd *cmd)
{
	char line[CONSOLE_LINE_MAX + 1];
	struct deck_report rep;
	struct stackd_change c;
	int r;

	join(console_words(cmd), line, sizeof line);
	deck_report_init(&rep);
	r = stackd_deck_command(line, &sd->deck, &c, &rep);
	for (uint32_t i = 0; i < rep.n_notes; i++)
		console_error(cmd, "%s: %s",
			      deck_severity_name(rep.notes[i].severity),
			      rep.notes[i].text);
	deck_report_fini(&rep);
	if (r < 0) {
		console_done(cmd,
			     r == -EINVAL ? CONSOLE_USAGE : CONSOLE_FAILED);
		return;
	}
	r = tell_engine(sd, &c);
	if (r == 0)
		r = stackd_deck_apply(&sd->deck, &c);
	stack_kick(sd->stack);
	stackd_kick(sd);
	if (r < 0)
		console_error(cmd, "%s: %s", line, change_error(r));
	console_done(cmd, r < 0 ? CONSOLE_FAILED : CONSOLE_OK);
}

/* ---- the rest
 * -----------------------------------------------------------------------------------
 */

static void shutdown_command(struct stackd *sd, struct console_cmd *cmd)
{
	console_printf(cmd, "stack %s ends\n", sd->deck.id);
	console_done(cmd, CONSOLE_OK);
	daemon_end(sd->daemon, 0, "SHUTDOWN");
}

static display_fn *const displays[CMD__COUNT] = {
	[CMD_QUERY_LINKS] = display_links,
	[CMD_QUERY_ADDRESSES] = display_addresses,
	[CMD_QUERY_ROUTES] = display_routes,
	[CMD_QUERY_NEIGHBOURS] = display_neighbours,
	[CMD_QUERY_OSA] = display_osa,
	[CMD_QUERY_PORTS] = display_ports,
	[CMD_QUERY_MEMORY] = display_memory,
	[CMD_QUERY_HOSTS] = display_hosts,
	[CMD_QUERY_DNS] = display_dns,
	[CMD_QUERY_RULES] = display_rules,
	[CMD_QUERY_ID] = display_id,
	[CMD_QUERY_TLS] = display_tls,
	[CMD_QUERY_TLSRULES] = display_tls_rules,
	[CMD_METRICS] = display_metrics,
};

static void on_command(void *arg, struct console_cmd *cmd,
		       const struct command *c, int n)
{
	struct stackd *sd = arg;

	if (displays[c->id]) {
		show(sd, cmd, n, displays[c->id]);
		return;
	}
	switch (c->id) {
	case CMD_QUERY_SOCKETS:
		show_sockets(sd, cmd, n);
		break;
	case CMD_QUERY_COUNTERS:
		show_counters(sd, cmd, n);
		break;
	case CMD_QUERY_DECK:
		console_print(cmd, print_deck, sd);
		break;
	case CMD_PING:
		ping_command(sd, cmd, n);
		break;
	case CMD_CONNECT:
		probe_command(sd, cmd, n);
		break;
	case CMD_PORT:
		port_command(sd, cmd, n);
		break;
	case CMD_RESET:
		reset_command(sd, cmd, n);
		break;
	case CMD_TLS_RELEASE:
		tls_release(sd, cmd, n);
		break;
	case CMD_TRACE_START:
		trace_start(sd, cmd, n);
		break;
	case CMD_TRACE_STOP:
		trace_stop(sd, cmd);
		break;
	case CMD_TRACE_STATUS:
		trace_status(sd, cmd);
		break;
	case CMD_DECK:
		deck_command(sd, cmd);
		break;
	case CMD_SHUTDOWN:
		shutdown_command(sd, cmd);
		break;
	default:
		console_help(cmd);
		break;
	}
}

static bool may_show(void *arg, const struct ipc_peer *peer, int fd)
{
	const struct stackd *sd = arg;

	for (uint32_t i = 0; i < sd->deck.n_allow_uid; i++)
		if (sd->deck.allow_uid[i] == peer->uid)
			return true;
	for (uint32_t i = 0; i < sd->deck.n_allow_gid; i++)
		if (ipc_peer_in_group(fd, sd->deck.allow_gid[i]))
			return true;
	return false;
}

static void on_event(void *arg, enum console_event e,
		     const struct ipc_peer *peer, const char *line)
{
	(void)arg;
	switch (e) {
	case CONSOLE_EV_CHANGE:
		log_msg(MSG_CPLT050I, "stackctl", peer->uid, line);
		break;
	case CONSOLE_EV_REFUSED:
		log_msg(MSG_CPLT051W, peer->uid, line);
		break;
	case CONSOLE_EV_SLOW:
		log_msg(MSG_CPLT052W, (unsigned)peer->pid);
		break;
	}
}

const struct console_ops operator_console = {on_command, may_show, on_event};
