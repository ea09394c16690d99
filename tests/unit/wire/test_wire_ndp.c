/* Neighbour discovery messages. */
#include "base/cursor.h"
#include "unit.h"
#include "wire/icmp.h"
#include "wire/ndp.h"

#include <errno.h>

static const uint8_t mac[6] = {2, 0, 0, 0, 0, 9};

static struct ip_addr addr(const char *t)
{
	struct ip_addr a;

	assert_int_equal(ip_parse(t, &a), 0);
	return a;
}

static void emitted_messages_parse(void **state UNUSED)
{
	static const uint8_t type[] = {ICMP6_RS, ICMP6_NS, ICMP6_NA};

	for (size_t i = 0; i < ARRAY_SIZE(type); i++) {
		struct ndp_message m = {.type = type[i]}, back;
		uint8_t buf[NDP_MAX_LEN];
		size_t n;

		m.target = addr("2001:db8::7");
		m.router = m.override = type[i] == ICMP6_NA;
		m.opt.has_slla = type[i] != ICMP6_NA;
		m.opt.has_tlla = type[i] == ICMP6_NA;
		m.opt.has_nonce = type[i] == ICMP6_NS;
		memcpy(m.opt.slla, mac, 6);
		memcpy(m.opt.tlla, mac, 6);
		memcpy(m.opt.nonce, "nonce!", 6);
		n = ndp_emit(&m, buf);
		assert_int_equal(n % 8, 0);
		assert_int_equal(ndp_parse(buf, n, &back), 0);
		assert_int_equal(back.type, type[i]);
		if (type[i] != ICMP6_RS)
			assert_true(ip_eq(&back.target, &m.target));
		assert_int_equal(back.router, m.router);
		assert_int_equal(back.override, m.override);
		assert_false(back.solicited);
		assert_int_equal(back.opt.has_slla, m.opt.has_slla);
		assert_int_equal(back.opt.has_tlla, m.opt.has_tlla);
		assert_int_equal(back.opt.has_nonce, m.opt.has_nonce);
		if (m.opt.has_nonce)
			assert_memory_equal(back.opt.nonce, "nonce!", 6);
		/* a cut one never parses, unless at an option's end */
		for (size_t cut = 0; cut < n; cut++) {
			size_t head = type[i] == ICMP6_RS ? 8 : 24;
			int r = ndp_parse(buf, cut, &back);

			assert_int_equal(
				r, cut >= head && cut % 8 == 0 ? 0 : -EINVAL);
		}
	}
}

static size_t make_ra(uint8_t *buf, uint8_t flags)
{
	struct ip_addr p = addr("2001:db8:1::");
	struct wcur c = wcur_of(buf, 200);

	wcur_8(&c, ICMP6_RA);
	wcur_8(&c, 0);
	wcur_16(&c, 0);
	wcur_8(&c, 33);
	wcur_8(&c, flags);
	wcur_16(&c, 1800);
	wcur_32(&c, 12345);
	wcur_32(&c, 678);
	wcur_16(&c, 1 << 8 | 1);
	wcur_copy(&c, mac, 6);
	wcur_16(&c, 5 << 8 | 1);
	wcur_16(&c, 0);
	wcur_32(&c, 1400);
	wcur_16(&c, 3 << 8 | 4);
	wcur_8(&c, 64);
	wcur_8(&c, 0xc0);
	wcur_32(&c, 7200);
	wcur_32(&c, NDP_INFINITE);
	wcur_32(&c, 0);
	wcur_copy(&c, p.b, 16);
	wcur_16(&c, 99 << 8 | 2); /* unknown: skipped */
	for (int i = 0; i < 14; i++)
		wcur_8(&c, 0xff);
	return wcur_len(&c);
}

static void advertisement(void **state UNUSED)
{
	static const struct {
		uint8_t flags;
		int8_t want;
	} pref[] = {{0, 0}, {0x08, 1}, {0x18, -1}, {0x10, 0}};
	struct ip_addr p = addr("2001:db8:1::");
	struct ndp_message m;
	uint8_t buf[200];
	size_t n = make_ra(buf, 0);

	assert_int_equal(ndp_parse(buf, n, &m), 0);
	assert_int_equal(m.hop_limit, 33);
	assert_int_equal(m.router_life_s, 1800);
	assert_int_equal(m.reachable_ms, 12345);
	assert_int_equal(m.retrans_ms, 678);
	assert_true(m.opt.has_slla);
	assert_memory_equal(m.opt.slla, mac, 6);
	assert_true(m.opt.has_mtu);
	assert_int_equal(m.opt.mtu, 1400);
	assert_int_equal(m.opt.n_prefix, 1);
	assert_true(ip_eq(&m.opt.prefix[0].addr, &p));
	assert_int_equal(m.opt.prefix[0].len, 64);
	assert_true(m.opt.prefix[0].on_link);
	assert_true(m.opt.prefix[0].autonomous);
	assert_int_equal(m.opt.prefix[0].valid_s, 7200);
	assert_int_equal(m.opt.prefix[0].preferred_s, NDP_INFINITE);
	for (size_t i = 0; i < ARRAY_SIZE(pref); i++) {
		n = make_ra(buf, pref[i].flags);
		assert_int_equal(ndp_parse(buf, n, &m), 0);
		assert_int_equal(m.preference, pref[i].want);
	}
	for (size_t cut = 0; cut < 16; cut++)
		assert_int_equal(ndp_parse(buf, cut, &m), -EINVAL);
}

static void more_prefixes_than_anyone_needs(void **state UNUSED)
{
	static uint8_t buf[16 + 32 * 40] = {ICMP6_RA};
	struct ndp_message m;

	for (int i = 0; i < 40; i++) {
		buf[16 + 32 * i] = 3;
		buf[17 + 32 * i] = 4;
		buf[18 + 32 * i] = 64;
	}
	assert_int_equal(ndp_parse(buf, sizeof(buf), &m), 0);
	assert_int_equal(m.opt.n_prefix, NDP_PREFIX_MAX);
	buf[18] = 129; /* an impossible length is no prefix */
	assert_int_equal(ndp_parse(buf, 16 + 32, &m), 0);
	assert_int_equal(m.opt.n_prefix, 0);
}

static void options_of_wrong_size(void **state UNUSED)
{
	uint8_t buf[64] = {ICMP6_RS};
	struct ndp_message m;

	/* a link-layer address of 14 bytes is not Ethernet's */
	buf[8] = 1;
	buf[9] = 2;
	assert_int_equal(ndp_parse(buf, 24, &m), 0);
	assert_false(m.opt.has_slla);
	/* a group is nobody's address */
	buf[9] = 1;
	buf[10] = 1;
	assert_int_equal(ndp_parse(buf, 16, &m), 0);
	assert_false(m.opt.has_slla);
	buf[9] = 0;
	assert_int_equal(ndp_parse(buf, 16, &m), -EINVAL);
	buf[9] = 2; /* beyond the message */
	assert_int_equal(ndp_parse(buf, 16, &m), -EINVAL);
	/* an MTU option of two units */
	buf[8] = 5;
	assert_int_equal(ndp_parse(buf, 24, &m), 0);
	assert_false(m.opt.has_mtu);
}

static void targets_are_no_groups(void **state UNUSED)
{
	struct ip_addr g = addr("ff02::1"), u = addr("fe80::1");
	uint8_t buf[40] = {ICMP6_REDIRECT};
	struct ndp_message m;

	memcpy(buf + 8, u.b, 16);
	memcpy(buf + 24, u.b, 16);
	assert_int_equal(ndp_parse(buf, 40, &m), 0);
	assert_true(ip_eq(&m.dest, &u));
	memcpy(buf + 24, g.b, 16);
	assert_int_equal(ndp_parse(buf, 40, &m), -EINVAL);
	buf[0] = 138;
	assert_int_equal(ndp_parse(buf, 40, &m), -EINVAL);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(emitted_messages_parse),
	cmocka_unit_test(advertisement),
	cmocka_unit_test(more_prefixes_than_anyone_needs),
	cmocka_unit_test(options_of_wrong_size),
	cmocka_unit_test(targets_are_no_groups),
};

UNIT_MAIN(tests)
