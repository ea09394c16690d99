/*
 * program.c: the end of a program's socket of a stack, which stackd has given
 * away (common/divert): padding or a plant at the front of its queue, and the
 * rule that the last byte the program wrote stays in the kernel's queue and is
 * delivered by peeking. So whatever ends this process, a kill included, closes
 * with data unread, which the program sees as a reset and not as an end of
 * file. An orderly end empties the queue first.
 *
 * `lag` bytes at the front were delivered, `skip` are no stream at all. A
 * little is only peeked at; of more all but the last byte is read for good.
 * What is left in the queue counts against the program's send buffer, a
 * message at a time, so it is kept small.
 */
#include "client/couplet.h"
#include "relay/relay.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define PEEK_MAX 2048 /* more than that is read for good */
#define LAG_MAX 32    /* delivered bytes that may lie in the queue */
#define SNDBUF_BYTES (1 << 20)

/* Takes `n` bytes out of the queue for nothing. 0, -EAGAIN, or an error. */
static int discard(struct relay_end *e, uint32_t *at, uint32_t leave)
{
	char nowhere[8192];

	while (*at > leave) {
		ssize_t n =
			recv(e->watch.fd, nowhere,
			     MIN(*at - leave, sizeof(nowhere)), MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ECONNRESET;
		*at -= (uint32_t)n;
	}
	return 0;
}

int relay_program_open(struct relay_end *e)
{
	int queued = 0, big = SNDBUF_BYTES;
	int r = discard(e, &e->skip, 1);

	if (r < 0)
		return r;
	if (ioctl(e->watch.fd, FIONREAD, &queued) < 0)
		return -errno;
	if (queued < 1)
		return -EAGAIN;
	(void)!setsockopt(e->watch.fd, SOL_SOCKET, SO_SNDBUF, &big,
			  sizeof(big));
	return 0;
}

static ssize_t receive(struct relay_end *e, uint32_t front, void *buf,
		       size_t len, int flags)
{
	char passed[LAG_MAX + 2];
	struct iovec iov[2] = {{passed, front}, {buf, len}};
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};
	ssize_t n;

	do
		n = recvmsg(e->watch.fd, &m, flags | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n > (ssize_t)front ? n - (ssize_t)front : -EAGAIN;
}

static ssize_t recv_little(struct relay_end *e, void *buf, size_t len)
{
	uint32_t front = e->lag + e->skip;
	ssize_t n = receive(e, front, buf, len, MSG_PEEK);
	int r = 0;

	if (n < 0)
		return n;
	e->lag = front + (uint32_t)n;
	e->skip = 0;
	if (e->lag > LAG_MAX)
		r = discard(e, &e->lag, 1);
	return r < 0 ? r : n;
}

/* `fresh` bytes wait, more than one. */
static ssize_t recv_much(struct relay_end *e, char *buf, size_t len,
			 size_t fresh)
{
	ssize_t n = receive(e, e->lag + e->skip, buf, MIN(fresh - 1, len), 0);

	if (n < 0)
		return n;
	e->lag = e->skip = 0;
	/* the last one too, if it fits */
	if ((size_t)n == fresh - 1 && (size_t)n < len &&
	    recv(e->watch.fd, buf + n, 1, MSG_PEEK | MSG_DONTWAIT) == 1) {
		e->lag = 1;
		n++;
	}
	return n;
}

static ssize_t program_recv(struct relay_end *e, void *buf, size_t len)
{
	/* seen before the queue is: nothing can have come behind it */
	bool fin = e->watch.ready & RELAY_FIN;
	int queued = 0, r = discard(e, &e->skip, 1);
	uint32_t front = e->lag + e->skip;

	if (r < 0)
		return r;
	if (ioctl(e->watch.fd, FIONREAD, &queued) < 0)
		return -errno;
	if ((uint32_t)queued < front)
		return fin ? -ECONNRESET : -EAGAIN; /* it never took it */
	if ((uint32_t)queued == front)
		return fin ? 0 : -EAGAIN;
	if ((uint32_t)queued - front > PEEK_MAX)
		return recv_much(e, buf, len, (uint32_t)queued - front);
	return recv_little(e, buf, MIN(len, PEEK_MAX));
}

static ssize_t program_send(struct relay_end *e, const void *buf, size_t len)
{
	ssize_t n = relay_clear.send(e, buf, len);

	/* it is there, but reads no more: what it would get is acknowledged
	 * and forgotten, as by Linux after shutdown(SHUT_RD) */
	if (n == -EPIPE && !(e->watch.ready & RELAY_ERR))
		return (ssize_t)len;
	return n;
}

static int program_finish(struct relay_end *e)
{
	return shutdown(e->watch.fd, SHUT_WR) < 0 ? -errno : 0;
}

static void program_close(struct relay_end *e, bool reset)
{
	uint32_t all = UINT32_MAX;

	/* nobody writes any more: it ends with EAGAIN or end of file */
	if (!reset)
		(void)!discard(e, &all, 0);
}

const struct relay_io relay_program = {.recv = program_recv,
				       .send = program_send,
				       .finish = program_finish,
				       .close = program_close};
