/* Neighbour discovery, duplicate address detection, autoconfiguration. */
#include "base/cursor.h"
#include "ip/ip_int.h"
#include "wire/icmp.h"
#include "wire/ipv6.h"
#include "wire/ndp.h"
#include "world.h"

#include <errno.h>

static struct world w;
static uint8_t buf[2000];
static uint32_t ifx;
static char ll[64]; /* our link-local address */

#define PEER "fe80::99"
#define PEER2 "fe80::98"

static struct ip_tune no_dad(void)
{
	struct ip_tune tune;

	ip_tune_default(&tune);
	tune.dad_transmits = 0;
	return tune;
}

static void find_ll(void)
{
	struct ip_addr_info i;
	uint32_t it = 0;

	ll[0] = 0;
	while (ip_iter_addr(w.ips, &it, &i))
		if (ip_is_link_local(&i.addr) && i.ifindex == ifx)
			ip_format(&i.addr, ll);
	assert_true(ll[0]);
}

static void setup(const struct ip_tune *tune)
{
	world_init(&w, tune);
	ifx = world_l2(&w, 1500);
	find_ll();
}

/* An interface at rest: its first words are spoken. */
static void setup_quiet(void)
{
	struct ip_tune tune = no_dad();

	setup(&tune);
	world_addr(&w, ifx, "2001:db8::2", 64);
	world_run(&w, 60000);
	world_clear(&w);
}

/* ND options. */
static size_t opt_lladdr(uint8_t *p, uint8_t type, const uint8_t *mac)
{
	p[0] = type;
	p[1] = 1;
	memcpy(p + 2, mac, 6);
	return 8;
}

static size_t opt_prefix(uint8_t *p, const char *pfx, uint8_t len,
			 uint8_t flags, uint32_t valid, uint32_t preferred)
{
	struct ip_addr a = addr(pfx);
	struct wcur c = wcur_of(p, 32);

	wcur_8(&c, 3);
	wcur_8(&c, 4);
	wcur_8(&c, len);
	wcur_8(&c, flags);
	wcur_32(&c, valid);
	wcur_32(&c, preferred);
	wcur_32(&c, 0);
	wcur_copy(&c, a.b, 16);
	return 32;
}

static size_t opt_mtu(uint8_t *p, uint32_t mtu)
{
	struct wcur c = wcur_of(p, 8);

	wcur_16(&c, 5 << 8 | 1);
	wcur_16(&c, 0);
	wcur_32(&c, mtu);
	return 8;
}

/* An ICMPv6 message from `mac`, hop limit `ttl`. */
static void give(const char *src, const char *dst, uint8_t type, uint32_t arg,
		 const uint8_t *body, size_t len, uint8_t ttl,
		 const uint8_t *mac)
{
	struct ip_addr d = addr(dst);
	uint8_t to[6];
	size_t n =
		build_icmp_packet(buf, src, dst, type, 0, arg, body, len, ttl);

	memcpy(to, world_mac, 6);
	if (ip_is_multicast(&d))
		ether_group_mac(&d, to);
	n = build_ether(buf, to, mac, 0x86dd, n);
	world_eat(&w, ifx, buf, n);
}

static void give_ns(const char *src, const char *dst, const char *target,
		    const uint8_t *slla)
{
	struct ip_addr t = addr(target);
	uint8_t body[64];
	size_t n = 16;

	memcpy(body, t.b, 16);
	if (slla)
		n += opt_lladdr(body + n, 1, slla);
	give(src, dst, ICMP6_NS, 0, body, n, 255, world_peer);
}

/* flags: 8 router, 4 solicited, 2 override */
static void give_na(const char *src, const char *dst, const char *target,
		    unsigned flags, const uint8_t *tlla)
{
	struct ip_addr t = addr(target);
	uint8_t body[64];
	size_t n = 16;

	memcpy(body, t.b, 16);
	if (tlla)
		n += opt_lladdr(body + n, 2, tlla);
	give(src, dst, ICMP6_NA, (uint32_t)flags << 28, body, n, 255,
	     tlla ? tlla : world_peer);
}

/* An RA from PEER; `opts` behind it. */
static void give_ra_from(const char *src, uint16_t life, uint8_t flags,
			 const uint8_t *opts, size_t n_opts)
{
	uint8_t body[1000] = {0};

	if (n_opts)
		memcpy(body + 8, opts, n_opts);
	give(src, "ff02::1", ICMP6_RA, 64u << 24 | (uint32_t)flags << 16 | life,
	     body, 8 + n_opts, 255, world_peer);
}

static void give_ra(uint16_t life, const uint8_t *opts, size_t n_opts)
{
	give_ra_from(PEER, life, 0, opts, n_opts);
}

static const uint8_t *icmp_of(const struct out *o)
{
	if (o->bytes[12] != 0x86 || o->bytes[20] != 58)
		return NULL;
	return o->bytes + 14 + 40;
}

/* Parses frame i as an ND message and checks what all must have. */
static bool is_nd(int i, uint8_t type, struct ndp_message *m)
{
	const struct out *o = &w.out[i];
	const uint8_t *icmp = icmp_of(o);

	if (!icmp || icmp[0] != type)
		return false;
	check_sums(o);
	assert_int_equal(o->bytes[14 + 7], 255);
	assert_int_equal(ndp_parse(icmp, o->len - 54, m), 0);
	return true;
}

static struct ip_addr src_of(int i)
{
	return ip_from_bytes(IP_V6, w.out[i].bytes + 14 + 8);
}

static struct ip_addr dst_of(int i)
{
	return ip_from_bytes(IP_V6, w.out[i].bytes + 14 + 24);
}

static int send_udp(const char *dst)
{
	struct ip_addr d = addr(dst);
	struct ip_path p;
	struct ip_tx tx;

	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
	tx = world_udp(&p, 5, 6, "datum", 5);
	return world_tx(&w, &tx);
}

static const char *state_of(const char *ip)
{
	struct ip_neigh_info n;
	struct ip_addr a = addr(ip);
	uint32_t it = 0;

	while (ip_iter_neigh(w.ips, &it, &n))
		if (ip_eq(&n.addr, &a))
			return n.state;
	return "-";
}

static bool get_addr(const char *ip, struct ip_addr_info *ret)
{
	struct ip_addr a = addr(ip);
	uint32_t it = 0;

	while (ip_iter_addr(w.ips, &it, ret))
		if (ip_eq(&ret->addr, &a))
			return true;
	return false;
}

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
	uint8_t body[64];
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
	strcpy(first, ll);
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
		strcpy(seen[n], ll);
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
	n += opt_mtu(o + n, 9000);
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
	cmocka_unit_test(solicits_three_times),
	cmocka_unit_test(an_answer_ends_the_questions),
	cmocka_unit_test(advertisement_configures),
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
