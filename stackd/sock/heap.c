#include "sock/sock.h"

#include <errno.h>
#include <stdlib.h>

/*
 * A binary heap of (deadline, socket). Entries may be too early, never too
 * late: a timer that moves back (every ACK moves the retransmission timer) is
 * not touched until it fires, so the common case costs one comparison.
 */

static void put(struct heap *h, uint32_t at, struct heap_slot slot)
{
	h->slots[at] = slot;
	slot.sk->heap_at = at + 1;
}

static void sift_up(struct heap *h, uint32_t at, struct heap_slot slot)
{
	while (at) {
		uint32_t up = (at - 1) / 2;

		if (mono_leq(h->slots[up].at, slot.at))
			break;
		put(h, at, h->slots[up]);
		at = up;
	}
	put(h, at, slot);
}

static void sift_down(struct heap *h, uint32_t at, struct heap_slot slot)
{
	for (;;) {
		uint32_t kid = at * 2 + 1;

		if (kid >= h->n)
			break;
		if (kid + 1 < h->n &&
		    mono_lt(h->slots[kid + 1].at, h->slots[kid].at))
			kid++;
		if (mono_leq(slot.at, h->slots[kid].at))
			break;
		put(h, at, h->slots[kid]);
		at = kid;
	}
	put(h, at, slot);
}

int heap_set(struct heap *h, struct sock *sk, mono_t at)
{
	if (mono_is_never(at))
		return 0;
	if (sk->heap_at) {
		if (mono_lt(at, h->slots[sk->heap_at - 1].at))
			sift_up(h, sk->heap_at - 1, (struct heap_slot){at, sk});
		return 0;
	}
	if (h->n == h->cap) {
		uint32_t cap = h->cap ? h->cap * 2 : 256;
		void *m = realloc(h->slots, cap * sizeof(*h->slots));

		if (!m)
			return -ENOMEM;
		h->slots = m;
		h->cap = cap;
	}
	sift_up(h, h->n++, (struct heap_slot){at, sk});
	return 0;
}

void heap_remove(struct heap *h, struct sock *sk)
{
	uint32_t at = sk->heap_at;
	struct heap_slot last;

	if (!at--)
		return;
	sk->heap_at = 0;
	last = h->slots[--h->n];
	if (last.sk == sk)
		return;
	if (at && mono_lt(last.at, h->slots[(at - 1) / 2].at))
		sift_up(h, at, last);
	else
		sift_down(h, at, last);
}

mono_t heap_first(const struct heap *h)
{
	return h->n ? h->slots[0].at : MONO_NEVER;
}

struct sock *heap_pop(struct heap *h, mono_t now)
{
	struct sock *sk;

	if (!h->n || mono_lt(now, h->slots[0].at))
		return NULL;
	sk = h->slots[0].sk;
	heap_remove(h, sk);
	return sk;
}

void heap_fini(struct heap *h)
{
	free(h->slots);
	h->slots = NULL;
	h->n = h->cap = 0;
}
