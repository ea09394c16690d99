/*
 * smtp.c: STARTTLS of SMTP [RFC3207].
 */
#include "upgrade/machine.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum state {
	/* server: the greeting of the program goes to the client; then the
	 * machine answers until STARTTLS, or gives the connection up to the
	 * program after EHLO */
	S_GREETING,
	S_COMMANDS,
	S_REPLAY, /* the program's answer to the EHLO it has not seen */
	/* client */
	C_GREETING,
	C_EHLO,
	C_STARTTLS,
};

/* Is this line of a reply its last? "250 x" and "250", not "250-x". */
static bool is_last(const char *line)
{
	return strlen(line) < 4 || line[3] != '-';
}

/* The command, and what is behind it: NULL, or "" for nothing. */
static const char *after(const char *line, const char *command)
{
	size_t n = strlen(command);

	if (strncasecmp(line, command, n) != 0 ||
	    (line[n] && line[n] != ' ' && line[n] != '\t'))
		return NULL;
	line += n;
	return line + strspn(line, " \t");
}

/* ---- server -------------------------------------------------------------- */

/* "220 mail.example.org ESMTP": the host that our own replies speak for. */
static void learn_name(struct upgrade *u, const char *line)
{
	size_t n;

	if (strlen(line) < 5)
		return;
	n = strcspn(line + 4, " \t");
	if (n == 0 || n >= sizeof u->name)
		return;
	memcpy(u->name, line + 4, n);
	u->name[n] = '\0';
}

static bool pass_greeting(struct upgrade *u)
{
	char line[UPGRADE_LINE_MAX + 1];

	if (!machine_line(u, UPGRADE_CLEAR, line))
		return false;
	if (u->lines++ == 0)
		learn_name(u, line);
	machine_say(u, UPGRADE_WIRE, line);
	machine_say(u, UPGRADE_WIRE, "\r\n");
	if (!is_last(line)) {
		if (u->lines > UPGRADE_LINES_MAX)
			machine_fail(u, "the program's greeting has no end");
		return true;
	}
	if (strncmp(line, "220", 3) != 0)
		machine_over(u, UPGRADE_CLOSE); /* 421, 554: it does not want */
	u->state = S_COMMANDS;
	return true;
}

static void answer(struct upgrade *u, const char *code, const char *text)
{
	machine_say(u, UPGRADE_WIRE, code);
	machine_say(u, UPGRADE_WIRE, text);
	machine_say(u, UPGRADE_WIRE, "\r\n");
}

static void answer_hello(struct upgrade *u, const char *line, bool extended)
{
	(void)snprintf(u->keep, sizeof u->keep, "%s", line);
	u->kept = strlen(u->keep);
	answer(u, extended ? "250-" : "250 ", u->name);
	if (extended)
		answer(u, "250 ", "STARTTLS");
}

/* A command that only the program can answer. */
static void want_program(struct upgrade *u, const char *line)
{
	if (u->required) {
		if (++u->noise > UPGRADE_NOISE_MAX)
			machine_fail(u, "%d commands without STARTTLS",
				     UPGRADE_NOISE_MAX);
		answer(u, "530 ", "5.7.0 Must issue a STARTTLS command first");
		return;
	}
	/* the client stays clear: the program has to hear its EHLO first */
	if (u->kept) {
		machine_put(u, UPGRADE_CLEAR, u->keep, u->kept);
		machine_say(u, UPGRADE_CLEAR, "\r\n");
	}
	(void)snprintf(u->keep, sizeof u->keep, "%s", line);
	u->state = S_REPLAY;
	u->lines = 0;
	if (!u->kept) {
		machine_say(u, UPGRADE_CLEAR, u->keep);
		machine_say(u, UPGRADE_CLEAR, "\r\n");
		machine_over(u, UPGRADE_STAY_CLEAR);
	}
}

static void starttls(struct upgrade *u, const char *rest)
{
	if (*rest) {
		answer(u, "501 ", "5.5.4 No parameters allowed");
		return;
	}
	answer(u, "220 ", "2.0.0 Ready to start TLS");
	machine_tls(u);
}

static bool take_command(struct upgrade *u)
{
	char line[UPGRADE_LINE_MAX + 1];
	const char *rest;

	if (!machine_line(u, UPGRADE_WIRE, line))
		return false;
	if ((rest = after(line, "STARTTLS")) != NULL)
		starttls(u, rest);
	else if (after(line, "EHLO"))
		answer_hello(u, line, true);
	else if (after(line, "HELO"))
		answer_hello(u, line, false);
	else if (after(line, "NOOP") || after(line, "RSET"))
		answer(u, "250 ", "2.0.0 OK");
	else if (after(line, "QUIT")) {
		answer(u, "221 ", "2.0.0 Bye");
		machine_over(u, UPGRADE_CLOSE);
	} else
		want_program(u, line);
	return true;
}

/* The program's reply to the EHLO was answered by us already. */
static bool swallow_reply(struct upgrade *u)
{
	char line[UPGRADE_LINE_MAX + 1];

	if (!machine_line(u, UPGRADE_CLEAR, line))
		return false;
	if (++u->lines > UPGRADE_LINES_MAX) {
		machine_fail(u, "the program's reply has no end");
		return false;
	}
	if (!is_last(line))
		return true;
	machine_say(u, UPGRADE_CLEAR, u->keep);
	machine_say(u, UPGRADE_CLEAR, "\r\n");
	machine_over(u, UPGRADE_STAY_CLEAR);
	return true;
}

/* ---- client -------------------------------------------------------------- */

static void keep_line(struct upgrade *u, const char *line)
{
	size_t n = strlen(line);

	if (u->kept + n + 2 >= sizeof u->keep) {
		machine_fail(u, "the server's greeting is too long");
		return;
	}
	memcpy(u->keep + u->kept, line, n);
	memcpy(u->keep + u->kept + n, "\r\n", 2);
	u->kept += n + 2;
}

static void greeted(struct upgrade *u, const char *line)
{
	if (strncmp(line, "220", 3) != 0) {
		machine_put(u, UPGRADE_CLEAR, u->keep, u->kept);
		machine_over(u, UPGRADE_CLOSE);
		return;
	}
	machine_say(u, UPGRADE_WIRE, "EHLO ");
	machine_say(u, UPGRADE_WIRE, u->name);
	machine_say(u, UPGRADE_WIRE, "\r\n");
	u->state = C_EHLO;
}

static void refuse(struct upgrade *u, const char *why)
{
	if (!u->required)
		machine_put(u, UPGRADE_CLEAR, u->keep, u->kept);
	machine_no_tls(u, why);
}

static void helloed(struct upgrade *u)
{
	if (!u->offered) {
		refuse(u, "the server does not offer STARTTLS");
		return;
	}
	machine_say(u, UPGRADE_WIRE, "STARTTLS\r\n");
	u->state = C_STARTTLS;
}

static bool client_line(struct upgrade *u)
{
	char line[UPGRADE_LINE_MAX + 1];
	bool last;

	if (!machine_line(u, UPGRADE_WIRE, line))
		return false;
	last = is_last(line);
	if (++u->lines > UPGRADE_LINES_MAX) {
		machine_fail(u, "the server's reply has no end");
		return false;
	}
	if (u->state == C_GREETING)
		keep_line(u, line);
	else if (u->state == C_EHLO && strncmp(line, "250", 3) == 0 &&
		 strcasecmp(strlen(line) > 4 ? line + 4 : "", "STARTTLS") == 0)
		u->offered = true;
	if (!last)
		return true;
	u->lines = 0;
	if (u->state == C_GREETING)
		greeted(u, line);
	else if (u->state == C_EHLO)
		helloed(u);
	else if (strncmp(line, "220", 3) == 0)
		machine_tls(u);
	else
		refuse(u, "the server refuses STARTTLS");
	return true;
}

static upgrade_step *const steps[] = {
	[S_GREETING] = pass_greeting, [S_COMMANDS] = take_command,
	[S_REPLAY] = swallow_reply,   [C_GREETING] = client_line,
	[C_EHLO] = client_line,       [C_STARTTLS] = client_line,
};

const struct protocol protocol_smtp = {
	.name = "SMTP",
	.first = {[UPGRADE_SERVER] = S_GREETING, [UPGRADE_CLIENT] = C_GREETING},
	.steps = steps,
	.secured = machine_greet,
};
