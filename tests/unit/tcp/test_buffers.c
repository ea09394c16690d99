/* Send buffer, receive queue, reassembly. */
#include "unit.h"

#include "tcp/ooo.h"
#include "tcp/rcvq.h"
#include "tcp/sndbuf.h"

#include <stdlib.h>
#include <string.h>

#define BASE 0xfffff000u /* wraps */
#define LIMIT (32u << 20)

static uint32_t rnd(uint32_t *x, uint32_t n)
{
	*x = *x * 1664525u + 1013904223u;
	return (*x >> 8) % n;
}

static uint8_t val(uint32_t at)
{
	return (uint8_t)(at * 31 + at / 251);
}

static struct pkt *filled(struct pkt_pool *pool, enum pkt_size size,
			  uint32_t at, uint32_t len)
{
	struct pkt *p = pkt_new(pool, size);

	assert_non_null(p);
	for (uint32_t i = 0; i < len; i++)
		pkt_data(p)[i] = val(at + i);
	p->len = len;
	return p;
}

/* ---- send buffer ---------------------------------------------------- */

static void fill(struct tcp_sndbuf *b, struct pkt_pool *pool, uint32_t at,
		 uint32_t ask, uint32_t use)
{
	struct iovec iov[5];
	int n = 5;
	size_t got = tcp_sndbuf_reserve(b, pool, ask, iov, &n), done = 0;

	assert_true(got >= use);
	for (int i = 0; i < n && done < use; i++)
		for (size_t k = 0; k < iov[i].iov_len && done < use; k++)
			((uint8_t *)iov[i].iov_base)[k] =
				val(at + (uint32_t)done++);
	tcp_sndbuf_commit(b, pool, use);
	tcp_sndbuf_check(b);
}

static void few_bytes_hold_a_small_buffer(void **state)
{
	struct pkt_pool pool;
	struct tcp_sndbuf b;

	(void)state;
	pkt_pool_init(&pool, LIMIT);
	tcp_sndbuf_init(&b, TCP_SEQ(BASE), 65536);
	fill(&b, &pool, 0, 65536, 1);
	assert_int_equal(tcp_sndbuf_memory(&b), PKT_SMALL_CAP);
	fill(&b, &pool, 1, 65536, 1); /* joins the first */
	assert_int_equal(tcp_sndbuf_memory(&b), PKT_SMALL_CAP);
	fill(&b, &pool, 2, 65536, 0); /* nothing read after all */
	assert_int_equal(tcp_sndbuf_memory(&b), PKT_SMALL_CAP);
	tcp_sndbuf_ack(&b, &pool, TCP_SEQ(BASE + 2));
	assert_int_equal(pool.used_bytes, 0);
	pkt_pool_fini(&pool);
}

static void room_is_bounded_and_worth_waking_for(void **state)
{
	struct pkt_pool pool;
	struct tcp_sndbuf b;
	struct iovec iov[4];
	int n = 4;

	(void)state;
	pkt_pool_init(&pool, LIMIT);
	tcp_sndbuf_init(&b, TCP_SEQ(BASE), 10000);
	fill(&b, &pool, 0, 10000, 10000);
	assert_int_equal(tcp_sndbuf_room(&b), 0);
	assert_int_equal(tcp_sndbuf_reserve(&b, &pool, 1, iov, &n), 0);
	tcp_sndbuf_ack(&b, &pool, TCP_SEQ(BASE + 2499));
	assert_int_equal(tcp_sndbuf_room(&b), 0);
	tcp_sndbuf_ack(&b, &pool, TCP_SEQ(BASE + 2500));
	assert_int_equal(tcp_sndbuf_room(&b), 2500);
	tcp_sndbuf_clear(&b, &pool);
	assert_int_equal(pool.used_bytes, 0);
	pkt_pool_fini(&pool);
}

static void exhausted_pool_offers_less(void **state)
{
	struct pkt_pool pool;
	struct tcp_sndbuf b;
	struct iovec iov[4];
	int n = 4;

	(void)state;
	pkt_pool_init(&pool, 100000); /* one large buffer, not two */
	tcp_sndbuf_init(&b, TCP_SEQ(BASE), 1 << 20);
	assert_int_equal(tcp_sndbuf_reserve(&b, &pool, 200000, iov, &n),
			 PKT_LARGE_CAP);
	tcp_sndbuf_commit(&b, &pool, PKT_LARGE_CAP);
	tcp_sndbuf_clear(&b, &pool);
	pkt_pool_fini(&pool);
}

static void check_iov(struct tcp_sndbuf *b, enum tcp_sndbuf_hint h, uint32_t at,
		      uint32_t len)
{
	struct iovec iov[6];
	int n = 6;
	uint32_t got = tcp_sndbuf_iov(b, h, TCP_SEQ(BASE + at), len, iov, &n);
	uint32_t seen = 0;

	assert_true(got == len || n == 6);
	for (int i = 0; i < n; i++)
		for (size_t k = 0; k < iov[i].iov_len; k++)
			assert_int_equal(((uint8_t *)iov[i].iov_base)[k],
					 val(at + seen++));
	assert_int_equal(seen, got);
}

static void send_buffer_keeps_every_byte(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 20; seed++) {
		struct pkt_pool pool;
		struct tcp_sndbuf b;
		uint32_t x = seed, una = 0, end = 0, nxt = 0;

		pkt_pool_init(&pool, LIMIT);
		tcp_sndbuf_init(&b, TCP_SEQ(BASE), 200000);
		for (int i = 0; i < 300; i++) {
			uint32_t room = tcp_sndbuf_room(&b), n;

			n = room ? rnd(&x, MIN(room, 9000u)) : 0;
			fill(&b, &pool, end, n + rnd(&x, 70000), n);
			end += n;
			n = rnd(&x, end - nxt + 1);
			check_iov(&b, TCP_SNDBUF_NEW, nxt, n);
			nxt += n;
			n = rnd(&x, nxt - una + 1);
			check_iov(&b, TCP_SNDBUF_AGAIN, una + n, nxt - una - n);
			una += rnd(&x, nxt - una + 1);
			tcp_sndbuf_ack(&b, &pool, TCP_SEQ(BASE + una));
			tcp_sndbuf_check(&b);
		}
		tcp_sndbuf_clear(&b, &pool);
		assert_int_equal(pool.used_bytes, 0);
		pkt_pool_fini(&pool);
	}
}

/* ---- receive queue -------------------------------------------------- */

static void large_payload_is_not_copied(void **state)
{
	struct pkt_pool pool;
	struct tcp_rcvq q = {0};
	struct iovec iov[2];
	struct pkt *p;
	int n = 2;

	(void)state;
	pkt_pool_init(&pool, LIMIT);
	p = filled(&pool, PKT_LARGE, 0, 64000);
	tcp_rcvq_push(&q, &pool, p);
	assert_int_equal(tcp_rcvq_peek(&q, iov, &n), 64000);
	assert_ptr_equal(iov[0].iov_base, pkt_data(p));
	tcp_rcvq_clear(&q, &pool);
	pkt_pool_fini(&pool);
}

static void waiting_bytes_do_not_hold_64_kib(void **state)
{
	struct pkt_pool pool;
	struct tcp_rcvq q = {0};

	(void)state;
	pkt_pool_init(&pool, LIMIT);
	tcp_rcvq_push(&q, &pool, filled(&pool, PKT_LARGE, 0, 1));
	tcp_rcvq_settle(&q, &pool);
	assert_int_equal(q.mem, PKT_SMALL_CAP);
	for (uint32_t i = 1; i < 1000; i++)
		tcp_rcvq_push(&q, &pool, filled(&pool, PKT_LARGE, i, 1));
	tcp_rcvq_settle(&q, &pool);
	tcp_rcvq_check(&q);
	assert_int_equal(q.mem, PKT_SMALL_CAP);
	tcp_rcvq_clear(&q, &pool);
	assert_int_equal(pool.used_bytes, 0);
	pkt_pool_fini(&pool);
}

static void receive_queue_keeps_every_byte(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 30; seed++) {
		struct pkt_pool pool;
		struct tcp_rcvq q = {0};
		uint32_t x = seed, in = 0, out = 0;

		pkt_pool_init(&pool, LIMIT);
		for (int i = 0; i < 400; i++) {
			uint32_t len = 1 + rnd(&x, i % 5 ? 1500 : 20000);
			struct iovec iov[4];
			int n = 4;
			size_t have, take, seen = 0;

			tcp_rcvq_push(&q, &pool,
				      filled(&pool, PKT_LARGE, in, len));
			in += len;
			if (!rnd(&x, 3))
				tcp_rcvq_settle(&q, &pool);
			tcp_rcvq_check(&q);
			assert_true(q.mem <= 2 * q.bytes + 3 * PKT_LARGE_CAP);
			have = tcp_rcvq_peek(&q, iov, &n);
			take = rnd(&x, (uint32_t)have + 1);
			for (int k = 0; k < n; k++)
				for (size_t b = 0; b < iov[k].iov_len; b++)
					assert_int_equal(
						((uint8_t *)iov[k].iov_base)[b],
						val(out + (uint32_t)seen++));
			tcp_rcvq_consume(&q, &pool, take);
			tcp_rcvq_check(&q);
			out += (uint32_t)take;
		}
		tcp_rcvq_clear(&q, &pool);
		assert_int_equal(pool.used_bytes, 0);
		pkt_pool_fini(&pool);
	}
}

/* ---- reassembly ----------------------------------------------------- */

static enum tcp_ooo_verdict put(struct tcp_ooo *o, struct pkt_pool *pool,
				uint32_t at, uint32_t len)
{
	struct tcp_sack_block dup;

	return tcp_ooo_insert(o, pool, filled(pool, PKT_LARGE, at, len),
			      TCP_SEQ(BASE + at), 1 << 20, &dup);
}

static void check_block(const struct tcp_ooo *o, int i, uint32_t l, uint32_t r)
{
	assert_true(i < o->n_recent);
	assert_int_equal(o->recent[i].left.v - BASE, l);
	assert_int_equal(o->recent[i].right.v - BASE, r);
}

/* [RFC2018 4] */
static void latest_block_is_reported_first(void **state)
{
	struct tcp_ooo *o = tcp_ooo_new();
	struct pkt_pool pool;

	(void)state;
	pkt_pool_init(&pool, LIMIT);
	put(o, &pool, 100, 50);
	put(o, &pool, 300, 50);
	put(o, &pool, 500, 50);
	check_block(o, 0, 500, 550);
	check_block(o, 1, 300, 350);
	check_block(o, 2, 100, 150);
	put(o, &pool, 150, 50); /* grows the oldest */
	check_block(o, 0, 100, 200);
	check_block(o, 1, 500, 550);
	put(o, &pool, 200, 100); /* joins two */
	check_block(o, 0, 100, 350);
	check_block(o, 1, 500, 550);
	assert_int_equal(o->n_recent, 2);
	tcp_ooo_check(o, TCP_SEQ(BASE));
	tcp_ooo_free(o, &pool);
	assert_int_equal(pool.used_bytes, 0);
	pkt_pool_fini(&pool);
}

/* [RFC2883 4] */
static void duplicates_are_noted(void **state)
{
	struct tcp_ooo *o = tcp_ooo_new();
	struct tcp_sack_block dup;
	struct pkt_pool pool;

	(void)state;
	pkt_pool_init(&pool, LIMIT);
	put(o, &pool, 100, 50);
	assert_int_equal(tcp_ooo_insert(o, &pool,
					filled(&pool, PKT_SMALL, 110, 20),
					TCP_SEQ(BASE + 110), 1 << 20, &dup),
			 TCP_OOO_DUPLICATE);
	assert_int_equal(dup.left.v - BASE, 110);
	assert_int_equal(dup.right.v - BASE, 130);
	assert_int_equal(tcp_ooo_insert(o, &pool,
					filled(&pool, PKT_SMALL, 140, 20),
					TCP_SEQ(BASE + 140), 1 << 20, &dup),
			 TCP_OOO_HELD);
	assert_int_equal(dup.left.v - BASE, 140);
	assert_int_equal(dup.right.v - BASE, 150);
	tcp_ooo_free(o, &pool);
	pkt_pool_fini(&pool);
}

static void reassembly_is_bounded(void **state)
{
	struct tcp_ooo *o = tcp_ooo_new();
	struct tcp_sack_block dup;
	struct pkt_pool pool;
	uint32_t held = 0;

	(void)state;
	pkt_pool_init(&pool, LIMIT);
	/* every second byte: ranges run out */
	for (uint32_t i = 1; i < 2 * TCP_OOO_RANGES_MAX + 500; i += 2)
		held += tcp_ooo_insert(o, &pool, filled(&pool, PKT_LARGE, i, 1),
				       TCP_SEQ(BASE + i), UINT32_MAX / 2,
				       &dup) == TCP_OOO_HELD;
	assert_int_equal(held, TCP_OOO_RANGES_MAX);
	tcp_ooo_check(o, TCP_SEQ(BASE));
	tcp_ooo_free(o, &pool);
	/* large ones: memory runs out */
	o = tcp_ooo_new();
	held = 0;
	for (uint32_t i = 0; i < 20; i++)
		held += tcp_ooo_insert(o, &pool,
				       filled(&pool, PKT_LARGE, 1, 3000),
				       TCP_SEQ(BASE + 1 + i * 4000), 300000,
				       &dup) == TCP_OOO_HELD;
	assert_int_equal(held, 300000 / PKT_LARGE_CAP);
	tcp_ooo_free(o, &pool);
	assert_int_equal(pool.used_bytes, 0);
	pkt_pool_fini(&pool);
}

#define SPAN 6000u

static void take_all(struct tcp_ooo *o, struct pkt_pool *pool, uint32_t *nxt)
{
	struct pkt *p;

	while ((p = tcp_ooo_take(o, pool, TCP_SEQ(BASE + *nxt)))) {
		for (uint32_t i = 0; i < p->len; i++)
			assert_int_equal(pkt_data(p)[i], val(*nxt + i));
		*nxt += p->len;
		pkt_free(pool, p);
	}
}

static void reassembly_agrees_with_a_map(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 60; seed++) {
		struct tcp_ooo *o = tcp_ooo_new();
		bool have[SPAN] = {0};
		struct pkt_pool pool;
		uint32_t x = seed, nxt = 0;

		pkt_pool_init(&pool, LIMIT);
		while (nxt < SPAN) {
			uint32_t at = nxt + rnd(&x, MIN(SPAN - nxt, 2000u));
			uint32_t len = 1 + rnd(&x, 300);

			len = MIN(len, SPAN - at);
			memset(have + at, 1, len);
			if (at > nxt) {
				put(o, &pool, at, len);
			} else {
				nxt += len;
				take_all(o, &pool, &nxt);
			}
			/* what is in order by the map was delivered */
			assert_true(nxt == SPAN || !have[nxt]);
			if (!tcp_ooo_empty(o))
				tcp_ooo_check(o, TCP_SEQ(BASE + nxt));
		}
		assert_true(tcp_ooo_empty(o));
		tcp_ooo_free(o, &pool);
		assert_int_equal(pool.used_bytes, 0);
		pkt_pool_fini(&pool);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(few_bytes_hold_a_small_buffer),
	cmocka_unit_test(room_is_bounded_and_worth_waking_for),
	cmocka_unit_test(exhausted_pool_offers_less),
	cmocka_unit_test(send_buffer_keeps_every_byte),
	cmocka_unit_test(large_payload_is_not_copied),
	cmocka_unit_test(waiting_bytes_do_not_hold_64_kib),
	cmocka_unit_test(receive_queue_keeps_every_byte),
	cmocka_unit_test(latest_block_is_reported_first),
	cmocka_unit_test(duplicates_are_noted),
	cmocka_unit_test(reassembly_is_bounded),
	cmocka_unit_test(reassembly_agrees_with_a_map),
};

UNIT_MAIN(tests)
