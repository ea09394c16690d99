/*
 * make.h: makes private keys and certificates, and the text of key files: for
 * couplet-keys and for tests. The clock is an argument.
 */
#ifndef COUPLET_KEYS_MAKE_H
#define COUPLET_KEYS_MAKE_H

#include "keys/keyfile.h"

enum make_kind { MAKE_CA, MAKE_SERVER, MAKE_CLIENT };

struct make_what {
	enum make_kind kind;
	const char *cn;  /* common name */
	const char *org; /* NULL: none */
	/* Subject alternative names: addresses, e-mail addresses (with @),
	 * DNS names. */
	const char *const *san;
	size_t n_san;
	const char *key; /* P-256, P-384, P-521, RSA-2048.. RSA-8192,
			  * ED25519; NULL: P-256 */
	EVP_PKEY *own;   /* this key (referenced), not a new one; NULL: new */
	int64_t from, until;  /* seconds since 1970 */
	const char *ocsp;     /* URL of the responder; NULL: none */
	EVP_PKEY *issuer_key; /* both NULL: signs itself */
	X509 *issuer;
};

/* 0 and a key and a certificate that the caller frees; or negative errno and a
 * sentence in `why` (KEYS_WHY_MAX): -EINVAL for what cannot be made. */
int make_cert(const struct make_what *w, EVP_PKEY **ret_key, X509 **ret_cert,
	      char *why) MUST_USE;

/* A CRL of `issuer` that revokes the certificates serial[0..n), good from
 * `from` to `until`. 0 or negative errno. */
int make_crl(EVP_PKEY *issuer_key, X509 *issuer, X509 *const *revoked, size_t n,
	     int64_t from, int64_t until, X509_CRL **ret) MUST_USE;

/* The text of a key file: the key (NULL: none; sealed with `pass` unless that
 * is NULL), then certificates, then CRLs. 0 and *ret (free with make_free()),
 * or -ENOMEM. */
int make_pem(EVP_PKEY *key, const char *pass, X509 *const *certs, size_t n,
	     X509_CRL *const *crls, size_t n_crls, char **ret,
	     size_t *ret_len) MUST_USE;
/* The same as PKCS#12: certs[0] belongs to the key. `pass` is needed. */
int make_p12(EVP_PKEY *key, const char *pass, const char *name,
	     X509 *const *certs, size_t n, char **ret,
	     size_t *ret_len) MUST_USE;
/* Wipes and frees a text of make_pem() or make_p12(). */
void make_free(char *text, size_t len);

#endif
