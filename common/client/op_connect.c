/*
 * op_connect.c: connect() of a TCP socket.
 *
 * The program's own socket connects itself to stackd and sends one record.
 * The record is padded so that the socket is not writable until stackd takes
 * the padding out, which it does when the handshake is complete; if that
 * fails it closes with the padding unread, and the reason is asked for.
 *
 * A blocking connect makes the send buffer as small as it can be, so that
 * little padding does, and waits in a send() of the rest of it: interruption,
 * restart and SO_SNDTIMEO then are the kernel's.
 */
#include "client/op.h"
#include "client/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PAD_BLOCKING 4544
#define PAD_MAX (80 * 1024)
#define STREAM_BACKLOG_TRIES 1000 /* of 1 ms */

static const char padding[PAD_MAX];

static int set_sndbuf(int fd, int v)
{
	return sys_setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &v, sizeof(v));
}

static int get_int(int fd, int name)
{
	int v = 0;
	socklen_t l = sizeof(v);

	return sys_getsockopt(fd, SOL_SOCKET, name, &v, &l) < 0 ? -errno : v;
}

static short poll_now(int fd, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	return poll(&p, 1, timeout_ms) > 0 ? p.revents : 0;
}

/* ---- errors
 * -------------------------------------------------------------------- */

static int ask_error(int fd, uint64_t t)
{
	struct proto_req rq = {.op = PROTO_ERROR};
	struct proto_rep rep;

	if (ctl_call(tag_id(t), fd, &rq, &rep, NULL, 0) < 0)
		return 0;
	return (int)rep.value;
}

/* The connection stands: a large send buffer serves it best. */
static void connected(int fd, uint64_t t)
{
	if (t & TAG_RAISE)
		(void)!set_sndbuf(fd, OP_SNDBUF);
	tag_put(fd, tag_with(t & ~TAG_RAISE, TAG_CONNECTED));
}

int op_error(int fd, uint64_t t)
{
	int e = get_int(fd, SO_ERROR), asked;

	if (e < 0)
		return 0;
	if (t & TAG_DGRAM)
		return t & TAG_KNOWN ? ask_error(fd, t) : 0;
	if (tag_state(t) == TAG_CONNECTING && !e) {
		short ev = poll_now(fd, 0);

		if (ev & POLLOUT && !(ev & (POLLERR | POLLHUP)))
			connected(fd, t);
	}
	if (!e)
		return 0;
	asked = ask_error(fd, t);
	if (tag_state(t) == TAG_CONNECTING)
		tag_put(fd, tag_with(t, TAG_FAILED));
	return asked ? asked : e;
}

static int failed(int fd, uint64_t t)
{
	int e;

	(void)get_int(fd, SO_ERROR); /* taken */
	e = ask_error(fd, t);
	tag_put(fd, tag_with(t, TAG_FAILED));
	return e ? -e : -ECONNABORTED;
}

/* ---- a fresh object
 * ---------------------------------------------------------------- */

static void copy_opt(int from, int to, int name)
{
	char b[32];
	socklen_t l = sizeof(b);

	if (sys_getsockopt(from, SOL_SOCKET, name, b, &l) == 0)
		(void)!sys_setsockopt(to, SOL_SOCKET, name, b, l);
}

int op_replace(int fd, uint64_t *t)
{
	static const int copied[] = {SO_KEEPALIVE, SO_REUSEADDR,   SO_BROADCAST,
				     SO_LINGER,    SO_OOBINLINE,   SO_RCVTIMEO,
				     SO_SNDTIMEO,  SO_INCOMING_CPU};
	int type = *t & TAG_DGRAM ? SOCK_SEQPACKET : SOCK_STREAM, r = 0;
	int fresh = sys_socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	int fl = fcntl(fd, F_GETFL), fdfl = fcntl(fd, F_GETFD);
	struct op_epoll *ep;

	if (fresh < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(copied); i++)
		copy_opt(fd, fresh, copied[i]);
	if (*t & TAG_RCVBUF) {
		int v = get_int(fd, SO_RCVBUF) / 2;

		(void)!sys_setsockopt(fresh, SOL_SOCKET, SO_RCVBUF, &v,
				      sizeof(v));
	}
	*t = tag_with(*t, TAG_FRESH) & ~(TAG_KNOWN | TAG_RAISE | TAG_SNDBUF);
	tag_put(fresh, *t);
	(void)!fcntl(fresh, F_SETFL, fl & O_NONBLOCK);
	ep = op_other ? NULL : op_epoll_save(getpid(), fd);
	if (dup3(fresh, fd, fdfl & FD_CLOEXEC ? O_CLOEXEC : 0) < 0)
		r = -errno;
	else if (op_other)
		r = op_other->replaced(op_other->arg, fd, fdfl & FD_CLOEXEC);
	else
		op_epoll_restore(ep, fd);
	close(fresh);
	return r;
}

/* ---- connect
 * ------------------------------------------------------------------------- */

static int reach(int fd, uint64_t t)
{
	static const struct timespec ms = {.tv_nsec = 1000000};
	struct sockaddr_un u;
	int r = ctl_door(tag_id(t), "stream", &u);

	if (r < 0)
		return r;
	for (int i = 0; i < STREAM_BACKLOG_TRIES; i++) {
		if (sys_connect(fd, (struct sockaddr *)&u, sizeof(u)) == 0)
			return 0;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			break;
		nanosleep(&ms, NULL);
	}
	if (errno == EISCONN || errno == EACCES || errno == EAGAIN)
		return -errno;
	return -ENETDOWN;
}

static void make_hello(int fd, uint64_t t, const struct ip_port *to,
		       uint32_t total, struct proto_hello *h)
{
	*h = (struct proto_hello){.magic = PROTO_MAGIC,
				  .v6 = t & TAG_V6 ? 1 : 0,
				  .total = total,
				  .for_pid = op_other ? (uint32_t)op_other->pid
						      : 0};
	op_collect(fd, t, &h->opts);
	proto_addr_put(to, &h->to);
}

static ssize_t send_hello(int fd, const struct proto_hello *h)
{
	struct iovec iov[2] = {
		{(void *)(uintptr_t)h, sizeof(*h)},
		{(void *)(uintptr_t)padding, h->total - sizeof(*h)}};
	ssize_t n;

	do
		n = ctl_send_fd(fd, iov, 2, fd, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Waits until `left` bytes of padding were taken. 1: it stands; 0: not yet
 * known, look; negative errno: EINTR, EAGAIN. */
static int wait_padding(int fd, uint32_t left)
{
	ssize_t n = sys_send(fd, padding, left, MSG_NOSIGNAL);
	int e = errno;

	if (n == (ssize_t)left)
		return 1;
	if (n < 0 && e != EINTR && e != EAGAIN)
		return 0;
	/* Interrupted: the rest of what was promised must go out all the
	 * same, with the queue still above a quarter of the buffer. */
	left -= n > 0 ? (uint32_t)n : 0;
	(void)!set_sndbuf(fd, 16384);
	(void)!sys_send(fd, padding, left, MSG_NOSIGNAL | MSG_DONTWAIT);
	return n < 0 && e == EAGAIN ? -EAGAIN : -EINTR;
}

static int connect_blocking(int fd, uint64_t t, const struct ip_port *to)
{
	int old = get_int(fd, SO_SNDBUF) / 2, r;
	int after = MAX(old, OP_SNDBUF);
	struct proto_hello h;
	ssize_t n;

	make_hello(fd, t, to, PAD_BLOCKING, &h);
	(void)!set_sndbuf(fd, 0);
	tag_put(fd, tag_with(t, TAG_CONNECTING) | TAG_KNOWN);
	t = tag_with(t, TAG_CONNECTING) | TAG_KNOWN;
	n = send_hello(fd, &h);
	if (n < 0)
		return failed(fd, t);
	r = n == (ssize_t)h.total ? (poll_now(fd, -1) & POLLOUT ? 1 : -EINTR)
				  : wait_padding(fd, h.total - (uint32_t)n);
	if (r < 0) {
		/* Linux: EINTR, or EINPROGRESS when SO_SNDTIMEO ran out */
		tag_put(fd, t | TAG_RAISE);
		return r == -EAGAIN ? -EINPROGRESS : r;
	}
	(void)!set_sndbuf(fd, after);
	if (r == 0)
		return failed(fd, t);
	tag_put(fd, tag_with(t, TAG_CONNECTED));
	return 0;
}

static int connect_nonblocking(int fd, uint64_t t, const struct ip_port *to)
{
	int buf = get_int(fd, SO_SNDBUF);
	struct proto_hello h;
	ssize_t n;

	/* neither more, which would take more padding, nor less */
	if (buf != 2 * OP_SNDBUF_CONNECTING) {
		(void)!set_sndbuf(fd, OP_SNDBUF_CONNECTING);
		buf = get_int(fd, SO_SNDBUF);
	}
	make_hello(fd, t, to, MIN((uint32_t)MAX(buf, 0) / 4 + 4096, PAD_MAX),
		   &h);
	t = tag_with(t, TAG_CONNECTING) | TAG_KNOWN | TAG_RAISE;
	tag_put(fd, t);
	n = send_hello(fd, &h);
	if (n >= 0 && n < (ssize_t)h.total) {
		/* a host with small buffers: what was promised must go out */
		uint32_t left = h.total - (uint32_t)n;

		(void)!set_sndbuf(fd, (int)(h.total * 3));
		n = sys_send(fd, padding, left, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	return n < 0 ? failed(fd, t) : -EINPROGRESS;
}

/* connect() on a socket whose connect() has been called before. */
static int connect_again(int fd, uint64_t t)
{
	bool nonblocking = op_nonblocking(fd) || op_other;
	short ev = poll_now(fd, 0);

	if (!ev && nonblocking)
		return -EALREADY;
	while (!ev) {
		ev = poll_now(fd, -1);
		if (!ev && errno == EINTR)
			return -EINTR;
	}
	if (ev & (POLLERR | POLLHUP))
		return failed(fd, t);
	connected(fd, t);
	return 0;
}

/* AF_UNSPEC: the connection is dropped and the socket as new. */
static int disconnect(int fd, uint64_t t)
{
	struct linger lin = {1, 0};

	switch (tag_state(t)) {
	case TAG_FRESH:
	case TAG_BOUND:
		return 0;
	case TAG_LISTEN:
	case TAG_CONNECTING:
	case TAG_CONNECTED:
	case TAG_ACCEPTED:
		(void)!op_setsockopt(fd, t, SOL_SOCKET, SO_LINGER, &lin,
				     sizeof(lin));
		break;
	case TAG_FAILED:
		break;
	}
	return op_replace(fd, &t);
}

static int connect_tcp(int fd, uint64_t t, const struct ip_port *to)
{
	int r;

	switch (tag_state(t)) {
	case TAG_LISTEN:
	case TAG_CONNECTED:
	case TAG_ACCEPTED:
		return -EISCONN;
	case TAG_CONNECTING:
		return connect_again(fd, t);
	case TAG_FAILED:
		r = op_replace(fd, &t);
		if (r < 0)
			return r;
		break;
	case TAG_FRESH:
	case TAG_BOUND:
		break;
	}
	r = reach(fd, t);
	if (r < 0)
		return r;
	return op_nonblocking(fd) || op_other ? connect_nonblocking(fd, t, to)
					      : connect_blocking(fd, t, to);
}

int op_connect(int fd, uint64_t t, const struct sockaddr *sa, socklen_t len)
{
	struct ip_port to;
	sa_family_t f;
	int r;

	if (!sa)
		return -EFAULT;
	if (len < sizeof(f))
		return -EINVAL;
	memcpy(&f, sa, sizeof(f));
	if (f == AF_UNSPEC && t & TAG_DGRAM)
		return dgram_do_connect(fd, t, NULL);
	if (f == AF_UNSPEC)
		return disconnect(fd, t);
	r = op_dest(t, sa, len, &to);
	if (r < 0)
		return r;
	if (tag_state(t) == TAG_BOUND && !(t & TAG_DGRAM))
		t &= ~TAG_KNOWN; /* by the stack that it goes to now */
	op_route(fd, &t, &to);
	return t & TAG_DGRAM ? dgram_do_connect(fd, t, &to)
			     : connect_tcp(fd, t, &to);
}
