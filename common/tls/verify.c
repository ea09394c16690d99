/*
 * verify.c: the peer's certificate against the policy: chain, dates, purpose,
 * name, CRL, OCSP, user.
 */
#include "tls/map.h"
#include "tls/ocsp.h"
#include "tls/room.h"
#include "tls/wall.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Certificates of a peer that are looked at. */
enum { PEER_CHAIN_MAX = 16 };

/* RFC8446 6.2 */
enum {
	AL_BAD_CERTIFICATE = 42,
	AL_UNSUPPORTED_CERTIFICATE = 43,
	AL_CERTIFICATE_REVOKED = 44,
	AL_CERTIFICATE_EXPIRED = 45,
	AL_UNKNOWN_CA = 48,
	AL_ACCESS_DENIED = 49,
	AL_BAD_CERTIFICATE_STATUS = 113,
	AL_CERTIFICATE_REQUIRED = 116,
};

struct chain {
	gnutls_x509_crt_t cert[PEER_CHAIN_MAX];
	unsigned n;
	char subject[256];
};

static void chain_fini(struct chain *c)
{
	for (unsigned i = 0; i < c->n; i++)
		gnutls_x509_crt_deinit(c->cert[i]);
	c->n = 0;
}

static int chain_read(struct tls_session *s, struct chain *c)
{
	unsigned n = 0;
	const gnutls_datum_t *der = gnutls_certificate_get_peers(s->gs, &n);
	size_t len = sizeof c->subject;

	*c = (struct chain){.n = 0};
	if (!der || !n)
		return session_fail(s, -EACCES, TLS_ERR_CERT_MISSING,
				    AL_CERTIFICATE_REQUIRED,
				    "the peer sent no certificate");
	for (unsigned i = 0; i < n && i < PEER_CHAIN_MAX; i++) {
		if (gnutls_x509_crt_init(&c->cert[i]) < 0)
			return session_fail(s, -ENOMEM, TLS_ERR_MEMORY, 80,
					    "out of memory");
		c->n++;
		if (gnutls_x509_crt_import(c->cert[i], &der[i],
					   GNUTLS_X509_FMT_DER) < 0)
			return session_fail(s, -EACCES, TLS_ERR_CERT_OTHER,
					    AL_BAD_CERTIFICATE,
					    "the peer's certificate is "
					    "malformed");
	}
	if (gnutls_x509_crt_get_dn(c->cert[0], c->subject, &len) < 0)
		c->subject[0] = '\0';
	return 0;
}

/* ---- chain and name
 * -------------------------------------------------------------------- */

static const struct {
	unsigned bit;
	enum tls_error_kind kind;
	uint8_t alert;
	const char *text;
} reasons[] = {
	{GNUTLS_CERT_REVOKED, TLS_ERR_CERT_REVOKED, AL_CERTIFICATE_REVOKED,
	 "is revoked"},
	{GNUTLS_CERT_SIGNER_NOT_FOUND, TLS_ERR_CERT_CHAIN, AL_UNKNOWN_CA,
	 "was not issued by a CA that is trusted"},
	{GNUTLS_CERT_SIGNER_NOT_CA, TLS_ERR_CERT_CHAIN, AL_UNKNOWN_CA,
	 "was issued by a certificate that is no CA"},
	{GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE, TLS_ERR_CERT_CHAIN,
	 AL_BAD_CERTIFICATE, "is outside the constraints of its CA"},
	{GNUTLS_CERT_SIGNATURE_FAILURE, TLS_ERR_CERT_CHAIN, AL_BAD_CERTIFICATE,
	 "has a wrong signature"},
	{GNUTLS_CERT_NOT_ACTIVATED, TLS_ERR_CERT_EARLY, AL_CERTIFICATE_EXPIRED,
	 "is not valid yet"},
	{GNUTLS_CERT_EXPIRED, TLS_ERR_CERT_EXPIRED, AL_CERTIFICATE_EXPIRED,
	 "has expired"},
	{GNUTLS_CERT_UNEXPECTED_OWNER, TLS_ERR_CERT_NAME, AL_BAD_CERTIFICATE,
	 "is not for this name"},
	{GNUTLS_CERT_PURPOSE_MISMATCH, TLS_ERR_CERT_OTHER,
	 AL_UNSUPPORTED_CERTIFICATE, "is not for this purpose"},
	{GNUTLS_CERT_INSECURE_ALGORITHM, TLS_ERR_CERT_OTHER, AL_BAD_CERTIFICATE,
	 "is weak: SHA-1, or a key that is too short"},
};

static int refuse(struct tls_session *s, const struct chain *c, unsigned status)
{
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		if (!(status & reasons[i].bit))
			continue;
		if (reasons[i].kind == TLS_ERR_CERT_NAME)
			return session_fail(s, -EACCES, TLS_ERR_CERT_NAME,
					    AL_BAD_CERTIFICATE,
					    "the certificate of %s is not for "
					    "the name %s",
					    c->subject, s->peer);
		return session_fail(s, -EACCES, reasons[i].kind,
				    reasons[i].alert,
				    "the certificate of %s %s", c->subject,
				    reasons[i].text);
	}
	return session_fail(s, -EACCES, TLS_ERR_CERT_OTHER, AL_BAD_CERTIFICATE,
			    "the certificate of %s is not valid (status %#x)",
			    c->subject, status);
}

static int verify_chain(struct tls_session *s, struct chain *c)
{
	const struct tls_policy *p = s->policy;
	gnutls_typed_vdata_st want[2];
	unsigned n = 0, status = 0, flags;
	int r;

	want[n++] = (gnutls_typed_vdata_st){
		.type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (uint8_t *)(uintptr_t)(p->role == TLS_CLIENT
						       ? GNUTLS_KP_TLS_WWW_SERVER
						       : GNUTLS_KP_TLS_WWW_CLIENT),
	};
	if (p->check_name)
		want[n++] = (gnutls_typed_vdata_st){
			.type = GNUTLS_DT_DNS_HOSTNAME,
			.data = (uint8_t *)s->peer,
			.size = (unsigned)strlen(s->peer),
		};
	flags = p->legacy ? GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_VERY_WEAK) |
				    GNUTLS_VERIFY_ALLOW_SIGN_WITH_SHA1
			  : GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_MEDIUM);
	r = gnutls_x509_trust_list_verify_crt2(p->trust->list, c->cert, c->n,
					       want, n, flags, &status, NULL);
	if (r < 0)
		return session_fail(s, -EACCES, TLS_ERR_CERT_OTHER,
				    AL_BAD_CERTIFICATE,
				    "the certificate of %s cannot be checked: "
				    "%s",
				    c->subject, gnutls_strerror(r));
	return status ? refuse(s, c, status) : 0;
}

/* ---- is it still good
 * ---------------------------------------------------------------- */

/* The issuer of certificate `i` of the chain, or NULL. */
static gnutls_x509_crt_t issuer_of(const struct tls_session *s,
				   const struct chain *c, unsigned i)
{
	if (i + 1 < c->n &&
	    gnutls_x509_crt_check_issuer(c->cert[i], c->cert[i + 1]))
		return c->cert[i + 1];
	return trust_issuer(s->policy->trust, c->cert[i]);
}

static enum ocsp_verdict staple_verdict(struct tls_session *s, unsigned i,
					gnutls_x509_crt_t cert,
					gnutls_x509_crt_t issuer, int64_t now)
{
	gnutls_datum_t staple;
	int64_t until;

	if (gnutls_ocsp_status_request_get2(s->gs, i, &staple) < 0)
		return OCSP_NOBODY_KNOWS;
	return ocsp_read(&staple, cert, issuer, now, &until);
}

static int verify_ocsp(struct tls_session *s, const struct chain *c,
		       int64_t now)
{
	gnutls_x509_crt_t issuer = issuer_of(s, c, 0);
	enum ocsp_verdict v = OCSP_NOBODY_KNOWS;

	if (issuer)
		v = staple_verdict(s, 0, c->cert[0], issuer, now);
	if (issuer && v == OCSP_NOBODY_KNOWS && s->policy->ocsp)
		v = ocsp_ask(s->policy->ocsp, c->cert[0], issuer, now);
	if (v == OCSP_REVOKED)
		return session_fail(s, -EACCES, TLS_ERR_CERT_REVOKED,
				    AL_CERTIFICATE_REVOKED,
				    "the certificate of %s is revoked (OCSP)",
				    c->subject);
	if (v != OCSP_GOOD && s->policy->need_ocsp)
		return session_fail(s, -EACCES, TLS_ERR_CERT_OTHER,
				    AL_BAD_CERTIFICATE_STATUS,
				    "nobody says by OCSP whether the "
				    "certificate of %s is still good",
				    c->subject);
	return 0;
}

static int verify_crl(struct tls_session *s, const struct chain *c, int64_t now)
{
	if (!s->policy->need_crl)
		return 0;
	for (unsigned i = 0; i < c->n; i++) {
		if (gnutls_x509_crt_check_issuer(c->cert[i], c->cert[i]))
			break; /* a root: nobody revokes it */
		if (!trust_has_crl(s->policy->trust, c->cert[i], now))
			return session_fail(s, -EACCES, TLS_ERR_CERT_OTHER,
					    AL_BAD_CERTIFICATE,
					    "there is no current CRL of the "
					    "issuer of %s",
					    c->subject);
	}
	return 0;
}

/* ---- all of it ----------------------------------------------------------- */

static int verify_user(struct tls_session *s, const struct chain *c)
{
	char user[TLS_USER_MAX];

	if (!s->policy->need_user || session_user(s->policy, c->cert[0], user))
		return 0;
	return session_fail(s, -EACCES, TLS_ERR_USER, AL_ACCESS_DENIED,
			    "the certificate of %s maps to no user",
			    c->subject);
}

int verify_peer(struct tls_session *s)
{
	int64_t now = wall_now();
	unsigned n = 0;
	struct chain c;
	int r;

	if (s->policy->verify == TLS_VERIFY_OPTIONAL &&
	    (!gnutls_certificate_get_peers(s->gs, &n) || !n))
		return 0;
	r = chain_read(s, &c);
	if (r == 0)
		r = verify_chain(s, &c);
	if (r == 0)
		r = verify_crl(s, &c, now);
	if (r == 0)
		r = verify_ocsp(s, &c, now);
	if (r == 0)
		r = verify_user(s, &c);
	if (r == 0)
		s->verified = true;
	chain_fini(&c);
	return r;
}

gnutls_x509_crt_t verify_peer_cert(struct tls_session *s)
{
	unsigned n = 0;
	const gnutls_datum_t *der = gnutls_certificate_get_peers(s->gs, &n);
	gnutls_x509_crt_t c;

	if (!der || !n || gnutls_x509_crt_init(&c) < 0)
		return NULL;
	if (gnutls_x509_crt_import(c, &der[0], GNUTLS_X509_FMT_DER) < 0) {
		gnutls_x509_crt_deinit(c);
		return NULL;
	}
	return c;
}
