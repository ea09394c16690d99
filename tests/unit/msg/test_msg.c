#include "msg/msg.h"
#include "unit.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Conversions of a pattern, counted without the generator's help. */
static unsigned conversions(const char *text)
{
	unsigned n = 0;

	for (const char *p = text; *p; p++) {
		if (*p != '%')
			continue;
		p++;
		if (*p != '%')
			n++;
	}
	return n;
}

static unsigned names(const char *args)
{
	unsigned n = *args != '\0';

	for (const char *p = args; *p; p++)
		n += *p == ',';
	return n;
}

static void test_ids_are_unique(void **state)
{
	(void)state;
	for (size_t i = 0; i < MSG__COUNT; i++) {
		const char *id = msg_get((enum msg_id)i)->id;

		assert_int_equal(strlen(id), MSG_ID_LEN);
		for (size_t k = 0; k < i; k++) {
			const char *other = msg_get((enum msg_id)k)->id;

			/* not even by severity alone */
			assert_memory_not_equal(id, other, MSG_ID_LEN - 1);
		}
	}
}

static void test_severity_is_last_letter(void **state)
{
	static const char letters[] = "IWEA";

	(void)state;
	for (size_t i = 0; i < MSG__COUNT; i++) {
		const struct msg_def *d = msg_get((enum msg_id)i);

		assert_int_equal(d->id[MSG_ID_LEN - 1], letters[d->severity]);
	}
	assert_int_equal(msg_priority(MSG_CPLT001E), 3);
	assert_int_equal(msg_priority(MSG_CPLT011W), 4);
	assert_int_equal(msg_priority(MSG_BSTT000I), 6);
}

static void test_arguments_are_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < MSG__COUNT; i++) {
		const struct msg_def *d = msg_get((enum msg_id)i);

		assert_int_equal(conversions(d->text), names(d->args));
	}
}

static void test_explained(void **state)
{
	(void)state;
	for (size_t i = 0; i < MSG__COUNT; i++) {
		const struct msg_def *d = msg_get((enum msg_id)i);

		assert_true(isupper((unsigned char)d->what[0]));
		assert_true(isupper((unsigned char)d->action[0]));
		assert_int_equal(d->what[strlen(d->what) - 1], '.');
		assert_int_equal(d->action[strlen(d->action) - 1], '.');
	}
}

static void test_format(void **state)
{
	char buf[MSG_LINE_MAX];
	int n;

	(void)state;
	n = msg_format(buf, sizeof(buf), MSG_BSTT695I, 992u, "192.0.2.64");
	assert_string_equal(buf,
			    "BSTT695I CONNECTING TO PORT 992 IP 192.0.2.64");
	assert_int_equal(n, strlen(buf));
	assert_string_equal(buf + MSG_ID_LEN + 1,
			    "CONNECTING TO PORT 992 IP 192.0.2.64");
}

static void test_format_cuts(void **state)
{
	char buf[32];

	(void)state;
	for (size_t len = 1; len <= sizeof(buf); len++) {
		int n;

		memset(buf, 'x', sizeof(buf));
		n = msg_format(buf, len, MSG_CPLT001E, "open /dev/net/tun",
			       "no such file or directory");
		assert_int_equal(n, len - 1);
		assert_int_equal(buf[len - 1], '\0');
		if (len < sizeof(buf))
			assert_int_equal(buf[len], 'x');
	}
	assert_int_equal(msg_format(NULL, 0, MSG_CPLT001E, "a", "b"), 0);
}

static void test_format_one_line(void **state)
{
	char buf[MSG_LINE_MAX];

	(void)state;
	msg_format(buf, sizeof(buf), MSG_CPLT001E, "a\nCPLT002I", "\x1b[2J");
	assert_string_equal(buf, "CPLT001E a?CPLT002I: ?[2J");
}

static void test_find(void **state)
{
	enum msg_id id;

	(void)state;
	for (size_t i = 0; i < MSG__COUNT; i++) {
		assert_int_equal(msg_find(msg_get((enum msg_id)i)->id, &id), 0);
		assert_int_equal(id, i);
	}
	assert_int_equal(msg_find("cplt001e", &id), 0);
	assert_int_equal(id, MSG_CPLT001E);
	assert_int_equal(msg_find("CPLT001W", &id), -ENOENT);
	assert_int_equal(msg_find("", &id), -ENOENT);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_ids_are_unique),
	cmocka_unit_test(test_severity_is_last_letter),
	cmocka_unit_test(test_arguments_are_named),
	cmocka_unit_test(test_explained),
	cmocka_unit_test(test_format),
	cmocka_unit_test(test_format_cuts),
	cmocka_unit_test(test_format_one_line),
	cmocka_unit_test(test_find),
};

UNIT_MAIN(tests)
