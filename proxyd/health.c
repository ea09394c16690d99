#include "health.h"

#include "daemon/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct check {
	struct health *h;
	struct target *target;
	struct relay_watch watch;
	struct relay_timer timer; /* next check, or the end of this one */
	mono_t begun;
};

struct health {
	struct proxy *px;
	uint32_t n;
	struct relay_corpse corpse;
	struct check checks[];
};

static void done(struct check *c, int error)
{
	struct proxy *px = c->h->px;
	const struct proxyd_health *p = &px->conf.set.health;
	struct relay_set *s = px->pd->set;

	relay_watch_close(s, &c->watch);
	relay_timer_set(
		s, &c->timer,
		mono_max(mono_add(c->begun, p->interval), relay_now(s)));
	if (!target_checked(c->target, error == 0, p->rise, p->fall))
		return;
	if (error)
		log_msg(MSG_CPLT616W, px->label, c->target->host,
			c->target->port, strerror(-error));
	else
		log_msg(MSG_CPLT617I, px->label, c->target->host,
			c->target->port);
}

static void on_watch(struct relay_watch *w, mono_t now)
{
	struct check *c = container_of(w, struct check, watch);
	int r = dial_result(c->h->px->pd, w);

	(void)now;
	if (r != -EINPROGRESS)
		done(c, r);
}

static void begin(struct check *c)
{
	struct proxy *px = c->h->px;
	struct relay_set *s = px->pd->set;
	struct ip_port to = {.port = c->target->port};
	bool at_once;
	int fd;

	c->begun = relay_now(s);
	if (!c->target->n_addrs) {
		done(c, -EADDRNOTAVAIL);
		return;
	}
	to.addr = c->target->addrs[0];
	fd = dial_socket(px->pd, &to, &px->conf.server.local, &at_once);
	if (fd < 0) {
		done(c, fd);
		return;
	}
	relay_timer_set(s, &c->timer,
			mono_add(c->begun, px->conf.set.health.timeout));
	if (relay_watch_add(s, &c->watch, fd) < 0) {
		close(fd);
		done(c, -ENOMEM);
	}
}

static void on_timer(struct relay_timer *t, mono_t now)
{
	struct check *c = container_of(t, struct check, timer);

	(void)now;
	if (c->watch.fd >= 0)
		done(c, -ETIMEDOUT);
	else
		begin(c);
}

static void add_group(struct health *h, struct target_group *g)
{
	struct relay_set *s = h->px->pd->set;

	for (uint32_t i = 0; i < g->n; i++) {
		struct check *c = &h->checks[h->n++];

		c->h = h;
		c->target = &g->list[i];
		relay_watch_init(&c->watch, on_watch);
		relay_timer_init(&c->timer, on_timer);
		relay_timer_set(s, &c->timer, relay_now(s));
	}
}

int health_new(struct proxy *px)
{
	struct health *h;
	size_t n = px->group.n;

	if (!px->conf.set.health.on || px->conf.udp)
		return 0;
	for (uint32_t i = 0; i < px->n_snis; i++)
		n += px->sni_groups[i].n;
	h = calloc(1, sizeof *h + n * sizeof h->checks[0]);
	if (!h)
		return -ENOMEM;
	h->px = px;
	px->health = h;
	add_group(h, &px->group);
	for (uint32_t i = 0; i < px->n_snis; i++)
		add_group(h, &px->sni_groups[i]);
	return 0;
}

void health_free(struct health *h)
{
	struct relay_set *s;

	if (!h)
		return;
	s = h->px->pd->set;
	for (uint32_t i = 0; i < h->n; i++) {
		relay_watch_close(s, &h->checks[i].watch);
		relay_timer_set(s, &h->checks[i].timer, MONO_NEVER);
	}
	relay_bury(s, &h->corpse, h);
}
