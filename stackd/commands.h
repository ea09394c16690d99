/*
 * commands.h: the commands of stackd's console, as the daemon finds them and
 * as stackctl lists them. Pure.
 */
#ifndef COUPLET_STACKD_COMMANDS_H
#define COUPLET_STACKD_COMMANDS_H

#include "console/command.h"

enum stackd_command {
	CMD_QUERY_LINKS,
	CMD_QUERY_ADDRESSES,
	CMD_QUERY_ROUTES,
	CMD_QUERY_NEIGHBOURS,
	CMD_QUERY_OSA,
	CMD_QUERY_SOCKETS,
	CMD_QUERY_PORTS,
	CMD_QUERY_COUNTERS,
	CMD_QUERY_MEMORY,
	CMD_QUERY_HOSTS,
	CMD_QUERY_DNS,
	CMD_QUERY_RULES,
	CMD_QUERY_ID,
	CMD_QUERY_DECK,
	CMD_QUERY_TLS,
	CMD_QUERY_TLSRULES,
	CMD_METRICS,
	CMD_PING,
	CMD_CONNECT,
	CMD_PORT,
	CMD_RESET,
	CMD_TLS_RELEASE,
	CMD_TRACE_START,
	CMD_TRACE_STOP,
	CMD_TRACE_STATUS,
	CMD_DECK, /* a command of the deck language */
	CMD_SHUTDOWN,
	CMD_HELP,
	CMD__COUNT
};

extern const struct command stackd_commands[];
extern const size_t stackd_n_commands;

#endif
