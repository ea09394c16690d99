/*
 * Name servers and search domains that routers tell (RFC 8106). A small
 * table each; what is told with a lifetime of zero goes, what is new takes
 * the place of what ends first. Nothing is timed: who asks gives the time.
 */
#include "ip/ip_int.h"
#include "wire/ndp.h"

#include <string.h>

static mono_t until(uint32_t s, mono_t now)
{
	return s == NDP_INFINITE ? MONO_NEVER : mono_add(now, DUR_S(s));
}

static void server(struct ip_iface *ifc, const struct ip_addr *a, uint32_t life,
		   mono_t now)
{
	struct ip_rdns *d = ifc->ips->rdns, *at = &d[0];

	if (ip_is_multicast(a) || ip_is_any(a) || ip_is_loopback(a))
		return;
	for (unsigned i = 0; i < IP_RDNS_MAX; i++) {
		if (ip_eq(&d[i].server, a) && d[i].ifindex == ifc->index) {
			at = &d[i];
			break;
		}
		if (mono_lt(d[i].until, at->until))
			at = &d[i];
	}
	/* [RFC8106 5.1] zero: to be used no longer */
	*at = (struct ip_rdns){
		.server = *a, .ifindex = ifc->index, .until = until(life, now)};
}

static void domain(struct ip_stack *ips, const char *name, uint32_t life,
		   mono_t now)
{
	struct ip_rdomain *d = ips->rdomain, *at = &d[0];

	for (unsigned i = 0; i < IP_RDOMAIN_MAX; i++) {
		if (strcmp(d[i].name, name) == 0) {
			at = &d[i];
			break;
		}
		if (mono_lt(d[i].until, at->until))
			at = &d[i];
	}
	*at = (struct ip_rdomain){.until = until(life, now)};
	memcpy(at->name, name, strlen(name) + 1);
}

void ip_rdns_learn(struct ip_iface *ifc, const struct ndp_options *o,
		   mono_t now)
{
	if (!ifc->ips->tune.ra_dns)
		return;
	for (int i = 0; i < o->n_rdnss; i++)
		server(ifc, &o->rdnss[i], o->rdnss_life_s[i], now);
	for (int i = 0; i < o->n_dnssl; i++)
		domain(ifc->ips, o->dnssl[i], o->dnssl_life_s[i], now);
}

uint32_t ip_dns_servers(const struct ip_stack *ips, struct ip_port *ret,
			uint32_t max, mono_t now)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < IP_RDNS_MAX && n < max; i++) {
		const struct ip_rdns *d = &ips->rdns[i];

		if (mono_leq(d->until, now))
			continue;
		ret[n++] = (struct ip_port){
			.addr = d->server,
			.port = 53,
			.scope = ip_is_link_local(&d->server) ? d->ifindex : 0,
		};
	}
	return n;
}

size_t ip_dns_search(const struct ip_stack *ips, char *buf, size_t cap,
		     mono_t now)
{
	size_t len = 0;

	buf[0] = 0;
	for (unsigned i = 0; i < IP_RDOMAIN_MAX; i++) {
		const struct ip_rdomain *d = &ips->rdomain[i];
		size_t n = strlen(d->name);

		if (mono_leq(d->until, now) || len + n + 2 > cap)
			continue;
		if (len)
			buf[len++] = ' ';
		memcpy(buf + len, d->name, n + 1);
		len += n;
	}
	return len;
}
