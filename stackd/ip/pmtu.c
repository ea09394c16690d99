/*
 * Path MTUs below the link's, by destination (RFC 1191, RFC 8201). Sorted
 * array: few destinations ever need one. The oldest gives way when it is
 * full.
 */
#include "ip/ip_int.h"
#include "wire/ipv6.h"

#include <errno.h>
#include <string.h>

/* [RFC1191 6.3] [RFC8201 5.3] after this a larger MTU is tried again */
#define AGE_S 600
/* Smallest MTU believed for IPv4; what asks for less may be an attack on
 * throughput, so such a path is sent fragments instead. */
#define V4_MIN 552u

static uint32_t slot_of(const struct ip_stack *ips, const struct ip_addr *dst)
{
	uint32_t lo = 0, hi = ips->n_pmtu;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (memcmp(&ips->pmtu[mid].dst, dst, sizeof(*dst)) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct ip_pmtu *ip_pmtu_get(const struct ip_stack *ips,
				  const struct ip_addr *dst)
{
	uint32_t i;

	if (!ips->n_pmtu)
		return NULL;
	i = slot_of(ips, dst);
	if (i < ips->n_pmtu && ip_eq(&ips->pmtu[i].dst, dst))
		return &ips->pmtu[i];
	return NULL;
}

static void arm_timer(struct ip_stack *ips)
{
	mono_t at = MONO_NEVER;

	for (uint32_t i = 0; i < ips->n_pmtu; i++)
		at = mono_min(at, ips->pmtu[i].until);
	ip_timer_arm(ips, &ips->pmtu_timer, at);
}

static void remove_at(struct ip_stack *ips, uint32_t i)
{
	ips->n_pmtu--;
	memmove(&ips->pmtu[i], &ips->pmtu[i + 1],
		(ips->n_pmtu - i) * sizeof(ips->pmtu[0]));
	ip_path_changed(ips);
}

static void remove_oldest(struct ip_stack *ips)
{
	uint32_t oldest = 0;

	for (uint32_t i = 1; i < ips->n_pmtu; i++)
		if (mono_lt(ips->pmtu[i].until, ips->pmtu[oldest].until))
			oldest = i;
	remove_at(ips, oldest);
}

/* The whole array comes with the first entry: a host that never meets a
 * small path MTU pays nothing. */
static struct ip_pmtu *insert(struct ip_stack *ips, const struct ip_addr *dst)
{
	uint32_t i;

	if (!ips->pmtu)
		ips->pmtu = ip_alloc(ips, IP_PMTU_MAX * sizeof(*ips->pmtu));
	if (!ips->pmtu)
		return NULL;
	if (ips->n_pmtu == IP_PMTU_MAX)
		remove_oldest(ips);
	i = slot_of(ips, dst);
	memmove(&ips->pmtu[i + 1], &ips->pmtu[i],
		(ips->n_pmtu - i) * sizeof(ips->pmtu[0]));
	ips->n_pmtu++;
	ips->pmtu[i] = (struct ip_pmtu){.dst = *dst, .mtu = UINT32_MAX};
	return &ips->pmtu[i];
}

/* The MTU of the link towards dst. */
static uint32_t link_mtu(const struct ip_stack *ips, const struct ip_addr *dst)
{
	const struct ip_route *r = ip_route_find(ips, dst, 0);

	return r ? ip_iface_mtu(ips->iface[r->ifindex], dst->family)
		 : UINT32_MAX;
}

int ip_pmtu_set(struct ip_stack *ips, const struct ip_addr *dst, uint32_t mtu,
		mono_t now)
{
	const struct ip_pmtu *old = ip_pmtu_get(ips, dst);
	bool locked = dst->family == IP_V4 && mtu < V4_MIN;
	uint32_t value = locked ? V4_MIN : mtu;
	struct ip_pmtu *e;

	if (dst->family == IP_V6 && mtu < IPV6_MTU_MIN)
		return -EINVAL; /* [RFC8021 3] [RFC8201 4] */
	if (value >= link_mtu(ips, dst) && !locked)
		return -EALREADY;
	if (old &&
	    (old->mtu < value || (old->mtu == value && old->locked >= locked)))
		return -EALREADY;
	e = old ? &ips->pmtu[old - ips->pmtu] : insert(ips, dst);
	if (!e)
		return -ENOMEM;
	e->mtu = value;
	e->locked |= locked;
	e->until = mono_add(now, DUR_S(AGE_S));
	ip_path_changed(ips);
	arm_timer(ips);
	return 0;
}

void ip_pmtu_expire(struct ip_stack *ips, mono_t now)
{
	for (uint32_t i = ips->n_pmtu; i-- > 0;)
		if (mono_leq(ips->pmtu[i].until, now))
			remove_at(ips, i);
	arm_timer(ips);
}
