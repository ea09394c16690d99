/*
 * rr.c: one byte there, one byte back.
 *
 *    rr serve ADDR PORT CPU
 *    rr call ADDR PORT CPU SECONDS
 *
 * CPU -1 = wherever the kernel likes. "call" prints "PER_SECOND P50 P99" with
 * the percentiles in microseconds.
 */
#include "tool.h"

#define SLOTS 20000 /* tenths of a microsecond; longer ones share the last */

static void pin(const char *text)
{
	cpu_set_t set;

	if (strcmp(text, "-1") == 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(tool_number(text), &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		tool_die("cpu %s", text);
}

static void nodelay(int fd)
{
	int one = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0)
		tool_die("TCP_NODELAY");
}

static void serve(const struct tool_addr *a)
{
	int l = tool_listen(a);
	char c;

	printf("ready\n");
	fflush(stdout);
	for (;;) {
		int fd = accept(l, NULL, NULL);

		if (fd < 0)
			tool_die("accept");
		nodelay(fd);
		while (recv(fd, &c, 1, 0) == 1)
			if (send(fd, &c, 1, MSG_NOSIGNAL) != 1)
				break;
		close(fd);
	}
}

static double percentile(const uint64_t *slot, uint64_t n, double share)
{
	uint64_t want = (uint64_t)((double)n * share), have = 0;
	int i = 0;

	while (i < SLOTS - 1 && have + slot[i] <= want)
		have += slot[i++];
	return i / 10.0;
}

static void call(const struct tool_addr *a, uint64_t seconds)
{
	static uint64_t slot[SLOTS];
	uint64_t n = 0, start, now, before;
	int fd = tool_connect(a);
	char c = 'x';

	nodelay(fd);
	start = before = tool_now_ns();
	do {
		uint64_t tenths;

		if (send(fd, &c, 1, 0) != 1 || recv(fd, &c, 1, 0) != 1)
			tool_die("after %llu round trips",
				 (unsigned long long)n);
		now = tool_now_ns();
		tenths = (now - before) / 100;
		slot[tenths < SLOTS ? tenths : SLOTS - 1]++;
		before = now;
		n++;
	} while (now - start < seconds * 1000000000u);
	printf("%.0f %.1f %.1f\n", (double)n * 1e9 / (double)(now - start),
	       percentile(slot, n, 0.5), percentile(slot, n, 0.99));
	close(fd);
}

int main(int argc, char **argv)
{
	struct tool_addr a;

	if (argc < 5) {
		fprintf(stderr, "rr serve ADDR PORT CPU | "
				"rr call ADDR PORT CPU SECONDS\n");
		return 2;
	}
	a = tool_addr(argv[2], argv[3]);
	pin(argv[4]);
	if (strcmp(argv[1], "serve") == 0)
		serve(&a);
	else
		call(&a, argc > 5 ? tool_number(argv[5]) : 3);
	return 0;
}
