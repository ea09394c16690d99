#include "deck_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DEVICE_NAME_MAX 16 /* shown in displays; z/VSE uses up to 8 */
#define PORTNAME_MAX 15    /* also names the host interface */
#define LINK_NUMBER_MAX 255
#define MTU_DEFAULT 1500
#define MTU_V4_MIN 576  /* RFC 791 3.1: what every host must take */
#define MTU_V6_MIN 1280 /* RFC 8200 5 */
#define MTU_MAX 65535
#define METRIC_MAX 65535
#define HOST_NAME_MAX_BYTES 255
#define HOST_NAME_BYTES "-_.@#$"

/* ---- look-ups
 * ------------------------------------------------------------------ */

const struct deck_device *stackd_deck_device(const struct stackd_deck *d,
					     const char *name)
{
	for (uint32_t i = 0; i < d->n_devices; i++) {
		if (strcasecmp(d->devices[i].name, name) == 0)
			return &d->devices[i];
	}
	return NULL;
}

uint32_t stackd_deck_mtu(const struct stackd_deck *d, const char *device)
{
	uint32_t mtu = 0;

	for (uint32_t i = 0; i < d->n_links; i++) {
		const struct deck_link *l = &d->links[i];

		if (strcasecmp(l->device, device) == 0 &&
		    (!mtu || l->mtu < mtu))
			mtu = l->mtu;
	}
	return mtu;
}

static bool has_link(const struct stackd_deck *d, const char *device)
{
	return stackd_deck_mtu(d, device) != 0;
}

/* Reads the name of a DEVICE that was defined above. */
static const struct deck_device *known_device(const struct stackd_deck *d,
					      struct deck_args *a)
{
	const char *expected = "the name of a DEVICE defined before";
	const char *name = deck_args_text(a, "device", expected);
	const struct deck_device *v = name ? stackd_deck_device(d, name) : NULL;

	if (name && !v)
		deck_args_expected(a, "device", "%s", expected);
	return v;
}

bool stackd_deck_added(struct stackd_deck_builder *b, struct deck_args *a,
		       int r, const char *what, uint32_t limit)
{
	if (r == -ENOSPC)
		deck_args_note(a, DECK_ERROR, "more than %u %s", limit, what);
	else if (r == -EEXIST)
		deck_args_note(a, DECK_WARNING, "%s: the same was said before",
			       a->cmd->keyword);
	else if (r < 0)
		b->error = r;
	return r == 0;
}

/* ---- DEVICE name OSAX cuu portname datacuu [LAYER2 mac]
 * ------------------------- */

void stackd_deck_cmd_device(struct stackd_deck_builder *b, struct deck_args *a)
{
	static const char *const types[] = {"OSAX"}, *const modes[] = {
							     "LAYER2"};
	struct deck_device v = {
		.fd = -1, .queues = 1, .txqueuelen = STACKD_DECK_TXQUEUELEN};
	struct stackd_deck *d = b->d;
	const struct deck_device *other;
	unsigned i;

	deck_args_name(a, "name", "-_.", DEVICE_NAME_MAX, v.name);
	if (v.name[0] && (other = stackd_deck_device(d, v.name)))
		deck_args_note(a, DECK_ERROR,
			       "DEVICE %s was defined in line %u", v.name,
			       other->line);
	deck_args_word(a, "type", types, 1, &i);
	deck_args_cuu(a, "cuu", v.cuu);
	deck_args_name(a, "portname", "-_.@#$", PORTNAME_MAX, v.portname);
	deck_args_cuu(a, "datacuu", v.datacuu);
	if (deck_args_more(a) && deck_args_word(a, "mode", modes, 1, &i))
		v.layer2 = deck_args_mac(a, "MAC address", v.mac);
	v.line = b->cmd->line;
	deck_args_end(a);
	/* one with a mistake is kept, so that its LINKs are not called
	 * mistakes too */
	if (!v.name[0] || stackd_deck_device(d, v.name))
		return;
	if (d->n_devices == DECK_DEVICES_MAX) {
		stackd_deck_added(b, a, -ENOSPC, "DEVICE commands",
				  DECK_DEVICES_MAX);
		return;
	}
	b->device_cmd[d->n_devices] = b->cmd;
	d->devices[d->n_devices++] = v;
}

/* ---- LINK device n address mask|/plen mtu
 * ------------------------------------------ */

/* An address that one host can have on this link. */
static void check_link_addr(struct deck_args *a, const struct ip_addr *addr)
{
	if (ip_is_any(addr) || ip_is_multicast(addr) || ip_is_loopback(addr) ||
	    ip_is_broadcast(addr) || ip_is_v4_mapped(addr))
		deck_args_expected(a, "address", "a unicast address");
}

/* All ones or all zeros behind the mask name the net, not a host. */
static void check_host_part(struct deck_args *a, const struct deck_link *l)
{
	struct ip_addr ones = l->addr;
	struct ip_prefix net;

	if (l->addr.family != IP_V4 || l->plen > 30)
		return;
	net = ip_prefix_make(&l->addr, l->plen);
	for (unsigned bit = l->plen; bit < 32; bit++)
		ones.b[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	if (ip_eq(&net.addr, &l->addr) || ip_eq(&ones, &l->addr))
		deck_args_note(a, DECK_ERROR,
			       "LINK: the address is the %s of its net with "
			       "this mask",
			       ip_eq(&ones, &l->addr) ? "broadcast address"
						      : "number");
}

static void check_link_new(struct deck_args *a, const struct stackd_deck *d,
			   const struct ip_addr *addr)
{
	char text[ADDR_TEXT_MAX];

	for (uint32_t i = 0; i < d->n_links; i++) {
		if (!ip_eq(&d->links[i].addr, addr))
			continue;
		deck_args_note(a, DECK_ERROR,
			       "LINK address %s was given in line %u",
			       ip_format(addr, text), d->links[i].line);
		return;
	}
}

static void read_mtu(struct deck_args *a, enum ip_family family, uint32_t *ret)
{
	if (!deck_args_default(a))
		deck_args_u32(a, "mtu",
			      family == IP_V6 ? MTU_V6_MIN : MTU_V4_MIN,
			      MTU_MAX, ret);
}

void stackd_deck_cmd_link(struct stackd_deck_builder *b, struct deck_args *a)
{
	const struct deck_device *v = known_device(b->d, a);
	struct deck_link l = {.mtu = MTU_DEFAULT, .line = b->cmd->line};
	struct stackd_deck *d = b->d;
	enum ip_family family;

	if (!deck_args_default(a))
		deck_args_u32(a, "number", 0, LINK_NUMBER_MAX, &l.number);
	if (deck_args_addr(a, "address", IP_NONE, &l.addr)) {
		check_link_addr(a, &l.addr);
		check_link_new(a, d, &l.addr);
		family = (enum ip_family)l.addr.family;
		if (deck_args_mask(a, "mask", family, 1, &l.plen))
			check_host_part(a, &l);
		read_mtu(a, family, &l.mtu);
	} else if (!a->missing) { /* without family no check of these */
		deck_args_text(a, "mask", "a mask or /length");
		read_mtu(a, IP_V4, &l.mtu);
	}
	deck_args_end(a);
	if (!v || !l.addr.family)
		return;
	if (d->n_links == DECK_LINKS_MAX) {
		stackd_deck_added(b, a, -ENOSPC, "LINK commands",
				  DECK_LINKS_MAX);
		return;
	}
	memcpy(l.device, v->name, sizeof(l.device));
	b->link_cmd[d->n_links] = b->cmd;
	d->links[d->n_links++] = l;
}

/* ---- ROUTE device network mask|/plen gateway n
 * --------------------------------------- */

static bool own_address(const struct stackd_deck *d, const struct ip_addr *a)
{
	for (uint32_t i = 0; i < d->n_links; i++) {
		if (ip_eq(&d->links[i].addr, a))
			return true;
	}
	return false;
}

static void read_gateway(const struct stackd_deck *d, struct deck_args *a,
			 enum ip_family family, struct ip_route *r)
{
	struct ip_addr gw;

	if (!deck_args_addr(a, "gateway", family, &gw))
		return;
	if (ip_is_any(&gw))
		return; /* on link */
	if (ip_is_multicast(&gw) || ip_is_broadcast(&gw) || ip_is_loopback(&gw))
		deck_args_expected(a, "gateway", "a unicast address");
	else if (own_address(d, &gw))
		deck_args_expected(a, "gateway",
				   "an address that is not this stack's own");
	r->gateway = gw;
}

bool stackd_deck_parse_route(const struct stackd_deck *d, struct deck_args *a,
			     struct deck_route *ret)
{
	struct deck_route r = {.route.until = MONO_NEVER};
	const struct deck_device *v = known_device(d, a);
	struct ip_addr net;
	enum ip_family family;
	uint8_t plen = 0;

	if (v && !has_link(d, v->name))
		deck_args_note(a, DECK_ERROR,
			       "ROUTE: expected a LINK of %s before its routes",
			       v->name);
	if (!deck_args_addr(a, "network", IP_NONE, &net))
		return false; /* the rest depends on its family */
	family = (enum ip_family)net.family;
	if (ip_is_multicast(&net))
		deck_args_expected(a, "network", "a unicast network");
	deck_args_mask(a, "mask", family, 0, &plen);
	read_gateway(d, a, family, &r.route);
	if (!deck_args_default(a))
		deck_args_u32(a, "metric", 0, METRIC_MAX, &r.route.metric);
	if (!deck_args_end(a) || !v)
		return false;
	r.route.dst = ip_prefix_make(&net, plen);
	r.line = a->cmd->line;
	memcpy(r.device, v->name, sizeof(r.device));
	*ret = r;
	return true;
}

/* Room for one more in an array whose capacity is the power of two at or
 * above its length, at least 16. */
static int grow(void **array, uint32_t n, size_t size, uint32_t max)
{
	bool full = n == 0 || (n >= 16 && (n & (n - 1)) == 0);
	void *bigger;

	if (n >= max)
		return -ENOSPC;
	if (!full)
		return 0;
	bigger = realloc(*array, MAX(16, (size_t)n * 2) * size);
	if (!bigger)
		return -ENOMEM;
	*array = bigger;
	return 0;
}

bool stackd_deck_same_route(const struct deck_route *a,
			    const struct deck_route *b)
{
	return strcmp(a->device, b->device) == 0 &&
	       ip_eq(&a->route.dst.addr, &b->route.dst.addr) &&
	       a->route.dst.len == b->route.dst.len &&
	       ip_eq(&a->route.gateway, &b->route.gateway);
}

int stackd_deck_add_route(struct stackd_deck *d, const struct deck_route *r)
{
	void *array = d->routes;
	int n;

	for (uint32_t i = 0; i < d->n_routes; i++) {
		if (stackd_deck_same_route(&d->routes[i], r))
			return -EEXIST;
	}
	n = grow(&array, d->n_routes, sizeof(*r), DECK_ROUTES_MAX);
	if (n < 0)
		return n;
	d->routes = array;
	d->routes[d->n_routes++] = *r;
	return 0;
}

void stackd_deck_cmd_route(struct stackd_deck_builder *b, struct deck_args *a)
{
	struct deck_route r;

	if (!stackd_deck_parse_route(b->d, a, &r))
		return;
	if (!b->route_cmd)
		b->route_cmd = calloc(DECK_ROUTES_MAX, sizeof(b->cmd));
	if (!b->route_cmd) {
		b->error = -ENOMEM;
		return;
	}
	if (stackd_deck_added(b, a, stackd_deck_add_route(b->d, &r),
			      "ROUTE commands", DECK_ROUTES_MAX))
		b->route_cmd[b->d->n_routes - 1] = b->cmd;
}

/* ---- DNS address [PRI]
 * ------------------------------------------------------------------ */

bool stackd_deck_parse_dns(struct deck_args *a, struct deck_dns *ret)
{
	static const char *const words[] = {"PRI"};
	struct deck_dns s = {0};
	unsigned i;

	if (deck_args_addr(a, "address", IP_NONE, &s.addr) &&
	    (ip_is_any(&s.addr) || ip_is_multicast(&s.addr)))
		deck_args_expected(a, "address", "a unicast address");
	if (deck_args_more(a))
		s.primary = deck_args_word(a, "order", words, 1, &i);
	if (!deck_args_end(a))
		return false;
	*ret = s;
	return true;
}

int stackd_deck_add_dns(struct stackd_deck *d, const struct deck_dns *s)
{
	for (uint32_t i = 0; i < d->n_dns; i++) {
		if (ip_eq(&d->dns[i].addr, &s->addr))
			return -EEXIST;
	}
	if (d->n_dns == DECK_DNS_MAX)
		return -ENOSPC;
	d->dns[d->n_dns++] = *s;
	return 0;
}

void stackd_deck_cmd_dns(struct stackd_deck_builder *b, struct deck_args *a)
{
	struct deck_dns s;

	if (stackd_deck_parse_dns(a, &s))
		stackd_deck_added(b, a, stackd_deck_add_dns(b->d, &s),
				  "DNS commands", DECK_DNS_MAX);
}

/* ---- HOST name address
 * ---------------------------------------------------------------------- */

bool stackd_deck_parse_host(struct deck_args *a, bool addr_optional,
			    struct deck_host *ret)
{
	struct deck_host h = {0};

	deck_args_name(a, "name", HOST_NAME_BYTES, HOST_NAME_MAX_BYTES, h.name);
	if (deck_args_more(a) || !addr_optional)
		deck_args_addr(a, "address", IP_NONE, &h.addr);
	if (!deck_args_end(a))
		return false;
	*ret = h;
	return true;
}

bool stackd_deck_same_host(const struct deck_host *a, const struct deck_host *b)
{
	return ip_eq(&a->addr, &b->addr) && strcasecmp(a->name, b->name) == 0;
}

int stackd_deck_add_host(struct stackd_deck *d, const struct deck_host *h)
{
	void *array = d->hosts;
	int n;

	for (uint32_t i = 0; i < d->n_hosts; i++) {
		if (stackd_deck_same_host(&d->hosts[i], h))
			return -EEXIST;
	}
	n = grow(&array, d->n_hosts, sizeof(*h), DECK_HOSTS_MAX);
	if (n < 0)
		return n;
	d->hosts = array;
	d->hosts[d->n_hosts++] = *h;
	return 0;
}

void stackd_deck_cmd_host(struct stackd_deck_builder *b, struct deck_args *a)
{
	struct deck_host h;

	if (stackd_deck_parse_host(a, false, &h))
		stackd_deck_added(b, a, stackd_deck_add_host(b->d, &h),
				  "HOST commands", DECK_HOSTS_MAX);
}

/* ---- SEARCH domain...
 * ---------------------------------------------------------------------------
 */

void stackd_deck_cmd_search(struct stackd_deck_builder *b, struct deck_args *a)
{
	char name[HOST_NAME_MAX_BYTES + 1];
	char *list = b->d->search;
	size_t used;

	do {
		if (!deck_args_name(a, "domain", "-_.", HOST_NAME_MAX_BYTES,
				    name))
			continue;
		used = strlen(list);
		if (used + strlen(name) + 2 > sizeof(b->d->search)) {
			deck_args_note(a, DECK_ERROR,
				       "SEARCH: expected at most %zu bytes in "
				       "all",
				       sizeof(b->d->search) - 1);
			return;
		}
		if (used)
			list[used++] = ' ';
		memcpy(list + used, name, strlen(name) + 1);
	} while (deck_args_more(a));
	deck_args_end(a);
}

/* ---- rules: the array
 * ---------------------------------------------------------------------------
 */

int stackd_deck_add_rule(struct stackd_deck *d, const struct ip_rule *r)
{
	void *array = d->rules;
	int n = grow(&array, d->n_rules, sizeof(*r), DECK_RULES_MAX);

	if (n < 0)
		return n;
	d->rules = array;
	d->rules[d->n_rules++] = *r;
	return 0;
}
