/*
 * proxyd.h: the daemon as one value, and how its files share the work:
 *
 *   main.c      start, end, reload
 *   proxy.c     one PROXY in force: its listener, its targets, its policies
 *   flow.c      one connection, from accept to the log line
 *   dial.c      reaching a server: addresses in turn, time-outs
 *   resolve.c   names of targets, on a thread of its own
 *   health.c    is a target there?
 *   clients.c   connections of one client address
 *   udp.c       PROXY UDP
 *   ftp_ctl.c ftp_data.c   OPTION FTP
 *   operator.c  console commands (commands.c is their table)
 *   display.c   what QUERY shows
 *
 * client is whoever connected to us, server is whom we connect to.
 */
#ifndef COUPLET_PROXYD_H
#define COUPLET_PROXYD_H

#include "base/hash.h"
#include "base/list.h"
#include "daemon/daemon.h"
#include "deck.h"
#include "relay/handshake.h"
#include "relay/relay.h"
#include "target/target.h"
#include "tlsdeck/tlsdeck.h"

struct client;
struct clients;
struct console;
struct dial;
struct flow;
struct ftp_flow;
struct health;
struct keys;
struct metrics;
struct proxy;
struct resolver;
struct udp;

/* Why a connection came to its end. */
enum flow_end {
	FLOW_END_OK,
	FLOW_END_CLIENT_RESET,
	FLOW_END_SERVER_RESET,
	FLOW_END_CLIENT_TLS,
	FLOW_END_SERVER_TLS,
	FLOW_END_IDLE,
	FLOW_END_CONNECT, /* no target could be reached */
	FLOW_END_NAME,    /* the target's name has no address */
	FLOW_END_NO_TARGET,
	FLOW_END_HEADER, /* bad PROXY header, or no ClientHello in time */
	FLOW_END_FTP,
	FLOW_END_OPERATOR,
	FLOW_END_MEMORY,
	FLOW_END_BUSY, /* LIMIT HANDSHAKES */
	FLOW_END__COUNT
};

struct proxyd_counters {
	uint64_t accepted, denied, limited_all, limited_client;
	uint64_t accept_failed; /* no descriptors, no memory */
	uint64_t ended[FLOW_END__COUNT];
	uint64_t bytes[2]; /* of ended connections, from client, from server */
	uint64_t handshakes[2], handshakes_failed[2], resumed[2];
	uint64_t handshakes_refused; /* LIMIT HANDSHAKES */
	uint64_t udp_flows, udp_datagrams[2], udp_dropped, udp_limited;
	uint64_t ftp_data;
};

struct proxyd {
	struct daemon *daemon;
	struct proxyd_deck deck;
	struct relay_set *set;
	struct list proxies; /* in force, in the order of the deck */
	struct list old;     /* no longer in force; connections live on */
	struct list flows;
	struct list ftp_data;
	uint32_t ftp_next_port;
	uint32_t n_flows, n_udp;
	uint64_t next_id;
	bool draining; /* no new connections: proxyd_drain() */
	struct relay_timer drain_timer;
	mono_t drain_until;
	struct clients *clients;
	struct resolver *resolver;
	struct keys *keys;                   /* NULL: no SSL in the deck */
	struct relay_handshakes *handshakes; /* the same */
	struct ev_io *keys_io;
	struct tlsdeck_shared tls;
	struct ev_timer *interval; /* INTERVAL of the deck */
	struct console *console;
	struct metrics *metrics;
	struct proxyd_counters count;
	mono_t started;
};

/* operator.c: listens no longer; ends when the last connection has ended, or
 * after `most`. Said again: the shorter of both. */
void proxyd_drain(struct proxyd *pd, dur_t most);
/* Does anything keep it from ending? */
bool proxyd_drained(const struct proxyd *pd);

/* ---- proxy.c
 * ------------------------------------------------------------------ */

struct proxy_policies { /* NULL: the side is TXT */
	struct tls_policy *client, *server;
};

struct proxy {
	struct list node; /* of proxyd.proxies or .old */
	struct proxyd *pd;
	uint32_t refs; /* one for being in force, one for each connection */
	struct proxyd_proxy conf; /* its target list is its own */
	struct proxyd_sni *snis;
	uint32_t n_snis;
	char label[64];                  /* "TCP V4 992", as displays name it */
	struct target_group group;       /* of the PROXY itself */
	struct target_group *sni_groups; /* [n_snis] */
	struct proxy_policies tls;
	struct relay_watch listener;
	struct relay_timer listen_again; /* after running out of something */
	bool suspended;
	struct health *health;
	struct udp *udp;
	uint32_t conns;
	uint64_t total, refused;
	uint64_t bytes[2];
	struct relay_corpse corpse;
};

/* Makes every PROXY of `deck` (listening, resolved as far as that goes at
 * once) in place of those in force; those that stay the same keep listening,
 * their connections go on either way. 0, or negative errno after it was
 * logged; then nothing has changed. */
int proxy_replace_all(struct proxyd *pd,
		      const struct proxyd_deck *deck) MUST_USE;
/* No PROXY listens any more. */
void proxy_close_all(struct proxyd *pd);
struct proxy *proxy_ref(struct proxy *px); /* one more */
void proxy_unref(struct proxy *px);        /* one less */
/* Stops or resumes listening; 0 or negative errno. */
int proxy_suspend(struct proxy *px, bool suspend);
/* May a client at this address connect? ALLOW and DENY of the deck. */
bool proxy_admits(const struct proxy *px, const struct ip_addr *from);
/* The target group for a name asked for by SNI. */
struct target_group *proxy_sni_group(struct proxy *px, const char *name);

/* A non-blocking TCP or UDP socket of the deck's stack; negative errno. */
int proxyd_socket(const struct proxyd *pd, uint8_t family, bool udp) MUST_USE;
/* Is the stack libcouplet's? */
bool proxyd_on_stack(const struct proxyd *pd);
/* Does nobody but the loop have the socket of end `side` (0 client, 1 server),
 * once it is watched? Not what stackd gave us, nor what a worker may hold for
 * TLS. */
bool proxy_sole(const struct proxy *px, int side);
/* What couplet_socket() and its like take. */
const char *proxyd_id(const struct proxyd *pd);

/* ---- flow.c
 * ------------------------------------------------------------------- */

enum flow_state {
	FLOW_HEAD,       /* PROXY header, ClientHello */
	FLOW_CLIENT_TLS, /* handshake with the client */
	FLOW_RESOLVE,    /* the target's name is asked for */
	FLOW_CONNECT,
	FLOW_SERVER_TLS,
	FLOW_RELAY,
};

struct flow {
	struct relay relay;  /* end[0] client, end[1] server */
	struct list node;    /* of proxyd.flows */
	struct list waiting; /* for a name: of resolver's */
	struct relay_corpse corpse;
	struct relay_timer timer; /* of what comes before the relay */
	struct proxy *px;
	struct target_group *group;
	struct target *target; /* whose conns counts us */
	target_set tried;
	struct client *client_slot;
	struct dial *dial;
	struct relay_handshake *shake[2]; /* of a side, under way */
	struct ftp_flow *ftp;             /* OPTION FTP */
	uint64_t id;
	mono_t started;
	struct ip_port client; /* as it is: of the header, if there is one */
	struct ip_port server; /* connected to, or tried last */
	int error;             /* last failure to connect */
	enum flow_state state;
	struct ip_port local; /* of the header; IP_NONE: ask the socket */
};

/* A connection of `px` was accepted: `fd` is taken. */
void flow_new(struct proxy *px, int fd, const struct ip_port *client);
/* Ends a connection: both sides see it as what it is. */
void flow_fail(struct flow *f, enum flow_end why, const char *text);
/* Begins the handshake of that side (0 client, 1 server): `step` is to be the
 * function of its watch from then on, and goes on with it; `done` gets f.
 * False: it was failed. */
bool flow_begin_tls(struct flow *f, int side,
		    relay_handshake_fn *done) MUST_USE;
/* Something came for the handshake of that side. False: it was failed. */
bool flow_go_tls(struct flow *f, int side);
/* What `done` of flow_begin_tls() calls first, with its result. False: it was
 * failed. */
bool flow_end_tls(struct flow *f, int side, int result) MUST_USE;
/* Both ends have finished in order: closes them. */
void flow_finish(struct flow *f);
/* dial.c says so: f->relay.end[1] is connected. */
void flow_connected(struct flow *f);
/* ... or no address of the target answers. */
void flow_dial_failed(struct flow *f, int error);
/* Ends all connections at once. */
void flow_kill_all(struct proxyd *pd);
/* By its number, or NULL. */
struct flow *flow_find(struct proxyd *pd, uint64_t id);
const char *flow_state_name(enum flow_state s); /* static */
const char *flow_end_name(enum flow_end e);     /* static */

/* ---- dial.c
 * ------------------------------------------------------------------- */

/* Connects f->relay.end[1] to f->target; ends in flow_connected() or
 * flow_dial_failed(), perhaps inside the call. */
void dial_start(struct flow *f);
/* Gives up; closes what is not f->relay.end[1]. */
void dial_stop(struct flow *f);
/* A socket that connects to `to` from `local` (family IP_NONE: any), with
 * the options of a relay; negative errno. *ret_now: it is connected. */
int dial_socket(struct proxyd *pd, const struct ip_port *to,
		const struct ip_addr *local, bool *ret_now) MUST_USE;
/* What became of the connect of `fd`: 0, -EINPROGRESS, or the error. */
int dial_result(const struct proxyd *pd, const struct relay_watch *w) MUST_USE;

#endif
