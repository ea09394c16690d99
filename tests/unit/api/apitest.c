#include "apitest.h"

#include "client/couplet.h"
#include "stackbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a stack of its own for each case
 * ----------------------------------------- */

static int box_fd; /* the child stops when this closes */

_Noreturn static void run_box(const char *dir, int ready, int stop)
{
	static struct stackbox b;

	signal(SIGPIPE, SIG_IGN);
	stackbox_open(&b, dir);
	/* the parent's end of `stop` is the only writer */
	dup2(stop, b.wake[0]);
	(void)!write(ready, "r", 1);
	stackbox_run(&b);
	stackbox_close(&b);
	exit(0);
}

int start(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int ready[2], stop[2];
	char c;

	snprintf(f->dir, sizeof(f->dir), "/tmp/couplet-test-api.XXXXXX");
	if (!mkdtemp(f->dir) || pipe(ready) < 0 || pipe(stop) < 0)
		return -1;
	signal(SIGPIPE, SIG_IGN);
	setenv("COUPLET_RUN", f->dir, 1);
	setenv("COUPLET_ID", "00", 1);
	f->box = fork();
	if (f->box == 0) {
		char dir[sizeof(f->dir)];

		memcpy(dir, f->dir, sizeof(dir));
		free(f); /* the leak check is about the stack's own memory */
		close(stop[1]);
		run_box(dir, ready[1], stop[0]);
	}
	close(ready[1]);
	close(stop[0]);
	box_fd = stop[1];
	fcntl(box_fd, F_SETFD, FD_CLOEXEC);
	if (read(ready[0], &c, 1) != 1)
		return -1;
	close(ready[0]);
	*state = f;
	return 0;
}

int stop(void **state)
{
	struct fixture *f = *state;
	int st = -1;

	close(box_fd);
	if (f->box > 0 && waitpid(f->box, &st, 0) != f->box)
		return -1;
	rmdir(f->dir);
	free(f);
	/* a sanitizer's finding or a leak in the stack is a failure here */
	return f && st == 0 ? 0 : -1;
}

/* ---- shorthand
 * ------------------------------------------------------------------- */

struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				    .sin_port = htons(port)};
}

int sock(int type)
{
	int fd = couplet_socket("00", AF_INET, type, 0);

	assert_true(fd >= 0);
	return fd;
}

struct sockaddr_in name_of(int fd)
{
	struct sockaddr_in a;
	socklen_t l = sizeof(a);

	assert_int_equal(couplet_getsockname(fd, SA(&a), &l), 0);
	assert_int_equal(l, sizeof(a));
	return a;
}

int listener(int backlog, struct sockaddr_in *ret)
{
	struct sockaddr_in a = loopback(0);
	int fd = sock(SOCK_STREAM);

	assert_int_equal(couplet_bind(fd, SA(&a), sizeof(a)), 0);
	assert_int_equal(couplet_listen(fd, backlog), 0);
	*ret = name_of(fd);
	assert_int_not_equal(ret->sin_port, 0);
	return fd;
}

int connect_to(int fd, const struct sockaddr_in *a)
{
	return couplet_connect(fd, (const struct sockaddr *)a, sizeof(*a)) < 0
		       ? -errno
		       : 0;
}

void pair(int *ret_client, int *ret_server)
{
	struct sockaddr_in a;
	int l = listener(4, &a);

	*ret_client = sock(SOCK_STREAM);
	assert_int_equal(connect_to(*ret_client, &a), 0);
	*ret_server = couplet_accept(l, NULL, NULL);
	assert_true(*ret_server >= 0);
	close(l);
}

short wait_for(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};

	return poll(&p, 1, WAIT_MS) == 1 ? p.revents : 0;
}

void expect_read(int fd, const char *text)
{
	char b[64];
	ssize_t want = (ssize_t)strlen(text), n = 0;

	while (n < want) {
		ssize_t k = read(fd, b + n, (size_t)(want - n));

		assert_true(k > 0);
		n += k;
	}
	assert_memory_equal(b, text, (size_t)want);
}

void expect_error(int fd, int e)
{
	char b[8];

	assert_int_equal(read(fd, b, sizeof(b)), -1);
	assert_int_equal(errno, e);
}

void expect_eof(int fd)
{
	char b[8];

	assert_int_equal(read(fd, b, sizeof(b)), 0);
}

int opt(int fd, int level, int name)
{
	int v = -1;
	socklen_t l = sizeof(v);

	assert_int_equal(couplet_getsockopt(fd, level, name, &v, &l), 0);
	return v;
}

int set_opt(int fd, int level, int name, int v)
{
	return couplet_setsockopt(fd, level, name, &v, sizeof(v)) < 0 ? -errno
								      : 0;
}

void start_again(void **state)
{
	struct fixture *old = *state;
	char cmd[128];

	close(box_fd);
	snprintf(cmd, sizeof(cmd), "rm -r %s", old->dir);
	assert_int_equal(system(cmd), 0);
	free(old);
	assert_int_equal(start(state), 0);
}
