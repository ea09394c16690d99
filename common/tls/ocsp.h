/*
 * ocsp.h: what OCSP responders say about peers' certificates [RFC6960], and
 * the memory of it, so that a responder is asked once in the life of its
 * answer. Any thread.
 */
#ifndef COUPLET_TLS_OCSP_H
#define COUPLET_TLS_OCSP_H

#include "tls/tls.h"

#include <gnutls/x509.h>

enum {
	OCSP_REMEMBERED_MAX = 1024, /* certificates; the oldest go first */
	OCSP_ANSWER_MAX = 64 << 10, /* bytes of a response */
	OCSP_KEPT_MAX_S = 86400,    /* however long it says it is good */
	OCSP_SILENCE_S = 60,        /* before a silent responder is asked
				     * again */
};

enum ocsp_verdict { OCSP_NOBODY_KNOWS, OCSP_GOOD, OCSP_REVOKED };

struct ocsp_memory;

/* NULL: no memory. `fn` NULL: only staples are looked at. `url` (copied) is
 * asked in place of what certificates name, unless NULL. */
struct ocsp_memory *ocsp_memory_new(tls_ocsp_fn *fn, void *arg,
				    const char *url);
void ocsp_memory_free(struct ocsp_memory *m);

/* Reads a response (stapled, or an answer) about `cert` of `issuer`. Anything
 * wrong, unsigned, old or about others is OCSP_NOBODY_KNOWS. *ret_until: how
 * long it is good, seconds since 1970. */
enum ocsp_verdict ocsp_read(const gnutls_datum_t *response,
			    gnutls_x509_crt_t cert, gnutls_x509_crt_t issuer,
			    int64_t now, int64_t *ret_until);

/* Asks, or remembers. May block as long as the caller's function does. */
enum ocsp_verdict ocsp_ask(struct ocsp_memory *m, gnutls_x509_crt_t cert,
			   gnutls_x509_crt_t issuer, int64_t now);

#endif
