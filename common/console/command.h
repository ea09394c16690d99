/*
 * command.h: command lines into words, and words to a command of a table.
 * Pure. The tables are shared by a daemon and its console program, so that
 * help needs no running daemon.
 */
#ifndef COUPLET_CONSOLE_COMMAND_H
#define COUPLET_CONSOLE_COMMAND_H

#include "base/base.h"
#include "console/proto.h"

enum command_right {
	COMMAND_SHOW,   /* looks at something */
	COMMAND_CHANGE, /* changes something: the administrator only */
};

struct command {
	const char *words; /* leading keywords, "|" between spellings:
			    * "QUERY|Q NEIGHBOURS|NEIGH" */
	const char *args;  /* grammar of what follows, for help */
	const char *what;  /* one line */
	enum command_right right;
	int file_word; /* index of the word that names a file which the
			* client opens for writing and passes; 0 = none */
	int host_word; /* index of a host name that the client may resolve
			* by the stack's DNS; 0 = none */
	int id;        /* whatever the daemon switches on */
};

struct words {
	int n;
	char *w[CONSOLE_WORDS_MAX]; /* into text */
	char text[CONSOLE_LINE_MAX + 1];
};

/*
 * Splits at blanks; '...' and "..." keep blanks; a record that begins with
 * `*` is a comment: no words. 0, -E2BIG (too many words), -EMSGSIZE (line
 * too long), -EINVAL (quote not closed).
 */
int words_split(struct words *ret, const char *line) MUST_USE;

/*
 * Turns a command as the z/VSE console takes it, MSG job,D=command or
 * MSG job,DATA=command, into the command itself; MSG job alone asks for the
 * state: QUERY ID. Which daemon is meant has been said otherwise, so the job
 * is not looked at. Other words are left alone.
 */
void words_from_msg(struct words *w);

/*
 * The command whose leading keywords match, the longest of them; *ret_n is
 * their number. NULL: no such command, and `err` says what was expected.
 */
const struct command *command_find(const struct command *table, size_t n,
				   const struct words *w, int *ret_n, char *err,
				   size_t err_len);

/* First spelling of the leading keywords: "QUERY NEIGHBOURS". Returns buf. */
const char *command_name(const struct command *c, char *buf, size_t len);

#endif
