/*
 * deck_check.c: mistakes that only the whole deck shows. Each note stands at
 * the command that has to change.
 */
#include "deck_parts.h"

#include <stdarg.h>
#include <string.h>
#include <strings.h>

static void note(struct stackd_deck_builder *b, enum deck_severity severity,
		 const struct deck_command *at, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

static void note(struct stackd_deck_builder *b, enum deck_severity severity,
		 const struct deck_command *at, const char *fmt, ...)
{
	char text[DECK_NOTE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	deck_note(b->report, severity, at->file, at->line, at->column, "%s",
		  text);
}

/* ---- what is missing
 * ------------------------------------------------------------- */

static void missing(struct stackd_deck_builder *b, enum deck_severity severity,
		    const char *text)
{
	const char *file;
	uint32_t line;

	deck_end(b->source, &file, &line);
	deck_note(b->report, severity, file, line, 1, "%s", text);
}

static void check_complete(struct stackd_deck_builder *b, bool id_seen)
{
	if (!id_seen)
		missing(b, DECK_ERROR,
			"ID is missing: expected as the first command");
	if (!b->attach_line)
		missing(b, DECK_ERROR,
			"ATTACH TCP/IP is missing: expected as the last "
			"command");
	if (!b->d->n_devices)
		missing(b, DECK_WARNING,
			"no DEVICE: programs on this stack reach only each "
			"other");
}

/* ---- devices
 * ------------------------------------------------------------------------ */

static bool on_host(const struct deck_device *v)
{
	return v->medium == MEDIUM_TUN || v->medium == MEDIUM_TAP;
}

/* Words that act on an interface of the host need one; an inherited
 * descriptor may have one, but it is made already. */
static void check_host_words(struct stackd_deck_builder *b,
			     const struct deck_device *v,
			     const struct deck_command *at)
{
	const char *word = v->ifname[0]    ? "IFNAME"
			   : v->queues > 1 ? "QUEUES"
					   : NULL;

	if (!word && v->medium == MEDIUM_SEQPACKET)
		word = v->n_host_addr   ? "HOSTADDR"
		       : v->bridge[0]   ? "BRIDGE"
		       : v->host_routes ? "HOSTROUTES"
		       : v->isolate     ? "ISOLATE"
					: NULL;
	if (word)
		note(b, DECK_ERROR, at,
		     "ADAPTER %s %s: expected MEDIUM TUN or TAP, not %s",
		     v->name, word, stackd_deck_medium_name(v->medium));
}

/* Words that need Ethernet on the other side. */
static void check_ethernet_words(struct stackd_deck_builder *b,
				 const struct deck_device *v,
				 const struct deck_command *at)
{
	if (v->layer2 && v->medium == MEDIUM_TUN)
		note(b, DECK_ERROR, at,
		     "DEVICE %s LAYER2: expected MEDIUM TAP, SEQPACKET or FD, "
		     "TUN carries no Ethernet",
		     v->name);
	if (v->bridge[0] && v->medium == MEDIUM_TUN)
		note(b, DECK_ERROR, at,
		     "ADAPTER %s BRIDGE: expected MEDIUM TAP, TUN carries no "
		     "Ethernet",
		     v->name);
	if (v->vlan && (v->medium == MEDIUM_TUN ||
			(v->medium == MEDIUM_SEQPACKET && !v->layer2)))
		note(b, DECK_ERROR, at,
		     "ADAPTER %s VLAN: expected MEDIUM TAP or LAYER2, only "
		     "Ethernet has tags",
		     v->name);
	if (v->isolate && !v->bridge[0] && v->medium != MEDIUM_SEQPACKET)
		note(b, DECK_ERROR, at,
		     "ADAPTER %s ISOLATE: expected a BRIDGE too", v->name);
}

static void check_host_addrs(struct stackd_deck_builder *b,
			     const struct deck_device *v,
			     const struct deck_command *at)
{
	char text[ADDR_TEXT_MAX];

	for (uint32_t i = 0; i < v->n_host_addr; i++) {
		for (uint32_t k = 0; k < b->d->n_links; k++) {
			const struct ip_addr *a = &v->host_addr[i].addr;

			if (ip_eq(a, &b->d->links[k].addr))
				note(b, DECK_ERROR, at,
				     "ADAPTER %s HOSTADDR %s is the address "
				     "of the LINK in line %u",
				     v->name, ip_format(a, text),
				     b->d->links[k].line);
		}
	}
}

/* Two devices cannot share a name on the host, a MAC or a path. */
static void check_pair(struct stackd_deck_builder *b,
		       const struct deck_device *v, const struct deck_device *w,
		       const struct deck_command *at)
{
	if (v->ifname[0] && strcmp(v->ifname, w->ifname) == 0)
		note(b, DECK_ERROR, at,
		     "DEVICE %s: interface %s belongs to DEVICE %s", v->name,
		     v->ifname, w->name);
	if (v->layer2 && w->layer2 && memcmp(v->mac, w->mac, 6) == 0)
		note(b, DECK_ERROR, at,
		     "DEVICE %s: its MAC address belongs to DEVICE %s", v->name,
		     w->name);
	if (v->path[0] && strcmp(v->path, w->path) == 0 &&
	    v->path_listen == w->path_listen)
		note(b, DECK_ERROR, at,
		     "DEVICE %s: path %s belongs to DEVICE %s", v->name,
		     v->path, w->name);
	if (v->fd >= 0 && v->fd == w->fd)
		note(b, DECK_ERROR, at,
		     "DEVICE %s: descriptor %d belongs to DEVICE %s", v->name,
		     v->fd, w->name);
	if (v->cuu[0] && (strcmp(v->cuu, w->cuu) == 0 ||
			  strcmp(v->datacuu, w->datacuu) == 0))
		note(b, DECK_WARNING, at,
		     "DEVICE %s: a device number belongs to DEVICE %s", v->name,
		     w->name);
}

static void check_devices(struct stackd_deck_builder *b)
{
	for (uint32_t i = 0; i < b->d->n_devices; i++) {
		const struct deck_device *v = &b->d->devices[i];
		const struct deck_command *at = b->device_cmd[i];

		if (!on_host(v))
			check_host_words(b, v, at);
		check_ethernet_words(b, v, at);
		check_host_addrs(b, v, at);
		for (uint32_t k = 0; k < i; k++)
			check_pair(b, v, &b->d->devices[k], at);
		if (!stackd_deck_mtu(b->d, v->name))
			note(b, DECK_WARNING, at,
			     "DEVICE %s has no LINK, so no address", v->name);
	}
}

/* ---- links
 * ---------------------------------------------------------------------------
 */

/* First LINK of the same device. */
static uint32_t first_of(const struct stackd_deck *d, uint32_t i)
{
	for (uint32_t k = 0; k < i; k++) {
		if (strcmp(d->links[k].device, d->links[i].device) == 0)
			return k;
	}
	return i;
}

static void check_mtu(struct stackd_deck_builder *b, uint32_t i)
{
	const struct deck_link *l = &b->d->links[i];
	const struct deck_link *first = &b->d->links[first_of(b->d, i)];
	uint32_t mtu = stackd_deck_mtu(b->d, l->device);

	if (l->mtu != first->mtu)
		note(b, DECK_WARNING, b->link_cmd[i],
		     "LINK mtu %u: line %u gives %s the mtu %u; a device has "
		     "one, the smallest",
		     l->mtu, first->line, l->device, first->mtu);
	if (l->addr.family == IP_V6 && mtu < 1280)
		note(b, DECK_ERROR, b->link_cmd[i],
		     "LINK: another LINK gives %s the mtu %u: expected at "
		     "least 1280 for IPv6",
		     l->device, mtu);
}

/* On z/VSE each program runs one family. */
static void check_family(struct stackd_deck_builder *b)
{
	const char *program = deck_settings(b->source)->program;
	uint8_t other = strcmp(program, "BSTTINET") == 0   ? IP_V6
			: strcmp(program, "BSTT6NET") == 0 ? IP_V4
							   : IP_NONE;

	for (uint32_t i = 0; other && i < b->d->n_links; i++) {
		if (b->d->links[i].addr.family != other)
			continue;
		note(b, DECK_WARNING, b->link_cmd[i],
		     "LINK: %s on z/VSE has no IPv%u; stackd has both", program,
		     other);
		return;
	}
}

/* ---- routes
 * ----------------------------------------------------------------------------
 */

static bool on_link(const struct stackd_deck *d, const char *device,
		    const struct ip_addr *gw)
{
	if (gw->family == IP_V6 && ip_is_link_local(gw))
		return true;
	for (uint32_t i = 0; i < d->n_links; i++) {
		const struct deck_link *l = &d->links[i];
		struct ip_prefix p = ip_prefix_make(&l->addr, l->plen);

		if (strcmp(l->device, device) == 0 && ip_prefix_has(&p, gw))
			return true;
	}
	for (uint32_t i = 0; i < d->n_routes; i++) {
		const struct deck_route *r = &d->routes[i];

		if (strcmp(r->device, device) == 0 &&
		    r->route.gateway.family == IP_NONE &&
		    ip_prefix_has(&r->route.dst, gw))
			return true;
	}
	return false;
}

static bool has_family(const struct stackd_deck *d, const char *device,
		       uint8_t family)
{
	for (uint32_t i = 0; i < d->n_links; i++) {
		if (strcmp(d->links[i].device, device) == 0 &&
		    d->links[i].addr.family == family)
			return true;
	}
	return false;
}

static void check_routes(struct stackd_deck_builder *b)
{
	char text[ADDR_TEXT_MAX];

	for (uint32_t i = 0; i < b->d->n_routes; i++) {
		const struct deck_route *r = &b->d->routes[i];
		const struct ip_addr *gw = &r->route.gateway;
		uint8_t family = r->route.dst.addr.family;

		if (!has_family(b->d, r->device, family))
			note(b, DECK_WARNING, b->route_cmd[i],
			     "ROUTE: no LINK of %s has an IPv%u address",
			     r->device, family);
		else if (gw->family != IP_NONE && !on_link(b->d, r->device, gw))
			note(b, DECK_WARNING, b->route_cmd[i],
			     "ROUTE gateway %s is not on a net of %s",
			     ip_format(gw, text), r->device);
	}
}

void stackd_deck_check(struct stackd_deck_builder *b)
{
	check_complete(b, b->id_seen);
	check_devices(b);
	for (uint32_t i = 0; i < b->d->n_links; i++)
		check_mtu(b, i);
	check_family(b);
	check_routes(b);
	if (b->tcp_cmd) {
		struct deck_args a = {.cmd = b->tcp_cmd, .report = b->report};

		stackd_deck_check_tcp(&a, &b->d->tcp);
	}
}
