/*
 * proto.h: what front ends and stackd say to each other. Both run on one
 * machine, so records are fixed structs in host order; every reader checks
 * magic, version and length before it looks further.
 *
 * RUN/ID/stream    a program's TCP socket connects itself here and sends a
 *                  struct proto_hello with itself attached (SCM_RIGHTS),
 *                  followed by padding up to hello.total bytes. The last of
 *                  these stays unread in stackd: the plant. What the program
 *                  writes afterwards is the stream.
 * RUN/ID/dgram     the same for a UDP socket (SEQPACKET): the first message
 *                  is the proto_hello, later ones are datagrams, with a
 *                  struct proto_dgram in front as long as the socket is not
 *                  connected.
 * RUN/ID/control   SEQPACKET: one struct proto_req per message, with the
 *                  socket it is about attached (possession of the socket is
 *                  the right to operate on it), answered by one struct
 *                  proto_rep unless PROTO_F_ONEWAY.
 *
 * A socket is known to stackd by the SO_COOKIE of the program's end.
 */
#ifndef COUPLET_CLIENT_PROTO_H
#define COUPLET_CLIENT_PROTO_H

#include "addr/addr.h"

#include <assert.h>

#define PROTO_MAGIC 0x43504c31u /* "CPL1" */
#define PROTO_RUN_DIR "/run/couplet"
#define PROTO_TEXT_MAX 256
#define PROTO_REP_MAX 49152 /* largest reply */

/* ---- the tag of a socket ---------------------------------------------------
 *
 * Kept in SO_MAX_PACING_RATE of the AF_UNIX socket, see client/tag.h.
 */
#define TAG_MAGIC 0xc1a7ULL
#define TAG_ID_SHIFT 41 /* stack id, 7 bits */
#define TAG_V6 (1ULL << 40)
#define TAG_DGRAM (1ULL << 39)
#define TAG_STATE_SHIFT 36
#define TAG_STATE_MASK (7ULL << TAG_STATE_SHIFT)
#define TAG_V6ONLY (1ULL << 35)
#define TAG_REUSEPORT (1ULL << 34)
#define TAG_NODELAY (1ULL << 33)
#define TAG_RAISE (1ULL << 32)   /* SO_SNDBUF is to be raised */
#define TAG_SNDBUF (1ULL << 31)  /* SO_SNDBUF was set by the program */
#define TAG_RCVBUF (1ULL << 30)  /* SO_RCVBUF likewise */
#define TAG_TOS_SHIFT 22         /* 8 bits */
#define TAG_KEEPCNT_SHIFT 15     /* 7 bits, 0 = default */
#define TAG_KNOWN (1ULL << 14)   /* stackd has a record of it */
#define TAG_PKTINFO (1ULL << 13) /* UDP: ancillary data wanted */
#define TAG_PKTINFO6 (1ULL << 12)
#define TAG_RECVTTL (1ULL << 11)
#define TAG_RECVTOS (1ULL << 10)
#define TAG_RECVHOPS (1ULL << 9)
#define TAG_RECVTCLASS (1ULL << 8)
#define TAG_RECVERR (1ULL << 7)
#define TAG_SHUT (1ULL << 6)       /* UDP: the program shut it down */
#define TAG_OPTS (1ULL << 5)       /* some stored option was set */
#define TAG_ALL_ERRORS (1ULL << 4) /* IPV6_RECVERR */

enum tag_state {
	TAG_FRESH,
	TAG_BOUND,
	TAG_LISTEN,
	TAG_CONNECTING, /* TCP: connect() was called; look at the socket */
	TAG_CONNECTED,
	TAG_ACCEPTED,
	TAG_FAILED, /* TCP: connect() failed and the program was told */
};

/* ---- records ---------------------------------------------------------------
 */

struct proto_addr {     /* struct ip_port with a fixed layout */
	uint8_t family; /* IP_NONE, IP_V4, IP_V6 */
	uint8_t pad;
	uint16_t port;
	uint32_t scope;
	uint8_t b[16];
};

static_assert(sizeof(struct proto_addr) == 24, "layout");

enum { /* proto_opts.flags */
       PROTO_O_REUSEADDR = 1,
       PROTO_O_REUSEPORT = 2,
       PROTO_O_KEEPALIVE = 4,
       PROTO_O_NODELAY = 8,
       PROTO_O_V6ONLY = 16,
       PROTO_O_BROADCAST = 32,
       PROTO_O_LINGER = 64,
};

/* Options that a socket collected before stackd heard of it. 0 = default. */
struct proto_opts {
	uint32_t flags;
	int32_t linger_s;
	uint16_t keepidle_s, keepintvl_s;
	uint8_t keepcnt, tos;
	uint8_t pad[2];
	uint32_t sndbuf, rcvbuf; /* as given by the program */
};

static_assert(sizeof(struct proto_opts) == 24, "layout");

struct proto_hello {
	uint32_t magic;
	uint8_t v6, dgram;
	uint8_t pad[2];
	uint32_t total; /* bytes of record and padding, TCP only */
	/* The program's process when a supervisor speaks for it, 0 = the peer
	 * itself. stackd believes it of root, and of a user about himself. */
	uint32_t for_pid;
	struct proto_opts opts;
	struct proto_addr to; /* TCP: connect there */
};

static_assert(sizeof(struct proto_hello) == 64, "layout");

#define PROTO_TOTAL_MAX (1u << 20)

/* Address header of datagrams of unconnected sockets. Towards the program:
 * remote = sender, local = destination of the packet. Towards stackd: remote
 * = destination (family IP_NONE: none given), local = source wanted, its
 * scope the interface. */
struct proto_dgram {
	struct proto_addr remote, local;
	uint32_t ifindex;
	uint16_t gso_size;
	int16_t ttl; /* -1 = the socket's */
	int16_t tos;
	uint8_t type; /* PROTO_D_ */
	uint8_t pad[5];
};

static_assert(sizeof(struct proto_dgram) == 64, "layout");

/*
 * MARK: end of the datagrams that were queued with headers, when a socket is
 * connected; the front end answers with a MARK of its own and sends without
 * headers from then on. BACK: a datagram that was queued before, given back
 * between the two marks so that the program finds it without its header.
 */
enum { PROTO_D_DATA = 0xd1, PROTO_D_MARK = 0xd2, PROTO_D_BACK = 0xd3 };

enum proto_op {
	PROTO_BIND = 1,    /* addr */
	PROTO_LISTEN,      /* value = backlog */
	PROTO_UNLISTEN,    /* shutdown() of a listener */
	PROTO_UDP_CONNECT, /* addr; family IP_NONE dissolves */
	PROTO_GETNAME,     /* reply: local, remote */
	PROTO_ERROR,       /* reply: value = pending errno, taken */
	PROTO_SETOPT,      /* name = enum proto_opt, value */
	PROTO_GETOPT,
	PROTO_SETCC,  /* text */
	PROTO_SETDEV, /* text = interface name, empty = none */
	PROTO_GETDEV, /* reply text */
	PROTO_INFO,   /* reply data: struct tcp_info */
	PROTO_QUEUES, /* reply: value = unacked + unsent, value2 = unread,
		       * value3 = unsent */
	PROTO_JOIN,   /* addr = group, ifindex */
	PROTO_LEAVE,
	PROTO_MTU,      /* reply value */
	PROTO_HOST,     /* text = name: reply data: proto_addr... from HOST */
	PROTO_HOSTREV,  /* addr: reply text */
	PROTO_CONFIG,   /* reply data: struct proto_config */
	PROTO_IFS,      /* reply data: struct proto_if... */
	PROTO_ROUTESRC, /* addr = destination: reply local = source address
			 * that would be used; for address ordering */
	PROTO_ATTLS,    /* name = option of client/attls.h, value = request:
			 * reply data: what the option gives. The answer may
			 * take some seconds */
	PROTO_HOSTS,    /* value = number of an entry of the HOST table, 0
			 * first: reply data: text as in hosts(5), value =
			 * where to go on, 0 = that was all */
	/* Between the two stacks of a couple; peers of stackd's own user only.
	 */
	PROTO_COUPLE, /* text = ID of the asking stack: reply: value = a number
		       * of this life of the stack */
	PROTO_TWIN,   /* descriptor: O_PATH of a program's listener; addr =
		       * listen there, value = backlog, text = struct
		       * proto_twin */
	PROTO_UNTWIN, /* text = struct proto_twin */
	PROTO_TWINS,  /* value = number of a record, 0 first; text = ID of the
		       * asking stack: reply: local, value = backlog, value2 =
		       * where to go on (0: that was all), data = struct
		       * proto_twin, with the descriptor; data_len 0: none */
	PROTO__LAST
};

/* Names of options in PROTO_SETOPT and PROTO_GETOPT; values as enum sock_opt
 * and enum tcp_opt of the engine have them. */
enum proto_opt {
	OPT_REUSEADDR,
	OPT_REUSEPORT,
	OPT_V6ONLY,
	OPT_BROADCAST,
	OPT_LINGER,
	OPT_TTL,
	OPT_TOS,
	OPT_MCAST_TTL,
	OPT_MCAST_LOOP,
	OPT_MCAST_IF,
	OPT_BIND_IF,
	OPT_MTU_DISCOVER,
	OPT_RECVERR,
	OPT_UDP_RCVBUF,
	OPT_UDP_SNDBUF,
	OPT_FREEBIND,
	OPT_UDP_SEGMENT,
	OPT_SOCK_END,
	OPT_NODELAY = 32,
	OPT_CORK,
	OPT_QUICKACK,
	OPT_KEEPALIVE,
	OPT_KEEPIDLE,
	OPT_KEEPINTVL,
	OPT_KEEPCNT,
	OPT_MAXSEG,
	OPT_USER_TIMEOUT,
	OPT_SYNCNT,
	OPT_LINGER2,
	OPT_CC,
	OPT_SNDBUF,
	OPT_RCVBUF,
	OPT_NOTSENT_LOWAT,
	OPT_WINDOW_CLAMP,
	OPT_TCP_END,
};

#define PROTO_F_ONEWAY 1 /* no reply wanted */
#define PROTO_F_OPTS 2   /* opts are meant: the first word about this socket */
#define PROTO_F_NOSOCK 4 /* no socket attached */

struct proto_req {
	uint32_t magic;
	uint16_t op, flags;
	uint8_t v6, dgram;
	uint16_t text_len;
	int32_t name;
	int64_t value;
	uint32_t ifindex;
	uint32_t for_pid; /* as in struct proto_hello */
	struct proto_opts opts;
	struct proto_addr addr;
	char text[PROTO_TEXT_MAX]; /* only text_len bytes are sent */
};

#define PROTO_REQ_MIN (offsetof(struct proto_req, text))

struct proto_rep {
	uint32_t magic;
	int32_t error; /* 0 or negative errno */
	int64_t value, value2, value3;
	struct proto_addr local, remote;
	uint32_t data_len; /* bytes that follow */
	uint32_t pad;
};

static_assert(sizeof(struct proto_rep) == 88, "layout");

struct proto_config {            /* of the stack, for resolvers */
	uint32_t has_v4, has_v6; /* an address besides loopback */
	uint32_t n_dns;
	struct proto_addr dns[8];
	char search[256];
};

struct proto_if { /* one address of one interface */
	uint32_t ifindex, mtu;
	uint8_t up, loopback, plen, first; /* first: of this interface */
	uint8_t mac[6];
	uint8_t has_addr, pad;
	char name[32];
	struct proto_addr addr;
};

/* A listener that both stacks of a couple serve. */
struct proto_twin {
	uint64_t cookie; /* of the program's socket */
	uint32_t pid, uid, gid;
	char id[4]; /* of the stack it was made at */
	struct proto_opts opts;
};

static_assert(sizeof(struct proto_twin) == 48, "layout");

/* ---- conversions
 * -------------------------------------------------------------- */

/* IP_NONE gives an all-zero record. */
void proto_addr_put(const struct ip_port *p, struct proto_addr *ret);
/* 0, or -EINVAL when the family is none of the three. */
int proto_addr_get(const struct proto_addr *a, struct ip_port *ret) MUST_USE;

/* ---- names of accepted connections
 * ------------------------------------------------ */

#define PROTO_NAME_MAX 108

/*
 * The abstract name that stackd's end of an accepted connection carries:
 * "\0c/SERIAL/LOCAL#PORT-REMOTE#PORT", text that `ss -x` shows. Returns its
 * length, at most PROTO_NAME_MAX. serial below 2^48.
 */
size_t proto_name_emit(uint64_t serial, const struct ip_port *local,
		       const struct ip_port *remote, char *ret);
/* 0, or -EINVAL: not such a name. Any ret_ may be NULL. */
int proto_name_parse(const char *name, size_t len, uint64_t *ret_serial,
		     struct ip_port *ret_local,
		     struct ip_port *ret_remote) MUST_USE;

#endif
