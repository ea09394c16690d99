/*
 * control.c: START, STOP and what else a program asks for (aware.h).
 *
 * Between the requests the relay runs as ever, with ends that ask the machine
 * how much they may read. At a border the program's end runs dry; when the
 * relay comes to read the first byte behind it, everything before is on the
 * wire, and `soon` goes on outside the relay.
 *
 * START takes back what the peer sent and the program has not read: out of
 * the program's own end, which came with the request, then what the relay
 * still holds. Whatever the program meant by it, these are the first bytes of
 * the peer's side of TLS: a client may speak as soon as it has seen the word
 * that tells it to, long before START arrives here.
 *
 * Reads of the session are never larger than a record, so that it does not
 * read ahead: what lies behind the peer's close_notify stays where it is.
 */
#include "control.h"
#include "about.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static struct pair *pair_of(struct relay_end *e, int end)
{
	return end == WIRE ? container_of(e, struct pair, relay.end[WIRE])
			   : container_of(e, struct pair, relay.end[PROGRAM]);
}

/* Both ends are tried again. */
static void kick(struct pair *p)
{
	for (int end = 0; end < 2; end++) {
		p->relay.end[end].watch.ready |= RELAY_IN;
		relay_watch_again(p->td->set, &p->relay.end[end].watch);
	}
}

static void be_patient(struct pair *p)
{
	relay_timer_set(
		p->td->set, &p->control->patience,
		mono_add(relay_now(p->td->set), DUR_S(p->rule->d.timeout_s)));
}

static void say_state(struct pair *p)
{
	about_tell(p, p->relay.end[WIRE].tls);
}

/* ---- the ends of the relay ----------------------------------------------- */

static ssize_t program_recv(struct relay_end *e, void *buf, size_t len)
{
	struct pair *p = pair_of(e, PROGRAM);
	struct control *c = p->control;
	size_t may = aware_may_send(&c->m, len);
	ssize_t n;

	if (!may) {
		aware_drained(&c->m);
		relay_watch_again(p->td->set, &c->soon);
		return -EAGAIN;
	}
	n = relay_program.recv(e, buf, may);
	if (n > 0)
		aware_sent(&c->m, (size_t)n);
	return n;
}

static ssize_t clear_recv(struct relay_end *e, void *buf, size_t len)
{
	return aware_may_hear(&pair_of(e, WIRE)->control->m)
		       ? relay_clear.recv(e, buf, len)
		       : -EAGAIN;
}

/* The peer has said close_notify, the program has not said STOP. An end of
 * file for the program, which is for ever, is put off while the peer has not
 * ended its side, or has said more in clear. */
static ssize_t behind_tls(struct relay_end *e, const struct control *c)
{
	char b;
	ssize_t n;

	if (c->m.state != AWARE_SECURE)
		return -EAGAIN;
	n = recv(e->watch.fd, &b, 1, MSG_PEEK | MSG_DONTWAIT);
	if (n == 0 || c->tired)
		return 0;
	return n < 0 && errno != EAGAIN && errno != EINTR ? -errno : -EAGAIN;
}

static ssize_t secure_recv(struct relay_end *e, void *buf, size_t len)
{
	struct pair *p = pair_of(e, WIRE);
	struct control *c = p->control;
	ssize_t n;

	if (!aware_may_hear(&c->m))
		return behind_tls(e, c);
	n = relay_tls.recv(e, buf, MIN(len, (size_t)TLS_RECORD_MAX));
	if (n)
		return n;
	aware_heard(&c->m);
	if (c->m.state == AWARE_SECURE) {
		n = behind_tls(e, c);
		if (n != -EAGAIN)
			return n;
		be_patient(p);
		say_state(p);
		return n;
	}
	relay_watch_again(p->td->set, &c->soon);
	return -EAGAIN;
}

void control_init_io(struct tlsd *td)
{
	td->program_aware = relay_program;
	td->program_aware.recv = program_recv;
	td->clear_aware = td->clear_io;
	td->clear_aware.recv = clear_recv;
	td->wire_aware = td->wire_io;
	td->wire_aware.recv = secure_recv;
}

/* ---- the wire during the handshake --------------------------------------- */

static ssize_t back_pull(void *arg, void *buf, size_t len)
{
	struct relay_step *step = arg;
	struct control *c = container_of(step, struct pair, step)->control;
	size_t n = MIN(len, c->back_len - c->back_at);

	if (!n)
		return relay_step_io.pull(step, buf, len);
	memcpy(buf, c->back + c->back_at, n);
	c->back_at += n;
	return (ssize_t)n;
}

static ssize_t back_push(void *arg, const struct iovec *iov, int n)
{
	return relay_step_io.push(arg, iov, n);
}

static const struct tls_io back_io = {back_pull, back_push};

static void drop_back(struct control *c)
{
	free(c->back);
	c->back = NULL;
	c->back_at = c->back_len = 0;
}

/* ---- START --------------------------------------------------------------- */

/* All that lies in the program's own queue: we alone write there. */
static int read_back(struct control *c, int fd, size_t len)
{
	while (c->back_len < len) {
		ssize_t n = recv(fd, c->back + c->back_len, len - c->back_len,
				 MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n <= 0)
			break; /* another thread of it was faster */
		c->back_len += (size_t)n;
	}
	return 0;
}

static int take_back(struct pair *p, int fd)
{
	struct control *c = p->control;
	size_t held = relay_held(&p->relay, WIRE);
	int unread = 0, r;

	if (fd < 0 || ioctl(fd, FIONREAD, &unread) < 0)
		return -ENOTCONN;
	if ((size_t)unread + held > ATTLS_UNREAD_MAX)
		return -ENOBUFS;
	drop_back(c);
	if (!unread && !held)
		return 0;
	c->back = malloc((size_t)unread + held);
	if (!c->back)
		return -ENOMEM;
	r = read_back(c, fd, (size_t)unread);
	if (r < 0) {
		drop_back(c);
		return r;
	}
	c->back_len += relay_take_held(&p->relay, WIRE, c->back + c->back_len);
	p->relay.dir[WIRE].bytes -= c->back_len;
	return 0;
}

/* What the program has written and nobody has taken. */
static uint64_t queued(const struct pair *p)
{
	const struct relay_end *e = &p->relay.end[PROGRAM];
	int n = 0;

	if (ioctl(e->watch.fd, FIONREAD, &n) < 0 ||
	    (uint32_t)n < e->lag + e->skip)
		return 0;
	return (uint32_t)n - e->lag - e->skip;
}

bool control_deserted(const struct pair *p)
{
	return p->control && queued(p) == 0;
}

static int draw_border(struct pair *p, enum attls_request what)
{
	struct control *c = p->control;
	uint64_t n = queued(p);
	int r = aware_request(&c->m, what, n);

	if (r != -EINPROGRESS)
		return r;
	c->border_out = p->relay.dir[PROGRAM].bytes + n;
	be_patient(p);
	say_state(p);
	kick(p);
	return r;
}

/* Whatever the relay has seen of it yet. */
static bool program_shut(const struct pair *p)
{
	struct pollfd w = {.fd = p->relay.end[PROGRAM].watch.fd,
			   .events = POLLRDHUP};

	return poll(&w, 1, 0) > 0 && w.revents & (POLLRDHUP | POLLHUP);
}

static int start(struct pair *p, int fd)
{
	struct control *c = p->control;
	struct aware probe = c->m;
	int r = aware_request(&probe, ATTLS_START, 0);

	if (r != -EINPROGRESS)
		return r;
	if (program_shut(p))
		return -EPIPE;
	r = take_back(p, fd);
	if (r < 0)
		return r;
	c->border_in = p->relay.dir[WIRE].bytes;
	return draw_border(p, ATTLS_START);
}

/* Everything of before is on the wire. */
static void begin(struct pair *p)
{
	struct control *c = p->control;
	int r = pair_new_session(p, &back_io);

	relay_timer_set(p->td->set, &c->patience, MONO_NEVER);
	if (r < 0) {
		pair_fail(p, strerror(-r), -r);
		return;
	}
	aware_begun(&c->m);
	pair_begin_tls(p);
}

bool control_shaken(struct pair *p)
{
	struct control *c = p->control;

	if (c->back_at < c->back_len) {
		pair_fail(p, "bytes in clear behind the handshake", EPROTO);
		return false;
	}
	drop_back(c);
	aware_secured(&c->m);
	c->tired = false;
	return true;
}

void control_secured(struct pair *p)
{
	p->relay.end[WIRE].io = &p->td->wire_aware;
	pair_relay(p);
	kick(p);
}

/* ---- STOP ---------------------------------------------------------------- */

static int stop(struct pair *p)
{
	if (p->control->m.state == AWARE_SECURE && program_shut(p))
		return -EPIPE;
	return draw_border(p, ATTLS_STOP);
}

static void strip(struct pair *p)
{
	struct relay_end *e = &p->relay.end[WIRE];
	struct control *c = p->control;

	tls_session_free(e->tls);
	e->tls = NULL;
	e->want_out = false;
	e->io = &p->td->clear_aware;
	relay_timer_set(p->td->set, &c->patience, MONO_NEVER);
	c->border_in = p->relay.dir[WIRE].bytes;
	aware_clear(&c->m);
	say_state(p);
	kick(p);
}

static void say_close(struct pair *p)
{
	struct relay_end *e = &p->relay.end[WIRE];
	int r = tls_session_close(e->tls);

	if (r == -EAGAIN) {
		e->want_out = true; /* the relay comes back when it is out */
		p->relay.end[PROGRAM].watch.ready |= RELAY_IN;
		return;
	}
	if (r < 0) {
		pair_close(p, true);
		return;
	}
	aware_said(&p->control->m);
	relay_watch_again(p->td->set, &p->control->soon);
}

static void on_soon(struct relay_watch *w, mono_t now)
{
	struct control *c = container_of(w, struct control, soon);

	(void)now;
	switch (aware_wish(&c->m)) {
	case AWARE_NOTHING:
		return;
	case AWARE_BEGIN:
		begin(c->p);
		return;
	case AWARE_CLOSE:
		say_close(c->p);
		return;
	case AWARE_STRIP:
		strip(c->p);
		return;
	}
}

static void on_patience(struct relay_timer *t, mono_t now)
{
	struct control *c = container_of(t, struct control, patience);
	struct pair *p = c->p;

	(void)now;
	if (c->m.state == AWARE_SECURE) {
		c->tired = true;
		kick(p);
		return;
	}
	rule_counters(p->rule)->timeouts++;
	if (c->m.state == AWARE_DRAIN) {
		pair_fail(p, "the peer does not read what is to go before TLS",
			  ETIMEDOUT);
		return;
	}
	control_failed(p, "the peer did not end TLS in time", ETIMEDOUT);
	pair_close(p, true);
}

/* ---- life ---------------------------------------------------------------- */

int control_new(struct pair *p)
{
	struct control *c;

	if (!p->rule->d.controlled)
		return 0;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->p = p;
	relay_watch_init(&c->soon, on_soon);
	relay_timer_init(&c->patience, on_patience);
	p->control = c;
	say_state(p);
	return 0;
}

void control_free(struct pair *p)
{
	struct control *c = p->control;

	if (!c)
		return;
	relay_timer_set(p->td->set, &c->patience, MONO_NEVER);
	(void)relay_watch_take(p->td->set, &c->soon);
	drop_back(c);
	p->control = NULL;
	free(c);
}

void control_begin(struct pair *p)
{
	p->relay.end[PROGRAM].io = &p->td->program_aware;
	p->relay.end[WIRE].io = &p->td->clear_aware;
	pair_relay(p);
}

void control_failed(struct pair *p, const char *why, int error)
{
	struct control *c = p->control;

	/* one in clear that just breaks off has failed at nothing */
	if (!c || c->m.state == AWARE_FAILED || c->m.state == AWARE_CLEAR)
		return;
	relay_timer_set(p->td->set, &c->patience, MONO_NEVER);
	aware_failed(&c->m);
	c->error = error > 0 ? error : ECONNRESET;
	snprintf(c->why, sizeof(c->why), "%s", why ? why : strerror(c->error));
	about_tell(p, NULL);
}

void control_about(const struct pair *p, struct attls_info *ret)
{
	const struct control *c = p->control;

	ret->policy = ATTLS_POLICY_CONTROLLED;
	ret->state = (uint8_t)aware_shown(&c->m);
	ret->border_in = c->border_in;
	ret->border_out = c->border_out;
	ret->error = c->error;
	memcpy(ret->reason, c->why, sizeof(ret->reason));
}

const char *control_state(const struct pair *p)
{
	return aware_name(&p->control->m);
}

/* ---- requests ------------------------------------------------------------ */

static int reset_cipher(struct pair *p)
{
	struct relay_end *e = &p->relay.end[WIRE];
	int r;

	if (p->control->m.state != AWARE_SECURE)
		return -EBADFD;
	r = tls_session_update_keys(e->tls);
	if (r != -EAGAIN)
		return r;
	/* it goes before everything that the program writes from now on */
	e->want_out = true;
	kick(p);
	return 0;
}

static int reset_session(struct pair *p)
{
	if (p->control->m.state != AWARE_SECURE)
		return -EBADFD;
	return tls_session_forget(p->relay.end[WIRE].tls);
}

static int request(struct pair *p, uint32_t what, int fd)
{
	if (!p->control)
		return -EPERM;
	/* accepted, and we have not looked yet */
	if (p->state == PLANT)
		pair_open(p);
	if (p->dead || (p->state != OPEN && p->state != HANDSHAKE))
		return -ENOTCONN;
	switch (what) {
	case ATTLS_START:
		return start(p, fd);
	case ATTLS_STOP:
		return stop(p);
	case ATTLS_RESET_SESSION:
		return reset_session(p);
	case ATTLS_RESET_CIPHER:
		return reset_cipher(p);
	default:
		return -EINVAL;
	}
}

void control_asked(struct tlsd *td, const struct divert_msg *m, int fd)
{
	struct divert_msg a = {.op = DIVERT_ANSWER,
			       .serial = m->serial,
			       .control = m->control};
	struct pair *p = pair_find(td, m->serial);
	uint32_t what = m->control.what;
	int r = -ENOTCONN;

	a.control.len = 0;
	if (p && (what == DIVERT_ASK_CERT || what == DIVERT_ASK_CHAIN)) {
		r = about_certs(p, &a, what == DIVERT_ASK_CHAIN);
		if (r == 0)
			return;
		a.control.len = 0;
	} else if (p) {
		r = request(p, what, fd);
	}
	a.error = -r;
	(void)!door_send(td, &a);
}
