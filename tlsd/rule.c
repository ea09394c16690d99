/*
 * rule.c: the rules of a deck with the policies they come to, and what stackd
 * is told of them. A connection keeps the rule under which it began, so that
 * a reload changes nothing for it.
 */
#include "daemon/log.h"
#include "keys/keys.h"
#include "tlsd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RULE_TEXT_MAX 1536

/* ---- life ---------------------------------------------------------------- */

struct rule *rule_ref(struct rule *r)
{
	r->refs++;
	return r;
}

void rule_unref(struct rule *r)
{
	if (!r || --r->refs)
		return;
	tls_policy_unref(r->policy);
	rule_unref(r->owner);
	free(r);
}

void rules_free(struct rules *r)
{
	for (uint32_t i = 0; i < r->n; i++)
		rule_unref(r->at[i]);
	free(r->at);
	*r = (struct rules){0};
}

static struct rule *find(const struct rules *r, uint32_t id)
{
	for (uint32_t i = 0; i < r->n; i++) {
		if (r->at[i]->id == id)
			return r->at[i];
	}
	return NULL;
}

struct rule *rules_find(const struct tlsd *td, uint32_t id)
{
	struct rule *r = find(&td->rules, id);

	if (!r)
		r = find(&td->before, id);
	for (struct list *n = td->data.next; !r && n != &td->data;
	     n = n->next) {
		struct rule *data = container_of(n, struct rule, node);

		if (data->id == id)
			r = data;
	}
	return r;
}

static void inherit(struct rule *to, const struct rule *from)
{
	char a[RULE_TEXT_MAX], b[RULE_TEXT_MAX];
	uint32_t active = to->n.active;

	if (to->d.target == TLSD_HOST && from->d.target == TLSD_HOST &&
	    !to->n_addrs && to->d.family == from->d.family &&
	    strcmp(to->d.host, from->d.host) == 0) {
		memcpy(to->addrs, from->addrs, sizeof(to->addrs));
		to->n_addrs = from->n_addrs;
	}
	if (to->number == from->number &&
	    strcmp(tlsd_rule_text(&to->d, a, sizeof(a)),
		   tlsd_rule_text(&from->d, b, sizeof(b))) == 0) {
		to->n = from->n;
		to->n.active = active;
	}
}

void rules_inherit(struct rules *to, const struct rules *from)
{
	for (uint32_t i = 0; i < to->n; i++) {
		for (uint32_t k = 0; k < from->n; k++)
			inherit(to->at[i], from->at[k]);
	}
}

/* ---- policies ------------------------------------------------------------ */

static void tell_notes(uint32_t number, char *notes)
{
	char *next = notes, *line;

	while ((line = strsep(&next, "\n"))) {
		if (*line)
			log_msg(MSG_CPLT507W, number, line);
	}
}

static int make_policy(struct tlsd *td, struct rule *r)
{
	struct tlsdeck_shared shared = {
		.keys = td->keys, .tickets = td->tickets, .cache = td->cache};
	char why[TLS_WHY_MAX] = "", notes[TLS_WHY_MAX] = "", name[32];
	struct tls_settings s = r->d.tls;
	int e;

	snprintf(name, sizeof(name), "ATTLS %u", r->number);
	e = tlsdeck_policy(&s, r->d.inbound ? TLS_SERVER : TLS_CLIENT, name,
			   r->d.keyfiles, &shared, &r->policy, why, notes);
	if (e < 0) {
		log_msg(MSG_CPLT506E, r->number, r->d.line, why);
		return e;
	}
	tell_notes(r->number, notes);
	return 0;
}

static struct rule *rule_new(struct tlsd *td, const struct tlsd_rule *d,
			     uint32_t number)
{
	struct rule *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->refs = 1;
	r->id = ++td->last_rule_id;
	r->number = number;
	r->d = *d;
	list_init(&r->node);
	return r;
}

int rules_make(struct tlsd *td, const struct tlsd_deck *deck, struct rules *ret)
{
	struct rules rs = {.at = calloc(deck->n_rules, sizeof(*rs.at))};
	int r = rs.at ? 0 : -ENOMEM;

	/* all of them, so that one start names every mistake */
	for (uint32_t i = 0; i < deck->n_rules && r != -ENOMEM; i++) {
		struct rule *rule = rule_new(td, &deck->rules[i], i + 1);
		int one = -ENOMEM;

		if (rule) {
			rs.at[rs.n++] = rule;
			one = rule->d.clear ? 0 : make_policy(td, rule);
		}
		if (one < 0)
			r = one;
	}
	if (r < 0)
		rules_free(&rs);
	else
		*ret = rs;
	return r;
}

/* ---- names --------------------------------------------------------------- */

const char *rule_peer_name(const struct rule *r, const struct ip_addr *to,
			   char *buf)
{
	const char *name = r->d.name[0]   ? r->d.name
			   : r->d.host[0] ? r->d.host
					  : NULL;

	if (name && strcmp(name, "*") == 0)
		return NULL;
	if (name)
		snprintf(buf, TLSD_HOST_MAX, "%s", name);
	else
		ip_format(to, buf);
	return buf;
}

/* ---- what stackd is told ------------------------------------------------- */

static void put_addr(const struct ip_addr *a, struct proto_addr *ret)
{
	proto_addr_put(&(struct ip_port){.addr = *a}, ret);
}

static struct divert_msg basic(const struct rule *r)
{
	struct divert_msg m = {.op = DIVERT_RULE};

	m.rule = (struct divert_rule){
		.id = r->id,
		.port_lo = r->d.port_lo,
		.port_hi = r->d.port_hi,
		.as_port = r->d.as_port,
		.uid = r->d.uid,
	};
	if (r->d.inbound)
		m.rule.flags |= DIVERT_R_INBOUND;
	if (r->d.user_given)
		m.rule.flags |= DIVERT_R_USER;
	if (r->d.closed)
		m.rule.flags |= DIVERT_R_CLOSED;
	if (r->d.clear)
		m.rule.flags |= DIVERT_R_PASS;
	memcpy(m.text, r->d.program, sizeof(m.text));
	return m;
}

static int send_to(struct tlsd *td, const struct rule *r,
		   const struct ip_addr *a, uint8_t plen)
{
	struct divert_msg m = basic(r);

	/* a rule for one family says nothing about the other */
	if (r->d.family && r->d.family != a->family)
		return 0;
	put_addr(a, &m.rule.remote);
	m.rule.plen = plen;
	return door_send(td, &m);
}

static int send_range(struct tlsd *td, const struct rule *r)
{
	struct ip_prefix p[TLSD_PREFIXES_MAX];
	int n = tlsd_range_prefixes(&r->d.lo, &r->d.hi, p, TLSD_PREFIXES_MAX);
	int e = MIN(n, 0);

	for (int i = 0; i < n && e == 0; i++)
		e = send_to(td, r, &p[i].addr, p[i].len);
	return e;
}

static int send_any(struct tlsd *td, const struct rule *r)
{
	struct divert_msg m = basic(r);

	if (r->d.family) {
		struct ip_addr any = ip_any((enum ip_family)r->d.family);

		put_addr(&any, r->d.inbound ? &m.rule.local : &m.rule.remote);
	}
	if (r->d.at.family)
		put_addr(&r->d.at, &m.rule.local);
	return door_send(td, &m);
}

static int send_host(struct tlsd *td, struct rule *r)
{
	int e = 0;

	for (uint32_t i = 0; i < r->n_addrs && e == 0; i++)
		e = send_to(td, r, &r->addrs[i],
			    (uint8_t)(8 * ip_addr_len(&r->addrs[i])));
	return e;
}

static int send_rule(struct tlsd *td, struct rule *r)
{
	switch (r->d.target) {
	case TLSD_ANY:
		return send_any(td, r);
	case TLSD_PREFIX:
		return r->d.inbound ? send_any(td, r)
				    : send_to(td, r, &r->d.lo, r->d.plen);
	case TLSD_RANGE:
		return send_range(td, r);
	case TLSD_HOST:
		return send_host(td, r);
	}
	return -EINVAL;
}

int rules_register(struct tlsd *td)
{
	struct divert_msg m = {.op = DIVERT_BEGIN};
	int e;

	if (!td->resolved)
		return 0; /* again when hosts have addresses */
	e = door_send(td, &m);

	for (uint32_t i = 0; i < td->rules.n && e == 0; i++)
		e = send_rule(td, td->rules.at[i]);
	m.op = DIVERT_COMMIT;
	return e == 0 ? door_send(td, &m) : e;
}

/* ---- rules for one connection -------------------------------------------- */

struct rule *rule_for_data(struct tlsd *td, struct rule *owner, bool inbound,
			   const struct ip_port *to)
{
	struct rule *r = rule_new(td, &owner->d, owner->number);
	struct divert_msg m = {.op = DIVERT_ADD};

	if (!r)
		return NULL;
	r->owner = rule_ref(owner);
	r->policy = tls_policy_ref(owner->policy);
	r->d.tls.ftp = false;
	r->d.starttls = TLSD_NO_STARTTLS;
	m.rule = (struct divert_rule){
		.id = r->id,
		/* of any user: a server's child is often another one */
		.flags = DIVERT_R_ONCE | (inbound ? DIVERT_R_INBOUND : 0),
		.port_lo = to->port,
		.port_hi = to->port,
		.as_port = to->port,
	};
	if (!inbound) {
		put_addr(&to->addr, &m.rule.remote);
		m.rule.plen = (uint8_t)(8 * ip_addr_len(&to->addr));
	}
	if (door_send(td, &m) < 0) {
		rule_unref(r);
		return NULL;
	}
	list_push_tail(&td->data, &r->node);
	return r;
}

void rule_end_data(struct tlsd *td, struct rule *r)
{
	struct divert_msg m = {.op = DIVERT_DELETE};

	m.rule.id = r->id;
	(void)!door_send(td, &m);
	list_remove(&r->node);
	rule_unref(r);
}
