#include "display.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int finish(const struct display *d, struct table *t)
{
	int r = table_print(t, true, true, d->write, d->arg);

	table_free(t);
	return r;
}

/* ---- QUERY RULES --------------------------------------------------------- */

int display_rules(const struct display *d)
{
	static const struct table_col cols[] = {
		{"rule", "Rule", TABLE_RIGHT, 4},
		{"line", NULL, TABLE_RIGHT, 0},
		{"active", "Active", TABLE_RIGHT, 0},
		{"opened", "Opened", TABLE_RIGHT, 0},
		{"resumed", "Resumed", TABLE_RIGHT, 0},
		{"failed", "Failed", TABLE_RIGHT, 0},
		{"timeouts", NULL, TABLE_RIGHT, 0},
		{"resets", NULL, TABLE_RIGHT, 0},
		{"bytes_in", "In", TABLE_RIGHT, 0},
		{"bytes_out", "Out", TABLE_RIGHT, 0},
		{"command", "Command", TABLE_LEFT, 0},
	};
	struct table *t = table_new(cols, ARRAY_SIZE(cols), d->json);
	char text[1536];

	if (!t)
		return -ENOMEM;
	for (uint32_t i = 0; i < d->td->rules.n; i++) {
		const struct rule *r = d->td->rules.at[i];

		table_u64(t, r->number);
		table_u64(t, r->d.line);
		table_u64(t, r->n.active);
		table_u64(t, r->n.opened);
		table_u64(t, r->n.resumed);
		table_u64(t, r->n.failed);
		table_u64(t, r->n.timeouts);
		table_u64(t, r->n.resets);
		table_u64(t, r->n.bytes_in);
		table_u64(t, r->n.bytes_out);
		table_str(t, tlsd_rule_text(&r->d, text, sizeof(text)));
	}
	return finish(d, t);
}

/* ---- QUERY CONNECTIONS --------------------------------------------------- */

static void session_cells(struct table *t, struct tls_session *s)
{
	struct tls_info i;

	if (!s) {
		for (int k = 0; k < 5; k++)
			table_none(t);
		return;
	}
	tls_session_info(s, &i);
	table_str(t, tls_version_name(i.version));
	table_str(t, i.suite_name);
	table_str(t, i.peer_cert ? i.subject : "");
	table_str(t, i.user);
	table_bool(t, i.resumed);
}

static void endpoint_cell(struct table *t, const struct ip_port *p)
{
	char text[PORT_TEXT_MAX];

	table_str(t, ip_port_format(p, text));
}

int display_connections(const struct display *d)
{
	static const struct table_col cols[] = {
		{"id", "ID", TABLE_RIGHT, 4},
		{"rule", "Rule", TABLE_RIGHT, 0},
		{"direction", "Dir", TABLE_LEFT, 0},
		{"state", "State", TABLE_LEFT, 0},
		{"local", "Local", TABLE_LEFT, 0},
		{"remote", "Remote", TABLE_LEFT, 0},
		{"wire_port", "Wire", TABLE_RIGHT, 0},
		{"pid", "PID", TABLE_RIGHT, 0},
		{"uid", NULL, TABLE_RIGHT, 0},
		{"age_s", "Age", TABLE_RIGHT, 0},
		{"bytes_in", "In", TABLE_RIGHT, 0},
		{"bytes_out", "Out", TABLE_RIGHT, 0},
		{"version", "Version", TABLE_LEFT, 0},
		{"suite", "Suite", TABLE_LEFT, 0},
		{"certificate", "Certificate", TABLE_LEFT, 0},
		{"user", NULL, TABLE_LEFT, 0},
		{"resumed", NULL, TABLE_LEFT, 0},
	};
	struct table *t = table_new(cols, ARRAY_SIZE(cols), d->json);
	const struct list *it = NULL;
	struct pair_info p;

	if (!t)
		return -ENOMEM;
	while (pair_next(d->td, &it, &p)) {
		table_u64(t, p.id);
		table_u64(t, p.rule);
		table_str(t, p.inbound ? "in" : "out");
		table_str(t, p.state);
		endpoint_cell(t, &p.local);
		endpoint_cell(t, &p.remote);
		table_u64(t, p.as_port);
		table_u64(t, p.pid);
		table_u64(t, p.uid);
		table_u64(t, (uint64_t)(mono_sub(mono_now(), p.since).ns /
					1000000000));
		table_u64(t, p.bytes_in);
		table_u64(t, p.bytes_out);
		session_cells(t, p.session);
	}
	return finish(d, t);
}

/* ---- QUERY HANDSHAKES ---------------------------------------------------- */

static void time_cell(struct table *t, uint64_t at_s)
{
	time_t at = (time_t)at_s;
	char text[32];
	struct tm tm;

	gmtime_r(&at, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	table_str(t, text);
}

static void handshake_row(struct table *t, const struct handshake *h)
{
	time_cell(t, h->at_s);
	table_u64(t, h->rule);
	table_str(t, h->inbound ? "in" : "out");
	endpoint_cell(t, &h->peer);
	table_str(t, h->ok ? "ok" : "failed");
	table_num(t, h->us, "%u.%u", h->us / 1000, h->us % 1000 / 100);
	table_str(t, h->version);
	table_str(t, h->suite);
	table_str(t, h->group);
	table_bool(t, h->resumed);
	table_str(t, h->cert);
	table_str(t, h->user);
	table_str(t, h->alpn);
	table_str(t, h->why);
}

int display_handshakes(const struct display *d)
{
	static const struct table_col cols[] = {
		{"time", "Time", TABLE_LEFT, 0},
		{"rule", "Rule", TABLE_RIGHT, 0},
		{"direction", "Dir", TABLE_LEFT, 0},
		{"peer", "Peer", TABLE_LEFT, 0},
		{"result", "Result", TABLE_LEFT, 0},
		{"us", "ms", TABLE_RIGHT, 0},
		{"version", "Version", TABLE_LEFT, 0},
		{"suite", "Suite", TABLE_LEFT, 0},
		{"group", "Group", TABLE_LEFT, 0},
		{"resumed", "Resumed", TABLE_LEFT, 0},
		{"certificate", "Certificate", TABLE_LEFT, 0},
		{"user", NULL, TABLE_LEFT, 0},
		{"alpn", NULL, TABLE_LEFT, 0},
		{"reason", "Reason", TABLE_LEFT, 0},
	};
	struct table *t = table_new(cols, ARRAY_SIZE(cols), d->json);
	const struct history *h = &d->td->history;
	uint64_t first = h->n > HISTORY_MAX ? h->n - HISTORY_MAX : 0;

	if (!t)
		return -ENOMEM;
	for (uint64_t i = first; i < h->n; i++)
		handshake_row(t, &h->at[i % HISTORY_MAX]);
	return finish(d, t);
}

/* ---- QUERY COUNTERS, METRICS --------------------------------------------- */

static struct rule_counters total(const struct tlsd *td)
{
	struct rule_counters n = {0};

	for (uint32_t i = 0; i < td->rules.n; i++) {
		const struct rule_counters *c = &td->rules.at[i]->n;

		n.opened += c->opened;
		n.failed += c->failed;
		n.resumed += c->resumed;
		n.timeouts += c->timeouts;
		n.resets += c->resets;
		n.bytes_in += c->bytes_in;
		n.bytes_out += c->bytes_out;
		n.handshake_us += c->handshake_us;
		n.active += c->active;
	}
	return n;
}

int display_counters(const struct display *d)
{
	static const struct table_col cols[] = {
		{"active", "Connections now", TABLE_RIGHT, 0},
		{"opened", "Handshakes", TABLE_RIGHT, 0},
		{"resumed", "of these resumed", TABLE_RIGHT, 0},
		{"failed", "Failed handshakes", TABLE_RIGHT, 0},
		{"timeouts", "of these by time-out", TABLE_RIGHT, 0},
		{"resets", "Ended by a reset", TABLE_RIGHT, 0},
		{"bytes_in", "Bytes from the wire", TABLE_RIGHT, 0},
		{"bytes_out", "Bytes to the wire", TABLE_RIGHT, 0},
		{"handshake_us", "Microseconds of a handshake", TABLE_RIGHT, 0},
	};
	struct table *t = table_new(cols, ARRAY_SIZE(cols), d->json);
	struct rule_counters n = total(d->td);
	int r;

	if (!t)
		return -ENOMEM;
	table_u64(t, n.active);
	table_u64(t, n.opened);
	table_u64(t, n.resumed);
	table_u64(t, n.failed);
	table_u64(t, n.timeouts);
	table_u64(t, n.resets);
	table_u64(t, n.bytes_in);
	table_u64(t, n.bytes_out);
	table_u64(t, n.opened ? n.handshake_us / n.opened : 0);
	r = table_print_record(t, d->write, d->arg);
	table_free(t);
	return r;
}

PRINTF_LIKE(2, 3)
static void print(const struct display *d, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n > 0)
		d->write(d->arg, text, MIN((size_t)n, sizeof(text) - 1));
}

#define METRIC(kind, name, field, help) \
	{ \
		kind, name, offsetof(struct rule_counters, field), help \
	}

int display_metrics(const struct display *d)
{
	static const struct {
		const char *kind, *name;
		size_t at;
		const char *help;
	} metrics[] = {
		METRIC("counter", "handshakes_total", opened,
		       "TLS handshakes that succeeded"),
		METRIC("counter", "handshakes_resumed_total", resumed,
		       "of these resumed"),
		METRIC("counter", "handshakes_failed_total", failed,
		       "TLS handshakes that failed"),
		METRIC("counter", "handshakes_timeout_total", timeouts,
		       "of these by time-out"),
		METRIC("counter", "resets_total", resets,
		       "connections that did not end in order"),
		METRIC("counter", "bytes_in_total", bytes_in,
		       "clear text from the wire"),
		METRIC("counter", "bytes_out_total", bytes_out,
		       "clear text to the wire"),
		METRIC("counter", "handshake_microseconds_total", handshake_us,
		       "time of the handshakes that succeeded"),
	};

	for (size_t k = 0; k < ARRAY_SIZE(metrics); k++) {
		print(d, "# HELP tlsd_%s %s\n# TYPE tlsd_%s %s\n",
		      metrics[k].name, metrics[k].help, metrics[k].name,
		      metrics[k].kind);
		for (uint32_t i = 0; i < d->td->rules.n; i++) {
			const struct rule *r = d->td->rules.at[i];
			uint64_t v;

			memcpy(&v, (const char *)&r->n + metrics[k].at,
			       sizeof(v));
			print(d, "tlsd_%s{id=\"%s\",rule=\"%u\"} %llu\n",
			      metrics[k].name, d->td->deck.id, r->number,
			      (unsigned long long)v);
		}
	}
	print(d, "# HELP tlsd_connections connections now\n"
		 "# TYPE tlsd_connections gauge\n");
	for (uint32_t i = 0; i < d->td->rules.n; i++)
		print(d, "tlsd_connections{id=\"%s\",rule=\"%u\"} %u\n",
		      d->td->deck.id, d->td->rules.at[i]->number,
		      d->td->rules.at[i]->n.active);
	print(d,
	      "# HELP tlsd_ready rules are in force at the stack\n"
	      "# TYPE tlsd_ready gauge\ntlsd_ready{id=\"%s\"} %d\n",
	      d->td->deck.id, d->td->ready);
	return 0;
}

/* ---- QUERY ID ------------------------------------------------------------ */

int display_id(const struct display *d)
{
	static const struct table_col cols[] = {
		{"id", "ID", TABLE_LEFT, 0},
		{"version", "Version", TABLE_LEFT, 0},
		{"pid", "Process", TABLE_RIGHT, 0},
		{"uptime_s", "Seconds up", TABLE_RIGHT, 0},
		{"ready", "Rules in force", TABLE_LEFT, 0},
		{"rules", "Rules", TABLE_RIGHT, 0},
		{"connections", "Connections", TABLE_RIGHT, 0},
		{"waiting", "Handshakes waiting", TABLE_RIGHT, 0},
	};
	struct table *t = table_new(cols, ARRAY_SIZE(cols), d->json);
	int r;

	if (!t)
		return -ENOMEM;
	table_str(t, d->td->deck.id);
	table_str(t, COUPLET_VERSION);
	table_u64(t, (uint64_t)getpid());
	table_u64(t, (uint64_t)(mono_sub(mono_now(), d->td->started).ns /
				1000000000));
	table_bool(t, d->td->ready);
	table_u64(t, d->td->rules.n);
	table_u64(t, d->td->n_pairs);
	table_u64(t, pool_waiting(d->td->pool));
	r = table_print_record(t, d->write, d->arg);
	table_free(t);
	return r;
}
