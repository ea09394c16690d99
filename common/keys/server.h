/*
 * server.h: the life of the key process.
 */
#ifndef COUPLET_KEYS_SERVER_H
#define COUPLET_KEYS_SERVER_H

#include "keys/keys.h"

/*
 * What the child of fork() does: gives up what it does not need, then serves
 * `control` (requests of every kind) and `channels` (all but LOAD), one thread
 * each, until `control` is closed. A first record on `control` of one
 * int32_t tells whether giving up succeeded (0 or negative errno). `life` stays
 * open to the end: the daemon's other end then reads an end of file.
 */
_Noreturn void server_run(int control, const int *channels, int life,
			  const struct keys_options *o);

/*
 * Gives up user, capabilities, file system and system calls, in this order
 * (lock.c): lock_before() in the one thread there is; then threads may be
 * made; then lock_calls() for all of them. 0 or negative errno; -EOPNOTSUPP:
 * there is no seccomp(2).
 */
int lock_before(const struct keys_options *o) MUST_USE;
int lock_calls(void) MUST_USE;

#endif
