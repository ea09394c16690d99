/*
 * test_api: the socket contract (design of stackd's sockets), through
 * libcouplet's operations: connections, listeners and the flow of bytes.
 */
#include "apitest.h"

#include "base/base.h"
#include "client/couplet.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- connections
 * ---------------------------------------------------------------------- */

static void test_names_tell_the_truth(void **state)
{
	struct sockaddr_in a, peer, self, seen;
	socklen_t n = sizeof(peer);
	int l = listener(4, &a), c = sock(SOCK_STREAM), s;

	(void)state;
	assert_int_equal(connect_to(c, &a), 0);
	s = couplet_accept(l, SA(&peer), &n);
	assert_true(s >= 0);
	self = name_of(c);
	assert_memory_equal(&peer, &self, sizeof(self));
	n = sizeof(seen);
	assert_int_equal(couplet_getpeername(c, SA(&seen), &n), 0);
	assert_memory_equal(&seen, &a, sizeof(a));
	self = name_of(s);
	assert_memory_equal(&self, &a, sizeof(a));
	assert_int_equal(opt(s, SOL_SOCKET, SO_DOMAIN), AF_INET);
	assert_int_equal(opt(s, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
	assert_int_equal(opt(s, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
	assert_int_equal(opt(l, SOL_SOCKET, SO_ACCEPTCONN), 1);
	close(c);
	close(s);
	close(l);
}

static void test_half_close_and_eof(void **state)
{
	int c, s;

	(void)state;
	pair(&c, &s);
	assert_int_equal(write(c, "ping", 4), 4);
	expect_read(s, "ping");
	assert_int_equal(couplet_shutdown(c, SHUT_WR), 0);
	expect_eof(s);
	assert_int_equal(write(s, "still", 5), 5);
	expect_read(c, "still");
	close(s);
	expect_eof(c);
	close(c);
}

static void test_reset_is_no_eof(void **state)
{
	struct linger li = {1, 0};
	int c, s;

	(void)state;
	pair(&c, &s);
	assert_int_equal(write(c, "data", 4), 4);
	assert_true(wait_for(s, POLLIN) & POLLIN);
	assert_int_equal(
		couplet_setsockopt(c, SOL_SOCKET, SO_LINGER, &li, sizeof(li)),
		0);
	close(c);
	assert_true(wait_for(s, POLLRDHUP) & POLLERR);
	expect_read(s, "data");
	expect_error(s, ECONNRESET);
	close(s);
}

static void test_closing_with_unread_data_resets(void **state)
{
	int c, s;

	(void)state;
	pair(&c, &s);
	assert_int_equal(write(c, "data", 4), 4);
	assert_true(wait_for(s, POLLIN) & POLLIN);
	close(s);
	assert_true(wait_for(c, POLLIN) & POLLERR);
	expect_error(c, ECONNRESET);
	close(c);
}

static void test_killed_stack_is_a_reset(void **state)
{
	struct fixture *f = *state;
	char path[128];
	int c, s, st;

	pair(&c, &s);
	assert_int_equal(write(s, "data", 4), 4);
	assert_true(wait_for(c, POLLIN) & POLLIN);
	kill(f->box, SIGKILL);
	assert_int_equal(waitpid(f->box, &st, 0), f->box);
	expect_read(c, "data");
	expect_error(c, ECONNRESET);
	expect_error(s, ECONNRESET);
	close(c);
	close(s);
	c = sock(SOCK_STREAM);
	{
		struct sockaddr_in a = loopback(9);

		assert_int_equal(connect_to(c, &a), -ENETDOWN);
	}
	close(c);
	/* what it left is found by the next one */
	snprintf(path, sizeof(path), "%s/00/lock", f->dir);
	assert_int_equal(access(path, F_OK), 0);
	start_again(state);
	pair(&c, &s);
	close(c);
	close(s);
}

static void test_refused_then_used_again(void **state)
{
	struct sockaddr_in dead = loopback(1), a;
	int l = listener(4, &a), c = sock(SOCK_STREAM);

	(void)state;
	assert_int_equal(connect_to(c, &dead), -ECONNREFUSED);
	assert_int_equal(connect_to(c, &a), 0);
	assert_int_equal(connect_to(c, &a), -EISCONN);
	close(c);
	close(l);
}

static void test_nonblocking_connect(void **state)
{
	struct sockaddr_in dead = loopback(1), a;
	int l = listener(4, &a), c = sock(SOCK_STREAM | SOCK_NONBLOCK);

	(void)state;
	assert_int_equal(connect_to(c, &a), -EINPROGRESS);
	assert_int_equal(wait_for(c, POLLOUT), POLLOUT);
	assert_int_equal(opt(c, SOL_SOCKET, SO_ERROR), 0);
	assert_int_equal(connect_to(c, &a), -EISCONN);
	close(c);
	c = sock(SOCK_STREAM | SOCK_NONBLOCK);
	assert_int_equal(connect_to(c, &dead), -EINPROGRESS);
	assert_true(wait_for(c, POLLOUT) & POLLERR);
	assert_int_equal(opt(c, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
	assert_int_equal(opt(c, SOL_SOCKET, SO_ERROR), 0);
	close(c);
	close(l);
}

/* Has its SYN been sent again? Then the first was not taken. */
static bool syn_repeated(int fd)
{
	struct tcp_info ti = {0};
	socklen_t l = sizeof(ti);

	assert_int_equal(couplet_getsockopt(fd, IPPROTO_TCP, TCP_INFO, &ti, &l),
			 0);
	return ti.tcpi_total_retrans > 0;
}

/* A backlog that is full keeps a connect pending, and not writable. */
static void test_pending_connect_is_not_writable(void **state)
{
	struct sockaddr_in a;
	int l = listener(0, &a), fd[32], n = 0, pending = -1;

	(void)state;
	for (; n < 32 && pending < 0; n++) {
		struct pollfd p;

		fd[n] = sock(SOCK_STREAM | SOCK_NONBLOCK);
		assert_int_equal(connect_to(fd[n], &a), -EINPROGRESS);
		p = (struct pollfd){.fd = fd[n], .events = POLLOUT};
		while (pending < 0 && poll(&p, 1, 20) == 0)
			if (syn_repeated(fd[n]))
				pending = fd[n];
	}
	assert_true(pending >= 0);
	assert_true(n > 1); /* there is room for one at least */
	assert_int_equal(connect_to(pending, &a), -EALREADY);
	assert_int_equal(opt(pending, SOL_SOCKET, SO_ERROR), 0);
	{
		struct sockaddr_in peer;
		socklen_t len = sizeof(peer);

		assert_int_equal(couplet_getpeername(pending, SA(&peer), &len),
				 -1);
		assert_int_equal(errno, ENOTCONN);
	}
	/* accepting makes room: retransmission of the SYN gets in */
	for (int i = 0; i < n; i++) {
		int s = couplet_accept(l, NULL, NULL);

		assert_true(s >= 0);
		close(s);
	}
	assert_true(wait_for(pending, POLLOUT) & POLLOUT);
	while (n--)
		close(fd[n]);
	close(l);
}

/* ---- listeners
 * ---------------------------------------------------------------------------
 */

static void test_closed_listener_refuses_at_once(void **state)
{
	struct sockaddr_in a;
	int l = listener(4, &a), l2 = dup(l), c = sock(SOCK_STREAM);

	(void)state;
	close(l);
	assert_int_equal(connect_to(c, &a), 0); /* the copy lives */
	close(c);
	close(l2);
	c = sock(SOCK_STREAM);
	assert_int_equal(connect_to(c, &a), -ECONNREFUSED);
	close(c);
	/* and the port is free */
	l = sock(SOCK_STREAM);
	assert_int_equal(couplet_bind(l, SA(&a), sizeof(a)), 0);
	close(l);
}

static void test_dead_owner_refuses(void **state)
{
	struct sockaddr_in a;
	int p[2], st, c = sock(SOCK_STREAM);
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(p), 0);
	pid = fork();
	if (pid == 0) {
		(void)listener(4, &a);
		(void)!write(p[1], &a, sizeof(a));
		for (;;)
			pause();
	}
	assert_int_equal(read(p[0], &a, sizeof(a)), sizeof(a));
	assert_int_equal(connect_to(c, &a), 0);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	/* never accepted: a reset */
	expect_error(c, ECONNRESET);
	close(c);
	c = sock(SOCK_STREAM);
	assert_int_equal(connect_to(c, &a), -ECONNREFUSED);
	close(c);
	close(p[0]);
	close(p[1]);
}

/* Descriptors that existed before listen() are the listener all the same. */
static void test_bind_fork_listen_epoll(void **state)
{
	struct sockaddr_in a = loopback(0);
	struct epoll_event ev = {.events = EPOLLIN}, got;
	int l = sock(SOCK_STREAM), ep = epoll_create1(EPOLL_CLOEXEC), st;
	int c, s;
	pid_t pid;

	(void)state;
	assert_int_equal(epoll_ctl(ep, EPOLL_CTL_ADD, l, &ev), 0);
	assert_int_equal(couplet_bind(l, SA(&a), sizeof(a)), 0);
	a = name_of(l);
	pid = fork();
	if (pid == 0)
		_exit(couplet_listen(l, 4) < 0);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(st, 0);
	c = sock(SOCK_STREAM);
	assert_int_equal(connect_to(c, &a), 0);
	assert_int_equal(epoll_wait(ep, &got, 1, WAIT_MS), 1);
	s = couplet_accept(l, NULL, NULL);
	assert_true(s >= 0);
	assert_int_equal(write(s, "hi", 2), 2);
	expect_read(c, "hi");
	close(c);
	close(s);
	close(l);
	close(ep);
}

static void test_reset_before_accept(void **state)
{
	struct linger li = {1, 0};
	struct sockaddr_in a;
	int l = listener(4, &a), c = sock(SOCK_STREAM), s;

	(void)state;
	assert_int_equal(connect_to(c, &a), 0);
	assert_int_equal(write(c, "data", 4), 4);
	assert_int_equal(
		couplet_setsockopt(c, SOL_SOCKET, SO_LINGER, &li, sizeof(li)),
		0);
	close(c);
	/* the stack has seen the reset when it answers about another socket */
	c = sock(SOCK_STREAM);
	assert_int_equal(connect_to(c, &a), 0);
	close(c);
	s = couplet_accept(l, NULL, NULL);
	assert_true(s >= 0);
	expect_read(s, "data"); /* as Linux: what had come first */
	expect_error(s, ECONNRESET);
	close(s);
	close(l);
}

static void test_reuseport(void **state)
{
	struct sockaddr_in a = loopback(0);
	int l[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		l[i] = sock(SOCK_STREAM);
		assert_int_equal(set_opt(l[i], SOL_SOCKET, SO_REUSEPORT, 1), 0);
		assert_int_equal(couplet_bind(l[i], SA(&a), sizeof(a)), 0);
		assert_int_equal(couplet_listen(l[i], 16), 0);
		a = name_of(l[0]);
	}
	for (int i = 0; i < 16; i++) {
		struct pollfd p[2] = {{.fd = l[0], .events = POLLIN},
				      {.fd = l[1], .events = POLLIN}};
		int c = sock(SOCK_STREAM), s;

		assert_int_equal(connect_to(c, &a), 0);
		assert_int_equal(poll(p, 2, WAIT_MS), 1);
		s = couplet_accept(p[0].revents ? l[0] : l[1], NULL, NULL);
		assert_true(s >= 0);
		close(s);
		close(c);
	}
	close(l[0]);
	close(l[1]);
	l[0] = sock(SOCK_STREAM);
	l[1] = sock(SOCK_STREAM);
	/* beside connections in TIME-WAIT */
	assert_int_equal(set_opt(l[0], SOL_SOCKET, SO_REUSEADDR, 1), 0);
	assert_int_equal(couplet_bind(l[0], SA(&a), sizeof(a)), 0);
	assert_int_equal(couplet_bind(l[1], SA(&a), sizeof(a)), -1);
	assert_int_equal(errno, EADDRINUSE);
	close(l[0]);
	close(l[1]);
}

/* ---- flow
 * -----------------------------------------------------------------------------------
 */

/* Writes until refused, lets the other side read all, must be able to go on:
 * what stackd leaves unread must not stop a writer, whatever the size. */
static void fill_and_drain(size_t piece)
{
	static char b[65536];
	size_t sent = 0, got = 0;
	int c, s;

	pair(&c, &s);
	assert_int_equal(fcntl(c, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(fcntl(s, F_SETFL, O_NONBLOCK), 0);
	for (int round = 0; round < 3; round++) {
		ssize_t n;

		assert_true(wait_for(c, POLLOUT) & POLLOUT);
		for (int i = 0; i < 20000; i++) {
			n = write(c, b, piece);
			if (n < 0)
				break;
			sent += (size_t)n;
		}
		while (got < sent) {
			assert_true(wait_for(s, POLLIN) & POLLIN);
			while ((n = read(s, b, sizeof(b))) > 0)
				got += (size_t)n;
		}
	}
	assert_true(wait_for(c, POLLOUT) & POLLOUT);
	assert_int_equal(got, sent);
	close(c);
	close(s);
}

static void test_single_bytes_flow(void **state)
{
	(void)state;
	fill_and_drain(1);
}

static void test_odd_pieces_flow(void **state)
{
	(void)state;
	fill_and_drain(63);
	fill_and_drain(65);
	fill_and_drain(4097);
}

static void test_large_pieces_flow(void **state)
{
	(void)state;
	fill_and_drain(65536);
}

/* Nobody reads: the writer is stopped before it has written without limit. */
/* All that a program wrote before it was gone arrives, also when its end is
 * only looked at afterwards, and also behind an attached descriptor, which
 * cuts a read short. */
static void test_last_words_arrive(void **state)
{
	struct fixture *f = *state;
	char cmsg[CMSG_SPACE(sizeof(int))] = {0}, b[4096] = "x";
	struct iovec iov = {b, 10};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = cmsg,
			   .msg_controllen = sizeof(cmsg)};
	struct cmsghdr *cm = CMSG_FIRSTHDR(&m);
	size_t got = 0;
	ssize_t n;
	int c, s;

	pair(&c, &s);
	assert_int_equal(kill(f->box, SIGSTOP), 0);
	assert_int_equal(write(c, b, 1000), 1000);
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cm), &(int){STDERR_FILENO}, sizeof(int));
	assert_int_equal(sendmsg(c, &m, 0), 10);
	assert_int_equal(write(c, b, sizeof(b)), sizeof(b));
	close(c);
	assert_int_equal(kill(f->box, SIGCONT), 0);
	while (wait_for(s, POLLIN), (n = read(s, b, sizeof(b))) > 0)
		got += (size_t)n;
	assert_int_equal(n, 0);
	assert_int_equal(got, 1000 + 10 + sizeof(b));
	close(s);
}

static void test_back_pressure(void **state)
{
	static char b[65536];
	size_t sent = 0;
	int c, s;
	struct pollfd p;

	(void)state;
	pair(&c, &s);
	assert_int_equal(set_opt(s, SOL_SOCKET, SO_RCVBUF, 65536), 0);
	assert_int_equal(fcntl(c, F_SETFL, O_NONBLOCK), 0);
	p = (struct pollfd){.fd = c, .events = POLLOUT};
	while (poll(&p, 1, 300) == 1) {
		ssize_t n = write(c, b, sizeof(b));

		if (n > 0)
			sent += (size_t)n;
		assert_true(sent < 64u << 20);
	}
	assert_true(sent > 65536);
	close(c);
	close(s);
}

static void test_bytes_arrive_in_order(void **state)
{
	enum { TOTAL = 8 << 20 };
	static uint8_t out[100003], in[65536];
	size_t got = 0;
	int c, s, st;
	pid_t pid;

	(void)state;
	pair(&c, &s);
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 31 >> 3);
	pid = fork();
	if (pid == 0) {
		size_t sent = 0;

		close(s);
		while (sent < TOTAL) {
			size_t at = sent % sizeof(out);
			size_t n = MIN(1 + sent % 70001, sizeof(out) - at);
			ssize_t k = write(c, out + at,
					  MIN(n, (size_t)TOTAL - sent));

			if (k <= 0)
				_exit(1);
			sent += (size_t)k;
		}
		_exit(0);
	}
	close(c);
	for (;;) {
		ssize_t n = read(s, in, sizeof(in));

		assert_true(n >= 0);
		if (n == 0)
			break;
		for (ssize_t i = 0; i < n; i++, got++)
			assert_int_equal(in[i], out[got % sizeof(out)]);
	}
	assert_int_equal(got, TOTAL);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(st, 0);
	close(s);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_names_tell_the_truth, start, stop),
	cmocka_unit_test_setup_teardown(test_half_close_and_eof, start, stop),
	cmocka_unit_test_setup_teardown(test_reset_is_no_eof, start, stop),
	cmocka_unit_test_setup_teardown(test_closing_with_unread_data_resets,
					start, stop),
	cmocka_unit_test_setup_teardown(test_killed_stack_is_a_reset, start,
					stop),
	cmocka_unit_test_setup_teardown(test_refused_then_used_again, start,
					stop),
	cmocka_unit_test_setup_teardown(test_nonblocking_connect, start, stop),
	cmocka_unit_test_setup_teardown(test_pending_connect_is_not_writable,
					start, stop),
	cmocka_unit_test_setup_teardown(test_closed_listener_refuses_at_once,
					start, stop),
	cmocka_unit_test_setup_teardown(test_dead_owner_refuses, start, stop),
	cmocka_unit_test_setup_teardown(test_bind_fork_listen_epoll, start,
					stop),
	cmocka_unit_test_setup_teardown(test_reset_before_accept, start, stop),
	cmocka_unit_test_setup_teardown(test_reuseport, start, stop),
	cmocka_unit_test_setup_teardown(test_single_bytes_flow, start, stop),
	cmocka_unit_test_setup_teardown(test_odd_pieces_flow, start, stop),
	cmocka_unit_test_setup_teardown(test_large_pieces_flow, start, stop),
	cmocka_unit_test_setup_teardown(test_last_words_arrive, start, stop),
	cmocka_unit_test_setup_teardown(test_back_pressure, start, stop),
	cmocka_unit_test_setup_teardown(test_bytes_arrive_in_order, start,
					stop),
};

UNIT_MAIN(tests)
