/* Default source address selection (RFC 6724 5), as a host needs it. */
#include "ip/ip_int.h"

struct candidate {
	const struct ip_ifaddr *ia;
	bool same, deprecated, label, on_link, temporary;
	int scope;
	unsigned bits;
};

/* [RFC6724 3.1, 3.2] scopes of RFC 4291 2.7; IPv4 as if mapped */
static int scope_of(const struct ip_addr *a)
{
	if (a->family == IP_V4)
		return ip_is_loopback(a) || ip_is_link_local(a) ? 2 : 14;
	if (ip_is_multicast(a))
		return a->b[1] & 0x0f;
	if (ip_is_loopback(a) || ip_is_link_local(a))
		return 2;
	if (a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0xc0)
		return 5;
	return 14;
}

/* [RFC6724 2.1] labels of the default policy table, longest first */
static int label_of(const struct ip_addr *a)
{
	static const struct {
		struct ip_prefix p;
		int label;
	} table[] = {
		{{{IP_V6, {[15] = 1}}, 128}, 0},
		{{{IP_V6, {[10] = 0xff, [11] = 0xff}}, 96}, 4},
		{{{IP_V6, {0}}, 96}, 3},
		{{{IP_V6, {0x20, 0x01}}, 32}, 5},
		{{{IP_V6, {0x20, 0x02}}, 16}, 2},
		{{{IP_V6, {0x3f, 0xfe}}, 16}, 12},
		{{{IP_V6, {0xfe, 0xc0}}, 10}, 11},
		{{{IP_V6, {0xfc}}, 7}, 13},
	};

	if (a->family == IP_V4)
		return 4;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (ip_prefix_has(&table[i].p, a))
			return table[i].label;
	return 1;
}

/* [RFC1122 3.3.4.3] */
static struct candidate weigh(const struct ip_ifaddr *ia,
			      const struct ip_addr *dst,
			      const struct ip_addr *next_hop)
{
	bool v4 = dst->family == IP_V4;

	return (struct candidate){
		.ia = ia,
		.same = ip_eq(&ia->addr, dst),
		.deprecated = ia->state == IP_ADDR_DEPRECATED,
		.label = label_of(&ia->addr) == label_of(dst),
		.scope = scope_of(&ia->addr),
		.temporary = ia->temporary,
		/* IPv4 has one habit more: the address whose subnet holds
		 * the next hop; bits in common with a far destination mean
		 * nothing there. */
		.on_link =
			v4 && ip_common_bits(&ia->addr, next_hop) >= ia->plen,
		.bits = v4 ? 0
			   : MIN(ip_common_bits(&ia->addr, dst),
				 (unsigned)ia->plen),
	};
}

/* [RFC6724 5] is `b` better than `a`? Rule 4 has no objects here
 * (no home); rule 5 was applied by the caller. */
static bool better(const struct candidate *a, const struct candidate *b,
		   int scope)
{
	if (a->same != b->same) /* rule 1 */
		return b->same;
	if (a->scope != b->scope) /* rule 2 */
		return a->scope < b->scope ? a->scope < scope
					   : b->scope >= scope;
	if (a->deprecated != b->deprecated) /* rule 3 */
		return a->deprecated;
	if (a->label != b->label) /* rule 6 */
		return b->label;
	if (a->temporary != b->temporary) /* rule 7 */
		return b->temporary;
	if (a->on_link != b->on_link)
		return b->on_link;
	return b->bits > a->bits; /* rule 8 */
}

static bool is_candidate(const struct ip_ifaddr *ia, const struct ip_addr *dst,
			 const struct ip_iface *ifc, bool elsewhere)
{
	if (ia->addr.family != dst->family || !ip_ifaddr_usable(ia))
		return false;
	if (!elsewhere)
		return ia->ifc == ifc;
	return ia->ifc->index != IP_LOOPBACK && ia->ifc->up &&
	       !ip_is_link_local(&ia->addr);
}

const struct ip_ifaddr *ip_srcsel(const struct ip_stack *ips,
				  const struct ip_addr *dst,
				  const struct ip_addr *next_hop,
				  const struct ip_iface *ifc)
{
	struct candidate best = {0};
	int scope = scope_of(dst);

	/* [RFC6724 4, rule 5] addresses of the outgoing interface; if it has
	 * none (an unnumbered link), a wide one of another. */
	for (int elsewhere = 0; elsewhere < 2 && !best.ia; elsewhere++) {
		for (uint32_t i = 0; i < ips->n_addr; i++) {
			struct candidate c;

			if (!is_candidate(ips->addr[i], dst, ifc, elsewhere))
				continue;
			c = weigh(ips->addr[i], dst, next_hop);
			if (!best.ia || better(&best, &c, scope))
				best = c;
		}
	}
	return best.ia;
}
