/*
 * tcp_sim: does the TCP engine keep every byte? Two engines, a bad network,
 * programs that read and write as they please, one seed after another.
 *
 *    tcp_sim SEEDS FIRST [-v]
 *
 * prints the seed and stops at the first violation; -v traces the segments.
 */
#include "sim/tcp_link.h"

#include <stdlib.h>
#include <string.h>

#define VIRTUAL_MAX DUR_S(40000) /* longer means stuck */
#define STEPS_MAX 2000000

struct side {                 /* the program on one host */
	uint64_t key;         /* of the bytes it sends */
	uint32_t total, sent; /* bytes to send */
	uint32_t got;         /* bytes received */
	uint32_t write_max, read_max;
	uint32_t read_gap_us; /* 0: reads at once */
	mono_t read_at;
	bool nodelay, cork, more, eof, closed;
	bool full_close; /* close() when done, else shutdown() */
};

struct sim {
	struct link l;
	struct side s[2];
};

static uint8_t byte_at(uint64_t key, uint32_t i)
{
	uint64_t z = (key + i / 8) * 0x9e3779b97f4a7c15u;

	z ^= z >> 29;
	return (uint8_t)(z >> (i % 8 * 8));
}

static uint32_t pick(struct link *l, const uint32_t *v, size_t n)
{
	return v[link_below(l, (uint32_t)n)];
}

#define PICK(l, ...) \
	pick((l), (const uint32_t[]){__VA_ARGS__}, \
	     ARRAY_SIZE(((const uint32_t[]){__VA_ARGS__})))

/* ---- programs ------------------------------------------------------- */

static void do_write(struct sim *s, int i)
{
	struct side *p = &s->s[i];
	struct tcp_conn *c = s->l.h[i].conn;
	struct iovec iov[4];
	uint32_t want, left, done = 0;
	int n = 1 + (int)link_below(&s->l, 4);
	size_t room;

	want = 1 + link_below(&s->l, p->write_max);
	want = MIN(p->total - p->sent, want);
	room = tcp_conn_write_reserve(c, want + link_below(&s->l, 70000), iov,
				      &n);
	left = MIN((uint32_t)room, want);
	for (int k = 0; k < n && done < left; k++) {
		uint8_t *to = iov[k].iov_base;
		uint32_t part = MIN(left - done, (uint32_t)iov[k].iov_len);

		for (uint32_t b = 0; b < part; b++)
			to[b] = byte_at(p->key, p->sent + done + b);
		done += part;
	}
	tcp_conn_write_commit(c, done, p->more && link_chance(&s->l, 300),
			      s->l.now);
	p->sent += done;
	tcp_conn_check(c);
}

static void do_read(struct sim *s, int i)
{
	struct side *p = &s->s[i];
	const struct side *peer = &s->s[!i];
	struct tcp_conn *c = s->l.h[i].conn;
	struct iovec iov[8];
	int n = 1 + (int)link_below(&s->l, 8);
	size_t have = tcp_conn_read_peek(c, iov, &n), take, seen = 0;

	take = 1 + (size_t)link_below(&s->l, p->read_max);
	take = MIN(have, take);
	for (int k = 0; k < n && seen < take; k++) {
		const uint8_t *from = iov[k].iov_base;

		for (size_t b = 0; b < iov[k].iov_len && seen < take;
		     b++, seen++)
			LINK_ASSERT(&s->l,
				    from[b] ==
					    byte_at(peer->key,
						    p->got + (uint32_t)seen));
	}
	tcp_conn_read_consume(c, take, s->l.now);
	p->got += (uint32_t)take;
	LINK_ASSERT(&s->l, p->got <= peer->total);
	tcp_conn_check(c);
	if (p->read_gap_us)
		p->read_at =
			mono_add(s->l.now,
				 DUR_US(1 + link_below(&s->l, p->read_gap_us)));
}

static void finish_writing(struct sim *s, int i)
{
	struct side *p = &s->s[i];
	struct tcp_conn *c = s->l.h[i].conn;

	if (p->closed || p->sent < p->total)
		return;
	if (p->full_close && !p->eof)
		return; /* reads to the end first */
	if (p->full_close)
		tcp_conn_close(c, s->l.now);
	else
		tcp_conn_shutdown(c, s->l.now);
	p->closed = true;
	tcp_conn_check(c);
}

static void options(struct sim *s, int i)
{
	struct side *p = &s->s[i];
	int r;

	if (p->cork && link_chance(&s->l, 100)) {
		r = tcp_conn_set_opt(s->l.h[i].conn, TCP_OPT_CORK,
				     link_below(&s->l, 2), s->l.now);
		LINK_ASSERT(&s->l, r == 0);
	}
}

static void program(struct sim *s, int i)
{
	struct side *p = &s->s[i];
	struct tcp_conn *c = s->l.h[i].conn;
	unsigned ready;

	if (!c)
		return;
	options(s, i);
	ready = tcp_conn_ready(c);
	LINK_ASSERT(&s->l, !(ready & TCP_READY_ERR));
	if ((ready & TCP_READY_OUT) && p->sent < p->total)
		do_write(s, i);
	if ((ready & TCP_READY_IN) && mono_leq(p->read_at, s->l.now))
		do_read(s, i);
	if (tcp_conn_ready(c) & TCP_READY_EOF) {
		LINK_ASSERT(&s->l, p->got == s->s[!i].total);
		p->eof = true;
	}
	if (ready & TCP_READY_CONN)
		finish_writing(s, i);
}

/* ---- one seed ------------------------------------------------------- */

static void choose_network(struct sim *s, uint64_t seed, bool trace)
{
	struct link_cfg cfg = {.seed = seed, .trace = trace};
	struct link tmp = {.rng = seed * 1000003};
	bool bad = link_chance(&tmp, 850);

	if (bad) {
		cfg.loss_pm = link_below(&tmp, 101);
		cfg.dup_pm = link_below(&tmp, 50);
		cfg.reorder_pm = link_below(&tmp, 200);
		cfg.corrupt_pm = link_below(&tmp, 20);
	}
	cfg.ce_pm = PICK(&tmp, 0, 0, 20);
	cfg.delay = DUR_US(PICK(&tmp, 10, 200, 5000, 40000));
	cfg.jitter = DUR_US(PICK(&tmp, 0, 50, 2000));
	cfg.reorder = DUR_US(PICK(&tmp, 100, 10000, 80000));
	cfg.mss = (uint16_t)PICK(&tmp, 536, 1220, 1460, 1460, 8960, 65495);
	cfg.gso_max = PICK(&tmp, 0, 16000, 65535);
	cfg.gro = link_chance(&tmp, 500);
	link_init(&s->l, &cfg);
}

static void choose_host(struct sim *s, int i)
{
	struct tcp_tune *t = &s->l.h[i].env.tune;
	struct link *l = &s->l;

	t->syn_retries = 20;
	t->synack_retries = 12;
	t->timestamps = link_chance(l, 700);
	t->sack = link_chance(l, 700);
	t->window_scaling = link_chance(l, 800);
	t->ecn = (enum tcp_ecn_mode)link_below(l, 3);
	t->cc = (enum tcp_cc_kind)link_below(l, 3);
	t->rcvbuf_init = PICK(l, 2000, 5000, 20000, 131072);
	t->sndbuf_init = PICK(l, 4000, 16384, 65536);
	t->rcvbuf_max = t->sndbuf_max = PICK(l, 65536, 131072, 1048576);
	t->rcvbuf_max = MAX(t->rcvbuf_init, t->rcvbuf_max);
}

static void choose_program(struct sim *s, int i)
{
	struct side *p = &s->s[i];
	struct link *l = &s->l;
	uint32_t max = PICK(l, 1, 3000, 30000, 90000);

	*p = (struct side){
		.key = link_rand(l),
		.total = link_below(l, max),
		.write_max = PICK(l, 10, 1000, 70000),
		.read_max = PICK(l, 100, 5000, 100000),
		.read_gap_us = PICK(l, 0, 0, 500, 20000, 250000),
		.nodelay = link_chance(l, 400),
		.cork = link_chance(l, 200),
		.more = link_chance(l, 200),
		/* one of the two has to end first */
		.full_close = link_chance(l, 300) && !(i && s->s[0].full_close),
	};
	/* tiny writes of much data prove nothing and take long */
	if (p->write_max == 10)
		p->total = MIN(p->total, 3000u);
	if (p->read_gap_us && p->read_max == 100)
		p->total = MIN(p->total, 20000u);
}

static void set_program_options(struct sim *s, int i)
{
	struct tcp_conn *c = s->l.h[i].conn;
	int r = tcp_conn_set_opt(c, TCP_OPT_NODELAY, s->s[i].nodelay, s->l.now);

	LINK_ASSERT(&s->l, r == 0);
}

static void on_accept(struct link *l, void *arg)
{
	(void)l;
	set_program_options(arg, 1);
}

static mono_t next_time(const struct sim *s)
{
	mono_t t = link_next(&s->l);

	for (int i = 0; i < 2; i++)
		if (s->l.h[i].conn &&
		    (tcp_conn_ready(s->l.h[i].conn) & TCP_READY_IN))
			t = mono_min(t,
				     mono_max(s->s[i].read_at,
					      mono_add(s->l.now, DUR_US(1))));
	return t;
}

static bool over(const struct sim *s)
{
	for (int i = 0; i < 2; i++) {
		const struct tcp_conn *c = s->l.h[i].conn;

		if (!c || !(tcp_conn_ready(c) & TCP_READY_DONE))
			return false;
	}
	return true;
}

/* What happened in all seeds: a network that never hurts proves nothing. */
struct totals {
	uint64_t wire, lost, rto, sack, reno, dsack, ooo, probes, retrans, ce;
};

static void add_up(struct totals *t, const struct sim *s)
{
	t->wire += s->l.wire_segs;
	t->lost += s->l.lost;
	for (int i = 0; i < 2; i++) {
		const struct tcp_stats *st = &s->l.h[i].env.stats;

		t->rto += st->rto_timeouts;
		t->sack += st->sack_recoveries;
		t->reno += st->fast_recoveries - st->sack_recoveries;
		t->dsack += st->dsack_in;
		t->ooo += st->ooo_in;
		t->probes += st->zero_window_probes;
		t->retrans += st->retrans_segs;
		t->ce += st->ecn_ce_in;
	}
}

/* Runs to the end; returns virtual seconds. */
static double run(uint64_t seed, bool trace, struct totals *sum)
{
	struct sim *s = calloc(1, sizeof(*s));
	mono_t start, t;
	double took;
	int steps = 0;

	choose_network(s, seed, trace);
	for (int i = 0; i < 2; i++) {
		choose_host(s, i);
		choose_program(s, i);
	}
	s->l.on_accept = on_accept;
	s->l.arg = s;
	start = s->l.now;
	link_listen(&s->l);
	link_open(&s->l);
	set_program_options(s, 0);
	link_flush(&s->l);
	while (!over(s)) {
		t = next_time(s);
		LINK_ASSERT(&s->l, !mono_is_never(t));
		LINK_ASSERT(&s->l, mono_lt(t, mono_add(start, VIRTUAL_MAX)));
		LINK_ASSERT(&s->l, steps++ < STEPS_MAX);
		link_step(&s->l, t);
		for (int i = 0; i < 2; i++)
			program(s, i);
		link_flush(&s->l);
	}
	for (int i = 0; i < 2; i++) {
		LINK_ASSERT(&s->l, s->s[i].got == s->s[!i].total);
		LINK_ASSERT(&s->l, tcp_conn_error(s->l.h[i].conn) == 0);
		LINK_ASSERT(&s->l, tcp_conn_memory(s->l.h[i].conn) == 0);
	}
	add_up(sum, s);
	took = (double)mono_sub(s->l.now, start).ns / 1e9;
	link_fini(&s->l);
	free(s);
	return took;
}

/* COUPLET_SEEDS asks for fewer, for slow runs under valgrind. */
static uint64_t seed_count(const char *arg)
{
	const char *env = getenv("COUPLET_SEEDS");

	return strtoull(env ? env : arg, NULL, 10);
}

int main(int argc, char **argv)
{
	uint64_t seeds = seed_count(argc > 1 ? argv[1] : "1000");
	uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	bool trace = argc > 3 && strcmp(argv[3], "-v") == 0;
	double worst = 0;
	uint64_t worst_seed = first;
	struct totals t = {0};

	for (uint64_t i = 0; i < seeds; i++) {
		double took = run(first + i, trace, &t);

		if (took > worst) {
			worst = took;
			worst_seed = first + i;
		}
	}
	printf("%llu seeds from %llu: every byte intact; slowest %llu "
	       "(%.1f virtual seconds)\n",
	       (unsigned long long)seeds, (unsigned long long)first,
	       (unsigned long long)worst_seed, worst);
	printf("segments %llu, lost %llu, retransmitted %llu; time-outs %llu, "
	       "recoveries SACK %llu, NewReno %llu; D-SACK %llu, out of "
	       "order %llu, probes %llu, CE %llu\n",
	       (unsigned long long)t.wire, (unsigned long long)t.lost,
	       (unsigned long long)t.retrans, (unsigned long long)t.rto,
	       (unsigned long long)t.sack, (unsigned long long)t.reno,
	       (unsigned long long)t.dsack, (unsigned long long)t.ooo,
	       (unsigned long long)t.probes, (unsigned long long)t.ce);
	/* every mechanism was in use */
	if (seeds >= 200 && (!t.rto || !t.sack || !t.reno || !t.dsack ||
			     !t.ooo || !t.probes || !t.ce))
		return 1;
	return 0;
}
