/* The sending half without loss: what goes out when, and how much. */
#include "peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MSS 1460u

static void start(struct peer *p)
{
	peer_init(p);
	p->path.mss = p->path.mss_advertise = MSS;
	peer_connect(p);
}

static void start_gso(struct peer *p)
{
	peer_init(p);
	p->path.gso_max = 65535;
	p->wscale = 7;
	p->wnd = 60000;
	peer_connect(p);
}

static void set(struct peer *p, enum tcp_opt o, int64_t v)
{
	assert_int_equal(tcp_conn_set_opt(p->c, o, v, p->now), 0);
}

static void write_more(struct peer *p, size_t n)
{
	struct iovec iov[4];
	int k = 4;

	assert_int_equal(tcp_conn_write_reserve(p->c, n, iov, &k), n);
	memset(iov[0].iov_base, 'm', iov[0].iov_len);
	tcp_conn_write_commit(p->c, n, true, p->now);
}

/* ---- Nagle, cork ---------------------------------------------------- */

/* [RFC9293 3.7.4 SHLD-7] */
static void nagle_holds_the_second_small_segment(void **state)
{
	struct peer p;

	(void)state;
	start(&p);
	peer_write(&p, 10);
	peer_expect(&p, TCP_ACK | TCP_PSH, 1, 1, 10);
	peer_write(&p, 10);
	peer_write(&p, 10);
	peer_dry(&p);
	peer_send(&p, TCP_ACK, 1, 11, 0);
	peer_expect(&p, TCP_ACK | TCP_PSH, 11, 1, 20);
	peer_fini(&p);
}

/* Minshall: a tail waits for a small segment only, not for full ones */
static void tail_of_a_large_write_is_not_held(void **state)
{
	struct peer p;

	(void)state;
	start(&p);
	peer_write(&p, MSS + 100);
	peer_expect(&p, TCP_ACK, 1, 1, MSS);
	peer_expect(&p, TCP_ACK | TCP_PSH, 1 + MSS, 1, 100);
	peer_write(&p, MSS + 100);
	peer_expect(&p, TCP_ACK, 101 + MSS, 1, MSS);
	peer_dry(&p); /* the first tail is unacknowledged */
	peer_fini(&p);
}

/* [RFC9293 3.7.4 MUST-17] */
static void nodelay_holds_nothing(void **state)
{
	struct peer p;

	(void)state;
	start(&p);
	peer_write(&p, 10);
	peer_drain(&p);
	peer_write(&p, 10);
	peer_dry(&p);
	set(&p, TCP_OPT_NODELAY, 1); /* and lets go what is held */
	peer_expect(&p, TCP_ACK | TCP_PSH, 11, 1, 10);
	peer_write(&p, 10);
	peer_expect(&p, TCP_ACK | TCP_PSH, 21, 1, 10);
	peer_fini(&p);
}

static void cork_holds_for_200_ms(void **state)
{
	struct peer p;

	(void)state;
	start(&p);
	set(&p, TCP_OPT_CORK, 1);
	peer_write(&p, MSS + 50);
	peer_expect(&p, TCP_ACK, 1, 1, MSS); /* full segments go */
	peer_dry(&p);
	peer_send(&p, TCP_ACK, 1, 1 + MSS, 0);
	peer_dry(&p);
	assert_int_equal(peer_wait_deadline(&p), 200);
	peer_expect(&p, TCP_ACK | TCP_PSH, 1 + MSS, 1, 50);
	peer_send(&p, TCP_ACK, 1, 51 + MSS, 0);
	peer_write(&p, 50);
	peer_dry(&p);
	set(&p, TCP_OPT_CORK, 0);
	peer_expect(&p, TCP_ACK | TCP_PSH, 51 + MSS, 1, 50);
	peer_fini(&p);
}

static void msg_more_waits_for_more(void **state)
{
	struct peer p;

	(void)state;
	start(&p);
	write_more(&p, 30);
	peer_dry(&p);
	peer_write(&p, 20);
	peer_expect(&p, TCP_ACK | TCP_PSH, 1, 1, 50);
	peer_send(&p, TCP_ACK, 1, 51, 0);
	write_more(&p, 30);
	tcp_conn_shutdown(p.c, p.now); /* nothing more can come */
	peer_expect(&p, TCP_ACK | TCP_PSH | TCP_FIN, 51, 1, 30);
	peer_fini(&p);
}

/* ---- frames --------------------------------------------------------- */

static void gso_frames_are_whole_segments(void **state)
{
	struct peer p;

	(void)state;
	start_gso(&p);
	p.c->cc.cwnd = 1 << 20;
	p.c->snd_wnd = p.c->max_snd_wnd = 1 << 20;
	p.c->snd.limit = 1 << 20;
	assert_int_equal(peer_write(&p, 200000), 200000);
	for (uint32_t i = 0; i < 3; i++) {
		peer_take(&p);
		assert_int_equal(p.o.gso_size, MSS);
		assert_int_equal(p.o.len, 44 * MSS); /* <= 65535 */
		assert_int_equal(p.o.h.flags, TCP_ACK);
		assert_true(p.o.n_iov <= 3);
	}
	/* the rest in one frame, its last segment short */
	peer_expect(&p, TCP_ACK | TCP_PSH, 1 + 132 * MSS, 1,
		    200000 - 132 * MSS);
	assert_int_equal(p.o.gso_size, MSS);
	assert_int_equal(p.c->rtx.n, 1); /* one instant, one range */
	peer_fini(&p);
}

/* [RFC6928 2] ten segments, in one frame */
static void initial_window_is_one_frame(void **state)
{
	struct peer p;

	(void)state;
	start_gso(&p);
	peer_write(&p, 60000);
	peer_expect(&p, TCP_ACK | TCP_PSH, 1, 1, 14600);
	peer_dry(&p);
	/* slow start: each ACK lets out twice what it acknowledged */
	peer_send(&p, TCP_ACK, 1, 1 + 2 * MSS, 0);
	peer_expect(&p, TCP_ACK | TCP_PSH, 14601, 1, 4 * MSS);
	peer_dry(&p);
	peer_fini(&p);
}

static void fin_rides_on_the_last_data(void **state)
{
	struct peer p;

	(void)state;
	start_gso(&p);
	peer_write(&p, 5000);
	tcp_conn_shutdown(p.c, p.now);
	peer_expect(&p, TCP_ACK | TCP_PSH | TCP_FIN, 1, 1, 5000);
	peer_dry(&p);
	peer_send(&p, TCP_ACK, 1, 5002, 0);
	assert_int_equal(tcp_conn_state(p.c), TCP_S_FIN_WAIT_2);
	peer_fini(&p);
}

/* ---- windows -------------------------------------------------------- */

/* [RFC9293 3.8.6.2.1 MUST-38] */
static void silly_windows_are_not_filled(void **state)
{
	struct peer p;

	(void)state;
	start(&p);
	p.wnd = 100; /* far below half of the largest */
	peer_send(&p, TCP_ACK, 1, 1, 0);
	peer_write(&p, 5000);
	peer_dry(&p);
	p.wnd = 2 * MSS + 100;
	peer_send(&p, TCP_ACK, 1, 1, 0);
	peer_expect(&p, TCP_ACK, 1, 1, MSS);
	peer_expect(&p, TCP_ACK | TCP_PSH, 1 + MSS, 1, MSS);
	peer_dry(&p);
	peer_fini(&p);
}

static void small_peers_get_what_they_can_take(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p);
	p.wnd = 500; /* never more: half of the largest is 250 */
	peer_connect(&p);
	peer_write(&p, 1200);
	peer_expect(&p, TCP_ACK, 1, 1, 500);
	peer_dry(&p);
	peer_send(&p, TCP_ACK, 1, 501, 0);
	peer_expect(&p, TCP_ACK, 501, 1, 500);
	peer_send(&p, TCP_ACK, 1, 1001, 0);
	peer_expect(&p, TCP_ACK | TCP_PSH, 1001, 1, 200);
	peer_fini(&p);
}

/* [RFC9293 3.8.6.1 MUST-36, MUST-37, SHLD-29, SHLD-30] */
static void closed_window_is_probed(void **state)
{
	struct peer p;
	int64_t wait = 200;

	(void)state;
	start(&p);
	p.wnd = 0;
	peer_send(&p, TCP_ACK, 1, 1, 0);
	peer_write(&p, 3000);
	peer_dry(&p);
	for (int i = 0; i < 30; i++) {
		assert_int_equal(peer_wait_deadline(&p), wait);
		/* an old number: every receiver answers it */
		peer_expect(&p, TCP_ACK, 0, 1, 0);
		peer_dry(&p);
		peer_send(&p, TCP_ACK, 1, 1, 0); /* still closed: lives on */
		wait = MIN(wait * 2, 120000);
	}
	assert_int_equal(tcp_conn_state(p.c), TCP_S_ESTABLISHED);
	p.wnd = PEER_WND;
	peer_send(&p, TCP_ACK, 1, 1, 0);
	peer_expect(&p, TCP_ACK, 1, 1, MSS);
	peer_drain(&p);
	/* and the time-out is the usual one again */
	assert_int_equal(peer_wait_deadline(&p), 200);
	peer_fini(&p);
}

static void unanswered_probes_end_the_connection(void **state)
{
	struct peer p;
	int probes = 0;

	(void)state;
	start(&p);
	p.wnd = 0;
	peer_send(&p, TCP_ACK, 1, 1, 0);
	peer_write(&p, 3000);
	peer_drain(&p);
	while (tcp_conn_state(p.c) != TCP_S_CLOSED) {
		peer_wait_deadline(&p);
		probes += peer_drain(&p);
	}
	assert_int_equal(probes, 15);
	assert_int_equal(tcp_conn_error(p.c), ETIMEDOUT);
	peer_fini(&p);
}

/* [RFC1122 4.2.3.4] the override time-out */
static void persist_uses_a_silly_window_at_last(void **state)
{
	struct peer p;

	(void)state;
	start(&p);
	p.wnd = 100;
	peer_send(&p, TCP_ACK, 1, 1, 0);
	peer_write(&p, 3000);
	peer_dry(&p);
	assert_int_equal(peer_wait_deadline(&p), 200);
	peer_expect(&p, TCP_ACK, 1, 1, 100);
	peer_dry(&p);
	peer_fini(&p);
}

static void fin_waits_for_a_window(void **state)
{
	struct peer p;

	(void)state;
	start(&p);
	p.wnd = 0;
	peer_send(&p, TCP_ACK, 1, 1, 0);
	tcp_conn_shutdown(p.c, p.now);
	peer_dry(&p);
	peer_wait_deadline(&p);
	peer_expect(&p, TCP_ACK, 0, 1, 0);
	p.wnd = 1;
	peer_send(&p, TCP_ACK, 1, 1, 0);
	peer_expect(&p, TCP_ACK | TCP_FIN, 1, 1, 0);
	peer_fini(&p);
}

/* An old segment must not move the window back [RFC9293 3.10.7.4]. */
static void old_segments_do_not_update_the_window(void **state)
{
	struct peer p;

	(void)state;
	start(&p);
	peer_send(&p, TCP_ACK, 1, 1, 100);
	p.wnd = 5;
	peer_send(&p, TCP_ACK, 1, 1, 200); /* begins before the last one */
	assert_int_equal(p.c->snd_wnd, 5); /* equal numbers: newer */
	p.wnd = 700;
	peer_send(&p, TCP_ACK, 201, 1, 10);
	p.wnd = 3;
	peer_send(&p, TCP_ACK, 150, 1, 100);
	assert_int_equal(p.c->snd_wnd, 700);
	peer_fini(&p);
}

/* ---- buffers -------------------------------------------------------- */

static void send_buffer_grows_with_cwnd(void **state)
{
	struct peer p;

	(void)state;
	start(&p);
	assert_int_equal(tcp_conn_get_opt(p.c, TCP_OPT_SNDBUF), 65536);
	p.c->cc.cwnd = 100000;
	p.c->cwnd_limited = true;
	p.c->limited_end = seq_add(p.c->iss, 100000);
	peer_write(&p, 1000);
	peer_drain(&p);
	peer_send(&p, TCP_ACK, 1, 1001, 0);
	assert_int_equal(tcp_conn_get_opt(p.c, TCP_OPT_SNDBUF),
			 2 * p.c->cc.cwnd);
	peer_fini(&p);
}

/* ... but not when all it feeds is a standing queue */
static void send_buffer_does_not_feed_a_queue(void **state)
{
	struct peer p;

	(void)state;
	for (int slow = 0; slow < 2; slow++) {
		start(&p);
		p.c->cc.cwnd = 3 << 20;
		p.c->rtt.min_us = slow ? 1000 : 5000; /* srtt: 10 ms */
		peer_write(&p, 1000);
		peer_drain(&p);
		p.now = mono_add(p.now, DUR_MS(10));
		peer_send(&p, TCP_ACK, 1, 1001, 0);
		/* 4 * 3 MiB * 1 / 10, or all that is allowed */
		assert_int_equal(tcp_conn_get_opt(p.c, TCP_OPT_SNDBUF) >> 10,
				 slow ? 1228 : 4 << 10);
		peer_fini(&p);
	}
}

static void write_is_bounded(void **state)
{
	struct peer p;
	size_t unacked, unsent, unread;

	(void)state;
	start(&p);
	set(&p, TCP_OPT_SNDBUF, 20000);
	p.wnd = 0;
	peer_send(&p, TCP_ACK, 1, 1, 0);
	assert_int_equal(peer_write(&p, 100000), 20000);
	assert_int_equal(peer_write(&p, 1), 0);
	assert_int_equal(tcp_conn_ready(p.c) & TCP_READY_OUT, 0);
	tcp_conn_queues(p.c, &unacked, &unsent, &unread);
	assert_int_equal(unacked, 0);
	assert_int_equal(unsent, 20000);
	peer_fini(&p);
}

/* A program that was asked and had nothing leaves no buffer behind. */
static void reserve_without_commit_is_given_back(void **state)
{
	struct iovec iov[4];
	struct peer p;
	int n = 4;

	(void)state;
	start(&p);
	assert_int_equal(tcp_conn_write_reserve(p.c, 60000, iov, &n), 60000);
	peer_dry(&p);
	assert_int_equal(p.pool.used_bytes, 0);
	peer_fini(&p);
}

static void notsent_lowat_bounds_what_waits(void **state)
{
	struct peer p;

	(void)state;
	start(&p);
	set(&p, TCP_OPT_NOTSENT_LOWAT, 4000);
	p.wnd = 0;
	peer_send(&p, TCP_ACK, 1, 1, 0);
	peer_write(&p, 3000);
	assert_int_equal(tcp_conn_ready(p.c) & TCP_READY_OUT, TCP_READY_OUT);
	peer_write(&p, 1000);
	assert_int_equal(tcp_conn_ready(p.c) & TCP_READY_OUT, 0);
	assert_int_equal(peer_write(&p, 1), 0);
	peer_fini(&p);
}

/* ---- silence -------------------------------------------------------- */

/* [RFC5681 4.1] [RFC2861 3.1] half of the window for each time-out */
static void idle_sender_restarts_slowly(void **state)
{
	struct peer p;

	(void)state;
	start(&p);
	p.c->cc.cwnd = 100000;
	peer_write(&p, 100);
	peer_drain(&p);
	peer_send(&p, TCP_ACK, 1, 101, 0);
	peer_wait(&p, DUR_MS(100)); /* less than the time-out */
	peer_write(&p, 100);
	assert_true(p.c->cc.cwnd >= 100000);
	peer_drain(&p);
	peer_send(&p, TCP_ACK, 1, 201, 0);
	peer_wait(&p, DUR_MS(201));
	p.c->cc.ssthresh = 20000;
	peer_write(&p, 100);
	assert_int_equal(p.c->cc.cwnd, 50000);
	assert_int_equal(p.c->cc.ssthresh, 75000); /* what it was */
	peer_drain(&p);
	peer_send(&p, TCP_ACK, 1, 301, 0);
	peer_wait(&p, DUR_MS(2000));
	peer_write(&p, 100);
	assert_int_equal(p.c->cc.cwnd, 14600); /* the restart window */
	peer_fini(&p);
}

/* [RFC9438 4.6] a program that sends little does not earn a large window */
static void unused_window_does_not_grow(void **state)
{
	struct peer p;

	(void)state;
	start(&p);
	for (uint32_t i = 0; i < 100; i++) {
		peer_write(&p, 500);
		peer_drain(&p);
		peer_send(&p, TCP_ACK, 1, 501 + i * 500, 0);
		peer_wait(&p, DUR_MS(10));
	}
	assert_int_equal(p.c->cc.cwnd, 14600);
	peer_fini(&p);
}

/* [RFC9293 3.8.4 MUST-24, MUST-25, MUST-26] off by default */
static void keepalive_finds_the_dead(void **state)
{
	struct peer p;

	(void)state;
	start(&p);
	assert_true(mono_is_never(tcp_conn_deadline(p.c)));
	set(&p, TCP_OPT_KEEPIDLE, 10);
	set(&p, TCP_OPT_KEEPINTVL, 2);
	set(&p, TCP_OPT_KEEPCNT, 3);
	set(&p, TCP_OPT_KEEPALIVE, 1);
	assert_int_equal(peer_wait_deadline(&p), 10000);
	peer_expect(&p, TCP_ACK, 0, 1, 0); /* SND.NXT - 1 [SHLD-12] */
	peer_dry(&p);
	peer_wait(&p, DUR_S(1));
	peer_send(&p, TCP_ACK, 1, 1, 0); /* it lives */
	assert_int_equal(peer_wait_deadline(&p), 1000);
	peer_dry(&p); /* postponed: something was heard */
	assert_int_equal(peer_wait_deadline(&p), 9000);
	for (int i = 0; i < 3; i++) {
		peer_expect(&p, TCP_ACK, 0, 1, 0);
		peer_dry(&p);
		assert_int_equal(peer_wait_deadline(&p), 2000);
	}
	assert_int_equal(tcp_conn_error(p.c), ETIMEDOUT);
	peer_expect(&p, TCP_RST | TCP_ACK, 1, 1, 0);
	peer_fini(&p);
}

/* [RFC9293 3.8.3] [RFC5482] */
static void user_timeout_ends_it(void **state)
{
	struct peer p;

	(void)state;
	start(&p);
	set(&p, TCP_OPT_USER_TIMEOUT, 3000);
	peer_wait(&p, DUR_S(100)); /* nothing outstanding: no clock */
	peer_write(&p, 100);
	peer_drain(&p);
	peer_wait(&p, DUR_MS(2900));
	peer_drain(&p);
	peer_send(&p, TCP_ACK, 1, 51, 0); /* progress */
	peer_drain(&p);
	peer_wait(&p, DUR_MS(2900));
	peer_drain(&p);
	assert_int_equal(tcp_conn_state(p.c), TCP_S_ESTABLISHED);
	peer_wait(&p, DUR_MS(200));
	assert_int_equal(tcp_conn_error(p.c), ETIMEDOUT);
	peer_fini(&p);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(nagle_holds_the_second_small_segment),
	cmocka_unit_test(tail_of_a_large_write_is_not_held),
	cmocka_unit_test(nodelay_holds_nothing),
	cmocka_unit_test(cork_holds_for_200_ms),
	cmocka_unit_test(msg_more_waits_for_more),
	cmocka_unit_test(gso_frames_are_whole_segments),
	cmocka_unit_test(initial_window_is_one_frame),
	cmocka_unit_test(fin_rides_on_the_last_data),
	cmocka_unit_test(silly_windows_are_not_filled),
	cmocka_unit_test(small_peers_get_what_they_can_take),
	cmocka_unit_test(closed_window_is_probed),
	cmocka_unit_test(unanswered_probes_end_the_connection),
	cmocka_unit_test(persist_uses_a_silly_window_at_last),
	cmocka_unit_test(fin_waits_for_a_window),
	cmocka_unit_test(old_segments_do_not_update_the_window),
	cmocka_unit_test(send_buffer_grows_with_cwnd),
	cmocka_unit_test(send_buffer_does_not_feed_a_queue),
	cmocka_unit_test(write_is_bounded),
	cmocka_unit_test(reserve_without_commit_is_given_back),
	cmocka_unit_test(notsent_lowat_bounds_what_waits),
	cmocka_unit_test(idle_sender_restarts_slowly),
	cmocka_unit_test(unused_window_does_not_grow),
	cmocka_unit_test(keepalive_finds_the_dead),
	cmocka_unit_test(user_timeout_ends_it),
};

UNIT_MAIN(tests)
