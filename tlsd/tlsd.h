/*
 * tlsd.h: the daemon as one value, and how its files share the work:
 *
 *   main.c      start, end, reload
 *   rule.c      the deck's rules with their policies, and their word to stackd
 *   door.c      the connection to stackd (common/divert)
 *   pair.c      one connection: handshake, hand-over, relay
 *   talk.c      conversations that are followed: FTP, STARTTLS
 *   control.c   programs that say when TLS begins and ends (aware.h)
 *   about.c     what programs hear of their connections
 *   resolve.c   addresses of hosts that rules name
 *   history.c   what handshakes came to
 *   operator.c  console commands (commands.c is their table); display.c
 *
 * Pair of words: the *program* and the *wire*. Everything but handshakes runs
 * on the loop's thread.
 */
#ifndef COUPLET_TLSD_H
#define COUPLET_TLSD_H

#include "base/list.h"
#include "daemon/daemon.h"
#include "deck.h"
#include "divert/divert.h"
#include "pool/pool.h"
#include "relay/relay.h"
#include "tls/tls.h"

struct console;
struct ev_timer;
struct metrics;
struct resolver;
struct keys;
struct tlsd;

/* ---- rules --------------------------------------------------------------- */

struct rule_counters {
	uint64_t opened;  /* handshakes that succeeded */
	uint64_t failed;  /* or not */
	uint64_t resumed; /* of those opened */
	uint64_t timeouts;
	uint64_t resets; /* ended by a reset or without close_notify */
	uint64_t bytes_in, bytes_out; /* clear text, from and to the wire */
	uint64_t handshake_us;        /* in all */
	uint32_t active;              /* pairs now */
};

#define RULE_ADDRS_MAX 16

/* A rule of the deck in force, or of an older one while it has pairs. */
struct rule {
	unsigned refs;
	uint32_t id;     /* never used twice */
	uint32_t number; /* in the deck, from 1 */
	struct tlsd_rule d;
	struct tls_policy *policy; /* NULL: CLEAR */
	struct rule_counters n;
	bool warned; /* the world reaches the clear port */
	/* for the data connections of an FTP session: the rule of its control
	 * connection, which counts them (one reference), and the list of such
	 * rules in struct tlsd */
	struct rule *owner;
	struct list node;
	struct ip_addr addrs[RULE_ADDRS_MAX]; /* of the host it names */
	uint32_t n_addrs;
};

struct rules {
	struct rule **at;
	uint32_t n;
};

/* Rules with policies for every ATTLS of the deck. Errors and what the
 * operator should know are logged. 0 or negative errno. */
int rules_make(struct tlsd *td, const struct tlsd_deck *deck,
	       struct rules *ret) MUST_USE;
void rules_free(struct rules *r);
/* What is known of hosts, and what was counted, goes over from the rules that
 * say the same. */
void rules_inherit(struct rules *to, const struct rules *from);
/* The rule of an id; NULL: none in force. Borrowed. */
struct rule *rules_find(const struct tlsd *td, uint32_t id);
struct rule *rule_ref(struct rule *r);
void rule_unref(struct rule *r); /* NULL is fine */
/* Where what happens under a rule is counted. */
static inline struct rule_counters *rule_counters(struct rule *r)
{
	return r->owner ? &r->owner->n : &r->n;
}
/* A rule for one connection, from `to` or to it, under the policy of `owner`;
 * stackd is told. One reference, in td->data. NULL: no memory, or no stackd. */
struct rule *rule_for_data(struct tlsd *td, struct rule *owner, bool inbound,
			   const struct ip_port *to);
/* Takes it back, here and at stackd; used or not. */
void rule_end_data(struct tlsd *td, struct rule *r);
/* Sends the whole set to stackd. 0 or negative errno. */
int rules_register(struct tlsd *td) MUST_USE;
/* The name that a client's session asks for and checks: of the rule, or the
 * address itself. Returns `buf` of TLSD_HOST_MAX bytes, or NULL: none. */
const char *rule_peer_name(const struct rule *r, const struct ip_addr *to,
			   char *buf);

/* ---- what handshakes came to --------------------------------------------- */

#define HISTORY_MAX 256

struct handshake {
	uint64_t at_s; /* wall clock */
	uint32_t rule; /* its number */
	bool inbound, ok, resumed;
	uint32_t us;
	struct ip_port peer;
	char version[12], suite[48], group[16], cert[96], user[64], alpn[33];
	char why[160]; /* not ok */
};

struct history {
	struct handshake at[HISTORY_MAX];
	uint64_t n; /* in all */
};

/* ---- the daemon ---------------------------------------------------------- */

#define TLSD_HASH 4096

struct tlsd {
	struct daemon *daemon; /* from open() to stop() */
	struct tlsd_deck deck;
	struct keys *keys;
	struct tls_tickets *tickets;
	struct tls_cache *cache;
	struct ocsp_fetch *ocsp; /* outlives every policy */
	struct relay_set *set;
	struct pool *pool;
	struct rules rules;
	struct rules before; /* until stackd has the new ones: what it hands
			      * over meanwhile is of these */
	uint32_t last_rule_id;
	struct list data; /* struct rule, for one connection each */
	struct relay_io wire_io, clear_io; /* closing tells stackd */
	/* the same where the program says when TLS begins and ends */
	struct relay_io wire_aware, clear_aware, program_aware;
	/* the connection to stackd */
	int door;   /* -1 none */
	bool ready; /* rules are in force */
	bool told_absent;
	struct relay_watch door_watch;
	struct relay_timer door_timer;
	struct relay_watch keys_watch;
	struct divert_msg *unsaid; /* ring, while the door is full */
	uint32_t unsaid_head, unsaid_n, unsaid_cap;
	struct resolver *resolver; /* NULL: no rule names a host */
	bool resolved;             /* first answers are there */
	struct list pairs;
	struct list by_serial[TLSD_HASH];
	uint32_t n_pairs;
	uint64_t n_pairs_ever;
	struct history history;
	struct console *console;
	struct metrics *metrics;
	struct ev_timer *interval;
	mono_t started;
};

/* ---- door.c -------------------------------------------------------------- */

/* Before anything else. */
void door_init(struct tlsd *td);
/* Tries now, and again until it succeeds. */
void door_open(struct tlsd *td);
void door_close(struct tlsd *td);
/* A word without descriptors; waits while the door is full. */
void door_say(struct tlsd *td, enum divert_op op, uint64_t serial, int error);
/* The same with everything. 0 or negative errno (the door is lost). */
int door_send(struct tlsd *td, const struct divert_msg *m) MUST_USE;

/* ---- resolve.c ----------------------------------------------------------- */

/* For the rules in force, in place of what ran before. Rules are registered
 * when the answers are there. 0 or -ENOMEM. */
int resolver_start(struct tlsd *td) MUST_USE;
void resolver_stop(struct tlsd *td);

/* ---- pair.c -------------------------------------------------------------- */

/* Before the first pair. */
void pair_init_io(struct tlsd *td);
/* Takes the descriptors of a DIVERT_SOCKET. */
void pair_new(struct tlsd *td, const struct divert_msg *m, int fds[DIVERT_FDS]);
/* Words of stackd about a pair; those about others are ignored. */
void pair_connected(struct tlsd *td, const struct divert_msg *m);
void pair_gone(struct tlsd *td, uint64_t serial, int error);
/* Takes `fd`, -1 with an error. */
void pair_introduced(struct tlsd *td, uint64_t serial, int fd, int error);
/* The operator ends one, by its number; false: there is none. */
bool pair_reset(struct tlsd *td, uint64_t id);
/* Ends all of them with resets. */
void pairs_end(struct tlsd *td);

/* For displays: the pairs in the order of their beginning. */
struct pair_info {
	uint64_t id;
	uint32_t rule; /* number */
	bool inbound;
	const char *state;
	struct ip_port local, remote; /* as the program sees them */
	uint16_t as_port;
	uint32_t pid, uid;
	mono_t since;
	uint64_t bytes_in, bytes_out;
	struct tls_session *session; /* NULL unless it is open */
};
/* *it NULL at first; false: no more. */
bool pair_next(const struct tlsd *td, const struct list **it,
	       struct pair_info *ret);

/* ---- control.c ----------------------------------------------------------- */

/* After pair_init_io(). */
void control_init_io(struct tlsd *td);
/* DIVERT_CONTROL; `fd` (or -1) is borrowed. */
void control_asked(struct tlsd *td, const struct divert_msg *m, int fd);

/* ---- history.c ----------------------------------------------------------- */

/* Counts, logs and keeps what a handshake came to. `s` may be NULL when
 * `why` says what went wrong before there was one. */
void history_add(struct tlsd *td, struct rule *r, bool inbound,
		 const struct ip_port *peer, struct tls_session *s,
		 const char *why, uint32_t us);

/* ---- operator.c ---------------------------------------------------------- */

extern const struct console_ops operator_console;
/* Reads deck and key files anew; connections go on. 0 or negative errno, then
 * nothing was changed (the log says why). */
int tlsd_reload(struct tlsd *td) MUST_USE;

#endif
