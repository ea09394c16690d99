/*
 * divertsock.c: connections and listeners that a rule of the diverter covers.
 *
 * stackd opens and accepts them itself, on the wire's port, and the program's
 * record stays the record of the connection: its options, its errors and
 * TCP_INFO are answered from it as ever. What changes is the other end of the
 * AF_UNIX socket beside it: the diverter's instead of the program's.
 */
#include "api/impl.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- records ------------------------------------------------------------- */

static struct divert_conn *attach(struct api *a, struct api_sock *c,
				  enum divert_role role)
{
	struct divert_conn *dv = calloc(1, sizeof(*dv));

	if (!dv)
		return NULL;
	dv->c = c;
	dv->role = (uint8_t)role;
	list_push_tail(role == DIVERT_SECURE ? &a->dv.secure : &a->dv.conns,
		       &dv->node);
	c->dv = dv;
	return dv;
}

void divert_forget(struct api *a, struct api_sock *c)
{
	if (!c->dv)
		return;
	if (c->state == API_S_HELD)
		a->dv.n_held--;
	attls_gone(a, c);
	list_remove(&c->dv->node);
	free(c->dv->attls);
	free(c->dv);
	c->dv = NULL;
}

static struct divert_msg about(enum divert_op op, const struct api_sock *c)
{
	return (struct divert_msg){.op = (uint16_t)op,
				   .serial = slots_serial(c)};
}

static void tell_error(struct api *a, enum divert_op op, uint64_t serial,
		       int error, mono_t now)
{
	struct divert_msg m = {
		.op = (uint16_t)op, .serial = serial, .error = error};

	divert_tell(a, &m, now);
}

/* ---- a pair of ends ------------------------------------------------------ */

int divert_tell_with(struct api *a, struct divert_msg *m, const int *fds, int n)
{
	if (!a->dv.peer || !a->dv.live)
		return -ENOTCONN;
	if (a->dv.q_n)
		return -EAGAIN;
	return divert_send(a->dv.peer->fd, m, fds, n);
}

static int make_pair(int ret[2])
{
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
			  0, ret) < 0
		       ? -errno
		       : 0;
}

/* ---- outbound ------------------------------------------------------------ */

/* Before any diverter has brought rules, the deck says what to hold. */
static bool deck_holds(const struct api *a, const struct ip_port *to)
{
	const struct stackd_deck *d = a->deck;

	for (uint32_t i = 0; i < d->n_holds; i++) {
		const struct deck_hold *h = &d->holds[i];

		if (!h->inbound && to->port >= h->port_lo &&
		    to->port <= h->port_hi &&
		    (h->remote.addr.family == IP_NONE ||
		     ip_prefix_has(&h->remote, &to->addr)))
			return true;
	}
	return false;
}

static bool is_diverter(const struct api *a, const struct api_sock *c)
{
	return a->dv.peer && c->pid == a->dv.peer->pid &&
	       c->uid == a->dv.peer->uid;
}

static struct ip_port plain(const struct ip_port *p)
{
	struct ip_port r = *p;

	if (ip_is_v4_mapped(&r.addr))
		r.addr = ip_mapped_to_v4(&r.addr);
	if (ip_is_any(&r.addr)) /* as the engine takes it */
		r.addr = ip_loopback((enum ip_family)r.addr.family);
	return r;
}

/* The program's connect() waits, on the list of its kind: for a diverter, or
 * (`soon`) for room in its socket. */
static int hold(struct api *a, struct api_sock *c, const struct ip_port *to,
		bool soon, mono_t now)
{
	if (c->state != API_S_HELD) {
		if (a->dv.n_held >= API_HELD_MAX ||
		    (!soon && !a->deck->divert_wait_s)) {
			a->counters.divert_refused++;
			return -ECONNREFUSED;
		}
		if (!c->dv && !attach(a, c, DIVERT_OUT))
			return -ENOMEM;
		c->dv->to = *to;
		c->dv->shown_port = to->port;
		c->state = API_S_HELD;
		a->dv.n_held++;
		a->counters.divert_held++;
	}
	api_timed(a, soon ? &a->retry : &a->dv.held, c, now);
	return 1;
}

static void unhold(struct api *a, struct api_sock *c)
{
	if (c->state != API_S_HELD)
		return;
	c->state = API_S_CONNECTING;
	a->dv.n_held--;
}

static void describe(struct divert_msg *m, const struct api_sock *c,
		     const struct api_rule *r, uint16_t port)
{
	m->sock = (struct divert_sock){
		.rule = r->r.id,
		.uid = c->uid,
		.gid = c->gid,
		.pid = (uint32_t)c->pid,
		.as_port = divert_rule_as(&r->r, port),
	};
}

/* Gives the program's end away and takes one end of a pair for it. */
static int pass_out(struct api *a, struct api_sock *c,
		    const struct api_rule *rule, const struct ip_port *to)
{
	struct divert_msg m = about(DIVERT_SOCKET, c);
	struct ip_port local;
	int pair[2], fds[2], r = make_pair(pair);

	if (r < 0)
		return -EAGAIN; /* descriptors come back */
	describe(&m, c, rule, to->port);
	m.sock.skip = c->skip;
	sock_local(c->sk, &local);
	proto_addr_put(&local, &m.sock.local);
	proto_addr_put(to, &m.sock.remote);
	fds[0] = c->fd;
	fds[1] = pair[1];
	r = divert_tell_with(a, &m, fds, 2);
	close(pair[1]);
	if (r < 0) {
		close(pair[0]);
		return r == -ENOTCONN || r == -EPIPE ? -ENOTCONN : -EAGAIN;
	}
	a->ops.unwatch(a->ops.arg, c->fd);
	close(c->fd);
	c->fd = pair[0];
	c->skip = c->lag = 0;
	c->flags &= API_F_COUNTED;
	return api_watch(a, c);
}

static int take_out(struct api *a, struct api_sock *c,
		    const struct api_rule *rule, const struct ip_port *to,
		    mono_t now)
{
	struct divert_conn *dv = c->dv ? c->dv : attach(a, c, DIVERT_OUT);
	struct ip_port wire = *to, seen = plain(to);
	uint32_t id = rule->r.id;
	int r;

	if (!dv)
		return -ENOMEM;
	wire.port = divert_rule_as(&rule->r, to->port);
	dv->shown_port = to->port;
	dv->rule = id;
	r = pass_out(a, c, rule, &seen);
	if (r == -EAGAIN || r == -ENOTCONN)
		return hold(a, c, to, r == -EAGAIN, now);
	if (r < 0)
		return r;
	unhold(a, c);
	divert_used(a, id);
	a->counters.diverted++;
	r = stack_sock_connect(a->s, c->sk, &wire, now);
	return r < 0 ? r : 1;
}

int divert_out(struct api *a, struct api_sock *c, const struct ip_port *to,
	       mono_t now)
{
	struct sock_owner owner = policy_owner(c);
	const struct api_rule *rule;
	struct ip_port seen, local;
	uint32_t i = 0;

	if (!a->dv.set.n && !a->dv.added.n && (a->dv.live || !a->deck->n_holds))
		return 0;
	if (is_diverter(a, c))
		return 0;
	seen = plain(to);
	sock_local(c->sk, &local);
	rule = divert_find(a, false, to->port,
			   ip_is_any(&local.addr) ? NULL : &local.addr,
			   &seen.addr, &owner, &i);
	if (rule && a->dv.live)
		return take_out(a, c, rule, to, now);
	if (rule || (!a->dv.live && deck_holds(a, &seen)))
		return hold(a, c, to, false, now);
	return 0;
}

/* As hello() does when it cannot connect: closes with the padding unread. */
static void refuse(struct api *a, struct api_sock *c, int error, mono_t now)
{
	a->counters.refused++;
	unhold(a, c);
	stream_abort(a, c, error, now);
}

void divert_again(struct api *a, struct api_sock *c, bool expired, mono_t now)
{
	struct ip_port to;
	int r;

	if (c->state != API_S_HELD)
		return;
	if (expired) {
		a->counters.divert_refused++;
		refuse(a, c, ECONNREFUSED, now);
		return;
	}
	to = c->dv->to;
	r = divert_out(a, c, &to, now);
	if (r == 0) {
		/* not covered any more */
		unhold(a, c);
		divert_forget(a, c);
		r = stack_sock_connect(a->s, c->sk, &to, now);
	}
	if (r < 0)
		refuse(a, c, -r, now);
}

/* ---- inbound ------------------------------------------------------------- */

/* Could somebody outside connect to the program's own port? */
static bool reachable(struct api *a, const struct ip_port *at)
{
	struct ip_rule r;
	uint32_t it = 0;

	if (ip_is_loopback(&at->addr) || stack_port_closed(a->s, at->port))
		return false;
	while (ip_iter_rule(stack_ip(a->s), &it, &r)) {
		if (r.out || (!r.any_proto && r.proto != IPPROTO_TCP) ||
		    (r.family != IP_NONE && r.family != at->addr.family) ||
		    (r.port_lo && (at->port < r.port_lo ||
				   at->port > MAX(r.port_lo, r.port_hi))))
			continue;
		if (!r.deny)
			return true;
		if (r.remote.addr.family == IP_NONE || r.remote.len == 0)
			return false;
	}
	return true;
}

static void tell_listener(struct api *a, const struct api_sock *l,
			  const struct api_rule *rule, int error, mono_t now)
{
	struct divert_msg m = about(DIVERT_LISTENER, l);
	struct ip_port at;

	sock_local(l->sk, &at);
	describe(&m, l, rule, at.port);
	m.sock.inbound = 1;
	m.sock.listener = m.serial;
	m.sock.reachable = m.sock.as_port != at.port && reachable(a, &at);
	proto_addr_put(&at, &m.sock.local);
	m.error = error;
	divert_tell(a, &m, now);
}

static int copy_opts(struct api *a, const struct sock *from, struct sock *to)
{
	static const enum sock_opt copied[] = {
		SOCK_OPT_REUSEADDR, SOCK_OPT_REUSEPORT, SOCK_OPT_V6ONLY,
		SOCK_OPT_BIND_IF, SOCK_OPT_FREEBIND};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(copied) && r == 0; i++) {
		int64_t v = stack_sock_get(a->s, from, copied[i]);

		if (v)
			r = stack_sock_set(a->s, to, copied[i], v);
	}
	return r;
}

/* The engine's listener on the wire's port, beside the program's. */
static int listen_beside(struct api *a, const struct api_sock *l,
			 struct api_sock *s, uint16_t as, mono_t now)
{
	struct sock_owner owner = policy_owner(a->dv.peer);
	uint32_t have, max;
	struct ip_port at;
	int r = stack_sock_new(a->s, SOCK_TCP, sock_family(l->sk), &owner, s,
			       &s->sk);

	if (r < 0)
		return r;
	r = copy_opts(a, l->sk, s->sk);
	sock_local(l->sk, &at);
	at.port = as;
	if (r == 0)
		r = stack_sock_bind(a->s, s->sk, &at);
	sock_backlog(l->sk, &have, &max);
	if (r == 0)
		r = stack_sock_listen(a->s, s->sk, max, now);
	return r;
}

static int secure_new(struct api *a, struct api_sock *l,
		      const struct api_rule *rule, uint16_t as, mono_t now)
{
	struct api_sock *s = slots_new(a);
	int r;

	if (!s)
		return -ENFILE;
	s->kind = API_WAITING;
	s->uid = l->uid;
	s->pid = l->pid;
	s->gid = l->gid;
	s->v6 = l->v6;
	r = attach(a, s, DIVERT_SECURE) ? listen_beside(a, l, s, as, now)
					: -ENOMEM;
	if (r < 0) {
		if (s->sk) {
			sock_set_user(s->sk, NULL);
			stack_sock_close(a->s, s->sk, now);
		}
		slots_free(a, s);
		return r;
	}
	s->flags |= API_F_LISTEN;
	s->dv->listener = slots_serial(l);
	s->dv->rule = rule->r.id;
	sock_set_user(s->sk, s);
	return 0;
}

static uint16_t port_of(const struct sock *sk)
{
	struct ip_port p;

	sock_local(sk, &p);
	return p.port;
}

static struct divert_conn *secure_find(struct api *a, uint64_t listener,
				       uint16_t as)
{
	LIST_FOREACH_SAFE (n, &a->dv.secure) {
		struct divert_conn *dv =
			container_of(n, struct divert_conn, node);

		if (dv->listener == listener && port_of(dv->c->sk) == as)
			return dv;
	}
	return NULL;
}

void divert_listen(struct api *a, struct api_sock *l, mono_t now)
{
	struct sock_owner owner = policy_owner(l);
	const struct api_rule *rule;
	struct ip_port at;
	uint32_t i = 0;

	if (!a->dv.live || l->dv)
		return;
	sock_local(l->sk, &at);
	while (a->dv.live && (rule = divert_find(a, true, at.port, &at.addr,
						 NULL, &owner, &i))) {
		uint16_t as = divert_rule_as(&rule->r, at.port);
		struct divert_conn *have = secure_find(a, slots_serial(l), as);
		int r = 0;

		if (have)
			have->rule = rule->r.id;
		else if (as != at.port)
			r = secure_new(a, l, rule, as, now);
		tell_listener(a, l, rule, -r, now);
	}
}

void divert_unlisten(struct api *a, struct api_sock *l, mono_t now)
{
	uint64_t serial = slots_serial(l);

	if (l->dv)
		return;
	LIST_FOREACH_SAFE (n, &a->dv.secure) {
		struct divert_conn *dv =
			container_of(n, struct divert_conn, node);

		if (dv->listener == serial)
			listen_stop(a, dv->c, now);
	}
	if (a->dv.live)
		tell_error(a, DIVERT_UNLISTEN, serial, 0, now);
}

/* Which listener of a program, and by which rule; false: none is in between.
 * *ret_rule NULL: the rule has gone since. */
static bool arrival(struct api *a, const struct api_sock *l, struct sock *sk,
		    const struct api_rule **ret_rule, uint64_t *ret_listener)
{
	struct api_sock *own = l->dv ? slots_of_serial(a, l->dv->listener)
				     : slots_of_serial(a, slots_serial(l));
	struct sock_owner owner;
	struct ip_port local, remote = {0}, seen;
	uint32_t i = 0;

	*ret_rule = NULL;
	*ret_listener = l->dv ? l->dv->listener : slots_serial(l);
	if (!own || !own->sk)
		return l->dv != NULL;
	owner = policy_owner(own);
	sock_local(sk, &local);
	(void)!sock_remote(sk, &remote);
	seen = plain(&local);
	remote = plain(&remote);
	while ((*ret_rule =
			divert_find(a, true, port_of(own->sk), &seen.addr,
				    l->dv ? NULL : &remote.addr, &owner, &i))) {
		if (divert_rule_as(&(*ret_rule)->r, port_of(own->sk)) ==
		    local.port)
			return true;
	}
	return l->dv != NULL;
}

static int give_in(struct api *a, struct api_sock *c,
		   const struct api_rule *rule, struct sock *sk,
		   uint16_t clear_port)
{
	struct divert_msg m = about(DIVERT_SOCKET, c);
	struct ip_port local, remote = {0};
	int pair[2], r = make_pair(pair);

	if (r < 0)
		return -EAGAIN;
	c->fd = pair[0];
	sock_local(sk, &local);
	(void)!sock_remote(sk, &remote);
	describe(&m, c, rule, clear_port);
	local.port = clear_port;
	m.sock.inbound = 1;
	m.sock.listener = c->dv->listener;
	proto_addr_put(&local, &m.sock.local);
	proto_addr_put(&remote, &m.sock.remote);
	r = api_watch(a, c);
	if (r == 0)
		r = divert_tell_with(a, &m, &pair[1], 1);
	close(pair[1]);
	return r;
}

static int take_in(struct api *a, const struct api_sock *own,
		   const struct api_rule *rule, struct sock *sk)
{
	struct api_sock *c = slots_new(a);
	uint32_t id = rule->r.id;
	int r = -ENOMEM;

	if (!c)
		return -EAGAIN;
	c->kind = API_STREAM;
	c->uid = own->uid;
	c->pid = own->pid;
	c->gid = own->gid;
	c->v6 = own->v6;
	if (attach(a, c, DIVERT_IN)) {
		c->dv->listener = slots_serial(own);
		c->dv->rule = id;
		c->dv->shown_port = port_of(own->sk);
		r = give_in(a, c, rule, sk, c->dv->shown_port);
	}
	if (r < 0) {
		slots_free(a, c);
		return -EAGAIN;
	}
	c->state = API_S_OPEN;
	c->sk = sk;
	sock_set_user(sk, c);
	divert_used(a, id);
	a->counters.diverted++;
	return 1;
}

int divert_arrived(struct api *a, struct api_sock *l, struct sock *sk,
		   mono_t now)
{
	const struct api_rule *rule;
	uint64_t listener;

	if (!l->dv && !a->dv.set.n && !a->dv.added.n)
		return 0;
	if (!arrival(a, l, sk, &rule, &listener))
		return 0;
	if (rule && a->dv.live)
		return take_in(a, slots_of_serial(a, listener), rule, sk);
	/* covered, but nobody is there */
	a->counters.divert_refused++;
	stack_sock_abort(a->s, sk, now);
	return 1;
}

/* ---- what becomes of them ------------------------------------------------ */

void divert_connected(struct api *a, struct api_sock *c, mono_t now)
{
	struct divert_msg m = about(DIVERT_CONNECTED, c);
	struct ip_port local;

	sock_local(c->sk, &local);
	proto_addr_put(&local, &m.sock.local);
	divert_tell(a, &m, now);
}

void divert_gone(struct api *a, struct api_sock *c, int error, mono_t now)
{
	if (c->dv->role != DIVERT_SECURE)
		tell_error(a, DIVERT_GONE, slots_serial(c), error, now);
}

static struct api_sock *diverted(struct api *a, uint64_t serial,
				 enum divert_role role)
{
	struct api_sock *c = slots_of_serial(a, serial);

	return c && c->kind == API_STREAM && c->dv && c->dv->role == role
		       ? c
		       : NULL;
}

void divert_opened(struct api *a, const struct divert_msg *m)
{
	struct api_sock *c = diverted(a, m->serial, DIVERT_OUT);

	if (c)
		c->dv->opened = true;
}

void divert_about(struct api *a, const struct divert_msg *m)
{
	struct api_sock *c = diverted(a, m->serial, DIVERT_OUT);

	if (!c)
		c = diverted(a, m->serial, DIVERT_IN);
	if (!c)
		return;
	if (!c->dv->attls)
		c->dv->attls = malloc(sizeof(*c->dv->attls));
	if (!c->dv->attls)
		return;
	*c->dv->attls = m->attls;
	attls_changed(a, c);
}

int divert_attls(const struct api *a, const struct api_sock *c,
		 struct attls_info *ret)
{
	if (c->dv && c->dv->attls) {
		*ret = *c->dv->attls;
		return 0;
	}
	if (!a->dv.live)
		return -EOPNOTSUPP;
	*ret = (struct attls_info){
		.policy = c->dv ? ATTLS_POLICY_ENABLED : ATTLS_POLICY_NONE,
		.state = c->dv ? ATTLS_STATE_HANDSHAKE : ATTLS_STATE_CLEAR,
	};
	return 0;
}

void divert_failed(struct api *a, const struct divert_msg *m)
{
	struct api_sock *c = diverted(a, m->serial, DIVERT_OUT);

	if (c)
		stream_fail_note(a, c->cookie, m->error);
}

void divert_reset(struct api *a, const struct divert_msg *m, mono_t now)
{
	struct api_sock *c = diverted(a, m->serial, DIVERT_OUT);

	if (!c)
		c = diverted(a, m->serial, DIVERT_IN);
	if (c && c->state != API_S_HELD)
		stream_abort(a, c, 0, now);
}

void divert_introduce(struct api *a, struct divert_msg *m, mono_t now)
{
	struct api_sock *c = diverted(a, m->serial, DIVERT_IN), *l;
	struct divert_msg rep = {.op = DIVERT_INTRODUCED, .serial = m->serial};
	struct ip_port local, remote = {0};
	int fd = -1, r = -ECONNRESET;

	if (c && c->sk) {
		/* a listener whose program has just gone refuses, too */
		l = slots_of_serial(a, c->dv->listener);
		sock_local(c->sk, &local);
		(void)!sock_remote(c->sk, &remote);
		local.port = c->dv->shown_port;
		r = l && l->flags & API_F_LISTEN
			    ? listen_connect(a, l, m->serial, &local, &remote,
					     &fd)
			    : -ECONNREFUSED;
	}
	if (r == 0) {
		r = divert_tell_with(a, &rep, &fd, 1);
		close(fd);
		if (r == 0)
			return;
	}
	rep.error = -r;
	divert_tell(a, &rep, now);
}

/* ---- when rules come and go ---------------------------------------------- */

static void stop_all_secure(struct api *a, mono_t now)
{
	while (!list_empty(&a->dv.secure))
		listen_stop(a,
			    container_of(a->dv.secure.next, struct divert_conn,
					 node)
				    ->c,
			    now);
}

/* Keeps those that a rule still wants: what waits in them is not lost. */
static void prune_secure(struct api *a, mono_t now)
{
	LIST_FOREACH_SAFE (n, &a->dv.secure) {
		struct divert_conn *dv =
			container_of(n, struct divert_conn, node);
		struct api_sock *l = slots_of_serial(a, dv->listener);
		struct sock_owner owner;
		const struct api_rule *rule = NULL;
		struct ip_port at;
		uint32_t i = 0;

		if (l && l->sk) {
			owner = policy_owner(l);
			sock_local(l->sk, &at);
			do
				rule = divert_find(a, true, at.port, &at.addr,
						   NULL, &owner, &i);
			while (rule && divert_rule_as(&rule->r, at.port) !=
					       port_of(dv->c->sk));
		}
		if (!rule)
			listen_stop(a, dv->c, now);
	}
}

static void release_held(struct api *a, mono_t now)
{
	struct list todo;

	list_init(&todo);
	while (!list_empty(&a->dv.held)) {
		struct list *n = a->dv.held.next;

		list_remove(n);
		list_push_tail(&todo, n);
	}
	while (!list_empty(&todo)) {
		struct api_sock *c =
			container_of(todo.next, struct api_sock, node);

		api_untimed(c);
		divert_again(a, c, false, now);
	}
}

void divert_refresh(struct api *a, mono_t now)
{
	/* whoever had a port may just have closed it */
	listen_inotify(a, now);
	prune_secure(a, now);
	for (uint32_t i = 0; i < a->n_chunks * API_CHUNK; i++) {
		struct api_sock *c = slots_at(a, i);

		if (c->kind == API_WAITING && c->flags & API_F_LISTEN && c->sk)
			divert_listen(a, c, now);
	}
	release_held(a, now);
	api_arm(a);
}

void divert_orphan(struct api *a, mono_t now)
{
	stop_all_secure(a, now);
	LIST_FOREACH_SAFE (n, &a->dv.conns) {
		struct api_sock *c =
			container_of(n, struct divert_conn, node)->c;

		if (c->state != API_S_HELD)
			stream_abort(a, c, ECONNRESET, now);
	}
}
