/*
 * pop3.c: STLS of POP3 [RFC2595 4].
 */
#include "upgrade/machine.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum state { S_GREETING, S_COMMANDS, C_GREETING, C_STLS };

static bool is_ok(const char *line)
{
	return strncmp(line, "+OK", 3) == 0 && (!line[3] || line[3] == ' ');
}

static void say_line(struct upgrade *u, enum upgrade_side to, const char *line)
{
	machine_say(u, to, line);
	machine_say(u, to, "\r\n");
}

static bool pass_greeting(struct upgrade *u)
{
	char line[UPGRADE_LINE_MAX + 1];

	if (!machine_line(u, UPGRADE_CLEAR, line))
		return false;
	say_line(u, UPGRADE_WIRE, line);
	u->state = S_COMMANDS;
	if (!is_ok(line))
		machine_over(u, UPGRADE_CLOSE);
	return true;
}

static void refuse_command(struct upgrade *u, const char *line)
{
	if (!u->required) {
		say_line(u, UPGRADE_CLEAR, line);
		machine_over(u, UPGRADE_STAY_CLEAR);
		return;
	}
	if (++u->noise > UPGRADE_NOISE_MAX)
		machine_fail(u, "%d commands without STLS", UPGRADE_NOISE_MAX);
	say_line(u, UPGRADE_WIRE, "-ERR STLS first");
}

static bool take_command(struct upgrade *u)
{
	char line[UPGRADE_LINE_MAX + 1];

	if (!machine_line(u, UPGRADE_WIRE, line))
		return false;
	if (strcasecmp(line, "STLS") == 0) {
		say_line(u, UPGRADE_WIRE, "+OK Begin TLS negotiation");
		machine_tls(u);
	} else if (strcasecmp(line, "CAPA") == 0) {
		/* USER: a client may sign on without TLS [RFC2449 6.2] */
		machine_say(u, UPGRADE_WIRE,
			    u->required ? "+OK\r\nSTLS\r\n.\r\n"
					: "+OK\r\nUSER\r\nSTLS\r\n.\r\n");
	} else if (strcasecmp(line, "QUIT") == 0) {
		say_line(u, UPGRADE_WIRE, "+OK");
		machine_over(u, UPGRADE_CLOSE);
	} else {
		refuse_command(u, line);
	}
	return true;
}

static bool greeted(struct upgrade *u)
{
	char line[UPGRADE_LINE_MAX + 1];

	if (!machine_line(u, UPGRADE_WIRE, line))
		return false;
	if (!is_ok(line)) {
		say_line(u, UPGRADE_CLEAR, line);
		machine_over(u, UPGRADE_CLOSE);
		return true;
	}
	/* with the time stamp that APOP needs [RFC1939 7] */
	u->kept =
		(size_t)snprintf(u->keep, sizeof u->keep, "%.2000s\r\n", line);
	say_line(u, UPGRADE_WIRE, "STLS");
	u->state = C_STLS;
	return true;
}

static bool answered(struct upgrade *u)
{
	char line[UPGRADE_LINE_MAX + 1];

	if (!machine_line(u, UPGRADE_WIRE, line))
		return false;
	if (is_ok(line)) {
		machine_tls(u);
		return true;
	}
	if (!u->required)
		machine_put(u, UPGRADE_CLEAR, u->keep, u->kept);
	machine_no_tls(u, "the server refuses STLS");
	return true;
}

static upgrade_step *const steps[] = {
	[S_GREETING] = pass_greeting,
	[S_COMMANDS] = take_command,
	[C_GREETING] = greeted,
	[C_STLS] = answered,
};

const struct protocol protocol_pop3 = {
	.name = "POP3",
	.first = {[UPGRADE_SERVER] = S_GREETING, [UPGRADE_CLIENT] = C_GREETING},
	.steps = steps,
	.secured = machine_greet,
};
