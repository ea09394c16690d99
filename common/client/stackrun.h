/*
 * stackrun.h: the inside of the program stackrun, for stackrun*.c only.
 *
 * stackrun.c reads the command line and chooses the stack, stackrun_prog.c
 * looks at the program and sets the preload library up, stackrun_net.c takes
 * the process out of the host's network and gives it the stack's names,
 * stackrun_trap.c starts the supervisor.
 */
#ifndef COUPLET_CLIENT_STACKRUN_H
#define COUPLET_CLIENT_STACKRUN_H

#include "base/base.h"

#include <limits.h>

#define STACKRUN_CANNOT 126
#define STACKRUN_NOT_FOUND 127

/* Prints "stackrun: ..." and ends the process with `status`. */
_Noreturn void stackrun_die(int status, const char *fmt, ...) PRINTF_LIKE(2, 3);

enum stackrun_mode {
	STACKRUN_AUTO,    /* both, where both are possible */
	STACKRUN_PRELOAD, /* the library alone */
	STACKRUN_SECCOMP, /* the supervisor alone */
};

/* ---- stackrun_prog.c */
enum stackrun_kind {
	STACKRUN_DYNAMIC,  /* the loader preloads libraries into it */
	STACKRUN_STATIC,   /* there is no loader */
	STACKRUN_SETID,    /* the loader would ignore the library */
	STACKRUN_OTHER_ABI /* not of this machine's 64-bit ABI */
};
/* The file that `name` means, as a shell finds it; ends when there is none.
 * `path`: PATH_MAX bytes. */
void stackrun_find(const char *name, char *path);
/* What `path`, or the interpreter it names, is. `ret_path` (PATH_MAX bytes) is
 * the file that decided. */
enum stackrun_kind stackrun_kind(const char *path, char *ret_path);
/* Sets LD_PRELOAD; ends when the library is not to be found. */
void stackrun_set_preload(void);

/* ---- stackrun_net.c */
/* A network namespace without interfaces, and if `names` a mount namespace in
 * which /etc/hosts and /etc/resolv.conf are the stack's. False, with errno:
 * not possible for this user. */
bool stackrun_leave_network(unsigned id, bool names);

/* ---- stackrun_trap.c */
/* The calling process and what it becomes are supervised from now on. 0, or
 * negative errno when nothing has changed. */
int stackrun_supervise(unsigned id, bool isolated) MUST_USE;

#endif
