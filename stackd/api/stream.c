/*
 * stream.c: the life of a TCP socket whose other end is a program's.
 *
 *   accept4 -> HELLO -> CONNECTING -> OPEN -> freed
 *                    \-> failed: noted for the program to ask, freed
 *   (listen.c makes OPEN ones for accepted connections)
 */
#include "api/impl.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- failures that a program may still ask about
 * ------------------------------ */

static struct api_fail *fail_set(struct api *a, uint64_t cookie)
{
	return a->fails[(cookie * 0x9e3779b97f4a7c15ULL >> 40) % API_FAIL_SETS];
}

void stream_fail_note(struct api *a, uint64_t cookie, int error)
{
	struct api_fail *set = fail_set(a, cookie), *at = &set[0];

	if (!cookie || error <= 0)
		return;
	for (int i = 0; i < API_FAIL_WAYS; i++) {
		if (set[i].cookie == cookie || !set[i].cookie) {
			at = &set[i];
			break;
		}
		if ((int32_t)(set[i].used - at->used) < 0)
			at = &set[i];
	}
	*at = (struct api_fail){cookie, error, ++a->fail_clock};
}

int stream_fail_take(struct api *a, uint64_t cookie)
{
	struct api_fail *set = fail_set(a, cookie);

	for (int i = 0; cookie && i < API_FAIL_WAYS; i++) {
		if (set[i].cookie == cookie) {
			int e = set[i].error;

			set[i] = (struct api_fail){0};
			return e;
		}
	}
	return 0;
}

/* ---- the end
 * --------------------------------------------------------------------- */

static void drop_sock(struct api *a, struct api_sock *c, bool reset, mono_t now)
{
	struct sock *sk = c->sk;

	c->sk = NULL;
	if (!sk)
		return;
	sock_set_user(sk, NULL);
	if (reset)
		stack_sock_abort(a->s, sk, now);
	else
		stack_sock_close(a->s, sk, now);
}

void stream_abort(struct api *a, struct api_sock *c, int error, mono_t now)
{
	stream_fail_note(a, c->cookie, error);
	if (c->dv)
		divert_gone(a, c, error, now);
	drop_sock(a, c, true, now);
	/* Closing now, before the program has accepted and planted its byte,
	 * would look like an end of file. */
	if (c->skip == 1 && c->lag == 0 && !(c->flags & API_F_HUP)) {
		char b;

		if (recv(c->fd, &b, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
		    errno == EAGAIN) {
			c->state = API_S_DYING;
			return;
		}
	}
	slots_free(a, c);
}

void stream_close(struct api *a, struct api_sock *c, mono_t now)
{
	drop_sock(a, c, false, now);
	if (c->fd >= 0)
		pump_drain(a, c);
	slots_free(a, c);
}

/* ---- hello
 * ------------------------------------------------------------------------ */

void opts_apply(struct api *a, struct sock *sk, const struct proto_opts *o,
		mono_t now)
{
	struct stack *s = a->s;

	/* values out of range were refused by the front end; a program that
	 * writes records of its own keeps the default */
	if (o->flags & PROTO_O_REUSEADDR)
		(void)!stack_sock_set(s, sk, SOCK_OPT_REUSEADDR, 1);
	if (o->flags & PROTO_O_REUSEPORT)
		(void)!stack_sock_set(s, sk, SOCK_OPT_REUSEPORT, 1);
	if (o->flags & PROTO_O_V6ONLY)
		(void)!stack_sock_set(s, sk, SOCK_OPT_V6ONLY, 1);
	if (o->flags & PROTO_O_BROADCAST)
		(void)!stack_sock_set(s, sk, SOCK_OPT_BROADCAST, 1);
	if (o->flags & PROTO_O_LINGER)
		(void)!stack_sock_set(s, sk, SOCK_OPT_LINGER, o->linger_s);
	if (o->tos)
		(void)!stack_sock_set(s, sk, SOCK_OPT_TOS, o->tos);
	if (sock_type(sk) == SOCK_UDP) {
		if (o->rcvbuf)
			(void)!stack_sock_set(s, sk, SOCK_OPT_UDP_RCVBUF,
					      2 * (int64_t)o->rcvbuf);
		return;
	}
	if (o->flags & PROTO_O_KEEPALIVE)
		(void)!stack_sock_set_tcp(s, sk, TCP_OPT_KEEPALIVE, 1, now);
	if (o->flags & PROTO_O_NODELAY)
		(void)!stack_sock_set_tcp(s, sk, TCP_OPT_NODELAY, 1, now);
	if (o->keepidle_s)
		(void)!stack_sock_set_tcp(s, sk, TCP_OPT_KEEPIDLE,
					  o->keepidle_s, now);
	if (o->keepintvl_s)
		(void)!stack_sock_set_tcp(s, sk, TCP_OPT_KEEPINTVL,
					  o->keepintvl_s, now);
	if (o->keepcnt)
		(void)!stack_sock_set_tcp(s, sk, TCP_OPT_KEEPCNT, o->keepcnt,
					  now);
	if (o->sndbuf)
		(void)!stack_sock_set_tcp(s, sk, TCP_OPT_SNDBUF,
					  MAX(o->sndbuf, API_STREAM_MIN), now);
	if (o->rcvbuf)
		(void)!stack_sock_set_tcp(s, sk, TCP_OPT_RCVBUF,
					  MAX(o->rcvbuf, API_STREAM_MIN), now);
}

/* A record that a bind made hands its socket over. */
static int take_over(struct api *a, struct api_sock *c, uint64_t cookie)
{
	struct api_sock *old = slots_find(a, cookie);

	if (old && (old->kind != API_WAITING || old->flags & API_F_LISTEN))
		return -EISCONN;
	if (old) {
		c->sk = old->sk;
		old->sk = NULL;
		sock_set_user(c->sk, c);
		slots_free(a, old);
	}
	slots_set_cookie(a, c, cookie);
	return 0;
}

static int hello_connect(struct api *a, struct api_sock *c,
			 const struct proto_hello *h, uint64_t cookie,
			 mono_t now)
{
	struct sock_owner owner;
	struct ip_port to;
	int r = policy_admit(a, c, c->fd, h->for_pid);

	if (r < 0)
		return r;
	r = take_over(a, c, cookie);
	if (r < 0)
		return r;
	c->v6 = h->v6 != 0;
	if (proto_addr_get(&h->to, &to) < 0)
		return -EINVAL;
	owner = policy_owner(c);
	if (!c->sk) {
		r = stack_sock_new(a->s, SOCK_TCP, h->v6 ? IP_V6 : IP_V4,
				   &owner, c, &c->sk);
		if (r < 0)
			return r;
		opts_apply(a, c->sk, &h->opts, now);
	}
	r = divert_out(a, c, &to, now);
	if (r != 0)
		return MIN(r, 0);
	return stack_sock_connect(a->s, c->sk, &to, now);
}

static bool hello_valid(const struct proto_hello *h, ssize_t n,
			const struct passed *p)
{
	return n == (ssize_t)sizeof(*h) && h->magic == PROTO_MAGIC &&
	       !h->dgram && h->total > sizeof(*h) &&
	       h->total <= PROTO_TOTAL_MAX && p->fd >= 0 && !p->broken &&
	       passed_is(p->fd, SOCK_STREAM);
}

static void hello(struct api *a, struct api_sock *c, mono_t now)
{
	struct proto_hello h;
	struct passed p;
	ssize_t n = passed_recv(c->fd, &h, sizeof(h), 0, &p);
	uint64_t cookie = p.fd >= 0 ? passed_cookie(p.fd) : 0;
	bool valid = hello_valid(&h, n, &p);
	int r;

	if (p.fd >= 0)
		close(p.fd);
	if (n == -EAGAIN || n == -EINTR)
		return;
	api_untimed(c);
	if (!valid) {
		a->counters.bad_records += n != 0;
		slots_free(a, c);
		return;
	}
	c->skip = h.total - (uint32_t)sizeof(h);
	c->state = API_S_CONNECTING;
	r = hello_connect(a, c, &h, cookie, now);
	if (r < 0) {
		/* closes with the padding unread: the program sees a reset
		 * and asks for the reason */
		a->counters.refused++;
		stream_fail_note(a, cookie, -r);
		drop_sock(a, c, true, now);
		slots_free(a, c);
	}
}

void stream_hello_expired(struct api *a, struct api_sock *c)
{
	a->counters.bad_records++;
	slots_free(a, c);
}

void stream_hello_all(struct api *a, mono_t now)
{
	LIST_FOREACH_SAFE (n, &a->hello) {
		struct api_sock *c = container_of(n, struct api_sock, node);

		if (c->kind == API_DGRAM)
			dgram_hello(a, c, now);
		else
			hello(a, c, now);
	}
}

static void adopt_end(struct api *a, int fd, mono_t now)
{
	struct api_sock *c = slots_new(a);

	if (!c) {
		close(fd);
		return;
	}
	c->kind = API_STREAM;
	c->state = API_S_HELLO;
	c->fd = fd;
	if (api_watch(a, c) < 0) {
		slots_free(a, c);
		return;
	}
	a->counters.accepted++;
	api_timed(a, &a->hello, c, now);
	hello(a, c, now);
}

void stream_accept(struct api *a, struct api_sock *acc, mono_t now)
{
	for (int i = 0; i < API_ACCEPT_BATCH; i++) {
		int fd = accept4(acc->fd, NULL, NULL,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0 && errno == EAGAIN)
			return;
		if (fd < 0) /* no descriptors left: some may come back */
			break;
		adopt_end(a, fd, now);
	}
	api_timed(a, &a->retry, acc, now);
}

/* ---- open
 * ------------------------------------------------------------------------------
 */

/* Both directions are done, or the program has gone: true = freed. */
static bool pulled(struct api *a, struct api_sock *c, enum pump_end e,
		   mono_t now)
{
	if (e == PUMP_RESET) {
		c->flags |= API_F_HUP;
		stream_abort(a, c, 0, now);
		return true;
	}
	if (e != PUMP_END)
		return false;
	if (c->flags & API_F_HUP) {
		/* nothing is left in our end's queue: see pump.c */
		drop_sock(a, c, false, now);
		slots_free(a, c);
		return true;
	}
	if (!(c->flags & API_F_FIN)) {
		c->flags |= API_F_FIN;
		stack_sock_shutdown(a->s, c->sk, now);
	}
	return false;
}

static void end_of_stream(struct api_sock *c)
{
	if (c->flags & API_F_WR_SHUT)
		return;
	c->flags |= API_F_WR_SHUT;
	shutdown(c->fd, SHUT_WR);
}

void stream_ready(struct api *a, struct api_sock *c, unsigned ev, mono_t now)
{
	bool dry = true;

	if (c->state == API_S_CONNECTING) {
		if (ev & SOCK_EV_ERR) {
			stream_abort(a, c, sock_error(c->sk, true), now);
			return;
		}
		if (!(ev & SOCK_EV_CONN))
			return;
		c->state = API_S_OPEN;
		if (c->dv)
			divert_connected(a, c, now);
		if (pulled(a, c, pump_pull(a, c, now), now))
			return;
	}
	if (ev & (SOCK_EV_IN | SOCK_EV_EOF | SOCK_EV_ERR))
		dry = pump_push(a, c, now);
	if (ev & SOCK_EV_ERR) {
		stream_abort(a, c, sock_error(c->sk, true), now);
		return;
	}
	if (dry && (stack_sock_events(a->s, c->sk) & SOCK_EV_EOF))
		end_of_stream(c);
	if (ev & SOCK_EV_DONE) {
		if (dry)
			stream_close(a, c, now);
		return;
	}
	if ((ev & SOCK_EV_OUT) && c->flags & API_F_FULL)
		(void)pulled(a, c, pump_pull(a, c, now), now);
}

static void open_event(struct api *a, struct api_sock *c, uint32_t ev,
		       mono_t now)
{
	if (ev & EPOLLERR) {
		/* the program closed with data unread, or its listener died
		 * before accept: Linux resets [RFC2525 2.17] */
		c->flags |= API_F_HUP;
		stream_abort(a, c, 0, now);
		return;
	}
	if (ev & (EPOLLRDHUP | EPOLLHUP))
		c->flags |= API_F_RDHUP;
	if (ev & EPOLLHUP)
		c->flags |= API_F_HUP;
	if (c->state != API_S_OPEN) {
		/* the program gave up while connecting */
		if (ev & EPOLLHUP)
			stream_close(a, c, now);
		return;
	}
	if ((c->flags & (API_F_FIN | API_F_HUP)) == (API_F_FIN | API_F_HUP)) {
		/* nothing can come behind a FIN: there is no space to pull
		 * into, which must not hide that the program has gone */
		stream_close(a, c, now);
		return;
	}
	if ((ev & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) &&
	    (!(c->flags & API_F_FIN) || c->flags & API_F_HUP) &&
	    pulled(a, c, pump_pull(a, c, now), now))
		return;
	if (ev & EPOLLOUT && c->flags & API_F_BLOCKED)
		stream_ready(a, c, stack_sock_events(a->s, c->sk), now);
}

void stream_event(struct api *a, struct api_sock *c, uint32_t ev, mono_t now)
{
	if (c->state == API_S_HELLO) {
		hello(a, c, now);
		return;
	}
	if (c->state == API_S_DYING) {
		/* the plant has come, or nobody will ever accept */
		if (ev & (EPOLLIN | EPOLLHUP | EPOLLERR))
			slots_free(a, c);
		return;
	}
	open_event(a, c, ev, now);
}
