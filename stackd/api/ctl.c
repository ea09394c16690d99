/*
 * ctl.c: requests about sockets. The socket comes attached; the kernel says
 * which one it is (SO_COOKIE, or the name of its peer if that peer is us).
 */
#include "api/impl.h"

#include <errno.h>
#include <linux/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct call {
	const struct proto_req *rq;
	struct proto_rep *rep;
	uint8_t *data; /* behind *rep, PROTO_REP_MAX in all */
	struct api_sock *ctl, *c;
	int fd;       /* the socket, -1 none */
	int reply_fd; /* goes with the answer, borrowed, -1 none */
	bool later;   /* the answer comes by ctl_answer() */
	mono_t now;
};

#define DATA_CAP (PROTO_REP_MAX - sizeof(struct proto_rep))

/* ---- which socket
 * --------------------------------------------------------------- */

/* An accepted connection: its peer is an end of ours, and carries a name that
 * we gave. That the kernel names us as the peer's process is the proof: a
 * name alone can be bound by anybody. */
static struct api_sock *find_accepted(struct api *a, int fd, uint64_t cookie)
{
	struct sockaddr_un u;
	socklen_t l = sizeof(u);
	struct ucred uc;
	struct api_sock *c;
	uint64_t serial;

	if (getpeername(fd, (struct sockaddr *)&u, &l) < 0 ||
	    l <= offsetof(struct sockaddr_un, sun_path) ||
	    proto_name_parse(u.sun_path,
			     l - offsetof(struct sockaddr_un, sun_path),
			     &serial, NULL, NULL) < 0)
		return NULL;
	l = sizeof(uc);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &uc, &l) < 0 ||
	    uc.pid != getpid())
		return NULL;
	c = slots_of_serial(a, serial);
	if (!c || c->kind != API_STREAM || c->cookie)
		return NULL;
	slots_set_cookie(a, c, cookie);
	return c;
}

/* A TCP socket that has not been connected: the first word about it. */
static int adopt(struct api *a, struct call *k, uint64_t cookie)
{
	struct api_sock speaker = *k->ctl;
	struct sock_owner owner;
	struct sockaddr_un u;
	socklen_t l = sizeof(u);
	int listening = 0, r;

	if (!(k->rq->flags & PROTO_F_OPTS) || k->rq->dgram ||
	    !passed_is(k->fd, SOCK_STREAM) ||
	    getpeername(k->fd, (struct sockaddr *)&u, &l) == 0)
		return -ENOTCONN;
	l = sizeof(listening);
	if (getsockopt(k->fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &l) < 0 ||
	    listening)
		return -EINVAL;
	policy_speaks_for(&speaker, k->rq->for_pid);
	r = policy_may_use(a, &speaker);
	if (r < 0)
		return r;
	owner = policy_owner(&speaker);
	r = listen_adopt(a, k->fd, &owner, cookie, k->rq->v6, &k->rq->opts,
			 &k->c, k->now);
	return r;
}

static int find_sock(struct api *a, struct call *k)
{
	uint64_t cookie;

	if (k->fd < 0)
		return -ENOTSOCK;
	if (a->dv.peer &&
	    (k->rq->op == PROTO_ERROR || k->rq->op == PROTO_GETNAME ||
	     k->rq->op == PROTO_ATTLS))
		divert_drain(a, k->now);
	cookie = passed_cookie(k->fd);
	k->c = slots_find(a, cookie);
	if (k->c && k->c->sk)
		return 0;
	/* its first record may have come, but not been looked at */
	stream_accept(a, a->door[0], k->now);
	dgram_accept(a, a->door[1], k->now);
	stream_hello_all(a, k->now);
	k->c = slots_find(a, cookie);
	if (!k->c)
		k->c = find_accepted(a, k->fd, cookie);
	if (k->c)
		return k->c->sk ? 0 : -ENOTCONN;
	if (k->rq->op == PROTO_ERROR)
		return 0;
	return adopt(a, k, cookie);
}

/* ---- operations
 * -------------------------------------------------------------------- */

static int op_bind(struct api *a, struct call *k)
{
	struct ip_port at;
	bool both;
	int r;

	if (proto_addr_get(&k->rq->addr, &at) < 0 || at.addr.family == IP_NONE)
		return -EAFNOSUPPORT;
	r = policy_may_bind(a, k->ctl, k->rq->for_pid, at.port);
	if (r < 0)
		return r;
	both = k->c->kind == API_DGRAM && ip_is_any(&at.addr) &&
	       couple_is_dual(a, k->c);
	/* whoever had the port may just have closed it */
	listen_inotify(a, k->now);
	if (!k->c->sk)
		return -ENOTCONN;
	if (both && at.port)
		r = couple_dgram_bind(a, k->c, at.port);
	if (r == 0)
		r = stack_sock_bind(a->s, k->c->sk, &at);
	if (r < 0) {
		couple_dgram_drop(a, k->c);
		return r;
	}
	sock_local(k->c->sk, &at);
	if (both && !k->c->twin)
		(void)!couple_dgram_bind(a, k->c, at.port);
	proto_addr_put(&at, &k->rep->local);
	return 0;
}

static int op_getname(struct call *k)
{
	const struct divert_conn *dv = k->c->dv;
	struct ip_port p;

	sock_local(k->c->sk, &p);
	if (dv && dv->role == DIVERT_IN)
		p.port = dv->shown_port;
	proto_addr_put(&p, &k->rep->local);
	if (sock_remote(k->c->sk, &p) == 0) {
		if (dv && dv->role == DIVERT_OUT)
			p.port = dv->shown_port;
		proto_addr_put(&p, &k->rep->remote);
	}
	/* does the connection stand, as far as the program knows? */
	k->rep->value = k->c->state == API_S_OPEN &&
			!(dv && dv->role == DIVERT_OUT && !dv->opened);
	return 0;
}

static int op_error(struct api *a, struct call *k)
{
	int e = stream_fail_take(a, passed_cookie(k->fd));

	if (!e && k->c && k->c->sk)
		e = sock_error(k->c->sk, true);
	k->rep->value = e;
	return 0;
}

static int op_info(struct call *k)
{
	struct tcp_conn *tc = sock_tcp(k->c->sk);
	struct tcp_info ti;
	uint32_t have, max;

	memset(&ti, 0, sizeof(ti));
	if (tc) {
		tcp_conn_info(tc, &ti, k->now);
	} else if (sock_is_listener(k->c->sk)) {
		sock_backlog(k->c->sk, &have, &max);
		ti.tcpi_state = 10; /* TCP_LISTEN */
		ti.tcpi_unacked = have;
		ti.tcpi_sacked = max;
	} else {
		return -ENOPROTOOPT;
	}
	memcpy(k->data, &ti, sizeof(ti));
	k->rep->data_len = sizeof(ti);
	return 0;
}

static int op_attls(struct api *a, struct call *k)
{
	int r = attls_ask(a, k->ctl, k->c, k->fd, k->rq, k->data,
			  &k->rep->data_len, k->now);

	k->later = r > 0;
	return MIN(r, 0);
}

static int op_queues(struct call *k)
{
	struct tcp_conn *tc = sock_tcp(k->c->sk);
	size_t unacked = 0, unsent = 0, unread = 0;

	if (tc)
		tcp_conn_queues(tc, &unacked, &unsent, &unread);
	k->rep->value = (int64_t)(unacked + unsent);
	k->rep->value2 = (int64_t)unread;
	k->rep->value3 = (int64_t)unsent;
	return 0;
}

static int op_group(struct api *a, struct call *k, bool join)
{
	struct ip_port g;

	if (proto_addr_get(&k->rq->addr, &g) < 0)
		return -EINVAL;
	return join ? stack_sock_join(a->s, k->c->sk, k->rq->ifindex, &g.addr,
				      k->now)
		    : stack_sock_leave(a->s, k->c->sk, k->rq->ifindex, &g.addr,
				       k->now);
}

static int op_udp_connect(struct api *a, struct call *k)
{
	struct ip_port to;
	int r;

	if (k->c->kind != API_DGRAM)
		return -EINVAL;
	if (proto_addr_get(&k->rq->addr, &to) < 0)
		return -EAFNOSUPPORT;
	r = dgram_connect(a, k->c, &to, k->now);
	k->rep->value = k->c->flags & API_F_MARK ? 1 : 0;
	return r;
}

static int op_setdev(struct api *a, struct call *k)
{
	uint32_t ifindex = 0;
	int r = k->rq->text[0] ? ctlname_dev(a, k->rq->text, &ifindex) : 0;

	if (r < 0)
		return r;
	return stack_sock_set(a->s, k->c->sk, SOCK_OPT_BIND_IF, ifindex);
}

static int op_getdev(struct api *a, struct call *k)
{
	struct ip_iface_info info;
	uint32_t i = (uint32_t)stack_sock_get(a->s, k->c->sk, SOCK_OPT_BIND_IF);

	if (!i)
		return 0;
	if (ip_iface_info(stack_ip(a->s), i, &info) < 0)
		return -ENODEV;
	k->rep->data_len = (uint32_t)strlen(info.config.name) + 1;
	memcpy(k->data, info.config.name, k->rep->data_len);
	return 0;
}

static int op_mtu(struct api *a, struct call *k)
{
	int r = stack_sock_mtu(a->s, k->c->sk);

	k->rep->value = r;
	return MIN(r, 0);
}

/* Operations on a socket; 1 = not one of these. */
static int sock_op(struct api *a, struct call *k)
{
	switch ((enum proto_op)k->rq->op) {
	case PROTO_BIND:
		return op_bind(a, k);
	case PROTO_LISTEN:
		return listen_start(a, k->c, k->fd, (int)k->rq->value, k->now);
	case PROTO_UNLISTEN:
		if (k->c->kind != API_WAITING)
			return -EINVAL;
		listen_stop(a, k->c, k->now);
		return 0;
	case PROTO_UDP_CONNECT:
		return op_udp_connect(a, k);
	case PROTO_GETNAME:
		return op_getname(k);
	case PROTO_SETOPT:
		return ctlopt_set(a, k->c, k->rq->name, k->rq->value, k->now);
	case PROTO_GETOPT:
		return ctlopt_get(a, k->c, k->rq->name, &k->rep->value);
	case PROTO_SETCC:
		return ctlopt_set_cc(a, k->c, k->rq->text, k->now);
	case PROTO_SETDEV:
		return op_setdev(a, k);
	case PROTO_GETDEV:
		return op_getdev(a, k);
	case PROTO_INFO:
		return op_info(k);
	case PROTO_QUEUES:
		return op_queues(k);
	case PROTO_ATTLS:
		return op_attls(a, k);
	case PROTO_JOIN:
		return op_group(a, k, true);
	case PROTO_LEAVE:
		return op_group(a, k, false);
	case PROTO_MTU:
		return op_mtu(a, k);
	case PROTO_ERROR:
	case PROTO_HOST:
	case PROTO_HOSTREV:
	case PROTO_CONFIG:
	case PROTO_IFS:
	case PROTO_ROUTESRC:
	case PROTO_HOSTS:
	case PROTO_COUPLE:
	case PROTO_TWIN:
	case PROTO_UNTWIN:
	case PROTO_TWINS:
	case PROTO__LAST:
		break;
	}
	return -EOPNOTSUPP;
}

/* Questions about the stack; false = not one of these. */
static bool stack_op(struct api *a, struct call *k)
{
	switch (k->rq->op) {
	case PROTO_HOST:
		ctlname_host(a, k->rq, k->rep, k->data, DATA_CAP);
		return true;
	case PROTO_HOSTS:
		ctlname_hosts(a, k->rq, k->rep, k->data, DATA_CAP);
		return true;
	case PROTO_HOSTREV:
		ctlname_hostrev(a, k->rq, k->rep, k->data, DATA_CAP);
		return true;
	case PROTO_CONFIG:
		ctlname_config(a, k->rep, k->data, DATA_CAP);
		return true;
	case PROTO_IFS:
		ctlname_ifs(a, k->rep, k->data, DATA_CAP);
		return true;
	case PROTO_ROUTESRC:
		ctlname_routesrc(a, k->rq, k->rep);
		return true;
	default:
		return false;
	}
}

static int answer(struct api *a, struct call *k)
{
	int r;

	if (stack_op(a, k) || couple_request(a, k->ctl, k->rq, k->fd, k->rep,
					     k->data, &k->reply_fd, k->now))
		return k->rep->error;
	r = find_sock(a, k);
	if (r == -ENOTCONN && k->rq->op == PROTO_ATTLS)
		return attls_ask_ended(a, passed_cookie(k->fd), k->rq, k->data,
				       &k->rep->data_len);
	if (r < 0)
		return r;
	if (k->rq->op == PROTO_ERROR)
		return op_error(a, k);
	return sock_op(a, k);
}

/* ---- connections
 * ---------------------------------------------------------------------- */

static void ctl_end(struct api *a, struct api_sock *c)
{
	a->n_ctl--;
	slots_free(a, c);
}

static bool req_valid(const struct proto_req *rq, ssize_t n,
		      const struct passed *p)
{
	return n >= (ssize_t)PROTO_REQ_MIN && rq->magic == PROTO_MAGIC &&
	       rq->op > 0 && rq->op < PROTO__LAST && !p->broken &&
	       rq->text_len < PROTO_TEXT_MAX &&
	       (size_t)n == PROTO_REQ_MIN + rq->text_len;
}

/* False: the connection was ended. */
static bool serve(struct api *a, struct api_sock *c, struct proto_req *rq,
		  int fd, mono_t now)
{
	struct proto_rep rep = {.magic = PROTO_MAGIC};
	uint8_t *data = a->scratch;
	struct call k = {.rq = rq,
			 .rep = &rep,
			 .data = data,
			 .ctl = c,
			 .fd = fd,
			 .reply_fd = -1,
			 .now = now};
	struct iovec iov[2] = {{&rep, sizeof(rep)}, {data, 0}};

	rq->text[rq->text_len] = '\0';
	a->counters.control_calls++;
	rep.error = answer(a, &k);
	if (rq->flags & PROTO_F_ONEWAY || k.later)
		return true;
	iov[1].iov_len = rep.data_len;
	if (passed_send(c->fd, iov, 2, k.reply_fd) >= 0)
		return true;
	/* it does not read its answers */
	ctl_end(a, c);
	return false;
}

void ctl_answer(struct api *a, uint64_t ctl, int error, const void *data,
		uint32_t len)
{
	struct api_sock *c = slots_of_serial(a, ctl);
	struct proto_rep rep = {
		.magic = PROTO_MAGIC, .error = error, .data_len = len};
	struct iovec iov[2] = {{&rep, sizeof(rep)},
			       {(void *)(uintptr_t)data, len}};

	if (!c || c->kind != API_CTL)
		return;
	/* one that does not read its answers: its end comes as an event,
	 * since the caller may be in the middle of a request of its own */
	if (passed_send(c->fd, iov, 2, -1) < 0)
		shutdown(c->fd, SHUT_RDWR);
}

void ctl_event(struct api *a, struct api_sock *c, uint32_t ev, mono_t now)
{
	struct proto_req rq;

	(void)ev;
	for (int i = 0; i < API_CTL_BATCH; i++) {
		struct passed p;
		ssize_t n = passed_recv(c->fd, &rq, sizeof(rq), 0, &p);
		bool ok = true;

		if (n == -EINTR)
			continue;
		if (n == -EAGAIN)
			return;
		if (n > 0 && req_valid(&rq, n, &p)) {
			ok = serve(a, c, &rq, p.fd, now);
		} else {
			a->counters.bad_records += n > 0;
			ctl_end(a, c);
			ok = false;
		}
		if (p.fd >= 0)
			close(p.fd);
		if (!ok)
			return;
	}
	api_timed(a, &a->soon, c, now);
}

static bool ctl_admit(struct api *a, int fd, mono_t now)
{
	struct api_sock *c = slots_new(a);
	int r;

	if (!c)
		return false;
	c->kind = API_CTL;
	c->fd = fd;
	r = a->n_ctl >= API_CTL_MAX ? -EMFILE : policy_admit(a, c, fd, 0);
	if (r == -EACCES) {
		struct proto_rep rep = {.magic = PROTO_MAGIC, .error = r};
		struct iovec io = {&rep, sizeof(rep)};

		/* found by whoever asks, before the end */
		(void)!passed_send(fd, &io, 1, -1);
	}
	if (r < 0 || api_watch(a, c) < 0) {
		a->counters.refused++;
		slots_free(a, c);
		return true;
	}
	a->n_ctl++;
	ctl_event(a, c, 0, now);
	return true;
}

void ctl_accept(struct api *a, struct api_sock *acc, mono_t now)
{
	for (int i = 0; i < API_ACCEPT_BATCH; i++) {
		int fd = accept4(acc->fd, NULL, NULL,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0 && errno == EAGAIN)
			return;
		if (fd < 0)
			break;
		if (!ctl_admit(a, fd, now))
			close(fd);
	}
	api_timed(a, &a->retry, acc, now);
}
