/* Bytes through sessions: limits, back pressure, ends, attacks. */
#include "fixture.h"
#include "tls/room.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void open_two(struct fix *f, struct two *t, enum tls_version v)
{
	struct tls_policy_spec cs = fix_client(f), ss = fix_server(f, "EC");

	cs.min_version = cs.max_version = v;
	two_open(t, &cs, &ss, "server.test");
	assert_int_equal(t->rc, 0);
	assert_int_equal(t->rs, 0);
	fix_forget(f, &ss);
}

static void bytes_arrive_in_order(void **state)
{
	static uint8_t out[100000], in[100000];
	size_t sent = 0, got = 0;
	struct two t;

	for (size_t i = 0; i < sizeof out; i++)
		out[i] = (uint8_t)(i * 7 + i / 251);
	open_two(*state, &t, TLS_1_3);
	t.pipe->up.per_pull = 1000;
	while (got < sizeof out) {
		ssize_t n;

		if (sent < sizeof out) {
			n = tls_session_write(t.c, out + sent,
					      sizeof out - sent);
			assert_true(n > 0 && n <= TLS_WRITE_MAX);
			sent += (size_t)n;
		}
		while ((n = tls_session_read(t.s, in + got, sizeof in - got)) >
		       0)
			got += (size_t)n;
		assert_true(got == sizeof out || n == -EAGAIN);
	}
	assert_memory_equal(in, out, sizeof out);
	two_close(&t);
}

/* ---- reading ahead ------------------------------------------------------- */

enum { RECORDS = 100, RECORD = 1000 };

static unsigned pulls;

static ssize_t counted_pull(void *arg, void *buf, size_t len)
{
	pulls++;
	return pipe_io.pull(arg, buf, len);
}

static void send_records(struct tls_session *s, uint8_t *out)
{
	for (size_t i = 0; i < RECORDS; i++) {
		memset(out + i * RECORD, (int)i + 1, RECORD);
		assert_int_equal(tls_session_write(s, out + i * RECORD, RECORD),
				 RECORD);
	}
}

/* Everything that `s` has, in reads of `step` bytes. */
static size_t read_records(struct tls_session *s, uint8_t *in, size_t step)
{
	size_t got = 0;
	ssize_t n;

	while ((n = tls_session_read(s, in + got, step)) > 0)
		got += (size_t)n;
	assert_int_equal(n, -EAGAIN);
	return got;
}

static void records_that_came_together(void **state)
{
	static const size_t steps[] = {65536, 49152, 32769, 20000, 16385, 1};
	static uint8_t out[RECORDS * RECORD], in[RECORDS * RECORD + 65536];
	struct tls_io io = {counted_pull, pipe_io.push};
	struct two t;

	open_two(*state, &t, TLS_1_3);
	tls_session_set_io(t.s, &io, &t.pipe->server);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		memset(in, 0, sizeof in);
		send_records(t.c, out);
		pulls = 0;
		assert_int_equal(read_records(t.s, in, steps[i]), sizeof out);
		assert_memory_equal(in, out, sizeof out);
		/* two a record without it */
		assert_true(steps[i] < 49152 || pulls < RECORDS / 10);
	}
	two_close(&t);
}

/* A peer that sends much besides data lets the loop have its turn; nothing of
 * what was read ahead is lost, whoever reads next, and it is freed by an end
 * in the middle too. */
static void a_read_that_stops_keeps_the_rest(void **state)
{
	static uint8_t out[RECORDS * RECORD], in[RECORDS * RECORD + 65536];
	struct fix *f = *state;
	struct tls_policy_spec cs = fix_client(f), ss = fix_server(f, "EC");
	struct two t;

	assert_int_equal(tls_tickets_new(NULL, &ss.tickets), 0);
	assert_int_equal(tls_cache_new(4, &cs.cache), 0);
	two_open(&t, &cs, &ss, "server.test");
	assert_int_equal(t.rc, 0);
	for (int again = 0; again < 2; again++) {
		for (int i = 0; i < 40; i++)
			assert_int_equal(
				gnutls_session_ticket_send(t.s->gs, 1, 0), 0);
		send_records(t.s, out);
		assert_int_equal(tls_session_read(t.c, in, 65536), -EAGAIN);
		assert_non_null(t.c->ahead);
		if (again)
			break;
		while (t.c->ahead && tls_session_read(t.c, in, 1) == -EAGAIN)
			;
		assert_int_equal(1 + read_records(t.c, in + 1, 65536),
				 sizeof out);
		assert_memory_equal(in, out, sizeof out);
		assert_null(t.c->ahead);
	}
	two_close(&t);
	tls_tickets_unref(ss.tickets);
	tls_cache_unref(cs.cache);
	fix_forget(f, &ss);
}

static void pieces_share_a_record(void **state)
{
	char a[] = "one ", b[] = "two ", c[] = "three", buf[64];
	struct iovec iov[] = {{NULL, 0}, {a, 4}, {b, 4}, {c, 5}};
	struct two t;

	open_two(*state, &t, TLS_1_3);
	assert_int_equal(tls_session_writev(t.c, iov, 4), 13);
	assert_int_equal(tls_session_read(t.s, buf, sizeof buf), 13);
	assert_memory_equal(buf, "one two three", 13);
	assert_int_equal(tls_session_writev(t.c, iov, 1), 0);
	two_close(&t);
}

static void a_short_read_leaves_the_rest(void **state)
{
	char buf[8];
	struct two t;

	open_two(*state, &t, TLS_1_2);
	assert_int_equal(tls_session_write(t.c, "abcdef", 6), 6);
	assert_int_equal(tls_session_read(t.s, buf, 2), 2);
	assert_true(tls_session_pending(t.s));
	assert_int_equal(tls_session_read(t.s, buf, 8), 4);
	assert_memory_equal(buf, "cdef", 4);
	assert_false(tls_session_pending(t.s));
	assert_int_equal(tls_session_read(t.s, buf, 8), -EAGAIN);
	two_close(&t);
}

/* A wire that is full holds one record, and not a byte more. */
static void a_full_wire_holds_one_record(void **state)
{
	static uint8_t buf[TLS_RECORD_MAX];
	size_t got = 0;
	struct two t;
	ssize_t n;

	open_two(*state, &t, TLS_1_3);
	while (tls_session_read(t.c, buf, sizeof buf) > 0)
		;
	t.pipe->up.room = 100;
	assert_int_equal(tls_session_write(t.c, buf, 5000), 5000);
	assert_true(tls_session_wants(t.c) & TLS_WANTS_OUT);
	assert_int_equal(tls_session_write(t.c, buf, 5000), -EAGAIN);
	assert_int_equal(tls_session_flush(t.c), -EAGAIN);
	assert_int_equal(tls_session_close(t.c), -EAGAIN);
	t.pipe->up.room = SIZE_MAX;
	assert_int_equal(tls_session_flush(t.c), 0);
	assert_false(tls_session_wants(t.c) & TLS_WANTS_OUT);
	while ((n = tls_session_read(t.s, buf, sizeof buf)) > 0)
		got += (size_t)n;
	assert_int_equal(got, 5000);
	two_close(&t);
}

/* ---- the end
 * -------------------------------------------------------------------- */

static void close_notify_is_an_end(void **state)
{
	char buf[8];
	struct two t;

	open_two(*state, &t, TLS_1_3);
	assert_int_equal(tls_session_write(t.c, "x", 1), 1);
	assert_int_equal(tls_session_close(t.c), 0);
	assert_int_equal(tls_session_close(t.c), 0);
	assert_int_equal(tls_session_write(t.c, "y", 1), -EPIPE);
	assert_int_equal(tls_session_read(t.s, buf, 8), 1);
	assert_int_equal(tls_session_read(t.s, buf, 8), 0);
	assert_true(tls_session_pending(t.s));
	assert_int_equal(tls_session_read(t.s, buf, 8), 0);
	/* the other way still works */
	assert_int_equal(tls_session_write(t.s, "z", 1), 1);
	assert_int_equal(tls_session_read(t.c, buf, 8), 1);
	assert_int_equal(tls_session_close(t.s), 0);
	assert_int_equal(tls_session_read(t.c, buf, 8), 0);
	two_close(&t);
}

static void expect_bytes(struct tls_session *s, const char *text)
{
	char buf[64];

	assert_int_equal(tls_session_read(s, buf, sizeof buf), strlen(text));
	assert_memory_equal(buf, text, strlen(text));
}

static void new_keys_both_ways(void **state)
{
	char buf[8];
	struct two t;

	open_two(*state, &t, TLS_1_3);
	assert_int_equal(tls_session_read(t.c, buf, 8), -EAGAIN); /* tickets */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(t.pipe->up.len, 0);
		assert_int_equal(tls_session_update_keys(t.c), 0);
		assert_true(t.pipe->up.len > 0);
		assert_int_equal(tls_session_write(t.c, "there", 5), 5);
		expect_bytes(t.s, "there");
		/* the server answers with its own when it speaks: two records
		 * of 22 bytes and what is in them */
		assert_int_equal(tls_session_write(t.s, "back", 4), 4);
		assert_int_equal(t.pipe->down.len, 22 + 5 + 22 + 4);
		expect_bytes(t.c, "back");
	}
	two_close(&t);
}

/* Behind the record that is held, and in front of what comes later. */
static void new_keys_wait_for_the_wire(void **state)
{
	struct two t;
	char buf[8];

	open_two(*state, &t, TLS_1_3);
	assert_int_equal(tls_session_read(t.c, buf, 8), -EAGAIN);
	t.pipe->up.room = 0;
	assert_int_equal(tls_session_write(t.c, "before", 6), 6);
	assert_int_equal(tls_session_update_keys(t.c), -EAGAIN);
	assert_int_equal(tls_session_update_keys(t.c), -EAGAIN);
	assert_true(tls_session_wants(t.c) & TLS_WANTS_OUT);
	assert_int_equal(tls_session_write(t.c, "behind", 6), -EAGAIN);
	t.pipe->up.room = SIZE_MAX;
	assert_int_equal(tls_session_flush(t.c), 0);
	assert_false(tls_session_wants(t.c) & TLS_WANTS_OUT);
	assert_int_equal(tls_session_write(t.c, "behind", 6), 6);
	expect_bytes(t.s, "before");
	expect_bytes(t.s, "behind");
	/* the update itself is held */
	t.pipe->up.room = 0;
	assert_int_equal(tls_session_update_keys(t.c), -EAGAIN);
	assert_int_equal(tls_session_write(t.c, "behind", 6), -EAGAIN);
	assert_int_equal(tls_session_close(t.c), -EAGAIN);
	t.pipe->up.room = SIZE_MAX;
	assert_int_equal(tls_session_flush(t.c), 0);
	assert_int_equal(tls_session_close(t.c), 0);
	assert_int_equal(tls_session_read(t.s, buf, 8), 0);
	assert_int_equal(tls_session_update_keys(t.c), -ENOTCONN);
	two_close(&t);
}

static void no_new_keys_before_tls13(void **state)
{
	struct two t;

	open_two(*state, &t, TLS_1_2);
	assert_int_equal(tls_session_update_keys(t.c), -EPROTONOSUPPORT);
	assert_int_equal(tls_session_write(t.c, "there", 5), 5);
	expect_bytes(t.s, "there");
	two_close(&t);
}

/* One pull brings bytes and what follows them. The bytes come first, and that
 * there is more to say can be asked. */
static void an_end_behind_bytes_is_pending(void **state)
{
	static const enum tls_version versions[] = {TLS_1_2, TLS_1_3};
	static char buf[TLS_WRITE_MAX];

	for (size_t i = 0; i < 2 * ARRAY_SIZE(versions); i++) {
		struct two t;
		bool broken = i & 1;

		open_two(*state, &t, versions[i / 2]);
		for (int n = 0; n < 4; n++)
			assert_int_equal(tls_session_write(t.c, "x", 1), 1);
		assert_int_equal(tls_session_close(t.c), 0);
		if (broken)
			t.pipe->up.buf[t.pipe->up.len - 1] ^= 1;
		for (int got = 0; got < 4;) {
			ssize_t n = tls_session_read(t.s, buf, sizeof buf);

			assert_true(n > 0);
			got += (int)n;
			assert_int_equal(t.pipe->up.len, 0);
			assert_true(tls_session_pending(t.s));
		}
		assert_int_equal(tls_session_read(t.s, buf, sizeof buf),
				 broken ? -EPROTO : 0);
		two_close(&t);
	}
}

static void a_held_close_is_flushed(void **state)
{
	char buf[8];
	struct two t;

	open_two(*state, &t, TLS_1_3);
	t.pipe->up.room = 0;
	assert_int_equal(tls_session_close(t.c), -EAGAIN);
	assert_true(tls_session_wants(t.c) & TLS_WANTS_OUT);
	t.pipe->up.room = SIZE_MAX;
	assert_int_equal(tls_session_flush(t.c), 0);
	assert_int_equal(tls_session_read(t.s, buf, 8), 0);
	two_close(&t);
}

static void truncation_is_a_reset(void **state)
{
	static const enum tls_version versions[] = {TLS_1_2, TLS_1_3};
	char buf[8];

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		struct two t;

		open_two(*state, &t, versions[i]);
		assert_int_equal(tls_session_write(t.c, "x", 1), 1);
		t.pipe->up.eof = true;
		assert_int_equal(tls_session_read(t.s, buf, 8), 1);
		assert_int_equal(tls_session_read(t.s, buf, 8), -ECONNRESET);
		assert_int_equal(two_kind(t.s), TLS_ERR_TRUNCATED);
		assert_int_equal(tls_session_read(t.s, buf, 8), -ECONNRESET);
		assert_int_equal(tls_session_write(t.s, "x", 1), -ECONNRESET);
		assert_int_equal(tls_session_wants(t.s), 0);
		two_close(&t);
	}
}

static void half_a_record_is_a_reset(void **state)
{
	char buf[8];
	struct two t;

	open_two(*state, &t, TLS_1_3);
	assert_int_equal(tls_session_write(t.c, "hello", 5), 5);
	t.pipe->up.len -= 3;
	t.pipe->up.eof = true;
	assert_int_equal(tls_session_read(t.s, buf, 8), -ECONNRESET);
	two_close(&t);
}

static void a_changed_byte_is_found(void **state)
{
	struct tls_error e;
	char buf[8];
	struct two t;

	open_two(*state, &t, TLS_1_3);
	assert_int_equal(tls_session_write(t.c, "hello", 5), 5);
	t.pipe->up.buf[t.pipe->up.len - 1] ^= 1;
	assert_int_equal(tls_session_read(t.s, buf, 8), -EPROTO);
	tls_session_error(t.s, &e);
	assert_int_equal(e.kind, TLS_ERR_PROTOCOL);
	assert_int_equal(e.alert, 20); /* bad_record_mac */
	/* and said */
	assert_true(tls_session_read(t.c, buf, 8) < 0);
	tls_session_error(t.c, &e);
	assert_true(e.alert_received);
	assert_int_equal(e.alert, 20);
	two_close(&t);
}

static void what_io_says_is_passed_on(void **state)
{
	struct two t;

	open_two(*state, &t, TLS_1_3);
	t.pipe->up.error = -EHOSTUNREACH;
	assert_int_equal(tls_session_write(t.c, "x", 1), -EHOSTUNREACH);
	assert_int_equal(two_kind(t.c), TLS_ERR_IO);
	two_close(&t);
}

static void an_alert_on_request(void **state)
{
	struct tls_error e;
	char buf[8];
	struct two t;

	open_two(*state, &t, TLS_1_3);
	tls_session_alert(t.s, 80);
	assert_true(tls_session_read(t.c, buf, 8) < 0);
	tls_session_error(t.c, &e);
	assert_int_equal(e.alert, 80);
	two_close(&t);
}

/* ---- what is not TLS
 * --------------------------------------------------------------- */

static void clear_text_instead_of_tls(void **state)
{
	static const char *const texts[] = {
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"SSH-2.0-OpenSSH_9.2\r\n",
		"USER anonymous\r\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct fix *f = *state;
		struct tls_policy_spec ss = fix_server(f, "EC");
		struct pipe *p = pipe_new();
		struct tls_policy *pol;
		struct tls_session *s;
		struct tls_error e;

		assert_int_equal(tls_policy_new(&ss, &pol, f->why), 0);
		assert_int_equal(
			tls_session_new(pol, NULL, &pipe_io, &p->server, &s),
			0);
		memcpy(p->up.buf, texts[i], strlen(texts[i]));
		p->up.len = strlen(texts[i]);
		assert_int_equal(tls_session_handshake(s), -EPROTO);
		tls_session_error(s, &e);
		assert_int_equal(e.kind, TLS_ERR_NOT_TLS);
		tls_session_free(s);
		tls_policy_unref(pol);
		fix_forget(f, &ss);
		free(p);
	}
}

static void a_peer_that_goes_away(void **state)
{
	struct fix *f = *state;
	struct tls_policy_spec cs = fix_client(f);
	struct pipe *p = pipe_new();
	struct tls_policy *pol;
	struct tls_session *s;

	assert_int_equal(tls_policy_new(&cs, &pol, f->why), 0);
	assert_int_equal(
		tls_session_new(pol, "x.test", &pipe_io, &p->client, &s), 0);
	assert_int_equal(tls_session_handshake(s), -EAGAIN);
	assert_int_equal(tls_session_wants(s), TLS_WANTS_IN);
	p->down.eof = true;
	assert_int_equal(tls_session_handshake(s), -ECONNRESET);
	assert_int_equal(two_kind(s), TLS_ERR_IO);
	tls_session_free(s);
	tls_policy_unref(pol);
	free(p);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(bytes_arrive_in_order, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(records_that_came_together, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(a_read_that_stops_keeps_the_rest,
					fix_setup, fix_teardown),
	cmocka_unit_test_setup_teardown(pieces_share_a_record, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(a_short_read_leaves_the_rest, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(a_full_wire_holds_one_record, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(close_notify_is_an_end, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(new_keys_both_ways, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(new_keys_wait_for_the_wire, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(no_new_keys_before_tls13, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(an_end_behind_bytes_is_pending,
					fix_setup, fix_teardown),
	cmocka_unit_test_setup_teardown(a_held_close_is_flushed, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(truncation_is_a_reset, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(half_a_record_is_a_reset, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(a_changed_byte_is_found, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(what_io_says_is_passed_on, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(an_alert_on_request, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(clear_text_instead_of_tls, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(a_peer_that_goes_away, fix_setup,
					fix_teardown),
};

UNIT_MAIN(tests)
