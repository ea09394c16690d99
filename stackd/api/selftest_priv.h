/* selftest_priv.h: shared by the files of the self-test. */
#ifndef COUPLET_API_SELFTEST_PRIV_H
#define COUPLET_API_SELFTEST_PRIV_H

#include "base/base.h"

int selftest_fail(char *err, size_t len, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
int selftest_sock(int type);
void selftest_close(const int *fd, size_t n);

int selftest_identity(char *err, size_t len);
int selftest_named_accept(char *err, size_t len);
int selftest_passed_bind(char *err, size_t len);
int selftest_last_close(char *err, size_t len);
int selftest_handed_over(char *err, size_t len);

#endif
