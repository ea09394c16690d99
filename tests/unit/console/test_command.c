#include "unit.h"

#include "console/command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct command table[] = {
	{"QUERY|Q LINKS|LINK", "", "", COMMAND_SHOW, 0, 0, 1},
	{"QUERY|Q SOCKETS", "", "", COMMAND_SHOW, 0, 0, 2},
	{"PORT", "", "", COMMAND_CHANGE, 0, 0, 3},
	{"TRACE START", "", "", COMMAND_CHANGE, 2, 0, 4},
	{"TRACE", "", "", COMMAND_SHOW, 0, 0, 5},
};

/* The id of the command, or -1 and the complaint in err. */
static int find(const char *line, int *ret_n, char *err)
{
	struct words w;
	const struct command *c;

	assert_int_equal(words_split(&w, line), 0);
	c = command_find(table, ARRAY_SIZE(table), &w, ret_n, err, 256);
	return c ? c->id : -1;
}

static void splits_at_blanks(void **state)
{
	struct words w;

	(void)state;
	assert_int_equal(words_split(&w, "  PORT\t80  SUSPEND \r\n"), 0);
	assert_int_equal(w.n, 3);
	assert_string_equal(w.w[0], "PORT");
	assert_string_equal(w.w[1], "80");
	assert_string_equal(w.w[2], "SUSPEND");
	assert_int_equal(words_split(&w, ""), 0);
	assert_int_equal(w.n, 0);
	assert_int_equal(words_split(&w, " \n"), 0);
	assert_int_equal(w.n, 0);
}

static void star_in_column_one_is_a_comment(void **state)
{
	struct words w;

	(void)state;
	assert_int_equal(words_split(&w, "* SHUTDOWN"), 0);
	assert_int_equal(w.n, 0);
	assert_int_equal(words_split(&w, "HOST *"), 0);
	assert_int_equal(w.n, 2);
}

static void quotes_keep_blanks(void **state)
{
	struct words w;

	(void)state;
	assert_int_equal(words_split(&w, "a 'b c'\"d 'e'\" ''"), 0);
	assert_int_equal(w.n, 3);
	assert_string_equal(w.w[1], "b cd 'e'");
	assert_string_equal(w.w[2], "");
	assert_int_equal(words_split(&w, "a 'b"), -EINVAL);
}

static void limits_are_kept(void **state)
{
	char line[CONSOLE_LINE_MAX + 2];
	struct words w;

	(void)state;
	for (size_t i = 0; i < sizeof line; i++)
		line[i] = i % 2 ? ' ' : 'a';
	line[2 * CONSOLE_WORDS_MAX] = '\0';
	assert_int_equal(words_split(&w, line), 0);
	assert_int_equal(w.n, CONSOLE_WORDS_MAX);
	line[2 * CONSOLE_WORDS_MAX] = 'a';
	line[2 * CONSOLE_WORDS_MAX + 1] = '\0';
	assert_int_equal(words_split(&w, line), -E2BIG);
	memset(line, 'a', sizeof line);
	line[CONSOLE_LINE_MAX + 1] = '\0';
	assert_int_equal(words_split(&w, line), -EMSGSIZE);
	line[CONSOLE_LINE_MAX] = '\0';
	assert_int_equal(words_split(&w, line), 0);
	assert_int_equal(strlen(w.w[0]), CONSOLE_LINE_MAX);
}

static void finds_any_spelling(void **state)
{
	char err[256];
	int n;

	(void)state;
	assert_int_equal(find("QUERY LINKS", &n, err), 1);
	assert_int_equal(n, 2);
	assert_int_equal(find("q link x y", &n, err), 1);
	assert_int_equal(n, 2);
	assert_int_equal(find("port 80 suspend", &n, err), 3);
	assert_int_equal(n, 1);
}

static void longest_match_wins(void **state)
{
	char err[256];
	int n;

	(void)state;
	assert_int_equal(find("TRACE START f", &n, err), 4);
	assert_int_equal(n, 2);
	assert_int_equal(find("TRACE OTHER", &n, err), 5);
	assert_int_equal(n, 1);
}

static void complaint_names_what_was_expected(void **state)
{
	char err[256];
	int n;

	(void)state;
	assert_int_equal(find("FOO", &n, err), -1);
	assert_string_equal(err, "FOO: no such command; expected QUERY, PORT, "
				 "TRACE");
	assert_int_equal(find("Q FOO", &n, err), -1);
	assert_string_equal(err, "FOO: Q takes LINKS, SOCKETS");
	assert_int_equal(find("QUERY", &n, err), -1);
	assert_string_equal(err, "QUERY takes LINKS, SOCKETS");
	/* the beginning of a keyword is not the keyword */
	assert_int_equal(find("QUER LINKS", &n, err), -1);
	assert_int_equal(find("QUERY LINKSX", &n, err), -1);
}

static void name_is_the_first_spelling(void **state)
{
	char buf[64];

	(void)state;
	assert_string_equal(command_name(&table[0], buf, sizeof buf),
			    "QUERY LINKS");
	assert_string_equal(command_name(&table[2], buf, sizeof buf), "PORT");
}

/* "MSG ..." becomes `expected`. */
static void assert_msg(const char *line, const char *expected)
{
	struct words w;
	char got[128] = "";
	size_t used = 0;

	assert_int_equal(words_split(&w, line), 0);
	words_from_msg(&w);
	for (int i = 0; i < w.n; i++)
		used += (size_t)snprintf(got + used, sizeof got - used, "%s%s",
					 i ? " " : "", w.w[i]);
	assert_string_equal(got, expected);
}

static void msg_of_zvse(void **state)
{
	(void)state;
	assert_msg("MSG STACK44,D=PORT 21 SUSPEND", "PORT 21 SUSPEND");
	assert_msg("msg s1,data=QUERY LINKS", "QUERY LINKS");
	assert_msg("MSG S1,D= PORT 21 RESUME", "PORT 21 RESUME");
	assert_msg("MSG S1", "QUERY ID");
	assert_msg("MSG S1,D=", "");
	assert_msg("MSG", "MSG");
	assert_msg("MSG S1 PORT 21", "MSG S1 PORT 21");
	assert_msg("PORT 21,D=x SUSPEND", "PORT 21,D=x SUSPEND");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(msg_of_zvse),
	cmocka_unit_test(splits_at_blanks),
	cmocka_unit_test(star_in_column_one_is_a_comment),
	cmocka_unit_test(quotes_keep_blanks),
	cmocka_unit_test(limits_are_kept),
	cmocka_unit_test(finds_any_spelling),
	cmocka_unit_test(longest_match_wins),
	cmocka_unit_test(complaint_names_what_was_expected),
	cmocka_unit_test(name_is_the_first_spelling),
};

UNIT_MAIN(tests)
