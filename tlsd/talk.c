/*
 * talk.c: conversations that are followed before, or besides, being passed:
 * FTP (common/ftp), whose data connections are to be TLS too, and protocols
 * that begin TLS in the middle (common/upgrade). The machines are pure; here
 * bytes are carried between them and the pair's two ends, and what they wish
 * is done.
 *
 * Conversations are short lines, so each end has one small buffer each way.
 */
#include "daemon/log.h"
#include "ftp/ftp.h"
#include "pair.h"
#include "upgrade/upgrade.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUF 8192
#define DATA_RULES_MAX 8 /* data connections that are expected at once */

struct talk {
	struct ftp *ftp; /* one of these two */
	struct upgrade *up;
	char in[2][BUF], out[2][BUF]; /* by end of the relay */
	size_t in_len[2], out_len[2];
	bool eof[2];
	bool stopping; /* waits for the peer's close_notify: back to clear */
	struct rule *data[DATA_RULES_MAX];
};

/* ---- life ---------------------------------------------------------------- */

static bool explicit_tls(const struct pair *p)
{
	return tlsdeck_ftp_explicit(&p->rule->d.tls, 0, p->rule->d.as_port);
}

static enum ftp_side ftp_side_of(const struct pair *p, int end)
{
	bool client = p->inbound == (end == WIRE);

	return client ? FTP_CLIENT : FTP_SERVER;
}

static int new_ftp(struct talk *t)
{
	t->ftp = calloc(1, sizeof(*t->ftp));
	return t->ftp ? 0 : -ENOMEM;
}

static int new_upgrade(struct pair *p, struct talk *t)
{
	struct upgrade_spec s = {
		.proto = (enum upgrade_proto)p->rule->d.starttls,
		.role = p->inbound ? UPGRADE_SERVER : UPGRADE_CLIENT,
		.required = !p->rule->d.optional,
	};

	return upgrade_new(&s, &t->up);
}

int talk_new(struct pair *p)
{
	const struct tlsd_rule *d = &p->rule->d;
	struct talk *t;
	int r;

	if (!d->tls.ftp && d->starttls == TLSD_NO_STARTTLS)
		return 0;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	p->talk = t;
	r = d->starttls != TLSD_NO_STARTTLS ? new_upgrade(p, t) : new_ftp(t);
	if (r < 0)
		talk_free(p);
	return r;
}

void talk_free(struct pair *p)
{
	struct talk *t = p->talk;

	if (!t)
		return;
	p->talk = NULL;
	for (int i = 0; i < DATA_RULES_MAX; i++) {
		if (t->data[i])
			rule_end_data(p->td, t->data[i]);
	}
	free(t->ftp);
	upgrade_free(t->up);
	free(t);
}

bool talk_begins_clear(const struct pair *p)
{
	return p->control || (p->talk && (p->talk->up || explicit_tls(p)));
}

/* ---- the machine's bytes ------------------------------------------------- */

static void refill(struct pair *p, int end)
{
	struct talk *t = p->talk;
	const char *from;
	size_t n;

	if (t->up) {
		t->out_len[end] = upgrade_output(
			t->up, end == WIRE ? UPGRADE_WIRE : UPGRADE_CLEAR,
			t->out[end], BUF);
		return;
	}
	n = MIN(ftp_output(t->ftp, ftp_side_of(p, end), &from), BUF);
	memcpy(t->out[end], from, n);
	ftp_sent(t->ftp, ftp_side_of(p, end), n);
	t->out_len[end] = n;
}

/* Out of the machine to an end: bytes sent, or a negative errno other than
 * -EAGAIN. */
static ssize_t push(struct pair *p, int end)
{
	struct relay_end *e = &p->relay.end[end];
	struct talk *t = p->talk;
	ssize_t sent = 0;

	if (e->want_out) {
		int r = e->io->flush(e);

		if (r < 0)
			return r == -EAGAIN ? 0 : r;
	}
	for (;;) {
		ssize_t n;

		if (!t->out_len[end])
			refill(p, end);
		if (!t->out_len[end])
			return sent;
		n = e->io->send(e, t->out[end], t->out_len[end]);
		if (n <= 0)
			return n == 0 || n == -EAGAIN ? sent : n;
		t->out_len[end] -= (size_t)n;
		memmove(t->out[end], t->out[end] + n, t->out_len[end]);
		p->relay.dir[!end].bytes += (uint64_t)n;
		sent += n;
	}
}

static bool dry(struct pair *p, int end)
{
	struct talk *t = p->talk;

	if (!t->out_len[end])
		refill(p, end);
	return !t->out_len[end] && !p->relay.end[end].want_out;
}

static bool wants_input(const struct talk *t)
{
	return t->up ? upgrade_verdict(t->up) == UPGRADE_WAIT
		     : ftp_wish(t->ftp)->kind == FTP_WISH_NONE;
}

static size_t give(struct pair *p, int end)
{
	struct talk *t = p->talk;
	size_t n;

	if (t->up)
		n = upgrade_input(t->up,
				  end == WIRE ? UPGRADE_WIRE : UPGRADE_CLEAR,
				  t->in[end], t->in_len[end]);
	else
		n = ftp_input(t->ftp, ftp_side_of(p, end), t->in[end],
			      t->in_len[end]);
	t->in_len[end] -= n;
	memmove(t->in[end], t->in[end] + n, t->in_len[end]);
	return n;
}

static size_t room(const struct talk *t, int end)
{
	if (!t->up)
		return BUF;
	return MIN(
		upgrade_want(t->up, end == WIRE ? UPGRADE_WIRE : UPGRADE_CLEAR),
		BUF);
}

/* From an end into the machine: whether anything moved, or negative errno. */
static ssize_t pull(struct pair *p, int end)
{
	struct relay_end *e = &p->relay.end[end];
	struct talk *t = p->talk;
	ssize_t n = 0;

	if (!wants_input(t))
		return 0;
	if (!t->in_len[end] && !t->eof[end]) {
		n = e->io->recv(e, t->in[end], room(t, end));
		if (n == -EAGAIN)
			return 0;
		if (n < 0)
			return n;
		t->eof[end] = n == 0;
		t->in_len[end] = (size_t)n;
	}
	return t->in_len[end] && give(p, end) ? 1 : 0;
}

/* ---- what the machines wish ---------------------------------------------- */

/* In order: what was said is said, both sides see the end. */
static void finish(struct pair *p)
{
	for (int end = 0; end < 2; end++) {
		struct relay_end *e = &p->relay.end[end];

		/* what cannot be sent at once goes with the descriptor */
		(void)!e->io->finish(e);
	}
	pair_close(p, false);
}

/* The machine has nothing to say any more. */
static void hand_to_relay(struct pair *p)
{
	struct talk *t = p->talk;
	int r = 0;

	for (int end = 0; end < 2 && r == 0; end++)
		r = relay_inject(&p->relay, end, t->in[end], t->in_len[end]);
	if (r < 0) {
		pair_close(p, true);
		return;
	}
	talk_free(p);
	pair_relay(p);
}

static void refuse(struct pair *p, const char *why)
{
	history_add(p->td, p->rule, p->inbound, &p->peer, NULL, why, 0);
	pair_close(p, true);
}

/* Clear bytes behind the word that starts TLS would be
 * taken for what came through it. */
static void start_tls(struct pair *p)
{
	if (p->talk->in_len[WIRE])
		refuse(p, "clear text behind the command that starts TLS");
	else
		pair_begin_tls(p);
}

static void remember(struct pair *p, struct rule *r)
{
	struct talk *t = p->talk;

	if (t->data[DATA_RULES_MAX - 1])
		rule_end_data(p->td, t->data[DATA_RULES_MAX - 1]);
	memmove(t->data + 1, t->data, sizeof(t->data) - sizeof(t->data[0]));
	t->data[0] = r;
}

/*
 * A data connection from w->side to w->to. It stays the program's own, at the
 * address it chose; stackd gives it to us when it comes, and we put TLS on the
 * wire's side of it.
 */
static void expect_data(struct pair *p, const struct ftp_wish *w)
{
	bool inbound = w->side == ftp_side_of(p, WIRE);
	struct ftp *f = p->talk->ftp;
	struct ip_port to = w->to;
	struct rule *r;

	if (!ftp_data_tls(f, ftp_side_of(p, WIRE))) {
		ftp_listening(f, &to);
		return;
	}
	r = rule_for_data(p->td, p->rule, inbound, &to);
	if (r)
		remember(p, r);
	ftp_listening(f, r ? &to : NULL);
}

/* Back to clear: our close_notify, then the peer's. False: it ended. */
static bool stop_tls(struct pair *p)
{
	struct relay_end *e = &p->relay.end[WIRE];
	struct talk *t = p->talk;
	char nothing[16];
	ssize_t n;

	if (!t->stopping && tls_session_close(e->tls) < 0)
		return true; /* again when it is writable */
	t->stopping = true;
	n = tls_session_read(e->tls, nothing, sizeof(nothing));
	if (n == -EAGAIN)
		return true;
	if (n != 0) {
		pair_close(p, true);
		return false;
	}
	tls_session_free(e->tls);
	e->tls = NULL;
	e->want_out = false;
	e->io = &p->td->clear_io;
	t->stopping = false;
	ftp_tls_done(t->ftp);
	return true;
}

/* False: p is not ours any more. */
static bool do_ftp(struct pair *p)
{
	const struct ftp_wish *w = ftp_wish(p->talk->ftp);

	switch (w->kind) {
	case FTP_WISH_NONE:
		return true;
	case FTP_WISH_TLS_START:
		if (!dry(p, WIRE))
			return true;
		start_tls(p);
		return false;
	case FTP_WISH_TLS_STOP:
		return !dry(p, WIRE) || stop_tls(p);
	case FTP_WISH_LISTEN:
		expect_data(p, w);
		return true;
	case FTP_WISH_BLIND:
		if (!dry(p, WIRE) || !dry(p, PROGRAM))
			return true;
		hand_to_relay(p);
		return false;
	case FTP_WISH_END:
		if (!dry(p, WIRE) || !dry(p, PROGRAM))
			return true;
		finish(p);
		return false;
	}
	return true;
}

static bool do_upgrade(struct pair *p)
{
	struct upgrade *u = p->talk->up;

	switch (upgrade_verdict(u)) {
	case UPGRADE_WAIT:
		return true;
	case UPGRADE_TLS_NOW:
		if (!dry(p, WIRE))
			return true;
		start_tls(p);
		return false;
	case UPGRADE_SECURE:
	case UPGRADE_STAY_CLEAR:
		if (!dry(p, WIRE) || !dry(p, PROGRAM))
			return true;
		hand_to_relay(p);
		return false;
	case UPGRADE_CLOSE:
		if (!dry(p, WIRE) || !dry(p, PROGRAM))
			return true;
		finish(p);
		return false;
	case UPGRADE_FAILED:
		if (!dry(p, WIRE))
			return true;
		refuse(p, upgrade_why(u));
		return false;
	}
	return true;
}

/* ---- events -------------------------------------------------------------- */

static void ended(struct pair *p)
{
	struct talk *t = p->talk;

	for (int end = 0; end < 2; end++) {
		if (t->eof[end] && !t->in_len[end] && dry(p, PROGRAM) &&
		    dry(p, WIRE)) {
			finish(p);
			return;
		}
	}
}

static void turn(struct pair *p)
{
	for (bool moved = true; moved;) {
		bool wished = !wants_input(p->talk);

		moved = false;
		for (int end = 0; end < 2; end++) {
			ssize_t n = push(p, end);

			if (n < 0) {
				pair_close(p, true);
				return;
			}
			moved = moved || n > 0;
		}
		if (!(p->talk->up ? do_upgrade(p) : do_ftp(p)))
			return;
		/* what was wished is done: there may be more to say */
		moved = moved || (wished && wants_input(p->talk));
		for (int end = 0; end < 2; end++) {
			ssize_t n = pull(p, end);

			if (n < 0) {
				pair_close(p, true);
				return;
			}
			moved = moved || n > 0;
		}
	}
	ended(p);
}

static void on_program(struct relay_watch *w, mono_t now)
{
	(void)now;
	turn(container_of(w, struct pair, relay.end[PROGRAM].watch));
}

static void on_wire(struct relay_watch *w, mono_t now)
{
	(void)now;
	turn(container_of(w, struct pair, relay.end[WIRE].watch));
}

static void follow(struct pair *p)
{
	p->state = TALK;
	p->relay.end[PROGRAM].watch.fn = on_program;
	p->relay.end[WIRE].watch.fn = on_wire;
	relay_watch_again(p->td->set, &p->relay.end[WIRE].watch);
}

void talk_begin(struct pair *p)
{
	struct ftp_config cfg = {.tls = {FTP_TLS_NONE, FTP_TLS_NONE}};
	enum ftp_side wire = ftp_side_of(p, WIRE);

	if (p->talk->ftp) {
		cfg.tls[wire] =
			explicit_tls(p) ? FTP_TLS_EXPLICIT : FTP_TLS_IMPLICIT;
		cfg.peer[wire] = p->remote.addr;
		cfg.peer[!wire] = p->local.addr;
		ftp_init(p->talk->ftp, &cfg);
	} else {
		relay_timer_set(p->td->set, &p->timer,
				mono_add(relay_now(p->td->set),
					 DUR_S(p->rule->d.timeout_s)));
	}
	follow(p);
}

void talk_secured(struct pair *p)
{
	if (p->talk->up)
		upgrade_secured(p->talk->up);
	else
		ftp_tls_done(p->talk->ftp);
	follow(p);
}
