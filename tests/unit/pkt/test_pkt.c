/* Packet buffers, their pool, and frames. */
#include "pkt/pkt.h"
#include "unit.h"
#include "wire/checksum.h"

#include <errno.h>
#include <string.h>

static struct pkt_pool pool;

#define SMALL_BYTES (sizeof(struct pkt) + PKT_SMALL_CAP)
#define LARGE_BYTES (sizeof(struct pkt) + PKT_LARGE_CAP)

static void new_buffers_are_clean(void **state UNUSED)
{
	struct pkt *p;

	pkt_pool_init(&pool, 1 << 20);
	for (int round = 0; round < 2; round++) {
		p = pkt_new(&pool, PKT_SMALL);
		assert_non_null(p);
		assert_int_equal(p->off, PKT_HEADROOM);
		assert_int_equal(p->len, 0);
		assert_int_equal(p->cap, PKT_SMALL_CAP);
		assert_int_equal(pkt_tailroom(p), PKT_SMALL_CAP - PKT_HEADROOM);
		assert_null(p->next);
		assert_int_equal(p->gso_size, 0);
		assert_int_equal(p->csum, PKT_CSUM_UNKNOWN);
		p->gso_size = 7;
		p->csum = PKT_CSUM_OK;
		p->next = p;
		p->len = 100;
		pkt_pull(p, 10);
		pkt_trim(p, 20);
		assert_int_equal(p->len, 70);
		assert_ptr_equal(pkt_data(p), p->buf + PKT_HEADROOM + 10);
		pkt_free(&pool, p);
	}
	pkt_free(&pool, NULL);
	pkt_pool_fini(&pool);
}

static void limit_and_reuse(void **state UNUSED)
{
	struct pkt *p[4], *again;

	pkt_pool_init(&pool, 3 * SMALL_BYTES);
	for (int i = 0; i < 3; i++)
		assert_non_null(p[i] = pkt_new(&pool, PKT_SMALL));
	assert_null(pkt_new(&pool, PKT_SMALL));
	assert_null(pkt_new(&pool, PKT_LARGE));
	assert_int_equal(pool.refused, 2);
	assert_int_equal(pool.used_bytes, 3 * SMALL_BYTES);
	pkt_free(&pool, p[0]);
	pkt_free(&pool, p[2]);
	again = pkt_new(&pool, PKT_SMALL);
	assert_ptr_equal(again, p[2]); /* last in, first out */
	p[1]->next = again;
	again->next = NULL;
	pkt_free_chain(&pool, p[1]);
	assert_int_equal(pool.used_bytes, 0);
	assert_int_equal(pool.cached_bytes, 3 * SMALL_BYTES);
	pkt_pool_fini(&pool);
	assert_int_equal(pool.cached_bytes, 0);
}

static void cache_does_not_grow_for_ever(void **state UNUSED)
{
	static struct pkt *p[400];

	pkt_pool_init(&pool, 1u << 30);
	for (int i = 0; i < 400; i++)
		assert_non_null(p[i] = pkt_new(&pool, PKT_LARGE));
	for (int i = 0; i < 400; i++)
		pkt_free(&pool, p[i]);
	assert_int_equal(pool.used_bytes, 0);
	assert_in_range(pool.cached_bytes, 1, 16u << 20);
	pkt_pool_fini(&pool);
}

static void shrinking(void **state UNUSED)
{
	struct pkt *p, *s;

	pkt_pool_init(&pool, 4 * LARGE_BYTES);
	p = pkt_new(&pool, PKT_LARGE);
	p->off = 100;
	p->len = 500;
	p->seq = 1;
	p->ifindex = 2;
	p->gso_size = 3;
	p->gso_segs = 4;
	p->csum = PKT_CSUM_OK;
	p->l2_multicast = 1;
	p->mark = 5;
	p->ecn = 3;
	p->next = p;
	for (int i = 0; i < 600; i++)
		p->buf[i] = (uint8_t)i;
	s = pkt_shrink(&pool, p);
	assert_int_equal(s->cap, PKT_SMALL_CAP);
	assert_int_equal(s->len, 500);
	for (int i = 0; i < 600; i++) /* what is in front stays, too */
		assert_int_equal(pkt_data(s)[i - 100], (uint8_t)i);
	assert_int_equal(s->seq, 1);
	assert_int_equal(s->ifindex, 2);
	assert_int_equal(s->gso_size, 3);
	assert_int_equal(s->gso_segs, 4);
	assert_int_equal(s->csum, PKT_CSUM_OK);
	assert_int_equal(s->l2_multicast, 1);
	assert_int_equal(s->mark, 5);
	assert_int_equal(s->ecn, 3);
	assert_ptr_equal(s->next, p);
	assert_int_equal(pool.used_bytes, SMALL_BYTES);
	/* small ones stay what they are */
	assert_ptr_equal(pkt_shrink(&pool, s), s);
	pkt_free(&pool, s);
	/* so do those that do not fit */
	p = pkt_new(&pool, PKT_LARGE);
	p->len = PKT_SMALL_CAP + 1;
	assert_ptr_equal(pkt_shrink(&pool, p), p);
	/* a full one loses what does not fit in front */
	p->off = 100;
	p->len = PKT_SMALL_CAP - 10;
	s = pkt_shrink(&pool, p);
	assert_int_equal(s->off, 10);
	pkt_free(&pool, s);
	pkt_pool_fini(&pool);
}

static void shrinking_without_a_pool(void **state UNUSED)
{
	struct pkt *p;

	pkt_pool_init(&pool, LARGE_BYTES);
	p = pkt_new(&pool, PKT_LARGE);
	p->len = 10;
	assert_ptr_equal(pkt_shrink(&pool, p), p);
	pkt_free(&pool, p);
	pkt_pool_fini(&pool);
}

/* A UDP frame with `hdr_len` transport bytes in hdr, the rest in pieces. */
static void check_finish(uint16_t l4_in_hdr, bool zero)
{
	static uint8_t data[1001], whole[2000];
	struct ip_addr a = ip_v4(10, 0, 0, 1), b = ip_v4(10, 0, 0, 2);
	struct frame f = {.hdr_len = (uint16_t)(34 + l4_in_hdr),
			  .l2_len = 14,
			  .csum_start = 34,
			  .csum_offset = 6,
			  .needs_csum = true,
			  .n_iov = 3};
	uint32_t len;
	uint16_t pseudo;
	ssize_t n;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(zero ? 0 : i * 13);
	f.iov[0] = (struct iovec){data, 333};
	f.iov[1] = (struct iovec){data + 333, 1};
	f.iov[2] = (struct iovec){data + 334, 667};
	f.payload_len = 1001;
	for (int i = 34; i < f.hdr_len; i++)
		f.hdr[i] = (uint8_t)(zero ? 0 : i);
	len = l4_in_hdr + f.payload_len;
	pseudo = csum_fold(csum_pseudo(&a, &b, 17, len));
	if (zero) { /* make the sum come out as zero */
		f.hdr[34] = (uint8_t)(~pseudo >> 8);
		f.hdr[35] = (uint8_t)~pseudo;
	}
	f.hdr[40] = (uint8_t)(pseudo >> 8);
	f.hdr[41] = (uint8_t)pseudo;
	frame_finish_csum(&f);
	assert_false(f.needs_csum);
	if (zero) { /* [RFC768] */
		assert_int_equal(f.hdr[40], 0xff);
		assert_int_equal(f.hdr[41], 0xff);
	}
	n = frame_copy(&f, whole, sizeof(whole));
	assert_int_equal(n, 34 + len);
	assert_int_equal(csum_finish(csum_add(csum_pseudo(&a, &b, 17, len),
					      whole + 34, len)),
			 0);
	/* once is enough */
	f.hdr[40] = 1;
	frame_finish_csum(&f);
	assert_int_equal(f.hdr[40], 1);
}

static void checksums_are_finished(void **state UNUSED)
{
	check_finish(8, false);
	check_finish(9, false); /* an odd header */
	check_finish(12, false);
	check_finish(8, true);
}

static void frames_are_copied(void **state UNUSED)
{
	struct frame f = {.hdr_len = 3, .n_iov = 2, .payload_len = 5};
	uint8_t a[2] = {4, 5}, b[3] = {6, 7, 8}, out[8];

	memcpy(f.hdr, "\1\2\3", 3);
	f.iov[0] = (struct iovec){a, 2};
	f.iov[1] = (struct iovec){b, 3};
	assert_int_equal(frame_len(&f), 8);
	assert_int_equal(frame_copy(&f, out, 7), -ENOSPC);
	assert_int_equal(frame_copy(&f, out, 8), 8);
	assert_memory_equal(out, "\1\2\3\4\5\6\7\x08", 8);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(new_buffers_are_clean),
	cmocka_unit_test(limit_and_reuse),
	cmocka_unit_test(cache_does_not_grow_for_ever),
	cmocka_unit_test(shrinking),
	cmocka_unit_test(shrinking_without_a_pool),
	cmocka_unit_test(checksums_are_finished),
	cmocka_unit_test(frames_are_copied),
};

UNIT_MAIN(tests)
