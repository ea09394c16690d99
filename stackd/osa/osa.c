#include "osa/osa.h"

#include "osa/host.h"
#include "osa/l3port.h"
#include "osa/port.h"
#include "osa/trace.h"
#include "wire/ether.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

int port_fail(const struct deck_device *dev, char *err, size_t err_len, int r,
	      const char *fmt, ...)
{
	va_list ap;
	int n = snprintf(err, err_len, "DEVICE %s: ", dev->name);

	if (n >= 0 && (size_t)n < err_len) {
		va_start(ap, fmt);
		(void)vsnprintf(err + n, err_len - (size_t)n, fmt, ap);
		va_end(ap);
	}
	return r;
}

int port_fd_prepare(int fd)
{
	int fl = fcntl(fd, F_GETFL);

	if (fl < 0 || fcntl(fd, F_SETFL, fl | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	return 0;
}

/* The deck's interface name, else the port name or device name in lower
 * case. */
static void choose_ifname(struct osa_port *p, const struct deck_device *dev)
{
	const char *from = dev->ifname[0]     ? dev->ifname
			   : dev->portname[0] ? dev->portname
					      : dev->name;
	size_t i;

	for (i = 0; from[i] && i < sizeof(dev->ifname) - 1; i++)
		p->info.ifname[i] = dev->ifname[0]
					    ? from[i]
					    : (char)tolower((uint8_t)from[i]);
	p->info.ifname[i] = 0;
}

static void fill_info(struct osa_port *p, const struct deck_device *dev,
		      uint32_t mtu)
{
	struct osa_info *i = &p->info;

	memcpy(i->device, dev->name, sizeof(i->device));
	memcpy(i->portname, dev->portname, sizeof(i->portname));
	memcpy(i->cuu, dev->cuu, sizeof(i->cuu));
	memcpy(i->datacuu, dev->datacuu, sizeof(i->datacuu));
	memcpy(i->mac, dev->mac, sizeof(i->mac));
	i->layer2 = dev->layer2;
	i->mtu = mtu;
	i->carrier = true;
	choose_ifname(p, dev);
}

static int open_medium(struct osa_port *p, const struct deck_device *dev,
		       char *err, size_t err_len)
{
	if (dev->queues > OSA_QUEUES_MAX)
		return port_fail(dev, err, err_len, -EINVAL,
				 "%u queues, at most %u", dev->queues,
				 OSA_QUEUES_MAX);
	switch (dev->medium) {
	case MEDIUM_TUN:
	case MEDIUM_TAP:
		return tun_open(p, dev, err, err_len);
	case MEDIUM_SEQPACKET:
		return seqpacket_open(p, dev, err, err_len);
	case MEDIUM_FD:
		return fd_open(p, dev, err, err_len);
	default:
		return port_fail(dev, err, err_len, -EOPNOTSUPP,
				 "unknown medium");
	}
}

static void port_free(struct osa_port *p)
{
	l3port_free(p->l3);
	oat_clear(&p->oat);
	free(p->spare);
	free(p);
}

static struct osa_port *port_alloc(void)
{
	struct osa_port *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->spare = calloc(1, sizeof(struct pkt) + PKT_LARGE_CAP);
	if (!p->spare) {
		port_free(p);
		return NULL;
	}
	p->spare->cap = PKT_LARGE_CAP;
	return p;
}

/* An inherited interface was set up by whoever made it, unless the deck asks
 * for more. */
static bool wants_host(const struct osa_port *p, const struct deck_device *dev)
{
	if (!p->has_iface)
		return false;
	return dev->medium != MEDIUM_FD || dev->n_host_addr > 0 ||
	       dev->host_routes || dev->bridge[0];
}

/* A locally administered unicast address when the deck gives none. */
static int choose_mac(struct osa_port *p)
{
	uint8_t *mac = p->info.mac;

	if (!p->eth || !ether_is_zero(mac))
		return 0;
	if (getrandom(mac, 6, 0) != 6)
		return -EIO;
	mac[0] = (uint8_t)((mac[0] & 0xfc) | 2);
	return 0;
}

/* Layer 3 mode: register the addresses, and on Ethernet speak for them. */
static int open_layer3(struct osa_port *p, const struct deck_device *dev,
		       const struct ip_prefix *addrs, uint32_t n, char *err,
		       size_t err_len)
{
	char text[ADDR_TEXT_MAX];
	int r = p->eth ? l3port_new(p, dev, &p->l3) : 0;

	if (r < 0)
		return port_fail(dev, err, err_len, r, "out of memory");
	for (uint32_t i = 0; i < n; i++) {
		r = osa_setip(p, &addrs[i]);
		if (r < 0)
			return port_fail(dev, err, err_len, r, "SETIP %s: %s",
					 ip_format(&addrs[i].addr, text),
					 strerror(-r));
	}
	return 0;
}

/* What comes after the medium is open. */
static int open_rest(struct osa_port *p, const struct deck_device *dev,
		     uint32_t mtu, const struct ip_prefix *stack_addrs,
		     uint32_t n_stack_addrs, char *err, size_t err_len)
{
	int r;

	if (p->info.layer2 && !p->eth)
		return port_fail(dev, err, err_len, -EINVAL,
				 "LAYER2 needs a medium with Ethernet frames, "
				 "host interface %s is a TUN",
				 p->info.ifname);
	p->info.medium = p->medium->name;
	p->info.offload = p->tso;
	r = choose_mac(p);
	if (r < 0)
		return port_fail(dev, err, err_len, r, "no random numbers");
	if (wants_host(p, dev))
		r = host_setup(dev, p->info.ifname, p->vanishes, mtu,
			       stack_addrs, n_stack_addrs, &p->host, err,
			       err_len);
	if (r < 0 || p->info.layer2)
		return r;
	return open_layer3(p, dev, stack_addrs, n_stack_addrs, err, err_len);
}

int osa_open(const struct deck_device *dev, uint32_t mtu,
	     const struct ip_prefix *stack_addrs, uint32_t n_stack_addrs,
	     struct osa_port **ret, char *err, size_t err_len)
{
	struct osa_port *p = port_alloc();
	int r;

	if (!p)
		return port_fail(dev, err, err_len, -ENOMEM, "out of memory");
	fill_info(p, dev, mtu);
	r = open_medium(p, dev, err, err_len);
	if (r < 0) {
		port_free(p);
		return r;
	}
	r = open_rest(p, dev, mtu, stack_addrs, n_stack_addrs, err, err_len);
	if (r < 0) {
		osa_close(p);
		return r;
	}
	*ret = p;
	return 0;
}

void osa_close(struct osa_port *p)
{
	if (!p)
		return;
	trace_forget(p);
	host_undo(p->host);
	p->medium->close(p);
	port_free(p);
}

bool osa_undo_privileged(const struct osa_port *p)
{
	return host_undo_privileged(p->host);
}

void osa_get_caps(const struct osa_port *p, struct osa_caps *ret)
{
	*ret = (struct osa_caps){
		.l2 = p->info.layer2,
		.gso_max = p->tso ? OSA_GSO_MAX : 0,
		.tx_csum = p->tso,
	};
}

int osa_fds(const struct osa_port *p, int *fds, int max)
{
	int n = MIN((int)p->info.queues, max);

	memcpy(fds, p->fd, (size_t)n * sizeof(*fds));
	return n;
}

const char *osa_name(const struct osa_port *p)
{
	return p->info.device;
}

const char *osa_ifname(const struct osa_port *p)
{
	return p->info.ifname;
}

void osa_get_info(const struct osa_port *p, struct osa_info *ret)
{
	*ret = p->info;
}

int osa_setip(struct osa_port *p, const struct ip_prefix *addr)
{
	int r = oat_add(&p->oat, addr);

	if (r == 0 && p->l3)
		l3port_announce(p->l3, &addr->addr);
	return r;
}

int osa_delip(struct osa_port *p, const struct ip_addr *addr)
{
	return oat_del(&p->oat, addr);
}

bool osa_iter_oat(const struct osa_port *p, uint32_t *it,
		  struct osa_oat_entry *ret)
{
	if (*it >= p->oat.n)
		return false;
	*ret = p->oat.e[(*it)++].pub;
	return true;
}

bool osa_conflict(struct osa_port *p, struct ip_addr *ret_addr,
		  uint8_t ret_mac[6])
{
	for (uint32_t i = 0; i < p->oat.n; i++) {
		struct oat_entry *e = &p->oat.e[i];

		if (!e->news)
			continue;
		e->news = false;
		*ret_addr = e->pub.addr.addr;
		memcpy(ret_mac, e->pub.conflict_mac, 6);
		return true;
	}
	return false;
}

int osa_set_routes(struct osa_port *p, const struct osa_route *r, uint32_t n)
{
	if (n > OSA_ROUTES_MAX)
		return -ENOSPC;
	return p->l3 ? l3port_set_routes(p->l3, r, n) : 0;
}
