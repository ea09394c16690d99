/*
 * ctl.c: the connection to a stack's control socket.
 *
 * One is kept open per process and stack; a fresh one for each call costs
 * three times as much. It lives in the program's descriptor table without
 * the program knowing, so it may be closed behind our back or copied by a
 * fork at any time: each use takes it out of its slot, checks that it is
 * still ours (pid, and the socket's cookie), and puts it back. No lock is
 * held while talking: a second thread, or a signal handler in the middle of a
 * call, finds the slot empty and opens one for itself.
 */
#include "client/ctl.h"

#include "client/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define SLOTS 8
#define TIMEOUT_S 20
#define FD_BITS 21
#define PID_BITS 22
#define COOKIE_BITS 21

/* fd + 1 | pid | low bits of the cookie; 0 = empty. One per stack, two
 * stacks with the same slot share it. */
static _Atomic uint64_t slots[SLOTS];

/* Kept from the start: programs like nginx empty their environment. */
static char run_kept[sizeof(((struct sockaddr_un *)0)->sun_path)];

void ctl_keep_run(void)
{
	const char *run = getenv("COUPLET_RUN");

	if (run)
		snprintf(run_kept, sizeof(run_kept), "%s", run);
}

int ctl_door(unsigned id, const char *door, struct sockaddr_un *ret)
{
	const char *run = *run_kept ? run_kept : getenv("COUPLET_RUN");
	int n;

	memset(ret, 0, sizeof(*ret));
	ret->sun_family = AF_UNIX;
	n = snprintf(ret->sun_path, sizeof(ret->sun_path), "%s/%02u/%s",
		     run && *run ? run : PROTO_RUN_DIR, id, door);
	return n < 0 || (size_t)n >= sizeof(ret->sun_path) ? -ENAMETOOLONG : 0;
}

unsigned ctl_couple(unsigned id)
{
	struct sockaddr_un u;
	char to[8];
	ssize_t n;

	if (ctl_door(id, "couple", &u) < 0)
		return id;
	n = readlink(u.sun_path, to, sizeof(to));
	if (n != 2 || to[0] < '0' || to[0] > '9' || to[1] < '0' || to[1] > '9')
		return id;
	return (unsigned)(to[0] - '0') * 10 + (unsigned)(to[1] - '0');
}

static uint64_t cookie_bits(int fd)
{
	uint64_t c = 0;
	socklen_t l = sizeof(c);

	if (sys_getsockopt(fd, SOL_SOCKET, SO_COOKIE, &c, &l) < 0)
		return 0;
	return c & ((1u << COOKIE_BITS) - 1);
}

static uint64_t slot_value(int fd)
{
	return (uint64_t)((unsigned)fd + 1) << (PID_BITS + COOKIE_BITS) |
	       (uint64_t)((unsigned)getpid() & ((1u << PID_BITS) - 1))
		       << COOKIE_BITS |
	       cookie_bits(fd);
}

/* Out of the way of programs that count on low numbers. */
static int move_up(int fd)
{
	struct rlimit rl = {1024, 1024};
	int high;

	(void)!getrlimit(RLIMIT_NOFILE, &rl);
	high = (int)MIN(rl.rlim_cur, 1u << 16) - 40;
	if (high > fd) {
		int up = fcntl(fd, F_DUPFD_CLOEXEC, high);

		if (up >= 0) {
			close(fd);
			return up;
		}
	}
	return fd;
}

static int open_ctl(unsigned id)
{
	struct sockaddr_un u;
	struct timeval tv = {.tv_sec = TIMEOUT_S};
	int fd, r = ctl_door(id, "control", &u);

	if (r < 0)
		return r;
	fd = sys_socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	fd = move_up(fd);
	(void)!sys_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	(void)!sys_setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	while (sys_connect(fd, (struct sockaddr *)&u, sizeof(u)) < 0) {
		if (errno == EINTR)
			continue;
		r = errno == EACCES ? -EACCES : -ENETDOWN;
		close(fd);
		return r;
	}
	return fd;
}

/* The kept connection or a new one; *ret_kept says which. */
static int take(unsigned id, bool *ret_kept)
{
	uint64_t v = atomic_exchange(&slots[id % SLOTS], 0);
	int fd = (int)(v >> (PID_BITS + COOKIE_BITS)) - 1;

	*ret_kept = false;
	if (v && slot_value(fd) == v) {
		struct sockaddr_un want, got;
		socklen_t l = sizeof(got);

		*ret_kept = true;
		/* the slot may serve another stack, or RUN was changed */
		memset(&got, 0, sizeof(got));
		if (ctl_door(id, "control", &want) == 0 &&
		    sys_getpeername(fd, (struct sockaddr *)&got, &l) == 0 &&
		    strncmp(want.sun_path, got.sun_path,
			    sizeof(want.sun_path)) == 0)
			return fd;
		close(fd);
	} else if (v && cookie_bits(fd) == (v & ((1u << COOKIE_BITS) - 1))) {
		close(fd); /* inherited by fork: the parent's */
	}
	*ret_kept = false;
	return open_ctl(id);
}

static void give_back(unsigned id, int fd)
{
	uint64_t empty = 0;

	if (!atomic_compare_exchange_strong(&slots[id % SLOTS], &empty,
					    slot_value(fd)))
		close(fd);
}

void ctl_forget(void)
{
	for (size_t i = 0; i < SLOTS; i++) {
		uint64_t v = atomic_exchange(&slots[i], 0);
		int fd = (int)(v >> (PID_BITS + COOKIE_BITS)) - 1;

		if (v && slot_value(fd) == v)
			close(fd);
	}
}

ssize_t ctl_send_fd(int to, const struct iovec *iov, int n, int fd, int flags)
{
	union {
		char b[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u = {.b = {0}};
	struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)iov,
			   .msg_iovlen = (size_t)n};
	struct cmsghdr *h;

	if (fd >= 0) {
		m.msg_control = u.b;
		m.msg_controllen = sizeof(u.b);
		h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(h), &fd, sizeof(fd));
	}
	return sys_sendmsg(to, &m, flags);
}

static int receive(int ctl, struct proto_rep *rep, void *data, size_t cap)
{
	struct iovec iov[2] = {{rep, sizeof(*rep)}, {data, cap}};
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};
	ssize_t n;

	/* a stack that refuses closes without reading what was asked: the
	 * reset comes first, its answer behind it */
	for (int i = 0; i < 2; i++) {
		do
			n = sys_recvmsg(ctl, &m, 0);
		while (n < 0 && errno == EINTR);
		if (n >= 0 || errno != ECONNRESET)
			break;
	}
	if (n < (ssize_t)sizeof(*rep) || rep->magic != PROTO_MAGIC)
		return -ENETDOWN;
	rep->data_len = (uint32_t)(n - (ssize_t)sizeof(*rep));
	return 0;
}

/* -ENETDOWN: the connection is of no use. */
static int talk(int ctl, int fd, struct proto_req *rq, struct proto_rep *rep,
		void *data, size_t cap)
{
	struct iovec io = {rq, PROTO_REQ_MIN + rq->text_len};
	ssize_t n;

	do
		n = ctl_send_fd(ctl, &io, 1, fd, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EBADF)
		return -EBADF;
	/* a stack that refuses says why before it closes */
	if (n < 0)
		return receive(ctl, rep, data, cap) == 0 && rep->error
			       ? -EACCES
			       : -ENETDOWN;
	if (rq->flags & PROTO_F_ONEWAY)
		return 0;
	return receive(ctl, rep, data, cap);
}

int ctl_call(unsigned id, int fd, struct proto_req *rq, struct proto_rep *rep,
	     void *data, size_t cap)
{
	int e = errno, r = -ENETDOWN;

	rq->magic = PROTO_MAGIC;
	/* a kept connection may be from before the stack was started anew */
	for (int i = 0; i < 2 && r == -ENETDOWN; i++) {
		bool kept;
		int ctl = take(id, &kept);

		if (ctl < 0) {
			r = ctl;
			break;
		}
		r = talk(ctl, fd, rq, rep, data, cap);
		if (r == -ENETDOWN || r == -EACCES)
			close(ctl);
		else
			give_back(id, ctl);
		if (!kept)
			break;
	}
	errno = e;
	if (r == 0 && !(rq->flags & PROTO_F_ONEWAY))
		r = rep->error;
	return r;
}
