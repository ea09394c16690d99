/*
 * privs.h: giving up what the daemon no longer needs. Three one-way steps,
 * called in this order, each at a place that the reader of daemon_main()
 * sees: privs_drop(), sandbox_enter(), and no way back.
 */
#ifndef COUPLET_DAEMON_PRIVS_H
#define COUPLET_DAEMON_PRIVS_H

#include "base/base.h"

struct privs_user {
	uid_t uid;
	gid_t gid;
	char name[64];
	bool fallback; /* the wanted user does not exist */
};

/*
 * Whom to become. Not started as root: whoever runs us (systemd chose). As
 * root: `wanted`, or, when it does not exist, "nobody" with ret->fallback
 * set; inside a user namespace that maps neither, uid 0 of the namespace.
 * 0, or -ENOENT.
 */
int privs_find_user(const char *wanted, struct privs_user *ret) MUST_USE;

/*
 * Becomes `u` with no supplementary group and of the capabilities
 * `caps[0..n_caps)` (CAP_ numbers, fewer than 64) those that we have; then no
 * program can give us more (PR_SET_NO_NEW_PRIVS) and, unless `debuggable`,
 * nobody of the same uid may look into our memory (PR_SET_DUMPABLE 0). 0, or
 * negative errno and in *ret_step a few words on what failed.
 */
int privs_drop(const struct privs_user *u, const int *caps, int n_caps,
	       bool debuggable, const char **ret_step) MUST_USE;

/* Has this process the capability now (effective)? */
bool privs_have(int cap);

/* Raises RLIMIT_NOFILE to its hard limit; returns that. */
uint64_t privs_raise_files(void);

#endif
