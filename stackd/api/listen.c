/*
 * listen.c: TCP sockets that have no end here: bound ones and listeners.
 *
 * Their life is told by inotify: a watch on the socket's own inode fires at
 * the last close of the program's socket, whoever holds copies of it. The
 * watch does not hold the socket.
 *
 * To listen, stackd binds the program's own socket in a directory that only
 * stackd can enter and calls listen() on it, so nobody else can connect to it
 * and the program's descriptor, its copies in other processes and its epoll
 * registrations stay what they are. A connection that arrives is handed over
 * by connecting to that name.
 */
#include "api/impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <unistd.h>

int listen_init(struct api *a)
{
	a->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	return a->inotify_fd < 0 ? -errno : 0;
}

static int watch_life(struct api *a, struct api_sock *c, int fd)
{
	char path[40];
	int wd, r;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	wd = inotify_add_watch(a->inotify_fd, path, IN_CLOSE);
	if (wd < 0)
		return -errno;
	r = slots_set_wd(a, c, wd);
	if (r < 0)
		inotify_rm_watch(a->inotify_fd, wd);
	return r;
}

int listen_adopt(struct api *a, int fd, const struct sock_owner *owner,
		 uint64_t cookie, bool v6, const struct proto_opts *opts,
		 struct api_sock **ret, mono_t now)
{
	struct api_sock *c = slots_new(a);
	int r;

	if (!c)
		return -ENFILE;
	c->kind = API_WAITING;
	c->uid = owner->uid;
	c->pid = owner->pid;
	c->gid = owner->gid;
	c->v6 = v6;
	r = watch_life(a, c, fd);
	if (r == 0)
		r = stack_sock_new(a->s, SOCK_TCP, v6 ? IP_V6 : IP_V4, owner, c,
				   &c->sk);
	if (r < 0) {
		slots_free(a, c);
		return r;
	}
	opts_apply(a, c->sk, opts, now);
	slots_set_cookie(a, c, cookie);
	*ret = c;
	return 0;
}

/* ---- names of listeners
 * ------------------------------------------------------- */

/* By its path: a walk through /proc costs a twentieth of a connection more,
 * and is left for run directories with long names. */
static socklen_t file_addr(const struct api *a, uint32_t no,
			   struct sockaddr_un *ret)
{
	int n;

	memset(ret, 0, sizeof(*ret));
	ret->sun_family = AF_UNIX;
	n = snprintf(ret->sun_path, sizeof(ret->sun_path),
		     "%s/" API_LISTEN_DIR "/%u", a->dir, no);
	if (n < 0 || (size_t)n >= sizeof(ret->sun_path))
		snprintf(ret->sun_path, sizeof(ret->sun_path),
			 "/proc/self/fd/%d/%u", a->listen_dir_fd, no);
	return sizeof(*ret);
}

void listen_forget_file(struct api *a, struct api_sock *c)
{
	char name[16];

	if (!c->listen_no)
		return;
	snprintf(name, sizeof(name), "%u", c->listen_no);
	unlinkat(a->listen_dir_fd, name, 0);
	c->listen_no = 0;
}

static int bind_file(struct api *a, struct api_sock *c, int fd)
{
	struct sockaddr_un u;

	for (int i = 0; i < 16; i++) {
		uint32_t no = ++a->listen_next;
		socklen_t l;

		if (!no)
			continue;
		l = file_addr(a, no, &u);
		if (bind(fd, (struct sockaddr *)&u, l) == 0) {
			c->listen_no = no;
			return 0;
		}
		if (errno != EADDRINUSE)
			return -errno;
	}
	return -EADDRINUSE;
}

int listen_start(struct api *a, struct api_sock *c, int fd, int backlog,
		 mono_t now)
{
	int r = 0;

	if (c->kind != API_WAITING)
		return -EINVAL;
	if (!c->listen_no && c->path_fd < 0)
		r = bind_file(a, c, fd);
	if (r == 0)
		r = couple_listen(a, c, backlog);
	if (r < 0)
		return r;
	r = stack_sock_listen(a->s, c->sk, (uint32_t)MAX(backlog, 0), now);
	if (r < 0)
		return r;
	if (listen(fd, backlog) < 0)
		return -errno;
	if (c->flags & API_F_LISTEN)
		return 0; /* only the backlog changed */
	c->flags |= API_F_LISTEN;
	/* `fd` keeps this one alive; another may have had the wire's port */
	listen_inotify(a, now);
	divert_listen(a, c, now);
	return 0;
}

void listen_stop(struct api *a, struct api_sock *c, mono_t now)
{
	struct sock *sk = c->sk;

	couple_unlisten(a, c);
	if (c->flags & API_F_LISTEN)
		divert_unlisten(a, c, now);
	c->sk = NULL;
	if (sk) {
		sock_set_user(sk, NULL);
		stack_sock_close(a->s, sk, now);
	}
	slots_free(a, c);
}

/* ---- the last close
 * ---------------------------------------------------------------- */

void listen_inotify(struct api *a, mono_t now)
{
	_Alignas(struct inotify_event) char b[4096];
	ssize_t n;

	while ((n = read(a->inotify_fd, b, sizeof(b))) > 0) {
		for (char *p = b; p < b + n;) {
			struct inotify_event ev;
			struct api_sock *c;

			memcpy(&ev, p, sizeof(ev));
			p += sizeof(ev) + ev.len;
			c = ev.mask & IN_CLOSE ? slots_of_wd(a, ev.wd) : NULL;
			if (c)
				listen_stop(a, c, now);
		}
	}
}

/* ---- connections that arrive
 * ---------------------------------------------------------- */

static void set_opened(struct api_sock *l, struct api_sock *c, struct sock *sk)
{
	c->kind = API_STREAM;
	c->state = API_S_OPEN;
	c->sk = sk;
	c->skip = 1; /* the plant comes with accept() */
	c->v6 = l->v6;
	c->uid = l->uid;
	c->pid = l->pid;
	c->gid = l->gid;
	sock_set_user(sk, c);
}

int listen_connect(struct api *a, const struct api_sock *l, uint64_t serial,
		   const struct ip_port *local, const struct ip_port *remote,
		   int *ret)
{
	struct sockaddr_un u = {.sun_family = AF_UNIX};
	size_t n;
	socklen_t len;
	int r = 0, fd;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	n = proto_name_emit(serial, local, remote, u.sun_path);
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	if (bind(fd, (struct sockaddr *)&u, len) < 0)
		r = -errno;
	len = l->listen_no ? file_addr(a, l->listen_no, &u)
			   : couple_path(l, &u);
	if (r == 0 && connect(fd, (struct sockaddr *)&u, len) < 0)
		r = -errno;
	if (r < 0)
		close(fd);
	else
		*ret = fd;
	return r;
}

/* Our end, connected to the program's listener under a name that tells both
 * addresses. -EAGAIN: its backlog is full. */
static int connect_child(struct api *a, struct api_sock *l, struct api_sock *c,
			 const struct sock *sk)
{
	struct ip_port local, remote = {0};

	sock_local(sk, &local);
	(void)!sock_remote(sk, &remote);
	return listen_connect(a, l, slots_serial(c), &local, &remote, &c->fd);
}

static int hand_over(struct api *a, struct api_sock *l, struct sock *sk)
{
	struct api_sock *c = slots_new(a);
	int r;

	if (!c)
		return -ENFILE;
	c->kind = API_STREAM;
	r = connect_child(a, l, c, sk);
	if (r == 0)
		r = api_watch(a, c);
	if (r < 0) {
		slots_free(a, c);
		return r;
	}
	set_opened(l, c, sk);
	return 0;
}

static void accept_children(struct api *a, struct api_sock *l, mono_t now)
{
	struct sock *sk;

	while ((sk = stack_sock_accept(a->s, l->sk))) {
		int r = divert_arrived(a, l, sk, now);

		if (r == 0)
			r = hand_over(a, l, sk);
		if (r >= 0)
			continue;
		stack_sock_unaccept(a->s, l->sk, sk);
		/* nobody watches this one for us */
		if (r == -ECONNREFUSED && l->path_fd >= 0) {
			listen_stop(a, l, now);
			return;
		}
		/* full, or short of descriptors: later; a dead listener is
		 * told by inotify, and its children with it */
		api_timed(a, &a->retry, l, now);
		return;
	}
}

void listen_ready(struct api *a, struct api_sock *c, unsigned ev, mono_t now)
{
	if (ev & SOCK_EV_PROBE) {
		uint64_t serial = slots_serial(c);

		listen_inotify(a, now);
		if (slots_of_serial(a, serial) != c)
			return;
		if (c->path_fd >= 0 && c->wd < 0 && !couple_alive(c)) {
			listen_stop(a, c, now);
			return;
		}
	}
	if ((ev & SOCK_EV_ACCEPT) && !(c->flags & API_F_TIMED))
		accept_children(a, c, now);
}

void listen_retry(struct api *a, struct api_sock *c, mono_t now)
{
	accept_children(a, c, now);
}
