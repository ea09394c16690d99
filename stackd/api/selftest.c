/*
 * selftest.c: probes about AF_UNIX streams, see selftest.h. Those about
 * names, listeners and lifetimes are in selftest_name.c.
 */
#include "api/selftest.h"

#include "api/api.h"
#include "api/selftest_priv.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int selftest_fail(char *err, size_t len, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, len, fmt, ap);
	va_end(ap);
	return -EOPNOTSUPP;
}

/* A socket, nonblocking so that no probe can hang. */
int selftest_sock(int type)
{
	return socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

void selftest_close(const int *fd, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (fd[i] >= 0)
			close(fd[i]);
	}
}

static int poll_bits(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP};

	return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

static int soerror(int fd)
{
	int e = -1;
	socklen_t l = sizeof(e);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &l) < 0 ? -1 : e;
}

#define CHECK(x) \
	do { \
		if (!(x)) { \
			r = selftest_fail(err, len, "line %d: not so: %s", \
					  __LINE__, #x); \
			goto out; \
		} \
	} while (0)

/* The 64-bit word that SO_MAX_PACING_RATE keeps for us. */
static int probe_tag(char *err, size_t len)
{
	uint64_t in = 0xc09e123456789abcULL, got = 0;
	socklen_t l = sizeof(got);
	int r = 0, fd[2] = {selftest_sock(SOCK_STREAM), -1};
	int d = dup(fd[0]);

	CHECK(fd[0] >= 0 && d >= 0);
	CHECK(sizeof(unsigned long) == 8);
	CHECK(!setsockopt(fd[0], SOL_SOCKET, SO_MAX_PACING_RATE, &in, 8));
	CHECK(!getsockopt(d, SOL_SOCKET, SO_MAX_PACING_RATE, &got, &l));
	CHECK(l == 8 && got == in);
out:
	fd[1] = d;
	selftest_close(fd, 2);
	return r;
}

/* Options that AF_UNIX stores and ignores: our memory before a request. */
static int probe_stored(char *err, size_t len)
{
	int r = 0, one = 1, v = 0x7fff7fff, got = 0, fd = selftest_sock(1);
	struct linger in = {1, 77}, li = {0, 0};
	socklen_t l = sizeof(got);

	CHECK(fd >= 0);
	CHECK(!setsockopt(fd, SOL_SOCKET, SO_INCOMING_CPU, &v, sizeof(v)));
	CHECK(!getsockopt(fd, SOL_SOCKET, SO_INCOMING_CPU, &got, &l));
	CHECK(got == v);
	CHECK(!setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)));
	CHECK(!getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &got, &l) && got == 1);
	CHECK(!setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
	CHECK(!getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &got, &l) && got == 1);
	CHECK(!setsockopt(fd, SOL_SOCKET, SO_LINGER, &in, sizeof(in)));
	l = sizeof(li);
	CHECK(!getsockopt(fd, SOL_SOCKET, SO_LINGER, &li, &l));
	CHECK(li.l_onoff == 1 && li.l_linger == 77);
out:
	selftest_close(&fd, 1);
	return r;
}

/* More than a quarter of the send buffer unread: not writable. Drained to
 * one byte: writable. Closed with it unread: ECONNRESET. */
static int probe_pending(char *err, size_t len)
{
	static char pad[57344];
	int r = 0, fd[2] = {-1, -1};
	ssize_t n, left = (ssize_t)sizeof(pad) - 1;

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd));
	CHECK(poll_bits(fd[0]) == POLLOUT);
	CHECK(send(fd[0], pad, sizeof(pad), 0) == (ssize_t)sizeof(pad));
	CHECK(poll_bits(fd[0]) == 0);
	while (left > 0 && (n = recv(fd[1], pad, (size_t)left, 0)) > 0)
		left -= n;
	CHECK(left == 0 && poll_bits(fd[0]) == POLLOUT);
	close(fd[1]);
	fd[1] = -1;
	CHECK(poll_bits(fd[0]) & POLLERR);
	CHECK(soerror(fd[0]) == ECONNRESET);
out:
	selftest_close(fd, 2);
	return r;
}

/* Fills fd[0] by `how`, drains it to one byte: writable again? */
static int planted_by(bool splice, char *err, size_t len)
{
	static char big[65536];
	int r = 0, fd[3] = {-1, -1, memfd_create("big", MFD_CLOEXEC)};
	int size = 144 * 1024; /* OP_SNDBUF_CONNECTING of the library */
	off_t at = 0;
	ssize_t n, left = -1;

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd));
	CHECK(fd[2] >= 0 && !ftruncate(fd[2], 16 << 20));
	if (splice)
		CHECK(!setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &size,
				  sizeof(size)));
	while ((n = splice ? sendfile(fd[0], fd[2], &at, 1 << 20)
			   : send(fd[0], big, sizeof(big), 0)) > 0)
		left += n;
	CHECK(poll_bits(fd[0]) == 0);
	while (left > 0 &&
	       (n = recv(fd[1], big, MIN((size_t)left, sizeof(big)), 0)) > 0)
		left -= n;
	CHECK(left == 0 && poll_bits(fd[0]) == POLLOUT);
out:
	selftest_close(fd, 3);
	return r;
}

/* One byte left of the largest buffers leaves a socket writable: by send() at
 * the default size, by sendfile() at the size of connecting ones. */
static int probe_planted(char *err, size_t len)
{
	int r = planted_by(false, err, len);

	return r < 0 ? r : planted_by(true, err, len);
}

/* A send buffer at its minimum takes little and then blocks a sender. */
static int probe_small_sndbuf(char *err, size_t len)
{
	static char pad[16384];
	int r = 0, one = 1, fd[2] = {-1, -1};
	ssize_t n;

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd));
	CHECK(!setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &one, sizeof(one)));
	n = send(fd[0], pad, sizeof(pad), 0);
	CHECK(n > 512 && n < 8192);
	CHECK(send(fd[0], pad, 1, 0) < 0 && errno == EAGAIN);
	CHECK(poll_bits(fd[0]) == 0);
out:
	selftest_close(fd, 2);
	return r;
}

static int read_abort(int a, char *err, size_t len)
{
	int r = 0;
	char b[16];

	CHECK(recv(a, b, sizeof(b), 0) == 4);
	CHECK(recv(a, b, sizeof(b), 0) < 0 && errno == ECONNRESET);
	CHECK(send(a, b, 1, MSG_NOSIGNAL) < 0 && errno == EPIPE);
out:
	return r;
}

/* The holder of the other end is killed: data, then ECONNRESET. */
static int probe_killed(char *err, size_t len)
{
	int r = 0, fd[2] = {-1, -1}, st;
	pid_t pid = -1;

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd));
	CHECK(send(fd[0], "p", 1, 0) == 1 && send(fd[1], "data", 4, 0) == 4);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		close(fd[0]);
		for (;;)
			pause();
	}
	close(fd[1]);
	fd[1] = -1;
	CHECK(!kill(pid, SIGKILL) && waitpid(pid, &st, 0) == pid);
	pid = -1;
	r = read_abort(fd[0], err, len);
out:
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, &st, 0);
	}
	selftest_close(fd, 2);
	return r;
}

/* Everything read, then closed: data, then end of file. */
static int probe_graceful(char *err, size_t len)
{
	int r = 0, fd[2] = {-1, -1};
	char b[16];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd));
	CHECK(send(fd[0], "p", 1, 0) == 1 && send(fd[1], "data", 4, 0) == 4);
	CHECK(!shutdown(fd[1], SHUT_WR));
	CHECK(poll_bits(fd[0]) == (POLLIN | POLLOUT | POLLRDHUP));
	CHECK(send(fd[0], "q", 1, 0) == 1);
	CHECK(recv(fd[1], b, sizeof(b), 0) == 2);
	close(fd[1]);
	fd[1] = -1;
	CHECK(recv(fd[0], b, sizeof(b), 0) == 4);
	CHECK(recv(fd[0], b, sizeof(b), 0) == 0 && soerror(fd[0]) == 0);
out:
	selftest_close(fd, 2);
	return r;
}

static int edge(int ep)
{
	struct epoll_event e;

	return epoll_wait(ep, &e, 1, 0) == 1 ? (int)e.events : 0;
}

/* Edges come for new data and for a shutdown though a byte stays queued. */
static int probe_edges(char *err, size_t len)
{
	int r = 0, fd[3] = {-1, -1, epoll_create1(EPOLL_CLOEXEC)}, q = 0;
	struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET};
	char b[16];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd));
	CHECK(!epoll_ctl(fd[2], EPOLL_CTL_ADD, fd[1], &e));
	CHECK(send(fd[0], "ab", 2, 0) == 2 && edge(fd[2]) == EPOLLIN);
	CHECK(!ioctl(fd[1], FIONREAD, &q) && q == 2);
	CHECK(recv(fd[1], b, 1, 0) == 1 && !edge(fd[2]));
	CHECK(send(fd[0], "c", 1, 0) == 1 && edge(fd[2]) == EPOLLIN);
	CHECK(recv(fd[1], b, sizeof(b), MSG_PEEK) == 2 && !edge(fd[2]));
	CHECK(!shutdown(fd[0], SHUT_WR));
	CHECK(edge(fd[2]) == (EPOLLIN | EPOLLRDHUP));
	CHECK(recv(fd[1], b, 1, 0) == 1);
	close(fd[0]);
	fd[0] = -1;
	CHECK(edge(fd[2]) & EPOLLHUP);
out:
	selftest_close(fd, 3);
	return r;
}

/* The program closed with unread data: its peer reads ECONNRESET last. */
static int probe_unread(char *err, size_t len)
{
	int r = 0, fd[2] = {-1, -1};
	char b[16];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd));
	CHECK(send(fd[0], "x", 1, 0) == 1 && send(fd[1], "y", 1, 0) == 1);
	close(fd[0]);
	fd[0] = -1;
	CHECK(poll_bits(fd[1]) & POLLERR);
	CHECK(recv(fd[1], b, sizeof(b), 0) == 1);
	CHECK(recv(fd[1], b, sizeof(b), 0) < 0 && errno == ECONNRESET);
out:
	selftest_close(fd, 2);
	return r;
}

/* SEQPACKET keeps bounds, lengths and zero-length messages, and tells of
 * the other side's end. */
static int probe_datagrams(char *err, size_t len)
{
	static char big[65507 + 64];
	int r = 0, fd[2] = {-1, -1};
	char b[4];
	struct iovec io = {b, sizeof(b)};
	struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};

	CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fd));
	CHECK(send(fd[0], big, sizeof(big), 0) == (ssize_t)sizeof(big));
	CHECK(send(fd[0], big, 0, 0) == 0 && send(fd[0], "ab", 2, 0) == 2);
	CHECK(recvmsg(fd[1], &m, MSG_TRUNC) == (ssize_t)sizeof(big));
	CHECK(m.msg_flags & MSG_TRUNC);
	CHECK(recv(fd[1], b, sizeof(b), 0) == 0);
	CHECK(recv(fd[1], b, sizeof(b), 0) == 2);
	CHECK(recv(fd[1], b, sizeof(b), 0) < 0 && errno == EAGAIN);
	close(fd[0]);
	fd[0] = -1;
	CHECK(poll_bits(fd[1]) & POLLHUP);
out:
	selftest_close(fd, 2);
	return r;
}

static const struct api_probe probes[] = {
	{"tag", "SO_MAX_PACING_RATE keeps 64 bits in the socket", probe_tag},
	{"stored", "options without effect are stored", probe_stored},
	{"pending", "unread padding keeps POLLOUT off", probe_pending},
	{"planted", "one byte left of much does not stop a writer",
	 probe_planted},
	{"small_sndbuf", "a minimal SO_SNDBUF blocks early",
	 probe_small_sndbuf},
	{"killed", "an end with an unread byte dies as a reset", probe_killed},
	{"graceful", "an end that read all closes as end of file",
	 probe_graceful},
	{"edges", "EPOLLET edges come with a byte left unread", probe_edges},
	{"unread", "closing with unread data shows at the peer", probe_unread},
	{"datagrams", "SEQPACKET behaves as UDP needs", probe_datagrams},
	{"identity", "SO_COOKIE and tag survive SCM_RIGHTS", selftest_identity},
	{"named_accept", "the connecting end's name comes with accept",
	 selftest_named_accept},
	{"passed_bind", "bind and listen act on a descriptor passed over",
	 selftest_passed_bind},
	{"last_close", "inotify tells the last close of a socket",
	 selftest_last_close},
	{"handed_over", "an end given away with padding in it stays that end",
	 selftest_handed_over},
};

const struct api_probe *api_probes(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(probes);
	return probes;
}

int api_selftest(char *err, size_t len)
{
	char why[200];

	for (size_t i = 0; i < ARRAY_SIZE(probes); i++) {
		int r = probes[i].run(why, sizeof(why));

		if (r < 0) {
			snprintf(err, len,
				 "this kernel fails the probe \"%s\" (%s): %s",
				 probes[i].name, probes[i].claim, why);
			return r;
		}
	}
	return 0;
}
