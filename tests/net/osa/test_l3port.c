/* A layer 3 port on Ethernet: the adapter does ARP and neighbour discovery
 * with the host's kernel and with a neighbour on a bridge. */
#include "bulk.h"
#include "netns.h"

#include "base/mono.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

static const char *const ours[] = {"10.9.0.2/24", "fd09::2/64", NULL};
static const char *const theirs[] = {"10.9.0.3/24", "fd09::3/64", NULL};

static struct pkt_pool pool;

static struct osa_port *open_port(struct deck_device dev)
{
	netns_host_addr(&dev, "10.9.0.1/24");
	netns_host_addr(&dev, "fd09::1/64");
	pkt_pool_init(&pool, 64u << 20);
	return netns_open(&dev, ours);
}

static void close_port(struct osa_port *p)
{
	osa_close(p);
	assert_int_equal(pool.used_bytes, 0);
	pkt_pool_fini(&pool);
}

/* Reads what waits; the last packet for which `want`, the rest freed. */
static struct pkt *drain(struct osa_port *p, bool (*want)(struct pkt *k))
{
	struct pkt *k, *found = NULL;
	bool more = true;

	while (more) {
		assert_true(osa_read(p, 0, &pool, 1, 64, &k, &more) >= 0);
		while (k) {
			struct pkt *next = k->next;

			if (want && want(k) && !found)
				found = k;
			else
				pkt_free(&pool, k);
			k = next;
		}
	}
	return found;
}

/* Lets both ports work until `to` gets a packet that is wanted; the kernel
 * forwards on a bridge when it finds time. NULL after 5 s. */
static struct pkt *pump(struct osa_port *other, struct osa_port *to,
			bool (*want)(struct pkt *k))
{
	struct pollfd pfd[2] = {{.events = POLLIN}, {.events = POLLIN}};
	mono_t end = mono_add(mono_now(), DUR_S(5));
	struct pkt *k = NULL;

	(void)osa_fds(to, &pfd[0].fd, 1);
	(void)osa_fds(other, &pfd[1].fd, 1);
	while (!k && mono_lt(mono_now(), end)) {
		(void)poll(pfd, 2, 100);
		(void)drain(other, NULL);
		k = drain(to, want);
	}
	return k;
}

static struct ip_addr addr(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_parse(text, &a), 0);
	return a;
}

/* A packet without meaning from `src` to `dst`, `len` bytes (v4) or 8 of
 * payload (v6). */
static struct frame packet_of(const char *src, const char *dst, uint16_t len)
{
	struct frame f = {0};
	struct ipv4_header v4 = {.ttl = 9,
				 .proto = 253,
				 .total_len = len,
				 .src = addr(src),
				 .dst = addr(dst)};
	struct ipv6_header v6 = {.payload_len = 8,
				 .next_header = 253,
				 .hop_limit = 9,
				 .src = v4.src,
				 .dst = v4.dst};

	if (v4.src.family == IP_V4) {
		ipv4_emit(&v4, f.hdr);
		f.hdr_len = 28;
	} else {
		ipv6_emit(&v6, f.hdr);
		f.hdr_len = 48;
	}
	return f;
}

static struct frame packet(const char *src, const char *dst)
{
	return packet_of(src, dst, 28);
}

static bool is_ours(struct pkt *k)
{
	const uint8_t *d = pkt_data(k);

	return (d[0] >> 4 == 4 && d[9] == 253) ||
	       (d[0] >> 4 == 6 && d[6] == 253);
}

/* The kernel's TCP finds us by ARP and ND, we find it. */
static void test_tcp_with_host(void **state)
{
	struct osa_port *p = open_port(netns_device(MEDIUM_TAP));
	struct osa_caps caps;

	(void)state;
	osa_get_caps(p, &caps);
	assert_false(caps.l2);
	assert_int_equal(caps.gso_max, OSA_GSO_MAX);
	bulk_in(p, &pool, "10.9.0.2", false, true);
	bulk_in(p, &pool, "fd09::2", false, true);
	bulk_out(p, &pool, "10.9.0.2", false);
	bulk_out(p, &pool, "fd09::2", false);
	close_port(p);
}

static void pass(struct osa_port *from, struct osa_port *to,
		 const struct frame *f)
{
	struct pkt *k;

	assert_int_equal(osa_write(from, f), 0);
	k = pump(from, to, is_ours);
	assert_non_null(k);
	assert_int_equal(k->len, f->hdr_len);
	assert_memory_equal(pkt_data(k), f->hdr, f->hdr_len);
	pkt_free(&pool, k);
}

/* The first frame waits for the answer and then goes. */
static void exchange(struct osa_port *a, struct osa_port *b, const char *src,
		     const char *dst)
{
	struct frame f = packet(src, dst);

	pass(a, b, &f);
	/* known now, in both directions */
	pass(a, b, &f);
	f = packet(dst, src);
	pass(b, a, &f);
}

static bool is_arp_of_vlan_7(struct pkt *k)
{
	return memcmp(pkt_data(k) + 12, "\x81\x00\x00\x07\x08\x06", 6) == 0;
}

static struct deck_device bridged(const char *ifname)
{
	struct deck_device dev = netns_device(MEDIUM_TAP);

	(void)snprintf(dev.ifname, sizeof(dev.ifname), "%s", ifname);
	(void)snprintf(dev.bridge, sizeof(dev.bridge), "br0");
	return dev;
}

static struct osa_port *open_bridged(const char *ifname,
				     const char *const *addrs, uint16_t vlan)
{
	struct deck_device dev = bridged(ifname);

	dev.vlan = vlan;
	return netns_open(&dev, addrs);
}

static void bridge(void)
{
	pkt_pool_init(&pool, 64u << 20);
	netns_ok("ip link add br0 type bridge forward_delay 0 && "
		 "ip link set br0 up");
}

static void test_two_ports_on_a_bridge(void **state)
{
	struct osa_port *a, *b;

	(void)state;
	bridge();
	a = open_bridged("osa0", ours, 0);
	b = open_bridged("osa1", theirs, 0);
	(void)drain(a, NULL);
	(void)drain(b, NULL);
	exchange(a, b, "10.9.0.2", "10.9.0.3");
	exchange(a, b, "fd09::2", "fd09::3");
	osa_close(b);
	close_port(a);
	netns_ok("ip link del br0");
}

/* Ports of one VLAN meet, others hear nothing; on the wire stands a tag. */
static void test_vlan(void **state)
{
	struct deck_device wire = bridged("osa3");
	struct osa_port *a, *b, *c, *d;
	struct ip_addr who;
	uint8_t mac[6];
	struct pkt *k;

	(void)state;
	bridge();
	a = open_bridged("osa0", ours, 7);
	b = open_bridged("osa1", theirs, 7);
	c = open_bridged("osa2", theirs, 0);
	wire.layer2 = true;
	d = netns_open(&wire, NULL);
	(void)drain(a, NULL);
	(void)drain(b, NULL);
	(void)drain(c, NULL);
	(void)drain(d, NULL);
	exchange(a, b, "10.9.0.2", "10.9.0.3");
	exchange(b, a, "fd09::3", "fd09::2");
	assert_null(drain(c, is_ours));
	/* c has b's address, but in another network */
	assert_false(osa_conflict(c, &who, mac));
	k = pump(a, d, is_arp_of_vlan_7);
	assert_non_null(k);
	pkt_free(&pool, k);
	osa_close(d);
	osa_close(c);
	osa_close(b);
	close_port(a);
	netns_ok("ip link del br0");
}

static void test_isolated_ports_do_not_meet(void **state)
{
	struct frame f = packet("10.9.0.2", "10.9.0.3");
	struct deck_device da = bridged("osa0"), db = bridged("osa1");
	struct osa_port *a, *b;
	struct osa_info i;

	(void)state;
	bridge();
	da.isolate = db.isolate = true;
	a = netns_open(&da, ours);
	b = netns_open(&db, theirs);
	(void)drain(b, NULL);
	assert_int_equal(osa_write(a, &f), 0);
	assert_null(drain(b, is_ours));
	assert_null(drain(a, is_ours));
	assert_null(drain(b, is_ours));
	/* nobody answers: what waits is replaced, and counted */
	assert_int_equal(osa_write(a, &f), 0);
	osa_get_info(a, &i);
	assert_int_equal(i.tx_drops, 1);
	osa_close(b);
	close_port(a);
	netns_ok("ip link del br0");
}

/* Off the link: by the routes given, longest prefix first. */
static void test_routes(void **state)
{
	static const char *const gateway[] = {"10.9.0.9/24", NULL};
	struct frame f = packet("10.9.0.2", "192.0.2.77");
	struct osa_route r[2] = {{.gateway = addr("10.9.0.3")},
				 {.gateway = addr("10.9.0.9")}};
	struct osa_port *a, *b, *c;
	struct pkt *k;

	(void)state;
	r[0].dst = netns_prefix("192.0.2.0/24");
	r[1].dst = (struct ip_prefix){ip_any(IP_V4), 0};
	bridge();
	a = open_bridged("osa0", ours, 0);
	b = open_bridged("osa1", theirs, 0);
	c = open_bridged("osa2", gateway, 0);
	assert_int_equal(osa_set_routes(a, r, 2), 0);
	for (int i = 0; i < 2; i++) {
		struct osa_port *to = i == 0 ? b : c;

		(void)drain(b, NULL);
		(void)drain(c, NULL);
		assert_int_equal(osa_write(a, &f), 0);
		k = pump(a, to, is_ours);
		assert_non_null(k);
		pkt_free(&pool, k);
		f = packet("10.9.0.2", "198.51.100.1");
	}
	osa_close(c);
	osa_close(b);
	close_port(a);
	netns_ok("ip link del br0");
}

/* The engine may fill frame.hdr to the brim. */
static void test_full_header(void **state)
{
	static uint8_t more[100];
	struct frame f =
		packet_of("10.9.0.2", "10.9.0.3", FRAME_HDR_MAX + sizeof(more));
	struct osa_port *a, *b;
	struct osa_info i;
	struct pkt *k;

	(void)state;
	bridge();
	a = open_bridged("osa0", ours, 0);
	b = open_bridged("osa1", theirs, 0);
	(void)drain(a, NULL);
	(void)drain(b, NULL);
	exchange(a, b, "10.9.0.2", "10.9.0.3");
	for (uint16_t n = 28; n < FRAME_HDR_MAX; n++)
		f.hdr[n] = (uint8_t)n;
	memset(more, 0x77, sizeof(more));
	f.hdr_len = FRAME_HDR_MAX;
	f.n_iov = 1;
	f.payload_len = sizeof(more);
	f.iov[0] = (struct iovec){more, sizeof(more)};
	assert_int_equal(osa_write(a, &f), 0);
	k = pump(a, b, is_ours);
	assert_non_null(k);
	assert_int_equal(k->len, FRAME_HDR_MAX + sizeof(more));
	assert_memory_equal(pkt_data(k), f.hdr, FRAME_HDR_MAX);
	assert_memory_equal(pkt_data(k) + FRAME_HDR_MAX, more, sizeof(more));
	pkt_free(&pool, k);
	/* no piece is free to take the rest: refused, counted */
	f.n_iov = FRAME_IOV_MAX;
	f.payload_len *= FRAME_IOV_MAX;
	for (int n = 1; n < FRAME_IOV_MAX; n++)
		f.iov[n] = f.iov[0];
	assert_int_equal(osa_write(a, &f), -EMSGSIZE);
	osa_get_info(a, &i);
	assert_int_equal(i.tx_drops, 1);
	osa_close(b);
	close_port(a);
	netns_ok("ip link del br0");
}

static void test_multicast_and_broadcast(void **state)
{
	static const char *const dst[] = {"224.0.0.251", "10.9.0.255",
					  "255.255.255.255"};
	struct osa_port *a, *b;

	(void)state;
	bridge();
	netns_ok("ip link set br0 type bridge mcast_snooping 0");
	a = open_bridged("osa0", ours, 0);
	b = open_bridged("osa1", theirs, 0);
	(void)drain(b, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(dst); i++) {
		struct frame f = packet("10.9.0.2", dst[i]);
		struct pkt *k;

		assert_int_equal(osa_write(a, &f), 0);
		k = pump(a, b, is_ours);
		assert_non_null(k);
		assert_true(k->l2_multicast);
		pkt_free(&pool, k);
	}
	osa_close(b);
	close_port(a);
	netns_ok("ip link del br0");
}

static bool told(struct osa_port *p, struct osa_port *other,
		 struct ip_addr *who, uint8_t mac[6])
{
	for (int i = 0; i < 50; i++) {
		struct pollfd pfd = {.events = POLLIN};

		(void)drain(p, NULL);
		(void)drain(other, NULL);
		if (osa_conflict(p, who, mac))
			return true;
		(void)osa_fds(p, &pfd.fd, 1);
		(void)poll(&pfd, 1, 100);
	}
	return false;
}

/* Somebody else has our address: told once per claim, with who it is. */
static void test_conflict_is_told(void **state)
{
	static const char *const same[] = {"10.9.0.2/24", NULL};
	struct osa_port *a, *b;
	struct osa_oat_entry e = {0};
	struct osa_info info;
	struct ip_addr who, want = addr("10.9.0.2");
	uint8_t mac[6];
	uint32_t it = 0;

	(void)state;
	bridge();
	a = open_bridged("osa0", ours, 0);
	(void)drain(a, NULL);
	assert_false(osa_conflict(a, &who, mac));
	b = open_bridged("osa1", same, 0);
	assert_true(told(a, b, &who, mac));
	assert_true(ip_eq(&who, &want));
	osa_get_info(b, &info);
	assert_memory_equal(mac, info.mac, 6);
	assert_true(osa_iter_oat(a, &it, &e));
	assert_true(ip_eq(&e.addr.addr, &want));
	assert_int_equal(e.addr.len, 24);
	assert_true(e.conflicts >= 1);
	/* the newcomer hears of it too, by the answer to its probe */
	assert_true(told(b, a, &who, mac));
	osa_close(b);
	close_port(a);
	netns_ok("ip link del br0");
}

static void test_setip_and_delip(void **state)
{
	struct osa_port *p = open_port(netns_device(MEDIUM_TAP));
	struct ip_prefix more = netns_prefix("10.9.0.77/24");
	struct osa_oat_entry e;
	uint32_t it = 0, n = 0;

	(void)state;
	(void)drain(p, NULL);
	netns_fails("ip neigh show 10.9.0.77 | grep -q lladdr");
	assert_int_equal(osa_setip(p, &more), 0);
	assert_int_equal(osa_setip(p, &more), -EEXIST);
	while (osa_iter_oat(p, &it, &e))
		n++;
	assert_int_equal(n, 3);
	netns_ok("ping -c 1 -W 0.01 10.9.0.77 >/dev/null 2>&1; test $? = 1");
	(void)drain(p, NULL);
	netns_ok("for i in 1 2 3 4 5 6 7 8 9; do "
		 "ip neigh show 10.9.0.77 | grep -q lladdr && exit 0; "
		 "sleep 0.1; done; exit 1");
	assert_int_equal(osa_delip(p, &more.addr), 0);
	assert_int_equal(osa_delip(p, &more.addr), -ENOENT);
	netns_ok("ip neigh flush to 10.9.0.77; "
		 "ping -c 1 -W 0.01 10.9.0.77 >/dev/null 2>&1; test $? = 1");
	(void)drain(p, NULL);
	netns_fails("ip neigh show 10.9.0.77 | grep -q lladdr");
	close_port(p);
}

static void test_same_address_twice(void **state)
{
	static const char *const twice[] = {"10.9.0.2/24", "10.9.0.2/16", NULL};
	struct deck_device dev = netns_device(MEDIUM_TAP);

	(void)state;
	netns_open_fails(&dev, twice, -EEXIST, "SETIP 10.9.0.2: File exists");
	netns_fails("ip link show osa0 >/dev/null 2>&1");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_tcp_with_host),
	cmocka_unit_test(test_vlan),
	cmocka_unit_test(test_two_ports_on_a_bridge),
	cmocka_unit_test(test_isolated_ports_do_not_meet),
	cmocka_unit_test(test_routes),
	cmocka_unit_test(test_full_header),
	cmocka_unit_test(test_multicast_and_broadcast),
	cmocka_unit_test(test_conflict_is_told),
	cmocka_unit_test(test_setip_and_delip),
	cmocka_unit_test(test_same_address_twice),
};

NETNS_MAIN(tests)
