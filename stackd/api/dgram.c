/*
 * dgram.c: UDP sockets of programs. One SEQPACKET connection each, so that
 * the end of the program's socket shows; one datagram a message, with a struct
 * proto_dgram in front as long as the socket has no peer.
 */
#include "api/impl.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void end(struct api *a, struct api_sock *c, mono_t now)
{
	struct sock *sk = c->sk;

	couple_dgram_drop(a, c);
	c->sk = NULL;
	if (sk) {
		sock_set_user(sk, NULL);
		stack_sock_close(a->s, sk, now);
	}
	slots_free(a, c);
}

/* ---- first record
 * ------------------------------------------------------------ */

static int begin(struct api *a, struct api_sock *c, const struct proto_hello *h,
		 uint64_t cookie, mono_t now)
{
	struct sock_owner owner;
	int r = policy_admit(a, c, c->fd, h->for_pid);

	if (r < 0)
		return r;
	if (slots_find(a, cookie))
		return -EISCONN;
	slots_set_cookie(a, c, cookie);
	owner = policy_owner(c);
	c->v6 = h->v6 != 0;
	c->flags |= API_F_HEADERS;
	r = stack_sock_new(a->s, SOCK_UDP, h->v6 ? IP_V6 : IP_V4, &owner, c,
			   &c->sk);
	if (r == 0)
		opts_apply(a, c->sk, &h->opts, now);
	return r;
}

void dgram_hello(struct api *a, struct api_sock *c, mono_t now)
{
	struct proto_hello h;
	struct passed p;
	ssize_t n = passed_recv(c->fd, &h, sizeof(h), 0, &p);
	uint64_t cookie = p.fd >= 0 ? passed_cookie(p.fd) : 0;
	bool valid = n == (ssize_t)sizeof(h) && h.magic == PROTO_MAGIC &&
		     h.dgram && p.fd >= 0 && !p.broken &&
		     passed_is(p.fd, SOCK_SEQPACKET);
	int r;

	if (p.fd >= 0)
		close(p.fd);
	if (n == -EAGAIN || n == -EINTR)
		return;
	api_untimed(c);
	c->state = API_S_OPEN;
	r = valid ? begin(a, c, &h, cookie, now) : -EBADMSG;
	if (r == 0)
		return;
	a->counters.bad_records += !valid && n != 0;
	a->counters.refused += valid;
	stream_fail_note(a, cookie, -r);
	end(a, c, now);
}

static void adopt_end(struct api *a, int fd, mono_t now)
{
	struct api_sock *c = slots_new(a);
	uint64_t serial;

	if (!c) {
		close(fd);
		return;
	}
	c->kind = API_DGRAM;
	c->state = API_S_HELLO;
	c->fd = fd;
	if (api_watch(a, c) < 0) {
		slots_free(a, c);
		return;
	}
	a->counters.accepted++;
	api_timed(a, &a->hello, c, now);
	serial = slots_serial(c);
	dgram_hello(a, c, now);
	if (slots_of_serial(a, serial) == c && c->state == API_S_OPEN)
		dgram_retry(a, c, now);
}

void dgram_accept(struct api *a, struct api_sock *acc, mono_t now)
{
	for (int i = 0; i < API_ACCEPT_BATCH; i++) {
		int fd = accept4(acc->fd, NULL, NULL,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0 && errno == EAGAIN)
			return;
		if (fd < 0)
			break;
		adopt_end(a, fd, now);
	}
	api_timed(a, &a->retry, acc, now);
}

/* ---- program to engine
 * ------------------------------------------------------------ */

/* With the TTL and TOS of this datagram, if it has its own. */
static int send_with(struct api *a, struct api_sock *c,
		     const struct proto_dgram *h, const struct ip_port *to,
		     const struct ip_port *from, const struct iovec *io,
		     mono_t now)
{
	int64_t ttl = stack_sock_get(a->s, c->sk, SOCK_OPT_TTL);
	int64_t tos = stack_sock_get(a->s, c->sk, SOCK_OPT_TOS);
	int r = 0;

	if (h->ttl >= 0)
		r = stack_sock_set(a->s, c->sk, SOCK_OPT_TTL, MAX(h->ttl, 1));
	if (r == 0 && h->tos >= 0)
		r = stack_sock_set(a->s, c->sk, SOCK_OPT_TOS, h->tos);
	if (r == 0)
		r = stack_udp_send(a->s, c->sk, to, from, io, 1, h->gso_size,
				   now);
	if (h->ttl >= 0)
		(void)!stack_sock_set(a->s, c->sk, SOCK_OPT_TTL, ttl);
	if (h->tos >= 0)
		(void)!stack_sock_set(a->s, c->sk, SOCK_OPT_TOS, tos);
	return r;
}

static void push(struct api *a, struct api_sock *c);

/* Between the marks: what was queued before the connect comes back to be
 * queued again without its header, before anything newer. */
static int turned(struct api *a, struct api_sock *c,
		  const struct proto_dgram *h, const uint8_t *payload, size_t n)
{
	if (h->type == PROTO_D_MARK) {
		c->flags &= (uint16_t)~API_F_TURN;
		push(a, c);
		return 0;
	}
	if (h->type != PROTO_D_BACK)
		return -EBADMSG;
	return send(c->fd, payload, n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno
									: 0;
}

static int send_headed(struct api *a, struct api_sock *c, const uint8_t *b,
		       size_t n, mono_t now)
{
	struct ip_port to, from;
	struct proto_dgram h;
	struct iovec io;

	if (n < sizeof(h))
		return -EBADMSG;
	memcpy(&h, b, sizeof(h));
	if (c->flags & API_F_TURN && h.type != PROTO_D_DATA)
		return turned(a, c, &h, b + sizeof(h), n - sizeof(h));
	if (h.type != PROTO_D_DATA || proto_addr_get(&h.remote, &to) < 0 ||
	    proto_addr_get(&h.local, &from) < 0)
		return -EBADMSG;
	if (ip_is_v4_mapped(&to.addr) && couple_is_dual(a, c))
		return couple_dgram_send(a, c, b, n);
	from.scope = h.ifindex;
	io = (struct iovec){(uint8_t *)(uintptr_t)b + sizeof(h), n - sizeof(h)};
	return send_with(a, c, &h, to.addr.family == IP_NONE ? NULL : &to,
			 from.addr.family == IP_NONE && !from.scope ? NULL
								    : &from,
			 &io, now);
}

/* One datagram of `n` bytes at `b`; it may be lost, as datagrams are. */
static void send_one(struct api *a, struct api_sock *c, const uint8_t *b,
		     size_t n, mono_t now)
{
	struct iovec io = {(uint8_t *)(uintptr_t)b, n};
	int r = c->flags & (API_F_HEADERS | API_F_TURN)
			? send_headed(a, c, b, n, now)
			: stack_udp_send(a->s, c->sk, NULL, NULL, &io, 1, 0,
					 now);

	a->counters.bad_records += r == -EBADMSG;
	a->counters.dgram_dropped += r < 0 && r != -EBADMSG;
}

static void pull(struct api *a, struct api_sock *c, mono_t now)
{
	for (int i = 0; i < API_DGRAM_BATCH; i++) {
		ssize_t n;

		if (!(stack_sock_events(a->s, c->sk) & SOCK_EV_OUT))
			break;
		n = recv(c->fd, a->scratch, sizeof(a->scratch), MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			if (c->flags & API_F_HUP)
				end(a, c, now);
			return;
		}
		if (n < 0 || (n == 0 && c->flags & API_F_HUP)) {
			end(a, c, now);
			return;
		}
		if (n == 0 && c->flags & API_F_RDHUP)
			return; /* shutdown(), no zero-length datagram */
		send_one(a, c, a->scratch, (size_t)n, now);
	}
	api_timed(a, &a->soon, c, now);
}

void dgram_retry(struct api *a, struct api_sock *c, mono_t now)
{
	if (c->state == API_S_OPEN)
		pull(a, c, now);
}

/* ---- engine to program
 * --------------------------------------------------------------- */

/* 0, -EAGAIN: the program's queue is full. */
static int give(struct api *a, struct api_sock *c, const struct udp_meta *m,
		const struct iovec *payload)
{
	struct proto_dgram h = {.type = PROTO_D_DATA};
	struct iovec iov[2] = {{&h, sizeof(h)}, *payload};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};

	if (c->flags & API_F_HEADERS) {
		proto_addr_put(&m->remote, &h.remote);
		proto_addr_put(&m->local, &h.local);
		h.ifindex = m->ifindex;
		h.ttl = m->ttl;
		h.tos = m->tos;
	} else {
		msg.msg_iov = iov + 1;
		msg.msg_iovlen = 1;
	}
	if (sendmsg(c->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return 0;
	if (errno == EAGAIN)
		return -EAGAIN;
	a->counters.dgram_dropped++;
	return 0;
}

static int give_mark(struct api_sock *c)
{
	struct proto_dgram h = {.type = PROTO_D_MARK};

	if (send(c->fd, &h, sizeof(h), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
	    errno == EAGAIN)
		return -EAGAIN;
	c->flags &= (uint16_t)~API_F_MARK;
	return 0;
}

static void push(struct api *a, struct api_sock *c)
{
	struct udp_meta m;
	struct iovec payload;

	c->flags &= (uint16_t)~API_F_BLOCKED;
	if (c->flags & API_F_MARK && give_mark(c) < 0) {
		api_watch_out(a, c);
		return;
	}
	if (c->flags & API_F_TURN)
		return;
	while (stack_udp_peek(a->s, c->sk, &m, &payload)) {
		if (give(a, c, &m, &payload) < 0) {
			/* what comes now is dropped and counted by the
			 * engine when its queue is full too */
			api_watch_out(a, c);
			return;
		}
		stack_udp_pop(a->s, c->sk);
	}
}

/* A zero-length datagram makes the program look, and the front end asks. */
static void tell_error(struct api *a, struct api_sock *c)
{
	int e = sock_error(c->sk, true);

	if (!e || c->flags & API_F_HEADERS)
		return;
	stream_fail_note(a, c->cookie, e);
	(void)!send(c->fd, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void dgram_ready(struct api *a, struct api_sock *c, unsigned ev, mono_t now)
{
	(void)now;
	if (ev & SOCK_EV_ERR)
		tell_error(a, c);
	if (ev & SOCK_EV_IN && !(c->flags & API_F_BLOCKED))
		push(a, c);
}

int dgram_connect(struct api *a, struct api_sock *c, const struct ip_port *to,
		  mono_t now)
{
	bool headers = to->addr.family == IP_NONE;
	int r;

	/* what it sent before must leave as it was meant */
	pull(a, c, now);
	if (c->kind != API_DGRAM || !c->sk)
		return -ENOTCONN;
	r = stack_sock_connect(a->s, c->sk, to, now);
	if (r < 0)
		return r;
	if (headers == !!(c->flags & API_F_HEADERS))
		return 0;
	c->flags ^= API_F_HEADERS;
	c->flags |= API_F_MARK;
	if (headers)
		c->flags &= (uint16_t)~API_F_TURN;
	else
		c->flags |= API_F_TURN;
	push(a, c);
	return 0;
}

void dgram_event(struct api *a, struct api_sock *c, uint32_t ev, mono_t now)
{
	uint64_t serial = slots_serial(c);

	if (c->state == API_S_HELLO)
		dgram_hello(a, c, now);
	if (slots_of_serial(a, serial) != c || c->state != API_S_OPEN)
		return;
	if (ev & EPOLLRDHUP)
		c->flags |= API_F_RDHUP;
	if (ev & (EPOLLHUP | EPOLLERR))
		c->flags |= API_F_HUP;
	if (ev & EPOLLOUT && c->flags & API_F_BLOCKED)
		push(a, c);
	pull(a, c, now);
}
