#include "daemon/args.h"

#include <getopt.h>
#include <string.h>

enum { OPT_RUN = 256, OPT_USER, OPT_HELP, OPT_VERSION };

static void print_usage(const struct daemon_spec *spec, FILE *f)
{
	fprintf(f, "usage: %s [-dnv] [-f deck] [--run dir] [--user name]\n",
		spec->name);
}

static void print_help(const struct daemon_spec *spec, FILE *f)
{
	fprintf(f, "%s: %s\n\n", spec->name, spec->what);
	print_usage(spec, f);
	fprintf(f,
		"\n"
		"  -f, --deck deck   read this deck (default %s)\n"
		"  -n, --check       check the deck and exit\n"
		"  -v, --print       with -n: print the canonical deck\n"
		"  -d, --debug       say more on stderr, allow a debugger\n"
		"      --run dir     run directory (default %s)\n"
		"      --user name   whom to become when started as root"
		" (default %s)\n"
		"      --help        this text\n"
		"      --version     print the version\n"
		"\n"
		"The daemon stays in the foreground. SIGTERM ends it, SIGHUP"
		" reads the deck\nagain. See %s(8) and couplet-deck(5).\n",
		spec->deck_default, DAEMON_RUN_DIR, DAEMON_USER, spec->name);
}

static const struct option long_options[] = {
	{"deck", required_argument, NULL, 'f'},
	{"check", no_argument, NULL, 'n'},
	{"print", no_argument, NULL, 'v'},
	{"debug", no_argument, NULL, 'd'},
	{"run", required_argument, NULL, OPT_RUN},
	{"user", required_argument, NULL, OPT_USER},
	{"help", no_argument, NULL, OPT_HELP},
	{"version", no_argument, NULL, OPT_VERSION},
	{NULL, 0, NULL, 0},
};

enum args_verdict args_parse(const struct daemon_spec *spec, int argc,
			     char **argv, struct daemon_options *ret, FILE *out,
			     FILE *err)
{
	int c;

	*ret = (struct daemon_options){.deck_path = spec->deck_default,
				       .run_dir = DAEMON_RUN_DIR,
				       .user = DAEMON_USER};
	optind = 0; /* may be called more than once in a process */
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":f:nvd", long_options, NULL)) !=
	       -1) {
		switch (c) {
		case 'f':
			ret->deck_path = optarg;
			break;
		case 'n':
			ret->check = true;
			break;
		case 'v':
			ret->print = true;
			break;
		case 'd':
			ret->debug = true;
			break;
		case OPT_RUN:
			ret->run_dir = optarg;
			break;
		case OPT_USER:
			ret->user = optarg;
			break;
		case OPT_HELP:
			print_help(spec, out);
			return ARGS_EXIT_OK;
		case OPT_VERSION:
			fprintf(out, "%s %s\n", spec->name, spec->version);
			return ARGS_EXIT_OK;
		default:
			fprintf(err, "%s: %s option %s\n", spec->name,
				c == ':' ? "no value for" : "unknown",
				argv[optind - 1]);
			print_usage(spec, err);
			return ARGS_EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(err, "%s: unexpected argument %s\n", spec->name,
			argv[optind]);
		print_usage(spec, err);
		return ARGS_EXIT_USAGE;
	}
	if (strlen(ret->run_dir) > 64) {
		/* socket paths below it must fit into sun_path */
		fprintf(err, "%s: --run: at most 64 characters\n", spec->name);
		return ARGS_EXIT_USAGE;
	}
	return ARGS_RUN;
}
