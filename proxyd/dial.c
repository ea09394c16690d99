/*
 * dial.c: from a target to a connected descriptor. A name with several
 * addresses is tried as [RFC8305 5] says: the next address gets its chance
 * after DIAL_STAGGER, or as soon as one failed, and the first that answers
 * wins.
 */
#include "client/couplet.h"
#include "proxyd.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define DIAL_STAGGER DUR_MS(250) /* Connection Attempt Delay [RFC8305 5] */

struct attempt {
	struct relay_watch watch;
	struct dial *dial;
	struct ip_port to;
};

struct dial {
	struct flow *f;
	struct relay_timer stagger;
	struct attempt attempts[TARGET_ADDRS_MAX];
	uint8_t n, open; /* begun; of these under way */
	struct relay_corpse corpse;
};

/* ---- a socket
 * ------------------------------------------------------------------- */

bool proxyd_on_stack(const struct proxyd *pd)
{
	return pd->deck.id[0] != '*';
}

bool proxy_sole(const struct proxy *px, int side)
{
	return !proxyd_on_stack(px->pd) &&
	       !(side ? px->tls.server : px->tls.client);
}

const char *proxyd_id(const struct proxyd *pd)
{
	return pd->deck.id;
}

int proxyd_socket(const struct proxyd *pd, uint8_t family, bool udp)
{
	int domain = family == IP_V4 ? AF_INET : AF_INET6;
	int type =
		(udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
	int fd = couplet_socket(pd->deck.id, domain, type, 0);

	return fd < 0 ? -errno : fd;
}

static int bind_local(const struct proxyd *pd, int fd,
		      const struct ip_addr *local)
{
	struct ip_port from = {.addr = *local};
	struct sockaddr_storage sa;
	socklen_t len = ip_port_to_sockaddr(&from, &sa);
	int one = 1;

	/* the port is chosen when the peer is known: more connections fit */
	if (!proxyd_on_stack(pd))
		(void)!setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one,
				  sizeof one);
	return couplet_bind(fd, (struct sockaddr *)&sa, len) < 0 ? -errno : 0;
}

int dial_socket(struct proxyd *pd, const struct ip_port *to,
		const struct ip_addr *local, bool *ret_now)
{
	struct sockaddr_storage sa;
	socklen_t len = ip_port_to_sockaddr(to, &sa);
	int fd = proxyd_socket(pd, to->addr.family, false), r = 0, one = 1;

	if (fd < 0)
		return fd;
	if (proxyd_on_stack(pd))
		(void)!couplet_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
					  sizeof one);
	else
		(void)!setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
				  sizeof one);
	if (local && local->family != IP_NONE)
		r = bind_local(pd, fd, local);
	*ret_now = false;
	if (r == 0) {
		r = proxyd_on_stack(pd)
			    ? couplet_connect(fd, (struct sockaddr *)&sa, len)
			    : connect(fd, (struct sockaddr *)&sa, len);
		*ret_now = r == 0;
		r = r < 0 && errno != EINPROGRESS ? -errno : 0;
	}
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

int dial_result(const struct proxyd *pd, const struct relay_watch *w)
{
	bool stack = proxyd_on_stack(pd);
	int error = 0;
	socklen_t len = sizeof error;

	if (!(w->ready & (RELAY_OUT | RELAY_ERR)))
		return -EINPROGRESS;
	if (!stack && !(w->ready & RELAY_ERR))
		return 0;
	/* on a stack this is also what tells the library that it stands */
	if ((stack ? couplet_getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error,
					&len)
		   : getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error, &len)) < 0)
		return -errno;
	if (error)
		return -error;
	return w->ready & RELAY_ERR ? -ECONNRESET : 0;
}

/* ---- one address
 * ---------------------------------------------------------------- */

static void on_single(struct relay_watch *w, mono_t now)
{
	struct flow *f = container_of(w, struct flow, relay.end[1].watch);
	int r = dial_result(f->px->pd, w);

	(void)now;
	if (r == -EINPROGRESS)
		return;
	if (r == 0) {
		flow_connected(f);
		return;
	}
	relay_watch_close(f->relay.set, w);
	flow_dial_failed(f, r);
}

static void dial_single(struct flow *f)
{
	struct relay_watch *w = &f->relay.end[1].watch;
	bool now;
	int r, fd;

	f->server = (struct ip_port){.addr = f->target->addrs[0],
				     .port = f->target->port};
	fd = r = dial_socket(f->px->pd, &f->server, &f->px->conf.server.local,
			     &now);
	if (r >= 0) {
		w->fn = on_single;
		r = relay_watch_add(f->relay.set, w, fd);
		if (r < 0)
			close(fd);
		else if (proxy_sole(f->px, 1))
			relay_watch_sole(w);
	}
	if (r < 0)
		flow_dial_failed(f, r);
}

/* ---- several
 * -------------------------------------------------------------------- */

static void begin_next(struct dial *d);

static void close_attempts(struct dial *d)
{
	for (uint8_t i = 0; i < d->n; i++)
		relay_watch_close(d->f->relay.set, &d->attempts[i].watch);
	d->open = 0;
}

void dial_stop(struct flow *f)
{
	struct dial *d = f->dial;

	if (!d)
		return;
	f->dial = NULL;
	close_attempts(d);
	relay_timer_set(f->relay.set, &d->stagger, MONO_NEVER);
	relay_bury(f->relay.set, &d->corpse, d);
}

static void attempt_won(struct attempt *a)
{
	struct flow *f = a->dial->f;
	int fd = relay_watch_take(f->relay.set, &a->watch), r;

	f->server = a->to;
	dial_stop(f);
	r = relay_watch_add(f->relay.set, &f->relay.end[1].watch, fd);
	if (r == 0) {
		flow_connected(f);
		return;
	}
	close(fd);
	flow_dial_failed(f, r);
}

static void attempt_failed(struct attempt *a, int error)
{
	struct dial *d = a->dial;
	struct flow *f = d->f;

	f->error = error;
	f->server = a->to;
	if (a->watch.fd >= 0)
		d->open--;
	relay_watch_close(f->relay.set, &a->watch);
	if (d->n < f->target->n_addrs) {
		begin_next(d);
	} else if (!d->open) {
		dial_stop(f);
		flow_dial_failed(f, error);
	}
}

static void on_attempt(struct relay_watch *w, mono_t now)
{
	struct attempt *a = container_of(w, struct attempt, watch);
	int r = dial_result(a->dial->f->px->pd, w);

	(void)now;
	if (r == 0)
		attempt_won(a);
	else if (r != -EINPROGRESS)
		attempt_failed(a, r);
}

static void begin_next(struct dial *d)
{
	struct flow *f = d->f;
	struct attempt *a = &d->attempts[d->n];
	bool now;
	int r, fd;

	relay_watch_init(&a->watch, on_attempt);
	a->dial = d;
	a->to = (struct ip_port){.addr = f->target->addrs[d->n],
				 .port = f->target->port};
	d->n++;
	relay_timer_set(
		f->relay.set, &d->stagger,
		d->n < f->target->n_addrs
			? mono_add(relay_now(f->relay.set), DIAL_STAGGER)
			: MONO_NEVER);
	fd = r =
		dial_socket(f->px->pd, &a->to, &f->px->conf.server.local, &now);
	if (r >= 0) {
		r = relay_watch_add(f->relay.set, &a->watch, fd);
		if (r < 0)
			close(fd);
		else
			d->open++;
	}
	if (r < 0)
		attempt_failed(a, r);
}

static void on_stagger(struct relay_timer *t, mono_t now)
{
	(void)now;
	begin_next(container_of(t, struct dial, stagger));
}

void dial_start(struct flow *f)
{
	struct dial *d;

	if (f->target->n_addrs == 1) {
		dial_single(f);
		return;
	}
	d = calloc(1, sizeof *d);
	if (!d) {
		flow_dial_failed(f, -ENOMEM);
		return;
	}
	d->f = f;
	f->dial = d;
	relay_timer_init(&d->stagger, on_stagger);
	begin_next(d);
}
