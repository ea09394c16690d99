/* Handshakes over memory with keys in the key process. */
#include "fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* ---- a refusal in clear -------------------------------------------------- */

/* The server hears these bytes where the client's Finished should be; its
 * error. */
static struct tls_error instead_of_finished(struct fix *f, const void *bytes,
					    size_t len, size_t per_pull)
{
	struct tls_policy_spec cs = fix_client(f), ss = fix_server(f, "EC");
	struct pipe *p = pipe_new();
	struct tls_policy *cp, *sp;
	struct tls_session *c, *s;
	struct tls_error e;
	char why[TLS_WHY_MAX];

	assert_int_equal(tls_policy_new(&cs, &cp, why), 0);
	assert_int_equal(tls_policy_new(&ss, &sp, why), 0);
	assert_int_equal(
		tls_session_new(cp, "server.test", &pipe_io, &p->client, &c),
		0);
	assert_int_equal(tls_session_new(sp, NULL, &pipe_io, &p->server, &s),
			 0);
	assert_int_equal(tls_session_handshake(c), -EAGAIN);
	assert_int_equal(tls_session_handshake(s), -EAGAIN);
	memcpy(p->up.buf, bytes, len);
	p->up.len = len;
	p->up.per_pull = per_pull;
	assert_int_equal(tls_session_handshake(s), -EPROTO);
	tls_session_error(s, &e);
	assert_int_equal(e.alert_received, e.kind == TLS_ERR_ALERT);
	assert_int_equal(e.kind == TLS_ERR_ALERT,
			 strstr(e.text, "CA is unknown") != NULL);
	tls_session_free(c);
	tls_session_free(s);
	tls_policy_unref(cp);
	tls_policy_unref(sp);
	free(p);
	fix_forget(f, &ss);
	e.text = "";
	return e;
}

static void an_alert_in_clear_is_understood(void **state)
{
	static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 48};
	static const uint8_t odd[] = {21, 3, 3, 0, 2, 7, 48};
	static const uint8_t data[] = {23, 3, 3, 0, 2, 2, 48};

	for (size_t per_pull = 0; per_pull < 9; per_pull++) {
		struct tls_error e = instead_of_finished(
			*state, alert, sizeof alert, per_pull);

		assert_int_equal(e.kind, TLS_ERR_ALERT);
		assert_int_equal(e.alert, 48);
	}
	assert_int_not_equal(
		instead_of_finished(*state, odd, sizeof odd, 0).kind,
		TLS_ERR_ALERT);
	assert_int_not_equal(
		instead_of_finished(*state, data, sizeof data, 0).kind,
		TLS_ERR_ALERT);
}

/* The client has refused us and is gone before our flight is out. */
static struct tls_error written_to_nobody(struct fix *f, int error,
					  const void *bytes, size_t len)
{
	struct tls_policy_spec cs = fix_client(f), ss = fix_server(f, "EC");
	struct tls_session *c, *s;
	struct tls_error e;
	struct pipe *p;
	struct two t;

	two_open(&t, &cs, &ss, "server.test");
	p = pipe_new();
	assert_int_equal(
		tls_session_new(t.cp, "server.test", &pipe_io, &p->client, &c),
		0);
	assert_int_equal(tls_session_new(t.sp, NULL, &pipe_io, &p->server, &s),
			 0);
	assert_int_equal(tls_session_handshake(c), -EAGAIN);
	memcpy(p->up.buf + p->up.len, bytes, len);
	p->up.len += len;
	p->down.error = error;
	assert_true(tls_session_handshake(s) < 0);
	assert_int_not_equal(tls_session_handshake(s), -EAGAIN);
	tls_session_error(s, &e);
	snprintf(f->why, sizeof f->why, "%s", e.text);
	e.text = f->why;
	tls_session_free(c);
	tls_session_free(s);
	free(p);
	two_close(&t);
	fix_forget(f, &ss);
	return e;
}

static void an_alert_counts_more_than_a_broken_pipe(void **state)
{
	static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 48};
	static const int errors[] = {-EPIPE, -ECONNRESET};
	struct tls_error e;

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		e = written_to_nobody(*state, errors[i], alert, sizeof alert);
		assert_int_equal(e.kind, TLS_ERR_ALERT);
		assert_int_equal(e.alert, 48);
		e = written_to_nobody(*state, errors[i], "", 0);
		assert_int_equal(e.kind, TLS_ERR_IO);
		assert_int_equal(e.code, errors[i]);
		assert_string_equal(e.text, strerror(-errors[i]));
	}
	e = written_to_nobody(*state, -EHOSTUNREACH, alert, sizeof alert);
	assert_int_equal(e.code, -EHOSTUNREACH);
}

/* A certificate that takes two records, both there: nobody will say again that
 * the second has come. */
static void a_message_of_two_records_needs_no_second_event(void **state)
{
	static char name[20000];
	struct fix *f = *state;
	struct pki_what w = {.kind = MAKE_SERVER,
			     .cn = "LARGE",
			     .san = "server.test",
			     .san2 = name};
	struct tls_policy_spec cs = fix_client(f), ss;
	struct tls_session *c, *s;
	struct two t;
	struct pipe *pipe;

	memset(name, 'a', sizeof name - 1);
	pki_make(&f->pki, "LARGE", &w, NULL, NULL);
	ss = fix_server(f, "LARGE");
	two_open(&t, &cs, &ss, "server.test");
	pipe = pipe_new();
	assert_int_equal(tls_session_new(t.cp, "server.test", &pipe_io,
					 &pipe->client, &c),
			 0);
	assert_int_equal(
		tls_session_new(t.sp, NULL, &pipe_io, &pipe->server, &s), 0);
	assert_int_equal(tls_session_handshake(c), -EAGAIN);
	assert_int_equal(tls_session_handshake(s), -EAGAIN);
	assert_true(pipe->down.len > TLS_RECORD_MAX);
	assert_int_equal(tls_session_handshake(c), 0);
	assert_int_equal(pipe->down.len, 0);
	tls_session_free(c);
	tls_session_free(s);
	free(pipe);
	two_close(&t);
	fix_forget(f, &ss);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(
		a_message_of_two_records_needs_no_second_event, fix_setup,
		fix_teardown),
	cmocka_unit_test_setup_teardown(an_alert_counts_more_than_a_broken_pipe,
					fix_setup, fix_teardown),
	cmocka_unit_test_setup_teardown(an_alert_in_clear_is_understood,
					fix_setup, fix_teardown),
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
