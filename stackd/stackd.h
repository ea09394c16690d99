/*
 * stackd.h: the daemon as one value, and how its files share the work:
 *
 *   main.c      start, end, reload; what the loop reports
 *   setup.c     deck -> adapters and engine
 *   operator.c  console commands (commands.c is their table)
 *   ping.c probe.c trace.c   the commands that take time
 *   display*.c  what QUERY shows
 */
#ifndef COUPLET_STACKD_H
#define COUPLET_STACKD_H

#include "api/api.h"
#include "base/list.h"
#include "console/metrics.h"
#include "console/operands.h"
#include "console/server.h"
#include "core/stack.h"
#include "daemon/daemon.h"
#include "deck.h"
#include "display.h"
#include "loop.h"
#include "osa/osa.h"

#define STACKD_TASKS_MAX 32 /* pings and probes at once */

struct stackd_random {
	uint8_t buf[512];
	size_t used;
};

struct stackd {
	struct daemon *daemon; /* from open() to stop() */
	struct stackd_deck deck;
	struct stackd_random random;
	struct osa_port *ports[DECK_DEVICES_MAX];
	uint32_t ifindex[DECK_DEVICES_MAX]; /* of ports[i], 0 = none yet */
	uint32_t n_ports;
	struct stack *stack;
	struct loop *loop;
	struct api *api;
	struct ev_timer *kick;     /* runs the loop after console commands */
	struct ev_timer *interval; /* INTERVAL of the deck */
	struct console *console;
	struct metrics *metrics;
	mono_t started;
	struct list pings, probes;
	unsigned n_tasks;
	uint16_t next_ping_id;
	struct osa_trace *trace;
	struct ev_timer *trace_timer; /* watches for its end */
	char trace_file[256];
};

/* ---- main.c
 * ------------------------------------------------------------------ */

/* Says that a call into the engine was made: the loop runs soon. */
void stackd_kick(struct stackd *sd);
/* Everything that displays need, but for where to write. */
struct display stackd_display(const struct stackd *sd);

/* ---- setup.c
 * ----------------------------------------------------------------- */

/* Opens every adapter of the deck; errors are logged. Privileged. */
int setup_open_ports(struct stackd *sd) MUST_USE;
void setup_close_ports(struct stackd *sd);
/* Makes the engine the deck describes: interfaces, addresses, routes, rules.
 * Errors are logged. */
int setup_make_stack(struct stackd *sd) MUST_USE;
/* The interface of a DEVICE, 0 = none. */
uint32_t setup_ifindex(const struct stackd *sd, const char *device);
/* Rules of `deck` in place of those in force. 0 or negative errno. */
int setup_replace_rules(struct stackd *sd,
			const struct stackd_deck *deck) MUST_USE;
/* One route of a deck into the engine, or out of it. 0 or negative errno. */
int setup_route(struct stackd *sd, const struct deck_route *r,
		bool add) MUST_USE;
/* Takes over what may change while the stack runs; the rest is named in the
 * log. 0 or negative errno, then nothing was changed. */
int setup_reload(struct stackd *sd, struct stackd_deck *next) MUST_USE;

/* ---- operator.c
 * ---------------------------------------------------------------- */

extern const struct console_ops operator_console;

/* ---- commands that take time
 * ------------------------------------------------- */

/* `n`: index of the first word behind the keyword. All of them end the
 * command at some time by console_done(). */
void ping_command(struct stackd *sd, struct console_cmd *cmd, int n);
/* An event of layer 3 that may concern a ping. */
void ping_event(struct stackd *sd, const struct ip_event *ev, mono_t now);
/* Ends all of them: the daemon stops. */
void ping_stop_all(struct stackd *sd);

/* CONNECT. */
void probe_command(struct stackd *sd, struct console_cmd *cmd, int n);
/* Looks at the sockets of all probes, after the loop has run. */
void probe_check(struct stackd *sd, mono_t now);
void probe_stop_all(struct stackd *sd);

/* TRACE START, STOP, STATUS. */
void trace_start(struct stackd *sd, struct console_cmd *cmd, int n);
/* Ends it and tells how many packets it has. */
void trace_stop(struct stackd *sd, struct console_cmd *cmd);
/* Tells whether one runs, and its size so far. */
void trace_status(struct stackd *sd, struct console_cmd *cmd);
/* Ends it without a command, for the log. */
void trace_end(struct stackd *sd, const char *why);

/* ---- operator.c
 * ------------------------------------------------------------------ */

/* A literal address, or a name of the HOST table. */
void operands_host(struct operands *o, const struct stackd_deck *deck,
		   const char *what, struct ip_addr *ret);

#endif
