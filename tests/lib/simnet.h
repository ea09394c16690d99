/*
 * simnet.h: two whole stacks joined by a link that loses, repeats, delays,
 * reorders and damages packets, in virtual time. Everything follows from the
 * seed, so a failure is repeated by giving the seed again.
 */
#ifndef COUPLET_TEST_SIMNET_H
#define COUPLET_TEST_SIMNET_H

#include "core/stack.h"

struct sim_link {
	unsigned loss, dup, reorder, corrupt; /* per 10000 packets */
	dur_t delay, jitter; /* jitter: uniform, added; reorders by itself
			      * only when keep_order is false */
	bool keep_order;
	uint64_t bits_per_s;  /* 0 = infinite */
	uint32_t queue_bytes; /* drop-tail in front of the rate, 0 = endless */
};

struct sim_setup {
	uint64_t seed;
	struct sim_link link[2]; /* from stack 0, from stack 1 */
	enum ip_link_kind kind;  /* L3 or L2 */
	uint32_t mtu;
	uint32_t gso_max;           /* 0 = none; else frames travel whole */
	struct stack_config config; /* rand and key are set by simnet */
};

struct sim_packet;

struct simnet {
	struct stack *stack[2];
	struct sim_setup setup;
	mono_t now;
	uint64_t rng;
	struct sim_packet *heap; /* in flight, by time of arrival */
	uint32_t n, cap;
	uint64_t order;
	mono_t last_arrival[2], wire_free[2];
	uint64_t sent, lost, duplicated, corrupted, delivered;
	/* Called for every socket with news, like the loop of stackd. */
	void (*on_ready)(void *arg, int side, struct sock *sk, unsigned events);
	void *arg;
};

/* 10.0.0.1/24, fd00::1/64 on side 0 and .2, ::2 on side 1, ifindex 2. */
void sim_defaults(struct sim_setup *ret, uint64_t seed);
void sim_init(struct simnet *n, const struct sim_setup *setup);
void sim_fini(struct simnet *n);
struct ip_addr sim_addr(enum ip_family f, int side);
/* Uniform in 0..below-1. */
uint64_t sim_rand(struct simnet *n, uint64_t below);

/*
 * Settles both stacks at the present time (ready, output until dry; checks
 * that every deadline then lies in the future), then goes to the next event.
 * False when nothing will ever happen again.
 */
bool sim_step(struct simnet *n);
/* Settles only. */
void sim_settle(struct simnet *n);
/* Steps until `until`; time ends there in any case. */
void sim_run_until(struct simnet *n, mono_t until);

#endif
