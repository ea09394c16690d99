#include "osa/port.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define FIRST_FD 3 /* SD_LISTEN_FDS_START */

static int sock_int(int fd, int opt)
{
	socklen_t len = sizeof(int);
	int v = -1;

	return getsockopt(fd, SOL_SOCKET, opt, &v, &len) < 0 ? -1 : v;
}

static bool is_tun(int fd)
{
	struct ifreq ifr = {0};

	return ioctl(fd, TUNGETIFF, &ifr) == 0;
}

/*
 * What the descriptor is decides the medium. It is numbered as systemd's
 * LISTEN_FDS are, from 3 on, and it stays the caller's when it is refused
 * here.
 */
int fd_open(struct osa_port *p, const struct deck_device *dev, char *err,
	    size_t err_len)
{
	struct stat st;
	int r;

	if (dev->fd < FIRST_FD)
		return port_fail(dev, err, err_len, -EBADF,
				 "descriptor %d: inherited ones begin at %d",
				 dev->fd, FIRST_FD);
	if (fstat(dev->fd, &st) < 0)
		return port_fail(dev, err, err_len, -errno,
				 "descriptor %d was not inherited: %s", dev->fd,
				 strerror(errno));
	r = port_fd_prepare(dev->fd);
	if (r < 0)
		return port_fail(dev, err, err_len, r, "descriptor %d: %s",
				 dev->fd, strerror(-r));
	if (S_ISSOCK(st.st_mode) && sock_int(dev->fd, SO_DOMAIN) == AF_UNIX &&
	    sock_int(dev->fd, SO_TYPE) == SOCK_SEQPACKET)
		return seqpacket_adopt(p, dev, err, err_len);
	if (S_ISCHR(st.st_mode) && is_tun(dev->fd))
		return tun_adopt(p, dev, err, err_len);
	return port_fail(dev, err, err_len, -EINVAL,
			 "descriptor %d is neither a TUN or TAP with an "
			 "interface nor an AF_UNIX SOCK_SEQPACKET socket",
			 dev->fd);
}
