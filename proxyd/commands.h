/*
 * commands.h: the commands of proxyd's console, as the daemon finds them and
 * as proxyctl lists them. Pure.
 */
#ifndef COUPLET_PROXYD_COMMANDS_H
#define COUPLET_PROXYD_COMMANDS_H

#include "console/command.h"

enum proxyd_command {
	CMD_QUERY_PROXIES,
	CMD_QUERY_TARGETS,
	CMD_QUERY_FLOWS,
	CMD_QUERY_UDP,
	CMD_QUERY_COUNTERS,
	CMD_QUERY_ID,
	CMD_QUERY_DECK,
	CMD_METRICS,
	CMD_PORT,
	CMD_TARGET,
	CMD_RESET,
	CMD_DRAIN,
	CMD_SHUTDOWN,
	CMD_HELP,
	CMD__COUNT
};

extern const struct command proxyd_commands[];
extern const size_t proxyd_n_commands;

#endif
