/*
 * keyfile.h: what is in a key file. Bytes in, libcrypto's objects out: the
 * private key, its certificate with the chain to the root in the right order,
 * CA certificates and CRLs, and sentences on what was odd. The order in the
 * file does not matter. No I/O; the wall clock is an argument.
 *
 * Only the key process and couplet-keys link this.
 */
#ifndef COUPLET_KEYS_KEYFILE_H
#define COUPLET_KEYS_KEYFILE_H

#include "keys/keys.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

enum {
	KEYFILE_NOTES_MAX = 2048, /* text of notes, with its 0 byte */
	KEYFILE_KEYS_MAX = 16,    /* private keys looked at in one file */
	KEYFILE_PASS_MAX = 1024,  /* a pass-phrase, with its 0 byte */
	/* Rounds from a pass-phrase to a key: about a second. More is a way
	 * to make a start hang. */
	KEYFILE_ROUNDS_MAX = 5000000,
};

enum keyfile_form { KEYFILE_PEM, KEYFILE_DER, KEYFILE_PKCS12 };

struct keyfile {
	enum keyfile_form form;
	bool ebcdic;
	EVP_PKEY *key;          /* NULL: none */
	STACK_OF(X509) * certs; /* all of them, as they stood */
	STACK_OF(X509_CRL) * crls;
	X509 *chain[KEYS_CHAIN_MAX]; /* borrowed from certs; leaf first */
	size_t n_chain;
	bool complete; /* the chain ends below or at a root in the file */
	EVP_PKEY *keys[KEYFILE_KEYS_MAX]; /* all that were found */
	size_t n_keys;
	char notes[KEYFILE_NOTES_MAX]; /* one sentence a line */
};

struct keyfile_how {
	const char *name; /* for sentences: SSL01.PEM */
	const char *pass; /* NULL: none */
	unsigned need;    /* KEYS_NEED_ bits */
	int64_t now;      /* seconds since 1970 */
};

/* 0, or negative errno and a sentence in `why` (KEYS_WHY_MAX bytes), as
 * keys_load() says. keyfile_fini() also after an error. */
int keyfile_parse(const void *bytes, size_t len, const struct keyfile_how *how,
		  struct keyfile *ret, char *why) MUST_USE;
/* Frees; the private key is wiped. */
void keyfile_fini(struct keyfile *k);

/* Is it a certificate of a CA (basic constraints, or an old root)? */
bool keyfile_is_ca(X509 *cert);
/* Subject for people: "CN=x, O=y" cut to `cap`. Returns buf. */
const char *keyfile_subject(X509 *cert, char *buf, size_t cap);
/* The kind of a private key. */
enum keys_type keyfile_type(const EVP_PKEY *key);

/* Appends a sentence to the notes; what does not fit is left out. */
void keyfile_note(struct keyfile *k, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Puts certificates into order: fills chain, complete (chain.c). 0, or
 * -EBADMSG with a sentence. */
int keyfile_order(struct keyfile *k, const struct keyfile_how *how,
		  char *why) MUST_USE;

#endif
