/* The key process: what it computes, what it has given up, how it ends. */
#include "keys/keys.h"
#include "pki.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <openssl/rsa.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct rig {
	struct pki pki;
	struct keys *keys;
	char why[KEYS_WHY_MAX];
};

static void start(struct rig *r, bool debuggable)
{
	const char *dirs[] = {r->pki.dir};
	struct keys_options o = {.uid = getuid(),
				 .gid = getgid(),
				 .channels = 2,
				 .dirs = dirs,
				 .n_dirs = 1,
				 .keep_read = true,
				 .debuggable = debuggable};
	int e = keys_start(&o, &r->keys);

	if (e == -EOPNOTSUPP && !debuggable) {
		print_message("no seccomp(2) under valgrind\n");
		skip();
	}
	assert_int_equal(e, 0);
}

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof *r);

	pki_init(&r->pki);
	start(r, true);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	keys_stop(r->keys);
	pki_fini(&r->pki);
	free(r);
	return 0;
}

static int try_load(struct rig *r, const char *name, const char *pass_file,
		    struct keys_pair **ret)
{
	struct keys_source s = {.ring = r->pki.dir,
				.name = name,
				.pass_file = pass_file,
				.need = KEYS_NEED_KEY | KEYS_NEED_CERT};

	return keys_load(r->keys, &s, ret, r->why);
}

static struct keys_pair *load(struct rig *r, const char *name)
{
	struct keys_pair *p = NULL;

	if (try_load(r, name, NULL, &p) < 0)
		fail_msg("%s", r->why);
	return p;
}

static void refused(struct rig *r, const char *name, const char *pass_file,
		    int code, const char *words)
{
	struct keys_pair *p;
	int e = try_load(r, name, pass_file, &p);

	if (e != code || !strstr(r->why, words))
		fail_msg("%d, \"%s\": expected %d, \"%s\"", e, r->why, code,
			 words);
}

static void make_file(struct rig *r, const char *name, const char *kind,
		      EVP_PKEY **key)
{
	struct pki_what w = {.kind = MAKE_SERVER, .cn = "x", .key = kind};

	pki_make(&r->pki, name, &w, NULL, key);
}

/* ---- signing
 * ------------------------------------------------------------------ */

static bool verifies(EVP_PKEY *key, const EVP_MD *md, int padding,
		     const void *data, size_t len, const uint8_t *sig, int n)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pc;
	bool ok = EVP_DigestVerifyInit(c, &pc, md, NULL, key) == 1;

	if (ok && padding)
		ok = EVP_PKEY_CTX_set_rsa_padding(pc, padding) == 1;
	ok = ok && EVP_DigestVerify(c, sig, (size_t)n, data, len) == 1;
	EVP_MD_CTX_free(c);
	return ok;
}

static void sign_as(struct rig *r, const char *kind, enum keys_algorithm a,
		    const EVP_MD *md, int padding)
{
	static const char text[] = "what is to be signed";
	uint8_t sig[KEYS_SIGN_MAX], hash[EVP_MAX_MD_SIZE];
	struct keys_pair *p;
	EVP_PKEY *key;
	unsigned n_hash = 0;
	int n;

	make_file(r, "K", kind, &key);
	p = load(r, "K");
	n = keys_sign(p, a, false, text, sizeof text, sig);
	assert_true(n > 0);
	assert_true(verifies(key, md, padding, text, sizeof text, sig, n));
	if (md) {
		EVP_Digest(text, sizeof text, hash, &n_hash, md, NULL);
		n = keys_sign(p, a, true, hash, n_hash, sig);
		assert_true(n > 0);
		assert_true(
			verifies(key, md, padding, text, sizeof text, sig, n));
		assert_int_equal(keys_sign(p, a, true, hash, n_hash - 1, sig),
				 -EMSGSIZE);
	}
	sig[n / 2] ^= 1;
	assert_false(verifies(key, md, padding, text, sizeof text, sig, n));
	keys_pair_unref(p);
	EVP_PKEY_free(key);
}

static void signatures(void **state)
{
	struct rig *r = *state;

	sign_as(r, "RSA-2048", KEYS_RSA_PKCS1_SHA256, EVP_sha256(),
		RSA_PKCS1_PADDING);
	sign_as(r, "RSA-2048", KEYS_RSA_PKCS1_SHA1, EVP_sha1(),
		RSA_PKCS1_PADDING);
	sign_as(r, "RSA-2048", KEYS_RSA_PSS_SHA384, EVP_sha384(),
		RSA_PKCS1_PSS_PADDING);
	sign_as(r, "P-256", KEYS_ECDSA_SHA256, EVP_sha256(), 0);
	sign_as(r, "P-384", KEYS_ECDSA_SHA384, EVP_sha384(), 0);
	sign_as(r, "P-521", KEYS_ECDSA_SHA512, EVP_sha512(), 0);
	sign_as(r, "ED25519", KEYS_EDDSA, NULL, 0);
}

static void signatures_that_do_not_fit(void **state)
{
	uint8_t sig[KEYS_SIGN_MAX], data[KEYS_DATA_MAX + 1] = {0};
	struct rig *r = *state;
	struct keys_pair *ec, *ca;
	struct keys_source s = {.ring = r->pki.dir, .name = "CA"};

	make_file(r, "K", NULL, NULL);
	ec = load(r, "K");
	assert_int_equal(
		keys_sign(ec, KEYS_RSA_PSS_SHA256, false, data, 1, sig),
		-EOPNOTSUPP);
	assert_int_equal(keys_sign(ec, KEYS_EDDSA, false, data, 1, sig),
			 -EOPNOTSUPP);
	assert_int_equal(
		keys_sign(ec, (enum keys_algorithm)99, false, data, 1, sig),
		-EOPNOTSUPP);
	assert_int_equal(
		keys_sign(ec, KEYS_ECDSA_SHA256, false, data, sizeof data, sig),
		-EMSGSIZE);
	assert_int_equal(keys_decrypt(ec, data, 256, sig, 48), -EOPNOTSUPP);
	assert_int_equal(keys_load(r->keys, &s, &ca, r->why), 0);
	assert_int_equal(keys_pair_type(ca), KEYS_TYPE_NONE);
	assert_int_equal(keys_sign(ca, KEYS_ECDSA_SHA256, false, data, 1, sig),
			 -ENOKEY);
	keys_pair_unref(ca);
	keys_pair_unref(ec);
}

/* ---- decryption
 * ----------------------------------------------------------------- */

static size_t encrypt(EVP_PKEY *key, int padding, const uint8_t *in, size_t len,
		      uint8_t *out)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
	size_t n = KEYS_SIGN_MAX;

	assert_int_equal(EVP_PKEY_encrypt_init(c), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(c, padding), 1);
	assert_int_equal(EVP_PKEY_encrypt(c, out, &n, in, len), 1);
	EVP_PKEY_CTX_free(c);
	return n;
}

static void decryption(void **state)
{
	uint8_t secret[48], plain[48], again[48], sealed[KEYS_SIGN_MAX];
	uint8_t em[256] = {0, 2};
	struct rig *r = *state;
	struct keys_pair *p;
	EVP_PKEY *key;
	size_t n;

	memset(secret, 7, sizeof secret);
	make_file(r, "K", "RSA-2048", &key);
	p = load(r, "K");
	n = encrypt(key, RSA_PKCS1_PADDING, secret, sizeof secret, sealed);
	assert_int_equal(keys_decrypt(p, sealed, n, plain, 48), 0);
	assert_memory_equal(plain, secret, 48);
	/* a secret of another length, a zero in the padding, another type, a
	 * byte too few: all the same, random bytes (Bleichenbacher) */
	n = encrypt(key, RSA_PKCS1_PADDING, secret, 47, sealed);
	assert_int_equal(keys_decrypt(p, sealed, n, plain, 48), 0);
	assert_memory_not_equal(plain, secret, 47);
	assert_int_equal(keys_decrypt(p, sealed, n, again, 48), 0);
	assert_memory_not_equal(plain, again, 48);
	memset(em + 2, 5, sizeof em - 2);
	em[100] = 0;
	em[256 - 49] = 0;
	memcpy(em + 256 - 48, secret, 48);
	n = encrypt(key, RSA_NO_PADDING, em, 256, sealed);
	assert_int_equal(keys_decrypt(p, sealed, n, plain, 48), 0);
	assert_memory_not_equal(plain, secret, 48);
	em[100] = 5;
	n = encrypt(key, RSA_NO_PADDING, em, 256, sealed);
	assert_int_equal(keys_decrypt(p, sealed, n, plain, 48), 0);
	assert_memory_equal(plain, secret, 48);
	em[1] = 1;
	n = encrypt(key, RSA_NO_PADDING, em, 256, sealed);
	assert_int_equal(keys_decrypt(p, sealed, n, plain, 48), 0);
	assert_memory_not_equal(plain, secret, 48);
	assert_int_equal(keys_decrypt(p, sealed, n - 1, plain, 48), 0);
	memset(sealed, 0xff, 256); /* above the modulus */
	assert_int_equal(keys_decrypt(p, sealed, 256, plain, 48), 0);
	keys_pair_unref(p);
	EVP_PKEY_free(key);
}

/* ---- files
 * ------------------------------------------------------------------------- */

static void a_pair_tells(void **state)
{
	struct rig *r = *state;
	struct keys_pair *p;
	size_t n;

	make_file(r, "SSL01", "RSA-2048", NULL);
	p = load(r, "SSL01");
	assert_int_equal(keys_pair_type(p), KEYS_TYPE_RSA);
	assert_int_equal(keys_pair_bits(p), 2048);
	assert_string_equal(keys_pair_path(p), pki_path(&r->pki, "SSL01.PEM"));
	(void)keys_pair_chain(p, &n);
	assert_int_equal(n, 1);
	(void)keys_pair_cas(p, &n);
	assert_int_equal(n, 1);
	(void)keys_pair_crls(p, &n);
	assert_int_equal(n, 0);
	assert_string_equal(keys_pair_notes(p), "");
	keys_pair_unref(p);
}

static void members_of_a_library(void **state)
{
	struct rig *r = *state;

	make_file(r, "SSL01", NULL, NULL);
	keys_pair_unref(load(r, "SSL01"));
	keys_pair_unref(load(r, "ssl01"));
	keys_pair_unref(load(r, "SSL01.PEM"));
	refused(r, "SSL0", NULL, -ENOENT, "SSL0: not in key library");
	refused(r, "../SSL01", NULL, -EINVAL, "a member of the key library");
	refused(r, ".", NULL, -EINVAL, "a member of the key library");
	refused(r, "", NULL, -EINVAL, "a member of the key library");
	pki_file(&r->pki, "BAD.PEM", "hello", 5);
	refused(r, "BAD", NULL, -EBADMSG, "BAD.PEM: neither PEM");
}

static void files_that_are_none(void **state)
{
	struct rig *r = *state;

	assert_int_equal(mkdir(pki_path(&r->pki, "DIR.PEM"), 0700), 0);
	refused(r, "DIR", NULL, -EISDIR, "directory");
	rmdir(pki_path(&r->pki, "DIR.PEM"));
	/* a pipe that nobody writes to must not hang the start */
	assert_int_equal(mkfifo(pki_path(&r->pki, "PIPE.PEM"), 0600), 0);
	refused(r, "PIPE", NULL, -EINVAL, "PIPE.PEM");
}

static void pass_phrases(void **state)
{
	struct rig *r = *state;
	struct keys_pair *p;
	EVP_PKEY *key;
	X509 *cert;
	struct pki_what w = {.kind = MAKE_SERVER, .cn = "x"};
	char *text;
	size_t len;

	pki_make(&r->pki, "PLAIN", &w, &cert, &key);
	assert_int_equal(
		make_pem(key, "secret", &cert, 1, NULL, 0, &text, &len), 0);
	pki_file(&r->pki, "SEALED.PEM", text, len);
	make_free(text, len);
	pki_file(&r->pki, "pass", "secret\r\nmore\n", 14);
	assert_int_equal(try_load(r, "SEALED", pki_path(&r->pki, "pass"), &p),
			 0);
	keys_pair_unref(p);
	refused(r, "SEALED", NULL, -EKEYREJECTED, "pass-phrase");
	refused(r, "SEALED", pki_path(&r->pki, "none"), -ENOENT,
		"none: No such file");
	pki_file(&r->pki, "wrong", "Secret", 6);
	refused(r, "SEALED", pki_path(&r->pki, "wrong"), -EKEYREJECTED,
		"does not fit");
	pki_file(&r->pki, "empty", "\n", 1);
	refused(r, "SEALED", pki_path(&r->pki, "empty"), -ENODATA, "is empty");
	assert_int_equal(chmod(pki_path(&r->pki, "pass"), 0640), 0);
	refused(r, "SEALED", pki_path(&r->pki, "pass"), -EACCES, "chmod 600");
	EVP_PKEY_free(key);
	X509_free(cert);
}

static void a_key_that_all_can_read(void **state)
{
	struct rig *r = *state;
	struct keys_pair *p;

	make_file(r, "OPEN", NULL, NULL);
	assert_int_equal(chmod(pki_path(&r->pki, "OPEN.PEM"), 0644), 0);
	p = load(r, "OPEN");
	assert_non_null(strstr(keys_pair_notes(p), "(mode 0644)"));
	keys_pair_unref(p);
}

/* Another file under the name: the old pair signs on with the old key. */
static void a_reload(void **state)
{
	static const char text[] = "x";
	uint8_t sig[KEYS_SIGN_MAX];
	struct rig *r = *state;
	struct keys_pair *old, *new;
	EVP_PKEY *old_key, *new_key;
	int n;

	make_file(r, "K", NULL, &old_key);
	old = load(r, "K");
	make_file(r, "K", NULL, &new_key);
	new = load(r, "K");
	n = keys_sign(old, KEYS_ECDSA_SHA256, false, text, 1, sig);
	assert_true(verifies(old_key, EVP_sha256(), 0, text, 1, sig, n));
	n = keys_sign(new, KEYS_ECDSA_SHA256, false, text, 1, sig);
	assert_true(verifies(new_key, EVP_sha256(), 0, text, 1, sig, n));
	keys_pair_unref(old);
	n = keys_sign(new, KEYS_ECDSA_SHA256, false, text, 1, sig);
	assert_true(n > 0);
	keys_pair_unref(new);
	EVP_PKEY_free(old_key);
	EVP_PKEY_free(new_key);
}

/* ---- what it has given up
 * ------------------------------------------------------------ */

static void status_line(pid_t pid, const char *word, char *ret, size_t cap)
{
	char path[64], line[256];
	FILE *f;

	(void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	assert_non_null(f);
	ret[0] = '\0';
	while (fgets(line, sizeof line, f))
		if (strncmp(line, word, strlen(word)) == 0)
			(void)snprintf(ret, cap, "%s", line + strlen(word));
	fclose(f);
	ret[strcspn(ret, "\n")] = '\0';
}

static void it_has_given_up_nearly_everything(void **state)
{
	struct rig *r = *state;
	char text[256], path[64];
	pid_t pid;

	keys_stop(r->keys);
	r->keys = NULL;
	start(r, false);
	pid = keys_pid(r->keys);
	status_line(pid, "Seccomp:\t", text, sizeof text);
	assert_string_equal(text, "2");
	status_line(pid, "NoNewPrivs:\t", text, sizeof text);
	assert_string_equal(text, "1");
	status_line(pid, "CapEff:\t", text, sizeof text);
	/* CAP_DAC_READ_SEARCH at most */
	assert_int_equal(strtoull(text, NULL, 16) & ~(1ull << 2), 0);
	status_line(pid, "Name:\t", text, sizeof text);
	assert_string_equal(text, "couplet-keys");
	/* nothing of ours is open there but its sockets and stderr */
	(void)snprintf(path, sizeof path, "/proc/%d/fd/3", (int)pid);
	assert_true(readlink(path, text, sizeof text) < 0 ||
		    strncmp(text, "socket:", 7) == 0);
}

/* Landlock: other files are out of reach, also for root. */
static void it_reads_key_libraries_only(void **state)
{
	struct rig *r = *state;
	struct keys_source s = {.name = "/etc/passwd"};
	struct keys_pair *p;

	if (syscall(SYS_landlock_create_ruleset, NULL, 0,
		    LANDLOCK_CREATE_RULESET_VERSION) < 0) {
		print_message("no Landlock here (or under valgrind)\n");
		skip();
	}
	assert_int_equal(keys_load(r->keys, &s, &p, r->why), -EACCES);
}

/* ---- its end
 * ---------------------------------------------------------------------------
 */

static void it_dies(void **state)
{
	struct rig *r = *state;
	struct pollfd pfd = {.fd = keys_fd(r->keys), .events = POLLIN};
	uint8_t sig[KEYS_SIGN_MAX];
	struct keys_pair *p;

	make_file(r, "K", NULL, NULL);
	p = load(r, "K");
	assert_true(keys_alive(r->keys));
	assert_int_equal(poll(&pfd, 1, 0), 0);
	assert_int_equal(kill(keys_pid(r->keys), SIGKILL), 0);
	assert_int_equal(poll(&pfd, 1, 30000), 1);
	assert_false(keys_alive(r->keys));
	assert_int_equal(keys_sign(p, KEYS_ECDSA_SHA256, false, "x", 1, sig),
			 -EPIPE);
	refused(r, "K", NULL, -EPIPE, "key process is gone");
	keys_pair_unref(p);
}

static void pairs_outlive_it(void **state)
{
	uint8_t sig[KEYS_SIGN_MAX];
	struct rig *r = *state;
	struct keys_pair *p;
	size_t n;

	make_file(r, "K", NULL, NULL);
	p = load(r, "K");
	keys_stop(r->keys);
	r->keys = NULL;
	(void)keys_pair_chain(p, &n);
	assert_int_equal(n, 1);
	assert_int_equal(keys_sign(p, KEYS_ECDSA_SHA256, false, "x", 1, sig),
			 -EPIPE);
	keys_pair_unref(p);
}

/* Signals of the terminal or of systemd are for the daemon. */
static void it_ends_with_its_daemon_only(void **state)
{
	struct rig *r = *state;

	make_file(r, "K", NULL, NULL);
	assert_int_equal(kill(keys_pid(r->keys), SIGTERM), 0);
	assert_int_equal(kill(keys_pid(r->keys), SIGINT), 0);
	keys_pair_unref(load(r, "K"));
}

static void options_that_are_refused(void **state)
{
	struct keys_options o = {.uid = getuid(), .gid = getgid()};
	struct keys *k;

	(void)state;
	assert_int_equal(keys_start(&o, &k), -EINVAL);
	o.channels = KEYS_CHANNELS_MAX + 1;
	assert_int_equal(keys_start(&o, &k), -EINVAL);
	keys_stop(NULL);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(signatures, setup, teardown),
	cmocka_unit_test_setup_teardown(signatures_that_do_not_fit, setup,
					teardown),
	cmocka_unit_test_setup_teardown(decryption, setup, teardown),
	cmocka_unit_test_setup_teardown(a_pair_tells, setup, teardown),
	cmocka_unit_test_setup_teardown(members_of_a_library, setup, teardown),
	cmocka_unit_test_setup_teardown(files_that_are_none, setup, teardown),
	cmocka_unit_test_setup_teardown(pass_phrases, setup, teardown),
	cmocka_unit_test_setup_teardown(a_key_that_all_can_read, setup,
					teardown),
	cmocka_unit_test_setup_teardown(a_reload, setup, teardown),
	cmocka_unit_test_setup_teardown(it_has_given_up_nearly_everything,
					setup, teardown),
	cmocka_unit_test_setup_teardown(it_reads_key_libraries_only, setup,
					teardown),
	cmocka_unit_test_setup_teardown(it_dies, setup, teardown),
	cmocka_unit_test_setup_teardown(pairs_outlive_it, setup, teardown),
	cmocka_unit_test_setup_teardown(it_ends_with_its_daemon_only, setup,
					teardown),
	cmocka_unit_test(options_that_are_refused),
};

UNIT_MAIN(tests)
