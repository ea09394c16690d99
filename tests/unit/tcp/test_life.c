/* Opening, closing, failing: what the program sees and the peer is told. */
#include "peer.h"

#include <errno.h>
#include <linux/tcp.h>
#include <stdlib.h>
#include <string.h>

static void set(struct peer *p, enum tcp_opt o, int64_t v)
{
	assert_int_equal(tcp_conn_set_opt(p->c, o, v, p->now), 0);
}

static unsigned ready(const struct peer *p)
{
	return tcp_conn_ready(p->c);
}

/* ---- open ----------------------------------------------------------- */

static void syn_offers_everything(void **state)
{
	struct tcp_tuple t = {.local = ip_v4(1, 0, 0, 1),
			      .remote = ip_v4(1, 0, 0, 2)};
	struct peer p;

	(void)state;
	peer_init(&p);
	assert_int_equal(ready(&p) & TCP_READY_DONE, 0);
	assert_int_equal(tcp_conn_open(p.c, &t, &p.path, p.now), 0);
	assert_int_equal(tcp_conn_open(p.c, &t, &p.path, p.now), -EISCONN);
	peer_take(&p);
	assert_int_equal(p.o.h.flags, TCP_SYN);
	assert_int_equal(p.o.h.opt.mss, 1460); /* [RFC9293 3.7.1 MUST-14] */
	assert_true(p.o.h.opt.sack_permitted && p.o.h.opt.has_ts);
	assert_int_equal(p.o.h.opt.wscale, 7); /* for 6 MiB */
	assert_int_equal(p.o.h.wnd, 65535);    /* [RFC7323 2.2] */
	assert_int_equal(p.o.h.opt.ts_ecr, 0);
	peer_fini(&p);
}

static void what_the_peer_lacks_is_off(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p);
	p.mss = 0; /* no option at all */
	peer_connect(&p);
	assert_false(p.o.h.opt.has_ts);
	assert_int_equal(p.c->mss, 536); /* [RFC9293 3.7.1 MUST-15] */
	assert_int_equal(p.c->rcv_wscale, 0);
	assert_int_equal(p.o.h.wnd, 65535);
	assert_int_equal(ready(&p), TCP_READY_OUT | TCP_READY_CONN);
	peer_fini(&p);
}

static void options_come_out_of_the_mss(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p);
	p.ts = p.sack = true;
	p.wscale = 20; /* [RFC7323 2.3] counts as 14 */
	p.mss = 1400;
	peer_connect(&p);
	assert_int_equal(p.c->mss, 1388); /* [RFC6691 2] */
	assert_int_equal(p.c->snd_wscale, 14);
	assert_true(p.o.h.opt.has_ts);
	assert_int_equal(p.o.h.opt.ts_ecr, 1000);
	peer_fini(&p);
}

static void tiny_mss_is_raised(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p);
	p.mss = 1;
	peer_connect(&p);
	assert_int_equal(p.c->mss, TCP_MSS_MIN);
	peer_fini(&p);
}

/* [RFC6298 2.1] first 1 s, then doubled; 6 retries; ETIMEDOUT */
static void syn_is_repeated_then_given_up(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p);
	peer_in_state(&p, TCP_S_SYN_SENT);
	for (int i = 0; i < 6; i++) {
		assert_int_equal(peer_wait_deadline(&p), 1000 << i);
		peer_expect(&p, TCP_SYN, 0, 0, 0);
		peer_dry(&p);
	}
	assert_int_equal(peer_wait_deadline(&p), 64000);
	assert_int_equal(tcp_conn_state(p.c), TCP_S_CLOSED);
	assert_int_equal(tcp_conn_error(p.c), ETIMEDOUT);
	assert_int_equal(ready(&p), TCP_READY_ERR | TCP_READY_DONE);
	assert_int_equal(p.env.stats.failed_opens, 1);
	peer_fini(&p);
}

static void syncnt_and_user_timeout_bound_the_open(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p);
	set(&p, TCP_OPT_SYNCNT, 1);
	peer_in_state(&p, TCP_S_SYN_SENT);
	peer_wait_deadline(&p);
	peer_expect(&p, TCP_SYN, 0, 0, 0);
	peer_wait_deadline(&p);
	assert_int_equal(tcp_conn_error(p.c), ETIMEDOUT);
	peer_fini(&p);

	peer_init(&p);
	set(&p, TCP_OPT_USER_TIMEOUT, 700);
	peer_in_state(&p, TCP_S_SYN_SENT);
	assert_int_equal(peer_wait_deadline(&p), 700);
	assert_int_equal(tcp_conn_error(p.c), ETIMEDOUT);
	peer_fini(&p);
}

/* [RFC6298 5.7] RTO 3 s after a lost SYN; [RFC6928 2] window stays */
static void lost_syn_gives_no_sample(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p);
	peer_in_state(&p, TCP_S_SYN_SENT);
	peer_wait_deadline(&p);
	peer_expect(&p, TCP_SYN, 0, 0, 0);
	peer_send(&p, TCP_SYN | TCP_ACK, 0, 1, 0);
	assert_int_equal(p.c->rtt.srtt_ns, 0);
	assert_int_equal(p.c->rtt.rto_ns, DUR_S(3).ns);
	assert_int_equal(p.c->cc.cwnd, 14600);
	peer_fini(&p);
}

static void handshake_gives_the_first_sample(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p);
	peer_connect(&p);
	assert_int_equal(p.c->rtt.srtt_ns, DUR_MS(10).ns);
	peer_fini(&p);
}

/* [RFC9293 3.5 MUST-10] */
static void simultaneous_open(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p);
	p.ts = true;
	peer_in_state(&p, TCP_S_SYN_SENT);
	peer_send(&p, TCP_SYN, 0, 0, 0);
	assert_int_equal(tcp_conn_state(p.c), TCP_S_SYN_RECEIVED);
	peer_expect(&p, TCP_SYN | TCP_ACK, 0, 1, 0);
	assert_true(p.o.h.opt.has_ts);
	assert_false(p.o.h.opt.has_wscale); /* not offered by the peer */
	peer_dry(&p);
	assert_int_equal(peer_wait_deadline(&p), 1000);
	peer_expect(&p, TCP_SYN | TCP_ACK, 0, 1, 0);
	peer_send(&p, TCP_ACK, 1, 1, 0);
	assert_int_equal(tcp_conn_state(p.c), TCP_S_ESTABLISHED);
	peer_dry(&p);
	peer_fini(&p);
}

static void data_written_before_the_handshake_follows_it(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p);
	peer_in_state(&p, TCP_S_SYN_SENT);
	assert_int_equal(peer_write(&p, 100), 100);
	tcp_conn_shutdown(p.c, p.now);
	peer_dry(&p);
	peer_send(&p, TCP_SYN | TCP_ACK, 0, 1, 0);
	assert_int_equal(tcp_conn_state(p.c), TCP_S_FIN_WAIT_1);
	peer_expect(&p, TCP_ACK | TCP_PSH | TCP_FIN, 1, 1, 100);
	peer_dry(&p);
	peer_fini(&p);
}

static void data_on_the_syn_ack_is_taken(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p);
	peer_in_state(&p, TCP_S_SYN_SENT);
	/* the peer's bytes begin one after its SYN */
	peer_send(&p, TCP_SYN | TCP_ACK | TCP_FIN, 0, 1, 5);
	assert_int_equal(tcp_conn_state(p.c), TCP_S_CLOSE_WAIT);
	peer_expect(&p, TCP_ACK, 1, 7, 0);
	assert_int_equal(ready(&p) & TCP_READY_IN, TCP_READY_IN);
	tcp_conn_read_consume(p.c, 5, p.now);
	assert_int_equal(ready(&p) & (TCP_READY_IN | TCP_READY_EOF),
			 TCP_READY_EOF);
	peer_fini(&p);
}

/* ---- ICMP: RFC 5927, RFC 1122 4.2.3.9 ------------------------------- */

static void icmp_ends_only_an_open(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p);
	peer_in_state(&p, TCP_S_SYN_SENT);
	assert_false(tcp_conn_icmp(p.c, ECONNREFUSED, true,
				   seq_add(p.c->iss, 1), p.now));
	assert_true(tcp_conn_icmp(p.c, EHOSTUNREACH, false, p.c->iss, p.now));
	assert_int_equal(tcp_conn_state(p.c), TCP_S_SYN_SENT);
	assert_true(tcp_conn_icmp(p.c, ECONNREFUSED, true, p.c->iss, p.now));
	assert_int_equal(tcp_conn_error(p.c), ECONNREFUSED);
	peer_dry(&p);
	peer_fini(&p);

	peer_init(&p);
	peer_connect(&p);
	peer_write(&p, 10);
	peer_drain(&p);
	assert_false(tcp_conn_seq_sent(p.c, p.c->snd_nxt));
	assert_true(tcp_conn_seq_sent(p.c, p.c->snd_una));
	assert_true(
		tcp_conn_icmp(p.c, ECONNREFUSED, true, p.c->snd_una, p.now));
	assert_int_equal(tcp_conn_state(p.c), TCP_S_ESTABLISHED);
	/* [RFC1122 4.2.3.9] but it explains the time-out */
	for (int i = 0; i < 16; i++) {
		peer_wait_deadline(&p);
		peer_drain(&p);
	}
	assert_int_equal(tcp_conn_error(p.c), ECONNREFUSED);
	peer_fini(&p);
}

static void soft_error_explains_a_failed_open(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p);
	set(&p, TCP_OPT_SYNCNT, 1);
	peer_in_state(&p, TCP_S_SYN_SENT);
	assert_true(tcp_conn_icmp(p.c, EHOSTUNREACH, false, p.c->iss, p.now));
	peer_wait_deadline(&p);
	peer_drain(&p);
	peer_wait_deadline(&p);
	assert_int_equal(tcp_conn_error(p.c), EHOSTUNREACH);
	peer_fini(&p);
}

/* ---- close ---------------------------------------------------------- */

static void half_close_lets_data_come(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p);
	peer_connect(&p);
	tcp_conn_shutdown(p.c, p.now);
	peer_expect(&p, TCP_ACK | TCP_FIN, 1, 1, 0);
	assert_int_equal(ready(&p) & TCP_READY_OUT, 0);
	peer_send(&p, TCP_ACK, 1, 2, 0);
	assert_int_equal(tcp_conn_state(p.c), TCP_S_FIN_WAIT_2);
	/* a program is there: no limit on FIN-WAIT-2 */
	assert_true(mono_is_never(tcp_conn_deadline(p.c)));
	peer_send(&p, TCP_ACK | TCP_PSH, 1, 2, 50);
	assert_int_equal(peer_read(&p, 1, 100), 50);
	peer_send(&p, TCP_ACK | TCP_FIN, 51, 2, 0);
	assert_int_equal(tcp_conn_state(p.c), TCP_S_TIME_WAIT);
	peer_expect(&p, TCP_ACK, 2, 52, 0);
	peer_dry(&p);
	assert_int_equal(ready(&p) & TCP_READY_EOF, TCP_READY_EOF);
	assert_int_equal(ready(&p) & TCP_READY_DONE, 0);
	assert_int_equal(peer_wait_deadline(&p), 60000);
	assert_int_equal(ready(&p) & TCP_READY_DONE, TCP_READY_DONE);
	assert_int_equal(tcp_conn_error(p.c), 0);
	peer_fini(&p);
}

static void peer_closes_first(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p);
	peer_connect(&p);
	peer_send(&p, TCP_ACK | TCP_FIN, 1, 1, 30);
	assert_int_equal(tcp_conn_state(p.c), TCP_S_CLOSE_WAIT);
	peer_expect(&p, TCP_ACK, 1, 32, 0);
	assert_int_equal(ready(&p) & TCP_READY_EOF, 0); /* data first */
	peer_read(&p, 1, 30);
	assert_int_equal(ready(&p) & TCP_READY_EOF, TCP_READY_EOF);
	peer_write(&p, 20);
	tcp_conn_close(p.c, p.now);
	peer_expect(&p, TCP_ACK | TCP_PSH | TCP_FIN, 1, 32, 20);
	assert_int_equal(tcp_conn_state(p.c), TCP_S_LAST_ACK);
	peer_send(&p, TCP_ACK, 32, 21, 0); /* not yet the FIN */
	assert_int_equal(tcp_conn_state(p.c), TCP_S_LAST_ACK);
	peer_send(&p, TCP_ACK, 32, 22, 0);
	assert_int_equal(ready(&p) & TCP_READY_DONE, TCP_READY_DONE);
	peer_fini(&p);
}

static void fin_before_a_hole_waits_for_it(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p);
	p.sack = true;
	peer_connect(&p);
	peer_send(&p, TCP_ACK | TCP_FIN, 11, 1, 10);
	assert_int_equal(tcp_conn_state(p.c), TCP_S_ESTABLISHED);
	peer_expect(&p, TCP_ACK, 1, 1, 0);
	peer_send(&p, TCP_ACK, 1, 1, 10);
	assert_int_equal(tcp_conn_state(p.c), TCP_S_CLOSE_WAIT);
	peer_expect(&p, TCP_ACK, 1, 22, 0);
	assert_int_equal(peer_read(&p, 1, 100), 20);
	peer_fini(&p);
}

/* Nothing comes after a FIN: a forged one is refused, or what follows it. */
static void data_and_fin_cannot_contradict(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p);
	peer_connect(&p);
	peer_send(&p, TCP_ACK, 51, 1, 50);
	peer_send(&p, TCP_ACK | TCP_FIN, 31, 1, 10); /* before held data */
	peer_send(&p, TCP_ACK, 1, 1, 30);
	assert_int_equal(tcp_conn_state(p.c), TCP_S_ESTABLISHED);
	peer_send(&p, TCP_ACK, 41, 1, 10);
	assert_int_equal(peer_read(&p, 1, 200), 100);
	peer_send(&p, TCP_ACK | TCP_FIN, 201, 1, 0); /* FIN seen, a hole */
	peer_send(&p, TCP_ACK, 151, 1, 100);         /* and data beyond */
	peer_send(&p, TCP_ACK, 101, 1, 50);
	assert_int_equal(tcp_conn_state(p.c), TCP_S_CLOSE_WAIT);
	assert_int_equal(peer_read(&p, 101, 200), 100);
	peer_fini(&p);
}

/* [RFC2525 2.17] */
static void close_with_unread_data_resets(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p);
	peer_connect(&p);
	peer_send(&p, TCP_ACK, 1, 1, 10);
	tcp_conn_close(p.c, p.now);
	assert_int_equal(ready(&p) & TCP_READY_DONE, 0); /* the RST waits */
	peer_expect(&p, TCP_RST | TCP_ACK, 1, 11, 0);
	peer_dry(&p);
	assert_int_equal(ready(&p) & TCP_READY_DONE, TCP_READY_DONE);
	peer_fini(&p);
}

/* [RFC9293 3.6.1 SHLD-3] [RFC1122 4.2.2.13] */
static void data_for_an_orphan_resets(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p);
	peer_connect(&p);
	tcp_conn_close(p.c, p.now);
	peer_expect(&p, TCP_ACK | TCP_FIN, 1, 1, 0);
	peer_send(&p, TCP_ACK, 1, 2, 10);
	peer_expect(&p, TCP_RST | TCP_ACK, 2, 1, 0);
	assert_int_equal(p.env.stats.drops[TCP_DROP_AFTER_CLOSE], 1);
	assert_int_equal(ready(&p) & TCP_READY_DONE, TCP_READY_DONE);
	peer_fini(&p);
}

static void orphan_does_not_wait_for_ever(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p);
	peer_connect(&p);
	tcp_conn_close(p.c, p.now);
	peer_drain(&p);
	peer_send(&p, TCP_ACK, 1, 2, 0);
	assert_int_equal(tcp_conn_state(p.c), TCP_S_FIN_WAIT_2);
	assert_int_equal(peer_wait_deadline(&p), 60000);
	assert_int_equal(ready(&p) & TCP_READY_DONE, TCP_READY_DONE);
	peer_fini(&p);

	peer_init(&p); /* closed only after FIN-WAIT-2 was reached */
	set(&p, TCP_OPT_LINGER2, 7);
	peer_in_state(&p, TCP_S_FIN_WAIT_2);
	tcp_conn_close(p.c, p.now);
	assert_int_equal(peer_wait_deadline(&p), 7000);
	assert_int_equal(ready(&p) & TCP_READY_DONE, TCP_READY_DONE);
	peer_fini(&p);

	peer_init(&p);
	set(&p, TCP_OPT_LINGER2, -1);
	peer_connect(&p);
	tcp_conn_close(p.c, p.now);
	peer_drain(&p);
	peer_send(&p, TCP_ACK, 1, 2, 0);
	assert_int_equal(ready(&p) & TCP_READY_DONE, TCP_READY_DONE);
	peer_fini(&p);
}

static void orphan_gives_up_sooner(void **state)
{
	struct peer p;
	int n = 0;

	(void)state;
	peer_init(&p);
	peer_connect(&p);
	peer_write(&p, 10);
	tcp_conn_close(p.c, p.now);
	while (!(ready(&p) & TCP_READY_DONE)) {
		n += peer_drain(&p);
		peer_wait_deadline(&p);
	}
	assert_int_equal(n, 1 + 8); /* orphan_retries */
	peer_fini(&p);
}

static void abort_sends_one_reset(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p);
	peer_connect(&p);
	peer_write(&p, 100);
	peer_drain(&p);
	peer_write(&p, 100);
	tcp_conn_abort(p.c, p.now);
	assert_int_equal(tcp_conn_memory(p.c), 0);
	peer_expect(&p, TCP_RST | TCP_ACK, 101, 1, 0); /* SND.NXT */
	peer_dry(&p);
	peer_fini(&p);
	/* [RFC9293 3.10.5] nobody to tell */
	peer_init(&p);
	peer_in_state(&p, TCP_S_SYN_SENT);
	tcp_conn_abort(p.c, p.now);
	peer_dry(&p);
	assert_int_equal(ready(&p), TCP_READY_DONE);
	peer_fini(&p);
}

static void kill_tells_both_sides(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p);
	peer_connect(&p);
	peer_send(&p, TCP_ACK, 1, 1, 10);
	tcp_conn_kill(p.c, ECONNABORTED, p.now);
	peer_expect(&p, TCP_RST | TCP_ACK, 1, 11, 0);
	assert_int_equal(tcp_conn_error(p.c), ECONNABORTED);
	assert_int_equal(peer_read(&p, 1, 10), 10);
	peer_fini(&p);
}

/* Contract: what was delivered can be read, then comes the error. */
static void reset_keeps_what_was_received(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p);
	peer_connect(&p);
	peer_send(&p, TCP_ACK, 1, 1, 10);
	peer_write(&p, 50);
	peer_drain(&p);
	peer_send(&p, TCP_RST, 11, 0, 0);
	assert_int_equal(tcp_conn_error(p.c), ECONNRESET);
	assert_int_equal(
		ready(&p) & (TCP_READY_IN | TCP_READY_DONE | TCP_READY_EOF),
		TCP_READY_IN);
	assert_int_equal(peer_read(&p, 1, 10), 10);
	assert_int_equal(ready(&p) & TCP_READY_DONE, TCP_READY_DONE);
	peer_dry(&p);
	peer_fini(&p);
}

static void retransmitted_fin_restarts_2msl(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p);
	peer_in_state(&p, TCP_S_TIME_WAIT);
	peer_wait(&p, DUR_S(50));
	peer_send(&p, TCP_FIN | TCP_ACK, 1, 2, 0);
	peer_expect(&p, TCP_ACK, 2, 2, 0);
	assert_int_equal(peer_wait_deadline(&p), 60000);
	peer_fini(&p);
}

/* ---- options and displays ------------------------------------------- */

static void option_ranges(void **state)
{
	static const struct {
		enum tcp_opt o;
		int64_t v;
		bool ok;
	} cases[] = {
		{TCP_OPT_KEEPIDLE, 0, false},
		{TCP_OPT_KEEPIDLE, 1, true},
		{TCP_OPT_KEEPIDLE, 32767, true},
		{TCP_OPT_KEEPIDLE, 32768, false},
		{TCP_OPT_KEEPINTVL, 0, false},
		{TCP_OPT_KEEPINTVL, 7, true},
		{TCP_OPT_KEEPCNT, 0, false},
		{TCP_OPT_KEEPCNT, 127, true},
		{TCP_OPT_KEEPCNT, 128, false},
		{TCP_OPT_SYNCNT, 0, false},
		{TCP_OPT_SYNCNT, 128, false},
		{TCP_OPT_MAXSEG, 87, false},
		{TCP_OPT_MAXSEG, 88, true},
		{TCP_OPT_MAXSEG, 65496, false},
		{TCP_OPT_USER_TIMEOUT, -1, false},
		{TCP_OPT_CC, 7, false},
		{TCP_OPT_CC, TCP_CC_NEWRENO, true},
		{TCP_OPT_RCVBUF, -5, false},
		{TCP_OPT_NOTSENT_LOWAT, 5000, true},
		{TCP_OPT__COUNT, 1, false},
	};
	struct peer p;

	(void)state;
	peer_init(&p);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int r = tcp_conn_set_opt(p.c, cases[i].o, cases[i].v, p.now);

		assert_int_equal(r, cases[i].ok ? 0 : -EINVAL);
		if (cases[i].ok)
			assert_int_equal(tcp_conn_get_opt(p.c, cases[i].o),
					 cases[i].v);
	}
	set(&p, TCP_OPT_SNDBUF, 100);
	assert_int_equal(tcp_conn_get_opt(p.c, TCP_OPT_SNDBUF), 2048);
	peer_fini(&p);
}

static void listener_options_are_inherited(void **state)
{
	struct peer a, b;

	(void)state;
	peer_init(&a);
	peer_init(&b);
	set(&a, TCP_OPT_NODELAY, 1);
	set(&a, TCP_OPT_KEEPALIVE, 1);
	set(&a, TCP_OPT_KEEPIDLE, 5);
	set(&a, TCP_OPT_RCVBUF, 30000);
	set(&a, TCP_OPT_CC, TCP_CC_NEWRENO);
	peer_connect(&b);
	tcp_conn_copy_opts(b.c, a.c);
	for (int o = 0; o < TCP_OPT__COUNT; o++)
		if (o != TCP_OPT_MAXSEG && o != TCP_OPT_SNDBUF)
			assert_int_equal(
				tcp_conn_get_opt(b.c, (enum tcp_opt)o),
				tcp_conn_get_opt(a.c, (enum tcp_opt)o));
	/* keepalive runs from now on; 10 ms of it were the handshake */
	assert_in_range(peer_wait_deadline(&b), 4990, 5000);
	peer_fini(&a);
	peer_fini(&b);
}

static void info_is_linux_shaped(void **state)
{
	struct tcp_info i;
	struct peer p;

	(void)state;
	peer_init(&p);
	p.ts = p.sack = true;
	peer_connect(&p);
	peer_write(&p, 5000);
	peer_drain(&p);
	peer_send(&p, TCP_ACK, 1, 1449, 20);
	memset(&i, 0xff, sizeof(i));
	tcp_conn_info(p.c, &i, p.now);
	assert_int_equal(i.tcpi_state, 1);
	assert_int_equal(i.tcpi_options, TCPI_OPT_SACK | TCPI_OPT_TIMESTAMPS);
	assert_int_equal(i.tcpi_snd_mss, 1448);
	assert_int_equal(i.tcpi_bytes_acked, 1448);
	assert_int_equal(i.tcpi_bytes_received, 20);
	assert_int_equal(i.tcpi_unacked, 3);
	assert_int_equal(i.tcpi_rto, 200000);
	assert_int_equal(i.tcpi_data_segs_out, 4);
	assert_int_equal(i.tcpi_data_segs_in, 1);
	assert_true(i.tcpi_snd_cwnd >= 10);
	assert_int_equal(i.tcpi_reordering, 0); /* unknown: zero, not noise */
	peer_fini(&p);
}

static void names_are_complete(void **state)
{
	(void)state;
	for (int i = 0; i < TCP_DROP__COUNT; i++)
		assert_string_not_equal(tcp_drop_name((enum tcp_drop)i), "?");
	assert_string_equal(tcp_drop_name(TCP_DROP__COUNT), "?");
	assert_string_equal(tcp_state_name(TCP_S_LAST_ACK), "LAST-ACK");
}

/* Nothing is held by a connection that only exists. */
static void idle_connection_is_small(void **state)
{
	struct peer p;

	(void)state;
	peer_init(&p);
	p.ts = p.sack = true;
	peer_connect(&p);
	peer_write(&p, 100);
	peer_drain(&p);
	peer_send(&p, TCP_ACK, 1, 101, 100);
	peer_read(&p, 1, 100);
	peer_wait(&p, DUR_S(1));
	peer_drain(&p);
	assert_int_equal(tcp_conn_memory(p.c), 0);
	assert_int_equal(p.pool.used_bytes, 0);
	assert_true(tcp_conn_size() <= 672);
	peer_fini(&p);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(syn_offers_everything),
	cmocka_unit_test(what_the_peer_lacks_is_off),
	cmocka_unit_test(options_come_out_of_the_mss),
	cmocka_unit_test(tiny_mss_is_raised),
	cmocka_unit_test(syn_is_repeated_then_given_up),
	cmocka_unit_test(syncnt_and_user_timeout_bound_the_open),
	cmocka_unit_test(lost_syn_gives_no_sample),
	cmocka_unit_test(handshake_gives_the_first_sample),
	cmocka_unit_test(simultaneous_open),
	cmocka_unit_test(data_written_before_the_handshake_follows_it),
	cmocka_unit_test(data_on_the_syn_ack_is_taken),
	cmocka_unit_test(icmp_ends_only_an_open),
	cmocka_unit_test(soft_error_explains_a_failed_open),
	cmocka_unit_test(half_close_lets_data_come),
	cmocka_unit_test(peer_closes_first),
	cmocka_unit_test(fin_before_a_hole_waits_for_it),
	cmocka_unit_test(data_and_fin_cannot_contradict),
	cmocka_unit_test(close_with_unread_data_resets),
	cmocka_unit_test(data_for_an_orphan_resets),
	cmocka_unit_test(orphan_does_not_wait_for_ever),
	cmocka_unit_test(orphan_gives_up_sooner),
	cmocka_unit_test(abort_sends_one_reset),
	cmocka_unit_test(kill_tells_both_sides),
	cmocka_unit_test(reset_keeps_what_was_received),
	cmocka_unit_test(retransmitted_fin_restarts_2msl),
	cmocka_unit_test(option_ranges),
	cmocka_unit_test(listener_options_are_inherited),
	cmocka_unit_test(info_is_linux_shaped),
	cmocka_unit_test(names_are_complete),
	cmocka_unit_test(idle_connection_is_small),
};

UNIT_MAIN(tests)
