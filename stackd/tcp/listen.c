/*
 * Listeners: the table of half-open connections. Requests hang in a hash by
 * tuple and in one list per number of SYN-ACK retransmissions; time-outs are
 * equal within such a list, so it is sorted by itself and the next one due is
 * found without a heap.
 */
#include "tcp/conn.h"
#include "tcp/isn.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS_FIRST 16u
#define RETRIES_MAX 15         /* largest synack_retries that is honoured */
#define COOKIES_FOR DUR_S(192) /* after the last one was sent */

struct half {
	struct list by_time; /* in lists[retries] */
	struct half *next;   /* in the bucket */
	mono_t due;          /* of the next retransmission */
	uint8_t retries;     /* SYN-ACKs sent again on time-out */
	bool resend;         /* a SYN-ACK waits in output */
	struct tcp_request r;
};

struct tcp_listener {
	struct tcp_env *env;
	struct half **buckets;
	uint32_t n_buckets; /* power of two */
	uint32_t n, backlog;
	mono_t now;
	mono_t cookies_until; /* ACKs may carry cookies till then */
	struct list lists[RETRIES_MAX + 1];
	struct list resend; /* by_time of those with resend set */
};

struct tcp_listener *tcp_listener_new(struct tcp_env *env)
{
	struct tcp_listener *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->buckets = calloc(BUCKETS_FIRST, sizeof(struct half *));
	if (!l->buckets) {
		free(l);
		return NULL;
	}
	l->n_buckets = BUCKETS_FIRST;
	l->env = env;
	for (int i = 0; i <= RETRIES_MAX; i++)
		list_init(&l->lists[i]);
	list_init(&l->resend);
	return l;
}

void tcp_listener_free(struct tcp_listener *l)
{
	if (!l)
		return;
	for (uint32_t i = 0; i < l->n_buckets; i++) {
		while (l->buckets[i]) {
			struct half *h = l->buckets[i];

			l->buckets[i] = h->next;
			free(h);
		}
	}
	free(l->buckets);
	free(l);
}

void tcp_listener_set_backlog(struct tcp_listener *l, uint32_t backlog)
{
	l->backlog = backlog;
}

uint32_t tcp_listener_half_open(const struct tcp_listener *l)
{
	return l->n;
}

/* ---- the table ------------------------------------------------------ */

static struct half **bucket(const struct tcp_listener *l,
			    const struct tcp_tuple *t)
{
	uint64_t h = tcp_tuple_hash(&l->env->key, t, TCP_HASH_SYNQ);

	return &l->buckets[h & (l->n_buckets - 1)];
}

static bool same_tuple(const struct tcp_tuple *a, const struct tcp_tuple *b)
{
	return a->local_port == b->local_port &&
	       a->remote_port == b->remote_port && a->scope == b->scope &&
	       ip_eq(&a->local, &b->local) && ip_eq(&a->remote, &b->remote);
}

static struct half *find(const struct tcp_listener *l,
			 const struct tcp_tuple *t)
{
	struct half *h = *bucket(l, t);

	while (h && !same_tuple(&h->r.tuple, t))
		h = h->next;
	return h;
}

static void forget(struct tcp_listener *l, struct half *h)
{
	struct half **link = bucket(l, &h->r.tuple);

	while (*link != h)
		link = &(*link)->next;
	*link = h->next;
	list_remove(&h->by_time);
	l->n--;
	free(h);
}

/* Doubles the table; keeps the old one when memory is short. */
static void grow(struct tcp_listener *l)
{
	struct half **old = l->buckets, **v;
	uint32_t n_old = l->n_buckets;

	v = calloc((size_t)n_old * 2, sizeof(struct half *));
	if (!v)
		return;
	l->buckets = v;
	l->n_buckets = n_old * 2;
	for (uint32_t i = 0; i < n_old; i++) {
		while (old[i]) {
			struct half *h = old[i], **to;

			old[i] = h->next;
			to = bucket(l, &h->r.tuple);
			h->next = *to;
			*to = h;
		}
	}
	free(old);
}

static uint32_t synack_retries(const struct tcp_listener *l)
{
	return MIN(l->env->tune.synack_retries, (uint32_t)RETRIES_MAX);
}

static void schedule(struct tcp_listener *l, struct half *h, mono_t now)
{
	dur_t wait =
		dur_min(dur_mul(l->env->tune.rto_initial, 1ll << h->retries),
			l->env->tune.rto_max);

	h->due = mono_add(now, wait);
	h->resend = false;
	list_remove(&h->by_time);
	list_push_tail(&l->lists[h->retries], &h->by_time);
}

static struct half *remember(struct tcp_listener *l,
			     const struct tcp_request *r, mono_t now)
{
	struct half *h = calloc(1, sizeof(*h)), **to;

	if (!h)
		return NULL;
	if (l->n >= l->n_buckets)
		grow(l);
	h->r = *r;
	list_init(&h->by_time);
	to = bucket(l, &r->tuple);
	h->next = *to;
	*to = h;
	l->n++;
	schedule(l, h, now);
	return h;
}

/* ---- SYN, SYN-ACK --------------------------------------------------- */

static void request_from_syn(const struct tcp_listener *l,
			     const struct tcp_tuple *t,
			     const struct tcp_seg *in,
			     const struct tcp_path *path, struct tcp_request *r,
			     mono_t now)
{
	const struct tcp_options *o = &in->h.opt;
	const struct tcp_tune *tune = &l->env->tune;

	*r = (struct tcp_request){
		.tuple = *t,
		.irs = in->h.seq,
		.iss = tcp_isn(&l->env->key, t, now),
		.peer_mss =
			tcp_opt_peer_mss(o, (enum ip_family)t->remote.family),
		.mss_advertised = path->mss_advertise,
		.wscale_ok = tune->window_scaling && o->has_wscale,
		.snd_wscale = MIN(o->wscale, TCP_WSCALE_MAX),
		.rcv_wscale = tcp_opt_wscale_for(tune->rcvbuf_max),
		.sack_ok = tune->sack && o->sack_permitted,
		.ts_ok = tune->timestamps && o->has_ts,
		/* [RFC3168 6.1.1] [RFC9293 3.8.2 SHLD-8] both bits on the SYN
		   ask for ECN */
		.ecn_ok = tune->ecn != TCP_ECN_OFF &&
			  (in->h.flags & (TCP_ECE | TCP_CWR)) ==
				  (TCP_ECE | TCP_CWR),
		.ts_recent = o->ts_val,
		.ts_offset = tcp_ts_offset(&l->env->key, t),
		.peer_wnd = in->h.wnd,
		.created = now,
		.synack_sent = now,
	};
}

static void build_synack(const struct tcp_listener *l,
			 const struct tcp_request *r, struct tcp_out *ret,
			 mono_t now)
{
	*ret = (struct tcp_out){
		.h = {.src_port = r->tuple.local_port,
		      .dst_port = r->tuple.remote_port,
		      .seq = r->iss,
		      .ack = seq_add(r->irs, 1),
		      .flags = TCP_SYN | TCP_ACK | (r->ecn_ok ? TCP_ECE : 0),
		      .wnd = tcp_opt_syn_window(&l->env->tune),
		      .opt = {.has_mss = true,
			      .mss = r->mss_advertised,
			      .has_wscale = r->wscale_ok,
			      .wscale = r->rcv_wscale,
			      .sack_permitted = r->sack_ok,
			      .has_ts = r->ts_ok,
			      .ts_val = tcp_ts_now(r->ts_offset, now),
			      .ts_ecr = r->ts_recent}}};
	l->env->stats.segs_out++;
}

static enum tcp_listen_verdict drop(struct tcp_listener *l, enum tcp_drop why)
{
	l->env->stats.drops[why]++;
	return TCP_LISTEN_NOTHING;
}

static enum tcp_listen_verdict new_syn(struct tcp_listener *l,
				       const struct tcp_tuple *t,
				       const struct tcp_seg *in,
				       const struct tcp_path *path,
				       struct tcp_out *ret, mono_t now)
{
	uint32_t max = MAX(l->backlog, l->env->tune.syn_backlog_max);
	struct tcp_request r;
	uint32_t ts_val;

	request_from_syn(l, t, in, path, &r, now);
	if (l->n < max && remember(l, &r, now)) {
		build_synack(l, &r, ret, now);
		return TCP_LISTEN_REPLY;
	}
	if (!l->env->tune.syn_cookies)
		return drop(l, TCP_DROP_SYN_LIMIT);
	ts_val = tcp_ts_now(r.ts_offset, now);
	tcp_cookie_make(l->env, &r, &ts_val, now);
	build_synack(l, &r, ret, now);
	ret->h.opt.ts_val = ts_val;
	l->cookies_until = mono_add(now, COOKIES_FOR);
	l->env->stats.cookies_sent++;
	return TCP_LISTEN_REPLY;
}

/* ---- segments for a half-open connection (SYN-RECEIVED) ------------- */

static void build_ack(const struct tcp_request *r, struct tcp_out *ret,
		      const struct tcp_tune *t, mono_t now)
{
	*ret = (struct tcp_out){
		.h = {.src_port = r->tuple.local_port,
		      .dst_port = r->tuple.remote_port,
		      .seq = seq_add(r->iss, 1),
		      .ack = seq_add(r->irs, 1),
		      .flags = TCP_ACK,
		      .wnd = (uint16_t)(tcp_opt_syn_window(t) >>
					(r->wscale_ok ? r->rcv_wscale : 0)),
		      .opt = {.has_ts = r->ts_ok,
			      .ts_val = tcp_ts_now(r->ts_offset, now),
			      .ts_ecr = r->ts_recent}}};
}

static enum tcp_listen_verdict challenge(struct tcp_listener *l,
					 const struct tcp_request *r,
					 struct tcp_out *ret, mono_t now)
{
	if (!tcp_env_challenge_ok(l->env, now))
		return TCP_LISTEN_NOTHING;
	build_ack(r, ret, &l->env->tune, now);
	return TCP_LISTEN_REPLY;
}

static bool half_in_window(const struct tcp_listener *l,
			   const struct tcp_request *r,
			   const struct tcp_seg *in)
{
	tcp_seq_t nxt = seq_add(r->irs, 1);

	return seq_in(in->h.seq, nxt,
		      seq_add(nxt, tcp_opt_syn_window(&l->env->tune)));
}

static enum tcp_listen_verdict half_rst(struct tcp_listener *l, struct half *h,
					const struct tcp_seg *in,
					struct tcp_out *ret, mono_t now)
{
	if (!half_in_window(l, &h->r, in))
		return drop(l, TCP_DROP_WINDOW);
	if (!seq_eq(in->h.seq, seq_add(h->r.irs, 1))) {
		drop(l, TCP_DROP_RST_SEQ); /* [RFC5961 3.2] */
		return challenge(l, &h->r, ret, now);
	}
	l->env->stats.resets_in++;
	forget(l, h); /* [RFC9293 3.10.7.4] passive: back to LISTEN */
	return TCP_LISTEN_NOTHING;
}

static enum tcp_listen_verdict half_syn(struct tcp_listener *l, struct half *h,
					const struct tcp_seg *in,
					struct tcp_out *ret, mono_t now)
{
	if (seq_eq(in->h.seq, h->r.irs)) { /* the SYN-ACK was lost */
		if (h->r.ts_ok && in->h.opt.has_ts)
			h->r.ts_recent = in->h.opt.ts_val;
		h->r.synack_sent = MONO_NEVER;
		build_synack(l, &h->r, ret, now);
		return TCP_LISTEN_REPLY;
	}
	if (half_in_window(l, &h->r, in)) {
		/* [RFC9293 3.10.7.4 fourth] passive: back to LISTEN */
		forget(l, h);
		return drop(l, TCP_DROP_SYN_IN_CONN);
	}
	drop(l, TCP_DROP_WINDOW);
	return challenge(l, &h->r, ret, now);
}

static bool half_paws_ok(const struct tcp_request *r, const struct tcp_seg *in)
{
	return !r->ts_ok || !in->h.opt.has_ts ||
	       (int32_t)(in->h.opt.ts_val - r->ts_recent) >= 0;
}

/* The SYN came twice, once when the table was full: a cookie is on its way
 * too, and the peer may have taken that one. */
static bool answers_cookie(struct tcp_listener *l, const struct half *h,
			   const struct tcp_seg *in,
			   struct tcp_request *ret_req, mono_t now)
{
	if (mono_lt(l->cookies_until, now) ||
	    !tcp_cookie_check(l->env, &h->r.tuple, in, ret_req, now))
		return false;
	ret_req->mss_advertised = h->r.mss_advertised;
	l->env->stats.cookies_ok++;
	return true;
}

static enum tcp_listen_verdict half_ack(struct tcp_listener *l, struct half *h,
					const struct tcp_seg *in,
					bool accept_room, struct tcp_out *ret,
					struct tcp_request *ret_req, mono_t now)
{
	if (!half_paws_ok(&h->r, in)) {
		drop(l, TCP_DROP_PAWS);
		return challenge(l, &h->r, ret, now);
	}
	if (!half_in_window(l, &h->r, in)) {
		drop(l, TCP_DROP_WINDOW);
		return challenge(l, &h->r, ret, now);
	}
	if (!seq_eq(in->h.ack, seq_add(h->r.iss, 1))) {
		if (accept_room && answers_cookie(l, h, in, ret_req, now)) {
			forget(l, h);
			return TCP_LISTEN_ACCEPT;
		}
		/* [RFC9293 3.10.7.4 fifth] */
		drop(l, TCP_DROP_ACK_RANGE);
		return tcp_reset_for(in, ret) ? TCP_LISTEN_REPLY
					      : TCP_LISTEN_NOTHING;
	}
	if (!accept_room)
		return drop(l, TCP_DROP_BACKLOG);
	*ret_req = h->r;
	forget(l, h);
	return TCP_LISTEN_ACCEPT;
}

static enum tcp_listen_verdict half_input(struct tcp_listener *l,
					  struct half *h,
					  const struct tcp_seg *in,
					  bool accept_room, struct tcp_out *ret,
					  struct tcp_request *ret_req,
					  mono_t now)
{
	uint8_t f = in->h.flags;

	if (f & TCP_RST)
		return half_rst(l, h, in, ret, now);
	if (f & TCP_SYN)
		return half_syn(l, h, in, ret, now);
	if (!(f & TCP_ACK))
		return drop(l, TCP_DROP_NO_ACK);
	return half_ack(l, h, in, accept_room, ret, ret_req, now);
}

/* ---- the door ------------------------------------------------------- */

/* [RFC9293 3.9.2.3 MUST-57, MUST-63] Both ends must be single hosts.
 * [RFC1122 4.2.3.10] */
static bool unicast(const struct tcp_tuple *t)
{
	return !ip_is_multicast(&t->local) && !ip_is_broadcast(&t->local) &&
	       !ip_is_multicast(&t->remote) && !ip_is_broadcast(&t->remote) &&
	       !ip_is_any(&t->remote);
}

/* [RFC9293 3.10.7.2 second] an ACK for a listener: a cookie, or a RST. */
static enum tcp_listen_verdict stray_ack(
	struct tcp_listener *l, const struct tcp_tuple *t,
	const struct tcp_seg *in, const struct tcp_path *path, bool accept_room,
	struct tcp_out *ret, struct tcp_request *ret_req, mono_t now)
{
	if (mono_leq(now, l->cookies_until) && !(in->h.flags & TCP_SYN)) {
		if (tcp_cookie_check(l->env, t, in, ret_req, now)) {
			ret_req->mss_advertised = path->mss_advertise;
			if (!accept_room)
				return drop(l, TCP_DROP_BACKLOG);
			l->env->stats.cookies_ok++;
			return TCP_LISTEN_ACCEPT;
		}
		drop(l, TCP_DROP_COOKIE_BAD);
		/* Text or FIN of a handshake whose ACK a flood swallowed: a
		 * cookie cannot be read from it, but the text before it will
		 * come again. Not answered, so that it may. */
		if (in->len || in->h.flags & TCP_FIN)
			return TCP_LISTEN_NOTHING;
	} else {
		drop(l, TCP_DROP_NO_CONN);
	}
	l->env->stats.resets_out++;
	return tcp_reset_for(in, ret) ? TCP_LISTEN_REPLY : TCP_LISTEN_NOTHING;
}

enum tcp_listen_verdict tcp_listener_input(
	struct tcp_listener *l, const struct tcp_tuple *t,
	const struct tcp_seg *in, const struct tcp_path *path, bool accept_room,
	struct tcp_out *ret_out, struct tcp_request *ret_req, mono_t now)
{
	struct half *h = find(l, t);
	uint8_t f = in->h.flags;

	l->now = now;
	if (h)
		return half_input(l, h, in, accept_room, ret_out, ret_req, now);
	if (f & TCP_RST) /* [RFC9293 3.10.7.2 first] */
		return drop(l, TCP_DROP_NO_CONN);
	if (f & TCP_ACK)
		return stray_ack(l, t, in, path, accept_room, ret_out, ret_req,
				 now);
	if (!(f & TCP_SYN)) /* fourth */
		return drop(l, TCP_DROP_NO_ACK);
	if (!unicast(t))
		return drop(l, TCP_DROP_BAD_HEADER);
	if (f & TCP_FIN) /* never sent by a TCP; a scanner's */
		return drop(l, TCP_DROP_BAD_HEADER);
	if (!accept_room)
		return drop(l, TCP_DROP_BACKLOG);
	return new_syn(l, t, in, path, ret_out, now);
}

/* ---- time ----------------------------------------------------------- */

mono_t tcp_listener_deadline(const struct tcp_listener *l)
{
	mono_t first = MONO_NEVER;

	if (!list_empty(&l->resend))
		return l->now;
	for (int i = 0; i <= RETRIES_MAX; i++) {
		const struct half *h;

		if (list_empty(&l->lists[i]))
			continue;
		h = container_of(l->lists[i].next, struct half, by_time);
		first = mono_min(first, h->due);
	}
	return first;
}

static void expire_list(struct tcp_listener *l, uint32_t retries, mono_t now)
{
	struct list *head = &l->lists[retries];

	while (!list_empty(head)) {
		struct half *h = container_of(head->next, struct half, by_time);

		if (mono_lt(now, h->due))
			return;
		if (retries >= synack_retries(l)) {
			l->env->stats.failed_opens++;
			forget(l, h);
			continue;
		}
		h->retries++;
		h->resend = true;
		list_remove(&h->by_time);
		list_push_tail(&l->resend, &h->by_time);
	}
}

void tcp_listener_expire(struct tcp_listener *l, mono_t now)
{
	l->now = now;
	for (uint32_t i = 0; i <= RETRIES_MAX; i++)
		expire_list(l, i, now);
}

bool tcp_listener_output(struct tcp_listener *l, struct tcp_out *ret,
			 struct tcp_tuple *ret_tuple, mono_t now)
{
	struct half *h;

	l->now = now;
	tcp_listener_expire(l, now);
	if (list_empty(&l->resend))
		return false;
	h = container_of(l->resend.next, struct half, by_time);
	h->r.synack_sent = MONO_NEVER; /* [RFC6298 3] Karn */
	l->env->stats.retrans_segs++;
	build_synack(l, &h->r, ret, now);
	*ret_tuple = h->r.tuple;
	schedule(l, h, now);
	return true;
}

void tcp_listener_icmp(struct tcp_listener *l, const struct tcp_tuple *t,
		       int error, bool hard, tcp_seq_t seq, mono_t now)
{
	struct half *h = find(l, t);

	(void)error;
	l->now = now;
	/* [RFC5927 4.1] only about the SYN-ACK that was sent */
	if (h && hard && seq_eq(seq, h->r.iss))
		forget(l, h);
}
