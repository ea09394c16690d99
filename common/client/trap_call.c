/*
 * trap_call.c: stopped calls about names, options and life of sockets, each
 * with the arguments of its system call.
 */
#include "client/attls.h"
#include "client/sys.h"
#include "client/trap_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- helpers
 * -------------------------------------------------------------------- */

/* args[0] is a socket of ours: 1. Otherwise what the call comes to. */
static long ours(struct trap_call *c)
{
	int r = trap_borrow(c);

	if (r > 0)
		return 1;
	if (r == 0)
		return TRAP_CONTINUE;
	/* a process that may not be looked at; without interfaces the kernel
	 * can do no harm with a socket that is not ours */
	return r == -EPERM && trap_isolated(c->t) ? TRAP_CONTINUE : r;
}

static int get_address(const struct trap_call *c, int arg,
		       struct sockaddr_storage *ret, socklen_t *ret_len)
{
	int len = trap_arg_int(c, arg + 1);

	memset(ret, 0, sizeof(*ret));
	if (len < 0 || (size_t)len > sizeof(*ret))
		return -EINVAL;
	*ret_len = (socklen_t)len;
	return trap_get(c, c->n->data.args[arg], ret, (size_t)len);
}

/* `ss` to args[arg], cut to the length at args[arg + 1], as the kernel does
 * it. */
static int put_address(const struct trap_call *c, int arg,
		       const struct sockaddr_storage *ss, socklen_t len)
{
	socklen_t cap;
	int r = trap_get(c, c->n->data.args[arg + 1], &cap, sizeof(cap));

	if (r == 0 && (int)cap < 0)
		r = -EINVAL;
	if (r == 0)
		r = trap_put(c, c->n->data.args[arg], ss, MIN(cap, len));
	return r ? r : trap_put(c, c->n->data.args[arg + 1], &len, sizeof(len));
}

/* ---- socket
 * --------------------------------------------------------------------- */

static long call_socket(struct trap_call *c)
{
	int domain = trap_arg_int(c, 0), type = trap_arg_int(c, 1), fd;

	if (domain == AF_PACKET)
		return -EPERM;
	/* these belong to the network namespace, or are no network */
	if (domain == AF_NETLINK || domain == AF_ALG)
		return TRAP_CONTINUE;
	if (domain != AF_INET && domain != AF_INET6)
		return -EAFNOSUPPORT;
	fd = op_socket(trap_stack(c->t), domain, type | SOCK_CLOEXEC,
		       trap_arg_int(c, 2));
	if (fd < 0)
		return fd;
	return trap_give(c, fd, type & SOCK_CLOEXEC,
			 (type & 0xf) == SOCK_DGRAM);
}

/* ---- names
 * ----------------------------------------------------------------------- */

static long call_bind(struct trap_call *c)
{
	struct sockaddr_storage ss;
	socklen_t len;
	long r = ours(c);

	if (r != 1)
		return r;
	r = get_address(c, 1, &ss, &len);
	if (r == 0)
		r = trap_become(c);
	return r ? r : op_bind(c->fd, c->tag, (struct sockaddr *)&ss, len);
}

static long call_connect(struct trap_call *c)
{
	struct sockaddr_storage ss;
	socklen_t len;
	long r = ours(c);

	if (r != 1)
		return r;
	r = get_address(c, 1, &ss, &len);
	if (r == 0)
		r = trap_become(c);
	if (r == 0)
		r = op_connect(c->fd, c->tag, (struct sockaddr *)&ss, len);
	/* only a socket that may wait, waits */
	if ((r == -EINPROGRESS || r == -EALREADY) && !op_nonblocking(c->fd))
		return TRAP_WAIT_OUT;
	return r;
}

static long call_listen(struct trap_call *c)
{
	long r = ours(c);

	if (r == 1)
		r = trap_become(c);
	else
		return r;
	return r ? r : op_listen(c->fd, c->tag, trap_arg_int(c, 1));
}

/* accept() knows no MSG_DONTWAIT; another process may take the connection
 * that poll() told of, so the socket is asked not to wait. */
static int accept_now(struct trap_call *c, struct sockaddr_storage *ss,
		      socklen_t *len)
{
	struct pollfd p = {.fd = c->fd, .events = POLLIN};
	int fl = fcntl(c->fd, F_GETFL), r;

	if (fl & O_NONBLOCK || poll(&p, 1, 0) == 0)
		return fl & O_NONBLOCK
			       ? op_accept(c->fd, c->tag, (struct sockaddr *)ss,
					   len, SOCK_CLOEXEC)
			       : -EAGAIN;
	(void)!fcntl(c->fd, F_SETFL, fl | O_NONBLOCK);
	r = op_accept(c->fd, c->tag, (struct sockaddr *)ss, len, SOCK_CLOEXEC);
	(void)!fcntl(c->fd, F_SETFL, fl);
	return r;
}

static long do_accept(struct trap_call *c, int flags)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	long r = ours(c);
	int fd;

	if (r != 1)
		return r;
	if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
		return -EINVAL;
	fd = accept_now(c, &ss, &len);
	if (fd == -EAGAIN && !op_nonblocking(c->fd))
		return TRAP_WAIT_IN;
	if (fd < 0)
		return fd;
	if (flags & SOCK_NONBLOCK)
		(void)!fcntl(fd, F_SETFL, O_NONBLOCK);
	r = c->n->data.args[1] ? put_address(c, 1, &ss, len) : 0;
	if (r < 0) {
		close(fd);
		return r;
	}
	return trap_give(c, fd, flags & SOCK_CLOEXEC, false);
}

static long call_accept(struct trap_call *c)
{
	return do_accept(c, 0);
}

static long call_accept4(struct trap_call *c)
{
	return do_accept(c, trap_arg_int(c, 3));
}

static long do_name(struct trap_call *c,
		    int (*op)(int, uint64_t, struct sockaddr *, socklen_t *))
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	long r = ours(c);

	if (r != 1)
		return r;
	r = op(c->fd, c->tag, (struct sockaddr *)&ss, &len);
	return r ? r : put_address(c, 1, &ss, len);
}

static long call_getsockname(struct trap_call *c)
{
	return do_name(c, op_getsockname);
}

static long call_getpeername(struct trap_call *c)
{
	return do_name(c, op_getpeername);
}

static long call_shutdown(struct trap_call *c)
{
	long r = ours(c);

	return r == 1 ? op_shutdown(c->fd, c->tag, trap_arg_int(c, 1)) : r;
}

/* ---- options
 * --------------------------------------------------------------------- */

/* Options that the kernel keeps for some users. */
static bool privileged(int level, int name)
{
	return level == SOL_SOCKET &&
	       (name == SO_SNDBUFFORCE || name == SO_RCVBUFFORCE ||
		name == SO_MARK || name == SO_PRIORITY || name == SO_BUSY_POLL);
}

/* START and STOP of tlsd take as long as the peer. */
static bool goes_on(const struct trap_call *c, long r)
{
	return trap_arg_int(c, 1) == SOL_ATTLS &&
	       (r == -EINPROGRESS || r == -EAGAIN) && !op_nonblocking(c->fd);
}

static long call_setsockopt(struct trap_call *c)
{
	uint8_t val[TRAP_OPT_MAX] __attribute__((aligned(8)));
	int len = trap_arg_int(c, 4);
	long r = ours(c);

	if (r != 1)
		return r;
	if (len < 0 || (size_t)len > sizeof(val))
		return -EINVAL;
	r = trap_get(c, c->n->data.args[3], val, (size_t)len);
	if (r == 0 && privileged(trap_arg_int(c, 1), trap_arg_int(c, 2)))
		r = trap_become(c);
	if (r == 0)
		r = op_setsockopt(c->fd, c->tag, trap_arg_int(c, 1),
				  trap_arg_int(c, 2), val, (socklen_t)len);
	return goes_on(c, r) ? TRAP_WAIT_TICK : r;
}

static long call_getsockopt(struct trap_call *c)
{
	/* certificates are larger than any option of the kernel */
	uint8_t *val = trap_buffer(c->t);
	socklen_t len;
	long r = ours(c);

	if (r != 1)
		return r;
	r = trap_get(c, c->n->data.args[4], &len, sizeof(len));
	if (r)
		return r;
	if ((int)len < 0)
		return -EINVAL;
	len = MIN(len,
		  (socklen_t)(trap_arg_int(c, 1) == SOL_ATTLS ? TRAP_DATA_MAX
							      : TRAP_OPT_MAX));
	memset(val, 0, len);
	r = op_getsockopt(c->fd, c->tag, trap_arg_int(c, 1), trap_arg_int(c, 2),
			  val, &len);
	if (r == 0)
		r = trap_put(c, c->n->data.args[3], val, len);
	return r ? r : trap_put(c, c->n->data.args[4], &len, sizeof(len));
}

/* ---- ioctl
 * ----------------------------------------------------------------------- */

#define IFCONF_MAX (64 * 1024)

static long ioctl_ifconf(struct trap_call *c)
{
	struct ifconf its, mine;
	long r = trap_get(c, c->n->data.args[2], &its, sizeof(its));

	if (r)
		return r;
	mine = its;
	mine.ifc_len = CLAMP(its.ifc_len, 0, IFCONF_MAX);
	if (its.ifc_buf)
		mine.ifc_buf = (char *)trap_buffer(c->t);
	r = op_ioctl(c->fd, c->tag, SIOCGIFCONF, &mine);
	if (r == 0 && its.ifc_buf)
		r = trap_put(c, (uint64_t)(uintptr_t)its.ifc_buf, mine.ifc_buf,
			     (size_t)mine.ifc_len);
	its.ifc_len = mine.ifc_len;
	return r ? r : trap_put(c, c->n->data.args[2], &its, sizeof(its));
}

static long ioctl_copied(struct trap_call *c, unsigned rq, size_t len)
{
	uint8_t b[sizeof(struct ifreq)] __attribute__((aligned(8)));
	long r = trap_get(c, c->n->data.args[2], b, len);

	if (r)
		return r;
	r = op_ioctl(c->fd, c->tag, rq, b);
	if (r < 0)
		return r;
	return trap_put(c, c->n->data.args[2], b, len) ? -EFAULT : r;
}

static long call_ioctl(struct trap_call *c)
{
	unsigned rq = (unsigned)c->n->data.args[1];
	long r = ours(c);

	if (r != 1)
		return r;
	switch (rq) {
	case SIOCOUTQ:
	case SIOCOUTQNSD:
	case SIOCATMARK:
	case FIONREAD:
		return ioctl_copied(c, rq, sizeof(int));
	case SIOCGIFCONF:
		return ioctl_ifconf(c);
	case SIOCGIFNAME:
	case SIOCGIFADDR:
	case SIOCGIFNETMASK:
	case SIOCGIFBRDADDR:
	case SIOCGIFFLAGS:
	case SIOCGIFMTU:
	case SIOCGIFMETRIC:
	case SIOCGIFINDEX:
	case SIOCGIFHWADDR:
		return ioctl_copied(c, rq, sizeof(struct ifreq));
	default: /* the kernel's, in a namespace without interfaces */
		return trap_isolated(c->t) ? TRAP_CONTINUE : -ENOTTY;
	}
}

/* ---- which
 * ------------------------------------------------------------------------ */

static const struct {
	int nr;
	trap_fn *fn;
} calls[] = {
	{SYS_socket, call_socket},
	{SYS_bind, call_bind},
	{SYS_connect, call_connect},
	{SYS_listen, call_listen},
	{SYS_accept, call_accept},
	{SYS_accept4, call_accept4},
	{SYS_getsockname, call_getsockname},
	{SYS_getpeername, call_getpeername},
	{SYS_shutdown, call_shutdown},
	{SYS_setsockopt, call_setsockopt},
	{SYS_getsockopt, call_getsockopt},
	{SYS_ioctl, call_ioctl},
	{SYS_sendto, trap_sendto},
	{SYS_recvfrom, trap_recvfrom},
	{SYS_sendmsg, trap_sendmsg},
	{SYS_recvmsg, trap_recvmsg},
	{SYS_sendmmsg, trap_sendmmsg},
	{SYS_recvmmsg, trap_recvmmsg},
	{SYS_read, trap_read},
	{SYS_readv, trap_readv},
	{SYS_write, trap_write},
	{SYS_writev, trap_writev},
};

trap_fn *trap_find(int nr)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		if (calls[i].nr == nr)
			return calls[i].fn;
	}
	return NULL;
}
