#include "osa/oat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int oat_add(struct oat *t, const struct ip_prefix *a)
{
	if (a->addr.family == IP_NONE || ip_is_any(&a->addr) ||
	    ip_is_multicast(&a->addr) || ip_is_broadcast(&a->addr) ||
	    a->len > 8 * ip_addr_len(&a->addr))
		return -EINVAL;
	if (oat_find(t, &a->addr))
		return -EEXIST;
	if (t->n == OSA_ADDRS_MAX)
		return -ENOSPC;
	if (!t->e)
		t->e = calloc(OSA_ADDRS_MAX, sizeof(*t->e));
	if (!t->e)
		return -ENOMEM;
	t->e[t->n++] = (struct oat_entry){.pub.addr = *a};
	return 0;
}

int oat_del(struct oat *t, const struct ip_addr *a)
{
	struct oat_entry *e = oat_find(t, a);

	if (!e)
		return -ENOENT;
	t->n--;
	memmove(e, e + 1, (size_t)(t->e + t->n - e) * sizeof(*e));
	return 0;
}

void oat_clear(struct oat *t)
{
	free(t->e);
	*t = (struct oat){0};
}

struct oat_entry *oat_find(const struct oat *t, const struct ip_addr *a)
{
	for (uint32_t i = 0; i < t->n; i++)
		if (ip_eq(&t->e[i].pub.addr.addr, a))
			return &t->e[i];
	return NULL;
}

static bool shares_net(const struct ip_prefix *p, const struct ip_addr *a)
{
	struct ip_prefix net = ip_prefix_make(&p->addr, p->len);

	return ip_prefix_has(&net, a);
}

bool oat_on_link(const struct oat *t, const struct ip_addr *a)
{
	if (ip_is_link_local(a))
		return true;
	for (uint32_t i = 0; i < t->n; i++)
		if (shares_net(&t->e[i].pub.addr, a))
			return true;
	return false;
}

/* All host bits set, in a network that has host bits (RFC 3021: not /31). */
static bool all_ones(const struct ip_prefix *p, const struct ip_addr *a)
{
	unsigned bits = p->len;

	if (p->addr.family != IP_V4 || p->len > 30 || !shares_net(p, a))
		return false;
	while (bits < 32 && (a->b[bits / 8] >> (7 - bits % 8) & 1))
		bits++;
	return bits == 32;
}

bool oat_is_broadcast(const struct oat *t, const struct ip_addr *a)
{
	if (ip_is_broadcast(a))
		return true;
	if (a->family != IP_V4)
		return false;
	for (uint32_t i = 0; i < t->n; i++)
		if (all_ones(&t->e[i].pub.addr, a))
			return true;
	return false;
}

struct ip_addr oat_source(const struct oat *t, const struct ip_addr *target)
{
	struct ip_addr any = {.family = IP_NONE};

	for (uint32_t i = 0; i < t->n; i++) {
		const struct ip_prefix *p = &t->e[i].pub.addr;

		if (p->addr.family != target->family)
			continue;
		if (shares_net(p, target))
			return p->addr;
		if (any.family == IP_NONE)
			any = p->addr;
	}
	return any;
}

void oat_conflict(struct oat_entry *e, const uint8_t mac[6])
{
	e->pub.conflicts++;
	memcpy(e->pub.conflict_mac, mac, 6);
	e->news = true;
}
