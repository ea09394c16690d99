/* display_tls.c: what is known of the daemon that takes connections over. */
#include "display.h"

#include "divert/divert.h"

#include <errno.h>
#include <stdio.h>

int display_tls(const struct display *d)
{
	static const struct table_col cols[] = {
		{"pid", "Process of tlsd", TABLE_RIGHT, 0},
		{"in_force", "Its rules are in force", TABLE_LEFT, 0},
		{"rules", "Rules", TABLE_RIGHT, 0},
		{"added", "Rules for one connection", TABLE_RIGHT, 0},
		{"connections", "Connections taken over", TABLE_RIGHT, 0},
		{"listeners", "Secure ports", TABLE_RIGHT, 0},
		{"held", "Connections held", TABLE_RIGHT, 0},
	};
	struct table *t = table_new(cols, ARRAY_SIZE(cols), d->json);
	struct api_divert_info i = {0};
	int r;

	if (!t)
		return -ENOMEM;
	if (d->api)
		api_divert_info(d->api, &i);
	if (i.pid)
		table_u64(t, (uint64_t)i.pid);
	else
		table_none(t);
	table_bool(t, i.live);
	table_u64(t, i.rules);
	table_u64(t, i.added);
	table_u64(t, i.conns);
	table_u64(t, i.listeners);
	table_u64(t, i.held);
	r = table_print_record(t, d->write, d->arg);
	table_free(t);
	return r;
}

static void address_cell(struct table *t, const struct proto_addr *a, int plen)
{
	char text[ADDR_TEXT_MAX];
	struct ip_port p;

	if (proto_addr_get(a, &p) < 0 || p.addr.family == IP_NONE)
		table_str(t, "any");
	else if (plen < 0)
		table_str(t, ip_format(&p.addr, text));
	else
		table_fmt(t, "%s/%d", ip_format(&p.addr, text), plen);
}

static void ports_cell(struct table *t, const struct divert_rule *r)
{
	if (r->port_lo == r->port_hi)
		table_fmt(t, "%u", r->port_lo);
	else
		table_fmt(t, "%u-%u", r->port_lo, r->port_hi);
}

int display_tls_rules(const struct display *d)
{
	static const struct table_col cols[] = {
		{"direction", "Direction", TABLE_LEFT, 0},
		{"ports", "Ports", TABLE_RIGHT, 0},
		{"wire_port", "Wire", TABLE_RIGHT, 0},
		{"remote", "Remote", TABLE_LEFT, 0},
		{"local", "Local", TABLE_LEFT, 0},
		{"uid", "User", TABLE_RIGHT, 0},
		{"program", "Program", TABLE_LEFT, 0},
		{"closed", "Closed", TABLE_LEFT, 0},
		{"clear", "Clear", TABLE_LEFT, 0},
	};
	struct table *t = table_new(cols, ARRAY_SIZE(cols), d->json);
	struct divert_rule rule;
	const char *program;
	int r;

	if (!t)
		return -ENOMEM;
	for (uint32_t i = 0;
	     d->api && api_divert_rule(d->api, i, &rule, &program); i++) {
		table_str(t, rule.flags & DIVERT_R_INBOUND ? "in" : "out");
		ports_cell(t, &rule);
		table_u64(t, rule.as_port);
		address_cell(t, &rule.remote, rule.plen);
		address_cell(t, &rule.local, -1);
		if (rule.flags & DIVERT_R_USER)
			table_u64(t, rule.uid);
		else
			table_none(t);
		table_str(t, program);
		table_bool(t, rule.flags & DIVERT_R_CLOSED);
		table_bool(t, rule.flags & DIVERT_R_PASS);
	}
	r = table_print(t, true, true, d->write, d->arg);
	table_free(t);
	return r;
}
