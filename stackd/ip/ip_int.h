/*
 * ip_int.h: what the files of this room share and nobody else sees.
 *
 * Reading order: input.c (a packet's way in), tx.c (its way out), own.c
 * (packets we make ourselves), neigh.c with arp.c and nd.c (link-layer
 * addresses), address.c with acd.c, dad.c and slaac.c (our own addresses),
 * router.c (advertisements, redirects), route.c, path.c, srcsel.c, reasm.c.
 *
 * Every object with a timer embeds a struct ip_timer and counts itself with
 * ip_timer_init(), which is the only place where the timer heap grows; so
 * arming never fails. Nothing allocates per packet but buffers of the pool.
 */
#ifndef COUPLET_IP_INT_H
#define COUPLET_IP_INT_H

#include "base/list.h"
#include "ip/ip.h"
#include "wire/ether.h"
#include "wire/ndp.h"

#define IP_IFACE_MAX 64
#define IP_ADDR_MAX 256
#define IP_ADDR_RA_MAX 64   /* of these, made by SLAAC (per stack) */
#define IP_ROUTE_MAX 1024   /* set by the operator */
#define IP_ROUTE_RA_MAX 128 /* from router advertisements */
#define IP_ROUTE_REDIR_MAX 64
#define IP_RULE_MAX 1024
#define IP_EVENT_MAX 256
#define IP_GROUP_MAX 64 /* joined by programs, per interface */
#define IP_PMTU_MAX 1024
#define IP_OUTQ_MAX 2048 /* own frames waiting for ip_output() */
#define IP_PING_MAX 32   /* ids whose reply is awaited */
#define IP_LOOPBACK 1    /* its ifindex */
#define IP_LOOPBACK_MTU 65535

/* ---- timers (timer.c) ---------------------------------------------------- */

enum ip_timer_kind {
	IP_T_NEIGH,     /* struct ip_neigh: state machine */
	IP_T_REASM,     /* struct ip_reasm: give up */
	IP_T_ADDR_DAD,  /* struct ip_ifaddr: probe, announce */
	IP_T_ADDR_LIFE, /* struct ip_ifaddr: deprecate, remove */
	IP_T_ROUTE,     /* struct ip_stack: earliest end of a route */
	IP_T_PMTU,      /* struct ip_stack: earliest end of a path MTU */
	IP_T_GROUP,     /* struct ip_group: report due */
	IP_T_QUERIER,   /* struct ip_querier: answer to a general query */
	IP_T_RS,        /* struct ip_iface: router solicitation */
};

struct ip_timer {
	mono_t at;
	uint32_t pos; /* place in the heap + 1, 0 = not armed */
	uint8_t kind; /* enum ip_timer_kind */
};

struct ip_timers {
	struct ip_timer **heap;
	uint32_t n, cap;
	uint32_t registered;
};

/* Counts a timer in; -ENOMEM when the heap cannot grow for it. */
int ip_timer_init(struct ip_stack *ips, struct ip_timer *t,
		  enum ip_timer_kind kind) MUST_USE;
/* Disarms and counts it out; harmless on one never initialised (zero). */
void ip_timer_fini(struct ip_stack *ips, struct ip_timer *t);
/* (Re)arms; MONO_NEVER disarms. `at` must lie after now. */
void ip_timer_arm(struct ip_stack *ips, struct ip_timer *t, mono_t at);
void ip_timer_stop(struct ip_stack *ips, struct ip_timer *t);
/* The earliest timer that is due at `now`, disarmed; NULL = none. */
struct ip_timer *ip_timer_due(struct ip_stack *ips, mono_t now);
void ip_timers_free(struct ip_stack *ips);

/* ---- neighbours (neigh.c) -------------------------------------------------
 */

enum ip_nud { /* RFC 4861 7.3.2; ARP uses the same machine */
	      IP_NUD_INCOMPLETE,
	      IP_NUD_REACHABLE,
	      IP_NUD_STALE,
	      IP_NUD_DELAY,
	      IP_NUD_PROBE,
	      IP_NUD_FAILED,    /* remembered for a second, then forgotten */
	      IP_NUD_PERMANENT, /* set by the operator */
	      IP_NUD__COUNT
};

struct ip_neigh {
	struct list lru;       /* ifc->neighs.lru, most recent first */
	struct ip_neigh *next; /* hash chain */
	struct ip_iface *ifc;
	struct ip_timer timer;
	struct ip_addr addr;
	uint8_t mac[6];
	uint8_t state;  /* enum ip_nud */
	uint8_t probes; /* sent in INCOMPLETE or PROBE */
	bool router;
	struct ip_addr probe_src; /* of the packet that asked, for its NS */
	mono_t since;             /* entered the state */
	mono_t confirmed;         /* last proof of reachability */
	struct pkt *held_head, *held_tail; /* whole frames, no MAC yet */
	uint32_t held_datagrams;
};

struct ip_neighs {
	struct ip_neigh **hash;
	uint32_t hash_mask, count;
	struct list lru;
	struct ip_neigh *last; /* most recent answer of a look-up */
};

enum ip_resolved { IP_RES_READY, IP_RES_WAIT, IP_RES_FAILED };

/* ---- interfaces (iface.c)
 * ---------------------------------------------------- */

/* What the queriers of one family on one interface told (membership.c). */
struct ip_querier {
	struct ip_iface *ifc;
	uint8_t family;
	struct ip_timer timer;
	mono_t answer_at;    /* pending answer to a general query */
	mono_t old_until[2]; /* a querier of v1, v2 (MLD: v1 in [1]) is there */
	uint8_t robustness;  /* reports per change, 2 */
	uint32_t interval_s; /* of queries, 125 */
};

struct ip_group {
	struct list node; /* ifc->groups */
	struct ip_iface *ifc;
	struct ip_addr addr;
	struct ip_timer timer;
	uint32_t refs;        /* by programs */
	uint32_t refs_own;    /* by our own addresses (solicited-node) */
	uint8_t reports_left; /* state-change reports still to repeat */
	bool leaving;         /* refs are gone; reports are being repeated */
	mono_t report_at;     /* state change due */
	mono_t answer_at;     /* answer to a specific query due */
	bool last_reporter;   /* older versions: we reported last */
};

struct ip_iface {
	struct ip_stack *ips;
	uint32_t index;
	bool up;
	struct ip_iface_config cfg;
	uint8_t l2_len; /* 0, 14 or 18 */
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
	/* IPv6, from advertisements or their defaults (RFC 4861 6.3.2) */
	uint32_t mtu6;
	uint8_t hop_limit;
	uint32_t base_reachable_ms, reachable_ms, retrans_ms;
	struct ip_timer rs_timer;
	uint8_t rs_sent;
	bool sent_any; /* first message needs a random delay (4862 5.4.2) */
	struct ip_neighs neighs;
	struct list groups;
	uint32_t n_groups;            /* with refs > 0 */
	struct ip_querier querier[2]; /* v4, v6 */
};

/* ---- our addresses (address.c)
 * ------------------------------------------------- */

enum ip_dad_phase {
	IP_DAD_NONE,
	IP_DAD_DELAY, /* first probe not yet sent */
	IP_DAD_PROBING,
	IP_DAD_ANNOUNCE, /* v4: usable, announcements left */
};

struct ip_ifaddr {
	struct ip_ifaddr *hash_next;
	struct ip_iface *ifc;
	struct ip_addr addr;
	uint8_t plen;
	uint8_t state;  /* enum ip_addr_state */
	bool from_ra;   /* made by SLAAC */
	bool autoconf;  /* interface identifier is ours to change (RFC 7217) */
	bool connected; /* owns an on-link route */
	bool temporary; /* RFC 8981 */
	uint8_t dad_counter; /* RFC 7217 5 */
	uint8_t phase;       /* enum ip_dad_phase */
	uint8_t sent;        /* probes or announcements in this phase */
	uint8_t nonce[6];
	bool joined;     /* v6: member of its solicited-node group */
	mono_t defended; /* last defence or complaint; 0 = never */
	mono_t preferred_until, valid_until;
	struct ip_timer dad_timer, life_timer;
};

/* ---- routes (route.c)
 * --------------------------------------------------------- */

enum ip_route_origin {
	IP_ROUTE_STATIC,
	IP_ROUTE_CONNECTED, /* prefix of one of our addresses */
	IP_ROUTE_RA,
	IP_ROUTE_REDIRECT,
};

struct ip_route_entry {
	struct ip_route r;
	uint8_t origin;
	uint32_t refs;     /* connected: addresses with this prefix */
	mono_t dead_until; /* gateway is silent: others first; 0 = alive */
};

/* ---- path MTUs (pmtu.c)
 * -------------------------------------------------------- */

struct ip_pmtu {
	struct ip_addr dst;
	uint32_t mtu;
	bool locked;
	mono_t until;
};

/* ---- reassembly (reasm.c)
 * ------------------------------------------------------ */

struct ip_reasm {
	struct list node;      /* ips->reasm.all, oldest first */
	struct ip_reasm *next; /* hash chain */
	struct ip_timer timer;
	struct ip_addr src, dst;
	uint32_t id;
	uint32_t ifindex;
	uint32_t src_slot; /* in by_src */
	uint8_t proto;     /* v4: part of the key; v6: of the first fragment */
	uint8_t ecn;       /* set of code points seen, one bit each */
	bool dead;         /* overlap seen: swallow the rest (RFC 5722 4) */
	bool l2_multicast;
	uint16_t n;
	uint32_t have;     /* bytes of payload held */
	uint32_t total;    /* length of the payload, 0 = last not seen */
	size_t charged;    /* against reasm_limit_bytes */
	struct pkt *first; /* chain by ->next, by offset in ->seq */
	uint32_t l3_len;   /* of the first fragment: header bytes in front */
	uint32_t nh_at;    /* v6: offset of the next-header byte in these */
};

struct ip_reasms {
	struct list all;
	struct ip_reasm **hash;
	uint32_t hash_mask, count;
	size_t charged;
	uint16_t by_src[1024]; /* datagrams per hash of the source */
};

/* ---- the stack
 * -------------------------------------------------------------------- */

struct ip_bucket { /* tokens of one limiter, in thousandths */
	uint64_t milli;
	mono_t filled;
};

/* ---- name servers of routers (rdns.c) ---- */

#define IP_RDNS_MAX 8
#define IP_RDOMAIN_MAX 4

struct ip_rdns {
	struct ip_addr server;
	uint32_t ifindex;
	mono_t until;
};

struct ip_rdomain {
	char name[NDP_NAME_MAX];
	mono_t until;
};

struct ip_ping_id {
	uint16_t id;
	mono_t until;
};

struct ip_stack {
	struct ip_env env;
	struct ip_tune tune;
	uint64_t gen;
	size_t memory;
	struct ip_counters count;
	uint64_t drops[IP_DROP__COUNT];
	struct ip_timers timers;

	struct ip_iface *iface[IP_IFACE_MAX + 1];
	uint32_t n_iface; /* highest ifindex */

	struct ip_ifaddr *addr[IP_ADDR_MAX]; /* in order of arrival */
	uint32_t n_addr, n_addr_ra;
	struct ip_ifaddr *addr_hash[64];

	struct ip_route_entry *route;               /* sorted, see route.c */
	uint32_t n_route, cap_route, n_route_by[4]; /* by origin */
	struct ip_timer route_timer;

	struct ip_rule *rule;
	uint32_t n_rule, cap_rule;

	struct ip_pmtu *pmtu;
	uint32_t n_pmtu;
	struct ip_timer pmtu_timer;

	struct ip_reasms reasm;

	struct pkt *out_head, *out_tail, *out_sent;
	uint32_t n_out;

	struct ip_event event[IP_EVENT_MAX];
	uint32_t event_head, n_event;

	struct ip_rdns rdns[IP_RDNS_MAX];
	struct ip_rdomain rdomain[IP_RDOMAIN_MAX];

	struct ip_bucket icmp_bucket;
	struct ip_ping_id ping[IP_PING_MAX];
	uint32_t ping_next;
	uint32_t ident[1024]; /* identification counters (tx.c) */
};

/* NULL: no such interface. */
static inline struct ip_iface *ip_iface_get(const struct ip_stack *ips,
					    uint32_t ifindex)
{
	return ifindex <= IP_IFACE_MAX ? ips->iface[ifindex] : NULL;
}

/* calloc counted in ip_memory(); NULL when there is none. */
void *ip_alloc(struct ip_stack *ips, size_t bytes);
void ip_release(struct ip_stack *ips, void *p, size_t bytes);
/* Uniform in lo..hi, both included. */
uint64_t ip_random(struct ip_stack *ips, uint64_t lo, uint64_t hi);
/* Random delay after now of lo..hi milliseconds, never zero. */
mono_t ip_soon(struct ip_stack *ips, mono_t now, uint64_t lo_ms,
	       uint64_t hi_ms);
static inline void ip_path_changed(struct ip_stack *ips)
{
	ips->gen++;
}
/* Counts and frees; always false, so that input can return it. */
bool ip_drop(struct ip_stack *ips, struct pkt *p, enum ip_drop why);

/* ---- events (event.c)
 * ---------------------------------------------------------------- */

/* Appends unless 256 wait already. */
void ip_event_push(struct ip_stack *ips, const struct ip_event *ev);
/* IP_EV_ADDR or IP_EV_DUPLICATE (mac given) about one address. */
void ip_event_addr(struct ip_ifaddr *ia, enum ip_event_kind kind,
		   const uint8_t *mac);
/* The sufferer of an error from its IP packet (which may be cut short);
 * false when too little is there. Fills local, remote, proto, ports, seq. */
bool ip_quote_parse(const uint8_t *data, size_t len, struct ip_event *ret);

/* ---- addresses
 * -------------------------------------------------------------------- */

/* Ours in whatever state, or NULL. */
struct ip_ifaddr *ip_ifaddr_find(const struct ip_stack *ips,
				 const struct ip_addr *a);
static inline bool ip_ifaddr_usable(const struct ip_ifaddr *ia)
{
	return ia->state == IP_ADDR_PREFERRED ||
	       ia->state == IP_ADDR_DEPRECATED;
}
struct ip_ifaddr_spec { /* how an address came to be */
	bool from_ra, autoconf, connected, temporary;
	uint8_t dad_counter;
	mono_t preferred_until, valid_until;
};
int ip_ifaddr_new(struct ip_iface *ifc, const struct ip_addr *a, unsigned plen,
		  const struct ip_ifaddr_spec *spec, mono_t now) MUST_USE;
void ip_ifaddr_free(struct ip_ifaddr *ia, mono_t now);
/* Enters a state, tells the world, changes the path generation. */
void ip_ifaddr_set_state(struct ip_ifaddr *ia, enum ip_addr_state state);
void ip_ifaddr_life_expire(struct ip_ifaddr *ia, mono_t now);
/* Re-arms after preferred_until or valid_until changed. */
void ip_ifaddr_life_arm(struct ip_ifaddr *ia, mono_t now);
/* Subnet broadcast of an address on `ifc` (any interface when NULL), or
 * 255.255.255.255. */
bool ip_is_local_broadcast(const struct ip_stack *ips,
			   const struct ip_iface *ifc, const struct ip_addr *a);
/* A usable link-local address of `ifc`, or NULL. */
struct ip_ifaddr *ip_ifaddr_link_local(const struct ip_iface *ifc);
/* First usable address of a family on `ifc`, or NULL. */
struct ip_ifaddr *ip_ifaddr_first(const struct ip_iface *ifc,
				  enum ip_family family);

/* ---- uniqueness: acd.c (v4), dad.c (v6)
 * -------------------------------------------- */

/* Begins or restarts; on links without neighbours usable at once. */
void ip_dad_start(struct ip_ifaddr *ia, mono_t now);
void ip_dad_expire(struct ip_ifaddr *ia, mono_t now);
void ip_acd_start(struct ip_ifaddr *ia, mono_t now);
void ip_acd_expire(struct ip_ifaddr *ia, mono_t now);
/* Every ARP packet passes here before anything else uses it: conflicts. */
struct arp_packet;
void ip_acd_input(struct ip_iface *ifc, const struct arp_packet *a, mono_t now);
/* Somebody else claims or probes a tentative address, which ends here; `ia`
 * may be gone afterwards (an autoconfigured one gets a successor). */
void ip_dad_conflict(struct ip_ifaddr *ia, const uint8_t *mac, mono_t now);
/* Nobody objected: usable, preferred or deprecated by its lifetime. */
void ip_dad_done(struct ip_ifaddr *ia, mono_t now);
/* Somebody else uses an address of ours. True at most once per ten seconds,
 * with IP_EV_DUPLICATE: time to defend it. */
bool ip_dad_complain(struct ip_ifaddr *ia, const uint8_t *mac, mono_t now);
void ip_dad6_start(struct ip_ifaddr *ia, mono_t now);
void ip_dad6_expire(struct ip_ifaddr *ia, mono_t now);

/* ---- slaac.c
 * ---------------------------------------------------------------------------
 */

/* The link-local address of an interface that came up. */
void ip_slaac_link_local(struct ip_iface *ifc, mono_t now);
struct ndp_prefix;
void ip_slaac_prefix(struct ip_iface *ifc, const struct ndp_prefix *p,
		     mono_t now);
/* Replaces an autoconfigured address that was a duplicate (RFC 7217 6). */
void ip_slaac_retry(struct ip_ifaddr *ia, mono_t now);
/* An interface identifier that belongs to a group (RFC 5453 3). */
bool ip_iid_reserved(const uint8_t iid[8]);

/* ---- temp.c, rdns.c ---- */

/* An autonomous prefix was advertised with these lifetimes. */
void ip_temp_prefix(struct ip_iface *ifc, const struct ip_prefix *net,
		    mono_t preferred, mono_t valid, mono_t now);
/* A temporary address was deprecated by its age. */
void ip_temp_next(const struct ip_ifaddr *old, mono_t now);
struct ndp_options;
void ip_rdns_learn(struct ip_iface *ifc, const struct ndp_options *o,
		   mono_t now);

/* ---- routes
 * ------------------------------------------------------------------------------
 */

/* Adds, or renews what is there (connected: counts). Errors as of
 * ip_route_add(). */
int ip_route_insert(struct ip_stack *ips, const struct ip_route *r,
		    enum ip_route_origin origin) MUST_USE;
/* Removes one reference of a connected route, or the route itself. */
int ip_route_remove(struct ip_stack *ips, const struct ip_route *r,
		    enum ip_route_origin origin) MUST_USE;
/* Best route through an interface that is up (`ifindex` 0: any), or NULL. */
const struct ip_route *ip_route_find(const struct ip_stack *ips,
				     const struct ip_addr *dst,
				     uint32_t ifindex);
/* Drops what `origin` installed on an interface, all gateways or one. */
void ip_route_flush(struct ip_stack *ips, uint32_t ifindex,
		    enum ip_route_origin origin, const struct ip_addr *gateway);
void ip_route_expire(struct ip_stack *ips, mono_t now);
/* Installs a host route told by a redirect in place of an earlier one. */
void ip_route_redirect(struct ip_stack *ips, const struct ip_route *r);
/* A gateway does not answer (dead) or answers again. */
void ip_route_gateway_dead(struct ip_stack *ips, uint32_t ifindex,
			   const struct ip_addr *gateway, bool dead,
			   mono_t now);

/* ---- paths
 * ---------------------------------------------------------------------------------
 */

/* RFC 6724 5: the best source of ours for dst out of `ifc`, or NULL. */
const struct ip_ifaddr *ip_srcsel(const struct ip_stack *ips,
				  const struct ip_addr *dst,
				  const struct ip_addr *next_hop,
				  const struct ip_iface *ifc);
uint32_t ip_iface_mtu(const struct ip_iface *ifc, enum ip_family family);
/* A path that is forced: no route, no check; for ND, ARP, MLD. */
void ip_path_direct(const struct ip_iface *ifc, const struct ip_addr *src,
		    const struct ip_addr *dst, struct ip_path *ret);
const struct ip_pmtu *ip_pmtu_get(const struct ip_stack *ips,
				  const struct ip_addr *dst);
void ip_pmtu_expire(struct ip_stack *ips, mono_t now);

/* ---- filter
 * -----------------------------------------------------------------------------------
 */

struct ip_flow { /* what rules look at */
	bool out;
	uint8_t proto;
	const struct ip_addr *local, *remote;
	const uint8_t *l4; /* transport header */
	size_t l4_len;
};
/* False = a rule denies it. */
bool ip_filter_pass(struct ip_stack *ips, const struct ip_flow *f);

/* ---- out (tx.c, own.c)
 * ---------------------------------------------------------------------------
 */

/* Sends tx through own frames: everything ip_tx_next() makes is copied and
 * waits in ip_output(). 0 or the error of ip_tx_next(). */
int ip_own_send(struct ip_stack *ips, struct ip_tx *tx, mono_t now);
/* Queues a finished frame; takes p. It carries link-layer header and all. */
void ip_own_push(struct ip_stack *ips, struct pkt *p);
/* Copies a frame with what it needs to be sent later; NULL: no buffer. */
struct pkt *ip_own_copy(struct ip_stack *ips, const struct frame *f);
/* Writes the link-layer header of `ifc`, to `buf`; its length. */
size_t ip_l2_emit(const struct ip_iface *ifc, const uint8_t *dst_mac,
		  uint16_t type, uint8_t *buf);
/* An ICMP message (checksum zero) along a path; ttl 0 = default. */
int ip_own_icmp(struct ip_stack *ips, const struct ip_path *path, uint8_t ttl,
		uint8_t tos, const uint8_t hdr[8], const struct iovec *payload,
		mono_t now);

/* ---- in
 * -------------------------------------------------------------------------------------------
 */

/* One packet on its way up. p->off stands at the header looked at. */
struct ip_in {
	struct ip_iface *ifc;
	struct pkt *p;
	struct ip_addr src, dst;
	uint8_t ttl, tos, proto;
	bool multicast; /* group or broadcast destination */
	bool loopback;
	bool fragmented; /* came in pieces, atomic fragments included */
	bool router_alert;
	uint32_t l3_off; /* of the IP header in p->buf */
	uint32_t nh_off; /* v6: of the byte that names the next header */
	uint8_t l2_src[6];
};

/* From the IP header on: true = *ret is for a transport; the packet is taken
 * in any case. */
bool ip_input4(struct ip_stack *ips, struct ip_in *in, struct ip_rx *ret,
	       mono_t now);
/* The same for IPv6. */
bool ip_input6(struct ip_stack *ips, struct ip_in *in, struct ip_rx *ret,
	       mono_t now);
/* Behind all IP headers: firewall, ICMP, transports. */
bool ip_deliver(struct ip_stack *ips, struct ip_in *in, struct ip_rx *ret,
		mono_t now);
void ip_icmp4_input(struct ip_stack *ips, struct ip_in *in, mono_t now);
void ip_icmp6_input(struct ip_stack *ips, struct ip_in *in, mono_t now);
void ip_igmp_input(struct ip_stack *ips, struct ip_in *in, mono_t now);
void ip_mld_input(struct ip_stack *ips, struct ip_in *in, mono_t now);
void ip_nd_input(struct ip_stack *ips, struct ip_in *in, mono_t now);
struct ndp_message;
/* An advertisement or a redirect; false = invalid. */
bool ip_router_input(struct ip_stack *ips, const struct ip_in *in,
		     const struct ndp_message *m, mono_t now);
void ip_arp_input(struct ip_iface *ifc, struct pkt *p, mono_t now);
/* An echo reply that ip_ping() may wait for. */
void ip_ping_reply(struct ip_stack *ips, const struct ip_in *in,
		   const uint8_t *msg, size_t len, mono_t now);

/* An ICMP error about `in` (its headers and what follows are still in
 * in->p), unless the rules of RFC 1122 3.2.2 or RFC 4443 2.4 forbid it. */
void ip_icmp_error(struct ip_stack *ips, const struct ip_in *in, uint8_t type,
		   uint8_t code, uint32_t arg, mono_t now);

/* ---- reassembly
 * --------------------------------------------------------------------------------------
 */

struct ip_fragment {
	uint32_t id;
	uint32_t off; /* bytes */
	bool more;
	uint8_t proto; /* v4: protocol; v6: next header of the fragment */
};
/* Takes in->p, whose live bytes are the fragment's payload. True: the
 * datagram is whole; in->p is a new packet of the same shape (live bytes:
 * payload, in->l3_off: headers in front), in->proto is set. */
bool ip_reasm_input(struct ip_stack *ips, struct ip_in *in,
		    const struct ip_fragment *f, mono_t now);
void ip_reasm_expire(struct ip_stack *ips, struct ip_reasm *r, mono_t now);
int ip_reasm_setup(struct ip_stack *ips) MUST_USE;
void ip_reasm_free_all(struct ip_stack *ips);

/* ---- neighbours
 * ----------------------------------------------------------------------------------------
 */

/* An empty cache; -ENOMEM. */
int ip_neighs_setup(struct ip_iface *ifc) MUST_USE;
void ip_neighs_free(struct ip_iface *ifc);
/* Forgets all but permanent ones (the link went down). */
void ip_neighs_flush(struct ip_iface *ifc);
struct ip_neigh *ip_neigh_find(struct ip_iface *ifc, const struct ip_addr *a);
/* READY: *ret_mac is filled. WAIT: *ret holds the entry to hang packets on.
 * `src` is the source of the packet, preferred for the solicitation. */
enum ip_resolved ip_neigh_resolve(struct ip_iface *ifc,
				  const struct ip_addr *next_hop,
				  const struct ip_addr *src, mono_t now,
				  uint8_t ret_mac[6], struct ip_neigh **ret);
/* Hangs a copied frame on an entry that is WAIT; takes p. */
void ip_neigh_hold(struct ip_neigh *n, struct pkt *p, bool first_fragment);
/* A mapping heard of: creates STALE (if `create`) or updates as RFC 4861
 * 7.2.3, RFC 826 say. */
struct ip_neigh *ip_neigh_learn(struct ip_iface *ifc, const struct ip_addr *a,
				const uint8_t *mac, bool create, mono_t now);
/* Answer to our solicitation: REACHABLE. */
void ip_neigh_confirm(struct ip_neigh *n, const uint8_t *mac, mono_t now);
/* A new MAC without proof: STALE with that MAC. */
void ip_neigh_suspect(struct ip_neigh *n, const uint8_t *mac, mono_t now);
void ip_neigh_expire(struct ip_neigh *n, mono_t now);
/* Sends one solicitation: unicast to n->mac or to everybody. */
void ip_neigh_solicit(struct ip_neigh *n, bool unicast, mono_t now);
void ip_arp_send(struct ip_iface *ifc, uint16_t op, const uint8_t *dst_mac,
		 const struct ip_addr *spa, const uint8_t *tha,
		 const struct ip_addr *tpa);
/* NS for `target`; src any = DAD (with nonce), mac NULL = to the group. */
void ip_nd_solicit(struct ip_iface *ifc, const struct ip_addr *src,
		   const struct ip_addr *target, bool unicast,
		   const uint8_t *nonce, mono_t now);
void ip_nd_advertise(struct ip_iface *ifc, const struct ip_addr *src,
		     const struct ip_addr *dst, bool solicited, mono_t now);
/* Any ND message, hop limit 255. */
void ip_nd_send(struct ip_iface *ifc, const struct ip_addr *src,
		const struct ip_addr *dst, const struct ndp_message *m,
		mono_t now);

/* ---- routers
 * ---------------------------------------------------------------------------------------------
 */

/* Interface came up: ask for routers; down: forget them. */
void ip_router_start(struct ip_iface *ifc, mono_t now);
void ip_router_stop(struct ip_iface *ifc);
void ip_router_expire(struct ip_iface *ifc, mono_t now);

/* ---- groups
 * ------------------------------------------------------------------------------------------------
 */

/* `ifc` NULL: on any interface. */
bool ip_group_member(const struct ip_stack *ips, const struct ip_iface *ifc,
		     const struct ip_addr *group);
/* Membership for our own needs; not counted against the limit. */
int ip_group_join_own(struct ip_iface *ifc, const struct ip_addr *group,
		      mono_t now) MUST_USE;
void ip_group_leave_own(struct ip_iface *ifc, const struct ip_addr *group,
			mono_t now);
void ip_group_free(struct ip_group *g);
/* Link came up: report everything; down: forget queriers. */
void ip_groups_up(struct ip_iface *ifc, mono_t now);
void ip_groups_down(struct ip_iface *ifc);
void ip_group_expire(struct ip_group *g, mono_t now);
void ip_querier_expire(struct ip_querier *q, mono_t now);
/* A membership began or ended: report it (membership.c). */
void ip_group_changed(struct ip_group *g, bool joined, mono_t now);
/* Groups that are never reported: all-nodes, interface-local. */
bool ip_group_silent(const struct ip_addr *group);

#endif
