#include "deck/reader.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void deck_wipe(char *text, size_t len)
{
	if (text)
		explicit_bzero(text, len);
	free(text);
}

/* Twice the room; not by realloc(), which would leave a copy behind. */
static char *grow(char *text, size_t len, size_t *cap)
{
	char *bigger = malloc(*cap * 2);

	if (bigger) {
		memcpy(bigger, text, len);
		*cap *= 2;
	}
	deck_wipe(text, len);
	return bigger;
}

/* Reads until end of file. */
static int read_all(int fd, char **ret_text, size_t *ret_len)
{
	size_t len = 0, cap = 16384;
	char *text = malloc(cap);
	ssize_t n;

	while (text && len <= DECK_FILE_BYTES_MAX) {
		n = read(fd, text + len, cap - len);
		if (n == 0) {
			*ret_text = text;
			*ret_len = len;
			return 0;
		}
		if (n < 0 && errno != EINTR) {
			n = -errno;
			deck_wipe(text, len);
			return (int)n;
		}
		len += n > 0 ? (size_t)n : 0;
		if (len == cap)
			text = grow(text, len, &cap);
	}
	if (!text)
		return -ENOMEM;
	deck_wipe(text, len);
	return -EFBIG;
}

int deck_load_file(void *arg, const char *path, char **ret_text,
		   size_t *ret_len)
{
	int fd, r;

	(void)arg;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;
	r = read_all(fd, ret_text, ret_len);
	close(fd);
	return r;
}

const char *deck_intern(struct deck *d, const char *name)
{
	size_t len = strlen(name) + 1;
	struct deck_file *f;

	for (f = d->files; f; f = f->next) {
		if (strcmp(f->name, name) == 0)
			return f->name;
	}
	f = malloc(sizeof(*f) + len);
	if (!f)
		return NULL;
	memcpy(f->name, name, len);
	f->next = d->files;
	d->files = f;
	return f->name;
}

/* ---- SLI
 * ---------------------------------------------------------------------- */

/* Names of members and libraries: nothing that could lead out of a folder. */
static bool name_ok(const char *name)
{
	if (*name == '.' || *name == '\0')
		return false;
	for (; *name; name++) {
		if (!isalnum((unsigned char)*name) && !strchr("@#$-_.", *name))
			return false;
	}
	return true;
}

struct member {
	struct deck_reader *r;
	const char *name, *lib;
	char *text;
	size_t len;
	char path[DECK_PATH_MAX];
};

static void lower(char *s)
{
	for (; *s; s++)
		*s = (char)tolower((unsigned char)*s);
}

/* Loads dir/[lib/]name[.deck], as written or in lower case. */
static int try_name(struct member *m, const char *dir, bool with_lib,
		    bool small, const char *suffix)
{
	const struct deck_options *opt = m->r->opt;
	size_t dir_len = strlen(dir);
	int n;

	n = snprintf(m->path, sizeof(m->path), "%s%s%s%s%s%s", dir,
		     dir_len && dir[dir_len - 1] != '/' ? "/" : "",
		     with_lib ? m->lib : "", with_lib ? "/" : "", m->name,
		     suffix);
	if (n < 0 || (size_t)n >= sizeof(m->path))
		return -ENAMETOOLONG;
	if (small)
		lower(m->path + dir_len);
	return (opt->load ? opt->load : deck_load_file)(opt->load_arg, m->path,
							&m->text, &m->len);
}

static bool absent(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -EISDIR;
}

static int try_dir(struct member *m, const char *dir)
{
	for (unsigned way = 0; way < 8; way++) {
		bool with_lib = way < 4;
		int r;

		if (with_lib && !*m->lib)
			continue;
		r = try_name(m, dir, with_lib, way & 1, way & 2 ? ".deck" : "");
		if (!absent(r))
			return r;
	}
	return -ENOENT;
}

static int find(struct member *m)
{
	const char *const *dirs = m->r->opt->include_dirs;
	const char *slash = strrchr(m->r->top, '/');
	char dir[DECK_PATH_MAX] = "";
	int r;

	if (slash && (size_t)(slash - m->r->top) + 2 < sizeof(dir))
		memcpy(dir, m->r->top, (size_t)(slash - m->r->top) + 1);
	r = try_dir(m, dir);
	for (; dirs && *dirs && absent(r); dirs++)
		r = try_dir(m, *dirs);
	return r;
}

/* Reads what find() loaded, with the place of the SLI put back afterwards. */
static void read_member(struct deck_reader *r, uint32_t column,
			struct member *m)
{
	const char *file = r->file, *name = deck_intern(r->deck, m->path);
	uint32_t line = r->line;

	for (uint32_t i = 0; name && i <= r->depth; i++) {
		if (r->stack[i] == name) {
			deck_reader_note(r, DECK_ERROR, column,
					 "SLI member %.100s includes itself",
					 m->path);
			return;
		}
	}
	if (!name) {
		r->error = -ENOMEM;
		return;
	}
	r->stack[++r->depth] = name;
	deck_reader_text(r, name, m->text, m->len);
	r->depth--;
	r->file = file;
	r->line = line;
}

void deck_include(struct deck_reader *r, uint32_t column, const char *name,
		  const char *lib)
{
	struct member m = {.r = r, .name = name, .lib = lib};
	int n;

	if (!name_ok(name) || (*lib && !name_ok(lib))) {
		deck_reader_note(r, DECK_ERROR, column,
				 "SLI member '%.64s': expected a name of "
				 "letters, digits and @ # $ - _ .",
				 name_ok(name) ? lib : name);
		return;
	}
	if (r->depth == DECK_INCLUDE_DEPTH_MAX) {
		deck_reader_note(r, DECK_ERROR, column,
				 "SLI nested deeper than %d",
				 DECK_INCLUDE_DEPTH_MAX);
		return;
	}
	if (++r->includes > DECK_INCLUDES_MAX) {
		if (r->includes == DECK_INCLUDES_MAX + 1)
			deck_reader_note(r, DECK_ERROR, column,
					 "more than %d SLI statements",
					 DECK_INCLUDES_MAX);
		return;
	}
	n = find(&m);
	if (n == -ENOMEM) {
		r->error = n;
	} else if (absent(n)) {
		/* between the steps it would hold JCL, which may well have
		 * stayed on z/VSE */
		deck_reader_note(
			r, r->part == PART_JCL ? DECK_WARNING : DECK_ERROR,
			column,
			"SLI member %s%s%s is neither in the deck's "
			"folder nor in an include folder",
			lib, *lib ? "/" : "", name);
	} else if (n < 0) {
		deck_reader_note(r, DECK_ERROR, column, "SLI member %.200s: %s",
				 m.path, strerror(-n));
	} else {
		read_member(r, column, &m);
		deck_wipe(m.text, m.len);
	}
}
