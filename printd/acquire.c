/*
 * acquire.c: ACQUIRE: printd as a TN3270E client takes a printer LU from a
 * host and puts what comes into the queue of one of ours. The host gets its
 * answer to data when printd has it, to PRINT-EOJ when the job is on disk.
 *
 * Without PRINT-EOJ a job ends with UNBIND, after IDLE_EOJ of silence, or
 * with the connection in order; in a connection that breaks, with nothing:
 * the host sends it again.
 */
#include "daemon/log.h"
#include "printd.h"
#include "session/dial.h"
#include "session/wire.h"
#include "tn3270/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AGAIN DUR_S(10)
#define CONNECT_TIME DUR_S(30)
#define IDLE_EOJ DUR_S(30)
#define KEEPALIVE DUR_S(60)

struct acquire {
	struct printd *pd;
	struct deck_acquire cfg;
	struct dial_target to;
	struct dial *dial;
	struct wire *wire;
	struct ev_timer *timer, *idle;
	struct tn3270_client_conf conf;
	struct tn3270_client tn;
	bool started, ready, told;
	struct intake *job;
	uint64_t records; /* that the host was told are taken, of `job` */
	uint64_t jobs;
	uint8_t *record; /* being gathered */
	size_t len;
	struct tls_policy *policy; /* NULL: no TLS */
	char state[128];
};

static void again(struct acquire *a, const char *why)
{
	intake_drop(a->job);
	a->job = NULL;
	wire_free(a->wire);
	a->wire = NULL;
	dial_cancel(a->dial);
	a->dial = NULL;
	a->ready = false;
	ev_timer_stop(a->idle);
	snprintf(a->state, sizeof a->state, "%.120s", why);
	if (!a->told)
		log_msg(MSG_CPLT741W, a->cfg.lu, a->cfg.host, why);
	a->told = true;
	ev_timer_set(a->timer, AGAIN);
}

static void flush(struct acquire *a)
{
	uint8_t buf[TELNET_OUT_MAX];
	mono_t at;
	size_t n;

	while (!wire_shaking(a->wire) &&
	       (n = tn3270_client_output(&a->tn, buf, sizeof buf)) > 0)
		if (wire_write(a->wire, buf, n) < 0)
			return;
	at = tn3270_client_deadline(&a->tn);
	if (mono_is_never(at))
		ev_timer_stop(a->timer);
	else
		ev_timer_set(a->timer, mono_sub(at, mono_now()));
}

/* ---- a job
 * ------------------------------------------------------------------------- */

static enum tn3270e_answer end_job(struct acquire *a)
{
	struct intake *job = a->job;
	char err[256] = "";
	uint32_t id;

	a->job = NULL;
	ev_timer_stop(a->idle);
	if (!job)
		return TN3270E_DEVICE_END;
	if (intake_commit(job, false, &id, err, sizeof err) < 0) {
		log_msg(MSG_CPLT741W, a->cfg.lu, a->cfg.host, err);
		return TN3270E_INTERVENTION;
	}
	a->jobs++;
	return TN3270E_DEVICE_END;
}

static int begin_job(struct acquire *a, bool scs, char *err, size_t len)
{
	struct spool_meta m = {.form = scs ? SPOOL_SCS : SPOOL_LU3,
			       .copies = 1};

	snprintf(m.lu, sizeof m.lu, "%s", a->cfg.lu);
	snprintf(m.host, sizeof m.host, "%.64s", a->cfg.host);
	snprintf(m.user, sizeof m.user, "%s", a->tn.device.name);
	snprintf(m.title, sizeof m.title, "%s from %.64s", a->tn.device.name,
		 a->cfg.host);
	a->records = 0;
	return intake_begin(a->pd, &m, &a->job, err, len);
}

/* A whole record: into the job. *ret_cut: the job lost what it had. */
static enum tn3270e_answer take_record(struct acquire *a, bool scs,
				       bool *ret_cut)
{
	char err[256] = "";
	int r = 0;

	*ret_cut = false;

	/* a job has one data stream */
	if (a->job && (intake_meta(a->job)->form == SPOOL_SCS) != scs)
		(void)end_job(a);
	/* an opening or closing Write without data is no job */
	if (!a->job && !scs && a->len <= 2)
		return TN3270E_DEVICE_END;
	if (!a->job)
		r = begin_job(a, scs, err, sizeof err);
	if (r == 0)
		r = intake_write(a->job, a->record, a->len, err, sizeof err);
	if (r == 0) {
		a->records++;
		ev_timer_set(a->idle, IDLE_EOJ);
		return TN3270E_DEVICE_END;
	}
	log_msg(MSG_CPLT741W, a->cfg.lu, a->cfg.host, err);
	*ret_cut = a->job && a->records;
	intake_drop(a->job);
	a->job = NULL;
	return TN3270E_INTERVENTION;
}

/* False: the connection is gone. */
static bool on_data(struct acquire *a, const struct tn3270_event *ev)
{
	bool scs = ev->header.type == TN3270E_T_SCS_DATA, cut = false;
	enum tn3270e_answer answer = TN3270E_DEVICE_END;

	if (ev->first)
		a->len = 0;
	if (a->len + ev->len <= SPOOL_FRAME_MAX) {
		memcpy(a->record + a->len, ev->data, ev->len);
		a->len += ev->len;
	}
	if (!ev->last)
		return true;
	if (scs || ev->header.type == TN3270E_T_3270_DATA)
		answer = take_record(a, scs, &cut);
	tn3270_client_respond(&a->tn, answer);
	if (!cut)
		return true;
	/* the host believes in records that are gone: it would go on where it
	 * is, and the rest would print as a job. Without its LU it sends all
	 * of it again. */
	flush(a);
	again(a, "a job does not fit; the host has to send it again");
	return false;
}

static void on_idle(void *arg)
{
	(void)end_job(arg);
}

/* ---- the connection
 * ------------------------------------------------------------------- */

static void on_ready(struct acquire *a)
{
	char tls[WIRE_TEXT_MAX], name[WIRE_TEXT_MAX + 32];

	a->ready = true;
	a->told = false;
	wire_tls_text(a->wire, tls);
	snprintf(name, sizeof name, "%s%s%s", a->tn.device.name,
		 tls[0] ? " over " : "", tls);
	snprintf(a->state, sizeof a->state, "has %.100s", name);
	log_msg(MSG_CPLT740I, a->cfg.lu, a->cfg.host, name);
}

/* What comes next is TLS's. False: the connection is gone. */
static bool start_tls(struct acquire *a)
{
	int r;

	flush(a);
	snprintf(a->state, sizeof a->state, "TLS handshake");
	r = wire_start_tls(a->wire, a->policy, a->cfg.host);
	if (r < 0)
		again(a, strerror(-r));
	return r == 0;
}

/* False: the connection is gone. */
static bool on_event(struct acquire *a, const struct tn3270_event *ev)
{
	switch (ev->kind) {
	case TN3270_EV_READY:
		on_ready(a);
		break;
	case TN3270_EV_START_TLS:
		return start_tls(a);
	case TN3270_EV_DATA:
		return on_data(a, ev);
	case TN3270_EV_EOJ:
		tn3270_client_respond(&a->tn, end_job(a));
		break;
	case TN3270_EV_BIND:
		tn3270_client_respond(&a->tn, TN3270E_DEVICE_END);
		break;
	case TN3270_EV_UNBIND:
		tn3270_client_respond(&a->tn, end_job(a));
		break;
	case TN3270_EV_CLOSE:
		flush(a);
		again(a, tn3270_end_text(ev->end));
		return false;
	case TN3270_EV_NONE:
	case TN3270_EV_DEVICE:
	case TN3270_EV_REJECTED:
	case TN3270_EV_RESPONSE:
	case TN3270_EV_CLEARED:
	case TN3270_EV_LATE:
	case TN3270_EV_ATTN:
	case TN3270_EV_SYSREQ:
		break;
	}
	return true;
}

static size_t on_input(void *arg, const void *data, size_t len)
{
	struct acquire *a = arg;
	const uint8_t *p = data;
	size_t left = len;

	for (;;) {
		struct tn3270_event ev = {.kind = TN3270_EV_NONE};
		size_t n =
			tn3270_client_input(&a->tn, p, left, &ev, mono_now());

		p += n;
		left -= n;
		if (!on_event(a, &ev))
			return len;
		if (ev.kind == TN3270_EV_NONE && (!left || !n))
			break;
	}
	flush(a);
	return len - left;
}

static void on_room(void *arg)
{
	(void)arg;
}

static void on_closed(void *arg, int error)
{
	struct acquire *a = arg;

	char why[WIRE_TEXT_MAX];

	if (!error)
		(void)end_job(a);
	snprintf(why, sizeof why, "%s",
		 error ? wire_why(a->wire, error) : "the host closed");
	again(a, why);
}

static void on_secured(void *arg)
{
	struct acquire *a = arg;

	/* without effect where TLS came first */
	tn3270_client_secured(&a->tn, mono_now());
	flush(a);
}

static const struct wire_ops wire_ops = {on_input, on_room, on_closed,
					 on_secured};

static void on_dial(void *arg, int fd, int error)
{
	struct acquire *a = arg;

	a->dial = NULL;
	if (!error &&
	    wire_new(a->pd->env.loop, fd, &wire_ops, a, &a->wire) < 0) {
		close(fd);
		error = ENOMEM;
	}
	if (error) {
		again(a, session_connect_text(error));
		return;
	}
	snprintf(a->state, sizeof a->state, "negotiating");
	tn3270_client_init(&a->tn, &a->conf, mono_now());
	if (a->cfg.tls != DECK_TLS_FIRST || start_tls(a))
		flush(a);
}

static void connect_now(struct acquire *a)
{
	int r = dial_start(&a->pd->env, &a->to, false, on_dial, a, &a->dial);

	if (r < 0) {
		again(a, strerror(-r));
		return;
	}
	snprintf(a->state, sizeof a->state, "connecting");
	ev_timer_set(a->timer, CONNECT_TIME);
}

static void on_timer(void *arg)
{
	struct acquire *a = arg;
	struct tn3270_event ev = {.kind = TN3270_EV_NONE};

	if (a->wire) {
		tn3270_client_expire(&a->tn, mono_now(), &ev);
		if (on_event(a, &ev))
			flush(a);
		return;
	}
	if (a->dial)
		again(a, session_connect_text(dial_late(a->dial)));
	else
		connect_now(a);
}

/* ---- life
 * ----------------------------------------------------------------------------
 */

int acquire_new(struct printd *pd, const struct deck_acquire *cfg,
		struct acquire **ret)
{
	struct acquire *a = calloc(1, sizeof *a);
	int r;

	if (!a)
		return -ENOMEM;
	a->pd = pd;
	a->cfg = *cfg;
	tn3270_client_conf_init(&a->conf);
	a->conf.record_max = SPOOL_FRAME_MAX;
	a->conf.tls = cfg->tls == DECK_TLS_OFFER     ? TN3270_TLS_OFFER
		      : cfg->tls == DECK_TLS_REQUIRE ? TN3270_TLS_REQUIRE
						     : TN3270_TLS_OFF;
	a->conf.times.keepalive = KEEPALIVE;
	a->conf.times.keepalive_reply = KEEPALIVE;
	if (cfg->name[0]) {
		a->conf.how = TN3270E_BY_NAME;
		a->conf.names = 1;
		snprintf(a->conf.name[0], sizeof a->conf.name[0], "%s",
			 cfg->name);
	}
	a->record = malloc(SPOOL_FRAME_MAX);
	dial_target_set(&a->to, cfg->host, cfg->port);
	r = a->record ? 0 : -ENOMEM;
	if (r == 0)
		r = ev_timer_new(pd->env.loop, on_timer, a, &a->timer);
	if (r == 0)
		r = ev_timer_new(pd->env.loop, on_idle, a, &a->idle);
	if (r < 0) {
		acquire_free(a);
		return r;
	}
	*ret = a;
	return 0;
}

void acquire_start(struct acquire *a, struct tls_policy *policy)
{
	tls_policy_unref(a->policy);
	a->policy = policy ? tls_policy_ref(policy) : NULL;
	if (!a->started)
		connect_now(a);
	a->started = true;
}

void acquire_free(struct acquire *a)
{
	if (!a)
		return;
	intake_drop(a->job);
	wire_free(a->wire);
	dial_cancel(a->dial);
	ev_timer_free(a->timer);
	ev_timer_free(a->idle);
	tls_policy_unref(a->policy);
	free(a->record);
	free(a);
}

void acquire_describe(const struct acquire *a, char *buf, size_t len)
{
	snprintf(buf, len, "%s, %llu jobs", a->state,
		 (unsigned long long)a->jobs);
}

const struct deck_acquire *acquire_cfg(const struct acquire *a)
{
	return &a->cfg;
}
