/*
 * impl.h: the inside of struct stack, for the files of core/ only.
 *
 * stack.c lives and dies, input.c brings packets in, output.c takes frames
 * out, socket.c is what programs do, opts.c their options, timewait.c the
 * records of dead connections, iter.c the displays, gate.c closed ports.
 */
#ifndef COUPLET_CORE_IMPL_H
#define COUPLET_CORE_IMPL_H

#include "core/stack.h"
#include "sock/sock.h"

#define REPLIES_MAX 1024   /* stateless segments waiting, then dropped */
#define SYN_WAIT_MAX 1024  /* SYNs between input and output */
#define UDP_OUT_MAX 256    /* datagrams waiting */
#define LOOP_MAX_PKTS 4096 /* packets on the loopback */
#define EVENTS_MAX 256
#define BURST_FRAMES 8 /* of one socket before the next has its turn */
#define CORE_LOOPBACK_IFINDEX 1

struct reply {
	struct tcp_tuple tuple;
	struct tcp_out out; /* without payload */
};

struct syn_wait {
	struct tcp_tuple tuple;
	struct tcp_seg seg; /* pkt may hold data of the SYN */
	uint32_t ifindex;
};

struct udp_out {
	struct pkt *p; /* payload */
	struct ip_path path;
	uint16_t src_port, dst_port, gso_size;
	uint8_t ttl, tos;
	bool dont_fragment;
};

struct tw_entry {
	struct tw_entry *hash_next;
	struct list age; /* of stack.tw_age, earliest end first */
	uint32_t hash;
	struct tcp_timewait tw;
};

struct stack {
	struct stack_config cfg;
	struct pkt_pool pool;
	struct ip_stack *ips;
	struct tcp_env tcp;

	struct table conns;
	struct ports ports;
	struct heap timers;
	struct list ready; /* sockets with news, ready_node */
	struct list dirty; /* sockets that may have output, out_node */
	uint32_t burst;    /* frames the first of dirty has sent in a row */
	uint64_t next_id;
	uint32_t n_socks, n_listeners;

	struct tw_entry **tw_buckets;
	uint32_t tw_mask, n_tw;
	struct list tw_age;

	struct reply *replies; /* ring */
	uint32_t reply_head, n_replies;
	struct syn_wait *syns;
	uint32_t n_syns;
	struct udp_out *udp_out; /* ring */
	uint32_t udp_head, n_udp_out;
	struct udp_out udp_cur; /* being cut into fragments or segments */
	struct ip_tx udp_tx;
	bool udp_busy;
	struct pkt *loop_head, **loop_tail;
	uint32_t n_loop;
	struct ip_event *events; /* ring, for the operator */
	uint32_t ev_head, n_events;

	uint32_t port_counter[256]; /* RFC 6056 3.3.4 */
	struct stack_counters counters;
};

/* input.c */
void core_input(struct stack *s, struct pkt *p, mono_t now);
void core_drain_events(struct stack *s, mono_t now);
/* Lets waiting SYNs in: listeners had the chance to be closed. */
void core_admit_syns(struct stack *s, mono_t now);
void core_udp_deliver(struct stack *s, struct pkt *p,
		      const struct udp_meta *meta, bool multicast);
/* Drops the rest of a datagram's chain from the receive queue. */
struct sock *core_find_listener(struct stack *s, const struct ip_addr *local,
				uint16_t port, uint32_t ifindex, uint32_t hash);

/* output.c */
void core_reply(struct stack *s, const struct tcp_tuple *t,
		const struct tcp_out *out);
/* Fills tcp_path for a route; 0 or an error of ip_path(). */
int core_tcp_path(struct stack *s, const struct ip_path *path,
		  struct tcp_path *ret) MUST_USE;
/* The route of a connection, looked up again when it is out of date. */
int core_refresh_path(struct stack *s, struct sock *sk, mono_t now) MUST_USE;

/* socket.c */
void core_mark_ready(struct stack *s, struct sock *sk);
void core_mark_dirty(struct stack *s, struct sock *sk);
/* After something happened to a connection: timer, end of life. May free. */
void core_settle(struct stack *s, struct sock *sk, mono_t now);
void core_destroy(struct stack *s, struct sock *sk);
/* Child of `listener` from a completed handshake; NULL = no memory. */
struct sock *core_new_child(struct stack *s, struct sock *listener,
			    const struct tcp_request *req, mono_t now);

/* timewait.c */
int tw_init(struct stack *s) MUST_USE;
void tw_fini(struct stack *s);
/* Replaces `sk`, which is in TIME-WAIT and orphaned. */
void tw_adopt(struct stack *s, struct sock *sk, mono_t now);
struct tw_entry *tw_find(const struct stack *s, uint32_t hash,
			 const struct ip_addr *local, uint16_t local_port,
			 const struct ip_addr *remote, uint16_t remote_port);
void tw_drop(struct stack *s, struct tw_entry *e);
/* Its FIN came again: the wait starts anew (RFC 9293 3.10.7.4). */
void tw_restart(struct stack *s, struct tw_entry *e);
mono_t tw_deadline(const struct stack *s);
void tw_expire(struct stack *s, mono_t now);

#endif
