/*
 * metrics.c: the METRICS socket of the deck: an AF_UNIX stream socket for
 * Prometheus exporters. A client that sends an HTTP request gets an HTTP/1.0
 * answer; one that sends nothing (socat, nc) gets the bare text after a
 * moment. Answers are made at once and written as the client reads; a client
 * has CLIENT_LIFE to take it.
 */
#include "console/metrics.h"

#include "base/list.h"
#include "ev/ev.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENTS_MAX 8
#define SILENCE DUR_MS(200)   /* then the client wants bare text */
#define CLIENT_LIFE DUR_S(10) /* then it is cut off */
#define REQUEST_MAX 4096

struct metrics {
	struct ev_loop *loop;
	metrics_fn *print;
	void *arg;
	int fd;
	struct ev_io *io;
	char path[108];
	struct list clients;
	unsigned n_clients;
};

struct client {
	struct list node;
	struct metrics *m;
	int fd;
	struct ev_io *io;
	struct ev_timer *timer;
	size_t got; /* bytes of the request */
	char request[REQUEST_MAX + 1];
	char *text; /* answer; NULL until the request is there */
	size_t len, sent, cap;
};

static void client_free(struct client *c)
{
	list_remove(&c->node);
	c->m->n_clients--;
	ev_io_free(c->io);
	ev_timer_free(c->timer);
	close(c->fd);
	free(c->text);
	free(c);
}

static void append(void *arg, const char *text, size_t len)
{
	struct client *c = arg;

	if (c->len + len > c->cap) {
		size_t cap = MAX(c->cap * 2, c->len + len + 16384);
		char *p = realloc(c->text, cap);

		if (!p)
			return; /* a shorter answer: the scraper complains */
		c->text = p;
		c->cap = cap;
	}
	memcpy(c->text + c->len, text, len);
	c->len += len;
}

static void append_str(struct client *c, const char *s)
{
	append(c, s, strlen(s));
}

static void send_more(struct client *c)
{
	while (c->sent < c->len) {
		ssize_t n = send(c->fd, c->text + c->sent, c->len - c->sent,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN) {
			if (ev_io_set(c->io, EV_IO_OUT) < 0)
				client_free(c);
			return;
		}
		if (n < 0)
			break;
		c->sent += (size_t)n;
	}
	client_free(c);
}

static void answer(struct client *c)
{
	c->request[c->got] = '\0';
	if (c->got) {
		bool get = strncmp(c->request, "GET ", 4) == 0;

		append_str(c, get ? "HTTP/1.0 200 OK\r\n"
				  : "HTTP/1.0 405 Method Not Allowed\r\n");
		append_str(c, "Content-Type: text/plain; version=0.0.4\r\n"
			      "Connection: close\r\n\r\n");
		if (!get) {
			send_more(c);
			return;
		}
	}
	c->m->print(c->m->arg, append, c);
	ev_timer_set(c->timer, CLIENT_LIFE);
	send_more(c);
}

static void on_timer(void *arg)
{
	struct client *c = arg;

	/* half a request, or an answer that nobody reads */
	if (c->text || c->got)
		client_free(c);
	else
		answer(c);
}

static void on_client(void *arg, int fd, unsigned events)
{
	struct client *c = arg;
	ssize_t n;

	(void)events;
	if (c->text) {
		send_more(c);
		return;
	}
	n = recv(fd, c->request + c->got, REQUEST_MAX - c->got, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0) {
		client_free(c);
		return;
	}
	if (n > 0 && !c->got)
		ev_timer_set(c->timer, CLIENT_LIFE);
	c->got += (size_t)n;
	c->request[c->got] = '\0';
	if (n == 0 || strstr(c->request, "\r\n\r\n") ||
	    strstr(c->request, "\n\n") || c->got == REQUEST_MAX)
		answer(c);
}

static void on_connect(void *arg, int fd, unsigned events)
{
	struct metrics *m = arg;
	struct client *c;
	int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int r;

	(void)events;
	if (conn < 0) {
		if (errno != EAGAIN)
			ev_io_rest(m->io, EV_ACCEPT_REST);
		return;
	}
	c = m->n_clients < CLIENTS_MAX ? calloc(1, sizeof *c) : NULL;
	if (!c) {
		close(conn);
		return;
	}
	c->m = m;
	c->fd = conn;
	list_push_tail(&m->clients, &c->node);
	m->n_clients++;
	r = ev_timer_new(m->loop, on_timer, c, &c->timer);
	if (r == 0)
		r = ev_io_new(m->loop, conn, EV_IO_IN, on_client, c, &c->io);
	if (r < 0) {
		client_free(c);
		return;
	}
	ev_timer_set(c->timer, SILENCE);
}

/* The listening descriptor, or negative errno. A dead socket is replaced. */
static int listen_at(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd, r;

	if (strlen(path) >= sizeof sa.sun_path)
		return -ENAMETOOLONG;
	memcpy(sa.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0) {
		close(fd);
		return -EADDRINUSE;
	}
	if (errno == ECONNREFUSED)
		unlink(path);
	/* a socket whose connect failed can still be bound */
	if (bind(fd, (struct sockaddr *)&sa, sizeof sa) < 0 ||
	    chmod(path, 0666) < 0 || listen(fd, CLIENTS_MAX) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

int metrics_new(struct ev_loop *l, const char *path, metrics_fn *print,
		void *arg, struct metrics **ret)
{
	struct metrics *m = calloc(1, sizeof *m);
	int r;

	if (!m)
		return -ENOMEM;
	m->loop = l;
	m->print = print;
	m->arg = arg;
	list_init(&m->clients);
	snprintf(m->path, sizeof m->path, "%s", path);
	m->fd = r = listen_at(path);
	if (r < 0) {
		free(m);
		return r;
	}
	r = ev_io_new(l, m->fd, EV_IO_IN, on_connect, m, &m->io);
	if (r < 0) {
		metrics_free(m);
		return r;
	}
	*ret = m;
	return 0;
}

void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	LIST_FOREACH_SAFE (it, &m->clients)
		client_free(container_of(it, struct client, node));
	ev_io_free(m->io);
	close(m->fd);
	unlink(m->path);
	free(m);
}
