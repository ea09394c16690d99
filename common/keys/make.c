#include "keys/make.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Bytes of a serial number: positive, unguessable [RFC5280 4.1.2.2]. */
enum { SERIAL_LEN = 16 };

/* Rounds of PBKDF2 for what a pass-phrase seals. */
enum { SEAL_ROUNDS = 200000 };

static int fault(char *why, int code, const char *what)
{
	unsigned long e = ERR_peek_last_error();

	(void)snprintf(why, KEYS_WHY_MAX, "%s%s%s", what, e ? ": " : "",
		       e ? ERR_reason_error_string(e) : "");
	ERR_clear_error();
	return code;
}

/* ---- private key
 * ------------------------------------------------------------------------ */

static EVP_PKEY *generate(const char *kind)
{
	unsigned bits;
	char end;

	if (strcasecmp(kind, "ED25519") == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	if (strcasecmp(kind, "P-256") == 0 || strcasecmp(kind, "P-384") == 0 ||
	    strcasecmp(kind, "P-521") == 0)
		return EVP_EC_gen(kind);
	if (sscanf(kind, "RSA-%u%c", &bits, &end) == 1 && bits >= 2048 &&
	    bits <= 8192)
		return EVP_RSA_gen(bits);
	return NULL;
}

/* ---- certificate --------------------------------------------------------- */

static bool set_serial(X509 *x)
{
	uint8_t bytes[SERIAL_LEN];
	BIGNUM *bn;
	bool ok;

	if (RAND_bytes(bytes, sizeof bytes) != 1)
		return false;
	bytes[0] = (uint8_t)((bytes[0] & 0x3f) | 0x40);
	bn = BN_bin2bn(bytes, sizeof bytes, NULL);
	ok = bn && BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(x));
	BN_free(bn);
	return ok;
}

static bool set_name(X509 *x, const struct make_what *w)
{
	X509_NAME *n = X509_get_subject_name(x);

	if (w->org &&
	    !X509_NAME_add_entry_by_txt(n, "O", MBSTRING_UTF8,
					(const uint8_t *)w->org, -1, -1, 0))
		return false;
	return X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_UTF8,
					  (const uint8_t *)w->cn, -1, -1, 0) &&
	       X509_set_issuer_name(
		       x, w->issuer ? X509_get_subject_name(w->issuer) : n);
}

static GENERAL_NAME *san_of(const char *text)
{
	ASN1_OCTET_STRING *ip = a2i_IPADDRESS(text);
	ASN1_IA5STRING *s;
	GENERAL_NAME *g = GENERAL_NAME_new();

	if (!g || ip) {
		if (g)
			GENERAL_NAME_set0_value(g, GEN_IPADD, ip);
		return g;
	}
	s = ASN1_IA5STRING_new();
	if (!s || !ASN1_STRING_set(s, text, -1)) {
		ASN1_IA5STRING_free(s);
		GENERAL_NAME_free(g);
		return NULL;
	}
	GENERAL_NAME_set0_value(g, strchr(text, '@') ? GEN_EMAIL : GEN_DNS, s);
	return g;
}

static bool set_sans(X509 *x, const struct make_what *w)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	bool ok = names != NULL;

	for (size_t i = 0; i < w->n_san && ok; i++) {
		GENERAL_NAME *g = san_of(w->san[i]);

		ok = g && sk_GENERAL_NAME_push(names, g);
		if (!ok)
			GENERAL_NAME_free(g);
	}
	ok = ok && (!w->n_san || X509_add1_ext_i2d(x, NID_subject_alt_name,
						   names, 0, 0) == 1);
	GENERAL_NAMES_free(names);
	return ok;
}

static bool add_ext(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;
	bool ok;

	X509V3_set_ctx(&ctx, issuer ? issuer : x, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = e && X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	return ok;
}

/* RSA key transport of old suites also needs keyEncipherment. */
static const char *usage_of(const struct make_what *w, const EVP_PKEY *key)
{
	if (w->kind == MAKE_CA)
		return "critical,keyCertSign,cRLSign";
	return EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA &&
			       w->kind == MAKE_SERVER
		       ? "critical,digitalSignature,keyEncipherment"
		       : "critical,digitalSignature";
}

static bool add_exts(X509 *x, const struct make_what *w, const EVP_PKEY *key)
{
	bool ca = w->kind == MAKE_CA;
	char aia[512];

	if (!add_ext(x, w->issuer, NID_basic_constraints,
		     ca ? "critical,CA:TRUE" : "critical,CA:FALSE") ||
	    !add_ext(x, w->issuer, NID_key_usage, usage_of(w, key)) ||
	    !add_ext(x, w->issuer, NID_subject_key_identifier, "hash"))
		return false;
	if (!ca &&
	    !add_ext(x, w->issuer, NID_ext_key_usage,
		     w->kind == MAKE_SERVER ? "serverAuth" : "clientAuth"))
		return false;
	if (w->issuer && !add_ext(x, w->issuer, NID_authority_key_identifier,
				  "keyid:always"))
		return false;
	if (w->ocsp) {
		(void)snprintf(aia, sizeof aia, "OCSP;URI:%s", w->ocsp);
		if (!add_ext(x, w->issuer, NID_info_access, aia))
			return false;
	}
	return set_sans(x, w);
}

/* EdDSA has its hash inside. */
static const EVP_MD *digest_for(const EVP_PKEY *key)
{
	int id = EVP_PKEY_get_base_id(key);

	if (id == EVP_PKEY_ED25519 || id == EVP_PKEY_ED448)
		return NULL;
	return EVP_PKEY_get_bits(key) == 384   ? EVP_sha384()
	       : EVP_PKEY_get_bits(key) == 521 ? EVP_sha512()
					       : EVP_sha256();
}

static bool set_times(X509 *x, const struct make_what *w)
{
	return ASN1_TIME_set(X509_getm_notBefore(x), (time_t)w->from) &&
	       ASN1_TIME_set(X509_getm_notAfter(x), (time_t)w->until);
}

static bool build(X509 *x, const struct make_what *w, EVP_PKEY *key)
{
	EVP_PKEY *signer = w->issuer_key ? w->issuer_key : key;

	return X509_set_version(x, X509_VERSION_3) && set_serial(x) &&
	       set_times(x, w) && set_name(x, w) && X509_set_pubkey(x, key) &&
	       add_exts(x, w, key) && X509_sign(x, signer, digest_for(signer));
}

int make_cert(const struct make_what *w, EVP_PKEY **ret_key, X509 **ret_cert,
	      char *why)
{
	const char *kind = w->key ? w->key : "P-256";
	EVP_PKEY *key;
	X509 *x;

	ERR_clear_error();
	if (!w->cn || !w->cn[0] || strlen(w->cn) > 64)
		return fault(why, -EINVAL,
			     "a common name of 1 to 64 bytes is expected");
	key = w->own && EVP_PKEY_up_ref(w->own) ? w->own : generate(kind);
	if (!key)
		return fault(why, -EINVAL,
			     "kind of key: P-256, P-384, P-521, ED25519 or "
			     "RSA-2048 to RSA-8192 is expected");
	x = X509_new();
	if (!x || !build(x, w, key)) {
		X509_free(x);
		EVP_PKEY_free(key);
		return fault(why, -EINVAL, "the certificate cannot be made");
	}
	*ret_key = key;
	*ret_cert = x;
	return 0;
}

/* ---- CRL ----------------------------------------------------------------- */

static bool add_revoked(X509_CRL *crl, X509 *cert, int64_t when)
{
	X509_REVOKED *r = X509_REVOKED_new();
	ASN1_TIME *t = ASN1_TIME_set(NULL, (time_t)when);
	bool ok =
		r && t && X509_REVOKED_set_revocationDate(r, t) &&
		X509_REVOKED_set_serialNumber(r, X509_get_serialNumber(cert)) &&
		X509_CRL_add0_revoked(crl, r);

	ASN1_TIME_free(t);
	if (!ok)
		X509_REVOKED_free(r);
	return ok;
}

static bool set_crl_times(X509_CRL *crl, int64_t from, int64_t until)
{
	ASN1_TIME *a = ASN1_TIME_set(NULL, (time_t)from),
		  *b = ASN1_TIME_set(NULL, (time_t)until);
	bool ok = a && b && X509_CRL_set1_lastUpdate(crl, a) &&
		  X509_CRL_set1_nextUpdate(crl, b);

	ASN1_TIME_free(a);
	ASN1_TIME_free(b);
	return ok;
}

int make_crl(EVP_PKEY *issuer_key, X509 *issuer, X509 *const *revoked, size_t n,
	     int64_t from, int64_t until, X509_CRL **ret)
{
	X509_CRL *crl = X509_CRL_new();
	bool ok =
		crl && X509_CRL_set_version(crl, X509_CRL_VERSION_2) &&
		X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer)) &&
		set_crl_times(crl, from, until);

	for (size_t i = 0; i < n && ok; i++)
		ok = add_revoked(crl, revoked[i], from);
	if (ok && X509_CRL_sort(crl) &&
	    X509_CRL_sign(crl, issuer_key, digest_for(issuer_key))) {
		*ret = crl;
		return 0;
	}
	X509_CRL_free(crl);
	ERR_clear_error();
	return -EINVAL;
}

/* ---- files --------------------------------------------------------------- */

static int take_text(BIO *b, bool ok, char **ret, size_t *ret_len)
{
	char *data;
	long n = b ? BIO_get_mem_data(b, &data) : 0;
	char *copy = ok && n > 0 ? malloc((size_t)n + 1) : NULL;

	if (copy) {
		memcpy(copy, data, (size_t)n);
		copy[n] = '\0';
		*ret = copy;
		*ret_len = (size_t)n;
	}
	if (n > 0)
		OPENSSL_cleanse(data, (size_t)n);
	BIO_free(b);
	ERR_clear_error();
	return copy ? 0 : -ENOMEM;
}

/* PKCS#8 under PBES2, AES-256, PBKDF2 [RFC8018 6.2] */
static bool write_sealed(BIO *b, EVP_PKEY *key, const char *pass)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	X509_ALGOR *how = PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), SEAL_ROUNDS,
					    NULL, 0, NULL, NID_hmacWithSHA256);
	X509_SIG *sig =
		info && how ? PKCS8_set0_pbe(pass, (int)strlen(pass), info, how)
			    : NULL;
	bool ok = sig && PEM_write_bio_PKCS8(b, sig) == 1;

	if (!sig)
		X509_ALGOR_free(how);
	X509_SIG_free(sig);
	PKCS8_PRIV_KEY_INFO_free(info);
	return ok;
}

int make_pem(EVP_PKEY *key, const char *pass, X509 *const *certs, size_t n,
	     X509_CRL *const *crls, size_t n_crls, char **ret, size_t *ret_len)
{
	BIO *b = BIO_new(BIO_s_mem());
	bool ok = b != NULL;

	if (ok && key)
		ok = pass ? write_sealed(b, key, pass)
			  : PEM_write_bio_PKCS8PrivateKey(b, key, NULL, NULL, 0,
							  NULL, NULL) == 1;
	for (size_t i = 0; i < n && ok; i++)
		ok = PEM_write_bio_X509(b, certs[i]) == 1;
	for (size_t i = 0; i < n_crls && ok; i++)
		ok = PEM_write_bio_X509_CRL(b, crls[i]) == 1;
	return take_text(b, ok, ret, ret_len);
}

int make_p12(EVP_PKEY *key, const char *pass, const char *name,
	     X509 *const *certs, size_t n, char **ret, size_t *ret_len)
{
	STACK_OF(X509) *others = sk_X509_new_null();
	BIO *b = BIO_new(BIO_s_mem());
	PKCS12 *p12 = NULL;
	bool ok = b && others;

	for (size_t i = key ? 1 : 0; i < n && ok; i++)
		ok = sk_X509_push(others, certs[i]) != 0;
	if (ok)
		p12 = PKCS12_create(pass, name, key, key && n ? certs[0] : NULL,
				    others, 0, 0, SEAL_ROUNDS, SEAL_ROUNDS, 0);
	ok = p12 && i2d_PKCS12_bio(b, p12) == 1;
	PKCS12_free(p12);
	sk_X509_free(others);
	return take_text(b, ok, ret, ret_len);
}

void make_free(char *text, size_t len)
{
	if (text)
		OPENSSL_cleanse(text, len);
	free(text);
}
