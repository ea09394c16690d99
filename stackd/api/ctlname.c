/*
 * ctlname.c: what the stack knows about names and interfaces, for the
 * resolver functions of front ends.
 */
#include "api/impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static void append(struct proto_rep *rep, uint8_t *data, size_t cap,
		   const void *what, size_t len)
{
	if (rep->data_len + len > cap)
		return;
	memcpy(data + rep->data_len, what, len);
	rep->data_len += (uint32_t)len;
}

void ctlname_host(struct api *a, const struct proto_req *rq,
		  struct proto_rep *rep, uint8_t *data, size_t cap)
{
	const struct stackd_deck *d = a->deck;

	for (uint32_t i = 0; i < d->n_hosts; i++) {
		struct ip_port p = {.addr = d->hosts[i].addr};
		struct proto_addr w;

		if (strcasecmp(d->hosts[i].name, rq->text) != 0)
			continue;
		proto_addr_put(&p, &w);
		append(rep, data, cap, &w, sizeof(w));
	}
	if (!rep->data_len)
		rep->error = -ENOENT;
}

void ctlname_hosts(struct api *a, const struct proto_req *rq,
		   struct proto_rep *rep, uint8_t *data, size_t cap)
{
	const struct stackd_deck *d = a->deck;
	int64_t i = rq->value;

	if (i < 0) {
		rep->error = -EINVAL;
		return;
	}
	for (; i < d->n_hosts; i++) {
		char addr[ADDR_TEXT_MAX],
			line[ADDR_TEXT_MAX + sizeof(d->hosts[i].name) + 3];
		int n;

		ip_format(&d->hosts[i].addr, addr);
		n = snprintf(line, sizeof(line), "%s %s\n", addr,
			     d->hosts[i].name);
		if (rep->data_len + (size_t)n > cap) {
			rep->value = i;
			return;
		}
		append(rep, data, cap, line, (size_t)n);
	}
}

void ctlname_hostrev(struct api *a, const struct proto_req *rq,
		     struct proto_rep *rep, uint8_t *data, size_t cap)
{
	const struct stackd_deck *d = a->deck;
	struct ip_port p;

	rep->error = -ENOENT;
	if (proto_addr_get(&rq->addr, &p) < 0)
		return;
	for (uint32_t i = 0; i < d->n_hosts; i++) {
		if (!ip_eq(&d->hosts[i].addr, &p.addr))
			continue;
		append(rep, data, cap, d->hosts[i].name,
		       strlen(d->hosts[i].name) + 1);
		rep->error = 0;
		return;
	}
}

/* [RFC8106 5.3.1] Name servers of routers, behind those of the deck. */
static uint32_t router_dns(struct api *a, struct proto_addr *ret, uint32_t max)
{
	struct ip_port p[ARRAY_SIZE(((struct proto_config *)0)->dns)];
	uint32_t n =
		ip_dns_servers(stack_ip(a->s), p,
			       MIN(max, (uint32_t)ARRAY_SIZE(p)), mono_now());

	for (uint32_t i = 0; i < n; i++)
		proto_addr_put(&p[i], &ret[i]);
	return n;
}

void ctlname_config(struct api *a, struct proto_rep *rep, uint8_t *data,
		    size_t cap)
{
	const struct stackd_deck *d = a->deck;
	struct proto_config cf;
	struct ip_addr_info ai;
	uint32_t it = 0;

	memset(&cf, 0, sizeof(cf));
	while (ip_iter_addr(stack_ip(a->s), &it, &ai)) {
		if (ip_is_loopback(&ai.addr) || ip_is_link_local(&ai.addr))
			continue;
		cf.has_v4 |= ai.addr.family == IP_V4;
		cf.has_v6 |= ai.addr.family == IP_V6;
	}
	for (uint32_t i = 0; i < d->n_dns && i < ARRAY_SIZE(cf.dns); i++) {
		struct ip_port p = {.addr = d->dns[i].addr, .port = 53};

		proto_addr_put(&p, &cf.dns[cf.n_dns++]);
	}
	cf.n_dns += router_dns(a, cf.dns + cf.n_dns,
			       (uint32_t)ARRAY_SIZE(cf.dns) - cf.n_dns);
	if (!d->search[0])
		(void)ip_dns_search(stack_ip(a->s), cf.search,
				    sizeof(cf.search), mono_now());
	else
		memcpy(cf.search, d->search,
		       MIN(sizeof(cf.search), sizeof(d->search)));
	cf.search[sizeof(cf.search) - 1] = '\0';
	append(rep, data, cap, &cf, sizeof(cf));
}

static void put_if(const struct ip_iface_info *info, struct proto_if *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->ifindex = info->ifindex;
	ret->mtu = info->config.mtu;
	ret->up = info->up;
	ret->loopback = info->config.kind == IP_LINK_LOOPBACK;
	memcpy(ret->mac, info->config.mac, sizeof(ret->mac));
	memcpy(ret->name, info->config.name,
	       MIN(sizeof(ret->name), sizeof(info->config.name)));
	ret->name[sizeof(ret->name) - 1] = '\0';
}

static void append_addrs(struct api *a, struct proto_if *w,
			 struct proto_rep *rep, uint8_t *data, size_t cap)
{
	struct ip_addr_info ai;
	uint32_t it = 0;

	w->first = 1;
	while (ip_iter_addr(stack_ip(a->s), &it, &ai)) {
		struct ip_port p = {.addr = ai.addr};

		if (ai.ifindex != w->ifindex)
			continue;
		if (ip_is_link_local(&ai.addr) && ai.addr.family == IP_V6)
			p.scope = ai.ifindex;
		proto_addr_put(&p, &w->addr);
		w->plen = ai.plen;
		w->has_addr = 1;
		append(rep, data, cap, w, sizeof(*w));
		w->first = 0;
	}
	if (w->first)
		append(rep, data, cap, w, sizeof(*w));
}

void ctlname_ifs(struct api *a, struct proto_rep *rep, uint8_t *data,
		 size_t cap)
{
	struct ip_iface_info info;
	uint32_t it = 0;

	while (ip_iter_iface(stack_ip(a->s), &it, &info)) {
		struct proto_if w;

		put_if(&info, &w);
		append_addrs(a, &w, rep, data, cap);
	}
}

void ctlname_routesrc(struct api *a, const struct proto_req *rq,
		      struct proto_rep *rep)
{
	struct ip_port to, src = {0};
	struct ip_path path;

	if (proto_addr_get(&rq->addr, &to) < 0) {
		rep->error = -EINVAL;
		return;
	}
	rep->error = ip_path(stack_ip(a->s), &to.addr, NULL, to.scope, &path);
	if (rep->error < 0)
		return;
	src.addr = path.src;
	proto_addr_put(&src, &rep->local);
}

int ctlname_dev(struct api *a, const char *name, uint32_t *ret)
{
	struct ip_iface_info info;
	uint32_t it = 0;

	while (ip_iter_iface(stack_ip(a->s), &it, &info)) {
		if (strcmp(info.config.name, name) == 0) {
			*ret = info.ifindex;
			return 0;
		}
	}
	return -ENODEV;
}
