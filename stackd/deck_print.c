#include "deck_parts.h"

static void print_device(const struct deck_device *v, FILE *out)
{
	fprintf(out, "DEVICE %s OSAX %s %s %s", v->name, v->cuu, v->portname,
		v->datacuu);
	if (v->layer2)
		fprintf(out, " LAYER2 %02X%02X%02X%02X%02X%02X", v->mac[0],
			v->mac[1], v->mac[2], v->mac[3], v->mac[4], v->mac[5]);
	fputc('\n', out);
	stackd_deck_print_adapter(v, out);
}

/* " mask" for IPv4, " /n" for IPv6, as the language writes them. */
static void print_mask(uint8_t family, uint8_t plen, FILE *out)
{
	uint32_t mask = plen ? UINT32_MAX << (32 - MIN(plen, 32)) : 0;

	if (family == IP_V4)
		fprintf(out, " %u.%u.%u.%u", mask >> 24, mask >> 16 & 255,
			mask >> 8 & 255, mask & 255);
	else
		fprintf(out, " /%u", plen);
}

static void print_link(const struct deck_link *l, FILE *out)
{
	char text[ADDR_TEXT_MAX];

	fprintf(out, "LINK %s %u %s", l->device, l->number,
		ip_format(&l->addr, text));
	print_mask(l->addr.family, l->plen, out);
	fprintf(out, " %u\n", l->mtu);
}

static void print_route(const struct deck_route *r, FILE *out)
{
	struct ip_addr gw = r->route.gateway;
	char text[ADDR_TEXT_MAX];

	if (gw.family == IP_NONE)
		gw = ip_any((enum ip_family)r->route.dst.addr.family);
	fprintf(out, "ROUTE %s %s", r->device,
		ip_format(&r->route.dst.addr, text));
	print_mask(r->route.dst.addr.family, r->route.dst.len, out);
	fprintf(out, " %s %u\n", ip_format(&gw, text), r->route.metric);
}

static void print_names(const struct stackd_deck *d, FILE *out)
{
	char text[ADDR_TEXT_MAX];

	for (uint32_t i = 0; i < d->n_dns; i++)
		fprintf(out, "DNS %s%s\n", ip_format(&d->dns[i].addr, text),
			d->dns[i].primary ? " PRI" : "");
	if (d->search[0])
		fprintf(out, "SEARCH %s\n", d->search);
	for (uint32_t i = 0; i < d->n_hosts; i++)
		fprintf(out, "HOST %s %s\n", d->hosts[i].name,
			ip_format(&d->hosts[i].addr, text));
}

void stackd_deck_print(const struct stackd_deck *d, FILE *out)
{
	if (d->job[0])
		fprintf(out, "* $$ JOB JNM=%s\n", d->job);
	fprintf(out, "ID %s\n", d->id);
	if (d->couple[0])
		fprintf(out, "COUPLE %s\n", d->couple);
	fprintf(out, "INTERVAL %u\n", d->interval_s);
	for (uint32_t i = 0; i < d->n_devices; i++)
		print_device(&d->devices[i], out);
	for (uint32_t i = 0; i < d->n_links; i++)
		print_link(&d->links[i], out);
	for (uint32_t i = 0; i < d->n_routes; i++)
		print_route(&d->routes[i], out);
	print_names(d, out);
	for (uint32_t i = 0; i < d->n_rules; i++)
		stackd_deck_print_rule(&d->rules[i], out);
	stackd_deck_print_tune(d, out);
	stackd_deck_print_allow(d, out);
	stackd_deck_print_policy(d, out);
	if (d->priv_port_max != STACKD_DECK_RESERVE)
		fprintf(out, "RESERVE %u\n", d->priv_port_max);
	stackd_deck_print_tls(d, out);
	if (d->metrics[0])
		fprintf(out, "METRICS %s\n", d->metrics);
	if (d->attached)
		fprintf(out, "ATTACH TCP/IP\n");
}
