/*
 * tnserver: a TN3270E server for one client, with the machine of
 * common/tn3270, that does nothing by itself: every decision and every
 * record comes as a line on stdin, and what the client says is a line on
 * stdout. So a test can stand in any corner of the protocol.
 *
 *   tnserver [option...]          listens on 127.0.0.1, prints "port N"
 *     no-tn3270e no-plain displays no-printers tls-offer tls-require
 *     keepalive=MS reply=MS response=MS
 *
 *   accept NAME OFFER NEED        sets of functions in hexadecimal
 *   reject REASON
 *   send TYPE FLAG FILE           TYPE and FLAG numbers; FILE's bytes, - none
 *   bind LUTYPE PLU FLAG          a BIND image
 *   raw FILE                      bytes past the machine
 *   peek                          what has come and is not the machine's
 *   close
 *
 *   device TYPE HOW NAME | ready FUNCTIONS plain|e NAME | response SEQ ANSWER
 *   expected|stray | cleared | attn | sysreq | late SEQ | data TYPE HEX |
 *   tls | unused HEX | end REASON | eof | error CALL NUMBER | sent SEQ
 */
#include "base/mono.h"
#include "tn3270/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FILE_MAX (4u << 20)

struct app {
	struct tn3270_server_conf conf;
	struct tn3270_server s;
	int fd;
	bool done;
	size_t in_len; /* not used yet */
	uint8_t in[65536];
	size_t line_len;
	char line[4096];
	uint8_t file[FILE_MAX];
	uint8_t wire[TN3270_WIRE_MAX(FILE_MAX)];
};

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void say(const char *fmt, ...) PRINTF_LIKE(1, 2);

static void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	fflush(stdout);
}

static void write_all(struct app *a, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len > 0) {
		ssize_t n = write(a->fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			say("eof\n");
			a->done = true;
			return;
		}
		p += n;
		len -= (size_t)n;
	}
}

static void flush_out(struct app *a)
{
	uint8_t buf[TELNET_OUT_MAX];
	size_t n = tn3270_server_output(&a->s, buf, sizeof(buf));

	if (n)
		write_all(a, buf, n);
}

static void say_hex(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		printf("%02x", p[i]);
}

static void on_event(struct app *a, const struct tn3270_event *ev)
{
	static const char *const hows[] = {"generic", "connect", "associate"};

	switch (ev->kind) {
	case TN3270_EV_DEVICE:
		say("device %s %s %s\n", ev->device->type,
		    hows[ev->device->how],
		    ev->device->name[0] ? ev->device->name : "-");
		break;
	case TN3270_EV_READY:
		say("ready %02x %s %s\n", ev->functions,
		    a->s.plain ? "plain" : "e", ev->device->name);
		break;
	case TN3270_EV_RESPONSE:
		say("response %u %s %s\n", ev->seq,
		    tn3270e_answer_name(ev->answer),
		    ev->expected ? "expected" : "stray");
		break;
	case TN3270_EV_DATA:
		if (ev->first)
			printf("data %u ", ev->header.type);
		say_hex(ev->data, ev->len);
		if (ev->last)
			say("\n");
		break;
	case TN3270_EV_LATE:
		say("late %u\n", ev->seq);
		break;
	case TN3270_EV_CLOSE:
		say("end %s\n", tn3270_end_text(ev->end));
		break;
	case TN3270_EV_CLEARED:
		say("cleared\n");
		break;
	case TN3270_EV_ATTN:
		say("attn\n");
		break;
	case TN3270_EV_SYSREQ:
		say("sysreq\n");
		break;
	case TN3270_EV_START_TLS:
		say("tls\n");
		break;
	case TN3270_EV_NONE:
	case TN3270_EV_REJECTED:
	case TN3270_EV_BIND:
	case TN3270_EV_UNBIND:
	case TN3270_EV_EOJ:
		break;
	}
}

/* All that can be used of what has come. */
static void feed(struct app *a)
{
	struct tn3270_event ev;
	size_t done = 0, used;

	do {
		used = tn3270_server_input(&a->s, a->in + done,
					   a->in_len - done, &ev, mono_now());
		done += used;
		on_event(a, &ev);
	} while (ev.kind != TN3270_EV_NONE);
	a->in_len -= done;
	memmove(a->in, a->in + done, a->in_len);
	flush_out(a);
}

static void read_socket(struct app *a)
{
	ssize_t n = read(a->fd, a->in + a->in_len, sizeof(a->in) - a->in_len);

	if (n <= 0) {
		say("eof\n");
		a->done = true;
		return;
	}
	a->in_len += (size_t)n;
	feed(a);
}

static size_t load(struct app *a, const char *path)
{
	size_t n = 0;
	FILE *f;

	if (!strcmp(path, "-"))
		return 0;
	f = fopen(path, "rb");
	if (!f)
		die(path);
	n = fread(a->file, 1, sizeof(a->file), f);
	fclose(f);
	return n;
}

static void send_record(struct app *a, unsigned type, unsigned flag, size_t len)
{
	uint16_t seq = a->s.seq;
	ssize_t n = tn3270_server_write(
		&a->s, (enum tn3270e_type)type, (enum tn3270e_respond)flag,
		a->file, len, a->wire, sizeof(a->wire), mono_now());

	if (n < 0) {
		say("error send %zd\n", -n);
		return;
	}
	flush_out(a);
	write_all(a, a->wire, (size_t)n);
	say("sent %u\n", seq);
}

static void send_bind(struct app *a, unsigned lu_type, const char *plu,
		      unsigned flag)
{
	struct tn3270e_bind b = {.lu_type = (uint8_t)lu_type, .ru_max = 3840};
	ssize_t n;

	snprintf(b.plu, sizeof(b.plu), "%.*s", (int)sizeof(b.plu) - 1, plu);
	n = tn3270e_bind_emit(&b, a->file, sizeof(a->file));
	if (n < 0)
		say("error bind %zd\n", -n);
	else
		send_record(a, TN3270E_T_BIND_IMAGE, flag, (size_t)n);
}

static void peek(const struct app *a)
{
	printf("unused ");
	say_hex(a->in, MIN(a->in_len, 8u));
	say("\n");
}

static void command(struct app *a, const char *line)
{
	char word[32] = "", text[4000] = "";
	unsigned x = 0, y = 0;
	int r = 0;

	if (sscanf(line, "accept %31s %x %x", word, &x, &y) == 3)
		r = tn3270_server_accept(&a->s, word, x, y);
	else if (sscanf(line, "reject %u", &x) == 1)
		r = tn3270_server_reject(&a->s, (enum tn3270e_reason)x);
	else if (sscanf(line, "send %u %u %3999s", &x, &y, text) == 3)
		send_record(a, x, y, load(a, text));
	else if (sscanf(line, "bind %u %31s %u", &x, word, &y) == 3)
		send_bind(a, x, word, y);
	else if (sscanf(line, "raw %3999s", text) == 1)
		write_all(a, a->file, load(a, text));
	else if (!strcmp(line, "peek"))
		peek(a);
	else if (!strcmp(line, "close"))
		a->done = true;
	else
		say("error command %s\n", line);
	if (r < 0)
		say("error %.6s %d\n", line, -r);
	feed(a);
}

static void read_stdin(struct app *a)
{
	char *lf;
	ssize_t n = read(STDIN_FILENO, a->line + a->line_len,
			 sizeof(a->line) - a->line_len - 1);

	if (n <= 0) {
		a->done = true;
		return;
	}
	a->line_len += (size_t)n;
	a->line[a->line_len] = '\0';
	while (!a->done && (lf = strchr(a->line, '\n'))) {
		*lf = '\0';
		command(a, a->line);
		a->line_len -= (size_t)(lf + 1 - a->line);
		memmove(a->line, lf + 1, a->line_len + 1);
	}
}

static void expire(struct app *a)
{
	struct tn3270_event ev;

	do {
		tn3270_server_expire(&a->s, mono_now(), &ev);
		on_event(a, &ev);
	} while (ev.kind != TN3270_EV_NONE);
	flush_out(a);
}

/* Milliseconds until the deadline, rounded up; -1: none. */
static int wait_ms(const struct app *a)
{
	mono_t at = tn3270_server_deadline(&a->s), now = mono_now();

	if (mono_is_never(at))
		return -1;
	return mono_leq(at, now) ? 0 : (int)(dur_ms(mono_sub(at, now)) + 1);
}

static int serve(struct app *a)
{
	while (!a->done) {
		struct pollfd p[] = {{a->fd, POLLIN, 0},
				     {STDIN_FILENO, POLLIN, 0}};

		if (poll(p, 2, wait_ms(a)) < 0 && errno != EINTR)
			die("poll");
		if (mono_leq(tn3270_server_deadline(&a->s), mono_now()))
			expire(a);
		if (p[0].revents)
			read_socket(a);
		if (!a->done && p[1].revents)
			read_stdin(a);
	}
	close(a->fd);
	return 0;
}

static void option(struct tn3270_server_conf *c, const char *word)
{
	unsigned ms;

	if (!strcmp(word, "no-tn3270e"))
		c->no_tn3270e = true;
	else if (!strcmp(word, "no-plain"))
		c->no_plain = true;
	else if (!strcmp(word, "displays"))
		c->displays = true;
	else if (!strcmp(word, "no-printers"))
		c->printers = false;
	else if (!strcmp(word, "tls-offer"))
		c->tls = TN3270_TLS_OFFER;
	else if (!strcmp(word, "tls-require"))
		c->tls = TN3270_TLS_REQUIRE;
	else if (sscanf(word, "keepalive=%u", &ms) == 1)
		c->times.keepalive = DUR_MS(ms);
	else if (sscanf(word, "reply=%u", &ms) == 1)
		c->times.keepalive_reply = DUR_MS(ms);
	else if (sscanf(word, "response=%u", &ms) == 1)
		c->times.response = DUR_MS(ms);
	else
		die(word);
}

static int listen_one(void)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	socklen_t len = sizeof(sin);
	int l = socket(AF_INET, SOCK_STREAM, 0), fd;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (l < 0 || bind(l, (struct sockaddr *)&sin, sizeof(sin)) ||
	    listen(l, 1) || getsockname(l, (struct sockaddr *)&sin, &len))
		die("listen");
	say("port %u\n", ntohs(sin.sin_port));
	fd = accept(l, NULL, NULL);
	if (fd < 0)
		die("accept");
	close(l);
	return fd;
}

int main(int argc, char **argv)
{
	struct app *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		die("memory");
	signal(SIGPIPE, SIG_IGN);
	tn3270_server_conf_init(&a->conf);
	for (int i = 1; i < argc; i++)
		option(&a->conf, argv[i]);
	a->fd = listen_one();
	tn3270_server_init(&a->s, &a->conf, mono_now());
	flush_out(a);
	r = serve(a);
	free(a);
	return r;
}
