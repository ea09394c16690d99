/*
 * cupsbackend.c: the CUPS backend `couplet`: whatever prints through CUPS
 * prints to a LU.
 *
 *	lpadmin -p forms -E -v couplet://44/PRT1?form=text
 *
 * The host of the URI is printd's ID ("host" for ID *), the path the LU. form
 * is text, raw, pdf, scs or lu3; without it PDF is recognised, and the rest
 * is raw. codepage is that of a text. Exit codes are CUPS's.
 *
 * It is installed for root alone, which to CUPS means: start it as root. Only
 * root may say for whom a job is; once that is settled, root is given up.
 */
#include "appl/couplet-print.h"
#include "daemon/privs.h"

#include <cups/backend.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define BUFFER 32768

struct place {
	char id[16], lu[16], form[16], codepage[32];
};

/* "couplet://44/PRT1?form=text&codepage=IBM-1141" */
static bool read_uri(const char *uri, struct place *p)
{
	const char *query;
	int n = 0;

	if (!uri ||
	    sscanf(uri, "couplet://%15[^/]/%15[^?]%n", p->id, p->lu, &n) < 2)
		return false;
	query = uri + n;
	while (*query == '?' || *query == '&') {
		query++;
		if (strncasecmp(query, "form=", 5) == 0)
			sscanf(query + 5, "%15[^&]", p->form);
		else if (strncasecmp(query, "codepage=", 9) == 0)
			sscanf(query + 9, "%31[^&]", p->codepage);
		query += strcspn(query, "&");
	}
	return true;
}

static bool choose_form(const struct place *p, const unsigned char *data,
			ssize_t len, enum couplet_print_form *ret)
{
	static const char *const names[] = {"text", "scs", "lu3", "pdf", "raw"};

	if (!p->form[0]) {
		*ret = len >= 5 && memcmp(data, "%PDF-", 5) == 0
			       ? COUPLET_PRINT_PDF
			       : COUPLET_PRINT_RAW;
		return true;
	}
	for (int i = 0; i < 5; i++) {
		if (strcasecmp(p->form, names[i]) == 0) {
			*ret = (enum couplet_print_form)i;
			return true;
		}
	}
	return false;
}

static int fail(int status, const char *what, const char *why)
{
	fprintf(stderr, "ERROR: %s: %s\n", what, why);
	return status;
}

static long send_all(struct couplet_print *p, int fd,
		     struct couplet_print_job *job, const struct place *place,
		     const char **ret_why)
{
	static unsigned char buf[BUFFER];
	ssize_t n = read(fd, buf, sizeof buf);
	int r;

	if (n < 0) {
		*ret_why = strerror(errno);
		return -EIO;
	}
	if (!choose_form(place, buf, n, &job->form)) {
		*ret_why = "form: expected text, scs, lu3, pdf or raw";
		return -EINVAL;
	}
	r = couplet_print_begin(p, job);
	while (r == 0 && n > 0) {
		r = couplet_print_data(p, buf, (size_t)n, COUPLET_PRINT_ONLY);
		n = r == 0 ? read(fd, buf, sizeof buf) : n;
		if (n < 0) {
			r = -errno;
			*ret_why = strerror(errno);
		}
	}
	if (r == 0)
		return couplet_print_end(p);
	/* printd went away before it had all: certainly not accepted */
	return r == -ECONNRESET ? -EAGAIN : r;
}

/* What is left to do needs no rights: document and printd are open. NULL, or
 * what failed. */
static const char *give_up_root(void)
{
	struct privs_user lp;
	const char *step = "no user lp or nobody";

	if (privs_find_user("lp", &lp) == 0 &&
	    privs_drop(&lp, NULL, 0, false, &step) == 0)
		return NULL;
	return step;
}

static int print(const struct place *place, int argc, char **argv)
{
	struct couplet_print_job job = {
		.user = argv[2],
		.title = argv[3],
		.codepage = place->codepage,
		.copies = argc == 7 ? (unsigned)strtoul(argv[4], NULL, 10) : 1,
	};
	int fd = argc == 7 ? open(argv[6], O_RDONLY | O_CLOEXEC) : 0, r;
	const char *why = NULL; /* of ours, not printd's */
	struct couplet_print *p;
	long id;

	if (fd < 0)
		return fail(CUPS_BACKEND_FAILED, argv[6], strerror(errno));
	r = couplet_print_open(place->id, place->lu, &p);
	if (r < 0) {
		r = fail(r == -EACCES ? CUPS_BACKEND_HOLD : CUPS_BACKEND_RETRY,
			 place->lu, couplet_print_error(p));
		couplet_print_close(p);
		return r;
	}
	why = give_up_root();
	if (why) {
		couplet_print_close(p);
		return fail(CUPS_BACKEND_STOP, "cannot give up root", why);
	}
	id = send_all(p, fd, &job, place, &why);
	why = why ? why : couplet_print_error(p);
	if (id > 0)
		fprintf(stderr, "INFO: job %ld of printd %s\n", id, place->id);
	if (id > 0)
		r = CUPS_BACKEND_OK;
	else
		r = fail(id == -ENOSPC || id == -EAGAIN ? CUPS_BACKEND_RETRY
							: CUPS_BACKEND_HOLD,
			 place->lu, why);
	couplet_print_close(p);
	return r;
}

int main(int argc, char **argv)
{
	const char *uri = getenv("DEVICE_URI");
	struct place place = {.id = ""};

	if (argc == 1) {
		puts("network couplet \"Unknown\" \"printer LU of Couplet\"");
		return 0;
	}
	if (argc < 6 || argc > 7) {
		fprintf(stderr,
			"usage: %s job user title copies options "
			"[file]\n",
			argv[0]);
		return CUPS_BACKEND_FAILED;
	}
	if (!read_uri(uri ? uri : argv[0], &place))
		return fail(CUPS_BACKEND_STOP, uri ? uri : "(no URI)",
			    "expected couplet://ID/LU");
	return print(&place, argc, argv);
}
