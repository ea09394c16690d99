/*
 * setup.c: from the deck to adapters and engine. One DEVICE is one port and
 * one interface; its LINKs are addresses of that interface.
 */
#include "daemon/log.h"
#include "stackd.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <systemd/sd-id128.h>

/* ---- randomness
 * -------------------------------------------------------------------- */

static uint64_t rand64(void *arg)
{
	struct stackd_random *r = arg;
	uint64_t v;

	if (r->used == 0 || r->used + sizeof v > sizeof r->buf) {
		/* 512 bytes at once: never short, never interrupted once the
		 * kernel's pool is ready (getrandom(2) promises up to 256) */
		for (size_t n = 0; n < sizeof r->buf; n += 256)
			INVARIANT(getrandom(r->buf + n, 256, 0) == 256);
		r->used = 0;
	}
	memcpy(&v, r->buf + r->used, sizeof v);
	memset(r->buf + r->used, 0, sizeof v); /* used once, kept never */
	r->used += sizeof v;
	return v;
}

/* ---- ports
 * -----------------------------------------------------------------------------
 */

uint32_t setup_ifindex(const struct stackd *sd, const char *device)
{
	for (uint32_t i = 0; i < sd->n_ports; i++)
		if (strcmp(osa_name(sd->ports[i]), device) == 0)
			return sd->ifindex[i];
	return 0;
}

static int open_port(struct stackd *sd, const struct deck_device *dev)
{
	struct ip_prefix addrs[DECK_LINKS_MAX];
	uint32_t n = 0, mtu = stackd_deck_mtu(&sd->deck, dev->name);
	struct osa_port *p;
	struct osa_info info;
	char err[256];
	int r;

	for (uint32_t i = 0; i < sd->deck.n_links; i++) {
		const struct deck_link *l = &sd->deck.links[i];

		if (strcmp(l->device, dev->name) == 0)
			addrs[n++] = (struct ip_prefix){l->addr, l->plen};
	}
	r = osa_open(dev, mtu ? mtu : 1500, addrs, n, &p, err, sizeof err);
	if (r < 0) {
		const char *cause = strstr(err, ": ");

		/* the sentence begins with the device, as the message does */
		log_msg(MSG_CPLT101E, dev->name, cause ? cause + 2 : err);
		return r;
	}
	sd->ports[sd->n_ports++] = p;
	if (osa_undo_privileged(p))
		daemon_keep_cap(sd->daemon, CAP_NET_ADMIN);
	osa_get_info(p, &info);
	log_msg(MSG_CPLT100I, dev->name, info.medium, osa_ifname(p), info.mtu,
		info.offload ? ", offload" : "");
	return 0;
}

int setup_open_ports(struct stackd *sd)
{
	int r = 0;

	/* /proc/PID/exe of other users' processes */
	for (uint32_t i = 0; i < sd->deck.n_policies; i++) {
		if (sd->deck.policies[i].program[0])
			daemon_keep_cap(sd->daemon, CAP_SYS_PTRACE);
	}
	/* all of them, so that one start names every mistake */
	for (uint32_t i = 0; i < sd->deck.n_devices; i++) {
		int one = open_port(sd, &sd->deck.devices[i]);

		if (one < 0)
			r = one;
	}
	return r;
}

void setup_close_ports(struct stackd *sd)
{
	while (sd->n_ports)
		osa_close(sd->ports[--sd->n_ports]);
}

/* ---- engine
 * ------------------------------------------------------------------------------
 */

static int fail(const char *what, int r)
{
	log_msg(MSG_CPLT001E, what, strerror(-r));
	return r;
}

static int add_iface(struct stackd *sd, uint32_t port)
{
	struct osa_port *p = sd->ports[port];
	const struct deck_device *dev =
		stackd_deck_device(&sd->deck, osa_name(p));
	struct ip_iface_config c = {.v4 = true, .v6 = true};
	struct osa_caps caps;
	struct osa_info info;
	int r;

	osa_get_caps(p, &caps);
	osa_get_info(p, &info);
	snprintf(c.name, sizeof c.name, "%s", osa_name(p));
	c.kind = caps.l2 ? IP_LINK_L2 : IP_LINK_L3;
	memcpy(c.mac, info.mac, sizeof c.mac);
	c.vlan = dev ? dev->vlan : 0;
	c.mtu = info.mtu;
	c.gso_max = caps.gso_max;
	c.tx_csum = caps.tx_csum;
	/* RFC 8200 5: no IPv6 on a link that cannot carry 1280 bytes */
	c.v6 = info.mtu >= 1280;
	r = ip_iface_add(stack_ip(sd->stack), &c, mono_now());
	if (r < 0)
		return r;
	sd->ifindex[port] = (uint32_t)r;
	ip_iface_set_up(stack_ip(sd->stack), (uint32_t)r, true, mono_now());
	return 0;
}

static int add_links(struct stackd *sd)
{
	for (uint32_t i = 0; i < sd->deck.n_links; i++) {
		const struct deck_link *l = &sd->deck.links[i];
		char what[128], addr[ADDR_TEXT_MAX];
		int r = ip_addr_add(stack_ip(sd->stack),
				    setup_ifindex(sd, l->device), &l->addr,
				    l->plen, mono_now());

		if (r == 0)
			continue;
		snprintf(what, sizeof what, "LINK %s %u %s (line %u)",
			 l->device, l->number, ip_format(&l->addr, addr),
			 l->line);
		return fail(what, r);
	}
	return 0;
}

int setup_route(struct stackd *sd, const struct deck_route *r, bool add)
{
	struct ip_route route = r->route;

	route.ifindex = setup_ifindex(sd, r->device);
	route.until = MONO_NEVER;
	if (!route.ifindex)
		return -ENODEV;
	return add ? ip_route_add(stack_ip(sd->stack), &route)
		   : ip_route_del(stack_ip(sd->stack), &route);
}

/* An address brings the route of its network with it; decks say it too. */
static bool route_is_there(struct stackd *sd, const struct deck_route *d)
{
	const struct ip_route *want = &d->route;
	struct ip_route have;
	uint32_t it = 0;

	while (ip_iter_route(stack_ip(sd->stack), &it, &have))
		if (have.dst.len == want->dst.len &&
		    ip_eq(&have.dst.addr, &want->dst.addr) &&
		    have.gateway.family == want->gateway.family &&
		    ip_eq(&have.gateway, &want->gateway) &&
		    have.ifindex == setup_ifindex(sd, d->device) &&
		    have.metric == want->metric)
			return true;
	return false;
}

static int add_routes(struct stackd *sd)
{
	for (uint32_t i = 0; i < sd->deck.n_routes; i++) {
		const struct deck_route *d = &sd->deck.routes[i];
		char what[192], dst[ADDR_TEXT_MAX];
		int r = route_is_there(sd, d) ? 0 : setup_route(sd, d, true);

		if (r == 0 || r == -EEXIST)
			continue;
		snprintf(what, sizeof what, "ROUTE %s %s/%u (line %u)",
			 d->device, ip_format(&d->route.dst.addr, dst),
			 d->route.dst.len, d->line);
		return fail(what, r);
	}
	return 0;
}

int setup_replace_rules(struct stackd *sd, const struct stackd_deck *deck)
{
	int r = 0;

	ip_rule_clear(stack_ip(sd->stack));
	for (uint32_t i = 0; i < deck->n_rules && r == 0; i++)
		r = ip_rule_add(stack_ip(sd->stack), &deck->rules[i]);
	return r;
}

/* [RFC7217 5] A secret that this stack has after every start on this machine
 * and no other has; on a machine without an id, a new one each time. */
static struct hash_key stable_key(struct stackd *sd)
{
	static const sd_id128_t couplet = SD_ID128_MAKE(
		7d, 1c, 2e, 55, a0, 4b, 4f, 6e, 9b, 37, 60, 1f, c8, 0a, 5d, e3);
	struct hash_key key = {rand64(&sd->random), rand64(&sd->random)};
	sd_id128_t id;

	if (sd_id128_get_machine_app_specific(couplet, &id) < 0)
		return key;
	memcpy(&key.k0, id.bytes, sizeof(key.k0));
	memcpy(&key.k1, id.bytes + 8, sizeof(key.k1));
	key.k1 ^= (uint64_t)(sd->deck.id[0] << 8 | sd->deck.id[1]);
	return key;
}

int setup_make_stack(struct stackd *sd)
{
	struct stack_config c;
	int r = 0;

	stack_config_default(&c);
	c.ip = sd->deck.ip;
	c.tcp = sd->deck.tcp;
	c.pool_limit_bytes = sd->deck.pool_limit_bytes;
	c.sock_max = sd->deck.sock_max;
	c.timewait_max = sd->deck.timewait_max;
	c.port_lo = sd->deck.port_lo;
	c.port_hi = sd->deck.port_hi;
	c.rand64 = rand64;
	c.rand_arg = &sd->random;
	c.key.k0 = rand64(&sd->random);
	c.key.k1 = rand64(&sd->random);
	c.stable_key = stable_key(sd);
	sd->stack = stack_new(&c);
	if (!sd->stack)
		return fail("stack", -ENOMEM);
	for (uint32_t i = 0; i < sd->n_ports && r == 0; i++) {
		r = add_iface(sd, i);
		if (r < 0)
			fail(osa_name(sd->ports[i]), r);
	}
	if (r == 0)
		r = add_links(sd);
	if (r == 0)
		r = add_routes(sd);
	if (r == 0) {
		r = setup_replace_rules(sd, &sd->deck);
		if (r < 0)
			fail("firewall rules", r);
	}
	stack_kick(sd->stack);
	return r;
}

/* ---- reload
 * ---------------------------------------------------------------------------------
 */

static bool same_devices(const struct stackd_deck *a,
			 const struct stackd_deck *b)
{
	if (a->n_devices != b->n_devices || a->n_links != b->n_links)
		return false;
	for (uint32_t i = 0; i < a->n_devices; i++) {
		const struct deck_device *x = &a->devices[i],
					 *y = &b->devices[i];

		if (strcmp(x->name, y->name) || x->layer2 != y->layer2 ||
		    memcmp(x->mac, y->mac, sizeof x->mac) ||
		    x->medium != y->medium || strcmp(x->ifname, y->ifname) ||
		    strcmp(x->path, y->path) || x->fd != y->fd ||
		    x->vlan != y->vlan || x->offload != y->offload ||
		    x->queues != y->queues || strcmp(x->bridge, y->bridge))
			return false;
	}
	for (uint32_t i = 0; i < a->n_links; i++) {
		const struct deck_link *x = &a->links[i], *y = &b->links[i];

		if (strcmp(x->device, y->device) ||
		    !ip_eq(&x->addr, &y->addr) || x->plen != y->plen ||
		    x->mtu != y->mtu)
			return false;
	}
	return true;
}

static void replace_routes(struct stackd *sd, const struct stackd_deck *next)
{
	for (uint32_t i = 0; i < sd->deck.n_routes; i++)
		(void)!setup_route(sd, &sd->deck.routes[i], false);
	for (uint32_t i = 0; i < next->n_routes; i++) {
		int r = setup_route(sd, &next->routes[i], true);

		if (r < 0 && r != -EEXIST)
			fail("ROUTE of the new deck", r);
	}
}

int setup_reload(struct stackd *sd, struct stackd_deck *next)
{
	struct stackd_deck old = sd->deck;
	int r;

	if (strcmp(sd->deck.id, next->id) || !same_devices(&sd->deck, next)) {
		log_msg(MSG_CPLT103E);
		return -EINVAL;
	}
	r = setup_replace_rules(sd, next);
	if (r < 0) {
		fail("firewall rules of the new deck", r);
		(void)!setup_replace_rules(sd, &sd->deck);
		return r;
	}
	replace_routes(sd, next);
	stack_tcp_env(sd->stack)->tune = next->tcp;
	ip_stack_set_tune(stack_ip(sd->stack), &next->ip);
	stack_kick(sd->stack);
	sd->deck = *next; /* the api looks at names and policy in place */
	*next = old;
	api_divert_deck(sd->api);
	return 0;
}
