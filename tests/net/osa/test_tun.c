/* Packets between the host's kernel and a TUN or TAP port. */
#include "netns.h"

#include "wire/checksum.h"

#include <arpa/inet.h>
#include <netinet/in.h>
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

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_tun_ping_arrives),
	cmocka_unit_test(test_tun_ping_is_answered),
};

NETNS_MAIN(tests)
