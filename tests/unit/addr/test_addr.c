/* Addresses, prefixes and socket addresses as values. */
#include "addr/addr.h"
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

static struct ip_addr addr(const char *t)
{
	struct ip_addr a;

	if (ip_parse(t, &a) < 0)
		fail_msg("%s", t);
	return a;
}

static void text_both_ways(void **state UNUSED)
{
	static const struct {
		const char *in, *out; /* out NULL: refused */
	} c[] = {
		{"1.2.3.4", "1.2.3.4"},
		{"255.255.255.255", "255.255.255.255"},
		{"::", "::"},
		{"::1", "::1"},
		{"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
		{"2001:db8:0:1:0:0:0:1", "2001:db8:0:1::1"}, /* RFC 5952 */
		{"::ffff:1.2.3.4", "::ffff:1.2.3.4"},
		{"fe80::1", "fe80::1"},
		{"1.2.3", NULL},
		{"1.2.3.256", NULL},
		{"1.2.3.4 ", NULL},
		{"", NULL},
		{":::", NULL},
		{"1:2:3:4:5:6:7:8:9", NULL},
		{"fe80::1%eth0", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		struct ip_addr a;
		char buf[ADDR_TEXT_MAX];

		memset(&a, 0x55, sizeof(a));
		if (!c[i].out) {
			assert_int_equal(ip_parse(c[i].in, &a), -EINVAL);
			assert_int_equal(a.family, 0x55); /* untouched */
			continue;
		}
		assert_int_equal(ip_parse(c[i].in, &a), 0);
		assert_string_equal(ip_format(&a, buf), c[i].out);
	}
}

static void text_with_port(void **state UNUSED)
{
	struct ip_port p = {.addr = addr("1.2.3.4"), .port = 80};
	char buf[PORT_TEXT_MAX];

	assert_string_equal(ip_port_format(&p, buf), "1.2.3.4:80");
	p.addr = addr("fe80::1");
	assert_string_equal(ip_port_format(&p, buf), "[fe80::1]:80");
	p.scope = 3;
	assert_string_equal(ip_port_format(&p, buf), "[fe80::1%3]:80");
	p.addr.family = IP_NONE;
	assert_string_equal(ip_port_format(&p, buf), "*:80");
}

static void kinds(void **state UNUSED)
{
	static const struct {
		const char *a;
		bool any, loop, multi, ll, bcast, mapped;
	} c[] = {
		{"0.0.0.0", 1, 0, 0, 0, 0, 0},
		{"127.0.0.1", 0, 1, 0, 0, 0, 0},
		{"127.255.0.9", 0, 1, 0, 0, 0, 0},
		{"224.0.0.1", 0, 0, 1, 0, 0, 0},
		{"239.255.255.255", 0, 0, 1, 0, 0, 0},
		{"240.0.0.1", 0, 0, 0, 0, 0, 0},
		{"169.254.1.1", 0, 0, 0, 1, 0, 0},
		{"169.253.1.1", 0, 0, 0, 0, 0, 0},
		{"255.255.255.255", 0, 0, 0, 0, 1, 0},
		{"::", 1, 0, 0, 0, 0, 0},
		{"::1", 0, 1, 0, 0, 0, 0},
		{"::2", 0, 0, 0, 0, 0, 0},
		{"ff02::1", 0, 0, 1, 0, 0, 0},
		{"fe80::1", 0, 0, 0, 1, 0, 0},
		{"febf::1", 0, 0, 0, 1, 0, 0},
		{"fec0::1", 0, 0, 0, 0, 0, 0},
		{"::ffff:127.0.0.1", 0, 0, 0, 0, 0, 1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		struct ip_addr a = addr(c[i].a);

		assert_int_equal(ip_is_any(&a), c[i].any);
		assert_int_equal(ip_is_loopback(&a), c[i].loop);
		assert_int_equal(ip_is_multicast(&a), c[i].multi);
		assert_int_equal(ip_is_link_local(&a), c[i].ll);
		assert_int_equal(ip_is_broadcast(&a), c[i].bcast);
		assert_int_equal(ip_is_v4_mapped(&a), c[i].mapped);
	}
}

static void mapped_and_back(void **state UNUSED)
{
	struct ip_addr a = addr("192.0.2.9"), m = ip_v4_to_mapped(&a), b;

	assert_true(ip_is_v4_mapped(&m));
	b = ip_mapped_to_v4(&m);
	assert_true(ip_eq(&a, &b));
	assert_memory_equal(&a, &b, sizeof(a)); /* memcmp works */
	assert_false(ip_eq(&a, &m));
	a = ip_any(IP_V4);
	b = ip_any(IP_V6);
	assert_false(ip_eq(&a, &b));
}

static void prefixes(void **state UNUSED)
{
	static const struct {
		const char *a;
		unsigned len;
		const char *net, *in, *not_in;
	} c[] = {
		{"10.1.2.3", 8, "10.0.0.0", "10.255.0.1", "11.0.0.0"},
		{"10.1.2.3", 31, "10.1.2.2", "10.1.2.3", "10.1.2.4"},
		{"10.1.2.3", 32, "10.1.2.3", "10.1.2.3", "10.1.2.2"},
		{"10.1.2.3", 0, "0.0.0.0", "255.1.2.3", "::1"},
		{"10.1.2.3", 99, "10.1.2.3", "10.1.2.3", "10.1.2.2"},
		{"172.16.200.7", 20, "172.16.192.0", "172.16.207.255",
		 "172.16.208.0"},
		{"2001:db8:ffff::1", 33,
		 "2001:db8:8000::", "2001:db8:8001::", "2001:db8::"},
		{"2001:db8::1", 128, "2001:db8::1", "2001:db8::1",
		 "2001:db8::"},
		{"2001:db8::1", 64, "2001:db8::", "2001:db8::ffff",
		 "2001:db8:0:1::"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		struct ip_addr a = addr(c[i].a), net = addr(c[i].net),
			       in = addr(c[i].in), out = addr(c[i].not_in);
		struct ip_prefix p = ip_prefix_make(&a, c[i].len);

		assert_true(ip_eq(&p.addr, &net));
		assert_true(ip_prefix_has(&p, &in));
		assert_false(ip_prefix_has(&p, &out));
	}
}

static void common_bits(void **state UNUSED)
{
	struct ip_addr a = addr("10.0.0.0"), b = addr("10.128.0.0");

	assert_int_equal(ip_common_bits(&a, &b), 8);
	assert_int_equal(ip_common_bits(&a, &a), 32);
	a = addr("8000::");
	b = addr("::");
	assert_int_equal(ip_common_bits(&a, &b), 0);
	b = addr("8000::1");
	assert_int_equal(ip_common_bits(&a, &b), 127);
	assert_int_equal(ip_common_bits(&a, &a), 128);
}

static void masks(void **state UNUSED)
{
	static const struct {
		const char *m;
		int len;
	} c[] = {
		{"0.0.0.0", 0},           {"255.255.255.255", 32},
		{"255.255.254.0", 23},    {"128.0.0.0", 1},
		{"255.0.255.0", -EINVAL}, {"0.0.0.1", -EINVAL},
		{"ffff:ffff::", 32},      {"ffff:0:ffff::", -EINVAL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		struct ip_addr m = addr(c[i].m);

		assert_int_equal(ip_mask_len(&m), c[i].len);
	}
}

static void socket_addresses(void **state UNUSED)
{
	static const char *const text[] = {"192.0.2.1", "fe80::77"};
	struct sockaddr_storage ss;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct ip_port p, back;

	for (size_t i = 0; i < 2; i++) {
		socklen_t len;

		p = (struct ip_port){.addr = addr(text[i]), .port = 443};
		p.scope = i ? 7 : 0;
		len = ip_port_to_sockaddr(&p, &ss);
		assert_int_equal(len, i ? sizeof(in6) : sizeof(in));
		if (i) {
			memcpy(&in6, &ss, sizeof(in6));
			assert_int_equal(in6.sin6_family, AF_INET6);
			assert_int_equal(in6.sin6_port, htons(443));
			assert_int_equal(in6.sin6_scope_id, 7);
		} else {
			memcpy(&in, &ss, sizeof(in));
			assert_int_equal(in.sin_family, AF_INET);
			assert_int_equal(in.sin_addr.s_addr,
					 inet_addr("192.0.2.1"));
		}
		assert_int_equal(ip_port_from_sockaddr((struct sockaddr *)&ss,
						       len, &back),
				 0);
		assert_memory_equal(&p, &back, sizeof(p));
		assert_int_equal(ip_port_from_sockaddr((struct sockaddr *)&ss,
						       i ? 23 : 15, &back),
				 -EINVAL);
	}
	/* without the scope of RFC 2553 */
	assert_int_equal(
		ip_port_from_sockaddr((struct sockaddr *)&ss, 24, &back), 0);
	assert_int_equal(back.scope, 0);
	assert_int_equal(
		ip_port_from_sockaddr((struct sockaddr *)&ss, 1, &back),
		-EINVAL);
	ss.ss_family = AF_UNIX;
	assert_int_equal(
		ip_port_from_sockaddr((struct sockaddr *)&ss, 28, &back),
		-EAFNOSUPPORT);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(text_both_ways), cmocka_unit_test(text_with_port),
	cmocka_unit_test(kinds),          cmocka_unit_test(mapped_and_back),
	cmocka_unit_test(prefixes),       cmocka_unit_test(common_bits),
	cmocka_unit_test(masks),          cmocka_unit_test(socket_addresses),
};

UNIT_MAIN(tests)
