#include "osa/osa.h"

#include <sys/syscall.h>

/*
 * What the files of this room call after osa_open(), osa_close() included,
 * each beside who needs it. Some C library functions use one call on one
 * machine and another on the next; then both stand here.
 */
static const int list[] = {
	/* tun.c: packets */
	SYS_read,
	SYS_writev,
	/* trace.c: the file, and cutting it back */
	SYS_write,
	SYS_ftruncate,
	SYS_lseek,
	SYS_rt_sigaction,
	SYS_clock_gettime,
	/* seqpacket.c: messages, the other side coming and going */
	SYS_recvfrom,
	SYS_sendmsg,
#ifdef SYS_poll
	SYS_poll,
#endif
	SYS_ppoll,
	SYS_ioctl, /* FIONREAD */
#ifdef SYS_epoll_wait
	SYS_epoll_wait,
#endif
	SYS_epoll_pwait,
	SYS_epoll_ctl,
	SYS_accept4,
	SYS_socket,
	SYS_connect,
	SYS_setsockopt, /* SO_SNDBUF */
	SYS_timerfd_settime,
	/* hostnl.c at close: undoing, on the socket opened before */
	SYS_recvmsg,
	SYS_newfstatat, /* seqpacket.c: is the path still ours? */
#ifdef SYS_unlink
	SYS_unlink,
#endif
	SYS_unlinkat,
	SYS_close,
};

const int *osa_syscalls(size_t *n)
{
	*n = ARRAY_SIZE(list);
	return list;
}
