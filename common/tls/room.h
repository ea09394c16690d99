/*
 * room.h: what the files of this room know of each other. Nobody else
 * includes it: GnuTLS ends here.
 */
#ifndef COUPLET_TLS_ROOM_H
#define COUPLET_TLS_ROOM_H

#include "keys/keys.h"
#include "tls/suites.h"
#include "tls/tls.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/ocsp.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <stdatomic.h>

/* ---- ident.c ------------------------------------------------------------- */

/* An OCSP response that sessions may still be sending while the next one is
 * there already. */
struct staple {
	atomic_uint refs;
	gnutls_ocsp_data_st data;
};
struct staple *staple_ref(struct staple *s);
void staple_unref(struct staple *s); /* NULL is fine */

struct tls_ident {
	atomic_uint refs;
	struct keys_pair *pair;
	gnutls_privkey_t key;
	gnutls_pcert_st chain[KEYS_CHAIN_MAX];
	unsigned n_chain;
	gnutls_x509_crt_t leaf;
	gnutls_x509_crt_t issuer; /* NULL: not in the key file */
	bool ecdsa;               /* or EdDSA; else RSA */
	pthread_mutex_t lock;     /* of staple */
	struct staple *staple;    /* NULL: none */
};

/* The response to send now, one reference, or NULL. */
struct staple *ident_staple(struct tls_ident *i);

/* ---- trust.c ------------------------------------------------------------- */

/* What we know of the CRL of an issuer; the CRL itself is GnuTLS'. */
struct crl_note {
	gnutls_datum_t issuer; /* raw distinguished name */
	int64_t from, until;   /* seconds since 1970; until -1: not said */
};

struct tls_trust {
	atomic_uint refs;
	gnutls_x509_trust_list_t list;
	struct crl_note *crls;
	unsigned n_crls;
	unsigned n_cas;
};

/* Trust as credentials for the names that a server asks for. */
int trust_fill(const struct tls_trust *t,
	       gnutls_certificate_credentials_t cred) MUST_USE;
/* A current CRL of the issuer of `c`? */
bool trust_has_crl(const struct tls_trust *t, gnutls_x509_crt_t c, int64_t now);
/* The CA that issued `c`, borrowed, or NULL. */
gnutls_x509_crt_t trust_issuer(const struct tls_trust *t, gnutls_x509_crt_t c);

/* ---- resume.c ------------------------------------------------------------ */

struct tls_tickets {
	atomic_uint refs;
	gnutls_datum_t key;
};

/* The session remembered for (rule, peer): copied to *ret, the caller frees
 * with gnutls_free(); removed unless it may be used again. */
bool cache_take(struct tls_cache *c, const char *rule, const char *peer,
		gnutls_datum_t *ret);
/* Forgets it. */
void cache_drop(struct tls_cache *c, const char *rule, const char *peer);
/* Remembers `data` (taken over). */
void cache_put(struct tls_cache *c, const char *rule, const char *peer,
	       gnutls_datum_t *data);

/* ---- policy.c ------------------------------------------------------------ */

struct tls_policy {
	atomic_uint refs;
	char *name;
	enum tls_role role;
	enum tls_version min, max;
	gnutls_certificate_credentials_t cred;
	struct suite_rules rules;
	struct tls_ident **idents;
	size_t n_idents;
	bool mixed; /* idents of both kinds of keys */
	bool legacy, require_sni, check_name, need_crl, need_ocsp, need_user;
	bool need_alpn;
	enum tls_verify verify;
	struct tls_trust *trust;
	struct ocsp_memory *ocsp; /* NULL: nobody to ask */
	enum tls_map map;
	struct map_rules *map_rules;
	gnutls_datum_t alpn[TLS_ALPN_MAX];
	char alpn_name[TLS_ALPN_MAX][TLS_ALPN_NAME_MAX];
	unsigned n_alpn;
	struct tls_tickets *tickets;
	struct tls_cache *cache;
	unsigned ticket_life_s;
	int keylog_fd;
	const char *warnings[8];
	unsigned n_warnings;
};

/* ---- session.c, hello.c, verify.c, record.c, info.c -----------------------
 */

/* What only a handshake or a question about it needs; an idle session has
 * none. */
struct scratch {
	char sni[TLS_NAME_MAX];
	char alpn[TLS_ALPN_NAME_MAX];
	char subject[TLS_DN_MAX], issuer[TLS_DN_MAX], cn[TLS_DN_MAX];
	char serial[2 * 64 + 1];
	char user[TLS_USER_MAX];
};

/* Records of full size that one read or write of bulk.c moves, and the bytes
 * that they are on the wire [RFC8446 5.2]: header, text, its type, tag. */
enum {
	RECORD_HEAD = 5,
	RECORD_TAG = 16,
	RECORD_WIRE = RECORD_HEAD + TLS_RECORD_MAX + 1 + RECORD_TAG,
	BULK_RECORDS = TLS_WRITE_MAX / TLS_RECORD_MAX,
	BULK_WIRE = BULK_RECORDS * RECORD_WIRE,
};

/* Records that one key seals: 2^24, of the 2^24.5 that AES-GCM is good for
 * [RFC8446 5.5]; GnuTLS does not count them. */
enum { KEY_RECORDS_MAX = 1 << 24 };

/* Where GnuTLS is in what it pulled. */
struct in_record {
	uint8_t head[RECORD_HEAD];
	uint8_t n;        /* bytes of a header that is not complete */
	uint16_t left;    /* bytes of the record that are still to come */
	uint32_t records; /* headers that were complete */
};

/* A record that is an alert in clear. */
enum { TAIL_LEN = 5 + 2 };

struct tls_session {
	gnutls_session_t gs;
	struct tls_policy *policy;
	const struct tls_io *io;
	void *arg;
	char *peer;              /* client: name of the server */
	struct staple *staple;   /* being sent */
	struct scratch *scratch; /* NULL most of the time */
	char *text;              /* of the error; NULL: none or no memory */
	uint8_t *ahead;          /* see pull(); NULL between two reads, but
				  * for bytes kept (owned) */
	uint32_t ahead_at, ahead_n;
	uint8_t *out; /* records of bulk.c that are not pushed (owned) */
	uint32_t out_at, out_n;
	struct in_record in;
	uint32_t key_records; /* sealed with the key that is in use */
	size_t room;          /* of the reader; 0: nothing ahead */
	size_t held;          /* plaintext bytes of a record not pushed */
	size_t offered;       /* bytes of the record that GnuTLS pushes */
	int io_error;         /* negative errno of io, 0 */
	int pulled;   /* what bulk.c got in place of bytes, <= 0; 1: nothing */
	int code;     /* what the fatal call returned, 0 */
	uint8_t kind; /* enum tls_error_kind */
	uint8_t alert;
	uint8_t ident;          /* index of what was sent */
	uint8_t first;          /* byte that the peer sent; 0: none yet */
	uint8_t odd;            /* harmless but odd records in a row */
	uint8_t tail[TAIL_LEN]; /* last bytes of the peer in the handshake */
	bool alert_received : 1;
	bool terse : 1; /* tls_session_new_terse() */
	bool done : 1;  /* handshake */
	bool dead : 1;
	bool eof : 1;      /* pull said 0 */
	bool closing : 1;  /* close_notify is out or held */
	bool closed : 1;   /* close_notify sent */
	bool ended : 1;    /* close_notify received */
	bool verified : 1; /* the peer's certificate was found good */
	bool want_out : 1;
	bool starved : 1;      /* pull said -EAGAIN */
	bool cut : 1;          /* push said io_error in the handshake */
	bool rekeying : 1;     /* a key update is not on the wire */
	bool forgotten : 1;    /* tickets that come are not kept */
	bool offers_ecdsa : 1; /* ClientHello: a suite for ECDSA */
	bool offers_13 : 1;    /* ClientHello: TLS 1.3 */
	bool bulk : 1;         /* a suite that bulk.c knows */
	bool slow_in : 1;      /* the next record is for GnuTLS to read */
	bool slow_out : 1;     /* the next record is for GnuTLS to write */
};

/* Odd records (warning alerts, refused renegotiations) without a byte of data
 * between them before the session is given up. */
enum { ODD_MAX = 8 };

/* Marks the session dead with kind, alert to send (0: none) and sentence, the
 * first one counts. Returns `code`. */
int session_fail(struct tls_session *s, int code, enum tls_error_kind kind,
		 uint8_t alert, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* The same for an error of GnuTLS. Returns negative errno. */
int session_fail_gnutls(struct tls_session *s, int error);

/* Pushes what bulk.c sealed. 0, -EAGAIN or what `io` said. */
int session_push_out(struct tls_session *s) MUST_USE;
/* GnuTLS is between two records and holds nothing. */
bool session_between(const struct tls_session *s);

/* ---- bulk.c: many records at once ---------------------------------------- */

/* After the handshake: is it a suite for this file? */
void bulk_set_up(struct tls_session *s);
/* May tls_session_read() with room for `len` bytes come here? */
bool bulk_reads(const struct tls_session *s, size_t len);
/* Opens records into buf. Bytes; -EAGAIN; or 0: GnuTLS is to go on with what
 * lies ahead. s->ahead has room for BULK_WIRE bytes. */
ssize_t bulk_read(struct tls_session *s, uint8_t *buf, size_t len);
/* Is there a whole record among the bytes that were kept? */
bool bulk_pending(const struct tls_session *s);
/* The same as bulk_reads() for `len` bytes to be written. */
bool bulk_writes(const struct tls_session *s, size_t len);
/* As tls_session_write(), of up to BULK_RECORDS records; what is not pushed is
 * in s->out. */
ssize_t bulk_write(struct tls_session *s, const uint8_t *buf, size_t len);

/* hello.c: looks at a ClientHello that has just arrived. 0 or a GnuTLS
 * error. */
int hello_read(struct tls_session *s, const uint8_t *msg, size_t len) MUST_USE;

/* verify.c: the peer's certificate against the policy. 0, or negative errno
 * after session_fail(). */
int verify_peer(struct tls_session *s) MUST_USE;
/* The peer's own certificate, the caller deinits; NULL: none. */
gnutls_x509_crt_t verify_peer_cert(struct tls_session *s);

/* info.c: the user whom `cert` maps to under `p`; false: nobody. */
bool session_user(const struct tls_policy *p, gnutls_x509_crt_t cert,
		  char user[TLS_USER_MAX]);

/* map.c is in map.h, ocsp.c in ocsp.h. */

#endif
