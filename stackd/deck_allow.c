#include "daemon/who.h"
#include "deck_parts.h"

#include <assert.h>

#define RESERVE_MAX 65535

void stackd_deck_cmd_allow(struct stackd_deck_builder *b, struct deck_args *a)
{
	struct stackd_deck *d = b->d;

	static_assert(ARRAY_SIZE(d->allow_uid) == ARRAY_SIZE(d->allow_gid),
		      "one limit for both");
	who_command(a, d->allow_uid, &d->n_allow_uid, d->allow_gid,
		    &d->n_allow_gid, ARRAY_SIZE(d->allow_uid));
}

/* ---- RESERVE n, METRICS path
 * ---------------------------------------------------- */

void stackd_deck_cmd_reserve(struct stackd_deck_builder *b, struct deck_args *a)
{
	deck_args_u16(a, "port", 0, RESERVE_MAX, &b->d->priv_port_max);
	deck_args_end(a);
}

void stackd_deck_cmd_metrics(struct stackd_deck_builder *b, struct deck_args *a)
{
	deck_args_path(a, "path", sizeof(b->d->metrics) - 1, b->d->metrics);
	deck_args_end(a);
}

/* ---- canonical form
 * ----------------------------------------------------------------- */

void stackd_deck_print_allow(const struct stackd_deck *d, FILE *out)
{
	for (uint32_t i = 0; i < d->n_allow_uid; i++)
		fprintf(out, "ALLOW USER %u\n", d->allow_uid[i]);
	for (uint32_t i = 0; i < d->n_allow_gid; i++)
		fprintf(out, "ALLOW GROUP %u\n", d->allow_gid[i]);
}
