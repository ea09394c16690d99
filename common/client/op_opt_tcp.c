/*
 * op_opt_tcp.c: options of level IPPROTO_TCP, ranges and errnos as Linux.
 */
#include "client/op.h"
#include "client/opt.h"
#include "client/sys.h"

#include <errno.h>
#include <linux/tcp.h>
#include <stdio.h>
#include <string.h>

#define KEEP_STORED (1 << 30) /* SO_INCOMING_CPU holds our two values */

/* Before stackd knows the socket: idle and interval in one kernel int. */
static int keep_store(int fd, uint64_t t, bool idle, int v)
{
	int old = 0;
	socklen_t l = sizeof(old);

	if (sys_getsockopt(fd, SOL_SOCKET, SO_INCOMING_CPU, &old, &l) < 0 ||
	    old < 0)
		old = 0;
	if (idle)
		old = (old & ~0x7fff) | v;
	else
		old = (old & ~(0x7fff << 15)) | v << 15;
	old |= KEEP_STORED;
	opt_note(fd, &t, TAG_OPTS, true);
	return sys_setsockopt(fd, SOL_SOCKET, SO_INCOMING_CPU, &old,
			      sizeof(old)) < 0
		       ? -errno
		       : 0;
}

static int keep_stored(int fd, bool idle)
{
	int v = 0;
	socklen_t l = sizeof(v);

	if (sys_getsockopt(fd, SOL_SOCKET, SO_INCOMING_CPU, &v, &l) < 0 ||
	    v < 0)
		return 0;
	return idle ? v & 0x7fff : v >> 15 & 0x7fff;
}

static int set_keep(int fd, uint64_t t, int name, int v)
{
	if (v < 1 || v > (name == TCP_KEEPCNT ? 127 : 32767))
		return -EINVAL;
	if (t & TAG_KNOWN)
		return op_ctl_set(fd, &t,
				  name == TCP_KEEPIDLE    ? OPT_KEEPIDLE
				  : name == TCP_KEEPINTVL ? OPT_KEEPINTVL
							  : OPT_KEEPCNT,
				  v, false);
	if (name != TCP_KEEPCNT)
		return keep_store(fd, t, name == TCP_KEEPIDLE, v);
	tag_put(fd, tag_set_field(t, TAG_KEEPCNT_SHIFT, 7, (unsigned)v));
	return 0;
}

static int set_cc(int fd, uint64_t t, const void *val, socklen_t len)
{
	struct proto_req rq = {.op = PROTO_SETCC};
	struct proto_rep rep;

	if (len < 1)
		return -EINVAL;
	rq.text_len = (uint16_t)MIN(len, 15u);
	memcpy(rq.text, val, rq.text_len);
	rq.text_len = (uint16_t)strnlen(rq.text, rq.text_len);
	return op_ctl(fd, &t, &rq, &rep, NULL, 0);
}

/* Options that Linux takes and that change nothing here. */
static bool harmless(int name)
{
	switch (name) {
	case TCP_DEFER_ACCEPT:
	case TCP_FASTOPEN:
	case TCP_THIN_LINEAR_TIMEOUTS:
	case TCP_THIN_DUPACK:
	case TCP_SAVE_SYN:
	case TCP_TX_DELAY:
		return true;
	default:
		return false;
	}
}

static int set_nodelay(int fd, uint64_t t, int v)
{
	opt_note(fd, &t, TAG_NODELAY, v != 0);
	return t & TAG_KNOWN ? op_ctl_set(fd, &t, OPT_NODELAY, v != 0, false)
			     : 0;
}

static int set_ranged(int fd, uint64_t t, int name, int v, int lo, int hi)
{
	if (v < lo || v > hi)
		return -EINVAL;
	return op_ctl_set(fd, &t, name, v, false);
}

static int set_int(int fd, uint64_t t, int name, int v)
{
	switch (name) {
	case TCP_NODELAY:
		return set_nodelay(fd, t, v);
	case TCP_CORK:
		return op_ctl_set(fd, &t, OPT_CORK, v != 0, false);
	case TCP_QUICKACK:
		return op_ctl_set(fd, &t, OPT_QUICKACK, v != 0, false);
	case TCP_KEEPIDLE:
	case TCP_KEEPINTVL:
	case TCP_KEEPCNT:
		return set_keep(fd, t, name, v);
	case TCP_MAXSEG:
		return v == 0 ? 0 : set_ranged(fd, t, OPT_MAXSEG, v, 88, 32767);
	case TCP_USER_TIMEOUT:
		return set_ranged(fd, t, OPT_USER_TIMEOUT, v, 0, INT32_MAX);
	case TCP_SYNCNT:
		return set_ranged(fd, t, OPT_SYNCNT, v, 1, 127);
	case TCP_LINGER2:
		return op_ctl_set(fd, &t, OPT_LINGER2, v < 0 ? -1 : v, false);
	case TCP_WINDOW_CLAMP:
		return op_ctl_set(fd, &t, OPT_WINDOW_CLAMP, v, true);
	case TCP_NOTSENT_LOWAT:
		return op_ctl_set(fd, &t, OPT_NOTSENT_LOWAT, (uint32_t)v,
				  false);
	case TCP_FASTOPEN_CONNECT: /* as with the client bit of
				    * net.ipv4.tcp_fastopen off */
		return -EOPNOTSUPP;
	case TCP_REPAIR:
		return -EPERM;
	default:
		return harmless(name) ? 0 : -ENOPROTOOPT;
	}
}

int opt_set_tcp(int fd, uint64_t t, int name, const void *val, socklen_t len)
{
	int v, r;

	if (name == TCP_CONGESTION)
		return set_cc(fd, t, val, len);
	if (name == TCP_ULP)
		return len < 1 ? -EINVAL : -ENOENT;
	if (name == TCP_FASTOPEN_KEY || name == TCP_MD5SIG ||
	    name == TCP_MD5SIG_EXT)
		return -ENOPROTOOPT;
	r = opt_int(val, len, &v);
	return r < 0 ? r : set_int(fd, t, name, v);
}

/* ---- getsockopt
 * ------------------------------------------------------------------ */

static int get_remote(int fd, uint64_t t, int name, int dflt, void *val,
		      socklen_t *len)
{
	int64_t v = dflt;

	if (t & TAG_KNOWN)
		(void)!op_ctl_get(fd, &t, name, &v);
	return opt_put_int((int)v, val, len);
}

static int get_keep(int fd, uint64_t t, int name, void *val, socklen_t *len)
{
	int v;

	if (name == TCP_KEEPCNT)
		v = t & TAG_KNOWN ? 0 : (int)tag_field(t, TAG_KEEPCNT_SHIFT, 7);
	else
		v = t & TAG_KNOWN ? 0 : keep_stored(fd, name == TCP_KEEPIDLE);
	if (v)
		return opt_put_int(v, val, len);
	if (name == TCP_KEEPIDLE)
		return get_remote(fd, t, OPT_KEEPIDLE, 7200, val, len);
	if (name == TCP_KEEPINTVL)
		return get_remote(fd, t, OPT_KEEPINTVL, 75, val, len);
	return get_remote(fd, t, OPT_KEEPCNT, 9, val, len);
}

static int get_cc(int fd, uint64_t t, void *val, socklen_t *len)
{
	static const char *const names[] = {"cubic", "reno", "bbr"};
	int64_t v = 0;
	char name[16] = {0};

	if (t & TAG_KNOWN)
		(void)!op_ctl_get(fd, &t, OPT_CC, &v);
	snprintf(name, sizeof(name), "%s", names[CLAMP(v, 0, 2)]);
	return opt_put(name, sizeof(name), val, len);
}

static int get_info(int fd, uint64_t t, void *val, socklen_t *len)
{
	struct proto_req rq = {.op = PROTO_INFO};
	struct proto_rep rep = {0};
	struct tcp_info ti = {0};

	ti.tcpi_state = 7; /* TCP_CLOSE */
	if (t & TAG_KNOWN && op_ctl(fd, &t, &rq, &rep, &ti, sizeof(ti)) < 0) {
		memset(&ti, 0, sizeof(ti));
		ti.tcpi_state = 7;
	}
	return opt_put(&ti, sizeof(ti), val, len);
}

int opt_get_tcp(int fd, uint64_t t, int name, void *val, socklen_t *len)
{
	switch (name) {
	case TCP_NODELAY:
		return opt_put_int(t & TAG_NODELAY ? 1 : 0, val, len);
	case TCP_CORK:
		return get_remote(fd, t, OPT_CORK, 0, val, len);
	case TCP_QUICKACK:
		return get_remote(fd, t, OPT_QUICKACK, 1, val, len);
	case TCP_KEEPIDLE:
	case TCP_KEEPINTVL:
	case TCP_KEEPCNT:
		return get_keep(fd, t, name, val, len);
	case TCP_MAXSEG:
		return get_remote(fd, t, OPT_MAXSEG, 536, val, len);
	case TCP_USER_TIMEOUT:
		return get_remote(fd, t, OPT_USER_TIMEOUT, 0, val, len);
	case TCP_SYNCNT:
		return get_remote(fd, t, OPT_SYNCNT, 6, val, len);
	case TCP_LINGER2:
		return get_remote(fd, t, OPT_LINGER2, 60, val, len);
	case TCP_WINDOW_CLAMP:
		return get_remote(fd, t, OPT_WINDOW_CLAMP, 0, val, len);
	case TCP_NOTSENT_LOWAT:
		return get_remote(fd, t, OPT_NOTSENT_LOWAT, -1, val, len);
	case TCP_CONGESTION:
		return get_cc(fd, t, val, len);
	case TCP_INFO:
		return get_info(fd, t, val, len);
	case TCP_CC_INFO: /* neither CUBIC nor Reno has any on Linux */
	case TCP_ULP:
	case TCP_SAVED_SYN:
		*len = 0;
		return 0;
	case TCP_FASTOPEN_CONNECT:
	case TCP_REPAIR:
		return name == TCP_REPAIR ? -EPERM : opt_put_int(0, val, len);
	default:
		return harmless(name) ? opt_put_int(0, val, len) : -ENOPROTOOPT;
	}
}
