/*
 * unit.h: what every cmocka test program includes. UNIT_MAIN(tests) makes a
 * main() that runs all cases, or the one whose name is given as argument, so
 * that CTest can name each case. A name that no case has is a failure.
 */
#ifndef COUPLET_TEST_UNIT_H
#define COUPLET_TEST_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static inline int unit_choose(const struct CMUnitTest *tests, size_t n,
			      const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(tests[i].name, name) == 0) {
			cmocka_set_test_filter(name);
			return 0;
		}
	}
	fprintf(stderr, "no case is named %s\n", name);
	return 2;
}

#define UNIT_MAIN(tests) UNIT_MAIN_BETWEEN(tests, NULL, NULL)

/* The same between a set-up of all and its end. */
#define UNIT_MAIN_BETWEEN(tests, up, down) \
	int main(int argc, char **argv) \
	{ \
		if (argc > 1 && \
		    unit_choose(tests, sizeof(tests) / sizeof((tests)[0]), \
				argv[1])) \
			return 2; \
		return cmocka_run_group_tests(tests, up, down); \
	}

#endif
