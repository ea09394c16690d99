#include "deck_test.h"
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- records
 * ------------------------------------------------------------------- */

static void test_bare(void **state)
{
	struct test_deck t = {0};
	const struct deck_command *c;
	uint32_t it = 0;

	(void)state;
	test_deck_read(&t,
		       "* a comment\n*\n*no blank\n\n   \n"
		       "title  *** two  blanks ***  \r\n"
		       "\tOpen\tVse01 1023\n"
		       "/*\n/&\n* $$ EOJ\n",
		       NULL);
	test_deck_notes(&t, "");
	assert_int_equal(deck_count(t.deck), 2);
	c = deck_next(t.deck, &it);
	assert_string_equal(c->keyword, "TITLE");
	assert_int_equal(c->line, 6);
	assert_int_equal(c->column, 1);
	assert_int_equal(c->n_operands, 4);
	assert_string_equal(c->operands[0].text, "***");
	assert_int_equal(c->operands[0].column, 8);
	assert_string_equal(deck_command_rest(c, 0), "*** two  blanks ***");
	assert_string_equal(deck_command_rest(c, 4), "");
	c = deck_next(t.deck, &it);
	assert_string_equal(c->keyword, "OPEN");
	assert_string_equal(c->operands[0].text, "Vse01");
	assert_int_equal(c->column, 2);
	assert_int_equal(c->operands[1].column, 13);
	assert_string_equal(c->file, "dir/d");
	assert_null(deck_next(t.deck, &it));
	test_deck_done(&t);
}

static void test_no_newline_at_end(void **state)
{
	struct test_deck t = {0};

	(void)state;
	test_deck_read(&t, "ID 02", NULL);
	test_deck_commands(&t, "ID 02\n");
	test_deck_done(&t);
	test_deck_read(&t, "", NULL);
	test_deck_commands(&t, "");
	test_deck_done(&t);
}

static void test_after_end_of_data(void **state)
{
	struct test_deck t = {0};

	(void)state;
	test_deck_read(&t, "ID 02\n/*\n* fine\n\nID 03\nID 04\n", NULL);
	test_deck_commands(&t, "ID 02\n");
	test_deck_notes(&t, "5:1: warning: records after the end of the data "
			    "(/*) are not read\n");
	test_deck_done(&t);
}

static void test_cards(void **state)
{
	struct test_deck t = {0};
	char text[400];

	(void)state;
	/* eight digits after a blank in column 72 of exactly 80 */
	snprintf(text, sizeof(text),
		 "%-72s00000010\n%-72sABC00010\n%-71sX%s\n"
		 "%-72s00000010 \n",
		 "ID 02", "TITLE words", "TITLE", "00000010", "TITLE");
	test_deck_read(&t, text, NULL);
	test_deck_notes(&t, "1:73: note: sequence numbers in columns 73-80 "
			    "are not read\n");
	snprintf(text, sizeof(text),
		 "ID 02\n%-72sABC00010\n%-71sX%s\n"
		 "%-72s00000010\n",
		 "TITLE words", "TITLE", "00000010", "TITLE");
	test_deck_commands(&t, text);
	test_deck_done(&t);
}

static void test_long_and_odd_records(void **state)
{
	struct test_deck t = {0};
	char text[2 * DECK_RECORD_MAX + 64];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[DECK_RECORD_MAX] = '\n';
	text[DECK_RECORD_MAX * 2 + 2] = '\n';
	snprintf(text + DECK_RECORD_MAX * 2 + 3, 20, "A\x02\nB\n\x1a");
	test_deck_read(&t, text, NULL);
	assert_int_equal(deck_count(t.deck), 2);
	test_deck_notes(&t, "2:1025: error: record of 1025 bytes: expected at "
			    "most 1024\n"
			    "3:2: error: byte 0x02 is no text\n");
	test_deck_done(&t);
}

static void test_many_records(void **state)
{
	size_t n = DECK_RECORDS_MAX + 2;
	struct test_deck t = {0};
	char *text = malloc(n * 2 + 1);

	(void)state;
	for (size_t i = 0; i < n; i++)
		memcpy(text + i * 2, "*\n", 3);
	test_deck_read(&t, text, NULL);
	assert_int_equal(t.report.n_errors, 1);
	assert_int_equal(t.report.notes[0].line, DECK_RECORDS_MAX + 1);
	test_deck_done(&t);
	free(text);
}

static void test_many_operands(void **state)
{
	struct test_deck t = {0};
	const struct deck_command *c;
	char text[512] = "TITLE";
	uint32_t it = 0;

	(void)state;
	for (int i = 0; i < DECK_OPERANDS_MAX; i++)
		strncat(text, " w", sizeof(text) - strlen(text) - 1);
	test_deck_read(&t, text, NULL);
	c = deck_next(t.deck, &it);
	assert_int_equal(c->n_operands, DECK_OPERANDS_MAX);
	assert_false(c->too_many);
	test_deck_done(&t);
	strncat(text, " last", sizeof(text) - strlen(text) - 1);
	test_deck_read(&t, text, NULL);
	it = 0;
	c = deck_next(t.deck, &it);
	assert_int_equal(c->n_operands, DECK_OPERANDS_MAX);
	assert_true(c->too_many);
	assert_string_equal(deck_command_rest(c, DECK_OPERANDS_MAX - 1),
			    "w last");
	test_deck_done(&t);
}

/* ---- jobs
 * -------------------------------------------------------------------------- */

static void test_job(void **state)
{
	struct test_deck t = {0};
	const struct deck_settings *s;

	(void)state;
	test_deck_read(&t,
		       "* $$ JOB JNM=ATLS,CLASS=S,DISP=L\n"
		       "* $$ LST CLASS=A,DISP=D\n"
		       "// JOB OTHER TEXT\n"
		       "// OPTION LOG,SYSPARM='02',NODUMP\n"
		       "// SETPARM IPTRACE='YYNYNNNN'\n"
		       "/* SETPARM IPTRACE='NNNNNNNN'\n"
		       "// SETPARM SSL$DBG='YES' OR 'NO' (DEFAULT = NO)\n"
		       "// SETPARM SUBTASK=04,LOCALGT=YES,Q='IT''S'\n"
		       "// UPSI 01x\n"
		       "// EXEC BSTTWAIT,SIZE=BSTTWAIT\n"
		       "/*\n"
		       "// EXEC BSTTATLS,SIZE=BSTTATLS,PARM='TRAP(OFF)/'\n"
		       "ID 02\n"
		       "* in the data\n"
		       "ATTLS 23 AS 992 SSL\n"
		       "/*\n/&\n* $$ EOJ\n",
		       NULL);
	test_deck_notes(&t, "");
	test_deck_commands(&t, "ID 02\nATTLS 23 AS 992 SSL\n");
	s = deck_settings(t.deck);
	assert_string_equal(s->job, "ATLS");
	assert_string_equal(s->lst_class, "A");
	assert_string_equal(s->program, "BSTTATLS");
	assert_string_equal(s->parm, "TRAP(OFF)/");
	assert_string_equal(s->sysparm, "02");
	assert_int_equal(s->sysparm_line, 4);
	assert_string_equal(s->upsi, "01XXXXXX");
	assert_int_equal(s->n_setparm, 5);
	assert_string_equal(s->setparm[0].name, "IPTRACE");
	assert_string_equal(s->setparm[0].value, "YYNYNNNN");
	assert_string_equal(s->setparm[1].name, "SSL$DBG");
	assert_string_equal(s->setparm[1].value, "YES");
	assert_string_equal(s->setparm[2].value, "04");
	assert_string_equal(s->setparm[4].value, "IT'S");
	assert_int_equal(s->setparm[4].line, 8);
	assert_int_equal(s->setparm[4].column, 35);
	test_deck_done(&t);
}

static void test_settings_belong_to_a_job(void **state)
{
	struct test_deck t = {0};

	(void)state;
	test_deck_read(&t,
		       "// JOB FIRST\n// OPTION SYSPARM='01'\n"
		       "// SETPARM A=1\n/&\n"
		       "// JOB SECOND\n// EXEC BSTTINET\nID 02\n/*\n",
		       NULL);
	assert_string_equal(deck_settings(t.deck)->job, "SECOND");
	assert_string_equal(deck_settings(t.deck)->sysparm, "");
	assert_int_equal(deck_settings(t.deck)->n_setparm, 0);
	test_deck_done(&t);
}

static void test_password_is_thrown_away(void **state)
{
	struct test_deck t = {0};

	(void)state;
	test_deck_read(&t,
		       "// ID USER=STACKUSR,PWD=XYZZY1\n"
		       "// ID PWD='XYZZY2',USER=BAD/XYZZY3\n"
		       "// EXEC BSTTINET\n/*\n",
		       NULL);
	assert_string_equal(deck_settings(t.deck)->user, "STACKUSR");
	for (uint32_t i = 0; i < t.report.n_notes; i++)
		assert_null(strstr(t.report.notes[i].text, "XYZZY"));
	assert_int_equal(t.report.n_notes, 1); /* the name of the second */
	test_deck_done(&t);
}

static void test_wrong_program(void **state)
{
	static const char *const wanted[] = {"BSTTINET", "BSTT6NET", NULL};
	struct test_deck t = {.options.programs = wanted};

	(void)state;
	test_deck_read(&t, "// EXEC BSTTVNET\nID 02\nOPEN\n/*\n", NULL);
	test_deck_commands(&t, "");
	test_deck_notes(&t, "1:9: error: // EXEC BSTTVNET: expected a step of "
			    "BSTTINET or BSTT6NET\n");
	test_deck_done(&t);
	test_deck_read(&t, "// exec bstt6net\nID 02\n/*\n", NULL);
	test_deck_commands(&t, "ID 02\n");
	test_deck_done(&t);
}

static void test_csi(void **state)
{
	struct test_deck t = {0};

	(void)state;
	test_deck_read(&t, "* x\nDEFINE LINK,ID=A,TYPE=OSAX\nFOO\n", NULL);
	test_deck_commands(&t, "");
	assert_int_equal(t.report.n_errors, 1);
	assert_non_null(strstr(t.report.notes[0].text, "(CSI)"));
	test_deck_done(&t);
}

/* ---- SLI
 * ------------------------------------------------------------------------------
 */

static void test_sli_search(void **state)
{
	static const char *const dirs[] = {"/inc", NULL};
	static const struct test_file files[] = {
		{"dir/7/one", "ONE lower in library\n"},
		{"dir/ONE", "ONE not this\n"},
		{"dir/TWO.deck", "TWO suffix\n"},
		{"/inc/prd2.config/three.a", "THREE include folder\n"},
		{"/inc/FOUR", "FOUR not this\n"},
		{"dir/four", "FOUR deck's folder first\n"},
		{NULL, NULL},
	};
	struct test_deck t = {.options.include_dirs = dirs};

	(void)state;
	test_deck_read(&t,
		       "FIRST\n* $$ SLI ICCF=ONE,LIB=7\n"
		       "* $$ SLI ICCF=(TWO,PASSWD),LIB=9\n"
		       "* $$ SLI MEM=THREE.A,S=PRD2.CONFIG\n"
		       "* $$ SLI MEM=FOUR\nLAST\n",
		       files);
	test_deck_notes(&t, "");
	test_deck_commands(&t, "FIRST\nONE lower in library\nTWO suffix\n"
			       "THREE include folder\n"
			       "FOUR deck's folder first\nLAST\n");
	test_deck_done(&t);
}

static void test_sli_mistakes(void **state)
{
	static const struct test_file files[] = {
		{"dir/loop", "A\n* $$ SLI MEM=LOOP\nB\n"},
		{NULL, NULL},
	};
	struct test_deck t = {0};

	(void)state;
	test_deck_read(&t,
		       "* $$ SLI MEM=GONE,S=PRD1.X\n"
		       "* $$ SLI MEM=LOOP\n"
		       "* $$ SLI\n"
		       "* $$ SLI MEM=.hidden\n"
		       "* $$ SLI MEM=A,S=../../etc\n",
		       files);
	test_deck_commands(&t, "A\nB\n");
	test_deck_notes(
		&t,
		"1:10: error: SLI member PRD1.X/GONE is neither in the deck's "
		"folder nor in an include folder\n"
		"dir/loop:2:10: error: SLI member dir/loop includes itself\n"
		"3:9: error: SLI: expected ICCF=member,LIB=number or "
		"MEM=name.type,S=lib.sublib\n"
		"4:10: error: SLI member '.hidden': expected a name of "
		"letters, digits and @ # $ - _ .\n"
		"5:10: error: SLI member '../../etc': expected a name of "
		"letters, digits and @ # $ - _ .\n");
	test_deck_done(&t);
}

static void test_sli_depth(void **state)
{
	static struct test_file files[] = {
		{"dir/m0", "* $$ SLI MEM=m1\n"},
		{"dir/m1", "* $$ SLI MEM=m2\n"},
		{"dir/m2", "* $$ SLI MEM=m3\n"},
		{"dir/m3", "* $$ SLI MEM=m4\n"},
		{"dir/m4", "* $$ SLI MEM=m5\n"},
		{"dir/m5", "* $$ SLI MEM=m6\n"},
		{"dir/m6", "* $$ SLI MEM=m7\n"},
		{"dir/m7", "END OK\n"},
		{NULL, NULL},
	};
	struct test_deck t = {0};

	(void)state;
	test_deck_read(&t, "* $$ SLI MEM=m0\n", files);
	test_deck_commands(&t, "END OK\n");
	test_deck_notes(&t, "");
	test_deck_done(&t);
	files[7].text = "* $$ SLI MEM=m8\n";
	test_deck_read(&t, "* $$ SLI MEM=m0\n", files);
	test_deck_notes(&t, "dir/m7:1:10: error: SLI nested deeper than 8\n");
	test_deck_done(&t);
}

static void test_sli_count(void **state)
{
	static const struct test_file files[] = {{"dir/e", "\n"}, {NULL, NULL}};
	char text[(DECK_INCLUDES_MAX + 2) * 16] = "";
	struct test_deck t = {0};
	size_t used = 0;

	(void)state;
	for (int i = 0; i < DECK_INCLUDES_MAX + 2; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 "* $$ SLI MEM=e\n");
	test_deck_read(&t, text, files);
	test_deck_notes(&t, "257:10: error: more than 256 SLI statements\n");
	test_deck_done(&t);
}

static void test_sli_in_skipped_step(void **state)
{
	struct test_deck t = {0};

	(void)state;
	test_deck_read(&t,
		       "// EXEC LIBR\nCATALOG X\n* $$ SLI MEM=GONE\n/+\n/*\n"
		       "// EXEC BSTTINET\nID 02\n/*\n",
		       NULL);
	test_deck_notes(&t, "");
	test_deck_commands(&t, "ID 02\n");
	test_deck_done(&t);
}

/* ---- files and reports
 * ------------------------------------------------------------------ */

static void test_load_file(void **state)
{
	char path[] = "/tmp/couplet-deck-XXXXXX";
	struct deck_report report;
	struct deck *d = NULL;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "ID 02\n", 6), 6);
	deck_report_init(&report);
	assert_int_equal(deck_read(path, NULL, &report, &d), 0);
	assert_int_equal(deck_count(d), 1);
	deck_free(d);
	assert_int_equal(ftruncate(fd, DECK_FILE_BYTES_MAX), 0);
	assert_int_equal(deck_read(path, NULL, &report, &d), 0);
	deck_free(d);
	assert_int_equal(ftruncate(fd, DECK_FILE_BYTES_MAX + 1), 0);
	assert_int_equal(deck_read(path, NULL, &report, &d), -EFBIG);
	assert_string_equal(report.notes[report.n_notes - 1].text,
			    "the deck is too large: expected at most 4 MiB");
	close(fd);
	unlink(path);
	assert_int_equal(deck_read(path, NULL, &report, &d), -ENOENT);
	assert_int_equal(deck_read("/tmp", NULL, &report, &d), -EISDIR);
	assert_string_equal(report.notes[report.n_notes - 2].file, path);
	assert_int_equal(report.notes[report.n_notes - 2].line, 0);
	deck_report_fini(&report);
}

static void test_report_limit_and_order(void **state)
{
	struct deck_report r;
	char *text = NULL;
	size_t len = 0;
	FILE *f;

	(void)state;
	deck_report_init(&r);
	deck_note(&r, DECK_ERROR, "b", 1, 1, "member b");
	deck_note(&r, DECK_WARNING, "a", 9, 1, "nine");
	deck_note(&r, DECK_INFO, "a", 2, 7, "two seven");
	deck_note(&r, DECK_ERROR, "a", 2, 3, "two three");
	deck_note(&r, DECK_ERROR, "a", 2, 3, "again\nX");
	deck_report_sort(&r, "a");
	f = open_memstream(&text, &len);
	deck_report_print(&r, f);
	fclose(f);
	assert_string_equal(text, "a:2:3: error: two three\n"
				  "a:2:3: error: again?X\n"
				  "a:2:7: note: two seven\n"
				  "a:9:1: warning: nine\n"
				  "b:1:1: error: member b\n");
	free(text);
	for (int i = 0; i < DECK_NOTES_MAX; i++)
		deck_note(&r, DECK_ERROR, "a", 1, 1, "x");
	assert_int_equal(r.n_notes, DECK_NOTES_MAX);
	assert_int_equal(r.n_errors, 3 + DECK_NOTES_MAX);
	f = open_memstream(&text, &len);
	deck_report_print(&r, f);
	fclose(f);
	assert_non_null(strstr(text, "5 more not shown (103 errors, 1 "
				     "warnings in all)\n"));
	free(text);
	deck_report_fini(&r);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_bare),
	cmocka_unit_test(test_no_newline_at_end),
	cmocka_unit_test(test_after_end_of_data),
	cmocka_unit_test(test_cards),
	cmocka_unit_test(test_long_and_odd_records),
	cmocka_unit_test(test_many_records),
	cmocka_unit_test(test_many_operands),
	cmocka_unit_test(test_job),
	cmocka_unit_test(test_settings_belong_to_a_job),
	cmocka_unit_test(test_password_is_thrown_away),
	cmocka_unit_test(test_wrong_program),
	cmocka_unit_test(test_csi),
	cmocka_unit_test(test_sli_search),
	cmocka_unit_test(test_sli_mistakes),
	cmocka_unit_test(test_sli_depth),
	cmocka_unit_test(test_sli_count),
	cmocka_unit_test(test_sli_in_skipped_step),
	cmocka_unit_test(test_load_file),
	cmocka_unit_test(test_report_limit_and_order),
};

UNIT_MAIN(tests)
