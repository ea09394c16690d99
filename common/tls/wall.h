/*
 * wall.h: the wall clock, read here alone in this room: certificates, CRLs and
 * OCSP responses say dates.
 */
#ifndef COUPLET_TLS_WALL_H
#define COUPLET_TLS_WALL_H

#include <stdint.h>
#include <time.h>

/* Seconds since 1970. */
static inline int64_t wall_now(void)
{
	return (int64_t)time(NULL);
}

#endif
