#include "osa/l3neigh.h"

#include <stdlib.h>
#include <string.h>

struct l3neigh *l3neigh_find(struct l3neigh_table *t, const struct ip_addr *a)
{
	for (uint32_t i = 0; i < t->n; i++)
		if (ip_eq(&t->e[i].addr, a))
			return &t->e[i];
	return NULL;
}

static void drop_held(struct l3neigh_table *t, struct l3neigh *n)
{
	if (!n->held)
		return;
	free(n->held);
	n->held = NULL;
	t->n_held--;
	t->lost++;
}

static struct l3neigh *make_room(struct l3neigh_table *t)
{
	struct l3neigh *old = &t->e[0];

	if (t->n < L3NEIGH_MAX)
		return &t->e[t->n++];
	for (uint32_t i = 1; i < t->n; i++)
		if (mono_lt(t->e[i].used, old->used))
			old = &t->e[i];
	drop_held(t, old);
	return old;
}

struct l3neigh *l3neigh_get(struct l3neigh_table *t, const struct ip_addr *a,
			    mono_t now)
{
	struct l3neigh *n = l3neigh_find(t, a);

	if (!n) {
		n = make_room(t);
		*n = (struct l3neigh){.addr = *a, .used = now};
	}
	return n;
}

struct l3held *l3neigh_learn(struct l3neigh_table *t, struct l3neigh *n,
			     const uint8_t mac[6], mono_t now)
{
	struct l3held *h = n->held;

	memcpy(n->mac, mac, 6);
	n->known = true;
	n->confirmed = now;
	n->held = NULL;
	t->n_held -= h != NULL;
	return h;
}

static bool may_ask(struct l3neigh *n, mono_t now)
{
	if (n->asked.ns && mono_lt(now, mono_add(n->asked, L3NEIGH_ASK)))
		return false;
	n->asked = now;
	return true;
}

enum l3neigh_use l3neigh_use(struct l3neigh *n, mono_t now)
{
	n->used = now;
	if (n->known && mono_lt(now, mono_add(n->confirmed, L3NEIGH_FRESH)))
		return L3NEIGH_SEND;
	if (n->known && mono_lt(now, mono_add(n->confirmed, L3NEIGH_VALID)))
		return may_ask(n, now) ? L3NEIGH_SEND_ASK : L3NEIGH_SEND;
	n->known = false;
	return may_ask(n, now) ? L3NEIGH_WAIT_ASK : L3NEIGH_WAIT;
}

bool l3neigh_hold(struct l3neigh_table *t, struct l3neigh *n,
		  const struct frame *f)
{
	struct l3held *h;
	ssize_t len;

	if (!n->held && t->n_held == L3NEIGH_HELD_MAX)
		return false;
	h = malloc(sizeof(*h) + f->hdr_len + f->payload_len);
	if (!h)
		return false;
	h->f = *f;
	/* the headers come first in the copy and are not needed there */
	len = frame_copy(f, h->payload, (size_t)f->hdr_len + f->payload_len);
	h->f.n_iov = f->payload_len > 0;
	h->f.iov[0].iov_base = h->payload + f->hdr_len;
	h->f.iov[0].iov_len = (size_t)len - f->hdr_len;
	drop_held(t, n);
	n->held = h;
	t->n_held++;
	return true;
}

void l3neigh_clear(struct l3neigh_table *t)
{
	for (uint32_t i = 0; i < t->n; i++)
		drop_held(t, &t->e[i]);
	t->n = 0;
}
