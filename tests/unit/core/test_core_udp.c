/*
 * UDP sockets on two whole stacks.
 */
#include "core_net.h"

#include <errno.h>
#include <string.h>

static void udp_text(struct net *n, int side, struct sock *sk,
		     const struct ip_port *to, const char *t, int want)
{
	struct iovec iov = {(void *)(uintptr_t)t, strlen(t)};

	assert_int_equal(stack_udp_send(n->sim.stack[side], sk, to, NULL, &iov,
					1, 0, n->sim.now),
			 want);
}

static void udp_expect(struct net *n, int side, struct sock *sk, const char *t,
		       struct udp_meta *m)
{
	struct iovec iov;

	assert_true(stack_udp_peek(n->sim.stack[side], sk, m, &iov));
	assert_int_equal(iov.iov_len, strlen(t));
	assert_memory_equal(iov.iov_base, t, strlen(t));
	stack_udp_pop(n->sim.stack[side], sk);
}

static void udp_echo_on_both_families_of_one_socket(void **state)
{
	struct net n;
	struct ip_port any = {.addr = ip_any(IP_V6), .port = 53};
	struct sock *srv, *c4, *c6;
	struct ip_port to4, to6;
	struct udp_meta m;

	(void)state;
	start(&n, NULL);
	to4 = at(IP_V4, 1, 53);
	to6 = at(IP_V6, 1, 53);
	srv = sock_on(&n, 1, SOCK_UDP, IP_V6);
	assert_int_equal(stack_sock_bind(n.sim.stack[1], srv, &any), 0);
	c4 = sock_on(&n, 0, SOCK_UDP, IP_V4);
	c6 = sock_on(&n, 0, SOCK_UDP, IP_V6);
	udp_text(&n, 0, c4, &to4, "four", 0);
	udp_text(&n, 0, c6, &to6, "six", 0);
	run_ms(&n, 50);
	udp_expect(&n, 1, srv, "four", &m);
	assert_true(ip_is_v4_mapped(&m.remote.addr));
	udp_text(&n, 1, srv, &m.remote, "FOUR", 0);
	udp_expect(&n, 1, srv, "six", &m);
	udp_text(&n, 1, srv, &m.remote, "SIX", 0);
	run_ms(&n, 50);
	udp_expect(&n, 0, c4, "FOUR", &m);
	udp_expect(&n, 0, c6, "SIX", &m);
	stack_sock_close(n.sim.stack[0], c4, n.sim.now);
	stack_sock_close(n.sim.stack[0], c6, n.sim.now);
	stack_sock_close(n.sim.stack[1], srv, n.sim.now);
	finish(&n);
}

static void udp_refusal_reaches_a_connected_socket(void **state)
{
	struct net n;
	struct ip_port to;
	struct sock *c;

	(void)state;
	start(&n, NULL);
	to = at(IP_V4, 1, 54);
	c = sock_on(&n, 0, SOCK_UDP, IP_V4);
	assert_int_equal(stack_sock_connect(n.sim.stack[0], c, &to, n.sim.now),
			 0);
	udp_text(&n, 0, c, NULL, "anybody?", 0);
	run_ms(&n, 50);
	assert_true(events_of(&n, 0, c) & SOCK_EV_ERR);
	udp_text(&n, 0, c, NULL, "again", -ECONNREFUSED);
	udp_text(&n, 0, c, NULL, "again", 0);
	stack_sock_close(n.sim.stack[0], c, n.sim.now);
	finish(&n);
}

static void udp_connected_socket_hears_its_peer_only(void **state)
{
	struct net n;
	struct ip_port here = at(IP_V4, 1, 60), peer = at(IP_V4, 0, 61);
	struct ip_port other = at(IP_V4, 0, 62);
	struct sock *srv, *a, *b;
	struct udp_meta m;
	struct iovec iov;

	(void)state;
	start(&n, NULL);
	srv = sock_on(&n, 1, SOCK_UDP, IP_V4);
	assert_int_equal(stack_sock_bind(n.sim.stack[1], srv, &here), 0);
	assert_int_equal(
		stack_sock_connect(n.sim.stack[1], srv, &peer, n.sim.now), 0);
	a = sock_on(&n, 0, SOCK_UDP, IP_V4);
	b = sock_on(&n, 0, SOCK_UDP, IP_V4);
	assert_int_equal(stack_sock_bind(n.sim.stack[0], a, &peer), 0);
	assert_int_equal(stack_sock_bind(n.sim.stack[0], b, &other), 0);
	udp_text(&n, 0, b, &here, "stranger", 0);
	udp_text(&n, 0, a, &here, "friend", 0);
	run_ms(&n, 50);
	udp_expect(&n, 1, srv, "friend", &m);
	assert_false(stack_udp_peek(n.sim.stack[1], srv, &m, &iov));
	stack_sock_close(n.sim.stack[0], a, n.sim.now);
	stack_sock_close(n.sim.stack[0], b, n.sim.now);
	stack_sock_close(n.sim.stack[1], srv, n.sim.now);
	finish(&n);
}

static void udp_large_datagram_in_fragments(void **state)
{
	static uint8_t big[60000];
	struct net n;
	struct ip_port to = at(IP_V6, 1, 60);
	struct iovec iov = {big, sizeof(big)};
	struct sock *srv, *c;
	struct udp_meta m;

	(void)state;
	start(&n, NULL);
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i * 7 >> 3);
	srv = sock_on(&n, 1, SOCK_UDP, IP_V6);
	assert_int_equal(stack_sock_bind(n.sim.stack[1], srv, &to), 0);
	c = sock_on(&n, 0, SOCK_UDP, IP_V6);
	assert_int_equal(stack_udp_send(n.sim.stack[0], c, &to, NULL, &iov, 1,
					0, n.sim.now),
			 0);
	run_ms(&n, 50);
	assert_true(n.sim.sent > 40);
	assert_true(stack_udp_peek(n.sim.stack[1], srv, &m, &iov));
	assert_int_equal(iov.iov_len, sizeof(big));
	assert_memory_equal(iov.iov_base, big, sizeof(big));
	stack_sock_close(n.sim.stack[0], c, n.sim.now);
	stack_sock_close(n.sim.stack[1], srv, n.sim.now);
	finish(&n);
}

static void udp_segment_send_is_cut(void **state)
{
	struct net n;
	struct ip_port to = at(IP_V4, 1, 60);
	struct iovec iov = {(void *)(uintptr_t) "aaabbbcc", 8};
	struct sock *srv, *c;
	struct udp_meta m;

	(void)state;
	start(&n, NULL);
	srv = sock_on(&n, 1, SOCK_UDP, IP_V4);
	assert_int_equal(stack_sock_bind(n.sim.stack[1], srv, &to), 0);
	c = sock_on(&n, 0, SOCK_UDP, IP_V4);
	assert_int_equal(stack_udp_send(n.sim.stack[0], c, &to, NULL, &iov, 1,
					3, n.sim.now),
			 0);
	run_ms(&n, 50);
	udp_expect(&n, 1, srv, "aaa", &m);
	udp_expect(&n, 1, srv, "bbb", &m);
	udp_expect(&n, 1, srv, "cc", &m);
	stack_sock_close(n.sim.stack[0], c, n.sim.now);
	stack_sock_close(n.sim.stack[1], srv, n.sim.now);
	finish(&n);
}

static void udp_full_queue_drops_and_counts(void **state)
{
	struct net n;
	struct ip_port to = at(IP_V4, 1, 60);
	struct stack_counters counters;
	struct sock *srv, *c;
	struct udp_meta m;
	struct iovec iov;
	unsigned got = 0;

	(void)state;
	start(&n, NULL);
	srv = sock_on(&n, 1, SOCK_UDP, IP_V4);
	assert_int_equal(stack_sock_bind(n.sim.stack[1], srv, &to), 0);
	assert_int_equal(
		stack_sock_set(n.sim.stack[1], srv, SOCK_OPT_UDP_RCVBUF, 10000),
		0);
	c = sock_on(&n, 0, SOCK_UDP, IP_V4);
	for (int i = 0; i < 20; i++)
		udp_text(&n, 0, c, &to, "one of many", 0);
	run_ms(&n, 50);
	while (stack_udp_peek(n.sim.stack[1], srv, &m, &iov)) {
		stack_udp_pop(n.sim.stack[1], srv);
		got++;
	}
	stack_counters(n.sim.stack[1], &counters);
	assert_int_equal(got, 4);
	assert_int_equal(counters.udp_rcvbuf_full, 16);
	stack_sock_close(n.sim.stack[0], c, n.sim.now);
	stack_sock_close(n.sim.stack[1], srv, n.sim.now);
	finish(&n);
}

static void udp_group_reaches_members_and_ourselves(void **state)
{
	struct net n;
	struct ip_port group = {.addr = ip_v4(239, 1, 2, 3), .port = 60};
	struct ip_port any = {.addr = ip_any(IP_V4), .port = 60};
	struct sock *far, *near, *c;
	struct udp_meta m;

	(void)state;
	start(&n, NULL);
	far = sock_on(&n, 1, SOCK_UDP, IP_V4);
	near = sock_on(&n, 0, SOCK_UDP, IP_V4);
	assert_int_equal(stack_sock_bind(n.sim.stack[1], far, &any), 0);
	assert_int_equal(stack_sock_bind(n.sim.stack[0], near, &any), 0);
	assert_int_equal(
		stack_sock_join(n.sim.stack[1], far, 2, &group.addr, n.sim.now),
		0);
	assert_int_equal(stack_sock_join(n.sim.stack[0], near, 2, &group.addr,
					 n.sim.now),
			 0);
	c = sock_on(&n, 0, SOCK_UDP, IP_V4);
	assert_int_equal(
		stack_sock_set(n.sim.stack[0], c, SOCK_OPT_MCAST_IF, 2), 0);
	udp_text(&n, 0, c, &group, "all", 0);
	run_ms(&n, 50);
	udp_expect(&n, 1, far, "all", &m);
	udp_expect(&n, 0, near, "all", &m);
	stack_sock_close(n.sim.stack[0], c, n.sim.now);
	stack_sock_close(n.sim.stack[0], near, n.sim.now);
	stack_sock_close(n.sim.stack[1], far, n.sim.now);
	finish(&n);
}

static void broadcast_needs_permission(void **state)
{
	struct net n;
	struct ip_port to = {.addr = ip_v4(255, 255, 255, 255), .port = 60};
	struct sock *c;

	(void)state;
	start(&n, NULL);
	c = sock_on(&n, 0, SOCK_UDP, IP_V4);
	udp_text(&n, 0, c, &to, "x", -EACCES);
	stack_sock_close(n.sim.stack[0], c, n.sim.now);
	finish(&n);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(udp_echo_on_both_families_of_one_socket),
	cmocka_unit_test(udp_refusal_reaches_a_connected_socket),
	cmocka_unit_test(udp_connected_socket_hears_its_peer_only),
	cmocka_unit_test(udp_large_datagram_in_fragments),
	cmocka_unit_test(udp_segment_send_is_cut),
	cmocka_unit_test(udp_full_queue_drops_and_counts),
	cmocka_unit_test(udp_group_reaches_members_and_ourselves),
	cmocka_unit_test(broadcast_needs_permission),
};

UNIT_MAIN(tests)
