/*
 * ctlopt.c: options of sockets, in the engine's terms. Levels, lengths and
 * Linux's errnos are the front end's business; ranges are checked here too.
 */
#include "api/impl.h"

#include <errno.h>
#include <sys/socket.h>

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

	if (name >= PROTO_OPT_TCP && name < PROTO_OPT_TCP + TCP_OPT__COUNT) {
		enum tcp_opt o = (enum tcp_opt)(name - PROTO_OPT_TCP);

		r = stack_sock_set_tcp(a->s, c->sk, o, v, now);
		if (r == 0 && o == TCP_OPT_RCVBUF)
			size_queue(c, v);
		return r;
	}
	if (name < PROTO_OPT_SOCK || name >= PROTO_OPT_SOCK + SOCK_OPT__COUNT)
		return -ENOPROTOOPT;
	r = stack_sock_set(a->s, c->sk, (enum sock_opt)name, v);
	if (r == 0 && name == SOCK_OPT_UDP_RCVBUF)
		size_queue(c, v);
	return r;
}

int ctlopt_get(struct api *a, struct api_sock *c, int32_t name, int64_t *ret)
{
	if (name >= PROTO_OPT_TCP && name < PROTO_OPT_TCP + TCP_OPT__COUNT) {
		if (sock_type(c->sk) != SOCK_TCP)
			return -ENOPROTOOPT;
		*ret = stack_sock_get_tcp(a->s, c->sk,
					  (enum tcp_opt)(name - PROTO_OPT_TCP));
		return 0;
	}
	if (name < PROTO_OPT_SOCK || name >= PROTO_OPT_SOCK + SOCK_OPT__COUNT)
		return -ENOPROTOOPT;
	*ret = stack_sock_get(a->s, c->sk, (enum sock_opt)name);
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
