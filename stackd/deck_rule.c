#include "deck_parts.h"

#include <string.h>
#include <strings.h>

/* ---- IN|OUT protocol ALLOW|DENY [selectors]
 * ---------------------------------- */

enum proto { PROTO_TCP, PROTO_UDP, PROTO_ICMP, PROTO_ICMP6, PROTO_ALL };

static const char *const protos[] = {"TCP", "UDP", "ICMP", "ICMP6", "ALL"};

static void set_proto(struct ip_rule *r, unsigned i)
{
	static const uint8_t numbers[] = {
		[PROTO_TCP] = IP_PROTO_TCP,
		[PROTO_UDP] = IP_PROTO_UDP,
		[PROTO_ICMP] = IP_PROTO_ICMP,
		[PROTO_ICMP6] = IP_PROTO_ICMPV6,
		[PROTO_ALL] = 0,
	};

	r->proto = numbers[i];
	r->any_proto = i == PROTO_ALL;
	r->family = i == PROTO_ICMP    ? IP_V4
		    : i == PROTO_ICMP6 ? IP_V6
				       : IP_NONE;
}

static bool has_ports(const struct ip_rule *r)
{
	return r->proto == IP_PROTO_TCP || r->proto == IP_PROTO_UDP;
}

static bool is_icmp(const struct ip_rule *r)
{
	return r->proto == IP_PROTO_ICMP || r->proto == IP_PROTO_ICMPV6;
}

static void read_ports(struct deck_args *a, struct ip_rule *r)
{
	if (!has_ports(r))
		deck_args_note(a, DECK_ERROR,
			       "PORT: expected with TCP or UDP only");
	deck_args_range(a, "port", 0, 65535, &r->port_lo, &r->port_hi);
}

static void read_type(struct deck_args *a, struct ip_rule *r)
{
	uint32_t v;

	if (!is_icmp(r))
		deck_args_note(a, DECK_ERROR,
			       "TYPE: expected with ICMP or ICMP6 only");
	if (deck_args_u32(a, "type", 0, 255, &v))
		r->icmp_type = (int)v;
	if (deck_args_is(a, "CODE") && deck_args_u32(a, "code", 0, 255, &v))
		r->icmp_code = (int)v;
}

/* Is the next operand the mask of the address before it? */
static bool mask_follows(const struct deck_args *a)
{
	const char *next = deck_args_peek(a);
	struct ip_addr addr;

	return next && (next[0] == '/' || ip_parse(next, &addr) == 0);
}

/* "address", "address/n", or address and mask as two operands. */
static void read_prefix(struct deck_args *a, const char *what,
			struct ip_rule *r, struct ip_prefix *ret)
{
	enum ip_family family = (enum ip_family)r->family;
	struct ip_prefix p;

	if (!deck_args_prefix(a, what, family, &p))
		return;
	family = (enum ip_family)p.addr.family;
	if (mask_follows(a) && !deck_args_mask(a, "mask", family, 0, &p.len))
		return;
	r->family = p.addr.family;
	*ret = ip_prefix_make(&p.addr, p.len);
}

static void read_selectors(struct deck_args *a, struct ip_rule *r)
{
	static const char *const words[] = {"PORT", "TYPE", "FROM", "TO"};
	unsigned seen = 0, i;

	while (deck_args_more(a)) {
		if (!deck_args_word(a, "selector", words, ARRAY_SIZE(words),
				    &i))
			return;
		if (seen & 1u << i)
			deck_args_note(a, DECK_ERROR, "%s: expected only once",
				       words[i]);
		seen |= 1u << i;
		if (i == 0)
			read_ports(a, r);
		else if (i == 1)
			read_type(a, r);
		else if ((i == 2) != r->out)
			read_prefix(a, words[i], r, &r->remote);
		else
			read_prefix(a, words[i], r, &r->local);
	}
}

bool stackd_deck_parse_rule(struct deck_args *a, struct ip_rule *ret)
{
	static const char *const verdicts[] = {"ALLOW", "DENY"};
	struct ip_rule r = {.icmp_type = -1, .icmp_code = -1};
	unsigned i;

	r.out = strcmp(a->cmd->keyword, "OUT") == 0;
	if (!deck_args_word(a, "protocol", protos, ARRAY_SIZE(protos), &i))
		return false; /* selectors depend on it */
	set_proto(&r, i);
	if (deck_args_word(a, "verdict", verdicts, ARRAY_SIZE(verdicts), &i))
		r.deny = i == 1;
	read_selectors(a, &r);
	if (!deck_args_end(a))
		return false;
	*ret = r;
	return true;
}

void stackd_deck_cmd_rule(struct stackd_deck_builder *b, struct deck_args *a)
{
	struct ip_rule r;

	if (stackd_deck_parse_rule(a, &r))
		stackd_deck_added(b, a, stackd_deck_add_rule(b->d, &r),
				  "IN and OUT commands", DECK_RULES_MAX);
}

/* ---- canonical form
 * -------------------------------------------------------------- */

static const char *proto_name(const struct ip_rule *r)
{
	switch (r->proto) {
	case IP_PROTO_TCP:
		return protos[PROTO_TCP];
	case IP_PROTO_UDP:
		return protos[PROTO_UDP];
	case IP_PROTO_ICMP:
		return protos[PROTO_ICMP];
	case IP_PROTO_ICMPV6:
		return protos[PROTO_ICMP6];
	default:
		return protos[PROTO_ALL];
	}
}

static void print_prefix(const char *word, const struct ip_prefix *p, FILE *out)
{
	char text[ADDR_TEXT_MAX];

	if (p->addr.family != IP_NONE)
		fprintf(out, " %s %s/%u", word, ip_format(&p->addr, text),
			p->len);
}

void stackd_deck_print_rule(const struct ip_rule *r, FILE *out)
{
	fprintf(out, "%s %s %s", r->out ? "OUT" : "IN", proto_name(r),
		r->deny ? "DENY" : "ALLOW");
	if (has_ports(r) && r->port_lo == r->port_hi)
		fprintf(out, " PORT %u", r->port_lo);
	else if (has_ports(r))
		fprintf(out, " PORT %u-%u", r->port_lo, r->port_hi);
	if (r->icmp_type >= 0)
		fprintf(out, " TYPE %d", r->icmp_type);
	if (r->icmp_code >= 0)
		fprintf(out, " CODE %d", r->icmp_code);
	print_prefix("FROM", r->out ? &r->local : &r->remote, out);
	print_prefix("TO", r->out ? &r->remote : &r->local, out);
	fputc('\n', out);
}
