/*
 * stack.h: the engine's only face to the I/O rooms (api, osa, main). One
 * struct stack is one TCP/IP stack: layer 3 (ip/), TCP, UDP, the table of
 * sockets and ports. No clock, no I/O, no callbacks, no globals.
 *
 * Order of calls in the loop of stackd:
 *
 *    stack_input(packet)...          what the devices read
 *    socket calls...                 what programs did
 *    stack_expire() when due
 *    stack_ready() until NULL        let programs see what happened
 *    stack_output() until false      write frames to the devices
 *    both again until stack_ready() says NULL at once: what was sent to
 *                                    ourselves came back in during output
 *    timer = stack_deadline()
 *
 * A frame borrows memory of the stack until the next call. Once ready and
 * output are dry at `now`, the deadline lies in the future.
 */
#ifndef COUPLET_STACK_H
#define COUPLET_STACK_H

#include "ip/ip.h"
#include "sock/types.h"
#include "tcp/tcp.h"
#include "udp/udp.h"

struct stack;
struct sock;

struct stack_config {
	struct ip_tune ip;
	struct tcp_tune tcp;
	size_t pool_limit_bytes;    /* packet memory, default 1 GiB */
	uint32_t sock_max;          /* sockets, default 100000 */
	uint32_t timewait_max;      /* records, default 65536, oldest go */
	uint16_t port_lo, port_hi;  /* ephemeral, default 32768..60999 */
	struct hash_key key;        /* secret of this stack */
	struct hash_key stable_key; /* the same after each start (RFC 7217) */
	uint64_t (*rand64)(void *arg);
	void *rand_arg;
};

void stack_config_default(struct stack_config *ret);
struct stack *stack_new(const struct stack_config *cfg); /* NULL: no memory */
void stack_free(struct stack *s);

/* Layer 3 below this stack: interfaces, addresses, routes, rules, displays. */
struct ip_stack *stack_ip(struct stack *s);
struct pkt_pool *stack_pool(struct stack *s);
struct tcp_env *stack_tcp_env(struct stack *s);
/* Tell the stack that addresses or routes were changed through stack_ip(). */
void stack_kick(struct stack *s);

/* ---- packets and time ------------------------------------------------------
 */

void stack_input(struct stack *s, struct pkt *p, mono_t now); /* takes p */
bool stack_output(struct stack *s, struct frame *ret, mono_t now);
mono_t stack_deadline(const struct stack *s);
void stack_expire(struct stack *s, mono_t now);
/* Layer 3 events that concern the operator or a ping, not a socket. */
bool stack_event(struct stack *s, struct ip_event *ret);

/* ---- sockets
 * ----------------------------------------------------------------- */

/* What stack_ready() reports; level at the time of the call. */
enum {
	SOCK_EV_IN = 1,      /* TCP: data to read_peek; UDP: a datagram */
	SOCK_EV_EOF = 2,     /* TCP: peer's FIN, all data consumed */
	SOCK_EV_OUT = 4,     /* send space */
	SOCK_EV_CONN = 8,    /* connect completed */
	SOCK_EV_ERR = 16,    /* sock_error() tells; TCP: the socket is dead */
	SOCK_EV_ACCEPT = 32, /* listener: stack_sock_accept() has one */
	SOCK_EV_DONE = 64,   /* TCP: closed on both sides */
	/* Listener: a SYN waits. If the program that listened has gone, close
	 * the listener now and the SYN is refused; do nothing and it is
	 * answered by the next stack_output(). */
	SOCK_EV_PROBE = 128,
};

/*
 * New socket. family IP_V4 or IP_V6; a v6 socket is dual unless
 * SOCK_OPT_V6ONLY. `user` comes back from sock_user(). 0, -ENFILE (limit),
 * -ENOMEM.
 */
int stack_sock_new(struct stack *s, enum sock_type type, enum ip_family family,
		   const struct sock_owner *owner, void *user,
		   struct sock **ret) MUST_USE;
/*
 * The program's end has gone; `sk` must not be used after. TCP sends FIN
 * (or RST: linger 0, unread data) and lives on inside the stack as long as
 * the protocol needs. A listener resets what waits in it.
 */
void stack_sock_close(struct stack *s, struct sock *sk, mono_t now);
/* The same with a RST in any case. */
void stack_sock_abort(struct stack *s, struct sock *sk, mono_t now);
/* The operator ends a connection: RST to the peer, ECONNABORTED to the
 * program, whose socket it remains. Nothing for UDP and listeners. */
void stack_sock_reset(struct stack *s, struct sock *sk, mono_t now);

/*
 * Port 0: an ephemeral one (RFC 6056) at bind, not later. 0, -EADDRINUSE,
 * -EADDRNOTAVAIL, -EINVAL (bound already, wrong family), -EAGAIN (no
 * ephemeral port free).
 */
int stack_sock_bind(struct stack *s, struct sock *sk,
		    const struct ip_port *at) MUST_USE;
/* TCP: begins (SOCK_EV_CONN or _ERR follows). UDP: sets the peer; family
 * IP_NONE dissolves. 0, -EISCONN, -EALREADY, -ENETUNREACH, -EADDRNOTAVAIL,
 * -EAFNOSUPPORT, -EACCES (broadcast without SOCK_OPT_BROADCAST), -EINVAL. */
int stack_sock_connect(struct stack *s, struct sock *sk,
		       const struct ip_port *to, mono_t now) MUST_USE;
/* Binds to an ephemeral port if need be. 0, -EADDRINUSE, -EINVAL. */
int stack_sock_listen(struct stack *s, struct sock *sk, uint32_t backlog,
		      mono_t now) MUST_USE;
/* Oldest established connection of a listener, owned by the caller from
 * now on, with the listener's options; NULL when none. Give it a user by
 * sock_set_user(). To put it back (program's backlog full): _unaccept. */
struct sock *stack_sock_accept(struct stack *s, struct sock *listener);
void stack_sock_unaccept(struct stack *s, struct sock *listener,
			 struct sock *child);
/* No more connections on this listener (PORT n SUSPEND does it per port). */
void stack_port_suspend(struct stack *s, uint16_t port, bool suspended);
bool stack_port_suspended(const struct stack *s, uint16_t port);
/* No connections to a TCP port from outside; from this stack to itself they
 * are accepted. */
void stack_port_close(struct stack *s, uint16_t port, bool closed);
bool stack_port_closed(const struct stack *s, uint16_t port);

/* TCP data; see tcp.h for the contract of each. */
size_t stack_sock_write_reserve(struct stack *s, struct sock *sk, size_t max,
				struct iovec *iov, int *n);
void stack_sock_write_commit(struct stack *s, struct sock *sk, size_t used,
			     bool more, mono_t now);
size_t stack_sock_read_peek(struct stack *s, struct sock *sk, struct iovec *iov,
			    int *n);
void stack_sock_read_consume(struct stack *s, struct sock *sk, size_t used,
			     mono_t now);
void stack_sock_shutdown(struct stack *s, struct sock *sk, mono_t now);

/* UDP datagrams; struct udp_meta is in udp/udp.h. */
/*
 * Sends to `to`, or to the connected peer when NULL. `from`: NULL, or source
 * address and interface to use (IP_PKTINFO; family NONE/scope 0 = any).
 * 0; -EDESTADDRREQ, -EMSGSIZE, -EISCONN never, -ENETUNREACH, -EHOSTUNREACH,
 * -EACCES, -EPERM (firewall), -EAGAIN (64 frames wait already: try again
 * after output), -ECONNREFUSED (pending ICMP error, taken).
 * gso_size > 0: payload is cut into datagrams of that size (UDP_SEGMENT).
 */
int stack_udp_send(struct stack *s, struct sock *sk, const struct ip_port *to,
		   const struct ip_port *from, const struct iovec *iov, int n,
		   uint16_t gso_size, mono_t now) MUST_USE;
/* Oldest datagram, borrowed; false when none. Then _pop to drop it. */
bool stack_udp_peek(struct stack *s, struct sock *sk, struct udp_meta *ret,
		    struct iovec *ret_payload);
void stack_udp_pop(struct stack *s, struct sock *sk);

/* ---- socket properties
 * ---------------------------------------------------------- */

void *sock_user(const struct sock *sk);
void sock_set_user(struct sock *sk, void *user);
enum sock_type sock_type(const struct sock *sk);
enum ip_family sock_family(const struct sock *sk);
const struct sock_owner *sock_owner(const struct sock *sk);
uint64_t sock_id(const struct sock *sk); /* unique for the stack's life */
/* Pending error as positive errno; cleared by reading when `clear`. */
int sock_error(struct sock *sk, bool clear);
void sock_local(const struct sock *sk, struct ip_port *ret);
/* 0 or -ENOTCONN */
int sock_remote(const struct sock *sk, struct ip_port *ret) MUST_USE;
/* Level readiness now (the SOCK_EV_ bits). */
unsigned stack_sock_events(const struct stack *s, const struct sock *sk);
/* NULL for UDP and listeners. */
struct tcp_conn *sock_tcp(const struct sock *sk);
bool sock_is_listener(const struct sock *sk);
/* Connections completed and waiting, and the limit (listeners). */
void sock_backlog(const struct sock *sk, uint32_t *ret_now, uint32_t *ret_max);

enum sock_opt {
	SOCK_OPT_REUSEADDR,
	SOCK_OPT_REUSEPORT,
	SOCK_OPT_V6ONLY,
	SOCK_OPT_BROADCAST,
	SOCK_OPT_LINGER, /* -1 off, else s; 0 = RST on close */
	SOCK_OPT_TTL,    /* 1..255, -1 = default */
	SOCK_OPT_TOS,    /* 0..255 */
	SOCK_OPT_MCAST_TTL,
	SOCK_OPT_MCAST_LOOP,
	SOCK_OPT_MCAST_IF,     /* ifindex */
	SOCK_OPT_BIND_IF,      /* ifindex, 0 = any */
	SOCK_OPT_MTU_DISCOVER, /* IP_PMTUDISC_* */
	SOCK_OPT_RECVERR,
	SOCK_OPT_UDP_RCVBUF,
	SOCK_OPT_UDP_SNDBUF,
	SOCK_OPT_FREEBIND,
	SOCK_OPT_UDP_SEGMENT, /* gso_size of sends that give none; 0 = none */
	SOCK_OPT__COUNT
};

int stack_sock_set(struct stack *s, struct sock *sk, enum sock_opt o,
		   int64_t v) MUST_USE;
int64_t stack_sock_get(const struct stack *s, const struct sock *sk,
		       enum sock_opt o);
/* TCP options (enum tcp_opt), also on listeners. 0, -EINVAL, -ENOPROTOOPT. */
int stack_sock_set_tcp(struct stack *s, struct sock *sk, enum tcp_opt o,
		       int64_t v, mono_t now) MUST_USE;
/* `sk` is TCP. A listener tells what its connections will inherit. */
int64_t stack_sock_get_tcp(const struct stack *s, const struct sock *sk,
			   enum tcp_opt o);
/* Join/leave for this socket; left when it closes. */
int stack_sock_join(struct stack *s, struct sock *sk, uint32_t ifindex,
		    const struct ip_addr *group, mono_t now) MUST_USE;
int stack_sock_leave(struct stack *s, struct sock *sk, uint32_t ifindex,
		     const struct ip_addr *group, mono_t now) MUST_USE;
/* Path MTU to the connected peer, or -ENOTCONN. */
int stack_sock_mtu(struct stack *s, struct sock *sk) MUST_USE;

/* ---- readiness
 * ------------------------------------------------------------------- */

/*
 * Next socket to which something happened since it was last returned, with
 * its level events; NULL when none is left. Sockets whose event is SOCK_EV_IN
 * and that are not drained by the caller are returned again only when
 * something new happens.
 */
struct sock *stack_ready(struct stack *s, unsigned *ret_events);

/* ---- displays
 * ----------------------------------------------------------------------- */

struct sock_info {
	uint64_t id;
	enum sock_type type;
	enum ip_family family;
	const char *state; /* as ss prints it: ESTAB LISTEN UNCONN TIME-WAIT */
	struct ip_port local, remote;
	struct sock_owner owner;
	bool orphan; /* the program has gone */
	size_t recv_queue, send_queue;
	const struct tcp_conn *conn; /* NULL unless TCP connection */
	struct sock *sk;             /* NULL for TIME-WAIT and half-open */
};

/* Iterate with *it = 0; false = no more. No changes in between. */
bool stack_iter_sock(const struct stack *s, uint64_t *it,
		     struct sock_info *ret);

struct stack_counters {
	uint64_t udp_in, udp_out, udp_no_port, udp_bad, udp_rcvbuf_full,
		sock_limit, loopback_frames;
	uint32_t socks, timewaits, listeners;
};
void stack_counters(const struct stack *s, struct stack_counters *ret);
/* Bytes held by sockets and tables, without the packet pool. */
size_t stack_memory(const struct stack *s);

#endif
