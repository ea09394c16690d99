/*
 * op_if.c: the old interface ioctls, answered from the stack.
 */
#include "client/op.h"

#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>

#define IFS_MAX 128

static int load(unsigned id, struct proto_if *ifs, size_t *ret_n)
{
	struct proto_req rq = {.op = PROTO_IFS, .flags = PROTO_F_NOSOCK};
	struct proto_rep rep;
	int r = ctl_call(id, -1, &rq, &rep, ifs, IFS_MAX * sizeof(*ifs));

	*ret_n = r == 0 ? rep.data_len / sizeof(*ifs) : 0;
	return r;
}

static void put_v4(const uint8_t *b, struct sockaddr *sa)
{
	struct sockaddr_in in = {.sin_family = AF_INET};

	memcpy(&in.sin_addr, b, 4);
	memcpy(sa, &in, sizeof(in));
}

static bool is_v4(const struct proto_if *i)
{
	return i->has_addr && i->addr.family == IP_V4;
}

static int ifconf(const struct proto_if *ifs, size_t n, struct ifconf *ic)
{
	int used = 0;

	for (size_t i = 0; i < n; i++) {
		struct ifreq r = {0};

		if (!is_v4(&ifs[i]))
			continue;
		if (ic->ifc_buf) {
			if (used + (int)sizeof(r) > ic->ifc_len)
				break;
			memcpy(r.ifr_name, ifs[i].name, IFNAMSIZ - 1);
			put_v4(ifs[i].addr.b, &r.ifr_addr);
			memcpy(ic->ifc_buf + used, &r, sizeof(r));
		}
		used += (int)sizeof(r);
	}
	ic->ifc_len = used;
	return 0;
}

static uint32_t mask_of(unsigned plen)
{
	return plen == 0 ? 0 : htonl(~0u << (32 - MIN(plen, 32u)));
}

static int one(const struct proto_if *i, unsigned long rq, struct ifreq *r)
{
	uint32_t a, m = mask_of(i->plen);

	switch (rq) {
	case SIOCGIFADDR:
	case SIOCGIFNETMASK:
	case SIOCGIFBRDADDR:
		if (!is_v4(i))
			return -EADDRNOTAVAIL;
		memcpy(&a, i->addr.b, 4);
		a = rq == SIOCGIFNETMASK ? m : rq == SIOCGIFADDR ? a : a | ~m;
		put_v4((const uint8_t *)&a, &r->ifr_addr);
		return 0;
	case SIOCGIFFLAGS:
		r->ifr_flags =
			(short)((i->up ? IFF_UP | IFF_RUNNING : 0) |
				(i->loopback ? IFF_LOOPBACK
					     : IFF_BROADCAST | IFF_MULTICAST));
		return 0;
	case SIOCGIFMTU:
		r->ifr_mtu = (int)i->mtu;
		return 0;
	case SIOCGIFMETRIC:
		r->ifr_metric = 0;
		return 0;
	case SIOCGIFINDEX:
		r->ifr_ifindex = (int)i->ifindex;
		return 0;
	case SIOCGIFHWADDR:
		memset(&r->ifr_hwaddr, 0, sizeof(r->ifr_hwaddr));
		r->ifr_hwaddr.sa_family =
			i->loopback ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
		memcpy(r->ifr_hwaddr.sa_data, i->mac, 6);
		return 0;
	default:
		return -ENOTTY;
	}
}

static bool known(unsigned long rq)
{
	return rq == SIOCGIFCONF || rq == SIOCGIFNAME || rq == SIOCGIFADDR ||
	       rq == SIOCGIFNETMASK || rq == SIOCGIFBRDADDR ||
	       rq == SIOCGIFFLAGS || rq == SIOCGIFMTU || rq == SIOCGIFMETRIC ||
	       rq == SIOCGIFINDEX || rq == SIOCGIFHWADDR;
}

int if_ioctl(unsigned id, unsigned long rq, void *arg)
{
	struct proto_if ifs[IFS_MAX];
	struct ifreq *r = arg;
	size_t n;
	int e;

	if (!known(rq))
		return -ENOTTY;
	if (!arg)
		return -EFAULT;
	/* these calls know IPv4 only */
	e = load(ctl_couple(id), ifs, &n);
	if (e < 0)
		return e;
	if (rq == SIOCGIFCONF)
		return ifconf(ifs, n, arg);
	e = -ENODEV;
	for (size_t i = 0; i < n; i++) {
		if (rq == SIOCGIFNAME &&
		    ifs[i].ifindex == (uint32_t)r->ifr_ifindex) {
			memset(r->ifr_name, 0, sizeof(r->ifr_name));
			memcpy(r->ifr_name, ifs[i].name, IFNAMSIZ - 1);
			return 0;
		}
		if (rq == SIOCGIFNAME ||
		    strncmp(ifs[i].name, r->ifr_name, IFNAMSIZ - 1) != 0)
			continue;
		e = one(&ifs[i], rq, r);
		/* its IPv4 address may be a later one */
		if (e != -EADDRNOTAVAIL)
			return e;
	}
	return e;
}
