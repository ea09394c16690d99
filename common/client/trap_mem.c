/*
 * trap_mem.c: arguments of a stopped call. The program's other threads may
 * change them meanwhile, so each is copied once and looked at here.
 */
#include "client/trap_priv.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

/* The thread may have been killed while its call was carried out, and its
 * number given to a process that has nothing to do with it: nothing is written
 * there. */
static bool stands(const struct trap_call *c)
{
	return ioctl(trap_listener(c->t), SECCOMP_IOCTL_NOTIF_ID_VALID,
		     &c->n->id) == 0;
}

int trap_get(const struct trap_call *c, uint64_t at, void *to, size_t len)
{
	struct iovec mine = {to, len}, its = {(void *)(uintptr_t)at, len};

	if (!len)
		return 0;
	return process_vm_readv((pid_t)c->n->pid, &mine, 1, &its, 1, 0) ==
			       (ssize_t)len
		       ? 0
		       : -EFAULT;
}

int trap_put(const struct trap_call *c, uint64_t at, const void *from,
	     size_t len)
{
	struct iovec mine = {(void *)(uintptr_t)from, len};
	struct iovec its = {(void *)(uintptr_t)at, len};

	if (!len)
		return 0;
	if (!stands(c))
		return -EFAULT;
	return process_vm_writev((pid_t)c->n->pid, &mine, 1, &its, 1, 0) ==
			       (ssize_t)len
		       ? 0
		       : -EFAULT;
}

int trap_get_iov(const struct trap_call *c, uint64_t at, uint64_t n,
		 struct iovec *iov)
{
	size_t sum = 0;
	int r;

	if (n > TRAP_IOV_MAX)
		return -EMSGSIZE;
	r = trap_get(c, at, iov, (size_t)n * sizeof(*iov));
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (iov[i].iov_len > SSIZE_MAX - sum)
			return -EINVAL;
		sum += iov[i].iov_len;
	}
	return r;
}

ssize_t trap_gather(const struct trap_call *c, const struct iovec *iov,
		    size_t n, void *to, size_t cap)
{
	struct iovec mine = {to, cap};
	size_t want = 0;

	for (size_t i = 0; i < n; i++)
		want += iov[i].iov_len;
	want = MIN(want, cap);
	if (!want)
		return 0;
	mine.iov_len = want;
	return process_vm_readv((pid_t)c->n->pid, &mine, 1, iov, n, 0) ==
			       (ssize_t)want
		       ? (ssize_t)want
		       : -EFAULT;
}

int trap_scatter(const struct trap_call *c, const struct iovec *iov, size_t n,
		 const void *from, size_t len)
{
	struct iovec mine = {(void *)(uintptr_t)from, len};

	if (!len)
		return 0;
	if (!stands(c))
		return -EFAULT;
	return process_vm_writev((pid_t)c->n->pid, &mine, 1, iov, n, 0) ==
			       (ssize_t)len
		       ? 0
		       : -EFAULT;
}
