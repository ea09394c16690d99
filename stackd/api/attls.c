/*
 * attls.c: what programs ask of the diverter, and want of it, about their own
 * connections (client/attls.h). What the diverter has told is answered here;
 * everything else is passed on, and the request waits for its answer.
 *
 * A request that the diverter does not answer in time ends with its
 * connection: whether the border was drawn, nobody can tell any more.
 */
#include "api/impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct attls_wait {
	struct list node;
	uint64_t ctl, conn; /* serials */
	uint32_t token;     /* 0: waits for a state, not for an answer */
	uint32_t what;
	mono_t until;
};

/* ---- who waits ----------------------------------------------------------- */

static struct attls_wait *wait_new(struct api *a, const struct api_sock *ctl,
				   const struct api_sock *c, uint32_t what,
				   mono_t now)
{
	struct attls_wait *w;

	if (a->dv.n_waits == API_ATTLS_WAITS_MAX)
		return NULL;
	w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	w->ctl = slots_serial(ctl);
	w->conn = slots_serial(c);
	w->what = what;
	w->until = mono_add(now, DUR_MS(API_ATTLS_WAIT_MS));
	list_push_tail(&a->dv.waits, &w->node);
	a->dv.n_waits++;
	api_arm(a);
	return w;
}

static void wait_free(struct api *a, struct attls_wait *w)
{
	list_remove(&w->node);
	a->dv.n_waits--;
	free(w);
}

static struct attls_wait *first(const struct api *a)
{
	return list_empty(&a->dv.waits) ? NULL
					: container_of(a->dv.waits.next,
						       struct attls_wait, node);
}

void attls_fini(struct api *a)
{
	LIST_FOREACH_SAFE (n, &a->dv.waits) {
		wait_free(a, container_of(n, struct attls_wait, node));
	}
}

/* ---- states -------------------------------------------------------------- */

static bool under_way(const struct attls_info *i)
{
	return i->state == ATTLS_STATE_HANDSHAKE ||
	       i->state == ATTLS_STATE_STOPPING;
}

static int outcome(const struct attls_info *i)
{
	if (i->state != ATTLS_STATE_FAILED)
		return 0;
	return i->error > 0 ? -i->error : -EPROTO;
}

/* `answers`: also those that wait for an answer, with -ENOTCONN. */
static void answer_all(struct api *a, const struct api_sock *c, int error,
		       bool answers)
{
	uint64_t serial = slots_serial(c);

	LIST_FOREACH_SAFE (n, &a->dv.waits) {
		struct attls_wait *w = container_of(n, struct attls_wait, node);

		if (w->conn != serial || (w->token && !answers))
			continue;
		ctl_answer(a, w->ctl, w->token ? -ENOTCONN : error, NULL, 0);
		wait_free(a, w);
	}
}

void attls_changed(struct api *a, const struct api_sock *c)
{
	if (!under_way(c->dv->attls))
		answer_all(a, c, outcome(c->dv->attls), false);
}

/* It may have broken before the diverter knew. */
static void break_off(struct attls_info *i)
{
	if (i->policy != ATTLS_POLICY_CONTROLLED || !under_way(i))
		return;
	i->state = ATTLS_STATE_FAILED;
	i->error = ECONNRESET;
	snprintf(i->reason, sizeof(i->reason), "the connection broke");
}

void attls_gone(struct api *a, const struct api_sock *c)
{
	struct attls_info *i = c->dv->attls;
	int error = 0;

	if (i) {
		break_off(i);
		error = outcome(i);
	}
	answer_all(a, c, error ? error : -ECONNRESET, true);
	if (!error || !c->cookie)
		return;
	a->dv.ends[a->dv.next_end++ % API_ATTLS_ENDS] =
		(struct api_attls_end){c->cookie, *i};
}

/* ---- requests ------------------------------------------------------------ */

static int put_info(const struct attls_info *i, void *data, uint32_t *ret_len)
{
	memcpy(data, i, sizeof(*i));
	*ret_len = sizeof(*i);
	return 0;
}

static int pass_on(struct api *a, const struct api_sock *ctl,
		   const struct api_sock *c, int fd, uint32_t what, mono_t now)
{
	struct divert_msg m = {.op = DIVERT_CONTROL, .serial = slots_serial(c)};
	struct attls_wait *w = wait_new(a, ctl, c, what, now);
	int r = 0;

	if (!w)
		return -EAGAIN;
	w->token = ++a->dv.last_token ? a->dv.last_token : ++a->dv.last_token;
	m.control.what = what;
	m.control.token = w->token;
	if (what == ATTLS_START)
		r = divert_tell_with(a, &m, &fd, 1);
	else
		divert_tell(a, &m, now);
	if (r < 0) {
		wait_free(a, w);
		return r == -EAGAIN ? -EAGAIN : -EOPNOTSUPP;
	}
	return 1;
}

static int wait_for_state(struct api *a, const struct api_sock *ctl,
			  const struct api_sock *c, mono_t now)
{
	struct attls_info i;
	int r = divert_attls(a, c, &i);

	if (r < 0 || !under_way(&i))
		return r < 0 ? r : outcome(&i);
	return wait_new(a, ctl, c, ATTLS_WAIT, now) ? 1 : -EAGAIN;
}

/* Is there a connection, and somebody who has it in hand? */
static int check(const struct api *a, const struct api_sock *c)
{
	if (c->kind != API_STREAM || c->state != API_S_OPEN)
		return -ENOTCONN;
	if (!a->dv.live)
		return -EOPNOTSUPP;
	return c->dv ? 0 : -ENOENT;
}

static int control(struct api *a, const struct api_sock *ctl,
		   const struct api_sock *c, int fd, int64_t what, mono_t now)
{
	int r;

	if (what < ATTLS_START || what > ATTLS_WAIT)
		return -EINVAL;
	r = check(a, c);
	if (r < 0)
		return r;
	return what == ATTLS_WAIT ? wait_for_state(a, ctl, c, now)
				  : pass_on(a, ctl, c, fd, (uint32_t)what, now);
}

static int certificates(struct api *a, const struct api_sock *ctl,
			const struct api_sock *c, bool chain, mono_t now)
{
	int r = check(a, c);

	return r < 0 ? r
		     : pass_on(a, ctl, c, -1,
			       chain ? DIVERT_ASK_CHAIN : DIVERT_ASK_CERT, now);
}

int attls_ask(struct api *a, const struct api_sock *ctl, struct api_sock *c,
	      int fd, const struct proto_req *rq, void *data, uint32_t *ret_len,
	      mono_t now)
{
	struct attls_info i;
	int r;

	switch (rq->name) {
	case ATTLS_QUERY:
		r = divert_attls(a, c, &i);
		return r < 0 ? r : put_info(&i, data, ret_len);
	case ATTLS_CERT:
	case ATTLS_CHAIN:
		return certificates(a, ctl, c, rq->name == ATTLS_CHAIN, now);
	case ATTLS_CONTROL:
		return control(a, ctl, c, fd, rq->value, now);
	default:
		return -ENOPROTOOPT;
	}
}

int attls_ask_ended(const struct api *a, uint64_t cookie,
		    const struct proto_req *rq, void *data, uint32_t *ret_len)
{
	for (uint32_t k = 0; cookie && k < API_ATTLS_ENDS; k++) {
		const struct api_attls_end *e = &a->dv.ends[k];

		if (e->cookie != cookie)
			continue;
		if (rq->name == ATTLS_QUERY)
			return put_info(&e->info, data, ret_len);
		if (rq->name == ATTLS_CONTROL && rq->value == ATTLS_WAIT)
			return outcome(&e->info);
	}
	return -ENOTCONN;
}

/* ---- answers ------------------------------------------------------------- */

/* Certificates, out of the descriptor that came with the answer. */
static int read_data(struct api *a, const struct divert_msg *m, int fd)
{
	size_t len = m->control.len, got = 0;

	if (fd < 0 || len > ATTLS_CHAIN_MAX || len > sizeof(a->scratch))
		return -EPROTO;
	while (got < len) {
		ssize_t n = pread(fd, a->scratch + got, len - got, (off_t)got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EPROTO;
		got += (size_t)n;
	}
	return 0;
}

void attls_answer(struct api *a, const struct divert_msg *m, int fd)
{
	LIST_FOREACH_SAFE (n, &a->dv.waits) {
		struct attls_wait *w = container_of(n, struct attls_wait, node);
		int error = m->error > 0 ? -m->error : 0;

		if (!w->token || w->token != m->control.token ||
		    w->conn != m->serial)
			continue;
		if (error == 0 && m->control.len)
			error = read_data(a, m, fd);
		ctl_answer(a, w->ctl, error, a->scratch,
			   error ? 0 : m->control.len);
		wait_free(a, w);
		return;
	}
}

/* ---- time ---------------------------------------------------------------- */

mono_t attls_deadline(const struct api *a)
{
	const struct attls_wait *w = first(a);

	return w ? w->until : MONO_NEVER;
}

static void expired(struct api *a, struct attls_wait *w, mono_t now)
{
	struct api_sock *c = slots_of_serial(a, w->conn);
	bool border = w->what == ATTLS_START || w->what == ATTLS_STOP;

	/* who waits for a state asks again */
	ctl_answer(a, w->ctl, w->token ? -ETIMEDOUT : -EINPROGRESS, NULL, 0);
	border = border && w->token;
	wait_free(a, w);
	if (border && c && c->kind == API_STREAM)
		stream_abort(a, c, ETIMEDOUT, now);
}

void attls_expire(struct api *a, mono_t now)
{
	struct attls_wait *w;

	while ((w = first(a)) && mono_leq(w->until, now))
		expired(a, w, now);
}
