/*
 * deck.h: what a stackd deck says, as one value. The deck reader of common/
 * turns text into commands; deck.c turns commands into this and prints it
 * back in canonical form. Pure: no I/O besides reading the deck through the
 * reader, and asking the host for the numbers of users and groups named by
 * ALLOW.
 */
#ifndef COUPLET_STACKD_DECK_H
#define COUPLET_STACKD_DECK_H

#include "core/stack.h"

#include <stdio.h>

struct deck_report; /* deck/deck.h */

#define DECK_NAME_MAX 32
#define DECK_DEVICES_MAX 16
#define DECK_LINKS_MAX 64
#define DECK_ROUTES_MAX 1024
#define DECK_RULES_MAX 1024
#define DECK_HOSTS_MAX 4096
#define DECK_DNS_MAX 8
#define DECK_POLICIES_MAX 64
#define DECK_HOLDS_MAX 64

enum deck_medium {
	MEDIUM_TUN,       /* default without LAYER2 */
	MEDIUM_TAP,       /* default with LAYER2 */
	MEDIUM_SEQPACKET, /* AF_UNIX SOCK_SEQPACKET path, one frame a message */
	MEDIUM_FD,        /* inherited descriptor of the same kind */
};

struct deck_device { /* DEVICE name OSAX cuu portname datacuu [LAYER2 mac] */
	char name[DECK_NAME_MAX];
	char cuu[8], datacuu[8], portname[DECK_NAME_MAX];
	bool layer2;
	uint8_t mac[6];
	/* ADAPTER name word value... : what IPv6/VSE cannot say */
	enum deck_medium medium;
	bool medium_given;
	char ifname[16];     /* host interface, default lower-case portname */
	char path[108];      /* SEQPACKET: socket; */
	bool path_listen;    /* SEQPACKET: wait for the other side */
	int fd;              /* FD */
	bool offload;        /* default true for TUN and TAP */
	uint32_t queues;     /* 1..16, default 1 */
	uint32_t txqueuelen; /* default 4000 */
	uint16_t vlan;       /* 0 = none */
	char bridge[16];     /* host bridge to join, empty = none */
	struct ip_prefix host_addr[8]; /* for the host's side; addr keeps its
					* host bits */
	uint32_t n_host_addr;
	bool host_routes; /* route to our addresses on the host */
	bool isolate;     /* port isolation on the bridge */
	uint32_t line;
};

struct deck_link { /* LINK device n addr mask|/plen mtu */
	char device[DECK_NAME_MAX];
	uint32_t number;
	struct ip_addr addr;
	uint8_t plen;
	uint32_t mtu;
	uint32_t line;
};

struct deck_route {
	char device[DECK_NAME_MAX];
	struct ip_route route; /* ifindex 0 here */
	uint32_t line;
};

struct deck_host {
	char name[256];
	struct ip_addr addr;
};

struct deck_dns {
	struct ip_addr addr;
	bool primary;
};

/* POLICY: the first that fits decides; without one, ALLOW and RESERVE do. */
enum deck_policy_act { DECK_POLICY_USE, DECK_POLICY_BIND, DECK_POLICY_ALL };

struct deck_policy {
	char name[DECK_NAME_MAX];
	enum deck_policy_act what;
	bool deny, has_uid, has_gid;
	uid_t uid;
	gid_t gid;
	uint16_t port_lo, port_hi; /* BIND; 0 = not given */
	char program[256];         /* absolute path, empty = any */
};

struct deck_hold { /* TLS HOLD OUT|IN port[-port] [address[/n]] */
	bool inbound;
	uint16_t port_lo, port_hi;
	struct ip_prefix remote; /* family IP_NONE = any; outbound only */
};

struct stackd_deck {
	char id[3];          /* two digits */
	char couple[3];      /* empty = none */
	uint32_t interval_s; /* INTERVAL, default 120 */
	bool attached;       /* ATTACH TCP/IP seen */
	char job[16];        /* from JCL, may be empty */
	struct deck_device devices[DECK_DEVICES_MAX];
	uint32_t n_devices;
	struct deck_link links[DECK_LINKS_MAX];
	uint32_t n_links;
	struct deck_route *routes;
	uint32_t n_routes;
	struct ip_rule *rules;
	uint32_t n_rules;
	struct deck_host *hosts;
	uint32_t n_hosts;
	struct deck_dns dns[DECK_DNS_MAX];
	uint32_t n_dns;
	char search[256];   /* DNS search list, blank-separated */
	uint32_t n_licence; /* licence records ignored */
	struct ip_tune ip;
	struct tcp_tune tcp;
	size_t pool_limit_bytes;
	uint32_t sock_max;
	uint32_t timewait_max;
	uint16_t port_lo, port_hi;
	/* who may use the stack: ALLOW USER|GROUP n (empty = everybody) */
	uid_t allow_uid[64];
	uint32_t n_allow_uid;
	gid_t allow_gid[64];
	uint32_t n_allow_gid;
	struct deck_policy policies[DECK_POLICIES_MAX];
	uint32_t n_policies;
	uint16_t priv_port_max; /* ports below need uid 0 or CAP; default 1024;
				 * RESERVE n */
	/* what is held, and what is closed to the world, until tlsd has said
	 * what it covers */
	struct deck_hold holds[DECK_HOLDS_MAX];
	uint32_t n_holds;
	uint32_t divert_wait_s; /* how long it is held; TLS WAIT */
	char metrics[108];      /* METRICS path: Prometheus text socket, empty =
				 * none */
};

/* ---- a whole deck
 * ------------------------------------------------------------- */

/*
 * Reads and checks the deck `path` (couplet-deck(5), stackd.deck(5)). Members
 * of SLI are looked for in its folder, then in STACKD_DECK_MEMBERS. Every
 * mistake becomes a note in `report`, which the caller has initialised. 0;
 * -EINVAL: the deck holds errors; -ENOMEM; or the error of opening it.
 * On failure *ret is empty. stackd_deck_free() is allowed in any case.
 */
int stackd_deck_read(const char *path, struct stackd_deck *ret,
		     struct deck_report *report) MUST_USE;
#define STACKD_DECK_MEMBERS "/etc/couplet/members"

/* The same from memory; `name` stands for the file in notes. */
int stackd_deck_parse(const char *name, const char *text, size_t len,
		      struct stackd_deck *ret,
		      struct deck_report *report) MUST_USE;
void stackd_deck_free(struct stackd_deck *d);
/*
 * The deck in canonical form: every command in a fixed order, addresses as
 * RFC 5952 writes them, tunables only where they differ from the default.
 * Reading it gives the same values again (all but `line` and `n_licence`).
 */
void stackd_deck_print(const struct stackd_deck *d, FILE *out);

/* MTU of a device: the smallest of its LINKs; 0 when it has none. */
uint32_t stackd_deck_mtu(const struct stackd_deck *d, const char *device);
/* NULL when there is none; either case. */
const struct deck_device *stackd_deck_device(const struct stackd_deck *d,
					     const char *name);

/* ---- one command, while the stack runs
 * ------------------------------------------ */

enum stackd_change_kind {
	STACKD_CHANGE_RULE,        /* IN, OUT: append .rule */
	STACKD_CHANGE_RULES_CLEAR, /* DELETE RULES */
	STACKD_CHANGE_ROUTE,       /* ROUTE: add .route */
	STACKD_CHANGE_ROUTE_DEL,   /* DELETE ROUTE: the same operands */
	STACKD_CHANGE_HOST,        /* HOST: add .host */
	STACKD_CHANGE_HOST_DEL,    /* DELETE HOST name [address]: .host, family
				    * IP_NONE = every address of the name */
	STACKD_CHANGE_DNS,         /* DNS: add .dns */
	STACKD_CHANGE_DNS_DEL,     /* DELETE DNS address */
	STACKD_CHANGE_IP,          /* IP: .ip replaces the tunables */
	STACKD_CHANGE_TCP,         /* TCP: .tcp replaces the tunables */
};

struct stackd_change {
	enum stackd_change_kind kind;
	struct ip_rule rule;
	struct deck_route route;
	struct deck_host host;
	struct deck_dns dns;
	struct ip_tune ip;
	struct tcp_tune tcp;
};

/*
 * One command typed at the console, checked against the deck that is in
 * force: 0 with *ret filled; -EINVAL with notes in `report` (file name
 * "console"); -ENOMEM. Changes nothing: the caller tells the engine, and
 * then, if the engine took it, stackd_deck_apply().
 */
int stackd_deck_command(const char *line, const struct stackd_deck *d,
			struct stackd_change *ret,
			struct deck_report *report) MUST_USE;
/* True when `word` begins a command that stackd_deck_command() knows. */
bool stackd_deck_is_command(const char *word);
/* Makes the deck in force say what was changed. 0, -EEXIST (is there
 * already), -ENOENT (nothing to delete), -ENOSPC, -ENOMEM. */
int stackd_deck_apply(struct stackd_deck *d,
		      const struct stackd_change *c) MUST_USE;

#endif
