#include "deck_parts.h"

#include <string.h>

static void print_side(const struct proxyd_side *s, FILE *out)
{
	char addr[ADDR_TEXT_MAX] = "";

	if (s->local.family != IP_NONE)
		ip_format(&s->local, addr);
	fprintf(out, " %s %u %s %s%s%s",
		s->family == IP_V4   ? "V4"
		: s->family == IP_V6 ? "V6"
				     : "ANY",
		s->port, s->ssl ? "SSL" : "TXT",
		s->keyfile[0] || addr[0] ? s->keyfile : "*",
		s->keyfile[0] && addr[0] ? "@" : "", addr);
}

static void print_targets(const struct proxyd_targets *t, FILE *out)
{
	for (uint32_t i = 0; i < t->n; i++) {
		const struct proxyd_target *p = &t->list[i];

		if (!p->port)
			fprintf(out, " %s", p->host);
		else if (strchr(p->host, ':'))
			fprintf(out, " [%s]:%u", p->host, p->port);
		else
			fprintf(out, " %s:%u", p->host, p->port);
	}
	fputc('\n', out);
}

static void print_proxies(const struct proxyd_deck *d, FILE *out)
{
	struct proxyd_settings before;

	proxyd_deck_defaults(&before);
	for (uint32_t i = 0; i < d->n_proxies; i++) {
		const struct proxyd_proxy *p = &d->proxies[i];

		proxyd_deck_print_set(i ? &p[-1].set : &before, &p->set, out);
		fprintf(out, "PROXY %s", p->udp ? "UDP" : "TCP");
		print_side(&p->client, out);
		fprintf(out, " TO");
		print_side(&p->server, out);
		print_targets(&p->targets, out);
		for (uint32_t k = 0; k < d->n_snis; k++) {
			if (d->snis[k].proxy != i)
				continue;
			fprintf(out, "SNI %s", d->snis[k].pattern);
			print_targets(&d->snis[k].targets, out);
		}
	}
}

static void print_drain(const struct proxyd_deck *d, FILE *out)
{
	char drain[DECK_UNIT_TEXT_MAX], stop[DECK_UNIT_TEXT_MAX];

	if (d->drain.ns == PROXYD_DRAIN.ns && d->stop.ns == PROXYD_STOP.ns)
		return;
	fprintf(out, "DRAIN %s", deck_format_dur(d->drain.ns, drain));
	if (d->stop.ns != PROXYD_STOP.ns)
		fprintf(out, " %s", deck_format_dur(d->stop.ns, stop));
	fputc('\n', out);
}

static void print_limits(const struct proxyd_deck *d, FILE *out)
{
	if (d->conn_max != PROXYD_CONN_MAX)
		fprintf(out, "LIMIT CONNECTIONS %u\n", d->conn_max);
	if (d->flow_max != PROXYD_FLOW_MAX)
		fprintf(out, "LIMIT UDPFLOWS %u\n", d->flow_max);
	if (d->handshake_max != PROXYD_HANDSHAKE_MAX)
		fprintf(out, "LIMIT HANDSHAKES %u\n", d->handshake_max);
	if (d->subtasks)
		fprintf(out, "SUBTASK %u\n", d->subtasks);
	print_drain(d, out);
	if (d->ftp_lo)
		fprintf(out, "FTPPORTS %u-%u\n", d->ftp_lo, d->ftp_hi);
	tlsdeck_log_print(d->log, out);
	if (d->metrics[0])
		fprintf(out, "METRICS %s\n", d->metrics);
}

void proxyd_deck_print(const struct proxyd_deck *d, FILE *out)
{
	char addr[ADDR_TEXT_MAX];

	if (d->job[0])
		fprintf(out, "* $$ JOB JNM=%s\n", d->job);
	fprintf(out, "ID %s\n", d->id);
	fprintf(out, "NAME %s\n", d->name);
	fprintf(out, "INTERVAL %u\n", d->interval_s);
	print_limits(d, out);
	for (uint32_t i = 0; i < d->n_allow_uid; i++)
		fprintf(out, "ALLOW USER %u\n", d->allow_uid[i]);
	for (uint32_t i = 0; i < d->n_allow_gid; i++)
		fprintf(out, "ALLOW GROUP %u\n", d->allow_gid[i]);
	for (uint32_t i = 0; i < d->n_hosts; i++)
		fprintf(out, "HOST %s %s\n", d->hosts[i].name,
			ip_format(&d->hosts[i].addr, addr));
	print_proxies(d, out);
}
