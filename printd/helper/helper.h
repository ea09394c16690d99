/*
 * helper.h: a process that runs other programs for the daemon, which after
 * its start may run none itself (the system call filter kills for execve).
 * It is forked while the daemon starts, becomes the daemon's user with no
 * capability, and ends with it: the programs too.
 *
 * At most HELPER_PROGRAMS_MAX at once; more are refused with -EAGAIN.
 */
#ifndef COUPLET_PRINTD_HELPER_H
#define COUPLET_PRINTD_HELPER_H

#include "base/base.h"

#include <sys/types.h>

struct ev_loop;
struct helper;

#define HELPER_PROGRAMS_MAX 256
#define HELPER_ARGS_MAX 32

/* `status`: exit status 0..255, 256 + signal, or -1: the helper is gone. */
typedef void helper_fn(void *arg, int status);

/* Forks it; to be called before anything else of the daemon runs. `user`: as
 * daemon_options has it. 0 or negative errno. */
int helper_new(const char *user, const char *run_dir,
	       struct helper **ret) MUST_USE;
/* From now on answers come on this loop. `gone` is called once if the process
 * ends before us (-1 was told to all runs): nothing runs any more. 0 or
 * negative errno. */
int helper_attach(struct helper *h, struct ev_loop *l, void (*gone)(void *arg),
		  void *arg) MUST_USE;
/* Ends it and its programs. NULL is fine. */
void helper_free(struct helper *h);
/*
 * Runs argv[0..n) (an absolute path first) with `in` as standard input and
 * `out` as standard output and error (both stay the caller's; -1: nothing,
 * /dev/null). `fn` is called once at its end, unless helper_kill() was
 * called. The run's number (> 0), or negative errno.
 */
int helper_run(struct helper *h, const char *const *argv, size_t n, int in,
	       int out, helper_fn *fn, void *arg) MUST_USE;
/* Ends a run; its function is not called any more. */
void helper_kill(struct helper *h, int run);

#endif
