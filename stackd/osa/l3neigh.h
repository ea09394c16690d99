/*
 * l3neigh.h: neighbours of a layer 3 port on Ethernet: whose hardware
 * address is known, since when, who was asked, and one frame that waits for
 * the answer. Bounded: the least used neighbour makes room. Reads no clock.
 */
#ifndef COUPLET_OSA_L3NEIGH_H
#define COUPLET_OSA_L3NEIGH_H

#include "addr/addr.h"
#include "base/mono.h"
#include "pkt/pkt.h"

#define L3NEIGH_MAX 256u
#define L3NEIGH_HELD_MAX 16u /* frames of at most 64 KiB in the whole port */

/* Confirmed longer ago: asked again while in use. */
#define L3NEIGH_FRESH DUR_S(30)
/* Still no answer: not used any more. */
#define L3NEIGH_VALID DUR_S(40)
/* Least distance between two questions. */
#define L3NEIGH_ASK DUR_MS(500)

struct l3held { /* a copy of a frame; frees with free() */
	struct frame f;
	uint8_t payload[];
};

struct l3neigh {
	struct ip_addr addr;
	uint8_t mac[6];
	bool known; /* mac has been told, at `confirmed` */
	mono_t confirmed, asked, used;
	struct l3held *held;
};

struct l3neigh_table {
	struct l3neigh e[L3NEIGH_MAX];
	uint32_t n, n_held;
	uint32_t lost; /* frames that waited in vain; the owner takes it */
};

/* NULL when not there. */
struct l3neigh *l3neigh_find(struct l3neigh_table *t, const struct ip_addr *a);
/* The same, made if need be. */
struct l3neigh *l3neigh_get(struct l3neigh_table *t, const struct ip_addr *a,
			    mono_t now);
/* The hardware address was told. Returns the frame that waited, or NULL; the
 * caller sends and frees it. */
struct l3held *l3neigh_learn(struct l3neigh_table *t, struct l3neigh *n,
			     const uint8_t mac[6], mono_t now);

enum l3neigh_use {
	L3NEIGH_SEND,     /* use n->mac */
	L3NEIGH_SEND_ASK, /* use it, and ask it whether it is still there */
	L3NEIGH_WAIT,     /* unknown, asked a moment ago */
	L3NEIGH_WAIT_ASK, /* unknown: ask everybody now */
};

/* What to do with a frame for `n`; an _ASK is noted as done. */
enum l3neigh_use l3neigh_use(struct l3neigh *n, mono_t now);
/* Keeps a copy of `f` until `n` is known; it replaces an older one. False:
 * dropped (too many wait, no memory). */
bool l3neigh_hold(struct l3neigh_table *t, struct l3neigh *n,
		  const struct frame *f);
/* Frees what waits. */
void l3neigh_clear(struct l3neigh_table *t);

#endif
