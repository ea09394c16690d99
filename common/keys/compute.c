#include "keys/compute.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <string.h>

struct algorithm {
	int pkey;    /* EVP_PKEY_ base id */
	int padding; /* RSA_ */
	const EVP_MD *(*md)(void);
};

static bool find(enum keys_algorithm a, struct algorithm *ret)
{
	static const struct algorithm table[] = {
		[KEYS_RSA_PKCS1_SHA1] = {EVP_PKEY_RSA, RSA_PKCS1_PADDING,
					 EVP_sha1},
		[KEYS_RSA_PKCS1_MD5_SHA1] = {EVP_PKEY_RSA, RSA_PKCS1_PADDING,
					     EVP_md5_sha1},
		[KEYS_RSA_PKCS1_SHA256] = {EVP_PKEY_RSA, RSA_PKCS1_PADDING,
					   EVP_sha256},
		[KEYS_RSA_PKCS1_SHA384] = {EVP_PKEY_RSA, RSA_PKCS1_PADDING,
					   EVP_sha384},
		[KEYS_RSA_PKCS1_SHA512] = {EVP_PKEY_RSA, RSA_PKCS1_PADDING,
					   EVP_sha512},
		[KEYS_RSA_PSS_SHA256] = {EVP_PKEY_RSA, RSA_PKCS1_PSS_PADDING,
					 EVP_sha256},
		[KEYS_RSA_PSS_SHA384] = {EVP_PKEY_RSA, RSA_PKCS1_PSS_PADDING,
					 EVP_sha384},
		[KEYS_RSA_PSS_SHA512] = {EVP_PKEY_RSA, RSA_PKCS1_PSS_PADDING,
					 EVP_sha512},
		[KEYS_ECDSA_SHA1] = {EVP_PKEY_EC, 0, EVP_sha1},
		[KEYS_ECDSA_SHA256] = {EVP_PKEY_EC, 0, EVP_sha256},
		[KEYS_ECDSA_SHA384] = {EVP_PKEY_EC, 0, EVP_sha384},
		[KEYS_ECDSA_SHA512] = {EVP_PKEY_EC, 0, EVP_sha512},
	};

	if ((size_t)a >= ARRAY_SIZE(table) || !table[a].md)
		return false;
	*ret = table[a];
	return true;
}

static int sign_eddsa(EVP_PKEY *key, const uint8_t *data, size_t len,
		      uint8_t *sig)
{
	int id = EVP_PKEY_get_base_id(key), r = -EIO;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t n = KEYS_SIGN_MAX;

	if (id != EVP_PKEY_ED25519 && id != EVP_PKEY_ED448)
		r = -EOPNOTSUPP;
	else if (!ctx)
		r = -ENOMEM;
	else if (EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
		 EVP_DigestSign(ctx, sig, &n, data, len) == 1)
		r = (int)n;
	EVP_MD_CTX_free(ctx);
	return r;
}

/* An RSA-PSS key signs by PSS only; an RSA key both ways. */
static bool fits(const EVP_PKEY *key, const struct algorithm *a)
{
	int id = EVP_PKEY_get_base_id(key);

	return id == a->pkey ||
	       (id == EVP_PKEY_RSA_PSS && a->padding == RSA_PKCS1_PSS_PADDING);
}

static bool set_up(EVP_PKEY_CTX *ctx, const struct algorithm *a)
{
	if (EVP_PKEY_sign_init(ctx) != 1 ||
	    EVP_PKEY_CTX_set_signature_md(ctx, a->md()) != 1)
		return false;
	if (a->pkey != EVP_PKEY_RSA)
		return true;
	if (EVP_PKEY_CTX_set_rsa_padding(ctx, a->padding) != 1)
		return false;
	/* the salt is as long as the hash [RFC8446 4.2.3] */
	return a->padding != RSA_PKCS1_PSS_PADDING ||
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) ==
		       1;
}

static int sign_hash(EVP_PKEY *key, const struct algorithm *a,
		     const uint8_t *hash, size_t len, uint8_t *sig)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	size_t n = KEYS_SIGN_MAX;
	int r = -EIO;

	if (!ctx)
		return -ENOMEM;
	if (set_up(ctx, a) && EVP_PKEY_sign(ctx, sig, &n, hash, len) == 1)
		r = (int)n;
	EVP_PKEY_CTX_free(ctx);
	return r;
}

int compute_sign(EVP_PKEY *key, enum keys_algorithm a, bool hashed,
		 const uint8_t *data, size_t len, uint8_t *sig)
{
	uint8_t md[EVP_MAX_MD_SIZE];
	struct algorithm alg;
	unsigned n;
	int r;

	if (len > KEYS_DATA_MAX)
		return -EMSGSIZE;
	if (a == KEYS_EDDSA)
		return hashed ? -EOPNOTSUPP : sign_eddsa(key, data, len, sig);
	if (!find(a, &alg) || !fits(key, &alg))
		return -EOPNOTSUPP;
	if (a == KEYS_RSA_PKCS1_MD5_SHA1)
		hashed = true;
	if (!hashed) {
		if (EVP_Digest(data, len, md, &n, alg.md(), NULL) != 1)
			return -EIO;
		data = md;
		len = n;
	}
	r = len == (size_t)EVP_MD_get_size(alg.md())
		    ? sign_hash(key, &alg, data, len, sig)
		    : -EMSGSIZE;
	ERR_clear_error();
	return r;
}

/* 0xff if a == b, else 0, without a branch. */
static uint8_t same(uint8_t a, uint8_t b)
{
	uint32_t x = (uint32_t)(a ^ b);

	return (uint8_t)((x - 1) >> 8);
}

/*
 * EM = 00 02 PS 00 M, PS nonzero, M of n bytes [RFC8017 7.2.2]. The length of
 * M is known, so each byte has one place and is looked at once, whatever it
 * holds: no time and no error tells about the padding.
 */
static void unpad(const uint8_t *em, size_t k, uint8_t *plain, size_t n)
{
	uint8_t good = same(em[0], 0) & same(em[1], 2);

	for (size_t i = 2; i < k - n - 1; i++)
		good &= (uint8_t)~same(em[i], 0);
	good &= same(em[k - n - 1], 0);
	for (size_t i = 0; i < n; i++)
		plain[i] = (uint8_t)((em[k - n + i] & good) |
				     (plain[i] & (uint8_t)~good));
}

static int decrypt_raw(EVP_PKEY *key, const uint8_t *data, size_t len,
		       uint8_t *em, size_t *k)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	int r = -EIO;

	if (!ctx)
		return -ENOMEM;
	if (EVP_PKEY_decrypt_init(ctx) == 1 &&
	    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) == 1 &&
	    EVP_PKEY_decrypt(ctx, em, k, data, len) == 1)
		r = 0;
	EVP_PKEY_CTX_free(ctx);
	return r;
}

int compute_decrypt(EVP_PKEY *key, const uint8_t *data, size_t len,
		    uint8_t *plain, size_t n)
{
	uint8_t em[KEYS_SIGN_MAX];
	size_t size = (size_t)EVP_PKEY_get_size(key), k = sizeof em;

	if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)
		return -EOPNOTSUPP;
	if (n == 0 || n + 11 > size || n > 64)
		return -EMSGSIZE;
	if (RAND_bytes(plain, (int)n) != 1)
		return -EIO;
	/* not of the modulus' size, or not below it: public facts, and the
	 * random bytes are the answer */
	if (len == size && decrypt_raw(key, data, len, em, &k) == 0 &&
	    k == size)
		unpad(em, size, plain, n);
	OPENSSL_cleanse(em, sizeof em);
	ERR_clear_error();
	return 0;
}
