/*
 * selftest_name.c: probes about identity, names, listeners and lifetimes of
 * AF_UNIX sockets, see selftest.h.
 */
#include "api/selftest.h"
#include "api/selftest_priv.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CHECK(x) \
	do { \
		if (!(x)) { \
			r = selftest_fail(err, len, "line %d: not so: %s", \
					  __LINE__, #x); \
			goto out; \
		} \
	} while (0)

static uint64_t cookie(int fd)
{
	uint64_t c = 0;
	socklen_t l = sizeof(c);

	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &c, &l) < 0 ? 0 : c;
}

static uint64_t tag(int fd)
{
	uint64_t c = 0;
	socklen_t l = sizeof(c);

	return getsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &c, &l) < 0 ? 0
									  : c;
}

/* Sends `fd` over `pair` and returns the descriptor that comes out. */
static int pass(const int *pair, int fd)
{
	char b = 0;
	union {
		char b[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u = {.b = {0}};
	struct iovec io = {&b, 1};
	struct msghdr m = {.msg_iov = &io,
			   .msg_iovlen = 1,
			   .msg_control = u.b,
			   .msg_controllen = sizeof(u.b)};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	int got = -1;

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(h), &fd, sizeof(fd));
	if (sendmsg(pair[0], &m, 0) != 1)
		return -1;
	if (recvmsg(pair[1], &m, MSG_CMSG_CLOEXEC) != 1)
		return -1;
	h = CMSG_FIRSTHDR(&m);
	if (h && h->cmsg_type == SCM_RIGHTS)
		memcpy(&got, CMSG_DATA(h), sizeof(got));
	return got;
}

int selftest_identity(char *err, size_t len)
{
	uint64_t t = 0xc09e000000000001ULL;
	int r = 0, fd[5] = {-1, -1, selftest_sock(SOCK_STREAM), -1,
			    selftest_sock(SOCK_STREAM)};

	CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fd));
	CHECK(!setsockopt(fd[2], SOL_SOCKET, SO_MAX_PACING_RATE, &t, 8));
	fd[3] = pass(fd, fd[2]);
	CHECK(fd[3] >= 0);
	CHECK(cookie(fd[2]) && cookie(fd[2]) == cookie(fd[3]));
	CHECK(cookie(fd[4]) && cookie(fd[4]) != cookie(fd[2]));
	CHECK(tag(fd[3]) == t);
out:
	selftest_close(fd, 5);
	return r;
}

static socklen_t abstract(struct sockaddr_un *u, const char *what)
{
	memset(u, 0, sizeof(*u));
	u->sun_family = AF_UNIX;
	int n = snprintf(u->sun_path + 1, sizeof(u->sun_path) - 1,
			 "couplet-selftest/%d/%s", (int)getpid(), what);

	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			   (size_t)n);
}

int selftest_named_accept(char *err, size_t len)
{
	struct sockaddr_un l, b, got = {.sun_family = AF_UNIX};
	socklen_t nl = abstract(&l, "listener"), nb = abstract(&b, "peer");
	socklen_t n = sizeof(got);
	struct ucred uc;
	int r = 0,
	    fd[4] = {selftest_sock(SOCK_STREAM), selftest_sock(SOCK_STREAM), -1,
		     selftest_sock(SOCK_STREAM)};

	CHECK(!bind(fd[0], (struct sockaddr *)&l, nl) && !listen(fd[0], 0));
	CHECK(!bind(fd[1], (struct sockaddr *)&b, nb));
	CHECK(!connect(fd[1], (struct sockaddr *)&l, nl));
	/* one in the backlog of 0, the next is told to try again */
	CHECK(connect(fd[3], (struct sockaddr *)&l, nl) < 0 && errno == EAGAIN);
	fd[2] = accept(fd[0], (struct sockaddr *)&got, &n);
	CHECK(fd[2] >= 0 && n == nb && !memcmp(&got, &b, nb));
	n = sizeof(uc);
	CHECK(!getsockopt(fd[2], SOL_SOCKET, SO_PEERCRED, &uc, &n));
	CHECK(uc.pid == getpid());
	/* the name stays readable after the other end has gone */
	close(fd[1]);
	fd[1] = -1;
	n = sizeof(got);
	CHECK(!getpeername(fd[2], (struct sockaddr *)&got, &n) && n == nb);
out:
	selftest_close(fd, 4);
	return r;
}

/* A directory for a socket file; its name in `dir`. */
static int make_dir(char *dir, size_t len)
{
	static const char *const at[] = {"/run", "/tmp", "/dev/shm"};

	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		snprintf(dir, len, "%s/couplet-selftest.XXXXXX", at[i]);
		if (mkdtemp(dir))
			return 0;
	}
	return -errno;
}

int selftest_passed_bind(char *err, size_t len)
{
	struct sockaddr_un u = {.sun_family = AF_UNIX};
	char dir[64] = "";
	int r = 0, fd[5] = {-1, -1, selftest_sock(SOCK_STREAM), -1,
			    selftest_sock(SOCK_STREAM)};
	struct sockaddr *sa = (struct sockaddr *)&u;

	CHECK(!make_dir(dir, sizeof(dir)));
	snprintf(u.sun_path, sizeof(u.sun_path), "%s/s", dir);
	CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fd));
	fd[3] = pass(fd, fd[2]);
	CHECK(fd[3] >= 0);
	CHECK(!bind(fd[3], sa, sizeof(u)) && !listen(fd[3], 4));
	close(fd[3]);
	fd[3] = -1;
	CHECK(!connect(fd[4], sa, sizeof(u)));
	fd[3] = accept(fd[2], NULL, NULL);
	CHECK(fd[3] >= 0);
	close(fd[2]);
	close(fd[4]);
	fd[2] = -1;
	fd[4] = selftest_sock(SOCK_STREAM);
	CHECK(connect(fd[4], sa, sizeof(u)) < 0 && errno == ECONNREFUSED);
out:
	selftest_close(fd, 5);
	if (dir[0]) {
		unlink(u.sun_path);
		rmdir(dir);
	}
	return r;
}

/* The watch sits on the socket's own inode and does not hold the socket. */
int selftest_last_close(char *err, size_t len)
{
	char path[64];
	struct inotify_event ev;
	int r = 0, wd,
	    fd[3] = {selftest_sock(SOCK_STREAM), -1,
		     inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};

	CHECK(fd[0] >= 0 && fd[2] >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd[0]);
	wd = inotify_add_watch(fd[2], path, IN_CLOSE);
	CHECK(wd >= 0);
	fd[1] = dup(fd[0]);
	close(fd[0]);
	fd[0] = -1;
	CHECK(read(fd[2], &ev, sizeof(ev)) < 0 && errno == EAGAIN);
	close(fd[1]);
	fd[1] = -1;
	CHECK(read(fd[2], &ev, sizeof(ev)) == (ssize_t)sizeof(ev));
	CHECK(ev.wd == wd && ev.mask & IN_CLOSE);
out:
	selftest_close(fd, 3);
	return r;
}

/* An end that was given away while padding lay in it is the same end: taking
 * the padding out makes the other side writable, dying with a byte unread is a
 * reset. The giver's copy, closed, and its epoll registration, taken back, do
 * not matter. */
int selftest_handed_over(char *err, size_t len)
{
	static char pad[57344];
	struct epoll_event ev = {.events = EPOLLIN};
	struct pollfd p = {.events = POLLIN | POLLOUT};
	ssize_t n, left = (ssize_t)sizeof(pad) - 1;
	int r = 0, fd[6] = {-1, -1, -1, -1, -1, epoll_create1(EPOLL_CLOEXEC)};

	CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fd));
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd + 2));
	CHECK(!epoll_ctl(fd[5], EPOLL_CTL_ADD, fd[3], &ev));
	CHECK(send(fd[2], pad, sizeof(pad), 0) == (ssize_t)sizeof(pad));
	fd[4] = pass(fd, fd[3]);
	CHECK(fd[4] >= 0);
	CHECK(!epoll_ctl(fd[5], EPOLL_CTL_DEL, fd[3], NULL));
	close(fd[3]);
	fd[3] = -1;
	CHECK(epoll_wait(fd[5], &ev, 1, 0) == 0);
	p.fd = fd[2];
	CHECK(poll(&p, 1, 0) == 0);
	while (left > 0 && (n = recv(fd[4], pad, (size_t)left, 0)) > 0)
		left -= n;
	CHECK(left == 0 && poll(&p, 1, 0) == 1 && p.revents == POLLOUT);
	close(fd[4]);
	fd[4] = -1;
	CHECK(recv(fd[2], pad, 1, 0) < 0 && errno == ECONNRESET);
out:
	selftest_close(fd, 6);
	return r;
}
