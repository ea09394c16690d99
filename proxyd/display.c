#include "display.h"

#include "clients.h"
#include "udp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int finish(const struct display *d, struct table *t)
{
	int r = table_print(t, true, true, d->write, d->arg);

	table_free(t);
	return r;
}

static void put_address(struct table *t, const struct ip_port *p)
{
	char text[PORT_TEXT_MAX];

	if (p->addr.family == IP_NONE)
		table_none(t);
	else
		table_str(t, ip_port_format(p, text));
}

static void put_age(struct table *t, const struct display *d, mono_t since)
{
	unsigned long long s =
		(unsigned long long)dur_ms(mono_sub(d->now, since)) / 1000;

	if (s < 86400)
		table_num(t, s, "%02llu:%02llu:%02llu", s / 3600, s / 60 % 60,
			  s % 60);
	else
		table_num(t, s, "%llud %02llu:%02llu", s / 86400, s / 3600 % 24,
			  s / 60 % 60);
}

static const char *family_name(uint8_t family)
{
	return family == IP_V4 ? "V4" : family == IP_V6 ? "V6" : "ANY";
}

/* ---- PROXIES
 * -------------------------------------------------------------------- */

static uint32_t targets_up(const struct target_group *g)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < g->n; i++)
		n += g->list[i].health == TARGET_UP;
	return n;
}

static void proxy_row(struct table *t, const struct proxy *px, bool in_force)
{
	const struct proxyd_side *c = &px->conf.client, *s = &px->conf.server;

	table_str(t, px->conf.udp ? "udp" : "tcp");
	table_str(t, family_name(c->family));
	table_u64(t, c->port);
	table_str(t, c->ssl ? "SSL" : "TXT");
	table_str(t, family_name(s->family));
	table_u64(t, s->port);
	table_str(t, s->ssl ? "SSL" : "TXT");
	table_str(t, !in_force       ? "leaving"
		     : px->suspended ? "suspended"
				     : "listening");
	table_fmt(t, "%u/%u", targets_up(&px->group), px->group.n);
	table_u64(t, px->conns);
	table_u64(t, px->total);
	table_u64(t, px->refused);
	table_u64(t, px->bytes[0]);
	table_u64(t, px->bytes[1]);
	table_u64(t, px->conf.line);
}

int display_proxies(const struct display *d)
{
	static const struct table_col cols[] = {
		{"protocol", "PROTO", TABLE_LEFT, 0},
		{"family", "FAM", TABLE_LEFT, 0},
		{"port", "PORT", TABLE_RIGHT, 0},
		{"mode", "MODE", TABLE_LEFT, 0},
		{"server_family", "TO", TABLE_LEFT, 0},
		{"server_port", "PORT", TABLE_RIGHT, 0},
		{"server_mode", "MODE", TABLE_LEFT, 0},
		{"state", "STATE", TABLE_LEFT, 0},
		{"targets_up", "UP", TABLE_RIGHT, 0},
		{"connections", "CONNS", TABLE_RIGHT, 0},
		{"total", "TOTAL", TABLE_RIGHT, 0},
		{"refused", "REFUSED", TABLE_RIGHT, 0},
		{"bytes_in", "BYTES-IN", TABLE_RIGHT, 0},
		{"bytes_out", "BYTES-OUT", TABLE_RIGHT, 0},
		{"line", "LINE", TABLE_RIGHT, 0},
	};
	struct table *t = table_new(cols, ARRAY_SIZE(cols), d->json);

	if (!t)
		return -ENOMEM;
	LIST_FOREACH (it, &d->pd->proxies)
		proxy_row(t, container_of(it, struct proxy, node), true);
	LIST_FOREACH (it, &d->pd->old)
		proxy_row(t, container_of(it, struct proxy, node), false);
	return finish(d, t);
}

/* ---- TARGETS
 * -------------------------------------------------------------------- */

static void addresses(const struct target *t, char *buf, size_t len)
{
	char text[ADDR_TEXT_MAX];
	size_t used = 0;

	buf[0] = '\0';
	for (uint8_t i = 0; i < t->n_addrs && used + 1 < len; i++) {
		snprintf(buf + used, len - used, "%s%s", i ? "," : "",
			 ip_format(&t->addrs[i], text));
		used = strlen(buf);
	}
}

static void target_rows(struct table *t, const struct proxy *px,
			const struct target_group *g, const char *sni)
{
	static const char *const healths[] = {"up", "down", "off"};
	char text[TARGET_ADDRS_MAX * ADDR_TEXT_MAX];

	for (uint32_t i = 0; i < g->n; i++) {
		const struct target *x = &g->list[i];

		table_str(t, px->label);
		table_str(t, sni);
		table_str(t, x->host);
		table_u64(t, x->port);
		addresses(x, text, sizeof text);
		if (text[0])
			table_str(t, text);
		else
			table_none(t);
		table_str(t, healths[x->health]);
		table_u64(t, x->conns);
		table_u64(t, x->total);
		table_u64(t, x->failed);
	}
}

int display_targets(const struct display *d)
{
	static const struct table_col cols[] = {
		{"proxy", "PROXY", TABLE_LEFT, 0},
		{"sni", "SNI", TABLE_LEFT, 0},
		{"host", "HOST", TABLE_LEFT, 0},
		{"port", "PORT", TABLE_RIGHT, 0},
		{"addresses", "ADDRESSES", TABLE_LEFT, 0},
		{"health", "HEALTH", TABLE_LEFT, 0},
		{"connections", "CONNS", TABLE_RIGHT, 0},
		{"total", "TOTAL", TABLE_RIGHT, 0},
		{"failed", "FAILED", TABLE_RIGHT, 0},
	};
	struct table *t = table_new(cols, ARRAY_SIZE(cols), d->json);

	if (!t)
		return -ENOMEM;
	LIST_FOREACH (it, &d->pd->proxies) {
		const struct proxy *px = container_of(it, struct proxy, node);

		target_rows(t, px, &px->group, "*");
		for (uint32_t i = 0; i < px->n_snis; i++)
			target_rows(t, px, &px->sni_groups[i],
				    px->snis[i].pattern);
	}
	return finish(d, t);
}

/* ---- FLOWS
 * ---------------------------------------------------------------------- */

static const struct table_col flow_cols[] = {
	{"id", "ID", TABLE_RIGHT, 6},
	{"proxy", "PROXY", TABLE_LEFT, 12},
	{"state", "STATE", TABLE_LEFT, 10},
	{"client", "CLIENT", TABLE_LEFT, 21},
	{"server", "SERVER", TABLE_LEFT, 21},
	{"bytes_in", "BYTES-IN", TABLE_RIGHT, 9},
	{"bytes_out", "BYTES-OUT", TABLE_RIGHT, 9},
	{"age_s", "AGE", TABLE_RIGHT, 8},
	{"idle_s", "IDLE", TABLE_RIGHT, 8},
};

struct flow_display *flow_display_new(const struct display *d,
				      const struct flow_filter *f)
{
	struct flow_display *fd = calloc(1, sizeof *fd);

	if (!fd)
		return NULL;
	fd->filter = *f;
	fd->table = table_new(flow_cols, ARRAY_SIZE(flow_cols), d->json);
	if (fd->table)
		return fd;
	free(fd);
	return NULL;
}

void flow_display_free(struct flow_display *fd)
{
	table_free(fd->table);
	free(fd);
}

static bool wanted(const struct flow *f, const struct flow_filter *w)
{
	if (w->port && f->px->conf.client.port != w->port)
		return false;
	if (w->state && strcmp(flow_state_name(f->state), w->state) != 0)
		return false;
	return w->addr.addr.family == IP_NONE ||
	       ip_prefix_has(&w->addr, &f->client.addr) ||
	       ip_prefix_has(&w->addr, &f->server.addr);
}

static void flow_row(struct table *t, const struct display *d,
		     const struct flow *f)
{
	table_u64(t, f->id);
	table_str(t, f->px->label);
	table_str(t, flow_state_name(f->state));
	put_address(t, &f->client);
	put_address(t, &f->server);
	table_u64(t, f->relay.dir[0].bytes);
	table_u64(t, f->relay.dir[1].bytes);
	put_age(t, d, f->started);
	put_age(t, d, f->relay.active.ns ? f->relay.active : f->started);
}

bool flow_display_more(struct flow_display *fd, const struct display *d,
		       uint32_t max, int *ret_error)
{
	bool first = !fd->begun, more = false;
	uint32_t n = 0;

	/* in the order of their numbers, which only grow */
	LIST_FOREACH (it, &d->pd->flows) {
		const struct flow *f = container_of(it, struct flow, node);

		if (f->id <= fd->after)
			continue;
		more = n == max;
		if (more)
			break;
		fd->after = f->id;
		if (wanted(f, &fd->filter)) {
			flow_row(fd->table, d, f);
			n++;
		}
	}
	fd->begun = true;
	*ret_error = table_print(fd->table, first, !more, d->write, d->arg);
	return more && *ret_error == 0;
}

/* ---- UDP
 * ------------------------------------------------------------------------ */

int display_udp(const struct display *d)
{
	static const struct table_col cols[] = {
		{"proxy", "PROXY", TABLE_LEFT, 0},
		{"client", "CLIENT", TABLE_LEFT, 0},
		{"server", "SERVER", TABLE_LEFT, 0},
		{"datagrams_in", "DGRAMS-IN", TABLE_RIGHT, 0},
		{"bytes_in", "BYTES-IN", TABLE_RIGHT, 0},
		{"datagrams_out", "DGRAMS-OUT", TABLE_RIGHT, 0},
		{"bytes_out", "BYTES-OUT", TABLE_RIGHT, 0},
		{"age_s", "AGE", TABLE_RIGHT, 0},
		{"idle_s", "IDLE", TABLE_RIGHT, 0},
	};
	struct table *t = table_new(cols, ARRAY_SIZE(cols), d->json);

	if (!t)
		return -ENOMEM;
	LIST_FOREACH (node, &d->pd->proxies) {
		const struct proxy *px = container_of(node, struct proxy, node);
		const void *it = NULL;
		struct udp_info i;

		while (px->udp && udp_next(px->udp, &it, &i)) {
			table_str(t, px->label);
			put_address(t, &i.client);
			put_address(t, &i.server);
			table_u64(t, i.datagrams[0]);
			table_u64(t, i.bytes[0]);
			table_u64(t, i.datagrams[1]);
			table_u64(t, i.bytes[1]);
			put_age(t, d, i.begun);
			put_age(t, d, i.last);
		}
	}
	return finish(d, t);
}

/* ---- ID
 * ------------------------------------------------------------------------- */

int display_id(const struct display *d)
{
	static const struct table_col cols[] = {
		{"name", "Name", TABLE_LEFT, 0},
		{"id", "ID", TABLE_LEFT, 0},
		{"job", "Job", TABLE_LEFT, 0},
		{"version", "Version", TABLE_LEFT, 0},
		{"pid", "PID", TABLE_RIGHT, 0},
		{"uptime_s", "Up", TABLE_RIGHT, 0},
		{"draining", "Draining", TABLE_LEFT, 0},
		{"proxies", "PROXYs", TABLE_RIGHT, 0},
		{"connections", "Connections", TABLE_RIGHT, 0},
		{"clients", "Clients", TABLE_RIGHT, 0},
		{"udp_flows", "UDP flows", TABLE_RIGHT, 0},
	};
	struct table *t = table_new(cols, ARRAY_SIZE(cols), d->json);
	const struct proxyd *pd = d->pd;
	int r;

	if (!t)
		return -ENOMEM;
	table_str(t, pd->deck.name);
	table_str(t, pd->deck.id);
	if (pd->deck.job[0])
		table_str(t, pd->deck.job);
	else
		table_none(t);
	table_str(t, COUPLET_VERSION);
	table_u64(t, (uint64_t)getpid());
	put_age(t, d, pd->started);
	table_bool(t, pd->draining);
	table_u64(t, pd->draining ? 0 : pd->deck.n_proxies);
	table_u64(t, pd->n_flows);
	table_u64(t, clients_addresses(pd->clients));
	table_u64(t, pd->n_udp);
	r = table_print_record(t, d->write, d->arg);
	table_free(t);
	return r;
}
