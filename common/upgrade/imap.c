/*
 * imap.c: STARTTLS of IMAP [RFC9051 6.2.1].
 */
#include "upgrade/machine.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum state { S_GREETING, S_COMMANDS, C_GREETING, C_STARTTLS };

enum { TAG_MAX = 64 };

static const char our_tag[] = "CPLT1";

/* "* OK ...": is it an untagged `word`? */
static bool is_untagged(const char *line, const char *word)
{
	size_t n = strlen(word);

	return strncmp(line, "* ", 2) == 0 &&
	       strncasecmp(line + 2, word, n) == 0 &&
	       (!line[2 + n] || line[2 + n] == ' ');
}

/* Behind "* OK" and a response code in brackets: the capabilities there are
 * of another connection than the one that the reader will have. */
static const char *text_of(const char *line)
{
	const char *p = line + 4, *end;

	p += strspn(p, " ");
	if (*p != '[')
		return p;
	end = strchr(p, ']');
	return end ? end + 1 + strspn(end + 1, " ") : "";
}

/* ---- server -------------------------------------------------------------- */

/* Before TLS; who may do without it may sign on [RFC9051 6.2.3]. */
static const char *capabilities(const struct upgrade *u)
{
	return u->required ? "IMAP4rev1 STARTTLS LOGINDISABLED"
			   : "IMAP4rev1 STARTTLS";
}

static bool pass_greeting(struct upgrade *u)
{
	char line[UPGRADE_LINE_MAX + 1];

	if (!machine_line(u, UPGRADE_CLEAR, line))
		return false;
	if (is_untagged(line, "OK")) {
		machine_say(u, UPGRADE_WIRE, "* OK [CAPABILITY ");
		machine_say(u, UPGRADE_WIRE, capabilities(u));
		machine_say(u, UPGRADE_WIRE, "] ");
		machine_say(u, UPGRADE_WIRE, text_of(line));
		machine_say(u, UPGRADE_WIRE, "\r\n");
		u->state = S_COMMANDS;
	} else if (is_untagged(line, "BYE")) {
		machine_say(u, UPGRADE_WIRE, line);
		machine_say(u, UPGRADE_WIRE, "\r\n");
		machine_over(u, UPGRADE_CLOSE);
	} else {
		/* PREAUTH: somebody is signed on before TLS */
		machine_fail(u,
			     "the program greets with \"%.40s\", which "
			     "leaves no room for STARTTLS",
			     line);
	}
	return true;
}

static void tagged(struct upgrade *u, const char *tag, const char *text)
{
	machine_say(u, UPGRADE_WIRE, tag);
	machine_say(u, UPGRADE_WIRE, " ");
	machine_say(u, UPGRADE_WIRE, text);
	machine_say(u, UPGRADE_WIRE, "\r\n");
}

/* Splits "tag command rest"; false: not a command. */
static bool split(char *line, const char **tag, const char **command)
{
	size_t n = strcspn(line, " ");

	if (n == 0 || n > TAG_MAX || line[n] != ' ')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isgraph((unsigned char)line[i]) ||
		    strchr("(){%*\"\\", line[i]))
			return false;
	line[n] = '\0';
	*tag = line;
	*command = line + n + 1;
	return true;
}

static void refuse_command(struct upgrade *u, const char *tag,
			   const char *command)
{
	if (u->required) {
		if (++u->noise > UPGRADE_NOISE_MAX)
			machine_fail(u, "%d commands without STARTTLS",
				     UPGRADE_NOISE_MAX);
		tagged(u, tag, "NO [PRIVACYREQUIRED] STARTTLS first");
		return;
	}
	/* the client stays clear, the program answers from here on */
	machine_say(u, UPGRADE_CLEAR, tag);
	machine_say(u, UPGRADE_CLEAR, " ");
	machine_say(u, UPGRADE_CLEAR, command);
	machine_say(u, UPGRADE_CLEAR, "\r\n");
	machine_over(u, UPGRADE_STAY_CLEAR);
}

static void starttls(struct upgrade *u, const char *tag)
{
	tagged(u, tag, "OK Begin TLS negotiation now");
	machine_tls(u);
}

static void command(struct upgrade *u, const char *tag, const char *what)
{
	if (strcasecmp(what, "STARTTLS") == 0) {
		starttls(u, tag);
	} else if (strcasecmp(what, "CAPABILITY") == 0) {
		machine_say(u, UPGRADE_WIRE, "* CAPABILITY ");
		machine_say(u, UPGRADE_WIRE, capabilities(u));
		machine_say(u, UPGRADE_WIRE, "\r\n");
		tagged(u, tag, "OK CAPABILITY completed");
	} else if (strcasecmp(what, "NOOP") == 0) {
		tagged(u, tag, "OK NOOP completed");
	} else if (strcasecmp(what, "LOGOUT") == 0) {
		machine_say(u, UPGRADE_WIRE, "* BYE\r\n");
		tagged(u, tag, "OK LOGOUT completed");
		machine_over(u, UPGRADE_CLOSE);
	} else {
		refuse_command(u, tag, what);
	}
}

static bool take_command(struct upgrade *u)
{
	char line[UPGRADE_LINE_MAX + 1];
	const char *tag, *what;

	if (!machine_line(u, UPGRADE_WIRE, line))
		return false;
	if (split(line, &tag, &what))
		command(u, tag, what);
	else if (++u->noise > UPGRADE_NOISE_MAX)
		machine_fail(u, "%d lines that are no commands",
			     UPGRADE_NOISE_MAX);
	else
		machine_say(u, UPGRADE_WIRE, "* BAD no command\r\n");
	return true;
}

/* ---- client -------------------------------------------------------------- */

static void refuse(struct upgrade *u, const char *why)
{
	if (!u->required)
		machine_put(u, UPGRADE_CLEAR, u->keep, u->kept);
	machine_no_tls(u, why);
}

static bool greeted(struct upgrade *u)
{
	char line[UPGRADE_LINE_MAX + 1];

	if (!machine_line(u, UPGRADE_WIRE, line))
		return false;
	if (is_untagged(line, "OK")) {
		u->kept = (size_t)snprintf(u->keep, sizeof u->keep,
					   "* OK %.1900s\r\n", text_of(line));
		machine_say(u, UPGRADE_WIRE, our_tag);
		machine_say(u, UPGRADE_WIRE, " STARTTLS\r\n");
		u->state = C_STARTTLS;
	} else if (is_untagged(line, "BYE")) {
		machine_say(u, UPGRADE_CLEAR, line);
		machine_say(u, UPGRADE_CLEAR, "\r\n");
		machine_over(u, UPGRADE_CLOSE);
	} else {
		/* PREAUTH is how an attacker makes STARTTLS impossible */
		machine_fail(u,
			     "the server greets with \"%.40s\", which leaves "
			     "no room for STARTTLS",
			     line);
	}
	return true;
}

static bool answered(struct upgrade *u)
{
	char line[UPGRADE_LINE_MAX + 1];
	size_t n = strlen(our_tag);

	if (!machine_line(u, UPGRADE_WIRE, line))
		return false;
	if (strncmp(line, our_tag, n) != 0 || line[n] != ' ') {
		/* untagged and in clear: nobody hears of it */
		if (++u->lines > UPGRADE_LINES_MAX)
			machine_fail(u, "the server does not answer STARTTLS");
		return true;
	}
	if (strncasecmp(line + n + 1, "OK", 2) == 0)
		machine_tls(u);
	else
		refuse(u, "the server refuses STARTTLS");
	return true;
}

static upgrade_step *const steps[] = {
	[S_GREETING] = pass_greeting,
	[S_COMMANDS] = take_command,
	[C_GREETING] = greeted,
	[C_STARTTLS] = answered,
};

const struct protocol protocol_imap = {
	.name = "IMAP",
	.first = {[UPGRADE_SERVER] = S_GREETING, [UPGRADE_CLIENT] = C_GREETING},
	.steps = steps,
	.secured = machine_greet,
};
