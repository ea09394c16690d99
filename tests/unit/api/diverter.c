#include "diverter.h"
#include "apitest.h"

#include "client/couplet.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

int door = -1;

int connect_door(const char *dir)
{
	struct sockaddr_un u = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);

	snprintf(u.sun_path, sizeof(u.sun_path), "%s/00/divert", dir);
	if (fd >= 0 && connect(fd, SA(&u), sizeof(u)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Connected by another process: stackd exempts the diverter's own
 * connections, and the programs of these tests are this process. */
static int open_door(const struct fixture *f)
{
	struct divert_msg m = {.op = DIVERT_READY};
	int pair[2], fds[DIVERT_FDS], st;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int fd = connect_door(f->dir);

		_exit(fd < 0 || divert_send(pair[1], &m, &fd, 1) < 0);
	}
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(st, 0);
	assert_int_equal(divert_recv(pair[0], &m, fds), 1);
	close(pair[0]);
	close(pair[1]);
	return fds[0];
}

void say(enum divert_op op, uint64_t serial, int error)
{
	struct divert_msg m = {
		.op = (uint16_t)op, .serial = serial, .error = error};

	assert_int_equal(divert_send(door, &m, NULL, 0), 0);
}

/* The next message that is `op`; others are skipped. */
struct divert_msg hear(enum divert_op op, int fds[DIVERT_FDS])
{
	struct divert_msg m;
	int none[DIVERT_FDS];

	for (;;) {
		assert_true(wait_for(door, POLLIN) & POLLIN);
		assert_int_equal(divert_recv(door, &m, fds ? fds : none), 1);
		if (m.op == op)
			return m;
	}
}

void add_rule(unsigned flags, uint16_t port, uint16_t as)
{
	struct divert_msg m = {.op = DIVERT_RULE};

	m.rule = (struct divert_rule){.id = port,
				      .flags = flags,
				      .port_lo = port,
				      .port_hi = port,
				      .as_port = as};
	assert_int_equal(divert_send(door, &m, NULL, 0), 0);
}

void begin(const struct fixture *f)
{
	door = open_door(f);
	say(DIVERT_BEGIN, 0, 0);
}

void commit(void)
{
	say(DIVERT_COMMIT, 0, 0);
	assert_int_equal(hear(DIVERT_READY, NULL).error, 0);
}

/* A listener on the port that another one has just given back. */
uint16_t free_port(void)
{
	struct sockaddr_in a;
	int fd = listener(1, &a);

	close(fd);
	return ntohs(a.sin_port);
}

int connect_later(const struct sockaddr_in *a)
{
	int fd = sock(SOCK_STREAM);

	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(connect_to(fd, a), -EINPROGRESS);
	return fd;
}

/* Takes the padding out of a program's end, but for the last byte of it. */
void take_padding(int fd, uint32_t skip)
{
	char b[4096];

	while (skip > 1) {
		ssize_t n = recv(fd, b, MIN(skip - 1, sizeof(b)), 0);

		if (n < 0) {
			assert_int_equal(errno, EAGAIN);
			assert_true(wait_for(fd, POLLIN));
			continue;
		}
		assert_true(n > 0);
		skip -= (uint32_t)n;
	}
}
