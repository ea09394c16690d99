/*
 * intake.c: the one way in for jobs, whoever brings them. Limits are looked
 * at when a job begins and while it grows; what was accepted is on disk.
 */
#include "daemon/log.h"
#include "printd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FREE_MIN (64u << 20)  /* bytes left to the file system's others */
#define FREE_CHECK (1u << 20) /* looked at again after this many bytes */

/* It knows its LU by name: a deck without it may come while the job does. The
 * job is then accepted all the same, and held. */
struct intake {
	struct printd *pd;
	struct spool_draft *draft;
	uint64_t bytes, checked;
};

static int refuse(struct printd *pd, int r, char *err, size_t len,
		  const char *lu, const char *why)
{
	snprintf(err, len, "LU %s: %s", lu, why);
	pd->refused++;
	log_msg(MSG_CPLT703W, lu, why);
	return r;
}

static const char *limit_of_lu(const struct lu *lu, uint64_t bytes)
{
	const struct lu_opt *o = &lu->cfg->opt;

	if (o->max_job_bytes && bytes > o->max_job_bytes)
		return "the job is longer than MAXJOB";
	if (o->max_bytes && lu->queued_bytes + bytes > o->max_bytes)
		return "its jobs have as many bytes as MAXBYTES allows";
	return NULL;
}

/* May a job come, or grow? NULL: yes. `lu` may be NULL. */
static const char *limit_of(const struct printd *pd, const struct lu *lu,
			    uint64_t bytes)
{
	const char *why = lu ? limit_of_lu(lu, bytes) : NULL;

	if (why)
		return why;
	if (pd->deck.max_bytes &&
	    spool_bytes(pd->spool) + pd->draft_bytes + bytes >
		    pd->deck.max_bytes)
		return "the spool has as many bytes as LIMIT BYTES allows";
	return NULL;
}

static const char *limit_at_start(const struct printd *pd, const struct lu *lu)
{
	const struct lu_opt *o = &lu->cfg->opt;

	if (o->max_jobs && lu->n_queued >= o->max_jobs)
		return "it has as many jobs as MAXJOBS allows";
	if (spool_count(pd->spool) >= pd->deck.max_jobs)
		return "the spool has as many jobs as LIMIT JOBS allows";
	if (pd->n_drafts >= pd->deck.max_drafts)
		return "as many jobs come in as LIMIT RECEIVING allows";
	if (spool_dir_free_bytes(pd->dir) < FREE_MIN)
		return "the spool's disk is full";
	return limit_of(pd, lu, 0);
}

int intake_begin(struct printd *pd, const struct spool_meta *meta,
		 struct intake **ret, char *err, size_t len)
{
	struct lu *lu = lus_find(pd, meta->lu);
	struct spool_meta m = *meta;
	struct intake *in;
	const char *why;
	int r;

	if (!lu)
		return refuse(pd, -ENOENT, err, len, meta->lu,
			      "there is no such LU");
	why = limit_at_start(pd, lu);
	if (why)
		return refuse(pd, -ENOSPC, err, len, lu->cfg->name, why);
	in = calloc(1, sizeof *in);
	if (!in)
		return refuse(pd, -ENOMEM, err, len, lu->cfg->name,
			      "out of memory");
	in->pd = pd;
	m.created_s = printd_wall_s();
	m.copies = CLAMP(m.copies, 1u, 9999u);
	snprintf(m.lu, sizeof m.lu, "%s", lu->cfg->name);
	r = spool_begin(pd->spool, &m, &in->draft);
	if (r < 0) {
		free(in);
		return refuse(pd, r, err, len, lu->cfg->name, strerror(-r));
	}
	pd->n_drafts++;
	*ret = in;
	return 0;
}

struct spool_meta *intake_meta(struct intake *in)
{
	return spool_draft_meta(in->draft);
}

static const char *disk_full(struct intake *in)
{
	if (in->bytes - in->checked < FREE_CHECK)
		return NULL;
	in->checked = in->bytes;
	return spool_dir_free_bytes(in->pd->dir) < FREE_MIN
		       ? "the spool's disk is full"
		       : NULL;
}

int intake_write(struct intake *in, const void *data, size_t n, char *err,
		 size_t len)
{
	enum spool_form form = intake_meta(in)->form;
	bool frames = form == SPOOL_SCS || form == SPOOL_LU3;
	const char *name = intake_meta(in)->lu;
	const char *why =
		limit_of(in->pd, lus_find(in->pd, name), in->bytes + n);
	int r;

	if (!why)
		why = disk_full(in);
	if (why)
		return refuse(in->pd, -ENOSPC, err, len, name, why);
	r = frames ? spool_write_frame(in->draft, data, n)
		   : spool_write(in->draft, data, n);
	if (r < 0)
		return refuse(in->pd, r, err, len, name, strerror(-r));
	in->bytes += n;
	in->pd->draft_bytes += n;
	return 0;
}

static void release(struct intake *in)
{
	in->pd->n_drafts--;
	in->pd->draft_bytes -= in->bytes;
	free(in);
}

/* The state with which it is accepted. */
static struct spool_status first_status(struct intake *in, bool hold)
{
	struct spool_status st = {.changed_s = printd_wall_s(),
				  .state = SPOOL_READY};
	struct lu *lu = lus_find(in->pd, intake_meta(in)->lu);

	if (lu)
		lu = lus_target(lu);
	if (hold || (lu && lu->cfg->opt.hold)) {
		st.state = SPOOL_HELD;
		snprintf(st.reason, sizeof st.reason, "held as submitted");
	}
	snprintf(st.lu, sizeof st.lu, "%s",
		 lu ? lu->cfg->name : intake_meta(in)->lu);
	return st;
}

int intake_commit(struct intake *in, bool hold, uint32_t *ret_id, char *err,
		  size_t len)
{
	struct spool_status st = first_status(in, hold);
	struct printd *pd = in->pd;
	struct spool_job *j;
	int r = spool_commit(in->draft, &st, &j);

	release(in);
	if (r < 0)
		return refuse(pd, r, err, len, st.lu, strerror(-r));
	*ret_id = j->meta.id;
	pd->accepted++;
	log_msg(MSG_CPLT702I, j->meta.id, st.lu, j->meta.user, j->meta.title,
		(unsigned long long)j->meta.bytes);
	lus_queue(pd, j);
	st = job_status(j);
	if (st.state == SPOOL_HELD && !hold && !j->user)
		log_msg(MSG_CPLT711A, j->meta.id, st.lu, st.reason);
	return 0;
}

void intake_drop(struct intake *in)
{
	if (!in)
		return;
	spool_drop(in->draft);
	release(in);
}
