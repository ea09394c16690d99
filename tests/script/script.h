/*
 * script.h: packet scripts. A script is a text of one scenario: packets that
 * a peer sends, packets that the stack must send and when, and what the
 * program does in between. README.md of this folder has the language.
 *
 * The same text runs in virtual time against the engine (engine.c) and in
 * real time against a running stackd (live.c); run.c knows neither, it talks
 * to a struct door. Nothing here allocates per packet.
 */
#ifndef COUPLET_TEST_SCRIPT_H
#define COUPLET_TEST_SCRIPT_H

#include "addr/addr.h"
#include "base/mono.h"

#define PACKET_MAX 66000
#define LINE_MAX_BYTES 1024
#define WORDS_MAX 64
#define ITEMS_MAX 48
#define SLOTS_MAX 16   /* sockets of a script */
#define FLOWS_MAX 16   /* peers' ports with sequence numbers of their own */
#define VARS_MAX 8     /* $names */
#define DECK_MAX 2048  /* bytes of `deck` lines */
#define QUOTE_MAX 2048 /* bytes of a packet kept for quoting */

/* ---- packets as lists of fields ------------------------------------------ */

enum field {
	F_SMAC,
	F_DMAC,
	F_ETYPE,
	F_VLAN,
	F_VERSION,
	F_SRC,
	F_DST,
	F_TTL,
	F_TOS,
	F_ID,
	F_DF,
	F_MF,
	F_OFF,
	F_IHL,
	F_TOTLEN,
	F_IPSUM,
	F_IPOPT,
	F_PROTO,
	F_FLOW,
	F_PLEN,
	F_EXT,
	F_FRAG,
	F_SPORT,
	F_DPORT,
	F_SUM,
	F_LEN,
	F_ULEN,
	F_FLAGS,
	F_SEQ,
	F_ACK,
	F_WIN,
	F_URG,
	F_DOFF,
	F_RSVD,
	F_MSS,
	F_WS,
	F_SACKOK,
	F_TS,
	F_SACK,
	F_OPT,
	F_TYPE,
	F_CODE,
	F_REST,
	F_EID,
	F_ESEQ,
	F_QUOTE,
	F_QLEN,
	F_QSEQ,
	F_QPORT,
	F_QDST,
	F_QSRC,
	F_PTR,
	F_MTU,
	F_TARGET,
	F_DEST,
	F_ROUTER,
	F_SOL,
	F_OVERRIDE,
	F_SLLA,
	F_TLLA,
	F_NONCE,
	F_LIFE,
	F_HOP,
	F_REACH,
	F_RETRANS,
	F_RAFLAGS,
	F_PREFIX,
	F_RDNSS,
	F_DNSSL,
	F_NDOPT,
	F_OP,
	F_SHA,
	F_THA,
	F_SPA,
	F_TPA,
	F_GROUP,
	F_RAW,
	F_TRUNC,
	F_PAD,
	F_SPOIL,
	F_FRAME,
	F__COUNT
};

/* One word of a packet line with its value; what counts depends on the
 * field. */
struct item {
	int field;   /* enum field */
	bool absent; /* "-ts": must not be there */
	bool any;    /* "*": must be there, with any value */
	bool other;  /* "!ADDRESS": any but this */
	int64_t n, n2, n3;
	struct ip_addr addr;
	uint8_t bytes[128];
	uint16_t len;
	char var[12]; /* "$x": bound at first sight, compared later */
};

enum body {
	BODY_NONE,
	BODY_TCP,
	BODY_UDP,
	BODY_ICMP4,
	BODY_ICMP6,
	BODY_ARP,
	BODY_IGMP,
	BODY_RAW
};

struct packet_line {
	enum body body;
	unsigned n;
	struct item item[ITEMS_MAX];
};

/* Sequence numbers of one peer's port, so that scripts can count from 0. */
struct flow {
	bool used, iss_known;
	uint16_t peer_port, our_port;
	uint32_t isn;    /* of the peer */
	uint32_t iss;    /* of the stack */
	uint32_t ts_val; /* latest of the stack */
};

/* ---- the two worlds -------------------------------------------------------
 */

struct script;

/* Results of calls: 0 or more, or a negative errno. */
struct door {
	const char *name;
	bool real_time;
	/* A stack with s->deck_text, for this script. */
	void (*start)(struct script *s);
	void (*stop)(struct script *s);
	void (*inject)(struct script *s, const uint8_t *p, size_t len);
	/* The next packet that comes until `wait` from now has passed: its
	 * length, or 0; s->now_ns moves to its time or to the end. */
	size_t (*next)(struct script *s, dur_t wait, uint8_t *buf, size_t cap);
	int (*open)(struct script *s, unsigned slot, bool tcp, bool v6);
	int (*bind)(struct script *s, unsigned slot, const struct ip_port *at);
	int (*listen)(struct script *s, unsigned slot, int backlog);
	int (*accept)(struct script *s, unsigned from, unsigned slot);
	int (*connect)(struct script *s, unsigned slot,
		       const struct ip_port *to);
	int (*write)(struct script *s, unsigned slot, const uint8_t *p,
		     size_t len, bool more);
	/* 0: end of file; -EAGAIN: nothing there */
	int (*read)(struct script *s, unsigned slot, uint8_t *p, size_t len);
	int (*sendto)(struct script *s, unsigned slot, const uint8_t *p,
		      size_t len, const struct ip_port *to, unsigned gso);
	int (*shutdown)(struct script *s, unsigned slot);
	int (*close)(struct script *s, unsigned slot, bool abort);
	int (*set)(struct script *s, unsigned slot, const char *opt, int v);
	int (*get)(struct script *s, unsigned slot, const char *opt, int *ret);
	int (*error)(struct script *s, unsigned slot);
	/* POLLIN and POLLOUT bits */
	int (*poll)(struct script *s, unsigned slot);
	/* Name of the TCP state, "" when the world cannot tell. */
	const char *(*state)(struct script *s, unsigned slot);
	/* Counter `name`, -1 when the world cannot tell. */
	int64_t (*count)(struct script *s, const char *name);
};

struct slot {
	bool used, tcp, v6, listener;
	uint16_t peer_port;     /* of its flow, 0 none */
	uint64_t written, read; /* bytes so far */
	int fd;                 /* live */
	void *sock;             /* engine */
};

struct script {
	const char *path, *name;
	const struct door *door;
	void *world; /* the door's */
	bool v6, l2, live_ok;
	bool chatter; /* what an interface says when it comes up is looked at */
	char why_not_live[128];
	uint32_t mtu;
	char deck_text[DECK_MAX];
	size_t deck_len;
	int64_t now_ns, waited_ns;
	unsigned line;
	bool failed;
	char error[512];

	unsigned number; /* live: makes addresses and ports its own */
	struct ip_addr us, peer, us6, peer6;
	uint16_t our_port, peer_port; /* defaults of a line */
	struct slot slot[SLOTS_MAX];
	char slot_name[SLOTS_MAX][8];
	struct flow flow[FLOWS_MAX];
	struct {
		char name[12];
		struct ip_addr addr;
	} var[VARS_MAX];
	uint8_t last_out[QUOTE_MAX], last_in[QUOTE_MAX];
	size_t last_out_len, last_in_len;
	uint8_t buf[PACKET_MAX];
};

extern const struct door engine_door, live_door;

/* ---- words.c: text to fields ----------------------------------------------
 */

/* Splits in place at blanks; a "#" begins a comment. Returns the number. */
unsigned script_split(char *text, char *words[WORDS_MAX]);
/* Fills *ret from the words of a packet; false after script_fail(). */
bool script_packet_line(struct script *s, char **words, unsigned n,
			struct packet_line *ret);
/* "1s" "200ms" "50us"; false when it is none. */
bool script_duration(const char *text, dur_t *ret);
/* An address, a name ("us", "peer", "us6", "peer6") or a bound $variable. */
bool script_addr(struct script *s, const char *text, struct ip_addr *ret);
struct flow *script_flow(struct script *s, uint16_t peer_port);
const struct item *script_item(const struct packet_line *l, enum field f);

/* ---- build.c, match.c ------------------------------------------------------
 */

/* The frame (l2) or packet that `l` describes, into s->buf; its length. */
size_t script_build(struct script *s, const struct packet_line *l);
/* Does the packet agree with every field of `l`? Else script_fail(). Learns
 * sequence numbers and variables. */
bool script_match(struct script *s, const struct packet_line *l,
		  const uint8_t *p, size_t len);
/* A report of a group or a router solicitation, in a script that does not
 * look at these. */
bool script_is_chatter(const struct script *s, const uint8_t *p, size_t len);
/* Keeps a packet of the stack for quoting. */
void script_remember(struct script *s, const uint8_t *p, size_t len);
/* One line of text about a packet, for messages; returns `buf`. */
const char *script_describe(struct script *s, const uint8_t *p, size_t len,
			    char *buf, size_t cap);
/* Offset of the IP header and whether it is IPv6; -1: no IP packet. */
int script_ip_offset(const struct script *s, const uint8_t *p, size_t len);

/* The byte at `i` of a stream; side 0 the peer's, 1 the program's. */
static inline uint8_t script_byte(int side, uint64_t i)
{
	return (uint8_t)((i * 167 + (i >> 8) * 13 + (uint64_t)side * 91) &
			 0xff);
}

/* ---- run.c ------------------------------------------------------------------
 */

/* Runs the script at `path`. 0 passed, 1 failed (printed), 77 not for this
 * door (printed why). */
int script_run(const char *path, const struct door *door, unsigned number);
/* Folder that gets a seed per script for fuzz_frames; NULL none. */
extern const char *script_seeds;
/* The deck of the stack: `adapter` says the medium. */
void script_deck(const struct script *s, const char *adapter, char *buf,
		 size_t cap);
/* Notes the first failure with file and line. Always false. */
bool script_fail(struct script *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
