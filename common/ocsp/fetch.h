/*
 * fetch.h: brings a request to an OCSP responder and its answer back, by HTTP
 * over the sockets of a stack or of the kernel [RFC6960 A]. What the bytes
 * mean is the business of the TLS room.
 *
 * HTTP is libcrypto's, which the key process needs anyway; what it does not
 * bound, here is bounded: one question takes at most OCSP_FETCH_S seconds from
 * the first SYN and OCSP_FETCH_BYTES of answer with all its headers. The
 * look-up of a name comes before that and takes what the resolver of the stack
 * allows.
 *
 * One object serves all threads of a daemon.
 */
#ifndef COUPLET_OCSP_FETCH_H
#define COUPLET_OCSP_FETCH_H

#include "base/base.h"

enum {
	OCSP_FETCH_S = 3,
	OCSP_FETCH_BYTES = 96 << 10,
	/* A responder that was too slow is not asked again for so long, by
	 * whatever handshake: it holds up one worker, not all of them. */
	OCSP_FETCH_SILENT_S = 10,
	OCSP_FETCH_SILENT_MAX = 16, /* responders known as slow */
	OCSP_FETCH_URL_MAX = 512,   /* with its 0 byte */
};

struct ocsp_fetch;

/* `id`: the stack's digits, "*" for the kernel's sockets; copied. 0 or
 * -ENOMEM. */
int ocsp_fetch_new(const char *id, struct ocsp_fetch **ret) MUST_USE;
void ocsp_fetch_free(struct ocsp_fetch *f); /* NULL is fine */

/* Is it a URL that can be asked: http, a host, no user? */
bool ocsp_fetch_url_ok(const char *url);

/*
 * tls_ocsp_fn (tls/tls.h); `arg` is a struct ocsp_fetch. Bytes of DER, or
 * -EINVAL (the URL), -EHOSTUNREACH (no address), -ETIMEDOUT (too slow, now or
 * just before), -EBADMSG (not HTTP, not 200, not an OCSP response by its type,
 * too large), or why no address could be connected to. Blocks.
 */
ssize_t ocsp_fetch(void *arg, const char *url, const void *req, size_t len,
		   void *resp, size_t cap);

#endif
