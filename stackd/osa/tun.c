#include "osa/hostnl.h"
#include "osa/port.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#define TUN_PATH "/dev/net/tun"

/* Debian 12's headers end before them (Linux 6.2). */
#define TUN_F_USO4_ 0x20u
#define TUN_F_USO6_ 0x40u

static ssize_t tun_recv(struct osa_port *p, int q, void *buf, size_t len)
{
	for (;;) {
		ssize_t r = read(p->fd[q], buf, len);

		if (r >= 0)
			return r;
		if (errno != EINTR)
			return -errno;
	}
}

static int tun_send(struct osa_port *p, const struct iovec *iov, int n)
{
	for (;;) {
		if (writev(p->fd[0], iov, n) >= 0)
			return 0;
		if (errno == EINTR)
			continue;
		/* The driver's word for "the interface is down". */
		return errno == EIO ? -ENETDOWN : -errno;
	}
}

static void tun_close(struct osa_port *p)
{
	for (uint32_t q = 0; q < p->info.queues; q++)
		close(p->fd[q]);
}

static const struct osa_medium tun_medium = {
	.name = "TUN",
	.recv = tun_recv,
	.send = tun_send,
	.close = tun_close,
};

static const struct osa_medium tap_medium = {
	.name = "TAP",
	.recv = tun_recv,
	.send = tun_send,
	.close = tun_close,
};

static int fail_path(const struct deck_device *dev, int e, char *err,
		     size_t err_len)
{
	const char *hint = "";

	if (e == ENOENT || e == ENODEV || e == ENXIO)
		hint = "; load the tun module (modprobe tun)";
	else if (e == EPERM || e == EACCES)
		hint = "; allow this user to open it";
	return port_fail(dev, err, err_len, -e, "%s: %s%s", TUN_PATH,
			 strerror(e), hint);
}

static int fail_setiff(const struct deck_device *dev, const char *name,
		       bool existed, int e, char *err, size_t err_len)
{
	const char *kind = dev->medium == MEDIUM_TAP ? "TAP" : "TUN";

	if (e == EPERM)
		return port_fail(dev, err, err_len, -e,
				 "creating host interface %s: %s; it needs "
				 "CAP_NET_ADMIN, or an interface made "
				 "beforehand for this user",
				 name, strerror(e));
	if (e == EBUSY)
		return port_fail(dev, err, err_len, -e,
				 "host interface %s is in use by another "
				 "process",
				 name);
	if (e == EINVAL && existed)
		return port_fail(dev, err, err_len, -EEXIST,
				 "host interface name %s is taken by an "
				 "interface that is not a %s%s",
				 name, kind,
				 dev->queues > 1 ? " with several queues"
						 : " with one queue");
	return port_fail(dev, err, err_len, -e,
			 "creating host interface %s: %s", name, strerror(e));
}

static int open_queue(const struct deck_device *dev, char name[IFNAMSIZ],
		      char *err, size_t err_len)
{
	struct ifreq ifr = {0};
	bool existed = if_nametoindex(name) != 0;
	int flags = IFF_NO_PI | IFF_VNET_HDR;
	int fd, e;

	flags |= dev->medium == MEDIUM_TAP ? IFF_TAP : IFF_TUN;
	if (dev->queues > 1)
		flags |= IFF_MULTI_QUEUE;
	fd = open(TUN_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return fail_path(dev, errno, err, err_len);
	memcpy(ifr.ifr_name, name, IFNAMSIZ);
	ifr.ifr_flags = (short)flags;
	if (ioctl(fd, TUNSETIFF, &ifr) < 0) {
		e = errno;
		close(fd);
		return fail_setiff(dev, name, existed, e, err, err_len);
	}
	memcpy(name, ifr.ifr_name, IFNAMSIZ);
	return fd;
}

/* Header size and offloads of one queue. 0 or negative errno. */
static int set_offload(struct osa_port *p, int fd, bool wanted)
{
	unsigned int tso = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
	int vnet_len = VNET_LEN;

	if (p->vnet && ioctl(fd, TUNSETVNETHDRSZ, &vnet_len) < 0)
		return -errno;
	if (!p->vnet || !wanted) {
		p->tso = p->uso = false;
		return ioctl(fd, TUNSETOFFLOAD, 0u) < 0 ? -errno : 0;
	}
	p->tso = true;
	p->uso = true;
	if (ioctl(fd, TUNSETOFFLOAD, tso | TUN_F_USO4_ | TUN_F_USO6_) == 0)
		return 0;
	/* Before Linux 6.2: UDP is cut in software. */
	p->uso = false;
	return ioctl(fd, TUNSETOFFLOAD, tso) < 0 ? -errno : 0;
}

int tun_open(struct osa_port *p, const struct deck_device *dev, char *err,
	     size_t err_len)
{
	char name[IFNAMSIZ] = "";
	int r = 0;

	memcpy(name, p->info.ifname, IFNAMSIZ - 1);
	p->vanishes = if_nametoindex(name) == 0;
	p->medium = dev->medium == MEDIUM_TAP ? &tap_medium : &tun_medium;
	p->eth = dev->medium == MEDIUM_TAP;
	p->vnet = true;
	p->has_iface = true;
	for (p->info.queues = 0; p->info.queues < MAX(dev->queues, 1u);) {
		int fd = open_queue(dev, name, err, err_len);

		if (fd < 0) {
			r = fd;
			break;
		}
		p->fd[p->info.queues++] = fd;
		r = set_offload(p, fd, dev->offload);
		if (r < 0) {
			(void)port_fail(dev, err, err_len, r,
					"setting offloads of host interface "
					"%s: %s",
					name, strerror(-r));
			break;
		}
	}
	if (r < 0)
		tun_close(p);
	else
		(void)snprintf(p->info.ifname, sizeof(p->info.ifname), "%s",
			       name);
	return r;
}

/* False also for an interface of another network namespace. */
static bool has_packet_info(const char *name)
{
	struct hostnl *nl;
	bool pi = false;

	if (hostnl_open(&nl) < 0)
		return false;
	if (hostnl_tun_pi(nl, name, &pi) < 0)
		pi = false;
	hostnl_close(nl);
	return pi;
}

int tun_adopt(struct osa_port *p, const struct deck_device *dev, char *err,
	      size_t err_len)
{
	struct ifreq ifr = {0};
	int r;

	if (ioctl(dev->fd, TUNGETIFF, &ifr) < 0)
		return port_fail(dev, err, err_len, -errno,
				 "descriptor %d is a TUN or TAP without "
				 "interface: %s",
				 dev->fd, strerror(errno));
	if (has_packet_info(ifr.ifr_name))
		return port_fail(dev, err, err_len, -EINVAL,
				 "descriptor %d: interface %s was opened "
				 "without IFF_NO_PI",
				 dev->fd, ifr.ifr_name);
	p->eth = (ifr.ifr_flags & IFF_TAP) != 0;
	p->medium = p->eth ? &tap_medium : &tun_medium;
	p->vnet = (ifr.ifr_flags & IFF_VNET_HDR) != 0;
	r = set_offload(p, dev->fd, dev->offload);
	if (r < 0)
		return port_fail(dev, err, err_len, r,
				 "descriptor %d: setting offloads: %s", dev->fd,
				 strerror(-r));
	p->has_iface = true;
	p->fd[0] = dev->fd;
	p->info.queues = 1;
	/* Whoever opened it may hold it longer than we do. */
	p->vanishes = false;
	(void)snprintf(p->info.ifname, sizeof(p->info.ifname), "%s",
		       ifr.ifr_name);
	return 0;
}
