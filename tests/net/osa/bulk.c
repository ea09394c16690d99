/*
 * bulk.c: see bulk.h.
 */
#include "bulk.h"

#include "base/mono.h"
#include "netns.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORT 4711
#define BULK (8u << 20)

/* Byte `at` of the test stream. */
static uint8_t pattern(uint64_t at)
{
	return (uint8_t)(at * 131 + (at >> 11));
}

struct check {
	uint64_t at, wrong;
};

static void check_pattern(void *arg, const uint8_t *data, uint32_t len)
{
	struct check *c = arg;

	for (uint32_t i = 0; i < len; i++)
		c->wrong += data[i] != pattern(c->at++);
}

/* The kernel's end in a child: connects to PORT; sends or checks BULK
 * bytes. Exit status 0 when all was well. */
static _Noreturn void kernel_end(const char *host, bool send)
{
	struct ip_port to = {.port = PORT};
	struct sockaddr_storage ss;
	socklen_t len;
	struct check c = {0};
	uint8_t buf[65536];
	int fd;

	if (ip_parse(host, &to.addr) < 0)
		_exit(2);
	len = ip_port_to_sockaddr(&to, &ss);
	fd = socket(ss.ss_family, SOCK_STREAM, 0);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);
	if (connect(fd, (struct sockaddr *)&ss, len) < 0) {
		perror("connect");
		_exit(3);
	}
	while (c.at < BULK) {
		ssize_t n;

		for (size_t i = 0; send && i < sizeof(buf); i++)
			buf[i] = pattern(c.at + i);
		n = send ? write(fd, buf, sizeof(buf))
			 : read(fd, buf, sizeof(buf));
		if (n <= 0)
			_exit(4);
		if (send)
			c.at += (uint64_t)n;
		else
			check_pattern(&c, buf, (uint32_t)n);
	}
	_exit(c.wrong ? 5 : 0);
}

static pid_t start_kernel_end(const char *host, bool send)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)alarm(30);
		kernel_end(host, send);
	}
	return pid;
}

/* The kernel's end gave up, or 30 s are over: no use to go on. */
static bool hopeless(pid_t pid, mono_t start)
{
	siginfo_t si = {0};

	return mono_lt(mono_add(start, DUR_S(30)), mono_now()) ||
	       (waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | WNOWAIT) ==
			0 &&
		si.si_pid == pid && si.si_status != 0);
}

static void join(pid_t pid)
{
	int status = -1;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* The kernel sends BULK bytes; large frames arrive as such. */
void bulk_in(struct osa_port *p, struct pkt_pool *pool, const char *host,
	     bool eth, bool gso)
{
	struct check c = {0};
	struct osa_info info;
	mono_t start = mono_now();
	struct minitcp m;
	pid_t pid;

	minitcp_init(&m, p, pool, host, PORT);
	m.eth = eth;
	osa_get_info(p, &info);
	memcpy(m.mac, info.mac, 6);
	m.sink = check_pattern;
	m.sink_arg = &c;
	pid = start_kernel_end(host, true);
	while (m.rx_bytes < BULK && !m.got_rst && !hopeless(pid, start)) {
		assert_true(minitcp_poll(&m, 1000) >= 0);
		minitcp_ack(&m);
	}
	if (c.at != BULK)
		join(pid); /* its status tells more */
	assert_int_equal(c.at, BULK);
	assert_int_equal(c.wrong, 0);
	assert_int_equal(m.rx_bad_csum, 0);
	join(pid);
	osa_get_info(p, &info);
	if (gso) {
		assert_true(m.rx_gso_max >= 16);
		assert_true(info.rx_gso > 0);
	} else {
		assert_int_equal(m.rx_gso_max, 1);
		assert_int_equal(info.rx_gso, 0);
	}
}

/* The stack's side sends BULK bytes in frames of 64 KiB. */
void bulk_out(struct osa_port *p, struct pkt_pool *pool, const char *host,
	      bool eth)
{
	uint8_t *data = malloc(BULK);
	struct osa_info info;
	mono_t start = mono_now();
	struct minitcp m;
	pid_t pid;

	assert_non_null(data);
	for (uint32_t i = 0; i < BULK; i++)
		data[i] = pattern(i);
	minitcp_init(&m, p, pool, host, PORT);
	m.eth = eth;
	osa_get_info(p, &info);
	memcpy(m.mac, info.mac, 6);
	pid = start_kernel_end(host, false);
	while (m.tx_bytes < BULK && !m.got_rst && !hopeless(pid, start)) {
		uint32_t left = BULK - (uint32_t)m.tx_bytes;

		if (!m.established ||
		    minitcp_send(&m, data + m.tx_bytes, left) == 0)
			assert_true(minitcp_poll(&m, 1000) >= 0);
		else
			assert_true(minitcp_drain(&m) >= 0);
	}
	assert_int_equal(m.tx_bytes, BULK);
	join(pid);
	osa_get_info(p, &info);
	assert_true(info.tx_gso >= BULK / OSA_GSO_MAX);
	assert_int_equal(info.tx_drops, 0);
	assert_true(info.tx_bytes > BULK);
	free(data);
}
