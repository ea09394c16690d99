#include "core/impl.h"

#include <errno.h>

/*
 * Properties and options of sockets, and their readiness.
 */

/* ---- readiness --------------------------------------------------------------
 */

static unsigned listen_events(const struct sock *sk)
{
	return (sk->listen->n_accept ? SOCK_EV_ACCEPT : 0u) |
	       (sk->flags & SOCK_F_PROBE ? SOCK_EV_PROBE : 0u);
}

static unsigned udp_events(const struct stack *s, const struct sock *sk)
{
	return (sk->udp->rx_head ? SOCK_EV_IN : 0u) |
	       (s->n_udp_out < UDP_OUT_MAX ? SOCK_EV_OUT : 0u) |
	       (sk->error ? SOCK_EV_ERR : 0u);
}

static unsigned conn_events(const struct sock *sk)
{
	unsigned r = tcp_conn_ready(sk->conn);
	unsigned ev = 0;

	if (r & TCP_READY_IN)
		ev |= SOCK_EV_IN;
	if (r & TCP_READY_EOF)
		ev |= SOCK_EV_EOF;
	if (r & TCP_READY_OUT)
		ev |= SOCK_EV_OUT;
	if (r & TCP_READY_CONN)
		ev |= SOCK_EV_CONN;
	if (r & TCP_READY_ERR)
		ev |= SOCK_EV_ERR;
	if (r & TCP_READY_DONE)
		ev |= SOCK_EV_DONE;
	return ev;
}

unsigned stack_sock_events(const struct stack *s, const struct sock *sk)
{
	if (sk->type == SOCK_UDP)
		return udp_events(s, sk);
	return sk->flags & SOCK_F_LISTEN ? listen_events(sk) : conn_events(sk);
}

struct sock *stack_ready(struct stack *s, unsigned *ret_events)
{
	struct list *n = list_pop_head(&s->ready);
	struct sock *sk;

	if (!n)
		return NULL;
	sk = container_of(n, struct sock, ready_node);
	*ret_events = stack_sock_events(s, sk);
	sk->flags &= (uint16_t)~SOCK_F_PROBE;
	return sk;
}

/* ---- properties
 * --------------------------------------------------------------- */

void *sock_user(const struct sock *sk)
{
	return sk->user;
}

void sock_set_user(struct sock *sk, void *user)
{
	sk->user = user;
}

enum sock_type sock_type(const struct sock *sk)
{
	return (enum sock_type)sk->type;
}

enum ip_family sock_family(const struct sock *sk)
{
	return (enum ip_family)sk->family;
}

const struct sock_owner *sock_owner(const struct sock *sk)
{
	return &sk->owner;
}

uint64_t sock_id(const struct sock *sk)
{
	return sk->id;
}

int sock_error(struct sock *sk, bool clear)
{
	int e = sk->error;

	if (!e && sk->type == SOCK_TCP && !(sk->flags & SOCK_F_LISTEN) &&
	    !(sk->flags & SOCK_F_ERR_READ))
		e = tcp_conn_error(sk->conn);
	if (clear && e) {
		sk->error = 0;
		sk->flags |= SOCK_F_ERR_READ;
	}
	return e;
}

/* As the program sees it: IPv4 on a v6 socket is v4-mapped. */
static void outside_addr(const struct sock *sk, struct ip_port *p)
{
	if (sk->family == IP_V6 && p->addr.family == IP_V4)
		p->addr = ip_v4_to_mapped(&p->addr);
}

void sock_local(const struct sock *sk, struct ip_port *ret)
{
	*ret = sk->local;
	outside_addr(sk, ret);
}

int sock_remote(const struct sock *sk, struct ip_port *ret)
{
	if (!(sk->flags & SOCK_F_CONNECTED))
		return -ENOTCONN;
	*ret = sk->remote;
	outside_addr(sk, ret);
	return 0;
}

struct tcp_conn *sock_tcp(const struct sock *sk)
{
	return sk->type == SOCK_TCP && !(sk->flags & SOCK_F_LISTEN) ? sk->conn
								    : NULL;
}

bool sock_is_listener(const struct sock *sk)
{
	return sk->flags & SOCK_F_LISTEN;
}

void sock_backlog(const struct sock *sk, uint32_t *ret_now, uint32_t *ret_max)
{
	*ret_now = sk->listen->n_accept;
	*ret_max = sk->listen->backlog;
}

int stack_sock_mtu(struct stack *s, struct sock *sk)
{
	struct ip_path path;
	int r;

	if (!(sk->flags & SOCK_F_CONNECTED))
		return -ENOTCONN;
	r = ip_path(s->ips, &sk->remote.addr, &sk->local.addr, sk->bind_if,
		    &path);
	return r < 0 ? r : (int)path.mtu;
}

/* ---- options
 * ---------------------------------------------------------------------- */

static int set_flag(struct sock *sk, uint16_t flag, int64_t v)
{
	if (v)
		sk->flags |= flag;
	else
		sk->flags &= (uint16_t)~flag;
	return 0;
}

static int set_v6only(struct sock *sk, int64_t v)
{
	if (sk->family != IP_V6)
		return -ENOPROTOOPT;
	if (sk->flags & SOCK_F_BOUND)
		return -EINVAL;
	return set_flag(sk, SOCK_F_V6ONLY, v);
}

static int set_udp(struct sock *sk, enum sock_opt o, int64_t v)
{
	struct sock_udp *u = sk->udp;

	if (sk->type != SOCK_UDP) /* accepted and without effect, as Linux */
		return 0;
	if (o == SOCK_OPT_BROADCAST)
		u->broadcast = v != 0;
	else if (o == SOCK_OPT_MCAST_TTL && v >= -1 && v <= 255)
		u->mcast_ttl = (int16_t)(v < 0 ? 1 : v);
	else if (o == SOCK_OPT_MCAST_LOOP)
		u->mcast_loop = v != 0;
	else if (o == SOCK_OPT_MCAST_IF && v >= 0 && v <= INT32_MAX)
		u->mcast_if = (uint32_t)v;
	else if (o == SOCK_OPT_UDP_SEGMENT && v >= 0 && v <= UINT16_MAX)
		u->segment = (uint16_t)v;
	else if (o == SOCK_OPT_UDP_RCVBUF && v >= 0)
		u->rcvbuf = (uint32_t)CLAMP(v, 2304, 64 << 20);
	else if (o == SOCK_OPT_UDP_SNDBUF && v >= 0)
		u->sndbuf = (uint32_t)CLAMP(v, 4608, 64 << 20);
	else
		return -EINVAL;
	return 0;
}

/* [RFC1122 4.1.4] [RFC9293 3.9.1.9 MUST-48, SHLD-21, SHLD-22] [RFC9293 3.9.2
 * MUST-49] [RFC9293 3.9.1.8 SHLD-20] */
int stack_sock_set(struct stack *s, struct sock *sk, enum sock_opt o, int64_t v)
{
	switch (o) {
	case SOCK_OPT_REUSEADDR:
		return set_flag(sk, SOCK_F_REUSEADDR, v);
	case SOCK_OPT_REUSEPORT:
		return set_flag(sk, SOCK_F_REUSEPORT, v);
	case SOCK_OPT_V6ONLY:
		return set_v6only(sk, v);
	case SOCK_OPT_RECVERR:
		return set_flag(sk, SOCK_F_RECVERR, v);
	case SOCK_OPT_FREEBIND:
		return set_flag(sk, SOCK_F_FREEBIND, v);
	case SOCK_OPT_LINGER:
		sk->linger = (int32_t)CLAMP(v, -1, INT32_MAX);
		return 0;
	case SOCK_OPT_TTL:
		if (v != -1 && (v < 1 || v > 255))
			return -EINVAL;
		sk->ttl = (int16_t)v;
		return 0;
	case SOCK_OPT_TOS:
		if (v < 0 || v > 255)
			return -EINVAL;
		/* Linux: the ECN bits of TCP belong to TCP */
		sk->tos = (uint8_t)(sk->type == SOCK_TCP ? v & ~3 : v);
		return 0;
	case SOCK_OPT_BIND_IF: {
		struct ip_iface_info info;

		if (v && ip_iface_info(s->ips, (uint32_t)v, &info) < 0)
			return -ENODEV;
		sk->bind_if = (uint32_t)v;
		return 0;
	}
	case SOCK_OPT_MTU_DISCOVER:
		if (v < 0 || v > 5)
			return -EINVAL;
		sk->pmtudisc = (uint8_t)v;
		return 0;
	case SOCK_OPT_BROADCAST:
	case SOCK_OPT_MCAST_TTL:
	case SOCK_OPT_MCAST_LOOP:
	case SOCK_OPT_MCAST_IF:
	case SOCK_OPT_UDP_RCVBUF:
	case SOCK_OPT_UDP_SNDBUF:
	case SOCK_OPT_UDP_SEGMENT:
		return set_udp(sk, o, v);
	case SOCK_OPT__COUNT:
		break;
	}
	return -ENOPROTOOPT;
}

static int64_t get_udp(const struct sock *sk, enum sock_opt o)
{
	const struct sock_udp *u = sk->udp;

	if (sk->type != SOCK_UDP)
		return 0;
	if (o == SOCK_OPT_BROADCAST)
		return u->broadcast;
	if (o == SOCK_OPT_MCAST_TTL)
		return u->mcast_ttl;
	if (o == SOCK_OPT_MCAST_LOOP)
		return u->mcast_loop;
	if (o == SOCK_OPT_MCAST_IF)
		return u->mcast_if;
	if (o == SOCK_OPT_UDP_SEGMENT)
		return u->segment;
	return o == SOCK_OPT_UDP_RCVBUF ? u->rcvbuf : u->sndbuf;
}

int64_t stack_sock_get(const struct stack *s, const struct sock *sk,
		       enum sock_opt o)
{
	(void)s;
	switch (o) {
	case SOCK_OPT_REUSEADDR:
		return !!(sk->flags & SOCK_F_REUSEADDR);
	case SOCK_OPT_REUSEPORT:
		return !!(sk->flags & SOCK_F_REUSEPORT);
	case SOCK_OPT_V6ONLY:
		return !!(sk->flags & SOCK_F_V6ONLY);
	case SOCK_OPT_RECVERR:
		return !!(sk->flags & SOCK_F_RECVERR);
	case SOCK_OPT_FREEBIND:
		return !!(sk->flags & SOCK_F_FREEBIND);
	case SOCK_OPT_LINGER:
		return sk->linger;
	case SOCK_OPT_TTL:
		return sk->ttl;
	case SOCK_OPT_TOS:
		return sk->tos;
	case SOCK_OPT_BIND_IF:
		return sk->bind_if;
	case SOCK_OPT_MTU_DISCOVER:
		return sk->pmtudisc;
	case SOCK_OPT_BROADCAST:
	case SOCK_OPT_MCAST_TTL:
	case SOCK_OPT_MCAST_LOOP:
	case SOCK_OPT_MCAST_IF:
	case SOCK_OPT_UDP_RCVBUF:
	case SOCK_OPT_UDP_SEGMENT:
	case SOCK_OPT_UDP_SNDBUF:
		return get_udp(sk, o);
	case SOCK_OPT__COUNT:
		break;
	}
	return 0;
}

int stack_sock_set_tcp(struct stack *s, struct sock *sk, enum tcp_opt o,
		       int64_t v, mono_t now)
{
	int r;

	if (sk->type != SOCK_TCP)
		return -ENOPROTOOPT;
	r = tcp_conn_set_opt(sock_conn(sk), o, v, now);
	if (r == 0 && (sk->flags & SOCK_F_HASHED))
		core_mark_dirty(s, sk);
	return r;
}

int64_t stack_sock_get_tcp(const struct stack *s, const struct sock *sk,
			   enum tcp_opt o)
{
	(void)s;
	return tcp_conn_get_opt(sock_conn(sk), o);
}

/* ---- groups
 * ---------------------------------------------------------------------------
 */

static unsigned find_group(const struct sock_udp *u, uint32_t ifindex,
			   const struct ip_addr *group)
{
	unsigned i = 0;

	while (i < u->n_groups && (u->groups[i].ifindex != ifindex ||
				   !ip_eq(&u->groups[i].group, group)))
		i++;
	return i;
}

int stack_sock_join(struct stack *s, struct sock *sk, uint32_t ifindex,
		    const struct ip_addr *group, mono_t now)
{
	struct sock_udp *u = sk->udp;
	struct ip_path path;
	int r;

	if (sk->type != SOCK_UDP)
		return -ENOPROTOOPT;
	if (!ip_is_multicast(group))
		return -EINVAL;
	if (!ifindex) {
		r = ip_path(s->ips, group, NULL, 0, &path);
		if (r < 0)
			return -ENODEV;
		ifindex = path.ifindex;
	}
	if (find_group(u, ifindex, group) < u->n_groups)
		return -EADDRINUSE;
	if (u->n_groups == ARRAY_SIZE(u->groups))
		return -ENOBUFS;
	r = ip_group_join(s->ips, ifindex, group, now);
	if (r < 0)
		return r;
	u->groups[u->n_groups].ifindex = ifindex;
	u->groups[u->n_groups++].group = *group;
	return 0;
}

int stack_sock_leave(struct stack *s, struct sock *sk, uint32_t ifindex,
		     const struct ip_addr *group, mono_t now)
{
	struct sock_udp *u = sk->udp;
	unsigned i;
	int r;

	if (sk->type != SOCK_UDP)
		return -ENOPROTOOPT;
	for (i = 0; i < u->n_groups; i++)
		if (ip_eq(&u->groups[i].group, group) &&
		    (!ifindex || u->groups[i].ifindex == ifindex))
			break;
	if (i == u->n_groups)
		return -EADDRNOTAVAIL;
	r = ip_group_leave(s->ips, u->groups[i].ifindex, group, now);
	u->groups[i] = u->groups[--u->n_groups];
	return r;
}
