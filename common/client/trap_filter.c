/*
 * trap_filter.c: which system calls are stopped.
 */
#include "client/trap.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV /* Linux 5.19 */
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#define PROGRAM_MAX 4096

/* Flags that AF_UNIX takes for something else than TCP does. */
static const int send_flags[] = {MSG_OOB, MSG_FASTOPEN};
static const int recv_flags[] = {MSG_OOB, MSG_ERRQUEUE, MSG_TRUNC};

static const struct scmp_arg_cmp not_ours = {5, SCMP_CMP_NE, TRAP_PASS, 0};
static const struct scmp_arg_cmp windowed = {0, SCMP_CMP_MASKED_EQ,
					     TRAP_WINDOW_MASK, TRAP_WINDOW};

static int stop(scmp_filter_ctx c, int nr, unsigned n,
		const struct scmp_arg_cmp *a)
{
	int r = seccomp_rule_add_array(c, SCMP_ACT_NOTIFY, nr, n, a);

	return r == -EEXIST ? 0 : r; /* another rule covers it */
}

static int stop_flags(scmp_filter_ctx c, int nr, unsigned arg, bool passable,
		      const int *flags, size_t n)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct scmp_arg_cmp a[2] = {{arg, SCMP_CMP_MASKED_EQ,
					     (scmp_datum_t)flags[i],
					     (scmp_datum_t)flags[i]},
					    not_ours};

		r = stop(c, nr, passable ? 2 : 1, a);
	}
	return r;
}

/* Calls about names and options. */
static int add_control(scmp_filter_ctx c)
{
	static const int calls[] = {
		SCMP_SYS(bind),        SCMP_SYS(connect),
		SCMP_SYS(listen),      SCMP_SYS(accept),
		SCMP_SYS(accept4),     SCMP_SYS(getsockname),
		SCMP_SYS(getpeername), SCMP_SYS(getsockopt),
		SCMP_SYS(setsockopt),  SCMP_SYS(shutdown),
		SCMP_SYS(sendmmsg),    SCMP_SYS(recvmmsg)};
	/* AF_UNIX passes; the supervisor lets others through */
	const struct scmp_arg_cmp family = {0, SCMP_CMP_GE, AF_INET, 0};
	int r = stop(c, SCMP_SYS(socket), 1, &family);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(calls); i++)
		r = stop(c, calls[i], 1, &not_ours);
	return r;
}

/* Calls that move bytes: with an address, with a flag that means something
 * else to AF_UNIX, or on a descriptor that may be a UDP socket's. */
static int add_data(scmp_filter_ctx c)
{
	static const int plain[] = {SCMP_SYS(read),   SCMP_SYS(readv),
				    SCMP_SYS(write),  SCMP_SYS(writev),
				    SCMP_SYS(sendto), SCMP_SYS(recvfrom)};
	static const int msgs[] = {SCMP_SYS(sendmsg), SCMP_SYS(recvmsg)};
	const struct scmp_arg_cmp address = {4, SCMP_CMP_NE, 0, 0};
	const struct scmp_arg_cmp msg[2] = {windowed, not_ours};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(plain); i++)
		r = stop(c, plain[i], 1, &windowed);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(msgs); i++)
		r = stop(c, msgs[i], 2, msg);
	if (r == 0)
		r = stop(c, SCMP_SYS(sendto), 1, &address);
	if (r == 0)
		r = stop(c, SCMP_SYS(recvfrom), 1, &address);
	if (r == 0)
		r = stop_flags(c, SCMP_SYS(sendto), 3, false, send_flags,
			       ARRAY_SIZE(send_flags));
	if (r == 0)
		r = stop_flags(c, SCMP_SYS(recvfrom), 3, false, recv_flags,
			       ARRAY_SIZE(recv_flags));
	if (r == 0)
		r = stop_flags(c, SCMP_SYS(sendmsg), 2, true, send_flags,
			       ARRAY_SIZE(send_flags));
	if (r == 0)
		r = stop_flags(c, SCMP_SYS(recvmsg), 2, true, recv_flags,
			       ARRAY_SIZE(recv_flags));
	return r;
}

static int add_ioctl(scmp_filter_ctx c)
{
	const struct scmp_arg_cmp outq = {1, SCMP_CMP_MASKED_EQ, UINT32_MAX,
					  SIOCOUTQ};
	const struct scmp_arg_cmp interfaces = {1, SCMP_CMP_MASKED_EQ,
						0xffffff00u, 0x8900};
	const struct scmp_arg_cmp waiting[2] = {
		windowed, {1, SCMP_CMP_MASKED_EQ, UINT32_MAX, FIONREAD}};
	int r = stop(c, SCMP_SYS(ioctl), 1, &outq);

	if (r == 0)
		r = stop(c, SCMP_SYS(ioctl), 1, &interfaces);
	return r ? r : stop(c, SCMP_SYS(ioctl), 2, waiting);
}

static int fill(scmp_filter_ctx c, bool isolated)
{
	int r = seccomp_attr_set(c, SCMP_FLTATR_ACT_BADARCH,
				 isolated ? SCMP_ACT_ALLOW
					  : SCMP_ACT_KILL_PROCESS);

	/* a tree of comparisons, not a chain: it runs on every call */
	if (r == 0)
		r = seccomp_attr_set(c, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r == 0)
		r = add_control(c);
	if (r == 0)
		r = add_data(c);
	if (r == 0)
		r = add_ioctl(c);
	/* its submissions pass no filter; programs fall back */
	if (r == 0)
		r = seccomp_rule_add_array(c, SCMP_ACT_ERRNO(ENOSYS),
					   SCMP_SYS(io_uring_setup), 0, NULL);
	return r;
}

/* The library writes the program to a file, and cannot set the flag for
 * killable waits: the file is memory, and the call is made here. */
static int load(scmp_filter_ctx c)
{
	static struct sock_filter code[PROGRAM_MAX];
	struct sock_fprog prog = {.filter = code};
	unsigned flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
	int mem = memfd_create("filter", MFD_CLOEXEC);
	int r = mem < 0 ? -errno : seccomp_export_bpf(c, mem);
	ssize_t n = r < 0 ? 0 : pread(mem, code, sizeof(code), 0);
	long fd;

	if (mem >= 0)
		close(mem);
	if (r < 0)
		return r;
	if (n <= 0 || n == (ssize_t)sizeof(code))
		return -E2BIG;
	prog.len = (unsigned short)((size_t)n / sizeof(code[0]));
	fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		     flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &prog);
	if (fd < 0 && errno == EINVAL)
		fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags,
			     &prog);
	return fd < 0 ? -errno : (int)fd;
}

int trap_install(bool isolated)
{
	scmp_filter_ctx c = seccomp_init(SCMP_ACT_ALLOW);
	int r = c ? fill(c, isolated) : -ENOMEM;

	if (r == 0) {
		r = load(c);
		/* without CAP_SYS_ADMIN a filter needs this promise */
		if (r == -EACCES &&
		    prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) == 0)
			r = load(c);
	}
	if (c)
		seccomp_release(c);
	return r;
}
