/* Key files in every form, and what is said about those that are wrong. */
#include "base/ebcdic.h"
#include "keys/keyfile.h"
#include "keys/make.h"
#include "keys/text.h"
#include "unit.h"

#include <errno.h>
#include <iconv.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

enum { DAY = 86400, NOW = 1800000000 };

/* root -> middle -> leaf, and a root that is nobody's. */
struct family {
	EVP_PKEY *root_key, *middle_key, *leaf_key;
	X509 *root, *middle, *leaf;
	char why[KEYS_WHY_MAX];
};

static void make(struct family *f, enum make_kind kind, const char *cn,
		 EVP_PKEY *issuer_key, X509 *issuer, EVP_PKEY **key,
		 X509 **cert)
{
	struct make_what w = {.kind = kind,
			      .cn = cn,
			      .from = NOW - DAY,
			      .until = NOW + DAY,
			      .issuer_key = issuer_key,
			      .issuer = issuer};

	assert_int_equal(make_cert(&w, key, cert, f->why), 0);
}

static int setup(void **state)
{
	struct family *f = calloc(1, sizeof *f);

	make(f, MAKE_CA, "Root", NULL, NULL, &f->root_key, &f->root);
	make(f, MAKE_CA, "Middle", f->root_key, f->root, &f->middle_key,
	     &f->middle);
	make(f, MAKE_SERVER, "Leaf", f->middle_key, f->middle, &f->leaf_key,
	     &f->leaf);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct family *f = *state;

	EVP_PKEY_free(f->root_key);
	EVP_PKEY_free(f->middle_key);
	EVP_PKEY_free(f->leaf_key);
	X509_free(f->root);
	X509_free(f->middle);
	X509_free(f->leaf);
	free(f);
	return 0;
}

/* ---- building texts --------------------------------------------------------
 */

struct text {
	char s[65536];
	size_t len;
};

static void add(struct text *t, EVP_PKEY *key, X509 *cert)
{
	char *s;
	size_t n;

	assert_int_equal(
		make_pem(key, NULL, &cert, cert ? 1 : 0, NULL, 0, &s, &n), 0);
	assert_true(t->len + n < sizeof t->s);
	memcpy(t->s + t->len, s, n + 1);
	t->len += n;
	make_free(s, n);
}

static int parse(const void *bytes, size_t len, const char *pass, unsigned need,
		 struct keyfile *k, char *why)
{
	struct keyfile_how how = {
		.name = "SSL01.PEM", .pass = pass, .need = need, .now = NOW};

	return keyfile_parse(bytes, len, &how, k, why);
}

enum { ALL = KEYS_NEED_KEY | KEYS_NEED_CERT };

/* The three of the family, in the order of a server. */
static void is_whole(struct family *f, const void *bytes, size_t len)
{
	struct keyfile k;

	if (parse(bytes, len, NULL, ALL, &k, f->why) < 0)
		fail_msg("%s", f->why);
	assert_int_equal(k.n_chain, 2); /* the root is not sent */
	assert_int_equal(X509_cmp(k.chain[0], f->leaf), 0);
	assert_int_equal(X509_cmp(k.chain[1], f->middle), 0);
	assert_true(k.complete);
	assert_int_equal(EVP_PKEY_eq(k.key, f->leaf_key), 1);
	keyfile_fini(&k);
}

static void wrong(struct family *f, const struct text *t, const char *pass,
		  unsigned need, int code, const char *words)
{
	struct keyfile k;
	int r = parse(t->s, t->len, pass, need, &k, f->why);

	keyfile_fini(&k);
	if (r != code || !strstr(f->why, words))
		fail_msg("%d, \"%s\": expected %d, \"%s\"", r, f->why, code,
			 words);
}

/* ---- forms
 * ------------------------------------------------------------------- */

static void any_order(void **state)
{
	struct family *f = *state;

	for (unsigned order = 0; order < 24; order++) {
		unsigned left[4] = {0, 1, 2, 3}, n = order;
		static struct text t;

		t.len = 0;
		for (unsigned i = 4; i > 0; i--) {
			unsigned pick = n % i, what = left[pick];

			n /= i;
			memmove(left + pick, left + pick + 1,
				(i - pick - 1) * sizeof left[0]);
			if (what == 0)
				add(&t, f->leaf_key, NULL);
			else
				add(&t, NULL,
				    what == 1   ? f->leaf
				    : what == 2 ? f->middle
						: f->root);
		}
		is_whole(f, t.s, t.len);
	}
}

static void whole_text(struct family *f, struct text *t)
{
	t->len = 0;
	add(t, f->leaf_key, f->leaf);
	add(t, NULL, f->middle);
	add(t, NULL, f->root);
}

static void line_ends(void **state)
{
	struct family *f = *state;
	static struct text t, crlf, cr;

	whole_text(f, &t);
	crlf.len = cr.len = 0;
	for (size_t i = 0; i < t.len; i++) {
		if (t.s[i] == '\n') {
			crlf.s[crlf.len++] = '\r';
			cr.s[cr.len++] = '\r';
		} else {
			cr.s[cr.len++] = t.s[i];
		}
		crlf.s[crlf.len++] = t.s[i];
	}
	is_whole(f, crlf.s, crlf.len);
	is_whole(f, cr.s, cr.len);
	memmove(t.s + 3, t.s, t.len);
	memcpy(t.s, "\xef\xbb\xbf", 3);
	is_whole(f, t.s, t.len + 3);
}

static size_t to_ebcdic(const char *page, const char *s, size_t len, char *out)
{
	iconv_t cd = iconv_open(page, "ISO8859-1");
	char *in = (char *)(uintptr_t)s, *p = out;
	size_t left = 65536;

	assert_true(cd != (iconv_t)-1);
	assert_int_equal(iconv(cd, &in, &len, &p, &left), 0);
	iconv_close(cd);
	return (size_t)(p - out);
}

static void ebcdic(void **state)
{
	static const char *const pages[] = {"IBM1047", "IBM037"};
	struct family *f = *state;
	static char out[65536];
	static struct text t;
	struct keyfile k;

	whole_text(f, &t);
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		size_t n = to_ebcdic(pages[i], t.s, t.len, out);

		is_whole(f, out, n);
		/* new line as z/OS writes it */
		for (size_t j = 0; j < n; j++)
			if (out[j] == 0x25)
				out[j] = 0x15;
		is_whole(f, out, n);
		assert_int_equal(parse(out, n, NULL, ALL, &k, f->why), 0);
		assert_true(k.ebcdic);
		assert_non_null(strstr(k.notes, "EBCDIC"));
		keyfile_fini(&k);
	}
}

/* A library member as it lies on disk: 80-byte records, blanks, no ends. */
static void cards(void **state)
{
	struct family *f = *state;
	static char out[200000], page[200000];
	static struct text t;
	size_t n = 0, col = 0;

	whole_text(f, &t);
	for (size_t i = 0; i < t.len; i++) {
		if (t.s[i] != '\n') {
			out[n++] = t.s[i];
			col++;
			continue;
		}
		memset(out + n, ' ', CARD_BYTES - col);
		n += CARD_BYTES - col;
		col = 0;
	}
	is_whole(f, out, n);
	n = to_ebcdic("IBM1047", out, n, page);
	is_whole(f, page, n);
}

static void pkcs12(void **state)
{
	struct family *f = *state;
	X509 *certs[] = {f->leaf, f->root, f->middle};
	static struct text t;
	struct keyfile k;
	char *s;
	size_t n;

	assert_int_equal(make_p12(f->leaf_key, "secret", "x", certs, 3, &s, &n),
			 0);
	assert_int_equal(parse(s, n, "secret", ALL, &k, f->why), 0);
	assert_int_equal(k.form, KEYFILE_PKCS12);
	assert_int_equal(k.n_chain, 2);
	assert_true(k.complete);
	keyfile_fini(&k);
	memcpy(t.s, s, n);
	t.len = n;
	make_free(s, n);
	wrong(f, &t, "Secret", ALL, -EKEYREJECTED, "does not fit");
	wrong(f, &t, NULL, ALL, -EKEYREJECTED, "no file with a pass-phrase");
	t.s[t.len / 2] ^= 1;
	assert_true(parse(t.s, t.len, "secret", ALL, &k, f->why) < 0);
	keyfile_fini(&k);
}

static void sealed_keys(void **state)
{
	struct family *f = *state;
	static struct text t;
	struct keyfile k;
	char *s, *old;
	size_t n;
	BIO *b = BIO_new(BIO_s_mem());

	assert_int_equal(
		make_pem(f->leaf_key, "secret", &f->leaf, 1, NULL, 0, &s, &n),
		0);
	assert_int_equal(parse(s, n, "secret", ALL, &k, f->why), 0);
	keyfile_fini(&k);
	memcpy(t.s, s, n);
	t.len = n;
	make_free(s, n);
	wrong(f, &t, "wrong", ALL, -EKEYREJECTED, "does not fit");
	wrong(f, &t, NULL, ALL, -EKEYREJECTED, "no file with a pass-phrase");
	/* the old form, "Proc-Type: 4,ENCRYPTED" */
	assert_int_equal(PEM_write_bio_PrivateKey_traditional(
				 b, f->leaf_key, EVP_aes_128_cbc(),
				 (const unsigned char *)"secret", 6, NULL,
				 NULL),
			 1);
	t.len = (size_t)BIO_get_mem_data(b, &old);
	memcpy(t.s, old, t.len);
	BIO_free(b);
	assert_int_equal(parse(t.s, t.len, "secret", KEYS_NEED_KEY, &k, f->why),
			 0);
	keyfile_fini(&k);
	wrong(f, &t, "wrong", ALL, -EKEYREJECTED, "does not fit");
	wrong(f, &t, NULL, ALL, -EKEYREJECTED, "no file with a pass-phrase");
}

/* A seal that takes for ever is not opened. */
static void seals_have_a_limit(void **state)
{
	struct family *f = *state;
	BIO *b = BIO_new(BIO_s_mem());
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(f->leaf_key);
	X509_ALGOR *alg =
		PKCS5_pbe2_set_iv(EVP_aes_128_cbc(), 100000000,
				  (unsigned char *)(uintptr_t) "saltsalt", 8,
				  NULL, NID_hmacWithSHA256);
	X509_ALGOR *own;
	X509_SIG *sig;
	static struct text t;
	char *s;

	/* sealed cheaply, then the number of rounds is written over it */
	sig = PKCS8_encrypt(-1, EVP_aes_128_cbc(), "secret", 6, NULL, 0, 2048,
			    info);
	assert_non_null(sig);
	X509_SIG_getm(sig, &own, NULL);
	assert_int_equal(X509_ALGOR_copy(own, alg), 1);
	assert_int_equal(PEM_write_bio_PKCS8(b, sig), 1);
	t.len = (size_t)BIO_get_mem_data(b, &s);
	memcpy(t.s, s, t.len);
	wrong(f, &t, "secret", KEYS_NEED_KEY, -EBADMSG, "5000000 rounds");
	X509_SIG_free(sig);
	X509_ALGOR_free(alg);
	PKCS8_PRIV_KEY_INFO_free(info);
	BIO_free(b);
}

static void der(void **state)
{
	struct family *f = *state;
	uint8_t *p = NULL;
	int n = i2d_X509(f->root, &p);
	struct keyfile k;

	assert_true(n > 0);
	assert_int_equal(parse(p, (size_t)n, NULL, KEYS_NEED_CA, &k, f->why),
			 0);
	assert_int_equal(k.form, KEYFILE_DER);
	keyfile_fini(&k);
	OPENSSL_free(p);
}

/* ---- faults
 * -------------------------------------------------------------------- */

static void what_is_missing(void **state)
{
	struct family *f = *state;
	static struct text t;

	add(&t, NULL, f->leaf);
	add(&t, NULL, f->root);
	wrong(f, &t, NULL, ALL, -EBADMSG,
	      "key file SSL01.PEM: no private key; found 2 certificates: "
	      "CN=Leaf, CN=Root");
	t.len = 0;
	add(&t, f->leaf_key, f->root);
	wrong(f, &t, NULL, ALL, -EBADMSG,
	      "no certificate for the private key; found a private key (EC) "
	      "and 1 certificate: CN=Root");
	t.len = 0;
	add(&t, f->leaf_key, f->leaf);
	wrong(f, &t, NULL, KEYS_NEED_CA, -EBADMSG, "no certificate of a CA");
	t.len = 0;
	wrong(f, &t, NULL, 0, -EBADMSG, "neither PEM");
	memcpy(t.s, "just some words", t.len = 15);
	wrong(f, &t, NULL, 0, -EBADMSG, "neither PEM");
}

static void damage(void **state)
{
	struct family *f = *state;
	static struct text t, cut;

	whole_text(f, &t);
	cut = t;
	cut.len = t.len - 40;
	wrong(f, &cut, NULL, ALL, -EBADMSG, "cut off or damaged");
	cut = t;
	memcpy(cut.s + 100, "!!!!", 4);
	wrong(f, &cut, NULL, ALL, -EBADMSG, "damaged");
	t.len = (size_t)snprintf(t.s, sizeof t.s,
				 "-----BEGIN CERTIFICATE-----\nAAAA\n"
				 "-----END CERTIFICATE-----\n");
	wrong(f, &t, NULL, 0, -EBADMSG, "damaged block CERTIFICATE");
}

static void limits(void **state)
{
	static uint8_t large[KEYS_FILE_MAX + 1];
	struct family *f = *state;
	struct keyfile k;
	char *text;
	size_t one, n = 0;

	assert_int_equal(parse(large, sizeof large, NULL, 0, &k, f->why),
			 -EFBIG);
	keyfile_fini(&k);
	assert_int_equal(
		make_pem(NULL, NULL, &f->leaf, 1, NULL, 0, &text, &one), 0);
	for (int i = 0; i <= KEYS_CERTS_MAX; i++, n += one)
		memcpy(large + n, text, one);
	assert_true(n <= KEYS_FILE_MAX);
	make_free(text, one);
	assert_int_equal(parse(large, n, NULL, 0, &k, f->why), -EBADMSG);
	assert_non_null(strstr(f->why, "more than 256 certificates"));
	keyfile_fini(&k);
	assert_int_equal(
		make_pem(f->leaf_key, NULL, NULL, 0, NULL, 0, &text, &one), 0);
	n = 0;
	for (int i = 0; i <= KEYFILE_KEYS_MAX; i++, n += one)
		memcpy(large + n, text, one);
	make_free(text, one);
	assert_int_equal(parse(large, n, NULL, 0, &k, f->why), -EBADMSG);
	assert_non_null(strstr(f->why, "more than 16 private keys"));
	keyfile_fini(&k);
}

/* ---- notes
 * ---------------------------------------------------------------------- */

static void notes(struct family *f, const struct text *t, int64_t now,
		  const char *words)
{
	struct keyfile_how how = {.name = "X", .need = ALL, .now = now};
	struct keyfile k;

	if (keyfile_parse(t->s, t->len, &how, &k, f->why) < 0)
		fail_msg("%s", f->why);
	if (!strstr(k.notes, words))
		fail_msg("\"%s\" is not in \"%s\"", words, k.notes);
	keyfile_fini(&k);
}

static void what_is_odd(void **state)
{
	static const char dh[] = "-----BEGIN DH PARAMETERS-----\nMAYCAQcCAQI=\n"
				 "-----END DH PARAMETERS-----\n",
			  request[] = "-----BEGIN CERTIFICATE REQUEST-----\n"
				      "MAYCAQcCAQI=\n"
				      "-----END CERTIFICATE REQUEST-----\n";
	struct family *f = *state;
	static struct text t;

	whole_text(f, &t);
	notes(f, &t, NOW + 2 * DAY, "CN=Leaf has expired");
	notes(f, &t, NOW - 2 * DAY, "CN=Root is not valid yet");
	memcpy(t.s + t.len, dh, sizeof dh);
	t.len += sizeof dh - 1;
	notes(f, &t, NOW, "DH parameters are ignored");
	memcpy(t.s + t.len, request, sizeof request);
	t.len += sizeof request - 1;
	notes(f, &t, NOW, "a block CERTIFICATE REQUEST is ignored");
	t.len = 0;
	add(&t, f->leaf_key, f->leaf);
	notes(f, &t, NOW, "issuer (/CN=Middle) is not in the file");
}

/* The CA's key before ours: some clients then show the CA's certificate. */
static void the_key_of_the_ca(void **state)
{
	struct family *f = *state;
	static struct text t;
	struct keyfile k;

	add(&t, f->root_key, f->root);
	add(&t, f->leaf_key, f->leaf);
	notes(f, &t, NOW, "the private key of the CA (CN=Root) is in the file");
	assert_int_equal(parse(t.s, t.len, NULL, ALL, &k, f->why), 0);
	assert_int_equal(X509_cmp(k.chain[0], f->leaf), 0);
	keyfile_fini(&k);
}

/* Two that say they are the issuer: the signature decides. */
static void issuers_of_one_name(void **state)
{
	struct family *f = *state;
	EVP_PKEY *other_key;
	X509 *other;
	static struct text t;
	struct keyfile k;

	make(f, MAKE_CA, "Middle", f->root_key, f->root, &other_key, &other);
	add(&t, f->leaf_key, f->leaf);
	add(&t, NULL, other);
	add(&t, NULL, f->middle);
	assert_int_equal(parse(t.s, t.len, NULL, ALL, &k, f->why), 0);
	assert_int_equal(k.n_chain, 2);
	assert_int_equal(X509_cmp(k.chain[1], f->middle), 0);
	keyfile_fini(&k);
	X509_free(other);
	EVP_PKEY_free(other_key);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(any_order, setup, teardown),
	cmocka_unit_test_setup_teardown(line_ends, setup, teardown),
	cmocka_unit_test_setup_teardown(ebcdic, setup, teardown),
	cmocka_unit_test_setup_teardown(cards, setup, teardown),
	cmocka_unit_test_setup_teardown(pkcs12, setup, teardown),
	cmocka_unit_test_setup_teardown(sealed_keys, setup, teardown),
	cmocka_unit_test_setup_teardown(seals_have_a_limit, setup, teardown),
	cmocka_unit_test_setup_teardown(der, setup, teardown),
	cmocka_unit_test_setup_teardown(what_is_missing, setup, teardown),
	cmocka_unit_test_setup_teardown(damage, setup, teardown),
	cmocka_unit_test_setup_teardown(limits, setup, teardown),
	cmocka_unit_test_setup_teardown(what_is_odd, setup, teardown),
	cmocka_unit_test_setup_teardown(the_key_of_the_ca, setup, teardown),
	cmocka_unit_test_setup_teardown(issuers_of_one_name, setup, teardown),
};

UNIT_MAIN(tests)
