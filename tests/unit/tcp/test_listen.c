/* Listeners, cookies, TIME-WAIT records, stray segments. */
#include "unit.h"

#include "tcp/conn.h"
#include "tcp/isn.h"

#include <stdlib.h>
#include <string.h>

#define PEER_ISS 5000u

struct world {
	struct tcp_env env;
	struct pkt_pool pool;
	struct tcp_listener *l;
	mono_t now;
	struct tcp_path path;
	struct tcp_out o;
	struct tcp_request req;
	bool room;
};

static uint64_t no_random(void *arg)
{
	(void)arg;
	return 0;
}

static void begin(struct world *w)
{
	memset(w, 0, sizeof(*w));
	pkt_pool_init(&w->pool, 1 << 20);
	w->env = (struct tcp_env){
		.rand64 = no_random, .pool = &w->pool, .key = {3, 4}};
	tcp_tune_default(&w->env.tune);
	w->now = (mono_t){DUR_S(100000).ns};
	w->path = (struct tcp_path){.mss = 1460, .mss_advertise = 1460};
	w->l = tcp_listener_new(&w->env);
	w->room = true;
	tcp_listener_set_backlog(w->l, 4);
}

static void end(struct world *w)
{
	tcp_listener_free(w->l);
	assert_int_equal(w->pool.used_bytes, 0);
	pkt_pool_fini(&w->pool);
}

static struct tcp_tuple tuple(uint32_t client)
{
	return (struct tcp_tuple){
		.local = ip_v4(10, 0, 0, 1),
		.remote = ip_v4(10, 1, (uint8_t)(client >> 16),
				(uint8_t)(client >> 8)),
		.local_port = 80,
		.remote_port = (uint16_t)(1024 + (client & 0xff)),
	};
}

static struct tcp_seg segment(uint8_t flags, uint32_t seq, uint32_t ack)
{
	return (struct tcp_seg){.h = {.src_port = 1024,
				      .dst_port = 80,
				      .seq = TCP_SEQ(seq),
				      .ack = TCP_SEQ(ack),
				      .flags = flags,
				      .wnd = 30000},
				.segs = 1};
}

static struct tcp_seg syn(void)
{
	struct tcp_seg s = segment(TCP_SYN, PEER_ISS, 0);

	s.h.opt = (struct tcp_options){.has_mss = true,
				       .mss = 1400,
				       .has_wscale = true,
				       .wscale = 9,
				       .sack_permitted = true,
				       .has_ts = true,
				       .ts_val = 777};
	return s;
}

static enum tcp_listen_verdict give(struct world *w, uint32_t client,
				    const struct tcp_seg *s)
{
	struct tcp_tuple t = tuple(client);

	return tcp_listener_input(w->l, &t, s, &w->path, w->room, &w->o,
				  &w->req, w->now);
}

/* The ACK that ends the handshake whose SYN-ACK is w->o. */
static struct tcp_seg final_ack(const struct world *w)
{
	struct tcp_seg s = segment(TCP_ACK, PEER_ISS + 1, w->o.h.seq.v + 1);

	s.h.opt.has_ts = w->o.h.opt.has_ts;
	s.h.opt.ts_val = 778;
	s.h.opt.ts_ecr = w->o.h.opt.ts_val;
	return s;
}

static void dry(struct world *w)
{
	struct tcp_tuple t;
	struct tcp_out o;

	assert_false(tcp_listener_output(w->l, &o, &t, w->now));
	assert_true(mono_lt(w->now, tcp_listener_deadline(w->l)));
}

/* ---- handshake ------------------------------------------------------ */

static void handshake_makes_a_connection(void **state)
{
	struct tcp_seg s = syn();
	struct tcp_conn *c;
	struct world w;

	(void)state;
	begin(&w);
	assert_int_equal(give(&w, 1, &s), TCP_LISTEN_REPLY);
	assert_int_equal(w.o.h.flags, TCP_SYN | TCP_ACK);
	assert_int_equal(w.o.h.ack.v, PEER_ISS + 1);
	assert_int_equal(w.o.h.opt.mss, 1460);
	assert_int_equal(w.o.h.opt.ts_ecr, 777);
	assert_true(w.o.h.opt.sack_permitted && w.o.h.opt.has_wscale);
	assert_int_equal(tcp_listener_half_open(w.l), 1);
	dry(&w);
	w.now = mono_add(w.now, DUR_MS(30));
	s = final_ack(&w);
	assert_int_equal(give(&w, 1, &s), TCP_LISTEN_ACCEPT);
	assert_int_equal(tcp_listener_half_open(w.l), 0);
	assert_true(mono_is_never(tcp_listener_deadline(w.l)));

	c = tcp_conn_init(calloc(1, tcp_conn_size()), &w.env);
	tcp_conn_accept(c, &w.req, &w.path, w.now);
	tcp_conn_input(c, &s, w.now);
	tcp_conn_check(c);
	assert_int_equal(tcp_conn_state(c), TCP_S_ESTABLISHED);
	assert_int_equal(c->mss, 1388);
	assert_int_equal(c->snd_wscale, 9);
	assert_int_equal(c->snd_wnd, 30000u << 9);
	assert_int_equal(c->rtt.srtt_ns, DUR_MS(30).ns);
	assert_int_equal(w.env.stats.passive_opens, 1);
	assert_false(tcp_conn_output(c, &w.o, w.now));
	tcp_conn_fini(c);
	free(c);
	end(&w);
}

/* What the peer does not offer is not answered [RFC7323 1.3, RFC2018 2]. */
static void synack_offers_only_what_was_offered(void **state)
{
	struct tcp_seg s = segment(TCP_SYN, PEER_ISS, 0);
	struct world w;

	(void)state;
	begin(&w);
	assert_int_equal(give(&w, 1, &s), TCP_LISTEN_REPLY);
	assert_false(w.o.h.opt.sack_permitted || w.o.h.opt.has_wscale ||
		     w.o.h.opt.has_ts);
	assert_true(w.o.h.opt.has_mss);
	s = final_ack(&w);
	assert_int_equal(give(&w, 1, &s), TCP_LISTEN_ACCEPT);
	assert_int_equal(w.req.peer_mss, 536);
	end(&w);
}

/* [RFC3168 6.1.1] */
static void ecn_is_agreed_passively(void **state)
{
	struct tcp_seg s = syn();
	struct world w;

	(void)state;
	begin(&w);
	s.h.flags |= TCP_ECE | TCP_CWR;
	give(&w, 1, &s);
	assert_int_equal(w.o.h.flags, TCP_SYN | TCP_ACK | TCP_ECE);
	w.env.tune.ecn = TCP_ECN_OFF;
	give(&w, 2, &s);
	assert_int_equal(w.o.h.flags, TCP_SYN | TCP_ACK);
	end(&w);
}

static void synack_is_repeated_then_forgotten(void **state)
{
	struct tcp_seg s = syn();
	struct tcp_tuple t;
	struct world w;

	(void)state;
	begin(&w);
	give(&w, 1, &s);
	for (int i = 0; i < 5; i++) {
		mono_t due = tcp_listener_deadline(w.l);

		assert_int_equal(mono_sub(due, w.now).ns, DUR_S(1 << i).ns);
		w.now = due;
		assert_true(tcp_listener_output(w.l, &w.o, &t, w.now));
		assert_int_equal(w.o.h.flags, TCP_SYN | TCP_ACK);
		assert_int_equal(t.remote_port, tuple(1).remote_port);
		dry(&w);
	}
	w.now = tcp_listener_deadline(w.l);
	tcp_listener_expire(w.l, w.now);
	assert_int_equal(tcp_listener_half_open(w.l), 0);
	end(&w);
}

static void repeated_syn_is_answered_again(void **state)
{
	struct tcp_seg s = syn();
	struct world w;
	tcp_seq_t iss;

	(void)state;
	begin(&w);
	give(&w, 1, &s);
	iss = w.o.h.seq;
	w.now = mono_add(w.now, DUR_MS(500));
	assert_int_equal(give(&w, 1, &s), TCP_LISTEN_REPLY);
	assert_int_equal(w.o.h.seq.v, iss.v);
	assert_int_equal(tcp_listener_half_open(w.l), 1);
	s = final_ack(&w);
	assert_int_equal(give(&w, 1, &s), TCP_LISTEN_ACCEPT);
	/* [RFC6298 3] no sample: which SYN-ACK was it? */
	assert_true(mono_is_never(w.req.synack_sent));
	end(&w);
}

/* ---- [RFC9293 3.10.7.2] LISTEN, 3.10.7.4 SYN-RECEIVED --------------- */

static void listen_answers_by_the_book(void **state)
{
	struct tcp_seg s = segment(TCP_RST, 1, 0);
	struct world w;

	(void)state;
	begin(&w);
	assert_int_equal(give(&w, 1, &s), TCP_LISTEN_NOTHING); /* first */
	s = segment(TCP_ACK, 1, 99);                           /* second */
	assert_int_equal(give(&w, 1, &s), TCP_LISTEN_REPLY);
	assert_int_equal(w.o.h.flags, TCP_RST);
	assert_int_equal(w.o.h.seq.v, 99);
	s = segment(TCP_SYN | TCP_ACK, 1, 99);
	assert_int_equal(give(&w, 1, &s), TCP_LISTEN_REPLY);
	assert_int_equal(w.o.h.flags, TCP_RST);
	s = segment(0, 1, 0); /* fourth */
	assert_int_equal(give(&w, 1, &s), TCP_LISTEN_NOTHING);
	assert_int_equal(tcp_listener_half_open(w.l), 0);
	end(&w);
}

/* [RFC9293 3.9.2.3 MUST-57, MUST-63] */
static void syns_of_groups_are_ignored(void **state)
{
	struct tcp_tuple t = tuple(1);
	struct tcp_seg s = syn();
	struct world w;

	(void)state;
	begin(&w);
	for (int i = 0; i < 3; i++) {
		t = tuple(1);
		if (i == 0)
			t.local = ip_v4(224, 0, 0, 5);
		else if (i == 1)
			t.local = ip_v4(255, 255, 255, 255);
		else
			t.remote = ip_v4(239, 1, 1, 1);
		assert_int_equal(tcp_listener_input(w.l, &t, &s, &w.path, true,
						    &w.o, &w.req, w.now),
				 TCP_LISTEN_NOTHING);
	}
	end(&w);
}

static void half_open_answers_by_the_book(void **state)
{
	struct world w;
	struct tcp_seg s = syn(), fin;
	uint32_t iss;

	(void)state;
	begin(&w);
	give(&w, 1, &s);
	fin = final_ack(&w);
	iss = w.o.h.seq.v;
	/* fifth: a wrong ACK is reset, the request stays */
	s = fin;
	s.h.ack = TCP_SEQ(iss + 2);
	assert_int_equal(give(&w, 1, &s), TCP_LISTEN_REPLY);
	assert_int_equal(w.o.h.flags, TCP_RST);
	assert_int_equal(w.o.h.seq.v, iss + 2);
	/* first: out of window, an ACK */
	s = fin;
	s.h.seq = TCP_SEQ(PEER_ISS + 1 + 70000);
	assert_int_equal(give(&w, 1, &s), TCP_LISTEN_REPLY);
	assert_int_equal(w.o.h.flags, TCP_ACK);
	/* PAWS */
	s = fin;
	s.h.opt.ts_val = 776;
	assert_int_equal(give(&w, 1, &s), TCP_LISTEN_REPLY);
	assert_int_equal(w.o.h.flags, TCP_ACK);
	/* second [RFC5961 3.2]: RST not exact, then exact */
	s = segment(TCP_RST, PEER_ISS + 5, 0);
	assert_int_equal(give(&w, 1, &s), TCP_LISTEN_REPLY);
	assert_int_equal(w.o.h.flags, TCP_ACK);
	s = segment(TCP_RST, PEER_ISS + 100000, 0);
	assert_int_equal(give(&w, 1, &s), TCP_LISTEN_NOTHING);
	assert_int_equal(tcp_listener_half_open(w.l), 1);
	s = segment(TCP_RST, PEER_ISS + 1, 0);
	assert_int_equal(give(&w, 1, &s), TCP_LISTEN_NOTHING);
	assert_int_equal(tcp_listener_half_open(w.l), 0);
	/* fourth: another SYN in the window, back to LISTEN */
	s = syn();
	give(&w, 1, &s);
	s.h.seq = TCP_SEQ(PEER_ISS + 50);
	assert_int_equal(give(&w, 1, &s), TCP_LISTEN_NOTHING);
	assert_int_equal(tcp_listener_half_open(w.l), 0);
	end(&w);
}

static void icmp_forgets_a_half_open_one(void **state)
{
	struct tcp_tuple t = tuple(1);
	struct tcp_seg s = syn();
	struct world w;

	(void)state;
	begin(&w);
	give(&w, 1, &s);
	tcp_listener_icmp(w.l, &t, 113, true, TCP_SEQ(w.o.h.seq.v + 1), w.now);
	tcp_listener_icmp(w.l, &t, 113, false, w.o.h.seq, w.now);
	assert_int_equal(tcp_listener_half_open(w.l), 1);
	tcp_listener_icmp(w.l, &t, 113, true, w.o.h.seq, w.now);
	assert_int_equal(tcp_listener_half_open(w.l), 0);
	end(&w);
}

static void full_accept_queue_keeps_the_request(void **state)
{
	struct tcp_seg s = syn();
	struct world w;

	(void)state;
	begin(&w);
	give(&w, 1, &s);
	s = final_ack(&w);
	w.room = false;
	assert_int_equal(give(&w, 1, &s), TCP_LISTEN_NOTHING);
	assert_int_equal(w.env.stats.drops[TCP_DROP_BACKLOG], 1);
	w.room = true;
	assert_int_equal(give(&w, 1, &s), TCP_LISTEN_ACCEPT);
	/* and no new SYN is taken meanwhile */
	w.room = false;
	s = syn();
	assert_int_equal(give(&w, 2, &s), TCP_LISTEN_NOTHING);
	assert_int_equal(tcp_listener_half_open(w.l), 0);
	end(&w);
}

/* ---- many, and too many --------------------------------------------- */

static void thousands_are_found_and_expire(void **state)
{
	struct tcp_seg s = syn();
	struct tcp_tuple t;
	struct world w;
	int n = 0;

	(void)state;
	begin(&w);
	w.env.tune.syn_backlog_max = 5000;
	for (uint32_t i = 0; i < 5000; i++) {
		assert_int_equal(give(&w, i, &s), TCP_LISTEN_REPLY);
		w.now = mono_add(w.now, DUR_US(10));
	}
	assert_int_equal(tcp_listener_half_open(w.l), 5000);
	/* all are still there: each SYN is a repetition */
	for (uint32_t i = 0; i < 5000; i++)
		give(&w, i, &s);
	assert_int_equal(tcp_listener_half_open(w.l), 5000);
	w.now = mono_add(w.now, DUR_S(1));
	while (tcp_listener_output(w.l, &w.o, &t, w.now))
		n++;
	assert_int_equal(n, 5000);
	w.now = mono_add(w.now, DUR_S(100));
	for (int i = 0; i < 5; i++) {
		while (tcp_listener_output(w.l, &w.o, &t, w.now))
			n++;
		w.now = mono_add(w.now, DUR_S(100));
	}
	dry(&w);
	assert_int_equal(tcp_listener_half_open(w.l), 0);
	end(&w);
}

static void flood(struct world *w)
{
	struct tcp_seg s = syn();

	w->env.tune.syn_backlog_max = 8;
	for (uint32_t i = 0; i < 8; i++)
		give(w, 1000 + i, &s);
}

static void without_cookies_the_queue_is_a_limit(void **state)
{
	struct tcp_seg s = syn();
	struct world w;

	(void)state;
	begin(&w);
	w.env.tune.syn_cookies = false;
	flood(&w);
	assert_int_equal(give(&w, 1, &s), TCP_LISTEN_NOTHING);
	assert_int_equal(w.env.stats.drops[TCP_DROP_SYN_LIMIT], 1);
	assert_int_equal(tcp_listener_half_open(w.l), 8);
	end(&w);
}

/* [RFC4987 3.6] */
static void cookies_carry_everything(void **state)
{
	struct tcp_seg s = syn();
	struct world w;

	(void)state;
	begin(&w);
	flood(&w);
	s.h.flags |= TCP_ECE | TCP_CWR;
	assert_int_equal(give(&w, 1, &s), TCP_LISTEN_REPLY);
	assert_int_equal(w.env.stats.cookies_sent, 1);
	assert_int_equal(tcp_listener_half_open(w.l), 8); /* no memory */
	assert_true(w.o.h.opt.has_wscale && w.o.h.opt.sack_permitted);
	w.now = mono_add(w.now, DUR_S(30));
	s = final_ack(&w);
	assert_int_equal(give(&w, 1, &s), TCP_LISTEN_ACCEPT);
	assert_int_equal(w.env.stats.cookies_ok, 1);
	assert_true(w.req.from_cookie && w.req.ts_ok && w.req.sack_ok &&
		    w.req.wscale_ok && w.req.ecn_ok);
	assert_int_equal(w.req.snd_wscale, 9);
	assert_int_equal(w.req.peer_mss, 1360); /* 1400 rounded down */
	assert_int_equal(w.req.irs.v, PEER_ISS);
	assert_int_equal(w.req.ts_recent, 778);
	end(&w);
}

static void cookies_without_timestamps_give_up_options(void **state)
{
	struct tcp_seg s = syn();
	struct world w;

	(void)state;
	begin(&w);
	flood(&w);
	s.h.opt.has_ts = false;
	give(&w, 1, &s);
	assert_false(w.o.h.opt.has_wscale || w.o.h.opt.sack_permitted);
	s = final_ack(&w);
	assert_int_equal(give(&w, 1, &s), TCP_LISTEN_ACCEPT);
	assert_false(w.req.wscale_ok || w.req.sack_ok || w.req.ts_ok);
	end(&w);
}

static void forged_and_old_cookies_are_refused(void **state)
{
	struct tcp_seg s = syn(), good;
	struct world w;
	int taken = 0;

	(void)state;
	begin(&w);
	/* none was sent: no ACK is a cookie */
	s = segment(TCP_ACK, 1, 2);
	give(&w, 1, &s);
	assert_int_equal(w.env.stats.drops[TCP_DROP_COOKIE_BAD], 0);
	flood(&w);
	s = syn();
	give(&w, 1, &s);
	good = final_ack(&w);
	assert_int_equal(give(&w, 2, &good), TCP_LISTEN_REPLY); /* RST */
	assert_int_equal(w.o.h.flags, TCP_RST);
	for (uint32_t bit = 0; bit < 32; bit++) {
		s = good;
		s.h.ack.v ^= 1u << bit;
		taken += give(&w, 1, &s) == TCP_LISTEN_ACCEPT;
		s = good;
		s.h.seq.v ^= 1u << bit;
		taken += give(&w, 1, &s) == TCP_LISTEN_ACCEPT;
	}
	for (uint32_t bit = 0; bit < 6; bit++) { /* options */
		s = good;
		s.h.opt.ts_ecr ^= 1u << bit;
		taken += give(&w, 1, &s) == TCP_LISTEN_ACCEPT;
	}
	assert_int_equal(taken, 0);
	w.now = mono_add(w.now, DUR_S(191)); /* three counts on */
	assert_int_equal(give(&w, 1, &good), TCP_LISTEN_REPLY);
	end(&w);
}

/* ---- TIME-WAIT: RFC 9293 3.6.1, RFC 6191, RFC 1337 ------------------ */

static struct tcp_timewait record(const struct world *w)
{
	return (struct tcp_timewait){.tuple = tuple(1),
				     .snd_nxt = TCP_SEQ(100),
				     .rcv_nxt = TCP_SEQ(PEER_ISS),
				     .ts_recent = 500,
				     .ts_recent_at = w->now,
				     .until = mono_add(w->now, DUR_S(60)),
				     .rcv_wnd = 1000,
				     .ts_ok = true};
}

static enum tcp_tw_verdict tw_give(struct world *w, struct tcp_timewait *tw,
				   uint8_t flags, uint32_t seq, int64_t ts)
{
	struct tcp_seg s = segment(flags, seq, 100);

	s.h.opt.has_ts = ts >= 0;
	s.h.opt.ts_val = (uint32_t)ts;
	return tcp_timewait_input(tw, &w->env, &s, &w->o, w->now);
}

static void timewait_takes_a_newer_syn(void **state)
{
	struct tcp_timewait tw;
	struct world w;

	(void)state;
	begin(&w);
	tw = record(&w);
	/* [RFC6191 2] a larger timestamp, whatever the number */
	assert_int_equal(tw_give(&w, &tw, TCP_SYN, 1, 501), TCP_TW_REUSE);
	assert_int_equal(tw_give(&w, &tw, TCP_SYN, PEER_ISS + 9, 499),
			 TCP_TW_REPLY);
	/* equal: the number decides; without: the same */
	assert_int_equal(tw_give(&w, &tw, TCP_SYN, PEER_ISS + 1, 500),
			 TCP_TW_REUSE);
	assert_int_equal(tw_give(&w, &tw, TCP_SYN, PEER_ISS, 500),
			 TCP_TW_REPLY);
	assert_int_equal(tw_give(&w, &tw, TCP_SYN, PEER_ISS + 1, -1),
			 TCP_TW_REUSE);
	assert_int_equal(tw_give(&w, &tw, TCP_SYN, PEER_ISS - 1, -1),
			 TCP_TW_REPLY);
	assert_int_equal(w.o.h.flags, TCP_ACK);
	assert_int_equal(tw_give(&w, &tw, TCP_SYN | TCP_ACK, PEER_ISS + 1, 600),
			 TCP_TW_REPLY);
	assert_int_equal(w.env.stats.timewait_reused, 3);
	end(&w);
}

static void timewait_answers_what_it_must(void **state)
{
	struct tcp_timewait tw;
	struct world w;

	(void)state;
	begin(&w);
	tw = record(&w);
	w.now = mono_add(w.now, DUR_S(50));
	/* the FIN again: ACK and again 2 MSL */
	assert_int_equal(tw_give(&w, &tw, TCP_FIN | TCP_ACK, PEER_ISS - 1, 500),
			 TCP_TW_REPLY);
	assert_int_equal(w.o.h.ack.v, PEER_ISS);
	assert_int_equal(w.o.h.seq.v, 100);
	assert_int_equal(w.o.h.opt.ts_ecr, 500);
	assert_int_equal(tw.until.ns, mono_add(w.now, DUR_S(60)).ns);
	/* [RFC1337] */
	assert_int_equal(tw_give(&w, &tw, TCP_RST, PEER_ISS, 500),
			 TCP_TW_NOTHING);
	/* its last ACK, duplicated */
	assert_int_equal(tw_give(&w, &tw, TCP_ACK, PEER_ISS, 500),
			 TCP_TW_NOTHING);
	assert_int_equal(tw_give(&w, &tw, TCP_ACK, PEER_ISS - 10, 500),
			 TCP_TW_REPLY);
	/* within the limit of RFC 5961 7 */
	w.env.tune.challenge_acks_per_s = 0;
	w.now = mono_add(w.now, DUR_S(2));
	assert_int_equal(tw_give(&w, &tw, TCP_ACK, PEER_ISS - 10, 500),
			 TCP_TW_NOTHING);
	end(&w);
}

static void timewait_tuple_can_be_taken_over(void **state)
{
	struct tcp_timewait tw;
	struct world w;

	(void)state;
	begin(&w);
	tw = record(&w);
	assert_false(tcp_timewait_reusable(&tw, w.now));
	w.now = mono_add(w.now, DUR_S(1));
	assert_true(tcp_timewait_reusable(&tw, w.now));
	tw.ts_ok = false;
	assert_false(tcp_timewait_reusable(&tw, w.now));
	end(&w);
}

/* ---- [RFC9293 3.10.7.1] --------------------------------------------- */

static void stray_segments_are_reset(void **state)
{
	struct tcp_seg s = segment(TCP_SYN | TCP_FIN, 10, 0);
	struct tcp_out o;

	(void)state;
	s.len = 5;
	assert_true(tcp_reset_for(&s, &o));
	assert_int_equal(o.h.flags, TCP_RST | TCP_ACK);
	assert_int_equal(o.h.seq.v, 0);
	assert_int_equal(o.h.ack.v, 17);
	assert_int_equal(o.h.src_port, 80);
	assert_int_equal(o.h.dst_port, 1024);
	s = segment(TCP_ACK, 10, 33);
	assert_true(tcp_reset_for(&s, &o));
	assert_int_equal(o.h.flags, TCP_RST);
	assert_int_equal(o.h.seq.v, 33);
	s = segment(TCP_RST | TCP_ACK, 10, 33);
	assert_false(tcp_reset_for(&s, &o));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(handshake_makes_a_connection),
	cmocka_unit_test(synack_offers_only_what_was_offered),
	cmocka_unit_test(ecn_is_agreed_passively),
	cmocka_unit_test(synack_is_repeated_then_forgotten),
	cmocka_unit_test(repeated_syn_is_answered_again),
	cmocka_unit_test(listen_answers_by_the_book),
	cmocka_unit_test(syns_of_groups_are_ignored),
	cmocka_unit_test(half_open_answers_by_the_book),
	cmocka_unit_test(icmp_forgets_a_half_open_one),
	cmocka_unit_test(full_accept_queue_keeps_the_request),
	cmocka_unit_test(thousands_are_found_and_expire),
	cmocka_unit_test(without_cookies_the_queue_is_a_limit),
	cmocka_unit_test(cookies_carry_everything),
	cmocka_unit_test(cookies_without_timestamps_give_up_options),
	cmocka_unit_test(forged_and_old_cookies_are_refused),
	cmocka_unit_test(timewait_takes_a_newer_syn),
	cmocka_unit_test(timewait_answers_what_it_must),
	cmocka_unit_test(timewait_tuple_can_be_taken_over),
	cmocka_unit_test(stray_segments_are_reset),
};

UNIT_MAIN(tests)
