/* operator.c: the console commands; displays are made by display.c. */
#include "commands.h"
#include "console/server.h"
#include "daemon/log.h"
#include "display.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void write_console(void *arg, const char *text, size_t len)
{
	console_write(arg, text, len);
}

static bool no_more(struct console_cmd *cmd, int n)
{
	const struct words *w = console_words(cmd);

	if (w->n == n)
		return true;
	console_error(cmd, "%s: expected no more words", w->w[n]);
	console_done(cmd, CONSOLE_USAGE);
	return false;
}

static void show(struct tlsd *td, struct console_cmd *cmd, int n,
		 int (*fn)(const struct display *d))
{
	struct display d = {.td = td,
			    .json = console_json(cmd),
			    .write = write_console,
			    .arg = cmd};

	if (no_more(cmd, n))
		console_result(cmd, fn(&d));
}

static void print_deck(void *arg, FILE *out)
{
	const struct tlsd *td = arg;

	tlsd_deck_print(&td->deck, out);
}

static void reset(struct tlsd *td, struct console_cmd *cmd, int n)
{
	const struct words *w = console_words(cmd);
	unsigned long long id;
	char *end;

	if (w->n != n + 2 || strcasecmp(w->w[n], "CONNECTION") != 0) {
		console_error(cmd, "RESET: expected CONNECTION and its number");
		console_done(cmd, CONSOLE_USAGE);
		return;
	}
	id = strtoull(w->w[n + 1], &end, 10);
	if (*end || !pair_reset(td, id)) {
		console_error(cmd,
			      "%s: no such connection; QUERY CONNECTIONS "
			      "shows them",
			      w->w[n + 1]);
		console_done(cmd, CONSOLE_FAILED);
		return;
	}
	console_printf(cmd, "connection %llu reset\n", id);
	console_done(cmd, CONSOLE_OK);
}

static void reload(struct tlsd *td, struct console_cmd *cmd)
{
	int r = tlsd_reload(td);

	if (r < 0)
		console_error(cmd, "nothing was changed: %s; the log says why",
			      strerror(-r));
	else
		console_printf(cmd, "%u rules are in force\n", td->rules.n);
	console_done(cmd, r < 0 ? CONSOLE_FAILED : CONSOLE_OK);
}

static void shut_down(struct tlsd *td, struct console_cmd *cmd)
{
	console_printf(cmd, "tlsd %s ends\n", td->deck.id);
	console_done(cmd, CONSOLE_OK);
	daemon_end(td->daemon, 0, "SHUTDOWN");
}

static void command(void *arg, struct console_cmd *cmd, const struct command *c,
		    int n)
{
	struct tlsd *td = arg;

	switch (c->id) {
	case CMD_QUERY_RULES:
		show(td, cmd, n, display_rules);
		break;
	case CMD_QUERY_CONNECTIONS:
		show(td, cmd, n, display_connections);
		break;
	case CMD_QUERY_HANDSHAKES:
		show(td, cmd, n, display_handshakes);
		break;
	case CMD_QUERY_COUNTERS:
		show(td, cmd, n, display_counters);
		break;
	case CMD_QUERY_ID:
		show(td, cmd, n, display_id);
		break;
	case CMD_METRICS:
		show(td, cmd, n, display_metrics);
		break;
	case CMD_QUERY_DECK:
		if (no_more(cmd, n))
			console_print(cmd, print_deck, td);
		break;
	case CMD_RESET:
		reset(td, cmd, n);
		break;
	case CMD_RELOAD:
		if (no_more(cmd, n))
			reload(td, cmd);
		break;
	case CMD_SHUTDOWN:
		if (no_more(cmd, n))
			shut_down(td, cmd);
		break;
	default:
		console_help(cmd);
		break;
	}
}

static void event(void *arg, enum console_event e, const struct ipc_peer *peer,
		  const char *line)
{
	(void)arg;
	switch (e) {
	case CONSOLE_EV_CHANGE:
		log_msg(MSG_CPLT050I, "tlsctl", peer->uid, line);
		break;
	case CONSOLE_EV_REFUSED:
		log_msg(MSG_CPLT051W, peer->uid, line);
		break;
	case CONSOLE_EV_SLOW:
		log_msg(MSG_CPLT052W, (unsigned)peer->pid);
		break;
	}
}

const struct console_ops operator_console = {.command = command,
					     .event = event};
