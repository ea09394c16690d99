/*
 * tool_file.c: couplet-keys check, convert, strip.
 */
#include "keys/tool.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- check
 * --------------------------------------------------------------------- */

static const char *form_name(const struct keyfile *k)
{
	switch (k->form) {
	case KEYFILE_PEM:
		return k->ebcdic ? "PEM (EBCDIC)" : "PEM";
	case KEYFILE_DER:
		return "DER";
	case KEYFILE_PKCS12:
		return "PKCS#12";
	}
	return "?";
}

static void put(json_object *o, const char *name, const char *value)
{
	json_object_object_add(o, name, json_object_new_string(value));
}

/* 2026-11-26 12:00:00 UTC, for people and programs. */
static const char *date(const ASN1_TIME *a, char buf[32])
{
	struct tm tm;

	if (!ASN1_TIME_to_tm(a, &tm))
		return "?";
	(void)strftime(buf, 32, "%Y-%m-%d %H:%M:%S UTC", &tm);
	return buf;
}

static const char *name_text(const GENERAL_NAME *g, char *buf, size_t cap)
{
	int kind;
	const ASN1_STRING *s = GENERAL_NAME_get0_value(g, &kind);
	const uint8_t *p;
	int n;

	buf[0] = '\0';
	if (kind != GEN_DNS && kind != GEN_EMAIL && kind != GEN_IPADD)
		return buf;
	p = ASN1_STRING_get0_data(s);
	n = ASN1_STRING_length(s);
	if (kind == GEN_IPADD && (n == 4 || n == 16))
		(void)inet_ntop(n == 4 ? AF_INET : AF_INET6, p, buf,
				(socklen_t)cap);
	else if (kind != GEN_IPADD)
		(void)snprintf(buf, cap, "%.*s", n, (const char *)p);
	return buf;
}

static json_object *names_of(X509 *x)
{
	GENERAL_NAMES *names =
		X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	json_object *list = json_object_new_array();
	char buf[256];

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		name_text(sk_GENERAL_NAME_value(names, i), buf, sizeof buf);
		if (buf[0])
			json_object_array_add(list,
					      json_object_new_string(buf));
	}
	GENERAL_NAMES_free(names);
	return list;
}

static json_object *describe_cert(X509 *x)
{
	json_object *o = json_object_new_object();
	char buf[512], issuer[512], when[32];

	put(o, "subject", keyfile_subject(x, buf, sizeof buf));
	(void)X509_NAME_oneline(X509_get_issuer_name(x), issuer, sizeof issuer);
	put(o, "issuer", issuer);
	put(o, "from", date(X509_get0_notBefore(x), when));
	put(o, "until", date(X509_get0_notAfter(x), when));
	json_object_object_add(o, "ca",
			       json_object_new_boolean(keyfile_is_ca(x)));
	json_object_object_add(o, "names", names_of(x));
	return o;
}

static const char *const type_names[] = {
	[KEYS_TYPE_NONE] = "none",       [KEYS_TYPE_RSA] = "RSA",
	[KEYS_TYPE_RSA_PSS] = "RSA-PSS", [KEYS_TYPE_EC] = "EC",
	[KEYS_TYPE_ED25519] = "ED25519", [KEYS_TYPE_ED448] = "ED448",
};

/* Everything about a file, for both ways to print it. */
static json_object *describe(const struct keyfile *k)
{
	json_object *o = json_object_new_object(),
		    *chain = json_object_new_array(),
		    *cas = json_object_new_array();

	put(o, "form", form_name(k));
	if (k->key) {
		put(o, "key", type_names[keyfile_type(k->key)]);
		json_object_object_add(
			o, "bits",
			json_object_new_int(EVP_PKEY_get_bits(k->key)));
	}
	for (size_t i = 0; i < k->n_chain; i++)
		json_object_array_add(chain, describe_cert(k->chain[i]));
	for (int i = 0; i < sk_X509_num(k->certs); i++)
		if (keyfile_is_ca(sk_X509_value(k->certs, i)))
			json_object_array_add(
				cas, describe_cert(sk_X509_value(k->certs, i)));
	json_object_object_add(o, "chain", chain);
	json_object_object_add(o, "complete",
			       json_object_new_boolean(k->complete));
	json_object_object_add(o, "cas", cas);
	json_object_object_add(o, "crls",
			       json_object_new_int(sk_X509_CRL_num(k->crls)));
	return o;
}

static const char *text_of(json_object *o, const char *name)
{
	return json_object_get_string(json_object_object_get(o, name));
}

static void print_cert(const char *what, json_object *o)
{
	json_object *names = json_object_object_get(o, "names");

	(void)printf("  %-12s %s\n", what, text_of(o, "subject"));
	for (size_t i = 0; i < json_object_array_length(names); i++)
		(void)printf("    name       %s\n",
			     json_object_get_string(
				     json_object_array_get_idx(names, i)));
	(void)printf("    good       %s to %s\n    issuer     %s\n",
		     text_of(o, "from"), text_of(o, "until"),
		     text_of(o, "issuer"));
}

static void print(const char *path, const struct keyfile *k, json_object *o)
{
	json_object *chain = json_object_object_get(o, "chain"),
		    *cas = json_object_object_get(o, "cas");

	(void)printf("%s: %s\n", path, text_of(o, "form"));
	if (k->key)
		(void)printf("  %-12s %s, %d bits\n", "private key",
			     text_of(o, "key"), EVP_PKEY_get_bits(k->key));
	for (size_t i = 0; i < json_object_array_length(chain); i++)
		print_cert(i ? "issued by" : "certificate",
			   json_object_array_get_idx(chain, i));
	for (size_t i = 0; i < json_object_array_length(cas); i++)
		(void)printf(
			"  %-12s %s\n", "CA",
			text_of(json_object_array_get_idx(cas, i), "subject"));
	if (sk_X509_CRL_num(k->crls) > 0)
		(void)printf("  %-12s %d\n", "CRLs", sk_X509_CRL_num(k->crls));
	(void)fflush(stdout); /* notes go to stderr, in order */
}

static int check_one(struct tool *t, const char *path, json_object *list)
{
	json_object *all = t->result, *o = NULL;
	struct keyfile k;
	int r = TOOL_EXIT_FAILED;

	if (t->json)
		t->result = json_object_new_object();
	if (tool_read(t, path, t->pass_file, 0, &k)) {
		o = describe(&k);
		if (!t->json)
			print(path, &k, o);
		tool_notes(t, &k);
		r = 0;
	}
	keyfile_fini(&k);
	if (t->json) {
		put(t->result, "file", path);
		if (o)
			json_object_object_add(t->result, "holds",
					       json_object_get(o));
		json_object_array_add(list, t->result);
		t->result = all;
	}
	json_object_put(o);
	return r;
}

int tool_check(struct tool *t)
{
	json_object *list = t->json ? json_object_new_array() : NULL;
	int worst = 0;

	for (int i = 0; i < t->n_files; i++) {
		int r = check_one(t, t->files[i], list);

		worst = MAX(worst, r);
	}
	if (t->json)
		json_object_object_add(t->result, "files", list);
	return worst;
}

/* ---- convert, strip
 * -------------------------------------------------------------- */

/* Leaf, issuers, then what is left: nothing gets lost. */
static X509 **in_order(const struct keyfile *k, size_t *n)
{
	int count = sk_X509_num(k->certs);
	X509 **list = calloc((size_t)count + 1, sizeof(X509 *));

	*n = 0;
	if (!list)
		return NULL;
	for (size_t i = 0; i < k->n_chain; i++)
		list[(*n)++] = k->chain[i];
	for (int i = 0; i < count; i++) {
		X509 *x = sk_X509_value(k->certs, i);
		size_t j = 0;

		while (j < *n && X509_cmp(list[j], x) != 0)
			j++;
		if (j == *n)
			list[(*n)++] = x;
	}
	return list;
}

static X509_CRL **crls_of(const struct keyfile *k, size_t *n)
{
	X509_CRL **list;

	*n = (size_t)MAX(sk_X509_CRL_num(k->crls), 0);
	list = calloc(*n + 1, sizeof(X509_CRL *));
	for (size_t i = 0; list && i < *n; i++)
		list[i] = sk_X509_CRL_value(k->crls, (int)i);
	return list;
}

static int write_as(struct tool *t, const struct keyfile *k, bool p12,
		    const char *path)
{
	char pass[KEYFILE_PASS_MAX], *text = NULL;
	size_t n, n_crls, len = 0;
	X509 **certs = in_order(k, &n);
	X509_CRL **crls = crls_of(k, &n_crls);
	const char *seal;
	int r = TOOL_EXIT_FAILED;

	if (!certs || !crls)
		r = tool_fail(t, "out of memory");
	else if (!tool_out_pass(t, pass, &seal))
		r = TOOL_EXIT_FAILED;
	else if (p12 && !seal)
		r = tool_fail(t, "PKCS#12 needs a pass-phrase: "
				 "--out-pass-file FILE");
	else if ((p12 ? make_p12(k->key, seal, t->cn, certs, n, &text, &len)
		      : make_pem(k->key, seal, certs, n, crls, n_crls, &text,
				 &len)) < 0)
		r = tool_fail(t, "%s: cannot be made", path);
	else
		r = tool_write(t, path, text, len);
	OPENSSL_cleanse(pass, sizeof pass);
	make_free(text, len);
	free(certs);
	free(crls);
	return r;
}

int tool_convert(struct tool *t)
{
	bool p12 = t->to && strcasecmp(t->to, "p12") == 0;
	struct keyfile k;
	int r = TOOL_EXIT_FAILED;

	if (!t->to || (!p12 && strcasecmp(t->to, "pem") != 0))
		return tool_fail(t, "--to pem or --to p12 is expected");
	if (tool_read(t, t->files[0], t->pass_file, 0, &k)) {
		r = write_as(t, &k, p12, t->out);
		tool_notes(t, &k);
	}
	keyfile_fini(&k);
	return r;
}

int tool_strip(struct tool *t)
{
	const char *out = t->out ? t->out : t->files[0];
	struct keyfile k;
	int r = TOOL_EXIT_FAILED;

	if (tool_read(t, t->files[0], t->pass_file, KEYS_NEED_CERT, &k)) {
		if (k.n_chain && keyfile_is_ca(k.chain[0])) {
			/* no other key is there: only the certificates stay */
			k.key = NULL;
		}
		t->force |= !t->out;   /* in its own place */
		if (!t->out_pass_file) /* what was sealed stays sealed */
			t->out_pass_file = t->pass_file;
		r = write_as(t, &k, k.form == KEYFILE_PKCS12, out);
	}
	keyfile_fini(&k);
	return r;
}
