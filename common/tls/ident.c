#include "tls/room.h"
#include "tls/wall.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- staples
 * ------------------------------------------------------------------ */

struct staple *staple_ref(struct staple *s)
{
	atomic_fetch_add(&s->refs, 1);
	return s;
}

void staple_unref(struct staple *s)
{
	if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	gnutls_free(s->data.response.data);
	free(s);
}

struct staple *ident_staple(struct tls_ident *i)
{
	struct staple *s;

	pthread_mutex_lock(&i->lock);
	/* one that is too old is worse than none */
	if (i->staple && i->staple->data.exptime > 0 &&
	    i->staple->data.exptime < wall_now()) {
		staple_unref(i->staple);
		i->staple = NULL;
	}
	s = i->staple ? staple_ref(i->staple) : NULL;
	pthread_mutex_unlock(&i->lock);
	return s;
}

/* Checks that `der` speaks of our certificate and says "good". */
static int staple_check(const struct tls_ident *i, const gnutls_datum_t *der,
			time_t *next, const char **what)
{
	gnutls_ocsp_resp_t resp;
	unsigned status = 0;
	int r;

	*what = "out of memory";
	if (gnutls_ocsp_resp_init(&resp) < 0)
		return -ENOMEM;
	*what = "not an OCSP response";
	r = gnutls_ocsp_resp_import(resp, der);
	if (r == 0) {
		*what = "it is for another certificate";
		r = gnutls_ocsp_resp_check_crt(resp, 0, i->leaf);
	}
	if (r == 0) {
		*what = "it cannot be read";
		r = gnutls_ocsp_resp_get_single(resp, 0, NULL, NULL, NULL, NULL,
						&status, NULL, next, NULL,
						NULL);
	}
	if (r == 0 && status != GNUTLS_OCSP_CERT_GOOD) {
		*what = "it does not say that the certificate is good";
		r = -1;
	}
	if (r == 0 && *next != (time_t)-1 && *next < wall_now()) {
		*what = "it is too old";
		r = -1;
	}
	gnutls_ocsp_resp_deinit(resp);
	return r < 0 ? -EBADMSG : 0;
}

static struct staple *staple_new(const gnutls_datum_t *der, time_t next)
{
	struct staple *s = calloc(1, sizeof *s);
	uint8_t *copy = gnutls_malloc(der->size);

	if (!s || !copy) {
		free(s);
		gnutls_free(copy);
		return NULL;
	}
	memcpy(copy, der->data, der->size);
	atomic_init(&s->refs, 1);
	s->data.version = 0;
	s->data.response = (gnutls_datum_t){copy, der->size};
	s->data.exptime = next == (time_t)-1 ? 0 : next;
	return s;
}

int tls_ident_staple(struct tls_ident *i, const void *der, size_t len,
		     char *why)
{
	gnutls_datum_t d = {(void *)(uintptr_t)der, (unsigned)len};
	struct staple *fresh = NULL, *old;
	const char *what = "";
	time_t next = -1;
	int r = 0;

	if (len > UINT16_MAX) /* of a TLS vector, less than what 24 bits hold */
		r = -EMSGSIZE;
	else if (len)
		r = staple_check(i, &d, &next, &what);
	if (r == 0 && len) {
		fresh = staple_new(&d, next);
		r = fresh ? 0 : -ENOMEM;
	}
	if (r < 0) {
		(void)snprintf(why, TLS_WHY_MAX, "OCSP response for %.200s: %s",
			       keys_pair_path(i->pair),
			       what[0] ? what : strerror(-r));
		return r;
	}
	pthread_mutex_lock(&i->lock);
	old = i->staple;
	i->staple = fresh;
	pthread_mutex_unlock(&i->lock);
	staple_unref(old);
	return 0;
}

/* ---- private key
 * --------------------------------------------------------------- */

static int to_algorithm(gnutls_sign_algorithm_t a, enum keys_type type)
{
	static const struct {
		int pk, hash;
		enum keys_algorithm a;
	} table[] = {
		{GNUTLS_PK_RSA, GNUTLS_DIG_SHA1, KEYS_RSA_PKCS1_SHA1},
		{GNUTLS_PK_RSA, GNUTLS_DIG_SHA256, KEYS_RSA_PKCS1_SHA256},
		{GNUTLS_PK_RSA, GNUTLS_DIG_SHA384, KEYS_RSA_PKCS1_SHA384},
		{GNUTLS_PK_RSA, GNUTLS_DIG_SHA512, KEYS_RSA_PKCS1_SHA512},
		{GNUTLS_PK_RSA_PSS, GNUTLS_DIG_SHA256, KEYS_RSA_PSS_SHA256},
		{GNUTLS_PK_RSA_PSS, GNUTLS_DIG_SHA384, KEYS_RSA_PSS_SHA384},
		{GNUTLS_PK_RSA_PSS, GNUTLS_DIG_SHA512, KEYS_RSA_PSS_SHA512},
		{GNUTLS_PK_ECDSA, GNUTLS_DIG_SHA1, KEYS_ECDSA_SHA1},
		{GNUTLS_PK_ECDSA, GNUTLS_DIG_SHA256, KEYS_ECDSA_SHA256},
		{GNUTLS_PK_ECDSA, GNUTLS_DIG_SHA384, KEYS_ECDSA_SHA384},
		{GNUTLS_PK_ECDSA, GNUTLS_DIG_SHA512, KEYS_ECDSA_SHA512},
	};
	int pk = (int)gnutls_sign_get_pk_algorithm(a),
	    hash = (int)gnutls_sign_get_hash_algorithm(a);

	if (pk == GNUTLS_PK_EDDSA_ED25519 || pk == GNUTLS_PK_EDDSA_ED448)
		return type == KEYS_TYPE_ED25519 || type == KEYS_TYPE_ED448
			       ? KEYS_EDDSA
			       : -EOPNOTSUPP;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].pk == pk && table[i].hash == hash)
			return (int)table[i].a;
	return -EOPNOTSUPP;
}

static int give(const uint8_t *bytes, int n, gnutls_datum_t *ret)
{
	if (n < 0)
		return n == -ENOMEM ? GNUTLS_E_MEMORY_ERROR
				    : GNUTLS_E_PK_SIGN_FAILED;
	ret->data = gnutls_malloc((size_t)n);
	if (!ret->data)
		return GNUTLS_E_MEMORY_ERROR;
	memcpy(ret->data, bytes, (size_t)n);
	ret->size = (unsigned)n;
	return 0;
}

static int sign_data(gnutls_privkey_t key, gnutls_sign_algorithm_t a, void *arg,
		     unsigned flags, const gnutls_datum_t *data,
		     gnutls_datum_t *sig)
{
	struct tls_ident *i = arg;
	int alg = to_algorithm(a, keys_pair_type(i->pair));
	uint8_t out[KEYS_SIGN_MAX];

	(void)key;
	(void)flags;
	if (alg < 0)
		return GNUTLS_E_UNSUPPORTED_SIGNATURE_ALGORITHM;
	return give(out,
		    keys_sign(i->pair, (enum keys_algorithm)alg, false,
			      data->data, data->size, out),
		    sig);
}

/* TLS 1.0 and 1.1 sign MD5 and SHA-1 together; GnuTLS also comes here with
 * a hash it has computed itself. */
static int sign_hash(gnutls_privkey_t key, gnutls_sign_algorithm_t a, void *arg,
		     unsigned flags, const gnutls_datum_t *hash,
		     gnutls_datum_t *sig)
{
	struct tls_ident *i = arg;
	uint8_t out[KEYS_SIGN_MAX];
	int alg;

	(void)key;
	(void)flags;
	if (a == GNUTLS_SIGN_RSA_RAW)
		alg = KEYS_RSA_PKCS1_MD5_SHA1;
	else
		alg = to_algorithm(a, keys_pair_type(i->pair));
	if (alg < 0)
		return GNUTLS_E_UNSUPPORTED_SIGNATURE_ALGORITHM;
	return give(out,
		    keys_sign(i->pair, (enum keys_algorithm)alg, true,
			      hash->data, hash->size, out),
		    sig);
}

/* Bytes of the premaster secret [RFC5246 7.4.7.1]. */
enum { PREMASTER_LEN = 48 };

static int decrypt(gnutls_privkey_t key, void *arg, const gnutls_datum_t *in,
		   gnutls_datum_t *out)
{
	struct tls_ident *i = arg;
	uint8_t plain[PREMASTER_LEN];
	int r;

	(void)key;
	r = keys_decrypt(i->pair, in->data, in->size, plain, sizeof plain);
	r = give(plain, r < 0 ? r : (int)sizeof plain, out);
	explicit_bzero(plain, sizeof plain);
	return r == GNUTLS_E_PK_SIGN_FAILED ? GNUTLS_E_DECRYPTION_FAILED : r;
}

static int pk_algorithm(enum keys_type t)
{
	switch (t) {
	case KEYS_TYPE_RSA:
		return GNUTLS_PK_RSA;
	case KEYS_TYPE_RSA_PSS:
		return GNUTLS_PK_RSA_PSS;
	case KEYS_TYPE_EC:
		return GNUTLS_PK_ECDSA;
	case KEYS_TYPE_ED25519:
		return GNUTLS_PK_EDDSA_ED25519;
	case KEYS_TYPE_ED448:
		return GNUTLS_PK_EDDSA_ED448;
	case KEYS_TYPE_NONE:
		break;
	}
	return -1;
}

/* Can the key do this signature? An RSA key also does PSS. */
static bool can_sign(enum keys_type t, gnutls_sign_algorithm_t a)
{
	gnutls_pk_algorithm_t pk = gnutls_sign_get_pk_algorithm(a);

	if (to_algorithm(a, t) < 0)
		return false;
	/* rsa_pss_pss_* is for keys that say PSS, rsa_pss_rsae_* for others
	 * [RFC8446 4.2.3] */
	if (t == KEYS_TYPE_RSA)
		return pk == GNUTLS_PK_RSA ||
		       a == GNUTLS_SIGN_RSA_PSS_RSAE_SHA256 ||
		       a == GNUTLS_SIGN_RSA_PSS_RSAE_SHA384 ||
		       a == GNUTLS_SIGN_RSA_PSS_RSAE_SHA512;
	return (int)pk == pk_algorithm(t);
}

static int key_info(gnutls_privkey_t key, unsigned flags, void *arg)
{
	const struct tls_ident *i = arg;
	enum keys_type t = keys_pair_type(i->pair);

	(void)key;
	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO)
		return pk_algorithm(t);
	if (flags & GNUTLS_PRIVKEY_INFO_HAVE_SIGN_ALGO)
		return can_sign(t, GNUTLS_FLAGS_TO_SIGN_ALGO(flags));
	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO_BITS)
		return (int)keys_pair_bits(i->pair);
	return -1;
}

/* ---- life
 * ------------------------------------------------------------------------ */

static int import_chain(struct tls_ident *i)
{
	size_t n;
	const struct keys_der *der = keys_pair_chain(i->pair, &n);
	int r = 0;

	for (size_t k = 0; k < n && r == 0; k++) {
		gnutls_datum_t d = {(void *)(uintptr_t)der[k].p,
				    (unsigned)der[k].len};

		r = gnutls_pcert_import_x509_raw(&i->chain[k], &d,
						 GNUTLS_X509_FMT_DER, 0);
		if (r == 0)
			i->n_chain++;
	}
	return r;
}

static int import_key(struct tls_ident *i)
{
	int r = gnutls_privkey_init(&i->key);

	if (r == 0)
		r = gnutls_privkey_import_ext4(i->key, i, sign_data, sign_hash,
					       decrypt, NULL, key_info, 0);
	return r;
}

static int import_cert(const struct keys_der *der, gnutls_x509_crt_t *ret)
{
	gnutls_datum_t d = {(void *)(uintptr_t)der->p, (unsigned)der->len};
	int r = gnutls_x509_crt_init(ret);

	if (r < 0) {
		*ret = NULL;
		return r;
	}
	return gnutls_x509_crt_import(*ret, &d, GNUTLS_X509_FMT_DER);
}

static int fill(struct tls_ident *i)
{
	size_t n;
	const struct keys_der *der = keys_pair_chain(i->pair, &n);
	int r;

	i->ecdsa = keys_pair_type(i->pair) != KEYS_TYPE_RSA &&
		   keys_pair_type(i->pair) != KEYS_TYPE_RSA_PSS;
	r = import_chain(i);
	if (r == 0)
		r = import_cert(&der[0], &i->leaf);
	if (r == 0 && n > 1)
		r = import_cert(&der[1], &i->issuer);
	if (r == 0)
		r = import_key(i);
	return r;
}

int tls_ident_new(struct keys_pair *pair, struct tls_ident **ret, char *why)
{
	struct tls_ident *i;
	size_t n;
	int r;

	(void)keys_pair_chain(pair, &n);
	if (keys_pair_type(pair) == KEYS_TYPE_NONE || n == 0) {
		(void)snprintf(why, TLS_WHY_MAX, "key file %.200s: no %s",
			       keys_pair_path(pair),
			       n ? "private key" : "certificate");
		return -EBADMSG;
	}
	i = calloc(1, sizeof *i);
	if (!i) {
		(void)snprintf(why, TLS_WHY_MAX, "out of memory");
		return -ENOMEM;
	}
	atomic_init(&i->refs, 1);
	(void)pthread_mutex_init(&i->lock, NULL);
	i->pair = keys_pair_ref(pair);
	r = fill(i);
	if (r < 0) {
		(void)snprintf(why, TLS_WHY_MAX, "key file %.200s: %s",
			       keys_pair_path(pair), gnutls_strerror(r));
		tls_ident_unref(i);
		return r == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EBADMSG;
	}
	*ret = i;
	return 0;
}

struct tls_ident *tls_ident_ref(struct tls_ident *i)
{
	atomic_fetch_add(&i->refs, 1);
	return i;
}

void tls_ident_unref(struct tls_ident *i)
{
	if (!i || atomic_fetch_sub(&i->refs, 1) != 1)
		return;
	for (unsigned k = 0; k < i->n_chain; k++)
		gnutls_pcert_deinit(&i->chain[k]);
	if (i->key)
		gnutls_privkey_deinit(i->key);
	if (i->leaf)
		gnutls_x509_crt_deinit(i->leaf);
	if (i->issuer)
		gnutls_x509_crt_deinit(i->issuer);
	staple_unref(i->staple);
	keys_pair_unref(i->pair);
	pthread_mutex_destroy(&i->lock);
	free(i);
}

bool tls_ident_matches(const struct tls_ident *i, const char *name)
{
	return gnutls_x509_crt_check_hostname(i->leaf, name) != 0;
}
