/* commands.h: the operator commands of tlsd; shared with tlsctl. */
#ifndef COUPLET_TLSD_COMMANDS_H
#define COUPLET_TLSD_COMMANDS_H

#include "console/command.h"

enum {
	CMD_QUERY_RULES,
	CMD_QUERY_CONNECTIONS,
	CMD_QUERY_HANDSHAKES,
	CMD_QUERY_COUNTERS,
	CMD_QUERY_ID,
	CMD_QUERY_DECK,
	CMD_METRICS,
	CMD_RESET,
	CMD_RELOAD,
	CMD_SHUTDOWN,
	CMD_HELP,
};

extern const struct command tlsd_commands[];
extern const size_t tlsd_n_commands;

#endif
