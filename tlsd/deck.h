/*
 * deck.h: what a tlsd deck says, as one value. Commands that tlsd shares with
 * proxyd are read by common/tlsdeck; those of tlsd alone are here:
 *
 *   ID nn
 *   ATTLS port[-port] AS port SSL [keyfile...] [word value]...
 *   ATTLS port[-port] TO target AS port SSL [keyfile...] [word value]...
 *   ATTLS port[-port] TO target CLEAR [word value]...
 *   TIMEOUT seconds       METRICS path        SUBTASK n
 *   SSL$DBG YES|NO        SSL$ICA YES|NO      IPTRACE YES|NO
 *
 * `target` is an address, a prefix (addr/n), a range (addr-addr), a host name
 * or ANY. Pure, but for asking the host for the number of a user.
 */
#ifndef COUPLET_TLSD_DECK_H
#define COUPLET_TLSD_DECK_H

#include "tlsdeck/tlsdeck.h"

#include <stdio.h>

struct deck_report;

#define TLSD_RULES_MAX 1024
#define TLSD_KEYFILES_MAX 8 /* of one rule: chosen by SNI */
#define TLSD_HOST_MAX 254
#define TLSD_NO_STARTTLS (-1)
#define TLSD_PROGRAM_MAX 255
#define TLSD_SUBTASKS_MAX 64 /* POOL_THREADS_MAX */
#define TLSD_TIMEOUT_DEFAULT_S 10
#define TLSD_PREFIXES_MAX 256 /* that a range of addresses comes to */

enum tlsd_target {
	TLSD_ANY,
	TLSD_PREFIX, /* lo is its address, plen its length */
	TLSD_RANGE,  /* lo..hi */
	TLSD_HOST,   /* host */
};

struct tlsd_rule {
	bool inbound; /* ATTLS without TO */
	bool clear;   /* TO ... CLEAR: not covered */
	uint16_t port_lo, port_hi, as_port;
	enum tlsd_target target;
	struct ip_addr lo, hi;
	uint8_t plen;
	char host[TLSD_HOST_MAX];
	/* member names, blank between; "" = KEYFILE */
	char keyfiles[TLSD_KEYFILES_MAX * (TLSDECK_MEMBER_MAX + 1)];
	char name[TLSD_HOST_MAX]; /* NAME: of the server, "*" = any name */
	bool user_given;
	uint32_t uid;
	char program[TLSD_PROGRAM_MAX + 1];
	bool controlled;    /* CONTROLLED: the program says when TLS begins */
	bool closed;        /* CLOSED: the world cannot reach the clear port */
	uint8_t family;     /* FAMILY V4|V6, IP_NONE = both */
	struct ip_addr at;  /* AT address: inbound, only this local one */
	uint32_t timeout_s; /* of the handshake */
	int8_t starttls;    /* enum upgrade_proto, or TLSD_NO_STARTTLS */
	bool optional; /* STARTTLS ... OPTIONAL: clear if the peer cannot */
	struct tls_settings tls; /* in force at this line */
	uint32_t line;
};

struct tlsd_deck {
	char id[3]; /* two digits */
	char job[16];
	struct tlsd_rule *rules;
	uint32_t n_rules;
	uint32_t subtasks;    /* SETPARM SUBTASK, 0 = one for each processor */
	bool ssl_dbg;         /* SETPARM SSL$DBG */
	bool ssl_ica;         /* SETPARM SSL$ICA: noted, no effect */
	bool iptrace;         /* SETPARM IPTRACE or UPSI 1: debug lines */
	enum tlsdeck_log log; /* of handshakes */
	char metrics[108];
};

#define TLSD_DECK_MEMBERS "/etc/couplet/members"

/*
 * Reads and checks the deck `path`. Every mistake becomes a note in `report`,
 * which the caller has initialised. 0; -EINVAL: the deck holds errors;
 * -ENOMEM; or the error of opening it. On failure *ret is empty.
 * tlsd_deck_free() is allowed in any case.
 */
int tlsd_deck_read(const char *path, struct tlsd_deck *ret,
		   struct deck_report *report) MUST_USE;
/* The same from memory; `name` stands for the file in notes. */
int tlsd_deck_parse(const char *name, const char *text, size_t len,
		    struct tlsd_deck *ret, struct deck_report *report) MUST_USE;
void tlsd_deck_free(struct tlsd_deck *d);
/* The deck in canonical form; reading it gives the same values again, all
 * but `line`. */
void tlsd_deck_print(const struct tlsd_deck *d, FILE *out);

/* The rule as an operator would write it, without what is sticky: for
 * displays. Returns `buf`. */
const char *tlsd_rule_text(const struct tlsd_rule *r, char *buf, size_t len);

/* The prefixes that lo..hi (same family, lo <= hi) comes to; their number, at
 * most `max`, or -E2BIG. */
int tlsd_range_prefixes(const struct ip_addr *lo, const struct ip_addr *hi,
			struct ip_prefix *ret, int max) MUST_USE;

#endif
