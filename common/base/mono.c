#include "base/mono.h"

#include <time.h>

mono_t mono_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (mono_t){(uint64_t)ts.tv_sec * 1000000000u +
			(uint64_t)ts.tv_nsec};
}
