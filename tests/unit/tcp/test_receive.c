/* The receiving half: ACKs, windows, D-SACK, PAWS, RFC 5961. */
#include "peer.h"

#include <stdlib.h>

static void start(struct peer *p, bool ts, bool sack, int wscale)
{
	peer_init(p);
	p->ts = ts;
	p->sack = sack;
	p->wscale = wscale;
	peer_connect(p);
	p->c->quick = 0; /* past the start */
	p->c->rcv_mss = 1000;
}

/* ---- when an ACK is sent -------------------------------------------- */

/* [RFC9293 3.8.6.3 MUST-40, SHLD-18] within 500 ms; here 40 */
static void single_segment_is_acked_late(void **state)
{
	struct peer p;

	(void)state;
	start(&p, false, false, -1);
	peer_send(&p, TCP_ACK, 1, 1, 1000);
	peer_dry(&p);
	assert_int_equal(peer_wait_deadline(&p), 40);
	peer_expect(&p, TCP_ACK, 1, 1001, 0);
	peer_dry(&p);
	peer_fini(&p);
}

/* [RFC9293 3.8.6.3 SHLD-19] [RFC5681 4.2] */
static void second_full_segment_is_acked_at_once(void **state)
{
	struct peer p;

	(void)state;
	start(&p, false, false, -1);
	for (uint32_t i = 0; i < 5; i++) {
		peer_send(&p, TCP_ACK, 1 + i * 2000, 1, 1000);
		peer_dry(&p);
		peer_send(&p, TCP_ACK, 1001 + i * 2000, 1, 1000);
		peer_expect(&p, TCP_ACK, 1, 2001 + i * 2000, 0);
		peer_dry(&p);
	}
	peer_fini(&p);
}

/* [RFC9293 3.10.7.4 MUST-58, MUST-59] */
static void one_ack_for_a_batch(void **state)
{
	struct peer p;

	(void)state;
	start(&p, false, false, -1);
	for (uint32_t i = 0; i < 20; i++)
		peer_send(&p, TCP_ACK, 1 + i * 1000, 1, 1000);
	peer_read(&p, 1, 20000);
	peer_expect(&p, TCP_ACK, 1, 20001, 0);
	peer_dry(&p);
	peer_fini(&p);
}

static void merged_segments_are_acked_at_once(void **state)
{
	struct peer p;

	(void)state;
	start(&p, false, false, -1);
	p.segs = 2;
	peer_send(&p, TCP_ACK, 1, 1, 1100);
	peer_expect(&p, TCP_ACK, 1, 1101, 0);
	peer_dry(&p);
	peer_fini(&p);
}

static void answer_carries_the_ack(void **state)
{
	struct peer p;

	(void)state;
	start(&p, false, false, -1);
	peer_send(&p, TCP_ACK | TCP_PSH, 1, 1, 10);
	peer_read(&p, 1, 10);
	peer_write(&p, 10);
	peer_expect(&p, TCP_ACK | TCP_PSH, 1, 11, 10);
	peer_dry(&p);
	/* and nothing is owed any more */
	peer_send(&p, TCP_ACK, 11, 11, 0);
	assert_true(mono_is_never(tcp_conn_deadline(p.c)));
	peer_fini(&p);
}

static void first_full_segments_are_acked_quickly(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p);
	peer_connect(&p);
	for (uint32_t i = 0; i < TCP_QUICKACKS; i++) {
		peer_send(&p, TCP_ACK, 1 + i * 1000, 1, 1000);
		peer_expect(&p, TCP_ACK, 1, 1001 + i * 1000, 0);
	}
	peer_send(&p, TCP_ACK, 16001, 1, 1000);
	peer_dry(&p);
	peer_fini(&p);
}

static void quickack_option(void **state)
{
	struct peer p;

	(void)state;
	start(&p, false, false, -1);
	peer_send(&p, TCP_ACK, 1, 1, 10);
	peer_dry(&p);
	assert_int_equal(tcp_conn_set_opt(p.c, TCP_OPT_QUICKACK, 1, p.now), 0);
	peer_expect(&p, TCP_ACK, 1, 11, 0);
	peer_send(&p, TCP_ACK, 11, 1, 10);
	peer_expect(&p, TCP_ACK, 1, 21, 0);
	peer_fini(&p);
}

/* ---- holes ---------------------------------------------------------- */

/* [RFC5681 4.2] [RFC2018 4] */
static void each_segment_behind_a_hole_is_acked(void **state)
{
	struct peer p;

	(void)state;
	start(&p, true, true, -1);
	for (uint32_t i = 1; i <= 3; i++) {
		peer_send(&p, TCP_ACK, 1 + i * 2000, 1, 1000);
		peer_expect(&p, TCP_ACK, 1, 1, 0);
		assert_int_equal(p.o.h.opt.n_sack, i);
		assert_int_equal(p.o.h.opt.sack[0].left.v - PEER_ISS,
				 1 + i * 2000);
		peer_dry(&p);
	}
	/* [RFC5681 4.2] filling a part of a hole: at once */
	peer_send(&p, TCP_ACK, 1, 1, 2000);
	peer_expect(&p, TCP_ACK, 1, 3001, 0);
	assert_int_equal(p.o.h.opt.n_sack, 2);
	peer_fini(&p);
}

static void no_sack_without_permission(void **state)
{
	struct peer p;

	(void)state;
	start(&p, true, false, -1);
	peer_send(&p, TCP_ACK, 2001, 1, 1000);
	peer_expect(&p, TCP_ACK, 1, 1, 0);
	assert_int_equal(p.o.h.opt.n_sack, 0);
	peer_fini(&p);
}

/* [RFC2883 4] */
static void duplicates_are_reported_once(void **state)
{
	struct peer p;

	(void)state;
	start(&p, true, true, -1);
	peer_send(&p, TCP_ACK, 1, 1, 1000);
	peer_drain(&p);
	peer_send(&p, TCP_ACK, 1, 1, 1000);
	peer_expect(&p, TCP_ACK, 1, 1001, 0);
	assert_int_equal(p.o.h.opt.n_sack, 1);
	assert_int_equal(p.o.h.opt.sack[0].left.v - PEER_ISS, 1);
	assert_int_equal(p.o.h.opt.sack[0].right.v - PEER_ISS, 1001);
	/* partly old: the old part */
	peer_send(&p, TCP_ACK, 501, 1, 1000);
	peer_expect(&p, TCP_ACK, 1, 1501, 0);
	assert_int_equal(p.o.h.opt.n_sack, 1);
	assert_int_equal(p.o.h.opt.sack[0].left.v - PEER_ISS, 501);
	assert_int_equal(p.o.h.opt.sack[0].right.v - PEER_ISS, 1001);
	peer_send(&p, TCP_ACK, 3001, 1, 10);
	peer_expect(&p, TCP_ACK, 1, 1501, 0);
	assert_int_equal(p.o.h.opt.n_sack, 1);
	assert_int_equal(p.o.h.opt.sack[0].left.v - PEER_ISS, 3001);
	/* behind the hole: D-SACK first, then the block around it */
	peer_send(&p, TCP_ACK, 3001, 1, 10);
	peer_expect(&p, TCP_ACK, 1, 1501, 0);
	assert_int_equal(p.o.h.opt.n_sack, 2);
	assert_int_equal(p.o.h.opt.sack[0].left.v - PEER_ISS, 3001);
	assert_int_equal(p.o.h.opt.sack[1].left.v - PEER_ISS, 3001);
	peer_read(&p, 1, 1500);
	peer_fini(&p);
}

static void reassembly_memory_is_bounded(void **state)
{
	struct peer p;

	(void)state;
	start(&p, true, true, 7);
	/* a sender that sends every second byte */
	for (uint32_t i = 0; i < 30000; i += 2)
		peer_send(&p, TCP_ACK, 3 + i, 1, 1);
	assert_true(tcp_conn_memory(p.c) < 5u << 20);
	assert_true(p.env.stats.drops[TCP_DROP_OOO_LIMIT] > 0);
	peer_drain(&p);
	peer_fini(&p);
}

/* ---- window --------------------------------------------------------- */

static uint32_t edge(const struct peer *p)
{
	return p->o.h.ack.v + ((uint32_t)p->o.h.wnd << p->c->rcv_wscale) -
	       PEER_ISS;
}

/* Fills our buffer, which the program does not read; returns the bytes. */
static uint32_t fill(struct peer *p, uint32_t step)
{
	uint32_t at = 1, last = 0;

	for (int i = 0; i < 2000; i++) {
		uint32_t wnd = tcp_win_rcv_wnd(p->c);
		uint32_t n = MIN(step, wnd);

		if (!n)
			break;
		peer_send(p, TCP_ACK, at, 1, n);
		at += n;
		if (peer_drain(p)) {
			/* [RFC9293 3.8.6 SHLD-14] */
			assert_true(edge(p) >= last);
			last = edge(p);
		}
	}
	return at - 1;
}

static void window_closes_with_the_buffer(void **state)
{
	struct peer p;
	uint32_t n;

	(void)state;
	start(&p, false, false, 7);
	n = fill(&p, 1000);
	/* 128 KiB, and what rounding to the scale's unit added */
	assert_in_range(n, 131072, 131072 + 131072 / 8);
	peer_wait(&p, DUR_MS(40));
	peer_drain(&p);
	assert_int_equal(p.o.h.wnd, 0);
	/* a probe is not taken but answered; its ACK counts [MUST-66] */
	peer_write(&p, 10);
	peer_drain(&p);
	peer_send(&p, TCP_ACK, n + 1, 11, 1);
	assert_int_equal(peer_una(&p), 11);
	peer_expect(&p, TCP_ACK, 11, n + 1, 0);
	assert_int_equal(p.o.h.wnd, 0);
	peer_fini(&p);
}

/* The edge stays although single bytes do not fit the scale's units. */
static void single_bytes_do_not_move_the_edge_for_ever(void **state)
{
	struct peer p;
	uint32_t n;

	(void)state;
	peer_init(&p);
	assert_int_equal(tcp_conn_set_opt(p.c, TCP_OPT_RCVBUF, 2048, p.now), 0);
	assert_int_equal(tcp_conn_set_opt(p.c, TCP_OPT_QUICKACK, 1, p.now), 0);
	p.wscale = 7;
	peer_connect(&p);
	n = 0;
	for (uint32_t at = 1; at < 6000 && tcp_win_rcv_wnd(p.c); at++) {
		peer_send(&p, TCP_ACK, at, 1, 1);
		peer_drain(&p);
		n = at;
	}
	assert_in_range(n, 2048, 2048 + 2048 / 8);
	peer_fini(&p);
}

/* [RFC9293 3.8.6.2.2 MUST-39] */
static void window_opens_by_a_useful_amount(void **state)
{
	struct peer p;
	uint32_t n, before;

	(void)state;
	start(&p, false, false, 7);
	n = fill(&p, 1000);
	peer_wait(&p, DUR_MS(40));
	peer_drain(&p);
	assert_int_equal(p.o.h.wnd, 0);
	before = edge(&p);
	/* what was overdrawn, and less than one segment */
	peer_read(&p, 1, n - 131072 + 900);
	peer_dry(&p);
	peer_send(&p, TCP_ACK, n + 1, 1, 1);
	peer_take(&p);
	assert_int_equal(edge(&p), before);
	/* one segment: said when there is an ACK to send anyway */
	peer_read(&p, n - 131072 + 901, 200);
	peer_dry(&p);
	peer_send(&p, TCP_ACK, n + 1, 1, 1);
	peer_take(&p);
	assert_in_range(edge(&p), before + 1000 - 128, before + 1100);
	/* two: of its own accord */
	peer_read(&p, n - 131072 + 1101, 3000);
	peer_expect(&p, TCP_ACK, 1, n + 1, 0);
	assert_true(edge(&p) >= before + 3000);
	peer_fini(&p);
}

static void reading_alone_sends_nothing_while_the_window_is_large(void **state)
{
	struct peer p;

	(void)state;
	start(&p, false, false, 7);
	peer_send(&p, TCP_ACK, 1, 1, 2000);
	peer_drain(&p);
	for (uint32_t i = 0; i < 20; i++) {
		peer_read(&p, 1 + i * 100, 100);
		peer_dry(&p);
	}
	peer_fini(&p);
}

/* Auto-tuning: the buffer follows twice what is read per round trip. */
static void buffer_grows_with_the_reader(void **state)
{
	struct peer p;
	uint32_t at = 1;

	(void)state;
	start(&p, true, true, 7);
	for (int rtt = 0; rtt < 30; rtt++) {
		uint32_t end = at + tcp_win_rcv_wnd(p.c);

		while (at + 1000 <= end) {
			peer_send(&p, TCP_ACK, at, 1, 1000);
			peer_read(&p, at, 1000);
			at += 1000;
		}
		p.now = mono_add(p.now, DUR_MS(10));
		p.ts_val += 10;
		peer_drain(&p);
	}
	assert_int_equal(tcp_conn_get_opt(p.c, TCP_OPT_RCVBUF), 6 << 20);
	peer_fini(&p);
	/* a program's own size is respected */
	start(&p, true, true, 7);
	assert_int_equal(tcp_conn_set_opt(p.c, TCP_OPT_RCVBUF, 100000, p.now),
			 0);
	p.c->tune_copied = 1 << 20;
	p.now = mono_add(p.now, DUR_S(1));
	peer_send(&p, TCP_ACK, 1, 1, 1000);
	peer_read(&p, 1, 1000);
	assert_int_equal(tcp_conn_get_opt(p.c, TCP_OPT_RCVBUF), 100000);
	peer_fini(&p);
}

/* ---- what is refused ------------------------------------------------ */

/* [RFC7323 5.3] a wrapped number from the past, though inside the window */
static void paws_refuses_old_timestamps(void **state)
{
	struct peer p;

	(void)state;
	start(&p, true, true, -1);
	p.ts_val = 999;
	peer_send(&p, TCP_ACK, 1, 1, 100);
	assert_int_equal(p.env.stats.drops[TCP_DROP_PAWS], 1);
	peer_expect(&p, TCP_ACK, 1, 1, 0);
	/* [RFC7323 5.5] after 24 days the old value means nothing */
	peer_wait(&p, DUR_S(25 * 86400));
	peer_send(&p, TCP_ACK, 1, 1, 100);
	assert_int_equal(peer_read(&p, 1, 100), 100);
	peer_fini(&p);
}

static void segments_without_timestamp_pass(void **state)
{
	struct peer p;

	(void)state;
	start(&p, true, true, -1);
	p.ts = false;
	peer_send(&p, TCP_ACK, 1, 1, 100);
	assert_int_equal(peer_read(&p, 1, 100), 100);
	peer_fini(&p);
}

/* [RFC7323 4.3] the echo is that of the earliest unacknowledged segment */
static void echo_is_of_the_earliest_segment(void **state)
{
	struct peer p;

	(void)state;
	start(&p, true, true, -1);
	p.ts_val = 2000;
	peer_send(&p, TCP_ACK, 1, 1, 1000);
	p.ts_val = 2005;
	peer_send(&p, TCP_ACK, 1001, 1, 1000);
	peer_take(&p);
	assert_int_equal(p.o.h.opt.ts_ecr, 2000);
	/* behind a hole it does not change */
	p.ts_val = 2010;
	peer_send(&p, TCP_ACK, 3001, 1, 1000);
	peer_take(&p);
	assert_int_equal(p.o.h.opt.ts_ecr, 2000);
	p.ts_val = 2015;
	peer_send(&p, TCP_ACK, 2001, 1, 1000);
	peer_take(&p);
	assert_int_equal(p.o.h.opt.ts_ecr, 2015);
	peer_fini(&p);
}

/* [RFC5961 7] */
static void challenge_acks_are_limited(void **state)
{
	struct peer p;
	int n = 0;

	(void)state;
	start(&p, false, false, -1);
	p.env.tune.challenge_acks_per_s = 10;
	for (int i = 0; i < 100; i++) {
		peer_send(&p, TCP_RST, 5, 0, 0);
		n += peer_drain(&p);
	}
	assert_in_range(n, 5, 10);
	peer_wait(&p, DUR_S(1));
	peer_send(&p, TCP_SYN, 1, 0, 0);
	assert_int_equal(peer_drain(&p), 1);
	assert_int_equal(tcp_conn_state(p.c), TCP_S_ESTABLISHED);
	peer_fini(&p);
}

/* Two ends that each think the other wrong must fall silent. */
static void empty_segments_out_of_window_make_no_storm(void **state)
{
	struct peer p;
	int n = 0;

	(void)state;
	start(&p, false, false, -1);
	for (int i = 0; i < 1000; i++) {
		peer_send(&p, TCP_ACK, 0, 1, 0);
		n += peer_drain(&p);
	}
	assert_int_equal(n, 1);
	peer_wait(&p, DUR_MS(60));
	peer_send(&p, TCP_ACK, 0, 1, 0); /* a keepalive probe, say */
	peer_expect(&p, TCP_ACK, 1, 1, 0);
	peer_fini(&p);
}

/* [RFC9293 3.8.5] [RFC6093 6] in line */
static void urgent_data_is_data(void **state)
{
	struct peer p;
	struct tcp_seg in = {.segs = 1, .len = 20};

	(void)state;
	start(&p, false, false, -1);
	in.h = (struct tcp_header){.seq = p.c->rcv_nxt,
				   .ack = p.c->snd_nxt,
				   .flags = TCP_ACK | TCP_URG,
				   .wnd = 1000,
				   .urg = 15};
	in.pkt = pkt_new(&p.pool, PKT_SMALL);
	in.pkt->len = 20;
	for (uint32_t i = 0; i < 20; i++)
		pkt_data(in.pkt)[i] = peer_byte(1 + i);
	tcp_conn_input(p.c, &in, p.now);
	assert_int_equal(peer_read(&p, 1, 100), 20);
	peer_fini(&p);
}

/* [RFC3168 6.1.3] ECE until CWR */
static void congestion_marks_are_echoed(void **state)
{
	struct peer p;

	(void)state;
	start(&p, false, false, -1);
	p.c->ecn_ok = true;
	p.ecn = 3;
	peer_send(&p, TCP_ACK, 1, 1, 1000);
	peer_expect(&p, TCP_ACK | TCP_ECE, 1, 1001, 0);
	peer_send(&p, TCP_ACK, 1001, 1, 1000);
	peer_send(&p, TCP_ACK, 2001, 1, 1000);
	peer_expect(&p, TCP_ACK | TCP_ECE, 1, 3001, 0);
	peer_send(&p, TCP_ACK | TCP_CWR, 3001, 1, 1000);
	peer_send(&p, TCP_ACK, 4001, 1, 1000);
	peer_expect(&p, TCP_ACK, 1, 5001, 0);
	peer_fini(&p);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(single_segment_is_acked_late),
	cmocka_unit_test(second_full_segment_is_acked_at_once),
	cmocka_unit_test(one_ack_for_a_batch),
	cmocka_unit_test(merged_segments_are_acked_at_once),
	cmocka_unit_test(answer_carries_the_ack),
	cmocka_unit_test(first_full_segments_are_acked_quickly),
	cmocka_unit_test(quickack_option),
	cmocka_unit_test(each_segment_behind_a_hole_is_acked),
	cmocka_unit_test(no_sack_without_permission),
	cmocka_unit_test(duplicates_are_reported_once),
	cmocka_unit_test(reassembly_memory_is_bounded),
	cmocka_unit_test(window_closes_with_the_buffer),
	cmocka_unit_test(single_bytes_do_not_move_the_edge_for_ever),
	cmocka_unit_test(window_opens_by_a_useful_amount),
	cmocka_unit_test(reading_alone_sends_nothing_while_the_window_is_large),
	cmocka_unit_test(buffer_grows_with_the_reader),
	cmocka_unit_test(paws_refuses_old_timestamps),
	cmocka_unit_test(segments_without_timestamp_pass),
	cmocka_unit_test(echo_is_of_the_earliest_segment),
	cmocka_unit_test(challenge_acks_are_limited),
	cmocka_unit_test(empty_segments_out_of_window_make_no_storm),
	cmocka_unit_test(urgent_data_is_data),
	cmocka_unit_test(congestion_marks_are_echoed),
};

UNIT_MAIN(tests)
