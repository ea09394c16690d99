#include "osa/hostnl.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/route.h>
#include <stdlib.h>
#include <string.h>

struct hostnl {
	struct nl_sock *sk;
};

/* libnl folds the kernel's errno into codes of its own; this is the way
 * back, as far as it goes. */
static int errno_of(int nle)
{
	static const int map[] = {
		[NLE_INTR] = EINTR,
		[NLE_AGAIN] = EAGAIN,
		[NLE_EXIST] = EEXIST,
		[NLE_NOADDR] = EADDRNOTAVAIL,
		[NLE_OBJ_NOTFOUND] = ENOENT,
		[NLE_NOMEM] = ENOMEM,
		[NLE_AF_NOSUPPORT] = EAFNOSUPPORT,
		[NLE_OPNOTSUPP] = EOPNOTSUPP,
		[NLE_BUSY] = EBUSY,
		[NLE_PERM] = EPERM,
		[NLE_RANGE] = ERANGE,
		[NLE_NODEV] = ENODEV,
		[NLE_INVAL] = EINVAL,
		[NLE_NOACCESS] = EACCES,
		[NLE_IMMUTABLE] = EPERM,
		[NLE_NOATTR] = EINVAL,
		[NLE_MISSING_ATTR] = EINVAL,
	};
	size_t i = (size_t)(nle < 0 ? -nle : nle);

	if (i == 0)
		return 0;
	return i < ARRAY_SIZE(map) && map[i] ? -map[i] : -EIO;
}

int hostnl_open(struct hostnl **ret)
{
	struct hostnl *nl = calloc(1, sizeof(*nl));
	int r;

	if (!nl)
		return -ENOMEM;
	nl->sk = nl_socket_alloc();
	if (!nl->sk) {
		free(nl);
		return -ENOMEM;
	}
	r = nl_connect(nl->sk, NETLINK_ROUTE);
	if (r < 0) {
		hostnl_close(nl);
		return errno_of(r);
	}
	*ret = nl;
	return 0;
}

void hostnl_close(struct hostnl *nl)
{
	if (!nl)
		return;
	nl_socket_free(nl->sk);
	free(nl);
}

int hostnl_link_get(struct hostnl *nl, const char *name,
		    struct hostnl_link *ret)
{
	struct rtnl_link *l;
	struct nl_addr *mac;
	const char *type;
	int r = rtnl_link_get_kernel(nl->sk, 0, name, &l);

	if (r < 0)
		return r == -NLE_OBJ_NOTFOUND ? -ENODEV : errno_of(r);
	*ret = (struct hostnl_link){
		.ifindex = rtnl_link_get_ifindex(l),
		.master = rtnl_link_get_master(l),
		.mtu = rtnl_link_get_mtu(l),
		.txqueuelen = rtnl_link_get_txqlen(l),
		.up = (rtnl_link_get_flags(l) & IFF_UP) != 0,
	};
	type = rtnl_link_get_type(l);
	ret->is_bridge = type && !strcmp(type, "bridge");
	mac = rtnl_link_get_addr(l);
	if (mac && nl_addr_get_len(mac) == 6)
		memcpy(ret->mac, nl_addr_get_binary_addr(mac), 6);
	rtnl_link_put(l);
	return 0;
}

/* Applies the attributes set in `change`, and frees it. */
static int link_change(struct hostnl *nl, int ifindex, struct rtnl_link *change)
{
	struct rtnl_link *which = rtnl_link_alloc();
	int r = -NLE_NOMEM;

	if (which && change) {
		rtnl_link_set_ifindex(which, ifindex);
		r = rtnl_link_change(nl->sk, which, change, 0);
	}
	rtnl_link_put(which);
	rtnl_link_put(change);
	return errno_of(r);
}

int hostnl_link_set(struct hostnl *nl, const struct hostnl_link *l)
{
	struct rtnl_link *c = rtnl_link_alloc();

	if (c) {
		rtnl_link_set_mtu(c, l->mtu);
		rtnl_link_set_txqlen(c, l->txqueuelen);
	}
	return link_change(nl, l->ifindex, c);
}

int hostnl_link_set_up(struct hostnl *nl, int ifindex, bool up)
{
	struct rtnl_link *c = rtnl_link_alloc();

	if (c && up)
		rtnl_link_set_flags(c, IFF_UP);
	else if (c)
		rtnl_link_unset_flags(c, IFF_UP);
	return link_change(nl, ifindex, c);
}

int hostnl_link_set_master(struct hostnl *nl, int ifindex, int master)
{
	if (master)
		return errno_of(
			rtnl_link_enslave_ifindex(nl->sk, master, ifindex));
	return errno_of(rtnl_link_release_ifindex(nl->sk, ifindex));
}

/* libnl 3.7 has no word for isolation, so the message is written here. */
int hostnl_bridge_set_isolated(struct hostnl *nl, int ifindex, bool isolated)
{
	struct nl_msg *m = nlmsg_alloc_simple(RTM_SETLINK, 0);
	struct ifinfomsg ifi = {.ifi_family = AF_BRIDGE, .ifi_index = ifindex};
	struct nlattr *nest;

	if (!m)
		return -ENOMEM;
	if (nlmsg_append(m, &ifi, sizeof(ifi), NLMSG_ALIGNTO) < 0)
		goto full;
	nest = nla_nest_start(m, IFLA_PROTINFO | NLA_F_NESTED);
	if (!nest || nla_put_u8(m, IFLA_BRPORT_ISOLATED, isolated) < 0)
		goto full;
	nla_nest_end(m, nest);
	return errno_of(nl_send_sync(nl->sk, m));
full:
	nlmsg_free(m);
	return -ENOMEM;
}

/* Sends `m`; `read` gets the answers. 0 or a code of libnl. */
static int ask(struct hostnl *nl, struct nl_msg *m, nl_recvmsg_msg_cb_t read,
	       void *arg)
{
	int r = nl_socket_modify_cb(nl->sk, NL_CB_VALID, NL_CB_CUSTOM, read,
				    arg);

	if (r >= 0)
		r = nl_send_auto(nl->sk, m);
	if (r >= 0)
		r = nl_recvmsgs_default(nl->sk);
	if (r >= 0)
		r = nl_wait_for_ack(nl->sk);
	(void)nl_socket_modify_cb(nl->sk, NL_CB_VALID, NL_CB_DEFAULT, NULL,
				  NULL);
	return r < 0 ? r : 0;
}

/* Answer to hostnl_tun_pi(): 0, 1, or -1 when it was not in there. */
static int read_tun_pi(struct nl_msg *m, void *arg)
{
	struct nlattr *link[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1],
		*tun[IFLA_TUN_MAX + 1];
	int *ret = arg;

	if (nlmsg_parse(nlmsg_hdr(m), sizeof(struct ifinfomsg), link, IFLA_MAX,
			NULL) < 0 ||
	    !link[IFLA_LINKINFO] ||
	    nla_parse_nested(info, IFLA_INFO_MAX, link[IFLA_LINKINFO], NULL) <
		    0 ||
	    !info[IFLA_INFO_DATA] ||
	    nla_parse_nested(tun, IFLA_TUN_MAX, info[IFLA_INFO_DATA], NULL) <
		    0 ||
	    !tun[IFLA_TUN_PI])
		return NL_OK;
	*ret = nla_get_u8(tun[IFLA_TUN_PI]) != 0;
	return NL_OK;
}

int hostnl_tun_pi(struct hostnl *nl, const char *name, bool *ret)
{
	struct ifinfomsg ifi = {.ifi_index = (int)if_nametoindex(name)};
	struct nl_msg *m;
	int pi = -1, r;

	if (ifi.ifi_index == 0)
		return -ENODEV;
	m = nlmsg_alloc_simple(RTM_GETLINK, 0);
	if (!m)
		return -ENOMEM;
	r = nlmsg_append(m, &ifi, sizeof(ifi), NLMSG_ALIGNTO);
	if (r >= 0)
		r = ask(nl, m, read_tun_pi, &pi);
	nlmsg_free(m);
	if (r < 0)
		return errno_of(r);
	if (pi < 0)
		return -ENODATA;
	*ret = pi;
	return 0;
}

static struct nl_addr *to_nl(const struct ip_addr *a, unsigned len)
{
	struct nl_addr *n = nl_addr_build(
		a->family == IP_V4 ? AF_INET : AF_INET6, a->b, ip_addr_len(a));

	if (n)
		nl_addr_set_prefixlen(n, (int)len);
	return n;
}

/* libnl would add a broadcast address of its own otherwise. */
static struct rtnl_addr *make_addr(int ifindex, const struct ip_prefix *a)
{
	struct rtnl_addr *ra = rtnl_addr_alloc();
	struct nl_addr *local = to_nl(&a->addr, a->len);

	if (!ra || !local || rtnl_addr_set_local(ra, local) < 0) {
		rtnl_addr_put(ra);
		nl_addr_put(local);
		return NULL;
	}
	rtnl_addr_set_ifindex(ra, ifindex);
	rtnl_addr_set_prefixlen(ra, a->len);
	if (a->addr.family == IP_V6)
		rtnl_addr_set_flags(ra, IFA_F_NODAD);
	nl_addr_put(local);
	return ra;
}

int hostnl_addr_add(struct hostnl *nl, int ifindex, const struct ip_prefix *a)
{
	struct rtnl_addr *ra = make_addr(ifindex, a);
	int r;

	if (!ra)
		return -ENOMEM;
	r = rtnl_addr_add(nl->sk, ra, NLM_F_EXCL);
	rtnl_addr_put(ra);
	return errno_of(r);
}

int hostnl_addr_del(struct hostnl *nl, int ifindex, const struct ip_prefix *a)
{
	struct rtnl_addr *ra = make_addr(ifindex, a);
	int r;

	if (!ra)
		return -ENOMEM;
	r = rtnl_addr_delete(nl->sk, ra, 0);
	rtnl_addr_put(ra);
	return errno_of(r);
}

int hostnl_addr_owner(struct hostnl *nl, const struct ip_addr *a,
		      int *ret_ifindex)
{
	struct nl_cache *cache;
	int r = rtnl_addr_alloc_cache(nl->sk, &cache);

	if (r < 0)
		return errno_of(r);
	*ret_ifindex = 0;
	for (struct nl_object *o = nl_cache_get_first(cache); o;
	     o = nl_cache_get_next(o)) {
		struct rtnl_addr *ra = (struct rtnl_addr *)(void *)o;
		struct nl_addr *local = rtnl_addr_get_local(ra);

		if (local && nl_addr_get_len(local) == ip_addr_len(a) &&
		    !memcmp(nl_addr_get_binary_addr(local), a->b,
			    ip_addr_len(a))) {
			*ret_ifindex = rtnl_addr_get_ifindex(ra);
			break;
		}
	}
	nl_cache_free(cache);
	return 0;
}

static int read_route_type(struct nl_msg *m, void *arg)
{
	const struct nlmsghdr *h = nlmsg_hdr(m);
	const struct rtmsg *rtm = nlmsg_data(h);
	int *ret = arg;

	if (h->nlmsg_type == RTM_NEWROUTE &&
	    nlmsg_valid_hdr(h, (int)sizeof(*rtm)))
		*ret = rtm->rtm_type;
	return NL_OK;
}

/* One question "which route", so that a host with a million of them does
 * not have to list them. */
bool hostnl_addr_ready(struct hostnl *nl, const struct ip_addr *a)
{
	struct nl_msg *m = nlmsg_alloc_simple(RTM_GETROUTE, 0);
	struct rtmsg rtm = {
		.rtm_family = a->family == IP_V4 ? AF_INET : AF_INET6,
		.rtm_dst_len = (unsigned char)(8 * ip_addr_len(a)),
	};
	int type = RTN_UNSPEC;

	if (!m)
		return false;
	if (nlmsg_append(m, &rtm, sizeof(rtm), NLMSG_ALIGNTO) >= 0 &&
	    nla_put(m, RTA_DST, (int)ip_addr_len(a), a->b) >= 0)
		(void)ask(nl, m, read_route_type, &type);
	nlmsg_free(m);
	return type == RTN_LOCAL;
}

static struct rtnl_route *make_route(int ifindex, const struct ip_prefix *dst)
{
	struct rtnl_route *rt = rtnl_route_alloc();
	struct nl_addr *to = to_nl(&dst->addr, dst->len);
	struct rtnl_nexthop *nh = rtnl_route_nh_alloc();

	if (!rt || !to || !nh || rtnl_route_set_dst(rt, to) < 0) {
		rtnl_route_put(rt);
		nl_addr_put(to);
		if (nh)
			rtnl_route_nh_free(nh);
		return NULL;
	}
	nl_addr_put(to);
	rtnl_route_nh_set_ifindex(nh, ifindex);
	rtnl_route_add_nexthop(rt, nh); /* takes nh */
	rtnl_route_set_table(rt, RT_TABLE_MAIN);
	rtnl_route_set_protocol(rt, RTPROT_STATIC);
	rtnl_route_set_scope(rt, dst->addr.family == IP_V4 ? RT_SCOPE_LINK
							   : RT_SCOPE_UNIVERSE);
	return rt;
}

int hostnl_route_add(struct hostnl *nl, int ifindex,
		     const struct ip_prefix *dst)
{
	struct rtnl_route *rt = make_route(ifindex, dst);
	int r;

	if (!rt)
		return -ENOMEM;
	r = rtnl_route_add(nl->sk, rt, NLM_F_EXCL);
	rtnl_route_put(rt);
	return errno_of(r);
}

int hostnl_route_del(struct hostnl *nl, int ifindex,
		     const struct ip_prefix *dst)
{
	struct rtnl_route *rt = make_route(ifindex, dst);
	int r;

	if (!rt)
		return -ENOMEM;
	r = rtnl_route_delete(nl->sk, rt, 0);
	rtnl_route_put(rt);
	return errno_of(r);
}
