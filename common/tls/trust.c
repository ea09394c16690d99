#include "tls/room.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int tls_trust_new(struct tls_trust **ret)
{
	struct tls_trust *t = calloc(1, sizeof *t);

	if (!t)
		return -ENOMEM;
	atomic_init(&t->refs, 1);
	if (gnutls_x509_trust_list_init(&t->list, 0) < 0) {
		free(t);
		return -ENOMEM;
	}
	*ret = t;
	return 0;
}

struct tls_trust *tls_trust_ref(struct tls_trust *t)
{
	atomic_fetch_add(&t->refs, 1);
	return t;
}

void tls_trust_unref(struct tls_trust *t)
{
	if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
		return;
	gnutls_x509_trust_list_deinit(t->list, 1);
	for (unsigned i = 0; i < t->n_crls; i++)
		gnutls_free(t->crls[i].issuer.data);
	free(t->crls);
	free(t);
}

static bool same_name(const gnutls_datum_t *a, const gnutls_datum_t *b)
{
	return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

/* Takes over `c`. 1 if it is a CA, 0, or negative errno. */
static int add_ca(struct tls_trust *t, gnutls_x509_crt_t c)
{
	int n;

	if (gnutls_x509_crt_get_ca_status(c, NULL) == 0) {
		gnutls_x509_crt_deinit(c);
		return 0;
	}
	n = gnutls_x509_trust_list_add_cas(t->list, &c, 1,
					   GNUTLS_TL_NO_DUPLICATES);
	if (n < 0) {
		gnutls_x509_crt_deinit(c);
		return -ENOMEM;
	}
	t->n_cas += (unsigned)n;
	return n;
}

/* What no CRL may have. One that is too old is better than none: need_crl
 * decides about it. */
#define CRL_FORGED \
	((unsigned)(GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNER_NOT_CA | \
		    GNUTLS_CERT_SIGNATURE_FAILURE | \
		    GNUTLS_CERT_INSECURE_ALGORITHM))

/* Did a CA of ours sign it? Several may have the same name. */
static bool crl_is_signed(const struct tls_trust *t, gnutls_x509_crl_t crl)
{
	gnutls_x509_trust_list_iter_t it = NULL;
	gnutls_x509_crt_t c;
	bool found = false;

	while (!found &&
	       gnutls_x509_trust_list_iter_get_ca(t->list, &it, &c) == 0) {
		unsigned status = 0;

		found = gnutls_x509_crl_check_issuer(crl, c) &&
			gnutls_x509_crl_verify(crl, &c, 1, 0, &status) == 0 &&
			!(status & CRL_FORGED);
		gnutls_x509_crt_deinit(c);
	}
	if (it)
		gnutls_x509_trust_list_iter_deinit(it);
	return found;
}

/* Our note on the CRL of this issuer; a new one if need be, NULL without
 * memory. */
static struct crl_note *crl_note(struct tls_trust *t, gnutls_x509_crl_t crl)
{
	struct crl_note *more;
	gnutls_datum_t dn;

	if (gnutls_x509_crl_get_raw_issuer_dn(crl, &dn) < 0)
		return NULL;
	for (unsigned i = 0; i < t->n_crls; i++)
		if (same_name(&t->crls[i].issuer, &dn)) {
			gnutls_free(dn.data);
			return &t->crls[i];
		}
	more = realloc(t->crls, (t->n_crls + 1) * sizeof *more);
	if (!more) {
		gnutls_free(dn.data);
		return NULL;
	}
	t->crls = more;
	more[t->n_crls] = (struct crl_note){.issuer = dn, .from = INT64_MIN};
	return &more[t->n_crls++];
}

/* Takes over `crl`. 1 if it is taken, 0 if nobody we trust signed it or a newer
 * one is there. */
static int add_crl(struct tls_trust *t, gnutls_x509_crl_t crl)
{
	int64_t from = (int64_t)gnutls_x509_crl_get_this_update(crl);
	struct crl_note *note = NULL;
	bool good = crl_is_signed(t, crl);

	if (good)
		note = crl_note(t, crl);
	if (!note || note->from > from) {
		gnutls_x509_crl_deinit(crl);
		return good && !note ? -ENOMEM : 0;
	}
	/* from here on it is GnuTLS', which frees the one before it */
	if (gnutls_x509_trust_list_add_crls(t->list, &crl, 1, 0, 0) < 1)
		return -ENOMEM;
	note->from = from;
	note->until = (int64_t)gnutls_x509_crl_get_next_update(crl);
	return 1;
}

static int add_crl_der(struct tls_trust *t, const gnutls_datum_t *der)
{
	gnutls_x509_crl_t crl;

	if (gnutls_x509_crl_init(&crl) < 0)
		return -ENOMEM;
	if (gnutls_x509_crl_import(crl, der, GNUTLS_X509_FMT_DER) < 0) {
		gnutls_x509_crl_deinit(crl);
		return -EBADMSG;
	}
	return add_crl(t, crl);
}

static int add_ca_der(struct tls_trust *t, const gnutls_datum_t *der)
{
	gnutls_x509_crt_t c;

	if (gnutls_x509_crt_init(&c) < 0)
		return -ENOMEM;
	if (gnutls_x509_crt_import(c, der, GNUTLS_X509_FMT_DER) < 0) {
		gnutls_x509_crt_deinit(c);
		return -EBADMSG;
	}
	return add_ca(t, c);
}

int tls_trust_add_pair(struct tls_trust *t, const struct keys_pair *p)
{
	int added = 0, r = 0;
	size_t n;
	const struct keys_der *d = keys_pair_cas(p, &n);

	for (size_t i = 0; i < n && r >= 0; i++) {
		gnutls_datum_t der = {(void *)(uintptr_t)d[i].p,
				      (unsigned)d[i].len};

		r = add_ca_der(t, &der);
		added += r > 0;
	}
	d = keys_pair_crls(p, &n);
	for (size_t i = 0; i < n && r >= 0; i++) {
		gnutls_datum_t der = {(void *)(uintptr_t)d[i].p,
				      (unsigned)d[i].len};

		r = add_crl_der(t, &der);
	}
	return r < 0 ? r : added;
}

/* ---- files
 * ------------------------------------------------------------------------ */

static int file_fault(const char *kind, const char *path, const char *what,
		      int code, char *why)
{
	(void)snprintf(why, TLS_WHY_MAX, "%s file %.300s: %s", kind, path,
		       what);
	return code;
}

static int load_file(const char *kind, const char *path, gnutls_datum_t *ret,
		     char *why)
{
	struct stat st;
	int r;

	if (stat(path, &st) < 0)
		return file_fault(kind, path, strerror(errno), -errno, why);
	if (!S_ISREG(st.st_mode))
		return file_fault(kind, path, "not a regular file", -EINVAL,
				  why);
	if (st.st_size > TLS_CRL_FILE_MAX)
		return file_fault(kind, path, "too large", -EFBIG, why);
	r = gnutls_load_file(path, ret);
	if (r < 0)
		return file_fault(kind, path,
				  errno ? strerror(errno) : gnutls_strerror(r),
				  errno ? -errno : -EIO, why);
	return 0;
}

static bool is_pem(const gnutls_datum_t *d)
{
	static const char begin[] = "-----BEGIN ";

	return memmem(d->data, d->size, begin, sizeof begin - 1) != NULL;
}

int tls_trust_add_file(struct tls_trust *t, const char *path, char *why)
{
	gnutls_x509_crt_t *certs = NULL;
	unsigned n = 0;
	gnutls_datum_t d;
	int added = 0, r = load_file("CA", path, &d, why);

	if (r < 0)
		return r;
	r = gnutls_x509_crt_list_import2(
		&certs, &n, &d,
		is_pem(&d) ? GNUTLS_X509_FMT_PEM : GNUTLS_X509_FMT_DER, 0);
	gnutls_free(d.data);
	if (r < 0)
		return file_fault("CA", path, gnutls_strerror(r), -EBADMSG,
				  why);
	r = 0;
	for (unsigned i = 0; i < n; i++) {
		if (r < 0) {
			gnutls_x509_crt_deinit(certs[i]);
			continue;
		}
		r = add_ca(t, certs[i]);
		added += r > 0;
	}
	gnutls_free(certs);
	if (r < 0)
		return file_fault("CA", path, strerror(-r), r, why);
	if (!n || (!added && !t->n_cas))
		return file_fault("CA", path, "no certificate of a CA in it",
				  -EBADMSG, why);
	return added;
}

int tls_trust_add_system(struct tls_trust *t, char *why)
{
	int n = gnutls_x509_trust_list_add_system_trust(
		t->list, GNUTLS_TL_NO_DUPLICATES, 0);

	if (n <= 0) {
		(void)snprintf(why, TLS_WHY_MAX,
			       "the system has no CA certificates (package "
			       "ca-certificates)");
		return -ENOENT;
	}
	t->n_cas += (unsigned)n;
	return n;
}

int tls_trust_add_crl_file(struct tls_trust *t, const char *path, char *why)
{
	gnutls_x509_crl_t *crls = NULL;
	unsigned n = 0;
	gnutls_datum_t d;
	int added = 0, r = load_file("CRL", path, &d, why);

	if (r < 0)
		return r;
	r = gnutls_x509_crl_list_import2(
		&crls, &n, &d,
		is_pem(&d) ? GNUTLS_X509_FMT_PEM : GNUTLS_X509_FMT_DER, 0);
	gnutls_free(d.data);
	if (r < 0)
		return file_fault("CRL", path, gnutls_strerror(r), -EBADMSG,
				  why);
	for (unsigned i = 0; i < n; i++) {
		r = add_crl(t, crls[i]);
		added += r > 0;
	}
	gnutls_free(crls);
	if (added < (int)n)
		return file_fault("CRL", path,
				  "signed by nobody whom we trust, or older "
				  "than one we have",
				  -EBADMSG, why);
	return added;
}

/* ---- questions
 * ---------------------------------------------------------------------- */

int trust_fill(const struct tls_trust *t, gnutls_certificate_credentials_t cred)
{
	gnutls_x509_trust_list_iter_t it = NULL;
	gnutls_x509_crt_t c;
	int r = 0;

	while (r >= 0 && gnutls_x509_trust_list_iter_get_ca(t->list, &it, &c) ==
				 GNUTLS_E_SUCCESS) {
		r = gnutls_certificate_set_x509_trust(cred, &c, 1);
		gnutls_x509_crt_deinit(c);
	}
	if (it)
		gnutls_x509_trust_list_iter_deinit(it);
	return r < 0 ? -ENOMEM : 0;
}

bool trust_has_crl(const struct tls_trust *t, gnutls_x509_crt_t c, int64_t now)
{
	gnutls_datum_t issuer;
	bool found = false;

	if (gnutls_x509_crt_get_raw_issuer_dn(c, &issuer) < 0)
		return false;
	for (unsigned i = 0; i < t->n_crls && !found; i++)
		found = same_name(&t->crls[i].issuer, &issuer) &&
			(t->crls[i].until == -1 || t->crls[i].until >= now);
	gnutls_free(issuer.data);
	return found;
}

gnutls_x509_crt_t trust_issuer(const struct tls_trust *t, gnutls_x509_crt_t c)
{
	gnutls_x509_crt_t issuer;

	if (gnutls_x509_trust_list_get_issuer(t->list, c, &issuer, 0) < 0)
		return NULL;
	return issuer;
}
