#include "virtual.h"

#define ROUNDS_MAX 5000

uint64_t fuzz_rand(void *state)
{
	uint64_t *x = state;

	return *x = *x * 6364136223846793005u + 1442695040888963407u;
}

void fuzz_config(struct fuzz_virtual *v, struct stack_config *ret)
{
	stack_config_default(ret);
	ret->pool_limit_bytes = 8u << 20;
	ret->sock_max = 64;
	ret->key = (struct hash_key){1, 2};
	ret->rand64 = fuzz_rand;
	v->rng = 1;
	ret->rand_arg = &v->rng;
}

void fuzz_settle(struct fuzz_virtual *v)
{
	unsigned ev, rounds = 0;
	bool busy = true;
	struct sock *sk;
	struct frame f;

	while (busy) {
		INVARIANT(++rounds < ROUNDS_MAX);
		busy = rounds == 1;
		while ((sk = stack_ready(v->s, &ev))) {
			busy = true;
			if (v->on_ready)
				v->on_ready(v->arg, sk, ev);
		}
		while (stack_output(v->s, &f, v->now)) {
			INVARIANT(++rounds < ROUNDS_MAX);
			if (v->on_frame)
				v->on_frame(v->arg, &f);
		}
	}
	INVARIANT(mono_lt(v->now, stack_deadline(v->s)));
	if (v->check)
		v->check(v->arg);
}

void fuzz_pass(struct fuzz_virtual *v, dur_t d)
{
	mono_t until = mono_add(v->now, d);

	for (unsigned i = 0; i < 2000; i++) {
		mono_t at = stack_deadline(v->s);

		if (mono_lt(until, at))
			break;
		v->now = mono_max(v->now, at);
		stack_expire(v->s, v->now);
		fuzz_settle(v);
	}
	v->now = mono_max(v->now, until);
	if (mono_leq(stack_deadline(v->s), v->now))
		stack_expire(v->s, v->now);
}

void fuzz_end(struct fuzz_virtual *v)
{
	struct stack_counters left;

	fuzz_settle(v);
	/* TIME-WAIT, reassembly and orphans that nobody answers end by
	 * themselves; the last after orphan_retries of at most 120 s */
	for (unsigned i = 0; i < 40; i++)
		fuzz_pass(v, DUR_S(60));
	fuzz_settle(v);
	stack_counters(v->s, &left);
	INVARIANT(left.socks == 0);
	stack_free(v->s);
}
