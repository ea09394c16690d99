/*
 * flow.c: one connection, from accept to the log line.
 *
 *   head -> client's handshake -> target, name, connect -> server's
 *   handshake -> relay -> end
 *
 * Each stage runs in the function of the client's or the server's watch and
 * has one timer. Handshakes are made by worker threads (relay/handshake.h).
 * What fails before the relay ends in flow_fail(): the client sees a reset, or
 * an alert if it speaks TLS, never an orderly end.
 */
#include "client/couplet.h"
#include "clients.h"
#include "daemon/log.h"
#include "ftp_flow.h"
#include "head/head.h"
#include "proxyd.h"
#include "resolve.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ALERT_INTERNAL_ERROR 80 /* [RFC8446 6.2] */
#define TEXT_MAX 400

static const char *const state_names[] = {
	"head", "client-tls", "resolve", "connect", "server-tls", "relay",
};
static_assert(ARRAY_SIZE(state_names) == FLOW_RELAY + 1, "a name for each");

static const char *const end_names[] = {
	"ok",   "client-reset", "server-reset", "client-tls", "server-tls",
	"idle", "connect",      "name",         "no-target",  "header",
	"ftp",  "operator",     "memory",       "busy",
};
static_assert(ARRAY_SIZE(end_names) == FLOW_END__COUNT, "a name for each");

const char *flow_state_name(enum flow_state s)
{
	return state_names[s];
}

const char *flow_end_name(enum flow_end e)
{
	return end_names[e];
}

/* ---- the end
 * -------------------------------------------------------------------- */

static void log_end(const struct flow *f, enum flow_end why, const char *text)
{
	const struct proxyd *pd = f->px->pd;
	char client[PORT_TEXT_MAX], server[PORT_TEXT_MAX] = "-";
	char ms[32];
	unsigned long long id = f->id, in = f->relay.dir[0].bytes,
			   out = f->relay.dir[1].bytes;
	dur_t life = mono_sub(relay_now(pd->set), f->started);

	if (pd->deck.log == TLSDECK_LOG_NONE ||
	    (pd->deck.log == TLSDECK_LOG_FAILURES && why == FLOW_END_OK))
		return;
	ip_port_format(&f->client, client);
	if (f->server.addr.family != IP_NONE)
		ip_port_format(&f->server, server);
	snprintf(ms, sizeof ms, "%lld.%03lld", (long long)(dur_ms(life) / 1000),
		 (long long)(dur_ms(life) % 1000));
	if (why == FLOW_END_OK)
		log_every(MSG_CPLT610I, id, client, f->px->label, server, in,
			  out, ms);
	else
		log_every(MSG_CPLT611W, id, client, f->px->label, server, in,
			  out, ms, flow_end_name(why), text);
}

static void leave_target(struct flow *f)
{
	if (f->target)
		f->target->conns--;
	f->target = NULL;
}

/* Counts, logs, forgets; descriptors are closed already. */
static void bury(struct flow *f, enum flow_end why, const char *text)
{
	struct proxy *px = f->px;
	struct proxyd *pd = px->pd;

	log_end(f, why, text);
	pd->count.ended[why]++;
	for (int i = 0; i < 2; i++) {
		pd->count.bytes[i] += f->relay.dir[i].bytes;
		px->bytes[i] += f->relay.dir[i].bytes;
	}
	dial_stop(f);
	resolve_forget(f);
	ftp_flow_end(f);
	leave_target(f);
	clients_leave(pd->clients, f->client_slot);
	relay_timer_set(pd->set, &f->timer, MONO_NEVER);
	list_remove(&f->node);
	pd->n_flows--;
	px->conns--;
	proxy_unref(px);
	relay_bury(pd->set, &f->corpse, f);
}

/* A handshake that is under way: a client with TLS hears why by an alert. */
static void drop_handshakes(struct flow *f, enum flow_end why)
{
	for (int i = 0; i < 2; i++) {
		bool tell = i == 0 && why != FLOW_END_CLIENT_RESET;

		if (f->shake[i])
			relay_handshake_drop(f->shake[i],
					     tell ? ALERT_INTERNAL_ERROR : 0);
		f->shake[i] = NULL;
	}
}

void flow_fail(struct flow *f, enum flow_end why, const char *text)
{
	struct relay_end *client = &f->relay.end[0];

	drop_handshakes(f, why);
	relay_close_end(&f->relay, 1, true);
	if (client->tls && why != FLOW_END_CLIENT_RESET) {
		/* a failed handshake has sent its own */
		if (client->io == &relay_tls)
			tls_session_alert(client->tls, ALERT_INTERNAL_ERROR);
		relay_hang_up(f->relay.set, client);
	}
	relay_abandon(&f->relay, true);
	bury(f, why, text);
}

static void fail_errno(struct flow *f, enum flow_end why, int error)
{
	flow_fail(f, why, strerror(-error));
}

static void fail_tls(struct flow *f, int side)
{
	struct tls_error e;
	char text[TEXT_MAX];

	tls_session_error(f->relay.end[side].tls, &e);
	snprintf(text, sizeof text, "%s", e.text);
	f->px->pd->count.handshakes_failed[side]++;
	flow_fail(f, side ? FLOW_END_SERVER_TLS : FLOW_END_CLIENT_TLS, text);
}

/* ---- the relay is over
 * ---------------------------------------------------------- */

static enum flow_end end_of(enum relay_cause cause, int side)
{
	switch (cause) {
	case RELAY_CAUSE_FIN:
		return FLOW_END_OK;
	case RELAY_CAUSE_RESET:
		return side ? FLOW_END_SERVER_RESET : FLOW_END_CLIENT_RESET;
	case RELAY_CAUSE_IDLE:
		return FLOW_END_IDLE;
	case RELAY_CAUSE_FILTER:
		return FLOW_END_FTP;
	case RELAY_CAUSE_KILLED:
		break;
	}
	return FLOW_END_OPERATOR;
}

/*
 * Many a TLS peer that was told close_notify hangs up without its own
 * [RFC8446 6.1]. The other side may be waiting for more, so it gets a reset all
 * the same; for the log both have ended as they meant to.
 */
static bool only_rude(const struct relay *r, enum relay_cause cause, int side)
{
	return cause == RELAY_CAUSE_RESET && r->end[side].io == &relay_tls &&
	       r->end[side].finished && r->end[!side].eof;
}

static void on_done(struct relay *r, enum relay_cause cause, int side,
		    int error)
{
	struct flow *f = r->arg;

	if (only_rude(r, cause, side)) {
		bury(f, FLOW_END_OK, "");
		return;
	}

	bury(f, end_of(cause, side), error ? strerror(-error) : "");
}

void flow_finish(struct flow *f)
{
	relay_abandon(&f->relay, false);
	bury(f, FLOW_END_OK, "");
}

/* ---- stages
 * --------------------------------------------------------------------- */

static void pick_target(struct flow *f);

static void stage(struct flow *f, enum flow_state s, dur_t limit)
{
	f->state = s;
	relay_timer_set(f->relay.set, &f->timer,
			mono_add(relay_now(f->relay.set), limit));
}

static void on_timer(struct relay_timer *t, mono_t now)
{
	struct flow *f = container_of(t, struct flow, timer);

	(void)now;
	switch (f->state) {
	case FLOW_HEAD:
		flow_fail(f, FLOW_END_HEADER, "time-out before the header");
		break;
	case FLOW_CLIENT_TLS:
		f->px->pd->count.handshakes_failed[0]++;
		flow_fail(f, FLOW_END_CLIENT_TLS, "time-out in the handshake");
		break;
	case FLOW_RESOLVE:
		flow_fail(f, FLOW_END_NAME, "time-out while asking for it");
		break;
	case FLOW_CONNECT:
		dial_stop(f);
		relay_close_end(&f->relay, 1, true);
		flow_dial_failed(f, -ETIMEDOUT);
		break;
	case FLOW_SERVER_TLS:
		f->px->pd->count.handshakes_failed[1]++;
		flow_fail(f, FLOW_END_SERVER_TLS, "time-out in the handshake");
		break;
	case FLOW_RELAY:
		if (!ftp_flow_busy(f))
			flow_fail(f, FLOW_END_IDLE, strerror(ETIMEDOUT));
		break;
	}
}

/* The client while nothing is read from it: has it gone? */
static void on_client_waits(struct relay_watch *w, mono_t now)
{
	struct flow *f = container_of(w, struct flow, relay.end[0].watch);
	int error = 0;
	socklen_t len = sizeof error;

	(void)now;
	if (!(w->ready & RELAY_ERR))
		return;
	if (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error)
		flow_fail(f, FLOW_END_CLIENT_RESET, strerror(error));
	else if (f->relay.end[0].stack)
		flow_fail(f, FLOW_END_CLIENT_RESET, "the connection is gone");
}

static void begin_relay(struct flow *f)
{
	f->state = FLOW_RELAY;
	relay_timer_set(f->relay.set, &f->timer, MONO_NEVER);
	f->relay.idle_after = f->px->conf.set.idle_timeout;
	if (!f->px->conf.set.tls.ftp)
		relay_start(&f->relay);
	else if (!ftp_flow_begin(f))
		flow_fail(f, FLOW_END_MEMORY, "no memory for FTP");
}

/* ---- the server's side
 * ---------------------------------------------------------- */

bool flow_go_tls(struct flow *f, int side)
{
	if (relay_handshake_go(f->shake[side]) == 0)
		return true;
	f->px->pd->count.handshakes_refused++;
	flow_fail(f, FLOW_END_BUSY,
		  "as many as LIMIT HANDSHAKES wait for a worker");
	return false;
}

bool flow_begin_tls(struct flow *f, int side, relay_handshake_fn *done)
{
	struct proxy *px = f->px;
	int r = relay_handshake_new(px->pd->handshakes, &f->relay.end[side],
				    side ? px->tls.server : px->tls.client,
				    side ? f->target->host : NULL, false, done,
				    f, &f->shake[side]);

	if (r < 0)
		fail_errno(f, FLOW_END_MEMORY, r);
	return r == 0;
}

bool flow_end_tls(struct flow *f, int side, int result)
{
	struct proxyd_counters *c = &f->px->pd->count;
	struct tls_info info;

	f->shake[side] = NULL;
	if (result < 0) {
		fail_tls(f, side);
		return false;
	}
	tls_session_info(f->relay.end[side].tls, &info);
	c->handshakes[side]++;
	c->resumed[side] += info.resumed;
	return true;
}

static void server_secured(void *arg, int result)
{
	if (flow_end_tls(arg, 1, result))
		begin_relay(arg);
}

static void on_server_handshake(struct relay_watch *w, mono_t now)
{
	(void)now;
	(void)!flow_go_tls(container_of(w, struct flow, relay.end[1].watch), 1);
}

static void local_of(const struct flow *f, struct ip_port *ret)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof sa;

	*ret = f->local;
	if (ret->addr.family != IP_NONE)
		return;
	if (couplet_getsockname(f->relay.end[0].watch.fd,
				(struct sockaddr *)&sa, &len) < 0 ||
	    ip_port_from_sockaddr((struct sockaddr *)&sa, len, ret) < 0)
		*ret = (struct ip_port){
			.addr = ip_any((enum ip_family)f->client.addr.family)};
}

/* [PP 2] before anything else, in one segment, in the clear. */
static bool send_header(struct flow *f)
{
	enum proxyd_header h = f->px->conf.set.header_out;
	struct relay_end *e = &f->relay.end[1];
	char buf[HEAD_V1_MAX + 1];
	struct ip_port local;
	size_t len;

	if (h == PROXYD_HEADER_OFF)
		return true;
	local_of(f, &local);
	len = head_proxy_emit(h == PROXYD_HEADER_V1 ? HEAD_V1 : HEAD_V2,
			      &f->client, &local, buf);
	return relay_clear.send(e, buf, len) == (ssize_t)len;
}

void flow_connected(struct flow *f)
{
	struct relay_end *e = &f->relay.end[1];

	if (!send_header(f)) {
		relay_close_end(&f->relay, 1, true);
		flow_dial_failed(f, -ECONNRESET);
		return;
	}
	if (!f->px->tls.server || ftp_flow_explicit(f->px, 1)) {
		begin_relay(f);
		return;
	}
	stage(f, FLOW_SERVER_TLS, f->px->conf.set.handshake_timeout);
	if (!flow_begin_tls(f, 1, server_secured))
		return;
	e->watch.fn = on_server_handshake;
	(void)!flow_go_tls(f, 1);
}

void flow_dial_failed(struct flow *f, int error)
{
	f->error = error;
	f->target->failed++;
	leave_target(f);
	pick_target(f);
}

static void no_target(struct flow *f)
{
	char text[TEXT_MAX], server[PORT_TEXT_MAX];

	if (!f->tried) {
		flow_fail(f, FLOW_END_NO_TARGET,
			  "every target was taken out by the operator");
		return;
	}
	if (f->server.addr.family == IP_NONE) {
		flow_fail(f, FLOW_END_NAME,
			  "the target's name has no address of this family");
		return;
	}
	snprintf(text, sizeof text, "%s: %s",
		 ip_port_format(&f->server, server), strerror(-f->error));
	flow_fail(f, FLOW_END_CONNECT, text);
}

void flow_resolved(struct flow *f, const char *error)
{
	char text[TEXT_MAX];

	if (f->target->n_addrs) {
		stage(f, FLOW_CONNECT, f->px->conf.set.connect_timeout);
		dial_start(f);
		return;
	}
	f->target->failed++;
	snprintf(text, sizeof text, "%s: %s", f->target->host, error);
	leave_target(f);
	if (f->group->n > 1)
		pick_target(f);
	else
		flow_fail(f, FLOW_END_NAME, text);
}

static void pick_target(struct flow *f)
{
	struct target *t = target_pick(f->group, &f->tried);

	if (!t) {
		no_target(f);
		return;
	}
	f->target = t;
	t->conns++;
	t->total++;
	stage(f, t->n_addrs ? FLOW_CONNECT : FLOW_RESOLVE,
	      f->px->conf.set.connect_timeout);
	if (t->n_addrs)
		dial_start(f);
	else
		resolve_wait(f);
}

/* ---- the client's side
 * ---------------------------------------------------------- */

static void client_secured(void *arg, int result)
{
	struct flow *f = arg;

	if (!flow_end_tls(f, 0, result))
		return;
	f->relay.end[0].watch.fn = on_client_waits;
	pick_target(f);
}

static void on_client_handshake(struct relay_watch *w, mono_t now)
{
	(void)now;
	if (w->ready & RELAY_IN) /* a server has nothing to say first */
		(void)!flow_go_tls(
			container_of(w, struct flow, relay.end[0].watch), 0);
}

static void begin_client_tls(struct flow *f)
{
	struct relay_end *e = &f->relay.end[0];

	e->watch.fn = on_client_waits;
	if (!f->px->tls.client || ftp_flow_explicit(f->px, 0)) {
		pick_target(f);
		return;
	}
	stage(f, FLOW_CLIENT_TLS, f->px->conf.set.handshake_timeout);
	if (!flow_begin_tls(f, 0, client_secured))
		return;
	e->watch.fn = on_client_handshake;
	on_client_handshake(&e->watch, relay_now(f->relay.set));
}

/* ---- what stands in front
 * --------------------------------------------------------- */

/* Bytes at the head, left where they are; -EAGAIN, 0 = FIN, or an error. */
static ssize_t peek(struct flow *f, char **ret)
{
	struct relay_watch *w = &f->relay.end[0].watch;
	ssize_t n;

	*ret = relay_scratch(f->relay.set);
	do
		n = recv(w->fd, *ret, RELAY_CHUNK, MSG_PEEK | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int read_header(struct flow *f, const char *buf, size_t len)
{
	static const unsigned allowed[] = {0, HEAD_V1, HEAD_V2,
					   HEAD_V1 | HEAD_V2};
	struct head_proxy h;
	ssize_t n = head_proxy_parse(buf, len,
				     allowed[f->px->conf.set.header_in], &h);

	if (n < 0)
		return (int)n;
	if (recv(f->relay.end[0].watch.fd, relay_scratch(f->relay.set),
		 (size_t)n, MSG_DONTWAIT) != n)
		return -EPROTO;
	if (h.known) {
		f->client = h.client;
		f->local = h.local;
	}
	return 0;
}

static void head_failed(struct flow *f, ssize_t n)
{
	if (n == 0)
		flow_fail(f, FLOW_END_HEADER, "closed before the header");
	else if (n == -EPROTO)
		flow_fail(f, FLOW_END_HEADER,
			  f->group ? "no TLS ClientHello"
				   : "no PROXY protocol header");
	else
		fail_errno(f, FLOW_END_CLIENT_RESET, (int)n);
}

static void on_head(struct relay_watch *w, mono_t now);

/* `f->group` set: the PROXY header is done. */
static void after_header(struct flow *f)
{
	f->group = &f->px->group;
	if (f->px->n_snis)
		on_head(&f->relay.end[0].watch, relay_now(f->relay.set));
	else
		begin_client_tls(f);
}

static void on_head(struct relay_watch *w, mono_t now)
{
	struct flow *f = container_of(w, struct flow, relay.end[0].watch);
	char name[HEAD_NAME_MAX + 1], *buf;
	ssize_t n = peek(f, &buf);

	(void)now;
	if (n <= 0 && n != -EAGAIN) {
		head_failed(f, n);
		return;
	}
	if (n == -EAGAIN)
		return;
	if (!f->group)
		n = read_header(f, buf, (size_t)n);
	else
		n = head_sni((const uint8_t *)buf, (size_t)n, name);
	if (n == -EAGAIN && !(w->ready & RELAY_FIN))
		return;
	if (n < 0) {
		head_failed(f, n == -EAGAIN ? 0 : n);
	} else if (!f->group) {
		after_header(f);
	} else {
		f->group = proxy_sni_group(f->px, name);
		begin_client_tls(f);
	}
}

/* ---- the beginning
 * -------------------------------------------------------------- */

void flow_new(struct proxy *px, int fd, const struct ip_port *client)
{
	struct proxyd *pd = px->pd;
	struct flow *f = calloc(1, sizeof *f);

	if (!f) {
		pd->count.accept_failed++;
		close(fd);
		return;
	}
	relay_init(&f->relay, pd->set);
	f->relay.end[0].stack = f->relay.end[1].stack = proxyd_on_stack(pd);
	f->relay.done = on_done;
	f->relay.arg = f;
	if (relay_watch_add(pd->set, &f->relay.end[0].watch, fd) < 0) {
		pd->count.accept_failed++;
		close(fd);
		free(f);
		return;
	}
	if (proxy_sole(px, 0))
		relay_watch_sole(&f->relay.end[0].watch);
	relay_timer_init(&f->timer, on_timer);
	list_init(&f->waiting);
	f->px = proxy_ref(px);
	f->id = ++pd->next_id;
	f->client = *client;
	f->started = relay_now(pd->set);
	list_push_tail(&pd->flows, &f->node);
	pd->n_flows++;
	px->conns++;
	px->total++;
	f->client_slot = clients_enter(pd->clients, &client->addr);
	f->relay.end[0].watch.fn = on_head;
	stage(f, FLOW_HEAD, px->conf.set.handshake_timeout);
	if (px->conf.set.header_in == PROXYD_HEADER_OFF)
		after_header(f);
}

struct flow *flow_find(struct proxyd *pd, uint64_t id)
{
	LIST_FOREACH (it, &pd->flows) {
		struct flow *f = container_of(it, struct flow, node);

		if (f->id == id)
			return f;
	}
	return NULL;
}

void flow_kill_all(struct proxyd *pd)
{
	LIST_FOREACH_SAFE (it, &pd->flows)
		flow_fail(container_of(it, struct flow, node),
			  FLOW_END_OPERATOR, "proxyd ends");
}
