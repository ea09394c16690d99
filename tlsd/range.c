/* range.c: a range of addresses as prefixes. Pure. */
#include "deck.h"

#include <errno.h>
#include <string.h>

/* One bit of an address, 0 = the first. */
static bool bit(const struct ip_addr *a, unsigned i)
{
	return a->b[i / 8] >> (7 - i % 8) & 1;
}

static int compare(const struct ip_addr *a, const struct ip_addr *b)
{
	return memcmp(a->b, b->b, ip_addr_len(a));
}

/* The last address of the prefix a/len. */
static struct ip_addr last_of(const struct ip_addr *a, unsigned len)
{
	struct ip_addr r = *a;

	for (unsigned i = len; i < 8 * ip_addr_len(a); i++)
		r.b[i / 8] |= (uint8_t)(0x80 >> i % 8);
	return r;
}

/* False: it was the last address there is. */
static bool next(struct ip_addr *a)
{
	for (size_t i = ip_addr_len(a); i-- > 0;) {
		if (++a->b[i])
			return true;
	}
	return false;
}

int tlsd_range_prefixes(const struct ip_addr *lo, const struct ip_addr *hi,
			struct ip_prefix *ret, int max)
{
	struct ip_addr at = *lo, end;
	unsigned bits = 8 * (unsigned)ip_addr_len(lo);
	int n = 0;

	for (;;) {
		unsigned len = bits;

		/* the largest that begins here and does not go too far */
		while (len > 0 && !bit(&at, len - 1)) {
			end = last_of(&at, len - 1);
			if (compare(&end, hi) > 0)
				break;
			len--;
		}
		if (n == max)
			return -E2BIG;
		ret[n++] = (struct ip_prefix){at, (uint8_t)len};
		end = last_of(&at, len);
		if (compare(&end, hi) >= 0 || !next(&end))
			return n;
		at = end;
	}
}
