#include "client/names_order.h"

/* Scopes of RFC 6724 3.1; loopback is link-local there [RFC6724 3.4]. */
static int scope_of(const struct ip_addr *a)
{
	return ip_is_link_local(a) || ip_is_loopback(a) ? 2 : 14;
}

/* The default policy table, RFC 6724 2.1. */
struct policy {
	int precedence, label;
};

static struct policy policy_of(const struct ip_addr *a)
{
	if (a->family == IP_V4 || ip_is_v4_mapped(a))
		return (struct policy){35, 4};
	if (ip_is_loopback(a))
		return (struct policy){50, 0};
	if (a->b[0] == 0x20 && a->b[1] == 0x02) /* 6to4 */
		return (struct policy){30, 2};
	if (a->b[0] == 0x20 && a->b[1] == 0x01 && !a->b[2] && !a->b[3])
		return (struct policy){5, 5}; /* Teredo */
	if ((a->b[0] & 0xfe) == 0xfc)         /* unique local */
		return (struct policy){3, 13};
	return (struct policy){40, 1};
}

/* Bits that both have in common, within one family. */
static int common_bits(const struct ip_addr *a, const struct ip_addr *b)
{
	int n = a->family == IP_V6 ? 128 : 32, i = 0;

	if (a->family != b->family)
		return 0;
	while (i < n && !((a->b[i / 8] ^ b->b[i / 8]) & (0x80 >> (i % 8))))
		i++;
	return i;
}

static bool same_scope(const struct names_dest *d)
{
	return scope_of(&d->src) == scope_of(&d->to.addr);
}

static bool same_label(const struct names_dest *d)
{
	return policy_of(&d->src).label == policy_of(&d->to.addr).label;
}

/* Above 0: `a` is better. Rules 3, 4 and 7 need deprecated, home and
 * encapsulated addresses, which the stack does not have. */
static int compare(const struct names_dest *a, const struct names_dest *b)
{
	bool ra = a->src.family != IP_NONE, rb = b->src.family != IP_NONE;
	int r = ra - rb; /* rule 1: avoid unusable destinations */

	if (r || !ra)
		return r;
	r = same_scope(a) - same_scope(b); /* rule 2 */
	if (!r)
		r = same_label(a) - same_label(b); /* rule 5 */
	if (!r)
		r = policy_of(&a->to.addr).precedence -
		    policy_of(&b->to.addr).precedence; /* rule 6 */
	if (!r)
		r = scope_of(&b->to.addr) - scope_of(&a->to.addr); /* rule 8 */
	/* rule 9, for IPv6: in IPv4 it would undo what servers do to spread
	 * load, for nothing */
	if (!r && a->to.addr.family == IP_V6 && b->to.addr.family == IP_V6)
		r = common_bits(&a->src, &a->to.addr) -
		    common_bits(&b->src, &b->to.addr);
	return r;
}

void names_order(struct names_dest *d, size_t n)
{
	for (size_t i = 1; i < n; i++) { /* stable: rule 10 */
		struct names_dest x = d[i];
		size_t k = i;

		for (; k > 0 && compare(&x, &d[k - 1]) > 0; k--)
			d[k] = d[k - 1];
		d[k] = x;
	}
}
