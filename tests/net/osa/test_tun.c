/* Packets between the host's kernel and a TUN or TAP port. */
#include "minitcp.h"
#include "netns.h"

#include "wire/checksum.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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

#define PORT 4711
#define BULK (8u << 20)

/* Byte `at` of the test stream. */
static uint8_t pattern(uint64_t at)
{
	return (uint8_t)(at * 131 + (at >> 11));
}

struct check {
	uint64_t at, wrong;
};

static void check_pattern(void *arg, const uint8_t *data, uint32_t len)
{
	struct check *c = arg;

	for (uint32_t i = 0; i < len; i++)
		c->wrong += data[i] != pattern(c->at++);
}

/* The kernel's end in a child: connects to PORT; sends or checks BULK
 * bytes. Exit status 0 when all was well. */
static _Noreturn void kernel_end(const char *host, bool send)
{
	struct ip_port to = {.port = PORT};
	struct sockaddr_storage ss;
	socklen_t len;
	struct check c = {0};
	uint8_t buf[65536];
	int fd;

	if (ip_parse(host, &to.addr) < 0)
		_exit(2);
	len = ip_port_to_sockaddr(&to, &ss);
	fd = socket(ss.ss_family, SOCK_STREAM, 0);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);
	if (connect(fd, (struct sockaddr *)&ss, len) < 0)
		_exit(3);
	while (c.at < BULK) {
		ssize_t n;

		for (size_t i = 0; send && i < sizeof(buf); i++)
			buf[i] = pattern(c.at + i);
		n = send ? write(fd, buf, sizeof(buf))
			 : read(fd, buf, sizeof(buf));
		if (n <= 0)
			_exit(4);
		if (send)
			c.at += (uint64_t)n;
		else
			check_pattern(&c, buf, (uint32_t)n);
	}
	_exit(c.wrong ? 5 : 0);
}

static pid_t start_kernel_end(const char *host, bool send)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)alarm(30);
		kernel_end(host, send);
	}
	return pid;
}

static void join(pid_t pid)
{
	int status = -1;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* The kernel sends BULK bytes; large frames arrive as such. */
static void bulk_in(struct deck_device dev, const char *host, bool gso)
{
	struct osa_port *p = open_port(dev);
	struct check c = {0};
	struct osa_info info;
	struct minitcp m;
	pid_t pid;

	minitcp_init(&m, p, &pool, host, PORT);
	m.sink = check_pattern;
	m.sink_arg = &c;
	pid = start_kernel_end(host, true);
	for (int i = 0; i < 100000 && m.rx_bytes < BULK && !m.got_rst; i++) {
		assert_true(minitcp_poll(&m, 1000) >= 0);
		minitcp_ack(&m);
	}
	assert_int_equal(c.at, BULK);
	assert_int_equal(c.wrong, 0);
	assert_int_equal(m.rx_bad_csum, 0);
	join(pid);
	osa_get_info(p, &info);
	if (gso) {
		assert_true(m.rx_gso_max >= 16);
		assert_true(info.rx_gso > 0);
	} else {
		assert_int_equal(m.rx_gso_max, 1);
		assert_int_equal(info.rx_gso, 0);
	}
	close_port(p);
}

/* The stack's side sends BULK bytes in frames of 64 KiB. */
static void bulk_out(struct deck_device dev, const char *host)
{
	struct osa_port *p = open_port(dev);
	uint8_t *data = malloc(BULK);
	struct osa_info info;
	struct minitcp m;
	pid_t pid;

	assert_non_null(data);
	for (uint32_t i = 0; i < BULK; i++)
		data[i] = pattern(i);
	minitcp_init(&m, p, &pool, host, PORT);
	pid = start_kernel_end(host, false);
	for (int i = 0; i < 100000 && m.tx_bytes < BULK && !m.got_rst; i++) {
		uint32_t left = BULK - (uint32_t)m.tx_bytes;

		if (!m.established ||
		    minitcp_send(&m, data + m.tx_bytes, left) == 0)
			assert_true(minitcp_poll(&m, 1000) >= 0);
		else
			assert_true(minitcp_drain(&m) >= 0);
	}
	assert_int_equal(m.tx_bytes, BULK);
	join(pid);
	osa_get_info(p, &info);
	assert_true(info.tx_gso >= BULK / OSA_GSO_MAX);
	assert_int_equal(info.tx_drops, 0);
	assert_true(info.tx_bytes > BULK);
	free(data);
	close_port(p);
}

static void test_tun_gso_in(void **state)
{
	(void)state;
	bulk_in(netns_device(MEDIUM_TUN), "10.9.0.2", true);
}

static void test_tun_gso_in_v6(void **state)
{
	(void)state;
	bulk_in(netns_device(MEDIUM_TUN), "fd09::2", true);
}

static void test_tun_gso_out(void **state)
{
	(void)state;
	bulk_out(netns_device(MEDIUM_TUN), "10.9.0.2");
}

static void test_tun_gso_out_v6(void **state)
{
	(void)state;
	bulk_out(netns_device(MEDIUM_TUN), "fd09::2");
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
	bulk_in(dev, "10.9.0.2", false);
	bulk_in(dev, "fd09::2", false);
	bulk_out(dev, "10.9.0.2");
	bulk_out(dev, "fd09::2");
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
	cmocka_unit_test(test_pool_exhausted),
	cmocka_unit_test(test_interface_deleted),
	cmocka_unit_test(test_max_and_more),
};

NETNS_MAIN(tests)
