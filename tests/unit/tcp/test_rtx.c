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

/* What RACK marks when the latest delivered was sent at `xmit` ms and ends at
 * `end`, `wait` ms being a round trip and the window; `next` in ms, -1 none. */
static uint32_t rack(struct tcp_rtx *r, int64_t xmit, uint32_t end,
		     int64_t wait, int64_t now, int64_t *next)
{
	struct tcp_rtx_rack k = {
		.xmit_at = T(xmit), .end = AT(end), .wait = DUR_MS(wait)};
	mono_t at;
	uint32_t due = tcp_rtx_rack(r, &k, T(now), &at);

	*next = mono_is_never(at) ? -1 : (int64_t)(at.ns / 1000000);
	return due;
}

/* [RFC8985 6.2 step 5] sent before what arrived, and long enough ago */
static void lost_by_time(void **state)
{
	struct tcp_rtx r;
	int64_t next;

	(void)state;
	tcp_rtx_init(&r, AT(0));
	for (uint32_t i = 0; i < 10; i++)
		tcp_rtx_push(&r, AT(i * 100), 100, T(100 + i));
	sack(&r, 300, 400);
	assert_int_equal(rack(&r, 103, 400, 25, 124, &next), 0);
	assert_int_equal(next, 125);
	assert_int_equal(rack(&r, 103, 400, 25, 126, &next), 200);
	assert_int_equal(next, 127); /* the third */
	assert_int_equal(rack(&r, 103, 400, 25, 127, &next), 100);
	assert_int_equal(next, -1); /* later ones wait for later news */
	assert_int_equal(r.lost, 300);
	tcp_rtx_check(&r, AT(0), AT(1000));
	tcp_rtx_fini(&r);
}

/* [RFC8985 6.1] RACK_sent_after: of one instant the lower was sent first */
static void one_instant_is_ordered_by_numbers(void **state)
{
	struct tcp_rtx r;
	int64_t next;

	(void)state;
	tcp_rtx_init(&r, AT(0));
	tcp_rtx_push(&r, AT(0), 1000, T(100));
	sack(&r, 400, 500);
	assert_int_equal(rack(&r, 100, 500, 10, 200, &next), 400);
	assert_int_equal(r.lost, 400);
	tcp_rtx_check(&r, AT(0), AT(1000));
	tcp_rtx_fini(&r);
}

/* [RFC8985 5.1] [RFC8985 6.2 step 5] a retransmission can be lost as well:
 * its time is that of the latest sending */
static void lost_retransmissions_are_found(void **state)
{
	struct tcp_rtx r;
	int64_t next;

	(void)state;
	tcp_rtx_init(&r, AT(0));
	for (uint32_t i = 0; i < 10; i++)
		tcp_rtx_push(&r, AT(i * 100), 100, T(100 + i));
	sack(&r, 100, 200);
	assert_int_equal(rack(&r, 101, 200, 0, 130, &next), 100);
	tcp_rtx_resent(&r, AT(0), 100, T(130));
	/* news of what was sent before it says nothing */
	sack(&r, 200, 300);
	assert_int_equal(rack(&r, 102, 300, 20, 160, &next), 0);
	assert_int_equal(next, -1);
	/* of what was sent after it, it does */
	tcp_rtx_push(&r, AT(1000), 100, T(131));
	sack(&r, 300, 1100);
	assert_int_equal(rack(&r, 131, 1100, 20, 149, &next), 0);
	assert_int_equal(next, 150);
	assert_int_equal(rack(&r, 131, 1100, 20, 151, &next), 100);
	assert_int_equal(r.rtx, 0);
	assert_int_equal(r.lost, 100);
	tcp_rtx_check(&r, AT(0), AT(1100));
	tcp_rtx_fini(&r);
}

/* [RFC8985 6.3] a time-out takes the head and what is old */
static void timeout_leaves_what_is_young(void **state)
{
	struct tcp_rtx r;
	tcp_seq_t s;
	uint32_t len;

	(void)state;
	tcp_rtx_init(&r, AT(0));
	tcp_rtx_push(&r, AT(0), 100, T(300));
	tcp_rtx_push(&r, AT(100), 100, T(301));
	tcp_rtx_mark_sent_until(&r, T(200));
	assert_int_equal(r.lost, 100); /* the head in any case */
	tcp_rtx_mark_sent_until(&r, T(301));
	assert_int_equal(r.lost, 200);
	assert_true(tcp_rtx_next(&r, &s, &len));
	assert_int_equal(s.v, AT(0).v);
	tcp_rtx_check(&r, AT(0), AT(200));
	tcp_rtx_fini(&r);
}

/* Nothing was lost after all: what was repeated may still be on its way. */
static void unmarking_keeps_what_was_repeated(void **state)
{
	struct tcp_rtx r;
	tcp_seq_t s;
	uint32_t len;

	(void)state;
	tcp_rtx_init(&r, AT(0));
	tcp_rtx_push(&r, AT(0), 1000, T(1));
	tcp_rtx_mark_all(&r);
	tcp_rtx_resent(&r, AT(0), 100, T(2));
	tcp_rtx_unmark(&r);
	assert_int_equal(r.lost, 100);
	assert_int_equal(r.rtx, 100);
	assert_false(tcp_rtx_next(&r, &s, &len));
	tcp_rtx_check(&r, AT(0), AT(1000));
	tcp_rtx_fini(&r);
}

/* What came late, below what had come, is reordering, unless it was sent
 * twice. */
static void late_arrivals_are_reordering(void **state)
{
	struct tcp_rtx_acked acc;
	struct tcp_rtx r;

	(void)state;
	tcp_rtx_init(&r, AT(0));
	tcp_rtx_push(&r, AT(0), 1000, T(1));
	sack(&r, 500, 600);
	acc = (struct tcp_rtx_acked){.fack = r.fack};
	tcp_rtx_sack(&r, AT(600), AT(700), &acc);
	assert_false(acc.reordered);
	acc = (struct tcp_rtx_acked){.fack = r.fack};
	tcp_rtx_sack(&r, AT(300), AT(400), &acc);
	assert_true(acc.reordered);
	assert_int_equal(acc.newest_end.v, AT(400).v);
	tcp_rtx_mark_all(&r);
	tcp_rtx_resent(&r, AT(0), 300, T(5));
	acc = (struct tcp_rtx_acked){.fack = r.fack};
	tcp_rtx_ack(&r, AT(300), &acc);
	assert_false(acc.reordered);
	assert_int_equal(acc.resent_at.ns, T(5).ns);
	tcp_rtx_check(&r, AT(300), AT(1000));
	tcp_rtx_fini(&r);
}

static void next_gives_what_waits_in_order(void **state)
{
	tcp_seq_t s;
	uint32_t len;
	struct tcp_rtx r;
	int64_t next;

	(void)state;
	tcp_rtx_init(&r, AT(0));
	tcp_rtx_push(&r, AT(0), 1000, T(1));
	assert_false(tcp_rtx_next(&r, &s, &len));
	sack(&r, 300, 700);
	assert_int_equal(rack(&r, 1, 700, 0, 9, &next), 300);
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
	uint32_t sent[SPAN];
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

/* [RFC8985 6.2 step 5] by the byte: what is lost, not SACKED, was sent at
 * `xmit` (or then and below `end`) or before, and `wait` ago. */
static void model_rack(struct model *m, uint32_t xmit, uint32_t end,
		       uint32_t wait, uint32_t now)
{
	for (uint32_t i = m->una; i < m->nxt; i++) {
		uint32_t at = m->sent[i];
		bool before = at == xmit ? i < end : at < xmit;

		if ((m->flags[i] & TCP_RTX_SACKED) || !before ||
		    at + wait > now)
			continue;
		m->flags[i] = TCP_RTX_LOST;
	}
}

static void model_op(struct tcp_rtx *r, struct model *m, uint32_t *x,
		     uint32_t now)
{
	uint32_t out = m->nxt - m->una, a, b, len;
	struct tcp_rtx_acked acc = {0};
	tcp_seq_t s;
	int64_t next;

	switch (rnd(x, 8)) {
	case 0:
	case 1:
		a = MIN(1 + rnd(x, 60), SPAN - m->nxt);
		if (!a)
			return;
		tcp_rtx_push(r, AT(m->nxt), a, T(now));
		while (a--)
			m->sent[m->nxt++] = now;
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
		a = m->una + rnd(x, out + 1);
		if (a >= m->nxt || !(m->flags[a] & TCP_RTX_SACKED))
			return;
		b = rnd(x, 20);
		rack(r, m->sent[a], a + 1, b, now, &next);
		model_rack(m, m->sent[a], a + 1, b, now);
		break;
	case 6:
		if (!tcp_rtx_next(r, &s, &len))
			return;
		len = 1 + rnd(x, len);
		tcp_rtx_resent(r, s, len, T(now));
		for (a = s.v - BASE; len; len--) {
			m->sent[a] = now;
			m->flags[a++] = TCP_RTX_LOST | TCP_RTX_RTX;
		}
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
			model_op(&r, &m, &x, 1 + i / 3);
			compare(&r, &m);
		}
		tcp_rtx_fini(&r);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(same_instant_shares_a_range),
	cmocka_unit_test(ack_takes_parts_and_times),
	cmocka_unit_test(retransmitted_data_gives_no_sample),
	cmocka_unit_test(lost_by_time),
	cmocka_unit_test(one_instant_is_ordered_by_numbers),
	cmocka_unit_test(lost_retransmissions_are_found),
	cmocka_unit_test(timeout_leaves_what_is_young),
	cmocka_unit_test(unmarking_keeps_what_was_repeated),
	cmocka_unit_test(late_arrivals_are_reordering),
	cmocka_unit_test(next_gives_what_waits_in_order),
	cmocka_unit_test(reneging_forgets_all_sacks),
	cmocka_unit_test(timeout_keeps_sacks),
	cmocka_unit_test(array_is_bounded_and_given_back),
	cmocka_unit_test(agrees_with_a_map_of_bytes),
};

UNIT_MAIN(tests)
