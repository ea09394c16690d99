/*
 * printctl.c: the console program of printd, and `printctl SUBMIT`, which is
 * no console command: it needs no operator's rights and goes through the
 * application interface, as any program's job does.
 */
#include "appl/couplet-print.h"
#include "commands.h"
#include "console/ctl.h"
#include "console/proto.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define BUFFER 32768
#define RECORD_MAX 65536
#define IAC 0xff
#define EOR 0xef

struct submit {
	const char *id, *lu;
	struct couplet_print_job job;
	bool form_given, wait, json;
	struct couplet_print *p;
	/* LU3 records as on the wire */
	unsigned char record[RECORD_MAX];
	size_t len;
	bool iac;
};

static void usage(FILE *f)
{
	fputs("usage: printctl [-i ID] SUBMIT lu [options] [file ...]\n"
	      "  --form F      TEXT, SCS, LU3, PDF or RAW; otherwise PDF is "
	      "recognised and\n"
	      "                everything else is TEXT\n"
	      "  --title T     default: the file's name\n"
	      "  --codepage P  of a text, for example IBM-1141 (default "
	      "UTF-8)\n"
	      "  --copies N\n"
	      "  --hold        wait for an operator\n"
	      "  --wait        until it is printed (0) or held (1)\n"
	      "  --user U, --host H  on whose behalf (root)\n"
	      "Without a file, or with -, standard input is read. An LU3 file "
	      "holds records,\neach ended by FF EF (FF in data doubled), or is "
	      "one record.\n",
	      f);
}

enum {
	OPT_FORM = 256,
	OPT_TITLE,
	OPT_PAGE,
	OPT_COPIES,
	OPT_HOLD,
	OPT_WAIT,
	OPT_USER,
	OPT_HOST,
	OPT_HELP,
};

static const struct option submit_options[] = {
	{"form", required_argument, NULL, OPT_FORM},
	{"title", required_argument, NULL, OPT_TITLE},
	{"codepage", required_argument, NULL, OPT_PAGE},
	{"copies", required_argument, NULL, OPT_COPIES},
	{"hold", no_argument, NULL, OPT_HOLD},
	{"wait", no_argument, NULL, OPT_WAIT},
	{"user", required_argument, NULL, OPT_USER},
	{"host", required_argument, NULL, OPT_HOST},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0},
};

static bool read_form(struct submit *s, const char *name)
{
	static const char *const names[] = {"TEXT", "SCS", "LU3", "PDF", "RAW"};

	for (int i = 0; i < 5; i++) {
		if (strcasecmp(name, names[i]) == 0) {
			s->job.form = (enum couplet_print_form)i;
			s->form_given = true;
			return true;
		}
	}
	fprintf(stderr,
		"printctl: --form %s: expected TEXT, SCS, LU3, PDF or "
		"RAW\n",
		name);
	return false;
}

static bool read_copies(struct submit *s, const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || !n || n > 9999) {
		fprintf(stderr, "printctl: --copies %s: expected 1..9999\n",
			text);
		return false;
	}
	s->job.copies = (unsigned)n;
	return true;
}

/* -1: go on; else the exit status. */
static int read_options(struct submit *s, int argc, char **argv)
{
	bool ok = true;
	int o;

	optind = 1;
	while (ok &&
	       (o = getopt_long(argc, argv, "", submit_options, NULL)) != -1) {
		switch (o) {
		case OPT_FORM:
			ok = read_form(s, optarg);
			break;
		case OPT_TITLE:
			s->job.title = optarg;
			break;
		case OPT_PAGE:
			s->job.codepage = optarg;
			break;
		case OPT_COPIES:
			ok = read_copies(s, optarg);
			break;
		case OPT_HOLD:
			s->job.hold = 1;
			break;
		case OPT_WAIT:
			s->wait = true;
			break;
		case OPT_USER:
			s->job.user = optarg;
			break;
		case OPT_HOST:
			s->job.host = optarg;
			break;
		case OPT_HELP:
			usage(stdout);
			return CONSOLE_OK;
		default:
			ok = false;
			break;
		}
	}
	if (!ok || optind >= argc) {
		usage(stderr);
		return CONSOLE_USAGE;
	}
	s->lu = argv[optind++];
	return -1;
}

/* ---- a file
 * ------------------------------------------------------------------------ */

static int end_record(struct submit *s)
{
	int r = couplet_print_data(s->p, s->record, s->len, COUPLET_PRINT_ONLY);

	s->len = 0;
	return r;
}

static int lu3_byte(struct submit *s, unsigned char c)
{
	if (s->iac) {
		s->iac = false;
		if (c == EOR)
			return end_record(s);
	} else if (c == IAC) {
		s->iac = true;
		return 0;
	}
	if (s->len == RECORD_MAX)
		return -EMSGSIZE;
	s->record[s->len++] = c;
	return 0;
}

static int send_bytes(struct submit *s, const unsigned char *data, size_t len)
{
	int r = 0;

	if (s->job.form != COUPLET_PRINT_LU3)
		return couplet_print_data(s->p, data, len, COUPLET_PRINT_ONLY);
	for (size_t i = 0; i < len && r == 0; i++)
		r = lu3_byte(s, data[i]);
	return r;
}

/* Begins the job when its first bytes tell what it is. */
static int begin(struct submit *s, const char *name, const unsigned char *data,
		 size_t len)
{
	const char *slash = strrchr(name, '/');
	struct couplet_print_job job;

	if (!s->form_given)
		s->job.form = len >= 5 && memcmp(data, "%PDF-", 5) == 0
				      ? COUPLET_PRINT_PDF
				      : COUPLET_PRINT_TEXT;
	job = s->job;
	if (!job.title)
		job.title = strcmp(name, "-") == 0 ? "stdin"
			    : slash                ? slash + 1
						   : name;
	s->len = 0;
	s->iac = false;
	return couplet_print_begin(s->p, &job);
}

/* *ret_ours: the error is not printd's, but that of reading the file. */
static int copy(struct submit *s, const char *name, int fd, bool *ret_ours)
{
	unsigned char buf[BUFFER];
	ssize_t n = read(fd, buf, sizeof buf);
	int r;

	*ret_ours = n < 0;
	if (n < 0)
		return -errno;
	r = begin(s, name, buf, (size_t)n);
	while (r == 0 && n > 0) {
		r = send_bytes(s, buf, (size_t)n);
		if (r == 0)
			n = read(fd, buf, sizeof buf);
		if (n < 0) {
			r = -errno;
			*ret_ours = true;
		}
	}
	if (r == 0 && s->len)
		r = end_record(s);
	return r;
}

static int report(struct submit *s, long job)
{
	int state = s->wait ? couplet_print_wait(s->p, job) : 0;

	if (state < 0) {
		fprintf(stderr, "printctl: %s\n", couplet_print_error(s->p));
		return CONSOLE_FAILED;
	}
	if (s->json)
		printf("{\"job\": %ld, \"lu\": \"%s\"}\n", job, s->lu);
	else
		printf("job %ld for %s\n", job, s->lu);
	if (state != COUPLET_PRINT_DONE)
		fprintf(stderr, "printctl: job %ld: %s\n", job,
			couplet_print_error(s->p));
	return state == COUPLET_PRINT_DONE ? CONSOLE_OK : CONSOLE_FAILED;
}

static int submit_file(struct submit *s, const char *name)
{
	bool in = strcmp(name, "-") == 0, ours = false;
	int fd = in ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC), r;
	long job;

	if (fd < 0) {
		fprintf(stderr, "printctl: %s: %s\n", name, strerror(errno));
		return CONSOLE_FAILED;
	}
	r = copy(s, name, fd, &ours);
	if (!in)
		close(fd);
	job = r == 0 ? couplet_print_end(s->p) : r;
	if (job > 0)
		return report(s, job);
	fprintf(stderr, "printctl: %s: %s\n", name,
		ours || !couplet_print_error(s->p)[0]
			? strerror((int)-job)
			: couplet_print_error(s->p));
	(void)couplet_print_abort(s->p);
	return CONSOLE_FAILED;
}

static int submit(struct submit *s, int argc, char **argv)
{
	int status = read_options(s, argc, argv), r;

	if (status >= 0)
		return status;
	r = couplet_print_open(s->id, s->lu, &s->p);
	if (r < 0) {
		fprintf(stderr, "printctl: %s: %s\n", s->lu,
			couplet_print_error(s->p));
		status = strstr(couplet_print_error(s->p), "LU")
				 ? CONSOLE_FAILED
				 : CONSOLE_NO_DAEMON;
		couplet_print_close(s->p);
		return status;
	}
	status = CONSOLE_OK;
	if (optind == argc)
		status = submit_file(s, "-");
	for (int i = optind; i < argc; i++) {
		r = submit_file(s, argv[i]);
		status = r == CONSOLE_OK ? status : r;
	}
	couplet_print_close(s->p);
	return status;
}

/* The word SUBMIT behind our own options, or 0. */
static int find_submit(struct submit *s, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcasecmp(argv[i], "SUBMIT") == 0)
			return i;
		if (strcmp(argv[i], "-j") == 0 ||
		    strcmp(argv[i], "--json") == 0)
			s->json = true;
		else if ((strcmp(argv[i], "-i") == 0 ||
			  strcmp(argv[i], "--id") == 0) &&
			 i + 1 < argc)
			s->id = argv[++i];
		else if (strcmp(argv[i], "--run") == 0 && i + 1 < argc)
			setenv("COUPLET_RUN", argv[++i], 1);
		else
			return 0;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct submit s;
	const struct ctl_spec spec = {
		.name = "printctl",
		.daemon = "printd",
		.version = COUPLET_VERSION,
		.socket = "printd-%s/console",
		.table = printd_commands,
		.n_table = printd_n_commands,
	};
	int at = find_submit(&s, argc, argv);

	return at ? submit(&s, argc - at, argv + at)
		  : ctl_main(&spec, argc, argv);
}
