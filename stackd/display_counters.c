#include "display.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A counter of a struct, found by its offset. */
struct field {
	const char *name, *help;
	size_t offset;
	bool small; /* uint32_t */
	enum counter_kind kind;
};

#define TOTAL(type, name, help) \
	{ \
#name, help, offsetof(struct type, name), false, COUNTER_TOTAL \
	}
#define GAUGE32(type, name, help) \
	{ \
#name, help, offsetof(struct type, name), true, COUNTER_GAUGE \
	}
#define GAUGE(type, name, help) \
	{ \
#name, help, offsetof(struct type, name), false, COUNTER_GAUGE \
	}

static const struct field ip_fields[] = {
	TOTAL(ip_counters, rx_packets, "IP packets received"),
	TOTAL(ip_counters, rx_delivered, "IP packets handed to a protocol"),
	TOTAL(ip_counters, tx_packets, "IP packets sent"),
	TOTAL(ip_counters, fragments_in, "fragments received"),
	TOTAL(ip_counters, fragments_out, "fragments sent"),
	TOTAL(ip_counters, reassembled, "packets put together from fragments"),
	TOTAL(ip_counters, icmp_in, "ICMP and ICMPv6 messages received"),
	TOTAL(ip_counters, icmp_out, "ICMP and ICMPv6 messages sent"),
	TOTAL(ip_counters, arp_in, "ARP packets received"),
	TOTAL(ip_counters, arp_out, "ARP packets sent"),
	TOTAL(ip_counters, nd_in, "neighbour discovery messages received"),
	TOTAL(ip_counters, nd_out, "neighbour discovery messages sent"),
	TOTAL(ip_counters, dad_conflicts,
	      "own addresses found in use by others"),
};

static const struct field tcp_fields[] = {
	TOTAL(tcp_stats, segs_in, "segments received"),
	TOTAL(tcp_stats, segs_out, "segments sent"),
	TOTAL(tcp_stats, bytes_in, "payload bytes received"),
	TOTAL(tcp_stats, bytes_out, "payload bytes sent"),
	TOTAL(tcp_stats, retrans_segs, "segments sent again"),
	TOTAL(tcp_stats, rto_timeouts, "retransmission timeouts"),
	TOTAL(tcp_stats, fast_recoveries, "fast recoveries begun"),
	TOTAL(tcp_stats, sack_recoveries, "of these by SACK"),
	TOTAL(tcp_stats, dsack_in, "duplicate SACK blocks received"),
	TOTAL(tcp_stats, ooo_in, "segments received out of order"),
	TOTAL(tcp_stats, dup_in, "segments received twice"),
	TOTAL(tcp_stats, active_opens, "connections that programs began"),
	TOTAL(tcp_stats, passive_opens, "connections that peers began"),
	TOTAL(tcp_stats, failed_opens,
	      "connections that were never established"),
	TOTAL(tcp_stats, resets_in, "RST segments received"),
	TOTAL(tcp_stats, resets_out, "RST segments sent"),
	TOTAL(tcp_stats, established, "connections that were established"),
	TOTAL(tcp_stats, challenge_acks, "challenge ACKs sent"),
	TOTAL(tcp_stats, cookies_sent, "SYN cookies sent"),
	TOTAL(tcp_stats, cookies_ok, "connections made from SYN cookies"),
	TOTAL(tcp_stats, zero_window_probes, "probes of a closed window"),
	TOTAL(tcp_stats, keep_probes, "keep-alive probes"),
	TOTAL(tcp_stats, timewait_made, "connections that entered TIME-WAIT"),
	TOTAL(tcp_stats, timewait_reused, "TIME-WAITs that a new SYN ended"),
	TOTAL(tcp_stats, spurious_rto, "timeouts that proved needless"),
	TOTAL(tcp_stats, spurious_recoveries,
	      "recoveries that proved needless"),
	TOTAL(tcp_stats, loss_probes, "tail loss probes"),
	TOTAL(tcp_stats, mtu_black_holes,
	      "paths found to swallow large packets"),
	TOTAL(tcp_stats, ecn_ce_in, "segments marked by congestion (CE)"),
};

static const struct field stack_fields[] = {
	TOTAL(stack_counters, udp_in, "UDP datagrams received"),
	TOTAL(stack_counters, udp_out, "UDP datagrams sent"),
	TOTAL(stack_counters, udp_no_port,
	      "UDP datagrams to a port that nobody has"),
	TOTAL(stack_counters, udp_bad,
	      "UDP datagrams with a wrong length or checksum"),
	TOTAL(stack_counters, udp_rcvbuf_full,
	      "UDP datagrams lost to a full receive buffer"),
	TOTAL(stack_counters, sock_limit, "sockets refused at the limit"),
	TOTAL(stack_counters, loopback_frames, "packets over the loopback"),
	GAUGE32(stack_counters, socks, "sockets now"),
	GAUGE32(stack_counters, timewaits, "connections in TIME-WAIT now"),
	GAUGE32(stack_counters, listeners, "listeners now"),
};

static const struct field api_fields[] = {
	TOTAL(api_counters, accepted, "sockets that programs opened"),
	TOTAL(api_counters, refused, "programs turned away"),
	TOTAL(api_counters, bad_records,
	      "records of programs that made no sense"),
	TOTAL(api_counters, control_calls,
	      "calls that carried an address or an option"),
	TOTAL(api_counters, dgram_dropped,
	      "datagrams that a program did not take in time"),
	TOTAL(api_counters, diverted, "connections given to tlsd"),
	TOTAL(api_counters, divert_held, "connections held for a tlsd"),
	TOTAL(api_counters, divert_refused,
	      "connections refused for want of a tlsd"),
	GAUGE32(api_counters, open, "sockets of programs now"),
};

static const struct field loop_fields[] = {
	TOTAL(loop_stats, rounds, "turns of the loop"),
	TOTAL(loop_stats, waits, "turns that waited"),
	TOTAL(loop_stats, events, "events handled"),
	TOTAL(loop_stats, packets_in, "packets taken from adapters"),
	TOTAL(loop_stats, frames_out, "frames given to adapters"),
	TOTAL(loop_stats, timer_fires, "turns that a timer began"),
};

static const struct field osa_fields[] = {
	TOTAL(osa_info, rx_frames, "frames received"),
	TOTAL(osa_info, rx_bytes, "bytes received"),
	TOTAL(osa_info, rx_gso,
	      "frames received that stand for several segments"),
	TOTAL(osa_info, rx_drops, "frames received and dropped"),
	TOTAL(osa_info, tx_frames, "frames sent"),
	TOTAL(osa_info, tx_bytes, "bytes sent"),
	TOTAL(osa_info, tx_gso, "frames sent that stand for several segments"),
	TOTAL(osa_info, tx_drops, "frames that could not be sent"),
	TOTAL(osa_info, rx_syscalls, "system calls to receive"),
	TOTAL(osa_info, tx_syscalls, "system calls to send"),
};

struct walk {
	counter_fn *fn;
	void *arg;
	struct counter_sample s;
};

static void walk_fields(struct walk *w, const struct field *f, size_t n,
			const void *base)
{
	for (size_t i = 0; i < n; i++) {
		const char *p = (const char *)base + f[i].offset;
		uint32_t small;

		w->s.name = f[i].name;
		w->s.help = f[i].help;
		w->s.kind = f[i].kind;
		if (f[i].small) {
			memcpy(&small, p, sizeof small);
			w->s.value = small;
		} else {
			memcpy(&w->s.value, p, sizeof w->s.value);
		}
		w->fn(w->arg, &w->s);
	}
}

/* One sample per reason; the first reason is "not dropped". */
static void walk_drops(struct walk *w, const uint64_t *drops, unsigned n,
		       const char *(*name)(unsigned))
{
	w->s.name = "drops";
	w->s.help = "packets that went no further, by reason";
	w->s.kind = COUNTER_TOTAL;
	w->s.label = "reason";
	for (unsigned i = 1; i < n; i++) {
		w->s.label_value = name(i);
		w->s.value = drops[i];
		w->fn(w->arg, &w->s);
	}
	w->s.label = w->s.label_value = NULL;
}

static const char *ip_reason(unsigned i)
{
	return ip_drop_name((enum ip_drop)i);
}

static const char *tcp_reason(unsigned i)
{
	return tcp_drop_name((enum tcp_drop)i);
}

static void walk_engine(struct walk *w, const struct display *d)
{
	const struct tcp_env *tcp = stack_tcp_env(d->stack);
	struct stack_counters sc;

	w->s.group = "ip";
	walk_fields(w, ip_fields, ARRAY_SIZE(ip_fields),
		    ip_counters(stack_ip(d->stack)));
	walk_drops(w, ip_drops(stack_ip(d->stack)), IP_DROP__COUNT, ip_reason);
	w->s.group = "tcp";
	walk_fields(w, tcp_fields, ARRAY_SIZE(tcp_fields), &tcp->stats);
	walk_drops(w, tcp->stats.drops, TCP_DROP__COUNT, tcp_reason);
	w->s.group = "stack";
	stack_counters(d->stack, &sc);
	walk_fields(w, stack_fields, ARRAY_SIZE(stack_fields), &sc);
}

static void walk_pool(struct walk *w, const struct display *d)
{
	static const struct field fields[] = {
		GAUGE(pkt_pool, used_bytes, "bytes of packet buffers in use"),
		GAUGE(pkt_pool, cached_bytes,
		      "bytes of packet buffers kept for use"),
		GAUGE(pkt_pool, limit_bytes,
		      "most bytes of packet buffers in use"),
		TOTAL(pkt_pool, refused, "packet buffers refused at the limit"),
	};

	_Static_assert(sizeof(size_t) == sizeof(uint64_t), "64-bit machines");
	w->s.group = "pool";
	walk_fields(w, fields, ARRAY_SIZE(fields), stack_pool(d->stack));
}

void counters_each(const struct display *d, counter_fn *fn, void *arg)
{
	struct walk w = {.fn = fn, .arg = arg};

	walk_engine(&w, d);
	walk_pool(&w, d);
	if (d->api) {
		struct api_counters c;

		w.s.group = "api";
		api_counters(d->api, &c);
		walk_fields(&w, api_fields, ARRAY_SIZE(api_fields), &c);
	}
	if (d->loop) {
		struct loop_stats c;

		w.s.group = "loop";
		loop_get_stats(d->loop, &c);
		walk_fields(&w, loop_fields, ARRAY_SIZE(loop_fields), &c);
	}
	w.s.group = "osa";
	w.s.label = "device";
	for (uint32_t i = 0; i < d->n_ports; i++) {
		struct osa_info info;

		osa_get_info(d->ports[i], &info);
		w.s.label_value = info.device;
		walk_fields(&w, osa_fields, ARRAY_SIZE(osa_fields), &info);
	}
}

/* ---- QUERY COUNTERS
 * ------------------------------------------------------------- */

struct rows {
	struct table *table;
	bool all;
};

static void add_row(void *arg, const struct counter_sample *s)
{
	const struct rows *r = arg;

	if (!r->all && !s->value)
		return;
	table_str(r->table, s->group);
	table_str(r->table, s->name);
	if (s->label)
		table_str(r->table, s->label_value);
	else
		table_none(r->table);
	table_u64(r->table, s->value);
}

int display_counters(const struct display *d, bool all)
{
	static const struct table_col cols[] = {
		{"group", "GROUP", TABLE_LEFT, 5},
		{"counter", "COUNTER", TABLE_LEFT, 18},
		{"detail", "DETAIL", TABLE_LEFT, 12},
		{"value", "VALUE", TABLE_RIGHT, 12},
	};
	struct rows r = {table_new(cols, ARRAY_SIZE(cols), d->json), all};
	int rc;

	if (!r.table)
		return -ENOMEM;
	counters_each(d, add_row, &r);
	rc = table_print(r.table, true, true, d->write, d->arg);
	table_free(r.table);
	return rc;
}

/* ---- Prometheus
 * --------------------------------------------------------------------- */

struct export
{
	const struct display *d;
	char last[64]; /* family whose TYPE line was written */
};

static void put(const struct display *d, const char *text)
{
	d->write(d->arg, text, strlen(text));
}

/* Label values may hold anything but these three. */
static void escape(char *dst, size_t len, const char *src)
{
	size_t n = 0;

	for (; *src && n + 3 < len; src++) {
		if (*src == '"' || *src == '\\' || *src == '\n')
			dst[n++] = '\\';
		dst[n++] = *src == '\n' ? 'n' : *src;
	}
	dst[n] = '\0';
}

static void put_type(struct export *e, const char *name, const char *type,
		     const char *help)
{
	char line[256];

	if (strcmp(e->last, name) == 0)
		return;
	snprintf(e->last, sizeof e->last, "%s", name);
	snprintf(line, sizeof line, "# HELP %s %s\n# TYPE %s %s\n", name, help,
		 name, type);
	put(e->d, line);
}

static void put_sample(void *arg, const struct counter_sample *s)
{
	struct export *e = arg;
	bool total = s->kind == COUNTER_TOTAL;
	char name[64], value[128], line[320];

	snprintf(name, sizeof name, "couplet_%s_%s%s", s->group, s->name,
		 total ? "_total" : "");
	put_type(e, name, total ? "counter" : "gauge", s->help);
	if (s->label) {
		escape(value, sizeof value, s->label_value);
		snprintf(line, sizeof line, "%s{id=\"%s\",%s=\"%s\"} %llu\n",
			 name, e->d->deck->id, s->label, value,
			 (unsigned long long)s->value);
	} else {
		snprintf(line, sizeof line, "%s{id=\"%s\"} %llu\n", name,
			 e->d->deck->id, (unsigned long long)s->value);
	}
	put(e->d, line);
}

static void put_gauge(struct export *e, const char *name, const char *help,
		      double v)
{
	char line[160];

	put_type(e, name, "gauge", help);
	snprintf(line, sizeof line, "%s{id=\"%s\"} %.17g\n", name,
		 e->d->deck->id, v);
	put(e->d, line);
}

static void put_info(struct export *e)
{
	char line[160];

	put_type(e, "couplet_stack_info", "gauge", "this stack");
	snprintf(line, sizeof line,
		 "couplet_stack_info{id=\"%s\",version=\"%s\"} 1\n",
		 e->d->deck->id, e->d->version);
	put(e->d, line);
}

struct by_device { /* all samples of one family must stand together */
	struct export *e;
	const char *name;
};

static void put_if_named(void *arg, const struct counter_sample *s)
{
	const struct by_device *b = arg;

	if (strcmp(s->group, "osa") == 0 && strcmp(s->name, b->name) == 0)
		put_sample(b->e, s);
}

static void put_unless_osa(void *arg, const struct counter_sample *s)
{
	if (strcmp(s->group, "osa") != 0)
		put_sample(arg, s);
}

int display_metrics(const struct display *d)
{
	struct export e = {.d = d};

	put_info(&e);
	put_gauge(&e, "couplet_uptime_seconds", "age of the daemon",
		  (double)mono_sub(d->now, d->started).ns / 1e9);
	if (d->rss_bytes)
		put_gauge(&e, "couplet_resident_bytes", "memory of the daemon",
			  (double)d->rss_bytes);
	counters_each(d, put_unless_osa, &e);
	for (size_t i = 0; d->n_ports && i < ARRAY_SIZE(osa_fields); i++)
		counters_each(d, put_if_named,
			      &(struct by_device){&e, osa_fields[i].name});
	return 0;
}
