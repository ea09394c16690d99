/*
 * relay_box.h: one relay between two TCP connections over the loopback, on a
 * loop that the test turns by hand. The far ends are the test's.
 */
#ifndef COUPLET_TEST_RELAY_BOX_H
#define COUPLET_TEST_RELAY_BOX_H

#include "relay/relay.h"

struct relay_box {
	struct ev_loop *loop;
	struct relay_set *set;
	struct relay relay;
	int far[2]; /* non-blocking; far[i] talks to relay.end[i] */
	bool done;
	enum relay_cause cause;
	int side, error;
	size_t held_most; /* bytes held in any direction, at most seen */
	struct ev_timer *tick;
	unsigned turns_left;
};

/* `unix_ends`: AF_UNIX stream sockets in place of TCP. Started. */
void relay_box_open(struct relay_box *b, bool unix_ends);
void relay_box_close(struct relay_box *b);
/* A connected pair of non-blocking sockets. */
void relay_box_pair(bool unix_ends, int ret[2]);
/* Turns the loop until `fn(b)` or for 20 s at most; what fn said last. */
bool relay_box_until(struct relay_box *b, bool (*fn)(struct relay_box *b));
bool relay_box_is_done(struct relay_box *b);
/* A few turns in which nothing is expected. */
void relay_box_settle(struct relay_box *b);

#endif
