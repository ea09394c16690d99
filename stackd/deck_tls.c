#include "deck_parts.h"

#define WAIT_MAX_S 3600

/* ---- TLS HOLD OUT|IN port[-port] [address[/n]], TLS WAIT seconds
 * ------------------------------------------------- */

static void read_hold(struct stackd_deck_builder *b, struct deck_args *a)
{
	static const char *const words[] = {"OUT", "IN"};
	struct deck_hold h = {.inbound = false};
	struct stackd_deck *d = b->d;
	unsigned i;

	if (!deck_args_word(a, "direction", words, ARRAY_SIZE(words), &i) ||
	    !deck_args_range(a, "port", 1, 65535, &h.port_lo, &h.port_hi))
		return;
	h.inbound = i == 1;
	if (!h.inbound && deck_args_more(a) &&
	    !deck_args_prefix(a, "address", IP_NONE, &h.remote))
		return;
	h.remote = h.remote.addr.family
			   ? ip_prefix_make(&h.remote.addr, h.remote.len)
			   : h.remote;
	if (!deck_args_end(a))
		return;
	if (d->n_holds == ARRAY_SIZE(d->holds))
		deck_args_note(a, DECK_ERROR, "more than %u TLS HOLD",
			       DECK_HOLDS_MAX);
	else
		d->holds[d->n_holds++] = h;
}

void stackd_deck_cmd_tls(struct stackd_deck_builder *b, struct deck_args *a)
{
	static const char *const words[] = {"HOLD", "WAIT"};
	unsigned i;

	if (!deck_args_word(a, "word", words, ARRAY_SIZE(words), &i))
		return;
	if (i == 0) {
		read_hold(b, a);
		return;
	}
	deck_args_u32(a, "seconds", 0, WAIT_MAX_S, &b->d->divert_wait_s);
	deck_args_end(a);
}

/* ---- canonical form
 * ----------------------------------------------------------------- */

void stackd_deck_print_tls(const struct stackd_deck *d, FILE *out)
{
	char text[ADDR_TEXT_MAX];

	for (uint32_t i = 0; i < d->n_holds; i++) {
		const struct deck_hold *h = &d->holds[i];

		fprintf(out, "TLS HOLD %s %u", h->inbound ? "IN" : "OUT",
			h->port_lo);
		if (h->port_hi != h->port_lo)
			fprintf(out, "-%u", h->port_hi);
		if (h->remote.addr.family != IP_NONE)
			fprintf(out, " %s/%u", ip_format(&h->remote.addr, text),
				h->remote.len);
		fputc('\n', out);
	}
	if (d->divert_wait_s != STACKD_DECK_TLS_WAIT)
		fprintf(out, "TLS WAIT %u\n", d->divert_wait_s);
}
