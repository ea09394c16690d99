/*
 * attls-smtp.c: an SMTP client that says STARTTLS [RFC3207] and leaves TLS to
 * tlsd(8). It holds no key, no CA and no TLS library; the rule in the deck
 * says what the server's certificate has to be:
 *
 *	OPTION CLIENT
 *	HANDSHAKE_CLIENT 0
 *	CAFILE SYSTEM
 *	ATTLS 25 TO ANY AS 25 SSL * NAME mail.example.org CONTROLLED
 *
 *	cc -o attls-smtp attls-smtp.c -lcouplet
 *	COUPLET_ID=44 ./attls-smtp 192.0.2.25 25
 *
 * See couplet-attls(3).
 */
#include <couplet.h>
#include <couplet_attls.h>

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One reply, to the end of its last line: "250-..." goes on, "250 ..." does
 * not. One byte a read, so that none of what follows is taken: that may be
 * the server's side of TLS. */
static int reply(int fd)
{
	char line[512];
	size_t n = 0;

	for (;;) {
		ssize_t k = read(fd, line + n, 1);

		if (k < 0)
			err(1, "read");
		if (k == 0 || n + 2 > sizeof(line))
			errx(1, "no reply");
		if (line[n++] != '\n')
			continue;
		line[n] = '\0';
		printf("< %s", line);
		if (n < 4 || line[3] != '-')
			return (int)strtol(line, NULL, 10);
		n = 0;
	}
}

static int say(int fd, const char *command)
{
	printf("> %s", command);
	if (couplet_send(fd, command, strlen(command), MSG_NOSIGNAL) < 0)
		err(1, "send");
	return reply(fd);
}

static void start_tls(int fd)
{
	struct attls_info info;

	if (couplet_attls_control(fd, ATTLS_START) < 0) {
		int e = errno;

		if (couplet_attls_query(fd, &info) == 0 && info.reason[0])
			errx(1, "TLS: %s", info.reason);
		errno = e;
		err(1, "TLS");
	}
	if (couplet_attls_query(fd, &info) < 0)
		err(1, "TLS");
	printf("TLS %u.%u, suite %04x, peer %s\n", info.version >> 8,
	       info.version & 0xff, info.suite, info.subject);
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	unsigned long port = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	int fd;

	if (!port || port > 65535 ||
	    inet_pton(AF_INET, argv[1], &a.sin_addr) != 1)
		errx(2, "usage: attls-smtp address port");
	a.sin_port = htons((uint16_t)port);
	setvbuf(stdout, NULL, _IOLBF, 0);
	fd = couplet_socket(NULL, AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || couplet_connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		err(1, "connect");
	if (reply(fd) != 220 || say(fd, "EHLO client.example\r\n") != 250)
		errx(1, "not welcome");
	if (say(fd, "STARTTLS\r\n") != 220)
		errx(1, "the server has no TLS");
	start_tls(fd);
	/* what was said in clear counts for nothing [RFC3207 4.2] */
	if (say(fd, "EHLO client.example\r\n") != 250)
		errx(1, "not welcome");
	say(fd, "QUIT\r\n");
	close(fd);
	return 0;
}
