/*
 * couplet-keys: makes, checks, converts key files.
 */
#include "keys/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <openssl/crypto.h>
#include <openssl/provider.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
	"couplet-keys WORD [OPTION...] [FILE...]: key files for tlsd and "
	"proxyd\n"
	"\n"
	"  ca      make a certification authority      --cn NAME -o FILE\n"
	"  server  make a server's key file            --ca FILE --san NAME... "
	"-o FILE\n"
	"  client  make a client's key file            --ca FILE --cn NAME -o "
	"FILE\n"
	"  crl     revoke certificates                 --ca FILE -o FILE "
	"[FILE...]\n"
	"  check   say what is in key files            FILE...\n"
	"  convert PEM to PKCS#12 and back             --to pem|p12 -o FILE "
	"FILE\n"
	"  strip   take the CA's private key out       [-o FILE] FILE\n"
	"\n"
	"      --cn NAME             common name of the subject\n"
	"      --org NAME            organization\n"
	"      --san NAME            DNS name, address or e-mail address, may be "
	"repeated\n"
	"      --key KIND            P-256 (default), P-384, P-521, ED25519, "
	"RSA-2048 to RSA-8192\n"
	"      --days N              how long it is good; default 365, CA 3650, "
	"CRL 30\n"
	"      --ocsp URL            OCSP responder\n"
	"      --ca FILE             key file of the CA, with its private key\n"
	"      --pass-file FILE      pass-phrase of what is read\n"
	"      --ca-pass-file FILE   pass-phrase of the CA's key file\n"
	"      --out-pass-file FILE  pass-phrase for what is written\n"
	"  -o, --out FILE            what is written (mode 0600)\n"
	"      --force               write over a file that is there\n"
	"      --json                result as one JSON object\n"
	"  -h, --help                this text\n"
	"  -V, --version\n"
	"\n"
	"Pass-phrases are the first line of a file that only its owner can "
	"read.\n";

static const struct {
	const char *word;
	tool_fn *fn;
	unsigned days;
	int min_files, max_files;
	bool needs_out, needs_ca;
} words[] = {
	{"ca", tool_ca, 3650, 0, 0, true, false},
	{"server", tool_server, 365, 0, 0, true, true},
	{"client", tool_client, 365, 0, 0, true, true},
	{"crl", tool_crl, 30, 0, 1000, true, true},
	{"check", tool_check, 0, 1, 1000, false, false},
	{"convert", tool_convert, 0, 1, 1, true, false},
	{"strip", tool_strip, 0, 1, 1, false, false},
};

/* Days that a certificate may be good for: a date of four digits. */
enum { DAYS_MAX = 365000 };

/* ---- tools of the words
 * ------------------------------------------------------ */

int tool_fail(struct tool *t, const char *fmt, ...)
{
	char text[2 * KEYS_WHY_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (t->json)
		json_object_object_add(t->result, "error",
				       json_object_new_string(text));
	else
		(void)fprintf(stderr, "couplet-keys: %s\n", text);
	return TOOL_EXIT_FAILED;
}

bool tool_read(struct tool *t, const char *path, const char *pass_file,
	       unsigned need, struct keyfile *k)
{
	struct keys_source s = {
		.name = path, .pass_file = pass_file, .need = need};
	char why[KEYS_WHY_MAX];
	struct keys_source_file f;
	int r = keys_source_parse(&s, t->now, &f, k, why);

	keys_source_fini(&f);
	if (r < 0)
		(void)tool_fail(t, "%s", why);
	return r == 0;
}

bool tool_out_pass(struct tool *t, char *pass, const char **ret)
{
	char why[KEYS_WHY_MAX];

	*ret = NULL;
	if (!t->out_pass_file)
		return true;
	if (source_read_pass(t->out_pass_file, pass, why) < 0) {
		(void)tool_fail(t, "%s", why);
		return false;
	}
	*ret = pass;
	return true;
}

static int write_all(int fd, const char *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return fsync(fd) < 0 && errno != EINVAL ? -errno : 0;
}

/* Beside it first: a key file is there as a whole or as it was. */
int tool_write(struct tool *t, const char *path, const char *bytes, size_t len)
{
	char temporary[KEYS_PATH_MAX];
	int fd, r;

	if (!t->force && access(path, F_OK) == 0)
		return tool_fail(t,
				 "%s is there already (--force writes over "
				 "it)",
				 path);
	if (snprintf(temporary, sizeof temporary, "%s.XXXXXX", path) >=
	    (int)sizeof temporary)
		return tool_fail(t, "%s: %s", path, strerror(ENAMETOOLONG));
	fd = mkstemp(temporary); /* mode 0600 */
	if (fd < 0)
		return tool_fail(t, "%s: %s", path, strerror(errno));
	r = write_all(fd, bytes, len);
	close(fd);
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlink(temporary);
		return tool_fail(t, "%s: %s", path, strerror(-r));
	}
	if (t->json)
		json_object_object_add(t->result, "written",
				       json_object_new_string(path));
	return 0;
}

void tool_notes(struct tool *t, const struct keyfile *k)
{
	json_object *list = NULL;
	const char *p = k->notes;

	if (t->json) {
		list = json_object_new_array();
		json_object_object_add(t->result, "notes", list);
	}
	while (*p) {
		size_t n = strcspn(p, "\n");

		if (list)
			json_object_array_add(
				list, json_object_new_string_len(p, (int)n));
		else
			(void)fprintf(stderr, "  note: %.*s\n", (int)n, p);
		p += n + (p[n] == '\n');
	}
}

/* ---- command line
 * ---------------------------------------------------------------- */

static int usage_error(const char *what, const char *which)
{
	(void)fprintf(stderr, "couplet-keys: %s%s%s; couplet-keys --help\n",
		      what, which[0] ? " " : "", which);
	return TOOL_EXIT_USAGE;
}

enum {
	O_CN = 256,
	O_ORG,
	O_SAN,
	O_KEY,
	O_DAYS,
	O_OCSP,
	O_CA,
	O_PASS,
	O_CA_PASS,
	O_OUT_PASS,
	O_FORCE,
	O_JSON,
	O_TO,
};

static const struct option options[] = {
	{"cn", required_argument, NULL, O_CN},
	{"org", required_argument, NULL, O_ORG},
	{"san", required_argument, NULL, O_SAN},
	{"key", required_argument, NULL, O_KEY},
	{"days", required_argument, NULL, O_DAYS},
	{"ocsp", required_argument, NULL, O_OCSP},
	{"ca", required_argument, NULL, O_CA},
	{"pass-file", required_argument, NULL, O_PASS},
	{"ca-pass-file", required_argument, NULL, O_CA_PASS},
	{"out-pass-file", required_argument, NULL, O_OUT_PASS},
	{"out", required_argument, NULL, 'o'},
	{"force", no_argument, NULL, O_FORCE},
	{"json", no_argument, NULL, O_JSON},
	{"to", required_argument, NULL, O_TO},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0},
};

/* The place for an option that takes a text, or NULL. */
static const char **text_option(struct tool *t, int o)
{
	switch (o) {
	case O_CN:
		return &t->cn;
	case O_ORG:
		return &t->org;
	case O_KEY:
		return &t->key;
	case O_OCSP:
		return &t->ocsp;
	case O_CA:
		return &t->ca;
	case O_PASS:
		return &t->pass_file;
	case O_CA_PASS:
		return &t->ca_pass_file;
	case O_OUT_PASS:
		return &t->out_pass_file;
	case O_TO:
		return &t->to;
	case 'o':
		return &t->out;
	default:
		return NULL;
	}
}

static int set_days(struct tool *t, const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (!*text || *text == '-' || *end || n == 0 || n > DAYS_MAX)
		return usage_error("--days takes a number from 1 to 365000, "
				   "not",
				   text);
	t->days = (unsigned)n;
	return 0;
}

/* One option. 0, or an exit status. */
static int take_option(struct tool *t, int o)
{
	const char **text = text_option(t, o);

	if (text) {
		*text = optarg;
		return 0;
	}
	switch (o) {
	case O_SAN:
		if (t->n_san == TOOL_SANS_MAX)
			return usage_error("more than 64 names", "");
		t->san[t->n_san++] = optarg;
		return 0;
	case O_DAYS:
		return set_days(t, optarg);
	case O_FORCE:
		t->force = true;
		return 0;
	case O_JSON:
		t->json = true;
		return 0;
	default: /* getopt has said what is wrong */
		return TOOL_EXIT_USAGE;
	}
}

/* -1 to go on, or an exit status. */
static int read_options(struct tool *t, int argc, char **argv)
{
	int o, r;

	while ((o = getopt_long(argc, argv, "o:hV", options, NULL)) != -1) {
		if (o == 'h') {
			(void)fputs(usage, stdout);
			return 0;
		}
		if (o == 'V') {
			(void)puts("couplet-keys " COUPLET_VERSION);
			return 0;
		}
		r = take_option(t, o);
		if (r)
			return r;
	}
	if (optind == argc)
		return usage_error("a word is expected", "");
	t->word = argv[optind];
	t->files = argv + optind + 1;
	t->n_files = argc - optind - 1;
	return -1;
}

static int run(struct tool *t)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(words) && strcmp(t->word, words[i].word) != 0)
		i++;
	if (i == ARRAY_SIZE(words))
		return usage_error("unknown word", t->word);
	if (t->n_files < words[i].min_files)
		return usage_error("a file is expected after", t->word);
	if (t->n_files > words[i].max_files)
		return usage_error("one operand too many:",
				   t->files[words[i].max_files]);
	if (words[i].needs_out && !t->out)
		return usage_error("-o FILE is missing for", t->word);
	if (words[i].needs_ca && !t->ca)
		return usage_error("--ca FILE is missing for", t->word);
	if (!t->days)
		t->days = words[i].days;
	return words[i].fn(t);
}

int main(int argc, char **argv)
{
	struct tool t = {.now = (int64_t)time(NULL)};
	int r = read_options(&t, argc, argv);
	OSSL_PROVIDER *common, *legacy;

	if (r >= 0)
		return r;
	if (t.json)
		t.result = json_object_new_object();
	/* PKCS#12 of old tools is sealed with RC2 */
	common = OSSL_PROVIDER_load(NULL, "default");
	legacy = OSSL_PROVIDER_load(NULL, "legacy");
	r = run(&t);
	OSSL_PROVIDER_unload(legacy);
	OSSL_PROVIDER_unload(common);
	if (t.json && r != TOOL_EXIT_USAGE)
		(void)puts(json_object_to_json_string_ext(
			t.result, JSON_C_TO_STRING_PRETTY |
					  JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(t.result);
	if (fflush(stdout) != 0)
		return TOOL_EXIT_FAILED;
	return r;
}
