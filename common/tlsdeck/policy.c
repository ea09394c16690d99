/*
 * policy.c: from settings to a policy of the TLS room.
 *
 * Who is checked: a server asks for a certificate with HANDSHAKE_SERVER 2 or
 * CA_AUTH YES; with CA_AUTH_TYPE 3 (pass through) one that does not come is no
 * error. A client checks the server's with HANDSHAKE_CLIENT 0. Whom we
 * believe is in CAFILE, without one the CA certificates of the key file, and
 * for a client without either those of the system.
 */
#include "deck/deck.h"
#include "keys/keys.h"
#include "ocsp/fetch.h"
#include "tlsdeck/tlsdeck.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct build {
	struct keys_pair *pair; /* the first; whose CAs are trusted */
	struct tls_ident *idents[TLSDECK_MEMBERS_MAX];
	struct tls_trust *trust;
	char *map; /* text of MAPUSER FILE */
	char alpn[TLSDECK_LIST_MAX + 1];
	const char *alpn_names[TLS_ALPN_MAX];
	struct tls_policy_spec spec;
};

static int load_pair(const struct tls_settings *s, const char *member,
		     const struct tlsdeck_shared *shared, const struct build *b,
		     struct keys_pair **ret, char *why)
{
	char ring[TLSDECK_PATH_MAX * 2];
	struct keys_source src = {
		.name = member,
		.pass_file = s->passfile[0] ? s->passfile : NULL,
	};

	if (member[0] != '/')
		src.ring = tlsdeck_ring(s, ring, sizeof ring);

	if (b->spec.role == TLS_SERVER)
		src.need = KEYS_NEED_KEY | KEYS_NEED_CERT;
	return keys_load(shared->keys, &src, ret, why);
}

static int add_ident(struct build *b, struct keys_pair *pair, char *why)
{
	int r;

	if (keys_pair_type(pair) == KEYS_TYPE_NONE)
		return 0;
	r = tls_ident_new(pair, &b->idents[b->spec.n_idents], why);
	if (r == 0)
		b->spec.n_idents++;
	b->spec.idents = b->idents;
	return r;
}

/* "SSL01 SSL02": a certificate of each, chosen by the name that a client asks
 * for; the first is the default. */
static int load_members(const struct tls_settings *s, const char *members,
			const struct tlsdeck_shared *shared, struct build *b,
			char *why)
{
	char list[TLSDECK_MEMBERS_MAX * (TLSDECK_MEMBER_MAX + 1)];
	char *next = list, *word;
	int r = 0;

	snprintf(list, sizeof list, "%s", members);
	while (r == 0 && (word = strsep(&next, " "))) {
		struct keys_pair *pair = NULL;

		if (!*word || b->spec.n_idents == TLSDECK_MEMBERS_MAX)
			continue;
		r = load_pair(s, word, shared, b, &pair, why);
		if (r == 0)
			r = add_ident(b, pair, why);
		if (b->pair)
			keys_pair_unref(pair);
		else
			b->pair = pair;
	}
	return r;
}

static enum tls_verify verify_of(const struct tls_settings *s,
				 enum tls_role role)
{
	if (role == TLS_CLIENT)
		return s->handshake_client == 0 ? TLS_VERIFY_REQUIRED
						: TLS_VERIFY_NONE;
	if (s->handshake_server != 2 && !s->ca_auth)
		return TLS_VERIFY_NONE;
	return s->ca_auth_type == 3 ? TLS_VERIFY_OPTIONAL : TLS_VERIFY_REQUIRED;
}

static int make_trust(const struct tls_settings *s, struct build *b, char *why)
{
	int r = tls_trust_new(&b->trust);
	int n;

	if (r < 0)
		return r;
	if (strcmp(s->cafile, "SYSTEM") == 0)
		n = tls_trust_add_system(b->trust, why);
	else if (s->cafile[0])
		n = tls_trust_add_file(b->trust, s->cafile, why);
	else
		n = b->pair ? tls_trust_add_pair(b->trust, b->pair) : 0;
	if (n == 0 && b->spec.role == TLS_CLIENT && !s->cafile[0])
		n = tls_trust_add_system(b->trust, why);
	if (n < 0)
		return n;
	if (n == 0) {
		snprintf(why, TLS_WHY_MAX,
			 "there is no CA certificate to check peers against: "
			 "expected one in the key file, or CAFILE");
		return -ENOENT;
	}
	if (!s->crlfile[0])
		return 0;
	r = tls_trust_add_crl_file(b->trust, s->crlfile, why);
	return r < 0 ? r : 0;
}

/* "h2 http/1.1" into pointers to its words. */
static int split_alpn(const struct tls_settings *s, struct build *b, char *why)
{
	char *next = b->alpn, *word;

	memcpy(b->alpn, s->alpn, sizeof b->alpn);
	while ((word = strsep(&next, " "))) {
		if (!*word)
			continue;
		if (b->spec.n_alpn == TLS_ALPN_MAX) {
			snprintf(why, TLS_WHY_MAX,
				 "ALPN: expected at most %d protocols",
				 TLS_ALPN_MAX);
			return -E2BIG;
		}
		b->alpn_names[b->spec.n_alpn++] = word;
	}
	b->spec.alpn = b->alpn_names;
	return 0;
}

/* A small file as text or bytes; the caller frees. */
static int load_file(const char *path, char **ret, size_t *len, char *why)
{
	int r = deck_load_file(NULL, path, ret, len);

	if (r < 0)
		snprintf(why, TLS_WHY_MAX, "%s: %s", path, strerror(-r));
	return r;
}

static int staple(const struct tls_settings *s, struct build *b, char *why)
{
	char *der;
	size_t len;
	int r;

	if (!s->ocspfile[0] || !b->spec.n_idents)
		return 0;
	r = load_file(s->ocspfile, &der, &len, why);
	if (r < 0)
		return r;
	r = tls_ident_staple(b->idents[0], der, len, why);
	free(der);
	return r;
}

/* Like the map it says something only where a certificate is checked. */
static int set_ocsp(const struct tls_settings *s,
		    const struct tlsdeck_shared *shared, struct build *b,
		    char *why)
{
	if (s->ocsp == TLSDECK_OCSP_NO || b->spec.verify == TLS_VERIFY_NONE)
		return 0;
	if (!shared->ocsp && b->spec.role == TLS_SERVER) {
		snprintf(why, TLS_WHY_MAX,
			 "OCSP: this daemon asks no responder about clients: "
			 "expected CRLFILE, or a rule of tlsd");
		return -EOPNOTSUPP;
	}
	if (s->ocsp_url[0] && !ocsp_fetch_url_ok(s->ocsp_url)) {
		snprintf(why, TLS_WHY_MAX,
			 "OCSP %s: expected http://host[:port]/path",
			 s->ocsp_url);
		return -EINVAL;
	}
	b->spec.ocsp = shared->ocsp ? ocsp_fetch : NULL;
	b->spec.ocsp_arg = shared->ocsp;
	b->spec.ocsp_url = s->ocsp_url[0] ? s->ocsp_url : NULL;
	b->spec.need_ocsp = s->ocsp == TLSDECK_OCSP_REQUIRED;
	return 0;
}

static int load_map(const struct tls_settings *s, struct build *b, char *why)
{
	size_t len;
	char *text;
	int r;

	if (b->spec.role == TLS_CLIENT || b->spec.verify == TLS_VERIFY_NONE)
		return 0;
	b->spec.map = s->map;
	b->spec.need_user = s->need_user;
	if (s->map != TLS_MAP_FILE)
		return 0;
	r = load_file(s->mapfile, &text, &len, why);
	if (r < 0)
		return r;
	b->map = strndup(text, len);
	free(text);
	b->spec.map_file = b->map;
	return b->map ? 0 : -ENOMEM;
}

static int open_keylog(const struct tls_settings *s, struct build *b, char *why)
{
	int r;

	if (!s->keylog[0])
		return 0;
	b->spec.keylog_fd = open(
		s->keylog,
		O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (b->spec.keylog_fd >= 0)
		return 0;
	r = -errno;
	snprintf(why, TLS_WHY_MAX, "%s: %s", s->keylog, strerror(-r));
	b->spec.keylog_fd = 0;
	return r;
}

static int fill(const struct tls_settings *s, const char *member,
		const struct tlsdeck_shared *shared, struct build *b, char *why)
{
	int r = 0;

	b->spec.min_version = s->min_version;
	b->spec.max_version = s->max_version;
	b->spec.suites = s->ciphers[0] ? s->ciphers : NULL;
	b->spec.groups = s->groups[0] ? s->groups : NULL;
	b->spec.legacy = s->legacy;
	b->spec.verify = verify_of(s, b->spec.role);
	b->spec.check_name =
		b->spec.role == TLS_CLIENT && b->spec.verify != TLS_VERIFY_NONE;
	if (s->tickets && b->spec.role == TLS_SERVER)
		b->spec.tickets = shared->tickets;
	if (s->tickets && b->spec.role == TLS_CLIENT)
		b->spec.cache = shared->cache;
	if (member[0])
		r = load_members(s, member, shared, b, why);
	if (r == 0 && b->spec.verify != TLS_VERIFY_NONE) {
		r = make_trust(s, b, why);
		b->spec.trust = b->trust;
	}
	if (r == 0)
		r = staple(s, b, why);
	if (r == 0)
		r = load_map(s, b, why);
	if (r == 0)
		r = set_ocsp(s, shared, b, why);
	if (r == 0)
		r = open_keylog(s, b, why);
	return r == 0 ? split_alpn(s, b, why) : r;
}

static void tell(const struct tls_policy *p, const struct build *b, char *notes)
{
	size_t used = 0;
	const char *text;

	snprintf(notes, TLS_WHY_MAX, "%s",
		 b->pair ? keys_pair_notes(b->pair) : "");
	for (unsigned i = 0; (text = tls_policy_warning(p, i)); i++) {
		used = strlen(notes);
		snprintf(notes + used, TLS_WHY_MAX - used, "%s%s",
			 used ? "\n" : "", text);
	}
}

int tlsdeck_policy(const struct tls_settings *s, enum tls_role role,
		   const char *name, const char *member,
		   const struct tlsdeck_shared *shared, struct tls_policy **ret,
		   char *why, char *notes)
{
	struct build b = {.spec = {.name = name, .role = role}};
	int r;

	why[0] = '\0';
	if (!member[0])
		member = s->keyfile;
	if (!member[0] && role == TLS_SERVER) {
		snprintf(why, TLS_WHY_MAX,
			 "a TLS server needs a key file: expected KEYFILE");
		return -ENOENT;
	}
	r = fill(s, member, shared, &b, why);
	if (r == 0)
		r = tls_policy_new(&b.spec, ret, why);
	if (r == 0 && notes)
		tell(*ret, &b, notes);
	tls_trust_unref(b.trust);
	free(b.map);
	if (b.spec.keylog_fd > 0)
		close(b.spec.keylog_fd);
	for (size_t i = 0; i < ARRAY_SIZE(b.idents); i++)
		tls_ident_unref(b.idents[i]);
	keys_pair_unref(b.pair);
	if (r < 0 && !why[0])
		snprintf(why, TLS_WHY_MAX, "%s", strerror(-r));
	return r;
}
