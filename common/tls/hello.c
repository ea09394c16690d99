/*
 * hello.c: what a ClientHello offers, read before GnuTLS decides, so that a
 * server keeps to a list of suites exactly and chooses the kind of certificate
 * that the client can use.
 */
#include "tls/room.h"

#include "base/cursor.h"

enum { EXT_SUPPORTED_VERSIONS = 43 };

struct offer {
	struct rcur suites; /* two bytes each */
	bool tls13;
};

/* The supported_versions extension [RFC8446 4.2.1]. */
static bool names_13(struct rcur ext)
{
	uint8_t n = rcur_8(&ext);
	struct rcur list = rcur_of(rcur_bytes(&ext, n), rcur_ok(&ext) ? n : 0);

	while (rcur_left(&list) >= 2)
		if (rcur_16(&list) == TLS_1_3)
			return true;
	return false;
}

/* [RFC8446 4.1.2]; anything odd is left for GnuTLS to refuse. */
static bool parse(const uint8_t *msg, size_t len, struct offer *ret)
{
	struct rcur c = rcur_of(msg, len);
	uint16_t n;
	const uint8_t *p;

	(void)rcur_bytes(&c, 2 + 32); /* version, random */
	(void)rcur_bytes(&c, rcur_8(&c));
	n = rcur_16(&c);
	p = rcur_bytes(&c, n);
	if (!p)
		return false;
	*ret = (struct offer){.suites = rcur_of(p, n)};
	(void)rcur_bytes(&c, rcur_8(&c)); /* compression */
	(void)rcur_16(&c);                /* of all extensions */
	while (rcur_ok(&c) && rcur_left(&c) >= 4) {
		uint16_t type = rcur_16(&c);

		n = rcur_16(&c);
		p = rcur_bytes(&c, n);
		if (p && type == EXT_SUPPORTED_VERSIONS)
			ret->tls13 = names_13(rcur_of(p, n));
	}
	return true;
}

static bool offers(struct rcur suites, uint16_t number)
{
	while (rcur_left(&suites) >= 2)
		if (rcur_16(&suites) == number)
			return true;
	return false;
}

/* A suite of TLS 1.2 and below that signs by ECDSA [RFC8422, RFC5289,
 * RFC7905]. */
static bool offers_ecdsa(struct rcur suites)
{
	while (rcur_left(&suites) >= 2) {
		uint16_t n = rcur_16(&suites);

		if (n == 0xc02b || n == 0xc02c || n == 0xcca9 || n == 0xc023 ||
		    n == 0xc024 || n == 0xc009 || n == 0xc00a || n == 0xc0ac ||
		    n == 0xc0ad || n == 0xc0ae || n == 0xc0af)
			return true;
	}
	return false;
}

/* In TLS 1.3 the signature algorithms alone decide [RFC8446 4.2.3]. They are
 * not parsed yet when this runs, but every client of 1.3 that can do P-256,
 * which it must [RFC8446 9.1], can do ECDSA. */
static bool can_ecdsa(const struct tls_session *s, const struct offer *o)
{
	return (o->tls13 && s->policy->max >= TLS_1_3) ||
	       offers_ecdsa(o->suites);
}

static bool have_cert(const struct tls_policy *p, bool ecdsa)
{
	return p->mixed || p->idents[0]->ecdsa == ecdsa;
}

int hello_read(struct tls_session *s, const uint8_t *msg, size_t len)
{
	const struct suite_rules *rules = &s->policy->rules;
	struct offer o;

	if (!parse(msg, len, &o))
		return 0;
	s->offers_ecdsa = can_ecdsa(s, &o);
	s->offers_13 = o.tls13;
	if (!rules->listed || (o.tls13 && s->policy->max >= TLS_1_3))
		return 0;
	for (unsigned i = 0; i < rules->n; i++) {
		const struct suite_choice *c = &rules->suite[i];

		if (!c->only || !offers(o.suites, c->number) ||
		    !have_cert(s->policy, c->ecdsa_auth))
			continue;
		s->offers_ecdsa = c->ecdsa_auth;
		return gnutls_priority_set(s->gs, c->only);
	}
	return GNUTLS_E_NO_CIPHER_SUITES;
}
