/* Neighbour discovery and duplicate address detection. */
#include "ip/ip_int.h"
#include "nd_tools.h"
#include "wire/icmp.h"
#include "wire/ipv6.h"

#include <errno.h>

/* ---- neighbours ------------------------------------------------------------
 */

static void resolves_then_sends(void **state UNUSED)
{
	struct ip_addr want = addr("ff02::1:ff00:9"), me = addr("2001:db8::2");
	struct ip_addr him = addr("2001:db8::9"), s, d;
	struct ndp_message m;

	setup_quiet();
	assert_int_equal(send_udp("2001:db8::9"), 0);
	world_drain(&w);
	assert_int_equal(w.n_out, 1);
	assert_true(is_nd(0, ICMP6_NS, &m));
	s = src_of(0);
	d = dst_of(0);
	assert_true(ip_eq(&d, &want));
	assert_true(ip_eq(&s, &me));
	assert_true(ip_eq(&m.target, &him));
	assert_true(m.opt.has_slla);
	assert_memory_equal(m.opt.slla, world_mac, 6);
	assert_memory_equal(w.out[0].bytes, "\x33\x33\xff\0\0\x09", 6);
	give_na("2001:db8::9", "2001:db8::2", "2001:db8::9", 6, world_peer);
	assert_string_equal(state_of("2001:db8::9"), "REACHABLE");
	assert_int_equal(w.n_out, 2);
	assert_memory_equal(w.out[1].bytes, world_peer, 6);
	check_sums(&w.out[1]);
	world_fini(&w);
}

/* [RFC4861 7.2.5] and Appendix C */
static void advertisement_table(void **state UNUSED)
{
	static const struct {
		const char *before; /* REACHABLE or STALE with world_peer */
		unsigned flags;
		const uint8_t *tlla;
		const char *after;
		const uint8_t *mac;
	} c[] = {
		{"INCOMPLETE", 4, NULL, "INCOMPLETE", NULL},
		{"INCOMPLETE", 0, world_peer, "STALE", world_peer},
		{"INCOMPLETE", 4, world_peer, "REACHABLE", world_peer},
		{"REACHABLE", 0, world_peer, "REACHABLE", world_peer},
		{"REACHABLE", 0, world_other, "STALE", world_peer},
		{"REACHABLE", 4, world_other, "STALE", world_peer},
		{"REACHABLE", 2, world_other, "STALE", world_other},
		{"REACHABLE", 6, world_other, "REACHABLE", world_other},
		{"REACHABLE", 6, NULL, "REACHABLE", world_peer},
		{"STALE", 0, world_other, "STALE", world_peer},
		{"STALE", 4, world_other, "STALE", world_peer},
		{"STALE", 2, world_other, "STALE", world_other},
		{"STALE", 4, world_peer, "REACHABLE", world_peer},
		{"STALE", 6, world_other, "REACHABLE", world_other},
	};

	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		bool solicited = c[i].flags & 4;
		struct ip_neigh_info n;
		uint32_t it = 0;

		setup_quiet();
		assert_int_equal(send_udp(PEER), 0);
		if (c[i].before[0] != 'I')
			give_na(PEER, ll, PEER, 6, world_peer);
		if (c[i].before[0] == 'S')
			world_run(&w, 46000);
		assert_string_equal(state_of(PEER), c[i].before);
		give_na(PEER, solicited ? ll : "ff02::1", PEER, c[i].flags,
			c[i].tlla);
		assert_string_equal(state_of(PEER), c[i].after);
		assert_true(ip_iter_neigh(w.ips, &it, &n));
		if (c[i].mac)
			assert_memory_equal(n.mac, c[i].mac, 6);
		world_fini(&w);
	}
}

static void advertisements_nobody_asked_for(void **state UNUSED)
{
	setup_quiet();
	give_na(PEER, "ff02::1", PEER, 2, world_peer);
	assert_string_equal(state_of(PEER), "-");
	assert_int_equal(ip_drops(w.ips)[IP_DROP_ND_INVALID], 0);
	/* solicited, yet to everybody */
	give_na(PEER, "ff02::1", PEER, 6, world_peer);
	assert_int_equal(ip_drops(w.ips)[IP_DROP_ND_INVALID], 1);
	world_fini(&w);
}

static void answers_solicitations(void **state UNUSED)
{
	struct ip_addr him = addr(PEER), d, all = addr("ff02::1");
	struct ndp_message m;

	setup_quiet();
	give_ns(PEER, "ff02::1:ff00:2", "2001:db8::2", world_peer);
	assert_int_equal(w.n_out, 1);
	assert_true(is_nd(0, ICMP6_NA, &m));
	d = dst_of(0);
	assert_true(ip_eq(&d, &him));
	assert_true(m.solicited);
	assert_true(m.override);
	assert_false(m.router);
	assert_true(m.opt.has_tlla);
	assert_memory_equal(m.opt.tlla, world_mac, 6);
	assert_memory_equal(w.out[0].bytes, world_peer, 6);
	/* known from then on, and the answer already doubts it */
	assert_string_equal(state_of(PEER), "DELAY");
	/* [RFC4861 7.2.4] without an address: to all nodes */
	give_ns("::", "ff02::1:ff00:2", "2001:db8::2", NULL);
	assert_true(is_nd(1, ICMP6_NA, &m));
	d = dst_of(1);
	assert_true(ip_eq(&d, &all));
	assert_false(m.solicited);
	/* somebody else's address */
	give_ns(PEER, "ff02::1:ff00:2", "2001:db8::5:2", world_peer);
	assert_int_equal(w.n_out, 2);
	world_fini(&w);
}

static void validity_checks(void **state UNUSED)
{
	struct ip_addr t;
	uint8_t body[64] = {0};
	uint64_t n = 0;

	setup_quiet();
	t = addr("2001:db8::2");
	memcpy(body, t.b, 16);
	/* hop limit: nothing from beyond the link */
	give(PEER, "ff02::1:ff00:2", ICMP6_NS, 0, body, 16, 254, world_peer);
	assert_int_equal(ip_drops(w.ips)[IP_DROP_ND_INVALID], ++n);
	/* too short */
	give(PEER, "ff02::1:ff00:2", ICMP6_NS, 0, body, 15, 255, world_peer);
	assert_int_equal(ip_drops(w.ips)[IP_DROP_ND_INVALID], ++n);
	/* an option of length zero */
	body[16] = 1;
	body[17] = 0;
	give(PEER, "ff02::1:ff00:2", ICMP6_NS, 0, body, 24, 255, world_peer);
	assert_int_equal(ip_drops(w.ips)[IP_DROP_ND_INVALID], ++n);
	/* a group as target */
	t = addr("ff02::5");
	memcpy(body, t.b, 16);
	give(PEER, "ff02::1:ff00:2", ICMP6_NS, 0, body, 16, 255, world_peer);
	assert_int_equal(ip_drops(w.ips)[IP_DROP_ND_INVALID], ++n);
	/* from nowhere to somewhere */
	give_ns("::", "2001:db8::2", "2001:db8::2", NULL);
	assert_int_equal(ip_drops(w.ips)[IP_DROP_ND_INVALID], ++n);
	/* from nowhere with a link-layer address */
	give_ns("::", "ff02::1:ff00:2", "2001:db8::2", world_peer);
	assert_int_equal(ip_drops(w.ips)[IP_DROP_ND_INVALID], ++n);
	/* RA from a global address */
	give_ra_from("2001:db8::1", 1800, 0, NULL, 0);
	assert_int_equal(ip_drops(w.ips)[IP_DROP_ND_INVALID], ++n);
	assert_int_equal(w.n_out, 0);
	/* code not zero */
	t = addr("2001:db8::2");
	memcpy(body, t.b, 16);
	{
		size_t len = build_icmp_packet(buf, PEER, "2001:db8::2",
					       ICMP6_NS, 1, 0, body, 16, 255);

		len = build_ether(buf, world_mac, world_peer, 0x86dd, len);
		world_eat(&w, ifx, buf, len);
	}
	assert_int_equal(ip_drops(w.ips)[IP_DROP_ND_INVALID], ++n);
	world_fini(&w);
}

/* [RFC6980 5] */
static void never_in_fragments(void **state UNUSED)
{
	struct ip_addr t = addr("2001:db8::2");
	struct ipv6_frag f = {58, 0, false, 1};
	struct hdr h = {PEER, "2001:db8::2", 44, .ttl = 255};
	uint8_t msg[100];
	size_t n;

	setup_quiet();
	ipv6_frag_emit(&f, msg);
	build_icmp(msg + 8, PEER, "2001:db8::2", ICMP6_NS, 0, 0, t.b, 16);
	n = build_ip6(buf, &h, msg, 8 + 24);
	n = build_ether(buf, world_mac, world_peer, 0x86dd, n);
	world_eat(&w, ifx, buf, n);
	assert_int_equal(ip_drops(w.ips)[IP_DROP_ND_INVALID], 1);
	assert_int_equal(w.n_out, 0);
	world_fini(&w);
}

static void unreachability_detection(void **state UNUSED)
{
	struct ip_event ev;
	struct ndp_message m;

	setup_quiet();
	assert_int_equal(send_udp(PEER), 0);
	give_na(PEER, ll, PEER, 6, world_peer);
	world_run(&w, 46000);
	world_clear(&w);
	assert_int_equal(send_udp(PEER), 0);
	assert_string_equal(state_of(PEER), "DELAY");
	world_run(&w, 5001);
	assert_string_equal(state_of(PEER), "PROBE");
	assert_true(is_nd(1, ICMP6_NS, &m));
	assert_memory_equal(w.out[1].bytes, world_peer, 6);
	world_run(&w, 3000);
	assert_int_equal(w.n_out, 4);
	assert_int_equal(send_udp(PEER), -EHOSTUNREACH);
	world_run(&w, 1000);
	/* silence of a new neighbour is an event */
	assert_int_equal(send_udp(PEER), 0);
	world_run(&w, 3001);
	assert_true(world_event(&w, IP_EV_NEIGH_FAILED, &ev));
	assert_int_equal(ev.remote_port, 6);
	world_fini(&w);
}

/* ---- duplicate address detection
 * --------------------------------------------- */

static void link_local_comes_up(void **state UNUSED)
{
	struct ip_addr any = addr("::"), s, d, want;
	struct ip_addr_info i;
	struct ndp_message m;
	int ns = 0;
	bool usable = false;

	setup(NULL);
	assert_true(get_addr(ll, &i));
	assert_int_equal(i.state, IP_ADDR_TENTATIVE);
	want = ipv6_solicited_node(&i.addr);
	world_run(&w, 2100);
	for (int k = 0; k < w.n_out; k++) {
		if (!is_nd(k, ICMP6_NS, &m))
			continue;
		ns++;
		s = src_of(k);
		d = dst_of(k);
		assert_true(ip_eq(&s, &any));
		assert_true(ip_eq(&d, &want));
		assert_true(ip_eq(&m.target, &i.addr));
		assert_false(m.opt.has_slla);
		assert_true(m.opt.has_nonce);
	}
	assert_int_equal(ns, 1);
	usable = get_addr(ll, &i) && i.state == IP_ADDR_PREFERRED;
	assert_true(usable);
	world_fini(&w);
}

/* [RFC7217] stable, different on another link, not made of the MAC */
static void interface_identifiers(void **state UNUSED)
{
	char first[64];

	setup(NULL);
	memcpy(first, ll, sizeof(first));
	world_fini(&w);
	setup(NULL);
	assert_string_equal(first, ll);
	ifx = world_l2(&w, 9000);
	find_ll();
	assert_string_not_equal(first, ll);
	assert_null(strstr(first, "ff:fe"));
	world_fini(&w);
}

static void configured_address_is_a_duplicate(void **state UNUSED)
{
	struct ip_addr_info i;
	struct ip_event ev;
	struct ip_addr a = addr("2001:db8::2");

	for (int how = 0; how < 2; how++) {
		setup(NULL);
		world_run(&w, 3000);
		world_addr(&w, ifx, "2001:db8::2", 64);
		world_run(&w, 500);
		if (how == 0) /* the owner answers */
			give_na("2001:db8::2", "ff02::1", "2001:db8::2", 2,
				world_other);
		else /* another asks at the same time */
			give_ns("::", "ff02::1:ff00:2", "2001:db8::2", NULL);
		assert_true(world_event(&w, IP_EV_DUPLICATE, &ev));
		assert_true(ip_eq(&ev.local, &a));
		assert_memory_equal(ev.mac, how ? world_peer : world_other, 6);
		assert_true(get_addr("2001:db8::2", &i));
		assert_int_equal(i.state, IP_ADDR_DUPLICATE);
		world_run(&w, 60000);
		assert_true(get_addr("2001:db8::2", &i));
		assert_int_equal(i.state, IP_ADDR_DUPLICATE);
		assert_false(ip_addr_is_local(w.ips, &a));
		world_fini(&w);
	}
}

/* [RFC7217 6] another identifier, three times at most */
static void autoconfigured_address_changes(void **state UNUSED)
{
	struct ip_event ev;
	char seen[6][64];
	int n = 0;

	setup(NULL);
	for (; n < 6; n++) {
		struct ip_addr_info i;

		find_ll();
		memcpy(seen[n], ll, sizeof(seen[n]));
		assert_true(get_addr(ll, &i));
		if (i.state == IP_ADDR_DUPLICATE)
			break;
		give_na(ll, "ff02::1", ll, 2, world_other);
		assert_true(world_event(&w, IP_EV_DUPLICATE, &ev));
	}
	assert_int_equal(n, 4);
	for (int i = 1; i < 4; i++)
		assert_string_not_equal(seen[i], seen[i - 1]);
	world_run(&w, 30000);
	world_fini(&w);
}

/* [RFC7527] */
static void own_probe_looped_back(void **state UNUSED)
{
	struct ip_addr_info i;
	struct ndp_message m;

	setup(NULL);
	world_run(&w, 3000);
	world_clear(&w);
	world_addr(&w, ifx, "2001:db8::2", 64);
	world_drain(&w);
	for (int k = 0, n = w.n_out; k < n; k++)
		if (is_nd(k, ICMP6_NS, &m))
			world_eat(&w, ifx, w.out[k].bytes, w.out[k].len);
	world_run(&w, 2000);
	assert_true(get_addr("2001:db8::2", &i));
	assert_int_equal(i.state, IP_ADDR_PREFERRED);
	world_fini(&w);
}

static void tentative_address_hears_nothing(void **state UNUSED)
{
	struct ip_rx rx;
	size_t n;

	setup(NULL);
	world_run(&w, 3000);
	world_addr(&w, ifx, "2001:db8::2", 64);
	n = build_udp_packet(buf, PEER, "2001:db8::2", 1, 2, "x", 1);
	n = build_ether(buf, world_mac, world_peer, 0x86dd, n);
	assert_false(world_in(&w, ifx, buf, n, &rx));
	assert_int_equal(ip_drops(w.ips)[IP_DROP_NOT_OURS], 1);
	/* nor is it resolved for others */
	world_drain(&w);
	world_clear(&w);
	give_ns(PEER, "ff02::1:ff00:2", "2001:db8::2", world_peer);
	assert_int_equal(w.n_out, 0);
	world_fini(&w);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(resolves_then_sends),
	cmocka_unit_test(advertisement_table),
	cmocka_unit_test(advertisements_nobody_asked_for),
	cmocka_unit_test(answers_solicitations),
	cmocka_unit_test(validity_checks),
	cmocka_unit_test(never_in_fragments),
	cmocka_unit_test(unreachability_detection),
	cmocka_unit_test(link_local_comes_up),
	cmocka_unit_test(interface_identifiers),
	cmocka_unit_test(configured_address_is_a_duplicate),
	cmocka_unit_test(autoconfigured_address_changes),
	cmocka_unit_test(own_probe_looped_back),
	cmocka_unit_test(tentative_address_hears_nothing),
};

UNIT_MAIN(tests)
