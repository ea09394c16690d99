/*
 * main_ipp.c: couplet-ipp: one document to an IPP printer with CUPS's library,
 * run by printd for IPP sessions (session/ipp.c says what is printed on
 * standard output).
 *
 *	couplet-ipp URI JOB USER TITLE COPIES FORMAT CONNECT_MS < portions
 *
 * Exit: 0 printed (job-state completed), 3 no try will help, 1 try again.
 */
#include <cups/cups.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER 65536
#define POLL_FIRST_MS 10
#define POLL_MAX_MS 10000
#define EXIT_AGAIN 1
#define EXIT_USAGE 2
#define EXIT_HOLD 3
#define OPERATIONS_MAX \
	100 /* polls without an answer before it is a failure \
	     */

struct target {
	const char *uri, *user, *title, *format;
	int copies, connect_ms;
	char scheme[32], userpass[256], host[256], resource[512];
	int port;
	http_t *http;
};

static void say(const char *word, const char *text)
{
	printf("%s %s\n", word, text);
	fflush(stdout);
}

static int give_up(int status, const char *what, const char *text)
{
	printf("REASON %s%s%s\n", what, text && *text ? ": " : "",
	       text ? text : "");
	fflush(stdout);
	return status;
}

static int dial(struct target *t)
{
	http_encryption_t enc = strcmp(t->scheme, "ipps") == 0
					? HTTP_ENCRYPTION_ALWAYS
					: HTTP_ENCRYPTION_IF_REQUESTED;

	if (httpSeparateURI(HTTP_URI_CODING_ALL, t->uri, t->scheme,
			    sizeof t->scheme, t->userpass, sizeof t->userpass,
			    t->host, sizeof t->host, &t->port, t->resource,
			    sizeof t->resource) < HTTP_URI_STATUS_OK)
		return give_up(EXIT_HOLD, "not a printer's URI", t->uri);
	t->http = httpConnect2(t->host, t->port, NULL, AF_UNSPEC, enc, 1,
			       t->connect_ms, NULL);
	if (!t->http)
		return give_up(EXIT_AGAIN, "connecting", cupsLastErrorString());
	return 0;
}

static ipp_t *request(const struct target *t, ipp_op_t op)
{
	ipp_t *r = ippNewRequest(op);

	ippAddString(r, IPP_TAG_OPERATION, IPP_TAG_URI, "printer-uri", NULL,
		     t->uri);
	ippAddString(r, IPP_TAG_OPERATION, IPP_TAG_NAME, "requesting-user-name",
		     NULL, t->user);
	return r;
}

/* Is another try of any use? */
static int verdict(ipp_status_t s)
{
	static const ipp_status_t never[] = {
		IPP_STATUS_ERROR_NOT_AUTHENTICATED,
		IPP_STATUS_ERROR_NOT_AUTHORIZED,
		IPP_STATUS_ERROR_FORBIDDEN,
		IPP_STATUS_ERROR_NOT_FOUND,
		IPP_STATUS_ERROR_DOCUMENT_FORMAT_NOT_SUPPORTED,
		IPP_STATUS_ERROR_DOCUMENT_FORMAT_ERROR,
		IPP_STATUS_ERROR_BAD_REQUEST,
		IPP_STATUS_ERROR_ATTRIBUTES_OR_VALUES,
	};

	for (size_t i = 0; i < sizeof never / sizeof *never; i++)
		if (s == never[i])
			return EXIT_HOLD;
	return EXIT_AGAIN;
}

/* Exactly `len` bytes of standard input: 0, or -1. */
static int read_all(void *buf, size_t len)
{
	char *p = buf;

	while (len) {
		ssize_t n = read(STDIN_FILENO, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The next portion (see session/ipp.c): its length, 0 at the end of the
 * document, -1: printd is gone, and what came is not all. */
static long read_portion(char *buf)
{
	unsigned char head[4];
	unsigned long n;

	if (read_all(head, sizeof head) < 0)
		return -1;
	n = (unsigned long)head[0] << 24 | (unsigned long)head[1] << 16 |
	    (unsigned long)head[2] << 8 | head[3];
	if (n > BUFFER || read_all(buf, n) < 0)
		return -1;
	return (long)n;
}

/* The document behind its request: 0, or an exit status. */
static int write_document(struct target *t, ipp_t *req)
{
	static char buf[BUFFER];
	http_status_t hs = cupsSendRequest(t->http, req, t->resource,
					   CUPS_LENGTH_VARIABLE);
	long n = 0;

	while (hs == HTTP_STATUS_CONTINUE && (n = read_portion(buf)) > 0)
		hs = cupsWriteRequestData(t->http, buf, (size_t)n);
	/* the request stays without its end, so the printer throws it away */
	if (n < 0)
		_exit(EXIT_AGAIN);
	if (hs != HTTP_STATUS_CONTINUE && hs != HTTP_STATUS_OK)
		return give_up(EXIT_AGAIN, "sending", httpStatus(hs));
	printf("SENT\n");
	fflush(stdout);
	return 0;
}

static int print_job(struct target *t, int *ret_job)
{
	ipp_t *req = request(t, IPP_OP_PRINT_JOB), *answer;
	ipp_attribute_t *id;
	ipp_status_t s;
	int r;

	ippAddString(req, IPP_TAG_OPERATION, IPP_TAG_NAME, "job-name", NULL,
		     t->title);
	ippAddString(req, IPP_TAG_OPERATION, IPP_TAG_MIMETYPE,
		     "document-format", NULL, t->format);
	if (t->copies > 1)
		ippAddInteger(req, IPP_TAG_JOB, IPP_TAG_INTEGER, "copies",
			      t->copies);
	r = write_document(t, req);
	ippDelete(req);
	if (r)
		return r;
	answer = cupsGetResponse(t->http, t->resource);
	s = cupsLastError();
	if (s > IPP_STATUS_OK_CONFLICTING) {
		ippDelete(answer);
		return give_up(verdict(s), "the printer refuses the job",
			       cupsLastErrorString());
	}
	id = ippFindAttribute(answer, "job-id", IPP_TAG_INTEGER);
	*ret_job = id ? ippGetInteger(id, 0) : 0;
	ippDelete(answer);
	return *ret_job ? 0
			: give_up(EXIT_AGAIN, "the printer gave no job-id", "");
}

static void tell_pages(ipp_t *answer)
{
	ipp_attribute_t *a = ippFindAttribute(
		answer, "job-impressions-completed", IPP_TAG_INTEGER);

	if (a && ippGetInteger(a, 0) > 0) {
		printf("PAGES %d\n", ippGetInteger(a, 0));
		fflush(stdout);
	}
}

static void tell_state(ipp_t *answer)
{
	ipp_attribute_t *a = ippFindAttribute(
		answer, "job-printer-state-message", IPP_TAG_TEXT);
	const char *text = a ? ippGetString(a, 0, NULL) : NULL;

	if (!text || !*text) {
		a = ippFindAttribute(answer, "job-state-reasons",
				     IPP_TAG_KEYWORD);
		text = a ? ippGetString(a, 0, NULL) : NULL;
	}
	if (text && *text)
		say("STATE", text);
}

/* -1: not over yet; else an exit status. */
static int look(struct target *t, int job)
{
	static const char *const wanted[] = {"job-state", "job-state-reasons",
					     "job-impressions-completed",
					     "job-printer-state-message"};
	ipp_t *req = request(t, IPP_OP_GET_JOB_ATTRIBUTES), *answer;
	ipp_attribute_t *a;
	int state;

	ippAddInteger(req, IPP_TAG_OPERATION, IPP_TAG_INTEGER, "job-id", job);
	ippAddStrings(req, IPP_TAG_OPERATION, IPP_TAG_KEYWORD,
		      "requested-attributes", 4, NULL, wanted);
	answer = cupsDoRequest(t->http, req, t->resource);
	a = ippFindAttribute(answer, "job-state", IPP_TAG_ENUM);
	state = a ? ippGetInteger(a, 0) : 0;
	if (!state) {
		ippDelete(answer);
		return -2;
	}
	tell_pages(answer);
	if (state < IPP_JSTATE_CANCELED)
		tell_state(answer);
	ippDelete(answer);
	switch (state) {
	case IPP_JSTATE_COMPLETED:
		return 0;
	case IPP_JSTATE_CANCELED:
		return give_up(EXIT_HOLD, "cancelled at the printer", "");
	case IPP_JSTATE_ABORTED:
		return give_up(EXIT_HOLD, "aborted by the printer", "");
	default:
		return -1;
	}
}

static int wait_for(struct target *t, int job)
{
	unsigned silent = 0;
	int pause = POLL_FIRST_MS;

	for (;;) {
		int r = look(t, job);

		if (r >= 0)
			return r;
		silent = r == -2 ? silent + 1 : 0;
		if (silent >= OPERATIONS_MAX)
			return give_up(EXIT_HOLD,
				       "the printer no longer tells of its job",
				       cupsLastErrorString());
		(void)poll(NULL, 0, pause);
		pause = pause * 2 < POLL_MAX_MS ? pause * 2 : POLL_MAX_MS;
	}
}

int main(int argc, char **argv)
{
	static struct target t;
	int job = 0, r;

	if (argc != 8) {
		fprintf(stderr, "usage: couplet-ipp URI JOB USER TITLE COPIES "
				"FORMAT CONNECT_MS\n");
		return EXIT_USAGE;
	}
	t.uri = argv[1];
	t.user = argv[3];
	t.title = argv[4];
	t.copies = (int)strtol(argv[5], NULL, 10);
	t.format = argv[6];
	t.connect_ms = (int)strtol(argv[7], NULL, 10);
	r = dial(&t);
	if (r == 0)
		r = print_job(&t, &job);
	if (r == 0)
		r = wait_for(&t, job);
	httpClose(t.http);
	return r;
}
