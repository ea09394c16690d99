#include "commands.h"

#define SHOW COMMAND_SHOW
#define CHANGE COMMAND_CHANGE

const struct command tlsd_commands[] = {
	{"QUERY|Q RULES|RULE", "", "rules, and what they came to", SHOW, 0, 0,
	 CMD_QUERY_RULES},
	{"QUERY|Q CONNECTIONS|CONNECTION|CONN", "",
	 "connections with version, suite, peer and traffic", SHOW, 0, 0,
	 CMD_QUERY_CONNECTIONS},
	{"QUERY|Q HANDSHAKES|HANDSHAKE", "",
	 "the last handshakes, failed ones with the reason", SHOW, 0, 0,
	 CMD_QUERY_HANDSHAKES},
	{"QUERY|Q COUNTERS|COUNTER", "", "counters of all rules together", SHOW,
	 0, 0, CMD_QUERY_COUNTERS},
	{"QUERY|Q ID", "", "this tlsd: ID, version, age, connections", SHOW, 0,
	 0, CMD_QUERY_ID},
	{"QUERY|Q DECK", "", "the deck in force, in canonical form", SHOW, 0, 0,
	 CMD_QUERY_DECK},
	{"METRICS", "", "all counters in the Prometheus text format", SHOW, 0,
	 0, CMD_METRICS},
	{"RESET", "CONNECTION id",
	 "end a connection at once: both sides see a reset", CHANGE, 0, 0,
	 CMD_RESET},
	{"RELOAD", "",
	 "read deck, key files and CA files again; connections go on", CHANGE,
	 0, 0, CMD_RELOAD},
	{"SHUTDOWN", "", "end tlsd; its connections are reset", CHANGE, 0, 0,
	 CMD_SHUTDOWN},
	{"HELP", "", "this list", SHOW, 0, 0, CMD_HELP},
};

const size_t tlsd_n_commands = ARRAY_SIZE(tlsd_commands);
