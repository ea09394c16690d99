/*
 * lookup.h: host names looked up on threads of their own, because a resolver
 * blocks: over the stack that a deck names, or by the host's own resolver. A
 * name is asked for as often as its owner wants; answers come on the owner's
 * thread, from lookup_collect().
 *
 * Many names of a server that does not answer hold up each other, never the
 * loop.
 */
#ifndef COUPLET_LOOKUP_H
#define COUPLET_LOOKUP_H

#include "addr/addr.h"
#include "base/base.h"

struct lookup;
struct lookup_query;

#define LOOKUP_HOST_MAX 255
#define LOOKUP_ADDRS_MAX 32 /* of a name that are looked at */
#define LOOKUP_THREADS_MAX 8

struct lookup_answer {
	const char *error; /* what went wrong; NULL: n > 0 */
	uint32_t n;        /* 0..LOOKUP_ADDRS_MAX */
	const struct ip_addr *addrs;
};

/* The query may be asked again or freed inside. */
typedef void lookup_fn(void *arg, const struct lookup_answer *a);

/* With `threads` (1..LOOKUP_THREADS_MAX) that have no signals; made before the
 * filter of system calls, which then holds for them too. 0 or negative errno.
 */
int lookup_new(unsigned threads, struct lookup **ret) MUST_USE;
/* After its queries. Does not wait for a thread that is inside the resolver.
 * NULL is fine. */
void lookup_free(struct lookup *l);
/* Readable: call lookup_collect(). */
int lookup_fd(const struct lookup *l);
void lookup_collect(struct lookup *l);

/* A name (copied), asked for over the stack `id` ("*": the host's network);
 * `family` IP_NONE: both. 0, -ENOMEM or -ENAMETOOLONG. */
int lookup_query_new(struct lookup *l, const char *id, const char *host,
		     enum ip_family family, lookup_fn *fn, void *arg,
		     struct lookup_query **ret) MUST_USE;
/* No call comes any more; NULL is fine. */
void lookup_query_free(struct lookup_query *q);
/* Asks; without effect while the answer to an earlier call is awaited. */
void lookup_ask(struct lookup_query *q);

#endif
