#include "ipc/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LISTEN_BACKLOG 16

struct head {
	uint16_t type, flags;
	int32_t value;
};

void ipc_msg_close(struct ipc_msg *m)
{
	for (int i = 0; i < m->n_fds; i++)
		if (m->fds[i] >= 0)
			close(m->fds[i]);
	m->n_fds = 0;
}

int ipc_msg_take_fd(struct ipc_msg *m, int i)
{
	int fd;

	if (i < 0 || i >= m->n_fds)
		return -1;
	fd = m->fds[i];
	m->fds[i] = -1;
	return fd;
}

static int unix_address(const char *path, struct sockaddr_un *ret)
{
	size_t n = strlen(path);

	if (n == 0)
		return -EINVAL;
	if (n >= sizeof ret->sun_path)
		return -ENAMETOOLONG;
	memset(ret, 0, sizeof *ret);
	ret->sun_family = AF_UNIX;
	memcpy(ret->sun_path, path, n + 1);
	return 0;
}

int ipc_connect(const char *path)
{
	struct sockaddr_un sa;
	int r = unix_address(path, &sa), fd;

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

/* 0: the path is free now. -EADDRINUSE: somebody answers there. */
static int clear_path(const char *path, pid_t *ret_pid)
{
	struct stat st;
	struct ipc_peer peer;
	int fd;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = ipc_connect(path);
	if (fd >= 0) {
		if (ipc_peer_get(fd, &peer) == 0)
			*ret_pid = peer.pid;
		close(fd);
		return -EADDRINUSE;
	}
	/* only a refusal proves that nobody is behind it */
	if (fd != -ECONNREFUSED)
		return fd == -ENOENT ? 0 : fd;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

int ipc_listen(const char *path, mode_t mode, int *ret_fd, pid_t *ret_pid)
{
	struct sockaddr_un sa;
	int r = unix_address(path, &sa), fd;

	*ret_pid = 0;
	if (r < 0)
		return r;
	r = clear_path(path, ret_pid);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&sa, sizeof sa) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	/* nobody can connect before listen(), so the mode is never too wide */
	if (chmod(path, mode) < 0 || listen(fd, LISTEN_BACKLOG) < 0) {
		r = -errno;
		close(fd);
		unlink(path);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

int ipc_accept(int fd)
{
	int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	return c < 0 ? -errno : c;
}

int ipc_peer_get(int fd, struct ipc_peer *ret)
{
	struct ucred cr;
	socklen_t len = sizeof cr;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cr, &len) < 0)
		return -errno;
	*ret = (struct ipc_peer){cr.pid, cr.uid, cr.gid};
	return 0;
}

bool ipc_peer_in_group(int fd, gid_t gid)
{
	gid_t groups[IPC_GROUPS_MAX];
	socklen_t len = sizeof groups;
	struct ipc_peer peer;

	if (ipc_peer_get(fd, &peer) == 0 && peer.gid == gid)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof groups[0]; i++)
		if (groups[i] == gid)
			return true;
	return false;
}

int ipc_send(int fd, uint16_t type, uint16_t flags, int32_t value,
	     const void *body, size_t len, const int *fds, int n_fds)
{
	struct head h = {type, flags, value};
	struct iovec iov[2] = {{&h, sizeof h}, {NULL, 0}};
	union {
		char space[CMSG_SPACE(IPC_FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = len ? 2 : 1};
	struct cmsghdr *cm;
	size_t fd_bytes = (size_t)n_fds * sizeof(int);
	ssize_t r;

	if (len > IPC_BODY_MAX || n_fds < 0 || n_fds > IPC_FDS_MAX)
		return -EMSGSIZE;
	if (len) {
		/* sendmsg only reads it; iovec has no const */
		memcpy(&iov[1].iov_base, &body, sizeof body);
		iov[1].iov_len = len;
	}
	if (n_fds) {
		memset(&control, 0, sizeof control);
		msg.msg_control = control.space;
		msg.msg_controllen = CMSG_SPACE(fd_bytes);
		cm = &control.align;
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(fd_bytes);
		memcpy(CMSG_DATA(cm), fds, fd_bytes);
	}
	do
		r = sendmsg(fd, &msg, MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

/* Keeps at most IPC_FDS_MAX descriptors; true when there were more. */
static bool take_fds(struct msghdr *msg, struct ipc_msg *ret)
{
	bool many = false;

	for (struct cmsghdr *cm = CMSG_FIRSTHDR(msg); cm;
	     cm = CMSG_NXTHDR(msg, cm)) {
		size_t n;

		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cm) + i * sizeof fd, sizeof fd);
			if (ret->n_fds < IPC_FDS_MAX) {
				ret->fds[ret->n_fds++] = fd;
			} else {
				close(fd);
				many = true;
			}
		}
	}
	return many;
}

static ssize_t receive(int fd, struct msghdr *msg)
{
	size_t space = msg->msg_controllen;
	bool reset = false;
	ssize_t n;

	for (;;) {
		msg->msg_controllen = space;
		n = recvmsg(fd, msg, MSG_CMSG_CLOEXEC);
		if (n < 0 && errno == EINTR)
			continue;
		if (n >= 0 || errno != ECONNRESET || reset)
			break;
		/* The peer closed without reading all of ours, and Linux tells
		 * that before what the peer said last: which is still there. */
		reset = true;
	}
	if (n == 0 && reset && !msg->msg_controllen) {
		errno = ECONNRESET;
		return -1;
	}
	return n;
}

int ipc_recv(int fd, struct ipc_msg *ret)
{
	struct head h;
	struct iovec iov[2] = {{&h, sizeof h}, {ret->body, IPC_BODY_MAX}};
	union {
		char space[CMSG_SPACE(2 * IPC_FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr msg = {.msg_iov = iov,
			     .msg_iovlen = 2,
			     .msg_control = control.space,
			     .msg_controllen = sizeof control.space};
	bool many;
	ssize_t n;

	n = receive(fd, &msg);
	if (n < 0)
		return -errno;
	ret->n_fds = 0;
	many = take_fds(&msg, ret);
	if (n == 0 && !ret->n_fds)
		return 0;
	if (many || (size_t)n < sizeof h ||
	    (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		ipc_msg_close(ret);
		return -EPROTO;
	}
	ret->type = h.type;
	ret->flags = h.flags;
	ret->value = h.value;
	ret->len = (uint32_t)((size_t)n - sizeof h);
	ret->body[ret->len] = '\0';
	return 1;
}
