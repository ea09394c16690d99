#include "unit.h"

#include "console/table.h"

#include <stdlib.h>
#include <string.h>

static const struct table_col cols[] = {
	{"name", "NAME", TABLE_LEFT, 0}, {"count", "COUNT", TABLE_RIGHT, 0},
	{"up", "UP", TABLE_LEFT, 0},     {"extra", NULL, TABLE_LEFT, 0},
	{"note", "NOTE", TABLE_LEFT, 0},
};

struct out {
	char text[4096];
	size_t len;
};

static void collect(void *arg, const char *text, size_t len)
{
	struct out *o = arg;

	assert_true(o->len + len < sizeof o->text);
	memcpy(o->text + o->len, text, len);
	o->len += len;
	o->text[o->len] = '\0';
}

static void two_rows(struct table *t)
{
	table_str(t, "a");
	table_u64(t, 1234567);
	table_bool(t, true);
	table_str(t, "hidden");
	table_none(t);
	table_fmt(t, "long-%s", "name");
	table_num(t, 1500, "1.5ms");
	table_bool(t, false);
	table_none(t);
	table_str(t, "x");
}

static void text_is_aligned(void **state)
{
	struct table *t = table_new(cols, ARRAY_SIZE(cols), false);
	struct out o = {.len = 0};

	(void)state;
	two_rows(t);
	assert_int_equal(table_rows(t), 2);
	assert_int_equal(table_print(t, true, true, collect, &o), 0);
	assert_string_equal(o.text, "NAME         COUNT  UP   NOTE\n"
				    "a          1234567  yes  -\n"
				    "long-name    1.5ms  no   x\n");
	table_free(t);
}

static void json_has_types_and_every_column(void **state)
{
	struct table *t = table_new(cols, ARRAY_SIZE(cols), true);
	struct out o = {.len = 0};

	(void)state;
	two_rows(t);
	assert_int_equal(table_print(t, true, true, collect, &o), 0);
	assert_string_equal(
		o.text, "[\n{\"name\":\"a\",\"count\":1234567,\"up\":true,"
			"\"extra\":\"hidden\",\"note\":null},\n"
			"{\"name\":\"long-name\",\"count\":1500,\"up\":false,"
			"\"extra\":null,\"note\":\"x\"}\n]\n");
	table_free(t);
}

static void json_escapes(void **state)
{
	struct table *t = table_new(cols, 1, true);
	struct out o = {.len = 0};

	(void)state;
	table_str(t, "a\"b\\c\n/");
	assert_int_equal(table_print(t, true, true, collect, &o), 0);
	assert_string_equal(o.text, "[\n{\"name\":\"a\\\"b\\\\c\\n/\"}\n]\n");
	table_free(t);
}

static void empty_tables_are_valid(void **state)
{
	struct table *t = table_new(cols, ARRAY_SIZE(cols), true);
	struct out o = {.len = 0};

	(void)state;
	assert_int_equal(table_print(t, true, true, collect, &o), 0);
	assert_string_equal(o.text, "[\n]\n");
	table_free(t);
	t = table_new(cols, ARRAY_SIZE(cols), false);
	o.len = 0;
	assert_int_equal(table_print(t, true, true, collect, &o), 0);
	assert_string_equal(o.text, "NAME  COUNT  UP  NOTE\n");
	table_free(t);
}

static void slices_make_the_same_as_one(void **state)
{
	struct out o = {.len = 0}, whole = {.len = 0};
	struct table *t = table_new(cols, 2, true);

	(void)state;
	for (int i = 0; i < 5; i++) {
		table_str(t, "n");
		table_u64(t, (uint64_t)i);
		assert_int_equal(table_print(t, i == 0, i == 4, collect, &o),
				 0);
		assert_int_equal(table_rows(t), 0);
	}
	table_free(t);
	t = table_new(cols, 2, true);
	for (int i = 0; i < 5; i++) {
		table_str(t, "n");
		table_u64(t, (uint64_t)i);
	}
	assert_int_equal(table_print(t, true, true, collect, &whole), 0);
	table_free(t);
	assert_string_equal(o.text, whole.text);
}

static void record_is_a_list_or_an_object(void **state)
{
	struct table *t = table_new(cols, 3, false);
	struct out o = {.len = 0};

	(void)state;
	table_str(t, "a");
	table_num(t, 5, "5 s");
	table_bool(t, true);
	assert_int_equal(table_print_record(t, collect, &o), 0);
	assert_string_equal(o.text, "NAME   a\nCOUNT  5 s\nUP     yes\n");
	table_free(t);
	o.len = 0;
	t = table_new(cols, 3, true);
	table_str(t, "a");
	table_num(t, 5, "5 s");
	table_bool(t, true);
	assert_int_equal(table_print_record(t, collect, &o), 0);
	assert_string_equal(o.text,
			    "{\"name\":\"a\",\"count\":5,\"up\":true}\n");
	table_free(t);
}

struct count {
	unsigned long rows, sum;
};

static void add_up(void *arg, const char *text, size_t len)
{
	struct count *c = arg;

	if (len == 1 && text[0] == '\n')
		c->rows++;
	else
		c->sum += strtoul(text, NULL, 10);
}

static void many_rows_keep_their_text(void **state)
{
	static const struct table_col one[] = {{"v", "V", TABLE_LEFT, 0}};
	struct table *t = table_new(one, 1, false);
	struct count c = {0, 0};

	(void)state;
	for (int i = 1; i <= 5000; i++)
		table_u64(t, (uint64_t)i);
	assert_int_equal(table_print(t, false, true, add_up, &c), 0);
	assert_int_equal(c.rows, 5000);
	assert_int_equal(c.sum, 5000 * 5001 / 2);
	table_free(t);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(text_is_aligned),
	cmocka_unit_test(json_has_types_and_every_column),
	cmocka_unit_test(json_escapes),
	cmocka_unit_test(empty_tables_are_valid),
	cmocka_unit_test(slices_make_the_same_as_one),
	cmocka_unit_test(record_is_a_list_or_an_object),
	cmocka_unit_test(many_rows_keep_their_text),
};

UNIT_MAIN(tests)
