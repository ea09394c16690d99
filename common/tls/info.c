/*
 * info.c: what a session agreed on, and who the peer is.
 */
#include "tls/map.h"
#include "tls/room.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- facts of a certificate
 * -------------------------------------------------------------- */

static void to_hex(const uint8_t *p, size_t n, char *out)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = hex[p[i] >> 4];
		out[2 * i + 1] = hex[p[i] & 15];
	}
	out[2 * n] = '\0';
}

static void fingerprint(gnutls_x509_crt_t c, char out[65])
{
	uint8_t id[32];
	size_t n = sizeof id;

	out[0] = '\0';
	if (gnutls_x509_crt_get_fingerprint(c, GNUTLS_DIG_SHA256, id, &n) == 0)
		to_hex(id, n, out);
}

/* gnutls_x509_crt_get_dn3() or its sister for the issuer. */
typedef int dn_fn(gnutls_x509_crt_t c, gnutls_datum_t *dn, unsigned flags);

static void copy_dn(gnutls_x509_crt_t c, dn_fn *get, char *out, size_t cap)
{
	gnutls_datum_t dn;

	out[0] = '\0';
	if (get(c, &dn, 0) < 0)
		return;
	(void)snprintf(out, cap, "%.*s", (int)MIN(dn.size, cap - 1),
		       (const char *)dn.data);
	gnutls_free(dn.data);
}

static bool rdn(gnutls_x509_crt_t c, const char *oid, char *out, size_t cap)
{
	size_t n = cap - 1;

	if (gnutls_x509_crt_get_dn_by_oid(c, oid, 0, 0, out, &n) < 0) {
		out[0] = '\0';
		return false;
	}
	out[MIN(n, cap - 1)] = '\0';
	/* a zero byte inside would let two readers see two names */
	if (strlen(out) != n)
		out[0] = '\0';
	return out[0] != '\0';
}

static void add_name(char list[][MAP_NAME_MAX], unsigned *n, const char *name,
		     size_t len)
{
	if (*n == MAP_NAMES_MAX || len == 0 || len >= MAP_NAME_MAX ||
	    memchr(name, '\0', len))
		return;
	memcpy(list[*n], name, len);
	list[*n][len] = '\0';
	(*n)++;
}

static void alternative_names(gnutls_x509_crt_t c, struct map_facts *f)
{
	char name[MAP_NAME_MAX];

	for (unsigned i = 0;; i++) {
		size_t n = sizeof name;
		int r = gnutls_x509_crt_get_subject_alt_name(c, i, name, &n,
							     NULL);

		if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			break;
		if (r == GNUTLS_SAN_DNSNAME)
			add_name(f->dns, &f->n_dns, name, n);
		else if (r == GNUTLS_SAN_RFC822NAME)
			add_name(f->email, &f->n_email, name, n);
		else if (r < 0 && r != GNUTLS_E_SHORT_MEMORY_BUFFER &&
			 r != GNUTLS_E_X509_UNKNOWN_SAN)
			break;
	}
}

static void facts_of(gnutls_x509_crt_t c, struct map_facts *f)
{
	char email[MAP_NAME_MAX];

	*f = (struct map_facts){.n_dns = 0};
	fingerprint(c, f->sha256);
	copy_dn(c, gnutls_x509_crt_get_dn3, f->subject, sizeof f->subject);
	(void)rdn(c, GNUTLS_OID_X520_COMMON_NAME, f->cn, sizeof f->cn);
	alternative_names(c, f);
	if (rdn(c, GNUTLS_OID_PKCS9_EMAIL, email, sizeof email))
		add_name(f->email, &f->n_email, email, strlen(email));
}

/* ---- user ---------------------------------------------------------------- */

bool session_user(const struct tls_policy *p, gnutls_x509_crt_t cert,
		  char user[TLS_USER_MAX])
{
	struct map_facts f;

	user[0] = '\0';
	if (p->map == TLS_MAP_NONE)
		return false;
	facts_of(cert, &f);
	switch (p->map) {
	case TLS_MAP_CN:
		return map_user(f.cn, strlen(f.cn), user, TLS_USER_MAX);
	case TLS_MAP_EMAIL:
		return f.n_email && map_user(f.email[0], strlen(f.email[0]),
					     user, TLS_USER_MAX);
	case TLS_MAP_EMAIL_USER:
		return f.n_email &&
		       map_user(f.email[0], strcspn(f.email[0], "@"), user,
				TLS_USER_MAX);
	case TLS_MAP_DNS:
		return f.n_dns &&
		       map_user(f.dns[0], strlen(f.dns[0]), user, TLS_USER_MAX);
	case TLS_MAP_FILE:
		return map_find(p->map_rules, &f, user, TLS_USER_MAX);
	case TLS_MAP_NONE:
		break;
	}
	return false;
}

/* ---- session ------------------------------------------------------------- */

static struct scratch *scratch_of(struct tls_session *s)
{
	if (!s->scratch)
		s->scratch = calloc(1, sizeof *s->scratch);
	return s->scratch;
}

static enum tls_version version_of(gnutls_session_t gs)
{
	switch ((int)gnutls_protocol_get_version(gs)) {
	case GNUTLS_TLS1_0:
		return TLS_1_0;
	case GNUTLS_TLS1_1:
		return TLS_1_1;
	case GNUTLS_TLS1_2:
		return TLS_1_2;
	case GNUTLS_TLS1_3:
		return TLS_1_3;
	default:
		return TLS_VERSION_DEFAULT;
	}
}

/* GnuTLS knows the agreed suite by three parts; its table has the number. */
static uint16_t suite_of(gnutls_session_t gs)
{
	gnutls_kx_algorithm_t kx;
	gnutls_cipher_algorithm_t cipher;
	gnutls_mac_algorithm_t mac;
	gnutls_protocol_t min;
	bool tls13 = gnutls_protocol_get_version(gs) == GNUTLS_TLS1_3;
	uint8_t id[2];

	for (size_t i = 0;
	     gnutls_cipher_suite_info(i, id, &kx, &cipher, &mac, &min); i++) {
		if (cipher != gnutls_cipher_get(gs) ||
		    mac != gnutls_mac_get(gs) ||
		    (min == GNUTLS_TLS1_3) != tls13)
			continue;
		if (tls13 || kx == gnutls_kx_get(gs))
			return (uint16_t)(id[0] << 8 | id[1]);
	}
	return 0;
}

const char *tls_session_sni(const struct tls_session *s)
{
	/* the name is made on demand; the session is the caller's to change */
	struct tls_session *own = (struct tls_session *)(uintptr_t)s;
	struct scratch *x = scratch_of(own);
	size_t n = x ? sizeof x->sni - 1 : 0;
	unsigned type;

	if (s->policy->role == TLS_CLIENT)
		return s->peer ? s->peer : "";
	if (!x || gnutls_server_name_get(s->gs, x->sni, &n, &type, 0) < 0 ||
	    type != GNUTLS_NAME_DNS)
		return "";
	x->sni[MIN(n, sizeof x->sni - 1)] = '\0';
	return x->sni;
}

static void fill_peer(struct tls_session *s, struct scratch *x,
		      struct tls_info *ret)
{
	gnutls_x509_crt_t c = verify_peer_cert(s);
	uint8_t serial[64];
	size_t n = sizeof serial;

	if (!c)
		return;
	ret->peer_cert = true;
	copy_dn(c, gnutls_x509_crt_get_dn3, x->subject, sizeof x->subject);
	copy_dn(c, gnutls_x509_crt_get_issuer_dn3, x->issuer, sizeof x->issuer);
	(void)rdn(c, GNUTLS_OID_X520_COMMON_NAME, x->cn, sizeof x->cn);
	if (gnutls_x509_crt_get_serial(c, serial, &n) == 0)
		to_hex(serial, n, x->serial);
	fingerprint(c, ret->sha256);
	(void)gnutls_x509_crt_get_pk_algorithm(c, &ret->peer_bits);
	ret->not_after = (int64_t)gnutls_x509_crt_get_expiration_time(c);
	(void)session_user(s->policy, c, x->user);
	gnutls_x509_crt_deinit(c);
}

static void fill_agreed(struct tls_session *s, struct scratch *x,
			struct tls_info *ret)
{
	gnutls_group_t group = gnutls_group_get(s->gs);
	const char *name;
	gnutls_datum_t alpn;

	ret->version = version_of(s->gs);
	ret->suite = suite_of(s->gs);
	name = tls_suite_name(ret->suite);
	ret->suite_name = name ? name : "?";
	name = group ? gnutls_group_get_name(group) : NULL;
	ret->group = name ? name : "";
	ret->resumed = gnutls_session_is_resumed(s->gs) != 0;
	if (gnutls_alpn_get_selected_protocol(s->gs, &alpn) == 0)
		(void)snprintf(x->alpn, sizeof x->alpn, "%.*s", (int)alpn.size,
			       (const char *)alpn.data);
}

void tls_session_info(struct tls_session *s, struct tls_info *ret)
{
	static const struct scratch nothing;
	struct scratch *x = scratch_of(s);
	const struct scratch *shown = x ? x : &nothing;

	*ret = (struct tls_info){.suite_name = "?", .group = ""};
	if (x) {
		*x = nothing;
		fill_agreed(s, x, ret);
		fill_peer(s, x, ret);
	}
	ret->sni = tls_session_sni(s);
	ret->alpn = shown->alpn;
	ret->peer_verified = s->verified;
	ret->subject = shown->subject;
	ret->issuer = shown->issuer;
	ret->serial = shown->serial;
	ret->cn = shown->cn;
	ret->user = shown->user;
	if (s->policy->n_idents) {
		ret->local_ident = s->ident;
		ret->local_bits =
			keys_pair_bits(s->policy->idents[s->ident]->pair);
	}
}

const uint8_t *tls_session_peer_chain(struct tls_session *s, unsigned i,
				      size_t *len)
{
	unsigned n = 0;
	const gnutls_datum_t *der = gnutls_certificate_get_peers(s->gs, &n);

	*len = der && i < n ? der[i].size : 0;
	return *len ? der[i].data : NULL;
}

const uint8_t *tls_session_peer_der(struct tls_session *s, size_t *len)
{
	return tls_session_peer_chain(s, 0, len);
}
