/*
 * Temporary addresses (RFC 8981): beside the stable address of a prefix one
 * with a random identifier, which lives a day or two and then makes way for
 * the next, so that what programs do cannot be put together over time.
 */
#include "ip/ip_int.h"
#include "wire/ndp.h"

#include <string.h>

/* [RFC8981 3.8] */
#define TEMP_VALID DUR_S(2 * 86400)
#define TEMP_PREFERRED DUR_S(86400)
#define DESYNC_MAX_S (86400 * 4 / 10)
#define IDGEN_RETRIES 3

static bool of_prefix(const struct ip_ifaddr *ia, const struct ip_iface *ifc,
		      const struct ip_prefix *net)
{
	return ia->ifc == ifc && ia->from_ra && ip_prefix_has(net, &ia->addr);
}

/* [RFC8981 3.3.1] random, not reserved, not one of ours */
static bool random_address(struct ip_iface *ifc, const struct ip_prefix *net,
			   struct ip_addr *ret)
{
	struct ip_stack *ips = ifc->ips;

	*ret = net->addr;
	for (int i = 0; i < IDGEN_RETRIES; i++) {
		uint64_t iid = ips->env.rand64(ips->env.rand_arg);

		memcpy(ret->b + 8, &iid, sizeof(iid));
		if (!ip_iid_reserved(ret->b + 8) && !ip_ifaddr_find(ips, ret))
			return true;
	}
	return false;
}

static void make(struct ip_iface *ifc, const struct ip_prefix *net,
		 mono_t preferred, mono_t valid, mono_t now)
{
	/* [RFC8981 3.4 step 5] how much earlier than a day, so that not all
	 * hosts change at once */
	dur_t desync = DUR_S(ip_random(ifc->ips, 0, DESYNC_MAX_S));
	struct ip_ifaddr_spec spec = {
		.from_ra = true,
		.temporary = true,
		.preferred_until = mono_min(
			preferred,
			mono_add(now, DUR_NS(TEMP_PREFERRED.ns - desync.ns))),
		.valid_until = mono_min(valid, mono_add(now, TEMP_VALID)),
	};
	struct ip_addr a;

	/* a full table leaves the stable address alone in service */
	if (random_address(ifc, net, &a))
		(void)!ip_ifaddr_new(ifc, &a, 64, &spec, now);
}

/* [RFC8981 3.4 step 2] an advertisement shortens lives, it never prolongs
 * them beyond the days that each address has. */
static void refresh(struct ip_ifaddr *ia, mono_t preferred, mono_t valid,
		    mono_t now)
{
	ia->preferred_until = mono_min(ia->preferred_until, preferred);
	ia->valid_until = mono_min(ia->valid_until, valid);
	if (mono_leq(ia->preferred_until, now) &&
	    ia->state == IP_ADDR_PREFERRED)
		ip_ifaddr_set_state(ia, IP_ADDR_DEPRECATED);
	ip_ifaddr_life_arm(ia, now);
}

void ip_temp_prefix(struct ip_iface *ifc, const struct ip_prefix *net,
		    mono_t preferred, mono_t valid, mono_t now)
{
	struct ip_stack *ips = ifc->ips;
	bool fresh = false;

	if (!ips->tune.temp_addrs)
		return;
	for (uint32_t i = 0; i < ips->n_addr; i++) {
		struct ip_ifaddr *ia = ips->addr[i];

		if (!ia->temporary || !of_prefix(ia, ifc, net))
			continue;
		refresh(ia, preferred, valid, now);
		fresh = fresh || mono_lt(now, ia->preferred_until);
	}
	/* [RFC8981 3.4 step 4] none for a prefix that is deprecated itself */
	if (!fresh && mono_lt(now, preferred))
		make(ifc, net, preferred, valid, now);
}

/* [RFC8981 3.5] A temporary address is deprecated: the next one, if its
 * prefix still has a stable address that is preferred. */
void ip_temp_next(const struct ip_ifaddr *old, mono_t now)
{
	struct ip_iface *ifc = old->ifc;
	struct ip_prefix net = ip_prefix_make(&old->addr, 64);

	if (!ifc->ips->tune.temp_addrs)
		return;
	for (uint32_t i = 0; i < ifc->ips->n_addr; i++) {
		const struct ip_ifaddr *ia = ifc->ips->addr[i];

		if (!ia->temporary && of_prefix(ia, ifc, &net) &&
		    mono_lt(now, ia->preferred_until)) {
			ip_temp_prefix(ifc, &net, ia->preferred_until,
				       ia->valid_until, now);
			return;
		}
	}
}
