/*
 * ftp.h: follows the control connection of FTP [RFC959] between a client and a
 * server, for whoever stands in between: proxyd changes families and TLS on
 * either side, tlsd adds TLS to a program's sockets. Pure: bytes and the
 * outcomes of what the owner did come in, bytes and wishes go out.
 *
 * Doors:
 *
 *   ftp_input()   bytes that a side sent; fewer are taken when something has to
 *                 be done or sent first: offer the rest again afterwards
 *   ftp_output()  bytes for a side; ftp_sent() says how many have gone
 *   ftp_wish()    what the owner is to do now; it answers by ftp_tls_done(),
 *                 ftp_listening() or ftp_ended()
 *
 * After any call: send what ftp_output() has for both sides, then ask
 * ftp_wish(), then offer input again.
 *
 * TLS. A side whose control connection is TLS from the first byte is
 * implicit; on an explicit one it begins with AUTH [RFC4217 4]. Towards the
 * client the follower speaks for a server that insists: AUTH before USER,
 * PROT P before data, and answers AUTH, PBSZ, PROT and CCC itself. Towards the
 * server it speaks for a client that insists: AUTH TLS, PBSZ 0, PROT P as soon
 * as the server has greeted, and nothing of the client is passed before. On a
 * clear side it says neither. With two clear sides AUTH passes through, and
 * when the server agrees the rest of the connection is not followed any more.
 *
 * Families. What the client asks for by PASV, EPSV [RFC2428], PORT or EPRT
 * reaches the server as what its family wants, and the answer comes back as
 * what the client asked for. Addresses in commands and replies are not
 * believed: data connections go where the control connection goes, a PORT to
 * somebody else or to a port below 1024 is refused [RFC2577 3].
 *
 * Limits: FTP_LINE_MAX bytes a line, FTP_PENDING_MAX commands under way,
 * FTP_OUT_MAX bytes of output; who sends a longer line is cut off.
 */
#ifndef COUPLET_FTP_H
#define COUPLET_FTP_H

#include "addr/addr.h"
#include "base/base.h"

enum {
	FTP_LINE_MAX = 4096 + 64, /* a command with the longest path */
	FTP_OUT_MAX = 2 * FTP_LINE_MAX,
	FTP_PENDING_MAX = 16,
};

enum ftp_side { FTP_CLIENT, FTP_SERVER };

enum ftp_tls {
	FTP_TLS_NONE, /* the side is clear */
	FTP_TLS_IMPLICIT,
	FTP_TLS_EXPLICIT,
};

struct ftp_config {
	enum ftp_tls tls[2];    /* of each side */
	struct ip_addr peer[2]; /* the client's and the server's address */
};

enum ftp_wish_kind {
	FTP_WISH_NONE,
	FTP_WISH_TLS_START, /* on `side`, once its output is sent; then
			     * ftp_tls_done(). Bytes of that side that were
			     * read already must be none: end it otherwise */
	FTP_WISH_TLS_STOP,  /* the same, back to clear [RFC4217 6] */
	FTP_WISH_LISTEN,    /* for a data connection from `side`; what comes is
			     * to be relayed to `to` of the other side. Then
			     * ftp_listening() */
	FTP_WISH_BLIND,     /* relay bytes from now on, nothing is followed */
	FTP_WISH_END,       /* send what there is and end both: `why` */
};

struct ftp_wish {
	enum ftp_wish_kind kind;
	enum ftp_side side;
	struct ip_port to;
	const char *why; /* a sentence; borrowed, static */
};

enum ftp_pending {             /* what a reply of the server answers */
		   FTP_P_PASS, /* passed on */
		   FTP_P_GREETING,
		   FTP_P_PASSIVE, /* PASV or EPSV */
		   FTP_P_PORT,    /* our PORT or EPRT */
		   FTP_P_FEAT,
		   FTP_P_AUTH_PASSED, /* AUTH between two clear sides */
		   FTP_P_AUTH,        /* ours, and so are the next two */
		   FTP_P_PBSZ,
		   FTP_P_PROT,
};

struct ftp_line { /* bytes of a side up to the end of a line */
	char buf[FTP_LINE_MAX];
	uint16_t len;
};

struct ftp_out {
	char buf[FTP_OUT_MAX];
	uint16_t len;
};

struct ftp {
	struct ftp_config cfg;
	struct ftp_line in[2];
	struct ftp_out out[2];
	struct ftp_wish wish;
	uint8_t pending[FTP_PENDING_MAX]; /* enum ftp_pending, oldest first */
	uint8_t n_pending;
	bool secure[2]; /* TLS is on the control connection now */
	bool prot[2];   /* data connections of that side are TLS */
	bool prepared;  /* the server greeted and took what we asked for */
	bool extended;  /* the client asked by EPSV, not PASV */
	bool waiting;   /* for the owner's answer to a wish */
	bool multiline; /* inside a reply of several lines */
	char code[4];   /* of that reply */
	bool blind, ended;
};

/* `f` is the caller's storage. */
void ftp_init(struct ftp *f, const struct ftp_config *cfg);

/* Bytes taken, 0..len; the rest is to be offered again after output was sent
 * and wishes were answered. */
size_t ftp_input(struct ftp *f, enum ftp_side side, const char *bytes,
		 size_t len) MUST_USE;
/* Bytes for `side`: their number and in *ret the first of them. */
size_t ftp_output(const struct ftp *f, enum ftp_side side, const char **ret);
/* The first `n` of them have gone. */
void ftp_sent(struct ftp *f, enum ftp_side side, size_t n);
/* What is to be done now; the same until it is answered. BLIND and END stay
 * for ever. */
const struct ftp_wish *ftp_wish(const struct ftp *f);

/* The handshake that was wished for (or the way back) is over; after a
 * failure end the connection instead. */
void ftp_tls_done(struct ftp *f);
/* A socket for the data connection listens at `at`; NULL: that failed. */
void ftp_listening(struct ftp *f, const struct ip_port *at);
/* Are data connections of `side` TLS? We are server towards the client and
 * client towards the server, whoever connects [RFC4217 7]. */
bool ftp_data_tls(const struct ftp *f, enum ftp_side side);

/* ---- the notations, also for others ----------------------------------------
 */

/* h1,h2,h3,h4,p1,p2 at the beginning of `text` [RFC959 5.3.2]. 0, -EINVAL. */
int ftp_parse_port(const char *text, struct ip_port *ret) MUST_USE;
/* |n|address|port| [RFC2428 2]. 0; -EINVAL; -EAFNOSUPPORT. */
int ftp_parse_eprt(const char *text, struct ip_port *ret) MUST_USE;
/* The address in the text of a 227 reply, with or without brackets
 * [RFC1123 4.1.2.6]. 0, -EINVAL. */
int ftp_parse_227(const char *text, struct ip_port *ret) MUST_USE;
/* The port in the text of a 229 reply [RFC2428 3]. 0, -EINVAL. */
int ftp_parse_229(const char *text, uint16_t *ret) MUST_USE;

#endif
