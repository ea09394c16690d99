/* One stack of layer 3: its life, its memory, its counters. */
#include "ip/ip_int.h"

#include <errno.h>
#include <stdlib.h>

void ip_tune_default(struct ip_tune *ret)
{
	*ret = (struct ip_tune){
		.reasm_limit_bytes = 4u << 20,
		.reasm_per_src = 64,
		.icmp_errors_per_s = 100,
		.neigh_max = 1024,
		.neigh_queue_pkts = 8,
		.ttl = 64,
		.accept_ra = true,
		.ra_routes = true,
		.ra_addrs = true,
		.ra_dns = true,
		.ra_hop_min = 32,
		.dad_transmits = 1,
		.arp_probes = 3,
	};
}

void *ip_alloc(struct ip_stack *ips, size_t bytes)
{
	void *p = calloc(1, bytes);

	if (p)
		ips->memory += bytes;
	return p;
}

void ip_release(struct ip_stack *ips, void *p, size_t bytes)
{
	if (!p)
		return;
	ips->memory -= bytes;
	free(p);
}

uint64_t ip_random(struct ip_stack *ips, uint64_t lo, uint64_t hi)
{
	return lo + ips->env.rand64(ips->env.rand_arg) % (hi - lo + 1);
}

mono_t ip_soon(struct ip_stack *ips, mono_t now, uint64_t lo_ms, uint64_t hi_ms)
{
	uint64_t ns = ip_random(ips, lo_ms * 1000000, hi_ms * 1000000);

	return mono_add(now, DUR_NS(MAX(ns, 1000000u)));
}

static int setup(struct ip_stack *ips)
{
	static const struct ip_iface_config loopback = {
		.name = "LOOPBACK",
		.kind = IP_LINK_LOOPBACK,
		.mtu = IP_LOOPBACK_MTU,
		.tx_csum = true,
		.v4 = true,
		.v6 = true,
	};
	struct ip_addr v4 = ip_loopback(IP_V4), v6 = ip_loopback(IP_V6);
	mono_t start = {0};
	int r;

	r = ip_timer_init(ips, &ips->route_timer, IP_T_ROUTE);
	if (r < 0)
		return r;
	r = ip_timer_init(ips, &ips->pmtu_timer, IP_T_PMTU);
	if (r < 0)
		return r;
	r = ip_reasm_setup(ips);
	if (r < 0)
		return r;
	r = ip_iface_add(ips, &loopback, start);
	if (r < 0)
		return r;
	r = ip_addr_add(ips, IP_LOOPBACK, &v4, 8, start);
	if (r < 0)
		return r;
	return ip_addr_add(ips, IP_LOOPBACK, &v6, 128, start);
}

void ip_stack_set_tune(struct ip_stack *ips, const struct ip_tune *tune)
{
	ips->tune = *tune;
}

struct ip_stack *ip_stack_new(const struct ip_env *env,
			      const struct ip_tune *tune)
{
	struct ip_stack *ips = calloc(1, sizeof(*ips));
	struct ip_event ev;

	if (!ips)
		return NULL;
	ips->memory = sizeof(*ips);
	ips->env = *env;
	ips->tune = *tune;
	ips->gen = 1;
	ips->icmp_bucket.milli = UINT32_MAX; /* full, whatever its size */
	if (setup(ips) < 0) {
		ip_stack_free(ips);
		return NULL;
	}
	/* Nobody has to hear of the loopback's birth. */
	while (ip_event(ips, &ev))
		;
	return ips;
}

static void empty_iface(struct ip_iface *ifc)
{
	while (!list_empty(&ifc->groups))
		ip_group_free(
			container_of(ifc->groups.next, struct ip_group, node));
	ip_neighs_free(ifc);
}

void ip_stack_free(struct ip_stack *ips)
{
	if (!ips)
		return;
	/* First what takes its timers off the heap, which still points into
	 * everything else. */
	ip_reasm_free_all(ips);
	for (uint32_t i = 1; i <= ips->n_iface; i++)
		empty_iface(ips->iface[i]);
	for (uint32_t i = 0; i < ips->n_addr; i++)
		free(ips->addr[i]);
	for (uint32_t i = 1; i <= ips->n_iface; i++)
		free(ips->iface[i]);
	pkt_free_chain(ips->env.pool, ips->out_head);
	pkt_free(ips->env.pool, ips->out_sent);
	free(ips->route);
	free(ips->rule);
	free(ips->pmtu);
	ip_timers_free(ips);
	free(ips);
}

bool ip_drop(struct ip_stack *ips, struct pkt *p, enum ip_drop why)
{
	ips->drops[why]++;
	pkt_free(ips->env.pool, p);
	return false;
}

const char *ip_drop_name(enum ip_drop d)
{
	static const char *const name[] = {
		[IP_DROP_NONE] = "none",
		[IP_DROP_SHORT] = "short",
		[IP_DROP_BAD_HEADER] = "bad-header",
		[IP_DROP_BAD_CSUM] = "bad-checksum",
		[IP_DROP_NOT_OURS] = "not-ours",
		[IP_DROP_MARTIAN] = "martian",
		[IP_DROP_FILTER] = "filter",
		[IP_DROP_NO_PROTO] = "no-protocol",
		[IP_DROP_OPTION] = "option",
		[IP_DROP_FRAG_OVERLAP] = "fragment-overlap",
		[IP_DROP_FRAG_BAD] = "fragment-bad",
		[IP_DROP_FRAG_LIMIT] = "fragment-limit",
		[IP_DROP_FRAG_TIMEOUT] = "fragment-timeout",
		[IP_DROP_NO_BUFFER] = "no-buffer",
		[IP_DROP_NEIGH_QUEUE] = "neighbour-queue",
		[IP_DROP_NEIGH_FAILED] = "neighbour-failed",
		[IP_DROP_ND_INVALID] = "nd-invalid",
		[IP_DROP_ARP_INVALID] = "arp-invalid",
		[IP_DROP_ICMP_INVALID] = "icmp-invalid",
		[IP_DROP_RATE_LIMIT] = "rate-limit",
		[IP_DROP_NO_ROUTE] = "no-route",
		[IP_DROP_IFACE_DOWN] = "interface-down",
		[IP_DROP_L2] = "link-layer",
	};

	_Static_assert(ARRAY_SIZE(name) == IP_DROP__COUNT, "a name each");
	return d < IP_DROP__COUNT ? name[d] : "?";
}

const uint64_t *ip_drops(const struct ip_stack *ips)
{
	return ips->drops;
}

const struct ip_counters *ip_counters(const struct ip_stack *ips)
{
	return &ips->count;
}

size_t ip_memory(const struct ip_stack *ips)
{
	return ips->memory;
}
