/*
 * sock.h: the table of sockets: who owns which port, which socket a packet
 * belongs to, which socket's timer is next. Data structures only; what the
 * sockets do is decided in core/. Pure.
 *
 * Lifecycle of a struct sock: sock_alloc -> (ports_claim) -> (table_insert)
 * -> ... -> table_remove, ports_release -> sock_free. A socket is on at most
 * one demultiplexing chain and one port.
 */
#ifndef COUPLET_SOCK_H
#define COUPLET_SOCK_H

#include "base/list.h"
#include "ip/ip.h"
#include "sock/types.h"
#include "tcp/tcp.h"

struct port_entry;

/* Everything a UDP socket has and a TCP connection does not. */
struct sock_udp {
	struct pkt *rx_head, **rx_tail;
	uint32_t rx_bytes, rcvbuf, sndbuf;
	uint32_t mcast_if;
	int16_t mcast_ttl;
	bool mcast_loop, broadcast;
	uint16_t segment; /* UDP_SEGMENT, 0 none */
	uint8_t n_groups;
	struct {
		uint32_t ifindex;
		struct ip_addr group;
	} groups[20];
};

struct sock_listen {
	struct tcp_listener *tcp;
	struct list accept_queue; /* children, by ready_node of accept_node */
	uint32_t n_accept, backlog;
};

enum {
	SOCK_F_BOUND = 1,     /* holds a port */
	SOCK_F_CONNECTED = 2, /* remote is valid */
	SOCK_F_LISTEN = 4,
	SOCK_F_ORPHAN = 8, /* the program has gone */
	SOCK_F_REUSEADDR = 16,
	SOCK_F_REUSEPORT = 32,
	SOCK_F_V6ONLY = 64,
	SOCK_F_RECVERR = 128,
	SOCK_F_FREEBIND = 256,
	SOCK_F_HASHED = 512,    /* in the demultiplexing table */
	SOCK_F_CHILD = 1024,    /* waits in an accept queue */
	SOCK_F_PROBE = 2048,    /* listener with a waiting SYN */
	SOCK_F_ERR_READ = 4096, /* the connection's error was fetched */
	SOCK_F_AUTOPORT = 8192, /* the port was chosen by us */
};

/* What an ip_path knows besides the addresses of the socket. */
struct sock_route {
	uint64_t gen;
	uint32_t ifindex, mtu, gso_max;
	struct ip_addr next_hop;
	bool loopback, mtu_locked;
};

struct sock {
	struct sock *hash_next;
	struct list port_node;  /* of port_entry.bound */
	struct list ready_node; /* stack.ready, or listener's accept_queue */
	struct list out_node;   /* stack.dirty */
	void *user;
	uint64_t id;
	struct port_entry *port;
	struct ip_port local, remote;
	uint32_t hash;
	uint32_t heap_at; /* index in the deadline heap + 1, 0 = none */
	struct sock_owner owner;
	uint32_t bind_if;
	int32_t linger; /* s, -1 off */
	int32_t error;  /* pending errno of UDP and failed opens */
	uint16_t flags;
	uint8_t type, family;
	int16_t ttl; /* -1 default */
	uint8_t tos, pmtudisc;
	struct sock_route route; /* valid while route.gen is current */
	union {
		struct tcp_conn *conn; /* behind this struct, TCP */
		struct sock_udp *udp;
		struct sock_listen *listen;
	};
};

/* TCP sockets carry their connection in the same allocation. NULL: no
 * memory. */
struct sock *sock_alloc(enum sock_type type, struct tcp_env *env);
/* The connection embedded in a TCP socket; a listener keeps there the options
 * that its children inherit. */
struct tcp_conn *sock_conn(const struct sock *sk);
/* Frees connection, listener or UDP state with it. */
void sock_free(struct sock *sk, struct pkt_pool *pool);

/* The path of a connected socket, kept small and made whole again. */
void sock_route_set(struct sock *sk, const struct ip_path *path);
void sock_route_get(const struct sock *sk, struct ip_path *ret);

/* ---- demultiplexing by 4-tuple (TCP connections) ---------------------------
 */

struct table {
	struct sock **buckets;
	uint32_t mask, used;
};

int table_init(struct table *t) MUST_USE;
void table_fini(struct table *t);
uint32_t table_hash(const struct hash_key *key, const struct ip_addr *local,
		    uint16_t local_port, const struct ip_addr *remote,
		    uint16_t remote_port);
/* sk->hash, local and remote are set. Cannot fail: without memory to grow
 * the chains get longer. */
void table_insert(struct table *t, struct sock *sk);
void table_remove(struct table *t, struct sock *sk);
struct sock *table_find(const struct table *t, uint32_t hash,
			const struct ip_addr *local, uint16_t local_port,
			const struct ip_addr *remote, uint16_t remote_port);

/* ---- ports
 * -------------------------------------------------------------------- */

#define PORTS_BUCKETS 4096

struct port_entry {
	struct port_entry *next;
	struct list bound; /* sockets that bound this port themselves */
	/* accepted or TIME-WAIT connections on it: [0] IPv4, [1] IPv6 */
	uint32_t n_conns[2];
	uint16_t port;
	uint8_t type; /* enum sock_type */
};

struct ports {
	struct port_entry *buckets[PORTS_BUCKETS];
	uint8_t suspended[8192]; /* bit per port */
	uint8_t closed[8192];    /* to the world, likewise */
};

struct port_entry *ports_find(const struct ports *p, enum sock_type type,
			      uint16_t port);
/* Puts `sk` on `port` without a check. 0 or -ENOMEM. */
int ports_claim(struct ports *p, struct sock *sk, uint16_t port) MUST_USE;
void ports_release(struct ports *p, struct sock *sk);
/* Counts a TCP connection of a family that uses the port without having bound
 * it. 0 or -ENOMEM. */
int ports_hold(struct ports *p, uint8_t family, uint16_t port) MUST_USE;
void ports_drop(struct ports *p, uint8_t family, uint16_t port);
/* May `sk` bind addr:port beside what is bound already? The rules of Linux
 * for SO_REUSEADDR, SO_REUSEPORT and IPV6_V6ONLY. `listening`: it is about
 * to listen. */
bool ports_conflict(const struct ports *p, const struct sock *sk,
		    const struct ip_addr *addr, uint16_t port, bool listening);
void ports_fini(struct ports *p);

/* Would a packet to `dst` reach a socket bound to sk->local (family, any,
 * v6only considered)? 0 no; higher is more specific. */
unsigned sock_match_local(const struct sock *sk, const struct ip_addr *dst,
			  uint32_t ifindex);

/* ---- deadline heap
 * --------------------------------------------------------------- */

struct heap {
	struct heap_slot {
		mono_t at;
		struct sock *sk;
	} * slots;
	uint32_t n, cap;
};

/* Sets the slot of `sk` to no later than `at`; an earlier entry stays and is
 * corrected when it fires. 0 or -ENOMEM. */
int heap_set(struct heap *h, struct sock *sk, mono_t at) MUST_USE;
void heap_remove(struct heap *h, struct sock *sk);
mono_t heap_first(const struct heap *h);
/* Socket whose entry is due at `now`, taken out; NULL = none. */
struct sock *heap_pop(struct heap *h, mono_t now);
void heap_fini(struct heap *h);

#endif
