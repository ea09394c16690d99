#include "wire/checksum.h"

#include <string.h>

/*
 * The sum is kept in the machine's byte order over native 64-bit words and
 * swapped once when folded: RFC 1071 2(B), byte order independence.
 */
static uint64_t add_carry(uint64_t a, uint64_t b)
{
	a += b;
	return a + (a < b);
}

uint64_t csum_add(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t a = sum, b = 0, w[4];

	for (; len >= 32; p += 32, len -= 32) {
		memcpy(w, p, 32);
		a = add_carry(a, w[0]);
		b = add_carry(b, w[1]);
		a = add_carry(a, w[2]);
		b = add_carry(b, w[3]);
	}
	a = add_carry(a, b);
	for (; len >= 8; p += 8, len -= 8) {
		memcpy(w, p, 8);
		a = add_carry(a, w[0]);
	}
	if (len) {
		w[0] = 0;
		memcpy(w, p, len);
		a = add_carry(a, w[0]);
	}
	return a;
}

static uint16_t fold_native(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

uint64_t csum_add_iov(uint64_t sum, const struct iovec *iov, int n)
{
	bool odd = false;

	for (int i = 0; i < n; i++) {
		uint16_t part = fold_native(
			csum_add(0, iov[i].iov_base, iov[i].iov_len));

		/* RFC 1071 2(B): a piece that starts at an odd offset counts
		 * with its bytes swapped. */
		if (odd)
			part = (uint16_t)(part << 8 | part >> 8);
		sum = add_carry(sum, part);
		odd ^= iov[i].iov_len & 1;
	}
	return sum;
}

uint64_t csum_pseudo(const struct ip_addr *src, const struct ip_addr *dst,
		     uint8_t proto, uint32_t len)
{
	/* RFC 9293 3.1 and RFC 8200 8.1 give the same sum: addresses, length
	 * and protocol, zeros elsewhere. */
	uint8_t tail[8] = {
		(uint8_t)(len >> 24),
		(uint8_t)(len >> 16),
		(uint8_t)(len >> 8),
		(uint8_t)len,
		0,
		0,
		0,
		proto,
	};
	uint64_t sum = csum_add(0, src->b, ip_addr_len(src));

	sum = csum_add(sum, dst->b, ip_addr_len(dst));
	return csum_add(sum, tail, sizeof(tail));
}

uint16_t csum_fold(uint64_t sum)
{
	uint16_t v = fold_native(sum);

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	v = (uint16_t)(v << 8 | v >> 8);
#endif
	return v;
}
