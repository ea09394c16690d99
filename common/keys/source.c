#include "keys/source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* How well the file name `file` answers the member name `want`: 0 not, else
 * the smaller the better. */
static int fit(const char *file, const char *want)
{
	static const char *const ends[] = {"",     ".PEM", ".P12", ".PFX",
					   ".CRT", ".CER", ".DER"};
	size_t n = strlen(want);

	if (strncasecmp(file, want, n) != 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (strcasecmp(file + n, ends[i]) == 0)
			return 1 + 2 * (int)i +
			       (strncmp(file, want, n) != 0 ? 1 : 0);
	return 0;
}

/* The best file of the directory, several of equal worth: the first in the
 * order of bytes, so that it does not depend on the file system. */
static int find_member(const char *ring, const char *name, char *ret,
		       size_t cap)
{
	DIR *d = opendir(ring);
	struct dirent *e;
	int best = 0;

	if (!d)
		return -errno;
	while ((e = readdir(d)) != NULL) {
		int f = fit(e->d_name, name);

		if (!f || (best && (f > best ||
				    (f == best && strcmp(e->d_name, ret) > 0))))
			continue;
		best = f;
		(void)snprintf(ret, cap, "%s", e->d_name);
	}
	closedir(d);
	return best ? 0 : -ENOENT;
}

static int find(const struct keys_source *s, char *path, char *why)
{
	char member[256];
	int r;

	if (!s->ring) {
		if (snprintf(path, KEYS_PATH_MAX, "%s", s->name) >=
		    KEYS_PATH_MAX)
			return -ENAMETOOLONG;
		return 0;
	}
	if (strchr(s->name, '/') || !s->name[0] || s->name[0] == '.') {
		(void)snprintf(why, KEYS_WHY_MAX,
			       "key file %.200s: the name of a member of the "
			       "key library is expected, not a path",
			       s->name);
		return -EINVAL;
	}
	r = find_member(s->ring, s->name, member, sizeof member);
	if (r < 0) {
		(void)snprintf(why, KEYS_WHY_MAX,
			       "key file %.200s: not in key library %.200s: %s",
			       s->name, s->ring, strerror(-r));
		return r;
	}
	if (snprintf(path, KEYS_PATH_MAX, "%s/%s", s->ring, member) >=
	    KEYS_PATH_MAX)
		return -ENAMETOOLONG;
	return 0;
}

/* Reads until `cap` bytes or the end. Bytes or negative errno. */
static ssize_t read_all(int fd, uint8_t *buf, size_t cap)
{
	size_t n = 0;

	while (n < cap) {
		ssize_t got = read(fd, buf + n, cap - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

static int open_regular(const char *path, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int r;

	if (fd < 0)
		return -errno;
	if (fstat(fd, st) < 0)
		r = -errno;
	else if (S_ISREG(st->st_mode))
		return fd;
	else
		r = S_ISDIR(st->st_mode) ? -EISDIR : -EINVAL;
	close(fd);
	return r;
}

static int read_file(struct keys_source_file *f)
{
	struct stat st;
	int fd = open_regular(f->path, &st);
	ssize_t n;

	if (fd < 0)
		return fd;
	f->mode = st.st_mode & 07777;
	/* one more, so that a file that is too large is seen as such */
	f->bytes = malloc(KEYS_FILE_MAX + 1);
	n = f->bytes ? read_all(fd, f->bytes, KEYS_FILE_MAX + 1) : -ENOMEM;
	close(fd);
	if (n < 0)
		return (int)n;
	f->len = (size_t)n;
	return 0;
}

int keys_source_read(const struct keys_source *s, struct keys_source_file *ret,
		     char *why)
{
	const char *slash;
	int r;

	*ret = (struct keys_source_file){.len = 0};
	why[0] = '\0';
	r = find(s, ret->path, why);
	if (r < 0) {
		ret->name = s->name;
		if (!why[0])
			(void)snprintf(why, KEYS_WHY_MAX, "key file %.200s: %s",
				       s->name, strerror(-r));
		return r;
	}
	slash = strrchr(ret->path, '/');
	ret->name = slash ? slash + 1 : ret->path;
	r = read_file(ret);
	if (r < 0)
		(void)snprintf(why, KEYS_WHY_MAX, "key file %.400s: %s",
			       ret->path, strerror(-r));
	return r;
}

void keys_source_fini(struct keys_source_file *f)
{
	if (f->bytes)
		OPENSSL_cleanse(f->bytes, f->len);
	free(f->bytes);
	f->bytes = NULL;
	f->len = 0;
}

static int read_pass(const char *path, char *pass)
{
	struct stat st;
	int fd = open_regular(path, &st);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = st.st_mode & 077
		    ? -EPERM
		    : read_all(fd, (uint8_t *)pass, KEYFILE_PASS_MAX - 1);
	close(fd);
	if (n < 0)
		return (int)n;
	pass[n] = '\0';
	pass[strcspn(pass, "\r\n")] = '\0';
	return pass[0] ? 0 : -ENODATA;
}

int source_read_pass(const char *path, char *pass, char *why)
{
	int r = read_pass(path, pass);

	if (r == -EPERM)
		(void)snprintf(why, KEYS_WHY_MAX,
			       "pass-phrase file %.400s: others than its owner "
			       "can read it; chmod 600",
			       path);
	else if (r == -ENODATA)
		(void)snprintf(why, KEYS_WHY_MAX,
			       "pass-phrase file %.400s: its first line is "
			       "empty",
			       path);
	else if (r < 0)
		(void)snprintf(why, KEYS_WHY_MAX, "pass-phrase file %.400s: %s",
			       path, strerror(-r));
	return r == -EPERM ? -EACCES : r;
}

int keys_source_parse(const struct keys_source *s, int64_t now,
		      struct keys_source_file *f, struct keyfile *k, char *why)
{
	char pass[KEYFILE_PASS_MAX] = "";
	struct keyfile_how how = {.need = s->need, .now = now};
	int r;

	*k = (struct keyfile){.form = KEYFILE_PEM};
	r = keys_source_read(s, f, why);
	how.name = f->name;
	if (r == 0 && s->pass_file) {
		r = source_read_pass(s->pass_file, pass, why);
		how.pass = pass;
	}
	if (r == 0)
		r = keyfile_parse(f->bytes, f->len, &how, k, why);
	OPENSSL_cleanse(pass, sizeof pass);
	if (r == 0 && k->key && (f->mode & 007))
		keyfile_note(k,
			     "everybody on this machine can read the "
			     "private key (mode %04o); chmod 640",
			     f->mode);
	return r;
}
