/*
 * tnclient: a TN3270E client with the machine of common/tn3270, for tests:
 * takes a printer LU from a host on 127.0.0.1 and says what comes. Every
 * record is answered with device end.
 *
 *   tnclient PORT LU[,LU...]|- [no-tn3270e]
 *
 *   rejected REASON | ready FUNCTIONS plain|e NAME | data TYPE HEX | bind HEX |
 *   unbind REASON | eoj | tls | end REASON | eof
 */
#include "base/mono.h"
#include "tn3270/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct app {
	struct tn3270_client_conf conf;
	struct tn3270_client c;
	int fd;
	size_t in_len;
	uint8_t in[65536];
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

static void say_hex(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		printf("%02x", p[i]);
}

static void flush_out(struct app *a)
{
	uint8_t buf[TELNET_OUT_MAX];
	size_t n = tn3270_client_output(&a->c, buf, sizeof(buf));

	if (n && write(a->fd, buf, n) != (ssize_t)n)
		die("write");
}

static void on_event(struct app *a, const struct tn3270_event *ev)
{
	switch (ev->kind) {
	case TN3270_EV_REJECTED:
		say("rejected %s\n", tn3270e_reason_name(ev->reason));
		break;
	case TN3270_EV_READY:
		say("ready %02x %s %s\n", ev->functions,
		    ev->device->plain ? "plain" : "e", ev->device->name);
		break;
	case TN3270_EV_DATA:
		if (ev->first)
			printf("data %u ", ev->header.type);
		say_hex(ev->data, ev->len);
		if (ev->last)
			say("\n");
		break;
	case TN3270_EV_BIND:
		printf("bind ");
		say_hex(ev->data, ev->len);
		say("\n");
		break;
	case TN3270_EV_UNBIND:
		say("unbind %u\n", ev->reason);
		break;
	case TN3270_EV_EOJ:
		say("eoj\n");
		break;
	case TN3270_EV_START_TLS:
		say("tls\n");
		break;
	case TN3270_EV_CLOSE:
		say("end %s\n", tn3270_end_text(ev->end));
		flush_out(a);
		exit(1);
	case TN3270_EV_NONE:
	case TN3270_EV_DEVICE:
	case TN3270_EV_RESPONSE:
	case TN3270_EV_CLEARED:
	case TN3270_EV_LATE:
	case TN3270_EV_ATTN:
	case TN3270_EV_SYSREQ:
		break;
	}
	if (a->c.owes)
		tn3270_client_respond(&a->c, TN3270E_DEVICE_END);
}

static void feed(struct app *a)
{
	struct tn3270_event ev;
	size_t done = 0;

	do {
		done += tn3270_client_input(&a->c, a->in + done,
					    a->in_len - done, &ev, mono_now());
		on_event(a, &ev);
		flush_out(a);
	} while (ev.kind != TN3270_EV_NONE);
	a->in_len -= done;
	memmove(a->in, a->in + done, a->in_len);
}

static void serve(struct app *a)
{
	for (;;) {
		ssize_t n = read(a->fd, a->in + a->in_len,
				 sizeof(a->in) - a->in_len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			say("eof\n");
			return;
		}
		a->in_len += (size_t)n;
		feed(a);
	}
}

static void names(struct tn3270_client_conf *c, char *list)
{
	char *name;

	if (!strcmp(list, "-"))
		return;
	c->how = TN3270E_BY_NAME;
	while ((name = strsep(&list, ",")) &&
	       c->names < TN3270_CLIENT_NAMES_MAX)
		snprintf(c->name[c->names++], sizeof(c->name[0]), "%s", name);
}

int main(int argc, char **argv)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	struct app *a = calloc(1, sizeof(*a));

	if (!a || argc < 3)
		die("usage");
	tn3270_client_conf_init(&a->conf);
	names(&a->conf, argv[2]);
	a->conf.no_tn3270e = argc > 3;
	sin.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (a->fd < 0 || connect(a->fd, (struct sockaddr *)&sin, sizeof(sin)))
		die("connect");
	tn3270_client_init(&a->c, &a->conf, mono_now());
	serve(a);
	free(a);
	return 0;
}
