/* jobs.c: what an operator does to a job or a LU. Each deed is on disk before
 * it is told as done. */
#include "printd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int say(int r, char *err, size_t len, const char *text)
{
	snprintf(err, len, "%s", text);
	return r;
}

static int result(int r, char *err, size_t len)
{
	return r < 0 ? say(r, err, len, strerror(-r)) : 0;
}

/* The LU whose queue has the job, or NULL (DONE, or no such LU). */
static struct lu *queue_of(const struct spool_job *j)
{
	return j->user;
}

/* Out of its queue; a job that was being sent is not all on paper. */
static void withdraw(struct spool_job *j, struct spool_status *st)
{
	struct lu *lu = queue_of(j);

	*st = j->status;
	if (st->state == SPOOL_ACTIVE || st->state == SPOOL_SENT)
		st->repeat = true;
	if (lu)
		lus_unqueue(lu, j);
	st->changed_s = printd_wall_s();
}

/* In force, and back into a queue; the LU that lost it goes on. */
static int put_back(struct printd *pd, struct spool_job *j, struct lu *from,
		    const struct spool_status *st, char *err, size_t len)
{
	int r = lus_update(pd, j, st);

	lus_queue(pd, j);
	if (from)
		lus_kick(from);
	return result(r, err, len);
}

int job_hold(struct printd *pd, struct spool_job *j, char *err, size_t len)
{
	struct lu *lu = queue_of(j);
	struct spool_status st;

	if (j->status.state == SPOOL_DONE)
		return say(-EINVAL, err, len, "it is printed already");
	if (j->status.state == SPOOL_HELD)
		return say(-EALREADY, err, len, "it is held already");
	withdraw(j, &st);
	st.state = SPOOL_HELD;
	snprintf(st.reason, sizeof st.reason, "held by the operator");
	return put_back(pd, j, lu, &st, err, len);
}

int job_release(struct printd *pd, struct spool_job *j, char *err, size_t len)
{
	struct spool_status st;

	if (job_status(j).state != SPOOL_HELD)
		return say(-EINVAL, err, len, "it is not held");
	if (!lus_find(pd, j->status.lu))
		return say(-ENOENT, err, len,
			   "its LU is not in the deck; MOVE it to another");
	withdraw(j, &st);
	st.state = SPOOL_READY;
	st.attempts = 0;
	st.reason[0] = '\0';
	return put_back(pd, j, NULL, &st, err, len);
}

int job_cancel(struct printd *pd, struct spool_job *j, char *err, size_t len)
{
	struct lu *lu = queue_of(j);
	uint32_t id = j->meta.id;
	int r;

	if (lu)
		lus_unqueue(lu, j);
	r = spool_remove(pd->spool, j);
	if (r < 0 && spool_find(pd->spool, id)) {
		lus_queue(pd, j);
		return result(r, err, len);
	}
	job_watch_tell(pd, id, NULL);
	if (lu)
		lus_kick(lu);
	return 0;
}

int job_requeue(struct printd *pd, struct spool_job *j, bool front, char *err,
		size_t len)
{
	struct lu *lu = queue_of(j);
	struct spool_status st;

	if (j->status.state == SPOOL_DONE)
		return say(-EINVAL, err, len,
			   "it is printed already: REPRINT it");
	if (!lus_find(pd, j->status.lu))
		return say(-ENOENT, err, len,
			   "its LU is not in the deck; MOVE it to another");
	withdraw(j, &st);
	st.state = SPOOL_READY;
	st.front = front;
	st.attempts = 0;
	st.reason[0] = '\0';
	return put_back(pd, j, lu, &st, err, len);
}

int job_move(struct printd *pd, struct spool_job *j, const char *name,
	     char *err, size_t len)
{
	struct lu *from = queue_of(j), *to = lus_find(pd, name);
	struct spool_status st;

	if (!to)
		return say(-ENOENT, err, len, "there is no such LU");
	if (j->status.state == SPOOL_DONE)
		return say(-EINVAL, err, len,
			   "it is printed already: REPRINT it");
	withdraw(j, &st);
	if (st.state != SPOOL_HELD || !from) {
		st.state = SPOOL_READY;
		st.reason[0] = '\0';
	}
	st.attempts = 0;
	snprintf(st.lu, sizeof st.lu, "%s", to->cfg->name);
	return put_back(pd, j, from, &st, err, len);
}

int job_reprint(struct printd *pd, struct spool_job *j, uint32_t page,
		const char *name, char *err, size_t len)
{
	struct lu *to = lus_find(pd, name ? name : j->status.lu);
	struct spool_status st = j->status;

	if (j->status.state != SPOOL_DONE)
		return say(-EINVAL, err, len,
			   "it is not printed yet: RESTART it");
	if (!to)
		return say(-ENOENT, err, len, "there is no such LU");
	st.state = SPOOL_READY;
	st.first_page = page;
	st.repeat = false; /* asked for, not an accident */
	st.attempts = 0;
	st.changed_s = printd_wall_s();
	snprintf(st.lu, sizeof st.lu, "%s", to->cfg->name);
	return put_back(pd, j, NULL, &st, err, len);
}

int job_restart(struct printd *pd, struct spool_job *j, uint32_t page,
		char *err, size_t len)
{
	struct lu *lu = queue_of(j);
	struct spool_status st;

	if (j->status.state == SPOOL_DONE)
		return say(-EINVAL, err, len,
			   "it is printed already: REPRINT it");
	if (!lu)
		return say(-ENOENT, err, len,
			   "its LU is not in the deck; MOVE it to another");
	if (page > 1 &&
	    (j->meta.form == SPOOL_PDF || j->meta.form == SPOOL_RAW))
		return say(-ENOTSUP, err, len,
			   "pages of a PDF or raw job are not known here");
	withdraw(j, &st);
	st.state = SPOOL_READY;
	st.first_page = page;
	st.attempts = 0;
	st.reason[0] = '\0';
	return put_back(pd, j, lu, &st, err, len);
}

int job_back(struct printd *pd, struct spool_job *j, uint32_t pages, char *err,
	     size_t len)
{
	struct lu *lu = queue_of(j);
	uint32_t at = j->status.first_page;

	if (lu && lu->job == j && lu->source)
		at = MAX(at, (uint32_t)source_stats(lu->source).pages);
	return job_restart(pd, j, at > pages ? at - pages : 1, err, len);
}

/* ---- LUs
 * ------------------------------------------------------------------------ */

int lu_start(struct lu *lu)
{
	if (!lu->session)
		return -EADDRNOTAVAIL;
	lu->stopped = false;
	lu->alerted = false;
	lu->reason[0] = '\0';
	/* now, not at the end of a wait */
	if (lu->state == LU_WAITING)
		lu->state = LU_IDLE;
	ev_timer_set(lu->timer, DUR_NS(0));
	return 0;
}

int lu_stop(struct lu *lu)
{
	lu->stopped = true;
	lus_interrupt(lu, "stopped by the operator");
	return 0;
}

void lu_kill(struct lu *lu, bool hard)
{
	lus_interrupt(lu,
		      hard ? "REACT by the operator" : "KILL by the operator");
	if (lu->session && lu->session->ops->hangup)
		lu->session->ops->hangup(lu->session, hard);
	lu->alerted = false;
	ev_timer_set(lu->timer, DUR_NS(0));
}

int lu_redirect(struct lu *lu, struct lu *to, char *err, size_t len)
{
	if (to && (to == lu || to->redirect || to->leaving || lu->leaving))
		return say(-ELOOP, err, len,
			   "expected another LU that is not redirected itself");
	for (uint32_t i = 0; to && i < lu->pd->n_lus; i++)
		if (lu->pd->lus[i]->redirect == lu)
			return say(-ELOOP, err, len,
				   "other LUs are redirected to this one");
	lu->redirect = to;
	if (!to)
		return 0;
	LIST_FOREACH_SAFE (it, &lu->queue) {
		struct spool_job *j = container_of(it, struct spool_job, queue);
		int r;

		if (j->status.state == SPOOL_HELD)
			continue;
		r = job_move(lu->pd, j, to->cfg->name, err, len);
		if (r < 0)
			return r;
	}
	return 0;
}
