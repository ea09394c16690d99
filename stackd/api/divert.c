/*
 * divert.c: the door of the diverter (common/divert), its rules and its
 * messages. What happens to connections is in divertsock.c.
 *
 * A set of rules is built aside and takes the place of the one in force at
 * COMMIT. It outlives the diverter: what it covers must not go out in clear
 * because a process died.
 */
#include "api/impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define COMM_MAX 15 /* bytes of a name in /proc/PID/comm */

void divert_init(struct api *a)
{
	list_init(&a->dv.conns);
	list_init(&a->dv.secure);
	list_init(&a->dv.held);
	list_init(&a->dv.waits);
}

void divert_fini(struct api *a)
{
	attls_fini(a);
	free(a->dv.set.at);
	free(a->dv.next.at);
	free(a->dv.added.at);
	free(a->dv.queue);
}

dur_t divert_wait(const struct api *a)
{
	return DUR_S(a->deck->divert_wait_s);
}

/* ---- who a program is ---------------------------------------------------- */

static bool read_proc(pid_t pid, const char *what, char *buf, size_t len)
{
	char path[48];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, buf, len - 1);
	close(fd);
	if (n <= 0)
		return false;
	buf[n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return true;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/*
 * Is the process `pid` the program that a rule names by path or by name? The
 * path of another user's program can be read by root only; its short name by
 * everybody. What cannot be known at all counts as covered: a rule says what
 * must not go out in clear.
 */
static bool is_program(pid_t pid, const char *program)
{
	char exe[DIVERT_TEXT_MAX], link[48], comm[32];
	ssize_t n = -1;

	if (pid <= 0)
		return true;
	snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	if (program[0] == '/')
		n = readlink(link, exe, sizeof(exe) - 1);
	if (n > 0) {
		exe[n] = '\0';
		return strcmp(exe, program) == 0;
	}
	if (!read_proc(pid, "comm", comm, sizeof(comm)))
		return true;
	return strncmp(comm, base_name(program), COMM_MAX) == 0;
}

/* ---- rules --------------------------------------------------------------- */

static int rules_push(struct api_rules *s, const struct divert_msg *m,
		      uint32_t max)
{
	struct api_rule *r;

	if (divert_rule_check(&m->rule) < 0)
		return -EINVAL;
	if (s->n == max)
		return -ENOSPC;
	if (s->n == s->cap) {
		uint32_t cap = MAX(16u, s->cap * 2);

		r = realloc(s->at, cap * sizeof(*r));
		if (!r)
			return -ENOMEM;
		s->at = r;
		s->cap = cap;
	}
	r = &s->at[s->n++];
	r->r = m->rule;
	memcpy(r->program, m->text, sizeof(r->program));
	return 0;
}

static void rules_delete(struct api_rules *s, uint32_t id)
{
	for (uint32_t i = s->n; i-- > 0;) {
		if (s->at[i].r.id != id)
			continue;
		memmove(&s->at[i], &s->at[i + 1],
			(s->n - i - 1) * sizeof(s->at[0]));
		s->n--;
		return;
	}
}

/* Added ones first, the youngest of them first; then the set. */
static const struct api_rule *rule_at(const struct api_divert *d, uint32_t i)
{
	if (i < d->added.n)
		return &d->added.at[d->added.n - 1 - i];
	i -= d->added.n;
	return i < d->set.n ? &d->set.at[i] : NULL;
}

static bool covers(const struct api_rule *r, bool inbound, uint16_t port,
		   const struct ip_addr *local, const struct ip_addr *remote,
		   const struct sock_owner *owner)
{
	return divert_rule_match(&r->r, inbound, port, local, remote) &&
	       (!(r->r.flags & DIVERT_R_USER) || r->r.uid == owner->uid) &&
	       (!r->program[0] || is_program(owner->pid, r->program));
}

const struct api_rule *divert_find(struct api *a, bool inbound, uint16_t port,
				   const struct ip_addr *local,
				   const struct ip_addr *remote,
				   const struct sock_owner *owner,
				   uint32_t *index)
{
	const struct api_rule *r;

	while ((r = rule_at(&a->dv, *index))) {
		++*index;
		if (covers(r, inbound, port, local, remote, owner))
			return r->r.flags & DIVERT_R_PASS ? NULL : r;
	}
	return NULL;
}

void divert_used(struct api *a, uint32_t id)
{
	for (uint32_t i = 0; i < a->dv.added.n; i++) {
		const struct divert_rule *r = &a->dv.added.at[i].r;

		if (r->id == id && r->flags & DIVERT_R_ONCE) {
			rules_delete(&a->dv.added, id);
			return;
		}
	}
}

/* Ports that the world may not reach: by rules, and by the deck while nobody
 * has brought rules. */
static void close_ports(struct api *a)
{
	const struct stackd_deck *d = a->deck;

	for (uint32_t p = 1; p <= 65535; p++)
		stack_port_close(a->s, (uint16_t)p, false);
	for (uint32_t i = 0; i < a->dv.set.n; i++) {
		const struct divert_rule *r = &a->dv.set.at[i].r;

		if (!(r->flags & DIVERT_R_CLOSED))
			continue;
		for (uint32_t p = r->port_lo; p <= r->port_hi; p++)
			stack_port_close(a->s, (uint16_t)p, true);
	}
	for (uint32_t i = 0; i < d->n_holds && !a->dv.live; i++) {
		for (uint32_t p = d->holds[i].port_lo;
		     d->holds[i].inbound && p <= d->holds[i].port_hi; p++)
			stack_port_close(a->s, (uint16_t)p, true);
	}
}

/* ---- words to the diverter ----------------------------------------------- */

static void peer_end(struct api *a, mono_t now)
{
	struct api_divert *d = &a->dv;

	if (!d->peer)
		return;
	slots_free(a, d->peer);
	d->peer = NULL;
	d->live = d->loading = false;
	d->next.n = d->added.n = 0;
	d->q_n = 0;
	close_ports(a);
	divert_orphan(a, now);
}

static bool queue_push(struct api_divert *d, const struct divert_msg *m)
{
	if (d->q_n == d->q_cap) {
		uint32_t cap = MAX(64u, d->q_cap * 2);
		struct divert_msg *q;

		if (d->q_n >= API_DIVERT_QUEUE_MAX)
			return false;
		q = malloc(cap * sizeof(*q));
		if (!q)
			return false;
		for (uint32_t i = 0; i < d->q_n; i++)
			q[i] = d->queue[(d->q_head + i) % d->q_cap];
		free(d->queue);
		d->queue = q;
		d->q_head = 0;
		d->q_cap = cap;
	}
	d->queue[(d->q_head + d->q_n++) % d->q_cap] = *m;
	return true;
}

void divert_flush(struct api *a, mono_t now)
{
	struct api_divert *d = &a->dv;

	while (d->peer && d->q_n) {
		int r = divert_send(d->peer->fd, &d->queue[d->q_head], NULL, 0);

		if (r == -EAGAIN) {
			api_watch_out(a, d->peer);
			return;
		}
		if (r < 0) /* its end shows as an event, too */
			return;
		d->q_head = (d->q_head + 1) % d->q_cap;
		d->q_n--;
	}
	(void)now;
}

void divert_tell(struct api *a, struct divert_msg *m, mono_t now)
{
	struct api_divert *d = &a->dv;

	if (!d->peer)
		return;
	if (!d->q_n) {
		int r = divert_send(d->peer->fd, m, NULL, 0);

		if (r != -EAGAIN)
			return;
	}
	/* one that does not listen any more is as good as dead; its end comes
	 * as an event, since the caller is in the middle of something */
	if (!queue_push(d, m))
		shutdown(d->peer->fd, SHUT_RDWR);
	else
		api_watch_out(a, d->peer);
	(void)now;
}

/* ---- words of the diverter ----------------------------------------------- */

static void commit(struct api *a, mono_t now)
{
	struct divert_msg m = {.op = DIVERT_READY};
	struct api_divert *d = &a->dv;
	struct api_rules old = d->set;

	if (!d->loading) {
		m.error = EPROTO;
		divert_tell(a, &m, now);
		return;
	}
	d->loading = false;
	d->live = true;
	d->set = d->next;
	d->next = old;
	d->next.n = 0;
	close_ports(a);
	divert_tell(a, &m, now);
	divert_refresh(a, now);
}

/* A rule that cannot be taken ends the diverter: it must not believe that
 * something is covered which is not. */
static bool take_rule(struct api *a, struct divert_msg *m, mono_t now)
{
	struct divert_msg no = {.op = DIVERT_READY};
	struct api_rules *to = m->op == DIVERT_ADD ? &a->dv.added : &a->dv.next;
	int r = m->op == DIVERT_RULE && !a->dv.loading
			? -EPROTO
			: rules_push(to, m, DIVERT_RULES_MAX);

	if (r == 0)
		return true;
	no.error = -r;
	no.serial = m->rule.id;
	divert_tell(a, &no, now);
	return m->op == DIVERT_ADD;
}

/* False: a word that only stackd says, or a rule that cannot be. */
static bool heard(struct api *a, struct divert_msg *m, int fd, mono_t now)
{
	switch ((enum divert_op)m->op) {
	case DIVERT_BEGIN:
		a->dv.loading = true;
		a->dv.next.n = 0;
		return true;
	case DIVERT_RULE:
	case DIVERT_ADD:
		return take_rule(a, m, now);
	case DIVERT_DELETE:
		rules_delete(&a->dv.added, m->rule.id);
		return true;
	case DIVERT_COMMIT:
		commit(a, now);
		return true;
	case DIVERT_OPENED:
		divert_opened(a, m);
		return true;
	case DIVERT_FAILED:
		divert_failed(a, m);
		return true;
	case DIVERT_RESET:
		divert_reset(a, m, now);
		return true;
	case DIVERT_INTRODUCE:
		divert_introduce(a, m, now);
		return true;
	case DIVERT_ABOUT:
		divert_about(a, m);
		return true;
	case DIVERT_ANSWER:
		attls_answer(a, m, fd);
		return true;
	case DIVERT_READY:
	case DIVERT_SOCKET:
	case DIVERT_CONNECTED:
	case DIVERT_GONE:
	case DIVERT_LISTENER:
	case DIVERT_UNLISTEN:
	case DIVERT_INTRODUCED:
	case DIVERT_CONTROL:
	case DIVERT__LAST:
		break;
	}
	return false;
}

/* True: more may wait. */
static bool hear_some(struct api *a, mono_t now)
{
	for (int i = 0; i < API_DIVERT_BATCH && a->dv.peer; i++) {
		struct divert_msg m;
		int fds[DIVERT_FDS];
		int r = divert_recv(a->dv.peer->fd, &m, fds);
		bool good = r == 1 && heard(a, &m, fds[0], now);

		for (int k = 0; k < DIVERT_FDS; k++) {
			if (fds[k] >= 0)
				close(fds[k]);
		}
		if (r == -EAGAIN)
			return false;
		if (good)
			continue;
		a->counters.bad_records += r == 1 || r == -EPROTO;
		peer_end(a, now);
		return false;
	}
	return a->dv.peer != NULL;
}

void divert_drain(struct api *a, mono_t now)
{
	while (hear_some(a, now))
		continue;
}

void divert_event(struct api *a, struct api_sock *c, uint32_t ev, mono_t now)
{
	if (c != a->dv.peer)
		return;
	if (ev & EPOLLOUT) {
		c->flags &= (uint16_t)~API_F_BLOCKED;
		divert_flush(a, now);
	}
	if (hear_some(a, now)) {
		api_timed(a, &a->soon, a->dv.peer, now);
		return;
	}
	if (a->dv.peer && ev & (EPOLLHUP | EPOLLERR))
		peer_end(a, now);
}

/* ---- the door ------------------------------------------------------------ */

/* Root and stackd's own user. One whose process id this namespace does not
 * know could not be told from others, whose connections are to be covered. */
static bool may_divert(int fd, struct ucred *ret)
{
	socklen_t l = sizeof(*ret);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret, &l) == 0 &&
	       (ret->uid == 0 || ret->uid == geteuid()) && ret->pid > 0;
}

static void admit(struct api *a, int fd, mono_t now)
{
	struct api_sock *c;
	struct ucred uc;
	int big = 1 << 20;

	/* its end may be known before its successor comes */
	divert_drain(a, now);
	c = may_divert(fd, &uc) && !a->dv.peer ? slots_new(a) : NULL;
	if (!c) {
		a->counters.refused++;
		close(fd);
		return;
	}
	c->kind = API_DIVERT;
	c->fd = fd;
	c->uid = uc.uid;
	c->pid = uc.pid;
	c->gid = uc.gid;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof(big)) < 0)
		(void)!setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &big, sizeof(big));
	if (api_watch(a, c) < 0) {
		slots_free(a, c);
		return;
	}
	a->dv.peer = c;
	divert_event(a, c, 0, now);
}

void divert_accept(struct api *a, struct api_sock *acc, mono_t now)
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
		admit(a, fd, now);
	}
	api_timed(a, &a->retry, acc, now);
}

/* ---- for the operator ---------------------------------------------------- */

static uint32_t list_length(const struct list *l)
{
	uint32_t n = 0;

	for (const struct list *at = l->next; at != l; at = at->next)
		n++;
	return n;
}

void api_divert_info(const struct api *a, struct api_divert_info *ret)
{
	const struct api_divert *d = &a->dv;

	*ret = (struct api_divert_info){
		.pid = d->peer ? d->peer->pid : 0,
		.live = d->live,
		.rules = d->set.n,
		.added = d->added.n,
		.conns = list_length(&d->conns),
		.listeners = list_length(&d->secure),
		.held = d->n_held,
	};
}

bool api_divert_rule(const struct api *a, uint32_t i, struct divert_rule *ret,
		     const char **ret_program)
{
	const struct api_rule *r = rule_at(&a->dv, i);

	if (!r)
		return false;
	*ret = r->r;
	*ret_program = r->program;
	return true;
}

int api_divert_release(struct api *a, mono_t now)
{
	if (a->dv.peer)
		return -EBUSY;
	a->dv.set.n = 0;
	close_ports(a);
	divert_refresh(a, now);
	return 0;
}

/* The deck, or what it says about holding, has changed. */
void api_divert_deck(struct api *a)
{
	close_ports(a);
}
