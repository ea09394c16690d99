#include "core_net.h"

#include <string.h>

const struct sock_owner core_owner = {100, 1000, 1000};

static void on_ready(void *arg, int side, struct sock *sk, unsigned events)
{
	struct net *n = arg;

	if (events & SOCK_EV_PROBE && sk == n->gone && side == n->gone_side) {
		n->gone = NULL;
		stack_sock_close(n->sim.stack[side], sk, n->sim.now);
	}
}

void start(struct net *n, void (*change)(struct sim_setup *))
{
	struct sim_setup c;

	memset(n, 0, sizeof(*n));
	sim_defaults(&c, 7);
	if (change)
		change(&c);
	sim_init(&n->sim, &c);
	n->sim.on_ready = on_ready;
	n->sim.arg = n;
}

/* Ends the test: nothing may be left after every timer has run out. */
void finish(struct net *n)
{
	sim_run_until(&n->sim, mono_add(n->sim.now, DUR_S(300)));
	for (int i = 0; i < 2; i++) {
		struct stack_counters c;

		stack_counters(n->sim.stack[i], &c);
		assert_int_equal(c.socks, 0);
		assert_int_equal(c.timewaits, 0);
		assert_int_equal(stack_pool(n->sim.stack[i])->used_bytes, 0);
	}
	sim_fini(&n->sim);
}

void run_ms(struct net *n, int64_t ms)
{
	sim_run_until(&n->sim, mono_add(n->sim.now, DUR_MS(ms)));
}

struct sock *sock_on(struct net *n, int side, enum sock_type t,
		     enum ip_family f)
{
	struct sock *sk;

	assert_int_equal(stack_sock_new(n->sim.stack[side], t, f, &core_owner,
					NULL, &sk),
			 0);
	return sk;
}

struct ip_port at(enum ip_family f, int side, uint16_t port)
{
	return (struct ip_port){.addr = sim_addr(f, side), .port = port};
}

struct sock *listen_on(struct net *n, int side, enum ip_family f, uint16_t port,
		       uint32_t backlog)
{
	struct sock *l = sock_on(n, side, SOCK_TCP, f);
	struct ip_port any = {.addr = ip_any(f), .port = port};

	assert_int_equal(stack_sock_bind(n->sim.stack[side], l, &any), 0);
	assert_int_equal(
		stack_sock_listen(n->sim.stack[side], l, backlog, n->sim.now),
		0);
	return l;
}

struct sock *connect_to(struct net *n, int side, enum ip_family f,
			const struct ip_port *to)
{
	struct sock *sk = sock_on(n, side, SOCK_TCP, f);

	assert_int_equal(
		stack_sock_connect(n->sim.stack[side], sk, to, n->sim.now), 0);
	return sk;
}

void send_text(struct net *n, int side, struct sock *sk, const char *t)
{
	struct iovec iov[2];
	int k = 2;

	assert_true(stack_sock_write_reserve(n->sim.stack[side], sk, strlen(t),
					     iov, &k) >= strlen(t));
	assert_true(iov[0].iov_len >= strlen(t));
	memcpy(iov[0].iov_base, t, strlen(t));
	stack_sock_write_commit(n->sim.stack[side], sk, strlen(t), false,
				n->sim.now);
}

void expect_text(struct net *n, int side, struct sock *sk, const char *t)
{
	struct iovec iov[2];
	int k = 2;

	assert_int_equal(stack_sock_read_peek(n->sim.stack[side], sk, iov, &k),
			 strlen(t));
	assert_memory_equal(iov[0].iov_base, t, strlen(t));
	stack_sock_read_consume(n->sim.stack[side], sk, strlen(t), n->sim.now);
}

unsigned events_of(struct net *n, int side, const struct sock *sk)
{
	return stack_sock_events(n->sim.stack[side], sk);
}
