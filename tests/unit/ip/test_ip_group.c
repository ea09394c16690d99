/* IGMP and MLD as a host speaks them. */
#include "base/cursor.h"
#include "ip/ip_int.h"
#include "wire/checksum.h"
#include "wire/icmp.h"
#include "wire/igmp.h"
#include "world.h"

#include <errno.h>

static struct world w;
static uint8_t buf[2000];
static uint32_t ifx;

static void setup(void)
{
	struct ip_tune tune;

	ip_tune_default(&tune);
	tune.arp_probes = tune.dad_transmits = 0;
	tune.accept_ra = false;
	world_init(&w, &tune);
	ifx = world_l2(&w, 1500);
	world_addr(&w, ifx, "10.0.0.2", 24);
	world_run(&w, 60000);
	world_clear(&w);
}

/* What a report says about a group. */
struct said {
	int version; /* 1, 2 or 3, with MLDv1 as 2 and MLDv2 as 3 */
	bool leave;  /* a leave or done message, or TO_INCLUDE */
	uint8_t record;
	int n; /* records in the message */
	struct ip_addr dst;
};

static bool read4(const struct out *o, const struct ip_addr *g, struct said *s)
{
	const uint8_t *l3 = o->bytes + 14, *m = l3 + 24;
	uint32_t len = o->len - 14 - 24;

	if (l3[9] != 2)
		return false;
	check_sums(o);
	assert_int_equal(l3[0], 0x46);
	assert_memory_equal(l3 + 20, "\x94\4\0\0", 4); /* router alert */
	assert_int_equal(l3[8], 1);
	assert_int_equal(csum_finish(csum_add(0, m, len)), 0);
	s->dst = ip_from_bytes(IP_V4, l3 + 16);
	if (m[0] != IGMP_V3_REPORT) {
		assert_int_equal(len, 8);
		s->version = m[0] == IGMP_V1_REPORT ? 1 : 2;
		s->leave = m[0] == IGMP_V2_LEAVE;
		return memcmp(m + 4, g->b, 4) == 0;
	}
	s->version = 3;
	s->n = m[6] << 8 | m[7];
	assert_int_equal(len, 8 + 8 * s->n);
	for (int i = 0; i < s->n; i++) {
		const uint8_t *r = m + 8 + 8 * (size_t)i;

		s->record = r[0];
		s->leave = r[0] == IGMP_TO_INCLUDE;
		if (memcmp(r + 4, g->b, 4) == 0)
			return true;
	}
	return false;
}

static bool read6(const struct out *o, const struct ip_addr *g, struct said *s)
{
	const uint8_t *l3 = o->bytes + 14, *m = l3 + 48;

	if (l3[6] != 0)
		return false;
	check_sums(o);
	assert_memory_equal(l3 + 40, "\x3a\0\5\2\0\0\1\0", 8);
	assert_int_equal(l3[7], 1);
	s->dst = ip_from_bytes(IP_V6, l3 + 24);
	if (m[0] != ICMP6_MLD2_REPORT) {
		s->version = 2;
		s->leave = m[0] == ICMP6_MLD_DONE;
		return memcmp(m + 8, g->b, 16) == 0;
	}
	s->version = 3;
	s->n = m[6] << 8 | m[7];
	assert_int_equal(o->len, 14 + 48 + 8 + 20 * s->n);
	for (int i = 0; i < s->n; i++) {
		const uint8_t *r = m + 8 + 20 * (size_t)i;

		s->record = r[0];
		s->leave = r[0] == IGMP_TO_INCLUDE;
		if (memcmp(r + 4, g->b, 16) == 0)
			return true;
	}
	return false;
}

/* Reports about `group` in w.out; the last one is *ret. */
static int reports(const char *group, struct said *ret)
{
	struct ip_addr g = addr(group);
	int n = 0;

	for (int i = 0; i < w.n_out; i++) {
		struct said s = {0};

		if (g.family == IP_V4 ? read4(&w.out[i], &g, &s)
				      : read6(&w.out[i], &g, &s)) {
			*ret = s;
			n++;
		}
	}
	return n;
}

static const char *const group_of[2] = {"239.1.2.3", "ff05::1:3"};

static int join(const char *group)
{
	struct ip_addr g = addr(group);

	return ip_group_join(w.ips, ifx, &g, w.now);
}

static int leave(const char *group)
{
	struct ip_addr g = addr(group);

	return ip_group_leave(w.ips, ifx, &g, w.now);
}

/* A query: version 1, 2, 3 (IGMP) or 2, 3 (MLDv1, MLDv2); group NULL = all;
 * max response in ms. */
static void query4(int version, const char *group, uint32_t ms)
{
	struct ip_addr g = addr(group ? group : "0.0.0.0");
	struct hdr h = {.src = "10.0.0.1",
			.dst = group ? group : "224.0.0.1",
			.proto = 2,
			.ttl = 1};
	uint8_t m[12] = {IGMP_QUERY};
	size_t n = version == 3 ? 12 : 8;
	uint16_t sum;
	uint8_t to[6];
	struct ip_addr d = addr(h.dst);

	m[1] = (uint8_t)(version == 1 ? 0 : ms / 100);
	memcpy(m + 4, g.b, 4);
	m[8] = 2;
	m[9] = 125;
	sum = csum_finish(csum_add(0, m, n));
	m[2] = (uint8_t)(sum >> 8);
	m[3] = (uint8_t)sum;
	n = build_ip4(buf, &h, m, n);
	ether_group_mac(&d, to);
	n = build_ether(buf, to, world_peer, 0x0800, n);
	world_eat(&w, ifx, buf, n);
}

/* An MLD message behind a router alert option. */
static void mld(const char *src, const char *dst, const uint8_t *m, size_t len,
		bool alert, uint8_t ttl)
{
	struct ip_addr s = addr(src), d = addr(dst);
	struct hdr h = {.src = src, .dst = dst, .proto = 0, .ttl = ttl};
	uint8_t body[100] = {58, 0, 5, 2, 0, 0, 1, 0}, to[6];
	uint16_t sum;
	size_t n;

	if (!alert)
		memcpy(body + 2, "\1\4\0\0\0\0", 6);
	memcpy(body + 8, m, len);
	sum = csum_finish(
		csum_add(csum_pseudo(&s, &d, 58, (uint32_t)len), m, len));
	body[10] = (uint8_t)(sum >> 8);
	body[11] = (uint8_t)sum;
	n = build_ip6(buf, &h, body, 8 + len);
	ether_group_mac(&d, to);
	n = build_ether(buf, to, world_peer, 0x86dd, n);
	world_eat(&w, ifx, buf, n);
}

static size_t query6_msg(uint8_t *m, int version, const char *group,
			 uint32_t ms)
{
	struct ip_addr g = addr(group ? group : "::");

	memset(m, 0, 28);
	m[0] = ICMP6_MLD_QUERY;
	m[4] = (uint8_t)(ms >> 8);
	m[5] = (uint8_t)ms;
	memcpy(m + 8, g.b, 16);
	m[24] = 2;
	m[25] = 125;
	return version == 3 ? 28 : 24;
}

static void query6(int version, const char *group, uint32_t ms)
{
	uint8_t m[28];
	size_t n = query6_msg(m, version, group, ms);

	mld("fe80::1", group ? group : "ff02::1", m, n, true, 1);
}

static void query(int v6, int version, const char *group, uint32_t ms)
{
	if (v6)
		query6(version, group, ms);
	else
		query4(version, group, ms);
}

static void join_and_leave_are_reported_twice(void **state UNUSED)
{
	static const char *const routers[2] = {"224.0.0.22", "ff02::16"};

	for (int v6 = 0; v6 < 2; v6++) {
		struct ip_addr d = addr(routers[v6]);
		struct said s;

		setup();
		assert_int_equal(join(group_of[v6]), 0);
		assert_int_equal(join(group_of[v6]), 0); /* counted */
		world_run(&w, 20000);
		assert_int_equal(reports(group_of[v6], &s), 2);
		assert_int_equal(s.version, 3);
		assert_int_equal(s.record, IGMP_TO_EXCLUDE);
		assert_true(ip_eq(&s.dst, &d));
		assert_int_equal(leave(group_of[v6]), 0);
		world_run(&w, 20000);
		assert_int_equal(reports(group_of[v6], &s), 2);
		assert_int_equal(leave(group_of[v6]), 0);
		world_run(&w, 20000);
		assert_int_equal(reports(group_of[v6], &s), 4);
		assert_true(s.leave);
		assert_int_equal(leave(group_of[v6]), -EADDRNOTAVAIL);
		world_fini(&w);
	}
}

static void membership_decides_what_is_ours(void **state UNUSED)
{
	static const char *const src[2] = {"10.0.0.9", "fe80::9"};

	for (int v6 = 0; v6 < 2; v6++) {
		struct ip_addr g = addr(group_of[v6]);
		struct ip_rx rx;
		uint8_t to[6];
		size_t n;

		setup();
		ether_group_mac(&g, to);
		n = build_udp_packet(buf, src[v6], group_of[v6], 1, 2, "x", 1);
		n = build_ether(buf, to, world_peer, v6 ? 0x86dd : 0x0800, n);
		world_eat(&w, ifx, buf, n);
		assert_int_equal(ip_drops(w.ips)[IP_DROP_NOT_OURS], 1);
		assert_int_equal(join(group_of[v6]), 0);
		assert_true(world_in(&w, ifx, buf, n, &rx));
		assert_true(rx.multicast);
		world_free(&w, &rx);
		/* looped back by core */
		n = build_udp_packet(buf, src[v6], group_of[v6], 1, 2, "x", 1);
		assert_true(world_in(&w, 1, buf, n, &rx));
		world_free(&w, &rx);
		assert_int_equal(leave(group_of[v6]), 0);
		assert_false(world_in(&w, 1, buf, n, &rx));
		world_fini(&w);
	}
}

static void general_query_is_answered_once(void **state UNUSED)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct said s;

		setup();
		assert_int_equal(join(group_of[v6]), 0);
		assert_int_equal(join(v6 ? "ff05::99" : "239.9.9.9"), 0);
		world_run(&w, 20000);
		world_clear(&w);
		query(v6, 3, NULL, 5000);
		query(v6, 3, NULL, 5000);
		assert_int_equal(reports(group_of[v6], &s), 0);
		world_run(&w, 5001);
		assert_int_equal(reports(group_of[v6], &s), 1);
		assert_int_equal(s.record, IGMP_IS_EXCLUDE);
		assert_true(s.n >= 2);
		world_run(&w, 20000);
		assert_int_equal(reports(group_of[v6], &s), 1);
		world_fini(&w);
	}
}

/* [RFC3376 5.2 rule 1] a later query does not put off the answer */
static void the_earlier_answer_stands(void **state UNUSED)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct said s;

		setup();
		assert_int_equal(join(group_of[v6]), 0);
		world_run(&w, 20000);
		world_clear(&w);
		query(v6, 3, NULL, 1000);
		for (int i = 0; i < 20; i++)
			query(v6, 3, NULL, 12000);
		world_run(&w, 1001);
		assert_int_equal(reports(group_of[v6], &s), 1);
		world_fini(&w);
	}
}

static void specific_query(void **state UNUSED)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct said s;

		setup();
		assert_int_equal(join(group_of[v6]), 0);
		assert_int_equal(join(v6 ? "ff05::99" : "239.9.9.9"), 0);
		world_run(&w, 20000);
		world_clear(&w);
		query(v6, 3, group_of[v6], 1000);
		world_run(&w, 1001);
		assert_int_equal(reports(group_of[v6], &s), 1);
		assert_int_equal(s.n, 1);
		assert_int_equal(reports(v6 ? "ff05::99" : "239.9.9.9", &s), 0);
		world_fini(&w);
	}
}

static void older_querier_is_spoken_to_in_its_tongue(void **state UNUSED)
{
	static const char *const all_routers[2] = {"224.0.0.2", "ff02::2"};

	for (int v6 = 0; v6 < 2; v6++) {
		struct ip_addr g = addr(group_of[v6]),
			       r = addr(all_routers[v6]);
		struct said s;

		setup();
		assert_int_equal(join(group_of[v6]), 0);
		world_run(&w, 20000);
		world_clear(&w);
		query(v6, 2, NULL, 1000);
		world_run(&w, 1001);
		assert_int_equal(reports(group_of[v6], &s), 1);
		assert_int_equal(s.version, 2);
		assert_false(s.leave);
		assert_true(ip_eq(&s.dst, &g)); /* to the group itself */
		world_clear(&w);
		assert_int_equal(leave(group_of[v6]), 0);
		world_run(&w, 20000);
		assert_int_equal(reports(group_of[v6], &s), 1);
		assert_true(s.leave);
		assert_true(ip_eq(&s.dst, &r));
		/* after two missed queries it is gone */
		world_run(&w, 270000);
		world_clear(&w);
		assert_int_equal(join(group_of[v6]), 0);
		world_drain(&w);
		assert_int_equal(reports(group_of[v6], &s), 1);
		assert_int_equal(s.version, 3);
		world_fini(&w);
	}
}

static void igmp_version_1(void **state UNUSED)
{
	struct said s;

	setup();
	query4(1, NULL, 0);
	assert_int_equal(join(group_of[0]), 0);
	world_run(&w, 20000);
	assert_int_equal(reports(group_of[0], &s), 2);
	assert_int_equal(s.version, 1);
	world_clear(&w);
	assert_int_equal(leave(group_of[0]), 0);
	world_run(&w, 20000);
	assert_int_equal(reports(group_of[0], &s), 0); /* knows no leave */
	world_fini(&w);
}

/* [RFC2236 3] [RFC2710 4] */
static void another_member_answered(void **state UNUSED)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct said s;
		struct ip_addr g = addr(group_of[v6]);
		uint8_t m[24] = {ICMP6_MLD_REPORT};

		setup();
		assert_int_equal(join(group_of[v6]), 0);
		world_run(&w, 20000);
		world_clear(&w);
		query(v6, 2, NULL, 10000);
		if (v6) {
			memcpy(m + 8, g.b, 16);
			mld("fe80::7", group_of[1], m, 24, true, 1);
		} else {
			struct hdr h = {.src = "10.0.0.7",
					.dst = group_of[0],
					.proto = 2,
					.ttl = 1};
			uint8_t to[6];
			size_t n;

			igmp_emit(IGMP_V2_REPORT, &g, m);
			n = build_ip4(buf, &h, m, 8);
			ether_group_mac(&g, to);
			n = build_ether(buf, to, world_peer, 0x0800, n);
			world_eat(&w, ifx, buf, n);
		}
		world_run(&w, 15000);
		assert_int_equal(reports(group_of[v6], &s), 0);
		/* not the last reporter: leaves without a word */
		assert_int_equal(leave(group_of[v6]), 0);
		world_run(&w, 20000);
		assert_int_equal(reports(group_of[v6], &s), 0);
		world_fini(&w);
	}
}

static void queries_from_afar_are_ignored(void **state UNUSED)
{
	struct said s;
	uint8_t m[28];
	size_t n;

	setup();
	assert_int_equal(join(group_of[1]), 0);
	world_run(&w, 20000);
	world_clear(&w);
	n = query6_msg(m, 3, NULL, 1000);
	mld("fe80::1", "ff02::1", m, n, true, 2);
	mld("fe80::1", "ff02::1", m, n, false, 1);
	mld("2001:db8::1", "ff02::1", m, n, true, 1);
	mld("fe80::1", "ff02::1", m, 20, true, 1);
	m[27] = 9; /* sources that are not there */
	mld("fe80::1", "ff02::1", m, n, true, 1);
	assert_int_equal(ip_drops(w.ips)[IP_DROP_ICMP_INVALID], 5);
	world_run(&w, 20000);
	assert_int_equal(reports(group_of[1], &s), 0);
	world_fini(&w);
}

static void limits_and_arguments(void **state UNUSED)
{
	struct ip_addr g = addr("239.0.0.1"), u = addr("10.0.0.1");
	int r = 0, n = 0;

	setup();
	assert_int_equal(ip_group_join(w.ips, 99, &g, w.now), -ENODEV);
	assert_int_equal(ip_group_join(w.ips, ifx, &u, w.now), -EINVAL);
	for (; n < 100; n++) {
		g.b[3] = (uint8_t)(n + 1);
		r = ip_group_join(w.ips, ifx, &g, w.now);
		if (r < 0)
			break;
	}
	assert_int_equal(r, -ENOBUFS);
	assert_int_equal(n, 64);
	/* one may be joined again, and an address does not need a place */
	g.b[3] = 1;
	assert_int_equal(ip_group_join(w.ips, ifx, &g, w.now), 0);
	world_addr(&w, ifx, "2001:db8::77:77", 64);
	world_run(&w, 30000);
	world_fini(&w);
}

/* [RFC3810 5.1.3] zero means at once, but never before now has passed */
static void an_answer_without_delay(void **state UNUSED)
{
	struct said s;

	setup();
	assert_int_equal(join(group_of[1]), 0);
	world_run(&w, 20000);
	world_clear(&w);
	query6(3, NULL, 0);
	world_run(&w, 2);
	assert_int_equal(reports(group_of[1], &s), 1);
	world_fini(&w);
}

static void addresses_join_their_solicited_node_group(void **state UNUSED)
{
	struct ip_addr a = addr("2001:db8::77:77");
	struct said s;

	setup();
	world_addr(&w, ifx, "2001:db8::77:77", 64);
	world_drain(&w); /* [RFC4862 5.4.2] not at once */
	assert_int_equal(reports("ff02::1:ff77:77", &s), 0);
	world_run(&w, 20000);
	assert_int_equal(reports("ff02::1:ff77:77", &s), 2);
	assert_int_equal(s.record, IGMP_TO_EXCLUDE);
	/* two addresses, one group */
	world_addr(&w, ifx, "2001:db8:1::77:77", 64);
	world_clear(&w);
	assert_int_equal(ip_addr_del(w.ips, ifx, &a, w.now), 0);
	world_run(&w, 20000);
	assert_int_equal(reports("ff02::1:ff77:77", &s), 0);
	a = addr("2001:db8:1::77:77");
	assert_int_equal(ip_addr_del(w.ips, ifx, &a, w.now), 0);
	world_run(&w, 20000);
	assert_int_equal(reports("ff02::1:ff77:77", &s), 2);
	assert_true(s.leave);
	world_fini(&w);
}

static void link_comes_back(void **state UNUSED)
{
	struct said s;

	setup();
	assert_int_equal(join(group_of[0]), 0);
	world_run(&w, 20000);
	ip_iface_set_up(w.ips, ifx, false, w.now);
	world_clear(&w);
	assert_int_equal(join("239.5.5.5"), 0);
	assert_int_equal(leave("239.5.5.5"), 0);
	world_run(&w, 20000);
	assert_int_equal(w.n_out, 0);
	ip_iface_set_up(w.ips, ifx, true, w.now);
	world_run(&w, 20000);
	assert_int_equal(reports(group_of[0], &s), 2);
	assert_int_equal(reports("239.5.5.5", &s), 0);
	world_fini(&w);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(join_and_leave_are_reported_twice),
	cmocka_unit_test(membership_decides_what_is_ours),
	cmocka_unit_test(general_query_is_answered_once),
	cmocka_unit_test(the_earlier_answer_stands),
	cmocka_unit_test(specific_query),
	cmocka_unit_test(older_querier_is_spoken_to_in_its_tongue),
	cmocka_unit_test(igmp_version_1),
	cmocka_unit_test(another_member_answered),
	cmocka_unit_test(queries_from_afar_are_ignored),
	cmocka_unit_test(limits_and_arguments),
	cmocka_unit_test(an_answer_without_delay),
	cmocka_unit_test(addresses_join_their_solicited_node_group),
	cmocka_unit_test(link_comes_back),
};

UNIT_MAIN(tests)
