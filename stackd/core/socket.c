#include "core/impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * What programs do with sockets: life, names, connections, data.
 */

/* ---- lists ----------------------------------------------------------------
 */

void core_mark_ready(struct stack *s, struct sock *sk)
{
	if (sk->flags & (SOCK_F_CHILD | SOCK_F_ORPHAN))
		return;
	if (list_empty(&sk->ready_node))
		list_push_tail(&s->ready, &sk->ready_node);
}

void core_mark_dirty(struct stack *s, struct sock *sk)
{
	if (list_empty(&sk->out_node))
		list_push_tail(&s->dirty, &sk->out_node);
}

static void drop_children(struct stack *s, struct sock *l, mono_t now)
{
	struct list *n;

	while ((n = list_pop_head(&l->listen->accept_queue))) {
		struct sock *c = container_of(n, struct sock, ready_node);

		c->flags &= (uint16_t)~SOCK_F_CHILD;
		c->flags |= SOCK_F_ORPHAN;
		tcp_conn_abort(c->conn, now);
		core_mark_dirty(s, c);
	}
	l->listen->n_accept = 0;
}

void core_destroy(struct stack *s, struct sock *sk)
{
	bool held = (sk->flags & SOCK_F_HASHED) && !(sk->flags & SOCK_F_BOUND);

	if (sk->flags & SOCK_F_LISTEN) {
		struct list *n;

		while ((n = list_pop_head(&sk->listen->accept_queue)))
			core_destroy(s,
				     container_of(n, struct sock, ready_node));
		s->n_listeners--;
	}
	table_remove(&s->conns, sk);
	if (held)
		ports_drop(&s->ports, sk->local.addr.family, sk->local.port);
	ports_release(&s->ports, sk);
	heap_remove(&s->timers, sk);
	list_remove(&sk->ready_node);
	list_remove(&sk->out_node);
	sock_free(sk, &s->pool);
	s->n_socks--;
}

void core_settle(struct stack *s, struct sock *sk, mono_t now)
{
	enum tcp_state st;

	if (sk->flags & SOCK_F_LISTEN) {
		(void)!heap_set(&s->timers, sk,
				tcp_listener_deadline(sk->listen->tcp));
		return;
	}
	if (sk->type == SOCK_UDP)
		return;
	st = tcp_conn_state(sk->conn);
	if (sk->flags & SOCK_F_ORPHAN) {
		if (st == TCP_S_CLOSED) {
			core_destroy(s, sk);
			return;
		}
		if (st == TCP_S_TIME_WAIT) {
			tw_adopt(s, sk, now);
			return;
		}
	} else if (st == TCP_S_CLOSED && (sk->flags & SOCK_F_HASHED)) {
		/* the tuple is free again though the program still looks at
		 * its socket */
		if (!(sk->flags & SOCK_F_BOUND))
			ports_drop(&s->ports, sk->local.addr.family,
				   sk->local.port);
		table_remove(&s->conns, sk);
		core_mark_ready(s, sk);
	}
	(void)!heap_set(&s->timers, sk, tcp_conn_deadline(sk->conn));
}

/* ---- life ---- */

int stack_sock_new(struct stack *s, enum sock_type type, enum ip_family family,
		   const struct sock_owner *owner, void *user,
		   struct sock **ret)
{
	struct sock *sk;

	if (s->n_socks >= s->cfg.sock_max) {
		s->counters.sock_limit++;
		return -ENFILE;
	}
	sk = sock_alloc(type, &s->tcp);
	if (!sk)
		return -ENOMEM;
	sk->family = (uint8_t)family;
	sk->local.addr = ip_any(family);
	sk->owner = *owner;
	sk->user = user;
	sk->id = s->next_id++;
	s->n_socks++;
	*ret = sk;
	return 0;
}

struct sock *core_new_child(struct stack *s, struct sock *l,
			    const struct tcp_request *req, mono_t now)
{
	struct tcp_path tp;
	struct ip_path path;
	struct sock *c;

	if (stack_sock_new(s, SOCK_TCP, (enum ip_family)l->family, &l->owner,
			   NULL, &c) < 0)
		return NULL;
	c->local = (struct ip_port){.addr = req->tuple.local,
				    .port = req->tuple.local_port,
				    .scope = req->tuple.scope};
	c->remote = (struct ip_port){.addr = req->tuple.remote,
				     .port = req->tuple.remote_port,
				     .scope = req->tuple.scope};
	if (ip_path(s->ips, &c->remote.addr, &c->local.addr, req->tuple.scope,
		    &path) < 0 ||
	    core_tcp_path(s, &path, &tp) < 0 ||
	    ports_hold(&s->ports, c->local.addr.family, c->local.port) < 0) {
		core_destroy(s, c);
		return NULL;
	}
	sock_route_set(c, &path);
	c->linger = l->linger;
	c->ttl = l->ttl;
	c->tos = l->tos;
	c->bind_if = l->bind_if;
	c->flags = (uint16_t)((l->flags & (SOCK_F_REUSEADDR | SOCK_F_REUSEPORT |
					   SOCK_F_V6ONLY)) |
			      SOCK_F_CHILD | SOCK_F_CONNECTED);
	c->hash = table_hash(&s->cfg.key, &c->local.addr, c->local.port,
			     &c->remote.addr, c->remote.port);
	table_insert(&s->conns, c);
	tcp_conn_copy_opts(c->conn, sock_conn(l));
	tcp_conn_accept(c->conn, req, &tp, now);
	list_push_tail(&l->listen->accept_queue, &c->ready_node);
	l->listen->n_accept++;
	return c;
}

static void leave_groups(struct stack *s, struct sock_udp *u, mono_t now)
{
	for (unsigned i = 0; i < u->n_groups; i++)
		(void)!ip_group_leave(s->ips, u->groups[i].ifindex,
				      &u->groups[i].group, now);
	u->n_groups = 0;
}

static void orphan(struct stack *s, struct sock *sk, bool abort, mono_t now)
{
	if (sk->type == SOCK_UDP) {
		leave_groups(s, sk->udp, now);
		core_destroy(s, sk);
		return;
	}
	if (sk->flags & SOCK_F_LISTEN) {
		drop_children(s, sk, now);
		core_destroy(s, sk);
		return;
	}
	list_remove(&sk->ready_node);
	sk->flags |= SOCK_F_ORPHAN;
	sk->user = NULL;
	if (!(sk->flags & SOCK_F_HASHED)) {
		core_destroy(s, sk);
		return;
	}
	if (abort || sk->linger == 0)
		tcp_conn_abort(sk->conn, now);
	else
		tcp_conn_close(sk->conn, now);
	core_mark_dirty(s, sk);
}

void stack_sock_close(struct stack *s, struct sock *sk, mono_t now)
{
	orphan(s, sk, false, now);
}

void stack_sock_abort(struct stack *s, struct sock *sk, mono_t now)
{
	orphan(s, sk, true, now);
}

void stack_sock_reset(struct stack *s, struct sock *sk, mono_t now)
{
	if (sk->type != SOCK_TCP || !(sk->flags & SOCK_F_HASHED))
		return;
	tcp_conn_kill(sk->conn, ECONNABORTED, now);
	core_mark_dirty(s, sk);
	core_mark_ready(s, sk);
}

/* ---- names ---- */

/* Addresses of programs to ours: a v4-mapped one on a v6 socket means IPv4. */
static int internal_addr(const struct sock *sk, const struct ip_port *in,
			 struct ip_port *ret)
{
	*ret = *in;
	if (sk->family == IP_V4)
		return in->addr.family == IP_V4 ? 0 : -EAFNOSUPPORT;
	if (in->addr.family == IP_V4)
		return -EAFNOSUPPORT;
	if (!ip_is_v4_mapped(&in->addr))
		return 0;
	if (sk->flags & SOCK_F_V6ONLY)
		return -ENETUNREACH;
	ret->addr = ip_mapped_to_v4(&in->addr);
	return 0;
}

static int auto_port(struct stack *s, struct sock *sk,
		     const struct ip_addr *addr, uint16_t *ret)
{
	uint32_t range = (uint32_t)(s->cfg.port_hi - s->cfg.port_lo) + 1;
	uint32_t start = (uint32_t)(s->cfg.rand64(s->cfg.rand_arg) % range);

	/* [RFC6056 3.3.1] a random start; ports in use by anybody only when
	 * no other is left */
	for (uint32_t i = 0; i < range * 2; i++) {
		uint16_t port =
			(uint16_t)(s->cfg.port_lo + (start + i) % range);

		if (i < range &&
		    ports_find(&s->ports, (enum sock_type)sk->type, port))
			continue;
		if (ports_conflict(&s->ports, sk, addr, port, false))
			continue;
		*ret = port;
		return 0;
	}
	return -EAGAIN;
}

static bool bindable(struct stack *s, const struct sock *sk,
		     const struct ip_addr *a)
{
	if (ip_is_any(a) || (sk->flags & SOCK_F_FREEBIND) ||
	    ip_addr_is_local(s->ips, a))
		return true;
	return sk->type == SOCK_UDP &&
	       (ip_is_multicast(a) || ip_is_broadcast(a));
}

int stack_sock_bind(struct stack *s, struct sock *sk, const struct ip_port *at)
{
	struct ip_port p;
	int r = internal_addr(sk, at, &p);

	if (r < 0)
		return r == -ENETUNREACH ? -EINVAL : r;
	if (sk->flags & (SOCK_F_BOUND | SOCK_F_HASHED))
		return -EINVAL;
	if (!bindable(s, sk, &p.addr))
		return -EADDRNOTAVAIL;
	if (p.port == 0) {
		r = auto_port(s, sk, &p.addr, &p.port);
		if (r < 0)
			return -EADDRINUSE;
		sk->flags |= SOCK_F_AUTOPORT;
	} else if (ports_conflict(&s->ports, sk, &p.addr, p.port, false)) {
		return -EADDRINUSE;
	}
	r = ports_claim(&s->ports, sk, p.port);
	if (r < 0)
		return r;
	sk->local = p;
	return 0;
}

/* ---- connect ---- */

static bool tuple_free(struct stack *s, const struct sock *sk, uint32_t hash,
		       uint16_t port, mono_t now)
{
	struct tw_entry *tw;

	if (table_find(&s->conns, hash, &sk->local.addr, port, &sk->remote.addr,
		       sk->remote.port))
		return false;
	tw = tw_find(s, hash, &sk->local.addr, port, &sk->remote.addr,
		     sk->remote.port);
	if (!tw)
		return true;
	if (!tcp_timewait_reusable(&tw->tw, now))
		return false;
	tw_drop(s, tw);
	return true;
}

/* [RFC6056 3.3.4] a port for this destination: a keyed offset plus a counter
 * per bucket of destinations. */
static int connect_port(struct stack *s, struct sock *sk, mono_t now)
{
	uint32_t range = (uint32_t)(s->cfg.port_hi - s->cfg.port_lo) + 1;
	uint32_t off = table_hash(&s->cfg.key, &sk->local.addr, 0,
				  &sk->remote.addr, sk->remote.port);
	uint32_t *ctr = &s->port_counter[off >> 24];

	for (uint32_t i = 0; i < range; i++) {
		uint32_t step = *ctr + i;
		uint16_t port =
			(uint16_t)(s->cfg.port_lo + (off + step) % range);
		struct port_entry *e = ports_find(&s->ports, SOCK_TCP, port);
		uint32_t hash;

		if (e && !list_empty(&e->bound))
			continue;
		hash = table_hash(&s->cfg.key, &sk->local.addr, port,
				  &sk->remote.addr, sk->remote.port);
		if (!tuple_free(s, sk, hash, port, now))
			continue;
		*ctr = step + 1 +
		       (uint32_t)(s->cfg.rand64(s->cfg.rand_arg) & 7);
		if (ports_hold(&s->ports, sk->local.addr.family, port) < 0)
			return -ENOMEM;
		sk->local.port = port;
		sk->hash = hash;
		return 0;
	}
	return -EADDRNOTAVAIL;
}

/* Route, source address, port and a place in the table [RFC9293 3.9.1.1
 * MUST-43, MUST-44]. */
static int tcp_connect_names(struct stack *s, struct sock *sk,
			     struct tcp_path *tp, mono_t now)
{
	struct ip_path path;
	int r = ip_path(s->ips, &sk->remote.addr,
			ip_is_any(&sk->local.addr) ? NULL : &sk->local.addr,
			sk->bind_if ? sk->bind_if : sk->remote.scope, &path);

	if (r < 0)
		return r;
	r = core_tcp_path(s, &path, tp);
	if (r < 0)
		return r;
	sock_route_set(sk, &path);
	sk->local.addr = path.src;
	if (!(sk->flags & SOCK_F_BOUND)) {
		r = connect_port(s, sk, now);
	} else {
		sk->hash =
			table_hash(&s->cfg.key, &sk->local.addr, sk->local.port,
				   &sk->remote.addr, sk->remote.port);
		r = tuple_free(s, sk, sk->hash, sk->local.port, now)
			    ? 0
			    : -EADDRNOTAVAIL;
	}
	return r;
}

static int tcp_connect(struct stack *s, struct sock *sk, mono_t now)
{
	struct ip_port old = sk->local;
	struct tcp_path tp;
	struct tcp_tuple t;
	int r;

	/* [RFC9293 3.9.1.1 MUST-46] */
	if (ip_is_multicast(&sk->remote.addr) ||
	    ip_is_broadcast(&sk->remote.addr))
		return -ENETUNREACH;
	r = tcp_connect_names(s, sk, &tp, now);
	if (r < 0) {
		sk->local = old;
		return r;
	}
	t = (struct tcp_tuple){
		.local = sk->local.addr,
		.remote = sk->remote.addr,
		.local_port = sk->local.port,
		.remote_port = sk->remote.port,
		.scope = sk->remote.scope,
	};
	r = tcp_conn_open(sk->conn, &t, &tp, now);
	if (r < 0) {
		if (!(sk->flags & SOCK_F_BOUND))
			ports_drop(&s->ports, sk->local.addr.family,
				   sk->local.port);
		sk->local = old;
		return r;
	}
	sk->flags |= SOCK_F_CONNECTED;
	table_insert(&s->conns, sk);
	core_mark_dirty(s, sk);
	return 0;
}

static int udp_claim(struct stack *s, struct sock *sk)
{
	uint16_t port;
	int r;

	if (sk->flags & SOCK_F_BOUND)
		return 0;
	r = auto_port(s, sk, &sk->local.addr, &port);
	if (r < 0)
		return r;
	r = ports_claim(&s->ports, sk, port);
	if (r < 0)
		return r;
	sk->local.port = port;
	sk->flags |= SOCK_F_AUTOPORT;
	return 0;
}

static int udp_connect(struct stack *s, struct sock *sk,
		       const struct ip_port *to)
{
	struct ip_path path;
	uint32_t ifi = sk->bind_if ? sk->bind_if : to->scope;
	int r;

	if (ip_is_broadcast(&to->addr) && !sk->udp->broadcast)
		return -EACCES;
	if (!ifi && ip_is_multicast(&to->addr))
		ifi = sk->udp->mcast_if;
	r = ip_path(s->ips, &to->addr,
		    ip_is_any(&sk->local.addr) ? NULL : &sk->local.addr, ifi,
		    &path);
	if (r < 0)
		return r;
	r = udp_claim(s, sk);
	if (r < 0)
		return r;
	sock_route_set(sk, &path);
	sk->remote = *to;
	if (ip_is_any(&sk->local.addr))
		sk->local.addr = path.src;
	sk->flags |= SOCK_F_CONNECTED;
	return 0;
}

int stack_sock_connect(struct stack *s, struct sock *sk,
		       const struct ip_port *to, mono_t now)
{
	struct ip_port p;
	int r;

	if (to->addr.family == IP_NONE && sk->type == SOCK_UDP) {
		sk->flags &= (uint16_t)~SOCK_F_CONNECTED;
		if (sk->flags & SOCK_F_AUTOPORT)
			sk->local.addr = ip_any((enum ip_family)sk->family);
		return 0;
	}
	r = internal_addr(sk, to, &p);
	if (r < 0)
		return r;
	/* Linux: connecting to the unspecified address means this host. */
	if (ip_is_any(&p.addr))
		p.addr = ip_loopback((enum ip_family)p.addr.family);
	if (sk->type == SOCK_UDP)
		return udp_connect(s, sk, &p);
	if (sk->flags & (SOCK_F_CONNECTED | SOCK_F_LISTEN))
		return -EISCONN;
	sk->remote = p;
	r = tcp_connect(s, sk, now);
	if (r < 0)
		memset(&sk->remote, 0, sizeof(sk->remote));
	return r;
}

/* ---- listen ---- */

int stack_sock_listen(struct stack *s, struct sock *sk, uint32_t backlog,
		      mono_t now)
{
	struct sock_listen *l;
	struct ip_port any = {.addr = ip_any((enum ip_family)sk->family)};
	int r;

	(void)now;
	if (sk->type != SOCK_TCP)
		return -EOPNOTSUPP;
	if (sk->flags & SOCK_F_LISTEN) {
		sk->listen->backlog = backlog;
		tcp_listener_set_backlog(sk->listen->tcp, backlog);
		return 0;
	}
	if (sk->flags & SOCK_F_CONNECTED)
		return -EINVAL;
	if (!(sk->flags & SOCK_F_BOUND)) {
		r = stack_sock_bind(s, sk, &any);
		if (r < 0)
			return r;
	}
	if (ports_conflict(&s->ports, sk, &sk->local.addr, sk->local.port,
			   true))
		return -EADDRINUSE;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->tcp = tcp_listener_new(&s->tcp);
	if (!l->tcp) {
		free(l);
		return -ENOMEM;
	}
	list_init(&l->accept_queue);
	l->backlog = backlog;
	tcp_listener_set_backlog(l->tcp, backlog);
	sk->listen = l;
	sk->flags |= SOCK_F_LISTEN;
	s->n_listeners++;
	return 0;
}

struct sock *stack_sock_accept(struct stack *s, struct sock *listener)
{
	struct list *n = list_pop_head(&listener->listen->accept_queue);
	struct sock *c;

	if (!n)
		return NULL;
	listener->listen->n_accept--;
	c = container_of(n, struct sock, ready_node);
	c->flags &= (uint16_t)~SOCK_F_CHILD;
	core_mark_ready(s, c);
	return c;
}

void stack_sock_unaccept(struct stack *s, struct sock *listener,
			 struct sock *child)
{
	(void)s;
	list_remove(&child->ready_node);
	child->flags |= SOCK_F_CHILD;
	child->user = NULL;
	list_push_head(&listener->listen->accept_queue, &child->ready_node);
	listener->listen->n_accept++;
}

/* ---- TCP data ---- */

size_t stack_sock_write_reserve(struct stack *s, struct sock *sk, size_t max,
				struct iovec *iov, int *n)
{
	(void)s;
	return tcp_conn_write_reserve(sk->conn, max, iov, n);
}

void stack_sock_write_commit(struct stack *s, struct sock *sk, size_t used,
			     bool more, mono_t now)
{
	tcp_conn_write_commit(sk->conn, used, more, now);
	core_mark_dirty(s, sk);
}

size_t stack_sock_read_peek(struct stack *s, struct sock *sk, struct iovec *iov,
			    int *n)
{
	(void)s;
	return tcp_conn_read_peek(sk->conn, iov, n);
}

void stack_sock_read_consume(struct stack *s, struct sock *sk, size_t used,
			     mono_t now)
{
	tcp_conn_read_consume(sk->conn, used, now);
	core_mark_dirty(s, sk);
}

void stack_sock_shutdown(struct stack *s, struct sock *sk, mono_t now)
{
	tcp_conn_shutdown(sk->conn, now);
	core_mark_dirty(s, sk);
}

/* ---- UDP data
 * ---------------------------------------------------------------------------
 */

static size_t iov_total(const struct iovec *iov, int n)
{
	size_t len = 0;

	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	return len;
}

/* Path of one datagram; the connected peer's is kept. */
static int udp_route(struct stack *s, struct sock *sk, const struct ip_port *to,
		     const struct ip_port *from, struct ip_path *ret)
{
	const struct ip_addr *src = &sk->local.addr;
	uint32_t ifi = sk->bind_if ? sk->bind_if : to->scope;

	if (!from && (sk->flags & SOCK_F_CONNECTED) && to == &sk->remote &&
	    sk->route.gen == ip_path_gen(s->ips)) {
		sock_route_get(sk, ret);
		return 0;
	}
	if (from && from->scope)
		ifi = from->scope;
	if (from && from->addr.family != IP_NONE && !ip_is_any(&from->addr))
		src = &from->addr;
	if (!ifi && ip_is_multicast(&to->addr))
		ifi = sk->udp->mcast_if;
	/* A socket bound to a group or broadcast has no source of its own. */
	if (ip_is_any(src) || src->family != to->addr.family ||
	    ip_is_multicast(src) || ip_is_broadcast(src))
		src = NULL;
	return ip_path(s->ips, &to->addr, src, ifi, ret);
}

static int udp_dest(struct sock *sk, const struct ip_port *to,
		    struct ip_port *store, const struct ip_port **ret)
{
	int r;

	if (!to) {
		*ret = &sk->remote;
		return sk->flags & SOCK_F_CONNECTED ? 0 : -EDESTADDRREQ;
	}
	r = internal_addr(sk, to, store);
	if (r < 0)
		return r;
	if (store->port == 0)
		return -EINVAL;
	if (ip_is_any(&store->addr))
		store->addr = ip_loopback((enum ip_family)store->addr.family);
	if (ip_is_broadcast(&store->addr) && !sk->udp->broadcast)
		return -EACCES;
	*ret = store;
	return 0;
}

static struct pkt *udp_gather(struct stack *s, const struct iovec *iov, int n,
			      size_t len)
{
	struct pkt *p = pkt_new(&s->pool, len > PKT_SMALL_CAP - PKT_HEADROOM
						  ? PKT_LARGE
						  : PKT_SMALL);

	for (int i = 0; p && i < n; i++) {
		memcpy(pkt_data(p) + p->len, iov[i].iov_base, iov[i].iov_len);
		p->len += (uint32_t)iov[i].iov_len;
	}
	return p;
}

/* A copy for our own members of the group (IP_MULTICAST_LOOP). */
static void udp_loop_copy(struct stack *s, struct sock *sk,
			  const struct udp_out *u)
{
	struct udp_meta m = {
		.local = {.addr = u->path.dst, .port = u->dst_port},
		.remote = {.addr = u->path.src, .port = u->src_port},
		.ifindex = u->path.ifindex,
		.ttl = u->ttl,
		.tos = u->tos,
	};
	struct iovec iov = {pkt_data(u->p), u->p->len};
	struct pkt *c;

	if (!ip_is_multicast(&u->path.dst) || !sk->udp->mcast_loop)
		return;
	c = udp_gather(s, &iov, 1, u->p->len);
	if (c)
		core_udp_deliver(s, c, &m, true);
}

static uint8_t udp_ttl(const struct sock *sk, const struct ip_addr *dst)
{
	if (ip_is_multicast(dst))
		return (uint8_t)(sk->udp->mcast_ttl < 0 ? 1
							: sk->udp->mcast_ttl);
	return sk->ttl > 0 ? (uint8_t)sk->ttl : 0;
}

int stack_udp_send(struct stack *s, struct sock *sk, const struct ip_port *to,
		   const struct ip_port *from, const struct iovec *iov, int n,
		   uint16_t gso_size, mono_t now)
{
	size_t len = iov_total(iov, n);
	const struct ip_port *dst;
	struct ip_port store;
	struct udp_out *u;
	int r;

	(void)now;
	gso_size = gso_size ? gso_size : sk->udp->segment;
	r = -sk->error;
	sk->error = 0;
	if (r < 0)
		return r;
	r = udp_dest(sk, to, &store, &dst);
	if (r < 0)
		return r;
	if (len > UDP_PAYLOAD_MAX)
		return -EMSGSIZE;
	if (s->n_udp_out == UDP_OUT_MAX)
		return -EAGAIN;
	r = udp_claim(s, sk);
	if (r < 0)
		return r;
	u = &s->udp_out[(s->udp_head + s->n_udp_out) % UDP_OUT_MAX];
	r = udp_route(s, sk, dst, from, &u->path);
	if (r < 0)
		return r;
	/* IP_PMTUDISC_DO 2, _PROBE 3 and UDP_SEGMENT never fragment */
	if (((sk->pmtudisc >= 2 && sk->pmtudisc <= 3) || gso_size) &&
	    (gso_size ? MIN(len, gso_size) : len) + UDP_HDR_LEN +
			    (u->path.dst.family == IP_V4 ? 20 : 40) >
		    u->path.mtu)
		return -EMSGSIZE;
	u->p = udp_gather(s, iov, n, len);
	if (!u->p)
		return -ENOBUFS;
	u->src_port = sk->local.port;
	u->dst_port = dst->port;
	u->gso_size = gso_size;
	u->ttl = udp_ttl(sk, &dst->addr);
	u->tos = sk->tos;
	u->dont_fragment = sk->pmtudisc >= 2 && sk->pmtudisc <= 3;
	s->n_udp_out++;
	udp_loop_copy(s, sk, u);
	return 0;
}

bool stack_udp_peek(struct stack *s, struct sock *sk, struct udp_meta *ret,
		    struct iovec *ret_payload)
{
	struct pkt *p = sk->udp->rx_head;

	(void)s;
	if (!p)
		return false;
	udp_meta_load(p, ret);
	if (sk->family == IP_V6 && ret->local.addr.family == IP_V4) {
		ret->local.addr = ip_v4_to_mapped(&ret->local.addr);
		ret->remote.addr = ip_v4_to_mapped(&ret->remote.addr);
	}
	ret_payload->iov_base = pkt_data(p);
	ret_payload->iov_len =
		p->gso_size && p->len > p->gso_size ? p->gso_size : p->len;
	return true;
}

void stack_udp_pop(struct stack *s, struct sock *sk)
{
	struct sock_udp *u = sk->udp;
	struct pkt *p = u->rx_head;

	if (!p)
		return;
	if (p->gso_size && p->len > p->gso_size) {
		pkt_pull(p, p->gso_size);
		return;
	}
	u->rx_head = p->next;
	if (!u->rx_head)
		u->rx_tail = &u->rx_head;
	u->rx_bytes -= p->cap;
	pkt_free(&s->pool, p);
}
