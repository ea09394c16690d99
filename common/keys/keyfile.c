#include "keys/keyfile.h"

#include "keys/text.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void keyfile_note(struct keyfile *k, const char *fmt, ...)
{
	size_t n = strlen(k->notes);
	char line[KEYS_WHY_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	for (char *p = line; *p; p++) /* a name may hold anything */
		if ((unsigned char)*p < ' ')
			*p = '?';
	if (n + strlen(line) + 2 > sizeof k->notes)
		return;
	(void)snprintf(k->notes + n, sizeof k->notes - n, "%s%s", n ? "\n" : "",
		       line);
}

enum keys_type keyfile_type(const EVP_PKEY *key)
{
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
		return KEYS_TYPE_RSA;
	case EVP_PKEY_RSA_PSS:
		return KEYS_TYPE_RSA_PSS;
	case EVP_PKEY_EC:
		return KEYS_TYPE_EC;
	case EVP_PKEY_ED25519:
		return KEYS_TYPE_ED25519;
	case EVP_PKEY_ED448:
		return KEYS_TYPE_ED448;
	default:
		return KEYS_TYPE_NONE;
	}
}

const char *keyfile_subject(X509 *cert, char *buf, size_t cap)
{
	BIO *b = BIO_new(BIO_s_mem());
	int n = 0;

	if (b && X509_NAME_print_ex(b, X509_get_subject_name(cert), 0,
				    XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB &
					    ~XN_FLAG_SPC_EQ) >= 0)
		n = BIO_read(b, buf, (int)cap - 1);
	BIO_free(b);
	buf[n > 0 ? n : 0] = '\0';
	if (n <= 0)
		(void)snprintf(buf, cap, "(no subject)");
	return buf;
}

static int no_memory(const struct keyfile_how *how, char *why)
{
	(void)snprintf(why, KEYS_WHY_MAX, "key file %s: out of memory",
		       how->name);
	return -ENOMEM;
}

/* ---- PEM ----------------------------------------------------------------- */

/* The pass-phrase for libcrypto; none makes it fail instead of asking. */
static int give_pass(char *buf, int size, int writing, void *arg)
{
	const char *pass = arg;
	size_t n = pass ? strlen(pass) : 0;

	(void)writing;
	if (n == 0 || n > (size_t)size)
		return -1;
	memcpy(buf, pass, n);
	return (int)n;
}

static int add_key(struct keyfile *k, EVP_PKEY *key,
		   const struct keyfile_how *how, char *why)
{
	if (keyfile_type(key) == KEYS_TYPE_NONE) {
		keyfile_note(k, "a private key of kind %s is ignored",
			     OBJ_nid2sn(EVP_PKEY_get_base_id(key)));
		EVP_PKEY_free(key);
		return 0;
	}
	if (k->n_keys == KEYFILE_KEYS_MAX) {
		EVP_PKEY_free(key);
		(void)snprintf(why, KEYS_WHY_MAX,
			       "key file %s: more than %d private keys",
			       how->name, KEYFILE_KEYS_MAX);
		return -EBADMSG;
	}
	k->keys[k->n_keys++] = key;
	return 0;
}

static int bad_block(const char *label, const struct keyfile_how *how,
		     char *why)
{
	(void)snprintf(why, KEYS_WHY_MAX, "key file %s: damaged block %.60s",
		       how->name, label);
	return -EBADMSG;
}

static int bad_pass(const struct keyfile_how *how, char *why)
{
	(void)snprintf(why, KEYS_WHY_MAX,
		       how->pass ? "key file %s: the pass-phrase does not fit"
				 : "key file %s: it is protected, and no file "
				   "with a pass-phrase was named (PASSFILE in "
				   "a deck, --pass-file of couplet-keys)",
		       how->name);
	return -EKEYREJECTED;
}

static bool few_rounds(const ASN1_INTEGER *n)
{
	int64_t rounds;

	return n && ASN1_INTEGER_get_int64(&rounds, n) == 1 && rounds > 0 &&
	       rounds <= KEYFILE_ROUNDS_MAX;
}

/* PBES2 with PBKDF2 [RFC8018 6.2]; scrypt has its limit in libcrypto. */
static bool few_rounds_2(const ASN1_TYPE *parameter)
{
	PBE2PARAM *pbe =
		ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBE2PARAM), parameter);
	PBKDF2PARAM *kdf = NULL;
	bool ok = pbe != NULL;

	if (ok && OBJ_obj2nid(pbe->keyfunc->algorithm) == NID_id_pbkdf2) {
		kdf = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBKDF2PARAM),
						pbe->keyfunc->parameter);
		ok = kdf && few_rounds(kdf->iter);
	}
	PBKDF2PARAM_free(kdf);
	PBE2PARAM_free(pbe);
	return ok;
}

/* Does opening the seal end in a time that a start can wait for? */
static bool opens_soon(const X509_SIG *sig)
{
	const X509_ALGOR *alg;
	PBEPARAM *pbe;
	bool ok;

	X509_SIG_get0(sig, &alg, NULL);
	if (OBJ_obj2nid(alg->algorithm) == NID_pbes2)
		return few_rounds_2(alg->parameter);
	pbe = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBEPARAM),
					alg->parameter);
	ok = pbe && few_rounds(pbe->iter);
	PBEPARAM_free(pbe);
	return ok;
}

static int too_many_rounds(const struct keyfile_how *how, char *why)
{
	(void)snprintf(why, KEYS_WHY_MAX,
		       "key file %s: its seal takes more than %d rounds, or is "
		       "of an unknown kind",
		       how->name, KEYFILE_ROUNDS_MAX);
	return -EBADMSG;
}

static int read_sealed_key(struct keyfile *k, const uint8_t *der, long len,
			   const struct keyfile_how *how, char *why)
{
	const uint8_t *p = der;
	X509_SIG *sig = d2i_X509_SIG(NULL, &p, len);
	PKCS8_PRIV_KEY_INFO *info = NULL;
	EVP_PKEY *key = NULL;

	if (!sig)
		return bad_block("ENCRYPTED PRIVATE KEY", how, why);
	if (!opens_soon(sig)) {
		X509_SIG_free(sig);
		return too_many_rounds(how, why);
	}
	if (how->pass)
		info = PKCS8_decrypt(sig, how->pass, (int)strlen(how->pass));
	X509_SIG_free(sig);
	if (!info)
		return bad_pass(how, why);
	key = EVP_PKCS82PKEY(info);
	PKCS8_PRIV_KEY_INFO_free(info);
	if (!key)
		return bad_block("ENCRYPTED PRIVATE KEY", how, why);
	return add_key(k, key, how, why);
}

static int read_key(struct keyfile *k, const char *label, const uint8_t *der,
		    long len, const struct keyfile_how *how, char *why)
{
	const uint8_t *p = der;
	EVP_PKEY *key = NULL;

	if (strcmp(label, PEM_STRING_PKCS8) == 0)
		return read_sealed_key(k, der, len, how, why);
	key = d2i_AutoPrivateKey(NULL, &p, len);
	if (!key)
		return bad_block(label, how, why);
	return add_key(k, key, how, why);
}

static int read_cert(struct keyfile *k, const uint8_t *der, long len,
		     bool trusted, const struct keyfile_how *how, char *why)
{
	const uint8_t *p = der;
	X509 *x =
		trusted ? d2i_X509_AUX(NULL, &p, len) : d2i_X509(NULL, &p, len);

	if (!x)
		return bad_block(PEM_STRING_X509, how, why);
	if (sk_X509_num(k->certs) >= KEYS_CERTS_MAX) {
		X509_free(x);
		(void)snprintf(why, KEYS_WHY_MAX,
			       "key file %s: more than %d certificates",
			       how->name, KEYS_CERTS_MAX);
		return -EBADMSG;
	}
	if (!sk_X509_push(k->certs, x)) {
		X509_free(x);
		return no_memory(how, why);
	}
	return 0;
}

static int read_crl(struct keyfile *k, const uint8_t *der, long len,
		    const struct keyfile_how *how, char *why)
{
	const uint8_t *p = der;
	X509_CRL *crl = d2i_X509_CRL(NULL, &p, len);

	if (!crl)
		return bad_block(PEM_STRING_X509_CRL, how, why);
	if (!sk_X509_CRL_push(k->crls, crl)) {
		X509_CRL_free(crl);
		return no_memory(how, why);
	}
	return 0;
}

static bool ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), t = strlen(tail);

	return n >= t && strcmp(s + n - t, tail) == 0;
}

static int read_block(struct keyfile *k, const char *label, const uint8_t *der,
		      long len, const struct keyfile_how *how, char *why)
{
	if (ends_with(label, "PRIVATE KEY"))
		return read_key(k, label, der, len, how, why);
	if (strcmp(label, PEM_STRING_X509) == 0 ||
	    strcmp(label, PEM_STRING_X509_OLD) == 0)
		return read_cert(k, der, len, false, how, why);
	if (strcmp(label, PEM_STRING_X509_TRUSTED) == 0)
		return read_cert(k, der, len, true, how, why);
	if (strcmp(label, PEM_STRING_X509_CRL) == 0)
		return read_crl(k, der, len, how, why);
	if (strcmp(label, PEM_STRING_ECPARAMETERS) == 0)
		return 0;
	if (strcmp(label, PEM_STRING_DHPARAMS) == 0 ||
	    strcmp(label, PEM_STRING_DHXPARAMS) == 0)
		keyfile_note(k, "DH parameters are ignored: the groups of "
				"RFC 7919 are used");
	else
		keyfile_note(k, "a block %.60s is ignored", label);
	return 0;
}

static int read_pem_block(struct keyfile *k, char *label, char *header,
			  uint8_t *der, long len, const struct keyfile_how *how,
			  char *why)
{
	EVP_CIPHER_INFO cipher;

	if (!PEM_get_EVP_CIPHER_INFO(header, &cipher))
		return bad_block(label, how, why);
	if (cipher.cipher && !PEM_do_header(&cipher, der, &len, give_pass,
					    (void *)(uintptr_t)how->pass))
		return bad_pass(how, why);
	return read_block(k, label, der, len, how, why);
}

static int read_pem(struct keyfile *k, const char *text, size_t len,
		    const struct keyfile_how *how, char *why)
{
	BIO *in = BIO_new_mem_buf(text, (int)len);
	char *label, *header;
	uint8_t *der;
	long n;
	int r = in ? 0 : no_memory(how, why);

	while (r == 0 && PEM_read_bio(in, &label, &header, &der, &n)) {
		r = read_pem_block(k, label, header, der, n, how, why);
		OPENSSL_free(label);
		OPENSSL_free(header);
		OPENSSL_clear_free(der, (size_t)n);
	}
	if (r == 0 &&
	    ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
		(void)snprintf(why, KEYS_WHY_MAX,
			       "key file %s: a PEM block is cut off or "
			       "damaged after %d certificates and %zu keys",
			       how->name, sk_X509_num(k->certs), k->n_keys);
		r = -EBADMSG;
	}
	BIO_free(in);
	return r;
}

static int read_text(struct keyfile *k, const void *bytes, size_t len,
		     const struct keyfile_how *how, char *why)
{
	char *work = malloc(len + 1), *text = malloc(2 * len + 1);
	struct text_found found;
	int r;

	if (!work || !text) {
		r = no_memory(how, why);
	} else {
		size_t n = text_normalize(bytes, len, work, text, &found);

		k->ebcdic = found.ebcdic;
		if (found.ebcdic)
			keyfile_note(k, "the file is EBCDIC text");
		r = read_pem(k, text, n, how, why);
	}
	if (work)
		OPENSSL_cleanse(work, len);
	if (text)
		OPENSSL_cleanse(text, 2 * len + 1);
	free(work);
	free(text);
	return r;
}

/* ---- PKCS#12, DER -------------------------------------------------------- */

static int take_p12(struct keyfile *k, EVP_PKEY *key, X509 *cert,
		    STACK_OF(X509) * others, const struct keyfile_how *how,
		    char *why)
{
	int r = 0;

	if (key)
		r = add_key(k, key, how, why);
	if (cert && !sk_X509_push(k->certs, cert)) {
		X509_free(cert);
		r = no_memory(how, why);
	}
	while (others && sk_X509_num(others) > 0) {
		X509 *x = sk_X509_shift(others);

		if (sk_X509_num(k->certs) >= KEYS_CERTS_MAX ||
		    !sk_X509_push(k->certs, x)) {
			X509_free(x);
			r = no_memory(how, why);
		}
	}
	sk_X509_free(others);
	return r;
}

static int read_p12(struct keyfile *k, PKCS12 *p12,
		    const struct keyfile_how *how, char *why)
{
	STACK_OF(X509) *others = NULL;
	const char *pass = how->pass;
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;

	const ASN1_INTEGER *rounds = NULL;

	k->form = KEYFILE_PKCS12;
	PKCS12_get0_mac(NULL, NULL, NULL, &rounds, p12);
	if (rounds && !few_rounds(rounds))
		return too_many_rounds(how, why);
	if (!pass && PKCS12_verify_mac(p12, "", 0))
		pass = "";
	if (pass && !PKCS12_verify_mac(p12, pass, -1))
		return bad_pass(how, why);
	if (!pass && !PKCS12_verify_mac(p12, NULL, 0))
		return bad_pass(how, why);
	if (!PKCS12_parse(p12, pass, &key, &cert, &others)) {
		(void)snprintf(why, KEYS_WHY_MAX,
			       "key file %s: PKCS#12 that cannot be read (%s)",
			       how->name,
			       ERR_reason_error_string(ERR_peek_last_error()));
		return -EBADMSG;
	}
	return take_p12(k, key, cert, others, how, why);
}

static int read_der(struct keyfile *k, const void *bytes, size_t len,
		    const struct keyfile_how *how, char *why)
{
	const uint8_t *p = bytes;
	PKCS12 *p12 = d2i_PKCS12(NULL, &p, (long)len);
	int r;

	if (p12) {
		r = read_p12(k, p12, how, why);
		PKCS12_free(p12);
		return r;
	}
	k->form = KEYFILE_DER;
	if (read_cert(k, bytes, (long)len, false, how, why) == 0 ||
	    read_crl(k, bytes, (long)len, how, why) == 0 ||
	    read_key(k, "PRIVATE KEY", bytes, (long)len, how, why) == 0)
		return 0;
	(void)snprintf(why, KEYS_WHY_MAX,
		       "key file %s: neither PEM (ASCII or EBCDIC), nor "
		       "PKCS#12, nor a certificate",
		       how->name);
	return -EBADMSG;
}

/* ---- the whole ----------------------------------------------------------- */

static bool is_pem(const void *bytes, size_t len)
{
	static const char begin[] = "-----BEGIN ";

	return memmem(bytes, len, begin, sizeof begin - 1) ||
	       text_is_ebcdic(bytes, len);
}

static bool is_der(const uint8_t *p, size_t len)
{
	return len > 4 && p[0] == 0x30 && (p[1] & 0x80);
}

int keyfile_parse(const void *bytes, size_t len, const struct keyfile_how *how,
		  struct keyfile *ret, char *why)
{
	int r;

	*ret = (struct keyfile){.form = KEYFILE_PEM};
	why[0] = '\0';
	if (len > KEYS_FILE_MAX) {
		(void)snprintf(why, KEYS_WHY_MAX,
			       "key file %s: larger than %d bytes", how->name,
			       KEYS_FILE_MAX);
		return -EFBIG;
	}
	ERR_clear_error();
	ret->certs = sk_X509_new_null();
	ret->crls = sk_X509_CRL_new_null();
	if (!ret->certs || !ret->crls)
		return no_memory(how, why);
	if (is_der(bytes, len) || !is_pem(bytes, len))
		r = read_der(ret, bytes, len, how, why);
	else
		r = read_text(ret, bytes, len, how, why);
	if (r == 0)
		r = keyfile_order(ret, how, why);
	ERR_clear_error();
	return r;
}

void keyfile_fini(struct keyfile *k)
{
	for (size_t i = 0; i < k->n_keys; i++)
		EVP_PKEY_free(k->keys[i]);
	sk_X509_pop_free(k->certs, X509_free);
	sk_X509_CRL_pop_free(k->crls, X509_CRL_free);
	*k = (struct keyfile){.form = KEYFILE_PEM};
}
