/*
 * ip.h: the face of layer 3. One ip_stack holds the interfaces, addresses,
 * routes, neighbours, reassembly, ICMP, SLAAC, group membership and firewall
 * of one stack, both families.
 *
 * Four doors, `now` never goes backwards, nothing reads a clock, nothing does
 * I/O: ip_input(), ip_tx() + ip_output(), ip_deadline(), ip_expire().
 * Calling order: input/expire/tx any number of times, then ip_output() until
 * it is dry, then arm a timer for ip_deadline(). Once output is dry the
 * deadline lies in the future.
 *
 * The transports never see link layers: they ask ip_path() for a way to a
 * destination and give ip_tx() a payload; packets for them come out of
 * ip_input() with the headers parsed; errors reported by routers come out of
 * ip_event().
 */
#ifndef COUPLET_IP_H
#define COUPLET_IP_H

#include "addr/addr.h"
#include "base/hash.h"
#include "base/mono.h"
#include "pkt/pkt.h"

#define IP_PROTO_ICMP 1
#define IP_PROTO_IGMP 2
#define IP_PROTO_TCP 6
#define IP_PROTO_UDP 17
#define IP_PROTO_ICMPV6 58

struct ip_stack;

/* ---- world and tuning -------------------------------------------------- */

struct ip_env {
	uint64_t (*rand64)(void *arg); /* unpredictable in production */
	void *rand_arg;
	struct pkt_pool *pool;
	struct hash_key key; /* secret of this stack */
	/* secret of this stack on this machine, the same after each start:
	 * interface identifiers (RFC 7217 5) */
	struct hash_key stable_key;
};

struct ip_tune {
	uint32_t reasm_limit_bytes; /* memory of all reassemblies, 4 MiB */
	uint32_t reasm_per_src;     /* datagrams per source, 64 */
	uint32_t icmp_errors_per_s; /* outgoing error budget, 100, burst 50 */
	uint32_t neigh_max;         /* entries per interface, 1024 */
	uint32_t neigh_queue_pkts;  /* held per unresolved neighbour, 8 */
	uint8_t ttl;                /* default 64 */
	bool redirects;             /* obey ICMP redirects, default false */
	bool accept_ra;             /* SLAAC, default true on LAYER2 v6 */
	bool ra_routes; /* take routers and on-link prefixes from RAs, default
			 * true */
	bool ra_addrs;  /* make addresses from RAs, default true */
	bool ra_dns;    /* take name servers from RAs, default true */
	uint8_t ra_hop_min; /* smaller hop limits of RAs are not taken, 32 */
	bool temp_addrs;    /* RFC 8981 addresses, default false */
	uint32_t dad_transmits; /* RFC 4862 5.1, default 1, 0 = none */
	uint32_t arp_probes;    /* RFC 5227 PROBE_NUM, default 3; 0: an
				 * IPv4 address on LAYER2 is usable at
				 * once and only announced */
};

/* The values named above. */
void ip_tune_default(struct ip_tune *ret);
/* A stack with its loopback interface; env and tune are copied, the pool is
 * borrowed for the stack's life. NULL: no memory. */
struct ip_stack *ip_stack_new(const struct ip_env *env,
			      const struct ip_tune *tune);
void ip_stack_free(struct ip_stack *ips);
/* Other tunables from now on; what they shaped already stays. */
void ip_stack_set_tune(struct ip_stack *ips, const struct ip_tune *tune);

/* ---- interfaces, addresses, routes ------------------------------------- */

enum ip_link_kind {
	IP_LINK_LOOPBACK, /* frames come back to ip_input() by core */
	IP_LINK_L3,       /* bare IP packets, the adapter does ARP/ND */
	IP_LINK_L2,       /* Ethernet; we do ARP and ND */
};

struct ip_iface_config {
	char name[32]; /* LINK/DEVICE name shown in displays */
	enum ip_link_kind kind;
	uint8_t mac[6];
	uint16_t vlan;    /* 802.1Q id, 0 = none */
	uint32_t mtu;     /* 68..65535; v6 needs 1280 */
	uint32_t gso_max; /* largest IP packet the device takes with GSO,
			   * 0 = none */
	bool tx_csum;     /* device finishes transport checksums */
	bool v4, v6;      /* families in use */
};

struct ip_iface_info { /* for displays and TCP */
	struct ip_iface_config config;
	uint32_t ifindex;
	bool up;
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
};

/* ifindex 1 is the loopback, made by ip_stack_new() with MTU 65535 and
 * tx_csum: what core feeds back from it is PKT_CSUM_OK. A new interface is
 * up; ip_iface_set_up() is for what happens to it later. Returns the new
 * ifindex or -ENOSPC (64 interfaces), -EINVAL (mtu), -ENOMEM. */
int ip_iface_add(struct ip_stack *ips, const struct ip_iface_config *cfg,
		 mono_t now) MUST_USE;
int ip_iface_info(const struct ip_stack *ips, uint32_t ifindex,
		  struct ip_iface_info *ret) MUST_USE;
void ip_iface_set_up(struct ip_stack *ips, uint32_t ifindex, bool up,
		     mono_t now);

enum ip_addr_state {
	IP_ADDR_TENTATIVE, /* DAD or ARP probe (RFC 5227) is running */
	IP_ADDR_PREFERRED,
	IP_ADDR_DEPRECATED,
	IP_ADDR_DUPLICATE, /* somebody else owns it; unusable */
};

struct ip_addr_info {
	uint32_t ifindex;
	struct ip_addr addr;
	uint8_t plen;
	enum ip_addr_state state;
	bool from_ra;
	bool temporary;                      /* RFC 8981 */
	mono_t preferred_until, valid_until; /* MONO_NEVER = for ever */
};

/* The address becomes usable after DAD on L2 links, at once elsewhere.
 * 0, -EEXIST (this stack has it), -ENODEV, -EINVAL, -ENOSPC (256). */
int ip_addr_add(struct ip_stack *ips, uint32_t ifindex,
		const struct ip_addr *addr, unsigned plen, mono_t now) MUST_USE;
int ip_addr_del(struct ip_stack *ips, uint32_t ifindex,
		const struct ip_addr *addr, mono_t now) MUST_USE;
/* True when a socket may bind it (ours and not tentative/duplicate). */
bool ip_addr_is_local(const struct ip_stack *ips, const struct ip_addr *addr);

struct ip_route {
	struct ip_prefix dst;
	struct ip_addr gateway; /* family IP_NONE = on link */
	uint32_t ifindex;
	uint32_t metric; /* lower wins among equal prefixes */
	bool from_ra;
	mono_t until; /* MONO_NEVER = for ever */
};

/* ifindex 0: the interface whose prefix has the gateway; `until` 0: for ever.
 * 0, -EEXIST, -EINVAL (lengths, families, a gateway that is ours), -ENODEV,
 * -ENETUNREACH (gateway on no link), -ENOSPC (1024), -ENOMEM. */
int ip_route_add(struct ip_stack *ips, const struct ip_route *r) MUST_USE;
/* The route with the same prefix, gateway and interface. 0, -ESRCH, or an
 * error of ip_route_add(). */
int ip_route_del(struct ip_stack *ips, const struct ip_route *r) MUST_USE;

/* ---- name servers told by routers (RFC 8106) ----------------------------- */

/* Those in force at `now`, at most `max`; their number. */
uint32_t ip_dns_servers(const struct ip_stack *ips, struct ip_port *ret,
			uint32_t max, mono_t now);
/* Search domains with a blank between them, as many as fit `cap` bytes
 * (at least 1); the length. */
size_t ip_dns_search(const struct ip_stack *ips, char *buf, size_t cap,
		     mono_t now);

/* ---- firewall (first match wins, no match = allow) ---------------------- */

struct ip_rule {
	bool deny;
	bool out; /* direction; false = incoming */
	bool any_proto;
	uint8_t proto;           /* TCP, UDP, ICMP, ICMPv6 number */
	uint8_t family;          /* IP_NONE = both */
	struct ip_prefix remote; /* len 0 and family NONE = any */
	struct ip_prefix local;
	uint16_t port_lo, port_hi; /* incoming: local port; outgoing: remote
				    * port; 0,0 = every */
	int icmp_type, icmp_code;  /* -1 = any */
	uint64_t hits;
};

/* Appends; 0 or -ENOSPC (1024 rules). Loopback traffic is never filtered. */
int ip_rule_add(struct ip_stack *ips, const struct ip_rule *r) MUST_USE;
void ip_rule_clear(struct ip_stack *ips);

/* ---- in ------------------------------------------------------------------ */

/* Why a packet went no further. One counter each: ip_drops(). */
enum ip_drop {
	IP_DROP_NONE,
	IP_DROP_SHORT,      /* shorter than its headers say */
	IP_DROP_BAD_HEADER, /* version, lengths, reserved bits */
	IP_DROP_BAD_CSUM,
	IP_DROP_NOT_OURS,     /* destination is not an address of ours */
	IP_DROP_MARTIAN,      /* source no host may use; spoofed loopback */
	IP_DROP_FILTER,       /* firewall rule */
	IP_DROP_NO_PROTO,     /* protocol nobody handles */
	IP_DROP_OPTION,       /* source route, unknown option said discard */
	IP_DROP_FRAG_OVERLAP, /* RFC 5722, RFC 8900 */
	IP_DROP_FRAG_BAD,     /* size, alignment, missing upper header */
	IP_DROP_FRAG_LIMIT,   /* memory of reassembly exhausted */
	IP_DROP_FRAG_TIMEOUT,
	IP_DROP_NO_BUFFER,    /* pool exhausted */
	IP_DROP_NEIGH_QUEUE,  /* too many packets wait for a neighbour */
	IP_DROP_NEIGH_FAILED, /* neighbour did not answer */
	IP_DROP_ND_INVALID,   /* RFC 4861 validity checks */
	IP_DROP_ARP_INVALID,
	IP_DROP_ICMP_INVALID,
	IP_DROP_RATE_LIMIT, /* ICMP we would have sent */
	IP_DROP_NO_ROUTE,
	IP_DROP_IFACE_DOWN,
	IP_DROP_L2, /* not for our MAC or VLAN, unknown ethertype */
	IP_DROP__COUNT
};

const char *ip_drop_name(enum ip_drop d);             /* short, for displays */
const uint64_t *ip_drops(const struct ip_stack *ips); /* [IP_DROP__COUNT] */

/* A packet for a transport: pkt's live bytes start at the transport header
 * and end with the datagram (padding trimmed, fragments put together). */
struct ip_rx {
	struct pkt *pkt; /* owned by the caller now */
	struct ip_addr src, dst;
	uint32_t ifindex;
	uint8_t proto;    /* IP_PROTO_TCP or IP_PROTO_UDP */
	uint8_t ttl, tos; /* hop limit, traffic class */
	uint8_t ecn;
	bool multicast;  /* destination is a group or broadcast */
	uint16_t l3_len; /* bytes of IP header (extension headers included)
			  * in front of the live bytes, for
			  * ip_unreachable_port() to quote; after
			  * reassembly the header was rebuilt there */
};

/*
 * Takes `p`: a whole frame (L2) or IP packet (L3, loopback) that came in on
 * p->ifindex. True: *ret holds a packet for TCP or UDP. False: it was
 * consumed, answered (the answer waits in ip_output()) or dropped.
 *
 * A delivered packet has at least a whole UDP header (its length field
 * checked and the rest cut off) or 20 bytes of TCP, and a right transport
 * checksum, so nobody has to look again. On the loopback interface a group
 * is ours when any interface has joined it, so that core can loop multicast
 * back by sending a second copy with path.loopback and ifindex 1.
 */
bool ip_input(struct ip_stack *ips, struct pkt *p, struct ip_rx *ret,
	      mono_t now);

/* Queue "port unreachable" for a datagram of ip_input() (RFC 1122 4.1.3.1,
 * RFC 4443 3.1 code 4), unless the rules forbid an error. Does not take
 * rx->pkt. */
void ip_unreachable_port(struct ip_stack *ips, const struct ip_rx *rx,
			 mono_t now);

/* ---- out ------------------------------------------------------------------
 */

/* A way to a destination. Kept by callers as long as `gen` equals
 * ip_path_gen(). */
struct ip_path {
	struct ip_addr src, dst;
	struct ip_addr next_hop;
	uint32_t ifindex;
	uint32_t mtu;     /* path MTU now known, at most the link's */
	uint32_t gso_max; /* of the interface */
	bool loopback;    /* dst is ours */
	bool broadcast;   /* dst is a broadcast address: SO_BROADCAST */
	bool mtu_locked;  /* the path takes less than the smallest MTU kept
			   * (552): DF is never set on it */
	uint64_t gen;
};

uint64_t ip_path_gen(const struct ip_stack *ips);
/*
 * `src` NULL or family NONE: chosen by RFC 6724; `ifindex` 0: any. The
 * unspecified address means this host. Broadcast without permission is the
 * caller's business: see path.broadcast.
 * 0, -ENETUNREACH (no route), -EADDRNOTAVAIL (src is not ours, or none
 * fits), -EINVAL (link-local destination and more than one interface to
 * choose from).
 */
int ip_path(struct ip_stack *ips, const struct ip_addr *dst,
	    const struct ip_addr *src, uint32_t ifindex,
	    struct ip_path *ret) MUST_USE;

/*
 * The transport has checked that a "packet too big" (IP_EV_PMTU) belongs to
 * one of its connections: remember `mtu` for `dst` for ten minutes (RFC 1191
 * 6.3, RFC 8201 4). Values below 552 (v4) become 552 and lock the path;
 * below 1280 (v6) they are refused (RFC 8021); an MTU is never raised.
 * 0: the path got a smaller MTU, and the path generation changed. -EALREADY:
 * it was as small before; -EINVAL: refused; -ENOMEM.
 */
int ip_pmtu_set(struct ip_stack *ips, const struct ip_addr *dst, uint32_t mtu,
		mono_t now) MUST_USE;
/* The transport saw forward progress along `path`: its next hop is alive
 * (RFC 4861 7.3.1). Cheap enough for every acknowledgement. */
void ip_path_confirm(struct ip_stack *ips, const struct ip_path *path,
		     mono_t now);

#define IP_CSUM_NONE 0xffffu

/* A transport message to send along a path. */
struct ip_tx {
	const struct ip_path *path;
	uint8_t proto;
	uint8_t ttl;         /* 0 = default (1 for multicast) */
	uint8_t tos;         /* DSCP and ECN */
	bool dont_fragment;  /* v4 DF; for v6: -EMSGSIZE instead of fragments */
	uint32_t flow_label; /* v6, 20 bits, 0 = none */
	/* transport header, built by the caller with checksum field zero */
	uint8_t l4_hdr[80];
	uint16_t l4_hdr_len;
	uint16_t csum_offset;            /* of the checksum field in l4_hdr, or
					  * IP_CSUM_NONE: nothing to compute */
	struct iovec iov[FRAME_IOV_MAX]; /* payload, borrowed */
	int n_iov;
	uint32_t payload_len;
	uint8_t gso; /* enum frame_gso */
	uint16_t gso_size;
	/* iteration state of ip_tx_next(); zero it first */
	uint32_t frag_off;
	uint32_t frag_id;
	bool started, done;
};

/*
 * Makes the next frame of `tx` (one, or one per fragment). 1: *ret is to be
 * sent now; call again. 0: no (more) frame; everything was sent or the
 * packet waits for its neighbour inside the stack (copied, GSO frames too).
 * Negative: -EMSGSIZE, -EHOSTUNREACH (neighbour failed lately), -EPERM
 * (firewall), -ENETDOWN, -ENOBUFS. GSO frames always leave their checksum to
 * the device; other frames only where the interface has tx_csum.
 */
int ip_tx_next(struct ip_stack *ips, struct ip_tx *tx, struct frame *ret,
	       mono_t now) MUST_USE;

/* The stack's own packets: ARP, ND, ICMP, MLD, IGMP, held packets whose
 * neighbour answered. False = dry. *ret borrows memory of the stack until
 * the next call. */
bool ip_output(struct ip_stack *ips, struct frame *ret, mono_t now);

mono_t ip_deadline(const struct ip_stack *ips);
void ip_expire(struct ip_stack *ips, mono_t now);

/* ---- events for the transports and the log --------------------------------
 */

enum ip_event_kind {
	IP_EV_UNREACH,      /* ICMP destination unreachable, parameter problem,
			     * time exceeded */
	IP_EV_PMTU,         /* packet too big: mtu */
	IP_EV_NEIGH_FAILED, /* next hop of held packets is silent */
	IP_EV_ECHO_REPLY,   /* answer to ip_ping() */
	IP_EV_DUPLICATE,    /* address conflict: addr, mac */
	IP_EV_ADDR,         /* an address came, went or changed state */
	IP_EV_ROUTE,
};

struct ip_event {
	enum ip_event_kind kind;
	/* UNREACH, PMTU, NEIGH_FAILED: the packet that suffered */
	struct ip_addr local, remote, reporter;
	uint8_t proto;
	uint16_t local_port, remote_port;
	uint32_t tcp_seq; /* quoted sequence number (RFC 5927 4) */
	int error;        /* positive errno Linux would give */
	bool hard;        /* RFC 1122 4.2.3.9 */
	uint8_t icmp_type, icmp_code;
	uint32_t mtu;
	/* ECHO_REPLY */
	uint16_t id, seq;
	uint8_t ttl;
	uint32_t len;
	uint64_t cookie; /* first 8 payload bytes as sent */
	uint32_t ifindex;
	uint8_t mac[6];
};

/* Oldest event taken; false = none. At most 256 wait, oldest kept. */
bool ip_event(struct ip_stack *ips, struct ip_event *ret);

/* Queue one echo request; the reply is an event if it comes within a minute
 * and at most 32 other ids were used since. 0, an error of
 * ip_path()/ip_tx_next(), -EINVAL (`len` payload bytes: at least 8, at most
 * 65507). */
int ip_ping(struct ip_stack *ips, const struct ip_addr *dst,
	    const struct ip_addr *src, uint16_t id, uint16_t seq,
	    uint64_t cookie, uint32_t len, uint8_t ttl, mono_t now) MUST_USE;

/* ---- groups -----------------------------------------------------------------
 */

/* Reference-counted membership (IGMPv3 any-source, MLDv2). 0, -ENODEV,
 * -EINVAL (not a group), -ENOBUFS (64 groups per interface), -ENOMEM; leave
 * also -EADDRNOTAVAIL (not a member). */
int ip_group_join(struct ip_stack *ips, uint32_t ifindex,
		  const struct ip_addr *group, mono_t now) MUST_USE;
int ip_group_leave(struct ip_stack *ips, uint32_t ifindex,
		   const struct ip_addr *group, mono_t now) MUST_USE;

/* ---- neighbours by hand -----------------------------------------------------
 */

/* A permanent neighbour (state PERMANENT): never probed, never evicted. 0,
 * -ENODEV (no such interface or not LAYER2), -EINVAL (no unicast), -ENOSPC
 * (neigh_max). */
int ip_neigh_set(struct ip_stack *ips, uint32_t ifindex,
		 const struct ip_addr *addr, const uint8_t mac[6],
		 mono_t now) MUST_USE;
/* Forgets a neighbour; packets that wait for it are dropped. 0, -ENOENT. */
int ip_neigh_del(struct ip_stack *ips, uint32_t ifindex,
		 const struct ip_addr *addr) MUST_USE;

/* ---- displays: iterate with *it = 0 first; false = no more
 * -------------------- */

struct ip_neigh_info {
	uint32_t ifindex;
	struct ip_addr addr;
	uint8_t mac[6];
	const char *state; /* INCOMPLETE REACHABLE STALE DELAY PROBE FAILED
			    * PERMANENT */
	bool router;
	mono_t since;
};

/* See above: *it counts on from 0. */
bool ip_iter_iface(const struct ip_stack *ips, uint32_t *it,
		   struct ip_iface_info *ret);
/* See above: *it counts on from 0. */
bool ip_iter_addr(const struct ip_stack *ips, uint32_t *it,
		  struct ip_addr_info *ret);
/* See above: *it counts on from 0. */
bool ip_iter_route(const struct ip_stack *ips, uint32_t *it,
		   struct ip_route *ret);
/* See above: *it counts on from 0. */
bool ip_iter_neigh(const struct ip_stack *ips, uint32_t *it,
		   struct ip_neigh_info *ret);
/* See above: *it counts on from 0. */
bool ip_iter_rule(const struct ip_stack *ips, uint32_t *it,
		  struct ip_rule *ret);

struct ip_counters {
	uint64_t rx_packets, rx_delivered, tx_packets, fragments_in,
		fragments_out, reassembled, icmp_in, icmp_out, arp_in, arp_out,
		nd_in, nd_out, dad_conflicts;
};
/* Borrowed; counts from the stack's birth. */
const struct ip_counters *ip_counters(const struct ip_stack *ips);
/* Bytes of memory held besides the packet pool. */
size_t ip_memory(const struct ip_stack *ips);

#endif
