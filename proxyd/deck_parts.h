/*
 * deck_parts.h: what the files that read a proxyd deck share.
 *
 *   deck.c        the table of commands, the whole deck
 *   deck_proxy.c  PROXY SNI
 *   deck_set.c    what is in force for the PROXYs behind it, limits, names
 *   deck_print.c  the canonical deck
 */
#ifndef COUPLET_PROXYD_DECK_PARTS_H
#define COUPLET_PROXYD_DECK_PARTS_H

#include "deck.h"
#include "deck/args.h"

#define PROXYD_DECK_COMMANDS 32

#define PROXYD_INTERVAL_S 120
#define PROXYD_CONN_MAX 16384
#define PROXYD_FLOW_MAX 4096
#define PROXYD_HANDSHAKE_MAX 1024
#define PROXYD_DRAIN DUR_S(300)
#define PROXYD_STOP DUR_S(30)

/* A deck while it is read. */
struct proxyd_deck_builder {
	struct proxyd_deck *d;
	const struct deck *source;
	struct deck_report *report;
	const struct deck_command *cmd;
	struct proxyd_settings set; /* in force here */
	uint32_t seen[PROXYD_DECK_COMMANDS];
	bool id_seen;
	int error; /* -ENOMEM: give up */
};

typedef void proxyd_deck_fn(struct proxyd_deck_builder *b, struct deck_args *a);

/* The commands; each reads its operands into b->d or b->set. */
proxyd_deck_fn proxyd_deck_cmd_proxy, proxyd_deck_cmd_sni,
	proxyd_deck_cmd_balance, proxyd_deck_cmd_health,
	proxyd_deck_cmd_timeout, proxyd_deck_cmd_limit, proxyd_deck_cmd_header,
	proxyd_deck_cmd_access, proxyd_deck_cmd_host, proxyd_deck_cmd_ftpports,
	proxyd_deck_cmd_drain, proxyd_deck_cmd_log, proxyd_deck_cmd_metrics,
	proxyd_deck_cmd_subtask;

/* What is in force before the first command. */
void proxyd_deck_defaults(struct proxyd_settings *s);
/* The commands that lead from `from` to `to`. */
void proxyd_deck_print_set(const struct proxyd_settings *from,
			   const struct proxyd_settings *to, FILE *out);

/* One more element of `size` bytes behind the *n of `list`; NULL: no memory
 * (and b->error is set) or `max` reached (and told as "more than max
 * `what`"). */
void *proxyd_deck_grow(struct proxyd_deck_builder *b, struct deck_args *a,
		       void *list, uint32_t *n, size_t size, uint32_t max,
		       const char *what);

#endif
