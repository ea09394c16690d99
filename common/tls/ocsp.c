#include "tls/ocsp.h"

#include "base/list.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/ocsp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct answer {
	struct list age;
	uint8_t id[32]; /* SHA-256 of the certificate */
	enum ocsp_verdict verdict;
	int64_t until;
};

struct ocsp_memory {
	tls_ocsp_fn *fn;
	void *arg;
	char *url; /* NULL: the certificate's */
	pthread_mutex_t lock;
	unsigned n;
	struct list age;
};

struct ocsp_memory *ocsp_memory_new(tls_ocsp_fn *fn, void *arg, const char *url)
{
	struct ocsp_memory *m = calloc(1, sizeof *m);

	if (!m)
		return NULL;
	m->url = url ? strdup(url) : NULL;
	if (url && !m->url) {
		free(m);
		return NULL;
	}
	m->fn = fn;
	m->arg = arg;
	(void)pthread_mutex_init(&m->lock, NULL);
	list_init(&m->age);
	return m;
}

void ocsp_memory_free(struct ocsp_memory *m)
{
	if (!m)
		return;
	LIST_FOREACH_SAFE (it, &m->age) {
		free(container_of(it, struct answer, age));
	}
	pthread_mutex_destroy(&m->lock);
	free(m->url);
	free(m);
}

/* ---- a response
 * ------------------------------------------------------------------- */

static enum ocsp_verdict single(gnutls_ocsp_resp_t resp, int64_t now,
				int64_t *until)
{
	time_t this_update = -1, next_update = -1;
	unsigned status;

	if (gnutls_ocsp_resp_get_single(resp, 0, NULL, NULL, NULL, NULL,
					&status, &this_update, &next_update,
					NULL, NULL) < 0)
		return OCSP_NOBODY_KNOWS;
	if (next_update != (time_t)-1 && next_update < now)
		return OCSP_NOBODY_KNOWS;
	/* without nextUpdate newer information is there at any time
	 * [RFC6960 2.4]; a day is what others allow */
	if (this_update == (time_t)-1 ||
	    (next_update == (time_t)-1 && this_update + OCSP_KEPT_MAX_S < now))
		return OCSP_NOBODY_KNOWS;
	*until = next_update == (time_t)-1
			 ? this_update + OCSP_KEPT_MAX_S
			 : MIN((int64_t)next_update, now + OCSP_KEPT_MAX_S);
	if (status == GNUTLS_OCSP_CERT_REVOKED)
		return OCSP_REVOKED;
	return status == GNUTLS_OCSP_CERT_GOOD ? OCSP_GOOD : OCSP_NOBODY_KNOWS;
}

enum ocsp_verdict ocsp_read(const gnutls_datum_t *response,
			    gnutls_x509_crt_t cert, gnutls_x509_crt_t issuer,
			    int64_t now, int64_t *ret_until)
{
	enum ocsp_verdict v = OCSP_NOBODY_KNOWS;
	gnutls_ocsp_resp_t resp;
	unsigned verify = 0;

	*ret_until = now;
	if (gnutls_ocsp_resp_init(&resp) < 0)
		return v;
	if (gnutls_ocsp_resp_import(resp, response) == 0 &&
	    gnutls_ocsp_resp_get_status(resp) == GNUTLS_OCSP_RESP_SUCCESSFUL &&
	    gnutls_ocsp_resp_check_crt(resp, 0, cert) == 0 &&
	    gnutls_ocsp_resp_verify_direct(resp, issuer, &verify, 0) == 0 &&
	    verify == 0)
		v = single(resp, now, ret_until);
	gnutls_ocsp_resp_deinit(resp);
	return v;
}

/* ---- asking
 * ------------------------------------------------------------------------ */

/* http://... of the certificate, or false. */
static bool responder_of(gnutls_x509_crt_t cert, char *url, size_t cap)
{
	gnutls_datum_t d;
	bool found = false;
	int r = 0;

	for (unsigned i = 0;
	     !found && r != GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE; i++) {
		r = gnutls_x509_crt_get_authority_info_access(
			cert, i, GNUTLS_IA_OCSP_URI, &d, NULL);
		if (r == GNUTLS_E_UNKNOWN_ALGORITHM)
			continue; /* an entry of another kind */
		if (r < 0)
			break;
		found = d.size < cap && d.size > 7 &&
			strncasecmp((const char *)d.data, "http://", 7) == 0 &&
			!memchr(d.data, '\0', d.size);
		if (found) {
			memcpy(url, d.data, d.size);
			url[d.size] = '\0';
		}
		gnutls_free(d.data);
	}
	return found;
}

static bool make_request(gnutls_x509_crt_t cert, gnutls_x509_crt_t issuer,
			 gnutls_datum_t *ret)
{
	gnutls_ocsp_req_t req;
	bool ok;

	if (gnutls_ocsp_req_init(&req) < 0)
		return false;
	/* SHA-1 names the certificate here, nothing hangs on its strength;
	 * responders know no other [RFC5019 2.1.1] */
	ok = gnutls_ocsp_req_add_cert(req, GNUTLS_DIG_SHA1, issuer, cert) ==
		     0 &&
	     gnutls_ocsp_req_export(req, ret) == 0;
	gnutls_ocsp_req_deinit(req);
	return ok;
}

static enum ocsp_verdict query(struct ocsp_memory *m, gnutls_x509_crt_t cert,
			       gnutls_x509_crt_t issuer, int64_t now,
			       int64_t *until)
{
	enum ocsp_verdict v = OCSP_NOBODY_KNOWS;
	gnutls_datum_t req, resp;
	const char *url = m->url;
	char named[512];
	ssize_t n;

	*until = now + OCSP_SILENCE_S;
	if (!url && responder_of(cert, named, sizeof named))
		url = named;
	if (!url || !make_request(cert, issuer, &req))
		return v;
	resp.data = malloc(OCSP_ANSWER_MAX);
	if (resp.data) {
		n = m->fn(m->arg, url, req.data, req.size, resp.data,
			  OCSP_ANSWER_MAX);
		if (n > 0 && n <= OCSP_ANSWER_MAX) {
			resp.size = (unsigned)n;
			v = ocsp_read(&resp, cert, issuer, now, until);
		}
		if (v == OCSP_NOBODY_KNOWS)
			*until = now + OCSP_SILENCE_S;
	}
	free(resp.data);
	gnutls_free(req.data);
	return v;
}

static bool recall(struct ocsp_memory *m, const uint8_t *id, int64_t now,
		   enum ocsp_verdict *ret)
{
	bool found = false;

	pthread_mutex_lock(&m->lock);
	LIST_FOREACH_SAFE (it, &m->age) {
		struct answer *a = container_of(it, struct answer, age);

		if (memcmp(a->id, id, sizeof a->id) != 0)
			continue;
		found = a->until >= now;
		*ret = a->verdict;
		if (!found) {
			list_remove(&a->age);
			free(a);
			m->n--;
		}
		break;
	}
	pthread_mutex_unlock(&m->lock);
	return found;
}

static void remember(struct ocsp_memory *m, const uint8_t *id,
		     enum ocsp_verdict v, int64_t until)
{
	struct answer *a = calloc(1, sizeof *a);

	if (!a)
		return; /* asked again next time */
	memcpy(a->id, id, sizeof a->id);
	a->verdict = v;
	a->until = until;
	pthread_mutex_lock(&m->lock);
	if (m->n == OCSP_REMEMBERED_MAX)
		free(container_of(list_pop_head(&m->age), struct answer, age));
	else
		m->n++;
	list_push_tail(&m->age, &a->age);
	pthread_mutex_unlock(&m->lock);
}

enum ocsp_verdict ocsp_ask(struct ocsp_memory *m, gnutls_x509_crt_t cert,
			   gnutls_x509_crt_t issuer, int64_t now)
{
	enum ocsp_verdict v;
	size_t n = 32;
	uint8_t id[32];
	int64_t until;

	if (!m->fn || gnutls_x509_crt_get_fingerprint(cert, GNUTLS_DIG_SHA256,
						      id, &n) < 0)
		return OCSP_NOBODY_KNOWS;
	if (recall(m, id, now, &v))
		return v;
	v = query(m, cert, issuer, now, &until);
	remember(m, id, v, until);
	return v;
}
