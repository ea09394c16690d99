/*
 * set.h: what the files of this room share: the set's insides.
 */
#ifndef COUPLET_RELAY_SET_H
#define COUPLET_RELAY_SET_H

#include "relay/relay.h"

struct relay_pipe {
	int rd, wr;
};

struct relay_set {
	struct ev_loop *loop;
	int epfd;
	bool base_ready;
	mono_t now;
	struct wheel wheel;
	struct list again; /* watches to be called */
	struct relay_corpse *corpses;
	struct relay_pipe pipes[RELAY_PIPES_MAX]; /* rd -1 = not made */
	uint16_t free_pipes[RELAY_PIPES_MAX];     /* a stack of numbers */
	uint16_t n_free;                          /* numbers in it */
	uint16_t n_spare; /* of these, with a pipe behind them: on top */
	char scratch[RELAY_CHUNK];
	char filtered[2 * RELAY_CHUNK];
};

/* ---- pipes.c
 * ------------------------------------------------------------- */

void relay_pipes_init(struct relay_set *s);
void relay_pipes_fini(struct relay_set *s);
/* A number from 1 on, or 0: all in use, or no descriptors left. */
uint16_t relay_pipe_get(struct relay_set *s);
/* `dirty`: bytes are left in it. */
void relay_pipe_put(struct relay_set *s, uint16_t pipe, bool dirty);
static inline struct relay_pipe *relay_pipe_at(struct relay_set *s,
					       uint16_t pipe)
{
	return &s->pipes[pipe - 1];
}

#endif
