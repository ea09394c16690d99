/*
 * trap_priv.h: the inside of the supervisor, for trap*.c only.
 *
 * trap.c receives and answers, and keeps the calls that wait; trap_call.c
 * turns a call about names and options into an operation of op.h, trap_data.c
 * one that moves bytes; trap_mem.c copies arguments, trap_task.c borrows
 * descriptors and acts as the program's user.
 */
#ifndef COUPLET_CLIENT_TRAP_PRIV_H
#define COUPLET_CLIENT_TRAP_PRIV_H

#include "client/op.h"
#include "client/trap.h"

#include <limits.h>
#include <linux/seccomp.h>

#define TRAP_DATA_MAX (128 * 1024) /* bytes of one call that are copied */
#define TRAP_IOV_MAX 1024
#define TRAP_CONTROL_MAX 4096
#define TRAP_OPT_MAX 4096 /* value of a socket option */

/* What a call may come to besides a result or a negative errno. */
enum {
	TRAP_CONTINUE = INT_MIN, /* not ours: the kernel's business */
	TRAP_WAIT_IN,            /* again when the socket is readable */
	TRAP_WAIT_OUT,           /* again when it is writable */
	TRAP_WAIT_TICK,          /* again every TRAP_SIGNAL_MS */
	TRAP_ANSWERED,           /* with a descriptor */
};

struct trap;

/* One stopped system call. */
struct trap_call {
	struct trap *t;
	const struct seccomp_notif *n;
	int pidfd; /* the thread, -1 not yet */
	bool keep; /* pidfd outlives the call */
	int fd;    /* its descriptor as ours, -1 none; closed after the call */
	uint64_t tag; /* of fd */
};

static inline int trap_arg_int(const struct trap_call *c, int i)
{
	return (int)c->n->data.args[i];
}

/* ---- trap_mem.c: the program's memory; 0 or -EFAULT */
int trap_get(const struct trap_call *c, uint64_t at, void *to,
	     size_t len) MUST_USE;
int trap_put(const struct trap_call *c, uint64_t at, const void *from,
	     size_t len) MUST_USE;
/* A vector of the program into `iov`; -EINVAL, -EMSGSIZE, -EFAULT. */
int trap_get_iov(const struct trap_call *c, uint64_t at, uint64_t n,
		 struct iovec *iov) MUST_USE;
/* All it points to, at most `cap` bytes: their number or -EFAULT. */
ssize_t trap_gather(const struct trap_call *c, const struct iovec *iov,
		    size_t n, void *to, size_t cap) MUST_USE;
int trap_scatter(const struct trap_call *c, const struct iovec *iov, size_t n,
		 const void *from, size_t len) MUST_USE;

/* ---- trap_task.c */
/* pidfd of the calling thread. 0, negative errno. */
int trap_open_task(struct trap_call *c) MUST_USE;
void trap_close_task(struct trap_call *c);
/* Descriptor args[0] into c->fd and c->tag. 1: a socket of ours; 0: another
 * descriptor, or none; negative errno: not to be had. */
int trap_borrow(struct trap_call *c) MUST_USE;
/* Puts `fd` into the program as the result of the call and closes it;
 * TRAP_ANSWERED or negative errno. `window`: see trap.h. */
int trap_give(struct trap_call *c, int fd, bool cloexec, bool window);
/* struct op_other.replaced */
int trap_replace(void *arg, int fd, bool cloexec);
/* Whoever stackd sees from now on is the program's user. */
int trap_become(const struct trap_call *c) MUST_USE;
/* At the start: keeps what the supervisor needs of root's capabilities. */
void trap_keep_capabilities(void);
enum trap_signal {
	TRAP_SIGNAL_NONE,
	TRAP_SIGNAL_RESTART,   /* the thread has one to handle: as the kernel */
	TRAP_SIGNAL_INTERRUPT, /* it probably has: EINTR */
};
/* Does a signal wait for the thread to leave its call? `seen`: kept between
 * looks, 0 at first. */
enum trap_signal trap_signalled(const struct trap_call *c, uint64_t *seen);

/* ---- trap_call.c, trap_data.c: one function per system call */
typedef long trap_fn(struct trap_call *c);
/* NULL: none of these. */
trap_fn *trap_find(int nr);
trap_fn trap_sendto, trap_recvfrom, trap_sendmsg, trap_recvmsg, trap_sendmmsg,
	trap_recvmmsg, trap_read, trap_readv, trap_write, trap_writev;

/* ---- trap.c */
unsigned trap_stack(const struct trap *t);
bool trap_isolated(const struct trap *t);
int trap_listener(const struct trap *t);
/* TRAP_DATA_MAX bytes for the call in progress. */
uint8_t *trap_buffer(struct trap *t);
bool trap_as_root(const struct trap *t);

#endif
