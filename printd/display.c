/* display.c: what QUERY and METRICS show. */
#include "console/table.h"
#include "printd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static int finish(const struct display *d, struct table *t)
{
	int r = table_print(t, true, true, d->write, d->arg);

	table_free(t);
	return r;
}

/* ---- LUs
 * ------------------------------------------------------------------------ */

static const struct table_col lu_cols[] = {
	{"lu", "LU", TABLE_LEFT, 0},
	{"kind", "KIND", TABLE_LEFT, 0},
	{"applid", NULL, TABLE_LEFT, 0},
	{"stream", NULL, TABLE_LEFT, 0},
	{"state", "STATE", TABLE_LEFT, 0},
	{"queued", "QUEUED", TABLE_RIGHT, 0},
	{"held", "HELD", TABLE_RIGHT, 0},
	{"queued_bytes", NULL, TABLE_RIGHT, 0},
	{"job", "JOB", TABLE_RIGHT, 0},
	{"printed", "PRINTED", TABLE_RIGHT, 0},
	{"pages", NULL, TABLE_RIGHT, 0},
	{"bytes", NULL, TABLE_RIGHT, 0},
	{"failed", "FAILED", TABLE_RIGHT, 0},
	{"repeated", NULL, TABLE_RIGHT, 0},
	{"redirect", NULL, TABLE_LEFT, 0},
	{"printer", "PRINTER", TABLE_LEFT, 0},
	{"reason", "REASON", TABLE_LEFT, 0},
};

static const char *stream_name(const struct lu *lu)
{
	if (lu->cfg->kind == LU_PRINTER)
		return lu->cfg->opt.scs ? "SCS" : "LU3";
	return lu->cfg->opt.format == LU_FORMAT_PDF ? "PDF" : "TEXT";
}

static void lu_row(struct table *t, const struct lu *lu)
{
	char text[512] = "-";

	table_str(t, lu->cfg->name);
	table_str(t, lu_kind_name(lu->cfg->kind));
	table_str(t, lu->cfg->applid);
	table_str(t, stream_name(lu));
	table_str(t, lu_state_name(lu));
	table_u64(t, lu->n_queued);
	table_u64(t, lu->n_held);
	table_u64(t, lu->queued_bytes);
	if (lu->job)
		table_u64(t, lu->job->meta.id);
	else
		table_none(t);
	table_u64(t, lu->counts.printed);
	table_u64(t, lu->counts.pages);
	table_u64(t, lu->counts.bytes);
	table_u64(t, lu->counts.failed);
	table_u64(t, lu->counts.repeated);
	if (lu->redirect)
		table_str(t, lu->redirect->cfg->name);
	else
		table_none(t);
	if (lu->session)
		lu->session->ops->describe(lu->session, text, sizeof text);
	table_str(t, text);
	if (lu->redirect) {
		snprintf(text, sizeof text, "redirected to %s%s%s",
			 lu->redirect->cfg->name, lu->reason[0] ? "; " : "",
			 lu->reason);
		table_str(t, text);
	} else if (lu->kept) {
		snprintf(text, sizeof text, "%s after this job%s%s",
			 lu->leaving ? "goes" : "changes",
			 lu->reason[0] ? "; " : "", lu->reason);
		table_str(t, text);
	} else {
		table_str(t, lu->reason);
	}
}

int display_lus(const struct display *d, const char *name)
{
	struct table *t = table_new(lu_cols, ARRAY_SIZE(lu_cols), d->json);

	if (!t)
		return -ENOMEM;
	for (uint32_t i = 0; i < d->pd->n_lus; i++)
		if (!name || strcasecmp(name, d->pd->lus[i]->cfg->name) == 0)
			lu_row(t, d->pd->lus[i]);
	LIST_FOREACH (it, &d->pd->leaving) {
		const struct lu *lu = container_of(it, struct lu, node);

		if (!name || strcasecmp(name, lu->cfg->name) == 0)
			lu_row(t, lu);
	}
	return finish(d, t);
}

/* ---- jobs
 * ----------------------------------------------------------------------- */

static const struct table_col job_cols[] = {
	{"job", "JOB", TABLE_RIGHT, 0},
	{"lu", "LU", TABLE_LEFT, 0},
	{"state", "STATE", TABLE_LEFT, 0},
	{"form", "FORM", TABLE_LEFT, 0},
	{"bytes", "BYTES", TABLE_RIGHT, 0},
	{"copies", NULL, TABLE_RIGHT, 0},
	{"user", "USER", TABLE_LEFT, 0},
	{"host", NULL, TABLE_LEFT, 0},
	{"title", "TITLE", TABLE_LEFT, 0},
	{"repeat", "TWICE", TABLE_LEFT, 0},
	{"front", NULL, TABLE_LEFT, 0},
	{"attempts", "TRIES", TABLE_RIGHT, 0},
	{"prints", NULL, TABLE_RIGHT, 0},
	{"pages", "PAGES", TABLE_RIGHT, 0},
	{"first_page", NULL, TABLE_RIGHT, 0},
	{"codepage", NULL, TABLE_LEFT, 0},
	{"created", NULL, TABLE_RIGHT, 0},
	{"changed", NULL, TABLE_RIGHT, 0},
	{"first_lu", NULL, TABLE_LEFT, 0},
	{"reason", "REASON", TABLE_LEFT, 0},
};

static void job_row(struct table *t, const struct spool_job *j)
{
	const struct spool_status shown = job_status(j), *st = &shown;

	table_u64(t, j->meta.id);
	table_str(t, st->lu);
	table_str(t, spool_state_name(st->state));
	table_str(t, spool_form_name(j->meta.form));
	table_u64(t, j->meta.bytes);
	table_u64(t, j->meta.copies);
	table_str(t, j->meta.user);
	table_str(t, j->meta.host);
	table_str(t, j->meta.title);
	table_bool(t, st->repeat);
	table_bool(t, st->front);
	table_u64(t, st->attempts);
	table_u64(t, st->prints);
	table_u64(t, st->pages);
	table_u64(t, st->first_page);
	table_str(t, j->meta.codepage[0] ? j->meta.codepage : "-");
	table_u64(t, j->meta.created_s);
	table_u64(t, st->changed_s);
	table_str(t, j->meta.lu);
	table_str(t, st->reason);
}

int display_jobs(const struct display *d, const char *lu, const char *state)
{
	struct table *t = table_new(job_cols, ARRAY_SIZE(job_cols), d->json);
	const struct spool_job *j = NULL;

	if (!t)
		return -ENOMEM;
	while ((j = spool_next(d->pd->spool, j))) {
		if (lu && strcasecmp(lu, j->status.lu) != 0)
			continue;
		if (state &&
		    strcasecmp(state, spool_state_name(job_status(j).state)))
			continue;
		job_row(t, j);
	}
	return finish(d, t);
}

int display_job(const struct display *d, const struct spool_job *j)
{
	struct table_col cols[ARRAY_SIZE(job_cols)];
	struct table *t;
	int r;

	/* a record shows every column in text too */
	memcpy(cols, job_cols, sizeof cols);
	for (size_t i = 0; i < ARRAY_SIZE(cols); i++)
		cols[i].head = cols[i].head ? cols[i].head : cols[i].key;
	t = table_new(cols, ARRAY_SIZE(cols), d->json);
	if (!t)
		return -ENOMEM;
	job_row(t, j);
	r = table_print_record(t, d->write, d->arg);
	table_free(t);
	return r;
}

/* ---- the rest
 * --------------------------------------------------------------------- */

static const struct table_col acquire_cols[] = {
	{"lu", "LU", TABLE_LEFT, 0},       {"host", "HOST", TABLE_LEFT, 0},
	{"port", "PORT", TABLE_RIGHT, 0},  {"name", "NAME", TABLE_LEFT, 0},
	{"state", "STATE", TABLE_LEFT, 0},
};

int display_acquires(const struct display *d)
{
	struct table *t =
		table_new(acquire_cols, ARRAY_SIZE(acquire_cols), d->json);

	if (!t)
		return -ENOMEM;
	for (uint32_t i = 0; i < d->pd->n_acquires; i++) {
		const struct deck_acquire *q = acquire_cfg(d->pd->acquires[i]);
		char text[256];

		acquire_describe(d->pd->acquires[i], text, sizeof text);
		table_str(t, q->lu);
		table_str(t, q->host);
		table_u64(t, q->port);
		table_str(t, q->name[0] ? q->name : "*");
		table_str(t, text);
	}
	return finish(d, t);
}

static const struct table_col id_cols[] = {
	{"id", "ID", TABLE_LEFT, 0},
	{"version", "Version", TABLE_LEFT, 0},
	{"pid", "Process", TABLE_LEFT, 0},
	{"uptime_s", "Up for", TABLE_LEFT, 0},
	{"spool", "Spool", TABLE_LEFT, 0},
	{"lus", "LUs", TABLE_LEFT, 0},
	{"clients", "Clients", TABLE_LEFT, 0},
	{"jobs", "Jobs", TABLE_LEFT, 0},
	{"bytes", "Bytes", TABLE_LEFT, 0},
	{"free_bytes", "Bytes free", TABLE_LEFT, 0},
	{"accepted", "Accepted", TABLE_LEFT, 0},
	{"refused", "Refused", TABLE_LEFT, 0},
	{"printed", "Printed", TABLE_LEFT, 0},
	{"pages", "Pages", TABLE_LEFT, 0},
	{"repeated", "Perhaps twice", TABLE_LEFT, 0},
};

int display_id(const struct display *d)
{
	struct table *t = table_new(id_cols, ARRAY_SIZE(id_cols), d->json);
	const struct printd *pd = d->pd;
	uint64_t up =
		(uint64_t)mono_sub(mono_now(), pd->started).ns / 1000000000;
	int r;

	if (!t)
		return -ENOMEM;
	table_str(t, pd->deck.id);
	table_str(t, COUPLET_VERSION);
	table_u64(t, (uint64_t)getpid());
	table_num(t, up, "%" PRIu64 " s", up);
	table_str(t, pd->spool_path);
	table_u64(t, pd->n_lus);
	table_u64(t, pd->printers ? printers_count(pd->printers) : 0);
	table_u64(t, spool_count(pd->spool));
	table_u64(t, spool_bytes(pd->spool));
	table_u64(t, spool_dir_free_bytes(pd->dir));
	table_u64(t, pd->accepted);
	table_u64(t, pd->refused);
	table_u64(t, pd->counts.printed);
	table_u64(t, pd->counts.pages);
	table_u64(t, pd->counts.repeated);
	r = table_print_record(t, d->write, d->arg);
	table_free(t);
	return r;
}

/* ---- Prometheus
 * ------------------------------------------------------------------- */

static void metric(const struct display *d, const char *name, const char *type,
		   const char *help, uint64_t v)
{
	char text[320];
	int n = snprintf(text, sizeof text,
			 "# HELP couplet_printd_%s %s\n"
			 "# TYPE couplet_printd_%s %s\n"
			 "couplet_printd_%s %" PRIu64 "\n",
			 name, help, name, type, name, v);

	d->write(d->arg, text, (size_t)n);
}

static void lu_metrics(const struct display *d)
{
	static const struct {
		const char *name, *type;
		size_t at;
	} m[] = {
		{"lu_printed_total", "counter",
		 offsetof(struct lu_counts, printed)},
		{"lu_pages_total", "counter",
		 offsetof(struct lu_counts, pages)},
		{"lu_failed_total", "counter",
		 offsetof(struct lu_counts, failed)},
		{"lu_held_total", "counter", offsetof(struct lu_counts, held)},
	};
	char text[160];
	int n;

	for (size_t i = 0; i < ARRAY_SIZE(m); i++) {
		n = snprintf(text, sizeof text, "# TYPE couplet_printd_%s %s\n",
			     m[i].name, m[i].type);
		d->write(d->arg, text, (size_t)n);
		for (uint32_t k = 0; k < d->pd->n_lus; k++) {
			const struct lu *lu = d->pd->lus[k];
			uint64_t v;

			memcpy(&v, (const char *)&lu->counts + m[i].at,
			       sizeof v);
			n = snprintf(text, sizeof text,
				     "couplet_printd_%s{lu=\"%s\"} %" PRIu64
				     "\n",
				     m[i].name, lu->cfg->name, v);
			d->write(d->arg, text, (size_t)n);
		}
	}
	n = snprintf(text, sizeof text,
		     "# TYPE couplet_printd_lu_queued gauge\n");
	d->write(d->arg, text, (size_t)n);
	for (uint32_t k = 0; k < d->pd->n_lus; k++) {
		const struct lu *lu = d->pd->lus[k];

		n = snprintf(text, sizeof text,
			     "couplet_printd_lu_queued{lu=\"%s\",state=\"%s\"} "
			     "%u\n",
			     lu->cfg->name, lu_state_name(lu), lu->n_queued);
		d->write(d->arg, text, (size_t)n);
	}
}

int display_metrics(const struct display *d)
{
	const struct printd *pd = d->pd;

	metric(d, "jobs", "gauge", "Jobs in the spool.",
	       spool_count(pd->spool));
	metric(d, "spool_bytes", "gauge", "Bytes of jobs in the spool.",
	       spool_bytes(pd->spool));
	metric(d, "spool_free_bytes", "gauge", "Bytes free for the spool.",
	       spool_dir_free_bytes(pd->dir));
	metric(d, "clients", "gauge", "TN3270 clients connected.",
	       pd->printers ? printers_count(pd->printers) : 0);
	metric(d, "accepted_total", "counter", "Jobs accepted.", pd->accepted);
	metric(d, "refused_total", "counter", "Jobs refused.", pd->refused);
	metric(d, "printed_total", "counter", "Jobs printed.",
	       pd->counts.printed);
	metric(d, "pages_total", "counter", "Pages printed.", pd->counts.pages);
	metric(d, "failed_total", "counter", "Attempts that failed.",
	       pd->counts.failed);
	metric(d, "held_total", "counter", "Jobs held with a reason.",
	       pd->counts.held);
	metric(d, "repeated_total", "counter",
	       "Jobs printed that may have been printed before.",
	       pd->counts.repeated);
	lu_metrics(d);
	return 0;
}
