/*
 * sandbox.h: the system call filter. Each room that makes system calls
 * declares which, beside its code:
 *
 *	const struct sandbox_calls osa_calls = {"osa", osa_names, n};
 *
 * and the daemon's main.c collects the rooms' lists; sandbox_base is what
 * every daemon needs (memory, event loop, log, console, exit).
 *
 * What is on no list fails with ENOSYS and is recorded by the kernel's audit
 * log, so that a library that merely tries a newer call falls back as on an
 * older kernel. What no daemon of ours ever does, and an intruder would, kills
 * the process: execve, ptrace of others, mounting, loading modules, changing
 * ids, namespaces, keys, bpf. With `tell` (-d) a stopped call is named on
 * stderr.
 */
#ifndef COUPLET_DAEMON_SANDBOX_H
#define COUPLET_DAEMON_SANDBOX_H

#include "base/base.h"

struct sandbox_calls {
	const char *room;
	const char *const *names; /* as in syscalls(2); one that this
				   * architecture does not have is skipped */
	size_t n;
};

extern const struct sandbox_calls sandbox_base;

/* Enters the filter for good: base plus lists[0..n). 0 or negative errno;
 * -EINVAL: a name that no architecture has (a spelling mistake). */
int sandbox_enter(const struct sandbox_calls *const *lists, size_t n,
		  bool tell) MUST_USE;

#endif
