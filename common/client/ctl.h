/*
 * ctl.h: requests to a stack's control socket.
 */
#ifndef COUPLET_CLIENT_CTL_H
#define COUPLET_CLIENT_CTL_H

#include "client/proto.h"

#include <sys/un.h>

/* Remembers the RUN of the environment for the life of the process. A path
 * that is too long stays too long in ctl_door(). */
void ctl_keep_run(void);
/* The address of RUN/ID/`door`. 0, -ENAMETOOLONG. */
int ctl_door(unsigned id, const char *door, struct sockaddr_un *ret) MUST_USE;
/*
 * The stack that serves IPv4 for programs of stack `id`: the other one of its
 * couple (COUPLE in the deck), or `id` itself. One readlink(), which works
 * while either stack is down.
 */
unsigned ctl_couple(unsigned id);
/*
 * One request to stack `id` about socket `fd` (-1: about none). magic and
 * text_len 0 are filled in. With PROTO_F_ONEWAY nothing is waited for. The
 * data of the reply, at most `cap` bytes, goes to `data` and its length is
 * rep->data_len. 0, the error of the reply, or -ENETDOWN: no such stack.
 */
int ctl_call(unsigned id, int fd, struct proto_req *rq, struct proto_rep *rep,
	     void *data, size_t cap) MUST_USE;
/* Closes the connections that are kept: the next request is made as whoever
 * this process is then. */
void ctl_forget(void);
/* sendmsg() of `n` bytes with `fd` attached, as sys_sendmsg() returns. */
ssize_t ctl_send_fd(int to, const struct iovec *iov, int n, int fd, int flags);

#endif
