/*
 * fuzz_ipc: any bytes as one record of the operator console's socket, with
 * any number of descriptors beside it. What is received must have the length
 * it says, and no descriptor may be left open. First byte: descriptors sent.
 *
 * Links: common_ipc.
 */
#include "ipc/ipc.h"

#include <dirent.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FDS_SENT_MAX 8

static int fds_open(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	INVARIANT(d != NULL);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void send_record(int fd, const uint8_t *data, size_t size, int n_fds)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int) * FDS_SENT_MAX)];
	} u = {0};
	struct iovec iov = {(void *)(uintptr_t)data, size};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	int fds[FDS_SENT_MAX];

	if (n_fds) {
		m.msg_control = u.space;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)n_fds);
		u.head.cmsg_level = SOL_SOCKET;
		u.head.cmsg_type = SCM_RIGHTS;
		u.head.cmsg_len = CMSG_LEN(sizeof(int) * (size_t)n_fds);
		for (int i = 0; i < n_fds; i++)
			fds[i] = fd;
		memcpy(CMSG_DATA(&u.head), fds, sizeof(int) * (size_t)n_fds);
	}
	(void)!sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ipc_msg m;
	int sv[2], before = fds_open();

	if (!size ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, sv) < 0)
		return 0;
	send_record(sv[0], data + 1, size - 1, data[0] % (FDS_SENT_MAX + 1));
	if (ipc_recv(sv[1], &m) == 1) {
		INVARIANT(m.len <= IPC_BODY_MAX && m.body[m.len] == 0);
		INVARIANT(m.n_fds >= 0 && m.n_fds <= IPC_FDS_MAX);
		ipc_msg_close(&m);
	}
	close(sv[0]);
	close(sv[1]);
	INVARIANT(fds_open() == before);
	return 0;
}
