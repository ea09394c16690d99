#include "pki.h"

#include "rsa2048.h"
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DAY = 86400 };

const char *pki_path(const struct pki *p, const char *name)
{
	static char buf[4][KEYS_PATH_MAX];
	static unsigned i;
	char *b = buf[i++ % 4];

	(void)snprintf(b, KEYS_PATH_MAX, "%s/%s", p->dir, name);
	return b;
}

void pki_file(const struct pki *p, const char *name, const void *bytes,
	      size_t len)
{
	int fd = open(pki_path(p, name), O_CREAT | O_TRUNC | O_WRONLY, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

static void write_pem(struct pki *p, const char *name, EVP_PKEY *key,
		      X509 *cert, X509 *ca)
{
	X509 *certs[2] = {cert, ca};
	char file[128], *text;
	size_t len;

	assert_int_equal(
		make_pem(key, NULL, certs, ca ? 2 : 1, NULL, 0, &text, &len),
		0);
	(void)snprintf(file, sizeof file, "%s.PEM", name);
	pki_file(p, file, text, len);
	make_free(text, len);
}

void pki_init(struct pki *p)
{
	struct make_what w = {.kind = MAKE_CA, .cn = "Test CA", .org = "Test"};
	char why[KEYS_WHY_MAX];

	memset(p, 0, sizeof *p);
	(void)snprintf(p->dir, sizeof p->dir, "%s", "/tmp/couplet-pki-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	p->now = (int64_t)time(NULL);
	w.from = p->now - DAY;
	w.until = p->now + 365 * DAY;
	assert_int_equal(make_cert(&w, &p->ca_key, &p->ca, why), 0);
	write_pem(p, "CA", NULL, p->ca, NULL);
}

void pki_fini(struct pki *p)
{
	DIR *d = opendir(p->dir);
	struct dirent *e;

	while (d && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			(void)unlink(pki_path(p, e->d_name));
	if (d)
		closedir(d);
	(void)rmdir(p->dir);
	EVP_PKEY_free(p->ca_key);
	X509_free(p->ca);
}

static EVP_PKEY *rsa2048(void)
{
	BIO *b = BIO_new_mem_buf(rsa2048_pem, -1);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);

	assert_non_null(key);
	BIO_free(b);
	return key;
}

void pki_make(struct pki *p, const char *name, const struct pki_what *w,
	      X509 **ret, EVP_PKEY **ret_key)
{
	const char *san[2] = {w->san, w->san2};
	struct make_what m = {
		.kind = w->kind,
		.cn = w->cn,
		.san = san,
		.n_san = (w->san != NULL) + (size_t)(w->san2 != NULL),
		.key = w->key,
		.from = p->now + (w->from_s ? w->from_s : -DAY),
		.until = p->now + (w->until_s ? w->until_s : 30 * DAY),
		.ocsp = w->ocsp,
	};
	char why[KEYS_WHY_MAX];
	EVP_PKEY *key;
	X509 *cert;

	if (w->key && strcmp(w->key, "RSA-2048") == 0)
		m.own = rsa2048();
	if (!w->self_signed) {
		m.issuer_key = p->ca_key;
		m.issuer = p->ca;
	}
	assert_int_equal(make_cert(&m, &key, &cert, why), 0);
	EVP_PKEY_free(m.own);
	write_pem(p, name, key, cert, w->self_signed ? NULL : p->ca);
	if (ret)
		*ret = cert;
	else
		X509_free(cert);
	if (ret_key)
		*ret_key = key;
	else
		EVP_PKEY_free(key);
}
