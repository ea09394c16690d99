/*
 * fixture.h: what each test of common/tls begins with: a key process, a CA,
 * key files EC.PEM and RSA.PEM for server.test.
 */
#ifndef COUPLET_TEST_TLS_FIXTURE_H
#define COUPLET_TEST_TLS_FIXTURE_H

#include "keys/keys.h"
#include "pipe.h"
#include "pki.h"
#include "tls/tls.h"
#include "unit.h"

enum { FIX_IDENTS_MAX = 32 };

struct fix {
	struct pki pki;
	bool made_rsa;
	struct keys *keys;
	struct tls_trust *trust; /* the CA of pki */
	struct tls_ident *ident[FIX_IDENTS_MAX];
	size_t n_idents; /* kept until teardown */
	char why[TLS_WHY_MAX];
};

int fix_setup(void **state);
int fix_teardown(void **state);

/* The ident of a key file of pki; lives until teardown. */
struct tls_ident *fix_ident(struct fix *f, const char *key_file);
/* A client that trusts the CA and checks the name. */
struct tls_policy_spec fix_client(struct fix *f);
/* A server with one key file. fix_forget() after use. */
struct tls_policy_spec fix_server(struct fix *f, const char *key_file);
void fix_forget(struct fix *f, struct tls_policy_spec *s);

/* A client and a server session and the results of their handshakes. */
struct two {
	struct pipe *pipe;
	struct tls_policy *cp, *sp;
	struct tls_session *c, *s;
	int rc, rs;
};

/* Makes policies and sessions, handshakes. two_close() in any case. */
void two_open(struct two *t, const struct tls_policy_spec *cs,
	      const struct tls_policy_spec *ss, const char *peer);
/* The same with policies that live on. */
void two_again(struct two *t, struct tls_policy *cp, struct tls_policy *sp,
	       const char *peer);
void two_close(struct two *t);
/* Why the session failed. */
enum tls_error_kind two_kind(const struct tls_session *s);

#endif
