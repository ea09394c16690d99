/* Certificates of peers: what is refused, why, and with which alert. */
#include "fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { DAY = 86400 };

/* The server's certificate against an ordinary client. */
static void server_cert(struct fix *f, const struct pki_what *w,
			const char *peer, enum tls_error_kind want)
{
	struct tls_policy_spec cs = fix_client(f), ss;
	struct tls_error e;
	struct two t;

	pki_make(&f->pki, "SRV", w, NULL, NULL);
	ss = fix_server(f, "SRV");
	two_open(&t, &cs, &ss, peer);
	if (want == TLS_ERR_NONE) {
		assert_int_equal(t.rc, 0);
		assert_int_equal(t.rs, 0);
	} else {
		assert_int_equal(t.rc, -EACCES);
		assert_int_equal(two_kind(t.c), want);
		/* the server hears why */
		assert_true(t.rs < 0 || two_kind(t.s) == TLS_ERR_NONE);
		if (t.rs == 0) {
			char buf[8];

			assert_true(tls_session_read(t.s, buf, sizeof buf) < 0);
		}
		tls_session_error(t.s, &e);
		assert_int_equal(e.kind, TLS_ERR_ALERT);
		assert_true(e.alert_received);
	}
	two_close(&t);
	fix_forget(f, &ss);
}

static void a_good_certificate(void **state)
{
	server_cert(*state,
		    &(struct pki_what){
			    .kind = MAKE_SERVER, .cn = "x", .san = "a.test"},
		    "a.test", TLS_ERR_NONE);
}

static void a_wildcard(void **state)
{
	server_cert(*state,
		    &(struct pki_what){
			    .kind = MAKE_SERVER, .cn = "x", .san = "*.a.test"},
		    "b.a.test", TLS_ERR_NONE);
}

static void an_address(void **state)
{
	server_cert(*state,
		    &(struct pki_what){.kind = MAKE_SERVER,
				       .cn = "x",
				       .san = "2001:db8::1"},
		    "2001:db8::1", TLS_ERR_NONE);
}

static void a_wrong_name(void **state)
{
	server_cert(*state,
		    &(struct pki_what){
			    .kind = MAKE_SERVER, .cn = "x", .san = "a.test"},
		    "b.test", TLS_ERR_CERT_NAME);
}

static void a_wrong_address(void **state)
{
	server_cert(*state,
		    &(struct pki_what){.kind = MAKE_SERVER,
				       .cn = "192.0.2.1",
				       .san = "192.0.2.2"},
		    "192.0.2.1", TLS_ERR_CERT_NAME);
}

static void an_expired_certificate(void **state)
{
	server_cert(*state,
		    &(struct pki_what){.kind = MAKE_SERVER,
				       .cn = "x",
				       .san = "a.test",
				       .from_s = -9 * DAY,
				       .until_s = -DAY},
		    "a.test", TLS_ERR_CERT_EXPIRED);
}

static void a_certificate_of_tomorrow(void **state)
{
	server_cert(*state,
		    &(struct pki_what){.kind = MAKE_SERVER,
				       .cn = "x",
				       .san = "a.test",
				       .from_s = DAY,
				       .until_s = 9 * DAY},
		    "a.test", TLS_ERR_CERT_EARLY);
}

static void a_stranger(void **state)
{
	server_cert(*state,
		    &(struct pki_what){.kind = MAKE_SERVER,
				       .cn = "x",
				       .san = "a.test",
				       .self_signed = true},
		    "a.test", TLS_ERR_CERT_CHAIN);
}

static void a_client_certificate_as_server(void **state)
{
	server_cert(*state,
		    &(struct pki_what){
			    .kind = MAKE_CLIENT, .cn = "x", .san = "a.test"},
		    "a.test", TLS_ERR_CERT_OTHER);
}

/* ---- client certificates --------------------------------------------------
 */

/* A server that asks, against a client with the key file `name` or none. */
static void client_cert(struct fix *f, const char *name,
			struct tls_policy_spec *ss, enum tls_error_kind want,
			const char *user)
{
	struct tls_policy_spec cs = fix_client(f);
	struct tls_ident *own = name ? fix_ident(f, name) : NULL;
	struct tls_info info;
	struct two t;

	cs.idents = own ? &own : NULL;
	cs.n_idents = own ? 1 : 0;
	ss->trust = f->trust;
	two_open(&t, &cs, ss, "server.test");
	if (want != TLS_ERR_NONE) {
		assert_true(t.rs < 0);
		assert_int_equal(two_kind(t.s), want);
	} else {
		assert_int_equal(t.rs, 0);
		assert_int_equal(t.rc, 0);
		tls_session_info(t.s, &info);
		assert_int_equal(info.peer_cert, own != NULL);
		assert_int_equal(info.peer_verified, own != NULL);
		assert_string_equal(info.user, user);
	}
	two_close(&t);
}

static void client_file(struct fix *f, const char *name, const char *cn,
			const char *san, bool self_signed)
{
	struct pki_what w = {.kind = MAKE_CLIENT,
			     .cn = cn,
			     .san = san,
			     .self_signed = self_signed};

	pki_make(&f->pki, name, &w, NULL, NULL);
}

static void each_version(struct fix *f, const char *name,
			 const struct tls_policy_spec *base,
			 enum tls_error_kind want, const char *user)
{
	static const enum tls_version versions[] = {TLS_1_2, TLS_1_3};

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		struct tls_policy_spec ss = *base;

		ss.min_version = ss.max_version = versions[i];
		client_cert(f, name, &ss, want, user);
	}
}

static void a_client_certificate(void **state)
{
	struct fix *f = *state;
	struct tls_policy_spec ss = fix_server(f, "EC");

	client_file(f, "CL", "OPER1", "jane@example.test", false);
	ss.verify = TLS_VERIFY_REQUIRED;
	ss.map = TLS_MAP_CN;
	each_version(f, "CL", &ss, TLS_ERR_NONE, "OPER1");
	ss.map = TLS_MAP_EMAIL;
	each_version(f, "CL", &ss, TLS_ERR_NONE, "jane@example.test");
	ss.map = TLS_MAP_EMAIL_USER;
	ss.need_user = true;
	each_version(f, "CL", &ss, TLS_ERR_NONE, "jane");
	fix_forget(f, &ss);
}

static void a_missing_client_certificate(void **state)
{
	struct fix *f = *state;
	struct tls_policy_spec ss = fix_server(f, "EC");

	ss.verify = TLS_VERIFY_REQUIRED;
	each_version(f, NULL, &ss, TLS_ERR_CERT_MISSING, NULL);
	ss.verify = TLS_VERIFY_OPTIONAL;
	each_version(f, NULL, &ss, TLS_ERR_NONE, "");
	fix_forget(f, &ss);
}

/* "Optional" is no leave to come with a bad one. */
static void a_client_nobody_knows(void **state)
{
	struct fix *f = *state;
	struct tls_policy_spec ss = fix_server(f, "EC");

	client_file(f, "CL", "x", NULL, true);
	ss.verify = TLS_VERIFY_REQUIRED;
	/* GnuTLS sends no certificate that the server's list does not name */
	each_version(f, "CL", &ss, TLS_ERR_CERT_CHAIN, NULL);
	ss.verify = TLS_VERIFY_OPTIONAL;
	each_version(f, "CL", &ss, TLS_ERR_CERT_CHAIN, NULL);
	fix_forget(f, &ss);
}

static void a_client_that_is_no_user(void **state)
{
	struct fix *f = *state;
	struct tls_policy_spec ss = fix_server(f, "EC");

	client_file(f, "CL", "Jane Doe", NULL, false);
	ss.verify = TLS_VERIFY_REQUIRED;
	ss.map = TLS_MAP_FILE;
	ss.map_file = "CN \"Payroll *\" PAY\n";
	ss.need_user = true;
	each_version(f, "CL", &ss, TLS_ERR_USER, NULL);
	ss.map_file = "CN \"Jane *\" JANE\n";
	each_version(f, "CL", &ss, TLS_ERR_NONE, "JANE");
	/* a blank cannot be in a user's name */
	ss.map = TLS_MAP_CN;
	each_version(f, "CL", &ss, TLS_ERR_USER, NULL);
	fix_forget(f, &ss);
}

/* ---- revocation
 * -------------------------------------------------------------- */

static void write_crl(struct fix *f, const char *name, X509 *const *certs,
		      size_t n, int64_t until)
{
	X509_CRL *crl;
	char *text;
	size_t len;

	assert_int_equal(make_crl(f->pki.ca_key, f->pki.ca, certs, n,
				  f->pki.now - 2 * DAY, f->pki.now + until,
				  &crl),
			 0);
	assert_int_equal(make_pem(NULL, NULL, NULL, 0, &crl, 1, &text, &len),
			 0);
	pki_file(&f->pki, name, text, len);
	make_free(text, len);
	X509_CRL_free(crl);
}

static void a_revoked_client(void **state)
{
	struct fix *f = *state;
	struct tls_policy_spec ss = fix_server(f, "EC");
	struct pki_what w = {.kind = MAKE_CLIENT, .cn = "x"};
	X509 *bad;

	pki_make(&f->pki, "BAD", &w, &bad, NULL);
	pki_make(&f->pki, "GOOD", &w, NULL, NULL);
	write_crl(f, "CRL.PEM", &bad, 1, DAY);
	assert_int_equal(tls_trust_add_crl_file(f->trust,
						pki_path(&f->pki, "CRL.PEM"),
						f->why),
			 1);
	ss.verify = TLS_VERIFY_REQUIRED;
	ss.need_crl = true;
	each_version(f, "GOOD", &ss, TLS_ERR_NONE, "");
	each_version(f, "BAD", &ss, TLS_ERR_CERT_REVOKED, NULL);
	X509_free(bad);
	fix_forget(f, &ss);
}

static void a_crl_that_is_missing_or_old(void **state)
{
	struct fix *f = *state;
	struct tls_policy_spec ss = fix_server(f, "EC");

	client_file(f, "CL", "x", NULL, false);
	ss.verify = TLS_VERIFY_REQUIRED;
	ss.need_crl = true;
	each_version(f, "CL", &ss, TLS_ERR_CERT_OTHER, NULL);
	write_crl(f, "CRL.PEM", NULL, 0, -DAY);
	assert_int_equal(tls_trust_add_crl_file(f->trust,
						pki_path(&f->pki, "CRL.PEM"),
						f->why),
			 1);
	each_version(f, "CL", &ss, TLS_ERR_CERT_OTHER, NULL);
	ss.need_crl = false;
	each_version(f, "CL", &ss, TLS_ERR_NONE, "");
	/* the same one again, and then a current one in its place */
	(void)!tls_trust_add_crl_file(f->trust, pki_path(&f->pki, "CRL.PEM"),
				      f->why);
	write_crl(f, "CRL.PEM", NULL, 0, DAY);
	assert_int_equal(tls_trust_add_crl_file(f->trust,
						pki_path(&f->pki, "CRL.PEM"),
						f->why),
			 1);
	ss.need_crl = true;
	each_version(f, "CL", &ss, TLS_ERR_NONE, "");
	fix_forget(f, &ss);
}

static void a_crl_of_a_stranger(void **state)
{
	struct fix *f = *state;
	struct pki other;

	pki_init(&other);
	/* the same name, another key */
	write_crl(&(struct fix){.pki = other}, "CRL.PEM", NULL, 0, DAY);
	assert_true(tls_trust_add_crl_file(
			    f->trust, pki_path(&other, "CRL.PEM"), f->why) < 0);
	assert_non_null(strstr(f->why, "CRL.PEM: signed by nobody"));
	pki_fini(&other);
}

/* ---- trust files
 * --------------------------------------------------------------- */

static void trust_from_files(void **state)
{
	struct fix *f = *state;
	struct tls_trust *t;

	assert_int_equal(tls_trust_new(&t), 0);
	assert_int_equal(
		tls_trust_add_file(t, pki_path(&f->pki, "CA.PEM"), f->why), 1);
	assert_true(tls_trust_add_file(t, pki_path(&f->pki, "NONE.PEM"),
				       f->why) == -ENOENT);
	assert_non_null(strstr(f->why, "NONE.PEM: No such file"));
	pki_file(&f->pki, "JUNK.PEM", "hello", 5);
	assert_true(tls_trust_add_file(t, pki_path(&f->pki, "JUNK.PEM"),
				       f->why) == -EBADMSG);
	assert_true(tls_trust_add_crl_file(t, pki_path(&f->pki, "JUNK.PEM"),
					   f->why) == -EBADMSG);
	assert_true(tls_trust_add_file(t, f->pki.dir, f->why) == -EINVAL);
	tls_trust_unref(t);
}

/* A certificate that is no CA makes nobody believed. */
static void a_server_certificate_is_no_trust(void **state)
{
	struct fix *f = *state;
	struct pki_what w = {.kind = MAKE_SERVER, .cn = "x"};
	struct tls_trust *t;
	X509 *leaf;
	char *text;
	size_t len;

	pki_make(&f->pki, "LEAF", &w, &leaf, NULL);
	assert_int_equal(make_pem(NULL, NULL, &leaf, 1, NULL, 0, &text, &len),
			 0);
	pki_file(&f->pki, "ONLY.PEM", text, len);
	make_free(text, len);
	X509_free(leaf);
	assert_int_equal(tls_trust_new(&t), 0);
	assert_true(tls_trust_add_file(t, pki_path(&f->pki, "ONLY.PEM"),
				       f->why) == -EBADMSG);
	assert_non_null(strstr(f->why, "no certificate of a CA"));
	tls_trust_unref(t);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(a_good_certificate, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(a_wildcard, fix_setup, fix_teardown),
	cmocka_unit_test_setup_teardown(an_address, fix_setup, fix_teardown),
	cmocka_unit_test_setup_teardown(a_wrong_name, fix_setup, fix_teardown),
	cmocka_unit_test_setup_teardown(a_wrong_address, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(an_expired_certificate, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(a_certificate_of_tomorrow, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(a_stranger, fix_setup, fix_teardown),
	cmocka_unit_test_setup_teardown(a_client_certificate_as_server,
					fix_setup, fix_teardown),
	cmocka_unit_test_setup_teardown(a_client_certificate, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(a_missing_client_certificate, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(a_client_nobody_knows, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(a_client_that_is_no_user, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(a_revoked_client, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(a_crl_that_is_missing_or_old, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(a_crl_of_a_stranger, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(trust_from_files, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(a_server_certificate_is_no_trust,
					fix_setup, fix_teardown),
};

UNIT_MAIN(tests)
