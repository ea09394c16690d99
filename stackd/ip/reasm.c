/*
 * Reassembly of both families. A datagram is a chain of its fragments by
 * offset; nothing may overlap. Memory, datagrams in all and per source are
 * bounded; when one bound is met the oldest gives way, so that a flood
 * cannot lock out those who come after it.
 */
#include "ip/ip_int.h"
#include "wire/checksum.h"
#include "wire/icmp.h"
#include "wire/ipv6.h"

#include <errno.h>
#include <string.h>

#define REASM_MAX 1024 /* datagrams */
#define FRAGS_MAX 256  /* of one datagram; 64 KiB in 1280s make 53 */
#define HASH_SIZE 256
#define V4_TIMEOUT_S 30
#define V6_TIMEOUT_S 60 /* [RFC8200 4.5] */

int ip_reasm_setup(struct ip_stack *ips)
{
	list_init(&ips->reasm.all);
	ips->reasm.hash = ip_alloc(ips, HASH_SIZE * sizeof(struct ip_reasm *));
	ips->reasm.hash_mask = HASH_SIZE - 1;
	return ips->reasm.hash ? 0 : -ENOMEM;
}

struct key {
	struct ip_addr src, dst;
	uint8_t id[4], ifindex[4], proto;
};

static struct ip_reasm **slot_of(struct ip_stack *ips,
				 const struct ip_addr *src,
				 const struct ip_addr *dst, uint32_t ifindex,
				 uint32_t id, uint8_t proto)
{
	struct key k = {.src = *src, .dst = *dst};

	/* [RFC791 3.2] IPv4 tells datagrams apart by protocol too; [RFC8200
	 * 4.5] IPv6 does not. */
	if (src->family == IP_V4)
		k.proto = proto;
	memcpy(k.id, &id, 4);
	memcpy(k.ifindex, &ifindex, 4);
	return &ips->reasm.hash[hash_bytes(&ips->env.key, &k, sizeof(k)) &
				ips->reasm.hash_mask];
}

static struct ip_reasm *find(struct ip_stack *ips, const struct ip_in *in,
			     const struct ip_fragment *f)
{
	struct ip_reasm *r = *slot_of(ips, &in->src, &in->dst, in->ifc->index,
				      f->id, f->proto);

	for (; r; r = r->next)
		if (r->id == f->id && r->ifindex == in->ifc->index &&
		    ip_eq(&r->src, &in->src) && ip_eq(&r->dst, &in->dst) &&
		    (in->src.family == IP_V6 || r->proto == f->proto))
			return r;
	return NULL;
}

static void drop_fragments(struct ip_stack *ips, struct ip_reasm *r)
{
	pkt_free_chain(ips->env.pool, r->first);
	r->first = NULL;
	ips->reasm.charged -= r->charged;
	r->charged = 0;
	r->n = 0;
}

static void reasm_free(struct ip_stack *ips, struct ip_reasm *r)
{
	struct ip_reasm **at =
		slot_of(ips, &r->src, &r->dst, r->ifindex, r->id, r->proto);

	drop_fragments(ips, r);
	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	list_remove(&r->node);
	ip_timer_fini(ips, &r->timer);
	ips->reasm.by_src[r->src_slot]--;
	ips->reasm.count--;
	ip_release(ips, r, sizeof(*r));
}

void ip_reasm_free_all(struct ip_stack *ips)
{
	if (!ips->reasm.hash)
		return;
	while (!list_empty(&ips->reasm.all))
		reasm_free(ips, container_of(ips->reasm.all.next,
					     struct ip_reasm, node));
	ip_release(ips, ips->reasm.hash, HASH_SIZE * sizeof(struct ip_reasm *));
}

static void evict_oldest(struct ip_stack *ips)
{
	ips->drops[IP_DROP_FRAG_LIMIT]++;
	reasm_free(ips,
		   container_of(ips->reasm.all.next, struct ip_reasm, node));
}

static struct ip_reasm *reasm_new(struct ip_stack *ips, const struct ip_in *in,
				  const struct ip_fragment *f, mono_t now)
{
	uint64_t h = hash_bytes(&ips->env.key, &in->src, sizeof(in->src));
	uint32_t src_slot = h % ARRAY_SIZE(ips->reasm.by_src);
	int64_t timeout = in->src.family == IP_V4 ? V4_TIMEOUT_S : V6_TIMEOUT_S;
	struct ip_reasm *r, **slot;

	if (ips->reasm.by_src[src_slot] >= ips->tune.reasm_per_src)
		return NULL;
	if (ips->reasm.count == REASM_MAX)
		evict_oldest(ips);
	r = ip_alloc(ips, sizeof(*r));
	if (!r)
		return NULL;
	if (ip_timer_init(ips, &r->timer, IP_T_REASM) < 0) {
		ip_release(ips, r, sizeof(*r));
		return NULL;
	}
	r->src = in->src;
	r->dst = in->dst;
	r->id = f->id;
	r->ifindex = in->ifc->index;
	r->proto = f->proto;
	r->src_slot = src_slot;
	r->l2_multicast = in->p->l2_multicast;
	slot = slot_of(ips, &in->src, &in->dst, r->ifindex, f->id, f->proto);
	r->next = *slot;
	*slot = r;
	list_push_tail(&ips->reasm.all, &r->node);
	ips->reasm.by_src[src_slot]++;
	ips->reasm.count++;
	ip_timer_arm(ips, &r->timer, mono_add(now, DUR_S(timeout)));
	return r;
}

/* Where a fragment goes: the link that points to its successor. The
 * predecessor, if any, is *ret_prev. */
static struct pkt **place(struct ip_reasm *r, uint32_t off,
			  struct pkt **ret_prev)
{
	struct pkt **at = &r->first;

	*ret_prev = NULL;
	while (*at && (*at)->seq < off) {
		*ret_prev = *at;
		at = &(*at)->next;
	}
	return at;
}

enum fit { FIT_OK, FIT_TWIN, FIT_OVERLAP };

/* [RFC8200 4.5] [RFC5722 4] an exact duplicate is harmless, any other
 * overlap kills the datagram; so does an end that moves. */
static enum fit check_fit(const struct ip_reasm *r, struct pkt *p,
			  struct pkt *prev, struct pkt *succ,
			  const struct ip_fragment *f)
{
	uint32_t end = f->off + p->len;

	if (succ && succ->seq == f->off && succ->len == p->len &&
	    memcmp(pkt_data(succ), pkt_data(p), p->len) == 0 &&
	    f->more == !(r->total && end == r->total))
		return FIT_TWIN;
	if ((prev && prev->seq + prev->len > f->off) ||
	    (succ && succ->seq < end))
		return FIT_OVERLAP;
	if (r->total && (end > r->total || !f->more))
		return FIT_OVERLAP;
	if (!f->more && succ)
		return FIT_OVERLAP; /* something lies behind the end */
	return FIT_OK;
}

/* A held fragment keeps a large buffer only if it fills it. */
static struct pkt *shrink(struct ip_stack *ips, struct pkt *p, uint32_t l3_len)
{
	if (l3_len + p->len > PKT_SMALL_CAP)
		return p;
	return pkt_shrink(ips->env.pool, p);
}

static void insert(struct ip_stack *ips, struct ip_reasm *r,
		   const struct ip_in *in, struct pkt **at,
		   const struct ip_fragment *f)
{
	uint32_t l3_len = in->p->off - in->l3_off;
	struct pkt *p = shrink(ips, in->p, l3_len);
	size_t cost = sizeof(*p) + p->cap;

	p->seq = f->off;
	p->next = *at;
	*at = p;
	r->n++;
	r->have += p->len;
	r->ecn |= (uint8_t)(1u << (in->tos & 3));
	r->charged += cost;
	ips->reasm.charged += cost;
	if (!f->more)
		r->total = f->off + p->len;
	if (f->off == 0) {
		r->l3_len = l3_len;
		r->nh_at = in->nh_off - in->l3_off;
		r->proto = f->proto;
	}
}

/* [RFC3168 5.3] CE survives; not-ECT together with CE is an error */
static int joint_ecn(uint8_t seen)
{
	if (seen & 1u << 3)
		return seen & 1u << 0 ? -1 : 3;
	if (seen & 1u << 0)
		return 0;
	return seen & 1u << 2 ? 2 : 1;
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* The header in front of the whole: as in the first fragment, but for
 * length and what said "fragment". */
static void fix_header(struct ip_reasm *r, uint8_t *l3)
{
	uint16_t sum;

	if (r->src.family == IP_V6) {
		put16(l3 + 4,
		      r->l3_len - IPV6_FRAG_LEN - IPV6_HDR_LEN + r->total);
		l3[r->nh_at] = r->proto;
		return;
	}
	put16(l3 + 2, r->l3_len + r->total);
	put16(l3 + 6, 0);
	put16(l3 + 10, 0);
	sum = csum_finish(csum_add(0, l3, r->l3_len));
	put16(l3 + 10, sum);
}

/* All there: one packet out of the chain. NULL: no buffer. */
static struct pkt *assemble(struct ip_stack *ips, struct ip_reasm *r,
			    uint32_t *ret_l3_off)
{
	bool v6 = r->src.family == IP_V6;
	uint32_t hdr = r->l3_len - (v6 ? IPV6_FRAG_LEN : 0);
	bool small = hdr + r->total <= PKT_SMALL_CAP - PKT_HEADROOM;
	struct pkt *p = pkt_new(ips->env.pool, small ? PKT_SMALL : PKT_LARGE);

	if (!p)
		return NULL;
	*ret_l3_off = p->off;
	memcpy(pkt_data(p), pkt_data(r->first) - r->l3_len, hdr);
	fix_header(r, pkt_data(p));
	p->off += hdr;
	p->len = r->total;
	for (struct pkt *f = r->first; f; f = f->next)
		memcpy(pkt_data(p) + f->seq, pkt_data(f), f->len);
	p->ifindex = r->first->ifindex;
	p->gso_segs = 1;
	p->l2_multicast = r->l2_multicast;
	return p;
}

static bool complete(struct ip_stack *ips, struct ip_in *in, struct ip_reasm *r)
{
	int ecn = joint_ecn(r->ecn);
	uint32_t max = r->src.family == IP_V4
			       ? 65535
			       : 65535 + IPV6_HDR_LEN + IPV6_FRAG_LEN;
	struct pkt *p = NULL;

	if (ecn < 0 || r->l3_len + r->total > max)
		ips->drops[IP_DROP_FRAG_BAD]++;
	else if (!(p = assemble(ips, r, &in->l3_off)))
		ips->drops[IP_DROP_NO_BUFFER]++;
	in->p = p;
	if (p) {
		in->fragmented = true;
		in->proto = r->proto;
		in->nh_off = in->l3_off + r->nh_at;
		in->tos = (uint8_t)((in->tos & ~3) | ecn);
		ips->count.reassembled++;
	}
	reasm_free(ips, r);
	return p != NULL;
}

/* Room for one more fragment: others give way, then this datagram. */
static bool make_room(struct ip_stack *ips, const struct ip_reasm *r,
		      size_t cost)
{
	while (ips->reasm.charged + cost > ips->tune.reasm_limit_bytes) {
		struct ip_reasm *oldest = container_of(ips->reasm.all.next,
						       struct ip_reasm, node);

		if (oldest == r)
			return false;
		evict_oldest(ips);
	}
	return r->n < FRAGS_MAX;
}

static void kill(struct ip_stack *ips, struct ip_reasm *r)
{
	drop_fragments(ips, r);
	r->dead = true;
}

bool ip_reasm_input(struct ip_stack *ips, struct ip_in *in,
		    const struct ip_fragment *f, mono_t now)
{
	struct ip_reasm *r = find(ips, in, f);
	struct pkt *prev, **at;

	if (!r)
		r = reasm_new(ips, in, f, now);
	if (!r)
		return ip_drop(ips, in->p, IP_DROP_FRAG_LIMIT);
	if (r->dead)
		return ip_drop(ips, in->p, IP_DROP_FRAG_OVERLAP);
	at = place(r, f->off, &prev);
	switch (check_fit(r, in->p, prev, *at, f)) {
	case FIT_TWIN:
		pkt_free(ips->env.pool, in->p);
		return false;
	case FIT_OVERLAP:
		kill(ips, r);
		return ip_drop(ips, in->p, IP_DROP_FRAG_OVERLAP);
	case FIT_OK:
		break;
	}
	if (!make_room(ips, r, sizeof(struct pkt) + in->p->cap)) {
		kill(ips, r);
		return ip_drop(ips, in->p, IP_DROP_FRAG_LIMIT);
	}
	insert(ips, r, in, at, f);
	if (!r->total || r->have < r->total)
		return false;
	return complete(ips, in, r);
}

/* [RFC1122 3.3.2] [RFC8200 4.5] tell the sender, if we have the fragment
 * that says who it is */
void ip_reasm_expire(struct ip_stack *ips, struct ip_reasm *r, mono_t now)
{
	struct pkt *p = r->first;
	struct ip_in in = {
		.ifc = ips->iface[r->ifindex],
		.p = p,
		.src = r->src,
		.dst = r->dst,
		.proto = r->proto,
	};

	if (!r->dead)
		ips->drops[IP_DROP_FRAG_TIMEOUT]++;
	if (p && p->seq == 0) {
		in.l3_off = p->off - r->l3_len;
		in.multicast = !ip_addr_is_local(ips, &r->dst);
		ip_icmp_error(ips, &in,
			      r->src.family == IP_V4 ? ICMP4_TIME_EXCEEDED
						     : ICMP6_TIME_EXCEEDED,
			      ICMP_REASM_TIMEOUT, 0, now);
	}
	reasm_free(ips, r);
}
