/*
 * tls.h: TLS, the one room that knows GnuTLS. tlsd and proxyd stand on it.
 *
 *	tls_ident    a certificate chain whose private key is in the key process
 *	tls_trust    CA certificates and CRLs
 *	tls_tickets  the secret under which a server seals session tickets
 *	tls_cache    what a client remembers to resume sessions
 *	tls_policy   everything that a rule says about TLS; never changes
 *	tls_session  one connection
 *
 * All but the session are reference counted and may be shared by threads once
 * made; a session belongs to one thread at a time, and may move: a handshake
 * on a worker, then the records on the loop. Nothing here blocks except a
 * signature, which waits for the key process (keys/keys.h), and the caller's
 * `ocsp` function.
 *
 * A session owns no descriptor: it pulls and pushes bytes of the wire through
 * the caller's struct tls_io. It reads no clock but the wall clock that
 * certificates and tickets are checked against. Nothing is logged; errors are
 * returned as negative errno and told in words by tls_session_error().
 *
 * Versions: TLS 1.2 and 1.3; 1.0 and 1.1 only if min_version says so. Suites
 * with NULL, export, RC4, DES are never made. Renegotiation is refused, keys
 * of TLS 1.3 are renewed before they wear out [RFC8446 5.5], SHA-1
 * signatures and RSA below 2048 bits only with `legacy`. Where both sides can
 * do both, AES-GCM comes before ChaCha20-Poly1305.
 */
#ifndef COUPLET_TLS_H
#define COUPLET_TLS_H

#include "base/base.h"

#include <sys/uio.h>

struct keys_pair;
struct tls_ident;
struct tls_trust;
struct tls_tickets;
struct tls_cache;
struct tls_policy;
struct tls_session;

enum {
	TLS_WHY_MAX = 512,   /* text of an error, with its 0 byte */
	TLS_NAME_MAX = 256,  /* SNI, with its 0 byte */
	TLS_DN_MAX = 512,    /* a distinguished name as text, cut if longer */
	TLS_USER_MAX = 64,   /* mapped user */
	TLS_IDENTS_MAX = 64, /* certificates of one policy */
	TLS_ALPN_MAX = 8,    /* protocols of one policy */
	TLS_ALPN_NAME_MAX = 33,
	TLS_SUITES_MAX = 64,
	TLS_GROUPS_MAX = 16,
	TLS_RECORD_MAX = 16384, /* plaintext of one record [RFC8446 5.1] */
	TLS_WRITE_MAX = 65536,  /* plaintext that one write takes and holds */
	TLS_CACHE_MAX = 4096,   /* sessions that one client cache remembers */
	TLS_TICKET_KEY_LEN = 64,
	TLS_CRL_FILE_MAX = 16 << 20,
};

enum tls_role { TLS_SERVER, TLS_CLIENT };

/* As on the wire. */
enum tls_version {
	TLS_VERSION_DEFAULT = 0,
	TLS_1_0 = 0x0301,
	TLS_1_1 = 0x0302,
	TLS_1_2 = 0x0303,
	TLS_1_3 = 0x0304,
};

/* ---- certificates of ours ------------------------------------------------ */

/* The chain and private key of `pair` (one more reference is taken). 0, or
 * negative errno with a sentence in `why` (TLS_WHY_MAX bytes): -EBADMSG when
 * the pair has no private key or certificate. */
int tls_ident_new(struct keys_pair *pair, struct tls_ident **ret,
		  char *why) MUST_USE;
struct tls_ident *tls_ident_ref(struct tls_ident *i); /* one more */
void tls_ident_unref(struct tls_ident *i); /* one less; NULL is fine */
/* OCSP stapling: the DER response (copied) that is sent from now on, in the
 * sessions of every policy; len 0: none. Checked against the certificate;
 * -EBADMSG with a sentence in `why`. Any thread, any time. */
int tls_ident_staple(struct tls_ident *i, const void *der, size_t len,
		     char *why) MUST_USE;
/* Does `name` (DNS name, "*.x" in the certificate counts) belong to it? */
bool tls_ident_matches(const struct tls_ident *i, const char *name);

/* ---- whom we believe ----------------------------------------------------- */

/* An empty one; fill it before it goes into a policy, not after. 0/-ENOMEM */
int tls_trust_new(struct tls_trust **ret) MUST_USE;
struct tls_trust *tls_trust_ref(struct tls_trust *t); /* one more */
void tls_trust_unref(struct tls_trust *t); /* one less; NULL is fine */
/* Every CA certificate and CRL of a key file. Number of CA certificates in it,
 * or negative errno. */
int tls_trust_add_pair(struct tls_trust *t, const struct keys_pair *p) MUST_USE;
/* A file of CA certificates, PEM or DER. Number in it, or negative errno
 * with a sentence in `why` (TLS_WHY_MAX). */
int tls_trust_add_file(struct tls_trust *t, const char *path,
		       char *why) MUST_USE;
/* The CA certificates of the system (/etc/ssl/certs). As above. */
int tls_trust_add_system(struct tls_trust *t, char *why) MUST_USE;
/* A file of CRLs, PEM or DER. CRLs whose issuer is not trusted are refused;
 * a certificate whose issuer has a CRL here is checked against it. Number of
 * CRLs, or negative errno with a sentence in `why`. */
int tls_trust_add_crl_file(struct tls_trust *t, const char *path,
			   char *why) MUST_USE;

/* ---- resumption ---------------------------------------------------------- */

/* Tickets of servers. `key` of TLS_TICKET_KEY_LEN bytes is shared by machines
 * that take each other's tickets; NULL: a fresh random one. The keys that seal
 * tickets are derived from it and rotate by themselves with the life of a
 * ticket; nothing is ever written to a disk. */
int tls_tickets_new(const uint8_t *key, struct tls_tickets **ret) MUST_USE;
struct tls_tickets *tls_tickets_ref(struct tls_tickets *t); /* one more */
/* One less; the last wipes it. NULL is fine. */
void tls_tickets_unref(struct tls_tickets *t);

/* Sessions of clients, found again by (policy name, peer). At most `max`
 * (1..TLS_CACHE_MAX), the oldest goes first. */
int tls_cache_new(unsigned max, struct tls_cache **ret) MUST_USE;
struct tls_cache *tls_cache_ref(struct tls_cache *c); /* one more */
/* One less; the last wipes it. NULL is fine. */
void tls_cache_unref(struct tls_cache *c);
/* Forgets everything. */
void tls_cache_flush(struct tls_cache *c);

/* ---- policy -------------------------------------------------------------- */

enum tls_verify {
	TLS_VERIFY_NONE,     /* server: none asked for; client: no check */
	TLS_VERIFY_OPTIONAL, /* server: asked for, checked if there is one */
	TLS_VERIFY_REQUIRED, /* refused without a valid one */
};

/* Client certificate to user name. */
enum tls_map {
	TLS_MAP_NONE,
	TLS_MAP_CN,         /* common name of the subject */
	TLS_MAP_EMAIL,      /* first e-mail address, SAN before subject */
	TLS_MAP_EMAIL_USER, /* the same up to its @ */
	TLS_MAP_DNS,        /* first DNS name of the SAN */
	TLS_MAP_FILE,       /* map_file decides */
};

/*
 * Asks an OCSP responder at `url` (http) with `len` bytes of DER at `req` (by
 * POST, application/ocsp-request) and puts at most `cap` bytes of its answer
 * at `resp`. Length, or negative errno. Called on the thread of the handshake
 * and may block it; answers are remembered until their nextUpdate.
 */
typedef ssize_t tls_ocsp_fn(void *arg, const char *url, const void *req,
			    size_t len, void *resp, size_t cap);

/* What tls_policy_new() takes: everything is copied or referenced, nothing
 * has to live longer than the call. All zero is a client that checks nothing:
 * set what you mean. */
struct tls_policy_spec {
	const char *name; /* of the rule, for the cache and for errors */
	enum tls_role role;
	/* TLS_VERSION_DEFAULT: 1.2 .. 1.3 */
	enum tls_version min_version, max_version;
	/* Lists by name (IANA, OpenSSL or GnuTLS) or hexadecimal number (2F,
	 * C02F, 0x1301), apart by blanks or commas, the preferred first.
	 * NULL: our own choice. A server that has a list follows its order. */
	const char *suites;
	const char *groups; /* X25519 P-256 P-384 P-521 X448 FFDHE2048 ... */
	/* Allow SHA-1 signatures, RSA key transport, CBC, 3DES, RSA-1024:
	 * the suites that `suites` names or, without a list, the CBC ones. */
	bool legacy;

	/* Certificates of ours, at most TLS_IDENTS_MAX; a server takes the one
	 * that fits SNI and the client's algorithms, else the first. */
	struct tls_ident *const *idents;
	size_t n_idents;
	bool require_sni; /* server: refuse a name that no ident has */

	enum tls_verify verify;
	struct tls_trust *trust; /* needed unless TLS_VERIFY_NONE */
	bool check_name;   /* client: the server's certificate must be for the
			    * name given to tls_session_new() */
	bool need_crl;     /* refuse a peer whose issuer has no current CRL */
	tls_ocsp_fn *ocsp; /* ask about peers' certificates; NULL: do not */
	void *ocsp_arg;    /* lives as long as the policy */
	const char *ocsp_url; /* asked in place of the responder that the
			       * certificate names; NULL: that one */
	bool need_ocsp;       /* refuse a peer when nobody answers (stapled or
			       * asked); otherwise only "revoked" refuses */
	enum tls_map map;
	const char *map_file; /* TLS_MAP_FILE: text of the map (tls_map_parse
			       * rules, see tls/map.h) */
	bool need_user;       /* refuse a certificate that maps to nobody */

	const char *const *alpn; /* the preferred first */
	size_t n_alpn;
	bool need_alpn; /* server: refuse a client that offers none of them */

	struct tls_tickets *tickets; /* server; NULL: no resumption */
	struct tls_cache *cache;     /* client; NULL: no resumption */
	unsigned ticket_life_s;      /* 0: 7200 */

	int keylog_fd; /* > 0: key log in NSS format, duplicated. Whoever
			* reads it reads the connections. */
};

/* 0, or negative errno with a sentence in `why` (TLS_WHY_MAX): -EINVAL when
 * the spec contradicts itself or names what does not exist. One reference. */
int tls_policy_new(const struct tls_policy_spec *s, struct tls_policy **ret,
		   char *why) MUST_USE;
struct tls_policy *tls_policy_ref(struct tls_policy *p); /* one more */
void tls_policy_unref(struct tls_policy *p); /* one less; NULL is fine */
/* Does it allow what deserves a warning at start? A sentence for each in
 * turn (i = 0, 1...), NULL after the last: "TLS 1.0 is allowed", "the peer's
 * certificate is not checked", ... */
const char *tls_policy_warning(const struct tls_policy *p, unsigned i);

/* The name of a suite ("TLS_AES_128_GCM_SHA256") or NULL. Static. */
const char *tls_suite_name(uint16_t suite);
/* "TLS 1.3" and so on; "?" for others. Static. */
const char *tls_version_name(enum tls_version v);
/* Reads a version: 1.2, TLSV1.2, TLSv1.3, TLS1.0, ... or -EINVAL. */
int tls_version_parse(const char *text) MUST_USE;

/* ---- session ------------------------------------------------------------- */

/* The wire. Both return bytes moved or negative errno; pull 0 = end of file;
 * -EAGAIN = nothing now. Not called after tls_session_free(). */
struct tls_io {
	ssize_t (*pull)(void *arg, void *buf, size_t len);
	ssize_t (*push)(void *arg, const struct iovec *iov, int n);
};

/*
 * A session under `p` (referenced). `peer`: for a client the name of the
 * server, sent as SNI unless it is an address, checked if check_name, and part
 * of the cache's key; NULL: none. For a server NULL. `io` and `arg` are
 * borrowed. 0 or negative errno.
 */
int tls_session_new(struct tls_policy *p, const char *peer,
		    const struct tls_io *io, void *arg,
		    struct tls_session **ret) MUST_USE;
/*
 * The same for a peer that perhaps only writes, such as an FTP client that
 * sends a file: a server says nothing behind the handshake that it was not
 * asked for, so no ticket [RFC8446 4.6.1]; old ones are taken. What a peer has
 * not read when it closes makes a reset of its end, and its kernel throws away
 * what it had not yet sent.
 */
int tls_session_new_terse(struct tls_policy *p, const char *peer,
			  const struct tls_io *io, void *arg,
			  struct tls_session **ret) MUST_USE;
/* Frees without a word to the peer; NULL is fine. */
void tls_session_free(struct tls_session *s);
/* Another way to the wire, between two calls: a session that moves. */
void tls_session_set_io(struct tls_session *s, const struct tls_io *io,
			void *arg);

/* Goes on with the handshake. 0: done; -EAGAIN: see tls_session_wants();
 * -EPROTO, -EACCES (a certificate was refused), -ECONNRESET (peer gone) or
 * what `io` returned: failed, an alert was sent, tls_session_error() knows. */
int tls_session_handshake(struct tls_session *s) MUST_USE;

enum { TLS_WANTS_IN = 1, TLS_WANTS_OUT = 2 };
/* What a call that said -EAGAIN waits for; TLS_WANTS_OUT also while written
 * bytes are not on the wire: then tls_session_flush() when it is writable. */
unsigned tls_session_wants(const struct tls_session *s);

/* Bytes read (one record, or more if they came together and there is room
 * for two), 0: the peer has said close_notify;
 * -EAGAIN; -ECONNRESET: the peer vanished without close_notify (truncation);
 * -EPROTO and others: dead. May have pushed (key update). */
ssize_t tls_session_read(struct tls_session *s, void *buf, size_t len) MUST_USE;
/* Would read() say something (bytes, the end, an error) without pulling? Then
 * it has to be called, whether or not the wire has more. */
bool tls_session_pending(const struct tls_session *s);

/*
 * Takes bytes and returns how many (0 < n <= len, at most TLS_RECORD_MAX per
 * record and TLS_WRITE_MAX a call), sealed and handed to `push`, or held by the
 * session while tls_session_wants() & TLS_WANTS_OUT. -EAGAIN: earlier records
 * are still held. Others: dead.
 */
ssize_t tls_session_write(struct tls_session *s, const void *buf,
			  size_t len) MUST_USE;
/* The same for pieces; small ones share a record. */
ssize_t tls_session_writev(struct tls_session *s, const struct iovec *iov,
			   int n) MUST_USE;
/* Pushes what is held. 0: nothing is held any more; -EAGAIN; others: dead. */
int tls_session_flush(struct tls_session *s) MUST_USE;
/* Sends close_notify, once; reading may go on. 0, -EAGAIN (call again),
 * others: dead. */
int tls_session_close(struct tls_session *s) MUST_USE;
/*
 * New keys for what is sent from now on, and the peer is asked for the same
 * [RFC8446 4.6.3]. 0; -EAGAIN: it is under way, as tls_session_flush() and
 * TLS_WANTS_OUT tell; -EPROTONOSUPPORT: before TLS 1.3, nothing happened;
 * others: dead.
 */
int tls_session_update_keys(struct tls_session *s) MUST_USE;
/* The session, and what tickets still come for it, is not resumed by later
 * ones. 0; -EOPNOTSUPP: a server cannot take back the tickets it gave. */
int tls_session_forget(struct tls_session *s) MUST_USE;
/* Sends a fatal alert (RFC8446 6.2 number) as far as that works at once: for
 * a caller that refuses a session, e.g. 80 internal_error, 90 user_canceled. */
void tls_session_alert(struct tls_session *s, uint8_t alert);

struct tls_info {
	enum tls_version version;
	uint16_t suite; /* IANA number */
	const char *suite_name;
	const char *group; /* "X25519", "" for RSA key transport */
	const char *sni;   /* "" if none */
	const char *alpn;  /* "" if none */
	bool resumed;
	bool peer_cert;               /* the following hold something; also of a
				       * session resumed */
	bool peer_verified;           /* chain (and name) were found good */
	const char *subject, *issuer; /* RFC 4514 */
	const char *serial;           /* hexadecimal */
	const char *cn;
	char sha256[65]; /* of the certificate, hexadecimal */
	unsigned peer_bits;
	int64_t not_after;    /* seconds since 1970 */
	const char *user;     /* mapped, "" if none */
	unsigned local_ident; /* index in the policy of what we sent */
	unsigned local_bits;
};

/* What was agreed. Valid after the handshake, strings until the next call with
 * this session (they are made on demand, an idle session keeps none). */
void tls_session_info(struct tls_session *s, struct tls_info *ret);
/* The peer's certificate as DER, borrowed until the next call; NULL, 0. */
const uint8_t *tls_session_peer_der(struct tls_session *s, size_t *len);
/* The same of the i-th certificate that the peer sent, 0 is its own. */
const uint8_t *tls_session_peer_chain(struct tls_session *s, unsigned i,
				      size_t *len);
/* The name that the client asked for, in the middle of a handshake or after;
 * "" if none or not yet known. */
const char *tls_session_sni(const struct tls_session *s);

enum tls_error_kind {
	TLS_ERR_NONE,
	TLS_ERR_IO,           /* the wire failed, or the peer went away */
	TLS_ERR_NOT_TLS,      /* what came is not TLS; often clear text */
	TLS_ERR_VERSION,      /* no common version */
	TLS_ERR_SUITE,        /* no common suite, group or signature */
	TLS_ERR_ALERT,        /* the peer said so: see alert */
	TLS_ERR_CERT_MISSING, /* required and not sent */
	TLS_ERR_CERT_CHAIN,   /* no way to a CA that we trust */
	TLS_ERR_CERT_EXPIRED,
	TLS_ERR_CERT_EARLY, /* not yet valid */
	TLS_ERR_CERT_REVOKED,
	TLS_ERR_CERT_NAME,  /* not for this name */
	TLS_ERR_CERT_OTHER, /* weak, malformed, wrong purpose, no status */
	TLS_ERR_USER,       /* maps to nobody */
	TLS_ERR_SNI,        /* unknown name */
	TLS_ERR_ALPN,
	TLS_ERR_KEY, /* the key process is gone or refuses */
	TLS_ERR_RENEGOTIATE,
	TLS_ERR_TRUNCATED, /* end of file without close_notify */
	TLS_ERR_PROTOCOL,  /* everything else the peer did wrong */
	TLS_ERR_MEMORY,
};

struct tls_error {
	enum tls_error_kind kind;
	int code;      /* negative errno that the call returned */
	uint8_t alert; /* sent or received, 0 if none */
	bool alert_received;
	const char *text; /* a sentence for a log; never a secret */
};

/* Why the session is dead. Valid until the next call with this session. */
void tls_session_error(const struct tls_session *s, struct tls_error *ret);

#endif
