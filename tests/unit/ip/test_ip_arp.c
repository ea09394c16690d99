/* ARP, the neighbour machine in IPv4 dress, and address conflicts. */
#include "ip/ip_int.h"
#include "wire/arp.h"
#include "world.h"

#include <errno.h>

static struct world w;
static uint8_t buf[2000];
static uint32_t ifx;

static const uint8_t everybody[6] = {255, 255, 255, 255, 255, 255};

static void setup(void)
{
	struct ip_tune tune;

	ip_tune_default(&tune);
	tune.arp_probes = 0;
	tune.accept_ra = false;
	world_init(&w, &tune);
	ifx = world_l2(&w, 1500);
	world_addr(&w, ifx, "10.0.0.2", 24);
	world_run(&w, 60000); /* DAD, announcements, MLD are over */
	world_clear(&w);
}

static void setup_probing(void)
{
	struct ip_tune tune;

	ip_tune_default(&tune);
	tune.accept_ra = false;
	world_init(&w, &tune);
	ifx = world_l2(&w, 1280);
	world_run(&w, 60000);
	world_clear(&w);
	world_addr(&w, ifx, "10.0.0.2", 24);
}

static struct ip_path path_to(const char *dst)
{
	struct ip_addr d = addr(dst);
	struct ip_path p;

	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
	return p;
}

static int send_udp(const char *dst, uint32_t len)
{
	static uint8_t data[65507];
	struct ip_path p = path_to(dst);
	struct ip_tx tx = world_udp(&p, 5, 6, data, len);

	return world_tx(&w, &tx);
}

static void give_arp(uint16_t op, const uint8_t *sha, const char *spa,
		     const char *tpa)
{
	size_t n = build_arp(buf, op, sha, spa, NULL, tpa,
			     op == 1 ? everybody : world_mac);

	world_eat(&w, ifx, buf, n);
}

static bool is_arp(const struct out *o, struct arp_packet *a)
{
	if (o->bytes[12] != 8 || o->bytes[13] != 6)
		return false;
	assert_int_equal(o->len, 14 + 28);
	assert_int_equal(arp_parse(o->bytes + 14, 28, a), 0);
	return true;
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

static void resolves_then_sends(void **state UNUSED)
{
	struct arp_packet a;
	struct ip_addr me, him = addr("10.0.0.9");

	setup();
	me = addr("10.0.0.2");
	assert_int_equal(send_udp("10.0.0.9", 10), 0);
	world_drain(&w);
	assert_int_equal(w.n_out, 1);
	assert_true(is_arp(&w.out[0], &a));
	assert_memory_equal(w.out[0].bytes, everybody, 6);
	assert_memory_equal(w.out[0].bytes + 6, world_mac, 6);
	assert_int_equal(a.op, ARP_REQUEST);
	assert_true(ip_eq(&a.spa, &me));
	assert_true(ip_eq(&a.tpa, &him));
	assert_string_equal(state_of("10.0.0.9"), "INCOMPLETE");
	/* another packet does not ask again */
	assert_int_equal(send_udp("10.0.0.9", 11), 0);
	world_drain(&w);
	assert_int_equal(w.n_out, 1);
	give_arp(ARP_REPLY, world_peer, "10.0.0.9", "10.0.0.2");
	assert_int_equal(w.n_out, 3);
	assert_memory_equal(w.out[1].bytes, world_peer, 6);
	assert_memory_equal(w.out[1].bytes + 6, world_mac, 6);
	check_sums(&w.out[1]);
	check_sums(&w.out[2]);
	assert_int_equal(w.out[1].len, 14 + 28 + 10);
	assert_int_equal(w.out[2].len, 14 + 28 + 11);
	assert_string_equal(state_of("10.0.0.9"), "REACHABLE");
	/* from now on at once */
	assert_int_equal(send_udp("10.0.0.9", 12), 0);
	assert_int_equal(w.n_out, 4);
	assert_memory_equal(w.out[3].bytes, world_peer, 6);
	world_fini(&w);
}

static void silence_is_reported(void **state UNUSED)
{
	struct ip_event ev;
	struct ip_addr him = addr("10.0.0.9");

	setup();
	assert_int_equal(send_udp("10.0.0.9", 10), 0);
	assert_int_equal(send_udp("10.0.0.9", 10), 0);
	world_run(&w, 2999);
	assert_int_equal(w.n_out, 3); /* [RFC4861 10] three questions */
	assert_false(world_event(&w, IP_EV_NEIGH_FAILED, &ev));
	world_run(&w, 2);
	assert_true(world_event(&w, IP_EV_NEIGH_FAILED, &ev));
	assert_true(ip_eq(&ev.remote, &him));
	assert_int_equal(ev.proto, IP_PROTO_UDP);
	assert_int_equal(ev.local_port, 5);
	assert_int_equal(ev.remote_port, 6);
	assert_int_equal(ev.error, EHOSTUNREACH);
	assert_true(world_event(&w, IP_EV_NEIGH_FAILED, &ev));
	assert_false(world_event(&w, IP_EV_NEIGH_FAILED, &ev));
	assert_int_equal(ip_drops(w.ips)[IP_DROP_NEIGH_FAILED], 2);
	assert_int_equal(send_udp("10.0.0.9", 10), -EHOSTUNREACH);
	assert_int_equal(w.n_out, 3);
	/* a second later it is tried again */
	world_run(&w, 1000);
	assert_string_equal(state_of("10.0.0.9"), "-");
	assert_int_equal(send_udp("10.0.0.9", 10), 0);
	world_drain(&w);
	assert_int_equal(w.n_out, 4);
	world_fini(&w);
}

static void queue_keeps_the_latest(void **state UNUSED)
{
	setup();
	for (uint32_t i = 0; i < 12; i++)
		assert_int_equal(send_udp("10.0.0.9", 100 + i), 0);
	assert_int_equal(ip_drops(w.ips)[IP_DROP_NEIGH_QUEUE], 4);
	world_drain(&w);
	give_arp(ARP_REPLY, world_peer, "10.0.0.9", "10.0.0.2");
	assert_int_equal(w.n_out, 1 + 8);
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(w.out[1 + i].len, 14 + 28 + 100 + 4 + i);
	world_fini(&w);
}

static void fragments_wait_together(void **state UNUSED)
{
	setup();
	for (uint32_t i = 0; i < 9; i++)
		assert_int_equal(send_udp("10.0.0.9", 4000), 0);
	/* the oldest datagram went, all three pieces of it */
	assert_int_equal(ip_drops(w.ips)[IP_DROP_NEIGH_QUEUE], 3);
	world_drain(&w);
	give_arp(ARP_REPLY, world_peer, "10.0.0.9", "10.0.0.2");
	assert_int_equal(w.n_out, 1 + 8 * 3);
	for (int i = 0; i < 24; i++) {
		check_sums(&w.out[1 + i]);
		assert_int_equal((w.out[1 + i].bytes[20] & 0x20) != 0,
				 i % 3 != 2);
	}
	world_fini(&w);
}

static void gso_frame_waits_too(void **state UNUSED)
{
	static uint8_t data[50000];
	struct ip_path p;
	struct ip_tx tx = {0};

	setup();
	p = path_to("10.0.0.9");
	tx.path = &p;
	tx.proto = IP_PROTO_TCP;
	tx.l4_hdr_len = 20;
	tx.csum_offset = 16;
	tx.iov[0] = (struct iovec){data, sizeof(data)};
	tx.n_iov = 1;
	tx.payload_len = sizeof(data);
	tx.gso = FRAME_GSO_TCP4;
	tx.gso_size = 1460;
	assert_int_equal(world_tx(&w, &tx), 0);
	world_drain(&w);
	give_arp(ARP_REPLY, world_peer, "10.0.0.9", "10.0.0.2");
	assert_int_equal(w.n_out, 2);
	assert_int_equal(w.out[1].gso, FRAME_GSO_TCP4);
	assert_int_equal(w.out[1].gso_size, 1460);
	assert_true(w.out[1].needs_csum);
	assert_int_equal(w.out[1].csum_start, 14 + 20);
	assert_int_equal(w.out[1].csum_offset, 16);
	assert_int_equal(w.out[1].len, 14 + 40 + 50000);
	assert_int_equal(w.out[1].l2_len, 14);
	check_sums(&w.out[1]);
	world_fini(&w);
}

/* REACHABLE, STALE, DELAY, PROBE, and gone. */
static void reachability_ages(void **state UNUSED)
{
	struct arp_packet a;

	setup();
	assert_int_equal(send_udp("10.0.0.9", 10), 0);
	world_drain(&w);
	give_arp(ARP_REPLY, world_peer, "10.0.0.9", "10.0.0.2");
	world_run(&w, 14900); /* at least half of 30 s */
	assert_string_equal(state_of("10.0.0.9"), "REACHABLE");
	world_run(&w, 30200); /* at most one and a half */
	assert_string_equal(state_of("10.0.0.9"), "STALE");
	world_clear(&w);
	assert_int_equal(send_udp("10.0.0.9", 10), 0);
	assert_int_equal(w.n_out, 1); /* goes at once, unproven */
	assert_string_equal(state_of("10.0.0.9"), "DELAY");
	world_run(&w, 4999);
	assert_int_equal(w.n_out, 1);
	world_run(&w, 2);
	assert_string_equal(state_of("10.0.0.9"), "PROBE");
	assert_int_equal(w.n_out, 2);
	assert_true(is_arp(&w.out[1], &a));
	assert_memory_equal(w.out[1].bytes, world_peer, 6); /* unicast */
	/* an answer proves it */
	give_arp(ARP_REPLY, world_peer, "10.0.0.9", "10.0.0.2");
	assert_string_equal(state_of("10.0.0.9"), "REACHABLE");
	/* no answer: three probes, then silence is failure */
	world_run(&w, 50000);
	world_clear(&w);
	assert_int_equal(send_udp("10.0.0.9", 10), 0);
	world_run(&w, 8001);
	assert_int_equal(w.n_out, 1 + 3);
	assert_string_equal(state_of("10.0.0.9"), "FAILED");
	world_run(&w, 1000);
	assert_string_equal(state_of("10.0.0.9"), "-");
	world_fini(&w);
}

static void transport_keeps_it_reachable(void **state UNUSED)
{
	struct ip_path p;

	setup();
	assert_int_equal(send_udp("10.0.0.9", 10), 0);
	world_drain(&w);
	give_arp(ARP_REPLY, world_peer, "10.0.0.9", "10.0.0.2");
	p = path_to("10.0.0.9");
	for (int i = 0; i < 20; i++) {
		world_run(&w, 10000);
		assert_string_equal(state_of("10.0.0.9"), "REACHABLE");
		ip_path_confirm(w.ips, &p, w.now);
		assert_string_equal(state_of("10.0.0.9"), "REACHABLE");
	}
	world_run(&w, 60000);
	assert_string_equal(state_of("10.0.0.9"), "STALE");
	ip_path_confirm(w.ips, &p, w.now);
	assert_string_equal(state_of("10.0.0.9"), "REACHABLE");
	world_fini(&w);
}

static void answers_for_itself_only(void **state UNUSED)
{
	struct arp_packet a;
	struct ip_addr me = addr("10.0.0.2");

	setup();
	give_arp(ARP_REQUEST, world_peer, "10.0.0.9", "10.0.0.2");
	assert_int_equal(w.n_out, 1);
	assert_true(is_arp(&w.out[0], &a));
	assert_int_equal(a.op, ARP_REPLY);
	assert_true(ip_eq(&a.spa, &me));
	assert_memory_equal(a.sha, world_mac, 6);
	assert_memory_equal(w.out[0].bytes, world_peer, 6);
	/* who asks is known from then on */
	assert_string_equal(state_of("10.0.0.9"), "STALE");
	give_arp(ARP_REQUEST, world_peer, "10.0.0.8", "10.0.0.77");
	assert_int_equal(w.n_out, 1);
	assert_string_equal(state_of("10.0.0.8"), "-");
	/* a reply nobody asked for makes no entry */
	give_arp(ARP_REPLY, world_peer, "10.0.0.7", "10.0.0.2");
	assert_string_equal(state_of("10.0.0.7"), "-");
	world_fini(&w);
}

static void a_new_mac_is_taken_but_doubted(void **state UNUSED)
{
	setup();
	assert_int_equal(send_udp("10.0.0.9", 10), 0);
	world_drain(&w);
	give_arp(ARP_REPLY, world_peer, "10.0.0.9", "10.0.0.2");
	/* a fail-over announces itself */
	give_arp(ARP_REQUEST, world_other, "10.0.0.9", "10.0.0.9");
	assert_string_equal(state_of("10.0.0.9"), "STALE");
	world_clear(&w);
	assert_int_equal(send_udp("10.0.0.9", 10), 0);
	assert_memory_equal(w.out[0].bytes, world_other, 6);
	world_fini(&w);
}

static void bad_packets_are_counted(void **state UNUSED)
{
	size_t n;

	setup();
	n = build_arp(buf, 1, world_peer, "10.0.0.9", NULL, "10.0.0.2",
		      everybody);
	world_eat(&w, ifx, buf, n - 1);
	buf[14] = 9; /* hardware type */
	world_eat(&w, ifx, buf, n);
	n = build_arp(buf, 1, world_peer, "224.0.0.9", NULL, "10.0.0.2",
		      everybody);
	world_eat(&w, ifx, buf, n);
	n = build_arp(buf, 7, world_peer, "10.0.0.9", NULL, "10.0.0.2",
		      everybody);
	world_eat(&w, ifx, buf, n);
	assert_int_equal(ip_drops(w.ips)[IP_DROP_ARP_INVALID], 4);
	assert_int_equal(w.n_out, 0);
	world_fini(&w);
}

static void cache_is_bounded(void **state UNUSED)
{
	struct ip_tune tune;
	struct ip_neigh_info n;
	uint32_t it = 0, count = 0;
	struct ip_addr perm = addr("10.0.200.1");

	ip_tune_default(&tune);
	tune.arp_probes = 0;
	tune.neigh_max = 20;
	world_init(&w, &tune);
	ifx = world_l2(&w, 1500);
	world_addr(&w, ifx, "10.0.0.2", 16);
	assert_int_equal(ip_neigh_set(w.ips, ifx, &perm, world_other, w.now),
			 0);
	for (int i = 1; i < 100; i++) {
		char spa[32];

		snprintf(spa, sizeof(spa), "10.0.1.%d", i);
		give_arp(ARP_REQUEST, world_peer, spa, "10.0.0.2");
	}
	while (ip_iter_neigh(w.ips, &it, &n))
		count++;
	assert_int_equal(count, 20);
	assert_string_equal(state_of("10.0.1.99"), "STALE");
	assert_string_equal(state_of("10.0.1.80"), "-");
	/* used ones stay: the least recently used goes */
	assert_int_equal(send_udp("10.0.1.81", 1), 0);
	give_arp(ARP_REQUEST, world_peer, "10.0.2.1", "10.0.0.2");
	assert_string_equal(state_of("10.0.1.81"), "DELAY");
	assert_string_equal(state_of("10.0.1.82"), "-");
	assert_string_equal(state_of("10.0.200.1"), "PERMANENT");
	/* packets that wait are let go with their entry */
	for (int i = 1; i < 100; i++) {
		char dst[32];

		snprintf(dst, sizeof(dst), "10.0.3.%d", i);
		assert_int_equal(send_udp(dst, 1), 0);
	}
	assert_true(ip_drops(w.ips)[IP_DROP_NEIGH_QUEUE] >= 80);
	assert_int_equal(ip_neigh_del(w.ips, ifx, &perm), 0);
	assert_int_equal(ip_neigh_del(w.ips, ifx, &perm), -ENOENT);
	world_fini(&w);
}

static void permanent_neighbours(void **state UNUSED)
{
	struct ip_addr a = addr("10.0.0.9"), g = addr("224.0.0.1");

	setup();
	assert_int_equal(ip_neigh_set(w.ips, 1, &a, world_other, w.now),
			 -ENODEV);
	assert_int_equal(ip_neigh_set(w.ips, ifx, &g, world_other, w.now),
			 -EINVAL);
	assert_int_equal(send_udp("10.0.0.9", 10), 0); /* waits */
	world_drain(&w);
	world_clear(&w);
	assert_int_equal(ip_neigh_set(w.ips, ifx, &a, world_other, w.now), 0);
	world_drain(&w);
	assert_int_equal(w.n_out, 1);
	assert_memory_equal(w.out[0].bytes, world_other, 6);
	give_arp(ARP_REPLY, world_peer, "10.0.0.9", "10.0.0.2");
	world_run(&w, 100000);
	assert_string_equal(state_of("10.0.0.9"), "PERMANENT");
	ip_iface_set_up(w.ips, ifx, false, w.now);
	assert_string_equal(state_of("10.0.0.9"), "PERMANENT");
	world_fini(&w);
}

static void link_down_forgets(void **state UNUSED)
{
	struct ip_rx rx;
	size_t n;

	setup();
	assert_int_equal(send_udp("10.0.0.9", 10), 0);
	world_drain(&w);
	give_arp(ARP_REPLY, world_peer, "10.0.0.9", "10.0.0.2");
	assert_int_equal(send_udp("10.0.0.8", 10), 0); /* waits */
	/* an answer of ours is on its way out */
	n = build_icmp_packet(buf, "10.0.0.9", "10.0.0.2", 8, 0, 0, "12345678",
			      8, 0);
	n = build_ether(buf, world_mac, world_peer, 0x0800, n);
	assert_false(world_in(&w, ifx, buf, n, &rx));
	world_clear(&w);
	ip_iface_set_up(w.ips, ifx, false, w.now);
	assert_string_equal(state_of("10.0.0.9"), "-");
	assert_string_equal(state_of("10.0.0.8"), "-");
	world_drain(&w);
	assert_int_equal(w.n_out, 0);
	/* the question, the answer and the packet that waited */
	assert_int_equal(ip_drops(w.ips)[IP_DROP_IFACE_DOWN], 3);
	world_fini(&w);
}

static void gateways_that_are_silent_are_passed_over(void **state UNUSED)
{
	struct ip_addr d = addr("8.8.8.8"), g1 = addr("10.0.0.100"),
		       g2 = addr("10.0.0.101");
	struct ip_route r = {.dst = prefix("0.0.0.0", 0), .until = MONO_NEVER};
	struct ip_path p;
	uint64_t gen;

	setup();
	r.gateway = g1;
	assert_int_equal(ip_route_add(w.ips, &r), 0);
	r.gateway = g2;
	r.metric = 10;
	assert_int_equal(ip_route_add(w.ips, &r), 0);
	assert_int_equal(send_udp("8.8.8.8", 10), 0);
	gen = ip_path_gen(w.ips);
	world_run(&w, 3001);
	assert_true(ip_path_gen(w.ips) != gen);
	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
	assert_true(ip_eq(&p.next_hop, &g2));
	/* it speaks again: back to it */
	world_run(&w, 2000);
	give_arp(ARP_REQUEST, world_peer, "10.0.0.100", "10.0.0.2");
	world_run(&w, 40000);
	assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p), 0);
	assert_true(ip_eq(&p.next_hop, &g1));
	world_fini(&w);
}

static void broadcast_and_groups_need_no_arp(void **state UNUSED)
{
	static const uint8_t group[6] = {1, 0, 0x5e, 1, 2, 3};

	setup();
	assert_int_equal(send_udp("10.0.0.255", 10), 0);
	assert_int_equal(send_udp("255.255.255.255", 10), 0);
	assert_int_equal(send_udp("239.129.2.3", 10), 0);
	assert_int_equal(w.n_out, 3);
	assert_memory_equal(w.out[0].bytes, everybody, 6);
	assert_memory_equal(w.out[1].bytes, everybody, 6);
	assert_memory_equal(w.out[2].bytes, group, 6);
	assert_int_equal(w.out[2].bytes[14 + 8], 1); /* TTL */
	world_fini(&w);
}

static void vlan_and_mac_filter(void **state UNUSED)
{
	struct ip_iface_config c = {.name = "V",
				    .kind = IP_LINK_L2,
				    .vlan = 100,
				    .mtu = 1500,
				    .v4 = true};
	struct ip_tune tune;
	size_t n;
	struct ip_rx rx;
	uint8_t tagged[200];

	ip_tune_default(&tune);
	tune.arp_probes = 0;
	world_init(&w, &tune);
	memcpy(c.mac, world_mac, 6);
	assert_int_equal(ip_iface_add(w.ips, &c, w.now), 2);
	ifx = 2;
	world_addr(&w, 2, "10.0.0.2", 24);
	world_drain(&w);
	/* ours go out tagged */
	assert_int_equal(w.out[0].l2_len, 18);
	assert_memory_equal(w.out[0].bytes + 12, "\x81\0\0\x64\x08\x06", 6);
	n = build_udp_packet(buf, "10.0.0.9", "10.0.0.2", 1, 2, "x", 1);
	n = build_ether(buf, world_mac, world_peer, 0x0800, n);
	world_eat(&w, 2, buf, n); /* untagged: another network */
	assert_int_equal(ip_drops(w.ips)[IP_DROP_L2], 1);
	memcpy(tagged, buf, 12);
	memcpy(tagged + 12, "\x81\0\xe0\x64", 4); /* with a priority */
	memcpy(tagged + 16, buf + 12, n - 12);
	assert_true(world_in(&w, 2, tagged, n + 4, &rx));
	world_free(&w, &rx);
	tagged[15] = 101;
	world_eat(&w, 2, tagged, n + 4);
	tagged[15] = 100;
	tagged[5] ^= 1; /* somebody else's MAC */
	world_eat(&w, 2, tagged, n + 4);
	tagged[5] ^= 1;
	tagged[6] |= 1; /* from a group */
	world_eat(&w, 2, tagged, n + 4);
	tagged[6] &= 0xfe;
	tagged[16] = 0x88; /* another protocol */
	world_eat(&w, 2, tagged, n + 4);
	tagged[16] = tagged[17] = 0; /* and one that is none */
	world_eat(&w, 2, tagged, n + 4);
	assert_int_equal(ip_drops(w.ips)[IP_DROP_L2], 6);
	world_eat(&w, 2, tagged, 13);
	assert_int_equal(ip_drops(w.ips)[IP_DROP_SHORT], 1);
	world_fini(&w);
}

/* [RFC1122 3.3.6] */
static void unicast_in_a_broadcast_frame(void **state UNUSED)
{
	size_t n;

	setup();
	n = build_udp_packet(buf, "10.0.0.9", "10.0.0.2", 1, 2, "x", 1);
	n = build_ether(buf, everybody, world_peer, 0x0800, n);
	world_eat(&w, ifx, buf, n);
	assert_int_equal(ip_drops(w.ips)[IP_DROP_L2], 1);
	world_fini(&w);
}

/* ---- RFC 5227 --------------------------------------------------------------
 */

static enum ip_addr_state addr_state(const char *ip)
{
	struct ip_addr_info i;
	struct ip_addr a = addr(ip);
	uint32_t it = 0;

	while (ip_iter_addr(w.ips, &it, &i))
		if (ip_eq(&i.addr, &a))
			return i.state;
	fail_msg("no address %s", ip);
	return 0;
}

static void address_is_probed_then_announced(void **state UNUSED)
{
	struct ip_addr a = addr("10.0.0.2"), nobody = addr("0.0.0.0");
	struct arp_packet arp;
	int probes = 0, announcements = 0;
	mono_t begin;

	setup_probing();
	begin = w.now;
	assert_int_equal(addr_state("10.0.0.2"), IP_ADDR_TENTATIVE);
	assert_false(ip_addr_is_local(w.ips, &a));
	while (addr_state("10.0.0.2") == IP_ADDR_TENTATIVE) {
		world_run(&w, 100);
		assert_true(mono_sub(w.now, begin).ns < 8000000000);
	}
	/* three probes 1 to 2 s apart and 2 s of patience */
	assert_true(mono_sub(w.now, begin).ns >= 4000000000);
	assert_int_equal(addr_state("10.0.0.2"), IP_ADDR_PREFERRED);
	assert_true(ip_addr_is_local(w.ips, &a));
	world_run(&w, 10000);
	for (int i = 0; i < w.n_out; i++) {
		assert_true(is_arp(&w.out[i], &arp));
		assert_int_equal(arp.op, ARP_REQUEST);
		assert_true(ip_eq(&arp.tpa, &a));
		probes += ip_eq(&arp.spa, &nobody);
		announcements += ip_eq(&arp.spa, &a);
	}
	assert_int_equal(probes, 3);
	assert_int_equal(announcements, 2);
	world_fini(&w);
}

static void a_second_owner_found_by_probe(void **state UNUSED)
{
	struct ip_addr a = addr("10.0.0.2"), d = addr("10.0.0.9");
	struct ip_path p;
	struct ip_event ev;
	int n;

	for (int how = 0; how < 3; how++) {
		setup_probing();
		world_run(&w, 1500);
		if (how == 0) /* it answers the probe */
			give_arp(ARP_REPLY, world_other, "10.0.0.2", "0.0.0.0");
		else if (how == 1) /* it is heard to use it */
			give_arp(ARP_REQUEST, world_other, "10.0.0.2",
				 "10.0.0.50");
		else /* it probes at the same time */
			give_arp(ARP_REQUEST, world_other, "0.0.0.0",
				 "10.0.0.2");
		assert_int_equal(addr_state("10.0.0.2"), IP_ADDR_DUPLICATE);
		assert_true(world_event(&w, IP_EV_DUPLICATE, &ev));
		assert_true(ip_eq(&ev.local, &a));
		assert_memory_equal(ev.mac, world_other, 6);
		assert_int_equal(ev.ifindex, ifx);
		assert_false(ip_addr_is_local(w.ips, &a));
		assert_int_equal(ip_path(w.ips, &d, NULL, 0, &p),
				 -EADDRNOTAVAIL);
		assert_int_equal(ip_counters(w.ips)->dad_conflicts, 1);
		n = w.n_out;
		world_run(&w, 20000);
		assert_int_equal(w.n_out, n); /* silent from now on */
		/* not answered for */
		give_arp(ARP_REQUEST, world_peer, "10.0.0.9", "10.0.0.2");
		assert_int_equal(w.n_out, n);
		/* a new link, a new chance */
		ip_iface_set_up(w.ips, ifx, false, w.now);
		ip_iface_set_up(w.ips, ifx, true, w.now);
		world_run(&w, 8000);
		assert_int_equal(addr_state("10.0.0.2"), IP_ADDR_PREFERRED);
		world_fini(&w);
	}
}

static void own_probe_looped_back_is_no_conflict(void **state UNUSED)
{
	setup_probing();
	world_run(&w, 1500);
	give_arp(ARP_REQUEST, world_mac, "0.0.0.0", "10.0.0.2");
	give_arp(ARP_REQUEST, world_other, "0.0.0.0", "10.0.0.3");
	world_run(&w, 8000);
	assert_int_equal(addr_state("10.0.0.2"), IP_ADDR_PREFERRED);
	world_fini(&w);
}

/* [RFC5227 2.4 c] */
static void address_in_use_is_defended(void **state UNUSED)
{
	struct ip_event ev;
	struct arp_packet a;
	int replies = 0;

	setup();
	for (int i = 0; i < 100; i++) { /* 5 s of quarrel */
		give_arp(ARP_REPLY, world_other, "10.0.0.2", "10.0.0.2");
		world_run(&w, 50);
	}
	for (int i = 0; i < w.n_out; i++)
		if (is_arp(&w.out[i], &a))
			replies++;
	assert_int_equal(replies, 1);
	assert_true(world_event(&w, IP_EV_DUPLICATE, &ev));
	assert_memory_equal(ev.mac, world_other, 6);
	assert_false(world_event(&w, IP_EV_DUPLICATE, &ev));
	assert_int_equal(addr_state("10.0.0.2"), IP_ADDR_PREFERRED);
	world_run(&w, 6000);
	give_arp(ARP_REPLY, world_other, "10.0.0.2", "10.0.0.2");
	assert_true(world_event(&w, IP_EV_DUPLICATE, &ev));
	world_fini(&w);
}

static void a_probe_for_ours_is_answered(void **state UNUSED)
{
	struct arp_packet a;

	setup();
	give_arp(ARP_REQUEST, world_other, "0.0.0.0", "10.0.0.2");
	assert_int_equal(w.n_out, 1);
	assert_true(is_arp(&w.out[0], &a));
	assert_int_equal(a.op, ARP_REPLY);
	world_fini(&w);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(resolves_then_sends),
	cmocka_unit_test(silence_is_reported),
	cmocka_unit_test(queue_keeps_the_latest),
	cmocka_unit_test(fragments_wait_together),
	cmocka_unit_test(gso_frame_waits_too),
	cmocka_unit_test(reachability_ages),
	cmocka_unit_test(transport_keeps_it_reachable),
	cmocka_unit_test(answers_for_itself_only),
	cmocka_unit_test(a_new_mac_is_taken_but_doubted),
	cmocka_unit_test(bad_packets_are_counted),
	cmocka_unit_test(cache_is_bounded),
	cmocka_unit_test(permanent_neighbours),
	cmocka_unit_test(link_down_forgets),
	cmocka_unit_test(gateways_that_are_silent_are_passed_over),
	cmocka_unit_test(broadcast_and_groups_need_no_arp),
	cmocka_unit_test(vlan_and_mac_filter),
	cmocka_unit_test(unicast_in_a_broadcast_frame),
	cmocka_unit_test(address_is_probed_then_announced),
	cmocka_unit_test(a_second_owner_found_by_probe),
	cmocka_unit_test(own_probe_looped_back_is_no_conflict),
	cmocka_unit_test(address_in_use_is_defended),
	cmocka_unit_test(a_probe_for_ours_is_answered),
};

UNIT_MAIN(tests)
