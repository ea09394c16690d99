#include "daemon/sandbox.h"

#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

static const char *const base_names[] = {
	/* memory */
	"brk",
	"mmap",
	"munmap",
	"mremap",
	"madvise",
	"mprotect",
	"membarrier",
	"get_mempolicy",
	/* time */
	"clock_gettime",
	"clock_getres",
	"clock_nanosleep",
	"gettimeofday",
	"nanosleep",
	"time",
	/* event loop, timers */
	"epoll_create1",
	"epoll_ctl",
	"epoll_wait",
	"epoll_pwait",
	"epoll_pwait2",
	"eventfd2",
	"timerfd_create",
	"signalfd4",
	"timerfd_settime",
	"timerfd_gettime",
	"poll",
	"ppoll",
	"select",
	"pselect6",
	"pipe2",
	/* signals and the end */
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"rt_sigtimedwait",
	"sigaltstack",
	"restart_syscall",
	"exit",
	"exit_group",
	"tgkill",
	"getpid",
	"gettid",
	"futex",
	"set_robust_list",
	"rseq",
	"sched_yield",
	"sched_getaffinity",
	/* descriptors */
	"read",
	"write",
	"readv",
	"writev",
	"pread64",
	"pwrite64",
	"close",
	"close_range",
	"dup",
	"dup2",
	"dup3",
	"fcntl",
	"fstat",
	"newfstatat",
	"fstatfs",
	"stat",
	"lstat",
	"statx",
	"lseek",
	"fsync",
	"fdatasync",
	"ftruncate",
	"ioctl",
	/* reading a deck again, leaving the run directory */
	"open",
	"openat",
	"access",
	"faccessat",
	"faccessat2",
	"getcwd",
	"readlink",
	"readlinkat",
	"getdents64",
	"unlink",
	"unlinkat",
	"rmdir",
	/* console, log, notification, metrics: AF_UNIX only */
	"socket",
	"socketpair",
	"connect",
	"bind",
	"listen",
	"accept",
	"accept4",
	"sendmsg",
	"sendto",
	"sendmmsg",
	"recvmsg",
	"recvfrom",
	"recvmmsg",
	"shutdown",
	"getsockopt",
	"setsockopt",
	"getsockname",
	"getpeername",
	"chmod",
	"fchmod",
	"fchmodat",
	"umask",
	"memfd_create", /* sd_journal_sendv, long entries */
	/* who we are, randomness, limits */
	"getuid",
	"geteuid",
	"getgid",
	"getegid",
	"getrandom",
	"uname",
	"getrlimit",
	"prlimit64",
	"getrusage",
	"sysinfo",
	"prctl",
	/* the kernel's own check of vsyscall-less processors */
	"arch_prctl",
#if defined(__SANITIZE_ADDRESS__)
	/* the leak check at the end stops the process from a helper thread
	 * of its own */
	"clone",
	"clone3",
	"wait4",
	"ptrace",
	"process_vm_readv",
	"kill",
	"getppid",
	"sched_yield",
	"sigaltstack",
	"getdents",
	"getdents64",
#endif
};

const struct sandbox_calls sandbox_base = {"base", base_names,
					   ARRAY_SIZE(base_names)};

static const char *const deadly[] = {
	"execve",
	"execveat",
	"mount",
	"umount2",
	"pivot_root",
	"chroot",
	"move_mount",
	"open_tree",
	"fsopen",
	"fsmount",
	"setns",
	"unshare",
	"init_module",
	"finit_module",
	"delete_module",
	"kexec_load",
	"kexec_file_load",
	"reboot",
	"swapon",
	"swapoff",
	"bpf",
	"perf_event_open",
	"userfaultfd",
	"keyctl",
	"add_key",
	"request_key",
	"setuid",
	"setgid",
	"setreuid",
	"setregid",
	"setresuid",
	"setresgid",
	"setgroups",
	"setfsuid",
	"setfsgid",
	"capset",
	"settimeofday",
	"clock_settime",
	"adjtimex",
	"process_vm_writev",
	"iopl",
	"ioperm",
	"acct",
	"quotactl",
	"open_by_handle_at",
	"personality",
#if !defined(__SANITIZE_ADDRESS__)
	"ptrace",
	"process_vm_readv",
#endif
};

static int add_list(scmp_filter_ctx f, const struct sandbox_calls *list)
{
	for (size_t i = 0; i < list->n; i++) {
		int nr = seccomp_syscall_resolve_name(list->names[i]), r;

		if (nr == __NR_SCMP_ERROR)
			return -EINVAL;
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, nr, 0);
		/* -EEXIST: two rooms need it; -EDOM: not on this machine */
		if (r < 0 && r != -EEXIST && r != -EDOM)
			return r;
	}
	return 0;
}

static int add_deadly(scmp_filter_ctx f)
{
	for (size_t i = 0; i < ARRAY_SIZE(deadly); i++) {
		int nr = seccomp_syscall_resolve_name(deadly[i]), r;

		if (nr == __NR_SCMP_ERROR)
			continue; /* newer than libseccomp */
		r = seccomp_rule_add(f, SCMP_ACT_KILL_PROCESS, nr, 0);
		if (r < 0 && r != -EDOM)
			return r;
	}
	return 0;
}

/* -d: name the call, then let it fail. Only what is safe in a handler. */
static void on_sigsys(int signo, siginfo_t *si, void *context)
{
	static const char head[] = "debug: system call stopped, number ";
	char text[sizeof head + 16];
	size_t n = sizeof head - 1;
	unsigned nr = (unsigned)si->si_syscall, digits = 1;
	int saved = errno;

	(void)signo;
	memcpy(text, head, n);
	while (nr / digits >= 10)
		digits *= 10;
	for (; digits; digits /= 10)
		text[n++] = (char)('0' + nr / digits % 10);
	text[n++] = '\n';
	(void)!write(STDERR_FILENO, text, n);
	errno = saved;
#if defined(__x86_64__)
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX] = -ENOSYS;
#elif defined(__aarch64__)
	((ucontext_t *)context)->uc_mcontext.regs[0] =
		(unsigned long long)-ENOSYS;
#else
	(void)context;
#endif
}

int sandbox_enter(const struct sandbox_calls *const *lists, size_t n, bool tell)
{
	struct sigaction sa = {.sa_sigaction = on_sigsys,
			       .sa_flags = SA_SIGINFO | SA_NODEFER};
	scmp_filter_ctx f;
	int r;

	f = seccomp_init(tell ? SCMP_ACT_TRAP : SCMP_ACT_ERRNO(ENOSYS));
	if (!f)
		return -ENOMEM;
	if (tell && sigaction(SIGSYS, &sa, NULL) < 0)
		r = -errno;
	else
		r = add_list(f, &sandbox_base);
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_list(f, lists[i]);
	if (r == 0)
		r = add_deadly(f);
	/* best effort: an old kernel has no audit flag, a lookup by binary
	 * tree is only faster */
	(void)seccomp_attr_set(f, SCMP_FLTATR_CTL_LOG, 1);
	(void)seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	/* worker threads that start() made are held by it too; an error here
	 * must not pass unseen */
	if (r == 0)
		r = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);
	if (r == 0)
		r = seccomp_load(f);
	seccomp_release(f);
	return r;
}
