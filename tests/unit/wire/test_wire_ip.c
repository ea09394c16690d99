/* IPv4 and IPv6 headers, options, extension headers. */
#include "unit.h"
#include "wire/checksum.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

#include <errno.h>
#include <string.h>

static struct ipv4_header header4(void)
{
	return (struct ipv4_header){
		.hdr_len = 20,
		.tos = 0x2e,
		.ttl = 63,
		.proto = 17,
		.total_len = 100,
		.id = 0xbeef,
		.mf = true,
		.frag_off = 0x1ff8,
		.src = ip_v4(192, 0, 2, 1),
		.dst = ip_v4(198, 51, 100, 7),
	};
}

static void ipv4_round_trip(void **state UNUSED)
{
	struct ipv4_header h = header4(), back = {0};
	uint8_t buf[100] = {0};

	ipv4_emit(&h, buf);
	assert_int_equal(csum_finish(csum_add(0, buf, 20)), 0);
	assert_int_equal(ipv4_parse(buf, sizeof(buf), &back), 20);
	assert_int_equal(back.tos, h.tos);
	assert_int_equal(back.ttl, h.ttl);
	assert_int_equal(back.proto, h.proto);
	assert_int_equal(back.total_len, h.total_len);
	assert_int_equal(back.id, h.id);
	assert_int_equal(back.frag_off, h.frag_off);
	assert_true(back.mf);
	assert_false(back.df);
	assert_true(ip_eq(&back.src, &h.src));
	assert_true(ip_eq(&back.dst, &h.dst));
	h.df = true;
	h.mf = false;
	h.frag_off = 0;
	ipv4_emit(&h, buf);
	assert_int_equal(buf[6], 0x40);
	assert_int_equal(buf[7], 0);
}

static void ipv4_refuses(void **state UNUSED)
{
	struct ipv4_header h = header4();
	uint8_t buf[100] = {0};

	ipv4_emit(&h, buf);
	for (size_t n = 0; n < 100; n++)
		assert_int_equal(ipv4_parse(buf, n, &h), -EMSGSIZE);
	buf[0] = 0x65;
	assert_int_equal(ipv4_parse(buf, 100, &h), -EINVAL);
	buf[0] = 0x44;
	assert_int_equal(ipv4_parse(buf, 100, &h), -EINVAL);
	buf[0] = 0x4f; /* 60 bytes of header, wrong sum */
	assert_int_equal(ipv4_parse(buf, 100, &h), -EBADMSG);
	buf[0] = 0x45;
	buf[3] = 19;
	assert_int_equal(ipv4_parse(buf, 100, &h), -EINVAL);
	buf[3] = 100;
	for (int bit = 0; bit < 8 * 20; bit++) {
		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_true(ipv4_parse(buf, 100, &h) < 0);
		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(ipv4_parse(buf, 100, &h), 20);
}

static void ipv4_option_lists(void **state UNUSED)
{
	static const struct {
		uint8_t opt[12];
		size_t len;
		enum ipv4_options want;
		size_t at;
	} c[] = {
		{{0}, 4, IPV4_OPTIONS_OK, 0},
		{{1, 1, 1, 1}, 4, IPV4_OPTIONS_OK, 0},
		{{1, 1, 1, 7}, 4, IPV4_OPTIONS_BAD, 3}, /* no length */
		{{7, 4, 4, 0}, 4, IPV4_OPTIONS_OK, 0},
		{{7, 5, 4, 0}, 4, IPV4_OPTIONS_BAD, 1},
		{{7, 1, 4, 0}, 4, IPV4_OPTIONS_BAD, 1},
		{{7, 0, 4, 0}, 4, IPV4_OPTIONS_BAD, 1},
		{{0, 131, 3, 4}, 4, IPV4_OPTIONS_OK, 0}, /* behind the end */
		{{131, 3, 4, 0}, 4, IPV4_OPTIONS_SOURCE_ROUTE, 0},
		{{1, 137, 7, 4, 1, 2, 3, 4}, 8, IPV4_OPTIONS_SOURCE_ROUTE, 0},
		{{131, 3, 4, 7, 9, 0, 0, 0}, 8, IPV4_OPTIONS_BAD, 4},
		{{0}, 0, IPV4_OPTIONS_OK, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		size_t at = 99;

		assert_int_equal(ipv4_options_check(c[i].opt, c[i].len, &at),
				 c[i].want);
		if (c[i].want == IPV4_OPTIONS_BAD)
			assert_int_equal(at, c[i].at);
	}
}

static void ipv6_round_trip(void **state UNUSED)
{
	struct ipv6_header h = {
		.tos = 0xb9,
		.flow = 0xabcde,
		.payload_len = 60,
		.next_header = 6,
		.hop_limit = 200,
	};
	struct ipv6_header back;
	uint8_t buf[100] = {0};

	assert_int_equal(ip_parse("2001:db8::1", &h.src), 0);
	assert_int_equal(ip_parse("fe80::2", &h.dst), 0);
	ipv6_emit(&h, buf);
	assert_int_equal(ipv6_parse(buf, 100, &back), 40);
	assert_int_equal(back.tos, h.tos);
	assert_int_equal(back.flow, h.flow);
	assert_int_equal(back.payload_len, 60);
	assert_int_equal(back.next_header, 6);
	assert_int_equal(back.hop_limit, 200);
	assert_true(ip_eq(&back.src, &h.src));
	assert_true(ip_eq(&back.dst, &h.dst));
	for (size_t n = 0; n < 100; n++)
		assert_int_equal(ipv6_parse(buf, n, &back), -EMSGSIZE);
	buf[0] = 0x45;
	assert_int_equal(ipv6_parse(buf, 100, &back), -EINVAL);
}

static void fragment_headers(void **state UNUSED)
{
	struct ipv6_frag f = {17, 0xfff8, true, 0x12345678}, back;
	uint8_t buf[8];

	ipv6_frag_emit(&f, buf);
	assert_memory_equal(buf, "\x11\0\xff\xf9\x12\x34\x56\x78", 8);
	assert_int_equal(ipv6_frag_parse(buf, 8, &back), 0);
	assert_int_equal(back.off, 0xfff8);
	assert_true(back.more);
	assert_int_equal(back.id, 0x12345678);
	assert_int_equal(back.next_header, 17);
	for (size_t n = 0; n < 8; n++)
		assert_int_equal(ipv6_frag_parse(buf, n, &back), -EMSGSIZE);
}

static void extension_lengths(void **state UNUSED)
{
	uint8_t e[24] = {0, 2};

	assert_int_equal(ipv6_ext_len(e, 24), 24);
	assert_int_equal(ipv6_ext_len(e, 23), -EMSGSIZE);
	assert_int_equal(ipv6_ext_len(e, 7), -EMSGSIZE);
	e[1] = 0;
	assert_int_equal(ipv6_ext_len(e, 8), 8);
	e[1] = 255;
	assert_int_equal(ipv6_ext_len(e, 24), -EMSGSIZE);
}

static void ipv6_option_lists(void **state UNUSED)
{
	static const struct {
		uint8_t e[24];
		size_t len;
		enum ipv6_options want;
		size_t at;
		bool alert;
	} c[] = {
		{{0, 0, 1, 4}, 8, IPV6_OPTIONS_OK, 0, false},
		{{0, 0, 0, 0, 0, 0, 0, 0}, 8, IPV6_OPTIONS_OK, 0, false},
		{{0, 0, 5, 2, 0, 0, 1, 0}, 8, IPV6_OPTIONS_OK, 0, true},
		{{0, 0, 0, 0, 0, 5, 0, 0}, 8, IPV6_OPTIONS_OK, 0, true},
		{{0, 0, 1, 5}, 8, IPV6_OPTIONS_BAD, 2, false},
		{{0, 0, 0, 0, 0, 0, 0, 1}, 8, IPV6_OPTIONS_BAD, 7, false},
		{{0, 0, 0x3f, 4}, 8, IPV6_OPTIONS_OK, 0, false},
		{{0, 0, 0x40, 4}, 8, IPV6_OPTIONS_DISCARD, 2, false},
		{{0, 0, 1, 0, 0x80, 2}, 8, IPV6_OPTIONS_PROBLEM, 4, false},
		{{0, 0, 0xc2, 4}, 8, IPV6_OPTIONS_PROBLEM_UNICAST, 2, false},
		{{0, 2}, 24, IPV6_OPTIONS_TOO_MANY, 18, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		size_t at = 99;
		enum ipv6_options r = ipv6_options_check(c[i].e, c[i].len, &at);

		assert_int_equal(r, c[i].want);
		if (r != IPV6_OPTIONS_OK)
			assert_int_equal(at, c[i].at);
		else
			assert_int_equal(
				ipv6_has_router_alert(c[i].e, c[i].len),
				c[i].alert);
	}
}

static void solicited_nodes(void **state UNUSED)
{
	struct ip_addr a, want, got;

	/* [RFC4291 2.7.1] its own example */
	assert_int_equal(ip_parse("4037::01:800:200e:8c6c", &a), 0);
	assert_int_equal(ip_parse("ff02::1:ff0e:8c6c", &want), 0);
	got = ipv6_solicited_node(&a);
	assert_true(ip_eq(&got, &want));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(ipv4_round_trip),
	cmocka_unit_test(ipv4_refuses),
	cmocka_unit_test(ipv4_option_lists),
	cmocka_unit_test(ipv6_round_trip),
	cmocka_unit_test(fragment_headers),
	cmocka_unit_test(extension_lengths),
	cmocka_unit_test(ipv6_option_lists),
	cmocka_unit_test(solicited_nodes),
};

UNIT_MAIN(tests)
