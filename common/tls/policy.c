#include "tls/map.h"
#include "tls/ocsp.h"
#include "tls/room.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Seconds that a ticket lives: gnutls_db_set_cache_expiration() of them. */
enum { TICKET_LIFE_S = 7200 };

static int refuse(char *why, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

static int refuse(char *why, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, TLS_WHY_MAX, fmt, ap);
	va_end(ap);
	return code;
}

/* ---- what contradicts itself
 * ----------------------------------------------------- */

static int check_versions(const struct tls_policy *p, char *why)
{
	if (p->min < TLS_1_0 || p->max > TLS_1_3)
		return refuse(why, -EINVAL, "TLS version %#x does not exist",
			      p->min < TLS_1_0 ? p->min : p->max);
	if (p->min > p->max)
		return refuse(why, -EINVAL,
			      "the minimum version %s is above the maximum %s",
			      tls_version_name(p->min),
			      tls_version_name(p->max));
	return 0;
}

static int check_spec(const struct tls_policy_spec *s, char *why)
{
	if (s->role == TLS_SERVER && s->n_idents == 0)
		return refuse(why, -EINVAL,
			      "a server needs a certificate with its private "
			      "key");
	if (s->n_idents > TLS_IDENTS_MAX)
		return refuse(why, -EINVAL, "more than %d certificates",
			      TLS_IDENTS_MAX);
	if (s->verify != TLS_VERIFY_NONE && (!s->trust || !s->trust->n_cas))
		return refuse(why, -EINVAL,
			      "the peer's certificate is to be checked, but no "
			      "CA certificate is there to check it with");
	if (s->verify == TLS_VERIFY_NONE &&
	    (s->check_name || s->need_crl || s->need_ocsp || s->need_user))
		return refuse(why, -EINVAL,
			      "name, CRL, OCSP or user are to be checked, but "
			      "the certificate is not");
	if (s->need_user && s->map == TLS_MAP_NONE)
		return refuse(why, -EINVAL,
			      "a user is needed, but no rule maps certificates "
			      "to users");
	if (s->map == TLS_MAP_FILE && !s->map_file)
		return refuse(why, -EINVAL, "the user map is missing");
	if (s->n_alpn > TLS_ALPN_MAX)
		return refuse(why, -EINVAL, "more than %d ALPN protocols",
			      TLS_ALPN_MAX);
	return 0;
}

/* ---- certificates
 * -------------------------------------------------------------------- */

/* The best of ours for this client: its name, then its algorithms. */
static unsigned choose(const struct tls_session *s, const char *sni)
{
	const struct tls_policy *p = s->policy;
	unsigned best = 0;
	int worth = -1;

	for (unsigned i = 0; i < p->n_idents; i++) {
		const struct tls_ident *id = p->idents[i];
		int w = sni[0] && tls_ident_matches(id, sni) ? 2 : 0;

		if (!p->mixed || id->ecdsa == (s->offers_ecdsa != 0))
			w++;
		if (w > worth) {
			worth = w;
			best = i;
		}
	}
	return best;
}

static int give_cert(gnutls_session_t gs,
		     const struct gnutls_cert_retr_st *info,
		     gnutls_pcert_st **pcert, unsigned *n,
		     gnutls_ocsp_data_st **ocsp, unsigned *n_ocsp,
		     gnutls_privkey_t *key, unsigned *flags)
{
	struct tls_session *s = gnutls_session_get_ptr(gs);
	struct tls_ident *i;

	(void)info;
	*flags = 0;
	*n = 0;
	*n_ocsp = 0;
	*pcert = NULL;
	if (!s->policy->n_idents)
		return 0; /* a client that has none */
	s->ident = (uint8_t)(s->policy->role == TLS_SERVER
				     ? choose(s, tls_session_sni(s))
				     : 0);
	i = s->policy->idents[s->ident];
	*pcert = i->chain;
	*n = i->n_chain;
	*key = i->key;
	staple_unref(s->staple);
	s->staple = s->policy->role == TLS_SERVER ? ident_staple(i) : NULL;
	if (s->staple) {
		*ocsp = &s->staple->data;
		*n_ocsp = 1;
	}
	return 0;
}

static int set_cred(struct tls_policy *p)
{
	int r = gnutls_certificate_allocate_credentials(&p->cred);

	if (r < 0)
		return -ENOMEM;
	gnutls_certificate_set_retrieve_function3(p->cred, give_cert);
	gnutls_certificate_set_known_dh_params(p->cred,
					       GNUTLS_SEC_PARAM_MEDIUM);
	/* the names of the CAs that a client's certificate may be from */
	if (p->role == TLS_SERVER && p->verify != TLS_VERIFY_NONE)
		return trust_fill(p->trust, p->cred);
	return 0;
}

static int set_idents(struct tls_policy *p, const struct tls_policy_spec *s)
{
	p->idents = calloc(s->n_idents + 1, sizeof(struct tls_ident *));
	if (!p->idents)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_idents; i++) {
		p->idents[p->n_idents++] = tls_ident_ref(s->idents[i]);
		p->mixed |= s->idents[i]->ecdsa != s->idents[0]->ecdsa;
	}
	return 0;
}

/* ---- the rest
 * ------------------------------------------------------------------------ */

static int set_alpn(struct tls_policy *p, const struct tls_policy_spec *s,
		    char *why)
{
	for (size_t i = 0; i < s->n_alpn; i++) {
		int n = snprintf(p->alpn_name[i], TLS_ALPN_NAME_MAX, "%s",
				 s->alpn[i]);

		if (n <= 0 || n >= TLS_ALPN_NAME_MAX)
			return refuse(why, -EINVAL,
				      "ALPN protocol %.60s: 1 to %d bytes are "
				      "expected",
				      s->alpn[i], TLS_ALPN_NAME_MAX - 1);
		p->alpn[i].data = (uint8_t *)p->alpn_name[i];
		p->alpn[i].size = (unsigned)n;
		p->n_alpn++;
	}
	return 0;
}

static void warn_of(struct tls_policy *p, bool yes, const char *text)
{
	if (yes && p->n_warnings < ARRAY_SIZE(p->warnings))
		p->warnings[p->n_warnings++] = text;
}

static void set_warnings(struct tls_policy *p)
{
	bool client = p->role == TLS_CLIENT;

	warn_of(p, p->min <= TLS_1_0, "TLS 1.0 is allowed");
	warn_of(p, p->min <= TLS_1_1 && p->max >= TLS_1_1,
		"TLS 1.1 is allowed");
	warn_of(p, p->legacy,
		"legacy cipher suites, SHA-1 signatures and short RSA keys "
		"are allowed");
	warn_of(p, client && p->verify == TLS_VERIFY_NONE,
		"the server's certificate is not checked: anybody between can "
		"read and change everything");
	warn_of(p, client && p->verify == TLS_VERIFY_REQUIRED && !p->check_name,
		"the name in the server's certificate is not checked: any "
		"certificate of these CAs will do");
	warn_of(p, p->keylog_fd >= 0,
		"session keys are logged: whoever reads the key log reads the "
		"connections");
}

static int set_map(struct tls_policy *p, const struct tls_policy_spec *s,
		   char *why)
{
	p->map = s->map;
	if (s->map != TLS_MAP_FILE)
		return 0;
	return map_parse(s->map_file, &p->map_rules, why, TLS_WHY_MAX);
}

static int set_keylog(struct tls_policy *p, int fd, char *why)
{
	p->keylog_fd = -1;
	if (fd <= 0)
		return 0;
	p->keylog_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (p->keylog_fd < 0)
		return refuse(why, -errno, "key log: %s", strerror(errno));
	return 0;
}

static void copy_flags(struct tls_policy *p, const struct tls_policy_spec *s)
{
	p->role = s->role;
	p->min = s->min_version ? s->min_version : TLS_1_2;
	p->max = s->max_version ? s->max_version : TLS_1_3;
	if (!s->min_version && p->max < p->min)
		p->min = p->max; /* "at most 1.1" is an opt-in as well */
	p->legacy = s->legacy;
	p->require_sni = s->require_sni;
	p->verify = s->verify;
	p->check_name = s->check_name;
	p->need_crl = s->need_crl;
	p->need_ocsp = s->need_ocsp;
	p->need_user = s->need_user;
	p->need_alpn = s->need_alpn;
	p->ticket_life_s = s->ticket_life_s ? s->ticket_life_s : TICKET_LIFE_S;
	p->trust = s->trust ? tls_trust_ref(s->trust) : NULL;
	if (s->role == TLS_SERVER && s->tickets)
		p->tickets = tls_tickets_ref(s->tickets);
	if (s->role == TLS_CLIENT && s->cache)
		p->cache = tls_cache_ref(s->cache);
}

static int fill(struct tls_policy *p, const struct tls_policy_spec *s,
		char *why)
{
	struct suite_wish wish;
	int r;

	copy_flags(p, s);
	r = set_keylog(p, s->keylog_fd, why);
	if (r == 0)
		r = check_versions(p, why);
	if (r == 0)
		r = check_spec(s, why);
	wish = (struct suite_wish){.min = p->min,
				   .max = p->max,
				   .suites = s->suites,
				   .groups = s->groups,
				   .legacy = s->legacy,
				   .server = s->role == TLS_SERVER};
	if (r == 0)
		r = suites_compile(&wish, &p->rules, why);
	if (r == 0)
		r = set_idents(p, s);
	if (r == 0)
		r = set_cred(p);
	if (r == 0)
		r = set_map(p, s, why);
	if (r == 0)
		r = set_alpn(p, s, why);
	if (r == 0 && (s->ocsp || s->need_ocsp)) {
		p->ocsp = ocsp_memory_new(s->ocsp, s->ocsp_arg, s->ocsp_url);
		r = p->ocsp ? 0 : -ENOMEM;
	}
	if (r == 0)
		set_warnings(p);
	return r;
}

int tls_policy_new(const struct tls_policy_spec *s, struct tls_policy **ret,
		   char *why)
{
	struct tls_policy *p = calloc(1, sizeof *p);
	int r;

	why[0] = '\0';
	if (!p)
		return refuse(why, -ENOMEM, "out of memory");
	atomic_init(&p->refs, 1);
	p->keylog_fd = -1;
	p->name = strdup(s->name ? s->name : "");
	r = p->name ? fill(p, s, why) : -ENOMEM;
	if (r < 0) {
		if (!why[0])
			(void)refuse(why, r, "%s", strerror(-r));
		tls_policy_unref(p);
		return r;
	}
	*ret = p;
	return 0;
}

struct tls_policy *tls_policy_ref(struct tls_policy *p)
{
	atomic_fetch_add(&p->refs, 1);
	return p;
}

void tls_policy_unref(struct tls_policy *p)
{
	if (!p || atomic_fetch_sub(&p->refs, 1) != 1)
		return;
	for (size_t i = 0; i < p->n_idents; i++)
		tls_ident_unref(p->idents[i]);
	free(p->idents);
	if (p->cred)
		gnutls_certificate_free_credentials(p->cred);
	suites_fini(&p->rules);
	tls_trust_unref(p->trust);
	tls_tickets_unref(p->tickets);
	tls_cache_unref(p->cache);
	ocsp_memory_free(p->ocsp);
	map_free(p->map_rules);
	if (p->keylog_fd >= 0)
		close(p->keylog_fd);
	free(p->name);
	free(p);
}

const char *tls_policy_warning(const struct tls_policy *p, unsigned i)
{
	return i < p->n_warnings ? p->warnings[i] : NULL;
}
