/*
 * printer.c: PRINTER: jobs to the client that has the LU. One record is out
 * at a time where the client answers records; a job is done when PRINT-EOJ
 * was answered (CONFIRM EOJ) or all data was (CONFIRM DATA).
 *
 *	IDLE -> DATA -> EOJ -> IDLE
 *
 * BIND goes out before the first record when BIND-IMAGE was agreed. SHF and
 * SVF of a job would outlive it, so after an SCS job the session is unbound.
 */
#include "session/printers_impl.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_MAX (256u << 10) /* bytes on the wire before we wait */
#define RU_MAX 4096

/* pr3287 over TLS reads this much when its socket wakes it, and leaves the
 * rest of a longer TLS record inside its library until the socket wakes it
 * again: never, if we wait for the answer. So what can be out without an
 * answer, UNBIND, BIND and one record of text, fits even if all is doubled.
 * Records that a program or a host made go as they are. */
#define CLIENT_READ 4096u
#define BIND_LEN 64u /* of ours, at most */
static_assert(TN3270_WIRE_MAX(SOURCE_SCS_RECORD) + TN3270_WIRE_MAX(BIND_LEN) +
			      TN3270_WIRE_MAX(1u) <=
		      CLIENT_READ,
	      "a text record is read at once");

enum printer_phase { P_IDLE, P_DATA, P_EOJ };

struct printer {
	struct session s;
	struct tn3270_server_conf conf;
	struct client *c; /* NULL = nobody has it */
	bool ready;       /* negotiation is over */
	enum printer_phase phase;
	bool begun, scs, late;
	uint64_t records;
	struct source *source;
};

struct printer *printer_of(struct session *s)
{
	return container_of(s, struct printer, s);
}

const char *printer_lu(const struct printer *p)
{
	return p->s.lu->name;
}

bool printer_taken(const struct printer *p)
{
	return p->c != NULL;
}

struct client *printer_client(const struct printer *p)
{
	return p->c;
}

bool printers_taken(struct session *s)
{
	return printer_taken(printer_of(s));
}

const struct tn3270_server_conf *printer_conf(const struct printer *p)
{
	return &p->conf;
}

unsigned printer_functions(const struct printer *p)
{
	return p->s.lu->opt.scs
		       ? TN3270E_F_PRINTER
		       : TN3270E_F_PRINTER & ~TN3270E_F(TN3270E_SCS_CTL_CODES);
}

void printer_take(struct printer *p, struct client *c)
{
	p->c = c;
	p->ready = false;
}

static void drop(struct printer *p)
{
	source_free(p->source);
	p->source = NULL;
	p->phase = P_IDLE;
}

static void done(struct printer *p, const struct session_result *r)
{
	struct session_owner o = p->s.owner;

	drop(p);
	o.done(o.arg, r);
}

static void fail(struct printer *p, enum session_outcome o, const char *why)
{
	struct session_result r;

	session_result_make(&r, o, p->records > 0, "%s", why);
	done(p, &r);
}

/* ---- sending
 * -------------------------------------------------------------------- */

static bool uses_scs(const struct printer *p)
{
	return p->s.lu->opt.scs && !p->c->tn.plain &&
	       (p->c->tn.functions & TN3270E_F(TN3270E_SCS_CTL_CODES));
}

static int send_bind(struct printer *p)
{
	struct tn3270e_bind b = {.lu_type = p->scs ? 1 : 3, .ru_max = RU_MAX};
	uint8_t ru[BIND_LEN];
	ssize_t n;

	if (!(p->c->tn.functions & TN3270E_F(TN3270E_BIND_IMAGE)) ||
	    p->c->tn.bound)
		return 0;
	snprintf(b.plu, sizeof b.plu, "%s", p->s.lu->applid);
	n = tn3270e_bind_emit(&b, ru, sizeof ru);
	if (n >= 0)
		n = client_record(p->c, TN3270E_T_BIND_IMAGE,
				  TN3270E_NO_RESPONSE, ru, (size_t)n);
	return n < 0 ? (int)n : 0;
}

static void unbind(struct printer *p, enum tn3270e_unbind why)
{
	const uint8_t reason = (uint8_t)why;

	if (p->c && p->ready && p->c->tn.bound)
		(void)!client_record(p->c, TN3270E_T_UNBIND,
				     TN3270E_NO_RESPONSE, &reason, 1);
}

static void printed(struct printer *p)
{
	struct session_result r = {
		.outcome = SESSION_PRINTED,
		.pages = (uint32_t)source_stats(p->source).pages};

	if (p->scs)
		unbind(p, TN3270E_UNBIND_BIND_FORTHCOMING);
	done(p, &r);
}

static int send_eoj(struct printer *p)
{
	bool ask = p->s.lu->opt.confirm == LU_CONFIRM_EOJ;
	ssize_t n;

	p->s.owner.sent(p->s.owner.arg);
	p->phase = P_EOJ;
	n = client_record(p->c, TN3270E_T_PRINT_EOJ,
			  ask ? TN3270E_ALWAYS_RESPONSE : TN3270E_NO_RESPONSE,
			  "", 0);
	return n < 0 ? (int)n : 0;
}

/* 1: a record is out; 0: there are no more. */
static int send_record(struct printer *p)
{
	const uint8_t *rec;
	size_t len;
	ssize_t n;
	int r = source_record(p->source, &rec, &len);

	if (r <= 0)
		return r;
	n = client_record(p->c,
			  p->scs ? TN3270E_T_SCS_DATA : TN3270E_T_3270_DATA,
			  TN3270E_ALWAYS_RESPONSE, rec, len);
	p->records++;
	return n < 0 ? (int)n : 1;
}

static void advance(struct printer *p)
{
	int r = 1;

	while (r > 0 && p->phase == P_DATA && !p->c->tn.awaiting &&
	       wire_queued(p->c->wire) < QUEUE_MAX) {
		r = send_record(p);
		if (r == 0)
			r = send_eoj(p) < 0 ? -EPIPE : 0;
	}
	if (r == -EBADMSG) {
		fail(p, SESSION_HOLD, "the job's file is damaged");
		return;
	}
	if (r < 0 && r != -EPIPE && r != -ECONNRESET) {
		fail(p, SESSION_RETRY, strerror(-r));
		return;
	}
	if (r < 0 || p->c->tn.awaiting)
		return; /* an answer, or the end of the connection, comes */
	/* nobody answers: what the kernel takes has to be enough */
	if (p->phase == P_EOJ && !wire_queued(p->c->wire))
		printed(p);
	else
		wire_want(p->c->wire);
}

static void begin(struct printer *p)
{
	int r;

	p->begun = true;
	r = p->s.owner.begins(p->s.owner.arg);
	if (r == 0)
		r = send_bind(p);
	if (r < 0)
		fail(p, SESSION_RETRY, strerror(-r));
	else
		advance(p);
}

void printer_room(struct printer *p)
{
	if (p->phase == P_IDLE)
		return;
	if (!p->begun)
		begin(p);
	else
		advance(p);
}

/* ---- what the client says
 * ------------------------------------------------------------ */

void printer_ready(struct printer *p)
{
	p->ready = true;
	p->s.owner.news(p->s.owner.arg, SESSION_CAME, p->c->tn.device.type);
}

void printer_left(struct printer *p, const char *why)
{
	bool was_ready = p->ready;
	struct session_owner o = p->s.owner;
	char text[SESSION_TEXT_MAX];

	p->c = NULL;
	p->ready = false;
	if (was_ready)
		o.news(o.arg, SESSION_LEFT, why);
	if (p->phase != P_IDLE) {
		snprintf(text, sizeof text, "the client went away: %s", why);
		fail(p, SESSION_RETRY, text);
	}
}

void printer_response(struct printer *p, enum tn3270e_answer a)
{
	char text[SESSION_TEXT_MAX];
	bool refused = a != TN3270E_INTERVENTION && a != TN3270E_DISCONNECTED;

	if (p->phase == P_IDLE)
		return;
	if (p->late) {
		p->late = false;
		p->s.owner.news(p->s.owner.arg, SESSION_MOVING, "answers");
	}
	if (a == TN3270E_DEVICE_END) {
		if (p->phase == P_EOJ)
			printed(p);
		else
			advance(p);
		return;
	}
	snprintf(text, sizeof text, "the printer answers: %s, sense %08X",
		 tn3270e_answer_name(a), tn3270e_sense(a));
	if (refused)
		unbind(p, TN3270E_UNBIND_CLEANUP);
	fail(p, refused ? SESSION_HOLD : SESSION_RETRY, text);
}

void printer_cleared(struct printer *p)
{
	p->s.owner.news(p->s.owner.arg, SESSION_STATUS,
			"the printer's error condition is cleared");
}

void printer_late(struct printer *p)
{
	if (p->phase == P_IDLE)
		return;
	p->late = true;
	p->s.owner.news(p->s.owner.arg, SESSION_STALLED,
			"does not answer a record");
}

/* ---- the session
 * ------------------------------------------------------------------- */

static int printer_send(struct session *s, const struct session_job *job)
{
	struct printer *p = printer_of(s);

	if (!p->c || !p->ready) {
		source_free(job->source);
		return -ENOTCONN;
	}
	p->source = job->source;
	p->phase = P_DATA;
	p->begun = p->late = false;
	p->records = 0;
	p->scs = uses_scs(p);
	wire_want(p->c->wire);
	return 0;
}

static void printer_stop(struct session *s)
{
	struct printer *p = printer_of(s);

	if (p->phase != P_IDLE && p->c) {
		tn3270_server_forget(&p->c->tn);
		unbind(p, TN3270E_UNBIND_CLEANUP);
	}
	drop(p);
}

static void printer_hangup(struct session *s, bool hard)
{
	struct printer *p = printer_of(s);
	struct client *c = p->c;

	if (!c)
		return;
	if (!hard)
		unbind(p, TN3270E_UNBIND_NORMAL);
	p->c = NULL;
	p->ready = false;
	c->printer = NULL;
	client_free(c);
}

static void printer_free(struct session *s)
{
	printer_hangup(s, false);
	free(printer_of(s));
}

static bool printer_is_ready(struct session *s)
{
	const struct printer *p = printer_of(s);

	return p->c && p->ready;
}

static enum source_target printer_target(struct session *s)
{
	const struct printer *p = printer_of(s);

	return p->c && uses_scs(p) ? SOURCE_SCS : SOURCE_LU3;
}

static void printer_describe(struct session *s, char *buf, size_t len)
{
	const struct printer *p = printer_of(s);
	char addr[PORT_TEXT_MAX], text[WIRE_TEXT_MAX];

	if (!p->c)
		snprintf(buf, len, "no client");
	else
		snprintf(buf, len, "%s %s %s%s",
			 ip_port_format(&p->c->peer, addr),
			 p->c->tn.plain ? "TN3270" : "TN3270E",
			 client_text(p->c, text, sizeof text),
			 p->ready ? "" : " negotiating");
}

static void set_times(struct printer *p, const struct lu_opt *o)
{
	p->conf.times.keepalive = DUR_NS(o->keepalive_ns);
	p->conf.times.response = DUR_NS(o->response_ns);
}

static void printer_renew(struct session *s)
{
	struct printer *p = printer_of(s);

	set_times(p, &s->lu->opt);
	if (p->c)
		client_flush(p->c); /* sets its timer */
}

static const struct session_ops ops = {
	.send = printer_send,
	.stop = printer_stop,
	.hangup = printer_hangup,
	.free = printer_free,
	.renew = printer_renew,
	.ready = printer_is_ready,
	.target = printer_target,
	.describe = printer_describe,
};

int session_printer_new(struct session **ret, const struct session_env *env,
			const struct printd_lu *lu)
{
	struct printer *p = calloc(1, sizeof *p);

	(void)env;
	if (!p)
		return -ENOMEM;
	p->s.ops = &ops;
	tn3270_server_conf_init(&p->conf);
	p->conf.printers = true;
	p->conf.displays = false;
	p->conf.record_max = 65536;
	p->conf.times.keepalive_reply = DUR_S(30);
	set_times(p, &lu->opt);
	*ret = &p->s;
	return 0;
}
