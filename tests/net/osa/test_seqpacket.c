/* The SEQPACKET medium and inherited descriptors. */
#include "netns.h"

#include "osa/seg.h"
#include "wire/checksum.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define DIR "/tmp/couplet-osa"
static const char path[] = DIR "/wire";

static struct pkt_pool pool;

static int enter_dir(void **state)
{
	(void)state;
	netns_ok("mkdir -p " DIR " && mount -t tmpfs none " DIR);
	pkt_pool_init(&pool, 64u << 20);
	return 0;
}

static int leave_dir(void **state)
{
	(void)state;
	pkt_pool_fini(&pool);
	netns_ok("umount " DIR " && rmdir " DIR);
	return 0;
}

static struct deck_device device(bool listener, bool offload)
{
	struct deck_device dev = netns_device(MEDIUM_SEQPACKET);

	(void)snprintf(dev.path, sizeof(dev.path), "%s", path);
	dev.path_listen = listener;
	dev.offload = offload;
	return dev;
}

static bool carrier(const struct osa_port *p)
{
	struct osa_info i;

	osa_get_info(p, &i);
	return i.carrier;
}

/* Lets both ports work until both or neither have the other side. */
static void until_carrier(struct osa_port *a, struct osa_port *b, bool want)
{
	struct pollfd pfd[2] = {{.fd = -1, .events = POLLIN},
				{.fd = -1, .events = POLLIN}};
	struct pkt *k;
	bool more;

	(void)osa_fds(a, &pfd[0].fd, 1);
	if (b)
		(void)osa_fds(b, &pfd[1].fd, 1);
	for (int i = 0; i < 100; i++) {
		if (carrier(a) == want && (!b || carrier(b) == want))
			return;
		(void)poll(pfd, 2, 2000);
		assert_int_equal(osa_read(a, 0, &pool, 1, 64, &k, &more), 0);
		if (b)
			assert_int_equal(
				osa_read(b, 0, &pool, 1, 64, &k, &more), 0);
	}
	fail_msg("carrier did not become %d", want);
}

static struct frame packet(uint8_t first, const void *data, size_t len)
{
	struct frame f = {.hdr_len = 1,
			  .hdr = {first},
			  .n_iov = 1,
			  .payload_len = (uint32_t)len};

	f.iov[0].iov_base = (void *)(uintptr_t)data;
	f.iov[0].iov_len = len;
	return f;
}

static void pass_one(struct osa_port *from, struct osa_port *to, uint8_t mark)
{
	static uint8_t data[5000];
	struct frame f = packet(mark, data, sizeof(data));
	struct pkt *k;
	bool more;

	assert_int_equal(osa_write(from, &f), 0);
	assert_int_equal(osa_read(to, 0, &pool, 3, 64, &k, &more), 1);
	assert_int_equal(k->len, 5001);
	assert_int_equal(pkt_data(k)[0], mark);
	assert_int_equal(k->ifindex, 3);
	pkt_free(&pool, k);
}

static void test_joins_two_ports(void **state)
{
	struct deck_device l = device(true, false), c = device(false, false);
	struct osa_port *a = netns_open(&l, NULL), *b = netns_open(&c, NULL);
	struct osa_info i;

	(void)state;
	until_carrier(a, b, true);
	pass_one(a, b, 0x45);
	pass_one(b, a, 0x60);
	osa_get_info(a, &i);
	assert_string_equal(i.medium, "SEQPACKET");
	assert_string_equal(i.ifname, path);
	osa_close(a);
	osa_close(b);
	assert_int_equal(access(path, F_OK), -1);
}

/* Either side may come first, go and come again. */
static void test_comes_and_goes(void **state)
{
	struct deck_device l = device(true, true), c = device(false, true);
	struct frame f = packet(0x45, "x", 1);
	struct osa_port *a, *b = netns_open(&c, NULL);
	struct osa_info i;

	(void)state;
	assert_false(carrier(b));
	assert_int_equal(osa_write(b, &f), -ENETDOWN);
	osa_get_info(b, &i);
	assert_int_equal(i.tx_drops, 1);
	for (int turn = 0; turn < 3; turn++) {
		a = netns_open(&l, NULL);
		until_carrier(a, b, true);
		pass_one(b, a, 0x45);
		pass_one(a, b, 0x45);
		osa_close(a);
		until_carrier(b, NULL, false);
		assert_int_equal(osa_write(b, &f), -ENETDOWN);
	}
	a = netns_open(&l, NULL);
	until_carrier(a, b, true);
	osa_close(b);
	until_carrier(a, NULL, false);
	b = netns_open(&c, NULL);
	until_carrier(a, b, true);
	pass_one(a, b, 0x45);
	osa_close(b);
	osa_close(a);
}

/* A third party is turned away and disturbs nothing. */
static void test_one_neighbour_only(void **state)
{
	struct deck_device l = device(true, false), c = device(false, false);
	struct osa_port *a = netns_open(&l, NULL), *b = netns_open(&c, NULL);
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	char byte;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	struct pkt *k;
	bool more;

	(void)state;
	until_carrier(a, b, true);
	(void)snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(osa_read(a, 0, &pool, 1, 64, &k, &more), 0);
	assert_true(recv(fd, &byte, 1, 0) <= 0);
	(void)close(fd);
	pass_one(b, a, 0x45);
	osa_close(a);
	osa_close(b);
}

/* A TCP GSO frame of `len` bytes, 20 + 20 bytes of headers. */
static struct frame gso_frame(const uint8_t *data, uint32_t len)
{
	struct frame f = packet(0x45, data, len);
	struct ip_addr src = ip_v4(10, 0, 0, 1), dst = ip_v4(10, 0, 0, 2);
	uint16_t sum = csum_fold(csum_pseudo(&src, &dst, 6, 20 + len));

	f.hdr_len = 40;
	f.hdr[2] = (uint8_t)((40 + len) >> 8);
	f.hdr[3] = (uint8_t)(40 + len);
	f.hdr[9] = 6;
	memcpy(f.hdr + 12, src.b, 4);
	memcpy(f.hdr + 16, dst.b, 4);
	f.hdr[32] = 0x50;
	f.hdr[36] = (uint8_t)(sum >> 8);
	f.hdr[37] = (uint8_t)sum;
	f.csum_start = 20;
	f.csum_offset = 16;
	f.needs_csum = true;
	f.gso = FRAME_GSO_TCP4;
	f.gso_size = 1460;
	return f;
}

static uint8_t bulk[40 * 1460];

static void open_both(bool offload, struct osa_port **a, struct osa_port **b)
{
	struct deck_device l = device(true, offload);
	struct deck_device c = device(false, offload);

	for (size_t i = 0; i < sizeof(bulk); i++)
		bulk[i] = (uint8_t)(i * 31 + (i >> 8));
	*a = netns_open(&l, NULL);
	*b = netns_open(&c, NULL);
	until_carrier(*a, *b, true);
}

static void test_gso_cut_without_offload(void **state)
{
	struct frame f = gso_frame(bulk, sizeof(bulk));
	struct osa_port *a, *b;
	struct osa_caps caps;
	struct pkt *k, *i;
	uint32_t at = 0;
	bool more;

	(void)state;
	open_both(false, &a, &b);
	osa_get_caps(a, &caps);
	assert_int_equal(caps.gso_max, 0);
	assert_int_equal(osa_write(a, &f), 0);
	assert_int_equal(osa_read(b, 0, &pool, 1, 64, &k, &more), 40);
	assert_false(more);
	for (i = k; i; i = i->next, at += 1460) {
		const uint8_t *d = pkt_data(i);
		struct ip_addr src = ip_from_bytes(IP_V4, d + 12);
		struct ip_addr dst = ip_from_bytes(IP_V4, d + 16);
		uint64_t sum = csum_pseudo(&src, &dst, 6, 1480);

		assert_int_equal(i->len, 1500);
		assert_int_equal(i->csum, PKT_CSUM_UNKNOWN);
		assert_int_equal(i->gso_size, 0);
		assert_int_equal(csum_finish(csum_add(sum, d + 20, 1480)), 0);
		assert_memory_equal(d + 40, bulk + at, 1460);
	}
	assert_int_equal(at, sizeof(bulk));
	pkt_free_chain(&pool, k);
	osa_close(a);
	osa_close(b);
}

static void test_gso_whole_with_offload(void **state)
{
	struct frame f = gso_frame(bulk, sizeof(bulk));
	struct osa_port *a, *b;
	struct osa_caps caps;
	struct osa_info info;
	struct pkt *k;
	bool more;

	(void)state;
	open_both(true, &a, &b);
	osa_get_caps(a, &caps);
	assert_int_equal(caps.gso_max, OSA_GSO_MAX);
	assert_true(caps.tx_csum);
	assert_int_equal(osa_write(a, &f), 0);
	assert_int_equal(osa_read(b, 0, &pool, 1, 64, &k, &more), 1);
	assert_int_equal(k->len, 40 + sizeof(bulk));
	assert_int_equal(k->gso_size, 1460);
	assert_int_equal(k->gso_segs, 40);
	assert_int_equal(k->csum, PKT_CSUM_OK);
	assert_memory_equal(pkt_data(k) + 40, bulk, sizeof(bulk));
	pkt_free(&pool, k);
	osa_get_info(b, &info);
	assert_int_equal(info.rx_gso, 1);
	osa_close(a);
	osa_close(b);
}

/* Nobody reads: the wire drops, and says so. */
static void test_full_wire_drops(void **state)
{
	struct frame f = gso_frame(bulk, sizeof(bulk));
	struct osa_port *a, *b;
	struct osa_info info;
	struct pkt *k;
	bool more;
	int sent = 0, r = 0;

	(void)state;
	open_both(true, &a, &b);
	while (sent < 10000 && (r = osa_write(a, &f)) == 0)
		sent++;
	assert_int_equal(r, -EAGAIN);
	assert_true(sent > 4);
	osa_get_info(a, &info);
	assert_int_equal(info.tx_drops, 1);
	for (int n; sent > 0; sent -= n) {
		n = osa_read(b, 0, &pool, 1, 64, &k, &more);
		assert_true(n > 0);
		pkt_free_chain(&pool, k);
	}
	assert_int_equal(osa_write(a, &f), 0);
	osa_close(a);
	osa_close(b);
}

/* A raw neighbour that misbehaves: empty, oversized and truncated messages. */
static void test_rough_messages(void **state)
{
	static uint8_t big[80000] = {0x45};
	struct deck_device dev = netns_device(MEDIUM_FD);
	struct osa_port *p;
	struct osa_info info;
	struct pkt *k;
	bool more;
	int sv[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	dev.fd = sv[0];
	dev.offload = true;
	p = netns_open(&dev, NULL);
	assert_int_equal(send(sv[1], big, 0, 0), 0);
	assert_int_equal(send(sv[1], big, 5, 0), 5);
	assert_int_equal(send(sv[1], big, sizeof(big), 0), sizeof(big));
	assert_int_equal(send(sv[1], big, 10, 0), 10);
	assert_int_equal(send(sv[1], big, 11, 0), 11);
	assert_int_equal(osa_read(p, 0, &pool, 1, 64, &k, &more), 1);
	assert_int_equal(k->len, 1);
	assert_null(k->next);
	pkt_free(&pool, k);
	osa_get_info(p, &info);
	assert_int_equal(info.rx_drops, 4);
	assert_int_equal(info.rx_frames, 1);
	/* an inherited connection that ends is dead for good */
	(void)close(sv[1]);
	assert_int_equal(osa_read(p, 0, &pool, 1, 64, &k, &more), -ENOTCONN);
	assert_int_equal(osa_read(p, 0, &pool, 1, 64, &k, &more), -ENOTCONN);
	osa_close(p);
}

static void test_path_errors(void **state)
{
	struct deck_device l = device(true, false), c = device(false, false);
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct osa_port *p;
	int fd;

	(void)state;
	(void)snprintf(l.path, sizeof(l.path), "%s", DIR "/no/such");
	netns_open_fails(&l, NULL, -ENOENT,
			 "listening at " DIR "/no/such: no such folder");
	l.path[0] = 0;
	netns_open_fails(&l, NULL, -EINVAL, "needs the path");
	(void)snprintf(l.path, sizeof(l.path), "%s", path);
	netns_ok("touch " DIR "/wire");
	netns_open_fails(&l, NULL, -EEXIST, "a file that is not a socket");
	netns_open_fails(&c, NULL, -EEXIST, "a file that is not a socket");
	netns_ok("test -f " DIR "/wire && rm " DIR "/wire");
	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 1), 0);
	netns_open_fails(&c, NULL, -EPROTOTYPE, "not of type SOCK_SEQPACKET");
	netns_open_fails(&l, NULL, -EADDRINUSE, "another process listens");
	(void)close(fd); /* left over now: replaced */
	p = netns_open(&l, NULL);
	netns_open_fails(&l, NULL, -EADDRINUSE, "another process listens");
	osa_close(p);
	assert_int_equal(access(path, F_OK), -1);
}

static void test_socket_follows_its_folder(void **state)
{
	struct deck_device l = device(true, false);
	struct osa_port *p;
	struct stat st;

	(void)state;
	assert_int_equal(chown(DIR, 65534, 65533), 0);
	p = netns_open(&l, NULL);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 65534);
	assert_int_equal(st.st_gid, 65533);
	assert_int_equal(st.st_mode & 0777, 0660);
	osa_close(p);
}

static void test_inherited_listener(void **state)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct deck_device dev = netns_device(MEDIUM_FD);
	struct deck_device c = device(false, false);
	struct osa_port *a, *b;

	(void)state;
	dev.fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	dev.offload = false;
	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	assert_int_equal(bind(dev.fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(dev.fd, 1), 0);
	a = netns_open(&dev, NULL);
	b = netns_open(&c, NULL);
	until_carrier(a, b, true);
	pass_one(a, b, 0x45);
	osa_close(a);
	osa_close(b);
	/* not ours to remove */
	assert_int_equal(access(path, F_OK), 0);
}

static int make_tun(short flags)
{
	struct ifreq ifr = {.ifr_flags = flags, .ifr_name = "given0"};
	int fd = open("/dev/net/tun", O_RDWR);

	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, TUNSETIFF, &ifr), 0);
	return fd;
}

static void test_inherited_tun(void **state)
{
	static const char *const ours[] = {"10.9.0.2/24", NULL};
	struct deck_device dev = netns_device(MEDIUM_FD);
	struct osa_port *p;
	struct osa_info info;

	(void)state;
	dev.fd = make_tun(IFF_TUN | IFF_NO_PI | IFF_VNET_HDR);
	netns_host_addr(&dev, "10.9.0.1/24");
	p = netns_open(&dev, ours);
	osa_get_info(p, &info);
	assert_string_equal(info.medium, "TUN");
	assert_string_equal(info.ifname, "given0");
	assert_true(info.offload);
	netns_ok("ip addr show given0 | grep -q 10.9.0.1/24");
	osa_close(p);
	/* not asked for anything: left as it is */
	dev = netns_device(MEDIUM_FD);
	dev.fd = make_tun(IFF_TUN | IFF_NO_PI);
	p = netns_open(&dev, ours);
	osa_get_info(p, &info);
	assert_false(info.offload);
	netns_ok("ip link show given0 | grep -q 'state DOWN.*qlen 500'");
	osa_close(p);
	dev.fd = make_tun(IFF_TUN);
	netns_open_fails(&dev, NULL, -EINVAL, "without IFF_NO_PI");
	(void)close(dev.fd);
}

static void test_descriptor_errors(void **state)
{
	struct deck_device dev = netns_device(MEDIUM_FD);
	int fds[2];

	(void)state;
	dev.fd = 1;
	netns_open_fails(&dev, NULL, -EBADF, "inherited ones begin at 3");
	dev.fd = 999;
	netns_open_fails(&dev, NULL, -EBADF, "999 was not inherited");
	assert_int_equal(pipe(fds), 0);
	dev.fd = fds[0];
	netns_open_fails(&dev, NULL, -EINVAL, "is neither a TUN");
	(void)close(fds[0]);
	(void)close(fds[1]);
	dev.fd = open("/dev/net/tun", O_RDWR);
	netns_open_fails(&dev, NULL, -EINVAL, "is neither a TUN");
	(void)close(dev.fd);
	dev.fd = socket(AF_UNIX, SOCK_STREAM, 0);
	netns_open_fails(&dev, NULL, -EINVAL, "is neither a TUN");
	(void)close(dev.fd);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_joins_two_ports, enter_dir,
					leave_dir),
	cmocka_unit_test_setup_teardown(test_comes_and_goes, enter_dir,
					leave_dir),
	cmocka_unit_test_setup_teardown(test_one_neighbour_only, enter_dir,
					leave_dir),
	cmocka_unit_test_setup_teardown(test_gso_cut_without_offload, enter_dir,
					leave_dir),
	cmocka_unit_test_setup_teardown(test_gso_whole_with_offload, enter_dir,
					leave_dir),
	cmocka_unit_test_setup_teardown(test_full_wire_drops, enter_dir,
					leave_dir),
	cmocka_unit_test_setup_teardown(test_rough_messages, enter_dir,
					leave_dir),
	cmocka_unit_test_setup_teardown(test_path_errors, enter_dir, leave_dir),
	cmocka_unit_test_setup_teardown(test_socket_follows_its_folder,
					enter_dir, leave_dir),
	cmocka_unit_test_setup_teardown(test_inherited_listener, enter_dir,
					leave_dir),
	cmocka_unit_test_setup_teardown(test_inherited_tun, enter_dir,
					leave_dir),
	cmocka_unit_test_setup_teardown(test_descriptor_errors, enter_dir,
					leave_dir),
};

NETNS_MAIN(tests)
