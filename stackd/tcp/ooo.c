#include "tcp/ooo.h"

#include <stdlib.h>
#include <string.h>

#define RANGES_FIRST 8u

struct tcp_ooo *tcp_ooo_new(void)
{
	return calloc(1, sizeof(struct tcp_ooo));
}

void tcp_ooo_free(struct tcp_ooo *o, struct pkt_pool *pool)
{
	if (!o)
		return;
	for (uint32_t i = 0; i < o->n; i++)
		pkt_free_chain(pool, o->v[i].first);
	free(o->v);
	free(o);
}

bool tcp_ooo_empty(const struct tcp_ooo *o)
{
	return o->n == 0;
}

tcp_seq_t tcp_ooo_end(const struct tcp_ooo *o)
{
	return o->v[o->n - 1].right;
}

/* Index of the first range that ends at or after `s`. */
static uint32_t find(const struct tcp_ooo *o, tcp_seq_t s)
{
	uint32_t lo = 0, hi = o->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (seq_lt(o->v[mid].right, s))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void remove_range(struct tcp_ooo *o, uint32_t i)
{
	o->n--;
	memmove(&o->v[i], &o->v[i + 1], (o->n - i) * sizeof(o->v[0]));
}

static bool make_room(struct tcp_ooo *o)
{
	uint32_t cap = MAX(o->cap * 2, RANGES_FIRST);
	struct tcp_ooo_range *v;

	if (o->n < o->cap)
		return true;
	if (cap > TCP_OOO_RANGES_MAX)
		return false;
	v = realloc(o->v, cap * sizeof(*v));
	if (!v)
		return false;
	o->v = v;
	o->cap = cap;
	return true;
}

static bool overlaps(const struct tcp_sack_block *a, tcp_seq_t l, tcp_seq_t r)
{
	return seq_lt(a->left, r) && seq_lt(l, a->right);
}

/* [RFC2018 4] The block with the latest segment comes first, then those
 * reported most recently. */
static void report(struct tcp_ooo *o, const struct tcp_ooo_range *now)
{
	struct tcp_sack_block out[TCP_SACK_MAX];
	uint8_t n = 0;

	out[n++] = (struct tcp_sack_block){now->left, now->right};
	for (uint8_t i = 0; i < o->n_recent && n < TCP_SACK_MAX; i++)
		if (!overlaps(&o->recent[i], now->left, now->right))
			out[n++] = o->recent[i];
	memcpy(o->recent, out, n * sizeof(out[0]));
	o->n_recent = n;
}

static void forget_reported(struct tcp_ooo *o, tcp_seq_t nxt)
{
	uint8_t n = 0;

	for (uint8_t i = 0; i < o->n_recent; i++)
		if (seq_lt(nxt, o->recent[i].left))
			o->recent[n++] = o->recent[i];
	o->n_recent = n;
}

static void free_chain_of(struct tcp_ooo *o, struct pkt_pool *pool,
			  struct tcp_ooo_range *r)
{
	for (struct pkt *p = r->first; p; p = p->next)
		o->mem -= p->cap;
	pkt_free_chain(pool, r->first);
}

/* Appends `p` to the chain of `r`, by copy where there is room. */
static void append(struct tcp_ooo *o, struct pkt_pool *pool,
		   struct tcp_ooo_range *r, struct pkt *p)
{
	r->right = seq_add(r->right, p->len);
	if (pkt_tailroom(r->last) >= p->len) {
		memcpy(pkt_data(r->last) + r->last->len, pkt_data(p), p->len);
		r->last->len += p->len;
		pkt_free(pool, p);
		return;
	}
	r->last->next = p;
	r->last = p;
	o->mem += p->cap;
}

/* Joins range i with i + 1 if they touch. */
static void join(struct tcp_ooo *o, uint32_t i)
{
	struct tcp_ooo_range *r = &o->v[i];

	if (i + 1 >= o->n || !seq_eq(r->right, r[1].left))
		return;
	r->last->next = r[1].first;
	r->last = r[1].last;
	r->right = r[1].right;
	remove_range(o, i + 1);
}

static enum tcp_ooo_verdict refuse(struct pkt_pool *pool, struct pkt *p)
{
	pkt_free(pool, p);
	return TCP_OOO_REFUSED;
}

/* Frees ranges from `i` on that end at or before `right`: the new packet has
 * all their bytes. */
static void swallow(struct tcp_ooo *o, struct pkt_pool *pool, uint32_t i,
		    tcp_seq_t right)
{
	while (i < o->n && seq_leq(o->v[i].right, right)) {
		free_chain_of(o, pool, &o->v[i]);
		remove_range(o, i);
	}
}

static void put(struct tcp_ooo *o, struct pkt_pool *pool, uint32_t i,
		struct pkt *p)
{
	tcp_seq_t left = TCP_SEQ(p->seq);

	if (i < o->n && seq_eq(o->v[i].right, left)) {
		append(o, pool, &o->v[i], p);
	} else {
		memmove(&o->v[i + 1], &o->v[i], (o->n - i) * sizeof(o->v[0]));
		o->v[i] = (struct tcp_ooo_range){left, seq_add(left, p->len), p,
						 p};
		o->n++;
		o->mem += p->cap;
	}
	join(o, i);
	report(o, &o->v[i]);
}

enum tcp_ooo_verdict tcp_ooo_insert(struct tcp_ooo *o, struct pkt_pool *pool,
				    struct pkt *p, tcp_seq_t seq,
				    uint32_t mem_max,
				    struct tcp_sack_block *ret_dup)
{
	tcp_seq_t right = seq_add(seq, p->len);
	uint32_t i = find(o, seq);

	*ret_dup = (struct tcp_sack_block){seq, seq};
	/* the range that holds our first byte, if any */
	if (i < o->n && seq_leq(o->v[i].left, seq) &&
	    seq_lt(seq, o->v[i].right)) {
		tcp_seq_t upto = seq_min(right, o->v[i].right);

		*ret_dup = (struct tcp_sack_block){seq, upto};
		if (seq_eq(upto, right)) {
			report(o, &o->v[i]);
			pkt_free(pool, p);
			return TCP_OOO_DUPLICATE;
		}
		pkt_pull(p, (uint32_t)seq_diff(upto, seq));
		seq = upto;
	}
	p = pkt_shrink(pool, p);
	if (o->mem + p->cap > mem_max || !make_room(o))
		return refuse(pool, p);
	swallow(o, pool, i < o->n && seq_leq(o->v[i].right, seq) ? i + 1 : i,
		right);
	/* the range that holds our last byte */
	for (uint32_t k = i; k < o->n && k <= i + 1; k++) {
		if (seq_lt(seq, o->v[k].left) && seq_lt(o->v[k].left, right))
			pkt_trim(p, (uint32_t)seq_diff(right, o->v[k].left));
	}
	p->seq = seq.v;
	p->next = NULL;
	put(o, pool, i, p);
	return TCP_OOO_HELD;
}

struct pkt *tcp_ooo_take(struct tcp_ooo *o, struct pkt_pool *pool,
			 tcp_seq_t nxt)
{
	forget_reported(o, nxt);
	while (o->n && seq_leq(o->v[0].left, nxt)) {
		struct tcp_ooo_range *r = &o->v[0];
		struct pkt *p = r->first;
		tcp_seq_t end = TCP_SEQ(p->seq + p->len);

		r->first = p->next;
		r->left = end;
		o->mem -= p->cap;
		if (!r->first)
			remove_range(o, 0);
		p->next = NULL;
		if (seq_leq(end, nxt)) {
			pkt_free(pool, p);
			continue;
		}
		pkt_pull(p, nxt.v - p->seq);
		return p;
	}
	return NULL;
}

void tcp_ooo_check(const struct tcp_ooo *o, tcp_seq_t nxt)
{
	uint32_t mem = 0;
	tcp_seq_t s = nxt;

	INVARIANT(o->n && o->n <= o->cap && o->cap <= TCP_OOO_RANGES_MAX);
	for (uint32_t i = 0; i < o->n; i++) {
		const struct tcp_ooo_range *r = &o->v[i];
		const struct pkt *last = NULL;

		INVARIANT(seq_lt(s, r->left) && seq_lt(r->left, r->right));
		s = r->left;
		for (const struct pkt *p = r->first; p; p = p->next) {
			INVARIANT(p->seq == s.v && p->len > 0);
			s = seq_add(s, p->len);
			mem += p->cap;
			last = p;
		}
		INVARIANT(last == r->last && seq_eq(s, r->right));
	}
	INVARIANT(mem == o->mem);
	INVARIANT(o->n_recent <= TCP_SACK_MAX);
	for (uint8_t i = 0; i < o->n_recent; i++)
		INVARIANT(seq_lt(nxt, o->recent[i].left));
}
