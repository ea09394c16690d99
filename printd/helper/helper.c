#include "helper/helper.h"

#include "daemon/privs.h"
#include "ev/ev.h"
#include "ipc/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define QUEUE_MAX (4u << 20)

enum { HELPER_RUN = 1, HELPER_KILL = 2, HELPER_EXIT = 3 };
enum { HAS_IN = 1, HAS_OUT = 2 };

/* ---- the helper process
 * ---------------------------------------------------------------- */

struct child {
	pid_t pid; /* 0 = free */
	int run;
};

struct side {
	int fd;
	struct child children[HELPER_PROGRAMS_MAX];
	struct ipc_msg msg;
	char run_env[300];
};

static void take_place(int fd, int as)
{
	if (fd < 0)
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		(void)dup2(fd, as);
}

static _Noreturn void exec_program(struct side *s, char **argv, int in, int out)
{
	char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
		      "/sbin:/bin";
	char locale[] = "LC_ALL=C.UTF-8";
	char *env[] = {path, locale, s->run_env, NULL};
	sigset_t none;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* it does not outlive us */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	take_place(in, STDIN_FILENO);
	take_place(out, STDOUT_FILENO);
	take_place(out, STDERR_FILENO);
	execve(argv[0], argv, env);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static void tell_exit(struct side *s, int run, int status)
{
	(void)!ipc_send(s->fd, HELPER_EXIT, (uint16_t)status, run, NULL, 0,
			NULL, 0);
}

static struct child *free_child(struct side *s)
{
	for (int i = 0; i < HELPER_PROGRAMS_MAX; i++)
		if (!s->children[i].pid)
			return &s->children[i];
	return NULL;
}

/* The body is the arguments, each with its zero. */
static int split(char *body, size_t len, char **argv)
{
	int n = 0;

	for (size_t at = 0; at < len && n < HELPER_ARGS_MAX;) {
		argv[n++] = body + at;
		at += strlen(body + at) + 1;
	}
	argv[n] = NULL;
	return n;
}

static void run_program(struct side *s)
{
	struct ipc_msg *m = &s->msg;
	char *argv[HELPER_ARGS_MAX + 1];
	struct child *c = free_child(s);
	int in = m->flags & HAS_IN ? m->fds[0] : -1;
	int out = m->flags & HAS_OUT ? m->fds[(m->flags & HAS_IN) != 0] : -1;
	pid_t pid;

	if (!c || !split(m->body, m->len, argv)) {
		tell_exit(s, m->value, 126);
		return;
	}
	pid = fork();
	if (pid == 0)
		exec_program(s, argv, in, out);
	if (pid < 0) {
		tell_exit(s, m->value, 126);
		return;
	}
	setpgid(pid, pid);
	*c = (struct child){pid, m->value};
}

static void kill_run(struct side *s, int run)
{
	for (int i = 0; i < HELPER_PROGRAMS_MAX; i++)
		if (s->children[i].pid && s->children[i].run == run)
			kill(-s->children[i].pid, SIGKILL);
}

static void reap(struct side *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (int i = 0; i < HELPER_PROGRAMS_MAX; i++) {
			struct child *c = &s->children[i];

			if (c->pid != pid)
				continue;
			tell_exit(s, c->run,
				  WIFSIGNALED(status) ? 256 + WTERMSIG(status)
						      : WEXITSTATUS(status));
			c->pid = 0;
		}
	}
}

static void serve(struct side *s, int sig_fd)
{
	struct pollfd p[2] = {{s->fd, POLLIN, 0}, {sig_fd, POLLIN, 0}};
	struct signalfd_siginfo si;

	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return;
		if (p[1].revents) {
			(void)!read(sig_fd, &si, sizeof si);
			reap(s);
		}
		if (!p[0].revents)
			continue;
		if (ipc_recv(s->fd, &s->msg) <= 0)
			return;
		if (s->msg.type == HELPER_RUN)
			run_program(s);
		else if (s->msg.type == HELPER_KILL)
			kill_run(s, s->msg.value);
		ipc_msg_close(&s->msg);
	}
}

static _Noreturn void helper_main(int fd, const char *user, const char *run_dir)
{
	struct side *s = calloc(1, sizeof *s);
	struct privs_user u;
	const char *step;
	sigset_t set;
	int sig_fd;

	prctl(PR_SET_NAME, "printd-helper");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	/* a terminal's interrupt is for the daemon, which ends us */
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_SETMASK, &set, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sig_fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (!s || sig_fd < 0 || privs_find_user(user, &u) < 0 ||
	    privs_drop(&u, NULL, 0, false, &step) < 0)
		_exit(1);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* dropping ids clears it */
	s->fd = fd;
	snprintf(s->run_env, sizeof s->run_env, "COUPLET_RUN=%s", run_dir);
	serve(s, sig_fd);
	for (int i = 0; i < HELPER_PROGRAMS_MAX; i++)
		if (s->children[i].pid)
			kill(-s->children[i].pid, SIGKILL);
	_exit(0);
}

/* ---- the daemon's side
 * ----------------------------------------------------------------- */

struct run {
	int id; /* 0 = free */
	helper_fn *fn;
	void *arg;
};

struct helper {
	int fd; /* until attached */
	pid_t pid;
	struct ipc_conn *conn;
	struct run runs[HELPER_PROGRAMS_MAX];
	int next;
	void (*gone)(void *arg);
	void *gone_arg;
};

int helper_new(const char *user, const char *run_dir, struct helper **ret)
{
	struct helper *h = calloc(1, sizeof *h);
	int pair[2], r;

	if (!h)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		r = -errno;
		free(h);
		return r;
	}
	h->pid = fork();
	if (h->pid == 0) {
		close(pair[0]);
		helper_main(pair[1], user, run_dir);
	}
	close(pair[1]);
	if (h->pid < 0) {
		r = -errno;
		close(pair[0]);
		free(h);
		return r;
	}
	h->fd = pair[0];
	*ret = h;
	return 0;
}

static void finish(struct run *r, int status)
{
	helper_fn *fn = r->fn;
	void *arg = r->arg;

	r->id = 0;
	if (fn)
		fn(arg, status);
}

static void on_message(void *arg, struct ipc_msg *m)
{
	struct helper *h = arg;

	for (int i = 0; i < HELPER_PROGRAMS_MAX; i++) {
		if (m->type == HELPER_EXIT && h->runs[i].id == m->value &&
		    m->value > 0) {
			finish(&h->runs[i], m->flags);
			return;
		}
	}
}

static void on_closed(void *arg, int error)
{
	struct helper *h = arg;

	(void)error;
	ipc_conn_free(h->conn);
	h->conn = NULL;
	for (int i = 0; i < HELPER_PROGRAMS_MAX; i++)
		if (h->runs[i].id)
			finish(&h->runs[i], -1);
	h->gone(h->gone_arg);
}

static const struct ipc_conn_ops conn_ops = {.message = on_message,
					     .closed = on_closed};

int helper_attach(struct helper *h, struct ev_loop *l, void (*gone)(void *arg),
		  void *arg)
{
	int r;

	h->gone = gone;
	h->gone_arg = arg;

	if (fcntl(h->fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	r = ipc_conn_new(l, h->fd, QUEUE_MAX, &conn_ops, h, &h->conn);
	if (r == 0)
		h->fd = -1;
	return r;
}

void helper_free(struct helper *h)
{
	if (!h)
		return;
	ipc_conn_free(h->conn);
	if (h->fd >= 0)
		close(h->fd);
	/* it sees the end of the socket and ends; not waited for: it may be
	 * killing its programs, and init or our parent takes it */
	free(h);
}

static struct run *free_run(struct helper *h)
{
	for (int i = 0; i < HELPER_PROGRAMS_MAX; i++)
		if (!h->runs[i].id)
			return &h->runs[i];
	return NULL;
}

static ssize_t join(const char *const *argv, size_t n, char *body, size_t cap)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(argv[i]) + 1;

		if (at + len > cap)
			return -E2BIG;
		memcpy(body + at, argv[i], len);
		at += len;
	}
	return (ssize_t)at;
}

int helper_run(struct helper *h, const char *const *argv, size_t n, int in,
	       int out, helper_fn *fn, void *arg)
{
	struct run *run = free_run(h);
	char body[4096];
	ssize_t len = join(argv, n, body, sizeof body);
	int fds[2], n_fds = 0, flags = 0, r;

	if (!h->conn)
		return -EPIPE;
	if (!run || n > HELPER_ARGS_MAX)
		return -EAGAIN;
	if (len < 0)
		return (int)len;
	if (in >= 0) {
		fds[n_fds++] = in;
		flags |= HAS_IN;
	}
	if (out >= 0) {
		fds[n_fds++] = out;
		flags |= HAS_OUT;
	}
	h->next = h->next == INT32_MAX ? 1 : h->next + 1;
	/* straight: the queue of a connection holds no descriptors */
	r = ipc_send(ipc_conn_fd(h->conn), HELPER_RUN, (uint16_t)flags, h->next,
		     body, (size_t)len, fds, n_fds);
	if (r < 0)
		return r;
	*run = (struct run){h->next, fn, arg};
	return h->next;
}

void helper_kill(struct helper *h, int id)
{
	for (int i = 0; i < HELPER_PROGRAMS_MAX; i++) {
		if (h->runs[i].id != id || id <= 0)
			continue;
		/* the slot is free when its exit is told */
		h->runs[i].fn = NULL;
		if (h->conn)
			(void)!ipc_conn_send(h->conn, HELPER_KILL, 0, id, NULL,
					     0);
	}
}
