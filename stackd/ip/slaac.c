/*
 * Stateless autoconfiguration (RFC 4862) with interface identifiers that
 * are stable, secret and different in each network (RFC 7217).
 */
#include "ip/ip_int.h"
#include "wire/ndp.h"

#include <string.h>

#define TWO_HOURS_S 7200
#define IDGEN_RETRIES 3 /* [RFC7217 7] */

/* [RFC5453 3] identifiers that belong to anycast groups */
bool ip_iid_reserved(const uint8_t iid[8])
{
	static const uint8_t zero[8];
	static const uint8_t proxy[5] = {0x02, 0x00, 0x5e, 0xff, 0xfe};
	static const uint8_t anycast[7] = {0xfd, 0xff, 0xff, 0xff,
					   0xff, 0xff, 0xff};

	return memcmp(iid, zero, 8) == 0 || memcmp(iid, proxy, 5) == 0 ||
	       (memcmp(iid, anycast, 7) == 0 && iid[7] >= 0x80);
}

/* [RFC7217 5] F(prefix, interface, counter, secret) behind the prefix.
 * Returns the counter used, which is `counter` unless that gave a reserved
 * identifier. */
static uint8_t make_address(const struct ip_iface *ifc,
			    const struct ip_addr *prefix, uint8_t counter,
			    struct ip_addr *ret)
{
	struct {
		char what[8];
		uint8_t prefix[8];
		char name[32];
		uint8_t mac[6], counter;
	} in = {.what = "iid"};
	uint64_t h;

	memcpy(in.prefix, prefix->b, 8);
	memcpy(in.name, ifc->cfg.name, sizeof(in.name));
	memcpy(in.mac, ifc->cfg.mac, sizeof(in.mac));
	*ret = *prefix;
	do {
		in.counter = counter++;
		h = hash_bytes(&ifc->ips->env.stable_key, &in, sizeof(in));
		memcpy(ret->b + 8, &h, 8);
	} while (ip_iid_reserved(ret->b + 8));
	return in.counter;
}

/* [RFC4862 5.3] */
void ip_slaac_link_local(struct ip_iface *ifc, mono_t now)
{
	static const struct ip_addr prefix = {IP_V6, {0xfe, 0x80}};
	struct ip_ifaddr_spec spec = {
		.autoconf = true,
		.connected = true,
		.preferred_until = MONO_NEVER,
		.valid_until = MONO_NEVER,
	};
	struct ip_addr a;

	spec.dad_counter = make_address(ifc, &prefix, 0, &a);
	/* Table full: IPv6 on this link works without neighbours' help from
	 * here on, which the operator sees in the list of addresses. */
	(void)!ip_ifaddr_new(ifc, &a, 64, &spec, now);
}

void ip_slaac_retry(struct ip_ifaddr *ia, mono_t now)
{
	struct ip_iface *ifc = ia->ifc;
	struct ip_ifaddr_spec spec = {
		.from_ra = ia->from_ra,
		.autoconf = true,
		.connected = ia->connected,
		.preferred_until = ia->preferred_until,
		.valid_until = ia->valid_until,
	};
	struct ip_prefix net = ip_prefix_make(&ia->addr, 64);
	struct ip_addr a;

	if (ia->dad_counter >= IDGEN_RETRIES)
		return; /* stays in the list as a duplicate */
	spec.dad_counter =
		make_address(ifc, &net.addr, ia->dad_counter + 1, &a);
	ip_ifaddr_free(ia, now);
	(void)!ip_ifaddr_new(ifc, &a, 64, &spec, now);
}

static mono_t until(uint32_t s, mono_t now)
{
	return s == NDP_INFINITE ? MONO_NEVER : mono_add(now, DUR_S(s));
}

/* [RFC4862 5.5.3 e] a stranger cannot make an address end sooner than in
 * two hours */
static mono_t valid_after(const struct ip_ifaddr *ia, uint32_t valid_s,
			  mono_t now)
{
	mono_t told = until(valid_s, now);
	mono_t two_hours = mono_add(now, DUR_S(TWO_HOURS_S));

	if (mono_lt(two_hours, told) || mono_lt(ia->valid_until, told))
		return told;
	if (mono_leq(ia->valid_until, two_hours))
		return ia->valid_until;
	return two_hours;
}

static void refresh(struct ip_ifaddr *ia, const struct ndp_prefix *p,
		    mono_t now)
{
	ia->preferred_until = until(p->preferred_s, now);
	ia->valid_until = valid_after(ia, p->valid_s, now);
	if (ip_ifaddr_usable(ia))
		ip_ifaddr_set_state(ia, p->preferred_s ? IP_ADDR_PREFERRED
						       : IP_ADDR_DEPRECATED);
	ip_ifaddr_life_arm(ia, now);
}

/* [RFC4862 5.5.3] */
void ip_slaac_prefix(struct ip_iface *ifc, const struct ndp_prefix *p,
		     mono_t now)
{
	struct ip_stack *ips = ifc->ips;
	struct ip_prefix net = ip_prefix_make(&p->addr, 64);
	struct ip_ifaddr_spec spec = {.from_ra = true, .autoconf = true};
	struct ip_addr a;

	if (p->preferred_s > p->valid_s || p->len != 64)
		return;
	for (uint32_t i = 0; i < ips->n_addr; i++) {
		struct ip_ifaddr *ia = ips->addr[i];

		if (ia->ifc == ifc && ia->from_ra && !ia->temporary &&
		    ip_prefix_has(&net, &ia->addr)) {
			refresh(ia, p, now);
			ip_temp_prefix(ifc, &net, ia->preferred_until,
				       ia->valid_until, now);
			return;
		}
	}
	if (p->valid_s == 0)
		return;
	spec.preferred_until = until(p->preferred_s, now);
	spec.valid_until = until(p->valid_s, now);
	spec.dad_counter = make_address(ifc, &net.addr, 0, &a);
	if (ip_ifaddr_new(ifc, &a, 64, &spec, now) == 0)
		ip_temp_prefix(ifc, &net, spec.preferred_until,
			       spec.valid_until, now);
}
