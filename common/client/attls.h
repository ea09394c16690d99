/*
 * attls.h: what a program that knows of tlsd(8) may ask about its connection,
 * and have done to it; see couplet-attls(3). By getsockopt() and setsockopt()
 * at level SOL_ATTLS, with the library or under stackrun, or by the
 * couplet_attls_ functions of couplet.h. Part of the interface of libcouplet:
 * fixed layout, new fields at the end only.
 *
 *	getsockopt  ATTLS_QUERY    struct attls_info, cut at the given length
 *	            ATTLS_CERT     the peer's certificate, DER
 *	            ATTLS_CHAIN    all certificates that the peer sent, DER,
 *	                           one behind the other, its own first
 *	setsockopt  ATTLS_CONTROL  int, an ATTLS_ request; nothing but an int
 *
 * A connection under a rule with the word CONTROLLED begins in clear. Every
 * byte of the program belongs to one side of a border:
 *
 *	START  What the program wrote before the call goes out in clear and
 *	       before the handshake; what it writes after the call has
 *	       returned goes through TLS or not at all. What the peer sent and
 *	       the program had not read when it called is not given to it any
 *	       more: it is the beginning of the peer's side of TLS.
 *	STOP   What the program wrote before goes through TLS, then our
 *	       close_notify; what it writes after the call has returned goes
 *	       out in clear. What comes before the peer's close_notify came
 *	       through TLS, what comes behind it is clear.
 *
 * border_in and border_out say where in the two streams that is.
 */
#ifndef COUPLET_ATTLS_H
#define COUPLET_ATTLS_H

#include <stdint.h>
#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SOL_ATTLS 0x41544c53
#define ATTLS_QUERY 1
#define ATTLS_CERT 2
#define ATTLS_CHAIN 3
#define ATTLS_CONTROL 4

/* More than these is EMSGSIZE; less room than needed is ERANGE. The sizes are
 * in struct attls_info. */
#define ATTLS_CERT_MAX 16384
#define ATTLS_CHAIN_MAX 32768
/* Bytes that the peer may have sent in clear and the program may have left
 * unread when it says START. */
#define ATTLS_UNREAD_MAX 65536

/*
 * Requests. Each returns 0 when it is done. START and STOP take as long as the
 * peer: a socket that may wait, waits; at another one they return EINPROGRESS,
 * WAIT or state tells the end, and writing may go on meanwhile.
 *
 *	EINVAL      no such request, or not given as one int
 *	ENOENT      no rule covers the connection
 *	EPERM       its rule does not say CONTROLLED
 *	EOPNOTSUPP  tlsd is not there
 *	ENOTCONN    not connected yet, or no longer
 *	EALREADY    START with TLS on or coming; STOP while it stops
 *	EBADFD      STOP, RESET without TLS
 *	EPIPE       START or STOP after shutdown(SHUT_WR)
 *	ENOBUFS     START: more than ATTLS_UNREAD_MAX bytes unread
 *	EAGAIN      tlsd has much to do: try again
 *	EPROTO      the handshake failed: see reason
 *	ETIMEDOUT   the peer did not go on in time
 *	ECONNRESET  the connection broke
 */
enum attls_request {
	ATTLS_START = 1,
	ATTLS_STOP = 2,
	/* forget the session, so that no later one resumes it; EOPNOTSUPP for
	 * a server, whose clients keep the tickets */
	ATTLS_RESET_SESSION = 3,
	/* new keys, both ways; EPROTONOSUPPORT before TLS 1.3 */
	ATTLS_RESET_CIPHER = 4,
	ATTLS_WAIT = 5, /* until a START or STOP under way is done; what that
			 * came to. On a socket that may not wait: EINPROGRESS
			 * meanwhile */
};

enum attls_policy {
	ATTLS_POLICY_NONE = 1, /* no rule covers this connection */
	ATTLS_POLICY_ENABLED = 2,
	ATTLS_POLICY_CONTROLLED = 3, /* the program says when */
};

enum attls_state {
	ATTLS_STATE_CLEAR = 1,
	ATTLS_STATE_HANDSHAKE = 2, /* from START on, or from the beginning */
	ATTLS_STATE_SECURE = 3,
	ATTLS_STATE_PEER_STOPPED = 4, /* the peer has said close_notify, and
				       * not ended: STOP, or an end of file
				       * after the rule's TIMEOUT */
	ATTLS_STATE_STOPPING = 5,
	ATTLS_STATE_FAILED = 6, /* error and reason say why */
};

enum attls_role { ATTLS_ROLE_CLIENT = 1, ATTLS_ROLE_SERVER = 2 };

struct attls_info {
	uint8_t policy, state, role; /* 0 = not known */
	uint8_t resumed;
	uint16_t version; /* 0x0304 = TLS 1.3 */
	uint16_t suite;   /* IANA number */
	char group[16], alpn[32];
	char user[64];     /* to whom the peer's certificate is mapped */
	char subject[128]; /* of the peer's certificate, "" = none */
	/* bytes from and to the peer, counted from the beginning of the
	 * connection, on the other side of the last border */
	uint64_t border_in, border_out;
	uint32_t cert_len;  /* bytes of ATTLS_CERT, 0 = the peer showed none */
	uint32_t chain_len; /* bytes of ATTLS_CHAIN */
	int32_t error;      /* FAILED: errno, positive */
	char reason[132];   /* FAILED: a sentence, for a log */
};

/*
 * The same by name; 0, or -1 and errno. On a socket that is not of a stack
 * ENOPROTOOPT or EOPNOTSUPP, as the kernel says it.
 */
int couplet_attls_query(int fd, struct attls_info *ret);
/* *len: room at `der`, then how many bytes were written. ENODATA: the peer
 * showed no certificate; EBADFD: no TLS is on; ERANGE, EMSGSIZE: see above. */
int couplet_attls_cert(int fd, void *der, socklen_t *len);
int couplet_attls_chain(int fd, void *der, socklen_t *len);
int couplet_attls_control(int fd, enum attls_request what);

#ifdef __cplusplus
}
#endif

#endif
