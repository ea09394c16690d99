/* What OCSP responders say about peers, asked and stapled. The responder is
 * libcrypto in a function. */
#include "fixture.h"

#include <errno.h>
#include <openssl/ocsp.h>
#include <stdlib.h>
#include <string.h>

enum { HOUR = 3600, DAY = 24 * HOUR };

/* What the responder says next, and what it was asked. */
struct responder {
	struct fix *f;
	int status;       /* V_OCSP_CERTSTATUS_ */
	long from, until; /* relative to now; until 0: no nextUpdate */
	X509 *about;      /* NULL: what was asked */
	EVP_PKEY *key;    /* NULL: the CA's */
	X509 *by;         /* NULL: the CA */
	int error;        /* instead of all that */
	const char *junk; /* instead of an answer */
	unsigned asked;
	char url[128];
};

static ASN1_TIME *at(long s)
{
	return X509_gmtime_adj(NULL, s);
}

static OCSP_BASICRESP *sign(struct responder *r, OCSP_CERTID *id)
{
	OCSP_BASICRESP *b = OCSP_BASICRESP_new();
	ASN1_TIME *from = at(r->from), *gone = at(-DAY);
	ASN1_TIME *until = r->until ? at(r->until) : NULL;

	assert_non_null(OCSP_basic_add1_status(
		b, id, r->status, OCSP_REVOKED_STATUS_KEYCOMPROMISE,
		r->status == V_OCSP_CERTSTATUS_REVOKED ? gone : NULL, from,
		until));
	assert_int_equal(OCSP_basic_sign(b, r->by ? r->by : r->f->pki.ca,
					 r->key ? r->key : r->f->pki.ca_key,
					 EVP_sha256(), NULL, OCSP_NOCERTS),
			 1);
	ASN1_TIME_free(from);
	ASN1_TIME_free(until);
	ASN1_TIME_free(gone);
	return b;
}

/* DER of the answer about `id`; OPENSSL_free(). */
static int answer(struct responder *r, OCSP_CERTID *id, unsigned char **ret)
{
	OCSP_BASICRESP *b = sign(r, id);
	OCSP_RESPONSE *resp =
		OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, b);
	int n;

	*ret = NULL;
	n = i2d_OCSP_RESPONSE(resp, ret);
	OCSP_RESPONSE_free(resp);
	OCSP_BASICRESP_free(b);
	return n;
}

static ssize_t respond(void *arg, const char *url, const void *req, size_t len,
		       void *resp, size_t cap)
{
	struct responder *r = arg;
	const unsigned char *p = req;
	OCSP_REQUEST *q = d2i_OCSP_REQUEST(NULL, &p, (long)len);
	OCSP_CERTID *id;
	unsigned char *der;
	int n;

	r->asked++;
	(void)snprintf(r->url, sizeof r->url, "%s", url);
	assert_non_null(q);
	assert_int_equal(OCSP_request_onereq_count(q), 1);
	if (r->error || r->junk) {
		OCSP_REQUEST_free(q);
		if (r->junk)
			memcpy(resp, r->junk, strlen(r->junk));
		return r->junk ? (ssize_t)strlen(r->junk) : r->error;
	}
	id = r->about ? OCSP_cert_to_id(NULL, r->about, r->f->pki.ca)
		      : OCSP_CERTID_dup(OCSP_onereq_get0_id(
				OCSP_request_onereq_get0(q, 0)));
	n = answer(r, id, &der);
	assert_true(n > 0 && (size_t)n <= cap);
	memcpy(resp, der, (size_t)n);
	OPENSSL_free(der);
	OCSP_CERTID_free(id);
	OCSP_REQUEST_free(q);
	return n;
}

static struct responder responder(struct fix *f)
{
	return (struct responder){.f = f,
				  .status = V_OCSP_CERTSTATUS_GOOD,
				  .from = -HOUR,
				  .until = DAY};
}

/* A server that asks `r`, with clients that come again and again. */
struct house {
	struct fix *f;
	struct tls_policy_spec cs, ss;
	struct tls_policy *cp, *sp;
	struct tls_ident *own;
};

static void house_open(struct house *h, struct fix *f, struct responder *r,
		       bool required, const char *url)
{
	struct pki_what w = {
		.kind = MAKE_CLIENT, .cn = "jane", .ocsp = "http://ocsp.test/"};

	pki_make(&f->pki, "CL", &w, NULL, NULL);
	*h = (struct house){
		.f = f, .cs = fix_client(f), .ss = fix_server(f, "EC")};
	h->own = fix_ident(f, "CL");
	h->cs.idents = &h->own;
	h->cs.n_idents = 1;
	h->ss.trust = f->trust;
	h->ss.verify = TLS_VERIFY_REQUIRED;
	h->ss.ocsp = respond;
	h->ss.ocsp_arg = r;
	h->ss.ocsp_url = url;
	h->ss.need_ocsp = required;
	assert_int_equal(tls_policy_new(&h->cs, &h->cp, f->why), 0);
	assert_int_equal(tls_policy_new(&h->ss, &h->sp, f->why), 0);
}

static void house_close(struct house *h)
{
	tls_policy_unref(h->cp);
	tls_policy_unref(h->sp);
	fix_forget(h->f, &h->ss);
}

static void comes(struct house *h, enum tls_error_kind want)
{
	struct two t;

	two_again(&t, h->cp, h->sp, "server.test");
	if (want == TLS_ERR_NONE) {
		assert_int_equal(t.rs, 0);
	} else {
		assert_int_equal(t.rs, -EACCES);
		assert_int_equal(two_kind(t.s), want);
	}
	two_close(&t);
}

/* One visit under each word, with a responder that says `r`. */
static void both(struct fix *f, struct responder r, enum tls_error_kind soft,
		 enum tls_error_kind required)
{
	struct house h;

	house_open(&h, f, &r, false, NULL);
	comes(&h, soft);
	house_close(&h);
	assert_int_equal(r.asked, 1);
	assert_string_equal(r.url, "http://ocsp.test/");
	house_open(&h, f, &r, true, NULL);
	comes(&h, required);
	house_close(&h);
	assert_int_equal(r.asked, 2);
}

static void good_is_let_in(void **state)
{
	both(*state, responder(*state), TLS_ERR_NONE, TLS_ERR_NONE);
}

static void revoked_is_refused(void **state)
{
	struct responder r = responder(*state);

	r.status = V_OCSP_CERTSTATUS_REVOKED;
	both(*state, r, TLS_ERR_CERT_REVOKED, TLS_ERR_CERT_REVOKED);
}

static void unknown_is_no_answer(void **state)
{
	struct responder r = responder(*state);

	r.status = V_OCSP_CERTSTATUS_UNKNOWN;
	both(*state, r, TLS_ERR_NONE, TLS_ERR_CERT_OTHER);
}

static void silence_is_no_answer(void **state)
{
	struct responder r = responder(*state);

	r.error = -ETIMEDOUT;
	both(*state, r, TLS_ERR_NONE, TLS_ERR_CERT_OTHER);
}

static void junk_is_no_answer(void **state)
{
	struct responder r = responder(*state);

	r.junk = "\x30\x03hello";
	both(*state, r, TLS_ERR_NONE, TLS_ERR_CERT_OTHER);
}

static void an_old_answer_is_none(void **state)
{
	struct responder r = responder(*state);

	/* it has ended; it never said when it would and is two days old */
	r.from = -2 * DAY;
	r.until = -HOUR;
	both(*state, r, TLS_ERR_NONE, TLS_ERR_CERT_OTHER);
	r.until = 0;
	both(*state, r, TLS_ERR_NONE, TLS_ERR_CERT_OTHER);
	r.from = -HOUR;
	both(*state, r, TLS_ERR_NONE, TLS_ERR_NONE);
}

/* Somebody else's signature, under the name of the CA; and a certificate of
 * the CA that may not sign for it [RFC6960 4.2.2.2]. */
static void an_answer_of_a_stranger_is_none(void **state)
{
	struct fix *f = *state;
	struct pki_what w = {.kind = MAKE_SERVER, .cn = "Test CA"};
	struct responder r = responder(f);

	w.self_signed = true;
	pki_make(&f->pki, "ALIEN", &w, &r.by, &r.key);
	r.status = V_OCSP_CERTSTATUS_REVOKED;
	both(f, r, TLS_ERR_NONE, TLS_ERR_CERT_OTHER);
	X509_free(r.by);
	EVP_PKEY_free(r.key);
	w.self_signed = false;
	pki_make(&f->pki, "LEAF", &w, &r.by, &r.key);
	both(f, r, TLS_ERR_NONE, TLS_ERR_CERT_OTHER);
	X509_free(r.by);
	EVP_PKEY_free(r.key);
}

static void an_answer_about_another_is_none(void **state)
{
	struct fix *f = *state;
	struct pki_what w = {.kind = MAKE_CLIENT, .cn = "joe"};
	struct responder r = responder(f);

	pki_make(&f->pki, "JOE", &w, &r.about, NULL);
	both(f, r, TLS_ERR_NONE, TLS_ERR_CERT_OTHER);
	X509_free(r.about);
}

static void answers_are_remembered(void **state)
{
	struct responder r = responder(*state);
	struct house h;

	house_open(&h, *state, &r, true, NULL);
	comes(&h, TLS_ERR_NONE);
	/* what it says later is not heard until the first answer ends */
	r.status = V_OCSP_CERTSTATUS_REVOKED;
	comes(&h, TLS_ERR_NONE);
	assert_int_equal(r.asked, 1);
	house_close(&h);
	/* and so is the lack of one */
	r.error = -ECONNREFUSED;
	house_open(&h, *state, &r, true, NULL);
	comes(&h, TLS_ERR_CERT_OTHER);
	comes(&h, TLS_ERR_CERT_OTHER);
	assert_int_equal(r.asked, 2);
	house_close(&h);
}

static void the_url_of_the_policy_comes_first(void **state)
{
	struct responder r = responder(*state);
	struct house h;

	house_open(&h, *state, &r, true, "http://mine.test/x");
	comes(&h, TLS_ERR_NONE);
	assert_string_equal(r.url, "http://mine.test/x");
	house_close(&h);
}

/* ---- stapled ------------------------------------------------------------- */

static void staple(struct fix *f, struct responder *r, struct tls_ident *i,
		   X509 *cert, int want)
{
	OCSP_CERTID *id = OCSP_cert_to_id(NULL, cert, f->pki.ca);
	unsigned char *der;
	int n = answer(r, id, &der);

	assert_int_equal(tls_ident_staple(i, der, (size_t)n, f->why), want);
	OPENSSL_free(der);
	OCSP_CERTID_free(id);
}

static void client_sees(struct fix *f, const struct tls_policy_spec *ss,
			enum tls_error_kind want)
{
	static const enum tls_version versions[] = {TLS_1_2, TLS_1_3};

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		struct tls_policy_spec cs = fix_client(f);
		struct two t;

		cs.need_ocsp = true;
		cs.min_version = cs.max_version = versions[i];
		two_open(&t, &cs, ss, "a.test");
		assert_int_equal(t.rc, want == TLS_ERR_NONE ? 0 : -EACCES);
		assert_int_equal(two_kind(t.c), want);
		two_close(&t);
	}
}

static void a_staple_is_enough(void **state)
{
	struct fix *f = *state;
	struct pki_what w = {.kind = MAKE_SERVER, .cn = "x", .san = "a.test"};
	struct responder r = responder(f);
	struct tls_policy_spec ss;
	X509 *cert, *other;

	pki_make(&f->pki, "SRV", &w, &cert, NULL);
	pki_make(&f->pki, "OTHER", &w, &other, NULL);
	ss = fix_server(f, "SRV");
	client_sees(f, &ss, TLS_ERR_CERT_OTHER);
	staple(f, &r, ss.idents[0], cert, 0);
	client_sees(f, &ss, TLS_ERR_NONE);
	staple(f, &r, ss.idents[0], other, -EBADMSG);
	client_sees(f, &ss, TLS_ERR_NONE);
	/* nobody would staple that */
	r.status = V_OCSP_CERTSTATUS_REVOKED;
	staple(f, &r, ss.idents[0], cert, -EBADMSG);
	assert_int_equal(tls_ident_staple(ss.idents[0], "junk", 4, f->why),
			 -EBADMSG);
	assert_int_equal(tls_ident_staple(ss.idents[0], NULL, 0, f->why), 0);
	client_sees(f, &ss, TLS_ERR_CERT_OTHER);
	X509_free(cert);
	X509_free(other);
	fix_forget(f, &ss);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(good_is_let_in, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(revoked_is_refused, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(unknown_is_no_answer, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(silence_is_no_answer, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(junk_is_no_answer, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(an_old_answer_is_none, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(an_answer_of_a_stranger_is_none,
					fix_setup, fix_teardown),
	cmocka_unit_test_setup_teardown(an_answer_about_another_is_none,
					fix_setup, fix_teardown),
	cmocka_unit_test_setup_teardown(answers_are_remembered, fix_setup,
					fix_teardown),
	cmocka_unit_test_setup_teardown(the_url_of_the_policy_comes_first,
					fix_setup, fix_teardown),
	cmocka_unit_test_setup_teardown(a_staple_is_enough, fix_setup,
					fix_teardown),
};

UNIT_MAIN(tests)
