/*
 * connrate.c: connect, accept, close, as often as it goes.
 *
 *    connrate serve ADDR PORT
 *    connrate call ADDR PORT CLIENTS SECONDS [byte]
 *    connrate serve-byte ADDR PORT
 *
 * The server accepts and closes; a client connects, sees the end of the
 * stream and closes. With "byte" the client sends one byte and the server
 * waits for it: pasta and slirp4netns hang when the server is the first to
 * do anything. "call" runs CLIENTS processes and prints "PER_SECOND".
 */
#include "tool.h"

#include <sys/mman.h>
#include <sys/wait.h>

static void serve(const struct tool_addr *a, bool byte)
{
	int l = tool_listen(a);
	char c;

	printf("ready\n");
	fflush(stdout);
	for (;;) {
		int fd = accept(l, NULL, NULL);

		if (fd < 0)
			tool_die("accept");
		if (byte && recv(fd, &c, 1, 0) < 0)
			perror("recv");
		close(fd);
	}
}

static uint64_t client(const struct tool_addr *a, uint64_t end, bool byte)
{
	uint64_t n = 0;
	char c = 'x';

	while (tool_now_ns() < end) {
		int fd = tool_connect(a);

		if (byte && send(fd, &c, 1, 0) != 1)
			tool_die("send");
		if (recv(fd, &c, 1, 0) != 0)
			tool_die("recv");
		close(fd);
		n++;
	}
	return n;
}

static int call(const struct tool_addr *a, uint64_t clients, uint64_t seconds,
		bool byte)
{
	uint64_t *count =
		mmap(NULL, clients * sizeof(*count), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t start = tool_now_ns(), total = 0;
	int status, bad = 0;

	if (count == MAP_FAILED)
		tool_die("mmap");
	for (uint64_t i = 0; i < clients; i++) {
		if (fork() == 0) {
			count[i] =
				client(a, start + seconds * 1000000000u, byte);
			_exit(0);
		}
	}
	while (wait(&status) > 0)
		bad |= status;
	for (uint64_t i = 0; i < clients; i++)
		total += count[i];
	printf("%.0f\n", (double)total * 1e9 / (double)(tool_now_ns() - start));
	return bad ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct tool_addr a;

	if (argc < 4) {
		fprintf(stderr, "connrate serve ADDR PORT | "
				"connrate call ADDR PORT CLIENTS SECONDS\n");
		return 2;
	}
	a = tool_addr(argv[2], argv[3]);
	if (strncmp(argv[1], "serve", 5) == 0)
		serve(&a, strcmp(argv[1], "serve-byte") == 0);
	return call(&a, argc > 4 ? tool_number(argv[4]) : 8,
		    argc > 5 ? tool_number(argv[5]) : 3,
		    argc > 6 && strcmp(argv[6], "byte") == 0);
}
