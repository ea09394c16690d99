/* Handshakes over memory with keys in the key process. */
#include "fixture.h"

/* ---- it works ------------------------------------------------------------ */

static void check_bytes(struct two *t)
{
	char buf[64];

	assert_int_equal(tls_session_write(t->c, "hello", 5), 5);
	assert_int_equal(tls_session_read(t->s, buf, sizeof buf), 5);
	assert_memory_equal(buf, "hello", 5);
	assert_int_equal(tls_session_write(t->s, "world!", 6), 6);
	assert_int_equal(tls_session_read(t->c, buf, sizeof buf), 6);
	assert_memory_equal(buf, "world!", 6);
}

static void talk_as(struct fix *f, const char *key_file,
		    enum tls_version version, bool legacy, const char *suites)
{
	struct tls_policy_spec cs = fix_client(f), ss = fix_server(f, key_file);
	struct two t;
	struct tls_info ci, si;

	cs.min_version = ss.min_version = version;
	cs.max_version = ss.max_version = version;
	cs.legacy = ss.legacy = legacy;
	cs.suites = suites;
	two_open(&t, &cs, &ss, "server.test");
	assert_int_equal(t.rc, 0);
	assert_int_equal(t.rs, 0);
	tls_session_info(t.c, &ci);
	tls_session_info(t.s, &si);
	assert_int_equal(ci.version, version);
	assert_int_equal(si.version, version);
	assert_int_equal(ci.suite, si.suite);
	assert_true(ci.suite != 0);
	assert_string_equal(si.sni, "server.test");
	assert_true(ci.peer_cert);
	assert_true(ci.peer_verified);
	assert_false(si.peer_cert);
	check_bytes(&t);
	two_close(&t);
	fix_forget(f, &ss);
}

static void tls13_with_an_ec_key(void **state)
{
	talk_as(*state, "EC", TLS_1_3, false, NULL);
}

static void tls13_with_an_rsa_key(void **state)
{
	talk_as(*state, "RSA", TLS_1_3, false, NULL);
}

static void tls12_with_an_ec_key(void **state)
{
	talk_as(*state, "EC", TLS_1_2, false, NULL);
}

static void tls12_with_an_rsa_key(void **state)
{
	talk_as(*state, "RSA", TLS_1_2, false, NULL);
}

static void tls11_with_an_rsa_key(void **state)
{
	talk_as(*state, "RSA", TLS_1_1, true, NULL);
}

static void tls10_with_an_ec_key(void **state)
{
	talk_as(*state, "EC", TLS_1_0, true, NULL);
}

static void rsa_key_transport(void **state)
{
	talk_as(*state, "RSA", TLS_1_2, true, "009C");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(tls13_with_an_ec_key, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(tls13_with_an_rsa_key, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(tls12_with_an_ec_key, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(tls12_with_an_rsa_key, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(tls11_with_an_rsa_key, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(tls10_with_an_ec_key, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(rsa_key_transport, fix_setup,
					fix_teardown),
};

UNIT_MAIN(tests)
