/*
 * test_divert: connections and listeners that are handed over to a diverter
 * (common/divert), with the test in the place of tlsd: what it writes to a
 * wire end is what goes through the engine, without TLS.
 */
#include "apitest.h"
#include "diverter.h"

#include "client/couplet.h"
#include "divert/divert.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int soerror(int fd)
{
	return opt(fd, SOL_SOCKET, SO_ERROR);
}

/* ---- outbound ------------------------------------------------------------ */

static void test_outbound_is_handed_over(void **state)
{
	struct sockaddr_in wire, seen, clear = loopback(free_port());
	int l = listener(4, &wire), c, s, fds[DIVERT_FDS];
	struct divert_msg m;
	socklen_t n = sizeof(seen);

	begin(*state);
	add_rule(0, ntohs(clear.sin_port), ntohs(wire.sin_port));
	commit();
	c = connect_later(&clear);
	m = hear(DIVERT_SOCKET, fds);
	assert_false(m.sock.inbound);
	assert_int_equal(m.sock.remote.port, ntohs(clear.sin_port));
	assert_int_equal(m.sock.as_port, ntohs(wire.sin_port));
	assert_int_equal(m.sock.pid, getpid());
	assert_true(fds[0] >= 0 && fds[1] >= 0);
	assert_int_equal(hear(DIVERT_CONNECTED, NULL).serial, m.serial);
	s = couplet_accept(l, NULL, NULL);
	assert_true(s >= 0);
	/* not before the diverter says so */
	assert_int_equal(
		poll(&(struct pollfd){.fd = c, .events = POLLOUT}, 1, 0), 0);
	assert_int_equal(couplet_getpeername(c, SA(&seen), &n), -1);
	say(DIVERT_OPENED, m.serial, 0);
	take_padding(fds[0], m.sock.skip);
	assert_true(wait_for(c, POLLOUT) & POLLOUT);
	assert_int_equal(soerror(c), 0);
	n = sizeof(seen);
	assert_int_equal(couplet_getpeername(c, SA(&seen), &n), 0);
	assert_memory_equal(&seen, &clear, sizeof(clear));
	/* the wire's end is the engine's connection */
	assert_int_equal(write(fds[1], "sealed", 6), 6);
	expect_read(s, "sealed");
	assert_int_equal(write(s, "answer", 6), 6);
	assert_true(wait_for(fds[1], POLLIN) & POLLIN);
	expect_read(fds[1], "answer");
	/* options are the connection's */
	assert_int_equal(set_opt(c, IPPROTO_TCP, 1 /* NODELAY */, 1), 0);
	assert_int_equal(opt(c, IPPROTO_TCP, 1), 1);
	close(c);
	close(fds[0]);
	close(fds[1]);
	expect_eof(s);
	close(s);
	close(l);
	close(door);
}

static void test_failed_handshake_has_its_reason(void **state)
{
	struct sockaddr_in wire, clear = loopback(free_port());
	int l = listener(4, &wire), c, fds[DIVERT_FDS];
	struct divert_msg m;

	begin(*state);
	add_rule(0, ntohs(clear.sin_port), ntohs(wire.sin_port));
	commit();
	c = connect_later(&clear);
	m = hear(DIVERT_SOCKET, fds);
	say(DIVERT_FAILED, m.serial, EPROTO);
	say(DIVERT_RESET, m.serial, 0);
	close(fds[0]);
	assert_true(wait_for(c, POLLOUT) & POLLERR);
	assert_int_equal(soerror(c), EPROTO);
	close(c);
	close(fds[1]);
	close(l);
	close(door);
}

static void test_refused_wire_is_told(void **state)
{
	struct sockaddr_in clear = loopback(free_port());
	int c, fds[DIVERT_FDS];
	uint16_t nobody = free_port();
	struct divert_msg m;

	begin(*state);
	add_rule(0, ntohs(clear.sin_port), nobody);
	commit();
	c = connect_later(&clear);
	m = hear(DIVERT_SOCKET, fds);
	assert_int_equal(hear(DIVERT_GONE, NULL).error, ECONNREFUSED);
	(void)m;
	close(fds[0]);
	assert_true(wait_for(c, POLLOUT) & POLLERR);
	assert_int_equal(soerror(c), ECONNREFUSED);
	close(c);
	close(fds[1]);
	close(door);
}

static void test_bound_address_is_kept(void **state)
{
	struct sockaddr_in wire, mine = loopback(free_port()), seen,
				 clear = loopback(free_port());
	int l = listener(4, &wire), c = sock(SOCK_STREAM), s, fds[DIVERT_FDS];
	struct divert_msg m;
	socklen_t n = sizeof(seen);

	begin(*state);
	add_rule(0, ntohs(clear.sin_port), ntohs(wire.sin_port));
	commit();
	assert_int_equal(couplet_bind(c, SA(&mine), sizeof(mine)), 0);
	assert_int_equal(fcntl(c, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(connect_to(c, &clear), -EINPROGRESS);
	m = hear(DIVERT_SOCKET, fds);
	assert_int_equal(m.sock.local.port, ntohs(mine.sin_port));
	s = couplet_accept(l, SA(&seen), &n);
	assert_true(s >= 0);
	assert_memory_equal(&seen, &mine, sizeof(mine));
	close(c);
	close(s);
	close(l);
	close(fds[0]);
	close(fds[1]);
	close(door);
}

/* ---- without a diverter -------------------------------------------------- */

static void test_orphaned_rule_holds(void **state)
{
	struct sockaddr_in wire, clear;
	int open = listener(4, &clear), l = listener(4, &wire), c,
	    fds[DIVERT_FDS];
	struct divert_msg m;

	begin(*state);
	add_rule(0, ntohs(clear.sin_port), ntohs(wire.sin_port));
	commit();
	close(door); /* killed */
	c = connect_later(&clear);
	/* somebody listens there in clear: nothing may arrive */
	assert_int_equal(fcntl(open, F_SETFL, O_NONBLOCK), 0);
	begin(*state);
	assert_int_equal(couplet_accept(open, NULL, NULL), -1);
	assert_int_equal(errno, EAGAIN);
	add_rule(0, ntohs(clear.sin_port), ntohs(wire.sin_port));
	commit();
	m = hear(DIVERT_SOCKET, fds);
	assert_int_equal(m.sock.remote.port, ntohs(clear.sin_port));
	assert_int_equal(hear(DIVERT_CONNECTED, NULL).serial, m.serial);
	close(c);
	close(l);
	close(open);
	close(fds[0]);
	close(fds[1]);
	close(door);
}

static void test_dead_diverter_resets(void **state)
{
	struct sockaddr_in wire, clear = loopback(free_port());
	int l = listener(4, &wire), c, s, fds[DIVERT_FDS];
	struct divert_msg m;

	begin(*state);
	add_rule(0, ntohs(clear.sin_port), ntohs(wire.sin_port));
	commit();
	c = connect_later(&clear);
	m = hear(DIVERT_SOCKET, fds);
	hear(DIVERT_CONNECTED, NULL);
	s = couplet_accept(l, NULL, NULL);
	say(DIVERT_OPENED, m.serial, 0);
	take_padding(fds[0], m.sock.skip);
	assert_true(wait_for(c, POLLOUT) & POLLOUT);
	assert_int_equal(write(fds[0], "half", 4), 4);
	/* as the kernel does when the process is killed */
	close(door);
	close(fds[0]);
	close(fds[1]);
	expect_read(c, "half");
	expect_error(c, ECONNRESET);
	assert_true(wait_for(s, POLLIN) & POLLIN);
	expect_error(s, ECONNRESET);
	close(c);
	close(s);
	close(l);
}

static void test_deck_holds_before_the_first(void **state)
{
	struct sockaddr_in wire, clear;
	int l, open, c, fds[DIVERT_FDS];
	char port[16];

	/* a stack whose deck holds a port from the start */
	open = listener(4, &clear);
	snprintf(port, sizeof(port), "%u", ntohs(clear.sin_port));
	close(open);
	setenv("STACKBOX_HOLD", port, 1);
	assert_int_equal(stop(state), 0);
	assert_int_equal(start(state), 0);
	unsetenv("STACKBOX_HOLD");
	l = listener(4, &wire);
	c = connect_later(&clear);
	begin(*state);
	add_rule(0, ntohs(clear.sin_port), ntohs(wire.sin_port));
	commit();
	hear(DIVERT_SOCKET, fds);
	hear(DIVERT_CONNECTED, NULL);
	close(c);
	close(l);
	close(fds[0]);
	close(fds[1]);
	close(door);
}

/* ---- inbound ------------------------------------------------------------- */

static void test_inbound_is_introduced(void **state)
{
	struct sockaddr_in at, wire, peer, self;
	int l = listener(4, &at), c = sock(SOCK_STREAM), s, fds[DIVERT_FDS];
	socklen_t n = sizeof(peer);
	struct divert_msg m;

	wire = loopback(free_port());
	begin(*state);
	add_rule(DIVERT_R_INBOUND, ntohs(at.sin_port), ntohs(wire.sin_port));
	commit();
	/* the listener was there before */
	m = hear(DIVERT_LISTENER, NULL);
	assert_int_equal(m.error, 0);
	assert_int_equal(m.sock.local.port, ntohs(at.sin_port));
	assert_int_equal(connect_to(c, &wire), 0);
	m = hear(DIVERT_SOCKET, fds);
	assert_true(m.sock.inbound);
	assert_int_equal(write(c, "sealed", 6), 6);
	assert_true(wait_for(fds[0], POLLIN) & POLLIN);
	expect_read(fds[0], "sealed");
	say(DIVERT_INTRODUCE, m.serial, 0);
	assert_int_equal(hear(DIVERT_INTRODUCED, fds).serial, m.serial);
	s = couplet_accept(l, SA(&peer), &n);
	assert_true(s >= 0);
	self = name_of(c);
	assert_memory_equal(&peer, &self, sizeof(self));
	self = name_of(s);
	assert_memory_equal(&self, &at, sizeof(at));
	/* the plant, then what the program wrote */
	assert_int_equal(write(s, "hello", 5), 5);
	assert_true(wait_for(fds[0], POLLIN) & POLLIN);
	{
		char b[8];

		assert_int_equal(recv(fds[0], b, sizeof(b), 0), 6);
		assert_memory_equal(b + 1, "hello", 5);
	}
	assert_int_equal(opt(s, SOL_SOCKET, SO_DOMAIN), AF_INET);
	assert_int_equal(set_opt(s, IPPROTO_TCP, 1, 1), 0);
	close(s);
	close(l);
	close(c);
	close(fds[0]);
	close(door);
}

static void test_secure_port_follows_the_listener(void **state)
{
	struct sockaddr_in at, wire;
	int l, c = sock(SOCK_STREAM);

	wire = loopback(free_port());
	at = loopback(free_port());
	begin(*state);
	add_rule(DIVERT_R_INBOUND, ntohs(at.sin_port), ntohs(wire.sin_port));
	commit();
	assert_int_equal(connect_to(c, &wire), -ECONNREFUSED);
	close(c);
	l = sock(SOCK_STREAM);
	assert_int_equal(couplet_bind(l, SA(&at), sizeof(at)), 0);
	assert_int_equal(couplet_listen(l, 4), 0);
	assert_int_equal(hear(DIVERT_LISTENER, NULL).error, 0);
	c = sock(SOCK_STREAM);
	assert_int_equal(connect_to(c, &wire), 0);
	close(c);
	close(l);
	hear(DIVERT_UNLISTEN, NULL);
	c = sock(SOCK_STREAM);
	assert_int_equal(connect_to(c, &wire), -ECONNREFUSED);
	close(c);
	close(door);
}

static void test_secure_port_dies_with_the_diverter(void **state)
{
	struct sockaddr_in at, wire;
	int l = listener(4, &at), c = sock(SOCK_STREAM), fds[DIVERT_FDS];

	wire = loopback(free_port());
	begin(*state);
	add_rule(DIVERT_R_INBOUND, ntohs(at.sin_port), ntohs(wire.sin_port));
	commit();
	assert_int_equal(connect_to(c, &wire), 0);
	hear(DIVERT_SOCKET, fds);
	close(door);
	close(fds[0]);
	expect_error(c, ECONNRESET);
	close(c);
	c = sock(SOCK_STREAM);
	assert_int_equal(connect_to(c, &wire), -ECONNREFUSED);
	close(c);
	/* the next one finds the listener */
	begin(*state);
	add_rule(DIVERT_R_INBOUND, ntohs(at.sin_port), ntohs(wire.sin_port));
	commit();
	hear(DIVERT_LISTENER, NULL);
	c = sock(SOCK_STREAM);
	assert_int_equal(connect_to(c, &wire), 0);
	close(c);
	close(l);
	close(door);
}

static void test_taken_port_is_told(void **state)
{
	struct sockaddr_in at, taken;
	int l = listener(4, &at), other = listener(4, &taken);

	begin(*state);
	add_rule(DIVERT_R_INBOUND, ntohs(at.sin_port), ntohs(taken.sin_port));
	commit();
	assert_int_equal(hear(DIVERT_LISTENER, NULL).error, EADDRINUSE);
	close(l);
	close(other);
	close(door);
}

static void test_same_port_is_taken_in_place(void **state)
{
	struct sockaddr_in at;
	int l = listener(4, &at), c = sock(SOCK_STREAM), fds[DIVERT_FDS], s;
	struct divert_msg m;

	begin(*state);
	add_rule(DIVERT_R_INBOUND, ntohs(at.sin_port), ntohs(at.sin_port));
	commit();
	assert_int_equal(connect_to(c, &at), 0);
	m = hear(DIVERT_SOCKET, fds);
	assert_int_equal(fcntl(l, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(couplet_accept(l, NULL, NULL), -1);
	say(DIVERT_INTRODUCE, m.serial, 0);
	hear(DIVERT_INTRODUCED, fds);
	assert_true(wait_for(l, POLLIN) & POLLIN);
	s = couplet_accept(l, NULL, NULL);
	assert_true(s >= 0);
	close(s);
	close(l);
	close(c);
	close(fds[0]);
	close(door);
}

/* ---- the door ------------------------------------------------------------ */

static void test_second_diverter_is_refused(void **state)
{
	struct fixture *f = *state;
	char b;
	int other;

	begin(f);
	commit();
	other = connect_door(f->dir);
	assert_true(other >= 0);
	assert_true(wait_for(other, POLLIN));
	assert_int_equal(recv(other, &b, 1, 0), 0);
	close(other);
	close(door);
}

static void test_bad_rules_end_the_diverter(void **state)
{
	struct divert_msg m = {.op = DIVERT_RULE};

	begin(*state);
	m.rule = (struct divert_rule){.port_lo = 9, .port_hi = 8, .as_port = 1};
	assert_int_equal(divert_send(door, &m, NULL, 0), 0);
	assert_int_equal(hear(DIVERT_READY, NULL).error, EINVAL);
	assert_true(wait_for(door, POLLIN) & POLLHUP);
	close(door);
}

static void test_garbage_ends_the_diverter(void **state)
{
	char b;

	begin(*state);
	assert_int_equal(write(door, "garbage", 7), 7);
	assert_true(wait_for(door, POLLIN));
	assert_true(recv(door, &b, 1, 0) <= 0);
	close(door);
	/* and the stack lives */
	begin(*state);
	commit();
	close(door);
}

/* Words in any order about anything: the stack lives, and serves the next. */
static void test_random_words(void **state)
{
	struct sockaddr_in at;
	int l = listener(4, &at), c;
	unsigned seed = 20261126;

	for (int round = 0; round < 20; round++) {
		begin(*state);
		for (int i = 0; i < 200; i++) {
			struct divert_msg m = {.op = 0};

			for (size_t k = 0; k < sizeof(m.rule); k++)
				((uint8_t *)&m.rule)[k] =
					(uint8_t)rand_r(&seed);
			m.op = (uint16_t)(1 + rand_r(&seed) % 20);
			m.serial = (uint64_t)rand_r(&seed) % 64;
			m.error = rand_r(&seed);
			if (divert_send(door, &m, NULL, 0) == -EPIPE)
				break;
		}
		close(door);
	}
	begin(*state);
	commit();
	c = sock(SOCK_STREAM);
	assert_int_equal(connect_to(c, &at), 0);
	close(c);
	close(l);
	close(door);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_outbound_is_handed_over, start,
					stop),
	cmocka_unit_test_setup_teardown(test_failed_handshake_has_its_reason,
					start, stop),
	cmocka_unit_test_setup_teardown(test_refused_wire_is_told, start, stop),
	cmocka_unit_test_setup_teardown(test_bound_address_is_kept, start,
					stop),
	cmocka_unit_test_setup_teardown(test_orphaned_rule_holds, start, stop),
	cmocka_unit_test_setup_teardown(test_dead_diverter_resets, start, stop),
	cmocka_unit_test_setup_teardown(test_deck_holds_before_the_first, start,
					stop),
	cmocka_unit_test_setup_teardown(test_inbound_is_introduced, start,
					stop),
	cmocka_unit_test_setup_teardown(test_secure_port_follows_the_listener,
					start, stop),
	cmocka_unit_test_setup_teardown(test_secure_port_dies_with_the_diverter,
					start, stop),
	cmocka_unit_test_setup_teardown(test_taken_port_is_told, start, stop),
	cmocka_unit_test_setup_teardown(test_same_port_is_taken_in_place, start,
					stop),
	cmocka_unit_test_setup_teardown(test_second_diverter_is_refused, start,
					stop),
	cmocka_unit_test_setup_teardown(test_bad_rules_end_the_diverter, start,
					stop),
	cmocka_unit_test_setup_teardown(test_random_words, start, stop),
	cmocka_unit_test_setup_teardown(test_garbage_ends_the_diverter, start,
					stop),
};

UNIT_MAIN(tests)
