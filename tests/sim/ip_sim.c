/*
 * ip_sim: three layer-3 stacks on one Ethernet in virtual time.
 *
 *    ip_sim SEEDS FIRST
 *
 * For a while frames are lost, doubled, delayed, reordered and damaged while
 * the hosts send datagrams of all sizes, ping, join and leave groups, lose
 * their link and hear a router; every datagram that arrives must be one that
 * was sent, byte for byte. Then the weather clears, and everybody must reach
 * everybody over both families. Each fourth seed is hostile instead: frames
 * are changed at random and sent again; nothing is promised then but that
 * the hosts survive with their limits kept.
 *
 * After every step the law of the four doors holds: output is dry, and the
 * deadline lies in the future.
 */
#include "ip/ip.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOSTS 3
#define FLIGHT_MAX 20000
#define LOG_MAX 64
#define POOL_LIMIT (32u << 20)
#define STORM_MS 20000
#define CALM_MS 120000

#define CHECK(x) \
	do { \
		if (!(x)) { \
			fprintf(stderr, "seed %" PRIu64 ": %s:%d: %s\n", \
				sim.seed, __FILE__, __LINE__, #x); \
			abort(); \
		} \
	} while (0)

struct flight {
	mono_t at;
	int to;
	uint32_t ifindex; /* 2: from the link; 1: fed back */
	uint32_t len;
	uint8_t *bytes;
};

struct host {
	struct ip_stack *ips;
	struct pkt_pool pool;
	uint64_t rng;
	bool up;
	uint64_t got; /* datagrams delivered */
};

static struct {
	uint64_t seed, rng;
	mono_t now;
	struct host host[HOSTS];
	struct flight flight[FLIGHT_MAX];
	int n_flight;
	bool storm, hostile;
	unsigned loss;
	uint8_t *log[LOG_MAX];
	uint32_t log_len[LOG_MAX];
	unsigned n_log;
	uint64_t delivered;
} sim;

static uint64_t next_random(void *arg)
{
	uint64_t *s = arg, z;

	*s += 0x9e3779b97f4a7c15u;
	z = *s;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static uint64_t rnd(uint64_t below)
{
	return next_random(&sim.rng) % below;
}

static bool chance(unsigned per_cent)
{
	return rnd(100) < per_cent;
}

static struct ip_addr addr_of(bool v6, int host)
{
	struct ip_addr a = {IP_V6, {0x20, 0x01, 0x0d, 0xb8}};

	if (!v6)
		return ip_v4(10, 0, 0, (uint8_t)(1 + host));
	a.b[15] = (uint8_t)(1 + host);
	return a;
}

/* ---- the link
 * ---------------------------------------------------------------- */

static void launch(int to, uint32_t ifindex, const uint8_t *bytes, uint32_t len,
		   mono_t at)
{
	struct flight *f = &sim.flight[sim.n_flight];

	if (sim.n_flight == FLIGHT_MAX)
		return;
	sim.n_flight++;
	*f = (struct flight){
		.at = at, .to = to, .ifindex = ifindex, .len = len};
	f->bytes = malloc(len ? len : 1);
	memcpy(f->bytes, bytes, len);
}

static bool is_fragment_or_arp(const uint8_t *b, uint32_t len)
{
	if (len < 54 || b[13] == 0x06)
		return true;
	if (b[12] == 0x08)
		return (b[20] & 0x3f) || b[21];
	return b[20] == 44;
}

/* Two damaged fragments of one datagram could deceive a sum of 16 bits, and
 * ARP has no sum at all; all else must be noticed. */
static void damage(uint8_t *b, uint32_t len)
{
	if (!is_fragment_or_arp(b, len))
		b[14 + rnd(len - 14)] ^= (uint8_t)(1u << rnd(8));
}

static void remember(const uint8_t *b, uint32_t len)
{
	unsigned i = sim.n_log++ % LOG_MAX;

	free(sim.log[i]);
	sim.log[i] = malloc(len);
	memcpy(sim.log[i], b, len);
	sim.log_len[i] = len;
}

static void transmit(int from, const struct frame *f)
{
	static uint8_t b[70000];
	uint32_t len = (uint32_t)frame_len(f);

	CHECK(frame_copy(f, b, sizeof(b)) == (ssize_t)len);
	if (f->ifindex == 1) { /* core's part */
		launch(from, 1, b, len, mono_add(sim.now, DUR_NS(1)));
		return;
	}
	CHECK(f->l2_len == 14 && !f->needs_csum && len <= 1514);
	if (sim.hostile)
		remember(b, len);
	for (int to = 0; to < HOSTS; to++) {
		static uint8_t copy[70000];
		int times = sim.storm && chance(5) ? 2 : 1;

		for (int i = 0; i < times && to != from; i++) {
			uint64_t us = 50 + (sim.storm ? rnd(20000) : 0);

			if (sim.storm && chance(sim.loss))
				continue;
			memcpy(copy, b, len);
			if (sim.storm && chance(2))
				damage(copy, len);
			launch(to, 2, copy, len, mono_add(sim.now, DUR_US(us)));
		}
	}
}

/* ---- the hosts
 * ----------------------------------------------------------------- */

static void settle(int h)
{
	struct host *o = &sim.host[h];
	struct frame f;
	struct ip_event ev;
	int n = 0;

	while (ip_output(o->ips, &f, sim.now)) {
		transmit(h, &f);
		CHECK(++n < 10000);
	}
	CHECK(mono_lt(sim.now, ip_deadline(o->ips)));
	CHECK(o->pool.used_bytes <= POOL_LIMIT);
	CHECK(ip_memory(o->ips) < 4u << 20);
	while (rnd(2) && ip_event(o->ips, &ev))
		;
}

/* The bytes of datagram `id`. */
static void fill(uint8_t *b, uint32_t len, uint64_t id)
{
	uint64_t s = id;

	for (uint32_t i = 0; i < len; i++)
		b[i] = (uint8_t)(i < 8 ? id >> (8 * i) : next_random(&s));
}

static void verify(const struct ip_rx *rx)
{
	static uint8_t want[65536];
	const uint8_t *b = pkt_data(rx->pkt) + 8;
	uint32_t len = rx->pkt->len - 8;
	uint64_t id = 0;

	CHECK(rx->proto == IP_PROTO_UDP && rx->pkt->len >= 8);
	if (len < 8)
		return;
	for (int i = 0; i < 8; i++)
		id |= (uint64_t)b[i] << (8 * i);
	CHECK(id >> 32 == 0x0c0u);
	CHECK((id & 0xffff) == len);
	fill(want, len, id);
	CHECK(memcmp(want, b, len) == 0);
}

static void arrive(struct flight *f)
{
	struct host *o = &sim.host[f->to];
	bool large = f->len > PKT_SMALL_CAP - PKT_HEADROOM || rnd(2);
	struct pkt *p = pkt_new(&o->pool, large ? PKT_LARGE : PKT_SMALL);
	struct ip_rx rx;

	if (p) {
		memcpy(pkt_data(p), f->bytes, f->len);
		p->len = f->len;
		p->ifindex = f->ifindex;
		p->csum = f->ifindex == 1 ? PKT_CSUM_OK : PKT_CSUM_UNKNOWN;
	}
	free(f->bytes);
	if (p && ip_input(o->ips, p, &rx, sim.now)) {
		if (!sim.hostile)
			verify(&rx);
		o->got++;
		sim.delivered++;
		if (rnd(4) == 0)
			ip_unreachable_port(o->ips, &rx, sim.now);
		pkt_free(&o->pool, rx.pkt);
	}
	settle(f->to);
}

static void send_datagram(int h, bool v6, int to, uint32_t len)
{
	static uint8_t data[65536];
	static uint64_t serial;
	struct host *o = &sim.host[h];
	struct ip_addr d = addr_of(v6, to);
	struct ip_tx tx = {.proto = IP_PROTO_UDP,
			   .l4_hdr_len = 8,
			   .csum_offset = 6,
			   .payload_len = len,
			   .n_iov = 1,
			   .iov[0] = {data, len}};
	struct ip_path path;
	struct frame f;
	int n = 0;

	if (ip_path(o->ips, &d, NULL, 0, &path) < 0)
		return;
	fill(data, len, 0x0c0ull << 32 | (++serial & 0xffff) << 16 | len);
	tx.path = &path;
	tx.l4_hdr[4] = (uint8_t)((len + 8) >> 8);
	tx.l4_hdr[5] = (uint8_t)(len + 8);
	tx.l4_hdr[1] = tx.l4_hdr[3] = 7;
	while (ip_tx_next(o->ips, &tx, &f, sim.now) == 1) {
		transmit(h, &f);
		CHECK(++n < 100);
	}
}

static void act(void)
{
	static const uint32_t size[] = {8, 100, 1472, 1473, 3000, 9000, 60000};
	int h = (int)rnd(HOSTS), to = (int)rnd(HOSTS);
	struct host *o = &sim.host[h];
	struct ip_addr a = addr_of(chance(50), to), g = ip_v4(239, 0, 0, 1);
	bool v6 = chance(50);

	g.b[3] = (uint8_t)rnd(5);
	switch (rnd(12)) {
	case 0:
		(void)!ip_ping(o->ips, &a, NULL, (uint16_t)rnd(9), 1, 2,
			       8 + (uint32_t)rnd(3000), 0, sim.now);
		break;
	case 1:
		(void)!ip_group_join(o->ips, 2, &g, sim.now);
		break;
	case 2:
		(void)!ip_group_leave(o->ips, 2, &g, sim.now);
		break;
	case 3:
		if (chance(2)) {
			o->up = !o->up;
			ip_iface_set_up(o->ips, 2, o->up, sim.now);
		}
		break;
	case 4:
		(void)!ip_pmtu_set(o->ips, &a, 1280 + (uint32_t)rnd(300),
				   sim.now);
		break;
	default:
		if (to != h)
			send_datagram(h, v6, to, size[rnd(ARRAY_SIZE(size))]);
		break;
	}
	settle(h);
}

/* A remembered frame, changed in a few places, to one host. */
static void attack(void)
{
	static uint8_t b[70000];
	unsigned i = (unsigned)rnd(MIN(sim.n_log, LOG_MAX));
	uint32_t len;

	if (!sim.n_log)
		return;
	len = sim.log_len[i];
	memcpy(b, sim.log[i], len);
	for (uint64_t k = rnd(6); k; k--)
		b[chance(70) ? 12 + rnd(MIN(len - 12, 70u)) : rnd(len)] =
			(uint8_t)rnd(256);
	if (chance(20))
		len = (uint32_t)rnd(len + 1);
	launch((int)rnd(HOSTS), 2, b, len, mono_add(sim.now, DUR_US(1)));
}

/* ---- time
 * ------------------------------------------------------------------------- */

static int earliest_flight(void)
{
	int best = -1;

	for (int i = 0; i < sim.n_flight; i++)
		if (best < 0 || mono_lt(sim.flight[i].at, sim.flight[best].at))
			best = i;
	return best;
}

static bool step(mono_t end)
{
	int i = earliest_flight(), h = -1;
	mono_t at = i >= 0 ? sim.flight[i].at : MONO_NEVER;

	for (int k = 0; k < HOSTS; k++) {
		if (mono_leq(ip_deadline(sim.host[k].ips), at)) {
			at = ip_deadline(sim.host[k].ips);
			h = k;
		}
	}
	if (mono_lt(end, at)) {
		sim.now = end;
		return false;
	}
	sim.now = mono_max(sim.now, at);
	if (h >= 0) {
		ip_expire(sim.host[h].ips, sim.now);
		settle(h);
	} else {
		struct flight f = sim.flight[i];

		sim.flight[i] = sim.flight[--sim.n_flight];
		arrive(&f);
	}
	return true;
}

static void run(uint64_t us)
{
	mono_t end = mono_add(sim.now, DUR_US(us));

	while (step(end))
		;
}

static void host_init(int h)
{
	struct host *o = &sim.host[h];
	struct ip_env env = {.rand64 = next_random,
			     .rand_arg = &o->rng,
			     .pool = &o->pool,
			     .key = {sim.seed, (uint64_t)h}};
	struct ip_iface_config c = {.name = "ETH",
				    .kind = IP_LINK_L2,
				    .mac = {2, 0, 0, 0, 0, (uint8_t)h},
				    .mtu = 1500,
				    .v4 = true,
				    .v6 = true};
	struct ip_tune tune;

	*o = (struct host){.rng = sim.seed * 7 + (uint64_t)h, .up = true};
	pkt_pool_init(&o->pool, POOL_LIMIT);
	ip_tune_default(&tune);
	tune.redirects = rnd(2);
	tune.neigh_max = rnd(2) ? 1024 : 4;
	o->ips = ip_stack_new(&env, &tune);
	CHECK(o->ips);
	CHECK(ip_iface_add(o->ips, &c, sim.now) == 2);
	for (int v6 = 0; v6 < 2; v6++) {
		struct ip_addr a = addr_of(v6, h);

		CHECK(ip_addr_add(o->ips, 2, &a, v6 ? 64 : 24, sim.now) == 0);
	}
	settle(h);
}

static void reach_everybody(void)
{
	for (int h = 0; h < HOSTS; h++) {
		for (int to = 0; to < HOSTS; to++) {
			for (int v6 = 0; v6 < 2 && to != h; v6++) {
				uint64_t before = sim.host[to].got;

				send_datagram(h, v6, to, 4000);
				settle(h);
				run(5000);
				CHECK(sim.host[to].got == before + 1);
			}
		}
	}
}

static void finish(void)
{
	for (int i = 0; i < sim.n_flight; i++)
		free(sim.flight[i].bytes);
	for (int i = 0; i < LOG_MAX; i++)
		free(sim.log[i]);
	for (int h = 0; h < HOSTS; h++) {
		ip_stack_free(sim.host[h].ips);
		CHECK(sim.host[h].pool.used_bytes == 0);
		pkt_pool_fini(&sim.host[h].pool);
	}
}

static uint64_t one_seed(uint64_t seed)
{
	memset(&sim, 0, sizeof(sim));
	sim.seed = sim.rng = seed;
	sim.now.ns = 1000000000;
	sim.hostile = seed % 4 == 3;
	sim.loss = (unsigned)rnd(15);
	for (int h = 0; h < HOSTS; h++)
		host_init(h);
	run(10000000); /* addresses are probed */
	sim.storm = true;
	for (uint64_t ms = 0; ms < STORM_MS; ms += 20) {
		act();
		for (int i = 0; sim.hostile && i < 10; i++)
			attack();
		run(20000);
	}
	sim.storm = false;
	for (int h = 0; h < HOSTS; h++) {
		sim.host[h].up = true;
		ip_iface_set_up(sim.host[h].ips, 2, true, sim.now);
		settle(h);
	}
	run(CALM_MS * 1000);
	if (!sim.hostile)
		reach_everybody();
	finish();
	return sim.delivered;
}

int main(int argc, char **argv)
{
	uint64_t seeds = argc > 1 ? strtoull(argv[1], NULL, 10) : 100;
	uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	const char *env = getenv("COUPLET_SEEDS");
	uint64_t delivered = 0;

	if (env)
		seeds = MIN(seeds, strtoull(env, NULL, 10));
	for (uint64_t s = first; s < first + seeds; s++)
		delivered += one_seed(s);
	printf("ip_sim: seeds %" PRIu64 "..%" PRIu64 ", %" PRIu64
	       " datagrams delivered\n",
	       first, first + seeds - 1, delivered);
	return 0;
}
