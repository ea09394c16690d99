/*
 * stackd.h: the daemon as one value, and how its files share the work:
 *
 *   main.c      start, end, reload; what the loop reports
 *   setup.c     deck -> adapters and engine
 *   operator.c  console commands (commands.c is their table)
 *   ping.c probe.c trace.c   the commands that take time
 *   metrics.c   the Prometheus socket
 *   display*.c  what QUERY shows
 */
#ifndef COUPLET_STACKD_H
#define COUPLET_STACKD_H

#include "api/api.h"
#include "base/list.h"
#include "console/server.h"
#include "core/stack.h"
#include "daemon/daemon.h"
#include "deck.h"
#include "display.h"
#include "loop.h"
#include "osa/osa.h"

struct metrics;

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

/* ---- metrics.c
 * ------------------------------------------------------------------ */

/* Serves the Prometheus text at the AF_UNIX stream socket `path`. */
int metrics_new(struct stackd *sd, const char *path,
		struct metrics **ret) MUST_USE;
void metrics_free(struct metrics *m);

/* ---- operands.c
 * ------------------------------------------------------------------ */

struct console_cmd;

/* Reader of the words behind a command. The first mistake is told to the
 * client and ends the reading; check operands_ok() once. */
struct operands {
	struct console_cmd *cmd;
	int next;
	bool bad;
};

/* Begins at word `first`. */
struct operands operands_of(struct console_cmd *cmd, int first);
/* The next word, or NULL and a complaint that names `what`. */
const char *operands_word(struct operands *o, const char *what);
/* Takes the next word if it is `word`. */
bool operands_is(struct operands *o, const char *word);
/* Is a word left, and no mistake met? */
bool operands_more(const struct operands *o);
/* Decimal, lo..hi; `lo` on a mistake. */
uint64_t operands_number(struct operands *o, const char *what, uint64_t lo,
			 uint64_t hi);
/* "64K", "10M", "1G" or plain bytes. */
uint64_t operands_size(struct operands *o, const char *what, uint64_t hi);
/* Either family; untouched on a mistake. */
void operands_addr(struct operands *o, const char *what, struct ip_addr *ret);
/* "addr/n", or an address alone: all its bits. */
void operands_prefix(struct operands *o, const char *what,
		     struct ip_prefix *ret);
/* A literal address, or a name of the HOST table. */
void operands_host(struct operands *o, const struct stackd_deck *deck,
		   const char *what, struct ip_addr *ret);
/* Complains about the next word: "X: expected ...". */
void operands_expected(struct operands *o, const char *expected);
/* No word may be left. True when everything was right. */
bool operands_ok(struct operands *o, const char *expected);

#endif
