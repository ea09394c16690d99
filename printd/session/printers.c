#include "session/printers.h"

#include "session/listen.h"
#include "session/printers_impl.h"
#include "tls/tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 1024
#define KEEPALIVE_REPLY DUR_S(30) /* a silent client is dead then */
#define PROBE_REPLY DUR_S(5)      /* the same, when another wants its LU */
#define INPUT_RECORD_MAX 65536u   /* what a printer has to say is short */

static void tell(struct printers *p, enum printers_event e, const char *lu,
		 const struct ip_port *peer, const char *text)
{
	char addr[PORT_TEXT_MAX];

	p->owner.event(p->owner.arg, e, lu, ip_port_format(peer, addr), text);
}

/* ---- one client
 * ------------------------------------------------------------------ */

void client_free(struct client *c)
{
	if (c->gone)
		*c->gone = true;
	if (c->waiter) {
		/* in a moment: the printer is not told yet */
		c->waiter->holder = NULL;
		ev_timer_set(c->waiter->timer, DUR_NS(0));
	}
	if (c->holder)
		c->holder->waiter = NULL;
	list_remove(&c->node);
	c->pool->n_clients--;
	tls_policy_unref(c->policy);
	wire_free(c->wire);
	ev_timer_free(c->timer);
	free(c);
}

static void client_end(struct client *c, const char *why)
{
	struct printer *p = c->printer;
	struct printers *pool = c->pool;

	if (p)
		tell(pool, PRINTERS_LEFT, printer_lu(p), &c->peer, why);
	client_free(c);
	if (p)
		printer_left(p, why);
}

/* It asked for a LU whose holder is gone since. */
static bool undecided(const struct client *c)
{
	return c->tn.state == TN3270_SERVER_ASKED && !c->holder;
}

static void arm(struct client *c)
{
	mono_t at = tn3270_server_deadline(&c->tn);

	if (undecided(c))
		ev_timer_set(c->timer, DUR_NS(0));
	else if (mono_is_never(at))
		ev_timer_stop(c->timer);
	else
		ev_timer_set(c->timer, mono_sub(at, mono_now()));
}

void client_flush(struct client *c)
{
	uint8_t buf[TELNET_OUT_MAX];
	size_t n;

	/* during a handshake only its time is looked after */
	while (!wire_shaking(c->wire) &&
	       (n = tn3270_server_output(&c->tn, buf, sizeof buf)) > 0)
		if (wire_write(c->wire, buf, n) < 0)
			return; /* closed() follows */
	arm(c);
}

const char *client_text(struct client *c, char *buf, size_t len)
{
	char tls[WIRE_TEXT_MAX];

	wire_tls_text(c->wire, tls);
	snprintf(buf, len, "%s%s%s", c->tn.device.type, tls[0] ? ", " : "",
		 tls);
	return buf;
}

ssize_t client_record(struct client *c, enum tn3270e_type type,
		      enum tn3270e_respond respond, const void *data,
		      size_t len)
{
	struct printers *p = c->pool;
	ssize_t n;
	int r;

	client_flush(c);
	n = tn3270_server_write(&c->tn, type, respond, data, len, p->record,
				sizeof p->record, mono_now());
	if (n > 0) {
		r = wire_write(c->wire, p->record, (size_t)n);
		if (r < 0)
			return r;
	}
	client_flush(c);
	return n;
}

/* Asks the holder of a LU for life because `c` wants it; false: it is known
 * to live, or another waits for its answer. */
static bool probe(struct client *holder, struct client *c)
{
	if (!holder || holder->waiter ||
	    !tn3270_server_probe(&holder->tn, PROBE_REPLY, mono_now()))
		return false;
	holder->waiter = c;
	c->holder = holder;
	client_flush(holder);
	return true;
}

/* What the deck says about a request: yes with a LU, or the right reason. */
static void decide(struct client *c, bool may_probe)
{
	struct printers *p = c->pool;
	struct tn3270e_facts facts = {.known = false};
	struct tn3270e_device d = c->tn.device;
	struct session *s = p->owner.find(p->owner.arg, &d, &facts);
	int reason = tn3270e_decide(&d, &facts);
	struct printer *pr = s ? printer_of(s) : NULL;

	if (reason < 0 && pr && !printer_taken(pr) &&
	    tn3270_server_accept(&c->tn, printer_lu(pr), printer_functions(pr),
				 0) == 0) {
		c->printer = pr;
		c->tn.conf = printer_conf(pr);
		printer_take(pr, c);
		return;
	}
	if (may_probe && reason == TN3270E_DEVICE_IN_USE && pr &&
	    d.how == TN3270E_BY_NAME && probe(printer_client(pr), c))
		return;
	if (reason < 0)
		reason = pr ? TN3270E_DEVICE_IN_USE : TN3270E_INV_NAME;
	tell(p, PRINTERS_REFUSED, d.name, &c->peer,
	     tn3270e_reason_name((unsigned)reason));
	(void)!tn3270_server_reject(&c->tn, (enum tn3270e_reason)reason);
}

/* The holder of the LU that `c` wants has answered, or is gone. */
static void decided(struct client *c)
{
	if (c->holder)
		c->holder->waiter = NULL;
	c->holder = NULL;
	decide(c, false);
	client_flush(c);
	wire_resume(c->wire);
}

/* What comes next is TLS's. */
static int start_tls(struct client *c)
{
	int r = wire_start_tls(c->wire, c->policy, NULL);

	tls_policy_unref(c->policy);
	c->policy = NULL;
	return r;
}

/* False: the client is gone. */
static bool on_event(struct client *c, const struct tn3270_event *ev)
{
	struct printer *p = c->printer;
	char text[WIRE_TEXT_MAX];
	int r;

	switch (ev->kind) {
	case TN3270_EV_DEVICE:
		decide(c, true);
		break;
	case TN3270_EV_READY:
		tell(c->pool, PRINTERS_CAME, printer_lu(p), &c->peer,
		     client_text(c, text, sizeof text));
		client_flush(c);
		printer_ready(p);
		break;
	case TN3270_EV_RESPONSE:
		if (p && ev->expected)
			printer_response(p, ev->answer);
		break;
	case TN3270_EV_CLEARED:
		if (p)
			printer_cleared(p);
		break;
	case TN3270_EV_LATE:
		if (p)
			printer_late(p);
		break;
	case TN3270_EV_CLOSE:
		client_flush(c);
		if (!p)
			tell(c->pool, PRINTERS_STRANGE, "", &c->peer,
			     tn3270_end_text(ev->end));
		client_end(c, tn3270_end_text(ev->end));
		return false;
	case TN3270_EV_START_TLS:
		client_flush(c);
		r = start_tls(c);
		if (r == 0)
			break;
		client_end(c, strerror(-r));
		return false;
	case TN3270_EV_NONE:
	case TN3270_EV_REJECTED:
	case TN3270_EV_DATA:
	case TN3270_EV_ATTN:
	case TN3270_EV_SYSREQ:
	case TN3270_EV_BIND:
	case TN3270_EV_UNBIND:
	case TN3270_EV_EOJ:
		break;
	}
	return true;
}

static size_t on_input(void *arg, const void *data, size_t len)
{
	struct client *c = arg;
	const uint8_t *p = data;
	size_t left = len;
	bool gone = false;

	c->gone = &gone;
	for (;;) {
		struct tn3270_event ev = {.kind = TN3270_EV_NONE};
		size_t n =
			tn3270_server_input(&c->tn, p, left, &ev, mono_now());
		enum tn3270_event_kind kind = ev.kind;

		p += n;
		left -= n;
		if (!on_event(c, &ev) || gone)
			return len;
		if (kind == TN3270_EV_NONE &&
		    (!left || c->tn.state == TN3270_SERVER_ASKED ||
		     c->tn.state == TN3270_SERVER_HANDSHAKE))
			break;
	}
	c->gone = NULL;
	client_flush(c);
	if (c->waiter)
		decided(c->waiter);
	return len - left;
}

static void on_room(void *arg)
{
	struct client *c = arg;

	if (c->printer)
		printer_room(c->printer);
}

static void on_closed(void *arg, int error)
{
	struct client *c = arg;
	char why[WIRE_TEXT_MAX];

	snprintf(why, sizeof why, "%s",
		 error ? wire_why(c->wire, error) : "the client closed");
	if (error && wire_shaking(c->wire))
		tell(c->pool, PRINTERS_STRANGE, "", &c->peer, why);
	client_end(c, why);
}

static void on_secured(void *arg)
{
	struct client *c = arg;

	/* without effect where TLS came first */
	tn3270_server_secured(&c->tn, mono_now());
	client_flush(c);
}

static const struct wire_ops wire_ops = {on_input, on_room, on_closed,
					 on_secured};

static void on_timer(void *arg)
{
	struct client *c = arg;
	struct tn3270_event ev = {.kind = TN3270_EV_NONE};
	bool gone = false;

	if (undecided(c)) {
		decided(c);
		return;
	}
	c->gone = &gone;
	tn3270_server_expire(&c->tn, mono_now(), &ev);
	if (!on_event(c, &ev) || gone)
		return;
	c->gone = NULL;
	client_flush(c);
}

/* The place at `at`. */
static const struct printers_place *place_of(const struct printers *p,
					     const struct ip_port *at)
{
	uint32_t i = 0;

	while (i + 1 < p->n_places &&
	       (p->places[i].at.port != at->port ||
		!ip_eq(&p->places[i].at.addr, &at->addr)))
		i++;
	return &p->places[i];
}

/* Speaks first, or has TLS speak first. */
static int greet(struct client *c, const struct printers_place *place)
{
	enum tn3270_tls how = place->tls == DECK_TLS_OFFER ? TN3270_TLS_OFFER
			      : place->tls == DECK_TLS_REQUIRE
				      ? TN3270_TLS_REQUIRE
				      : TN3270_TLS_OFF;

	tn3270_server_init(&c->tn, &c->pool->conf[how], mono_now());
	if (place->tls != DECK_TLS_NONE)
		c->policy = tls_policy_ref(place->policy);
	if (place->tls == DECK_TLS_FIRST) {
		int r = start_tls(c);

		if (r < 0)
			return r;
	}
	client_flush(c);
	return 0;
}

static int client_new(struct printers *p, int fd, const struct ip_port *peer,
		      const struct printers_place *place)
{
	struct client *c = calloc(1, sizeof *c);
	int r;

	if (!c)
		return -ENOMEM;
	c->pool = p;
	c->peer = *peer;
	list_push_tail(&p->clients, &c->node);
	p->n_clients++;
	r = ev_timer_new(p->cfg.loop, on_timer, c, &c->timer);
	if (r == 0)
		r = wire_new(p->cfg.loop, fd, &wire_ops, c, &c->wire);
	if (r < 0) {
		client_free(c);
		return r;
	}
	r = greet(c, place);
	if (r < 0) { /* the descriptor is the wire's */
		tell(p, PRINTERS_STRANGE, "", peer, strerror(-r));
		client_free(c);
	}
	return 0;
}

/* ---- listeners
 * -------------------------------------------------------------------- */

static void on_accepted(void *arg, const struct ip_port *at, int fd,
			const struct ip_port *peer)
{
	struct printers *p = arg;

	if (p->n_clients >= p->cfg.clients_max) {
		tell(p, PRINTERS_FULL, "", peer, "LIMIT CLIENTS");
		close(fd);
	} else if (client_new(p, fd, peer, place_of(p, at)) < 0) {
		close(fd);
	}
}

static void on_listening(void *arg, const struct ip_port *at, const char *why)
{
	tell(arg, PRINTERS_LISTEN, "", at, why);
}

static void on_full(void *arg, const struct ip_port *at, const char *why)
{
	tell(arg, PRINTERS_FULL, "", at, why);
}

static const struct listeners_ops listeners_ops = {on_accepted, on_listening,
						   on_full};

static void forget_places(struct printers *p)
{
	for (uint32_t i = 0; i < p->n_places; i++)
		tls_policy_unref(p->places[i].policy);
	p->n_places = 0;
}

int printers_listen(struct printers *p, const struct printers_place *places,
		    uint32_t n)
{
	struct ip_port at[PRINTERS_PLACES_MAX];
	int r;

	INVARIANT(n <= PRINTERS_PLACES_MAX);
	for (uint32_t i = 0; i < n; i++)
		at[i] = places[i].at;
	r = listeners_set(p->listeners, at, n);
	if (r < 0)
		return r;
	forget_places(p);
	for (uint32_t i = 0; i < n; i++) {
		p->places[i] = places[i];
		if (places[i].policy)
			tls_policy_ref(places[i].policy);
	}
	p->n_places = n;
	return 0;
}

void printers_limit(struct printers *p, uint32_t clients_max, dur_t keepalive)
{
	p->cfg.clients_max = clients_max;
	for (size_t i = 0; i < ARRAY_SIZE(p->conf); i++)
		p->conf[i].times.keepalive = keepalive;
}

/* ---- the pool
 * --------------------------------------------------------------------- */

int printers_new(const struct printers_config *cfg,
		 const struct printers_owner *owner, struct printers **ret)
{
	struct printers *p = calloc(1, sizeof *p);
	int r;

	if (!p)
		return -ENOMEM;
	p->cfg = *cfg;
	p->owner = *owner;
	list_init(&p->clients);
	r = listeners_new(cfg->loop, cfg->id, BACKLOG, &listeners_ops, p,
			  &p->listeners);
	if (r < 0) {
		free(p);
		return r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(p->conf); i++) {
		struct tn3270_server_conf *c = &p->conf[i];

		tn3270_server_conf_init(c);
		c->tls = (enum tn3270_tls)i;
		c->printers = true;
		c->displays = false;
		c->record_max = INPUT_RECORD_MAX;
		c->times.keepalive = cfg->keepalive;
		c->times.keepalive_reply = KEEPALIVE_REPLY;
	}
	*ret = p;
	return 0;
}

void printers_free(struct printers *p)
{
	if (!p)
		return;
	listeners_free(p->listeners);
	forget_places(p);
	LIST_FOREACH_SAFE (it, &p->clients)
		client_end(container_of(it, struct client, node),
			   "printd ends");
	free(p);
}

uint32_t printers_count(const struct printers *p)
{
	return p->n_clients;
}
