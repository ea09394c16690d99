/* Ethernet and ARP. */
#include "unit.h"
#include "wire/arp.h"
#include "wire/ether.h"

#include <errno.h>
#include <string.h>

static const uint8_t a[6] = {2, 0, 0, 0, 0, 1}, b[6] = {2, 0, 0, 0, 0, 2};

static void ethernet_round_trip(void **state UNUSED)
{
	for (uint16_t vlan = 0; vlan < 4096; vlan += 4095) {
		struct ether_header h = {.vlan = vlan, .type = 0x86dd}, back;
		uint8_t buf[ETHER_TAGGED_LEN];
		size_t n;

		memcpy(h.dst, a, 6);
		memcpy(h.src, b, 6);
		n = ether_emit(&h, buf);
		assert_int_equal(n, vlan ? 18 : 14);
		assert_int_equal(ether_parse(buf, n, &back), n);
		assert_memory_equal(&h, &back, sizeof(h));
		for (size_t cut = 0; cut < n; cut++)
			assert_int_equal(ether_parse(buf, cut, &back), -EINVAL);
	}
}

static void priority_tag_is_no_vlan(void **state UNUSED)
{
	uint8_t buf[18] = {0};
	struct ether_header h;

	memcpy(buf + 12, "\x81\0\xe0\0\x08\0", 6);
	assert_int_equal(ether_parse(buf, 18, &h), 18);
	assert_int_equal(h.vlan, 0);
	assert_int_equal(h.type, 0x0800);
}

static void groups_map_to_macs(void **state UNUSED)
{
	/* [RFC1112 6.4] 23 bits; [RFC2464 7] 32 */
	static const struct {
		const char *group;
		uint8_t mac[6];
	} c[] = {
		{"224.0.0.1", {1, 0, 0x5e, 0, 0, 1}},
		{"239.255.255.250", {1, 0, 0x5e, 0x7f, 0xff, 0xfa}},
		{"224.128.1.2", {1, 0, 0x5e, 0, 1, 2}},
		{"ff02::1:ff12:3456", {0x33, 0x33, 0xff, 0x12, 0x34, 0x56}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		struct ip_addr g;
		uint8_t mac[6];

		assert_int_equal(ip_parse(c[i].group, &g), 0);
		ether_group_mac(&g, mac);
		assert_memory_equal(mac, c[i].mac, 6);
		assert_true(ether_is_group(mac));
	}
	assert_true(ether_is_zero((const uint8_t[6]){0}));
	assert_false(ether_is_zero(a));
	assert_true(ether_is_broadcast(
		(const uint8_t[6]){255, 255, 255, 255, 255, 255}));
	assert_false(ether_is_broadcast(
		(const uint8_t[6]){255, 255, 255, 255, 255, 254}));
}

static void make_arp(uint8_t buf[ARP_LEN])
{
	struct arp_packet p = {
		.op = ARP_REQUEST,
		.spa = ip_v4(10, 0, 0, 1),
		.tpa = ip_v4(10, 0, 0, 2),
	};

	memcpy(p.sha, a, 6);
	memcpy(p.tha, b, 6);
	arp_emit(&p, buf);
}

static void arp_round_trip(void **state UNUSED)
{
	static const uint8_t want[ARP_LEN] = {
		0,  1, 8, 0, 6, 4, 0, 1, 2, 0, 0,  0, 0, 1,
		10, 0, 0, 1, 2, 0, 0, 0, 0, 2, 10, 0, 0, 2,
	};
	struct arp_packet p;
	uint8_t buf[ARP_LEN];

	make_arp(buf);
	assert_memory_equal(buf, want, ARP_LEN);
	assert_int_equal(arp_parse(buf, sizeof(buf), &p), 0);
	assert_int_equal(p.op, ARP_REQUEST);
	assert_memory_equal(p.sha, a, 6);
	assert_memory_equal(p.tha, b, 6);
	assert_memory_equal(p.spa.b, "\x0a\0\0\1", 4);
	assert_memory_equal(p.tpa.b, "\x0a\0\0\2", 4);
}

static void arp_refuses(void **state UNUSED)
{
	static const struct {
		int at;
		uint8_t v;
	} bad[] = {
		{0, 1},    {1, 6},
		{2, 0x86}, {3, 6},
		{4, 8},    {5, 16},
		{6, 1},    {7, 0},
		{7, 3},    {8, 3} /* sender a group */,
		{14, 224}, {14, 127},
	};
	uint8_t buf[ARP_LEN];
	struct arp_packet p;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		make_arp(buf);
		buf[bad[i].at] = bad[i].v;
		assert_int_equal(arp_parse(buf, ARP_LEN, &p), -EINVAL);
	}
	make_arp(buf);
	memset(buf + 8, 0, 6);
	assert_int_equal(arp_parse(buf, ARP_LEN, &p), -EINVAL);
	make_arp(buf);
	memset(buf + 14, 255, 4);
	assert_int_equal(arp_parse(buf, ARP_LEN, &p), -EINVAL);
	make_arp(buf);
	for (size_t cut = 0; cut < ARP_LEN; cut++)
		assert_int_equal(arp_parse(buf, cut, &p), -EINVAL);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(ethernet_round_trip),
	cmocka_unit_test(priority_tag_is_no_vlan),
	cmocka_unit_test(groups_map_to_macs),
	cmocka_unit_test(arp_round_trip),
	cmocka_unit_test(arp_refuses),
};

UNIT_MAIN(tests)
