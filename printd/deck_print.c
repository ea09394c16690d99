/* deck_print.c: the canonical deck, and comparing two. */
#include "deck_parts.h"

#include <stdlib.h>
#include <string.h>

static const char *const tls_words[] = {
	[DECK_TLS_NONE] = "",
	[DECK_TLS_OFFER] = " STARTTLS",
	[DECK_TLS_REQUIRE] = " STARTTLS REQUIRED",
	[DECK_TLS_FIRST] = " TLS",
};

/* The settings that a command with TLS wants, from what is in force. */
static void print_tls(const struct printd_deck *d, enum deck_tls how,
		      uint32_t settings, struct tls_settings *now, FILE *out)
{
	if (how == DECK_TLS_NONE)
		return;
	tlsdeck_print(now, &d->tls[settings], out);
	*now = d->tls[settings];
}

static void print_listener(const char *word, const struct deck_open *o,
			   FILE *out)
{
	fprintf(out, "%s %s %u%s\n", word, o->host, o->port, tls_words[o->tls]);
}

static void print_acquire(const struct deck_acquire *q, FILE *out)
{
	fprintf(out, "ACQUIRE %s %s %u %s%s\n", q->lu, q->host, q->port,
		q->name[0] ? q->name : "*", tls_words[q->tls]);
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
	struct tls_settings tls;

	tlsdeck_init(&tls);
	if (d->job[0])
		fprintf(out, "* $$ JOB JNM=%s\n", d->job);
	fprintf(out, "ID %s\n", d->id);
	for (uint32_t i = 0; i < d->n_opens; i++) {
		print_tls(d, d->opens[i].tls, d->opens[i].settings, &tls, out);
		print_listener("OPEN", &d->opens[i], out);
	}
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
	for (uint32_t i = 0; i < d->n_acquires; i++) {
		const struct deck_acquire *q = &d->acquires[i];

		print_tls(d, q->tls, q->settings, &tls, out);
		print_acquire(q, out);
	}
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

bool printd_tls_same(const struct tls_settings *a, const struct tls_settings *b)
{
	char *text = NULL;
	size_t len = 1;
	FILE *f = open_memstream(&text, &len);

	/* equal if no command leads from one to the other */
	if (!f)
		return false;
	tlsdeck_print(a, b, f);
	if (fclose(f))
		len = 1;
	free(text);
	return len == 0;
}

static bool same_settings(const struct printd_deck *a, uint32_t i,
			  const struct printd_deck *b, uint32_t k,
			  enum deck_tls how)
{
	return how == DECK_TLS_NONE || printd_tls_same(&a->tls[i], &b->tls[k]);
}

static bool same_open(const struct deck_open *a, const struct deck_open *b)
{
	return strcmp(a->host, b->host) == 0 && a->port == b->port &&
	       a->tls == b->tls;
}

bool printd_deck_same_acquire(const struct deck_acquire *a,
			      const struct deck_acquire *b)
{
	return strcmp(a->lu, b->lu) == 0 && strcmp(a->host, b->host) == 0 &&
	       a->port == b->port && strcmp(a->name, b->name) == 0 &&
	       a->tls == b->tls;
}

static bool opens_differ(const struct printd_deck *a,
			 const struct printd_deck *b)
{
	const struct deck_open *x = a->opens, *y = b->opens;

	if (a->n_opens != b->n_opens)
		return true;
	for (uint32_t i = 0; i < a->n_opens; i++)
		if (!same_open(&x[i], &y[i]) ||
		    !same_settings(a, x[i].settings, b, y[i].settings,
				   x[i].tls))
			return true;
	return false;
}

static bool acquires_differ(const struct printd_deck *a,
			    const struct printd_deck *b)
{
	const struct deck_acquire *x = a->acquires, *y = b->acquires;

	if (a->n_acquires != b->n_acquires)
		return true;
	for (uint32_t i = 0; i < a->n_acquires; i++)
		if (!printd_deck_same_acquire(&x[i], &y[i]) ||
		    !same_settings(a, x[i].settings, b, y[i].settings,
				   x[i].tls))
			return true;
	return false;
}

static const char *lists_differ(const struct printd_deck *a,
				const struct printd_deck *b)
{
	if (opens_differ(a, b))
		return "OPEN";
	if (a->n_lpds != b->n_lpds ||
	    memcmp(a->lpds, b->lpds, a->n_lpds * sizeof(*a->lpds)))
		return "LPD";
	if (acquires_differ(a, b))
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
