/* Route table, gateways and default source selection. */
#include "ip/ip_int.h"
#include "world.h"

#include <errno.h>

static struct world w;

static struct ip_route route(const char *dst, unsigned len, const char *gw,
			     uint32_t ifindex, uint32_t metric)
{
	struct ip_route r = {
		.dst = prefix(dst, len),
		.ifindex = ifindex,
		.metric = metric,
		.until = MONO_NEVER,
	};

	if (gw)
		r.gateway = addr(gw);
	return r;
}

static void add(const char *dst, unsigned len, const char *gw, uint32_t ifindex,
		uint32_t metric)
{
	struct ip_route r = route(dst, len, gw, ifindex, metric);

	assert_int_equal(ip_route_add(w.ips, &r), 0);
}

static void expect_hop(const char *dst, const char *hop, uint32_t ifindex)
{
	struct ip_addr d = addr(dst), h = addr(hop);
	struct ip_path p;

	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
	assert_true(ip_eq(&p.next_hop, &h));
	assert_int_equal(p.ifindex, ifindex);
}

static void setup(uint32_t *a, uint32_t *b)
{
	world_init(&w, NULL);
	*a = world_l3(&w, 1500);
	*b = world_l3(&w, 9000);
	world_addr(&w, *a, "10.0.0.2", 24);
	world_addr(&w, *b, "10.1.0.2", 16);
	world_addr(&w, *a, "2001:db8:a::2", 64);
	world_addr(&w, *b, "2001:db8:b::2", 64);
}

static void longest_prefix_then_metric(void **state UNUSED)
{
	uint32_t a, b;

	setup(&a, &b);
	add("0.0.0.0", 0, "10.0.0.1", 0, 0);
	add("192.168.0.0", 16, "10.1.0.1", 0, 5);
	add("192.168.7.0", 24, "10.0.0.9", 0, 9);
	add("192.168.7.0", 24, "10.0.0.8", 0, 3);
	add("192.168.7.7", 32, "10.1.0.7", 0, 99);
	expect_hop("8.8.8.8", "10.0.0.1", a);
	expect_hop("192.168.1.1", "10.1.0.1", b);
	expect_hop("192.168.7.1", "10.0.0.8", a);
	expect_hop("192.168.7.7", "10.1.0.7", b);
	expect_hop("10.0.0.77", "10.0.0.77", a);
	expect_hop("10.1.200.1", "10.1.200.1", b);
	add("::", 0, "fe80::1", a, 0);
	add("2001:db8:b:1::", 64, "2001:db8:b::1", 0, 0);
	expect_hop("2001:db8:ffff::1", "fe80::1", a);
	expect_hop("2001:db8:b:1::1", "2001:db8:b::1", b);
	world_fini(&w);
}

static void bound_to_an_interface(void **state UNUSED)
{
	uint32_t a, b;
	struct ip_addr d = addr("8.8.8.8");
	struct ip_path p;

	setup(&a, &b);
	add("0.0.0.0", 0, "10.0.0.1", a, 0);
	add("0.0.0.0", 0, "10.1.0.1", b, 10);
	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
	assert_int_equal(p.ifindex, a);
	assert_int_equal(ip_path(w.ips, &d, NULL, b, &p), 0);
	assert_int_equal(p.ifindex, b);
	assert_int_equal(p.mtu, 9000);
	/* the way moves when a link goes */
	ip_iface_set_up(w.ips, a, false, w.now);
	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
	assert_int_equal(p.ifindex, b);
	world_fini(&w);
}

static void add_and_del_check_their_arguments(void **state UNUSED)
{
	uint32_t a, b;
	struct ip_route r;
	uint64_t gen;

	setup(&a, &b);
	r = route("172.16.0.0", 12, "192.0.2.1", 0, 0);
	assert_int_equal(ip_route_add(w.ips, &r), -ENETUNREACH);
	r = route("172.16.0.0", 12, "2001:db8:a::1", a, 0);
	assert_int_equal(ip_route_add(w.ips, &r), -EINVAL);
	r = route("172.16.0.0", 12, "10.0.0.2", a, 0); /* ourselves */
	assert_int_equal(ip_route_add(w.ips, &r), -EINVAL);
	r = route("172.16.0.0", 12, NULL, 9, 0);
	assert_int_equal(ip_route_add(w.ips, &r), -ENODEV);
	r = route("172.16.0.0", 12, NULL, 0, 0);
	assert_int_equal(ip_route_add(w.ips, &r), -ENODEV);
	r = route("172.16.0.0", 12, "10.0.0.1", 0, 0);
	gen = ip_path_gen(w.ips);
	assert_int_equal(ip_route_add(w.ips, &r), 0);
	assert_true(ip_path_gen(w.ips) != gen);
	assert_int_equal(ip_route_add(w.ips, &r), -EEXIST);
	expect_hop("172.20.0.1", "10.0.0.1", a);
	gen = ip_path_gen(w.ips);
	assert_int_equal(ip_route_del(w.ips, &r), 0);
	assert_true(ip_path_gen(w.ips) != gen);
	assert_int_equal(ip_route_del(w.ips, &r), -ESRCH);
	world_fini(&w);
}

static void the_table_has_a_limit(void **state UNUSED)
{
	uint32_t a, b, it = 0, n = 0;
	struct ip_route r;

	setup(&a, &b);
	for (int i = 0; i < 1024; i++) {
		r = route("172.16.0.0", 32, "10.0.0.1", a, 0);
		r.dst.addr.b[2] = (uint8_t)(i >> 8);
		r.dst.addr.b[3] = (uint8_t)i;
		assert_int_equal(ip_route_add(w.ips, &r), 0);
	}
	r = route("172.17.0.0", 16, "10.0.0.1", a, 0);
	assert_int_equal(ip_route_add(w.ips, &r), -ENOSPC);
	while (ip_iter_route(w.ips, &it, &r))
		n++;
	assert_int_equal(n, 1024 + 6); /* and the connected ones */
	world_fini(&w);
}

/* What the table says must be what a plain search says. */
static const struct ip_route *naive(const struct ip_route *r, int n,
				    const struct ip_addr *d)
{
	const struct ip_route *best = NULL;

	for (int i = 0; i < n; i++) {
		if (!ip_prefix_has(&r[i].dst, d))
			continue;
		if (!best || r[i].dst.len > best->dst.len ||
		    (r[i].dst.len == best->dst.len &&
		     r[i].metric < best->metric))
			best = &r[i];
	}
	return best;
}

static void agrees_with_a_plain_search(void **state UNUSED)
{
	static struct ip_route r[400];
	uint32_t a, b;
	int n = 0;

	setup(&a, &b);
	for (int i = 0; i < 400; i++) {
		struct ip_addr d = addr("20.0.0.0");
		uint64_t x = ip_random(w.ips, 0, UINT32_MAX);

		d.b[1] = x & 3;
		d.b[2] = x >> 8 & 3;
		d.b[3] = (uint8_t)(x >> 16);
		r[n] = (struct ip_route){
			.dst = ip_prefix_make(
				&d, (unsigned)ip_random(w.ips, 6, 32)),
			.gateway = addr("10.0.0.1"),
			.ifindex = a,
			.metric = (uint32_t)i,
			.until = MONO_NEVER,
		};
		r[n].gateway.b[3] = (uint8_t)(3 + i % 200);
		n += ip_route_add(w.ips, &r[n]) == 0;
	}
	assert_true(n > 100);
	for (int i = 0; i < 5000; i++) {
		struct ip_addr d = addr("20.0.0.0");
		const struct ip_route *want, *got;

		d.b[1] = (uint8_t)ip_random(w.ips, 0, 3);
		d.b[2] = (uint8_t)ip_random(w.ips, 0, 3);
		d.b[3] = (uint8_t)ip_random(w.ips, 0, 255);
		want = naive(r, n, &d);
		got = ip_route_find(w.ips, &d, 0);
		assert_int_equal(want != NULL, got != NULL);
		if (want)
			assert_int_equal(want->metric, got->metric);
	}
	world_fini(&w);
}

static void routes_end(void **state UNUSED)
{
	uint32_t a, b;
	struct ip_route r;
	struct ip_addr d = addr("172.16.0.1");
	struct ip_path p;

	setup(&a, &b);
	r = route("172.16.0.0", 16, "10.0.0.1", a, 0);
	r.until = mono_add(w.now, DUR_S(5));
	assert_int_equal(ip_route_add(w.ips, &r), 0);
	world_run(&w, 4999);
	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
	world_run(&w, 2);
	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), -ENETUNREACH);
	world_fini(&w);
}

static void connected_routes_are_shared(void **state UNUSED)
{
	uint32_t a, b;
	struct ip_addr one = addr("10.0.0.2"), two = addr("10.0.0.3");
	struct ip_addr d = addr("10.0.0.9");
	struct ip_path p;

	setup(&a, &b);
	world_addr(&w, a, "10.0.0.3", 24);
	assert_int_equal(ip_addr_del(w.ips, a, &one, w.now), 0);
	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
	assert_true(ip_eq(&p.src, &two));
	assert_int_equal(ip_addr_del(w.ips, a, &two, w.now), 0);
	assert_int_equal(ip_addr_del(w.ips, a, &two, w.now), -EADDRNOTAVAIL);
	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), -ENETUNREACH);
	world_fini(&w);
}

static void addresses_are_checked(void **state UNUSED)
{
	static const struct {
		const char *a;
		unsigned plen;
		int r;
	} c[] = {
		{"10.0.0.2", 24, -EEXIST},
		{"10.9.0.0", 24, -EINVAL},
		{"10.9.0.255", 24, -EINVAL},
		{"224.0.0.5", 24, -EINVAL},
		{"0.0.0.0", 0, -EINVAL},
		{"255.255.255.255", 32, -EINVAL},
		{"::", 64, -EINVAL},
		{"ff02::5", 64, -EINVAL},
		{"::ffff:1.2.3.4", 128, -EINVAL},
		{"10.9.0.5", 33, -EINVAL},
		{"10.9.0.0", 31, 0},
		{"10.9.1.0", 32, 0},
		{"2001:db8::", 64, 0},
	};
	uint32_t a, b;

	setup(&a, &b);
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		struct ip_addr x = addr(c[i].a);

		assert_int_equal(ip_addr_add(w.ips, a, &x, c[i].plen, w.now),
				 c[i].r);
	}
	{
		struct ip_addr x = addr("10.77.0.1");

		assert_int_equal(ip_addr_add(w.ips, 99, &x, 24, w.now),
				 -ENODEV);
	}
	world_fini(&w);
}

static void address_table_has_a_limit(void **state UNUSED)
{
	uint32_t a, b;
	struct ip_addr x = addr("10.5.0.1");
	int r = 0, n = 0;

	setup(&a, &b);
	for (int i = 1; i < 300 && r == 0; i++) {
		x.b[2] = (uint8_t)(i >> 7);
		x.b[3] = (uint8_t)((i & 127) + 1);
		r = ip_addr_add(w.ips, a, &x, 32, w.now);
		n += r == 0;
	}
	assert_int_equal(r, -ENOSPC);
	assert_int_equal(n, 256 - 6);
	/* all of them are found again */
	for (int i = 1; i <= n; i++) {
		x.b[2] = (uint8_t)(i >> 7);
		x.b[3] = (uint8_t)((i & 127) + 1);
		assert_true(ip_addr_is_local(w.ips, &x));
	}
	world_fini(&w);
}

/* [RFC6724 10.1] the examples that have a meaning for one host */
static void source_selection(void **state UNUSED)
{
	static const struct {
		const char *dst, *a, *b;
		bool a_deprecated;
		const char *want;
	} c[] = {
		{"2001:db8:1::1", "2001:db8:3::1", "fe80::1", false,
		 "2001:db8:3::1"}, /* rule 2 */
		{"ff05::1", "2001:db8:3::1", "fe80::1", false,
		 "2001:db8:3::1"}, /* rule 2, multicast */
		{"2001:db8:1::1", "2001:db8:1::1", "2001:db8:2::1", true,
		 "2001:db8:1::1"}, /* rule 1 before 3 */
		{"fe80::1", "fe80::2", "2001:db8:1::1", true,
		 "fe80::2"}, /* rule 2 before 3 */
		{"2001:db8:1::1", "2001:db8:1::2", "2001:db8:3::2", false,
		 "2001:db8:1::2"}, /* rule 8 */
		{"2001:db8:1::1", "2001:db8:1::2", "2001:db8:3::2", true,
		 "2001:db8:3::2"}, /* rule 3 before 8 */
		{"2002:c633:6401::1", "2002:c633:6401::d5e3:7953:13eb:22e8",
		 "2001:db8:1::2", false,
		 "2002:c633:6401::d5e3:7953:13eb:22e8"}, /* rule 6 */
		{"2001:db8::1", "2001:0:1::2", "2600::1", false,
		 "2600::1"}, /* rule 6 before 8: Teredo's label */
		{"fd00:1::1", "2001:db8:1::2", "fd99::1", false,
		 "fd99::1"}, /* rule 6, unique local */
	};

	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		struct ip_addr d = addr(c[i].dst), a = addr(c[i].a),
			       want = addr(c[i].want);
		const struct ip_ifaddr *ia;
		uint32_t ifx;

		/* in both orders of arrival */
		for (int swap = 0; swap < 2; swap++) {
			world_init(&w, NULL);
			ifx = world_l3(&w, 1500);
			world_addr(&w, ifx, swap ? c[i].b : c[i].a, 64);
			world_addr(&w, ifx, swap ? c[i].a : c[i].b, 64);
			if (c[i].a_deprecated)
				ip_ifaddr_set_state(ip_ifaddr_find(w.ips, &a),
						    IP_ADDR_DEPRECATED);
			ia = ip_srcsel(w.ips, &d, &d, ip_iface_get(w.ips, ifx));
			assert_non_null(ia);
			assert_true(ip_eq(&ia->addr, &want));
			world_fini(&w);
		}
	}
}

static void source_of_ipv4_follows_the_gateway(void **state UNUSED)
{
	uint32_t ifx;
	struct ip_addr d = addr("8.8.8.8"), s = addr("192.168.1.5");
	struct ip_path p;

	world_init(&w, NULL);
	ifx = world_l3(&w, 1500);
	world_addr(&w, ifx, "10.0.0.5", 24);
	world_addr(&w, ifx, "192.168.1.5", 24);
	add("0.0.0.0", 0, "192.168.1.1", 0, 0);
	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
	assert_true(ip_eq(&p.src, &s));
	world_fini(&w);
}

static void link_local_needs_an_interface(void **state UNUSED)
{
	uint32_t a, b;
	struct ip_addr d = addr("fe80::99"), s = addr("fe80::1");
	struct ip_path p;

	setup(&a, &b);
	world_addr(&w, a, "fe80::1", 64);
	world_addr(&w, b, "fe80::2", 64);
	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), -EINVAL);
	assert_int_equal(ip_path(w.ips, &d, NULL, b, &p), 0);
	assert_int_equal(p.ifindex, b);
	assert_int_equal(ip_path(w.ips, &d, &s, 0, &p), 0);
	assert_int_equal(p.ifindex, a);
	ip_iface_set_up(w.ips, a, false, w.now);
	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
	assert_int_equal(p.ifindex, b);
	world_fini(&w);
}

static void broadcast_and_groups_have_paths(void **state UNUSED)
{
	uint32_t a, b;
	struct ip_addr d = addr("10.1.255.255");
	struct ip_path p;

	setup(&a, &b);
	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
	assert_true(p.broadcast);
	assert_int_equal(p.ifindex, b);
	d = addr("255.255.255.255");
	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
	assert_true(p.broadcast);
	assert_int_equal(p.ifindex, a);
	d = addr("239.1.2.3");
	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
	assert_false(p.broadcast);
	/* [RFC3021] two addresses leave none for a broadcast */
	world_addr(&w, a, "10.77.0.0", 31);
	d = addr("10.77.0.1");
	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
	assert_false(p.broadcast);
	d = addr("239.1.2.3");
	assert_int_equal(ip_path(w.ips, &d, NULL, b, &p), 0);
	assert_int_equal(p.ifindex, b);
	add("224.0.0.0", 4, NULL, b, 0);
	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
	assert_int_equal(p.ifindex, b);
	d = addr("ff02::1");
	assert_int_equal(ip_path(w.ips, &d, NULL, a, &p), 0);
	world_fini(&w);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(longest_prefix_then_metric),
	cmocka_unit_test(bound_to_an_interface),
	cmocka_unit_test(add_and_del_check_their_arguments),
	cmocka_unit_test(the_table_has_a_limit),
	cmocka_unit_test(agrees_with_a_plain_search),
	cmocka_unit_test(routes_end),
	cmocka_unit_test(connected_routes_are_shared),
	cmocka_unit_test(addresses_are_checked),
	cmocka_unit_test(address_table_has_a_limit),
	cmocka_unit_test(source_selection),
	cmocka_unit_test(source_of_ipv4_follows_the_gateway),
	cmocka_unit_test(link_local_needs_an_interface),
	cmocka_unit_test(broadcast_and_groups_have_paths),
};

UNIT_MAIN(tests)
