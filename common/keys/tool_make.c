/*
 * tool_make.c: couplet-keys ca, server, client, crl.
 */
#include "keys/tool.h"

#include <openssl/crypto.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAY_S = 86400, SKEW_S = 3600 };

/* Key, certificate, and the chain above it, in the order that IPv6/VSE wants:
 * key, certificate, root. */
static int write_made(struct tool *t, EVP_PKEY *key, X509 *cert,
		      const struct keyfile *ca)
{
	X509 *certs[KEYS_CHAIN_MAX + 2] = {cert};
	char pass[KEYFILE_PASS_MAX], *text;
	const char *seal;
	size_t n = 1, len;
	int r;

	for (size_t i = 0; ca && i < ca->n_chain; i++)
		certs[n++] = ca->chain[i];
	for (int i = 0;
	     ca && i < sk_X509_num(ca->certs) && n < ARRAY_SIZE(certs); i++) {
		X509 *x = sk_X509_value(ca->certs, i);

		/* the root of an intermediate CA's chain */
		if (X509_self_signed(x, 0) == 1 &&
		    X509_cmp(x, ca->chain[0]) != 0)
			certs[n++] = x;
	}
	if (!tool_out_pass(t, pass, &seal))
		return TOOL_EXIT_FAILED;
	r = make_pem(key, seal, certs, n, NULL, 0, &text, &len);
	OPENSSL_cleanse(pass, sizeof pass);
	if (r < 0)
		return tool_fail(t, "%s: %s", t->out, strerror(-r));
	r = tool_write(t, t->out, text, len);
	make_free(text, len);
	return r;
}

static int make(struct tool *t, struct make_what *w, const struct keyfile *ca)
{
	char why[KEYS_WHY_MAX];
	EVP_PKEY *key;
	X509 *cert;
	int r;

	w->cn = t->cn;
	w->org = t->org;
	w->key = t->key;
	w->ocsp = t->ocsp;
	w->san = t->san;
	w->n_san = t->n_san;
	w->from = t->now - SKEW_S; /* clocks differ */
	w->until = t->now + (int64_t)t->days * DAY_S;
	if (make_cert(w, &key, &cert, why) < 0)
		return tool_fail(t, "%s", why);
	r = write_made(t, key, cert, ca);
	EVP_PKEY_free(key);
	X509_free(cert);
	return r;
}

int tool_ca(struct tool *t)
{
	struct make_what w = {.kind = MAKE_CA};

	if (!t->cn)
		return tool_fail(t, "--cn NAME is missing for ca");
	return make(t, &w, NULL);
}

/* The CA's file, with a key that is that of a CA. */
static bool read_ca(struct tool *t, struct keyfile *ca)
{
	if (!tool_read(t, t->ca, t->ca_pass_file,
		       KEYS_NEED_KEY | KEYS_NEED_CERT, ca))
		return false;
	if (keyfile_is_ca(ca->chain[0]))
		return true;
	(void)tool_fail(t, "%s: its private key is not that of a CA", t->ca);
	return false;
}

static int make_signed(struct tool *t, enum make_kind kind)
{
	struct make_what w = {.kind = kind};
	struct keyfile ca;
	int r = TOOL_EXIT_FAILED;

	if (read_ca(t, &ca)) {
		w.issuer_key = ca.key;
		w.issuer = ca.chain[0];
		r = make(t, &w, &ca);
	}
	keyfile_fini(&ca);
	return r;
}

int tool_server(struct tool *t)
{
	/* clients look at these names only [RFC9525 2] */
	if (!t->n_san)
		return tool_fail(t, "--san NAME is missing for server");
	if (!t->cn)
		t->cn = t->san[0];
	return make_signed(t, MAKE_SERVER);
}

int tool_client(struct tool *t)
{
	if (!t->cn)
		return tool_fail(t, "--cn NAME is missing for client");
	return make_signed(t, MAKE_CLIENT);
}

/* The certificates of the files; what the CA did not sign is refused. */
static bool collect(struct tool *t, const struct keyfile *ca,
		    struct keyfile *files, X509 **certs)
{
	for (int i = 0; i < t->n_files; i++) {
		if (!tool_read(t, t->files[i], t->pass_file, 0, &files[i]))
			return false;
		certs[i] = files[i].n_chain ? files[i].chain[0]
					    : sk_X509_value(files[i].certs, 0);
		if (!certs[i] ||
		    X509_check_issued(ca->chain[0], certs[i]) != X509_V_OK) {
			(void)tool_fail(t, "%s: not a certificate of this CA",
					t->files[i]);
			return false;
		}
	}
	return true;
}

static int write_crl(struct tool *t, const struct keyfile *ca,
		     X509 *const *certs)
{
	X509_CRL *crl;
	char *text;
	size_t len;
	int r;

	if (make_crl(ca->key, ca->chain[0], certs, (size_t)t->n_files, t->now,
		     t->now + (int64_t)t->days * DAY_S, &crl) < 0)
		return tool_fail(t, "the CRL cannot be made");
	r = make_pem(NULL, NULL, NULL, 0, &crl, 1, &text, &len);
	X509_CRL_free(crl);
	if (r < 0)
		return tool_fail(t, "%s: %s", t->out, strerror(-r));
	r = tool_write(t, t->out, text, len);
	make_free(text, len);
	return r;
}

int tool_crl(struct tool *t)
{
	struct keyfile ca,
		*files = calloc((size_t)t->n_files + 1, sizeof *files);
	X509 **certs = calloc((size_t)t->n_files + 1, sizeof(X509 *));
	int r = TOOL_EXIT_FAILED;

	if (!files || !certs) {
		free(files);
		free(certs);
		return tool_fail(t, "out of memory");
	}
	if (read_ca(t, &ca) && collect(t, &ca, files, certs))
		r = write_crl(t, &ca, certs);
	for (int i = 0; i < t->n_files; i++)
		keyfile_fini(&files[i]);
	keyfile_fini(&ca);
	free(files);
	free(certs);
	return r;
}
