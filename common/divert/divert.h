/*
 * divert.h: how stackd hands connections over to a daemon that stands between
 * a program and the network, and takes them back: records, and the two calls
 * that send and receive them. tlsd is that daemon; the records know nothing
 * of TLS.
 *
 * RUN/ID/divert is an AF_UNIX SEQPACKET socket that only root and stackd's
 * own user may use, one at a time. The diverter says BEGIN, any number of
 * RULEs, COMMIT; the set then takes the place of the one before as a whole.
 * From there on:
 *
 *   outbound  A program's connect() matches a rule. stackd opens the
 *             connection itself, with everything that the program's socket
 *             has (bound address, options, TCP_INFO), but to the port that
 *             the rule names, and sends SOCKET with two descriptors: the end
 *             of the program's socket, its padding still unread, and the end
 *             of the connection. CONNECTED or GONE tells what becomes of the
 *             latter. The diverter says OPENED before it takes the padding
 *             out (the program's socket becomes writable), or FAILED before
 *             it closes the program's end with the padding unread.
 *   inbound   A program listens on a port of a rule. stackd listens on the
 *             rule's other port as long as the program does (LISTENER and
 *             UNLISTEN tell), and sends SOCKET with one descriptor, the
 *             connection's end, for each one that arrives. INTRODUCE asks for
 *             the program's end: stackd connects to the program's listener
 *             under the true client's name and sends INTRODUCED with it. Its
 *             first byte is the plant that the program's accept() brings.
 *
 * The rule's other port may be the same port: then the connections of the
 * program's own listener are taken before it sees them.
 *
 * When the diverter goes, its connections are reset and the rules stay: what
 * they cover is held for a while and then refused, never let through. A rule
 * that was added by ADD (for one connection, as the data connections of FTP)
 * goes with the diverter.
 *
 * Both ends run on one machine: fixed structs in host order. Every reader
 * checks magic, version and length before it looks further.
 */
#ifndef COUPLET_DIVERT_H
#define COUPLET_DIVERT_H

#include "client/attls.h"
#include "client/proto.h"

#define DIVERT_MAGIC 0x43505631u /* "CPV1" */
#define DIVERT_RULES_MAX 4096
#define DIVERT_TEXT_MAX 256 /* bytes of a text with its zero */
#define DIVERT_FDS 2

enum divert_op {
	/* diverter to stackd */
	DIVERT_BEGIN = 1, /* a set of rules begins */
	DIVERT_RULE,      /* .rule, text = program */
	DIVERT_COMMIT,    /* answered by READY */
	DIVERT_ADD,       /* .rule that lives until its first use or DELETE */
	DIVERT_DELETE,    /* .rule.id of an added one */
	DIVERT_OPENED,    /* serial: the program's connect() succeeded */
	DIVERT_FAILED,    /* serial, error: what the program is told about
			   * its connect(), said before its end is closed */
	DIVERT_RESET,     /* serial: ends the connection with a reset; closing
			   * the wire's end without it is a FIN */
	DIVERT_INTRODUCE, /* serial */
	DIVERT_ABOUT,     /* serial, .attls: what a program that asks is told */
	DIVERT_ANSWER,    /* serial, .control, error: what a CONTROL came to;
			   * with certificates: a descriptor with .control.len
			   * bytes to read */
	/* stackd to diverter */
	DIVERT_READY,      /* error 0 or errno: the set is in force, or not */
	DIVERT_SOCKET,     /* serial, .sock, descriptors; text = program */
	DIVERT_CONNECTED,  /* serial: the connection stands; .sock.local */
	DIVERT_GONE,       /* serial, error: stackd ended the connection */
	DIVERT_LISTENER,   /* serial of the listener, .sock, error */
	DIVERT_UNLISTEN,   /* serial */
	DIVERT_INTRODUCED, /* serial, descriptor or error (EAGAIN: the
			    * program's backlog is full) */
	DIVERT_CONTROL,    /* serial, .control: the program wants something
			    * done; START with the program's own end of its
			    * socket, whose unread bytes are the diverter's.
			    * Answered by ANSWER, before long */
	DIVERT__LAST
};

enum {                       /* divert_rule.flags */
       DIVERT_R_INBOUND = 1, /* else outbound */
       DIVERT_R_USER = 2,    /* uid is meant */
       DIVERT_R_CLOSED = 4,  /* inbound: the world cannot reach the
			      * program's own port */
       DIVERT_R_ONCE = 8,    /* ADD: goes with its first use */
       DIVERT_R_PASS = 16,   /* what matches is not diverted */
};

/* First match wins, added ones before those of the set, the last added
 * first. */
struct divert_rule {
	uint32_t id;               /* the diverter's; comes back in .sock */
	uint32_t flags;            /* DIVERT_R_ */
	uint32_t uid;              /* of the program */
	uint16_t port_lo, port_hi; /* outbound: remote port; inbound: the
				    * program's own port */
	uint16_t as_port; /* other port of port_lo; the next for the next */
	uint8_t plen;     /* of remote */
	uint8_t pad[5];
	struct proto_addr remote; /* prefix; family NONE = every address of
				   * both families; outbound: where to;
				   * inbound: of the clients, for those whose
				   * port stays the same */
	struct proto_addr local;  /* family NONE = any, else this address or
				   * any of this family (::, 0.0.0.0) */
};

static_assert(sizeof(struct divert_rule) == 72, "layout");

struct divert_sock {
	uint32_t rule;
	uint32_t uid, gid, pid; /* of the program */
	uint32_t skip;          /* padding at the front of its socket */
	uint16_t as_port;       /* the wire's port, where .local or .remote
				 * have the program's */
	uint8_t inbound;
	uint8_t reachable; /* LISTENER: the world reaches the program's port */
	uint64_t listener; /* inbound: serial of the listener */
	struct proto_addr local, remote; /* as the program sees them */
};

static_assert(sizeof(struct divert_sock) == 80, "layout");

enum { DIVERT_ASK_CERT = 64, DIVERT_ASK_CHAIN };

struct divert_control {
	uint32_t what;  /* enum attls_request, or DIVERT_ASK_ */
	uint32_t token; /* stackd's, comes back in ANSWER */
	uint32_t len;   /* ANSWER: bytes in the descriptor */
};

struct divert_msg {
	uint32_t magic;
	uint16_t op;
	uint16_t text_len; /* bytes of text sent, without a zero */
	int32_t error;     /* 0 or positive errno */
	uint32_t pad;
	uint64_t serial;
	union {
		struct divert_rule rule;
		struct divert_sock sock;
		struct attls_info attls;
		struct divert_control control;
	};
	char text[DIVERT_TEXT_MAX]; /* zero-terminated when received */
};

#define DIVERT_MSG_MIN (offsetof(struct divert_msg, text))

/*
 * Sends one message, magic and text_len filled in from text, with `n`
 * descriptors beside it, which stay the caller's. 0; -EAGAIN (full, or too
 * many descriptors on their way); -EPIPE and others: the other side is gone.
 */
int divert_send(int fd, struct divert_msg *m, const int *fds, int n) MUST_USE;
/*
 * Receives one. 1; 0 = the other side closed; -EAGAIN; -EPROTO = not a
 * message of ours; or negative errno. Descriptors that came are put into
 * `fds`, -1 otherwise, and are the caller's.
 */
int divert_recv(int fd, struct divert_msg *ret, int fds[DIVERT_FDS]) MUST_USE;

/* Does `rule` cover the program's port `port` and the addresses? The user and
 * the program are the caller's to check. `local` or `remote` may be NULL: not
 * known yet. */
bool divert_rule_match(const struct divert_rule *rule, bool inbound,
		       uint16_t port, const struct ip_addr *local,
		       const struct ip_addr *remote);
/* The wire's port for the program's port `port`, which the rule covers. */
uint16_t divert_rule_as(const struct divert_rule *rule, uint16_t port);
/* 0, or -EINVAL: ports in the wrong order or past 65535, an address of no
 * family, a prefix that is too long. */
int divert_rule_check(const struct divert_rule *rule) MUST_USE;

#endif
