/*
 * pair.c: one connection that a rule covers: the program's end, the wire's
 * end, TLS on the latter.
 *
 *   outbound  CONNECT (stackd opens it) -> HANDSHAKE -> PLANT (the program's
 *             connect() returns) -> OPEN
 *   inbound   HANDSHAKE -> INTRODUCE (stackd connects to the program's
 *             listener) -> PLANT (the program accepts) -> OPEN, or DYING: the
 *             peer has gone, but the program has not accepted yet; closing
 *             before it has planted its byte would look like an end of file
 *
 * Data connections of FTP are eager: the program's end opens at once and the
 * handshake goes on beside it, since the peer begins with it only when the
 * program has given its command [RFC4217 7].
 *
 * A handshake is made in steps by the worker threads: when something has come
 * on the wire the session goes to one of them, and comes back finished, failed
 * or hungry. While it is there (`step.busy`) nothing here touches it; a pair
 * that is to end meanwhile is `dead` and ends when it is back.
 */
#include "pair.h"
#include "about.h"
#include "daemon/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define INTRODUCE_RETRY_MS 5
#define EAGER_TIMEOUT_S 120 /* the program has to give its command first */
#define SNDBUF_BYTES (1 << 20)
#define LAST_READS 4 /* of RELAY_CHUNK, in one turn of a polite end */
#define LINGER_S 2   /* that a peer has to see an alert */

static const char *const state_names[] = {
	"CONNECT", "HANDSHAKE", "INTRODUCE", "PROGRAM",
	"OPEN",    "DYING",     "FOLLOW",    "LINGER",
};

static bool eager(const struct pair *p)
{
	return p->rule->owner != NULL;
}

static struct relay_watch *watch_of(struct pair *p, int end)
{
	return &p->relay.end[end].watch;
}

/* ---- the end ------------------------------------------------------------- */

/* IPTRACE: what becomes of a connection. */
static void trace(const struct pair *p, const char *what)
{
	char peer[PORT_TEXT_MAX];

	log_debug("connection %llu %s %s, rule %u: %s",
		  (unsigned long long)p->id, p->inbound ? "from" : "to",
		  ip_port_format(&p->peer, peer), p->rule->number, what);
}

static void forget(struct pair *p)
{
	struct tlsd *td = p->td;

	trace(p, "ended");

	relay_timer_set(td->set, &p->timer, MONO_NEVER);
	relay_timer_set(td->set, &p->retry, MONO_NEVER);
	talk_free(p);
	control_free(p);
	tls_session_free(p->session);
	p->session = NULL;
	list_remove(&p->node);
	list_remove(&p->hash);
	td->n_pairs--;
	rule_counters(p->rule)->active--;
	rule_counters(p->rule)->bytes_out += p->relay.dir[PROGRAM].bytes;
	rule_counters(p->rule)->bytes_in += p->relay.dir[WIRE].bytes;
	rule_unref(p->rule);
	relay_bury(td->set, &p->corpse, p);
}

/* The wire's end after our alert: what the peer still says is thrown away,
 * until it has seen the alert and closes. True: that is not yet so. */
static bool linger(struct pair *p)
{
	int fd = watch_of(p, WIRE)->fd;

	for (int i = 0; i < LAST_READS; i++) {
		ssize_t n = recv(fd, relay_scratch(p->td->set), RELAY_CHUNK,
				 MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return true;
		if (n <= 0)
			return false;
	}
	return false;
}

/* An alert must arrive: a reset for what the peer still sends would overtake
 * it. So our direction ends with a FIN, and the rest is read for a while. */
static bool end_politely(struct pair *p)
{
	int fd = watch_of(p, WIRE)->fd;

	relay_close_end(&p->relay, PROGRAM, true);
	if (fd < 0 || shutdown(fd, SHUT_WR) < 0 || !linger(p))
		return false;
	p->state = LINGER;
	p->relay.end[WIRE].io = &relay_clear; /* another's close says reset */
	relay_timer_set(p->td->set, &p->timer,
			mono_add(relay_now(p->td->set), DUR_S(LINGER_S)));
	return true;
}

static void linger_over(struct pair *p)
{
	relay_abandon(&p->relay, true);
	forget(p);
}

/* Introduced, and neither accepted nor given up by the program. */
static bool must_wait(struct pair *p)
{
	int queued = 0;
	const struct relay_watch *w = watch_of(p, PROGRAM);

	return p->inbound && !p->ready && w->fd >= 0 &&
	       !(w->ready & RELAY_ERR) &&
	       ioctl(w->fd, FIONREAD, &queued) == 0 && queued == 0;
}

/* Before it was open. The reason goes to stackd before the program sees the
 * end, so that SO_ERROR finds it. */
static void end_early(struct pair *p)
{
	if (!p->gone && !p->inbound)
		door_say(p->td, DIVERT_FAILED, p->serial, p->error);
	tls_session_free(p->session);
	p->session = NULL;
	if (p->polite && end_politely(p))
		return;
	if (!p->polite && !p->gone)
		door_say(p->td, DIVERT_RESET, p->serial, 0);
	p->relay.end[WIRE].io = &relay_clear; /* it is said */
	if (must_wait(p)) {
		p->state = DYING;
		relay_watch_close(p->td->set, watch_of(p, WIRE));
		return;
	}
	relay_abandon(&p->relay, true);
	forget(p);
}

/* `error`: positive errno for the program. */
void pair_give_up(struct pair *p, int error)
{
	if (p->dead)
		return;
	control_failed(p, NULL, error);
	p->dead = true;
	p->error = error;
	relay_timer_set(p->td->set, &p->timer, MONO_NEVER);
	relay_timer_set(p->td->set, &p->retry, MONO_NEVER);
	atomic_store(&p->step.cancelled, true);
	if (!p->step.busy)
		end_early(p);
}

static uint32_t elapsed_us(const struct pair *p)
{
	int64_t us = mono_sub(mono_now(), p->began).ns / 1000;

	return (uint32_t)MIN(us, UINT32_MAX);
}

void pair_fail(struct pair *p, const char *why, int error)
{
	history_add(p->td, p->rule, p->inbound, &p->peer, NULL, why,
		    elapsed_us(p));
	control_failed(p, why, error);
	pair_give_up(p, error);
}

/* ---- open ---------------------------------------------------------------- */

static void on_done(struct relay *r, enum relay_cause cause, int side,
		    int error)
{
	struct pair *p = container_of(r, struct pair, relay);

	(void)side;
	(void)error;
	if (cause != RELAY_CAUSE_FIN)
		rule_counters(p->rule)->resets++;
	forget(p);
}

/* A reset of ours has to be said: AF_UNIX alone would make an end of file of
 * it, and stackd a FIN. */
static void wire_close(struct relay_end *e, bool reset)
{
	struct pair *p = container_of(e, struct pair, relay.end[WIRE]);

	if (reset && !p->gone)
		door_say(p->td, DIVERT_RESET, p->serial, 0);
	relay_tls.close(e, reset);
}

static void clear_close(struct relay_end *e, bool reset)
{
	struct pair *p = container_of(e, struct pair, relay.end[WIRE]);

	if (reset && !p->gone)
		door_say(p->td, DIVERT_RESET, p->serial, 0);
	relay_clear.close(e, reset);
}

void pair_init_io(struct tlsd *td)
{
	td->wire_io = relay_tls;
	td->wire_io.close = wire_close;
	td->clear_io = relay_clear;
	td->clear_io.close = clear_close;
}

void pair_close(struct pair *p, bool reset)
{
	if (reset)
		rule_counters(p->rule)->resets++;
	tls_session_free(p->session);
	p->session = NULL;
	relay_abandon(&p->relay, reset);
	forget(p);
}

void pair_relay(struct pair *p)
{
	trace(p, "open");
	p->state = OPEN;
	relay_timer_set(p->td->set, &p->timer, MONO_NEVER);
	relay_start(&p->relay);
}

/* The wire's end is what the session makes of it. */
static void secure_wire(struct pair *p)
{
	struct relay_end *wire = &p->relay.end[WIRE];

	relay_tls_adopt(wire, p->session);
	wire->io = &p->td->wire_io;
	p->session = NULL;
}

/* Nothing is written to the program before its connect() cannot fail any
 * more, or its accept() has planted the byte that makes our death a reset. */
void pair_open(struct pair *p)
{
	struct relay_end *program = &p->relay.end[PROGRAM];
	int r = p->ready ? 0 : relay_program_open(program);

	if (!eager(p) || p->tls)
		p->state = PLANT; /* the session is nobody's but ours */
	if (r == -EAGAIN)
		return;
	if (r < 0) {
		pair_give_up(p, -r);
		return;
	}
	p->ready = true;
	if (eager(p) && !p->tls)
		return;
	program->io = &relay_program;
	if (talk_begins_clear(p))
		p->relay.end[WIRE].io = &p->td->clear_io;
	else
		secure_wire(p);
	if (p->control)
		control_begin(p);
	else if (p->talk)
		talk_begin(p);
	else
		pair_relay(p);
}

/* ---- inbound: the program's end ------------------------------------------ */

/* The program's end hung up: was it reset, or did the program go before it
 * accepted? A program that said all it had to say and closed did neither, and
 * what it said is still to be delivered. */
static bool broke_off(const struct pair *p, int fd)
{
	int error = 0, queued = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error)
		return true;
	return !p->ready && (ioctl(fd, FIONREAD, &queued) < 0 || !queued);
}

static void on_program(struct relay_watch *w, mono_t now)
{
	struct pair *p = container_of(w, struct pair, relay.end[PROGRAM].watch);

	(void)now;
	if (p->state == DYING) {
		if (w->ready & (RELAY_IN | RELAY_ERR)) {
			relay_abandon(&p->relay, true);
			forget(p);
		}
		return;
	}
	if (w->ready & RELAY_ERR &&
	    (broke_off(p, w->fd) || control_deserted(p))) {
		pair_give_up(p, ECONNRESET);
		return;
	}
	if (!p->ready && w->ready & RELAY_IN &&
	    (p->state == PLANT || p->opening))
		pair_open(p);
}

static int add_program(struct pair *p, int fd)
{
	int r = relay_watch_add(p->td->set, watch_of(p, PROGRAM), fd);

	if (r < 0)
		close(fd);
	watch_of(p, PROGRAM)->fn = on_program;
	return r;
}

static void introduced(struct pair *p, int fd, int error)
{
	if (error == EAGAIN) {
		/* the program's backlog is full; the peer waits as it would
		 * in the kernel's */
		relay_timer_set(p->td->set, &p->retry,
				mono_add(relay_now(p->td->set),
					 DUR_MS(INTRODUCE_RETRY_MS)));
		return;
	}
	if (fd < 0) {
		pair_give_up(p, error);
		return;
	}
	p->relay.end[PROGRAM].skip = 1;
	p->opening = true;
	if (p->state == INTRODUCE)
		p->state = PLANT;
	if (add_program(p, fd) < 0)
		pair_give_up(p, ECONNRESET);
}

/* ---- handshake ----------------------------------------------------------- */

static void submit(struct pair *p)
{
	INVARIANT(!p->tls && p->session);
	relay_step_submit(&p->step, p->td->pool);
}

static int program_error(const struct tls_error *e, int r)
{
	if (e->kind == TLS_ERR_IO || e->kind == TLS_ERR_NONE)
		return r == -EPROTO ? EPROTO : ECONNRESET;
	return EPROTO;
}

static void handshake_failed(struct pair *p, int r)
{
	struct tls_error e;

	tls_session_error(p->session, &e);
	p->polite = true;
	pair_fail(p, e.text && e.text[0] ? e.text : strerror(-r),
		  program_error(&e, r));
}

static void introduce(struct pair *p)
{
	if (p->state != HANDSHAKE || p->tls)
		p->state = INTRODUCE;
	door_say(p->td, DIVERT_INTRODUCE, p->serial, 0);
}

/* Said first: what the program asks, once it is writable, is true. */
static void tell_opened(struct pair *p)
{
	p->opening = true;
	door_say(p->td, DIVERT_OPENED, p->serial, 0);
	pair_open(p);
}

static void handshake_ok(struct pair *p)
{
	relay_timer_set(p->td->set, &p->timer, MONO_NEVER);
	history_add(p->td, p->rule, p->inbound, &p->peer, p->session, NULL,
		    elapsed_us(p));
	if (p->control && !control_shaken(p))
		return;
	about_tell(p, p->session);
	if (p->following) {
		secure_wire(p);
		if (p->control)
			control_secured(p);
		else
			talk_secured(p);
		return;
	}
	p->tls = true;
	if (eager(p)) {
		p->state = PLANT;
		if (p->opening)
			pair_open(p);
		return;
	}
	if (!p->inbound) {
		tell_opened(p);
		return;
	}
	introduce(p);
}

static void handshake_back(struct relay_step *st)
{
	struct pair *p = container_of(st, struct pair, step);

	if (p->dead)
		end_early(p);
	else if (st->result == 0)
		handshake_ok(p);
	else if (st->result != -EAGAIN)
		handshake_failed(p, st->result);
	else if (st->again)
		submit(p);
}

static void on_wire(struct relay_watch *w, mono_t now)
{
	struct pair *p = container_of(w, struct pair, relay.end[WIRE].watch);

	(void)now;
	if (p->state == LINGER) {
		if (!linger(p))
			linger_over(p);
		return;
	}
	if (p->state == HANDSHAKE ||
	    (p->state == CONNECT && !talk_begins_clear(p)))
		submit(p);
	else if (w->ready & RELAY_ERR)
		pair_give_up(p, ECONNRESET);
}

static void on_retry(struct relay_timer *t, mono_t now)
{
	struct pair *p = container_of(t, struct pair, retry);

	(void)now;
	door_say(p->td, DIVERT_INTRODUCE, p->serial, 0);
}

static void on_timer(struct relay_timer *t, mono_t now)
{
	struct pair *p = container_of(t, struct pair, timer);

	(void)now;
	if (p->state == LINGER) {
		linger_over(p);
		return;
	}
	rule_counters(p->rule)->timeouts++;
	if (p->state == TALK) {
		history_add(p->td, p->rule, p->inbound, &p->peer, NULL,
			    "the peer did not go on to TLS in time",
			    elapsed_us(p));
		pair_close(p, true);
		return;
	}
	pair_fail(p, "no answer within the time of a handshake", ETIMEDOUT);
}

static void begin_handshake(struct pair *p)
{
	trace(p, "handshake");
	p->state = HANDSHAKE;
	p->began = mono_now();
	relay_timer_set(
		p->td->set, &p->timer,
		mono_add(relay_now(p->td->set), DUR_S(p->rule->d.timeout_s)));
}

void pair_begin_tls(struct pair *p)
{
	p->following = true;
	watch_of(p, WIRE)->fn = on_wire;
	watch_of(p, PROGRAM)->fn = on_program;
	begin_handshake(p);
	submit(p);
}

/* ---- the beginning ------------------------------------------------------- */

static struct list *bucket(struct tlsd *td, uint64_t serial)
{
	return &td->by_serial[serial % TLSD_HASH];
}

struct pair *pair_find(struct tlsd *td, uint64_t serial)
{
	LIST_FOREACH_SAFE (n, bucket(td, serial)) {
		struct pair *p = container_of(n, struct pair, hash);

		if (p->serial == serial && !p->dead)
			return p;
	}
	return NULL;
}

static struct pair *make(struct tlsd *td, const struct divert_msg *m,
			 struct rule *rule)
{
	struct pair *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->td = td;
	p->rule = rule_ref(rule);
	p->id = ++td->n_pairs_ever;
	p->serial = m->serial;
	p->inbound = m->sock.inbound;
	p->pid = m->sock.pid;
	p->uid = m->sock.uid;
	p->as_port = m->sock.as_port;
	p->since = p->began = mono_now();
	relay_step_init(&p->step, -1, handshake_back);
	(void)!proto_addr_get(&m->sock.local, &p->local);
	(void)!proto_addr_get(&m->sock.remote, &p->remote);
	p->peer = p->remote;
	if (!p->inbound)
		p->peer.port = p->as_port;
	relay_init(&p->relay, td->set);
	p->relay.done = on_done;
	p->relay.end[PROGRAM].skip = m->sock.skip;
	relay_timer_init(&p->timer, on_timer);
	relay_timer_init(&p->retry, on_retry);
	list_push_tail(&td->pairs, &p->node);
	list_push_tail(bucket(td, p->serial), &p->hash);
	td->n_pairs++;
	rule_counters(rule)->active++;
	return p;
}

int pair_new_session(struct pair *p, const struct tls_io *io)
{
	char name[TLSD_HOST_MAX];
	const char *peer =
		p->rule->d.inbound /* the role of TLS, whoever connects */
			? NULL
			: rule_peer_name(p->rule, &p->remote.addr, name);

	int r = (eager(p) ? tls_session_new_terse : tls_session_new)(
		p->rule->policy, peer, io, &p->step, &p->session);

	p->step.session = p->session;
	return r;
}

static int begin(struct pair *p, int *wire, int *program)
{
	int big = SNDBUF_BYTES;
	int r = p->control ? 0 : pair_new_session(p, &relay_step_io);

	if (r == 0 && *program >= 0) {
		r = add_program(p, *program);
		*program = -1;
	}
	if (r < 0)
		return r;
	p->step.fd = *wire;
	(void)!setsockopt(*wire, SOL_SOCKET, SO_SNDBUF, &big, sizeof(big));
	r = relay_watch_add(p->td->set, watch_of(p, WIRE), *wire);
	if (r == 0)
		*wire = -1;
	watch_of(p, WIRE)->fn = on_wire;
	return r;
}

void pair_new(struct tlsd *td, const struct divert_msg *m, int fds[DIVERT_FDS])
{
	struct rule *rule = rules_find(td, m->sock.rule);
	int *wire = &fds[m->sock.inbound ? 0 : 1];
	int none = -1, *program = m->sock.inbound ? &none : &fds[0];
	struct pair *p =
		rule && rule->policy && *wire >= 0 ? make(td, m, rule) : NULL;
	int r;

	if (!p) {
		door_say(td, DIVERT_FAILED, m->serial, ECONNREFUSED);
		door_say(td, DIVERT_RESET, m->serial, 0);
		return;
	}
	r = talk_new(p);
	if (r == 0)
		r = control_new(p);
	if (r == 0)
		r = begin(p, wire, program);
	if (r < 0) {
		pair_fail(p, strerror(-r), -r);
		return;
	}
	if (talk_begins_clear(p)) {
		if (p->inbound)
			introduce(p);
		return;
	}
	if (p->inbound)
		begin_handshake(p);
	if (p->inbound && eager(p))
		introduce(p);
	/* the first step of a client does not wait for anything: what it says
	 * lies ready when the connection stands */
	submit(p);
}

/* ---- words of stackd ----------------------------------------------------- */

void pair_connected(struct tlsd *td, const struct divert_msg *m)
{
	struct pair *p = pair_find(td, m->serial);

	if (!p || p->state != CONNECT)
		return;
	(void)!proto_addr_get(&m->sock.local, &p->local);
	if (!talk_begins_clear(p))
		begin_handshake(p);
	if (eager(p) || (talk_begins_clear(p)))
		tell_opened(p);
}

void pair_gone(struct tlsd *td, uint64_t serial, int error)
{
	struct pair *p = pair_find(td, serial);

	if (!p)
		return;
	p->gone = true;
	/* an open one sees it on the wire, behind what came before */
	if (p->state == CONNECT)
		pair_fail(p, strerror(error ? error : ECONNRESET), error);
	else if (p->state == INTRODUCE || p->state == PLANT)
		pair_give_up(p, error);
}

void pair_introduced(struct tlsd *td, uint64_t serial, int fd, int error)
{
	struct pair *p = pair_find(td, serial);

	if (p && !p->opening &&
	    (p->state == INTRODUCE || (eager(p) && p->inbound)))
		introduced(p, fd, error);
	else if (fd >= 0)
		close(fd);
}

static void kill_pair(struct pair *p)
{
	if (p->state == OPEN) {
		relay_kill(&p->relay);
	} else if (p->state == LINGER) {
		linger_over(p);
	} else if (p->state == DYING || p->state == TALK) {
		pair_close(p, true);
	} else {
		pair_give_up(p, ECONNRESET);
	}
}

bool pair_reset(struct tlsd *td, uint64_t id)
{
	LIST_FOREACH_SAFE (n, &td->pairs) {
		struct pair *p = container_of(n, struct pair, node);

		if (p->id == id && !p->dead) {
			kill_pair(p);
			return true;
		}
	}
	return false;
}

void pairs_end(struct tlsd *td)
{
	LIST_FOREACH_SAFE (n, &td->pairs) {
		struct pair *p = container_of(n, struct pair, node);

		p->gone = true;
		if (!td->pool && p->step.busy)
			p->step.busy = p->dead = false; /* no worker any more */
		kill_pair(p);
	}
}

bool pair_next(const struct tlsd *td, const struct list **it,
	       struct pair_info *ret)
{
	const struct list *n = *it ? (*it)->next : td->pairs.next;
	struct pair *p;

	if (n == &td->pairs)
		return false;
	*it = n;
	p = container_of((struct list *)(uintptr_t)n, struct pair, node);
	*ret = (struct pair_info){
		.id = p->id,
		.rule = p->rule->number,
		.inbound = p->inbound,
		.state = p->control && p->state == OPEN ? control_state(p)
							: state_names[p->state],
		.local = p->local,
		.remote = p->remote,
		.as_port = p->as_port,
		.pid = p->pid,
		.uid = p->uid,
		.since = p->since,
		.bytes_out = p->relay.dir[PROGRAM].bytes,
		.bytes_in = p->relay.dir[WIRE].bytes,
		.session = p->state == OPEN || p->state == TALK
				   ? p->relay.end[WIRE].tls
				   : NULL,
	};
	return true;
}
