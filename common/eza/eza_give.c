/*
 * eza_give.c: GIVESOCKET and TAKESOCKET between processes of one user. A
 * process that gives listens on an AF_UNIX socket whose name is its client
 * name, in a folder that only its user may enter; a thread answers there.
 * Whoever takes names the giver and the number of the socket, and gets a copy
 * of it. The giver learns of it as the exception that SELECT waits for, and
 * closes its own.
 */
#include "eza/eza.h"

#include "client/couplet.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define TAKE_MAGIC 0x455a4131u /* "EZA1" */
#define TAKE_WAIT_S 10

struct take { /* one message each way */
	uint32_t magic;
	int32_t s; /* the giver's number; answer: 0 or negative errno */
	char name[8], task[8]; /* of the taker */
	char giver_task[8];
};

struct given {
	bool on;
	char name[8], task[8]; /* who may take it, blank or zero: anybody */
	int event;
};

static struct {
	pthread_mutex_t lock;
	struct given given[EZA_SOCKETS_MAX];
	int door;
	pid_t pid; /* whose door it is: not a child's */
} give = {.lock = PTHREAD_MUTEX_INITIALIZER, .door = -1};

/* ---- the folder
 * ---------------------------------------------------------------------- */

static bool private_folder(const char *path)
{
	struct stat st;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return false;
	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
	       st.st_uid == geteuid() && !(st.st_mode & 077);
}

static int door_name(const char *client, struct sockaddr_un *ret)
{
	const char *run = getenv("XDG_RUNTIME_DIR");
	char dir[80];
	int n;

	memset(ret, 0, sizeof(*ret));
	ret->sun_family = AF_UNIX;
	n = run && *run ? snprintf(dir, sizeof(dir), "%s/couplet-eza", run)
			: snprintf(dir, sizeof(dir), "/tmp/couplet-eza-%u",
				   (unsigned)geteuid());
	if (n < 0 || (size_t)n >= sizeof(dir))
		return -ENAMETOOLONG;
	if (!private_folder(dir))
		return -EACCES;
	for (int i = 0; i < 8; i++) {
		if (client[i] == '/' || !client[i])
			return -EINVAL;
	}
	n = snprintf(ret->sun_path, sizeof(ret->sun_path), "%s/%.8s", dir,
		     client);
	return n > 0 && (size_t)n < sizeof(ret->sun_path) ? 0 : -ENAMETOOLONG;
}

/* ---- the giver's side
 * ---------------------------------------------------------------- */

static bool anybody(const char *s)
{
	static const char zero[8],
		blank[8] = {' ', ' ', ' ', ' ', ' ', ' ', ' ', ' '};

	return memcmp(s, zero, 8) == 0 || memcmp(s, blank, 8) == 0;
}

static bool may_take(const struct given *g, const struct take *t)
{
	return (anybody(g->name) || memcmp(g->name, t->name, 8) == 0) &&
	       (anybody(g->task) || memcmp(g->task, t->task, 8) == 0);
}

static void send_fd(int to, const struct take *t, int fd)
{
	union {
		char b[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u = {.b = {0}};
	struct iovec io = {(void *)(uintptr_t)t, sizeof(*t)};
	struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};

	if (fd >= 0) {
		struct cmsghdr *h;

		m.msg_control = u.b;
		m.msg_controllen = sizeof(u.b);
		h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(h), &fd, sizeof(fd));
	}
	(void)!sendmsg(to, &m, MSG_NOSIGNAL);
}

/* One request; the giver keeps the socket until it closes it. */
static void answer(int c)
{
	struct timeval tv = {.tv_sec = TAKE_WAIT_S};
	struct take t;
	uint64_t one = 1;
	int fd;

	(void)!setsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	if (recv(c, &t, sizeof(t), 0) != (ssize_t)sizeof(t) ||
	    t.magic != TAKE_MAGIC || t.s < 0 || t.s >= EZA_SOCKETS_MAX)
		return;
	fd = eza_fd_of(t.s);
	pthread_mutex_lock(&give.lock);
	if (fd < 0 || !give.given[t.s].on || !may_take(&give.given[t.s], &t)) {
		t.s = -EINVAL;
		fd = -1;
	} else {
		give.given[t.s].on = false;
		(void)!write(give.given[t.s].event, &one, sizeof(one));
		t.s = 0;
	}
	pthread_mutex_unlock(&give.lock);
	send_fd(c, &t, fd);
}

static void *serve(void *arg)
{
	int door = (int)(intptr_t)arg;

	for (;;) {
		int c = accept4(door, NULL, NULL, SOCK_CLOEXEC);
		struct ucred uc;
		socklen_t l = sizeof(uc);

		if (c < 0 && errno != EINTR && errno != ECONNABORTED)
			return NULL;
		if (c < 0)
			continue;
		if (getsockopt(c, SOL_SOCKET, SO_PEERCRED, &uc, &l) == 0 &&
		    uc.uid == geteuid())
			answer(c);
		close(c);
	}
}

/* Called with the lock held. */
static int open_door(void)
{
	char name[8], task[8];
	struct sockaddr_un u;
	pthread_attr_t attr;
	pthread_t thread;
	int fd, r;

	if (give.door >= 0 && give.pid == getpid())
		return 0;
	eza_client(name, task);
	r = door_name(name, &u);
	if (r < 0)
		return r;
	unlink(u.sun_path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&u, sizeof(u)) < 0 ||
	    listen(fd, 64) < 0) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	r = -pthread_create(&thread, &attr, serve, (void *)(intptr_t)fd);
	pthread_attr_destroy(&attr);
	if (r < 0) {
		close(fd);
		return r;
	}
	give.door = fd;
	give.pid = getpid();
	return 0;
}

/* S, CLIENT of the taker. */
long eza_givesocket(const struct eza_call *c)
{
	const char *client = c->a[1];
	int fd = eza_fd(c->a[0]), s = eza_get16(c->a[0]), r;
	struct given *g;

	if (fd < 0)
		return fd;
	pthread_mutex_lock(&give.lock);
	r = open_door();
	g = &give.given[s];
	if (r == 0 && g->event <= 0)
		g->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r == 0 && g->event < 0)
		r = -errno;
	if (r == 0) {
		memcpy(g->name, client + 4, 8);
		memcpy(g->task, client + 12, 8);
		g->on = true;
	}
	pthread_mutex_unlock(&give.lock);
	return r;
}

int eza_taken_fd(int s)
{
	int fd;

	pthread_mutex_lock(&give.lock);
	fd = give.given[s].event > 0 ? give.given[s].event : -1;
	pthread_mutex_unlock(&give.lock);
	return fd;
}

void eza_give_forget(int s)
{
	pthread_mutex_lock(&give.lock);
	if (give.given[s].event > 0)
		close(give.given[s].event);
	memset(&give.given[s], 0, sizeof(give.given[s]));
	pthread_mutex_unlock(&give.lock);
}

/* ---- the taker's side
 * ---------------------------------------------------------------- */

static int receive(int from, struct take *t)
{
	union {
		char b[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u;
	struct iovec io = {t, sizeof(*t)};
	struct msghdr m = {.msg_iov = &io,
			   .msg_iovlen = 1,
			   .msg_control = u.b,
			   .msg_controllen = sizeof(u.b)};
	struct cmsghdr *h;
	int fd = -1;

	if (recvmsg(from, &m, MSG_CMSG_CLOEXEC) != (ssize_t)sizeof(*t))
		return -ECONNRESET;
	h = CMSG_FIRSTHDR(&m);
	if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(h), sizeof(fd));
	if (t->s < 0)
		return t->s;
	return fd < 0 ? -EINVAL : fd;
}

/* SOCRECV (the giver's number), CLIENT of the giver. */
long eza_takesocket(const struct eza_call *c)
{
	struct take t = {.magic = TAKE_MAGIC, .s = eza_get16(c->a[0])};
	struct timeval tv = {.tv_sec = TAKE_WAIT_S};
	struct sockaddr_un u;
	int door = -1, r = door_name((const char *)c->a[1] + 4, &u);

	if (r < 0)
		return r;
	eza_client(t.name, t.task);
	door = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (door < 0)
		return -errno;
	(void)!setsockopt(door, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	if (connect(door, (struct sockaddr *)&u, sizeof(u)) < 0)
		r = -ENOENT;
	else if (send(door, &t, sizeof(t), MSG_NOSIGNAL) < 0)
		r = -errno;
	else
		r = receive(door, &t);
	close(door);
	return r < 0 ? r : eza_add(r);
}
