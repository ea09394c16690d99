/* operands.c: operands that only stackd has. */
#include "stackd.h"

#include <strings.h>

void operands_host(struct operands *o, const struct stackd_deck *deck,
		   const char *what, struct ip_addr *ret)
{
	const char *w = operands_word(o, what);

	if (!w || ip_parse(w, ret) == 0)
		return;
	for (uint32_t i = 0; i < deck->n_hosts; i++) {
		if (strcasecmp(deck->hosts[i].name, w) == 0) {
			*ret = deck->hosts[i].addr;
			return;
		}
	}
	o->bad = true;
	console_error(
		o->cmd,
		"%s: unknown host: no address, not in the HOST table, not "
		"known to a name server",
		w);
}
