/* STARTTLS of SMTP, IMAP and POP3. */
#include "dialogue.h"

#include <stdlib.h>

#define C UPGRADE_CLEAR
#define W UPGRADE_WIRE

/* ---- SMTP ---------------------------------------------------------------- */

static struct upgrade *smtp_server(bool required)
{
	struct upgrade *u = begin(UPGRADE_SMTP, UPGRADE_SERVER, required);

	hears(u, C, "220-mail.test ESMTP\r\n220 ready\r\n");
	says(u, W, "220-mail.test ESMTP\r\n220 ready\r\n");
	return u;
}

static void smtp_server_upgrades(void **state)
{
	struct upgrade *u = smtp_server(true);

	(void)state;
	hears(u, W, "EHLO cl");
	says(u, W, "");
	hears(u, W, "ient.test\r\n");
	says(u, W, "250-mail.test\r\n250 STARTTLS\r\n");
	hears(u, W, "starttls\r\n");
	says(u, W, "220 2.0.0 Ready to start TLS\r\n");
	is(u, UPGRADE_TLS_NOW);
	assert_int_equal(upgrade_input(u, W, "x", 1), 0);
	upgrade_secured(u);
	is(u, UPGRADE_SECURE);
	says(u, C, "");
	says(u, W, "");
	upgrade_free(u);
}

static void smtp_server_refuses_mail_in_clear(void **state)
{
	struct upgrade *u = smtp_server(true);

	(void)state;
	hears(u, W, "HELO x\r\nMAIL FROM:<a@b>\r\nSTARTTLS now\r\nNOOP\r\n");
	says(u, W,
	     "250 mail.test\r\n"
	     "530 5.7.0 Must issue a STARTTLS command first\r\n"
	     "501 5.5.4 No parameters allowed\r\n250 2.0.0 OK\r\n");
	says(u, C, "");
	hears(u, W, "QUIT\r\n");
	says(u, W, "221 2.0.0 Bye\r\n");
	is(u, UPGRADE_CLOSE);
	upgrade_free(u);
}

/* CVE-2011-0411 */
static void smtp_server_refuses_injected_commands(void **state)
{
	struct upgrade *u = smtp_server(true);

	(void)state;
	hears(u, W, "STARTTLS\r\nMAIL FROM:<evil@test>\r\n");
	fails(u, "23 clear bytes");
	says(u, C, "");
	upgrade_free(u);
}

static void smtp_server_may_stay_clear(void **state)
{
	struct upgrade *u = smtp_server(false);

	(void)state;
	hears(u, W, "EHLO client.test\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n");
	says(u, W, "250-mail.test\r\n250 STARTTLS\r\n");
	says(u, C, "EHLO client.test\r\n");
	hears(u, C, "250-mail.test\r\n250 SIZE\r\n");
	is(u, UPGRADE_STAY_CLEAR);
	says(u, C, "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n");
	says(u, W, "");
	upgrade_free(u);
}

static void smtp_server_that_does_not_want(void **state)
{
	struct upgrade *u = begin(UPGRADE_SMTP, UPGRADE_SERVER, true);

	(void)state;
	hears(u, C, "421 busy\r\n");
	says(u, W, "421 busy\r\n");
	is(u, UPGRADE_CLOSE);
	upgrade_free(u);
}

static void smtp_client_upgrades(void **state)
{
	struct upgrade *u = begin(UPGRADE_SMTP, UPGRADE_CLIENT, true);

	(void)state;
	hears(u, C, "EHLO early\r\n");
	hears(u, W, "220 far.test ESMTP\r\n");
	says(u, C, "");
	says(u, W, "EHLO our.test\r\n");
	hears(u, W, "250-far.test\r\n250-SIZE\r\n250 StartTLS\r\n");
	says(u, W, "STARTTLS\r\n");
	hears(u, W, "220 go\r\n");
	is(u, UPGRADE_TLS_NOW);
	upgrade_secured(u);
	is(u, UPGRADE_SECURE);
	says(u, C, "220 far.test ESMTP\r\n");
	says(u, W, "EHLO early\r\n");
	upgrade_free(u);
}

static void smtp_client_refuses_a_server_without(void **state)
{
	struct upgrade *u = begin(UPGRADE_SMTP, UPGRADE_CLIENT, true);

	(void)state;
	hears(u, W, "220 far.test\r\n250 far.test\r\n");
	fails(u, "does not offer STARTTLS");
	says(u, C, "");
	upgrade_free(u);
}

static void smtp_client_stays_clear_if_it_may(void **state)
{
	struct upgrade *u = begin(UPGRADE_SMTP, UPGRADE_CLIENT, false);

	(void)state;
	hears(u, W, "220 far.test\r\n250 far.test\r\n");
	is(u, UPGRADE_STAY_CLEAR);
	says(u, C, "220 far.test\r\n");
	upgrade_free(u);
}

static void smtp_client_refuses_injected_replies(void **state)
{
	struct upgrade *u = begin(UPGRADE_SMTP, UPGRADE_CLIENT, true);

	(void)state;
	hears(u, W, "220 far\r\n250 STARTTLS\r\n220 go\r\n250 AUTH PLAIN\r\n");
	fails(u, "clear bytes");
	upgrade_free(u);
}

/* ---- IMAP ---------------------------------------------------------------- */

static struct upgrade *imap_server(bool required)
{
	struct upgrade *u = begin(UPGRADE_IMAP, UPGRADE_SERVER, required);

	hears(u, C, "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] Dovecot\r\n");
	says(u, W,
	     required ? "* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] "
			"Dovecot\r\n"
		      : "* OK [CAPABILITY IMAP4rev1 STARTTLS] Dovecot\r\n");
	return u;
}

static void imap_server_upgrades(void **state)
{
	struct upgrade *u = imap_server(true);

	(void)state;
	hears(u, W, "a1 capability\r\na2 login me secret\r\nbad\r\n");
	says(u, W,
	     "* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\n"
	     "a1 OK CAPABILITY completed\r\n"
	     "a2 NO [PRIVACYREQUIRED] STARTTLS first\r\n* BAD no command\r\n");
	hears(u, W, "a3 STARTTLS\r\n");
	says(u, W, "a3 OK Begin TLS negotiation now\r\n");
	is(u, UPGRADE_TLS_NOW);
	upgrade_secured(u);
	is(u, UPGRADE_SECURE);
	says(u, C, "");
	upgrade_free(u);
}

static void imap_server_refuses_injected_commands(void **state)
{
	struct upgrade *u = imap_server(true);

	(void)state;
	hears(u, W, "a STARTTLS\r\nb NOOP\r\n");
	fails(u, "8 clear bytes");
	upgrade_free(u);
}

static void imap_server_refuses_preauth(void **state)
{
	struct upgrade *u = begin(UPGRADE_IMAP, UPGRADE_SERVER, true);

	(void)state;
	hears(u, C, "* PREAUTH hello\r\n");
	fails(u, "leaves no room");
	upgrade_free(u);
}

static void imap_server_may_stay_clear(void **state)
{
	struct upgrade *u = imap_server(false);

	(void)state;
	hears(u, W, "z CAPABILITY\r\n");
	says(u, W,
	     "* CAPABILITY IMAP4rev1 STARTTLS\r\n"
	     "z OK CAPABILITY completed\r\n");
	hears(u, W, "a login me secret\r\nb noop\r\n");
	is(u, UPGRADE_STAY_CLEAR);
	says(u, C, "a login me secret\r\nb noop\r\n");
	upgrade_free(u);
}

static void imap_server_says_good_bye(void **state)
{
	struct upgrade *u = imap_server(true);

	(void)state;
	hears(u, W, "z LOGOUT\r\n");
	says(u, W, "* BYE\r\nz OK LOGOUT completed\r\n");
	is(u, UPGRADE_CLOSE);
	upgrade_free(u);
}

static void imap_client_upgrades(void **state)
{
	struct upgrade *u = begin(UPGRADE_IMAP, UPGRADE_CLIENT, true);

	(void)state;
	hears(u, W,
	      "* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hi\r\n");
	says(u, W, "CPLT1 STARTTLS\r\n");
	/* what is said in clear is not believed */
	hears(u, W, "* CAPABILITY EVIL\r\nCPLT1 OK go\r\n");
	is(u, UPGRADE_TLS_NOW);
	upgrade_secured(u);
	says(u, C, "* OK hi\r\n");
	is(u, UPGRADE_SECURE);
	upgrade_free(u);
}

static void imap_client_refuses_preauth(void **state)
{
	struct upgrade *u = begin(UPGRADE_IMAP, UPGRADE_CLIENT, false);

	(void)state;
	hears(u, W, "* PREAUTH welcome\r\n");
	fails(u, "PREAUTH");
	upgrade_free(u);
}

static void imap_client_is_refused(void **state)
{
	struct upgrade *u = begin(UPGRADE_IMAP, UPGRADE_CLIENT, true);

	(void)state;
	hears(u, W, "* OK hi\r\nCPLT1 BAD what\r\n");
	fails(u, "refuses STARTTLS");
	upgrade_free(u);
}

static void imap_client_waits_for_ever_for_nothing(void **state)
{
	struct upgrade *u = begin(UPGRADE_IMAP, UPGRADE_CLIENT, true);

	(void)state;
	hears(u, W, "* OK hi\r\n");
	for (int i = 0; i <= UPGRADE_LINES_MAX; i++)
		hears(u, W, "* 1 EXISTS\r\n");
	fails(u, "does not answer");
	upgrade_free(u);
}

/* ---- POP3 ---------------------------------------------------------------- */

static void pop3_server_upgrades(void **state)
{
	struct upgrade *u = begin(UPGRADE_POP3, UPGRADE_SERVER, true);

	(void)state;
	hears(u, C, "+OK <1.2@test>\r\n");
	says(u, W, "+OK <1.2@test>\r\n");
	hears(u, W, "CAPA\r\nUSER me\r\n");
	says(u, W, "+OK\r\nSTLS\r\n.\r\n-ERR STLS first\r\n");
	hears(u, W, "stls\r\n");
	says(u, W, "+OK Begin TLS negotiation\r\n");
	is(u, UPGRADE_TLS_NOW);
	upgrade_secured(u);
	is(u, UPGRADE_SECURE);
	upgrade_free(u);
}

static void pop3_server_refuses_injected_commands(void **state)
{
	struct upgrade *u = begin(UPGRADE_POP3, UPGRADE_SERVER, true);

	(void)state;
	hears(u, C, "+OK\r\n");
	hears(u, W, "STLS\r\nUSER x\r\n");
	fails(u, "clear bytes");
	upgrade_free(u);
}

static void pop3_server_may_stay_clear(void **state)
{
	struct upgrade *u = begin(UPGRADE_POP3, UPGRADE_SERVER, false);

	(void)state;
	hears(u, C, "+OK\r\n");
	says(u, W, "+OK\r\n");
	hears(u, W, "CAPA\r\n");
	says(u, W, "+OK\r\nUSER\r\nSTLS\r\n.\r\n");
	hears(u, W, "USER x\r\n");
	is(u, UPGRADE_STAY_CLEAR);
	says(u, C, "USER x\r\n");
	upgrade_free(u);
}

static void pop3_client_upgrades(void **state)
{
	struct upgrade *u = begin(UPGRADE_POP3, UPGRADE_CLIENT, true);

	(void)state;
	hears(u, W, "+OK hello <1.2@test>\r\n");
	says(u, W, "STLS\r\n");
	hears(u, W, "+OK\r\n");
	is(u, UPGRADE_TLS_NOW);
	upgrade_secured(u);
	says(u, C, "+OK hello <1.2@test>\r\n");
	upgrade_free(u);
}

static void pop3_client_is_refused(void **state)
{
	struct upgrade *u = begin(UPGRADE_POP3, UPGRADE_CLIENT, true);

	(void)state;
	hears(u, W, "+OK\r\n-ERR what\r\n");
	fails(u, "refuses STLS");
	upgrade_free(u);
}

/* ---- limits -------------------------------------------------------------- */

static void a_line_without_an_end_is_cut(void **state)
{
	struct upgrade *u = smtp_server(true);
	char text[UPGRADE_LINE_MAX + 1];

	(void)state;
	memset(text, 'x', sizeof text);
	hears_bytes(u, W, text, sizeof text);
	fails(u, "more than 2048 bytes");
	upgrade_free(u);
}

static void a_zero_byte_is_no_command(void **state)
{
	struct upgrade *u = smtp_server(true);

	(void)state;
	hears_bytes(u, W, "STARTTLS\0x\r\n", 12);
	fails(u, "zero byte");
	upgrade_free(u);
}

static void refused_commands_have_a_limit(void **state)
{
	struct upgrade *u = smtp_server(true);
	char out[256];

	(void)state;
	for (int i = 0; i < UPGRADE_NOISE_MAX; i++) {
		hears(u, W, "DATA\r\n");
		is(u, UPGRADE_WAIT);
		assert_true(upgrade_output(u, W, out, sizeof out) > 0);
	}
	hears(u, W, "DATA\r\n");
	fails(u, "16 commands");
	upgrade_free(u);
}

/* A program that waits behind the upgrade is held back, not buffered. */
static void what_waits_has_a_limit(void **state)
{
	struct upgrade *u = begin(UPGRADE_SMTP, UPGRADE_CLIENT, true);
	char *text = calloc(1, UPGRADE_BUF_MAX + 10);

	(void)state;
	assert_non_null(text);
	assert_int_equal(upgrade_input(u, C, text, UPGRADE_BUF_MAX + 10),
			 UPGRADE_BUF_MAX);
	assert_int_equal(upgrade_input(u, C, text, 1), 0);
	is(u, UPGRADE_WAIT);
	free(text);
	upgrade_free(u);
}

static void answers_nobody_reads_have_a_limit(void **state)
{
	struct upgrade *u = smtp_server(true);

	(void)state;
	for (int i = 0; i < 1000 && upgrade_verdict(u) == UPGRADE_WAIT; i++)
		hears(u, W, "NOOP\r\n");
	fails(u, "does not read");
	upgrade_free(u);
}

static void names_of_protocols(void **state)
{
	(void)state;
	assert_int_equal(upgrade_parse("smtp"), UPGRADE_SMTP);
	assert_int_equal(upgrade_parse("PGSQL"), UPGRADE_POSTGRES);
	assert_int_equal(upgrade_parse("Telnet"), UPGRADE_TELNET);
	assert_true(upgrade_parse("HTTP") < 0);
	assert_string_equal(upgrade_name(UPGRADE_LDAP), "LDAP");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(smtp_server_upgrades),
	cmocka_unit_test(smtp_server_refuses_mail_in_clear),
	cmocka_unit_test(smtp_server_refuses_injected_commands),
	cmocka_unit_test(smtp_server_may_stay_clear),
	cmocka_unit_test(smtp_server_that_does_not_want),
	cmocka_unit_test(smtp_client_upgrades),
	cmocka_unit_test(smtp_client_refuses_a_server_without),
	cmocka_unit_test(smtp_client_stays_clear_if_it_may),
	cmocka_unit_test(smtp_client_refuses_injected_replies),
	cmocka_unit_test(imap_server_upgrades),
	cmocka_unit_test(imap_server_refuses_injected_commands),
	cmocka_unit_test(imap_server_refuses_preauth),
	cmocka_unit_test(imap_server_may_stay_clear),
	cmocka_unit_test(imap_server_says_good_bye),
	cmocka_unit_test(imap_client_upgrades),
	cmocka_unit_test(imap_client_refuses_preauth),
	cmocka_unit_test(imap_client_is_refused),
	cmocka_unit_test(imap_client_waits_for_ever_for_nothing),
	cmocka_unit_test(pop3_server_upgrades),
	cmocka_unit_test(pop3_server_refuses_injected_commands),
	cmocka_unit_test(pop3_server_may_stay_clear),
	cmocka_unit_test(pop3_client_upgrades),
	cmocka_unit_test(pop3_client_is_refused),
	cmocka_unit_test(a_line_without_an_end_is_cut),
	cmocka_unit_test(a_zero_byte_is_no_command),
	cmocka_unit_test(refused_commands_have_a_limit),
	cmocka_unit_test(what_waits_has_a_limit),
	cmocka_unit_test(answers_nobody_reads_have_a_limit),
	cmocka_unit_test(names_of_protocols),
};

UNIT_MAIN(tests)
