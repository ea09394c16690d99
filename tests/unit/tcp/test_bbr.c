/* BBR: rates from marks, the walk through its states, its place in a
 * connection. What comes of it on a path is the laboratory's (tests/sim). */
#include "peer.h"
#include "tcp/bbr.h"

#define SEG 1000u
#define RTT_US 50000u
#define BW 2500000u /* bytes a second: a BDP of 125 segments */
#define BDP (BW / 1000000.0 * RTT_US)

/* ---- rates ------------------------------------------------------------ */

static mono_t ms(int64_t n)
{
	return mono_add((mono_t){1000000000}, DUR_MS(n));
}

/* One frame a millisecond from ms(0) on. */
static void send_frames(struct tcp_rate *r, uint32_t n)
{
	tcp_rate_init(r, ms(0));
	for (uint32_t i = 0; i < n; i++)
		tcp_rate_sent(r, TCP_SEQ((i + 1) * SEG), SEG, (i + 1) * SEG,
			      DUR_NS(0), ms(i));
}

static struct tcp_rate_sample acked(struct tcp_rate *r, uint32_t bytes,
				    uint32_t upto, mono_t now)
{
	struct tcp_rate_sample rs = {.acked = bytes};

	tcp_rate_ack(r, &rs, TCP_SEQ(upto), 1000, now);
	return rs;
}

static void a_rate_is_what_arrived_by_the_time_it_took(void **state)
{
	struct tcp_rate r;
	struct tcp_rate_sample rs;

	(void)state;
	send_frames(&r, 20);
	for (uint32_t i = 0; i < 20; i++)
		rs = acked(&r, SEG, (i + 1) * SEG, ms(10 + i));
	assert_true(rs.marked && !rs.app_limited);
	/* from frame 0's ACK on the delivery clock counts: 19 frames in 19 ms
	 * of sending */
	assert_in_range(rs.bytes_per_s, 600000, 1060000);
	assert_int_equal(r.n, 0);
}

/* ACKs that were held and come at once are no bandwidth: sending took 19 ms */
static void a_bunch_of_acks_is_no_rate(void **state)
{
	struct tcp_rate r;
	struct tcp_rate_sample rs;

	(void)state;
	send_frames(&r, 20);
	rs = acked(&r, 20 * SEG, 20 * SEG, ms(20));
	assert_true(rs.marked);
	assert_true(rs.bytes_per_s > 0 && rs.bytes_per_s <= 1060000);
	/* less than a round trip says nothing */
	tcp_rate_sent(&r, TCP_SEQ(21 * SEG), SEG, SEG, DUR_NS(0), ms(30));
	rs = acked(&r, SEG, 21 * SEG, mono_add(ms(30), DUR_US(20)));
	assert_true(rs.marked);
	assert_int_equal(rs.bytes_per_s, 0);
}

static void what_the_program_did_not_write_is_no_limit_of_the_path(void **state)
{
	struct tcp_rate r;

	(void)state;
	send_frames(&r, 2);
	tcp_rate_app_limited(&r, 2 * SEG);
	assert_false(acked(&r, SEG, SEG, ms(10)).app_limited);
	/* sent in the bubble, and one sent after it has left the path */
	tcp_rate_sent(&r, TCP_SEQ(3 * SEG), SEG, 2 * SEG, DUR_NS(0), ms(11));
	(void)acked(&r, SEG, 2 * SEG, ms(12));
	assert_true(acked(&r, SEG, 3 * SEG, ms(20)).app_limited);
	tcp_rate_sent(&r, TCP_SEQ(4 * SEG), SEG, SEG, DUR_NS(0), ms(21));
	assert_false(acked(&r, SEG, 4 * SEG, ms(30)).app_limited);
}

static void marks_are_few_and_apart(void **state)
{
	struct tcp_rate r;

	(void)state;
	send_frames(&r, 500);
	assert_int_equal(r.n, TCP_RATE_MARKS);
	(void)acked(&r, 500 * SEG, 500 * SEG, ms(600));
	assert_int_equal(r.n, 0);
	tcp_rate_init(&r, ms(0));
	for (uint32_t i = 0; i < 40; i++)
		tcp_rate_sent(&r, TCP_SEQ((i + 1) * SEG), SEG, (i + 2) * SEG,
			      DUR_MS(10), ms(i));
	assert_int_equal(r.n, 4);
}

/* ---- states ----------------------------------------------------------- */

struct path {
	struct tcp_bbr b;
	struct tcp_cc cc;
	mono_t now;
	uint64_t rate;    /* of the path */
	uint32_t loss_pm; /* of each flight */
	uint32_t rtt_us;
};

static void path_init(struct path *p)
{
	*p = (struct path){.now = ms(0), .rate = BW, .rtt_us = RTT_US};
	tcp_cc_init(&p->cc, TCP_CC_BBR);
	tcp_cc_begin(&p->cc, SEG, 10);
	tcp_bbr_init(&p->b, &p->cc, RTT_US, 7, p->now);
}

/* A round trip: a window leaves, paced; what the path carries of it comes
 * back. What is more stands in a queue and makes the round longer. */
static void one_round(struct path *p)
{
	uint64_t bytes = MIN((uint64_t)p->cc.cwnd,
			     p->b.pacing * p->rtt_us / 1000000 + SEG);
	uint64_t most = p->rate * p->rtt_us / 1000000;
	uint64_t round = bytes > most ? bytes * 1000000 / p->rate : p->rtt_us;
	struct tcp_rate_sample rs = {
		.acked = (uint32_t)bytes,
		.lost = (uint32_t)(bytes * p->loss_pm / 1000),
		.rtt_us = (uint32_t)round,
		.cwnd_limited = bytes == p->cc.cwnd,
		.marked = true,
		.prior_delivered = p->b.rate.delivered,
		.bytes_per_s = bytes * 1000000 / round,
		.tx_in_flight = (uint32_t)bytes,
		.in_flight = (uint32_t)bytes,
	};

	rs.lost_since_tx = rs.lost;
	p->b.rate.delivered += bytes;
	p->now = mono_add(p->now, DUR_US((int64_t)round));
	tcp_bbr_update(&p->b, &p->cc, &rs, p->now);
}

static void rounds_until(struct path *p, enum tcp_bbr_state s, int most)
{
	for (int i = 0; i < most && p->b.state != s; i++)
		one_round(p);
	assert_int_equal(p->b.state, s);
}

static void startup_finds_the_path_and_drains_its_queue(void **state)
{
	struct path p;
	uint32_t extra;

	(void)state;
	path_init(&p);
	assert_int_equal(p.b.state, TCP_BBR_STARTUP);
	rounds_until(&p, TCP_BBR_DRAIN, 12);
	assert_true(p.b.full_bw_reached);
	assert_true(p.b.pacing < BW); /* half of what there is */
	rounds_until(&p, TCP_BBR_CRUISE, 8);
	assert_in_range(p.b.pacing, BW * 0.95, BW);
	/* twice the path, and as much as its ACKs bring at once */
	extra = MAX(p.b.extra_acked[0], p.b.extra_acked[1]);
	assert_in_range(p.cc.cwnd - extra, BDP, 2.2 * BDP);
}

static void it_asks_for_more_every_few_seconds(void **state)
{
	struct path p;
	mono_t cruising;

	(void)state;
	path_init(&p);
	rounds_until(&p, TCP_BBR_CRUISE, 30);
	cruising = p.now;
	rounds_until(&p, TCP_BBR_REFILL, 70);
	assert_true(mono_leq(p.now, mono_add(cruising, DUR_MS(3200))));
	p.rate = 2 * BW; /* the path has become wider */
	rounds_until(&p, TCP_BBR_UP, 3);
	rounds_until(&p, TCP_BBR_DOWN, 30);
	for (int i = 0; i < 60; i++)
		one_round(&p);
	assert_in_range(p.b.pacing, BW * 1.8, BW * 2.6);
}

/* narrower again: two cycles later the old figure is forgotten */
static void a_path_that_became_narrow_is_believed(void **state)
{
	struct path p;

	(void)state;
	path_init(&p);
	rounds_until(&p, TCP_BBR_CRUISE, 30);
	p.rate = BW / 4;
	for (int i = 0; i < 250; i++)
		one_round(&p);
	assert_in_range(p.b.pacing, BW / 8, BW * 0.325);
}

static void heavy_loss_bounds_what_is_in_flight(void **state)
{
	struct path p;

	(void)state;
	path_init(&p);
	rounds_until(&p, TCP_BBR_CRUISE, 30);
	assert_int_equal(p.b.inflight_hi, TCP_BBR_INFINITE);
	rounds_until(&p, TCP_BBR_UP, 80);
	p.loss_pm = 30;
	one_round(&p);
	assert_int_equal(p.b.state, TCP_BBR_DOWN);
	assert_true(p.b.inflight_hi <= 2.3 * BDP);
	/* and one per cent of loss does not */
	path_init(&p);
	p.loss_pm = 10;
	rounds_until(&p, TCP_BBR_CRUISE, 30);
	assert_int_equal(p.b.inflight_hi, TCP_BBR_INFINITE);
	one_round(&p);
	assert_true(p.b.bw_lo >= BW * 0.9);
}

static void the_round_trip_is_looked_at_on_an_empty_path(void **state)
{
	struct path p;
	mono_t began;

	(void)state;
	path_init(&p);
	rounds_until(&p, TCP_BBR_CRUISE, 30);
	p.rtt_us = RTT_US + 20000; /* it has become longer */
	rounds_until(&p, TCP_BBR_PROBE_RTT, 120);
	began = p.now;
	one_round(&p);
	assert_true(p.cc.cwnd <= 0.8 * BDP);
	rounds_until(&p, TCP_BBR_CRUISE, 12);
	assert_true(mono_leq(mono_add(began, DUR_MS(200)), p.now));
	for (int i = 0; i < 200; i++)
		one_round(&p);
	assert_int_equal(p.b.min_rtt_us, RTT_US + 20000);
}

static void extremes_do_not_overflow(void **state)
{
	struct path p;

	(void)state;
	path_init(&p);
	for (uint32_t i = 0; i < 5000; i++) {
		struct tcp_rate_sample rs = {
			.acked = i % 3 ? UINT32_MAX / 4 : 1,
			.lost = i % 5 ? 0 : UINT32_MAX / 8,
			.rtt_us = i % 7 ? UINT32_MAX - 1 : 1,
			.cwnd_limited = i & 1,
			.marked = i % 4 != 0,
			.prior_delivered = p.b.rate.delivered,
			.bytes_per_s = i % 2 ? UINT64_MAX / 1000 : 1,
			.tx_in_flight = TCP_CWND_MAX,
			.lost_since_tx = rs.lost,
			.in_flight = i % 6 ? TCP_CWND_MAX : 0,
		};

		rs.lost_since_tx = rs.lost;
		p.b.rate.delivered += rs.acked;
		p.now = mono_add(p.now, DUR_MS(i % 11));
		tcp_bbr_update(&p.b, &p.cc, &rs, p.now);
		assert_in_range(p.cc.cwnd, SEG, TCP_CWND_MAX);
		assert_true(p.b.pacing > 0);
	}
}

/* ---- in a connection ---------------------------------------------------- */

static void set_cc(struct peer *p, enum tcp_cc_kind k)
{
	assert_int_equal(tcp_conn_set_opt(p->c, TCP_OPT_CC, k, p->now), 0);
}

static void a_connection_may_change_to_it_and_back(void **state)
{
	struct peer p;
	size_t before;

	(void)state;
	peer_init(&p);
	peer_connect(&p);
	before = tcp_conn_memory(p.c);
	set_cc(&p, TCP_CC_BBR);
	assert_int_equal(tcp_conn_memory(p.c), before + sizeof(struct tcp_bbr));
	set_cc(&p, TCP_CC_BBR);
	peer_write(&p, 2000);
	assert_true(peer_drain(&p) > 0);
	peer_wait(&p, DUR_MS(10));
	peer_send(&p, TCP_ACK, 1, 2001, 0);
	assert_int_equal(p.c->cc.bbr.model->rate.delivered, 2000);
	set_cc(&p, TCP_CC_CUBIC);
	assert_null(tcp_bbr_of(p.c));
	peer_write(&p, 1500);
	assert_true(peer_drain(&p) > 0);
	set_cc(&p, TCP_CC_BBR); /* with data in flight */
	peer_send(&p, TCP_ACK, 1, 3501, 0);
	assert_int_equal(p.c->cc.bbr.model->rate.delivered, 1500);
	tcp_conn_check(p.c);
	peer_fini(&p);
}

/* A time-out sends one segment; when all is mended the window is back. */
static void a_time_out_is_no_end_of_the_window(void **state)
{
	struct peer p;
	uint32_t cwnd;

	(void)state;
	peer_init(&p);
	p.env.tune.cc = TCP_CC_BBR;
	tcp_cc_set_kind(&p.c->cc, TCP_CC_BBR);
	peer_connect(&p);
	cwnd = p.c->cc.cwnd;
	peer_write(&p, 6000);
	assert_true(peer_drain(&p) > 0);
	for (int i = 0; i < 3 && p.c->recovery != TCP_R_LOSS; i++) {
		(void)peer_wait_deadline(&p);
		(void)peer_drain(&p);
	}
	assert_int_equal(p.c->recovery, TCP_R_LOSS);
	assert_int_equal(p.c->cc.cwnd, p.c->mss);
	peer_send(&p, TCP_ACK, 1, 6001, 0);
	assert_int_equal(p.c->recovery, TCP_R_OPEN);
	assert_true(p.c->cc.cwnd >= cwnd);
	peer_fini(&p);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_rate_is_what_arrived_by_the_time_it_took),
	cmocka_unit_test(a_bunch_of_acks_is_no_rate),
	cmocka_unit_test(
		what_the_program_did_not_write_is_no_limit_of_the_path),
	cmocka_unit_test(marks_are_few_and_apart),
	cmocka_unit_test(startup_finds_the_path_and_drains_its_queue),
	cmocka_unit_test(it_asks_for_more_every_few_seconds),
	cmocka_unit_test(a_path_that_became_narrow_is_believed),
	cmocka_unit_test(heavy_loss_bounds_what_is_in_flight),
	cmocka_unit_test(the_round_trip_is_looked_at_on_an_empty_path),
	cmocka_unit_test(extremes_do_not_overflow),
	cmocka_unit_test(a_connection_may_change_to_it_and_back),
	cmocka_unit_test(a_time_out_is_no_end_of_the_window),
};

UNIT_MAIN(tests)
