/*
 * attls.c: a program that knows of tlsd (client/attls.h), by libc's calls
 * alone, so that it may run under stackrun by either way. It does what its
 * arguments say, and says of each word what came of it: "ok", or the name of
 * errno.
 *
 *	attls connect ADDRESS PORT WORD...
 *	attls listen PORT WORD...              (one connection)
 *	attls fresh 0 WORD...                  (a socket, not connected)
 *
 *	send TEXT      bulk N BYTE    send N bytes BYTE
 *	expect TEXT    reads exactly that    take N BYTE   reads exactly those
 *	eof  reset     the end, as it has to come
 *	start stop wait reset-session reset-cipher
 *	ask  cert FILE  chain FILE  room N    ATTLS_CERT with that much room
 *	length N       ATTLS_CONTROL with a value of N bytes
 *	request N      ATTLS_CONTROL with that number
 *	nonblock block  shutdown  close  die
 *	fill           sends until nobody takes more
 *	say TEXT       to stdout    until FILE    goes on when it is there
 */
#include "client/attls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fd;

_Noreturn static void fail(const char *what)
{
	printf("FAILED %s: %s\n", what, strerrorname_np(errno));
	exit(1);
}

static void result(const char *word, int r)
{
	printf("%s %s\n", word, r < 0 ? strerrorname_np(errno) : "ok");
}

static long number(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (end == text || *end)
		fail(text);
	return n;
}

/* ---- bytes --------------------------------------------------------------- */

static void ready(short events)
{
	struct pollfd p = {.fd = fd, .events = events};

	(void)!poll(&p, 1, -1);
}

static void put(const char *b, size_t n)
{
	while (n) {
		ssize_t k = send(fd, b, n, MSG_NOSIGNAL);

		if (k < 0 && errno == EAGAIN) {
			ready(POLLOUT);
			continue;
		}
		if (k < 0)
			fail("send");
		b += k;
		n -= (size_t)k;
	}
}

static void get(char *b, size_t n)
{
	while (n) {
		ssize_t k = recv(fd, b, n, 0);

		if (k < 0 && errno == EAGAIN) {
			ready(POLLIN);
			continue;
		}
		if (k == 0)
			errno = ENODATA;
		if (k <= 0)
			fail("recv");
		b += k;
		n -= (size_t)k;
	}
}

static void expect(const char *text)
{
	char b[4096];
	size_t n = strlen(text);

	get(b, n);
	if (memcmp(b, text, n) != 0) {
		printf("FAILED expect: %.*s\n", (int)n, b);
		exit(1);
	}
	printf("got %s\n", text);
}

static void bulk(size_t n, char byte, int out)
{
	static char b[65536];

	while (n) {
		size_t k = n < sizeof(b) ? n : sizeof(b);

		memset(b, out ? byte : 0, k);
		if (out)
			put(b, k);
		else
			get(b, k);
		for (size_t i = 0; i < k; i++) {
			if (b[i] != byte) {
				printf("FAILED take: %02x\n", b[i]);
				exit(1);
			}
		}
		n -= k;
	}
}

static void end(const char *word, ssize_t expected)
{
	char b[256];
	ssize_t k;

	while ((k = recv(fd, b, sizeof(b), 0)) < 0 && errno == EAGAIN)
		ready(POLLIN);
	if (k != expected || (k < 0 && errno != ECONNRESET)) {
		printf("FAILED %s: %zd %s %.*s\n", word, k,
		       strerrorname_np(k < 0 ? errno : 0), (int)(k > 0 ? k : 0),
		       b);
		exit(1);
	}
	printf("%s ok\n", word);
}

/* ---- attls --------------------------------------------------------------- */

static void control(const char *word, int what)
{
	result(word,
	       setsockopt(fd, SOL_ATTLS, ATTLS_CONTROL, &what, sizeof(what)));
}

static void ask(void)
{
	struct attls_info i;
	socklen_t len = sizeof(i);

	if (getsockopt(fd, SOL_ATTLS, ATTLS_QUERY, &i, &len) < 0) {
		result("ask", -1);
		return;
	}
	printf("ask policy %u state %u role %u version %04x in %llu out %llu "
	       "cert %u chain %u error %s subject '%s' user '%s' reason '%s'\n",
	       i.policy, i.state, i.role, i.version,
	       (unsigned long long)i.border_in,
	       (unsigned long long)i.border_out, i.cert_len, i.chain_len,
	       strerrorname_np(i.error), i.subject, i.user, i.reason);
}

static void certs(const char *word, int name, const char *path, socklen_t room)
{
	static char der[ATTLS_CHAIN_MAX];
	socklen_t len = room;
	FILE *f;

	if (getsockopt(fd, SOL_ATTLS, name, der, &len) < 0) {
		result(word, -1);
		return;
	}
	f = path ? fopen(path, "w") : NULL;
	if (path && (!f || fwrite(der, 1, len, f) != len || fclose(f) != 0))
		fail(path);
	printf("%s ok %u\n", word, (unsigned)len);
}

static void length(socklen_t len)
{
	/* longer than any object */
	static char value[1 << 16] = {ATTLS_START};

	result("length", setsockopt(fd, SOL_ATTLS, ATTLS_CONTROL, value, len));
}

/* ---- words --------------------------------------------------------------- */

static void until(const char *path)
{
	while (access(path, F_OK) < 0)
		(void)!poll(NULL, 0, 10);
}

static void blocking(int on)
{
	int fl = fcntl(fd, F_GETFL);

	(void)!fcntl(fd, F_SETFL, on ? fl & ~O_NONBLOCK : fl | O_NONBLOCK);
}

static void fill(void)
{
	static const char b[65536];
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	size_t sum = 0;

	while (poll(&p, 1, 500) == 1) {
		ssize_t k = send(fd, b, sizeof(b), MSG_NOSIGNAL | MSG_DONTWAIT);

		if (k < 0 && errno != EAGAIN)
			fail("fill");
		sum += k > 0 ? (size_t)k : 0;
	}
	printf("filled %zu\n", sum);
}

/* How many arguments it took. */
static int word_alone(const char *w)
{
	if (strcmp(w, "start") == 0)
		control(w, ATTLS_START);
	else if (strcmp(w, "stop") == 0)
		control(w, ATTLS_STOP);
	else if (strcmp(w, "wait") == 0)
		control(w, ATTLS_WAIT);
	else if (strcmp(w, "reset-session") == 0)
		control(w, ATTLS_RESET_SESSION);
	else if (strcmp(w, "reset-cipher") == 0)
		control(w, ATTLS_RESET_CIPHER);
	else if (strcmp(w, "ask") == 0)
		ask();
	else if (strcmp(w, "eof") == 0)
		end(w, 0);
	else if (strcmp(w, "reset") == 0)
		end(w, -1);
	else if (strcmp(w, "nonblock") == 0)
		blocking(0);
	else if (strcmp(w, "block") == 0)
		blocking(1);
	else if (strcmp(w, "fill") == 0)
		fill();
	else if (strcmp(w, "shutdown") == 0)
		result(w, shutdown(fd, SHUT_WR));
	else if (strcmp(w, "close") == 0)
		result(w, close(fd));
	else if (strcmp(w, "die") == 0)
		raise(SIGKILL);
	else
		return 0;
	return 1;
}

static int word_with(const char *w, char **a)
{
	if (strcmp(w, "send") == 0)
		put(a[0], strlen(a[0]));
	else if (strcmp(w, "expect") == 0)
		expect(a[0]);
	else if (strcmp(w, "cert") == 0)
		certs(w, ATTLS_CERT, a[0], ATTLS_CERT_MAX);
	else if (strcmp(w, "chain") == 0)
		certs(w, ATTLS_CHAIN, a[0], ATTLS_CHAIN_MAX);
	else if (strcmp(w, "room") == 0)
		certs(w, ATTLS_CERT, NULL, (socklen_t)number(a[0]));
	else if (strcmp(w, "length") == 0)
		length((socklen_t)number(a[0]));
	else if (strcmp(w, "request") == 0)
		control(w, (int)number(a[0]));
	else if (strcmp(w, "say") == 0)
		printf("%s\n", a[0]);
	else if (strcmp(w, "until") == 0)
		until(a[0]);
	else
		return 0;
	return 2;
}

static void run(char **a)
{
	while (*a) {
		int n = word_alone(a[0]);

		if (!n && a[1])
			n = word_with(a[0], a + 1);
		if (!n && a[1] && a[2] &&
		    (strcmp(a[0], "bulk") == 0 || strcmp(a[0], "take") == 0)) {
			bulk((size_t)number(a[1]), a[2][0], a[0][0] == 'b');
			n = 3;
		}
		if (!n) {
			printf("FAILED unknown word %s\n", a[0]);
			exit(1);
		}
		a += n;
	}
	printf("done\n");
}

static int accept_one(uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	int l = socket(AF_INET, SOCK_STREAM, 0), on = 1, c;

	(void)!setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(l, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(l, 8) < 0)
		fail("listen");
	printf("ready\n");
	c = accept(l, NULL, NULL);
	close(l);
	return c;
}

static int connect_to(const char *address, uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	int c = socket(AF_INET, SOCK_STREAM, 0);

	if (inet_pton(AF_INET, address, &a.sin_addr) != 1 ||
	    connect(c, (struct sockaddr *)&a, sizeof(a)) < 0)
		return -1;
	return c;
}

int main(int argc, char **argv)
{
	bool client = argc > 2 && strcmp(argv[1], "connect") == 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 4)
		return 2;
	if (client)
		fd = connect_to(argv[2], (uint16_t)number(argv[3]));
	else if (strcmp(argv[1], "listen") == 0)
		fd = accept_one((uint16_t)number(argv[2]));
	else
		fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0)
		fail(argv[1]);
	run(argv + (client ? 4 : 3));
	return 0;
}
