#include "daemon/who.h"
#include "deck_parts.h"

#include <string.h>

/* ---- POLICY name ALLOW|DENY USE|BIND|ALL [PORT n[-m]] [USER name] [GROUP
 * name] [PROGRAM path]
 * ------------------------------------------------------------------------- */

static void read_selectors(struct deck_args *a, struct deck_policy *p)
{
	static const char *const words[] = {"PORT", "USER", "GROUP", "PROGRAM"};
	unsigned seen = 0, i;

	while (deck_args_more(a)) {
		if (!deck_args_word(a, "selector", words, ARRAY_SIZE(words),
				    &i))
			return;
		if (seen & 1u << i)
			deck_args_note(a, DECK_ERROR, "%s: expected only once",
				       words[i]);
		seen |= 1u << i;
		if (i == 0 && p->what != DECK_POLICY_BIND)
			deck_args_note(a, DECK_ERROR,
				       "PORT: expected with BIND only");
		if (i == 0)
			deck_args_range(a, "port", 1, UINT16_MAX, &p->port_lo,
					&p->port_hi);
		else if (i == 1)
			p->has_uid = who_read(a, false, &p->uid);
		else if (i == 2)
			p->has_gid = who_read(a, true, &p->gid);
		else
			deck_args_path(a, "program", sizeof(p->program) - 1,
				       p->program);
	}
}

static bool name_is_taken(const struct stackd_deck *d, const char *name)
{
	for (uint32_t i = 0; i < d->n_policies; i++) {
		if (strcmp(d->policies[i].name, name) == 0)
			return true;
	}
	/* messages name these when no POLICY decided */
	return strcmp(name, "ALLOW") == 0 || strcmp(name, "RESERVE") == 0;
}

void stackd_deck_cmd_policy(struct stackd_deck_builder *b, struct deck_args *a)
{
	static const char *const verdicts[] = {"ALLOW", "DENY"};
	static const char *const acts[] = {"USE", "BIND", "ALL"};
	struct deck_policy p = {.port_hi = UINT16_MAX};
	struct stackd_deck *d = b->d;
	unsigned verdict, act;

	if (!deck_args_name(a, "name", "-_.", sizeof(p.name) - 1, p.name))
		return;
	if (name_is_taken(d, p.name))
		deck_args_expected(a, "name",
				   "one that no other POLICY has, not ALLOW "
				   "or RESERVE");
	if (!deck_args_word(a, "verdict", verdicts, ARRAY_SIZE(verdicts),
			    &verdict) ||
	    !deck_args_word(a, "act", acts, ARRAY_SIZE(acts), &act))
		return;
	p.deny = verdict == 1;
	p.what = (enum deck_policy_act)act;
	read_selectors(a, &p);
	if (!deck_args_end(a))
		return;
	if (d->n_policies == ARRAY_SIZE(d->policies))
		deck_args_note(a, DECK_ERROR, "more than %u POLICY commands",
			       (unsigned)ARRAY_SIZE(d->policies));
	else
		d->policies[d->n_policies++] = p;
}

void stackd_deck_print_policy(const struct stackd_deck *d, FILE *out)
{
	static const char *const acts[] = {"USE", "BIND", "ALL"};

	for (uint32_t i = 0; i < d->n_policies; i++) {
		const struct deck_policy *p = &d->policies[i];

		fprintf(out, "POLICY %s %s %s", p->name,
			p->deny ? "DENY" : "ALLOW", acts[p->what]);
		if (p->port_lo && p->port_lo == p->port_hi)
			fprintf(out, " PORT %u", p->port_lo);
		else if (p->port_lo)
			fprintf(out, " PORT %u-%u", p->port_lo, p->port_hi);
		if (p->has_uid)
			fprintf(out, " USER %u", p->uid);
		if (p->has_gid)
			fprintf(out, " GROUP %u", p->gid);
		if (p->program[0])
			fprintf(out, " PROGRAM %s", p->program);
		fputc('\n', out);
	}
}
