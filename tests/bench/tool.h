/*
 * tool.h: what the small programs of the benchmark share. They are plain
 * socket programs: the same binary runs on the kernel's stack and, under
 * stackrun, on ours.
 */
#ifndef COUPLET_BENCH_TOOL_H
#define COUPLET_BENCH_TOOL_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Prints the sentence and errno's, ends the program. */
__attribute__((format(printf, 1, 2), noreturn)) static inline void tool_die(
	const char *fmt, ...)
{
	int e = errno;
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, ": %s\n", strerror(e));
	exit(1);
}

static inline uint64_t tool_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline uint64_t tool_number(const char *text)
{
	char *end;
	unsigned long long v = strtoull(text, &end, 10);

	if (!*text || *end) {
		errno = EINVAL;
		tool_die("%s is no number", text);
	}
	return v;
}

struct tool_addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
	socklen_t len;
};

/* Numeric address of either family. */
static inline struct tool_addr tool_addr(const char *host, const char *port)
{
	struct tool_addr a = {.len = sizeof(a.in)};
	uint16_t p = (uint16_t)tool_number(port);

	if (inet_pton(AF_INET, host, &a.in.sin_addr) == 1) {
		a.in.sin_family = AF_INET;
		a.in.sin_port = htons(p);
	} else if (inet_pton(AF_INET6, host, &a.in6.sin6_addr) == 1) {
		a.in6.sin6_family = AF_INET6;
		a.in6.sin6_port = htons(p);
		a.len = sizeof(a.in6);
	} else {
		errno = EINVAL;
		tool_die("%s is no address", host);
	}
	return a;
}

/* A kernel whose default paces (bbr) would measure its timers, not us. */
static inline void tool_cubic(int fd)
{
	(void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);
}

static inline int tool_listen(const struct tool_addr *a)
{
	int one = 1, fd = socket(a->sa.sa_family, SOCK_STREAM, 0);

	if (fd < 0)
		tool_die("socket");
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	tool_cubic(fd);
	if (bind(fd, &a->sa, a->len) < 0)
		tool_die("bind");
	if (listen(fd, 4096) < 0)
		tool_die("listen");
	return fd;
}

static inline int tool_connect(const struct tool_addr *a)
{
	int fd = socket(a->sa.sa_family, SOCK_STREAM, 0);

	if (fd < 0)
		tool_die("socket");
	tool_cubic(fd);
	if (connect(fd, &a->sa, a->len) < 0)
		tool_die("connect");
	return fd;
}

/* As many descriptors as the hard limit allows. */
static inline void tool_all_fds(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &r);
	}
}

#endif
