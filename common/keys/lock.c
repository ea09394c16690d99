/*
 * lock.c: what the key process gives up. What stays: to read below the key
 * libraries, to receive and send on sockets that exist, memory, threads, the
 * wall clock, random numbers, the end.
 */
#include "daemon/privs.h"
#include "keys/server.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- file system --------------------------------------------------------- */

/* Everything that the first version of Landlock can forbid. */
#define ALL_ACCESS \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | \
	 LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | \
	 LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
	 LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | \
	 LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | \
	 LANDLOCK_ACCESS_FS_MAKE_SYM)

static int allow_dir(int ruleset, const char *path)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE |
				  LANDLOCK_ACCESS_FS_READ_DIR,
		.parent_fd = open(path, O_PATH | O_CLOEXEC),
	};
	long r = 0;

	if (rule.parent_fd < 0)
		/* not there now: it will not be readable later either */
		return errno == ENOENT ? 0 : -errno;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH,
		    &rule, 0) < 0)
		r = -errno;
	close(rule.parent_fd);
	return (int)r;
}

/* 0 also on a kernel without Landlock: then the other locks hold. */
static int lock_files(const struct keys_options *o)
{
	struct landlock_ruleset_attr attr = {.handled_access_fs = ALL_ACCESS};
	int fd, r = 0;

	if (!o->n_dirs)
		return 0;
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
	if (fd < 0)
		return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -errno;
	for (size_t i = 0; i < o->n_dirs && r == 0; i++)
		r = allow_dir(fd, o->dirs[i]);
	if (r == 0 && syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		r = -errno;
	close(fd);
	return r;
}

/* ---- user, memory -------------------------------------------------------- */

/* Private keys stay out of swap and of core files where that is allowed. */
static void lock_memory(void)
{
	struct rlimit none = {0, 0}, all = {RLIM_INFINITY, RLIM_INFINITY};

	(void)setrlimit(RLIMIT_CORE, &none);
	if (setrlimit(RLIMIT_MEMLOCK, &all) == 0)
		(void)mlockall(MCL_CURRENT | MCL_FUTURE);
}

int lock_before(const struct keys_options *o)
{
	struct privs_user user = {.uid = o->uid, .gid = o->gid};
	int caps[] = {CAP_DAC_READ_SEARCH};
	bool keep = o->keep_read && privs_have(CAP_DAC_READ_SEARCH);
	const char *step;
	int r;

	if (!o->debuggable) /* it would also lock all of valgrind */
		lock_memory();
	r = privs_drop(&user, caps, keep ? 1 : 0, o->debuggable, &step);
	if (r == 0)
		r = lock_files(o);
	/* the daemon's end is our end; forgotten at a change of user, so it
	 * stands here */
	if (r == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		r = -errno;
	return r;
}

/* ---- system calls
 * ------------------------------------------------------------ */

static const char *const allowed[] = {
	/* sockets and files that are open */
	"read",
	"recvmsg",
	"recvfrom",
	"sendmsg",
	"sendto",
	"write", /* a sanitizer's or the C library's last words */
	"writev",
	"close",
	"fstat",
	"newfstatat",
	"lseek",
	"getdents64",
	/* memory, threads */
	"brk",
	"mmap",
	"munmap",
	"mremap",
	"madvise",
	"mprotect",
	"futex",
	"set_robust_list",
	"rseq",
	"sched_yield",
	"restart_syscall",
	/* time, random numbers */
	"clock_gettime",
	"clock_nanosleep",
	"gettimeofday",
	"time",
	"getrandom",
	"getpid",
	"gettid",
	/* the end */
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"sigaltstack",
	"tgkill",
	"exit",
	"exit_group",
};

/* A file may be opened to be read, never to be written or made. */
static int allow_open(scmp_filter_ctx f)
{
	struct scmp_arg_cmp read_only = SCMP_A2(
		SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY);

	return seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
				read_only);
}

/* fcntl of opendir(): what flags has it, close on exec. */
static int allow_fcntl(scmp_filter_ctx f)
{
	static const int commands[] = {F_GETFL, F_GETFD, F_SETFD};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(commands) && r == 0; i++) {
		struct scmp_arg_cmp is =
			SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)commands[i], 0);

		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, is);
	}
	return r;
}

int lock_calls(void)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int r = 0;

	if (!f)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(allowed) && r == 0; i++) {
		int nr = seccomp_syscall_resolve_name(allowed[i]);

		if (nr == __NR_SCMP_ERROR) {
			r = -EINVAL;
			break;
		}
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, nr, 0);
		if (r == -EDOM) /* not on this machine */
			r = 0;
	}
	if (r == 0)
		r = allow_open(f);
	if (r == 0)
		r = allow_fcntl(f);
	if (r == 0) /* every thread */
		r = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);
	if (r == 0)
		r = seccomp_load(f);
	seccomp_release(f);
	return r;
}
