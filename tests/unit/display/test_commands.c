/* The table of commands: every one can be reached and is explained. */
#include "unit.h"

#include "commands.h"

#include <string.h>

static void every_command_is_found_by_its_name(void **state)
{
	char name[64], err[256];
	struct words w;
	int n;

	(void)state;
	for (size_t i = 0; i < stackd_n_commands; i++) {
		const struct command *c = &stackd_commands[i];

		command_name(c, name, sizeof name);
		assert_int_equal(words_split(&w, name), 0);
		assert_ptr_equal(command_find(stackd_commands,
					      stackd_n_commands, &w, &n, err,
					      sizeof err),
				 c);
		assert_int_equal(n, w.n);
		assert_true(strlen(c->what) > 5);
	}
}

static void every_id_has_a_command(void **state)
{
	bool seen[CMD__COUNT] = {false};

	(void)state;
	for (size_t i = 0; i < stackd_n_commands; i++) {
		assert_in_range(stackd_commands[i].id, 0, CMD__COUNT - 1);
		seen[stackd_commands[i].id] = true;
	}
	for (int i = 0; i < CMD__COUNT; i++)
		assert_true(seen[i]);
}

static void looking_needs_no_rights_changing_does(void **state)
{
	(void)state;
	for (size_t i = 0; i < stackd_n_commands; i++) {
		const struct command *c = &stackd_commands[i];
		bool query = strncmp(c->words, "QUERY", 5) == 0;

		if (query)
			assert_int_equal(c->right, COMMAND_SHOW);
		if (c->id == CMD_DECK || c->id == CMD_SHUTDOWN ||
		    c->id == CMD_TRACE_START || c->id == CMD_PORT ||
		    c->id == CMD_RESET)
			assert_int_equal(c->right, COMMAND_CHANGE);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(every_command_is_found_by_its_name),
	cmocka_unit_test(every_id_has_a_command),
	cmocka_unit_test(looking_needs_no_rights_changing_does),
};

UNIT_MAIN(tests)
