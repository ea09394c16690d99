/* Host set-up: what the deck asks for appears at open and vanishes at close,
 * and a failed open leaves nothing. */
#include "netns.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const ours[] = {"10.9.0.2/24", "fd09::2/64", NULL};

/* As the host was before: only lo, no address or route of ours. */
static void assert_clean(void)
{
	netns_fails("ip link show osa0 >/dev/null 2>&1");
	netns_fails("ip addr | grep -q -e 10.9.0 -e fd09");
	netns_fails("ip route | grep -q 10.9.0");
	netns_fails("ip -6 route | grep -q fd09");
}

static void test_tun_set_up_and_gone(void **state)
{
	struct deck_device dev = netns_device(MEDIUM_TUN);
	struct osa_port *p;

	(void)state;
	netns_host_addr(&dev, "10.9.0.1/24");
	netns_host_addr(&dev, "fd09::1/64");
	dev.host_routes = true;
	p = netns_open(&dev, ours);
	netns_ok("ip link show osa0 | grep -q 'mtu 1500 .*qlen 4000'");
	netns_ok("ip link show osa0 up | grep -q LOWER_UP");
	netns_ok("ip addr show osa0 | grep -q 'inet 10.9.0.1/24'");
	netns_ok("ip addr show osa0 | grep -q 'inet6 fd09::1/64'");
	netns_fails("ip addr show osa0 | grep -q tentative");
	netns_ok("ip -6 route show table local | grep -q 'fd09::1 dev osa0'");
	netns_ok("ip route show 10.9.0.2 | grep -q 'dev osa0.*scope link'");
	netns_ok("ip -6 route show fd09::2 | grep -q 'dev osa0'");
	osa_close(p);
	assert_clean();
}

static void test_queues(void **state)
{
	struct deck_device dev = netns_device(MEDIUM_TUN);
	struct osa_port *p;
	int fds[4];

	(void)state;
	dev.queues = 3;
	p = netns_open(&dev, NULL);
	assert_int_equal(osa_fds(p, fds, 4), 3);
	assert_int_equal(osa_fds(p, fds, 2), 2);
	netns_ok("ip -d link show osa0 | grep -q multi_queue");
	osa_close(p);
	dev.queues = 17;
	netns_open_fails(&dev, NULL, -EINVAL, "17 queues");
	assert_clean();
}

static void test_name_taken_by_other_kind(void **state)
{
	struct deck_device dev = netns_device(MEDIUM_TUN);

	(void)state;
	netns_ok("ip link add osa0 type bridge");
	netns_open_fails(&dev, ours, -EEXIST,
			 "host interface name osa0 is taken");
	netns_ok("ip link del osa0");
	netns_ok("ip tuntap add osa0 mode tap");
	netns_open_fails(&dev, ours, -EEXIST, "is not a TUN");
	netns_ok("ip link del osa0");
}

static void test_name_in_use(void **state)
{
	struct deck_device dev = netns_device(MEDIUM_TUN);
	struct osa_port *p = netns_open(&dev, NULL);

	(void)state;
	netns_open_fails(&dev, ours, -EBUSY, "in use by another process");
	osa_close(p);
	assert_clean();
}

static void test_host_address_taken(void **state)
{
	struct deck_device dev = netns_device(MEDIUM_TUN);

	(void)state;
	netns_ok("ip addr add 10.9.0.1/32 dev lo");
	netns_host_addr(&dev, "10.9.0.1/24");
	netns_open_fails(&dev, ours, -EADDRINUSE,
			 "host address 10.9.0.1 is taken: host interface lo");
	netns_fails("ip link show osa0 >/dev/null 2>&1");
	netns_ok("ip addr del 10.9.0.1/32 dev lo");
	netns_ok("ip addr add fd09::2/128 dev lo");
	netns_open_fails(&dev, ours, -EADDRINUSE,
			 "address fd09::2 is taken: host interface lo");
	netns_ok("ip addr del fd09::2/128 dev lo");
	assert_clean();
}

static void test_route_taken(void **state)
{
	struct deck_device dev = netns_device(MEDIUM_TUN);

	(void)state;
	netns_ok("ip route add 10.9.0.2/32 dev lo");
	dev.host_routes = true;
	netns_open_fails(&dev, ours, -EEXIST,
			 "route to 10.9.0.2/32: the host has one already");
	netns_fails("ip link show osa0 >/dev/null 2>&1");
	netns_ok("ip route del 10.9.0.2/32 dev lo");
	assert_clean();
}

static void test_bridge(void **state)
{
	struct deck_device dev = netns_device(MEDIUM_TAP);
	struct osa_port *p;

	(void)state;
	dev.layer2 = true;
	(void)snprintf(dev.bridge, sizeof(dev.bridge), "%s", "br0");
	netns_open_fails(&dev, ours, -ENODEV, "host bridge br0: no such");
	netns_ok("ip tuntap add br0 mode tap");
	netns_open_fails(&dev, ours, -EINVAL, "br0 is not a bridge");
	netns_ok("ip link del br0");
	netns_ok("ip link add br0 type bridge && ip link set br0 up");
	p = netns_open(&dev, ours);
	netns_ok("ip link show master br0 | grep -q osa0");
	netns_ok("bridge -d link show dev osa0 | grep -q 'isolated off'");
	osa_close(p);
	dev.isolate = true;
	p = netns_open(&dev, ours);
	netns_ok("bridge -d link show dev osa0 | grep -q 'isolated on'");
	osa_close(p);
	netns_host_addr(&dev, "10.9.0.1/24");
	netns_open_fails(&dev, ours, -EINVAL, "belongs on bridge br0 itself");
	netns_ok("ip link del br0");
	assert_clean();
}

/* Routes on the bridge outlive our interface, so they are taken back. */
static void test_bridge_routes_undone(void **state)
{
	struct deck_device dev = netns_device(MEDIUM_TAP);
	struct osa_port *p;

	(void)state;
	netns_ok("ip link add br0 type bridge && ip link set br0 up");
	(void)snprintf(dev.bridge, sizeof(dev.bridge), "%s", "br0");
	dev.layer2 = true;
	dev.host_routes = true;
	p = netns_open(&dev, ours);
	netns_ok("ip route show 10.9.0.2 | grep -q 'dev br0'");
	netns_ok("ip -6 route show fd09::2 | grep -q 'dev br0'");
	assert_true(osa_undo_privileged(p));
	osa_close(p);
	assert_clean();
	netns_ok("ip link del br0");
}

/* An interface made beforehand is given back as it was. */
static void test_persistent_restored(void **state)
{
	struct deck_device dev = netns_device(MEDIUM_TUN);
	struct osa_port *p;

	(void)state;
	netns_ok("ip tuntap add osa0 mode tun vnet_hdr && "
		 "ip link set osa0 mtu 1400 qlen 77");
	netns_host_addr(&dev, "10.9.0.1/24");
	dev.host_routes = true;
	p = netns_open(&dev, ours);
	netns_ok("ip link show osa0 up | grep -q 'mtu 1500 .*qlen 4000'");
	netns_ok("ip addr show osa0 | grep -q 10.9.0.1/24");
	assert_true(osa_undo_privileged(p));
	osa_close(p);
	netns_ok("ip link show osa0 | grep -q 'mtu 1400 .*qlen 77'");
	netns_fails("ip link show osa0 up | grep -q osa0");
	netns_fails("ip addr | grep -q 10.9.0");
	netns_fails("ip route | grep -q 10.9.0");
	netns_ok("ip link del osa0");
}

static void test_layer2_needs_ethernet(void **state)
{
	struct deck_device dev = netns_device(MEDIUM_TUN);

	(void)state;
	dev.layer2 = true;
	netns_open_fails(&dev, ours, -EINVAL, "LAYER2 needs");
	assert_clean();
}

static void test_mtu_refused(void **state)
{
	struct deck_device dev = netns_device(MEDIUM_TAP);
	struct osa_port *p;
	char err[256] = "";

	(void)state;
	dev.layer2 = true;
	assert_int_equal(osa_open(&dev, 65535, NULL, 0, &p, err, sizeof(err)),
			 -EINVAL);
	assert_non_null(strstr(err, "setting MTU 65535"));
	assert_clean();
}

static void test_no_dev_net_tun(void **state)
{
	struct deck_device dev = netns_device(MEDIUM_TUN);

	(void)state;
	netns_ok("mount -t tmpfs none /dev/net");
	netns_open_fails(&dev, ours, -ENOENT,
			 "/dev/net/tun: No such file or directory; load the "
			 "tun module");
	netns_ok("touch /dev/net/tun");
	netns_open_fails(&dev, ours, -ENOTTY, "osa0");
	netns_ok("rm /dev/net/tun && mknod /dev/net/tun c 10 250");
	netns_open_fails(&dev, ours, -ENODEV, "load the tun module");
	netns_ok("umount /dev/net");
	assert_clean();
}

/* Without CAP_NET_ADMIN; in a child, as there is no way back. */
static void test_not_privileged(void **state)
{
	struct deck_device dev = netns_device(MEDIUM_TUN);
	int status = -1;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		struct osa_port *p;
		char err[256] = "";
		int r;

		if (setresuid(65534, 65534, 65534) < 0)
			_exit(2);
		r = osa_open(&dev, 1500, NULL, 0, &p, err, sizeof(err));
		(void)fprintf(stderr, "%s\n", err);
		if (r == -EPERM)
			_exit(strstr(err, "CAP_NET_ADMIN") ? 0 : 3);
		_exit(r == -EACCES && strstr(err, "allow this user") ? 0 : 4);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_clean();
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_tun_set_up_and_gone),
	cmocka_unit_test(test_queues),
	cmocka_unit_test(test_name_taken_by_other_kind),
	cmocka_unit_test(test_name_in_use),
	cmocka_unit_test(test_host_address_taken),
	cmocka_unit_test(test_route_taken),
	cmocka_unit_test(test_bridge),
	cmocka_unit_test(test_bridge_routes_undone),
	cmocka_unit_test(test_persistent_restored),
	cmocka_unit_test(test_layer2_needs_ethernet),
	cmocka_unit_test(test_mtu_refused),
	cmocka_unit_test(test_no_dev_net_tun),
	cmocka_unit_test(test_not_privileged),
};

NETNS_MAIN(tests)
