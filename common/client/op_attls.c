/*
 * op_attls.c: SOL_ATTLS. What tlsd has told of a connection, stackd knows;
 * the rest it passes on.
 *
 * START and STOP take as long as the peer. Inside the program a call on a
 * socket that may wait asks stackd to answer when it is over; the supervisor
 * of stackrun, which must not wait, calls again (op_other->again).
 */
#include "client/attls.h"
#include "client/op.h"
#include "client/opt.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#define BUSY_MS 10 /* between two tries at a tlsd that has much to do */
#define BUSY_TRIES 1000

/* ---- questions ----------------------------------------------------------- */

static int query(int fd, uint64_t *t, struct attls_info *ret)
{
	struct proto_req rq = {.op = PROTO_ATTLS, .name = ATTLS_QUERY};
	struct proto_rep rep;
	int r = op_ctl(fd, t, &rq, &rep, ret, sizeof(*ret));

	if (r < 0)
		return r;
	return rep.data_len == sizeof(*ret) ? 0 : -EOPNOTSUPP;
}

static int get_info(int fd, uint64_t t, void *val, socklen_t *len)
{
	struct attls_info info;
	int r = query(fd, &t, &info);

	if (r < 0)
		return r;
	*len = MIN(*len, (socklen_t)sizeof(info));
	if (*len)
		memcpy(val, &info, *len);
	return 0;
}

static int get_certs(int fd, uint64_t t, int name, void *val, socklen_t *len)
{
	struct proto_req rq = {.op = PROTO_ATTLS, .name = name};
	struct attls_info info;
	struct proto_rep rep;
	uint32_t need;
	int r = query(fd, &t, &info);

	if (r < 0)
		return r;
	need = name == ATTLS_CERT ? info.cert_len : info.chain_len;
	/* tlsd says what else is wrong */
	if (need > *len &&
	    need <= (name == ATTLS_CERT ? ATTLS_CERT_MAX : ATTLS_CHAIN_MAX))
		return -ERANGE;
	if (!val && *len)
		return -EFAULT;
	r = op_ctl(fd, &t, &rq, &rep, val, *len);
	if (r == 0)
		*len = rep.data_len;
	return r;
}

int opt_get_attls(int fd, uint64_t t, int name, void *val, socklen_t *len)
{
	if (t & TAG_DGRAM)
		return -ENOPROTOOPT;
	switch (name) {
	case ATTLS_QUERY:
		return get_info(fd, t, val, len);
	case ATTLS_CERT:
	case ATTLS_CHAIN:
		return get_certs(fd, t, name, val, len);
	default:
		return -ENOPROTOOPT;
	}
}

/* ---- requests ------------------------------------------------------------ */

static int ask(int fd, uint64_t *t, int what)
{
	struct proto_req rq = {
		.op = PROTO_ATTLS, .name = ATTLS_CONTROL, .value = what};
	struct proto_rep rep;
	int r = op_ctl(fd, t, &rq, &rep, NULL, 0);

	return r;
}

/* What a state comes to for one who waits for the end of START or STOP. */
static int outcome(const struct attls_info *i)
{
	switch (i->state) {
	case ATTLS_STATE_HANDSHAKE:
	case ATTLS_STATE_STOPPING:
		return -EINPROGRESS;
	case ATTLS_STATE_FAILED:
		return i->error > 0 ? -i->error : -EPROTO;
	default:
		return 0;
	}
}

/* It was there when it was asked for: now it is not. */
static int ended(int r)
{
	return r == -ENOTCONN ? -ECONNRESET : r;
}

static int look(int fd, uint64_t *t)
{
	struct attls_info i;
	int r = query(fd, t, &i);

	return r < 0 ? r : outcome(&i);
}

/* The same call again: the request may have been taken, or tlsd was busy. */
static int again(int fd, uint64_t *t, int what)
{
	struct attls_info i;
	int r = query(fd, t, &i);

	if (r < 0)
		return ended(r);
	if ((what == ATTLS_START && i.state == ATTLS_STATE_CLEAR) ||
	    (what == ATTLS_STOP && (i.state == ATTLS_STATE_SECURE ||
				    i.state == ATTLS_STATE_PEER_STOPPED)) ||
	    what == ATTLS_RESET_SESSION || what == ATTLS_RESET_CIPHER)
		return ask(fd, t, what);
	return outcome(&i);
}

static int ask_patiently(int fd, uint64_t *t, int what)
{
	int r = -EAGAIN;

	for (int i = 0; i < BUSY_TRIES; i++) {
		r = ask(fd, t, what);
		if (r != -EAGAIN)
			break;
		(void)!poll(NULL, 0, BUSY_MS);
	}
	return r;
}

static int control(int fd, uint64_t t, int what)
{
	bool wait = !op_nonblocking(fd);
	int r;

	if (op_other && op_other->again)
		return again(fd, &t, what);
	/* waiting is done by asking */
	if (what == ATTLS_WAIT && (!wait || op_other))
		return look(fd, &t);
	if (!wait || op_other)
		return ask(fd, &t, what);
	r = ask_patiently(fd, &t, what);
	while (r == -EINPROGRESS)
		r = ended(ask_patiently(fd, &t, ATTLS_WAIT));
	return r;
}

int opt_set_attls(int fd, uint64_t t, int name, const void *val, socklen_t len)
{
	int what, r;

	if (t & TAG_DGRAM || name != ATTLS_CONTROL)
		return -ENOPROTOOPT;
	if (len != sizeof(int))
		return -EINVAL;
	r = opt_int(val, len, &what);
	if (r < 0)
		return r;
	if (what < ATTLS_START || what > ATTLS_WAIT)
		return -EINVAL;
	return control(fd, t, what);
}
