/*
 * op_opt.c: options of the socket level, and what all levels share.
 *
 * Before stackd knows a socket, options live in the kernel's socket: those
 * that AF_UNIX stores without heeding them, and the tag. They go to stackd
 * with the first record. Afterwards they are sent on; on a connection, those
 * that cannot fail are not waited for.
 */
#include "client/attls.h"
#include "client/op.h"
#include "client/opt.h"
#include "client/sys.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>

#ifndef SO_PEERPIDFD /* newer than Debian 12's headers */
#define SO_PEERPIDFD 77
#endif

/* ---- talking to stackd
 * ------------------------------------------------------------ */

static int native_int(int fd, int name, int dflt)
{
	int v = 0;
	socklen_t l = sizeof(v);

	return sys_getsockopt(fd, SOL_SOCKET, name, &v, &l) < 0 ? dflt : v;
}

void op_collect(int fd, uint64_t t, struct proto_opts *ret)
{
	struct linger li = {0, 0};
	socklen_t l = sizeof(li);
	int keep;

	memset(ret, 0, sizeof(*ret));
	if (t & TAG_V6ONLY)
		ret->flags |= PROTO_O_V6ONLY;
	if (t & TAG_REUSEPORT)
		ret->flags |= PROTO_O_REUSEPORT;
	if (t & TAG_NODELAY)
		ret->flags |= PROTO_O_NODELAY;
	ret->tos = (uint8_t)tag_field(t, TAG_TOS_SHIFT, 8);
	ret->keepcnt = (uint8_t)tag_field(t, TAG_KEEPCNT_SHIFT, 7);
	if (t & TAG_SNDBUF && t & TAG_DGRAM)
		ret->sndbuf = (uint32_t)native_int(fd, SO_SNDBUF, 0) / 2;
	if (t & TAG_RCVBUF)
		ret->rcvbuf = (uint32_t)native_int(fd, SO_RCVBUF, 0) / 2;
	if (!(t & TAG_OPTS))
		return;
	if (native_int(fd, SO_REUSEADDR, 0))
		ret->flags |= PROTO_O_REUSEADDR;
	if (native_int(fd, SO_KEEPALIVE, 0))
		ret->flags |= PROTO_O_KEEPALIVE;
	if (native_int(fd, SO_BROADCAST, 0))
		ret->flags |= PROTO_O_BROADCAST;
	if (sys_getsockopt(fd, SOL_SOCKET, SO_LINGER, &li, &l) == 0 &&
	    li.l_onoff) {
		ret->flags |= PROTO_O_LINGER;
		ret->linger_s = li.l_linger;
	}
	keep = native_int(fd, SO_INCOMING_CPU, -1);
	if (keep > 0) {
		ret->keepidle_s = keep & 0x7fff;
		ret->keepintvl_s = keep >> 15 & 0x7fff;
	}
}

int op_ctl(int fd, uint64_t *t, struct proto_req *rq, struct proto_rep *rep,
	   void *data, size_t cap)
{
	int r;

	if (*t & TAG_DGRAM) {
		r = dgram_attach(fd, t);
		if (r < 0)
			return r;
	}
	rq->v6 = *t & TAG_V6 ? 1 : 0;
	rq->dgram = *t & TAG_DGRAM ? 1 : 0;
	rq->for_pid = op_other ? (uint32_t)op_other->pid : 0;
	if (!(*t & TAG_KNOWN)) {
		rq->flags |= PROTO_F_OPTS;
		op_collect(fd, *t, &rq->opts);
	}
	r = ctl_call(tag_id(*t), fd, rq, rep, data, cap);
	if (!(*t & TAG_KNOWN) && r != -ENETDOWN && r != -EACCES &&
	    r != -EMFILE && r != -ENFILE) {
		*t |= TAG_KNOWN;
		tag_put(fd, *t);
	}
	return r;
}

int op_ctl_set(int fd, uint64_t *t, int name, int64_t v, bool wait)
{
	/* connect() and the next datagram go through other doors than this
	 * word, and may be seen before it: only a stream that is under way
	 * goes on without an answer */
	bool under_way =
		tag_state(*t) == TAG_CONNECTED || tag_state(*t) == TAG_ACCEPTED;
	bool oneway = !wait && under_way && !(*t & TAG_DGRAM);
	struct proto_req rq = {.op = PROTO_SETOPT,
			       .flags = oneway ? PROTO_F_ONEWAY : 0,
			       .name = name,
			       .value = v};
	struct proto_rep rep;
	int r = op_ctl(fd, t, &rq, &rep, NULL, 0);

	/* the connection has ended: Linux takes options for a dead socket */
	return r == -ENOTCONN ? 0 : r;
}

int op_ctl_get(int fd, uint64_t *t, int name, int64_t *ret)
{
	struct proto_req rq = {.op = PROTO_GETOPT, .name = name};
	struct proto_rep rep;
	int r = op_ctl(fd, t, &rq, &rep, NULL, 0);

	if (r == 0)
		*ret = rep.value;
	return r;
}

/* ---- values of programs
 * -------------------------------------------------------------- */

int opt_int(const void *val, socklen_t len, int *ret)
{
	if ((int)len < (int)sizeof(int))
		return -EINVAL;
	if (!val)
		return -EFAULT;
	memcpy(ret, val, sizeof(int));
	return 0;
}

int opt_put(const void *v, size_t n, void *val, socklen_t *len)
{
	if (!len || !val)
		return -EFAULT;
	if ((int)*len < 0)
		return -EINVAL;
	*len = (socklen_t)MIN((size_t)*len, n);
	memcpy(val, v, *len);
	return 0;
}

int opt_put_int(int v, void *val, socklen_t *len)
{
	return opt_put(&v, sizeof(v), val, len);
}

static int native_set(int fd, int name, const void *val, socklen_t len)
{
	return sys_setsockopt(fd, SOL_SOCKET, name, val, len) < 0 ? -errno : 0;
}

static int native_get(int fd, int name, void *val, socklen_t *len)
{
	return sys_getsockopt(fd, SOL_SOCKET, name, val, len) < 0 ? -errno : 0;
}

void opt_note(int fd, uint64_t *t, uint64_t bits, bool on)
{
	uint64_t n = on ? *t | bits : *t & ~bits;

	if (n != *t)
		tag_put(fd, n);
	*t = n;
}

/* ---- setsockopt
 * ------------------------------------------------------------------------ */

static int set_stored(int fd, uint64_t t, int name, const void *val,
		      socklen_t len, int ours)
{
	int v, r = opt_int(val, len, &v);

	if (r == 0)
		r = native_set(fd, name, val, len);
	if (r < 0)
		return r;
	opt_note(fd, &t, TAG_OPTS, true);
	return t & TAG_KNOWN && ours >= 0
		       ? op_ctl_set(fd, &t, ours, v != 0, false)
		       : 0;
}

static int set_linger(int fd, uint64_t t, const void *val, socklen_t len)
{
	struct linger li;
	int r;

	if ((int)len < (int)sizeof(li))
		return -EINVAL;
	r = native_set(fd, SO_LINGER, val, len);
	if (r < 0)
		return r;
	memcpy(&li, val, sizeof(li));
	opt_note(fd, &t, TAG_OPTS, true);
	if (!(t & TAG_KNOWN))
		return 0;
	/* waited for: a close() may follow at once */
	return op_ctl_set(fd, &t, OPT_LINGER, li.l_onoff ? li.l_linger : -1,
			  true);
}

/* Bytes of stream, which are the engine's. The kernel's queue in front of it
 * is never made smaller: the byte that stackd leaves unread would stop a
 * program from writing (op.h). */
static int set_sndbuf(int fd, uint64_t t, int v)
{
	int r;

	v = CLAMP(v, 2304, OP_BUF_MAX);
	/* waited for: the first word about a fresh socket may be refused */
	r = op_ctl_set(fd, &t, OPT_SNDBUF, v, true);
	if (r < 0)
		return r;
	if (v > OP_SNDBUF &&
	    (tag_state(t) == TAG_CONNECTED || tag_state(t) == TAG_ACCEPTED))
		(void)!native_set(fd, SO_SNDBUF, &v, sizeof(v));
	opt_note(fd, &t, TAG_SNDBUF, true);
	return 0;
}

static int set_buffer(int fd, uint64_t t, int name, const void *val,
		      socklen_t len)
{
	bool snd = name == SO_SNDBUF || name == SO_SNDBUFFORCE;
	int v, r = opt_int(val, len, &v), ours;

	if (r < 0)
		return r;
	if (snd && !(t & TAG_DGRAM))
		return set_sndbuf(fd, t, v);
	r = native_set(fd, name, val, len);
	if (r < 0)
		return r;
	opt_note(fd, &t, snd ? TAG_SNDBUF : TAG_RCVBUF, true);
	if (!(t & TAG_KNOWN))
		return 0;
	ours = t & TAG_DGRAM ? snd ? OPT_UDP_SNDBUF : OPT_UDP_RCVBUF
			     : OPT_RCVBUF;
	v = native_int(fd, snd ? SO_SNDBUF : SO_RCVBUF, 2 * v) / 2;
	return op_ctl_set(fd, &t, ours, v, false);
}

static int set_device(int fd, uint64_t t, const void *val, socklen_t len)
{
	struct proto_req rq = {.op = PROTO_SETDEV};
	struct proto_rep rep;

	if ((int)len < 0)
		return -EINVAL;
	rq.text_len = (uint16_t)MIN(len, 15u);
	if (rq.text_len)
		memcpy(rq.text, val, rq.text_len);
	rq.text_len = (uint16_t)strnlen(rq.text, rq.text_len);
	return op_ctl(fd, &t, &rq, &rep, NULL, 0);
}

static int set_accepted(const void *val, socklen_t len)
{
	int v;

	return opt_int(val, len, &v);
}

static int set_socket(int fd, uint64_t t, int name, const void *val,
		      socklen_t len)
{
	int v, r;

	switch (name) {
	case SO_REUSEADDR:
		return set_stored(fd, t, name, val, len, OPT_REUSEADDR);
	case SO_KEEPALIVE:
		return set_stored(fd, t, name, val, len,
				  t & TAG_DGRAM ? -1 : OPT_KEEPALIVE);
	case SO_BROADCAST:
		return set_stored(fd, t, name, val, len, OPT_BROADCAST);
	case SO_OOBINLINE: /* urgent data is always in line */
		return set_stored(fd, t, name, val, len, -1);
	case SO_LINGER:
		return set_linger(fd, t, val, len);
	case SO_REUSEPORT:
		r = opt_int(val, len, &v);
		if (r < 0)
			return r;
		opt_note(fd, &t, TAG_REUSEPORT, v != 0);
		return t & TAG_KNOWN ? op_ctl_set(fd, &t, OPT_REUSEPORT, v != 0,
						  false)
				     : 0;
	case SO_SNDBUF:
	case SO_RCVBUF:
	case SO_SNDBUFFORCE:
	case SO_RCVBUFFORCE:
		return set_buffer(fd, t, name, val, len);
	case SO_BINDTODEVICE:
		return set_device(fd, t, val, len);
	case SO_BINDTOIFINDEX:
		r = opt_int(val, len, &v);
		return r < 0 ? r : op_ctl_set(fd, &t, OPT_BIND_IF, v, true);
	case SO_INCOMING_CPU: /* ours to keep something in */
	case SO_MAX_PACING_RATE:
		return set_accepted(val, len);
	case SO_ZEROCOPY:
		return -EOPNOTSUPP;
	case SO_ATTACH_FILTER:
	case SO_ATTACH_BPF:
	case SO_ATTACH_REUSEPORT_CBPF:
	case SO_ATTACH_REUSEPORT_EBPF:
	case SO_PASSCRED:
		return -ENOPROTOOPT;
	case SO_DETACH_FILTER:
		return -ENOENT;
	default: /* timeouts, SO_RCVLOWAT, SO_PRIORITY ...: the kernel's */
		return native_set(fd, name, val, len);
	}
}

/* ---- getsockopt
 * ----------------------------------------------------------------------------
 */

static int get_buffer(int fd, uint64_t t, bool snd, void *val, socklen_t *len)
{
	int64_t v = snd ? 16384 : 131072; /* tcp_wmem, tcp_rmem of Linux */

	if (t & (snd ? TAG_SNDBUF : TAG_RCVBUF) && (t & TAG_DGRAM || !snd))
		return native_get(fd, snd ? SO_SNDBUF : SO_RCVBUF, val, len);
	if (t & TAG_DGRAM)
		v = 212992;
	else if (t & TAG_KNOWN)
		(void)!op_ctl_get(fd, &t, snd ? OPT_SNDBUF : OPT_RCVBUF, &v);
	/* Linux tells twice what was set */
	if (snd && t & TAG_SNDBUF)
		v *= 2;
	return opt_put_int((int)MIN(v, INT32_MAX), val, len);
}

/* Stored options: accepted connections have them from their listener. */
static int get_flag(int fd, uint64_t t, int name, int ours, void *val,
		    socklen_t *len)
{
	int64_t v = 0;

	if (tag_state(t) != TAG_ACCEPTED || ours < 0)
		return native_get(fd, name, val, len);
	if (op_ctl_get(fd, &t, ours, &v) < 0)
		v = 0;
	return opt_put_int(v != 0, val, len);
}

static int get_linger(int fd, uint64_t t, void *val, socklen_t *len)
{
	struct linger li = {0, 0};
	int64_t v = -1;

	if (tag_state(t) != TAG_ACCEPTED)
		return native_get(fd, SO_LINGER, val, len);
	(void)!op_ctl_get(fd, &t, OPT_LINGER, &v);
	if (v >= 0)
		li = (struct linger){1, (int)v};
	return opt_put(&li, sizeof(li), val, len);
}

static int get_device(int fd, uint64_t t, void *val, socklen_t *len)
{
	struct proto_req rq = {.op = PROTO_GETDEV};
	struct proto_rep rep = {0};
	char name[64] = "";
	int r = op_ctl(fd, &t, &rq, &rep, name, sizeof(name) - 1);

	if (r < 0)
		return r;
	if (!name[0]) {
		*len = 0;
		return 0;
	}
	return opt_put(name, strlen(name) + 1, val, len);
}

static int get_meminfo(int fd, uint64_t t, void *val, socklen_t *len)
{
	struct proto_req rq = {.op = PROTO_QUEUES};
	struct proto_rep rep = {0};
	uint32_t m[9] = {0}; /* SK_MEMINFO_ of linux/sock_diag.h */
	int64_t rcv = 212992, snd = 212992;

	if (t & TAG_KNOWN && !(t & TAG_DGRAM)) {
		(void)!op_ctl(fd, &t, &rq, &rep, NULL, 0);
		(void)!op_ctl_get(fd, &t, OPT_RCVBUF, &rcv);
		(void)!op_ctl_get(fd, &t, OPT_SNDBUF, &snd);
	}
	m[0] = (uint32_t)rep.value2; /* RMEM_ALLOC */
	m[1] = (uint32_t)rcv;        /* RCVBUF */
	m[3] = (uint32_t)snd;        /* SNDBUF */
	m[5] = (uint32_t)rep.value;  /* WMEM_QUEUED */
	return opt_put(m, sizeof(m), val, len);
}

static int get_identity(int fd, uint64_t t, int name, void *val, socklen_t *len)
{
	static const struct ucred nobody = {0, (uid_t)-1, (gid_t)-1};
	uint64_t rate = ~0ULL;

	switch (name) {
	case SO_DOMAIN:
		return opt_put_int(t & TAG_V6 ? AF_INET6 : AF_INET, val, len);
	case SO_TYPE:
		return opt_put_int(t & TAG_DGRAM ? SOCK_DGRAM : SOCK_STREAM,
				   val, len);
	case SO_PROTOCOL:
		return opt_put_int(t & TAG_DGRAM ? IPPROTO_UDP : IPPROTO_TCP,
				   val, len);
	case SO_PEERCRED:
		return opt_put(&nobody, sizeof(nobody), val, len);
	case SO_PEERGROUPS:
	case SO_PEERPIDFD:
		return -ENODATA;
	case SO_MAX_PACING_RATE:
		return opt_put(&rate, *len >= sizeof(rate) ? 8 : 4, val, len);
	case SO_INCOMING_CPU:
		return opt_put_int(-1, val, len);
	case SO_PEERNAME:
		return op_getpeername(fd, t, val, len);
	default:
		return native_get(fd, name, val, len);
	}
}

static int get_socket(int fd, uint64_t t, int name, void *val, socklen_t *len)
{
	int64_t v = 0;

	if (!len)
		return -EFAULT;
	switch (name) {
	case SO_ERROR:
		return opt_put_int(op_error(fd, t), val, len);
	case SO_REUSEADDR:
		return get_flag(fd, t, name, OPT_REUSEADDR, val, len);
	case SO_KEEPALIVE:
		return get_flag(fd, t, name, OPT_KEEPALIVE, val, len);
	case SO_LINGER:
		return get_linger(fd, t, val, len);
	case SO_REUSEPORT:
		return opt_put_int(t & TAG_REUSEPORT ? 1 : 0, val, len);
	case SO_SNDBUF:
		return get_buffer(fd, t, true, val, len);
	case SO_RCVBUF:
		return get_buffer(fd, t, false, val, len);
	case SO_BINDTODEVICE:
		return get_device(fd, t, val, len);
	case SO_BINDTOIFINDEX:
		(void)!op_ctl_get(fd, &t, OPT_BIND_IF, &v);
		return opt_put_int((int)v, val, len);
	case SO_MEMINFO:
		return get_meminfo(fd, t, val, len);
	case SO_ZEROCOPY:
		return opt_put_int(0, val, len);
	default:
		return get_identity(fd, t, name, val, len);
	}
}

/* ---- levels
 * ---------------------------------------------------------------------------------
 */

/* Segmentation of large sends, but no corking. */
static int set_udp(int fd, uint64_t t, int name, const void *val, socklen_t len)
{
	int v, r = opt_int(val, len, &v);

	if (!(t & TAG_DGRAM) || name != UDP_SEGMENT)
		return -ENOPROTOOPT;
	if (r < 0)
		return r;
	if (v < 0 || v > UINT16_MAX)
		return -EINVAL;
	return op_ctl_set(fd, &t, OPT_UDP_SEGMENT, v, true);
}

static int get_udp(int fd, uint64_t t, int name, void *val, socklen_t *len)
{
	int64_t v = 0;

	if (!(t & TAG_DGRAM) || name != UDP_SEGMENT)
		return -ENOPROTOOPT;
	(void)!op_ctl_get(fd, &t, OPT_UDP_SEGMENT, &v);
	return opt_put_int((int)v, val, len);
}

int op_setsockopt(int fd, uint64_t t, int level, int name, const void *val,
		  socklen_t len)
{
	if ((int)len < 0)
		return -EINVAL;
	switch (level) {
	case SOL_SOCKET:
		return set_socket(fd, t, name, val, len);
	case IPPROTO_TCP:
		return t & TAG_DGRAM ? -ENOPROTOOPT
				     : opt_set_tcp(fd, t, name, val, len);
	case IPPROTO_IP:
		return opt_set_ip(fd, t, name, val, len);
	case IPPROTO_IPV6:
		return t & TAG_V6 ? opt_set_ipv6(fd, t, name, val, len)
				  : -ENOPROTOOPT;
	case SOL_ATTLS:
		return opt_set_attls(fd, t, name, val, len);
	case SOL_UDP:
		return set_udp(fd, t, name, val, len);
	default:
		return -ENOPROTOOPT;
	}
}

int op_getsockopt(int fd, uint64_t t, int level, int name, void *val,
		  socklen_t *len)
{
	if (!len)
		return -EFAULT;
	if ((int)*len < 0)
		return -EINVAL;
	switch (level) {
	case SOL_SOCKET:
		return get_socket(fd, t, name, val, len);
	case IPPROTO_TCP:
		return t & TAG_DGRAM ? -ENOPROTOOPT
				     : opt_get_tcp(fd, t, name, val, len);
	case IPPROTO_IP:
		return opt_get_ip(fd, t, name, val, len);
	case IPPROTO_IPV6:
		return t & TAG_V6 ? opt_get_ipv6(fd, t, name, val, len)
				  : -ENOPROTOOPT;
	case SOL_ATTLS:
		return opt_get_attls(fd, t, name, val, len);
	case SOL_UDP:
		return get_udp(fd, t, name, val, len);
	default:
		return -ENOPROTOOPT;
	}
}
