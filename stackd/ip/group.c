/* Group membership of the interfaces: who is a member, counted. */
#include "ip/ip_int.h"

#include <errno.h>

static const struct ip_addr all_hosts = {IP_V4, {224, 0, 0, 1}};
static const struct ip_addr all_nodes = {IP_V6, {0xff, 0x02, [15] = 1}};
static const struct ip_addr all_nodes_if = {IP_V6, {0xff, 0x01, [15] = 1}};

static bool is_everybody(const struct ip_addr *group)
{
	return ip_eq(group, &all_hosts) || ip_eq(group, &all_nodes) ||
	       ip_eq(group, &all_nodes_if);
}

/* [RFC3376 6] [RFC3810 6] these are never reported */
bool ip_group_silent(const struct ip_addr *group)
{
	return is_everybody(group) ||
	       (group->family == IP_V6 && (group->b[1] & 0x0f) < 2);
}

static struct ip_group *find(const struct ip_iface *ifc,
			     const struct ip_addr *group)
{
	LIST_FOREACH (it, &ifc->groups) {
		struct ip_group *g = container_of(it, struct ip_group, node);

		if (ip_eq(&g->addr, group))
			return g;
	}
	return NULL;
}

static bool is_member(const struct ip_iface *ifc, const struct ip_addr *group)
{
	const struct ip_group *g = find(ifc, group);

	return g && !g->leaving;
}

bool ip_group_member(const struct ip_stack *ips, const struct ip_iface *ifc,
		     const struct ip_addr *group)
{
	if (is_everybody(group))
		return true;
	if (ifc)
		return is_member(ifc, group);
	for (uint32_t i = 1; i <= ips->n_iface; i++)
		if (is_member(ips->iface[i], group))
			return true;
	return false;
}

static struct ip_group *group_new(struct ip_iface *ifc,
				  const struct ip_addr *group)
{
	struct ip_stack *ips = ifc->ips;
	struct ip_group *g = ip_alloc(ips, sizeof(*g));

	if (!g)
		return NULL;
	if (ip_timer_init(ips, &g->timer, IP_T_GROUP) < 0) {
		ip_release(ips, g, sizeof(*g));
		return NULL;
	}
	g->ifc = ifc;
	g->addr = *group;
	g->report_at = g->answer_at = MONO_NEVER;
	list_push_tail(&ifc->groups, &g->node);
	return g;
}

void ip_group_free(struct ip_group *g)
{
	struct ip_stack *ips = g->ifc->ips;

	list_remove(&g->node);
	ip_timer_fini(ips, &g->timer);
	ip_release(ips, g, sizeof(*g));
}

static int join(struct ip_iface *ifc, const struct ip_addr *group, bool own,
		mono_t now)
{
	struct ip_group *g = find(ifc, group);
	bool was;

	if (!own && (!g || !g->refs) && ifc->n_groups == IP_GROUP_MAX)
		return -ENOBUFS;
	if (!g)
		g = group_new(ifc, group);
	if (!g)
		return -ENOMEM;
	was = g->refs || g->refs_own;
	if (own) {
		g->refs_own++;
	} else {
		ifc->n_groups += g->refs == 0;
		g->refs++;
	}
	if (!was) {
		g->leaving = false;
		ip_group_changed(g, true, now);
	}
	return 0;
}

/* `g` may be gone afterwards. */
static void leave(struct ip_group *g, mono_t now)
{
	if (g->refs || g->refs_own)
		return;
	g->leaving = true;
	ip_group_changed(g, false, now);
}

/* [RFC1122 3.3.7] */
int ip_group_join(struct ip_stack *ips, uint32_t ifindex,
		  const struct ip_addr *group, mono_t now)
{
	struct ip_iface *ifc = ip_iface_get(ips, ifindex);

	if (!ifc)
		return -ENODEV;
	if (group->family == IP_NONE || !ip_is_multicast(group))
		return -EINVAL;
	return join(ifc, group, false, now);
}

int ip_group_leave(struct ip_stack *ips, uint32_t ifindex,
		   const struct ip_addr *group, mono_t now)
{
	struct ip_iface *ifc = ip_iface_get(ips, ifindex);
	struct ip_group *g;

	if (!ifc)
		return -ENODEV;
	if (group->family == IP_NONE || !ip_is_multicast(group))
		return -EINVAL;
	g = find(ifc, group);
	if (!g || !g->refs)
		return -EADDRNOTAVAIL;
	g->refs--;
	ifc->n_groups -= g->refs == 0;
	leave(g, now);
	return 0;
}

/* [RFC4861 7.2.1] */
int ip_group_join_own(struct ip_iface *ifc, const struct ip_addr *group,
		      mono_t now)
{
	return join(ifc, group, true, now);
}

void ip_group_leave_own(struct ip_iface *ifc, const struct ip_addr *group,
			mono_t now)
{
	struct ip_group *g = find(ifc, group);

	if (!g || !g->refs_own)
		return;
	g->refs_own--;
	leave(g, now);
}
