/* Loss: fast retransmit, SACK recovery, NewReno, time-outs, ECN, PMTU. */
#include "peer.h"

#include <errno.h>
#include <stdlib.h>

#define MSS 1000u

/* Established with segments of 1000 bytes and cwnd of `segs` of them, all
 * sent: segment i is at 1 + i * 1000. Numbers count from 0. */
static void start(struct peer *p, bool sack, uint32_t segs)
{
	peer_init(p);
	p->sack = sack;
	p->wscale = 7;
	p->mss = MSS;
	p->env.tune.cc = TCP_CC_NEWRENO;
	tcp_cc_set_kind(&p->c->cc, TCP_CC_NEWRENO);
	peer_connect(p);
	p->c->cc.cwnd = segs * MSS;
	p->c->snd.limit = 1 << 20;
	p->c->snd_wnd = p->c->max_snd_wnd = 1 << 20;
	peer_write(p, 400 * MSS);
	assert_int_equal(peer_drain(p), segs);
	p->wnd = 1 << 13;
}

static uint32_t seg(uint32_t i)
{
	return 1 + i * MSS;
}

static void ack(struct peer *p, uint32_t i)
{
	peer_send(p, TCP_ACK, 1, seg(i), 0);
}

/* Duplicate ACK for segment i that SACKs [l, r) in segments. */
static void sack(struct peer *p, uint32_t i, uint32_t l, uint32_t r)
{
	peer_sack(p, seg(l), seg(r));
	ack(p, i);
}

static void expect_seg(struct peer *p, uint32_t i)
{
	peer_take(p);
	assert_int_equal((p->o.h.seq.v - p->c->iss.v - 1) / MSS, i);
	assert_int_equal((p->o.h.seq.v - p->c->iss.v - 1) % MSS, 0);
	assert_int_equal(p->o.len, MSS);
}

/* ---- without SACK: RFC 5681, 6582, 3042 ----------------------------- */

static void limited_transmit_then_fast_retransmit(void **state)
{
	struct peer p;

	(void)state;
	start(&p, false, 10);
	ack(&p, 0); /* first duplicate [RFC3042 2] */
	expect_seg(&p, 10);
	peer_dry(&p);
	ack(&p, 0);
	expect_seg(&p, 11);
	peer_dry(&p);
	ack(&p, 0); /* third [RFC5681 3.2] */
	expect_seg(&p, 0);
	peer_dry(&p);
	assert_int_equal(p.c->cc.ssthresh, 6 * MSS); /* 12 in flight */
	assert_int_equal(p.env.stats.fast_recoveries, 1);
	peer_fini(&p);
}

/* [RFC6582 3.2] partial ACKs retransmit one hole each, one recovery */
static void newreno_mends_several_holes(void **state)
{
	struct peer p;

	(void)state;
	start(&p, false, 10);
	for (int i = 0; i < 3; i++) {
		ack(&p, 0);
		peer_drain(&p);
	}
	assert_int_equal(p.c->recovery, TCP_R_FAST);
	ack(&p, 4); /* partial: segment 4 is lost too */
	expect_seg(&p, 4);
	peer_drain(&p);
	ack(&p, 7);
	expect_seg(&p, 7);
	peer_drain(&p);
	assert_int_equal(p.env.stats.fast_recoveries, 1);
	assert_int_equal(p.c->cc.ssthresh, 6 * MSS);
	ack(&p, 12); /* everything that was out when it began */
	assert_int_equal(p.c->recovery, TCP_R_OPEN);
	assert_true(p.c->cc.cwnd <= 6 * MSS);
	peer_fini(&p);
}

/* [RFC6582 3.2 step 2] */
static void old_duplicates_begin_no_second_recovery(void **state)
{
	struct peer p;

	(void)state;
	start(&p, false, 10);
	peer_wait_deadline(&p); /* time-out: everything is sent again */
	expect_seg(&p, 0);
	ack(&p, 10); /* all had arrived: recover is covered, not passed */
	peer_drain(&p);
	for (int i = 0; i < 5; i++)
		ack(&p, 10);
	assert_int_equal(p.env.stats.fast_recoveries, 0);
	ack(&p, 11);
	peer_drain(&p);
	for (int i = 0; i < 3; i++)
		ack(&p, 11);
	assert_int_equal(p.env.stats.fast_recoveries, 1);
	peer_fini(&p);
}

/* [RFC5681 2] what is not a duplicate ACK */
static void data_and_window_updates_are_no_duplicates(void **state)
{
	struct peer p;

	(void)state;
	start(&p, false, 10);
	ack(&p, 0); /* fixes the window */
	for (uint32_t i = 0; i < 5; i++)
		peer_send(&p, TCP_ACK, 1 + i * 10, seg(0), 10);
	for (uint16_t i = 1; i < 6; i++) {
		p.wnd = (uint16_t)(0x2000 + i);
		peer_send(&p, TCP_ACK, 51, seg(0), 0);
	}
	assert_int_equal(p.env.stats.fast_recoveries, 0);
	peer_read(&p, 1, 50);
	peer_fini(&p);
}

/* ---- with SACK: RFC 6675 -------------------------------------------- */

static void sack_recovery_repeats_only_holes(void **state)
{
	struct peer p;

	(void)state;
	start(&p, true, 20);
	p.now = mono_add(p.now, DUR_MS(10));
	/* 0 and 5 are lost */
	sack(&p, 0, 1, 2);
	sack(&p, 0, 1, 3);
	assert_int_equal(p.c->recovery, TCP_R_OPEN);
	sack(&p, 0, 1, 4);
	expect_seg(&p, 0);
	assert_int_equal(p.c->recovery, TCP_R_FAST);
	assert_int_equal(p.env.stats.sack_recoveries, 1);
	/* pipe: 20 - 3 SACKED - 1 lost + 1 again = 17; cwnd is on its way
	 * down to 10 [RFC6937 3.1] */
	assert_int_equal(tcp_recov_in_flight(p.c), 17 * MSS);
	assert_in_range(p.c->cc.cwnd, 17 * MSS, 18 * MSS);
	assert_int_equal(p.c->cc.ssthresh, 10 * MSS);
	peer_dry(&p);
	for (uint32_t r = 7; r <= 20; r++) {
		peer_sack(&p, seg(6), seg(r));
		peer_sack(&p, seg(1), seg(5));
		ack(&p, 0);
		while (mono_leq(tcp_conn_deadline(p.c), p.now)) {
			peer_take(&p);
			/* the other hole once, then only new data */
			assert_true(p.o.h.seq.v - p.c->iss.v == seg(5) ||
				    p.o.h.seq.v - p.c->iss.v >= seg(20));
		}
	}
	assert_int_equal(p.c->total_retrans, 2);
	ack(&p, 20);
	assert_int_equal(p.c->recovery, TCP_R_OPEN);
	assert_int_equal(p.c->cc.cwnd, 10 * MSS);
	peer_fini(&p);
}

/* [RFC6675 5 step 2] one ACK that shows much is as good as three */
static void one_ack_with_much_news_is_enough(void **state)
{
	struct peer p;

	(void)state;
	start(&p, true, 20);
	sack(&p, 0, 3, 8);
	expect_seg(&p, 0);
	assert_int_equal(p.c->rtx.lost, 3 * MSS);
	peer_fini(&p);
}

/* [RFC2883] [RFC6675 2] a D-SACK is no sign of loss */
static void dsack_is_counted_and_harmless(void **state)
{
	struct peer p;

	(void)state;
	start(&p, true, 10);
	ack(&p, 4);
	peer_drain(&p);
	for (int i = 0; i < 4; i++) {
		peer_sack(&p, seg(1), seg(2)); /* below the ACK */
		ack(&p, 4);
	}
	assert_int_equal(p.env.stats.dsack_in, 4);
	assert_int_equal(p.env.stats.fast_recoveries, 0);
	/* D-SACK inside the next block */
	peer_sack(&p, seg(6), seg(7));
	peer_sack(&p, seg(6), seg(8));
	ack(&p, 4);
	assert_int_equal(p.env.stats.dsack_in, 5);
	assert_int_equal(p.c->rtx.sacked, 2 * MSS);
	peer_fini(&p);
}

static void nonsense_blocks_are_passed_over(void **state)
{
	struct peer p;

	(void)state;
	start(&p, true, 10);
	sack(&p, 0, 8, 300); /* beyond what was sent */
	sack(&p, 0, 9, 5);   /* backwards */
	peer_sack(&p, seg(0) - 5000, seg(0) - 1);
	ack(&p, 0);
	assert_int_equal(p.c->rtx.sacked, 0);
	assert_int_equal(p.env.stats.fast_recoveries, 0);
	peer_fini(&p);
}

/* ---- time-out: RFC 6298 5, RFC 5681 3.1 ----------------------------- */

static void timeout_goes_back_to_one_segment(void **state)
{
	struct peer p;

	(void)state;
	start(&p, false, 10);
	assert_int_equal(peer_wait_deadline(&p), 200);
	expect_seg(&p, 0);
	peer_dry(&p);
	assert_int_equal(p.c->cc.cwnd, MSS);
	assert_int_equal(p.c->cc.ssthresh, 5 * MSS);
	assert_int_equal(peer_wait_deadline(&p), 400); /* [RFC6298 5.5] */
	expect_seg(&p, 0);
	peer_dry(&p);
	assert_int_equal(p.c->cc.ssthresh, 5 * MSS); /* the same loss */
	/* slow start over what is lost */
	ack(&p, 1);
	expect_seg(&p, 1);
	expect_seg(&p, 2);
	peer_dry(&p);
	ack(&p, 3);
	peer_drain(&p);
	assert_int_equal(p.c->cc.cwnd, 4 * MSS);
	assert_int_equal(p.c->recovery, TCP_R_LOSS);
	ack(&p, 10);
	assert_int_equal(p.c->recovery, TCP_R_OPEN);
	assert_int_equal(p.c->retries, 0);
	peer_fini(&p);
}

static void sacked_data_is_not_repeated_after_a_timeout(void **state)
{
	struct peer p;

	(void)state;
	start(&p, true, 4);
	sack(&p, 0, 1, 2);
	peer_drain(&p);
	peer_wait_deadline(&p); /* the reordering window */
	expect_seg(&p, 0);
	peer_drain(&p);
	peer_wait_deadline(&p); /* and the time-out */
	assert_int_equal(p.c->recovery, TCP_R_LOSS);
	expect_seg(&p, 0);
	peer_dry(&p);
	assert_int_equal(p.c->rtx.sacked, MSS);
	/* the head alone arrives: the rest follows, but for what is SACKED */
	p.c->frto = TCP_FRTO_OFF;
	ack(&p, 2);
	expect_seg(&p, 2);
	expect_seg(&p, 3);
	peer_fini(&p);
}

/* [RFC9293 3.8.3 MUST-20] retries2 */
static void silence_ends_the_connection(void **state)
{
	struct peer p;
	int n = 0;

	(void)state;
	start(&p, true, 2);
	p.now = mono_add(p.now, DUR_MS(1));
	while (tcp_conn_state(p.c) != TCP_S_CLOSED) {
		peer_wait_deadline(&p);
		n += peer_drain(&p);
	}
	assert_int_equal(n, 16); /* a loss probe came first */
	assert_int_equal(tcp_conn_error(p.c), ETIMEDOUT);
	assert_int_equal(tcp_conn_memory(p.c), 0);
	peer_fini(&p);
}

static void window_that_shrank_to_zero_is_asked_after(void **state)
{
	struct peer p;

	(void)state;
	start(&p, true, 4);
	p.wnd = 0;
	ack(&p, 1);
	for (int i = 0; i < 30; i++) { /* never dies while answered */
		peer_wait_deadline(&p);
		expect_seg(&p, 1);
		peer_dry(&p);
		peer_send(&p, TCP_ACK, 1, seg(1), 0);
		peer_dry(&p);
	}
	assert_int_equal(tcp_conn_state(p.c), TCP_S_ESTABLISHED);
	peer_fini(&p);
}

static void lost_fin_is_repeated(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p);
	peer_connect(&p);
	peer_write(&p, 100);
	tcp_conn_close(p.c, p.now);
	peer_expect(&p, TCP_ACK | TCP_PSH | TCP_FIN, 1, 1, 100);
	peer_send(&p, TCP_ACK, 1, 101, 0);
	peer_dry(&p);
	peer_wait_deadline(&p);
	peer_expect(&p, TCP_ACK | TCP_FIN, 101, 1, 0);
	peer_fini(&p);
}

/* ---- samples -------------------------------------------------------- */

/* [RFC7323 4] a retransmission can be timed by its timestamp */
static void timestamps_time_retransmissions(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p);
	p.ts = true;
	peer_connect(&p);
	peer_write(&p, 100);
	peer_drain(&p);
	peer_wait_deadline(&p);
	peer_drain(&p); /* p.o is the retransmission: its TSval is echoed */
	p.now = mono_add(p.now, DUR_MS(90));
	peer_send(&p, TCP_ACK, 1, 101, 0);
	/* 10 ms, then 90: 7/8 * 10 + 1/8 * 90 */
	assert_int_equal(p.c->rtt.srtt_ns / 1000000, 20);
	peer_fini(&p);
}

/* The ACK of the first transmission was lost, a duplicate is answered: the
 * echo is old, and its age is our time-out. */
static void echo_of_the_first_transmission_is_no_sample(void **state)
{
	struct tcp_out first;
	struct peer p;

	(void)state;
	peer_init(&p);
	p.ts = true;
	peer_connect(&p);
	peer_write(&p, 100);
	peer_take(&p);
	first = p.o;
	peer_wait_deadline(&p);
	peer_take(&p);
	p.o = first; /* what the peer echoes */
	p.now = mono_add(p.now, DUR_MS(10));
	peer_send(&p, TCP_ACK, 1, 101, 0);
	assert_int_equal(p.c->rtt.srtt_ns, DUR_MS(10).ns);
	/* [RFC6298 5] the back-off stays until a sample comes */
	assert_int_equal(p.c->rtt.backoff, 1);
	peer_write(&p, 100);
	peer_take(&p);
	p.now = mono_add(p.now, DUR_MS(10));
	peer_send(&p, TCP_ACK, 1, 201, 0);
	assert_int_equal(p.c->rtt.backoff, 0);
	peer_fini(&p);
}

/* ---- ECN, PMTU ------------------------------------------------------ */

/* [RFC3168 6.1.2] */
static void ece_reduces_once_per_window(void **state)
{
	struct peer p;

	(void)state;
	start(&p, true, 10);
	p.c->ecn_ok = true;
	peer_send(&p, TCP_ACK | TCP_ECE, 1, seg(1), 0);
	assert_int_equal(p.c->cc.cwnd, 4500); /* half of 9 in flight */
	peer_send(&p, TCP_ACK | TCP_ECE, 1, seg(2), 0);
	peer_send(&p, TCP_ACK | TCP_ECE, 1, seg(6), 0);
	assert_in_range(p.c->cc.cwnd, 4500, 5500);
	peer_take(&p);
	assert_true(p.o.h.flags & TCP_CWR);
	assert_int_equal(p.o.ecn, 2);
	ack(&p, 10);
	assert_true(peer_drain(&p) > 0);
	assert_false(p.o.h.flags & TCP_CWR);
	peer_fini(&p);
}

/* [RFC3168 6.1.2] after any reduction CWR goes out once, and an echo for the
 * same window is not answered again */
static void every_reduction_is_announced(void **state)
{
	struct peer p;
	uint32_t ssthresh;

	(void)state;
	start(&p, true, 20);
	p.c->ecn_ok = true;
	p.now = mono_add(p.now, DUR_MS(10));
	sack(&p, 0, 1, 4);
	ssthresh = p.c->cc.ssthresh;
	expect_seg(&p, 0);
	assert_false(p.o.h.flags & TCP_CWR); /* not on what is repeated */
	assert_int_equal(p.o.ecn, 0);
	peer_sack(&p, seg(1), seg(20));
	peer_send(&p, TCP_ACK | TCP_ECE, 1, seg(0), 0);
	expect_seg(&p, 20);
	assert_true(p.o.h.flags & TCP_CWR);
	peer_drain(&p);
	assert_false(p.o.h.flags & TCP_CWR);
	peer_send(&p, TCP_ACK | TCP_ECE, 1, seg(20), 0);
	assert_int_equal(p.c->recovery, TCP_R_OPEN);
	assert_int_equal(p.c->cc.ssthresh, ssthresh);
	peer_fini(&p);
}

/* [RFC1191 6.4] resegmented at once, cwnd untouched */
static void smaller_path_resends_in_smaller_pieces(void **state)
{
	struct tcp_path path = {.mss = 600, .mss_advertise = 1460};
	struct peer p;

	(void)state;
	start(&p, true, 4);
	tcp_conn_set_path(p.c, &path, p.now);
	assert_int_equal(p.c->cc.cwnd, 4 * MSS);
	for (uint32_t i = 0; i < 6; i++) {
		peer_take(&p);
		assert_int_equal(p.o.h.seq.v - p.c->iss.v, 1 + i * 600);
		assert_int_equal(p.o.len, 600);
	}
	peer_fini(&p);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(limited_transmit_then_fast_retransmit),
	cmocka_unit_test(newreno_mends_several_holes),
	cmocka_unit_test(old_duplicates_begin_no_second_recovery),
	cmocka_unit_test(data_and_window_updates_are_no_duplicates),
	cmocka_unit_test(sack_recovery_repeats_only_holes),
	cmocka_unit_test(one_ack_with_much_news_is_enough),
	cmocka_unit_test(dsack_is_counted_and_harmless),
	cmocka_unit_test(nonsense_blocks_are_passed_over),
	cmocka_unit_test(timeout_goes_back_to_one_segment),
	cmocka_unit_test(sacked_data_is_not_repeated_after_a_timeout),
	cmocka_unit_test(silence_ends_the_connection),
	cmocka_unit_test(window_that_shrank_to_zero_is_asked_after),
	cmocka_unit_test(lost_fin_is_repeated),
	cmocka_unit_test(timestamps_time_retransmissions),
	cmocka_unit_test(echo_of_the_first_transmission_is_no_sample),
	cmocka_unit_test(ece_reduces_once_per_window),
	cmocka_unit_test(every_reduction_is_announced),
	cmocka_unit_test(smaller_path_resends_in_smaller_pieces),
};

UNIT_MAIN(tests)
