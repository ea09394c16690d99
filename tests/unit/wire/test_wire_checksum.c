/* The Internet checksum against a plain sum of 16-bit words. */
#include "unit.h"
#include "wire/checksum.h"

#include <stdlib.h>
#include <string.h>

static uint64_t seed = 42;

static uint64_t rnd(uint64_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (seed >> 33) % n;
}

/* RFC 1071 4.1, word by word in network order. */
static uint16_t naive(const uint8_t *p, size_t len)
{
	uint64_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint64_t)(p[i] << 8 | p[i + 1]);
	if (len & 1)
		sum += (uint64_t)p[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* 0 and 0xffff are the same number in ones-complement. */
static uint16_t norm(uint16_t v)
{
	return v == 0xffff ? 0 : v;
}

static void example_of_the_rfc(void **state UNUSED)
{
	static const uint8_t b[] = {0x00, 0x01, 0xf2, 0x03,
				    0xf4, 0xf5, 0xf6, 0xf7};

	/* [RFC1071 3] */
	assert_int_equal(csum_fold(csum_add(0, b, sizeof(b))), 0xddf2);
	assert_int_equal(csum_finish(csum_add(0, b, sizeof(b))), 0x220d);
}

static void every_length_and_alignment(void **state UNUSED)
{
	uint8_t buf[400];

	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)rnd(256);
	for (size_t off = 0; off < 16; off++)
		for (size_t len = 0; len < 300; len++)
			assert_int_equal(
				norm(csum_fold(csum_add(0, buf + off, len))),
				norm(naive(buf + off, len)));
}

static void extremes(void **state UNUSED)
{
	static uint8_t ones[65536], zeros[65536];

	memset(ones, 0xff, sizeof(ones));
	assert_int_equal(csum_fold(csum_add(0, ones, sizeof(ones))), 0xffff);
	assert_int_equal(csum_fold(csum_add(0, zeros, sizeof(zeros))), 0);
	assert_int_equal(csum_fold(csum_add(UINT64_MAX, ones, 65535)),
			 naive(ones, 65535) == 0xffff ? 0xffff
						      : naive(ones, 65535));
}

static void pieces_of_any_length(void **state UNUSED)
{
	static uint8_t buf[5000];

	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)rnd(256);
	for (int round = 0; round < 2000; round++) {
		struct iovec iov[8];
		size_t at = 0;
		int n = 1 + (int)rnd(8);

		for (int i = 0; i < n; i++) {
			size_t len = rnd(600);

			iov[i] = (struct iovec){buf + at, len};
			at += len;
		}
		assert_int_equal(norm(csum_fold(csum_add_iov(0, iov, n))),
				 norm(naive(buf, at)));
	}
}

static void pseudo_headers(void **state UNUSED)
{
	struct ip_addr a = ip_v4(192, 0, 2, 1), b = ip_v4(10, 0, 0, 255);
	struct ip_addr c, d;
	uint8_t v4[12] = {192, 0, 2, 1, 10, 0, 0, 255, 0, 17, 0x12, 0x34};
	uint8_t v6[40] = {0};

	assert_int_equal(csum_fold(csum_pseudo(&a, &b, 17, 0x1234)),
			 naive(v4, sizeof(v4)));
	assert_int_equal(ip_parse("2001:db8::1", &c), 0);
	assert_int_equal(ip_parse("fe80::ffff:1", &d), 0);
	memcpy(v6, c.b, 16);
	memcpy(v6 + 16, d.b, 16);
	v6[33] = 1; /* 65536 + 2 */
	v6[35] = 2;
	v6[39] = 6;
	assert_int_equal(csum_fold(csum_pseudo(&c, &d, 6, 65538)),
			 naive(v6, sizeof(v6)));
}

static void a_message_with_its_checksum_sums_to_zero(void **state UNUSED)
{
	uint8_t m[101];

	for (int round = 0; round < 1000; round++) {
		size_t len = 4 + rnd(97);
		uint16_t v;

		for (size_t i = 0; i < len; i++)
			m[i] = (uint8_t)rnd(256);
		m[2] = m[3] = 0;
		v = csum_finish(csum_add(0, m, len));
		m[2] = (uint8_t)(v >> 8);
		m[3] = (uint8_t)v;
		assert_int_equal(csum_finish(csum_add(0, m, len)), 0);
		m[rnd(len)] ^= (uint8_t)(1u << rnd(8));
		assert_int_not_equal(csum_finish(csum_add(0, m, len)), 0);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(example_of_the_rfc),
	cmocka_unit_test(every_length_and_alignment),
	cmocka_unit_test(extremes),
	cmocka_unit_test(pieces_of_any_length),
	cmocka_unit_test(pseudo_headers),
	cmocka_unit_test(a_message_with_its_checksum_sums_to_zero),
};

UNIT_MAIN(tests)
