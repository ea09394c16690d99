#include "core/impl.h"

/*
 * Walks over all sockets for the displays. *it counts buckets in its upper
 * half and entries inside a bucket in its lower half: connections first, then
 * ports, then TIME-WAIT records.
 */

static uint64_t pack(uint32_t bucket, uint32_t at)
{
	return (uint64_t)bucket << 32 | at;
}

static const char *ss_state(const struct sock *sk)
{
	static const char *const names[] = {
		[TCP_S_CLOSED] = "CLOSED",
		[TCP_S_SYN_SENT] = "SYN-SENT",
		[TCP_S_SYN_RECEIVED] = "SYN-RECV",
		[TCP_S_ESTABLISHED] = "ESTAB",
		[TCP_S_FIN_WAIT_1] = "FIN-WAIT-1",
		[TCP_S_FIN_WAIT_2] = "FIN-WAIT-2",
		[TCP_S_CLOSE_WAIT] = "CLOSE-WAIT",
		[TCP_S_CLOSING] = "CLOSING",
		[TCP_S_LAST_ACK] = "LAST-ACK",
		[TCP_S_TIME_WAIT] = "TIME-WAIT",
	};
	_Static_assert(ARRAY_SIZE(names) == TCP_S__COUNT, "a name per state");

	if (sk->flags & SOCK_F_LISTEN)
		return "LISTEN";
	if (sk->type == SOCK_UDP)
		return sk->flags & SOCK_F_CONNECTED ? "ESTAB" : "UNCONN";
	return names[tcp_conn_state(sk->conn)];
}

static void describe(const struct sock *sk, struct sock_info *ret)
{
	size_t unacked = 0, unsent = 0, unread = 0;

	*ret = (struct sock_info){
		.id = sk->id,
		.type = (enum sock_type)sk->type,
		.family = (enum ip_family)sk->family,
		.state = ss_state(sk),
		.owner = sk->owner,
		.orphan = sk->flags & SOCK_F_ORPHAN,
		.local = sk->local,
		.sk = (struct sock *)(uintptr_t)sk,
	};
	if (sk->flags & SOCK_F_CONNECTED)
		ret->remote = sk->remote;
	else
		ret->remote.addr = ip_any((enum ip_family)sk->family);
	if (sk->flags & SOCK_F_LISTEN) {
		ret->recv_queue = sk->listen->n_accept;
		ret->send_queue = sk->listen->backlog;
	} else if (sk->type == SOCK_UDP) {
		ret->recv_queue = sk->udp->rx_bytes;
	} else {
		ret->conn = sk->conn;
		tcp_conn_queues(sk->conn, &unacked, &unsent, &unread);
		ret->recv_queue = unread;
		ret->send_queue = unacked + unsent;
	}
}

static bool iter_conns(const struct stack *s, uint64_t *it,
		       struct sock_info *ret)
{
	uint32_t b = (uint32_t)(*it >> 32), at = (uint32_t)*it;

	for (; b <= s->conns.mask; b++, at = 0) {
		const struct sock *sk = s->conns.buckets[b];

		for (uint32_t i = 0; sk && i < at; i++)
			sk = sk->hash_next;
		if (!sk)
			continue;
		describe(sk, ret);
		*it = pack(b, at + 1);
		return true;
	}
	*it = pack(b, 0);
	return false;
}

/* The n-th socket bound in a bucket that is not among the connections. */
static const struct sock *bound_at(const struct port_entry *e, uint32_t n)
{
	for (; e; e = e->next)
		LIST_FOREACH (node, &e->bound) {
			const struct sock *sk =
				container_of(node, struct sock, port_node);

			if (!(sk->flags & SOCK_F_HASHED) && n-- == 0)
				return sk;
		}
	return NULL;
}

static bool iter_ports(const struct stack *s, uint64_t *it, uint32_t base,
		       struct sock_info *ret)
{
	uint32_t b = (uint32_t)(*it >> 32) - base, at = (uint32_t)*it;

	for (; b < PORTS_BUCKETS; b++, at = 0) {
		const struct sock *sk = bound_at(s->ports.buckets[b], at);

		if (!sk)
			continue;
		describe(sk, ret);
		*it = pack(base + b, at + 1);
		return true;
	}
	*it = pack(base + b, 0);
	return false;
}

static bool iter_timewait(const struct stack *s, uint64_t *it, uint32_t base,
			  struct sock_info *ret)
{
	uint32_t b = (uint32_t)(*it >> 32) - base, at = (uint32_t)*it;

	for (; b <= s->tw_mask; b++, at = 0) {
		const struct tw_entry *e = s->tw_buckets[b];

		for (uint32_t i = 0; e && i < at; i++)
			e = e->hash_next;
		if (!e)
			continue;
		*ret = (struct sock_info){
			.type = SOCK_TCP,
			.family = (enum ip_family)e->tw.tuple.local.family,
			.state = "TIME-WAIT",
			.local = {.addr = e->tw.tuple.local,
				  .port = e->tw.tuple.local_port},
			.remote = {.addr = e->tw.tuple.remote,
				   .port = e->tw.tuple.remote_port},
			.orphan = true,
		};
		*it = pack(base + b, at + 1);
		return true;
	}
	return false;
}

bool stack_iter_sock(const struct stack *s, uint64_t *it, struct sock_info *ret)
{
	uint32_t ports_base = s->conns.mask + 1;
	uint32_t tw_base = ports_base + PORTS_BUCKETS;

	if ((*it >> 32) < ports_base && iter_conns(s, it, ret))
		return true;
	if ((*it >> 32) < tw_base && iter_ports(s, it, ports_base, ret))
		return true;
	return iter_timewait(s, it, tw_base, ret);
}
