#include "display.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- small texts
 * ---------------------------------------------------------------- */

/* Name of an interface by its index, "-" when there is none. */
static const char *iface_name(const struct display *d, uint32_t ifindex,
			      struct ip_iface_info *space)
{
	if (ip_iface_info(stack_ip(d->stack), ifindex, space) < 0)
		return "-";
	return space->config.name;
}

static const char *mac_text(const uint8_t mac[6], char buf[18])
{
	snprintf(buf, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1],
		 mac[2], mac[3], mac[4], mac[5]);
	return buf;
}

/* "10.0.0.0/8"; "any" for a prefix without family. */
static const char *prefix_text(const struct ip_prefix *p,
			       char buf[ADDR_TEXT_MAX + 4])
{
	char addr[ADDR_TEXT_MAX];

	if (p->addr.family == IP_NONE)
		return "any";
	snprintf(buf, ADDR_TEXT_MAX + 4, "%s/%u", ip_format(&p->addr, addr),
		 p->len);
	return buf;
}

/* Seconds until `at`: "forever", or a number. */
static void lifetime(struct table *t, const struct display *d, mono_t at)
{
	if (mono_is_never(at))
		table_none(t);
	else if (mono_leq(at, d->now))
		table_num(t, 0, "0s");
	else
		table_num(t, (uint64_t)dur_ms(mono_sub(at, d->now)) / 1000,
			  "%llus",
			  (unsigned long long)dur_ms(mono_sub(at, d->now)) /
				  1000);
}

static int finish(const struct display *d, struct table *t)
{
	int r = table_print(t, true, true, d->write, d->arg);

	table_free(t);
	return r;
}

static int finish_record(const struct display *d, struct table *t)
{
	int r = table_print_record(t, d->write, d->arg);

	table_free(t);
	return r;
}

/* ---- layer 3
 * ------------------------------------------------------------------------ */

static const char *kind_name(enum ip_link_kind k)
{
	switch (k) {
	case IP_LINK_LOOPBACK:
		return "loopback";
	case IP_LINK_L3:
		return "layer3";
	case IP_LINK_L2:
		return "layer2";
	}
	return "?";
}

int display_links(const struct display *d)
{
	static const struct table_col cols[] = {
		{"ifindex", "IF", TABLE_RIGHT, 0},
		{"name", "NAME", TABLE_LEFT, 0},
		{"kind", "KIND", TABLE_LEFT, 0},
		{"state", "STATE", TABLE_LEFT, 0},
		{"mtu", "MTU", TABLE_RIGHT, 0},
		{"mac", "MAC", TABLE_LEFT, 0},
		{"vlan", "VLAN", TABLE_RIGHT, 0},
		{"rx_packets", "RX-PKTS", TABLE_RIGHT, 0},
		{"rx_bytes", "RX-BYTES", TABLE_RIGHT, 0},
		{"tx_packets", "TX-PKTS", TABLE_RIGHT, 0},
		{"tx_bytes", "TX-BYTES", TABLE_RIGHT, 0},
		{"gso_max", NULL, TABLE_RIGHT, 0},
		{"tx_csum_offload", NULL, TABLE_LEFT, 0},
	};
	struct table *t = table_new(cols, ARRAY_SIZE(cols), d->json);
	struct ip_iface_info i;
	uint32_t it = 0;
	char mac[18];

	if (!t)
		return -ENOMEM;
	while (ip_iter_iface(stack_ip(d->stack), &it, &i)) {
		table_u64(t, i.ifindex);
		table_str(t, i.config.name);
		table_str(t, kind_name(i.config.kind));
		table_str(t, i.up ? "UP" : "DOWN");
		table_u64(t, i.config.mtu);
		if (i.config.kind == IP_LINK_L2)
			table_str(t, mac_text(i.config.mac, mac));
		else
			table_none(t);
		if (i.config.vlan)
			table_u64(t, i.config.vlan);
		else
			table_none(t);
		table_u64(t, i.rx_packets);
		table_u64(t, i.rx_bytes);
		table_u64(t, i.tx_packets);
		table_u64(t, i.tx_bytes);
		table_u64(t, i.config.gso_max);
		table_bool(t, i.config.tx_csum);
	}
	return finish(d, t);
}

static const char *addr_state_name(enum ip_addr_state s)
{
	switch (s) {
	case IP_ADDR_TENTATIVE:
		return "tentative";
	case IP_ADDR_PREFERRED:
		return "preferred";
	case IP_ADDR_DEPRECATED:
		return "deprecated";
	case IP_ADDR_DUPLICATE:
		return "DUPLICATE";
	}
	return "?";
}

/* Who brought an address: a router, the deck, or the stack by itself. */
static const char *addr_origin(const struct display *d,
			       const struct ip_addr_info *a)
{
	if (a->temporary)
		return "temporary"; /* RFC 8981 */
	if (a->from_ra)
		return "router";
	for (uint32_t i = 0; i < d->deck->n_links; i++)
		if (ip_eq(&d->deck->links[i].addr, &a->addr))
			return "deck";
	return "auto";
}

static const char *route_origin(const struct display *d,
				const struct ip_route *r)
{
	if (r->from_ra)
		return "router";
	for (uint32_t i = 0; i < d->deck->n_routes; i++) {
		const struct ip_route *x = &d->deck->routes[i].route;

		if (x->dst.len == r->dst.len && x->metric == r->metric &&
		    ip_eq(&x->dst.addr, &r->dst.addr) &&
		    ip_eq(&x->gateway, &r->gateway))
			return "deck";
	}
	return "address";
}

int display_addresses(const struct display *d)
{
	static const struct table_col cols[] = {
		{"link", "LINK", TABLE_LEFT, 0},
		{"address", "ADDRESS", TABLE_LEFT, 0},
		{"prefix", "PREFIX", TABLE_RIGHT, 0},
		{"state", "STATE", TABLE_LEFT, 0},
		{"origin", "ORIGIN", TABLE_LEFT, 0},
		{"preferred_s", "PREFERRED", TABLE_RIGHT, 0},
		{"valid_s", "VALID", TABLE_RIGHT, 0},
	};
	struct table *t = table_new(cols, ARRAY_SIZE(cols), d->json);
	struct ip_iface_info space;
	struct ip_addr_info a;
	char addr[ADDR_TEXT_MAX];
	uint32_t it = 0;

	if (!t)
		return -ENOMEM;
	while (ip_iter_addr(stack_ip(d->stack), &it, &a)) {
		table_str(t, iface_name(d, a.ifindex, &space));
		table_str(t, ip_format(&a.addr, addr));
		table_num(t, a.plen, "/%u", a.plen);
		table_str(t, addr_state_name(a.state));
		table_str(t, addr_origin(d, &a));
		lifetime(t, d, a.preferred_until);
		lifetime(t, d, a.valid_until);
	}
	return finish(d, t);
}

int display_routes(const struct display *d)
{
	static const struct table_col cols[] = {
		{"destination", "DESTINATION", TABLE_LEFT, 0},
		{"gateway", "GATEWAY", TABLE_LEFT, 0},
		{"link", "LINK", TABLE_LEFT, 0},
		{"metric", "METRIC", TABLE_RIGHT, 0},
		{"origin", "ORIGIN", TABLE_LEFT, 0},
		{"expires_s", "EXPIRES", TABLE_RIGHT, 0},
	};
	struct table *t = table_new(cols, ARRAY_SIZE(cols), d->json);
	char dst[ADDR_TEXT_MAX + 4], gw[ADDR_TEXT_MAX];
	struct ip_iface_info space;
	struct ip_route r;
	uint32_t it = 0;

	if (!t)
		return -ENOMEM;
	while (ip_iter_route(stack_ip(d->stack), &it, &r)) {
		table_str(t, prefix_text(&r.dst, dst));
		if (r.gateway.family != IP_NONE)
			table_str(t, ip_format(&r.gateway, gw));
		else if (d->json)
			table_none(t);
		else
			table_str(t, "on-link");
		table_str(t, iface_name(d, r.ifindex, &space));
		table_u64(t, r.metric);
		table_str(t, route_origin(d, &r));
		lifetime(t, d, r.until);
	}
	return finish(d, t);
}

int display_neighbours(const struct display *d)
{
	static const struct table_col cols[] = {
		{"address", "ADDRESS", TABLE_LEFT, 0},
		{"link", "LINK", TABLE_LEFT, 0},
		{"mac", "MAC", TABLE_LEFT, 0},
		{"state", "STATE", TABLE_LEFT, 0},
		{"router", "ROUTER", TABLE_LEFT, 0},
		{"age_s", "AGE", TABLE_RIGHT, 0},
	};
	struct table *t = table_new(cols, ARRAY_SIZE(cols), d->json);
	struct ip_iface_info space;
	struct ip_neigh_info n;
	char addr[ADDR_TEXT_MAX], mac[18];
	uint32_t it = 0;

	if (!t)
		return -ENOMEM;
	while (ip_iter_neigh(stack_ip(d->stack), &it, &n)) {
		uint64_t age =
			mono_lt(n.since, d->now)
				? (uint64_t)dur_ms(mono_sub(d->now, n.since)) /
					  1000
				: 0;

		table_str(t, ip_format(&n.addr, addr));
		table_str(t, iface_name(d, n.ifindex, &space));
		if (strcmp(n.state, "INCOMPLETE") == 0 ||
		    strcmp(n.state, "FAILED") == 0)
			table_none(t);
		else
			table_str(t, mac_text(n.mac, mac));
		table_str(t, n.state);
		table_bool(t, n.router);
		table_num(t, age, "%llus", (unsigned long long)age);
	}
	return finish(d, t);
}

static const char *proto_name(uint8_t proto, char buf[8])
{
	switch (proto) {
	case IP_PROTO_TCP:
		return "TCP";
	case IP_PROTO_UDP:
		return "UDP";
	case IP_PROTO_ICMP:
		return "ICMP";
	case IP_PROTO_ICMPV6:
		return "ICMPV6";
	default:
		snprintf(buf, 8, "%u", proto);
		return buf;
	}
}

static void rule_ports(struct table *t, const struct ip_rule *r)
{
	if (r->icmp_type >= 0 && r->icmp_code >= 0)
		table_fmt(t, "type %d code %d", r->icmp_type, r->icmp_code);
	else if (r->icmp_type >= 0)
		table_fmt(t, "type %d", r->icmp_type);
	else if (!r->port_hi)
		table_str(t, "any");
	else if (r->port_lo == r->port_hi)
		table_fmt(t, "%u", r->port_lo);
	else
		table_fmt(t, "%u-%u", r->port_lo, r->port_hi);
}

int display_rules(const struct display *d)
{
	static const struct table_col cols[] = {
		{"number", "NO", TABLE_RIGHT, 0},
		{"direction", "DIR", TABLE_LEFT, 0},
		{"action", "ACTION", TABLE_LEFT, 0},
		{"protocol", "PROTO", TABLE_LEFT, 0},
		{"family", "FAMILY", TABLE_LEFT, 0},
		{"remote", "REMOTE", TABLE_LEFT, 0},
		{"local", "LOCAL", TABLE_LEFT, 0},
		{"ports", "PORT", TABLE_LEFT, 0},
		{"hits", "HITS", TABLE_RIGHT, 0},
	};
	struct table *t = table_new(cols, ARRAY_SIZE(cols), d->json);
	char remote[ADDR_TEXT_MAX + 4], local[ADDR_TEXT_MAX + 4], proto[8];
	struct ip_rule r;
	uint32_t it = 0, n = 0;

	if (!t)
		return -ENOMEM;
	while (ip_iter_rule(stack_ip(d->stack), &it, &r)) {
		table_u64(t, ++n);
		table_str(t, r.out ? "OUT" : "IN");
		table_str(t, r.deny ? "DENY" : "ALLOW");
		table_str(t, r.any_proto ? "any" : proto_name(r.proto, proto));
		table_str(t, r.family == IP_V4   ? "v4"
			     : r.family == IP_V6 ? "v6"
						 : "both");
		table_str(t, prefix_text(&r.remote, remote));
		table_str(t, prefix_text(&r.local, local));
		rule_ports(t, &r);
		table_u64(t, r.hits);
	}
	return finish(d, t);
}

/* ---- the adapter
 * ---------------------------------------------------------------------- */

/* Registered addresses of the port: the links of its device. */
static void osa_addresses(struct table *t, const struct display *d,
			  const char *device)
{
	char text[512] = "", addr[ADDR_TEXT_MAX];

	for (uint32_t i = 0; i < d->deck->n_links; i++) {
		const struct deck_link *l = &d->deck->links[i];
		size_t used = strlen(text);

		if (strcmp(l->device, device) == 0)
			snprintf(text + used, sizeof text - used, "%s%s",
				 used ? " " : "", ip_format(&l->addr, addr));
	}
	table_str(t, text);
}

static void osa_row(struct table *t, const struct display *d,
		    const struct osa_info *i)
{
	char mac[18];

	table_str(t, i->device);
	table_str(t, i->cuu);
	table_str(t, i->datacuu);
	table_str(t, i->portname);
	table_str(t, i->medium);
	table_str(t, i->ifname);
	table_u64(t, i->layer2 ? 2 : 3);
	if (i->layer2)
		table_str(t, mac_text(i->mac, mac));
	else
		table_none(t);
	table_u64(t, i->mtu);
	table_bool(t, i->offload);
	table_u64(t, i->queues);
	table_u64(t, i->rx_frames);
	table_u64(t, i->rx_drops);
	table_u64(t, i->tx_frames);
	table_u64(t, i->tx_drops);
	osa_addresses(t, d, i->device);
	table_u64(t, i->rx_bytes);
	table_u64(t, i->rx_gso);
	table_u64(t, i->rx_syscalls);
	table_u64(t, i->tx_bytes);
	table_u64(t, i->tx_gso);
	table_u64(t, i->tx_syscalls);
}

int display_osa(const struct display *d)
{
	static const struct table_col cols[] = {
		{"device", "DEVICE", TABLE_LEFT, 0},
		{"cuu", "CUU", TABLE_LEFT, 0},
		{"datacuu", "DATA", TABLE_LEFT, 0},
		{"portname", "PORTNAME", TABLE_LEFT, 0},
		{"medium", "MEDIUM", TABLE_LEFT, 0},
		{"interface", "INTERFACE", TABLE_LEFT, 0},
		{"layer", "LAYER", TABLE_RIGHT, 0},
		{"mac", "MAC", TABLE_LEFT, 0},
		{"mtu", "MTU", TABLE_RIGHT, 0},
		{"offload", "OFFLOAD", TABLE_LEFT, 0},
		{"queues", "QUEUES", TABLE_RIGHT, 0},
		{"rx_frames", "RX", TABLE_RIGHT, 0},
		{"rx_drops", "RX-DROP", TABLE_RIGHT, 0},
		{"tx_frames", "TX", TABLE_RIGHT, 0},
		{"tx_drops", "TX-DROP", TABLE_RIGHT, 0},
		{"addresses", "OAT", TABLE_LEFT, 0},
		{"rx_bytes", NULL, TABLE_RIGHT, 0},
		{"rx_gso", NULL, TABLE_RIGHT, 0},
		{"rx_syscalls", NULL, TABLE_RIGHT, 0},
		{"tx_bytes", NULL, TABLE_RIGHT, 0},
		{"tx_gso", NULL, TABLE_RIGHT, 0},
		{"tx_syscalls", NULL, TABLE_RIGHT, 0},
	};
	struct table *t = table_new(cols, ARRAY_SIZE(cols), d->json);
	struct osa_info i;

	if (!t)
		return -ENOMEM;
	for (uint32_t p = 0; p < d->n_ports; p++) {
		osa_get_info(d->ports[p], &i);
		osa_row(t, d, &i);
	}
	return finish(d, t);
}

/* ---- names
 * -----------------------------------------------------------------------------
 */

int display_hosts(const struct display *d)
{
	static const struct table_col cols[] = {
		{"name", "NAME", TABLE_LEFT, 0},
		{"address", "ADDRESS", TABLE_LEFT, 0},
	};
	struct table *t = table_new(cols, ARRAY_SIZE(cols), d->json);
	char addr[ADDR_TEXT_MAX];

	if (!t)
		return -ENOMEM;
	for (uint32_t i = 0; i < d->deck->n_hosts; i++) {
		table_str(t, d->deck->hosts[i].name);
		table_str(t, ip_format(&d->deck->hosts[i].addr, addr));
	}
	return finish(d, t);
}

static void router_dns(const struct display *d, struct table *t)
{
	struct ip_port p[DECK_DNS_MAX];
	char addr[ADDR_TEXT_MAX];
	uint32_t n = d->stack ? ip_dns_servers(stack_ip(d->stack), p,
					       ARRAY_SIZE(p), d->now)
			      : 0;

	for (uint32_t i = 0; i < n; i++) {
		table_str(t, ip_format(&p[i].addr, addr));
		table_bool(t, false);
		table_str(t, "router");
		table_str(t, d->deck->search);
	}
}

/* Search domains of the deck, or else of routers. */
static void write_search(const struct display *d)
{
	char search[256] = "";

	if (d->deck->search[0])
		snprintf(search, sizeof(search), "%s", d->deck->search);
	else if (d->stack)
		(void)ip_dns_search(stack_ip(d->stack), search, sizeof(search),
				    d->now);
	if (!search[0])
		return;
	d->write(d->arg, "search ", 7);
	d->write(d->arg, search, strlen(search));
	d->write(d->arg, "\n", 1);
}

int display_dns(const struct display *d)
{
	static const struct table_col cols[] = {
		{"server", "SERVER", TABLE_LEFT, 0},
		{"primary", "PRIMARY", TABLE_LEFT, 0},
		{"from", "FROM", TABLE_LEFT, 0},
		{"search", NULL, TABLE_LEFT, 0},
	};
	struct table *t = table_new(cols, ARRAY_SIZE(cols), d->json);
	char addr[ADDR_TEXT_MAX];
	int r;

	if (!t)
		return -ENOMEM;
	for (uint32_t i = 0; i < d->deck->n_dns; i++) {
		table_str(t, ip_format(&d->deck->dns[i].addr, addr));
		table_bool(t, d->deck->dns[i].primary);
		table_str(t, "deck");
		table_str(t, d->deck->search);
	}
	router_dns(d, t);
	r = finish(d, t);
	if (!d->json)
		write_search(d);
	return r;
}

/* ---- ports
 * --------------------------------------------------------------------------------
 */

static void port_row(struct table *t, const struct display *d,
		     const struct sock_info *s, bool listens)
{
	char addr[ADDR_TEXT_MAX];

	table_u64(t, s->local.port);
	table_str(t, s->type == SOCK_TCP ? "TCP" : "UDP");
	table_str(t, ip_is_any(&s->local.addr)
			     ? "*"
			     : ip_format(&s->local.addr, addr));
	table_str(t, listens && stack_port_suspended(d->stack, s->local.port)
			     ? "SUSPENDED"
			     : s->state);
	table_u64(t, s->recv_queue);
	if (listens)
		table_u64(t, s->send_queue);
	else
		table_none(t);
	table_u64(t, (uint64_t)s->owner.pid);
	table_u64(t, s->owner.uid);
}

/* A port may be suspended before anybody listens. */
static void suspended_rows(struct table *t, const struct display *d,
			   const uint8_t *shown)
{
	for (uint32_t port = 1; port <= UINT16_MAX; port++) {
		if (!stack_port_suspended(d->stack, (uint16_t)port) ||
		    (shown[port / 8] & 1u << port % 8))
			continue;
		table_u64(t, port);
		table_str(t, "TCP");
		table_str(t, "*");
		table_str(t, "SUSPENDED");
		for (int i = 0; i < 4; i++)
			table_none(t);
	}
}

int display_ports(const struct display *d)
{
	static const struct table_col cols[] = {
		{"port", "PORT", TABLE_RIGHT, 0},
		{"protocol", "PROTO", TABLE_LEFT, 0},
		{"address", "ADDRESS", TABLE_LEFT, 0},
		{"state", "STATE", TABLE_LEFT, 0},
		{"waiting", "WAITING", TABLE_RIGHT, 0},
		{"backlog", "BACKLOG", TABLE_RIGHT, 0},
		{"pid", "PID", TABLE_RIGHT, 0},
		{"uid", "UID", TABLE_RIGHT, 0},
	};
	struct table *t = table_new(cols, ARRAY_SIZE(cols), d->json);
	uint8_t shown[65536 / 8] = {0};
	struct sock_info s;
	uint64_t it = 0;

	if (!t)
		return -ENOMEM;
	while (stack_iter_sock(d->stack, &it, &s)) {
		bool listens =
			s.type == SOCK_TCP && s.sk && sock_is_listener(s.sk);

		if (!listens && (s.type != SOCK_UDP || !s.local.port))
			continue;
		if (listens)
			shown[s.local.port / 8] |=
				(uint8_t)(1u << s.local.port % 8);
		port_row(t, d, &s, listens);
	}
	suspended_rows(t, d, shown);
	return finish(d, t);
}

/* ---- the stack as a whole
 * ------------------------------------------------------------------- */

/* "03 up", "03 down" here; "with 66" at the other stack. */
static void couple_cell(const struct display *d, struct table *t)
{
	char text[16];

	if (d->deck->couple[0])
		snprintf(text, sizeof(text), "%s %s", d->deck->couple,
			 d->api && api_couple_up(d->api) ? "up" : "down");
	else if (d->api && api_coupled_by(d->api)[0])
		snprintf(text, sizeof(text), "with %s", api_coupled_by(d->api));
	else {
		table_none(t);
		return;
	}
	table_str(t, text);
}

int display_id(const struct display *d)
{
	static const struct table_col cols[] = {
		{"id", "ID", TABLE_LEFT, 0},
		{"couple", "COUPLE", TABLE_LEFT, 0},
		{"job", "Job", TABLE_LEFT, 0},
		{"version", "Version", TABLE_LEFT, 0},
		{"pid", "PID", TABLE_RIGHT, 0},
		{"uptime_s", "Up", TABLE_RIGHT, 0},
		{"devices", "Devices", TABLE_RIGHT, 0},
		{"sockets", "Sockets", TABLE_RIGHT, 0},
		{"listeners", "Listeners", TABLE_RIGHT, 0},
		{"timewaits", "TIME-WAIT", TABLE_RIGHT, 0},
	};
	struct table *t = table_new(cols, ARRAY_SIZE(cols), d->json);
	uint64_t up = (uint64_t)dur_ms(mono_sub(d->now, d->started)) / 1000;
	struct stack_counters c;

	if (!t)
		return -ENOMEM;
	stack_counters(d->stack, &c);
	table_str(t, d->deck->id);
	couple_cell(d, t);
	if (d->deck->job[0])
		table_str(t, d->deck->job);
	else
		table_none(t);
	table_str(t, d->version);
	table_u64(t, (uint64_t)d->pid);
	table_num(t, up, "%llud %02llu:%02llu:%02llu",
		  (unsigned long long)up / 86400,
		  (unsigned long long)up / 3600 % 24,
		  (unsigned long long)up / 60 % 60,
		  (unsigned long long)up % 60);
	table_u64(t, d->n_ports);
	table_u64(t, c.socks);
	table_u64(t, c.listeners);
	table_u64(t, c.timewaits);
	return finish_record(d, t);
}

int display_memory(const struct display *d)
{
	static const struct table_col cols[] = {
		{"packets_used_bytes", "Packets in use", TABLE_RIGHT, 0},
		{"packets_cached_bytes", "Packets cached", TABLE_RIGHT, 0},
		{"packets_limit_bytes", "Packet limit", TABLE_RIGHT, 0},
		{"packets_refused", "Refused at limit", TABLE_RIGHT, 0},
		{"stack_bytes", "Sockets and tables", TABLE_RIGHT, 0},
		{"ip_bytes", "Layer 3", TABLE_RIGHT, 0},
		{"api_bytes", "Programs' sockets", TABLE_RIGHT, 0},
		{"resident_bytes", "Resident set", TABLE_RIGHT, 0},
	};
	struct table *t = table_new(cols, ARRAY_SIZE(cols), d->json);
	const struct pkt_pool *p = stack_pool(d->stack);

	if (!t)
		return -ENOMEM;
	table_u64(t, p->used_bytes);
	table_u64(t, p->cached_bytes);
	table_u64(t, p->limit_bytes);
	table_u64(t, p->refused);
	table_u64(t, stack_memory(d->stack));
	table_u64(t, ip_memory(stack_ip(d->stack)));
	if (d->api)
		table_u64(t, api_memory(d->api));
	else
		table_none(t);
	if (d->rss_bytes)
		table_u64(t, d->rss_bytes);
	else
		table_none(t);
	return finish_record(d, t);
}
