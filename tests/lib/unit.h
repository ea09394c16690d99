/*
 * unit.h: what every cmocka test program includes. UNIT_MAIN(tests) makes a
 * main() that runs all cases, or those whose name is given as argument, so
 * that CTest can name each case.
 */
#ifndef COUPLET_TEST_UNIT_H
#define COUPLET_TEST_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define UNIT_MAIN(tests) \
	int main(int argc, char **argv) \
	{ \
		if (argc > 1) \
			cmocka_set_test_filter(argv[1]); \
		return cmocka_run_group_tests(tests, NULL, NULL); \
	}

#endif
