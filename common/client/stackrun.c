/*
 * stackrun: runs a program on a Couplet stack, see stackrun(1). Chooses the
 * stack, takes the program out of the host's network, sets up the preload
 * library and the supervisor (trap.h), and becomes the program.
 */
#include "client/stackrun.h"

#include "client/ctl.h"
#include "client/id.h"
#include "deck/deck.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_DECK "/etc/couplet/stackrun.deck"

_Noreturn void stackrun_die(int status, const char *fmt, ...)
{
	va_list ap;

	fputs("stackrun: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(status);
}

static const char usage_text[] =
	"usage: stackrun [-hn] [-i ID] [--deck FILE] [--mode MODE] [--run DIR]\n"
	"                PROGRAM [ARGUMENT...]\n"
	"  -i, --id ID    stack, two digits; otherwise --deck, $COUPLET_ID,\n"
	"                 $SYSPARM, " DEFAULT_DECK ",\n"
	"                 or the only stack that is running\n"
	"  --deck FILE    the stack that OPTION SYSPARM='nn' or ID nn of a deck\n"
	"                 names\n"
	"  --mode MODE    auto (default): preload library, and seccomp behind\n"
	"                 it; preload or seccomp: this one alone\n"
	"  --run DIR      directory of the stacks, default $COUPLET_RUN or\n"
	"                 " PROTO_RUN_DIR "\n"
	"  -n, --host-network\n"
	"                 stay in the host's network namespace\n"
	"  -h, --help     this text\n"
	"  --version      print the version\n";

_Noreturn static void usage(void)
{
	fputs(usage_text, stderr);
	exit(2);
}

struct options {
	const char *id, *run, *deck;
	enum stackrun_mode mode;
	bool host_net;
	char **argv;
};

static enum stackrun_mode mode_of(const char *word)
{
	static const char *const words[] = {"auto", "preload", "seccomp"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!strcmp(word, words[i]))
			return (enum stackrun_mode)i;
	}
	stackrun_die(2, "--mode is auto, preload or seccomp, not \"%s\"", word);
}

/* `arg` is option `name` (or `brief`) with a value, which it returns. */
static const char *valued(const char *name, const char *brief, char **argv,
			  int *i)
{
	size_t n = strlen(name);

	if (!strncmp(argv[*i], name, n) && argv[*i][n] == '=')
		return argv[*i] + n + 1;
	if ((strcmp(argv[*i], name) != 0 &&
	     (!brief || strcmp(argv[*i], brief) != 0)) ||
	    !argv[*i + 1])
		return NULL;
	return argv[++*i];
}

static void option(struct options *o, char **argv, int *i)
{
	const char *v;

	if (!strcmp(argv[*i], "-n") || !strcmp(argv[*i], "--host-network")) {
		o->host_net = true;
	} else if (!strcmp(argv[*i], "-h") || !strcmp(argv[*i], "--help")) {
		fputs(usage_text, stdout);
		exit(0);
	} else if (!strcmp(argv[*i], "--version")) {
		puts("stackrun " COUPLET_VERSION);
		exit(0);
	} else if ((v = valued("--id", "-i", argv, i))) {
		o->id = v;
	} else if ((v = valued("--run", NULL, argv, i))) {
		o->run = v;
	} else if ((v = valued("--deck", NULL, argv, i))) {
		o->deck = v;
	} else if ((v = valued("--mode", NULL, argv, i))) {
		o->mode = mode_of(v);
	} else {
		fprintf(stderr,
			"stackrun: %s: no such option, or its value is "
			"missing\n",
			argv[*i]);
		usage();
	}
}

static struct options parse(int argc, char **argv)
{
	struct options o = {0};
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--")) {
			i++;
			break;
		}
		option(&o, argv, &i);
	}
	if (i >= argc)
		usage();
	o.argv = argv + i;
	return o;
}

/* ---- which stack
 * --------------------------------------------------------------- */

static int running(int id)
{
	struct proto_req rq = {.op = PROTO_CONFIG, .flags = PROTO_F_NOSOCK};
	struct proto_config cf;
	struct proto_rep rep;

	return ctl_call((unsigned)id, -1, &rq, &rep, &cf, sizeof(cf));
}

static int only_one(const char *run)
{
	DIR *d = opendir(run);
	struct dirent *e;
	int found = -1;

	while (d && (e = readdir(d))) {
		int id = id_parse(e->d_name);

		if (id < 0 || running(id) < 0)
			continue;
		if (found >= 0)
			stackrun_die(STACKRUN_CANNOT,
				     "several stacks are running in %s: "
				     "say which one with -i",
				     run);
		found = id;
	}
	if (d)
		closedir(d);
	if (found < 0)
		stackrun_die(STACKRUN_CANNOT, "no stack is running in %s", run);
	return found;
}

/* The ID in a deck: SYSPARM of its JCL, else its ID command. `id`: at least 3
 * bytes. False: it names none. */
static bool deck_id(const char *path, char *id, size_t len)
{
	struct deck_report report;
	const struct deck_command *cmd;
	struct deck *d;
	uint32_t it = 0;
	bool found;

	deck_report_init(&report);
	if (deck_read(path, NULL, &report, &d) < 0 || report.n_errors) {
		deck_report_print(&report, stderr);
		exit(STACKRUN_CANNOT);
	}
	snprintf(id, len, "%.*s", (int)len - 1, deck_settings(d)->sysparm);
	while (!id[0] && (cmd = deck_next(d, &it))) {
		if (!strcmp(cmd->keyword, "ID") && cmd->n_operands)
			snprintf(id, len, "%.*s", (int)len - 1,
				 cmd->operands[0].text);
	}
	found = id[0] != '\0';
	deck_free(d);
	deck_report_fini(&report);
	return found;
}

static const char *from_env(const char *name)
{
	const char *v = getenv(name);

	return v && *v ? v : NULL;
}

/* The text that names the stack, NULL when nobody has named one. */
static const char *named(const struct options *o, char *id, size_t len)
{
	if (o->id)
		return o->id;
	if (o->deck) {
		if (!deck_id(o->deck, id, len))
			stackrun_die(2,
				     "%s names no stack: expected OPTION "
				     "SYSPARM='nn' or ID nn",
				     o->deck);
		return id;
	}
	if (from_env("COUPLET_ID"))
		return from_env("COUPLET_ID");
	if (from_env("SYSPARM"))
		return from_env("SYSPARM");
	if (access(DEFAULT_DECK, R_OK) == 0 && deck_id(DEFAULT_DECK, id, len))
		return id;
	return NULL;
}

/* The number of the stack, which is running and may be used. */
static unsigned choose(const struct options *o)
{
	const char *run = o->run ? o->run : from_env("COUPLET_RUN");
	char text[DECK_VALUE_MAX + 1];
	const char *id = named(o, text, sizeof(text));
	int n, r;

	if (!run)
		run = PROTO_RUN_DIR;
	setenv("COUPLET_RUN", run, 1);
	n = id ? id_parse(id) : only_one(run);
	if (n < 0)
		stackrun_die(2, "the ID of a stack is two digits, not \"%s\"",
			     id);
	r = running(n);
	if (r == -EACCES)
		stackrun_die(STACKRUN_CANNOT, "you may not use stack %02d", n);
	if (r < 0)
		stackrun_die(STACKRUN_CANNOT,
			     "stack %02d is not running (nobody answers at "
			     "%s/%02d/control)",
			     n, run, n);
	snprintf(text, sizeof(text), "%02u", (unsigned)n % 100);
	setenv("COUPLET_ID", text, 1);
	return (unsigned)n;
}

/* ---- the program
 * ----------------------------------------------------------------- */

/* Ends unless the preload library alone will do. */
static void check_preload(enum stackrun_kind kind, const char *path)
{
	switch (kind) {
	case STACKRUN_DYNAMIC:
		return;
	case STACKRUN_STATIC:
		stackrun_die(STACKRUN_CANNOT,
			     "%s is statically linked: nothing can be "
			     "preloaded into it",
			     path);
	case STACKRUN_SETID:
		stackrun_die(STACKRUN_CANNOT,
			     "%s is set-user-ID or has capabilities: the "
			     "loader would ignore the preload library and the "
			     "program would use the host's network; run it as "
			     "the user it becomes",
			     path);
	case STACKRUN_OTHER_ABI:
		break;
	}
}

static void supervise(const struct options *o, unsigned id, bool isolated,
		      enum stackrun_kind kind, const char *path)
{
	int r = stackrun_supervise(id, isolated);

	if (r == 0)
		return;
	if (o->mode == STACKRUN_SECCOMP)
		stackrun_die(STACKRUN_CANNOT, "no supervisor (%s): %s",
			     strerror(-r),
			     r == -EBUSY ? "this process has one already"
					 : "--mode=preload does without");
	/* inside another stackrun, or a user who may not trace */
	check_preload(kind, path);
	if (!isolated)
		fprintf(stderr,
			"stackrun: warning: neither a network namespace nor a "
			"supervisor (%s): sockets that the preload library "
			"does not see would reach the host's network\n",
			strerror(-r));
}

static void become(const char *path, char **argv)
{
	execv(path, argv);
	/* a script without "#!": what the shell would do */
	if (errno == ENOEXEC) {
		size_t n = 0;
		char **v;

		while (argv[n])
			n++;
		v = calloc(n + 2, sizeof(*v));
		if (v) {
			memcpy(v + 1, argv, n * sizeof(*v));
			v[0] = (char *)(uintptr_t) "sh";
			v[1] = (char *)(uintptr_t)path;
			execv("/bin/sh", v);
		}
	}
	stackrun_die(STACKRUN_CANNOT, "%s: %s", path, strerror(errno));
}

int main(int argc, char **argv)
{
	struct options o = parse(argc, argv);
	char path[PATH_MAX], decider[PATH_MAX];
	unsigned id = choose(&o);
	enum stackrun_kind kind;
	bool isolated;

	stackrun_find(o.argv[0], path);
	kind = stackrun_kind(path, decider);
	if (kind == STACKRUN_OTHER_ABI)
		stackrun_die(
			STACKRUN_CANNOT,
			"%s is a 32-bit program; the preload library is "
			"not, and the supervisor knows the calls of 64-bit "
			"programs only",
			decider);
	if (o.mode == STACKRUN_PRELOAD)
		check_preload(kind, decider);
	if (o.mode != STACKRUN_SECCOMP)
		stackrun_set_preload();
	isolated = !o.host_net &&
		   stackrun_leave_network(id, o.mode != STACKRUN_PRELOAD);
	if (o.mode == STACKRUN_PRELOAD && !o.host_net && !isolated)
		fprintf(stderr,
			"stackrun: warning: no network namespace of its own "
			"(%s): sockets that the preload library does not see "
			"would reach the host's network\n",
			strerror(errno));
	if (o.mode != STACKRUN_PRELOAD)
		supervise(&o, id, isolated, kind, decider);
	become(path, o.argv);
}
