/*
 * commands.h: the commands of printd's console, as the daemon finds them and
 * as printctl lists them. Pure.
 */
#ifndef COUPLET_PRINTD_COMMANDS_H
#define COUPLET_PRINTD_COMMANDS_H

#include "console/command.h"

enum printd_command {
	CMD_QUERY_LU,
	CMD_QUERY_JOBS,
	CMD_QUERY_JOB,
	CMD_QUERY_ACQUIRE,
	CMD_QUERY_ID,
	CMD_QUERY_DECK,
	CMD_METRICS,
	CMD_HOLD,
	CMD_RELEASE,
	CMD_CANCEL,
	CMD_REQUEUE,
	CMD_MOVE,
	CMD_REPRINT,
	CMD_RESTART,
	CMD_BACK,
	CMD_START,
	CMD_STOP,
	CMD_KILL,
	CMD_REACT,
	CMD_REDIRECT,
	CMD_RELOAD,
	CMD_SHUTDOWN,
	CMD_HELP,
	CMD__COUNT
};

extern const struct command printd_commands[];
extern const size_t printd_n_commands;

#endif
