#include "conf/deck_equal.h"
#include "deck.h"
#include "deck/deck.h"
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- helpers
 * ------------------------------------------------------------------- */

static int parse(const char *text, struct stackd_deck *d,
		 struct deck_report *report)
{
	deck_report_init(report);
	return stackd_deck_parse("d", text, strlen(text), d, report);
}

static char *print(const struct stackd_deck *d)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	stackd_deck_print(d, f);
	fclose(f);
	return text;
}

/* A correct deck; fails the test with its notes otherwise. */
static void parse_ok(const char *text, struct stackd_deck *d)
{
	struct deck_report report;
	int r = parse(text, d, &report);

	if (r < 0) {
		fputs(text, stderr);
		deck_report_print(&report, stderr);
	}
	deck_report_fini(&report);
	assert_int_equal(r, 0);
}

static const char base[] = "ID 44\n"
			   "DEVICE OSA0 OSAX D10 PORTA D12\n"
			   "LINK OSA0 0 192.0.2.64 255.255.255.0 1500\n"
			   "LINK OSA0 1 2001:db8::64 /64 1400\n"
			   "ATTACH TCP/IP\n";

/* ---- what a deck becomes
 * --------------------------------------------------------- */

static void test_values(void **state)
{
	struct stackd_deck d;
	const struct deck_device *v;

	(void)state;
	parse_ok("ID 44\nCOUPLE 03\nINTERVAL 7\n"
		 "DEVICE OSA0 OSAX d10 PORTA d12\n"
		 "LINK OSA0 3 192.0.2.64 255.255.252.0 1492\n"
		 "ROUTE OSA0 192.0.2.5 255.255.252.0 0.0.0.0 0\n"
		 "ROUTE OSA0 0.0.0.0 0.0.0.0 192.0.2.1 9\n"
		 "DNS 192.0.2.53 PRI\nHOST VSE01 192.0.2.64\n"
		 "IN TCP ALLOW PORT 0\nATTACH TCP/IP\n",
		 &d);
	assert_string_equal(d.id, "44");
	assert_string_equal(d.couple, "03");
	assert_int_equal(d.interval_s, 7);
	v = stackd_deck_device(&d, "osa0");
	assert_non_null(v);
	assert_string_equal(v->cuu, "D10");
	assert_string_equal(v->ifname, "porta");
	assert_int_equal(v->medium, MEDIUM_TUN);
	assert_true(v->offload);
	assert_int_equal(v->fd, -1);
	assert_int_equal(v->line, 4);
	assert_int_equal(d.links[0].number, 3);
	assert_int_equal(d.links[0].plen, 22);
	assert_int_equal(d.n_routes, 2);
	/* the net is the operand ANDed with its mask */
	assert_int_equal(d.routes[0].route.dst.addr.b[2], 0);
	assert_int_equal(d.routes[0].route.dst.addr.b[3], 0);
	assert_int_equal(d.routes[0].route.gateway.family, IP_NONE);
	assert_true(mono_is_never(d.routes[0].route.until));
	assert_int_equal(d.routes[1].route.gateway.b[3], 1);
	assert_int_equal(d.routes[1].route.metric, 9);
	assert_true(d.dns[0].primary);
	assert_int_equal(d.rules[0].proto, IP_PROTO_TCP);
	assert_false(d.rules[0].deny);
	assert_int_equal(d.rules[0].port_hi, 0);
	assert_int_equal(d.rules[0].icmp_type, -1);
	assert_true(d.attached);
	stackd_deck_free(&d);
}

/* FROM and TO are remote and local on the way in, the other way out. */
static void test_rule_directions(void **state)
{
	struct stackd_deck d;

	(void)state;
	parse_ok("ID 44\nIN TCP DENY FROM 192.0.2.1 TO 198.51.100.1\n"
		 "OUT TCP DENY FROM 192.0.2.1 TO 198.51.100.1\n"
		 "ATTACH TCP/IP\n",
		 &d);
	assert_false(d.rules[0].out);
	assert_int_equal(d.rules[0].remote.addr.b[0], 192);
	assert_int_equal(d.rules[0].local.addr.b[0], 198);
	assert_true(d.rules[1].out);
	assert_int_equal(d.rules[1].remote.addr.b[0], 198);
	assert_int_equal(d.rules[1].local.addr.b[0], 192);
	assert_int_equal(d.rules[1].family, IP_V4);
	stackd_deck_free(&d);
}

static void test_defaults_are_the_engines(void **state)
{
	struct stack_config cfg;
	struct stackd_deck d;

	(void)state;
	stack_config_default(&cfg);
	parse_ok("ID 44\nATTACH TCP/IP\n", &d);
	assert_int_equal(d.interval_s, 120);
	assert_int_equal(d.priv_port_max, 1024);
	assert_int_equal(d.sock_max, cfg.sock_max);
	assert_int_equal(d.timewait_max, cfg.timewait_max);
	assert_int_equal(d.pool_limit_bytes, cfg.pool_limit_bytes);
	assert_int_equal(d.tcp.rto_min.ns, cfg.tcp.rto_min.ns);
	assert_int_equal(d.ip.ttl, cfg.ip.ttl);
	stackd_deck_free(&d);
}

static void test_mtu_is_the_smallest(void **state)
{
	struct stackd_deck d;

	(void)state;
	parse_ok(base, &d);
	assert_int_equal(stackd_deck_mtu(&d, "OSA0"), 1400);
	assert_int_equal(stackd_deck_mtu(&d, "OSA1"), 0);
	assert_null(stackd_deck_device(&d, "OSA1"));
	stackd_deck_free(&d);
}

static void test_failure_leaves_nothing(void **state)
{
	static const struct stackd_deck nothing;
	struct deck_report report;
	struct stackd_deck d;

	(void)state;
	assert_int_equal(parse("ID 44\nHOST A 192.0.2.1\nHOST B nowhere\n"
			       "IN TCP DENY\nATTACH TCP/IP\n",
			       &d, &report),
			 -EINVAL);
	assert_memory_equal(&d, &nothing, sizeof(d));
	stackd_deck_free(&d);
	deck_report_fini(&report);
	deck_report_init(&report);
	assert_int_equal(stackd_deck_read("/nonexistent", &d, &report),
			 -ENOENT);
	assert_int_equal(report.n_errors, 1);
	deck_report_fini(&report);
}

/* ---- limits
 * ------------------------------------------------------------------------- */

/* `n` lines made by a pattern with one number between base's ID and ATTACH. */
static char *many(const char *pattern, unsigned n)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	fwrite(base, 1, strlen(base) - strlen("ATTACH TCP/IP\n"), f);
	for (unsigned i = 0; i < n; i++) {
		for (const char *p = pattern; *p; p++) {
			if (*p == '#')
				fprintf(f, "%u", i);
			else if (*p == '@')
				fprintf(f, "%u.%u", i / 250, i % 250 + 1);
			else
				fputc(*p, f);
		}
		fputc('\n', f);
	}
	fprintf(f, "ATTACH TCP/IP\n");
	fclose(f);
	return text;
}

static void test_limits(void **state)
{
	static const struct {
		const char *pattern, *note;
		unsigned n;
	} limits[] = {
		{"HOST H# 10.0.@", "more than 4096 HOST commands", 4096},
		{"ROUTE OSA0 10.0.@ /32 0.0.0.0 0",
		 "more than 1024 ROUTE commands", 1024},
		{"IN TCP DENY PORT #", "more than 1024 IN and OUT commands",
		 1024},
		{"LINK OSA0 0 10.0.@ /16 *", "more than 64 LINK commands", 62},
		{"DEVICE D# OSAX 000 P# 000", "more than 16 DEVICE commands",
		 15},
		{"DNS 10.0.@", "more than 8 DNS commands", 8},
		{"ALLOW USER #", "more than 64 users or groups in ALLOW", 64},
		{"ADAPTER OSA0 HOSTADDR 10.0.@",
		 "more than 8 HOSTADDR for one device", 8},
	};
	struct deck_report report;
	struct stackd_deck d;
	char *text;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		bool found = false;

		text = many(limits[i].pattern, limits[i].n);
		assert_int_equal(parse(text, &d, &report), 0);
		free(text);
		stackd_deck_free(&d);
		deck_report_fini(&report);
		text = many(limits[i].pattern, limits[i].n + 1);
		assert_int_equal(parse(text, &d, &report), -EINVAL);
		for (uint32_t k = 0; k < report.n_notes; k++)
			found = found || strcmp(report.notes[k].text,
						limits[i].note) == 0;
		if (!found)
			deck_report_print(&report, stderr);
		assert_true(found);
		free(text);
		deck_report_fini(&report);
	}
}

/* ---- the canonical deck
 * ------------------------------------------------------------ */

static uint32_t rnd(uint64_t *s, uint32_t n)
{
	*s = *s * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*s >> 33) % n;
}

static void random_addr(uint64_t *s, bool v6, char *buf, size_t cap)
{
	if (v6)
		snprintf(buf, cap, "2001:DB8:%x::%x", rnd(s, 65536),
			 rnd(s, 65535) + 1);
	else
		snprintf(buf, cap, "%u.%u.%u.%u", rnd(s, 90) + 10, rnd(s, 256),
			 rnd(s, 256), rnd(s, 254) + 1);
}

static void random_rule(uint64_t *s, FILE *f)
{
	static const char *const protos[] = {"TCP", "udp", "ICMP", "ICMP6",
					     "ALL"};
	uint32_t p = rnd(s, 5);
	bool v6 = p == 3 || (p != 2 && rnd(s, 2));
	char addr[ADDR_TEXT_MAX];

	fprintf(f, "%s %s %s", rnd(s, 2) ? "IN" : "OUT", protos[p],
		rnd(s, 2) ? "ALLOW" : "DENY");
	for (int side = 0; side < 2; side++) {
		random_addr(s, v6, addr, sizeof(addr));
		if (rnd(s, 2))
			fprintf(f, " %s %s/%u", side ? "TO" : "FROM", addr,
				rnd(s, v6 ? 129 : 33));
	}
	if (p < 2 && rnd(s, 2))
		fprintf(f, " PORT %u", rnd(s, 65536));
	else if (p < 2 && rnd(s, 2))
		fprintf(f, " PORT %u-%u", rnd(s, 1000), 1000 + rnd(s, 1000));
	if ((p == 2 || p == 3) && rnd(s, 2)) {
		fprintf(f, " TYPE %u", rnd(s, 256));
		if (rnd(s, 2))
			fprintf(f, " CODE %u", rnd(s, 256));
	}
	fputc('\n', f);
}

static void random_adapter(uint64_t *s, unsigned i, bool layer2, FILE *f)
{
	char addr[ADDR_TEXT_MAX];

	if (rnd(s, 4) == 0) {
		fprintf(f, "ADAPTER D%u MEDIUM SEQPACKET /run/%u%s\n", i, i,
			rnd(s, 2) ? " LISTEN" : "");
		return;
	}
	if (rnd(s, 2))
		fprintf(f, "ADAPTER D%u MEDIUM %s\n", i,
			layer2 || rnd(s, 2) ? "TAP VLAN 9 BRIDGE br0 ISOLATE"
					    : "TUN");
	if (rnd(s, 2))
		fprintf(f, "ADAPTER D%u QUEUES %u OFFLOAD %s IFNAME i%u\n", i,
			rnd(s, 16) + 1, rnd(s, 2) ? "ON" : "off", i);
	for (unsigned n = rnd(s, 3); n; n--) {
		random_addr(s, rnd(s, 2), addr, sizeof(addr));
		fprintf(f, "ADAPTER D%u HOSTADDR %s/%u HOSTROUTES\n", i, addr,
			rnd(s, 32) + 1);
	}
}

static void random_device(uint64_t *s, unsigned i, FILE *f)
{
	bool layer2 = rnd(s, 2), v6;
	char addr[ADDR_TEXT_MAX];

	fprintf(f, "DEVICE D%u OSAX %03x Port%u %04X", i, i * 2, i, i * 2 + 1);
	if (layer2)
		fprintf(f, " LAYER2 02005E00%04x", i);
	fputc('\n', f);
	random_adapter(s, i, layer2, f);
	for (unsigned n = rnd(s, 4); n; n--) {
		v6 = rnd(s, 2);
		random_addr(s, v6, addr, sizeof(addr));
		fprintf(f, "LINK d%u %u %s /%u %u\n", i, rnd(s, 256), addr,
			v6 ? rnd(s, 128) + 1 : 32, 1280 + rnd(s, 64000));
		random_addr(s, v6, addr, sizeof(addr));
		fprintf(f, "ROUTE D%u %s /%u %s %u\n", i, addr,
			rnd(s, v6 ? 129 : 33), v6 ? "::0" : "0.0.0.0",
			rnd(s, 65536));
		fprintf(f, "ROUTE D%u %s %s %s 1\n", i, v6 ? "::" : "0.0.0.0",
			v6 ? "::0" : "0.0.0.0", v6 ? "fe80::1" : "9.9.9.9");
	}
}

static void random_tune(uint64_t *s, FILE *f)
{
	static const char *const cc[] = {"CUBIC", "NEWRENO", "BBR"};

	fprintf(f, "TCP RTO_MIN %uUS DELACK %uMS KEEPIDLE %uS\n",
		2000 + rnd(s, 100000), rnd(s, 501), 1 + rnd(s, 32767));
	fprintf(f, "TCP ECN %s CC %s SACK %s\n", rnd(s, 2) ? "ON" : "PASSIVE",
		cc[rnd(s, 3)], rnd(s, 2) ? "ON" : "OFF");
	fprintf(f, "TCP SNDBUF %u SNDBUF_MAX %uK\nIP TTL %u RA %s\n",
		4096 + rnd(s, 100000), 200 + rnd(s, 10000), 1 + rnd(s, 255),
		rnd(s, 2) ? "ON" : "OFF");
	fprintf(f, "LIMIT SOCKETS %u MEMORY %uM\n", 16 + rnd(s, 1000000),
		1 + rnd(s, 100000));
	fprintf(f, "ALLOW USER %u %u\nALLOW GROUP %u\n", rnd(s, 9), rnd(s, 9),
		rnd(s, 60000));
}

static char *random_deck(uint64_t seed)
{
	uint64_t s = seed;
	char *text = NULL, addr[ADDR_TEXT_MAX];
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (rnd(&s, 2))
		fprintf(f, "* $$ JOB JNM=JOB%u,CLASS=S\n", rnd(&s, 100));
	fprintf(f, "ID %02u\n", rnd(&s, 50));
	if (rnd(&s, 2))
		fprintf(f, "COUPLE %u\n", 50 + rnd(&s, 50));
	for (unsigned i = 0, n = rnd(&s, 5); i < n; i++)
		random_device(&s, i, f);
	for (unsigned n = rnd(&s, 30); n; n--)
		random_rule(&s, f);
	for (unsigned n = rnd(&s, 20); n; n--) {
		random_addr(&s, rnd(&s, 2), addr, sizeof(addr));
		fprintf(f, "HOST h%u %s\n", rnd(&s, 9), addr);
	}
	if (rnd(&s, 2))
		random_tune(&s, f);
	if (rnd(&s, 2))
		fprintf(f, "SEARCH a.example b%u\nRESERVE %u\nPORTS %u 65535\n",
			rnd(&s, 99), rnd(&s, 65536), 1 + rnd(&s, 65535));
	fprintf(f, "ATTACH TCP/IP\n");
	fclose(f);
	return text;
}

/* Any correct deck, printed and read again, says the same and prints the
 * same. */
static void test_round_trip(void **state)
{
	unsigned correct = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 400; seed++) {
		char *text = random_deck(seed), *once, *twice;
		struct stackd_deck d, again;
		struct deck_report report;
		const char *differs;
		int r = parse(text, &d, &report);

		deck_report_fini(&report);
		if (r < 0) { /* such as a doubled address, rarely */
			free(text);
			continue;
		}
		correct++;
		once = print(&d);
		parse_ok(once, &again);
		twice = print(&again);
		differs = deck_differs(&d, &again);
		if (differs || strcmp(once, twice) != 0)
			print_error("seed %u: %s\n%s", (unsigned)seed,
				    differs ? differs : "print", text);
		assert_null(differs);
		assert_string_equal(once, twice);
		stackd_deck_free(&d);
		stackd_deck_free(&again);
		free(text);
		free(once);
		free(twice);
	}
	assert_true(correct > 200);
}

/* Every tunable has a word: change each byte of the structs that a word can
 * reach, print, read, and nothing may be lost. */
static void test_every_tunable_has_a_word(void **state)
{
	struct stackd_deck d, again;
	char *text;

	(void)state;
	parse_ok(base, &d);
	d.tcp = (struct tcp_tune){
		.rto_initial = DUR_MS(1001),
		.rto_min = DUR_MS(201),
		.rto_max = DUR_S(121),
		.delack = DUR_MS(41),
		.timewait = DUR_S(61),
		.fin_wait2 = DUR_S(62),
		.keep_idle = DUR_S(7201),
		.keep_intvl = DUR_S(76),
		.keep_count = 10,
		.syn_retries = 7,
		.synack_retries = 8,
		.retries2 = 16,
		.orphan_retries = 9,
		.initial_cwnd_segs = 11,
		.sndbuf_init = 65537,
		.sndbuf_max = 5u << 20,
		.rcvbuf_init = 131073,
		.rcvbuf_max = 7u << 20,
		.syn_backlog_max = 1025,
		.challenge_acks_per_s = 1001,
		.timestamps = !d.tcp.timestamps,
		.sack = !d.tcp.sack,
		.window_scaling = !d.tcp.window_scaling,
		.syn_cookies = !d.tcp.syn_cookies,
		.ecn = TCP_ECN_ON,
		.cc = TCP_CC_NEWRENO,
	};
	d.ip = (struct ip_tune){
		.reasm_limit_bytes = 5u << 20,
		.reasm_per_src = 65,
		.icmp_errors_per_s = 101,
		.neigh_max = 1025,
		.neigh_queue_pkts = 9,
		.ttl = 65,
		.redirects = !d.ip.redirects,
		.accept_ra = !d.ip.accept_ra,
		.ra_routes = !d.ip.ra_routes,
		.ra_addrs = !d.ip.ra_addrs,
		.ra_dns = !d.ip.ra_dns,
		.ra_hop_min = 33,
		.temp_addrs = !d.ip.temp_addrs,
		.dad_transmits = 2,
		.arp_probes = 4,
	};
	text = print(&d);
	parse_ok(text, &again);
	assert_null(deck_differs(&d, &again));
	/* a field that was added needs a word, a value above, and a line in
	 * deck_equal.c */
	assert_int_equal(sizeof(struct tcp_tune), 128);
	assert_int_equal(sizeof(struct ip_tune), 36);
	free(text);
	stackd_deck_free(&d);
	stackd_deck_free(&again);
}

/* ---- console
 * ----------------------------------------------------------------------- */

static int command(const struct stackd_deck *d, const char *line,
		   struct stackd_change *c)
{
	struct deck_report report;
	int r;

	deck_report_init(&report);
	r = stackd_deck_command(line, d, c, &report);
	assert_int_equal(r<0, report.n_errors> 0);
	deck_report_fini(&report);
	return r;
}

static void test_changes(void **state)
{
	struct stackd_change c;
	struct stackd_deck d;

	(void)state;
	parse_ok(base, &d);
	assert_int_equal(command(&d, "in tcp deny port 23", &c), 0);
	assert_int_equal(c.kind, STACKD_CHANGE_RULE);
	assert_int_equal(c.rule.port_lo, 23);
	assert_int_equal(d.n_rules, 0); /* nothing changed yet */
	assert_int_equal(stackd_deck_apply(&d, &c), 0);
	assert_int_equal(d.n_rules, 1);
	assert_int_equal(command(&d, "DELETE RULES", &c), 0);
	assert_int_equal(stackd_deck_apply(&d, &c), 0);
	assert_int_equal(d.n_rules, 0);

	assert_int_equal(command(&d, "ROUTE OSA0 10.0.0.0 /8 192.0.2.1 1", &c),
			 0);
	assert_int_equal(stackd_deck_apply(&d, &c), 0);
	assert_int_equal(stackd_deck_apply(&d, &c), -EEXIST);
	assert_int_equal(
		command(&d, "DELETE ROUTE osa0 10.0.0.0 /8 192.0.2.1 1", &c),
		0);
	assert_int_equal(c.kind, STACKD_CHANGE_ROUTE_DEL);
	assert_int_equal(stackd_deck_apply(&d, &c), 0);
	assert_int_equal(stackd_deck_apply(&d, &c), -ENOENT);

	assert_int_equal(command(&d, "DNS 192.0.2.53", &c), 0);
	assert_int_equal(stackd_deck_apply(&d, &c), 0);
	assert_int_equal(command(&d, "DELETE DNS 192.0.2.53", &c), 0);
	assert_int_equal(stackd_deck_apply(&d, &c), 0);
	assert_int_equal(d.n_dns, 0);
	assert_int_equal(stackd_deck_apply(&d, &c), -ENOENT);
	stackd_deck_free(&d);
}

static void test_host_changes(void **state)
{
	static const char *const lines[] = {"HOST A 192.0.2.1",
					    "HOST A 192.0.2.2",
					    "HOST B 192.0.2.1", "HOST a ::1"};
	struct stackd_change c;
	struct stackd_deck d;

	(void)state;
	parse_ok(base, &d);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		assert_int_equal(command(&d, lines[i], &c), 0);
		assert_int_equal(stackd_deck_apply(&d, &c), 0);
	}
	assert_int_equal(command(&d, "DELETE HOST A 192.0.2.2", &c), 0);
	assert_int_equal(stackd_deck_apply(&d, &c), 0);
	assert_int_equal(d.n_hosts, 3);
	assert_int_equal(command(&d, "DELETE HOST a", &c), 0);
	assert_int_equal(stackd_deck_apply(&d, &c), 0);
	assert_int_equal(d.n_hosts, 1);
	assert_string_equal(d.hosts[0].name, "B");
	assert_int_equal(stackd_deck_apply(&d, &c), -ENOENT);
	stackd_deck_free(&d);
}

static void test_tune_changes(void **state)
{
	struct stackd_change c;
	struct stackd_deck d;

	(void)state;
	parse_ok(base, &d);
	assert_int_equal(command(&d, "TCP DELACK 10MS CC NEWRENO", &c), 0);
	assert_int_equal(c.tcp.delack.ns, 10000000);
	assert_int_equal(c.tcp.rto_min.ns, d.tcp.rto_min.ns);
	assert_int_equal(stackd_deck_apply(&d, &c), 0);
	assert_int_equal(d.tcp.cc, TCP_CC_NEWRENO);
	assert_int_equal(command(&d, "TCP RTO_MIN 60S RTO_MAX 1S", &c),
			 -EINVAL);
	assert_int_equal(command(&d, "IP TTL 3", &c), 0);
	assert_int_equal(stackd_deck_apply(&d, &c), 0);
	assert_int_equal(d.ip.ttl, 3);
	stackd_deck_free(&d);
}

static void test_bad_commands_cost_nothing(void **state)
{
	static const char *const lines[] = {
		"",
		"* comment",
		"DEVICE OSA9 OSAX D10 P D12",
		"ID 45",
		"ATTACH TCP/IP",
		"IN TCP",
		"ROUTE OSA9 10.0.0.0 /8 0.0.0.0 0",
		"DELETE",
		"DELETE EVERYTHING",
		"DELETE RULES NOW",
		"HOST A",
		"IN TCP DENY\nIN UDP DENY",
		"// EXEC BSTTINET",
		"* $$ SLI MEM=X",
	};
	struct stackd_deck d;
	char *before, *after;

	(void)state;
	parse_ok(base, &d);
	before = print(&d);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct stackd_change c = {.kind = STACKD_CHANGE_TCP,
					  .ip.ttl = 77};

		assert_int_equal(command(&d, lines[i], &c), -EINVAL);
		assert_int_equal(c.kind, STACKD_CHANGE_TCP); /* untouched */
		assert_int_equal(c.ip.ttl, 77);
	}
	after = print(&d);
	assert_string_equal(before, after);
	free(before);
	free(after);
	stackd_deck_free(&d);
}

/* A member that exists is not read for the console. */
static void test_console_reads_no_files(void **state)
{
	char dir[] = "/tmp/couplet-deck-XXXXXX", path[64];
	struct stackd_change c;
	struct stackd_deck d;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/member", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("HOST A 192.0.2.1\n", f);
	fclose(f);
	assert_int_equal(chdir(dir), 0);
	parse_ok(base, &d);
	assert_int_equal(command(&d, "* $$ SLI MEM=MEMBER", &c), -EINVAL);
	stackd_deck_free(&d);
	/* a deck does read it */
	parse_ok("ID 44\n* $$ SLI MEM=MEMBER\nATTACH TCP/IP\n", &d);
	assert_int_equal(d.n_hosts, 1);
	stackd_deck_free(&d);
	assert_int_equal(chdir("/"), 0);
	unlink(path);
	rmdir(dir);
}

static void test_is_command(void **state)
{
	(void)state;
	assert_true(stackd_deck_is_command("route"));
	assert_true(stackd_deck_is_command("DELETE"));
	assert_false(stackd_deck_is_command("DEVICE"));
	assert_false(stackd_deck_is_command("QUERY"));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_values),
	cmocka_unit_test(test_rule_directions),
	cmocka_unit_test(test_defaults_are_the_engines),
	cmocka_unit_test(test_mtu_is_the_smallest),
	cmocka_unit_test(test_failure_leaves_nothing),
	cmocka_unit_test(test_limits),
	cmocka_unit_test(test_round_trip),
	cmocka_unit_test(test_every_tunable_has_a_word),
	cmocka_unit_test(test_changes),
	cmocka_unit_test(test_host_changes),
	cmocka_unit_test(test_tune_changes),
	cmocka_unit_test(test_bad_commands_cost_nothing),
	cmocka_unit_test(test_console_reads_no_files),
	cmocka_unit_test(test_is_command),
};

UNIT_MAIN(tests)
