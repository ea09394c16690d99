/*
 * probe.c: CONNECT. Tries to open a TCP connection and tells the three cases
 * apart that look the same to a program whose OPEN ended with RC=4: there is
 * no way to the host, the host refuses, or somebody listens. The socket
 * belongs to no program: its user is NULL.
 */
#include "ev/ev.h"
#include "stackd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROBE_WAIT_DEFAULT_MS 10000

struct probe {
	struct list node;
	struct stackd *sd;
	struct console_cmd *cmd;
	struct ev_timer *timer;
	struct sock *sk;
	struct ip_port to, from;
	char to_text[PORT_TEXT_MAX];
	uint32_t wait_ms;
	mono_t begun;
};

static void probe_free(struct probe *p)
{
	if (p->sk) {
		stack_sock_abort(p->sd->stack, p->sk, mono_now());
		stackd_kick(p->sd);
	}
	list_remove(&p->node);
	p->sd->n_tasks--;
	ev_timer_free(p->timer);
	free(p);
}

struct outcome {
	const char *word; /* for programs */
	const char *text;
};

static struct outcome outcome_of(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return (struct outcome){
			"refused",
			"connection refused: the host answers, but nothing "
			"listens on this port (a program sees OPEN RC=4)"};
	case ENETUNREACH:
	case EHOSTUNREACH:
	case EHOSTDOWN:
	case ENETDOWN:
		return (struct outcome){
			"no-route",
			"no route to host: see QUERY ROUTES and QUERY "
			"NEIGHBOURS (a program sees OPEN RC=4)"};
	case ETIMEDOUT:
		return (struct outcome){
			"timeout",
			"no answer: the host is down, or a firewall drops the "
			"packets (a program sees OPEN RC=4 after a while)"};
	case EPERM:
	case EACCES:
		return (struct outcome){"denied",
					"denied by a rule: see QUERY RULES"};
	default:
		return (struct outcome){"error", strerror(error)};
	}
}

/* error 0 = connected */
static void finish(struct probe *p, int error)
{
	double ms = (double)mono_sub(mono_now(), p->begun).ns / 1e6;
	struct console_cmd *cmd = p->cmd;
	struct outcome oc = outcome_of(error);

	if (console_json(cmd))
		console_printf(cmd,
			       "{\"host\":\"%s\",\"result\":\"%s\","
			       "\"errno\":%d,\"time_ms\":%.3f}\n",
			       p->to_text, error ? oc.word : "connected", error,
			       ms);
	else if (error)
		console_printf(cmd, "%s: %s (%.3f ms)\n", p->to_text, oc.text,
			       ms);
	else
		console_printf(cmd, "%s: connected in %.3f ms\n", p->to_text,
			       ms);
	if (!error) {
		/* a FIN, as a polite program sends it */
		stack_sock_close(p->sd->stack, p->sk, mono_now());
		p->sk = NULL;
		stackd_kick(p->sd);
	}
	probe_free(p);
	console_done(cmd, error ? CONSOLE_FAILED : CONSOLE_OK);
}

static void on_timeout(void *arg)
{
	finish(arg, ETIMEDOUT);
}

static void on_cancel(void *task, bool gone)
{
	struct probe *p = task;

	if (gone)
		probe_free(p);
	else
		finish(p, EINTR);
}

static const struct console_task probe_task = {.cancel = on_cancel};

static bool parse(struct probe *p, struct operands *o)
{
	p->wait_ms = PROBE_WAIT_DEFAULT_MS;
	operands_host(o, &p->sd->deck, "a host name or address", &p->to.addr);
	p->to.port = (uint16_t)operands_number(o, "a port", 1, 65535);
	while (operands_more(o)) {
		if (operands_is(o, "FROM"))
			operands_addr(o, "an address of this stack",
				      &p->from.addr);
		else if (operands_is(o, "WAIT"))
			p->wait_ms = (uint32_t)operands_number(
				o, "milliseconds", 1, 120000);
		else
			break;
	}
	return operands_ok(o, "FROM or WAIT");
}

static int begin(struct probe *p)
{
	const struct ipc_peer *peer = console_peer(p->cmd);
	const struct sock_owner owner = {getpid(), peer->uid, peer->gid};
	struct stack *s = p->sd->stack;
	mono_t now = mono_now();
	int r = stack_sock_new(s, SOCK_TCP, (enum ip_family)p->to.addr.family,
			       &owner, NULL, &p->sk);

	p->begun = now;
	if (r == 0 && p->from.addr.family != IP_NONE)
		r = stack_sock_bind(s, p->sk, &p->from);
	if (r == 0)
		r = stack_sock_connect(s, p->sk, &p->to, now);
	stackd_kick(p->sd);
	return r;
}

void probe_command(struct stackd *sd, struct console_cmd *cmd, int n)
{
	struct operands o = operands_of(cmd, n);
	struct probe *p;
	int r;

	if (sd->n_tasks >= STACKD_TASKS_MAX) {
		console_error(cmd, "too many pings and probes are running");
		console_done(cmd, CONSOLE_FAILED);
		return;
	}
	p = calloc(1, sizeof *p);
	if (!p || ev_timer_new(daemon_loop(sd->daemon), on_timeout, p,
			       &p->timer) < 0) {
		free(p);
		console_error(cmd, "out of memory");
		console_done(cmd, CONSOLE_FAILED);
		return;
	}
	list_push_tail(&sd->probes, &p->node);
	sd->n_tasks++;
	p->sd = sd;
	p->cmd = cmd;
	if (!parse(p, &o)) {
		probe_free(p);
		console_done(cmd, CONSOLE_USAGE);
		return;
	}
	ip_port_format(&p->to, p->to_text);
	console_set_task(cmd, &probe_task, p);
	r = begin(p);
	if (r < 0) {
		finish(p, -r);
		return;
	}
	ev_timer_set(p->timer, DUR_MS(p->wait_ms));
}

void probe_check(struct stackd *sd, mono_t now)
{
	(void)now;
	LIST_FOREACH_SAFE (it, &sd->probes) {
		struct probe *p = container_of(it, struct probe, node);
		unsigned ev = stack_sock_events(sd->stack, p->sk);

		if (ev & SOCK_EV_ERR) {
			int error = sock_error(p->sk, true);

			finish(p, error ? error : ECONNRESET);
		} else if (ev & SOCK_EV_CONN) {
			finish(p, 0);
		}
	}
}

void probe_stop_all(struct stackd *sd)
{
	LIST_FOREACH_SAFE (it, &sd->probes)
		finish(container_of(it, struct probe, node), EINTR);
}
