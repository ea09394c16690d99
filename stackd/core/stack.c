#include "core/impl.h"

#include <stdlib.h>

static uint64_t no_random(void *arg)
{
	uint64_t *x = arg;

	return *x = *x * 6364136223846793005u + 1442695040888963407u;
}

void stack_config_default(struct stack_config *ret)
{
	*ret = (struct stack_config){
		.pool_limit_bytes = (size_t)1 << 30,
		.sock_max = 100000,
		.timewait_max = 65536,
		.port_lo = 32768,
		.port_hi = 60999,
	};
	ip_tune_default(&ret->ip);
	tcp_tune_default(&ret->tcp);
}

static bool alloc_rings(struct stack *s)
{
	s->replies = calloc(REPLIES_MAX, sizeof(*s->replies));
	s->syns = calloc(SYN_WAIT_MAX, sizeof(*s->syns));
	s->udp_out = calloc(UDP_OUT_MAX, sizeof(*s->udp_out));
	s->events = calloc(EVENTS_MAX, sizeof(*s->events));
	return s->replies && s->syns && s->udp_out && s->events;
}

struct stack *stack_new(const struct stack_config *cfg)
{
	struct stack *s = calloc(1, sizeof(*s));
	struct ip_env env;

	if (!s)
		return NULL;
	s->cfg = *cfg;
	if (!s->cfg.rand64) {
		s->cfg.rand64 = no_random;
		s->cfg.rand_arg = &s->cfg.key.k1;
	}
	list_init(&s->ready);
	list_init(&s->dirty);
	list_init(&s->tw_age);
	s->loop_tail = &s->loop_head;
	s->next_id = 1;
	pkt_pool_init(&s->pool, cfg->pool_limit_bytes);
	env = (struct ip_env){s->cfg.rand64, s->cfg.rand_arg, &s->pool,
			      cfg->key, cfg->stable_key};
	s->tcp = (struct tcp_env){
		.rand64 = s->cfg.rand64,
		.rand_arg = s->cfg.rand_arg,
		.pool = &s->pool,
		.key = cfg->key,
		.tune = cfg->tcp,
	};
	s->ips = ip_stack_new(&env, &cfg->ip);
	if (!s->ips || table_init(&s->conns) < 0 || tw_init(s) < 0 ||
	    !alloc_rings(s)) {
		stack_free(s);
		return NULL;
	}
	return s;
}

static void free_all_socks(struct stack *s)
{
	for (uint32_t i = 0; s->conns.buckets && i <= s->conns.mask; i++)
		while (s->conns.buckets[i])
			core_destroy(s, s->conns.buckets[i]);
	for (size_t b = 0; b < PORTS_BUCKETS; b++)
		while (s->ports.buckets[b]) {
			struct port_entry *e = s->ports.buckets[b];
			struct list *n = e->bound.next;

			if (n == &e->bound)
				break;
			core_destroy(s,
				     container_of(n, struct sock, port_node));
		}
}

void stack_free(struct stack *s)
{
	if (!s)
		return;
	free_all_socks(s);
	tw_fini(s);
	for (uint32_t i = 0; i < s->n_syns; i++)
		pkt_free(&s->pool, s->syns[i].seg.pkt);
	for (uint32_t i = 0; i < s->n_udp_out; i++)
		pkt_free(&s->pool,
			 s->udp_out[(s->udp_head + i) % UDP_OUT_MAX].p);
	if (s->udp_busy)
		pkt_free(&s->pool, s->udp_cur.p);
	pkt_free_chain(&s->pool, s->loop_head);
	ports_fini(&s->ports);
	table_fini(&s->conns);
	heap_fini(&s->timers);
	ip_stack_free(s->ips);
	free(s->replies);
	free(s->syns);
	free(s->udp_out);
	free(s->events);
	pkt_pool_fini(&s->pool);
	free(s);
}

struct ip_stack *stack_ip(struct stack *s)
{
	return s->ips;
}

struct pkt_pool *stack_pool(struct stack *s)
{
	return &s->pool;
}

struct tcp_env *stack_tcp_env(struct stack *s)
{
	return &s->tcp;
}

void stack_kick(struct stack *s)
{
	core_drain_events(s, (mono_t){0});
}

void stack_input(struct stack *s, struct pkt *p, mono_t now)
{
	core_input(s, p, now);
}

mono_t stack_deadline(const struct stack *s)
{
	mono_t at = heap_first(&s->timers);

	at = mono_min(at, ip_deadline(s->ips));
	return mono_min(at, tw_deadline(s));
}

static void expire_sock(struct stack *s, struct sock *sk, mono_t now)
{
	bool listener = sk->flags & SOCK_F_LISTEN;
	mono_t due = listener ? tcp_listener_deadline(sk->listen->tcp)
			      : tcp_conn_deadline(sk->conn);

	if (mono_lt(now, due)) { /* the entry was early */
		(void)!heap_set(&s->timers, sk, due);
		return;
	}
	if (listener) {
		tcp_listener_expire(sk->listen->tcp, now);
	} else {
		tcp_conn_expire(sk->conn, now);
		core_mark_ready(s, sk);
	}
	core_mark_dirty(s, sk);
}

void stack_expire(struct stack *s, mono_t now)
{
	struct sock *sk;

	while ((sk = heap_pop(&s->timers, now)))
		expire_sock(s, sk, now);
	if (mono_leq(ip_deadline(s->ips), now))
		ip_expire(s->ips, now);
	tw_expire(s, now);
	core_drain_events(s, now);
}

bool stack_event(struct stack *s, struct ip_event *ret)
{
	if (!s->n_events)
		return false;
	*ret = s->events[s->ev_head];
	s->ev_head = (s->ev_head + 1) % EVENTS_MAX;
	s->n_events--;
	return true;
}

void stack_counters(const struct stack *s, struct stack_counters *ret)
{
	*ret = s->counters;
	ret->socks = s->n_socks;
	ret->timewaits = s->n_tw;
	ret->listeners = s->n_listeners;
}

size_t stack_memory(const struct stack *s)
{
	return sizeof(*s) + REPLIES_MAX * sizeof(struct reply) +
	       SYN_WAIT_MAX * sizeof(struct syn_wait) +
	       UDP_OUT_MAX * sizeof(struct udp_out) +
	       (size_t)s->n_socks * (sizeof(struct sock) + tcp_conn_size()) +
	       (size_t)s->n_tw * sizeof(struct tw_entry) +
	       ((size_t)s->conns.mask + 1) * sizeof(void *) +
	       s->timers.cap * sizeof(struct heap_slot) + ip_memory(s->ips);
}
