/*
 * fields.h: the arguments of a message as NAME=value texts. Pure.
 */
#ifndef COUPLET_DAEMON_FIELDS_H
#define COUPLET_DAEMON_FIELDS_H

#include "base/base.h"

#include <stdarg.h>

#define FIELDS_MAX 12
#define FIELD_TEXT_MAX 256 /* name, =, value, zero; longer values are cut */

struct fields {
	int n;
	char text[FIELDS_MAX][FIELD_TEXT_MAX];
};

/*
 * Walks a printf pattern with its arguments: the k-th conversion becomes
 * "COUPLET_NAME=value", NAME from `names` (", " between, as the catalogue
 * writes them), upper case, other characters than letters and digits as `_`.
 * Stops at a conversion it does not know, as it could not find the next
 * argument. Uses up `ap`.
 */
void fields_make(struct fields *ret, const char *pattern, const char *names,
		 va_list ap);

#endif
