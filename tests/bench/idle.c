/*
 * idle.c: many connections that do nothing, and then one message each.
 *
 *    idle serve ADDR PORT N      accepts N, prints "have N", echoes
 *    idle open ADDR PORT N       opens N with one message each, prints
 *                                "have N", waits for a line
 *                                on standard input, sends 16 bytes on every
 *                                connection, reads them back, prints "done N"
 *                                and waits for the end of standard input
 */
#include "tool.h"

#include <sys/epoll.h>

static void have(const char *word, uint64_t n)
{
	printf("%s %llu\n", word, (unsigned long long)n);
	fflush(stdout);
}

static void echo(int fd)
{
	char buf[4096];
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n > 0 ? send(fd, buf, (size_t)n, MSG_NOSIGNAL) != n
		  : n == 0 || errno != EAGAIN)
		close(fd);
}

static void serve(const struct tool_addr *a, uint64_t want)
{
	int l = tool_listen(a), ep = epoll_create1(0);
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = l}, got[256];
	uint64_t n = 0;

	if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, l, &ev) < 0)
		tool_die("epoll");
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		int k = epoll_wait(ep, got, 256, -1);

		for (int i = 0; i < k; i++) {
			if (got[i].data.fd != l) {
				echo(got[i].data.fd);
				continue;
			}
			ev.data.fd = accept(l, NULL, NULL);
			if (ev.data.fd < 0 ||
			    epoll_ctl(ep, EPOLL_CTL_ADD, ev.data.fd, &ev) < 0)
				tool_die("accept after %llu",
					 (unsigned long long)n);
			if (++n == want)
				have("have", n);
		}
	}
}

static void exchange(const int *fd, uint64_t n)
{
	char out[16], in[16];

	for (uint64_t i = 0; i < n; i++) {
		memset(out, (int)(i & 0x7f), sizeof(out));
		if (send(fd[i], out, sizeof(out), 0) != sizeof(out) ||
		    recv(fd[i], in, sizeof(in), MSG_WAITALL) != sizeof(in) ||
		    memcmp(in, out, sizeof(in)) != 0)
			tool_die("connection %llu", (unsigned long long)i);
	}
}

static void open_all(const struct tool_addr *a, uint64_t n)
{
	int *fd = calloc(n, sizeof(*fd));
	char line[16];

	if (!fd)
		tool_die("memory");
	for (uint64_t i = 0; i < n; i++) {
		fd[i] = tool_connect(a);
		exchange(fd + i, 1); /* relays open the inner half only now */
	}
	have("have", n);
	while (fgets(line, sizeof(line), stdin)) {
		exchange(fd, n);
		have("done", n);
	}
	for (uint64_t i = 0; i < n; i++)
		close(fd[i]);
	free(fd);
}

int main(int argc, char **argv)
{
	struct tool_addr a;

	if (argc < 5) {
		fprintf(stderr, "idle serve|open ADDR PORT N\n");
		return 2;
	}
	tool_all_fds();
	a = tool_addr(argv[2], argv[3]);
	if (strcmp(argv[1], "serve") == 0)
		serve(&a, tool_number(argv[4]));
	else
		open_all(&a, tool_number(argv[4]));
	return 0;
}
