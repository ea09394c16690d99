/* Packets between the host's kernel and a TUN or TAP port. */
#include "bulk.h"
#include "netns.h"

#include "wire/checksum.h"
#include "wire/ipv4.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const ours[] = {"10.9.0.2/24", "fd09::2/64", NULL};

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

static bool is_v4_echo(struct pkt *k)
{
	const uint8_t *d = pkt_data(k);

	return k->len >= 28 && d[0] == 0x45 && d[9] == 1 && d[20] == 8;
}

static bool is_v6_echo(struct pkt *k)
{
	const uint8_t *d = pkt_data(k);

	return k->len >= 48 && d[0] >> 4 == 6 && d[6] == 58 && d[40] == 128;
}

static void test_tun_ping_arrives(void **state)
{
	struct osa_port *p = open_port(netns_device(MEDIUM_TUN));
	struct osa_info info;
	struct pkt *k;

	(void)state;
	netns_ok("ping -c 1 -W 0.01 10.9.0.2 >/dev/null 2>&1; test $? = 1");
	k = netns_wait(p, &pool, is_v4_echo);
	assert_non_null(k);
	assert_int_equal(k->ifindex, 7);
	assert_int_equal(k->off, PKT_HEADROOM);
	assert_int_equal(k->len, 84);
	assert_int_equal(k->cap, PKT_SMALL_CAP);
	assert_int_equal(k->gso_segs, 1);
	assert_memory_equal(pkt_data(k) + 16, "\x0a\x09\x00\x02", 4);
	pkt_free(&pool, k);
	netns_ok("ping -c 1 -W 0.01 fd09::2 >/dev/null 2>&1; test $? = 1");
	k = netns_wait(p, &pool, is_v6_echo);
	assert_non_null(k);
	pkt_free(&pool, k);
	osa_get_info(p, &info);
	assert_true(info.rx_frames >= 2);
	assert_int_equal(info.rx_drops, 0);
	assert_string_equal(info.medium, "TUN");
	assert_string_equal(info.ifname, "osa0");
	close_port(p);
}

/* An echo request is turned round by the stack's side; ping is content. */
static void test_tun_ping_is_answered(void **state)
{
	struct osa_port *p = open_port(netns_device(MEDIUM_TUN));
	struct frame f = {.hdr_len = 84};
	struct pkt *k;
	int status = -1;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(netns_run("ping -c 1 -W 5 10.9.0.2 >/dev/null") ? 1 : 0);
	k = netns_wait(p, &pool, is_v4_echo);
	assert_non_null(k);
	assert_int_equal(k->len, 84);
	memcpy(f.hdr, pkt_data(k), 84);
	memcpy(f.hdr + 12, pkt_data(k) + 16, 4);
	memcpy(f.hdr + 16, pkt_data(k) + 12, 4);
	f.hdr[20] = 0;
	f.hdr[22] = f.hdr[23] = 0;
	{
		uint16_t sum = csum_finish(csum_add(0, f.hdr + 20, 64));

		f.hdr[22] = (uint8_t)(sum >> 8);
		f.hdr[23] = (uint8_t)sum;
	}
	assert_int_equal(osa_write(p, &f), 0);
	pkt_free(&pool, k);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close_port(p);
}

static void in(struct deck_device dev, const char *host, bool gso)
{
	struct osa_port *p = open_port(dev);

	bulk_in(p, &pool, host, false, gso);
	close_port(p);
}

static void out(struct deck_device dev, const char *host)
{
	struct osa_port *p = open_port(dev);

	bulk_out(p, &pool, host, false);
	close_port(p);
}

static void test_tun_gso_in(void **state)
{
	(void)state;
	in(netns_device(MEDIUM_TUN), "10.9.0.2", true);
}

static void test_tun_gso_in_v6(void **state)
{
	(void)state;
	in(netns_device(MEDIUM_TUN), "fd09::2", true);
}

static void test_tun_gso_out(void **state)
{
	(void)state;
	out(netns_device(MEDIUM_TUN), "10.9.0.2");
}

static void test_tun_gso_out_v6(void **state)
{
	(void)state;
	out(netns_device(MEDIUM_TUN), "fd09::2");
}

/* Without offload the kernel gets plain segments with whole checksums, which
 * it verifies, and sends such. */
static void test_tun_plain_both_ways(void **state)
{
	struct deck_device dev = netns_device(MEDIUM_TUN);
	struct osa_caps caps;
	struct osa_port *p;

	(void)state;
	dev.offload = false;
	p = open_port(dev);
	osa_get_caps(p, &caps);
	assert_int_equal(caps.gso_max, 0);
	assert_false(caps.tx_csum);
	close_port(p);
	in(dev, "10.9.0.2", false);
	in(dev, "fd09::2", false);
	out(dev, "10.9.0.2");
	out(dev, "fd09::2");
}

/* Layer 2: Ethernet frames pass untouched; the kernel is told our MAC. */
static void test_tap_layer2(void **state)
{
	static const uint8_t mac[6] = {2, 0, 0, 0x0d, 0, 1};
	struct deck_device dev = netns_device(MEDIUM_TAP);
	struct osa_caps caps;
	struct osa_info info;
	struct osa_port *p;

	(void)state;
	dev.layer2 = true;
	memcpy(dev.mac, mac, 6);
	p = open_port(dev);
	osa_get_caps(p, &caps);
	osa_get_info(p, &info);
	assert_true(caps.l2);
	assert_string_equal(info.medium, "TAP");
	assert_memory_equal(info.mac, mac, 6);
	netns_ok("ip neigh add 10.9.0.2 lladdr 02:00:00:0d:00:01 dev osa0 && "
		 "ip neigh add fd09::2 lladdr 02:00:00:0d:00:01 dev osa0");
	bulk_in(p, &pool, "10.9.0.2", true, true);
	bulk_in(p, &pool, "fd09::2", true, true);
	bulk_out(p, &pool, "10.9.0.2", true);
	bulk_out(p, &pool, "fd09::2", true);
	close_port(p);
}

static bool is_arp(struct pkt *k)
{
	return memcmp(pkt_data(k) + 12, "\x08\x06", 2) == 0;
}

static void test_tap_layer2_sees_arp(void **state)
{
	struct deck_device dev = netns_device(MEDIUM_TAP);
	struct osa_port *p;
	struct pkt *k;

	(void)state;
	dev.layer2 = true;
	p = open_port(dev);
	netns_ok("ping -c 1 -W 0.01 10.9.0.2 >/dev/null 2>&1; test $? = 1");
	k = netns_wait(p, &pool, is_arp);
	assert_non_null(k);
	assert_true(k->l2_multicast);
	pkt_free(&pool, k);
	close_port(p);
}

#define UDP_PORT 7001
#define UDP_PART 1000u
#define UDP_TOTAL 9500u

static bool is_udp(struct pkt *k)
{
	const uint8_t *d = pkt_data(k);

	return k->len > 28 && d[0] == 0x45 && d[9] == 17;
}

/* UDP_SEGMENT of the host: whole with offload, in parts without. */
static void udp_in(bool offload)
{
	struct deck_device dev = netns_device(MEDIUM_TUN);
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(UDP_PORT),
				 .sin_addr.s_addr = htonl(0x0a090002)};
	static uint8_t data[UDP_TOTAL];
	int part = UDP_PART, fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct osa_port *p;
	struct pkt *k;

	dev.offload = offload;
	p = open_port(dev);
	assert_int_equal(
		setsockopt(fd, SOL_UDP, UDP_SEGMENT, &part, sizeof(part)), 0);
	assert_int_equal(sendto(fd, data, sizeof(data), 0,
				(struct sockaddr *)&to, sizeof(to)),
			 UDP_TOTAL);
	k = netns_wait(p, &pool, is_udp);
	assert_non_null(k);
	if (offload && k->gso_size) {
		assert_int_equal(k->gso_size, UDP_PART);
		assert_int_equal(k->gso_segs, 10);
		assert_int_equal(k->len, 28 + UDP_TOTAL);
	} else { /* before Linux 6.2 the kernel cuts it in any case */
		assert_int_equal(k->gso_size, 0);
		assert_int_equal(k->len, 28 + UDP_PART);
	}
	pkt_free(&pool, k);
	(void)close(fd);
	close_port(p);
}

static void test_udp_gso_in(void **state)
{
	(void)state;
	udp_in(true);
	udp_in(false);
}

/* A GSO frame of UDP reaches the host's socket as its datagrams. */
static void udp_out(bool offload)
{
	struct deck_device dev = netns_device(MEDIUM_TUN);
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons(UDP_PORT),
				 .sin_addr.s_addr = htonl(0x0a090001)};
	static uint8_t data[UDP_TOTAL], part[2048];
	struct ip_addr src = ip_v4(10, 9, 0, 2), dst = ip_v4(10, 9, 0, 1);
	struct ipv4_header ip = {.ttl = 64,
				 .proto = 17,
				 .total_len = 28 + UDP_TOTAL,
				 .src = src,
				 .dst = dst};
	struct frame f = {.hdr_len = 28,
			  .payload_len = UDP_TOTAL,
			  .gso = FRAME_GSO_UDP,
			  .gso_size = UDP_PART,
			  .needs_csum = true,
			  .csum_start = 20,
			  .csum_offset = 6,
			  .n_iov = 1};
	const uint16_t words[4] = {
		UDP_PORT, UDP_PORT, 8 + UDP_TOTAL,
		csum_fold(csum_pseudo(&src, &dst, 17, 8 + UDP_TOTAL))};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct osa_port *p;

	dev.offload = offload;
	p = open_port(dev);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	ipv4_emit(&ip, f.hdr);
	for (int i = 0; i < 4; i++) {
		f.hdr[20 + 2 * i] = (uint8_t)(words[i] >> 8);
		f.hdr[21 + 2 * i] = (uint8_t)words[i];
	}
	for (uint32_t i = 0; i < UDP_TOTAL; i++)
		data[i] = (uint8_t)(i * 13 + (i >> 8));
	f.iov[0] = (struct iovec){data, UDP_TOTAL};
	assert_int_equal(osa_write(p, &f), 0);
	for (uint32_t got = 0; got < UDP_TOTAL;) {
		struct pollfd pfd = {fd, POLLIN, 0};
		uint32_t want = MIN(UDP_PART, UDP_TOTAL - got);

		assert_int_equal(poll(&pfd, 1, 5000), 1);
		assert_int_equal(recv(fd, part, sizeof(part), 0), want);
		assert_memory_equal(part, data + got, want);
		got += want;
	}
	(void)close(fd);
	close_port(p);
}

static void test_udp_gso_out(void **state)
{
	(void)state;
	udp_out(true);
	udp_out(false);
}

static bool any(struct pkt *k)
{
	(void)k;
	return true;
}

/* An exhausted pool loses large packets and counts them; the queue is
 * drained all the same. */
static void test_pool_exhausted(void **state)
{
	struct osa_port *p = open_port(netns_device(MEDIUM_TUN));
	struct osa_info info;
	struct pkt *k;
	bool more;

	(void)state;
	pool.limit_bytes = 1000;
	netns_ok("ping -c 3 -i 0.002 -W 0.01 10.9.0.2 >/dev/null 2>&1; "
		 "test $? = 1");
	assert_int_equal(osa_read(p, 0, &pool, 1, 64, &k, &more), 0);
	assert_false(more);
	osa_get_info(p, &info);
	assert_true(info.rx_drops >= 3);
	/* room for a small one only */
	pool.limit_bytes = 4096;
	netns_ok("ping -c 1 -W 0.01 10.9.0.2 >/dev/null 2>&1; test $? = 1");
	k = netns_wait(p, &pool, any);
	assert_non_null(k);
	pkt_free(&pool, k);
	close_port(p);
}

static void test_interface_deleted(void **state)
{
	struct osa_port *p = open_port(netns_device(MEDIUM_TUN));
	struct frame f = {.hdr_len = 20, .hdr = {0x45}};
	struct pkt *k;
	bool more;
	int r = 0;

	(void)state;
	netns_ok("ip link set osa0 down");
	assert_int_equal(osa_write(p, &f), -ENETDOWN);
	netns_ok("ip link del osa0");
	for (int i = 0; i < 100 && r >= 0; i++)
		r = osa_read(p, 0, &pool, 1, 64, &k, &more);
	assert_int_equal(r, -EBADFD);
	assert_int_equal(osa_write(p, &f), -EBADFD);
	close_port(p);
}

/* A flood is handed over in bites of `max`. */
static void test_max_and_more(void **state)
{
	struct osa_port *p = open_port(netns_device(MEDIUM_TUN));
	struct pkt *k;
	bool more;

	(void)state;
	while (osa_read(p, 0, &pool, 1, 64, &k, &more) > 0)
		pkt_free_chain(&pool, k);
	netns_ok("ping -c 8 -i 0.002 -W 0.01 10.9.0.2 >/dev/null 2>&1; "
		 "test $? = 1");
	assert_int_equal(osa_read(p, 0, &pool, 1, 3, &k, &more), 3);
	assert_true(more);
	assert_non_null(k->next->next);
	assert_null(k->next->next->next);
	pkt_free_chain(&pool, k);
	close_port(p);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_tun_ping_arrives),
	cmocka_unit_test(test_tun_ping_is_answered),
	cmocka_unit_test(test_tun_gso_in),
	cmocka_unit_test(test_tun_gso_in_v6),
	cmocka_unit_test(test_tun_gso_out),
	cmocka_unit_test(test_tun_gso_out_v6),
	cmocka_unit_test(test_tun_plain_both_ways),
	cmocka_unit_test(test_udp_gso_in),
	cmocka_unit_test(test_udp_gso_out),
	cmocka_unit_test(test_tap_layer2),
	cmocka_unit_test(test_tap_layer2_sees_arp),
	cmocka_unit_test(test_pool_exhausted),
	cmocka_unit_test(test_interface_deleted),
	cmocka_unit_test(test_max_and_more),
};

NETNS_MAIN(tests)
