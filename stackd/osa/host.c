#include "osa/host.h"

#include "osa/hostnl.h"
#include "osa/port.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HOST_ADDRS_MAX ARRAY_SIZE(((struct deck_device *)0)->host_addr)
#define HOST_ROUTES_MAX 256u
/* Wait at most a second for the host's addresses to work. */
#define READY_POLL_NS 2000000
#define READY_TURNS 500u

struct osa_host {
	struct hostnl *nl;
	int ifindex, bridge_index;
	bool vanishes;
	struct hostnl_link before; /* as we found it */
	bool set_link, set_up, joined, isolated;
	struct ip_prefix addrs[HOST_ADDRS_MAX];
	uint32_t n_addrs;
	struct ip_prefix *routes;
	uint32_t n_routes;
};

/* What host_setup() works on; keeps the argument lists short. */
struct job {
	const struct deck_device *dev;
	const char *ifname;
	struct osa_host *h;
	char *err;
	size_t err_len;
};

static const char *text_of(const struct ip_prefix *p, char buf[ADDR_TEXT_MAX])
{
	return ip_format(&p->addr, buf);
}

static int get_link(struct job *j)
{
	int r = hostnl_link_get(j->h->nl, j->ifname, &j->h->before);

	if (r < 0)
		return port_fail(j->dev, j->err, j->err_len, r,
				 "host interface %s: %s", j->ifname,
				 strerror(-r));
	j->h->ifindex = j->h->before.ifindex;
	return 0;
}

/* MTU and queue length; "up" comes last, when everything stands. */
static int set_link(struct job *j, uint32_t mtu)
{
	struct hostnl_link want = j->h->before;
	int r;

	want.mtu = mtu ? mtu : want.mtu;
	want.txqueuelen =
		j->dev->txqueuelen ? j->dev->txqueuelen : want.txqueuelen;
	if (want.mtu == j->h->before.mtu &&
	    want.txqueuelen == j->h->before.txqueuelen)
		return 0;
	j->h->set_link = true;
	r = hostnl_link_set(j->h->nl, &want);
	if (r < 0)
		return port_fail(j->dev, j->err, j->err_len, r,
				 "setting MTU %u and queue length %u of host "
				 "interface %s: %s",
				 want.mtu, want.txqueuelen, j->ifname,
				 strerror(-r));
	return 0;
}

static int set_up(struct job *j)
{
	int r;

	if (j->h->before.up)
		return 0;
	j->h->set_up = true;
	r = hostnl_link_set_up(j->h->nl, j->h->ifindex, true);
	if (r < 0)
		return port_fail(j->dev, j->err, j->err_len, r,
				 "bringing up host interface %s: %s", j->ifname,
				 strerror(-r));
	return 0;
}

static int check_bridge(struct job *j)
{
	struct hostnl_link br;
	int r = hostnl_link_get(j->h->nl, j->dev->bridge, &br);

	if (r < 0)
		return port_fail(j->dev, j->err, j->err_len, r,
				 "host bridge %s: %s", j->dev->bridge,
				 r == -ENODEV ? "no such bridge"
					      : strerror(-r));
	if (!br.is_bridge)
		return port_fail(j->dev, j->err, j->err_len, -EINVAL,
				 "host interface %s is not a bridge",
				 j->dev->bridge);
	if (j->h->before.master && j->h->before.master != br.ifindex)
		return port_fail(j->dev, j->err, j->err_len, -EBUSY,
				 "host interface %s belongs to another bridge",
				 j->ifname);
	j->h->bridge_index = br.ifindex;
	return 0;
}

static int join_bridge(struct job *j)
{
	struct osa_host *h = j->h;
	int r;

	if (!j->dev->bridge[0])
		return 0;
	if (j->dev->n_host_addr)
		return port_fail(j->dev, j->err, j->err_len, -EINVAL,
				 "a host address belongs on bridge %s itself, "
				 "not on its port",
				 j->dev->bridge);
	r = check_bridge(j);
	if (r < 0)
		return r;
	if (h->before.master == 0) {
		h->joined = true;
		r = hostnl_link_set_master(h->nl, h->ifindex, h->bridge_index);
		if (r < 0)
			return port_fail(j->dev, j->err, j->err_len, r,
					 "joining host bridge %s: %s",
					 j->dev->bridge, strerror(-r));
	}
	if (!j->dev->isolate)
		return 0;
	h->isolated = true;
	r = hostnl_bridge_set_isolated(h->nl, h->ifindex, true);
	if (r < 0)
		return port_fail(j->dev, j->err, j->err_len, r,
				 "isolating the port on host bridge %s: %s",
				 j->dev->bridge, strerror(-r));
	return 0;
}

/* An address of the host can be neither ours nor given twice. */
static int check_addr_free(struct job *j, const struct ip_addr *a,
			   const char *whose)
{
	char name[IFNAMSIZ] = "?", text[ADDR_TEXT_MAX];
	int owner = 0;
	int r = hostnl_addr_owner(j->h->nl, a, &owner);

	if (r < 0)
		return port_fail(j->dev, j->err, j->err_len, r,
				 "reading the host's addresses: %s",
				 strerror(-r));
	if (owner == 0)
		return 0;
	(void)if_indextoname((unsigned)owner, name);
	return port_fail(j->dev, j->err, j->err_len, -EADDRINUSE,
			 "%s %s is taken: host interface %s has it", whose,
			 ip_format(a, text), name);
}

static int add_addr(struct job *j, const struct ip_prefix *a)
{
	char text[ADDR_TEXT_MAX];
	int r = check_addr_free(j, &a->addr, "host address");

	if (r < 0)
		return r;
	r = hostnl_addr_add(j->h->nl, j->h->ifindex, a);
	if (r == -EACCES && a->addr.family == IP_V6)
		return port_fail(j->dev, j->err, j->err_len, r,
				 "host address %s: IPv6 is switched off on "
				 "the host (net.ipv6.conf.*.disable_ipv6)",
				 text_of(a, text));
	if (r < 0)
		return port_fail(j->dev, j->err, j->err_len, r,
				 "host address %s/%u on host interface %s: %s",
				 text_of(a, text), a->len, j->ifname,
				 strerror(-r));
	j->h->addrs[j->h->n_addrs++] = *a;
	return 0;
}

static int add_addrs(struct job *j, const struct ip_prefix *ours, uint32_t n)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < n; i++)
		r = check_addr_free(j, &ours[i].addr, "address");
	for (uint32_t i = 0; r == 0 && i < j->dev->n_host_addr; i++) {
		const struct ip_prefix *a = &j->dev->host_addr[i];
		char text[ADDR_TEXT_MAX];

		for (uint32_t k = 0; k < n; k++)
			if (ip_eq(&ours[k].addr, &a->addr))
				return port_fail(j->dev, j->err, j->err_len,
						 -EADDRINUSE,
						 "host address %s is the "
						 "stack's own",
						 text_of(a, text));
		r = add_addr(j, a);
	}
	return r;
}

/* The kernel installs local IPv6 routes from a work queue. Without this, an
 * answer of the stack in the first moment would find nobody. */
static void await_addrs(const struct osa_host *h)
{
	const struct timespec pause = {.tv_nsec = READY_POLL_NS};

	for (uint32_t i = 0, turn = 0; i < h->n_addrs; i++) {
		if (h->addrs[i].addr.family != IP_V6)
			continue;
		while (!hostnl_addr_ready(h->nl, &h->addrs[i].addr) &&
		       turn++ < READY_TURNS)
			(void)nanosleep(&pause, NULL);
	}
}

static int add_route(struct job *j, const struct ip_addr *to)
{
	struct osa_host *h = j->h;
	struct ip_prefix dst = {*to, to->family == IP_V4 ? 32 : 128};
	int out = h->bridge_index ? h->bridge_index : h->ifindex;
	char text[ADDR_TEXT_MAX];
	int r = hostnl_route_add(h->nl, out, &dst);

	if (r == -EEXIST)
		return port_fail(j->dev, j->err, j->err_len, r,
				 "route to %s/%u: the host has one already",
				 text_of(&dst, text), dst.len);
	if (r < 0)
		return port_fail(j->dev, j->err, j->err_len, r,
				 "route to %s/%u through host interface %s: "
				 "%s",
				 text_of(&dst, text), dst.len,
				 h->bridge_index ? j->dev->bridge : j->ifname,
				 strerror(-r));
	h->routes[h->n_routes++] = dst;
	return 0;
}

static int add_routes(struct job *j, const struct ip_prefix *ours, uint32_t n)
{
	int r = 0;

	if (!j->dev->host_routes || n == 0)
		return 0;
	if (n > HOST_ROUTES_MAX)
		return port_fail(j->dev, j->err, j->err_len, -E2BIG,
				 "more than %u addresses to route",
				 HOST_ROUTES_MAX);
	j->h->routes = calloc(n, sizeof(*j->h->routes));
	if (!j->h->routes)
		return port_fail(j->dev, j->err, j->err_len, -ENOMEM,
				 "out of memory");
	for (uint32_t i = 0; r == 0 && i < n; i++)
		if (!ip_is_link_local(&ours[i].addr))
			r = add_route(j, &ours[i].addr);
	return r;
}

int host_setup(const struct deck_device *dev, const char *ifname, bool vanishes,
	       uint32_t mtu, const struct ip_prefix *stack_addrs,
	       uint32_t n_stack_addrs, struct osa_host **ret, char *err,
	       size_t err_len)
{
	struct job j = {dev, ifname, NULL, err, err_len};
	int r;

	j.h = calloc(1, sizeof(*j.h));
	if (!j.h)
		return port_fail(dev, err, err_len, -ENOMEM, "out of memory");
	j.h->vanishes = vanishes;
	r = hostnl_open(&j.h->nl);
	if (r < 0) {
		free(j.h);
		return port_fail(dev, err, err_len, r, "rtnetlink: %s",
				 strerror(-r));
	}
	r = get_link(&j);
	r = r < 0 ? r : set_link(&j, mtu);
	r = r < 0 ? r : join_bridge(&j);
	r = r < 0 ? r : add_addrs(&j, stack_addrs, n_stack_addrs);
	r = r < 0 ? r : set_up(&j);
	r = r < 0 ? r : add_routes(&j, stack_addrs, n_stack_addrs);
	if (r == 0)
		await_addrs(j.h);
	if (r < 0) {
		host_undo(j.h);
		return r;
	}
	*ret = j.h;
	return 0;
}

bool host_undo_privileged(const struct osa_host *h)
{
	if (!h || (h->vanishes && !h->bridge_index))
		return false;
	return h->n_routes > 0 ||
	       (!h->vanishes && (h->n_addrs > 0 || h->joined || h->isolated ||
				 h->set_up || h->set_link));
}

/* Errors of undoing do not matter: the interface may have gone, or been
 * changed by the operator, and there is nobody left to tell. */
static void let_go(int r)
{
	(void)r;
}

static void undo_all(struct osa_host *h)
{
	int out = h->bridge_index ? h->bridge_index : h->ifindex;

	while (h->n_routes > 0)
		let_go(hostnl_route_del(h->nl, out, &h->routes[--h->n_routes]));
	if (h->vanishes)
		return;
	while (h->n_addrs > 0)
		let_go(hostnl_addr_del(h->nl, h->ifindex,
				       &h->addrs[--h->n_addrs]));
	if (h->isolated && !h->joined)
		let_go(hostnl_bridge_set_isolated(h->nl, h->ifindex, false));
	if (h->joined)
		let_go(hostnl_link_set_master(h->nl, h->ifindex, 0));
	if (h->set_up)
		let_go(hostnl_link_set_up(h->nl, h->ifindex, false));
	if (h->set_link)
		let_go(hostnl_link_set(h->nl, &h->before));
}

void host_undo(struct osa_host *h)
{
	if (!h)
		return;
	if (!h->vanishes || h->bridge_index)
		undo_all(h);
	hostnl_close(h->nl);
	free(h->routes);
	free(h);
}

int host_mac(const char *ifname, uint8_t ret[6])
{
	struct hostnl *nl;
	struct hostnl_link link;
	int r = hostnl_open(&nl);

	if (r < 0)
		return r;
	r = hostnl_link_get(nl, ifname, &link);
	hostnl_close(nl);
	if (r == 0)
		memcpy(ret, link.mac, 6);
	return r;
}
