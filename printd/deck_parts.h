/* deck_parts.h: what the files of the deck share. Not for others. */
#ifndef COUPLET_PRINTD_DECK_PARTS_H
#define COUPLET_PRINTD_DECK_PARTS_H

#include "deck.h"
#include "deck/args.h"
#include "tlsdeck/tlsdeck.h"

#define INDEX_SLOTS 65536 /* more than twice DECK_LUS_MAX */

struct printd_builder {
	struct printd_deck *d;
	const struct deck *source;
	const struct deck_command *cmd;
	struct deck_report *report;
	uint32_t seen[64]; /* line of each command that may come once */
	uint32_t attach_line;
	struct tls_settings tls; /* in force at this line */
	int error;               /* -ENOMEM: give up */
};

/* Readers of commands; `a` stands at the first operand. */
typedef void printd_read_fn(struct printd_builder *b, struct deck_args *a);
printd_read_fn printd_deck_cmd_lu, printd_deck_cmd_printer,
	printd_deck_cmd_direct, printd_deck_cmd_lpr, printd_deck_cmd_ftp,
	printd_deck_cmd_ipp, printd_deck_cmd_file;

/* Name of a LU or application into `buf` of LU_NAME_MAX + 1, upper case. */
bool printd_read_name(struct deck_args *a, const char *what, char *buf);
/* Address or host name into `buf` of LU_HOST_MAX + 1. */
bool printd_read_host(struct deck_args *a, char *buf);
/* Port, or star for `otherwise`. */
bool printd_read_port(struct deck_args *a, uint16_t otherwise, uint16_t *ret);
/* What LU * starts from. */
void printd_opt_init(struct lu_opt *o);
/* The same settings of TLS? -ENOMEM counts as no. */
bool printd_tls_same(const struct tls_settings *a,
		     const struct tls_settings *b);
/* LU commands that make `o` of `from`; `name` a LU or a star. */
void printd_opt_print(const char *name, const struct lu_opt *o,
		      const struct lu_opt *from, FILE *out);
/* Word of the first option that differs, or NULL. */
const char *printd_opt_differs(const struct lu_opt *a, const struct lu_opt *b);
/* The LU of that name, to be changed, or NULL. */
struct printd_lu *printd_deck_find(struct printd_deck *d, const char *name);
/* Looks at the deck as a whole. */
void printd_deck_check(struct printd_builder *b);

#endif
