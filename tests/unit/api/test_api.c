/*
 * test_api: the socket contract, through libcouplet's operations, against a
 * stack in a child process. Every wait is a blocking call or a poll with a
 * limit; nothing sleeps.
 */
#include "stackbox.h"
#include "unit.h"

#include "client/couplet.h"
#include "client/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS 5000

struct fixture {
	char dir[64];
	pid_t box;
};

/* ---- a stack of its own for each case
 * ----------------------------------------- */

static int box_fd; /* the child stops when this closes */

_Noreturn static void run_box(const char *dir, int ready, int stop)
{
	static struct stackbox b;

	signal(SIGPIPE, SIG_IGN);
	stackbox_open(&b, dir);
	/* the parent's end of `stop` is the only writer */
	dup2(stop, b.wake[0]);
	(void)!write(ready, "r", 1);
	stackbox_run(&b);
	stackbox_close(&b);
	exit(0);
}

static int start(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int ready[2], stop[2];
	char c;

	strcpy(f->dir, "/tmp/couplet-test-api.XXXXXX");
	if (!mkdtemp(f->dir) || pipe(ready) < 0 || pipe(stop) < 0)
		return -1;
	signal(SIGPIPE, SIG_IGN);
	setenv("COUPLET_RUN", f->dir, 1);
	setenv("COUPLET_ID", "00", 1);
	f->box = fork();
	if (f->box == 0) {
		close(stop[1]);
		run_box(f->dir, ready[1], stop[0]);
	}
	close(ready[1]);
	close(stop[0]);
	box_fd = stop[1];
	fcntl(box_fd, F_SETFD, FD_CLOEXEC);
	if (read(ready[0], &c, 1) != 1)
		return -1;
	close(ready[0]);
	*state = f;
	return 0;
}

static int stop(void **state)
{
	struct fixture *f = *state;
	int st = -1;

	close(box_fd);
	if (f->box > 0 && waitpid(f->box, &st, 0) != f->box)
		return -1;
	rmdir(f->dir);
	free(f);
	/* a sanitizer's finding or a leak in the stack is a failure here */
	return f && st == 0 ? 0 : -1;
}

/* ---- shorthand
 * ------------------------------------------------------------------- */

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				    .sin_port = htons(port)};
}

#define SA(x) ((struct sockaddr *)(x))

static int sock(int type)
{
	int fd = couplet_socket("00", AF_INET, type, 0);

	assert_true(fd >= 0);
	return fd;
}

static struct sockaddr_in name_of(int fd)
{
	struct sockaddr_in a;
	socklen_t l = sizeof(a);

	assert_int_equal(couplet_getsockname(fd, SA(&a), &l), 0);
	assert_int_equal(l, sizeof(a));
	return a;
}

static int listener(int backlog, struct sockaddr_in *ret)
{
	struct sockaddr_in a = loopback(0);
	int fd = sock(SOCK_STREAM);

	assert_int_equal(couplet_bind(fd, SA(&a), sizeof(a)), 0);
	assert_int_equal(couplet_listen(fd, backlog), 0);
	*ret = name_of(fd);
	assert_int_not_equal(ret->sin_port, 0);
	return fd;
}

static int connect_to(int fd, const struct sockaddr_in *a)
{
	return couplet_connect(fd, (const struct sockaddr *)a, sizeof(*a)) < 0
		       ? -errno
		       : 0;
}

static void pair(int *ret_client, int *ret_server)
{
	struct sockaddr_in a;
	int l = listener(4, &a);

	*ret_client = sock(SOCK_STREAM);
	assert_int_equal(connect_to(*ret_client, &a), 0);
	*ret_server = couplet_accept(l, NULL, NULL);
	assert_true(*ret_server >= 0);
	close(l);
}

static short wait_for(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};

	return poll(&p, 1, WAIT_MS) == 1 ? p.revents : 0;
}

static void expect_read(int fd, const char *text)
{
	char b[64];
	ssize_t want = (ssize_t)strlen(text), n = 0;

	while (n < want) {
		ssize_t k = read(fd, b + n, (size_t)(want - n));

		assert_true(k > 0);
		n += k;
	}
	assert_memory_equal(b, text, (size_t)want);
}

static void expect_error(int fd, int e)
{
	char b[8];

	assert_int_equal(read(fd, b, sizeof(b)), -1);
	assert_int_equal(errno, e);
}

static void expect_eof(int fd)
{
	char b[8];

	assert_int_equal(read(fd, b, sizeof(b)), 0);
}

static int opt(int fd, int level, int name)
{
	int v = -1;
	socklen_t l = sizeof(v);

	assert_int_equal(couplet_getsockopt(fd, level, name, &v, &l), 0);
	return v;
}

static int set_opt(int fd, int level, int name, int v)
{
	return couplet_setsockopt(fd, level, name, &v, sizeof(v)) < 0 ? -errno
								      : 0;
}

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
	/* the next stack starts over what this one left */
	snprintf(path, sizeof(path), "%s/00/lock", f->dir);
	assert_int_equal(access(path, F_OK), 0);
	close(box_fd);
	{
		void *again = NULL;
		struct fixture *g;

		assert_int_equal(start(&again), 0);
		g = again;
		f->box = g->box;
		rmdir(f->dir);
		snprintf(path, sizeof(path), "rm -r %s", f->dir);
		assert_int_equal(system(path), 0);
		strcpy(f->dir, g->dir);
		free(g);
	}
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
		if (poll(&p, 1, 100) == 0)
			pending = fd[n];
	}
	assert_true(pending >= 0);
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

/* ---- options
 * ----------------------------------------------------------------------------------
 */

static void test_options_before_connect_last(void **state)
{
	struct sockaddr_in a;
	struct tcp_info ti;
	socklen_t n = sizeof(ti);
	int l = listener(4, &a), c = sock(SOCK_STREAM), s;

	(void)state;
	assert_int_equal(set_opt(c, IPPROTO_TCP, TCP_NODELAY, 1), 0);
	assert_int_equal(set_opt(c, SOL_SOCKET, SO_KEEPALIVE, 1), 0);
	assert_int_equal(set_opt(c, IPPROTO_TCP, TCP_KEEPIDLE, 33), 0);
	assert_int_equal(set_opt(c, IPPROTO_TCP, TCP_KEEPINTVL, 44), 0);
	assert_int_equal(set_opt(c, IPPROTO_TCP, TCP_KEEPCNT, 5), 0);
	assert_int_equal(set_opt(c, IPPROTO_TCP, TCP_USER_TIMEOUT, 6000), 0);
	assert_int_equal(opt(c, IPPROTO_TCP, TCP_KEEPIDLE), 33);
	assert_int_equal(connect_to(c, &a), 0);
	assert_int_equal(opt(c, IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(opt(c, SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_int_equal(opt(c, IPPROTO_TCP, TCP_KEEPIDLE), 33);
	assert_int_equal(opt(c, IPPROTO_TCP, TCP_KEEPINTVL), 44);
	assert_int_equal(opt(c, IPPROTO_TCP, TCP_KEEPCNT), 5);
	assert_int_equal(opt(c, IPPROTO_TCP, TCP_USER_TIMEOUT), 6000);
	assert_int_equal(couplet_getsockopt(c, IPPROTO_TCP, TCP_INFO, &ti, &n),
			 0);
	assert_int_equal(ti.tcpi_state, 1);
	/* a child has its listener's */
	assert_int_equal(set_opt(l, IPPROTO_TCP, TCP_NODELAY, 1), 0);
	s = couplet_accept(l, NULL, NULL);
	assert_int_equal(opt(s, IPPROTO_TCP, TCP_NODELAY), 1);
	close(s);
	close(c);
	close(l);
}

static void test_wrong_options_fail_as_linux(void **state)
{
	int c = sock(SOCK_STREAM), u = sock(SOCK_DGRAM), one = 1;
	uint8_t b = 1;

	(void)state;
	assert_int_equal(set_opt(c, IPPROTO_TCP, 99, 1), -ENOPROTOOPT);
	assert_int_equal(set_opt(c, IPPROTO_TCP, TCP_KEEPCNT, 0), -EINVAL);
	assert_int_equal(set_opt(c, IPPROTO_TCP, TCP_KEEPCNT, 128), -EINVAL);
	assert_int_equal(set_opt(c, IPPROTO_TCP, TCP_MAXSEG, 10), -EINVAL);
	assert_int_equal(set_opt(c, IPPROTO_IP, 2 /* IP_TTL */, 0), -EINVAL);
	assert_int_equal(set_opt(c, IPPROTO_IPV6, IPV6_V6ONLY, 1),
			 -ENOPROTOOPT);
	assert_int_equal(set_opt(u, IPPROTO_TCP, TCP_NODELAY, 1), -ENOPROTOOPT);
	assert_int_equal(
		couplet_setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &b, sizeof(b)),
		-1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(
		couplet_setsockopt(c, IPPROTO_TCP, TCP_CONGESTION, "nosuch", 6),
		-1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(couplet_setsockopt(c, SOL_SOCKET, SO_LINGER, &one, 4),
			 -1);
	assert_int_equal(errno, EINVAL);
	close(c);
	close(u);
}

static void test_unconnected_errors(void **state)
{
	struct sockaddr_in a = loopback(0), peer;
	socklen_t n = sizeof(peer);
	int c = sock(SOCK_STREAM);
	char b[4];

	(void)state;
	assert_int_equal(couplet_recv(c, b, 4, 0), -1);
	assert_int_equal(errno, ENOTCONN);
	assert_int_equal(couplet_send(c, b, 4, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(couplet_getpeername(c, SA(&peer), &n), -1);
	assert_int_equal(errno, ENOTCONN);
	assert_int_equal(couplet_bind(c, SA(&a), 8), -1);
	assert_int_equal(errno, EINVAL);
	a.sin_family = AF_INET6;
	assert_int_equal(couplet_bind(c, SA(&a), sizeof(a)), -1);
	assert_int_equal(errno, EAFNOSUPPORT);
	a = loopback(0);
	a.sin_addr.s_addr = htonl(0x09090909);
	assert_int_equal(couplet_bind(c, SA(&a), sizeof(a)), -1);
	assert_int_equal(errno, EADDRNOTAVAIL);
	close(c);
	assert_int_equal(couplet_socket("00", AF_INET, SOCK_RAW, 1), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(couplet_socket("00", AF_INET, SOCK_STREAM, 132), -1);
	assert_int_equal(errno, EPROTONOSUPPORT);
	assert_int_equal(couplet_socket("0x", AF_INET, SOCK_STREAM, 0), -1);
	assert_int_equal(errno, EINVAL);
}

/* ---- UDP
 * ----------------------------------------------------------------------------------------
 */

static int udp_bound(struct sockaddr_in *ret)
{
	struct sockaddr_in a = loopback(0);
	int u = sock(SOCK_DGRAM);

	assert_int_equal(couplet_bind(u, SA(&a), sizeof(a)), 0);
	*ret = name_of(u);
	return u;
}

static void test_udp_both_ways(void **state)
{
	struct sockaddr_in a, from;
	socklen_t n = sizeof(from);
	int u = udp_bound(&a), v = sock(SOCK_DGRAM);
	char b[64];

	(void)state;
	assert_int_equal(couplet_sendto(v, "hi", 2, 0, SA(&a), sizeof(a)), 2);
	assert_int_equal(couplet_recvfrom(u, b, 64, 0, SA(&from), &n), 2);
	assert_int_equal(n, sizeof(from));
	assert_int_equal(
		couplet_sendto(u, "back", 4, 0, SA(&from), sizeof(from)), 4);
	n = sizeof(from);
	/* shorter buffer: cut, and MSG_TRUNC tells the length */
	assert_int_equal(
		couplet_recvfrom(v, b, 2, MSG_PEEK | MSG_TRUNC, SA(&from), &n),
		4);
	assert_int_equal(couplet_recvfrom(v, b, 2, 0, SA(&from), &n), 2);
	assert_memory_equal(&from, &a, sizeof(a));
	assert_int_equal(couplet_recv(v, b, 64, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(opt(u, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
	close(u);
	close(v);
}

static void test_udp_connected_is_native(void **state)
{
	struct sockaddr_in a, me;
	int u = udp_bound(&a), v = sock(SOCK_DGRAM);
	char b[64];

	(void)state;
	assert_int_equal(connect_to(v, &a), 0);
	me = name_of(v);
	assert_int_equal(write(v, "one", 3), 3);
	assert_int_equal(couplet_recv(u, b, 64, 0), 3);
	assert_int_equal(couplet_sendto(u, "two", 3, 0, SA(&me), sizeof(me)),
			 3);
	assert_int_equal(read(v, b, 64), 3);
	assert_int_equal(couplet_sendto(u, "", 0, 0, SA(&me), sizeof(me)), 0);
	assert_int_equal(couplet_recv(v, b, 64, 0), 0);
	close(u);
	/* nobody there any more: the error comes once */
	assert_int_equal(write(v, "x", 1), 1);
	assert_int_equal(couplet_recv(v, b, 64, 0), -1);
	assert_int_equal(errno, ECONNREFUSED);
	assert_int_equal(couplet_recv(v, b, 64, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	close(v);
}

/* ---- strangers
 * ------------------------------------------------------------------------------------
 */

static int raw_connect(const char *door, int type)
{
	struct sockaddr_un u;
	int fd = socket(AF_UNIX, type, 0);

	assert_int_equal(ctl_door(0, door, &u), 0);
	assert_int_equal(connect(fd, SA(&u), sizeof(u)), 0);
	return fd;
}

static void test_garbage_is_dropped(void **state)
{
	static const char junk[300] = "not a record";
	int s = raw_connect("stream", SOCK_STREAM);
	int d = raw_connect("dgram", SOCK_SEQPACKET);
	int k = raw_connect("control", SOCK_SEQPACKET);
	char b[8];

	(void)state;
	assert_int_equal(send(s, junk, sizeof(junk), 0), sizeof(junk));
	assert_int_equal(send(d, junk, sizeof(junk), 0), sizeof(junk));
	assert_int_equal(send(k, junk, sizeof(junk), 0), sizeof(junk));
	assert_true(recv(s, b, 8, 0) <= 0);
	assert_true(recv(d, b, 8, 0) <= 0);
	assert_true(recv(k, b, 8, 0) <= 0);
	close(s);
	close(d);
	close(k);
	assert_int_equal(couplet_running("00"), 1);
}

/* A name that looks like one of stackd's gives no power over its socket. */
static void test_forged_name_is_not_believed(void **state)
{
	struct proto_req rq = {
		.op = PROTO_SETOPT, .name = OPT_LINGER, .value = 0};
	struct proto_rep rep;
	struct sockaddr_un u = {.sun_family = AF_UNIX}, peer;
	socklen_t n = sizeof(peer);
	int c, s, l = socket(AF_UNIX, SOCK_STREAM, 0), fake, st;
	pid_t pid;

	(void)state;
	pair(&c, &s);
	assert_int_equal(getpeername(s, SA(&peer), &n), 0);
	assert_int_equal(peer.sun_path[0], '\0');
	/* same name, but the peer is not stackd; names are per namespace, so
	 * one that is free is used: only the serial counts */
	memcpy(u.sun_path, peer.sun_path, n - 2);
	u.sun_path[n - 3] = u.sun_path[n - 3] == '1' ? '2' : '1';
	assert_int_equal(bind(l, SA(&u), n), 0);
	assert_int_equal(listen(l, 1), 0);
	fake = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(fake, SA(&u), n), 0);
	pid = fork(); /* another process than the listener */
	if (pid == 0)
		_exit(ctl_call(0, fake, &rq, &rep, NULL, 0) == -ENOTCONN ? 0
									 : 1);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(st, 0);
	close(fake);
	close(l);
	close(c);
	close(s);
}

static void test_control_survives_fork_and_close(void **state)
{
	struct sockaddr_in a;
	int l = listener(4, &a), st;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		struct sockaddr_in b;
		socklen_t n = sizeof(b);

		for (int i = 3; i < 4096; i++) {
			if (i != l)
				close(i);
		}
		/* its number may be anything now */
		for (int i = 3; i < 1024; i++)
			(void)!open("/dev/null", O_RDONLY);
		_exit(couplet_getsockname(l, SA(&b), &n) < 0 ||
		      b.sin_port != a.sin_port);
	}
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(st, 0);
	assert_int_equal(name_of(l).sin_port, a.sin_port);
	close(l);
}

static void test_reserved_ports(void **state)
{
	struct sockaddr_in a = loopback(80);
	struct fixture *f = *state;
	int st;
	pid_t pid;

	if (geteuid() != 0) {
		print_message("needs root to become another user\n");
		skip();
	}
	assert_int_equal(chmod(f->dir, 0755), 0);
	pid = fork();
	if (pid == 0) {
		int c;

		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(3);
		c = couplet_socket("00", AF_INET, SOCK_STREAM, 0);
		if (couplet_bind(c, SA(&a), sizeof(a)) == 0 || errno != EACCES)
			_exit(1);
		a.sin_port = htons(8080);
		_exit(couplet_bind(c, SA(&a), sizeof(a)) < 0 ? 2 : 0);
	}
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(st, 0);
	pid = sock(SOCK_STREAM);
	a.sin_port = htons(80);
	assert_int_equal(couplet_bind(pid, SA(&a), sizeof(a)), 0);
	close(pid);
}

static void test_host_sockets_for_star(void **state)
{
	int fd = couplet_socket("*", AF_UNIX, SOCK_STREAM, 0);
	int domain = 0;
	socklen_t n = sizeof(domain);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(couplet_is_ours(fd, NULL), 0);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n), 0);
	assert_int_equal(domain, AF_UNIX);
	close(fd);
}

static void test_names_without_servers(void **state)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *res;

	(void)state;
	assert_int_equal(
		couplet_getaddrinfo("00", "localhost", "80", &hints, &res), 0);
	assert_non_null(res->ai_next);
	couplet_freeaddrinfo("00", res);
	assert_int_equal(
		couplet_getaddrinfo("00", "127.1", "http", &hints, &res), 0);
	assert_int_equal(((struct sockaddr_in *)(void *)res->ai_addr)->sin_port,
			 htons(80));
	couplet_freeaddrinfo("00", res);
	assert_int_equal(
		couplet_getaddrinfo("00", "no.such.name", "80", &hints, &res),
		EAI_NONAME);
	hints.ai_flags = AI_NUMERICHOST;
	assert_int_equal(
		couplet_getaddrinfo("00", "localhost", "80", &hints, &res),
		EAI_NONAME);
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
	cmocka_unit_test_setup_teardown(test_back_pressure, start, stop),
	cmocka_unit_test_setup_teardown(test_bytes_arrive_in_order, start,
					stop),
	cmocka_unit_test_setup_teardown(test_options_before_connect_last, start,
					stop),
	cmocka_unit_test_setup_teardown(test_wrong_options_fail_as_linux, start,
					stop),
	cmocka_unit_test_setup_teardown(test_unconnected_errors, start, stop),
	cmocka_unit_test_setup_teardown(test_udp_both_ways, start, stop),
	cmocka_unit_test_setup_teardown(test_udp_connected_is_native, start,
					stop),
	cmocka_unit_test_setup_teardown(test_garbage_is_dropped, start, stop),
	cmocka_unit_test_setup_teardown(test_forged_name_is_not_believed, start,
					stop),
	cmocka_unit_test_setup_teardown(test_control_survives_fork_and_close,
					start, stop),
	cmocka_unit_test_setup_teardown(test_reserved_ports, start, stop),
	cmocka_unit_test_setup_teardown(test_host_sockets_for_star, start,
					stop),
	cmocka_unit_test_setup_teardown(test_names_without_servers, start,
					stop),
};

UNIT_MAIN(tests)
