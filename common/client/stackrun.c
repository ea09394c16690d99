/*
 * stackrun: runs a program on a Couplet stack, see stackrun(1). Sets up the
 * environment for the preload library, takes the program out of the host's
 * network, and becomes the program.
 */
#include "client/ctl.h"
#include "client/id.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PRELOAD "libcouplet-preload.so"
#define EXIT_CANNOT 126
#define EXIT_NOT_FOUND 127

_Noreturn static void die(int status, const char *fmt, ...) PRINTF_LIKE(2, 3);

_Noreturn static void die(int status, const char *fmt, ...)
{
	va_list ap;

	fputs("stackrun: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(status);
}

_Noreturn static void usage(void)
{
	fputs("usage: stackrun [-n] [-i ID] [--run DIR] PROGRAM [ARGUMENT...]\n"
	      "  -i ID      stack, two digits; default $COUPLET_ID, or the\n"
	      "             only one that is running\n"
	      "  --run DIR  directory of the stacks, default $COUPLET_RUN or\n"
	      "             " PROTO_RUN_DIR "\n"
	      "  -n         stay in the host's network namespace: sockets that\n"
	      "             the preload library does not see reach the host's\n"
	      "             network\n",
	      stderr);
	exit(2);
}

struct options {
	const char *id, *run;
	bool host_net;
	char **argv;
};

static struct options parse(int argc, char **argv)
{
	struct options o = {0};
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--")) {
			i++;
			break;
		}
		if (!strcmp(argv[i], "-n"))
			o.host_net = true;
		else if (!strcmp(argv[i], "-i") && i + 1 < argc)
			o.id = argv[++i];
		else if (!strcmp(argv[i], "--run") && i + 1 < argc)
			o.run = argv[++i];
		else
			usage();
	}
	if (i >= argc)
		usage();
	o.argv = argv + i;
	return o;
}

/* ---- which stack
 * --------------------------------------------------------------- */

static int running(int id)
{
	struct proto_req rq = {.op = PROTO_CONFIG, .flags = PROTO_F_NOSOCK};
	struct proto_config cf;
	struct proto_rep rep;

	return ctl_call((unsigned)id, -1, &rq, &rep, &cf, sizeof(cf));
}

static int only_one(const char *run)
{
	DIR *d = opendir(run);
	struct dirent *e;
	int found = -1;

	while (d && (e = readdir(d))) {
		int id = id_parse(e->d_name);

		if (id < 0 || running(id) < 0)
			continue;
		if (found >= 0)
			die(EXIT_CANNOT,
			    "several stacks are running in %s: "
			    "say which one with -i",
			    run);
		found = id;
	}
	if (d)
		closedir(d);
	if (found < 0)
		die(EXIT_CANNOT, "no stack is running in %s", run);
	return found;
}

static void choose(const struct options *o)
{
	const char *run = o->run ? o->run : getenv("COUPLET_RUN");
	const char *id = o->id ? o->id : getenv("COUPLET_ID");
	char text[4];
	int n, r;

	if (!run || !*run)
		run = PROTO_RUN_DIR;
	setenv("COUPLET_RUN", run, 1);
	n = id && *id ? id_parse(id) : only_one(run);
	if (n < 0)
		die(2, "the ID of a stack is two digits, not \"%s\"", id);
	r = running(n);
	if (r == -EACCES)
		die(EXIT_CANNOT, "you may not use stack %02d", n);
	if (r < 0)
		die(EXIT_CANNOT,
		    "stack %02d is not running (nobody answers at "
		    "%s/%02d/control)",
		    n, run, n);
	snprintf(text, sizeof(text), "%02u", (unsigned)n % 100);
	setenv("COUPLET_ID", text, 1);
}

/* ---- the program
 * ----------------------------------------------------------------- */

static void find_program(const char *name, char *path)
{
	const char *p = getenv("PATH");

	if (strchr(name, '/')) {
		snprintf(path, PATH_MAX, "%s", name);
		if (access(path, X_OK) < 0)
			die(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT,
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
	die(EXIT_NOT_FOUND, "%s: not found in PATH", name);
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

static void check_privileges(int fd, const char *path)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return;
	if (geteuid() == 0 && st.st_uid == 0)
		return; /* no change of identity: the loader does not mind */
	if (((st.st_mode & S_ISUID) && st.st_uid != geteuid()) ||
	    ((st.st_mode & S_ISGID) && st.st_gid != getegid()) ||
	    fgetxattr(fd, "security.capability", NULL, 0) > 0)
		die(EXIT_CANNOT,
		    "%s is set-user-ID or has capabilities: the loader would "
		    "ignore the preload library and the program would use the "
		    "host's network; run it as the user it becomes",
		    path);
}

static void check_program(const char *given)
{
	char path[PATH_MAX], head[256];

	snprintf(path, sizeof(path), "%s", given);
	for (int depth = 0; depth < 5; depth++) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		Elf64_Ehdr eh;
		ssize_t n;

		if (fd < 0) /* not readable, but maybe executable */
			return;
		check_privileges(fd, path);
		n = pread(fd, head, sizeof(head), 0);
		if (n >= (ssize_t)sizeof(eh) &&
		    memcmp(head, ELFMAG, SELFMAG) == 0) {
			memcpy(&eh, head, sizeof(eh));
			if (eh.e_ident[EI_CLASS] != ELFCLASS64)
				die(EXIT_CANNOT,
				    "%s is a 32-bit program; the preload "
				    "library is not",
				    path);
			if (!is_dynamic(fd, &eh))
				die(EXIT_CANNOT,
				    "%s is statically linked: nothing can be "
				    "preloaded into it",
				    path);
		}
		close(fd);
		if (!script(head, n, path))
			return;
	}
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
		die(EXIT_CANNOT, "cannot find %s", lib);
}

static void set_preload(void)
{
	const char *old = getenv("LD_PRELOAD");
	char lib[PATH_MAX], all[2 * PATH_MAX];

	find_library(lib);
	snprintf(all, sizeof(all), "%s%s%s", lib, old && *old ? ":" : "",
		 old ? old : "");
	setenv("LD_PRELOAD", all, 1);
}

/* ---- out of the host's network
 * -------------------------------------------------------- */

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return n < 0 ? -errno : 0;
}

/* Without privileges: a user namespace in which the user is himself. */
static bool enter_as_user(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char map[64];

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return false;
	(void)!write_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "%u %u 1\n", uid, uid);
	if (write_file("/proc/self/uid_map", map) < 0)
		die(EXIT_CANNOT, "cannot map user %u: %s; use -n", uid,
		    strerror(errno));
	snprintf(map, sizeof(map), "%u %u 1\n", gid, gid);
	if (write_file("/proc/self/gid_map", map) < 0)
		die(EXIT_CANNOT, "cannot map group %u: %s; use -n", gid,
		    strerror(errno));
	return true;
}

/* What the preload library does not see must not reach the host's network:
 * an empty network namespace. AF_UNIX sockets with a path work across. */
static void leave_network(void)
{
	if (unshare(CLONE_NEWNET) == 0 || enter_as_user())
		return;
	fprintf(stderr,
		"stackrun: warning: no network namespace of its own (%s): "
		"sockets that the preload library does not see would reach "
		"the host's network\n",
		strerror(errno));
}

int main(int argc, char **argv)
{
	struct options o = parse(argc, argv);
	char path[PATH_MAX];

	choose(&o);
	find_program(o.argv[0], path);
	check_program(path);
	set_preload();
	if (!o.host_net)
		leave_network();
	execv(path, o.argv);
	/* a script without "#!": what the shell would do */
	if (errno == ENOEXEC) {
		size_t n = 0;
		char **v;

		while (o.argv[n])
			n++;
		v = calloc(n + 2, sizeof(*v));
		if (v) {
			memcpy(v + 1, o.argv, n * sizeof(*v));
			v[0] = (char *)(uintptr_t) "sh";
			v[1] = path;
			execv("/bin/sh", v);
		}
	}
	die(EXIT_CANNOT, "%s: %s", path, strerror(errno));
}
