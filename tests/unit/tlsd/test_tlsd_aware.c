/* test_tlsd_aware: when TLS begins and ends by the program's word. */
#include "unit.h"

#include "aware.h"

#include <errno.h>

static const enum aware_state states[] = {
	AWARE_CLEAR, AWARE_DRAIN, AWARE_HANDSHAKE, AWARE_SECURE,
	AWARE_LAST,  AWARE_BYE,   AWARE_FAILED,
};

/* ---- every state and every request --------------------------------------- */

static void test_requests(void **state)
{
	static const struct {
		enum aware_state in;
		int start, stop;
	} expected[] = {
		{AWARE_CLEAR, -EINPROGRESS, -EBADFD},
		{AWARE_DRAIN, -EALREADY, -EBADFD},
		{AWARE_HANDSHAKE, -EALREADY, -EBADFD},
		{AWARE_SECURE, -EALREADY, -EINPROGRESS},
		{AWARE_LAST, -EALREADY, -EALREADY},
		{AWARE_BYE, -EALREADY, -EALREADY},
		{AWARE_FAILED, -ENOTCONN, -ENOTCONN},
	};

	(void)state;
	assert_int_equal(ARRAY_SIZE(expected), ARRAY_SIZE(states));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		struct aware m = {.state = expected[i].in, .left = 3};

		assert_int_equal(aware_request(&m, ATTLS_START, 7),
				 expected[i].start);
		assert_int_equal(m.left,
				 expected[i].start == -EINPROGRESS ? 7 : 3);
		m = (struct aware){.state = expected[i].in, .left = 3};
		assert_int_equal(aware_request(&m, ATTLS_STOP, 7),
				 expected[i].stop);
		assert_int_equal(m.left,
				 expected[i].stop == -EINPROGRESS ? 7 : 3);
		m = (struct aware){.state = expected[i].in};
		assert_int_equal(aware_request(&m, ATTLS_WAIT, 7), -EINVAL);
		assert_int_equal(m.state, expected[i].in);
	}
}

/* What may pass in which state: never a byte of one side on the other. */
static void test_what_may_pass(void **state)
{
	static const struct {
		enum aware_state in;
		size_t send;
		bool hear, hear_behind;
		enum attls_state shown;
	} expected[] = {
		{AWARE_CLEAR, 100, true, true, ATTLS_STATE_CLEAR},
		{AWARE_DRAIN, 5, false, false, ATTLS_STATE_HANDSHAKE},
		{AWARE_HANDSHAKE, 0, false, false, ATTLS_STATE_HANDSHAKE},
		{AWARE_SECURE, 100, true, false, ATTLS_STATE_SECURE},
		{AWARE_LAST, 5, true, false, ATTLS_STATE_STOPPING},
		{AWARE_BYE, 0, true, false, ATTLS_STATE_STOPPING},
		{AWARE_FAILED, 0, false, false, ATTLS_STATE_FAILED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		struct aware m = {.state = expected[i].in, .left = 5};

		assert_int_equal(aware_may_send(&m, 100), expected[i].send);
		assert_int_equal(aware_may_hear(&m), expected[i].hear);
		assert_int_equal(aware_shown(&m), expected[i].shown);
		assert_non_null(aware_name(&m));
		/* behind the peer's close_notify */
		aware_heard(&m);
		assert_int_equal(aware_may_hear(&m), expected[i].hear_behind);
	}
}

/* ---- the ways through ---------------------------------------------------- */

static void start(struct aware *m, uint64_t queued)
{
	assert_int_equal(aware_request(m, ATTLS_START, queued), -EINPROGRESS);
	while (aware_may_send(m, 4)) {
		/* not before the border */
		aware_drained(m);
		assert_int_equal(aware_wish(m), AWARE_NOTHING);
		aware_sent(m, aware_may_send(m, 4));
	}
	assert_int_equal(aware_wish(m), AWARE_NOTHING);
	aware_drained(m);
	assert_int_equal(aware_wish(m), AWARE_BEGIN);
	aware_begun(m);
	assert_int_equal(aware_wish(m), AWARE_NOTHING);
	aware_secured(m);
	assert_int_equal(aware_shown(m), ATTLS_STATE_SECURE);
}

static void test_start_and_stop_and_start(void **state)
{
	struct aware m = {.state = AWARE_CLEAR};

	(void)state;
	start(&m, 11);
	assert_int_equal(aware_request(&m, ATTLS_STOP, 3), -EINPROGRESS);
	aware_sent(&m, 3);
	aware_drained(&m);
	assert_int_equal(aware_wish(&m), AWARE_CLOSE);
	aware_said(&m);
	assert_int_equal(aware_wish(&m), AWARE_NOTHING);
	assert_true(aware_may_hear(&m));
	aware_heard(&m);
	assert_int_equal(aware_wish(&m), AWARE_STRIP);
	aware_clear(&m);
	assert_true(aware_may_hear(&m));
	/* what the last session said counts for nothing in the next */
	start(&m, 0);
	assert_true(aware_may_hear(&m));
	assert_int_equal(aware_request(&m, ATTLS_STOP, 0), -EINPROGRESS);
	aware_drained(&m);
	assert_int_equal(aware_wish(&m), AWARE_CLOSE);
}

static void test_the_peer_stops_first(void **state)
{
	struct aware m = {.state = AWARE_CLEAR};

	(void)state;
	start(&m, 0);
	aware_heard(&m);
	assert_int_equal(aware_shown(&m), ATTLS_STATE_PEER_STOPPED);
	/* the program may go on to speak through TLS */
	assert_int_equal(aware_may_send(&m, 9), 9);
	assert_int_equal(aware_wish(&m), AWARE_NOTHING);
	assert_int_equal(aware_request(&m, ATTLS_STOP, 0), -EINPROGRESS);
	aware_drained(&m);
	aware_said(&m);
	assert_int_equal(aware_wish(&m), AWARE_STRIP);
}

static void test_a_failure_is_the_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		struct aware m = {.state = states[i], .left = 9};

		aware_failed(&m);
		assert_int_equal(aware_may_send(&m, 9), 0);
		assert_false(aware_may_hear(&m));
		aware_drained(&m);
		assert_int_equal(aware_wish(&m), AWARE_NOTHING);
		assert_int_equal(aware_shown(&m), ATTLS_STATE_FAILED);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_requests),
	cmocka_unit_test(test_what_may_pass),
	cmocka_unit_test(test_start_and_stop_and_start),
	cmocka_unit_test(test_the_peer_stops_first),
	cmocka_unit_test(test_a_failure_is_the_end),
};

UNIT_MAIN(tests)
