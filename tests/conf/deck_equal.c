#include "deck_equal.h"

#include <string.h>

/* The first field that differs is the answer. */
#define SAME(field) \
	do { \
		if (a->field != b->field) \
			return #field; \
	} while (0)
#define SAME_TEXT(field) \
	do { \
		if (strcmp(a->field, b->field) != 0) \
			return #field; \
	} while (0)
#define SAME_ADDR(field) \
	do { \
		if (!ip_eq(&a->field, &b->field)) \
			return #field; \
	} while (0)
#define SAME_EACH(array, n, fn) \
	do { \
		if (a->n != b->n) \
			return #n; \
		for (uint32_t i = 0; i < a->n; i++) { \
			const char *found = fn(&a->array[i], &b->array[i]); \
			if (found) \
				return found; \
		} \
	} while (0)

static const char *prefix(const struct ip_prefix *a, const struct ip_prefix *b)
{
	SAME_ADDR(addr);
	SAME(len);
	return NULL;
}

static const char *device(const struct deck_device *a,
			  const struct deck_device *b)
{
	SAME_TEXT(name);
	SAME_TEXT(cuu);
	SAME_TEXT(datacuu);
	SAME_TEXT(portname);
	SAME(layer2);
	if (memcmp(a->mac, b->mac, sizeof(a->mac)) != 0)
		return "mac";
	SAME(medium);
	SAME(medium_given);
	SAME_TEXT(ifname);
	SAME_TEXT(path);
	SAME(path_listen);
	SAME(fd);
	SAME(offload);
	SAME(queues);
	SAME(txqueuelen);
	SAME(vlan);
	SAME_TEXT(bridge);
	SAME_EACH(host_addr, n_host_addr, prefix);
	SAME(host_routes);
	SAME(isolate);
	return NULL;
}

static const char *link(const struct deck_link *a, const struct deck_link *b)
{
	SAME_TEXT(device);
	SAME(number);
	SAME_ADDR(addr);
	SAME(plen);
	SAME(mtu);
	return NULL;
}

static const char *route(const struct deck_route *a, const struct deck_route *b)
{
	SAME_TEXT(device);
	SAME_ADDR(route.dst.addr);
	SAME(route.dst.len);
	SAME_ADDR(route.gateway);
	SAME(route.ifindex);
	SAME(route.metric);
	SAME(route.from_ra);
	SAME(route.until.ns);
	return NULL;
}

static const char *rule(const struct ip_rule *a, const struct ip_rule *b)
{
	SAME(deny);
	SAME(out);
	SAME(any_proto);
	SAME(proto);
	SAME(family);
	SAME_ADDR(remote.addr);
	SAME(remote.len);
	SAME_ADDR(local.addr);
	SAME(local.len);
	SAME(port_lo);
	SAME(port_hi);
	SAME(icmp_type);
	SAME(icmp_code);
	SAME(hits);
	return NULL;
}

static const char *host(const struct deck_host *a, const struct deck_host *b)
{
	SAME_TEXT(name);
	SAME_ADDR(addr);
	return NULL;
}

static const char *server(const struct deck_dns *a, const struct deck_dns *b)
{
	SAME_ADDR(addr);
	SAME(primary);
	return NULL;
}

static const char *ip_tune(const struct ip_tune *a, const struct ip_tune *b)
{
	SAME(reasm_limit_bytes);
	SAME(reasm_per_src);
	SAME(icmp_errors_per_s);
	SAME(neigh_max);
	SAME(neigh_queue_pkts);
	SAME(ttl);
	SAME(redirects);
	SAME(accept_ra);
	SAME(ra_routes);
	SAME(ra_addrs);
	SAME(ra_dns);
	SAME(ra_hop_min);
	SAME(temp_addrs);
	SAME(dad_transmits);
	SAME(arp_probes);
	return NULL;
}

static const char *tcp_tune(const struct tcp_tune *a, const struct tcp_tune *b)
{
	SAME(rto_initial.ns);
	SAME(rto_min.ns);
	SAME(rto_max.ns);
	SAME(delack.ns);
	SAME(timewait.ns);
	SAME(fin_wait2.ns);
	SAME(keep_idle.ns);
	SAME(keep_intvl.ns);
	SAME(keep_count);
	SAME(syn_retries);
	SAME(synack_retries);
	SAME(retries2);
	SAME(orphan_retries);
	SAME(initial_cwnd_segs);
	SAME(sndbuf_init);
	SAME(sndbuf_max);
	SAME(rcvbuf_init);
	SAME(rcvbuf_max);
	SAME(syn_backlog_max);
	SAME(challenge_acks_per_s);
	SAME(timestamps);
	SAME(sack);
	SAME(window_scaling);
	SAME(syn_cookies);
	SAME(ecn);
	SAME(cc);
	return NULL;
}

static const char *policy(const struct deck_policy *a,
			  const struct deck_policy *b)
{
	return !strcmp(a->name, b->name) && a->what == b->what &&
			       a->deny == b->deny && a->has_uid == b->has_uid &&
			       a->uid == b->uid && a->has_gid == b->has_gid &&
			       a->gid == b->gid && a->port_lo == b->port_lo &&
			       a->port_hi == b->port_hi &&
			       !strcmp(a->program, b->program)
		       ? NULL
		       : "policy";
}

static const char *held(const struct deck_hold *a, const struct deck_hold *b)
{
	SAME(inbound);
	SAME(port_lo);
	SAME(port_hi);
	return prefix(&a->remote, &b->remote);
}

static const char *number(const uint32_t *a, const uint32_t *b)
{
	return *a == *b ? NULL : "allow";
}

const char *deck_differs(const struct stackd_deck *a,
			 const struct stackd_deck *b)
{
	const char *differs;

	SAME_TEXT(id);
	SAME_TEXT(couple);
	SAME(interval_s);
	SAME(attached);
	SAME_TEXT(job);
	SAME_EACH(devices, n_devices, device);
	SAME_EACH(links, n_links, link);
	SAME_EACH(routes, n_routes, route);
	SAME_EACH(rules, n_rules, rule);
	SAME_EACH(hosts, n_hosts, host);
	SAME_EACH(dns, n_dns, server);
	SAME_TEXT(search);
	SAME(pool_limit_bytes);
	SAME(sock_max);
	SAME(timewait_max);
	SAME(port_lo);
	SAME(port_hi);
	SAME_EACH(allow_uid, n_allow_uid, number);
	SAME_EACH(allow_gid, n_allow_gid, number);
	SAME_EACH(policies, n_policies, policy);
	SAME(priv_port_max);
	SAME_EACH(holds, n_holds, held);
	SAME(divert_wait_s);
	SAME_TEXT(metrics);
	differs = ip_tune(&a->ip, &b->ip);
	return differs ? differs : tcp_tune(&a->tcp, &b->tcp);
}
