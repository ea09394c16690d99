/*
 * suites.h: names and numbers of cipher suites and groups, lists of them, and
 * what GnuTLS is told. Which suites are never made is decided here.
 */
#ifndef COUPLET_TLS_SUITES_H
#define COUPLET_TLS_SUITES_H

#include "tls/tls.h"

#include <gnutls/gnutls.h>

/* How a list of suites is put into force. */
struct suite_rules {
	gnutls_priority_t all; /* everything that is allowed */
	/* A list that somebody wrote: GnuTLS knows sets of key exchanges,
	 * ciphers and MACs, whose product may be more than the list. So a
	 * server chooses from the list itself and allows GnuTLS that one
	 * suite; a client looks afterwards. */
	bool listed;
	unsigned n;
	struct suite_choice {
		uint16_t number;
		bool tls13;
		bool rsa_auth; /* certificate with an RSA key */
		bool ecdsa_auth;
		gnutls_priority_t only; /* this suite; NULL for TLS 1.3 */
	} suite[TLS_SUITES_MAX];
};

struct suite_wish {
	enum tls_version min, max; /* not DEFAULT */
	const char *suites, *groups;
	bool legacy, server;
};

/* 0, or negative errno and a sentence in `why` (TLS_WHY_MAX). */
int suites_compile(const struct suite_wish *w, struct suite_rules *ret,
		   char *why) MUST_USE;
void suites_fini(struct suite_rules *r);
/* Is `number` on the list (or there is none)? */
bool suites_allow(const struct suite_rules *r, uint16_t number);

#endif
