/*
 * The table of sockets: demultiplexing, Linux's rules for sharing ports, the
 * deadline heap.
 */
#include "sock/sock.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static struct tcp_env env;

static struct sock *make(enum sock_type type, enum ip_family f)
{
	struct sock *sk;

	tcp_tune_default(&env.tune);
	sk = sock_alloc(type, &env);
	assert_non_null(sk);
	sk->family = (uint8_t)f;
	sk->local.addr = ip_any(f);
	return sk;
}

static void drop(struct ports *p, struct sock *sk)
{
	struct pkt_pool pool;

	pkt_pool_init(&pool, 1 << 20);
	ports_release(p, sk);
	sock_free(sk, &pool);
}

/* ---- table ----------------------------------------------------------------
 */

static void set_tuple(struct sock *sk, const struct hash_key *k, unsigned i)
{
	sk->local.addr = ip_v4(10, 0, 0, 1);
	sk->local.port = 80;
	sk->remote.addr = ip_v4(10, 1, (uint8_t)(i >> 8), (uint8_t)i);
	sk->remote.port = (uint16_t)(1000 + i % 7);
	sk->hash = table_hash(k, &sk->local.addr, 80, &sk->remote.addr,
			      sk->remote.port);
}

static void table_finds_each_of_many(void **state)
{
	enum { N = 5000 };
	struct hash_key k = {1, 2};
	struct table t;
	struct sock **all = calloc(N, sizeof(*all));
	struct ports p = {0};

	(void)state;
	assert_int_equal(table_init(&t), 0);
	for (unsigned i = 0; i < N; i++) {
		all[i] = make(SOCK_TCP, IP_V4);
		set_tuple(all[i], &k, i);
		table_insert(&t, all[i]);
	}
	assert_int_equal(t.used, N);
	for (unsigned i = 0; i < N; i++)
		assert_ptr_equal(
			table_find(&t, all[i]->hash, &all[i]->local.addr, 80,
				   &all[i]->remote.addr, all[i]->remote.port),
			all[i]);
	for (unsigned i = 0; i < N; i += 2)
		table_remove(&t, all[i]);
	for (unsigned i = 0; i < N; i++) {
		struct sock *found =
			table_find(&t, all[i]->hash, &all[i]->local.addr, 80,
				   &all[i]->remote.addr, all[i]->remote.port);

		assert_ptr_equal(found, i % 2 ? all[i] : NULL);
	}
	for (unsigned i = 0; i < N; i++) {
		table_remove(&t, all[i]); /* twice is harmless */
		drop(&p, all[i]);
	}
	assert_int_equal(t.used, 0);
	table_fini(&t);
	free(all);
}

/* ---- ports: who may bind beside whom
 * --------------------------------------------- */

struct side {
	enum ip_family family;
	const char *addr; /* NULL = any */
	unsigned flags;
	uid_t uid;
	uint32_t bind_if;
};

static void apply(struct sock *sk, const struct side *s)
{
	if (s->addr)
		assert_int_equal(ip_parse(s->addr, &sk->local.addr), 0);
	sk->flags |= (uint16_t)s->flags;
	sk->owner.uid = s->uid;
	sk->bind_if = s->bind_if;
}

static void ports_sharing_follows_linux(void **state)
{
	static const struct {
		struct side first, second;
		enum sock_type type;
		bool conflict;
	} cases[] = {
		{{IP_V4, 0, 0, 0, 0}, {IP_V4, 0, 0, 0, 0}, SOCK_TCP, true},
		{{IP_V4, "10.0.0.1", 0, 0, 0},
		 {IP_V4, "10.0.0.2", 0, 0, 0},
		 SOCK_TCP,
		 false},
		{{IP_V4, "10.0.0.1", 0, 0, 0},
		 {IP_V4, 0, 0, 0, 0},
		 SOCK_TCP,
		 true},
		{{IP_V4, 0, SOCK_F_REUSEADDR, 0, 0},
		 {IP_V4, 0, SOCK_F_REUSEADDR, 0, 0},
		 SOCK_TCP,
		 false},
		{{IP_V4, 0, SOCK_F_REUSEADDR | SOCK_F_LISTEN, 0, 0},
		 {IP_V4, 0, SOCK_F_REUSEADDR, 0, 0},
		 SOCK_TCP,
		 true},
		{{IP_V4, 0, SOCK_F_REUSEADDR, 0, 0},
		 {IP_V4, 0, 0, 0, 0},
		 SOCK_TCP,
		 true},
		{{IP_V4, 0, SOCK_F_REUSEPORT, 5, 0},
		 {IP_V4, 0, SOCK_F_REUSEPORT, 5, 0},
		 SOCK_TCP,
		 false},
		{{IP_V4, 0, SOCK_F_REUSEPORT, 5, 0},
		 {IP_V4, 0, SOCK_F_REUSEPORT, 6, 0},
		 SOCK_TCP,
		 true},
		/* dual-stack any overlaps IPv4, v6only does not */
		{{IP_V6, 0, 0, 0, 0}, {IP_V4, 0, 0, 0, 0}, SOCK_TCP, true},
		{{IP_V6, 0, SOCK_F_V6ONLY, 0, 0},
		 {IP_V4, 0, 0, 0, 0},
		 SOCK_TCP,
		 false},
		{{IP_V4, 0, 0, 0, 0},
		 {IP_V6, 0, SOCK_F_V6ONLY, 0, 0},
		 SOCK_TCP,
		 false},
		{{IP_V6, "fd00::1", 0, 0, 0},
		 {IP_V4, 0, 0, 0, 0},
		 SOCK_TCP,
		 false},
		/* UDP shares by SO_REUSEADDR even while in use */
		{{IP_V4, 0, SOCK_F_REUSEADDR, 1, 0},
		 {IP_V4, 0, SOCK_F_REUSEADDR, 2, 0},
		 SOCK_UDP,
		 false},
		{{IP_V4, 0, 0, 0, 0}, {IP_V4, 0, 0, 0, 0}, SOCK_UDP, true},
		/* other interfaces do not meet */
		{{IP_V4, 0, 0, 0, 2}, {IP_V4, 0, 0, 0, 3}, SOCK_UDP, false},
		{{IP_V4, 0, 0, 0, 2}, {IP_V4, 0, 0, 0, 0}, SOCK_UDP, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ports p = {0};
		struct sock *a = make(cases[i].type, cases[i].first.family);
		struct sock *b = make(cases[i].type, cases[i].second.family);
		bool got;

		apply(a, &cases[i].first);
		apply(b, &cases[i].second);
		assert_int_equal(ports_claim(&p, a, 7), 0);
		got = ports_conflict(&p, b, &b->local.addr, 7, false);
		if (got != cases[i].conflict)
			fail_msg("case %zu: conflict %d", i, got);
		assert_false(ports_conflict(&p, b, &b->local.addr, 8, false));
		a->flags &= (uint16_t)~SOCK_F_LISTEN;
		drop(&p, a);
		assert_null(ports_find(&p, cases[i].type, 7));
		drop(&p, b);
	}
}

static void ports_old_connections_block_a_plain_bind(void **state)
{
	struct ports p = {0};
	struct sock *sk = make(SOCK_TCP, IP_V4), *six = make(SOCK_TCP, IP_V6);

	(void)state;
	assert_int_equal(ports_hold(&p, IP_V4, 7), 0);
	assert_true(ports_conflict(&p, sk, &sk->local.addr, 7, false));
	sk->flags |= SOCK_F_REUSEADDR;
	assert_false(ports_conflict(&p, sk, &sk->local.addr, 7, false));
	sk->flags = 0;
	/* of their own family only, unless the socket is dual */
	assert_true(ports_conflict(&p, six, &six->local.addr, 7, false));
	six->flags |= SOCK_F_V6ONLY;
	assert_false(ports_conflict(&p, six, &six->local.addr, 7, false));
	ports_drop(&p, IP_V4, 7);
	assert_false(ports_conflict(&p, sk, &sk->local.addr, 7, false));
	drop(&p, six);
	drop(&p, sk);
}

static void match_prefers_the_more_specific(void **state)
{
	struct sock *any6 = make(SOCK_UDP, IP_V6),
		    *any4 = make(SOCK_UDP, IP_V4);
	struct sock *one = make(SOCK_UDP, IP_V4);
	struct ip_addr dst = ip_v4(10, 0, 0, 1), other = ip_v4(10, 0, 0, 2);
	struct ip_addr six = ip_loopback(IP_V6);
	struct ports p = {0};

	(void)state;
	one->local.addr = dst;
	assert_true(sock_match_local(one, &dst, 2) >
		    sock_match_local(any4, &dst, 2));
	assert_true(sock_match_local(any4, &dst, 2) >
		    sock_match_local(any6, &dst, 2));
	assert_int_equal(sock_match_local(one, &other, 2), 0);
	assert_int_equal(sock_match_local(any4, &six, 1), 0);
	any6->flags |= SOCK_F_V6ONLY;
	assert_int_equal(sock_match_local(any6, &dst, 2), 0);
	any4->bind_if = 3;
	assert_int_equal(sock_match_local(any4, &dst, 2), 0);
	drop(&p, any6);
	drop(&p, any4);
	drop(&p, one);
}

/* ---- heap
 * -----------------------------------------------------------------------------
 */

static void heap_pops_in_order(void **state)
{
	enum { N = 1000 };
	struct heap h = {0};
	struct sock **all = calloc(N, sizeof(*all));
	struct ports p = {0};
	uint64_t last = 0, seed = 42;
	unsigned popped = 0;

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		all[i] = make(SOCK_UDP, IP_V4);
		seed = seed * 6364136223846793005u + 1;
		assert_int_equal(
			heap_set(&h, all[i], (mono_t){1 + (seed >> 40)}), 0);
	}
	for (unsigned i = 0; i < N; i += 3)
		heap_remove(&h, all[i]);
	while (h.n) {
		mono_t first = heap_first(&h);
		struct sock *sk = heap_pop(&h, first);

		assert_non_null(sk);
		assert_int_equal(sk->heap_at, 0);
		assert_true(first.ns >= last);
		last = first.ns;
		popped++;
	}
	assert_int_equal(popped, N - (N + 2) / 3);
	assert_true(mono_is_never(heap_first(&h)));
	for (unsigned i = 0; i < N; i++)
		drop(&p, all[i]);
	heap_fini(&h);
	free(all);
}

static void heap_keeps_the_earlier_of_two(void **state)
{
	struct heap h = {0};
	struct sock *sk = make(SOCK_UDP, IP_V4);
	struct ports p = {0};

	(void)state;
	assert_int_equal(heap_set(&h, sk, (mono_t){50}), 0);
	assert_int_equal(heap_set(&h, sk, (mono_t){80}), 0);
	assert_int_equal(heap_first(&h).ns, 50);
	assert_int_equal(heap_set(&h, sk, (mono_t){20}), 0);
	assert_int_equal(heap_first(&h).ns, 20);
	assert_int_equal(heap_set(&h, sk, MONO_NEVER), 0);
	assert_null(heap_pop(&h, (mono_t){19}));
	assert_ptr_equal(heap_pop(&h, (mono_t){20}), sk);
	assert_int_equal(h.n, 0);
	drop(&p, sk);
	heap_fini(&h);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(table_finds_each_of_many),
	cmocka_unit_test(ports_sharing_follows_linux),
	cmocka_unit_test(ports_old_connections_block_a_plain_bind),
	cmocka_unit_test(match_prefers_the_more_specific),
	cmocka_unit_test(heap_pops_in_order),
	cmocka_unit_test(heap_keeps_the_earlier_of_two),
};

UNIT_MAIN(tests)
