#include "unit.h"

#include "tcp/rtx.h"

#include <stdlib.h>
#include <string.h>

#define BASE 0xffffff00u /* wraps */
#define AT(x) TCP_SEQ(BASE + (x))
#define T(ms) ((mono_t){DUR_MS(ms).ns})

static void same_instant_shares_a_range(void **state)
{
	struct tcp_rtx r;

	(void)state;
	tcp_rtx_init(&r, AT(0));
	tcp_rtx_push(&r, AT(0), 100, T(1));
	tcp_rtx_push(&r, AT(100), 100, T(1));
	assert_int_equal(r.n, 1);
	assert_int_equal(tcp_rtx_memory(&r), 0);
	tcp_rtx_push(&r, AT(200), 100, T(2));
	assert_int_equal(r.n, 2);
	assert_int_equal(tcp_rtx_bytes(&r), 300);
	tcp_rtx_check(&r, AT(0), AT(300));
	tcp_rtx_fini(&r);
}

static void ack_takes_parts_and_times(void **state)
{
	struct tcp_rtx_acked acc = {0};
	struct tcp_rtx r;

	(void)state;
	tcp_rtx_init(&r, AT(0));
	tcp_rtx_push(&r, AT(0), 100, T(1));
	tcp_rtx_push(&r, AT(100), 100, T(2));
	tcp_rtx_ack(&r, AT(150), &acc);
	assert_int_equal(acc.delivered, 150);
	assert_true(acc.have_sample);
	assert_int_equal(acc.sent_at.ns, T(1).ns); /* the oldest */
	tcp_rtx_check(&r, AT(150), AT(200));
	acc = (struct tcp_rtx_acked){0};
	tcp_rtx_ack(&r, AT(200), &acc);
	assert_int_equal(acc.delivered, 50);
	assert_int_equal(r.n, 0);
	tcp_rtx_check(&r, AT(200), AT(200));
	tcp_rtx_fini(&r);
}

/* [RFC6298 3] Karn's algorithm */
static void retransmitted_data_gives_no_sample(void **state)
{
	struct tcp_rtx_acked acc = {0};
	struct tcp_rtx r;

	(void)state;
	tcp_rtx_init(&r, AT(0));
	tcp_rtx_push(&r, AT(0), 100, T(1));
	tcp_rtx_mark_all(&r);
	tcp_rtx_resent(&r, AT(0), 100, T(9));
	tcp_rtx_ack(&r, AT(100), &acc);
	assert_int_equal(acc.delivered, 100);
	assert_false(acc.have_sample);
	tcp_rtx_fini(&r);
}

static void sack(struct tcp_rtx *r, uint32_t l, uint32_t h)
{
	struct tcp_rtx_acked acc = {0};

	tcp_rtx_sack(r, AT(l), AT(h), &acc);
}

/* [RFC6675 4] IsLost: three runs above, or more than two segments */
static void lost_by_runs_or_bytes(void **state)
{
	struct tcp_rtx r;

	(void)state;
	tcp_rtx_init(&r, AT(0));
	for (uint32_t i = 0; i < 20; i++)
		tcp_rtx_push(&r, AT(i * 100), 100, T(1));
	sack(&r, 100, 150);
	sack(&r, 300, 350);
	assert_int_equal(tcp_rtx_mark_lost(&r, 100), 0);
	sack(&r, 500, 550); /* the third run */
	assert_int_equal(tcp_rtx_mark_lost(&r, 100), 100);
	assert_int_equal(r.lost, 100);
	tcp_rtx_check(&r, AT(0), AT(2000));
	/* 251 bytes above 150..300: more than 2 * 100 */
	sack(&r, 550, 651);
	assert_int_equal(tcp_rtx_mark_lost(&r, 100), 150);
	assert_int_equal(tcp_rtx_mark_lost(&r, 100), 0);
	tcp_rtx_check(&r, AT(0), AT(2000));
	tcp_rtx_fini(&r);
}

static void next_gives_what_waits_in_order(void **state)
{
	tcp_seq_t s;
	uint32_t len;
	struct tcp_rtx r;

	(void)state;
	tcp_rtx_init(&r, AT(0));
	tcp_rtx_push(&r, AT(0), 1000, T(1));
	assert_false(tcp_rtx_next(&r, &s, &len));
	sack(&r, 300, 700);
	tcp_rtx_mark_lost(&r, 100);
	assert_true(tcp_rtx_next(&r, &s, &len));
	assert_int_equal(s.v, AT(0).v);
	assert_int_equal(len, 300);
	tcp_rtx_resent(&r, s, 100, T(2));
	assert_true(tcp_rtx_next(&r, &s, &len));
	assert_int_equal(s.v, AT(100).v);
	assert_int_equal(len, 200);
	assert_int_equal(tcp_rtx_pipe(&r, 1000), 1000 - 400 - 300 + 100);
	tcp_rtx_resent(&r, s, 200, T(2));
	assert_false(tcp_rtx_next(&r, &s, &len));
	tcp_rtx_check(&r, AT(0), AT(1000));
	tcp_rtx_fini(&r);
}

/* [RFC2018 8] */
static void reneging_forgets_all_sacks(void **state)
{
	struct tcp_rtx r;

	(void)state;
	tcp_rtx_init(&r, AT(0));
	tcp_rtx_push(&r, AT(0), 1000, T(1));
	sack(&r, 0, 100);
	sack(&r, 500, 600);
	tcp_rtx_mark_all(&r);
	assert_int_equal(r.sacked, 0);
	assert_int_equal(r.lost, 1000);
	tcp_rtx_check(&r, AT(0), AT(1000));
	tcp_rtx_fini(&r);
}

static void timeout_keeps_sacks(void **state)
{
	struct tcp_rtx r;

	(void)state;
	tcp_rtx_init(&r, AT(0));
	tcp_rtx_push(&r, AT(0), 1000, T(1));
	sack(&r, 500, 600);
	tcp_rtx_mark_all(&r);
	assert_int_equal(r.sacked, 100);
	assert_int_equal(r.lost, 900);
	tcp_rtx_check(&r, AT(0), AT(1000));
	tcp_rtx_fini(&r);
}

static void array_is_bounded_and_given_back(void **state)
{
	struct tcp_rtx_acked acc = {0};
	uint32_t n = TCP_RTX_MAX + 5000;
	struct tcp_rtx r;

	(void)state;
	tcp_rtx_init(&r, AT(0));
	for (uint32_t i = 0; i < n; i++)
		tcp_rtx_push(&r, AT(i * 10), 10, T(i));
	assert_true(r.n <= TCP_RTX_MAX);
	tcp_rtx_check(&r, AT(0), AT(n * 10));
	/* no room to split: the block is not recorded */
	sack(&r, 15, 17);
	assert_int_equal(r.sacked, 0);
	sack(&r, 20, 30);
	assert_int_equal(r.sacked, 10);
	tcp_rtx_ack(&r, AT(n * 10), &acc);
	assert_int_equal(acc.delivered, n * 10 - 10);
	assert_int_equal(tcp_rtx_memory(&r), 0);
	tcp_rtx_fini(&r);
}

/* ---- against a map of bytes ----------------------------------------- */

#define SPAN 4000u

struct model {
	uint8_t flags[SPAN];
	uint32_t una, nxt;
};

static uint32_t rnd(uint32_t *x, uint32_t n)
{
	*x = *x * 1664525u + 1013904223u;
	return (*x >> 8) % n;
}

static void compare(const struct tcp_rtx *r, const struct model *m)
{
	uint32_t sacked = 0, lost = 0, again = 0, first = UINT32_MAX, len;
	tcp_seq_t s = {0};

	for (uint32_t i = m->una; i < m->nxt; i++) {
		sacked += !!(m->flags[i] & TCP_RTX_SACKED);
		lost += !!(m->flags[i] & TCP_RTX_LOST);
		again += !!(m->flags[i] & TCP_RTX_RTX);
		if ((m->flags[i] & (TCP_RTX_LOST | TCP_RTX_RTX)) ==
			    TCP_RTX_LOST &&
		    first == UINT32_MAX)
			first = i;
	}
	assert_int_equal(r->sacked, sacked);
	assert_int_equal(r->lost, lost);
	assert_int_equal(r->rtx, again);
	assert_int_equal(tcp_rtx_next(r, &s, &len), first != UINT32_MAX);
	if (first != UINT32_MAX)
		assert_int_equal(s.v, AT(first).v);
	tcp_rtx_check(r, AT(m->una), AT(m->nxt));
}

static void model_mark_lost(struct model *m, uint32_t mss)
{
	uint32_t above = 0, runs = 0;

	for (uint32_t i = m->nxt; i-- > m->una;) {
		if (m->flags[i] & TCP_RTX_SACKED) {
			above++;
			if (i + 1 == m->nxt ||
			    !(m->flags[i + 1] & TCP_RTX_SACKED))
				runs++;
		} else if (runs >= 3 || above > 2 * mss) {
			m->flags[i] |= TCP_RTX_LOST;
		}
	}
}

static void model_op(struct tcp_rtx *r, struct model *m, uint32_t *x,
		     uint32_t now)
{
	uint32_t out = m->nxt - m->una, a, b, len;
	struct tcp_rtx_acked acc = {0};
	tcp_seq_t s;

	switch (rnd(x, 8)) {
	case 0:
	case 1:
		a = MIN(1 + rnd(x, 60), SPAN - m->nxt);
		if (!a)
			return;
		tcp_rtx_push(r, AT(m->nxt), a, T(now));
		m->nxt += a;
		break;
	case 2:
		a = m->una + rnd(x, out / 4 + 1);
		tcp_rtx_ack(r, AT(a), &acc);
		m->una = a;
		break;
	case 3:
	case 4:
		if (!out)
			return;
		a = m->una + rnd(x, out);
		b = a + 1 + rnd(x, MIN(m->nxt - a, 50u));
		b = MIN(b, m->nxt);
		tcp_rtx_sack(r, AT(a), AT(b), &acc);
		for (; a < b; a++)
			m->flags[a] = TCP_RTX_SACKED;
		break;
	case 5:
		tcp_rtx_mark_lost(r, 20);
		model_mark_lost(m, 20);
		break;
	case 6:
		if (!tcp_rtx_next(r, &s, &len))
			return;
		len = 1 + rnd(x, len);
		tcp_rtx_resent(r, s, len, T(now));
		for (a = s.v - BASE; len; len--)
			m->flags[a++] = TCP_RTX_LOST | TCP_RTX_RTX;
		break;
	default:
		/* rare: and never when the head is SACKED (reneging) */
		if (rnd(x, 20) || !out || m->flags[m->una] & TCP_RTX_SACKED)
			return;
		tcp_rtx_mark_all(r);
		for (a = m->una; a < m->nxt; a++)
			if (!(m->flags[a] & TCP_RTX_SACKED))
				m->flags[a] = TCP_RTX_LOST;
	}
}

static void agrees_with_a_map_of_bytes(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 150; seed++) {
		struct model m = {.una = 0};
		struct tcp_rtx r;
		uint32_t x = seed;

		tcp_rtx_init(&r, AT(0));
		for (uint32_t i = 0; i < 300; i++) {
			model_op(&r, &m, &x, i / 3);
			compare(&r, &m);
		}
		tcp_rtx_fini(&r);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(same_instant_shares_a_range),
	cmocka_unit_test(ack_takes_parts_and_times),
	cmocka_unit_test(retransmitted_data_gives_no_sample),
	cmocka_unit_test(lost_by_runs_or_bytes),
	cmocka_unit_test(next_gives_what_waits_in_order),
	cmocka_unit_test(reneging_forgets_all_sacks),
	cmocka_unit_test(timeout_keeps_sacks),
	cmocka_unit_test(array_is_bounded_and_given_back),
	cmocka_unit_test(agrees_with_a_map_of_bytes),
};

UNIT_MAIN(tests)
