/*
 * proxy.c: one PROXY in force. Each is counted by its connections, so a
 * reload drops none: what is no longer in the deck stops listening and lives
 * on until its last connection has gone; what listens on the same place hands
 * its descriptor to its successor, so that nobody is refused in between.
 */
#include "client/couplet.h"
#include "clients.h"
#include "daemon/log.h"
#include "head/head.h"
#include "health.h"
#include "proxyd.h"
#include "resolve.h"
#include "udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPT_ROUND 64          /* connections before others have a turn */
#define ACCEPT_PAUSE DUR_MS(100) /* after running out of descriptors */
#define BACKLOG 4096

/* ---- life
 * ----------------------------------------------------------------------- */

static void targets_free(struct target_group *g)
{
	free(g->list);
	*g = (struct target_group){.n = 0};
}

static void proxy_free(struct proxy *px)
{
	list_remove(&px->node);
	if (px->pd->resolver)
		resolve_drop(px);
	health_free(px->health);
	udp_free(px->udp);
	relay_watch_close(px->pd->set, &px->listener);
	relay_timer_set(px->pd->set, &px->listen_again, MONO_NEVER);
	targets_free(&px->group);
	for (uint32_t i = 0; i < px->n_snis; i++) {
		targets_free(&px->sni_groups[i]);
		free(px->snis[i].targets.list);
	}
	free(px->sni_groups);
	free(px->snis);
	free(px->conf.targets.list);
	tls_policy_unref(px->tls.client);
	tls_policy_unref(px->tls.server);
	relay_bury(px->pd->set, &px->corpse, px);
}

struct proxy *proxy_ref(struct proxy *px)
{
	px->refs++;
	return px;
}

void proxy_unref(struct proxy *px)
{
	if (--px->refs == 0)
		proxy_free(px);
}

/* ---- accept
 * --------------------------------------------------------------------- */

bool proxy_admits(const struct proxy *px, const struct ip_addr *from)
{
	const struct proxyd_settings *s = &px->conf.set;

	for (uint32_t i = 0; i < s->n_rules; i++) {
		const struct proxyd_rule *r = &s->rules[i];

		if (r->from.addr.family == IP_NONE ||
		    ip_prefix_has(&r->from, from))
			return r->allow;
	}
	return true;
}

/* Why a connection is not taken, or NULL. */
static const char *refusal(struct proxy *px, const struct ip_port *from)
{
	struct proxyd *pd = px->pd;
	uint32_t max = px->conf.set.client_max;

	if (!proxy_admits(px, &from->addr)) {
		pd->count.denied++;
		return "denied";
	}
	if (pd->n_flows >= pd->deck.conn_max) {
		pd->count.limited_all++;
		return "LIMIT CONNECTIONS";
	}
	if (max && clients_count(pd->clients, &from->addr) >= max) {
		pd->count.limited_client++;
		return "LIMIT CLIENT";
	}
	return NULL;
}

static void refuse(struct proxy *px, int fd, const struct ip_port *from,
		   const char *why)
{
	struct relay_end e = {.io = &relay_clear,
			      .stack = proxyd_on_stack(px->pd)};
	char text[PORT_TEXT_MAX];

	e.watch.fd = fd;
	relay_clear.close(&e, true);
	close(fd);
	px->refused++;
	log_msg(MSG_CPLT613W, ip_port_format(from, text), px->label, why);
}

static int accept_one(struct proxy *px, struct ip_port *ret_from)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof sa;
	int flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
	int fd = proxyd_on_stack(px->pd)
			 ? couplet_accept4(px->listener.fd,
					   (struct sockaddr *)&sa, &len, flags)
			 : accept4(px->listener.fd, (struct sockaddr *)&sa,
				   &len, flags);

	if (fd < 0)
		return -errno;
	if (ip_port_from_sockaddr((struct sockaddr *)&sa, len, ret_from) < 0)
		*ret_from = (struct ip_port){
			.addr = ip_any((enum ip_family)px->conf.client.family)};
	return fd;
}

/* Errors of one connection, or of having too little of something. */
static void accept_failed(struct proxy *px, int error)
{
	px->pd->count.accept_failed++;
	if (error == -ECONNABORTED || error == -EPROTO || error == -EINTR) {
		relay_watch_again(px->pd->set, &px->listener);
		return;
	}
	log_msg(MSG_CPLT614E, px->label, strerror(-error));
	relay_timer_set(px->pd->set, &px->listen_again,
			mono_add(relay_now(px->pd->set), ACCEPT_PAUSE));
}

static void on_listener(struct relay_watch *w, mono_t now)
{
	struct proxy *px = container_of(w, struct proxy, listener);

	(void)now;
	for (int i = 0; i < ACCEPT_ROUND && w->fd >= 0; i++) {
		struct ip_port from;
		int fd = accept_one(px, &from);
		const char *why;

		if (fd == -EAGAIN)
			return;
		if (fd < 0) {
			accept_failed(px, fd);
			return;
		}
		px->pd->count.accepted++;
		why = refusal(px, &from);
		if (why)
			refuse(px, fd, &from, why);
		else
			flow_new(px, fd, &from);
	}
	if (w->fd >= 0)
		relay_watch_again(px->pd->set, w);
}

static void on_listen_again(struct relay_timer *t, mono_t now)
{
	struct proxy *px = container_of(t, struct proxy, listen_again);

	if (px->listener.fd >= 0)
		on_listener(&px->listener, now);
}

/* ---- listen
 * --------------------------------------------------------------------- */

static void set_int(int fd, int level, int name, int value)
{
	(void)!couplet_setsockopt(fd, level, name, &value, sizeof value);
}

static int open_listener(const struct proxy *px, bool udp)
{
	const struct proxyd_side *c = &px->conf.client;
	struct ip_port at = {.addr = c->local, .port = c->port};
	struct sockaddr_storage sa;
	socklen_t len;
	int fd = proxyd_socket(px->pd, c->family, udp), r = 0;

	if (fd < 0)
		return fd;
	if (at.addr.family == IP_NONE)
		at.addr = ip_any((enum ip_family)c->family);
	len = ip_port_to_sockaddr(&at, &sa);
	set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (c->family == IP_V6)
		set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (!udp) /* connections inherit it */
		set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (couplet_bind(fd, (struct sockaddr *)&sa, len) < 0 ||
	    (!udp && couplet_listen(fd, BACKLOG) < 0))
		r = -errno;
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

static bool same_place(const struct proxy *a, const struct proxy *b)
{
	const struct proxyd_side *x = &a->conf.client, *y = &b->conf.client;

	return a->conf.udp == b->conf.udp && x->family == y->family &&
	       x->port == y->port && x->local.family == y->local.family &&
	       (x->local.family == IP_NONE || ip_eq(&x->local, &y->local));
}

static struct proxy *find_at(const struct list *proxies, const struct proxy *px)
{
	LIST_FOREACH (it, proxies) {
		struct proxy *p = container_of(it, struct proxy, node);

		if (same_place(p, px))
			return p;
	}
	return NULL;
}

static int fail(const struct proxy *px, const char *what, const char *why)
{
	log_msg(MSG_CPLT601E, px->label, what, why);
	return -EINVAL;
}

/* A descriptor that listens where nobody of ours does yet. */
static int listen_fresh(struct proxy *px)
{
	int fd = open_listener(px, px->conf.udp), r;

	if (fd < 0) {
		(void)fail(px, "listen", strerror(-fd));
		return fd;
	}
	r = px->conf.udp ? udp_new(px, fd, &px->udp)
			 : relay_watch_add(px->pd->set, &px->listener, fd);
	if (r < 0) {
		close(fd);
		(void)fail(px, "listen", strerror(-r));
	}
	return r;
}

static void tell_listening(const struct proxy *px)
{
	log_msg(MSG_BSTT719I, px->conf.line, px->conf.line,
		px->conf.client.port, px->conf.client.ssl ? "SSL" : "TXT");
}

int proxy_suspend(struct proxy *px, bool suspend)
{
	if (suspend == px->suspended || px->conf.udp)
		return px->conf.udp ? -EOPNOTSUPP : 0;
	if (suspend) {
		relay_watch_close(px->pd->set, &px->listener);
	} else {
		int r = listen_fresh(px);

		if (r < 0)
			return r;
	}
	px->suspended = suspend;
	return 0;
}

/* ---- from the deck
 * -------------------------------------------------------------- */

static int make_group(struct target_group *g, const struct proxyd_targets *t,
		      const struct proxyd_proxy *p)
{
	g->list = calloc(t->n, sizeof *g->list);
	if (!g->list)
		return -ENOMEM;
	g->n = t->n;
	g->least = p->set.balance == PROXYD_LEASTCONN;
	for (uint32_t i = 0; i < t->n; i++)
		g->list[i] = (struct target){
			.host = t->list[i].host,
			.port = t->list[i].port ? t->list[i].port
						: p->server.port,
			.resolved_at = MONO_NEVER,
		};
	return 0;
}

static int copy_targets(struct proxyd_targets *t)
{
	struct proxyd_target *copy = calloc(t->n, sizeof *copy);

	if (copy)
		memcpy(copy, t->list, t->n * sizeof *copy);
	t->list = copy;
	return copy ? 0 : -ENOMEM;
}

static int copy_snis(struct proxy *px, const struct proxyd_deck *deck,
		     uint32_t index)
{
	uint32_t n = 0;
	int r = 0;

	for (uint32_t i = 0; i < deck->n_snis; i++)
		n += deck->snis[i].proxy == index;
	if (!n)
		return 0;
	px->snis = calloc(n, sizeof *px->snis);
	px->sni_groups = calloc(n, sizeof *px->sni_groups);
	if (!px->snis || !px->sni_groups)
		return -ENOMEM;
	for (uint32_t i = 0; i < deck->n_snis && r == 0; i++) {
		struct proxyd_sni *s = &px->snis[px->n_snis];

		if (deck->snis[i].proxy != index)
			continue;
		*s = deck->snis[i];
		r = copy_targets(&s->targets);
		if (r == 0)
			r = make_group(&px->sni_groups[px->n_snis++],
				       &s->targets, &px->conf);
	}
	return r;
}

static void tell_notes(const struct proxy *px, char *notes)
{
	char *next = notes, *line;

	while ((line = strsep(&next, "\n"))) {
		if (*line)
			log_msg(MSG_CPLT602W, px->label, line);
	}
}

static int make_policy(struct proxy *px, enum tls_role role,
		       const struct proxyd_side *side, struct tls_policy **ret)
{
	char why[TLS_WHY_MAX], notes[TLS_WHY_MAX] = "";
	int r;

	if (!side->ssl)
		return 0;
	r = tlsdeck_policy(&px->conf.set.tls, role, px->label, side->keyfile,
			   &px->pd->tls, ret, why, notes);
	if (r < 0) {
		(void)fail(px, "TLS", why);
		return r;
	}
	tell_notes(px, notes);
	return 0;
}

static int fill(struct proxy *px, const struct proxyd_deck *deck,
		uint32_t index)
{
	int r = copy_targets(&px->conf.targets);

	if (r == 0)
		r = make_group(&px->group, &px->conf.targets, &px->conf);
	if (r == 0)
		r = copy_snis(px, deck, index);
	if (r == 0)
		r = make_policy(px, TLS_SERVER, &px->conf.client,
				&px->tls.client);
	if (r == 0)
		r = make_policy(px, TLS_CLIENT, &px->conf.server,
				&px->tls.server);
	return r;
}

/* One PROXY on the list `to`; it listens already unless one of ours does in
 * the same place. */
static int proxy_new(struct proxyd *pd, const struct proxyd_deck *deck,
		     uint32_t index, struct list *to)
{
	struct proxy *px = calloc(1, sizeof *px);
	int r;

	if (!px)
		return -ENOMEM;
	px->pd = pd;
	px->refs = 1;
	px->conf = deck->proxies[index];
	relay_watch_init(&px->listener, on_listener);
	relay_timer_init(&px->listen_again, on_listen_again);
	snprintf(px->label, sizeof px->label, "%s V%u %u",
		 px->conf.udp ? "UDP" : "TCP", px->conf.client.family,
		 px->conf.client.port);
	list_push_tail(to, &px->node);
	r = fill(px, deck, index);
	if (r == 0 && !find_at(&pd->proxies, px))
		r = listen_fresh(px);
	return r;
}

static void retire(struct proxy *px)
{
	list_remove(&px->node);
	list_push_tail(&px->pd->old, &px->node);
	relay_watch_close(px->pd->set, &px->listener);
	udp_free(px->udp);
	px->udp = NULL;
	health_free(px->health);
	px->health = NULL;
	proxy_unref(px);
}

static void drop_list(struct list *l)
{
	LIST_FOREACH_SAFE (it, l)
		proxy_unref(container_of(it, struct proxy, node));
}

/* The listener of `from` becomes that of `px`. */
static int take_over(struct proxy *px, struct proxy *from)
{
	int fd, r;

	if (px->conf.udp) {
		px->udp = from->udp;
		from->udp = NULL;
		udp_move(px->udp, px);
		return 0;
	}
	fd = relay_watch_take(px->pd->set, &from->listener);
	if (fd < 0)
		return listen_fresh(px);
	r = relay_watch_add(px->pd->set, &px->listener, fd);
	if (r < 0)
		close(fd);
	return r;
}

static void put_in_force(struct proxyd *pd, struct list *fresh)
{
	struct list *n;

	LIST_FOREACH (it, fresh) {
		struct proxy *px = container_of(it, struct proxy, node);
		struct proxy *old = find_at(&pd->proxies, px);
		int r = old ? take_over(px, old) : 0;

		if (r < 0)
			(void)fail(px, "listen", strerror(-r));
		else if (!old)
			tell_listening(px);
	}
	LIST_FOREACH_SAFE (it, &pd->proxies)
		retire(container_of(it, struct proxy, node));
	while ((n = list_pop_head(fresh))) {
		struct proxy *px = container_of(n, struct proxy, node);

		list_push_tail(&pd->proxies, n);
		if (resolve_targets(px) < 0 || health_new(px) < 0)
			log_msg(MSG_CPLT006E, px->label);
	}
}

int proxy_replace_all(struct proxyd *pd, const struct proxyd_deck *deck)
{
	struct list fresh;
	int r = 0;

	list_init(&fresh);
	for (uint32_t i = 0; i < deck->n_proxies && r == 0; i++)
		r = proxy_new(pd, deck, i, &fresh);
	if (r < 0) {
		drop_list(&fresh);
		return r;
	}
	put_in_force(pd, &fresh);
	return 0;
}

void proxy_close_all(struct proxyd *pd)
{
	LIST_FOREACH_SAFE (it, &pd->proxies)
		retire(container_of(it, struct proxy, node));
}

struct target_group *proxy_sni_group(struct proxy *px, const char *name)
{
	for (uint32_t i = 0; i < px->n_snis; i++) {
		if (head_name_fits(px->snis[i].pattern, name))
			return &px->sni_groups[i];
	}
	return &px->group;
}
