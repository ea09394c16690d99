/*
 * pump.c: moves bytes between a program's end and the engine.
 *
 * Towards the engine, the last byte the program wrote is never taken out of
 * the kernel's queue: it is delivered by peeking. So whatever ends our side,
 * a kill included, closes with data unread and the program sees a reset, not
 * an end of file. `lag` counts the bytes at the front of the queue that the
 * engine has already; `skip` those that are no stream at all: padding of the
 * connect record, or the plant of an accepted connection.
 *
 * Tiny messages are only peeked at (one system call) and the queue is emptied
 * up to its last byte once in a while; large amounts are read for good,
 * straight into the engine's buffers. When the program has gone, so is all.
 *
 * What is left in the queue counts against the program's send buffer with all
 * its overhead, and the program may write only while at most a quarter of
 * that is in use. One byte left of the largest buffer the kernel makes
 * fits into a quarter of the default size; so do API_LAG_MAX messages of one
 * byte; both together do not.
 */
#include "api/impl.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* Padding goes away; the last byte of it becomes the plant. */
static int take_padding(struct api *a, struct api_sock *c)
{
	while (c->skip > 1) {
		ssize_t n = recv(c->fd, a->scratch,
				 MIN(c->skip - 1, sizeof(a->scratch)),
				 MSG_DONTWAIT);

		if (n < 0)
			return errno == EINTR ? 0 : -errno;
		if (n == 0)
			return -EPIPE;
		c->skip -= (uint32_t)n;
	}
	return 0;
}

/* Everything delivered is taken out but its last byte. */
static void shrink_lag(struct api *a, struct api_sock *c)
{
	/* the byte left may belong to something large: go on next time */
	c->msgs = c->lag > API_LAG_MAX ? API_LAG_MSGS : 0;
	while (c->lag > 1) {
		ssize_t n =
			recv(c->fd, a->scratch,
			     MIN(c->lag - 1, sizeof(a->scratch)), MSG_DONTWAIT);

		if (n <= 0)
			return;
		c->lag -= (uint32_t)n;
	}
}

enum step { STEP_DRY, STEP_MORE, STEP_FULL, STEP_END, STEP_RESET };

static enum step failed(ssize_t n)
{
	if (n == 0)
		return STEP_END;
	return errno == EAGAIN || errno == EINTR ? STEP_DRY : STEP_RESET;
}

/*
 * One read: `front` bytes that are no news, then into iov[1..n], the room
 * that was reserved in the engine; what came there is committed, and the rest
 * of the room given back. As recvmsg(2); *ret_flags may be NULL.
 */
static ssize_t read_behind(struct api *a, struct api_sock *c, uint32_t front,
			   struct iovec *iov, int n, int flags, int *ret_flags,
			   mono_t now)
{
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = (size_t)n + 1};
	ssize_t got;

	iov[0] = (struct iovec){a->scratch, front};
	got = recvmsg(c->fd, &m, flags | MSG_DONTWAIT);
	stack_sock_write_commit(a->s, c->sk,
				got > (ssize_t)front ? (size_t)got - front : 0,
				false, now);
	if (ret_flags)
		*ret_flags = m.msg_flags;
	return got;
}

static enum step peek_step(struct api *a, struct api_sock *c, mono_t now)
{
	struct iovec iov[API_IOV + 1];
	uint32_t front = c->lag + c->skip;
	int n = API_IOV;
	size_t space = stack_sock_write_reserve(a->s, c->sk, API_PEEK_CAP,
						iov + 1, &n);
	ssize_t got;

	if (!space)
		return STEP_FULL;
	got = read_behind(a, c, front, iov, n, MSG_PEEK, NULL, now);
	if (got <= 0)
		return failed(got);
	if ((size_t)got < front)
		return STEP_DRY;
	c->lag = (uint32_t)got;
	c->skip = 0;
	if ((size_t)got == front + space)
		return STEP_MORE;
	if (c->lag > API_LAG_MAX || ++c->msgs >= API_LAG_MSGS)
		shrink_lag(a, c);
	return STEP_DRY;
}

static void iov_cut(struct iovec *iov, int *n, size_t len)
{
	int i = 0;

	while (i < *n && len > iov[i].iov_len)
		len -= iov[i++].iov_len;
	if (i < *n) {
		iov[i].iov_len = len;
		*n = i + 1;
	}
}

static enum step bulk_step(struct api *a, struct api_sock *c, mono_t now)
{
	struct iovec iov[API_IOV + 1];
	int queued = 0, n = API_IOV;
	size_t fresh, space;
	ssize_t got;

	/* space first: without it, what is queued does not matter */
	space = stack_sock_write_reserve(a->s, c->sk, API_BULK_MAX, iov + 1,
					 &n);
	if (!space)
		return STEP_FULL;
	if (ioctl(c->fd, FIONREAD, &queued) < 0 ||
	    (size_t)queued < (size_t)c->lag + API_PEEK_CAP) {
		stack_sock_write_commit(a->s, c->sk, 0, false, now);
		c->flags &= (uint16_t)~API_F_BULK;
		return peek_step(a, c, now);
	}
	fresh = (size_t)queued - c->lag - 1;
	space = MIN(space, fresh);
	iov_cut(iov + 1, &n, space);
	got = read_behind(a, c, c->lag, iov, n, 0, NULL, now);
	if (got <= 0)
		return failed(got);
	if ((size_t)got < c->lag) {
		c->lag -= (uint32_t)got;
		return STEP_MORE;
	}
	c->lag = 0;
	c->msgs = API_LAG_MSGS;
	c->flags |= API_F_BULK;
	return STEP_MORE;
}

/* The program has gone: no byte need be kept back for it, so all that is left
 * is read for good. Nobody writes any more, hence a short read is the end;
 * unless a descriptor was attached, which cuts a read. */
static enum step last_step(struct api *a, struct api_sock *c, mono_t now)
{
	struct iovec iov[API_IOV + 1];
	uint32_t front = c->lag + c->skip;
	int n = API_IOV, flags;
	size_t space = stack_sock_write_reserve(a->s, c->sk, API_BULK_MAX,
						iov + 1, &n);
	ssize_t got;

	if (!space)
		return STEP_FULL;
	got = read_behind(a, c, front, iov, n, 0, &flags, now);
	if (got <= 0)
		return failed(got);
	c->skip = 0;
	c->lag = front - MIN((uint32_t)got, front);
	return (size_t)got < front + space && !(flags & MSG_CTRUNC) ? STEP_END
								    : STEP_MORE;
}

enum pump_end pump_pull(struct api *a, struct api_sock *c, mono_t now)
{
	enum step st = STEP_MORE;
	int r = take_padding(a, c);

	if (r < 0)
		return r == -EAGAIN ? PUMP_OK : PUMP_RESET;
	c->flags &= (uint16_t)~API_F_FULL;
	while (st == STEP_MORE) {
		if (c->flags & API_F_HUP)
			st = last_step(a, c, now);
		else if ((c->flags & API_F_BULK) && !c->skip)
			st = bulk_step(a, c, now);
		else
			st = peek_step(a, c, now);
		if (st == STEP_MORE)
			c->flags |= API_F_BULK;
	}
	if (st == STEP_FULL)
		c->flags |= API_F_FULL;
	if (st == STEP_RESET)
		return PUMP_RESET;
	if (st == STEP_END)
		return PUMP_END;
	/* seen before the queue was: nothing can have come behind it */
	return st == STEP_DRY && (c->flags & API_F_RDHUP) ? PUMP_END : PUMP_OK;
}

static void raise_sndbuf(struct api_sock *c)
{
	int v = API_SNDBUF_BULK;

	c->flags |= API_F_BIG;
	if (setsockopt(c->fd, SOL_SOCKET, SO_SNDBUFFORCE, &v, sizeof(v)) < 0)
		(void)!setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &v, sizeof(v));
}

bool pump_push(struct api *a, struct api_sock *c, mono_t now)
{
	c->flags &= (uint16_t)~API_F_BLOCKED;
	for (;;) {
		struct iovec iov[API_IOV];
		struct msghdr m = {.msg_iov = iov};
		int n = API_IOV;
		size_t len = stack_sock_read_peek(a->s, c->sk, iov, &n);
		ssize_t r = (ssize_t)len;

		if (!len)
			return true;
		m.msg_iovlen = (size_t)n;
		if (!(c->flags & API_F_DISCARD))
			r = sendmsg(c->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0 && errno != EAGAIN) {
			/* it reads no more: acknowledge and forget */
			c->flags |= API_F_DISCARD;
			continue;
		}
		if (r > 0)
			stack_sock_read_consume(a->s, c->sk, (size_t)r, now);
		if (r == (ssize_t)len)
			continue;
		if (c->flags & API_F_BIG) {
			api_watch_out(a, c);
			return false;
		}
		raise_sndbuf(c);
	}
}

void pump_drain(struct api *a, struct api_sock *c)
{
	/* a short read has emptied it, as nobody writes any more */
	while (recv(c->fd, a->scratch, sizeof(a->scratch), MSG_DONTWAIT) ==
	       (ssize_t)sizeof(a->scratch))
		continue;
}
