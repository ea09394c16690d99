/*
 * ping.c: PING. Each running ping is one task of a console session with one
 * timer: it sends the next echo request, and after the last one waits for
 * replies that are still on their way. Replies come as events of layer 3.
 */
#include "ev/ev.h"
#include "stackd.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PING_COUNT_DEFAULT 4
#define PING_COUNT_MAX 100000
#define PING_INTERVAL_MIN_MS 10
#define PING_WINDOW 1024 /* requests that may be unanswered and matched */

struct ping {
	struct list node;
	struct stackd *sd;
	struct console_cmd *cmd;
	struct ev_timer *timer;
	struct ip_addr dst, src;
	char dst_text[ADDR_TEXT_MAX];
	uint16_t id;
	uint32_t count; /* 0 = until interrupted */
	uint32_t size;
	uint8_t ttl;
	dur_t interval, wait;
	bool sending;
	uint32_t sent, received, duplicates, errors;
	mono_t begun, last_sent;
	/* sent_at[seq % PING_WINDOW]; zero when answered */
	mono_t sent_at[PING_WINDOW];
	double min_ms, max_ms, sum_ms, sum2_ms;
};

static void ping_free(struct ping *p)
{
	list_remove(&p->node);
	p->sd->n_tasks--;
	ev_timer_free(p->timer);
	free(p);
}

static void print_summary_json(const struct ping *p)
{
	console_printf(p->cmd,
		       "{\"event\":\"summary\",\"host\":\"%s\",\"sent\":%u,"
		       "\"received\":%u,\"duplicates\":%u,\"errors\":%u",
		       p->dst_text, p->sent, p->received, p->duplicates,
		       p->errors);
	if (p->received)
		console_printf(p->cmd,
			       ",\"rtt_min_ms\":%.3f,\"rtt_avg_ms\":%.3f,"
			       "\"rtt_max_ms\":%.3f",
			       p->min_ms, p->sum_ms / p->received, p->max_ms);
	console_printf(p->cmd, "}\n");
}

static void print_summary(const struct ping *p)
{
	uint32_t lost = p->sent - p->received;
	int64_t ms = dur_ms(mono_sub(mono_now(), p->begun));
	double avg, dev;

	if (console_json(p->cmd)) {
		print_summary_json(p);
		return;
	}
	console_printf(p->cmd, "--- %s ping statistics ---\n", p->dst_text);
	console_printf(p->cmd, "%u packets transmitted, %u received", p->sent,
		       p->received);
	if (p->duplicates)
		console_printf(p->cmd, ", +%u duplicates", p->duplicates);
	if (p->errors)
		console_printf(p->cmd, ", +%u errors", p->errors);
	console_printf(p->cmd, ", %.3g%% packet loss, time %lldms\n",
		       p->sent ? 100.0 * lost / p->sent : 0.0, (long long)ms);
	if (!p->received)
		return;
	avg = p->sum_ms / p->received;
	dev = sqrt(fmax(p->sum2_ms / p->received - avg * avg, 0));
	console_printf(p->cmd,
		       "rtt min/avg/max/mdev = "
		       "%.3f/%.3f/%.3f/%.3f ms\n",
		       p->min_ms, avg, p->max_ms, dev);
}

static void ping_finish(struct ping *p)
{
	struct console_cmd *cmd = p->cmd;
	int status = p->received ? CONSOLE_OK : CONSOLE_FAILED;

	print_summary(p);
	ping_free(p);
	console_done(cmd, status);
}

static void print_error(struct ping *p, unsigned seq, const char *from,
			const char *what)
{
	p->errors++;
	if (console_json(p->cmd))
		console_printf(p->cmd,
			       "{\"event\":\"error\",\"seq\":%u,\"from\":"
			       "\"%s\",\"error\":\"%s\"}\n",
			       seq, from, what);
	else if (from[0])
		console_printf(p->cmd, "From %s icmp_seq=%u %s\n", from, seq,
			       what);
	else
		console_printf(p->cmd, "icmp_seq=%u %s\n", seq, what);
	console_flush(p->cmd);
}

static void send_one(struct ping *p)
{
	mono_t now = mono_now();
	uint16_t seq = (uint16_t)(p->sent + 1);
	int r = ip_ping(stack_ip(p->sd->stack), &p->dst,
			p->src.family != IP_NONE ? &p->src : NULL, p->id, seq,
			now.ns, p->size, p->ttl, now);

	p->sent++;
	p->last_sent = now;
	if (r < 0) {
		print_error(p, seq, "", strerror(-r));
		return;
	}
	p->sent_at[seq % PING_WINDOW] = now;
	stackd_kick(p->sd);
}

static void on_timer(void *arg)
{
	struct ping *p = arg;

	if (!p->sending) {
		ping_finish(p);
		return;
	}
	send_one(p);
	if (p->count && p->sent >= p->count) {
		p->sending = false;
		/* nothing to wait for when none of them got out */
		ev_timer_set(p->timer,
			     p->errors >= p->sent ? DUR_NS(0) : p->wait);
	} else {
		ev_timer_set(p->timer, p->interval);
	}
}

static void on_cancel(void *task, bool gone)
{
	struct ping *p = task;

	if (gone)
		ping_free(p);
	else
		ping_finish(p);
}

static const struct console_task ping_task = {.cancel = on_cancel};

static bool parse(struct ping *p, struct operands *o)
{
	p->count = PING_COUNT_DEFAULT;
	p->size = 56;
	p->interval = DUR_S(1);
	p->wait = DUR_S(1);
	operands_host(o, &p->sd->deck, "a host name or address", &p->dst);
	while (operands_more(o)) {
		if (operands_is(o, "COUNT"))
			p->count = (uint32_t)operands_number(o, "COUNT", 0,
							     PING_COUNT_MAX);
		else if (operands_is(o, "SIZE"))
			p->size =
				(uint32_t)operands_number(o, "bytes", 8, 65507);
		else if (operands_is(o, "FROM"))
			operands_addr(o, "an address of this stack", &p->src);
		else if (operands_is(o, "INTERVAL"))
			p->interval = DUR_MS(
				operands_number(o, "milliseconds",
						PING_INTERVAL_MIN_MS, 60000));
		else if (operands_is(o, "TTL"))
			p->ttl = (uint8_t)operands_number(o, "TTL", 1, 255);
		else if (operands_is(o, "WAIT"))
			p->wait = DUR_MS(
				operands_number(o, "milliseconds", 1, 60000));
		else
			break;
	}
	return operands_ok(o, "COUNT, SIZE, FROM, INTERVAL, TTL or WAIT");
}

void ping_command(struct stackd *sd, struct console_cmd *cmd, int n)
{
	struct operands o = operands_of(cmd, n);
	struct ping *p;

	if (sd->n_tasks >= STACKD_TASKS_MAX) {
		console_error(cmd, "too many pings and probes are running");
		console_done(cmd, CONSOLE_FAILED);
		return;
	}
	p = calloc(1, sizeof *p);
	if (!p ||
	    ev_timer_new(daemon_loop(sd->daemon), on_timer, p, &p->timer) < 0) {
		free(p);
		console_error(cmd, "out of memory");
		console_done(cmd, CONSOLE_FAILED);
		return;
	}
	list_push_tail(&sd->pings, &p->node);
	sd->n_tasks++;
	p->sd = sd;
	p->cmd = cmd;
	if (!parse(p, &o)) {
		ping_free(p);
		console_done(cmd, CONSOLE_USAGE);
		return;
	}
	p->id = ++sd->next_ping_id;
	p->begun = mono_now();
	p->sending = true;
	ip_format(&p->dst, p->dst_text);
	if (!console_json(cmd))
		console_printf(cmd, "PING %s (%s) %u bytes of data.\n",
			       console_words(cmd)->w[n], p->dst_text, p->size);
	console_set_task(cmd, &ping_task, p);
	on_timer(p);
	console_flush(cmd);
}

/* ---- what comes back
 * --------------------------------------------------------------- */

static void got_reply(struct ping *p, const struct ip_event *ev, mono_t now)
{
	mono_t *at = &p->sent_at[ev->seq % PING_WINDOW];
	char from[ADDR_TEXT_MAX];
	double ms;
	bool dup = at->ns != ev->cookie;

	/* the cookie is the time of sending; a forged one matches nothing */
	if (dup && at->ns)
		return;
	ip_format(&ev->remote, from);
	if (dup) {
		p->duplicates++;
		return;
	}
	ms = (double)mono_sub(now, *at).ns / 1e6;
	at->ns = 0;
	p->received++;
	p->min_ms = p->received == 1 ? ms : fmin(p->min_ms, ms);
	p->max_ms = fmax(p->max_ms, ms);
	p->sum_ms += ms;
	p->sum2_ms += ms * ms;
	if (console_json(p->cmd))
		console_printf(
			p->cmd,
			"{\"event\":\"reply\",\"from\":\"%s\",\"seq\":%u,"
			"\"bytes\":%u,\"ttl\":%u,\"time_ms\":%.3f}\n",
			from, ev->seq, ev->len + 8, ev->ttl, ms);
	else
		console_printf(p->cmd,
			       "%u bytes from %s: icmp_seq=%u ttl=%u "
			       "time=%.3f ms\n",
			       ev->len + 8, from, ev->seq, ev->ttl, ms);
	console_flush(p->cmd);
	if (!p->sending && p->received + p->errors >= p->sent)
		ping_finish(p);
}

static const char *unreachable(const struct ip_event *ev)
{
	switch (ev->error) {
	case EHOSTUNREACH:
		return "Destination Host Unreachable";
	case ENETUNREACH:
		return "Destination Net Unreachable";
	case ECONNREFUSED:
		return "Destination Port Unreachable";
	case EMSGSIZE:
		return "Packet too big";
	case EACCES:
		return "Communication prohibited";
	default:
		return strerror(ev->error);
	}
}

static bool is_icmp(uint8_t proto)
{
	return proto == IP_PROTO_ICMP || proto == IP_PROTO_ICMPV6;
}

static void got_error(struct ping *p, const struct ip_event *ev)
{
	char from[ADDR_TEXT_MAX] = "", text[96];
	const char *what = unreachable(ev);

	if (ev->kind == IP_EV_PMTU) {
		snprintf(text, sizeof text, "Packet too big (mtu %u)", ev->mtu);
		what = text;
	} else if (ev->kind == IP_EV_NEIGH_FAILED) {
		what = "Destination Host Unreachable";
	}
	if (ev->reporter.family != IP_NONE)
		ip_format(&ev->reporter, from);
	else if (ev->local.family != IP_NONE)
		ip_format(&ev->local, from);
	print_error(p, ev->seq ? ev->seq : p->sent, from, what);
	if (!p->sending && p->received + p->errors >= p->sent)
		ping_finish(p);
}

void ping_event(struct stackd *sd, const struct ip_event *ev, mono_t now)
{
	LIST_FOREACH_SAFE (it, &sd->pings) {
		struct ping *p = container_of(it, struct ping, node);

		switch (ev->kind) {
		case IP_EV_ECHO_REPLY:
			if (ev->id == p->id)
				got_reply(p, ev, now);
			break;
		case IP_EV_UNREACH:
		case IP_EV_PMTU:
		case IP_EV_NEIGH_FAILED:
			if (is_icmp(ev->proto) && ip_eq(&ev->remote, &p->dst))
				got_error(p, ev);
			break;
		case IP_EV_DUPLICATE:
		case IP_EV_ADDR:
		case IP_EV_ROUTE:
			break;
		}
	}
}

void ping_stop_all(struct stackd *sd)
{
	LIST_FOREACH_SAFE (it, &sd->pings)
		ping_finish(container_of(it, struct ping, node));
}
