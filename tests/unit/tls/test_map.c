/* Client certificate to user name. */
#include "tls/map.h"
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PUT(dst, text) ((void)snprintf(dst, sizeof(dst), "%s", text))

static const char good[] =
	"# users\n"
	"\n"
	"sha256 AB:CD:EF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:"
	"DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC OPER1 # by print\r\n"
	"SUBJECT \"CN=Jane Doe,O=Example\" JANE\n"
	"CN \"Payroll *\" PAY\n"
	"EMAIL *@example.test *\n"
	"DNS *.branch.test BRANCH\n"
	"CN exact.name SAME";

static struct map_rules *parse(const char *text)
{
	struct map_rules *m = NULL;
	char why[200];

	if (map_parse(text, &m, why, sizeof why) < 0)
		fail_msg("%s", why);
	return m;
}

static void first_match_wins(void **state)
{
	struct map_rules *m = parse(good);
	struct map_facts f = {.n_dns = 0};
	char user[64];

	(void)state;
	assert_false(map_find(m, &f, user, sizeof user));
	PUT(f.cn, "EXACT.NAME");
	assert_true(map_find(m, &f, user, sizeof user));
	assert_string_equal(user, "SAME");
	PUT(f.dns[0], "www.other.test");
	PUT(f.dns[1], "x.Branch.test");
	f.n_dns = 2;
	assert_true(map_find(m, &f, user, sizeof user));
	assert_string_equal(user, "BRANCH");
	PUT(f.email[0], "joe@Example.TEST");
	f.n_email = 1;
	assert_true(map_find(m, &f, user, sizeof user));
	assert_string_equal(user, "joe");
	PUT(f.cn, "payroll 7");
	assert_true(map_find(m, &f, user, sizeof user));
	assert_string_equal(user, "PAY");
	PUT(f.subject, "CN=Jane Doe,O=Example");
	assert_true(map_find(m, &f, user, sizeof user));
	assert_string_equal(user, "JANE");
	PUT(f.sha256, "abcdef00112233445566778899aabbcc"
		      "ddeeff00112233445566778899aabbcc");
	assert_true(map_find(m, &f, user, sizeof user));
	assert_string_equal(user, "OPER1");
	map_free(m);
}

static void near_misses(void **state)
{
	struct map_rules *m = parse(good);
	struct map_facts f = {.n_dns = 0};
	char user[64];

	(void)state;
	PUT(f.cn, "Payroll");
	PUT(f.subject, "CN=Jane Doe,O=Example2");
	PUT(f.email[0], "joe@example.test.evil");
	f.n_email = 1;
	PUT(f.dns[0], "branch.test");
	f.n_dns = 1;
	assert_false(map_find(m, &f, user, sizeof user));
	/* what the star stands for has to be a user's name */
	PUT(f.email[0], "a b@example.test");
	assert_false(map_find(m, &f, user, sizeof user));
	PUT(f.email[0], "@example.test");
	assert_false(map_find(m, &f, user, sizeof user));
	PUT(f.email[0], "tenletters@example.test");
	assert_false(map_find(m, &f, user, 10));
	assert_true(map_find(m, &f, user, 11));
	map_free(m);
}

static void bad_lines(void **state)
{
	static const char *const bad[] = {
		"CN\n",            /* no value */
		"CN x\n",          /* no user */
		"CN x y z\n",      /* one too many */
		"NAME x y\n",      /* no such field */
		"CN \"x y\n",      /* quote without an end */
		"CN a*b* U\n",     /* two stars */
		"CN abc *\n",      /* a star for nothing */
		"SHA256 abcd U\n", /* too short */
		"CN \"\" U\n",     /* empty */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct map_rules *m;
		char text[100], why[200];

		(void)snprintf(text, sizeof text, "CN ok OK\n%s", bad[i]);
		assert_int_equal(map_parse(text, &m, why, sizeof why), -EINVAL);
		if (!strstr(why, "line 2"))
			fail_msg("%s: %s", bad[i], why);
	}
}

static void rules_have_a_limit(void **state)
{
	static const char line[] = "CN a B\n";
	size_t n = sizeof line - 1;
	char *text = malloc(n * (MAP_RULES_MAX + 1) + 1), why[200];
	struct map_rules *m;

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i <= MAP_RULES_MAX; i++)
		memcpy(text + i * n, line, n + 1);
	assert_int_equal(map_parse(text, &m, why, sizeof why), -EINVAL);
	assert_non_null(strstr(why, "more than 4096"));
	text[n * MAP_RULES_MAX] = '\0';
	assert_int_equal(map_parse(text, &m, why, sizeof why), 0);
	map_free(m);
	free(text);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(first_match_wins),
	cmocka_unit_test(near_misses),
	cmocka_unit_test(bad_lines),
	cmocka_unit_test(rules_have_a_limit),
};

UNIT_MAIN(tests)
