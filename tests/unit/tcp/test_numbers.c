/* Round-trip times, congestion windows, secret numbers, headers. */
#include "unit.h"

#include "tcp/cc.h"
#include "tcp/isn.h"
#include "tcp/rtt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- RFC 6298 ------------------------------------------------------- */

#define MIN_RTO DUR_MS(200)
#define MAX_RTO DUR_S(120)

static void rto_follows_rfc_6298(void **state)
{
	struct tcp_rtt r;

	(void)state;
	tcp_rtt_init(&r, DUR_S(1));
	assert_int_equal(tcp_rtt_rto(&r, MAX_RTO).ns, DUR_S(1).ns);
	/* [RFC6298 2.2] SRTT = R, RTTVAR = R / 2, RTO = SRTT + 4 RTTVAR */
	tcp_rtt_sample(&r, DUR_MS(400), 1, MIN_RTO, MAX_RTO);
	assert_int_equal(r.srtt_ns, DUR_MS(400).ns);
	assert_int_equal(tcp_rtt_rto(&r, MAX_RTO).ns, DUR_MS(1200).ns);
	/* [RFC6298 2.3] with R' = 480 */
	tcp_rtt_sample(&r, DUR_MS(480), 1, MIN_RTO, MAX_RTO);
	assert_int_equal(r.rttvar_ns, DUR_MS(170).ns); /* 3/4 200 + 1/4 80 */
	assert_int_equal(r.srtt_ns, DUR_MS(410).ns);   /* 7/8 400 + 1/8 480 */
	tcp_rtt_smallest(&r, DUR_MS(400), (mono_t){1});
	tcp_rtt_smallest(&r, DUR_MS(480), (mono_t){2});
	assert_int_equal(r.min_us, 400000);
}

static void rto_backs_off_to_its_maximum(void **state)
{
	struct tcp_rtt r;

	(void)state;
	tcp_rtt_init(&r, DUR_S(1));
	for (int i = 0; i < 40; i++) {
		int64_t want = i < 7 ? DUR_S(1 << i).ns : MAX_RTO.ns;

		assert_int_equal(tcp_rtt_rto(&r, MAX_RTO).ns,
				 MIN(want, MAX_RTO.ns));
		tcp_rtt_back_off(&r);
	}
	/* a valid sample ends it; the minimum holds */
	tcp_rtt_sample(&r, DUR_US(50), 1, MIN_RTO, MAX_RTO);
	assert_int_equal(tcp_rtt_rto(&r, MAX_RTO).ns, MIN_RTO.ns);
}

/* [RFC7323 G] many samples per window change the averages less each */
static void samples_of_one_window_share_the_gain(void **state)
{
	struct tcp_rtt a, b;

	(void)state;
	tcp_rtt_init(&a, DUR_S(1));
	tcp_rtt_sample(&a, DUR_MS(100), 1, MIN_RTO, MAX_RTO);
	b = a;
	tcp_rtt_sample(&a, DUR_MS(180), 1, MIN_RTO, MAX_RTO);
	for (int i = 0; i < 50; i++)
		tcp_rtt_sample(&b, DUR_MS(180), 50, MIN_RTO, MAX_RTO);
	assert_in_range(b.srtt_ns, a.srtt_ns * 95 / 100, a.srtt_ns * 105 / 100);
}

/* ---- congestion control --------------------------------------------- */

/* [RFC6928 2] */
static void initial_window(void **state)
{
	(void)state;
	assert_int_equal(tcp_cc_initial_window(1460, 10), 14600);
	assert_int_equal(tcp_cc_initial_window(536, 10), 5360);
	assert_int_equal(tcp_cc_initial_window(8960, 10), 17920);
	assert_int_equal(tcp_cc_initial_window(1460, 1), 1460);
}

static void slow_start_then_reno_avoidance(void **state)
{
	struct tcp_cc cc;

	(void)state;
	tcp_cc_init(&cc, TCP_CC_NEWRENO);
	tcp_cc_begin(&cc, 1000, 10);
	for (int i = 0; i < 10; i++)
		tcp_cc_acked(&cc, 1000, DUR_MS(10), (mono_t){1});
	assert_int_equal(cc.cwnd, 20000); /* doubled per window */
	/* [RFC5681 3.1 eq 4] half of what is in flight */
	tcp_cc_congestion(&cc, 16000);
	assert_int_equal(cc.ssthresh, 8000);
	assert_int_equal(cc.cwnd, 8000);
	for (int i = 0; i < 8; i++)
		tcp_cc_acked(&cc, 1000, DUR_MS(10), (mono_t){1});
	assert_int_equal(cc.cwnd, 9000); /* one segment per window */
	tcp_cc_timeout(&cc, 9000, false);
	assert_int_equal(cc.cwnd, 1000);
	assert_int_equal(cc.ssthresh, 4500);
	tcp_cc_timeout(&cc, 1000, true); /* a repeat: ssthresh stays */
	assert_int_equal(cc.ssthresh, 4500);
	tcp_cc_congestion(&cc, 1000);
	assert_int_equal(cc.ssthresh, 2000); /* never below two segments */
}

/* One window of acknowledgements per round trip for `ms`. */
static void avoid_for(struct tcp_cc *cc, mono_t *now, int64_t ms, int64_t rtt)
{
	mono_t end = mono_add(*now, DUR_MS(ms));

	while (mono_lt(*now, end)) {
		uint32_t n = cc->cwnd / cc->mss;

		for (uint32_t i = 0; i < n; i++)
			tcp_cc_acked(cc, cc->mss, DUR_MS(rtt), *now);
		*now = mono_add(*now, DUR_MS(rtt));
	}
}

/* [RFC9438 4.2] W_cubic reaches W_max after K = cbrt(W_max * 0.3 / 0.4) */
static void cubic_comes_back_to_w_max_after_k(void **state)
{
	struct tcp_cc cc;
	mono_t now = {DUR_S(10).ns};

	(void)state;
	tcp_cc_init(&cc, TCP_CC_CUBIC);
	tcp_cc_begin(&cc, 1000, 10);
	cc.cwnd = 1000000; /* 1000 segments: K = cbrt(750) = 9.086 s */
	tcp_cc_congestion(&cc, 1000000);
	assert_int_equal(cc.cwnd, 700000);
	assert_int_equal(cc.ssthresh, 700000);
	avoid_for(&cc, &now, 4500, 100);
	/* half way: 1000 - 0.4 * 4.586^3 = 961 segments */
	assert_in_range(cc.cwnd, 950000, 972000);
	avoid_for(&cc, &now, 4600, 100);
	assert_in_range(cc.cwnd, 990000, 1005000);
	avoid_for(&cc, &now, 5000, 100);
	/* beyond: 1000 + 0.4 * 5.01^3 = 1050 */
	assert_in_range(cc.cwnd, 1035000, 1065000);
}

/* [RFC9438 4.3] with a small window and a short round trip Reno is faster */
static void cubic_is_no_slower_than_reno(void **state)
{
	struct tcp_cc cc;
	mono_t now = {DUR_S(10).ns};

	(void)state;
	tcp_cc_init(&cc, TCP_CC_CUBIC);
	tcp_cc_begin(&cc, 1000, 10);
	cc.cwnd = 20000;
	tcp_cc_congestion(&cc, 20000);
	avoid_for(&cc, &now, 200, 5); /* 40 windows */
	/* from 14 to 20 segments with 9/17 per window, then one per window:
	 * 14 + 12 * 9/17 + 28 = 48 */
	assert_in_range(cc.cwnd, 45000, 49000);
}

/* [RFC9438 4.7] */
static void cubic_fast_convergence(void **state)
{
	struct tcp_cc cc;

	(void)state;
	tcp_cc_init(&cc, TCP_CC_CUBIC);
	tcp_cc_begin(&cc, 1000, 10);
	cc.cwnd = 100000;
	tcp_cc_congestion(&cc, 100000);
	assert_int_equal(cc.cubic.w_max, 100000);
	cc.cwnd = 80000; /* lost again before W_max was reached */
	tcp_cc_congestion(&cc, 80000);
	assert_int_equal(cc.cubic.w_max, 80000 * 17 / 20);
	assert_int_equal(cc.cwnd, 56000);
}

/* [RFC5681 4.1] [RFC9438 5.8] */
static void silence_restarts_the_window(void **state)
{
	struct tcp_cc cc;
	mono_t now = {DUR_S(10).ns};
	mono_t epoch;

	(void)state;
	tcp_cc_init(&cc, TCP_CC_CUBIC);
	tcp_cc_begin(&cc, 1000, 10);
	cc.cwnd = 500000;
	tcp_cc_congestion(&cc, 500000);
	avoid_for(&cc, &now, 200, 100);
	epoch = cc.cubic.epoch;
	tcp_cc_restart(&cc, 10000, DUR_S(7), DUR_MS(300));
	assert_int_equal(cc.cwnd, 10000);
	assert_true(cc.ssthresh >= 350000);
	assert_int_equal(mono_sub(cc.cubic.epoch, epoch).ns, DUR_S(7).ns);
}

static void controllers_have_linux_names(void **state)
{
	enum tcp_cc_kind k = TCP_CC_CUBIC;

	(void)state;
	assert_string_equal(tcp_cc_name(TCP_CC_CUBIC), "cubic");
	assert_int_equal(tcp_cc_by_name("reno", &k), 0);
	assert_int_equal(k, TCP_CC_NEWRENO);
	assert_int_equal(tcp_cc_by_name("bbr", &k), 0);
	assert_int_equal(k, TCP_CC_BBR);
	assert_int_equal(tcp_cc_by_name("vegas", &k), -ENOENT);
}

/* ---- secret numbers ------------------------------------------------- */

static void isn_is_a_clock_plus_a_secret(void **state)
{
	struct hash_key k1 = {1, 2}, k2 = {1, 3};
	struct tcp_tuple t = {.local = ip_v4(10, 0, 0, 1),
			      .remote = ip_v4(10, 0, 0, 2),
			      .local_port = 1,
			      .remote_port = 2},
			 u = t;
	mono_t a = {DUR_S(100).ns}, b = mono_add(a, DUR_MS(4));

	(void)state;
	/* [RFC9293 3.4.1 MUST-8] 4 us per step */
	assert_int_equal(seq_diff(tcp_isn(&k1, &t, b), tcp_isn(&k1, &t, a)),
			 1000);
	u.remote_port = 3;
	assert_int_not_equal(tcp_isn(&k1, &t, a).v, tcp_isn(&k1, &u, a).v);
	assert_int_not_equal(tcp_isn(&k1, &t, a).v, tcp_isn(&k2, &t, a).v);
	/* timestamps: the same offset in every incarnation, not the ISN's */
	assert_int_equal(tcp_ts_offset(&k1, &t), tcp_ts_offset(&k1, &t));
	assert_int_not_equal(tcp_ts_offset(&k1, &t), tcp_ts_offset(&k1, &u));
	assert_int_equal(tcp_ts_now(5, b) - tcp_ts_now(5, a), 4);
}

/* ---- headers -------------------------------------------------------- */

static void header_survives_the_wire(void **state)
{
	struct tcp_header h = {.src_port = 80,
			       .dst_port = 40000,
			       .seq = TCP_SEQ(0xfffffffe),
			       .ack = TCP_SEQ(7),
			       .flags = TCP_ACK | TCP_PSH,
			       .wnd = 1234,
			       .urg = 9,
			       .opt = {.has_ts = true,
				       .ts_val = 1,
				       .ts_ecr = 2,
				       .n_sack = 4}},
			  g;
	uint8_t buf[TCP_HDR_MAX];
	size_t len;

	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		h.opt.sack[i] = (struct tcp_sack_block){TCP_SEQ(i * 10),
							TCP_SEQ(i * 10 + 5)};
	len = tcp_header_emit(&h, buf);
	assert_int_equal(len, tcp_header_len(&h));
	assert_int_equal(len, 20 + 12 + 4 + 3 * 8); /* the fourth is left out */
	assert_int_equal(tcp_header_parse(buf, len, &g), len);
	assert_int_equal(g.opt.n_sack, 3);
	h.opt.n_sack = 3;
	h.opt.sack[3] = (struct tcp_sack_block){0};
	assert_memory_equal(&g, &h, sizeof(g));
	h.opt = (struct tcp_options){.has_mss = true,
				     .mss = 1460,
				     .has_wscale = true,
				     .wscale = 7,
				     .sack_permitted = true,
				     .has_ts = true};
	h.flags = TCP_SYN;
	len = tcp_header_emit(&h, buf);
	assert_int_equal(len, 40);
	assert_int_equal(tcp_header_parse(buf, len, &g), len);
	assert_int_equal(g.opt.mss, 1460);
	assert_int_equal(g.opt.wscale, 7);
	assert_true(g.opt.sack_permitted && g.opt.has_ts);
}

static int parse_options(const char *opts, size_t n, struct tcp_header *ret)
{
	uint8_t buf[TCP_HDR_MAX] = {0};

	buf[12] = (uint8_t)((20 + (n + 3) / 4 * 4) / 4 << 4);
	memcpy(buf + 20, opts, n);
	return tcp_header_parse(buf, 20 + (n + 3) / 4 * 4, ret);
}

static void broken_headers_and_options(void **state)
{
	uint8_t buf[TCP_HDR_MAX] = {0};
	struct tcp_header h;

	(void)state;
	buf[12] = 5 << 4;
	assert_int_equal(tcp_header_parse(buf, 19, &h), -EINVAL);
	assert_int_equal(tcp_header_parse(buf, 20, &h), 20);
	buf[12] = 4 << 4;
	assert_int_equal(tcp_header_parse(buf, 60, &h), -EINVAL);
	buf[12] = 6 << 4;
	assert_int_equal(tcp_header_parse(buf, 23, &h), -EINVAL);
	/* [RFC9293 3.1 MUST-6] unknown kinds are skipped */
	assert_int_equal(parse_options("\xfd\x04zz\x02\x04\x05\xb4", 8, &h),
			 28);
	assert_true(h.opt.has_mss && h.opt.mss == 1460);
	/* [RFC9293 3.1 MUST-7] length 0 and 1 end the list */
	parse_options("\xfd\x00\x02\x04\x05\xb4", 6, &h);
	assert_false(h.opt.has_mss);
	parse_options("\x03\x01\x02\x04\x05\xb4", 6, &h);
	assert_false(h.opt.has_mss || h.opt.has_wscale);
	/* beyond the header */
	parse_options("\x01\x01\x02\x05", 4, &h);
	assert_false(h.opt.has_mss);
	/* right place, wrong size for its kind */
	parse_options("\x02\x03\x05\x03\x03\x09", 6, &h);
	assert_false(h.opt.has_mss);
	assert_true(h.opt.has_wscale && h.opt.wscale == 9);
	parse_options("\x05\x0b"
		      "123456789",
		      11, &h);
	assert_int_equal(h.opt.n_sack, 0);
	/* after the end nothing counts */
	parse_options("\x00\x02\x04\x05\xb4", 5, &h);
	assert_false(h.opt.has_mss);
}

static void random_bytes_never_read_outside(void **state)
{
	uint32_t x = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		size_t n = (x >> 9) % 61;
		uint8_t *p = malloc(n ? n : 1); /* exact: ASan watches */
		struct tcp_header h;

		for (size_t k = 0; k < n; k++) {
			x = x * 1664525u + 1013904223u;
			p[k] = (uint8_t)(x >> 16) % (i % 2 ? 256 : 12);
		}
		if (n > 12 && i % 3)
			p[12] = (uint8_t)(n / 4 << 4);
		if (tcp_header_parse(p, n, &h) > 0)
			assert_true(h.opt.n_sack <= TCP_SACK_MAX);
		free(p);
		x = x * 1664525u + 1013904223u;
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(rto_follows_rfc_6298),
	cmocka_unit_test(rto_backs_off_to_its_maximum),
	cmocka_unit_test(samples_of_one_window_share_the_gain),
	cmocka_unit_test(initial_window),
	cmocka_unit_test(slow_start_then_reno_avoidance),
	cmocka_unit_test(cubic_comes_back_to_w_max_after_k),
	cmocka_unit_test(cubic_is_no_slower_than_reno),
	cmocka_unit_test(cubic_fast_convergence),
	cmocka_unit_test(silence_restarts_the_window),
	cmocka_unit_test(controllers_have_linux_names),
	cmocka_unit_test(isn_is_a_clock_plus_a_secret),
	cmocka_unit_test(header_survives_the_wire),
	cmocka_unit_test(broken_headers_and_options),
	cmocka_unit_test(random_bytes_never_read_outside),
};

UNIT_MAIN(tests)
