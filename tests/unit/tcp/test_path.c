/* What a sender learns of its path: HyStart++ of its queue, PLPMTUD of the
 * size that it takes. */
#include "peer.h"

/* ---- HyStart++ ------------------------------------------------------ */

static struct tcp_cc slow_start(void)
{
	struct tcp_cc cc;

	tcp_cc_init(&cc, TCP_CC_CUBIC);
	tcp_cc_begin(&cc, 1000, 10);
	return cc;
}

/* A round of ten ACKs whose round trips are `us`; the window grows. */
static void round_of(struct tcp_cc *cc, uint32_t *una, uint32_t us)
{
	uint32_t nxt = *una + cc->cwnd, part = cc->cwnd / 10;

	for (int i = 0; i < 10; i++) {
		uint32_t n;

		*una += part;
		n = tcp_hystart_ack(cc, part, us, TCP_SEQ(*una), TCP_SEQ(nxt));
		tcp_cc_acked(cc, n, DUR_US(us), (mono_t){1});
	}
	*una = nxt;
}

/* [RFC9406 4.2] longer rounds: a quarter of the pace, then avoidance */
static void longer_rounds_end_slow_start(void **state)
{
	struct tcp_cc cc = slow_start();
	uint32_t una = 1, before;

	(void)state;
	for (int i = 0; i < 3; i++)
		round_of(&cc, &una, 50000);
	assert_int_equal(cc.phase, TCP_CC_SLOW);
	before = cc.cwnd;
	round_of(&cc, &una, 60000);
	assert_int_equal(cc.phase, TCP_CC_CONSERVATIVE);
	assert_true(cc.cwnd < 2 * before);
	for (int i = 0; i < 6; i++)
		round_of(&cc, &una, 60000);
	assert_int_equal(cc.phase, TCP_CC_LATER);
	assert_true(cc.ssthresh < UINT32_MAX);
}

/* [RFC9406 4.2] one long round may be chance */
static void one_long_round_is_forgiven(void **state)
{
	struct tcp_cc cc = slow_start();
	uint32_t una = 1;

	(void)state;
	for (int i = 0; i < 3; i++)
		round_of(&cc, &una, 50000);
	round_of(&cc, &una, 60000);
	assert_int_equal(cc.phase, TCP_CC_CONSERVATIVE);
	round_of(&cc, &una, 50000);
	assert_int_equal(cc.phase, TCP_CC_SLOW);
	assert_int_equal(cc.ssthresh, UINT32_MAX);
}

/* [RFC9406 4.3] small growth on a short path means nothing */
static void four_milliseconds_are_the_least(void **state)
{
	struct tcp_cc cc = slow_start();
	uint32_t una = 1;

	(void)state;
	for (uint32_t i = 0; i < 6; i++)
		round_of(&cc, &una, 100 + i * 600);
	assert_int_equal(cc.phase, TCP_CC_SLOW);
}

/* ---- sizes ---------------------------------------------------------- */

/* A path that takes payload and options of `mtu` and says nothing: the peer
 * acknowledges what fits, in order. Returns whether all `end` arrived. */
static void black_hole(struct peer *p, uint32_t mtu, uint32_t end)
{
	uint32_t got = 1, above_from = 0, above_to = 0;

	for (int i = 0; i < 3000 && got < end; i++) {
		if (!mono_leq(tcp_conn_deadline(p->c), p->now)) {
			if (above_to)
				peer_sack(p, above_from, above_to);
			peer_send(p, TCP_ACK, 1, got, 0);
		}
		if (!mono_leq(tcp_conn_deadline(p->c), p->now)) {
			peer_wait_deadline(p);
			continue;
		}
		if (!tcp_conn_output(p->c, &p->o, p->now) || !p->o.len)
			continue;
		uint32_t at = p->o.h.seq.v - p->c->iss.v, to = at + p->o.len;

		if (p->o.len > mtu || to <= got)
			continue;
		if (at <= got) {
			got = above_to && to >= above_from ? MAX(to, above_to)
							   : to;
			if (got >= above_to)
				above_to = above_from = 0;
		} else if (!above_to || at == above_to) {
			above_from = above_to ? above_from : at;
			above_to = to;
		}
		p->now = mono_add(p->now, DUR_MS(10));
	}
	assert_true(got >= end);
}

static void start_large(struct peer *p)
{
	peer_init(p);
	p->sack = true;
	p->wscale = 7;
	p->mss = 1460;
	peer_connect(p);
	p->c->snd.limit = 1 << 20;
	p->wnd = 1 << 13;
	peer_write(p, 400000);
}

/* [RFC4821 7.7] [RFC9293 3.7.3] a path that swallows large segments is lived
 * with, and the size that it takes is found */
static void silent_paths_are_measured(void **state)
{
	struct peer p;

	(void)state;
	start_large(&p);
	black_hole(&p, 1300, 200000);
	assert_int_equal(p.env.stats.mtu_black_holes, 1);
	assert_in_range(p.c->mss, 1270, 1300);
	assert_int_equal(tcp_conn_state(p.c), TCP_S_ESTABLISHED);
	peer_fini(&p);
}

/* It was an outage: the first probe has the old size, and passes. */
static void outage_does_not_keep_segments_small(void **state)
{
	struct peer p;

	(void)state;
	start_large(&p);
	peer_drain(&p);
	while (!p.env.stats.mtu_black_holes) {
		peer_wait_deadline(&p);
		peer_drain(&p);
	}
	assert_int_equal(p.c->mss, 1024);
	black_hole(&p, 1460, 200000);
	assert_int_equal(p.c->mss, 1460);
	assert_null(p.c->plpmtud);
	peer_fini(&p);
}

/* [RFC4821 7.6] the loss of a probe alone is no congestion */
static void lost_probe_is_no_congestion(void **state)
{
	struct peer p;

	(void)state;
	start_large(&p);
	black_hole(&p, 1300, 100000);
	assert_true(p.c->total_retrans > 0);
	assert_int_equal(p.env.stats.fast_recoveries, 0);
	peer_fini(&p);
}

/* PLPMTUD OFF: the size stays, and the connection dies of it. */
static void black_hole_detection_can_be_off(void **state)
{
	struct peer p;

	(void)state;
	start_large(&p);
	p.env.tune.plpmtud = false;
	peer_drain(&p);
	while (tcp_conn_state(p.c) != TCP_S_CLOSED) {
		peer_wait_deadline(&p);
		peer_drain(&p);
		assert_int_equal(p.c->mss, 1460);
	}
	peer_fini(&p);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(longer_rounds_end_slow_start),
	cmocka_unit_test(one_long_round_is_forgiven),
	cmocka_unit_test(four_milliseconds_are_the_least),
	cmocka_unit_test(silent_paths_are_measured),
	cmocka_unit_test(outage_does_not_keep_segments_small),
	cmocka_unit_test(lost_probe_is_no_congestion),
	cmocka_unit_test(black_hole_detection_can_be_off),
};

UNIT_MAIN(tests)
