/*
 * deck_parts.h: what the files that read a stackd deck share.
 *
 *   deck.c         the table of commands, their order, the whole deck
 *   deck_net.c     DEVICE LINK ROUTE DNS HOST SEARCH
 *   deck_adapter.c ADAPTER
 *   deck_rule.c    IN OUT
 *   deck_tune.c    TCP IP PORTS LIMIT
 *   deck_allow.c   ALLOW RESERVE METRICS
 *   deck_policy.c  POLICY
 *   deck_tls.c     TLS
 *   deck_check.c   what only the whole deck can show
 *   deck_print.c   the canonical deck
 *   deck_change.c  one command while the stack runs
 */
#ifndef COUPLET_STACKD_DECK_PARTS_H
#define COUPLET_STACKD_DECK_PARTS_H

#include "deck.h"
#include "deck/args.h"
#include "deck/deck.h"

#define STACKD_DECK_COMMANDS 32     /* at least the size of the command table */
#define STACKD_DECK_TXQUEUELEN 4000 /* packets, when the deck names none */
#define STACKD_DECK_RESERVE 1024
#define STACKD_DECK_TLS_WAIT 10 /* seconds */

/* A deck while it is read. */
struct stackd_deck_builder {
	struct stackd_deck *d;
	const struct deck *source;
	struct deck_report *report;
	const struct deck_command *cmd;      /* being read */
	uint32_t seen[STACKD_DECK_COMMANDS]; /* line of the first of a kind */
	bool any; /* a command other than a licence record was seen */
	bool id_seen;
	uint32_t attach_line;
	/* where things were said, for notes at the end */
	const struct deck_command *device_cmd[DECK_DEVICES_MAX];
	const struct deck_command *link_cmd[DECK_LINKS_MAX];
	const struct deck_command **route_cmd; /* n_routes, may be NULL */
	const struct deck_command *tcp_cmd;    /* the last TCP command */
	bool offload_given[DECK_DEVICES_MAX];
	int error; /* -ENOMEM: give up */
};

typedef void (*stackd_deck_fn)(struct stackd_deck_builder *b,
			       struct deck_args *a);

/* The commands. Each reads its operands and adds to b->d. */
void stackd_deck_cmd_device(struct stackd_deck_builder *b, struct deck_args *a);
void stackd_deck_cmd_link(struct stackd_deck_builder *b, struct deck_args *a);
void stackd_deck_cmd_route(struct stackd_deck_builder *b, struct deck_args *a);
void stackd_deck_cmd_dns(struct stackd_deck_builder *b, struct deck_args *a);
void stackd_deck_cmd_host(struct stackd_deck_builder *b, struct deck_args *a);
void stackd_deck_cmd_search(struct stackd_deck_builder *b, struct deck_args *a);
void stackd_deck_cmd_adapter(struct stackd_deck_builder *b,
			     struct deck_args *a);
void stackd_deck_cmd_rule(struct stackd_deck_builder *b, struct deck_args *a);
void stackd_deck_cmd_tcp(struct stackd_deck_builder *b, struct deck_args *a);
void stackd_deck_cmd_ip(struct stackd_deck_builder *b, struct deck_args *a);
void stackd_deck_cmd_ports(struct stackd_deck_builder *b, struct deck_args *a);
void stackd_deck_cmd_limit(struct stackd_deck_builder *b, struct deck_args *a);
void stackd_deck_cmd_allow(struct stackd_deck_builder *b, struct deck_args *a);
void stackd_deck_cmd_policy(struct stackd_deck_builder *b, struct deck_args *a);
void stackd_deck_cmd_reserve(struct stackd_deck_builder *b,
			     struct deck_args *a);
void stackd_deck_cmd_metrics(struct stackd_deck_builder *b,
			     struct deck_args *a);

void stackd_deck_cmd_tls(struct stackd_deck_builder *b, struct deck_args *a);

/* Operands into values, for decks and for the console; true = correct. */
bool stackd_deck_parse_route(const struct stackd_deck *d, struct deck_args *a,
			     struct deck_route *ret);
bool stackd_deck_parse_dns(struct deck_args *a, struct deck_dns *ret);
/* addr_optional: DELETE HOST name */
bool stackd_deck_parse_host(struct deck_args *a, bool addr_optional,
			    struct deck_host *ret);
bool stackd_deck_parse_rule(struct deck_args *a, struct ip_rule *ret);
bool stackd_deck_parse_tcp(struct deck_args *a, struct tcp_tune *t);
bool stackd_deck_parse_ip(struct deck_args *a, struct ip_tune *t);

/* Adds to the growing arrays: 0, -EEXIST, -ENOSPC, -ENOMEM. */
int stackd_deck_add_route(struct stackd_deck *d, const struct deck_route *r);
int stackd_deck_add_host(struct stackd_deck *d, const struct deck_host *h);
int stackd_deck_add_dns(struct stackd_deck *d, const struct deck_dns *s);
int stackd_deck_add_rule(struct stackd_deck *d, const struct ip_rule *r);
bool stackd_deck_same_route(const struct deck_route *a,
			    const struct deck_route *b);
bool stackd_deck_same_host(const struct deck_host *a,
			   const struct deck_host *b);

/* Tells what an add function refused; false when it refused. */
bool stackd_deck_added(struct stackd_deck_builder *b, struct deck_args *a,
		       int r, const char *what, uint32_t limit);

/* Fills what was not said: interface names, media, offloads. */
void stackd_deck_defaults(struct stackd_deck_builder *b);
void stackd_deck_check(struct stackd_deck_builder *b);
/* Values that must not contradict each other. */
void stackd_deck_check_tcp(struct deck_args *a, const struct tcp_tune *t);

/* Parts of the canonical deck, each a line or more. */
void stackd_deck_print_adapter(const struct deck_device *v, FILE *out);
void stackd_deck_print_rule(const struct ip_rule *r, FILE *out);
void stackd_deck_print_tune(const struct stackd_deck *d, FILE *out);
void stackd_deck_print_policy(const struct stackd_deck *d, FILE *out);
void stackd_deck_print_allow(const struct stackd_deck *d, FILE *out);
void stackd_deck_print_tls(const struct stackd_deck *d, FILE *out);
/* As the deck writes it. */
const char *stackd_deck_medium_name(enum deck_medium m);
/* The medium that a device has when the deck names none. */
enum deck_medium stackd_deck_medium_default(const struct deck_device *v);

#endif
