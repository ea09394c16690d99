/* deck_set.c: what is in force for the PROXYs behind it; limits and names. */
#include "deck_parts.h"

#include "daemon/who.h"

#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000000000)
#define CONN_LIMIT 1000000

void proxyd_deck_defaults(struct proxyd_settings *s)
{
	*s = (struct proxyd_settings){
		.balance = PROXYD_ROUNDROBIN,
		.health = {.on = false,
			   .interval = DUR_S(10),
			   .timeout = DUR_S(3),
			   .rise = 2,
			   .fall = 3},
		.connect_timeout = DUR_S(10),
		.idle_timeout = DUR_S(0),
		.handshake_timeout = DUR_S(15),
		.udp_timeout = DUR_S(30),
	};
	tlsdeck_init(&s->tls);
	s->tls.two_sides = true;
}

/* ---- BALANCE, HEALTH, TIMEOUT
 * ------------------------------------------------ */

static const char *const balance_words[] = {"ROUNDROBIN", "LEASTCONN"};

void proxyd_deck_cmd_balance(struct proxyd_deck_builder *b, struct deck_args *a)
{
	unsigned i;

	if (deck_args_word(a, "method", balance_words,
			   ARRAY_SIZE(balance_words), &i))
		b->set.balance = (enum proxyd_balance)i;
	deck_args_end(a);
}

static bool read_dur(struct deck_args *a, const char *what, int64_t lo_ns,
		     dur_t *ret)
{
	int64_t ns;

	if (!deck_args_dur(a, what, lo_ns, 86400 * SECOND, &ns))
		return false;
	*ret = DUR_NS(ns);
	return true;
}

void proxyd_deck_cmd_health(struct proxyd_deck_builder *b, struct deck_args *a)
{
	struct proxyd_health h = b->set.health;

	h.on = !deck_args_is(a, "OFF");
	if (h.on) {
		(void)read_dur(a, "interval", SECOND / 10, &h.interval);
		if (deck_args_more(a))
			(void)read_dur(a, "timeout", SECOND / 100, &h.timeout);
		if (deck_args_more(a))
			(void)deck_args_u32(a, "rise", 1, 100, &h.rise);
		if (deck_args_more(a))
			(void)deck_args_u32(a, "fall", 1, 100, &h.fall);
	}
	if (deck_args_end(a))
		b->set.health = h;
}

static const char *const timeout_words[] = {"CONNECT", "IDLE", "HANDSHAKE",
					    "UDP"};

void proxyd_deck_cmd_timeout(struct proxyd_deck_builder *b, struct deck_args *a)
{
	dur_t *const which[] = {&b->set.connect_timeout, &b->set.idle_timeout,
				&b->set.handshake_timeout, &b->set.udp_timeout};
	unsigned i;

	if (!deck_args_word(a, "kind", timeout_words, ARRAY_SIZE(timeout_words),
			    &i))
		return;
	(void)read_dur(a, "time", i == 1 ? 0 : SECOND / 10, which[i]);
	deck_args_end(a);
}

/* ---- LIMIT, PROXYHEADER
 * ------------------------------------------------------ */

void proxyd_deck_cmd_limit(struct proxyd_deck_builder *b, struct deck_args *a)
{
	static const char *const words[] = {"CONNECTIONS", "CLIENT", "UDPFLOWS",
					    "HANDSHAKES"};
	uint32_t *const which[] = {&b->d->conn_max, &b->set.client_max,
				   &b->d->flow_max, &b->d->handshake_max};
	unsigned i;

	if (!deck_args_word(a, "kind", words, ARRAY_SIZE(words), &i))
		return;
	(void)deck_args_u32(a, "number", i == 1 ? 0 : 1, CONN_LIMIT, which[i]);
	deck_args_end(a);
}

static const char *const header_words[] = {"OFF", "V1", "V2", "ANY"};

void proxyd_deck_cmd_header(struct proxyd_deck_builder *b, struct deck_args *a)
{
	static const char *const sides[] = {"IN", "OUT"};
	unsigned side, i;

	if (!deck_args_word(a, "side", sides, 2, &side) ||
	    !deck_args_word(a, "version", header_words, side ? 3 : 4, &i))
		return;
	if (side)
		b->set.header_out = (enum proxyd_header)i;
	else
		b->set.header_in = (enum proxyd_header)i;
	deck_args_end(a);
}

/* ---- ALLOW, DENY
 * ------------------------------------------------------------- */

static void read_from(struct proxyd_deck_builder *b, struct deck_args *a,
		      bool allow)
{
	struct proxyd_rule r = {.allow = allow};
	struct proxyd_settings *s = &b->set;

	if (allow && deck_args_is(a, "*")) {
		s->n_rules = 0; /* back to the beginning: everybody */
		return;
	}
	if (!deck_args_is(a, "ANY") &&
	    !deck_args_prefix(a, "network", IP_NONE, &r.from))
		return;
	r.from.addr = r.from.addr.family
			      ? ip_prefix_make(&r.from.addr, r.from.len).addr
			      : r.from.addr;
	if (s->n_rules == PROXYD_RULES_MAX)
		deck_args_note(a, DECK_ERROR,
			       "more than %d ALLOW FROM and DENY FROM",
			       PROXYD_RULES_MAX);
	else
		s->rules[s->n_rules++] = r;
}

void proxyd_deck_cmd_access(struct proxyd_deck_builder *b, struct deck_args *a)
{
	bool allow = strcmp(b->cmd->keyword, "ALLOW") == 0;
	struct proxyd_deck *d = b->d;

	if (deck_args_is(a, "FROM")) {
		do
			read_from(b, a, allow);
		while (deck_args_more(a) && !a->errors);
		deck_args_end(a);
	} else if (allow) {
		who_command(a, d->allow_uid, &d->n_allow_uid, d->allow_gid,
			    &d->n_allow_gid, PROXYD_WHO_MAX);
	} else {
		if (deck_args_text(a, "FROM", "FROM and networks"))
			deck_args_expected(a, "FROM", "FROM and networks");
	}
}

/* ---- HOST, FTPPORTS, DRAIN, LOG, METRICS
 * ------------------------------------- */

void proxyd_deck_cmd_host(struct proxyd_deck_builder *b, struct deck_args *a)
{
	struct proxyd_host h = {.name = ""}, *p;

	if (!deck_args_name(a, "name", "-._", PROXYD_HOST_MAX, h.name) ||
	    !deck_args_addr(a, "address", IP_NONE, &h.addr) ||
	    !deck_args_end(a))
		return;
	p = proxyd_deck_grow(b, a, &b->d->hosts, &b->d->n_hosts, sizeof *p,
			     PROXYD_HOSTS_MAX, "HOST commands");
	if (p)
		*p = h;
}

void proxyd_deck_cmd_ftpports(struct proxyd_deck_builder *b,
			      struct deck_args *a)
{
	(void)deck_args_range(a, "ports", 1, 65535, &b->d->ftp_lo,
			      &b->d->ftp_hi);
	deck_args_end(a);
}

void proxyd_deck_cmd_drain(struct proxyd_deck_builder *b, struct deck_args *a)
{
	(void)read_dur(a, "time", 0, &b->d->drain);
	if (deck_args_more(a))
		(void)read_dur(a, "time of SIGTERM", 0, &b->d->stop);
	deck_args_end(a);
}

void proxyd_deck_cmd_subtask(struct proxyd_deck_builder *b, struct deck_args *a)
{
	(void)deck_args_u32(a, "threads", 1, PROXYD_SUBTASKS_MAX,
			    &b->d->subtasks);
	deck_args_end(a);
}

void proxyd_deck_cmd_log(struct proxyd_deck_builder *b, struct deck_args *a)
{
	tlsdeck_log_read(a, &b->d->log);
}

void proxyd_deck_cmd_metrics(struct proxyd_deck_builder *b, struct deck_args *a)
{
	(void)deck_args_path(a, "path", sizeof b->d->metrics - 1,
			     b->d->metrics);
	deck_args_end(a);
}

/* ---- canonical form
 * ---------------------------------------------------------- */

static void print_rules(const struct proxyd_settings *from,
			const struct proxyd_settings *to, FILE *out)
{
	uint32_t same = from->n_rules;
	char text[ADDR_TEXT_MAX];

	if (from->n_rules > to->n_rules ||
	    memcmp(from->rules, to->rules,
		   from->n_rules * sizeof from->rules[0]) != 0) {
		fprintf(out, "ALLOW FROM *\n");
		same = 0;
	}
	for (uint32_t i = same; i < to->n_rules; i++) {
		const struct proxyd_rule *r = &to->rules[i];

		fprintf(out, "%s FROM ", r->allow ? "ALLOW" : "DENY");
		if (r->from.addr.family == IP_NONE)
			fprintf(out, "ANY\n");
		else
			fprintf(out, "%s/%u\n", ip_format(&r->from.addr, text),
				r->from.len);
	}
}

static void print_dur(FILE *out, const char *words, dur_t from, dur_t to)
{
	char text[DECK_UNIT_TEXT_MAX];

	if (from.ns != to.ns)
		fprintf(out, "%s %s\n", words, deck_format_dur(to.ns, text));
}

static void print_health(FILE *out, const struct proxyd_health *from,
			 const struct proxyd_health *to)
{
	char interval[DECK_UNIT_TEXT_MAX], timeout[DECK_UNIT_TEXT_MAX];

	if (!to->on) {
		if (from->on)
			fprintf(out, "HEALTH OFF\n");
		return;
	}
	if (from->on && from->interval.ns == to->interval.ns &&
	    from->timeout.ns == to->timeout.ns && from->rise == to->rise &&
	    from->fall == to->fall)
		return;
	fprintf(out, "HEALTH %s %s %u %u\n",
		deck_format_dur(to->interval.ns, interval),
		deck_format_dur(to->timeout.ns, timeout), to->rise, to->fall);
}

void proxyd_deck_print_set(const struct proxyd_settings *from,
			   const struct proxyd_settings *to, FILE *out)
{
	tlsdeck_print(&from->tls, &to->tls, out);
	if (from->balance != to->balance)
		fprintf(out, "BALANCE %s\n", balance_words[to->balance]);
	print_health(out, &from->health, &to->health);
	print_dur(out, "TIMEOUT CONNECT", from->connect_timeout,
		  to->connect_timeout);
	print_dur(out, "TIMEOUT IDLE", from->idle_timeout, to->idle_timeout);
	print_dur(out, "TIMEOUT HANDSHAKE", from->handshake_timeout,
		  to->handshake_timeout);
	print_dur(out, "TIMEOUT UDP", from->udp_timeout, to->udp_timeout);
	if (from->client_max != to->client_max)
		fprintf(out, "LIMIT CLIENT %u\n", to->client_max);
	if (from->header_in != to->header_in)
		fprintf(out, "PROXYHEADER IN %s\n",
			header_words[to->header_in]);
	if (from->header_out != to->header_out)
		fprintf(out, "PROXYHEADER OUT %s\n",
			header_words[to->header_out]);
	print_rules(from, to, out);
}
