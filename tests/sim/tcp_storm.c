/*
 * tcp_storm: can segments break the engine? Two engines talk while a third
 * party throws segments at both: numbers in and around the windows, any
 * flags, absurd SACK blocks and options. Nothing is promised about the data;
 * but no invariant may break, no output may spin, no timer may lie in the
 * past, memory stays bounded and all of it comes back.
 *
 *    tcp_storm SEEDS FIRST [-v]
 */
#include "sim/tcp_link.h"

#include "tcp/conn.h"

#include <stdlib.h>
#include <string.h>

#define ROUNDS 400
#define MEMORY_MAX (24u << 20) /* of one connection with 6 MiB of window */

static uint32_t around(struct link *l, uint32_t v)
{
	static const int32_t near[] = {0, 0, 0, 1, -1, 2, 100, -100, 1460};

	switch (link_below(l, 4)) {
	case 0:
	case 1:
		return v + (uint32_t)near[link_below(l, ARRAY_SIZE(near))];
	case 2:
		return v + link_below(l, 200000) - 100000;
	default:
		return (uint32_t)link_rand(l);
	}
}

static void forge_options(struct link *l, const struct tcp_conn *to,
			  struct tcp_options *o)
{
	o->has_mss = link_chance(l, 100);
	o->mss = (uint16_t)link_rand(l);
	o->has_wscale = link_chance(l, 100);
	o->wscale = (uint8_t)link_rand(l);
	o->sack_permitted = link_chance(l, 100);
	o->has_ts = to->ts_ok && link_chance(l, 900);
	o->ts_val = to->ts_recent + link_below(l, 20) - 2;
	o->ts_ecr = (uint32_t)(l->now.ns / 1000000) + to->ts_offset -
		    link_below(l, 100);
	if (link_chance(l, 20))
		o->ts_ecr = (uint32_t)link_rand(l);
	o->n_sack = link_chance(l, 400) ? (uint8_t)link_below(l, 5) : 0;
	for (int i = 0; i < o->n_sack; i++) {
		o->sack[i].left = TCP_SEQ(around(l, to->snd_una.v));
		o->sack[i].right = TCP_SEQ(around(l, to->snd_nxt.v));
	}
}

static uint8_t forge_flags(struct link *l)
{
	static const uint8_t usual[] = {
		TCP_ACK,           TCP_ACK,           TCP_ACK,
		TCP_ACK,           TCP_ACK | TCP_PSH, TCP_ACK | TCP_ECE,
		TCP_ACK | TCP_CWR, TCP_ACK | TCP_URG, TCP_ACK | TCP_FIN,
		TCP_SYN,           TCP_SYN | TCP_ACK, 0};

	/* mostly what keeps a connection alive, or the storm is soon over */
	if (link_chance(l, 1))
		return TCP_RST;
	if (link_chance(l, 4))
		return (uint8_t)link_rand(l);
	return usual[link_below(l, link_chance(l, 900) ? 8 : 12)];
}

static void forge(struct link *l, int to)
{
	static uint8_t payload[65536];
	const struct tcp_conn *c = l->h[to].conn;
	struct tcp_header h = {.src_port = 80, .dst_port = 40000};
	uint32_t len = 0;

	if (!c)
		return;
	if (to == 1) {
		h.src_port = 40000;
		h.dst_port = 80;
	}
	h.seq = TCP_SEQ(around(l, c->rcv_nxt.v));
	h.ack = TCP_SEQ(
		around(l, link_chance(l, 500) ? c->snd_una.v : c->snd_nxt.v));
	h.flags = forge_flags(l);
	h.wnd = (uint16_t)(link_chance(l, 100) ? 0 : link_rand(l));
	h.urg = (uint16_t)link_rand(l);
	forge_options(l, c, &h.opt);
	if (link_chance(l, 500))
		len = link_below(l, link_chance(l, 100) ? 65000 : 1500);
	link_inject(l, to, &h, payload, len);
}

static void program(struct link *l, int i)
{
	struct tcp_conn *c = l->h[i].conn;
	struct iovec iov[4];
	int n = 4;
	size_t got;

	if (!c)
		return;
	got = tcp_conn_write_reserve(c, 1 + link_below(l, 20000), iov, &n);
	for (int k = 0; k < n; k++)
		memset(iov[k].iov_base, 0, iov[k].iov_len);
	got = got ? link_below(l, (uint32_t)got + 1) : 0;
	tcp_conn_write_commit(c, got, link_chance(l, 50), l->now);
	n = 4;
	got = tcp_conn_read_peek(c, iov, &n);
	if (link_chance(l, 300))
		tcp_conn_read_consume(c, link_below(l, (uint32_t)got + 1),
				      l->now);
	if (link_chance(l, 1))
		tcp_conn_shutdown(c, l->now);
	if (link_chance(l, 1) && link_chance(l, 500))
		tcp_conn_close(c, l->now);
	if (link_chance(l, 1) && link_chance(l, 200))
		tcp_conn_abort(c, l->now);
	if (link_chance(l, 5)) {
		struct tcp_path p = {
			.mss = (uint16_t)(100 + link_below(l, 9000)),
			.mss_advertise = 1460,
			.gso_max = link_below(l, 65536)};

		/* the link's check of sizes follows the largest */
		l->cfg.gso_max = 65535;
		tcp_conn_set_path(c, &p, l->now);
	}
	tcp_conn_check(c);
}

static void set_up(struct link *l, uint64_t seed, bool trace)
{
	struct link_cfg cfg = {.seed = seed,
			       .loss_pm = 30,
			       .dup_pm = 20,
			       .reorder_pm = 50,
			       .delay = DUR_US(500),
			       .reorder = DUR_MS(5),
			       .mss = 9100,
			       .gso_max = 65535,
			       .gro = true,
			       .trace = trace};

	link_init(l, &cfg);
	for (int i = 0; i < 2; i++) {
		l->h[i].env.tune.sack = link_chance(l, 800);
		l->h[i].env.tune.timestamps = link_chance(l, 800);
		l->h[i].env.tune.ecn = TCP_ECN_ON;
		l->h[i].env.tune.cc =
			(enum tcp_cc_kind)link_below(l, 3);
	}
	/* forged ACKs make the two ends disagree: edges are not comparable */
	l->lax = true;
	link_listen(l);
	link_open(l);
	link_run_until(l, mono_add(l->now, DUR_S(20)));
}

static uint64_t run(uint64_t seed, bool trace)
{
	struct link *l = calloc(1, sizeof(*l));
	uint64_t alive = 0;

	set_up(l, seed, trace);
	for (int r = 0; r < ROUNDS; r++) {
		for (uint32_t k = link_below(l, 4); k--;)
			forge(l, (int)link_below(l, 2));
		for (int i = 0; i < 2; i++)
			program(l, i);
		link_run_until(l,
			       mono_add(l->now, DUR_US(link_below(l, 3000))));
		for (int i = 0; i < 2; i++) {
			if (!l->h[i].conn)
				continue;
			LINK_ASSERT(l, tcp_conn_memory(l->h[i].conn) <=
					       MEMORY_MAX);
			alive += tcp_conn_state(l->h[i].conn) != TCP_S_CLOSED;
		}
	}
	/* Whatever they believe now, time ends it, unless both programs
	 * simply wait. */
	for (int i = 0; i < 2; i++)
		if (l->h[i].conn)
			tcp_conn_close(l->h[i].conn, l->now);
	link_run_until(l, mono_add(l->now, DUR_S(4000)));
	for (int i = 0; i < 2; i++)
		if (l->h[i].conn)
			LINK_ASSERT(l, tcp_conn_ready(l->h[i].conn) &
					       TCP_READY_DONE);
	link_fini(l);
	free(l);
	return alive;
}

/* COUPLET_SEEDS asks for fewer, for slow runs under valgrind. */
static uint64_t seed_count(const char *arg)
{
	const char *env = getenv("COUPLET_SEEDS");

	return strtoull(env ? env : arg, NULL, 10);
}

int main(int argc, char **argv)
{
	uint64_t seeds = seed_count(argc > 1 ? argv[1] : "200");
	uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	bool trace = argc > 3 && strcmp(argv[3], "-v") == 0;
	uint64_t alive = 0;

	for (uint64_t i = 0; i < seeds; i++)
		alive += run(first + i, trace);
	printf("%llu seeds from %llu: nothing broke; connections lived "
	       "through %llu of %llu rounds\n",
	       (unsigned long long)seeds, (unsigned long long)first,
	       (unsigned long long)alive,
	       (unsigned long long)(seeds * ROUNDS * 2));
	return 0;
}
