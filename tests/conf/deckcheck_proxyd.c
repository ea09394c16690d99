/* deckcheck_proxyd.c: the deck of proxyd, for deckcheck. */
#include "deck.h"
#include "deckcheck.h"

#include <stdlib.h>
#include <string.h>

static int read_it(const char *path, void *ret, struct deck_report *report)
{
	return proxyd_deck_read(path, ret, report);
}

static int parse_it(const char *name, const char *text, size_t len, void *ret,
		    struct deck_report *report)
{
	return proxyd_deck_parse(name, text, len, ret, report);
}

static void print_it(const void *deck, FILE *out)
{
	proxyd_deck_print(deck, out);
}

static void free_it(void *deck)
{
	proxyd_deck_free(deck);
}

static bool same_targets(const struct proxyd_targets *a,
			 const struct proxyd_targets *b)
{
	if (a->n != b->n)
		return false;
	for (uint32_t i = 0; i < a->n; i++) {
		if (strcmp(a->list[i].host, b->list[i].host) != 0 ||
		    a->list[i].port != b->list[i].port)
			return false;
	}
	return true;
}

static bool same_side(const struct proxyd_side *a, const struct proxyd_side *b)
{
	return a->family == b->family && a->port == b->port &&
	       a->ssl == b->ssl && strcmp(a->keyfile, b->keyfile) == 0 &&
	       ip_eq(&a->local, &b->local);
}

/* Commands that lead from one to the other are what they differ by; what lies
 * behind the end of a shorter text does not count. */
static bool same_tls(const struct tls_settings *a, const struct tls_settings *b)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return false;
	tlsdeck_print(a, b, f);
	fclose(f);
	free(text);
	return len == 0;
}

static bool same_health(const struct proxyd_health *a,
			const struct proxyd_health *b)
{
	return a->on == b->on &&
	       (!a->on || (a->interval.ns == b->interval.ns &&
			   a->timeout.ns == b->timeout.ns &&
			   a->rise == b->rise && a->fall == b->fall));
}

static const char *settings_differ(const struct proxyd_settings *a,
				   const struct proxyd_settings *b)
{
	if (!same_tls(&a->tls, &b->tls))
		return "TLS settings";
	if (a->balance != b->balance || a->client_max != b->client_max ||
	    a->header_in != b->header_in || a->header_out != b->header_out)
		return "BALANCE, LIMIT or PROXYHEADER";
	if (!same_health(&a->health, &b->health))
		return "HEALTH";
	if (a->connect_timeout.ns != b->connect_timeout.ns ||
	    a->idle_timeout.ns != b->idle_timeout.ns ||
	    a->handshake_timeout.ns != b->handshake_timeout.ns ||
	    a->udp_timeout.ns != b->udp_timeout.ns)
		return "TIMEOUT";
	if (a->n_rules != b->n_rules ||
	    memcmp(a->rules, b->rules, a->n_rules * sizeof a->rules[0]) != 0)
		return "ALLOW, DENY";
	return NULL;
}

static const char *daemons_differ(const struct proxyd_deck *a,
				  const struct proxyd_deck *b)
{
	if (strcmp(a->id, b->id) != 0 || strcmp(a->name, b->name) != 0 ||
	    strcmp(a->job, b->job) != 0 || a->interval_s != b->interval_s)
		return "ID, NAME, job or INTERVAL";
	if (a->conn_max != b->conn_max || a->flow_max != b->flow_max ||
	    a->handshake_max != b->handshake_max ||
	    a->subtasks != b->subtasks || a->drain.ns != b->drain.ns ||
	    a->stop.ns != b->stop.ns || a->log != b->log ||
	    a->ftp_lo != b->ftp_lo || a->ftp_hi != b->ftp_hi ||
	    strcmp(a->metrics, b->metrics) != 0)
		return "LIMIT, SUBTASK, DRAIN, LOG, FTPPORTS or METRICS";
	if (a->n_proxies != b->n_proxies || a->n_snis != b->n_snis ||
	    a->n_hosts != b->n_hosts || a->n_allow_uid != b->n_allow_uid ||
	    a->n_allow_gid != b->n_allow_gid)
		return "the number of something";
	return NULL;
}

static const char *differs(const void *x, const void *y)
{
	const struct proxyd_deck *a = x, *b = y;
	const char *what = daemons_differ(a, b);

	for (uint32_t i = 0; i < a->n_proxies && !what; i++) {
		const struct proxyd_proxy *p = &a->proxies[i];
		const struct proxyd_proxy *q = &b->proxies[i];

		what = settings_differ(&p->set, &q->set);
		if (p->udp != q->udp || !same_side(&p->client, &q->client) ||
		    !same_side(&p->server, &q->server) ||
		    !same_targets(&p->targets, &q->targets))
			what = "PROXY";
	}
	for (uint32_t i = 0; i < a->n_snis && !what; i++) {
		if (a->snis[i].proxy != b->snis[i].proxy ||
		    strcmp(a->snis[i].pattern, b->snis[i].pattern) != 0 ||
		    !same_targets(&a->snis[i].targets, &b->snis[i].targets))
			what = "SNI";
	}
	for (uint32_t i = 0; i < a->n_hosts && !what; i++) {
		if (strcmp(a->hosts[i].name, b->hosts[i].name) != 0 ||
		    !ip_eq(&a->hosts[i].addr, &b->hosts[i].addr))
			what = "HOST";
	}
	return what;
}

const struct deckcheck deckcheck = {
	.size = sizeof(struct proxyd_deck),
	.read = read_it,
	.parse = parse_it,
	.print = print_it,
	.free = free_it,
	.differs = differs,
};
