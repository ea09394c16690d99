/*
 * ctlopt.c: options of sockets, in the engine's terms. Levels, lengths and
 * Linux's errnos are the front end's business; ranges are checked here too.
 */
#include "api/impl.h"

#include <errno.h>
#include <sys/socket.h>

static const uint8_t sock_names[] = {
	[OPT_REUSEADDR] = SOCK_OPT_REUSEADDR,
	[OPT_REUSEPORT] = SOCK_OPT_REUSEPORT,
	[OPT_V6ONLY] = SOCK_OPT_V6ONLY,
	[OPT_BROADCAST] = SOCK_OPT_BROADCAST,
	[OPT_LINGER] = SOCK_OPT_LINGER,
	[OPT_TTL] = SOCK_OPT_TTL,
	[OPT_TOS] = SOCK_OPT_TOS,
	[OPT_MCAST_TTL] = SOCK_OPT_MCAST_TTL,
	[OPT_MCAST_LOOP] = SOCK_OPT_MCAST_LOOP,
	[OPT_MCAST_IF] = SOCK_OPT_MCAST_IF,
	[OPT_BIND_IF] = SOCK_OPT_BIND_IF,
	[OPT_MTU_DISCOVER] = SOCK_OPT_MTU_DISCOVER,
	[OPT_RECVERR] = SOCK_OPT_RECVERR,
	[OPT_UDP_RCVBUF] = SOCK_OPT_UDP_RCVBUF,
	[OPT_UDP_SNDBUF] = SOCK_OPT_UDP_SNDBUF,
	[OPT_FREEBIND] = SOCK_OPT_FREEBIND,
	[OPT_UDP_SEGMENT] = SOCK_OPT_UDP_SEGMENT,
};

_Static_assert(ARRAY_SIZE(sock_names) == OPT_SOCK_END, "a name for each");

static const uint8_t tcp_names[] = {
	[OPT_NODELAY - OPT_NODELAY] = TCP_OPT_NODELAY,
	[OPT_CORK - OPT_NODELAY] = TCP_OPT_CORK,
	[OPT_QUICKACK - OPT_NODELAY] = TCP_OPT_QUICKACK,
	[OPT_KEEPALIVE - OPT_NODELAY] = TCP_OPT_KEEPALIVE,
	[OPT_KEEPIDLE - OPT_NODELAY] = TCP_OPT_KEEPIDLE,
	[OPT_KEEPINTVL - OPT_NODELAY] = TCP_OPT_KEEPINTVL,
	[OPT_KEEPCNT - OPT_NODELAY] = TCP_OPT_KEEPCNT,
	[OPT_MAXSEG - OPT_NODELAY] = TCP_OPT_MAXSEG,
	[OPT_USER_TIMEOUT - OPT_NODELAY] = TCP_OPT_USER_TIMEOUT,
	[OPT_SYNCNT - OPT_NODELAY] = TCP_OPT_SYNCNT,
	[OPT_LINGER2 - OPT_NODELAY] = TCP_OPT_LINGER2,
	[OPT_CC - OPT_NODELAY] = TCP_OPT_CC,
	[OPT_SNDBUF - OPT_NODELAY] = TCP_OPT_SNDBUF,
	[OPT_RCVBUF - OPT_NODELAY] = TCP_OPT_RCVBUF,
	[OPT_NOTSENT_LOWAT - OPT_NODELAY] = TCP_OPT_NOTSENT_LOWAT,
	[OPT_WINDOW_CLAMP - OPT_NODELAY] = TCP_OPT_WINDOW_CLAMP,
};

_Static_assert(ARRAY_SIZE(tcp_names) == OPT_TCP_END - OPT_NODELAY,
	       "a name for each");

static bool is_tcp(int32_t name)
{
	return name >= OPT_NODELAY && name < OPT_TCP_END;
}

static bool is_sock(int32_t name)
{
	return name >= 0 && name < OPT_SOCK_END;
}

/* The program's queue on our side follows what the program asked for. */
static void size_queue(struct api_sock *c, int64_t bytes)
{
	int v = (int)CLAMP(bytes, 4608, 8 << 20);

	if (c->fd < 0)
		return;
	c->flags |= API_F_BIG;
	if (setsockopt(c->fd, SOL_SOCKET, SO_SNDBUFFORCE, &v, sizeof(v)) < 0)
		(void)!setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &v, sizeof(v));
}

int ctlopt_set(struct api *a, struct api_sock *c, int32_t name, int64_t v,
	       mono_t now)
{
	int r;

	if (name == OPT_RCVBUF || name == OPT_SNDBUF)
		v = MAX(v, API_STREAM_MIN);
	if (is_tcp(name)) {
		r = stack_sock_set_tcp(
			a->s, c->sk,
			(enum tcp_opt)tcp_names[name - OPT_NODELAY], v, now);
		if (r == 0 && name == OPT_RCVBUF)
			size_queue(c, v);
		return r;
	}
	if (!is_sock(name))
		return -ENOPROTOOPT;
	r = stack_sock_set(a->s, c->sk, (enum sock_opt)sock_names[name], v);
	if (r == 0 && name == OPT_UDP_RCVBUF)
		size_queue(c, v);
	return r;
}

int ctlopt_get(struct api *a, struct api_sock *c, int32_t name, int64_t *ret)
{
	if (is_tcp(name)) {
		if (sock_type(c->sk) != SOCK_TCP)
			return -ENOPROTOOPT;
		*ret = stack_sock_get_tcp(
			a->s, c->sk,
			(enum tcp_opt)tcp_names[name - OPT_NODELAY]);
		return 0;
	}
	if (!is_sock(name))
		return -ENOPROTOOPT;
	*ret = stack_sock_get(a->s, c->sk, (enum sock_opt)sock_names[name]);
	return 0;
}

int ctlopt_set_cc(struct api *a, struct api_sock *c, const char *name,
		  mono_t now)
{
	enum tcp_cc_kind k;

	if (tcp_cc_by_name(name, &k) < 0)
		return -ENOENT;
	return stack_sock_set_tcp(a->s, c->sk, TCP_OPT_CC, k, now);
}
