/*
 * client.c: what the client commands. A command is passed on as it came
 * unless it has to do with TLS or data connections.
 */
#include "follow.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#define PORT_MIN 1024 /* [RFC2577 3] */

static void reply(struct ftp *f, const char *text)
{
	ftp_say(f, FTP_CLIENT, "%s", text);
}

static void pass(struct ftp *f, enum ftp_pending p)
{
	ftp_pass(f, FTP_CLIENT);
	ftp_push(f, p);
}

static bool tls_side(const struct ftp *f, enum ftp_side side)
{
	return f->cfg.tls[side] != FTP_TLS_NONE;
}

/* ---- TLS [RFC4217]
 * -------------------------------------------------------------- */

static void cmd_auth(struct ftp *f, const char *arg)
{
	bool p = strcasecmp(arg, "SSL") == 0 || strcasecmp(arg, "TLS-P") == 0;

	if (!tls_side(f, FTP_CLIENT)) {
		if (tls_side(f, FTP_SERVER))
			reply(f, "502 TLS is done by the proxy.");
		else
			pass(f, FTP_P_AUTH_PASSED);
		return;
	}
	if (f->secure[FTP_CLIENT]) {
		reply(f, "503 TLS is on already.");
		return;
	}
	if (!p && strcasecmp(arg, "TLS") != 0 &&
	    strcasecmp(arg, "TLS-C") != 0) {
		reply(f, "504 Expected AUTH TLS.");
		return;
	}
	f->prot[FTP_CLIENT] = p;
	reply(f, "234 TLS begins.");
	ftp_want(f, &(struct ftp_wish){.kind = FTP_WISH_TLS_START,
				       .side = FTP_CLIENT});
}

/* PBSZ, PROT, CCC without TLS before it: 503 [RFC4217 12]. */
static bool need_tls(struct ftp *f)
{
	if (f->secure[FTP_CLIENT])
		return true;
	reply(f, tls_side(f, FTP_CLIENT) ? "503 AUTH TLS comes first."
					 : "502 There is no TLS here.");
	return false;
}

static bool is_plain(const struct ftp *f)
{
	return !tls_side(f, FTP_CLIENT) && !tls_side(f, FTP_SERVER);
}

static void cmd_pbsz(struct ftp *f, const char *arg)
{
	(void)arg;
	if (is_plain(f))
		pass(f, FTP_P_PASS);
	else if (need_tls(f))
		reply(f, "200 PBSZ=0"); /* [RFC4217 8] no other makes sense */
}

static void cmd_prot(struct ftp *f, const char *arg)
{
	if (is_plain(f)) {
		pass(f, FTP_P_PASS);
		return;
	}
	if (!need_tls(f))
		return;
	if (strcasecmp(arg, "P") == 0) {
		f->prot[FTP_CLIENT] = true;
		reply(f, "200 Data connections are protected.");
	} else if (strcasecmp(arg, "C") == 0) {
		reply(f, "534 Data connections have to be protected.");
	} else {
		reply(f, "504 Expected PROT P.");
	}
}

static void cmd_ccc(struct ftp *f, const char *arg)
{
	(void)arg;
	if (is_plain(f)) {
		pass(f, FTP_P_PASS);
		return;
	}
	if (!need_tls(f))
		return;
	reply(f, "200 The control connection is clear from here on.");
	ftp_want(f, &(struct ftp_wish){.kind = FTP_WISH_TLS_STOP,
				       .side = FTP_CLIENT});
}

/* ---- data connections
 * ----------------------------------------------------------- */

static bool data_allowed(struct ftp *f)
{
	if (!tls_side(f, FTP_CLIENT) || f->prot[FTP_CLIENT])
		return true;
	reply(f, "522 PROT P comes first.");
	return false;
}

/* To the server in the way of its family [RFC2428 1]. */
static void ask_passive(struct ftp *f, bool extended)
{
	if (!data_allowed(f))
		return;
	f->extended = extended;
	ftp_say(f, FTP_SERVER,
		f->cfg.peer[FTP_SERVER].family == IP_V6 ? "EPSV" : "PASV");
	ftp_push(f, FTP_P_PASSIVE);
}

static void cmd_pasv(struct ftp *f, const char *arg)
{
	(void)arg;
	if (f->cfg.peer[FTP_CLIENT].family == IP_V6)
		reply(f, "500 PASV is for IPv4, use EPSV.");
	else
		ask_passive(f, false);
}

static void cmd_epsv(struct ftp *f, const char *arg)
{
	bool v6 = f->cfg.peer[FTP_CLIENT].family == IP_V6;

	if (strcasecmp(arg, "ALL") == 0)
		reply(f, "200 EPSV ALL is well understood.");
	else if (*arg && strcmp(arg, v6 ? "2" : "1") != 0)
		ftp_say(f, FTP_CLIENT, "522 Expected protocol (%d).",
			v6 ? 2 : 1);
	else
		ask_passive(f, true);
}

static void active(struct ftp *f, const struct ip_port *at)
{
	if (!ip_eq(&at->addr, &f->cfg.peer[FTP_CLIENT]) ||
	    at->port < PORT_MIN) {
		reply(f, "504 Expected your own address and a port from 1024 "
			 "on.");
		return;
	}
	if (data_allowed(f))
		ftp_want(f, &(struct ftp_wish){.kind = FTP_WISH_LISTEN,
					       .side = FTP_SERVER,
					       .to = *at});
}

static void cmd_port(struct ftp *f, const char *arg)
{
	struct ip_port at;

	if (ftp_parse_port(arg, &at) < 0)
		reply(f, "501 Expected h1,h2,h3,h4,p1,p2.");
	else
		active(f, &at);
}

static void cmd_eprt(struct ftp *f, const char *arg)
{
	struct ip_port at;
	int r = ftp_parse_eprt(arg, &at);

	if (r == -EAFNOSUPPORT)
		ftp_say(f, FTP_CLIENT, "522 Expected protocol (%d).",
			f->cfg.peer[FTP_CLIENT].family == IP_V6 ? 2 : 1);
	else if (r < 0)
		reply(f, "501 Expected |protocol|address|port|.");
	else
		active(f, &at);
}

/* ---- others
 * --------------------------------------------------------------------- */

static void cmd_refused(struct ftp *f, const char *arg)
{
	(void)arg;
	reply(f, "502 Not through this proxy.");
}

static void cmd_login(struct ftp *f, const char *arg)
{
	(void)arg;
	if (tls_side(f, FTP_CLIENT) && !f->secure[FTP_CLIENT] &&
	    f->cfg.tls[FTP_CLIENT] == FTP_TLS_EXPLICIT && !f->prot[FTP_CLIENT])
		reply(f, "530 AUTH TLS comes first.");
	else
		pass(f, FTP_P_PASS);
}

static void cmd_feat(struct ftp *f, const char *arg)
{
	(void)arg;
	pass(f, is_plain(f) ? FTP_P_PASS : FTP_P_FEAT);
}

static const struct {
	const char *word;
	void (*fn)(struct ftp *f, const char *arg);
} commands[] = {
	{"AUTH", cmd_auth},    {"PBSZ", cmd_pbsz},    {"PROT", cmd_prot},
	{"CCC", cmd_ccc},      {"PASV", cmd_pasv},    {"EPSV", cmd_epsv},
	{"PORT", cmd_port},    {"EPRT", cmd_eprt},    {"LPRT", cmd_refused},
	{"LPSV", cmd_refused}, {"REIN", cmd_refused}, {"ADAT", cmd_refused},
	{"MIC", cmd_refused},  {"CONF", cmd_refused}, {"ENC", cmd_refused},
	{"USER", cmd_login},   {"PASS", cmd_login},   {"ACCT", cmd_login},
	{"FEAT", cmd_feat},
};

void ftp_client_line(struct ftp *f, const char *text)
{
	size_t n = strcspn(text, " ");
	const char *arg = text + n;

	while (*arg == ' ')
		arg++;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strlen(commands[i].word) == n &&
		    strncasecmp(text, commands[i].word, n) == 0) {
			commands[i].fn(f, arg);
			return;
		}
	}
	pass(f, FTP_P_PASS);
}
