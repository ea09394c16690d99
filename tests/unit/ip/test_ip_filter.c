/* The firewall, and what happens when buffers or tables run out. */
#include "ip/ip_int.h"
#include "wire/icmp.h"
#include "world.h"

#include <errno.h>

static struct world w;
static uint8_t buf[70000];
static uint32_t ifx;

static void setup(void)
{
	world_init(&w, NULL);
	ifx = world_l3(&w, 1500);
	world_addr(&w, ifx, "10.0.0.2", 24);
	world_addr(&w, ifx, "2001:db8::2", 64);
}

static struct ip_rule rule(bool deny, bool out)
{
	return (struct ip_rule){
		.deny = deny,
		.out = out,
		.any_proto = true,
		.icmp_type = -1,
		.icmp_code = -1,
	};
}

static void add(const struct ip_rule *r)
{
	assert_int_equal(ip_rule_add(w.ips, r), 0);
}

static uint64_t hits(uint32_t i)
{
	struct ip_rule r = {0};
	uint32_t it = i;

	assert_true(ip_iter_rule(w.ips, &it, &r));
	return r.hits;
}

static bool udp_passes(const char *src, const char *dst, uint16_t dport)
{
	struct ip_rx rx;
	size_t n = build_udp_packet(buf, src, dst, 999, dport, "x", 1);

	if (!world_in(&w, ifx, buf, n, &rx))
		return false;
	world_free(&w, &rx);
	return true;
}

static int udp_out(const char *dst, uint16_t dport)
{
	struct ip_addr d = addr(dst);
	struct ip_path p;
	struct ip_tx tx;

	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
	tx = world_udp(&p, 999, dport, "x", 1);
	return world_tx(&w, &tx);
}

static void first_match_wins(void **state UNUSED)
{
	struct ip_rule r = rule(false, false);

	setup();
	r.any_proto = false;
	r.proto = IP_PROTO_UDP;
	r.remote = prefix("10.0.0.8", 29);
	add(&r); /* allow 10.0.0.8/29 */
	r = rule(true, false);
	r.family = IP_V4;
	add(&r); /* deny the rest of IPv4 */
	r = rule(false, false);
	add(&r);
	assert_true(udp_passes("10.0.0.9", "10.0.0.2", 53));
	assert_false(udp_passes("10.0.0.16", "10.0.0.2", 53));
	assert_true(udp_passes("2001:db8::1", "2001:db8::2", 53));
	assert_int_equal(hits(0), 1);
	assert_int_equal(hits(1), 1);
	assert_int_equal(hits(2), 1);
	assert_int_equal(ip_drops(w.ips)[IP_DROP_FILTER], 1);
	ip_rule_clear(w.ips);
	assert_true(udp_passes("10.0.0.16", "10.0.0.2", 53));
	world_fini(&w);
}

static void ports_and_directions(void **state UNUSED)
{
	struct ip_rule r = rule(true, false);

	setup();
	r.any_proto = false;
	r.proto = IP_PROTO_UDP;
	r.port_lo = 100;
	r.port_hi = 200;
	add(&r);
	r.out = true;
	r.port_lo = 300;
	r.port_hi = 0; /* one port */
	add(&r);
	assert_true(udp_passes("10.0.0.9", "10.0.0.2", 99));
	assert_false(udp_passes("10.0.0.9", "10.0.0.2", 100));
	assert_false(udp_passes("10.0.0.9", "10.0.0.2", 200));
	assert_true(udp_passes("10.0.0.9", "10.0.0.2", 201));
	assert_int_equal(udp_out("10.0.0.9", 150), 0);
	assert_int_equal(udp_out("10.0.0.9", 300), -EPERM);
	assert_int_equal(udp_out("10.0.0.9", 301), 0);
	assert_int_equal(ip_drops(w.ips)[IP_DROP_FILTER], 3);
	world_fini(&w);
}

static void local_addresses(void **state UNUSED)
{
	struct ip_rule r = rule(true, false);

	setup();
	world_addr(&w, ifx, "10.0.0.3", 24);
	r.local = prefix("10.0.0.3", 32);
	add(&r);
	assert_true(udp_passes("10.0.0.9", "10.0.0.2", 1));
	assert_false(udp_passes("10.0.0.9", "10.0.0.3", 1));
	world_fini(&w);
}

static void icmp_types(void **state UNUSED)
{
	struct ip_rule r = rule(true, false);
	size_t n;

	setup();
	r.any_proto = false;
	r.proto = IP_PROTO_ICMP;
	r.icmp_type = ICMP4_ECHO;
	add(&r);
	n = build_icmp_packet(buf, "10.0.0.9", "10.0.0.2", 8, 0, 0, "12345678",
			      8, 0);
	world_eat(&w, ifx, buf, n);
	assert_int_equal(w.n_out, 0);
	/* IPv6 echo is another protocol */
	n = build_icmp_packet(buf, "2001:db8::9", "2001:db8::2", 128, 0, 0,
			      "12345678", 8, 0);
	world_eat(&w, ifx, buf, n);
	assert_int_equal(w.n_out, 1);
	/* outgoing replies */
	r = rule(true, true);
	r.any_proto = false;
	r.proto = IP_PROTO_ICMPV6;
	r.icmp_type = ICMP6_ECHO_REPLY;
	r.icmp_code = 0;
	add(&r);
	world_eat(&w, ifx, buf, n);
	assert_int_equal(w.n_out, 1);
	/* a type means nothing to UDP */
	r = rule(true, false);
	r.icmp_type = 8;
	add(&r);
	assert_true(udp_passes("10.0.0.9", "10.0.0.2", 8));
	world_fini(&w);
}

static void loopback_is_never_filtered(void **state UNUSED)
{
	struct ip_rule in = rule(true, false), out = rule(true, true);

	setup();
	add(&in);
	add(&out);
	assert_int_equal(udp_out("127.0.0.1", 1), 0);
	assert_int_equal(udp_out("10.0.0.2", 1), 0);
	assert_int_equal(w.n_out, 2);
	assert_int_equal(udp_out("10.0.0.9", 1), -EPERM);
	{
		struct ip_rx rx;
		size_t n = build_udp_packet(buf, "127.0.0.1", "127.0.0.1", 1, 2,
					    "x", 1);

		assert_true(world_in(&w, 1, buf, n, &rx));
		world_free(&w, &rx);
	}
	world_fini(&w);
}

static void fragments_are_judged_whole(void **state UNUSED)
{
	struct ip_rule r = rule(true, false);
	struct hdr h = {.src = "10.0.0.9", .dst = "10.0.0.2", .proto = 17};
	static uint8_t data[2000], msg[2100];
	struct ip_rx rx;
	size_t n, total;

	setup();
	r.any_proto = false;
	r.proto = IP_PROTO_UDP;
	r.port_lo = r.port_hi = 53;
	add(&r);
	for (uint16_t port = 53; port < 55; port++) {
		total = build_udp(msg, h.src, h.dst, 1, port, data, 2000);
		h.id = port;
		h.frag_off = 1000;
		h.mf = false;
		n = build_ip4(buf, &h, msg + 1000, total - 1000);
		assert_false(world_in(&w, ifx, buf, n, &rx));
		h.frag_off = 0;
		h.mf = true;
		n = build_ip4(buf, &h, msg, 1000);
		assert_int_equal(world_in(&w, ifx, buf, n, &rx), port == 54);
		if (port == 54)
			world_free(&w, &rx);
	}
	world_fini(&w);
}

static void the_link_lives_on(void **state UNUSED)
{
	struct ip_rule in = rule(true, false), out = rule(true, true);
	struct ip_tune tune;
	int before;

	ip_tune_default(&tune);
	tune.dad_transmits = tune.arp_probes = 0;
	world_init(&w, &tune);
	ifx = world_l2(&w, 1500);
	add(&in);
	add(&out);
	world_addr(&w, ifx, "2001:db8::2", 64);
	world_run(&w, 20000); /* MLD and RS go out in spite of "deny all" */
	assert_true(w.n_out >= 5);
	/* unless a rule says so in so many words */
	out.any_proto = false;
	out.proto = IP_PROTO_ICMPV6;
	out.icmp_type = ICMP6_NS;
	add(&out);
	out.icmp_type = ICMP6_RS;
	add(&out);
	ip_iface_set_up(w.ips, ifx, false, w.now);
	ip_iface_set_up(w.ips, ifx, true, w.now);
	before = w.n_out;
	world_run(&w, 20000);
	for (int i = before; i < w.n_out; i++)
		assert_int_not_equal(w.out[i].bytes[54], ICMP6_RS);
	world_fini(&w);
}

static void rule_table_has_a_limit(void **state UNUSED)
{
	struct ip_rule r = rule(false, false);

	setup();
	for (int i = 0; i < 1024; i++)
		add(&r);
	assert_int_equal(ip_rule_add(w.ips, &r), -ENOSPC);
	world_fini(&w);
}

/* ---- running out
 * -------------------------------------------------------------- */

static void pool_exhausted(void **state UNUSED)
{
	struct ip_addr d = addr("10.0.0.9");
	struct ip_tune tune;
	struct ip_path p;
	struct ip_tx tx;
	struct pkt *hog[10];
	int n = 0;

	ip_tune_default(&tune);
	tune.arp_probes = tune.dad_transmits = 0;
	world_init_pool(&w, &tune, 20000);
	ifx = world_l2(&w, 1500);
	world_addr(&w, ifx, "10.0.0.2", 24);
	world_run(&w, 20000);
	world_clear(&w);
	while (n < 10 && (hog[n] = pkt_new(&w.pool, PKT_SMALL)))
		n++;
	assert_in_range(n, 5, 9);
	/* a packet cannot wait, and its question is lost */
	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
	tx = world_udp(&p, 1, 2, "x", 1);
	assert_int_equal(world_tx(&w, &tx), -ENOBUFS);
	assert_int_equal(w.n_out, 0);
	assert_true(ip_drops(w.ips)[IP_DROP_NO_BUFFER] >= 2);
	assert_int_equal(ip_ping(w.ips, &d, NULL, 1, 1, 1, 8, 0, w.now),
			 -ENOBUFS);
	while (n)
		pkt_free(&w.pool, hog[--n]);
	/* it recovers by itself: the next question is asked */
	world_run(&w, 1001);
	assert_int_equal(w.n_out, 1);
	/* 64 KiB do not fit this pool at all */
	assert_int_equal(ip_ping(w.ips, &d, NULL, 1, 1, 1, 60000, 0, w.now),
			 -ENOBUFS);
	world_fini(&w);
}

static void reassembly_without_a_buffer(void **state UNUSED)
{
	struct hdr h = {.src = "10.0.0.9", .dst = "10.0.0.2", .proto = 17};
	static uint8_t data[4000], msg[4100];
	size_t n, total;
	struct ip_rx rx;

	world_init_pool(&w, NULL, 3 * (PKT_SMALL_CAP + sizeof(struct pkt)));
	ifx = world_l3(&w, 1500);
	world_addr(&w, ifx, "10.0.0.2", 24);
	total = build_udp(msg, h.src, h.dst, 1, 2, data, 3000);
	for (uint32_t off = 0; off < total; off += 1200) {
		h.frag_off = (uint16_t)off;
		h.mf = off + 1200 < total;
		n = build_ip4(buf, &h, msg + off, MIN(1200, total - off));
		assert_false(world_in(&w, ifx, buf, n, &rx));
	}
	assert_int_equal(ip_drops(w.ips)[IP_DROP_NO_BUFFER], 1);
	assert_int_equal(w.pool.used_bytes, 0);
	world_fini(&w);
}

static void own_queue_is_bounded(void **state UNUSED)
{
	struct ip_rx rx;
	struct frame f;
	size_t n;
	int out = 0;

	setup();
	n = build_icmp_packet(buf, "10.0.0.9", "10.0.0.2", 8, 0, 0, "12345678",
			      8, 0);
	for (int i = 0; i < 3000; i++)
		assert_false(world_in(&w, ifx, buf, n, &rx));
	while (ip_output(w.ips, &f, w.now))
		out++;
	assert_int_equal(out, 2048);
	assert_int_equal(ip_drops(w.ips)[IP_DROP_NO_BUFFER], 3000 - 2048);
	world_fini(&w);
}

static void interfaces_are_checked(void **state UNUSED)
{
	struct ip_iface_config c = {
		.name = "X", .kind = IP_LINK_L3, .v4 = true};
	struct ip_iface_info info;
	uint32_t it = 0, n = 0;

	setup();
	c.mtu = 67;
	assert_int_equal(ip_iface_add(w.ips, &c, w.now), -EINVAL);
	c.mtu = 65536;
	assert_int_equal(ip_iface_add(w.ips, &c, w.now), -EINVAL);
	c.mtu = 1279;
	c.v6 = true;
	assert_int_equal(ip_iface_add(w.ips, &c, w.now), -EINVAL);
	c.v6 = false;
	for (int i = 3; i <= 64; i++)
		assert_int_equal(ip_iface_add(w.ips, &c, w.now), i);
	assert_int_equal(ip_iface_add(w.ips, &c, w.now), -ENOSPC);
	while (ip_iter_iface(w.ips, &it, &info))
		assert_int_equal(info.ifindex, ++n);
	assert_int_equal(n, 64);
	assert_int_equal(ip_iface_info(w.ips, 65, &info), -ENODEV);
	assert_int_equal(ip_iface_info(w.ips, 0, &info), -ENODEV);
	/* a family that is off is not heard */
	{
		size_t len = build_udp_packet(buf, "2001:db8::9", "2001:db8::2",
					      1, 2, "x", 1);

		world_eat(&w, 5, buf, len);
		assert_int_equal(ip_drops(w.ips)[IP_DROP_NOT_OURS], 1);
		world_eat(&w, 77, buf, len);
		assert_int_equal(ip_drops(w.ips)[IP_DROP_IFACE_DOWN], 1);
	}
	world_fini(&w);
}

static void memory_is_accounted(void **state UNUSED)
{
	struct ip_addr g = addr("239.1.1.1");
	size_t before;

	setup();
	before = ip_memory(w.ips);
	assert_true(before > sizeof(struct ip_stack));
	assert_int_equal(ip_group_join(w.ips, ifx, &g, w.now), 0);
	assert_true(ip_memory(w.ips) > before);
	world_run(&w, 20000);
	assert_int_equal(ip_group_leave(w.ips, ifx, &g, w.now), 0);
	world_run(&w, 20000);
	assert_int_equal(ip_memory(w.ips), before);
	for (int d = 0; d < IP_DROP__COUNT; d++)
		assert_string_not_equal(ip_drop_name(d), "?");
	assert_string_equal(ip_drop_name(IP_DROP__COUNT), "?");
	world_fini(&w);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(first_match_wins),
	cmocka_unit_test(ports_and_directions),
	cmocka_unit_test(local_addresses),
	cmocka_unit_test(icmp_types),
	cmocka_unit_test(loopback_is_never_filtered),
	cmocka_unit_test(fragments_are_judged_whole),
	cmocka_unit_test(the_link_lives_on),
	cmocka_unit_test(rule_table_has_a_limit),
	cmocka_unit_test(pool_exhausted),
	cmocka_unit_test(reassembly_without_a_buffer),
	cmocka_unit_test(own_queue_is_bounded),
	cmocka_unit_test(interfaces_are_checked),
	cmocka_unit_test(memory_is_accounted),
};

UNIT_MAIN(tests)
