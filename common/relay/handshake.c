#include "relay/handshake.h"

#include "client/couplet.h"
#include "relay/set.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#define HANG_UP_READS 16 /* of RELAY_CHUNK */

struct relay_handshakes {
	struct relay_set *set;
	struct pool *pool; /* NULL: stopped */
	unsigned waiting_max;
	struct list all; /* of struct relay_handshake */
};

struct relay_handshake {
	struct relay_step step;
	struct relay_handshakes *all;
	struct list node;
	struct relay_end *end; /* NULL: its owner has given up */
	struct relay_end left; /* what that owner left */
	uint8_t alert;         /* the word for its peer */
	bool begun;            /* has had, or waits for, its first turn */
	relay_handshake_fn *done;
	void *arg;
};

/* ---- a step
 * ---------------------------------------------------------------- */

static ssize_t step_pull(void *arg, void *buf, size_t len)
{
	const struct relay_step *st = arg;
	ssize_t n;

	do
		n = recv(st->fd, buf, len, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static ssize_t step_push(void *arg, const struct iovec *iov, int n)
{
	const struct relay_step *st = arg;
	struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)iov,
			   .msg_iovlen = (size_t)n};
	ssize_t r;

	do
		r = sendmsg(st->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

const struct tls_io relay_step_io = {step_pull, step_push};

/* On a worker. */
static void step_run(struct pool_job *j)
{
	struct relay_step *st = container_of(j, struct relay_step, job);

	st->result = atomic_load(&st->cancelled)
			     ? -ECANCELED
			     : tls_session_handshake(st->session);
}

static void step_done(struct pool_job *j)
{
	struct relay_step *st = container_of(j, struct relay_step, job);

	st->busy = false;
	st->back(st);
}

void relay_step_init(struct relay_step *st, int fd,
		     void (*back)(struct relay_step *st))
{
	*st = (struct relay_step){
		.job = {.run = step_run, .done = step_done},
		.fd = fd,
		.back = back,
	};
	list_init(&st->job.node);
}

void relay_step_submit(struct relay_step *st, struct pool *p)
{
	INVARIANT(st->session);
	if (st->busy) {
		st->again = true;
		return;
	}
	st->busy = true;
	st->again = false;
	pool_submit(p, &st->job);
}

/* ---- the end of a handshake
 * ------------------------------------------------ */

static void forget(struct relay_handshake *h)
{
	list_remove(&h->node);
	free(h);
}

/* The session is the end's; its io stays what it was unless it is `done`. */
static void hand_back(struct relay_handshake *h, bool done)
{
	struct relay_end *e = h->end;
	const struct relay_io *io = e->io;

	relay_tls_adopt(e, h->step.session);
	h->step.session = NULL;
	if (done)
		return;
	e->io = io;
	e->want_out = false;
}

void relay_hang_up(struct relay_set *s, struct relay_end *e)
{
	bool quiet = relay_clear.finish(e) < 0;

	for (int i = 0; i < HANG_UP_READS && !quiet; i++)
		quiet = relay_clear.recv(e, s->scratch, RELAY_CHUNK) <= 0;
	relay_tls.close(e, false);
	relay_watch_close(s, &e->watch);
}

/* What an owner left while a worker had it. */
static void close_left(struct relay_handshake *h)
{
	struct relay_set *s = h->all->set;
	struct relay_end *e = &h->left;

	relay_tls_adopt(e, h->step.session);
	if (h->alert) {
		tls_session_alert(e->tls, h->alert);
		relay_hang_up(s, e);
	} else {
		relay_tls.close(e, true);
		relay_watch_close(s, &e->watch);
	}
	forget(h);
}

static void step_back(struct relay_step *st)
{
	struct relay_handshake *h =
		container_of(st, struct relay_handshake, step);
	relay_handshake_fn *done = h->done;
	void *arg = h->arg;
	int r = st->result;

	if (!h->end) {
		close_left(h);
		return;
	}
	if (r == -EAGAIN) {
		if (st->again)
			relay_step_submit(st, h->all->pool);
		return;
	}
	hand_back(h, r == 0);
	forget(h);
	done(arg, r);
}

/* ---- handshakes of ends
 * ---------------------------------------------------- */

int relay_handshake_new(struct relay_handshakes *all, struct relay_end *e,
			struct tls_policy *p, const char *peer, bool terse,
			relay_handshake_fn *done, void *arg,
			struct relay_handshake **ret)
{
	struct relay_handshake *h = calloc(1, sizeof *h);
	int r;

	if (!h)
		return -ENOMEM;
	relay_step_init(&h->step, e->watch.fd, step_back);
	r = (terse ? tls_session_new_terse : tls_session_new)(
		p, peer, &relay_step_io, &h->step, &h->step.session);
	if (r < 0) {
		free(h);
		return r;
	}
	h->all = all;
	h->end = e;
	h->done = done;
	h->arg = arg;
	list_push_tail(&all->all, &h->node);
	*ret = h;
	return 0;
}

int relay_handshake_go(struct relay_handshake *h)
{
	struct relay_handshakes *all = h->all;

	if (!h->begun && pool_waiting(all->pool) >= all->waiting_max)
		return -EBUSY;
	h->begun = true;
	relay_step_submit(&h->step, all->pool);
	return 0;
}

void relay_handshake_drop(struct relay_handshake *h, uint8_t alert)
{
	struct relay_end *e = h->end;

	if (!h->step.busy) {
		hand_back(h, false);
		if (alert)
			tls_session_alert(e->tls, alert);
		forget(h);
		return;
	}
	atomic_store(&h->step.cancelled, true);
	h->alert = alert;
	h->left.io = e->io;
	h->left.stack = e->stack;
	relay_watch_init(&h->left.watch, NULL);
	h->left.watch.fd = relay_watch_take(h->all->set, &e->watch);
	h->end = NULL;
}

/* ---- the workers
 * ----------------------------------------------------------- */

int relay_handshakes_new(struct relay_set *s, unsigned threads,
			 unsigned waiting_max, struct relay_handshakes **ret)
{
	struct relay_handshakes *all = calloc(1, sizeof *all);
	int r;

	if (!all)
		return -ENOMEM;
	all->set = s;
	all->waiting_max = waiting_max;
	list_init(&all->all);
	r = pool_new(s->loop, threads, &all->pool);
	if (r < 0) {
		free(all);
		return r;
	}
	*ret = all;
	return 0;
}

void relay_handshakes_limit(struct relay_handshakes *all, unsigned waiting_max)
{
	all->waiting_max = waiting_max;
}

void relay_handshakes_stop(struct relay_handshakes *all)
{
	if (!all)
		return;
	pool_free(all->pool);
	all->pool = NULL;
	LIST_FOREACH_SAFE (it, &all->all) {
		struct relay_handshake *h =
			container_of(it, struct relay_handshake, node);

		h->step.busy = false; /* no worker any more */
		if (!h->end)
			close_left(h);
	}
}

void relay_handshakes_free(struct relay_handshakes *all)
{
	if (!all)
		return;
	INVARIANT(!all->pool && list_empty(&all->all));
	free(all);
}

unsigned relay_handshakes_waiting(struct relay_handshakes *all)
{
	return all->pool ? pool_waiting(all->pool) : 0;
}
