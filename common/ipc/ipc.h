/*
 * ipc.h: messages between processes of one machine, over AF_UNIX
 * SOCK_SEQPACKET. The kernel keeps record boundaries, so a message is one
 * record: an 8-byte head, a body, and descriptors beside it.
 *
 * Limits: IPC_BODY_MAX bytes of body, IPC_FDS_MAX descriptors a message, and
 * for an ipc_conn a queue of as many bytes as its owner allows. Whoever
 * sends anything else is cut off. Who the other side is comes from the
 * kernel (SO_PEERCRED, SO_PEERGROUPS), never from what it says.
 */
#ifndef COUPLET_IPC_H
#define COUPLET_IPC_H

#include "base/base.h"

struct ev_loop;

#define IPC_BODY_MAX 32768u /* well below any default SO_SNDBUF */
#define IPC_FDS_MAX 4
#define IPC_GROUPS_MAX 1024 /* supplementary groups looked at */

struct ipc_msg {
	uint16_t type; /* meaning belongs to the protocol above */
	uint16_t flags;
	int32_t value;
	uint32_t len; /* bytes of body */
	int n_fds;
	int fds[IPC_FDS_MAX];        /* owned by the holder of the message */
	char body[IPC_BODY_MAX + 1]; /* followed by a zero byte */
};

/* Closes the descriptors that nobody took (taken ones are set to -1). */
void ipc_msg_close(struct ipc_msg *m);
/* Takes descriptor `i` out of the message, or -1. */
int ipc_msg_take_fd(struct ipc_msg *m, int i);

/*
 * Listening socket at `path`, mode `mode`. A socket there that nobody
 * answers is replaced; one that answers is left alone: -EADDRINUSE and its
 * owner in *ret_pid (0 unknown). -ENAMETOOLONG, or what the system says.
 * The caller owns *ret_fd (non-blocking) and removes the path in the end.
 */
int ipc_listen(const char *path, mode_t mode, int *ret_fd,
	       pid_t *ret_pid) MUST_USE;
/* Next waiting connection, non-blocking, or negative errno (-EAGAIN). */
int ipc_accept(int fd) MUST_USE;
/* Connected descriptor, blocking, or negative errno. */
int ipc_connect(const char *path) MUST_USE;

struct ipc_peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
};

/* Who is connected to `fd`. 0 or negative errno. */
int ipc_peer_get(int fd, struct ipc_peer *ret) MUST_USE;
/* Is `gid` the peer's group or one of its supplementary groups? */
bool ipc_peer_in_group(int fd, gid_t gid);

/*
 * Sends one message; descriptors stay the caller's. 0; -EAGAIN on a
 * non-blocking socket that is full; -EMSGSIZE; -EPIPE and others.
 */
int ipc_send(int fd, uint16_t type, uint16_t flags, int32_t value,
	     const void *body, size_t len, const int *fds, int n_fds) MUST_USE;
/*
 * Receives one message. 1; 0 = the other side closed; -EAGAIN; -EPROTO = not
 * a message of ours (cut, without head, too many descriptors: all of them
 * are closed); or negative errno.
 */
int ipc_recv(int fd, struct ipc_msg *ret) MUST_USE;

/* ---- connections on the event loop --------------------------------------- */

struct ipc_conn;

struct ipc_conn_ops {
	/* A message; descriptors not taken are closed afterwards. */
	void (*message)(void *arg, struct ipc_msg *m);
	/* The queue, full or not before, has become less than half full. */
	void (*room)(void *arg);
	/* The other side is gone or broke the rules; `error` is 0 or a
	 * negative errno. The last call; the owner frees the connection. */
	void (*closed)(void *arg, int error);
};

/*
 * Takes `fd` (connected, non-blocking). Messages that cannot be sent at once
 * wait in a queue of at most `queue_max` bytes. 0 or -ENOMEM (fd stays the
 * caller's). ipc_conn_free() may be called inside a callback.
 */
int ipc_conn_new(struct ev_loop *l, int fd, size_t queue_max,
		 const struct ipc_conn_ops *ops, void *arg,
		 struct ipc_conn **ret) MUST_USE;
void ipc_conn_free(struct ipc_conn *c);
int ipc_conn_fd(const struct ipc_conn *c);

/* Sends or queues; never calls back. 0, -ENOBUFS (queue full, nothing was
 * queued), -EMSGSIZE, -ENOMEM, -EPIPE (closed() follows). */
int ipc_conn_send(struct ipc_conn *c, uint16_t type, uint16_t flags,
		  int32_t value, const void *body, size_t len) MUST_USE;
/* Bytes that wait in the queue. */
size_t ipc_conn_queued(const struct ipc_conn *c);

#endif
