/*
 * trap.c: what a call costs that a front end answers.
 *
 *    trap ADDR PORT SECONDS_PER_CALL
 *
 * ADDR is an address of the stack (or of the machine) itself: UDP goes round.
 * Prints one line per call: "NAME NANOSECONDS", the median of batches.
 */
#include "tool.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#define BATCH 64
#define BATCHES_MAX 100000

struct state {
	const struct tool_addr *a;
	int fresh, bound, udp, pipe[2];
	char b[64];
};

static void do_socket(struct state *s)
{
	(void)s;
	close(socket(AF_INET, SOCK_STREAM, 0));
}

static void do_socket_udp(struct state *s)
{
	(void)s;
	close(socket(AF_INET, SOCK_DGRAM, 0));
}

static void do_bind(struct state *s)
{
	struct sockaddr_in any = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)s;
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0)
		tool_die("bind");
	close(fd);
}

static void do_getsockname(struct state *s)
{
	struct sockaddr_storage ss;
	socklen_t l = sizeof(ss);

	if (getsockname(s->bound, (struct sockaddr *)&ss, &l) < 0)
		tool_die("getsockname");
}

static void do_setsockopt(struct state *s)
{
	int on = 1;

	if (setsockopt(s->fresh, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
		tool_die("setsockopt");
}

static void do_getsockopt(struct state *s)
{
	int v;
	socklen_t l = sizeof(v);

	if (getsockopt(s->fresh, SOL_SOCKET, SO_TYPE, &v, &l) < 0)
		tool_die("getsockopt");
}

/* One datagram out and in again. */
static void do_udp(struct state *s)
{
	struct sockaddr_storage ss;
	socklen_t l = sizeof(ss);

	if (sendto(s->udp, "x", 1, 0, &s->a->sa, s->a->len) != 1)
		tool_die("sendto");
	if (recvfrom(s->udp, s->b, sizeof(s->b), 0, (struct sockaddr *)&ss,
		     &l) != 1)
		tool_die("recvfrom");
}

/* What is never stopped, but passes the filter. */
static void do_read_write(struct state *s)
{
	if (write(s->pipe[1], "x", 1) != 1 || read(s->pipe[0], s->b, 1) != 1)
		tool_die("pipe");
}

static int order(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void measure(const char *name, void (*fn)(struct state *),
		    struct state *s, double seconds)
{
	static uint64_t batch[BATCHES_MAX];
	uint64_t end = tool_now_ns() + (uint64_t)(seconds * 1e9), t = 0;
	size_t n = 0;

	for (int i = 0; i < BATCH; i++)
		fn(s);
	while (n < BATCHES_MAX && t < end) {
		uint64_t start = tool_now_ns();

		for (int i = 0; i < BATCH; i++)
			fn(s);
		t = tool_now_ns();
		batch[n++] = (t - start) / BATCH;
	}
	qsort(batch, n, sizeof(batch[0]), order);
	printf("%s %llu\n", name, (unsigned long long)batch[n / 2]);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct tool_addr a;
	struct state s;
	double seconds;

	if (argc < 4) {
		fprintf(stderr, "trap ADDR PORT SECONDS_PER_CALL\n");
		return 2;
	}
	a = tool_addr(argv[1], argv[2]);
	seconds = strtod(argv[3], NULL);
	s = (struct state){.a = &a,
			   .fresh = socket(AF_INET, SOCK_STREAM, 0),
			   .bound = socket(AF_INET, SOCK_STREAM, 0),
			   .udp = socket(AF_INET, SOCK_DGRAM, 0)};
	if (pipe(s.pipe) < 0 || bind(s.bound, &a.sa, a.len) < 0 ||
	    bind(s.udp, &a.sa, a.len) < 0)
		tool_die("set-up");
	measure("socket+close", do_socket, &s, seconds);
	measure("socket+close_udp", do_socket_udp, &s, seconds);
	measure("socket+bind+close", do_bind, &s, seconds);
	measure("getsockname", do_getsockname, &s, seconds);
	measure("setsockopt", do_setsockopt, &s, seconds);
	measure("getsockopt", do_getsockopt, &s, seconds);
	measure("sendto+recvfrom", do_udp, &s, seconds);
	measure("write+read_pipe", do_read_write, &s, seconds);
	return 0;
}
