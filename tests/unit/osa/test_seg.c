/* Segmentation in software: what an adapter would put on the wire. */
#include "osa/seg.h"
#include "unit.h"
#include "wire/checksum.h"

#include <errno.h>
#include <string.h>

#define MSS 1000u

static uint8_t payload[65536];

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static struct ip_addr addr_of(bool v6, uint8_t last)
{
	uint8_t b[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = last};

	return v6 ? ip_from_bytes(IP_V6, b) : ip_v4(192, 0, 2, last);
}

/* Headers of `l2` + IP + TCP (20 bytes) or UDP with the pseudo-header sum in
 * the checksum field, `len` payload bytes cut into uneven pieces. */
static struct frame make(bool v6, uint8_t proto, uint16_t l2, uint32_t len)
{
	struct frame f = {.l2_len = l2, .needs_csum = true};
	uint8_t *ip = f.hdr + l2;
	uint32_t l4_len = proto == 6 ? 20 : 8;
	struct ip_addr src = addr_of(v6, 1), dst = addr_of(v6, 2);
	uint16_t sum = csum_fold(csum_pseudo(&src, &dst, proto, l4_len + len));
	uint8_t *l4;

	memset(f.hdr, 0xee, l2);
	if (v6) {
		ip[0] = 0x60;
		put16(ip + 4, l4_len + len);
		ip[6] = proto;
		ip[7] = 64;
		memcpy(ip + 8, src.b, 16);
		memcpy(ip + 24, dst.b, 16);
	} else {
		ip[0] = 0x45;
		put16(ip + 2, 20 + l4_len + len);
		put16(ip + 4, 0xfffe);
		ip[8] = 64;
		ip[9] = proto;
		memcpy(ip + 12, src.b, 4);
		memcpy(ip + 16, dst.b, 4);
		put16(ip + 10, csum_finish(csum_add(0, ip, 20)));
	}
	f.csum_start = (uint16_t)(l2 + (v6 ? 40 : 20));
	f.hdr_len = (uint16_t)(f.csum_start + l4_len);
	l4 = f.hdr + f.csum_start;
	put16(l4, 4000);
	put16(l4 + 2, 5000);
	if (proto == 6) {
		memcpy(l4 + 4, "\xff\xff\xff\x00", 4); /* wraps */
		l4[12] = 0x50;
		l4[13] = 0x80 | 0x10 | 0x08 | 0x01; /* CWR ACK PSH FIN */
		f.csum_offset = 16;
	} else {
		put16(l4 + 4, l4_len + len);
		f.csum_offset = 6;
	}
	put16(l4 + f.csum_offset, sum);
	f.payload_len = len;
	for (uint32_t at = 0; at < len; f.n_iov++) {
		uint32_t n = f.n_iov == 7 ? len - at : MIN(len - at, 333u + at);

		f.iov[f.n_iov].iov_base = payload + at;
		f.iov[f.n_iov].iov_len = n;
		at += n;
	}
	return f;
}

static uint32_t join(const struct iovec *iov, int n, uint8_t *dst)
{
	uint32_t at = 0;

	for (int i = 0; i < n; i++) {
		memcpy(dst + at, iov[i].iov_base, iov[i].iov_len);
		at += (uint32_t)iov[i].iov_len;
	}
	return at;
}

/* The transport checksum of a wire packet at `ip` must come out as zero. */
static void assert_csum(const uint8_t *ip, uint32_t len, bool v6, uint8_t proto)
{
	struct ip_addr src = addr_of(v6, 1), dst = addr_of(v6, 2);
	uint32_t hdr = v6 ? 40 : 20;
	uint64_t sum = csum_pseudo(&src, &dst, proto, len - hdr);

	assert_int_equal(csum_finish(csum_add(sum, ip + hdr, len - hdr)), 0);
	if (!v6)
		assert_int_equal(csum_finish(csum_add(0, ip, 20)), 0);
}

static void check_tcp(const uint8_t *l4, uint32_t index, bool last)
{
	uint32_t seq = 0xffffff00u + index * MSS;
	uint8_t flags = 0x10;

	if (last)
		flags |= 0x08 | 0x01;
	if (index == 0)
		flags |= 0x80;
	assert_int_equal(get16(l4 + 4) << 16 | get16(l4 + 6), seq);
	assert_int_equal(l4[13], flags);
}

static void cut(bool v6, uint8_t proto, uint8_t gso, uint16_t l2, uint32_t len)
{
	struct frame f = make(v6, proto, l2, len);
	uint32_t at = 0, index = 0, hdrs = f.hdr_len - l2;
	struct iovec iov[SEG_IOV_MAX];
	uint8_t hdr[FRAME_HDR_MAX], wire[4096];
	struct seg_iter it;
	int n;

	f.gso = gso;
	f.gso_size = MSS;
	assert_int_equal(seg_begin(&it, &f), 0);
	for (; (n = seg_next(&it, hdr, iov)) > 0; index++) {
		uint32_t part = MIN(MSS, len - at), total = join(iov, n, wire);
		const uint8_t *ip = wire + l2, *l4 = wire + f.csum_start;

		assert_int_equal(total, l2 + hdrs + part);
		assert_int_equal(wire[0] == 0xee, l2 > 0);
		assert_memory_equal(wire + f.hdr_len, payload + at, part);
		assert_int_equal(get16(ip + (v6 ? 4 : 2)),
				 hdrs + part - (v6 ? 40 : 0));
		if (!v6)
			assert_int_equal(get16(ip + 4),
					 (uint16_t)(0xfffe + index));
		if (proto == 6)
			check_tcp(l4, index, at + part == len);
		else
			assert_int_equal(get16(l4 + 4), 8 + part);
		assert_csum(ip, total - l2, v6, proto);
		at += part;
	}
	assert_int_equal(at, len);
	assert_int_equal(index, (len + MSS - 1) / MSS);
	assert_int_equal(seg_next(&it, hdr, iov), 0);
}

static int fill(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7 + (i >> 8));
	return 0;
}

static void test_tcp4(void **state)
{
	(void)state;
	cut(false, 6, FRAME_GSO_TCP4, 0, 65000);
	cut(false, 6, FRAME_GSO_TCP4, 14, 3001);
	cut(false, 6, FRAME_GSO_TCP4, 18, 2000);
	cut(false, 6, FRAME_GSO_TCP4, 0, 999);
}

static void test_tcp6(void **state)
{
	(void)state;
	cut(true, 6, FRAME_GSO_TCP6, 0, 65000);
	cut(true, 6, FRAME_GSO_TCP6, 14, 1001);
}

static void test_udp(void **state)
{
	(void)state;
	cut(false, 17, FRAME_GSO_UDP, 0, 5555);
	cut(true, 17, FRAME_GSO_UDP, 14, 5555);
}

/* The bytes of one small case, worked out by hand: "abcd" cut at 2. */
static void test_bytes(void **state)
{
	static const uint8_t want[2][42] = {
		{0x45, 0,  0, 42,   0x12, 0x34, 0x40, 0,   64, 6, 0x14,
		 0x98, 10, 0, 0,    1,    10,   0,    0,   2,  0, 1,
		 0,    2,  0, 0,    0,    5,    0,    0,   0,  9, 0x50,
		 0x10, 1,  0, 0x39, 0x5d, 0,    0,    'a', 'b'},
		{0x45, 0,  0, 42,   0x12, 0x35, 0x40, 0,   64, 6, 0x14,
		 0x97, 10, 0, 0,    1,    10,   0,    0,   2,  0, 1,
		 0,    2,  0, 0,    0,    7,    0,    0,   0,  9, 0x50,
		 0x18, 1,  0, 0x37, 0x51, 0,    0,    'c', 'd'},
	};
	static const uint8_t hdr[40] = {
		0x45, 0, 0,  44, 0x12, 0x34, 0x40, 0, 64,   6,    0, 0, 10, 0,
		0,    1, 10, 0,  0,    2,    0,    1, 0,    2,    0, 0, 0,  5,
		0,    0, 0,  9,  0x50, 0x18, 1,    0, 0x14, 0x21, 0, 0};
	struct frame f = {.hdr_len = 40,
			  .payload_len = 4,
			  .gso = FRAME_GSO_TCP4,
			  .needs_csum = true,
			  .gso_size = 2,
			  .csum_start = 20,
			  .csum_offset = 16,
			  .n_iov = 1};
	struct iovec iov[SEG_IOV_MAX];
	uint8_t space[FRAME_HDR_MAX], wire[64], text[] = "abcd";
	struct seg_iter it;

	(void)state;
	memcpy(f.hdr, hdr, sizeof(hdr));
	f.iov[0].iov_base = text;
	f.iov[0].iov_len = 4;
	assert_int_equal(seg_begin(&it, &f), 0);
	for (int i = 0; i < 2; i++) {
		int n = seg_next(&it, space, iov);

		assert_int_equal(join(iov, n, wire), 42);
		assert_memory_equal(wire, want[i], 42);
	}
	assert_int_equal(seg_next(&it, space, iov), 0);
}

/* A frame without GSO only gets its checksum. */
static void test_checksum_only(void **state)
{
	struct frame f = make(true, 17, 14, 1001);
	struct iovec iov[SEG_IOV_MAX];
	uint8_t hdr[FRAME_HDR_MAX], wire[4096];
	struct seg_iter it;
	uint32_t len;

	(void)state;
	assert_int_equal(seg_begin(&it, &f), 0);
	len = join(iov, seg_next(&it, hdr, iov), wire);
	assert_int_equal(len, f.hdr_len + 1001u);
	assert_csum(wire + 14, len - 14, true, 17);
	assert_int_equal(seg_next(&it, hdr, iov), 0);
}

/* RFC 768: UDP never sends a computed zero. */
static void test_udp_zero_becomes_ones(void **state)
{
	struct frame f = make(false, 17, 0, 2);
	struct iovec iov[SEG_IOV_MAX];
	uint8_t hdr[FRAME_HDR_MAX], bytes[2] = {0, 0};
	struct seg_iter it;
	uint16_t sum;

	(void)state;
	f.iov[0].iov_base = bytes;
	assert_int_equal(seg_begin(&it, &f), 0);
	assert_int_equal(seg_next(&it, hdr, iov), 2);
	sum = (uint16_t)get16(hdr + f.csum_start + 6);
	put16(bytes, sum); /* now the sum of everything is zero */
	assert_int_equal(seg_begin(&it, &f), 0);
	assert_int_equal(seg_next(&it, hdr, iov), 2);
	assert_int_equal(get16(hdr + f.csum_start + 6), 0xffff);
}

static void test_no_payload(void **state)
{
	struct frame f = make(false, 6, 0, 0);
	struct iovec iov[SEG_IOV_MAX];
	uint8_t hdr[FRAME_HDR_MAX];
	struct seg_iter it;

	(void)state;
	assert_int_equal(seg_begin(&it, &f), 0);
	assert_int_equal(seg_next(&it, hdr, iov), 1);
	assert_csum(hdr, 40, false, 6);
	assert_int_equal(seg_next(&it, hdr, iov), 0);
}

static void test_bad_headers_refused(void **state)
{
	struct seg_iter it;
	struct frame f;

	(void)state;
	f = make(false, 6, 0, 3000);
	f.gso = FRAME_GSO_TCP4;
	assert_int_equal(seg_begin(&it, &f), -EINVAL); /* gso_size 0 */
	f.gso_size = MSS;
	f.hdr[0] = 0x55;
	assert_int_equal(seg_begin(&it, &f), -EINVAL); /* version 5 */
	f.hdr[0] = 0x46;
	assert_int_equal(seg_begin(&it, &f), -EINVAL); /* IHL is another */
	f.hdr[0] = 0x45;
	f.hdr_len = 30;
	assert_int_equal(seg_begin(&it, &f), -EINVAL); /* TCP cut off */
	f = make(false, 6, 0, 3000);
	f.csum_offset = 60;
	assert_int_equal(seg_begin(&it, &f), -EINVAL); /* field outside */
	f = make(false, 6, 0, 3000);
	f.gso = FRAME_GSO_TCP4;
	f.gso_size = MSS;
	f.needs_csum = false;
	assert_int_equal(seg_begin(&it, &f), -EINVAL);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(test_tcp4, fill),
	cmocka_unit_test_setup(test_tcp6, fill),
	cmocka_unit_test_setup(test_udp, fill),
	cmocka_unit_test(test_bytes),
	cmocka_unit_test_setup(test_checksum_only, fill),
	cmocka_unit_test(test_udp_zero_becomes_ones),
	cmocka_unit_test(test_no_payload),
	cmocka_unit_test(test_bad_headers_refused),
};

UNIT_MAIN(tests)
