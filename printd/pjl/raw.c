/* raw.c: the machine of raw.h. */
#include "pjl/raw.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CONNECT_S 30
#define STALL_S 60
#define GIVE_UP_S 14400
#define DRAIN_S 300

static dur_t or_default(dur_t d, int seconds)
{
	return d.ns > 0 ? d : DUR_S(seconds);
}

void raw_init(struct raw *r, const struct raw_conf *conf, const char *name,
	      mono_t now)
{
	memset(r, 0, sizeof(*r));
	r->conf = *conf;
	r->conf.connect = or_default(conf->connect, CONNECT_S);
	r->conf.stall = or_default(conf->stall, STALL_S);
	r->conf.give_up = or_default(conf->give_up, GIVE_UP_S);
	r->conf.drain = or_default(conf->drain, DRAIN_S);
	r->since = now;
	snprintf(r->name, sizeof(r->name), "%s", name);
}

static void nothing(struct raw_event *ev)
{
	*ev = (struct raw_event){.kind = RAW_EV_NONE};
}

static void tell(const struct raw *r, enum raw_event_kind kind,
		 struct raw_event *ev)
{
	*ev = (struct raw_event){kind, r->failure, r->proof, r->condition,
				 r->pages};
}

static void fail(struct raw *r, enum raw_failure f, struct raw_event *ev)
{
	r->state = RAW_FAILED;
	r->failure = f;
	tell(r, RAW_EV_FAILED, ev);
}

static void done(struct raw *r, enum raw_proof proof, struct raw_event *ev)
{
	r->state = RAW_DONE;
	r->proof = proof;
	tell(r, RAW_EV_DONE, ev);
}

static enum raw_failure connect_failure(int err)
{
	switch (err) {
	case ECONNREFUSED:
	case ECONNRESET:
		return RAW_REFUSED;
	case ETIMEDOUT:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case ENETDOWN:
		return RAW_NO_ROUTE;
	default:
		return RAW_ERROR;
	}
}

void raw_connected(struct raw *r, int err, struct raw_event *ret_ev, mono_t now)
{
	nothing(ret_ev);
	if (r->state != RAW_CONNECT)
		return;
	if (err) {
		fail(r, connect_failure(err), ret_ev);
		return;
	}
	r->state = RAW_SEND;
	r->since = now;
}

size_t raw_start(const struct raw *r, uint8_t *out)
{
	return r->conf.pjl ? pjl_job_start(r->name, r->conf.language, out) : 0;
}

size_t raw_end(const struct raw *r, uint8_t *out)
{
	return r->conf.pjl ? pjl_job_end(r->name, out) : 0;
}

void raw_progress(struct raw *r, uint64_t n, struct raw_event *ret_ev,
		  mono_t now)
{
	nothing(ret_ev);
	if (n == 0 || r->state >= RAW_DONE)
		return;
	r->sent += n;
	r->since = now;
	if (r->stalled) {
		r->stalled = false;
		tell(r, RAW_EV_MOVING, ret_ev);
	}
}

void raw_shut(struct raw *r, mono_t now)
{
	if (r->state != RAW_SEND)
		return;
	r->state = RAW_DRAIN;
	r->stalled = false;
	r->since = now;
}

/* END of our own job; PJL may tell of others [print3270 4.2]. */
static void job_over(struct raw *r, const struct pjl_event *pe,
		     struct raw_event *ev)
{
	char ours[PJL_NAME_MAX + 1];

	memcpy(ours, r->name, sizeof(ours));
	for (char *c = ours; *c; c++)
		if (*c < ' ' || *c > '~' || *c == '"')
			*c = '_';
	if (strcmp(pe->name, ours))
		return;
	if (pe->has_pages)
		r->pages = pe->pages;
	if (pe->cancelled)
		fail(r, RAW_CANCELLED, ev);
	else
		done(r, RAW_PROOF_PJL, ev);
}

static void heard(struct raw *r, const struct pjl_event *pe,
		  struct raw_event *ev)
{
	switch (pe->kind) {
	case PJL_EV_DEVICE:
		if (pe->condition != r->condition) {
			r->condition = pe->condition;
			tell(r, RAW_EV_STATUS, ev);
		}
		break;
	case PJL_EV_PAGE:
		r->pages = pe->pages;
		tell(r, RAW_EV_PAGE, ev);
		break;
	case PJL_EV_END:
		job_over(r, pe, ev);
		break;
	case PJL_EV_START:
	case PJL_EV_COUNT:
	case PJL_EV_NONE:
		break;
	}
}

size_t raw_input(struct raw *r, const void *data, size_t len,
		 struct raw_event *ret_ev, mono_t now)
{
	const uint8_t *p = data;
	struct pjl_event pe;
	size_t used = 0;

	nothing(ret_ev);
	if (!r->conf.pjl || r->state >= RAW_DONE)
		return len;
	while (used < len && ret_ev->kind == RAW_EV_NONE) {
		used += pjl_input(&r->pjl, p + used, len - used, &pe);
		if (pe.kind == PJL_EV_NONE)
			continue;
		/* it prints and says so: wait on; not for noise */
		if (r->state == RAW_DRAIN)
			r->since = now;
		heard(r, &pe, ret_ev);
	}
	return used;
}

void raw_closed(struct raw *r, int err, struct raw_event *ret_ev)
{
	nothing(ret_ev);
	if (r->state >= RAW_DONE)
		return;
	if (r->state == RAW_CONNECT)
		fail(r, connect_failure(err ? err : ECONNRESET), ret_ev);
	else if (r->state == RAW_DRAIN && err == 0)
		done(r, RAW_PROOF_CLOSED, ret_ev);
	else
		fail(r, RAW_BROKEN, ret_ev);
}

mono_t raw_deadline(const struct raw *r)
{
	switch (r->state) {
	case RAW_CONNECT:
		return mono_add(r->since, r->conf.connect);
	case RAW_SEND:
		return mono_add(r->since, r->stalled
						  ? r->conf.give_up
						  : dur_min(r->conf.stall,
							    r->conf.give_up));
	case RAW_DRAIN:
		return mono_add(r->since, r->conf.drain);
	case RAW_DONE:
	case RAW_FAILED:
		break;
	}
	return MONO_NEVER;
}

void raw_expire(struct raw *r, mono_t now, struct raw_event *ret_ev)
{
	nothing(ret_ev);
	if (mono_lt(now, raw_deadline(r)) || r->state >= RAW_DONE)
		return;
	if (r->state == RAW_CONNECT) {
		fail(r, RAW_NO_ROUTE, ret_ev);
	} else if (r->state == RAW_DRAIN) {
		done(r, RAW_PROOF_SENT, ret_ev);
	} else if (mono_leq(mono_add(r->since, r->conf.give_up), now)) {
		fail(r, RAW_STALLED, ret_ev);
	} else {
		r->stalled = true;
		tell(r, RAW_EV_STALLED, ret_ev);
	}
}

bool raw_maybe_printed(const struct raw *r)
{
	return r->sent > 0 && r->state != RAW_DONE;
}

const char *raw_failure_text(enum raw_failure f)
{
	switch (f) {
	case RAW_OK:
		return "no error";
	case RAW_NO_ROUTE:
		return "the printer cannot be reached";
	case RAW_REFUSED:
		return "the printer refuses the connection";
	case RAW_STALLED:
		return "the printer takes no data";
	case RAW_BROKEN:
		return "the connection broke in mid-job";
	case RAW_CANCELLED:
		return "cancelled at the printer";
	case RAW_ERROR:
		return "the connection failed";
	}
	return "?";
}
