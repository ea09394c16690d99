/* What a policy says, what it refuses, and that it is kept to. */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- refused at once
 * --------------------------------------------------------- */

static void refused(struct fix *f, const struct tls_policy_spec *s,
		    const char *words)
{
	struct tls_policy *p;

	assert_int_equal(tls_policy_new(s, &p, f->why), -EINVAL);
	if (!strstr(f->why, words))
		fail_msg("\"%s\" is not in \"%s\"", words, f->why);
}

static void contradictions(void **state)
{
	static const char *const long_alpn[] = {
		"0123456789012345678901234567890123456789"};
	struct fix *f = *state;
	struct tls_policy_spec s = fix_client(f);

	s.min_version = TLS_1_3;
	s.max_version = TLS_1_2;
	refused(f, &s, "minimum version TLS 1.3 is above");
	s = fix_client(f);
	s.min_version = (enum tls_version)0x0300;
	refused(f, &s, "0x300 does not exist");
	s = fix_client(f);
	s.trust = NULL;
	refused(f, &s, "no CA certificate");
	s = fix_client(f);
	s.verify = TLS_VERIFY_NONE;
	refused(f, &s, "the certificate is not");
	s = fix_client(f);
	s.need_user = true;
	refused(f, &s, "no rule maps");
	s = fix_client(f);
	s.map = TLS_MAP_FILE;
	refused(f, &s, "user map is missing");
	s.map_file = "CN\n";
	refused(f, &s, "line 1 of the user map");
	s = fix_client(f);
	s.alpn = long_alpn;
	s.n_alpn = 1;
	refused(f, &s, "ALPN protocol 0123");
	s.n_alpn = TLS_ALPN_MAX + 1;
	refused(f, &s, "more than 8 ALPN");
	s = (struct tls_policy_spec){.role = TLS_SERVER};
	refused(f, &s, "needs a certificate");
}

static void suites_that_are_refused(void **state)
{
	struct fix *f = *state;
	struct tls_policy_spec s = fix_client(f);

	s.legacy = true;
	s.suites = "C02F 3B";
	refused(f, &s, "3B is never used (NULL)");
	s.suites = "0x0004";
	refused(f, &s, "(RC4)");
	s.suites = "03";
	refused(f, &s, "(export)");
	s.suites = "09";
	refused(f, &s, "(DES)");
	s.suites = "TLS_RSA_WITH_CAMELLIA";
	refused(f, &s, "the name or the hexadecimal number");
	s.suites = "2F";
	s.legacy = false;
	refused(f, &s, "TLS_RSA_WITH_AES_128_CBC_SHA is a legacy suite");
	s.suites = "1301";
	s.max_version = TLS_1_2;
	refused(f, &s, "no cipher suite is left");
	s = fix_client(f);
	s.groups = "X25519 P-111";
	refused(f, &s, "group P-111");
}

static void warnings(void **state)
{
	struct fix *f = *state;
	struct tls_policy_spec s = {.name = "w", .role = TLS_CLIENT};
	struct tls_policy *p;

	s.min_version = TLS_1_0;
	s.legacy = true;
	assert_int_equal(tls_policy_new(&s, &p, f->why), 0);
	assert_string_equal(tls_policy_warning(p, 0), "TLS 1.0 is allowed");
	assert_string_equal(tls_policy_warning(p, 1), "TLS 1.1 is allowed");
	assert_non_null(strstr(tls_policy_warning(p, 2), "legacy"));
	assert_non_null(strstr(tls_policy_warning(p, 3), "is not checked"));
	assert_null(tls_policy_warning(p, 4));
	tls_policy_unref(p);
	s = fix_client(f);
	assert_int_equal(tls_policy_new(&s, &p, f->why), 0);
	assert_null(tls_policy_warning(p, 0));
	tls_policy_unref(p);
}

static void names_and_versions(void **state)
{
	(void)state;
	assert_int_equal(tls_version_parse("TLSV1"), TLS_1_0);
	assert_int_equal(tls_version_parse("TLSv1.2"), TLS_1_2);
	assert_int_equal(tls_version_parse("tls1.3"), TLS_1_3);
	assert_int_equal(tls_version_parse("TLS 1.1"), TLS_1_1);
	assert_int_equal(tls_version_parse("1.3"), TLS_1_3);
	assert_true(tls_version_parse("SSLV3") < 0);
	assert_true(tls_version_parse("TLSV1.4") < 0);
	assert_true(tls_version_parse("") < 0);
	assert_string_equal(tls_version_name(TLS_1_3), "TLS 1.3");
	assert_string_equal(tls_suite_name(0xc02f),
			    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
	assert_null(tls_suite_name(0x0005));
}

/* ---- kept to
 * ------------------------------------------------------------------- */

/* What a server with `ss` and a client with `cs` agree on; 0: on nothing. */
static uint16_t agree(struct fix *f, const char *key, const char *ss_suites,
		      const char *cs_suites, enum tls_version max)
{
	struct tls_policy_spec cs = fix_client(f), ss = fix_server(f, key);
	uint16_t suite = 0;
	struct tls_info i;
	struct two t;

	cs.legacy = ss.legacy = true;
	cs.max_version = max;
	cs.suites = cs_suites;
	ss.suites = ss_suites;
	two_open(&t, &cs, &ss, "server.test");
	if (t.rc == 0 && t.rs == 0) {
		tls_session_info(t.c, &i);
		suite = i.suite;
	} else {
		assert_true(t.rc < 0 || t.rs < 0);
	}
	two_close(&t);
	fix_forget(f, &ss);
	return suite;
}

/* GnuTLS alone would also allow ECDHE with AES-256, and RSA with AES-128. */
static void a_list_is_no_product(void **state)
{
	struct fix *f = *state;
	static const char list[] = "C02F,9D";

	assert_int_equal(agree(f, "RSA", list, "C030", TLS_1_2), 0);
	assert_int_equal(agree(f, "RSA", list, "9C", TLS_1_2), 0);
	assert_int_equal(agree(f, "RSA", list, "9D", TLS_1_2), 0x9d);
	assert_int_equal(agree(f, "RSA", list, "C02F", TLS_1_2), 0xc02f);
	/* the client offers the product, and looks afterwards */
	assert_int_equal(agree(f, "RSA", "C030", list, TLS_1_2), 0);
}

static void the_servers_order_counts(void **state)
{
	struct fix *f = *state;

	assert_int_equal(agree(f, "RSA", "C030 C02F", "C02F C030", TLS_1_2),
			 0xc030);
	assert_int_equal(agree(f, "RSA", "C02F C030", "C030 C02F", TLS_1_2),
			 0xc02f);
	assert_int_equal(agree(f, "RSA", "2F C02F", "C02F 2F", TLS_1_2), 0x2f);
	assert_int_equal(agree(f, "EC", "1302 1301", "1301 1302", TLS_1_3),
			 0x1302);
	/* suites for a kind of certificate that is not there are passed over */
	assert_int_equal(agree(f, "EC", "C02F C02B", NULL, TLS_1_2), 0xc02b);
}

static void names_of_all_kinds(void **state)
{
	struct fix *f = *state;

	assert_int_equal(
		agree(f, "RSA", "ECDHE-RSA-AES256-GCM-SHA384", NULL, TLS_1_2),
		0xc030);
	assert_int_equal(agree(f, "RSA", "tls_ecdhe_rsa_aes_128_cbc_sha1", NULL,
			       TLS_1_2),
			 0xc013);
	assert_int_equal(
		agree(f, "RSA", "TLS_RSA_WITH_3DES_EDE_CBC_SHA", "0A", TLS_1_2),
		0x0a);
}

static void gcm_comes_before_chacha(void **state)
{
	struct fix *f = *state;

	/* even if the client would rather not */
	assert_int_equal(agree(f, "EC", NULL, "1303 1301", TLS_1_3), 0x1301);
	assert_int_equal(agree(f, "EC", NULL, "1303", TLS_1_3), 0x1303);
}

/* By default nothing old is agreed on. */
static void no_version_below_12(void **state)
{
	struct fix *f = *state;
	struct tls_policy_spec cs = fix_client(f), ss = fix_server(f, "RSA");
	struct two t;

	cs.min_version = TLS_1_0;
	cs.max_version = TLS_1_1;
	cs.legacy = true;
	two_open(&t, &cs, &ss, "server.test");
	assert_true(t.rs < 0);
	assert_int_equal(two_kind(t.s), TLS_ERR_VERSION);
	assert_true(t.rc < 0);
	two_close(&t);
	fix_forget(f, &ss);
}

static void groups_are_kept_to(void **state)
{
	struct fix *f = *state;
	struct tls_policy_spec cs = fix_client(f), ss = fix_server(f, "EC");
	struct tls_info i;
	struct two t;

	ss.groups = "P-384 X25519";
	cs.groups = "X25519,P-384";
	two_open(&t, &cs, &ss, "server.test");
	assert_int_equal(t.rc, 0);
	tls_session_info(t.c, &i);
	assert_true(strcmp(i.group, "X25519") == 0 ||
		    strcmp(i.group, "SECP384R1") == 0);
	two_close(&t);
	cs.groups = "P-256";
	two_open(&t, &cs, &ss, "server.test");
	assert_true(t.rs < 0);
	assert_int_equal(two_kind(t.s), TLS_ERR_SUITE);
	two_close(&t);
	fix_forget(f, &ss);
}

/* ---- which certificate
 * --------------------------------------------------------------- */

static unsigned which(struct fix *f, struct tls_policy_spec *ss,
		      const char *peer, const char *suites,
		      enum tls_version max)
{
	struct tls_policy_spec cs = fix_client(f);
	struct tls_info i;
	struct two t;

	cs.suites = suites;
	cs.max_version = max;
	cs.check_name = false;
	two_open(&t, &cs, ss, peer);
	assert_int_equal(t.rc, 0);
	assert_int_equal(t.rs, 0);
	tls_session_info(t.s, &i);
	two_close(&t);
	return i.local_ident;
}

static void sni_chooses(void **state)
{
	struct fix *f = *state;
	struct pki_what a = {.kind = MAKE_SERVER, .cn = "a", .san = "a.test"},
			b = {.kind = MAKE_SERVER, .cn = "b", .san = "*.b.test"};
	struct tls_ident *list[3];
	struct tls_policy_spec ss = {
		.role = TLS_SERVER, .idents = list, .n_idents = 3};
	struct two t;
	struct tls_policy_spec cs = fix_client(f);

	pki_make(&f->pki, "A", &a, NULL, NULL);
	pki_make(&f->pki, "B", &b, NULL, NULL);
	list[0] = fix_ident(f, "EC");
	list[1] = fix_ident(f, "A");
	list[2] = fix_ident(f, "B");
	assert_int_equal(which(f, &ss, "a.test", NULL, TLS_1_3), 1);
	assert_int_equal(which(f, &ss, "x.b.test", NULL, TLS_1_2), 2);
	assert_int_equal(which(f, &ss, "other.test", NULL, TLS_1_3), 0);
	assert_int_equal(which(f, &ss, NULL, NULL, TLS_1_3), 0);
	assert_int_equal(which(f, &ss, "192.0.2.1", NULL, TLS_1_3), 0);
	ss.require_sni = true;
	assert_int_equal(which(f, &ss, "a.test", NULL, TLS_1_3), 1);
	two_open(&t, &cs, &ss, "other.test");
	assert_true(t.rs < 0);
	assert_int_equal(two_kind(t.s), TLS_ERR_SNI);
	assert_int_equal(two_kind(t.c), TLS_ERR_ALERT);
	two_close(&t);
}

static void the_clients_algorithms_choose(void **state)
{
	struct fix *f = *state;
	struct tls_ident *list[2] = {fix_ident(f, "RSA"), fix_ident(f, "EC")};
	struct tls_policy_spec ss = {
		.role = TLS_SERVER, .idents = list, .n_idents = 2};

	assert_int_equal(which(f, &ss, "server.test", "C02B", TLS_1_2), 1);
	assert_int_equal(which(f, &ss, "server.test", "C02F", TLS_1_2), 0);
	assert_int_equal(which(f, &ss, "server.test", NULL, TLS_1_3), 1);
	ss.suites = "C02F C02B";
	assert_int_equal(which(f, &ss, "server.test", NULL, TLS_1_2), 0);
	ss.suites = "C02B C02F";
	assert_int_equal(which(f, &ss, "server.test", NULL, TLS_1_2), 1);
}

/* ---- ALPN, key log
 * ---------------------------------------------------------------------- */

static void alpn_is_agreed(void **state)
{
	static const char *const ours[] = {"h2", "http/1.1"},
				 *const theirs[] = {"http/1.1", "h2"},
				 *const others[] = {"ftp"};
	struct fix *f = *state;
	struct tls_policy_spec cs = fix_client(f), ss = fix_server(f, "EC");
	struct tls_info i;
	struct two t;

	ss.alpn = ours;
	ss.n_alpn = 2;
	cs.alpn = theirs;
	cs.n_alpn = 2;
	two_open(&t, &cs, &ss, "server.test");
	assert_int_equal(t.rs, 0);
	tls_session_info(t.s, &i);
	assert_string_equal(i.alpn, "h2");
	two_close(&t);
	cs.alpn = others;
	cs.n_alpn = 1;
	two_open(&t, &cs, &ss, "server.test");
	assert_int_equal(two_kind(t.s), TLS_ERR_ALPN);
	two_close(&t);
	cs.n_alpn = 0;
	two_open(&t, &cs, &ss, "server.test");
	assert_int_equal(t.rs, 0);
	two_close(&t);
	ss.need_alpn = true;
	two_open(&t, &cs, &ss, "server.test");
	assert_int_equal(two_kind(t.s), TLS_ERR_ALPN);
	two_close(&t);
	fix_forget(f, &ss);
}

static void keys_are_logged_on_request(void **state)
{
	struct fix *f = *state;
	struct tls_policy_spec cs = fix_client(f), ss = fix_server(f, "EC");
	char text[4096] = "";
	struct two t;
	int fd;

	pki_file(&f->pki, "keys.log", "", 0);
	fd = open(pki_path(&f->pki, "keys.log"), O_RDWR | O_APPEND);
	ss.keylog_fd = fd;
	two_open(&t, &cs, &ss, "server.test");
	assert_int_equal(t.rs, 0);
	assert_non_null(tls_policy_warning(t.sp, 0));
	two_close(&t);
	assert_true(pread(fd, text, sizeof text - 1, 0) > 0);
	assert_non_null(strstr(text, "CLIENT_TRAFFIC_SECRET_0 "));
	assert_non_null(strstr(text, "SERVER_HANDSHAKE_TRAFFIC_SECRET "));
	close(fd);
	fix_forget(f, &ss);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(contradictions, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(suites_that_are_refused, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(warnings, fix_setup, fix_teardown),
	cmocka_unit_test(names_and_versions),
	cmocka_unit_test_setup_teardown(a_list_is_no_product, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(the_servers_order_counts, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(names_of_all_kinds, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(gcm_comes_before_chacha, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(no_version_below_12, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(groups_are_kept_to, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(sni_chooses, fix_setup, fix_teardown),
	cmocka_unit_test_setup_teardown(the_clients_algorithms_choose,
					fix_setup, fix_teardown),
	cmocka_unit_test_setup_teardown(alpn_is_agreed, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(keys_are_logged_on_request, fix_setup,
					fix_teardown),
};

UNIT_MAIN(tests)
