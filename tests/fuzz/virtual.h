/*
 * virtual.h: an engine under a fuzzer: random numbers that repeat, output
 * until dry with the law of the deadline, time that passes from one deadline
 * to the next.
 */
#ifndef COUPLET_FUZZ_VIRTUAL_H
#define COUPLET_FUZZ_VIRTUAL_H

#include "core/stack.h"

struct fuzz_virtual {
	struct stack *s;
	mono_t now;
	uint64_t rng; /* state of fuzz_rand(), whose argument this is */
	/* Called for each socket with news and each frame; NULL: nobody
	 * looks. */
	void (*on_ready)(void *arg, struct sock *sk, unsigned events);
	void (*on_frame)(void *arg, const struct frame *f);
	/* After each settling. */
	void (*check)(void *arg);
	void *arg;
};

uint64_t fuzz_rand(void *state);
/* The defaults, with a small pool and few sockets, on v's numbers. */
void fuzz_config(struct fuzz_virtual *v, struct stack_config *ret);
/* Ready and output until both are dry; then the deadline lies ahead. */
void fuzz_settle(struct fuzz_virtual *v);
void fuzz_pass(struct fuzz_virtual *v, dur_t d);
/* Lets every timer run out; no socket may be left. Frees the stack. */
void fuzz_end(struct fuzz_virtual *v);

#endif
