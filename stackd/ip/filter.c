/* The firewall: first match wins, no match lets pass. */
#include "ip/ip_int.h"
#include "wire/icmp.h"
#include "wire/ipv6.h"

#include <errno.h>
#include <stdlib.h>

int ip_rule_add(struct ip_stack *ips, const struct ip_rule *r)
{
	if (ips->n_rule == IP_RULE_MAX)
		return -ENOSPC;
	if (ips->n_rule == ips->cap_rule) {
		uint32_t cap = MAX(8u, ips->cap_rule * 2);
		struct ip_rule *grown =
			realloc(ips->rule, cap * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		ips->memory += (cap - ips->cap_rule) * sizeof(*grown);
		ips->rule = grown;
		ips->cap_rule = cap;
	}
	ips->rule[ips->n_rule] = *r;
	ips->rule[ips->n_rule++].hits = 0;
	return 0;
}

void ip_rule_clear(struct ip_stack *ips)
{
	ips->n_rule = 0;
}

/* What the link itself lives on (neighbour discovery, group membership) is
 * only touched by a rule that names its type: "deny every protocol" is meant
 * for programs, and would otherwise cut the host off. */
static bool is_housekeeping(const struct ip_flow *f)
{
	if (f->proto == IP_PROTO_IGMP || f->proto == IPV6_NH_HOPOPTS)
		return true; /* the latter is MLD on its way out */
	if (f->proto != IP_PROTO_ICMPV6 || f->l4_len < 1)
		return false;
	return (f->l4[0] >= ICMP6_MLD_QUERY && f->l4[0] <= ICMP6_REDIRECT) ||
	       f->l4[0] == ICMP6_MLD2_REPORT;
}

static bool match_icmp(const struct ip_rule *r, const struct ip_flow *f)
{
	if (r->icmp_type >= 0 &&
	    (f->l4_len < 1 || f->l4[0] != (uint8_t)r->icmp_type))
		return false;
	return r->icmp_code < 0 ||
	       (f->l4_len >= 2 && f->l4[1] == (uint8_t)r->icmp_code);
}

/* The port of a rule is that of the service: where the packet goes to. */
static bool match_port(const struct ip_rule *r, const struct ip_flow *f)
{
	uint16_t port;

	if (!r->port_lo && !r->port_hi)
		return true;
	if ((f->proto != IP_PROTO_TCP && f->proto != IP_PROTO_UDP) ||
	    f->l4_len < 4)
		return false;
	port = (uint16_t)(f->l4[2] << 8 | f->l4[3]);
	return port >= r->port_lo && port <= MAX(r->port_hi, r->port_lo);
}

static bool match_addr(const struct ip_prefix *p, const struct ip_addr *a)
{
	return p->addr.family == IP_NONE || ip_prefix_has(p, a);
}

static bool match(const struct ip_rule *r, const struct ip_flow *f,
		  bool housekeeping)
{
	bool icmp = f->proto == IP_PROTO_ICMP || f->proto == IP_PROTO_ICMPV6 ||
		    f->proto == IP_PROTO_IGMP;

	if (r->out != f->out || (!r->any_proto && r->proto != f->proto))
		return false;
	if (r->family != IP_NONE && r->family != f->local->family)
		return false;
	if (housekeeping && r->icmp_type < 0)
		return false;
	if (!icmp && (r->icmp_type >= 0 || r->icmp_code >= 0))
		return false;
	return match_addr(&r->remote, f->remote) &&
	       match_addr(&r->local, f->local) && match_port(r, f) &&
	       (!icmp || match_icmp(r, f));
}

bool ip_filter_pass(struct ip_stack *ips, const struct ip_flow *f)
{
	bool housekeeping = is_housekeeping(f);

	for (uint32_t i = 0; i < ips->n_rule; i++) {
		if (!match(&ips->rule[i], f, housekeeping))
			continue;
		ips->rule[i].hits++;
		return !ips->rule[i].deny;
	}
	return true;
}

bool ip_iter_rule(const struct ip_stack *ips, uint32_t *it, struct ip_rule *ret)
{
	if (*it >= ips->n_rule)
		return false;
	*ret = ips->rule[(*it)++];
	return true;
}
