/*
 * map.h: client certificate to user name. Pure: text and facts in, name out.
 *
 * A map is lines of three words, the first that fits decides:
 *
 *	# field   what it must be       user
 *	SHA256    9f86d081...           OPER1
 *	SUBJECT   "CN=Jane,O=Example"   JANE
 *	CN        "Payroll *"           PAYROLL
 *	EMAIL     *@example.org         *
 *	DNS       *.branch.example.org  BRANCH
 *
 * The field is SHA256 (fingerprint in hexadecimal, colons allowed), SUBJECT
 * (RFC 4514), CN, EMAIL or DNS (each such name of the certificate is tried).
 * One * in the second word stands for any text, * as user for what it stood
 * for. Case counts in user names only.
 */
#ifndef COUPLET_TLS_MAP_H
#define COUPLET_TLS_MAP_H

#include "base/base.h"

enum {
	MAP_RULES_MAX = 4096,
	MAP_NAMES_MAX = 8, /* e-mail addresses or DNS names looked at */
	MAP_NAME_MAX = 256,
};

struct map_rules;

/* What a certificate says; "" and 0 where it says nothing. */
struct map_facts {
	char sha256[65];
	char subject[512];
	char cn[MAP_NAME_MAX];
	char email[MAP_NAMES_MAX][MAP_NAME_MAX];
	char dns[MAP_NAMES_MAX][MAP_NAME_MAX];
	unsigned n_email, n_dns;
};

/* Reads a map. 0, or -EINVAL/-ENOMEM and in `why` (cap bytes) a sentence with
 * the number of the line. */
int map_parse(const char *text, struct map_rules **ret, char *why,
	      size_t cap) MUST_USE;
void map_free(struct map_rules *m);
/* Copies name[0..len) to user[0..cap) if it can be a user's name: not empty, no
 * blank, no control character, short enough. */
bool map_user(const char *name, size_t len, char *user, size_t cap);
/* The user for `f` into user[0..cap); false: nobody. A name that does not fit
 * or holds bytes below blank is nobody's. */
bool map_find(const struct map_rules *m, const struct map_facts *f, char *user,
	      size_t cap);

#endif
