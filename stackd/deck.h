/*
 * deck.h: what a stackd deck says, as one value. The deck reader of common/
 * turns text into commands; deck.c turns commands into this and prints it
 * back in canonical form. Pure: no I/O besides reading the deck through the
 * reader.
 */
#ifndef COUPLET_STACKD_DECK_H
#define COUPLET_STACKD_DECK_H

#include "core/stack.h"

#include <stdio.h>

#define DECK_NAME_MAX 32
#define DECK_DEVICES_MAX 16
#define DECK_LINKS_MAX 64
#define DECK_ROUTES_MAX 1024
#define DECK_RULES_MAX 1024
#define DECK_HOSTS_MAX 4096
#define DECK_DNS_MAX 8

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
	char ifname[16];      /* host interface, default lower-case portname */
	char path[108];       /* SEQPACKET: socket; */
	bool path_listen;     /* SEQPACKET: wait for the other side */
	int fd;               /* FD */
	bool offload;         /* default true for TUN and TAP */
	uint32_t queues;      /* 1..16, default 1 */
	uint32_t txqueuelen;  /* default 4000 */
	uint16_t vlan;        /* 0 = none */
	char bridge[16];      /* host bridge to join, empty = none */
	struct ip_prefix host_addr[8]; /* for the host's side; addr keeps its
					* host bits */
	uint32_t n_host_addr;
	bool host_routes;     /* route to our addresses on the host */
	bool isolate;         /* port isolation on the bridge */
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
	char search[256];     /* DNS search list, blank-separated */
	uint32_t n_licence;   /* licence records ignored */
	struct ip_tune ip;
	struct tcp_tune tcp;
	size_t pool_limit_bytes;
	uint32_t sock_max;
	uint16_t port_lo, port_hi;
	/* who may use the stack: ALLOW USER|GROUP n (empty = everybody) */
	uid_t allow_uid[64];
	uint32_t n_allow_uid;
	gid_t allow_gid[64];
	uint32_t n_allow_gid;
	uint16_t priv_port_max; /* ports below need uid 0 or CAP; default 1024;
				 * RESERVE n */
	char metrics[108];    /* METRICS path: Prometheus text socket, empty =
			       * none */
};

#endif
