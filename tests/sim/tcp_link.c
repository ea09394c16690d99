#include "sim/tcp_link.h"

#include <stdlib.h>
#include <string.h>

#define POOL_LIMIT (256u << 20)
#define IP_HDR 20u
#define STEPS_MAX 10000 /* outputs in one instant: more is a spin */

void link_failed(const struct link *l, const char *expr, const char *file,
		 int line)
{
	fprintf(stderr, "%s:%d: %s\nseed %llu, at %.6f s\n", file, line, expr,
		(unsigned long long)l->cfg.seed, (double)l->now.ns / 1e9);
	for (int i = 0; i < 2; i++)
		if (l->h[i].conn)
			fprintf(stderr, "host %d: %s, error %d\n", i,
				tcp_state_name(tcp_conn_state(l->h[i].conn)),
				tcp_conn_error(l->h[i].conn));
	abort();
}

/* splitmix64 */
uint64_t link_rand(struct link *l)
{
	uint64_t z = (l->rng += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint32_t link_below(struct link *l, uint32_t n)
{
	return (uint32_t)(link_rand(l) % n);
}

bool link_chance(struct link *l, uint32_t per_mille)
{
	return per_mille && link_below(l, 1000) < per_mille;
}

static uint64_t env_rand(void *arg)
{
	return link_rand(arg);
}

static void check(struct link *l, const struct tcp_conn *c)
{
	if (!l->check_every || ++l->steps % l->check_every == 0)
		tcp_conn_check(c);
}

static struct tcp_path path_of(const struct link *l)
{
	return (struct tcp_path){.mss = l->cfg.mss,
				 .mss_advertise = l->cfg.mss,
				 .gso_max = l->cfg.gso_max};
}

static struct tcp_tuple tuple_of(int host)
{
	struct tcp_tuple t = {.local = ip_v4(10, 0, 0, 1),
			      .remote = ip_v4(10, 0, 0, 2),
			      .local_port = 40000,
			      .remote_port = 80};

	if (host == 0)
		return t;
	return (struct tcp_tuple){.local = t.remote,
				  .remote = t.local,
				  .local_port = t.remote_port,
				  .remote_port = t.local_port};
}

void link_init(struct link *l, const struct link_cfg *cfg)
{
	memset(l, 0, sizeof(*l));
	l->cfg = *cfg;
	l->rng = cfg->seed * 2 + 1;
	l->now = (mono_t){DUR_S(1000).ns};
	for (int i = 0; i < 2; i++) {
		struct link_host *h = &l->h[i];

		pkt_pool_init(&h->pool, POOL_LIMIT);
		h->env = (struct tcp_env){.rand64 = env_rand,
					  .rand_arg = l,
					  .pool = &h->pool,
					  .key = {cfg->seed, 77 + (uint64_t)i}};
		tcp_tune_default(&h->env.tune);
	}
}

static void free_conn(struct link_host *h)
{
	if (!h->conn)
		return;
	tcp_conn_fini(h->conn);
	free(h->conn);
	h->conn = NULL;
}

void link_fini(struct link *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->heap[i]);
	free(l->heap);
	for (int i = 0; i < 2; i++) {
		struct link_host *h = &l->h[i];

		free_conn(h);
		tcp_listener_free(h->listener);
		LINK_ASSERT(l, h->pool.used_bytes == 0);
		pkt_pool_fini(&h->pool);
	}
}

/* ---- the wire: a heap by time, then order --------------------------- */

static bool before(const struct link_seg *a, const struct link_seg *b)
{
	return a->at.ns != b->at.ns ? a->at.ns < b->at.ns : a->order < b->order;
}

static void heap_push(struct link *l, struct link_seg *s)
{
	size_t i = l->n++;

	if (l->n > l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->heap = realloc(l->heap, l->cap * sizeof(s));
		LINK_ASSERT(l, l->heap);
	}
	for (; i && before(s, l->heap[(i - 1) / 2]); i = (i - 1) / 2)
		l->heap[i] = l->heap[(i - 1) / 2];
	l->heap[i] = s;
}

static struct link_seg *heap_pop(struct link *l)
{
	struct link_seg *top = l->heap[0], *s = l->heap[--l->n];
	size_t i = 0;

	for (;;) {
		size_t k = 2 * i + 1;

		if (k >= l->n)
			break;
		if (k + 1 < l->n && before(l->heap[k + 1], l->heap[k]))
			k++;
		if (!before(l->heap[k], s))
			break;
		l->heap[i] = l->heap[k];
		i = k;
	}
	if (l->n)
		l->heap[i] = s;
	return top;
}

static struct link_seg *new_seg(struct link *l, int to,
				const struct tcp_header *h,
				const uint8_t *payload, uint32_t len,
				uint16_t segs)
{
	struct link_seg *s = calloc(1, sizeof(*s) + len);

	LINK_ASSERT(l, s);
	s->order = l->order++;
	s->to = to;
	s->len = len;
	s->segs = segs;
	s->hdr_len = (uint32_t)tcp_header_emit(h, s->hdr);
	memcpy(s->payload, payload, len);
	return s;
}

static void put_on_wire(struct link *l, int to, const struct tcp_header *h,
			const uint8_t *payload, uint32_t len, uint16_t segs,
			uint8_t ecn)
{
	struct link_seg *s = new_seg(l, to, h, payload, len, segs);
	uint64_t extra = 0;

	if (l->cfg.jitter.ns)
		extra = link_rand(l) % (uint64_t)l->cfg.jitter.ns;
	if (l->cfg.reorder.ns && link_chance(l, l->cfg.reorder_pm))
		extra += link_rand(l) % (uint64_t)l->cfg.reorder.ns;
	s->at = mono_add(l->now, DUR_NS(l->cfg.delay.ns + (int64_t)extra));
	s->ecn = ecn && link_chance(l, l->cfg.ce_pm) ? 3 : ecn;
	s->corrupt = link_chance(l, l->cfg.corrupt_pm);
	heap_push(l, s);
}

/* Over the network that the test supplies. */
static void carry(struct link *l, int to, const struct tcp_header *h,
		  const uint8_t *payload, uint32_t len, uint16_t segs,
		  uint8_t ecn)
{
	bool ce = false;
	mono_t at = l->carry(l, to, IP_HDR + (uint32_t)tcp_header_len(h) + len,
			     &ce, l->arg);
	struct link_seg *s;

	if (mono_is_never(at)) {
		l->lost += segs;
		return;
	}
	s = new_seg(l, to, h, payload, len, segs);
	s->at = at;
	s->ecn = ecn && ce ? 3 : ecn;
	heap_push(l, s);
}

static void transmit(struct link *l, int from, const struct tcp_header *h,
		     const uint8_t *payload, uint32_t len, uint16_t segs,
		     uint8_t ecn)
{
	l->wire_segs += segs;
	if (l->carry) {
		carry(l, !from, h, payload, len, segs, ecn);
		return;
	}
	if ((l->drop && l->drop(l, h, len, !from, l->arg)) ||
	    link_chance(l, l->cfg.loss_pm)) {
		l->lost += segs;
		return;
	}
	put_on_wire(l, !from, h, payload, len, segs, ecn);
	if (link_chance(l, l->cfg.dup_pm))
		put_on_wire(l, !from, h, payload, len, segs, ecn);
}

/* ---- what leaves a host --------------------------------------------- */

static void check_edge(struct link *l, int from, const struct tcp_header *h)
{
	struct link_host *host = &l->h[from];
	uint32_t unit;
	tcp_seq_t edge;
	uint8_t s;

	if (h->flags & TCP_RST || !(h->flags & TCP_ACK))
		return;
	s = host->scaled && !(h->flags & TCP_SYN) ? host->sent_wscale : 0;
	unit = 1u << s;
	edge = seq_add(h->ack, (uint32_t)h->wnd << s);
	if (host->edge_known && !l->lax)
		LINK_ASSERT(l, seq_diff(host->edge, edge) < (int32_t)unit);
	host->edge = host->edge_known ? seq_max(host->edge, edge) : edge;
	host->edge_known = true;
}

static void print_seg(const struct link *l, int from,
		      const struct tcp_header *h, uint32_t len)
{
	const char *names = "FSRPAUEC";
	char flags[9], *p = flags;

	for (int i = 0; i < 8; i++)
		if (h->flags & 1 << i)
			*p++ = names[i];
	*p = 0;
	printf("%.6f %d> %-5s seq %u len %u ack %u wnd %u",
	       (double)l->now.ns / 1e9, from, flags, h->seq.v, len, h->ack.v,
	       h->wnd);
	for (int i = 0; i < h->opt.n_sack; i++)
		printf(" sack %u-%u", h->opt.sack[i].left.v,
		       h->opt.sack[i].right.v);
	printf("\n");
}

static void send_segment(struct link *l, int from, const struct tcp_out *o,
			 const uint8_t *data, uint32_t at, uint32_t len,
			 uint16_t segs)
{
	struct tcp_header h = o->h;
	bool last = at + len == o->len;

	h.seq = seq_add(h.seq, at);
	if (!last)
		h.flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	if (at)
		h.flags &= (uint8_t)~TCP_CWR;
	transmit(l, from, &h, data + at, len, segs, o->ecn);
}

static void emit(struct link *l, int from, const struct tcp_out *o)
{
	uint8_t *data = malloc(o->len + 1);
	uint32_t at = 0, per;

	LINK_ASSERT(l, data && o->n_iov <= (int)ARRAY_SIZE(o->iov));
	for (int i = 0; i < o->n_iov; i++) {
		LINK_ASSERT(l, at + o->iov[i].iov_len <= o->len);
		memcpy(data + at, o->iov[i].iov_base, o->iov[i].iov_len);
		at += (uint32_t)o->iov[i].iov_len;
	}
	LINK_ASSERT(l, at == o->len);
	per = o->gso_size ? o->gso_size : o->len;
	/* [RFC6691 2] payload and options fit the MSS */
	LINK_ASSERT(l, l->lax || !o->len ||
			       per + tcp_header_len(&o->h) - TCP_HDR_MIN <=
				       l->cfg.mss);
	LINK_ASSERT(l, !o->gso_size || o->len > o->gso_size);
	LINK_ASSERT(l, !o->gso_size || o->len <= l->cfg.gso_max);
	if (o->h.flags & TCP_SYN) {
		l->h[from].scaled = o->h.opt.has_wscale;
		l->h[from].sent_wscale = o->h.opt.wscale;
		if (o->h.flags & TCP_ACK)
			l->h[!from].scaled = o->h.opt.has_wscale;
	}
	check_edge(l, from, &o->h);
	if (l->cfg.trace)
		print_seg(l, from, &o->h, o->len);
	l->h[from].frames++;
	l->h[from].acks += !o->len;
	if (!o->len || (l->cfg.gro && per < o->len && link_chance(l, 700))) {
		uint32_t n = per ? (o->len + per - 1) / per : 1;

		send_segment(l, from, o, data, 0, o->len, (uint16_t)n);
	} else {
		for (at = 0; at < o->len; at += per)
			send_segment(l, from, o, data, at,
				     MIN(per, o->len - at), 1);
	}
	free(data);
}

static void flush_conn(struct link *l, int i)
{
	struct link_host *h = &l->h[i];
	struct tcp_out o;
	int guard = 0;

	while (tcp_conn_output(h->conn, &o, l->now)) {
		emit(l, i, &o);
		check(l, h->conn);
		LINK_ASSERT(l, guard++ < STEPS_MAX);
	}
	check(l, h->conn);
	/* the law of the four doors */
	LINK_ASSERT(l, mono_lt(l->now, tcp_conn_deadline(h->conn)));
}

static void flush_listener(struct link *l)
{
	struct tcp_listener *ls = l->h[1].listener;
	struct tcp_tuple t;
	struct tcp_out o;
	int guard = 0;

	while (tcp_listener_output(ls, &o, &t, l->now)) {
		emit(l, 1, &o);
		LINK_ASSERT(l, guard++ < STEPS_MAX);
	}
	LINK_ASSERT(l, mono_lt(l->now, tcp_listener_deadline(ls)));
}

void link_flush(struct link *l)
{
	for (int i = 0; i < 2; i++)
		if (l->h[i].conn)
			flush_conn(l, i);
	if (l->h[1].listener)
		flush_listener(l);
}

/* ---- what arrives --------------------------------------------------- */

void link_listen(struct link *l)
{
	l->h[1].listener = tcp_listener_new(&l->h[1].env);
	LINK_ASSERT(l, l->h[1].listener);
	tcp_listener_set_backlog(l->h[1].listener, 8);
}

static struct tcp_conn *new_conn(struct link *l, struct link_host *h)
{
	void *mem = calloc(1, tcp_conn_size());

	LINK_ASSERT(l, mem && !h->conn);
	h->conn = tcp_conn_init(mem, &h->env);
	return h->conn;
}

void link_open(struct link *l)
{
	struct tcp_path path = path_of(l);
	struct tcp_tuple t = tuple_of(0);
	struct tcp_conn *c = l->h[0].conn;

	if (!c)
		c = new_conn(l, &l->h[0]);
	LINK_ASSERT(l, tcp_conn_open(c, &t, &path, l->now) == 0);
	check(l, c);
}

static void to_listener(struct link *l, struct tcp_seg *in)
{
	struct link_host *h = &l->h[1];
	struct tcp_path path = path_of(l);
	struct tcp_tuple t = tuple_of(1);
	struct tcp_request req;
	struct tcp_out o;

	switch (tcp_listener_input(h->listener, &t, in, &path, !h->accepted, &o,
				   &req, l->now)) {
	case TCP_LISTEN_NOTHING:
		break;
	case TCP_LISTEN_REPLY:
		emit(l, 1, &o);
		break;
	case TCP_LISTEN_ACCEPT:
		h->accepted = true;
		h->scaled = req.wscale_ok;
		new_conn(l, h);
		tcp_conn_accept(h->conn, &req, &path, l->now);
		if (l->on_accept)
			l->on_accept(l, l->arg);
		check(l, h->conn);
		tcp_conn_input(h->conn, in, l->now);
		check(l, h->conn);
		break;
	}
}

static void arrive(struct link *l, int to, struct tcp_seg *in)
{
	struct link_host *h = &l->h[to];
	struct tcp_out o;

	if (h->conn) {
		tcp_conn_input(h->conn, in, l->now);
		check(l, h->conn);
	} else if (h->listener) {
		to_listener(l, in);
	} else if (tcp_reset_for(in, &o)) {
		emit(l, to, &o);
	}
	pkt_free(&h->pool, in->pkt);
}

static void deliver(struct link *l, const struct link_seg *s)
{
	struct link_host *h = &l->h[s->to];
	struct tcp_seg in = {.len = s->len, .segs = s->segs, .ecn = s->ecn};
	int r = tcp_header_parse(s->hdr, s->hdr_len, &in.h);

	LINK_ASSERT(l, r == (int)s->hdr_len);
	if (s->corrupt)
		return; /* the checksum would not match */
	if (s->len) {
		in.pkt = pkt_new(&h->pool, PKT_LARGE);
		LINK_ASSERT(l, in.pkt);
		in.pkt->off += 60; /* where headers were */
		memcpy(pkt_data(in.pkt), s->payload, s->len);
		in.pkt->len = s->len;
	}
	arrive(l, s->to, &in);
}

void link_inject(struct link *l, int to, const struct tcp_header *h,
		 const void *payload, uint32_t len)
{
	struct link_host *host = &l->h[to];
	struct tcp_seg in = {.h = *h, .len = len, .segs = 1};

	if (len) {
		in.pkt = pkt_new(&host->pool, PKT_LARGE);
		LINK_ASSERT(l, in.pkt);
		memcpy(pkt_data(in.pkt), payload, len);
		in.pkt->len = len;
	}
	arrive(l, to, &in);
}

/* ---- time ----------------------------------------------------------- */

mono_t link_next(const struct link *l)
{
	mono_t t = l->n ? l->heap[0]->at : MONO_NEVER;

	for (int i = 0; i < 2; i++)
		if (l->h[i].conn)
			t = mono_min(t, tcp_conn_deadline(l->h[i].conn));
	if (l->h[1].listener)
		t = mono_min(t, tcp_listener_deadline(l->h[1].listener));
	return t;
}

void link_step(struct link *l, mono_t to)
{
	LINK_ASSERT(l, mono_leq(l->now, to));
	l->now = to;
	while (l->n && mono_leq(l->heap[0]->at, to)) {
		struct link_seg *s = heap_pop(l);

		deliver(l, s);
		free(s);
	}
	for (int i = 0; i < 2; i++) {
		struct tcp_conn *c = l->h[i].conn;

		if (c && mono_leq(tcp_conn_deadline(c), to)) {
			tcp_conn_expire(c, to);
			check(l, c);
		}
	}
}

void link_run_until(struct link *l, mono_t end)
{
	link_flush(l);
	while (mono_leq(link_next(l), end)) {
		link_step(l, link_next(l));
		link_flush(l);
	}
	l->now = mono_max(l->now, end);
}
