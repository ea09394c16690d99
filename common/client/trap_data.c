/*
 * trap_data.c: stopped calls that move bytes. They are about UDP, or carry a
 * flag that means something else to AF_UNIX; everything else of a TCP socket
 * is the kernel's.
 */
#include "client/sys.h"
#include "client/trap_priv.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* struct user_msghdr is struct msghdr on 64-bit systems. */
struct parts {
	struct msghdr m; /* the program's */
	struct iovec iov[TRAP_IOV_MAX];
	uint8_t control[TRAP_CONTROL_MAX] __attribute__((aligned(8)));
	struct sockaddr_storage name;
};

static long ours(struct trap_call *c)
{
	int r = c->fd >= 0 ? 1 : trap_borrow(c);

	if (r > 0)
		return 1;
	if (r == 0)
		return TRAP_CONTINUE;
	return r == -EPERM && trap_isolated(c->t) ? TRAP_CONTINUE : r;
}

static bool waits(const struct trap_call *c, int flags)
{
	return !(flags & MSG_DONTWAIT) && !op_nonblocking(c->fd);
}

/* What the kernel does for a program that does not ask otherwise. */
static long broken(struct trap_call *c, long r, int flags)
{
	if (r == -EPIPE && !(flags & MSG_NOSIGNAL) && !(c->tag & TAG_DGRAM))
		(void)!kill((pid_t)c->n->pid, SIGPIPE);
	return r;
}

/* ---- send
 * ------------------------------------------------------------------------- */

static long send_parts(struct trap_call *c, const struct parts *p, int flags)
{
	uint8_t *b = trap_buffer(c->t);
	struct iovec io = {b, 0};
	struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};
	ssize_t n = trap_gather(c, p->iov, p->m.msg_iovlen, b, TRAP_DATA_MAX);
	long r;

	if (n < 0)
		return n;
	r = trap_become(c);
	if (r < 0)
		return r;
	io.iov_len = (size_t)n;
	if (p->m.msg_name) {
		m.msg_name = (void *)(uintptr_t)&p->name;
		m.msg_namelen = p->m.msg_namelen;
	}
	if (p->m.msg_controllen) {
		m.msg_control = (void *)(uintptr_t)p->control;
		m.msg_controllen = p->m.msg_controllen;
	}
	r = op_send(c->fd, c->tag, &m, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
	if (r == -EAGAIN && waits(c, flags))
		return TRAP_WAIT_OUT;
	return broken(c, r, flags);
}

static long plain_send(struct trap_call *c, struct parts *p, int flags)
{
	long r = ours(c);

	if (r == 1 && !(c->tag & TAG_DGRAM) && !p->m.msg_name &&
	    !(flags & (MSG_OOB | MSG_FASTOPEN)))
		return TRAP_CONTINUE;
	return r == 1 ? send_parts(c, p, flags) : r;
}

static struct parts *fresh(void)
{
	static struct parts p;

	memset(&p.m, 0, sizeof(p.m));
	memset(&p.name, 0, sizeof(p.name));
	return &p;
}

static struct parts *one_buffer(const struct trap_call *c)
{
	struct parts *p = fresh();

	p->iov[0].iov_base = (void *)(uintptr_t)c->n->data.args[1];
	p->iov[0].iov_len = MIN(c->n->data.args[2], (uint64_t)SSIZE_MAX);
	p->m.msg_iovlen = 1;
	return p;
}

long trap_sendto(struct trap_call *c)
{
	struct parts *p = one_buffer(c);
	long r = ours(c);
	int len = trap_arg_int(c, 5);

	if (r != 1)
		return r;
	if (c->n->data.args[4]) {
		if (len < 0 || (size_t)len > sizeof(p->name))
			return -EINVAL;
		r = trap_get(c, c->n->data.args[4], &p->name, (size_t)len);
		if (r)
			return r;
		p->m.msg_name = &p->name;
		p->m.msg_namelen = (socklen_t)len;
	}
	return plain_send(c, p, trap_arg_int(c, 3));
}

long trap_write(struct trap_call *c)
{
	return plain_send(c, one_buffer(c), 0);
}

long trap_writev(struct trap_call *c)
{
	struct parts *p = fresh();
	long r = ours(c);

	if (r == 1)
		r = trap_get_iov(c, c->n->data.args[1], c->n->data.args[2],
				 p->iov);
	else
		return r;
	p->m.msg_iovlen = (size_t)c->n->data.args[2];
	return r ? r : plain_send(c, p, 0);
}

/* The header at `at` with vector, name and control data. */
static long get_msg(struct trap_call *c, uint64_t at, bool sending,
		    struct parts *p)
{
	long r = trap_get(c, at, &p->m, sizeof(p->m));

	if (r)
		return r;
	r = trap_get_iov(c, (uint64_t)(uintptr_t)p->m.msg_iov, p->m.msg_iovlen,
			 p->iov);
	if (r || !sending)
		return r;
	if (p->m.msg_name) {
		if (p->m.msg_namelen > sizeof(p->name))
			return -EINVAL;
		r = trap_get(c, (uint64_t)(uintptr_t)p->m.msg_name, &p->name,
			     p->m.msg_namelen);
	}
	if (r == 0 && p->m.msg_controllen > sizeof(p->control))
		return -ENOBUFS;
	if (r == 0)
		r = trap_get(c, (uint64_t)(uintptr_t)p->m.msg_control,
			     p->control, p->m.msg_controllen);
	return r;
}

static long send_at(struct trap_call *c, uint64_t at, int flags)
{
	struct parts *p = fresh();
	long r = get_msg(c, at, true, p);

	return r ? r : send_parts(c, p, flags);
}

long trap_sendmsg(struct trap_call *c)
{
	int flags = trap_arg_int(c, 2);
	long r = ours(c);

	if (r == 1 && !(c->tag & TAG_DGRAM) &&
	    !(flags & (MSG_OOB | MSG_FASTOPEN)))
		return TRAP_CONTINUE;
	return r == 1 ? send_at(c, c->n->data.args[1], flags) : r;
}

long trap_sendmmsg(struct trap_call *c)
{
	unsigned n = (unsigned)c->n->data.args[2], i;
	long r = ours(c);

	if (r != 1)
		return r;
	n = MIN(n, (unsigned)TRAP_IOV_MAX);
	r = 0; /* none is no error */
	for (i = 0; i < n; i++) {
		uint64_t at = c->n->data.args[1] + i * sizeof(struct mmsghdr);
		unsigned len;

		r = send_at(c, at, trap_arg_int(c, 3));
		if (r < 0)
			break;
		len = (unsigned)r;
		if (trap_put(c, at + offsetof(struct mmsghdr, msg_len), &len,
			     sizeof(len)) < 0)
			return -EFAULT;
	}
	return i ? (long)i : r;
}

/* ---- receive
 * ---------------------------------------------------------------------- */

/* Into p->m what the program is to find; its length or an error. */
static long recv_parts(struct trap_call *c, struct parts *p, int flags)
{
	uint8_t *b = trap_buffer(c->t);
	struct iovec io = {b, 0};
	struct msghdr m = {.msg_name = &p->name,
			   .msg_namelen = sizeof(p->name),
			   .msg_iov = &io,
			   .msg_iovlen = 1};
	size_t want = 0;
	long r = trap_become(c);

	if (r < 0)
		return r;
	for (size_t i = 0; i < p->m.msg_iovlen; i++)
		want += p->iov[i].iov_len;
	io.iov_len = MIN(want, (size_t)TRAP_DATA_MAX);
	if (p->m.msg_control && p->m.msg_controllen) {
		m.msg_control = p->control;
		m.msg_controllen = MIN(p->m.msg_controllen, sizeof(p->control));
	}
	r = op_recv(c->fd, c->tag, &m, flags | MSG_DONTWAIT);
	if (r == -EAGAIN && waits(c, flags) && !(flags & MSG_ERRQUEUE))
		return TRAP_WAIT_IN;
	if (r < 0)
		return r;
	p->m.msg_namelen = m.msg_namelen;
	p->m.msg_controllen = m.msg_controllen;
	p->m.msg_flags = m.msg_flags;
	/* MSG_TRUNC: the true length may be more than was copied */
	return trap_scatter(c, p->iov, p->m.msg_iovlen, b,
			    MIN((size_t)r, io.iov_len)) < 0
		       ? -EFAULT
		       : r;
}

static long plain_recv(struct trap_call *c, struct parts *p, int flags)
{
	long r = ours(c);

	if (r == 1 && !(c->tag & TAG_DGRAM) &&
	    !(flags & (MSG_OOB | MSG_ERRQUEUE | MSG_TRUNC)))
		return TRAP_CONTINUE;
	return r == 1 ? recv_parts(c, p, flags) : r;
}

long trap_recvfrom(struct trap_call *c)
{
	struct parts *p = one_buffer(c);
	uint64_t name = c->n->data.args[4], len_at = c->n->data.args[5];
	socklen_t cap = 0;
	long n = ours(c);

	if (n != 1)
		return n;
	if (name && (trap_get(c, len_at, &cap, sizeof(cap)) < 0))
		return -EFAULT;
	if ((int)cap < 0)
		return -EINVAL;
	n = name ? recv_parts(c, p, trap_arg_int(c, 3))
		 : plain_recv(c, p, trap_arg_int(c, 3));
	if (n < 0 || !name)
		return n;
	if (trap_put(c, name, &p->name, MIN(cap, p->m.msg_namelen)) < 0 ||
	    trap_put(c, len_at, &p->m.msg_namelen, sizeof(cap)) < 0)
		return -EFAULT;
	return n;
}

long trap_read(struct trap_call *c)
{
	return plain_recv(c, one_buffer(c), 0);
}

long trap_readv(struct trap_call *c)
{
	struct parts *p = fresh();
	long r = ours(c);

	if (r == 1)
		r = trap_get_iov(c, c->n->data.args[1], c->n->data.args[2],
				 p->iov);
	else
		return r;
	p->m.msg_iovlen = (size_t)c->n->data.args[2];
	return r ? r : plain_recv(c, p, 0);
}

static long recv_at(struct trap_call *c, uint64_t at, int flags)
{
	struct parts *p = fresh();
	struct msghdr its;
	long r = get_msg(c, at, false, p), n;

	if (r)
		return r;
	its = p->m;
	n = recv_parts(c, p, flags);
	if (n < 0)
		return n;
	r = 0;
	if (its.msg_name)
		r = trap_put(c, (uint64_t)(uintptr_t)its.msg_name, &p->name,
			     MIN(its.msg_namelen, p->m.msg_namelen));
	if (r == 0 && its.msg_control)
		r = trap_put(c, (uint64_t)(uintptr_t)its.msg_control,
			     p->control, p->m.msg_controllen);
	its.msg_namelen = its.msg_name ? p->m.msg_namelen : 0;
	its.msg_controllen = p->m.msg_controllen;
	its.msg_flags = p->m.msg_flags;
	if (r == 0)
		r = trap_put(c, at, &its, sizeof(its));
	return r ? r : n;
}

long trap_recvmsg(struct trap_call *c)
{
	int flags = trap_arg_int(c, 2);
	long r = ours(c);

	if (r == 1 && !(c->tag & TAG_DGRAM) &&
	    !(flags & (MSG_OOB | MSG_ERRQUEUE | MSG_TRUNC)))
		return TRAP_CONTINUE;
	return r == 1 ? recv_at(c, c->n->data.args[1], flags) : r;
}

/* Its time-out is looked at after a datagram, as Linux does, so it ends no
 * wait: what is there is taken. */
long trap_recvmmsg(struct trap_call *c)
{
	unsigned n = (unsigned)c->n->data.args[2], i;
	int flags = trap_arg_int(c, 3);
	long r = ours(c);

	if (r != 1)
		return r;
	n = MIN(n, (unsigned)TRAP_IOV_MAX);
	r = 0; /* none is no error */
	for (i = 0; i < n; i++) {
		uint64_t at = c->n->data.args[1] + i * sizeof(struct mmsghdr);
		unsigned len;

		r = recv_at(c, at,
			    (flags & ~MSG_WAITFORONE) | (i ? MSG_DONTWAIT : 0));
		if (r < 0)
			break;
		len = (unsigned)r;
		if (trap_put(c, at + offsetof(struct mmsghdr, msg_len), &len,
			     sizeof(len)) < 0)
			return -EFAULT;
	}
	return i ? (long)i : r;
}
