/* tlsdeck.c: the commands, read and printed. Pure. */
#include "tlsdeck/tlsdeck.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#define FTP_PORT 21

void tlsdeck_init(struct tls_settings *s)
{
	*s = (struct tls_settings){
		.handshake_server = 1,
		.handshake_client = 3,
		.tickets = true,
	};
}

/* ---- key files
 * -------------------------------------------------------------- */

static bool plain_name(const char *text)
{
	for (const char *p = text; *p; p++) {
		if (!isalnum((unsigned char)*p) && !strchr("._-@#$", *p))
			return false;
	}
	return text[0] && strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

static void cmd_keyring(struct tls_settings *s, struct deck_args *a)
{
	const char *expected = "a library such as CRYPTO.KEYRING or the path "
			       "of a directory";
	const char *text = deck_args_text(a, "keyring", expected);

	if (!text)
		return;
	if (strlen(text) > TLSDECK_RING_MAX ||
	    (text[0] != '/' && !plain_name(text)))
		deck_args_expected(a, "keyring", "%s", expected);
	else if (s->keyring[0] && strcmp(s->keyring, text) != 0)
		deck_args_note(a, DECK_ERROR,
			       "KEYRING %s: there is one already, %s; a "
			       "KEYFILE elsewhere may be named by its path",
			       text, s->keyring);
	else
		memcpy(s->keyring, text, strlen(text) + 1);
	deck_args_end(a);
}

static void cmd_keyfile(struct tls_settings *s, struct deck_args *a)
{
	char member[TLSDECK_PATH_MAX + 1];
	const char *text = deck_args_peek(a);
	bool ok = text && text[0] == '/'
			  ? deck_args_path(a, "file", TLSDECK_PATH_MAX, member)
			  : deck_args_name(a, "member", "._-@#$",
					   TLSDECK_MEMBER_MAX, member);

	if (ok)
		memcpy(s->keyfile, member, strlen(member) + 1);
	deck_args_end(a);
}

const char *tlsdeck_ring(const struct tls_settings *s, char *buf, size_t len)
{
	const char *ring = s->keyring[0] ? s->keyring : "keyring";

	if (ring[0] == '/')
		snprintf(buf, len, "%s", ring);
	else
		snprintf(buf, len, "%s/%s", TLSDECK_RING_DIR, ring);
	return buf;
}

/* ---- versions
 * --------------------------------------------------------------- */

static const struct {
	const char *word;
	enum tls_version min, max;
} sectypes[] = {
	/* what it did on z/VSE: the highest that both sides know */
	{"TLSV1", TLS_VERSION_DEFAULT, TLS_VERSION_DEFAULT},
	{"TLSV1.0", TLS_1_0, TLS_1_0},
	{"TLSV1.1", TLS_1_1, TLS_1_1},
	{"TLSV1.2", TLS_1_2, TLS_1_2},
	{"TLSV1.3", TLS_1_3, TLS_1_3},
};

static bool read_sectype(struct deck_args *a, unsigned *ret)
{
	const char *words[ARRAY_SIZE(sectypes)];
	const char *text = deck_args_peek(a);

	for (size_t i = 0; i < ARRAY_SIZE(sectypes); i++)
		words[i] = sectypes[i].word;
	if (text && strncasecmp(text, "SSLV", 4) == 0) {
		(void)deck_args_text(a, "version", "a version");
		deck_args_note(a, DECK_ERROR,
			       "SECTYPE %s is broken beyond use: expected "
			       "TLSV1, TLSV1.2 or TLSV1.3",
			       text);
		return false;
	}
	return deck_args_word(a, "version", words, ARRAY_SIZE(words), ret);
}

static void cmd_sectype(struct tls_settings *s, struct deck_args *a)
{
	unsigned lo, hi;

	if (!read_sectype(a, &lo))
		return;
	hi = lo;
	if (deck_args_more(a) && !read_sectype(a, &hi))
		return;
	if (hi < lo || (hi != lo && !lo)) {
		deck_args_expected(a, "version",
				   "a version above the first one");
		return;
	}
	snprintf(s->sectype[0], sizeof s->sectype[0], "%s", sectypes[lo].word);
	s->sectype[1][0] = '\0';
	if (hi != lo)
		snprintf(s->sectype[1], sizeof s->sectype[1], "%s",
			 sectypes[hi].word);
	s->min_version = sectypes[lo].min;
	s->max_version = sectypes[hi].max;
	if (s->min_version && s->min_version < TLS_1_2)
		deck_args_note(a, DECK_WARNING,
			       "%s is deprecated [RFC8996]; expected TLSV1.2 "
			       "or TLSV1.3",
			       s->sectype[0]);
	deck_args_end(a);
}

/* ---- the others
 * ------------------------------------------------------------- */

static bool read_ftp_tls(struct deck_args *a, enum tlsdeck_ftp *ret)
{
	if (deck_args_is(a, "IMPLICIT"))
		*ret = TLSDECK_FTP_IMPLICIT;
	else if (deck_args_is(a, "EXPLICIT"))
		*ret = TLSDECK_FTP_EXPLICIT;
	else
		return false;
	return true;
}

static void set_ftp(struct tls_settings *s, bool ftp)
{
	s->ftp = ftp;
	s->ftp_tls[0] = s->ftp_tls[1] = TLSDECK_FTP_BY_PORT;
}

static void read_ftp(struct tls_settings *s, struct deck_args *a)
{
	set_ftp(s, true);
	if (!read_ftp_tls(a, &s->ftp_tls[0]))
		return;
	s->ftp_tls[1] = s->ftp_tls[0];
	if (s->two_sides)
		(void)read_ftp_tls(a, &s->ftp_tls[1]);
}

bool tlsdeck_ftp_explicit(const struct tls_settings *s, int side, uint16_t port)
{
	if (s->ftp_tls[side] == TLSDECK_FTP_BY_PORT)
		return port == FTP_PORT;
	return s->ftp_tls[side] == TLSDECK_FTP_EXPLICIT;
}

static void cmd_option(struct tls_settings *s, struct deck_args *a)
{
	static const char *const words[] = {"SERVER", "CLIENT", "FTP", "NOFTP"};
	unsigned i;

	do {
		if (!deck_args_word(a, "option", words, ARRAY_SIZE(words), &i))
			return;
		if (i == 2) {
			read_ftp(s, a);
			continue;
		}
		/* SERVER and CLIENT begin a new group of commands */
		set_ftp(s, false);
		if (i < 2)
			s->option = i ? TLSDECK_CLIENT : TLSDECK_SERVER;
	} while (deck_args_more(a));
}

static void one_of_two(struct deck_args *a, const char *what, const char *x,
		       const char *y, uint8_t vx, uint8_t vy, uint8_t *ret)
{
	const char *const words[] = {x, y};
	unsigned i;

	if (deck_args_word(a, what, words, 2, &i))
		*ret = i ? vy : vx;
	deck_args_end(a);
}

static void cmd_handshake_server(struct tls_settings *s, struct deck_args *a)
{
	one_of_two(a, "handshake", "1", "2", 1, 2, &s->handshake_server);
}

static void cmd_handshake_client(struct tls_settings *s, struct deck_args *a)
{
	one_of_two(a, "handshake", "0", "3", 0, 3, &s->handshake_client);
}

static void yes_no(struct deck_args *a, bool *ret)
{
	uint8_t v = *ret;

	one_of_two(a, "answer", "NO", "YES", 0, 1, &v);
	*ret = v;
}

static void cmd_ca_auth(struct tls_settings *s, struct deck_args *a)
{
	yes_no(a, &s->ca_auth);
}

static void cmd_ca_auth_type(struct tls_settings *s, struct deck_args *a)
{
	uint32_t v;

	if (deck_args_u32(a, "type", 0, 3, &v))
		s->ca_auth_type = (uint8_t)v;
	deck_args_end(a);
}

static void cmd_legacy(struct tls_settings *s, struct deck_args *a)
{
	yes_no(a, &s->legacy);
}

static void cmd_tickets(struct tls_settings *s, struct deck_args *a)
{
	yes_no(a, &s->tickets);
}

/* The rest of the record, words apart by one blank; a lone star: default. */
static void read_list(struct deck_args *a, const char *what,
		      const char *expected, char *ret, size_t cap)
{
	char list[TLSDECK_LIST_MAX + 1] = "";
	size_t used = 0;

	if (deck_args_default(a)) {
		ret[0] = '\0';
		deck_args_end(a);
		return;
	}
	do {
		const char *word = deck_args_text(a, what, expected);
		size_t len = word ? strlen(word) : 0;

		if (!word)
			return;
		if (used + len + 2 > cap) {
			deck_args_expected(a, what, "at most %zu bytes in all",
					   cap - 1);
			return;
		}
		if (used)
			list[used++] = ' ';
		memcpy(list + used, word, len + 1);
		used += len;
	} while (deck_args_more(a));
	memcpy(ret, list, used + 1);
}

static void cmd_ciphers(struct tls_settings *s, struct deck_args *a)
{
	read_list(a, "ciphers", "names or numbers of cipher suites, or *",
		  s->ciphers, sizeof s->ciphers);
}

static void cmd_groups(struct tls_settings *s, struct deck_args *a)
{
	read_list(a, "groups", "names of groups such as X25519, or *",
		  s->groups, sizeof s->groups);
}

static void cmd_alpn(struct tls_settings *s, struct deck_args *a)
{
	read_list(a, "protocols", "names of protocols such as h2, or *",
		  s->alpn, sizeof s->alpn);
}

static void cmd_cafile(struct tls_settings *s, struct deck_args *a)
{
	if (deck_args_default(a))
		s->cafile[0] = '\0';
	else if (deck_args_is(a, "SYSTEM"))
		memcpy(s->cafile, "SYSTEM", sizeof "SYSTEM");
	else
		(void)deck_args_path(a, "file", TLSDECK_PATH_MAX, s->cafile);
	deck_args_end(a);
}

static void cmd_crlfile(struct tls_settings *s, struct deck_args *a)
{
	if (deck_args_default(a))
		s->crlfile[0] = '\0';
	else
		(void)deck_args_path(a, "file", TLSDECK_PATH_MAX, s->crlfile);
	deck_args_end(a);
}

static void path_or_star(struct deck_args *a, char *ret)
{
	if (deck_args_default(a))
		ret[0] = '\0';
	else
		(void)deck_args_path(a, "file", TLSDECK_PATH_MAX, ret);
	deck_args_end(a);
}

static void cmd_keylog(struct tls_settings *s, struct deck_args *a)
{
	path_or_star(a, s->keylog);
	if (s->keylog[0])
		deck_args_note(a, DECK_WARNING,
			       "KEYLOG: whoever reads %s reads the "
			       "connections; for debugging only",
			       s->keylog);
}

static void cmd_ocspfile(struct tls_settings *s, struct deck_args *a)
{
	path_or_star(a, s->ocspfile);
}

static void cmd_passfile(struct tls_settings *s, struct deck_args *a)
{
	path_or_star(a, s->passfile);
}

static const char *const ocsp_words[] = {"NO", "YES", "REQUIRED"};
static_assert(TLSDECK_OCSP_YES == 1 && TLSDECK_OCSP_REQUIRED == 2,
	      "in the order of enum tlsdeck_ocsp");

static void cmd_ocsp(struct tls_settings *s, struct deck_args *a)
{
	const char *expected = "the URL of a responder, http://host/path";
	const char *url = "";
	unsigned i;

	if (!deck_args_word(a, "answer", ocsp_words, ARRAY_SIZE(ocsp_words),
			    &i))
		return;
	if (i != TLSDECK_OCSP_NO && deck_args_more(a)) {
		url = deck_args_text(a, "responder", expected);
		if (!url)
			return;
		if (strncasecmp(url, "http://", 7) != 0 || !url[7] ||
		    strlen(url) > TLSDECK_URL_MAX) {
			deck_args_expected(a, "responder", "%s", expected);
			return;
		}
	}
	s->ocsp = (enum tlsdeck_ocsp)i;
	memcpy(s->ocsp_url, url, strlen(url) + 1);
	deck_args_end(a);
}

static const char *const map_words[] = {"NONE",      "CN",  "EMAIL",
					"EMAILUSER", "DNS", "FILE"};
static_assert(TLS_MAP_FILE == 5 && TLS_MAP_DNS == 4 && TLS_MAP_CN == 1,
	      "in the order of enum tls_map");

static void cmd_mapuser(struct tls_settings *s, struct deck_args *a)
{
	unsigned i;

	if (!deck_args_word(a, "way", map_words, ARRAY_SIZE(map_words), &i))
		return;
	if (i == TLS_MAP_FILE &&
	    !deck_args_path(a, "file", TLSDECK_PATH_MAX, s->mapfile))
		return;
	if (i != TLS_MAP_FILE)
		s->mapfile[0] = '\0';
	s->map = (enum tls_map)i;
	s->need_user = i != TLS_MAP_NONE && deck_args_is(a, "REQUIRED");
	deck_args_end(a);
}

static const struct {
	const char *keyword;
	void (*read)(struct tls_settings *s, struct deck_args *a);
} commands[] = {
	{"KEYRING", cmd_keyring},
	{"KEYFILE", cmd_keyfile},
	{"PASSFILE", cmd_passfile},
	{"SECTYPE", cmd_sectype},
	{"OPTION", cmd_option},
	{"HANDSHAKE_SERVER", cmd_handshake_server},
	{"HANDSHAKE_CLIENT", cmd_handshake_client},
	{"CA_AUTH", cmd_ca_auth},
	{"CA_AUTH_TYPE", cmd_ca_auth_type},
	{"CIPHERS", cmd_ciphers},
	{"GROUPS", cmd_groups},
	{"LEGACY", cmd_legacy},
	{"CAFILE", cmd_cafile},
	{"CRLFILE", cmd_crlfile},
	{"ALPN", cmd_alpn},
	{"TICKETS", cmd_tickets},
	{"KEYLOG", cmd_keylog},
	{"OCSPFILE", cmd_ocspfile},
	{"OCSP", cmd_ocsp},
	{"MAPUSER", cmd_mapuser},
};

bool tlsdeck_command(struct tls_settings *s, struct deck_args *a)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(a->cmd->keyword, commands[i].keyword) == 0) {
			commands[i].read(s, a);
			return true;
		}
	}
	return false;
}

size_t tlsdeck_keywords(const char **ret)
{
	static_assert(ARRAY_SIZE(commands) <= TLSDECK_COMMANDS_MAX,
		      "room for all keywords");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		ret[i] = commands[i].keyword;
	return ARRAY_SIZE(commands);
}

/* ---- canonical form
 * --------------------------------------------------------- */

static void print_text(FILE *out, const char *keyword, const char *from,
		       const char *to)
{
	if (strcmp(from, to) != 0)
		fprintf(out, "%s %s\n", keyword, to[0] ? to : "*");
}

static void print_number(FILE *out, const char *keyword, unsigned from,
			 unsigned to)
{
	if (from != to)
		fprintf(out, "%s %u\n", keyword, to);
}

static void print_yes(FILE *out, const char *keyword, bool from, bool to)
{
	if (from != to)
		fprintf(out, "%s %s\n", keyword, to ? "YES" : "NO");
}

static void print_option(FILE *out, const struct tls_settings *from,
			 const struct tls_settings *to)
{
	static const char *const names[] = {"", "SERVER", "CLIENT"};
	static const char *const how[] = {"", " IMPLICIT", " EXPLICIT"};
	bool ftp = from->ftp;

	if (from->option != to->option) {
		fprintf(out, "OPTION %s\n", names[to->option]);
		ftp = false;
	}
	if (to->ftp && (!ftp || from->ftp_tls[0] != to->ftp_tls[0] ||
			from->ftp_tls[1] != to->ftp_tls[1]))
		fprintf(out, "OPTION FTP%s%s\n", how[to->ftp_tls[0]],
			to->ftp_tls[0] != to->ftp_tls[1] ? how[to->ftp_tls[1]]
							 : "");
	else if (ftp && !to->ftp)
		fprintf(out, "OPTION NOFTP\n");
}

static const char *const log_words[] = {"ALL", "FAILURES", "NONE"};

void tlsdeck_log_read(struct deck_args *a, enum tlsdeck_log *ret)
{
	unsigned i;

	if (deck_args_word(a, "what", log_words, ARRAY_SIZE(log_words), &i))
		*ret = (enum tlsdeck_log)i;
	deck_args_end(a);
}

void tlsdeck_log_print(enum tlsdeck_log l, FILE *out)
{
	if (l != TLSDECK_LOG_ALL)
		fprintf(out, "LOG %s\n", log_words[l]);
}

void tlsdeck_print(const struct tls_settings *from,
		   const struct tls_settings *to, FILE *out)
{
	print_text(out, "KEYRING", from->keyring, to->keyring);
	print_text(out, "KEYFILE", from->keyfile, to->keyfile);
	print_text(out, "PASSFILE", from->passfile, to->passfile);
	if (strcmp(from->sectype[0], to->sectype[0]) != 0 ||
	    strcmp(from->sectype[1], to->sectype[1]) != 0)
		fprintf(out, "SECTYPE %s%s%s\n", to->sectype[0],
			to->sectype[1][0] ? " " : "", to->sectype[1]);
	print_option(out, from, to);
	print_number(out, "HANDSHAKE_SERVER", from->handshake_server,
		     to->handshake_server);
	print_number(out, "HANDSHAKE_CLIENT", from->handshake_client,
		     to->handshake_client);
	print_yes(out, "CA_AUTH", from->ca_auth, to->ca_auth);
	print_number(out, "CA_AUTH_TYPE", from->ca_auth_type, to->ca_auth_type);
	print_text(out, "CIPHERS", from->ciphers, to->ciphers);
	print_text(out, "GROUPS", from->groups, to->groups);
	print_yes(out, "LEGACY", from->legacy, to->legacy);
	print_text(out, "CAFILE", from->cafile, to->cafile);
	print_text(out, "CRLFILE", from->crlfile, to->crlfile);
	print_text(out, "ALPN", from->alpn, to->alpn);
	print_yes(out, "TICKETS", from->tickets, to->tickets);
	print_text(out, "OCSPFILE", from->ocspfile, to->ocspfile);
	if (from->ocsp != to->ocsp || strcmp(from->ocsp_url, to->ocsp_url) != 0)
		fprintf(out, "OCSP %s%s%s\n", ocsp_words[to->ocsp],
			to->ocsp_url[0] ? " " : "", to->ocsp_url);
	print_text(out, "KEYLOG", from->keylog, to->keylog);
	if (from->map != to->map || from->need_user != to->need_user ||
	    strcmp(from->mapfile, to->mapfile) != 0)
		fprintf(out, "MAPUSER %s%s%s%s\n", map_words[to->map],
			to->mapfile[0] ? " " : "", to->mapfile,
			to->need_user ? " REQUIRED" : "");
}
