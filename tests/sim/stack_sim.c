/*
 * stack_sim: two whole stacks, one TCP connection (sometimes several) over a
 * bad link, both families, both kinds of link, both directions at once, random
 * sizes and pauses. Every byte is compared, every buffer comes back.
 *
 *     stack_sim COUNT [FIRST]     seeds FIRST .. FIRST + COUNT - 1
 *
 * A failure names its seed.
 */
#include "simnet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORT 80
#define STREAMS_MAX 4

struct end { /* one program's side of a connection */
	struct sock *sk;
	uint64_t send_total, sent, received, recv_total;
	uint64_t send_key, recv_key;
	uint16_t port; /* of the client */
	bool fin_sent, eof, dead;
	mono_t pause_until;
};

struct stream {
	struct end end[2];
};

struct world {
	struct simnet net;
	struct sock *listener;
	struct stream streams[STREAMS_MAX];
	unsigned n_streams, accepted;
	int failed;
	uint64_t seed;
};

static uint8_t byte_at(uint64_t key, uint64_t i)
{
	return (uint8_t)((i * 2654435761u + key) >> 13 ^ i >> 3);
}

static void fail(struct world *w, const char *what)
{
	if (!w->failed++)
		fprintf(stderr, "seed %llu: %s at %.3f s\n",
			(unsigned long long)w->seed, what,
			(double)w->net.now.ns / 1e9);
}

static void pump_out(struct world *w, int side, struct end *e)
{
	struct stack *s = w->net.stack[side];

	while (e->sent < e->send_total) {
		struct iovec iov[4];
		int n = 4;
		size_t want = 1 + sim_rand(&w->net, 20000), got, used = 0;

		want = MIN(want, e->send_total - e->sent);
		got = stack_sock_write_reserve(s, e->sk, want, iov, &n);
		if (!got)
			return;
		got = MIN(got, want);
		for (int i = 0; i < n && used < got; i++)
			for (size_t k = 0; k < iov[i].iov_len && used < got;
			     k++, used++)
				((uint8_t *)iov[i].iov_base)[k] =
					byte_at(e->send_key, e->sent + used);
		stack_sock_write_commit(s, e->sk, used,
					sim_rand(&w->net, 8) == 0, w->net.now);
		e->sent += used;
	}
	if (!e->fin_sent) {
		e->fin_sent = true;
		stack_sock_shutdown(s, e->sk, w->net.now);
	}
}

static void pump_in(struct world *w, int side, struct end *e)
{
	struct stack *s = w->net.stack[side];
	struct iovec iov[4];
	size_t budget = 1 + sim_rand(&w->net, 60000);
	int n = 4;

	while (budget && stack_sock_read_peek(s, e->sk, iov, &n) > 0) {
		size_t len = MIN(iov[0].iov_len, budget);

		for (size_t k = 0; k < len; k++)
			if (((uint8_t *)iov[0].iov_base)[k] !=
			    byte_at(e->recv_key, e->received + k)) {
				fail(w, "wrong byte");
				return;
			}
		e->received += len;
		budget -= len;
		stack_sock_read_consume(s, e->sk, len, w->net.now);
		n = 4;
	}
}

static void check_end(struct world *w, int side, struct end *e, unsigned ev)
{
	if (ev & SOCK_EV_ERR)
		fail(w, "connection failed");
	if (e->received > e->recv_total)
		fail(w, "too many bytes");
	if (ev & SOCK_EV_EOF && e->received != e->recv_total)
		fail(w, "end of file too early");
	e->eof = ev & SOCK_EV_EOF;
	if (e->eof && e->fin_sent && (ev & (SOCK_EV_DONE | SOCK_EV_EOF)) &&
	    !e->dead && sim_rand(&w->net, 2)) {
		e->dead = true;
		stack_sock_close(w->net.stack[side], e->sk, w->net.now);
	}
}

static void pump(struct world *w, int side, struct end *e)
{
	if (e->dead || w->failed)
		return;
	if (mono_lt(w->net.now, e->pause_until))
		return;
	if (sim_rand(&w->net, 50) == 0) {
		e->pause_until =
			mono_add(w->net.now, DUR_MS(sim_rand(&w->net, 300)));
		return;
	}
	pump_out(w, side, e);
	pump_in(w, side, e);
	check_end(w, side, e, stack_sock_events(w->net.stack[side], e->sk));
}

static void accept_all(struct world *w)
{
	struct stack *s = w->net.stack[1];
	struct sock *c;

	while ((c = stack_sock_accept(s, w->listener))) {
		struct ip_port remote;
		struct end *e = NULL;

		INVARIANT(sock_remote(c, &remote) == 0);
		for (unsigned i = 0; i < w->n_streams; i++)
			if (w->streams[i].end[0].port == remote.port)
				e = &w->streams[i].end[1];
		if (!e || e->sk) {
			fail(w, "accepted what nobody opened");
			stack_sock_abort(s, c, w->net.now);
			continue;
		}
		e->sk = c;
		sock_set_user(c, e);
		w->accepted++;
	}
}

static void on_ready(void *arg, int side, struct sock *sk, unsigned events)
{
	struct world *w = arg;

	if (events & SOCK_EV_ACCEPT)
		accept_all(w);
	else if (sock_user(sk))
		pump(w, side, sock_user(sk));
}

static void random_link(struct world *w, struct sim_link *l)
{
	struct simnet *n = &w->net;

	l->loss = (unsigned)sim_rand(n, 1001);
	l->dup = (unsigned)sim_rand(n, 500);
	l->reorder = (unsigned)sim_rand(n, 2000);
	l->corrupt = (unsigned)sim_rand(n, 500);
	l->delay = DUR_US(100 + sim_rand(n, 60000));
	l->jitter = DUR_US(sim_rand(n, 5000));
	l->keep_order = sim_rand(n, 2);
	if (sim_rand(n, 3) == 0) {
		l->bits_per_s = 1000000 + sim_rand(n, 100000000);
		l->queue_bytes = 20000 + (uint32_t)sim_rand(n, 200000);
	}
}

static void setup(struct world *w, uint64_t seed)
{
	struct sim_setup c;
	static const uint32_t mtus[] = {1280, 1500, 9000, 65535};

	w->seed = seed;
	w->net.rng = seed * 7919 + 1;
	sim_defaults(&c, seed);
	random_link(w, &c.link[0]);
	random_link(w, &c.link[1]);
	c.kind = sim_rand(&w->net, 2) ? IP_LINK_L3 : IP_LINK_L2;
	c.mtu = mtus[sim_rand(&w->net, 4)];
	if (sim_rand(&w->net, 3) == 0)
		c.gso_max = 65535;
	c.config.tcp.sack = sim_rand(&w->net, 5) != 0;
	c.config.tcp.timestamps = sim_rand(&w->net, 4) != 0;
	c.config.tcp.window_scaling = sim_rand(&w->net, 6) != 0;
	c.config.tcp.cc = (enum tcp_cc_kind)sim_rand(&w->net, 3);
	if (sim_rand(&w->net, 4) == 0)
		c.config.tcp.rcvbuf_max = c.config.tcp.rcvbuf_init =
			4000 + (uint32_t)sim_rand(&w->net, 30000);
	sim_init(&w->net, &c);
	w->net.on_ready = on_ready;
	w->net.arg = w;
}

static void open_stream(struct world *w, struct stream *st, enum ip_family f)
{
	struct sock_owner me = {0};
	struct ip_port to = {.addr = sim_addr(f, 1), .port = PORT};
	struct ip_port mine;
	struct end *e = st->end;

	for (int i = 0; i < 2; i++) {
		e[i].send_total =
			sim_rand(&w->net, 3) ? sim_rand(&w->net, 120000) : 0;
		e[i].send_key = sim_rand(&w->net, 1u << 30);
	}
	for (int i = 0; i < 2; i++) {
		e[i].recv_total = e[!i].send_total;
		e[i].recv_key = e[!i].send_key;
	}
	INVARIANT(stack_sock_new(w->net.stack[0], SOCK_TCP, f, &me, &e[0],
				 &e[0].sk) == 0);
	INVARIANT(stack_sock_connect(w->net.stack[0], e[0].sk, &to,
				     w->net.now) == 0);
	sock_local(e[0].sk, &mine);
	e[0].port = mine.port;
}

static bool finished(const struct world *w)
{
	for (unsigned i = 0; i < w->n_streams; i++)
		for (int k = 0; k < 2; k++)
			if (!w->streams[i].end[k].dead)
				return false;
	return true;
}

static void drive(struct world *w)
{
	mono_t end = mono_add(w->net.now, DUR_S(900));

	while (!finished(w) && !w->failed) {
		mono_t slice = mono_add(w->net.now, DUR_MS(50));

		sim_run_until(&w->net, slice);
		for (unsigned i = 0; i < w->n_streams; i++)
			for (int k = 0; k < 2; k++)
				if (w->streams[i].end[k].sk)
					pump(w, k, &w->streams[i].end[k]);
		if (mono_lt(end, w->net.now))
			fail(w, "not finished after 900 s");
	}
}

/* Everything must be given back once TIME-WAIT is over. */
static void wind_down(struct world *w)
{
	stack_sock_close(w->net.stack[1], w->listener, w->net.now);
	sim_run_until(&w->net, mono_add(w->net.now, DUR_S(400)));
	for (int i = 0; i < 2 && !w->failed; i++) {
		struct stack_counters c;

		stack_counters(w->net.stack[i], &c);
		if (c.socks || c.timewaits)
			fail(w, "sockets left");
		if (stack_pool(w->net.stack[i])->used_bytes)
			fail(w, "buffers left");
	}
}

/* On a perfect link first: addresses of an Ethernet are probed (RFC 5227) and
 * neighbours found. A connect that loses all its questions for a neighbour
 * fails, as it should, which is not what is tried here. */
static void get_acquainted(struct world *w)
{
	struct sim_link bad[2] = {w->net.setup.link[0], w->net.setup.link[1]};

	for (int i = 0; i < 2; i++) {
		w->net.setup.link[i].loss = w->net.setup.link[i].corrupt = 0;
		w->net.setup.link[i].dup = 0;
	}
	sim_run_until(&w->net, mono_add(w->net.now, DUR_S(10)));
	for (int f = IP_V4; f <= IP_V6; f += 2) {
		struct ip_addr to = sim_addr((enum ip_family)f, 1);

		INVARIANT(ip_ping(stack_ip(w->net.stack[0]), &to, NULL, 1, 1, 0,
				  8, 64, w->net.now) == 0);
	}
	sim_run_until(&w->net, mono_add(w->net.now, DUR_S(1)));
	w->net.setup.link[0] = bad[0];
	w->net.setup.link[1] = bad[1];
}

/* What the links did to the packets of all seeds. */
struct tally {
	uint64_t sent, lost, duplicated, corrupted;
};

static int run_seed(uint64_t seed, struct tally *t)
{
	struct world *w = calloc(1, sizeof(*w));
	struct sock_owner me = {0};
	struct ip_port at = {.addr = ip_any(IP_V6), .port = PORT};
	int failed;

	INVARIANT(w != NULL);
	setup(w, seed);
	INVARIANT(stack_sock_new(w->net.stack[1], SOCK_TCP, IP_V6, &me, NULL,
				 &w->listener) == 0);
	INVARIANT(stack_sock_bind(w->net.stack[1], w->listener, &at) == 0);
	INVARIANT(stack_sock_listen(w->net.stack[1], w->listener, 16,
				    w->net.now) == 0);
	get_acquainted(w);
	w->n_streams = 1 + (unsigned)sim_rand(&w->net, STREAMS_MAX);
	for (unsigned i = 0; i < w->n_streams; i++)
		open_stream(w, &w->streams[i],
			    sim_rand(&w->net, 2) ? IP_V4 : IP_V6);
	drive(w);
	if (!w->failed)
		wind_down(w);
	failed = w->failed;
	t->sent += w->net.sent;
	t->lost += w->net.lost;
	t->duplicated += w->net.duplicated;
	t->corrupted += w->net.corrupted;
	if (!failed)
		sim_fini(&w->net);
	free(w);
	return failed;
}

int main(int argc, char **argv)
{
	const char *env = getenv("COUPLET_SEEDS");
	uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 10;
	uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	struct tally t = {0};
	uint64_t bad = 0;

	if (env && strtoull(env, NULL, 10) < count)
		count = strtoull(env, NULL, 10);
	for (uint64_t i = 0; i < count; i++)
		bad += run_seed(first + i, &t) != 0;
	printf("%llu seeds, %llu failed\n", (unsigned long long)count,
	       (unsigned long long)bad);
	printf("%llu packets: %llu lost, %llu repeated, %llu damaged\n",
	       (unsigned long long)t.sent, (unsigned long long)t.lost,
	       (unsigned long long)t.duplicated,
	       (unsigned long long)t.corrupted);
	/* a link that did nothing would prove nothing */
	return bad != 0 || !t.lost || !t.duplicated || !t.corrupted;
}
