/* Routers, prefixes, autoconfiguration, redirects. */
#include "ip/ip_int.h"
#include "nd_tools.h"
#include "wire/icmp.h"
#include "wire/ipv6.h"

#include <errno.h>

/* ---- routers and prefixes
 * ------------------------------------------------------ */

static void solicits_three_times(void **state UNUSED)
{
	struct ip_addr all = addr("ff02::2"), me, s, d;
	struct ndp_message m;
	int n = 0;

	setup(NULL);
	world_run(&w, 30000);
	me = addr(ll);
	for (int k = 0; k < w.n_out; k++) {
		if (!is_nd(k, ICMP6_RS, &m))
			continue;
		n++;
		s = src_of(k);
		d = dst_of(k);
		assert_true(ip_eq(&s, &me));
		assert_true(ip_eq(&d, &all));
		assert_true(m.opt.has_slla);
	}
	assert_int_equal(n, 3);
	world_fini(&w);
}

static void an_answer_ends_the_questions(void **state UNUSED)
{
	struct ndp_message m;

	setup(NULL);
	give_ra(1800, NULL, 0);
	world_run(&w, 30000);
	for (int k = 0; k < w.n_out; k++)
		assert_false(is_nd(k, ICMP6_RS, &m));
	world_fini(&w);
}

/* The address SLAAC made in a prefix. */
static bool slaac_addr(const char *pfx, struct ip_addr_info *ret)
{
	struct ip_prefix p = prefix(pfx, 64);
	uint32_t it = 0;

	while (ip_iter_addr(w.ips, &it, ret))
		if (ret->from_ra && ip_prefix_has(&p, &ret->addr))
			return true;
	return false;
}

static void advertisement_configures(void **state UNUSED)
{
	struct ip_tune tune = no_dad();
	struct ip_addr d = addr("2001:db8:ffff::1"), router = addr(PEER);
	struct ip_addr near = addr("2001:db8:1::77");
	struct ip_addr_info i;
	struct ip_path p;
	uint8_t o[200];
	size_t n;

	setup(&tune);
	n = opt_lladdr(o, 1, world_peer);
	n += opt_mtu(o + n, 1400);
	n += opt_prefix(o + n, "2001:db8:1::", 64, 0xc0, 7200, 3600);
	give_ra(1800, o, n);
	world_run(&w, 1500);
	assert_true(slaac_addr("2001:db8:1::", &i));
	assert_int_equal(i.state, IP_ADDR_PREFERRED);
	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
	assert_true(ip_eq(&p.next_hop, &router));
	assert_true(ip_eq(&p.src, &i.addr));
	assert_int_equal(p.mtu, 1400);
	/* on link */
	assert_int_equal(ip_path(w.ips, &near, NULL, 0, &p), 0);
	assert_true(ip_eq(&p.next_hop, &near));
	assert_string_equal(state_of(PEER), "STALE");
	/* preferred until, valid until, router until */
	world_run(&w, 1800 * 1000);
	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), -ENETUNREACH);
	world_run(&w, 1800 * 1000);
	assert_true(slaac_addr("2001:db8:1::", &i));
	assert_int_equal(i.state, IP_ADDR_DEPRECATED);
	assert_true(ip_addr_is_local(w.ips, &i.addr));
	world_run(&w, 3600 * 1000);
	assert_false(slaac_addr("2001:db8:1::", &i));
	world_fini(&w);
}

/* [RFC4861 6.3.4] hop limit and retransmission time */
static void parameters_are_taken(void **state UNUSED)
{
	struct ip_tune tune = no_dad();
	uint8_t body[8] = {0, 0, 0, 0, 0, 0, 0x01, 0xf4}; /* 500 ms */
	int n = 0;

	setup(&tune);
	world_addr(&w, ifx, "2001:db8::2", 64);
	world_run(&w, 60000);
	world_clear(&w);
	give(PEER, "ff02::1", ICMP6_RA, 33u << 24, body, 8, 255, world_peer);
	assert_int_equal(send_udp("2001:db8::9"), 0);
	world_run(&w, 499);
	assert_int_equal(w.n_out, 1);
	world_run(&w, 2);
	assert_int_equal(w.n_out, 2);
	give_na("2001:db8::9", "2001:db8::2", "2001:db8::9", 6, world_peer);
	for (int i = 0; i < w.n_out; i++)
		n += w.out[i].bytes[14 + 6] == 17 &&
		     w.out[i].bytes[14 + 7] == 33;
	assert_int_equal(n, 1);
	world_fini(&w);
}

static void parameters_are_checked(void **state UNUSED)
{
	struct ip_tune tune = no_dad();
	struct ip_addr d = addr("fe80::77");
	struct ip_addr_info i;
	struct ip_path p;
	uint8_t o[200];
	size_t n;

	setup(&tune);
	/* MTUs no link may have */
	n = opt_mtu(o, 1279);
	give_ra(0, o, n);
	assert_int_equal(ip_path(w.ips, &d, NULL, ifx, &p), 0);
	assert_int_equal(p.mtu, 1500);
	n = opt_mtu(o, 9000);
	/* preferred longer than valid; not 64 bits; link-local */
	n += opt_prefix(o + n, "2001:db8:1::", 64, 0xc0, 100, 200);
	n += opt_prefix(o + n, "2001:db8:2::", 48, 0xc0, 200, 100);
	n += opt_prefix(o + n, "fe80::", 64, 0xc0, 200, 100);
	give_ra(0, o, n);
	assert_int_equal(ip_path(w.ips, &d, NULL, ifx, &p), 0);
	assert_int_equal(p.mtu, 1500);
	assert_false(slaac_addr("2001:db8:1::", &i));
	assert_false(slaac_addr("2001:db8:2::", &i));
	assert_false(slaac_addr("fe80::", &i));
	world_fini(&w);
}

/* [RFC4862 5.5.3 e] */
static void two_hour_rule(void **state UNUSED)
{
	static const struct {
		uint32_t had, told, want; /* seconds; ~0 = for ever */
	} c[] = {
		{10000, 20000, 20000}, /* longer: taken */
		{10000, 8000, 8000},   /* above two hours: taken */
		{10000, 100, 7200},    /* not below two hours */
		{10000, 0, 7200},
		{5000, 100, 5000},  /* has less already: no change */
		{5000, 6000, 6000}, /* longer: taken */
		{NDP_INFINITE, 10, 7200},
		{100, NDP_INFINITE, NDP_INFINITE},
	};
	struct ip_tune tune = no_dad();

	for (size_t k = 0; k < ARRAY_SIZE(c); k++) {
		struct ip_addr_info i;
		uint8_t o[32];

		setup(&tune);
		opt_prefix(o, "2001:db8:1::", 64, 0x40, c[k].had, 0);
		give_ra(0, o, 32);
		opt_prefix(o, "2001:db8:1::", 64, 0x40, c[k].told, 0);
		give_ra(0, o, 32);
		assert_true(slaac_addr("2001:db8:1::", &i));
		if (c[k].want == NDP_INFINITE)
			assert_true(mono_is_never(i.valid_until));
		else
			assert_int_equal(mono_sub(i.valid_until, w.now).ns,
					 c[k].want * 1000000000ll);
		world_fini(&w);
	}
}

static void deprecated_and_back(void **state UNUSED)
{
	struct ip_tune tune = no_dad();
	struct ip_addr_info i;
	uint8_t o[32];

	setup(&tune);
	opt_prefix(o, "2001:db8:1::", 64, 0x40, 10000, 10);
	give_ra(0, o, 32);
	world_run(&w, 11000);
	assert_true(slaac_addr("2001:db8:1::", &i));
	assert_int_equal(i.state, IP_ADDR_DEPRECATED);
	give_ra(0, o, 32);
	assert_true(slaac_addr("2001:db8:1::", &i));
	assert_int_equal(i.state, IP_ADDR_PREFERRED);
	world_fini(&w);
}

static void router_goes(void **state UNUSED)
{
	struct ip_tune tune = no_dad();
	struct ip_addr d = addr("2001:db8:ffff::1"), r2 = addr(PEER2);
	struct ip_path p;
	uint8_t o[64];
	size_t n;

	setup(&tune);
	n = opt_lladdr(o, 1, world_peer);
	n += opt_prefix(o + n, "2001:db8:1::", 64, 0x40, 7200, 3600);
	give_ra(1800, o, n);
	world_run(&w, 1500);
	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
	give_ra(0, NULL, 0); /* lifetime zero */
	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), -ENETUNREACH);
	give_ra(1800, NULL, 0);
	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
	/* [RFC4861 7.2.5] it says it is a router no longer */
	give_na(PEER, "ff02::1", PEER, 2, world_peer);
	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), -ENETUNREACH);
	/* [RFC4191 2.1] preference */
	give_ra(1800, NULL, 0);
	give_ra_from(PEER2, 1800, 8, NULL, 0);
	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
	assert_true(ip_eq(&p.next_hop, &r2));
	give_ra_from(PEER2, 1800, 0x18, NULL, 0);
	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
	assert_false(ip_eq(&p.next_hop, &r2));
	world_fini(&w);
}

static void ra_is_refused_when_told_so(void **state UNUSED)
{
	struct ip_tune tune = no_dad();
	struct ip_addr d = addr("2001:db8:ffff::1");
	struct ip_path p;
	struct ndp_message m;

	tune.accept_ra = false;
	setup(&tune);
	world_addr(&w, ifx, "2001:db8::2", 64);
	give_ra(1800, NULL, 0);
	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), -ENETUNREACH);
	world_run(&w, 20000);
	for (int k = 0; k < w.n_out; k++)
		assert_false(is_nd(k, ICMP6_RS, &m));
	world_fini(&w);
}

static void a_storm_of_prefixes(void **state UNUSED)
{
	struct ip_tune tune = no_dad();
	struct ip_addr_info i;
	uint32_t it = 0, n = 0;

	setup(&tune);
	for (int k = 0; k < 3000; k++) {
		char pfx[64], from[64];
		uint8_t o[32];

		snprintf(pfx, sizeof(pfx), "2001:db8:%x::", k);
		snprintf(from, sizeof(from), "fe80::1:%x", k);
		opt_prefix(o, pfx, 64, 0xc0, 7200, 3600);
		give_ra_from(from, 1800, 0, o, 32);
	}
	while (ip_iter_addr(w.ips, &it, &i))
		n += i.from_ra;
	assert_int_equal(n, 64);
	assert_true(w.ips->n_route < 400);
	world_run(&w, 8000 * 1000);
	assert_int_equal(w.ips->n_addr, 3); /* loopbacks and link-local */
	world_fini(&w);
}

static void redirects(void **state UNUSED)
{
	struct ip_addr d = addr("2001:db8:ffff::1"), r2 = addr(PEER2),
		       r1 = addr(PEER);
	struct ip_path p;
	uint8_t body[64], o[64];
	size_t n;

	for (int obey = 0; obey < 2; obey++) {
		struct ip_tune tune = no_dad();

		tune.redirects = obey;
		setup(&tune);
		n = opt_prefix(o, "2001:db8:1::", 64, 0x40, 7200, 3600);
		give_ra(1800, o, n);
		world_run(&w, 1500);
		memcpy(body, r2.b, 16);
		memcpy(body + 16, d.b, 16);
		n = 32 + opt_lladdr(body + 32, 2, world_other);
		/* not from the router in use */
		give(PEER2, ll, ICMP6_REDIRECT, 0, body, n, 255, world_peer);
		assert_int_equal(ip_drops(w.ips)[IP_DROP_ND_INVALID], obey);
		assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
		assert_true(ip_eq(&p.next_hop, &r1));
		give(PEER, ll, ICMP6_REDIRECT, 0, body, n, 255, world_peer);
		assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
		assert_true(ip_eq(&p.next_hop, obey ? &r2 : &r1));
		if (obey) /* for ten minutes */
			assert_string_equal(state_of(PEER2), "STALE");
		world_run(&w, 600001);
		assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
		assert_true(ip_eq(&p.next_hop, &r1));
		world_fini(&w);
	}
}

static void link_down_forgets(void **state UNUSED)
{
	struct ip_tune tune = no_dad();
	struct ip_addr_info i;
	struct ip_addr d = addr("2001:db8:ffff::1");
	struct ip_path p;
	uint8_t o[64];
	size_t n;

	setup(&tune);
	n = opt_prefix(o, "2001:db8:1::", 64, 0xc0, 7200, 3600);
	give_ra(1800, o, n);
	world_run(&w, 1500);
	ip_iface_set_up(w.ips, ifx, false, w.now);
	assert_false(slaac_addr("2001:db8:1::", &i));
	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), -ENETUNREACH);
	ip_iface_set_up(w.ips, ifx, true, w.now);
	find_ll();
	give_ra(1800, o, n);
	world_run(&w, 1500);
	assert_true(slaac_addr("2001:db8:1::", &i));
	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
	world_fini(&w);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(solicits_three_times),
	cmocka_unit_test(an_answer_ends_the_questions),
	cmocka_unit_test(advertisement_configures),
	cmocka_unit_test(parameters_are_taken),
	cmocka_unit_test(parameters_are_checked),
	cmocka_unit_test(two_hour_rule),
	cmocka_unit_test(deprecated_and_back),
	cmocka_unit_test(router_goes),
	cmocka_unit_test(ra_is_refused_when_told_so),
	cmocka_unit_test(a_storm_of_prefixes),
	cmocka_unit_test(redirects),
	cmocka_unit_test(link_down_forgets),
};

UNIT_MAIN(tests)
