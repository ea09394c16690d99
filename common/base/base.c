#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>

void invariant_failed(const char *expr, const char *file, int line)
{
	fprintf(stderr, "invariant broken: %s (%s:%d)\n", expr, file, line);
	abort();
}
