#include "tcp/rtx.h"

#include <stdlib.h>
#include <string.h>

#define RTX_HEAP_FIRST 16u /* ranges of the first heap array */
#define RTX_FEW 128u       /* ranges that are searched at any time */

static tcp_seq_t end_of(const struct tcp_rtx_range *e)
{
	return seq_add(e->start, e->len);
}

static struct tcp_rtx_range *at(const struct tcp_rtx *r, uint32_t i)
{
	return &r->v[r->first + i];
}

void tcp_rtx_init(struct tcp_rtx *r, tcp_seq_t una)
{
	memset(r, 0, sizeof(*r));
	r->v = r->small;
	r->cap = TCP_RTX_INLINE;
	r->fack = r->lost_to = r->next_lost = una;
}

void tcp_rtx_fini(struct tcp_rtx *r)
{
	tcp_seq_t una = r->n ? at(r, 0)->start : r->fack;

	if (r->v != r->small)
		free(r->v);
	tcp_rtx_init(r, una);
}

size_t tcp_rtx_memory(const struct tcp_rtx *r)
{
	return r->v == r->small ? 0 : r->cap * sizeof(r->v[0]);
}

/* Room for one more range at the end; false when there can be none. */
static bool make_room(struct tcp_rtx *r)
{
	struct tcp_rtx_range *v;
	uint32_t cap;

	if (r->first + r->n < r->cap)
		return true;
	if (r->first && (r->cap <= RTX_HEAP_FIRST || r->first >= r->cap / 4)) {
		memmove(r->v, at(r, 0), r->n * sizeof(*v));
		r->first = 0;
		return true;
	}
	cap = MAX(r->cap * 2u, RTX_HEAP_FIRST);
	if (cap > TCP_RTX_MAX)
		return false;
	v = malloc(cap * sizeof(*v));
	if (!v)
		return false;
	memcpy(v, at(r, 0), r->n * sizeof(*v));
	if (r->v != r->small)
		free(r->v);
	r->v = v;
	r->cap = (uint16_t)cap;
	r->first = 0;
	return true;
}

static uint32_t flagged(const struct tcp_rtx_range *e, uint8_t flag)
{
	return e->flags & flag ? e->len : 0;
}

static void count_out(struct tcp_rtx *r, const struct tcp_rtx_range *e)
{
	r->sacked -= flagged(e, TCP_RTX_SACKED);
	r->lost -= flagged(e, TCP_RTX_LOST);
	r->rtx -= flagged(e, TCP_RTX_RTX);
}

static void set_flags(struct tcp_rtx *r, struct tcp_rtx_range *e, uint8_t f)
{
	count_out(r, e);
	e->flags = f;
	r->sacked += flagged(e, TCP_RTX_SACKED);
	r->lost += flagged(e, TCP_RTX_LOST);
	r->rtx += flagged(e, TCP_RTX_RTX);
}

void tcp_rtx_push(struct tcp_rtx *r, tcp_seq_t start, uint32_t len, mono_t now)
{
	struct tcp_rtx_range *last = r->n ? at(r, r->n - 1) : NULL;

	if (!last)
		r->fack = r->lost_to = r->next_lost = start;
	if (last && !last->flags && last->sent_at.ns == now.ns) {
		last->len += len;
		return;
	}
	if (make_room(r)) {
		*at(r, r->n++) = (struct tcp_rtx_range){start, len, now, 0};
		return;
	}
	/* Full: the last range grows. Its flags would be a lie for the new
	 * bytes, so it loses those that claim arrival or loss. */
	last = at(r, r->n - 1);
	set_flags(r, last, last->flags & TCP_RTX_EVER);
	last->len += len;
	last->sent_at = now;
	r->fack = seq_min(r->fack, last->start);
	r->lost_to = seq_min(r->lost_to, last->start);
}

/* `e` was delivered as far as `end`. */
static void note_delivered(struct tcp_rtx_acked *acc,
			   const struct tcp_rtx_range *e, tcp_seq_t end)
{
	if (e->flags & TCP_RTX_SACKED)
		return;
	if (e->flags & TCP_RTX_EVER) {
		if (mono_leq(acc->resent_at, e->sent_at)) {
			acc->resent_at = e->sent_at;
			acc->resent_end = end;
		}
		return;
	}
	if (!acc->have_sample || mono_lt(e->sent_at, acc->sent_at))
		acc->sent_at = e->sent_at;
	acc->have_sample = true;
	/* [RFC8985 6.2 step 3] */
	if (seq_lt(end, acc->fack))
		acc->reordered = true;
	if (mono_lt(acc->newest_at, e->sent_at) ||
	    (acc->newest_at.ns == e->sent_at.ns &&
	     seq_lt(acc->newest_end, end))) {
		acc->newest_at = e->sent_at;
		acc->newest_end = end;
	}
}

static void release(struct tcp_rtx *r)
{
	if (r->n)
		return;
	r->first = 0;
	if (r->v != r->small) {
		free(r->v);
		r->v = r->small;
		r->cap = TCP_RTX_INLINE;
	}
}

void tcp_rtx_ack(struct tcp_rtx *r, tcp_seq_t una, struct tcp_rtx_acked *acc)
{
	while (r->n && seq_lt(at(r, 0)->start, una)) {
		struct tcp_rtx_range *e = at(r, 0);
		uint32_t n = e->len;
		uint8_t flags = e->flags;

		note_delivered(acc, e, seq_min(una, end_of(e)));
		if (seq_lt(una, end_of(e)))
			n = (uint32_t)seq_diff(una, e->start);
		if (!(flags & TCP_RTX_SACKED))
			acc->delivered += n;
		count_out(r, e);
		e->flags = 0;
		e->start = seq_add(e->start, n);
		e->len -= n;
		set_flags(r, e, flags);
		if (e->len)
			break;
		r->first++;
		r->n--;
	}
	r->fack = seq_max(r->fack, una);
	r->lost_to = seq_max(r->lost_to, una);
	r->next_lost = seq_max(r->next_lost, una);
	release(r);
}

/* Index of the range that holds `s`; n when it lies beyond. */
static uint32_t find(const struct tcp_rtx *r, tcp_seq_t s)
{
	uint32_t lo = 0, hi = r->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (seq_leq(end_of(at(r, mid)), s))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Makes a boundary at `s` inside range `i`; false when there is no room. */
static bool split(struct tcp_rtx *r, uint32_t i, tcp_seq_t s)
{
	uint32_t head = (uint32_t)seq_diff(s, at(r, i)->start);
	struct tcp_rtx_range *e;

	if (head == 0 || head >= at(r, i)->len)
		return true;
	if (!make_room(r))
		return false;
	e = at(r, i);
	memmove(e + 1, e, (r->n - i) * sizeof(*e));
	r->n++;
	e[0].len = head;
	e[1].start = s;
	e[1].len -= head;
	return true;
}

/* Joins range i with its right neighbour if nothing tells them apart. Times
 * of SACKED ranges no longer matter. */
static void join(struct tcp_rtx *r, uint32_t i)
{
	struct tcp_rtx_range *e = at(r, i);

	if (i + 1 >= r->n || e[0].flags != e[1].flags)
		return;
	if (!(e->flags & TCP_RTX_SACKED) && e[0].sent_at.ns != e[1].sent_at.ns)
		return;
	e[0].len += e[1].len;
	e[0].sent_at = mono_max(e[0].sent_at, e[1].sent_at);
	memmove(e + 1, e + 2, (r->n - i - 2) * sizeof(*e));
	r->n--;
}

void tcp_rtx_sack(struct tcp_rtx *r, tcp_seq_t left, tcp_seq_t right,
		  struct tcp_rtx_acked *acc)
{
	uint32_t i = find(r, left), first = i;

	if (i >= r->n)
		return;
	if (!(at(r, i)->flags & TCP_RTX_SACKED)) {
		if (!split(r, i, left))
			return;
		if (seq_lt(at(r, i)->start, left))
			i++;
	}
	for (; i < r->n && seq_lt(at(r, i)->start, right); i++) {
		if (at(r, i)->flags & TCP_RTX_SACKED)
			continue;
		if (seq_lt(right, end_of(at(r, i))) && !split(r, i, right))
			break;
		note_delivered(acc, at(r, i), end_of(at(r, i)));
		acc->delivered += at(r, i)->len;
		acc->sacked += at(r, i)->len;
		/* EVER is dropped: it only guards the RTT sample above */
		set_flags(r, at(r, i), TCP_RTX_SACKED);
		r->fack = seq_max(r->fack, end_of(at(r, i)));
	}
	/* Collapse the SACKED run again, neighbours included. */
	first = first ? first - 1 : 0;
	for (i = MIN(i, r->n - 1u); i > first; i--)
		join(r, i - 1);
}

static bool waits(const struct tcp_rtx_range *e)
{
	return (e->flags & (TCP_RTX_LOST | TCP_RTX_RTX)) == TCP_RTX_LOST;
}

static uint32_t mark_one(struct tcp_rtx *r, struct tcp_rtx_range *e)
{
	if (e->flags & (TCP_RTX_SACKED | TCP_RTX_LOST))
		return 0;
	set_flags(r, e, e->flags | TCP_RTX_LOST);
	r->next_lost = seq_min(r->next_lost, e->start);
	return e->len;
}

/* [RFC8985 6.1 RACK_sent_after] was `e` sent before what was delivered? */
static bool sent_before(const struct tcp_rtx_range *e,
			const struct tcp_rtx_rack *k)
{
	return e->sent_at.ns == k->xmit_at.ns ? seq_lt(e->start, k->end)
					      : mono_lt(e->sent_at, k->xmit_at);
}

/* Of what was sent once. These lie in the order of their times, and all
 * below lost_to have been dealt with. */
static uint32_t rack_first(struct tcp_rtx *r, const struct tcp_rtx_rack *k,
			   mono_t now, mono_t *next)
{
	uint32_t due = 0;

	for (uint32_t i = find(r, r->lost_to); i < r->n; i++) {
		struct tcp_rtx_range *e = at(r, i);
		mono_t lost_at = mono_add(e->sent_at, k->wait);

		if (!(e->flags & (TCP_RTX_SACKED | TCP_RTX_EVER))) {
			if (!sent_before(e, k))
				break;
			if (mono_lt(now, lost_at)) {
				*next = mono_min(*next, lost_at);
				break;
			}
			due += mark_one(r, e);
		}
		r->lost_to = end_of(e);
	}
	return due;
}

/* Of what was repeated. These lie anywhere. */
static uint32_t rack_again(struct tcp_rtx *r, const struct tcp_rtx_rack *k,
			   mono_t now, mono_t *next)
{
	uint16_t now_ms = (uint16_t)(now.ns / 1000000);
	uint16_t gone_ms = (uint16_t)(now_ms - r->scanned_ms);
	uint32_t due = 0;

	if (r->n > RTX_FEW && gone_ms < dur_ms(k->scan_gap)) {
		*next = mono_min(*next, mono_add(now, k->scan_gap));
		return 0;
	}
	r->scanned_ms = now_ms;
	for (uint32_t i = 0, left = r->rtx; i < r->n && left; i++) {
		struct tcp_rtx_range *e = at(r, i);
		mono_t lost_at = mono_add(e->sent_at, k->wait);

		left -= flagged(e, TCP_RTX_RTX);
		if (!(e->flags & TCP_RTX_RTX) || !sent_before(e, k))
			continue;
		if (mono_lt(now, lost_at)) {
			*next = mono_min(*next, lost_at);
			continue;
		}
		set_flags(r, e, e->flags & (uint8_t)~TCP_RTX_RTX);
		r->next_lost = seq_min(r->next_lost, e->start);
		due += e->len;
	}
	return due;
}

uint32_t tcp_rtx_rack(struct tcp_rtx *r, const struct tcp_rtx_rack *k,
		      mono_t now, mono_t *ret_next)
{
	uint32_t due;

	*ret_next = MONO_NEVER;
	due = rack_first(r, k, now, ret_next);
	if (r->rtx)
		due += rack_again(r, k, now, ret_next);
	return due;
}

void tcp_rtx_unmark(struct tcp_rtx *r)
{
	if (r->lost == r->rtx)
		return;
	for (uint32_t i = 0; i < r->n; i++) {
		struct tcp_rtx_range *e = at(r, i);

		if (!waits(e))
			continue;
		if (e->flags & TCP_RTX_EVER)
			set_flags(r, e, e->flags | TCP_RTX_RTX);
		else
			set_flags(r, e, e->flags & (uint8_t)~TCP_RTX_LOST);
	}
	r->lost_to = at(r, 0)->start;
	r->next_lost = end_of(at(r, r->n - 1));
}

uint32_t tcp_rtx_mark_head(struct tcp_rtx *r, uint32_t len)
{
	struct tcp_rtx_range *e;

	if (!r->n)
		return 0;
	e = at(r, 0);
	if (e->flags & (TCP_RTX_SACKED | TCP_RTX_LOST))
		return 0;
	if (len < e->len)
		split(r, 0, seq_add(e->start, len));
	return mark_one(r, at(r, 0));
}

void tcp_rtx_mark_sent_until(struct tcp_rtx *r, mono_t until)
{
	bool reneged = r->n && (at(r, 0)->flags & TCP_RTX_SACKED);
	bool whole = true; /* all so far is LOST or SACKED */

	if (!r->n)
		return;
	r->next_lost = r->lost_to = at(r, 0)->start;
	for (uint32_t i = 0; i < r->n; i++) {
		struct tcp_rtx_range *e = at(r, i);

		if ((e->flags & TCP_RTX_SACKED) && !reneged)
			continue;
		if (i && mono_lt(until, e->sent_at)) {
			/* what a peer reneged on did not arrive, young or
			 * not */
			if (e->flags & TCP_RTX_SACKED)
				set_flags(r, e, e->flags & TCP_RTX_EVER);
			whole = false;
			continue;
		}
		set_flags(r, e, TCP_RTX_LOST | (e->flags & TCP_RTX_EVER));
		if (whole)
			r->lost_to = end_of(e);
	}
	if (reneged)
		r->fack = at(r, 0)->start;
}

void tcp_rtx_mark_all(struct tcp_rtx *r)
{
	tcp_rtx_mark_sent_until(r, MONO_NEVER);
}

bool tcp_rtx_head_is(const struct tcp_rtx *r, uint32_t len)
{
	return r->n && at(r, 0)->len >= len;
}

mono_t tcp_rtx_head_sent_at(const struct tcp_rtx *r)
{
	return r->n ? at(r, 0)->sent_at : MONO_NEVER;
}

bool tcp_rtx_next(const struct tcp_rtx *r, tcp_seq_t *ret_start,
		  uint32_t *ret_len)
{
	if (r->lost == r->rtx)
		return false;
	for (uint32_t i = find(r, r->next_lost); i < r->n; i++) {
		const struct tcp_rtx_range *e = at(r, i);

		if (!waits(e))
			continue;
		*ret_start = e->start;
		*ret_len = e->len;
		return true;
	}
	return false;
}

void tcp_rtx_tail(const struct tcp_rtx *r, uint32_t len, tcp_seq_t *ret_start,
		  uint32_t *ret_len)
{
	const struct tcp_rtx_range *e = at(r, r->n - 1u);

	*ret_len = MIN(len, e->len);
	*ret_start = seq_add(e->start, e->len - *ret_len);
}

/* Does a range between next_lost and range `i` wait to be sent again? */
static bool waits_before(const struct tcp_rtx *r, uint32_t i)
{
	for (uint32_t k = find(r, r->next_lost); k < i; k++)
		if (waits(at(r, k)))
			return true;
	return false;
}

void tcp_rtx_resent(struct tcp_rtx *r, tcp_seq_t start, uint32_t len,
		    mono_t now)
{
	uint32_t i = find(r, start);
	tcp_seq_t end = seq_add(start, len);

	if (i >= r->n)
		return;
	/* Without room for the split the whole range counts as resent; the
	 * retransmission timer mends what that hides. */
	if (split(r, i, start) && seq_lt(at(r, i)->start, start))
		i++;
	if (seq_lt(end, end_of(at(r, i))))
		split(r, i, end);
	set_flags(r, at(r, i), TCP_RTX_LOST | TCP_RTX_RTX | TCP_RTX_EVER);
	at(r, i)->sent_at = now;
	/* what was lost before it and still waits (this may be a probe of the
	 * tail) must not be passed over */
	if (seq_leq(r->next_lost, start) && !waits_before(r, i))
		r->next_lost = end_of(at(r, i));
	if (i)
		join(r, i - 1);
}

uint32_t tcp_rtx_bytes(const struct tcp_rtx *r)
{
	if (!r->n)
		return 0;
	return (uint32_t)seq_diff(end_of(at(r, r->n - 1)), at(r, 0)->start);
}

void tcp_rtx_check(const struct tcp_rtx *r, tcp_seq_t una, tcp_seq_t nxt)
{
	uint32_t sacked = 0, lost = 0, rtx = 0;
	tcp_seq_t s = una;

	INVARIANT(r->first + r->n <= r->cap && r->cap <= TCP_RTX_MAX);
	for (uint32_t i = 0; i < r->n; i++) {
		const struct tcp_rtx_range *e = at(r, i);

		INVARIANT(e->len > 0 && seq_eq(e->start, s));
		s = end_of(e);
		sacked += flagged(e, TCP_RTX_SACKED);
		lost += flagged(e, TCP_RTX_LOST);
		rtx += flagged(e, TCP_RTX_RTX);
		INVARIANT(!(e->flags & TCP_RTX_SACKED) ||
			  (!(e->flags & TCP_RTX_LOST) && seq_leq(s, r->fack)));
		INVARIANT(!(e->flags & TCP_RTX_RTX) ||
			  (e->flags & TCP_RTX_LOST));
		INVARIANT(!waits(e) || seq_leq(r->next_lost, e->start));
	}
	INVARIANT(seq_eq(s, nxt));
	INVARIANT(sacked == r->sacked && lost == r->lost && rtx == r->rtx);
	INVARIANT(r->n || r->v == r->small);
}
