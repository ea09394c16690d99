/* Both families over a link without neighbours: in, out, echo, loopback. */
#include "world.h"

#include <errno.h>

static struct world w;
static uint8_t buf[70000];

static uint32_t setup(void)
{
	uint32_t ifx;

	world_init(&w, NULL);
	ifx = world_l3(&w, 1500);
	world_addr(&w, ifx, "10.0.0.2", 24);
	world_addr(&w, ifx, "2001:db8::2", 64);
	return ifx;
}

static struct ip_path path_to(const char *dst)
{
	struct ip_addr d = addr(dst);
	struct ip_path p;

	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
	return p;
}

static void udp_comes_in(void **state UNUSED)
{
	static const char *const pair[2][2] = {
		{"10.0.0.1", "10.0.0.2"},
		{"2001:db8::1", "2001:db8::2"},
	};
	uint32_t ifx = setup();
	struct ip_rx rx;

	for (int i = 0; i < 2; i++) {
		struct ip_addr s = addr(pair[i][0]), d = addr(pair[i][1]);
		size_t n = build_udp_packet(buf, pair[i][0], pair[i][1], 1234,
					    53, "hello", 5);

		/* link-layer padding is cut off */
		memset(buf + n, 0xaa, 7);
		assert_true(world_in(&w, ifx, buf, n + 7, &rx));
		assert_true(ip_eq(&rx.src, &s));
		assert_true(ip_eq(&rx.dst, &d));
		assert_int_equal(rx.proto, IP_PROTO_UDP);
		assert_int_equal(rx.ttl, 64);
		assert_int_equal(rx.l3_len, i ? 40 : 20);
		assert_false(rx.multicast);
		assert_int_equal(rx.pkt->len, 13);
		assert_memory_equal(pkt_data(rx.pkt) + 8, "hello", 5);
		world_free(&w, &rx);
	}
	assert_int_equal(ip_counters(w.ips)->rx_delivered, 2);
	world_fini(&w);
}

static void udp_goes_out(void **state UNUSED)
{
	setup();
	for (int i = 0; i < 2; i++) {
		struct ip_path p = path_to(i ? "2001:db8::9" : "10.0.0.9");
		struct ip_tx tx = world_udp(&p, 5, 6, "some data", 9);

		assert_false(p.loopback);
		assert_int_equal(p.mtu, 1500);
		assert_int_equal(world_tx(&w, &tx), 0);
		assert_int_equal(w.n_out, i + 1);
		check_sums(&w.out[i]);
		assert_int_equal(w.out[i].len, (i ? 40 : 20) + 8 + 9);
		assert_int_equal(w.out[i].csum_start, i ? 40 : 20);
	}
	world_fini(&w);
}

/* [RFC768] a sum of zero goes out as ones: zero would mean "none" */
static void udp_checksum_is_never_zero(void **state UNUSED)
{
	struct ip_path p;
	uint8_t data[2] = {0};
	struct ip_tx tx;
	uint16_t sum;

	setup();
	p = path_to("10.0.0.9");
	tx = world_udp(&p, 5, 6, data, 2);
	assert_int_equal(world_tx(&w, &tx), 0);
	sum = (uint16_t)(w.out[0].bytes[26] << 8 | w.out[0].bytes[27]);
	data[0] = (uint8_t)(sum >> 8); /* now all adds up to ones */
	data[1] = (uint8_t)sum;
	tx = world_udp(&p, 5, 6, data, 2);
	assert_int_equal(world_tx(&w, &tx), 0);
	assert_int_equal(w.out[1].bytes[26], 0xff);
	assert_int_equal(w.out[1].bytes[27], 0xff);
	world_fini(&w);
}

static void wrong_checksum_is_dropped(void **state UNUSED)
{
	uint32_t ifx = setup();
	size_t n = build_udp_packet(buf, "10.0.0.1", "10.0.0.2", 1, 2, "xy", 2);
	struct ip_rx rx;

	buf[n - 1] ^= 1;
	world_eat(&w, ifx, buf, n);
	assert_int_equal(ip_drops(w.ips)[IP_DROP_BAD_CSUM], 1);
	buf[n - 1] ^= 1;
	/* no checksum at all: fine for v4 */
	buf[26] = buf[27] = 0;
	assert_true(world_in(&w, ifx, buf, n, &rx));
	world_free(&w, &rx);
	/* and for v6 not [RFC8200 8.1] */
	n = build_udp_packet(buf, "2001:db8::1", "2001:db8::2", 1, 2, "xy", 2);
	buf[46] = buf[47] = 0;
	world_eat(&w, ifx, buf, n);
	assert_int_equal(ip_drops(w.ips)[IP_DROP_BAD_CSUM], 2);
	/* IPv4 header */
	n = build_udp_packet(buf, "10.0.0.1", "10.0.0.2", 1, 2, "xy", 2);
	buf[8]++;
	world_eat(&w, ifx, buf, n);
	assert_int_equal(ip_drops(w.ips)[IP_DROP_BAD_CSUM], 3);
	world_fini(&w);
}

static void echo_is_answered(void **state UNUSED)
{
	uint32_t ifx = setup();
	size_t n;

	n = build_icmp_packet(buf, "10.0.0.1", "10.0.0.2", 8, 0, 0x00070001,
			      "abcdefgh", 8, 0);
	world_eat(&w, ifx, buf, n);
	n = build_icmp_packet(buf, "2001:db8::1", "2001:db8::2", 128, 0,
			      0x00070001, "abcdefgh", 8, 0);
	world_eat(&w, ifx, buf, n);
	assert_int_equal(w.n_out, 2);
	check_sums(&w.out[0]);
	check_sums(&w.out[1]);
	assert_int_equal(w.out[0].bytes[20], 0);
	assert_int_equal(w.out[1].bytes[40], 129);
	assert_memory_equal(w.out[0].bytes + 24, "\0\7\0\1abcdefgh", 12);
	assert_memory_equal(w.out[1].bytes + 44, "\0\7\0\1abcdefgh", 12);
	/* from the address that was asked */
	assert_memory_equal(w.out[0].bytes + 12, "\x0a\0\0\2\x0a\0\0\1", 8);
	world_fini(&w);
}

/* Core's part: what leaves on the loopback comes back in. */
static bool feed_back(struct ip_rx *rx)
{
	struct out *o = &w.out[0];
	bool r;

	assert_int_equal(w.n_out, 1);
	assert_int_equal(o->ifindex, 1);
	r = world_in(&w, 1, o->bytes, o->len, rx);
	world_clear(&w);
	return r;
}

static void own_addresses_go_over_loopback(void **state UNUSED)
{
	static const char *const own[] = {"10.0.0.2",  "127.0.0.1",
					  "127.9.9.9", "2001:db8::2",
					  "::1",       "0.0.0.0"};
	struct ip_rx rx;

	setup();
	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		struct ip_path p = path_to(own[i]);
		struct ip_tx tx = world_udp(&p, 5, 6, "me", 2);

		assert_true(p.loopback);
		assert_int_equal(p.ifindex, 1);
		assert_int_equal(world_tx(&w, &tx), 0);
		assert_true(w.out[0].needs_csum);
		/* finished as a device would */
		tx.iov[0].iov_len = 0;
		{
			struct frame f = {0};

			f.hdr_len = (uint16_t)w.out[0].len;
			memcpy(f.hdr, w.out[0].bytes, w.out[0].len);
			f.needs_csum = true;
			f.csum_start = w.out[0].csum_start;
			f.csum_offset = w.out[0].csum_offset;
			frame_finish_csum(&f);
			memcpy(w.out[0].bytes, f.hdr, w.out[0].len);
		}
		assert_true(feed_back(&rx));
		assert_true(ip_eq(&rx.src, &p.src));
		world_free(&w, &rx);
	}
	world_fini(&w);
}

static void ping_comes_back(void **state UNUSED)
{
	uint32_t ifx = setup();
	struct ip_addr d = addr("10.0.0.1");
	struct ip_event ev;
	uint8_t reply[100];

	/* [RFC4443 4.1] */
	assert_int_equal(ip_ping(w.ips, &d, NULL, 77, 3, 0x1122334455667788u,
				 32, 0, w.now),
			 0);
	world_drain(&w);
	assert_int_equal(w.n_out, 1);
	check_sums(&w.out[0]);
	/* what the other side would answer */
	build_icmp_packet(reply, "10.0.0.1", "10.0.0.2", 0, 0, 77u << 16 | 3,
			  w.out[0].bytes + 28, 32, 55);
	world_eat(&w, ifx, reply, 60);
	assert_true(world_event(&w, IP_EV_ECHO_REPLY, &ev));
	assert_int_equal(ev.id, 77);
	assert_int_equal(ev.seq, 3);
	assert_int_equal(ev.ttl, 55);
	assert_int_equal(ev.len, 32);
	assert_true(ev.cookie == 0x1122334455667788u);
	/* an id nobody uses is no event */
	build_icmp_packet(reply, "10.0.0.1", "10.0.0.2", 0, 0, 78u << 16 | 3,
			  w.out[0].bytes + 28, 32, 55);
	world_eat(&w, ifx, reply, 60);
	assert_false(world_event(&w, IP_EV_ECHO_REPLY, &ev));
	/* nor is a late one */
	world_run(&w, 61000);
	build_icmp_packet(reply, "10.0.0.1", "10.0.0.2", 0, 0, 77u << 16 | 3,
			  w.out[0].bytes + 28, 32, 55);
	world_eat(&w, ifx, reply, 60);
	assert_false(world_event(&w, IP_EV_ECHO_REPLY, &ev));
	assert_int_equal(ip_ping(w.ips, &d, NULL, 1, 1, 0, 7, 0, w.now),
			 -EINVAL);
	assert_int_equal(ip_ping(w.ips, &d, NULL, 1, 1, 0, 65508, 0, w.now),
			 -EINVAL);
	world_fini(&w);
}

static void ping_itself(void **state UNUSED)
{
	struct ip_addr d = addr("::1");
	struct ip_event ev;
	struct ip_rx rx;

	setup();
	assert_int_equal(ip_ping(w.ips, &d, NULL, 5, 1, 42, 64, 0, w.now), 0);
	for (int i = 0; i < 2; i++) {
		world_drain(&w);
		assert_false(feed_back(&rx));
	}
	assert_true(world_event(&w, IP_EV_ECHO_REPLY, &ev));
	assert_true(ev.cookie == 42);
	world_fini(&w);
}

static void gso_frame_leaves_checksum_to_device(void **state UNUSED)
{
	struct ip_iface_config c = {
		.name = "TUN",
		.kind = IP_LINK_L3,
		.mtu = 1500,
		.gso_max = 65535,
		.tx_csum = true,
		.v4 = true,
		.v6 = true,
	};
	static uint8_t data[60000];
	struct ip_path p;
	struct ip_tx tx = {0};
	int ifx;

	world_init(&w, NULL);
	ifx = ip_iface_add(w.ips, &c, w.now);
	assert_int_equal(ifx, 2);
	world_addr(&w, 2, "10.0.0.2", 24);
	p = path_to("10.0.0.1");
	assert_int_equal(p.gso_max, 65535);
	tx.path = &p;
	tx.proto = IP_PROTO_TCP;
	tx.l4_hdr_len = 32;
	tx.csum_offset = 16;
	tx.dont_fragment = true;
	tx.iov[0] = (struct iovec){data, sizeof(data)};
	tx.n_iov = 1;
	tx.payload_len = sizeof(data);
	tx.gso = FRAME_GSO_TCP4;
	tx.gso_size = 1448;
	assert_int_equal(world_tx(&w, &tx), 0);
	assert_int_equal(w.n_out, 1);
	check_sums(&w.out[0]);
	assert_true(w.out[0].needs_csum);
	assert_int_equal(w.out[0].gso, FRAME_GSO_TCP4);
	assert_int_equal(w.out[0].csum_start, 20);
	assert_int_equal(w.out[0].bytes[2] << 8 | w.out[0].bytes[3], 60052);
	world_fini(&w);
}

static void path_errors(void **state UNUSED)
{
	struct ip_addr d = addr("192.0.2.1"), s = addr("10.0.0.77");
	struct ip_path p;

	setup();
	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), -ENETUNREACH);
	d = addr("10.0.0.1");
	assert_int_equal(ip_path(w.ips, &d, &s, 0, &p), -EADDRNOTAVAIL);
	s = addr("2001:db8::2");
	assert_int_equal(ip_path(w.ips, &d, &s, 0, &p), -EADDRNOTAVAIL);
	s = addr("127.0.0.1");
	assert_int_equal(ip_path(w.ips, &d, &s, 0, &p), -EADDRNOTAVAIL);
	s = addr("0.0.0.0");
	assert_int_equal(ip_path(w.ips, &d, &s, 0, &p), 0);
	s = addr("10.0.0.2");
	assert_true(ip_eq(&p.src, &s));
	assert_int_equal(ip_path(w.ips, &d, NULL, 9, &p), -ENETUNREACH);
	world_fini(&w);
}

static void interface_down(void **state UNUSED)
{
	uint32_t ifx = setup();
	struct ip_path p = path_to("10.0.0.1");
	struct ip_tx tx = world_udp(&p, 1, 2, "x", 1);
	struct ip_addr d = addr("10.0.0.1");
	uint64_t gen = ip_path_gen(w.ips);
	size_t n;

	ip_iface_set_up(w.ips, ifx, false, w.now);
	assert_true(ip_path_gen(w.ips) != gen);
	assert_int_equal(world_tx(&w, &tx), -ENETDOWN);
	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), -ENETUNREACH);
	n = build_udp_packet(buf, "10.0.0.1", "10.0.0.2", 1, 2, "x", 1);
	world_eat(&w, ifx, buf, n);
	assert_int_equal(ip_drops(w.ips)[IP_DROP_IFACE_DOWN], 1);
	ip_iface_set_up(w.ips, ifx, true, w.now);
	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
	world_fini(&w);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(udp_comes_in),
	cmocka_unit_test(udp_goes_out),
	cmocka_unit_test(udp_checksum_is_never_zero),
	cmocka_unit_test(wrong_checksum_is_dropped),
	cmocka_unit_test(echo_is_answered),
	cmocka_unit_test(own_addresses_go_over_loopback),
	cmocka_unit_test(ping_comes_back),
	cmocka_unit_test(ping_itself),
	cmocka_unit_test(gso_frame_leaves_checksum_to_device),
	cmocka_unit_test(path_errors),
	cmocka_unit_test(interface_down),
};

UNIT_MAIN(tests)
