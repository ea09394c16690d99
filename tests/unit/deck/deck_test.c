#include "deck_test.h"

#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int load(void *arg, const char *path, char **ret_text, size_t *ret_len)
{
	const struct test_file *f = arg;

	for (; f && f->name; f++) {
		if (strcmp(f->name, path) != 0)
			continue;
		*ret_text = strdup(f->text);
		*ret_len = strlen(f->text);
		return *ret_text ? 0 : -ENOMEM;
	}
	return -ENOENT;
}

void test_deck_read(struct test_deck *t, const char *text,
		    const struct test_file *files)
{
	t->deck = NULL;
	deck_report_init(&t->report);
	t->options.load = load;
	t->options.load_arg = (void *)(uintptr_t)files;
	assert_int_equal(deck_read_text("dir/d", text, strlen(text),
					&t->options, &t->report, &t->deck),
			 0);
}

void test_deck_done(struct test_deck *t)
{
	deck_free(t->deck);
	deck_report_fini(&t->report);
}

void test_deck_notes(const struct test_deck *t, const char *expected)
{
	char got[16384] = "";
	size_t used = 0;

	for (uint32_t i = 0; i < t->report.n_notes; i++) {
		const struct deck_note *n = &t->report.notes[i];
		bool own = strcmp(n->file, "dir/d") == 0;

		used += (size_t)snprintf(
			got + used, sizeof(got) - used, "%s%s%u:%u: %s: %s\n",
			own ? "" : n->file, own ? "" : ":", n->line, n->column,
			deck_severity_name(n->severity), n->text);
		assert_true(used < sizeof(got));
	}
	assert_string_equal(got, expected);
}

void test_deck_commands(const struct test_deck *t, const char *expected)
{
	char got[16384] = "";
	const struct deck_command *c;
	size_t used = 0;
	uint32_t it = 0;

	while ((c = deck_next(t->deck, &it))) {
		used += (size_t)snprintf(got + used, sizeof(got) - used, "%s\n",
					 c->record);
		assert_true(used < sizeof(got));
	}
	assert_string_equal(got, expected);
}
