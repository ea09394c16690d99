/*
 * What programs see of connect, listen, accept, close and limits, on two whole
 * stacks.
 */
#include "core_net.h"

#include <errno.h>
#include <string.h>

static void exchange(enum ip_family client, enum ip_family server)
{
	struct net n;
	struct ip_port to, seen;
	struct sock *l, *c, *a;

	start(&n, NULL);
	to = at(client, 1, 80);
	l = listen_on(&n, 1, server, 80, 5);
	c = connect_to(&n, 0, client, &to);
	run_ms(&n, 50);
	assert_true(events_of(&n, 0, c) & SOCK_EV_CONN);
	assert_true(events_of(&n, 1, l) & SOCK_EV_ACCEPT);
	a = stack_sock_accept(n.sim.stack[1], l);
	assert_non_null(a);
	assert_null(stack_sock_accept(n.sim.stack[1], l));
	assert_int_equal(sock_remote(a, &seen), 0);
	assert_int_equal(ip_is_v4_mapped(&seen.addr), client != server);
	send_text(&n, 0, c, "question");
	run_ms(&n, 50);
	expect_text(&n, 1, a, "question");
	send_text(&n, 1, a, "answer");
	stack_sock_shutdown(n.sim.stack[1], a, n.sim.now);
	run_ms(&n, 50);
	expect_text(&n, 0, c, "answer");
	assert_true(events_of(&n, 0, c) & SOCK_EV_EOF);
	stack_sock_close(n.sim.stack[0], c, n.sim.now);
	run_ms(&n, 50);
	assert_true(events_of(&n, 1, a) & SOCK_EV_EOF);
	stack_sock_close(n.sim.stack[1], a, n.sim.now);
	stack_sock_close(n.sim.stack[1], l, n.sim.now);
	finish(&n);
}

static void tcp_v4(void **state)
{
	(void)state;
	exchange(IP_V4, IP_V4);
}

static void tcp_v6(void **state)
{
	(void)state;
	exchange(IP_V6, IP_V6);
}

static void tcp_v4_client_of_a_dual_listener(void **state)
{
	(void)state;
	exchange(IP_V4, IP_V6);
}

static void closed_port_refuses(void **state)
{
	struct net n;
	struct ip_port to;
	struct sock *c;

	(void)state;
	start(&n, NULL);
	to = at(IP_V4, 1, 81);
	c = connect_to(&n, 0, IP_V4, &to);
	run_ms(&n, 50);
	assert_true(events_of(&n, 0, c) & SOCK_EV_ERR);
	assert_int_equal(sock_error(c, true), ECONNREFUSED);
	assert_int_equal(sock_error(c, true), 0);
	stack_sock_close(n.sim.stack[0], c, n.sim.now);
	finish(&n);
}

static void listener_found_dead_by_a_syn_refuses(void **state)
{
	struct net n;
	struct ip_port to;
	struct sock *c;

	(void)state;
	start(&n, NULL);
	to = at(IP_V6, 1, 80);
	n.gone = listen_on(&n, 1, IP_V6, 80, 5);
	n.gone_side = 1;
	c = connect_to(&n, 0, IP_V6, &to);
	run_ms(&n, 50);
	assert_null(n.gone);
	assert_int_equal(sock_error(c, true), ECONNREFUSED);
	stack_sock_close(n.sim.stack[0], c, n.sim.now);
	finish(&n);
}

static void suspended_port_refuses_and_keeps_what_it_has(void **state)
{
	struct net n;
	struct ip_port to;
	struct sock *l, *c, *d, *a;

	(void)state;
	start(&n, NULL);
	to = at(IP_V4, 1, 21);
	l = listen_on(&n, 1, IP_V4, 21, 5);
	c = connect_to(&n, 0, IP_V4, &to);
	run_ms(&n, 50);
	a = stack_sock_accept(n.sim.stack[1], l);
	stack_port_suspend(n.sim.stack[1], 21, true);
	d = connect_to(&n, 0, IP_V4, &to);
	run_ms(&n, 50);
	assert_int_equal(sock_error(d, true), ECONNREFUSED);
	send_text(&n, 0, c, "still here");
	run_ms(&n, 50);
	expect_text(&n, 1, a, "still here");
	stack_sock_close(n.sim.stack[0], d, n.sim.now);
	stack_port_suspend(n.sim.stack[1], 21, false);
	d = connect_to(&n, 0, IP_V4, &to);
	run_ms(&n, 50);
	assert_true(events_of(&n, 0, d) & SOCK_EV_CONN);
	stack_sock_close(n.sim.stack[0], c, n.sim.now);
	stack_sock_close(n.sim.stack[0], d, n.sim.now);
	stack_sock_close(n.sim.stack[1], a, n.sim.now);
	stack_sock_close(n.sim.stack[1], l, n.sim.now);
	finish(&n);
}

static void linger_zero_resets(void **state)
{
	struct net n;
	struct ip_port to;
	struct sock *l, *c, *a;

	(void)state;
	start(&n, NULL);
	to = at(IP_V4, 1, 80);
	l = listen_on(&n, 1, IP_V4, 80, 5);
	c = connect_to(&n, 0, IP_V4, &to);
	run_ms(&n, 50);
	a = stack_sock_accept(n.sim.stack[1], l);
	assert_int_equal(stack_sock_set(n.sim.stack[0], c, SOCK_OPT_LINGER, 0),
			 0);
	stack_sock_close(n.sim.stack[0], c, n.sim.now);
	run_ms(&n, 50);
	assert_true(events_of(&n, 1, a) & SOCK_EV_ERR);
	assert_int_equal(sock_error(a, true), ECONNRESET);
	stack_sock_close(n.sim.stack[1], a, n.sim.now);
	stack_sock_close(n.sim.stack[1], l, n.sim.now);
	finish(&n);
}

static void closing_a_listener_resets_what_waits(void **state)
{
	struct net n;
	struct ip_port to;
	struct sock *l, *c;

	(void)state;
	start(&n, NULL);
	to = at(IP_V4, 1, 80);
	l = listen_on(&n, 1, IP_V4, 80, 5);
	c = connect_to(&n, 0, IP_V4, &to);
	run_ms(&n, 50);
	stack_sock_close(n.sim.stack[1], l, n.sim.now);
	run_ms(&n, 50);
	assert_int_equal(sock_error(c, true), ECONNRESET);
	stack_sock_close(n.sim.stack[0], c, n.sim.now);
	finish(&n);
}

static void full_backlog_holds_back_and_recovers(void **state)
{
	enum { N = 6 };
	struct net n;
	struct ip_port to;
	struct sock *l, *c[N], *a;
	unsigned accepted = 0;

	(void)state;
	start(&n, NULL);
	to = at(IP_V4, 1, 80);
	l = listen_on(&n, 1, IP_V4, 80, 1);
	for (int i = 0; i < N; i++)
		c[i] = connect_to(&n, 0, IP_V4, &to);
	run_ms(&n, 500);
	{
		uint32_t waiting, max;

		sock_backlog(l, &waiting, &max);
		assert_int_equal(waiting, 2); /* backlog + 1, as Linux */
		assert_int_equal(max, 1);
	}
	for (int tries = 0; tries < 40 && accepted < N; tries++) {
		while ((a = stack_sock_accept(n.sim.stack[1], l))) {
			stack_sock_close(n.sim.stack[1], a, n.sim.now);
			accepted++;
		}
		run_ms(&n, 1000);
	}
	assert_int_equal(accepted, N);
	for (int i = 0; i < N; i++)
		stack_sock_close(n.sim.stack[0], c[i], n.sim.now);
	stack_sock_close(n.sim.stack[1], l, n.sim.now);
	finish(&n);
}

static void tcp_over_loopback_inside_one_stack(void **state)
{
	struct net n;
	struct ip_port to = {.addr = ip_loopback(IP_V4), .port = 80};
	struct sock *l, *c, *a;

	(void)state;
	start(&n, NULL);
	l = listen_on(&n, 0, IP_V4, 80, 5);
	c = connect_to(&n, 0, IP_V4, &to);
	sim_settle(&n.sim);
	assert_true(events_of(&n, 0, c) & SOCK_EV_CONN);
	a = stack_sock_accept(n.sim.stack[0], l);
	assert_non_null(a);
	send_text(&n, 0, c, "round");
	sim_settle(&n.sim);
	expect_text(&n, 0, a, "round");
	assert_int_equal(n.sim.sent, 0);
	stack_sock_close(n.sim.stack[0], a, n.sim.now);
	stack_sock_close(n.sim.stack[0], c, n.sim.now);
	stack_sock_close(n.sim.stack[0], l, n.sim.now);
	finish(&n);
}

static void own_address_is_reached_inside_the_stack(void **state)
{
	struct net n;
	struct ip_port to;
	struct sock *l, *c;

	(void)state;
	start(&n, NULL);
	to = at(IP_V6, 0, 80);
	l = listen_on(&n, 0, IP_V6, 80, 5);
	c = connect_to(&n, 0, IP_V6, &to);
	sim_settle(&n.sim);
	assert_true(events_of(&n, 0, c) & SOCK_EV_CONN);
	assert_int_equal(n.sim.sent, 0);
	stack_sock_close(n.sim.stack[0], c, n.sim.now);
	stack_sock_close(n.sim.stack[0], l, n.sim.now);
	finish(&n);
}

static void unaccept_keeps_the_order(void **state)
{
	struct net n;
	struct ip_port to, p, q;
	struct sock *l, *c[2], *a;

	(void)state;
	start(&n, NULL);
	to = at(IP_V4, 1, 80);
	l = listen_on(&n, 1, IP_V4, 80, 5);
	c[0] = connect_to(&n, 0, IP_V4, &to);
	run_ms(&n, 20);
	c[1] = connect_to(&n, 0, IP_V4, &to);
	run_ms(&n, 20);
	a = stack_sock_accept(n.sim.stack[1], l);
	stack_sock_unaccept(n.sim.stack[1], l, a);
	a = stack_sock_accept(n.sim.stack[1], l);
	assert_int_equal(sock_remote(a, &p), 0);
	sock_local(c[0], &q);
	assert_int_equal(p.port, q.port);
	stack_sock_close(n.sim.stack[1], a, n.sim.now);
	for (int i = 0; i < 2; i++)
		stack_sock_close(n.sim.stack[0], c[i], n.sim.now);
	stack_sock_close(n.sim.stack[1], l, n.sim.now);
	finish(&n);
}

static void reuseport_spreads(void **state)
{
	enum { N = 64 };
	struct net n;
	struct ip_port to, any = {.addr = ip_any(IP_V4), .port = 80};
	struct sock *l[2], *c[N];
	uint32_t waiting[2], max;

	(void)state;
	start(&n, NULL);
	to = at(IP_V4, 1, 80);
	for (int i = 0; i < 2; i++) {
		l[i] = sock_on(&n, 1, SOCK_TCP, IP_V4);
		assert_int_equal(stack_sock_set(n.sim.stack[1], l[i],
						SOCK_OPT_REUSEPORT, 1),
				 0);
		assert_int_equal(stack_sock_bind(n.sim.stack[1], l[i], &any),
				 0);
		assert_int_equal(
			stack_sock_listen(n.sim.stack[1], l[i], 100, n.sim.now),
			0);
	}
	for (int i = 0; i < N; i++)
		c[i] = connect_to(&n, 0, IP_V4, &to);
	run_ms(&n, 100);
	for (int i = 0; i < 2; i++)
		sock_backlog(l[i], &waiting[i], &max);
	assert_int_equal(waiting[0] + waiting[1], N);
	assert_in_range(waiting[0], N / 5, N - N / 5);
	for (int i = 0; i < N; i++)
		stack_sock_close(n.sim.stack[0], c[i], n.sim.now);
	for (int i = 0; i < 2; i++)
		stack_sock_close(n.sim.stack[1], l[i], n.sim.now);
	finish(&n);
}

static void second_listener_is_refused(void **state)
{
	struct net n;
	struct ip_port any = {.addr = ip_any(IP_V4), .port = 80};
	struct sock *a, *b;

	(void)state;
	start(&n, NULL);
	a = listen_on(&n, 0, IP_V4, 80, 1);
	b = sock_on(&n, 0, SOCK_TCP, IP_V4);
	assert_int_equal(stack_sock_bind(n.sim.stack[0], b, &any), -EADDRINUSE);
	any.addr = ip_v4(192, 0, 2, 1);
	any.port = 81;
	assert_int_equal(stack_sock_bind(n.sim.stack[0], b, &any),
			 -EADDRNOTAVAIL);
	stack_sock_close(n.sim.stack[0], b, n.sim.now);
	stack_sock_close(n.sim.stack[0], a, n.sim.now);
	finish(&n);
}

static void no_route_is_told_at_once(void **state)
{
	struct net n;
	struct ip_port to = {.addr = ip_v4(192, 0, 2, 9), .port = 80};
	struct sock *c;

	(void)state;
	start(&n, NULL);
	c = sock_on(&n, 0, SOCK_TCP, IP_V4);
	assert_int_equal(stack_sock_connect(n.sim.stack[0], c, &to, n.sim.now),
			 -ENETUNREACH);
	/* and the socket can be used again */
	to = at(IP_V4, 1, 80);
	assert_int_equal(stack_sock_connect(n.sim.stack[0], c, &to, n.sim.now),
			 0);
	stack_sock_close(n.sim.stack[0], c, n.sim.now);
	finish(&n);
}

static void few_ports(struct sim_setup *c)
{
	c->config.port_lo = 50000;
	c->config.port_hi = 50003;
}

static void ports_run_out_and_come_back(void **state)
{
	enum { N = 4 };
	struct net n;
	struct ip_port to, p, q;
	struct sock *l, *c[N], *extra;

	(void)state;
	start(&n, few_ports);
	to = at(IP_V4, 1, 80);
	l = listen_on(&n, 1, IP_V4, 80, 10);
	for (int i = 0; i < N; i++)
		c[i] = connect_to(&n, 0, IP_V4, &to);
	sock_local(c[0], &p);
	sock_local(c[1], &q);
	assert_int_not_equal(p.port, q.port);
	extra = sock_on(&n, 0, SOCK_TCP, IP_V4);
	assert_int_equal(
		stack_sock_connect(n.sim.stack[0], extra, &to, n.sim.now),
		-EADDRNOTAVAIL);
	/* another destination may use the same ports */
	to.port = 81;
	assert_int_equal(
		stack_sock_connect(n.sim.stack[0], extra, &to, n.sim.now), 0);
	run_ms(&n, 50);
	stack_sock_close(n.sim.stack[0], extra, n.sim.now);
	for (int i = 0; i < N; i++)
		stack_sock_abort(n.sim.stack[0], c[i], n.sim.now);
	run_ms(&n, 50);
	to.port = 80;
	extra = connect_to(&n, 0, IP_V4, &to);
	stack_sock_close(n.sim.stack[0], extra, n.sim.now);
	stack_sock_close(n.sim.stack[1], l, n.sim.now);
	finish(&n);
}

static void few_socks(struct sim_setup *c)
{
	c->config.sock_max = 2;
}

static void socket_limit_is_kept(void **state)
{
	struct net n;
	struct sock *a, *b, *c;

	(void)state;
	start(&n, few_socks);
	a = sock_on(&n, 0, SOCK_TCP, IP_V4);
	b = sock_on(&n, 0, SOCK_UDP, IP_V4);
	assert_int_equal(stack_sock_new(n.sim.stack[0], SOCK_TCP, IP_V4,
					&core_owner, NULL, &c),
			 -ENFILE);
	stack_sock_close(n.sim.stack[0], a, n.sim.now);
	a = sock_on(&n, 0, SOCK_TCP, IP_V4);
	stack_sock_close(n.sim.stack[0], a, n.sim.now);
	stack_sock_close(n.sim.stack[0], b, n.sim.now);
	finish(&n);
}

static void iteration_shows_each_socket_once(void **state)
{
	struct net n;
	struct ip_port to;
	struct sock *l, *c, *u;
	struct sock_info info;
	unsigned listening = 0, established = 0, udp = 0, all = 0;
	uint64_t it = 0;

	(void)state;
	start(&n, NULL);
	l = listen_on(&n, 0, IP_V4, 80, 5);
	to = (struct ip_port){.addr = ip_loopback(IP_V4), .port = 80};
	c = connect_to(&n, 0, IP_V4, &to);
	sim_settle(&n.sim);
	u = sock_on(&n, 0, SOCK_UDP, IP_V4);
	to.port = 99;
	assert_int_equal(stack_sock_bind(n.sim.stack[0], u, &to), 0);
	while (stack_iter_sock(n.sim.stack[0], &it, &info)) {
		all++;
		listening += !strcmp(info.state, "LISTEN");
		established += !strcmp(info.state, "ESTAB");
		udp += info.type == SOCK_UDP;
		assert_int_equal(info.owner.uid, 1000);
	}
	assert_int_equal(all, 4);
	assert_int_equal(listening, 1);
	assert_int_equal(established, 2);
	assert_int_equal(udp, 1);
	stack_sock_close(n.sim.stack[0], u, n.sim.now);
	stack_sock_close(n.sim.stack[0], c, n.sim.now);
	stack_sock_close(n.sim.stack[0], l, n.sim.now);
	finish(&n);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(tcp_v4),
	cmocka_unit_test(tcp_v6),
	cmocka_unit_test(tcp_v4_client_of_a_dual_listener),
	cmocka_unit_test(closed_port_refuses),
	cmocka_unit_test(listener_found_dead_by_a_syn_refuses),
	cmocka_unit_test(suspended_port_refuses_and_keeps_what_it_has),
	cmocka_unit_test(linger_zero_resets),
	cmocka_unit_test(closing_a_listener_resets_what_waits),
	cmocka_unit_test(full_backlog_holds_back_and_recovers),
	cmocka_unit_test(tcp_over_loopback_inside_one_stack),
	cmocka_unit_test(own_address_is_reached_inside_the_stack),
	cmocka_unit_test(unaccept_keeps_the_order),
	cmocka_unit_test(reuseport_spreads),
	cmocka_unit_test(second_listener_is_refused),
	cmocka_unit_test(no_route_is_told_at_once),
	cmocka_unit_test(ports_run_out_and_come_back),
	cmocka_unit_test(socket_limit_is_kept),
	cmocka_unit_test(iteration_shows_each_socket_once),
};

UNIT_MAIN(tests)
