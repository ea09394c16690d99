/*
 * fuzz_api: what a hostile local program can send to the sockets of stackd:
 * hellos on stream and dgram, requests on control, datagrams with their
 * headers, in any order, with a socket attached or without. A list of steps:
 *
 *    door (control, stream, dgram; odd: a new connection), flags (attach a
 *    socket, use the header of a good record), two bytes of length, bytes
 *
 * The whole server runs, with an engine behind it, until it has nothing to
 * do. Links: stackbox.
 */
#include "base/cursor.h"
#include "client/proto.h"
#include "stackbox.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define DOORS 3
#define STEPS_MAX 32
#define RECORD_MAX 2048

static struct stackbox box;
static char dir[] = "/tmp/fuzz_api.XXXXXX";

static void clean_up(void)
{
	stackbox_close(&box);
	(void)rmdir(dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	if (!mkdtemp(dir))
		abort();
	stackbox_open(&box, dir);
	if (loop_watch_base(box.loop, box.wake[0]) < 0)
		abort();
	atexit(clean_up);
	return 0;
}

/* Rounds of the loop: what waits is served, then the byte of the pipe. */
static void serve(void)
{
	char c;

	for (int i = 0; i < 2; i++) {
		INVARIANT(write(box.wake[1], "", 1) == 1);
		while (!loop_wait(box.loop))
			;
		INVARIANT(read(box.wake[0], &c, 1) == 1);
	}
}

static int door(unsigned which)
{
	static const struct {
		const char *name;
		int type;
	} doors[DOORS] = {{"control", SOCK_SEQPACKET},
			  {"stream", SOCK_STREAM},
			  {"dgram", SOCK_SEQPACKET}};
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, doors[which].type | SOCK_NONBLOCK, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/00/%s", dir,
		 doors[which].name);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The magic number is no secret: a record that has it goes further. */
static void make_good(unsigned which, uint8_t *b, size_t len)
{
	uint32_t magic = PROTO_MAGIC, total = 64 + 16;

	if (len < sizeof(struct proto_hello))
		return;
	memcpy(b, &magic, sizeof(magic));
	if (which == 0) {
		b[4] = (uint8_t)(1 + b[4] % (PROTO__LAST - 1));
		b[5] = 0;
	} else {
		b[5] = which == 2;
		memcpy(b + offsetof(struct proto_hello, total), &total,
		       sizeof(total));
	}
}

static void send_record(int fd, uint8_t *b, size_t len, int attached)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} u = {0};
	struct iovec iov = {b, len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

	if (attached >= 0) {
		m.msg_control = u.space;
		m.msg_controllen = sizeof(u.space);
		u.head.cmsg_level = SOL_SOCKET;
		u.head.cmsg_type = SCM_RIGHTS;
		u.head.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&u.head), &attached, sizeof(int));
	}
	(void)!sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void step(struct rcur *in, int fd[DOORS], const int subject[2])
{
	uint8_t what = rcur_8(in), flags = rcur_8(in);
	size_t len = rcur_16(in) % RECORD_MAX;
	unsigned which = what % DOORS;
	uint8_t b[RECORD_MAX] = {0}, reply[4096];

	len = MIN(len, rcur_left(in));
	rcur_copy(in, b, len);
	if (flags & 4) /* short input, long record */
		len = MAX(len, (size_t)PROTO_REQ_MIN);
	if (flags & 1)
		make_good(which, b, len);
	if (fd[which] < 0 || what & 0x80) {
		if (fd[which] >= 0)
			close(fd[which]);
		fd[which] = door(which);
	}
	if (fd[which] < 0)
		return;
	send_record(fd[which], b, len,
		    flags & 2 ? subject[flags >> 3 & 1] : -1);
	serve();
	while (recv(fd[which], reply, sizeof(reply), MSG_DONTWAIT) > 0)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rcur in = rcur_of(data, size);
	int fd[DOORS] = {-1, -1, -1}, subject[2];

	subject[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	subject[1] = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	for (int i = 0; i < STEPS_MAX && rcur_left(&in) >= 4; i++)
		step(&in, fd, subject);
	for (int i = 0; i < DOORS; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	close(subject[0]);
	close(subject[1]);
	serve();
	return 0;
}
