/*
 * lab_path.h: one direction of a network path, as arithmetic. It is told of
 * each packet when it enters and says when it comes out, or that it does not.
 * In this order: policer, loss (random, then bursts), a bottleneck with a
 * tail-drop queue that may mark, delay with jitter, reordering. Knows no
 * headers and no clock; everything follows from the seed, each stage from
 * numbers of its own, so that the pattern of losses does not move when
 * another stage is changed. Used by the laboratory in virtual time and by
 * the relay of tests/net in real time.
 */
#ifndef COUPLET_TEST_LAB_PATH_H
#define COUPLET_TEST_LAB_PATH_H

#include "base/base.h"
#include "base/mono.h"

struct lab_path_cfg {
	uint64_t rate_bps;     /* of the bottleneck, 0: none */
	uint32_t queue_bytes;  /* in front of it, then tail drop */
	uint32_t mark_bytes;   /* ECN: CE when this much waits, 0: never */
	dur_t delay;           /* one way */
	dur_t jitter;          /* 0..jitter more, order is kept */
	uint32_t loss_pm;      /* random loss, per mille */
	uint32_t burst_in_pm;  /* Gilbert-Elliott: good to bad, per mille */
	uint32_t burst_out_pm; /* bad to good; everything is lost in bad */
	uint32_t reorder_pm;   /* packets that take the long way */
	dur_t reorder;         /* how much longer */
	uint64_t police_bps;   /* token bucket without a queue, 0: none */
	uint32_t police_bytes; /* its depth */
};

enum lab_stage { LAB_LOSS, LAB_BURST, LAB_JITTER, LAB_REORDER, LAB_STAGES };

struct lab_path {
	struct lab_path_cfg cfg;
	uint64_t rng[LAB_STAGES];
	mono_t free_at; /* the bottleneck has sent what it took */
	mono_t last_at; /* latest delivery in order */
	bool bad;
	int64_t tokens_ns; /* of the policer: its depth as time */
	mono_t tokens_at;
	/* what happened */
	uint64_t packets, bytes, lost, queue_drops, police_drops, marked;
};

void lab_path_init(struct lab_path *p, const struct lab_path_cfg *cfg,
		   uint64_t seed);
/* A packet of `bytes` on the wire enters at `now`, which never goes
 * backwards. When it comes out; MONO_NEVER: it does not. *ce (may be NULL)
 * becomes true when the packet, if it is ECN-capable, is to be marked. */
mono_t lab_path_carry(struct lab_path *p, uint32_t bytes, mono_t now, bool *ce);

#endif
