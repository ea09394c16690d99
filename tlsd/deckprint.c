/* deckprint.c: a tlsd deck in canonical form. */
#include "deck.h"

#include "upgrade/upgrade.h"

#include <string.h>

static void print_target(const struct tlsd_rule *r, FILE *out)
{
	char a[ADDR_TEXT_MAX], b[ADDR_TEXT_MAX];

	switch (r->target) {
	case TLSD_ANY:
		fputs(" TO ANY", out);
		break;
	case TLSD_PREFIX:
		fprintf(out, " TO %s", ip_format(&r->lo, a));
		if (r->plen != 8 * ip_addr_len(&r->lo))
			fprintf(out, "/%u", r->plen);
		break;
	case TLSD_RANGE:
		fprintf(out, " TO %s-%s", ip_format(&r->lo, a),
			ip_format(&r->hi, b));
		break;
	case TLSD_HOST:
		fprintf(out, " TO %s", r->host);
		break;
	}
}

static void print_rule(const struct tlsd_rule *r, FILE *out)
{
	char text[ADDR_TEXT_MAX];

	fprintf(out, "ATTLS %u", r->port_lo);
	if (r->port_hi != r->port_lo)
		fprintf(out, "-%u", r->port_hi);
	if (!r->inbound)
		print_target(r, out);
	if (r->clear)
		fputs(" CLEAR", out);
	else
		fprintf(out, " AS %u SSL%s%s", r->as_port,
			r->keyfiles[0] ? " " : "", r->keyfiles);
	if (r->name[0])
		fprintf(out, " NAME %s", r->name);
	if (r->user_given)
		fprintf(out, " USER %u", r->uid);
	if (r->program[0])
		fprintf(out, " PROGRAM %s", r->program);
	if (r->family)
		fprintf(out, " FAMILY V%u", r->family);
	if (r->at.family)
		fprintf(out, " AT %s", ip_format(&r->at, text));
	if (r->closed)
		fputs(" CLOSED", out);
	if (r->starttls != TLSD_NO_STARTTLS)
		fprintf(out, " STARTTLS %s%s",
			upgrade_name((enum upgrade_proto)r->starttls),
			r->optional ? " OPTIONAL" : "");
	if (r->controlled)
		fputs(" CONTROLLED", out);
	if (r->timeout_s != TLSD_TIMEOUT_DEFAULT_S)
		fprintf(out, " TIMEOUT %u", r->timeout_s);
}

const char *tlsd_rule_text(const struct tlsd_rule *r, char *buf, size_t len)
{
	FILE *f = fmemopen(buf, len, "w");

	if (!f)
		return "";
	print_rule(r, f);
	fclose(f);
	buf[len - 1] = '\0';
	return buf;
}

void tlsd_deck_print(const struct tlsd_deck *d, FILE *out)
{
	struct tls_settings at;

	if (d->job[0])
		fprintf(out, "* $$ JOB JNM=%s\n", d->job);
	fprintf(out, "ID %s\n", d->id);
	if (d->metrics[0])
		fprintf(out, "METRICS %s\n", d->metrics);
	if (d->subtasks)
		fprintf(out, "SUBTASK %u\n", d->subtasks);
	if (d->ssl_dbg)
		fputs("SSL$DBG YES\n", out);
	if (d->ssl_ica)
		fputs("SSL$ICA YES\n", out);
	if (d->iptrace)
		fputs("IPTRACE YES\n", out);
	tlsdeck_log_print(d->log, out);
	tlsdeck_init(&at);
	for (uint32_t i = 0; i < d->n_rules; i++) {
		const struct tlsd_rule *r = &d->rules[i];

		tlsdeck_print(&at, &r->tls, out);
		print_rule(r, out);
		fputc('\n', out);
		at = r->tls;
	}
}
