/* RACK-TLP, PRR, undo, window validation, pacing: what they do to a
 * connection. The scoreboard's part is in test_rtx.c. */
#include "peer.h"

#define MSS 1000u
#define RTT_MS 100

static uint32_t seg(uint32_t i)
{
	return 1 + i * MSS;
}

/* Established over 100 ms, cwnd of `segs`, all sent; one round trip later. */
static void start(struct peer *p, bool ts, uint32_t segs, uint32_t writes)
{
	peer_init(p);
	p->sack = true;
	p->ts = ts;
	p->wscale = 7;
	p->mss = ts ? MSS + 12 : MSS;
	p->env.tune.cc = TCP_CC_NEWRENO;
	tcp_cc_set_kind(&p->c->cc, TCP_CC_NEWRENO);
	peer_connect(p);
	p->c->rtt = (struct tcp_rtt){.srtt_ns = DUR_MS(RTT_MS).ns,
				     .rttvar_ns = DUR_MS(10).ns,
				     .rto_ns = DUR_MS(200).ns,
				     .min_us = RTT_MS * 1000};
	p->c->cc.cwnd = segs * MSS;
	tcp_hystart_end(&p->c->cc);
	p->c->snd.limit = 1 << 20;
	p->c->snd_wnd = p->c->max_snd_wnd = 1 << 20;
	p->wnd = 1 << 13;
	peer_write(p, writes * MSS);
	peer_drain(p);
}

static void ack(struct peer *p, uint32_t i)
{
	peer_send(p, TCP_ACK, 1, seg(i), 0);
}

static void sack(struct peer *p, uint32_t i, uint32_t l, uint32_t r)
{
	peer_sack(p, seg(l), seg(r));
	ack(p, i);
}

/* The report of a duplicate, segments l to r, beside ACK i. */
static void dsack(struct peer *p, uint32_t i, uint32_t l, uint32_t r)
{
	sack(p, i, l, r);
}

static uint32_t taken(struct peer *p)
{
	peer_take(p);
	return (p->o.h.seq.v - p->c->iss.v - 1) / MSS;
}

/* ---- RACK ----------------------------------------------------------- */

/* [RFC8985 8] [RFC8985 6.2 step 4] [RFC8985 6.2 step 5] two SACKed segments
 * only: the window of a quarter of the shortest round trip has to pass */
static void few_sacks_wait_for_the_reordering_window(void **state)
{
	struct peer p;

	(void)state;
	start(&p, false, 10, 10);
	p.now = mono_add(p.now, DUR_MS(RTT_MS));
	sack(&p, 0, 1, 2);
	peer_dry(&p);
	assert_int_equal(p.c->recovery, TCP_R_OPEN);
	assert_int_equal(p.c->rexmt_for, TCP_FOR_REO);
	assert_int_equal(peer_wait_deadline(&p), RTT_MS / 4);
	assert_int_equal(p.c->recovery, TCP_R_FAST);
	assert_int_equal(taken(&p), 0);
	peer_fini(&p);
}

/* [RFC8985 6.2 step 4] as good as three duplicate ACKs, without waiting */
static void three_sacks_do_not_wait(void **state)
{
	struct peer p;

	(void)state;
	start(&p, false, 10, 10);
	p.now = mono_add(p.now, DUR_MS(RTT_MS));
	sack(&p, 0, 1, 4);
	assert_int_equal(p.c->recovery, TCP_R_FAST);
	assert_int_equal(taken(&p), 0);
	peer_fini(&p);
}

/* [RFC8985 5.2] [RFC8985 6.2 step 3] after reordering three are not enough */
static void reordering_makes_it_patient(void **state)
{
	struct peer p;

	(void)state;
	start(&p, false, 20, 20);
	p.now = mono_add(p.now, DUR_MS(RTT_MS));
	sack(&p, 0, 1, 2);
	ack(&p, 2); /* 0 came after 1 */
	assert_true(p.c->reordering);
	sack(&p, 2, 3, 8);
	assert_int_equal(p.c->recovery, TCP_R_OPEN);
	assert_int_equal(peer_wait_deadline(&p), RTT_MS / 4);
	assert_int_equal(p.c->recovery, TCP_R_FAST);
	assert_int_equal(taken(&p), 2);
	peer_fini(&p);
}

/* [RFC8985 5.3] [RFC8985 6.2 step 4] a quarter more per round with a D-SACK,
 * forgotten after 16 recoveries */
static void dsacks_widen_the_window(void **state)
{
	struct peer p;

	(void)state;
	start(&p, false, 40, 40);
	p.c->reordering = true;
	p.now = mono_add(p.now, DUR_MS(RTT_MS));
	dsack(&p, 2, 0, 1);
	dsack(&p, 2, 0, 1); /* the same round */
	assert_int_equal(p.c->reo_mult, 1);
	sack(&p, 2, 3, 4);
	assert_int_equal(peer_wait_deadline(&p), RTT_MS / 2);
	assert_int_equal(p.c->recovery, TCP_R_FAST);
	for (int i = 0; i < 16; i++) {
		assert_int_equal(p.c->reo_mult, 1);
		tcp_rack_recovered(p.c);
	}
	assert_int_equal(p.c->reo_mult, 0);
	peer_fini(&p);
}

/* [RFC8985 6.2 step 4] never more than the smoothed round trip */
static void window_is_no_longer_than_a_round_trip(void **state)
{
	struct peer p;

	(void)state;
	start(&p, false, 10, 10);
	p.c->reordering = true;
	p.c->reo_mult = 200;
	p.now = mono_add(p.now, DUR_MS(RTT_MS));
	sack(&p, 0, 1, 2);
	assert_in_range(peer_wait_deadline(&p), RTT_MS - 1, RTT_MS + 1);
	assert_int_equal(p.c->recovery, TCP_R_FAST);
	peer_fini(&p);
}

/* [RFC8985 6.2 step 5] the retransmission is lost too: no time-out */
static void lost_retransmission_is_repeated(void **state)
{
	struct peer p;

	(void)state;
	start(&p, false, 10, 400);
	p.now = mono_add(p.now, DUR_MS(RTT_MS));
	sack(&p, 0, 1, 4);
	assert_int_equal(taken(&p), 0);
	peer_drain(&p);
	sack(&p, 0, 1, 8); /* new data leaves behind the retransmission */
	peer_drain(&p);
	p.now = mono_add(p.now, DUR_MS(RTT_MS));
	sack(&p, 0, 1, 11); /* and arrives */
	assert_int_equal(taken(&p), 0);
	assert_int_equal(p.env.stats.rto_timeouts, 0);
	peer_fini(&p);
}

/* [RFC8985 6.2 step 2] an ACK of a repetition that comes too soon is for the
 * first transmission */
static void ack_that_is_too_early_says_nothing(void **state)
{
	mono_t before;
	struct peer p;

	(void)state;
	start(&p, false, 10, 10);
	p.now = mono_add(p.now, DUR_MS(RTT_MS));
	sack(&p, 0, 1, 4);
	assert_int_equal(taken(&p), 0);
	before = p.c->rack.xmit_at;
	p.now = mono_add(p.now, DUR_MS(RTT_MS / 2));
	ack(&p, 4);
	assert_int_equal(p.c->rack.xmit_at.ns, before.ns);
	peer_fini(&p);
}

/* [RFC8985 6.3] a time-out marks what is older than a round trip */
static void timeout_spares_young_data(void **state)
{
	struct peer p;

	(void)state;
	start(&p, false, 10, 4);
	p.now = mono_add(p.now, DUR_MS(RTT_MS));
	ack(&p, 1);
	peer_wait_deadline(&p); /* the probe */
	peer_drain(&p);
	peer_wait(&p, DUR_MS(150));
	peer_write(&p, 2 * MSS);
	peer_drain(&p);
	peer_wait_deadline(&p);
	assert_int_equal(p.c->recovery, TCP_R_LOSS);
	assert_true(p.c->rtx.lost < tcp_conn_outstanding(p.c));
	peer_fini(&p);
}

/* [RFC8985 6.2 step 1] a path that became longer is believed in time */
static void smallest_round_trip_is_a_recent_one(void **state)
{
	mono_t t = {DUR_S(70000).ns};
	struct tcp_rtt r;

	(void)state;
	tcp_rtt_init(&r, DUR_S(1));
	tcp_rtt_smallest(&r, DUR_MS(20), t);
	tcp_rtt_smallest(&r, DUR_MS(90), mono_add(t, DUR_S(299)));
	assert_int_equal(r.min_us, 20000);
	tcp_rtt_smallest(&r, DUR_MS(90), mono_add(t, DUR_S(301)));
	assert_int_equal(r.min_us, 90000);
	tcp_rtt_smallest(&r, DUR_MS(80), mono_add(t, DUR_S(302)));
	assert_int_equal(r.min_us, 80000);
}

/* ---- TLP ------------------------------------------------------------ */

/* [RFC8985 7.1] [RFC8985 7.2] [RFC8985 7.3] two round trips, then the last
 * segment */
static void silence_brings_a_probe(void **state)
{
	struct peer p;

	(void)state;
	start(&p, false, 10, 5);
	p.c->rtt.rto_ns = DUR_MS(900).ns;
	tcp_timer_arm_rexmt(p.c, p.now);
	assert_int_equal(peer_wait_deadline(&p), 2 * RTT_MS + 2);
	assert_int_equal(taken(&p), 4);
	assert_int_equal(p.o.len, MSS);
	peer_dry(&p);
	assert_int_equal(p.env.stats.loss_probes, 1);
	assert_int_equal(p.c->cc.cwnd, 10 * MSS);
	/* [RFC8985 7.3] then the time-out, no second probe */
	assert_int_equal(p.c->rexmt_for, TCP_FOR_RTO);
	assert_int_equal(peer_wait_deadline(&p), 900);
	assert_int_equal(p.c->recovery, TCP_R_LOSS);
	peer_fini(&p);
}

/* [RFC8985 7.2] a lone segment may meet a delayed ACK */
static void lone_segment_gets_more_time(void **state)
{
	struct peer p;

	(void)state;
	start(&p, false, 10, 1);
	p.c->rtt.rto_ns = DUR_MS(900).ns;
	tcp_timer_arm_rexmt(p.c, p.now);
	assert_int_equal(peer_wait_deadline(&p), 2 * RTT_MS + 200);
	peer_drain(&p);
	peer_fini(&p);
}

/* [RFC8985 7.3] new data is the better probe, whatever cwnd says */
static void probe_prefers_new_data(void **state)
{
	struct peer p;

	(void)state;
	start(&p, false, 5, 8);
	p.c->rtt.rto_ns = DUR_MS(900).ns;
	tcp_timer_arm_rexmt(p.c, p.now);
	peer_wait_deadline(&p);
	assert_int_equal(taken(&p), 5);
	assert_int_equal(p.o.len, MSS);
	peer_dry(&p);
	assert_int_equal(p.c->total_retrans, 0);
	peer_fini(&p);
}

/* [RFC8985 7.4.1] [RFC8985 9.3] The tail was lost: the probe's SACK shows it,
 * without a time-out. */
static void probe_mends_a_tail(void **state)
{
	struct peer p;

	(void)state;
	start(&p, false, 10, 10);
	p.c->rtt.rto_ns = DUR_MS(900).ns;
	p.now = mono_add(p.now, DUR_MS(RTT_MS));
	ack(&p, 7); /* 7, 8, 9 are lost */
	peer_drain(&p);
	peer_wait_deadline(&p);
	assert_int_equal(taken(&p), 9);
	peer_dry(&p);
	p.now = mono_add(p.now, DUR_MS(RTT_MS));
	sack(&p, 7, 9, 10);
	assert_int_equal(p.c->recovery, TCP_R_FAST);
	assert_int_equal(p.c->cc.ssthresh, MAX(3u / 2, 2u) * MSS);
	assert_int_equal(taken(&p), 7);
	assert_int_equal(p.env.stats.rto_timeouts, 0);
	peer_fini(&p);
}

/* [RFC8985 7.4.1] [RFC8985 7.4.2] the probe itself was the one that was
 * missing: the window falls as for any loss; a D-SACK says that nothing was
 * missing */
static void mended_loss_is_a_loss(void **state)
{
	for (int duplicate = 0; duplicate < 2; duplicate++) {
		struct peer p;

		(void)state;
		start(&p, false, 10, 5);
		p.c->rtt.rto_ns = DUR_MS(900).ns;
		tcp_timer_arm_rexmt(p.c, p.now);
		peer_wait_deadline(&p);
		assert_int_equal(taken(&p), 4);
		p.now = mono_add(p.now, DUR_MS(RTT_MS));
		if (duplicate)
			dsack(&p, 5, 4, 5);
		else
			ack(&p, 5);
		peer_write(&p, MSS);
		peer_drain(&p);
		p.now = mono_add(p.now, DUR_MS(RTT_MS));
		ack(&p, 6);
		assert_int_equal(p.c->cc.ssthresh == UINT32_MAX, duplicate);
		assert_false(p.c->probed);
		peer_fini(&p);
	}
}

/* [RFC8985 4] without SACK there is neither */
static void without_sack_there_is_no_probe(void **state)
{
	struct peer p;
	dur_t pto;

	(void)state;
	start(&p, false, 10, 10);
	assert_true(tcp_tlp_timeout(p.c, &pto));
	p.c->sack_ok = false;
	assert_false(tcp_tlp_timeout(p.c, &pto));
	p.now = mono_add(p.now, DUR_MS(RTT_MS));
	for (int i = 0; i < 2; i++)
		ack(&p, 0);
	peer_drain(&p);
	assert_int_equal(p.c->recovery, TCP_R_OPEN);
	assert_int_equal(p.c->rexmt_for, TCP_FOR_PROBE); /* from before */
	ack(&p, 0);
	assert_int_equal(p.c->recovery, TCP_R_FAST); /* [RFC5681 3.2] */
	peer_fini(&p);
}

/* ---- PRR ------------------------------------------------------------ */

/* [RFC6937 3.1] one segment goes for two that arrive, down to half */
static void sending_keeps_proportion(void **state)
{
	uint32_t sent = 0;
	struct peer p;

	(void)state;
	start(&p, false, 20, 400);
	p.now = mono_add(p.now, DUR_MS(RTT_MS));
	sack(&p, 0, 1, 4);
	assert_int_equal(p.c->cc.ssthresh, 10 * MSS);
	sent += (uint32_t)peer_drain(&p);
	for (uint32_t r = 5; r <= 20; r++) {
		sack(&p, 0, 1, r);
		sent += (uint32_t)peer_drain(&p);
	}
	/* 19 arrived: half of it, and the first repetition */
	assert_in_range(sent, 9, 11);
	assert_in_range(tcp_recov_in_flight(p.c), 9 * MSS, 11 * MSS);
	p.now = mono_add(p.now, DUR_MS(RTT_MS));
	ack(&p, 20);
	assert_int_equal(p.c->recovery, TCP_R_OPEN);
	assert_in_range(p.c->cc.cwnd, 10 * MSS, 11 * MSS);
	peer_fini(&p);
}

/* ---- second thoughts ------------------------------------------------ */

/* [RFC3522 3.2] [RFC4015 3.2] the echo is older than the retransmission */
static void timestamps_unmask_a_false_recovery(void **state)
{
	struct tcp_out first;
	struct peer p;

	(void)state;
	start(&p, true, 10, 10);
	first = p.o;
	p.now = mono_add(p.now, DUR_MS(RTT_MS));
	sack(&p, 0, 1, 4);
	assert_int_equal(p.c->recovery, TCP_R_FAST);
	assert_int_equal(taken(&p), 0);
	peer_drain(&p);
	p.o = first; /* segment 0 was only late */
	p.now = mono_add(p.now, DUR_MS(5));
	ack(&p, 4);
	assert_int_equal(p.c->recovery, TCP_R_OPEN);
	assert_true(p.c->cc.cwnd >= 10 * MSS);
	assert_int_equal(p.c->cc.ssthresh, UINT32_MAX);
	assert_int_equal(p.env.stats.spurious_recoveries, 1);
	assert_null(p.c->repair);
	peer_fini(&p);
}

/* [RFC3708 3] everything that was repeated had arrived */
static void dsacks_unmask_a_false_recovery(void **state)
{
	struct peer p;

	(void)state;
	start(&p, false, 10, 400);
	p.now = mono_add(p.now, DUR_MS(RTT_MS));
	sack(&p, 0, 1, 4);
	assert_int_equal(taken(&p), 0);
	peer_drain(&p);
	ack(&p, 10);
	assert_int_equal(p.c->recovery, TCP_R_OPEN);
	assert_int_equal(p.c->cc.ssthresh, 5 * MSS);
	peer_drain(&p);
	dsack(&p, 10, 0, 1);
	assert_int_equal(p.c->cc.ssthresh, UINT32_MAX);
	assert_true(p.c->cc.cwnd >= 10 * MSS);
	assert_int_equal(p.env.stats.spurious_recoveries, 1);
	peer_fini(&p);
}

/* A D-SACK for half of what was repeated proves nothing, and one that comes
 * rounds later neither. */
static void half_a_proof_is_none(void **state)
{
	struct peer p;

	(void)state;
	start(&p, false, 10, 400);
	p.now = mono_add(p.now, DUR_MS(RTT_MS));
	sack(&p, 0, 2, 6); /* 0 and 1 */
	peer_drain(&p);
	sack(&p, 0, 2, 9);
	peer_drain(&p);
	assert_int_equal(p.c->repair->unproven, 2 * MSS);
	ack(&p, 10);
	dsack(&p, 10, 0, 1);
	assert_int_equal(p.c->cc.ssthresh, 5 * MSS);
	peer_drain(&p);
	p.now = mono_add(p.now, DUR_MS(RTT_MS));
	peer_send(&p, TCP_ACK, 1, peer_nxt(&p), 0);
	peer_drain(&p);
	p.now = mono_add(p.now, DUR_MS(RTT_MS));
	dsack(&p, 12, 1, 2);
	assert_int_equal(p.env.stats.spurious_recoveries, 0);
	peer_fini(&p);
}

/* [RFC5682 3.1] the time-out was false: ACKs of what was not repeated come */
static void frto_unmasks_a_false_timeout(void **state)
{
	struct peer p;

	(void)state;
	start(&p, false, 10, 400);
	p.c->rtt.srtt_ns = DUR_MS(1000).ns; /* no probe before it */
	tcp_timer_arm_rexmt(p.c, p.now);
	p.c->rexmt_for = TCP_FOR_RTO;
	peer_wait_deadline(&p);
	assert_int_equal(p.c->recovery, TCP_R_LOSS);
	assert_int_equal(taken(&p), 0);
	peer_dry(&p);
	ack(&p, 1); /* of the first transmission, or the second? */
	assert_int_equal(taken(&p), 10); /* new data is the test */
	assert_int_equal(taken(&p), 11);
	peer_dry(&p);
	ack(&p, 2); /* was sent once */
	assert_int_equal(p.c->recovery, TCP_R_OPEN);
	assert_int_equal(p.env.stats.spurious_rto, 1);
	assert_true(p.c->cc.cwnd >= 10 * MSS);
	assert_int_equal(p.c->rtx.lost, 0);
	peer_fini(&p);
}

/* [RFC5682 3.1 step 3a] a duplicate ACK: it was true */
static void frto_believes_a_true_timeout(void **state)
{
	struct peer p;

	(void)state;
	start(&p, false, 10, 400);
	tcp_timer_arm_rexmt(p.c, p.now);
	p.c->rexmt_for = TCP_FOR_RTO;
	peer_wait_deadline(&p);
	assert_int_equal(taken(&p), 0);
	ack(&p, 1);
	assert_int_equal(taken(&p), 10);
	assert_int_equal(taken(&p), 11);
	p.now = mono_add(p.now, DUR_MS(RTT_MS));
	sack(&p, 1, 10, 11);
	assert_int_equal(p.c->recovery, TCP_R_LOSS);
	assert_int_equal(taken(&p), 1);
	assert_int_equal(p.env.stats.spurious_rto, 0);
	peer_fini(&p);
}

/* [RFC2018 8] the head is SACKED and stays: the receiver threw it away */
static void reneging_is_survived(void **state)
{
	struct peer p;

	(void)state;
	start(&p, false, 10, 10);
	p.now = mono_add(p.now, DUR_MS(RTT_MS));
	sack(&p, 0, 1, 10);
	assert_int_equal(taken(&p), 0);
	peer_drain(&p);
	p.now = mono_add(p.now, DUR_MS(RTT_MS));
	ack(&p, 1); /* and nothing behind it */
	peer_drain(&p);
	peer_wait_deadline(&p);
	assert_int_equal(p.c->rtx.sacked, 0);
	assert_int_equal(taken(&p), 1);
	peer_fini(&p);
}

/* ---- validation, pacing --------------------------------------------- */

/* [RFC2861 3.2] a program that writes little comes down to what it uses */
static void unused_window_is_given_back(void **state)
{
	struct peer p;

	(void)state;
	start(&p, false, 100, 0);
	for (uint32_t i = 0; i < 40; i++) {
		peer_write(&p, 2 * MSS);
		peer_drain(&p);
		p.now = mono_add(p.now, DUR_MS(RTT_MS));
		ack(&p, 2 * (i + 1));
	}
	assert_in_range(p.c->cc.cwnd, 10 * MSS, 20 * MSS);
	peer_fini(&p);
}

/* What is sent in one instant is a part of the window; the rest follows over
 * the round trip, and the deadline says when. */
static void pacing_spreads_a_window(void **state)
{
	int burst, waits = 0;
	struct peer p;

	(void)state;
	start(&p, false, 20, 0);
	p.env.tune.pacing = true;
	p.c->cc.cwnd = 100 * MSS;
	p.c->cc.ssthresh = 50 * MSS;
	peer_write(&p, 100 * MSS);
	burst = peer_drain(&p);
	assert_in_range(burst, TCP_PACE_FREE_SEGS, TCP_PACE_FREE_SEGS + 2);
	while (tcp_conn_outstanding(p.c) < 100 * MSS && waits < 1000) {
		assert_true(peer_wait_deadline(&p) <= 5);
		peer_drain(&p);
		waits++;
	}
	assert_in_range(waits, 30, 100);
	peer_fini(&p);
}

/* Off, or on a short path, a window is sent at once. */
static void short_paths_are_not_paced(void **state)
{
	struct peer p;

	(void)state;
	start(&p, false, 100, 0);
	p.env.tune.pacing = true;
	p.c->rtt.min_us = 1500;
	peer_write(&p, 100 * MSS);
	assert_int_equal(peer_drain(&p), 100);
	peer_fini(&p);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(few_sacks_wait_for_the_reordering_window),
	cmocka_unit_test(three_sacks_do_not_wait),
	cmocka_unit_test(reordering_makes_it_patient),
	cmocka_unit_test(dsacks_widen_the_window),
	cmocka_unit_test(window_is_no_longer_than_a_round_trip),
	cmocka_unit_test(lost_retransmission_is_repeated),
	cmocka_unit_test(ack_that_is_too_early_says_nothing),
	cmocka_unit_test(timeout_spares_young_data),
	cmocka_unit_test(smallest_round_trip_is_a_recent_one),
	cmocka_unit_test(silence_brings_a_probe),
	cmocka_unit_test(lone_segment_gets_more_time),
	cmocka_unit_test(probe_prefers_new_data),
	cmocka_unit_test(probe_mends_a_tail),
	cmocka_unit_test(mended_loss_is_a_loss),
	cmocka_unit_test(without_sack_there_is_no_probe),
	cmocka_unit_test(sending_keeps_proportion),
	cmocka_unit_test(timestamps_unmask_a_false_recovery),
	cmocka_unit_test(dsacks_unmask_a_false_recovery),
	cmocka_unit_test(half_a_proof_is_none),
	cmocka_unit_test(frto_unmasks_a_false_timeout),
	cmocka_unit_test(frto_believes_a_true_timeout),
	cmocka_unit_test(reneging_is_survived),
	cmocka_unit_test(unused_window_is_given_back),
	cmocka_unit_test(pacing_spreads_a_window),
	cmocka_unit_test(short_paths_are_not_paced),
};

UNIT_MAIN(tests)
