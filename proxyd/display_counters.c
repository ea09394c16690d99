/* display_counters.c: counters, for the console and for Prometheus. */
#include "display.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Calls fn for each counter; `label` NULL or what tells members of a family
 * apart. */
typedef void counter_fn(void *arg, const char *name, const char *label,
			const char *label_value, uint64_t value, bool total);

static void by_side(const uint64_t v[2], const char *name, counter_fn *fn,
		    void *arg)
{
	fn(arg, name, "side", "client", v[0], true);
	fn(arg, name, "side", "server", v[1], true);
}

static void each(const struct proxyd *pd, counter_fn *fn, void *arg)
{
	const struct proxyd_counters *c = &pd->count;

	fn(arg, "connections", NULL, NULL, pd->n_flows, false);
	fn(arg, "udp_flows", NULL, NULL, pd->n_udp, false);
	fn(arg, "accepted", NULL, NULL, c->accepted, true);
	fn(arg, "denied", NULL, NULL, c->denied, true);
	fn(arg, "limited", "limit", "connections", c->limited_all, true);
	fn(arg, "limited", "limit", "client", c->limited_client, true);
	fn(arg, "accept_failed", NULL, NULL, c->accept_failed, true);
	for (int i = 0; i < FLOW_END__COUNT; i++)
		fn(arg, "ended", "end", flow_end_name((enum flow_end)i),
		   c->ended[i], true);
	by_side(c->bytes, "bytes", fn, arg);
	by_side(c->handshakes, "handshakes", fn, arg);
	by_side(c->handshakes_failed, "handshakes_failed", fn, arg);
	by_side(c->resumed, "resumed", fn, arg);
	fn(arg, "handshakes_refused", NULL, NULL, c->handshakes_refused, true);
	if (pd->handshakes)
		fn(arg, "handshakes_waiting", NULL, NULL,
		   relay_handshakes_waiting(pd->handshakes), false);
	fn(arg, "ftp_data", NULL, NULL, c->ftp_data, true);
	fn(arg, "udp_flows_begun", NULL, NULL, c->udp_flows, true);
	by_side(c->udp_datagrams, "udp_datagrams", fn, arg);
	fn(arg, "udp_dropped", NULL, NULL, c->udp_dropped, true);
	fn(arg, "udp_limited", NULL, NULL, c->udp_limited, true);
}

/* ---- the console
 * ---------------------------------------------------------------- */

struct rows {
	struct table *t;
	bool all;
};

static void row(void *arg, const char *name, const char *label,
		const char *label_value, uint64_t value, bool total)
{
	struct rows *r = arg;

	(void)label;
	(void)total;
	if (!value && !r->all)
		return;
	table_str(r->t, name);
	if (label_value)
		table_str(r->t, label_value);
	else
		table_none(r->t);
	table_u64(r->t, value);
}

int display_counters(const struct display *d, bool all)
{
	static const struct table_col cols[] = {
		{"name", "COUNTER", TABLE_LEFT, 0},
		{"of", "OF", TABLE_LEFT, 0},
		{"value", "VALUE", TABLE_RIGHT, 0},
	};
	struct rows r = {table_new(cols, ARRAY_SIZE(cols), d->json), all};
	int rc;

	if (!r.t)
		return -ENOMEM;
	each(d->pd, row, &r);
	rc = table_print(r.t, true, true, d->write, d->arg);
	table_free(r.t);
	return rc;
}

/* ---- Prometheus
 * ----------------------------------------------------------------- */

struct export
{
	const struct display *d;
	char last[64]; /* family whose TYPE line was written */
};

static void put(const struct export *e, const char *line)
{
	e->d->write(e->d->arg, line, strlen(line));
}

/* The family's line for people; all that display_metrics() exports. */
static const char *help_of(const char *name)
{
	static const char *const texts[][2] = {
		{"uptime_seconds", "age of the daemon"},
		{"connections", "connections now"},
		{"udp_flows", "UDP flows now"},
		{"accepted", "connections accepted"},
		{"denied", "clients refused by ALLOW and DENY"},
		{"limited", "clients refused at a limit"},
		{"accept_failed", "connections that could not be accepted"},
		{"ended", "connections ended, by cause"},
		{"bytes", "bytes received, by side"},
		{"handshakes", "TLS handshakes that succeeded, by side"},
		{"handshakes_failed", "TLS handshakes that failed, by side"},
		{"resumed", "TLS handshakes that resumed, by side"},
		{"ftp_data", "data connections of FTP"},
		{"udp_flows_begun", "UDP flows begun"},
		{"udp_datagrams", "UDP datagrams passed on, by side"},
		{"udp_dropped", "UDP datagrams dropped"},
		{"udp_limited", "UDP flows refused at a limit"},
		{"proxy_connections", "connections of this PROXY now"},
		{"proxy_accepted", "connections accepted by this PROXY"},
		{"proxy_bytes_in", "bytes from clients of this PROXY"},
		{"proxy_bytes_out", "bytes to clients of this PROXY"},
		{"proxy_targets_up", "targets of this PROXY that answer"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (strcmp(texts[i][0], name) == 0)
			return texts[i][1];
	}
	return name;
}

static void put_type(struct export *e, const char *name, const char *help,
		     bool total)
{
	char line[256];

	if (strcmp(e->last, name) == 0)
		return;
	snprintf(e->last, sizeof e->last, "%s", name);
	snprintf(line, sizeof line, "# HELP %s %s\n# TYPE %s %s\n", name, help,
		 name, total ? "counter" : "gauge");
	put(e, line);
}

static void sample(void *arg, const char *name, const char *label,
		   const char *label_value, uint64_t value, bool total)
{
	struct export *e = arg;
	char full[64], line[320];

	snprintf(full, sizeof full, "couplet_proxy_%s%s", name,
		 total ? "_total" : "");
	put_type(e, full, help_of(name), total);
	snprintf(line, sizeof line, "%s{name=\"%s\"%s%s%s%s%s} %llu\n", full,
		 e->d->pd->deck.name, label ? "," : "", label ? label : "",
		 label ? "=\"" : "", label ? label_value : "",
		 label ? "\"" : "", (unsigned long long)value);
	put(e, line);
}

/* One family of samples with one line for each PROXY. */
static void by_proxy(struct export *e, const char *name, bool total,
		     uint64_t (*value)(const struct proxy *px))
{
	LIST_FOREACH (it, &e->d->pd->proxies) {
		const struct proxy *px = container_of(it, struct proxy, node);

		sample(e, name, "proxy", px->label, value(px), total);
	}
}

static uint64_t conns_of(const struct proxy *px)
{
	return px->conns;
}

static uint64_t total_of(const struct proxy *px)
{
	return px->total;
}

static uint64_t in_of(const struct proxy *px)
{
	return px->bytes[0];
}

static uint64_t out_of(const struct proxy *px)
{
	return px->bytes[1];
}

static uint64_t up_of(const struct proxy *px)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < px->group.n; i++)
		n += px->group.list[i].health == TARGET_UP;
	return n;
}

int display_metrics(const struct display *d)
{
	struct export e = {.d = d};

	sample(&e, "uptime_seconds", NULL, NULL,
	       (uint64_t)dur_ms(mono_sub(d->now, d->pd->started)) / 1000,
	       false);
	each(d->pd, sample, &e);
	by_proxy(&e, "proxy_connections", false, conns_of);
	by_proxy(&e, "proxy_accepted", true, total_of);
	by_proxy(&e, "proxy_bytes_in", true, in_of);
	by_proxy(&e, "proxy_bytes_out", true, out_of);
	by_proxy(&e, "proxy_targets_up", false, up_of);
	return 0;
}
