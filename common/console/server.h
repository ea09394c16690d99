/*
 * server.h: the operator console of a daemon: an AF_UNIX SOCK_SEQPACKET
 * socket on which commands arrive and answers go out.
 *
 * Everybody may connect; who may do what is decided by the kernel's word on
 * who that is: changes by root and the daemon's own user, displays also by
 * members of the daemon's group and by whom ops->may_show() admits. Others
 * get one sentence and are cut off.
 *
 * A client that does not read costs CONSOLE_QUEUE_MAX bytes and is then cut
 * off; at most CONSOLE_SESSIONS_MAX sessions live at once, and one uid other
 * than root holds at most CONSOLE_SESSIONS_PER_UID of them.
 *
 * This room writes no log; ops->event() tells.
 */
#ifndef COUPLET_CONSOLE_SERVER_H
#define COUPLET_CONSOLE_SERVER_H

#include "console/command.h"
#include "ipc/ipc.h"

#include <stdio.h>

struct ev_loop;
struct console;
struct console_cmd;

#define CONSOLE_SESSIONS_MAX 32
#define CONSOLE_SESSIONS_PER_UID 8
#define CONSOLE_QUEUE_MAX (8u << 20)

enum console_event {
	CONSOLE_EV_CHANGE,  /* a command that changes something runs */
	CONSOLE_EV_REFUSED, /* not for this user */
	CONSOLE_EV_SLOW,    /* cut off: did not read */
};

struct console_ops {
	/*
	 * A command was found in the table and its sender may give it. Words
	 * after the keywords are console_words()[n_keywords...]. Answer by
	 * console_printf() and console_done(), now or later.
	 */
	void (*command)(void *arg, struct console_cmd *cmd,
			const struct command *c, int n_keywords);
	/* May this user look at displays, though he is not in our group? */
	bool (*may_show)(void *arg, const struct ipc_peer *peer, int fd);
	void (*event)(void *arg, enum console_event e,
		      const struct ipc_peer *peer, const char *line);
};

struct console_config {
	const char *path;            /* of the socket */
	const struct command *table; /* borrowed */
	size_t n_table;
	uid_t uid; /* daemon's user: may change things */
	gid_t gid; /* daemon's group: may look at things */
};

/* 0; -EADDRINUSE: somebody serves there already (*ret_pid, 0 unknown); or
 * negative errno. */
int console_new(struct ev_loop *l, const struct console_config *cfg,
		const struct console_ops *ops, void *arg, struct console **ret,
		pid_t *ret_pid) MUST_USE;
/* Cancels what runs, removes the socket. */
void console_free(struct console *c);

/* ---- for commands that run ------------------------------------------------
 */

/* The words of the command line; valid until console_done(). */
const struct words *console_words(const struct console_cmd *cmd);
/* Was --json asked for? */
bool console_json(const struct console_cmd *cmd);
/* Who gave the command, as the kernel says. */
const struct ipc_peer *console_peer(const struct console_cmd *cmd);
/* The descriptor that came with the command (caller's now), or -1. */
int console_take_fd(struct console_cmd *cmd);

/* Output; kept and sent in large pieces, at the latest by console_flush() or
 * console_done(). What a cut-off client would get is dropped silently. */
void console_write(struct console_cmd *cmd, const char *text, size_t len);
void console_printf(struct console_cmd *cmd, const char *fmt, ...)
	PRINTF_LIKE(2, 3);
/* One line for stderr, newline added. */
void console_error(struct console_cmd *cmd, const char *fmt, ...)
	PRINTF_LIKE(2, 3);
void console_flush(struct console_cmd *cmd);
/* Ends the command with an exit status of proto.h; `cmd` is gone. */
void console_done(struct console_cmd *cmd, int status);
/* Ends the command: well, or with what the negative errno `r` means. */
void console_result(struct console_cmd *cmd, int r);
/* Ends the command with a list of all commands: HELP. */
void console_help(struct console_cmd *cmd);
/* Ends the command with the lines that `print` writes to `out`; with --json
 * an array of {"record": line}. */
void console_print(struct console_cmd *cmd, void (*print)(void *arg, FILE *out),
		   void *arg);

struct console_task {
	/* There is room for output: make some, at most a few hundred lines,
	 * and return; called again on the next turn of the loop while it
	 * returns true. NULL for tasks that run by themselves. */
	bool (*more)(void *task, struct console_cmd *cmd);
	/* The client asked to end (`gone` false: still there, may be told a
	 * last word, call console_done() soon) or has gone (`gone` true: forget
	 * `cmd`, free the task). */
	void (*cancel)(void *task, bool gone);
};

/* The command goes on after ops->command() returned. */
void console_set_task(struct console_cmd *cmd, const struct console_task *ops,
		      void *task);

#endif
