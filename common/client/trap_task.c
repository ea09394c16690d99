/*
 * trap_task.c: the process that made a stopped call: its descriptors, its
 * user, its signals. A thread is known by its pidfd; when one is opened the
 * kernel says whether the call still stands, so a number that was used again
 * is never taken for the old one.
 */
#include "client/trap_priv.h"

#include "client/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PIDFD_THREAD /* Linux 6.9 */
#define PIDFD_THREAD O_EXCL
#endif
#define STATUS_MAX 4096
#define GROUPS_MAX 256
#define TASKS_KEPT 64

/* ---- descriptors
 * ---------------------------------------------------------------- */

/* /proc/TID/status, whose text ends with '\0'. */
static bool status_of(pid_t tid, char *text)
{
	char path[32];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, STATUS_MAX - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static const char *field(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? at + strlen(name) : "";
}

/* pidfds of threads that called before. One names its thread for good: when
 * the number is used again, the old one is of no use any more and says so. */
static struct {
	uint32_t tid; /* 0 empty */
	int fd;
} kept[TASKS_KEPT];

static int open_pidfd(struct trap_call *c)
{
	char text[STATUS_MAX];
	long tid = (long)c->n->pid;
	long fd = syscall(SYS_pidfd_open, tid, PIDFD_THREAD);

	c->keep = fd >= 0;
	if (fd < 0 && errno == EINVAL) { /* an older kernel: leaders only */
		fd = syscall(SYS_pidfd_open, tid, 0);
		if (fd < 0 && status_of((pid_t)tid, text))
			fd = syscall(SYS_pidfd_open,
				     strtol(field(text, "\nTgid:"), NULL, 10),
				     0);
	}
	return fd < 0 ? -errno : (int)fd;
}

int trap_open_task(struct trap_call *c)
{
	size_t at = c->n->pid % TASKS_KEPT;

	if (c->pidfd >= 0)
		return 0;
	if (kept[at].tid == c->n->pid) {
		c->pidfd = kept[at].fd;
		c->keep = true;
		return 0;
	}
	c->pidfd = open_pidfd(c);
	if (c->pidfd < 0)
		return c->pidfd;
	/* it is the thread that waits for us, not one that came after it */
	if (ioctl(trap_listener(c->t), SECCOMP_IOCTL_NOTIF_ID_VALID,
		  &c->n->id) < 0) {
		c->keep = false;
		return -ENOENT;
	}
	if (c->keep) {
		if (kept[at].tid)
			close(kept[at].fd);
		kept[at].tid = c->n->pid;
		kept[at].fd = c->pidfd;
	}
	return 0;
}

void trap_close_task(struct trap_call *c)
{
	if (c->pidfd >= 0 && !c->keep)
		close(c->pidfd);
	c->pidfd = -1;
}

/* The thread has gone: whoever has its number now is another. */
static void forget_task(struct trap_call *c)
{
	size_t at = c->n->pid % TASKS_KEPT;

	if (kept[at].tid == c->n->pid) {
		close(kept[at].fd);
		kept[at].tid = 0;
	}
	c->pidfd = -1;
}

static long get_fd(struct trap_call *c, int number)
{
	int r = trap_open_task(c);
	bool old = c->keep;
	long fd;

	if (r < 0)
		return r;
	fd = syscall(SYS_pidfd_getfd, c->pidfd, number, 0);
	if (fd < 0 && errno == ESRCH && old) {
		forget_task(c);
		r = trap_open_task(c);
		if (r < 0)
			return r;
		fd = syscall(SYS_pidfd_getfd, c->pidfd, number, 0);
	}
	return fd < 0 ? -errno : fd;
}

int trap_borrow(struct trap_call *c)
{
	long fd = get_fd(c, trap_arg_int(c, 0));

	if (fd < 0)
		return fd == -EBADF ? 0 : (int)fd;
	c->fd = (int)fd;
	return tag_get(c->fd, &c->tag);
}

static int add_fd(const struct trap_call *c, int fd, unsigned flags, int at,
		  bool cloexec)
{
	struct seccomp_notif_addfd a = {.id = c->n->id,
					.flags = flags,
					.srcfd = (uint32_t)fd,
					.newfd = (uint32_t)MAX(at, 0),
					.newfd_flags = cloexec ? O_CLOEXEC : 0};

	return ioctl(trap_listener(c->t), SECCOMP_IOCTL_NOTIF_ADDFD, &a) < 0
		       ? -errno
		       : 0;
}

/* A free number in the window, from its upper end; -1 none. */
static int free_number(struct trap_call *c)
{
	for (int i = TRAP_WINDOW_SIZE - 1; i >= 0; i--) {
		long fd = get_fd(c, TRAP_WINDOW + i);

		if (fd < 0)
			return fd == -EBADF ? TRAP_WINDOW + i : -1;
		close((int)fd);
	}
	return -1;
}

int trap_give(struct trap_call *c, int fd, bool cloexec, bool window)
{
	int at = -1, r = -EBADF;

	if (window)
		at = free_number(c);
	if (at >= 0)
		r = add_fd(c, fd,
			   SECCOMP_ADDFD_FLAG_SEND | SECCOMP_ADDFD_FLAG_SETFD,
			   at, cloexec);
	/* no such number for this process: calls with an address still work */
	if (r == -EBADF || r == -EMFILE)
		r = add_fd(c, fd, SECCOMP_ADDFD_FLAG_SEND, -1, cloexec);
	close(fd);
	return r < 0 ? r : TRAP_ANSWERED;
}

/* ---- a replaced object
 * ---------------------------------------------------------- */

/* epoll knows a descriptor by its number, which must be the program's: a
 * child of ours puts both sets and socket under their numbers there. */
static void register_child(struct trap_call *c, const struct op_epoll *e,
			   int fd)
{
	struct epoll_event ev;
	int number = trap_arg_int(c, 0), set;

	for (size_t i = 0; op_epoll_get(e, i, &set, &ev); i++) {
		long mine = get_fd(c, set);
		int up = mine < 0 ? -1 : fcntl((int)mine, F_DUPFD, number + 1);

		if (up < 0 || dup2(fd, number) < 0)
			continue;
		(void)!epoll_ctl(up, EPOLL_CTL_ADD, number, &ev);
	}
}

int trap_replace(void *arg, int fd, bool cloexec)
{
	struct trap_call *c = arg;
	struct op_epoll *e =
		op_epoll_save((pid_t)c->n->pid, trap_arg_int(c, 0));
	int r = add_fd(c, fd, SECCOMP_ADDFD_FLAG_SETFD, trap_arg_int(c, 0),
		       cloexec);
	pid_t pid = r == 0 && e ? fork() : -1;

	if (pid == 0) {
		register_child(c, e, fd);
		_exit(0);
	}
	if (pid > 0)
		(void)!waitpid(pid, NULL, 0);
	free(e);
	return r;
}

/* ---- the user
 * -------------------------------------------------------------------- */

struct identity {
	uid_t uid;
	gid_t gid;
	gid_t groups[GROUPS_MAX];
	size_t n;
};

/* Second of the four numbers: effective. */
static unsigned effective(const char *line)
{
	char *end;

	(void)strtoul(line, &end, 10);
	return (unsigned)strtoul(end, NULL, 10);
}

static bool identity_of(pid_t tid, struct identity *ret)
{
	char text[STATUS_MAX], *end;
	const char *p;

	if (!status_of(tid, text))
		return false;
	ret->uid = effective(field(text, "\nUid:"));
	ret->gid = effective(field(text, "\nGid:"));
	ret->n = 0;
	for (p = field(text, "\nGroups:"); ret->n < GROUPS_MAX; p = end) {
		unsigned long g;

		while (*p == ' ' || *p == '\t')
			p++;
		if (*p < '0' || *p > '9')
			break;
		g = strtoul(p, &end, 10);
		ret->groups[ret->n++] = (gid_t)g;
	}
	return true;
}

static bool same(const struct identity *a, const struct identity *b)
{
	return a->uid == b->uid && a->gid == b->gid && a->n == b->n &&
	       memcmp(a->groups, b->groups, a->n * sizeof(gid_t)) == 0;
}

/* To look at programs of other users and to be these users for stackd; and,
 * while that user is root, for options that only root's programs may set. */
#define CAPS_ALWAYS \
	(1u << CAP_SYS_PTRACE | 1u << CAP_SETUID | 1u << CAP_SETGID | \
	 1u << CAP_KILL)
#define CAPS_OF_ROOT (1u << CAP_NET_ADMIN | 1u << CAP_NET_RAW)

static bool set_capabilities(unsigned effective_now, unsigned permitted)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2] = {{0}};

	d[0].effective = effective_now;
	d[0].permitted = permitted;
	return syscall(SYS_capset, &h, d) == 0;
}

void trap_keep_capabilities(void)
{
	const unsigned all = CAPS_ALWAYS | CAPS_OF_ROOT;

	/* they stay when the user changes */
	(void)!prctl(PR_SET_SECUREBITS, (unsigned long)SECBIT_NO_SETUID_FIXUP,
		     0L, 0L, 0L);
	/* a user's own namespace may lack some of them */
	if (!set_capabilities(all, all))
		(void)!set_capabilities(1u << CAP_SYS_PTRACE,
					1u << CAP_SYS_PTRACE);
}

int trap_become(const struct trap_call *c)
{
	static struct identity now;
	static bool known;
	struct identity its;
	int r;

	if (!trap_as_root(c->t))
		return 0; /* all it can be is the user himself */
	if (!identity_of((pid_t)c->n->pid, &its))
		return -ESRCH;
	if (known && same(&now, &its))
		return 0;
	/* raw calls: this process has one thread, and libc need not know.
	 * Capabilities stay (SECBIT_NO_SETUID_FIXUP, trap.c). */
	r = (int)syscall(SYS_setgroups, its.n, its.groups);
	if (r == 0)
		r = (int)syscall(SYS_setresgid, -1, its.gid, -1);
	if (r == 0)
		r = (int)syscall(SYS_setresuid, -1, its.uid, -1);
	if (r == 0 &&
	    !set_capabilities(its.uid == 0 ? CAPS_ALWAYS | CAPS_OF_ROOT
					   : CAPS_ALWAYS,
			      CAPS_ALWAYS | CAPS_OF_ROOT))
		r = -1;
	known = r == 0;
	now = its;
	ctl_forget(); /* connections that were made as somebody else */
	return r < 0 ? -EPERM : 0;
}

/* ---- signals
 * --------------------------------------------------------------------- */

static uint64_t mask(const char *text, const char *name)
{
	return strtoull(field(text, name), NULL, 16);
}

/*
 * The kernel wakes one thread for a signal, and only that one may be told to
 * restart its call: another would see the kernel's own number of that error.
 * A thread's own signals are its own. One for the process goes to its leader,
 * unless the leader blocks it; then it is not known to whom, and a thread
 * that could take it, and has seen nobody do so since the last look, is
 * interrupted, which is an error that programs know.
 */
enum trap_signal trap_signalled(const struct trap_call *c, uint64_t *seen)
{
	char text[STATUS_MAX];
	uint64_t blocked, shared, before = *seen;
	pid_t tid = (pid_t)c->n->pid, leader;

	*seen = 0;
	if (!status_of(tid, text))
		return TRAP_SIGNAL_NONE;
	blocked = mask(text, "\nSigBlk:");
	if (mask(text, "\nSigPnd:") & ~blocked)
		return TRAP_SIGNAL_RESTART;
	shared = mask(text, "\nShdPnd:") & ~blocked;
	leader = (pid_t)strtol(field(text, "\nTgid:"), NULL, 10);
	if (!shared || leader == tid)
		return shared ? TRAP_SIGNAL_RESTART : TRAP_SIGNAL_NONE;
	if (!status_of(leader, text))
		return TRAP_SIGNAL_NONE;
	*seen = shared & mask(text, "\nSigBlk:");
	return *seen & before ? TRAP_SIGNAL_INTERRUPT : TRAP_SIGNAL_NONE;
}
