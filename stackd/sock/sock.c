#include "sock/sock.h"

#include <stdlib.h>
#include <string.h>

#define UDP_RCVBUF_DEFAULT 212992

static size_t conn_offset(void)
{
	return (sizeof(struct sock) + 15) & ~(size_t)15;
}

static void common_init(struct sock *sk, enum sock_type type)
{
	list_init(&sk->port_node);
	list_init(&sk->ready_node);
	list_init(&sk->out_node);
	sk->type = (uint8_t)type;
	sk->linger = -1;
	sk->ttl = -1;
}

static struct sock *udp_alloc(void)
{
	struct sock *sk = calloc(1, sizeof(*sk));

	if (!sk)
		return NULL;
	common_init(sk, SOCK_UDP);
	sk->udp = calloc(1, sizeof(*sk->udp));
	if (!sk->udp) {
		free(sk);
		return NULL;
	}
	sk->udp->rx_tail = &sk->udp->rx_head;
	sk->udp->rcvbuf = sk->udp->sndbuf = UDP_RCVBUF_DEFAULT;
	sk->udp->mcast_ttl = 1;
	sk->udp->mcast_loop = true;
	return sk;
}

struct sock *sock_alloc(enum sock_type type, struct tcp_env *env)
{
	struct sock *sk;
	void *mem;

	if (type == SOCK_UDP)
		return udp_alloc();
	mem = aligned_alloc(16, (conn_offset() + tcp_conn_size() + 15) &
					~(size_t)15);
	if (!mem)
		return NULL;
	memset(mem, 0, conn_offset() + tcp_conn_size());
	sk = mem;
	common_init(sk, SOCK_TCP);
	sk->conn = tcp_conn_init((uint8_t *)mem + conn_offset(), env);
	return sk;
}

struct tcp_conn *sock_conn(const struct sock *sk)
{
	return (struct tcp_conn *)((uintptr_t)sk + conn_offset());
}

void sock_free(struct sock *sk, struct pkt_pool *pool)
{
	if (sk->type == SOCK_UDP) {
		pkt_free_chain(pool, sk->udp->rx_head);
		free(sk->udp);
	} else {
		if (sk->flags & SOCK_F_LISTEN) {
			tcp_listener_free(sk->listen->tcp);
			free(sk->listen);
		}
		tcp_conn_fini(sock_conn(sk));
	}
	free(sk);
}

/* [RFC9293 3.9.1.1 MUST-45] */
void sock_route_set(struct sock *sk, const struct ip_path *path)
{
	sk->route = (struct sock_route){
		.gen = path->gen,
		.ifindex = path->ifindex,
		.mtu = path->mtu,
		.gso_max = path->gso_max,
		.next_hop = path->next_hop,
		.loopback = path->loopback,
		.mtu_locked = path->mtu_locked,
	};
}

void sock_route_get(const struct sock *sk, struct ip_path *ret)
{
	*ret = (struct ip_path){
		.src = sk->local.addr,
		.dst = sk->remote.addr,
		.next_hop = sk->route.next_hop,
		.ifindex = sk->route.ifindex,
		.mtu = sk->route.mtu,
		.gso_max = sk->route.gso_max,
		.loopback = sk->route.loopback,
		.mtu_locked = sk->route.mtu_locked,
		.gen = sk->route.gen,
	};
}

static bool family_match(const struct sock *sk, const struct ip_addr *dst)
{
	if (sk->family == IP_V4 || dst->family == IP_V6)
		return sk->family == dst->family;
	/* v4 packet, v6 socket: dual unless it said otherwise or is bound to
	 * a v6 address */
	return !(sk->flags & SOCK_F_V6ONLY) &&
	       (sk->local.addr.family == IP_V4 || ip_is_any(&sk->local.addr));
}

unsigned sock_match_local(const struct sock *sk, const struct ip_addr *dst,
			  uint32_t ifindex)
{
	unsigned score = 1;

	if (!family_match(sk, dst))
		return 0;
	if (sk->bind_if) {
		if (sk->bind_if != ifindex)
			return 0;
		score += 2;
	}
	if (!ip_is_any(&sk->local.addr)) {
		if (!ip_eq(&sk->local.addr, dst))
			return 0;
		score += 4;
	}
	/* A native socket beats a dual one of the other family. */
	if (sk->family == dst->family)
		score += 1;
	return score;
}
