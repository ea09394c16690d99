/*
 * ftp_data.c: data connections of OPTION FTP. One begins as a listener on the
 * address of the control connection; whoever connects must be at the other end
 * of that; then the other side is connected to, handshakes are made where the
 * side is protected, and the rest is an ordinary relay.
 */
#include "client/couplet.h"
#include "daemon/log.h"
#include "ftp_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct ftp_data {
	struct relay relay;
	struct relay_watch listener;
	struct relay_timer timer;         /* until the relay begins */
	struct relay_handshake *shake[2]; /* of a side, under way */
	struct list node;                 /* of its control connection */
	struct list all;                  /* of proxyd.ftp_data */
	struct ftp_flow *ff; /* NULL: the control connection has ended */
	struct proxy *px;
	enum ftp_side side; /* who connects to us */
	struct ip_port to;
	struct ip_addr from;            /* who may connect */
	char peer[PROXYD_HOST_MAX + 1]; /* name of the server, for TLS */
	bool tls[2], ready[2];
	struct relay_corpse corpse;
};

/* ---- the end
 * -------------------------------------------------------------------- */

static void leave_control(struct ftp_data *d)
{
	if (!d->ff)
		return;
	if (d->ff->listening == d)
		d->ff->listening = NULL;
	d->ff->n_data--;
	list_remove(&d->node);
	d->ff = NULL;
}

static void bury(struct ftp_data *d)
{
	struct relay_set *s = d->relay.set;

	for (int i = 0; i < 2; i++) {
		d->px->pd->count.bytes[i] += d->relay.dir[i].bytes;
		d->px->bytes[i] += d->relay.dir[i].bytes;
	}
	leave_control(d);
	list_remove(&d->all);
	relay_watch_close(s, &d->listener);
	relay_timer_set(s, &d->timer, MONO_NEVER);
	proxy_unref(d->px);
	relay_bury(s, &d->corpse, d);
}

static void abandon(struct ftp_data *d)
{
	for (int side = 0; side < 2; side++) {
		if (d->shake[side])
			relay_handshake_drop(d->shake[side], 0);
		d->shake[side] = NULL;
	}
	relay_abandon(&d->relay, true);
	bury(d);
}

static void give_up(struct ftp_data *d, const char *what, const char *why)
{
	if (d->px->pd->deck.log != TLSDECK_LOG_NONE)
		log_msg(MSG_CPLT619W, d->px->label, what, why);
	abandon(d);
}

static void on_done(struct relay *r, enum relay_cause cause, int side,
		    int error)
{
	(void)cause;
	(void)side;
	(void)error;
	bury(r->arg);
}

static void on_timer(struct relay_timer *t, mono_t now)
{
	struct ftp_data *d = container_of(t, struct ftp_data, timer);

	(void)now;
	if (d->listener.fd >= 0)
		bury(d); /* nobody came: a client may change its mind */
	else
		give_up(d, "set up", strerror(ETIMEDOUT));
}

/* ---- handshakes
 * ----------------------------------------------------------------- */

static void side_ready(struct ftp_data *d, int side)
{
	d->ready[side] = true;
	if (!d->ready[!side])
		return;
	relay_timer_set(d->relay.set, &d->timer, MONO_NEVER);
	d->px->pd->count.ftp_data++;
	d->relay.idle_after = d->px->conf.set.idle_timeout;
	relay_start(&d->relay);
}

/* Nothing to be done until the other side is ready. */
static void on_waiting(struct relay_watch *w, mono_t now)
{
	(void)w;
	(void)now;
}

static const char *const tls_with[] = {"TLS with the client",
				       "TLS with the server"};

static void secured(struct ftp_data *d, int side, int result)
{
	struct tls_error te;

	d->shake[side] = NULL;
	if (result == 0) {
		d->relay.end[side].watch.fn = on_waiting;
		side_ready(d, side);
		return;
	}
	tls_session_error(d->relay.end[side].tls, &te);
	give_up(d, tls_with[side], te.text);
}

static void client_secured(void *arg, int result)
{
	secured(arg, 0, result);
}

static void server_secured(void *arg, int result)
{
	secured(arg, 1, result);
}

static void handshake(struct ftp_data *d, int side)
{
	if (relay_handshake_go(d->shake[side]) == 0)
		return;
	d->px->pd->count.handshakes_refused++;
	give_up(d, tls_with[side],
		"as many as LIMIT HANDSHAKES wait for a worker");
}

static void on_handshake0(struct relay_watch *w, mono_t now)
{
	(void)now;
	handshake(container_of(w, struct ftp_data, relay.end[0].watch), 0);
}

static void on_handshake1(struct relay_watch *w, mono_t now)
{
	(void)now;
	handshake(container_of(w, struct ftp_data, relay.end[1].watch), 1);
}

/* The descriptor of this side is connected. */
static void begin_side(struct ftp_data *d, int side)
{
	struct relay_end *e = &d->relay.end[side];
	struct tls_policy *p = side ? d->px->tls.server : d->px->tls.client;
	int r;

	e->io = &relay_clear;
	e->watch.fn = on_waiting;
	if (!d->tls[side]) {
		side_ready(d, side);
		return;
	}
	r = relay_handshake_new(
		d->px->pd->handshakes, e, p, side ? d->peer : NULL, true,
		side ? server_secured : client_secured, d, &d->shake[side]);
	if (r < 0) {
		give_up(d, "TLS", strerror(-r));
		return;
	}
	e->watch.fn = side ? on_handshake1 : on_handshake0;
	handshake(d, side);
}

/* ---- the two connections
 * --------------------------------------------------------- */

static void connecting(struct ftp_data *d, int side)
{
	struct relay_watch *w = &d->relay.end[side].watch;
	int r = dial_result(d->px->pd, w);

	if (r == 0)
		begin_side(d, side);
	else if (r != -EINPROGRESS)
		give_up(d, "connect", strerror(-r));
}

static void on_connect0(struct relay_watch *w, mono_t now)
{
	(void)now;
	connecting(container_of(w, struct ftp_data, relay.end[0].watch), 0);
}

static void on_connect1(struct relay_watch *w, mono_t now)
{
	(void)now;
	connecting(container_of(w, struct ftp_data, relay.end[1].watch), 1);
}

/* False: it was given up. */
static bool connect_other(struct ftp_data *d)
{
	int side = !d->side;
	struct relay_end *e = &d->relay.end[side];
	bool now;
	int fd = dial_socket(d->px->pd, &d->to, NULL, &now), r = fd;

	if (fd >= 0) {
		e->watch.fn = side ? on_connect1 : on_connect0;
		r = relay_watch_add(d->relay.set, &e->watch, fd);
		if (r < 0)
			close(fd);
	}
	if (r < 0)
		give_up(d, "connect", strerror(-r));
	return r >= 0;
}

static int accept_here(struct ftp_data *d, struct ip_port *ret_from)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof sa;
	int fd = couplet_accept4(d->listener.fd, (struct sockaddr *)&sa, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (ip_port_from_sockaddr((struct sockaddr *)&sa, len, ret_from) == 0)
		return fd;
	close(fd);
	return -EPROTO;
}

static void on_listener(struct relay_watch *w, mono_t now)
{
	struct ftp_data *d = container_of(w, struct ftp_data, listener);
	struct relay_set *s = d->relay.set;
	struct ip_port from;
	int fd = accept_here(d, &from);

	if (fd < 0)
		return;
	if (!ip_eq(&from.addr, &d->from)) { /* [RFC2577 5] */
		char text[PORT_TEXT_MAX];

		close(fd);
		log_msg(MSG_CPLT613W, ip_port_format(&from, text), d->px->label,
			"a data connection of somebody else");
		relay_watch_again(s, w);
		return;
	}
	if (d->ff && d->ff->listening == d)
		d->ff->listening = NULL;
	relay_watch_close(s, w);
	if (relay_watch_add(s, &d->relay.end[d->side].watch, fd) < 0) {
		close(fd);
		give_up(d, "accept", strerror(ENOMEM));
		return;
	}
	relay_timer_set(s, &d->timer,
			mono_add(now, d->px->conf.set.handshake_timeout));
	if (connect_other(d))
		begin_side(d, (int)d->side);
}

/* ---- listen
 * --------------------------------------------------------------------- */

static int try_port(int fd, const struct ip_addr *addr, uint16_t port)
{
	struct ip_port at = {.addr = *addr, .port = port};
	struct sockaddr_storage sa;
	socklen_t len = ip_port_to_sockaddr(&at, &sa);

	if (couplet_bind(fd, (struct sockaddr *)&sa, len) < 0)
		return -errno;
	return couplet_listen(fd, 4) < 0 ? -errno : 0;
}

/* A listening socket at `local`, on a port of FTPPORTS. */
static int open_listener(struct proxyd *pd, const struct ip_addr *local)
{
	uint32_t n = (uint32_t)(pd->deck.ftp_hi - pd->deck.ftp_lo) + 1;
	int r = -EADDRINUSE;

	for (uint32_t i = 0; i < n && r == -EADDRINUSE; i++) {
		uint16_t port =
			(uint16_t)(pd->deck.ftp_lo + (pd->ftp_next_port++ % n));
		int fd = proxyd_socket(pd, local->family, false), one = 1;

		if (fd < 0)
			return fd;
		(void)!couplet_setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one,
					  sizeof one);
		r = try_port(fd, local, port);
		if (r == 0)
			return fd;
		close(fd);
	}
	return r;
}

static int name_of(int fd, struct ip_port *ret)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof sa;

	if (couplet_getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		return -errno;
	return ip_port_from_sockaddr((struct sockaddr *)&sa, len, ret);
}

static struct ftp_data *data_new(struct ftp_flow *ff, enum ftp_side side,
				 const struct ip_port *to)
{
	struct flow *f = ff->f;
	struct ftp_data *d = calloc(1, sizeof *d);

	if (!d)
		return NULL;
	relay_init(&d->relay, f->relay.set);
	d->relay.done = on_done;
	d->relay.arg = d;
	d->relay.end[0].stack = d->relay.end[1].stack =
		proxyd_on_stack(f->px->pd);
	relay_watch_init(&d->listener, on_listener);
	relay_timer_init(&d->timer, on_timer);
	d->ff = ff;
	d->px = proxy_ref(f->px);
	d->side = side;
	d->to = *to;
	d->from = ff->ftp.cfg.peer[side];
	d->tls[0] = ftp_data_tls(&ff->ftp, FTP_CLIENT);
	d->tls[1] = ftp_data_tls(&ff->ftp, FTP_SERVER);
	memcpy(d->peer, f->target->host, strlen(f->target->host) + 1);
	list_push_tail(&ff->data, &d->node);
	list_push_tail(&f->px->pd->ftp_data, &d->all);
	ff->n_data++;
	return d;
}

int ftp_data_listen(struct ftp_flow *ff, enum ftp_side side,
		    const struct ip_port *to, struct ip_port *ret_at)
{
	struct flow *f = ff->f;
	struct ip_port local;
	struct ftp_data *d;
	int r, fd;

	if (ff->listening)
		bury(ff->listening);
	if (ff->n_data >= FTP_DATA_MAX)
		return -EMFILE;
	r = name_of(f->relay.end[side].watch.fd, &local);
	if (r < 0)
		return r;
	fd = open_listener(f->px->pd, &local.addr);
	if (fd < 0)
		return fd;
	r = name_of(fd, ret_at);
	d = r < 0 ? NULL : data_new(ff, side, to);
	if (!d || relay_watch_add(f->relay.set, &d->listener, fd) < 0) {
		close(fd);
		if (d)
			bury(d);
		return -ENOMEM;
	}
	ff->listening = d;
	relay_timer_set(f->relay.set, &d->timer,
			mono_add(relay_now(f->relay.set), FTP_LISTEN_LIFE));
	return 0;
}

void ftp_data_orphan(struct ftp_flow *ff)
{
	if (ff->listening)
		bury(ff->listening);
	LIST_FOREACH_SAFE (it, &ff->data)
		leave_control(container_of(it, struct ftp_data, node));
}

void ftp_kill_all(struct proxyd *pd)
{
	LIST_FOREACH_SAFE (it, &pd->ftp_data)
		abandon(container_of(it, struct ftp_data, all));
}
