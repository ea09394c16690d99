#include "commands.h"

#define SHOW COMMAND_SHOW
#define CHANGE COMMAND_CHANGE

const struct command proxyd_commands[] = {
	{"QUERY|Q PROXIES|PROXY", "", "every PROXY with its state and traffic",
	 SHOW, 0, 0, CMD_QUERY_PROXIES},
	{"QUERY|Q TARGETS|TARGET", "",
	 "servers: addresses, health, connections", SHOW, 0, 0,
	 CMD_QUERY_TARGETS},
	{"QUERY|Q FLOWS|FLOW|CONNECTIONS", "[PORT n] [ADDRESS a[/n]] [STATE s]",
	 "connections: both ends, bytes, age", SHOW, 0, 0, CMD_QUERY_FLOWS},
	{"QUERY|Q UDP", "", "flows of PROXY UDP", SHOW, 0, 0, CMD_QUERY_UDP},
	{"QUERY|Q COUNTERS|COUNTER", "[ALL]",
	 "counters that are not zero, or all of them", SHOW, 0, 0,
	 CMD_QUERY_COUNTERS},
	{"QUERY|Q ID", "", "this proxyd: ID, version, age, connections", SHOW,
	 0, 0, CMD_QUERY_ID},
	{"QUERY|Q DECK", "", "the deck in force, in canonical form", SHOW, 0, 0,
	 CMD_QUERY_DECK},
	{"METRICS", "", "all counters in the Prometheus text format", SHOW, 0,
	 0, CMD_METRICS},
	{"PORT", "n SUSPEND|RESUME",
	 "refuse new connections to the PROXYs on a port, or accept them again",
	 CHANGE, 0, 0, CMD_PORT},
	{"TARGET", "host OFF|ON [port]",
	 "send no new connections to a server, or do so again", CHANGE, 0, 0,
	 CMD_TARGET},
	{"RESET", "FLOW id", "end a connection at once: both sides see a reset",
	 CHANGE, 0, 0, CMD_RESET},
	{"DRAIN", "", "take no new connections and end when the last has ended",
	 CHANGE, 0, 0, CMD_DRAIN},
	{"SHUTDOWN", "", "end proxyd; connections are reset", CHANGE, 0, 0,
	 CMD_SHUTDOWN},
	{"HELP", "", "this list", SHOW, 0, 0, CMD_HELP},
};

const size_t proxyd_n_commands = ARRAY_SIZE(proxyd_commands);
