/*
 * names_if.c: the stack's interfaces for getifaddrs() and if_nametoindex().
 */
#include "client/ctl.h"
#include "client/names.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define IFS_MAX 256

/* Up to `cap` entries of one stack. */
static int load_of(unsigned id, struct proto_if *ifs, size_t cap, size_t *ret_n)
{
	struct proto_req rq = {.op = PROTO_IFS, .flags = PROTO_F_NOSOCK};
	struct proto_rep rep;
	int r = ctl_call(id, -1, &rq, &rep, ifs, cap * sizeof(*ifs));

	*ret_n = r < 0 ? 0 : MIN(rep.data_len / sizeof(*ifs), cap);
	return r;
}

static bool has(const struct proto_if *ifs, size_t n, const struct proto_if *i)
{
	for (size_t k = 0; k < n; k++) {
		if (ifs[k].has_addr && i->has_addr &&
		    memcmp(&ifs[k].addr, &i->addr, sizeof(i->addr)) == 0)
			return true;
	}
	return false;
}

/* The other stack's interfaces behind ours; there is one loopback. */
static void join(struct proto_if *ifs, size_t *n, size_t more)
{
	size_t ours = *n;

	for (size_t k = ours; k < ours + more; k++) {
		struct proto_if i = ifs[k];

		if (i.loopback && (!i.has_addr || has(ifs, ours, &i)))
			continue;
		if (i.loopback)
			i.first = ours == 0;
		ifs[(*n)++] = i;
	}
}

static int load(unsigned id, struct proto_if **ret, size_t *ret_n)
{
	struct proto_if *ifs = calloc(IFS_MAX, sizeof(*ifs));
	unsigned other = ctl_couple(id);
	size_t more;
	int r;

	if (!ifs)
		return -ENOMEM;
	r = load_of(id, ifs, IFS_MAX, ret_n);
	if (other != id &&
	    load_of(other, ifs + *ret_n, IFS_MAX - *ret_n, &more) == 0) {
		join(ifs, ret_n, more);
		r = 0;
	}
	if (r < 0) {
		free(ifs);
		return r;
	}
	*ret = ifs;
	return 0;
}

struct node { /* one allocation per element */
	struct ifaddrs ifa;
	struct sockaddr_storage addr, mask, broad;
	char name[32];
};

static struct node *node_new(const struct proto_if *i)
{
	struct node *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	memcpy(n->name, i->name, sizeof(n->name) - 1);
	n->ifa.ifa_name = n->name;
	n->ifa.ifa_flags =
		(i->up ? IFF_UP | IFF_RUNNING : 0u) |
		(i->loopback ? IFF_LOOPBACK : IFF_BROADCAST | IFF_MULTICAST);
	return n;
}

static struct node *link_node(const struct proto_if *i)
{
	struct node *n = node_new(i);
	struct sockaddr_ll ll = {.sll_family = AF_PACKET,
				 .sll_ifindex = (int)i->ifindex,
				 .sll_hatype = i->loopback ? ARPHRD_LOOPBACK
							   : ARPHRD_ETHER,
				 .sll_halen = 6};

	if (!n)
		return NULL;
	memcpy(ll.sll_addr, i->mac, 6);
	memcpy(&n->addr, &ll, sizeof(ll));
	n->ifa.ifa_addr = (struct sockaddr *)&n->addr;
	return n;
}

static void mask_bytes(uint8_t *b, size_t len, unsigned plen)
{
	for (size_t k = 0; k < len; k++) {
		unsigned bits =
			plen > 8 * k ? MIN(plen - 8 * (unsigned)k, 8u) : 0;

		b[k] = (uint8_t)(0xff00u >> bits);
	}
}

static struct node *addr_node(const struct proto_if *i)
{
	struct node *n = node_new(i);
	struct ip_port p, m, b;

	if (!n || proto_addr_get(&i->addr, &p) < 0) {
		free(n);
		return NULL;
	}
	m = b = p;
	m.scope = 0;
	mask_bytes(m.addr.b, ip_addr_len(&p.addr), i->plen);
	ip_port_to_sockaddr(&p, &n->addr);
	ip_port_to_sockaddr(&m, &n->mask);
	n->ifa.ifa_addr = (struct sockaddr *)&n->addr;
	n->ifa.ifa_netmask = (struct sockaddr *)&n->mask;
	if (p.addr.family == IP_V4 && !i->loopback) {
		for (size_t k = 0; k < 4; k++)
			b.addr.b[k] |= (uint8_t)~m.addr.b[k];
		ip_port_to_sockaddr(&b, &n->broad);
		n->ifa.ifa_broadaddr = (struct sockaddr *)&n->broad;
	}
	return n;
}

static int push(struct ifaddrs ***tail, struct node *n)
{
	if (!n)
		return -ENOMEM;
	**tail = &n->ifa;
	*tail = &n->ifa.ifa_next;
	return 0;
}

int names_getifaddrs(unsigned id, struct ifaddrs **res)
{
	struct ifaddrs *first = NULL, **tail = &first;
	struct proto_if *ifs;
	size_t n;
	int r = load(id, &ifs, &n);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (ifs[i].first)
			r = push(&tail, link_node(&ifs[i]));
	}
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (ifs[i].has_addr)
			r = push(&tail, addr_node(&ifs[i]));
	}
	free(ifs);
	if (r < 0) {
		names_freeifaddrs(first);
		return r;
	}
	*res = first;
	return 0;
}

void names_freeifaddrs(struct ifaddrs *res)
{
	while (res) {
		struct ifaddrs *next = res->ifa_next;

		free(res); /* first member of its struct node */
		res = next;
	}
}

unsigned names_if_index(unsigned id, const char *name)
{
	struct proto_if *ifs;
	unsigned found = 0;
	size_t n;

	if (load(id, &ifs, &n) < 0)
		return 0;
	for (size_t i = 0; i < n && !found; i++) {
		if (!strcmp(ifs[i].name, name))
			found = ifs[i].ifindex;
	}
	free(ifs);
	return found;
}

bool names_if_name(unsigned id, unsigned index, char *name)
{
	struct proto_if *ifs;
	bool found = false;
	size_t n;

	if (load(id, &ifs, &n) < 0)
		return false;
	for (size_t i = 0; i < n && !found; i++) {
		if (ifs[i].ifindex != index)
			continue;
		memcpy(name, ifs[i].name, IF_NAMESIZE - 1);
		name[IF_NAMESIZE - 1] = '\0';
		found = true;
	}
	free(ifs);
	return found;
}

/* One allocation, so that if_freenameindex() is free(); the names lie behind
 * the array. */
struct if_nameindex *names_if_list(unsigned id)
{
	struct if_nameindex *v;
	struct proto_if *ifs;
	size_t n, k = 0;
	char *text;

	if (load(id, &ifs, &n) < 0)
		return NULL;
	v = calloc(n + 1, sizeof(*v) + IF_NAMESIZE);
	text = (char *)(v + n + 1);
	for (size_t i = 0; v && i < n; i++) {
		if (!ifs[i].first)
			continue;
		v[k].if_index = ifs[i].ifindex;
		v[k].if_name = text + k * IF_NAMESIZE;
		memcpy(v[k].if_name, ifs[i].name, IF_NAMESIZE - 1);
		k++;
	}
	free(ifs);
	return v;
}
