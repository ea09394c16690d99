/*
 * test_ftp.c: conversations. client() and server() say lines, to_client() and
 * to_server() are what the other side must have got by now, no more.
 */
#include "ftp/ftp.h"
#include "unit.h"

#include <string.h>

static struct ftp f;

static struct ip_addr addr(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_parse(text, &a), 0);
	return a;
}

static void begin(enum ftp_tls client, enum ftp_tls server, int client_family,
		  int server_family)
{
	struct ftp_config cfg = {
		.tls = {client, server},
		.peer = {addr(client_family == 4 ? "192.0.2.1" : "2001:db8::1"),
			 addr(server_family == 4 ? "198.51.100.2"
						 : "2001:db8:2::2")},
	};

	ftp_init(&f, &cfg);
}

static void say(enum ftp_side side, const char *text)
{
	char line[600];
	int n = snprintf(line, sizeof line, "%s\r\n", text);

	assert_int_equal(ftp_input(&f, side, line, (size_t)n), n);
}

static void client(const char *text)
{
	say(FTP_CLIENT, text);
}

static void server(const char *text)
{
	say(FTP_SERVER, text);
}

static void got(enum ftp_side side, const char *text)
{
	char want[600] = "", have[600];
	const char *p;
	size_t n = ftp_output(&f, side, &p);

	if (*text)
		snprintf(want, sizeof want, "%s\r\n", text);
	assert_true(n < sizeof have);
	memcpy(have, p, n);
	have[n] = '\0';
	assert_string_equal(have, want);
	ftp_sent(&f, side, n);
}

static void to_client(const char *text)
{
	got(FTP_CLIENT, text);
	got(FTP_SERVER, "");
}

static void to_server(const char *text)
{
	got(FTP_SERVER, text);
	got(FTP_CLIENT, "");
}

static void wishes(enum ftp_wish_kind kind, enum ftp_side side)
{
	assert_int_equal(ftp_wish(&f)->kind, kind);
	if (kind != FTP_WISH_NONE && kind != FTP_WISH_END)
		assert_int_equal(ftp_wish(&f)->side, side);
}

static void listening(const char *text, uint16_t port)
{
	struct ip_port at = {.addr = addr(text), .port = port};

	ftp_listening(&f, &at);
}

static void greet(void)
{
	server("220 ready");
	to_client("220 ready");
}

/* ---- clear both ways
 * ----------------------------------------------------------- */

static void other_commands_pass_as_they_are(void **state)
{
	(void)state;
	begin(FTP_TLS_NONE, FTP_TLS_NONE, 4, 4);
	server("220-several");
	server(" lines");
	server("220 ready");
	to_client("220-several\r\n lines\r\n220 ready");
	client("user Jane");
	to_server("user Jane");
	server("331 password");
	to_client("331 password");
	client("STOR  a file ");
	to_server("STOR  a file ");
	server("150 go on");
	server("226 done");
	to_client("150 go on\r\n226 done");
	wishes(FTP_WISH_NONE, 0);
}

static void pasv_v4_to_v4(void **state)
{
	(void)state;
	begin(FTP_TLS_NONE, FTP_TLS_NONE, 4, 4);
	greet();
	client("PASV");
	to_server("PASV");
	/* the address in it is not believed [RFC2577 3] */
	server("227 Entering Passive Mode (10,1,2,3,4,5)");
	to_client("");
	wishes(FTP_WISH_LISTEN, FTP_CLIENT);
	assert_true(ip_eq(&ftp_wish(&f)->to.addr, &f.cfg.peer[FTP_SERVER]));
	assert_int_equal(ftp_wish(&f)->to.port, 4 << 8 | 5);
	listening("203.0.113.9", 2560);
	to_client("227 Entering Passive Mode (203,0,113,9,10,0)");
	wishes(FTP_WISH_NONE, 0);
	assert_false(ftp_data_tls(&f, FTP_CLIENT));
	assert_false(ftp_data_tls(&f, FTP_SERVER));
}

static void pasv_becomes_epsv_towards_v6(void **state)
{
	(void)state;
	begin(FTP_TLS_NONE, FTP_TLS_NONE, 4, 6);
	greet();
	client("PASV");
	to_server("EPSV");
	server("229 Extended (|||5000|)");
	wishes(FTP_WISH_LISTEN, FTP_CLIENT);
	assert_int_equal(ftp_wish(&f)->to.port, 5000);
	listening("203.0.113.9", 257);
	to_client("227 Entering Passive Mode (203,0,113,9,1,1)");
}

static void epsv_becomes_pasv_towards_v4(void **state)
{
	(void)state;
	begin(FTP_TLS_NONE, FTP_TLS_NONE, 6, 4);
	greet();
	client("EPSV 2");
	to_server("PASV");
	server("227 (1,2,3,4,5,6)");
	listening("2001:db8::9", 4000);
	to_client("229 Entering Extended Passive Mode (|||4000|)");
	client("EPSV 1");
	to_client("522 Expected protocol (2).");
	client("PASV");
	to_client("500 PASV is for IPv4, use EPSV.");
	client("EPSV ALL");
	to_client("200 EPSV ALL is well understood.");
}

static void a_refused_pasv_is_passed_on(void **state)
{
	(void)state;
	begin(FTP_TLS_NONE, FTP_TLS_NONE, 4, 4);
	greet();
	client("PASV");
	to_server("PASV");
	server("530 log in");
	to_client("530 log in");
	client("PASV");
	to_server("PASV");
	server("227 nothing here");
	to_client("425 The server's reply has no port.");
	client("PASV");
	to_server("PASV");
	server("227 (1,2,3,4,5,6)");
	ftp_listening(&f, NULL);
	to_client("425 No port for a data connection.");
}

static void port_becomes_eprt_towards_v6(void **state)
{
	(void)state;
	begin(FTP_TLS_NONE, FTP_TLS_NONE, 4, 6);
	greet();
	client("PORT 192,0,2,1,8,0");
	to_server("");
	wishes(FTP_WISH_LISTEN, FTP_SERVER);
	assert_int_equal(ftp_wish(&f)->to.port, 2048);
	listening("2001:db8:2::1", 3000);
	to_server("EPRT |2|2001:db8:2::1|3000|");
	server("200 fine");
	to_client("200 fine");
}

static void eprt_becomes_port_towards_v4(void **state)
{
	(void)state;
	begin(FTP_TLS_NONE, FTP_TLS_NONE, 6, 4);
	greet();
	client("EPRT |2|2001:db8::1|5555|");
	listening("198.51.100.1", 258);
	to_server("PORT 198,51,100,1,1,2");
	server("200 fine");
	to_client("200 fine");
}

/* [RFC2577 3] */
static void port_to_others_is_refused(void **state)
{
	static const char *const bad =
		"504 Expected your own address and a port from 1024 on.";

	(void)state;
	begin(FTP_TLS_NONE, FTP_TLS_NONE, 4, 4);
	greet();
	client("PORT 192,0,2,77,8,0");
	to_client(bad);
	client("PORT 192,0,2,1,0,25");
	to_client(bad);
	client("PORT nonsense");
	to_client("501 Expected h1,h2,h3,h4,p1,p2.");
	client("EPRT |2|2001:db8::1|5555|");
	to_client(bad);
	client("EPRT |7|x|1|");
	to_client("522 Expected protocol (1).");
	wishes(FTP_WISH_NONE, 0);
}

static void telnet_interrupts_are_passed_and_read_over(void **state)
{
	static const char abor[] = "\xff\xf4\xff\xf2"
				   "ABOR\r\n";
	const char *p;

	(void)state;
	begin(FTP_TLS_NONE, FTP_TLS_NONE, 4, 4);
	greet();
	assert_int_equal(ftp_input(&f, FTP_CLIENT, abor, sizeof abor - 1),
			 sizeof abor - 1);
	assert_int_equal(ftp_output(&f, FTP_SERVER, &p), sizeof abor - 1);
	assert_memory_equal(p, abor, sizeof abor - 1);
}

static void auth_between_clear_sides_goes_blind(void **state)
{
	(void)state;
	begin(FTP_TLS_NONE, FTP_TLS_NONE, 4, 4);
	greet();
	client("AUTH TLS");
	to_server("AUTH TLS");
	server("500 what?");
	to_client("500 what?");
	wishes(FTP_WISH_NONE, 0);
	client("AUTH TLS");
	to_server("AUTH TLS");
	server("234 go on");
	to_client("234 go on");
	wishes(FTP_WISH_BLIND, 0);
}

/* ---- TLS with the client
 * ---------------------------------------------------------- */

static void implicit_client(void **state)
{
	(void)state;
	begin(FTP_TLS_IMPLICIT, FTP_TLS_NONE, 4, 4);
	greet();
	assert_true(ftp_data_tls(&f, FTP_CLIENT));
	client("AUTH TLS");
	to_client("503 TLS is on already.");
	client("PBSZ 0");
	to_client("200 PBSZ=0");
	client("PROT C");
	to_client("534 Data connections have to be protected.");
	client("PROT E");
	to_client("504 Expected PROT P.");
	client("PROT P");
	to_client("200 Data connections are protected.");
	client("USER jane");
	to_server("USER jane");
	assert_true(ftp_data_tls(&f, FTP_CLIENT));
	assert_false(ftp_data_tls(&f, FTP_SERVER));
}

static void explicit_client(void **state)
{
	(void)state;
	begin(FTP_TLS_EXPLICIT, FTP_TLS_NONE, 4, 4);
	greet();
	client("USER jane");
	to_client("530 AUTH TLS comes first.");
	client("PBSZ 0");
	to_client("503 AUTH TLS comes first.");
	client("AUTH KERBEROS");
	to_client("504 Expected AUTH TLS.");
	client("AUTH tls");
	to_client("234 TLS begins.");
	wishes(FTP_WISH_TLS_START, FTP_CLIENT);
	/* what comes before the handshake is not taken */
	assert_int_equal(ftp_input(&f, FTP_CLIENT, "USER x\r\n", 8), 0);
	ftp_tls_done(&f);
	wishes(FTP_WISH_NONE, 0);
	to_client("");
	client("PASV");
	to_client("522 PROT P comes first.");
	client("PORT 192,0,2,1,8,0");
	to_client("522 PROT P comes first.");
	client("PROT P");
	to_client("200 Data connections are protected.");
	client("USER jane");
	to_server("USER jane");
	assert_true(ftp_data_tls(&f, FTP_CLIENT));
}

static void auth_ssl_means_prot_p(void **state)
{
	(void)state;
	begin(FTP_TLS_EXPLICIT, FTP_TLS_NONE, 4, 4);
	greet();
	client("AUTH SSL");
	to_client("234 TLS begins.");
	ftp_tls_done(&f);
	assert_true(ftp_data_tls(&f, FTP_CLIENT));
}

/* [RFC4217 6] */
static void ccc_makes_the_control_connection_clear(void **state)
{
	(void)state;
	begin(FTP_TLS_EXPLICIT, FTP_TLS_NONE, 4, 4);
	greet();
	client("CCC");
	to_client("503 AUTH TLS comes first.");
	client("AUTH SSL");
	ftp_tls_done(&f);
	to_client("234 TLS begins.");
	client("CCC");
	to_client("200 The control connection is clear from here on.");
	wishes(FTP_WISH_TLS_STOP, FTP_CLIENT);
	ftp_tls_done(&f);
	got(FTP_SERVER, "");
	client("USER jane");
	to_server("USER jane");
	assert_true(ftp_data_tls(&f, FTP_CLIENT));
}

static void features_are_those_of_the_proxy(void **state)
{
	(void)state;
	begin(FTP_TLS_IMPLICIT, FTP_TLS_NONE, 4, 4);
	greet();
	client("FEAT");
	to_server("FEAT");
	server("211-Features");
	server(" AUTH GSSAPI");
	server(" EPSV");
	server("211 End");
	to_client("211-Features\r\n EPSV\r\n AUTH TLS\r\n PBSZ\r\n PROT\r\n"
		  "211 End");
	client("FEAT");
	to_server("FEAT");
	server("500 unknown");
	to_client("500 unknown");
}

/* ---- TLS with the server
 * ---------------------------------------------------------- */

static void explicit_server(void **state)
{
	(void)state;
	begin(FTP_TLS_NONE, FTP_TLS_EXPLICIT, 4, 4);
	/* the client speaks too early: it waits */
	assert_int_equal(ftp_input(&f, FTP_CLIENT, "USER x\r\n", 8), 0);
	server("220 ready");
	got(FTP_CLIENT, "220 ready");
	to_server("AUTH TLS");
	assert_int_equal(ftp_input(&f, FTP_CLIENT, "USER x\r\n", 8), 0);
	server("234 go on");
	wishes(FTP_WISH_TLS_START, FTP_SERVER);
	ftp_tls_done(&f);
	to_server("PBSZ 0");
	server("200 PBSZ=0");
	to_server("PROT P");
	server("200 P");
	to_client("");
	client("USER jane");
	to_server("USER jane");
	assert_true(ftp_data_tls(&f, FTP_SERVER));
	assert_false(ftp_data_tls(&f, FTP_CLIENT));
	client("AUTH TLS");
	to_client("502 TLS is done by the proxy.");
	client("PBSZ 0");
	to_client("502 There is no TLS here.");
}

static void implicit_server(void **state)
{
	(void)state;
	begin(FTP_TLS_NONE, FTP_TLS_IMPLICIT, 6, 4);
	server("220 ready");
	got(FTP_CLIENT, "220 ready");
	to_server("PBSZ 0");
	server("502 what?");
	to_server("PROT P");
	server("502 what?");
	client("USER jane");
	to_server("USER jane");
	assert_true(ftp_data_tls(&f, FTP_SERVER));
}

static void a_server_without_tls_is_an_end(void **state)
{
	(void)state;
	begin(FTP_TLS_NONE, FTP_TLS_EXPLICIT, 4, 4);
	server("220 ready");
	got(FTP_CLIENT, "220 ready");
	to_server("AUTH TLS");
	server("500 what?");
	to_client("421 The server refuses TLS.");
	wishes(FTP_WISH_END, 0);
}

static void a_server_without_prot_is_an_end(void **state)
{
	(void)state;
	begin(FTP_TLS_NONE, FTP_TLS_EXPLICIT, 4, 4);
	server("220 ready");
	server("234 go on");
	ftp_tls_done(&f);
	server("200 PBSZ=0");
	server("534 no");
	wishes(FTP_WISH_END, 0);
}

static void tls_on_both_sides(void **state)
{
	(void)state;
	begin(FTP_TLS_IMPLICIT, FTP_TLS_EXPLICIT, 6, 4);
	server("220 ready");
	got(FTP_CLIENT, "220 ready");
	to_server("AUTH TLS");
	server("234 go on");
	ftp_tls_done(&f);
	to_server("PBSZ 0");
	server("200 ok");
	to_server("PROT P");
	server("200 ok");
	client("PBSZ 0");
	to_client("200 PBSZ=0");
	client("EPSV");
	to_server("PASV");
	server("227 (1,2,3,4,5,6)");
	wishes(FTP_WISH_LISTEN, FTP_CLIENT);
	assert_true(ftp_data_tls(&f, FTP_CLIENT));
	assert_true(ftp_data_tls(&f, FTP_SERVER));
}

/* ---- limits
 * ---------------------------------------------------------------------- */

static void long_lines_end_it(void **state)
{
	static char line[FTP_LINE_MAX + 10];

	(void)state;
	memset(line, 'x', sizeof line);
	for (int side = 0; side < 2; side++) {
		begin(FTP_TLS_NONE, FTP_TLS_NONE, 4, 4);
		greet();
		assert_int_equal(
			ftp_input(&f, (enum ftp_side)side, line, sizeof line),
			sizeof line);
		wishes(FTP_WISH_END, 0);
		assert_int_equal(ftp_input(&f, FTP_CLIENT, "A\r\n", 3), 0);
	}
	begin(FTP_TLS_NONE, FTP_TLS_NONE, 4, 4);
	greet();
	memcpy(line + FTP_LINE_MAX - 2, "\r\n", 2);
	assert_int_equal(ftp_input(&f, FTP_CLIENT, line, FTP_LINE_MAX),
			 FTP_LINE_MAX);
	wishes(FTP_WISH_NONE, 0);
}

static void a_reply_without_code_or_with_a_zero_ends_it(void **state)
{
	(void)state;
	begin(FTP_TLS_NONE, FTP_TLS_NONE, 4, 4);
	server("hello");
	wishes(FTP_WISH_END, 0);
	begin(FTP_TLS_NONE, FTP_TLS_NONE, 4, 4);
	greet();
	assert_int_equal(ftp_input(&f, FTP_CLIENT, "US\0R\r\n", 6), 6);
	wishes(FTP_WISH_END, 0);
}

/* Nobody takes the output and no reply comes: input stops, nothing grows. */
static void commands_without_replies_stop_the_client(void **state)
{
	size_t taken = 0, n;

	(void)state;
	begin(FTP_TLS_NONE, FTP_TLS_NONE, 4, 4);
	greet();
	while ((n = ftp_input(&f, FTP_CLIENT, "NOOP\r\n", 6)) == 6)
		taken += n;
	assert_in_range(taken, 6, 6 * FTP_PENDING_MAX);
	/* replies make room again */
	for (size_t i = 0; i < taken; i += 6)
		server("200 ok");
	assert_int_equal(ftp_input(&f, FTP_CLIENT, "NOOP\r\n", 6), 6);
}

static void output_that_nobody_takes_stops_input(void **state)
{
	static char line[1000];
	size_t n, taken = 0;

	(void)state;
	memset(line, ' ', sizeof line);
	memcpy(line, "220-", 4);
	memcpy(line + sizeof line - 2, "\r\n", 2);
	begin(FTP_TLS_NONE, FTP_TLS_NONE, 4, 4);
	while ((n = ftp_input(&f, FTP_SERVER, line, sizeof line)))
		taken += n;
	assert_in_range(taken, sizeof line, FTP_OUT_MAX);
}

/* The same conversation in pieces of every size. */
static void pieces_do_not_matter(void **state)
{
	static const char text[] = "PBSZ 0\r\nPROT P\r\nUSER jane\r\n"
				   "PASS secret\n";
	const char *p;

	(void)state;
	for (size_t piece = 1; piece < sizeof text; piece++) {
		begin(FTP_TLS_IMPLICIT, FTP_TLS_NONE, 4, 4);
		greet();
		for (size_t at = 0; at < sizeof text - 1; at += piece) {
			size_t n = MIN(piece, sizeof text - 1 - at);

			assert_int_equal(
				ftp_input(&f, FTP_CLIENT, text + at, n), n);
		}
		assert_int_equal(ftp_output(&f, FTP_SERVER, &p), 23);
		assert_memory_equal(p, "USER jane\r\nPASS secret\n", 23);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(other_commands_pass_as_they_are),
	cmocka_unit_test(pasv_v4_to_v4),
	cmocka_unit_test(pasv_becomes_epsv_towards_v6),
	cmocka_unit_test(epsv_becomes_pasv_towards_v4),
	cmocka_unit_test(a_refused_pasv_is_passed_on),
	cmocka_unit_test(port_becomes_eprt_towards_v6),
	cmocka_unit_test(eprt_becomes_port_towards_v4),
	cmocka_unit_test(port_to_others_is_refused),
	cmocka_unit_test(telnet_interrupts_are_passed_and_read_over),
	cmocka_unit_test(auth_between_clear_sides_goes_blind),
	cmocka_unit_test(implicit_client),
	cmocka_unit_test(explicit_client),
	cmocka_unit_test(auth_ssl_means_prot_p),
	cmocka_unit_test(ccc_makes_the_control_connection_clear),
	cmocka_unit_test(features_are_those_of_the_proxy),
	cmocka_unit_test(explicit_server),
	cmocka_unit_test(implicit_server),
	cmocka_unit_test(a_server_without_tls_is_an_end),
	cmocka_unit_test(a_server_without_prot_is_an_end),
	cmocka_unit_test(tls_on_both_sides),
	cmocka_unit_test(long_lines_end_it),
	cmocka_unit_test(a_reply_without_code_or_with_a_zero_ends_it),
	cmocka_unit_test(commands_without_replies_stop_the_client),
	cmocka_unit_test(output_that_nobody_takes_stops_input),
	cmocka_unit_test(pieces_do_not_matter),
};

UNIT_MAIN(tests)
