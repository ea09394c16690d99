/*
 * door.c: the connection to stackd. It is tried until it succeeds: start
 * order does not matter. What stackd says is dispatched to pair.c; what it is
 * told waits here while its socket is full.
 */
#include "daemon/log.h"
#include "tlsd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define RETRY_MS 200
#define UNSAID_MAX 65536

static void lost(struct tlsd *td, const char *why)
{
	if (td->door < 0)
		return;
	if (td->ready)
		log_msg(MSG_CPLT502W, td->deck.id, why);
	relay_watch_close(td->set, &td->door_watch);
	td->door = -1;
	td->ready = false;
	td->unsaid_n = 0;
	pairs_end(td);
	relay_timer_set(td->set, &td->door_timer,
			mono_add(relay_now(td->set), DUR_MS(RETRY_MS)));
}

/* ---- words to stackd ----------------------------------------------------- */

static bool keep(struct tlsd *td, const struct divert_msg *m)
{
	if (td->unsaid_n == td->unsaid_cap) {
		uint32_t cap = MAX(64u, td->unsaid_cap * 2);
		struct divert_msg *q;

		if (td->unsaid_n >= UNSAID_MAX)
			return false;
		q = malloc(cap * sizeof(*q));
		if (!q)
			return false;
		for (uint32_t i = 0; i < td->unsaid_n; i++)
			q[i] = td->unsaid[(td->unsaid_head + i) %
					  td->unsaid_cap];
		free(td->unsaid);
		td->unsaid = q;
		td->unsaid_head = 0;
		td->unsaid_cap = cap;
	}
	td->unsaid[(td->unsaid_head + td->unsaid_n++) % td->unsaid_cap] = *m;
	return true;
}

static void say_more(struct tlsd *td)
{
	while (td->unsaid_n && td->door >= 0) {
		struct divert_msg *m = &td->unsaid[td->unsaid_head];

		if (divert_send(td->door, m, NULL, 0) < 0)
			return; /* full, or its end is an event */
		td->unsaid_head = (td->unsaid_head + 1) % td->unsaid_cap;
		td->unsaid_n--;
	}
}

int door_send(struct tlsd *td, const struct divert_msg *m)
{
	struct divert_msg copy = *m;
	int r = -EAGAIN;

	if (td->door < 0)
		return -ENOTCONN;
	if (!td->unsaid_n)
		r = divert_send(td->door, &copy, NULL, 0);
	if (r == -EAGAIN)
		return keep(td, m) ? 0 : -ENOBUFS;
	return r;
}

void door_say(struct tlsd *td, enum divert_op op, uint64_t serial, int error)
{
	struct divert_msg m = {
		.op = (uint16_t)op, .serial = serial, .error = error};

	/* a stackd that is gone needs no word, and its end is an event */
	(void)!door_send(td, &m);
}

/* ---- words of stackd ----------------------------------------------------- */

static const char *endpoint(const struct proto_addr *a, char *buf)
{
	struct ip_port p;

	if (proto_addr_get(a, &p) < 0)
		return "?";
	return ip_port_format(&p, buf);
}

static void on_listener(struct tlsd *td, const struct divert_msg *m)
{
	struct rule *r = rules_find(td, m->sock.rule);
	char at[PORT_TEXT_MAX];

	if (!r)
		return;
	endpoint(&m->sock.local, at);
	if (m->error) {
		log_msg(MSG_CPLT504E, r->number, at, m->sock.as_port,
			strerror(m->error));
		return;
	}
	/* entry and socket, as on z/VSE */
	log_msg(MSG_BSTT719I, r->number, (unsigned)(m->serial & 0xffffff),
		m->sock.as_port, "SSL");
	if (m->sock.reachable && !r->warned) {
		r->warned = true;
		log_msg(MSG_CPLT505W, r->number, at, m->sock.as_port);
	}
}

static void on_ready(struct tlsd *td, const struct divert_msg *m)
{
	if (m->error) {
		log_msg(MSG_CPLT503E, td->deck.id, strerror(m->error));
		return;
	}
	if (!td->ready)
		log_msg(MSG_CPLT501I, td->deck.id, td->rules.n);
	td->ready = true;
	rules_free(&td->before);
}

/* False: a word that only we say. */
static bool heard(struct tlsd *td, struct divert_msg *m, int fds[DIVERT_FDS])
{
	switch ((enum divert_op)m->op) {
	case DIVERT_READY:
		on_ready(td, m);
		return true;
	case DIVERT_SOCKET:
		pair_new(td, m, fds);
		return true;
	case DIVERT_CONNECTED:
		pair_connected(td, m);
		return true;
	case DIVERT_GONE:
		pair_gone(td, m->serial, m->error);
		return true;
	case DIVERT_LISTENER:
		on_listener(td, m);
		return true;
	case DIVERT_UNLISTEN:
		return true;
	case DIVERT_INTRODUCED:
		pair_introduced(td, m->serial, fds[0], m->error);
		fds[0] = -1;
		return true;
	case DIVERT_CONTROL:
		control_asked(td, m, fds[0]);
		return true;
	case DIVERT_BEGIN:
	case DIVERT_RULE:
	case DIVERT_COMMIT:
	case DIVERT_ADD:
	case DIVERT_DELETE:
	case DIVERT_OPENED:
	case DIVERT_FAILED:
	case DIVERT_RESET:
	case DIVERT_INTRODUCE:
	case DIVERT_ABOUT:
	case DIVERT_ANSWER:
	case DIVERT__LAST:
		break;
	}
	return false;
}

static void hear(struct tlsd *td)
{
	while (td->door >= 0) {
		struct divert_msg m;
		int fds[DIVERT_FDS];
		int r = divert_recv(td->door, &m, fds);

		if (r == -EAGAIN) {
			td->door_watch.ready &= (uint8_t)~RELAY_IN;
			return;
		}
		if (r == 1 && heard(td, &m, fds))
			r = 2;
		for (int i = 0; i < DIVERT_FDS; i++) {
			if (fds[i] >= 0)
				close(fds[i]);
		}
		if (r != 2) {
			lost(td, r == 0 ? "it has ended"
					: "it said what cannot be");
			return;
		}
	}
}

static void on_door(struct relay_watch *w, mono_t now)
{
	struct tlsd *td = container_of(w, struct tlsd, door_watch);

	(void)now;
	if (w->ready & RELAY_OUT)
		say_more(td);
	if (w->ready & RELAY_IN)
		hear(td);
}

/* ---- open and close ------------------------------------------------------ */

static int connect_door(struct tlsd *td)
{
	struct sockaddr_un u = {.sun_family = AF_UNIX};
	int fd, big = 1 << 20, r = 0;
	int n = snprintf(u.sun_path, sizeof(u.sun_path), "%s/%s/divert",
			 daemon_options(td->daemon)->run_dir, td->deck.id);

	if (n < 0 || (size_t)n >= sizeof(u.sun_path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&u, sizeof(u)) < 0)
		r = -errno;
	(void)!setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &big, sizeof(big));
	if (r == 0)
		r = relay_watch_add(td->set, &td->door_watch, fd);
	if (r < 0) {
		close(fd);
		return r;
	}
	td->door = fd;
	return 0;
}

void door_open(struct tlsd *td)
{
	int r = connect_door(td);

	if (r == 0)
		r = rules_register(td);
	if (r == 0) {
		td->told_absent = false;
		return;
	}
	if (!td->told_absent)
		log_msg(MSG_CPLT500W, td->deck.id, strerror(-r));
	td->told_absent = true;
	lost(td, "");
	relay_timer_set(td->set, &td->door_timer,
			mono_add(relay_now(td->set), DUR_MS(RETRY_MS)));
}

static void on_retry(struct relay_timer *t, mono_t now)
{
	(void)now;
	door_open(container_of(t, struct tlsd, door_timer));
}

void door_init(struct tlsd *td)
{
	td->door = -1;
	relay_watch_init(&td->door_watch, on_door);
	relay_timer_init(&td->door_timer, on_retry);
}

void door_close(struct tlsd *td)
{
	if (!td->set)
		return;
	relay_timer_set(td->set, &td->door_timer, MONO_NEVER);
	if (td->door >= 0)
		relay_watch_close(td->set, &td->door_watch);
	td->door = -1;
	free(td->unsaid);
	td->unsaid = NULL;
	td->unsaid_cap = td->unsaid_n = 0;
}
