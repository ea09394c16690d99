/* Tickets and the client's memory. */
#include "fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct rig {
	struct fix *f;
	struct tls_policy_spec cs, ss;
	struct tls_policy *cp, *sp;
};

static struct tls_policy *policy(struct fix *f, const struct tls_policy_spec *s)
{
	struct tls_policy *p = NULL;

	if (tls_policy_new(s, &p, f->why) < 0)
		fail_msg("%s", f->why);
	return p;
}

static void rig_init(struct rig *r, struct fix *f, enum tls_version v)
{
	*r = (struct rig){
		.f = f, .cs = fix_client(f), .ss = fix_server(f, "EC")};
	r->cs.min_version = r->cs.max_version = v;
	assert_int_equal(tls_tickets_new(NULL, &r->ss.tickets), 0);
	assert_int_equal(tls_cache_new(2, &r->cs.cache), 0);
	r->cp = policy(f, &r->cs);
	r->sp = policy(f, &r->ss);
}

static void rig_fini(struct rig *r)
{
	tls_policy_unref(r->cp);
	tls_policy_unref(r->sp);
	tls_tickets_unref(r->ss.tickets);
	tls_cache_unref(r->cs.cache);
	fix_forget(r->f, &r->ss);
}

/* One connection; was it resumed? Both sides agree on that. */
static bool resumed(struct tls_policy *cp, struct tls_policy *sp,
		    const char *peer)
{
	struct tls_info ci, si;
	char buf[8];
	struct two t;

	two_again(&t, cp, sp, peer);
	assert_int_equal(t.rc, 0);
	assert_int_equal(t.rs, 0);
	/* the ticket of TLS 1.3 comes with the data */
	assert_int_equal(tls_session_write(t.s, "x", 1), 1);
	assert_int_equal(tls_session_read(t.c, buf, sizeof buf), 1);
	tls_session_info(t.c, &ci);
	tls_session_info(t.s, &si);
	assert_int_equal(ci.resumed, si.resumed);
	assert_true(ci.peer_cert && ci.peer_verified);
	two_close(&t);
	return ci.resumed;
}

/* A server that is terse: bytes that it leaves unread at the client behind the
 * handshake; was it resumed? */
static size_t terse_leaves(const struct rig *r, bool *ret_resumed)
{
	struct two t = {.pipe = pipe_new()};
	struct tls_info si;
	size_t left;

	assert_int_equal(tls_session_new(r->cp, "server.test", &pipe_io,
					 &t.pipe->client, &t.c),
			 0);
	assert_int_equal(tls_session_new_terse(r->sp, NULL, &pipe_io,
					       &t.pipe->server, &t.s),
			 0);
	pipe_handshake(t.c, t.s, &t.rc, &t.rs);
	assert_int_equal(t.rc, 0);
	assert_int_equal(t.rs, 0);
	left = t.pipe->down.len;
	tls_session_info(t.s, &si);
	*ret_resumed = si.resumed;
	two_close(&t);
	return left;
}

static void who_is_terse_sends_no_ticket(void **state)
{
	bool again;
	struct rig r;
	struct two t;

	rig_init(&r, *state, TLS_1_3);
	/* the others do */
	two_again(&t, r.cp, r.sp, "server.test");
	assert_int_equal(t.rc, 0);
	assert_true(t.pipe->down.len > 0);
	two_close(&t);
	tls_cache_flush(r.cs.cache);

	assert_int_equal(terse_leaves(&r, &again), 0);
	assert_false(again);
	/* there was nothing to come back with; this one brings something */
	assert_false(resumed(r.cp, r.sp, "server.test"));
	assert_int_equal(terse_leaves(&r, &again), 0);
	assert_true(again);
	rig_fini(&r);
}

static void second_time(struct fix *f, enum tls_version v)
{
	struct rig r;

	rig_init(&r, f, v);
	assert_false(resumed(r.cp, r.sp, "server.test"));
	assert_true(resumed(r.cp, r.sp, "server.test"));
	assert_true(resumed(r.cp, r.sp, "server.test"));
	/* another name is another peer */
	assert_false(resumed(r.cp, r.sp, "a.wild.test"));
	assert_true(resumed(r.cp, r.sp, "a.wild.test"));
	/* the cache holds two; the third drives the oldest out */
	assert_false(resumed(r.cp, r.sp, "b.wild.test"));
	assert_false(resumed(r.cp, r.sp, "server.test"));
	tls_cache_flush(r.cs.cache);
	assert_false(resumed(r.cp, r.sp, "server.test"));
	rig_fini(&r);
}

static void tls13_resumes(void **state)
{
	second_time(*state, TLS_1_3);
}

static void tls12_resumes(void **state)
{
	second_time(*state, TLS_1_2);
}

/* One that is forgotten on the way: before its ticket has come, or behind. */
static void forget_one(struct rig *r, bool late)
{
	struct two t;
	char buf[8];

	two_again(&t, r->cp, r->sp, "server.test");
	assert_int_equal(t.rc, 0);
	if (!late)
		assert_int_equal(tls_session_forget(t.c), 0);
	assert_int_equal(tls_session_write(t.s, "x", 1), 1);
	assert_int_equal(tls_session_read(t.c, buf, sizeof buf), 1);
	if (late)
		assert_int_equal(tls_session_forget(t.c), 0);
	assert_int_equal(tls_session_forget(t.s), -EOPNOTSUPP);
	two_close(&t);
}

static void a_forgotten_session_is_not_resumed(void **state)
{
	static const enum tls_version versions[] = {TLS_1_2, TLS_1_3};

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		struct rig r;

		rig_init(&r, *state, versions[i]);
		for (int late = 0; late < 2; late++) {
			forget_one(&r, late);
			assert_false(resumed(r.cp, r.sp, "server.test"));
			assert_true(resumed(r.cp, r.sp, "server.test"));
		}
		rig_fini(&r);
	}
}

static void another_machine_with_the_same_key(void **state)
{
	uint8_t key[TLS_TICKET_KEY_LEN];
	struct tls_policy *sp2, *sp3;
	struct tls_policy_spec ss;
	struct rig r;

	memset(key, 7, sizeof key);
	rig_init(&r, *state, TLS_1_3);
	ss = r.ss;
	assert_int_equal(tls_tickets_new(key, &ss.tickets), 0);
	sp2 = policy(r.f, &ss);
	tls_tickets_unref(ss.tickets);
	assert_int_equal(tls_tickets_new(key, &ss.tickets), 0);
	sp3 = policy(r.f, &ss);
	tls_tickets_unref(ss.tickets);
	assert_false(resumed(r.cp, sp2, "server.test"));
	assert_true(resumed(r.cp, sp3, "server.test"));
	/* and one with another key */
	assert_false(resumed(r.cp, r.sp, "server.test"));
	tls_policy_unref(sp2);
	tls_policy_unref(sp3);
	rig_fini(&r);
}

static void without_tickets_nothing_is_resumed(void **state)
{
	struct tls_policy *sp;
	struct tls_policy_spec ss;
	struct rig r;

	rig_init(&r, *state, TLS_1_3);
	ss = r.ss;
	ss.tickets = NULL;
	sp = policy(r.f, &ss);
	assert_false(resumed(r.cp, sp, "server.test"));
	assert_false(resumed(r.cp, sp, "server.test"));
	tls_policy_unref(sp);
	rig_fini(&r);
}

/* ---- client certificates ---------------------------------------------------
 */

static void expect(struct tls_policy *cp, struct tls_policy *sp, bool good,
		   bool was_resumed, enum tls_error_kind kind)
{
	struct tls_info si;
	char buf[8];
	struct two t;

	two_again(&t, cp, sp, "server.test");
	if (!good) {
		assert_true(t.rs < 0);
		assert_int_equal(two_kind(t.s), kind);
		two_close(&t);
		return;
	}
	assert_int_equal(t.rs, 0);
	assert_int_equal(tls_session_write(t.s, "x", 1), 1);
	assert_int_equal(tls_session_read(t.c, buf, sizeof buf), 1);
	tls_session_info(t.s, &si);
	assert_int_equal(si.resumed, was_resumed);
	assert_string_equal(si.user, "OPER1");
	assert_true(si.peer_verified);
	two_close(&t);
}

/* Between two connections the client is revoked: a ticket is no way round. */
static void resumption_checks_the_certificate_again(void **state)
{
	struct fix *f = *state;
	struct pki_what w = {.kind = MAKE_CLIENT, .cn = "OPER1"};
	struct tls_policy *cp, *sp, *strict;
	struct tls_ident *own;
	struct tls_trust *trust;
	X509_CRL *crl;
	X509 *cert;
	struct rig r;
	char *text;
	size_t len;

	rig_init(&r, f, TLS_1_3);
	pki_make(&f->pki, "CL", &w, &cert, NULL);
	own = fix_ident(f, "CL");
	r.cs.idents = &own;
	r.cs.n_idents = 1;
	r.ss.verify = TLS_VERIFY_REQUIRED;
	r.ss.trust = f->trust;
	r.ss.map = TLS_MAP_CN;
	cp = policy(f, &r.cs);
	sp = policy(f, &r.ss);
	expect(cp, sp, true, false, TLS_ERR_NONE);
	expect(cp, sp, true, true, TLS_ERR_NONE);
	assert_int_equal(make_crl(f->pki.ca_key, f->pki.ca, &cert, 1,
				  f->pki.now - 10, f->pki.now + 86400, &crl),
			 0);
	assert_int_equal(make_pem(NULL, NULL, NULL, 0, &crl, 1, &text, &len),
			 0);
	pki_file(&f->pki, "CRL.PEM", text, len);
	make_free(text, len);
	assert_int_equal(tls_trust_new(&trust), 0);
	assert_int_equal(
		tls_trust_add_file(trust, pki_path(&f->pki, "CA.PEM"), f->why),
		1);
	assert_int_equal(tls_trust_add_crl_file(
				 trust, pki_path(&f->pki, "CRL.PEM"), f->why),
			 1);
	r.ss.trust = trust;
	strict = policy(f, &r.ss);
	expect(cp, strict, false, false, TLS_ERR_CERT_REVOKED);
	tls_trust_unref(trust);
	X509_CRL_free(crl);
	X509_free(cert);
	tls_policy_unref(cp);
	tls_policy_unref(sp);
	tls_policy_unref(strict);
	rig_fini(&r);
}

/* A ticket of a rule that asks for nothing opens no rule that asks. */
static void a_ticket_without_a_certificate(void **state)
{
	struct tls_policy *strict;
	struct rig r;

	rig_init(&r, *state, TLS_1_3);
	assert_false(resumed(r.cp, r.sp, "server.test"));
	r.ss.verify = TLS_VERIFY_REQUIRED;
	r.ss.trust = r.f->trust;
	strict = policy(r.f, &r.ss);
	expect(r.cp, strict, false, false, TLS_ERR_CERT_MISSING);
	tls_policy_unref(strict);
	rig_fini(&r);
}

static void limits_of_the_cache(void **state)
{
	struct tls_cache *c;

	(void)state;
	assert_int_equal(tls_cache_new(0, &c), -EINVAL);
	assert_int_equal(tls_cache_new(TLS_CACHE_MAX + 1, &c), -EINVAL);
	assert_int_equal(tls_cache_new(TLS_CACHE_MAX, &c), 0);
	tls_cache_unref(c);
	tls_cache_unref(NULL);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(a_forgotten_session_is_not_resumed,
					fix_setup, fix_teardown),
	cmocka_unit_test_setup_teardown(tls13_resumes, fix_setup, fix_teardown),
	cmocka_unit_test_setup_teardown(tls12_resumes, fix_setup, fix_teardown),
	cmocka_unit_test_setup_teardown(who_is_terse_sends_no_ticket, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(another_machine_with_the_same_key,
					fix_setup, fix_teardown),
	cmocka_unit_test_setup_teardown(without_tickets_nothing_is_resumed,
					fix_setup, fix_teardown),
	cmocka_unit_test_setup_teardown(resumption_checks_the_certificate_again,
					fix_setup, fix_teardown),
	cmocka_unit_test_setup_teardown(a_ticket_without_a_certificate,
					fix_setup, fix_teardown),
	cmocka_unit_test(limits_of_the_cache),
};

UNIT_MAIN(tests)
