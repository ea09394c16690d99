/* Traces of a live port: read by tcpdump, cut by disks that are full. */
#include "minitcp.h"
#include "netns.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const ours[] = {"10.9.0.2/24", "fd09::2/64", NULL};

static struct pkt_pool pool;

/* A directory of this mount namespace alone. */
static const char file[] = "/tmp/couplet-trace/t.pcapng";

static struct osa_port *setup(enum deck_medium medium, const char *ifname,
			      const char *host)
{
	struct deck_device dev = netns_device(medium);

	(void)snprintf(dev.ifname, sizeof(dev.ifname), "%s", ifname);
	if (host)
		netns_host_addr(&dev, host);
	dev.layer2 = medium == MEDIUM_TAP;
	return netns_open(&dev, host ? ours : NULL);
}

static void mount_dir(const char *options)
{
	char cmd[200];

	pkt_pool_init(&pool, 64u << 20);
	(void)snprintf(cmd, sizeof(cmd),
		       "mkdir -p /tmp/couplet-trace && "
		       "mount -t tmpfs -o %s none /tmp/couplet-trace",
		       options);
	netns_ok(cmd);
}

static void unmount_dir(void)
{
	pkt_pool_fini(&pool);
	netns_ok("umount /tmp/couplet-trace && rmdir /tmp/couplet-trace");
}

static int create(void)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

/* An ICMP echo request from the stack's side. */
static void send_ping(struct osa_port *p)
{
	static const uint8_t echo[] = {
		0x45, 0, 0,  28, 0, 1, 0, 0, 64,   1,    0x66, 0xcc, 10, 9,
		0,    2, 10, 9,  0, 1, 8, 0, 0xf7, 0xff, 0,    0,    0,  0};
	struct frame f = {.hdr_len = sizeof(echo)};

	memcpy(f.hdr, echo, sizeof(echo));
	assert_int_equal(osa_write(p, &f), 0);
}

static void drain(struct osa_port *p)
{
	struct pkt *k;
	bool more = true;

	while (more && osa_read(p, 0, &pool, 1, 64, &k, &more) >= 0)
		pkt_free_chain(&pool, k);
}

static bool is_reply(struct pkt *k)
{
	const uint8_t *d = pkt_data(k);

	return k->len >= 28 && d[0] == 0x45 && d[9] == 1 && d[20] == 0;
}

/* And the kernel's answer. */
static void ping(struct osa_port *p)
{
	struct pkt *k;

	send_ping(p);
	k = netns_wait(p, &pool, is_reply);
	assert_non_null(k);
	pkt_free(&pool, k);
}

static void test_tcpdump_reads_it(void **state)
{
	struct osa_port *p;
	struct osa_trace *t;
	uint64_t packets, dropped, bytes;
	struct stat st;
	int error;

	(void)state;
	mount_dir("size=1m");
	p = setup(MEDIUM_TUN, "osa0", "10.9.0.1/24");
	drain(p);
	assert_int_equal(osa_trace_start(create(), &p, 1, NULL, &t), 0);
	ping(p);
	osa_trace_flush(t);
	/* readable while it grows */
	netns_ok("tcpdump -nr /tmp/couplet-trace/t.pcapng 2>/dev/null | "
		 "grep -q '10.9.0.2 > 10.9.0.1: ICMP echo request'");
	netns_ok("tcpdump -nr /tmp/couplet-trace/t.pcapng 2>/dev/null | "
		 "grep -q '10.9.0.1 > 10.9.0.2: ICMP echo reply'");
	ping(p);
	osa_trace_stats(t, &packets, &bytes, &dropped);
	osa_trace_stop(t, &packets, &dropped, &error);
	assert_true(packets >= 4);
	assert_int_equal(dropped, 0);
	assert_int_equal(error, 0);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_size, bytes);
	netns_ok("test $(tcpdump -nr /tmp/couplet-trace/t.pcapng icmp "
		 "2>/dev/null | wc -l) = 4");
	osa_close(p);
	unmount_dir();
}

static void test_filter_and_snaplen(void **state)
{
	struct osa_trace_filter f = {.proto = 17, .snaplen = 24};
	struct osa_port *p;
	struct osa_trace *t, *t2;
	uint64_t packets, dropped;
	int error, fd;

	(void)state;
	mount_dir("size=1m");
	p = setup(MEDIUM_TUN, "osa0", "10.9.0.1/24");
	assert_int_equal(osa_trace_start(create(), &p, 1, &f, &t), 0);
	fd = create();
	assert_int_equal(osa_trace_start(fd, &p, 1, NULL, &t2), -EBUSY);
	(void)close(fd);
	send_ping(p);
	drain(p);
	netns_ok("bash -c 'echo hello world > /dev/udp/10.9.0.2/7'");
	drain(p);
	osa_trace_stop(t, &packets, &dropped, &error);
	assert_int_equal(packets, 1);
	osa_close(p);
	unmount_dir();
}

/* Ports of both kinds in one file: tcpdump wants one link type. */
static void test_mixed_ports(void **state)
{
	struct osa_port *p[2];
	struct osa_trace *t;
	uint64_t packets, dropped;
	int error;

	(void)state;
	mount_dir("size=1m");
	p[0] = setup(MEDIUM_TUN, "osa0", "10.9.0.1/24");
	p[1] = setup(MEDIUM_TAP, "osa1", NULL);
	drain(p[0]);
	drain(p[1]);
	assert_int_equal(osa_trace_start(create(), p, 2, NULL, &t), 0);
	ping(p[0]);
	netns_ok("ip addr add 10.8.0.1/24 dev osa1; "
		 "ping -c 1 -W 0.1 10.8.0.2 >/dev/null; test $? = 1");
	drain(p[1]);
	osa_close(p[1]); /* while traced */
	osa_trace_stop(t, &packets, &dropped, &error);
	netns_ok("tcpdump -nr /tmp/couplet-trace/t.pcapng 2>/dev/null | "
		 "grep -q 'ICMP echo reply'");
	netns_ok("tcpdump -nr /tmp/couplet-trace/t.pcapng 2>/dev/null | "
		 "grep -q 'ARP, Request who-has 10.8.0.2'");
	osa_close(p[0]);
	unmount_dir();
}

/* Floods the trace until it ends by itself; the port lives on, and what is
 * in the file is whole. */
static void until_it_ends(struct osa_port *p, struct osa_trace *t, int want)
{
	uint64_t packets, bytes, dropped;
	struct stat st;
	char cmd[200];
	int error;

	for (int i = 0; i < 20000 && !osa_trace_error(t); i++) {
		send_ping(p);
		if (i % 32 == 31)
			drain(p);
	}
	assert_int_equal(osa_trace_error(t), want);
	osa_trace_stats(t, &packets, &bytes, &dropped);
	send_ping(p);
	drain(p);
	osa_trace_stop(t, &packets, &dropped, &error);
	assert_int_equal(error, want);
	assert_true(packets > 100);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_size, bytes);
	(void)snprintf(cmd, sizeof(cmd),
		       "tcpdump -nr %s >/dev/null 2>&1 && "
		       "test $(tcpdump -nr %s 2>/dev/null | wc -l) = %llu",
		       file, file, (unsigned long long)packets);
	netns_ok(cmd);
}

static void test_disk_full(void **state)
{
	struct osa_port *p;
	struct osa_trace *t;

	(void)state;
	mount_dir("size=300k");
	p = setup(MEDIUM_TUN, "osa0", "10.9.0.1/24");
	assert_int_equal(osa_trace_start(create(), &p, 1, NULL, &t), 0);
	until_it_ends(p, t, -ENOSPC);
	osa_close(p);
	unmount_dir();
}

static void test_size_limits(void **state)
{
	struct osa_trace_filter f = {.max_bytes = 20000};
	struct rlimit old, small = {150001, RLIM_INFINITY};
	struct osa_port *p;
	struct osa_trace *t;

	(void)state;
	mount_dir("size=1m");
	p = setup(MEDIUM_TUN, "osa0", "10.9.0.1/24");
	assert_int_equal(osa_trace_start(create(), &p, 1, &f, &t), 0);
	until_it_ends(p, t, -EFBIG);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(osa_trace_start(create(), &p, 1, NULL, &t), 0);
	until_it_ends(p, t, -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	osa_close(p);
	unmount_dir();
}

/* Frames of 64 KiB appear whole, and the checksums that the kernel left to
 * the adapter do not disturb. */
static void test_gso_frames_whole(void **state)
{
	static uint8_t data[60000];
	struct osa_port *p;
	struct osa_trace *t;
	struct minitcp m;
	uint64_t packets, dropped;
	int error;

	(void)state;
	mount_dir("size=8m");
	p = setup(MEDIUM_TUN, "osa0", "10.9.0.1/24");
	minitcp_init(&m, p, &pool, "10.9.0.2", 4711);
	m.peer = ip_v4(10, 9, 0, 1);
	m.snd_wnd = 1u << 30;
	assert_int_equal(osa_trace_start(create(), &p, 1, NULL, &t), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(minitcp_send(&m, data, sizeof(data)),
				 sizeof(data));
	osa_trace_stop(t, &packets, &dropped, &error);
	assert_int_equal(error, 0);
	netns_ok("test $(tcpdump -nr /tmp/couplet-trace/t.pcapng "
		 "'src host 10.9.0.2' 2>/dev/null | grep -c 'length 60000') "
		 "= 20");
	osa_close(p);
	unmount_dir();
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_tcpdump_reads_it),
	cmocka_unit_test(test_filter_and_snaplen),
	cmocka_unit_test(test_mixed_ports),
	cmocka_unit_test(test_disk_full),
	cmocka_unit_test(test_size_limits),
	cmocka_unit_test(test_gso_frames_whole),
};

NETNS_MAIN(tests)
