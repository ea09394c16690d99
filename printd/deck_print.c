/* deck_print.c: the canonical deck, and comparing two. */
#include "deck_parts.h"

#include <string.h>

static void print_listener(const char *word, const struct deck_open *o,
			   FILE *out)
{
	fprintf(out, "%s %s %u\n", word, o->host, o->port);
}

static void print_lu(const struct printd_lu *lu, FILE *out)
{
	fprintf(out, "%s %s %s", lu_kind_name(lu->kind), lu->name, lu->applid);
	switch (lu->kind) {
	case LU_PRINTER:
		fputs(lu->opt.scs ? " SCS" : "", out);
		break;
	case LU_DIRECT:
		fprintf(out, " %s %u *", lu->host, lu->port);
		break;
	case LU_LPR:
		fprintf(out, " %s %u * %s", lu->host, lu->port, lu->queue);
		break;
	case LU_FTP:
	case LU_FTPP:
		fprintf(out, " %s %u * %s %s%s", lu->host, lu->port, lu->user,
			lu->secret[0] ? "FILE:" : PASSWORD_MASK, lu->secret);
		break;
	case LU_IPP:
	case LU_FILE:
	case LU_PDF:
		fprintf(out, " %s", lu->target);
		break;
	case LU_KINDS:
		break;
	}
	fputc('\n', out);
}

static void print_lus(const struct printd_deck *d, FILE *out)
{
	struct lu_opt standard, from;

	printd_opt_init(&standard);
	for (uint32_t i = 0; i < d->n_lus; i++) {
		const struct printd_lu *lu = &d->lus[i];

		print_lu(lu, out);
		/* what the command itself says */
		from = standard;
		if (lu->kind == LU_PDF || lu->kind == LU_IPP)
			from.format = LU_FORMAT_PDF;
		printd_opt_print(lu->name, &lu->opt, &from, out);
	}
}

static void print_limits(const struct printd_deck *d, FILE *out)
{
	char buf[32];

	if (d->max_clients != 20000)
		fprintf(out, "LIMIT CLIENTS %u\n", d->max_clients);
	if (d->max_jobs != 100000)
		fprintf(out, "LIMIT JOBS %u\n", d->max_jobs);
	if (d->max_bytes)
		fprintf(out, "LIMIT BYTES %s\n",
			deck_format_size(d->max_bytes, buf));
	if (d->max_drafts != 256)
		fprintf(out, "LIMIT RECEIVING %u\n", d->max_drafts);
}

void printd_deck_print(const struct printd_deck *d, FILE *out)
{
	if (d->job[0])
		fprintf(out, "* $$ JOB JNM=%s\n", d->job);
	fprintf(out, "ID %s\n", d->id);
	for (uint32_t i = 0; i < d->n_opens; i++)
		print_listener("OPEN", &d->opens[i], out);
	for (uint32_t i = 0; i < d->n_lpds; i++)
		print_listener("LPD", &d->lpds[i], out);
	for (uint32_t i = 0; i < d->n_aliases; i++)
		fprintf(out, "SBCS %s %s\n", d->aliases[i].name,
			d->aliases[i].page);
	if (d->sbcs[0])
		fprintf(out, "SBCS %s\n", d->sbcs);
	for (uint32_t i = 0; i < d->n_appls; i++)
		fprintf(out, "APPLID %s %s\n", d->appls[i].name,
			d->appls[i].text);
	if (d->title[0])
		fprintf(out, "TITLE %s\n", d->title);
	for (uint32_t i = 0; i < d->n_terminals; i++)
		fprintf(out, "TERMINAL %s GENERIC\n", d->terminals[i]);
	print_lus(d, out);
	for (uint32_t i = 0; i < d->n_acquires; i++)
		fprintf(out, "ACQUIRE %s %s %u %s\n", d->acquires[i].lu,
			d->acquires[i].host, d->acquires[i].port,
			d->acquires[i].name[0] ? d->acquires[i].name : "*");
	if (d->spool[0])
		fprintf(out, "SPOOL %s\n", d->spool);
	if (d->metrics[0])
		fprintf(out, "METRICS %s\n", d->metrics);
	if (d->alert[0])
		fprintf(out, "ALERT %s\n", d->alert);
	if (d->submit_group)
		fprintf(out, "SUBMIT GROUP\n");
	print_limits(d, out);
	if (d->attached)
		fprintf(out, "ATTACH TN3270E\n");
}

/* ---- comparing
 * -------------------------------------------------------------------- */

const char *printd_lu_differs(const struct printd_lu *a,
			      const struct printd_lu *b)
{
	if (strcmp(a->name, b->name) || strcmp(a->applid, b->applid) ||
	    a->kind != b->kind)
		return "LU";
	if (strcmp(a->host, b->host) || a->port != b->port)
		return "host or port";
	if (strcmp(a->queue, b->queue) || strcmp(a->user, b->user) ||
	    strcmp(a->secret, b->secret) || strcmp(a->target, b->target))
		return "queue, user, password file or target";
	if (a->opt.scs != b->opt.scs)
		return "data stream";
	return printd_opt_differs(&a->opt, &b->opt);
}

static const char *lists_differ(const struct printd_deck *a,
				const struct printd_deck *b)
{
	if (a->n_opens != b->n_opens ||
	    memcmp(a->opens, b->opens, a->n_opens * sizeof(*a->opens)))
		return "OPEN";
	if (a->n_lpds != b->n_lpds ||
	    memcmp(a->lpds, b->lpds, a->n_lpds * sizeof(*a->lpds)))
		return "LPD";
	if (a->n_acquires != b->n_acquires ||
	    memcmp(a->acquires, b->acquires,
		   a->n_acquires * sizeof(*a->acquires)))
		return "ACQUIRE";
	if (a->n_appls != b->n_appls ||
	    memcmp(a->appls, b->appls, a->n_appls * sizeof(*a->appls)))
		return "APPLID";
	if (a->n_terminals != b->n_terminals ||
	    (a->n_terminals && memcmp(a->terminals, b->terminals,
				      a->n_terminals * sizeof(*a->terminals))))
		return "TERMINAL";
	if (a->n_aliases != b->n_aliases)
		return "SBCS";
	for (uint32_t i = 0; i < a->n_aliases; i++)
		if (strcmp(a->aliases[i].name, b->aliases[i].name) ||
		    strcmp(a->aliases[i].page, b->aliases[i].page))
			return "SBCS";
	return NULL;
}

const char *printd_deck_differs(const struct printd_deck *a,
				const struct printd_deck *b)
{
	const char *what = lists_differ(a, b);

	if (what)
		return what;
	if (strcmp(a->id, b->id) || strcmp(a->title, b->title) ||
	    strcmp(a->sbcs, b->sbcs) || strcmp(a->job, b->job))
		return "ID, TITLE, SBCS or JNM";
	if (strcmp(a->spool, b->spool) || strcmp(a->metrics, b->metrics) ||
	    strcmp(a->alert, b->alert) || a->submit_group != b->submit_group)
		return "SPOOL, METRICS, ALERT or SUBMIT";
	if (a->max_clients != b->max_clients || a->max_jobs != b->max_jobs ||
	    a->max_bytes != b->max_bytes || a->max_drafts != b->max_drafts)
		return "LIMIT";
	if (a->n_lus != b->n_lus)
		return "number of LUs";
	for (uint32_t i = 0; i < a->n_lus && !what; i++)
		what = printd_lu_differs(&a->lus[i], &b->lus[i]);
	return what;
}
