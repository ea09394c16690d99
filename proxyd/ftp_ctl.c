/*
 * ftp_ctl.c: the control connection of OPTION FTP. In place of a relay's two
 * directions there is the follower: what a side said goes in, what the other
 * side is to hear comes out, and between them are wishes for TLS and
 * listeners.
 */
#include "client/couplet.h"
#include "daemon/log.h"
#include "ftp_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum step { STEP_ON, STEP_WAIT, STEP_OVER };

static void on_control0(struct relay_watch *w, mono_t now);
static void on_control1(struct relay_watch *w, mono_t now);

static enum step fail(struct ftp_flow *ff, enum flow_end why, const char *text)
{
	flow_fail(ff->f, why, text);
	return STEP_OVER;
}

static enum step reset(struct ftp_flow *ff, int side, int error)
{
	return fail(ff, side ? FLOW_END_SERVER_RESET : FLOW_END_CLIENT_RESET,
		    strerror(-error));
}

/* ---- output
 * --------------------------------------------------------------------- */

/* Sends what the follower has for a side. WAIT: it is full. */
static enum step send_side(struct ftp_flow *ff, int side)
{
	struct relay_end *e = &ff->f->relay.end[side];
	const char *p;
	size_t n;

	if (e->want_out) {
		int r = e->io->flush(e);

		if (r < 0)
			return r == -EAGAIN ? STEP_WAIT : reset(ff, side, r);
	}
	while ((n = ftp_output(&ff->ftp, (enum ftp_side)side, &p))) {
		ssize_t r = e->io->send(e, p, n);

		if (r == -EAGAIN) {
			e->watch.ready &= (uint8_t)~RELAY_OUT;
			return STEP_WAIT;
		}
		if (r < 0)
			return reset(ff, side, (int)r);
		ftp_sent(&ff->ftp, (enum ftp_side)side, (size_t)r);
	}
	return e->want_out ? STEP_WAIT : STEP_ON;
}

static enum step send_both(struct ftp_flow *ff)
{
	for (int side = 0; side < 2; side++) {
		enum step st = STEP_WAIT;

		if (ff->f->relay.end[side].watch.ready & RELAY_OUT)
			st = send_side(ff, side);
		if (st == STEP_OVER)
			return st;
	}
	return STEP_ON;
}

static bool all_sent(const struct ftp_flow *ff, int side)
{
	const char *p;

	return !ff->f->relay.end[side].want_out &&
	       !ftp_output(&ff->ftp, (enum ftp_side)side, &p);
}

/* ---- wishes
 * --------------------------------------------------------------------- */

static void set_watches(struct ftp_flow *ff)
{
	ff->f->relay.end[0].watch.fn = on_control0;
	ff->f->relay.end[1].watch.fn = on_control1;
}

static void run(struct ftp_flow *ff);

static void secured(struct flow *f, int side, int result)
{
	if (!flow_end_tls(f, side, result))
		return;
	ftp_tls_done(&f->ftp->ftp);
	run(f->ftp);
}

static void client_secured(void *arg, int result)
{
	secured(arg, 0, result);
}

static void server_secured(void *arg, int result)
{
	secured(arg, 1, result);
}

static enum step start_tls(struct ftp_flow *ff, int side)
{
	struct flow *f = ff->f;

	if (!f->shake[side]) {
		if (!all_sent(ff, side))
			return STEP_WAIT;
		/* what was sent in the clear behind AUTH must not count as
		 * said under TLS */
		if (ff->rest[side].len)
			return fail(ff, FLOW_END_FTP, "clear text behind AUTH");
		if (!flow_begin_tls(f, side,
				    side ? server_secured : client_secured))
			return STEP_OVER;
	}
	return flow_go_tls(f, side) ? STEP_WAIT : STEP_OVER;
}

/* [RFC4217 6] both sides say close_notify and go on in the clear. */
static enum step stop_tls(struct ftp_flow *ff, int side)
{
	struct relay_end *e = &ff->f->relay.end[side];
	char byte;
	ssize_t n;
	int r;

	if (!all_sent(ff, side))
		return STEP_WAIT;
	r = tls_session_close(e->tls);
	if (r < 0)
		return r == -EAGAIN ? STEP_WAIT : reset(ff, side, r);
	n = e->io->recv(e, &byte, 1);
	if (n == -EAGAIN)
		return STEP_WAIT;
	if (n > 0)
		return fail(ff, FLOW_END_FTP, "a command behind CCC");
	if (n < 0)
		return reset(ff, side, (int)n);
	tls_session_free(e->tls);
	e->tls = NULL;
	e->io = &relay_clear;
	e->watch.ready |= RELAY_IN;
	ftp_tls_done(&ff->ftp);
	return STEP_ON;
}

static enum step listen_for(struct ftp_flow *ff, const struct ftp_wish *w)
{
	struct ip_port at, to = w->to;
	int r = ftp_data_listen(ff, w->side, &to, &at);

	ftp_listening(&ff->ftp, r < 0 ? NULL : &at);
	return STEP_ON;
}

/* From here on the two ends are an ordinary relay. */
static enum step go_blind(struct ftp_flow *ff)
{
	struct flow *f = ff->f;

	for (int side = 0; side < 2; side++) {
		const char *p;
		size_t n = ftp_output(&ff->ftp, (enum ftp_side) !side, &p);

		if (relay_inject(&f->relay, side, p, n) < 0 ||
		    relay_inject(&f->relay, side, ff->rest[side].buf,
				 ff->rest[side].len) < 0)
			return fail(ff, FLOW_END_MEMORY, "no memory");
	}
	ftp_flow_end(f);
	relay_timer_set(f->relay.set, &f->timer, MONO_NEVER);
	relay_start(&f->relay);
	return STEP_OVER;
}

static enum step grant(struct ftp_flow *ff)
{
	const struct ftp_wish *w = ftp_wish(&ff->ftp);

	switch (w->kind) {
	case FTP_WISH_NONE:
		return STEP_ON;
	case FTP_WISH_TLS_START:
		return start_tls(ff, (int)w->side);
	case FTP_WISH_TLS_STOP:
		return stop_tls(ff, (int)w->side);
	case FTP_WISH_LISTEN:
		return listen_for(ff, w);
	case FTP_WISH_BLIND:
		return go_blind(ff);
	case FTP_WISH_END:
		break;
	}
	return fail(ff, FLOW_END_FTP, w->why);
}

/* ---- input
 * ---------------------------------------------------------------------- */

/* Offers what waits; true when all of it was taken. */
static bool offer(struct ftp_flow *ff, int side)
{
	struct ftp_rest *rest = &ff->rest[side];
	size_t n =
		ftp_input(&ff->ftp, (enum ftp_side)side, rest->buf, rest->len);

	rest->len = (uint16_t)(rest->len - n);
	memmove(rest->buf, rest->buf + n, rest->len);
	return rest->len == 0;
}

/* ON: something came, or was taken. */
static enum step read_side(struct ftp_flow *ff, int side)
{
	struct flow *f = ff->f;
	struct relay_end *e = &f->relay.end[side];
	struct ftp_rest *rest = &ff->rest[side];
	uint16_t before = rest->len;
	ssize_t n;

	if (rest->len && !offer(ff, side))
		return rest->len < before ? STEP_ON : STEP_WAIT;
	if (before)
		return STEP_ON;
	if (e->eof || !(e->watch.ready & RELAY_IN))
		return STEP_WAIT;
	n = e->io->recv(e, rest->buf, sizeof rest->buf);
	if (n == -EAGAIN) {
		e->watch.ready &= (uint8_t)~RELAY_IN;
		return STEP_WAIT;
	}
	if (n < 0)
		return reset(ff, side, (int)n);
	e->eof = n == 0;
	rest->len = (uint16_t)n;
	f->relay.dir[side].bytes += (uint64_t)n;
	f->relay.active = relay_now(f->relay.set);
	return STEP_ON;
}

/* A side that has said everything: the other hears the end of it. */
static enum step pass_end(struct ftp_flow *ff, int side)
{
	struct relay_end *from = &ff->f->relay.end[side];
	struct relay_end *to = &ff->f->relay.end[!side];
	int r;

	if (!from->eof || to->finished || ff->rest[side].len ||
	    !all_sent(ff, !side))
		return STEP_WAIT;
	r = to->io->finish(to);
	if (r == -EAGAIN)
		return STEP_WAIT;
	to->finished = true;
	return STEP_ON;
}

static enum step round_of(struct ftp_flow *ff)
{
	enum step st = send_both(ff);
	bool on = false;

	if (st == STEP_OVER)
		return st;
	if (ftp_wish(&ff->ftp)->kind != FTP_WISH_NONE)
		return grant(ff); /* it may have brought output */
	for (int side = 0; side < 2; side++) {
		st = read_side(ff, side);
		if (st == STEP_WAIT)
			st = pass_end(ff, side);
		if (st == STEP_OVER)
			return st;
		on = on || st == STEP_ON;
		if (ftp_wish(&ff->ftp)->kind != FTP_WISH_NONE)
			return STEP_ON;
	}
	return on ? STEP_ON : STEP_WAIT;
}

static void run(struct ftp_flow *ff)
{
	struct relay *r = &ff->f->relay;
	enum step st = STEP_ON;
	int rounds = 0;

	while (st == STEP_ON && rounds++ < RELAY_ROUND_MAX)
		st = round_of(ff);
	if (st == STEP_OVER)
		return;
	if (st == STEP_ON)
		relay_watch_again(r->set, &r->end[0].watch);
	else if (r->end[0].finished && r->end[1].finished)
		flow_finish(ff->f);
}

static struct ftp_flow *of(struct flow *f)
{
	return f->ftp;
}

static void on_control0(struct relay_watch *w, mono_t now)
{
	(void)now;
	run(of(container_of(w, struct flow, relay.end[0].watch)));
}

static void on_control1(struct relay_watch *w, mono_t now)
{
	(void)now;
	run(of(container_of(w, struct flow, relay.end[1].watch)));
}

/* ---- the face
 * ------------------------------------------------------------------- */

static enum ftp_tls tls_of(const struct proxyd_proxy *conf, int side)
{
	const struct proxyd_side *s = side ? &conf->server : &conf->client;

	if (!s->ssl)
		return FTP_TLS_NONE;
	return tlsdeck_ftp_explicit(&conf->set.tls, side, s->port)
		       ? FTP_TLS_EXPLICIT
		       : FTP_TLS_IMPLICIT;
}

bool ftp_flow_explicit(const struct proxy *px, int side)
{
	return px->conf.set.tls.ftp &&
	       tls_of(&px->conf, side) == FTP_TLS_EXPLICIT;
}

/* Who is really connected; a PROXY header may have named somebody else. */
static struct ip_addr peer_of(const struct flow *f)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof sa;
	struct ip_port p;

	if (couplet_getpeername(f->relay.end[0].watch.fd,
				(struct sockaddr *)&sa, &len) < 0 ||
	    ip_port_from_sockaddr((struct sockaddr *)&sa, len, &p) < 0)
		return f->client.addr;
	return p.addr;
}

bool ftp_flow_begin(struct flow *f)
{
	const struct proxyd_proxy *conf = &f->px->conf;
	struct ftp_flow *ff = calloc(1, sizeof *ff);
	struct ftp_config cfg = {
		.tls = {tls_of(conf, 0), tls_of(conf, 1)},
		.peer = {peer_of(f), f->server.addr},
	};

	if (!ff)
		return false;
	ff->f = f;
	f->ftp = ff;
	list_init(&ff->data);
	ftp_init(&ff->ftp, &cfg);
	set_watches(ff);
	f->relay.active = relay_now(f->relay.set);
	if (f->relay.idle_after.ns)
		relay_timer_set(f->relay.set, &f->timer,
				mono_add(f->relay.active, f->relay.idle_after));
	relay_watch_again(f->relay.set, &f->relay.end[0].watch);
	return true;
}

bool ftp_flow_busy(struct flow *f)
{
	struct ftp_flow *ff = f->ftp;
	mono_t now = relay_now(f->relay.set);
	mono_t at = mono_add(f->relay.active, f->relay.idle_after);

	if (!ff)
		return false;
	if (ff->n_data) /* silence here is not idleness */
		at = mono_add(now, f->relay.idle_after);
	if (mono_leq(at, now))
		return false;
	relay_timer_set(f->relay.set, &f->timer, at);
	return true;
}

void ftp_flow_end(struct flow *f)
{
	struct ftp_flow *ff = f->ftp;

	if (!ff)
		return;
	f->ftp = NULL;
	ftp_data_orphan(ff);
	relay_bury(f->relay.set, &ff->corpse, ff);
}
