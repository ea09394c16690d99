#include "unit.h"

#include "daemon/limit.h"
#include "daemon/log.h"

#include <string.h>

struct seen {
	unsigned n;
	char line[MSG_LINE_MAX];
	char fields[16][300];
	int n_fields;
};

static void sink(void *arg, const char *line, const char *const *fields, int n)
{
	struct seen *s = arg;

	s->n++;
	snprintf(s->line, sizeof s->line, "%s", line);
	s->n_fields = n;
	for (int i = 0; i < n && i < 16; i++)
		snprintf(s->fields[i], sizeof s->fields[i], "%s", fields[i]);
}

static struct seen seen;

static int setup(void **state)
{
	(void)state;
	memset(&seen, 0, sizeof seen);
	log_open("testd", "44");
	log_set_sink(sink, &seen);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	log_set_sink(NULL, NULL);
	return 0;
}

static void line_and_fields(void **state)
{
	static const char *const expected[] = {
		"MESSAGE=CPLT102E DEVICE OSA0 died: gone",
		"PRIORITY=3",
		"SYSLOG_IDENTIFIER=testd",
		"COUPLET_MSG=CPLT102E",
		"COUPLET_INSTANCE=44",
		"COUPLET_DEVICE=OSA0",
		"COUPLET_CAUSE=gone",
	};

	(void)state;
	log_msg(MSG_CPLT102E, "OSA0", "gone");
	assert_int_equal(seen.n, 1);
	assert_string_equal(seen.line, "CPLT102E DEVICE OSA0 died: gone");
	assert_int_equal(seen.n_fields, ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_string_equal(seen.fields[i], expected[i]);
}

static void event_is_written_once_then_counted(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++)
		log_msg(MSG_CPLT102E, "OSA0", "gone");
	assert_int_equal(seen.n, 1);
	log_msg(MSG_CPLT102E, "OSA1", "gone");
	assert_int_equal(seen.n, 2);
	assert_false(mono_is_never(log_deadline()));
	log_flush(false);
	assert_int_equal(seen.n, 2);
	log_flush(true);
	assert_int_equal(seen.n, 3);
	assert_string_equal(seen.line, "CPLT005W CPLT102E DEVICE OSA0 died: "
				       "gone repeated 99 times in 1 s");
	assert_true(mono_is_never(log_deadline()));
}

static void flood_of_one_kind_is_bounded(void **state)
{
	char name[16];

	(void)state;
	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof name, "D%d", i);
		log_msg(MSG_CPLT102E, name, "gone");
	}
	assert_int_equal(seen.n, LIMIT_BURST);
	log_flush(true);
	assert_non_null(strstr(seen.line, "CPLT102E repeated 4950 times"));
}

static void control_bytes_cannot_forge_a_line(void **state)
{
	(void)state;
	log_msg(MSG_CPLT102E, "A\nCPLT002I ready", "\033[2J");
	assert_null(strchr(seen.line, '\n'));
	assert_null(strchr(seen.line, '\033'));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(line_and_fields, setup, teardown),
	cmocka_unit_test_setup_teardown(event_is_written_once_then_counted,
					setup, teardown),
	cmocka_unit_test_setup_teardown(flood_of_one_kind_is_bounded, setup,
					teardown),
	cmocka_unit_test_setup_teardown(control_bytes_cannot_forge_a_line,
					setup, teardown),
};

UNIT_MAIN(tests)
