/*
 * couple.c: COUPLE, two stacks that act as one. Programs use the ID of the
 * stack whose deck has the command (here: we); the stack it names (the other)
 * serves the other family.
 *
 * A symbolic link RUN/ID/couple tells front ends, so an IPv4 socket belongs
 * to the other stack from the start and works while this one is down. What is
 * left is IPv6 sockets that serve both families.
 *
 * TCP: a listener is one AF_UNIX listener of the program, and both stacks
 * connect in. The other stack gets a descriptor of its place in the file
 * system (O_PATH), which opens nothing and keeps nothing alive, but can be
 * connected to whoever removed the name: a "twin". A stack that starts anew
 * asks the other one for the twins, and listens again.
 *
 * UDP: one AF_UNIX connection has one stack at its end. We have a socket at
 * the other stack, bound to the same port, and pass datagrams on.
 *
 * Requests go one way only, from the stack with COUPLE to the other, and are
 * waited for a bounded time; after a failure the other stack is left alone
 * until the next look.
 */
#include "api/impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define LINK_NAME "couple"
#define TWINS_MAX 65536 /* that one restart may ask for */

static bool coupled(const struct api *a)
{
	return a->deck->couple[0] != '\0';
}

bool api_couple_up(const struct api *a)
{
	return a->couple.up;
}

const char *api_coupled_by(const struct api *a)
{
	return a->couple.by;
}

bool couple_is_dual(const struct api *a, const struct api_sock *c)
{
	return coupled(a) && c->v6 && c->sk &&
	       !stack_sock_get(a->s, c->sk, SOCK_OPT_V6ONLY);
}

/* ---- the link
 * --------------------------------------------------------------------- */

/* RUN/OTHER/door. False: the path is too long. */
static bool door_of(const struct api *a, const char *door,
		    struct sockaddr_un *ret)
{
	const char *slash = strrchr(a->dir, '/');
	int n;

	memset(ret, 0, sizeof(*ret));
	ret->sun_family = AF_UNIX;
	n = snprintf(ret->sun_path, sizeof(ret->sun_path), "%.*s/%s/%s",
		     (int)(slash - a->dir), a->dir, a->deck->couple, door);
	return n > 0 && (size_t)n < sizeof(ret->sun_path);
}

static int connect_door(const struct api *a, const char *door, int flags)
{
	struct sockaddr_un u;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);

	if (fd < 0)
		return -errno;
	if (!door_of(a, door, &u) ||
	    connect(fd, (struct sockaddr *)&u, sizeof(u)) < 0) {
		close(fd);
		return -ENETDOWN;
	}
	return fd;
}

static int open_link(struct api *a)
{
	struct timeval tv = {.tv_usec = API_COUPLE_WAIT_MS * 1000};

	if (a->couple.link >= 0)
		return 0;
	a->couple.link = connect_door(a, "control", 0);
	if (a->couple.link < 0) {
		a->couple.link = -1;
		return -ENETDOWN;
	}
	(void)!setsockopt(a->couple.link, SOL_SOCKET, SO_RCVTIMEO, &tv,
			  sizeof(tv));
	(void)!setsockopt(a->couple.link, SOL_SOCKET, SO_SNDTIMEO, &tv,
			  sizeof(tv));
	return 0;
}

static void tell(struct api *a, bool up)
{
	a->couple.told = true;
	if (a->ops.couple)
		a->ops.couple(a->ops.news_arg, up);
}

static void lost(struct api *a)
{
	if (a->couple.link >= 0)
		close(a->couple.link);
	a->couple.link = -1;
	if (a->couple.up || !a->couple.told)
		tell(a, false);
	a->couple.up = false;
}

/* The answer, waited for as long as the link says. */
static int hear(int link, struct proto_rep *rep, void *data, size_t cap,
		struct passed *p)
{
	union {
		char b[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u;
	struct iovec io[2] = {{rep, sizeof(*rep)}, {data, cap}};
	struct msghdr m = {.msg_iov = io,
			   .msg_iovlen = 2,
			   .msg_control = u.b,
			   .msg_controllen = sizeof(u.b)};
	ssize_t n = recvmsg(link, &m, MSG_CMSG_CLOEXEC);
	struct cmsghdr *h = n < 0 ? NULL : CMSG_FIRSTHDR(&m);

	*p = (struct passed){.fd = -1};
	if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS)
		memcpy(&p->fd, CMSG_DATA(h), sizeof(p->fd));
	if (n < (ssize_t)sizeof(*rep) || rep->magic != PROTO_MAGIC)
		return -ENETDOWN;
	rep->data_len = (uint32_t)(n - (ssize_t)sizeof(*rep));
	return 0;
}

/* One request with its answer: the answer's error, or -ENETDOWN. *ret_fd: what
 * came with it, -1 none; NULL if none is wanted. */
static int ask(struct api *a, struct proto_req *rq, int fd,
	       struct proto_rep *rep, void *data, size_t cap, int *ret_fd)
{
	struct iovec io = {rq, PROTO_REQ_MIN + rq->text_len};
	struct passed p = {.fd = -1};
	int r = open_link(a);

	rq->magic = PROTO_MAGIC;
	if (r == 0 && passed_send(a->couple.link, &io, 1, fd) < 0)
		r = -ENETDOWN;
	if (r == 0)
		r = hear(a->couple.link, rep, data, cap, &p);
	if (p.fd >= 0 && !ret_fd)
		close(p.fd);
	if (ret_fd)
		*ret_fd = p.fd;
	if (r < 0) {
		lost(a);
		return r;
	}
	return rep->error;
}

/* ---- twins: our side
 * -------------------------------------------------------------- */

/* `id`: of the stack whose deck has COUPLE. */
static void twin_text(const struct api *a, const struct api_sock *c,
		      const char *id, struct proto_req *rq)
{
	struct proto_twin t = {.cookie = c->cookie,
			       .pid = (uint32_t)c->pid,
			       .uid = c->uid,
			       .gid = c->gid};
	struct stack *s = a->s;

	memcpy(t.id, id, 2);
	if (stack_sock_get(s, c->sk, SOCK_OPT_REUSEADDR))
		t.opts.flags |= PROTO_O_REUSEADDR;
	if (stack_sock_get(s, c->sk, SOCK_OPT_REUSEPORT))
		t.opts.flags |= PROTO_O_REUSEPORT;
	if (stack_sock_get_tcp(s, c->sk, TCP_OPT_KEEPALIVE))
		t.opts.flags |= PROTO_O_KEEPALIVE;
	if (stack_sock_get_tcp(s, c->sk, TCP_OPT_NODELAY))
		t.opts.flags |= PROTO_O_NODELAY;
	t.opts.tos = (uint8_t)stack_sock_get(s, c->sk, SOCK_OPT_TOS);
	memcpy(rq->text, &t, sizeof(t));
	rq->text_len = sizeof(t);
}

static int send_twin(struct api *a, const struct api_sock *c, int backlog)
{
	struct proto_req rq = {.op = PROTO_TWIN, .value = backlog};
	struct ip_port at = {.addr = ip_any(IP_V4)}, local;
	struct proto_rep rep;

	sock_local(c->sk, &local);
	at.port = local.port;
	proto_addr_put(&at, &rq.addr);
	twin_text(a, c, a->deck->id, &rq);
	return ask(a, &rq, c->path_fd, &rep, NULL, 0, NULL);
}

int couple_listen(struct api *a, struct api_sock *c, int backlog)
{
	struct ip_port at;
	char name[16];
	int r;

	if (!couple_is_dual(a, c))
		return 0;
	sock_local(c->sk, &at);
	if (at.addr.family != IP_NONE && !ip_is_any(&at.addr))
		return 0;
	if (!at.port) {
		at.addr = ip_any(IP_V6);
		r = stack_sock_bind(a->s, c->sk, &at);
		if (r < 0)
			return r;
	}
	if (c->path_fd < 0) {
		snprintf(name, sizeof(name), "%u", c->listen_no);
		c->path_fd = openat(a->listen_dir_fd, name,
				    O_PATH | O_CLOEXEC | O_NOFOLLOW);
	}
	if (c->path_fd < 0 || !a->couple.up)
		return 0; /* told when the other stack is back */
	r = send_twin(a, c, backlog);
	return r == -ENETDOWN ? 0 : r;
}

void couple_unlisten(struct api *a, const struct api_sock *c)
{
	struct proto_req rq = {.op = PROTO_UNTWIN};
	struct proto_rep rep;

	if (c->path_fd < 0)
		return;
	if (c->state == API_S_TWIN)
		a->couple.n_twins--;
	else if (a->couple.up && c->sk) {
		twin_text(a, c, a->deck->id, &rq);
		(void)!ask(a, &rq, -1, &rep, NULL, 0, NULL);
	}
}

socklen_t couple_path(const struct api_sock *c, struct sockaddr_un *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->sun_family = AF_UNIX;
	snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d",
		 c->path_fd);
	return sizeof(*ret);
}

/* A socket of another type can never connect, and learns from the error
 * whether there is one to connect to. */
bool couple_alive(const struct api_sock *c)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un u;
	bool alive = true;

	if (fd < 0 || c->path_fd < 0)
		alive = fd < 0;
	else if (connect(fd, (struct sockaddr *)&u, couple_path(c, &u)) < 0)
		alive = errno != ECONNREFUSED;
	if (fd >= 0)
		close(fd);
	return alive;
}

/* ---- twins: the other side
 * ------------------------------------------------------- */

static bool twin_of(const struct proto_req *rq, struct proto_twin *ret)
{
	if (rq->text_len != sizeof(*ret))
		return false;
	memcpy(ret, rq->text, sizeof(*ret));
	return ret->cookie && ret->id[0] >= '0' && ret->id[0] <= '9' &&
	       ret->id[1] >= '0' && ret->id[1] <= '9' && !ret->id[2];
}

static struct api_sock *twin_new(struct api *a, const struct proto_twin *t,
				 bool v6, mono_t now)
{
	struct sock_owner owner = {(pid_t)t->pid, t->uid, t->gid};
	struct api_sock *c = slots_new(a);

	if (!c)
		return NULL;
	c->kind = API_WAITING;
	c->pid = owner.pid;
	c->uid = owner.uid;
	c->gid = owner.gid;
	c->v6 = true;
	if (stack_sock_new(a->s, SOCK_TCP, v6 ? IP_V6 : IP_V4, &owner, c,
			   &c->sk) < 0) {
		slots_free(a, c);
		return NULL;
	}
	opts_apply(a, c->sk, &t->opts, now);
	slots_set_cookie(a, c, t->cookie);
	return c;
}

/* Listens at `at` for the program behind `fd`, which stays the caller's. */
static int twin_add(struct api *a, const struct proto_twin *t,
		    const struct ip_port *at, int fd, int64_t backlog,
		    enum api_state state, mono_t now)
{
	struct api_sock *c = slots_find(a, t->cookie);
	bool fresh = !c;
	int r = 0;

	backlog = CLAMP(backlog, 0, INT32_MAX);
	if (c && (c->kind != API_WAITING || c->path_fd < 0))
		return -EEXIST;
	if (!c) {
		c = twin_new(a, t, at->addr.family == IP_V6, now);
		if (!c)
			return -ENFILE;
		c->path_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		c->state = (uint8_t)state;
		a->couple.n_twins += state == API_S_TWIN;
		r = c->path_fd < 0 ? -errno : stack_sock_bind(a->s, c->sk, at);
	}
	if (r == 0)
		r = stack_sock_listen(a->s, c->sk, (uint32_t)backlog, now);
	if (r == 0)
		c->flags |= API_F_LISTEN;
	else if (fresh)
		listen_stop(a, c, now);
	return r;
}

static int on_twin(struct api *a, const struct proto_req *rq, int fd,
		   mono_t now)
{
	struct proto_twin t;
	struct ip_port at;

	if (!twin_of(rq, &t) || fd < 0 || proto_addr_get(&rq->addr, &at) < 0 ||
	    at.addr.family != IP_V4 || !at.port)
		return -EINVAL;
	return twin_add(a, &t, &at, fd, rq->value, API_S_TWIN, now);
}

static int on_untwin(struct api *a, const struct proto_req *rq, mono_t now)
{
	struct proto_twin t;
	struct api_sock *c;

	if (!twin_of(rq, &t))
		return -EINVAL;
	c = slots_find(a, t.cookie);
	if (!c || c->kind != API_WAITING || c->state != API_S_TWIN)
		return -ENOENT;
	listen_stop(a, c, now);
	return 0;
}

/* The next twin at or behind record `value`. */
static int on_twins(struct api *a, const struct proto_req *rq,
		    struct proto_rep *rep, uint8_t *data, int *ret_fd)
{
	uint32_t end = a->n_chunks * API_CHUNK;
	int64_t i = rq->value;

	for (; i >= 0 && i < end; i++) {
		struct api_sock *c = slots_at(a, (uint32_t)i);
		uint32_t have, max;
		struct ip_port at;
		struct proto_req t;

		if (!c || c->kind != API_WAITING || c->state != API_S_TWIN ||
		    !c->sk || !(c->flags & API_F_LISTEN))
			continue;
		sock_local(c->sk, &at);
		proto_addr_put(&at, &rep->local);
		sock_backlog(c->sk, &have, &max);
		twin_text(a, c, rq->text, &t);
		memcpy(data, t.text, t.text_len);
		rep->data_len = t.text_len;
		rep->value = max;
		rep->value2 = i + 1;
		*ret_fd = c->path_fd;
		return 0;
	}
	return 0;
}

bool couple_request(struct api *a, const struct api_sock *ctl,
		    const struct proto_req *rq, int fd, struct proto_rep *rep,
		    uint8_t *data, int *ret_fd, mono_t now)
{
	switch (rq->op) {
	case PROTO_COUPLE:
	case PROTO_TWIN:
	case PROTO_UNTWIN:
	case PROTO_TWINS:
		break;
	default:
		return false;
	}
	if (!policy_is_stack(ctl->uid)) {
		rep->error = -EPERM;
	} else if (rq->op == PROTO_COUPLE) {
		snprintf(a->couple.by, sizeof(a->couple.by), "%.2s", rq->text);
		a->couple.by_at = now;
		rep->value = (int64_t)a->instance;
	} else if (rq->op == PROTO_TWIN) {
		rep->error = on_twin(a, rq, fd, now);
	} else if (rq->op == PROTO_UNTWIN) {
		rep->error = on_untwin(a, rq, now);
	} else {
		rep->error = on_twins(a, rq, rep, data, ret_fd);
	}
	return true;
}

/* ---- UDP
 * -------------------------------------------------------------------------- */

static struct api_sock *twin_record(struct api *a, const struct api_sock *c)
{
	return c->twin ? slots_at(a, c->twin - 1) : NULL;
}

void couple_dgram_drop(struct api *a, struct api_sock *c)
{
	struct api_sock *tw = twin_record(a, c);

	c->twin = 0;
	if (tw)
		slots_free(a, tw);
}

/* A socket of ours at the other stack, bound to `port`. */
static int dgram_twin(struct api *a, const struct api_sock *c, uint16_t port)
{
	struct proto_hello h = {.magic = PROTO_MAGIC,
				.v6 = 1,
				.dgram = 1,
				.for_pid = (uint32_t)c->pid};
	struct proto_req rq = {.op = PROTO_BIND, .v6 = 1, .dgram = 1};
	struct ip_port at = {.addr = ip_any(IP_V6), .port = port};
	struct iovec io = {&h, sizeof(h)};
	struct proto_rep rep;
	int fd = connect_door(a, "dgram", SOCK_NONBLOCK), r;

	if (fd < 0)
		return fd;
	if (stack_sock_get(a->s, c->sk, SOCK_OPT_REUSEADDR))
		h.opts.flags |= PROTO_O_REUSEADDR;
	if (stack_sock_get(a->s, c->sk, SOCK_OPT_REUSEPORT))
		h.opts.flags |= PROTO_O_REUSEPORT;
	if (stack_sock_get(a->s, c->sk, SOCK_OPT_BROADCAST))
		h.opts.flags |= PROTO_O_BROADCAST;
	proto_addr_put(&at, &rq.addr);
	r = passed_send(fd, &io, 1, fd) < 0 ? -ENETDOWN : 0;
	if (r == 0)
		r = ask(a, &rq, fd, &rep, NULL, 0, NULL);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

int couple_dgram_bind(struct api *a, struct api_sock *c, uint16_t port)
{
	struct api_sock *tw;
	int fd;

	if (!a->couple.up || c->twin)
		return 0;
	fd = dgram_twin(a, c, port);
	if (fd < 0)
		return fd == -ENETDOWN ? 0 : fd;
	tw = slots_new(a);
	if (!tw) {
		close(fd);
		return -ENFILE;
	}
	tw->kind = API_TWIN;
	tw->fd = fd;
	tw->twin = c->index + 1;
	c->twin = tw->index + 1;
	if (api_watch(a, tw) < 0) {
		couple_dgram_drop(a, c);
		return -ENOMEM;
	}
	return 0;
}

int couple_dgram_send(struct api *a, struct api_sock *c, const uint8_t *b,
		      size_t n)
{
	struct api_sock *tw;
	struct ip_port at;
	int r = 0;

	sock_local(c->sk, &at);
	if (!at.port) {
		at = (struct ip_port){.addr = ip_any(IP_V6)};
		r = stack_sock_bind(a->s, c->sk, &at);
		sock_local(c->sk, &at);
	}
	if (r == 0)
		r = couple_dgram_bind(a, c, at.port);
	if (r < 0)
		return r;
	tw = twin_record(a, c);
	if (!tw)
		return -ENETUNREACH;
	return send(tw->fd, b, n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* What came for the port over the other stack goes on as it is: the header
 * has an IPv4-mapped sender. */
void couple_dgram_event(struct api *a, struct api_sock *tw, uint32_t ev)
{
	struct api_sock *c = slots_at(a, tw->twin - 1);
	ssize_t n = 0;

	INVARIANT(c != NULL); /* it drops us before it ends */

	for (int i = 0; i < API_DGRAM_BATCH; i++) {
		n = recv(tw->fd, a->scratch, sizeof(a->scratch), MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < (ssize_t)sizeof(struct proto_dgram))
			break;
		if (!(c->flags & API_F_HEADERS) ||
		    send(c->fd, a->scratch, (size_t)n,
			 MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			a->counters.dgram_dropped++;
	}
	if (n < 0 && errno == EAGAIN && !(ev & (EPOLLHUP | EPOLLERR)))
		return;
	if (n >= (ssize_t)sizeof(struct proto_dgram))
		api_timed(a, &a->soon, tw, mono_now());
	else
		couple_dgram_drop(a, c); /* made again when it is back */
}

/* ---- looking at each other
 * -------------------------------------------------------- */

/* Listeners that a former life of ours had. */
static void restore(struct api *a, mono_t now)
{
	struct proto_req rq = {.op = PROTO_TWINS};
	int64_t next = 0;

	memcpy(rq.text, a->deck->id, 2);
	rq.text_len = 2;
	for (int i = 0; i < TWINS_MAX; i++) {
		struct proto_twin t;
		struct proto_rep rep;
		struct ip_port at;
		int fd;

		rq.value = next;
		if (ask(a, &rq, -1, &rep, &t, sizeof(t), &fd) < 0)
			break;
		if (fd >= 0 && rep.data_len == sizeof(t) &&
		    memcmp(t.id, a->deck->id, 2) == 0 &&
		    proto_addr_get(&rep.local, &at) == 0) {
			at.addr = ip_any(IP_V6);
			(void)!twin_add(a, &t, &at, fd, rep.value, API_S_HELLO,
					now);
		}
		if (fd >= 0)
			close(fd);
		next = rep.value2;
		if (rep.data_len == 0)
			break;
	}
}

/* Whatever serves both families serves the other one again. */
static void tell_all(struct api *a)
{
	for (uint32_t i = 0; i < a->n_chunks * API_CHUNK && a->couple.up; i++) {
		struct api_sock *c = slots_at(a, i);
		struct ip_port at;
		uint32_t have, max;

		if (!c || !c->sk || !couple_is_dual(a, c))
			continue;
		sock_local(c->sk, &at);
		if (c->kind == API_WAITING && c->path_fd >= 0 &&
		    c->flags & API_F_LISTEN) {
			sock_backlog(c->sk, &have, &max);
			(void)!send_twin(a, c, (int)max);
		} else if (c->kind == API_DGRAM && at.port &&
			   ip_is_any(&at.addr)) {
			(void)!couple_dgram_bind(a, c, at.port);
		}
	}
}

static void look_at_other(struct api *a, mono_t now)
{
	struct proto_req rq = {.op = PROTO_COUPLE};
	struct proto_rep rep;
	bool was = a->couple.up;

	memcpy(rq.text, a->deck->id, 2);
	rq.text_len = 2;
	if (ask(a, &rq, -1, &rep, NULL, 0, NULL) < 0)
		return;
	a->couple.up = true;
	if (!was)
		tell(a, true);
	if (was && a->couple.instance == (uint64_t)rep.value)
		return;
	a->couple.instance = (uint64_t)rep.value;
	restore(a, now);
	tell_all(a);
}

/* Programs behind records without a watch may have ended. */
static void look_at_programs(struct api *a, mono_t now)
{
	for (uint32_t i = 0; i < a->n_chunks * API_CHUNK; i++) {
		struct api_sock *c = slots_at(a, i);

		if (c && c->kind == API_WAITING && c->path_fd >= 0 &&
		    c->wd < 0 && !couple_alive(c))
			listen_stop(a, c, now);
	}
}

void couple_tick(struct api *a, mono_t now)
{
	if (mono_lt(now, couple_deadline(a)))
		return;
	if (coupled(a))
		look_at_other(a, now);
	if (a->couple.by[0] &&
	    mono_lt(mono_add(a->couple.by_at, DUR_MS(5 * API_COUPLE_MS)), now))
		a->couple.by[0] = '\0';
	look_at_programs(a, now);
	a->couple.next = mono_add(now, DUR_MS(API_COUPLE_MS));
}

mono_t couple_deadline(const struct api *a)
{
	if (!coupled(a) && !a->couple.n_twins && !a->couple.by[0])
		return MONO_NEVER;
	return a->couple.next;
}

/* ---- begin and end
 * ------------------------------------------------------------------ */

int couple_init(struct api *a)
{
	unlinkat(a->dir_fd, LINK_NAME, 0);
	a->couple.next = (mono_t){1};
	if (!coupled(a))
		return 0;
	if (symlinkat(a->deck->couple, a->dir_fd, LINK_NAME) < 0)
		return -errno;
	api_arm(a);
	return 0;
}

/* The symbolic link stays: IPv4 goes on while this stack is started anew. */
void couple_fini(struct api *a)
{
	a->couple.up = false;
	if (a->couple.link >= 0)
		close(a->couple.link);
	a->couple.link = -1;
}
