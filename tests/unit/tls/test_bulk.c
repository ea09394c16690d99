/* Many records at once (bulk.c), and everything that may stand between them. */
#include "fixture.h"
#include "tls/room.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MUCH = 1 << 20 };

static uint8_t out[MUCH], in[MUCH + TLS_WRITE_MAX];
static unsigned pulls, pushes;

static ssize_t counted_pull(void *arg, void *buf, size_t len)
{
	pulls++;
	return pipe_io.pull(arg, buf, len);
}

static ssize_t counted_push(void *arg, const struct iovec *iov, int n)
{
	pushes++;
	return pipe_io.push(arg, iov, n);
}

static const struct tls_io counted = {counted_pull, counted_push};

/* Everything there is for `s`, into `in` from `got` on. The new end. */
static size_t read_all(struct tls_session *s, size_t got, size_t step)
{
	ssize_t n;

	while ((n = tls_session_read(s, in + got, step)) > 0) {
		got += (size_t)n;
		assert_true(got <= MUCH);
	}
	assert_int_equal(n, -EAGAIN);
	return got;
}

/* The first full record of a direction is GnuTLS'. */
static void warm(struct tls_session *from, struct tls_session *to)
{
	assert_int_equal(tls_session_write(from, out, TLS_RECORD_MAX),
			 TLS_RECORD_MAX);
	assert_int_equal(read_all(to, 0, TLS_WRITE_MAX), TLS_RECORD_MAX);
}

static void open_with(struct fix *f, struct two *t, struct tls_policy_spec *cs)
{
	struct tls_policy_spec ss = fix_server(f, "EC");

	for (size_t i = 0; i < sizeof out; i++)
		out[i] = (uint8_t)(i * 7 + i / 251);
	memset(in, 0, sizeof in);
	two_open(t, cs, &ss, "server.test");
	assert_int_equal(t->rc, 0);
	assert_int_equal(t->rs, 0);
	tls_session_set_io(t->c, &counted, &t->pipe->client);
	tls_session_set_io(t->s, &counted, &t->pipe->server);
	fix_forget(f, &ss);
}

static void open_warm(struct fix *f, struct two *t, const char *suites)
{
	struct tls_policy_spec cs = fix_client(f);

	cs.suites = suites;
	open_with(f, t, &cs);
	warm(t->c, t->s);
	warm(t->s, t->c);
	pulls = pushes = 0;
}

/* `n` bytes from one to the other, and `in` shows that they are the same. */
static void pass(struct tls_session *from, struct tls_session *to, size_t n)
{
	size_t sent = 0, got = 0;

	while (sent < n) {
		ssize_t r = tls_session_write(from, out + sent, n - sent);

		assert_true(r > 0);
		sent += (size_t)r;
		got = read_all(to, got, TLS_WRITE_MAX);
	}
	assert_int_equal(got, n);
	assert_memory_equal(in, out, n);
}

static void one_call_moves_four_records(void **state)
{
	static const char *const suites[] = {
		"TLS_AES_128_GCM_SHA256",
		"TLS_AES_256_GCM_SHA384",
		"TLS_CHACHA20_POLY1305_SHA256",
	};

	for (size_t i = 0; i < ARRAY_SIZE(suites); i++) {
		struct two t;

		open_warm(*state, &t, suites[i]);
		assert_int_equal(tls_session_write(t.c, out, MUCH),
				 TLS_WRITE_MAX);
		assert_int_equal(pushes, 1);
		assert_int_equal(t.pipe->up.len, BULK_WIRE);
		assert_int_equal(tls_session_read(t.s, in, TLS_WRITE_MAX),
				 TLS_WRITE_MAX);
		assert_int_equal(pulls, 1);
		assert_memory_equal(in, out, TLS_WRITE_MAX);
		assert_null(t.s->ahead);
		pass(t.c, t.s, MUCH);
		pass(t.s, t.c, MUCH - 1);
		two_close(&t);
	}
}

/* TLS 1.2, and CCM, go the old way. */
static void other_suites_are_left_alone(void **state)
{
	struct tls_policy_spec cs = fix_client(*state);
	struct two t;

	cs.max_version = TLS_1_2;
	open_with(*state, &t, &cs);
	warm(t.c, t.s);
	assert_int_equal(tls_session_write(t.c, out, MUCH), TLS_RECORD_MAX);
	assert_int_equal(read_all(t.s, 0, TLS_WRITE_MAX), TLS_RECORD_MAX);
	pass(t.c, t.s, MUCH);
	two_close(&t);
}

/* Whatever the pieces in which the wire brings and takes bytes, and the room
 * that readers have. */
static void any_pieces_will_do(void **state)
{
	static const size_t steps[] = {65536, 32768, 40000, 16384, 5000};
	static const size_t pieces[] = {1,     4,     5,     21,
					16405, 16406, 16407, 50000};
	struct two t;

	open_warm(*state, &t, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(pieces); j++) {
			size_t n = pieces[j] < 100 ? 150000 : 900000;
			size_t sent = 0, got = 0;

			t.pipe->up.per_pull = pieces[j];
			while (got < n) {
				ssize_t r;

				t.pipe->up.room = 70000 - pieces[j];
				r = tls_session_write(t.c, out + sent,
						      n - sent);
				assert_true(r >= 0 || r == -EAGAIN);
				sent += r > 0 ? (size_t)r : 0;
				got = read_all(t.s, got, steps[i]);
			}
			assert_memory_equal(in, out, n);
		}
	}
	two_close(&t);
}

static void what_is_not_pushed_is_held(void **state)
{
	struct two t;

	open_warm(*state, &t, NULL);
	t.pipe->up.room = 20000;
	assert_int_equal(tls_session_write(t.c, out, MUCH), TLS_WRITE_MAX);
	assert_true(tls_session_wants(t.c) & TLS_WANTS_OUT);
	assert_int_equal(t.c->out_n, BULK_WIRE - 20000);
	assert_int_equal(tls_session_write(t.c, out, MUCH), -EAGAIN);
	assert_int_equal(tls_session_flush(t.c), -EAGAIN);
	/* what GnuTLS says comes behind it */
	assert_int_equal(tls_session_close(t.c), -EAGAIN);
	t.pipe->up.room = SIZE_MAX;
	assert_int_equal(tls_session_flush(t.c), 0);
	assert_null(t.c->out);
	assert_false(tls_session_wants(t.c) & TLS_WANTS_OUT);
	assert_int_equal(tls_session_close(t.c), 0);
	assert_int_equal(tls_session_read(t.s, in, sizeof in), TLS_WRITE_MAX);
	assert_memory_equal(in, out, TLS_WRITE_MAX);
	assert_int_equal(tls_session_read(t.s, in, sizeof in), 0);
	two_close(&t);
}

/* An answer of GnuTLS' while something is held. */
static void an_alert_does_not_overtake(void **state)
{
	struct two t;

	open_warm(*state, &t, NULL);
	t.pipe->up.room = 20000;
	assert_int_equal(tls_session_write(t.c, out, MUCH), TLS_WRITE_MAX);
	t.pipe->up.room = SIZE_MAX;
	tls_session_alert(t.c, 80);
	assert_int_equal(tls_session_read(t.s, in, sizeof in), TLS_WRITE_MAX);
	assert_memory_equal(in, out, TLS_WRITE_MAX);
	assert_int_equal(tls_session_read(t.s, in, sizeof in), -EPROTO);
	assert_int_equal(two_kind(t.s), TLS_ERR_ALERT);
	two_close(&t);
}

/* ---- between the records ------------------------------------------------- */

static void key_of(struct tls_session *s, unsigned read, uint8_t key[32])
{
	gnutls_datum_t k;

	assert_int_equal(
		gnutls_record_get_state(s->gs, read, NULL, NULL, &k, NULL), 0);
	assert_true(k.size <= 32);
	memset(key, 0, 32);
	memcpy(key, k.data, k.size);
}

/* [RFC8446 4.6.3] A peer that wants new keys gets them, with the next record,
 * and in the middle of all that is under way. */
static void keys_change(void **state)
{
	uint8_t before[32], after[32];
	struct two t;

	open_warm(*state, &t, NULL);
	key_of(t.s, 0, before);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(tls_session_write(t.c, out, TLS_WRITE_MAX),
				 TLS_WRITE_MAX);
		assert_int_equal(
			gnutls_session_key_update(t.c->gs, GNUTLS_KU_PEER), 0);
		assert_int_equal(tls_session_write(t.c, out + TLS_WRITE_MAX,
						   TLS_WRITE_MAX),
				 TLS_WRITE_MAX);
		assert_int_equal(read_all(t.s, 0, TLS_WRITE_MAX),
				 2 * TLS_WRITE_MAX);
		assert_memory_equal(in, out, 2 * TLS_WRITE_MAX);
		pass(t.s, t.c, MUCH);
		key_of(t.s, 0, after);
		assert_memory_not_equal(before, after, 32);
		memcpy(before, after, 32);
		/* and it is as fast as before */
		pushes = 0;
		assert_int_equal(tls_session_write(t.s, out, MUCH),
				 TLS_WRITE_MAX);
		assert_int_equal(pushes, 1);
		assert_int_equal(read_all(t.c, 0, TLS_WRITE_MAX),
				 TLS_WRITE_MAX);
		pass(t.c, t.s, MUCH);
	}
	two_close(&t);
}

/* [RFC8446 5.5] A key does not seal more than it is good for, whoever seals and
 * however full the wire is when it is over. */
static void a_key_wears_out(void **state)
{
	static const size_t lens[] = {100, TLS_WRITE_MAX};
	static const size_t rooms[] = {0, 10, 27, 100, SIZE_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(lens) * ARRAY_SIZE(rooms); i++) {
		size_t len = lens[i / ARRAY_SIZE(rooms)];
		uint8_t before[32], after[32];
		ssize_t n = -EAGAIN;
		struct two t;

		open_warm(*state, &t, NULL);
		key_of(t.c, 0, before);
		t.c->key_records = KEY_RECORDS_MAX - 1;
		assert_int_equal(tls_session_write(t.c, out, len), len);
		assert_int_equal(read_all(t.s, 0, TLS_WRITE_MAX), len);
		key_of(t.c, 0, after);
		assert_memory_equal(before, after, 32);
		t.pipe->up.room = rooms[i % ARRAY_SIZE(rooms)];
		for (int k = 0; k < 3 && n == -EAGAIN; k++) {
			n = tls_session_write(t.c, out, len);
			assert_true(n > 0 ||
				    tls_session_wants(t.c) & TLS_WANTS_OUT);
			t.pipe->up.room = SIZE_MAX;
			assert_int_equal(tls_session_flush(t.c), 0);
		}
		assert_int_equal(n, len);
		assert_int_equal(read_all(t.s, 0, TLS_WRITE_MAX), len);
		assert_memory_equal(in, out, len);
		key_of(t.c, 0, after);
		assert_memory_not_equal(before, after, 32);
		pass(t.c, t.s, MUCH);
		pass(t.s, t.c, MUCH);
		two_close(&t);
	}
}

/* New keys are asked for, and the wire is full when they are due. */
static void keys_change_on_a_full_wire(void **state)
{
	static const size_t lens[] = {1, 30, 5000, TLS_RECORD_MAX};
	static const size_t rooms[] = {0, 20, 27, 100};
	struct two t;

	for (size_t i = 0; i < ARRAY_SIZE(lens) * ARRAY_SIZE(rooms); i++) {
		size_t len = lens[i / ARRAY_SIZE(rooms)];

		open_warm(*state, &t, NULL);
		assert_int_equal(
			gnutls_session_key_update(t.c->gs, GNUTLS_KU_PEER), 0);
		assert_int_equal(tls_session_read(t.s, in, TLS_WRITE_MAX),
				 -EAGAIN);
		t.pipe->down.room = rooms[i % ARRAY_SIZE(rooms)];
		assert_int_equal(tls_session_write(t.s, out, len), len);
		t.pipe->down.room = SIZE_MAX;
		assert_int_equal(tls_session_flush(t.s), 0);
		assert_int_equal(read_all(t.c, 0, TLS_WRITE_MAX), len);
		assert_memory_equal(in, out, len);
		pass(t.s, t.c, MUCH);
		two_close(&t);
	}
}

static void tickets_may_come_between(void **state)
{
	struct fix *f = *state;
	struct tls_policy_spec cs = fix_client(f), ss = fix_server(f, "EC");
	size_t sent = 0, got = 0;
	struct two t;

	assert_int_equal(tls_tickets_new(NULL, &ss.tickets), 0);
	assert_int_equal(tls_cache_new(4, &cs.cache), 0);
	two_open(&t, &cs, &ss, "server.test");
	assert_int_equal(t.rc, 0);
	while (sent < MUCH) {
		ssize_t n = tls_session_write(t.s, out + sent, MUCH - sent);

		assert_true(n > 0);
		sent += (size_t)n;
		assert_int_equal(gnutls_session_ticket_send(t.s->gs, 1, 0), 0);
		got = read_all(t.c, got, TLS_WRITE_MAX);
	}
	assert_int_equal(got, MUCH);
	assert_memory_equal(in, out, MUCH);
	two_close(&t);
	tls_tickets_unref(ss.tickets);
	tls_cache_unref(cs.cache);
	fix_forget(f, &ss);
}

/* [RFC8446 5.4] Padding, and records of nothing else. */
static void padding_is_no_text(void **state)
{
	size_t at = 0;
	struct two t;

	open_warm(*state, &t, NULL);
	for (size_t len = 1; at + len < 100000; len += 500) {
		assert_int_equal(
			gnutls_record_send2(t.c->gs, out + at, len, 300, 0),
			(ssize_t)len);
		if (len % 3 == 0)
			assert_true(gnutls_record_send2(t.c->gs, "", 0, 100,
							0) >= 0);
		at += len;
	}
	assert_int_equal(read_all(t.s, 0, TLS_WRITE_MAX), at);
	assert_memory_equal(in, out, at);
	pass(t.c, t.s, MUCH);
	two_close(&t);
}

static void small_records_come_together(void **state)
{
	struct two t;

	open_warm(*state, &t, NULL);
	for (size_t i = 0; i < 500; i++)
		assert_int_equal(tls_session_write(t.c, out + i * 100, 100),
				 100);
	pulls = 0;
	assert_int_equal(tls_session_read(t.s, in, TLS_WRITE_MAX), 50000);
	assert_int_equal(pulls, 1);
	assert_memory_equal(in, out, 50000);
	two_close(&t);
}

/* A wire that blocks is not asked while there is something to give. */
static void nothing_is_pulled_with_bytes_in_hand(void **state)
{
	struct two t;

	open_warm(*state, &t, NULL);
	t.s->slow_in = true; /* as behind a ticket */
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(tls_session_write(t.c, out + i, 1), 1);
	assert_int_equal(tls_session_read(t.s, in, TLS_WRITE_MAX), 1);
	assert_true(tls_session_pending(t.s));
	pulls = 0;
	assert_int_equal(tls_session_read(t.s, in + 1, TLS_WRITE_MAX), 2);
	assert_int_equal(pulls, 0);
	assert_memory_equal(in, out, 3);
	assert_false(tls_session_pending(t.s));
	assert_int_equal(tls_session_read(t.s, in, TLS_WRITE_MAX), -EAGAIN);
	two_close(&t);
}

/* ---- peers with less room ------------------------------------------------ */

/* [RFC8449] A peer that takes small records gets no large one, and nothing is
 * lost when the wire is full at the first of them. */
static void a_peer_with_a_limit(void **state, enum tls_version v, size_t room)
{
	struct fix *f = *state;
	struct tls_policy_spec cs = fix_client(f), ss = fix_server(f, "EC");
	size_t sent = 0, got = 0;
	char why[TLS_WHY_MAX];
	struct two t = {.pipe = pipe_new()};

	cs.max_version = v;
	assert_int_equal(tls_policy_new(&cs, &t.cp, why), 0);
	assert_int_equal(tls_policy_new(&ss, &t.sp, why), 0);
	assert_int_equal(tls_session_new(t.cp, "server.test", &pipe_io,
					 &t.pipe->client, &t.c),
			 0);
	assert_int_equal(
		tls_session_new(t.sp, NULL, &pipe_io, &t.pipe->server, &t.s),
		0);
	assert_int_equal(gnutls_record_set_max_recv_size(t.c->gs, 1024), 0);
	pipe_handshake(t.c, t.s, &t.rc, &t.rs);
	assert_int_equal(t.rc, 0);
	assert_int_equal(t.rs, 0);
	t.pipe->down.room = room;
	while (sent < 100000) {
		ssize_t n = tls_session_write(t.s, out + sent, 100000 - sent);

		assert_true((n > 0 && n <= 1024) || n == -EAGAIN);
		t.pipe->down.room = SIZE_MAX;
		sent += n > 0 ? (size_t)n : 0;
		got = read_all(t.c, got, TLS_WRITE_MAX);
	}
	assert_int_equal(tls_session_flush(t.s), 0);
	assert_int_equal(read_all(t.c, got, TLS_WRITE_MAX), 100000);
	assert_memory_equal(in, out, 100000);
	two_close(&t);
	fix_forget(f, &ss);
}

static void small_records_for_who_wants_them(void **state)
{
	a_peer_with_a_limit(state, TLS_1_3, SIZE_MAX);
	a_peer_with_a_limit(state, TLS_1_2, SIZE_MAX);
}

static void small_records_on_a_full_wire(void **state)
{
	a_peer_with_a_limit(state, TLS_1_3, 0);
	a_peer_with_a_limit(state, TLS_1_3, 100);
	a_peer_with_a_limit(state, TLS_1_2, 0);
	a_peer_with_a_limit(state, TLS_1_2, 100);
}

/* ---- attacks ------------------------------------------------------------- */

/* Four records lie there; the byte at `at` is changed. What comes before that
 * record arrives, then it is the end, and the peer is told. */
static void change_one(void **state, size_t at, size_t whole)
{
	struct tls_error e;
	struct two t;

	open_warm(*state, &t, NULL);
	assert_int_equal(tls_session_write(t.c, out, MUCH), TLS_WRITE_MAX);
	t.pipe->up.buf[at] ^= 1;
	if (whole)
		assert_int_equal(tls_session_read(t.s, in, TLS_WRITE_MAX),
				 whole * TLS_RECORD_MAX);
	assert_int_equal(
		tls_session_read(t.s, in + TLS_WRITE_MAX, TLS_WRITE_MAX),
		-EPROTO);
	assert_memory_equal(in, out, whole * TLS_RECORD_MAX);
	tls_session_error(t.s, &e);
	assert_int_equal(e.kind, TLS_ERR_PROTOCOL);
	assert_true(tls_session_read(t.c, in, 8) < 0);
	tls_session_error(t.c, &e);
	assert_true(e.alert_received);
	two_close(&t);
}

static void a_changed_byte_is_found(void **state)
{
	change_one(state, RECORD_HEAD + 100, 0);
	change_one(state, RECORD_WIRE - 1, 0);
	change_one(state, 2 * RECORD_WIRE + 50, 2);
	change_one(state, 4 * RECORD_WIRE - 1, 3);
	/* its length: too much */
	change_one(state, 2 * RECORD_WIRE + 3, 2);
}

static void a_record_twice_is_found(void **state)
{
	struct two t;

	open_warm(*state, &t, NULL);
	assert_int_equal(tls_session_write(t.c, out, MUCH), TLS_WRITE_MAX);
	memcpy(t.pipe->up.buf + RECORD_WIRE, t.pipe->up.buf, RECORD_WIRE);
	assert_int_equal(tls_session_read(t.s, in, TLS_WRITE_MAX),
			 TLS_RECORD_MAX);
	assert_int_equal(tls_session_read(t.s, in, TLS_WRITE_MAX), -EPROTO);
	two_close(&t);
}

/* The end of the wire without close_notify, between records or in one. */
static void cut(void **state, size_t at, size_t whole)
{
	struct two t;

	open_warm(*state, &t, NULL);
	assert_int_equal(tls_session_write(t.c, out, MUCH), TLS_WRITE_MAX);
	t.pipe->up.len = at;
	t.pipe->up.eof = true;
	if (whole)
		assert_int_equal(tls_session_read(t.s, in, TLS_WRITE_MAX),
				 whole * TLS_RECORD_MAX);
	assert_int_equal(tls_session_read(t.s, in, TLS_WRITE_MAX), -ECONNRESET);
	assert_int_equal(two_kind(t.s), TLS_ERR_TRUNCATED);
	two_close(&t);
}

static void truncation_is_a_reset(void **state)
{
	cut(state, 0, 0);
	cut(state, 3, 0);
	cut(state, RECORD_WIRE, 1);
	cut(state, 2 * RECORD_WIRE + 7, 2);
	cut(state, 4 * RECORD_WIRE - 1, 3);
}

static void what_io_says_is_passed_on(void **state)
{
	struct two t;

	open_warm(*state, &t, NULL);
	t.pipe->up.error = -EHOSTUNREACH;
	assert_int_equal(tls_session_write(t.c, out, MUCH), -EHOSTUNREACH);
	assert_int_equal(two_kind(t.c), TLS_ERR_IO);
	assert_int_equal(tls_session_write(t.c, out, MUCH), -EHOSTUNREACH);
	two_close(&t);

	open_warm(*state, &t, NULL);
	t.pipe->up.room = 100;
	assert_int_equal(tls_session_write(t.c, out, MUCH), TLS_WRITE_MAX);
	t.pipe->up.error = -EHOSTUNREACH;
	assert_int_equal(tls_session_flush(t.c), -EHOSTUNREACH);
	assert_int_equal(two_kind(t.c), TLS_ERR_IO);
	two_close(&t);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(one_call_moves_four_records, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(other_suites_are_left_alone, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(any_pieces_will_do, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(what_is_not_pushed_is_held, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(an_alert_does_not_overtake, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(keys_change, fix_setup, fix_teardown),
	cmocka_unit_test_setup_teardown(a_key_wears_out, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(keys_change_on_a_full_wire, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(tickets_may_come_between, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(padding_is_no_text, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(small_records_come_together, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(nothing_is_pulled_with_bytes_in_hand,
					fix_setup, fix_teardown),
	cmocka_unit_test_setup_teardown(small_records_for_who_wants_them,
					fix_setup, fix_teardown),
	cmocka_unit_test_setup_teardown(small_records_on_a_full_wire, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(a_changed_byte_is_found, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(a_record_twice_is_found, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(truncation_is_a_reset, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(what_io_says_is_passed_on, fix_setup,
					fix_teardown),
};

UNIT_MAIN(tests)
