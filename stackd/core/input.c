#include "core/impl.h"

#include <errno.h>
#include <string.h>

/*
 * Packets in: ip_input() gives datagrams of our addresses; here they find
 * their socket. Nothing is sent: replies wait in rings for output.c.
 */

static void drop_rx(struct stack *s, struct ip_rx *rx)
{
	pkt_free(&s->pool, rx->pkt);
	rx->pkt = NULL;
}

/* ---- TCP ---------------------------------------------------------------- */

static int parse_seg(struct stack *s, struct ip_rx *rx, struct tcp_seg *seg)
{
	struct pkt *p = rx->pkt;
	int hl = tcp_header_parse(pkt_data(p), p->len, &seg->h);

	if (hl < 0) {
		s->tcp.stats.drops[TCP_DROP_BAD_HEADER]++;
		return hl;
	}
	pkt_pull(p, (uint32_t)hl);
	seg->len = p->len;
	seg->segs = p->gso_segs ? p->gso_segs : 1;
	seg->ecn = rx->ecn;
	seg->pkt = p;
	return 0;
}

struct sock *core_find_listener(struct stack *s, const struct ip_addr *local,
				uint16_t port, uint32_t ifindex, uint32_t hash)
{
	struct port_entry *e = ports_find(&s->ports, SOCK_TCP, port);
	struct sock *best = NULL;
	unsigned best_score = 0, ties = 0;

	if (!e)
		return NULL;
	LIST_FOREACH (n, &e->bound) {
		struct sock *sk = container_of(n, struct sock, port_node);
		unsigned score;

		if (!(sk->flags & SOCK_F_LISTEN))
			continue;
		score = sock_match_local(sk, local, ifindex);
		if (score > best_score) {
			best = sk;
			best_score = score;
			ties = 1;
		} else if (score && score == best_score) {
			/* SO_REUSEPORT: spread by the tuple's hash, the same
			 * choice for every packet of one connection */
			ties++;
			if (((uint64_t)hash * ties) >> 32 == ties - 1)
				best = sk;
		}
	}
	return best;
}

/* [RFC4861 7.3.1] What was sent has arrived: the way there works. */
static void confirm_way(struct stack *s, const struct sock *sk, mono_t now)
{
	struct ip_path path;

	sock_route_get(sk, &path);
	if (path.ifindex)
		ip_path_confirm(s->ips, &path, now);
}

static void to_conn(struct stack *s, struct sock *sk, struct tcp_seg *seg,
		    mono_t now)
{
	bool progress = seg->h.flags & TCP_ACK &&
			tcp_conn_seq_sent(sk->conn, TCP_SEQ(seg->h.ack.v - 1));

	tcp_conn_input(sk->conn, seg, now);
	if (progress)
		confirm_way(s, sk, now);
	core_mark_ready(s, sk);
	core_mark_dirty(s, sk);
}

static void listener_pass(struct stack *s, struct sock *l,
			  const struct tcp_tuple *t, struct tcp_seg *seg,
			  mono_t now)
{
	struct tcp_path tp = {0};
	struct ip_path path;
	struct tcp_out out;
	struct tcp_request req;
	struct sock *child;
	bool room = l->listen->n_accept <= l->listen->backlog;

	if (ip_path(s->ips, &t->remote, &t->local, t->scope, &path) < 0 ||
	    core_tcp_path(s, &path, &tp) < 0)
		return;
	switch (tcp_listener_input(l->listen->tcp, t, seg, &tp, room, &out,
				   &req, now)) {
	case TCP_LISTEN_REPLY:
		core_reply(s, t, &out);
		break;
	case TCP_LISTEN_ACCEPT:
		child = core_new_child(s, l, &req, now);
		if (!child)
			break;
		tcp_conn_input(child->conn, seg, now);
		core_mark_dirty(s, child);
		core_mark_ready(s, l);
		break;
	case TCP_LISTEN_NOTHING:
		break;
	}
	core_mark_dirty(s, l);
}

/* A segment that no connection wanted. True: seg->pkt is kept for later. */
static bool syn_later(struct stack *s, struct sock *l,
		      const struct tcp_tuple *t, struct tcp_seg *seg,
		      uint32_t ifindex)
{
	if (s->n_syns >= SYN_WAIT_MAX) {
		s->tcp.stats.drops[TCP_DROP_SYN_LIMIT]++;
		return true;
	}
	s->syns[s->n_syns++] = (struct syn_wait){*t, *seg, ifindex};
	seg->pkt = NULL;
	l->flags |= SOCK_F_PROBE;
	core_mark_ready(s, l);
	return true;
}

static void refuse(struct stack *s, const struct tcp_tuple *t,
		   const struct tcp_seg *seg)
{
	struct tcp_out out;

	s->tcp.stats.drops[TCP_DROP_NO_CONN]++;
	if (tcp_reset_for(seg, &out))
		core_reply(s, t, &out);
}

static bool is_syn(const struct tcp_seg *seg)
{
	return (seg->h.flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;
}

/* True when the record dealt with the segment. */
static bool to_timewait(struct stack *s, struct tw_entry *tw,
			const struct tcp_tuple *t, struct tcp_seg *seg,
			mono_t now)
{
	struct tcp_out out;
	mono_t until = tw->tw.until;

	switch (tcp_timewait_input(&tw->tw, &s->tcp, seg, &out, now)) {
	case TCP_TW_REPLY:
		core_reply(s, t, &out);
		break;
	case TCP_TW_REUSE:
		s->tcp.stats.timewait_reused++;
		tw_drop(s, tw);
		return false;
	case TCP_TW_NOTHING:
		break;
	}
	if (mono_leq(tw->tw.until, now))
		tw_drop(s, tw); /* RST */
	else if (tw->tw.until.ns != until.ns)
		tw_restart(s, tw);
	return true;
}

static void tcp_unmatched(struct stack *s, const struct tcp_tuple *t,
			  struct tcp_seg *seg, uint32_t ifindex, uint32_t hash,
			  mono_t now)
{
	struct tw_entry *tw = tw_find(s, hash, &t->local, t->local_port,
				      &t->remote, t->remote_port);
	struct sock *l;

	if (tw && to_timewait(s, tw, t, seg, now))
		return;
	l = core_find_listener(s, &t->local, t->local_port, ifindex, hash);
	if (!l) {
		refuse(s, t, seg);
	} else if (!is_syn(seg)) {
		listener_pass(s, l, t, seg, now);
	} else if (stack_port_suspended(s, t->local_port) ||
		   (ifindex != CORE_LOOPBACK_IFINDEX &&
		    stack_port_closed(s, t->local_port))) {
		refuse(s, t, seg);
	} else {
		syn_later(s, l, t, seg, ifindex);
	}
}

static void tcp_in(struct stack *s, struct ip_rx *rx, mono_t now)
{
	struct tcp_seg seg = {0};
	struct tcp_tuple t;
	struct sock *sk;
	uint32_t hash;

	/* [RFC9293 3.9.2.3, RFC1122 4.2.3.10 MUST-57] no TCP for groups */
	if (rx->multicast || parse_seg(s, rx, &seg) < 0) {
		drop_rx(s, rx);
		return;
	}
	hash = table_hash(&s->cfg.key, &rx->dst, seg.h.dst_port, &rx->src,
			  seg.h.src_port);
	sk = table_find(&s->conns, hash, &rx->dst, seg.h.dst_port, &rx->src,
			seg.h.src_port);
	if (LIKELY(sk != NULL)) {
		to_conn(s, sk, &seg, now);
	} else {
		t = (struct tcp_tuple){
			.local = rx->dst,
			.remote = rx->src,
			.local_port = seg.h.dst_port,
			.remote_port = seg.h.src_port,
			.scope = ip_is_link_local(&rx->dst) ? rx->ifindex : 0,
		};
		tcp_unmatched(s, &t, &seg, rx->ifindex, hash, now);
	}
	pkt_free(&s->pool, seg.pkt);
}

void core_admit_syns(struct stack *s, mono_t now)
{
	for (uint32_t i = 0; i < s->n_syns; i++) {
		struct syn_wait *w = &s->syns[i];
		const struct tcp_tuple *t = &w->tuple;
		uint32_t hash =
			table_hash(&s->cfg.key, &t->local, t->local_port,
				   &t->remote, t->remote_port);
		struct sock *l = core_find_listener(s, &t->local, t->local_port,
						    w->ifindex, hash);

		if (l)
			listener_pass(s, l, t, &w->seg, now);
		else
			refuse(s, t, &w->seg);
		pkt_free(&s->pool, w->seg.pkt);
	}
	s->n_syns = 0;
}

/* ---- UDP ---------------------------------------------------------------- */

static unsigned udp_score(const struct sock *sk, const struct udp_meta *m)
{
	unsigned score = sock_match_local(sk, &m->local.addr, m->ifindex);

	if (!score || !(sk->flags & SOCK_F_CONNECTED))
		return score;
	if (sk->remote.port != m->remote.port ||
	    !ip_eq(&sk->remote.addr, &m->remote.addr))
		return 0;
	return score + 16;
}

static void udp_push(struct stack *s, struct sock *sk, struct pkt *p,
		     const struct udp_meta *m)
{
	struct sock_udp *u = sk->udp;

	/* Linux counts the buffer, not the bytes; a datagram always fits an
	 * empty queue. */
	p = pkt_shrink(&s->pool, p);
	if (u->rx_head && u->rx_bytes + p->cap > u->rcvbuf) {
		s->counters.udp_rcvbuf_full++;
		pkt_free(&s->pool, p);
		return;
	}
	udp_meta_store(p, m);
	p->next = NULL;
	*u->rx_tail = p;
	u->rx_tail = &p->next;
	u->rx_bytes += p->cap;
	core_mark_ready(s, sk);
}

static struct pkt *pkt_clone(struct stack *s, struct pkt *p)
{
	struct pkt *c = pkt_new(&s->pool, p->len > PKT_SMALL_CAP - PKT_HEADROOM
						  ? PKT_LARGE
						  : PKT_SMALL);

	if (!c)
		return NULL;
	memcpy(pkt_data(c), pkt_data(p), p->len);
	c->len = p->len;
	c->gso_size = p->gso_size;
	c->ifindex = p->ifindex;
	return c;
}

/* A match for this socket: where its local address says nothing, a group or
 * broadcast reaches it as Linux's IP_MULTICAST_ALL does. */
static void udp_to_all(struct stack *s, struct port_entry *e, struct pkt *p,
		       const struct udp_meta *m)
{
	bool any = false;

	LIST_FOREACH (n, &e->bound) {
		struct sock *sk = container_of(n, struct sock, port_node);
		struct pkt *c;

		if (!udp_score(sk, m))
			continue;
		c = pkt_clone(s, p);
		if (!c)
			break;
		udp_push(s, sk, c, m);
		any = true;
	}
	if (!any)
		s->counters.udp_no_port++;
	pkt_free(&s->pool, p);
}

static struct sock *udp_best(struct stack *s, struct port_entry *e,
			     const struct udp_meta *m)
{
	struct sock *best = NULL;
	unsigned best_score = 0, ties = 0;
	uint32_t hash = 0;

	LIST_FOREACH (n, &e->bound) {
		struct sock *sk = container_of(n, struct sock, port_node);
		unsigned score = udp_score(sk, m);

		if (score > best_score) {
			best = sk;
			best_score = score;
			ties = 1;
		} else if (score && score == best_score &&
			   (sk->flags & SOCK_F_REUSEPORT)) {
			if (ties++ == 1)
				hash = table_hash(&s->cfg.key, &m->local.addr,
						  m->local.port,
						  &m->remote.addr,
						  m->remote.port);
			if (((uint64_t)hash * ties) >> 32 == ties - 1)
				best = sk;
		}
	}
	return best;
}

void core_udp_deliver(struct stack *s, struct pkt *p, const struct udp_meta *m,
		      bool multicast)
{
	struct port_entry *e = ports_find(&s->ports, SOCK_UDP, m->local.port);
	struct sock *sk = NULL;

	if (e && multicast) {
		udp_to_all(s, e, p, m);
		return;
	}
	if (e)
		sk = udp_best(s, e, m);
	if (sk) {
		s->counters.udp_in++;
		udp_push(s, sk, p, m);
	} else {
		pkt_free(&s->pool, p);
	}
}

/* [RFC1122 4.1.3.5] */
static void udp_in(struct stack *s, struct ip_rx *rx, mono_t now)
{
	struct udp_meta m = {
		.local.addr = rx->dst,
		.remote.addr = rx->src,
		.ifindex = rx->ifindex,
		.ttl = rx->ttl,
		.tos = rx->tos,
	};
	struct port_entry *e;
	struct pkt *p = rx->pkt;
	uint32_t off = p->off, len = p->len;

	if (udp_header_take(p, &m.remote.port, &m.local.port) < 0 ||
	    m.local.port == 0) {
		s->counters.udp_bad++;
		drop_rx(s, rx);
		return;
	}
	if (ip_is_link_local(&rx->src) && rx->src.family == IP_V6)
		m.remote.scope = rx->ifindex;
	e = ports_find(&s->ports, SOCK_UDP, m.local.port);
	if (!rx->multicast && (!e || !udp_best(s, e, &m))) {
		s->counters.udp_no_port++;
		p->off = off;
		p->len = len;
		ip_unreachable_port(s->ips, rx, now);
		drop_rx(s, rx);
		return;
	}
	core_udp_deliver(s, p, &m, rx->multicast);
}

/* ---- doors --------------------------------------------------------------- */

void core_input(struct stack *s, struct pkt *p, mono_t now)
{
	struct ip_rx rx;

	if (!ip_input(s->ips, p, &rx, now)) {
		core_drain_events(s, now);
		return;
	}
	if (rx.proto == IP_PROTO_TCP)
		tcp_in(s, &rx, now);
	else if (rx.proto == IP_PROTO_UDP)
		udp_in(s, &rx, now);
	else
		drop_rx(s, &rx);
}

/* ---- errors reported by layer 3 ---------------------------------------------
 */

static void keep_event(struct stack *s, const struct ip_event *ev)
{
	if (s->n_events == EVENTS_MAX)
		return; /* the operator sees the oldest, as ip_event() says */
	s->events[(s->ev_head + s->n_events++) % EVENTS_MAX] = *ev;
}

/* [RFC9293 3.9.2.2 MUST-54, SHLD-25] [RFC9293 3.9.1.8 MUST-47] */
static void tcp_error(struct stack *s, const struct ip_event *ev, mono_t now)
{
	struct tcp_tuple t = {
		.local = ev->local,
		.remote = ev->remote,
		.local_port = ev->local_port,
		.remote_port = ev->remote_port,
	};
	uint32_t hash = table_hash(&s->cfg.key, &t.local, t.local_port,
				   &t.remote, t.remote_port);
	struct sock *sk = table_find(&s->conns, hash, &t.local, t.local_port,
				     &t.remote, t.remote_port);
	tcp_seq_t seq = TCP_SEQ(ev->tcp_seq);

	if (!sk) {
		sk = core_find_listener(s, &t.local, t.local_port, ev->ifindex,
					hash);
		if (sk && ev->kind != IP_EV_PMTU)
			tcp_listener_icmp(sk->listen->tcp, &t, ev->error,
					  ev->hard, seq, now);
		return;
	}
	if (ev->kind == IP_EV_PMTU) {
		/* [RFC5927 7.2] only for data that is really in flight */
		if (tcp_conn_seq_sent(sk->conn, seq) &&
		    ip_pmtu_set(s->ips, &t.remote, ev->mtu, now) == 0)
			(void)!core_refresh_path(s, sk, now);
	} else {
		/* [RFC5461 4.1] a connection attempt ends on soft errors too,
		 * as programs know it from Linux */
		tcp_conn_icmp(sk->conn, ev->error,
			      ev->hard || tcp_conn_state(sk->conn) ==
						  TCP_S_SYN_SENT,
			      seq, now);
		core_mark_ready(s, sk);
	}
	core_mark_dirty(s, sk);
}

static void udp_error(struct stack *s, const struct ip_event *ev, mono_t now)
{
	struct udp_meta m = {
		.local = {.addr = ev->local, .port = ev->local_port},
		.remote = {.addr = ev->remote, .port = ev->remote_port},
		.ifindex = ev->ifindex,
	};
	struct port_entry *e = ports_find(&s->ports, SOCK_UDP, ev->local_port);
	struct sock *sk = e ? udp_best(s, e, &m) : NULL;

	if (!sk)
		return;
	if (ev->kind == IP_EV_PMTU) {
		(void)!ip_pmtu_set(s->ips, &ev->remote, ev->mtu, now);
		return;
	}
	/* [RFC1122 4.1.3.3] passed up; Linux tells connected sockets only */
	if ((sk->flags & (SOCK_F_CONNECTED | SOCK_F_RECVERR)) &&
	    (ev->hard || (sk->flags & SOCK_F_RECVERR))) {
		sk->error = ev->error;
		core_mark_ready(s, sk);
	}
}

void core_drain_events(struct stack *s, mono_t now)
{
	struct ip_event ev;

	while (ip_event(s->ips, &ev)) {
		bool packet = ev.kind == IP_EV_UNREACH ||
			      ev.kind == IP_EV_PMTU ||
			      ev.kind == IP_EV_NEIGH_FAILED;

		if (packet && ev.proto == IP_PROTO_TCP)
			tcp_error(s, &ev, now);
		else if (packet && ev.proto == IP_PROTO_UDP)
			udp_error(s, &ev, now);
		else
			keep_event(s, &ev);
	}
}
