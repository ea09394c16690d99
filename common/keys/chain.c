/*
 * chain.c: from a heap of certificates to the one of the private key and its
 * issuers in order.
 */
#include "keys/keyfile.h"

#include <errno.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

/* Certificates that an error lists by name. */
enum { LISTED_MAX = 4 };

bool keyfile_is_ca(X509 *cert)
{
	/* 1: CA by constraint; 3, 4, 5: old ways to say so */
	return X509_check_ca(cert) > 0;
}

static bool is_self_signed(X509 *x)
{
	return X509_self_signed(x, 0) == 1;
}

/* "2 certificates: CN=a, CN=b" */
static void list_certs(const struct keyfile *k, char *buf, size_t cap)
{
	int n = sk_X509_num(k->certs);
	char subject[80];
	size_t used;

	(void)snprintf(buf, cap, "%d certificate%s%s", n, n == 1 ? "" : "s",
		       n ? ":" : "");
	for (int i = 0; i < n && i < LISTED_MAX; i++) {
		used = strlen(buf);
		keyfile_subject(sk_X509_value(k->certs, i), subject,
				sizeof subject);
		(void)snprintf(buf + used, cap - used, "%s %s", i ? "," : "",
			       subject);
	}
	used = strlen(buf);
	if (n > LISTED_MAX)
		(void)snprintf(buf + used, cap - used, ", ...");
}

static const char *kind_name(const EVP_PKEY *key)
{
	switch (keyfile_type(key)) {
	case KEYS_TYPE_RSA:
		return "RSA";
	case KEYS_TYPE_RSA_PSS:
		return "RSA-PSS";
	case KEYS_TYPE_EC:
		return "EC";
	case KEYS_TYPE_ED25519:
		return "Ed25519";
	case KEYS_TYPE_ED448:
		return "Ed448";
	case KEYS_TYPE_NONE:
		break;
	}
	return "unknown";
}

/* The certificate of `key`, one that is no CA before one that is. */
static X509 *cert_of(const struct keyfile *k, const EVP_PKEY *key)
{
	X509 *found = NULL;

	for (int i = 0; i < sk_X509_num(k->certs); i++) {
		X509 *x = sk_X509_value(k->certs, i);
		const EVP_PKEY *pub = X509_get0_pubkey(x);

		if (!pub || EVP_PKEY_eq(pub, key) != 1)
			continue;
		if (!keyfile_is_ca(x))
			return x;
		if (!found)
			found = x;
	}
	return found;
}

/* Which of several keys is meant: the one of a server or client certificate,
 * else that of a CA, else the first. */
static X509 *choose_key(struct keyfile *k)
{
	X509 *leaf = NULL;

	for (size_t i = 0; i < k->n_keys; i++) {
		X509 *x = cert_of(k, k->keys[i]);

		if (x &&
		    (!leaf || (keyfile_is_ca(leaf) && !keyfile_is_ca(x)))) {
			leaf = x;
			k->key = k->keys[i];
		}
	}
	if (!k->key && k->n_keys)
		k->key = k->keys[0];
	return leaf;
}

static void note_other_keys(struct keyfile *k)
{
	char subject[128];

	for (size_t i = 0; i < k->n_keys; i++) {
		X509 *x = cert_of(k, k->keys[i]);

		if (k->keys[i] == k->key ||
		    EVP_PKEY_eq(k->keys[i], k->key) == 1)
			continue;
		if (x && keyfile_is_ca(x))
			keyfile_note(
				k,
				"the private key of the CA (%s) is in the "
				"file; take it out: couplet-keys strip",
				keyfile_subject(x, subject, sizeof subject));
		else
			keyfile_note(k, "a second private key (%s) is ignored",
				     kind_name(k->keys[i]));
	}
}

static bool in_chain(const struct keyfile *k, const X509 *x)
{
	for (size_t i = 0; i < k->n_chain; i++)
		if (k->chain[i] == x || X509_cmp(k->chain[i], x) == 0)
			return true;
	return false;
}

/* A certificate of the file that signed `x` and is not in the chain yet. */
static X509 *issuer_of(const struct keyfile *k, X509 *x)
{
	for (int i = 0; i < sk_X509_num(k->certs); i++) {
		X509 *c = sk_X509_value(k->certs, i);

		if (X509_check_issued(c, x) == X509_V_OK && !in_chain(k, c) &&
		    X509_get0_pubkey(c) &&
		    X509_verify(x, X509_get0_pubkey(c)) == 1)
			return c;
	}
	return NULL;
}

static void build_chain(struct keyfile *k, X509 *leaf)
{
	char issuer[128];
	X509 *x = leaf;

	k->chain[k->n_chain++] = leaf;
	while (!is_self_signed(x) && k->n_chain < KEYS_CHAIN_MAX) {
		X509 *up = issuer_of(k, x);

		if (!up)
			break;
		x = up;
		if (!is_self_signed(x))
			k->chain[k->n_chain++] = x;
	}
	k->complete = is_self_signed(x);
	if (k->complete)
		return;
	X509_NAME_oneline(X509_get_issuer_name(x), issuer, sizeof issuer);
	keyfile_note(k, "the certificate of the issuer (%s) is not in the file",
		     issuer);
}

static void note_dates(struct keyfile *k, int64_t now)
{
	time_t at = (time_t)now;
	char subject[128];

	for (int i = 0; i < sk_X509_num(k->certs); i++) {
		X509 *x = sk_X509_value(k->certs, i);

		keyfile_subject(x, subject, sizeof subject);
		if (X509_cmp_time(X509_get0_notAfter(x), &at) < 0)
			keyfile_note(k, "the certificate %s has expired",
				     subject);
		else if (X509_cmp_time(X509_get0_notBefore(x), &at) > 0)
			keyfile_note(k, "the certificate %s is not valid yet",
				     subject);
	}
}

static bool has_ca(const struct keyfile *k)
{
	for (int i = 0; i < sk_X509_num(k->certs); i++)
		if (keyfile_is_ca(sk_X509_value(k->certs, i)))
			return true;
	return false;
}

static int missing(const struct keyfile *k, const struct keyfile_how *how,
		   const char *what, char *why)
{
	char found[KEYS_WHY_MAX / 2];

	list_certs(k, found, sizeof found);
	(void)snprintf(why, KEYS_WHY_MAX, "key file %s: %s; found %s%s%s",
		       how->name, what, k->key ? "a private key (" : "",
		       k->key ? kind_name(k->key) : "", k->key ? ") and " : "");
	(void)snprintf(why + strlen(why), KEYS_WHY_MAX - strlen(why), "%s",
		       found);
	return -EBADMSG;
}

int keyfile_order(struct keyfile *k, const struct keyfile_how *how, char *why)
{
	X509 *leaf = choose_key(k);

	if (!k->key && (how->need & KEYS_NEED_KEY))
		return missing(k, how, "no private key", why);
	if (k->key && EVP_PKEY_get_size(k->key) > KEYS_SIGN_MAX)
		return missing(k, how, "the private key is too large", why);
	if (k->key && !leaf && (how->need & KEYS_NEED_CERT))
		return missing(k, how, "no certificate for the private key",
			       why);
	if (!k->n_keys && !sk_X509_num(k->certs) &&
	    ((how->need & KEYS_NEED_CERT) || !sk_X509_CRL_num(k->crls)))
		return missing(k, how, "nothing of use in it", why);
	if ((how->need & KEYS_NEED_CA) && !has_ca(k))
		return missing(k, how, "no certificate of a CA", why);
	if (k->key)
		note_other_keys(k);
	if (leaf)
		build_chain(k, leaf);
	note_dates(k, how->now);
	return 0;
}
