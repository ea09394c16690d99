/*
 * trap.h: stackrun's other way into a program, for what a preload library
 * does not reach: static programs, system calls made without libc, set-user-ID
 * programs, libc's own resolver. A seccomp filter stops the calls that carry
 * an address or an option; a supervisor process answers them with the
 * operations of op.h on the program's own socket (pidfd_getfd) and with copies
 * of the program's arguments (process_vm_readv). Reading and writing a TCP
 * connection is never stopped.
 *
 * What a filter cannot see is which socket a descriptor is. read() and recv()
 * on a UDP socket without a peer must be stopped all the same (each datagram
 * begins with a header), so UDP sockets get descriptors from a window of
 * numbers, and data calls are stopped on these numbers only.
 *
 * The preload library works behind the same filter: its own calls carry
 * TRAP_PASS in the last register, which these calls do not use, and are let
 * through. That is no protection, and needs none: a program that passes the
 * filter finds an AF_UNIX socket and a network namespace without interfaces.
 */
#ifndef COUPLET_CLIENT_TRAP_H
#define COUPLET_CLIENT_TRAP_H

#include "base/base.h"

#define TRAP_PASS UINT64_C(0x43504c5430504153)
/* Numbers 896..1023: below what select() can watch and what a process may
 * usually open, above what most programs use. */
#define TRAP_WINDOW 0x380
#define TRAP_WINDOW_MASK 0xffffff80u
#define TRAP_WINDOW_SIZE 128
#define TRAP_WAITS_MAX \
	4096 /* calls that wait at the same time, per stackrun \
	      */
/* A signal that comes while a call waits is seen after at most this time. */
#define TRAP_SIGNAL_MS 20

static inline bool trap_in_window(int fd)
{
	return ((unsigned)fd & TRAP_WINDOW_MASK) == TRAP_WINDOW;
}

/*
 * trap_filter.c: installs the filter on the calling process. `isolated`: it
 * is in a network namespace of its own, so system calls of another
 * architecture (32-bit programs) may pass; otherwise they end the program.
 * The descriptor to wait on (close-on-exec), or negative errno; -EBUSY: this
 * process is under a filter with a supervisor already.
 */
int trap_install(bool isolated) MUST_USE;

struct trap_config {
	unsigned id;   /* stack of new sockets */
	bool isolated; /* as above */
	int listener;  /* from trap_install(), of this process */
};

/* trap.c: answers calls until no process is under the filter any more. 0, or
 * negative errno when it cannot begin. Never waits for a program. */
int trap_serve(const struct trap_config *cf) MUST_USE;

#endif
