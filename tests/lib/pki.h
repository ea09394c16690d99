/*
 * pki.h: certificates for tests: a directory that is removed in the end, CAs,
 * and key files made by common/keys/make.h. Everything asserts.
 */
#ifndef COUPLET_TEST_PKI_H
#define COUPLET_TEST_PKI_H

#include "keys/make.h"

struct pki {
	char dir[64];
	int64_t now;
	EVP_PKEY *ca_key;
	X509 *ca;
};

/* Makes the directory and a CA "Test CA" in CA.PEM (certificate only). */
void pki_init(struct pki *p);
void pki_fini(struct pki *p); /* removes the directory */

/* What pki_make() makes beyond an ordinary certificate. */
struct pki_what {
	enum make_kind kind;
	const char *cn, *san, *san2; /* NULL: none */
	const char *key;             /* NULL: P-256 */
	int64_t from_s, until_s; /* relative to now; 0, 0: -1 day, 30 days */
	bool self_signed;
	const char *ocsp;
};

/* Key file NAME.PEM with key, certificate and CA. The certificate goes to
 * *ret (the caller frees) unless that is NULL, as the key to *ret_key. */
void pki_make(struct pki *p, const char *name, const struct pki_what *w,
	      X509 **ret, EVP_PKEY **ret_key);
/* A file of the directory with these bytes, mode 0600. */
void pki_file(const struct pki *p, const char *name, const void *bytes,
	      size_t len);
/* Path of a file of the directory, in one of four static buffers. */
const char *pki_path(const struct pki *p, const char *name);

#endif
