#include "target/target.h"

static bool may_have(const struct target *t, bool up)
{
	return up ? t->health == TARGET_UP : t->health != TARGET_OFF;
}

static struct target *pick(struct target_group *g, target_set tried, bool up)
{
	struct target *best = NULL;

	for (uint32_t k = 0; k < g->n; k++) {
		uint32_t i = (g->next + k) % g->n;
		struct target *t = &g->list[i];

		if (tried >> i & 1 || !may_have(t, up))
			continue;
		if (!g->least)
			return t;
		if (!best || t->conns < best->conns)
			best = t;
	}
	return best;
}

struct target *target_pick(struct target_group *g, target_set *tried)
{
	struct target *t = pick(g, *tried, true);
	uint32_t i;

	if (!t)
		t = pick(g, *tried, false);
	if (!t)
		return NULL;
	i = (uint32_t)(t - g->list);
	*tried |= (target_set)1 << i;
	g->next = (i + 1) % g->n;
	return t;
}

bool target_checked(struct target *t, bool ok, uint32_t rise, uint32_t fall)
{
	bool is_up = t->health == TARGET_UP;

	if (t->health == TARGET_OFF || ok == is_up) {
		t->streak = 0;
		return false;
	}
	if (++t->streak < (ok ? rise : fall))
		return false;
	t->streak = 0;
	t->health = ok ? TARGET_UP : TARGET_DOWN;
	return true;
}

/* The next address of the family from *it on, or NULL. */
static const struct ip_addr *next_of(const struct ip_addr *addrs, size_t n,
				     uint8_t family, size_t *it)
{
	while (*it < n) {
		const struct ip_addr *a = &addrs[(*it)++];

		if (a->family == family)
			return a;
	}
	return NULL;
}

void target_set_addrs(struct target *t, const struct ip_addr *addrs, size_t n,
		      mono_t now)
{
	size_t it4 = 0, it6 = 0;

	t->n_addrs = 0;
	t->resolved_at = now;
	for (;;) {
		const struct ip_addr *a6 = next_of(addrs, n, IP_V6, &it6);
		const struct ip_addr *a4 = next_of(addrs, n, IP_V4, &it4);

		if (!a4 && !a6)
			return;
		if (a6 && t->n_addrs < TARGET_ADDRS_MAX)
			t->addrs[t->n_addrs++] = *a6;
		if (a4 && t->n_addrs < TARGET_ADDRS_MAX)
			t->addrs[t->n_addrs++] = *a4;
	}
}
