/*
 * keys.h: the key process and the daemon's side of it.
 *
 * Private keys never enter a daemon's memory. keys_start() forks a process
 * before the daemon drops its privileges; that process alone opens key files,
 * holds private keys and computes with them (by libcrypto), gives up
 * everything else (user, capabilities, system calls, file system), and serves
 * requests over SEQPACKET socket pairs. What comes back over them is public:
 * certificates, CRLs, notes, signatures.
 *
 * A key file goes in by keys_load() and comes back as a keys_pair: certificate
 * chain, sorted, with the number of its private key in the key process. The
 * same call, made again, reads the file again: a reload. The old pair lives
 * until its last reference is gone, then its private key is wiped.
 *
 * When the key process dies, each later call fails with -EPIPE, keys_fd()
 * becomes readable, and what was signed before stays signed: established
 * connections live on.
 *
 * Every function may be called from any thread except keys_start() (from a
 * process with one thread) and keys_stop() (nobody else is inside).
 */
#ifndef COUPLET_KEYS_H
#define COUPLET_KEYS_H

#include "base/base.h"

enum {
	KEYS_WHY_MAX = 512,        /* text of an error, with its 0 byte */
	KEYS_CHANNELS_MAX = 64,    /* threads that can sign at once */
	KEYS_PAIRS_MAX = 1024,     /* private keys held at once */
	KEYS_FILE_MAX = 256 << 10, /* bytes of a key file */
	KEYS_CERTS_MAX = 256,      /* certificates in one file */
	KEYS_CHAIN_MAX = 10,       /* certificates sent to a peer */
	KEYS_SIGN_MAX = 1024,      /* bytes of a signature: RSA-8192 */
	KEYS_DATA_MAX = 1024,      /* bytes to sign or to decrypt */
	KEYS_PATH_MAX = 1024,      /* path of a file, with its 0 byte */
};

struct keys;      /* the daemon's side of one key process */
struct keys_pair; /* what one key file holds; reference counted */

struct keys_options {
	uid_t uid; /* whom the key process becomes, if it is root */
	gid_t gid;
	unsigned channels; /* 1..KEYS_CHANNELS_MAX: threads that sign */
	/* Directories below which key files lie; where the kernel has
	 * Landlock, nothing else can be read. None: no such limit. */
	const char *const *dirs;
	size_t n_dirs;
	/* Keep CAP_DAC_READ_SEARCH (if we have it), so that a reload can
	 * read files that only root can read. */
	bool keep_read;
	/* Let a debugger in, and do without the system call filter where
	 * there is none: valgrind knows no seccomp(2). */
	bool debuggable;
};

/* Forks the key process. 0 or negative errno. The caller ends it with
 * keys_stop(). */
int keys_start(const struct keys_options *o, struct keys **ret) MUST_USE;
/* Ends the key process, waits for it and frees; NULL is fine. Pairs may
 * outlive it, but no longer sign. */
void keys_stop(struct keys *k);
/* For the loop: readable when the key process is gone. Never read it. */
int keys_fd(const struct keys *k);
/* Its process number, for displays. */
pid_t keys_pid(const struct keys *k);
/* Is it there (as far as we have seen)? */
bool keys_alive(const struct keys *k);

/* ---- key files --------------------------------------------------------- */

enum {
	KEYS_NEED_KEY = 1,  /* refuse a file without a private key */
	KEYS_NEED_CERT = 2, /* refuse a file without its certificate */
	KEYS_NEED_CA = 4,   /* refuse a file without any CA certificate */
};

struct keys_source {
	const char *ring;      /* directory of `name`; NULL: `name` is a path */
	const char *name;      /* SSL01 finds SSL01, SSL01.PEM, SSL01.pem,
				* SSL01.P12, SSL01.p12 in `ring`, any case */
	const char *pass_file; /* pass-phrase, first line; NULL: none. Must
				* not be readable by group or others. */
	unsigned need;         /* KEYS_NEED_ bits */
};

struct keys_der {
	const uint8_t *p;
	size_t len;
};

enum keys_type {
	KEYS_TYPE_NONE, /* the file has no private key */
	KEYS_TYPE_RSA,
	KEYS_TYPE_RSA_PSS,
	KEYS_TYPE_EC, /* P-256, P-384, P-521 */
	KEYS_TYPE_ED25519,
	KEYS_TYPE_ED448,
};

/*
 * Reads the key file `s` in the key process. 0 and *ret with one reference;
 * or negative errno and a sentence that names file and fault in `why`
 * (KEYS_WHY_MAX bytes): -ENOENT, -EACCES, -EBADMSG (what is in it is wrong or
 * missing), -EKEYREJECTED (pass-phrase), -ENFILE (KEYS_PAIRS_MAX), -EPIPE.
 * Blocks for the time the file takes: for start and reload, not for a loop.
 */
int keys_load(struct keys *k, const struct keys_source *s,
	      struct keys_pair **ret, char *why) MUST_USE;
struct keys_pair *keys_pair_ref(struct keys_pair *p); /* one more; returns p */
/* One less; the last wipes the private key. NULL is fine. */
void keys_pair_unref(struct keys_pair *p);

/* The following borrow from `p`. */
/* The certificate of the private key first, then its issuers, at most
 * KEYS_CHAIN_MAX; a self-signed root is not part of it. */
const struct keys_der *keys_pair_chain(const struct keys_pair *p, size_t *n);
/* Every CA certificate in the file. */
const struct keys_der *keys_pair_cas(const struct keys_pair *p, size_t *n);
/* Every CRL in the file. */
const struct keys_der *keys_pair_crls(const struct keys_pair *p, size_t *n);
/* What an operator should know, one sentence a line ("" if nothing):
 * DH parameters ignored, certificate expired, EBCDIC text, ... */
const char *keys_pair_notes(const struct keys_pair *p);
/* The file that was read. */
const char *keys_pair_path(const struct keys_pair *p);
/* Kind of the private key; KEYS_TYPE_NONE without one. */
enum keys_type keys_pair_type(const struct keys_pair *p);
/* Size of the private key in bits; 0 without one. */
unsigned keys_pair_bits(const struct keys_pair *p);

/* ---- what TLS asks for --------------------------------------------------- */

enum keys_algorithm {
	KEYS_RSA_PKCS1_SHA1 = 1, /* TLS 1.0 to 1.2; signs data */
	KEYS_RSA_PKCS1_MD5_SHA1, /* TLS 1.0, 1.1: `data` is the 36-byte hash */
	KEYS_RSA_PKCS1_SHA256,
	KEYS_RSA_PKCS1_SHA384,
	KEYS_RSA_PKCS1_SHA512,
	KEYS_RSA_PSS_SHA256,
	KEYS_RSA_PSS_SHA384,
	KEYS_RSA_PSS_SHA512,
	KEYS_ECDSA_SHA1,
	KEYS_ECDSA_SHA256,
	KEYS_ECDSA_SHA384,
	KEYS_ECDSA_SHA512,
	KEYS_EDDSA, /* Ed25519, Ed448: signs the data itself */
};

/*
 * Signs the `len` (<= KEYS_DATA_MAX) bytes at `data` with the private key of
 * `p`. `hashed`: they are the hash already (any algorithm but EdDSA);
 * KEYS_RSA_PKCS1_MD5_SHA1 always is. The signature as TLS has it (ECDSA: DER)
 * goes to `sig` (KEYS_SIGN_MAX bytes); returns its length or negative errno:
 * -EPIPE (key process gone), -EOPNOTSUPP (not with this key), -EMSGSIZE.
 */
int keys_sign(struct keys_pair *p, enum keys_algorithm a, bool hashed,
	      const void *data, size_t len, uint8_t *sig) MUST_USE;

/*
 * RSA key transport [RFC5246 7.4.7.1]: PKCS#1 v1.5 decryption of `len` bytes
 * at `data` into exactly `n` (<= 64) bytes at `plain`. A bad padding or length
 * is never told: then `plain` holds random bytes, in the same time. 0, or
 * negative errno for what the peer cannot influence.
 */
int keys_decrypt(struct keys_pair *p, const void *data, size_t len,
		 uint8_t *plain, size_t n) MUST_USE;

#endif
