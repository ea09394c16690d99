/*
 * stackrun_prog.c: the program that stackrun is to run, and the library that
 * is preloaded into it.
 */
#include "client/stackrun.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PRELOAD "libcouplet-preload.so"
#define SCRIPTS_MAX 5 /* interpreters of interpreters */

/* ---- the program
 * ----------------------------------------------------------------- */

void stackrun_find(const char *name, char *path)
{
	const char *p = getenv("PATH");

	if (strchr(name, '/')) {
		snprintf(path, PATH_MAX, "%s", name);
		if (access(path, X_OK) < 0)
			stackrun_die(errno == ENOENT ? STACKRUN_NOT_FOUND
						     : STACKRUN_CANNOT,
				     "%s: %s", name, strerror(errno));
		return;
	}
	for (p = p ? p : "/usr/bin:/bin"; *p;) {
		size_t n = strcspn(p, ":");
		struct stat st;

		snprintf(path, PATH_MAX, "%.*s/%s", (int)n, n ? p : ".", name);
		if (stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
		    access(path, X_OK) == 0)
			return;
		p += n + (p[n] == ':');
	}
	stackrun_die(STACKRUN_NOT_FOUND, "%s: not found in PATH", name);
}

/* The interpreter of a script into `path`; false: not a script. */
static bool script(const char *head, ssize_t n, char *path)
{
	const char *p = head + 2, *end = head + n;
	size_t len;

	if (n < 4 || head[0] != '#' || head[1] != '!')
		return false;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	len = 0;
	while (p + len < end && !strchr(" \t\n", p[len]))
		len++;
	if (!len || len >= PATH_MAX)
		return false;
	memcpy(path, p, len);
	path[len] = '\0';
	return true;
}

/* Has the program a dynamic loader (PT_INTERP), so that a preload works? */
static bool is_dynamic(int fd, const Elf64_Ehdr *eh)
{
	for (unsigned i = 0; i < eh->e_phnum && i < 256; i++) {
		Elf64_Phdr ph;

		if (pread(fd, &ph, sizeof(ph),
			  (off_t)(eh->e_phoff + i * eh->e_phentsize)) !=
		    (ssize_t)sizeof(ph))
			return false;
		if (ph.p_type == PT_INTERP)
			return true;
	}
	return false;
}

static bool changes_identity(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	if (geteuid() == 0 && st.st_uid == 0)
		return false; /* no change: the loader does not mind */
	return ((st.st_mode & S_ISUID) && st.st_uid != geteuid()) ||
	       ((st.st_mode & S_ISGID) && st.st_gid != getegid()) ||
	       fgetxattr(fd, "security.capability", NULL, 0) > 0;
}

static enum stackrun_kind kind_of_file(int fd, const char *head, ssize_t n)
{
	Elf64_Ehdr eh;

	if (changes_identity(fd))
		return STACKRUN_SETID;
	if (n < (ssize_t)sizeof(eh) || memcmp(head, ELFMAG, SELFMAG) != 0)
		return STACKRUN_DYNAMIC;
	memcpy(&eh, head, sizeof(eh));
	if (eh.e_ident[EI_CLASS] != ELFCLASS64)
		return STACKRUN_OTHER_ABI;
	return is_dynamic(fd, &eh) ? STACKRUN_DYNAMIC : STACKRUN_STATIC;
}

enum stackrun_kind stackrun_kind(const char *given, char *path)
{
	enum stackrun_kind kind = STACKRUN_DYNAMIC;
	char head[256];

	snprintf(path, PATH_MAX, "%s", given);
	for (int depth = 0; depth < SCRIPTS_MAX; depth++) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n;

		if (fd < 0) /* not readable, but maybe executable */
			return kind;
		n = pread(fd, head, sizeof(head), 0);
		kind = kind_of_file(fd, head, n);
		close(fd);
		if (kind != STACKRUN_DYNAMIC || !script(head, n, path))
			return kind;
	}
	return kind;
}

/* ---- the library
 * ------------------------------------------------------------------- */

static void find_library(char *lib)
{
	static const char *const beside[] = {"", "../lib/couplet/",
					     "../lib64/couplet/"};
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	for (size_t i = 0; slash && i < ARRAY_SIZE(beside); i++) {
		snprintf(lib, PATH_MAX, "%.*s/%s%s", (int)(slash - self), self,
			 beside[i], PRELOAD);
		if (access(lib, R_OK) == 0)
			return;
	}
	snprintf(lib, PATH_MAX, "%s/%s", COUPLET_LIB_DIR, PRELOAD);
	if (access(lib, R_OK) < 0)
		stackrun_die(STACKRUN_CANNOT, "cannot find %s", lib);
}

void stackrun_set_preload(void)
{
	const char *old = getenv("LD_PRELOAD");
	char lib[PATH_MAX], all[2 * PATH_MAX];

	find_library(lib);
	snprintf(all, sizeof(all), "%s%s%s", lib, old && *old ? ":" : "",
		 old ? old : "");
	setenv("LD_PRELOAD", all, 1);
}
