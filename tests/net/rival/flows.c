/*
 * flows: several TCP flows at once, for a time.
 *
 *    flows recv ADDR PORT N WARM_MS MS   listens on N ports from PORT on; when
 *                                        every flow has come and WARM_MS are
 *                                        over, counts for MS and prints
 *                                        "PORT BYTES" of each
 *    flows send ADDR PORT N              connects to them and writes until it
 *                                        is ended
 */
#include "../../bench/tool.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#define FLOWS_MAX 128u
#define CHUNK 65536u
#define WAIT_MAX_NS 60000000000ull /* for all flows to come */

struct flow {
	uint64_t got, got_at_warm;
};

static struct pollfd fds[FLOWS_MAX];
static struct flow flows[FLOWS_MAX];
static char buf[CHUNK];

static struct sockaddr_in address(const char *text, uint32_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons((uint16_t)port)};

	errno = EINVAL;
	if (inet_pton(AF_INET, text, &a.sin_addr) != 1)
		tool_die("%s is no address", text);
	return a;
}

static void unblock(int fd)
{
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		tool_die("fcntl");
}

/* ---- recv ----------------------------------------------------------- */

static void take_flow(uint32_t i, uint32_t *came)
{
	int fd = accept(fds[i].fd, NULL, NULL);

	if (fd < 0)
		return;
	close(fds[i].fd);
	unblock(fd);
	fds[i].fd = fd;
	++*came;
}

/* Reads what has come until `end`; before all have, also takes flows. */
static void gather(uint32_t n, bool *taken, uint32_t *came, uint64_t end)
{
	while (tool_now_ns() < end) {
		if (poll(fds, n, 20) < 0)
			tool_die("poll");
		for (uint32_t i = 0; i < n; i++) {
			ssize_t r;

			if (!fds[i].revents)
				continue;
			if (!taken[i]) {
				uint32_t was = *came;

				take_flow(i, came);
				taken[i] = *came > was;
				continue;
			}
			while ((r = read(fds[i].fd, buf, CHUNK)) > 0)
				flows[i].got += (uint64_t)r;
			if (r == 0 || errno != EAGAIN)
				fds[i].fd = -1;
		}
		if (*came == n && end == UINT64_MAX)
			return;
	}
}

static int receive(const char *addr, uint32_t port, uint32_t n, uint64_t warm,
		   uint64_t ms)
{
	static bool taken[FLOWS_MAX];
	uint32_t came = 0;
	uint64_t start;

	for (uint32_t i = 0; i < n; i++) {
		struct sockaddr_in a = address(addr, port + i);
		int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
		    listen(fd, 1) < 0)
			tool_die("port %u", port + i);
		unblock(fd);
		fds[i] = (struct pollfd){.fd = fd, .events = POLLIN};
	}
	puts("ready");
	fflush(stdout);
	start = tool_now_ns();
	while (came < n && tool_now_ns() - start < WAIT_MAX_NS)
		gather(n, taken, &came, tool_now_ns() + 50000000u);
	errno = ETIMEDOUT;
	if (came < n)
		tool_die("%u of %u flows came", came, n);
	gather(n, taken, &came, tool_now_ns() + warm * 1000000u);
	for (uint32_t i = 0; i < n; i++)
		flows[i].got_at_warm = flows[i].got;
	gather(n, taken, &came, tool_now_ns() + ms * 1000000u);
	for (uint32_t i = 0; i < n; i++)
		printf("%u %llu\n", port + i,
		       (unsigned long long)(flows[i].got -
					    flows[i].got_at_warm));
	return 0;
}

/* ---- send ----------------------------------------------------------- */

static int send_all(const char *addr, uint32_t port, uint32_t n)
{
	signal(SIGPIPE, SIG_IGN);
	for (uint32_t i = 0; i < n; i++) {
		struct sockaddr_in a = address(addr, port + i);
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		if (fd < 0)
			tool_die("socket");
		unblock(fd);
		if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 &&
		    errno != EINPROGRESS)
			tool_die("connect to port %u", port + i);
		fds[i] = (struct pollfd){.fd = fd, .events = POLLOUT};
	}
	for (;;) {
		if (poll(fds, n, -1) < 0)
			tool_die("poll");
		for (uint32_t i = 0; i < n; i++) {
			ssize_t r = 0;

			if (!fds[i].revents)
				continue;
			while ((r = write(fds[i].fd, buf, CHUNK)) > 0)
				;
			if (r < 0 && errno != EAGAIN && errno != EPIPE &&
			    errno != ECONNRESET)
				tool_die("port %u", port + i);
			if (r < 0 && errno != EAGAIN)
				fds[i].fd = -1;
		}
	}
}

int main(int argc, char **argv)
{
	uint32_t n;

	errno = EINVAL;
	if (argc < 5)
		tool_die("flows recv|send ADDR PORT N ...");
	n = (uint32_t)tool_number(argv[4]);
	if (n > FLOWS_MAX)
		tool_die("at most %u flows", FLOWS_MAX);
	if (strcmp(argv[1], "send") == 0)
		return send_all(argv[2], (uint32_t)tool_number(argv[3]), n);
	if (argc < 7)
		tool_die("recv wants WARM_MS and MS");
	return receive(argv[2], (uint32_t)tool_number(argv[3]), n,
		       tool_number(argv[5]), tool_number(argv[6]));
}
