/*
 * tls_load.c: both neighbours of a TLS terminator under test.
 *
 *    tls_load serve ADDR PORT              the clear backend
 *    tls_load full ADDR PORT SECONDS N     N processes, new handshakes
 *    tls_load resumed ADDR PORT SECONDS N  the same, resumed
 *    tls_load up ADDR PORT SECONDS         one connection, client to backend
 *    tls_load down ADDR PORT SECONDS       one connection, backend to client
 *    tls_load echo ADDR PORT SECONDS N     N connections, one byte each way on
 *                                          one after the other
 *    tls_load idle ADDR PORT N BYTES       N connections, each after BYTES
 *                                          down; prints "ready", waits for
 *                                          the end of its standard input
 *
 * The first byte of a connection says what the backend does: e echo, u take,
 * d send. Handshakes print connections and resumed ones; echo prints round
 * trips and of them the median, the 99th percentile and the longest in
 * microseconds; the others bytes. The client checks nothing and offers
 * AES-128-GCM on X25519 alone, so that every terminator does the same work.
 */
#include "tls/tls.h"
#include "tool.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { BUF = 65536, EVENTS = 256, TRIPS_MAX = 1 << 20 };

static char buf[BUF];

/* ---- backend
 * ----------------------------------------------------------------- */

/* What the connection `fd` is for; by descriptor. */
static char kind[1 << 16];

static void watch(int ep, int fd, unsigned events)
{
	struct epoll_event e = {.events = events, .data.fd = fd};

	if (epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e) < 0 &&
	    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) < 0)
		tool_die("epoll");
}

static void take(int ep, int fd)
{
	ssize_t n = recv(fd, buf, sizeof buf, 0);
	ssize_t at = 0;

	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			close(fd);
		return;
	}
	if (!kind[fd]) {
		kind[fd] = buf[0];
		at = 1;
		if (kind[fd] == 'd')
			watch(ep, fd, EPOLLIN | EPOLLOUT);
	}
	if (kind[fd] == 'e' && n > at)
		(void)!send(fd, buf + at, (size_t)(n - at), MSG_NOSIGNAL);
}

static void flood(int fd)
{
	for (int i = 0; i < 16; i++)
		if (send(fd, buf, sizeof buf, MSG_NOSIGNAL) < 0) {
			if (errno != EAGAIN)
				close(fd);
			return;
		}
}

static void serve(const struct tool_addr *a)
{
	struct epoll_event e[EVENTS];
	int l = tool_listen(a), ep = epoll_create1(0);

	watch(ep, l, EPOLLIN);
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		int n = epoll_wait(ep, e, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			int fd = e[i].data.fd, one = 1;

			if (fd == l) {
				fd = accept4(l, NULL, NULL, SOCK_NONBLOCK);
				if (fd < 0 || (size_t)fd >= sizeof kind)
					tool_die("accept");
				(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY,
						 &one, sizeof one);
				kind[fd] = 0;
				watch(ep, fd, EPOLLIN);
			} else if (e[i].events & ~(unsigned)EPOLLOUT) {
				take(ep, fd);
			} else {
				flood(fd);
			}
		}
	}
}

/* ---- client
 * ------------------------------------------------------------------- */

static ssize_t wire_pull(void *arg, void *p, size_t len)
{
	ssize_t n = recv(*(int *)arg, p, len, 0);

	return n < 0 ? -errno : n;
}

static ssize_t wire_push(void *arg, const struct iovec *iov, int n)
{
	struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)iov,
			   .msg_iovlen = (size_t)n};
	ssize_t r = sendmsg(*(int *)arg, &m, MSG_NOSIGNAL);

	return r < 0 ? -errno : r;
}

static const struct tls_io wire_io = {wire_pull, wire_push};

static struct tls_policy *client(bool resume)
{
	struct tls_policy_spec spec = {.name = "load",
				       .role = TLS_CLIENT,
				       .suites = "TLS_AES_128_GCM_SHA256",
				       .groups = "X25519"};
	char why[TLS_WHY_MAX];
	struct tls_policy *p;

	if (resume && tls_cache_new(16, &spec.cache) < 0)
		tool_die("cache");
	errno = 0;
	if (tls_policy_new(&spec, &p, why) < 0)
		tool_die("%s", why);
	return p;
}

/* A session on a blocking socket. */
static struct tls_session *dial(struct tls_policy *p, const struct tool_addr *a,
				int *fd)
{
	struct tls_session *s;
	struct tls_error e;
	int one = 1;

	*fd = tool_connect(a);
	(void)setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (tls_session_new(p, "bench.test", &wire_io, fd, &s) < 0)
		tool_die("session");
	if (tls_session_handshake(s) < 0) {
		tls_session_error(s, &e);
		tool_die("handshake: %s", e.text);
	}
	return s;
}

static void say(struct tls_session *s, const char *p, size_t len)
{
	while (len) {
		ssize_t n = tls_session_write(s, p, len);

		if (n <= 0)
			tool_die("write");
		p += n;
		len -= (size_t)n;
	}
}

static size_t hear(struct tls_session *s)
{
	ssize_t n;

	do
		n = tls_session_read(s, buf, sizeof buf);
	while (n == -EAGAIN);
	if (n <= 0)
		tool_die("read");
	return (size_t)n;
}

static void hang_up(struct tls_session *s, int fd)
{
	(void)!tls_session_close(s);
	tls_session_free(s);
	close(fd);
}

struct score {
	uint64_t connections, resumed;
};

static void shake(const struct tool_addr *a, bool resume, uint64_t until,
		  struct score *score)
{
	struct tls_policy *p = client(resume);

	while (tool_now_ns() < until) {
		struct tls_info info;
		int fd;
		struct tls_session *s = dial(p, a, &fd);

		tls_session_info(s, &info);
		say(s, "ex", 2);
		(void)hear(s);
		score->connections++;
		score->resumed += info.resumed;
		hang_up(s, fd);
	}
	exit(0);
}

static void handshakes(const struct tool_addr *a, bool resume, uint64_t seconds,
		       uint64_t n)
{
	struct score *score =
		mmap(NULL, n * sizeof *score, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t until = tool_now_ns() + seconds * 1000000000u;
	struct score sum = {0, 0};
	int status, bad = 0;

	if (score == MAP_FAILED)
		tool_die("mmap");
	for (uint64_t i = 0; i < n; i++)
		if (fork() == 0)
			shake(a, resume, until, &score[i]);
	while (wait(&status) > 0)
		bad |= status;
	for (uint64_t i = 0; i < n; i++) {
		sum.connections += score[i].connections;
		sum.resumed += score[i].resumed;
	}
	printf("%llu %llu\n", (unsigned long long)sum.connections,
	       (unsigned long long)sum.resumed);
	exit(bad ? 1 : 0);
}

static uint64_t bulk(struct tls_session *s, char what, uint64_t until)
{
	uint64_t n = 0;

	say(s, &what, 1);
	while (tool_now_ns() < until) {
		if (what == 'u') {
			say(s, buf, sizeof buf);
			n += sizeof buf;
		} else {
			n += hear(s);
		}
	}
	return n;
}

static int by_length(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void echo(const struct tool_addr *a, uint64_t seconds, uint64_t n)
{
	static uint32_t us[TRIPS_MAX];
	struct tls_session **s = calloc(n, sizeof(struct tls_session *));
	struct tls_policy *p = client(false);
	int *fds = calloc(n, sizeof *fds);
	size_t trips = 0;
	uint64_t until;

	for (uint64_t i = 0; i < n; i++) {
		s[i] = dial(p, a, &fds[i]);
		say(s[i], "e", 1);
	}
	until = tool_now_ns() + seconds * 1000000000u;
	for (; trips < TRIPS_MAX; trips++) {
		uint64_t began = tool_now_ns();

		if (began >= until && trips)
			break;
		say(s[trips % n], "x", 1);
		(void)hear(s[trips % n]);
		us[trips] = (uint32_t)((tool_now_ns() - began) / 1000);
	}
	qsort(us, trips, sizeof us[0], by_length);
	printf("%zu %u %u %u\n", trips, us[trips / 2], us[trips * 99 / 100],
	       us[trips - 1]);
	free(s);
	free(fds);
}

static void hold(const struct tool_addr *a, uint64_t n, uint64_t bytes)
{
	struct tls_policy *p = client(false);
	int *fds = calloc(n, sizeof *fds);

	for (uint64_t i = 0; i < n; i++) {
		struct tls_session *s = dial(p, a, &fds[i]);

		say(s, "e", 1);
		/* never more on the way than the buffers hold */
		for (uint64_t got = 0; got < bytes;) {
			say(s, buf, 16384);
			for (size_t part = 0; part < 16384;)
				part += hear(s);
			got += 16384;
		}
	}
	printf("ready\n");
	fflush(stdout);
	while (read(STDIN_FILENO, buf, sizeof buf) > 0)
		;
	free(fds);
}

int main(int argc, char **argv)
{
	const char *what = argc > 3 ? argv[1] : "";
	struct tool_addr a;
	uint64_t seconds;

	signal(SIGPIPE, SIG_IGN);
	tool_all_fds();
	if (argc < 4 || (argc < 5 && strcmp(what, "serve") != 0)) {
		fprintf(stderr, "tls_load WHAT ADDR PORT ...\n");
		return 2;
	}
	a = tool_addr(argv[2], argv[3]);
	if (strcmp(what, "serve") == 0)
		serve(&a);
	seconds = tool_number(argv[4]);
	if (strcmp(what, "full") == 0 || strcmp(what, "resumed") == 0) {
		handshakes(&a, what[0] == 'r', seconds,
			   argc > 5 ? tool_number(argv[5]) : 4);
	} else if (strcmp(what, "idle") == 0) {
		hold(&a, seconds, argc > 5 ? tool_number(argv[5]) : 0);
	} else if (strcmp(what, "echo") == 0) {
		echo(&a, seconds, argc > 5 ? tool_number(argv[5]) : 1);
	} else {
		uint64_t until = tool_now_ns() + seconds * 1000000000u;
		int fd;
		struct tls_session *s = dial(client(false), &a, &fd);

		printf("%llu\n", (unsigned long long)bulk(s, what[0], until));
	}
	return 0;
}
