#include "core/impl.h"

#include <errno.h>

/*
 * Frames out, in this order: admitted SYNs' answers and resets, connections,
 * datagrams, layer 3's own packets; what is addressed to ourselves goes round
 * through the loopback queue and back into input. "Dry" means that all of
 * these are.
 */

void core_reply(struct stack *s, const struct tcp_tuple *t,
		const struct tcp_out *out)
{
	struct reply *r;

	if (s->n_replies == REPLIES_MAX)
		return; /* the peer will ask again */
	r = &s->replies[(s->reply_head + s->n_replies++) % REPLIES_MAX];
	r->tuple = *t;
	r->out = *out;
	r->out.len = 0;
	r->out.n_iov = 0;
	r->out.gso_size = 0;
}

static uint32_t ip_header_len(const struct ip_addr *a)
{
	return a->family == IP_V4 ? 20 : 40;
}

/* [RFC8200 8.3] [RFC9293 3.7.1 MUST-16] [RFC9293 3.7.3 SHLD-6] */
int core_tcp_path(struct stack *s, const struct ip_path *path,
		  struct tcp_path *ret)
{
	uint32_t hdr = ip_header_len(&path->dst) + TCP_HDR_MIN;
	struct ip_iface_info info;
	int r = ip_iface_info(s->ips, path->ifindex, &info);

	if (r < 0)
		return r;
	ret->mss = (uint16_t)(MIN(path->mtu, 65535u) - hdr);
	ret->mss_advertise = (uint16_t)(MIN(info.config.mtu, 65535u) - hdr);
	/* room for the largest TCP header inside the largest packet */
	ret->gso_max = path->gso_max > hdr + 40
			       ? MIN(path->gso_max, 65535u) - hdr - 40
			       : 0;
	return 0;
}

int core_refresh_path(struct stack *s, struct sock *sk, mono_t now)
{
	struct tcp_path tp;
	struct ip_path path;
	int r;

	if (LIKELY(sk->route.gen == ip_path_gen(s->ips)))
		return 0;
	r = ip_path(s->ips, &sk->remote.addr, &sk->local.addr,
		    sk->bind_if ? sk->bind_if : sk->remote.scope, &path);
	if (r < 0)
		return r;
	sock_route_set(sk, &path);
	if (sk->type == SOCK_TCP) {
		r = core_tcp_path(s, &path, &tp);
		if (r < 0)
			return r;
		tcp_conn_set_path(sk->conn, &tp, now);
	}
	return 0;
}

/* ---- TCP --------------------------------------------------------------------
 */

static void build_tcp(struct ip_tx *tx, const struct ip_path *path,
		      const struct tcp_out *o)
{
	tx->path = path;
	tx->proto = IP_PROTO_TCP;
	tx->flow_label = 0;
	tx->dont_fragment = true;
	tx->l4_hdr_len = (uint16_t)tcp_header_emit(&o->h, tx->l4_hdr);
	tx->csum_offset = 16;
	tx->n_iov = o->n_iov;
	for (int i = 0; i < o->n_iov; i++)
		tx->iov[i] = o->iov[i];
	tx->payload_len = o->len;
	tx->gso_size = o->gso_size;
	tx->gso = FRAME_GSO_NONE;
	if (o->gso_size && o->len > o->gso_size)
		tx->gso = path->dst.family == IP_V4 ? FRAME_GSO_TCP4
						    : FRAME_GSO_TCP6;
	tx->frag_off = tx->frag_id = 0;
	tx->started = tx->done = false;
}

/* A frame to ourselves becomes a packet that arrives on the loopback. */
static void loop_back(struct stack *s, const struct frame *f)
{
	struct pkt *p;
	size_t len = frame_len(f);

	if (s->n_loop >= LOOP_MAX_PKTS)
		return;
	p = pkt_new(&s->pool,
		    len > PKT_SMALL_CAP - PKT_HEADROOM ? PKT_LARGE : PKT_SMALL);
	if (!p || frame_copy(f, pkt_data(p), pkt_tailroom(p)) < 0) {
		pkt_free(&s->pool, p);
		return;
	}
	p->len = (uint32_t)len;
	p->ifindex = f->ifindex;
	p->csum = PKT_CSUM_OK;
	p->gso_size = f->gso ? f->gso_size : 0;
	p->gso_segs = 1;
	*s->loop_tail = p;
	s->loop_tail = &p->next;
	s->n_loop++;
	s->counters.loopback_frames++;
}

/* 1: *ret is to be sent by a device. 0: nothing for a device. */
static int send_tx(struct stack *s, struct ip_tx *tx, struct frame *ret,
		   mono_t now)
{
	int r = ip_tx_next(s->ips, tx, ret, now);

	if (r <= 0)
		return r;
	if (!tx->path->loopback)
		return 1;
	loop_back(s, ret);
	return 0;
}

static bool out_reply(struct stack *s, struct frame *ret, mono_t now)
{
	while (s->n_replies) {
		struct reply *r = &s->replies[s->reply_head];
		struct ip_path path;
		struct ip_tx tx;

		s->reply_head = (s->reply_head + 1) % REPLIES_MAX;
		s->n_replies--;
		if (ip_path(s->ips, &r->tuple.remote, &r->tuple.local,
			    r->tuple.scope, &path) < 0)
			continue;
		build_tcp(&tx, &path, &r->out);
		tx.ttl = 0;
		tx.tos = r->out.ecn;
		if (send_tx(s, &tx, ret, now) == 1)
			return true;
	}
	return false;
}

static int out_listener(struct stack *s, struct sock *sk, struct frame *ret,
			mono_t now)
{
	struct tcp_tuple t;
	struct tcp_out o;

	while (tcp_listener_output(sk->listen->tcp, &o, &t, now)) {
		struct ip_path path;
		struct ip_tx tx;

		if (ip_path(s->ips, &t.remote, &t.local, t.scope, &path) < 0)
			continue;
		build_tcp(&tx, &path, &o);
		tx.ttl = 0;
		tx.tos = o.ecn;
		if (send_tx(s, &tx, ret, now) == 1)
			return 1;
	}
	return 0;
}

static int out_conn(struct stack *s, struct sock *sk, struct frame *ret,
		    mono_t now)
{
	struct tcp_out o;
	struct ip_path path;
	struct ip_tx tx;

	(void)!core_refresh_path(s, sk, now);
	while (tcp_conn_output(sk->conn, &o, now)) {
		int r;

		sock_route_get(sk, &path);
		build_tcp(&tx, &path, &o);
		tx.ttl = sk->ttl > 0 ? (uint8_t)sk->ttl : 0;
		tx.tos = (uint8_t)((sk->tos & ~3u) | o.ecn);
		r = send_tx(s, &tx, ret, now);
		if (r == 1)
			return 1;
		if (r == -EMSGSIZE)
			sk->route.gen = 0; /* look the path MTU up again */
		if (r < 0)
			(void)!core_refresh_path(s, sk, now);
	}
	return 0;
}

static bool out_socks(struct stack *s, struct frame *ret, mono_t now)
{
	while (!list_empty(&s->dirty)) {
		struct sock *sk =
			container_of(s->dirty.next, struct sock, out_node);
		int r = sk->flags & SOCK_F_LISTEN
				? out_listener(s, sk, ret, now)
				: out_conn(s, sk, ret, now);

		if (r == 1) {
			if (++s->burst >= BURST_FRAMES) {
				s->burst = 0;
				list_remove(&sk->out_node);
				list_push_tail(&s->dirty, &sk->out_node);
			}
			return true;
		}
		s->burst = 0;
		list_remove(&sk->out_node);
		core_settle(s, sk, now);
	}
	return false;
}

/* ---- UDP
 * ---------------------------------------------------------------------- */

static void build_udp(struct stack *s, uint32_t chunk)
{
	struct udp_out *u = &s->udp_cur;
	struct ip_tx *tx = &s->udp_tx;

	tx->path = &u->path;
	tx->proto = IP_PROTO_UDP;
	tx->flow_label = 0;
	tx->ttl = u->ttl;
	tx->tos = u->tos;
	tx->dont_fragment = u->dont_fragment;
	udp_header_emit(tx->l4_hdr, u->src_port, u->dst_port, chunk);
	tx->l4_hdr_len = UDP_HDR_LEN;
	tx->csum_offset = 6;
	tx->iov[0] = (struct iovec){pkt_data(u->p), chunk};
	tx->n_iov = chunk ? 1 : 0;
	tx->payload_len = chunk;
	tx->gso = FRAME_GSO_NONE;
	tx->gso_size = 0;
	tx->frag_off = tx->frag_id = 0;
	tx->started = tx->done = false;
}

static bool udp_next(struct stack *s)
{
	struct udp_out *u = &s->udp_cur;

	if (!s->n_udp_out)
		return false;
	*u = s->udp_out[s->udp_head];
	s->udp_head = (s->udp_head + 1) % UDP_OUT_MAX;
	s->n_udp_out--;
	s->udp_busy = true;
	build_udp(s, u->gso_size && u->p->len > u->gso_size ? u->gso_size
							    : u->p->len);
	return true;
}

/* The current datagram's last frame is out: the next piece of a UDP_SEGMENT
 * send, or the next datagram. */
static bool udp_advance(struct stack *s)
{
	struct udp_out *u = &s->udp_cur;
	uint32_t sent = s->udp_tx.payload_len;

	s->counters.udp_out++;
	pkt_pull(u->p, sent);
	if (u->p->len && u->gso_size) {
		build_udp(s, MIN(u->p->len, u->gso_size));
		return true;
	}
	pkt_free(&s->pool, u->p);
	u->p = NULL;
	s->udp_busy = false;
	return udp_next(s);
}

static bool out_udp(struct stack *s, struct frame *ret, mono_t now)
{
	bool more = s->udp_busy || udp_next(s);

	while (more) {
		int r = send_tx(s, &s->udp_tx, ret, now);

		if (r == 1)
			return true;
		if (r == 0 && s->udp_cur.path.loopback && !s->udp_tx.done)
			continue; /* a looped fragment; more follow */
		more = udp_advance(s);
	}
	return false;
}

/* ---- the door
 * -------------------------------------------------------------------- */

static bool out_ip(struct stack *s, struct frame *ret, mono_t now)
{
	while (ip_output(s->ips, ret, now)) {
		if (ret->ifindex != 1)
			return true;
		loop_back(s, ret);
	}
	return false;
}

/* One round of what was sent to ourselves. */
static bool loop_in(struct stack *s, mono_t now)
{
	struct pkt *p = s->loop_head;

	if (!p)
		return false;
	s->loop_head = NULL;
	s->loop_tail = &s->loop_head;
	s->n_loop = 0;
	while (p) {
		struct pkt *next = p->next;

		p->next = NULL;
		core_input(s, p, now);
		p = next;
	}
	return true;
}

/*
 * Looped packets can hold a SYN or data whose socket wants to be seen by the
 * caller first (SOCK_EV_PROBE, accept); the caller goes round ready and
 * output until both are dry, so it is enough to stop here when sockets wait.
 */
bool stack_output(struct stack *s, struct frame *ret, mono_t now)
{
	for (;;) {
		if (s->n_syns)
			core_admit_syns(s, now);
		if (out_reply(s, ret, now) || out_socks(s, ret, now) ||
		    out_udp(s, ret, now) || out_ip(s, ret, now))
			return true;
		core_drain_events(s, now);
		if (loop_in(s, now)) {
			if (!list_empty(&s->ready))
				return false;
			continue; /* layer 3 may have answered */
		}
		if (list_empty(&s->dirty) && !s->n_replies && !s->n_syns &&
		    !s->loop_head)
			return false;
	}
}
