/*
 * api.c: the room's life, its directory and the way of events to the rest.
 */
#include "api/impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_FILE "lock"

static const struct {
	enum api_kind kind;
	int type;
	const char *name;
} doors[] = {
	{API_ACC_STREAM, SOCK_STREAM, "stream"},
	{API_ACC_DGRAM, SOCK_SEQPACKET, "dgram"},
	{API_ACC_CTL, SOCK_SEQPACKET, "control"},
	{API_ACC_DIVERT, SOCK_SEQPACKET, "divert"},
};

/* ---- helpers of the other files
 * --------------------------------------------------- */

int api_watch(struct api *a, struct api_sock *c)
{
	return a->ops.watch(a->ops.arg, c->fd, slots_ref(c));
}

void api_watch_out(struct api *a, struct api_sock *c)
{
	c->flags |= API_F_BLOCKED;
	if (c->flags & API_F_OUT)
		return;
	if (a->ops.watch_out(a->ops.arg, c->fd, slots_ref(c)) == 0)
		c->flags |= API_F_OUT;
}

void api_arm(struct api *a)
{
	mono_t at = MONO_NEVER;

	if (!list_empty(&a->hello))
		at = mono_add(container_of(a->hello.next, struct api_sock, node)
				      ->since,
			      DUR_MS(API_HELLO_MS));
	if (!list_empty(&a->retry))
		at = mono_min(at, mono_add(container_of(a->retry.next,
							struct api_sock, node)
						   ->since,
					   DUR_MS(API_RETRY_MS)));
	if (!list_empty(&a->dv.held))
		at = mono_min(at, mono_add(container_of(a->dv.held.next,
							struct api_sock, node)
						   ->since,
					   divert_wait(a)));
	if (!list_empty(&a->soon))
		at = (mono_t){1};
	at = mono_min(at, couple_deadline(a));
	at = mono_min(at, attls_deadline(a));
	if (at.ns == a->timer_at.ns)
		return;
	a->timer_at = at;
	a->ops.timer(a->ops.arg, at);
}

void api_timed(struct api *a, struct list *l, struct api_sock *c, mono_t now)
{
	if (c->flags & API_F_TIMED)
		return;
	c->flags |= API_F_TIMED;
	c->since = now;
	list_push_tail(l, &c->node);
	api_arm(a);
}

void api_untimed(struct api_sock *c)
{
	/* the timer may fire once for nothing, which is cheaper than setting
	 * it for every connection */
	c->flags &= (uint16_t)~API_F_TIMED;
	list_remove(&c->node);
}

/* ---- events
 * ------------------------------------------------------------------------- */

static void door_event(struct api *a, struct api_sock *c, mono_t now)
{
	if (c->kind == API_ACC_STREAM)
		stream_accept(a, c, now);
	else if (c->kind == API_ACC_DGRAM)
		dgram_accept(a, c, now);
	else if (c->kind == API_ACC_CTL)
		ctl_accept(a, c, now);
	else
		divert_accept(a, c, now);
}

bool api_is_control(struct api *a, void *ref)
{
	const struct api_sock *c = slots_of_ref(a, ref);

	return c && (c->kind == API_CTL || c->kind == API_DIVERT);
}

void api_on_event(struct api *a, void *ref, uint32_t ev, mono_t now)
{
	struct api_sock *c = slots_of_ref(a, ref);

	if (!c)
		return;
	switch ((enum api_kind)c->kind) {
	case API_STREAM:
		stream_event(a, c, ev, now);
		break;
	case API_DGRAM:
		dgram_event(a, c, ev, now);
		break;
	case API_CTL:
		ctl_event(a, c, ev, now);
		break;
	case API_ACC_STREAM:
	case API_ACC_DGRAM:
	case API_ACC_CTL:
	case API_ACC_DIVERT:
		door_event(a, c, now);
		break;
	case API_TWIN:
		couple_dgram_event(a, c, ev);
		break;
	case API_DIVERT:
		divert_event(a, c, ev, now);
		break;
	case API_INOTIFY:
		listen_inotify(a, now);
		break;
	case API_FREE:
	case API_WAITING:
		break;
	}
}

void api_on_ready(struct api *a, struct sock *sk, unsigned events, mono_t now)
{
	struct api_sock *c = sock_user(sk);

	if (!c)
		return;
	if (c->kind == API_STREAM)
		stream_ready(a, c, events, now);
	else if (c->kind == API_DGRAM)
		dgram_ready(a, c, events, now);
	else if (c->flags & API_F_LISTEN)
		listen_ready(a, c, events, now);
}

static void again(struct api *a, struct api_sock *c, mono_t now)
{
	api_untimed(c);
	if (c->kind == API_DGRAM)
		dgram_retry(a, c, now);
	else if (c->kind == API_CTL)
		ctl_event(a, c, 0, now);
	else if (c->kind == API_TWIN)
		couple_dgram_event(a, c, 0);
	else if (c->kind == API_WAITING)
		listen_retry(a, c, now);
	else if (c->kind == API_STREAM)
		divert_again(a, c, false, now);
	else if (c->kind == API_DIVERT)
		divert_event(a, c, 0, now);
	else
		door_event(a, c, now);
}

/* Those that come back on the list wait for the next time. */
static void run_list(struct api *a, struct list *l, dur_t wait, mono_t now)
{
	struct list todo;

	list_init(&todo);
	while (!list_empty(l)) {
		struct api_sock *c =
			container_of(l->next, struct api_sock, node);

		if (mono_lt(now, mono_add(c->since, wait)))
			break;
		list_remove(&c->node);
		list_push_tail(&todo, &c->node);
	}
	while (!list_empty(&todo))
		again(a, container_of(todo.next, struct api_sock, node), now);
}

void api_on_timer(struct api *a, mono_t now)
{
	a->timer_at = MONO_NEVER;
	while (!list_empty(&a->hello)) {
		struct api_sock *c =
			container_of(a->hello.next, struct api_sock, node);

		if (mono_lt(now, mono_add(c->since, DUR_MS(API_HELLO_MS))))
			break;
		stream_hello_expired(a, c);
	}
	while (!list_empty(&a->dv.held)) {
		struct api_sock *c =
			container_of(a->dv.held.next, struct api_sock, node);

		if (mono_lt(now, mono_add(c->since, divert_wait(a))))
			break;
		api_untimed(c);
		divert_again(a, c, true, now);
	}
	run_list(a, &a->retry, DUR_MS(API_RETRY_MS), now);
	run_list(a, &a->soon, DUR_NS(0), now);
	couple_tick(a, now);
	attls_expire(a, now);
	api_arm(a);
}

/* ---- the directory
 * -------------------------------------------------------------------- */

static int fail(char *err, size_t len, int r, const char *what,
		const char *path)
{
	snprintf(err, len, "cannot %s %s: %s", what, path, strerror(-r));
	return r;
}

static int make_dirs(struct api *a, const char *run_dir, char *err, size_t len)
{
	int n = snprintf(a->dir, sizeof(a->dir), "%s/%s", run_dir, a->deck->id);

	/* "/control" must still fit into a socket address */
	if (n < 0 || (size_t)n + 9 > sizeof(a->dir))
		return fail(err, len, -ENAMETOOLONG, "use", run_dir);
	if (mkdir(run_dir, 0755) < 0 && errno != EEXIST)
		return fail(err, len, -errno, "make", run_dir);
	if (mkdir(a->dir, 0755) < 0 && errno != EEXIST)
		return fail(err, len, -errno, "make", a->dir);
	a->dir_fd = open(a->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (a->dir_fd < 0)
		return fail(err, len, -errno, "open", a->dir);
	/* made under whatever umask */
	(void)!fchmod(a->dir_fd, 0755);
	return 0;
}

/* The lock is the proof of life; its text is for the reader of messages. */
static int take_lock(struct api *a, char *err, size_t len)
{
	char pid[24] = "";
	int n;

	a->lock_fd = openat(a->dir_fd, LOCK_FILE,
			    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (a->lock_fd < 0)
		return fail(err, len, -errno, "open lock in", a->dir);
	if (flock(a->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		ssize_t k = pread(a->lock_fd, pid, sizeof(pid) - 1, 0);

		pid[k > 0 ? strcspn(pid, "\n") : 0] = '\0';
		snprintf(err, len,
			 "a stack with ID %s is running already (pid %s)",
			 a->deck->id, pid[0] ? pid : "unknown");
		return -EADDRINUSE;
	}
	n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	if (ftruncate(a->lock_fd, 0) < 0 ||
	    pwrite(a->lock_fd, pid, (size_t)n, 0) != n)
		return fail(err, len, -EIO, "write lock in", a->dir);
	return 0;
}

static void clean_listen_dir(struct api *a)
{
	DIR *d = fdopendir(dup(a->listen_dir_fd));
	struct dirent *e;

	if (!d)
		return;
	rewinddir(d);
	while ((e = readdir(d))) {
		if (e->d_name[0] != '.')
			unlinkat(a->listen_dir_fd, e->d_name, 0);
	}
	closedir(d);
}

static int make_listen_dir(struct api *a, char *err, size_t len)
{
	if (mkdirat(a->dir_fd, API_LISTEN_DIR, 0700) < 0 && errno != EEXIST)
		return fail(err, len, -errno, "make l in", a->dir);
	a->listen_dir_fd =
		openat(a->dir_fd, API_LISTEN_DIR,
		       O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (a->listen_dir_fd < 0)
		return fail(err, len, -errno, "open l in", a->dir);
	if (fchmod(a->listen_dir_fd, 0700) < 0)
		return fail(err, len, -errno, "protect l in", a->dir);
	clean_listen_dir(a);
	return 0;
}

static int open_door(struct api *a, size_t i)
{
	struct sockaddr_un u = {.sun_family = AF_UNIX};
	struct api_sock *c = slots_new(a);

	if (!c)
		return -ENOMEM;
	c->kind = (uint8_t)doors[i].kind;
	a->door[i] = c;
	c->fd = socket(AF_UNIX, doors[i].type | SOCK_NONBLOCK | SOCK_CLOEXEC,
		       0);
	if (c->fd < 0)
		return -errno;
	unlinkat(a->dir_fd, doors[i].name, 0);
	snprintf(u.sun_path, sizeof(u.sun_path), "%.*s/%s",
		 (int)(sizeof(u.sun_path) - 10), a->dir, doors[i].name);
	if (bind(c->fd, (struct sockaddr *)&u, sizeof(u)) < 0 ||
	    fchmodat(a->dir_fd, doors[i].name,
		     doors[i].kind == API_ACC_DIVERT ? 0600 : 0666, 0) < 0 ||
	    listen(c->fd, 4096) < 0)
		return -errno;
	return api_watch(a, c);
}

static int open_inotify(struct api *a)
{
	struct api_sock *c = slots_new(a);
	int r;

	if (!c)
		return -ENOMEM;
	r = listen_init(a);
	if (r < 0)
		return r;
	c->kind = API_INOTIFY;
	c->fd = a->inotify_fd;
	return api_watch(a, c);
}

static int open_all(struct api *a, const char *run_dir, char *err, size_t len)
{
	int r = make_dirs(a, run_dir, err, len);

	if (r == 0)
		r = take_lock(a, err, len);
	if (r == 0)
		r = make_listen_dir(a, err, len);
	if (r < 0)
		return r;
	r = open_inotify(a);
	if (r < 0)
		return fail(err, len, r, "watch sockets (inotify) for", a->dir);
	for (size_t i = 0; i < ARRAY_SIZE(doors); i++) {
		r = open_door(a, i);
		if (r < 0)
			return fail(err, len, r, "open sockets in", a->dir);
	}
	r = couple_init(a);
	return r < 0 ? fail(err, len, r, "note the couple in", a->dir) : 0;
}

int api_new(struct stack *s, const struct stackd_deck *deck,
	    const char *run_dir, const struct api_ops *ops, struct api **ret,
	    char *err, size_t err_len)
{
	struct api *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return fail(err, err_len, -ENOMEM, "make", "the socket server");
	a->s = s;
	a->deck = deck;
	a->ops = *ops;
	a->timer_at = MONO_NEVER;
	a->dir_fd = a->lock_fd = a->listen_dir_fd = a->inotify_fd = -1;
	a->couple.link = -1;
	a->couple.next = MONO_NEVER;
	a->instance = (uint64_t)mono_now().ns << 8 | 1;
	list_init(&a->hello);
	list_init(&a->retry);
	list_init(&a->soon);
	divert_init(a);
	r = open_all(a, run_dir, err, err_len);
	if (r < 0) {
		api_free(a);
		return r;
	}
	api_divert_deck(a);
	*ret = a;
	return 0;
}

/* Whoever holds the lock owns the files. */
static void remove_files(struct api *a)
{
	if (a->listen_dir_fd >= 0) {
		clean_listen_dir(a);
		unlinkat(a->dir_fd, API_LISTEN_DIR, AT_REMOVEDIR);
	}
	for (size_t i = 0; i < ARRAY_SIZE(doors); i++)
		unlinkat(a->dir_fd, doors[i].name, 0);
	unlinkat(a->dir_fd, LOCK_FILE, 0);
	rmdir(a->dir);
}

void api_free(struct api *a)
{
	bool owner;

	if (!a)
		return;
	a->ops.timer(a->ops.arg, MONO_NEVER);
	couple_fini(a);
	owner = a->listen_dir_fd >= 0; /* opened after the lock was taken */
	for (uint32_t i = 0; i < a->n_chunks * API_CHUNK; i++) {
		struct api_sock *c = slots_at(a, i);

		if (c->kind == API_FREE)
			continue;
		if (c->sk) {
			sock_set_user(c->sk, NULL);
			stack_sock_abort(a->s, c->sk, mono_now());
		}
		slots_free(a, c);
	}
	if (owner)
		remove_files(a);
	for (size_t i = 0; i < ARRAY_SIZE(a->uids); i++) {
		while (a->uids[i]) {
			struct api_uid *u = a->uids[i];

			a->uids[i] = u->next;
			free(u);
		}
	}
	divert_fini(a);
	slots_fini(a);
	if (a->listen_dir_fd >= 0)
		close(a->listen_dir_fd);
	if (a->lock_fd >= 0)
		close(a->lock_fd);
	if (a->dir_fd >= 0)
		close(a->dir_fd);
	free(a);
}

void api_counters(const struct api *a, struct api_counters *ret)
{
	*ret = a->counters;
}

size_t api_memory(const struct api *a)
{
	return sizeof(*a) +
	       (size_t)a->n_chunks * API_CHUNK * sizeof(struct api_sock) +
	       ((size_t)a->cookies_mask + 1 + a->wds_mask + 1) *
		       sizeof(uint32_t);
}
