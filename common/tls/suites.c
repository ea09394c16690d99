#include "tls/suites.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum auth { AUTH_ANY, AUTH_RSA, AUTH_ECDSA };

struct suite {
	uint16_t number;
	const char *iana, *openssl;
	const char *kx, *cipher, *mac; /* GnuTLS' words; kx NULL: TLS 1.3 */
	enum auth auth;
	bool legacy; /* CBC, or no forward secrecy */
};

/* In the order of preference. RFC 8446, 5289, 7905, 5288, 5246, 4492, 6655. */
static const struct suite suites[] = {
	{0x1301, "TLS_AES_128_GCM_SHA256", "", NULL, "AES-128-GCM", "AEAD",
	 AUTH_ANY, false},
	{0x1302, "TLS_AES_256_GCM_SHA384", "", NULL, "AES-256-GCM", "AEAD",
	 AUTH_ANY, false},
	{0x1303, "TLS_CHACHA20_POLY1305_SHA256", "", NULL, "CHACHA20-POLY1305",
	 "AEAD", AUTH_ANY, false},
	{0x1304, "TLS_AES_128_CCM_SHA256", "", NULL, "AES-128-CCM", "AEAD",
	 AUTH_ANY, false},
	{0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
	 "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA", "AES-128-GCM", "AEAD",
	 AUTH_ECDSA, false},
	{0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
	 "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA", "AES-128-GCM", "AEAD",
	 AUTH_RSA, false},
	{0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
	 "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA", "AES-256-GCM", "AEAD",
	 AUTH_ECDSA, false},
	{0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
	 "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA", "AES-256-GCM", "AEAD",
	 AUTH_RSA, false},
	{0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
	 "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA", "CHACHA20-POLY1305",
	 "AEAD", AUTH_ECDSA, false},
	{0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
	 "ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-RSA", "CHACHA20-POLY1305",
	 "AEAD", AUTH_RSA, false},
	{0xc0ac, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM", "ECDHE-ECDSA-AES128-CCM",
	 "ECDHE-ECDSA", "AES-128-CCM", "AEAD", AUTH_ECDSA, false},
	{0x009e, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",
	 "DHE-RSA-AES128-GCM-SHA256", "DHE-RSA", "AES-128-GCM", "AEAD",
	 AUTH_RSA, false},
	{0x009f, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384",
	 "DHE-RSA-AES256-GCM-SHA384", "DHE-RSA", "AES-256-GCM", "AEAD",
	 AUTH_RSA, false},
	{0xccaa, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
	 "DHE-RSA-CHACHA20-POLY1305", "DHE-RSA", "CHACHA20-POLY1305", "AEAD",
	 AUTH_RSA, false},
	{0xc023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
	 "ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA", "AES-128-CBC", "SHA256",
	 AUTH_ECDSA, true},
	{0xc027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
	 "ECDHE-RSA-AES128-SHA256", "ECDHE-RSA", "AES-128-CBC", "SHA256",
	 AUTH_RSA, true},
	{0xc009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
	 "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA", "AES-128-CBC", "SHA1",
	 AUTH_ECDSA, true},
	{0xc013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA",
	 "ECDHE-RSA", "AES-128-CBC", "SHA1", AUTH_RSA, true},
	{0xc00a, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
	 "ECDHE-ECDSA-AES256-SHA", "ECDHE-ECDSA", "AES-256-CBC", "SHA1",
	 AUTH_ECDSA, true},
	{0xc014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA",
	 "ECDHE-RSA", "AES-256-CBC", "SHA1", AUTH_RSA, true},
	{0x0067, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256", "DHE-RSA-AES128-SHA256",
	 "DHE-RSA", "AES-128-CBC", "SHA256", AUTH_RSA, true},
	{0x006b, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256", "DHE-RSA-AES256-SHA256",
	 "DHE-RSA", "AES-256-CBC", "SHA256", AUTH_RSA, true},
	{0x0033, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA", "DHE-RSA-AES128-SHA",
	 "DHE-RSA", "AES-128-CBC", "SHA1", AUTH_RSA, true},
	{0x0039, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA", "DHE-RSA-AES256-SHA",
	 "DHE-RSA", "AES-256-CBC", "SHA1", AUTH_RSA, true},
	{0x009c, "TLS_RSA_WITH_AES_128_GCM_SHA256", "AES128-GCM-SHA256", "RSA",
	 "AES-128-GCM", "AEAD", AUTH_RSA, true},
	{0x009d, "TLS_RSA_WITH_AES_256_GCM_SHA384", "AES256-GCM-SHA384", "RSA",
	 "AES-256-GCM", "AEAD", AUTH_RSA, true},
	{0x003c, "TLS_RSA_WITH_AES_128_CBC_SHA256", "AES128-SHA256", "RSA",
	 "AES-128-CBC", "SHA256", AUTH_RSA, true},
	{0x003d, "TLS_RSA_WITH_AES_256_CBC_SHA256", "AES256-SHA256", "RSA",
	 "AES-256-CBC", "SHA256", AUTH_RSA, true},
	{0x002f, "TLS_RSA_WITH_AES_128_CBC_SHA", "AES128-SHA", "RSA",
	 "AES-128-CBC", "SHA1", AUTH_RSA, true},
	{0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA", "AES256-SHA", "RSA",
	 "AES-256-CBC", "SHA1", AUTH_RSA, true},
	{0xc012, "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
	 "ECDHE-RSA-DES-CBC3-SHA", "ECDHE-RSA", "3DES-CBC", "SHA1", AUTH_RSA,
	 true},
	{0x0016, "TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA", "DHE-RSA-DES-CBC3-SHA",
	 "DHE-RSA", "3DES-CBC", "SHA1", AUTH_RSA, true},
	{0x000a, "TLS_RSA_WITH_3DES_EDE_CBC_SHA", "DES-CBC3-SHA", "RSA",
	 "3DES-CBC", "SHA1", AUTH_RSA, true},
};

/* What the lists of IPv6/VSE hold and nobody should ever get. */
static const struct {
	uint16_t number;
	const char *why;
} never[] = {
	{0x0001, "NULL"},   {0x0002, "NULL"},   {0x003b, "NULL"},
	{0x0003, "export"}, {0x0006, "export"}, {0x0004, "RC4"},
	{0x0005, "RC4"},    {0x0009, "DES"},    {0x0012, "DES"},
	{0x0015, "DES"},    {0x0013, "DSS"},    {0x0032, "DSS"},
	{0x0038, "DSS"},
};

struct group {
	const char *name, *gnutls;
};

/* Names of IANA, of OpenSSL and of people. */
static const struct group groups[] = {
	{"X25519", "X25519"},       {"P-256", "SECP256R1"},
	{"SECP256R1", "SECP256R1"}, {"PRIME256V1", "SECP256R1"},
	{"P256", "SECP256R1"},      {"P-384", "SECP384R1"},
	{"SECP384R1", "SECP384R1"}, {"P384", "SECP384R1"},
	{"P-521", "SECP521R1"},     {"SECP521R1", "SECP521R1"},
	{"P521", "SECP521R1"},      {"X448", "X448"},
	{"FFDHE2048", "FFDHE2048"}, {"FFDHE3072", "FFDHE3072"},
	{"FFDHE4096", "FFDHE4096"}, {"FFDHE6144", "FFDHE6144"},
	{"FFDHE8192", "FFDHE8192"},
};

static const char default_groups[] =
	"X25519 P-256 P-384 P-521 X448 FFDHE2048 FFDHE3072";

/* ---- names --------------------------------------------------------------- */

const char *tls_suite_name(uint16_t number)
{
	for (size_t i = 0; i < ARRAY_SIZE(suites); i++)
		if (suites[i].number == number)
			return suites[i].iana;
	return NULL;
}

const char *tls_version_name(enum tls_version v)
{
	switch (v) {
	case TLS_1_0:
		return "TLS 1.0";
	case TLS_1_1:
		return "TLS 1.1";
	case TLS_1_2:
		return "TLS 1.2";
	case TLS_1_3:
		return "TLS 1.3";
	case TLS_VERSION_DEFAULT:
		break;
	}
	return "?";
}

int tls_version_parse(const char *text)
{
	static const struct {
		const char *text;
		enum tls_version v;
	} table[] = {
		{"1", TLS_1_0},   {"1.0", TLS_1_0}, {"1.1", TLS_1_1},
		{"1.2", TLS_1_2}, {"1.3", TLS_1_3},
	};

	if (strncasecmp(text, "TLS", 3) == 0)
		text += 3;
	text += strspn(text, " -");
	if (*text == 'v' || *text == 'V')
		text++;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (strcmp(text, table[i].text) == 0)
			return (int)table[i].v;
	return -EINVAL;
}

/* GnuTLS' names lack "WITH_" and say SHA1. */
static bool is_gnutls_name(const struct suite *s, const char *word)
{
	const char *with = strstr(s->iana, "WITH_");
	size_t head = with ? (size_t)(with - s->iana) : 0, n;

	if (!with || strncasecmp(word, s->iana, head) != 0)
		return false;
	n = strlen(with + 5);
	if (strncasecmp(word + head, with + 5, n) != 0)
		return false;
	return word[head + n] == '\0' || (strcmp(s->mac, "SHA1") == 0 &&
					  strcmp(word + head + n, "1") == 0);
}

static int hex_number(const char *word)
{
	char *end;
	unsigned long v;

	if (strncasecmp(word, "0x", 2) == 0)
		word += 2;
	if (!isxdigit((unsigned char)word[0]) || strlen(word) > 4)
		return -1;
	v = strtoul(word, &end, 16);
	return *end ? -1 : (int)v;
}

static const struct suite *find_suite(const char *word)
{
	int number = hex_number(word);

	for (size_t i = 0; i < ARRAY_SIZE(suites); i++)
		if ((number >= 0 && suites[i].number == number) ||
		    strcasecmp(word, suites[i].iana) == 0 ||
		    (suites[i].openssl[0] &&
		     strcasecmp(word, suites[i].openssl) == 0) ||
		    is_gnutls_name(&suites[i], word))
			return &suites[i];
	return NULL;
}

static int no_suite(const char *word, char *why)
{
	int number = hex_number(word);

	for (size_t i = 0; i < ARRAY_SIZE(never) && number >= 0; i++)
		if (never[i].number == number) {
			(void)snprintf(why, TLS_WHY_MAX,
				       "cipher suite %.40s is never used (%s)",
				       word, never[i].why);
			return -EINVAL;
		}
	(void)snprintf(why, TLS_WHY_MAX,
		       "cipher suite %.60s: the name or the hexadecimal number "
		       "of a suite is expected, as "
		       "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 or C02F",
		       word);
	return -EINVAL;
}

/* ---- lists
 * ------------------------------------------------------------------- */

struct list {
	const struct suite *suite[TLS_SUITES_MAX];
	unsigned n;
};

/* The next word of a list, apart by blanks, commas, colons; false: none. */
static bool next_word(const char **p, char *word, size_t cap)
{
	static const char gaps[] = " ,:\t\n";
	size_t n;

	*p += strspn(*p, gaps);
	n = strcspn(*p, gaps);
	if (n == 0)
		return false;
	(void)snprintf(word, cap, "%.*s", (int)MIN(n, cap - 1), *p);
	*p += n;
	return true;
}

static bool usable(const struct suite *s, const struct suite_wish *w)
{
	if (!s->kx)
		return w->max >= TLS_1_3;
	if (w->min > TLS_1_2)
		return false;
	/* AEAD and SHA-2 MACs came with TLS 1.2 */
	return w->max >= TLS_1_2 || strcmp(s->mac, "SHA1") == 0;
}

static int add(struct list *l, const struct suite *s, char *why)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->suite[i] == s)
			return 0;
	if (l->n == TLS_SUITES_MAX) {
		(void)snprintf(why, TLS_WHY_MAX, "more than %d cipher suites",
			       TLS_SUITES_MAX);
		return -EINVAL;
	}
	l->suite[l->n++] = s;
	return 0;
}

static int read_list(const struct suite_wish *w, struct list *l, char *why)
{
	const char *p = w->suites;
	char word[80];

	while (next_word(&p, word, sizeof word)) {
		const struct suite *s = find_suite(word);
		int r;

		if (!s)
			return no_suite(word, why);
		if (s->legacy && !w->legacy) {
			(void)snprintf(why, TLS_WHY_MAX,
				       "cipher suite %s is a legacy suite, and "
				       "legacy suites are not allowed here",
				       s->iana);
			return -EINVAL;
		}
		r = usable(s, w) ? add(l, s, why) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

/* Our own choice: forward secrecy and AEAD; with `legacy` all but 3DES. */
static void default_list(const struct suite_wish *w, struct list *l)
{
	for (size_t i = 0; i < ARRAY_SIZE(suites); i++) {
		const struct suite *s = &suites[i];

		if (!usable(s, w) || strstr(s->cipher, "CCM") ||
		    strcmp(s->cipher, "3DES-CBC") == 0)
			continue;
		/* finite fields are slow, and no client of today needs them */
		if ((s->legacy || (s->kx && s->kx[0] == 'D')) && !w->legacy)
			continue;
		l->suite[l->n++] = s;
	}
}

/* A list without a TLS 1.3 suite is a list for TLS 1.2: 1.3 keeps ours. */
static void complete_list(const struct suite_wish *w, struct list *l)
{
	for (unsigned i = 0; i < l->n; i++)
		if (!l->suite[i]->kx)
			return;
	for (size_t i = 0; i < ARRAY_SIZE(suites); i++)
		if (!suites[i].kx && usable(&suites[i], w) &&
		    !strstr(suites[i].cipher, "CCM") && l->n < TLS_SUITES_MAX)
			l->suite[l->n++] = &suites[i];
}

/* ---- GnuTLS' words
 * ------------------------------------------------------------ */

struct words {
	char text[2048];
	size_t len;
};

/* Appends ":+word", once. */
static void put(struct words *w, const char *kind, const char *word)
{
	char item[64];
	char *at;

	(void)snprintf(item, sizeof item, ":+%s%s", kind, word);
	at = strstr(w->text, item);
	if (at && (at[strlen(item)] == ':' || !at[strlen(item)]))
		return;
	if (w->len + strlen(item) + 1 > sizeof w->text)
		return;
	memcpy(w->text + w->len, item, strlen(item) + 1);
	w->len += strlen(item);
}

static void put_versions(struct words *w, const struct suite_wish *wish)
{
	static const struct {
		enum tls_version v;
		const char *word;
	} table[] = {{TLS_1_3, "VERS-TLS1.3"},
		     {TLS_1_2, "VERS-TLS1.2"},
		     {TLS_1_1, "VERS-TLS1.1"},
		     {TLS_1_0, "VERS-TLS1.0"}};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].v >= wish->min && table[i].v <= wish->max)
			put(w, "", table[i].word);
}

static void put_signatures(struct words *w, bool legacy)
{
	static const char *const table[] = {"ECDSA-SECP256R1-SHA256",
					    "RSA-PSS-RSAE-SHA256",
					    "RSA-PSS-SHA256",
					    "EDDSA-ED25519",
					    "ECDSA-SECP384R1-SHA384",
					    "RSA-PSS-RSAE-SHA384",
					    "RSA-PSS-SHA384",
					    "EDDSA-ED448",
					    "ECDSA-SECP521R1-SHA512",
					    "RSA-PSS-RSAE-SHA512",
					    "RSA-PSS-SHA512",
					    "ECDSA-SHA256",
					    "ECDSA-SHA384",
					    "ECDSA-SHA512",
					    "RSA-SHA256",
					    "RSA-SHA384",
					    "RSA-SHA512"};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		put(w, "SIGN-", table[i]);
	if (legacy) {
		put(w, "SIGN-", "ECDSA-SHA1");
		put(w, "SIGN-", "RSA-SHA1");
	}
}

static int put_groups(struct words *w, const char *list, char *why)
{
	const char *p = list ? list : default_groups;
	unsigned n = 0;
	char word[80];

	while (next_word(&p, word, sizeof word)) {
		size_t i = 0;

		while (i < ARRAY_SIZE(groups) &&
		       strcasecmp(word, groups[i].name) != 0)
			i++;
		if (i == ARRAY_SIZE(groups) || n == TLS_GROUPS_MAX) {
			(void)snprintf(why, TLS_WHY_MAX,
				       "group %.60s: expected at most %d of "
				       "X25519, X448, P-256, P-384, P-521, "
				       "FFDHE2048 to FFDHE8192",
				       word, TLS_GROUPS_MAX);
			return -EINVAL;
		}
		put(w, "GROUP-", groups[i].gnutls);
		n++;
	}
	return n || !list ? 0 : -EINVAL;
}

static int make(const struct suite_wish *wish, const struct list *l,
		const struct suite *only, gnutls_priority_t *ret, char *why)
{
	struct words w = {.text = "NONE", .len = 4};
	const char *at;
	int r;

	put_versions(&w, wish);
	for (unsigned i = 0; i < l->n; i++) {
		const struct suite *s = l->suite[i];

		if (only && s->kx && s != only)
			continue;
		put(&w, "", s->cipher);
		put(&w, "", s->mac);
		if (s->kx)
			put(&w, "", s->kx);
	}
	put_signatures(&w, wish->legacy);
	r = put_groups(&w, wish->groups, why);
	if (r < 0)
		return r;
	put(&w, "", "COMP-NULL");
	put(&w, "", "CTYPE-X509");
	if (wish->server)
		w.len += (size_t)snprintf(w.text + w.len, sizeof w.text - w.len,
					  ":%%SERVER_PRECEDENCE");
	r = gnutls_priority_init(ret, w.text, &at);
	if (r == GNUTLS_E_SUCCESS)
		return 0;
	(void)snprintf(why, TLS_WHY_MAX, "no usable cipher suite (%s at %.60s)",
		       gnutls_strerror(r), at ? at : "the start");
	return -EINVAL;
}

static int fill_choices(const struct suite_wish *w, const struct list *l,
			struct suite_rules *ret, char *why)
{
	int r = 0;

	for (unsigned i = 0; i < l->n && r == 0; i++) {
		struct suite_choice *c = &ret->suite[ret->n++];

		*c = (struct suite_choice){
			.number = l->suite[i]->number,
			.tls13 = !l->suite[i]->kx,
			.rsa_auth = l->suite[i]->auth == AUTH_RSA,
			.ecdsa_auth = l->suite[i]->auth == AUTH_ECDSA,
		};
		if (!c->tls13 && w->server)
			r = make(w, l, l->suite[i], &c->only, why);
	}
	return r;
}

int suites_compile(const struct suite_wish *w, struct suite_rules *ret,
		   char *why)
{
	struct list l = {.n = 0};
	int r = 0;

	*ret = (struct suite_rules){.listed = w->suites != NULL};
	if (w->suites)
		r = read_list(w, &l, why);
	else
		default_list(w, &l);
	if (r < 0)
		return r;
	if (w->suites && w->max >= TLS_1_3)
		complete_list(w, &l);
	if (!l.n) {
		(void)snprintf(why, TLS_WHY_MAX,
			       "no cipher suite is left for %s to %s",
			       tls_version_name(w->min),
			       tls_version_name(w->max));
		return -EINVAL;
	}
	r = make(w, &l, NULL, &ret->all, why);
	if (r == 0 && ret->listed)
		r = fill_choices(w, &l, ret, why);
	if (r < 0)
		suites_fini(ret);
	return r;
}

void suites_fini(struct suite_rules *r)
{
	if (r->all)
		gnutls_priority_deinit(r->all);
	for (unsigned i = 0; i < r->n; i++)
		if (r->suite[i].only)
			gnutls_priority_deinit(r->suite[i].only);
	*r = (struct suite_rules){.n = 0};
}

bool suites_allow(const struct suite_rules *r, uint16_t number)
{
	for (unsigned i = 0; i < r->n; i++)
		if (r->suite[i].number == number)
			return true;
	return !r->listed;
}
