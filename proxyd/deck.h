/*
 * deck.h: the deck of proxyd as one value: every PROXY with what was in force
 * at its line. proxyd.deck(5) says what each command means; here is what it
 * comes to. Reading and printing are pure apart from loading the file.
 */
#ifndef COUPLET_PROXYD_DECK_H
#define COUPLET_PROXYD_DECK_H

#include "addr/addr.h"
#include "base/mono.h"
#include "deck/deck.h"
#include "tlsdeck/tlsdeck.h"

#define PROXYD_ID_HOST "*"  /* ID: the kernel's sockets */
#define PROXYD_NAME_MAX 8   /* what proxyctl -i takes */
#define PROXYD_HOST_MAX 253 /* bytes of a host name [RFC1035 2.3.4] */
#define PROXYD_PROXIES_MAX 1024
#define PROXYD_TARGETS_MAX 64 /* of one PROXY or SNI */
#define PROXYD_SNIS_MAX 1024  /* in a deck */
#define PROXYD_RULES_MAX 64   /* ALLOW and DENY in force at once */
#define PROXYD_HOSTS_MAX 1024
#define PROXYD_WHO_MAX 32
#define PROXYD_SUBTASKS_MAX 64 /* POOL_THREADS_MAX */

struct proxyd_side {
	uint8_t family; /* IP_V4, IP_V6; of servers also IP_NONE: ANY */
	uint16_t port;
	bool ssl;
	char keyfile[TLSDECK_MEMBER_MAX + 1]; /* of the x operand, "" = none */
	struct ip_addr local; /* of the x operand, IP_NONE = any */
};

struct proxyd_target {
	char host[PROXYD_HOST_MAX + 1]; /* name or address */
	uint16_t port;                  /* 0 = that of the PROXY */
};

struct proxyd_targets {
	struct proxyd_target *list; /* malloced */
	uint32_t n;
};

struct proxyd_rule {
	bool allow;
	struct ip_prefix from; /* IP_NONE: anybody */
};

enum proxyd_balance { PROXYD_ROUNDROBIN, PROXYD_LEASTCONN };
/* Of a PROXY protocol header: none, version 1, 2; on the client's side also
 * either. */
enum proxyd_header {
	PROXYD_HEADER_OFF,
	PROXYD_HEADER_V1,
	PROXYD_HEADER_V2,
	PROXYD_HEADER_ANY
};

struct proxyd_health {
	bool on;
	dur_t interval, timeout;
	uint32_t rise, fall; /* checks in a row */
};

/* What holds for the PROXY commands behind it. */
struct proxyd_settings {
	struct tls_settings tls;
	enum proxyd_balance balance;
	struct proxyd_health health;
	dur_t connect_timeout, idle_timeout, handshake_timeout, udp_timeout;
	uint32_t client_max; /* connections of one client, 0 = no limit */
	enum proxyd_header header_in, header_out;
	struct proxyd_rule rules[PROXYD_RULES_MAX];
	uint32_t n_rules;
};

struct proxyd_proxy {
	bool udp;
	struct proxyd_side client, server;
	struct proxyd_targets targets;
	struct proxyd_settings set;
	uint32_t line;
};

struct proxyd_sni {
	uint32_t proxy;                    /* index */
	char pattern[PROXYD_HOST_MAX + 1]; /* name, or "*." and a suffix;
					    * lower case */
	struct proxyd_targets targets;
};

struct proxyd_host {
	char name[PROXYD_HOST_MAX + 1];
	struct ip_addr addr;
};

struct proxyd_deck {
	char id[3];                     /* two digits, or "*" */
	char name[PROXYD_NAME_MAX + 1]; /* of this proxyd */
	char job[DECK_JOB_MAX + 1];
	uint32_t interval_s;
	uint32_t conn_max;      /* connections in all */
	uint32_t flow_max;      /* UDP flows in all */
	uint32_t handshake_max; /* handshakes that wait for their first turn */
	uint32_t subtasks;      /* SUBTASK; 0: one for each processor */
	dur_t drain;            /* how long DRAIN waits */
	dur_t stop;             /* how long SIGTERM waits */
	enum tlsdeck_log log;
	uint16_t ftp_lo, ftp_hi; /* ports of data connections, 0 = any */
	char metrics[108];
	uint32_t allow_uid[PROXYD_WHO_MAX], allow_gid[PROXYD_WHO_MAX];
	uint32_t n_allow_uid, n_allow_gid;
	struct proxyd_proxy *proxies; /* malloced */
	uint32_t n_proxies;
	struct proxyd_sni *snis;
	uint32_t n_snis;
	struct proxyd_host *hosts;
	uint32_t n_hosts;
};

/*
 * Reads the deck `path`. 0; -EINVAL: it holds errors, told in the report;
 * -ENOMEM or the error of loading. *ret is freed by proxyd_deck_free(), after
 * a failure too.
 */
int proxyd_deck_read(const char *path, struct proxyd_deck *ret,
		     struct deck_report *report) MUST_USE;
/* The same from memory; `name` stands for the file in notes. */
int proxyd_deck_parse(const char *name, const char *text, size_t len,
		      struct proxyd_deck *ret,
		      struct deck_report *report) MUST_USE;
/* In canonical form; reading that again gives the same deck. */
void proxyd_deck_print(const struct proxyd_deck *d, FILE *out);
void proxyd_deck_free(struct proxyd_deck *d);

/* The address of a HOST command (case does not matter), or NULL. */
const struct ip_addr *proxyd_deck_host(const struct proxyd_deck *d,
				       const char *name, enum ip_family family);

#endif
