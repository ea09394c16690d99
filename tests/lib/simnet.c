#include "simnet.h"

#include <stdlib.h>
#include <string.h>

#define PACKETS_MAX 100000 /* in flight: more means a storm */
#define ROUNDS_MAX 100000  /* of one settling: more means it spins */

struct sim_packet {
	mono_t at;
	uint64_t order;
	struct pkt *p;
	int to;
};

static uint64_t next_random(void *arg)
{
	uint64_t *x = arg;
	uint64_t z = *x += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

uint64_t sim_rand(struct simnet *n, uint64_t below)
{
	return below ? next_random(&n->rng) % below : 0;
}

static bool chance(struct simnet *n, unsigned per_10000)
{
	return sim_rand(n, 10000) < per_10000;
}

struct ip_addr sim_addr(enum ip_family f, int side)
{
	struct ip_addr a = {.family = IP_V6, .b = {0xfd}};

	if (f == IP_V4)
		return ip_v4(10, 0, 0, (uint8_t)(side + 1));
	a.b[15] = (uint8_t)(side + 1);
	return a;
}

void sim_defaults(struct sim_setup *ret, uint64_t seed)
{
	*ret = (struct sim_setup){
		.seed = seed,
		.kind = IP_LINK_L3,
		.mtu = 1500,
	};
	for (int i = 0; i < 2; i++)
		ret->link[i].delay = DUR_MS(5);
	stack_config_default(&ret->config);
	ret->config.pool_limit_bytes = 64u << 20;
	ret->config.ip.dad_transmits = 0;
}

static void add_iface(struct simnet *n, int side)
{
	struct ip_iface_config c = {
		.name = "SIM",
		.kind = n->setup.kind,
		.mac = {2, 0, 0, 0, 0, (uint8_t)(side + 1)},
		.mtu = n->setup.mtu,
		.gso_max = n->setup.gso_max,
		.tx_csum = n->setup.gso_max != 0,
		.v4 = true,
		.v6 = true,
	};
	struct ip_stack *ips = stack_ip(n->stack[side]);
	struct ip_addr a4 = sim_addr(IP_V4, side), a6 = sim_addr(IP_V6, side);
	struct ip_route r = {.ifindex = 2, .until = MONO_NEVER};

	INVARIANT(ip_iface_add(ips, &c, n->now) == 2);
	INVARIANT(ip_addr_add(ips, 2, &a4, 24, n->now) == 0);
	INVARIANT(ip_addr_add(ips, 2, &a6, 64, n->now) == 0);
	r.dst = ip_prefix_make(&a4, 24);
	INVARIANT(ip_route_add(ips, &r) == 0);
	r.dst = ip_prefix_make(&a6, 64);
	INVARIANT(ip_route_add(ips, &r) == 0);
	ip_iface_set_up(ips, 2, true, n->now);
}

void sim_init(struct simnet *n, const struct sim_setup *setup)
{
	memset(n, 0, sizeof(*n));
	n->setup = *setup;
	n->rng = setup->seed;
	n->now = (mono_t){1000000000};
	for (int i = 0; i < 2; i++) {
		struct stack_config c = setup->config;

		c.rand64 = next_random;
		c.rand_arg = &n->rng;
		c.key = (struct hash_key){next_random(&n->rng),
					  next_random(&n->rng)};
		n->stack[i] = stack_new(&c);
		INVARIANT(n->stack[i] != NULL);
		add_iface(n, i);
	}
}

void sim_fini(struct simnet *n)
{
	for (uint32_t i = 0; i < n->n; i++)
		pkt_free(stack_pool(n->stack[n->heap[i].to]), n->heap[i].p);
	free(n->heap);
	stack_free(n->stack[0]);
	stack_free(n->stack[1]);
}

/* ---- the wire
 * ---------------------------------------------------------------- */

static bool before(const struct sim_packet *a, const struct sim_packet *b)
{
	return a->at.ns != b->at.ns ? a->at.ns < b->at.ns : a->order < b->order;
}

static void heap_push(struct simnet *n, struct sim_packet e)
{
	uint32_t at = n->n++;

	INVARIANT(n->n < PACKETS_MAX);
	if (n->n > n->cap) {
		n->cap = n->cap ? n->cap * 2 : 256;
		n->heap = realloc(n->heap, n->cap * sizeof(*n->heap));
		INVARIANT(n->heap != NULL);
	}
	while (at && before(&e, &n->heap[(at - 1) / 2])) {
		n->heap[at] = n->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	n->heap[at] = e;
}

static struct sim_packet heap_take(struct simnet *n)
{
	struct sim_packet top = n->heap[0], last = n->heap[--n->n];
	uint32_t at = 0;

	for (;;) {
		uint32_t kid = at * 2 + 1;

		if (kid >= n->n)
			break;
		if (kid + 1 < n->n && before(&n->heap[kid + 1], &n->heap[kid]))
			kid++;
		if (before(&last, &n->heap[kid]))
			break;
		n->heap[at] = n->heap[kid];
		at = kid;
	}
	if (n->n)
		n->heap[at] = last;
	return top;
}

static mono_t arrival(struct simnet *n, int from, size_t len, bool *ret_drop)
{
	const struct sim_link *l = &n->setup.link[from];
	mono_t at = n->now;

	if (l->bits_per_s) {
		mono_t start = mono_max(at, n->wire_free[from]);
		uint64_t queued = (uint64_t)mono_sub(start, at).ns *
				  (l->bits_per_s / 1000) / 8000000;

		if (l->queue_bytes && queued > l->queue_bytes) {
			*ret_drop = true;
			return at;
		}
		at = mono_add(start,
			      DUR_NS(len * 8 * 1000000000u / l->bits_per_s));
		n->wire_free[from] = at;
	}
	at = mono_add(at, l->delay);
	at = mono_add(at, DUR_NS(sim_rand(n, (uint64_t)l->jitter.ns + 1)));
	if (l->keep_order)
		at = mono_max(at, n->last_arrival[from]);
	else if (chance(n, l->reorder))
		at = mono_add(at,
			      DUR_NS(sim_rand(n, (uint64_t)l->delay.ns + 1)));
	n->last_arrival[from] = at;
	return at;
}

static void carry(struct simnet *n, int from, const struct frame *f)
{
	const struct sim_link *l = &n->setup.link[from];
	struct pkt *p = pkt_new(stack_pool(n->stack[!from]),
				frame_len(f) > 1900 ? PKT_LARGE : PKT_SMALL);
	bool drop = chance(n, l->loss);
	mono_t at = arrival(n, from, frame_len(f), &drop);

	n->sent++;
	if (!p || drop) {
		n->lost++;
		pkt_free(stack_pool(n->stack[!from]), p);
		return;
	}
	p->len = (uint32_t)frame_copy(f, pkt_data(p), pkt_tailroom(p));
	p->ifindex = 2;
	p->gso_size = f->gso ? f->gso_size : 0;
	p->gso_segs = 1;
	p->csum = f->needs_csum ? PKT_CSUM_OK : PKT_CSUM_UNKNOWN;
	if (!f->needs_csum && chance(n, l->corrupt)) {
		pkt_data(p)[sim_rand(n, p->len)] ^=
			(uint8_t)(1 + sim_rand(n, 254));
		n->corrupted++;
	}
	heap_push(n, (struct sim_packet){at, n->order++, p, !from});
}

static void send_frame(struct simnet *n, int from, const struct frame *f)
{
	carry(n, from, f);
	if (chance(n, n->setup.link[from].dup)) {
		n->duplicated++;
		carry(n, from, f);
	}
}

/* ---- time
 * ------------------------------------------------------------------------ */

static bool tell(struct simnet *n, int side)
{
	struct sock *sk;
	unsigned events;
	bool any = false;

	while ((sk = stack_ready(n->stack[side], &events))) {
		if (n->on_ready)
			n->on_ready(n->arg, side, sk, events);
		any = true;
	}
	return any;
}

/* The order of calls that stack.h asks for. */
static void settle_side(struct simnet *n, int side)
{
	unsigned rounds = 0;
	struct frame f;

	tell(n, side);
	do {
		while (stack_output(n->stack[side], &f, n->now))
			send_frame(n, side, &f);
		INVARIANT(++rounds < ROUNDS_MAX);
	} while (tell(n, side));
}

void sim_settle(struct simnet *n)
{
	for (int i = 0; i < 2; i++) {
		settle_side(n, i);
		/* The law of every engine: dry means nothing is due. */
		INVARIANT(mono_lt(n->now, stack_deadline(n->stack[i])));
	}
}

bool sim_step(struct simnet *n)
{
	mono_t next;

	sim_settle(n);
	next = mono_min(stack_deadline(n->stack[0]),
			stack_deadline(n->stack[1]));
	if (n->n)
		next = mono_min(next, n->heap[0].at);
	if (mono_is_never(next))
		return false;
	n->now = next;
	while (n->n && mono_leq(n->heap[0].at, n->now)) {
		struct sim_packet e = heap_take(n);

		n->delivered++;
		stack_input(n->stack[e.to], e.p, n->now);
	}
	for (int i = 0; i < 2; i++)
		if (mono_leq(stack_deadline(n->stack[i]), n->now))
			stack_expire(n->stack[i], n->now);
	sim_settle(n);
	return true;
}

void sim_run_until(struct simnet *n, mono_t until)
{
	sim_settle(n);
	for (;;) {
		mono_t next = mono_min(stack_deadline(n->stack[0]),
				       stack_deadline(n->stack[1]));

		if (n->n)
			next = mono_min(next, n->heap[0].at);
		if (mono_lt(until, next))
			break;
		if (!sim_step(n))
			break;
	}
	n->now = mono_max(n->now, until);
}
