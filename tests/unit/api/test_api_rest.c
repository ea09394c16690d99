/*
 * test_api_rest: options, UDP, names, and what strangers may not do.
 */
#include "apitest.h"

#include "client/couplet.h"
#include "client/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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

static uint32_t next_random(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

/* Well-formed requests with every field at random, about sockets of every
 * kind: each is answered, none harms the stack (which runs sanitized). */
static void test_random_requests_are_answered(void **state)
{
	struct sockaddr_in a;
	uint32_t x = 2463534242u;
	int c, s, fd[6];

	(void)state;
	pair(&c, &s);
	fd[0] = c;
	fd[1] = s;
	fd[2] = listener(4, &a);
	fd[3] = udp_bound(&a);
	fd[4] = sock(SOCK_STREAM);
	fd[5] = socket(AF_UNIX, SOCK_STREAM, 0);
	for (int i = 0; i < 3000; i++) {
		struct proto_req rq;
		struct proto_rep rep;
		uint8_t data[4096];
		uint32_t pick;

		for (size_t k = 0; k < sizeof(rq); k += 4) {
			uint32_t v = next_random(&x);

			memcpy((char *)&rq + k, &v, 4);
		}
		rq.op = (uint16_t)(1 + next_random(&x) % (PROTO__LAST - 1));
		rq.flags &= PROTO_F_OPTS;
		rq.text_len = (uint16_t)(next_random(&x) % PROTO_TEXT_MAX);
		rq.name = (int32_t)(next_random(&x) % 64) - 4;
		rq.addr.family = (uint8_t)(next_random(&x) % 8);
		pick = next_random(&x) % 7;
		assert_int_not_equal(ctl_call(0, pick < 6 ? fd[pick] : -1, &rq,
					      &rep, data, sizeof(data)),
				     -ENETDOWN);
	}
	for (int i = 0; i < 6; i++)
		close(fd[i]);
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
	cmocka_unit_test_setup_teardown(test_options_before_connect_last, start,
					stop),
	cmocka_unit_test_setup_teardown(test_wrong_options_fail_as_linux, start,
					stop),
	cmocka_unit_test_setup_teardown(test_unconnected_errors, start, stop),
	cmocka_unit_test_setup_teardown(test_udp_both_ways, start, stop),
	cmocka_unit_test_setup_teardown(test_udp_connected_is_native, start,
					stop),
	cmocka_unit_test_setup_teardown(test_garbage_is_dropped, start, stop),
	cmocka_unit_test_setup_teardown(test_random_requests_are_answered,
					start, stop),
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
