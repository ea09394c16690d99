#include "unit.h"

#include "daemon/args.h"

#include <stdlib.h>
#include <string.h>

static const struct daemon_spec spec = {
	.name = "testd",
	.what = "a test",
	.version = "1.2.3",
	.deck_default = "/etc/test.deck",
};

static struct daemon_options o;
static char *out, *err;

static enum args_verdict parse(const char *a1, const char *a2, const char *a3,
			       const char *a4)
{
	char *argv[6] = {NULL};
	const char *given[] = {"testd", a1, a2, a3, a4};
	size_t n_out, n_err;
	FILE *fo, *fe;
	enum args_verdict v;
	int argc = 0;

	free(out);
	free(err);
	fo = open_memstream(&out, &n_out);
	fe = open_memstream(&err, &n_err);
	for (size_t i = 0; i < ARRAY_SIZE(given) && given[i]; i++)
		argv[argc++] = strdup(given[i]);
	v = args_parse(&spec, argc, argv, &o, fo, fe);
	fclose(fo);
	fclose(fe);
	/* values are borrowed from argv: compared before they go */
	if (v == ARGS_RUN) {
		static char deck[64], run[128];

		snprintf(deck, sizeof deck, "%s", o.deck_path);
		snprintf(run, sizeof run, "%s", o.run_dir);
		o.deck_path = deck;
		o.run_dir = run;
		o.user = NULL;
	}
	while (argc)
		free(argv[--argc]);
	return v;
}

static int teardown(void **state)
{
	(void)state;
	free(out);
	free(err);
	out = err = NULL;
	return 0;
}

static void defaults(void **state)
{
	(void)state;
	assert_int_equal(parse(NULL, NULL, NULL, NULL), ARGS_RUN);
	assert_string_equal(o.deck_path, "/etc/test.deck");
	assert_string_equal(o.run_dir, DAEMON_RUN_DIR);
	assert_false(o.check || o.print || o.debug);
}

static void short_and_long_words(void **state)
{
	(void)state;
	assert_int_equal(parse("-nv", "-f", "x.deck", "-d"), ARGS_RUN);
	assert_true(o.check && o.print && o.debug);
	assert_string_equal(o.deck_path, "x.deck");
	assert_int_equal(parse("--check", "--deck=y", "--run", "/r"), ARGS_RUN);
	assert_true(o.check && !o.print);
	assert_string_equal(o.deck_path, "y");
	assert_string_equal(o.run_dir, "/r");
}

static void help_and_version(void **state)
{
	(void)state;
	assert_int_equal(parse("--help", NULL, NULL, NULL), ARGS_EXIT_OK);
	assert_non_null(strstr(out, "usage: testd"));
	assert_non_null(strstr(out, "/etc/test.deck"));
	assert_int_equal(parse("--version", NULL, NULL, NULL), ARGS_EXIT_OK);
	assert_string_equal(out, "testd 1.2.3\n");
	assert_string_equal(err, "");
}

static void mistakes_are_named(void **state)
{
	(void)state;
	assert_int_equal(parse("-x", NULL, NULL, NULL), ARGS_EXIT_USAGE);
	assert_non_null(strstr(err, "unknown option -x"));
	assert_int_equal(parse("-f", NULL, NULL, NULL), ARGS_EXIT_USAGE);
	assert_non_null(strstr(err, "no value for option -f"));
	assert_int_equal(parse("deck", NULL, NULL, NULL), ARGS_EXIT_USAGE);
	assert_non_null(strstr(err, "unexpected argument deck"));
	assert_string_equal(out, "");
}

static void run_directory_must_fit(void **state)
{
	char dir[80];

	(void)state;
	memset(dir, 'd', sizeof dir);
	dir[65] = '\0';
	assert_int_equal(parse("--run", dir, NULL, NULL), ARGS_EXIT_USAGE);
	dir[64] = '\0';
	assert_int_equal(parse("--run", dir, NULL, NULL), ARGS_RUN);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_teardown(defaults, teardown),
	cmocka_unit_test_teardown(short_and_long_words, teardown),
	cmocka_unit_test_teardown(help_and_version, teardown),
	cmocka_unit_test_teardown(mistakes_are_named, teardown),
	cmocka_unit_test_teardown(run_directory_must_fit, teardown),
};

UNIT_MAIN(tests)
