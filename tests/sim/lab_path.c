#include "sim/lab_path.h"

#define NS_PER_S 1000000000

/* splitmix64 */
static uint64_t draw(uint64_t *x)
{
	uint64_t z = (*x += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* Always draws, so that packet n meets the same number in every run. */
static bool chance(uint64_t *x, uint32_t per_mille)
{
	return draw(x) % 1000 < per_mille;
}

static dur_t part_of(uint64_t *x, dur_t max)
{
	uint64_t z = draw(x);

	return DUR_NS(max.ns ? (int64_t)(z % (uint64_t)max.ns) : 0);
}

static int64_t wire_ns(uint32_t bytes, uint64_t bps)
{
	return (int64_t)((uint64_t)bytes * 8 * NS_PER_S / bps);
}

void lab_path_init(struct lab_path *p, const struct lab_path_cfg *cfg,
		   uint64_t seed)
{
	*p = (struct lab_path){.cfg = *cfg};
	for (int i = 0; i < LAB_STAGES; i++)
		p->rng[i] = seed * 1000003 + (uint64_t)i * 7919;
	if (cfg->police_bps)
		p->tokens_ns = wire_ns(cfg->police_bytes, cfg->police_bps);
}

static bool policed(struct lab_path *p, uint32_t bytes, mono_t now)
{
	const struct lab_path_cfg *c = &p->cfg;
	int64_t depth, cost;

	if (!c->police_bps)
		return false;
	depth = wire_ns(c->police_bytes, c->police_bps);
	cost = wire_ns(bytes, c->police_bps);
	if (p->tokens_at.ns)
		p->tokens_ns += mono_sub(now, p->tokens_at).ns;
	p->tokens_ns = MIN(p->tokens_ns, depth);
	p->tokens_at = now;
	if (p->tokens_ns < cost)
		return true;
	p->tokens_ns -= cost;
	return false;
}

static bool lost(struct lab_path *p)
{
	const struct lab_path_cfg *c = &p->cfg;
	bool random = chance(&p->rng[LAB_LOSS], c->loss_pm);

	if (chance(&p->rng[LAB_BURST],
		   p->bad ? c->burst_out_pm : c->burst_in_pm))
		p->bad = !p->bad;
	return random || p->bad;
}

/* The time at which the bottleneck has sent it; MONO_NEVER: no room. */
static mono_t queue(struct lab_path *p, uint32_t bytes, mono_t now, bool *ce)
{
	const struct lab_path_cfg *c = &p->cfg;
	int64_t wait_ns, waiting;

	if (!c->rate_bps)
		return now;
	p->free_at = mono_max(p->free_at, now);
	wait_ns = mono_sub(p->free_at, now).ns;
	waiting = (int64_t)((double)wait_ns * (double)c->rate_bps / 8e9);
	if (waiting + bytes > c->queue_bytes) {
		p->queue_drops++;
		return MONO_NEVER;
	}
	if (c->mark_bytes && waiting > c->mark_bytes && ce) {
		*ce = true;
		p->marked++;
	}
	p->free_at = mono_add(p->free_at, DUR_NS(wire_ns(bytes, c->rate_bps)));
	return p->free_at;
}

mono_t lab_path_carry(struct lab_path *p, uint32_t bytes, mono_t now, bool *ce)
{
	const struct lab_path_cfg *c = &p->cfg;
	dur_t jitter = part_of(&p->rng[LAB_JITTER], c->jitter);
	bool long_way = chance(&p->rng[LAB_REORDER], c->reorder_pm);
	mono_t at;

	p->packets++;
	p->bytes += bytes;
	if (policed(p, bytes, now)) {
		p->police_drops++;
		return MONO_NEVER;
	}
	if (lost(p)) {
		p->lost++;
		return MONO_NEVER;
	}
	at = queue(p, bytes, now, ce);
	if (mono_is_never(at))
		return at;
	at = mono_add(at, dur_add(c->delay, jitter));
	if (long_way)
		return mono_add(at, c->reorder);
	p->last_at = mono_max(p->last_at, at);
	return p->last_at;
}
