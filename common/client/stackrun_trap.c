/*
 * stackrun_trap.c: starts the supervisor. stackrun itself becomes the program,
 * so that its number, its parent and its signals are what they would be
 * without stackrun; the supervisor is nobody's child.
 */
#include "client/stackrun.h"
#include "client/trap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct talk { /* pipes */
	int to_program, to_supervisor;
	int probe; /* a descriptor that the program keeps open meanwhile */
	int its;   /* the program's end of the pipe that we read */
};

static bool say(int fd, int v)
{
	ssize_t n;

	do
		n = write(fd, &v, sizeof(v));
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(v);
}

/* What the other side said; negative errno. */
static int hear(int fd)
{
	int v;
	ssize_t n;

	do
		n = read(fd, &v, sizeof(v));
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(v) ? v : -ECHILD;
}

static int take_fd(int pidfd, int number)
{
	long fd = syscall(SYS_pidfd_getfd, pidfd, number, 0);

	return fd < 0 ? -errno : (int)fd;
}

/* Nothing of the terminal and of the program's pipes stays open here. */
static void let_go(int *listener)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = 0; null >= 0 && i < 3; i++)
		(void)!dup2(null, i);
	if (*listener != 3) {
		*listener = dup3(*listener, 3, O_CLOEXEC);
		if (*listener < 0)
			_exit(1);
	}
	(void)!close_range(4, ~0U, 0);
	(void)!chdir("/");
}

_Noreturn static void supervisor(struct trap_config cf, pid_t program,
				 const struct talk *t)
{
	int pidfd = (int)syscall(SYS_pidfd_open, program, 0);
	int probe = pidfd < 0 ? -errno : take_fd(pidfd, t->probe);
	int number;

	/* or its death would not be the end of what we read */
	(void)!close(t->its);
	/* before there is a filter: may this user look at his programs? */
	if (!say(t->to_program, MIN(probe, 0)) || probe < 0)
		_exit(0);
	close(probe);
	number = hear(t->to_supervisor);
	cf.listener = number < 0 ? number : take_fd(pidfd, number);
	if (!say(t->to_program, MIN(cf.listener, 0)) || cf.listener < 0)
		_exit(0);
	let_go(&cf.listener);
	_exit(trap_serve(&cf) < 0);
}

/* Twice, so that the program has no child that it does not know. */
static int detach(const struct trap_config *cf, const struct talk *t)
{
	pid_t program = getpid(), pid = fork();
	int status;

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		(void)!setsid();
		if (fork() == 0)
			supervisor(*cf, program, t);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return 0;
}

static int install(const struct talk *mine, bool isolated)
{
	int listener = trap_install(isolated), r;

	(void)!say(mine->to_supervisor, MAX(listener, -ENOSYS));
	if (listener < 0)
		return listener;
	r = hear(mine->to_program);
	close(listener);
	if (r < 0) /* too late to go on without it */
		stackrun_die(STACKRUN_CANNOT,
			     "the supervisor did not start: %s", strerror(-r));
	return 0;
}

int stackrun_supervise(unsigned id, bool isolated)
{
	struct trap_config cf = {.id = id, .isolated = isolated};
	int up[2], down[2], r;

	if (pipe2(up, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(down, O_CLOEXEC) < 0) {
		close(up[0]);
		close(up[1]);
		return -errno;
	}
	r = detach(&cf, &(struct talk){.to_program = down[1],
				       .to_supervisor = up[0],
				       .probe = down[0],
				       .its = up[1]});
	close(up[0]);
	close(down[1]);
	if (r == 0)
		r = hear(down[0]);
	if (r == 0)
		r = install(&(struct talk){.to_program = down[0],
					   .to_supervisor = up[1]},
			    isolated);
	close(up[1]);
	close(down[0]);
	return r;
}
