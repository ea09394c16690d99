/*
 * The SEQPACKET medium: an AF_UNIX socket that carries one IP packet, or one
 * Ethernet frame with LAYER2, per message. It joins two stacks without the
 * kernel's network, and lets tests and simulations play the wire.
 *
 * Nothing is negotiated. With offload (on both sides or on neither) every
 * message begins with a virtio-net header of 10 bytes in the machine's byte
 * order, so that GSO frames and open checksums pass whole; without it each
 * message is a plain wire packet. An offloading neighbour is trusted with
 * checksums as a network adapter is.
 *
 * One side listens at a path, the other connects; each may come later, go
 * and come again. While the other side is away frames are dropped and
 * counted. Messages that do not fit the socket's buffer are dropped too: a
 * wire does not push back.
 *
 * The descriptor given to the loop is an epoll set around connection,
 * listening socket and retry timer, so it stays the same for ever.
 */
#include "osa/port.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#define SEND_BUFFER (4 << 20) /* some 60 frames of 64 KiB */
#define RETRY_MIN_MS 50
#define RETRY_MAX_MS 1000

struct seqpacket {
	int epfd, conn, listener, timer; /* -1: none */
	struct sockaddr_un addr;
	uint32_t retry_ms;
	bool bound; /* the path is ours to remove */
	bool busy;  /* the last recv brought something */
	dev_t dev;  /* of the bound path */
	ino_t ino;
};

static int watch(struct seqpacket *s, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(s->epfd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

static void arm(struct seqpacket *s)
{
	struct itimerspec t = {
		.it_value.tv_sec = s->retry_ms / 1000,
		.it_value.tv_nsec = (long)(s->retry_ms % 1000) * 1000000,
	};

	if (s->timer < 0)
		return;
	(void)timerfd_settime(s->timer, 0, &t, NULL);
	s->retry_ms = MIN(s->retry_ms * 2, RETRY_MAX_MS);
}

static void set_buffer(int fd)
{
	int size = SEND_BUFFER;

	/* As much as we may: the first needs CAP_NET_ADMIN. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size,
				 sizeof(size));
}

/* Takes `fd` as the connection. */
static int take_conn(struct osa_port *p, int fd)
{
	struct seqpacket *s = p->private;
	int r = watch(s, fd);

	if (r < 0) {
		close(fd);
		return r;
	}
	set_buffer(fd);
	s->conn = fd;
	s->retry_ms = RETRY_MIN_MS;
	p->info.carrier = true;
	return 0;
}

/* 0, or why the other side cannot be reached now. */
static int try_connect(struct osa_port *p)
{
	struct seqpacket *s = p->private;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
			0);
	int e;

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&s->addr, sizeof(s->addr)) == 0)
		return take_conn(p, fd);
	e = errno;
	close(fd);
	return -e;
}

static void lose_conn(struct osa_port *p)
{
	struct seqpacket *s = p->private;

	close(s->conn); /* leaves the epoll set by itself */
	s->conn = -1;
	p->info.carrier = false;
	arm(s);
}

/* Connections and the timer. True when there is a new connection. */
static bool service(struct osa_port *p)
{
	struct seqpacket *s = p->private;
	struct epoll_event ev[4];
	bool had = s->conn >= 0;
	uint64_t ticks;
	int n = epoll_wait(s->epfd, ev, ARRAY_SIZE(ev), 0);

	for (int i = 0; i < n; i++) {
		if (ev[i].data.fd == s->listener) {
			int fd = accept4(s->listener, NULL, NULL,
					 SOCK_NONBLOCK | SOCK_CLOEXEC);

			/* A wire has two ends: one more is turned away. */
			if (fd >= 0 && s->conn >= 0)
				close(fd);
			else if (fd >= 0 && take_conn(p, fd) < 0)
				return false;
		} else if (ev[i].data.fd == s->timer) {
			if (read(s->timer, &ticks, sizeof(ticks)) > 0 &&
			    s->conn < 0 && try_connect(p) < 0)
				arm(s);
		}
	}
	return !had && s->conn >= 0;
}

/* A message of no bytes reads like the end; the end alone hangs up. */
static bool at_end(int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLRDHUP};
	int next = 0;

	return poll(&pfd, 1, 0) > 0 &&
	       (pfd.revents & (POLLRDHUP | POLLHUP | POLLERR)) &&
	       ioctl(fd, FIONREAD, &next) == 0 && next == 0;
}

static ssize_t dead_or_empty(const struct seqpacket *s)
{
	return s->listener < 0 && s->timer < 0 && s->conn < 0 ? -ENOTCONN
							      : -EAGAIN;
}

static ssize_t seqpacket_recv(struct osa_port *p, int q, void *buf, size_t len)
{
	struct seqpacket *s = p->private;

	(void)q;
	while (s->conn >= 0 || service(p)) {
		ssize_t r = recv(s->conn, buf, len, MSG_TRUNC);

		if (r > 0 || (r == 0 && !at_end(s->conn))) {
			s->busy = true;
			return (size_t)r <= len ? r : 0;
		}
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0 && errno == EAGAIN) {
			/* Woken for nothing: something else wants us. */
			if (!s->busy)
				(void)service(p);
			break;
		}
		lose_conn(p);
	}
	s->busy = false;
	return dead_or_empty(s);
}

static int seqpacket_send(struct osa_port *p, const struct iovec *iov, int n)
{
	struct seqpacket *s = p->private;
	struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)iov,
			   .msg_iovlen = (size_t)n};

	if (s->conn < 0)
		return -ENETDOWN;
	for (;;) {
		if (sendmsg(s->conn, &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return 0;
		if (errno == EINTR)
			continue;
		/* The reader finds out and reconnects. */
		if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
			return -ENETDOWN;
		return -errno;
	}
}

static void unlink_path(const struct seqpacket *s)
{
	struct stat st;

	/* Only what we made; somebody may have put another there. */
	if (s->bound && stat(s->addr.sun_path, &st) == 0 &&
	    st.st_dev == s->dev && st.st_ino == s->ino)
		(void)unlink(s->addr.sun_path);
}

static void seqpacket_close(struct osa_port *p)
{
	struct seqpacket *s = p->private;

	unlink_path(s);
	if (s->conn >= 0)
		close(s->conn);
	if (s->listener >= 0)
		close(s->listener);
	if (s->timer >= 0)
		close(s->timer);
	if (s->epfd >= 0)
		close(s->epfd);
	free(s);
}

static const struct osa_medium seqpacket_medium = {
	.name = "SEQPACKET",
	.recv = seqpacket_recv,
	.send = seqpacket_send,
	.close = seqpacket_close,
};

static int init(struct osa_port *p, const struct deck_device *dev)
{
	struct seqpacket *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->conn = s->listener = s->timer = -1;
	s->retry_ms = RETRY_MIN_MS;
	p->private = s;
	p->medium = &seqpacket_medium;
	p->eth = dev->layer2;
	p->vnet = p->tso = p->uso = dev->offload;
	p->info.carrier = false;
	s->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (s->epfd < 0)
		return -errno;
	p->fd[0] = s->epfd;
	p->info.queues = 1;
	return 0;
}

/* The socket belongs to whoever owns its folder, so that a neighbour that
 * has given up its privileges can connect again. */
static void give_to_owner(struct seqpacket *s)
{
	char dir[sizeof(s->addr.sun_path)];
	struct stat st;
	char *slash;

	memcpy(dir, s->addr.sun_path, sizeof(dir));
	slash = strrchr(dir, '/');
	if (slash)
		slash[slash == dir] = 0;
	if (stat(slash ? dir : ".", &st) == 0 &&
	    lchown(s->addr.sun_path, st.st_uid, st.st_gid) < 0)
		return;
	(void)chmod(s->addr.sun_path, 0660);
}

/* Something stands at the path: a live listener, a left-over socket (which
 * goes), or something else. 0 or why the path cannot be had. */
static int clear_path(struct seqpacket *s)
{
	struct stat st;
	int fd, e = 0;

	if (lstat(s->addr.sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&s->addr, sizeof(s->addr)) < 0)
		e = errno;
	close(fd);
	if (e != ECONNREFUSED)
		return -EADDRINUSE;
	return unlink(s->addr.sun_path) < 0 ? -errno : 0;
}

static int start_listening(struct seqpacket *s)
{
	struct stat st;
	int r = clear_path(s);

	if (r < 0)
		return r;
	s->listener = socket(AF_UNIX,
			     SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->listener < 0 ||
	    bind(s->listener, (struct sockaddr *)&s->addr, sizeof(s->addr)) < 0)
		return -errno;
	if (stat(s->addr.sun_path, &st) == 0) {
		s->bound = true;
		s->dev = st.st_dev;
		s->ino = st.st_ino;
	}
	give_to_owner(s);
	if (listen(s->listener, 1) < 0)
		return -errno;
	return watch(s, s->listener);
}

/* Not there yet is no error; never to be reached is one. */
static int start_connecting(struct osa_port *p)
{
	struct seqpacket *s = p->private;
	struct stat st;
	int r;

	if (stat(s->addr.sun_path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return -EEXIST;
	s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (s->timer < 0)
		return -errno;
	r = watch(s, s->timer);
	if (r < 0)
		return r;
	r = try_connect(p);
	if (r == -ENOENT || r == -ECONNREFUSED || r == -EAGAIN) {
		arm(s);
		r = 0;
	}
	return r;
}

static const char *cause(int r)
{
	switch (-r) {
	case EEXIST:
		return "there is a file that is not a socket";
	case EADDRINUSE:
		return "another process listens there";
	case EPROTOTYPE:
		return "the socket there is not of type SOCK_SEQPACKET";
	case ENOENT:
		return "no such folder";
	default:
		return strerror(-r);
	}
}

int seqpacket_open(struct osa_port *p, const struct deck_device *dev, char *err,
		   size_t err_len)
{
	struct seqpacket *s;
	int r;

	if (!dev->path[0])
		return port_fail(dev, err, err_len, -EINVAL,
				 "SEQPACKET needs the path of a socket");
	r = init(p, dev);
	s = p->private;
	if (r == 0) {
		s->addr.sun_family = AF_UNIX;
		memcpy(s->addr.sun_path, dev->path,
		       sizeof(s->addr.sun_path) - 1);
		memcpy(p->info.ifname, dev->path, sizeof(p->info.ifname) - 1);
		r = dev->path_listen ? start_listening(s) : start_connecting(p);
	}
	if (r == 0)
		return 0;
	if (s)
		seqpacket_close(p);
	return port_fail(dev, err, err_len, r, "%s %s: %s",
			 dev->path_listen ? "listening at" : "connecting to",
			 dev->path, cause(r));
}

int seqpacket_adopt(struct osa_port *p, const struct deck_device *dev,
		    char *err, size_t err_len)
{
	int listening = 0, r = init(p, dev);
	socklen_t len = sizeof(listening);
	struct seqpacket *s = p->private;

	if (r == 0 && getsockopt(dev->fd, SOL_SOCKET, SO_ACCEPTCONN, &listening,
				 &len) < 0)
		r = -errno;
	if (r == 0)
		r = watch(s, dev->fd);
	if (r < 0) {
		if (s)
			seqpacket_close(p);
		return port_fail(dev, err, err_len, r, "descriptor %d: %s",
				 dev->fd, strerror(-r));
	}
	if (listening) {
		s->listener = dev->fd;
	} else {
		s->conn = dev->fd;
		set_buffer(dev->fd);
		p->info.carrier = true;
	}
	(void)snprintf(p->info.ifname, sizeof(p->info.ifname), "fd %d",
		       dev->fd);
	return 0;
}
