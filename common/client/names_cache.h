/*
 * names_cache.h: what name servers answered, for as long as they said, in this
 * process. A fixed table; a newer name takes the place of an older one. Two
 * threads may use it; one that finds the other at work does without.
 */
#ifndef COUPLET_CLIENT_NAMES_CACHE_H
#define COUPLET_CLIENT_NAMES_CACHE_H

#include "client/names.h"

#define NAMES_CACHE_SIZE 64
#define NAMES_CACHE_NAME_MAX 128  /* longer names are not kept */
#define NAMES_CACHE_ADDRS_MAX 16  /* nor are longer lists */
#define NAMES_CACHE_TTL_MAX_S 300 /* a server's word counts no longer */

/* `servers` stands for the servers asked: other servers, other answers. `now`:
 * seconds of any clock that does not jump. True: found, added to *ret. */
bool names_cache_get(const char *name, int family, uint64_t servers,
		     int64_t now_s, struct names_list *ret);
/* ttl_s 0: not kept. */
void names_cache_put(const char *name, int family, uint64_t servers,
		     int64_t now_s, uint32_t ttl_s,
		     const struct names_list *list);

#endif
