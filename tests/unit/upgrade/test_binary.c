/* StartTLS of LDAP, SSLRequest of PostgreSQL, START_TLS of TELNET. */
#include "dialogue.h"

#define C UPGRADE_CLEAR
#define W UPGRADE_WIRE

#define BYTES(...) \
	((const uint8_t[]){__VA_ARGS__}), sizeof((const uint8_t[]){__VA_ARGS__})

/* ---- LDAP ---------------------------------------------------------------- */

/* Message 5, ExtendedRequest with the OID of StartTLS. */
#define LDAP_STARTTLS(id) \
	"\x30\x1d\x02\x01" id "\x77\x18\x80\x16" \
	"1.3.6.1.4.1.1466.20037"
#define LDAP_OK "\x30\x0c\x02\x01\x05\x78\x07\x0a\x01\x00\x04\x00\x04\x00"

static void ldap_server_upgrades(void **state)
{
	struct upgrade *u = begin(UPGRADE_LDAP, UPGRADE_SERVER, true);

	(void)state;
	hears_bytes(u, W, LDAP_STARTTLS("\x05"), 10);
	is(u, UPGRADE_WAIT);
	hears_bytes(u, W, &LDAP_STARTTLS("\x05")[10], 21);
	says_bytes(u, W, LDAP_OK, sizeof LDAP_OK - 1);
	is(u, UPGRADE_TLS_NOW);
	upgrade_secured(u);
	is(u, UPGRADE_SECURE);
	says(u, C, "");
	upgrade_free(u);
}

static void ldap_server_refuses_a_bind_in_clear(void **state)
{
	struct upgrade *u = begin(UPGRADE_LDAP, UPGRADE_SERVER, true);
	uint8_t out[64];

	(void)state;
	hears_bytes(
		u, W,
		BYTES(0x30, 0x0c, 2, 1, 1, 0x60, 7, 2, 1, 3, 4, 0, 0x80, 0));
	assert_int_equal(upgrade_output(u, W, out, sizeof out), 28);
	assert_int_equal(out[5], 0x61); /* BindResponse */
	assert_int_equal(out[9], 13);   /* confidentialityRequired */
	says(u, C, "");
	is(u, UPGRADE_WAIT);
	upgrade_free(u);
}

static void ldap_server_may_stay_clear(void **state)
{
	struct upgrade *u = begin(UPGRADE_LDAP, UPGRADE_SERVER, false);

	(void)state;
	hears_bytes(
		u, W,
		BYTES(0x30, 0x0c, 2, 1, 1, 0x60, 7, 2, 1, 3, 4, 0, 0x80, 0));
	is(u, UPGRADE_STAY_CLEAR);
	says_bytes(u, C,
		   BYTES(0x30, 0x0c, 2, 1, 1, 0x60, 7, 2, 1, 3, 4, 0, 0x80, 0));
	upgrade_free(u);
}

static void ldap_server_refuses_injected_requests(void **state)
{
	struct upgrade *u = begin(UPGRADE_LDAP, UPGRADE_SERVER, true);

	(void)state;
	hears_bytes(u, W, LDAP_STARTTLS("\x05") "\x30\x05\x02\x01\x06\x42\x00",
		    38);
	fails(u, "7 clear bytes");
	upgrade_free(u);
}

static void ldap_server_hears_unbind(void **state)
{
	struct upgrade *u = begin(UPGRADE_LDAP, UPGRADE_SERVER, true);

	(void)state;
	hears_bytes(u, W, "\x30\x05\x02\x01\x06\x42\x00", 7);
	is(u, UPGRADE_CLOSE);
	upgrade_free(u);
}

static void ldap_server_refuses_other_things(void **state)
{
	static const char *const wrong[] = {
		"GET / HTTP/1.0\r\n",
		"\x30\x84\x7f\xff\xff\xff",     /* 2 GB */
		"\x30\x80\x02\x01\x01",         /* indefinite */
		"\x30\x05\x04\x01\x06\x42\x01", /* no number */
		"\x30\x05\x02\x01\x06\x42\x7f", /* longer than it is */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct upgrade *u = begin(UPGRADE_LDAP, UPGRADE_SERVER, true);

		hears(u, W, wrong[i]);
		hears(u, W, "");
		if (i == 2)
			(void)!upgrade_input(u, W, "xx", 2);
		fails(u, "not LDAP");
		upgrade_free(u);
	}
}

static void ldap_client_upgrades(void **state)
{
	struct upgrade *u = begin(UPGRADE_LDAP, UPGRADE_CLIENT, true);

	(void)state;
	says_bytes(u, W, LDAP_STARTTLS("\x01"), 31);
	hears_bytes(u, C, "bind", 4);
	hears_bytes(u, W,
		    "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00",
		    14);
	is(u, UPGRADE_TLS_NOW);
	upgrade_secured(u);
	is(u, UPGRADE_SECURE);
	says(u, W, "bind");
	upgrade_free(u);
}

static void ldap_client_is_refused(void **state)
{
	struct upgrade *u = begin(UPGRADE_LDAP, UPGRADE_CLIENT, true);

	(void)state;
	hears_bytes(u, W,
		    "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x02\x04\x00\x04\x00",
		    14);
	fails(u, "refuses StartTLS");
	upgrade_free(u);
}

/* ---- PostgreSQL ---------------------------------------------------------- */

#define PG_SSL 0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f
#define PG_GSS 0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30
#define PG_START 0, 0, 0, 16, 0, 3, 0, 0, 'u', 's', 'e', 'r', 0, 'x', 0, 0

static void postgres_server_upgrades(void **state)
{
	struct upgrade *u = begin(UPGRADE_POSTGRES, UPGRADE_SERVER, true);

	(void)state;
	hears_bytes(u, W, BYTES(PG_GSS));
	says(u, W, "N");
	hears_bytes(u, W, BYTES(0, 0, 0));
	hears_bytes(u, W, BYTES(8, 0x04, 0xd2, 0x16, 0x2f));
	says(u, W, "S");
	is(u, UPGRADE_TLS_NOW);
	upgrade_secured(u);
	is(u, UPGRADE_SECURE);
	upgrade_free(u);
}

static void postgres_server_refuses_clear_clients(void **state)
{
	struct upgrade *u = begin(UPGRADE_POSTGRES, UPGRADE_SERVER, true);
	char out[128];
	size_t n;

	(void)state;
	hears_bytes(u, W, BYTES(PG_START));
	n = upgrade_output(u, W, out, sizeof out);
	assert_int_equal(out[0], 'E');
	assert_int_equal((size_t)(uint8_t)out[4] + 1, n);
	assert_int_equal(out[n - 1], 0);
	is(u, UPGRADE_CLOSE);
	says(u, C, "");
	upgrade_free(u);
}

static void postgres_server_may_stay_clear(void **state)
{
	struct upgrade *u = begin(UPGRADE_POSTGRES, UPGRADE_SERVER, false);

	(void)state;
	hears_bytes(u, W, BYTES(PG_START));
	is(u, UPGRADE_STAY_CLEAR);
	says_bytes(u, C, BYTES(PG_START));
	upgrade_free(u);
}

/* CVE-2021-23214 */
static void postgres_server_refuses_injected_messages(void **state)
{
	struct upgrade *u = begin(UPGRADE_POSTGRES, UPGRADE_SERVER, true);

	(void)state;
	hears_bytes(u, W, BYTES(PG_SSL, PG_START));
	fails(u, "16 clear bytes");
	upgrade_free(u);
}

static void postgres_client_upgrades(void **state)
{
	struct upgrade *u = begin(UPGRADE_POSTGRES, UPGRADE_CLIENT, true);

	(void)state;
	says_bytes(u, W, BYTES(PG_SSL));
	hears_bytes(u, C, BYTES(PG_SSL));
	hears(u, W, "S");
	is(u, UPGRADE_TLS_NOW);
	upgrade_secured(u);
	/* the program also asked for TLS, and gets none from us */
	is(u, UPGRADE_WAIT);
	says(u, C, "N");
	hears_bytes(u, C, BYTES(PG_START));
	says_bytes(u, W, BYTES(PG_START));
	is(u, UPGRADE_WAIT);
	hears_bytes(u, W, BYTES('R', 0, 0, 0, 8, 0, 0, 0, 0, 'Z'));
	is(u, UPGRADE_SECURE);
	says_bytes(u, C, BYTES('R', 0, 0, 0, 8, 0, 0, 0, 0, 'Z'));
	upgrade_free(u);
}

/* A client that is past TLS, with its startup message said. */
static struct upgrade *postgres_client(void)
{
	struct upgrade *u = begin(UPGRADE_POSTGRES, UPGRADE_CLIENT, true);

	says_bytes(u, W, BYTES(PG_SSL));
	hears(u, W, "S");
	upgrade_secured(u);
	hears_bytes(u, C, BYTES(PG_START));
	says_bytes(u, W, BYTES(PG_START));
	return u;
}

#define PG_OFFER(length) 'R', 0, 0, 0, length, 0, 0, 0, 10
#define PG_SCRAM "SCRAM-SHA-256"

static void postgres_client_is_not_offered_channel_binding(void **state)
{
	static const char offer[] = {PG_OFFER(42)};
	static const char rest[] = {PG_OFFER(23)};
	char all[64], want[64];
	struct upgrade *u;

	(void)state;
	/* with a name behind each zero byte, and one for the list */
	memcpy(all, offer, sizeof offer);
	memcpy(all + 9, PG_SCRAM "-PLUS\0" PG_SCRAM "\0", 34);
	memcpy(want, rest, sizeof rest);
	memcpy(want + 9, PG_SCRAM "\0", 15);
	for (size_t piece = 1; piece <= 43; piece++) {
		u = postgres_client();
		/* a notice, and the version, may come first */
		hears_bytes(u, W, BYTES('N', 0, 0, 0, 5, 0));
		says_bytes(u, C, BYTES('N', 0, 0, 0, 5, 0));
		for (size_t at = 0; at < 43; at += piece) {
			is(u, UPGRADE_WAIT);
			hears_bytes(u, W, all + at, MIN(piece, 43 - at));
		}
		is(u, UPGRADE_SECURE);
		says_bytes(u, C, want, 24);
		upgrade_free(u);
	}
}

static void postgres_client_hears_other_answers(void **state)
{
	static const uint8_t endless[] = {'N', 0, 0, 0, 4};
	static uint8_t large[UPGRADE_BUF_MAX] = {'R', 0x7f, 0, 0, 0,
						 0,   0,    0, 10};
	struct upgrade *u = postgres_client();

	(void)state;
	hears_bytes(u, W, BYTES('E', 0, 0, 0, 9, 'M', 'n', 'o', 0, 0));
	is(u, UPGRADE_SECURE);
	says_bytes(u, C, BYTES('E', 0, 0, 0, 9, 'M', 'n', 'o', 0, 0));
	upgrade_free(u);
	u = postgres_client(); /* an offer without an end passes as it is */
	hears_bytes(u, W, large, sizeof large);
	is(u, UPGRADE_SECURE);
	says_bytes(u, C, large, sizeof large);
	upgrade_free(u);
	u = postgres_client(); /* nor are lengths believed */
	hears_bytes(u, W, BYTES('N', 0, 0, 0, 3, 0, 0));
	is(u, UPGRADE_SECURE);
	upgrade_free(u);
	u = postgres_client();
	for (int i = 0; i <= UPGRADE_LINES_MAX; i++)
		hears_bytes(u, W, endless, sizeof endless);
	fails(u, "no end");
	upgrade_free(u);
}

/* What does not fit waits, and goes on as the wire takes it. */
static void postgres_client_has_a_long_startup(void **state)
{
	static uint8_t more[UPGRADE_BUF_MAX];
	struct upgrade *u = begin(UPGRADE_POSTGRES, UPGRADE_CLIENT, true);
	uint8_t out[UPGRADE_BUF_MAX];

	(void)state;
	says_bytes(u, W, BYTES(PG_SSL));
	hears(u, W, "S");
	upgrade_secured(u);
	hears_bytes(u, C, BYTES(PG_START));
	hears_bytes(u, C, more, sizeof more);
	is(u, UPGRADE_WAIT);
	assert_int_equal(upgrade_input(u, C, more, sizeof more),
			 sizeof more - 16);
	assert_int_equal(upgrade_input(u, C, more, 1), 0);
	assert_int_equal(upgrade_output(u, W, out, sizeof out), sizeof out);
	assert_int_equal(upgrade_output(u, W, out, sizeof out), sizeof out);
	assert_int_equal(upgrade_output(u, W, out, sizeof out), 0);
	is(u, UPGRADE_WAIT);
	upgrade_free(u);
}

static void postgres_client_is_refused(void **state)
{
	struct upgrade *u = begin(UPGRADE_POSTGRES, UPGRADE_CLIENT, true);

	(void)state;
	hears(u, W, "N");
	fails(u, "refuses SSL");
	upgrade_free(u);
	/* CVE-2021-23222 */
	u = begin(UPGRADE_POSTGRES, UPGRADE_CLIENT, true);
	hears(u, W, "SR");
	fails(u, "1 clear bytes");
	upgrade_free(u);
	u = begin(UPGRADE_POSTGRES, UPGRADE_CLIENT, false);
	hears(u, W, "N");
	is(u, UPGRADE_STAY_CLEAR);
	upgrade_free(u);
}

static void postgres_requests_have_a_limit(void **state)
{
	struct upgrade *u = begin(UPGRADE_POSTGRES, UPGRADE_SERVER, true);

	(void)state;
	for (int i = 0; i < 3; i++)
		hears_bytes(u, W, BYTES(PG_GSS));
	fails(u, "too many");
	upgrade_free(u);
}

/* ---- TELNET -------------------------------------------------------------- */

#define DO_TLS 255, 253, 46
#define WILL_TLS 255, 251, 46
#define WONT_TLS 255, 252, 46
#define FOLLOWS 255, 250, 46, 1, 255, 240

static void telnet_server_upgrades(void **state)
{
	struct upgrade *u = begin(UPGRADE_TELNET, UPGRADE_SERVER, true);

	(void)state;
	hears(u, C, "\xff\xfd\x28"); /* the program's DO TN3270E waits */
	says_bytes(u, W, BYTES(DO_TLS));
	hears_bytes(u, W, BYTES(WILL_TLS, 255, 250, 46));
	says_bytes(u, W, BYTES(FOLLOWS));
	is(u, UPGRADE_WAIT);
	hears_bytes(u, W, BYTES(1, 255, 240));
	is(u, UPGRADE_TLS_NOW);
	upgrade_secured(u);
	is(u, UPGRADE_SECURE);
	says(u, W, "\xff\xfd\x28");
	upgrade_free(u);
}

static void telnet_server_is_refused(void **state)
{
	struct upgrade *u = begin(UPGRADE_TELNET, UPGRADE_SERVER, true);

	(void)state;
	hears_bytes(u, W, BYTES(WONT_TLS));
	fails(u, "refuses START_TLS");
	upgrade_free(u);
	u = begin(UPGRADE_TELNET, UPGRADE_SERVER, false);
	says_bytes(u, W, BYTES(DO_TLS));
	hears(u, C, "login: ");
	hears_bytes(u, W, BYTES(WONT_TLS));
	is(u, UPGRADE_STAY_CLEAR);
	says(u, W, "login: ");
	upgrade_free(u);
}

static void telnet_server_refuses_data(void **state)
{
	struct upgrade *u = begin(UPGRADE_TELNET, UPGRADE_SERVER, true);

	(void)state;
	hears(u, W, "root\r\n");
	fails(u, "data instead");
	upgrade_free(u);
	u = begin(UPGRADE_TELNET, UPGRADE_SERVER, true);
	hears_bytes(u, W, BYTES(WILL_TLS, 'x'));
	fails(u, "does not follow");
	upgrade_free(u);
	u = begin(UPGRADE_TELNET, UPGRADE_SERVER, true);
	hears_bytes(u, W, BYTES(WILL_TLS, FOLLOWS, 'x'));
	fails(u, "1 clear bytes");
	upgrade_free(u);
}

static void telnet_server_passes_over_other_options(void **state)
{
	struct upgrade *u = begin(UPGRADE_TELNET, UPGRADE_SERVER, true);

	(void)state;
	hears_bytes(u, W,
		    BYTES(255, 251, 24, 255, 250, 24, 255, 255, 255, 240, 255,
			  241, WILL_TLS, FOLLOWS));
	is(u, UPGRADE_TLS_NOW);
	upgrade_free(u);
}

/* ClientHello may follow FOLLOWS at once: it stays on the wire. */
static void telnet_server_reads_no_handshake(void **state)
{
	struct upgrade *u = begin(UPGRADE_TELNET, UPGRADE_SERVER, true);

	(void)state;
	assert_int_equal(upgrade_want(u, W), UPGRADE_BUF_MAX);
	hears_bytes(u, W, BYTES(WILL_TLS));
	assert_int_equal(upgrade_want(u, W), 6);
	assert_int_equal(upgrade_want(u, C), UPGRADE_BUF_MAX);
	hears_bytes(u, W, BYTES(255, 250, 46, 1));
	assert_int_equal(upgrade_want(u, W), 2);
	hears_bytes(u, W, BYTES(255, 240));
	is(u, UPGRADE_TLS_NOW);
	upgrade_free(u);
}

static void telnet_client_upgrades(void **state)
{
	struct upgrade *u = begin(UPGRADE_TELNET, UPGRADE_CLIENT, true);

	(void)state;
	says(u, W, "");
	hears_bytes(u, W, BYTES(DO_TLS));
	says_bytes(u, W, BYTES(WILL_TLS, FOLLOWS));
	hears_bytes(u, W, BYTES(FOLLOWS));
	is(u, UPGRADE_TLS_NOW);
	upgrade_secured(u);
	is(u, UPGRADE_SECURE);
	upgrade_free(u);
}

static void telnet_client_refuses_clear_servers(void **state)
{
	struct upgrade *u = begin(UPGRADE_TELNET, UPGRADE_CLIENT, true);

	(void)state;
	hears(u, W, "login: ");
	fails(u, "data instead");
	upgrade_free(u);
	u = begin(UPGRADE_TELNET, UPGRADE_CLIENT, false);
	hears(u, W, "login: ");
	is(u, UPGRADE_STAY_CLEAR);
	says(u, C, "login: ");
	upgrade_free(u);
}

static void telnet_subnegotiations_have_a_limit(void **state)
{
	struct upgrade *u = begin(UPGRADE_TELNET, UPGRADE_SERVER, true);
	static uint8_t endless[UPGRADE_BUF_MAX] = {255, 250, 24};

	(void)state;
	hears_bytes(u, W, endless, sizeof endless);
	fails(u, "no end");
	upgrade_free(u);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(ldap_server_upgrades),
	cmocka_unit_test(ldap_server_refuses_a_bind_in_clear),
	cmocka_unit_test(ldap_server_may_stay_clear),
	cmocka_unit_test(ldap_server_refuses_injected_requests),
	cmocka_unit_test(ldap_server_hears_unbind),
	cmocka_unit_test(ldap_server_refuses_other_things),
	cmocka_unit_test(ldap_client_upgrades),
	cmocka_unit_test(ldap_client_is_refused),
	cmocka_unit_test(postgres_server_upgrades),
	cmocka_unit_test(postgres_server_refuses_clear_clients),
	cmocka_unit_test(postgres_server_may_stay_clear),
	cmocka_unit_test(postgres_server_refuses_injected_messages),
	cmocka_unit_test(postgres_client_upgrades),
	cmocka_unit_test(postgres_client_is_refused),
	cmocka_unit_test(postgres_requests_have_a_limit),
	cmocka_unit_test(postgres_client_is_not_offered_channel_binding),
	cmocka_unit_test(postgres_client_hears_other_answers),
	cmocka_unit_test(postgres_client_has_a_long_startup),
	cmocka_unit_test(telnet_server_upgrades),
	cmocka_unit_test(telnet_server_is_refused),
	cmocka_unit_test(telnet_server_refuses_data),
	cmocka_unit_test(telnet_server_passes_over_other_options),
	cmocka_unit_test(telnet_server_reads_no_handshake),
	cmocka_unit_test(telnet_client_upgrades),
	cmocka_unit_test(telnet_client_refuses_clear_servers),
	cmocka_unit_test(telnet_subnegotiations_have_a_limit),
};

UNIT_MAIN(tests)
